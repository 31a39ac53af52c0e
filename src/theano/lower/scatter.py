"""Writing into part of an array: set_subtensor and inc_subtensor, basic and by integer arrays."""

from __future__ import annotations

from collections.abc import Callable

from theano.graph.nodes import Apply
from theano.kernel import ir
from theano.kernel.build import Builder
from theano.lower import program as pg
from theano.lower.calls import take_over
from theano.lower.context import Context
from theano.lower.views import Views


def supported(node: Apply) -> bool:
    """Whether the node's form has a native lowering."""
    test = getattr(node.op, "native", None)
    return True if test is None else bool(test(node))


def update_view(low: Context, node: Apply) -> None:
    """Basic indexing: a view of the copy is overwritten or added to."""
    x, y = node.inputs[:2]
    out = node.outputs[0]
    value = low.array(y) if y.type.ndim else None
    scalar = None if value is not None else low.scalar(y)
    target = take_over(low, x, out)
    views = Views(low)
    views.node = node
    low.arrays.setdefault(x, target)
    starts, axes = node.op.view(node, views)
    part = low.view(target, starts, axes, out.type.dtype)
    add = not node.op.set_instead_of_inc
    if value is None:
        assert scalar is not None
        value = low.allocate(y.type.dtype, ())
        low.add(pg.Poke(value, low.arg(scalar), scalar.dtype))
    _check_broadcast(low, node, value, part)
    low.copy(value, part, add=add)


def _check_broadcast(low: Context, node: Apply, value: str, part: str) -> None:
    shift = len(low.array_dims[part]) - len(low.array_dims[value])
    for axis, atom in enumerate(low.array_dims[value]):
        if isinstance(atom, int) and atom == 1:
            continue
        same = low.let("eq", low.dim(value, axis), low.dim(part, axis + shift))
        low.check(same, f"{node.op}: the value does not have the shape of the part it is for")


def scatter_rows(low: Context, node: Apply) -> None:
    """``x[index] += y`` or ``= y`` for one vector of integers on the first axis."""
    x, y, index = node.inputs
    out = node.outputs[0]
    value, rows = low.array(y), low.array(index)
    donated = low.is_donated(out)
    target = take_over(low, x, out)
    if donated:
        check_indices(low, node, rows, low.dim(target, 0))
    rank = len(low.array_dims[target])
    names = tuple(f"a{i}" for i in range(rank))
    shift = rank - len(low.array_dims[value])
    moves = [
        None if axis < shift or low.array_dims[value][axis - shift] == 1 else axis - shift
        for axis in range(rank)
    ]
    for axis, d in enumerate(moves):
        if d is not None:
            want = low.dim(rows, 0) if axis == 0 else low.dim(target, axis)
            low.check(low.let("eq", low.dim(value, d), want), f"{node.op}: shapes do not match")
    k = Builder()
    read = ir.Operand(
        "i0", y.type.dtype, tuple(n for n, d in zip(names, moves, strict=True) if d is not None)
    )
    where = ir.Operand("i1", index.type.dtype, names[:1])
    write = ir.Operand("x2", out.type.dtype, names[1:], "scatter", 1)
    position = k.cast(k.load(where), "int64")
    element = k.cast(k.load(read), low.register_dtype(out))
    k.store(write, element, (position,), add=not node.op.set_instead_of_inc)
    kernel = ir.Kernel(
        "scatter", names, (), (read, where, write), (),
        (ir.Stage("each", tuple(k.statements)),), serial=names[:1],
    )  # fmt: skip
    extents = (low.arg(low.dim(rows, 0)), *(low.arg(low.dim(target, a)) for a in range(1, rank)))
    operands = (
        pg.Operand(value, tuple(moves)),
        pg.Operand(rows, (0, *(None,) * (rank - 1))),
        pg.Operand(target, (None, *range(1, rank)), (0,)),
    )
    low.add(pg.Launch(kernel, extents, operands, ()))


def check_indices(low: Context, node: Apply, rows: str, extent: object) -> None:
    """Fail before anything is written if an index is out of range."""
    k = Builder()
    read = ir.Operand("i0", low.array_dtype[rows], ("a0",))
    write = ir.Operand("o1", "bool", (), "out")
    size = k.value("s0", "int64")
    position = k.cast(k.load(read), "int64")
    inside = k.apply("and", k.lt(position, size), k.ge(position, -size))
    fine = k.accumulate("and", inside)
    last = Builder("z")
    last.store(write, last.value(fine.name, "bool"))
    kernel = ir.Kernel(
        "indices", (), ("a0",), (read, write), (ir.Param("s0", "int64"),),
        (ir.Stage("loop", tuple(k.statements)), ir.Stage("each", tuple(last.statements))),
    )  # fmt: skip
    flag = low.allocate("bool", ())
    operands = (pg.Operand(rows, (0,)), pg.Operand(flag, (None,)))
    low.add(pg.Launch(kernel, (low.arg(low.dim(rows, 0)),), operands, (low.arg(extent),)))  # type: ignore[arg-type]
    low.check(low.peek(flag, "bool"), f"{node.op}: index out of range")


SCATTERS: dict[str, Callable[[Context, Apply], None]] = {
    "update_view": update_view,
    "scatter": scatter_rows,
}
