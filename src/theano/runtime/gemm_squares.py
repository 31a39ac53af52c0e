"""LLVM IR of sums of the squares of what a product adds to, taken while it is read anyway.

A product that updates weights reads them in tiles; a penalty on their squares then costs one and a
half instructions a vector, and no pass over memory. Squares of some rows of a tile, at most two
vectors wide, are added in their own precision, such sums in float64, lane by lane: those of a
block of rows and a panel of columns in a cell of their own, all cells in the end. So what is added
to what does not depend on how high tiles are, nor on the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from theano.runtime.gemm_pieces import GemmPieces
from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from theano.runtime.support import Target


class GemmSquares(GemmPieces):
    """Writes ``@add_squares``, and the same for tiles in registers.

    Functions get ``ptr %squares``: a cell (a float64 for each lane), or null for no squares.
    """

    def __init__(self, letter: str, target: Target, *, brief: bool, squares: bool) -> None:
        super().__init__(letter, target, brief=brief)
        self.squares = squares
        #: One float64 for each lane.
        self.sums = f"<{self.lanes} x double>"
        # Rows whose squares are added before they become float64: all heights of tiles are
        # multiples, but for the last, which both tiers split alike.
        self.together = 4 if target.vector_registers >= 32 else 2

    def _also(self, value: str = "%squares") -> str:
        """A further parameter or argument of the functions of a product."""
        return f", ptr {value}" if self.squares else ""

    def _wanted(self, f: Function) -> str:
        return f.op("icmp ne ptr %squares, null")

    def _squares_of_tiles(self, f: Function) -> str:
        """Where tiles in registers add their squares; where none are wanted, what is not read."""
        unread = f.op(f"alloca {self.sums}, align 64")
        return f.op(f"select i1 {self._wanted(f)}, ptr %squares, ptr {unread}")

    def _added(self, f: Function, total: str, rows: Sequence[Sequence[str]]) -> str:
        """``total`` and the squares of rows of at most two vectors."""
        columns: list[str] = []
        for values in zip(*rows, strict=True):
            square = f.op(f"fmul {self.vector} {values[0]}, {values[0]}")
            for value in values[1:]:
                square = self._muladd(f, value, value, square)
            columns.append(square)
        square = columns[0]
        if len(columns) > 1:
            square = f.op(f"fadd {self.vector} {square}, {columns[1]}")
        if self.kind == "float":
            square = f.op(f"fpext {self.vector} {square} to {self.sums}")
        return f.op(f"fadd {self.sums} {total}, {square}")

    def _add_squares(self) -> str:
        """Add the squares of a matrix to ``%squares``, unless that is null."""
        f = Function(
            "internal void @add_squares(i64 %m, i64 %n, ptr %C, i64 %sC0, i64 %sC1, ptr %squares)"
        )
        f.leave_if(f.op("icmp eq ptr %squares, null"))
        unit = f.op("icmp eq i64 %sC1, 1")
        f.when(unit, lambda: self._by_panels(f), lambda: self._by_elements(f))
        f.do("ret void")
        return f.text()

    def _by_panels(self, f: Function) -> None:
        """In the order of tiles in registers: panels of two vectors, some rows at a time."""
        whole = f.binary("sub", "%m", f.binary("urem", "%m", self.together))
        pairs = f.binary("add", whole, f.binary("and", f.binary("sub", "%m", whole), -2))

        def panel(j: str) -> None:
            here = f.binary("sub", "%n", j)
            masks = [self._first_lanes(f, f.binary("sub", here, v * self.lanes)) for v in (0, 1)]
            narrow = f.op(f"icmp sle i64 {here}, {self.lanes}")

            def rows(i: str, count: int, vectors: int, total: str) -> str:
                lines = []
                for r in range(count):
                    row = f.binary("mul", f.binary("add", i, r), "%sC0")
                    place = f.at(self.kind, "%C", f.binary("add", row, j))
                    lines.append([
                        self._masked_load(f, f.at(self.kind, place, v * self.lanes), masks[v])
                        for v in range(vectors)
                    ])  # fmt: skip
                return self._added(f, total, lines)

            def run(vectors: int) -> None:
                # Of the last rows of one vector, tiles take one at a time.
                middle = pairs if vectors == 2 else whole
                total = f.op(f"load {self.sums}, ptr %squares, align 8")
                for start, stop, count in (
                    ("0", whole, self.together), (whole, middle, 2), (middle, "%m", 1),
                ):  # fmt: skip
                    total = f.loop(
                        start, stop, count, [(self.sums, total)],
                        lambda i, t, count=count: [rows(i, count, vectors, t[0])],  # type: ignore[misc]
                    )[0]  # fmt: skip
                f.do(f"store {self.sums} {total}, ptr %squares, align 8")

            f.when(narrow, lambda: run(1), lambda: run(2))

        f.each(0, "%n", 2 * self.lanes, panel)

    def _by_elements(self, f: Function) -> None:
        def row(i: str) -> None:
            line = f.at(self.kind, "%C", f.binary("mul", i, "%sC0"))

            def element(j: str, totals: list[str]) -> list[str]:
                value = self._load(f, line, f.binary("mul", j, "%sC1"))
                if self.kind == "float":
                    value = f.op(f"fpext float {value} to double")
                square = f.op(f"fmul double {value}, {value}")
                return [f.op(f"fadd double {totals[0]}, {square}")]

            old = f.op("load double, ptr %squares, align 8")
            total = f.loop(0, "%n", 1, [("double", old)], element)[0]
            f.do(f"store double {total}, ptr %squares, align 8")

        f.each(0, "%m", 1, row)

    # ------------------------------------------------------------------ of whole products

    def _cells(self, squares: str = "%squares", row: str = "%cells") -> str:
        """Further parameters or arguments: the cells, and how many there are a block of rows."""
        return f", ptr {squares}, i64 {row}" if self.squares else ""

    def _cell(self, f: Function, wanted: str, block: str, column: str) -> str:
        """An empty cell for a block of rows and the panel at a column; null if none is wanted."""
        panel = f.binary("udiv", column, 2 * self.lanes)
        index = f.binary("add", f.binary("mul", block, "%cells"), panel)
        place = f.at(self.sums, "%squares", index)
        f.when(wanted, lambda: f.do(f"store {self.sums} zeroinitializer, ptr {place}, align 8"))
        return f.op(f"select i1 {wanted}, ptr {place}, ptr null")

    def _squares_entry(
        self, head: str, calls: tuple[str, str], rides: Callable[[Function], str], rows: int
    ) -> str:
        """The exported function.

        ``calls``: of ``@product`` without cells, and with ``%squares`` and ``%cells``; the second
        where ``rides`` says that C is read in tiles, however the product is split.
        """
        f = Function(head.replace("internal ", ""))
        apart = f.op(f"xor i1 {rides(f)}, true")

        def before() -> None:
            f.do("call void @sum_squares(i64 %m, i64 %n, ptr %C, i64 %sC0, i64 %sC1, ptr %sum)")
            f.do(calls[0])

        f.leave_if(f.op(f"or i1 {f.op('icmp eq ptr %sum, null')}, {apart}"), before)
        blocks = f.binary("udiv", f.binary("add", "%m", rows - 1), rows)
        f.do(f"%wide = add i64 %n, {2 * self.lanes - 1}")
        f.do(f"%cells = udiv i64 %wide, {2 * self.lanes}")
        count = f.binary("mul", f.binary("mul", blocks, "%cells"), self.lanes)
        f.do(f"%squares = call ptr @th_alloc(i64 {f.binary('mul', count, 8)})")
        f.leave_if(f.op("icmp eq ptr %squares, null"), before)  # out of memory
        f.do(calls[1])
        self._sum_up(f, "%squares", count)
        f.do("call void @th_free(ptr %squares)")
        f.do("ret void")
        return f.text()

    def _sum_squares(self) -> str:
        """Store the sum of the squares of a matrix at ``%sum``, unless that is null."""
        f = Function(
            "internal void @sum_squares(i64 %m, i64 %n, ptr %C, i64 %sC0, i64 %sC1, ptr %sum)"
        )
        f.leave_if(f.op("icmp eq ptr %sum, null"))
        lanes = f.op(f"alloca {self.sums}, align 64")
        f.do(f"store {self.sums} zeroinitializer, ptr {lanes}, align 8")
        f.do(f"call void @add_squares(i64 %m, i64 %n, ptr %C, i64 %sC0, i64 %sC1, ptr {lanes})")
        self._sum_up(f, lanes, str(self.lanes))
        f.do("ret void")
        return f.text()

    def _sum_up(self, f: Function, sums: str, count: str) -> None:
        """Store the sum of ``count`` float64, lane by lane first, at ``%sum``."""

        def add(i: str, totals: list[str]) -> list[str]:
            part = f.op(f"load {self.sums}, ptr {f.at('double', sums, i)}, align 8")
            return [f.op(f"fadd {self.sums} {totals[0]}, {part}")]

        zero = (self.sums, "zeroinitializer")
        total = f.loop(0, count, self.lanes, [zero], add)[0]
        value = "0.0"
        for lane in range(self.lanes):
            one = f.op(f"extractelement {self.sums} {total}, i32 {lane}")
            value = f.op(f"fadd double {value}, {one}")
        f.do(f"store double {value}, ptr %sum, align 8")
