"""Arrays from extents and scalars, and diagonals."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal, reference
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.core.config import change_flags
from theano.ops import diagonal


def test_alloc():
    assert both(lambda v, n: T.alloc(v, 2, n), np.float64(3), np.int64(2)).tolist() == [[3, 3]] * 2
    both(lambda v, n: T.alloc(v, n, 3) + 1, normal(3), np.int64(2))
    assert T.alloc(1.0, 1, T.lscalar()).broadcastable == (True, False)
    check_grad(lambda v: T.alloc(v, 2, 3), normal(3))
    check_grad(lambda v: T.alloc(v, 2, 3), normal(1), patterns=[(True,)])
    check_grad(lambda v: T.alloc(v, 2), np.float64(3))


def test_alloc_refuses():
    with pytest.raises(TypeError, match="integers"):
        T.alloc(1.0, T.scalar())
    with pytest.raises(TypeError, match="more dimensions"):
        T.alloc(T.matrix(), 3)
    with pytest.raises(ValueError, match="negative"):
        T.alloc(1.0, -1)
    with pytest.raises(ValueError, match="broadcast"):
        reference(lambda v: T.alloc(v, 2, 3), normal(4))


def test_zeros_ones_and_likes():
    assert T.zeros((2, 3)).dtype == theano.config.floatX
    with change_flags(floatX="float32"):
        assert T.ones(3).dtype == "float32"
    assert both(lambda n: T.ones((n, 2), dtype="int8"), np.int64(2)).tolist() == [[1, 1]] * 2
    assert both(lambda v: T.zeros(v.shape), normal(2, 3)).shape == (2, 3)
    assert both(lambda v: T.ones_like(v, dtype="int32"), normal(2)).dtype == "int32"
    assert both(lambda v: T.zeros_like(v), normal(2, 3)).sum() == 0
    assert T.zeros_like(T.scalar(), opt=True).owner is None
    assert both(lambda n: T.full((n, 2), 7), np.int64(3)).tolist() == [[7, 7]] * 3
    assert reference(lambda n: T.AllocEmpty("float32")(n, 2), np.int64(3)).shape == (3, 2)


@given(st.integers(0, 4), st.integers(0, 4), st.integers(-5, 5))
@settings(max_examples=30)
def test_eye_and_tri(n, m, k):
    args = (np.int64(n), np.int64(m), np.int64(k))
    np.testing.assert_array_equal(reference(lambda n, m, k: T.eye(n, m, k), *args), np.eye(n, m, k))
    np.testing.assert_array_equal(reference(lambda n, m, k: T.tri(n, m, k), *args), np.tri(n, m, k))
    x = np.arange(float(n * m)).reshape(n, m)
    np.testing.assert_array_equal(reference(lambda x: T.tril(x, k), x), np.tril(x, k))
    np.testing.assert_array_equal(reference(lambda x: T.triu(x, k), x), np.triu(x, k))


def test_eye_and_tri_compiled():
    for k in (-1, 0, 2):
        expected = both(lambda n, k: T.eye(n, 4, k) + T.tri(n, 4, k), np.int64(3), np.int64(k))
        np.testing.assert_array_equal(expected, np.eye(3, 4, k) + np.tri(3, 4, k))
    assert both(lambda n: T.eye(n, dtype="int8"), np.int64(2)).tolist() == [[1, 0], [0, 1]]
    assert both(T.identity_like, normal(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-3, 3).filter(bool))
@settings(max_examples=50)
def test_arange_of_integers(start, stop, step):
    expected = np.arange(start, stop, step)
    args = (np.int64(start), np.int64(stop), np.int64(step))
    np.testing.assert_array_equal(reference(T.arange, *args), expected)
    narrow = tuple(np.int8(a) for a in args)
    np.testing.assert_array_equal(reference(T.arange, *narrow), expected)
    constant = T.arange(start, stop, step)
    assert constant.type.shape == ((len(expected),) if len(expected) != 1 else (None,))


@given(st.floats(-3, 3), st.floats(-3, 3), st.sampled_from([0.5, -0.25, 1.0, 0.1]))
@settings(max_examples=30)
def test_arange_of_floats(start, stop, step):
    found = reference(T.arange, np.float64(start), np.float64(stop), np.float64(step))
    np.testing.assert_allclose(found, np.arange(start, stop, step), atol=1e-12)


def test_arange_dtypes_gradient_and_compiled():
    assert T.arange(T.iscalar()).dtype == "int64"
    assert T.arange(T.scalar(dtype="uint8"), dtype=None).dtype == "int64"
    assert (
        T.arange(T.scalar(dtype="uint8"), T.scalar(dtype="uint8"), T.scalar(dtype="uint8")).dtype
        == "uint64"
    )
    assert T.arange(T.fscalar()).dtype == "float32"
    assert T.arange(3, dtype="float32").dtype == "float32"
    for args in ((2, 9, 3), (9, 2, -2), (3, 3, 1)):
        both(T.arange, *map(np.int64, args))
        both(T.arange, *map(np.float32, args))
    # Halfway between two lengths, where differences make sense.
    check_grad(lambda a, b: T.arange(a, 4.05, b) ** 2, np.float64(1.0), np.float64(0.5))
    with pytest.raises(ValueError, match="step"):
        T.arange(0, 3, 0)
    with pytest.raises(ValueError, match="step"):
        reference(T.arange, np.int64(0), np.int64(3), np.int64(0))
    with pytest.raises(TypeError, match="scalars"):
        T.arange(T.lvector())


@pytest.mark.parametrize("offset", [-2, -1, 0, 1, 3])
def test_diagonals(offset):
    x = normal(3, 4)
    np.testing.assert_array_equal(both(lambda v: T.diag(v, offset), x), np.diag(x, offset))
    v = normal(3)
    np.testing.assert_array_equal(both(lambda v: T.diag(v, offset), v), np.diag(v, offset))
    check_grad(lambda v: T.diag(v, offset) ** 2, x)
    check_grad(lambda v: T.diag(v, offset) ** 2, v)


def test_diagonals_of_more_dimensions():
    x = normal(2, 3, 4)
    for axes in ((0, 1), (1, 2), (2, 0)):
        np.testing.assert_array_equal(
            both(lambda v, axes=axes: T.diagonal(v, 1, *axes), x), x.diagonal(1, *axes)
        )
        check_grad(lambda v, axes=axes: T.diagonal(v, 0, *axes), x)
    placed = both(lambda v: diagonal.AllocDiag(1, 0, 2)(v), normal(2, 3))
    np.testing.assert_array_equal(placed.diagonal(1, 0, 2), normal(2, 3))
    assert placed.shape == (4, 2, 4)
    assert both(lambda v: v.trace(), normal(3, 3)) == pytest.approx(np.trace(normal(3, 3)))
    with pytest.raises(ValueError, match="2 or more"):
        diagonal.ExtractDiag()(T.vector())
    with pytest.raises(ValueError, match="ndim"):
        T.diag(T.scalar())
