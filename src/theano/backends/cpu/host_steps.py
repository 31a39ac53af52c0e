"""The steps of a Program as instructions of the host function: one writer per kind of step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from theano.backends.cpu import library, memory, outlined, prims
from theano.backends.cpu.driver import to_word
from theano.backends.cpu.host_frame import ERROR, Array, Frame
from theano.backends.cpu.layout import Layout
from theano.core.errors import MissingSpelling
from theano.kernel.ir import Kernel
from theano.lower import program as pg

#: Arrays of known extents up to this size live on the stack of the call.
STACK_BYTES = 256
#: Runs of a loop's body between two pauses (powers of 2): of numbers only, of kernels, of loops.
PAUSES, PAUSES_OF_KERNELS, PAUSES_OF_LOOPS = 4096, 64, 16


class Steps:
    """Writes steps into a frame; ``symbols`` names the kernels."""

    def __init__(self, frame: Frame, symbols: dict[Kernel, str]) -> None:
        self.frame = frame
        self.symbols = symbols
        self.context = ""
        steps = pg.walk(frame.program.steps)
        words = [Layout(s.kernel).words for s in steps if isinstance(s, pg.Launch)]
        if words:
            self.context = frame.stack("i64", max(words))

    def run(self, number: int, step: pg.Step) -> None:
        """Write one step."""
        try:
            writer = WRITERS[type(step)]
        except KeyError:
            raise MissingSpelling(
                "the CPU backend", type(step).__name__, "backends/cpu/host_steps.py"
            ) from None
        writer(self, number, step)

    # ------------------------------------------------------------------ registers

    def _let(self, number: int, s: pg.Let) -> None:
        frame = self.frame
        if s.prim == "cast":
            source = frame.arg(s.args[0], s.operand_dtype)
            value = prims.emit_cast(frame.e, s.operand_dtype, s.dtype, source)
        else:
            kinds = [s.operand_dtype] * len(s.args)
            if s.prim == "select":
                kinds[0] = "bool"
            args = [frame.arg(a, k) for a, k in zip(s.args, kinds, strict=True)]
            value = prims.emit(frame.e, s.prim, s.operand_dtype, args)
        frame.set(s.out, value, s.dtype)
        frame.leave_on_failures(number)

    def _dim(self, number: int, s: pg.Dim) -> None:
        self.frame.set(s.out, self.frame.arrays[s.array].dims[s.axis], "int64")

    def _peek(self, number: int, s: pg.Peek) -> None:
        array = self.frame.arrays[s.array]
        value = memory.emit_load(self.frame.e, array.dtype, array.pointer)
        has = "float32" if array.dtype == "float16" else array.dtype
        self.frame.set(s.out, prims.emit_cast(self.frame.e, has, s.dtype, value), s.dtype)

    def _poke(self, number: int, s: pg.Poke) -> None:
        frame = self.frame
        array = frame.arrays[s.array]
        value = frame.arg(s.value, s.dtype)
        keeps = "float32" if array.dtype == "float16" else array.dtype
        value = prims.emit_cast(frame.e, s.dtype, keeps, value)
        memory.emit_store(frame.e, array.dtype, array.pointer, value)

    def _check(self, number: int, s: pg.Check) -> None:
        frame = self.frame
        good = frame.arg(s.condition, "bool")
        frame.leave(frame.e.emit(f"xor i1 {good}, true"), number)

    # ------------------------------------------------------------------ arrays

    def _alloc(self, number: int, s: pg.Alloc) -> None:
        frame = self.frame
        dims = [frame.size(d) for d in s.dims]
        itemsize = memory.itemsize(s.dtype)
        if s.place == "output":
            size = frame.total(dims, itemsize, number)
            frame.arrays[s.out] = frame.new_array(s.dtype, dims, size)
        else:
            pointer = self._scratch(s.place, dims, itemsize, number)
            frame.arrays[s.out] = frame.contiguous(s.dtype, pointer, dims)

    def _scratch(self, place: str, dims: Sequence[str], itemsize: int, number: int) -> str:
        """Memory of a scratch slot, or of the stack if it is small."""
        frame = self.frame
        if all(d.isdigit() for d in dims):
            size = itemsize * math.prod(map(int, dims))
            if size <= STACK_BYTES:
                return frame.stack("i64", max(1, -(-size // 8)))
        slot = int(place.removeprefix("slot:"))
        at = frame.e.emit(f"getelementptr i64, ptr %slots, i64 {2 * slot}")
        extents = "".join(f", i64 {d}" for d in dims)
        symbol = outlined.scratch(frame.e, len(dims))
        pointer = frame.e.emit(f"call ptr @{symbol}(ptr {at}, i64 {itemsize}{extents})")
        frame.leave(frame.e.emit(f"icmp eq ptr {pointer}, null"), number)
        return pointer

    def _view(self, number: int, s: pg.View) -> None:
        frame, source = self.frame, self.frame.arrays[s.source]
        pointer = source.pointer
        for axis, start in s.starts:
            offset = frame.f.i64("mul", frame.size(start), source.strides[axis])
            pointer = frame.f.pointer(pointer, offset)
        dims = tuple(frame.size(axis.length) for axis in s.axes)
        strides = tuple(
            "0" if axis.source is None
            else frame.f.i64("mul", frame.size(axis.step), source.strides[axis.source])
            for axis in s.axes
        )  # fmt: skip
        frame.arrays[s.out] = Array(s.dtype, pointer, dims, strides)

    def _reshape(self, number: int, s: pg.Reshape) -> None:
        frame, source = self.frame, self.frame.arrays[s.source]
        dims = [frame.size(d) for d in s.dims]
        itemsize = memory.itemsize(s.dtype)
        size = frame.total(dims, itemsize, number)
        has = frame.total(source.dims, itemsize, number)
        frame.leave(frame.e.emit(f"icmp ne i64 {size}, {has}"), number)
        if s.place == "output":
            made = frame.new_array(s.dtype, dims, size)
            self._copy_into(made.pointer, source)
            frame.arrays[s.out] = made
            return
        tight = frame.is_contiguous(source)
        loose = frame.e.emit(f"xor i1 {tight}, true")

        def copy() -> list[str]:
            pointer = self._scratch(s.place, dims, itemsize, number)
            self._copy_into(pointer, source)
            return [pointer]

        pointer = frame.f.when(loose, [("ptr", source.pointer)], copy)[0]
        frame.arrays[s.out] = frame.contiguous(s.dtype, pointer, dims)

    def _copy_into(self, pointer: str, source: Array) -> None:
        """Copy ``source`` in C order to fresh memory."""
        frame = self.frame
        frame.copy(frame.contiguous(source.dtype, pointer, source.dims), source)

    # ------------------------------------------------------------------ work

    def _launch(self, number: int, s: pg.Launch) -> None:
        frame, layout = self.frame, Layout(s.kernel)
        extents = [frame.size(e) for e in s.extents]
        for axis, extent in zip(s.kernel.axes, extents, strict=True):
            self._word(layout.extent(axis), extent)
        for operand, bound in zip(s.kernel.operands, s.operands, strict=True):
            self._operand(layout, operand, bound)
        for param, value in zip(s.kernel.scalars, s.scalars, strict=True):
            word = to_word(frame.f, frame.arg(value, param.dtype), param.dtype)
            self._word(layout.scalar(param.name), word)
        self._word(layout.status, "0")
        statements = sum(len(stage.body) for stage in s.kernel.stages)
        work = str(statements)
        for extent in extents:
            work = frame.f.i64("mul", work, extent)
        symbol = f"{self.symbols[s.kernel]}_run"
        run = outlined.run_kernel(frame.e)
        status = frame.e.emit(
            f"call i64 @{run}(ptr @{symbol}, ptr {self.context}, i64 {work}, i64 {layout.status})"
        )
        frame.leave(frame.e.emit(f"icmp ne i64 {status}, 0"), number)

    def _word(self, offset: int, value: str, kind: str = "i64") -> None:
        place = self.frame.f.word_pointer(self.context, offset)
        self.frame.e.do(f"store {kind} {value}, ptr {place}, align 8")

    def _operand(self, layout: Layout, operand: Any, bound: pg.Operand) -> None:
        array = self.frame.arrays[bound.array]
        self._word(layout.base(operand.name), array.pointer, "ptr")
        for axis, source in zip(layout.kernel.axes, bound.axes, strict=True):
            stride = "0" if source is None else array.strides[source]
            self._word(layout.stride(operand.name, axis), stride)
        for j, source in enumerate(bound.gather):
            self._word(layout.gather_extent(operand.name, j), array.dims[source])
            self._word(layout.gather_stride(operand.name, j), array.strides[source])

    def _call(self, number: int, s: pg.Call) -> None:
        arrays = tuple(self.frame.arrays[name] for name in s.arrays)
        if s.function in library.LIBRARY:
            library.LIBRARY[s.function](self.frame, arrays, s.scalars)
        else:
            library.call_routine(self.frame, number, s, arrays)

    # ------------------------------------------------------------------ Python

    def _python(self, number: int, s: pg.PyCall) -> None:
        """Call a Python step; its wrapper returns a tuple of C-ordered arrays and of objects, or
        None if the reference must tell what is wrong."""
        frame = self.frame
        objects = [self._object(frame.arrays[name]) for name in s.ins]
        callable_ = frame.word(frame.state.callable(s.index))
        args = frame.list_of(objects, "ptr")
        result = frame.api("PyObject_Vectorcall", callable_, args, str(len(objects)), "null")
        frame.leave_if_null(result)
        frame.own(result)
        none = frame.e.emit(f"icmp eq ptr {result}, {frame.symbol('_Py_NoneStruct')}")
        frame.leave(none, number)
        for i, (name, dtype, ndim) in enumerate(s.outs):
            item = frame.api("PyTuple_GetItem", result, str(i))
            if dtype == pg.OBJECT:  # alive as long as the tuple
                frame.arrays[name] = frame.passed(item)
                continue
            found = frame.of_object(item, dtype, ndim)
            frame.arrays[name] = frame.contiguous(dtype, found.pointer, found.dims)

    def _object(self, array: Array) -> str:
        """What Python code may keep: an object, the ndarray of a parameter, or a copy."""
        frame = self.frame
        return frame.object(array if array.object else frame.copied(array))

    # ------------------------------------------------------------------ loops

    def _loop(self, number: int, s: pg.Loop) -> None:
        """A native loop; any failure inside is the failure of step ``number``."""
        frame, f = self.frame, self.frame.f
        count = frame.size(s.count)
        carried = [self._carry(frame.arrays[o[1]]) for o in s.objects]
        head, inside, after = f.label("loop"), f.label("run"), f.label("done")
        before = f.block
        f.jump(head)
        f.start(head)
        index = frame.e.fresh()
        place = len(f.lines)
        f.lines.append("")
        f.branch(frame.e.emit(f"icmp slt i64 {index}, {count}"), inside, after)
        f.start(inside)
        frame.set(s.index, index, "int64")
        outer = len(frame.objects)
        self._interruptible(index, s.body)
        for o, slot in zip(s.objects, carried, strict=True):
            frame.arrays[o[0]] = frame.passed(frame.e.emit(f"load ptr, ptr {slot}"))
        for step in s.body:
            self.run(number, step)
        for o, slot in zip(s.objects, carried, strict=True):
            following = frame.object(frame.arrays[o[2]])
            frame.api("Py_IncRef", following)
            before_ = frame.take(slot)
            frame.e.do(f"store ptr {following}, ptr {slot}")
            frame.api("Py_DecRef", before_)
        self._drop(frame.objects[outer:])
        following = frame.e.emit(f"add nsw i64 {index}, 1")
        latch = f.block
        if s.stop:
            f.branch(frame.arg(s.stop, "bool"), after, head)
        else:
            f.jump(head)
        f.lines[place] = f"  {index} = phi i64 [ 0, %{before} ], [ {following}, %{latch} ]"
        f.start(after)
        done = index
        if s.stop:
            done = frame.e.emit(f"phi i64 [ {index}, %{head} ], [ {following}, %{latch} ]")
        frame.set(s.out, done, "int64")
        for o, slot in zip(s.objects, carried, strict=True):
            frame.arrays[o[3]] = frame.passed(slot)

    def _carry(self, initial: Array) -> str:
        """A slot that holds an object from one run of a body to the next."""
        value = self.frame.object(initial)
        self.frame.api("Py_IncRef", value)
        return self.frame.own(value)

    def _branch(self, number: int, s: pg.Branch) -> None:
        """One of two sides; what it leaves behind is chosen by where control comes from."""
        frame, f = self.frame, self.frame.f
        yes, no, after = f.label("yes"), f.label("no"), f.label("after")
        f.branch(frame.arg(s.condition, "bool"), yes, no)
        ends, found = [], []
        for label, body, place in ((yes, s.first, 3), (no, s.second, 4)):
            f.start(label)
            for step in body:
                self.run(number, step)
            found.append([frame.arrays[str(out[place])] for out in s.outs])
            ends.append(f.block)
            f.jump(after)
        f.start(after)

        def either(kind: str, a: str, b: str) -> str:
            if a == b:
                return a
            return frame.e.emit(f"phi {kind} [ {a}, %{ends[0]} ], [ {b}, %{ends[1]} ]")

        for out, a, b in zip(s.outs, *found, strict=True):
            pointer = either("ptr", a.pointer, b.pointer)
            dims = tuple(either("i64", x, y) for x, y in zip(a.dims, b.dims, strict=True))
            strides = tuple(either("i64", x, y) for x, y in zip(a.strides, b.strides, strict=True))
            frame.arrays[out[0]] = Array(out[1], pointer, dims, strides)

    def _interruptible(self, index: str, body: Sequence[pg.Step]) -> None:
        """Now and then let other threads run, and let Ctrl-C end the loop.

        No step is under way at the head of a loop: releasing the GIL here is as safe as in a step
        that calls Python.
        """
        frame = self.frame
        often = PAUSES
        if any(isinstance(s, pg.Loop) for s in body):
            often = PAUSES_OF_LOOPS
        elif any(isinstance(s, (pg.Launch, pg.Call, pg.PyCall, pg.Branch)) for s in body):
            often = PAUSES_OF_KERNELS
        due = frame.e.emit(f"and i64 {index}, {often - 1}")
        last = frame.e.emit(f"icmp eq i64 {due}, {often - 1}")

        def pause() -> list[str]:
            thread = frame.api("PyEval_SaveThread")
            frame.api("PyEval_RestoreThread", thread)
            status = frame.api("PyErr_CheckSignals")
            frame.leave(frame.e.emit(f"icmp ne i32 {status}, 0"), ERROR)
            return []

        frame.f.when(last, [], pause)

    def _drop(self, slots: Sequence[str]) -> None:
        """Give back what one run of a body owned."""
        for slot in slots:
            self.frame.api("Py_DecRef", self.frame.take(slot))


WRITERS: dict[type, Callable[[Steps, int, Any], None]] = {
    pg.Let: Steps._let,
    pg.Dim: Steps._dim,
    pg.Peek: Steps._peek,
    pg.Poke: Steps._poke,
    pg.Check: Steps._check,
    pg.Alloc: Steps._alloc,
    pg.View: Steps._view,
    pg.Reshape: Steps._reshape,
    pg.Launch: Steps._launch,
    pg.Call: Steps._call,
    pg.PyCall: Steps._python,
    pg.Loop: Steps._loop,
    pg.Branch: Steps._branch,
}
