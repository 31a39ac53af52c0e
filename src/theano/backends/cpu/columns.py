"""Reductions across a contiguous outer axis (column sums): accumulators in a tile on the stack."""

from __future__ import annotations

from theano.backends.cpu import memory
from theano.backends.cpu.accumulate import (
    better,
    combined,
    is_extreme,
    later_wins,
    start_value,
    witness,
)
from theano.backends.cpu.body import Body, Place, Value
from theano.backends.cpu.driver import (
    advance,
    base_pointers,
    chunk_ranges,
    decompose,
    extents_of,
    lane_mask,
    load_scalars,
    value_dtypes,
    vector_loop,
)  # fmt: skip
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.flow import Function, product
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir

TILE_BYTES = 1 << 14  # of accumulators on the stack; half where they are wider than 4 bytes
ROWS = 4  # taken per pass
SHORT = 12  # statements up to which some rows are taken, and two vectors of each, at a time
MOST_ROWS = (1 << 31) - 1  # positions of the best are int32


def columns_possible(plan: Plan) -> bool:
    """Whether the kernel is one loop over the inner axes, then code after it; no gathers."""
    kernel = plan.kernel
    loops = [i for i, s in enumerate(kernel.stages) if s.kind == "loop"]
    return (
        bool(kernel.outer) and loops == [0] and plan.lanes > 1
        and not any(o.gather for o in kernel.operands)
        and not any(o.mode == "scatter" for o in kernel.operands)
    )  # fmt: skip


def tile_width(plan: Plan) -> int:
    """Columns whose accumulators are on the stack at a time, a multiple of 64."""
    dtypes = value_dtypes(plan.kernel)
    size = 0
    for s in plan.layout.accumulators:
        size += 4 * s.kind.startswith("arg") + memory.itemsize(dtypes[s.value])
    most = TILE_BYTES if size <= 4 else TILE_BYTES // 2
    return max(128, most // max(1, size) // 64 * 64)


def render_columns(plan: Plan, symbol: str, module: Emitter) -> str:
    """``void @symbol(ptr ctx, i64 chunk)``; chunks are ranges of columns."""
    return Columns(plan, symbol, module).render()


Near = tuple[str, dict[str, str], dict[str, str]]  # flat row, positions, pointers


class Columns:
    """See the module text."""

    def __init__(self, plan: Plan, symbol: str, module: Emitter) -> None:
        self.plan, self.symbol = plan, symbol
        self.kernel, self.layout = plan.kernel, plan.layout
        self.f = Function(module, plan.lanes)
        self.e = self.f.v
        self.dtypes = value_dtypes(plan.kernel)
        self.axis = plan.kernel.outer[-1]
        self.loop = plan.kernel.stages[0]
        self.accs = plan.layout.accumulators
        self.width = tile_width(plan)
        self.tiles: dict[str, list[tuple[str, str]]] = {}  # acc -> (dtype, buffer)
        self.env: dict[str, Value] = {}
        self.where: dict[str, str] = {}
        self.pointers: dict[str, str] = {}
        self.inner: list[str] = []
        self.ahead: dict[str, str] = {}

    def render(self) -> str:
        """The function."""
        f, kernel, layout = self.f, self.kernel, self.layout
        for s in self.accs:
            kinds = ["int32"] * s.kind.startswith("arg") + [self.dtypes[s.value]]
            self.tiles[s.out] = [
                (k, f.alloca(f"[{memory.itemsize(k)} x i8]", self.width)) for k in kinds
            ]
        bases = base_pointers(f, layout)
        self.env = load_scalars(f, layout)
        others = extents_of(f, layout, kernel.outer[:-1])
        self.inner = extents_of(f, layout, kernel.inner)
        (width,) = extents_of(f, layout, (self.axis,))
        first, end, start, stop = chunk_ranges(f, layout, product(f, others), width)
        rows = product(f, self.inner)
        self._look_ahead()

        def outer(flat: str, carried: list[str]) -> list[str]:
            self.where = dict(zip(kernel.outer[:-1], decompose(f, flat, others), strict=True))
            self.pointers = advance(f, layout, bases, self.where)

            def tile(column: str, carried: list[str]) -> list[str]:
                last = f.least(f.i64("add", column, str(self.width)), stop)
                self._tile(rows, column, last)
                return []

            f.loop(start, stop, self.width, [], tile)
            return []

        f.loop(first, end, 1, [], outer)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")

    def _look_ahead(self) -> None:
        """Rows are asked for while those that many before are read."""
        step, axis = self._step(), self.kernel.inner[-1]
        if step > 1:
            for o in self.kernel.operands:
                if o.mode == "in" and axis in o.axes:
                    stride = self.f.word("%ctx", self.layout.stride(o.name, axis))
                    self.ahead[o.name] = self.f.i64("mul", stride, str(step))

    def _row(self, number: str) -> Near:
        """Positions and pointers of a row of the inner axes."""
        at = dict(zip(self.kernel.inner, decompose(self.f, number, self.inner), strict=True))
        return number, {**self.where, **at}, advance(self.f, self.layout, self.pointers, at)

    def _tile(self, rows: str, start: str, stop: str) -> None:
        f, lanes = self.f, self.plan.lanes

        def begin(position: str, carried: list[str]) -> list[str]:
            for s in self.accs:
                best = start_value(self.e, s, self.dtypes[s.value])[-1]
                zero = [self.e.const("int32", 0)] * s.kind.startswith("arg")
                self._put(s, [*zero, best], position)
            return []

        step = self._step()
        done = f.s.emit(f"and i64 {rows}, {-step}") if step > 1 else rows
        span = f.i64("sub", stop, start)
        middle = f.i64("add", start, f.s.emit(f"and i64 {span}, {-lanes}"))

        def strips(quick: str) -> list[str]:
            def strip(number: str, carried: list[str]) -> list[str]:
                near = [self._row(f.i64("add", number, str(i))) for i in range(step)]
                return self._across(start, middle, near, carried)

            f.loop("0", span, lanes, [], begin)
            zero = [(self.e.type(quick), self.e.const(quick, 0.0))] if quick else []
            return f.loop("0", done, step, zero, strip)

        dtype = self._extremes()
        for seen in strips(dtype):
            f.when(self.e.any(self.e.fcmp("uno", dtype, seen, seen)), [], lambda: strips(""))
        self._rest(rows, done, start, middle, stop)
        self._finish(start, stop)

    def _extremes(self) -> str:
        """The dtype of maxima that are first taken as if there were no NaN, or nothing."""
        kinds = {d for s in self.accs if is_extreme(s.kind, d := self.dtypes[s.value])}
        return kinds.pop() if len(kinds) == 1 and self._step() > 1 else ""

    def _step(self) -> int:
        """How many rows are taken per pass."""
        body = self.loop.body
        if any(isinstance(s, ir.Store) for s in body):
            return 1
        return ROWS if len(body) <= SHORT else 1

    def _rest(self, rows: str, done: str, start: str, middle: str, stop: str) -> None:
        """The last columns of all rows, and all columns of the last rows: one masked vector after
        the other, with its accumulators in registers."""
        f, lanes = self.f, self.plan.lanes
        left = f.s.emit(f"icmp slt i64 {done}, {rows}")

        def strip(position: str, carried: list[str]) -> list[str]:
            mask = lane_mask(f, position, stop, lanes)
            early = f.s.emit(f"icmp slt i64 {position}, {middle}")
            place = f.i64("sub", position, start)
            state = {s.out: self._get(s, place) for s in self.accs}
            kinds = [self.e.type(d) for s in self.accs for d, _ in self.tiles[s.out]]
            flat = [value for s in self.accs for value in state[s.out]]

            def row(number: str, values: list[str]) -> list[str]:
                left = list(values)
                now = {s.out: [left.pop(0) for _ in state[s.out]] for s in self.accs}
                self._point(self._row(number), position, mask, now)
                return [value for s in self.accs for value in now[s.out]]

            first = f.select(early, "i64", done, "0")
            final = f.loop(first, rows, 1, list(zip(kinds, flat, strict=True)), row)
            for s in self.accs:
                values = [final.pop(0) for _ in state[s.out]]
                self._put(s, values, place)
            return []

        f.loop(f.select(left, "i64", start, middle), stop, lanes, [], strip)

    def _across(self, start: str, stop: str, near: list[Near], carried: list[str]) -> list[str]:
        """Accumulate some rows over the columns [start, stop), whole vectors.

        ``carried``: empty, or a sum that is NaN if some value was; extremes are then taken quickly.
        """
        f, lanes = self.f, self.plan.lanes

        def point(position: str, carried: list[str]) -> list[str]:
            place = f.i64("sub", position, start)
            state = {s.out: self._get(s, place) for s in self.accs}
            met: list[str] | None = [] if carried else None
            for row in near:
                self._point(row, position, None, state, met)
            for s in self.accs:
                self._put(s, state[s.out], place)
            return [witness(self.e, self._extremes(), c, met or ()) for c in carried]

        def pair(position: str, carried: list[str]) -> list[str]:
            return point(f.i64("add", position, str(lanes)), point(position, carried))

        span = f.s.emit(f"and i64 {f.i64('sub', stop, start)}, {-2 * lanes}")
        even = f.i64("add", start, span)
        kind = [self.e.type(self._extremes())] if carried else []
        carried = f.loop(start, even, 2 * lanes, list(zip(kind, carried, strict=True)), pair)
        return f.loop(even, stop, lanes, list(zip(kind, carried, strict=True)), point)

    def _point(
        self, row: Near, position: str, mask: str | None, state: dict[str, list[str]],
        met: list[str] | None = None,
    ) -> None:  # fmt: skip
        """Accumulate one vector of a row. With ``met``, extremes are noted there, and taken as if
        none were NaN."""
        number, at, pointers = row
        body = self._body(pointers, position, mask)
        body.indices = at
        if met is not None:  # little more than loads: the processor is ahead by itself
            body.ahead = {}

        def take(s: ir.Accumulate, value: str) -> None:
            dtype, old = self.dtypes[s.value], state[s.out]
            if s.kind.startswith("arg"):
                row = self.f.s.emit(f"trunc i64 {number} to i32")
                new = [self.e.broadcast("i32", row), value]
                state[s.out] = later_wins(self.e, s, dtype, "int32", old, new)
            elif met is not None and dtype == self._extremes() and is_extreme(s.kind, dtype):
                state[s.out] = [better(self.e, s.kind, dtype, old[0], value)]
                met.append(value)
            else:
                state[s.out] = combined(self.e, s.kind, dtype, old[0], value)

        body.accumulate = take
        for s in self.loop.body:
            body.run(s)
        body.report_failures()

    def _body(self, pointers: dict[str, str], position: str, mask: str | None) -> Body:
        body = Body(self.f, self.e, self.layout, self.env)
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.axis, body.position, body.mask = self.axis, position, mask
        body.ahead = self.ahead if mask is None else {}
        return body

    def _finish(self, start: str, stop: str) -> None:
        f = self.f
        after = [s for stage in self.kernel.stages[1:] for s in stage.body]

        def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
            body = self._body(self.pointers, position, mask)
            body.indices = self.where
            for s in self.accs:
                found = self._get(s, f.i64("sub", position, start))[0]
                if s.kind.startswith("arg"):
                    found = self.e.convert("sext", "i32", found, "i64")
                body.env[s.out] = Value(s.dtype, vector=found)
            for statement in after:
                body.run(statement)
            body.report_failures()
            return []

        vector_loop(f, start, stop, self.plan.lanes, [], point, self.plan.masks_are_cheap)

    # tiles; what is in them beyond the last column is never used --------------------------

    def _slots(self, s: ir.Accumulate, place: str) -> list[tuple[str, str]]:
        found = []
        for dtype, buffer in self.tiles[s.out]:
            size = memory.itemsize(dtype)
            found.append((dtype, self.f.pointer(buffer, self.f.i64("mul", place, str(size)))))
        return found

    def _get(self, s: ir.Accumulate, place: str) -> list[str]:
        return [memory.emit_load(self.e, d, p) for d, p in self._slots(s, place)]

    def _put(self, s: ir.Accumulate, values: list[str], place: str) -> None:
        for (dtype, pointer), value in zip(self._slots(s, place), values, strict=True):
            memory.emit_store(self.e, dtype, pointer, value)
