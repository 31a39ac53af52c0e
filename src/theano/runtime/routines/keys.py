"""Elements as unsigned integers that have the order of the elements, and radix sorts of these.

A *key* has the width of the element: integers with the sign bit turned, floats with all bits turned
if negative, NaN as the greatest. An *item* is what is sorted: a key, or a key with the position
that it came from below it, which makes every sort a stable one.
"""

from __future__ import annotations

from typing import Final

from theano.runtime.irtext import Function
from theano.runtime.routines.base import ITEMSIZE

#: Items up to this number are sorted by insertion.
SHORT: Final = 40
#: Bytes of the counters of `arrange_ir`.
COUNTERS: Final = 8 * 256 * 4
#: Lines of more elements are left to the reference: counters and positions have 32 bits.
LONGEST: Final = (1 << 31) - 2
HELPERS: Final = ("th_alloc", "th_free")
DECLARED: Final = "declare ptr @th_alloc(i64)\ndeclare void @th_free(ptr)\n"
_INFINITY: Final = {"float16": 0x7C00, "float32": 0x7F800000, "float64": 0x7FF0000000000000}


def bits(dtype: str) -> int:
    """The width of an element, and of its key."""
    return 8 * ITEMSIZE[dtype]


def item_bits(dtype: str) -> int:
    """The width of an item of a key and a position."""
    return 64 if bits(dtype) <= 32 else 128


class _Bits:
    """Operations on integers of a dtype's width, or on vectors of them."""

    def __init__(self, f: Function, dtype: str, lanes: int) -> None:
        self.f, self.dtype, self.width, self.lanes = f, dtype, bits(dtype), lanes
        one = f"i{self.width}"
        self.kind = one if lanes == 1 else f"<{lanes} x {one}>"
        self.flag = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.sign = self.number(-(1 << (self.width - 1)))

    def number(self, value: int) -> str:
        """A constant, the same in all lanes."""
        one = f"i{self.width} {value}"
        return str(value) if self.lanes == 1 else f"<{', '.join([one] * self.lanes)}>"

    def op(self, name: str, a: str, b: str) -> str:
        """``a name b``."""
        return self.f.op(f"{name} {self.kind} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        """``condition ? a : b``."""
        return self.f.op(f"select {self.flag} {condition}, {self.kind} {a}, {self.kind} {b}")

    @property
    def plain(self) -> bool:
        """Whether elements are keys as they are."""
        return self.dtype == "bool" or self.dtype.startswith("u")


def key(f: Function, dtype: str, value: str, zeros_differ: bool = False, lanes: int = 1) -> str:
    """The key of an element, which is given as an integer of its width, or of a vector of them.

    ``zeros_differ``: -0.0 before 0.0 rather than equal to it (then a key tells the element).
    """
    b = _Bits(f, dtype, lanes)
    if b.plain:
        return value
    if dtype.startswith("int"):
        return b.op("xor", value, b.sign)
    magnitude = b.op("and", value, b.number((1 << (b.width - 1)) - 1))
    zero = b.number(0)
    if not zeros_differ:
        value = b.select(b.op("icmp eq", magnitude, zero), zero, value)
    spread = b.op("ashr", value, b.number(b.width - 1))
    turned = b.op("xor", value, b.op("or", spread, b.sign))
    nan = b.op("icmp ugt", magnitude, b.number(_INFINITY[dtype]))
    return b.select(nan, b.number(-1), turned)


def element(f: Function, dtype: str, value: str, lanes: int = 1) -> str:
    """The element of a key that tells -0.0 from 0.0; every NaN becomes the same."""
    b = _Bits(f, dtype, lanes)
    if b.plain:
        return value
    if dtype.startswith("int"):
        return b.op("xor", value, b.sign)
    spread = b.op("ashr", b.op("xor", value, b.number(-1)), b.number(b.width - 1))
    return b.op("xor", value, b.op("or", spread, b.sign))


def packed(f: Function, dtype: str, value: str, place: str) -> str:
    """An item of a key and the i64 position that it came from."""
    width = item_bits(dtype)
    kind, low = f"i{width}", width // 2
    wide = f.op(f"zext i{bits(dtype)} {value} to {kind}")
    position = place if width == 64 else f.op(f"zext i64 {place} to {kind}")
    return f.op(f"or {kind} {f.op(f'shl {kind} {wide}, {low}')}, {position}")


def place_of(f: Function, dtype: str, item: str) -> str:
    """The i64 position in an item."""
    if item_bits(dtype) == 64:
        return f.op(f"and i64 {item}, {(1 << 32) - 1}")
    return f.op(f"trunc i128 {item} to i64")


def load(f: Function, kind: str, pointer: str) -> str:
    """The element at an address without alignment."""
    return f.op(f"load {kind}, ptr {pointer}, align 1")


def arrange_ir(name: str, width: int, low: int, key_width: int) -> str:
    """``ptr name(items, spare, i64 n, counters)`` sorts items of ``width`` bits.

    Their keys are the ``key_width`` bits from bit ``low`` on. The result is in ``items`` or in
    ``spare``: the function returns which. Short arrays are sorted by insertion, others by a least
    significant digit radix sort of bytes; bytes that all items share cost nothing.
    """
    f = Function(f"internal ptr @{name}(ptr %items, ptr %spare, i64 %n, ptr %counters)")
    kind = f"i{width}"
    short = f.op(f"icmp sle i64 %n, {SHORT}")

    def radix() -> list[str]:
        return [f.op(f"call ptr @{name}_radix(ptr %items, ptr %spare, i64 %n, ptr %counters)")]

    def insertion() -> list[str]:
        f.each(1, "%n", 1, lambda i: _insert(f, kind, i))
        return ["%items"]

    found = f.choose(short, [("ptr", "")], insertion, radix)[0]
    f.do(f"ret ptr {found}")
    return _Radix(f"{name}_radix", width, low, key_width).whole() + f.text()


def _insert(f: Function, kind: str, i: str) -> None:
    """Move item ``i`` down to where it belongs among those before it."""
    value = load(f, kind, f.at(kind, "%items", i))
    seen = []

    def greater(values: list[str]) -> str:
        (j,) = values
        some = f.op(f"icmp sgt i64 {j}, 0")
        before = f.op(f"select i1 {some}, i64 {f.binary('sub', j, 1)}, i64 0")
        item = load(f, kind, f.at(kind, "%items", before))
        seen.append(item)
        return f.both(some, f.op(f"icmp ugt {kind} {item}, {value}"))

    def up(values: list[str]) -> list[str]:
        (j,) = values
        f.do(f"store {kind} {seen[0]}, ptr {f.at(kind, '%items', j)}, align 1")
        return [f.binary("sub", j, 1)]

    (at,) = f.repeat([("i64", i)], greater, up)
    f.do(f"store {kind} {value}, ptr {f.at(kind, '%items', at)}, align 1")


class _Radix(Function):
    """Writes a radix sort of items of ``width`` bits."""

    def __init__(self, name: str, width: int, low: int, key_width: int) -> None:
        super().__init__(f"internal ptr @{name}(ptr %items, ptr %spare, i64 %n, ptr %counters)")
        self.width, self.kind, self.digits = width, f"i{width}", key_width // 8
        self.lowest = 0 if width == 128 else low

    def whole(self) -> str:
        """All of it."""
        size = self.digits * 1024
        self.do(f"call void @llvm.memset.p0.i64(ptr %counters, i8 0, i64 {size}, i1 false)")
        self.each(0, "%n", 1, self.count)
        start = [("ptr", "%items"), ("ptr", "%spare")]
        (found, _) = self.loop(0, self.digits, 1, start, self.one_pass)
        self.do(f"ret ptr {found}")
        return "declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n" + self.text()

    def word(self, pointer: str, i: str) -> tuple[str, str]:
        """An item, and the part of it with the key as i64."""
        kind = self.kind
        item = load(self, kind, self.at(kind, pointer, i))
        if self.width == 128:
            return item, self.op(f"trunc i128 {self.op(f'lshr i128 {item}, 64')} to i64")
        return item, item if self.width == 64 else self.op(f"zext {kind} {item} to i64")

    def digit(self, value: str, shift: str | int) -> str:
        """The byte of a key at ``shift``."""
        return self.op(f"and i64 {self.op(f'lshr i64 {value}, {shift}')}, 255")

    def count(self, i: str) -> None:
        """Count all bytes of an item."""
        _, value = self.word("%items", i)
        for number in range(self.digits):
            table = self.at("i32", "%counters", 256 * number)
            cell = self.at("i32", table, self.digit(value, self.lowest + 8 * number))
            old = self.op(f"load i32, ptr {cell}, align 4")
            self.do(f"store i32 {self.op(f'add i32 {old}, 1')}, ptr {cell}, align 4")

    def one_pass(self, number: str, pair: list[str]) -> list[str]:
        """Distribute the items by one byte, unless they all share it."""
        source, target = pair
        table = self.at("i32", "%counters", self.binary("shl", number, 8))
        shift = self.binary("add", self.binary("shl", number, 3), self.lowest)
        _, first = self.word(source, "0")
        cell = self.at("i32", table, self.digit(first, shift))
        common = self.op(f"load i32, ptr {cell}, align 4")
        differ = self.op(f"icmp ne i32 {common}, {self.op('trunc i64 %n to i32')}")

        def distribute() -> list[str]:
            self.distribute(table, shift, source, target)
            return [target, source]

        return self.choose(differ, [("ptr", source), ("ptr", target)], distribute)

    def distribute(self, table: str, shift: str, source: str, target: str) -> None:
        """Move every item to where its byte has its place."""

        def begin(i: str, running: list[str]) -> list[str]:
            cell = self.at("i32", table, i)
            here = self.op(f"load i32, ptr {cell}, align 4")
            self.do(f"store i32 {running[0]}, ptr {cell}, align 4")
            return [self.op(f"add i32 {running[0]}, {here}")]

        def move(i: str) -> None:
            item, value = self.word(source, i)
            cell = self.at("i32", table, self.digit(value, shift))
            at = self.op(f"load i32, ptr {cell}, align 4")
            place = self.at(self.kind, target, self.op(f"zext i32 {at} to i64"))
            self.do(f"store {self.kind} {item}, ptr {place}, align 1")
            self.do(f"store i32 {self.op(f'add i32 {at}, 1')}, ptr {cell}, align 4")

        self.loop(0, 256, 1, [("i32", "0")], begin)
        self.each(0, "%n", 1, move)
