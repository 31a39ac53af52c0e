"""Matrix products."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, contractions, normal, reference
from hypothesis import given, settings

import theano
import theano.tensor as T
from theano.ops.dot import Gemm

RANKS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4))]


@pytest.mark.parametrize(("left", "right"), RANKS)
@pytest.mark.parametrize("dtypes", [("float64",) * 2, ("float32",) * 2, ("float32", "float64")])
def test_dot(left, right, dtypes):
    a, b = normal(*left).astype(dtypes[0]), normal(*right).astype(dtypes[1])
    found = both(T.dot, a, b)
    assert found.dtype == np.promote_types(*dtypes)
    np.testing.assert_allclose(found, np.dot(a, b), rtol=1e-5)


@pytest.mark.parametrize(("left", "right"), RANKS)
def test_dot_of_integers_gradients_and_directions(left, right):
    a, b = normal(*left), normal(*right)
    whole = both(T.dot, (a * 10).astype("int32"), (b * 10).astype("int8"))
    assert whole.dtype == "int32"
    np.testing.assert_array_equal(whole, (a * 10).astype("int32").dot((b * 10).astype("int8")))
    check_grad(T.dot, a, b)
    ones = (np.ones(left), np.ones(right))
    found = reference(lambda x, y, u, v: T.Rop(T.dot(x, y), [x, y], [u, v]), a, b, *ones)
    np.testing.assert_allclose(found, np.dot(ones[0], b) + np.dot(a, ones[1]))


def test_dot_of_scalars_and_more_dimensions():
    both(T.dot, np.float64(2), normal(2, 3))
    a, b = normal(2, 3, 4), normal(5, 4, 2)
    np.testing.assert_allclose(both(T.dot, a, b), np.dot(a, b))
    np.testing.assert_allclose(both(T.dot, a, normal(4)), np.dot(a, normal(4)))
    np.testing.assert_allclose(both(lambda a, b: a @ b, normal(2, 3), normal(3, 2)),
                               normal(2, 3) @ normal(3, 2))  # fmt: skip
    np.testing.assert_allclose(both(T.outer, normal(2), normal(3)), np.outer(normal(2), normal(3)))


def test_dot_on_views_and_empty_arrays():
    a, b = normal(4, 6), normal(3, 4)
    expected = np.dot(a.T[::2], b.T[:, ::-1])
    np.testing.assert_allclose(both(lambda a, b: T.dot(a.T[::2], b.T[:, ::-1]), a, b), expected)
    assert both(T.dot, np.zeros((2, 0)), np.zeros((0, 3))).tolist() == [[0, 0, 0]] * 2
    assert both(T.dot, np.zeros((0, 2)), np.zeros((2, 3))).shape == (0, 3)
    assert T.dot(T.row(), T.matrix()).broadcastable == (True, False)


def test_dot_errors():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4, 5\)"):
        reference(T.dot, normal(2, 3), normal(4, 5))
    x, y = T.dmatrices("xy")
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4, 5\)"):
        theano.function([x, y], T.dot(x, y))(normal(2, 3), normal(4, 5))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4, 5\)"):
        T.dot(T.zeros((2, 3)), T.zeros((4, 5)))
    with pytest.raises(TypeError, match="ndim of 1 or 2"):
        T.basic.Dot()(T.tensor3(), x)


@given(contractions([2, 3, 4], [3, 2, 5]))
@settings(max_examples=30)
def test_tensordot(drawn):
    axes_a, axes_b, shape_a, shape_b = drawn
    a, b = normal(*shape_a), normal(*shape_b)
    expected = np.tensordot(a, b, [axes_a, axes_b])
    np.testing.assert_allclose(
        reference(lambda a, b: T.tensordot(a, b, [axes_a, axes_b]), a, b), expected, atol=1e-12
    )


def test_tensordot_compiled_and_errors():
    a, b = normal(2, 3, 4), normal(3, 4, 5)
    np.testing.assert_allclose(both(T.tensordot, a, b), np.tensordot(a, b))
    check_grad(lambda a, b: T.tensordot(a, b, [[1], [0]]), normal(2, 3), normal(3, 2))
    with pytest.raises(ValueError, match="must be between"):
        T.tensordot(T.matrix(), T.matrix(), 3)
    with pytest.raises(ValueError, match="same length"):
        T.tensordot(T.matrix(), T.matrix(), [[0, 1], [0]])
    with pytest.raises(ValueError, match="out of range"):
        T.tensordot(T.matrix(), T.matrix(), [[2], [0]])


@pytest.mark.parametrize(
    ("left", "right", "rule"),
    [
        ((5, 2, 3), (5, 3, 4), "bij,bjk->bik"),
        ((5, 3), (5, 3, 4), "bj,bjk->bk"),
        ((5, 2, 3), (5, 3), "bij,bj->bi"),
        ((5, 3), (5, 3), "bj,bj->b"),
        ((5,), (5, 3), "b,bj->bj"),
        ((5, 2, 3, 4), (5, 4, 2), "bijk,bkl->bijl"),
    ],
)
def test_batched_dot(left, right, rule):
    a, b = normal(*left), normal(*right)
    np.testing.assert_allclose(both(T.batched_dot, a, b), np.einsum(rule, a, b))
    check_grad(T.batched_dot, a, b)


def test_gemm():
    op = Gemm()
    c, a, b = normal(2, 4), normal(2, 3), normal(3, 4)
    found = both(lambda c, p, a, b, q: op(c, p, a, b, q), c, np.float64(2), a, b, np.float64(0.5))
    np.testing.assert_allclose(found, 0.5 * c + 2 * a @ b)
    check_grad(op, c, np.float64(2), a, b, np.float64(0.5))
    with pytest.raises(TypeError, match="one dtype"):
        op(T.fmatrix(), 1.0, T.dmatrix(), T.dmatrix(), 1.0)
    with pytest.raises(ValueError, match="shape"):
        reference(lambda c, a, b: op(c, 1.0, a, b, 1.0), normal(3, 3), a, b)
