"""Native text of ``pointwise``: kernels of one tap are products of matrices.

For each image and group, results [filters x positions] are kernels [filters x channels] times cells
[channels x positions], by ``th_sgemm`` or ``th_dgemm``: one product where the cells and the results
of a channel lie one behind the other, else one for each line of them. Arrays and numbers are those
of ``conv`` or ``conv_bias``, which call it.
"""

from __future__ import annotations

from theano.runtime.routines.base import Text, Writer
from theano.runtime.routines.conv_end import EndText
from theano.runtime.routines.conv_local import product


class PointwiseText(EndText):
    """Writes the routine for one dtype."""

    slots = ("words", "grain", "mode", "status", "N", "G", "O", "C", "P", "bias")
    y, x, w = 0, 1, 2

    @property
    def _gemm(self) -> str:
        return "th_sgemm" if self.size == 4 else "th_dgemm"

    def text(self) -> Text:
        """The module."""
        made = super().text()
        return Text(made.ir, (*made.helpers, self._gemm))

    def declared(self) -> list[str]:
        """What the functions call."""
        matrix = "ptr, i64, i64"
        head = f"i64, i64, i64, {self.kind}, {matrix}, {matrix}, {self.kind}, {matrix}"
        return [*super().declared(), f"declare void @{self._gemm}({head})"]

    def functions(self) -> list[str]:
        """Units of work, and the routine."""
        return [self._unit(), self._entry()]

    def _elements(self, f: Writer, array: int, axis: int) -> str:
        """A stride in elements."""
        return f.op(f"sdiv i64 {f.stride(array, axis)}, {self.size}")

    def _tight(self, f: Writer, array: int) -> str:
        """Whether the positions of a channel lie one behind the other."""
        step, line = str(self.size), "true"
        for axis in (4, 3, 2):
            extent = f.dim(array, axis)
            fits = f.op(f"icmp eq i64 {f.stride(array, axis)}, {step}")
            line = f.both(line, f.op(f"or i1 {fits}, {f.op(f'icmp eq i64 {extent}, 1')}"))
            step = f.binary("mul", step, extent)
        return line

    def _unit(self) -> str:
        """Units: (image, group)."""
        f = self.part("images")
        batch, groups, filters, channels = self.gets(f, "N G O C")
        tight = f.both(self._tight(f, self.x), self._tight(f, self.y))
        last = f.op(f"alloca {self.vector}, align 64")
        extents = [f.dim(self.y, axis) for axis in (2, 3, 4)]

        def one(unit: str) -> None:
            n, g = (f.binary(op, unit, groups) for op in ("udiv", "urem"))
            w = f.place(f.pointer(self.w), (g, f.stride(self.w, 0)))
            x, y = (
                f.place(f.pointer(a), (n, f.stride(a, 0)), (f.binary("mul", g, c), f.stride(a, 1)))
                for a, c in ((self.x, channels), (self.y, filters))
            )

            def line(a: str, b: str) -> None:
                cells, results = (
                    f.place(base, (a, f.stride(array, 2)), (b, f.stride(array, 3)))
                    for array, base in ((self.x, x), (self.y, y))
                )
                self._product(f, g, (w, cells, results), extents[2], last, whole=False)

            f.when(
                tight,
                lambda: self._product(f, g, (w, x, y), self.get(f, "P"), last, whole=True),
                lambda: f.each(0, extents[0], 1, lambda a: f.each(
                    0, extents[1], 1, lambda b: line(a, b))),
            )  # fmt: skip

        f.each(*f.range(f.binary("mul", batch, groups)), 1, one)
        f.do("ret void")
        return f.text()

    def _product(
        self, f: Writer, g: str, places: tuple[str, str, str], points: str, last: str, whole: bool
    ) -> None:
        """The results at some positions of an image; ``whole``: at all of them."""
        filters, channels = self.gets(f, "O C")
        w, x, y = places
        steps = ["1", "1"] if whole else [self._elements(f, a, 4) for a in (self.x, self.y)]
        f.do(
            f"call void @{self._gemm}(i64 {filters}, i64 {points}, i64 {channels}, "
            f"{self.kind} 1.0, ptr {w}, i64 {self._elements(f, self.w, 1)}, "
            f"i64 {self._elements(f, self.w, 2)}, ptr {x}, i64 {self._elements(f, self.x, 1)}, "
            f"i64 {steps[0]}, {self.kind} 0.0, ptr {y}, i64 {self._elements(f, self.y, 1)}, "
            f"i64 {steps[1]})"
        )
        if self.ends:
            step = str(self.size) if whole else f.stride(self.y, 4)
            self._end(f, g, y, (points, step, last))

    def _end(self, f: Writer, g: str, y: str, line: tuple[str, str, str]) -> None:
        """End the results of all filters: whole vectors in place, others in ``last``."""
        points, step, last = line
        filters = self.get(f, "O")
        biases, least = self.biases(f, g, self.padded(f, filters)), self.least(f)
        near = f.op(f"icmp eq i64 {step}, {self.size}")
        even = f.binary("mul", f.binary("udiv", points, self.lanes), self.lanes)
        whole = f.op(f"select i1 {near}, i64 {even}, i64 0")

        def one(o: str) -> None:
            to = f.place(y, (o, f.stride(self.y, 1)))
            bias = self.splat(f, self.load(f, self.element(f, biases, o)))
            self.end_line(f, to, whole, bias, least)

            def some(i: str) -> None:
                count = f.smin(f.binary("sub", points, i), self.lanes)
                here = f.at("i8", to, f.binary("mul", i, step))
                inside = f"ptr {last}, i64 {self.size}"
                f.do(f"call void @copy({inside}, ptr {here}, i64 {step}, i64 {count})")
                self.end_line(f, last, str(self.lanes), bias, least)
                f.do(f"call void @copy(ptr {here}, i64 {step}, {inside}, i64 {count})")

            f.each(whole, points, self.lanes, some)

        f.each(0, filters, 1, one)

    def _entry(self) -> str:
        f = self.main()
        found = {"N": f.dim(self.y, 0), "G": f.dim(self.w, 0), "O": f.dim(self.w, 1),
                 "C": f.dim(self.w, 2), "status": "0"}  # fmt: skip
        found["P"] = product(f, [f.dim(self.y, axis) for axis in (2, 3, 4)])
        for name, value in found.items():
            self.put(f, name, value)
        biases = self.pack_bias(f, self.padded(f, found["O"]))
        each = product(f, [found["O"], found["C"], found["P"]])
        units = f.binary("mul", found["N"], found["G"])
        self.launch(f, "images", units, each, max(1, self.size // 4))
        self.free(f, *biases)
        return f.finish()
