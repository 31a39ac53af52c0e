"""Native text of the gradients of maxima and sums over windows.

Each row of the image gathers what the rows of windows that cover it give, so that rows are
independent and the order of sums is always the same.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from theano.runtime.routines.base import Part, Writer
from theano.runtime.routines.pool_text import SUM, Pooling, Span
from theano.runtime.routines.pool_tiles import Tiles

Work = Callable[[list[str]], Sequence[str]]
_SIDE_BY_SIDE = 4


class Spread(Tiles):
    """Gradients with respect to the image: each cell sums over the windows that cover it.

    With stride 2, even and odd cells are vectors of their own, whose windows lie side by side.
    """

    @abstractmethod
    def rows(self, start: Sequence[tuple[str, str]], work: Work) -> list[str]:
        """Carry values through ``work`` for every row of windows that covers the row of cells."""

    @abstractmethod
    def value(self, c: str, lanes: int) -> str:
        """What window ``c`` (and the next ones) gives to its cells."""

    def given_to(self, value: str, c: str, cells: Sequence[str], lanes: int) -> list[str]:
        """The part of it that each vector of cells gets."""
        del c, lanes
        return [value] * len(cells)

    def cells(self, x: str, lanes: int, stride: int) -> list[str]:
        """Vectors of cells from ``x`` on, one for each remainder by the stride."""
        del x, lanes
        return [""] * stride

    def cell(self, x: str) -> str:
        """One cell."""
        del x
        return ""

    def row_of(self, target: str, tight: str) -> None:
        """Write a row of array 0."""
        f = self.f
        pace, width = f.number(5), f.dim(0, 3)
        nothing = [("i64", "0"), ("i64", "0")]

        def two() -> list[str]:
            even = f.both(tight, f.op(f"icmp eq i64 {pace}, 2"))
            return f.choose(even, nothing, lambda: self.vectors(target, 2))

        one = f.both(tight, f.op(f"icmp eq i64 {pace}, 1"))
        first, last = f.choose(one, nothing, lambda: self.vectors(target, 1), two)
        self.singles(target, "0", first)
        self.singles(target, last, width)

    def singles(self, target: str, first: str, end: str) -> None:
        """Cells one by one."""
        f = self.f

        def one(x: str) -> None:
            own = [self.cell(x)]
            windows = self.over(x, 2)

            def row(values: list[str]) -> list[str]:
                def add(c: str, sums: list[str]) -> list[str]:
                    (part,) = self.given_to(self.value(c, 1), c, own, 1)
                    return [self.arith("add", sums[0], part, 1)]

                return f.loop(*windows, 1, [(self.register, values[0])], add)

            (value,) = self.rows([(self.register, "0.0")], row)
            self.store(value, f.place(target, (x, f.stride(0, 3))), 1)

        f.each(first, end, 1, one)

    def vectors(self, target: str, stride: int) -> list[str]:
        """Cells all of whose windows exist, as vectors; the first one and where they end."""
        f = self.f
        size, pad, width = f.number(2), f.number(8), f.dim(0, 3)
        many = f.binary("udiv", f.binary("add", size, stride - 1), stride)
        first = f.smax(
            f.binary("sub", many, 1), f.binary("udiv", f.binary("add", pad, stride - 1), stride)
        )
        last = f.binary("udiv", f.binary("add", width, pad), stride)
        last = f.smax(first, f.smin(last, f.dim(self.result, 3)))
        steps = [(lanes, 1) for lanes in self.widths()]
        end = self.sweep(
            first, last, steps, lambda k, lanes, _: self.some(target, k, lanes, stride, many)
        )

        def cell_of(k: str) -> str:
            return f.smin(f.smax(f.binary("sub", f.binary("mul", k, stride), pad), 0), width)

        return [cell_of(first), cell_of(end)]

    def some(self, target: str, k: str, lanes: int, stride: int, many: str) -> None:
        """The vectors of cells whose last windows begin with ``k``."""
        f = self.f
        x = f.binary("sub", f.binary("mul", k, stride), f.number(8))
        own = self.cells(x, lanes, stride)
        kind = self.type(self.register, lanes)
        whole = f.binary("udiv", f.number(2), stride)

        def row(values: list[str]) -> list[str]:
            def add(back: str, sums: list[str]) -> list[str]:
                c = f.binary("sub", k, back)
                parts = self.given_to(self.value(c, lanes), c, own[: len(sums)], lanes)
                return [self.arith("add", a, b, lanes) for a, b in zip(sums, parts, strict=True)]

            values = f.loop(0, whole, 1, [(kind, v) for v in values], add)
            # What is left of a window by the stride covers even cells only.
            return [*f.loop(whole, many, 1, [(kind, values[0])], add), *values[1:]]

        sums = self.rows([(kind, self.all("0.0", lanes))] * stride, row)
        value = sums[0]
        if stride == 2:
            picks = [i // 2 + (i % 2) * lanes for i in range(2 * lanes)]
            value = self.shuffled(sums[0], sums[1], lanes, picks)
        self.store(value, f.at(self.kind, target, x), stride * lanes)


class MaximaGrad(Spread):
    """The gradient of maxima goes to every cell that is one."""

    name = "pool_max_grad"
    result = 2
    windows = (2, 3)

    def spread(self, values: Sequence[str], source: str | None, lanes: int) -> str:
        """What comes in, where the cell is the maximum."""
        assert source is not None
        top, value = values
        return self.where_top(self.load(source, lanes), top, value, lanes)

    def cells_by_row(self, first: str, end: str) -> None:
        """Rows of the image."""
        f = self.f
        tight = self.tight(0, 1, 2, 3)
        self.along = [f.stride(array, 3) for array in range(4)]
        self.steps = [(f.stride(array, 1), f.stride(array, 2)) for array in (2, 3)]

        def one(position: str) -> None:
            image, deep, high = self.index(position, 0)
            self.source = self.at(1, image, deep, high)
            self.bases = [self.at(array, image) for array in (2, 3)]
            self.ranges = self.over(deep, 0), self.over(high, 1)
            self.row_of(self.at(0, image, deep, high), tight)

        f.each(first, end, 1, one)

    def rows(self, start: Sequence[tuple[str, str]], work: Work) -> list[str]:
        """All planes, all rows of them."""
        f = self.f
        kinds = [kind for kind, _ in start]
        depth, high = self.ranges

        def plane(z: str, values: list[str]) -> list[str]:
            planes = [f.place(b, (z, s[0])) for b, s in zip(self.bases, self.steps, strict=True)]

            def row(y: str, values: list[str]) -> list[str]:
                self.tops, self.given = (
                    f.place(b, (y, s[1])) for b, s in zip(planes, self.steps, strict=True)
                )
                return list(work(values))

            return f.loop(*high, 1, list(zip(kinds, values, strict=True)), row)

        return f.loop(*depth, 1, start, plane)

    def value(self, c: str, lanes: int) -> str:
        """The incoming gradient."""
        return self.load(self.f.place(self.given, (c, self.along[3])), lanes)

    def given_to(self, value: str, c: str, cells: Sequence[str], lanes: int) -> list[str]:
        """It, where the cell is the maximum."""
        f = self.f
        top = self.load(f.place(self.tops, (c, self.along[2])), lanes)
        return [self.where_top(cell, top, value, lanes) for cell in cells]

    def where_top(self, cell: str, top: str, value: str, lanes: int) -> str:
        """A value where a cell is the maximum, elsewhere 0."""
        f, kind = self.f, self.type(self.register, lanes)
        here = f.op(f"fcmp oeq {kind} {cell}, {top}")
        zero, truth = self.all("0.0", lanes), self.type("i1", lanes)
        return f.op(f"select {truth} {here}, {kind} {value}, {kind} {zero}")

    def cells(self, x: str, lanes: int, stride: int) -> list[str]:
        """Loaded at once, then parted."""
        f = self.f
        both = self.load(f.place(self.source, (x, self.along[1])), stride * lanes)
        if stride == 1:
            return [both]
        picks = [list(range(start, 2 * lanes, 2)) for start in (0, 1)]
        return [self.shuffled(both, both, 2 * lanes, pick) for pick in picks]

    def cell(self, x: str) -> str:
        """One cell."""
        return self.load(self.f.place(self.source, (x, self.along[1])), 1)


class SumsGrad(Spread):
    """The gradient of sums and means: rows are added up first, each with its weight."""

    name = "pool_sum_grad"
    result = 1
    windows = (1,)

    def side_by_side(self, f: Writer) -> str:
        """Whether windows are, and all of them are whole."""
        conditions = [super().side_by_side(f)]
        for axis in range(3):
            reach = f.binary("mul", f.dim(1, 1 + axis), f.number(axis))
            conditions.append(f.op(f"icmp sle i64 {reach}, {f.dim(0, 1 + axis)}"))
        return f.both(*conditions)

    def prepare(self) -> None:
        """The number of cells of a window."""
        f = self.f
        cells = f.binary("mul", f.binary("mul", f.number(0), f.number(1)), f.number(2))
        plain = f.op(f"icmp eq i64 {f.number(9)}, {SUM}")
        self.divisor = self.number(f.op(f"select i1 {plain}, i64 1, i64 {cells}"))

    def prepared(self, value: str, lanes: int) -> str:
        """Divided by it."""
        return self.arith("div", value, self.splat(self.divisor, lanes), lanes)

    def spread(self, values: Sequence[str], source: str | None, lanes: int) -> str:
        """What the window gives."""
        return values[0]

    def cells_by_row(self, first: str, end: str) -> None:
        """For each row of the image, the sum of all rows of windows that cover it."""
        f = self.f
        self.given = self.line(f.dim(1, 3))
        read_tight, tight = self.tight(1), self.tight(0)

        def one(position: str) -> None:
            image, deep, high = self.index(position, 0)
            source = self.at(1, image)
            depth, rows = self.over(deep, 0), self.over(high, 1)
            f.when(
                read_tight,
                lambda: self.columns(source, depth, rows, True),
                lambda: self.columns(source, depth, rows, False),
            )
            self.divide()
            self.row_of(self.at(0, image, deep, high), tight)

        f.each(first, end, 1, one)
        f.do(f"call void @th_free(ptr {self.given})")

    def rows(self, start: Sequence[tuple[str, str]], work: Work) -> list[str]:
        """The line is the sum of all rows."""
        return list(work([value for _, value in start]))

    def value(self, c: str, lanes: int) -> str:
        """An element of the line."""
        return self.kept(self.given, c, lanes)

    def columns(
        self, source: str, depth: tuple[str, str], rows: tuple[str, str], tight: bool
    ) -> None:
        """The sum of rows of the incoming gradient."""
        f = self.f
        along = str(self.size) if tight else f.stride(1, 3)
        deep_step, row_step = f.stride(1, 1), f.stride(1, 2)

        def some(c: str, lanes: int, count: int) -> None:
            kind = self.type(self.register, lanes)
            begin = f.place(source, (c, along))

            def plane(z: str, found: list[str]) -> list[str]:
                here = f.place(begin, (z, deep_step))
                deep = self.span(z, 0).number

                def row(y: str, values: list[str]) -> list[str]:
                    cells = self.number(f.binary("mul", deep, self.span(y, 1).number))
                    divisor = self.splat(cells, lanes)
                    place = f.place(here, (y, row_step))
                    found = []
                    for k, old in enumerate(values):
                        value = self.load(f.at("i8", place, k * lanes * self.size), lanes)
                        part = self.arith("div", value, divisor, lanes)
                        found.append(self.arith("add", old, part, lanes))
                    return found

                return f.loop(*rows, 1, [(kind, value) for value in found], row)

            start = [(kind, self.all("0.0", lanes))] * count
            for k, value in enumerate(f.loop(*depth, 1, start, plane)):
                self.keep(value, self.given, f.binary("add", c, k * lanes), lanes)

        steps = [(self.lanes, _SIDE_BY_SIDE)] if tight else []
        steps += [(lanes, 1) for lanes in self.widths()] if tight else []
        self.sweep("0", f.dim(1, 3), [*steps, (1, 1)], some)

    def divide(self) -> None:
        """Divide the line by the numbers of columns."""
        f = self.f
        mean = f.op(f"icmp ne i64 {f.number(9)}, {SUM}")
        first, last = self.inside()
        size = self.number(f.number(2))

        def inner(c: str, lanes: int, _: int) -> None:
            value = self.arith(
                "div", self.kept(self.given, c, lanes), self.splat(size, lanes), lanes
            )
            self.keep(value, self.given, c, lanes)

        def outer(c: str) -> None:
            count = self.number(self.span(c, 2).number)
            self.keep(self.arith("div", self.kept(self.given, c, 1), count, 1), self.given, c, 1)

        def all_() -> None:
            steps = [(lanes, 1) for lanes in self.widths()]
            self.sweep(first, last, [*steps, (1, 1)], inner)
            f.each(0, first, 1, outer)
            f.each(last, f.dim(1, 3), 1, outer)

        f.when(mean, all_)


class Picked(Pooling):
    """The sum of what lies where the maxima are."""

    name = "pool_max_pick"
    image, result = 1, 0

    def body(self, f: Part, first: str, end: str) -> None:
        """Windows one by one."""
        self.f = f

        def one(position: str) -> None:
            image, deep, high = self.index(position, 0)
            depth, rows = self.span(deep, 0), self.span(high, 1)
            bases = [self.at(a, image) for a in (1, 3)]

            def element(c: str) -> None:
                place = f.place(self.at(2, image, deep, high), (c, f.stride(2, 3)))
                self.top = self.load(place, 1)
                value = self.inner(bases, (depth, rows, self.span(c, 2)), 0, "0.0")
                target = self.at(0, image, deep, high)
                self.store(value, f.place(target, (c, f.stride(0, 3))), 1)

            f.each(0, f.dim(0, 3), 1, element)

        f.each(first, end, 1, one)

    def inner(self, bases: list[str], spans: Sequence[Span], axis: int, start: str) -> str:
        """The sum over the axes from ``axis`` on."""
        f = self.f

        def step(i: str, values: list[str]) -> list[str]:
            places = [
                f.place(base, (i, f.stride(array, axis + 1)))
                for base, array in zip(bases, (1, 3), strict=True)
            ]
            if axis < 2:
                return [self.inner(places, spans, axis + 1, values[0])]
            cell, value = (self.load(place, 1) for place in places)
            here = f.op(f"fcmp oeq {self.register} {cell}, {self.top}")
            part = f.op(f"select i1 {here}, {self.register} {value}, {self.register} 0.0")
            return [self.arith("add", values[0], part, 1)]

        span = spans[axis]
        return f.loop(span.first, span.end, 1, [(self.register, start)], step)[0]
