"""Searching in sorted vectors, and positions that only data decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.routines import keys
from theano.runtime.routines.base import (
    ITEMSIZE,
    PARTS_HELPERS,
    Part,
    Routine,
    RoutineFailed,
    Sample,
    Text,
    Writer,
    in_parts,
)
from theano.runtime.routines.sorting import DTYPES, sample_values

if TYPE_CHECKING:
    from theano.runtime.support import Target

#: The highest rank that has a row ``nonzeroN``.
MAX_RANK: Final = 8
_SEARCH_WEIGHT: Final = 8000  # of an element: about 60 nanoseconds

# in sorted vectors -----------------------------------------------------------------------------


def _searchsorted(out: Any, x: Any, v: Any, right: Any) -> None:
    out[...] = np.searchsorted(x, v, side="right" if right else "left")


def _searchsorted_by(out: Any, x: Any, v: Any, sorter: Any, right: Any) -> None:
    if len(sorter) != len(x) or (len(x) and not (0 <= sorter.min() <= sorter.max() < len(x))):
        raise RoutineFailed("sorter is not a permutation of the positions of x")
    out[...] = np.searchsorted(x, v, side="right" if right else "left", sorter=sorter)


def _search_text(symbol: str, dtypes: tuple[str, ...], target: Target, name: str) -> Text:
    """A binary search without branches for every element."""
    del target
    (dtype,) = dtypes
    kind = f"i{keys.bits(dtype)}"
    indirect = name == "searchsorted_by"

    def plan(f: Writer) -> tuple[str, str, int]:
        return f.dim(0, 0), "1", _SEARCH_WEIGHT

    def body(f: Part, first: str, end: str) -> None:
        arrays = range(4 if indirect else 3)
        pointers = [f.pointer(a) for a in arrays]
        strides = [f.stride(a, 0) for a in arrays]
        length = f.dim(1, 0)
        right = f.op(f"icmp ne i64 {f.number(0)}, 0")
        if indirect:
            f.fail_if(f.op(f"icmp ne i64 {f.dim(3, 0)}, {length}"))
            _check_positions(f, f.place(pointers[3]), strides[3], length)

        def key(array: int, i: str) -> str:
            value = keys.load(f, kind, f.place(pointers[array], (i, strides[array])))
            return keys.key(f, dtype, value)

        def one(i: str) -> None:
            wanted = key(2, i)

            def halve(carried: list[str]) -> list[str]:
                low, count = carried
                half = f.binary("lshr", count, 1)
                middle = f.binary("add", low, half)
                if indirect:
                    middle_place = f.place(pointers[3], (middle, strides[3]))
                    found = key(1, f.op(f"load i64, ptr {middle_place}, align 1"))
                else:
                    found = key(1, middle)
                less = f.op(f"icmp ult {kind} {found}, {wanted}")
                equal = f.op(f"icmp eq {kind} {found}, {wanted}")
                up = f.op(f"or i1 {less}, {f.both(equal, right)}")
                above = f.binary("sub", f.binary("sub", count, half), 1)
                after = f.binary("add", middle, 1)
                low = f.op(f"select i1 {up}, i64 {after}, i64 {low}")
                return [low, f.op(f"select i1 {up}, i64 {above}, i64 {half}")]

            low, _ = f.repeat(
                [("i64", "0"), ("i64", length)], lambda c: f.op(f"icmp sgt i64 {c[1]}, 0"), halve
            )
            f.do(f"store i64 {low}, ptr {f.place(pointers[0], (i, strides[0]))}, align 1")

        f.each(first, end, 1, one)

    return Text(in_parts(symbol, _row(name), plan, body), PARTS_HELPERS)


def _check_positions(f: Part, pointer: str, stride: str, length: str) -> None:
    def look(i: str, bad: list[str]) -> list[str]:
        value = f.op(f"load i64, ptr {f.place(pointer, (i, stride))}, align 1")
        outside = f.op(f"icmp uge i64 {value}, {length}")
        return [f.op(f"or i1 {bad[0]}, {outside}")]

    f.fail_if(f.loop(0, length, 1, [("i1", "false")], look)[0])


# repetition ------------------------------------------------------------------------------------


def _repeat_count(counts: Any, n: Any) -> int:
    if len(counts) not in (1, n) or (counts < 0).any():
        raise RoutineFailed("a count is negative, or there are too many or too few of them")
    return int(counts.sum() if len(counts) == n else counts[0] * n)


def _repeat_index(out: Any, counts: Any, n: Any) -> None:
    out[...] = np.repeat(np.arange(int(n)), counts)


def _counts(f: Writer, array: int) -> tuple[str, str]:
    """The address of the counts and their stride: 0 where one serves all."""
    single = f.op(f"icmp eq i64 {f.dim(array, 0)}, 1")
    return f.pointer(array), f.op(f"select i1 {single}, i64 0, i64 {f.stride(array, 0)}")


def _repeat_count_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    del dtypes, target
    f = Writer(symbol, _row("repeat_count"))
    pointer, stride = _counts(f, 0)
    n, given = f.number(0), f.dim(0, 0)

    def add(i: str, carried: list[str]) -> list[str]:
        total, signs = carried
        count = f.op(f"load i64, ptr {f.place(pointer, (i, stride))}, align 1")
        total = f.binary("add", total, count)
        return [total, f.binary("or", f.binary("or", signs, count), total)]

    def all_counts() -> list[str]:
        total, signs = f.loop(0, n, 1, [("i64", "0"), ("i64", "0")], add)
        return [f.op(f"select i1 {f.op(f'icmp slt i64 {signs}, 0')}, i64 -1, i64 {total}")]

    same = f.op(f"icmp eq i64 {n}, {given}")
    fits = f.op(f"or i1 {same}, {f.op(f'icmp eq i64 {given}, 1')}")
    return Text(f.finish(f.choose(fits, [("i64", "-1")], all_counts)[0]))


def _repeat_index_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    del dtypes, target
    f = Writer(symbol, _row("repeat_index"))
    out, step = f.pointer(0), f.stride(0, 0)
    pointer, stride = _counts(f, 1)

    def element(i: str, at: list[str]) -> list[str]:
        count = f.op(f"load i64, ptr {f.place(pointer, (i, stride))}, align 1")
        end = f.smin(f.binary("add", at[0], count), f.dim(0, 0))

        def put(j: str) -> None:
            f.do(f"store i64 {i}, ptr {f.place(out, (j, step))}, align 1")

        f.each(at[0], end, 1, put)
        return [end]

    f.loop(0, f.number(0), 1, [("i64", "0")], element)
    return Text(f.finish())


# elements that are not zero --------------------------------------------------------------------


def _count_nonzero(x: Any) -> int:
    return int(np.count_nonzero(x))


def _nonzero(*arrays: Any) -> None:
    *outs, x = arrays
    for out, found in zip(outs, np.nonzero(x), strict=True):
        out[...] = found[: len(out)]


def _mask(dtype: str) -> int:
    """The bits of an element that tell whether it is not zero, as a signed number."""
    if dtype == "bool":
        return 1
    return (1 << (keys.bits(dtype) - 1)) - 1 if dtype.startswith("float") else -1


def _is_nonzero(f: Writer, dtype: str, address: str) -> str:
    kind = f"i{keys.bits(dtype)}"
    value = f.op(f"and {kind} {keys.load(f, kind, address)}, {_mask(dtype)}")
    return f.op(f"icmp ne {kind} {value}, 0")


def _count_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    """Vectors of 64 bytes where elements lie side by side."""
    del target
    (dtype,) = dtypes
    size = ITEMSIZE[dtype]
    lanes, kind = 64 // size, f"i{8 * size}"
    f = Writer(symbol, _row("count_nonzero"))
    pointer, length, stride = f.pointer(0), f.dim(0, 0), f.stride(0, 0)
    tight = f.op(f"icmp eq i64 {stride}, {size}")
    whole = f.op(f"select i1 {tight}, i64 {f.binary('and', length, -lanes)}, i64 0")
    vector = f"<{lanes} x {kind}>"
    ones = f"<{', '.join([f'{kind} {_mask(dtype)}'] * lanes)}>"

    def block(i: str, total: list[str]) -> list[str]:
        values = f.op(f"load {vector}, ptr {f.at(kind, pointer, i)}, align 1")
        values = f.op(f"and {vector} {values}, {ones}")
        some = f.op(f"icmp ne {vector} {values}, zeroinitializer")
        found = f.op(f"bitcast <{lanes} x i1> {some} to i{lanes}")
        count = f.op(f"call i{lanes} @llvm.ctpop.i{lanes}(i{lanes} {found})")
        wide = count if lanes == 64 else f.op(f"zext i{lanes} {count} to i64")
        return [f.binary("add", total[0], wide)]

    def element(i: str, total: list[str]) -> list[str]:
        found = _is_nonzero(f, dtype, f.place(pointer, (i, stride)))
        return [f.binary("add", total[0], f.op(f"zext i1 {found} to i64"))]

    before = f.loop(0, whole, lanes, [("i64", "0")], block)
    total = f.loop(whole, length, 1, [("i64", before[0])], element)[0]
    declared = f"declare i{lanes} @llvm.ctpop.i{lanes}(i{lanes})\n"
    return Text(declared + f.finish(total))


class _Positions:
    """Writes ``nonzeroN``: loops over the axes, which carry how many were found."""

    def __init__(self, symbol: str, dtype: str, rank: int) -> None:
        self.f = f = Writer(symbol, _row(f"nonzero{rank}"))
        self.dtype, self.rank = dtype, rank
        self.outs = [(f.pointer(i), f.stride(i, 0)) for i in range(rank)]
        self.room = f.dim(0, 0)
        self.extents = [f.dim(rank, axis) for axis in range(rank)]
        self.strides = [f.stride(rank, axis) for axis in range(rank)]

    def text(self) -> Text:
        """All of it."""
        self.axis((), self.f.pointer(self.rank), "0")
        return Text("declare i64 @llvm.cttz.i64(i64, i1)\n" + self.f.finish())

    def axis(self, indices: tuple[str, ...], pointer: str, found: str) -> str:
        """The elements below some indices; how many were found by then."""
        f, number = self.f, len(indices)
        if number == self.rank - 1:
            return self.line(indices, pointer, found)

        def run(i: str, carried: list[str]) -> list[str]:
            below = f.place(pointer, (i, self.strides[number]))
            return [self.axis((*indices, i), below, carried[0])]

        return f.loop(0, self.extents[number], 1, [("i64", found)], run)[0]

    def put(self, indices: tuple[str, ...], at: str) -> None:
        """Store a position as number ``at``, for which there is room."""
        for (out, stride), index in zip(self.outs, indices, strict=True):
            self.f.do(f"store i64 {index}, ptr {self.f.place(out, (at, stride))}, align 1")

    def line(self, indices: tuple[str, ...], pointer: str, found: str) -> str:
        """The elements along the last axis."""
        f, length, stride = self.f, self.extents[-1], self.strides[-1]
        start = [("i64", "0"), ("i64", found)]
        if self.dtype == "bool":
            tight = f.op(f"icmp eq i64 {stride}, 1")
            whole = f.op(f"select i1 {tight}, i64 {f.binary('and', length, -8)}, i64 0")

            def word(i: str, carried: list[str]) -> list[str]:
                return [self.word(indices, f.at("i8", pointer, i), i, carried[0])]

            words = f.loop(0, whole, 8, [("i64", found)], word)
            start = [("i64", whole), ("i64", words[0])]

        def more(values: list[str]) -> str:
            i, at = values
            left = f.op(f"icmp slt i64 {i}, {length}")
            return f.both(left, f.op(f"icmp slt i64 {at}, {self.room}"))

        def element(values: list[str]) -> list[str]:
            i, at = values
            self.put((*indices, i), at)
            some = _is_nonzero(f, self.dtype, f.place(pointer, (i, stride)))
            grown = f.binary("add", at, f.op(f"zext i1 {some} to i64"))
            return [f.binary("add", i, 1), grown]

        return f.repeat(start, more, element)[1]

    def word(self, indices: tuple[str, ...], pointer: str, i: str, found: str) -> str:
        """Eight bools at once: nothing to do where none is true."""
        f = self.f
        bits = f.binary("and", f.op(f"load i64, ptr {pointer}, align 1"), 0x0101010101010101)
        some = f.op(f"icmp ne i64 {bits}, 0")
        ample = f.op(f"icmp sle i64 {f.binary('add', found, 8)}, {self.room}")

        def any_of_them() -> list[str]:
            return f.choose(
                ample, [("i64", "")],
                lambda: [self.all_eight(indices, bits, i, found)],
                lambda: [self.one_by_one(indices, bits, i, found)],
            )  # fmt: skip

        return f.choose(some, [("i64", found)], any_of_them)[0]

    def all_eight(self, indices: tuple[str, ...], bits: str, i: str, found: str) -> str:
        """Each position is stored, and the next one over it if the element is false."""
        f = self.f
        for number in range(8):
            self.put((*indices, f.binary("add", i, number)), found)
            bit = f.binary("and", f.binary("lshr", bits, 8 * number), 1)
            found = f.binary("add", found, bit)
        return found

    def one_by_one(self, indices: tuple[str, ...], bits: str, i: str, found: str) -> str:
        """The true ones by their bits, as long as there is room."""
        f = self.f

        def more(values: list[str]) -> str:
            some = f.op(f"icmp ne i64 {values[0]}, 0")
            return f.both(some, f.op(f"icmp slt i64 {values[1]}, {self.room}"))

        def one(values: list[str]) -> list[str]:
            rest, at = values
            zeros = f.op(f"call i64 @llvm.cttz.i64(i64 {rest}, i1 true)")
            self.put((*indices, f.binary("add", i, f.binary("lshr", zeros, 3))), at)
            rest = f.binary("and", rest, f.binary("sub", rest, 1))
            return [rest, f.binary("add", at, 1)]

        return f.repeat([("i64", bits), ("i64", found)], more, one)[1]


def _positions_row(rank: int) -> Routine:
    return Routine(
        f"nonzero{rank}", (*(1,) * rank, rank), rank, _nonzero,
        lambda symbol, dtypes, target: _Positions(symbol, dtypes[0], rank).text(), typed=(rank,),
        samples=_nonzero_samples(rank),
    )  # fmt: skip


def _search_samples(by: bool) -> Callable[[Any], Iterator[Sample]]:
    def make(rng: Any) -> Iterator[Sample]:
        for dtype in DTYPES:
            for n, m in ((9, 20), (300, 40), (0, 3), (4, 0), (1, 2)):
                x, v = (sample_values(rng, dtype, (size,)) for size in (n, m))
                order = np.argsort(x, kind="stable")
                given = (x, v, order) if by else (x[order], v)
                for right in (0, 1):
                    yield Sample((np.empty(m, "int64"), *given), (right,))
        if by:
            x, v = np.zeros(3), np.zeros(2)
            for bad in ([0, 1, 3], [-1, 0, 1], [0, 1], []):
                yield Sample((np.empty(2, "int64"), x, v, np.array(bad, "int64")), (0,))

    return make


def _count_samples(rng: Any) -> Iterator[Sample]:
    for n in (0, 1, 5):
        counts = rng.integers(0, 4, n)
        yield Sample((counts,), (n,))
        yield Sample((counts,), (n + 1,))
    yield Sample((np.array([3]),), (7,))
    yield Sample((np.array([3, -1, 2]),), (3,))
    yield Sample((np.array([-1]),), (7,))


def _repeat_samples(rng: Any) -> Iterator[Sample]:
    for sample in _count_samples(rng):
        (counts,), (n,) = sample.arrays, sample.numbers
        if len(counts) in (1, n) and not (counts < 0).any():
            total = _repeat_count(counts, n)
            yield Sample((np.empty(total, "int64"), counts), (n,))


def _nonzero_samples(rank: int) -> Callable[[Any], Iterator[Sample]]:
    """Rank 0: calls of the routine that only counts."""

    def make(rng: Any) -> Iterator[Sample]:
        for dtype in DTYPES:
            for extents in ((5, 37), (2, 300), (3, 8), (4, 1), (2, 0)):
                x = sample_values(rng, dtype, (*(2,) * (rank - 2), *extents)[-max(rank, 1) :])
                found = int(np.count_nonzero(x))
                yield Sample((*(np.empty(found, "int64") for _ in range(rank)), x))

    return make


def _row(name: str) -> Routine:
    return next(row for row in ROUTINES if row.name == name)


ROUTINES: Final = (
    Routine(
        "searchsorted", (1, 1, 1), 1, _searchsorted,
        lambda s, d, t: _search_text(s, d, t, "searchsorted"), (1,), ("int64",), weight=100,
        samples=_search_samples(by=False),
    ),
    Routine(
        "searchsorted_by", (1, 1, 1, 1), 1, _searchsorted_by,
        lambda s, d, t: _search_text(s, d, t, "searchsorted_by"), (1,), ("int64",), weight=100,
        samples=_search_samples(by=True),
    ),
    Routine(
        "repeat_count", (1,), 0, _repeat_count, _repeat_count_text, (0,), ("int64",), gives=True,
        samples=_count_samples,
    ),
    Routine(
        "repeat_index", (1, 1), 1, _repeat_index, _repeat_index_text, (1,), ("int64",),
        samples=_repeat_samples,
    ),
    Routine(
        "count_nonzero", (1,), 0, _count_nonzero, _count_text, gives=True, weight=1,
        samples=_nonzero_samples(0),
    ),
    *(_positions_row(rank) for rank in range(1, MAX_RANK + 1)),
)  # fmt: skip
