"""``theano.gradient``: options, products with vectors, and forward mode for all ops."""

from __future__ import annotations

import cases
import numpy as np
import pytest
import scipy.sparse

import theano
import theano.gradient as G
import theano.sparse
import theano.tensor as T
import theano.tensor.nlinalg as nlinalg
import theano.tensor.slinalg as slinalg
from theano.ifelse import ifelse
from theano.ops import elementwise

RNG = np.random.RandomState(7)
FAST = "FAST_COMPILE"


def call(inputs, outputs, *values):
    return theano.function(inputs, outputs, on_unused_input="ignore", mode=FAST)(*values)


# ---- forward mode, for every op


def check_rop(make, values, rtol=1e-5):
    """Rop along v, times u, is the gradient of u·f, times v; and both are the finite difference."""
    inputs = [T.TensorType("float64", (None,) * np.ndim(v))() for v in values]
    f = make(*inputs)
    directions = [T.TensorType("float64", (None,) * np.ndim(v))() for v in values]
    weights = T.TensorType("float64", (None,) * f.ndim)()
    forward = (T.Rop(f, inputs, directions, disconnected_outputs="ignore") * weights).sum()
    cost = (f * weights).sum()
    grads = T.grad(cost, inputs, disconnected_inputs="ignore")
    backward = sum((g * v).sum() for g, v in zip(grads, directions, strict=True))
    shape = call(inputs, f, *values).shape
    u = RNG.uniform(0.5, 1.5, shape)
    vs = [RNG.uniform(-1, 1, np.shape(v)) for v in values]
    a, b = call([*inputs, *directions, weights], [forward, backward], *values, *vs, u)
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-8)
    value = theano.function([*inputs, weights], cost, mode=FAST, on_unused_input="ignore")
    step = 1e-6
    up, down = (
        value(*[p + sign * step * v for p, v in zip(values, vs, strict=True)], u)
        for sign in (1, -1)
    )
    np.testing.assert_allclose(a, (up - down) / (2 * step), rtol=2e-4, atol=2e-5)


# Where the gradient is that of another function, or only zero almost everywhere.
SKIPPED = ("ultra_fast_sigmoid",)
ROUGH = ("jv", "iv", "psi", "gammainc", "gammaincc", "gammau", "gammal", "chi2sf", "int_div", "mod")
ROWS = [
    row
    for row in elementwise.ROWS.values()
    if row.grad and row.name not in SKIPPED + ROUGH
    and cases.accepts(row, ("float64",) * cases.arity(row))
    and row.output_dtype(("float64",) * cases.arity(row)) == "float64"
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_forward_mode_of_elementwise_ops(row):
    given = cases.Case(row, ("float64",) * cases.arity(row)).values((2, 3))
    check_rop(elementwise.OPS[row.name], given)


def uniform(*shape, low=0.5, high=1.5):
    return RNG.uniform(low, high, shape)


def square(n=3):
    return np.eye(n) * n + RNG.uniform(-0.3, 0.3, (n, n))


def symmetric(n=3):
    a = square(n)
    return a @ a.T


def recurrent(x, w):
    return theano.scan(
        lambda row, h: T.tanh(T.dot(h, w) + row), sequences=[x], outputs_info=[T.zeros((3,))]
    )[0]


def inner(x, y):
    a, b = T.dmatrices("ab")
    return theano.OpFromGraph([a, b], [a * b + T.exp(a)])(x, y)


M, V, SQ = uniform(2, 3), uniform(3), square()
OTHERS = {
    "sum": (lambda x: x.sum(axis=0), [M]),
    "mean": (lambda x: x.mean(), [M]),
    "prod": (lambda x: x.prod(axis=1), [M]),
    "max": (lambda x: x.max(axis=1), [M]),
    "var": (lambda x: x.var(axis=0), [M]),
    "norm": (lambda x: x.norm(2), [M]),
    "logsumexp": (lambda x: T.log(T.exp(x).sum(axis=1)), [M]),
    "cumsum": (lambda x: T.cumsum(x, axis=1), [M]),
    "cumprod": (lambda x: T.cumprod(x, axis=1), [M]),
    "sort": (lambda x: T.sort(x, axis=1), [M]),
    "reshape": (lambda x: x.reshape((3, 2)), [M]),
    "transpose": (lambda x: x.T, [M]),
    "flatten": (lambda x: x.flatten(), [M]),
    "join": (lambda x, y: T.concatenate([x, y], axis=0), [M, uniform(1, 3)]),
    "stack": (lambda x, y: T.stack([x, y]), [M, uniform(2, 3)]),
    "split": (lambda x: T.split(x, [1, 2], 2, axis=1)[1], [M]),
    "tile": (lambda x: T.tile(x, (2, 1)), [M]),
    "repeat": (lambda x: T.repeat(x, 2, axis=0), [M]),
    "subtensor": (lambda x: x[::-1, 1:], [M]),
    "take": (lambda x: x[T.constant([1, 0, 1])], [M]),
    "advanced": (lambda x: x[T.constant([1, 0]), T.constant([2, 2])], [M]),
    "set_subtensor": (lambda x, y: T.set_subtensor(x[:, 1], y), [M, uniform(2)]),
    "inc_subtensor": (lambda x, y: T.inc_subtensor(x[0], y), [M, V]),
    "inc rows": (lambda x, y: T.inc_subtensor(x[T.constant([1, 1])], y), [M, uniform(2, 3)]),
    "diag": (lambda x: T.diag(x), [SQ]),
    "extract diagonal": (lambda x: nlinalg.extract_diag(x), [SQ]),
    "trace": (lambda x: nlinalg.trace(x), [SQ]),
    "triangle": (lambda x: T.tril(x), [SQ]),
    "fill": (lambda x, y: T.fill(x, y), [M, np.array(0.7)]),
    "alloc": (lambda x: T.alloc(x, 4, 3), [V]),
    "dot matrices": (lambda x, y: T.dot(x, y), [M, SQ]),
    "dot vectors": (lambda x, y: T.dot(x, y), [V, uniform(3)]),
    "dot matrix vector": (lambda x, y: T.dot(x, y), [M, V]),
    "batched_dot": (lambda x, y: T.batched_dot(x, y), [uniform(2, 2, 3), uniform(2, 3, 2)]),
    "tensordot": (lambda x, y: T.tensordot(x, y, axes=[[1], [0]]), [M, SQ]),
    "outer": (lambda x, y: T.outer(x, y), [V, uniform(2)]),
    "softmax": (lambda x: T.nnet.softmax(x), [M]),
    "logsoftmax": (lambda x: T.nnet.logsoftmax(x), [M]),
    "crossentropy": (
        lambda x: T.nnet.categorical_crossentropy(T.nnet.softmax(x), T.constant([0, 2])), [M]
    ),
    "inverse": (nlinalg.matrix_inverse, [SQ]),
    "det": (nlinalg.det, [SQ]),
    "solve": (slinalg.solve, [SQ, V]),
    "cholesky": (lambda x: slinalg.cholesky(T.dot(x, x.T)), [SQ]),
    "eigh": (lambda x: nlinalg.eigh(x + x.T)[0], [symmetric()]),
    "expm": (slinalg.expm, [SQ / 3]),
    "kron": (slinalg.kron, [M, SQ]),
    "scan": (recurrent, [M, SQ]),
    "scan, last": (lambda x, w: recurrent(x, w)[-1], [M, SQ]),
    "map": (lambda x: theano.map(lambda row: T.exp(row).sum(), [x])[0], [M]),
    "branch": (lambda x, y: ifelse(x.sum() > 0, x * y, x + y), [M, uniform(2, 3)]),
    "other branch": (lambda x, y: ifelse(x.sum() < 0, x * y, T.exp(x) + y), [M, uniform(2, 3)]),
    "graph inside": (inner, [M, uniform(2, 3)]),
    "print": (lambda x: theano.printing.Print("", global_fn=lambda op, v: None)(x) ** 2, [M]),
    "assert": (lambda x: T.opt.Assert()(x, x.sum() > 0) ** 2, [M]),
    "sparse dot": (
        lambda x: theano.sparse.dot(theano.sparse.as_sparse_variable(
            scipy.sparse.csr_matrix(np.diag([1.0, 2.0, 3.0]))), x), [SQ],
    ),
    "switch": (lambda x, y: T.switch(x > 1, x * y, y), [M, uniform(2, 3)]),
    "elu": (lambda x: T.nnet.elu(x - 1), [M]),
    "fft": (lambda x: T.fft.rfft(x), [uniform(2, 4)]),
    "searchsorted": (lambda x: x * T.searchsorted(T.sort(x), x[0]), [V]),
    "unbroadcast": (lambda x: T.unbroadcast(T.addbroadcast(x, 0), 0) ** 2, [uniform(1, 3)]),
    "pad": (lambda x: T.diff(x, axis=1), [M]),
    "einsum": (lambda x, y: T.einsum("ij,jk->ik", x, y), [M, SQ]),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_forward_mode_of_other_ops(name):
    check_rop(*OTHERS[name])


def test_forward_mode_falls_back_on_two_backward_sweeps():
    class Cube(theano.Op):
        __props__ = ()

        def make_node(self, x):
            return theano.Apply(self, [x], [x.type()])

        def perform(self, node, inputs, output_storage, params=None):
            output_storage[0][0] = np.asarray(inputs[0] ** 3)

        def grad(self, inputs, output_grads):
            return [3 * inputs[0] ** 2 * output_grads[0]]

    check_rop(Cube(), [V])
    check_rop(lambda x: theano.scan(lambda v: Cube()(v), sequences=[x])[0], [M])


# ---- products with vectors, Jacobians, Hessians


def test_hessian_vector_products_are_products_with_the_hessian():
    x, p, w, q = T.dvector("x"), T.dvector("p"), T.dmatrix("w"), T.dmatrix("q")
    cost = T.tanh(T.dot(w, x)).sum() + (x**3).sum()
    product = G.hessian_vector_product(cost, x, p)
    direct = T.dot(G.hessian(cost, x), p)
    a, b = call([x, p, w], [product, direct], V, uniform(3), M)
    np.testing.assert_allclose(a, b)
    both = G.hessian_vector_product(cost, [x, w], [p, q])
    gx, gw = T.grad(cost, [x, w])
    forward = T.Rop([gx, gw], [x, w], [p, q])
    values = (V, uniform(3), M, uniform(2, 3))
    for one, two in zip(
        call([x, p, w, q], both, *values), call([x, p, w, q], forward, *values), strict=True
    ):
        np.testing.assert_allclose(one, two)
    linear = G.hessian_vector_product((2 * x).sum(), (x,), (p,))
    assert isinstance(linear, tuple)
    assert call([x, p], linear, V, V)[0].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="1 wrt but 2 directions"):
        G.hessian_vector_product(cost, x, [p, p])


def test_hessian_vector_products_through_loops():
    m, w, q = T.dmatrices("mwq")
    cost = (recurrent(m, w)[-1] ** 2).sum()
    product = G.hessian_vector_product(cost, w, q)
    point, direction, step = SQ / 3, uniform(3, 3), 1e-5
    gradient = theano.function([m, w], T.grad(cost, w), mode=FAST)
    numeric = gradient(M, point + step * direction) - gradient(M, point - step * direction)
    np.testing.assert_allclose(
        call([m, w, q], product, M, point, direction), numeric / (2 * step), rtol=1e-5, atol=1e-7
    )


def test_pushforward_and_pullback():
    x, v, u = T.dvectors("xvu")
    f = T.exp(x)
    assert G.pushforward is G.jacobian_vector_product
    assert G.pullback is G.vector_jacobian_product
    for product in (G.jacobian_vector_product(f, x, v), G.vector_jacobian_product(f, x, v)):
        np.testing.assert_allclose(call([x, v], product, V, uniform(3) * 0 + 2), 2 * np.exp(V))
    several = G.pullback([f, x**2], [x], [v, u])
    assert isinstance(several, list)


def test_jacobians_and_hessians_of_matrices():
    x = T.dmatrix("x")
    j = call([x], G.jacobian(x**2, x), M)
    assert j.shape == (2, 3, 2, 3)
    np.testing.assert_allclose(j.reshape(6, 6), np.diag(2 * M.ravel()))
    h = call([x], G.hessian((x**3).sum(), x), M)
    np.testing.assert_allclose(h.reshape(6, 6), np.diag(6 * M.ravel()))
    y = T.dscalar("y")
    assert call([y], G.hessian(y**3, y), 2.0) == 12
    w = T.dmatrix("w")
    jw, jx = G.jacobian(T.dot(x, w), (w, x))
    assert call([x, w], jw, M, SQ).shape == (2, 3, 3, 3)
    np.testing.assert_allclose(
        call([x, w], jx, M, SQ), np.einsum("ik,lj->ijkl", np.eye(2), SQ), atol=1e-12
    )


# ---- options of grad


def test_what_becomes_of_disconnected_variables():
    x, y = T.dvectors("xy")
    cost = (x**2).sum()
    with pytest.raises(G.DisconnectedInputError):
        T.grad(cost, y)
    with pytest.warns(UserWarning, match="not part"):
        zero = T.grad(cost, y, disconnected_inputs="warn")
    assert call([x, y], zero, V, V).tolist() == [0, 0, 0]
    options = {"disconnected_inputs": "ignore"}
    assert T.grad(cost, [x, y], return_disconnected="none", **options)[1] is None
    kind = T.grad(cost, y, return_disconnected="disconnected", **options).type
    assert isinstance(kind, G.DisconnectedType)
    for bad in ({"disconnected_inputs": "no"}, {"return_disconnected": "no"},
                {"null_gradients": "no"}):  # fmt: skip
        with pytest.raises(ValueError, match="Invalid value"):
            T.grad(cost, x, **bad)


def test_known_gradients_and_constants():
    x, y = T.dvector("x"), T.dvector("y")
    z = x * y
    given = T.grad(None, [x], known_grads={z: T.ones_like(z) * 2})
    np.testing.assert_allclose(call([x, y], given, V, V * 3)[0], 6 * V)
    part = T.grad((z * x).sum(), x, consider_constant=[z])
    np.testing.assert_allclose(call([x, y], part, V, V), V * V)
    (wrt,), (end,) = theano.subgraph_grad([x], [z], cost=(z**2 * x).sum())
    np.testing.assert_allclose(call([x, y], wrt, V, V), V**4)
    np.testing.assert_allclose(call([x, y], end, V, V), 2 * V**3)
    found = G.subgraph_grad([x], [y], start={z: T.ones_like(z)}, details=True)
    assert len(found) == 4
    with pytest.raises(ValueError, match="must be specified"):
        G.subgraph_grad([x], [y])
    terms = {z: T.ones_like(z)}
    (gx,) = G._populate_grad_dict(None, terms, [x])
    assert terms[x] is gx
    np.testing.assert_allclose(call([x, y], gx, V, V), V)


def test_undefined_gradients():
    x = T.dvector("x")
    undefined = G.undefined_grad(x)
    with pytest.raises(G.NullTypeGradError):
        T.grad((undefined**2).sum(), x)
    found = T.grad((undefined**2).sum(), x, null_gradients="return")
    assert isinstance(found.type, G.NullType)
    missing = G.grad_not_implemented(T.exp(x).owner.op, 0, x, "later")
    assert "later" in missing.type.why_null


MODIFIERS = {
    "zero": (G.zero_grad, 0.0),
    "clip": (lambda x: G.grad_clip(x, -0.5, 0.5), 0.5),
    "scale": (lambda x: G.grad_scale(x, -1), -1.0),
    "disconnected": (lambda x: G.disconnected_grad(x) + 0 * x, 0.0),
}


@pytest.mark.parametrize("name", MODIFIERS)
@pytest.mark.parametrize("mode", [FAST, "FAST_RUN"])
def test_modifiers_also_inside_loops_branches_and_objects(name, mode):
    modify, factor = MODIFIERS[name]
    x = T.dvector("x")
    v = T.dscalar("v")
    loop = theano.scan(lambda e: modify(e), sequences=[x])[0].sum()
    branch = ifelse(x.sum() > 0, modify(x).sum(), x[0])
    inside = theano.OpFromGraph([v], [modify(v)])(x.sum())
    for cost in (modify(x).sum(), loop, branch, inside):
        f = theano.function([x], [cost, T.grad(cost, x)], mode=mode)
        value, gradient = f(V)
        np.testing.assert_allclose(value, V.sum())
        np.testing.assert_allclose(gradient, np.full(3, factor))


def test_deprecated_considering_constant_warns():
    x = T.dscalar("x")
    with pytest.warns(UserWarning, match="deprecated"):
        y = G.consider_constant(x)
    assert call([x], T.grad(y * x, x), 3.0) == 3


@pytest.mark.parametrize("mode", [None, "FAST_COMPILE", theano.Mode("cvm", None), "DebugMode"])
def test_verify_grad_in_any_mode(mode):
    rng = np.random.default_rng(1)
    G.verify_grad(lambda a, b: T.dot(a, b), [M, SQ], rng=rng, mode=mode)
    wrong = theano.OpFromGraph(*_one(), lop_overrides=lambda i, o, g: [g[0] * 2])
    with pytest.raises(G.GradientError):
        G.verify_grad(wrong, [V], rng=rng, mode=mode)


def _one():
    x = T.dvector()
    return [x], [T.exp(x)]


def test_names_that_old_code_imports():
    for name in ("grad", "Rop", "Lop", "jacobian", "hessian", "verify_grad", "numeric_grad",
                 "consider_constant"):  # fmt: skip
        assert getattr(T, name) is getattr(G, name)
    assert theano.grad is G.grad
    assert G.format_as(False, True, [1]) == (1,)
