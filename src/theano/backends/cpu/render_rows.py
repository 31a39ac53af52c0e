"""Kernels with inner axes: reductions, row chains, column sums.

Up to three bodies are written and the driver picks one by the strides it finds: *rows* (the last
inner axis is contiguous: vector code along it), *columns* (the last outer axis is contiguous: vector
code across it, accumulators in a tile on the stack), and *points* (anything else, one by one).
"""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu.body import Body, Place, Value, combine, horizontal, start_value
from theano.backends.cpu.columns import TILE, columns_possible, render_columns
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Carried, Function, product
from theano.backends.cpu.layout import CHUNKS
from theano.backends.cpu.render import (
    advance,
    base_pointer,
    chunk_ranges,
    decompose,
    from_word,
    launch_chunks,
    load_scalars,
    merge_axes,
    to_word,
    unit_condition,
    vector_loop,
)
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir


def render_rows(plan: Plan, symbol: str, module: Emitter) -> str:
    """All functions of a kernel with inner axes."""
    text = ""
    if plan.lanes > 1:
        text += Rows(plan, f"{symbol}.rows", module, plan.lanes).render()
    text += Rows(plan, f"{symbol}.points", module, 1).render()
    columns = columns_possible(plan)
    if columns:
        text += render_columns(plan, f"{symbol}.columns", module)
    return text + _driver(plan, symbol, module, columns)


def value_dtypes(kernel: ir.Kernel) -> dict[str, str]:
    """The dtype of every value."""
    found = {p.name: p.dtype for p in kernel.scalars}
    for stage in kernel.stages:
        for s in stage.body:
            if hasattr(s, "out"):
                found[s.out] = getattr(s, "dtype", "int64")
    return found


class Rows:
    """One body: outer positions one after the other, stages in order, loops ``lanes`` wide."""

    def __init__(self, plan: Plan, symbol: str, module: Emitter, lanes: int) -> None:
        self.plan, self.symbol, self.module, self.lanes = plan, symbol, module, lanes
        self.kernel, self.layout = plan.kernel, plan.layout
        self.dtypes = value_dtypes(plan.kernel)
        self.whole = not plan.kernel.outer

    def render(self) -> str:
        """``void @symbol(ptr ctx, i64 chunk)`` and, for a full reduction, ``@symbol.end``."""
        f = Function(self.module, self.lanes)
        kernel, layout = self.kernel, self.layout
        bases = {o.name: base_pointer(f, layout, o) for o in kernel.operands}
        env = load_scalars(f, layout)
        inner = {a: f.word("%ctx", layout.extent(a)) for a in kernel.inner}
        if self.whole:
            self._whole(f, bases, env, inner)
            return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)") + self._end()
        extents = [f.word("%ctx", layout.extent(a)) for a in kernel.outer]
        total = product(f, extents)
        first, end, _, _ = chunk_ranges(f, layout, total, "0")
        rows = product(f, [inner[a] for a in kernel.inner[:-1]])

        def row(flat: str, carried: list[str]) -> list[str]:
            indices = dict(zip(kernel.outer, decompose(f, flat, extents), strict=True))
            pointers = {
                o.name: advance(f, layout, o, bases[o.name], indices) for o in kernel.operands
            }
            here = dict(env)
            for stage in kernel.stages:
                if stage.kind == "each":
                    here = self.each(f, stage, pointers, here, indices)
                else:
                    here = self.loop(
                        f, stage, pointers, here, indices, inner,
                        ("0", rows, "0", inner[kernel.inner[-1]]),
                    )  # fmt: skip
            return []

        f.loop(first, end, 1, [], row)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")

    # stages -----------------------------------------------------------------------------------

    def each(
        self, f: Function, stage: ir.Stage, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str],
    ) -> dict[str, Value]:  # fmt: skip
        """Scalar code at one outer position."""
        body = Body(f, f.s, self.layout, env)
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.indices = indices
        body.axis = "-"
        for s in stage.body:
            body.run(s)
        body.report_failures()
        return body.env

    def loop(
        self, f: Function, stage: ir.Stage, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], inner: dict[str, str], ranges: tuple[str, str, str, str],
    ) -> dict[str, Value]:  # fmt: skip
        """One pass over (part of) the inner axes; adds the accumulated values to the environment."""
        parts = self.accumulate(f, stage, pointers, env, indices, inner, ranges)
        found = dict(env)
        for s in stage.body:
            if isinstance(s, ir.Accumulate):
                scalar = horizontal(f, s, self.dtypes[s.value], parts[s.out])
                found[s.out] = Value(s.dtype, scalar=scalar[0])
                found[s.out + ".best"] = Value(self.dtypes[s.value], scalar=scalar[-1])
        return found

    def accumulate(
        self, f: Function, stage: ir.Stage, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], inner: dict[str, str], ranges: tuple[str, str, str, str],
    ) -> dict[str, list[str]]:  # fmt: skip
        """The accumulators of a loop stage, one partial result per lane."""
        accs = [s for s in stage.body if isinstance(s, ir.Accumulate)]
        e = f.at(self.lanes)
        carried: Carried = []
        for s in accs:
            dtype = self.dtypes[s.value]
            kinds = ["int64", dtype] if s.kind.startswith("arg") else [s.dtype]
            starts = start_value(e, s, dtype)
            carried += [(e.type(k), x) for k, x in zip(kinds, starts, strict=True)]
        axes = self.kernel.inner
        extents = [inner[a] for a in axes[:-1]]
        types = [k for k, _ in carried]

        def strip(flat: str, state: list[str]) -> list[str]:
            where = dict(zip(axes[:-1], decompose(f, flat, extents), strict=True))
            near = {
                o.name: advance(f, self.layout, o, pointers[o.name], where)
                for o in self.kernel.operands
            }
            start = f.i64("mul", flat, inner[axes[-1]])
            point = self._point(f, stage, near, env, {**indices, **where}, start)
            return vector_loop(
                f, ranges[2], ranges[3], self.lanes, list(zip(types, state, strict=True)), point,
                self.plan.masked,
            )  # fmt: skip

        if len(axes) == 1:
            final = strip("0", [x for _, x in carried])
        else:
            final = f.loop(ranges[0], ranges[1], 1, carried, strip)
        found: dict[str, list[str]] = {}
        for s in accs:
            width = 2 if s.kind.startswith("arg") else 1
            found[s.out], final = final[:width], final[width:]
        return found

    def _point(
        self, f: Function, stage: ir.Stage, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], start: str,
    ) -> Callable[[str, str | None, list[str]], list[str]]:  # fmt: skip
        e = f.at(self.lanes)
        places = {o.name: self._place(f, o, pointers[o.name]) for o in self.kernel.operands}

        def run(position: str, mask: str | None, state: list[str]) -> list[str]:
            body = Body(f, e, self.layout, env)
            body.places, body.indices, body.axis = places, indices, self.plan.last
            body.position, body.mask = position, mask
            left = list(state)
            done: list[str] = []

            def take(s: ir.Accumulate, value: str) -> None:
                dtype = self.dtypes[s.value]
                width = 2 if s.kind.startswith("arg") else 1
                old = [left.pop(0) for _ in range(width)]
                done.extend(_step(f, e, s, dtype, old, value, (start, position), mask))

            body.accumulate = take
            for s in stage.body:
                body.run(s)
            body.report_failures()
            return done

        return run

    def _place(self, f: Function, o: ir.Operand, pointer: str) -> Place:
        if self.lanes > 1 and not o.gather:
            return Place(pointer)
        return Place(pointer, f.word("%ctx", self.layout.stride(o.name, self.plan.last)), False)

    # full reductions: chunks of the inner axes, then an end ---------------------------------------

    def _whole(
        self, f: Function, bases: dict[str, str], env: dict[str, Value], inner: dict[str, str]
    ) -> None:
        axes = self.kernel.inner
        rows = product(f, [inner[a] for a in axes[:-1]])
        ranges = chunk_ranges(f, self.layout, rows, inner[axes[-1]])
        stage = next(s for s in self.kernel.stages if s.kind == "loop")
        done = self.loop(f, stage, bases, env, {}, inner, ranges)
        number = len(self.layout.accumulators)
        for i, s in enumerate(self.layout.accumulators):
            self._keep(f, i, done[s.out])
            if s.kind.startswith("arg"):
                self._keep(f, number + i, done[s.out + ".best"])
        f.lines.append("  ret void")

    def _keep(self, f: Function, number: int, value: Value) -> None:
        offset = f.i64("add", str(self.layout.partial(number)), "%chunk")
        place = f.s.emit(f"getelementptr i64, ptr %ctx, i64 {offset}")
        assert value.scalar is not None
        word = to_word(f, value.scalar, value.dtype)
        f.lines.append(f"  store i64 {word}, ptr {place}, align 8")

    def _end(self) -> str:
        """``void @symbol.end(ptr ctx, i64 chunks)``: combine in order, then the last stages."""
        f = Function(self.module, 1)
        env = load_scalars(f, self.layout)
        accs = self.layout.accumulators
        number = len(accs)
        carried: Carried = []
        for s in accs:
            dtype = self.dtypes[s.value]
            kinds = ["int64", dtype] if s.kind.startswith("arg") else [s.dtype]
            starts = start_value(f.s, s, dtype)
            carried += [(REGISTER_TYPES[k], x) for k, x in zip(kinds, starts, strict=True)]

        def one(chunk: str, state: list[str]) -> list[str]:
            done: list[str] = []
            left = list(state)
            for i, s in enumerate(accs):
                dtype = self.dtypes[s.value]
                arg = s.kind.startswith("arg")
                new = [self._kept(f, i, chunk, s.dtype)]
                new += [self._kept(f, number + i, chunk, dtype)] if arg else []
                old = [left.pop(0) for _ in new]
                done += combine(f.s, s, dtype, old, new)
            return done

        final = f.loop("0", "%chunks", 1, carried, one)
        for s in accs:
            env[s.out] = Value(s.dtype, scalar=final.pop(0))
            if s.kind.startswith("arg"):
                final.pop(0)
        pointers = {o.name: base_pointer(f, self.layout, o) for o in self.kernel.operands}
        for stage in self.kernel.stages:
            if stage.kind == "each":
                env = self.each(f, stage, pointers, env, {})
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}.end(ptr %ctx, i64 %chunks)")

    def _kept(self, f: Function, number: int, chunk: str, dtype: str) -> str:
        offset = f.i64("add", str(self.layout.partial(number)), chunk)
        place = f.s.emit(f"getelementptr i64, ptr %ctx, i64 {offset}")
        return from_word(f, f.s.emit(f"load i64, ptr {place}, align 8"), dtype)


def _step(
    f: Function, e: Emitter, s: ir.Accumulate, dtype: str, old: list[str], value: str,
    where: tuple[str, str], mask: str | None,
) -> list[str]:  # fmt: skip
    """Accumulators after one more point per lane."""
    from theano.backends.cpu import memory

    new = [value]
    if s.kind.startswith("arg"):
        first = e.broadcast("i64", f.i64("add", where[0], where[1]))
        index = first if e.lanes == 1 else e.binary("add", e.widen("i64"), first, memory.iota(e))
        new = [index, value]
    done = combine(e, s, dtype, old, new)
    if mask is None:
        return done
    kinds = ["int64", dtype] if len(done) == 2 else [s.dtype]
    return [e.select(mask, k, n, o) for k, n, o in zip(kinds, done, old, strict=True)]


def _driver(plan: Plan, symbol: str, module: Emitter, columns: bool) -> str:
    f = Function(module, 1)
    kernel, layout = plan.kernel, plan.layout
    plain = not plan.indexes_axes
    inner = (
        merge_axes(f, layout, kernel.inner)
        if plain and len(kernel.inner) > 1
        else [f.word("%ctx", layout.extent(a)) for a in kernel.inner]
    )
    outer = [f.word("%ctx", layout.extent(a)) for a in kernel.outer]
    rows_fit = unit_condition(f, layout, kernel.inner[-1]) if plan.lanes > 1 else "false"
    rows_fit = f.s.emit(f"or i1 {rows_fit}, false")

    def by(name: str) -> Callable[[], None]:
        target = f"@{symbol}.{name}"
        if not kernel.outer:
            return lambda: _whole(f, plan, target, inner)
        return lambda: launch_chunks(
            f, plan, target, product(f, outer), product(f, inner), 1, only_outer=True
        )

    def columns_or_points() -> None:
        if not columns:
            by("points")()
            return
        fit = unit_condition(f, layout, kernel.outer[-1])
        others = f.i64("mul", product(f, outer[:-1]), product(f, inner))
        f.choose(
            fit,
            lambda: launch_chunks(
                f, plan, f"@{symbol}.columns", others, outer[-1], TILE, only_inner=True
            ),
            by("points"),
        )

    if plan.lanes > 1:
        f.choose(rows_fit, by("rows"), columns_or_points)
    else:
        columns_or_points()
    f.lines.append("  ret void")
    return f.text(f"void @{symbol}_run(ptr %ctx)")


def _whole(f: Function, plan: Plan, target: str, inner: list[str]) -> None:
    """Chunks over the inner axes, then the end on the main thread."""
    layout = plan.layout
    rows = product(f, inner[:-1])
    launch_chunks(f, plan, target, rows, inner[-1], 64)
    grain = f.word("%ctx", layout.own("grain"))
    mode = f.word("%ctx", layout.own("mode"))
    by_row = f.s.emit(f"icmp eq i64 {mode}, 0")
    count = f.select(by_row, "i64", rows, inner[-1])
    chunks = f.s.emit(f"sdiv i64 {f.i64('sub', f.i64('add', count, grain), '1')}, {grain}")
    f.lines.append(f"  call void {target}.end(ptr %ctx, i64 {f.least(chunks, str(CHUNKS))})")
