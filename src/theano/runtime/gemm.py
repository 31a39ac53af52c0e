"""LLVM IR of ``th_sgemm`` and ``th_dgemm``: matrix products for every shape and stride.

``void th_{s,d}gemm(i64 m, i64 n, i64 k, T alpha, ptr A, i64 sA0, i64 sA1, ptr B, i64 sB0,
i64 sB1, T beta, ptr C, i64 sC0, i64 sC1)`` computes ``C = alpha A B + beta C`` with strides in
elements. ``beta == 0`` never reads C. Large products are split over the pool.
``th_{s,d}gemm_squares`` has one parameter more, ``ptr sum``: where the sum of the squares of what C
was is stored, a float64, or null. It is a library of its own.

Own loops serve what a general BLAS is slow at (few rows or columns, matrix times vector) and,
where the BLAS at hand does not use the widest vectors of the processor, everything else as well.
The blocked product follows K. Goto, R. van de Geijn, "Anatomy of High-Performance Matrix
Multiplication", ACM TOMS 34 (2008): panels of B are packed, a tile of C stays in registers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.core.record import dataclass
from theano.runtime import gemm_blas
from theano.runtime.gemm_choice import DEPTH, SWAP_COLUMNS
from theano.runtime.gemm_deep import GemmDeep
from theano.runtime.irtext import Function
from theano.runtime.threads_text import WORKERS_SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theano.runtime.blas import Blas
    from theano.runtime.support import Target

# Columns of B packed at once (`DEPTH` rows of them), rows of A packed at once.
_NC: Final = 512
_MC: Final = 132
# Products of fewer multiply-adds than this stay on the calling thread.
_PARALLEL_WORK: Final = 150_000
# Products of rows at most this long mostly move C.
_SHALLOW: Final = 64
_VECTOR_512_CORES: Final = ("skylakex", "cooperlake", "sapphirerapids", "zen4", "zen5")
# Integer fields of the context of a parallel product, in order; alpha and beta follow.
_FIELDS: Final = (
    "m", "n", "k", "A", "sA0", "sA1", "B", "sB0", "sB1", "C", "sC0", "sC1", "step",
    "columns",
)  # fmt: skip
_POINTERS: Final = ("A", "B", "C")


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of B that are packed together: first column and row, extents, beta, buffers."""

    at: tuple[str, str]
    cols: str
    deep: str
    beta: str
    squares: str
    places: tuple[str, str, str]


class GemmText(GemmDeep):
    """IR text of the products of one precision.

    Parameters
    ----------
    letter
        ``"s"`` or ``"d"``.
    target
        Vector width and number of registers.
    blas
        Library to call for large products, or None.
    brief
        Write fewer register tiles: the same results from a text that is compiled sooner.
    squares
        Write ``th_{s,d}gemm_squares``.
    """

    def __init__(
        self, letter: str, target: Target, blas: Blas | None, *, brief: bool = False,
        squares: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(letter, target, brief=brief, squares=squares)
        self.exports = (f"th_{letter}gemm{'_squares' * squares}",)
        self.blas = blas if blas is not None and self._prefer(blas, target) else None

    @staticmethod
    def _prefer(blas: Blas, target: Target) -> bool:
        """Tell whether ``blas`` uses vectors as wide as the processor has."""
        if target.vector_bytes < 64:
            return True
        return not blas.core or blas.core.lower() in _VECTOR_512_CORES

    def blas_imports(self) -> dict[str, int]:
        """Return the addresses of the BLAS functions that the text calls."""
        return gemm_blas.imports(self.blas, self.letter) if self.blas is not None else {}

    def text(self) -> str:
        """Return the module."""
        parts = [self._declarations(), *self.kernels(), self._scale(), self._panel()]
        parts += [self._direct(), self._packed(), self._dots_driver()]
        parts += [self._core(), self._serial()]
        parts += [self._chunk(), self._entry(), *([] if self.squares else self._deep_parts())]
        if self.squares:
            head = self._head(self.exports[0], ", ptr %sum")
            calls = [self._call("product", more=more)
                     for more in (self._cells("null", "0"), self._cells())]  # fmt: skip
            parts.append(self._squares_entry(head, (calls[0], calls[1]), self._rides, _MC))
        if self.blas is not None:
            without_memory = self._call("packed", more=self._cells("null", "0"))
            parts.append(gemm_blas.text(self.blas, self.kind, without_memory))
        return "\n".join(parts)

    def _declarations(self) -> str:
        reduce = f"@llvm.vector.reduce.fadd.v{self.lanes}f{8 * self.size}"
        masked = f"v{self.lanes}f{8 * self.size}.p0"
        lanes = f"<{self.lanes} x i1>"
        return "\n".join((
            f"declare {self.vector} @llvm.masked.load.{masked}(ptr, i32, {lanes}, {self.vector})",
            f"declare void @llvm.masked.store.{masked}({self.vector}, ptr, i32, {lanes})",
            "declare ptr @th_alloc(i64)",
            "declare void @th_free(ptr)",
            "declare void @th_parallel(ptr, ptr, ptr, i64)",
            "@th_pool = external global [64 x i64]",
            "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
            "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
            f"declare {self.kind} {reduce}({self.kind}, {self.vector})",
            *(
                f"declare {kind} {self.muladd(kind)}({kind}, {kind}, {kind})"
                for kind in (self.kind, self.vector)
            ),
            "",
        ))  # fmt: skip

    def _elements(self, f: Function, count: str) -> str:
        """Return a fresh block for ``count`` elements."""
        return f.op(f"call ptr @th_alloc(i64 {f.binary('mul', count, self.size)})")

    # ------------------------------------------------------------------ drivers

    def _scale(self) -> str:
        """Write ``C = beta C``, the product with an empty inner dimension."""
        f = Function(
            f"internal void @scale(i64 %m, i64 %n, {self.kind} %beta, ptr %C, i64 %sC0, i64 %sC1)"
        )
        fresh = f.op(f"fcmp oeq {self.kind} %beta, 0.0")

        def row(i: str) -> None:
            line = f.at(self.kind, "%C", f.binary("mul", i, "%sC0"))

            def element(column: str) -> None:
                j = f.binary("mul", column, "%sC1")

                def multiply() -> None:
                    old = self._load(f, line, j)
                    self._store(f, f.op(f"fmul {self.kind} {old}, %beta"), line, j)

                f.when(fresh, lambda: self._store(f, "0.0", line, j), multiply)

            f.each(0, "%n", 1, element)

        f.each(0, "%m", 1, row)
        f.do("ret void")
        return f.text()

    def _panel(self) -> str:
        """Run ``cols`` columns, at most two vectors, of a B whose rows are whole vectors."""
        f = Function(self._tile_head("panel"))
        narrow = f.op(f"icmp sle i64 %cols, {self.lanes}")
        calls = [
            self._tile_call(
                f"rows_{v}",
                "%A",
                "%B",
                "%ldb",
                "%C",
                "%cols",
                ahead=("%ahead", "%sAhead"),
            )
            for v in (1, 2)
        ]
        f.when(narrow, lambda: f.do(calls[0]), lambda: f.do(calls[1]))
        f.do("ret void")
        return f.text()

    def _direct(self) -> str:
        """Few rows, rows of B contiguous: read B in place.

        Without masks, the last columns are packed.
        """
        f = Function(self._head("direct"))
        width = 2 * self.lanes
        single = f.op("icmp eq i64 %m, 1")
        rounded = f.binary("mul", f.binary("sdiv", "%n", self.wide * self.lanes),
                           self.wide * self.lanes)  # fmt: skip
        wide = f.op(f"select i1 {single}, i64 {rounded}, i64 0")
        whole = f.binary("and", "%n", -width)

        def block(j: str, name: str, cols: int | str) -> None:
            b, c = f.at(self.kind, "%B", j), f.at(self.kind, "%C", f.binary("mul", j, "%sC1"))
            f.do(self._tile_call(name, "%A", b, "%sB0", c, str(cols), squares="null"))

        f.each(0, wide, self.wide * self.lanes, lambda j: block(
            j, f"tile_1x{self.wide}", self.wide * self.lanes))  # fmt: skip
        f.each(wide, whole, width, lambda j: block(j, "rows_2", width))
        rest = f.binary("sub", "%n", whole)
        f.leave_if(f.op(f"icmp eq i64 {rest}, 0"))
        if self.masks:
            thin = f.op(f"icmp sle i64 {rest}, {self.lanes}")
            f.leave_if(thin, lambda: block(whole, "rows_1", rest))
            block(whole, "rows_2", rest)
            f.do("ret void")
            return f.text()
        b, c = f.at(self.kind, "%B", whole), f.at(self.kind, "%C", f.binary("mul", whole, "%sC1"))
        none = self._cells("null", "0")
        f.do(self._call("packed", {"n": rest, "B": b, "C": c}, more=none))
        f.do("ret void")
        return f.text()

    def _packed(self) -> str:
        """The blocked product: any strides, any shape.

        Where there is no memory, blocks are one panel wide and one deep.
        """
        f = Function(self._head("packed", self._cells()))
        wanted = self._wanted(f) if self.squares else ""
        in_place = f.op("icmp eq i64 %sA1, 1")
        most = f.binary("and", f.binary("add", "%n", self.lanes - 1), -self.lanes)
        most, depth = f.smin(most, _NC), f.smin("%k", DEPTH)
        size_a = f.op(f"select i1 {in_place}, i64 0, i64 {f.binary('mul', depth, _MC)}")
        own = self._elements(f, size_a), self._elements(f, f.binary("mul", depth, most))
        lacking = f.op("or i1 " + ", ".join(f.op(f"icmp eq ptr {block}, null") for block in own))
        spare = [f.op(f"alloca [{n} x {self.kind}], align 64") for n in (_MC, 2 * self.lanes)]
        to_a, to_b = (
            f.op(f"select i1 {lacking}, ptr {little}, ptr {block}")
            for little, block in zip(spare, own, strict=True)
        )
        most = f.op(f"select i1 {lacking}, i64 {2 * self.lanes}, i64 {most}")
        depth = f.op(f"select i1 {lacking}, i64 1, i64 {DEPTH}")

        def column_block(j0: str) -> None:
            cols = f.smin(f.binary("sub", "%n", j0), most)

            def depth_block(p0: str) -> None:
                deep = f.smin(f.binary("sub", "%k", p0), depth)
                first = f.op(f"icmp eq i64 {p0}, 0")
                beta = f.op(f"select i1 {first}, {self.kind} %beta, {self.kind} 1.0")
                squares = f.both(first, wanted) if self.squares else ""
                block = _Block((j0, p0), cols, deep, beta, squares, (in_place, to_a, to_b))
                self._row_block(f, block, "0")
                f.each(_MC, "%m", _MC, lambda i0: self._row_block(f, block, i0))

            f.each(0, "%k", depth, depth_block)

        f.each(0, "%n", most, column_block)
        for block in own:
            f.do(f"call void @th_free(ptr {block})")
        f.do("ret void")
        return f.text()

    def _row_block(self, f: Function, block: _Block, i0: str) -> None:
        """Multiply up to `_MC` rows of A with all panels of B; the first rows pack them."""
        (j0, p0), (in_place, to_a, to_b) = block.at, block.places
        cols, deep = block.cols, block.deep
        rows = f.smin(f.binary("sub", "%m", i0), _MC)
        start = f.binary("add", f.binary("mul", i0, "%sA0"), f.binary("mul", p0, "%sA1"))
        a = f.at(self.kind, "%A", start)
        f.when(in_place, lambda: None, lambda: f.do(
            f"call void @pack(ptr {to_a}, ptr {a}, i64 %sA1, i64 %sA0, i64 {deep}, i64 {rows}, "
            f"i64 {rows})"))  # fmt: skip
        use = f.op(f"select i1 {in_place}, ptr {a}, ptr {to_a}")
        a0 = f.op(f"select i1 {in_place}, i64 %sA0, i64 1")
        a1 = f.op(f"select i1 {in_place}, i64 1, i64 {rows}")
        line = f.binary("mul", i0, "%sC0")
        first = i0 == "0"
        # What only these rows are multiplied with stays in the first cache.
        once = f.op(f"icmp sle i64 %m, {_MC}")

        def panel(j: str) -> None:
            here, width = self._panel_size(f, cols, j)
            cell = ""
            if self.squares:
                number = f.binary("udiv", i0, _MC)
                cell = self._cell(f, block.squares, number, f.binary("add", j0, j))
            place = f.op(f"select i1 {once}, i64 0, i64 {f.binary('mul', j, deep)}")
            packed = f.at(self.kind, to_b, place)
            ahead = None
            if first:
                ahead = self._pack_panel(f, block, j, packed, (here, width))
            column = f.binary("mul", f.binary("add", j0, j), "%sC1")
            c = f.at(self.kind, "%C", f.binary("add", line, column))
            f.do(self._tile_call(
                "panel", use, packed, width, c, here, rows=rows, deep=deep, strides=(a0, a1),
                beta=block.beta, ahead=ahead, squares=cell))  # fmt: skip

        f.each(0, cols, 2 * self.lanes, panel)

    def _pack_panel(
        self, f: Function, block: _Block, j: str, packed: str, size: tuple[str, str]
    ) -> tuple[str, str]:
        """Pack a panel of at most two vectors; return where the next one is and its stride."""
        (j0, p0), (here, width) = block.at, size

        def place(row: str, column: str) -> str:
            start = f.binary("add", f.binary("mul", row, "%sB0"), f.binary("mul", column, "%sB1"))
            return f.at(self.kind, "%B", start)

        f.do(
            f"call void @pack(ptr {packed}, ptr {place(p0, f.binary('add', j0, j))}, i64 %sB0, "
            f"i64 %sB1, i64 {block.deep}, i64 {here}, i64 {width})"
        )
        following = f.binary("add", j, 2 * self.lanes)
        last = f.op(f"icmp sge i64 {following}, {block.cols}")
        row = f.op(f"select i1 {last}, i64 {f.binary('add', p0, DEPTH)}, i64 {p0}")
        column = f.op(f"select i1 {last}, i64 0, i64 {following}")
        return place(row, f.binary("add", j0, column)), "%sB0"

    def _panel_size(self, f: Function, cols: str, j: str) -> tuple[str, str]:
        """Return (columns of C, packed width) of the panel that starts at column ``j``."""
        here = f.smin(f.binary("sub", cols, j), 2 * self.lanes)
        narrow = f.op(f"icmp sle i64 {here}, {self.lanes}")
        return here, f.op(f"select i1 {narrow}, i64 {self.lanes}, i64 {2 * self.lanes}")

    def _dots_driver(self) -> str:
        """Few columns, rows of A contiguous: dot products with the columns of B made rows."""
        f = Function(self._head("dots"))
        in_place = f.both(f.op("icmp eq i64 %sB0, 1"), f.op("icmp sge i64 %sB1, 0"))
        size = f.op(f"select i1 {in_place}, i64 0, i64 {f.binary('mul', '%k', '%n')}")
        copy = self._elements(f, size)
        packed = self._call("packed", more=self._cells("null", "0"))
        f.leave_if(f.op(f"icmp eq ptr {copy}, null"), lambda: f.do(packed))
        f.when(in_place, lambda: None, lambda: f.do(
            f"call void @pack(ptr {copy}, ptr %B, i64 %sB1, i64 %sB0, i64 %n, i64 %k, i64 %k)"
        ))  # fmt: skip
        x = f.op(f"select i1 {in_place}, ptr %B, ptr {copy}")
        stride = f.op(f"select i1 {in_place}, i64 %sB1, i64 %k")

        def run(j: str, cols: int) -> None:
            other = f.at(self.kind, x, f.binary("mul", j, stride))
            c = f.at(self.kind, "%C", f.binary("mul", j, "%sC1"))
            f.do(
                f"call void @dots_{cols}(i64 %m, i64 %k, ptr %A, i64 %sA0, ptr {other}, "
                f"i64 {stride}, {self.kind} %alpha, {self.kind} %beta, ptr {c}, i64 %sC0, "
                "i64 %sC1)"
            )

        at = "0"
        for cols in self.dot_columns:
            count = f.binary("sdiv", f.binary("sub", "%n", at), cols)
            stop = f.binary("add", at, f.binary("mul", count, cols))
            f.each(at, stop, cols, lambda j, cols=cols: run(j, cols))  # type: ignore[misc]
            at = stop
        f.do(f"call void @th_free(ptr {copy})")
        f.do("ret void")
        return f.text()

    # ------------------------------------------------------------------ threads

    def _context_type(self) -> str:
        kinds = ["i64"] * len(_FIELDS) + [self.kind] * 2 + ["ptr", "i64"] * self.squares
        return "{ " + ", ".join(kinds) + " }"

    def _field(self, f: Function, name: str) -> str:
        index = (*_FIELDS, "alpha", "beta", "squares", "cells").index(name)
        return f.op(f"getelementptr {self._context_type()}, ptr %ctx, i32 0, i32 {index}")

    def _fill_context(self, f: Function, chosen: Mapping[str, str]) -> None:
        """Write the context: ``chosen``, and the parameters."""
        f.do(f"%ctx = alloca {self._context_type()}")
        values = {name: f"%{name}" for name in _FIELDS} | dict(chosen)
        for name, value in values.items():
            kind = "ptr" if name in _POINTERS else "i64"
            f.do(f"store {kind} {value}, ptr {self._field(f, name)}")
        for name in ("alpha", "beta"):
            f.do(f"store {self.kind} %{name}, ptr {self._field(f, name)}")
        if self.squares:
            f.do(f"store ptr %squares, ptr {self._field(f, 'squares')}")
            f.do(f"store i64 %cells, ptr {self._field(f, 'cells')}")

    def _chunk(self) -> str:
        """Compute one block of rows or columns of a product described by ``ctx``."""
        f = Function("internal void @chunk(ptr %ctx, i64 %index)")
        value = {}
        for name in _FIELDS:
            kind = "ptr" if name in _POINTERS else "i64"
            value[name] = f.op(f"load {kind}, ptr {self._field(f, name)}")
        for name in ("alpha", "beta"):
            f.do(f"%{name} = load {self.kind}, ptr {self._field(f, name)}")
        at = f.binary("mul", "%index", value["step"])
        columns = f.op(f"icmp ne i64 {value['columns']}, 0")
        size = f.op(f"select i1 {columns}, i64 {value['n']}, i64 {value['m']}")
        here = f.smin(f.binary("sub", size, at), value["step"])
        i = f.op(f"select i1 {columns}, i64 0, i64 {at}")
        j = f.op(f"select i1 {columns}, i64 {at}, i64 0")
        value["m"] = f.op(f"select i1 {columns}, i64 {value['m']}, i64 {here}")
        value["n"] = f.op(f"select i1 {columns}, i64 {here}, i64 {value['n']}")
        value["A"] = f.at(self.kind, value["A"], f.binary("mul", i, value["sA0"]))
        value["B"] = f.at(self.kind, value["B"], f.binary("mul", j, value["sB1"]))
        c = f.binary("add", f.binary("mul", i, value["sC0"]), f.binary("mul", j, value["sC1"]))
        value["C"] = f.at(self.kind, value["C"], c)
        changes = {name: value[name] for name in _FIELDS[:12]}
        if self.squares:
            cells = f.op(f"load i64, ptr {self._field(f, 'cells')}")
            base = f.op(f"load ptr, ptr {self._field(f, 'squares')}")
            row = f.binary("mul", f.binary("udiv", i, _MC), cells)
            column = f.binary("udiv", j, 2 * self.lanes)
            own = f.at(self.sums, base, f.binary("add", row, column))
            more = self._cells(own, cells)
            f.leave_if(f.op(f"icmp ne ptr {base}, null"),
                       lambda: f.do(self._call("packed", changes, more=more)))  # fmt: skip
        f.do(self._call("serial", changes))
        f.do("ret void")
        return f.text()

    def _by_columns(self, f: Function) -> str:
        """Whether threads share columns of C, else rows.

        A shallow product mostly moves C. What it updates, often weights, is the second operand of
        another product, split by columns: the same thread then has the same part in its caches.
        """
        wide = f.op("icmp sge i64 %n, %m")
        shallow = f.op(f"icmp sle i64 %k, {_SHALLOW}")
        near = f.both(shallow, f.op(f"icmp sge i64 {f.binary('shl', '%n', 1)}, %m"))
        return f.both(f.op(f"or i1 {wide}, {near}"), f.op(f"icmp sgt i64 %n, {4 * self.lanes}"))

    def _split(self, f: Function, work: str, workers: str) -> tuple[str, str, str]:
        """Whether to split columns (else rows), how many there are, how many a chunk takes."""
        threads = f.binary("add", workers, 1)
        most = f.binary("shl", threads, 1)
        wanted = f.smin(most, f.smax(f.binary("sdiv", work, _PARALLEL_WORK // 2), 1))
        columns = self._by_columns(f)
        size = f.op(f"select i1 {columns}, i64 %n, i64 %m")
        rows: str | int = self.grain
        if self.squares:  # a block of rows has cells of its own
            rows = f.op(f"select i1 {self._wanted(f)}, i64 {_MC}, i64 {rows}")
        grain = f.op(f"select i1 {columns}, i64 {2 * self.lanes}, i64 {rows}")

        def rounds(count: str, each: str) -> str:
            return f.binary("sdiv", f.binary("add", count, f.binary("sub", each, 1)), each)

        def longest(pieces: str) -> str:
            chunks = rounds(grains, pieces)
            return f.binary("mul", rounds(chunks, threads), pieces)

        grains = rounds(size, grain)
        more, fewer = rounds(grains, wanted), f.smax(f.binary("sdiv", grains, wanted), 1)
        even = f.op(f"icmp sle i64 {longest(more)}, {longest(fewer)}")
        pieces = f.op(f"select i1 {even}, i64 {more}, i64 {fewer}")
        return columns, size, f.binary("mul", pieces, grain)

    def _entry(self) -> str:
        head = self._head("product" if self.squares else self.exports[0], self._cells())
        f = Function(head if self.squares else head.replace("internal ", ""))
        empty = f.op("icmp slt i64 %m, 1")
        f.leave_if(f.op(f"or i1 {empty}, {f.op('icmp slt i64 %n, 1')}"))
        scale = f"call void @scale(i64 %m, i64 %n, {self.kind} %beta, ptr %C, i64 %sC0, i64 %sC1)"
        f.leave_if(f.op("icmp slt i64 %k, 1"), lambda: f.do(scale))
        if not self.squares:
            f.leave_if(self._is_deep(f), lambda: f.do(self._call("deep")))
        work = f.binary("mul", f.binary("mul", "%m", "%n"), "%k")
        slot = f.at("i64", "@th_pool", WORKERS_SLOT)
        workers = f.op(f"load atomic i64, ptr {slot} monotonic, align 8")
        small = f.op(f"icmp slt i64 {work}, {_PARALLEL_WORK}")
        alone = f.op(f"or i1 {small}, {f.op(f'icmp slt i64 {workers}, 1')}")
        if self.blas is not None and not self.blas.set_num_threads:
            # A library whose threads cannot be switched off splits its own products.
            wide = f.both(
                f.op(f"icmp sgt i64 %m, {SWAP_COLUMNS}"), f.op(f"icmp sgt i64 %n, {SWAP_COLUMNS}")
            )
            alone = f.op(f"or i1 {alone}, {wide}")
        enter, leave = "", ""
        if self.blas is not None and self.blas.set_num_threads and self.blas.get_num_threads:
            enter, leave = (f"call void @blas_{word}(i64 {work})" for word in ("enter", "leave"))

        def run(call: str) -> None:
            for line in (enter, call, leave):
                if line:
                    f.do(line)

        if self.squares:
            own = f.both(alone, self._wanted(f))
            f.leave_if(own, lambda: f.do(self._call("packed", more=self._cells())))
        f.leave_if(alone, lambda: run(self._call("serial")))
        columns, size, step = self._split(f, work, workers)
        self._fill_context(f, {"step": step, "columns": f.op(f"zext i1 {columns} to i64")})
        chunks = f.binary("sdiv", f.binary("add", size, f.binary("sub", step, 1)), step)
        run(f"call void @th_parallel(ptr @th_pool, ptr @chunk, ptr %ctx, i64 {chunks})")
        f.do("ret void")
        return f.text()
