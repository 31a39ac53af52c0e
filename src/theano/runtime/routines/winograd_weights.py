"""``winograd_weights``: products of transformed gradients and transformed cells.

16 products over tiles are added to sums [point][filter][channel], and at the end the sums of all
chunks are transformed to kernels. Chunks of blocks of tiles have sums of their own, a number that
does not depend on threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_local import ceil_div, product
from theano.runtime.routines.winograd_text import WinogradText
from theano.runtime.routines.winograd_tiles import POINTS, SLACK, Workspace

#: Chunks of tiles, and elements that all their sums may have.
_CHUNKS: Final = 8
_SUMS: Final = 1 << 21


class WinogradWeights(WinogradText):
    """Writes the routine for one dtype."""

    w, x, y = 0, 1, 2

    def functions(self) -> list[str]:
        """Lines, products, units of work, and the routine."""
        shared = [*self.lines_in(), *self.product_functions()]
        return [*shared, self._chunk_part(), self._kernel_part(), self._entry()]

    # units of work -------------------------------------------------------------------------------

    def _of_gradients(self, f: Function, y: Sequence[str]) -> list[str]:
        """``A y``, but the last has the other sign: `_of_sums` sees to that."""
        return [y[0], self.sum(f, y[0], y[1]), self.less(f, y[0], y[1]), y[1]]

    def _sums(self, f: Writer) -> tuple[str, str]:
        """Elements of the sums of a point, and of all."""
        filters, pitch = self.gets(f, "O c_pitch")
        apart = f.binary("mul", f.binary("add", filters, SLACK), pitch)
        return apart, f.binary("mul", apart, POINTS)

    def _chunk_part(self) -> str:
        """Units: (group, block of channels, chunk of blocks of tiles)."""
        f = self.part("winograd_chunks")
        groups, blocks, chunks, most, channels = self.gets(f, "G blocks chunks block C")
        items, (_, size) = self.blocks_of_tiles(f), self._sums(f)
        memory = self.workspace(f)

        def one(unit: str) -> None:
            chunk, rest = f.binary("urem", unit, chunks), f.binary("udiv", unit, chunks)
            block, g = f.binary("urem", rest, blocks), f.binary("udiv", rest, blocks)
            sums = self.element(f, self.pointer(f, "sums"), f.binary("mul", unit, size))
            begin = f.binary("mul", block, most)
            count = f.smin(f.binary("sub", channels, begin), most)
            own = f.binary("add", f.binary("mul", g, channels), begin), count
            low = f.binary("udiv", f.binary("mul", chunk, items), chunks)
            high = f.binary("udiv", f.binary("mul", f.binary("add", chunk, 1), items), chunks)

            def item(number: str) -> None:
                tiles, filters = self.some_tiles(f, number), self.group(f, g, "O")
                self.transformed_cells(f, self.x, self.of_cells, tiles, own, memory)
                self.transformed_cells(f, self.y, self._of_gradients, tiles, filters, memory)
                more = f.op(f"zext i1 {f.op(f'icmp ne i64 {number}, {low}')} to i64")
                self._products(f, memory, (self.tile_count(f, tiles), count), sums, more)

            f.each(low, high, 1, item)

        f.each(*f.range(product(f, [groups, blocks, chunks])), 1, one)
        self.free(f, memory.cells)
        f.do("ret void")
        return f.text()

    def _products(
        self, f: Writer, memory: Workspace, counts: tuple[str, str], sums: str, more: str
    ) -> None:
        """``sums[p, o, c] (+)= sum over t of filters[p, t, o] channels[p, t, c]``.

        ``counts``: how many tiles and channels there are.
        """
        tiles, channels = counts
        filters, c_pitch, o_pitch, c_apart, o_apart = self.gets(
            f, "O c_pitch o_pitch c_apart o_apart"
        )
        vectors, (apart, _) = self.vectors(f, channels), self._sums(f)
        line, step = (f.binary("mul", n, self.size) for n in (c_pitch, o_pitch))

        def point(p: str) -> None:
            w = self.element(f, memory.filters, f.binary("mul", p, o_apart))
            x = self.element(f, memory.channels, f.binary("mul", p, c_apart))
            to = self.element(f, sums, f.binary("mul", p, apart))

            def panel(v: str, width: int) -> None:
                first = f.binary("mul", v, self.lanes)
                f.do(
                    f"call void @rows_{width}(ptr {self.element(f, x, first)}, i64 {line}, "
                    f"ptr {w}, i64 {self.size}, i64 {step}, i64 {tiles}, "
                    f"ptr {self.element(f, to, first)}, i64 {line}, i64 {more}, i64 {filters})"
                )

            self.panels(f, vectors, panel)

        f.each(0, POINTS, 1, point)

    # kernels -------------------------------------------------------------------------------------

    def _of_sums(self, f: Function, s: Sequence[str]) -> list[str]:
        """``G' s``, where the last has the other sign."""
        both = self.halved(f, [self.sum(f, s[1], s[2]), self.less(f, s[1], s[2])])
        return [self.sum(f, s[0], both[0]), both[1], self.less(f, both[0], s[3])]

    def _kernel_part(self) -> str:
        """Units: (group, filter). The sums of all chunks, transformed to kernels."""
        f = self.part("winograd_kernels")
        groups, filters, channels, blocks, chunks, most, pitch = self.gets(
            f, "G O C blocks chunks block c_pitch"
        )
        step = [f.stride(self.w, i) for i in range(6)]
        size = self._sums(f)[1]
        taps = self.alloc(f, f.binary("mul", pitch, 9))

        def block(number: str, g: str, o: str) -> None:
            unit = f.binary("add", f.binary("mul", g, blocks), number)
            index = f.binary("mul", f.binary("mul", unit, chunks), size)
            index = f.binary("add", index, f.binary("mul", o, pitch))
            sums = self.element(f, self.pointer(f, "sums"), index)
            begin = f.binary("mul", number, most)
            count = f.smin(f.binary("sub", channels, begin), most)
            f.each(0, count, self.lanes, lambda c: self._kernel(
                f, self.element(f, sums, c), self.element(f, taps, c)))  # fmt: skip
            to = f.place(f.pointer(self.w), *zip((g, o, begin), step[:3], strict=True))
            for k in range(9):
                of = self.element(f, taps, f.binary("mul", pitch, k))
                place = f.place(to, (str(k // 3), step[3]), (str(k % 3), step[5]))
                f.do(
                    f"call void @copy(ptr {place}, i64 {step[2]}, ptr {of}, i64 {self.size}, "
                    f"i64 {count})"
                )

        def one(unit: str) -> None:
            g, o = (f.binary(op, unit, filters) for op in ("udiv", "urem"))
            f.each(0, blocks, 1, lambda number: block(number, g, o))

        f.each(*f.range(f.binary("mul", groups, filters)), 1, one)
        self.free(f, taps)
        f.do("ret void")
        return f.text()

    def _kernel(self, f: Writer, sums: str, taps: str) -> None:
        """Add the sums of a vector of channels over all chunks, and transform them to taps."""
        chunks, pitch = self.gets(f, "chunks c_pitch")
        apart, size = self._sums(f)

        def add(chunk: str, carried: list[str]) -> list[str]:
            of = self.element(f, sums, f.binary("mul", chunk, size))
            places = self.places(f, of, POINTS, f.binary("mul", apart, self.size))
            return [
                self.sum(f, total, self.load_vector(f, place))
                for total, place in zip(carried, places, strict=True)
            ]

        zeros = [(self.vector, "zeroinitializer")] * POINTS
        found = f.loop(0, chunks, 1, zeros, add)
        square = [found[4 * r : 4 * r + 4] for r in range(4)]
        for a, row in enumerate(self.both_ways(f, self._of_sums, square)):
            for b, value in enumerate(row):
                index = f.binary("mul", pitch, 3 * a + b)
                self.store_vector(f, value, self.element(f, taps, index))

    # the routine ---------------------------------------------------------------------------------

    def _divide(self, f: Writer) -> str:
        """Divide channels into blocks, and blocks of tiles into chunks; the number of units."""
        groups, filters, channels = self.gets(f, "G O C")
        size = product(f, [groups, channels, filters, str(POINTS)])
        chunks = f.smax(f.smin(f.binary("udiv", str(_SUMS), size), _CHUNKS), 1)
        wanted = ceil_div(f, str(_CHUNKS), f.binary("mul", chunks, groups))
        panel = str(max(self.shapes) * self.lanes)
        most = f.binary("mul", ceil_div(f, ceil_div(f, channels, wanted), panel), panel)
        most = self.put(f, "block", f.smin(most, channels))
        blocks = self.put(f, "blocks", ceil_div(f, channels, most))
        self.plan(f, most)
        chunks = self.put(f, "chunks", f.smin(chunks, self.blocks_of_tiles(f)))
        return product(f, [groups, blocks, chunks])

    def _entry(self) -> str:
        """The routine: chunks first, then kernels."""
        f = self.main()

        def work() -> str:
            units = self._divide(f)
            sums = self.alloc(f, f.binary("mul", units, self._sums(f)[1]))
            self.put(f, "sums", f.op(f"ptrtoint ptr {sums} to i64"))
            groups, filters, channels, chunks, most = self.gets(f, "G O C chunks block")
            items = ceil_div(f, self.blocks_of_tiles(f), chunks)
            tiles = product(f, [items, *self.gets(f, "images rows columns"), str(POINTS)])
            each = product(f, [tiles, filters, f.binary("add", most, SLACK)])
            self.launch(f, "winograd_chunks", units, each, max(1, self.size // 4))
            each = product(f, [channels, chunks, str(POINTS)])
            self.launch(f, "winograd_kernels", f.binary("mul", groups, filters), each, 20)
            self.free(f, sums)
            return self.get(f, "status")

        return self.usable_or_failed(f, work)
