"""The frame of a host function: arrays and registers by name, owned objects, and how calls end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from theano.backends.cpu import memory, outlined
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.entry import State
from theano.backends.cpu.flow import Function, product
from theano.core.record import dataclass
from theano.lower import program as pg
from theano.runtime import capi

#: Statements times points from which a step is worth releasing the GIL (about 10 microseconds).
GIL_WORK = 100_000
ERROR, SLOW = -1, -2  # statuses; a failed step has its own number


@dataclass(frozen=True, slots=True)
class Array:
    """An array in native code: i64 values for extents and byte strides, the NumPy object if any.

    What a program only passes on has the dtype ``object`` and nothing but its object.
    """

    dtype: str
    pointer: str
    dims: tuple[str, ...]
    strides: tuple[str, ...]
    object: str = ""  # slot of the owned object, or a borrowed object


class Frame:
    """Writes one host function: values by name, Python C API calls, exits."""

    def __init__(self, module: Emitter, program: pg.Program, state: State) -> None:
        self.program = program
        self.state = state
        self.module = module
        self.f = Function(module, 1)
        self.e = self.f.s
        self.at = capi.layout()
        self.arrays: dict[str, Array] = {}
        self.registers: dict[str, tuple[str, str]] = {}  # name -> (value, dtype)
        self.objects: list[str] = []  # stack slots of owned references
        self.entry: list[str] = []  # stack memory, made in the entry block
        self._seen_failures = 0

    @cached_property
    def squares(self) -> bool:
        """Whether a product of the program also sums squares."""
        calls = (step for step in pg.walk(self.program.steps) if isinstance(step, pg.Call))
        return any(call.function == "gemm_squares" for call in calls)

    # ------------------------------------------------------------------ memory of the frame

    def stack(self, kind: str, count: int, initial: str = "") -> str:
        """Stack memory of the frame, optionally one element with an initial value."""
        name = self.e.fresh()
        self.entry.append(f"  {name} = alloca {kind}, i64 {count}, align 8")
        if initial:
            self.entry.append(f"  store {kind} {initial}, ptr {name}")
        return name

    def own(self, value: str = "") -> str:
        """A stack slot for a reference that the frame gives back at its end."""
        slot = self.stack("ptr", 1, "null")
        self.objects.append(slot)
        if value:
            self.e.do(f"store ptr {value}, ptr {slot}")
        return slot

    @cached_property
    def status(self) -> str:
        """Stack slot of the status that an exit leaves."""
        return self.stack("i64", 1, str(ERROR))

    def word(self, offset: int, kind: str = "ptr") -> str:
        """Load a word of the state block."""
        pointer = self.e.emit(f"getelementptr i64, ptr %state, i64 {offset}")
        return self.e.emit(f"load {kind}, ptr {pointer}, align 8")

    def set_word(self, offset: int, value: str) -> None:
        """Store a word of the state block."""
        pointer = self.e.emit(f"getelementptr i64, ptr %state, i64 {offset}")
        self.e.do(f"store i64 {value}, ptr {pointer}, align 8")

    def field(self, pointer: str, offset: int, kind: str) -> str:
        """Load a field of an object."""
        place = self.e.emit(f"getelementptr i8, ptr {pointer}, i64 {offset}")
        return self.e.emit(f"load {kind}, ptr {place}")

    def list_of(self, values: Sequence[str], kind: str = "i64") -> str:
        """Stack memory with the given values, one word each."""
        memory_ = self.stack("i64", max(1, len(values)))
        for i, value in enumerate(values):
            place = self.e.emit(f"getelementptr i64, ptr {memory_}, i64 {i}")
            self.e.do(f"store {kind} {value}, ptr {place}, align 8")
        return memory_

    # ------------------------------------------------------------------ functions

    def api(self, name: str, *args: str) -> str:
        """Call a function of the Python or NumPy C API; the result's name (empty for void)."""
        result, kinds = signature(name)
        self.e.declare(result, name, kinds)
        values = ", ".join(f"{k} {v}" for k, v in zip(kinds, args, strict=True))
        call = f"call {result} @{name}({values})"
        if result == "void":
            self.e.do(call)
            return ""
        return self.e.emit(call)

    def helper(self, name: str, result: str, *args: tuple[str, str]) -> str:
        """Call a function of the helper libraries."""
        self.e.declare(result, name, [kind for kind, _ in args])
        call = f"call {result} @{name}({', '.join(f'{kind} {value}' for kind, value in args)})"
        if result == "void":
            self.e.do(call)
            return ""
        return self.e.emit(call)

    def symbol(self, name: str, kind: str = "i8") -> str:
        """An external data object."""
        self.e.declarations.add(f"@{name} = external global {kind}")
        return f"@{name}"

    def descr(self, dtype: str) -> str:
        """NumPy's descriptor object of a dtype."""
        return self.symbol(capi.descr_symbol(dtype))

    # ------------------------------------------------------------------ exits

    def leave(self, condition: str, status: int) -> None:
        """End the call with ``status`` where ``condition`` (i1) holds."""
        bad, good = self.f.label("bad"), self.f.label("good")
        self.f.branch(condition, bad, good)
        self.f.start(bad)
        self.e.do(f"store i64 {status}, ptr {self.status}")
        self.f.jump("abort")
        self.f.start(good)

    def leave_if_null(self, pointer: str) -> None:
        """End the call with the Python exception that is set if ``pointer`` is null."""
        self.leave(self.e.emit(f"icmp eq ptr {pointer}, null"), ERROR)

    def leave_on_failures(self, status: int) -> None:
        """Where instructions collected failing conditions, test them."""
        for condition in self.e.failures[self._seen_failures :]:
            self.leave(condition, status)
        self._seen_failures = len(self.e.failures)

    # ------------------------------------------------------------------ values

    def arg(self, value: pg.Arg, dtype: str) -> str:
        """A register or literal as an instruction operand of ``dtype``."""
        if not isinstance(value, str):
            return self.e.const(dtype, value)
        found, has = self.registers[value]
        if has != dtype:
            from theano.backends.cpu.prims import emit_cast

            return emit_cast(self.e, has, dtype, found)
        return found

    def size(self, value: pg.Arg) -> str:
        """A register or literal as i64."""
        return self.arg(value, "int64")

    def set(self, name: str, value: str, dtype: str) -> None:
        """Define a register."""
        self.registers[name] = (value, dtype)

    def contiguous(self, dtype: str, pointer: str, dims: Sequence[str], object_: str = "") -> Array:
        """A C-ordered array."""
        strides: list[str] = []
        step = str(memory.itemsize(dtype))
        for extent in reversed(dims):
            strides.append(step)
            step = self.f.i64("mul", step, extent) if not step.isdigit() or not extent.isdigit() \
                else str(int(step) * int(extent))  # fmt: skip
        return Array(dtype, pointer, tuple(dims), tuple(reversed(strides)), object_)

    def total(self, dims: Sequence[str], itemsize: int, status: int) -> str:
        """Bytes of an array; ends the call if an extent is negative or the product too large."""
        if all(d.isdigit() for d in dims):
            result = itemsize
            for d in dims:
                result *= int(d)
            return str(result)
        values = ", ".join(f"i64 {d}" for d in (str(itemsize), *dims))
        size = self.e.emit(f"call i64 @{outlined.size_in_bytes(self.e, len(dims))}({values})")
        self.leave(self.e.emit(f"icmp slt i64 {size}, 0"), status)
        return size

    def is_contiguous(self, array: Array) -> str:
        """i1: whether an array is C-ordered without gaps (or has no element)."""
        good, step = "true", str(memory.itemsize(array.dtype))
        for extent, stride in zip(reversed(array.dims), reversed(array.strides), strict=True):
            same = self.e.emit(f"icmp eq i64 {stride}, {step}")
            one = self.e.emit(f"icmp eq i64 {extent}, 1")
            fits = self.e.emit(f"or i1 {same}, {one}")
            good = fits if good == "true" else self.e.emit(f"and i1 {good}, {fits}")
            step = self.f.i64("mul", step, extent)
        return good

    # ------------------------------------------------------------------ NumPy objects

    def of_object(self, object_: str, dtype: str, ndim: int, slot: str = "") -> Array:
        """The array of an ndarray object whose dtype and rank are known."""
        pointer = self.field(object_, self.at.data, "ptr")
        dims: list[str] = []
        strides: list[str] = []
        if ndim:
            dims_at = self.field(object_, self.at.dimensions, "ptr")
            strides_at = self.field(object_, self.at.strides, "ptr")
            dims = [self.field(dims_at, 8 * i, "i64") for i in range(ndim)]
            strides = [self.field(strides_at, 8 * i, "i64") for i in range(ndim)]
        return Array(dtype, pointer, tuple(dims), tuple(strides), slot or object_)

    def passed(self, object_: str) -> Array:
        """An object, or the slot of one, that steps only pass on."""
        return Array(pg.OBJECT, "null", (), (), object_)

    def object(self, array: Array) -> str:
        """The Python object of an array that has one."""
        if array.object in self.objects:
            return self.e.emit(f"load ptr, ptr {array.object}")
        return array.object

    def new_array(self, dtype: str, dims: Sequence[str], size: str) -> Array:
        """A new NumPy array, owned by the frame."""
        descr = self.descr(dtype)
        if dims:
            made = self.helper(
                "th_empty", "ptr", ("ptr", descr), ("i32", str(len(dims))),
                ("ptr", self.list_of(dims)), ("i64", size),
            )  # fmt: skip
        else:
            self.api("Py_IncRef", descr)
            made = self.api(
                "PyArray_NewFromDescr", self.symbol("PyArray_Type"), descr, "0", "null", "null",
                "null", "0", "null",
            )  # fmt: skip
        self.leave_if_null(made)
        slot = self.own(made)
        pointer = self.field(made, self.at.data, "ptr")
        return self.contiguous(dtype, pointer, dims, slot)

    def copy(self, to: Array, source: Array) -> None:
        """Copy elements between arrays of the same dtype and extents."""
        args = (self.list_of(v) for v in (to.dims, to.strides, source.strides))
        dims, to_strides, from_strides = args
        self.helper(
            "th_copy", "void", ("i64", str(len(to.dims))), ("ptr", dims), ("ptr", to.pointer),
            ("ptr", to_strides), ("ptr", source.pointer), ("ptr", from_strides),
            ("i64", str(memory.itemsize(to.dtype))),
        )  # fmt: skip

    def copied(self, source: Array) -> Array:
        """A new NumPy array with the elements of ``source``."""
        size = self.f.i64("mul", product(self.f, source.dims), str(memory.itemsize(source.dtype)))
        made = self.new_array(source.dtype, source.dims, size)
        self.copy(made, source)
        return made

    def take(self, slot: str) -> str:
        """The reference in a slot, which the frame no longer owns."""
        value = self.e.emit(f"load ptr, ptr {slot}")
        self.e.do(f"store ptr null, ptr {slot}")
        return value

    # ------------------------------------------------------------------ the GIL

    def unlocked(self, work: str, body: Callable[[], None]) -> None:
        """Run ``body`` (no Python in it), without the GIL if ``work`` (i64) is large."""
        if work.isdigit() and int(work) <= GIL_WORK:
            body()
            return
        large = self.e.emit(f"icmp sgt i64 {work}, {GIL_WORK}")

        def save() -> list[str]:
            return [self.api("PyEval_SaveThread")]

        thread = self.f.when(large, [("ptr", "null")], save)[0]
        body()

        def restore() -> list[str]:
            self.api("PyEval_RestoreThread", thread)
            return []

        self.f.when(large, [], restore)


def signature(name: str) -> tuple[str, list[str]]:
    """(result type, parameter types) of a C API function."""
    result, _, rest = capi.SIGNATURES[name].partition(" @(")
    inside = rest[:-1]
    return result, inside.split(", ") if inside else []
