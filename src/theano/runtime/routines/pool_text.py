"""What native texts of pooling share: elements, vectors, windows and the rows that they cover."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from theano.runtime.routines.base import (
    PARTS_HELPERS,
    Part,
    Text,
    Writer,
    in_parts,
)
from theano.runtime.routines.elements import Elements
from theano.runtime.routines.table import routine

if TYPE_CHECKING:
    from theano.runtime.support import Target

#: What sums are divided by: nothing, cells with the padding, cells of the image.
SUM, WITH_PADDING, WITHOUT_PADDING = range(3)
_MORE: Final = "declare ptr @th_alloc(i64)\ndeclare void @th_free(ptr)\n"
_WEIGHT: Final = 40  # of an element that is read: about 0.3 nanoseconds


class Span(NamedTuple):
    """Cells of a window, and their number (with the padding, if that counts), as registers."""

    first: str
    end: str
    number: str


class Pooling(Elements, ABC):
    """Writes one routine for one dtype.

    ``image`` and ``result`` are the numbers of the arrays that windows lie on, and of those with an
    element per window.
    """

    name: str
    image: int
    result: int

    def __init__(self, dtype: str, target: Target) -> None:
        super().__init__(dtype, target)
        self.unsigned = dtype.startswith("u")
        self.row = routine(self.name)
        self.f: Part = Part("", self.row)

    def text(self, symbol: str) -> Text:
        """The whole module."""
        body = in_parts(symbol, self.row, self.plan, self.body)
        return Text(_MORE + body, (*PARTS_HELPERS, "th_alloc", "th_free"))

    def plan(self, f: Writer) -> tuple[str, str, int]:
        """A position is a row of array 0; it reads as many rows as a window has."""
        rows = f.binary("mul", f.dim(0, 0), f.binary("mul", f.dim(0, 1), f.dim(0, 2)))
        deep = f.binary("mul", f.number(0), f.number(1))
        return rows, f.binary("mul", deep, f.dim(self.image, 3)), _WEIGHT

    # lines and vectors ---------------------------------------------------------------------------

    def kept(self, line: str, index: str, lanes: int) -> str:
        """Elements of a line."""
        place = self.f.at(self.register, line, index)
        return self.f.op(f"load {self.type(self.register, lanes)}, ptr {place}, align {self.bytes}")

    def keep(self, value: str, line: str, index: str, lanes: int) -> None:
        """The reverse."""
        place = self.f.at(self.register, line, index)
        kind = self.type(self.register, lanes)
        self.f.do(f"store {kind} {value}, ptr {place}, align {self.bytes}")

    def splat(self, value: str, lanes: int) -> str:
        """A register in all lanes."""
        if lanes == 1:
            return value
        kind = self.type(self.register, lanes)
        one = self.f.op(f"insertelement {kind} undef, {self.register} {value}, i32 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        return self.f.op(f"shufflevector {kind} {one}, {kind} undef, {zeros}")

    def number(self, count: str) -> str:
        """An i64 as an element."""
        return self.f.op(f"sitofp i64 {count} to {self.register}")

    def widths(self) -> list[int]:
        """Vectors, from whole ones down to pairs."""
        found = [self.lanes]
        while found[-1] > 2:
            found.append(found[-1] // 2)
        return found

    # control -------------------------------------------------------------------------------------

    def sweep(
        self, first: str, end: str, steps: Sequence[tuple[int, int]],
        work: Callable[[str, int, int], None],
    ) -> str:  # fmt: skip
        """Cover ``first`` … ``end`` by ``work(i, lanes, count)``, in ``steps`` of falling length;
        where it ended."""
        f = self.f
        here = first
        for lanes, count in steps:
            length = lanes * count

            def one(i: str, _: list[str], lanes: int = lanes, count: int = count) -> list[str]:
                work(i, lanes, count)
                return [f.binary("add", i, lanes * count)]

            stop = f.binary("sub", end, length - 1)
            (here,) = f.loop(here, stop, length, [("i64", here)], one)
        return here

    def tight(self, *arrays: int) -> str:
        """Whether the rows of arrays are contiguous."""
        f = self.f
        return f.both(*(f.op(f"icmp eq i64 {f.stride(a, 3)}, {self.size}") for a in arrays))

    def index(self, position: str, array: int) -> tuple[str, str, str]:
        """(image, depth, height) of a row."""
        f = self.f
        rows, deep = f.dim(array, 2), f.dim(array, 1)
        rest, y = f.binary("udiv", position, rows), f.binary("urem", position, rows)
        return f.binary("udiv", rest, deep), f.binary("urem", rest, deep), y

    def at(self, array: int, image: str, *index: str) -> str:
        """The address of an element; missing indices are 0."""
        f = self.f
        moves = [(i, f.stride(array, axis)) for axis, i in enumerate((image, *index))]
        return f.place(f.pointer(array), *moves)

    def span(self, position: str, axis: int, extent: str = "") -> Span:
        """The cells of a window along an axis, of the image's or another extent; see `window`."""
        f = self.f
        size, stride, pad = (f.number(axis + i) for i in (0, 3, 6))
        extent = extent or f.dim(self.image, 1 + axis)
        start = f.binary("sub", f.binary("mul", position, stride), pad)
        stop = f.binary("add", start, size)
        first = f.smax(start, 0)
        end = f.smax(f.smin(stop, extent), first)
        whole = f.binary("sub", f.smin(stop, f.binary("add", extent, pad)), start)
        padded = f.op(f"icmp eq i64 {f.number(9)}, {WITH_PADDING}")
        own = f.binary("sub", end, first)
        counted = f.op(f"select i1 {padded}, i64 {whole}, i64 {own}")
        plain = f.op(f"icmp eq i64 {f.number(9)}, {SUM}")
        return Span(first, end, f.op(f"select i1 {plain}, i64 1, i64 {counted}"))

    def over(self, position: str, axis: int) -> tuple[str, str]:
        """The windows that cover a cell: the first one, and the one after the last."""
        f = self.f
        size, stride, pad = (f.number(axis + i) for i in (0, 3, 6))
        reach = f.binary("add", position, pad)
        short = f.smax(f.binary("add", f.binary("sub", reach, size), 1), 0)
        first = f.binary("udiv", f.binary("add", short, f.binary("sub", stride, 1)), stride)
        last = f.binary("add", f.binary("udiv", reach, stride), 1)
        return first, f.smin(last, f.dim(self.result, 1 + axis))

    def inside(self) -> tuple[str, str]:
        """Windows along a row that lie in the image: the first one, and the one after the last."""
        f = self.f
        size, stride, pad = (f.number(2 + i) for i in (0, 3, 6))
        extent, many = f.dim(self.image, 3), f.dim(self.result, 3)
        up = f.binary("add", pad, f.binary("sub", stride, 1))
        first = f.smin(f.binary("udiv", up, stride), many)
        room = f.binary("sub", f.binary("add", extent, pad), size)
        fits = f.op(f"icmp sge i64 {room}, 0")
        last = f.binary("add", f.binary("sdiv", room, stride), 1)
        last = f.smin(f.op(f"select i1 {fits}, i64 {last}, i64 0"), many)
        return first, f.smax(first, last)

    def line(self, count: str) -> str:
        """Memory for ``count`` elements and what vectors read beyond."""
        f = self.f
        total = f.binary("mul", f.binary("add", count, 4 * self.lanes), self.bytes)
        place = f.op(f"call ptr @th_alloc(i64 {total})")
        f.fail_if(f.op(f"icmp eq ptr {place}, null"))
        return place

    @abstractmethod
    def body(self, f: Part, first: str, end: str) -> None:
        """Rows ``first`` to ``end`` of array 0."""
