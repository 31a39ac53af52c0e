"""How the CPU spells library calls: one row per function name of a `Call` step."""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu import memory
from theano.backends.cpu.host_frame import Array, Frame
from theano.core.errors import MissingSpelling
from theano.lower import program as pg

Spelling = Callable[[Frame, tuple[Array, ...], tuple[pg.Arg, ...]], None]
_LETTER = {"float32": ("s", "float"), "float64": ("d", "double")}
# Weight of a multiply-add of a matrix product, in statements of a kernel.
_GEMM_WEIGHT = 4


def spelling(function: str) -> Spelling:
    """The row of a function; raises MissingSpelling that names this file."""
    try:
        return LIBRARY[function]
    except KeyError:
        raise MissingSpelling("the CPU backend", function, "backends/cpu/library.py") from None


def _elements(frame: Frame, stride: str, size: int) -> str:
    """A byte stride in elements."""
    return frame.e.emit(f"sdiv exact i64 {stride}, {size}") if size > 1 else stride


def _gemm(frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...]) -> None:
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
    frame.unlocked(estimate, lambda: _ignore(frame.helper(f"th_{letter}gemm", "void", *args)))


def _copy(frame: Frame, arrays: tuple[Array, ...], scalars: tuple[pg.Arg, ...]) -> None:
    frame.copy(arrays[0], arrays[1])


def _ignore(value: str) -> None:
    del value


LIBRARY: dict[str, Spelling] = {"gemm": _gemm, "copy": _copy}
