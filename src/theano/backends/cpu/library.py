"""How the CPU spells library calls: own rows for some functions, routines for all others."""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu import memory
from theano.backends.cpu.host_frame import Array, Frame
from theano.lower import program as pg
from theano.runtime.routines.table import routine

Spelling = Callable[[Frame, tuple[Array, ...], tuple[pg.Arg, ...]], None]
_LETTER = {"float32": ("s", "float"), "float64": ("d", "double")}
# Weight of a multiply-add of a matrix product, in statements of a kernel.
_GEMM_WEIGHT = 4


def _elements(frame: Frame, stride: str, size: int) -> str:
    """A byte stride in elements."""
    return frame.e.emit(f"sdiv exact i64 {stride}, {size}") if size > 1 else stride


def _gemm(frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...]) -> None:
    # One library does for a function: that with squares where one product needs them.
    also = [("ptr", "null")] if frame.squares else []
    _product(frame, arrays, scalars, also)


def _gemm_squares(frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...]) -> None:
    out, squares, a, b = arrays
    total = frame.stack("double", 1)
    _product(frame, (out, a, b), scalars, [("ptr", total)])
    value = frame.e.emit(f"load double, ptr {total}")
    _, kind = _LETTER[squares.dtype]
    if kind == "float":
        value = frame.e.emit(f"fptrunc double {value} to float")
    frame.e.do(f"store {kind} {value}, ptr {squares.pointer}")


def _product(
    frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...],
    also: list[tuple[str, str]],
) -> None:  # fmt: skip
    out, a, b = arrays
    letter, kind = _LETTER[out.dtype]
    size = memory.itemsize(out.dtype)
    alpha, beta = (frame.arg(s, out.dtype) for s in scalars)
    (m, k), n = a.dims, b.dims[1]
    strides = [[_elements(frame, s, size) for s in x.strides] for x in (a, b, out)]
    args = [("i64", m), ("i64", n), ("i64", k), (kind, alpha)]
    args += [("ptr", a.pointer), *(("i64", s) for s in strides[0])]
    args += [("ptr", b.pointer), *(("i64", s) for s in strides[1])]
    args += [(kind, beta), ("ptr", out.pointer), *(("i64", s) for s in strides[2])]
    work = frame.f.i64("mul", frame.f.i64("mul", m, n), k)
    # A multiply-add costs less than a statement of a kernel.
    estimate = frame.e.emit(f"sdiv i64 {work}, {_GEMM_WEIGHT}")
    name = f"th_{letter}gemm{'_squares' * bool(also)}"
    frame.unlocked(estimate, lambda: _ignore(frame.helper(name, "void", *args, *also)))


def _copy(frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...]) -> None:
    frame.copy(arrays[0], arrays[1])


def call_routine(frame: Frame, number: int, call: pg.Call, arrays: tuple[Array, ...]) -> None:
    """Call a routine; a negative result ends the call with the status of step ``number``."""
    row = routine(call.function)
    values: list[tuple[str, str]] = []
    work = "1"
    for array in arrays:
        values.append(("ptr", array.pointer))
        values += [("i64", value) for value in (*array.dims, *array.strides)]
        size = str(row.weight)
        for extent in array.dims:
            size = frame.f.i64("mul", size, extent)
        work = frame.f.i64("add", work, size)
    for dtype, value in zip(row.numbers, call.scalars, strict=True):
        values.append(("double" if dtype == "float64" else "i64", frame.arg(value, dtype)))
    words = frame.stack("i64", max(1, len(values)))
    for i, (kind, value) in enumerate(values):
        place = frame.f.word_pointer(words, i)
        frame.e.do(f"store {kind} {value}, ptr {place}, align 8")
    symbol = row.symbol([array.dtype for array in arrays])
    status = frame.stack("i64", 1)

    def run() -> None:
        given = frame.helper(symbol, "i64", ("ptr", words))
        frame.e.do(f"store i64 {given}, ptr {status}")

    frame.unlocked(work, run)
    given = frame.e.emit(f"load i64, ptr {status}")
    frame.leave(frame.e.emit(f"icmp slt i64 {given}, 0"), number)
    if call.out:
        frame.set(call.out, given, "int64")


def _ignore(value: str) -> None:
    del value


LIBRARY: dict[str, Spelling] = {"gemm": _gemm, "gemm_squares": _gemm_squares, "copy": _copy}
