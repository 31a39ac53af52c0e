"""Matrix products at each position of two batch axes: arrays (C, A, B) of rank 4.

``batched_gemm`` is ``C = alpha A B + beta C`` on float32 and float64, by ``th_sgemm`` and
``th_dgemm``; ``product`` is ``C = A B`` on dtypes that BLAS has not. Batch axes of A and B may have
stride 0: no operand is ever copied to be repeated or transposed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.irtext import Function
from theano.runtime.routines.base import ITEMSIZE, KINDS, Routine, Text, Writer
from theano.runtime.threads_text import WORKERS_SLOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from theano.runtime.support import Target

# Batches of less work than this in all stay on the calling thread.
_PARALLEL_WORK: Final = 150_000
# Products of at least this many multiply-adds are split by gemm itself if the batch is short.
_LARGE: Final = 2_000_000
# Up to this many multiply-adds, plain loops are quicker than a call of gemm.
_TINY: Final = 128

# ``product``: rows of C in one unit of work, and rows of B that are packed at once.
_ROWS: Final = 64
_DEPTH: Final = 128


def _batched_gemm(c: Any, a: Any, b: Any, alpha: Any, beta: Any) -> None:
    product = np.matmul(a, b)
    factor, kept = c.dtype.type(alpha), c.dtype.type(beta)
    c[...] = factor * product if beta == 0 else factor * product + kept * c


def _product(c: Any, a: Any, b: Any) -> None:
    c[...] = np.matmul(a, b)


class _Part(Writer):
    """An internal function of a routine's module; its argument ``%words`` is that of the call."""

    def __init__(self, head: str, routine: Routine) -> None:
        Function.__init__(self, head)
        self.routine = routine

    def quotient(self, a: str, b: str | int) -> str:
        """``a / b`` rounded up, of numbers that are not negative."""
        if isinstance(b, int):
            return self.binary("sdiv", self.binary("add", a, b - 1), b)
        return self.binary("sdiv", self.binary("add", a, self.binary("sub", b, 1)), b)

    def batch(self, index: str) -> list[str]:
        """The addresses of C, A and B at position ``index`` of the batch."""
        inner = self.dim(0, 1)
        first, second = self.binary("sdiv", index, inner), self.binary("srem", index, inner)
        return [
            self.place(self.pointer(a), (first, self.stride(a, 0)), (second, self.stride(a, 1)))
            for a in range(3)
        ]


# products by gemm -----------------------------------------------------------------------------


def _gemm_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    """One call of gemm per position; many small ones are shared among the threads."""
    (dtype,) = dtypes
    row = next(r for r in ROUTINES if r.name == "batched_gemm")
    letter, kind = {"float32": ("s", "float"), "float64": ("d", "double")}[dtype]
    sizes = f"i64, i64, i64, {kind}, ptr, i64, i64, ptr, i64, i64, {kind}, ptr, i64, i64"
    parts = [
        f"declare void @th_{letter}gemm({sizes})",
        "declare void @th_parallel(ptr, ptr, ptr, i64)",
        "@th_pool = external global [64 x i64]",
        _tiny(row, kind),
        _one(row, letter, kind),
        _some(row),
        _all(row, symbol),
    ]
    return Text("\n".join(parts), (f"th_{letter}gemm", "th_parallel", "th_pool"))


def _factors(f: _Part, kind: str) -> tuple[str, str]:
    """alpha and beta as numbers of ``kind``."""
    given = [f.number(i) for i in range(2)]
    if kind == "float":
        given = [f.op(f"fptrunc double {v} to float") for v in given]
    return given[0], given[1]


def _tiny(row: Routine, kind: str) -> str:
    """A product of matrices so small that a call costs more than the loops."""
    f = _Part("internal void @tiny(ptr %words, ptr %c, ptr %a, ptr %b)", row)
    m, n, k = f.dim(0, 2), f.dim(0, 3), f.dim(1, 3)
    strides = [(f.stride(a, 2), f.stride(a, 3)) for a in range(3)]
    alpha, beta = _factors(f, kind)
    fresh = f.op(f"fcmp oeq {kind} {beta}, 0.0")

    def element(i: str, j: str) -> None:
        left = f.place("%a", (i, strides[1][0]))
        right = f.place("%b", (j, strides[2][1]))

        def step(p: str, total: list[str]) -> list[str]:
            x = f.op(f"load {kind}, ptr {f.place(left, (p, strides[1][1]))}, align 1")
            y = f.op(f"load {kind}, ptr {f.place(right, (p, strides[2][0]))}, align 1")
            product = f.op(f"fmul contract {kind} {x}, {y}")
            return [f.op(f"fadd contract {kind} {total[0]}, {product}")]

        (total,) = f.loop(0, k, 1, [(kind, "0.0")], step)
        value = f.op(f"fmul {kind} {total}, {alpha}")
        place = f.place("%c", (i, strides[0][0]), (j, strides[0][1]))

        def update() -> None:
            old = f.op(f"load {kind}, ptr {place}, align 1")
            kept = f.op(f"fmul {kind} {old}, {beta}")
            f.do(f"store {kind} {f.op(f'fadd {kind} {kept}, {value}')}, ptr {place}, align 1")

        f.when(fresh, lambda: f.do(f"store {kind} {value}, ptr {place}, align 1"), update)

    f.each(0, m, 1, lambda i: f.each(0, n, 1, lambda j: element(i, j)))
    f.do("ret void")
    return f.text()


def _one(row: Routine, letter: str, kind: str) -> str:
    """The product at one position of the batch."""
    f = _Part("internal void @one(ptr %words, i64 %index)", row)
    c, a, b = f.batch("%index")
    m, n, k = f.dim(0, 2), f.dim(0, 3), f.dim(1, 3)
    work = f.binary("mul", f.binary("mul", m, n), k)
    tiny = f.op(f"icmp sle i64 {work}, {_TINY}")
    f.leave_if(tiny, lambda: f.do(f"call void @tiny(ptr %words, ptr {c}, ptr {a}, ptr {b})"))
    alpha, beta = _factors(f, kind)
    size = 4 if kind == "float" else 8
    places = []
    for array, pointer in ((1, a), (2, b), (0, c)):
        steps = [f.op(f"sdiv exact i64 {f.stride(array, axis)}, {size}") for axis in (2, 3)]
        places.append(f"ptr {pointer}, i64 {steps[0]}, i64 {steps[1]}")
    f.do(
        f"call void @th_{letter}gemm(i64 {m}, i64 {n}, i64 {k}, {kind} {alpha}, {places[0]}, "
        f"{places[1]}, {kind} {beta}, {places[2]})"
    )
    f.do("ret void")
    return f.text()


def _some(row: Routine) -> str:
    """A chunk of the batch; ``ctx``: the words of the call, how many a chunk has, how many all."""
    f = _Part("internal void @some(ptr %ctx, i64 %chunk)", row)
    words = f.op("load ptr, ptr %ctx, align 8")
    step, count = (f.op(f"load i64, ptr {f.at('i64', '%ctx', i)}, align 8") for i in (1, 2))
    start = f.binary("mul", "%chunk", step)
    stop = f.smin(f.binary("add", start, step), count)
    f.each(start, stop, 1, lambda i: f.do(f"call void @one(ptr {words}, i64 {i})"))
    f.do("ret void")
    return f.text()


def _all(row: Routine, symbol: str) -> str:
    """The whole batch, by one thread or by all."""
    f = _Part(f"i64 @{symbol}(ptr %words)", row)
    count = f.binary("mul", f.dim(0, 0), f.dim(0, 1))
    each = f.binary("mul", f.binary("mul", f.dim(0, 2), f.dim(0, 3)), f.dim(1, 3))
    work = f.binary("mul", count, each)
    slot = f.at("i64", "@th_pool", WORKERS_SLOT)
    workers = f.op(f"load atomic i64, ptr {slot} monotonic, align 8")
    threads = f.binary("add", workers, 1)
    many = f.op(f"icmp sge i64 {count}, {f.binary('mul', threads, 2)}")
    small = f.op(f"icmp slt i64 {each}, {_LARGE}")
    shared = f.both(
        f.op(f"or i1 {many}, {small}"),
        f.op(f"icmp sge i64 {work}, {_PARALLEL_WORK}"),
        f.op(f"icmp sgt i64 {workers}, 0"),
        f.op(f"icmp sgt i64 {count}, 1"),
    )
    # Four chunks per thread, each worth waking one up for.
    most = f.binary("mul", threads, 4)
    wanted = f.smin(most, f.smax(f.binary("sdiv", work, _PARALLEL_WORK // 2), 1))
    split = f.quotient(count, wanted)
    step = f.op(f"select i1 {shared}, i64 {split}, i64 {count}")
    ctx = f.op("alloca [3 x i64], align 8")
    f.do(f"store ptr %words, ptr {ctx}, align 8")
    for i, value in ((1, step), (2, count)):
        f.do(f"store i64 {value}, ptr {f.at('i64', ctx, i)}, align 8")

    def together() -> None:
        chunks = f.quotient(count, step)
        f.do(f"call void @th_parallel(ptr @th_pool, ptr @some, ptr {ctx}, i64 {chunks})")

    f.when(shared, together, lambda: f.do(f"call void @some(ptr {ctx}, i64 0)"))
    return f.finish()


# products of what BLAS has not ----------------------------------------------------------------


class _ProductText:
    """``product`` for one dtype: float16 in float32, bool with and/or, integers as they are.

    A unit of work is up to 64 rows and one vector of columns of C: B is packed by blocks of rows,
    each row of A is multiplied with it, the sums wait in a tile.
    """

    def __init__(self, symbol: str, dtype: str, target: Target) -> None:
        self.symbol = symbol
        self.dtype = dtype
        self.row = next(r for r in ROUTINES if r.name == "product")
        self.kind = KINDS[dtype]
        half = dtype == "float16"
        self.acc = "float" if half else self.kind
        self.size = 4 if half else ITEMSIZE[dtype]
        self.width = 16 if self.size == 8 else 32
        self.vector = f"<{self.width} x {self.acc}>"
        self.together = 4 if target.vector_registers >= 32 else 2
        self.multiply, self.add = {"bool": ("and", "or"), "float16": ("fmul", "fadd")}.get(
            dtype, ("mul", "add")
        )

    def text(self) -> Text:
        """The module."""
        parts = [
            "declare void @th_parallel(ptr, ptr, ptr, i64)",
            "@th_pool = external global [64 x i64]",
            "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)",
            *(self._rows(count) for count in {1, self.together}),
            self._unit(),
            self._entry(),
        ]
        return Text("\n".join(parts), ("th_parallel", "th_pool"))

    def _load(self, f: Function, address: str) -> str:
        value = f.op(f"load {self.kind}, ptr {address}, align 1")
        return f.op(f"fpext half {value} to float") if self.dtype == "float16" else value

    def _store(self, f: Function, value: str, address: str) -> None:
        if self.dtype == "float16":
            value = f.op(f"fptrunc float {value} to half")
        f.do(f"store {self.kind} {value}, ptr {address}, align 1")

    def _rows(self, count: int) -> str:
        """Add ``count`` rows of A times the packed rows of B to rows of the tile."""
        f = Function(
            f"internal void @rows_{count}(i64 %deep, ptr %a, i64 %sA0, i64 %sA1, ptr %panel, "
            "ptr %tile)"
        )
        lines = [f.at("i8", "%a", f.binary("mul", "%sA0", r)) for r in range(count)]
        places = [f.at(self.vector, "%tile", r) for r in range(count)]
        start = [(self.vector, f.op(f"load {self.vector}, ptr {p}, align 8")) for p in places]

        def step(p: str, sums: list[str]) -> list[str]:
            b = f.op(f"load {self.vector}, ptr {f.at(self.vector, '%panel', p)}, align 8")
            offset = f.binary("mul", p, "%sA1")
            following = []
            for line, total in zip(lines, sums, strict=True):
                a = self._load(f, f.at("i8", line, offset))
                one = f.op(f"insertelement {self.vector} poison, {self.acc} {a}, i64 0")
                spread = f.op(
                    f"shufflevector {self.vector} {one}, {self.vector} poison, "
                    f"<{self.width} x i32> zeroinitializer"
                )
                product = f.op(f"{self.multiply} {self.vector} {spread}, {b}")
                following.append(f.op(f"{self.add} {self.vector} {total}, {product}"))
            return following

        for place, total in zip(places, f.loop(0, "%deep", 1, start, step), strict=True):
            f.do(f"store {self.vector} {total}, ptr {place}, align 8")
        f.do("ret void")
        return f.text()

    def _sides(self, f: _Part) -> dict[str, str]:
        """Extents and strides, of the transposed product where that has the longer rows."""
        rows, columns = f.dim(0, 2), f.dim(0, 3)
        turned = f.both(
            f.op(f"icmp slt i64 {columns}, {rows}"), f.op(f"icmp slt i64 {columns}, {self.width}")
        )

        def either(plain: str, other: str) -> str:
            return f.op(f"select i1 {turned}, i64 {other}, i64 {plain}")

        return {
            "turned": turned, "m": either(rows, columns), "n": either(columns, rows),
            "sC0": either(f.stride(0, 2), f.stride(0, 3)),
            "sC1": either(f.stride(0, 3), f.stride(0, 2)),
            "sA0": either(f.stride(1, 2), f.stride(2, 3)),
            "sA1": either(f.stride(1, 3), f.stride(2, 2)),
            "sB0": either(f.stride(2, 2), f.stride(1, 3)),
            "sB1": either(f.stride(2, 3), f.stride(1, 2)),
        }  # fmt: skip

    def _unit(self) -> str:
        f = _Part("internal void @unit(ptr %words, i64 %index)", self.row)
        s = self._sides(f)
        tall, wide = f.quotient(s["m"], _ROWS), f.quotient(s["n"], self.width)
        j0 = f.binary("mul", f.binary("srem", "%index", wide), self.width)
        rest = f.binary("sdiv", "%index", wide)
        i0 = f.binary("mul", f.binary("srem", rest, tall), _ROWS)
        c, first, second = f.batch(f.binary("sdiv", rest, tall))
        a = f.op(f"select i1 {s['turned']}, ptr {second}, ptr {first}")
        b = f.op(f"select i1 {s['turned']}, ptr {first}, ptr {second}")
        count = f.smin(f.binary("sub", s["m"], i0), _ROWS)
        cols = f.smin(f.binary("sub", s["n"], j0), self.width)
        a = f.place(a, (i0, s["sA0"]))
        b = f.place(b, (j0, s["sB1"]))
        c = f.place(c, (i0, s["sC0"]), (j0, s["sC1"]))
        line = self.width * self.size
        tile = f.op(f"alloca [{(_ROWS + _DEPTH) * line} x i8], align 64")
        panel = f.at(self.vector, tile, _ROWS)
        size = f.binary("mul", count, line)
        f.do(f"call void @llvm.memset.p0.i64(ptr {tile}, i8 0, i64 {size}, i1 false)")
        self._blocks(f, s, (count, cols), (a, b), (tile, panel))

        def write(i: str, j: str) -> None:
            at = f.at(self.acc, tile, f.binary("add", f.binary("mul", i, self.width), j))
            value = f.op(f"load {self.acc}, ptr {at}, align 1")
            self._store(f, value, f.place(c, (i, s["sC0"]), (j, s["sC1"])))

        f.each(0, count, 1, lambda i: f.each(0, cols, 1, lambda j: write(i, j)))
        f.do("ret void")
        return f.text()

    def _blocks(
        self, f: _Part, s: Mapping[str, str], counts: tuple[str, str], factors: tuple[str, str],
        blocks: tuple[str, str],
    ) -> None:  # fmt: skip
        """Pack block after block of rows of B, and multiply all rows with it."""
        (count, cols), (a, b), (tile, panel) = counts, factors, blocks
        k = f.dim(1, 3)
        whole = f.binary("mul", f.binary("sdiv", count, self.together), self.together)

        def pack(p: str, source: str) -> None:
            line = f.at(self.vector, panel, p)

            def element(j: str) -> None:
                value = self._load(f, f.place(source, (j, s["sB1"])))
                f.do(f"store {self.acc} {value}, ptr {f.at(self.acc, line, j)}, align 1")

            f.each(0, cols, 1, element)

        def block(p0: str) -> None:
            deep = f.smin(f.binary("sub", k, p0), _DEPTH)
            below = f.place(b, (p0, s["sB0"]))
            f.each(0, deep, 1, lambda p: pack(p, f.place(below, (p, s["sB0"]))))
            across = f.place(a, (p0, s["sA1"]))

            def rows(i: str, number: int) -> None:
                here, sums = f.place(across, (i, s["sA0"])), f.at(self.vector, tile, i)
                f.do(
                    f"call void @rows_{number}(i64 {deep}, ptr {here}, i64 {s['sA0']}, "
                    f"i64 {s['sA1']}, ptr {panel}, ptr {sums})"
                )

            f.each(0, whole, self.together, lambda i: rows(i, self.together))
            f.each(whole, count, 1, lambda i: rows(i, 1))

        f.each(0, k, _DEPTH, block)

    def _entry(self) -> str:
        f = _Part(f"i64 @{self.symbol}(ptr %words)", self.row)
        s = self._sides(f)
        batch = f.binary("mul", f.dim(0, 0), f.dim(0, 1))
        tiles = f.binary("mul", f.quotient(s["m"], _ROWS), f.quotient(s["n"], self.width))
        units = f.binary("mul", batch, tiles)
        work = f.binary("mul", f.binary("mul", s["m"], s["n"]), f.dim(1, 3))
        work = f.binary("mul", work, batch)
        large = f.op(f"icmp sge i64 {work}, {_PARALLEL_WORK}")

        def together() -> None:
            f.do(f"call void @th_parallel(ptr @th_pool, ptr @unit, ptr %words, i64 {units})")

        def alone() -> None:
            f.each(0, units, 1, lambda i: f.do(f"call void @unit(ptr %words, i64 {i})"))

        f.when(large, together, alone)
        return f.finish()


def _product_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    return _ProductText(symbol, dtypes[0], target).text()


ROUTINES: Final = (
    Routine(
        "batched_gemm", (4, 4, 4), 1, _batched_gemm, _gemm_text, numbers=("float64", "float64")
    ),
    Routine("product", (4, 4, 4), 1, _product, _product_text, weight=16),
)
