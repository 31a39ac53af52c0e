"""Native text of correlations with kernels for each position: plain loops, any dtype and stride.

One loop nest does all three directions: over batch, filters, positions, channels and those taps
that lie inside of the image. A unit of work owns a part of what is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from theano.runtime.routines.base import KINDS, PARTS_HELPERS, Part, Routine, Text, in_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from theano.runtime.irtext import Function
    from theano.runtime.routines.base import Writer
    from theano.runtime.support import Target

#: The places of (result, image, kernel) among the arrays of each routine.
_PLACES: Final = {"local": (0, 1, 2), "local_data": (1, 0, 2), "local_weights": (2, 1, 0)}
_WEIGHT: Final = 150  # of a product: about a nanosecond


def ceil_div(f: Function, a: str, b: str) -> str:
    """``a / b`` rounded up, for b > 0 and any a."""
    up = f.binary("add", a, f.binary("sub", b, 1))
    quotient = f.binary("sdiv", up, b)
    rest = f.binary("srem", up, b)
    less = f.op(f"zext i1 {f.op(f'icmp slt i64 {rest}, 0')} to i64")
    return f.binary("sub", quotient, less)


def product(f: Function, factors: Sequence[str]) -> str:
    """The product of numbers."""
    total = "1"
    for factor in factors:
        total = f.binary("mul", total, factor)
    return total


class LocalText:
    """Writes one of the three routines for one dtype."""

    def __init__(self, symbol: str, row: Routine, dtype: str, target: Target) -> None:
        self.symbol, self.row, self.kind = symbol, row, KINDS[dtype]
        self.float = dtype.startswith("float")
        self.y, self.x, self.w = _PLACES[row.name]
        del target

    def text(self) -> Text:
        """The module."""
        return Text(in_parts(self.symbol, self.row, self.plan, self.body), PARTS_HELPERS)

    def plan(self, f: Writer) -> tuple[str, str, int]:
        """Units: (batch, group, filter), (batch, group) or (group, filter)."""
        batch = f.dim(self.y, 0)
        groups, filters = f.dim(self.w, 0), f.dim(self.w, 1)
        places = product(f, [f.dim(self.y, 2 + i) for i in range(3)])
        taps = product(f, [f.dim(self.w, 5 + i) for i in range(4)])
        each = f.binary("mul", places, taps)
        name = self.row.name
        if name == "local":
            return product(f, [batch, groups, filters]), each, _WEIGHT
        if name == "local_data":
            return f.binary("mul", batch, groups), f.binary("mul", each, filters), _WEIGHT
        return f.binary("mul", groups, filters), f.binary("mul", each, batch), _WEIGHT

    def body(self, f: Part, first: str, end: str) -> None:
        """Some units."""
        batch, groups, filters = f.dim(self.y, 0), f.dim(self.w, 0), f.dim(self.w, 1)

        def one(unit: str) -> None:
            if self.row.name == "local_data":
                n, g = (f.binary(op, unit, groups) for op in ("udiv", "urem"))
                self._clear_image(f, n, g)
                f.each(0, filters, 1, lambda o: self._positions(f, n, g, o))
                return
            o, rest = f.binary("urem", unit, filters), f.binary("udiv", unit, filters)
            g = f.binary("urem", rest, groups)
            if self.row.name == "local":
                self._positions(f, f.binary("udiv", rest, groups), g, o)
                return
            self._clear_kernel(f, g, o)
            f.each(0, batch, 1, lambda n: self._positions(f, n, g, o))

        f.each(first, end, 1, one)

    # zeros ---------------------------------------------------------------------------------------

    def _clear(self, f: Part, array: int, axes: Sequence[int], place: str) -> None:
        """Zeros along ``axes``."""
        if not axes:
            f.do(f"store {self.kind} zeroinitializer, ptr {place}, align 1")
            return
        step = f.stride(array, axes[0])
        f.each(0, f.dim(array, axes[0]), 1, lambda i: self._clear(
            f, array, axes[1:], f.place(place, (i, step))))  # fmt: skip

    def _clear_image(self, f: Part, n: str, g: str) -> None:
        channels = f.dim(self.w, 5)
        begin = f.binary("mul", g, channels)
        place = f.place(f.pointer(self.x), (n, f.stride(self.x, 0)), (begin, f.stride(self.x, 1)))
        step = f.stride(self.x, 1)
        f.each(0, channels, 1, lambda c: self._clear(
            f, self.x, (2, 3, 4), f.place(place, (c, step))))  # fmt: skip

    def _clear_kernel(self, f: Part, g: str, o: str) -> None:
        place = f.place(f.pointer(self.w), (g, f.stride(self.w, 0)), (o, f.stride(self.w, 1)))
        self._clear(f, self.w, range(2, 9), place)

    # products ------------------------------------------------------------------------------------

    def _positions(self, f: Part, n: str, g: str, o: str) -> None:
        """All positions of one result channel."""
        channel = f.binary("add", f.binary("mul", g, f.dim(self.w, 1)), o)
        y = f.place(f.pointer(self.y), (n, f.stride(self.y, 0)), (channel, f.stride(self.y, 1)))
        first = f.binary("mul", g, f.dim(self.w, 5))
        x = f.place(f.pointer(self.x), (n, f.stride(self.x, 0)), (first, f.stride(self.x, 1)))
        w = f.place(f.pointer(self.w), (g, f.stride(self.w, 0)), (o, f.stride(self.w, 1)))
        self._axis(f, 0, [y, x, w], [])

    def _axis(self, f: Part, axis: int, at: list[str], ranges: list[tuple[str, str]]) -> None:
        """Positions along an axis, and which taps lie inside of the image there."""
        if axis == 3:
            self._position(f, at, ranges)
            return
        stride, dilation, before = (f.number(3 * i + axis) for i in range(3))
        taps, cells = f.dim(self.w, 6 + axis), f.dim(self.x, 2 + axis)
        steps = [f.stride(self.y, 2 + axis), f.stride(self.x, 2 + axis), f.stride(self.w, 2 + axis)]

        def one(p: str) -> None:
            origin = f.binary("sub", f.binary("mul", p, stride), before)
            low = f.smax(ceil_div(f, f.binary("sub", 0, origin), dilation), 0)
            high = f.smin(ceil_div(f, f.binary("sub", cells, origin), dilation), taps)
            places = [
                f.place(at[0], (p, steps[0])), f.place(at[1], (origin, steps[1])),
                f.place(at[2], (p, steps[2])),
            ]  # fmt: skip
            self._axis(f, axis + 1, places, [*ranges, (low, high)])

        f.each(0, f.dim(self.y, 2 + axis), 1, one)

    def _position(self, f: Part, at: list[str], ranges: list[tuple[str, str]]) -> None:
        y, x, w = at
        if self.row.name == "local":
            f.do(f"store {self.kind} zeroinitializer, ptr {y}, align 1")
        channel = f.stride(self.x, 1), f.stride(self.w, 5)
        steps = [
            (f.binary("mul", f.stride(self.x, 2 + i), f.number(3 + i)), f.stride(self.w, 6 + i))
            for i in range(3)
        ]

        def taps(axis: int, x: str, w: str) -> None:
            if axis == 3:
                self._product(f, y, x, w)
                return
            low, high = ranges[axis]
            f.each(low, high, 1, lambda k: taps(
                axis + 1, f.place(x, (k, steps[axis][0])), f.place(w, (k, steps[axis][1]))
            ))  # fmt: skip

        f.each(0, f.dim(self.w, 5), 1, lambda c: taps(
            0, f.place(x, (c, channel[0])), f.place(w, (c, channel[1]))))  # fmt: skip

    def _product(self, f: Part, y: str, x: str, w: str) -> None:
        """The one of three that is written gets the product of the others."""
        places = {"local": (y, x, w), "local_data": (x, y, w), "local_weights": (w, x, y)}
        target, *factors = places[self.row.name]
        a, b, old = (f.op(f"load {self.kind}, ptr {p}, align 1") for p in (*factors, target))
        multiply, add = ("fmul", "fadd") if self.float else ("mul", "add")
        term = f.op(f"{multiply} {self.kind} {a}, {b}")
        total = f.op(f"{add} {self.kind} {old}, {term}")
        f.do(f"store {self.kind} {total}, ptr {target}, align 1")
