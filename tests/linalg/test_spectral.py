"""Eigenvalues, singular values, pseudo-inverses, exponentials."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from tools_linalg import both, close, positive, random

import theano
import theano.tensor as T
from theano.ops.linalg_inverse import MatrixPinv

linalg, nlinalg, slinalg = T.linalg, T.nlinalg, T.slinalg
DTYPES = ["float32", "float64"]
BATCHES = [(), (3,), (2, 2), (0,)]
SHAPES = [(4, 3), (3, 4), (3, 3), (1, 1), (0, 3), (3, 0), (0, 0)]


def flip(a):
    return np.swapaxes(a, -1, -2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh(uplo, n, batch, dtype):
    a = random(*batch, n, n, dtype=dtype)
    w, v = both(lambda x: [linalg.eigh(x, uplo)[0], linalg.eigh(x, uplo)[1] ** 2], a)
    expected = np.linalg.eigh(a, uplo)
    close(w, expected[0])
    close(v, expected[1] ** 2)
    x = T.TensorType(dtype, (False,) * a.ndim)()
    w, v = theano.function([x], list(linalg.eigh(x, uplo)))(a)
    full = np.tril(a) + flip(np.tril(a, -1)) if uplo == "L" else np.triu(a) + flip(np.triu(a, 1))
    close((v * w[..., None, :]) @ flip(v), full)
    close(both(lambda y: linalg.eigvalsh(y, lower=uplo == "L"), a)[0], expected[0])


def test_generalized_eigenvalues():
    a, b = positive(4), positive(4) + np.eye(4)
    for lower in (True, False):
        found = both(lambda x, y, low=lower: slinalg.eigvalsh(x, y, low), a, b)[0]
        close(found, scipy.linalg.eigvalsh(a, b))
    close(both(slinalg.Eigvalsh(), a)[0], np.linalg.eigvalsh(a))
    x = T.dmatrix()
    f = theano.function([x], slinalg.eigvalsh(x, x))
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        f(-np.eye(2))


def test_eig():
    v = random(4, 4)
    a = v @ np.diag([4.0, 3.0, 2.0, 1.0]) @ np.linalg.inv(v)
    w, vectors = both(nlinalg.eig, a)
    assert w.dtype == vectors.dtype == np.float64
    close(a @ vectors, vectors * w)
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    x = T.dmatrix()
    with pytest.raises(np.linalg.LinAlgError, match="complex eigenvalues"):
        theano.function([x], nlinalg.eig(x)[0])(turn)
    w, vectors = both(linalg.eig, np.stack([turn, np.eye(2)]))
    assert w.dtype == np.complex128
    close(np.sort_complex(w[0]), np.array([-1j, 1j]))
    close(both(linalg.eigvals, turn)[0], w[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("full", [False, True])
def test_svd(full, shape, batch, dtype):
    a = random(*batch, *shape, dtype=dtype)
    x = T.TensorType(dtype, (False,) * a.ndim)()
    u, s, vt = theano.function([x], list(linalg.svd(x, full)))(a)
    expected = np.linalg.svd(a, full_matrices=full)
    assert [v.shape for v in (u, s, vt)] == [v.shape for v in expected]
    close(s, expected[1])
    k = s.shape[-1]
    close((u[..., :k] * s[..., None, :]) @ vt[..., :k, :], a)
    for q in (u, flip(vt)):
        n = q.shape[-1]
        close(flip(q) @ q, np.broadcast_to(np.eye(n), (*batch, n, n)).astype(dtype))
    close(both(linalg.svdvals, a)[0], expected[1])
    close(both(lambda y: nlinalg.svd(y, full, compute_uv=False), a)[0], expected[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", SHAPES)
def test_pinv(shape, batch, dtype):
    a = random(*batch, *shape, dtype=dtype)
    close(both(linalg.pinv, a)[0], np.linalg.pinv(a))


def test_pinv_options():
    a = np.diag([3.0, 1.0, 1e-3])
    close(both(lambda x: linalg.pinv(x, rcond=0.01), a)[0], np.diag([1 / 3, 1, 0]))
    symmetric = np.diag([3.0, -2.0, 0.0]) + 0.0
    close(both(MatrixPinv(hermitian=True), symmetric)[0], np.diag([1 / 3, -0.5, 0]))


@pytest.mark.parametrize("dtype", [*DTYPES, "complex128"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (0, 3, 3), (0, 0), (1, 1), (2, 2, 4, 4)])
@pytest.mark.parametrize("scale", [1e-9, 0.1, 1.0, 20.0])
def test_expm(scale, shape, dtype):
    a = (random(*shape) * scale).astype(dtype)
    (found,) = both(slinalg.expm, a)
    wide = "complex128" if "complex" in dtype else "float64"
    expected = scipy.linalg.expm(a.astype(wide)) if a.size else a
    size = np.abs(expected).max(initial=1)
    loose = 1e-3 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(found / size, (expected / size).astype(dtype), atol=loose)


def test_expm_of_large_and_of_strange_matrices():
    a = random(140, 140) / 3
    close(both(slinalg.expm, a[::-1].T)[0] / 1e3, scipy.linalg.expm(a[::-1].T) / 1e3)
    nilpotent = np.diag([1e3, 1e3], 1)
    close(both(slinalg.expm, nilpotent)[0], scipy.linalg.expm(nilpotent))


def test_decompositions_that_fail_say_so():
    x = T.dmatrix()
    for make in (linalg.svdvals, linalg.eigvalsh, lambda v: linalg.eigh(v)[1], linalg.pinv):
        with pytest.raises(np.linalg.LinAlgError, match="did not converge"):
            theano.function([x], make(x))(np.full((3, 3), np.nan))


def test_condition_and_rank():
    a = random(3, 3)
    for p in (None, 2, -2, 1, -1, np.inf, -np.inf, "fro"):
        close(both(lambda x, p=p: linalg.cond(x, p), a)[0], np.linalg.cond(a, p))
    low = np.stack([np.outer([1.0, 2, 3], [1.0, 1, 1]), a, np.zeros((3, 3))])
    assert both(linalg.matrix_rank, low)[0].tolist() == [1, 3, 0]
    assert both(lambda x: linalg.matrix_rank(x, 0.5), np.diag([1.0, 0.1]))[0] == 1
