"""Triangular solves, Cholesky and LU factors in blocks. The bulk is matrix products of our own:
faster than those of a library that does not know the processor, and spread over the pool.

``@blocked(T, t0, t1, B, b0, b1, n, k, rows, lower, unit, growing)`` solves T X = B in place, where
T is n x n, B is n x k, strides count elements, and one stride of each is 1 (``rows``: b1). Block by
block, what is known of X is subtracted (a product), then LAPACK's trsm solves with the block on the
diagonal. ``growing`` says that B is the identity: X is lower triangular, and only that part is
computed.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.routines.lapack_text import MatrixWriter

# Rows of a block; smaller and narrower systems are one block.
_BLOCK: Final = 24
_WHOLE: Final = 96
_NARROW: Final = 8
_TINY: Final = 8  # rows and columns up to which plain loops are fastest
HELPERS: Final = {"float32": "th_sgemm", "float64": "th_dgemm"}


class _Block(MatrixWriter):
    """Writes ``@blocked``."""

    def __init__(self, owner: MatrixWriter) -> None:
        head = (
            "internal void @blocked(ptr %T, i64 %t0, i64 %t1, ptr %B, i64 %b0, i64 %b1, i64 %n, "
            "i64 %k, i1 %rows, i1 %lower, i1 %unit, i1 %growing)"
        )
        self.begin(head, owner.routine, owner.dtype)
        self.used, self.declarations = owner.used, owner.declarations

    def write(self) -> str:
        """The definition."""
        few = self.both(self.op(f"icmp sle i64 %n, {_TINY}"), self.op(f"icmp sle i64 %k, {_TINY}"))
        self.leave_if(few, self._directly)
        small = self.op(f"icmp sle i64 %n, {_WHOLE}")
        few = self.op(f"icmp sle i64 %k, {_NARROW}")
        whole = self.op(f"or i1 {small}, {few}")
        step = self.op(f"select i1 {whole}, i64 %n, i64 {_BLOCK}")
        count = self.binary("sdiv", self.binary("sub", self.binary("add", "%n", step), 1), step)
        arguments = self._arguments()
        last = self.binary("sub", count, 1)

        def block(c: str) -> None:
            place = self.op(f"select i1 %lower, i64 {c}, i64 {self.binary('sub', last, c)}")
            i = self.binary("mul", place, step)
            size = self.smin(step, self.binary("sub", "%n", i))
            end = self.binary("add", i, size)
            width = self.op(f"select i1 %growing, i64 {end}, i64 %k")
            known = self.op(f"select i1 %lower, i64 {i}, i64 {self.binary('sub', '%n', end)}")
            start = self.op(f"select i1 %lower, i64 0, i64 {end}")
            self._subtract(i, size, (start, known, width))
            self._solve(i, size, width, arguments)

        self.each(0, count, 1, block)
        self.do("ret void")
        return self.text()

    def _directly(self) -> None:
        """Row by row: X[i] = (B[i] - T[i, known] X[known]) / T[i, i]."""
        last = self.binary("sub", "%n", 1)
        kind = self.kind

        def element(i: str, bounds: tuple[str, str], inverse: str, c: str) -> None:
            place = self._at("%B", i, "%b0", c, "%b1")

            def subtract(j: str, total: list[str]) -> list[str]:
                t = self.element(self._at("%T", i, "%t0", j, "%t1"))
                x = self.element(self._at("%B", j, "%b0", c, "%b1"))
                term = self.op(f"fmul {kind} {t}, {x}")
                return [self.op(f"fsub {kind} {total[0]}, {term}")]

            rest = self.loop(*bounds, 1, [(kind, self.element(place))], subtract)[0]
            value = self.op(f"fdiv {kind} {rest}, {inverse}")
            self.do(f"store {kind} {value}, ptr {place}, align 1")

        def row(position: str) -> None:
            i = self.op(
                f"select i1 %lower, i64 {position}, i64 {self.binary('sub', last, position)}"
            )
            after = self.binary("add", i, 1)
            bounds = (
                self.op(f"select i1 %lower, i64 0, i64 {after}"),
                self.op(f"select i1 %lower, i64 {i}, i64 %n"),
            )
            diagonal = self.element(self._at("%T", i, "%t0", i, "%t1"))
            divisor = self.op(f"select i1 %unit, {kind} 1.0, {kind} {diagonal}")
            self.each(0, "%k", 1, lambda c: element(i, bounds, divisor, c))

        self.each(0, "%n", 1, row)

    def _at(self, base: str, i: str, s0: str, j: str, s1: str) -> str:
        offset = self.binary("add", self.binary("mul", i, s0), self.binary("mul", j, s1))
        return self.at(self.kind, base, offset)

    def _subtract(self, i: str, size: str, known: tuple[str, str, str]) -> None:
        """B[i:] -= T[i:, known] X[known]; of a B in Fortran order, the transposed product."""
        start, count, width = known
        t = self._at("%T", i, "%t0", start, "%t1")
        x = self._at("%B", start, "%b0", "0", "%b1")
        c = self._at("%B", i, "%b0", "0", "%b1")
        minus, one = f"{self.kind} -1.0", f"{self.kind} 1.0"
        name = f"@th_{self.letter}gemm"
        left = f"ptr {t}, i64 %t0, i64 %t1, ptr {x}, i64 %b0, i64 %b1"
        right = f"ptr {x}, i64 %b1, i64 %b0, ptr {t}, i64 %t1, i64 %t0"
        plain = (
            f"call void {name}(i64 {size}, i64 {width}, i64 {count}, {minus}, {left}, {one}, "
            f"ptr {c}, i64 %b0, i64 %b1)"
        )
        turned = (
            f"call void {name}(i64 {width}, i64 {size}, i64 {count}, {minus}, {right}, {one}, "
            f"ptr {c}, i64 %b1, i64 %b0)"
        )
        some = self.op(f"icmp sgt i64 {count}, 0")
        self.when(some, lambda: self.when("%rows", lambda: self.do(plain), lambda: self.do(turned)))

    def _arguments(self) -> tuple[str, ...]:
        """What trsm needs that is the same for all blocks."""
        rows_b, rows_t = "%rows", self.op("icmp eq i64 %t1, 1")
        # Fortran sees a matrix in C order as its transpose.
        side = self.char("R", "L", rows_b)
        uplo = self.char("L", "U", self.op(f"xor i1 %lower, {rows_t}"))
        turned = self.char("T", "N", self.op(f"xor i1 {rows_b}, {rows_t}"))
        diagonal = self.char("U", "N", "%unit")
        lead_t = self.smax(self.op(f"select i1 {rows_t}, i64 %t0, i64 %t1"), 1)
        lead_b = self.smax(self.op(f"select i1 {rows_b}, i64 %b0, i64 %b1"), 1)
        fixed = (
            side,
            uplo,
            turned,
            diagonal,
            self.real(1.0),
            self.integer(lead_t),
            self.integer(lead_b),
        )
        return (*fixed, self.integer(0), self.integer(0), rows_b)

    def _solve(self, i: str, size: str, width: str, arguments: tuple[str, ...]) -> None:
        *letters, one, lead_t, lead_b, first, second, rows_b = arguments
        for box, yes, no in ((first, width, size), (second, size, width)):
            _store(self, box, self.op(f"select i1 {rows_b}, i64 {yes}, i64 {no}"))
        t = self._at("%T", i, "%t0", i, "%t1")
        b = self._at("%B", i, "%b0", "0", "%b1")
        self.call("trsm", *letters, first, second, one, t, lead_t, b, lead_b, info=False)


def solve(
    f: MatrixWriter, t: tuple[str, str, str], b: tuple[str, str, str], sizes: tuple[str, str],
    lower: str, unit: str, growing: str = "false", rows: str = "true",
) -> None:  # fmt: skip
    """Write a call of ``@blocked``; ``t`` and ``b`` are addresses and their strides, ``rows``
    says that rows of B are contiguous."""
    declare_gemm(f)
    if not any("@blocked(" in text for text in f.extra):
        f.extra.append(_Block(f).write())
    f.do(
        f"call void @blocked(ptr {t[0]}, i64 {t[1]}, i64 {t[2]}, ptr {b[0]}, i64 {b[1]}, "
        f"i64 {b[2]}, i64 {sizes[0]}, i64 {sizes[1]}, i1 {rows}, i1 {lower}, i1 {unit}, "
        f"i1 {growing})"
    )


# Rows of a block of the Cholesky factorisation; smaller matrices are one block.
_CHOLESKY_BLOCK: Final = 64
_CHOLESKY_WHOLE: Final = 128


def cholesky(f: MatrixWriter, a: str, lead: str, n: str, upper: str) -> str:
    """Write the factorisation of ``a`` (C order) in place; whether (i1) it failed.

    Block column after block column (block rows, if ``upper``): subtract the product of what is
    known, factorise the block on the diagonal, solve for what is beside it.
    """
    declare_gemm(f)
    whole = f.op(f"icmp sle i64 {n}, {_CHOLESKY_WHOLE}")
    step = f.op(f"select i1 {whole}, i64 {f.smax(n, 1)}, i64 {_CHOLESKY_BLOCK}")
    triangle, side = f.char("L", "U", upper), f.char("R", "L", upper)
    turned, diagonal, one = f.char("T"), f.char("N"), f.real(1.0)
    order, first, second, distance = (f.integer(0) for _ in range(4))
    _store(f, distance, lead)
    minus, plus = f"{f.kind} -1.0", f"{f.kind} 1.0"

    def at(i: str, j: str) -> str:
        return f.at(f.kind, a, f.binary("add", f.binary("mul", i, lead), j))

    def subtract(j: str, size: str, rest: str) -> None:
        """A[j:, j:end] -= A[j:, :j] A[j:end, :j]ᵀ, or the transpose of all that."""
        block = at(j, j)
        rows, beside = at(j, "0"), at("0", j)
        name = f"call void @th_{f.letter}gemm("
        f.when(
            upper,
            lambda: f.do(
                f"{name}i64 {size}, i64 {rest}, i64 {j}, {minus}, ptr {beside}, i64 1, i64 {lead}, "
                f"ptr {beside}, i64 {lead}, i64 1, {plus}, ptr {block}, i64 {lead}, i64 1)"
            ),
            lambda: f.do(
                f"{name}i64 {rest}, i64 {size}, i64 {j}, {minus}, ptr {rows}, i64 {lead}, i64 1, "
                f"ptr {rows}, i64 1, i64 {lead}, {plus}, ptr {block}, i64 {lead}, i64 1)"
            ),
        )

    def beside(j: str, end: str, size: str) -> None:
        rest = f.binary("sub", n, end)
        _store(f, first, f.op(f"select i1 {upper}, i64 {rest}, i64 {size}"))
        _store(f, second, f.op(f"select i1 {upper}, i64 {size}, i64 {rest}"))
        panel = f.op(f"select i1 {upper}, ptr {at(j, end)}, ptr {at(end, j)}")
        f.call(
            "trsm", side, triangle, turned, diagonal, first, second, one, at(j, j), distance,
            panel, distance, info=False,
        )  # fmt: skip

    def block(j: str, failed: list[str]) -> list[str]:
        size = f.smin(step, f.binary("sub", n, j))
        end = f.binary("add", j, size)
        f.when(f.op(f"icmp sgt i64 {j}, 0"), lambda: subtract(j, size, f.binary("sub", n, j)))
        _store(f, order, size)
        f.call("potrf", triangle, order, at(j, j), distance)
        bad = f.op(f"icmp ne i64 {f.info()}, 0")
        f.when(f.op(f"icmp slt i64 {end}, {n}"), lambda: beside(j, end, size))
        return [f.op(f"or i1 {failed[0]}, {bad}")]

    return f.loop("0", n, step, [("i1", "false")], block)[0]


def _store(f: MatrixWriter, box: str, value: str) -> None:
    """Put an i64 into an argument of the library."""
    if f.width != "i64":
        value = f.op(f"trunc i64 {value} to {f.width}")
    f.do(f"store {f.width} {value}, ptr {box}")


def declare_gemm(f: MatrixWriter) -> None:
    """Make our product known to the module."""
    if not f.helpers:
        kind, matrix = f.kind, "ptr, i64, i64"
        f.extra.append(
            f"declare void @th_{f.letter}gemm(i64, i64, i64, {kind}, {matrix}, {matrix}, {kind}, "
            f"{matrix})"
        )
        f.helpers.append(HELPERS[f.dtype])


# Columns of a block of the LU factorisation; smaller matrices are one block.
_LU_BLOCK: Final = 24
_LU_WHOLE: Final = 96


def factorise(f: MatrixWriter, a: str, lead: str, n: str, pivots: tuple[str, str]) -> None:
    """Write the LU factorisation of what Fortran sees in ``a``, in place.

    In C order: of block row after block row, with pivots in its columns. ``pivots``: address and
    stride in bytes of the int32 results, which count from 0.
    """
    declare_gemm(f)
    whole = f.op(f"icmp sle i64 {n}, {_LU_WHOLE}")
    step = f.op(f"select i1 {whole}, i64 {f.smax(n, 1)}, i64 {_LU_BLOCK}")
    given = f.scratch(step, 8)
    left, low, plain, unit = (f.char(letter) for letter in "LLNU")
    one, distance = f.real(1.0), f.integer(lead)
    height, width, rest = (f.integer(0) for _ in range(3))

    def at(i: str, j: str) -> str:
        return f.at(f.kind, a, f.binary("add", f.binary("mul", i, lead), j))

    def note(j: str, t: str) -> None:
        value = f.op(f"load {f.width}, ptr {f.at(f.width, given, t)}")
        if f.width != "i64":
            value = f.op(f"sext {f.width} {value} to i64")
        row = f.binary("add", f.binary("sub", value, 1), j)
        narrow = f.op(f"trunc i64 {row} to i32")
        to = f.place(pivots[0], (f.binary("add", j, t), pivots[1]))
        f.do(f"store i32 {narrow}, ptr {to}, align 4")

    def exchange(c: str, t: str) -> None:
        position = f.op(f"load i32, ptr {f.place(pivots[0], (t, pivots[1]))}, align 4")
        other = f.op(f"sext i32 {position} to i64")
        places = (at(c, t), at(c, other))
        values = [f.element(place) for place in places]
        for value, place in zip(values, reversed(places), strict=True):
            f.do(f"store {f.kind} {value}, ptr {place}, align 1")

    def update(j: str, end: str, size: str) -> None:
        count = f.binary("sub", n, end)
        _store(f, rest, count)
        f.call(
            "trsm", left, low, plain, unit, width, rest, one, at(j, j), distance, at(end, j),
            distance, info=False,
        )  # fmt: skip
        f.do(
            f"call void @th_{f.letter}gemm(i64 {count}, i64 {count}, i64 {size}, {f.kind} -1.0, "
            f"ptr {at(end, j)}, i64 {lead}, i64 1, ptr {at(j, end)}, i64 {lead}, i64 1, "
            f"{f.kind} 1.0, ptr {at(end, end)}, i64 {lead}, i64 1)"
        )

    def block(j: str) -> None:
        size = f.smin(step, f.binary("sub", n, j))
        end = f.binary("add", j, size)
        _store(f, height, f.binary("sub", n, j))
        _store(f, width, size)
        f.call("getrf", height, width, at(j, j), distance, given)
        f.each(0, size, 1, lambda t: note(j, t))
        for start, stop in (("0", j), (end, n)):
            f.each(start, stop, 1, lambda c: f.each(j, end, 1, lambda t: exchange(c, t)))
        f.when(f.op(f"icmp slt i64 {end}, {n}"), lambda: update(j, end, size))

    f.each(0, n, step, block)
