"""Matrix products with sparse operands: values, gradients of both families, native code."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.sparse as S
import theano.tensor as T
from theano.runtime.routines.table import FAMILIES, routine

FORMATS = ["csr", "csc"]


def random(rows, columns, format="csr", dtype="float64", density=0.4, seed=0):
    found = sp.random(rows, columns, density, format, random_state=seed)
    found.data -= 0.4
    return found.astype(dtype)


def dense(value):
    return value.toarray() if sp.issparse(value) else np.asarray(value)


def native(inputs, outputs):
    """A function that must have become native code."""
    f = theano.function(inputs, outputs)
    assert f.native is not None, f.maker.report.notes
    return f


def calls(f):
    """How often a function calls each routine, and how many Python steps it has."""
    text = theano.explain(f, code=False)["program"]
    return {name: text.count(f"call {name} ") for name in FAMILIES["sparse"]}, text.count("python ")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_with_dense(format, dtype):
    x, w = S.matrix(format, dtype=dtype), T.matrix(dtype=dtype)
    m = random(7, 5, format, dtype)
    b = np.random.default_rng(0).normal(size=(5, 3)).astype(dtype)
    left = np.ones((2, 7), dtype)
    for make in (S.dot, S.structured_dot, theano.dot, T.dot, lambda a, b: a @ b, S.Dot()):
        found = native([x, w], make(x, w))(m, b)
        assert found.dtype == dtype
        assert np.allclose(found, m @ b, rtol=1e-5)
        assert np.allclose(native([x, w], make(w, x))(m, left), left @ m, rtol=1e-5)
    assert np.allclose(native([x, w], x.dot(w))(m, b), m @ b, rtol=1e-5)
    assert np.allclose(native([x, w], w.dot(x))(m, left), left @ m, rtol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
def test_with_vectors(format):
    x, v = S.matrix(format), T.dvector()
    m = random(7, 5, format)
    for make in (S.dot, S.structured_dot, theano.dot):
        f = native([x, v], make(x, v))
        assert np.allclose(f(m, np.arange(5.0)), m @ np.arange(5.0))
        g = native([x, v], make(v, x))
        assert np.allclose(g(m, np.arange(7.0)), np.arange(7.0) @ m)


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
def test_sparse_with_sparse(first, second):
    x, y = S.matrix(first), S.matrix(second)
    m, n = random(4, 5, first), random(5, 3, second, seed=1)
    structured = native([x, y], S.structured_dot(x, y))(m, n)
    assert structured.format == first
    assert np.allclose(dense(structured), dense(m @ n))
    full = native([x, y], S.dot(x, y))(m, n)
    assert isinstance(full, np.ndarray)
    assert np.allclose(full, dense(m @ n))
    true = native([x, y], S.true_dot(x, y))(m, n)
    assert sp.issparse(true)
    assert np.allclose(dense(true), dense(m @ n))


def test_true_dot_is_sparse():
    x, w = S.csr_matrix(), T.dmatrix()
    m, b = random(4, 5), np.ones((5, 2))
    assert sp.issparse(native([x, w], S.true_dot(x, w))(m, b))
    turned = native([x, w], S.true_dot(w, x))(m, np.ones((2, 4)))
    assert np.allclose(dense(turned), np.ones((2, 4)) @ m)
    for preserves in (True, False):
        y = S.true_dot(x, w, grad_preserves_dense=preserves)
        g = theano.grad(S.sp_sum(y), w)
        assert isinstance(g.type, T.TensorType) == preserves


@pytest.mark.parametrize("format", FORMATS)
def test_sampling_dot_and_usmm(format):
    a, b, p = T.dmatrix(), T.dmatrix(), S.matrix(format)
    rng = np.random.default_rng(0)
    x, y, m = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), random(4, 5, format)
    found = native([a, b, p], S.sampling_dot(a, b, p))(x, y, m)
    assert found.format == format
    assert np.allclose(dense(found), dense(m) * (x @ y.T))
    z = np.ones((4, 3))
    f = native([p, a, b], S.usmm(0.5, p, a, b))
    assert np.allclose(f(m, y, z), 0.5 * (m @ y) + z)


def test_errors_name_the_shapes():
    x, w = S.csr_matrix(), T.dmatrix()
    m = random(4, 5)
    for make in (S.dot, S.structured_dot, S.true_dot):
        with pytest.raises(ValueError, match=r"\(4, 5\).*\(4, 2\)"):
            theano.function([x, w], make(x, w))(m, np.ones((4, 2)))
        with pytest.raises(TypeError, match="neither"):
            make(w, w)
    with pytest.raises(ValueError, match="shape"):
        S.dot(S.constant(m), np.ones((4, 2)))
    with pytest.raises(ValueError, match="shape"):
        theano.function([w, x], S.sampling_dot(w, w, x))(np.ones((4, 2)), m)
    with pytest.raises(TypeError, match="csr and csc"):
        S.dot(S.bsr_matrix(), w)
    with pytest.raises(TypeError, match="matri"):
        S.sampling_dot(T.dvector(), w, x)


def test_products_are_native_and_read_the_matrix_once():
    x, w = S.csr_matrix("x"), T.dmatrix("w")
    y = T.tanh(S.structured_dot(x, w))
    counts, python = calls(native([x, w], [y, theano.grad(y.sum(), w)]))
    assert counts["sparse_gather_dot"] == counts["sparse_scatter_dot"] == 1
    assert python == 1  # csm_properties


def test_chains_of_structured_functions_are_one_kernel_between_two_steps():
    x = S.csr_matrix("x")
    y = S.tanh(S.sqr(x) * 2.0).T.T + 0 * x
    f = native([x], S.structured_exp(S.tanh(S.sqr(x) * 2.0)).T)
    text = theano.explain(f, code=False)["program"]
    assert text.count("launch") == 1
    assert "exp" in text
    m = random(4, 5)
    expected = m.copy()
    expected.data = np.exp(np.tanh(2 * m.data**2))
    assert np.allclose(dense(f(m)), dense(expected.T))
    assert np.allclose(dense(native([x], y)(m)), np.tanh(2 * dense(m) ** 2))


@given(
    rows=st.integers(0, 9), inner=st.integers(0, 6), columns=st.integers(0, 70),
    density=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=30, deadline=None, database=None)
def test_routines_for_all_widths(rows, inner, columns, density, seed):
    """Products wide enough for groups of vectors, single vectors, shorter ones, elements."""
    m = random(rows, inner, density=density, dtype="float32", seed=seed)
    rng = np.random.default_rng(seed)
    b = rng.normal(size=(inner, columns)).astype("float32")
    g = rng.normal(size=(rows, columns)).astype("float32")
    product, turned, sampled = _products()(m, b, g)
    assert np.allclose(product, m @ b, atol=1e-4)
    assert np.allclose(turned, m.T @ g, atol=1e-4)
    assert np.allclose(dense(sampled), (dense(m) != 0) * (g @ b.T), atol=1e-4)


_MADE = []


def _products():
    if not _MADE:
        x, b, g = S.csr_fmatrix(), T.fmatrix(), T.fmatrix()
        outputs = [S.dot(x, b), S.dot(x.T, g), S.structured_dot_grad(x, b, g)]
        _MADE.append(native([x, b, g], outputs))
    return _MADE[0]


def test_strided_dense_operands():
    x, w = S.csr_matrix(), T.dmatrix()
    f = native([x, w], [S.dot(x, w), S.dot(w.T, x.T), x * S.dot(x, w).sum()])
    m, b = random(6, 5), np.arange(60.0).reshape(10, 6)
    for view in (b[::2].copy("F"), b[::-2], b[5:, ::-1]):
        product, turned, _ = f(m, view)
        assert np.allclose(product, m @ view)
        assert np.allclose(turned, (m @ view).T)


def test_large_products_in_parallel_are_the_same_every_time():
    x, w = S.csr_fmatrix(), T.fmatrix()
    f = native([x, w], [S.dot(x, w), S.dot(x.T, w)])
    m = random(3000, 3000, dtype="float32", density=0.01)
    b = np.random.default_rng(0).normal(size=(3000, 33)).astype("float32")
    first = f(m, b)
    assert np.allclose(first[0], m @ b, atol=1e-4)
    assert np.allclose(first[1], m.T @ b, atol=1e-4)
    for _ in range(3):
        assert all(np.array_equal(p, q) for p, q in zip(first, f(m, b), strict=True))


@pytest.mark.parametrize("name", FAMILIES["sparse"])
def test_meanings_refuse_what_is_no_matrix(name):
    row = routine(name)
    ranks = row.ranks
    arrays = [np.zeros((2,) * rank) for rank in ranks]
    indptr = len(ranks) - 2 if name.endswith(("dot", "sample")) else len(ranks) - 1
    if name == "sparse_sampled_dot":
        indptr = 2
    arrays[indptr] = np.array([0, 2, 1], "int32")
    from theano.runtime.routines.base import RoutineFailed

    with pytest.raises(RoutineFailed):
        row.meaning(*arrays, *([2] * len(row.numbers)))


def test_the_numpy_program_agrees():
    x, w = S.csr_matrix(), T.dmatrix()
    y = S.dot(x, w)
    outputs = [y, S.dot(x.T, y), S.structured_dot_grad(x, w, y), x.toarray(), x * y.sum(),
               S.sp_sum(x, 1), S.col_scale(x, w[:, 0])]  # fmt: skip
    m, b = random(4, 5), np.arange(10.0).reshape(5, 2)
    one = theano.function([x, w], outputs)(m, b)
    other = theano.function([x, w], outputs, mode="FAST_COMPILE")(m, b)
    for p, q in zip(one, other, strict=True):
        assert np.allclose(dense(p), dense(q))
