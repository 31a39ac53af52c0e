"""Joins: parts that kernels compute are written where they belong, without a copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from theano.graph.nodes import Apply, Variable
from theano.lower.sizes import Atom
from theano.ops.extents import Axis

if TYPE_CHECKING:
    from theano.lower.context import Context
    from theano.lower.function import Lowering


def parts(low: Context, node: Apply) -> tuple[str, list[str]]:
    """The array that a Join makes, and the part of it that each input goes to."""
    (output,) = node.outputs
    axis = int(node.inputs[0].data)  # type: ignore[attr-defined]
    dims = low.dims(output)
    for x in node.inputs[1:]:
        for i, extent in enumerate(low.dims(x)):
            if i != axis:
                low.check(low.let("eq", extent, dims[i]), "Join: extents differ off the axis")
    out = low.alloc(output, dims)
    found = []
    start: Any = 0
    for x in node.inputs[1:]:
        extent = low.dims(x)[axis]
        axes = [Axis(i, extent if i == axis else dims[i], 1) for i in range(len(dims))]
        found.append(low.view(out, ((axis, start),), axes, output.type.dtype))
        start = low.let("add", start, extent)
    return out, found


def prepare(lowering: Lowering, results: Sequence[Variable]) -> None:
    """Have results of a kernel that is about to be written go where a Join wants them."""
    low = lowering.low
    for variable in results:
        users = lowering.clients.get(variable, [])
        if len(users) != 1 or variable in lowering.target_bases or variable in low.homes:
            continue
        node = users[0]
        if type(node.op).__name__ != "Join" or node.inputs[1:].count(variable) != 1:
            continue
        if variable.type.dtype != node.outputs[0].type.dtype:
            continue
        if node.outputs[0] in low.homes and lowering.donate:
            continue  # the place may be a shared variable's, which others still read
        dims = [d for x in (*node.inputs[1:], *node.outputs) for d in low.sizes.dims[x]]
        if node in low.joins or all(available(low, d) for d in dims):
            place = node.inputs.index(variable, 1) - 1
            low.homes[variable] = low.join_parts(node)[1][place]


def available(low: Context, atom: Atom) -> bool:
    """Whether an extent can be had before the join's other inputs are computed."""
    if isinstance(atom, int):
        return True
    todo, seen = [atom.source], 0
    while todo:
        kind, variable, *_ = todo.pop()
        seen += 1
        if kind == "dim":
            if variable not in low.arrays:
                return False
        elif variable not in low.registers:
            node = variable.owner
            if node is None or seen > _DEEP:
                return False
            if type(node.op).__name__ == "Shape_i":
                dims = low.sizes.dims.get(node.inputs[0])
                if dims is None:
                    return False
                size = dims[node.op.i]
                todo += [] if isinstance(size, int) else [size.source]
            elif any(v.type.ndim for v in node.inputs):
                return False
            else:
                todo += [("scalar", v) for v in node.inputs if not hasattr(v, "data")]
    return True


_DEEP = 40  # steps of arithmetic on extents that are looked through
