"""Derivatives of first and second order, forwards and backwards."""

from __future__ import annotations

import numpy as np
import pytest
from tools_linalg import derivatives, positive, random, regular

import theano
import theano.tensor as T
from theano.core.errors import ComplexError, NullTypeGradError
from theano.ops.linalg_solve import TriangularSolve

L, nlinalg = T.linalg, T.nlinalg


def squared(build, *powers):
    """Results to these powers: vectors are unique only up to their sign."""
    return lambda *xs: [v**p for v, p in zip(build(*xs), powers, strict=True)]


def real_spectrum():
    v = random(3, 3)
    return v @ np.diag([1.0, 2.5, 4.0]) @ np.linalg.inv(v)


CASES = {
    "cholesky": (L.cholesky, positive(3)),
    "cholesky, upper": (lambda a: L.cholesky(a, lower=False), positive(3)),
    "cholesky, stack": (L.cholesky, positive(2, 2)),
    "inv": (L.inv, regular(3)),
    "inv, stack": (L.inv, regular(2, 2)),
    "det": (L.det, regular(3)),
    "det, stack": (L.det, regular(2, 2)),
    "slogdet": (lambda a: L.slogdet(a)[1], regular(3)),
    "logdet": (L.logdet, positive(3)),
    "lu_factor": (lambda a: L.lu_factor(a)[0], regular(3)),
    "lu_factor, stack": (lambda a: L.lu_factor(a)[0], regular(2, 2)),
    "lu_solve": (lambda a, b: L.lu_solve(L.lu_factor(a), b), regular(3), random(3, 2)),
    "lu_solve, vector": (lambda a, b: L.lu_solve(L.lu_factor(a), b, 1), regular(3), random(3)),
    "lu_solve, stacks": (
        lambda a, b: L.lu_solve(L.lu_factor(a), b, 1), regular(2, 2), random(2, 2, 1),
    ),
    "lu_solve, exchanges": (
        lambda lu, b: L.lu_solve((lu, np.array([1, 2, 2], "int32")), b), regular(3), random(3, 2),
    ),
    "solve": (L.solve, regular(3), random(3, 2)),
    "solve, vector": (L.solve, regular(3), random(3)),
    "solve, stacks": (L.solve, regular(2, 2), random(2, 2, 1)),
    "solve, one matrix": (L.solve, regular(2), random(3, 2, 1)),
    "solve, one right side": (L.solve, regular(2, 3), random(2, 1)),
    "solve, transposed": (lambda a, b: L.solve(a, b, transposed=True), regular(3), random(3)),
    "solve, positive": (lambda a, b: L.solve(a, b, assume_a="pos"), positive(3), random(3)),
    "solve, old lower": (T.slinalg.solve_lower_triangular, regular(3), random(3)),
    "solve, old upper": (T.slinalg.solve_upper_triangular, regular(3), random(3, 2)),
    **{
        f"triangular {lower:d}{trans:d}{unit:d}{right:d}{ndim}": (
            TriangularSolve(lower, trans, unit, right), regular(2), random(*(2,) * ndim))
        for lower in (False, True) for trans in (False, True)
        for unit, right, ndim in ((False, False, 1), (False, True, 1), (True, True, 2),
                                  (False, False, 2))
    },
    "triangular, stack": (TriangularSolve(), regular(2), random(3, 2, 1)),
    "cho_solve": (lambda c, b: L.cho_solve((c, False), b), regular(3), random(3)),
    "eigh": (squared(L.eigh, 1, 2), positive(3)),
    "eigh, upper": (squared(lambda a: L.eigh(a, "U"), 1, 2), positive(3)),
    "eigh, stack": (squared(L.eigh, 1, 2), positive(2, 2)),
    "eigh, vectors": (lambda a: L.eigh(a)[1] ** 2, positive(3)),
    "eigvalsh": (L.eigvalsh, positive(3)),
    "eigvalsh, two": (L.eigvalsh, positive(3), positive(3) + np.eye(3)),
    "eig": (squared(nlinalg.eig, 1, 2), real_spectrum()),
    "eig, values": (lambda a: nlinalg.eig(a)[0], real_spectrum()),
    "svd, tall": (squared(lambda a: L.svd(a, False), 2, 1, 2), random(4, 3)),
    "svd, wide": (squared(lambda a: L.svd(a, False), 2, 1, 2), random(2, 3)),
    "svd, square": (squared(L.svd, 2, 1, 2), random(3, 3)),
    "svd, stack": (squared(lambda a: L.svd(a, False), 2, 1, 2), random(2, 3, 2)),
    "svd, u": (lambda a: L.svd(a, False)[0] ** 2, random(3, 2)),
    "svdvals": (L.svdvals, random(4, 3)),
    "qr, tall": (L.qr, random(4, 3)),
    "qr, square": (L.qr, random(3, 3)),
    "qr, wide": (L.qr, random(2, 4)),
    "qr, stack": (L.qr, random(2, 3, 2)),
    "qr, q": (lambda a: L.qr(a)[0], random(3, 2)),
    "qr, r": (lambda a: L.qr(a, "r"), random(4, 3)),
    "lu": (lambda a: L.lu(a)[1:], random(3, 3)),
    "lu, stack": (lambda a: L.lu(a)[1:], random(2, 3, 3)),
    "lu, l": (lambda a: L.lu(a)[1], random(3, 3)),
    "lu, permuted": (lambda a: L.lu(a, permute_l=True), random(3, 3)),
    "pinv, tall": (L.pinv, random(4, 3)),
    "pinv, wide": (L.pinv, random(2, 3)),
    "pinv, stack": (L.pinv, random(2, 3, 2)),
    "lstsq": (lambda a, b: L.lstsq(a, b)[0], random(4, 3), random(4)),
    "lstsq, matrix": (lambda a, b: L.lstsq(a, b)[0], random(4, 2), random(4, 2)),
    "expm": (L.expm, random(3, 3)),
    "expm, stack": (L.expm, random(2, 2, 2)),
    "kron": (L.kron, random(2, 3), random(3, 2)),
    "matrix_power": (lambda a: L.matrix_power(a, 5), random(2, 2)),
    "matrix_power, negative": (lambda a: L.matrix_power(a, -3), regular(2)),
    "tensorinv": (L.tensorinv, random(2, 2, 4)),
    "tensorsolve": (L.tensorsolve, random(2, 2, 4), random(2, 2)),
    "lyapunov": (L.solve_discrete_lyapunov, random(2, 2), random(2, 2)),
    "sylvester": (L.solve_sylvester, regular(2), regular(2), random(2, 2)),
    "norm, nuclear": (lambda a: L.norm(a, "nuc"), random(3, 2)),
    "norm, spectral": (lambda a: L.norm(a, 2), random(3, 2)),
    "norm, p": (lambda a: L.norm(a, 3, axis=1), random(3, 2)),
    "cond": (L.cond, regular(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_derivatives(name):
    build, *values = CASES[name]
    derivatives(build, *values)


def test_static_shapes_choose_the_form_of_qr():
    for shape in ((4, 3), (2, 4), (3, 3)):
        x = T.TensorType("float64", shape=shape)()
        y = T.dmatrix()
        for mode in ("reduced", "complete"):
            if mode == "complete" and shape[0] > shape[1]:
                continue
            a, b = (
                theano.function(
                    [v], theano.grad(sum((p**2).sum() + p.sum() for p in L.qr(v, m)), v)
                )
                for v, m in ((x, mode), (y, "reduced"))
            )
            value = random(*shape)
            np.testing.assert_allclose(a(value), b(value), rtol=1e-9)


def test_gradients_that_do_not_exist():
    tall = T.TensorType("float64", shape=(4, 3))()
    for out in (L.svd(tall)[0], L.qr(tall, "complete")[0], L.qr(tall, "raw")[0]):
        with pytest.raises(NullTypeGradError):
            theano.grad(out.sum(), tall)
    values = L.svd(tall)[1]
    assert theano.grad(values.sum(), tall).type.ndim == 2
    x = T.zmatrix()
    with pytest.raises((ComplexError, TypeError)):
        theano.grad(T.real(L.inv(x)).sum(), x)


def test_full_svd_of_a_matrix_that_turns_out_not_square():
    x = T.dmatrix()
    f = theano.function([x], theano.grad((L.svd(x)[0] ** 2).sum(), x))
    assert f(random(3, 3)).shape == (3, 3)
    with pytest.raises(AssertionError, match="square"):
        f(random(4, 3))


def test_gradients_of_float32_stay_float32():
    x = T.fmatrix()
    costs = [L.det(x), L.cholesky(x).sum(), L.svdvals(x).sum(), L.pinv(x).sum(), L.expm(x).sum()]
    costs += [L.eigvalsh(x).sum(), L.solve(x, x).sum(), L.qr(x)[1].sum(), L.logdet(x)]
    found = theano.function([x], [theano.grad(c, x) for c in costs])(positive(3, dtype="float32"))
    assert {g.dtype.name for g in found} == {"float32"}


def test_only_the_triangle_that_is_read_has_a_gradient():
    x = T.dmatrix()
    for out, triangle in (
        (L.cholesky(x), np.tril), (L.cholesky(x, lower=False), np.triu),
        (L.eigh(x)[0], np.tril), (L.eigh(x, "U")[0], np.triu),
        (L.solve_triangular(x, x[0], lower=True), None),
    ):  # fmt: skip
        g = theano.function([x], theano.grad(out.sum(), x))(positive(3))
        if triangle is not None:
            np.testing.assert_array_equal(g, triangle(g))
