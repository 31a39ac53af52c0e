"""Cholesky, LU and QR: values, in every dtype, layout and size."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from tools_linalg import both, calls, close, positive, random, regular

import theano
import theano.tensor as T
from theano.core.errors import ShapeError

BATCHES = [(), (1,), (3,), (2, 3), (0,)]
DTYPES = ["float32", "float64"]
linalg = T.linalg


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_cholesky(n, batch, dtype):
    a = positive(n, *batch, dtype=dtype)
    low, up = both(lambda x: (linalg.cholesky(x), linalg.cholesky(x, lower=False)), a)
    close(low @ np.swapaxes(low, -1, -2), a)
    close(np.swapaxes(up, -1, -2) @ up, a)
    close(low, np.tril(low))
    close(up, np.swapaxes(low, -1, -2))


def test_cholesky_reads_one_triangle():
    a = positive(4)
    close(
        both(linalg.cholesky, np.tril(a) + 7 * np.triu(random(4, 4), 1))[0], np.linalg.cholesky(a)
    )
    upper = both(lambda x: linalg.cholesky(x, lower=False), np.triu(a) + np.tril(random(4, 4), -1))
    close(upper[0], np.linalg.cholesky(a).T)


def test_cholesky_of_what_is_not_positive_definite():
    x = T.dtensor3()
    f = theano.function([x], linalg.cholesky(x))
    stack = np.stack([np.eye(3), -np.eye(3), 4 * np.eye(3)])
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        f(stack)
    close(f(stack[::2]), np.sqrt(stack[::2]))
    (found,) = both(lambda v: linalg.cholesky(v, on_error="nan"), stack)
    assert np.isnan(found[1]).all()
    close(found[::2], np.sqrt(stack[::2]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("n", [0, 1, 4])
def test_lu(n, batch, dtype):
    a = random(*batch, n, n, dtype=dtype)
    p, low, up = both(linalg.lu, a)
    close(p @ low @ up, a)
    close(low, np.tril(low))
    close(up, np.triu(up))
    rows, low, up = both(lambda x: linalg.lu(x, p_indices=True), a)
    if a.size and not batch:
        close(low[rows] @ up, a)
        expected = scipy.linalg.lu(a)
        for one, two in zip((p, low, up), expected, strict=True):
            close(one.astype(dtype), two)
    pl, up = both(lambda x: linalg.lu(x, permute_l=True), a)
    close(pl @ up, a)


def test_lu_factor_is_what_scipy_gives():
    a = random(5, 5)
    lu, piv = both(linalg.lu_factor, a)
    expected, order = scipy.linalg.lu_factor(a)
    close(lu, expected)
    assert piv.tolist() == order.tolist()
    b = random(5, 2)
    for trans in (0, 1):
        (x,) = both(lambda v, w, t=trans: linalg.lu_solve(linalg.lu_factor(v), w, t), a, b)
        close((a.T if trans else a) @ x, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (3, 3), (1, 1), (0, 3), (3, 0), (0, 0), (1, 5)])
@pytest.mark.parametrize("mode", ["reduced", "complete", "r"])
def test_qr(mode, shape, batch, dtype):
    a = random(*batch, *shape, dtype=dtype)
    found = both(lambda x: linalg.qr(x, mode), a)
    expected = np.linalg.qr(a, mode)
    for one, two in zip(found, [expected] if mode == "r" else expected, strict=True):
        close(one, two)
    if mode != "r":
        q, r = found
        close(q @ r, a)
        close(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(q.shape[-1]), (*batch, *[q.shape[-1]] * 2)).astype(dtype))  # fmt: skip  # noqa: E501


def test_qr_raw():
    for one, two in zip(
        both(lambda x: linalg.qr(x, "raw"), random(4, 3)),
        np.linalg.qr(random(4, 3), "raw"),
        strict=True,
    ):
        close(one, two)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(0, 5), batch=st.lists(st.integers(0, 3), max_size=2),
    steps=st.tuples(st.sampled_from([1, -1, 2]), st.sampled_from([1, -1, 2])),
    turned=st.booleans(), dtype=st.sampled_from(DTYPES),
)  # fmt: skip
def test_any_layout(n, batch, steps, turned, dtype):
    a = np.zeros((*batch, 2 * n, 2 * n), dtype)
    view = a[..., :: steps[0], :: steps[1]][..., :n, :n]
    view = np.swapaxes(view, -1, -2) if turned else view
    view[...] = regular(n, *batch, dtype=dtype)
    found = both(lambda x: (linalg.inv(x), linalg.det(x), *linalg.qr(x), linalg.svdvals(x)), view)
    close(found[0], np.linalg.inv(view))
    close(found[1], np.linalg.det(view))


@pytest.mark.parametrize("dtype", ["int8", "bool", "uint16", "float16", "complex64", "complex128"])
def test_other_dtypes(dtype):
    a = np.eye(3).astype(dtype) * np.ones((), dtype)
    expected = {"float16": "float32"}.get(dtype, dtype if "complex" in dtype else "float64")
    names = ("inv", "det", "cholesky", "pinv", "expm")
    found = both(lambda x: [getattr(linalg, name)(x) for name in names], a)
    found += both(lambda x: [linalg.solve(x, x), linalg.solve_triangular(x, x), linalg.qr(x)[1]], a)
    assert {value.dtype.name for value in found} == {expected}
    close(found[0], np.eye(3).astype(expected))
    values = both(lambda x: [linalg.svdvals(x), linalg.eigvalsh(x), linalg.eigh(x)[0]], a)
    assert all(v.dtype.kind == "f" for v in values)


def test_large_batches_and_matrices_use_threads_and_agree():
    a = regular(6, 500)
    close(both(linalg.inv, a)[0], np.linalg.inv(a))
    b = positive(150)
    found = both(lambda x: (linalg.cholesky(x), linalg.eigvalsh(x), linalg.inv(x)), b)
    close(found[0], np.linalg.cholesky(b))
    np.testing.assert_allclose(found[2] @ b, np.eye(150), atol=1e-6)


def test_everything_is_native():
    x = T.dmatrix()
    outs = [
        linalg.inv(x), linalg.det(x), linalg.cholesky(x), *linalg.svd(x), *linalg.eigh(x),
        *linalg.qr(x), linalg.pinv(x), linalg.eigvalsh(x), linalg.solve(x, x),
    ]  # fmt: skip
    f = theano.function([x], outs)
    assert "python" not in theano.explain(f, code=False)["program"]
    assert calls(f).count("getrf") == 1


BAD = [
    (lambda: linalg.inv(T.vector()), TypeError, "matrix"),
    (lambda: linalg.cholesky(T.TensorType("float64", shape=(2, 3))()), ShapeError, "square"),
    (lambda: linalg.qr(T.matrix(), "half"), ValueError, "mode"),
    (lambda: linalg.cholesky(T.matrix(), on_error="x"), ValueError, "on_error"),
    (lambda: linalg.lu(T.zmatrix()), TypeError, "real"),
]


@pytest.mark.parametrize(("make", "error", "words"), BAD)
def test_refused_when_building(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("name", ["inv", "det", "cholesky", "expm", "eigvalsh"])
@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (3, 0), (2, 2, 3)])
def test_not_square(name, shape):
    x = T.TensorType("float64", (False,) * len(shape))()
    f = theano.function([x], getattr(linalg, name)(x))
    with pytest.raises(np.linalg.LinAlgError, match="must be equal"):
        f(np.ones(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_do_no_harm(value):
    x = T.dmatrix()
    for name in ("inv", "det", "cholesky", "svdvals", "eigvalsh", "expm", "pinv"):
        f = theano.function([x], getattr(linalg, name)(x))
        try:
            found = f(np.full((3, 3), value))
        except np.linalg.LinAlgError:
            continue
        assert not np.isfinite(found).all(), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_cholesky_of_many_blocks(dtype):
    a = (positive(200) / 200 + np.eye(200)).astype(dtype)
    low, up = both(lambda x: (linalg.cholesky(x), linalg.cholesky(x, lower=False)), a)
    close(low, np.linalg.cholesky(a))
    close(up, low.T)
    a[170, 170] = -1
    x = T.TensorType(dtype, (False, False))()
    for lower in (True, False):
        with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
            theano.function([x], linalg.cholesky(x, lower))(a)
        found = theano.function([x], linalg.cholesky(x, lower, on_error="nan"))(a)
        assert np.isnan(found).all()
