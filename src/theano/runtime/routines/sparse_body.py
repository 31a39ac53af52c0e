"""What the native text of sparse routines shares: elements, segments, groups of columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from theano.core.record import dataclass
from theano.runtime.routines.base import ITEMSIZE, KINDS, Part

UNROLLED: Final = 4  # vectors of a row of the result kept in registers at a time


class Body:
    """What the parts of all routines share: elements, segments, rows of vectors."""

    def __init__(self, f: Part, dtype: str, lanes: int) -> None:
        self.f = f
        self.kind = KINDS[dtype]
        self.size = ITEMSIZE[dtype]
        self.real = dtype.startswith("float")
        self.flag = dtype == "bool"
        self.lanes = lanes
        self.vector = f"<{lanes} x {self.kind}>"
        self.base = [f.pointer(array) for array in range(len(f.routine.ranks))]
        self.strides = [
            [f.stride(array, axis) for axis in range(rank)]
            for array, rank in enumerate(f.routine.ranks)
        ]

    def kind_of(self, lanes: int) -> str:
        """The type of a vector of that many elements; of an element for 1."""
        return self.kind if lanes == 1 else f"<{lanes} x {self.kind}>"

    def arithmetic(self, a: str, b: str, c: str, lanes: int) -> str:
        """``a * b + c``."""
        kind = self.kind_of(lanes)
        if self.real:
            name = _fma(lanes, 8 * self.size)
            return self.f.op(f"call {kind} @{name}({kind} {a}, {kind} {b}, {kind} {c})")
        times, plus = ("and", "or") if self.flag else ("mul", "add")
        product = self.f.op(f"{times} {kind} {a}, {b}")
        return self.f.op(f"{plus} {kind} {product}, {c}")

    def add(self, a: str, b: str) -> str:
        """``a + b``."""
        name = "fadd" if self.real else "or" if self.flag else "add"
        return self.f.op(f"{name} {self.kind} {a}, {b}")

    def load(self, address: str, kind: str = "") -> str:
        """An element or vector."""
        return self.f.op(f"load {kind or self.kind}, ptr {address}, align 1")

    def store(self, value: str, address: str, kind: str = "") -> None:
        """Write an element or vector."""
        self.f.do(f"store {kind or self.kind} {value}, ptr {address}, align 1")

    def wide(self, value: str, lanes: int) -> str:
        """``value`` in every lane of a vector."""
        if lanes == 1:
            return value
        kind = self.kind_of(lanes)
        first = self.f.op(f"insertelement {kind} poison, {self.kind} {value}, i64 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        return self.f.op(f"shufflevector {kind} {first}, {kind} poison, {zeros}")

    def element(self, array: int, index: str) -> str:
        """The address of an element of a vector."""
        return self.f.place(self.base[array], (index, self.strides[array][0]))

    def int32(self, array: int, index: str) -> str:
        """An int32 of a vector, as i64."""
        value = self.f.op(f"load i32, ptr {self.element(array, index)}, align 1")
        return self.f.op(f"sext i32 {value} to i64")

    def bounds(self, indptr: int, stored: str, first: str, end: str) -> tuple[str, str]:
        """Where segments ``first`` to ``end`` begin and end; fail unless all that is ``stored``
        belongs to segments."""
        f = self.f
        f.fail_if(f.op(f"icmp ne i64 {self.int32(indptr, '0')}, 0"))
        total = self.int32(indptr, f.binary("sub", f.dim(indptr, 0), 1))
        f.fail_if(f.op(f"icmp ne i64 {total}, {stored}"))
        begin, finish = self.int32(indptr, first), self.int32(indptr, end)
        f.fail_if(f.op(f"icmp slt i64 {begin}, 0"))
        f.fail_if(f.op(f"icmp sgt i64 {finish}, {stored}"))
        return begin, finish

    def checked(self, places: tuple[int, int], first: str, end: str, extent: str) -> str:
        """Where segments ``first`` to ``end`` end; fail unless their positions are below
        ``extent``. ``places``: indices and indptr."""
        indices, indptr = places
        begin, finish = self.bounds(indptr, self.f.dim(indices, 0), first, end)
        self._inside(indices, begin, finish, extent)
        return finish

    def _inside(self, indices: int, begin: str, finish: str, extent: str) -> None:
        f = self.f
        wide, lanes = "<8 x i32>", 8
        low = f.op(f"trunc i64 {f.smin(extent, 2**31 - 1)} to i32")
        first = f.op(f"insertelement {wide} poison, i32 {low}, i64 0")
        limit = f.op(
            f"shufflevector {wide} {first}, {wide} poison, <{lanes} x i32> zeroinitializer"
        )

        def look(kind: str, bound: str) -> Callable[[str, list[str]], list[str]]:
            def one(p: str, seen: list[str]) -> list[str]:
                found = f.op(f"load {kind}, ptr {self.element(indices, p)}, align 1")
                bad = f.op(f"icmp uge {kind} {found}, {bound}")
                flag = "<8 x i1>" if kind == wide else "i1"
                return [f.op(f"or {flag} {seen[0]}, {bad}")]

            return one

        unit = f.op(f"icmp eq i64 {self.strides[indices][0]}, 4")
        span = f.smax(f.binary("sub", finish, begin), 0)
        whole = f.op(f"select i1 {unit}, i64 {f.binary('and', span, -lanes)}, i64 0")
        rest = f.binary("add", begin, whole)
        (some,) = f.loop(begin, rest, lanes, [("<8 x i1>", "zeroinitializer")], look(wide, limit))
        (last,) = f.loop(rest, finish, 1, [("i1", "false")], look("i32", low))
        bits = f.op(f"bitcast <8 x i1> {some} to i8")
        f.fail_if(f.op(f"or i1 {last}, {f.op(f'icmp ne i8 {bits}, 0')}"))

    def segment(self, indptr: int, i: str, last: str) -> tuple[str, str]:
        """Where segment ``i`` begins and ends, checked to be in order and not behind ``last``."""
        f = self.f
        begin, end = self.int32(indptr, i), self.int32(indptr, f.binary("add", i, 1))
        f.fail_if(f.op(f"icmp slt i64 {end}, {begin}"))
        f.fail_if(f.op(f"icmp sgt i64 {end}, {last}"))
        return begin, end

    def one_for_each(self, data: int, indices: int) -> None:
        """Fail unless two vectors are equally long."""
        f = self.f
        f.fail_if(f.op(f"icmp ne i64 {f.dim(data, 0)}, {f.dim(indices, 0)}"))

    def unit(self, *arrays: int) -> str:
        """Whether the columns of all these matrices lie side by side."""
        tests = [
            self.f.op(f"icmp eq i64 {self.strides[array][1]}, {self.size}") for array in arrays
        ]
        return self.f.both(*tests)

    def groups(self, first: str, end: str, *arrays: int) -> list[Group]:
        """Columns ``first`` to ``end`` of matrices as groups of vectors, then ever shorter ones,
        then single elements (only these where columns lie apart). Computed once: rows are many."""
        f = self.f
        unit = self.unit(*arrays)
        found, at = [], first
        for lanes, count in widths(self.lanes, self.size):
            width = lanes * count
            span = f.binary("and", f.smax(f.binary("sub", end, at), 0), -width)
            if width > 1:
                span = f.op(f"select i1 {unit}, i64 {span}, i64 0")
            stop = f.binary("add", at, span)
            found.append(Group(at, stop, lanes, count))
            at = stop
        return found

    def walk(self, groups: Sequence[Group], body: Callable[[str, int, int], None]) -> None:
        """Write ``body(column, lanes, count)`` for ``count`` vectors at each column of groups."""
        for group in groups:
            step = group.lanes * group.count
            self.f.each(
                group.first, group.end, step,
                lambda c, group=group: body(c, group.lanes, group.count),  # type: ignore[misc]
            )  # fmt: skip

    def row(self, array: int, i: str) -> str:
        """The address of a row of a matrix."""
        return self.f.place(self.base[array], (i, self.strides[array][0]))

    def at(self, array: int, row: str, column: str, lanes: int = 1, number: int = 0) -> str:
        """The address of a column of a row, or of the vector ``number`` vectors further."""
        if lanes == 1:
            return self.f.place(row, (column, self.strides[array][1]))
        place = self.f.at(self.kind, row, column)
        return self.f.at(self.kind, place, number * lanes) if number else place

    def zero(self, lanes: int) -> str:
        """The zero of a vector or element."""
        return "zeroinitializer" if lanes > 1 else "0.0" if self.real else "0"


@dataclass(frozen=True, slots=True)
class Group:
    """Columns ``first`` to ``end``, ``count`` vectors of ``lanes`` elements at a time."""

    first: str
    end: str
    lanes: int
    count: int


def widths(lanes: int, size: int) -> list[tuple[int, int]]:
    """(lanes, vectors at a time) from the widest to single elements; no vectors below 16 bytes."""
    found = [(lanes, UNROLLED), (lanes, 1)]
    while lanes * size > 16:
        lanes //= 2
        found.append((lanes, 1))
    return [*found, (1, 1)]


def _fma(lanes: int, bits: int) -> str:
    return f"llvm.fma.f{bits}" if lanes == 1 else f"llvm.fma.v{lanes}f{bits}"


def declared(dtype: str, lanes: int) -> str:
    """The intrinsics that bodies call."""
    kind, size = KINDS[dtype], ITEMSIZE[dtype]
    vector = f"<{lanes} x {kind}>"
    if not dtype.startswith("float"):
        name = "or" if dtype == "bool" else "add"
        return f"declare {kind} @llvm.vector.reduce.{name}.v{lanes}{kind}({vector})\n"
    lines = [f"declare {kind} @llvm.vector.reduce.fadd.v{lanes}f{8 * size}({kind}, {vector})"]
    for n in sorted({width for width, _ in widths(lanes, size)}):
        of = kind if n == 1 else f"<{n} x {kind}>"
        lines.append(f"declare {of} @{_fma(n, 8 * size)}({of}, {of}, {of})")
    return "\n".join(lines) + "\n"
