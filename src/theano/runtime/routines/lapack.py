"""Cholesky and LU factorisations, solving with them, inverses.

Matrices are in C order, which Fortran reads as the transpose. So the LU factors kept here are those
of Aᵀ: memory that LAPACK reads as L\\U of Aᵀ = P L U. Row ``i`` of Aᵀ was exchanged with row
``pivots[i]`` (from 0), in ascending order.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from theano.runtime.routines import lapack_blocks
from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.lapack_text import MatrixWriter, matrix_routine

# potrf ------------------------------------------------------------------------------------------


def _potrf_meaning(a: Any, upper: Any, nan: Any) -> None:
    for i, matrix in enumerate(a):
        try:
            # The other triangle is not read.
            factor = np.linalg.cholesky(matrix.T if upper else matrix)
        except np.linalg.LinAlgError as error:
            if not nan:
                raise RoutineFailed(str(error)) from error
            a[i] = np.nan
        else:
            a[i] = factor.T if upper else factor


def _potrf(f: MatrixWriter) -> None:
    n = f.dim(0, 1)
    f.quit_if(f.op(f"icmp eq i64 {n}, 0"))
    a, upper, nan = f.matrix(0), f.flag(0), f.flag(1)
    other = f.char("U", "L", upper)
    everything = f.char("A")
    order, lead, zero = f.integer(n), f.integer(f.lead(0)), f.real(0.0)
    less, bad = f.integer(f.binary("sub", n, 1)), f.real(float("nan"))
    failed = lapack_blocks.cholesky(f, a, f.lead(0), n, upper)
    # The triangle opposite to the factor begins one row below or one column beside the diagonal.
    down = f.op(f"select i1 {upper}, i64 {f.stride(0, 1)}, i64 {f.size}")
    corner = f.at("i8", a, down)
    f.when(
        f.both(failed, nan),
        lambda: f.call("laset", everything, order, order, bad, bad, a, lead, info=False),
        lambda: f.call("laset", other, less, less, zero, zero, corner, lead, info=False),
    )
    f.done(f.both(failed, f.op(f"xor i1 {nan}, true")))


# trsolve ----------------------------------------------------------------------------------------


def _trsolve_meaning(b: Any, t: Any, right: Any, lower: Any, trans: Any, unit: Any) -> None:
    for x, full in zip(b, t, strict=True):
        matrix = np.tril(full) if lower else np.triu(full)
        if unit:
            np.fill_diagonal(matrix, 1)
        if not np.all(np.diagonal(matrix)):
            raise RoutineFailed("a triangular matrix is singular")
        if not x.size:
            continue
        matrix = matrix.T if trans else matrix
        x[...] = np.linalg.solve(matrix.T, x.T).T if right else np.linalg.solve(matrix, x)


def _trsolve(f: MatrixWriter) -> None:
    n, rows, columns = f.dim(1, 1), f.dim(0, 1), f.dim(0, 2)
    t, b = f.matrix(1), f.matrix(0)
    right, lower, trans, unit = (f.flag(i) for i in range(4))
    s0, s1 = f.stride(1, 1), f.stride(1, 2)
    singular = f.zero_on_diagonal(t, s0, s1, n)
    f.quit_if(f.both(singular, f.op(f"xor i1 {unit}, true")), -1)
    empty = f.op(f"icmp eq i64 {f.binary('mul', rows, columns)}, 0")
    f.quit_if(empty)
    e0, e1 = (f.binary("sdiv", s, f.size) for s in (s0, s1))
    unit_row, unit_column = (f.op(f"icmp eq i64 {s}, {f.size}") for s in (s1, s0))
    plain = f.both(unit_row, f.op(f"icmp sge i64 {e0}, {n}"))
    turned = f.both(unit_column, f.op(f"icmp sge i64 {e1}, {n}"), f.op(f"xor i1 {plain}, true"))
    usable = f.op(f"or i1 {plain}, {turned}")
    # Memory that is neither in C nor in Fortran order is copied.
    copy = f.scratch(f.op(f"select i1 {usable}, i64 0, i64 {f.binary('mul', n, n)}"), f.size)
    f.when(usable, lambda: None, lambda: _pack(f, copy, t, (s0, s1), n))
    source = f.op(f"select i1 {usable}, ptr {t}, ptr {copy}")
    lead = f.op(
        f"select i1 {turned}, i64 {e1}, i64 {f.op(f'select i1 {plain}, i64 {e0}, i64 {n}')}"
    )
    # The matrix in memory, as strides of T: (lead, 1), or (1, lead) if turned.
    t0 = f.op(f"select i1 {turned}, i64 1, i64 {lead}")
    t1 = f.op(f"select i1 {turned}, i64 {lead}, i64 1")
    # X op(T) = B is op(T)ᵀ Xᵀ = Bᵀ: one form does for all.
    flip = f.op(f"xor i1 {trans}, {right}")
    rows_t = f.op(f"select i1 {flip}, i64 {t1}, i64 {t0}")
    columns_t = f.op(f"select i1 {flip}, i64 {t0}, i64 {t1}")
    lead_b = f.lead(0)
    rows_b = f.op(f"select i1 {right}, i64 1, i64 {lead_b}")
    columns_b = f.op(f"select i1 {right}, i64 {lead_b}, i64 1")
    many = f.op(f"select i1 {right}, i64 {rows}, i64 {columns}")
    below = f.op(f"xor i1 {lower}, {flip}")
    lapack_blocks.solve(
        f, (source, rows_t, columns_t), (b, rows_b, columns_b), (n, many), below, unit,
        rows=f.op(f"xor i1 {right}, true"),
    )  # fmt: skip
    f.done()


def _pack(f: MatrixWriter, target: str, source: str, strides: tuple[str, str], n: str) -> None:
    """Copy an n x n matrix to C order."""

    def element(i: str, j: str) -> None:
        value = f.element(f.place(source, (i, strides[0]), (j, strides[1])))
        to = f.at(f.kind, target, f.binary("add", f.binary("mul", i, n), j))
        f.do(f"store {f.kind} {value}, ptr {to}, align 1")

    f.each(0, n, 1, lambda i: f.each(0, n, 1, lambda j: element(i, j)))


# LU ---------------------------------------------------------------------------------------------


def _getrf_meaning(a: Any, pivots: Any) -> None:
    from scipy.linalg import lapack

    for matrix, pivot in zip(a, pivots, strict=True):
        if matrix.size:
            getrf = lapack.sgetrf if a.dtype == np.float32 else lapack.dgetrf
            lu, piv, _ = getrf(matrix.T)
            matrix[...] = lu.T
            pivot[...] = piv


def _getrf(f: MatrixWriter) -> None:
    n = f.dim(0, 1)
    f.quit_if(f.op(f"icmp eq i64 {n}, 0"))
    pivots = _pivots(f, 1)
    lapack_blocks.factorise(f, f.matrix(0), f.lead(0), n, pivots)
    f.done()


def _permutation(pivots: Any) -> Any:
    """The rows of Pᵀ M, as an index of M."""
    rows = np.arange(len(pivots))
    for i, p in enumerate(pivots):
        rows[i], rows[p] = rows[p], rows[i]
    return rows


def _lusolve_meaning(b: Any, lu: Any, pivots: Any, trans: Any) -> None:
    for x, factors, pivot in zip(b, lu, pivots, strict=True):
        if not np.all(np.diagonal(factors)):
            raise RoutineFailed("a matrix is singular")
        if not x.size:
            continue
        lower, upper = np.tril(factors.T, -1) + np.eye(len(factors)), np.triu(factors.T)
        rows = _permutation(pivot)
        if trans:
            x[...] = np.linalg.solve(upper, np.linalg.solve(lower, x[rows]))
        else:
            x[rows] = np.linalg.solve(lower.T, np.linalg.solve(upper.T, x))


def _lusolve(f: MatrixWriter) -> None:
    """A X = B in terms of Aᵀ = P L U: Xᵀ = Bᵀ U⁻¹ L⁻¹ Pᵀ; with Aᵀ: Xᵀ = Bᵀ P L⁻ᵀ U⁻ᵀ."""
    n, columns = f.dim(1, 1), f.dim(0, 2)
    b, lu = f.matrix(0), f.matrix(1)
    trans = f.flag(0)
    step = f.binary("mul", f.lead(1), f.size)
    f.quit_if(f.zero_on_diagonal(lu, step, str(f.size), n), -1)
    f.quit_if(f.op(f"icmp eq i64 {f.binary('mul', n, columns)}, 0"))
    lead, rows = f.lead(1), f.lead(0)
    right, pivots = (b, f.stride(0, 1)), _pivots(f, 2)

    def solve(factor: str, turned: bool) -> None:
        """With L or U of Aᵀ, or its transpose; memory holds the transposes in C order."""
        strides = (lead, "1") if turned else ("1", lead)
        below = "true" if (factor == "L") != turned else "false"
        unit = "true" if factor == "L" else "false"
        lapack_blocks.solve(f, (lu, *strides), (b, rows, "1"), (n, columns), below, unit)

    def forwards() -> None:
        f.each(0, n, 1, lambda i: exchange(f, right, pivots, i, columns))
        solve("L", turned=False)
        solve("U", turned=False)

    def backwards() -> None:
        solve("U", turned=True)
        solve("L", turned=True)
        exchange_back(f, right, pivots, n, columns)

    f.when(trans, forwards, backwards)
    f.done()


def _pivots(f: MatrixWriter, array: int) -> tuple[str, str]:
    """Address and stride of the pivots of this matrix."""
    return f.place(f.pointer(array), ("%index", f.stride(array, 0))), f.stride(array, 1)


def exchange(
    f: MatrixWriter, b: tuple[str, str], pivots: tuple[str, str], i: str, columns: str
) -> None:
    """Exchange row ``i`` of B (address, stride in bytes) and the row that its pivot names."""
    place = f.place(pivots[0], (i, pivots[1]))
    other = f.op(f"sext i32 {f.op(f'load i32, ptr {place}, align 4')} to i64")
    ends = [f.place(b[0], (row, b[1])) for row in (i, other)]

    def element(j: str) -> None:
        places = [f.at(f.kind, end, j) for end in ends]
        values = [f.element(place) for place in places]
        for value, place in zip(values, reversed(places), strict=True):
            f.do(f"store {f.kind} {value}, ptr {place}, align 1")

    def swap() -> None:
        f.each(0, columns, 1, element)

    f.when(f.op(f"icmp ne i64 {i}, {other}"), swap)


def exchange_back(
    f: MatrixWriter, b: tuple[str, str], pivots: tuple[str, str], n: str, columns: str
) -> None:
    """Undo the exchanges of a factorisation in the rows of B."""
    last = f.binary("sub", n, 1)
    f.each(0, n, 1, lambda i: exchange(f, b, pivots, f.binary("sub", last, i), columns))


def _getri_meaning(out: Any, lu: Any, pivots: Any) -> None:
    out[...] = np.eye(lu.shape[1], dtype=lu.dtype)
    _lusolve_meaning(out, lu, pivots, 0)


def _getri(f: MatrixWriter) -> None:
    """X = P L⁻ᵀ U⁻ᵀ; U⁻ᵀ is lower triangular."""
    n = f.dim(0, 1)
    x, lu, rows, lead = f.matrix(0), f.matrix(1), f.lead(0), f.lead(1)
    step = f.binary("mul", lead, f.size)
    f.quit_if(f.zero_on_diagonal(lu, step, str(f.size), n), -1)
    f.quit_if(f.op(f"icmp eq i64 {n}, 0"))
    order, zero, one = f.integer(n), f.real(0.0), f.real(1.0)
    f.call("laset", f.char("A"), order, order, zero, one, x, f.integer(rows), info=False)
    for below, unit in (("true", "false"), ("false", "true")):
        lapack_blocks.solve(
            f, (lu, lead, "1"), (x, rows, "1"), (n, n), below, unit, growing=below
        )  # fmt: skip
    exchange_back(f, (x, f.stride(0, 1)), _pivots(f, 2), n, n)
    f.done()


ROUTINES: Final = (
    # A in place becomes its factor: numbers are upper, and whether failures give NaN
    matrix_routine("potrf", (3,), 1, _potrf_meaning, _potrf, numbers=2),
    # B in place becomes X: op(T) X = B, or X op(T) = B; numbers are right, lower, trans, unit
    matrix_routine("trsolve", (3, 3), 1, _trsolve_meaning, _trsolve, numbers=4),
    # A in place becomes the factors of Aᵀ; pivots are int32
    matrix_routine("getrf", (3, 2), 2, _getrf_meaning, _getrf, numbers=0),
    # B in place becomes X: A X = B, with trans Aᵀ X = B
    matrix_routine("lusolve", (3, 3, 2), 1, _lusolve_meaning, _lusolve, numbers=1, main=1),
    # the inverse from the factors
    matrix_routine("getri", (3, 3, 2), 1, _getri_meaning, _getri, numbers=0, main=1),
)
