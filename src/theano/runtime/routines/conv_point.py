"""Native text of ``pointwise`` and its gradient: kernels of one tap are products of matrices.

For each image and group, results [filters x positions] are kernels [filters x channels] times cells
[channels x positions], by ``th_sgemm`` or ``th_dgemm``: one product where the cells and the results
of a channel lie one behind the other, else one for each line of them. Arrays and numbers are those
of ``conv`` or ``conv_bias``, which call it. The gradient for kernels, which ``conv_weights`` calls,
adds up the products of results' gradients [filters x positions] with cells, image after image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from theano.runtime.routines.base import Text, Writer
from theano.runtime.routines.conv_end import EndText
from theano.runtime.routines.conv_local import product

#: Bytes of sums that stay in the second cache while products are added to them.
_SUMS: Final = 1 << 19
_LEAST: Final = 48  # filters whose sums are taken together
_FEW: Final = 4  # images for which kernels are turned once


class PointwiseText(EndText):
    """Writes the routine for one dtype."""

    slots = ("words", "grain", "mode", "status", "N", "G", "O", "C", "P", "bias",
             "kernels", "group", "row", "column")  # fmt: skip
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
        return [self.turn(), self._unit(), self._entry()]

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

    def _image(self, f: Writer, n: str, first: Sequence[str]) -> tuple[str, str]:
        """Where the cells and the results of an image are, from a channel and a filter on."""
        x, y = (
            f.place(f.pointer(array), (n, f.stride(array, 0)), (number, f.stride(array, 1)))
            for array, number in zip((self.x, self.y), first, strict=True)
        )
        return x, y

    def _lines(
        self, f: Writer, tight: str, places: tuple[str, str],
        whole: Callable[[str, str], None], line: Callable[[str, str, str, str], None],
    ) -> None:  # fmt: skip
        """Do something with all positions, or (where they lie apart) with each line of them."""

        def one(a: str, b: str) -> None:
            x, y = (
                f.place(base, (a, f.stride(array, 2)), (b, f.stride(array, 3)))
                for array, base in zip((self.x, self.y), places, strict=True)
            )
            line(x, y, a, b)

        high, deep = (f.dim(self.y, axis) for axis in (2, 3))
        f.when(
            tight,
            lambda: whole(*places),
            lambda: f.each(0, high, 1, lambda a: f.each(0, deep, 1, lambda b: one(a, b))),
        )

    def _unit(self) -> str:
        """Units: (image, group)."""
        f = self.part("images")
        batch, groups, filters, channels = self.gets(f, "N G O C")
        tight = f.both(self._tight(f, self.x), self._tight(f, self.y))
        last = f.op(f"alloca {self.vector}, align 64")

        def one(unit: str) -> None:
            n, g = (f.binary(op, unit, groups) for op in ("udiv", "urem"))
            w = f.place(self.pointer(f, "kernels"), (g, self.get(f, "group")))
            first = [f.binary("mul", g, count) for count in (channels, filters)]
            places = self._image(f, n, first)
            points = self.get(f, "P")
            self._lines(
                f, tight, places,
                lambda x, y: self._product(f, g, (w, x, y), points, last, whole=True),
                lambda x, y, a, b: self._product(
                    f, g, (w, x, y), f.dim(self.y, 4), last, whole=False),
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
            f"{self.kind} 1.0, ptr {w}, i64 {self.get(f, 'row')}, "
            f"i64 {self.get(f, 'column')}, ptr {x}, i64 {self._elements(f, self.x, 1)}, "
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
                 "C": f.dim(self.w, 2)}  # fmt: skip
        found["P"] = product(f, [f.dim(self.y, axis) for axis in (2, 3, 4)])
        for name, value in found.items():
            self.put(f, name, value)
        biases = self.pack_bias(f, self.padded(f, found["O"]))
        kernels = self._kernels(f)
        each = product(f, [found["O"], found["C"], found["P"]])
        units = f.binary("mul", found["N"], found["G"])
        self.launch(f, "images", units, each, max(1, self.size // 4))
        self.free(f, kernels, *biases)
        return f.finish(self.get(f, "status"))

    def _kernels(self, f: Writer) -> str:
        """Put into the context where kernels are; those of another's gradient, which lie filter
        beside filter, are turned if many images need them.

        Returns memory to be freed, or null.
        """
        batch, groups, filters, channels = self.gets(f, "N G O C")
        turns = f.both(
            f.op(f"icmp eq i64 {f.stride(self.w, 1)}, {self.size}"),
            f.op(f"icmp sgt i64 {channels}, 1"), f.op(f"icmp sge i64 {batch}, {_FEW}"),
        )  # fmt: skip

        def copied() -> list[str]:
            size = f.binary("mul", filters, channels)
            to = self.alloc(f, f.binary("mul", size, groups))

            def group(g: str) -> None:
                of = f.place(f.pointer(self.w), (g, f.stride(self.w, 0)))
                here = self.element(f, to, f.binary("mul", g, size))
                f.do(
                    f"call void @turn(ptr {here}, i64 {channels}, ptr {of}, "
                    f"i64 {f.stride(self.w, 2)}, i64 {channels}, i64 {filters})"
                )

            f.each(0, groups, 1, group)
            return [to, to, f.binary("mul", size, self.size), channels, "1"]

        def in_place() -> list[str]:
            strides = [self._elements(f, self.w, axis) for axis in (1, 2)]
            return ["null", f.pointer(self.w), f.stride(self.w, 0), *strides]

        kinds = [("ptr", "null"), ("ptr", "null"), *[("i64", "0")] * 3]
        memory, base, *steps = f.choose(turns, kinds, copied, in_place)
        for name, value in zip(("group", "row", "column"), steps, strict=True):
            self.put(f, name, value)
        self.put(f, "kernels", f.op(f"ptrtoint ptr {base} to i64"))
        return memory


class PointWeightsText(PointwiseText):
    """Writes the gradient for kernels."""

    w, x, y = 0, 1, 2

    def functions(self) -> list[str]:
        """The routine."""
        return [self._entry()]

    def _entry(self) -> str:
        """Some filters after the other, to which all images add: products are split, not images."""
        f = self.main()
        batch, groups = f.dim(self.y, 0), f.dim(self.w, 0)
        filters, channels = f.dim(self.w, 1), f.dim(self.w, 2)
        extents = [f.dim(self.y, axis) for axis in (2, 3, 4)]
        points = product(f, extents)
        tight = f.both(self._tight(f, self.x), self._tight(f, self.y))

        def one(g: str, o: str, n: str) -> None:
            count = f.smin(f.binary("sub", filters, o), together)
            w = f.place(f.pointer(self.w), (g, f.stride(self.w, 0)), (o, f.stride(self.w, 1)))
            first = f.binary("mul", g, channels), f.binary("add", f.binary("mul", g, filters), o)
            steps = (self._elements(f, self.y, 4), self._elements(f, self.x, 4))

            def line(x: str, y: str, a: str, b: str) -> None:
                number = f.binary("or", n, f.binary("or", a, b))
                self._add(f, (w, x, y), (count, extents[2]), number, steps)

            self._lines(
                f, tight, self._image(f, n, first),
                lambda x, y: self._add(f, (w, x, y), (count, points), n, ("1", "1")), line,
            )  # fmt: skip

        row = f.smax(f.binary("mul", channels, self.size), 1)
        together = f.smax(f.binary("udiv", str(_SUMS), row), _LEAST)
        f.each(0, groups, 1, lambda g: f.each(0, filters, together, lambda o: f.each(
            0, batch, 1, lambda n: one(g, o, n))))  # fmt: skip
        return f.finish()

    def _add(
        self, f: Writer, places: tuple[str, str, str], extents: tuple[str, str], number: str,
        steps: tuple[str, str],
    ) -> None:  # fmt: skip
        """Add the products for some filters at some positions; number 0 comes first."""
        (w, x, y), (filters, points) = places, extents
        first = f.op(f"icmp eq i64 {number}, 0")
        beta = f.op(f"select i1 {first}, {self.kind} 0.0, {self.kind} 1.0")
        f.do(
            f"call void @{self._gemm}(i64 {filters}, i64 {f.dim(self.w, 2)}, "
            f"i64 {points}, {self.kind} 1.0, ptr {y}, i64 {self._elements(f, self.y, 1)}, "
            f"i64 {steps[0]}, ptr {x}, i64 {steps[1]}, i64 {self._elements(f, self.x, 1)}, "
            f"{self.kind} {beta}, ptr {w}, i64 {self._elements(f, self.w, 1)}, "
            f"i64 {self._elements(f, self.w, 2)})"
        )
