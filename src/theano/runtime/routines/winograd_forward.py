"""``winograd``: transformed kernels, then products per block of tiles, and transformed sums.

Transformed kernels are [group][point][panel][channel][filters of the panel], so that a product
reads them line by line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_end import EndText
from theano.runtime.routines.conv_local import product
from theano.runtime.routines.winograd_text import WinogradText
from theano.runtime.routines.winograd_tiles import POINTS, SLACK, Tiles, Workspace

#: Channels whose kernels are gathered at once.
_GATHERED: Final = 16


class WinogradForward(WinogradText, EndText):
    """Writes the routine for one dtype."""

    y, x, w = 0, 1, 2

    def functions(self) -> list[str]:
        """Lines, products, units of work, and the routine."""
        shared = [*self.lines_in(), *self.lines_out(), *self.product_functions()]
        return [*shared, self._kernel_part(), self._tile_part(), self._entry()]

    # kernels -------------------------------------------------------------------------------------

    def _of_kernels(self, f: Function, g: Sequence[str]) -> list[str]:
        """``G g``."""
        outer = self.sum(f, g[0], g[2])
        both = [self.sum(f, outer, g[1]), self.less(f, outer, g[1])]
        return [g[0], *self.halved(f, both), g[2]]

    def _kernel_part(self) -> str:
        """Units: (group, vector of filters)."""
        f = self.part("winograd_kernels")
        groups, channels, filters = self.gets(f, "G C O")
        vectors = self.vectors(f, filters)
        size = str(_GATHERED * 9 * self.lanes)
        gathered = self.alloc(f, size)
        apart = product(f, [channels, vectors, str(self.lanes)])

        def one(unit: str) -> None:
            g, v = (f.binary(op, unit, vectors) for op in ("udiv", "urem"))
            first, width = self.panel_of(f, vectors, v)
            index = f.binary("mul", f.binary("mul", g, POINTS), apart)
            index = f.binary("add", index, product(f, [first, channels, str(self.lanes)]))
            inside = f.binary("mul", f.binary("sub", v, first), self.lanes)
            to = self.element(f, self.pointer(f, "kernels"), f.binary("add", index, inside))
            line = f.binary("mul", width, self.lanes)
            begin = f.binary("mul", v, self.lanes)
            count = f.smin(f.binary("sub", filters, begin), self.lanes)
            f.do(f"call void @zero(ptr {gathered}, i64 {size})")

            def some(c: str) -> None:
                here = f.smin(f.binary("sub", channels, c), _GATHERED)
                self._gather_kernels(f, (g, begin, c), (count, here), gathered)
                target = self.element(f, to, f.binary("mul", c, line))
                f.each(0, here, 1, lambda i: self._kernel(
                    f, self.element(f, gathered, f.binary("mul", i, 9 * self.lanes)),
                    self.element(f, target, f.binary("mul", i, line)), apart))  # fmt: skip

            f.each(0, channels, _GATHERED, some)

        f.each(*f.range(f.binary("mul", groups, vectors)), 1, one)
        self.free(f, gathered)
        f.do("ret void")
        return f.text()

    def _gather_kernels(
        self, f: Writer, start: tuple[str, str, str], counts: tuple[str, str], to: str
    ) -> None:
        """Kernels as [channel][tap][filter]."""
        step = [f.stride(self.w, i) for i in range(6)]
        of = f.place(f.pointer(self.w), *zip(start, step[:3], strict=True))
        taps = [
            f.binary("add", f.binary("mul", step[3], a), f.binary("mul", step[5], b))
            for a in range(3)
            for b in range(3)
        ]

        def kernel(o: str, c: str) -> None:
            place = f.place(of, (o, step[1]), (c, step[2]))
            index = f.binary("add", f.binary("mul", c, 9 * self.lanes), o)
            target = self.element(f, to, index)
            for k, tap in enumerate(taps):
                value = self.load(f, f.at("i8", place, tap))
                self.store(f, value, self.element(f, target, k * self.lanes))

        f.each(0, counts[0], 1, lambda o: f.each(0, counts[1], 1, lambda c: kernel(o, c)))

    def _kernel(self, f: Writer, of: str, to: str, apart: str) -> None:
        """Transform a channel of a vector of filters."""
        taps = [self.load_vector(f, self.element(f, of, k * self.lanes)) for k in range(9)]
        rows = [taps[3 * a : 3 * a + 3] for a in range(3)]
        values = self.both_ways(f, self._of_kernels, rows)
        self.put_points(f, values, to, f.binary("mul", apart, self.size))

    # units of work -------------------------------------------------------------------------------

    def _tile_part(self) -> str:
        """Units: (block of tiles, group)."""
        f = self.part("winograd_tiles")
        groups = self.get(f, "G")
        memory = self.workspace(f)

        def one(unit: str) -> None:
            block, g = (f.binary(op, unit, groups) for op in ("udiv", "urem"))
            tiles = self.some_tiles(f, block)
            channels = self.group(f, g, "C")
            self.transformed_cells(f, self.x, self.of_cells, tiles, channels, memory)
            self._products(f, g, self.tile_count(f, tiles), memory)
            self._results(f, tiles, g, memory)

        f.each(*f.range(f.binary("mul", self.blocks_of_tiles(f), groups)), 1, one)
        self.free(f, memory.cells)
        f.do("ret void")
        return f.text()

    def _products(self, f: Writer, g: str, count: str, memory: Workspace) -> None:
        """``filters[p, t, o] = sum over c of channels[p, t, c] kernels[p, c, o]``."""
        channels, filters = self.gets(f, "C O")
        vectors = self.vectors(f, filters)
        apart = product(f, [channels, vectors, str(self.lanes)])
        begin = f.binary("mul", f.binary("mul", g, POINTS), apart)
        kernels = self.element(f, self.pointer(f, "kernels"), begin)
        c_pitch, o_pitch, c_apart, o_apart = self.gets(f, "c_pitch o_pitch c_apart o_apart")
        row, pitch = (f.binary("mul", n, self.size) for n in (c_pitch, o_pitch))

        def point(p: str) -> None:
            w = self.element(f, memory.channels, f.binary("mul", p, c_apart))
            x = self.element(f, kernels, f.binary("mul", p, apart))
            to = self.element(f, memory.filters, f.binary("mul", p, o_apart))

            def panel(v: str, width: int) -> None:
                first = f.binary("mul", v, self.lanes)
                here = self.element(f, x, f.binary("mul", first, channels))
                f.do(
                    f"call void @rows_{width}(ptr {here}, i64 {width * self.lanes * self.size}, "
                    f"ptr {w}, i64 {row}, i64 {self.size}, i64 {channels}, "
                    f"ptr {self.element(f, to, first)}, i64 {pitch}, i64 0, i64 {count})"
                )

            self.panels(f, vectors, panel)

        f.each(0, POINTS, 1, point)

    def _of_sums(self, f: Function, m: Sequence[str]) -> list[str]:
        """``A' m``."""
        return [
            self.sum(f, self.sum(f, m[0], m[1]), m[2]),
            self.less(f, self.less(f, m[1], m[2]), m[3]),
        ]

    def _results(self, f: Writer, tiles: Tiles, g: str, memory: Workspace) -> None:
        """Transform the sums of a block, and write them to the results."""
        pitch, apart = self.gets(f, "o_pitch o_apart")
        (begin, filters), apart = self.group(f, g, "O"), f.binary("mul", apart, self.size)
        lines = self.around(f, tiles, self.y)
        line = f.binary("mul", lines.width, self.lanes * self.size)

        wide = self.padded(f, filters)
        biases, least = (self.biases(f, g, wide), self.least(f)) if self.ends else ("", "")

        def ended(value: str, first: str) -> str:
            if not self.ends:
                return value
            return self.ended(f, value, self.load_vector(f, self.element(f, biases, first)), least)

        def tile(number: str, cell: str, first: str) -> None:
            index = f.binary("add", f.binary("mul", number, pitch), first)
            places = self.places(f, self.element(f, memory.filters, index), POINTS, apart)
            values = [self.load_vector(f, place) for place in places]
            square = [values[4 * r : 4 * r + 4] for r in range(4)]
            rows = self.places(f, self.cell(f, memory.cells, cell), 2, line)
            for row, results in zip(rows, self.both_ways(f, self._of_sums, square), strict=True):
                for s, value in enumerate(results):
                    place = self.element(f, row, s * self.lanes)
                    self.store_vector(f, ended(value, first), place)

        def some(first: str) -> None:
            here = f.smin(f.binary("sub", filters, first), self.lanes)
            start = tiles.n, f.binary("add", begin, first), here
            self.each_tile(f, tiles, lines, lambda number, cell: tile(number, cell, first))
            self.cells_out(f, start, tiles, lines, memory.cells)

        f.each(0, filters, self.lanes, some)

    # the routine ---------------------------------------------------------------------------------

    def _entry(self) -> str:
        """The routine: kernels first, then blocks of tiles."""
        f = self.main()

        def work() -> str:
            groups, channels, filters = self.gets(f, "G C O")
            self.plan(f, channels)
            vectors = self.vectors(f, filters)
            each = product(f, [channels, str(POINTS * self.lanes)])
            kernels = self.alloc(f, product(f, [groups, vectors, each]))
            self.put(f, "kernels", f.op(f"ptrtoint ptr {kernels} to i64"))
            biases = self.pack_bias(f, self.padded(f, filters))
            self.launch(f, "winograd_kernels", f.binary("mul", groups, vectors), each, 100)
            tiles = product(f, [*self.gets(f, "images rows columns"), str(POINTS)])
            cost = f.binary("mul", vectors, f.binary("add", channels, SLACK))
            cost = product(f, [tiles, cost, str(self.lanes)])
            units = f.binary("mul", self.blocks_of_tiles(f), groups)
            self.launch(f, "winograd_tiles", units, cost, max(1, self.size // 4))
            self.free(f, kernels, *biases)
            return self.get(f, "status")

        return self.usable_or_failed(f, work)
