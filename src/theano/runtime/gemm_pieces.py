"""LLVM IR of what all parts of matrix products share: loads and stores, packing of panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from theano.runtime.irtext import Function, turned

if TYPE_CHECKING:
    from theano.runtime.support import Target


class GemmPieces:
    """Writes pieces of functions for elements of one kind, and ``@pack``."""

    def __init__(self, letter: str, target: Target, *, brief: bool) -> None:
        self.letter = letter
        self.brief = brief
        self.kind = {"s": "float", "d": "double"}[letter]
        self.size = {"s": 4, "d": 8}[letter]
        self.lanes = target.vector_bytes // self.size
        self.vector = f"<{self.lanes} x {self.kind}>"
        #: Whether reading part of a vector costs no more than reading all of it.
        self.masks = target.vector_bytes == 64

    # ------------------------------------------------------------------ small pieces

    def _load(self, f: Function, pointer: str, index: str | int) -> str:
        return f.op(f"load {self.kind}, ptr {f.at(self.kind, pointer, index)}, align {self.size}")

    def _load_vector(self, f: Function, pointer: str, index: str | int) -> str:
        return f.op(f"load {self.vector}, ptr {f.at(self.kind, pointer, index)}, align {self.size}")

    def _store(self, f: Function, value: str, pointer: str, index: str | int) -> None:
        address = f.at(self.kind, pointer, index)
        f.do(f"store {self.kind} {value}, ptr {address}, align {self.size}")

    def _store_vector(self, f: Function, value: str, pointer: str, index: str | int) -> None:
        address = f.at(self.kind, pointer, index)
        f.do(f"store {self.vector} {value}, ptr {address}, align {self.size}")

    def _first_lanes(self, f: Function, count: str) -> str:
        """The condition of a vector's first ``count`` lanes."""
        kind = f"<{self.lanes} x i64>"
        one = f.op(f"insertelement {kind} poison, i64 {count}, i32 0")
        mask = f"<{self.lanes} x i32> zeroinitializer"
        wide = f.op(f"shufflevector {kind} {one}, {kind} poison, {mask}")
        numbers = ", ".join(f"i64 {i}" for i in range(self.lanes))
        return f.op(f"icmp slt {kind} <{numbers}>, {wide}")

    def _masked_load(self, f: Function, pointer: str, lanes: str) -> str:
        symbol = f"@llvm.masked.load.v{self.lanes}f{8 * self.size}.p0"
        return f.op(
            f"call {self.vector} {symbol}(ptr {pointer}, i32 {self.size}, "
            f"<{self.lanes} x i1> {lanes}, {self.vector} zeroinitializer)"
        )

    def _masked_store(self, f: Function, value: str, pointer: str, lanes: str) -> None:
        symbol = f"@llvm.masked.store.v{self.lanes}f{8 * self.size}.p0"
        f.do(
            f"call void {symbol}({self.vector} {value}, ptr {pointer}, i32 {self.size}, "
            f"<{self.lanes} x i1> {lanes})"
        )

    def _splat(self, f: Function, value: str) -> str:
        one = f.op(f"insertelement {self.vector} poison, {self.kind} {value}, i32 0")
        mask = f"<{self.lanes} x i32> zeroinitializer"
        return f.op(f"shufflevector {self.vector} {one}, {self.vector} poison, {mask}")

    def _muladd(self, f: Function, a: str, b: str, c: str) -> str:
        return self._fused(f, self.vector, a, b, c)

    def _fused(self, f: Function, kind: str, a: str, b: str, c: str) -> str:
        """Return ``a b + c``, rounded once where the processor can.

        Not ``fmul contract`` and ``fadd contract``: quick code generation leaves them apart.
        """
        symbol = self.muladd(kind)
        return f.op(f"call {kind} {symbol}({kind} {a}, {kind} {b}, {kind} {c})")

    def muladd(self, kind: str) -> str:
        """Return LLVM's function for a product and a sum of one type, scalar or vector."""
        suffix = f"f{8 * self.size}" if kind == self.kind else f"v{self.lanes}f{8 * self.size}"
        return f"@llvm.fmuladd.{suffix}"

    def _accumulate(self, f: Function, old: str, value: str) -> str:
        """Return ``value + beta * old`` for scalars."""
        return self._fused(f, self.kind, "%beta", old, value)

    # ------------------------------------------------------------------ packing

    def _pack(self) -> str:
        """Copy ``k`` rows and ``cols`` columns of B into rows of ``width``, zeros behind."""
        f = Function(
            "internal void @pack(ptr %to, ptr %B, i64 %sB0, i64 %sB1, i64 %k, i64 %cols, "
            "i64 %width)"
        )
        short = f.op("icmp slt i64 %cols, %width")

        def clear() -> None:
            size = f.binary("mul", f.binary("mul", "%k", "%width"), self.size)
            f.do(f"call void @llvm.memset.p0.i64(ptr %to, i8 0, i64 {size}, i1 false)")

        f.when(short, clear)
        unit = f.op("icmp eq i64 %sB1, 1")

        def by_rows() -> None:
            def row(p: str) -> None:
                source = f.at(self.kind, "%B", f.binary("mul", p, "%sB0"))
                target = f.at(self.kind, "%to", f.binary("mul", p, "%width"))
                stop = f.binary("and", "%cols", -self.lanes)
                f.each(0, stop, self.lanes, lambda j: self._store_vector(
                    f, self._load_vector(f, source, j), target, j))  # fmt: skip
                f.each(stop, "%cols", 1, lambda j: self._store(
                    f, self._load(f, source, j), target, j))  # fmt: skip

            f.each(0, "%k", 1, row)

        f.when(unit, by_rows, lambda: self._pack_columns(f))
        f.do("ret void")
        return f.text()

    def _pack_columns(self, f: Function) -> None:
        """The same where rows of B are not contiguous; where its columns are, by turned blocks."""
        if self.brief:
            self._one_by_one(f, ("0", "%k"), ("0", "%cols"))
            return
        last = (f.binary("sub", "%k", 1), f.binary("sub", "%cols", 1))

        def turned() -> None:
            stops = ["%k", "%cols"]
            if not self.masks:
                stops = [f.binary("and", n, -self.lanes) for n in stops]
            f.each(0, stops[0], self.lanes, lambda p: f.each(
                0, stops[1], self.lanes, lambda j: self._turn(f, p, j, last)))  # fmt: skip
            if not self.masks:
                self._one_by_one(f, ("0", stops[0]), (stops[1], "%cols"))
                self._one_by_one(f, (stops[0], "%k"), ("0", "%cols"))

        f.when(f.op("icmp eq i64 %sB0, 1"), turned,
               lambda: self._one_by_one(f, ("0", "%k"), ("0", "%cols")))  # fmt: skip

    def _one_by_one(self, f: Function, rows: tuple[str, str], columns: tuple[str, str]) -> None:
        """Copy elements of some rows and columns, ``[start, stop)``."""

        def column(j: str, p0: str, p1: str) -> None:
            source = f.at(self.kind, "%B", f.binary("mul", j, "%sB1"))
            target = f.at(self.kind, "%to", j)
            f.each(p0, p1, 1, lambda p: self._store(
                f, self._load(f, source, f.binary("mul", p, "%sB0")), target,
                f.binary("mul", p, "%width")))  # fmt: skip

        def block(p0: str) -> None:
            # Few rows at a time, so that the lines of the panel stay in the first cache.
            p1 = f.smin(f.binary("add", p0, 16), rows[1])
            f.each(columns[0], columns[1], 1, lambda j: column(j, p0, p1))

        f.each(rows[0], rows[1], 16, block)

    def _turn(self, f: Function, p: str, j: str, last: tuple[str, str]) -> None:
        """Copy a block of as many rows and columns as a vector has lanes, from row p, column j.

        With masks, it may end early: columns behind the last one are copies of that, rows behind
        the last one are written to its place before it is.
        """
        values, inside, behind = [], "", ""
        if self.masks:
            inside = self._first_lanes(f, f.binary("sub", "%k", p))
            behind = self._first_lanes(f, f.binary("sub", "%cols", j))
        for i in range(self.lanes):
            column = f.binary("add", j, i)
            if self.masks:
                column = f.smin(column, last[1])
            place = f.at(self.kind, f.at(self.kind, "%B", f.binary("mul", column, "%sB1")), p)
            values.append(
                self._masked_load(f, place, inside) if self.masks
                else self._load_vector(f, place, 0)
            )  # fmt: skip
        values = turned(f, values, self.vector)
        for i in reversed(range(self.lanes)):
            row = f.binary("add", p, i)
            if self.masks:
                row = f.smin(row, last[0])
            place = f.at(self.kind, f.at(self.kind, "%to", f.binary("mul", row, "%width")), j)
            if self.masks:
                self._masked_store(f, values[i], place, behind)
            else:
                self._store_vector(f, values[i], place, 0)
