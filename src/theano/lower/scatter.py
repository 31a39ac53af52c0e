"""Writing into part of an array: set_subtensor and inc_subtensor, basic and by integer arrays.

By integers it is one kernel. Its *batch* axes are those of the index arrays; values are written in
their order, so that the last one stays and sums do not depend on how the work is split. Its other
axes are those of the part of the array that the slices make.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from theano.core.record import dataclass
from theano.graph.nodes import Apply, Variable
from theano.kernel import ir
from theano.kernel.build import Builder, Val
from theano.lower import program as pg
from theano.lower.calls import take_over
from theano.lower.context import Context
from theano.lower.group import Unit
from theano.lower.scatter_folds import ScatterEmission
from theano.lower.uses import resolve
from theano.lower.views import Views
from theano.ops import index_spec as spec
from theano.ops.index_advanced import Layout, own_axes


def supported(node: Apply) -> bool:
    """Whether the node's form has a native lowering."""
    test = getattr(node.op, "native", None)
    return True if test is None else bool(test(node))


def _number(low: Context, variable: Variable) -> Val | None:
    """The register of the one number that a value repeats; None if its elements may differ."""
    base = resolve(variable)[0]
    return low.scalar(base) if base.type.ndim == 0 else None


def _start(low: Context, x: Variable, out: Variable) -> str:
    """An array for ``out`` that starts as ``x``; a fill that others need, too, is made again."""
    number = None if low.is_donated(out) or low.is_free(x) else _number(low, x)
    if number is None or x.type.ndim == 0:
        return take_over(low, x, out)
    target = low.alloc(out)
    low.copy(_in_memory(low, number, out.type.dtype), target)
    return target


@contextmanager
def _standing_in(low: Context, x: Variable, target: str) -> Iterator[None]:
    """``target`` is what ``x`` has no array of its own for, until it is written to."""
    alone = x not in low.arrays
    if alone:
        low.arrays[x] = target
    yield
    if alone:
        del low.arrays[x]


def _in_memory(low: Context, number: Val, dtype: str) -> str:
    """A number as an array without dimensions."""
    name = low.allocate(dtype, ())
    low.add(pg.Poke(name, low.arg(number), number.dtype))
    return name


def _check_value(low: Context, node: Apply, extents: Sequence[Any]) -> None:
    """The value has the extents of the part that it is for, where it does not stretch."""
    y = node.inputs[1]
    for given, stretches, wanted in zip(low.dims(y), y.type.broadcastable, extents, strict=True):
        if not stretches and getattr(wanted, "name", None) != given.name:
            same = low.let("eq", given, wanted)
            low.check(same, f"{node.op}: the value does not have the shape of the part it is for")


# basic indices -----------------------------------------------------------------------------------


def update_view(low: Context, node: Apply) -> None:
    """Basic indexing: a view of the copy is overwritten or added to."""
    x, y = node.inputs[:2]
    out = node.outputs[0]
    number = _number(low, y)
    value = low.array(y) if number is None else ""
    target = _start(low, x, out)
    views = Views(low)
    views.node = node
    with _standing_in(low, x, target):
        starts, axes = node.op.view(node, views)
    part = low.view(target, starts, axes, out.type.dtype)
    if number is not None:
        value = _in_memory(low, number, y.type.dtype)
    _check_value(low, node, [axis.length for axis in axes])
    low.copy(value, part, add=not node.op.set_instead_of_inc)


# integer arrays ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a write goes.

    ``part``: the array after its slices, and its ``extents``; ``indices``: per dimension of it an
    index (0-d or an array) or None; ``layout``: where these dimensions are in the value;
    ``batch``: the extents that the index arrays have together.
    """

    part: str
    extents: tuple[Any, ...]
    indices: tuple[Variable | None, ...]
    layout: Layout
    batch: tuple[Any, ...]

    def value_dims(self, batch: Sequence[Any], rest: Sequence[Any]) -> tuple[Any, ...]:
        """What belongs to each dimension of the value; None to a new axis."""
        supply = iter(rest)
        found = [None if axis is None else next(supply) for _, axis in self.layout.rest]
        return self.layout.combine(batch, found)


def scatter(low: Context, node: Apply) -> None:
    """``x[…] += y`` or ``= y`` where some indices are arrays."""
    (x, y, *_), out = node.inputs, node.outputs[0]
    number, unit = _number(low, y), low.scattered.get(y)
    value = low.array(y) if number is None and unit is None else ""
    donated = low.is_donated(out)
    target = _start(low, x, out)
    with _standing_in(low, x, target):
        place = _place(low, node, target)
    free = [d for d, index in enumerate(place.indices) if index is None]
    rest = [place.extents[d] for d in free]
    _check_value(low, node, place.value_dims(place.batch, rest))
    arrays = [(v, place.extents[d]) for d, v in enumerate(place.indices) if v is not None]
    check_indices(low, node, arrays, place.batch, None if donated else rest)
    if unit is not None:
        guard_gathers(low, unit.nodes)
        _in_one(low, node, place, unit)
        return
    batch, others = [f"b{i}" for i in range(len(place.batch))], [f"a{i}" for i in range(len(free))]
    # Along the array's last dimension if no index goes there: its elements follow each other.
    names = [*batch, *others] if place.indices[-1] is None else [*others, *batch]
    extents = {**dict(zip(batch, place.batch, strict=True)), **dict(zip(others, rest, strict=True))}
    launch = _Launch(low, names, extents)
    positions = [launch.position(v, batch) for v in place.indices if v is not None]
    if number is None:
        dims = place.value_dims(batch, others)
        moves = [None if one else n for n, one in zip(dims, y.type.broadcastable, strict=True)]
        element = launch.load(value, moves)
    else:
        element = launch.scalar(number)
    moving = iter(others)
    target_moves = [next(moving) if v is None else None for v in place.indices]
    launch.store(place.part, target_moves, positions, element, not node.op.set_instead_of_inc)
    launch.run(tuple(batch))


def _in_one(low: Context, node: Apply, place: Place, unit: Unit) -> None:
    """Compute the value and write it, in one kernel: its axes are the value's dimensions."""
    batch = [f"b{i}" for i in range(len(place.batch))]
    others = [f"a{i}" for i, index in enumerate(place.indices) if index is None]
    dims = place.value_dims(batch, others)
    emission = ScatterEmission(low, unit, node.inputs[1], place.part,
                               not node.op.set_instead_of_inc)  # fmt: skip
    own = [own_axes(v.type, range(len(batch))) for v in place.indices if v is not None]
    emission.along(place.indices, [dims.index(name) for name in batch],
                   [dims.index(name) for name in others], own)  # fmt: skip
    emission.build()


def _place(low: Context, node: Apply, target: str) -> Place:
    """The part that the slices of the index make of ``target``, and the arrays' extents."""
    views = Views(low)
    views.node = node

    def register(part: Variable | None) -> Val | None:
        return None if part is None else low.k.cast(low.scalar(part), "int64")

    entries = [e for e in node.op.entries(node) if e is not None]
    rank = len(low.array_dims[target])
    entries += [spec.FULL] * (rank - len(entries))
    starts: list[tuple[int, Any]] = []
    axes: list[Any] = [(i, size, 1) for i, size in enumerate(low.dims(node.outputs[0]))]
    for axis, entry in enumerate(entries):
        if isinstance(entry, slice) and not spec.is_full(entry):
            start, stop, step = (register(part) for part in spec.parts(entry))
            first, count, step = views.slice(start, stop, step, axis)
            starts.append((axis, first))
            axes[axis] = (axis, count, step)
    part = low.view(target, starts, axes) if starts else target
    indices = tuple(None if isinstance(e, slice) else e for e in entries)
    kinds = [e.type if isinstance(e, Variable) else e for e in node.op.entries(node)]
    layout = Layout(kinds, rank)
    batch = _batch(low, node, [v for v in indices if v is not None])
    return Place(part, tuple(size for _, size, _ in axes), indices, layout, batch)


def _batch(low: Context, node: Apply, arrays: Sequence[Variable]) -> tuple[Any, ...]:
    """The extents that the index arrays have together, after a check that they agree."""
    rank = max(v.type.ndim for v in arrays)
    found: list[Any] = [None] * rank
    for v in arrays:
        for axis, extent in zip(own_axes(v.type, range(rank)), low.dims(v), strict=True):
            if axis is None:
                continue
            if found[axis] is None:
                found[axis] = extent
            elif found[axis].name != extent.name:
                same = low.let("eq", extent, found[axis])
                low.check(same, f"{node.op}: shape mismatch: index arrays do not broadcast")
    return tuple(low.k.const(1, "int64") if extent is None else extent for extent in found)


class _Launch:
    """A kernel with one stage, written operand by operand."""

    def __init__(self, low: Context, names: Sequence[str], extents: Mapping[str, Any]) -> None:
        self.low, self.names, self.extents = low, tuple(names), extents
        self.k = Builder()
        self.operands: list[ir.Operand] = []
        self.bindings: list[pg.Operand] = []
        self.params: list[tuple[ir.Param, pg.Arg]] = []

    def _operand(
        self, array: str, moves: Sequence[str | None], mode: str = "in", gather: Sequence[int] = ()
    ) -> ir.Operand:
        axes = tuple(moves.index(name) if name in moves else None for name in self.names)
        used = tuple(n for n, d in zip(self.names, axes, strict=True) if d is not None)
        prefix = {"in": "i", "scatter": "x"}[mode]
        dtype = self.low.array_dtype[array]
        operand = ir.Operand(f"{prefix}{len(self.operands)}", dtype, used, mode, len(gather))
        self.operands.append(operand)
        self.bindings.append(pg.Operand(array, axes, tuple(gather)))
        return operand

    def load(self, array: str, moves: Sequence[str | None]) -> Val:
        """An element of ``array``, whose dimensions follow the axes ``moves``."""
        return self.k.load(self._operand(array, moves))

    def scalar(self, value: Val) -> Val:
        """A register."""
        literal = self.low.literal(value)
        if literal is not None:
            return self.k.const(literal, value.dtype)
        name = f"s{len(self.params)}"
        self.params.append((ir.Param(name, value.dtype), self.low.arg(value)))
        return self.k.value(name, value.dtype)

    def position(self, index: Variable, batch: Sequence[str]) -> Val:
        """An index at the current point of the batch."""
        if index.type.ndim == 0:
            return self.k.cast(self.scalar(self.low.scalar(index)), "int64")
        moves = [None if d is None else batch[d] for d in own_axes(index.type, range(len(batch)))]
        return self.k.cast(self.load(self.low.array(index), moves), "int64")

    def store(
        self, array: str, moves: Sequence[str | None], index: Sequence[Val], value: Val, add: bool
    ) -> None:
        """Write at ``index``, along the dimensions that do not move."""
        gathered = [d for d, name in enumerate(moves) if name is None]
        target = self._operand(array, moves, "scatter", gathered)
        dtype = "float32" if target.dtype == "float16" else target.dtype
        self.k.store(target, self.k.cast(value, dtype), tuple(index), add=add)

    def run(self, serial: tuple[str, ...]) -> None:
        """Append the launch."""
        stage = ir.Stage("each", tuple(self.k.statements))
        kernel = ir.Kernel(
            "scatter", self.names, (), tuple(self.operands), tuple(p for p, _ in self.params),
            (stage,), serial=serial,
        )  # fmt: skip
        extents = tuple(self.low.arg(self.extents[name]) for name in self.names)
        values = tuple(arg for _, arg in self.params)
        self.low.add(pg.Launch(self.low.named(kernel), extents, tuple(self.bindings), values))


# checks of indices -------------------------------------------------------------------------------


def check_indices(
    low: Context, node: Apply, indices: Sequence[tuple[Variable, Any]], batch: Sequence[Any],
    rest: Sequence[Any] | None,
) -> None:  # fmt: skip
    """Fail if an index is out of range: pairs of an index and an extent.

    Kernels check where they go. This is for writes over storage that must not be touched before
    (``rest`` None), and for kernels without a point because an extent of ``rest`` is 0, though the
    batch has elements: NumPy checks then, too.
    """
    empty = None if rest is None else _any_zero(low, rest)
    if rest is not None and empty is None:
        return
    for index, extent in indices:
        if index.type.ndim == 0:
            position = low.k.cast(low.scalar(index), "int64")
            low.check(low.let("lt", position, extent), f"{node.op}: index out of range")
            least = low.let("neg", extent)
            low.check(low.let("ge", position, least), f"{node.op}: index out of range")
            continue
        dims = list(low.dims(index))
        nothing = None if len(indices) == 1 else _any_zero(low, batch)
        if nothing is not None:
            dims[0] = _select(low, nothing, low.k.const(0, "int64"), dims[0])
        if empty is not None:
            dims[0] = _select(low, empty, dims[0], low.k.const(0, "int64"))
        _check_array(low, node, low.array(index), dims, extent, rest is not None)


def _any_zero(low: Context, extents: Sequence[Any]) -> Val | None:
    """Whether one of the extents is 0; None where it is known that none is."""
    found: Val | None = None
    for extent in extents:
        literal = extent if isinstance(extent, int) else low.literal(extent)
        if literal is None or literal == 0:
            zero = low.let("eq", extent, 0)
            found = zero if found is None else low.let("or", found, zero)
    return found


def _select(low: Context, condition: Val, yes: Val, no: Val) -> Val:
    literal = low.literal(condition)
    if literal is None:
        return low.k.select(condition, yes, no)
    return yes if literal else no


def _check_array(
    low: Context, node: Apply, array: str, dims: Sequence[Val], extent: Val, rare: bool
) -> None:
    """``rare``: as a plain loop, which compiles faster."""
    k = Builder()
    names = tuple(f"a{i}" for i in range(len(dims)))
    read = ir.Operand("i0", low.array_dtype[array], names)
    write = ir.Operand("o1", "bool", (), "out")
    size = k.value("s0", "int64")
    position = k.cast(k.load(read), "int64")
    outside = k.apply("or", k.ge(position, size), k.lt(position, -size))
    stages = [ir.Stage("each" if rare else "loop", ())]
    if rare:
        k.store(write, outside, (), add=True)
    else:
        found = k.accumulate("or", outside)
        last = Builder("z")
        last.store(write, last.value(found.name, "bool"))
        stages.append(ir.Stage("each", tuple(last.statements)))
    stages[0] = ir.Stage(stages[0].kind, tuple(k.statements))
    kernel = ir.Kernel(
        "indices", names if rare else (), () if rare else names, (read, write),
        (ir.Param("s0", "int64"),), tuple(stages), serial=names if rare else (),
    )  # fmt: skip
    flag = low.allocate("bool", ())
    low.add(pg.Poke(flag, False, "bool"))
    moves = tuple(range(len(dims)))
    operands = (pg.Operand(array, moves), pg.Operand(flag, (None,) * len(dims)))
    extents = tuple(map(low.arg, dims))
    low.add(pg.Launch(low.named(kernel), extents, operands, (low.arg(extent),)))
    low.check(low.let("not", low.peek(flag, "bool")), f"{node.op}: index out of range")


def guard_gathers(low: Context, nodes: Sequence[Apply]) -> None:
    """Check the indices of gathers that may have no elements because an extent of their array is 0.

    Indices that are computed in the same kernel are not checked then.
    """
    for node in nodes:
        found = getattr(node.op, "gathers", None)
        if found is None:
            continue
        x = node.inputs[0]
        pairs = [(node.inputs[position], axis) for position, axis in found(node)]
        taken = {axis for _, axis in pairs}
        rest = [size for axis, size in enumerate(low.dims(x)) if axis not in taken]
        ready = [(v, low.dims(x)[axis]) for v, axis in pairs if _ready(low, v)]
        batch = [size for v, _ in pairs for size in low.dims(v)]
        check_indices(low, node, ready, batch, rest)


def _ready(low: Context, variable: Variable) -> bool:
    """Whether a variable can be read before the kernel that is to be written next."""
    while variable.owner is not None and variable not in low.arrays:
        if variable in low.registers or variable.owner.op.lowering not in ("view", "reshape"):
            return variable in low.registers
        variable = variable.owner.inputs[0]
    return True


SCATTERS: dict[str, Callable[[Context, Apply], None]] = {
    "update_view": update_view,
    "scatter": scatter,
}
