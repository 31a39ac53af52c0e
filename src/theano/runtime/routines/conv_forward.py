"""Native text of ``conv``: a tile of filters and of vectors of positions stays in registers.

All positions of a strip are one line, the columns between rows included; what is computed there is
not written to the result. For each channel and tap the tile adds neighbouring cells of the packed
image, at the distance that the table tells, times one weight per filter. Kernels are packed in
blocks of filters: [block][channel, tap][filter].
"""

from __future__ import annotations

from collections.abc import Callable

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_lanes import LanesText
from theano.runtime.routines.conv_local import ceil_div, product

_VECTORS = 3
#: Bytes of the cells that a tile reads, of so many channels, which stay in the first cache.
_CELLS = 24 << 10
_SHORT = 8  # vectors
#: Images with short lines that one unit takes, and bytes that they may have.
_IMAGES = 4
_ROOM = 1 << 20


class ForwardText(LanesText):
    """Writes the routine for one dtype."""

    @property
    def minimal(self) -> str:  # type: ignore[override]
        """The routine that does the same by minimal filtering."""
        return "winograd_bias" if self.ends else "winograd"

    y, x, w = 0, 1, 2

    def late(self) -> tuple[str, ...]:
        """Minimal filtering, and products for kernels of one tap."""
        end = "_bias" if self.ends else ""
        return (*super().late(), f"th_pointwise{end}__{self.dtype}")

    def functions(self) -> list[str]:
        """Tiles, packing of kernels, units of work, and the routine."""
        heights = (self.block, self.block // 2)
        tiles = [self._tile(rows, v) for rows in heights for v in (1, 2, _VECTORS)]
        rest = [self._pack_kernels(), self._unpack(), self._unit(), *self.lanes_functions()]
        return [*super().functions(), *tiles, *rest, self._entry()]

    def _tile(self, rows: int, vectors: int) -> str:
        """Add some terms for ``rows`` filters at vectors that begin at ``%x``.

        The sums begin as 0 where ``%number`` is 0.
        """
        f = Function(
            f"internal void @tile_{rows}_{vectors}(ptr %x, ptr %w, ptr %distances, i64 %terms, "
            "ptr %to, i64 %pitch, i64 %number)"
        )
        places = [self.element(f, "%x", v * self.lanes) for v in range(vectors)]
        targets = [
            self.element(f, f.at("i8", "%to", f.binary("mul", "%pitch", row)), v * self.lanes)
            for row in range(rows)
            for v in range(vectors)
        ]

        def term(q: str, sums: list[str]) -> list[str]:
            distance = f.op(f"load i64, ptr {f.at('i64', '%distances', q)}, align 8")
            cells = [self.load_vector(f, f.at("i8", p, distance)) for p in places]
            weights = self.element(f, "%w", f.binary("mul", q, rows))
            following: list[str] = []
            for row in range(rows):
                weight = self.splat(f, self.load(f, self.element(f, weights, row)))
                following += [
                    self.muladd(f, cell, weight, sums[row * vectors + v])
                    for v, cell in enumerate(cells)
                ]
            return following

        zeros = [(self.vector, "zeroinitializer")] * len(targets)
        more = f.op("icmp ne i64 %number, 0")
        start = f.choose(more, zeros, lambda: [self.load_vector(f, place) for place in targets])
        kinds = [(self.vector, value) for value in start]
        for value, place in zip(f.loop(0, "%terms", 1, kinds, term), targets, strict=True):
            self.store_vector(f, value, place)
        f.do("ret void")
        return f.text()

    # kernels -------------------------------------------------------------------------------------

    def _pack_kernels(self) -> str:
        """Units: (group, block)."""
        f = self.part("kernels")
        groups, blocks, channels, filters, wide = self.gets(f, "G blocks C O wide")
        taps, channel_apart, tap_apart = self.gets(f, "taps channel_apart tap_apart")
        extents = [self.get(f, f"K{i}") for i in range(3)]
        step = [f.stride(self.w, i) for i in range(6)]
        terms = f.binary("mul", channels, taps)

        def one(unit: str) -> None:
            g, number = (f.binary(op, unit, blocks) for op in ("udiv", "urem"))
            first, rows = self.filters(f, number)
            begin = f.binary("add", f.binary("mul", g, wide), first)
            to = self.element(f, self.pointer(f, "kernels"), f.binary("mul", begin, terms))
            base = f.place(f.pointer(self.w), (g, step[0]))
            f.each(0, rows, 1, lambda o: filter_(o, first, rows, to, base))

        def filter_(o: str, first: str, rows: str, to: str, base: str) -> None:
            number = f.binary("add", first, o)
            there = f.op(f"icmp slt i64 {number}, {filters}")
            of = f.place(base, (number, step[1]))
            column = self.element(f, to, o)

            def place(q: str) -> str:
                return self.element(f, column, f.binary("mul", q, rows))

            def line(q: str, source: str) -> None:
                f.each(0, extents[2], 1, lambda k: self.store(
                    f, self.load(f, f.place(source, (k, step[5]))),
                    place(f.binary("add", q, f.binary("mul", k, tap_apart)))))  # fmt: skip

            def channel(c: str) -> None:
                start, here = f.binary("mul", c, channel_apart), f.place(of, (c, step[2]))

                def taps(a: str, b: str) -> None:
                    tap = f.binary("add", f.binary("mul", a, extents[1]), b)
                    tap = f.binary("mul", f.binary("mul", tap, extents[2]), tap_apart)
                    line(f.binary("add", start, tap), f.place(here, (a, step[3]), (b, step[4])))

                f.each(0, extents[0], 1, lambda a: f.each(0, extents[1], 1, lambda b: taps(a, b)))

            def numbers() -> None:
                f.each(0, channels, 1, channel)

            def zeros() -> None:
                f.each(0, terms, 1, lambda q: self.store(f, "0.0", place(q)))

            f.when(there, numbers, zeros)

        f.each(*f.range(f.binary("mul", groups, blocks)), 1, one)
        f.do("ret void")
        return f.text()

    # units of work -------------------------------------------------------------------------------

    def _unit(self) -> str:
        """Units: (some images, group, strip)."""
        f = self.part("strips")
        groups, strips, batch, most = self.gets(f, "G strips N together")
        units = product(f, [ceil_div(f, batch, most), groups, strips])

        def one(unit: str) -> None:
            strip, rest = f.binary("urem", unit, strips), f.binary("udiv", unit, strips)
            n = f.binary("mul", f.binary("udiv", rest, groups), most)
            self._strip(f, n, f.binary("urem", rest, groups), strip)

        f.each(*f.range(units), 1, one)
        f.do("ret void")
        return f.text()

    def _strip(self, f: Writer, n: str, g: str, strip: str) -> None:
        channels, channel, wide, pitch, most = self.gets(f, "C channel wide pitch rows")
        images = f.smin(f.binary("sub", self.get(f, "N"), n), self.get(f, "together"))
        row = f.binary("mul", strip, most)
        rows = f.smin(f.binary("sub", self.get(f, "P0"), row), most)
        size, length = f.binary("mul", channels, channel), f.binary("mul", wide, pitch)
        room = f.binary("add", f.binary("mul", size, images), _VECTORS * self.lanes)
        packed, sums = self.alloc(f, room), self.alloc(f, f.binary("mul", length, images))
        first = f.binary("mul", g, channels)

        def pack(i: str) -> None:
            to = self.element(f, packed, f.binary("mul", i, size))
            f.do(
                f"call void @pack(ptr %ctx, i64 {f.binary('add', n, i)}, i64 {first}, "
                f"i64 {channels}, i64 {row}, i64 {rows}, ptr {to})"
            )

        def unpack(i: str) -> None:
            of = self.element(f, sums, f.binary("mul", i, length))
            f.do(
                f"call void @unpack(ptr %ctx, i64 {f.binary('add', n, i)}, i64 {g}, i64 {row}, "
                f"i64 {rows}, ptr {of})"
            )

        f.each(0, images, 1, pack)
        self._tiles(f, g, (self._flat(f, rows), images), packed, sums)
        if self.ends:
            self.end_filters(f, g, sums, images, pitch)
        f.each(0, images, 1, unpack)
        self.free(f, sums, packed)

    def _flat(self, f: Writer, rows: str) -> str:
        """The length of the line of positions of some rows."""
        columns, last, depth, width = self.gets(f, "P1 P2 E1 E2")
        lines = f.binary("mul", f.binary("sub", rows, 1), depth)
        lines = f.binary("sub", f.binary("add", lines, columns), 1)
        return f.binary("add", f.binary("mul", lines, width), last)

    def _round(self, f: Writer) -> str:
        """Terms of so many channels that the cells which a tile reads stay in the first cache."""
        rows, depth, columns, phases, taps = self.gets(f, "K0 K1 K2 F2 taps")
        width = f.binary("add", f.binary("mul", columns, self.size), 64)
        width = f.binary("add", width, _VECTORS * self.lanes * self.size)
        cells = f.smax(product(f, [rows, depth, f.smin(columns, phases), width]), 1)
        channels = f.smax(f.binary("udiv", str(_CELLS), cells), 1)
        return f.smax(f.binary("mul", channels, taps), 1)

    def _tiles(self, f: Writer, g: str, extents: tuple[str, str], packed: str, sums: str) -> None:
        """All filters of a group at all positions of a strip; ``extents``: its line, its images."""
        flat, images = extents
        size = f.binary("mul", *self.gets(f, "C channel"))
        wide, pitch, blocks, channels, taps = self.gets(f, "wide pitch blocks C taps")
        terms = f.binary("mul", channels, taps)
        table = self.pointer(f, "distances")
        begin = f.binary("mul", f.binary("mul", g, wide), terms)
        kernels = self.element(f, self.pointer(f, "kernels"), begin)
        apart = f.binary("mul", pitch, self.size)

        some = self._round(f)

        def tile(i: str, t: str, q: str, number: str, vectors: int) -> None:
            first, rows = self.filters(f, number)
            start = self.element(f, packed, f.binary("add", f.binary("mul", i, size), t))
            weight = f.binary("add", f.binary("mul", first, terms), f.binary("mul", q, rows))
            w, count = self.element(f, kernels, weight), f.smin(f.binary("sub", terms, q), some)
            filter_ = f.binary("add", f.binary("mul", i, wide), first)
            to = self.element(f, sums, f.binary("add", f.binary("mul", filter_, pitch), t))
            rest = (
                f"(ptr {start}, ptr {w}, ptr {f.at('i64', table, q)}, i64 {count}, ptr {to}, "
                f"i64 {apart}, i64 {q})"
            )
            f.when(
                f.op(f"icmp eq i64 {rows}, {self.block}"),
                lambda: f.do(f"call void @tile_{self.block}_{vectors}{rest}"),
                lambda: f.do(f"call void @tile_{self.block // 2}_{vectors}{rest}"),
            )

        # Kernels without taps have one round, without terms.
        rounds = f.smax(terms, 1)

        # As many tiles of three vectors as leave none or some of two; or a single vector.
        count = ceil_div(f, flat, str(self.lanes))
        ones = f.binary("urem", count, _VECTORS)
        pairs = f.op(f"select i1 {f.op(f'icmp eq i64 {ones}, 1')}, i64 4, i64 {ones}")
        middle = f.binary("mul", f.smax(f.binary("sub", count, pairs), 0), self.lanes)
        lone = f.op(f"icmp eq i64 {count}, 1")
        end = f.op(f"select i1 {lone}, i64 0, i64 {flat}")

        def line(body: Callable[[str, str, int], None]) -> None:
            def image(i: str) -> None:
                f.each(0, middle, _VECTORS * self.lanes, lambda t: body(i, t, _VECTORS))
                f.each(middle, end, 2 * self.lanes, lambda t: body(i, t, 2))
                f.when(lone, lambda: body(i, "0", 1))

            f.each(0, images, 1, image)

        def over_blocks(body: Callable[[str, str], None]) -> None:
            f.each(0, rounds, some, lambda q: f.each(0, blocks, 1, lambda n: body(q, n)))

        # Short lines stay in the first cache with the weights of a block; else cells stay there.
        f.when(
            f.op(f"icmp sle i64 {count}, {_SHORT}"),
            lambda: over_blocks(lambda q, n: line(lambda i, t, v: tile(i, t, q, n, v))),
            lambda: line(lambda i, t, v: over_blocks(lambda q, n: tile(i, t, q, n, v))),
        )

    def _unpack(self) -> str:
        """Write the positions of a strip to the result."""
        f = self.function("void @unpack(ptr %ctx, i64 %n, i64 %g, i64 %row, i64 %rows, ptr %sums)")
        f.do("%words = load ptr, ptr %ctx, align 8")
        filters, pitch, columns, width, depth, extent = self.gets(f, "O pitch P1 P2 E1 E2")
        step = [f.stride(self.y, i) for i in range(5)]
        first = f.binary("mul", "%g", filters)
        y = f.place(f.pointer(self.y), ("%n", step[0]), (first, step[1]), ("%row", step[2]))

        def line(o: str, a: str, b: str) -> None:
            to = f.place(y, (o, step[1]), (a, step[2]), (b, step[3]))
            index = f.binary("mul", f.binary("add", f.binary("mul", a, depth), b), extent)
            of = self.element(f, "%sums", f.binary("add", f.binary("mul", o, pitch), index))
            f.do(
                f"call void @copy(ptr {to}, i64 {step[4]}, ptr {of}, i64 {self.size}, i64 {width})"
            )

        f.each(0, filters, 1, lambda o: f.each(0, "%rows", 1, lambda a: f.each(
            0, columns, 1, lambda b: line(o, a, b))))  # fmt: skip
        f.do("ret void")
        return f.text()

    def _entry(self) -> str:
        """The routine: tables and packed kernels first, then all strips."""
        f = self.main()
        filters, half = self.get(f, "O"), self.block // 2
        wide = self.put(f, "wide", f.binary("mul", ceil_div(f, filters, str(half)), half))
        self.put(f, "blocks", ceil_div(f, wide, str(self.block)))
        some = f.op(f"icmp sgt i64 {product(f, self.gets(f, 'N G O P0 P1 P2'))}, 0")
        failed, done = [("i64", "-1")], [("i64", "0")]

        def strips() -> list[str]:
            self._by_strips(f)
            return [self.get(f, "status")]

        def lanes() -> list[str]:
            self._by_lanes(f)
            return [self.get(f, "status")]

        def work() -> list[str]:
            by_lanes = self.worth_lanes(f)
            return f.choose(
                self.filtered(f, *self._costs(f)), done, lambda: ["0"],
                lambda: f.choose(
                    by_lanes, done, lanes, lambda: f.choose(self.fits(f), failed, strips)
                ),
            )  # fmt: skip

        def nonempty() -> list[str]:
            points = self.handed_over(f, self.one_tap(f), self.late()[1])
            return f.choose(points, done, lambda: ["0"], work)

        return f.finish(f.choose(some, done, nonempty)[0])

    def _costs(self, f: Writer) -> tuple[str, str]:
        """What minimal filtering costs and what the other ways do, in the units of `worth_lanes`.

        Measured over many extents: its products cost ten; changing a tile is like six more filters
        and channels, changing the kernels like four more tiles.
        """
        channels, filters, cost = self.gets(f, "C O cost")
        wide, points = self.padded(f, filters), self.points(f)
        terms = f.binary("mul", channels, wide)
        changes = f.binary("mul", f.binary("add", channels, wide), 6)
        mine = f.binary("mul", points, f.binary("add", terms, changes))
        mine = f.binary("add", mine, f.binary("mul", terms, 4 * 16))
        return f.binary("mul", mine, 10), product(f, [cost, channels, filters])

    def _kernels(self, f: Writer, channel_apart: str, tap_apart: str) -> str:
        """Pack the kernels, with terms in this order; their address."""
        self.put(f, "channel_apart", channel_apart)
        self.put(f, "tap_apart", tap_apart)
        groups, wide, blocks, channels, taps = self.gets(f, "G wide blocks C taps")
        terms = f.binary("mul", channels, taps)
        packed = self.alloc(f, product(f, [groups, wide, terms]))
        self.put(f, "kernels", f.op(f"ptrtoint ptr {packed} to i64"))
        units, each = f.binary("mul", groups, blocks), f.binary("mul", terms, self.block)
        self.launch(f, "kernels", units, each, 100)
        return packed

    def _each(self, f: Writer) -> str:
        """What a position costs."""
        terms = f.binary("mul", *self.gets(f, "C taps"))
        return f.binary("mul", self.get(f, "wide"), f.binary("add", terms, 8))

    def _by_strips(self, f: Writer) -> None:
        length = self._flat(f, self.get(f, "rows"))
        pitch = f.binary("mul", ceil_div(f, length, str(self.lanes)), self.lanes)
        self.put(f, "pitch", pitch)
        images = self._images_together(f, length)
        channels, taps, groups, strips, batch = self.gets(f, "C taps G strips N")
        biases = self.pack_bias(f, self.get(f, "wide"))
        table, packed = self.distances(f, channels), self._kernels(f, taps, "1")
        units = product(f, [ceil_div(f, batch, images), groups, strips])
        each = product(f, [self._each(f), length, images])
        self.launch(f, "strips", units, each, max(1, self.size // 4))
        self.free(f, packed, table, *biases)

    def _images_together(self, f: Writer, length: str) -> str:
        """How many images are one unit: some, where lines are short."""
        size = f.smax(product(f, [*self.gets(f, "C channel"), str(self.size)]), 1)
        most = f.smin(f.binary("udiv", str(_ROOM), size), _IMAGES)
        units = product(f, self.gets(f, "N G strips"))
        most = f.smax(f.smin(most, f.binary("udiv", units, _IMAGES)), 1)
        short = f.op(f"icmp sle i64 {length}, {_SHORT * self.lanes}")
        return self.put(f, "together", f.op(f"select i1 {short}, i64 {most}, i64 1"))

    def _by_lanes(self, f: Writer) -> None:
        table, biases = self.lanes_distances(f), self.pack_bias(f, self.get(f, "wide"))
        packed = self._kernels(f, "1", self.get(f, "C"))
        units = f.binary("mul", self.image_blocks(f), self.get(f, "G"))
        positions = product(f, self.gets(f, "P0 P1 P2"))
        each = product(f, [self._each(f), positions, str(self.images)])
        self.launch(f, "lanes", units, each, max(1, self.size // 4))
        self.free(f, packed, table, *biases)
