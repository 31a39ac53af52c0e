"""Native text of ``conv_weights``: a product over all positions of all images.

One factor is the packed image, read at the distances of (channel, tap) from the positions; the
other is the gradient of the result with filters side by side: the block of a strip that is used
next is turned so. A tile of (channel, tap) rows and vectors of filters stays in registers. Images
are divided into chunks that have sums of their own, a number that does not depend on threads; at
the end the sums of the chunks are added in order.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_local import ceil_div, product
from theano.runtime.routines.conv_text import ConvText

#: Bytes of turned gradients that stay in the first cache.
_TURNED: Final = 24 << 10
#: Chunks of images, and elements that all their sums may have.
_CHUNKS: Final = 8
_SUMS: Final = 1 << 21
#: Rows of sums that are worth turning gradients for.
_ROWS: Final = 64
_MORE: Final = 8  # rows behind the last, for the last tile


class WeightsText(ConvText):
    """Writes the routine for one dtype."""

    minimal = "winograd_weights"
    w, x, y = 0, 1, 2

    @property
    def tiles(self) -> dict[int, int]:
        """Vectors of filters of a tile, and how many rows it has."""
        return {4: 6, 3: 8, 2: 8, 1: 8} if self.many else {2: 6, 1: 6}

    def late(self) -> tuple[str, ...]:
        """Minimal filtering, and products for kernels of one tap."""
        return (*super().late(), f"th_pointwise_weights__{self.dtype}")

    def functions(self) -> list[str]:
        """Tiles, turning, units of work, sums, and the routine."""
        tiles = [self._tile(rows, vectors) for vectors, rows in self.tiles.items()]
        sweeps = [self._sweep(rows, vectors) for vectors, rows in self.tiles.items()]
        rest = [self._unit(), self._write(), self._entry()]
        return [*super().functions(), *tiles, *sweeps, *rest]

    def _tile(self, rows: int, vectors: int) -> str:
        """Add the products at ``%count`` positions to a tile of sums."""
        f = Function(
            f"internal void @tile_{vectors}(ptr %x, ptr %distances, ptr %places, i64 %count, "
            "ptr %y, i64 %apart, ptr %sums)"
        )
        lines = [
            f.at("i8", "%x", f.op(f"load i64, ptr {f.at('i64', '%distances', r)}, align 8"))
            for r in range(rows)
        ]
        targets = [
            self.element(f, f.at("i8", "%sums", f.binary("mul", "%apart", r)), v * self.lanes)
            for r in range(rows)
            for v in range(vectors)
        ]

        def position(p: str, carried: list[str]) -> list[str]:
            y, *sums = carried
            place = f.op(f"load i64, ptr {f.at('i64', '%places', p)}, align 8")
            filters = [
                self.load_vector(f, self.element(f, y, v * self.lanes)) for v in range(vectors)
            ]
            following = [self.element(f, y, vectors * self.lanes)]
            for r, line in enumerate(lines):
                cell = self.splat(f, self.load(f, f.at("i8", line, place)))
                for v, value in enumerate(filters):
                    following.append(self.muladd(f, cell, value, sums[r * vectors + v]))
            return following

        start = [("ptr", "%y")]
        start += [(self.vector, self.load_vector(f, target)) for target in targets]
        _, *sums = f.loop(0, "%count", 1, start, position)
        for target, value in zip(targets, sums, strict=True):
            self.store_vector(f, value, target)
        f.do("ret void")
        return f.text()

    def _sweep(self, rows: int, vectors: int) -> str:
        """All rows of some filters."""
        f = Function(
            f"internal void @sweep_{vectors}(ptr %x, ptr %distances, i64 %terms, ptr %places, "
            "i64 %count, ptr %y, i64 %apart, ptr %sums)"
        )

        def some(q: str) -> None:
            table = f.at("i64", "%distances", q)
            sums = f.at("i8", "%sums", f.binary("mul", q, "%apart"))
            f.do(
                f"call void @tile_{vectors}(ptr %x, ptr {table}, ptr %places, i64 %count, ptr %y, "
                f"i64 %apart, ptr {sums})"
            )

        f.each(0, "%terms", rows, some)
        f.do("ret void")
        return f.text()

    # gradients -----------------------------------------------------------------------------------

    # units of work -------------------------------------------------------------------------------

    def _unit(self) -> str:
        """Units: (group, block of channels, chunk of images)."""
        f = self.part("chunks")
        groups, blocks, chunks, wide, terms = self.gets(f, "G blocks chunks wide width")
        units = product(f, [groups, blocks, chunks])
        sums = self.pointer(f, "sums")
        size = f.binary("mul", f.binary("add", terms, _MORE), wide)

        def one(unit: str) -> None:
            chunk, rest = f.binary("urem", unit, chunks), f.binary("udiv", unit, chunks)
            block, g = f.binary("urem", rest, blocks), f.binary("udiv", rest, blocks)
            mine = self.element(f, sums, f.binary("mul", unit, size))
            f.do(f"call void @zero(ptr {mine}, i64 {size})")
            self._chunk(f, (g, block, chunk), mine)

        f.each(*f.range(units), 1, one)
        f.do("ret void")
        return f.text()

    @property
    def widest(self) -> int:
        """Vectors of the widest tile."""
        return max(self.tiles)

    @property
    def together(self) -> int:
        """How many positions are turned at once."""
        return max(self.lanes, _TURNED // (self.widest * self.lanes * self.size))

    def _chunk(self, f: Writer, unit: tuple[str, str, str], sums: str) -> None:
        """Images and strips of a chunk, one after the other."""
        g, block, chunk = unit
        batch, strips, chunks, channel, most = self.gets(f, "N strips chunks channel block")
        channels, width = self.gets(f, "C pitch")
        items = f.binary("mul", batch, strips)
        first = f.binary("udiv", f.binary("mul", chunk, items), chunks)
        last = f.binary("udiv", f.binary("mul", f.binary("add", chunk, 1), items), chunks)
        begin = f.binary("mul", block, most)
        count = f.smin(f.binary("sub", channels, begin), most)
        begin = f.binary("add", begin, f.binary("mul", g, channels))
        packed = self.alloc(f, f.binary("mul", most, channel))
        turned = self.alloc(f, str(self.together * self.widest * self.lanes))
        spare = self.alloc(f, f.binary("mul", self.get(f, "O"), width))
        terms = f.binary("mul", count, self.get(f, "taps"))

        def item(number: str) -> None:
            n, strip = f.binary("udiv", number, strips), f.binary("urem", number, strips)
            row = f.binary("mul", strip, self.get(f, "rows"))
            rows = f.smin(f.binary("sub", self.get(f, "P0"), row), self.get(f, "rows"))
            f.do(
                f"call void @pack(ptr %ctx, i64 {n}, i64 {begin}, i64 {count}, i64 {row}, "
                f"i64 {rows}, ptr {packed})"
            )
            y, apart = self._gradients(f, (n, g, row, rows), spare)
            self._products(f, (y, apart, rows), packed, turned, (terms, sums))

        f.each(first, last, 1, item)
        self.free(f, spare, turned, packed)

    def _gradients(self, f: Writer, at: tuple[str, str, str, str], spare: str) -> tuple[str, str]:
        """The gradients of a strip, positions side by side: in place, or a copy in ``spare``.

        Returns the address and the bytes from filter to filter.
        """
        n, g, row, rows = at
        filters, columns, extent, pitch = self.gets(f, "O P1 P2 pitch")
        step = [f.stride(self.y, i) for i in range(5)]
        line = f.binary("mul", extent, self.size)
        tight = f.both(
            f.op(f"icmp eq i64 {step[4]}, {self.size}"),
            f.op(f"icmp eq i64 {step[2]}, {f.binary('mul', line, columns)}"),
            f.op(f"or i1 {f.op(f'icmp eq i64 {columns}, 1')}, "
                 f"{f.op(f'icmp eq i64 {step[3]}, {line}')}"),
        )  # fmt: skip
        first = f.binary("mul", g, filters)
        y = f.place(f.pointer(self.y), (n, step[0]), (first, step[1]), (row, step[2]))

        def one(o: str, a: str, b: str) -> None:
            of = f.place(y, (o, step[1]), (a, step[2]), (b, step[3]))
            index = f.binary("mul", f.binary("add", f.binary("mul", a, columns), b), extent)
            to = self.element(f, spare, f.binary("add", f.binary("mul", o, pitch), index))
            f.do(
                f"call void @copy(ptr {to}, i64 {self.size}, ptr {of}, i64 {step[4]}, i64 {extent})"
            )

        def copies() -> list[str]:
            f.each(0, filters, 1, lambda o: f.each(0, rows, 1, lambda a: f.each(
                0, columns, 1, lambda b: one(o, a, b))))  # fmt: skip
            return [spare, f.binary("mul", pitch, self.size)]

        kinds = [("ptr", spare), ("i64", "0")]
        place, apart = f.choose(tight, kinds, lambda: [y, step[1]], copies)
        return place, apart

    def _products(
        self, f: Writer, gradients: tuple[str, str, str], packed: str, turned: str,
        target: tuple[str, str],
    ) -> None:  # fmt: skip
        """All products at the positions of a strip."""
        (y, apart, rows), (terms, sums) = gradients, target
        filters, wide = self.gets(f, "O wide")
        total = product(f, [rows, *self.gets(f, "P1 P2")])
        table, places = self.pointer(f, "distances"), self.pointer(f, "columns")
        line, widest = f.binary("mul", wide, self.size), self.widest
        vectors = f.binary("udiv", wide, self.lanes)

        def positions(p: str) -> None:
            count = f.smin(f.binary("sub", total, p), self.together)
            here, start = f.at("i64", places, p), self.element(f, y, p)

            def sweep(v: str, width: int) -> None:
                o = f.binary("mul", v, self.lanes)
                there = f.smin(f.binary("sub", filters, o), width * self.lanes)
                of = f.at("i8", start, f.binary("mul", o, apart))
                f.do(
                    f"call void @turn(ptr {turned}, i64 {width * self.lanes}, ptr {of}, "
                    f"i64 {apart}, i64 {there}, i64 {count})"
                )
                f.do(
                    f"call void @sweep_{width}(ptr {packed}, ptr {table}, i64 {terms}, ptr {here}, "
                    f"i64 {count}, ptr {turned}, i64 {line}, ptr {self.element(f, sums, o)})"
                )

            rest = f.binary("urem", vectors, widest)
            whole = f.binary("sub", vectors, rest)
            f.each(0, whole, widest, lambda v: sweep(v, widest))
            for width in range(1, widest):
                is_it = f.op(f"icmp eq i64 {rest}, {width}")
                f.when(is_it, lambda width=width: sweep(whole, width))  # type: ignore[misc]

        f.each(0, total, self.together, positions)

    # sums ----------------------------------------------------------------------------------------

    def _write(self) -> str:
        """Units: (group, channel). The sums of all chunks, written to the kernels."""
        f = self.part("write")
        groups, channels, filters, taps = self.gets(f, "G C O taps")
        most, blocks, chunks, wide, terms = self.gets(f, "block blocks chunks wide width")
        extents = self.gets(f, "K0 K1 K2")
        step = [f.stride(self.w, i) for i in range(6)]
        size = f.binary("mul", f.binary("add", terms, _MORE), wide)
        line = self.alloc(f, wide)

        def tap(k: str, sums: str, target: str) -> None:
            row = self.element(f, sums, f.binary("mul", k, wide))

            def vector(o: str) -> None:
                first = self.element(f, row, o)

                def add(chunk: str, carried: list[str]) -> list[str]:
                    more = self.load_vector(f, self.element(f, first, f.binary("mul", chunk, size)))
                    return [f.op(f"fadd {self.vector} {carried[0]}, {more}")]

                start = [(self.vector, self.load_vector(f, first))]
                (total,) = f.loop(1, chunks, 1, start, add)
                self.store_vector(f, total, self.element(f, line, o))

            f.each(0, wide, self.lanes, vector)
            rest, last = f.binary("udiv", k, extents[2]), f.binary("urem", k, extents[2])
            to = f.place(
                target, (f.binary("udiv", rest, extents[1]), step[3]),
                (f.binary("urem", rest, extents[1]), step[4]), (last, step[5]),
            )  # fmt: skip
            f.do(
                f"call void @copy(ptr {to}, i64 {step[1]}, ptr {line}, i64 {self.size}, "
                f"i64 {filters})"
            )

        def one(unit: str) -> None:
            g, c = f.binary("udiv", unit, channels), f.binary("urem", unit, channels)
            block, local = f.binary("udiv", c, most), f.binary("urem", c, most)
            number = f.binary("mul", f.binary("add", f.binary("mul", g, blocks), block), chunks)
            index = f.binary("mul", f.binary("mul", local, taps), wide)
            index = f.binary("add", index, f.binary("mul", number, size))
            sums = self.element(f, self.pointer(f, "sums"), index)
            target = f.place(f.pointer(self.w), (g, step[0]), (c, step[2]))
            f.each(0, taps, 1, lambda k: tap(k, sums, target))

        f.each(*f.range(f.binary("mul", groups, channels)), 1, one)
        self.free(f, line)
        f.do("ret void")
        return f.text()

    # the routine ---------------------------------------------------------------------------------

    def _places(self, f: Writer) -> str:
        """A table: the distance in bytes of each position of a strip from the first."""
        rows, columns, last, depth, extent = self.gets(f, "rows P1 P2 E1 E2")
        count = product(f, [rows, columns, last])
        table = self.alloc(f, count, 8)

        def one(p: str) -> None:
            rest, c = f.binary("udiv", p, last), f.binary("urem", p, last)
            a, b = f.binary("udiv", rest, columns), f.binary("urem", rest, columns)
            line = f.binary("add", f.binary("mul", a, depth), b)
            place = f.binary("add", f.binary("mul", line, extent), c)
            f.do(
                f"store i64 {f.binary('mul', place, self.size)}, ptr {f.at('i64', table, p)}, "
                "align 8"
            )

        f.each(0, count, 1, one)
        self.put(f, "columns", f.op(f"ptrtoint ptr {table} to i64"))
        self.put(f, "pitch", count)
        return table

    def _division(self, f: Writer) -> None:
        """Chunks of images, and blocks of channels."""
        batch, strips, channels, groups, taps = self.gets(f, "N strips C G taps")
        filters = self.get(f, "O")
        wide = self.put(f, "wide", self.padded(f, filters))
        size = f.smax(product(f, [groups, channels, taps, wide]), 1)
        chunks = f.smin(f.binary("udiv", str(_SUMS), size), _CHUNKS)
        chunks = f.smax(f.smin(chunks, f.binary("mul", batch, strips)), 1)
        self.put(f, "chunks", chunks)
        units = f.binary("mul", chunks, f.smax(groups, 1))
        wanted = ceil_div(f, str(_CHUNKS), units)
        most = f.smax(ceil_div(f, channels, wanted), ceil_div(f, str(_ROWS), f.smax(taps, 1)))
        most = f.smax(f.smin(most, channels), 1)
        self.put(f, "block", most)
        self.put(f, "blocks", ceil_div(f, channels, most))
        self.put(f, "width", f.binary("mul", most, taps))

    def _costs(self, f: Writer) -> tuple[str, str]:
        """What minimal filtering costs and what this way does, in eighths of its products.

        Measured over many extents: products of the former cost nine; changing a tile is like ten
        more channels and three more filters.
        """
        channels, filters, wide = self.gets(f, "C O wide")
        vectors = self.padded(f, channels)
        terms = f.binary("mul", f.binary("add", vectors, 10), f.binary("add", filters, 3))
        mine = product(f, [self.points(f), terms, "9"])
        return mine, product(f, [*self.gets(f, "N P0 P2 taps"), channels, wide, "8"])

    def _entry(self) -> str:
        """The routine: tables first, then all chunks, then the sums."""
        f = self.main()
        self._division(f)
        groups, filters, channels, taps = self.gets(f, "G O C taps")
        some = f.op(f"icmp sgt i64 {product(f, [groups, filters, channels, taps])}, 0")

        def direct() -> list[str]:
            most, blocks, chunks, wide, terms = self.gets(f, "block blocks chunks wide width")
            table, places = self.distances(f, most, _MORE), self._places(f)
            size = f.binary("mul", f.binary("add", terms, _MORE), wide)
            sums = self.alloc(f, product(f, [groups, blocks, chunks, size]))
            self.put(f, "sums", f.op(f"ptrtoint ptr {sums} to i64"))
            units = product(f, [groups, blocks, chunks])
            images = f.smax(f.binary("udiv", self.get(f, "N"), chunks), 1)
            each = product(f, [images, *self.gets(f, "P0 P1 P2"), terms, wide])
            self.launch(f, "chunks", units, each, max(1, self.size // 4))
            rows = product(f, [taps, wide, chunks])
            self.launch(f, "write", f.binary("mul", groups, channels), rows, 20)
            self.free(f, sums, places, table)
            return [self.get(f, "status")]

        failed, done = [("i64", "-1")], [("i64", "0")]

        def work() -> list[str]:
            return f.choose(
                self.filtered(f, *self._costs(f)), done, lambda: ["0"],
                lambda: f.choose(self.fits(f), failed, direct),
            )  # fmt: skip

        def nonempty() -> list[str]:
            images = f.op(f"icmp sgt i64 {self.get(f, 'N')}, 0")
            points = self.handed_over(f, f.both(images, self.one_tap(f)), self.late()[1])
            return f.choose(points, done, lambda: ["0"], work)

        return f.finish(f.choose(some, done, nonempty)[0])
