"""Accumulators: how they start, combine, and end as one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from theano.backends.cpu import prims
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Function
from theano.kernel import ir
from theano.kernel.interp import identity


def accumulator_dtypes(s: ir.Accumulate, dtype: str) -> list[str]:
    """What an accumulator of values of ``dtype`` consists of: (an index and) a value."""
    return ["int64", dtype] if s.kind.startswith("arg") else [dtype]


def start_value(e: Emitter, s: ir.Accumulate, dtype: str) -> list[str]:
    """The identity of an accumulator; position 0 for arg-kinds."""
    if s.kind.startswith("arg"):
        best = identity("max" if s.kind == "argmax" else "min", dtype)
        return [e.const("int64", 0), e.const(dtype, best.item())]
    return [e.const(dtype, identity(s.kind, dtype).item())]


def combined(
    e: Emitter, kind: str, dtype: str, old: str, new: str, mask: str | None = None
) -> list[str]:
    """Both, in the lanes inside ``mask``; the old one elsewhere."""
    both = _both(e, kind, dtype, old, new)
    return [both if mask is None else e.select(mask, dtype, both, old)]


#: NaN if either is. As no zero is larger than another here, this is one comparison less.
_EXTREMES: Final = {"max": "maximum", "min": "minimum"}


def _both(e: Emitter, kind: str, dtype: str, old: str, new: str) -> str:
    if kind in _EXTREMES and dtype.startswith("float"):
        return e.intrinsic(_EXTREMES[kind], REGISTER_TYPES[dtype], old, new, flags="nsz")
    return prims.emit(e, kind, dtype, [old, new])


def is_extreme(kind: str, dtype: str) -> bool:
    """Whether an accumulator is a maximum or minimum of floats."""
    return kind in _EXTREMES and dtype.startswith("float")


def better(e: Emitter, kind: str, dtype: str, old: str, new: str) -> str:
    """The larger or smaller of two numbers, neither NaN: one instruction where NaN takes three."""
    wins = e.fcmp("ogt" if kind == "max" else "olt", dtype, old, new)
    return e.select(wins, dtype, old, new)


def witness(e: Emitter, dtype: str, old: str, values: Sequence[str]) -> str:
    """A sum of products of pairs that is NaN if one of ``values`` was: half an instruction a value,
    where huge values and infinities may make it NaN, too."""
    total = old
    for a, b in zip(values[::2], values[1::2], strict=True):
        total = e.intrinsic("fmuladd", REGISTER_TYPES[dtype], a, b, total)
    return total


def later_wins(
    e: Emitter, s: ir.Accumulate, dtype: str, index: str, old: list[str], new: list[str],
    mask: str | None = None,
) -> list[str]:  # fmt: skip
    """[index, value] of the better of two, the old one (which comes earlier) on a tie.

    A NaN is better than any number, and the first one stays."""
    up = s.kind == "argmax"
    if dtype.startswith("float"):
        wins = e.fcmp("ugt" if up else "ult", dtype, new[1], old[1])
        wins = e.bits("and", wins, e.fcmp("ord", dtype, old[1], old[1]))
    else:
        wins = prims.emit(e, "gt" if up else "lt", dtype, [new[1], old[1]])
    if mask is not None:
        wins = e.bits("and", wins, mask)
    return [e.select(wins, index, new[0], old[0]), e.select(wins, dtype, new[1], old[1])]


def horizontal(f: Function, lanes: int, kind: str, dtype: str, value: str) -> str:
    """One scalar from one per lane, in a fixed order."""
    while lanes > 1:
        half = lanes // 2
        low, high = (_part(f, dtype, value, lanes, at) for at in (0, half))
        value = prims.emit(f.at(half), kind, dtype, [low, high])
        lanes = half
    return value


def _part(f: Function, dtype: str, value: str, lanes: int, first: int) -> str:
    element = REGISTER_TYPES[dtype]
    half = lanes // 2
    kind = f"<{lanes} x {element}>"
    if half == 1:
        return f.s.emit(f"extractelement {kind} {value}, i64 {first}")
    mask = ", ".join(f"i32 {first + i}" for i in range(half))
    return f.s.emit(f"shufflevector {kind} {value}, {kind} poison, <{half} x i32> <{mask}>")


def arg_horizontal(
    f: Function, lanes: int, s: ir.Accumulate, dtype: str, index: str, value: str
) -> tuple[str, str]:
    """(index, value) of the best lane, the smallest int32 index of those that are as good."""
    if lanes == 1:
        return index, value
    e = f.at(lanes)
    best = horizontal(f, lanes, "max" if s.kind == "argmax" else "min", dtype, value)
    wide = e.broadcast(REGISTER_TYPES[dtype], best)
    good = prims.emit(e, "eq", dtype, [value, wide])
    if dtype.startswith("float"):  # if the best is NaN, those that are NaN; else none is
        good = e.bits("or", good, e.fcmp("uno", dtype, value, value))
    found = e.select(good, "int32", index, e.const("int32", -1))
    symbol, kind = f"llvm.vector.reduce.umin.v{lanes}i32", e.widen("i32")
    e.declare("i32", symbol, [kind])
    return e.emit(f"call i32 @{symbol}({kind} {found})"), best
