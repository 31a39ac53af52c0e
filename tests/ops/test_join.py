"""Join, stack, split."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal, reference
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T


@given(st.data())
@settings(max_examples=40)
def test_join_is_concatenate(data):
    shape = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    arrays = []
    for length in data.draw(st.lists(st.integers(0, 3), min_size=2, max_size=3)):
        own = list(shape)
        own[axis] = length
        arrays.append(np.arange(np.prod(own), dtype="float64").reshape(own))
    expected = np.concatenate(arrays, axis)
    np.testing.assert_array_equal(reference(lambda *v: T.join(axis, *v), *arrays), expected)
    symbolic = reference(lambda a, *v: T.join(a, *v), np.int64(axis), *arrays)
    np.testing.assert_array_equal(symbolic, expected)


def test_join_compiled_dtypes_and_patterns():
    a, b = normal(2, 3), normal(2, 1).astype("float32")
    assert both(lambda a, b: T.concatenate([a, b], axis=1), a, b).dtype == "float64"
    both(lambda a, b: T.join(-1, a, b) + 1, a, b)
    both(lambda x, a, b: T.join(x, a, b), np.int64(1), a, b)
    both(lambda a: T.concatenate([a[0], a[1, ::-1]]), a)
    joined = T.join(0, T.row(), T.matrix())
    assert joined.broadcastable == (False, False)
    assert T.join(1, T.row(), T.matrix()).broadcastable == (True, False)
    assert T.join(T.lscalar(), T.row(), T.row()).broadcastable == (False, False)
    check_grad(lambda a, b: T.join(1, a, b) ** 2, normal(2, 3), normal(2, 1))
    check_grad(
        lambda a, b: T.join(0, a, b), normal(1, 3), normal(2, 3), patterns=[(True, False), None]
    )


def test_join_errors():
    with pytest.raises(TypeError, match="dimension 0"):
        T.join(0, T.scalar(), T.scalar())
    with pytest.raises(TypeError, match="same number of dimensions"):
        T.join(0, T.vector(), T.matrix())
    with pytest.raises(TypeError, match="tuple or a list"):
        T.concatenate(T.vector(), T.vector())
    with pytest.raises(ValueError, match="out of range"):
        T.join(2, T.matrix(), T.matrix())
    with pytest.raises(TypeError, match="axis must be an integer"):
        T.join(1.5, T.matrix(), T.matrix())
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(3, 3\)"):
        reference(lambda a, b: T.join(1, a, b), normal(2, 3), normal(3, 3))
    with pytest.raises(ValueError, match="static shapes"):
        T.join(1, T.zeros((2, 3)), T.zeros((3, 3)))
    x, y = T.dmatrices("xy")
    with pytest.raises(ValueError, match=r"2, 3"):
        theano.function([x, y], T.join(1, x, y))(normal(2, 3), normal(3, 3))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_stack(axis):
    a, b = normal(2, 3), normal(3, 2).T
    np.testing.assert_array_equal(
        both(lambda a, b: T.stack([a, b], axis), a, b), np.stack([a, b], axis)
    )
    check_grad(lambda a, b: T.stack([a, b], axis=axis), a, b)


def test_stack_of_scalars_and_old_forms():
    assert both(lambda a, b: T.stack([a, b]), np.float32(1), np.float64(2)).dtype == "float64"
    assert T.stack(T.scalar(), T.scalar()).ndim == 1
    assert T.stack(tensors=[T.vector(), T.vector()], axis=1).ndim == 2
    both(lambda a: T.stacklists([[a, a * 2], [a, a]]), np.float64(3))
    assert T.as_tensor_variable([T.scalar(), 1.0]).ndim == 1
    with pytest.raises(IndexError, match="out of bounds"):
        T.stack([T.vector(), T.vector()], axis=3)
    with pytest.raises(ValueError, match="empty"):
        T.stack([])
    np.testing.assert_array_equal(
        both(T.vertical_stack, normal(2, 3), normal(1, 3)), np.vstack([normal(2, 3), normal(1, 3)])
    )
    np.testing.assert_array_equal(
        both(T.horizontal_stack, normal(2, 3), normal(2, 1)),
        np.hstack([normal(2, 3), normal(2, 1)]),
    )


def test_split():
    x = normal(5, 4)
    parts = both(lambda v: T.split(v, [2, 0, 3], 3, axis=0), x)
    np.testing.assert_array_equal(np.concatenate(parts), x)
    symbolic = both(lambda v, s: T.split(v, s, 2, axis=1), x, np.array([1, 3]))
    np.testing.assert_array_equal(symbolic[1], x[:, 1:])
    any_axis = both(lambda v, a: T.split(v, [1, 3], 2, axis=a), x, np.int64(1))
    np.testing.assert_array_equal(any_axis[0], x[:, :1])
    check_grad(lambda v: T.split(v, [2, 3], 2, axis=0)[1] ** 2, x)
    check_grad(lambda v: T.split(v, [2, 3], 2)[0].sum() * T.split(v, [2, 3], 2)[1], x)


@pytest.mark.parametrize(
    ("sizes", "word"), [([2, 2], "sum to 4"), ([7, -2], "negative"), ([5], "1 sizes")]
)
def test_split_errors(sizes, word):
    with pytest.raises(ValueError, match=word):
        reference(lambda v: T.split(v, sizes, 2), normal(5, 4))


def test_split_errors_compiled():
    x, s = T.dvector("x"), T.lvector("s")
    f = theano.function([x, s], T.split(x, s, 2))
    with pytest.raises(ValueError, match="sum to"):
        f(normal(5), [1, 1])
