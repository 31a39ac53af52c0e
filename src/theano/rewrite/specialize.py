"""Cheaper forms, once everything else is settled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.rewrite.build import constant_value, is_float_out, same_kind, t
from theano.rewrite.pattern import ops, rule

Result = Sequence[Variable] | None


@rule("specialize", name="local_div_sqrt", domain=(0.1, 3.0))
def local_x_over_sqrt_x(x: Any) -> Any:
    """One operation less."""
    return x / ops.sqrt(x), ops.sqrt(x)


@rule("specialize", ("mul",))
def local_mul_specialize(node: Apply) -> Result:
    """-1 * x -> -x."""
    if len(node.inputs) < 2:
        return None
    rest = [v for v in node.inputs if constant_value(v) != -1]
    if len(rest) != len(node.inputs) - 1 or not is_float_out(node):
        return None
    made = t.neg(rest[0] if len(rest) == 1 else t.mul(*rest))
    result = same_kind(made, node.outputs[0])
    if result is None or result.type.broadcastable != node.outputs[0].type.broadcastable:
        return None
    return [result]


@rule("specialize", ("sigmoid",), tags=("local_ultra_fast_sigmoid",))
def local_ultra_fast_sigmoid(node: Apply) -> Result:
    """A cheap approximation (asked for by name)."""
    result = same_kind(t.ultra_fast_sigmoid(node.inputs[0]), node.outputs[0])
    return None if result is None else [result]


@rule("specialize", ("sigmoid",), tags=("local_hard_sigmoid",))
def local_hard_sigmoid(node: Apply) -> Result:
    """Three straight pieces (asked for by name)."""
    result = same_kind(t.hard_sigmoid(node.inputs[0]), node.outputs[0])
    return None if result is None else [result]
