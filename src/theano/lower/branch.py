"""Conditionals: a Branch step with the steps of both graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.lower import memory
from theano.lower import program as pg
from theano.lower.group import CyclicGroupsError
from theano.lower.sizes import is_array

if TYPE_CHECKING:
    from theano.lower.function import Lowering


def supported(node: Apply) -> bool:
    """Whether all that passes through the conditional is native arrays."""
    op = node.op
    return all(map(is_array, (*node.inputs, *op.first, *op.second)))


def lower_branch(lowering: Lowering, node: Apply) -> None:
    """Append the step of one Branch."""
    low, op = lowering.low, node.op
    condition = low.scalar(node.inputs[0])
    wanted = low.register_name(low.let("ne", condition, low.k.const(0, condition.dtype)))
    inputs, values, _ = traverse.clone(op.inner_inputs, (*op.first, *op.second))
    count = len(op.first)
    for inner, outer in zip(inputs, node.inputs[1:], strict=True):
        low.sizes.dims[inner] = low.sizes.dims[outer]
        low.arrays[inner] = low.array(outer)
        if outer.type.ndim == 0:
            low.registers[inner] = low.scalar(outer)
    sides = [_side(lowering, inputs, side) for side in (values[:count], values[count:])]
    outs = []
    for output, first, second in zip(node.outputs, sides[0][1], sides[1][1], strict=True):
        outs.append((low.fresh("y"), output.type.dtype, output.type.ndim, first, second))
    low.add(pg.Branch(wanted, sides[0][0], sides[1][0], tuple(outs)))
    for output, (name, *_) in zip(node.outputs, outs, strict=True):
        low.define(output, name)


def _side(
    lowering: Lowering, inputs: Sequence[Variable], values: Sequence[Variable]
) -> tuple[tuple[pg.Step, ...], list[str]]:
    """The steps of one side, and the arrays of its values."""
    low = lowering.low
    outside = low.enter()
    try:
        inner = lowering.inside(inputs, values, lowering.fuse)
    except CyclicGroupsError:
        inner = lowering.inside(inputs, values, False)
    inner.emit_all()
    names = [low.array(v) for v in values]
    steps = low.leave(outside)
    results = [pg.Result("output", 0, name) for name in names]
    return memory.remove_dead(steps, results, ()), names
