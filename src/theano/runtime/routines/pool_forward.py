"""Native text of maxima and sums over windows.

The rows of a window are reduced first, in whole vectors, into a line; then windows along the line,
in vectors for strides 1 and 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from theano.runtime.routines.base import Part
from theano.runtime.routines.pool_text import SUM, Pooling, Span

_SIDE_BY_SIDE: Final = 4


class Forward(Pooling):
    """Maxima or sums."""

    image, result = 1, 0

    @property
    def identity(self) -> str:
        """What nothing gives."""
        raise NotImplementedError

    def combine(self, a: str, b: str, lanes: int) -> str:
        """Two elements."""
        raise NotImplementedError

    def finish(self, value: str, rows: str, columns: str, lanes: int) -> str:
        """The result of a window with so many cells."""
        del rows, columns, lanes
        return value

    def body(self, f: Part, first: str, end: str) -> None:
        """Rows of a window into a line, then windows along it."""
        self.f = f
        line = self.line(f.dim(1, 3))
        read_tight, write_tight = self.tight(1), self.tight(0)

        def one(position: str) -> None:
            image, deep, high = self.index(position, 0)
            depth, rows = self.span(deep, 0), self.span(high, 1)
            source = self.at(1, image)
            f.when(
                read_tight,
                lambda: self.columns(line, source, depth, rows, True),
                lambda: self.columns(line, source, depth, rows, False),
            )
            count = f.binary("mul", depth.number, rows.number)
            self.across(line, self.at(0, image, deep, high), count, write_tight)

        f.each(first, end, 1, one)
        f.do(f"call void @th_free(ptr {line})")

    def columns(self, line: str, source: str, depth: Span, rows: Span, tight: bool) -> None:
        """Reduce the rows of a window."""
        f = self.f
        along = str(self.size) if tight else f.stride(1, 3)

        def some(x: str, lanes: int, count: int) -> None:
            kind = self.type(self.register, lanes)
            start = [(kind, self.all(self.identity, lanes))] * count
            begin = f.place(source, (x, along))

            def plane(z: str, found: list[str]) -> list[str]:
                here = f.place(begin, (z, f.stride(1, 1)))

                def row(y: str, values: list[str]) -> list[str]:
                    place = f.place(here, (y, f.stride(1, 2)))
                    return [
                        self.combine(v, self.load(f.at("i8", place, k * lanes * self.size), lanes),
                                     lanes)
                        for k, v in enumerate(values)
                    ]  # fmt: skip

                carried = [(kind, value) for value in found]
                return f.loop(rows.first, rows.end, 1, carried, row)

            for k, value in enumerate(f.loop(depth.first, depth.end, 1, start, plane)):
                self.keep(value, line, f.binary("add", x, k * lanes), lanes)

        steps = [(self.lanes, _SIDE_BY_SIDE)] if tight else []
        steps += [(lanes, 1) for lanes in self.widths()] if tight else []
        self.sweep("0", f.dim(1, 3), [*steps, (1, 1)], some)

    def across(self, line: str, target: str, count: str, tight: str) -> None:
        """Reduce windows along the line into a row of the result."""
        f = self.f
        first, last = self.inside()
        self.singles(line, target, "0", first, count)
        pace = f.number(5)

        def paced(stride: int) -> Callable[[], list[str]]:
            return lambda: [self.vectors(line, target, first, last, count, stride)]

        def faster() -> list[str]:
            two = f.both(tight, f.op(f"icmp eq i64 {pace}, 2"))
            return f.choose(two, [("i64", first)], paced(2))

        one = f.both(tight, f.op(f"icmp eq i64 {pace}, 1"))
        (here,) = f.choose(one, [("i64", first)], paced(1), faster)
        self.singles(line, target, here, f.dim(0, 3), count)

    def singles(self, line: str, target: str, first: str, end: str, count: str) -> None:
        """Windows one by one."""
        f = self.f

        def one(c: str) -> None:
            cells = self.span(c, 2)

            def cell(x: str, values: list[str]) -> list[str]:
                return [self.combine(values[0], self.kept(line, x, 1), 1)]

            start = [(self.register, self.identity)]
            (value,) = f.loop(cells.first, cells.end, 1, start, cell)
            value = self.finish(value, count, cells.number, 1)
            self.store(value, f.place(target, (c, f.stride(0, 3))), 1)

        f.each(first, end, 1, one)

    def vectors(
        self, line: str, target: str, first: str, last: str, count: str, stride: int
    ) -> str:
        """Windows that lie in the image, as vectors; the first one that is left."""
        f = self.f
        size, pad = f.number(2), f.number(8)
        plain = f.op(f"icmp eq i64 {f.number(9)}, {SUM}")
        columns = f.op(f"select i1 {plain}, i64 1, i64 {size}")

        def some(c: str, lanes: int, _: int) -> None:
            begin = f.binary("sub", f.binary("mul", c, stride), pad)
            reduce = self.dense if stride == 1 else self.pairs
            value = self.finish(reduce(line, begin, size, lanes), count, columns, lanes)
            self.store(value, f.at(self.kind, target, c), lanes)

        return self.sweep(first, last, [(lanes, 1) for lanes in self.widths()], some)

    def dense(self, line: str, begin: str, size: str, lanes: int) -> str:
        """Windows at every cell."""
        f = self.f

        def cell(j: str, values: list[str]) -> list[str]:
            found = self.kept(line, f.binary("add", begin, j), lanes)
            return [self.combine(values[0], found, lanes)]

        start = [(self.type(self.register, lanes), self.all(self.identity, lanes))]
        return f.loop(0, size, 1, start, cell)[0]

    def pairs(self, line: str, begin: str, size: str, lanes: int) -> str:
        """Windows at every second cell: even and odd cells of two vectors at once."""
        f = self.f
        even, odd = ([2 * i + start for i in range(lanes)] for start in (0, 1))

        def two(j: str) -> tuple[str, str]:
            here = f.binary("add", begin, j)
            return self.kept(line, here, lanes), self.kept(
                line, f.binary("add", here, lanes), lanes
            )

        def both(j: str, values: list[str]) -> list[str]:
            a, b = two(j)
            found = self.combine(values[0], self.shuffled(a, b, lanes, even), lanes)
            return [self.combine(found, self.shuffled(a, b, lanes, odd), lanes)]

        def single(j: str, values: list[str]) -> list[str]:
            a, b = two(j)
            return [self.combine(values[0], self.shuffled(a, b, lanes, even), lanes)]

        kind = self.type(self.register, lanes)
        whole = f.binary("and", size, -2)
        values = f.loop(0, whole, 2, [(kind, self.all(self.identity, lanes))], both)
        return f.loop(whole, size, 1, [(kind, values[0])], single)[0]


class Maxima(Forward):
    """Maxima; a NaN is above all."""

    name = "pool_max"

    @property
    def identity(self) -> str:
        """Below every number."""
        if self.real:
            return "0xFFF0000000000000"
        return "0" if self.unsigned else str(-(1 << (8 * self.size - 1)))

    def combine(self, a: str, b: str, lanes: int) -> str:
        """The larger one."""
        f, kind, truth = self.f, self.type(self.register, lanes), self.type("i1", lanes)
        how = "fcmp ogt" if self.real else f"icmp {'u' if self.unsigned else 's'}gt"
        more = f.op(f"{how} {kind} {a}, {b}")
        found = f.op(f"select {truth} {more}, {kind} {a}, {kind} {b}")
        if not self.real:
            return found
        missing = f.op(f"fcmp uno {kind} {a}, {a}")
        return f.op(f"select {truth} {missing}, {kind} {a}, {kind} {found}")


class Sums(Forward):
    """Sums, divided by the number of cells."""

    name = "pool_sum"

    @property
    def identity(self) -> str:
        """Zero."""
        return "0.0" if self.real else "0"

    def combine(self, a: str, b: str, lanes: int) -> str:
        """The sum."""
        return self.arith("add", a, b, lanes)

    def finish(self, value: str, rows: str, columns: str, lanes: int) -> str:
        """The mean; integers are only summed."""
        if not self.real:
            return value
        count = self.number(self.f.binary("mul", rows, columns))
        return self.arith("div", value, self.splat(count, lanes), lanes)
