"""Reductions across a contiguous outer axis (column sums): accumulators in a tile on the stack.

Several rows are taken at a time: each accumulator is read and written once for all of them. They
lie a quarter of all rows apart, so that the processor sees as many streams that each go straight
through memory; rows next to each other would be streams that jump at the end of each.

For the same reason a large array is split into ranges of rows, by its size alone; each leaves its
accumulators in memory, and ``@symbol.end`` makes one of them. Other work is split by columns.
"""

from __future__ import annotations

from collections.abc import Callable

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
    FREELY,
    STRIPES,
    advance,
    base_pointers,
    chunk_ranges,
    decompose,
    extents_of,
    lane_mask,
    launch_chunks,
    load_scalars,
    value_dtypes,
    vector_loop,
)  # fmt: skip
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.flow import Function, product
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir

TILE_BYTES = 1 << 16  # of accumulators on the stack: rows in one piece count for more than caches
NEAR_TILE_BYTES = 1 << 13  # the same where rows next to each other are taken
PART = 1 << 22  # elements in a range of rows, at least
PARTS, PART_ROWS = 64, 64  # most ranges; fewest rows of one
AHEAD = 2048  # bytes along a stream
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


def rows_per_pass(plan: Plan) -> int:
    """How many rows are taken at a time."""
    body = plan.kernel.stages[0].body
    if any(isinstance(s, ir.Store) for s in body):
        return 1
    return ROWS if len(body) <= SHORT else 1


def rows_apart(plan: Plan) -> bool:
    """Whether the rows of a pass are far from each other: not where the first of equals counts."""
    args = any(s.kind.startswith("arg") for s in plan.layout.accumulators)
    return rows_per_pass(plan) > 1 and not args


def column_bytes(plan: Plan) -> int:
    """The bytes of the accumulators of a column."""
    dtypes = value_dtypes(plan.kernel)
    return sum(
        4 * s.kind.startswith("arg") + memory.itemsize(dtypes[s.value])
        for s in plan.layout.accumulators
    )


def tile_width(plan: Plan, most: int = 0) -> int:
    """Columns whose accumulators are on the stack at a time, a multiple of 64."""
    most = most or (TILE_BYTES if rows_apart(plan) else NEAR_TILE_BYTES)
    return max(128, most // max(1, column_bytes(plan)) // 64 * 64)


def launch_columns(f: Function, plan: Plan, symbol: str, outer: list[str], rows: str) -> None:
    """Run ``@symbol`` on ranges of columns or, where that is much work, of rows."""

    def by_columns() -> None:
        others = f.i64("mul", product(f, outer[:-1]), rows)
        align = tile_width(plan, NEAR_TILE_BYTES) // 8
        launch_chunks(f, plan, symbol, others, outer[-1], align, FREELY + STRIPES)

    if not rows_apart(plan):
        by_columns()
        return
    e, layout = f.s, plan.layout
    size = f.i64("mul", rows, outer[-1])
    parts = f.least(e.emit(f"sdiv i64 {size}, {PART}"), e.emit(f"sdiv i64 {rows}, {PART_ROWS}"))
    alone = e.emit(f"icmp eq i64 {product(f, outer[:-1])}, 1")
    parts = f.select(alone, "i64", f.least(parts, str(PARTS)), "1")

    def by_rows() -> None:
        less = f.i64("sub", f.i64("add", rows, parts), "1")
        share = e.emit(f"sdiv i64 {less}, {parts}")
        grain = e.emit(f"and i64 {f.i64('add', share, str(ROWS - 1))}, {-ROWS}")
        less = f.i64("sub", f.i64("add", rows, grain), "1")
        count = e.emit(f"sdiv i64 {less}, {grain}")
        words = f.i64("mul", f.i64("mul", count, outer[-1]), str(column_bytes(plan)))
        e.declare("ptr", "th_alloc", ["i64"])
        e.declare("void", "th_free", ["ptr"])
        e.declare("void", "th_parallel", ["ptr", "ptr", "ptr", "i64"])
        sums = e.emit(f"call ptr @th_alloc(i64 {words})")

        def run() -> None:
            settings = {"mode": "2", "grain": grain, "parts": count,
                        "sums": e.emit(f"ptrtoint ptr {sums} to i64")}  # fmt: skip
            for name, value in settings.items():
                f.set_word("%ctx", layout.own(name), value)
            e.do(f"call void @th_parallel(ptr @th_pool, ptr @{symbol}, ptr %ctx, i64 {count})")
            e.do(f"call void @{symbol}.end(ptr %ctx)")
            e.do(f"call void @th_free(ptr {sums})")

        f.choose(e.emit(f"icmp ne ptr {sums}, null"), run, by_columns)  # null: out of memory

    f.choose(e.emit(f"icmp sgt i64 {parts}, 1"), by_rows, by_columns)


def render_columns(plan: Plan, symbol: str, module: Emitter) -> str:
    """``void @symbol(ptr ctx, i64 chunk)``, and ``@symbol.end(ptr ctx)`` for ranges of rows."""
    text = Columns(plan, symbol, module).render()
    return text + (Columns(plan, symbol, module).render_end() if rows_apart(plan) else "")


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
        self.width, self.step, self.apart = tile_width(plan), rows_per_pass(plan), rows_apart(plan)
        self.tiles: dict[str, list[tuple[str, str]]] = {}  # acc -> (dtype, buffer)
        self.env: dict[str, Value] = {}
        self.where: dict[str, str] = {}
        self.pointers: dict[str, str] = {}
        self.inner: list[str] = []
        self.span = ("0", "0")  # the rows of a chunk
        self.by_rows = ""  # whether chunks are ranges of rows
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
        self._rows_of_chunk()
        self._look_ahead()

        def outer(flat: str, carried: list[str]) -> list[str]:
            self.where = dict(zip(kernel.outer[:-1], decompose(f, flat, others), strict=True))
            self.pointers = advance(f, layout, bases, self.where)

            def tile(column: str, carried: list[str]) -> list[str]:
                last = f.least(f.i64("add", column, str(self.width)), stop)
                self._tile(column, last)
                return []

            f.loop(start, stop, self.width, [], tile)
            return []

        f.loop(first, end, 1, [], outer)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")

    def _rows_of_chunk(self) -> None:
        f, rows = self.f, product(self.f, self.inner)
        self.span = ("0", rows)
        if self.apart:
            mode = f.word("%ctx", self.layout.own("mode"))
            self.by_rows = f.s.emit(f"icmp eq i64 {mode}, 2")
            grain = f.word("%ctx", self.layout.own("grain"))
            first = f.i64("mul", "%chunk", grain)
            end = f.least(f.i64("add", first, grain), rows)
            self.span = (
                f.select(self.by_rows, "i64", first, "0"),
                f.select(self.by_rows, "i64", end, rows),
            )

    def _look_ahead(self) -> None:
        """What comes next is asked for: further along each stream, or rows near each other."""
        step, axis = self.step, self.kernel.inner[-1]
        for o in self.kernel.operands if step > 1 else ():
            if o.mode == "in" and axis in o.axes:
                self.ahead[o.name] = str(AHEAD)
                if not self.apart:
                    stride = self.f.word("%ctx", self.layout.stride(o.name, axis))
                    self.ahead[o.name] = self.f.i64("mul", stride, str(step))

    def _row(self, number: str) -> Near:
        """Positions and pointers of a row of the inner axes."""
        at = dict(zip(self.kernel.inner, decompose(self.f, number, self.inner), strict=True))
        return number, {**self.where, **at}, advance(self.f, self.layout, self.pointers, at)

    def _tile(self, start: str, stop: str) -> None:
        f, lanes = self.f, self.plan.lanes

        def begin(position: str, carried: list[str]) -> list[str]:
            for s in self.accs:
                best = start_value(self.e, s, self.dtypes[s.value])[-1]
                zero = [self.e.const("int32", 0)] * s.kind.startswith("arg")
                self._put(s, [*zero, best], position)
            return []

        step, (first, end) = self.step, self.span
        rows = f.i64("sub", end, first)
        whole = f.s.emit(f"and i64 {rows}, {-step}") if step > 1 else rows
        done = f.i64("add", first, whole)
        part = f.s.emit(f"udiv i64 {rows}, {step}") if self.apart else "1"
        last = f.i64("add", first, part) if self.apart else done
        span = f.i64("sub", stop, start)
        middle = f.i64("add", start, f.s.emit(f"and i64 {span}, {-lanes}"))

        def strips(quick: str) -> list[str]:
            def strip(number: str, carried: list[str]) -> list[str]:
                rows = [f.i64("mul", part, str(i)) if self.apart else str(i) for i in range(step)]
                some = [self._row(f.i64("add", number, row)) for row in rows]
                return self._across(start, middle, some, carried)

            f.loop("0", span, lanes, [], begin)
            zero = [(self.e.type(quick), self.e.const(quick, 0.0))] if quick else []
            return f.loop(first, last, 1 if self.apart else step, zero, strip)

        dtype = self._extremes()
        for seen in strips(dtype):
            f.when(self.e.any(self.e.fcmp("uno", dtype, seen, seen)), [], lambda: strips(""))
        self._rest(done, start, middle, stop)
        if self.apart:
            f.choose(self.by_rows, lambda: self._keep(start, stop),
                     lambda: self._finish(start, stop))  # fmt: skip
        else:
            self._finish(start, stop)

    def _extremes(self) -> str:
        """The dtype of maxima that are first taken as if there were no NaN, or nothing."""
        kinds = {d for s in self.accs if is_extreme(s.kind, d := self.dtypes[s.value])}
        return kinds.pop() if len(kinds) == 1 and self.step > 1 else ""

    def _rest(self, done: str, start: str, middle: str, stop: str) -> None:
        """The last columns of all rows, and all columns of the last rows: one masked vector after
        the other, with its accumulators in registers."""
        f, lanes = self.f, self.plan.lanes
        left = f.s.emit(f"icmp slt i64 {done}, {self.span[1]}")

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

            first = f.select(early, "i64", done, self.span[0])
            final = f.loop(first, self.span[1], 1, list(zip(kinds, flat, strict=True)), row)
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

        def found(position: str, mask: str | None) -> dict[str, str]:
            place = f.i64("sub", position, start)
            return {s.out: self._get(s, place)[0] for s in self.accs}

        self._store(start, stop, found)

    def _store(
        self, start: str, stop: str, found_at: Callable[[str, str | None], dict[str, str]]
    ) -> None:
        """The code behind the loop, for columns whose accumulators ``found_at`` gives."""
        f = self.f
        after = [s for stage in self.kernel.stages[1:] for s in stage.body]

        def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
            body = self._body(self.pointers, position, mask)
            body.indices = self.where
            values = found_at(position, mask)
            for s in self.accs:
                found = values[s.out]
                if s.kind.startswith("arg"):
                    found = self.e.convert("sext", "i32", found, "i64")
                body.env[s.out] = Value(s.dtype, vector=found)
            for statement in after:
                body.run(statement)
            body.report_failures()
            return []

        vector_loop(f, start, stop, self.plan.lanes, [], point, self.plan.masks_are_cheap)

    # ranges of rows -----------------------------------------------------------------------------

    def _sums(self, s: ir.Accumulate, part: str, position: str) -> str:
        """Where an accumulator of a range of rows is kept, at a column."""
        f, layout = self.f, self.layout
        width = f.word("%ctx", layout.extent(self.axis))
        parts = f.word("%ctx", layout.own("parts"))
        base = f.s.emit(f"inttoptr i64 {f.word('%ctx', layout.own('sums'))} to ptr")
        for other in self.accs:
            size = str(memory.itemsize(self.dtypes[other.value]))
            if other is s:
                place = f.i64("add", f.i64("mul", part, width), position)
                return f.pointer(base, f.i64("mul", place, size))
            base = f.pointer(base, f.i64("mul", f.i64("mul", parts, width), size))
        raise AssertionError(s)

    def _keep(self, start: str, stop: str) -> None:
        """Leave the accumulators of a tile for ``@symbol.end``."""
        f = self.f

        def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
            for s in self.accs:
                value = self._get(s, f.i64("sub", position, start))[0]
                dtype, to = self.dtypes[s.value], self._sums(s, "%chunk", position)
                if mask is None:
                    memory.emit_store(self.e, dtype, to, value)
                else:
                    memory.emit_masked_store(self.e, dtype, to, value, mask)
            return []

        vector_loop(f, start, stop, self.plan.lanes, [], point)

    def render_end(self) -> str:
        """Make one accumulator of those of all ranges, in their order, and finish."""
        f, layout = self.f, self.layout
        self.pointers, self.env = base_pointers(f, layout), load_scalars(f, layout)
        self.where = dict.fromkeys(self.kernel.outer[:-1], "0")
        (width,) = extents_of(f, layout, (self.axis,))
        parts = f.word("%ctx", layout.own("parts"))

        def found(position: str, mask: str | None) -> dict[str, str]:
            kinds = [self.e.type(self.dtypes[s.value]) for s in self.accs]
            first = self._kept("0", position, mask)

            def both(part: str, values: list[str]) -> list[str]:
                pairs = zip(self.accs, values, self._kept(part, position, mask), strict=True)
                return [combined(self.e, s.kind, self.dtypes[s.value], a, b)[0]
                        for s, a, b in pairs]  # fmt: skip

            values = f.loop("1", parts, 1, list(zip(kinds, first, strict=True)), both)
            return {s.out: value for s, value in zip(self.accs, values, strict=True)}

        self._store("0", width, found)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}.end(ptr %ctx)")

    def _kept(self, part: str, position: str, mask: str | None) -> list[str]:
        found = []
        for s in self.accs:
            dtype, place = self.dtypes[s.value], self._sums(s, part, position)
            if mask is None:
                found.append(memory.emit_load(self.e, dtype, place))
            else:
                found.append(memory.emit_masked_load(self.e, dtype, place, mask))
        return found

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
