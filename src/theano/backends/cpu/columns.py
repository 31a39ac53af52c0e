"""Reductions across a contiguous outer axis (column sums): accumulators in a tile on the stack."""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu import memory
from theano.backends.cpu.body import Body, Place, Value, combine, start_value
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Function, product
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir

TILE = 1024  # columns whose accumulators are on the stack
SMALL = 12  # statements up to which several rows are taken per pass
ROWS = 8


def columns_possible(plan: Plan) -> bool:
    """Whether the kernel is one loop over the inner axes, then code after it; no gathers."""
    kernel = plan.kernel
    loops = [i for i, s in enumerate(kernel.stages) if s.kind == "loop"]
    gathers = any(o.gather for o in kernel.operands)
    return (
        bool(kernel.outer) and loops == [0] and not gathers
        and plan.lanes > 1
    )  # fmt: skip


def render_columns(plan: Plan, symbol: str, module: Emitter) -> str:
    """``void @symbol(ptr ctx, i64 chunk)``; chunks are ranges of columns."""
    return Columns(plan, symbol, module).render()


Row = Callable[[str], tuple[dict[str, str], dict[str, str]]]  # flat row -> indices, pointers


class Columns:
    """See the module text."""

    def __init__(self, plan: Plan, symbol: str, module: Emitter) -> None:
        from theano.backends.cpu.render_rows import value_dtypes

        self.plan, self.symbol = plan, symbol
        self.kernel, self.layout = plan.kernel, plan.layout
        self.f = Function(module, plan.lanes)
        self.e = self.f.v
        self.dtypes = value_dtypes(plan.kernel)
        self.axis = plan.kernel.outer[-1]
        self.loop = plan.kernel.stages[0]
        self.after = plan.kernel.stages[1:]
        self.accs = [s for s in self.loop.body if isinstance(s, ir.Accumulate)]
        self.where: dict[str, str] = {}
        self.tiles: dict[str, list[tuple[str, str]]] = {}  # acc -> (dtype, buffer)

    def render(self) -> str:
        from theano.backends.cpu.render import (
            advance,
            base_pointer,
            chunk_ranges,
            decompose,
            load_scalars,
        )  # fmt: skip

        f, kernel, layout = self.f, self.kernel, self.layout
        for s in self.accs:
            dtype = self.dtypes[s.value]
            kinds = ["int64", dtype] if s.kind.startswith("arg") else [s.dtype]
            self.tiles[s.out] = [(k, f.alloca("[8 x i8]", TILE)) for k in kinds]
        bases = {o.name: base_pointer(f, layout, o) for o in kernel.operands}
        env = load_scalars(f, layout)
        others = [f.word("%ctx", layout.extent(a)) for a in kernel.outer[:-1]]
        inner = [f.word("%ctx", layout.extent(a)) for a in kernel.inner]
        width = f.word("%ctx", layout.extent(self.axis))
        first, end, start, stop = chunk_ranges(f, layout, product(f, others), width)
        rows = product(f, inner)

        def outer(flat: str, carried: list[str]) -> list[str]:
            where = dict(zip(kernel.outer[:-1], decompose(f, flat, others), strict=True))
            pointers = {o.name: advance(f, layout, o, bases[o.name], where) for o in kernel.operands}

            def row(number: str) -> tuple[dict[str, str], dict[str, str]]:
                at = dict(zip(kernel.inner, decompose(f, number, inner), strict=True))
                return {**where, **at}, {o.name: advance(f, layout, o, pointers[o.name], at)
                                         for o in kernel.operands}  # fmt: skip

            def tile(column: str, carried: list[str]) -> list[str]:
                last = f.least(f.i64("add", column, str(TILE)), stop)
                self.where = where
                self._tile(env, pointers, row, rows, column, last)
                return []

            f.loop(start, stop, TILE, [], tile)
            return []

        f.loop(first, end, 1, [], outer)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")

    def _tile(
        self, env: dict[str, Value], pointers: dict[str, str],
        row: Row, rows: str, start: str, stop: str,
    ) -> None:  # fmt: skip
        from theano.backends.cpu.render import vector_loop

        f = self.f

        def begin(position: str, mask: str | None, carried: list[str]) -> list[str]:
            for s in self.accs:
                values = start_value(self.e, s, self.dtypes[s.value])
                self._put(s, values, f.i64("sub", position, start), mask)
            return []

        vector_loop(f, start, stop, self.plan.lanes, [], begin)
        several = len(self.loop.body) <= SMALL and not any(
            isinstance(s, ir.Store) for s in self.loop.body
        )
        done = "0"
        if several:
            done = f.s.emit(f"and i64 {rows}, {-ROWS}")
            self._rows(env, row, "0", done, ROWS, start, stop)
        self._rows(env, row, done, rows, 1, start, stop)
        self._finish(env, pointers, start, stop)

    def _rows(
        self, env: dict[str, Value], row: Row, first: str, end: str, step: int, start: str,
        stop: str,
    ) -> None:  # fmt: skip
        from theano.backends.cpu.render import vector_loop

        f = self.f

        def strip(number: str, carried: list[str]) -> list[str]:
            numbers = [f.i64("add", number, str(i)) for i in range(step)]
            near = [row(n) for n in numbers]

            def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
                place = f.i64("sub", position, start)
                state = {s.out: self._get(s, place, mask) for s in self.accs}
                for n, (at, pointers) in zip(numbers, near, strict=True):
                    self._point(env, pointers, at, n, position, mask, state)
                for s in self.accs:
                    self._put(s, state[s.out], place, mask)
                return []

            vector_loop(f, start, stop, self.plan.lanes, [], point)
            return []

        f.loop(first, end, step, [], strip)

    def _point(
        self, env: dict[str, Value], pointers: dict[str, str], at: dict[str, str], number: str,
        position: str, mask: str | None, state: dict[str, list[str]],
    ) -> None:  # fmt: skip
        body = self._body(env, pointers, position, mask)
        body.indices = at

        def take(s: ir.Accumulate, value: str) -> None:
            new = [value]
            if s.kind.startswith("arg"):
                new = [self.e.broadcast("i64", number), value]
            state[s.out] = combine(self.e, s, self.dtypes[s.value], state[s.out], new)

        body.accumulate = take
        for s in self.loop.body:
            body.run(s)
        body.report_failures()

    def _body(
        self, env: dict[str, Value], pointers: dict[str, str], position: str, mask: str | None
    ) -> Body:
        body = Body(self.f, self.e, self.layout, env)
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.axis, body.position, body.mask = self.axis, position, mask
        return body

    def _finish(
        self, env: dict[str, Value], pointers: dict[str, str], start: str, stop: str
    ) -> None:
        from theano.backends.cpu.render import vector_loop

        f = self.f

        def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
            body = self._body(env, pointers, position, mask)
            body.indices = self.where
            for s in self.accs:
                found = self._get(s, f.i64("sub", position, start), mask)
                body.env[s.out] = Value(s.dtype, vector=found[0])
            for stage in self.after:
                for s in stage.body:
                    body.run(s)
            body.report_failures()
            return []

        vector_loop(f, start, stop, self.plan.lanes, [], point)

    def _slots(self, s: ir.Accumulate, place: str) -> list[tuple[str, str]]:
        found = []
        for dtype, buffer in self.tiles[s.out]:
            size = 1 if dtype == "bool" else memory.itemsize(dtype)
            size = 4 if dtype == "float16" else size
            found.append((dtype, self.f.pointer(buffer, self.f.i64("mul", place, str(size)))))
        return found

    def _get(self, s: ir.Accumulate, place: str, mask: str | None) -> list[str]:
        return [memory.emit_load(self.e, d, p) for d, p in self._slots(s, place)]

    def _put(self, s: ir.Accumulate, values: list[str], place: str, mask: str | None) -> None:
        for (dtype, pointer), value in zip(self._slots(s, place), values, strict=True):
            memory.emit_store(self.e, dtype, pointer, value)


__all__ = ["REGISTER_TYPES", "columns_possible", "render_columns"]
