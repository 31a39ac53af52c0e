"""Running sums and products, differences, and the recurrence behind their gradients."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, inputs_for, normal, reference

import theano
import theano.tensor as T
from theano.graph.evaluate import reference_function
from theano.ops.cumulative import CumOp, Recurrence


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_along_an_axis(name, axis):
    x = normal(3, 4)
    expected = getattr(np, name)(x, axis)
    np.testing.assert_allclose(both(lambda v: getattr(T, name)(v, axis), x), expected)
    np.testing.assert_allclose(both(lambda v: getattr(v, name)(axis), x), expected)
    np.testing.assert_allclose(
        both(lambda v: 2 * getattr(T, name)(v + 1, axis), x), 2 * getattr(np, name)(x + 1, axis)
    )


@pytest.mark.parametrize("dtype", ["int8", "uint16", "float16", "float32", "complex64"])
def test_the_dtype_stays(dtype):
    x = np.array([1, 2, 3], dtype)
    assert both(T.cumsum, x).dtype == dtype
    assert both(T.cumprod, x).dtype == dtype
    assert both(T.cumsum, np.array([True, True])).tolist() == [1, 2]


def test_sizes_without_elements():
    assert both(T.cumsum, np.zeros((0, 3))).shape == (0,)
    assert both(lambda v: T.cumprod(v, 1), np.zeros((2, 0))).shape == (2, 0)
    assert both(T.cumsum, np.float64(3)).tolist() == [3]


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_gradient(name, axis):
    check_grad(lambda v: getattr(T, name)(v, axis), normal(3, 4))
    check_grad(lambda v: getattr(T, name)(v, axis), normal(1, 4), patterns=[(True, False)])


def test_gradient_of_a_product_with_zeros():
    check_grad(T.cumprod, np.array([2.0, 0.0, 3.0, 4.0]))
    check_grad(T.cumprod, np.array([2.0, 0.0, 3.0, 0.0, 5.0]))
    check_grad(lambda v: T.cumprod(v, 0), np.array([[0.0, 1.0], [2.0, 0.0]]))


def test_second_derivative_of_a_product():
    check_grad(lambda v: T.grad((T.cumprod(v) ** 2).sum(), v), np.array([0.5, -1.5, 2.0, 0.7]))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_directional_derivative(name, axis):
    x, d = normal(3, 4), normal(4, 3).T
    value, direction = inputs_for([x, d])
    out = getattr(T, name)(value, axis)
    forward = T.Rop(out, value, direction)
    step = 1e-6
    run = reference_function([value], [out])
    numeric = (run(x + step * d)[0] - run(x - step * d)[0]) / (2 * step)
    (found,) = reference_function([value, direction], [forward])(x, d)
    np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-8)


def test_recurrence():
    a, b = normal(5), normal(5) + 1
    y = [b[0]]
    for i in range(1, 5):
        y.append(a[i] * y[-1] + b[i])
    np.testing.assert_allclose(both(Recurrence(0), a, b), y)
    check_grad(Recurrence(1), normal(2, 4), normal(4, 2).T)
    with pytest.raises(ValueError, match="differ"):
        reference(Recurrence(0), normal(3), normal(4))
    with pytest.raises(TypeError, match="rank"):
        Recurrence(0)(T.vector(), T.matrix())


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("axis", [0, -1])
def test_diff(n, axis):
    x = normal(4, 3)
    np.testing.assert_allclose(both(lambda v: T.diff(v, n, axis), x), np.diff(x, n, axis))
    if n < 3:
        check_grad(lambda v: T.diff(v, n, axis), x)


def test_diff_of_bool_compares():
    assert both(T.diff, np.array([True, True, False])).tolist() == [False, True]


def test_refused():
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        T.cumsum(T.matrix(), 2)
    with pytest.raises(ValueError, match="axis 0 is out of range"):
        T.diff(T.scalar(), axis=0)
    with pytest.raises(ValueError, match="negative"):
        T.diff(T.vector(), -1)
    with pytest.raises(ValueError, match="mode"):
        CumOp(0, "max")


def test_names():
    assert str(T.cumsum(T.vector()).owner.op) == "CumOp{None, add}"
    assert T.extra_ops.cumsum is T.cumsum
    f = theano.function([], T.cumsum(theano.shared(np.arange(4.0))))
    assert f().tolist() == [0, 1, 3, 6]
