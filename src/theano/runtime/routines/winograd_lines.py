"""Cells with their channels side by side: lines are turned, from images and to results."""

from __future__ import annotations

from collections.abc import Callable

from theano.runtime.irtext import Function, turned
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_local import product
from theano.runtime.routines.winograd_tiles import Lines, Tiles, TilesText


class LinesText(TilesText):
    """Writes what turns lines of cells to vectors of channels, and the reverse."""

    @property
    def width(self) -> int:
        """Cells of a line that are turned at once: 16 bytes, which is as fast as more are."""
        return 16 // self.size

    def lines_in(self) -> list[str]:
        """The functions that turn cells of images."""
        return [self._block_in(), self._line_in()]

    def lines_out(self) -> list[str]:
        """The functions that turn results."""
        return [self._block_out(), self._line_out()]

    def _block_in(self) -> str:
        """Turn some cells of a vector of channels; channels behind the last are like it."""
        f = Function("internal void @block_in(ptr %to, ptr %of, i64 %apart, i64 %last)")
        rows, size = [], self.width
        for i in range(self.lanes):
            place = f.at("i8", "%of", f.binary("mul", "%apart", f.smin("%last", i)))
            rows.append(self.load_vector(f, place, size))
        while size < self.lanes:
            kind, mask = f"<{size} x {self.kind}>", self._picks(0, 2 * size)
            rows = [
                f.op(f"shufflevector {kind} {one}, {kind} {two}, {mask}")
                for one, two in zip(rows[::2], rows[1::2], strict=True)
            ]
            size *= 2
        for i, value in enumerate(turned(f, rows, self.vector)):
            self.store_vector(f, value, self.cell(f, "%to", str(i)))
        f.do("ret void")
        return f.text()

    def _block_out(self) -> str:
        """Turn some cells of a vector of filters back."""
        f, width = Function("internal void @block_out(ptr %to, i64 %apart, ptr %of)"), self.width
        cells = [self.load_vector(f, self.cell(f, "%of", str(i))) for i in range(width)]
        lines = turned(f, cells, self.vector, width.bit_length() - 1)
        for i in range(self.lanes):
            number, first = divmod(i * width, self.lanes)
            value, mask = lines[number], self._picks(first, width)
            value = f.op(f"shufflevector {self.vector} {value}, {self.vector} poison, {mask}")
            self.store_vector(f, value, f.at("i8", "%to", f.binary("mul", "%apart", i)), width)
        f.do("ret void")
        return f.text()

    def _picks(self, first: int, count: int) -> str:
        """The mask of a shuffle that takes neighbours."""
        return f"<{count} x i32> <{', '.join(f'i32 {first + i}' for i in range(count))}>"

    def _cover(self, f: Function, block: Callable[[str], None], one: Callable[[str], None]) -> None:
        """All of ``%count`` cells in blocks, of which the last two may overlap; few one by one.

        It ends the function.
        """
        last = f.binary("sub", "%count", self.width)

        def blocks() -> None:
            f.each(0, last, self.width, block)
            block(last)

        f.leave_if(f.op(f"icmp sge i64 {last}, 0"), blocks)
        f.each(0, "%count", 1, one)
        f.do("ret void")

    def _line_in(self) -> str:
        """A line of cells, with its channels side by side."""
        f = Function(
            "internal void @line_in(ptr %to, ptr %of, i64 %apart, i64 %step, i64 %channels, "
            "i64 %count)"
        )
        last = f.binary("sub", "%channels", 1)

        def one(i: str) -> None:
            to, of = self.cell(f, "%to", i), f.at("i8", "%of", f.binary("mul", i, "%step"))
            f.do(f"call void @copy(ptr {to}, i64 {self.size}, ptr {of}, i64 %apart, i64 %channels)")

        def block(i: str) -> None:
            to, of = self.cell(f, "%to", i), self.element(f, "%of", i)
            f.do(f"call void @block_in(ptr {to}, ptr {of}, i64 %apart, i64 {last})")

        loose = f.op(f"icmp ne i64 %step, {self.size}")
        f.leave_if(loose, lambda: f.each(0, "%count", 1, one))
        self._cover(f, block, one)
        return f.text()

    def _line_out(self) -> str:
        """The reverse."""
        f = Function(
            "internal void @line_out(ptr %to, i64 %apart, i64 %step, ptr %of, i64 %filters, "
            "i64 %count)"
        )

        def one(i: str) -> None:
            of, to = self.cell(f, "%of", i), f.at("i8", "%to", f.binary("mul", i, "%step"))
            f.do(f"call void @copy(ptr {to}, i64 %apart, ptr {of}, i64 {self.size}, i64 %filters)")

        def block(i: str) -> None:
            of, to = self.cell(f, "%of", i), self.element(f, "%to", i)
            f.do(f"call void @block_out(ptr {to}, i64 %apart, ptr {of})")

        loose = f.op(f"icmp ne i64 %step, {self.size}")
        few = f.op(f"icmp slt i64 %filters, {self.lanes}")
        f.leave_if(f.op(f"or i1 {loose}, {few}"), lambda: f.each(0, "%count", 1, one))
        self._cover(f, block, one)
        return f.text()

    def cell(self, f: Function, base: str, index: str) -> str:
        """The vector of channels of a cell."""
        return self.element(f, base, f.binary("mul", index, self.lanes))

    def _each_line(
        self, f: Writer, array: int, start: tuple[str, str], tiles: Tiles, lines: Lines,
        body: Callable[[str, str, str], None],
    ) -> None:  # fmt: skip
        """``body(place, cell, length)`` for the lines of a block that are inside of an array.

        ``start``: the first image of the block, and a channel.
        """
        step = [f.stride(array, i) for i in range(5)]
        extents = f.dim(array, 2), f.dim(array, 4)
        low = f.smin(f.smax(f.binary("sub", 0, lines.column), 0), lines.width)
        high = f.smax(f.smin(f.binary("sub", extents[1], lines.column), lines.width), low)
        length, column = f.binary("sub", high, low), f.binary("add", lines.column, low)
        top = f.smin(f.smax(f.binary("sub", 0, lines.row), 0), lines.height)
        bottom = f.smax(f.smin(f.binary("sub", extents[0], lines.row), lines.height), top)
        of = f.place(f.pointer(array), *zip(start, step[:2], strict=True), (column, step[4]))

        def line(k: str, a: str) -> None:
            place = f.place(of, (k, step[0]), (f.binary("add", lines.row, a), step[2]))
            cell = f.binary("mul", f.binary("add", f.binary("mul", k, lines.height), a),
                            lines.width)  # fmt: skip
            body(place, f.binary("add", cell, low), length)

        f.each(0, tiles.images, 1, lambda k: f.each(top, bottom, 1, lambda a: line(k, a)))

    def cells_in(
        self, f: Writer, array: int, start: tuple[str, str, str], tiles: Tiles, lines: Lines,
        to: str,
    ) -> None:  # fmt: skip
        """Cells of an array around a block; ``start``: first image, first channel, channels.

        What is outside of the image is left as it is.
        """
        step = [f.stride(array, i) for i in range(5)]
        self._each_line(f, array, start[:2], tiles, lines, lambda place, cell, length: f.do(
            f"call void @line_in(ptr {self.cell(f, to, cell)}, ptr {place}, i64 {step[1]}, "
            f"i64 {step[4]}, i64 {start[2]}, i64 {length})"
        ))  # fmt: skip

    def cells_out(
        self, f: Writer, start: tuple[str, str, str], tiles: Tiles, lines: Lines, of: str
    ) -> None:
        """Write the cells of a block to results."""
        step = [f.stride(self.y, i) for i in range(5)]
        self._each_line(f, self.y, start[:2], tiles, lines, lambda place, cell, length: f.do(
            f"call void @line_out(ptr {place}, i64 {step[1]}, i64 {step[4]}, "
            f"ptr {self.cell(f, of, cell)}, i64 {start[2]}, i64 {length})"
        ))  # fmt: skip

    def clear(self, f: Writer, tiles: Tiles, lines: Lines, cells: str) -> None:
        """Zeros in all cells of a block."""
        size = product(f, [tiles.images, lines.height, lines.width, str(self.lanes)])
        f.do(f"call void @zero(ptr {cells}, i64 {size})")
