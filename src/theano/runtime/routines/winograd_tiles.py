"""How minimal filtering divides its work: tiles of 2x2 results, and blocks of tiles.

A block is some rows and columns of tiles of an image, or some whole images; what is computed for
it stays in the second cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Part, Writer
from theano.runtime.routines.conv_local import ceil_div, product
from theano.runtime.routines.conv_vectors import VectorText

#: Numbers of a transformed tile.
POINTS: Final = 16
#: Rows that a product may read and write behind its last.
SLACK: Final = 8
#: Bytes of transformed tiles that stay in the second cache, and how few tiles there may be.
_BLOCK: Final = 448 << 10
_LEAST: Final = 48
#: Blocks are made smaller where there are fewer than this.
_UNITS: Final = 8


class Tiles(NamedTuple):
    """A block of tiles: the first image, row and column of tiles, and how many of each."""

    n: str
    images: str
    row: str
    rows: str
    column: str
    columns: str


class Lines(NamedTuple):
    """Cells around a block: the first row and column in the image, lines and cells of a line."""

    row: str
    column: str
    height: str
    width: str


class Workspace(NamedTuple):
    """Memory for a block: a vector of channels of its cells; transformed channels and filters."""

    cells: str
    channels: str
    filters: str


class TilesText(VectorText):
    """Writes what knows about tiles. ``y``, ``x``, ``w``: where result, image and kernel are."""

    #: What the context holds: first what `in_parts` puts there. Then extents; rows and columns of
    #: tiles of an image; images, rows and columns of tiles of a block; how many blocks lie over,
    #: below and beside each other; elements from row to row of transformed channels and filters
    #: (one row per tile), and from point to point; what the two routines add.
    slots = (
        "words", "grain", "mode", "status", "N", "G", "O", "C", "high", "wide", "images", "rows",
        "columns", "over", "down", "across", "c_pitch", "o_pitch", "c_apart", "o_apart",
        "kernels", "sums", "block", "blocks", "chunks", "bias",
    )  # fmt: skip
    y: int
    x: int
    w: int

    def main(self) -> Writer:
        """The routine, with its context and the extents in it."""
        f = super().main()
        found = {"N": f.dim(self.y, 0), "G": f.dim(self.w, 0), "O": f.dim(self.w, 1),
                 "C": f.dim(self.w, 2)}  # fmt: skip
        for name, value in found.items():
            self.put(f, name, value)
        return f

    def usable(self, f: Writer) -> str:
        """Whether the call is one that can be done."""
        numbers = (f.number(0), f.number(2), f.number(3), f.number(5))
        wanted = [
            *((f.dim(self.w, 3 + axis), extent) for axis, extent in enumerate((3, 1, 3))),
            (f.dim(self.x, 3), 1), (f.dim(self.y, 3), 1), (f.number(7), 0),
            *((number, 1) for number in numbers),
        ]  # fmt: skip
        size = product(f, [*self.gets(f, "N G O C"), f.dim(self.y, 2), f.dim(self.y, 4)])
        return f.both(
            f.op(f"icmp sgt i64 {size}, 0"),
            *(f.op(f"icmp eq i64 {value}, {number}") for value, number in wanted),
        )

    def usable_or_failed(self, f: Writer, work: Callable[[], str]) -> str:
        """The text of the routine: ``work()`` gives its result where the call can be done."""
        failed = [("i64", "-1")]
        return f.finish(f.choose(self.usable(f), failed, lambda: [work()])[0])

    # the plan ------------------------------------------------------------------------------------

    def plan(self, f: Writer, channels: str) -> None:
        """Divide the tiles of all images into blocks; ``channels`` are transformed at once."""
        filters, batch = self.gets(f, "O N")
        high, wide = (ceil_div(f, f.dim(self.y, axis), "2") for axis in (2, 4))
        each = f.binary("mul", f.binary("add", channels, filters), POINTS * self.size)
        most = f.smax(f.binary("udiv", str(_BLOCK), each), _LEAST)
        share = ceil_div(f, product(f, [batch, high, wide]), str(_UNITS))
        most = f.smin(most, f.smax(share, _LEAST // 2))
        across = ceil_div(f, wide, f.smin(wide, most))
        columns = ceil_div(f, wide, across)
        down = ceil_div(f, high, f.smin(f.smax(f.binary("udiv", most, columns), 1), high))
        rows = ceil_div(f, high, down)
        each = f.binary("mul", rows, columns)
        whole = f.op(f"icmp eq i64 {f.binary('mul', down, across)}, 1")
        images = f.smin(f.smax(f.binary("udiv", most, each), 1), batch)
        images = f.op(f"select i1 {whole}, i64 {images}, i64 1")
        over = ceil_div(f, batch, images)
        images = ceil_div(f, batch, over)
        count = f.binary("add", f.binary("mul", images, each), SLACK)
        pitches = self._pitch(f, channels), self._pitch(f, filters)
        found = {
            "high": high, "wide": wide, "images": images, "rows": rows, "columns": columns,
            "over": over, "down": down, "across": across,
            "c_pitch": pitches[0], "c_apart": f.binary("mul", count, pitches[0]),
            "o_pitch": pitches[1], "o_apart": f.binary("mul", count, pitches[1]),
        }  # fmt: skip
        for name, value in found.items():
            self.put(f, name, value)

    def vectors(self, f: Writer, count: str) -> str:
        """How many vectors hold so many elements."""
        return ceil_div(f, count, str(self.lanes))

    def _pitch(self, f: Writer, count: str) -> str:
        """Elements from row to row; rows do not all begin in the same sets of the cache."""
        vectors = self.vectors(f, count)
        even = f.op(f"icmp eq i64 {f.binary('and', vectors, 7)}, 0")
        more = f.op(f"zext i1 {even} to i64")
        return f.binary("mul", f.binary("add", vectors, more), self.lanes)

    def workspace(self, f: Part) -> Workspace:
        """Memory for the largest block; ``cells`` is the whole of it, to be freed."""
        images, rows, columns = self.gets(f, "images rows columns")
        height, width = (f.binary("add", f.binary("mul", n, 2), 2) for n in (rows, columns))
        cells = product(f, [images, height, width, str(self.lanes)])
        parts = [f.binary("mul", n, POINTS) for n in self.gets(f, "c_apart o_apart")]
        total = f.binary("add", f.binary("add", cells, parts[0]), parts[1])
        start = self.alloc(f, total)
        channels = self.element(f, start, cells)
        return Workspace(start, channels, self.element(f, channels, parts[0]))

    # blocks --------------------------------------------------------------------------------------

    def blocks_of_tiles(self, f: Writer) -> str:
        """How many blocks there are."""
        return product(f, self.gets(f, "over down across"))

    def some_tiles(self, f: Writer, number: str) -> Tiles:
        """A block by its number."""
        down, across = self.gets(f, "down across")
        rest, b = f.binary("udiv", number, across), f.binary("urem", number, across)
        n, a = f.binary("udiv", rest, down), f.binary("urem", rest, down)

        def part(number: str, most: str, whole: str) -> tuple[str, str]:
            first = f.binary("mul", number, most)
            return first, f.smin(f.binary("sub", whole, first), most)

        most, whole = self.gets(f, "images rows columns"), self.gets(f, "N high wide")
        numbers = zip((n, a, b), most, whole, strict=True)
        return Tiles(*(value for given in numbers for value in part(*given)))

    def tile_count(self, f: Writer, tiles: Tiles) -> str:
        """How many tiles a block has."""
        return product(f, [tiles.images, tiles.rows, tiles.columns])

    def around(self, f: Writer, tiles: Tiles, array: int) -> Lines:
        """The cells of images, or of results, that a block needs."""
        row, column = f.binary("mul", tiles.row, 2), f.binary("mul", tiles.column, 2)
        height, width = f.binary("mul", tiles.rows, 2), f.binary("mul", tiles.columns, 2)
        if array == self.y:
            return Lines(row, column, height, width)
        return Lines(
            f.binary("sub", row, f.number(6)), f.binary("sub", column, f.number(8)),
            f.binary("add", height, 2), f.binary("add", width, 2),
        )  # fmt: skip

    def each_tile(
        self, f: Writer, tiles: Tiles, lines: Lines, body: Callable[[str, str], None]
    ) -> None:
        """``body(number, cell)``: each tile, and its first cell among those of all lines."""
        size = f.binary("mul", lines.height, lines.width)

        def row(k: str, i: str) -> None:
            number = f.binary("mul", f.binary("add", f.binary("mul", k, tiles.rows), i),
                              tiles.columns)  # fmt: skip
            line = f.binary("mul", f.binary("mul", i, 2), lines.width)
            cell = f.binary("add", f.binary("mul", k, size), line)
            f.each(0, tiles.columns, 1, lambda j: body(
                f.binary("add", number, j), f.binary("add", cell, f.binary("mul", j, 2))
            ))  # fmt: skip

        f.each(0, tiles.images, 1, lambda k: f.each(0, tiles.rows, 1, lambda i: row(k, i)))

    def places(self, f: Function, start: str, count: int, step: str) -> list[str]:
        """``count`` addresses ``step`` bytes apart."""
        found = [start]
        for _ in range(count - 1):
            found.append(f.at("i8", found[-1], step))
        return found
