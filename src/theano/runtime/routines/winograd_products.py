"""Products of matrices with pitches of their own: register tiles, panels of some vectors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_local import ceil_div
from theano.runtime.routines.winograd_tiles import TilesText

#: Bytes of a factor that a run of products keeps in the first cache.
_PANEL: Final = 24 << 10


class ProductsText(TilesText):
    """Writes products of matrices."""

    @property
    def shapes(self) -> dict[int, int]:
        """Vectors of a tile of a product, and how many rows it has."""
        return {4: 6, 3: 8, 2: 8, 1: 8} if self.many else {2: 6, 1: 6}

    def product_functions(self) -> list[str]:
        """Products of one tile, and of all rows."""
        made = [self._product(rows, vectors) for vectors, rows in self.shapes.items()]
        return [*made, *(self._rows(rows, vectors) for vectors, rows in self.shapes.items())]

    def _product(self, rows: int, vectors: int) -> str:
        """``to[r, v] (+)= sum over q of w[r, q] x[q, v]``; pitches are in bytes."""
        f = Function(
            f"internal void @product_{vectors}(ptr %x, i64 %line, ptr %w, i64 %row, i64 %step, "
            "i64 %terms, ptr %to, i64 %pitch, i64 %more)"
        )
        lines = self.places(f, "%w", rows, "%row")
        targets = [
            self.element(f, place, v * self.lanes)
            for place in self.places(f, "%to", rows, "%pitch")
            for v in range(vectors)
        ]

        def term(at: str, carried: list[str]) -> list[str]:
            x, *sums = carried
            cells = [
                self.load_vector(f, self.element(f, x, v * self.lanes)) for v in range(vectors)
            ]
            following = [f.at("i8", x, "%line")]
            for r, line in enumerate(lines):
                weight = self.splat(f, self.load(f, f.at("i8", line, at)))
                for v, cell in enumerate(cells):
                    following.append(self.muladd(f, cell, weight, sums[r * vectors + v]))
            return following

        zeros = [(self.vector, "zeroinitializer")] * len(targets)
        more = f.op("icmp ne i64 %more, 0")
        start = f.choose(more, zeros, lambda: [self.load_vector(f, place) for place in targets])
        carried = [("ptr", "%x"), *((self.vector, value) for value in start)]
        end = f.binary("mul", "%terms", "%step")
        _, *sums = f.loop(0, end, "%step", carried, term)
        for value, place in zip(sums, targets, strict=True):
            self.store_vector(f, value, place)
        f.do("ret void")
        return f.text()

    def _rows(self, rows: int, vectors: int) -> str:
        """All rows of a panel, in runs of terms whose vectors stay in the first cache."""
        f = Function(
            f"internal void @rows_{vectors}(ptr %x, i64 %line, ptr %w, i64 %row, i64 %step, "
            "i64 %terms, ptr %to, i64 %pitch, i64 %more, i64 %rows)"
        )
        most = _PANEL // (vectors * self.lanes * self.size)
        runs = ceil_div(f, "%terms", str(most))
        run = ceil_div(f, "%terms", f.smax(runs, 1))

        def some(q: str) -> None:
            count = f.smin(f.binary("sub", "%terms", q), run)
            x = f.at("i8", "%x", f.binary("mul", q, "%line"))
            w = f.at("i8", "%w", f.binary("mul", q, "%step"))
            more = f.binary("or", "%more", q)

            def one(r: str) -> None:
                here = f.at("i8", w, f.binary("mul", r, "%row"))
                to = f.at("i8", "%to", f.binary("mul", r, "%pitch"))
                f.do(
                    f"call void @product_{vectors}(ptr {x}, i64 %line, ptr {here}, i64 %row, "
                    f"i64 %step, i64 {count}, ptr {to}, i64 %pitch, i64 {more})"
                )

            f.each(0, "%rows", rows, one)

        f.each(0, "%terms", run, some)
        f.do("ret void")
        return f.text()

    # panels --------------------------------------------------------------------------------------

    def _divided(self, f: Writer, vectors: str) -> tuple[str, str]:
        """How many of some vectors are in panels of the widest kind, and in others.

        Others are one panel, but five are three and two, not four and one.
        """
        widest = max(self.shapes)
        rest = f.binary("urem", vectors, widest)
        if widest > 2:
            one = f.op(f"icmp eq i64 {rest}, 1")
            five = f.both(one, f.op(f"icmp sgt i64 {vectors}, {widest}"))
            rest = f.op(f"select i1 {five}, i64 5, i64 {rest}")
        return f.binary("sub", vectors, rest), rest

    def panels(self, f: Writer, vectors: str, body: Callable[[str, int], None]) -> None:
        """``body(first, width)`` for the panels of some vectors."""
        widest, (whole, rest) = max(self.shapes), self._divided(f, vectors)

        def others(width: int) -> None:
            if width == 5:
                body(whole, 3)
                body(f.binary("add", whole, 3), 2)
            else:
                body(whole, width)

        f.each(0, whole, widest, lambda v: body(v, widest))
        for width in (1, 2, 3, 5) if widest > 2 else (1,):
            is_it = f.op(f"icmp eq i64 {rest}, {width}")
            f.when(is_it, functools.partial(others, width))

    def panel_of(self, f: Writer, vectors: str, v: str) -> tuple[str, str]:
        """The first vector of the panel that has vector ``v``, and how many it has."""
        widest, (whole, rest) = max(self.shapes), self._divided(f, vectors)
        early = f.op(f"icmp slt i64 {v}, {whole}")
        first, width = whole, rest
        if widest > 2:
            five = f.op(f"icmp eq i64 {rest}, 5")
            second = f.binary("add", whole, 3)
            late = f.both(five, f.op(f"icmp sge i64 {v}, {second}"))
            first = f.op(f"select i1 {late}, i64 {second}, i64 {first}")
            width = f.op(f"select i1 {five}, i64 3, i64 {width}")
            width = f.op(f"select i1 {late}, i64 2, i64 {width}")
        own = f.binary("sub", v, f.binary("urem", v, widest))
        first = f.op(f"select i1 {early}, i64 {own}, i64 {first}")
        return first, f.op(f"select i1 {early}, i64 {widest}, i64 {width}")
