"""Native text of gradients where windows lie side by side: size and stride are the same.

Each cell belongs to one window. What rows of windows give is first repeated for each column of the
windows, in lines; then the cells of all rows of the windows are computed by whole vectors. Where
rows of windows follow each other in memory, so many are repeated at once as a line holds.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from theano.runtime.routines.base import Part, Writer
from theano.runtime.routines.pool_text import _WEIGHT, Pooling

_LINE = 1024  # elements of a line, if a single row does not need more


class Tiles(Pooling):
    """A position of array 0 is a row of windows, if they lie side by side, or else a row of cells.

    ``windows`` are the arrays with an element per window, which are the last ones.
    """

    image = 0
    windows: Sequence[int]

    def plan(self, f: Writer) -> tuple[str, str, int]:
        """Rows of cells cost what their width says."""
        planes = f.binary("mul", f.dim(0, 0), f.dim(0, 1))
        rows = f.binary("mul", self.positions(f), planes)
        deep = f.binary("mul", f.number(0), f.number(1))
        return rows, f.binary("mul", deep, f.dim(0, 3)), _WEIGHT

    def side_by_side(self, f: Writer) -> str:
        """Whether windows are, and are at least 2 wide, and rows contiguous."""
        conditions = [f.op(f"icmp sge i64 {f.number(2)}, 2")]
        for axis in range(3):
            size, stride, pad = (f.number(axis + i) for i in (0, 3, 6))
            conditions.append(f.op(f"icmp eq i64 {size}, {stride}"))
            conditions.append(f.op(f"icmp eq i64 {pad}, 0"))
        strides = [f.stride(array, 3) for array in range(len(f.routine.ranks))]
        tight = [f.op(f"icmp eq i64 {stride}, {self.size}") for stride in strides]
        return f.both(*conditions, *tight)

    def positions(self, f: Writer) -> str:
        """How many positions a plane has."""
        tiled = self.side_by_side(f)
        high = f.op(f"select i1 {tiled}, i64 {f.number(1)}, i64 1")
        up = f.binary("add", f.dim(0, 2), f.binary("sub", high, 1))
        return f.binary("udiv", up, high)

    def body(self, f: Part, first: str, end: str) -> None:
        """Both ways."""
        self.f = f
        f.when(
            self.side_by_side(f),
            lambda: self.tiles(first, end),
            lambda: self.cells_by_row(first, end),
        )

    @abstractmethod
    def cells_by_row(self, first: str, end: str) -> None:
        """Positions that are rows of cells."""

    def prepare(self) -> None:
        """Compute what `prepared` needs."""

    def prepared(self, value: str, lanes: int) -> str:
        """What the cells of a window need of an element of such an array."""
        del lanes
        return value

    @abstractmethod
    def spread(self, values: Sequence[str], source: str | None, lanes: int) -> str:
        """The gradient for cells, from what their windows give and the cells at ``source``."""

    # side by side --------------------------------------------------------------------------------

    def tiles(self, first: str, end: str) -> None:
        """Positions that are rows of windows, plane by plane."""
        f = self.f
        self.prepare()
        per, deep = self.positions(f), f.dim(0, 1)
        self.wide = f.number(2)
        self.many = f.dim(self.windows[0], 3)
        self.covered = f.binary("mul", self.many, self.wide)
        length = f.smax(self.covered, _LINE)
        memory = self.line(f.binary("mul", length, len(self.windows)))
        self.lines = [
            f.at(self.register, memory, f.binary("mul", length, k))
            for k in range(len(self.windows))
        ]
        room = f.binary("udiv", str(_LINE), f.smax(self.covered, 1))
        follows = f.both(*(
            f.op(f"icmp eq i64 {f.stride(a, 2)}, {f.binary('mul', self.many, self.size)}")
            for a in self.windows
        ))  # fmt: skip
        self.at_once = f.op(f"select i1 {follows}, i64 {f.smax(room, 1)}, i64 1")
        last = f.binary("udiv", f.binary("add", end, f.binary("sub", per, 1)), per)

        def one(plane: str) -> None:
            start = f.binary("mul", plane, per)
            low = f.binary("sub", f.smax(first, start), start)
            high = f.binary("sub", f.smin(end, f.binary("add", start, per)), start)
            image, depth = f.binary("udiv", plane, deep), f.binary("urem", plane, deep)
            self.plane(image, depth, low, high)

        f.each(f.binary("udiv", first, per), last, 1, one)
        f.do(f"call void @th_free(ptr {memory})")

    def plane(self, image: str, depth: str, low: str, high: str) -> None:
        """Rows of windows of one plane, and the cells behind the last."""
        f = self.f
        window = f.binary("udiv", depth, f.number(0))
        inside = f.op(f"icmp slt i64 {window}, {f.dim(self.windows[0], 1)}")
        there = f.op(f"select i1 {inside}, i64 {f.dim(self.windows[0], 2)}, i64 0")
        top = f.smax(f.smin(high, there), low)
        tall, rows = f.number(1), f.dim(0, 2)
        bases = [self.at(a, image, window) for a in self.windows]
        steps = [f.stride(a, 2) for a in self.windows]
        cells = [(self.at(a, image, depth), f.stride(a, 2)) for a in range(self.windows[0])]

        def some(o: str) -> None:
            count = f.smin(self.at_once, f.binary("sub", top, o))
            total = f.binary("mul", count, self.many)
            for line, base, step in zip(self.lines, bases, steps, strict=True):
                self.repeat(line, f.place(base, (o, step)), total)

            def group(k: str) -> None:
                begin = f.binary("mul", f.binary("add", o, k), tall)
                skipped = f.binary("mul", k, self.covered)
                lines = [f.at(self.register, line, skipped) for line in self.lines]
                stop = f.smin(f.binary("add", begin, tall), rows)
                f.each(begin, stop, 1, lambda y: self.row_of_cells(y, cells, lines))

            f.each(0, count, 1, group)

        f.each(low, top, self.at_once, some)
        stop = f.smin(f.binary("mul", high, tall), rows)
        f.each(f.binary("mul", top, tall), stop, 1, lambda y: self.row_of_cells(y, cells, ()))

    def repeat(self, line: str, source: str, count: str) -> None:
        """Each of ``count`` elements, for all columns of its window."""
        f = self.f

        def twice(c: str, lanes: int, _: int) -> None:
            value = self.prepared(self.load(f.at(self.kind, source, c), lanes), lanes)
            place = f.binary("mul", c, 2)
            if lanes == 1:
                self.keep(value, line, place, 1)
                self.keep(value, line, f.binary("add", place, 1), 1)
                return
            picks = [i // 2 for i in range(2 * lanes)]
            self.keep(self.shuffled(value, value, lanes, picks), line, place, 2 * lanes)

        def often(c: str) -> None:
            value = self.prepared(self.load(f.at(self.kind, source, c), 1), 1)
            begin = f.binary("mul", c, self.wide)
            stop = f.binary("add", begin, self.wide)
            f.each(begin, stop, 1, lambda x: self.keep(value, line, x, 1))

        def pairs() -> None:
            self.each_vector("0", count, twice)

        two = f.op(f"icmp eq i64 {self.wide}, 2")
        f.when(two, pairs, lambda: f.each(0, count, 1, often))

    def each_vector(self, first: str, end: str, work: Callable[[str, int, int], None]) -> str:
        """Vectors, and what is left one by one."""
        return self.sweep(first, end, [*((lanes, 1) for lanes in self.widths()), (1, 1)], work)

    def row_of_cells(self, y: str, cells: Sequence[tuple[str, str]], lines: Sequence[str]) -> None:
        """A row of cells: those of windows, if there are any, and those behind the last."""
        f = self.f
        target, *others = (f.place(base, (y, step)) for base, step in cells)
        width = f.dim(0, 3)

        def inner(x: str, lanes: int, _: int) -> None:
            values = [self.kept(line, x, lanes) for line in lines]
            source = f.at(self.kind, others[0], x) if others else None
            self.store(self.spread(values, source, lanes), f.at(self.kind, target, x), lanes)

        def empty(x: str, lanes: int, _: int) -> None:
            self.store(self.all("0.0", lanes), f.at(self.kind, target, x), lanes)

        covered = f.smin(self.covered, width) if lines else "0"
        done = self.each_vector("0", covered, inner) if lines else "0"
        self.each_vector(done, width, empty)
