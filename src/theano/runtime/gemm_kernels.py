"""LLVM IR of the inner parts of matrix products: register tiles, row dot products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.core.record import dataclass
from theano.runtime.gemm_squares import GemmSquares
from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from theano.runtime.support import Target

#: Tiles of so many rows, where products spend their time, add to C straight from registers.
_OFTEN: Final = 8


@dataclass(frozen=True, slots=True)
class _Tile:
    """A register tile: ``rows`` of C times ``vectors`` vector registers of columns."""

    rows: int
    vectors: int


class GemmKernels(GemmSquares):
    """Writes the internal functions that the drivers in `theano.runtime.gemm` call."""

    def __init__(self, letter: str, target: Target, *, brief: bool, squares: bool) -> None:
        super().__init__(letter, target, brief=brief, squares=squares)
        many = target.vector_registers >= 32
        self.row_tiles: dict[int, tuple[int, ...]] = {
            2: (12, 10, 8, 4, 2, 1) if many else (6, 4, 2, 1),
            1: (8, 4, 1),
        }
        # Rows of a chunk are a multiple of this, in both tiers.
        self.grain = self.row_tiles[2][0]
        self.wide = 8 if many else 6
        # Accumulators of a block of dot products, and the numbers of columns it may have.
        self.dot_sums = 20 if many else 8
        self.dot_columns: tuple[int, ...] = (5, 4, 2, 1) if many else (2, 1)
        if brief:
            # An element's sum does not depend on the tile that it is in. Larger ones gain nothing:
            # quick code generation keeps their sums in memory. Sums of squares need pairs of rows.
            self.row_tiles = {2: (4, 2, 1) if squares else (4, 1), 1: (4, 1)}
            self.wide, self.dot_columns = 2, (1,)

    def kernels(self) -> list[str]:
        """Return the internal functions."""
        tiles = [_Tile(rows, v) for v, sizes in self.row_tiles.items() for rows in sizes]
        tiles.append(_Tile(1, self.wide))
        parts = [self._kernel(tile) for tile in dict.fromkeys(tiles)]
        parts += [self._rows(vectors) for vectors in self.row_tiles]
        parts += [self._write_back(), self._pack(), self._finish_dots()]
        if self.squares:
            parts += [self._add_squares(), self._sum_squares()]
        return [*parts, *map(self._dots, self.dot_columns)]

    # ------------------------------------------------------------------ register tiles

    def _tile_head(self, name: str) -> str:
        kind = self.kind
        return (
            f"internal void @{name}(i64 %m, i64 %k, ptr %A, i64 %sA0, i64 %sA1, ptr %B, i64 %ldb, "
            f"{kind} %alpha, {kind} %beta, ptr %C, i64 %sC0, i64 %sC1, i64 %cols, "
            f"ptr %ahead, i64 %sAhead{self._also()})"
        )

    def _kernel(self, tile: _Tile) -> str:
        """Write tiles of C below each other, ``m`` rows in all; rows of B are ``ldb`` apart.

        Rows of B are whole vectors wide; where there are masks, ``cols`` elements are enough.
        """
        f = Function(self._tile_head(f"tile_{tile.rows}x{tile.vectors}"))
        buffer = f.op(f"alloca [{tile.rows * tile.vectors * self.lanes} x {self.kind}], align 64")
        offsets = [f.binary("mul", "%sA0", r) for r in range(tile.rows)]
        asks = tile == _Tile(self.row_tiles[2][0], 2)
        last = tile.vectors - 1  # the vector of which columns may be missing
        narrow = ""
        if self.masks and tile.vectors in self.row_tiles:
            narrow = self._first_lanes(f, f.binary("sub", "%cols", last * self.lanes))
        zero = (self.vector, "zeroinitializer")
        end = self._tile_end(f, tile, buffer, narrow)

        def block(_: str, places: list[str]) -> list[str]:
            first, c, ahead = places
            rows = [f.at(self.kind, first, offset) for offset in offsets]

            def step(p: str, values: list[str]) -> list[str]:
                if asks:
                    self._ask(f, p, ahead)
                line = f.at(self.kind, "%B", f.binary("mul", p, "%ldb"))
                offset = f.binary("mul", p, "%sA1")
                columns = [
                    self._load_vector(f, line, v * self.lanes)
                    for v in range(last if narrow else tile.vectors)
                ]
                if narrow:
                    place = f.at(self.kind, line, last * self.lanes)
                    columns.append(self._masked_load(f, place, narrow))
                following = []
                for r, row in enumerate(rows):
                    a = self._splat(f, self._load(f, row, offset))
                    for v, column in enumerate(columns):
                        following.append(self._muladd(f, a, column, values[r * tile.vectors + v]))
                return following

            end(f.loop(0, "%k", 1, [zero] * (tile.rows * tile.vectors), step), c)
            steps = ((first, "%sA0", tile.rows), (c, "%sC0", tile.rows), (ahead, "%asked", 1))
            return [f.at(self.kind, p, f.binary("mul", by, times)) for p, by, times in steps]

        f.do(f"%asked = mul i64 {f.binary('lshr', '%k', 3)}, %sAhead")
        f.loop(0, "%m", tile.rows, [("ptr", p) for p in ("%A", "%C", "%ahead")], block)
        f.do("ret void")
        return f.text()

    def _tile_end(
        self, f: Function, tile: _Tile, buffer: str, narrow: str
    ) -> Callable[[Sequence[str], str], None]:
        """What writes ``C = alpha tile + beta C`` at a place, once the sums of a tile are there.

        ``narrow``: the lanes of the last vector that are columns, or empty.
        """
        width = tile.vectors * self.lanes
        alpha = self._splat(f, "%alpha")

        def through_memory(sums: Sequence[str], c: str) -> None:
            for number, value in enumerate(sums):
                self._store_vector(f, value, buffer, number * self.lanes)
            f.do(
                f"call void @write_back(i64 {tile.rows}, i64 %cols, ptr {buffer}, i64 {width}, "
                f"{self.kind} %alpha, {self.kind} %beta, ptr {c}, i64 %sC0, i64 %sC1{self._also()})"
            )

        if tile.rows < _OFTEN:
            return through_memory
        beta = self._splat(f, "%beta")
        unit = f.op("icmp eq i64 %sC1, 1")
        whole = unit if narrow else f.both(unit, f.op(f"icmp eq i64 %cols, {width}"))
        writes = f.both(whole, f.op(f"fcmp oeq {self.kind} %beta, 0.0"))

        squares = self._squares_of_tiles(f) if self.squares else ""

        def straight(sums: Sequence[str], c: str) -> None:
            def rows(old: str) -> None:
                self._to_rows(f, tile, sums, (c, narrow), (alpha, old), squares)

            f.when(writes, lambda: rows(""), lambda: f.when(
                whole, lambda: rows(beta), lambda: through_memory(sums, c)))  # fmt: skip

        return straight

    def _ask(self, f: Function, p: str, ahead: str) -> None:
        """Ask for a line of what comes next: in 8 steps, both vectors of a row.

        That is a row of B which is packed next or, where none is, one of C.
        """
        row = f.binary("mul", f.binary("lshr", p, 3), "%sAhead")
        half = f.binary("mul", f.binary("and", p, 4), self.lanes // 4)
        place = f.at(self.kind, f.at(self.kind, ahead, row), half)
        f.do(f"call void @llvm.prefetch.p0(ptr {place}, i32 0, i32 3, i32 1)")

    def _ask_below(self, f: Function, tile: _Tile, c: str, r: int) -> None:
        """Ask for the lines of C that row ``r`` of the tile below will write: another thread may
        have written them last."""
        row = f.at(self.kind, c, f.binary("mul", "%sC0", r + tile.rows))
        width = tile.vectors * self.lanes
        for column in (*range(0, width, self.lanes), width - 1):
            place = f.at(self.kind, row, column)
            f.do(f"call void @llvm.prefetch.p0(ptr {place}, i32 1, i32 3, i32 1)")

    def _to_rows(
        self, f: Function, tile: _Tile, sums: Sequence[str], place: tuple[str, str],
        factors: tuple[str, str], squares: str,
    ) -> None:  # fmt: skip
        """``C = alpha tile + beta C`` (no beta: ``alpha tile``) for a whole tile, as `_write_back`
        computes it."""
        (c, narrow), (alpha, beta) = place, factors
        before: list[list[str]] = []
        adds = bool(squares and beta)
        kept = f.op(f"load {self.sums}, ptr {squares}, align 8") if adds else ""
        for r in range(tile.rows):
            before.append([])
            row = f.at(self.kind, c, f.binary("mul", "%sC0", r))
            if tile == _Tile(self.row_tiles[2][0], 2):
                self._ask_below(f, tile, c, r)
            for v in range(tile.vectors):
                total = sums[r * tile.vectors + v]
                at = f.at(self.kind, row, v * self.lanes)
                part = narrow if v == tile.vectors - 1 else ""
                if beta:
                    old = self._masked_load(f, at, part) if part else (
                        self._load_vector(f, at, 0))  # fmt: skip
                    before[-1].append(old)
                    scaled = f.op(f"fmul {self.vector} {beta}, {old}")
                    value = self._fused(f, self.vector, alpha, total, scaled)
                else:
                    value = f.op(f"fmul {self.vector} {total}, {alpha}")
                if part:
                    self._masked_store(f, value, at, part)
                else:
                    self._store_vector(f, value, at, 0)
            if adds and (len(before) == self.together or r == tile.rows - 1):
                kept, before = self._added(f, kept, before), []
        if adds:
            f.do(f"store {self.sums} {kept}, ptr {squares}, align 8")

    def _write_back(self) -> str:
        """Write ``C = alpha tile + beta C``; vectors where rows of C are contiguous."""
        f = Function(
            "internal void @write_back(i64 %rows, i64 %cols, ptr %tile, i64 %width, "
            f"{self.kind} %alpha, {self.kind} %beta, ptr %C, i64 %sC0, i64 %sC1{self._also()})"
        )
        if self.squares:
            f.do("call void @add_squares(i64 %rows, i64 %cols, ptr %C, i64 %sC0, i64 %sC1, "
                 "ptr %squares)")  # fmt: skip
        fresh = f.op(f"fcmp oeq {self.kind} %beta, 0.0")
        unit = f.op("icmp eq i64 %sC1, 1")
        alpha, beta = self._splat(f, "%alpha"), self._splat(f, "%beta")
        whole = f.binary("and", "%cols", -self.lanes)
        vector_stop = f.op(f"select i1 {unit}, i64 {whole}, i64 0")
        scalar_start = f.op(f"select i1 {unit}, i64 %cols, i64 0")
        rest = f.binary("sub", "%cols", whole)
        some = f.both(unit, f.op(f"icmp sgt i64 {rest}, 0"))
        inside = self._first_lanes(f, rest)

        def added(value: str, old: str) -> str:
            scaled = f.op(f"fmul {self.vector} {beta}, {old}")
            return self._fused(f, self.vector, alpha, value, scaled)

        def row(r: str) -> None:
            source = f.at(self.kind, "%tile", f.binary("mul", r, "%width"))
            target = f.at(self.kind, "%C", f.binary("mul", r, "%sC0"))

            def last() -> None:
                value = self._load_vector(f, source, whole)
                place = f.at(self.kind, target, whole)
                total = added(value, self._masked_load(f, place, inside))
                first = f.op(f"fmul {self.vector} {alpha}, {value}")
                kept = f.op(f"select i1 {fresh}, {self.vector} {first}, {self.vector} {total}")
                self._masked_store(f, kept, place, inside)

            def vectors(j: str) -> None:
                value = self._load_vector(f, source, j)
                f.when(fresh, lambda: self._store_vector(
                    f, f.op(f"fmul {self.vector} {alpha}, {value}"), target, j,
                ), lambda: self._store_vector(
                    f, added(value, self._load_vector(f, target, j)), target, j,
                ))  # fmt: skip

            f.each(0, vector_stop, self.lanes, vectors)
            f.when(some, last)
            f.each(scalar_start, "%cols", 1, lambda j: self._write_one(f, fresh, source, target, j))

        f.each(0, "%rows", 1, row)
        f.do("ret void")
        return f.text()

    def _write_one(self, f: Function, fresh: str, source: str, target: str, j: str) -> None:
        """The same for one element."""
        value = self._load(f, source, j)
        place = f.binary("mul", j, "%sC1")

        def add() -> None:
            old = f.op(f"fmul {self.kind} %beta, {self._load(f, target, place)}")
            self._store(f, self._fused(f, self.kind, "%alpha", value, old), target, place)

        f.when(fresh, lambda: self._store(
            f, f.op(f"fmul {self.kind} %alpha, {value}"), target, place), add)  # fmt: skip

    def _rows(self, vectors: int) -> str:
        """Run one panel of B against ``m`` rows of A, largest tiles first."""
        f = Function(self._tile_head(f"rows_{vectors}"))
        at, ahead = "0", "%ahead"
        further = f.binary("mul", f.binary("lshr", "%k", 3), "%sAhead")
        for size in self.row_tiles[vectors]:
            count = f.binary("sdiv", f.binary("sub", "%m", at), size)
            height = f.binary("mul", count, size)
            a, c = (f.at(self.kind, base, f.binary("mul", at, by))
                    for base, by in (("%A", "%sA0"), ("%C", "%sC0")))  # fmt: skip
            call = self._tile_call(
                f"tile_{size}x{vectors}", a, "%B", "%ldb", c, "%cols", ahead=(ahead, "%sAhead"),
                rows=height,
            )  # fmt: skip
            f.when(f.op(f"icmp sgt i64 {count}, 0"), lambda call=call: f.do(call))  # type: ignore[misc]
            at = f.binary("add", at, height)
            ahead = f.at(self.kind, ahead, f.binary("mul", count, further))
        f.do("ret void")
        return f.text()

    def _tile_call(
        self, name: str, a: str, b: str, ldb: str, c: str, cols: str, *, rows: str = "%m",
        deep: str = "%k", strides: tuple[str, str] = ("%sA0", "%sA1"), beta: str = "%beta",
        ahead: tuple[str, str] | None = None, squares: str = "%squares",
    ) -> str:  # fmt: skip
        kind = self.kind
        following, distance = ahead or (c, "%sC0")
        return (
            f"call void @{name}(i64 {rows}, i64 {deep}, ptr {a}, i64 {strides[0]}, "
            f"i64 {strides[1]}, ptr {b}, i64 {ldb}, {kind} %alpha, {kind} {beta}, ptr {c}, "
            f"i64 %sC0, i64 %sC1, i64 {cols}, ptr {following}, i64 {distance}{self._also(squares)})"
        )

    # ------------------------------------------------------------------ dot products of rows

    def _dots(self, cols: int) -> str:
        """Write ``C[i, j] = alpha A[i, :] . X[j, :] + beta C[i, j]`` for ``cols`` rows of X.

        Rows of A and X are contiguous; rows of X are ``sX`` apart.
        """
        kind = self.kind
        f = Function(
            f"internal void @dots_{cols}(i64 %m, i64 %k, ptr %A, i64 %sA0, ptr %X, i64 %sX, "
            f"{kind} %alpha, {kind} %beta, ptr %C, i64 %sC0, i64 %sC1)"
        )
        whole = f.binary("and", "%k", -self.lanes)
        others = [f.at(kind, "%X", f.binary("mul", j, "%sX")) for j in range(cols)]

        def block(i: str, count: int) -> None:
            indices = [f.binary("add", i, r) for r in range(count)]
            rows = [f.at(kind, "%A", f.binary("mul", index, "%sA0")) for index in indices]

            def step(p: str, values: list[str]) -> list[str]:
                xs = [self._load_vector(f, other, p) for other in others]
                following: list[str] = []
                for row in rows:
                    a = self._load_vector(f, row, p)
                    following += [
                        self._muladd(f, a, x, values[len(following) + number])
                        for number, x in enumerate(xs)
                    ]
                return following

            zeros = [(self.vector, "zeroinitializer")] * (count * cols)
            for number, total in enumerate(f.loop(0, whole, self.lanes, zeros, step)):
                self._store_vector(f, total, buffer, number * self.lanes)
            a, c = (
                f.at(kind, base, f.binary("mul", i, stride))
                for base, stride in (("%A", "%sA0"), ("%C", "%sC0"))
            )
            f.do(
                f"call void @finish_dots(ptr {buffer}, i64 {count}, i64 {cols}, i64 %k, ptr {a}, "
                f"i64 %sA0, ptr %X, i64 %sX, {kind} %alpha, {kind} %beta, ptr {c}, i64 %sC0, "
                "i64 %sC1)"
            )

        height = max(1, min(8, self.dot_sums // cols))
        buffer = f.op(f"alloca [{height * cols * self.lanes} x {kind}], align 64")
        blocked = f.binary("mul", f.binary("sdiv", "%m", height), height)
        f.each(0, blocked, height, lambda i: block(i, height))
        f.each(blocked, "%m", 1, lambda i: block(i, 1))
        f.do("ret void")
        return f.text()

    def _finish_dots(self) -> str:
        """Add the lanes of each of ``rows * cols`` sums and the products behind whole vectors."""
        kind = self.kind
        f = Function(
            f"internal void @finish_dots(ptr %sums, i64 %rows, i64 %cols, i64 %k, ptr %A, "
            f"i64 %sA0, ptr %X, i64 %sX, {kind} %alpha, {kind} %beta, ptr %C, i64 %sC0, i64 %sC1)"
        )
        fresh = f.op(f"fcmp oeq {kind} %beta, 0.0")
        whole = f.binary("and", "%k", -self.lanes)
        reduce = f"@llvm.vector.reduce.fadd.v{self.lanes}f{8 * self.size}"

        def element(i: str, j: str) -> None:
            row = f.at(kind, "%A", f.binary("mul", i, "%sA0"))
            other = f.at(kind, "%X", f.binary("mul", j, "%sX"))
            number = f.binary("add", f.binary("mul", i, "%cols"), j)
            total = self._load_vector(f, "%sums", f.binary("mul", number, self.lanes))
            value = f.op(f"call reassoc {kind} {reduce}({kind} -0.0, {self.vector} {total})")

            def add(p: str, sums: list[str]) -> list[str]:
                product = f.op(f"fmul {kind} {self._load(f, row, p)}, {self._load(f, other, p)}")
                return [f.op(f"fadd {kind} {sums[0]}, {product}")]

            value = f.loop(whole, "%k", 1, [(kind, value)], add)[0]
            value = f.op(f"fmul {kind} {value}, %alpha")
            place = f.binary("add", f.binary("mul", i, "%sC0"), f.binary("mul", j, "%sC1"))

            def update() -> None:
                old = self._load(f, "%C", place)
                self._store(f, self._accumulate(f, old, value), "%C", place)

            f.when(fresh, lambda: self._store(f, value, "%C", place), update)

        f.each(0, "%rows", 1, lambda i: f.each(0, "%cols", 1, lambda j: element(i, j)))
        f.do("ret void")
        return f.text()
