"""Complex numbers end to end: values, gradients, directions, and what stays native beside them."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, inputs_for, normal

import theano
import theano.tensor as T
from theano.gradient import verify_grad

Z = normal(3, 4) + 1j * (np.flip(normal(3, 4)) + 0.3)
W = np.flip(Z) * (0.5 - 1j) + 2


def plan(function):
    return str(theano.explain(function, code=False)["memory plan"])


def cost_of(build):
    """A real cost of ``build(z, w)``, of the parts of z and w."""

    def cost(a, b, c, d):
        out = build(T.complex(a, b), T.complex(c, d))
        if not out.type.dtype.startswith("complex"):
            return (out**2).sum()
        flat = out.flatten()
        weight = T.arange(flat.size) * 0.1 + 1
        return (T.real(flat) * weight).sum() + (T.imag(flat) * T.sqrt(weight)).sum() * 2

    return cost


PARTS = [Z.real.copy(), Z.imag.copy(), W.real.copy(), W.imag.copy()]
SMOOTH = {
    "add": lambda z, w: z + w, "sub": lambda z, w: z - w, "neg": lambda z, w: -z + w,
    "mul": lambda z, w: z * w * 2.0, "div": lambda z, w: z / w, "pow": lambda z, w: w ** (z * 0.3),
    "square": lambda z, w: z**2 + T.sqr(w), "inv": lambda z, w: T.inv(w) + z,
    "abs": lambda z, w: abs(z) + abs(w), "angle": lambda z, w: T.angle(w) + T.angle(z * z),
    "conj": lambda z, w: T.conj(z) * w, "real": lambda z, w: T.real(z) * T.imag(w),
    "exp": lambda z, w: T.exp(z) + T.exp(w * 0.1), "log": lambda z, w: T.log(w) + z,
    "sin": lambda z, w: T.sin(z) * T.cos(w * 0.1), "tanh": lambda z, w: T.tanh(z * 0.2) + w,
    "sqrt": lambda z, w: T.sqrt(w) * z, "dot": lambda z, w: T.dot(z, w.T),
    "sum": lambda z, w: T.sum(z * w, axis=0), "mean": lambda z, w: T.mean(z, axis=1) * w[0, 1],
    "indexing": lambda z, w: T.set_subtensor(z[1:], w[1:] * 2)[:, ::-1],
    "join": lambda z, w: T.concatenate([z, w * z])[2:],
    "mixed": lambda z, w: z * T.real(w) + T.imag(z) / w,
    "switch": lambda z, w: T.switch(T.real(z) > 0, z, w), "outer": lambda z, w: T.outer(z[0], w[1]),
    "polar": lambda z, w: T.complex_from_polar(T.real(z), T.imag(w)) * w,
    "reshape": lambda z, w: z.reshape((4, 3)).T * w.dimshuffle(0, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name):
    rng = np.random.RandomState(0)
    verify_grad(cost_of(SMOOTH[name]), PARTS, rng=rng, rel_tol=1e-4)


@pytest.mark.parametrize("name", SMOOTH)
def test_values_are_the_same_compiled(name):
    both(SMOOTH[name], Z, W)
    both(lambda z, w: T.grad(cost_of(SMOOTH[name])(T.real(z), T.imag(z), T.real(w), T.imag(w)),
                             [z, w]), Z, W)  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"indexing"}))
def test_directions(name):
    """The R-operator against a difference along the direction."""
    build = SMOOTH[name]
    dz, dw = np.flip(W, 0) * 0.5, Z * (0.2 + 1j)

    def direction(z, w, u, v):
        return T.Rop(build(z, w), [z, w], [u, v])

    variables = inputs_for([Z, W, dz, dw])
    found = theano.function(variables, direction(*variables))(Z, W, dz, dw)
    value = theano.function(variables[:2], build(*variables[:2]))
    step = 1e-6
    ahead, behind = (value(Z + s * dz, W + s * dw) for s in (step, -step))
    np.testing.assert_allclose(found, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)


def test_second_order():
    def first(a, b):
        z = T.complex(a, b)
        return T.grad(T.real(T.conj(z) * T.exp(z * 0.3)).sum(), [a, b])[1]

    verify_grad(first, PARTS[:2], rng=np.random.RandomState(0))


def test_the_gradient_of_a_complex_variable():
    """dcost = Re(conj(g) dz): the gradient of |z|² is 2z, a step against it goes down."""
    z = T.zmatrix("z")
    g = theano.function([z], T.grad(T.sqr(abs(z)).sum(), z))
    np.testing.assert_allclose(g(Z), 2 * Z)
    f = theano.function([z], T.grad(T.real(z * (1 + 2j)).sum(), z))
    np.testing.assert_allclose(f(Z), np.full_like(Z, 1 - 2j))
    assert not np.isnan(g(np.zeros((1, 1), "complex128"))).any()


def test_creation_and_constants():
    assert T.as_tensor_variable(1j).type.dtype == "complex128"
    assert T.zeros((2, 3), dtype="complex64").eval().dtype == np.complex64
    np.testing.assert_array_equal(
        T.eye(2, dtype="complex128").eval(), np.eye(2, dtype="complex128")
    )
    x = T.dvector("x")
    np.testing.assert_allclose((x * 1j).eval({x: [1.0, 2.0]}), [1j, 2j])
    np.testing.assert_allclose(
        T.cast(x, "complex64").eval({x: [1.5]}), np.array([1.5 + 0j], "complex64")
    )
    np.testing.assert_allclose(T.ones_like(T.as_tensor_variable(Z)).eval(), np.ones_like(Z))
    with pytest.raises(TypeError, match="ambiguous"):
        T.cast(T.zvector(), "float64")


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_reductions_and_products(dtype):
    z, w = Z.astype(dtype), W.astype(dtype)
    for ours, numpys in (
        (lambda z, w: z.sum(), lambda z, w: z.sum()),
        (lambda z, w: z.prod(axis=1), lambda z, w: z.prod(axis=1)),
        (lambda z, w: z.mean(axis=0), lambda z, w: z.mean(axis=0)),
        (lambda z, w: T.dot(z, w.T), lambda z, w: z @ w.T),
        (lambda z, w: T.einsum("ij,ij->i", z, w), lambda z, w: (z * w).sum(1)),
        (lambda z, w: T.batched_dot(z, w), lambda z, w: (z * w).sum(1)),
        (lambda z, w: T.matmul(z[None], w.T), lambda z, w: z[None] @ w.T),
        (lambda z, w: T.tensordot(z, w, 2), lambda z, w: np.tensordot(z, w, 2)),
        (lambda z, w: T.eq(z, w).any(), lambda z, w: (z == w).any()),
    ):
        found = both(ours, z, w)
        expected = np.asarray(numpys(z, w))
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_shared_variables_of_complex_numbers():
    state = theano.shared(Z.copy())
    w = T.zmatrix("w")
    step = theano.function([w], state.sum(), updates=[(state, state * 0.5 + w)])
    np.testing.assert_allclose(step(W), Z.sum())
    np.testing.assert_allclose(state.get_value(), Z * 0.5 + W)


def test_descent_on_a_complex_parameter():
    state, target = theano.shared(Z.copy()), T.as_tensor_variable(W)
    cost = T.sqr(abs(state - target)).sum()
    step = theano.function([], cost, updates=[(state, state - 0.25 * T.grad(cost, state))])
    costs = [float(step()) for _ in range(8)]
    assert costs == sorted(costs, reverse=True)
    np.testing.assert_allclose(state.get_value(), W, atol=0.1)


def test_real_parts_stay_native_and_explain_says_what_is_not():
    x, y = T.dmatrices("xy")
    z = T.complex(T.tanh(x) * 2, y + 1)
    function = theano.function([x, y], T.sqr(T.real(z)) + T.exp(T.imag(z) * 0.1))
    assert "Python steps: none" in plan(function)
    a, b = normal(3, 4), normal(3, 4) + 1
    value = np.tanh(a) * 2 + 1j * (b + 1)
    np.testing.assert_allclose(function(a, b), value.real**2 + np.exp(value.imag * 0.1))
    mixed = theano.function([x, y], T.sqrt(abs(T.log(z))).sum(axis=0))
    text = plan(mixed)
    assert "complex numbers" in text
    assert int(text.split(" kernels")[0].split()[-1]) >= 2
    np.testing.assert_allclose(mixed(a, b), np.sqrt(np.abs(np.log(value))).sum(axis=0))


def test_a_chain_is_one_python_step():
    z, w, x = T.zmatrix("z"), T.zmatrix("w"), T.drow("x")
    out = T.exp(z * w + 1j) / (w * 2) - T.conj(z) * x
    function = theano.function([z, w, x], out)
    row = normal(1, 4)
    expected = np.exp(Z * W + 1j) / (W * 2) - Z.conj() * row
    np.testing.assert_allclose(function(Z, W, row), expected)
    assert "Python steps: ComplexChain{" in plan(function)
    assert plan(function).count("complex numbers have no scalar code") == 1
    shared_part = z * w
    both_outputs = theano.function([z, w], [T.exp(shared_part), abs(shared_part) * 2])
    first, second = both_outputs(Z, W)
    np.testing.assert_allclose(first, np.exp(Z * W))
    np.testing.assert_allclose(second, np.abs(Z * W) * 2)
    with pytest.raises(ValueError, match="mis-match"):
        function(Z, W[:2], row)
    narrow = T.cmatrix("c")
    single = theano.function([narrow], T.sin(narrow * 2) + 1)
    assert single(Z.astype("complex64")).dtype == np.complex64


def test_long_chains():
    z = T.zvector("z")
    out = z
    for i in range(150):
        out = out * 0.99 + i
    expected = Z[0]
    for i in range(150):
        expected = expected * 0.99 + i
    np.testing.assert_allclose(theano.function([z], out)(Z[0]), expected)


PARTS_OF = {
    "product": lambda z, w: T.real(z * w * 2) + T.imag(z * w),
    "sum": lambda z, w: T.imag(z + w - 3j + 1),
    "power": lambda z, w: T.sqr(abs(z * T.conj(w))),
    "exp": lambda z, w: T.real(T.exp(z) * w),
    "square": lambda z, w: T.imag(T.sqr(z) - w),
    "row": lambda z, w: T.real(z * w[0]) + T.imag(w * T.arange(4)),
}


@pytest.mark.parametrize("name", ["product", "sum", "power", "exp", "square"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_put_together_and_taken_apart_is_real_arithmetic(name, dtype):
    x, y, u, v = (T.TensorType(dtype, (False, False))(n) for n in "xyuv")
    out = PARTS_OF[name](T.complex(x, y), T.complex(u, v))
    function = theano.function([x, y, u, v], out)
    values = [part.astype(dtype) for part in PARTS]
    plain = theano.function([x, y, u, v], out, mode=theano.Mode("numpy", None))
    assert "Python steps: none" in plan(function)
    assert function(*values).dtype == plain(*values).dtype
    rtol = 1e-9 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(function(*values), plain(*values), rtol=rtol)
    both(lambda *xs: PARTS_OF["row"](T.complex(*xs[:2]), T.complex(*xs[2:])), *PARTS)


def test_bad_values():
    f = theano.function([x := T.dvector("x")], x * 2)
    with pytest.raises(TypeError):
        f(np.array([1j]))
    with pytest.raises((TypeError, NotImplementedError)):
        T.max(T.zvector())
