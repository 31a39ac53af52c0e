"""Sorting along the middle axis of three: values, the positions that sort, the best k."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.irtext import Function
from theano.runtime.routines import keys, vector_sort
from theano.runtime.routines.base import (
    PARTS_HELPERS,
    Part,
    Routine,
    RoutineFailed,
    Sample,
    Text,
    Writer,
    in_parts,
)

if TYPE_CHECKING:
    from theano.runtime.support import Target

_HELPERS: Final = (*PARTS_HELPERS, *keys.HELPERS)
_WEIGHT: Final = 2000  # of an element: about 15 nanoseconds
_FEW: Final = 8000  # items with positions that vectors sort faster than bytes do


def _sort(out: Any, x: Any) -> None:
    out[...] = np.sort(x, axis=1, kind="stable")


def _argsort(out: Any, x: Any) -> None:
    out[...] = np.argsort(x, axis=1, kind="stable")


def _topk(values: Any, places: Any, x: Any, largest: Any) -> None:
    if places.shape[1] > x.shape[1]:
        raise RoutineFailed("there are fewer elements than are wanted")
    order = np.argsort(_reversed(x) if largest else x, axis=1, kind="stable")
    places[...] = order[:, : places.shape[1]]
    values[...] = np.take_along_axis(x, places, axis=1)


def _reversed(x: Any) -> Any:
    """The ranks of the elements, greatest first; NaN is the greatest."""
    # (As float32: quicksort of float16 is wrong in NumPy 2.4 where elements repeat.)
    wide = x.astype("float32") if x.dtype == "float16" else x
    flat = np.unique(wide, return_inverse=True)[1]
    return -flat.reshape(x.shape)


def _lines(array: int) -> Callable[[Writer], tuple[str, str, int]]:
    """The plan of a routine that works on the lines of an array."""

    def plan(f: Writer) -> tuple[str, str, int]:
        lines = f.binary("mul", f.dim(array, 0), f.dim(array, 2))
        return lines, f.dim(array, 1), _WEIGHT

    return plan


class _Line:
    """The elements of one line of an array."""

    def __init__(self, f: Part, array: int, kind: str) -> None:
        self.f, self.array, self.kind = f, array, kind
        self.pointer = f.pointer(array)
        self.strides = [f.stride(array, axis) for axis in range(3)]
        self.base = self.pointer

    def begin(self, outer: str, inner: str) -> None:
        """Move to a line."""
        moves = ((outer, self.strides[0]), (inner, self.strides[2]))
        self.base = self.f.place(self.pointer, *moves)

    def at(self, i: str) -> str:
        """The address of element ``i``."""
        return self.f.place(self.base, (i, self.strides[1]))

    def load(self, i: str) -> str:
        """Element ``i``."""
        return keys.load(self.f, self.kind, self.at(i))

    def store(self, value: str, i: str) -> None:
        """Set element ``i``."""
        self.f.do(f"store {self.kind} {value}, ptr {self.at(i)}, align 1")


def _each_line(
    f: Part, first: str, end: str, inner: str, lines: list[_Line], body: Callable[[], None]
) -> None:
    def run(number: str) -> None:
        outer, rest = (f.op(f"{op} i64 {number}, {inner}") for op in ("udiv", "urem"))
        for line in lines:
            line.begin(outer, rest)
        body()

    f.each(first, end, 1, run)


def _buffers(f: Part, count: str, width: int) -> tuple[str, str, str]:
    """(items, spare items, counters); the first is what th_free takes."""
    size = f.binary("mul", count, width // 8)
    # Both halves keep an alignment of 64 bytes, and vectors may be stored past their ends.
    size = f.binary("and", f.binary("add", size, 63 + vector_sort.SLACK), -64)
    total = f.binary("add", f.binary("shl", size, 1), keys.COUNTERS)
    items = f.op(f"call ptr @th_alloc(i64 {total})")
    f.fail_if(f.op(f"icmp eq ptr {items}, null"))
    spare = f.at("i8", items, size)
    return items, spare, f.at("i8", spare, size)


def _arranged(f: Part, items: str, spare: str, count: str, counters: str) -> str:
    return f.op(
        f"call ptr @{f.symbol}_arrange(ptr {items}, ptr {spare}, i64 {count}, ptr {counters})"
    )


def _refuse_long(f: Part, length: str) -> None:
    f.fail_if(f.op(f"icmp sgt i64 {length}, {keys.LONGEST}"))


class _Values:
    """Writes the part function of ``sort``: keys of a line into memory, sorted, and back."""

    def __init__(self, f: Part, dtype: str, target: Target) -> None:
        self.f, self.dtype, self.width = f, dtype, keys.bits(dtype)
        self.kind = f"i{self.width}"
        self.lanes = max(2, target.vector_bytes * 8 // self.width)
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.by_vectors = vector_sort.usable(self.width, target)
        self.length = f.dim(0, 1)
        _refuse_long(f, self.length)
        self.items, self.spare, self.counters = _buffers(f, self.length, self.width)
        self.out, self.x = _Line(f, 0, self.kind), _Line(f, 1, self.kind)

    def write(self, first: str, end: str) -> None:
        """Lines ``first`` to ``end``."""
        _each_line(self.f, first, end, self.f.dim(0, 2), [self.out, self.x], self.line)
        self.f.do(f"call void @th_free(ptr {self.items})")

    def line(self) -> None:
        """One line."""
        unsorted = self.fill()
        (found,) = self.f.choose(unsorted, [("ptr", self.items)], lambda: [self.arranged()])
        self.give(found)

    def arranged(self) -> str:
        """Sort; where the result is."""
        if not self.by_vectors:
            return _arranged(self.f, self.items, self.spare, self.length, self.counters)
        given = f"ptr {self.items}, ptr {self.spare}, i64 {self.length}, ptr {self.counters}"
        self.f.do(f"call void @{self.f.symbol}_vectors({given})")
        return self.items

    def whole(self, line: _Line) -> str:
        """How many elements can be taken as vectors."""
        tight = self.f.op(f"icmp eq i64 {line.strides[1]}, {self.width // 8}")
        count = self.f.binary("and", self.length, -self.lanes)
        return self.f.op(f"select i1 {tight}, i64 {count}, i64 0")

    def fill(self) -> str:
        """Store the keys; whether some element is less than the one before it."""
        f, kind, vector, lanes = self.f, self.kind, self.vector, self.lanes
        flags = f"<{lanes} x i1>"
        shift = ", ".join(f"i32 {lanes - 1 + lane}" for lane in range(lanes))

        def several(i: str, carried: list[str]) -> list[str]:
            last, unsorted = carried
            value = f.op(f"load {vector}, ptr {f.at(kind, self.x.base, i)}, align 1")
            items = keys.key(f, self.dtype, value, zeros_differ=True, lanes=lanes)
            f.do(f"store {vector} {items}, ptr {f.at(kind, self.items, i)}, align 1")
            before = f.op(
                f"shufflevector {vector} {last}, {vector} {items}, <{lanes} x i32> <{shift}>"
            )
            less = f.op(f"icmp ult {vector} {items}, {before}")
            return [items, f.op(f"or {flags} {unsorted}, {less}")]

        def one(i: str, carried: list[str]) -> list[str]:
            before, unsorted = carried
            item = keys.key(f, self.dtype, self.x.load(i), zeros_differ=True)
            f.do(f"store {kind} {item}, ptr {f.at(kind, self.items, i)}, align 1")
            less = f.op(f"icmp ult {kind} {item}, {before}")
            return [item, f.op(f"or i1 {unsorted}, {less}")]

        whole = self.whole(self.x)
        start = [(vector, "zeroinitializer"), (flags, "zeroinitializer")]
        last, found = f.loop(0, whole, lanes, start, several)
        before = f.op(f"extractelement {vector} {last}, i32 {lanes - 1}")
        bits = f.op(f"bitcast {flags} {found} to i{lanes}")
        some = f.op(f"icmp ne i{lanes} {bits}, 0")
        return f.loop(whole, self.length, 1, [(kind, before), ("i1", some)], one)[1]

    def give(self, found: str) -> None:
        """Store the elements of sorted keys."""
        f, kind, vector, lanes = self.f, self.kind, self.vector, self.lanes

        def several(i: str) -> None:
            items = f.op(f"load {vector}, ptr {f.at(kind, found, i)}, align 1")
            values = keys.element(f, self.dtype, items, lanes)
            f.do(f"store {vector} {values}, ptr {f.at(kind, self.out.base, i)}, align 1")

        def one(i: str) -> None:
            item = keys.load(f, kind, f.at(kind, found, i))
            self.out.store(keys.element(f, self.dtype, item), i)

        whole = self.whole(self.out)
        f.each(0, whole, lanes, several)
        f.each(whole, self.length, 1, one)


def _sort_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    (dtype,) = dtypes
    width = keys.bits(dtype)
    arrange = keys.arrange_ir(f"{symbol}_arrange", width, 0, width)
    if vector_sort.usable(width, target):
        radix = f"{symbol}_arrange"
        arrange += vector_sort.vector_sort_ir(f"{symbol}_vectors", width, radix)

    def body(f: Part, first: str, end: str) -> None:
        _Values(f, dtype, target).write(first, end)

    text = in_parts(symbol, _row("sort"), _lines(0), body)
    return Text(keys.DECLARED + arrange + text, _HELPERS)


def _argsort_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    (dtype,) = dtypes
    width = keys.item_bits(dtype)
    kind = f"i{width}"

    def body(f: Part, first: str, end: str) -> None:
        length, inner = f.dim(0, 1), f.dim(0, 2)
        _refuse_long(f, length)
        items, spare, counters = _buffers(f, length, width)
        out, x = _Line(f, 0, "i64"), _Line(f, 1, f"i{keys.bits(dtype)}")

        def line() -> None:
            def fill(i: str) -> None:
                item = keys.packed(f, dtype, keys.key(f, dtype, x.load(i)), i)
                f.do(f"store {kind} {item}, ptr {f.at(kind, items, i)}, align 8")

            f.each(0, length, 1, fill)
            found = _arranged(f, items, spare, length, counters)

            def write(i: str) -> None:
                item = f.op(f"load {kind}, ptr {f.at(kind, found, i)}, align 8")
                out.store(keys.place_of(f, dtype, item), i)

            f.each(0, length, 1, write)

        _each_line(f, first, end, inner, [out, x], line)
        f.do(f"call void @th_free(ptr {items})")

    text = in_parts(symbol, _row("argsort"), _lines(0), body)
    return Text(keys.DECLARED + _arrange_packed(symbol, dtype, target) + text, _HELPERS)


def _arrange_packed(symbol: str, dtype: str, target: Target) -> str:
    """How items of keys and positions are sorted: short arrays by vectors, if they fit."""
    width, name = keys.item_bits(dtype), f"{symbol}_arrange"
    if not vector_sort.usable(width, target):
        return keys.arrange_ir(name, width, width // 2, keys.bits(dtype))
    slow, fast = f"{symbol}_slow", f"{symbol}_vectors"
    f = Function(f"internal ptr @{name}(ptr %items, ptr %spare, i64 %n, ptr %counters)")

    def by_vectors() -> list[str]:
        f.do(f"call void @{fast}(ptr %items, ptr %spare, i64 %n, ptr %counters)")
        return ["%items"]

    def by_bytes() -> list[str]:
        given = "ptr %items, ptr %spare, i64 %n, ptr %counters"
        return [f.op(f"call ptr @{slow}({given})")]

    few = f.op(f"icmp sle i64 %n, {_FEW}")
    f.do(f"ret ptr {f.choose(few, [('ptr', '')], by_vectors, by_bytes)[0]}")
    arrange = keys.arrange_ir(slow, width, width // 2, keys.bits(dtype))
    return arrange + vector_sort.vector_sort_ir(fast, width, slow) + f.text()


class _Best:
    """Writes the part function of ``topk``.

    Items below the worst of the best k so far are collected; when the room is full, they are
    sorted and the best k kept.
    """

    def __init__(self, f: Part, dtype: str) -> None:
        self.f, self.dtype = f, dtype
        self.width, self.narrow = keys.item_bits(dtype), f"i{keys.bits(dtype)}"
        self.kind = f"i{self.width}"
        self.k, self.length = f.dim(0, 1), f.dim(2, 1)
        _refuse_long(f, self.length)
        f.fail_if(f.op(f"icmp sgt i64 {self.k}, {self.length}"))
        twice = f.binary("add", f.binary("shl", self.k, 1), 64)
        self.room = f.smin(twice, self.length)
        self.items, self.spare, self.counters = _buffers(f, self.room, self.width)
        self.values, self.places = _Line(f, 0, self.narrow), _Line(f, 1, "i64")
        self.x = _Line(f, 2, self.narrow)
        largest = f.op(f"icmp ne i64 {f.number(0)}, 0")
        self.turn = f.op(f"sext i1 {largest} to {self.narrow}")

    def write(self, first: str, end: str) -> None:
        """Lines ``first`` to ``end``."""
        lines = [self.values, self.places, self.x]
        _each_line(self.f, first, end, self.f.dim(0, 2), lines, self.line)
        self.f.do(f"call void @th_free(ptr {self.items})")

    def line(self) -> None:
        """One line."""
        f = self.f
        start = [("i64", "0"), ("i64", "0"), (self.kind, "-1")]
        _, count, _ = f.repeat(
            start, lambda c: f.op(f"icmp slt i64 {c[0]}, {self.length}"), self.collect
        )
        found = self.arranged(count)

        def write(i: str) -> None:
            place = keys.place_of(f, self.dtype, self.item(found, i))
            self.places.store(place, i)
            self.values.store(self.x.load(place), i)

        f.each(0, self.k, 1, write)

    def arranged(self, count: str) -> str:
        """Where the first ``count`` items are in order."""
        return _arranged(self.f, self.items, self.spare, count, self.counters)

    def item(self, pointer: str, i: str) -> str:
        """Item ``i``."""
        return self.f.op(f"load {self.kind}, ptr {self.f.at(self.kind, pointer, i)}, align 8")

    def put(self, item: str, i: str) -> None:
        """Store an item as number ``i``."""
        place = self.f.at(self.kind, self.items, i)
        self.f.do(f"store {self.kind} {item}, ptr {place}, align 8")

    def keep(self, source: str) -> str:
        """Copy the best k to the front; the worst of them."""

        def move(i: str, last: list[str]) -> list[str]:
            del last
            item = self.item(source, i)
            self.put(item, i)
            return [item]

        return self.f.loop(0, self.k, 1, [(self.kind, "-1")], move)[0]

    def collect(self, carried: list[str]) -> list[str]:
        """Go on until the room is full; carried: the next element, items, the worst."""
        f, worst = self.f, carried[2]

        def more(values: list[str]) -> str:
            left = f.op(f"icmp slt i64 {values[0]}, {self.length}")
            return f.both(left, f.op(f"icmp slt i64 {values[1]}, {self.room}"))

        def one(values: list[str]) -> list[str]:
            i, count = values
            own = keys.key(f, self.dtype, self.x.load(i))
            own = f.op(f"xor {self.narrow} {own}, {self.turn}")
            item = keys.packed(f, self.dtype, own, i)
            self.put(item, count)
            better = f.op(f"icmp ult {self.kind} {item}, {worst}")
            grown = f.binary("add", count, f.op(f"zext i1 {better} to i64"))
            return [f.binary("add", i, 1), grown]

        start = [("i64", carried[0]), ("i64", carried[1])]
        at, count = f.repeat(start, more, one)
        full = f.op(f"icmp eq i64 {count}, {self.room}")

        def shrink() -> list[str]:
            return [self.k, self.keep(self.arranged(count))]

        return [at, *f.choose(full, [("i64", count), (self.kind, worst)], shrink)]


def _topk_text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    (dtype,) = dtypes

    def body(f: Part, first: str, end: str) -> None:
        _Best(f, dtype).write(first, end)

    text = in_parts(symbol, _row("topk"), _lines(2), body)
    return Text(keys.DECLARED + _arrange_packed(symbol, dtype, target) + text, _HELPERS)


def sample_values(rng: Any, dtype: str, shape: tuple[int, ...]) -> Any:
    """Elements with many ties; floats with NaN, infinities and zeros of both signs."""
    values = np.rint(rng.normal(size=shape) * 9)
    if dtype == "bool":
        return values > 0
    if dtype.startswith("uint"):
        return (values + 40).astype(dtype)
    if dtype.startswith("int"):
        return values.astype(dtype) * (1 << (keys.bits(dtype) - 7))
    strange = rng.integers(0, 40, shape)
    for number, special in enumerate((np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-7)):
        values = np.where(strange == number, special, values)
    return values.astype(dtype)


DTYPES: Final = (
    "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
    "float32", "float64",
)  # fmt: skip


def _sort_samples(rng: Any) -> Iterator[Sample]:
    for dtype in DTYPES:
        for shape in ((3, 9, 2), (1, 300, 1), (2, 0, 1), (0, 3, 2), (2, 41, 3), (1, 5000, 1)):
            x = sample_values(rng, dtype, shape)
            yield Sample((np.empty(shape, dtype), x))
    up = np.arange(1000.0)
    for x in (up, up[::-1], np.abs(up - 500), up % 7, up * 0, np.minimum(up, 3), np.roll(up, 5)):
        for dtype in ("float64", "int32"):
            yield Sample((np.empty((1, 1000, 1), dtype), x.reshape(1, 1000, 1).astype(dtype)))


def _argsort_samples(rng: Any) -> Iterator[Sample]:
    for sample in _sort_samples(rng):
        yield Sample((np.empty(sample.arrays[0].shape, "int64"), sample.arrays[1]))


def _topk_samples(rng: Any) -> Iterator[Sample]:
    for dtype in DTYPES:
        for shape, k in (((3, 9, 2), 4), ((1, 3000, 1), 7), ((2, 0, 1), 0), ((0, 3, 2), 2),
                         ((1, 500, 2), 400), ((2, 2000, 1), 100), ((1, 3, 1), 4)):  # fmt: skip
            x = sample_values(rng, dtype, shape)
            made = (shape[0], k, shape[2])
            for largest in (0, 1):
                arrays = (np.empty(made, dtype), np.empty(made, "int64"), x)
                yield Sample(arrays, (largest,))


def _row(name: str) -> Routine:
    return next(row for row in ROUTINES if row.name == name)


ROUTINES: Final = (
    Routine("sort", (3, 3), 1, _sort, _sort_text, weight=40, samples=_sort_samples),
    Routine(
        "argsort", (3, 3), 1, _argsort, _argsort_text, (1,), weight=60, samples=_argsort_samples
    ),
    Routine(
        "topk", (3, 3, 3), 2, _topk, _topk_text, (2,), ("int64",), weight=20, samples=_topk_samples
    ),
)
