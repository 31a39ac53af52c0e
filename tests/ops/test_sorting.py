"""Sorting, and searching in what is sorted."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, inputs_for, normal

import theano.tensor as T
from theano.autodiff.reverse import grad
from theano.core.errors import DisconnectedInputError
from theano.graph.evaluate import reference_function


@pytest.mark.parametrize("axis", [None, 0, 1, -1, T.constant(1)])
@pytest.mark.parametrize("shape", [(3, 4), (0, 3), (1, 1)])
def test_sort_and_argsort(axis, shape):
    x = normal(*shape)
    plain = axis if axis is None or isinstance(axis, int) else 1
    np.testing.assert_array_equal(both(lambda v: T.sort(v, axis), x), np.sort(x, plain))
    np.testing.assert_array_equal(both(lambda v: v.sort(axis), x), np.sort(x, plain))
    order = both(lambda v: T.argsort(v, axis), x)
    np.testing.assert_array_equal(order, np.argsort(x, plain))
    assert order.dtype == "int64"
    np.testing.assert_array_equal(both(lambda v: v.argsort(axis), x), np.argsort(x, plain))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex128"])
def test_dtypes(dtype):
    x = np.array([3, 1, 0, 2]).astype(dtype)
    np.testing.assert_array_equal(both(T.sort, x), np.sort(x))


def test_nan_comes_last_and_stable_keeps_ties():
    assert np.isnan(both(T.sort, np.array([np.nan, 1.0, -np.inf]))[-1])
    ties = np.array([1, 0, 1, 0, 1])
    assert both(lambda v: T.argsort(v, kind="stable"), ties).tolist() == [1, 3, 0, 2, 4]


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_gradient_of_sort(axis):
    check_grad(lambda v: T.sort(v, axis), normal(3, 4))
    check_grad(lambda v: T.sort(v, axis) ** 2, normal(1, 4), patterns=[(True, False)])
    x, d = normal(3, 4), normal(4, 3).T
    value, direction = inputs_for([x, d])
    forward = T.Rop(T.sort(value, axis), value, direction)
    (found,) = reference_function([value, direction], [forward])(x, d)
    flat = (x.ravel(), d.ravel(), 0) if axis is None else (x, d, axis)
    order = np.argsort(flat[0], flat[2])
    np.testing.assert_array_equal(found, np.take_along_axis(flat[1], order, flat[2]))


def test_positions_have_no_slope():
    x = T.dvector()
    assert grad(T.argsort(x).sum() * x.sum(), x).type == x.type
    with pytest.raises(DisconnectedInputError):
        grad(T.cast(T.searchsorted(x, [1.0]), "float64").sum(), x)


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    x, v = np.array([1.0, 2.0, 2.0, 5.0]), np.array([[0.0, 2.0], [5.0, np.nan]])
    expected = np.searchsorted(x, v, side)
    found = both(lambda x, v: T.searchsorted(x, v, side), x, v)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(both(lambda x, v: x.searchsorted(v, side), x, v), expected)
    shuffled = x[[3, 0, 1, 2]]
    found = both(lambda x, v, s: T.searchsorted(x, v, side, s), shuffled, v, np.array([1, 2, 3, 0]))
    np.testing.assert_array_equal(found, expected)
    assert both(lambda x, v: T.searchsorted(x, v), x, np.float64(3)).tolist() == 3


def test_refused():
    with pytest.raises(ValueError, match="axis 1 is out of range"):
        T.sort(T.vector(), 1)
    with pytest.raises(ValueError, match="kind must be"):
        T.argsort(T.vector(), kind="bogo")
    with pytest.raises(ValueError, match="no"):
        T.sort(T.vector(), order="field")
    with pytest.raises(ValueError, match="must be a vector"):
        T.searchsorted(T.matrix(), 1)
    with pytest.raises(ValueError, match="side"):
        T.searchsorted(T.vector(), 1, side="middle")
    with pytest.raises(TypeError, match="sorter"):
        T.searchsorted(T.vector(), 1, sorter=T.dvector())


def test_the_module_does_not_hide_the_function():
    import theano.tensor.sort  # noqa: F401

    assert callable(T.sort)
