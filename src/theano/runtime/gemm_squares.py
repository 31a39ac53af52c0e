"""LLVM IR of sums of the squares of what a product adds to, taken while it is read anyway.

A product that updates weights reads them in tiles; a penalty on their squares then costs one
instruction a vector, and no pass over memory. Squares of some rows of a tile, at most two vectors
wide, are added in their own precision, such sums in float64, always in the same order: what they
give does not depend on how high the tiles are.
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

    Functions get ``ptr %squares``: a float64 for each lane, or null where no squares are wanted.
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

    def _squares_before(self, f: Function) -> None:
        """Add the squares of all of C."""
        if self.squares:
            f.do("call void @add_squares(i64 %m, i64 %n, ptr %C, i64 %sC0, i64 %sC1, ptr %squares)")

    def _squares_of_chunks(
        self, f: Function, chunks: str, field: str, run: Callable[[], None]
    ) -> None:
        """Run the chunks of a product; each adds to sums of its own, which ``field`` points to."""
        count = f.op(f"select i1 {self._wanted(f)}, i64 {chunks}, i64 0")
        size = f.binary("mul", count, 8 * self.lanes)
        own = f.op(f"call ptr @th_alloc(i64 {size})")
        f.do(f"call void @llvm.memset.p0.i64(ptr {own}, i8 0, i64 {size}, i1 false)")
        given = f.op(f"select i1 {self._wanted(f)}, ptr {own}, ptr null")
        f.do(f"store ptr {given}, ptr {field}")
        run()

        def add(i: str) -> None:
            part = f.op(f"load {self.sums}, ptr {f.at(self.sums, own, i)}, align 8")
            old = f.op(f"load {self.sums}, ptr %squares, align 8")
            total = f.op(f"fadd {self.sums} {old}, {part}")
            f.do(f"store {self.sums} {total}, ptr %squares, align 8")

        f.each(0, count, 1, add)
        f.do(f"call void @th_free(ptr {own})")

    def _squares_entry(self, head: str, call: str) -> str:
        """The exported function: ``@product`` with sums of lanes, and their sum."""
        f = Function(head.replace("internal ", "").replace("%squares", "%sum"))
        f.do(f"%squares = alloca [{self.lanes} x double], align 64")
        f.do(f"store [{self.lanes} x double] zeroinitializer, ptr %squares")
        f.leave_if(f.op("icmp eq ptr %sum, null"), lambda: f.do(call.replace("%squares", "null")))
        f.do(call)

        def add(i: str, totals: list[str]) -> list[str]:
            value = f.op(f"load double, ptr {f.at('double', '%squares', i)}, align 8")
            return [f.op(f"fadd double {totals[0]}, {value}")]

        total = f.loop(0, self.lanes, 1, [("double", "0.0")], add)[0]
        f.do(f"store double {total}, ptr %sum, align 8")
        f.do("ret void")
        return f.text()
