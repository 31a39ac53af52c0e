"""Native text of maxima and sums over windows.

The rows of a window are reduced first, in whole vectors, into a line; then windows along the line,
in vectors for strides 1 and 2. Where windows lie side by side, a line is for several rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Final

from theano.runtime.routines.base import Part
from theano.runtime.routines.pool_text import SUM, Pooling, Span

_SIDE_BY_SIDE: Final = 4
_LINE: Final = 1024  # elements of a line, if a single row does not need more


class Forward(Pooling):
    """Maxima or sums."""

    image, result = 1, 0

    @property
    @abstractmethod
    def identity(self) -> str:
        """What nothing gives."""

    @abstractmethod
    def combine(self, a: str, b: str, lanes: int) -> str:
        """Two elements."""

    def finish(self, value: str, rows: str, columns: str, lanes: int) -> str:
        """The result of a window with so many cells."""
        del rows, columns, lanes
        return value

    def body(self, f: Part, first: str, end: str) -> None:
        """Rows of a window into a line, then windows along it, plane by plane."""
        self.f = f
        self.read_tight, self.write_tight = self.tight(1), self.tight(0)
        width, deep = f.dim(1, 3), f.dim(0, 1)
        per = f.smax(f.dim(0, 2), 1)
        self.at_once = self.rows_at_once()
        self.whole = self.inside()
        line = self.line(f.smax(f.binary("mul", self.at_once, width), width))
        last = f.binary("udiv", f.binary("add", end, f.binary("sub", per, 1)), per)

        def one(plane: str) -> None:
            start = f.binary("mul", plane, per)
            low = f.binary("sub", f.smax(first, start), start)
            high = f.binary("sub", f.smin(end, f.binary("add", start, per)), start)
            image, z = f.binary("udiv", plane, deep), f.binary("urem", plane, deep)
            source, target, depth = self.at(1, image), self.at(0, image, z), self.span(z, 0)

            def some(y: str) -> None:
                rows = f.smin(self.at_once, f.binary("sub", high, y))

                def row(k: str) -> None:
                    place = f.at(self.register, line, f.binary("mul", k, width))
                    span = self.span(f.binary("add", y, k), 1)
                    f.when(
                        self.read_tight,
                        lambda: self.columns(place, source, depth, span, True),
                        lambda: self.columns(place, source, depth, span, False),
                    )

                f.each(0, rows, 1, row)
                count = f.binary("mul", depth.number, self.span(y, 1).number)
                place = f.place(target, (y, f.stride(0, 2)))
                self.across(line, place, count, rows)

            f.each(low, high, self.at_once, some)

        f.each(f.binary("udiv", first, per), last, 1, one)
        f.do(f"call void @th_free(ptr {line})")

    def rows_at_once(self) -> str:
        """How many rows of the result are one line: several where neither windows nor rows of the
        result have anything between them, and all windows have as many cells."""
        f = self.f
        size, pace, width, many = f.number(2), f.number(5), f.dim(1, 3), f.dim(0, 3)
        reach = f.binary("mul", f.binary("sub", f.dim(0, 2), 1), f.number(4))
        reach = f.binary("add", reach, f.number(1))
        pads = f.binary("or", f.number(7), f.number(8))
        several = f.both(
            self.write_tight,
            f.op(f"icmp eq i64 {f.stride(0, 2)}, {f.binary('mul', many, self.size)}"),
            f.op(f"icmp eq i64 {f.binary('mul', many, pace)}, {width}"),
            f.op(f"icmp sle i64 {size}, {pace}"),
            f.op(f"icmp eq i64 {pads}, 0"),
            f.op(f"icmp sle i64 {reach}, {f.dim(1, 2)}"),
        )
        room = f.smax(f.binary("udiv", str(_LINE), f.smax(width, 1)), 1)
        return f.op(f"select i1 {several}, i64 {room}, i64 1")

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

    def across(self, line: str, target: str, count: str, rows: str) -> None:
        """Reduce windows along the line, of so many rows, into the result."""
        f = self.f
        several = f.op(f"icmp sgt i64 {rows}, 1")
        width, many = (f.binary("mul", rows, f.dim(a, 3)) for a in (1, 0))
        first, last = (
            f.op(f"select i1 {several}, i64 {one}, i64 {two}")
            for one, two in zip(("0", many), self.whole, strict=True)
        )
        self.singles(line, target, "0", first, count, width)
        pace = f.number(5)

        def paced(stride: int) -> Callable[[], list[str]]:
            return lambda: [self.vectors(line, target, first, last, count, stride)]

        def faster() -> list[str]:
            two = f.both(self.write_tight, f.op(f"icmp eq i64 {pace}, 2"))
            return f.choose(two, [("i64", first)], paced(2))

        one = f.both(self.write_tight, f.op(f"icmp eq i64 {pace}, 1"))
        (here,) = f.choose(one, [("i64", first)], paced(1), faster)
        self.singles(line, target, here, many, count, width)

    def singles(self, line: str, target: str, first: str, end: str, count: str, width: str) -> None:
        """Windows one by one."""
        f = self.f

        def one(c: str) -> None:
            cells = self.span(c, 2, width)

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
