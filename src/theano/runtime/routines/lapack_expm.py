"""The matrix exponential by scaling and squaring, with a Padé approximant of degree 13.

N. J. Higham, "The scaling and squaring method for the matrix exponential revisited", SIAM J. Matrix
Anal. Appl. 26 (2005), algorithm 2.3 with m = 13 for all matrices.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any, Final

from theano.runtime.routines import lapack_blocks
from theano.runtime.routines.lapack import exchange_back
from theano.runtime.routines.lapack_text import MatrixWriter, matrix_routine

# The norm up to which degree 13 is exact to double precision.
_NORM: Final = 5.371920351148152
_DEGREE: Final = 13
_SQUARINGS: Final = 1100  # no finite norm needs more
#: coefficients of the approximant, the first one 1
_PADE: Final = tuple(
    math.factorial(2 * _DEGREE - k) * math.factorial(_DEGREE)
    / (math.factorial(2 * _DEGREE) * math.factorial(k) * math.factorial(_DEGREE - k))
    for k in range(_DEGREE + 1)
)  # fmt: skip


def _meaning(out: Any, x: Any) -> None:
    from scipy.linalg import expm

    if out.size:
        out[...] = expm(x)


class _Expm:
    """Writes the algorithm: all matrices are n x n in C order."""

    def __init__(self, f: MatrixWriter, n: str) -> None:
        self.f, self.n = f, n
        self.count = f.binary("mul", n, n)

    def matrix(self) -> str:
        """Room for one more."""
        return self.f.scratch(self.count, self.f.size)

    def product(self, a: str, b: str, out: str) -> str:
        """out = a b."""
        f, n = self.f, self.n
        rows = f"i64 {n}, i64 1"
        f.do(
            f"call void @th_{f.letter}gemm(i64 {n}, i64 {n}, i64 {n}, {f.kind} 1.0, ptr {a}, "
            f"{rows}, ptr {b}, {rows}, {f.kind} 0.0, ptr {out}, {rows})"
        )
        return out

    def combine(
        self, out: str, terms: Sequence[tuple[float, str]], identity: float = 0.0
    ) -> str:  # fmt: skip
        """out = sum of factors times matrices, and a multiple of the identity."""
        f = self.f

        def element(i: str) -> None:
            total = ""
            for factor, source in terms:
                value = f.op(f"load {f.kind}, ptr {f.at(f.kind, source, i)}")
                value = f.op(f"fmul {f.kind} {value}, {number(f, factor)}")
                total = f.op(f"fadd {f.kind} {total}, {value}") if total else value
            f.do(f"store {f.kind} {total}, ptr {f.at(f.kind, out, i)}")

        def diagonal(i: str) -> None:
            place = f.at(f.kind, out, f.binary("mul", i, f.binary("add", self.n, 1)))
            value = f.op(f"load {f.kind}, ptr {place}")
            value = f.op(f"fadd {f.kind} {value}, {number(f, identity)}")
            f.do(f"store {f.kind} {value}, ptr {place}")

        f.each(0, self.count, 1, element)
        if identity:
            f.each(0, self.n, 1, diagonal)
        return out

    def scaled(self, out: str) -> str:
        """out = the argument over a power of 2; the power."""
        f = self.f
        x, s0, s1 = f.matrix(1), f.stride(1, 1), f.stride(1, 2)
        absolute = f"@llvm.fabs.f{8 * f.size}"
        f.extra.append(f"declare {f.kind} {absolute}({f.kind})")

        def row(i: str, most: list[str]) -> list[str]:
            def element(j: str, total: list[str]) -> list[str]:
                value = f.element(f.place(x, (i, s0), (j, s1)))
                value = f.op(f"call {f.kind} {absolute}({f.kind} {value})")
                return [f.op(f"fadd {f.kind} {total[0]}, {value}")]

            total = f.loop(0, self.n, 1, [(f.kind, "0.0")], element)[0]
            larger = f.op(f"fcmp ogt {f.kind} {total}, {most[0]}")
            return [f.op(f"select i1 {larger}, {f.kind} {total}, {f.kind} {most[0]}")]

        norm = f.loop(0, self.n, 1, [(f.kind, "0.0")], row)[0]
        finite = f.op(f"fcmp one {f.kind} {norm}, {infinity(f)}")
        limit = f.op(f"select i1 {finite}, i64 {_SQUARINGS}, i64 0")

        def halve(i: str, state: list[str]) -> list[str]:
            large = f.op(f"fcmp ogt {f.kind} {state[0]}, {number(f, _NORM)}")
            half = f.op(f"select i1 {large}, {f.kind} {number(f, 0.5)}, {f.kind} 1.0")
            more = f.binary("add", state[2], f.op(f"zext i1 {large} to i64"))
            scale = f.op(f"fmul {f.kind} {state[1]}, {half}")
            return [f.op(f"fmul {f.kind} {state[0]}, {half}"), scale, more]

        start = [(f.kind, norm), (f.kind, "1.0"), ("i64", "0")]
        _, scale, power = f.loop(0, limit, 1, start, halve)

        def copy(i: str, j: str) -> None:
            value = f.element(f.place(x, (i, s0), (j, s1)))
            value = f.op(f"fmul {f.kind} {value}, {scale}")
            place = f.at(f.kind, out, f.binary("add", f.binary("mul", i, self.n), j))
            f.do(f"store {f.kind} {value}, ptr {place}")

        f.each(0, self.n, 1, lambda i: f.each(0, self.n, 1, lambda j: copy(i, j)))
        return power


def number(f: MatrixWriter, value: float) -> str:
    """A constant of the dtype, exactly."""
    if f.size == 4:
        value = struct.unpack("f", struct.pack("f", value))[0]
    return f"0x{struct.unpack('Q', struct.pack('d', value))[0]:016X}"


def infinity(f: MatrixWriter) -> str:
    """Infinity of the dtype."""
    return number(f, math.inf)


def _expm(f: MatrixWriter) -> None:
    """X = (V - U)⁻¹ (V + U) of the scaled matrix, then squared as often as it was halved."""
    n = f.dim(0, 1)
    f.quit_if(f.op(f"icmp eq i64 {n}, 0"))
    lapack_blocks.declare_gemm(f)
    e = _Expm(f, n)
    a, a2, a4, a6, u, v, w = (e.matrix() for _ in range(7))
    pivots = (f.scratch(n, 4), "4")
    c = _PADE
    power = e.scaled(a)
    e.product(a, a, a2)
    e.product(a2, a2, a4)
    e.product(a2, a4, a6)
    e.product(a6, e.combine(w, [(c[13], a6), (c[11], a4), (c[9], a2)]), v)
    e.combine(w, [(1.0, v), (c[7], a6), (c[5], a4), (c[3], a2)], c[1])
    e.product(a, w, u)
    e.product(a6, e.combine(w, [(c[12], a6), (c[10], a4), (c[8], a2)]), v)
    e.combine(v, [(1.0, v), (c[6], a6), (c[4], a4), (c[2], a2)], c[0])
    q, x = e.combine(a2, [(1.0, v), (-1.0, u)]), e.combine(a4, [(1.0, v), (1.0, u)])
    lapack_blocks.factorise(f, q, n, n, pivots)
    for below, unit in (("true", "false"), ("false", "true")):
        lapack_blocks.solve(f, (q, n, "1"), (x, n, "1"), (n, n), below, unit)
    exchange_back(f, (x, f.binary("mul", n, f.size)), pivots, n, n)

    def square(i: str, pair: list[str]) -> list[str]:
        e.product(pair[0], pair[0], pair[1])
        return [pair[1], pair[0]]

    result = f.loop(0, power, 1, [("ptr", x), ("ptr", a6)], square)[0]
    everything, order = f.char("A"), f.integer(n)
    f.call("lacpy", everything, order, order, result, order, f.matrix(0), f.integer(f.lead(0)),
           info=False)  # fmt: skip
    f.done()


ROUTINES: Final = (
    # the exponential of each matrix
    matrix_routine("expm", (3, 3), 1, _meaning, _expm, numbers=0),
)
