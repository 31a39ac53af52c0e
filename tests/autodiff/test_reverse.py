"""grad, Lop, subgraph_grad: values, forms, names, dtypes, errors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from builders import t, var

from theano import gradient as G
from theano.core.config import change_flags
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Op
from theano.graph.text import expression
from theano.graph.traverse import toposort


def run(inputs: Any, outputs: Any, *values: Any) -> Any:
    single = not isinstance(outputs, (list, tuple))
    results = reference_function(inputs, [outputs] if single else list(outputs))(*values)
    return results[0] if single else results


def test_derivative_of_square_is_written_as_in_the_documentation() -> None:
    x = var("x")
    node = G.grad(x**2, x).owner
    assert expression(G.grad(x**2, x)).count("second") == 1
    assert node is not None
    assert run([x], G.grad(x**2, x), 4.0) == 8.0


def test_result_has_the_form_of_wrt() -> None:
    x, y = var("x"), var("y")
    cost = x * y
    assert isinstance(G.grad(cost, [x, y]), list)
    assert isinstance(G.grad(cost, (x,)), tuple)
    assert G.grad(cost, x).type.ndim == 0
    for wrt in ({x}, iter([x]), "x", [1.0]):
        with pytest.raises(TypeError):
            G.grad(cost, wrt)


def test_cost_must_be_a_scalar() -> None:
    x = var("x", 1)
    with pytest.raises(TypeError, match="cost must be a scalar"):
        G.grad(x * 2, x)
    with pytest.raises(ValueError, match="known_grads"):
        G.grad(None, x)


def test_gradients_are_named_where_both_have_names() -> None:
    x, y = var("x"), var()
    cost = x * y
    cost.name = "cost"
    gx, gy = G.grad(cost, [x, y])
    assert gx.name == "(dcost/dx)"
    assert gy.name is None
    assert G.grad(cost, x, add_names=False).name is None
    assert x.name == "x"
    assert y.name is None


def test_shared_subexpressions_are_swept_once() -> None:
    x = var("x")
    y = x
    for _ in range(200):
        y = y * y + x
    size = len(toposort([y]))
    assert len(toposort([G.grad(y, x)])) < 12 * size


def test_deep_graphs_do_not_recurse() -> None:
    x = var("x")
    y = x
    for _ in range(20_000):
        y = t.tanh(y)
    g = G.grad(y, x)
    assert np.isfinite(run([x], g, 0.5))


def test_disconnected_inputs() -> None:
    x, y = var("x", 1), var("y", 2)
    cost = t.sum(x)
    with pytest.raises(G.DisconnectedInputError, match="not part"):
        G.grad(cost, y)
    with pytest.warns(UserWarning, match="not part"):
        G.grad(cost, y, disconnected_inputs="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zero = G.grad(cost, y, disconnected_inputs="ignore")
        none = G.grad(cost, [y], disconnected_inputs="ignore", return_disconnected="none")
        kept = G.grad(cost, y, disconnected_inputs="ignore", return_disconnected="disconnected")
    assert run([x, y], zero, [1.0], np.ones((2, 3))).tolist() == [[0] * 3] * 2
    assert none == [None]
    assert isinstance(kept.type, G.DisconnectedType)
    with pytest.raises(ValueError, match="Invalid value"):
        G.grad(cost, x, disconnected_inputs="maybe")


def test_shape_only_dependence_is_disconnected() -> None:
    x = var("x", 1)
    with pytest.raises(G.DisconnectedInputError):
        G.grad(t.cast(t.shape_i(x, 0), "float64"), x)


def test_known_grads_replace_what_is_below() -> None:
    x = var("x")
    y = x * 3
    cost = y**2
    assert run([x], G.grad(None, x, known_grads={y: t.constant(10.0)}), 1.0) == 30
    both = G.grad(cost, x, known_grads={y: t.constant(10.0)})
    assert run([x], both, 1.0) == 30  # the known gradient wins
    with pytest.raises(TypeError):
        G.grad(None, x, known_grads={y: var("g", 1)})


def test_wrt_may_be_an_intermediate_or_the_cost() -> None:
    x = var("x")
    y = x * 3
    cost = y**2
    assert run([x], G.grad(cost, [x, y, cost]), 2.0) == [36.0, 12.0, 1.0]


def test_consider_constant_argument() -> None:
    x = var("x")
    y = x * 3
    assert run([x], G.grad(x * y, x, consider_constant=[y]), 2.0) == 6.0


def test_dtypes() -> None:
    x = var("x", dtype="float32")
    g = G.grad(x * var("d") * 2.0, x)
    assert g.type.dtype == "float32"
    i = var("i", dtype="int32")
    for floatx in ("float32", "float64"):
        with change_flags(floatX=floatx):
            gi = G.grad(t.cast(i, "float64") * 2.5, i)
            assert gi.type.dtype == floatx
            assert run([i], gi, 3) == 0


def test_discrete_intermediates_stop_gradients_with_zeros() -> None:
    x = var("x")
    assert run([x], G.grad(t.cast(t.cast(x, "int32"), "float64") * 2.0, x), 1.5) == 0
    assert run([x], G.grad(t.floor(x) * x, x), 1.5) == 1.0


def test_broadcast_dimensions_are_summed() -> None:
    m, v = var("m", 2), var("v", 1)
    gm, gv = G.grad(t.sum(m * v), [m, v])
    values = run([m, v], [gm, gv], np.ones((2, 3)), [1.0, 2.0, 3.0])
    assert values[0].tolist() == [[1, 2, 3]] * 2
    assert values[1].tolist() == [2, 2, 2]


class Halves(Op):
    """Two outputs; the second depends on the second input only."""

    __props__ = ()
    result: Any = "right"

    def make_node(self, x: Any, y: Any) -> Apply:
        return Apply(self, [x, y], [x.type(), y.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any, params: Any = None) -> None:
        output_storage[0][0], output_storage[1][0] = inputs[0] / 2, inputs[1] / 2

    def connection_pattern(self, node: Any) -> Any:
        return [[True, False], [False, True]]

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [g if isinstance(g.type, G.DisconnectedType) else g * 0.5 for g in output_grads]


def test_ops_with_a_connection_pattern_and_old_grad() -> None:
    x, y = var("x"), var("y")
    a, b = Halves()(x, y)
    assert run([x, y], G.grad(a, x), 3.0, 4.0) == 0.5
    with pytest.raises(G.DisconnectedInputError):
        G.grad(a, y)
    assert run([x, y], G.grad(a * b, [x, y]), 3.0, 4.0) == [1.0, 0.75]


class Bad(Halves):
    """Returns whatever it is told to."""

    def connection_pattern(self, node: Any) -> Any:
        return [[True, True], [True, True]]

    def __init__(self, result: Any) -> None:
        self.result = result

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return self.result(self, inputs)


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        (lambda op, xs: None, TypeError, "NoneType"),
        (lambda op, xs: [xs[0]], ValueError, "wrong number"),
        (lambda op, xs: [None, xs[1]], G.NullTypeGradError, "None"),
        (lambda op, xs: [t.cast(xs[0], "int32"), xs[1]], TypeError, "integer"),
        (lambda op, xs: [var("m", 2), xs[1]], ValueError, "dimensions"),
        (lambda op, xs: [1.0, xs[1]], TypeError, "not a Variable"),
        (lambda op, xs: [G.grad_undefined(op, 0, xs[0], "so there"), xs[1]],
         G.NullTypeGradError, "undefined.*so there"),
        (lambda op, xs: [G.grad_not_implemented(op, 0, xs[0]), xs[1]],
         G.NullTypeGradError, "not implemented"),
    ],
)  # fmt: skip
def test_wrong_gradients_are_refused(result: Any, error: Any, text: str) -> None:
    x, y = var("x"), var("y")
    a, _ = Bad(result)(x, y)
    with pytest.raises(error, match=text):
        G.grad(a, x)


def test_null_gradients_are_contagious_and_may_be_returned() -> None:
    x, y = var("x"), var("y")
    a, _ = Bad(lambda op, xs: [G.grad_undefined(op, 0, xs[0]), xs[1]])(x * 2, y)
    gx, gy = G.grad(a, [x, y], null_gradients="return")
    assert isinstance(gx.type, G.NullType)
    assert gy.type.ndim == 0
    assert G._is_zero(gx) == "no"


def test_lop_is_a_vector_jacobian_product() -> None:
    x, v = var("x", 1), var("v", 1)
    value = run([x, v], G.Lop(x**2, x, v), [1.0, 2.0], [3.0, 4.0])
    assert value.tolist() == [6, 16]
    with pytest.raises(ValueError, match="eval_points"):
        G.Lop([x], x, [v, v])


def test_subgraph_grad_in_two_halves_is_the_whole() -> None:
    x, w1, w2 = var("x"), var("w1"), var("w2")
    a1 = t.tanh(w1 * x)
    cost = (w2 * a1 - 1.0) ** 2
    param_grads, end_grads = G.subgraph_grad(wrt=[w2], end=[a1], cost=cost)
    first, _ = G.subgraph_grad(wrt=[w1], end=[x], start=dict(zip([a1], end_grads, strict=True)))
    whole = G.grad(cost, [w1, w2])
    values = run([x, w1, w2], [first[0], param_grads[0], *whole], 0.5, 0.7, 0.9)
    assert np.allclose(values[:2], values[2:])
    assert len(G.subgraph_grad([w2], [a1], cost=cost, details=True)) == 4
    with pytest.raises(ValueError, match="cost"):
        G.subgraph_grad([w2], [a1])


def test_format_as() -> None:
    assert G.format_as(True, False, [1, 2]) == [1, 2]
    assert G.format_as(False, True, 1) == (1,)
    assert G.format_as(False, False, [1]) == 1
    with pytest.raises(ValueError, match="single"):
        G.format_as(False, False, [1, 2])


def test_is_zero() -> None:
    assert G._is_zero(t.constant(0.0)) == "yes"
    assert G._is_zero(t.constant(1.0)) == "no"
    assert G._is_zero(var("x")) == "maybe"
    assert G._is_zero(G.DisconnectedType()()) == "yes"
