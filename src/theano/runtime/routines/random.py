"""MRG31k3p: uniform numbers from many streams at once.

The generator is that of P. L'Ecuyer, R. Touzin, "Fast Combined Multiple Recursive Generators with
Multipliers of the Form a = ±2^q ± 2^r", Proceedings of the Winter Simulation Conference (2000):
x_n = 2^22 x_{n-2} + (2^7 + 1) x_{n-3} mod M1 and y_n = 2^15 y_{n-1} + (2^15 + 1) y_{n-3} mod M2;
the number is x_n - y_n mod M1, in 1 … M1, over M1 + 1. A row of the state holds x_{n-1}, x_{n-2},
x_{n-3} and the same of y. Element i comes from row i mod n, so that rows are computed in vectors
and by several threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.irtext import Function
from theano.runtime.routines.base import (
    ITEMSIZE,
    KINDS,
    Routine,
    RoutineFailed,
    Sample,
    Text,
    Writer,
)

if TYPE_CHECKING:
    from theano.runtime.support import Target

M1: Final = 2**31 - 1
M2: Final = 2**31 - 21069

#: What makes a number of 1 … M1: bits that are kept, what is added, the factor (as float32 for
#: float16 and float32, where it is the largest for which the number stays below 1).
SCALES: Final = {
    "float16": (0x7FFF, 1, float(np.float32(3.0458e-05))),
    "float32": (0xFFFFFFFF, 0, float(np.nextafter(np.float32(2.0**-31), np.float32(0)))),
    "float64": (0xFFFFFFFF, 0, 2.0**-31),
}

# About how many numbers a thread should have.
_SHARE: Final = 32768


def mrg_uniform(new: Any, out: Any, old: Any) -> None:
    """Fill the vector ``out`` from the states ``old`` (n, 6) and write the next states to ``new``.

    >>> state, sample = np.zeros((1, 6), "int32"), np.zeros(1)
    >>> mrg_uniform(state, sample, np.full((1, 6), 12345, "int32"))
    >>> round(float(sample[0]), 6)
    0.735324
    """
    x1, x2, x3, y1, y2, y3 = (old[:, i].astype(np.int64) for i in range(6))
    streams = len(old)
    if streams == 0 and len(out):
        raise RoutineFailed("there are no streams to draw from")
    mask, offset, factor = SCALES[out.dtype.name]
    kind = np.float64 if out.dtype == np.float64 else np.float32
    for first in range(0, len(out), max(streams, 1)):
        n = min(streams, len(out) - first)
        x = ((x2[:n] << 22) + 129 * x3[:n]) % M1
        y = ((y1[:n] << 15) + 32769 * y3[:n]) % M2
        x1, x2, x3 = _shifted(x, x1, x2, x3)
        y1, y2, y3 = _shifted(y, y1, y2, y3)
        number = np.where(x <= y, x - y + M1, x - y)
        out[first : first + n] = ((number & mask) + offset).astype(kind) * kind(factor)
    for i, values in enumerate((x1, x2, x3, y1, y2, y3)):
        new[:, i] = values


def _shifted(value: Any, *values: Any) -> list[Any]:
    """The next state of the first streams, the old one of the others."""
    n = len(value)
    moved = (value, *(v[:n] for v in values[:-1]))
    return [np.concatenate((m, v[n:])) for m, v in zip(moved, values, strict=True)]


class _Steps:
    """Writes the function that advances ``lanes`` neighbouring streams ``count`` times."""

    def __init__(self, dtype: str, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        self.f = Function(
            f"internal void @steps{lanes}(ptr %words, i64 %stream, i64 %n, i64 %count)"
        )

    def kind(self, name: str) -> str:
        """A vector type (the scalar one for a single lane)."""
        return name if self.lanes == 1 else f"<{self.lanes} x {name}>"

    def number(self, name: str, value: object) -> str:
        """A constant in all lanes."""
        if self.lanes == 1:
            return str(value)
        return "<" + ", ".join([f"{name} {value}"] * self.lanes) + ">"

    def op(self, name: str, a: str, b: str | int) -> str:
        """An instruction on 32-bit words."""
        if isinstance(b, int):
            b = self.number("i32", b - 2**32 if b >= 2**31 else b)
        return self.f.op(f"{name} {self.kind('i32')} {a}, {b}")

    def reduced(self, value: str, modulus: int) -> str:
        """``value`` or ``value - modulus``: of two unsigned numbers the smaller."""
        kind, less = self.kind("i32"), self.op("sub", value, modulus)
        smaller = self.f.op(f"icmp ult {kind} {value}, {less}")
        return self.f.op(f"select {self.kind('i1')} {smaller}, {kind} {value}, {kind} {less}")

    def total(self, a: str, b: str, modulus: int) -> str:
        """``a + b`` modulo ``modulus``, both below it."""
        return self.reduced(self.op("add", a, b), modulus)

    def first(self, x2: str, x3: str) -> str:
        """2^22 x2 + 129 x3 modulo 2^31 - 1: multiplying by a power of two is a rotation."""
        turned = [
            self.op("add", self.op("shl", self.op("and", x, (1 << 31 - up) - 1), up),
                    self.op("lshr", x, 31 - up))
            for x, up in ((x2, 22), (x3, 7))
        ]  # fmt: skip
        return self.total(self.total(turned[0], turned[1], M1), x3, M1)

    def second(self, y1: str, y3: str) -> str:
        """2^15 y1 + 32769 y3 modulo M2 = 2^31 - 21069."""
        found = []
        for y in (y1, y3):
            low = self.op("shl", self.op("and", y, 65535), 15)
            high = self.op("mul", self.op("lshr", y, 16), 21069)
            found.append(self.reduced(self.op("add", low, high), M2))
        return self.total(self.total(found[1], y3, M2), found[0], M2)

    def sample(self, x: str, y: str) -> str:
        """The number in [0, 1) of new x and y, as an element in memory."""
        f, kind, words = self.f, self.kind, self.kind("i32")
        difference = self.op("sub", x, y)
        wraps = f.op(f"icmp ule {words} {x}, {y}")
        lifted = self.op("add", difference, M1)
        number = f.op(f"select {kind('i1')} {wraps}, {words} {lifted}, {words} {difference}")
        mask, offset, factor = SCALES[self.dtype]
        if offset:
            number = self.op("add", self.op("and", number, mask), offset)
        real = "double" if self.dtype == "float64" else "float"
        value = f.op(f"sitofp {words} {number} to {kind(real)}")
        bits = f"0x{np.float64(factor).view(np.uint64):016X}"
        value = f.op(f"fmul {kind(real)} {value}, {self.number(real, bits)}")
        if self.dtype == "float16":
            value = f.op(f"fptrunc {kind(real)} {value} to {kind('half')}")
        return value

    def gathered(self, pointer: str, stride: str) -> str:
        """One word of each stream."""
        value = "poison"
        for lane in range(self.lanes):
            place = self.f.at("i8", pointer, self.f.binary("mul", stride, lane))
            word = self.f.op(f"load i32, ptr {place}, align 4")
            if self.lanes == 1:
                return word
            value = self.f.op(f"insertelement {self.kind('i32')} {value}, i32 {word}, i32 {lane}")
        return value

    def scattered(self, value: str, pointer: str, stride: str) -> None:
        """Write one word of each stream."""
        for lane in range(self.lanes):
            place = self.f.at("i8", pointer, self.f.binary("mul", stride, lane))
            word = value
            if self.lanes > 1:
                word = self.f.op(f"extractelement {self.kind('i32')} {value}, i32 {lane}")
            self.f.do(f"store i32 {word}, ptr {place}, align 4")

    def text(self) -> str:
        """The function. Words of the call: new state, sample, old state."""
        f = self.f

        def word(offset: int, kind: str = "i64") -> str:
            return f.op(f"load {kind}, ptr {f.at('i64', '%words', offset)}, align 8")

        def column(base: int, i: int) -> str:
            return f.at("i8", rows[base], f.binary("mul", word(base + 4), i))

        rows = {
            base: f.at("i8", word(base, "ptr"), f.binary("mul", word(base + 3), "%stream"))
            for base in (0, 8)
        }
        out, stride = word(5, "ptr"), word(7)
        state = [self.gathered(column(8, i), word(11)) for i in range(6)]
        element = f.at("i8", out, f.binary("mul", "%stream", stride))
        jump = f.binary("mul", "%n", stride)
        kind = self.kind(KINDS[self.dtype])

        def step(i: str, values: list[str]) -> list[str]:
            x1, x2, x3, y1, y2, y3 = values
            x, y = self.first(x2, x3), self.second(y1, y3)
            place = f.at("i8", element, f.binary("mul", i, jump))
            f.do(f"store {kind} {self.sample(x, y)}, ptr {place}, align {ITEMSIZE[self.dtype]}")
            return [x, x1, x2, y, y1, y2]

        carried = [(self.kind("i32"), value) for value in state]
        for i, value in enumerate(f.loop(0, "%count", 1, carried, step)):
            self.scattered(value, column(0, i), word(3))
        f.do("ret void")
        return f.text()


def _chunk(lanes: int, itemsize: int) -> str:
    """Streams ``index * grain`` and on; ``ctx``: words, grain, streams, whole rounds, rest."""
    f = Function("internal void @chunk(ptr %ctx, i64 %index)")
    words = f.op("load ptr, ptr %ctx, align 8")
    grain, n, rounds, rest = (
        f.op(f"load i64, ptr {f.at('i64', '%ctx', i)}, align 8") for i in range(1, 5)
    )
    start = f.binary("mul", "%index", grain)
    stop = f.smin(f.binary("add", start, grain), n)
    stride = f.op(f"load i64, ptr {f.at('i64', words, 7)}, align 8")
    tight = f.op(f"icmp eq i64 {stride}, {itemsize}")

    def count(stream: str) -> str:
        more = f.op(f"icmp slt i64 {stream}, {rest}")
        return f.binary("add", rounds, f.op(f"zext i1 {more} to i64"))

    def block(stream: str) -> None:
        end = f.binary("add", stream, lanes)
        last = f.binary("sub", end, 1)
        first_count, last_count = count(stream), count(last)
        whole = f.both(
            f.op(f"icmp sle i64 {end}, {stop}"),
            f.op(f"icmp eq i64 {first_count}, {last_count}"),
            tight,
        )

        def together() -> None:
            f.do(f"call void @steps{lanes}(ptr {words}, i64 {stream}, i64 {n}, i64 {first_count})")

        def single(one: str) -> None:
            f.do(f"call void @steps1(ptr {words}, i64 {one}, i64 {n}, i64 {count(one)})")

        f.when(whole, together, lambda: f.each(stream, f.smin(end, stop), 1, single))

    f.each(start, stop, lanes, block)
    f.do("ret void")
    return f.text()


def _text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    (dtype,) = dtypes
    lanes = target.vector_bytes // 4
    f = Writer(symbol, ROUTINES[0])
    n, size = f.dim(2, 0), f.dim(1, 0)
    context = f.op("alloca [5 x i64]")
    f.do(f"store ptr %words, ptr {context}, align 8")
    none = f.both(f.op(f"icmp sle i64 {n}, 0"), f.op(f"icmp sgt i64 {size}, 0"))
    status = f.op(f"select i1 {none}, i64 -1, i64 0")

    def run() -> None:
        pieces = f.smax(f.smin(f.binary("sdiv", size, _SHARE), 64), 1)
        share = f.binary("sdiv", f.binary("add", n, f.binary("sub", pieces, 1)), pieces)
        grain = f.binary("and", f.binary("add", share, lanes - 1), -lanes)
        rounds = f.binary("sdiv", size, n)
        rest = f.binary("srem", size, n)
        for i, value in enumerate((grain, n, rounds, rest), 1):
            f.do(f"store i64 {value}, ptr {f.at('i64', context, i)}, align 8")
        chunks = f.binary("sdiv", f.binary("add", n, f.binary("sub", grain, 1)), grain)
        f.do(f"call void @th_parallel(ptr @th_pool, ptr @chunk, ptr {context}, i64 {chunks})")

    f.when(f.op(f"icmp sgt i64 {n}, 0"), run)
    head = "declare void @th_parallel(ptr, ptr, ptr, i64)\n@th_pool = external global [64 x i64]\n"
    parts = (_Steps(dtype, lanes).text(), _Steps(dtype, 1).text(), _chunk(lanes, ITEMSIZE[dtype]))
    text = "\n".join((head, *parts, f.finish(status)))
    return Text(text, helpers=("th_parallel", "th_pool"))


def _samples(rng: Any) -> Iterable[Sample]:
    """States and sizes that fill vectors, and that do not."""
    for dtype in SCALES:
        for streams, size in ((1, 7), (37, 100), (64, 640), (50, 20), (33, 0)):
            old = rng.integers(1, M2, (streams, 6)).astype("int32")
            yield Sample((np.zeros_like(old), np.zeros(size, dtype), old))
    old = np.asfortranarray(rng.integers(1, M2, (40, 6)).astype("int32"))
    yield Sample((np.zeros_like(old), np.zeros(200)[::2], old))


ROUTINES: Final = (
    Routine("mrg_uniform", (2, 1, 2), 2, mrg_uniform, _text, typed=(1,), weight=8,
            samples=_samples),
)  # fmt: skip
