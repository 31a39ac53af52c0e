"""A quicksort of unsigned integers by vectors, for processors that can compress vectors (AVX-512).

Partitions write the elements below the pivot back where they were read, the others to spare
memory, which is copied behind them. Short arrays go through a bitonic network in registers
(K. E. Batcher, 1968). Where pivots are bad again and again, a radix sort takes over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.runtime.irtext import Function

if TYPE_CHECKING:
    from theano.runtime.support import Target

#: Vectors of the network for short arrays.
_ROWS: Final = 8
#: Bytes that stores may go past the end of the spare memory.
SLACK: Final = 64


def usable(width: int, target: Target) -> bool:
    """Whether integers of ``width`` bits are sorted like this."""
    return target.architecture == "x86_64" and target.vector_bytes >= 64 and width in (32, 64)


class _Kind:
    """Spellings of integers of ``width`` bits and vectors of them."""

    def __init__(self, width: int) -> None:
        self.width, self.one = width, f"i{width}"
        self.lanes = 512 // width
        self.vector = f"<{self.lanes} x {self.one}>"
        self.mask = f"<{self.lanes} x i1>"
        self.suffix = f"v{self.lanes}i{width}"
        self.short = _ROWS * self.lanes

    def constant(self, values: list[int]) -> str:
        """A vector of numbers."""
        return f"<{', '.join(f'{self.one} {value}' for value in values)}>"

    def declared(self) -> str:
        """What the functions call."""
        v, m, s, n = self.vector, self.mask, self.suffix, self.lanes
        return f"""
declare {v} @llvm.x86.avx512.mask.compress.{s}({v}, {v}, {m})
declare {v} @llvm.masked.load.{s}.p0(ptr, i32, {m}, {v})
declare void @llvm.masked.store.{s}.p0({v}, ptr, i32, {m})
declare {v} @llvm.umin.{s}({v}, {v})
declare {v} @llvm.umax.{s}({v}, {v})
declare {self.one} @llvm.umin.{self.one}({self.one}, {self.one})
declare {self.one} @llvm.umax.{self.one}({self.one}, {self.one})
declare i{n} @llvm.ctpop.i{n}(i{n})
declare i64 @llvm.ctlz.i64(i64, i1)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


class _Writer(Function):
    """A function on vectors of one kind."""

    def __init__(self, head: str, kind: _Kind) -> None:
        super().__init__(head)
        self.kind = kind

    def below(self, count: str) -> str:
        """Which lanes are below an i64."""
        kind = self.kind
        most = self.smax(self.smin(count, kind.lanes), 0)
        narrow = most if kind.width == 64 else self.op(f"trunc i64 {most} to {kind.one}")
        wide = self.splat(narrow)
        return self.op(f"icmp ult {kind.vector} {kind.constant(list(range(kind.lanes)))}, {wide}")

    def splat(self, value: str) -> str:
        """A vector of one number."""
        kind = self.kind
        first = self.op(f"insertelement {kind.vector} zeroinitializer, {kind.one} {value}, i32 0")
        return self.shuffle(first, first, [0] * kind.lanes)

    def shuffle(self, a: str, b: str, picks: list[int]) -> str:
        """Lanes of two vectors."""
        kind = self.kind
        mask = f"<{', '.join(f'i32 {pick}' for pick in picks)}>"
        return self.op(
            f"shufflevector {kind.vector} {a}, {kind.vector} {b}, <{kind.lanes} x i32> {mask}"
        )

    def load(self, pointer: str, mask: str = "") -> str:
        """A vector; lanes outside ``mask`` are the greatest number."""
        kind = self.kind
        if not mask:
            return self.op(f"load {kind.vector}, ptr {pointer}, align 1")
        rest = kind.constant([-1] * kind.lanes)
        return self.op(
            f"call {kind.vector} @llvm.masked.load.{kind.suffix}.p0(ptr {pointer}, i32 1, "
            f"{kind.mask} {mask}, {kind.vector} {rest})"
        )

    def store(self, value: str, pointer: str, mask: str = "") -> None:
        """Store a vector, or the lanes in ``mask``."""
        kind = self.kind
        if not mask:
            self.do(f"store {kind.vector} {value}, ptr {pointer}, align 1")
            return
        self.do(
            f"call void @llvm.masked.store.{kind.suffix}.p0({kind.vector} {value}, ptr {pointer}, "
            f"i32 1, {kind.mask} {mask})"
        )

    def compress(self, value: str, mask: str) -> str:
        """The lanes in ``mask``, moved to the front."""
        v = self.kind.vector
        return self.op(
            f"call {v} @llvm.x86.avx512.mask.compress.{self.kind.suffix}({v} {value}, "
            f"{v} zeroinitializer, {self.kind.mask} {mask})"
        )

    def count(self, mask: str) -> str:
        """How many lanes are in ``mask``, an i64."""
        n = self.kind.lanes
        bits = self.op(f"bitcast {self.kind.mask} {mask} to i{n}")
        return self.op(f"zext i{n} {self.op(f'call i{n} @llvm.ctpop.i{n}(i{n} {bits})')} to i64")

    def extreme(self, name: str, a: str, b: str) -> str:
        """``umin`` or ``umax`` of vectors."""
        v = self.kind.vector
        return self.op(f"call {v} @llvm.{name}.{self.kind.suffix}({v} {a}, {v} {b})")

    def scalar_extreme(self, name: str, a: str, b: str) -> str:
        """``umin`` or ``umax`` of numbers."""
        one = self.kind.one
        return self.op(f"call {one} @llvm.{name}.{one}({one} {a}, {one} {b})")

    def flipped(self, mask: str) -> str:
        """The lanes that are not in ``mask``."""
        ones = f"<{', '.join(['i1 true'] * self.kind.lanes)}>"
        return self.op(f"xor {self.kind.mask} {mask}, {ones}")


def vector_sort_ir(name: str, width: int, radix: str) -> str:
    """``void name(items, spare, i64 n, counters)`` sorts in place.

    ``spare`` has room for the items and `SLACK` bytes more. ``radix`` is a function of
    ``keys.arrange_ir``, for arrays of which no good pivots are found.
    """
    kind = _Kind(width)
    parts = (_short(name, kind), _partition(name, kind), _go(name, kind, radix), _begin(name))
    return kind.declared() + "\n".join(parts)


def _short(name: str, kind: _Kind) -> str:
    """Up to eight vectors: a bitonic network over their elements, row after row."""
    f = _Writer(f"internal void @{name}_short(ptr %items, i64 %n)", kind)
    masks = [f.below(f.binary("sub", "%n", row * kind.lanes)) for row in range(_ROWS)]
    places = [f.at(kind.one, "%items", row * kind.lanes) for row in range(_ROWS)]
    rows = [f.load(place, mask) for place, mask in zip(places, masks, strict=True)]
    size = 2
    while size <= kind.short:
        distance = size // 2
        while distance:
            _exchange(f, rows, size, distance)
            distance //= 2
        size *= 2
    for row, place, mask in zip(rows, places, masks, strict=True):
        f.store(row, place, mask)
    f.do("ret void")
    return f.text()


def _exchange(f: _Writer, rows: list[str], size: int, distance: int) -> None:
    """One step of the network: compare each element with the one ``distance`` away."""
    lanes = f.kind.lanes
    if distance >= lanes:
        for row in range(_ROWS):
            other = row ^ (distance // lanes)
            if row < other:
                low, high = (f.extreme(n, rows[row], rows[other]) for n in ("umin", "umax"))
                up = (row * lanes & size) == 0
                rows[row], rows[other] = (low, high) if up else (high, low)
        return
    for row in range(_ROWS):
        partner = f.shuffle(rows[row], rows[row], [lane ^ distance for lane in range(lanes)])
        low, high = (f.extreme(n, rows[row], partner) for n in ("umin", "umax"))
        takes_low = [
            ((lane & distance) == 0) == (((row * lanes + lane) & size) == 0)
            for lane in range(lanes)
        ]
        picks = [lane if least else lanes + lane for lane, least in enumerate(takes_low)]
        rows[row] = f.shuffle(low, high, picks)


def _partition(name: str, kind: _Kind) -> str:
    """Elements below the pivot to the front; how many there are."""
    head = f"internal i64 @{name}_split(ptr %items, ptr %spare, i64 %n, {kind.one} %pivot)"
    f = _Writer(head, kind)
    pivot = f.splat("%pivot")
    whole = f.binary("and", "%n", -kind.lanes)

    def vector(i: str, carried: list[str]) -> list[str]:
        low, high = carried
        value = f.load(f.at(kind.one, "%items", i))
        less = f.op(f"icmp ult {kind.vector} {value}, {pivot}")
        f.store(f.compress(value, less), f.at(kind.one, "%items", low))
        f.store(f.compress(value, f.flipped(less)), f.at(kind.one, "%spare", high))
        found = f.count(less)
        rest = f.binary("sub", kind.lanes, found)
        return [f.binary("add", low, found), f.binary("add", high, rest)]

    start = [("i64", "0"), ("i64", "0")]
    low, high = f.loop(0, whole, kind.lanes, start, vector)
    # What is left of the last vector must not be stored over what lies behind the items.
    inside = f.below(f.binary("sub", "%n", whole))
    value = f.load(f.at(kind.one, "%items", whole), inside)
    less = f.op(f"icmp ult {kind.vector} {value}, {pivot}")
    less = f.op(f"and {kind.mask} {less}, {inside}")
    rest = f.op(f"and {kind.mask} {f.flipped(less)}, {inside}")
    found = f.count(less)
    f.store(f.compress(value, less), f.at(kind.one, "%items", low), f.below(found))
    f.store(f.compress(value, rest), f.at(kind.one, "%spare", high))
    low = f.binary("add", low, found)
    size = f.binary("mul", f.binary("sub", "%n", low), kind.width // 8)
    behind = f.at(kind.one, "%items", low)
    f.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {behind}, ptr %spare, i64 {size}, i1 false)")
    f.do(f"ret i64 {low}")
    return f.text()


def _pivot(f: _Writer, items: str, n: str) -> str:
    """The median of three medians of three, from all over the array."""
    tenth = f.binary("udiv", n, 10)
    one = f.kind.one

    def sample(number: int) -> str:
        place = f.at(one, items, f.binary("mul", tenth, number))
        return f.op(f"load {one}, ptr {place}, align 1")

    def median(a: str, b: str, c: str) -> str:
        low, high = f.scalar_extreme("umin", a, b), f.scalar_extreme("umax", a, b)
        return f.scalar_extreme("umax", low, f.scalar_extreme("umin", high, c))

    thirds = [median(*(sample(3 * third + i) for i in (1, 2, 3))) for third in range(3)]
    return median(*thirds)


def _go(name: str, kind: _Kind, radix: str) -> str:
    parameters = "ptr %items, ptr %spare, i64 %n, ptr %counters, i64 %depth"
    f = _Writer(f"internal void @{name}_go({parameters})", kind)

    def long(carried: list[str]) -> str:
        return f.op(f"icmp sgt i64 {carried[1]}, {kind.short}")

    def give_up(items: str, n: str) -> list[str]:
        found = f.op(f"call ptr @{radix}(ptr {items}, ptr %spare, i64 {n}, ptr %counters)")
        apart = f.op(f"icmp ne ptr {found}, {items}")
        size = f.binary("mul", n, kind.width // 8)
        copy = f"call void @llvm.memcpy.p0.p0.i64(ptr {items}, ptr {found}, i64 {size}, i1 false)"
        f.when(apart, lambda: f.do(copy))
        return [items, "0"]

    def split(items: str, n: str, pivot: str) -> str:
        return f.op(f"call i64 @{name}_split(ptr {items}, ptr %spare, i64 {n}, {kind.one} {pivot})")

    def least(items: str, n: str, pivot: str) -> list[str]:
        """The pivot is the least element: all that equal it come first, and are done."""
        above = f.op(f"add {kind.one} {pivot}, 1")
        last = f.op(f"icmp eq {kind.one} {above}, 0")
        return f.choose(
            last, [("i64", "")], lambda: [n], lambda: [split(items, n, above)]
        )  # fmt: skip

    def halves(items: str, n: str, depth: str) -> list[str]:
        pivot = _pivot(f, items, n)
        low = split(items, n, pivot)
        none = f.op(f"icmp eq i64 {low}, 0")

        def sort_low() -> list[str]:
            f.do(
                f"call void @{name}_go(ptr {items}, ptr %spare, i64 {low}, ptr %counters,"
                f" i64 {depth})"
            )
            return [low]

        (done,) = f.choose(none, [("i64", "")], lambda: least(items, n, pivot), sort_low)
        return [f.at(kind.one, items, done), f.binary("sub", n, done)]

    def step(carried: list[str]) -> list[str]:
        items, n, depth = carried
        deeper = f.binary("sub", depth, 1)
        exhausted = f.op(f"icmp sle i64 {depth}, 0")
        rest = f.choose(
            exhausted, [("ptr", ""), ("i64", "")],
            lambda: give_up(items, n), lambda: halves(items, n, deeper),
        )  # fmt: skip
        return [*rest, deeper]

    start = [("ptr", "%items"), ("i64", "%n"), ("i64", "%depth")]
    items, n, _ = f.repeat(start, long, step)
    f.do(f"call void @{name}_short(ptr {items}, i64 {n})")
    f.do("ret void")
    return f.text()


def _begin(name: str) -> str:
    """Twice as many halvings as good pivots need are allowed."""
    f = Function(f"internal void @{name}(ptr %items, ptr %spare, i64 %n, ptr %counters)")
    zeros = f.op("call i64 @llvm.ctlz.i64(i64 %n, i1 false)")
    depth = f.binary("shl", f.binary("sub", 65, zeros), 1)
    f.do(f"call void @{name}_go(ptr %items, ptr %spare, i64 %n, ptr %counters, i64 {depth})")
    f.do("ret void")
    return f.text()
