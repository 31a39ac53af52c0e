"""Writing native text with explicit vectors: numbers of a context, memory, elements and vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from theano.runtime.irtext import Function, turned
from theano.runtime.routines.base import ITEMSIZE, KINDS, Part, Routine, Text, Writer
from theano.runtime.routines.conv_local import ceil_div

if TYPE_CHECKING:
    from theano.runtime.support import Target

HELPERS: Final = ("th_alloc", "th_free", "th_launch", "th_pool")
_DECLARED: Final = """
@th_pool = external global i8
declare i64 @th_launch(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64)
declare ptr @th_alloc(i64)
declare void @th_free(ptr)
"""


class VectorText(ABC):
    """Writes a routine with a context for one dtype: a module whose functions share numbers.

    ``slots`` names what the context holds, first what `in_parts` puts there.
    """

    slots: tuple[str, ...]

    def __init__(self, symbol: str, row: Routine, dtype: str, target: Target) -> None:
        self.symbol, self.row, self.dtype = symbol, row, dtype
        self.kind, self.size = KINDS[dtype], ITEMSIZE[dtype]
        self.lanes = max(2, target.vector_bytes // self.size)
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.many = target.vector_registers >= 32

    # the module ----------------------------------------------------------------------------------

    def text(self) -> Text:
        """The module."""
        parts = [*self.declared(), self._zero(), self._copy(), *self.functions()]
        return Text("\n".join(parts), HELPERS, late=self.late())

    def declared(self) -> list[str]:
        """What the functions call."""
        bits = 8 * self.size
        return [
            f"declare {self.vector} @llvm.fmuladd.v{self.lanes}f{bits}({self.vector}, "
            f"{self.vector}, {self.vector})",
            _DECLARED,
        ]

    def late(self) -> tuple[str, ...]:
        """Routines that are compiled when they are first called."""
        return ()

    @abstractmethod
    def functions(self) -> list[str]:
        """The other functions, the routine among them."""

    def function(self, head: str) -> Writer:
        """An internal function with a context."""
        return Writer(self.symbol, self.row, f"internal {head}")

    def part(self, name: str) -> Part:
        """The function ``name`` does a part of some work: see `launch`."""
        return Part(name, self.row)

    def main(self) -> Writer:
        """The routine, with its context."""
        f = Writer(self.symbol, self.row)
        f.do(f"%ctx = alloca [{len(self.slots)} x i64], align 64")
        f.do("store ptr %words, ptr %ctx, align 8")
        self.put(f, "status", "0")
        return f

    def launch(self, f: Writer, name: str, units: str, each: str, weight: int) -> None:
        """Run ``NAME_part`` on units of ``each`` elements of this weight."""
        own = f.at("i64", "%ctx", 1)
        f.op(
            f"call i64 @th_launch(ptr @th_pool, ptr @{name}_part, ptr %ctx, ptr {own}, "
            f"i64 {units}, i64 {each}, i64 {weight}, i64 1, i64 2)"
        )

    # slots and memory ----------------------------------------------------------------------------

    def put(self, f: Function, name: str, value: str) -> str:
        """Keep a number in the context."""
        f.do(f"store i64 {value}, ptr {f.at('i64', '%ctx', self.slots.index(name))}, align 8")
        return value

    def get(self, f: Function, name: str) -> str:
        """A number of the context."""
        return f.op(f"load i64, ptr {f.at('i64', '%ctx', self.slots.index(name))}, align 8")

    def pointer(self, f: Function, name: str) -> str:
        """An address of the context."""
        return f.op(f"load ptr, ptr {f.at('i64', '%ctx', self.slots.index(name))}, align 8")

    def gets(self, f: Function, names: str) -> list[str]:
        """Several numbers."""
        return [self.get(f, name) for name in names.split()]

    def alloc(self, f: Writer, count: str, size: int = 0) -> str:
        """Memory for ``count`` elements; where there is none, the call fails at once (and loses
        what else this function has)."""
        block = f.op(f"call ptr @th_alloc(i64 {f.binary('mul', count, size or self.size)})")
        none = f.op(f"icmp eq ptr {block}, null")
        if isinstance(f, Part):
            f.fail_if(none)
        else:
            f.leave_if(none, value="i64 -1")
        return block

    def free(self, f: Function, *blocks: str) -> None:
        """Give memory back."""
        for block in blocks:
            f.do(f"call void @th_free(ptr {block})")

    def load(self, f: Function, place: str) -> str:
        """An element."""
        return f.op(f"load {self.kind}, ptr {place}, align {self.size}")

    def store(self, f: Function, value: str, place: str) -> None:
        """The reverse."""
        f.do(f"store {self.kind} {value}, ptr {place}, align {self.size}")

    def load_vector(self, f: Function, place: str, lanes: int = 0) -> str:
        """Neighbouring elements."""
        return f.op(f"load <{lanes or self.lanes} x {self.kind}>, ptr {place}, align {self.size}")

    def store_vector(self, f: Function, value: str, place: str, lanes: int = 0) -> None:
        """The reverse."""
        kind = f"<{lanes or self.lanes} x {self.kind}>"
        f.do(f"store {kind} {value}, ptr {place}, align {self.size}")

    def splat(self, f: Function, value: str) -> str:
        """A vector of one value."""
        one = f.op(f"insertelement {self.vector} poison, {self.kind} {value}, i32 0")
        mask = f"<{self.lanes} x i32> zeroinitializer"
        return f.op(f"shufflevector {self.vector} {one}, {self.vector} poison, {mask}")

    def muladd(self, f: Function, a: str, b: str, c: str) -> str:
        """``a b + c``."""
        kind = self.vector
        name = f"@llvm.fmuladd.v{self.lanes}f{8 * self.size}"
        return f.op(f"call {kind} {name}({kind} {a}, {kind} {b}, {kind} {c})")

    def element(self, f: Function, base: str, index: str | int) -> str:
        """The address of an element behind ``base``."""
        return f.at(self.kind, base, index)

    def padded(self, f: Writer, count: str) -> str:
        """As many elements as are in whole vectors."""
        return f.binary("mul", ceil_div(f, count, str(self.lanes)), self.lanes)

    # lines and squares ---------------------------------------------------------------------------

    def _runs(self, f: Function, body: Callable[[str, int], None]) -> None:
        """``body(i, width)`` for vectors that cover ``%count`` elements; the last two may overlap.

        It ends the function.
        """
        width = self.lanes
        while width > 1:
            enough = f.op(f"icmp sge i64 %count, {width}")
            last = f.binary("sub", "%count", width)

            def cover(width: int = width, last: str = last) -> None:
                if width == self.lanes:
                    f.each(0, last, width, lambda i: body(i, width))
                else:
                    body("0", width)
                body(last, width)

            f.leave_if(enough, cover)
            width //= 2
        f.leave_if(f.op("icmp eq i64 %count, 1"), lambda: body("0", 1))
        f.do("ret void")

    def _zero(self) -> str:
        """Zeros in elements."""
        f = Function("internal void @zero(ptr %to, i64 %count)")
        self._runs(f, lambda i, width: self.store_vector(
            f, "zeroinitializer", self.element(f, "%to", i), width))  # fmt: skip
        return f.text()

    def _copy(self) -> str:
        """Copy elements; strides are in bytes."""
        f = Function("internal void @copy(ptr %to, i64 %step, ptr %of, i64 %stride, i64 %count)")
        tight = f.both(*(f.op(f"icmp eq i64 {s}, {self.size}") for s in ("%step", "%stride")))

        loose = f.op(f"xor i1 {tight}, true")
        f.leave_if(loose, lambda: self._gather(f))
        self._runs(f, lambda i, width: self.store_vector(
            f, self.load_vector(f, self.element(f, "%of", i), width),
            self.element(f, "%to", i), width))  # fmt: skip
        return f.text()

    def _gather(self, f: Function) -> None:
        """Copy elements one by one; every second one of a line by vectors."""
        apart = f.both(
            f.op(f"icmp eq i64 %step, {self.size}"), f.op(f"icmp eq i64 %stride, {2 * self.size}")
        )
        # A vector of pairs reads one element more than is needed: not at the very end.
        pairs = f.op(f"select i1 {apart}, i64 {f.binary('sub', '%count', 1)}, i64 0")
        at, width = "0", self.lanes
        while width >= min(4, self.lanes):
            many = f.binary("sdiv", f.binary("sub", pairs, at), width)
            stop = f.binary("add", at, f.binary("mul", f.smax(many, 0), width))
            kind = f"<{2 * width} x {self.kind}>"
            picks = ", ".join(f"i32 {2 * i}" for i in range(width))

            def some(i: str, width: int = width, kind: str = kind, picks: str = picks) -> None:
                both = self.load_vector(f, self.element(f, "%of", f.binary("mul", i, 2)), 2 * width)
                half = f.op(
                    f"shufflevector {kind} {both}, {kind} poison, <{width} x i32> <{picks}>"
                )
                self.store_vector(f, half, self.element(f, "%to", i), width)

            f.each(at, stop, width, some)
            at, width = stop, width // 2

        def one(i: str) -> None:
            value = self.load(f, f.at("i8", "%of", f.binary("mul", i, "%stride")))
            self.store(f, value, f.at("i8", "%to", f.binary("mul", i, "%step")))

        f.each(at, "%count", 1, one)

    def turn(self) -> str:
        """``to[p, o] = of[o, p]``: blocks of vectors are turned in registers."""
        f = Function(
            "internal void @turn(ptr %to, i64 %wide, ptr %of, i64 %apart, i64 %filters, i64 %count)"
        )
        whole, full = (f.binary("and", n, -self.lanes) for n in ("%filters", "%count"))

        def one(o: str, p: str) -> None:
            source = f.at("i8", "%of", f.binary("mul", o, "%apart"))
            index = f.binary("add", f.binary("mul", p, "%wide"), o)
            self.store(f, self.load(f, self.element(f, source, p)), self.element(f, "%to", index))

        def block(o: str, p: str) -> None:
            start = self.element(f, f.at("i8", "%of", f.binary("mul", o, "%apart")), p)
            values = [
                self.load_vector(f, f.at("i8", start, f.binary("mul", "%apart", i)))
                for i in range(self.lanes)
            ]
            to = self.element(f, "%to", f.binary("add", f.binary("mul", p, "%wide"), o))
            for i, value in enumerate(turned(f, values, self.vector)):
                self.store_vector(f, value, self.element(f, to, f.binary("mul", "%wide", i)))

        def filters(o: str) -> None:
            f.each(0, full, self.lanes, lambda p: block(o, p))
            last = f.binary("add", o, self.lanes)
            f.each(o, last, 1, lambda i: f.each(full, "%count", 1, lambda p: one(i, p)))

        f.each(0, whole, self.lanes, filters)
        f.each(whole, "%filters", 1, lambda o: f.each(0, "%count", 1, lambda p: one(o, p)))
        f.do("ret void")
        return f.text()
