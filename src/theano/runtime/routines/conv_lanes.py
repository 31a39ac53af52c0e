"""Native text of ``conv`` for batches of small images: images lie side by side in vectors.

Cells are packed as [channel][cell][image]. Each position of the result is a tile of its own and
adds only taps that lie inside of the images: nothing is computed that is not needed, whatever the
extents, strides and zeros are. Terms are ordered by tap, then channel, so that the taps of a line
that are inside are a run.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_end import EndText
from theano.runtime.routines.conv_local import ceil_div, product
from theano.runtime.routines.conv_text import ConvText

_VECTORS: Final = 2
#: Bytes of a packed block of images that stay in the second cache.
_BLOCK: Final = 768 << 10
#: Vectors of positions whose sums wait to be written.
_WAITING: Final = 4


class LanesText(ConvText, EndText):
    """The part of the routine that works on images side by side."""

    y, x, w = 0, 1, 2

    @property
    def block(self) -> int:
        """Filters of a tile; the last block may have half of them."""
        return 8 if self.many else 4

    @property
    def images(self) -> int:
        """Images of a unit of work."""
        return _VECTORS * self.lanes

    def filters(self, f: Writer, number: str) -> tuple[str, str]:
        """The first filter of a block and how many its tile has."""
        first = f.binary("mul", number, self.block)
        return first, f.smin(f.binary("sub", self.get(f, "wide"), first), self.block)

    def image_blocks(self, f: Writer) -> str:
        """How many blocks of images there are."""
        return ceil_div(f, self.get(f, "N"), str(self.images))

    def lanes_functions(self) -> list[str]:
        """The functions of this way."""
        return [self._point(), self._unit_of_lanes()]

    # when and how --------------------------------------------------------------------------------

    def _inside(self, f: Writer, axis: int, p: str) -> tuple[str, str]:
        """The taps along an axis that lie inside of the image at position ``p``."""
        cells, taps, stride, dilation, before = self.gets(
            f, f"I{axis} K{axis} s{axis} d{axis} b{axis}"
        )
        origin = f.binary("sub", f.binary("mul", p, stride), before)
        low = f.smin(f.smax(ceil_div(f, f.binary("sub", 0, origin), dilation), 0), taps)
        high = f.smin(ceil_div(f, f.binary("sub", cells, origin), dilation), taps)
        return low, f.smax(high, low)

    def worth_lanes(self, f: Writer) -> str:
        """Whether this way has less to do than strips, and can be gone.

        Puts what is to be done, for each channel and filter, into the context: in eighths of a
        product by strips, of which products with images side by side cost nine.
        """
        counts = []
        for axis in range(3):

            def add(p: str, total: list[str], axis: int = axis) -> list[str]:
                low, high = self._inside(f, axis, p)
                return [f.binary("add", total[0], f.binary("sub", high, low))]

            counts += f.loop(0, self.get(f, f"P{axis}"), 1, [("i64", "0")], add)
        batch, channels, taps, rows, depth, width = self.gets(f, "N C taps P0 E1 E2")
        padded = f.binary("mul", self.image_blocks(f), self.images)
        mine = f.binary("mul", product(f, [padded, *counts]), 9)
        other = f.binary("mul", product(f, [batch, rows, depth, width, taps]), 8)
        cells = product(f, self.gets(f, "I0 I1 I2"))
        self.put(f, "cells", cells)
        room = product(f, [channels, cells, str(self.images * self.size)])
        worth = f.both(
            f.op(f"icmp slt i64 {mine}, {other}"),
            f.op(f"icmp sle i64 {room}, {_BLOCK}"),
            self.tight(f, self.x, "I0 I1 I2"),
            self.tight(f, self.y, "P0 P1 P2"),
        )
        self.put(f, "cost", f.op(f"select i1 {worth}, i64 {mine}, i64 {other}"))
        return worth

    def lanes_distances(self, f: Writer) -> str:
        """A table: the distance in bytes of each (tap, channel) from a position."""
        channels, taps, cells = self.gets(f, "C taps cells")
        extents = [self.gets(f, f"K{i} d{i} I{i}") for i in range(3)]
        count = f.binary("mul", channels, taps)
        table = self.alloc(f, count, 8)

        def one(q: str) -> None:
            rest, place, size = f.binary("udiv", q, channels), "0", "1"
            for number, dilation, extent in reversed(extents):
                k = f.binary("mul", f.binary("urem", rest, number), dilation)
                place = f.binary("add", place, f.binary("mul", k, size))
                size, rest = f.binary("mul", size, extent), f.binary("udiv", rest, number)
            channel = f.binary("mul", f.binary("urem", q, channels), cells)
            distance = f.binary("mul", f.binary("add", place, channel), self.images * self.size)
            f.do(f"store i64 {distance}, ptr {f.at('i64', table, q)}, align 8")

        f.each(0, count, 1, one)
        self.put(f, "distances", f.op(f"ptrtoint ptr {table} to i64"))
        return table

    # units of work -------------------------------------------------------------------------------

    def _point(self) -> str:
        """All filters at one position."""
        f = self.function(
            "void @point(ptr %ctx, i64 %p, ptr %packed, ptr %kernels, ptr %to, i64 %single)"
        )
        columns, width, channels, taps, blocks = self.gets(f, "P1 P2 C taps blocks")
        places, ranges, index = [], [], "0"
        rest, c = f.binary("udiv", "%p", width), f.binary("urem", "%p", width)
        numbers = [f.binary("udiv", rest, columns), f.binary("urem", rest, columns), c]
        for axis, p in enumerate(numbers):
            stride, before, extent = self.gets(f, f"s{axis} b{axis} I{axis}")
            places.append(f.binary("sub", f.binary("mul", p, stride), before))
            index = f.binary("add", f.binary("mul", index, extent), places[-1])
            ranges.append(self._inside(f, axis, p))
        x = self.element(f, "%packed", f.binary("mul", index, self.images))
        extents = self.gets(f, "K1 K2")
        complete = f.both(*(
            f.op(f"icmp eq i64 {f.binary('sub', high, low)}, {self.get(f, f'K{axis}')}")
            for axis, (low, high) in enumerate(ranges)
        ))  # fmt: skip
        terms = f.binary("mul", channels, taps)

        def run(q: str, count: str, number: str) -> None:
            f.each(0, blocks, 1, lambda block: self._call(f, x, block, (terms, q, count, number)))

        (row_low, row_high), (depth_low, depth_high), (low, high) = ranges
        length = f.binary("mul", f.binary("sub", high, low), channels)

        def line(a: str, b: str, number: str) -> None:
            tap = f.binary("add", f.binary("mul", a, extents[0]), b)
            tap = f.binary("add", f.binary("mul", tap, extents[1]), low)
            run(f.binary("mul", tap, channels), length, number)

        def lines() -> None:
            run("0", "0", "0")
            f.each(row_low, row_high, 1, lambda a: f.each(
                depth_low, depth_high, 1, lambda b: line(a, b, "1")))  # fmt: skip

        f.when(complete, lambda: run("0", terms, "0"), lines)
        f.do("ret void")
        return f.text()

    def _call(self, f: Writer, x: str, block: str, run: tuple[str, str, str, str]) -> None:
        """Add a run of terms to the tile of a block of filters."""
        terms, q, count, number = run
        first, rows = self.filters(f, block)
        weight = f.binary("add", f.binary("mul", first, terms), f.binary("mul", q, rows))
        w = self.element(f, "%kernels", weight)
        to = self.element(f, "%to", f.binary("mul", first, self.images))
        table = f.at("i64", self.pointer(f, "distances"), q)
        given = (
            f"(ptr {x}, ptr {w}, ptr {table}, i64 {count}, ptr {to}, "
            f"i64 {self.images * self.size}, i64 {number})"
        )
        full = f.op(f"icmp eq i64 {rows}, {self.block}")
        single = f.op("icmp ne i64 %single, 0")

        def tile(height: int) -> None:
            f.when(
                single,
                lambda: f.do(f"call void @tile_{height}_1{given}"),
                lambda: f.do(f"call void @tile_{height}_{_VECTORS}{given}"),
            )

        f.when(full, lambda: tile(self.block), lambda: tile(self.block // 2))

    def _unit_of_lanes(self) -> str:
        """Units: (block of images, group)."""
        f = self.part("lanes")
        groups, batch = self.gets(f, "G N")
        units = f.binary("mul", self.image_blocks(f), groups)

        def one(unit: str) -> None:
            block, g = f.binary("udiv", unit, groups), f.binary("urem", unit, groups)
            n = f.binary("mul", block, self.images)
            count = f.smin(f.binary("sub", batch, n), self.images)
            self._images(f, n, g, count)

        f.each(*f.range(units), 1, one)
        f.do("ret void")
        return f.text()

    def _images(self, f: Writer, n: str, g: str, count: str) -> None:
        """A block of images, ``count`` of them, of one group."""
        channels, wide, filters, taps = self.gets(f, "C wide O taps")
        packed = self._packed(f, n, g, count)
        total = product(f, self.gets(f, "P0 P1 P2"))
        most = str(_WAITING * self.lanes)
        each = f.binary("mul", wide, self.images)
        sums = self.alloc(f, f.binary("mul", each, most))
        begin = product(f, [g, wide, channels, taps])
        kernels = self.element(f, self.pointer(f, "kernels"), begin)
        few = f.op(f"icmp sle i64 {count}, {self.lanes}")
        single = f.op(f"zext i1 {few} to i64")
        step = [f.stride(self.y, i) for i in range(2)]
        y = f.place(f.pointer(self.y), (n, step[0]), (f.binary("mul", g, filters), step[1]))
        image = f.binary("sdiv", step[0], self.size)

        def some(p: str) -> None:
            here = f.smin(f.binary("sub", total, p), most)

            def point(i: str) -> None:
                to = self.element(f, sums, f.binary("mul", i, each))
                f.do(
                    f"call void @point(ptr %ctx, i64 {f.binary('add', p, i)}, ptr {packed}, "
                    f"ptr {kernels}, ptr {to}, i64 {single})"
                )

            def write(o: str) -> None:
                to = self.element(f, f.place(y, (o, step[1])), p)
                of = self.element(f, sums, f.binary("mul", o, self.images))
                f.do(
                    f"call void @turn(ptr {to}, i64 {image}, ptr {of}, "
                    f"i64 {f.binary('mul', each, self.size)}, i64 {here}, i64 {count})"
                )

            f.each(0, here, 1, point)
            if self.ends:
                self.end_filters(f, g, sums, here, str(self.images))
            f.each(0, filters, 1, write)

        f.each(0, total, most, some)
        self.free(f, sums, packed)

    def _packed(self, f: Writer, n: str, g: str, count: str) -> str:
        """The cells of a block of images, images side by side; missing ones are 0."""
        channels, cells = self.gets(f, "C cells")
        size = product(f, [channels, cells, str(self.images)])
        packed = self.alloc(f, size)
        short = f.op(f"icmp slt i64 {count}, {self.images}")
        f.when(short, lambda: f.do(f"call void @zero(ptr {packed}, i64 {size})"))
        step = [f.stride(self.x, i) for i in range(2)]
        x = f.place(f.pointer(self.x), (n, step[0]), (f.binary("mul", g, channels), step[1]))

        def channel(c: str) -> None:
            to = self.element(f, packed, product(f, [c, cells, str(self.images)]))
            f.do(
                f"call void @turn(ptr {to}, i64 {self.images}, ptr {f.place(x, (c, step[1]))}, "
                f"i64 {step[0]}, i64 {count}, i64 {cells})"
            )

        f.each(0, channels, 1, channel)
        return packed
