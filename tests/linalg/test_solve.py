"""Linear equations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from tools_linalg import both, close, positive, random, regular

import theano
import theano.tensor as T
from theano.ops.linalg_solve import Solve, TriangularSolve

linalg, slinalg = T.linalg, T.slinalg
DTYPES = ["float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((4, 3, 3), (4, 3, 2)), ((3, 3), (4, 3, 2)),
     ((4, 3, 3), (3, 2)), ((4, 3, 3), (3,)), ((2, 4, 3, 3), (4, 3, 2)), ((0, 0), (0,)),
     ((3, 3), (3, 0)), ((0, 3, 3), (0, 3, 2)), ((1, 1), (1, 4))],
)  # fmt: skip
def test_general(a, b, dtype):
    matrix, right = regular(a[-1], *a[:-2], dtype=dtype), random(*b, dtype=dtype)
    (x,) = both(linalg.solve, matrix, right)
    if right.ndim == 1 and matrix.ndim > 2:
        expected = np.linalg.solve(matrix, np.broadcast_to(right[:, None], (*a[:-1], 1)))[..., 0]
    else:
        expected = np.linalg.solve(matrix, right)
    close(x, expected)
    (x,) = both(lambda p, q: linalg.solve(p, q, transposed=True), matrix, right)
    back = np.einsum("...ji,...j->...i", matrix, x) if x.ndim < matrix.ndim else np.swapaxes(
        matrix, -1, -2) @ x  # fmt: skip
    close(back, np.broadcast_to(right, back.shape))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 4), k=st.none() | st.integers(0, 3), lower=st.booleans(),
    trans=st.sampled_from([0, 1, 2, "N", "T", "C"]), unit=st.booleans(), batch=st.booleans(),
    layout=st.sampled_from(["c", "f", "strided"]), dtype=st.sampled_from(DTYPES),
)  # fmt: skip
def test_triangular(n, k, lower, trans, unit, batch, layout, dtype):
    first = (2,) if batch else ()
    a = regular(n, *first, dtype=dtype)
    if layout == "f":
        a = np.swapaxes(np.ascontiguousarray(np.swapaxes(a, -1, -2)), -1, -2)
    elif layout == "strided":
        a = np.repeat(np.repeat(a, 2, -1), 2, -2)[..., ::2, ::2]
    b = random(*first, n, k if k is not None else 1, dtype=dtype)
    b = b[0, :, 0] if k is None and batch else b[:, 0] if k is None else b

    def build(x, y):
        return linalg.solve_triangular(x, y, trans=trans, lower=lower, unit_diagonal=unit)

    (x,) = both(build, a, b)
    stack, rights = (a, b) if batch else (a[None], b[None])
    for i, matrix in enumerate(stack):
        right = rights if k is None and batch else rights[i]
        found = x[i] if batch else x
        if right.size:
            close(found, scipy.linalg.solve_triangular(
                matrix, right, trans=trans, lower=lower, unit_diagonal=unit))  # fmt: skip


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_triangular_from_both_sides(lower, trans, right):
    t, b = regular(3), random(3, 3)
    (x,) = both(TriangularSolve(lower, trans, False, right), t, b)
    matrix = np.tril(t) if lower else np.triu(t)
    matrix = matrix.T if trans else matrix
    close(x @ matrix if right else matrix @ x, b)


@pytest.mark.parametrize("lower", [False, True])
def test_by_the_cholesky_factor(lower):
    a, b = positive(4), random(4, 2)
    expected = np.linalg.solve(a, b)
    close(both(lambda x, y: linalg.solve(x, y, assume_a="pos", lower=lower), a, b)[0], expected)
    close(both(lambda x, y: linalg.cho_solve(linalg.cho_factor(x, lower), y), a, b)[0], expected)
    close(both(lambda x, y: linalg.solve(x, y, assume_a="sym"), a, b)[0], expected)


def test_diagonal_and_triangular_by_name():
    a, b = regular(3), random(3, 2)
    close(both(lambda x, y: linalg.solve(x, y, "diagonal"), a, b)[0], b / np.diag(a)[:, None])
    close(both(lambda x, y: linalg.solve(x, y, "diagonal"), a, b[:, 0])[0], b[:, 0] / np.diag(a))
    found = both(lambda x, y: linalg.solve(x, y, "lower triangular"), a, b)[0]
    close(np.tril(a) @ found, b)
    found = both(lambda x, y: linalg.solve(x, y, "upper triangular", transposed=True), a, b)[0]
    close(np.triu(a).T @ found, b)


def test_old_names():
    a, b = regular(3), random(3)
    close(both(slinalg.solve, a, b)[0], np.linalg.solve(a, b))
    close(np.tril(a) @ both(slinalg.solve_lower_triangular, a, b)[0], b)
    close(np.triu(a) @ both(slinalg.solve_upper_triangular, a, b)[0], b)
    symmetric = a + a.T
    close(both(slinalg.solve_symmetric, symmetric, b)[0], np.linalg.solve(symmetric, b))
    assert slinalg.Solve(A_structure="lower_triangular") != slinalg.Solve()
    assert slinalg.Solve("symmetric", lower=True, overwrite_A=True).lower
    with pytest.raises(ValueError, match="Invalid matrix structure"):
        Solve("funny")


def test_singular():
    a, b = T.dmatrix(), T.dvector()
    zero = np.diag([1.0, 0.0])
    for out in (linalg.solve(a, b), linalg.inv(a), linalg.solve_triangular(a, b)):
        f = theano.function([a, b], out, on_unused_input="ignore")
        with pytest.raises(np.linalg.LinAlgError, match=r"[Ss]ingular"):
            f(zero, np.ones(2))
    assert theano.function([a], linalg.det(a))(zero) == 0
    sign, logarithm = theano.function([a], list(linalg.slogdet(a)))(zero)
    assert (sign, logarithm) == (0, -np.inf)


def test_shapes_that_do_not_fit():
    a, b = T.dmatrix(), T.dvector()
    f = theano.function([a, b], linalg.solve(a, b))
    with pytest.raises(ValueError, match="do not fit"):
        f(np.eye(3), np.ones(4))
    with pytest.raises(np.linalg.LinAlgError, match="must be equal"):
        f(np.ones((2, 3)), np.ones(3))
    c, d = T.dtensor3(), T.dtensor3()
    g = theano.function([c, d], linalg.solve(c, d))
    with pytest.raises(ValueError, match="leading axes"):
        g(regular(3, 2), random(4, 3, 1))
    with pytest.raises(TypeError, match="1 or more axes"):
        linalg.solve(a, 3.0)
    with pytest.raises(ValueError, match="assume_a"):
        linalg.solve(a, b, assume_a="nice")
    with pytest.raises(ValueError, match="trans"):
        linalg.solve_triangular(a, b, trans="X")
    with pytest.raises(TypeError, match="stack"):
        Solve()(c, b)


def test_lyapunov_and_sylvester():
    a, q, b = random(3, 3) / 3, random(3, 3), random(2, 2)
    close(both(linalg.solve_discrete_lyapunov, a, q)[0], scipy.linalg.solve_discrete_lyapunov(a, q))
    (x,) = both(linalg.solve_continuous_lyapunov, a, q)
    close(a @ x + x @ a.T, q)
    r = random(3, 2)
    (x,) = both(linalg.solve_sylvester, a, b, r)
    close(a @ x + x @ b, r)


def test_tensors():
    a = random(2, 3, 6)
    close(both(linalg.tensorinv, a)[0], np.linalg.tensorinv(a))
    b = random(2, 3)
    close(both(linalg.tensorsolve, a, b)[0], np.linalg.tensorsolve(a, b))
    moved = random(6, 2, 3)
    found = both(lambda x, y: linalg.tensorsolve(x, y, (0,)), moved, b)[0]
    close(found, np.linalg.tensorsolve(moved, b, (0,)))
    close(both(T.nlinalg.TensorInv(1), random(6, 2, 3))[0], np.linalg.tensorinv(random(6, 2, 3), 1))
    close(both(T.nlinalg.TensorSolve(), a, b)[0], np.linalg.tensorsolve(a, b))
    with pytest.raises(ValueError, match="ind"):
        linalg.tensorinv(T.tensor3(), 3)


def test_least_squares():
    for shape, right in (((5, 3), (5,)), ((5, 3), (5, 2)), ((2, 3), (2,)), ((3, 3), (3,))):
        a, b = random(*shape), random(*right)
        found = both(linalg.lstsq, a, b)
        for one, two in zip(found, np.linalg.lstsq(a, b), strict=True):
            close(one, two)
    found = both(lambda x, y: T.nlinalg.lstsq()(x, y, -1), random(5, 3), random(5))
    assert int(found[2]) == 3
    with pytest.raises(TypeError, match="lstsq takes"):
        linalg.lstsq(T.tensor3(), T.vector())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("trans", [False, True])
@pytest.mark.parametrize("lower", [False, True])
def test_systems_of_many_blocks(lower, trans, right, dtype):
    n, k = 131, 37
    t = (random(n, n) / n + 2 * np.eye(n)).astype(dtype)
    b = random(k, n, dtype=dtype) if right else random(n, k, dtype=dtype)
    for matrix in (t, np.asfortranarray(t), np.repeat(t, 2, 1)[:, ::2]):
        for unit in (False, True):
            (x,) = both(TriangularSolve(lower, trans, unit, right), matrix, b)
            used = np.tril(t) if lower else np.triu(t)
            if unit:
                np.fill_diagonal(used, 1)
            used = used.T if trans else used
            close(x @ used if right else used @ x, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_general_systems(dtype):
    n = 131
    a = (random(n, n) / np.sqrt(n) + 2 * np.eye(n)).astype(dtype)
    b = random(n, 40, dtype=dtype)
    found = both(lambda x, y: (linalg.solve(x, y), linalg.solve(x.T, y), linalg.inv(x)), a, b)
    close(a @ found[0], b)
    close(a.T @ found[1], b)
    close(a @ found[2], np.eye(n, dtype=dtype))
