"""How ``conv_bias`` and ``winograd_bias`` end: a bias per filter, and what is below 0 made 0.

Sums are changed while they are in the cache, right before they are written to the result.
"""

from __future__ import annotations

from theano.runtime.irtext import Function
from theano.runtime.routines.base import Writer
from theano.runtime.routines.conv_vectors import VectorText

#: Where the biases are among the arrays, and which number says that results are at least 0.
BIAS, RECTIFIED = 3, 10


class EndText(VectorText):
    """Writes the ends of a routine that has biases; nothing for one that has none."""

    @property
    def ends(self) -> bool:
        """Whether the routine has biases."""
        return self.row.name.endswith("_bias")

    def pack_bias(self, f: Writer, wide: str) -> tuple[str, ...]:
        """Put biases into the context, as [group][``wide`` filters]; the memory to be freed."""
        if not self.ends:
            return ()
        groups, filters = self.gets(f, "G O")
        size = f.binary("mul", groups, wide)
        packed = self.alloc(f, size)
        f.do(f"call void @zero(ptr {packed}, i64 {size})")
        step = f.stride(BIAS, 0)

        def group(g: str) -> None:
            to = self.element(f, packed, f.binary("mul", g, wide))
            of = f.place(f.pointer(BIAS), (f.binary("mul", g, filters), step))
            f.do(f"call void @copy(ptr {to}, i64 {self.size}, ptr {of}, i64 {step}, i64 {filters})")

        f.each(0, groups, 1, group)
        self.put(f, "bias", f.op(f"ptrtoint ptr {packed} to i64"))
        return (packed,)

    def biases(self, f: Function, g: str, wide: str) -> str:
        """Where those of a group are."""
        return self.element(f, self.pointer(f, "bias"), f.binary("mul", g, wide))

    def least(self, f: Writer) -> str:
        """What results are at least."""
        rectified = f.op(f"icmp ne i64 {f.number(RECTIFIED)}, 0")
        infinity = "0xFFF0000000000000"
        return self.splat(
            f, f.op(f"select i1 {rectified}, {self.kind} 0.0, {self.kind} {infinity}")
        )

    def ended(self, f: Function, value: str, bias: str, least: str) -> str:
        """``max(value + bias, least)``; NaN stays."""
        total = f.op(f"fadd {self.vector} {value}, {bias}")
        below = f.op(f"fcmp olt {self.vector} {total}, {least}")
        kind = f"<{self.lanes} x i1>"
        return f.op(f"select {kind} {below}, {self.vector} {least}, {self.vector} {total}")

    def end_filters(self, f: Writer, g: str, sums: str, count: str, pitch: str) -> None:
        """End ``count`` blocks of sums, [filters and what pads them][``pitch``]."""
        wide, filters = self.gets(f, "wide O")
        biases, least = self.biases(f, g, wide), self.least(f)

        def one(i: str, o: str) -> None:
            bias = self.splat(f, self.load(f, self.element(f, biases, o)))
            index = f.binary("mul", f.binary("add", f.binary("mul", i, wide), o), pitch)
            self.end_line(f, self.element(f, sums, index), pitch, bias, least)

        f.each(0, count, 1, lambda i: f.each(0, filters, 1, lambda o: one(i, o)))

    def end_line(self, f: Function, place: str, count: str, bias: str, least: str) -> None:
        """End ``count`` sums (whole vectors) of one filter."""

        def some(i: str) -> None:
            at = self.element(f, place, i)
            self.store_vector(f, self.ended(f, self.load_vector(f, at), bias, least), at)

        f.each(0, count, self.lanes, some)
