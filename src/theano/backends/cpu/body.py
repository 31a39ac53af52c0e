"""A kernel's statements as instructions: values, loads, stores, accumulators, on some lanes."""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu import memory, prims
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Function
from theano.backends.cpu.layout import Layout
from theano.core.record import dataclass
from theano.kernel import ir

DUMPS = 16  # places for elements that are not to be written
Access = tuple[str, tuple[str, ...]]  # an operand, and the values that index it


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operand is at the current row: a pointer, and the byte stride from lane to lane
    (``unit``: elements follow each other; otherwise ``stride`` is an i64 value)."""

    pointer: str
    stride: str = "0"
    unit: bool = True


@dataclass(slots=True)
class Value:
    """A value by its dtype, as a scalar (the same in all lanes) or as a vector."""

    dtype: str
    scalar: str | None = None
    vector: str | None = None


class Body:
    """Writes statements at one point (or ``lanes`` consecutive points) of a kernel.

    ``position`` is the i64 index along the vectorised axis; ``mask`` (None: all) says which lanes
    are inside; ``uniform`` names the values that do not change along it.
    """

    def __init__(self, f: Function, e: Emitter, layout: Layout, env: dict[str, Value]) -> None:
        self.f, self.e, self.layout, self.env = f, e, layout, dict(env)
        self.ctx = "%ctx"
        self.places: dict[str, Place] = {}
        self.fixed: dict[Access, Place] = {}
        self.indices: dict[str, str] = {}  # axis -> scalar i64
        self.axis = ""  # the vectorised axis
        self.position = "0"
        self.mask: str | None = None
        self.dump = ""
        self.ahead: dict[str, str] = {}  # operand -> bytes: what is so far ahead is asked for now
        self.stream = ""  # a condition: whole lines of `streamed` are written past the caches
        self.streamed: frozenset[str] = frozenset()
        self.part: tuple[str, str] | None = None  # scatters: first place, and how many
        self.accumulate: Callable[[ir.Accumulate, str], None] | None = None

    def value(self, name: str) -> str:
        """A value on this body's lanes."""
        found = self.env[name]
        if self.e.lanes == 1:
            assert found.scalar is not None
            return found.scalar
        if found.vector is None:
            assert found.scalar is not None
            wide = self.e.broadcast(REGISTER_TYPES[found.dtype], found.scalar)
            found = self.env[name] = Value(found.dtype, found.scalar, wide)
        assert found.vector is not None
        return found.vector

    def set(self, name: str, dtype: str, text: str) -> None:
        """Define a value on this body's lanes."""
        self.env[name] = (
            Value(dtype, scalar=text) if self.e.lanes == 1 else Value(dtype, vector=text)
        )

    def run(self, statement: ir.Stmt) -> None:
        """Write one statement."""
        _WRITERS[type(statement)](self, statement)

    # statements ---------------------------------------------------------------------------------

    def _const(self, s: ir.Const) -> None:
        self.set(s.out, s.dtype, self.e.const(s.dtype, s.value))

    def _index(self, s: ir.Index) -> None:
        if s.axis != self.axis:
            self.env[s.out] = Value("int64", scalar=self.indices[s.axis])
            return
        e = self.e
        if e.lanes == 1:
            self.set(s.out, "int64", self.position)
            return
        base = e.broadcast("i64", self.position)
        self.set(s.out, "int64", e.binary("add", e.widen("i64"), base, memory.iota(e)))

    def _apply(self, s: ir.Apply) -> None:
        args = [self.value(a) for a in s.args]
        dtype = self.env[s.args[-1]].dtype
        if s.prim == "cast":
            text = prims.emit_cast(self.e, dtype, s.dtype, args[0])
        else:
            text = prims.emit(self.e, s.prim, dtype, args)
        self.set(s.out, s.dtype, text)

    def _accumulate(self, s: ir.Accumulate) -> None:
        assert self.accumulate is not None
        self.accumulate(s, self.value(s.value))

    def _fail_if(self, s: ir.Fail) -> None:
        self.e.fail(self.value(s.value))

    def _load(self, s: ir.Load) -> None:
        operand = self.layout.kernel.operand(s.operand)
        place = self.fixed.get((s.operand, s.index)) or self.places[s.operand]
        if s.index and (s.operand, s.index) not in self.fixed:
            pointers, inside = self.gathered(s.operand, s.index, place)
            self.set(s.out, s.dtype, self._load_at(operand.dtype, pointers, inside))
            return
        self.set(s.out, s.dtype, self._load_from(operand, place))

    def _moves(self, operand: ir.Operand) -> bool:
        return self.axis in operand.axes

    def _load_from(self, operand: ir.Operand, place: Place) -> str:
        e, f = self.e, self.f
        size = memory.itemsize(operand.dtype)
        if not self._moves(operand):
            one = memory.emit_load(f.s, operand.dtype, place.pointer)
            return one if e.lanes == 1 else e.broadcast(_register(operand.dtype), one)
        if place.unit:
            pointer = f.pointer(place.pointer, f.i64("mul", self.position, str(size)))
            if self.mask is None:
                if operand.name in self.ahead and size * e.lanes >= memory.CACHE_LINE // 2:
                    later = f.pointer(pointer, self.ahead[operand.name])
                    for offset in range(0, size * e.lanes, memory.CACHE_LINE):
                        memory.emit_prefetch(f.s, f.pointer(later, str(offset)))
                return memory.emit_load(e, operand.dtype, pointer)
            return memory.emit_masked_load(e, operand.dtype, pointer, self.mask)
        pointer = f.pointer(place.pointer, f.i64("mul", self.position, place.stride))
        return memory.emit_gather(e, operand.dtype, pointer, place.stride, self.mask)

    def gathered(self, name: str, index: tuple[str, ...], place: Place) -> tuple[str, str]:
        """A pointer per lane and the condition that it is inside."""
        e, f = self.e, self.f
        wide = e.widen("i64")
        offset: str | None = None
        inside: str | None = None
        for j, entry in enumerate(index):
            extent = e.broadcast("i64", f.word(self.ctx, self.layout.gather_extent(name, j)))
            stride = e.broadcast("i64", f.word(self.ctx, self.layout.gather_stride(name, j)))
            raw = self.value(entry)
            wrapped = e.binary("add", wide, raw, extent)
            negative = e.icmp("slt", "int64", raw, e.const("int64", 0))
            chosen = e.select(negative, "int64", wrapped, raw)
            ok = e.icmp("ult", "int64", chosen, extent)
            inside = ok if inside is None else e.bits("and", inside, ok)
            moved = e.binary("mul", wide, chosen, stride)
            offset = moved if offset is None else e.binary("add", wide, offset, moved)
        assert offset is not None
        assert inside is not None
        e.fail(e.invert(inside))
        if self.part is not None and self.layout.kernel.operand(name).mode == "scatter":
            inside = e.bits("and", inside, self._in_part(index[0], name))
        if self._moves(self.layout.kernel.operand(name)):
            step = e.broadcast("i64", place.stride)
            base = e.broadcast("i64", self.position)
            lane = e.binary("add", wide, base, memory.iota(e)) if e.lanes > 1 else self.position
            offset = e.binary("add", wide, offset, e.binary("mul", wide, lane, step))
        return memory.lane_pointers(e, place.pointer, offset), inside

    def _in_part(self, entry: str, name: str) -> str:
        """Whether an index along the first dimension of a scatter is in this chunk's part."""
        assert self.part is not None
        assert self.e.lanes == 1
        f, (first, count) = self.f, self.part
        raw = self.value(entry)
        extent = f.word(self.ctx, self.layout.gather_extent(name, 0))
        negative = f.s.emit(f"icmp slt i64 {raw}, 0")
        place = f.select(negative, "i64", f.i64("add", raw, extent), raw)
        return f.s.emit(f"icmp ult i64 {f.i64('sub', place, first)}, {count}")

    def _load_at(self, dtype: str, pointers: str, inside: str) -> str:
        e = self.e
        if e.lanes == 1:
            return memory.emit_load(e, dtype, self._safe(pointers, inside))
        if self.mask is not None:
            inside = e.bits("and", inside, self.mask)
        return memory.emit_gather_at(e, dtype, pointers, inside)

    def _safe(self, pointer: str, inside: str) -> str:
        dump = self.f.word_pointer(self.ctx, self.layout.own("dump"))
        if self.dump:  # several, lest one element wait for another
            slot = self.f.i64("and", self.position, str(DUMPS - 1))
            dump = self.f.s.emit(f"getelementptr i64, ptr {self.dump}, i64 {slot}")
        return self.f.select(inside, "ptr", pointer, dump)

    def _store(self, s: ir.Store) -> None:
        operand = self.layout.kernel.operand(s.operand)
        place = self.fixed.get((s.operand, s.index)) or self.places[s.operand]
        value = self.value(s.value)
        if s.index and (s.operand, s.index) not in self.fixed:
            pointers, inside = self.gathered(s.operand, s.index, place)
            assert self.e.lanes == 1, "a scatter at computed places runs point by point"
            place = Place(self._safe(pointers, inside))
            self._write(operand, place, value, s.add, "0")
            return
        self._write(operand, place, value, s.add, self.position)

    def _write(self, operand: ir.Operand, place: Place, value: str, add: bool, at: str) -> None:
        e, f = self.e, self.f
        size = memory.itemsize(operand.dtype)
        if not self._moves(operand) or at == "0":
            pointer = place.pointer
        else:
            pointer = f.pointer(
                place.pointer, f.i64("mul", at, str(size) if place.unit else place.stride)
            )
        if add:
            value = self._sum(operand, pointer, place, value)
        if e.lanes == 1:
            memory.emit_store(e, operand.dtype, pointer, value)
        elif not place.unit:
            memory.emit_scatter(e, operand.dtype, pointer, value, place.stride, self.mask)
        elif self.mask is None:
            self._write_whole(operand, pointer, value)
        else:
            memory.emit_masked_store(e, operand.dtype, pointer, value, self.mask)

    def _write_whole(self, operand: ir.Operand, pointer: str, value: str) -> None:
        if operand.name not in self.streamed:
            memory.emit_store(self.e, operand.dtype, pointer, value)
            return
        self.f.choose(
            self.stream,
            lambda: memory.emit_stream(self.e, operand.dtype, pointer, value),
            lambda: memory.emit_store(self.e, operand.dtype, pointer, value),
        )

    def _sum(self, operand: ir.Operand, pointer: str, place: Place, value: str) -> str:
        e = self.e
        if e.lanes == 1:
            old = memory.emit_load(e, operand.dtype, pointer)
        elif not place.unit:
            old = memory.emit_gather(e, operand.dtype, pointer, place.stride, self.mask)
        elif self.mask is None:
            old = memory.emit_load(e, operand.dtype, pointer)
        else:
            old = memory.emit_masked_load(e, operand.dtype, pointer, self.mask)
        return prims.emit(e, "add", operand.dtype, [old, value])

    def report_failures(self, only_if: str | None = None) -> None:
        """Set the status word if a lane inside the mask has failed (and ``only_if`` holds)."""
        failures, self.e.failures = self.e.failures, []
        for condition in failures:
            if only_if is not None:
                condition = self.f.s.emit(f"and i1 {condition}, {only_if}")
            if self.mask is not None and self.e.lanes > 1:
                condition = self.e.bits("and", condition, self.mask)
            self.f.when(self.e.any(condition), [], self._fail)

    def _fail(self) -> list[str]:
        self.f.set_word(self.ctx, self.layout.status, "1")
        return []


_WRITERS: dict[type, Callable[[Body, ir.Stmt], None]] = {
    ir.Const: Body._const,  # type: ignore[dict-item]
    ir.Index: Body._index,  # type: ignore[dict-item]
    ir.Apply: Body._apply,  # type: ignore[dict-item]
    ir.Accumulate: Body._accumulate,  # type: ignore[dict-item]
    ir.Load: Body._load,  # type: ignore[dict-item]
    ir.Fail: Body._fail_if,  # type: ignore[dict-item]
    ir.Store: Body._store,  # type: ignore[dict-item]
}


def _register(dtype: str) -> str:
    return REGISTER_TYPES[dtype]
