"""Which way a product of matrices is computed: by its extents and strides, when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.runtime.gemm_kernels import GemmKernels
from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theano.runtime.blas import Blas

#: Rows of B per panel.
DEPTH: Final = 256
#: Up to this many columns, a product with a column-major A is better computed transposed.
SWAP_COLUMNS: Final = 16
# Up to this many rows, packing B costs more than it saves.
_DIRECT_ROWS: Final = 24
# The same where rows of B are at most so far apart that few pages are touched at a time.
_DIRECT_ROWS_NEAR: Final = 64
_NEAR_BYTES: Final = 3072
# Dot products of rows are used up to this many columns, from this many vectors on.
_DOT_COLUMNS: Final = 12
_DOT_VECTORS: Final = 6


class GemmChoice(GemmKernels):
    """Writes the internal functions that choose among those of `theano.runtime.gemm`."""

    blas: Blas | None

    # ------------------------------------------------------------------ calling conventions

    def _head(self, name: str, more: str = "") -> str:
        """Return the head of an internal product with a column stride for C."""
        kind = self.kind
        return (
            f"internal void @{name}(i64 %m, i64 %n, i64 %k, {kind} %alpha, ptr %A, i64 %sA0, "
            f"i64 %sA1, ptr %B, i64 %sB0, i64 %sB1, {kind} %beta, ptr %C, i64 %sC0, i64 %sC1{more})"
        )

    def _call(
        self, name: str, changes: Mapping[str, str] | None = None, *, swapped: bool = False,
        more: str = "",
    ) -> str:  # fmt: skip
        """Return a call of an internal product; ``swapped`` computes the transposed product."""
        kind = self.kind
        values = {
            name: f"%{name}"
            for name in ("m", "n", "k", "A", "sA0", "sA1", "B", "sB0", "sB1", "C", "sC0", "sC1")
        }
        values.update(changes or {})
        order = ("m", "n", "k", "A", "sA0", "sA1", "B", "sB0", "sB1", "C", "sC0", "sC1")
        if swapped:
            order = ("n", "m", "k", "B", "sB1", "sB0", "A", "sA1", "sA0", "C", "sC1", "sC0")
        m, n, k, a, a0, a1, b, b0, b1, c, c0, c1 = (values[name] for name in order)
        return (
            f"call void @{name}(i64 {m}, i64 {n}, i64 {k}, {kind} %alpha, ptr {a}, i64 {a0}, "
            f"i64 {a1}, ptr {b}, i64 {b0}, i64 {b1}, {kind} %beta, ptr {c}, i64 {c0}, i64 {c1}"
            f"{more})"
        )

    def _core(self) -> str:
        """Choose among dot products, in-place B, BLAS and the blocked product."""
        f = Function(self._head("core"))
        unit_a = f.op("icmp eq i64 %sA1, 1")
        unit_b = f.op("icmp eq i64 %sB1, 1")
        if self.masks:
            f.leave_if(self._thin(f), lambda: f.do(self._call("direct")))
        long = f.op(f"icmp sge i64 %k, {_DOT_VECTORS * self.lanes}")
        narrow = f.both(f.op(f"icmp sle i64 %n, {_DOT_COLUMNS}"), long, unit_a)
        single = f.both(f.op("icmp eq i64 %n, 1"), unit_a)
        f.leave_if(f.op(f"or i1 {narrow}, {single}"), lambda: f.do(self._call("dots")))
        near = f.op(f"icmp sle i64 %sB0, {_NEAR_BYTES // self.size}")
        most = f.op(f"select i1 {near}, i64 {_DIRECT_ROWS_NEAR}, i64 {_DIRECT_ROWS}")
        few = f.both(f.op(f"icmp sle i64 %m, {most}"), unit_b)
        f.leave_if(few, lambda: f.do(self._call("direct")))
        if self.blas is not None:
            large = f.both(
                f.op(f"icmp sgt i64 %m, {SWAP_COLUMNS}"),
                f.op(f"icmp sgt i64 %n, {SWAP_COLUMNS}"),
                f.op("icmp eq i64 %sC1, 1"),
            )
            f.leave_if(large, lambda: f.do(self._call("call_blas")))
        f.do(self._call("packed", more=self._cells("null", "0")))
        f.do("ret void")
        return f.text()

    def _rides(self, f: Function) -> str:
        """Whether the blocked product is chosen, and reads C, however the product is split."""
        if self.blas is not None:
            return "false"
        return f.both(
            *(f.op(f"icmp {test}") for test in (
                f"sgt i64 %m, {_DIRECT_ROWS_NEAR}", f"sgt i64 %n, {SWAP_COLUMNS}", "sgt i64 %k, 0",
                "eq i64 %sC1, 1")),
            f.op(f"fcmp une {self.kind} %beta, 0.0"),
        )  # fmt: skip

    def _thin(self, f: Function) -> str:
        """Whether rows of B are best read in place, each as part of one vector.

        Measured clock cycles, times twice the lanes: 0.75 for a step of a row here; for dot
        products half a one for a vector's multiply-add, 3 for an element that is packed, 9 for a
        sum of lanes.
        """
        lanes = self.lanes
        size = f.binary("mul", "%m", "%n")
        apart = f.binary("mul", f.binary("mul", "%n", "%k"), 3 * lanes)
        dots = f.binary("add", apart, f.binary("mul", size, f.binary("add", "%k", 18 * lanes)))
        here = f.binary("mul", f.binary("mul", "%m", "%k"), 3 * lanes // 2)
        rows = f.op("icmp eq i64 %sA1, 1")
        better = f.op(f"select i1 {rows}, i1 {f.op(f'icmp sle i64 {here}, {dots}')}, i1 true")
        return f.both(
            *(f.op(f"icmp {test}") for test in (
                f"sle i64 %n, {lanes}", "eq i64 %sB1, 1", "eq i64 %sC1, 1")),
            better,
        )  # fmt: skip

    def _turned(self, f: Function) -> str:
        """Whether few columns are better computed transposed, although `_thin` could take them.

        That product uses whole vectors, but takes about 3 cycles for each element that it writes.
        """
        lanes = self.lanes
        whole = f.binary("mul", "%n", f.binary("add", "%k", 6 * lanes))
        part = f.binary("mul", f.binary("add", "%k", 16), lanes)
        fits = f.both(*(f.op(f"icmp {test}") for test in (
            f"sle i64 %n, {lanes}", f"sle i64 {part}, {whole}", f"sle i64 %k, {DEPTH}",
            "eq i64 %sB1, 1", "eq i64 %sC1, 1")))  # fmt: skip
        return f.op(f"xor i1 {fits}, true")

    def _serial(self) -> str:
        """Turn the product around where the transposed one reads memory in better order."""
        f = Function(self._head("serial"))

        def test(condition: str) -> str:
            return f.op(f"icmp {condition}")

        a_rows, a_columns = test("eq i64 %sA1, 1"), test("eq i64 %sA0, 1")
        b_rows, b_columns = test("eq i64 %sB1, 1"), test("eq i64 %sB0, 1")
        other_a, other_b = f.op(f"xor i1 {a_rows}, true"), f.op(f"xor i1 {b_rows}, true")
        one_column = f.both(test("eq i64 %n, 1"), test("sgt i64 %m, 1"), other_a)
        one_row = f.both(test("eq i64 %m, 1"), test("sgt i64 %n, 1"), other_b, b_columns)
        few_columns = f.both(
            test(f"sle i64 %n, {SWAP_COLUMNS}"), test(f"sgt i64 %m, {SWAP_COLUMNS}"), other_a,
            a_columns, *([self._turned(f)] if self.masks else []),
        )  # fmt: skip
        few_rows = f.both(
            test("sgt i64 %m, 1"), test(f"sle i64 %m, {SWAP_COLUMNS}"),
            test(f"sgt i64 %n, {SWAP_COLUMNS}"), other_b, b_columns,
        )  # fmt: skip
        swap = one_column
        for condition in (one_row, few_columns, few_rows):
            swap = f.op(f"or i1 {swap}, {condition}")
        f.leave_if(swap, lambda: f.do(self._call("core", swapped=True)))
        f.do(self._call("core"))
        f.do("ret void")
        return f.text()
