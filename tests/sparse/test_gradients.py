"""Gradients through sparse expressions: structured and full, first and second order, R_op."""

import numpy as np
import pytest
import scipy.sparse as sp

import theano
import theano.sparse as S
import theano.tensor as T
from theano.core.errors import DisconnectedInputError, GradientError, NullTypeGradError
from theano.sparse import verify_grad_sparse

FORMATS = ["csr", "csc"]
RNG = np.random.RandomState(7)


def random(rows, columns, seed=0, density=0.45):
    found = sp.random(rows, columns, density, "csr", random_state=seed)
    found.data = 0.2 + 0.6 * found.data
    return found


M, N, SQUARE = random(4, 3), random(4, 3, 1), random(3, 3, 2, 0.6)
D, W = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2))
V3, V4, SCALAR = RNG.normal(size=3), RNG.normal(size=4), np.array(0.7)
A, B = RNG.normal(size=(4, 2)), RNG.normal(size=(3, 2))

# (function, points): right for gradients at all positions and at the stored ones
BOTH = {
    "add_s_s": (lambda x, y: x + y, [M, N]),
    "sub_s_s": (lambda x, y: x - y, [M, N]),
    "mul_s_s": (lambda x, y: x * y, [M, N]),
    "mul_s_d": (lambda x, y: x * y, [M, D]),
    "mul_s_v": (lambda x, y: x * y, [M, V3]),
    "mul_scalar": (lambda x, y: x * y, [M, SCALAR]),
    "mul_column": (lambda x, y: x * y.dimshuffle(0, "x"), [M, V4]),
    "neg": (lambda x: -x, [M]),
    "transpose": (lambda x: x.T * 2.0, [M]),
    "sp_sum": (S.sp_sum, [M]),
    "sp_sum_0": (lambda x: S.sp_sum(x, 0), [M]),
    "sp_sum_1": (lambda x: S.sp_sum(x, 1), [M]),
    "col_scale": (S.col_scale, [M, V3]),
    "row_scale": (S.row_scale, [M, V4]),
    "diag": (S.diag, [SQUARE]),
    "square_diagonal": (S.square_diagonal, [V3]),
    "hstack": (lambda x, y: S.hstack([x, y]), [M, N]),
    "vstack": (lambda x, y: S.vstack([x, y], format="csr"), [M, N]),
    "dot": (S.dot, [M, W]),
    "dot_left": (lambda x, y: S.dot(y.T, x.T), [M, W]),
    "dot_vector": (S.dot, [M, V3]),
    "vector_dot": (lambda x, y: S.dot(y, x), [M, V4]),
    "dot_s_s": (lambda x, y: S.dot(x, y.T), [M, N]),
    "true_dot": (S.true_dot, [M, W]),
    "true_dot_s_s": (lambda x, y: S.true_dot(x, y.T), [M, N]),
    "true_dot_left": (lambda x, y: S.true_dot(y.T, x.T), [M, W]),
    "usmm": (S.usmm, [SCALAR, M, W, A]),
    "slice": (lambda x: x[1:, ::2], [M]),
    "slice_backwards": (lambda x: x[::-1, -1], [M]),
    "item": (lambda x: x[1, 2], [M]),
    "rows": (lambda x: x[[1, 3, 1]], [M]),
    "pairs": (lambda x: x[[1, 3, 1], [0, 1, 0]], [M]),
    "csc": (lambda x: S.csc_from_dense(x), [D]),
}
# gradients at the stored positions only
STRUCTURED = {
    "toarray": (lambda x: x.toarray(), [M]),
    "add_s_d": (lambda x, y: x + y, [M, D]),
    "add_s_row": (lambda x, y: x + y, [M, V3]),
    "structured_add_s_v": (S.structured_add_s_v, [M, V3]),
    "sp_sum": (lambda x: S.sp_sum(x, 0, sparse_grad=True), [M]),
    "structured_dot": (S.structured_dot, [M, W]),
    "structured_dot_left": (lambda x, y: S.structured_dot(y.T, x.T), [M, W]),
    "structured_dot_vector": (S.structured_dot, [M, V3]),
    "structured_dot_s_s": (lambda x, y: S.structured_dot(x, y.T), [M, N]),
    "sampling_dot": (lambda p, x, y: S.sampling_dot(x, y, p), [M, A, B]),
    "structured_dot_grad": (S.structured_dot_grad, [M, W, A]),
    "exp": (S.structured_exp, [M]),
    "log": (S.structured_log, [M]),
    "sigmoid": (S.structured_sigmoid, [M]),
    "pow": (S.structured_pow, [M, SCALAR]),
    "csm": (lambda x: S.csm_data(x) ** 2, [M]),
    "clean": (S.clean, [M]),
    **{
        name: (getattr(S, name), [M])
        for name in ("sin", "arcsin", "tan", "arctan", "sinh", "arcsinh", "tanh", "arctanh")
    },
    **{
        name: (getattr(S, name), [M])
        for name in ("sqrt", "sqr", "log1p", "expm1", "deg2rad", "rad2deg")
    },
}


def in_format(points, format):
    return [p.asformat(format) if sp.issparse(p) else p for p in points]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", BOTH)
def test_full(name, format):
    function, points = BOTH[name]
    verify_grad_sparse(function, in_format(points, format), rng=RNG)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [*STRUCTURED, "mul_s_s", "mul_s_d", "hstack", "dot"])
def test_structured(name, format):
    function, points = STRUCTURED.get(name) or BOTH[name]
    verify_grad_sparse(function, in_format(points, format), structured=True, rng=RNG)


def squared(x):
    return S.sp_sum(S.sqr(x)) if isinstance(x.type, S.SparseType) else (x**2).sum()


SECOND = ("structured_dot", "structured_dot_s_s", "sampling_dot", "exp", "add_s_d", "sp_sum",
          "mul_s_d", "mul_s_s", "mul_s_v", "col_scale", "row_scale", "dot", "true_dot", "rows",
          "hstack", "slice", "diag", "toarray")  # fmt: skip


@pytest.mark.parametrize("name", SECOND)
def test_second_order(name):
    function, points = STRUCTURED.get(name) or BOTH[name]

    def gradients(*inputs):
        cost = squared(S.structured_pow(out, 1.5) if S.basic._is_sparse_variable(
            out := function(*inputs)) else out**2)  # fmt: skip
        return 0.1 * sum(map(squared, theano.grad(cost, list(inputs))))

    positive = [abs(p) for p in points]
    verify_grad_sparse(gradients, positive, structured=True, rng=RNG, rel_tol=1e-3)


def test_a_wrong_gradient_is_found():
    def wrong(x):
        return theano.gradient.grad_scale(S.sp_sum(x), 2.0)

    with pytest.raises(GradientError):
        verify_grad_sparse(wrong, [M], rng=RNG)


@pytest.mark.parametrize("name", ["structured_dot", "exp", "mul_s_d", "dot", "toarray", "mul_s_s"])
def test_directions(name):
    """R_op against the gradient: uᵀ(J v) = (Jᵀ u)ᵀ v."""
    function, points = STRUCTURED.get(name) or BOTH[name]
    x = S.csr_matrix("x")
    others = [S.as_sparse_or_tensor_variable(p) for p in points[1:]]
    y = function(x, *others)
    v = S.csr_matrix("v")
    (moved,) = [theano.Rop(y, x, v)]
    direction = M.copy()
    direction.data = RNG.normal(size=M.nnz)
    total = S.sp_sum(moved) if isinstance(moved.type, S.SparseType) else moved.sum()
    cost = S.sp_sum(y) if isinstance(y.type, S.SparseType) else y.sum()
    forward = theano.function([x, v], total, on_unused_input="ignore")(M, direction)
    g = theano.function([x], theano.grad(cost, x))(M)
    g = g.toarray() if sp.issparse(g) else g
    assert np.allclose(forward, (g * direction.toarray()).sum())


def test_families_of_gradients():
    """structured_dot: stored positions only, sparse; dot: all positions, dense."""
    x, w = S.csr_matrix("x"), T.dmatrix("w")
    structured = theano.grad(S.structured_dot(x, w).sum(), x)
    full = theano.grad(S.dot(x, w).sum(), x)
    assert structured.type == S.csr_dmatrix
    assert isinstance(full.type, T.TensorType)
    a, b = theano.function([x, w], [structured, full])(M, W)
    assert np.allclose(b, np.ones((4, 2)) @ W.T)
    assert np.allclose(a.toarray(), b * (M.toarray() != 0))
    assert a.nnz == M.nnz


def test_formats_of_gradients_are_those_of_the_variables():
    x, y = S.csr_matrix("x"), S.csc_matrix("y")
    cost = S.sp_sum(x * y) + S.sp_sum(x.T * y.T) + S.sp_sum(x + y) + S.sp_sum(S.tanh(y))
    gx, gy = theano.grad(cost, [x, y])
    assert (gx.type, gy.type) == (S.csr_dmatrix, S.csc_dmatrix)
    found, _ = theano.function([x, y], [gx, gy])(M, N)
    expected = 2 * N.toarray() + 1
    assert np.allclose(found.toarray(), expected)


def test_full_and_structured_terms_add_up():
    x, w = S.csr_matrix("x"), T.dmatrix("w")
    cost = S.dot(x, w).sum() + S.structured_dot(x, w).sum() + S.sp_sum(S.sqr(x))
    g = theano.function([x, w], theano.grad(cost, x))(M, W)
    one = np.ones((4, 2)) @ W.T
    assert np.allclose(g, one + one * (M.toarray() != 0) + 2 * M.toarray())


def test_dtypes_of_gradients():
    x, w = S.csr_fmatrix("x"), T.dmatrix("w")
    gx, gw = theano.grad(S.structured_dot(x, w).sum(), [x, w])
    assert (gx.dtype, gw.dtype) == ("float32", "float64")
    i = S.csr_matrix("i", "int32")
    g = theano.grad(S.dot(i, w).sum(), i)
    assert g.dtype == theano.config.floatX
    assert theano.grad(S.sp_sum(S.cast(x, "float64")), x).dtype == "float32"


def test_what_has_no_gradient_says_so():
    x, y = S.csr_matrix("x"), S.csr_matrix("y")
    with pytest.raises(DisconnectedInputError):
        theano.grad(S.sp_sum(S.cast(S.lt(x, y), "float64")), x)
    with pytest.raises(DisconnectedInputError):
        theano.grad(S.sp_sum(x), y)
    from theano.sparse.sandbox.sp2 import poisson

    with pytest.raises(NullTypeGradError, match="poisson"):
        theano.grad(S.sp_sum(poisson(x)), x)
    zero = theano.grad(S.sp_sum(x), y, disconnected_inputs="ignore")
    assert theano.function([y], zero, on_unused_input="ignore")(N).nnz == 0


def test_csm_gradient_is_taken_at_stored_positions():
    data = T.dvector()
    x = S.CSR(data, M.indices, M.indptr, np.array(M.shape))
    for cost in (S.sp_sum(x * D), (S.dot(x, D.T)).sum(), S.sp_sum(x * S.constant(N))):
        value = theano.function([data], theano.grad(cost, data))(M.data)
        assert value.shape == M.data.shape
    gradient = theano.function([data], theano.grad(S.sp_sum(x * D), data))(M.data)
    assert np.allclose(gradient, D[M.nonzero()])
    with pytest.raises(DisconnectedInputError):
        theano.grad(S.sp_sum(S.CSR(data, p := T.ivector(), p, p)), p)
