"""Code along the vectorised axis: one line of points, and its accumulators.

What does not vary along the line is computed once, before it. Operands that do not follow each
other element by element are packed, a tile at a time, into buffers on the stack, so that there is
one vector loop for any strides.
"""

from __future__ import annotations

from dataclasses import field

from theano.backends.cpu import memory
from theano.backends.cpu.accumulate import (
    accumulator_dtypes,
    arg_horizontal,
    combined,
    horizontal,
    later_wins,
    start_value,
)  # fmt: skip
from theano.backends.cpu.body import DUMPS, Access, Body, Place, Value
from theano.backends.cpu.driver import Merge, Point, unit_condition, value_dtypes, vector_loop
from theano.backends.cpu.emit import REGISTER_TYPES
from theano.backends.cpu.flow import Carried, Function
from theano.backends.cpu.schedule import Plan, Split
from theano.core.record import dataclass
from theano.kernel import ir

TILE = 256  # elements that a strided operand is packed into at a time
SEVERAL = 4  # vectors a round, where a line is little but loads
AHEAD = 1 << 12  # bytes between asking for what a reduction reads, and using it
SHORT = 12  # statements that are written several times a round
BLOCK = 200  # statements to a basic block
LONGEST = 1 << 30  # points of a tile: positions in it are int32


@dataclass(frozen=True)
class Row:
    """Where a line is: pointers, values and positions that hold along it; its flat start."""

    pointers: dict[str, str]
    env: dict[str, Value]
    indices: dict[str, str]
    start: str
    stop: str
    flat: str = "0"


@dataclass()
class Tile:
    """A part of a line: [first, end), and where operands are."""

    first: str
    end: str
    places: dict[str, Place]
    fixed: dict[Access, Place] = field(default_factory=dict)


class Lines:
    """Writes lines of one kernel into one function; make it in the entry block."""

    def __init__(self, plan: Plan, f: Function) -> None:
        self.plan, self.f, self.layout = plan, f, plan.layout
        self.lanes = plan.lanes
        self.e = f.at(self.lanes)
        self.dtypes = value_dtypes(plan.kernel)
        self.part: tuple[str, str] | None = None  # of the target that a chunk writes to
        self.dump = f.alloca("i64", DUMPS) if plan.by_parts else ""
        self.stream = ""
        if plan.streamed:
            word = f.word("%ctx", self.layout.own("stream"))
            self.stream = f.s.emit(f"icmp ne i64 {word}, 0")
        self.packs = {} if self.lanes == 1 else self._buffers()
        names = [name for name, _ in self.packs]
        self.unit = unit_condition(f, self.layout, plan.last, names)

    def _buffers(self) -> dict[Access, str]:
        accesses = dict.fromkeys(a for split in self.plan.splits for a in split.packed)
        return {
            access: self.f.alloca(f"[{memory.itemsize(self._operand(access).dtype)} x i8]", TILE)
            for access in accesses
        }

    def _operand(self, access: Access) -> ir.Operand:
        return self.plan.kernel.operand(access[0])

    # accumulators ---------------------------------------------------------------------------------

    def start(self, split: Split) -> Carried:
        """The accumulators before the first line."""
        carried: Carried = []
        for s in split.accumulators:
            arg = s.kind.startswith("arg")
            e = self.f.s if arg else self.e
            kinds = accumulator_dtypes(s, self.dtypes[s.value])
            starts = start_value(e, s, self.dtypes[s.value])
            carried += [(e.type(k), x) for k, x in zip(kinds, starts, strict=True)]
        return carried

    def finish(self, split: Split, state: list[str]) -> dict[str, list[Value]]:
        """The accumulators after the last line: [value], or [index, value] for arg-kinds."""
        found: dict[str, list[Value]] = {}
        left = list(state)
        for s in split.accumulators:
            dtype = self.dtypes[s.value]
            if s.kind.startswith("arg"):
                index, best = left.pop(0), left.pop(0)
                found[s.out] = [Value("int64", scalar=index), Value(dtype, scalar=best)]
            else:
                one = horizontal(self.f, self.lanes, s.kind, dtype, left.pop(0))
                found[s.out] = [Value(dtype, scalar=one)]
        return found

    # a line ---------------------------------------------------------------------------------------

    def run(self, split: Split, row: Row, carried: Carried) -> list[str]:
        """One line; the accumulators after it."""
        body = Body(self.f, self.f.s, self.layout, row.env)
        body.places = {name: Place(p) for name, p in row.pointers.items()}
        body.indices, body.axis, body.part = row.indices, "-", self.part
        for s in split.hoisted:
            body.run(s)
        inside = "true"
        moved: dict[Access, str] = {}
        for name, index in split.rows:
            pointer, ok = body.gathered(name, index, body.places[name])
            moved[name, index] = pointer
            inside = ok if inside == "true" else self.f.s.emit(f"and i1 {inside}, {ok}")
        if split.hoisted or moved:
            some = self._nonempty(row) if self.f.s.failures else None
            body.report_failures(some)
        env = body.env
        self._spread(split, env)
        row = Row(row.pointers, env, row.indices, row.start, row.stop, row.flat)
        if inside == "true":
            return self._tiles(split, row, moved, carried)
        return self.f.when(inside, carried, lambda: self._tiles(split, row, moved, carried))

    def _nonempty(self, row: Row) -> str:
        return self.f.s.emit(f"icmp slt i64 {row.start}, {row.stop}")

    def _spread(self, split: Split, env: dict[str, Value]) -> None:
        """Broadcast, before the loop, the values that hold along the line."""
        if self.lanes == 1:
            return
        for name in split.spread:
            value = env[name]
            if value.scalar is not None and value.vector is None:
                wide = self.e.broadcast(REGISTER_TYPES[value.dtype], value.scalar)
                env[name] = Value(value.dtype, value.scalar, wide)

    def _tiles(
        self, split: Split, row: Row, moved: dict[Access, str], carried: Carried
    ) -> list[str]:
        f = self.f
        packed = {a: moved.get(a, row.pointers[a[0]]) for a in split.packed if a in self.packs}
        args = any(s.kind.startswith("arg") for s in split.accumulators)
        plain = Tile(row.start, row.stop, self._places(split, row, {}))
        plain.fixed = {a: Place(p) for a, p in moved.items()}
        if not packed and not args:
            return self._part(split, row, plain, carried)
        step = f.select(self.unit, "i64", str(LONGEST), str(TILE)) if packed else str(LONGEST)
        kinds = [k for k, _ in carried]

        def tile(first: str, state: list[str]) -> list[str]:
            end = f.least(f.i64("add", first, step), row.stop)
            near = self._pack(split, packed, first, end)
            part = Tile(first, end, self._places(split, row, near))
            part.fixed = {a: Place(near.get(a, p)) for a, p in moved.items()}
            after = self._part(split, row, part, list(zip(kinds, state, strict=True)))
            self._unpack(split, packed, first, end)
            return after

        return f.loop(row.start, row.stop, step, carried, tile)

    def _places(self, split: Split, row: Row, near: dict[Access, str]) -> dict[str, Place]:
        places = {}
        for o in self.plan.kernel.operands:
            pointer = near.get((o.name, ()), row.pointers[o.name])
            strided = self.lanes == 1 or o.name in split.lane_gathers
            if strided and self.plan.last in o.axes:
                stride = self.f.word("%ctx", self.layout.stride(o.name, self.plan.last))
                places[o.name] = Place(pointer, stride, False)
            else:
                places[o.name] = Place(pointer)
        return places

    # packing --------------------------------------------------------------------------------------

    def _pack(
        self, split: Split, packed: dict[Access, str], first: str, end: str
    ) -> dict[Access, str]:
        """Where the operands are in this tile, as if their first element were at position 0."""
        f = self.f
        if not packed:
            return {}
        names = list(packed)
        loaded = [a for a in names if a in split.loaded]

        def copy() -> list[str]:
            for access in loaded:
                self._copy(access, packed[access], first, end, True)
            near = []
            for access in names:
                size = memory.itemsize(self._operand(access).dtype)
                near.append(f.pointer(self.packs[access], f.i64("mul", first, str(-size))))
            return near

        loose = f.s.emit(f"xor i1 {self.unit}, true")
        found = f.when(loose, [("ptr", packed[a]) for a in names], copy)
        return dict(zip(names, found, strict=True))

    def _unpack(self, split: Split, packed: dict[Access, str], first: str, end: str) -> None:
        stored = [a for a in packed if a in split.stored]
        if not stored:
            return

        def copy() -> list[str]:
            for access in stored:
                self._copy(access, packed[access], first, end, False)
            return []

        self.f.when(self.f.s.emit(f"xor i1 {self.unit}, true"), [], copy)

    def _copy(self, access: Access, pointer: str, first: str, end: str, pack: bool) -> None:
        f, operand = self.f, self._operand(access)
        size = memory.itemsize(operand.dtype)
        stride = f.word("%ctx", self.layout.stride(operand.name, self.plan.last))
        there = f.pointer(pointer, f.i64("mul", first, stride))
        near, far = f"ptr {self.packs[access]}, i64 {size}", f"ptr {there}, i64 {stride}"
        args = f"{near}, {far}" if pack else f"{far}, {near}"
        self.e.declare("void", f"th_pack{size}", ["ptr", "i64", "ptr", "i64", "i64"])
        f.lines.append(f"  call void @th_pack{size}({args}, i64 {f.i64('sub', end, first)})")

    # the vector loop ------------------------------------------------------------------------------

    def _part(self, split: Split, row: Row, tile: Tile, carried: Carried) -> list[str]:
        """The points of a tile; arg-accumulators keep a position per lane inside of it."""
        e = self.e
        inner: Carried = []
        left = list(carried)
        for s in split.accumulators:
            if s.kind.startswith("arg"):
                dtype = self.dtypes[s.value]
                inner.append((e.type("int32"), memory.iota(e, "i32")))
                inner.append((e.type(dtype), start_value(e, s, dtype)[1]))
                del left[:2]
            else:
                inner.append(left.pop(0))
        several = SEVERAL if self._streams(split) else 1
        after = vector_loop(
            self.f, tile.first, tile.end, self.lanes, inner, self._point(split, row, tile),
            self.plan.masked, several, self._merge(split),
        )  # fmt: skip
        return self._collect(split, row, tile, carried, after)

    def _streams(self, split: Split) -> bool:
        """Whether a line costs little but its loads, so that several vectors a round are better."""
        if len(split.rest) >= SHORT or self.plan.masked or self.lanes == 1:
            return False
        if any(s.kind.startswith("arg") for s in split.accumulators):
            return False
        return bool(split.rows or split.accumulators)

    def _merge(self, split: Split) -> Merge | None:
        """How sums of several vectors a round become one."""
        if not split.accumulators or not self._streams(split):
            return None
        e, dtypes = self.e, [self.dtypes[s.value] for s in split.accumulators]
        pairs = list(zip(split.accumulators, dtypes, strict=True))
        starts = [start_value(e, s, dtype)[0] for s, dtype in pairs]

        def both(a: list[str], b: list[str]) -> list[str]:
            together = zip(pairs, a, b, strict=True)
            return [combined(e, s.kind, dtype, x, y)[0] for (s, dtype), x, y in together]

        return starts, both

    def _collect(
        self, split: Split, row: Row, tile: Tile, carried: Carried, after: list[str]
    ) -> list[str]:
        f = self.f
        done: list[str] = []
        old = [value for _, value in carried]
        for s in split.accumulators:
            if not s.kind.startswith("arg"):
                done.append(after.pop(0))
                old.pop(0)
                continue
            dtype = self.dtypes[s.value]
            index, best = after.pop(0), after.pop(0)
            index, best = arg_horizontal(f, self.lanes, s, dtype, index, best)
            place = f.i64("add", row.flat, tile.first)
            index = f.i64("add", place, f.s.emit(f"sext i32 {index} to i64"))
            was = [old.pop(0), old.pop(0)]
            done += later_wins(f.s, s, dtype, "int64", was, [index, best])
        return done

    def _point(self, split: Split, row: Row, tile: Tile) -> Point:
        e, f = self.e, self.f
        streams = bool(split.accumulators) and self._streams(split)
        ahead = {o.name: str(AHEAD) for o in self.plan.kernel.operands if streams}

        def run(position: str, mask: str | None, state: list[str]) -> list[str]:
            body = Body(f, e, self.layout, row.env)
            body.places, body.fixed = tile.places, tile.fixed
            body.indices, body.axis = row.indices, self.plan.last
            body.position, body.mask, body.part = position, mask, self.part
            body.dump = self.dump
            if e.lanes > 1 and mask is None:
                body.stream, body.streamed = self.stream, self.plan.streamed
            body.ahead = ahead
            left = list(state)
            done: list[str] = []

            def take(s: ir.Accumulate, value: str) -> None:
                dtype = self.dtypes[s.value]
                if s.kind.startswith("arg"):
                    old = [left.pop(0), left.pop(0)]
                    near = f.s.emit(f"trunc i64 {f.i64('sub', position, tile.first)} to i32")
                    spot = e.broadcast("i32", near)
                    if e.lanes > 1:
                        spot = e.binary("add", e.widen("i32"), spot, memory.iota(e, "i32"))
                    new = later_wins(e, s, dtype, "int32", old, [spot, value], mask)
                else:
                    new = combined(e, s.kind, dtype, left.pop(0), value, mask)
                done.extend(new)

            body.accumulate = take
            for number, s in enumerate(split.rest):
                if number % BLOCK == BLOCK - 1:  # LLVM's time a block grows faster than its size
                    after = f.label("more")
                    f.jump(after)
                    f.start(after)
                body.run(s)
            body.report_failures()
            return done

        return run
