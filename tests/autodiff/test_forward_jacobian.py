"""Rop, jacobian, hessian, gradient modifiers, numerical checks."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from builders import t, var

from theano import gradient as G
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Op


def run(inputs: Any, outputs: Any, *values: Any) -> Any:
    single = not isinstance(outputs, (list, tuple))
    results = reference_function(inputs, [outputs] if single else list(outputs))(*values)
    return results[0] if single else results


class Cube(Op):
    """x ** 3 without R_op: forward mode must manage with the gradient."""

    __props__ = ()

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        output_storage[0][0] = inputs[0] ** 3

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * 3.0 * inputs[0] ** 2]


POINT = np.array([0.3, -0.7, 1.2])
DIRECTION = np.array([1.0, 2.0, -0.5])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: t.tanh(x) * x,
        lambda x: Cube()(x),
        lambda x: t.exp(Cube()(x)) / (1 + x**2),
        lambda x: t.sum(x) * x,
        lambda x: t.dot(t.constant(np.arange(6.0).reshape(2, 3)), x),
    ],
)
def test_rop_is_a_directional_derivative(function: Any) -> None:
    x, v = var("x", 1), var("v", 1)
    y = function(x)
    forward = run([x, v], G.Rop(y, x, v), POINT, DIRECTION)
    f = reference_function([x], [y])
    step = 1e-6
    expected = (f(POINT + step * DIRECTION)[0] - f(POINT - step * DIRECTION)[0]) / (2 * step)
    assert np.allclose(forward, expected, rtol=1e-6)


def test_rop_forms_and_errors() -> None:
    x, y, v = var("x", 1), var("y", 1), var("v", 1)
    assert isinstance(G.Rop([x * 2], [x], [v]), list)
    assert run([x, y, v], G.Rop(x * y, [x, y], [v, v]), [2.0], [3.0], [1.0]).tolist() == [5]
    with pytest.raises(ValueError, match="mismatched dimensionality"):
        G.Rop(x * 2, x, var("m", 2))
    with pytest.raises(G.DisconnectedInputError):
        G.Rop(y * 2, x, v)
    zero = G.Rop(y * 2, x, v, disconnected_outputs="ignore")
    assert run([y], zero, [1.0, 2.0]).tolist() == [0, 0]


def test_jacobian_of_vectors() -> None:
    x, m = var("x", 1), var("m", 2)
    jx, jm = G.jacobian(t.dot(m, t.tanh(x)), [x, m])
    a = np.arange(6.0).reshape(2, 3)
    got_x, got_m = run([x, m], [jx, jm], POINT, a)
    assert np.allclose(got_x, a * (1 - np.tanh(POINT) ** 2))
    expected = np.zeros((2, 2, 3))
    expected[0, 0] = expected[1, 1] = np.tanh(POINT)
    assert np.allclose(got_m, expected)


def test_jacobian_forms_and_errors() -> None:
    x = var("x", 1)
    assert G.jacobian(t.sum(x**2), x).type.ndim == 1
    assert isinstance(G.jacobian(x**2, (x,)), tuple)
    with pytest.raises(TypeError, match="expects a Variable"):
        G.jacobian(1.0, x)
    with pytest.raises(G.DisconnectedInputError):
        G.jacobian(x**2, var("y", 1))
    zero = G.jacobian(x**2, var("y", 1), disconnected_inputs="ignore")
    assert zero.type.ndim == 2


def test_jacobian_can_be_differentiated() -> None:
    x = var("x", 1)
    cost = t.sum(G.jacobian(x**3, x))  # = sum(3 x**2)
    assert np.allclose(run([x], G.grad(cost, x), POINT), 6 * POINT)


def test_hessian() -> None:
    x = var("x", 1)
    h = G.hessian(t.sum(x**3) + x[0] * x[1] if hasattr(x, "__getitem__") else 0, x)
    expected = np.diag(6 * POINT)
    expected[0, 1] = expected[1, 0] = 1
    assert np.allclose(run([x], h, POINT), expected)
    with pytest.raises(TypeError):
        G.hessian(x, x)
    with pytest.raises(TypeError, match="as `wrt`"):
        G.hessian(t.sum(x), [1.0])
    assert run([x], G.hessian(t.sum(x * 2.0), x), POINT).tolist() == np.zeros((3, 3)).tolist()


def test_modifiers_are_identities_that_change_the_gradient() -> None:
    x = var("x")
    for modify, expected in [
        (G.zero_grad, 0.0),
        (lambda v: G.grad_clip(v, -1, 2), 2.0),
        (lambda v: G.grad_scale(v, -3), -24.0),
    ]:
        y = modify(x)
        assert run([x], [y, G.grad(y**2, x)], 4.0) == [4.0, expected]
    with pytest.warns(UserWarning, match="deprecated"):
        assert run([x], G.grad(G.consider_constant(x) * x, x), 4.0) == 4.0
    assert run([x], G.grad(G.disconnected_grad(x) * x, x), 4.0) == 4.0
    with pytest.raises(G.DisconnectedInputError):
        G.grad(G.disconnected_grad(x), x)
    with pytest.raises(G.NullTypeGradError):
        G.grad(G.undefined_grad(x), x)
    with pytest.raises(ValueError, match="lower bound"):
        G.grad_clip(x, 2, 1)


def test_modifiers_compare_by_value_and_pickle() -> None:
    assert G.GradClip(0, 1) == G.GradClip(0, 1) != G.GradClip(0, 2)
    assert pickle.loads(pickle.dumps(G.GradScale(2))) == G.GradScale(2)


def test_numeric_grad() -> None:
    found = G.numeric_grad(lambda x: float((x**2).sum()), np.array([1.0, -2.0]))
    assert np.allclose(found.gf, [2, -4], atol=1e-5)
    with pytest.raises(TypeError):
        G.numeric_grad(lambda x: 0.0, np.array([1]))


class Wrong(Cube):
    """A cube with a wrong gradient."""

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * 2.0 * inputs[0] ** 2]


def test_verify_grad_accepts_right_and_finds_wrong_gradients() -> None:
    rng = np.random.RandomState(1)
    G.verify_grad(Cube(), [rng.rand(3)], rng=rng)
    G.verify_grad(lambda x, y: t.dot(x, y), [rng.rand(2, 3), rng.rand(3)], rng=rng)
    G.verify_grad(Cube(), [rng.rand(3).astype("float32")], rng=rng)
    with pytest.raises(G.GradientError) as found:
        G.verify_grad(Wrong(), [rng.rand(3) + 1], rng=rng)
    assert found.value.arg == 0
    with pytest.raises(TypeError, match="rng"):
        G.verify_grad(Cube(), [rng.rand(3)])
    with pytest.raises(TypeError, match="floating"):
        G.verify_grad(Cube(), [np.arange(3)], rng=rng)


def test_rop_checks_the_shape_of_its_direction() -> None:
    w, v, x = var("w", 2), var("v", 2), var("x", 1)
    out = G.Rop(t.dot(x, w), w, v)
    assert run([w, v, x], out, np.ones((2, 2)), 2 * np.ones((2, 2)), [0.0, 1.0]).tolist() == [2, 2]
    with pytest.raises(AssertionError):
        run([w, v, x], out, np.ones((2, 3)), np.ones((2, 2)), [0.0, 1.0])
