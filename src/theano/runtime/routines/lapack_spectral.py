"""QR, singular values, and eigenvalues of symmetric matrices.

Fortran reads a matrix in C order as its transpose, so the QR factors of A come from the LQ factors
of Aᵀ, and in the singular value decomposition U and V change places.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.lapack_text import MatrixWriter, matrix_routine

# QR ---------------------------------------------------------------------------------------------


def _qr_meaning(q: Any, r: Any, a: Any) -> None:
    complete = q.shape[1] == q.shape[2]
    for i, matrix in enumerate(a):
        q[i], r[i] = np.linalg.qr(matrix, "complete" if complete else "reduced")


def _qr(f: MatrixWriter) -> None:
    """Arrays Q (m, p), R (p, n) and A (m, n), which is overwritten; p is m or min(m, n)."""
    m, n, p = f.dim(2, 1), f.dim(2, 2), f.dim(0, 2)
    k = f.smin(m, n)
    q, r, a = (f.matrix(i) for i in range(3))
    lead_q, lead_r, lead_a = (f.integer(f.lead(i)) for i in range(3))
    rows, columns, inner, width = f.integer(m), f.integer(n), f.integer(k), f.integer(p)
    zero, one, everything, lower = f.real(0.0), f.real(1.0), f.char("A"), f.char("L")
    empty = f.op(f"icmp eq i64 {k}, 0")
    # Without columns Q is the identity; without rows there is nothing to write.
    f.call("laset", everything, width, rows, zero, one, q, lead_q, info=False)
    f.call("laset", everything, columns, width, zero, zero, r, lead_r, info=False)
    f.quit_if(empty)
    size = f.binary("mul", f.smax(m, n), 64)
    room, tau, work = f.integer(size), f.scratch(k, f.size), f.scratch(size, f.size)
    f.call("gelqf", columns, rows, a, lead_a, tau, work, room)
    f.call("lacpy", lower, columns, inner, a, lead_a, r, lead_r, info=False)
    f.call("lacpy", everything, inner, rows, a, lead_a, q, lead_q, info=False)
    f.call("orglq", width, rows, inner, q, lead_q, tau, work, room)
    f.done(f.op(f"icmp ne i64 {f.info()}, 0"))


# singular values --------------------------------------------------------------------------------


def _svd_meaning(u: Any, s: Any, vt: Any, a: Any, vectors: Any) -> None:
    try:
        for i, matrix in enumerate(a):
            if vectors:
                u[i], s[i], vt[i] = np.linalg.svd(matrix, full_matrices=bool(vectors == 2))
            else:
                s[i] = np.linalg.svd(matrix, compute_uv=False)
    except np.linalg.LinAlgError as error:
        raise RoutineFailed(str(error)) from error


def _svd(f: MatrixWriter) -> None:
    """U, S, Vᵀ and A (overwritten); the number: 0 singular values only, 1 reduced, 2 full."""
    m, n = f.dim(3, 1), f.dim(3, 2)
    k = f.smin(m, n)
    u, vt, a = (f.matrix(i) for i in (0, 2, 3))
    s = f.place(f.pointer(1), ("%index", f.stride(1, 0)))
    lead_u, lead_v, lead_a = (f.integer(f.lead(i)) for i in (0, 2, 3))
    rows, columns = f.integer(m), f.integer(n)
    code = f.number(0)
    full, some = (f.op(f"icmp eq i64 {code}, {value}") for value in (2, 1))
    letter = f.op(f"select i1 {some}, i8 {ord('S')}, i8 {ord('N')}")
    job = f.char("N")
    f.do(f"store i8 {f.op(f'select i1 {full}, i8 65, i8 {letter}')}, ptr {job}")
    empty = f.op(f"icmp eq i64 {k}, 0")
    zero, one, everything = f.real(0.0), f.real(1.0), f.char("A")
    heights, widths = f.integer(f.dim(0, 1)), f.integer(f.dim(2, 1))

    def trivial() -> None:
        f.call("laset", everything, heights, heights, zero, one, u, lead_u, info=False)
        f.call("laset", everything, widths, widths, zero, one, vt, lead_v, info=False)

    f.when(f.both(empty, full), trivial)
    f.quit_if(empty)
    room, answer, query = f.integer(-1), f.real(0.0), f.integer(0)
    first = (job, columns, rows, a, lead_a, s, vt, lead_v, u, lead_u)
    f.call("gesdd", *first, answer, room, query)
    size = f.queried(answer, real=True)
    work, integers = f.scratch(size, f.size), f.scratch(f.binary("mul", k, 8), 8)
    f.call("gesdd", *first, work, f.integer(size), integers)
    f.done(f.op(f"icmp ne i64 {f.info()}, 0"))


# symmetric eigenvalues --------------------------------------------------------------------------


def _eigh_meaning(a: Any, w: Any, lower: Any, vectors: Any) -> None:
    uplo: Any = "L" if lower else "U"
    try:
        for i, matrix in enumerate(a):
            if vectors:
                w[i], v = np.linalg.eigh(matrix, UPLO=uplo)
                a[i] = v.T
            else:
                w[i] = np.linalg.eigvalsh(matrix, UPLO=uplo)
    except np.linalg.LinAlgError as error:
        raise RoutineFailed(str(error)) from error


def _eigh(f: MatrixWriter) -> None:
    """A in place becomes eigenvectors, in its rows; W the eigenvalues. Numbers: lower, vectors."""
    n = f.dim(0, 1)
    f.quit_if(f.op(f"icmp eq i64 {n}, 0"))
    job, uplo = f.char("V", "N", f.flag(1)), f.char("U", "L", f.flag(0))
    w = f.place(f.pointer(1), ("%index", f.stride(1, 0)))
    answer, count, minus = f.real(0.0), f.integer(0), f.integer(-1)
    first = (job, uplo, f.integer(n), f.matrix(0), f.integer(f.lead(0)), w)
    f.call("syevd", *first, answer, minus, count, minus)
    size, integers = f.queried(answer, real=True), f.queried(count, real=False)
    work, whole = f.scratch(size, f.size), f.scratch(integers, 8)
    f.call("syevd", *first, work, f.integer(size), whole, f.integer(integers))
    f.done(f.op(f"icmp ne i64 {f.info()}, 0"))


ROUTINES: Final = (
    matrix_routine("qr", (3, 3, 3), 3, _qr_meaning, _qr, numbers=0, main=2),
    matrix_routine("svd", (3, 2, 3, 3), 4, _svd_meaning, _svd, numbers=1, main=3),
    matrix_routine("eigh", (3, 2), 2, _eigh_meaning, _eigh, numbers=2),
)
