"""``th_copy``: element-wise copy between two strided arrays of the same extents and item size.

``void th_copy(i64 ndim, ptr dims, ptr to, ptr to_strides, ptr from, ptr from_strides,
i64 itemsize)`` with strides in bytes; ``ndim`` is at most `MAX_RANK`. Source and target must not
overlap.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

from theano.runtime.irtext import Function

EXPORTS: Final = ("th_copy",)
MAX_RANK: Final = 64
_SIZES: Final = {1: "i8", 2: "i16", 4: "i32", 8: "i64", 16: "i128"}
# A tile of a copy that turns axes: its columns' cache lines stay in the nearest cache.
_TILE_ROWS: Final = 16
_TILE_COLUMNS: Final = 8
_HEAD: Final = (
    "void @th_copy(i64 %ndim, ptr %dims, ptr %to, ptr %tos, ptr %from, ptr %froms, i64 %size)"
)


def copy_ir() -> str:
    """Return the LLVM IR of ``th_copy``."""
    head = "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
    lines = (*map(_line, _SIZES), _any_line())
    return head + "\n".join((*lines, *map(_turn, _SIZES), _any_turn(), _copy()))


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


def _turn(size: int) -> str:
    """Copy a matrix whose source moves fastest along its rows' axis, in tiles: the cache lines
    that a tile reads are used up before they are lost."""
    f = Function(
        f"internal void @turn{size}(i64 %m, i64 %n, ptr %to, i64 %t0, i64 %t1, ptr %from, "
        "i64 %f0, i64 %f1)"
    )
    kind = _SIZES[size]

    def tile(i0: str, j0: str) -> None:
        i1 = f.smin(f.binary("add", i0, _TILE_ROWS), "%m")
        j1 = f.smin(f.binary("add", j0, _TILE_COLUMNS), "%n")

        def row(i: str) -> None:
            to = f.at("i8", "%to", f.binary("mul", i, "%t0"))
            source = f.at("i8", "%from", f.binary("mul", i, "%f0"))

            def element(j: str) -> None:
                value = f.op(
                    f"load {kind}, ptr {f.at('i8', source, f.binary('mul', j, '%f1'))}, align 1"
                )
                place = f.at("i8", to, f.binary("mul", j, "%t1"))
                f.do(f"store {kind} {value}, ptr {place}, align 1")

            f.each(j0, j1, 1, element)

        f.each(i0, i1, 1, row)

    f.each(0, "%m", _TILE_ROWS, lambda i0: f.each(
        0, "%n", _TILE_COLUMNS, lambda j0: tile(i0, j0)))  # fmt: skip
    f.do("ret void")
    return f.text()


def _any_turn() -> str:
    head = "i64 %m, i64 %n, ptr %to, i64 %t0, i64 %t1, ptr %from, i64 %f0, i64 %f1"
    f = Function(f"internal void @turn({head}, i64 %size)")
    for size in _SIZES:
        call = f"call void @turn{size}({head})"
        f.leave_if(f.op(f"icmp eq i64 %size, {size}"), functools.partial(f.do, call))
    f.do("ret void")
    return f.text()


def _word(f: Function, base: str, index: str) -> str:
    return f.op(f"load i64, ptr {f.at('i64', base, index)}")


def _digit(
    f: Function, last: str, counter: str, extents: str
) -> Callable[[str, list[str]], list[str]]:
    """One digit of the odometer: carries on, and moves both addresses."""

    def digit(j: str, carried: list[str]) -> list[str]:
        carry, t, s = carried
        axis = f.binary("sub", f.binary("sub", last, 1), j)
        slot = f.at("i64", counter, axis)
        up = f.binary("add", f.op(f"load i64, ptr {slot}"), carry)
        extent = _word(f, extents, axis)
        wraps = f.op(f"icmp eq i64 {up}, {extent}")
        f.do(f"store i64 {f.op(f'select i1 {wraps}, i64 0, i64 {up}')}, ptr {slot}")
        back = f.op(f"select i1 {wraps}, i64 {extent}, i64 0")
        steps = f.binary("sub", carry, back)
        t = f.at("i8", t, f.binary("mul", steps, _word(f, "%tos", axis)))
        s = f.at("i8", s, f.binary("mul", steps, _word(f, "%froms", axis)))
        return [f.op(f"zext i1 {wraps} to i64"), t, s]

    return digit


def _copy() -> str:
    """Lines along the last axis, the other axes counted like the digits of an odometer. Where the
    source moves fastest along another axis, that one and the last are copied together."""
    f = Function(_HEAD)
    counter = f.op(f"alloca [{MAX_RANK} x i64]")
    extents = f.op(f"alloca [{MAX_RANK} x i64]")
    scalar = "call void @line(i64 1, ptr %to, i64 %size, ptr %from, i64 %size, i64 %size)"
    f.leave_if(f.op("icmp eq i64 %ndim, 0"), lambda: f.do(scalar))

    word = functools.partial(_word, f)

    def fastest(axis: str, found: list[str]) -> list[str]:
        unit = f.op(f"icmp eq i64 {word('%froms', axis)}, %size")
        long = f.op(f"icmp sgt i64 {word('%dims', axis)}, 1")
        return [f.op(f"select i1 {f.both(unit, long)}, i64 {axis}, i64 {found[0]}")]

    last = f.binary("sub", "%ndim", 1)
    n, ts, fs = (word(base, last) for base in ("%dims", "%tos", "%froms"))
    other = f.loop(0, last, 1, [("i64", "-1")], fastest)[0]
    turned = f.both(f.op(f"icmp sge i64 {other}, 0"), f.op(f"icmp ne i64 {fs}, %size"))
    some = f.op(f"select i1 {turned}, i64 {other}, i64 {last}")
    m, t0, f0 = (word(base, some) for base in ("%dims", "%tos", "%froms"))

    def clear(axis: str, total: list[str]) -> list[str]:
        f.do(f"store i64 0, ptr {f.at('i64', counter, axis)}")
        inside = f.both(turned, f.op(f"icmp eq i64 {axis}, {other}"))
        extent = f.op(f"select i1 {inside}, i64 1, i64 {word('%dims', axis)}")
        f.do(f"store i64 {extent}, ptr {f.at('i64', extents, axis)}")
        return [f.binary("mul", total[0], extent)]

    lines = f.loop(0, last, 1, [("i64", "1")], clear)[0]

    def line(index: str, at: list[str]) -> list[str]:
        del index
        to, source = at
        straight = (
            f"call void @line(i64 {n}, ptr {to}, i64 {ts}, ptr {source}, i64 {fs}, i64 %size)"
        )
        tiles = (
            f"call void @turn(i64 {m}, i64 {n}, ptr {to}, i64 {t0}, i64 {ts}, ptr {source}, "
            f"i64 {f0}, i64 {fs}, i64 %size)"
        )
        f.when(turned, lambda: f.do(tiles), lambda: f.do(straight))

        start = [("i64", "1"), ("ptr", to), ("ptr", source)]
        return f.loop(0, last, 1, start, _digit(f, last, counter, extents))[1:]

    f.loop(0, lines, 1, [("ptr", "%to"), ("ptr", "%from")], line)
    f.do("ret void")
    return f.text()
