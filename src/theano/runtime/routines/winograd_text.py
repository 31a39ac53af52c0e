"""What minimal filtering F(2x2, 3x3) shares: the algorithm, and its changes of tiles.

Winograd's algorithm (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015)
makes the 2x2 results of a tile from 4x4 cells with 16 products where the definition has 36:

    results = A' [(G kernel G') * (B' cells B)] A

    B' = 1  0 -1  0     G =  1    0    0      A' = 1  1  1  0
         0  1  1  0         1/2  1/2  1/2          0  1 -1 -1
         0 -1  1  0         1/2 -1/2  1/2
         0  1  0 -1          0    0    1

Cells and kernels are each transformed to 16 numbers, products are added over channels, and 16 sums
are transformed to the 4 results. It is linear in the kernel, so that the gradient for kernels is

    gradient = G' [(A gradients A') * (B' cells B)] G

with sums over all tiles. The channels of a cell lie side by side in vectors, so that transforms are
sums of vectors, and each of the 16 points is a product of matrices:

    results:  [tiles x channels] [channels x filters]
    weights:  [filters x tiles] [tiles x channels]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.winograd_lines import LinesText
from theano.runtime.routines.winograd_products import ProductsText
from theano.runtime.routines.winograd_tiles import POINTS, Tiles, Workspace

#: Changes some vectors to others.
Transform = Callable[[Function, Sequence[str]], list[str]]


class WinogradText(LinesText, ProductsText):
    """Writes what both routines need."""

    def sum(self, f: Function, a: str, b: str) -> str:
        """``a + b`` of vectors."""
        return f.op(f"fadd {self.vector} {a}, {b}")

    def less(self, f: Function, a: str, b: str) -> str:
        """``a - b`` of vectors."""
        return f.op(f"fsub {self.vector} {a}, {b}")

    def halved(self, f: Function, values: Sequence[str]) -> list[str]:
        """Halves of vectors."""
        half = self.splat(f, "0.5")
        return [f.op(f"fmul {self.vector} {value}, {half}") for value in values]

    def of_cells(self, f: Function, d: Sequence[str]) -> list[str]:
        """``B' d``."""
        return [
            self.less(f, d[0], d[2]), self.sum(f, d[1], d[2]),
            self.less(f, d[2], d[1]), self.less(f, d[1], d[3]),
        ]  # fmt: skip

    def both_ways(
        self, f: Function, transform: Transform, square: Sequence[Sequence[str]]
    ) -> list[list[str]]:
        """Transform the rows of a square, then the columns of what that gives."""
        rows = [transform(f, row) for row in square]
        columns = [transform(f, column) for column in zip(*rows, strict=True)]
        return [list(row) for row in zip(*columns, strict=True)]

    def square(self, f: Function, start: str, line: str, size: int) -> list[list[str]]:
        """Vectors of size x size cells; ``line``: bytes from line to line."""
        return [
            [self.load_vector(f, self.element(f, row, s * self.lanes)) for s in range(size)]
            for row in self.places(f, start, size, line)
        ]

    def put_points(self, f: Function, values: Sequence[Sequence[str]], to: str, apart: str) -> None:
        """Write the 16 numbers of tiles; ``apart``: bytes from point to point."""
        places = self.places(f, to, POINTS, apart)
        for value, place in zip((v for row in values for v in row), places, strict=True):
            self.store_vector(f, value, place)

    def transformed_cells(
        self, f: Writer, array: int, transform: Transform, tiles: Tiles,
        channels: tuple[str, str], memory: Workspace,
    ) -> None:  # fmt: skip
        """Transform the cells of a block of an array, to [point][tile][channel].

        ``channels``: the first and how many. Images give 4x4 cells and go to ``memory.channels``,
        gradients of results 2x2 and go to ``memory.filters``.
        """
        image = array == self.x
        size, to = (4, memory.channels) if image else (2, memory.filters)
        pitch, apart = self.gets(f, "c_pitch c_apart" if image else "o_pitch o_apart")
        apart, (begin, count) = f.binary("mul", apart, self.size), channels
        lines = self.around(f, tiles, array)
        line = f.binary("mul", lines.width, self.lanes * self.size)

        def tile(number: str, cell: str, first: str) -> None:
            cells = self.square(f, self.cell(f, memory.cells, cell), line, size)
            index = f.binary("add", f.binary("mul", number, pitch), first)
            self.put_points(
                f, self.both_ways(f, transform, cells), self.element(f, to, index), apart
            )

        def some(first: str) -> None:
            here = f.smin(f.binary("sub", count, first), self.lanes)
            start = tiles.n, f.binary("add", begin, first), here
            self.cells_in(f, array, start, tiles, lines, memory.cells)
            self.each_tile(f, tiles, lines, lambda number, cell: tile(number, cell, first))

        self.clear(f, tiles, lines, memory.cells)
        f.each(0, count, self.lanes, some)

    def group(self, f: Writer, g: str, name: str) -> tuple[str, str]:
        """The first channel ("C") or filter ("O") of a group among all, and how many it has."""
        count = self.get(f, name)
        return f.binary("mul", g, count), count
