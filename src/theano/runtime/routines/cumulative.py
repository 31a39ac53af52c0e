"""Running sums and products, and first-order linear recurrences, along the middle axis of three.

Every position before and after the axis is a chain of dependent operations. Chains that lie side by
side run as vectors, others four at a time; running sums of contiguous lines add up within vectors
first. Chains are split over threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from theano.runtime.routines.base import (
    PARTS_HELPERS,
    Part,
    Routine,
    Sample,
    Text,
    Writer,
    in_parts,
)
from theano.runtime.routines.elements import Elements

if TYPE_CHECKING:
    from theano.runtime.support import Target

_VECTORS: Final = 4  # side by side
_CHAINS: Final = 4  # at a time, where they are no vectors
_WEIGHT: Final = 120  # of an element: about a nanosecond


def _cumsum(out: Any, x: Any) -> None:
    np.cumsum(x, axis=1, dtype=out.dtype, out=out)


def _cumprod(out: Any, x: Any) -> None:
    np.cumprod(x, axis=1, dtype=out.dtype, out=out)


def _recurrence(out: Any, a: Any, b: Any) -> None:
    out[...] = b
    for i in range(1, out.shape[1]):
        out[:, i] += a[:, i] * out[:, i - 1]


class _Shape(NamedTuple):
    """The work in registers: ``outer`` groups of ``across`` chains, taken ``block`` at a time.

    ``steps[a]``: byte strides of array a from group to group, from chain to chain, along a chain.
    """

    outer: str
    across: str
    length: str
    block: str
    blocks: str
    vectors: str
    steps: list[tuple[str, str, str]]


class _Chains(Elements):
    """Writes one routine for one dtype."""

    def __init__(self, name: str, dtype: str, target: Target) -> None:
        super().__init__(dtype, target)
        self.name = name
        self.row = next(row for row in ROUTINES if row.name == name)
        self.f: Writer = Writer("", self.row)

    def text(self, symbol: str) -> Text:
        """The whole module."""
        return Text(in_parts(symbol, self.row, self.plan, self.body), PARTS_HELPERS)

    # the shape of the work ---------------------------------------------------------------------

    def plan(self, f: Writer) -> tuple[str, str, int]:
        """Blocks of chains."""
        shape = self.shape(f)
        work = f.binary("mul", shape.length, shape.block)
        return f.binary("mul", shape.outer, shape.blocks), work, _WEIGHT

    def shape(self, f: Writer) -> _Shape:
        """Where nothing comes after the axis, what comes before it takes its place."""
        outer, length, inner = (f.dim(0, axis) for axis in range(3))
        swap = f.op(f"icmp eq i64 {inner}, 1")

        def either(a: str, b: str) -> str:
            return f.op(f"select i1 {swap}, i64 {a}, i64 {b}")

        steps = []
        tight = f.op(f"xor i1 {swap}, true")
        for array in range(len(self.row.ranks)):
            before, along, after = (f.stride(array, axis) for axis in range(3))
            steps.append((either("0", before), either(before, after), along))
            tight = f.both(tight, f.op(f"icmp eq i64 {after}, {self.size}"))
        across = either(outer, inner)
        wide = self.lanes * _VECTORS
        block = f.op(f"select i1 {tight}, i64 {wide}, i64 {_CHAINS}")
        up = f.binary("add", across, f.binary("sub", block, 1))
        blocks = f.binary("udiv", up, block)
        return _Shape(either("1", outer), across, length, block, blocks, tight, steps)

    # the work ----------------------------------------------------------------------------------

    def body(self, f: Part, first: str, end: str) -> None:
        """Blocks ``first`` to ``end``; chains without elements have nothing to do."""
        self.f = f
        shape = self.shape(f)
        pointers = [f.pointer(array) for array in range(len(self.row.ranks))]
        some = f.op(f"icmp sgt i64 {shape.length}, 0")

        def one(number: str) -> None:
            group, block = (f.binary(op, number, shape.blocks) for op in ("udiv", "urem"))
            start = f.binary("mul", block, shape.block)
            count = f.smin(shape.block, f.binary("sub", shape.across, start))
            bases = [
                f.place(pointer, (group, step[0]), (start, step[1]))
                for pointer, step in zip(pointers, shape.steps, strict=True)
            ]
            self.block(shape, bases, count)

        f.when(some, lambda: f.each(first, end, 1, one))

    def block(self, shape: _Shape, bases: Sequence[str], count: str) -> None:
        """``count`` chains from ``bases`` on."""
        f = self.f
        full = f.op(f"icmp eq i64 {count}, {self.lanes * _VECTORS}")
        whole = f.both(shape.vectors, full)
        f.when(whole, lambda: self.vectors(shape, bases), lambda: self.scalars(shape, bases, count))

    def vectors(self, shape: _Shape, bases: Sequence[str]) -> None:
        """Chains side by side."""
        size = self.lanes * self.size
        moves = [[str(number * size)] * len(bases) for number in range(_VECTORS)]
        self.chains(shape, bases, moves, self.lanes)

    def scalars(self, shape: _Shape, bases: Sequence[str], count: str) -> None:
        """Several chains at a time, then one at a time."""
        f = self.f
        chains = self.line if self.name == "cumsum" else self.single
        few = f.binary("and", count, -_CHAINS)
        if self.name == "cumsum":
            # Contiguous lines are best taken one by one.
            tight = f.both(*(
                f.op(f"icmp eq i64 {step[2]}, {self.size}") for step in shape.steps
            ))  # fmt: skip
            few = f.op(f"select i1 {tight}, i64 0, i64 {few}")

        def moved(k: str) -> list[str]:
            return [f.place(b, (k, s[1])) for b, s in zip(bases, shape.steps, strict=True)]

        def several(k: str) -> None:
            moves = [
                [f.binary("mul", step[1], number) for step in shape.steps]
                for number in range(_CHAINS)
            ]
            self.chains(shape, moved(k), moves, 1)

        f.each(0, few, _CHAINS, several)
        f.each(few, count, 1, lambda k: chains(shape, moved(k)))

    def single(self, shape: _Shape, bases: Sequence[str]) -> None:
        """One chain."""
        self.chains(shape, bases, [["0"] * len(bases)], 1)

    def line(self, shape: _Shape, bases: Sequence[str]) -> None:
        """One chain of a running sum: whole vectors first, if the line is contiguous."""
        f = self.f
        tight = f.both(*(f.op(f"icmp eq i64 {s[2]}, {self.size}") for s in shape.steps))
        f.when(tight, lambda: self.scan(shape, bases), lambda: self.single(shape, bases))

    def chains(
        self, shape: _Shape, bases: Sequence[str], moves: Sequence[Sequence[str]], lanes: int
    ) -> None:
        """Chains that begin ``moves`` bytes after ``bases``, of vectors or of scalars."""
        f = self.f

        def places(j: str | int) -> list[list[str]]:
            at = [
                f.at("i8", base, f.binary("mul", step[2], j))
                for base, step in zip(bases, shape.steps, strict=True)
            ]
            return [[f.at("i8", p, m) for p, m in zip(at, move, strict=True)] for move in moves]

        def element(j: str, carried: list[str]) -> list[str]:
            at = places(j)
            after = [self.step(p, before, lanes) for p, before in zip(at, carried, strict=True)]
            for p, value in zip(at, after, strict=True):
                self.store(value, p[0], lanes)
            return after

        at = places(0)
        start = [self.load(p[-1], lanes) for p in at]
        for p, value in zip(at, start, strict=True):
            self.store(value, p[0], lanes)
        kind = self.type(self.register, lanes)
        f.loop(1, shape.length, 1, [(kind, value) for value in start], element)

    def step(self, places: Sequence[str], before: str, lanes: int) -> str:
        """The next value of a chain."""
        value = self.load(places[-1], lanes)
        if self.name == "recurrence":
            before = self.arith("mul", before, self.load(places[1], lanes), lanes)
        return self.arith("mul" if self.name == "cumprod" else "add", before, value, lanes)

    def scan(self, shape: _Shape, bases: Sequence[str]) -> None:
        """Sums within a vector by doubling, then the sum of all before is added."""
        f, lanes = self.f, self.lanes
        kind = self.type(self.register, lanes)
        # x + -0.0 is x for every float, -0.0 included.
        none = self.all("-0.0" if self.real else "0", lanes)
        whole = f.binary("and", shape.length, -lanes)

        def vector(j: str, carried: list[str]) -> list[str]:
            value = self.load(f.at(self.kind, bases[1], j), lanes)
            shift = 1
            while shift < lanes:
                picks = [lanes + i - shift if i >= shift else i for i in range(lanes)]
                value = self.arith("add", value, self.shuffled(none, value, lanes, picks), lanes)
                shift *= 2
            total = self.arith("add", value, carried[0], lanes)
            self.store(total, f.at(self.kind, bases[0], j), lanes)
            return [self.shuffled(total, none, lanes, [lanes - 1] * lanes)]

        (carry,) = f.loop(0, whole, lanes, [(kind, none)], vector)
        last = f.op(f"extractelement {kind} {carry}, i32 0")

        def element(j: str, carried: list[str]) -> list[str]:
            value = self.load(f.at(self.kind, bases[1], j), 1)
            total = self.arith("add", carried[0], value, 1)
            self.store(total, f.at(self.kind, bases[0], j), 1)
            return [total]

        f.loop(whole, shape.length, 1, [(self.register, last)], element)


def _writer(name: str) -> Callable[[str, tuple[str, ...], Target], Text]:
    return lambda symbol, dtypes, target: _Chains(name, dtypes[0], target).text(symbol)


def _samples(count: int) -> Callable[[Any], Iterator[Sample]]:
    """Calls with vectors, blocks of chains that are full or not, lone lines, and nothing."""

    def make(rng: Any) -> Iterator[Sample]:
        shapes = ((1, 75, 1), (2, 5, 300), (3, 7, 5), (70, 19, 1), (2, 0, 3), (0, 2, 2), (1, 1, 1))
        for dtype in ("int8", "uint16", "int64", "float16", "float32", "float64"):
            for shape in shapes:
                near_one = rng.uniform(-1.1, 1.1, (count, *shape))
                values = near_one if dtype.startswith("f") else rng.integers(0, 100, near_one.shape)
                yield Sample(tuple(values.astype(dtype)))

    return make


def _row(name: str, count: int, meaning: Callable[..., None]) -> Routine:
    return Routine(name, (3,) * count, 1, meaning, _writer(name), samples=_samples(count))


ROUTINES: Final = (
    _row("cumsum", 2, _cumsum),
    _row("cumprod", 2, _cumprod),
    _row("recurrence", 3, _recurrence),
)
