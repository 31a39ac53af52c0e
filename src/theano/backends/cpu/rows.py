"""Bodies that go along the last axis: maps, reductions of rows, row chains, full reductions."""

from __future__ import annotations

from theano.backends.cpu import memory
from theano.backends.cpu.accumulate import combined, later_wins, start_value
from theano.backends.cpu.body import Body, Place, Value
from theano.backends.cpu.driver import (
    ONCE,
    advance,
    base_pointers,
    chunk_ranges,
    decompose,
    extents_of,
    from_word,
    load_scalars,
    part_of_chunk,
    to_word,
    value_dtypes,
)  # fmt: skip
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Carried, Function, product
from theano.backends.cpu.lines import Lines, Row
from theano.backends.cpu.schedule import Plan, Split
from theano.kernel import ir

AHEAD = 8  # rows between asking for one that an index names, and using it
FETCHED = 8  # cache lines of it that are asked for; what comes after follows by itself


class Rows:
    """``void @symbol(ptr ctx, i64 chunk)`` and, for a full reduction, ``@symbol.end``."""

    def __init__(self, plan: Plan, symbol: str, module: Emitter) -> None:
        self.plan, self.symbol, self.module = plan, symbol, module
        self.kernel, self.layout = plan.kernel, plan.layout
        self.f = Function(module, plan.lanes)

    def render(self) -> str:
        """All functions."""
        f, kernel = self.f, self.kernel
        self.lines = Lines(self.plan, f)
        self.bases = base_pointers(f, self.layout)
        env = load_scalars(f, self.layout)
        after = ""
        if not kernel.axes:
            row = Row(self.bases, env, {}, "0", "1")
            self.lines.run(self.plan.splits[0], row, [])
        elif not kernel.inner:
            self._map(env)
        elif not self.plan.whole:
            self._rows(env)
        else:
            self._whole(env)
            after = self._end()
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)") + after

    def _map(self, env: dict[str, Value]) -> None:
        f, axes = self.f, self.kernel.outer[:-1]
        extents = extents_of(f, self.layout, axes)
        length = f.word("%ctx", self.layout.extent(self.plan.last))
        first, end, start, stop = chunk_ranges(f, self.layout, product(f, extents), length)
        if self.plan.by_parts:
            self.lines.part = part_of_chunk(f, self.layout)

        named = len(axes) == 1 and self.plan.lanes > 1
        fetches = self._fetches(start, stop) if named else {}

        def row(flat: str, carried: list[str]) -> list[str]:
            at = dict(zip(axes, decompose(f, flat, extents), strict=True))
            pointers = advance(f, self.layout, self.bases, at)
            if fetches:
                later = f.least(f.i64("add", flat, str(AHEAD)), f.i64("sub", end, "1"))
                self._fetch(env, axes[0], later, fetches)
            return self.lines.run(self.plan.splits[0], Row(pointers, env, at, start, stop), [])

        if axes:
            f.loop(first, end, 1, [], row)
        else:
            row("0", [])

    def _fetches(self, start: str, stop: str) -> dict[str, list[str]]:
        """Per operand with lines that indices name, which bytes of a line to ask for early."""
        f, found = self.f, {}
        for name, _ in self.plan.splits[0].rows:
            size = str(memory.itemsize(self.kernel.operand(name).dtype))
            first = f.i64("mul", start, size)
            end = f.i64("sub", f.i64("mul", stop, size), "1")
            places = [f.i64("add", first, str(64 * k)) for k in range(FETCHED)]
            found[name] = [f.least(place, end) for place in places]
        return found

    def _fetch(
        self, env: dict[str, Value], axis: str, later: str, fetches: dict[str, list[str]]
    ) -> None:
        """Ask for the lines that indices name at position ``later``."""
        f, split = self.f, self.plan.splits[0]
        needed = {name for _, index in split.rows for name in index}
        statements: list[ir.Stmt] = []
        for s in reversed(split.hoisted):
            if isinstance(s, ir.Const | ir.Index | ir.Load | ir.Apply) and s.out in needed:
                statements.insert(0, s)
                needed |= {*getattr(s, "args", ()), *getattr(s, "index", ())}
        kept, f.s.failures = f.s.failures, []
        body = Body(f, f.s, self.layout, env)
        pointers = advance(f, self.layout, self.bases, {axis: later})
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.indices, body.axis = {axis: later}, "-"
        for s in statements:
            body.run(s)
        for name, index in split.rows:
            place, _ = body.gathered(name, index, body.places[name])
            write = self.kernel.operand(name).mode == "scatter"
            for offset in fetches[name]:
                memory.emit_prefetch(f.s, f.pointer(place, offset), write)
        f.s.failures = kept

    def _rows(self, env: dict[str, Value]) -> None:
        f, kernel = self.f, self.kernel
        extents = extents_of(f, self.layout, kernel.outer)
        inner = extents_of(f, self.layout, kernel.inner)
        first, end, _, _ = chunk_ranges(f, self.layout, product(f, extents), "0")
        strips = product(f, inner[:-1])

        def row(flat: str, carried: list[str]) -> list[str]:
            at = dict(zip(kernel.outer, decompose(f, flat, extents), strict=True))
            pointers = advance(f, self.layout, self.bases, at)
            here = dict(env)
            splits = iter(self.plan.splits)
            for stage in kernel.stages:
                if stage.kind == "each":
                    here = self._each(f, stage, pointers, here, at)
                    continue
                ranges = ("0", strips, "0", inner[-1])
                here_row = Row(pointers, here, at, *ranges[2:])
                found = self._loop(next(splits), here_row, inner, ranges)
                here = {**here, **{name: values[0] for name, values in found.items()}}
            return []

        f.loop(first, end, 1, [], row)

    def _each(
        self, f: Function, stage: ir.Stage, pointers: dict[str, str], env: dict[str, Value],
        at: dict[str, str],
    ) -> dict[str, Value]:  # fmt: skip
        """Scalar code at one outer position."""
        body = Body(f, f.s, self.layout, env)
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.indices, body.axis = at, "-"
        for s in stage.body:
            body.run(s)
        body.report_failures()
        return body.env

    def _loop(
        self, split: Split, row: Row, inner: list[str], ranges: tuple[str, str, str, str]
    ) -> dict[str, list[Value]]:
        """One pass over (part of) the inner axes: its accumulators."""
        f, axes = self.f, self.kernel.inner[:-1]
        carried = self.lines.start(split)
        kinds = [k for k, _ in carried]

        def strip(number: str, state: list[str]) -> list[str]:
            at = dict(zip(axes, decompose(f, number, inner[:-1]), strict=True))
            pointers = advance(f, self.layout, row.pointers, at)
            here = Row(
                pointers, row.env, {**row.indices, **at}, ranges[2], ranges[3],
                f.i64("mul", number, inner[-1]),
            )  # fmt: skip
            return self.lines.run(split, here, list(zip(kinds, state, strict=True)))

        if axes:
            state = f.loop(ranges[0], ranges[1], 1, carried, strip)
        else:
            state = strip("0", [x for _, x in carried])
        return self.lines.finish(split, state)

    # full reductions: chunks of the inner axes, then an end ---------------------------------------

    def _whole(self, env: dict[str, Value]) -> None:
        f, accs = self.f, self.layout.accumulators
        inner = extents_of(f, self.layout, self.kernel.inner)
        ranges = chunk_ranges(f, self.layout, product(f, inner[:-1]), inner[-1])
        (split,) = self.plan.splits
        done = self._loop(split, Row(self.bases, env, {}, *ranges[2:]), inner, ranges)
        for i, s in enumerate(accs):
            for j, value in enumerate(done[s.out]):
                self._keep(i + j * len(accs), value)

    def _partial(self, f: Function, number: int, chunk: str) -> str:
        offset = f.i64("add", str(self.layout.partial(number)), chunk)
        return f.s.emit(f"getelementptr i64, ptr %ctx, i64 {offset}")

    def _keep(self, number: int, value: Value) -> None:
        assert value.scalar is not None
        word = to_word(self.f, value.scalar, value.dtype)
        place = self._partial(self.f, number, "%chunk")
        self.f.lines.append(f"  store i64 {word}, ptr {place}, align 8")

    def _end(self) -> str:
        """``void @symbol.end(ptr ctx, i64 chunks)``: combine in order, then the last stages."""
        f = Function(self.module, 1)
        accs, dtypes = self.layout.accumulators, value_dtypes(self.kernel)
        env = load_scalars(f, self.layout)
        carried: Carried = []
        for s in accs:
            kinds = ["int64"] * s.kind.startswith("arg") + [dtypes[s.value]]
            starts = start_value(f.s, s, dtypes[s.value])
            carried += [(REGISTER_TYPES[k], x) for k, x in zip(kinds, starts, strict=True)]

        def one(chunk: str, state: list[str]) -> list[str]:
            done: list[str] = []
            left = list(state)
            for i, s in enumerate(accs):
                dtype = dtypes[s.value]
                if s.kind.startswith("arg"):
                    new = [self._kept(f, i, chunk, "int64")]
                    new.append(self._kept(f, len(accs) + i, chunk, dtype))
                    done += later_wins(f.s, s, dtype, "int64", [left.pop(0), left.pop(0)], new)
                else:
                    new = [self._kept(f, i, chunk, dtype)]
                    done += combined(f.s, s.kind, dtype, left.pop(0), new[0])
            return done

        final = f.loop("0", "%chunks", 1, carried, one)
        for s in accs:
            env[s.out] = Value(s.dtype, scalar=final.pop(0))
            if s.kind.startswith("arg"):
                final.pop(0)
        bases = base_pointers(f, self.layout)
        for stage in self.kernel.stages:
            if stage.kind == "each":
                env = self._each(f, stage, bases, env, {})
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}.end(ptr %ctx, i64 %chunks)", ONCE)

    def _kept(self, f: Function, number: int, chunk: str, dtype: str) -> str:
        place = self._partial(f, number, chunk)
        return from_word(f, f.s.emit(f"load i64, ptr {place}, align 8"), dtype)
