"""``th_copy``: element-wise copy between two strided arrays of the same extents and item size.

``void th_copy(i64 ndim, ptr dims, ptr to, ptr to_strides, ptr from, ptr from_strides,
i64 itemsize)`` with strides in bytes; ``ndim`` is at most `MAX_RANK`. Source and target must not
overlap.
"""

from __future__ import annotations

import functools
from typing import Final

from theano.runtime.irtext import Function

EXPORTS: Final = ("th_copy",)
MAX_RANK: Final = 64
_SIZES: Final = {1: "i8", 2: "i16", 4: "i32", 8: "i64", 16: "i128"}
_HEAD: Final = (
    "void @th_copy(i64 %ndim, ptr %dims, ptr %to, ptr %tos, ptr %from, ptr %froms, i64 %size)"
)


def copy_ir() -> str:
    """Return the LLVM IR of ``th_copy``."""
    head = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
    return head + "\n".join((*map(_line, _SIZES), _any_line(), _copy()))


def _line(size: int) -> str:
    """Copy ``n`` elements of ``size`` bytes, ``ts`` and ``fs`` bytes apart."""
    f = Function(f"internal void @line{size}(i64 %n, ptr %to, i64 %ts, ptr %from, i64 %fs)")
    kind = _SIZES[size]

    def element(i: str) -> None:
        source = f.at("i8", "%from", f.binary("mul", i, "%fs"))
        value = f.op(f"load {kind}, ptr {source}, align 1")
        f.do(f"store {kind} {value}, ptr {f.at('i8', '%to', f.binary('mul', i, '%ts'))}, align 1")

    f.each(0, "%n", 1, element)
    f.do("ret void")
    return f.text()


def _any_line() -> str:
    f = Function("internal void @line(i64 %n, ptr %to, i64 %ts, ptr %from, i64 %fs, i64 %size)")
    tight = f.both(f.op("icmp eq i64 %ts, %size"), f.op("icmp eq i64 %fs, %size"))
    total = f.binary("mul", "%n", "%size")
    copy = f"call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 {total}, i1 false)"
    f.leave_if(tight, lambda: f.do(copy))
    for size in _SIZES:
        call = f"call void @line{size}(i64 %n, ptr %to, i64 %ts, ptr %from, i64 %fs)"
        f.leave_if(f.op(f"icmp eq i64 %size, {size}"), functools.partial(f.do, call))
    f.do("ret void")
    return f.text()


def _copy() -> str:
    """Lines along the last axis, the other axes counted like the digits of an odometer."""
    f = Function(_HEAD)
    counter = f.op(f"alloca [{MAX_RANK} x i64]")
    scalar = "call void @line(i64 1, ptr %to, i64 %size, ptr %from, i64 %size, i64 %size)"
    f.leave_if(f.op("icmp eq i64 %ndim, 0"), lambda: f.do(scalar))

    def word(base: str, index: str) -> str:
        return f.op(f"load i64, ptr {f.at('i64', base, index)}")

    def clear(axis: str, total: list[str]) -> list[str]:
        f.do(f"store i64 0, ptr {f.at('i64', counter, axis)}")
        return [f.binary("mul", total[0], word("%dims", axis))]

    last = f.binary("sub", "%ndim", 1)
    lines = f.loop(0, last, 1, [("i64", "1")], clear)[0]
    n, ts, fs = (word(base, last) for base in ("%dims", "%tos", "%froms"))

    def line(index: str, at: list[str]) -> list[str]:
        del index
        to, source = at
        f.do(f"call void @line(i64 {n}, ptr {to}, i64 {ts}, ptr {source}, i64 {fs}, i64 %size)")

        def digit(j: str, carried: list[str]) -> list[str]:
            carry, t, s = carried
            axis = f.binary("sub", f.binary("sub", last, 1), j)
            slot = f.at("i64", counter, axis)
            up = f.binary("add", f.op(f"load i64, ptr {slot}"), carry)
            extent = word("%dims", axis)
            wraps = f.op(f"icmp eq i64 {up}, {extent}")
            f.do(f"store i64 {f.op(f'select i1 {wraps}, i64 0, i64 {up}')}, ptr {slot}")
            back = f.op(f"select i1 {wraps}, i64 {extent}, i64 0")
            steps = f.binary("sub", carry, back)
            t = f.at("i8", t, f.binary("mul", steps, word("%tos", axis)))
            s = f.at("i8", s, f.binary("mul", steps, word("%froms", axis)))
            return [f.op(f"zext i1 {wraps} to i64"), t, s]

        start = [("i64", "1"), ("ptr", to), ("ptr", source)]
        return f.loop(0, last, 1, start, digit)[1:]

    f.loop(0, lines, 1, [("ptr", "%to"), ("ptr", "%from")], line)
    f.do("ret void")
    return f.text()
