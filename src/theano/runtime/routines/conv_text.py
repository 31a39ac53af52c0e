"""What native convolutions share: extents as slots of a context, and packed images.

Work is done on a *strip*: some rows (positions along the first axis) of one image. Its part of the
image is packed with zeros around it. Where there is a stride S, cells are sorted by their remainder
by S (their phase), so that neighbours in the result read neighbours in memory: tap k of phase
(k D mod S) is then at a fixed distance from every position, and a table of distances (one per
channel and tap) is all that the inner loops know of kernels, strides, dilations and axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_local import ceil_div, product
from theano.runtime.routines.conv_vectors import VectorText

#: Bytes of a packed strip that stay in the second cache beside results and kernels.
_STRIP: Final = 256 << 10
#: Elements that a packed strip may have.
_LARGEST: Final = 2.0**28
#: Strips are made smaller where there are fewer than this.
_UNITS: Final = 8
#: Channels and filters from which on kernels of one tap are products of matrices.
_CHANNELS = 8
_AXES: Final = tuple(
    f"{name}{axis}" for name in ("P", "I", "K", "s", "d", "b", "F", "E") for axis in range(3)
)
#: What the context holds: first what `in_parts` puts there, then extents, then tables.
SLOTS: Final = (
    "words", "grain", "mode", "status", "N", "G", "O", "C", *_AXES, "plane", "channel", "taps",
    "rows", "strips", "distances", "kernels", "pitch", "wide", "block", "blocks", "chunks", "sums",
    "columns", "width", "span", "channel_apart", "tap_apart", "cells",
    "together", "cost", "bias",
)  # fmt: skip


class _Axis(NamedTuple):
    """An axis of images: extent, stride, zeros before, phases, packed extent, bytes."""

    cells: str
    stride: str
    before: str
    phases: str
    extent: str
    step: str


class ConvText(VectorText):
    """Writes native convolutions for one dtype. ``y``, ``x``, ``w``: where the arrays are."""

    slots = SLOTS
    #: The routine that does the same by minimal filtering.
    minimal: str
    y: int
    x: int
    w: int

    def functions(self) -> list[str]:
        """Packing and turning; the routines add their own."""
        return [self._line(), self._pack(), self.turn()]

    def main(self) -> Writer:
        """The routine, with its context and the extents in it."""
        f = super().main()
        self._extents(f)
        return f

    # minimal filtering ---------------------------------------------------------------------------

    def late(self) -> tuple[str, ...]:
        """The routine of minimal filtering."""
        return (f"th_{self.minimal}__{self.dtype}",)

    def declared(self) -> list[str]:
        """What the functions call."""
        late = [f"@{name}.late = external global ptr" for name in self.late()]
        return [*super().declared(), *late]

    def filtered(self, f: Writer, cost: str, other: str) -> str:
        """Whether minimal filtering could be used, cost less than the other way, and was done."""
        wanted = {"K0": 3, "K1": 1, "K2": 3, "I1": 1, "P1": 1, "b1": 0,
                  "s0": 1, "s2": 1, "d0": 1, "d2": 1}  # fmt: skip
        worth = f.both(
            f.op(f"icmp ne i64 {f.number(9)}, 0"), f.op(f"icmp slt i64 {cost}, {other}"),
            *(f.op(f"icmp eq i64 {self.get(f, name)}, {n}") for name, n in wanted.items()),
        )  # fmt: skip

        return self.handed_over(f, worth, self.late()[0])

    def handed_over(self, f: Writer, worth: str, symbol: str) -> str:
        """Whether a late routine was worth calling, and did what was to be done."""

        def call() -> list[str]:
            routine = f.op(f"load atomic ptr, ptr @{symbol}.late acquire, align 8")
            return [f.op(f"call i64 {routine}(ptr %words)")]

        (given,) = f.choose(worth, [("i64", "-1")], call)
        return f.op(f"icmp eq i64 {given}, 0")

    def tight(self, f: Writer, array: int, names: str) -> str:
        """Whether the cells of an array's channels lie one behind the other."""
        _, second, third = self.gets(f, names)
        step = [f.stride(array, i) for i in range(5)]
        line = f.binary("mul", third, self.size)
        whole = f.op(f"icmp eq i64 {f.binary('urem', step[0], self.size)}, 0")
        second_one = f.op(f"icmp eq i64 {second}, 1")
        middle = f.op(f"icmp eq i64 {step[3]}, {line}")
        return f.both(
            whole, f.op(f"icmp eq i64 {step[4]}, {self.size}"),
            f.op(f"or i1 {second_one}, {middle}"),
            f.op(f"icmp eq i64 {step[2]}, {f.binary('mul', line, second)}"),
        )  # fmt: skip

    def one_tap(self, f: Writer) -> str:
        """Whether kernels have one tap, nothing is left out, and there are some channels: then
        products of matrices are the better way."""
        wanted = {f"{name}{axis}": n for name, n in (("K", 1), ("s", 1), ("b", 0))
                  for axis in range(3)}  # fmt: skip
        steps = [f.stride(a, axis) for a in (self.y, self.x) for axis in range(2)]
        steps += [f.stride(self.w, axis) for axis in range(3)]
        rests = [f.op(f"icmp eq i64 {f.binary('srem', s, self.size)}, 0") for s in steps]
        same = [
            f.op(f"icmp eq i64 {self.get(f, f'P{i}')}, {self.get(f, f'I{i}')}") for i in range(3)
        ]
        return f.both(
            *(f.op(f"icmp eq i64 {self.get(f, name)}, {n}") for name, n in wanted.items()),
            *rests, *same, self.tight(f, self.x, "I0 I1 I2"), self.tight(f, self.y, "P0 P1 P2"),
            *(f.op(f"icmp sge i64 {self.get(f, name)}, {_CHANNELS}") for name in "CO"),
        )  # fmt: skip

    def points(self, f: Writer) -> str:
        """The numbers of all transformed tiles of minimal filtering, for each channel."""
        high, wide = (ceil_div(f, extent, "2") for extent in self.gets(f, "P0 P2"))
        return product(f, [self.get(f, "N"), high, wide, "16"])

    # extents -------------------------------------------------------------------------------------

    def _extents(self, f: Writer) -> None:
        """Put what follows from the call into the context."""
        values = {
            "N": f.dim(self.y, 0), "G": f.dim(self.w, 0), "O": f.dim(self.w, 1),
            "C": f.dim(self.w, 2), "F": "1",
        }  # fmt: skip
        for name in "NGOC":
            self.put(f, name, values[name])
        for axis in range(3):
            stride, dilation, before = (f.number(3 * i + axis) for i in range(3))
            p, k = f.dim(self.y, 2 + axis), f.dim(self.w, 3 + axis)
            reach = f.binary("mul", f.smax(f.binary("sub", k, 1), 0), dilation)
            aligned = f.op(f"icmp eq i64 {f.binary('srem', dilation, stride)}, 0")
            phases = f.smin(stride, f.binary("add", reach, 1))
            phases = f.op(f"select i1 {aligned}, i64 1, i64 {phases}")
            span = f.binary("sdiv", reach, stride)
            found = {
                "P": p, "I": f.dim(self.x, 2 + axis), "K": k, "s": stride, "d": dilation,
                "b": before, "F": phases, "E": f.binary("add", p, span),
            }  # fmt: skip
            values["F"] = f.binary("mul", values["F"], phases)
            for name, value in found.items():
                values[f"{name}{axis}"] = self.put(f, f"{name}{axis}", value)
            if axis == 0:
                values["span"] = self.put(f, "span", span)
        taps = product(f, [values[f"K{axis}"] for axis in range(3)])
        self.put(f, "taps", taps)
        self._strips(f, values)

    def _strips(self, f: Writer, values: dict[str, str]) -> None:
        """How many rows a strip has, so that it stays in the cache and there are some strips."""
        line = f.smax(f.binary("mul", values["E1"], values["E2"]), 1)
        phased = f.binary("mul", values["F"], line)
        cost = f.smax(f.binary("mul", self.strip_channels(f), phased), 1)
        count = values["P0"]
        most = f.binary("sub", f.binary("udiv", str(_STRIP // self.size), cost), values["span"])
        images = f.binary("mul", values["N"], values["G"])
        share = ceil_div(f, f.binary("mul", count, images), str(_UNITS))
        least = ceil_div(f, str(12 * self.lanes), line)
        rows = f.smax(f.smin(f.smin(most, share), count), f.smin(least, count))
        rows = f.smax(rows, 1)
        strips = ceil_div(f, count, rows)
        rows = f.smax(ceil_div(f, count, f.smax(strips, 1)), 1)
        self.put(f, "rows", rows)
        self.put(f, "strips", strips)
        self.put(f, "E0", f.binary("add", rows, values["span"]))
        plane = f.binary("mul", f.binary("add", rows, values["span"]), line)
        self.put(f, "plane", plane)
        self.put(f, "channel", f.binary("mul", plane, values["F"]))

    def fits(self, f: Writer) -> str:
        """Whether a packed strip is no larger than memory: huge dilations spread it out."""
        total = "1.0"
        for name in ("C", "F0", "F1", "F2", "E0", "E1", "E2"):
            extent = f.op(f"sitofp i64 {self.get(f, name)} to double")
            total = f.op(f"fmul double {total}, {extent}")
        return f.op(f"fcmp ole double {total}, {_LARGEST}")

    def strip_channels(self, f: Writer) -> str:
        """How many channels are packed at once."""
        return f.dim(self.w, 2)

    def distances(self, f: Writer, channels: str, more: int = 0) -> str:
        """A table: the distance in bytes of each (channel, tap) from a position; its address.

        ``more`` entries behind are 0.
        """
        count = f.binary("mul", channels, self.get(f, "taps"))
        table = self.alloc(f, f.binary("add", count, more), 8)
        extents = [self.gets(f, f"K{i} s{i} d{i} F{i} E{i}") for i in range(3)]
        plane, channel = self.gets(f, "plane channel")

        def one(q: str) -> None:
            rest, phase, place = q, "0", "0"
            parts = []
            for taps, stride, dilation, _, _ in reversed(extents):
                k = f.binary("mul", f.binary("urem", rest, taps), dilation)
                rest = f.binary("udiv", rest, taps)
                parts.append((f.binary("urem", k, stride), f.binary("udiv", k, stride)))
            for (left, whole), (_, _, _, phases, extent) in zip(
                reversed(parts), extents, strict=True
            ):
                phase = f.binary("add", f.binary("mul", phase, phases), left)
                place = f.binary("add", f.binary("mul", place, extent), whole)
            place = f.binary("add", place, f.binary("mul", phase, plane))
            place = f.binary("add", place, f.binary("mul", rest, channel))
            distance = f.binary("mul", place, self.size)
            f.do(f"store i64 {distance}, ptr {f.at('i64', table, q)}, align 8")

        f.each(0, count, 1, one)
        if more:
            f.each(count, f.binary("add", count, more), 1, lambda q: f.do(
                f"store i64 0, ptr {f.at('i64', table, q)}, align 8"))  # fmt: skip
        self.put(f, "distances", f.op(f"ptrtoint ptr {table} to i64"))
        return table

    # packing -------------------------------------------------------------------------------------

    def _line(self) -> str:
        """Write a line of ``%extent`` cells: zeros, cells from ``%start`` to ``%stop``, zeros."""
        f = Function(
            "internal void @line(ptr %to, ptr %of, i64 %start, i64 %stop, i64 %extent, i64 %step)"
        )
        count, rest = f.binary("sub", "%stop", "%start"), f.binary("sub", "%extent", "%stop")
        before, after = (f.op(f"icmp sgt i64 {n}, 0") for n in ("%start", rest))
        f.when(before, lambda: f.do("call void @zero(ptr %to, i64 %start)"))
        to, end = self.element(f, "%to", "%start"), self.element(f, "%to", "%stop")
        f.do(f"call void @copy(ptr {to}, i64 {self.size}, ptr %of, i64 %step, i64 {count})")
        f.when(after, lambda: f.do(f"call void @zero(ptr {end}, i64 {rest})"))
        f.do("ret void")
        return f.text()

    def _pack(self) -> str:
        """Pack ``count`` channels from ``first`` on of a strip of image n."""
        f = self.function(
            "void @pack(ptr %ctx, i64 %n, i64 %first, i64 %count, i64 %row, i64 %rows, ptr %to)"
        )
        f.do("%words = load ptr, ptr %ctx, align 8")
        step = [f.stride(self.x, i) for i in range(5)]
        image = f.place(f.pointer(self.x), ("%n", step[0]), ("%first", step[1]))
        axes = [
            _Axis._make([*self.gets(f, f"I{i} s{i} b{i} F{i} E{i}"), step[2 + i]]) for i in range(3)
        ]
        plane, channel = self.gets(f, "plane channel")

        def one(c: str) -> None:
            of = f.place(image, (c, step[1]))
            base = self.element(f, "%to", f.binary("mul", c, channel))

            def phase(axis: int, number: str, phases: list[str]) -> None:
                if axis == 3:
                    to = self.element(f, base, f.binary("mul", number, plane))
                    self._plane(f, axes, phases, of, to)
                    return
                count = axes[axis].phases
                f.each(0, count, 1, lambda r: phase(
                    axis + 1, f.binary("add", f.binary("mul", number, count), r), [*phases, r]
                ))  # fmt: skip

            phase(0, "0", [])

        f.each(0, "%count", 1, one)
        f.do("ret void")
        return f.text()

    def _plane(
        self, f: Writer, axes: Sequence[_Axis], phases: Sequence[str], of: str, to: str
    ) -> None:
        """Pack the cells of one phase of a channel."""
        last = axes[2]
        origin = f.binary("sub", phases[2], last.before)
        low = ceil_div(f, f.binary("sub", 0, origin), last.stride)
        low = f.smin(f.smax(low, 0), last.extent)
        high = ceil_div(f, f.binary("sub", last.cells, origin), last.stride)
        high = f.smin(f.smax(high, low), last.extent)
        step = f.binary("mul", last.step, last.stride)
        first = f.binary("add", f.binary("mul", low, last.stride), origin)
        of = f.place(of, (first, last.step))

        def at(index: str, axis: _Axis, phase: str, base: str) -> tuple[str, str]:
            i = f.binary("add", f.binary("mul", index, axis.stride), phase)
            i = f.binary("sub", i, axis.before)
            return f.place(base, (i, axis.step)), f.op(f"icmp ult i64 {i}, {axis.cells}")

        def row(a: str) -> None:
            where, inside = at(f.binary("add", a, "%row"), axes[0], phases[0], of)
            start = f.binary("mul", a, axes[1].extent)

            def column(b: str) -> None:
                place, there = at(b, axes[1], phases[1], where)
                number = f.binary("mul", f.binary("add", start, b), last.extent)
                full = f.both(inside, there)
                one, two = (f.op(f"select i1 {full}, i64 {n}, i64 0") for n in (low, high))
                f.do(
                    f"call void @line(ptr {self.element(f, to, number)}, ptr {place}, i64 {one}, "
                    f"i64 {two}, i64 {last.extent}, i64 {step})"
                )

            f.each(0, axes[1].extent, 1, column)

        f.each(0, f.binary("add", "%rows", self.get(f, "span")), 1, row)
