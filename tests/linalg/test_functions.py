"""Determinants, norms, products and powers, against NumPy; names of old."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from tools_linalg import both, close, positive, random, regular

import theano
import theano.tensor as T

linalg, nlinalg, slinalg = T.linalg, T.nlinalg, T.slinalg


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (4, 4), (3, 2, 2), (2, 3, 4, 4), (0, 3, 3)])
def test_determinants(shape, dtype):
    a = random(*shape, dtype=dtype)
    close(both(linalg.det, a)[0], np.linalg.det(a))
    for one, two in zip(both(linalg.slogdet, a), np.linalg.slogdet(a), strict=True):
        close(one, two)
    sign, logarithm = np.linalg.slogdet(a)
    close(both(linalg.logdet, a)[0], np.where(sign < 0, np.nan, logarithm).astype(dtype))


def test_determinants_of_singular_and_permuted_matrices():
    a = np.stack([np.eye(3)[[1, 0, 2]], np.eye(3)[[1, 2, 0]], np.ones((3, 3)), -np.eye(3)])
    assert both(linalg.det, a)[0].round(12).tolist() == [-1, 1, 0, -1]
    sign, logarithm = both(linalg.slogdet, a)
    assert sign.tolist() == [-1, 1, 0, -1]
    assert logarithm.tolist() == [0, 0, -np.inf, 0]


ORDERS = [None, 0, 1, -1, 2, -2, 3, 0.5, np.inf, -np.inf, "fro", "nuc"]


@settings(max_examples=80, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=1, max_size=3), order=st.sampled_from(ORDERS),
    axes=st.none() | st.integers(-3, 2) | st.tuples(st.integers(-3, 2), st.integers(-3, 2)),
    keepdims=st.booleans(), dtype=st.sampled_from(["float32", "float64", "int32", "complex128"]),
)  # fmt: skip
def test_norm_as_numpy_has_it(shape, order, axes, keepdims, dtype):
    x = (random(*shape) * 3).astype(dtype)
    x[np.abs(x) < 0.5] = 1  # negative powers of 0 warn
    try:
        expected = np.linalg.norm(x, order, axes, keepdims)
    except (ValueError, np.exceptions.AxisError):
        with pytest.raises(ValueError, match=r"norm|axis"):
            linalg.norm(T.TensorType(dtype, (False,) * len(shape))(), order, axes, keepdims)
        return
    (found,) = both(lambda v: linalg.norm(v, order, axes, keepdims), x)
    close(found.astype("float64") if dtype == "int32" else found, expected)


def test_names_of_norms():
    x = random(3, 4)
    for name, order in (("inf", np.inf), ("-inf", -np.inf), ("fro", "fro")):
        close(both(lambda v, o=name: nlinalg.norm(v, o), x)[0], np.linalg.norm(x, order))
    close(both(linalg.matrix_norm, random(2, 3, 4))[0], np.linalg.matrix_norm(random(2, 3, 4)))
    close(both(lambda v: linalg.vector_norm(v, ord=1), x)[0], np.linalg.vector_norm(x, ord=1))
    found = both(lambda v: linalg.vector_norm(v, keepdims=True), x)[0]
    close(found, np.linalg.vector_norm(x, keepdims=True))


def test_products():
    a, b, c, v = random(2, 3), random(3, 4), random(4, 5), random(5)
    close(both(nlinalg.matrix_dot, a, b, c)[0], a @ b @ c)
    close(both(lambda *xs: linalg.multi_dot(xs), a, b, c, v)[0], a @ b @ c @ v)
    known = [T.TensorType("float64", shape=x.shape)() for x in (a, b, c)]
    chain = theano.function(known, linalg.multi_dot(known))
    close(chain(a, b, c), a @ b @ c)
    with pytest.raises(ValueError, match="two"):
        linalg.multi_dot([a])
    with pytest.raises(TypeError, match="at least one"):
        linalg.matrix_dot()
    close(both(linalg.vecdot, a, a)[0], (a * a).sum(-1))
    close(both(linalg.cross, b.T, b.T[::-1])[0], np.cross(b.T, b.T[::-1]))


def test_multi_dot_takes_the_cheaper_order():
    thin, wide = (
        T.TensorType("float64", shape=(100, 2))(),
        T.TensorType("float64", shape=(2, 100))(),
    )
    out = linalg.multi_dot([thin, wide, thin])
    assert out.owner.inputs[0] is thin


@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, -1, -3])
def test_matrix_power(n):
    for a in (regular(3), regular(3, 2)):
        close(both(lambda x: linalg.matrix_power(x, n), a)[0], np.linalg.matrix_power(a, n))


@settings(max_examples=25, deadline=None)
@given(
    first=st.lists(st.integers(0, 3), max_size=3), second=st.lists(st.integers(0, 3), max_size=3),
    dtype=st.sampled_from(["float64", "int32"]),
)  # fmt: skip
def test_kron(first, second, dtype):
    a, b = ((random(*shape) * 3).astype(dtype) for shape in (first, second))
    assert np.array_equal(both(slinalg.kron, a, b)[0], np.kron(a, b))


def test_diagonals():
    a, v = random(3, 4), random(3)
    close(both(nlinalg.trace, a)[0], np.trace(a))
    close(both(lambda x: linalg.trace(x, 1), random(2, 3, 4))[0],
          np.linalg.trace(random(2, 3, 4), offset=1))  # fmt: skip
    close(both(nlinalg.diag, a)[0], np.diag(a))
    close(both(nlinalg.diag, v)[0], np.diag(v))
    close(both(nlinalg.extract_diag, a)[0], np.diag(a))
    close(both(nlinalg.alloc_diag, v)[0], np.diag(v))
    close(both(linalg.matrix_transpose, random(2, 3, 4))[0], random(2, 3, 4).swapaxes(1, 2))
    blocks = random(2, 2), random(1, 3), random(0, 2)
    close(both(linalg.block_diag, *blocks)[0], scipy.linalg.block_diag(*blocks))
    with pytest.raises(TypeError, match="matrices"):
        linalg.block_diag(T.vector())
    with pytest.raises(TypeError, match="matrix"):
        linalg.trace(T.vector())


def test_old_gradient_ops():
    x = T.dmatrix()
    a, g = positive(3), random(3, 3)
    factor = slinalg.cholesky(x)
    made = slinalg.CholeskyGrad()(x, factor, T.constant(g))
    one, two = theano.function([x], [made, theano.grad((factor * g).sum(), x)])(a)
    close(one, two)
    w, v = nlinalg.eigh(x)
    made = nlinalg.EighGrad("L")(x, w, v, T.constant(g[0]), T.constant(g))
    cost = (w * g[0]).sum() + (v * g).sum()
    one, two = theano.function([x], [made, theano.grad(cost, x)])(a)
    close(one, two)
    made = slinalg.ExpmGrad()(x, T.constant(g))
    one, two = theano.function([x], [made, theano.grad((slinalg.expm(x) * g).sum(), x)])(a)
    close(one, two)
    y = T.dmatrix()
    made = slinalg.EigvalshGrad()(x, y, T.constant(g[0]))
    cost = (slinalg.eigvalsh(x, y) * g[0]).sum()
    for one, two in zip(*(theano.function([x, y], list(out))(a, a + np.eye(3))
                          for out in (made, theano.grad(cost, [x, y]))), strict=True):  # fmt: skip
        close(one, two)


def test_every_name_is_there():
    for module in (linalg, nlinalg, slinalg):
        for name in module.__all__:
            assert getattr(module, name) is not None
    numpy_names = {n for n in np.linalg.__all__ if n not in ("LinAlgError", "diagonal")}
    assert numpy_names <= {*linalg.__all__, "diagonal"}
    assert isinstance(nlinalg.det, nlinalg.Det)
    assert isinstance(nlinalg.matrix_inverse, nlinalg.MatrixInverse)
    assert isinstance(slinalg.cholesky, slinalg.Cholesky)
    assert isinstance(slinalg.solve, slinalg.Solve)
    assert slinalg.MATRIX_STRUCTURES[:2] == ("general", "symmetric")


def test_sandbox_names():
    old, ops = map(importlib.import_module, ("theano.sandbox.linalg", "theano.sandbox.linalg.ops"))
    x = T.dmatrix()
    noted = old.psd(x)
    assert ops.is_psd(noted)
    assert ops.is_symmetric(noted)
    assert old.hints(x) == {}
    a = positive(4)
    bound = both(lambda v: old.spectral_radius_bound(old.psd(v), 6), a)[0]
    largest = np.linalg.eigvalsh(a)[-1]
    assert largest <= bound * (1 + 1e-12)
    assert bound < largest * 1.1
    for bad, error in ((0, ValueError), (1.5, ValueError)):
        with pytest.raises(error, match="exponent"):
            old.spectral_radius_bound(x, bad)
    with pytest.raises(TypeError, match="matrix"):
        old.spectral_radius_bound(T.vector(), 2)
