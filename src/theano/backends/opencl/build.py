"""A Program as a callable that runs on an OpenCL device.

The host keeps registers and shapes; arrays live in device memory. Shared variables are copied to
the device at each call, because who holds their ndarray may have changed it, and back as fresh
ndarrays at its end; constants are copied once. Nothing is stored before the whole call has
succeeded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Final

import numpy as np

from theano.backends.opencl import library
from theano.backends.opencl.compiler import Bound, Launcher, build, check_doubles
from theano.backends.opencl.device import (
    Device,
    DeviceArray,
    DeviceMissing,
    c_strides,
    nbytes,
    open_device,
    packed,
)
from theano.backends.opencl.prelude import module
from theano.backends.opencl.prims import NotOnDevice
from theano.backends.opencl.render import render_kernel
from theano.kernel import ir
from theano.kernel.prims import evaluate
from theano.lower import program as pg

__all__ = ["CompiledProgram", "DeviceMissing", "NotOnDevice", "compile_program"]


@dataclass
class CompiledProgram:
    """A Program for one device; ``text`` is its OpenCL C, ``kernels`` the symbols in it."""

    program: pg.Program
    device: Device
    text: str
    kernels: tuple[str, ...]
    launchers: dict[int, Launcher]  # by position among all steps, those in loops included
    cached: bool = False

    def make_entry(
        self,
        program: pg.Program,
        cells: Sequence[list[Any]],
        slow: Callable[..., Any] | None = None,
        fail: Callable[..., Any] | None = None,
        single: bool = False,
    ) -> Callable[..., Any]:
        """The callable: positional arrays to the list of outputs, or with ``single`` the only one.

        Args:
            program: that which was compiled, or an equal one with other constants.
            cells: one-element lists with the values of shared variables.
            slow: called with all arguments where one is not what the program declares.
            fail: called with the step's number and all arguments where a check or kernel fails.
            single: return the output itself.

        Raises (the callable):
            TypeError: an argument does not fit, and there is no ``slow``.
            StepFailed: a step failed, and there is no ``fail``.
        """
        return Entry(self, program, cells, slow, fail, single)


def compile_program(program: pg.Program, device: str = "opencl0:0") -> CompiledProgram:
    """Compile every kernel of ``program`` for the device called ``device``.

    Raises:
        NotOnDevice: the program needs something that OpenCL devices cannot do yet.
        DeviceMissing: there is no such device.
    """
    check_supported(program)
    opened = open_device(device)
    symbols: dict[ir.Kernel, Any] = {}
    steps = [(i, s) for i, s in enumerate(pg.walk(program.steps)) if isinstance(s, pg.Launch)]
    for _, step in steps:
        if step.kernel not in symbols:
            symbols[step.kernel] = render_kernel(step.kernel, f"k{len(symbols)}_{step.kernel.name}")
    check_doubles(opened, any(code.doubles for code in symbols.values()) or _doubles(program))
    text = module("".join(code.source for code in symbols.values()))
    with opened.lock:
        known = text in opened.programs
        built = build(opened, text) if symbols else None
    launchers = {
        i: Launcher(opened, built, step.kernel, symbols[step.kernel])  # type: ignore[arg-type]
        for i, step in steps
    }
    names = tuple(code.symbol for code in symbols.values())
    return CompiledProgram(program, opened, text, names, launchers, known)


def _doubles(program: pg.Program) -> bool:
    return any(
        isinstance(s, pg.Alloc) and s.dtype == "float64" for s in pg.walk(program.steps)
    )  # fmt: skip


def check_supported(program: pg.Program) -> None:
    """NotOnDevice, naming all that the backend cannot do yet, if ``program`` needs it."""
    missing = {}
    if any(param.dtype == pg.OBJECT for param in program.params):
        missing["values that are no arrays of real numbers (lists, slices, complex numbers)"] = True
    steps = list(pg.walk(program.steps))
    dtypes = {s.out: s.dtype for s in steps if isinstance(s, (pg.Alloc, pg.View))}
    for step in steps:
        if isinstance(step, pg.PyCall):
            missing[f"the op {program.callables[step.index].name}"] = True
        elif isinstance(step, pg.Call) and step.function not in library.FUNCTIONS:
            missing[f"the library function {step.function}"] = True
        elif isinstance(step, pg.Call):
            missing[library.gap(step.function, dtypes.get(step.arrays[0], ""))] = True
        elif type(step) not in _STEPS:
            missing[f"the step {type(step).__name__}"] = True
    missing.pop("", None)
    if missing:
        raise NotOnDevice(
            f"OpenCL devices cannot run {', '.join(missing)} yet. Compile this function for the "
            "CPU (device=cpu), or move that part into a function of its own there."
        )


class StepFailed(Exception):
    """A check or a kernel said no; nothing was stored. ``step`` is its position."""

    def __init__(self, step: int, text: str) -> None:
        super().__init__(f"step {step}: {text}")
        self.step = step
        self.text = text


class Mismatch(TypeError):
    """An argument, or the value of a shared variable, is not what the program declares."""


class Entry:
    """A compiled function: ``entry(*arrays)``."""

    def __init__(
        self,
        compiled: CompiledProgram,
        program: pg.Program,
        cells: Sequence[list[Any]],
        slow: Callable[..., Any] | None,
        fail: Callable[..., Any] | None,
        single: bool,
    ) -> None:
        self.compiled = compiled
        self.program = program
        self.device = compiled.device
        steps = enumerate(pg.walk(program.steps))
        self.launchers = {
            id(s): compiled.launchers[i] for i, s in steps if isinstance(s, pg.Launch)
        }
        self.cells = cells
        self.slow, self.fail, self.single = slow, fail, single
        self.inputs = sum(p.kind == "input" for p in program.params)
        self.fails = any(launcher.code.fails for launcher in self.launchers.values())
        self.constants = self._constants()

    def _constants(self) -> dict[str, DeviceArray]:
        found = {}
        for param in self.program.params:
            if param.kind == "constant":
                value = self.program.constants[param.index]
                found[param.name] = packed(self.device.keep(value), value.shape, param.dtype)
        return found

    def __call__(self, *args: Any) -> Any:
        try:
            outputs = self._run(args)
        except Mismatch:
            if self.slow is None:
                raise
            return self.slow(*args)
        except StepFailed as failure:
            if self.fail is None:
                raise
            return self.fail(failure.step, *args)
        return outputs[0] if self.single else outputs

    def _run(self, args: Sequence[Any]) -> list[Any]:
        if len(args) != self.inputs:
            raise Mismatch(f"{self.program.name} takes {self.inputs} arguments, got {len(args)}")
        self.device.check_process()
        with self.device.lock:
            run = Run(self)
            try:
                run.bind(args)
                for index, step in enumerate(self.program.steps):
                    run.step = index
                    run.do(step)
                return run.finish()
            finally:
                run.release()


def fitting(param: pg.Param, value: Any) -> Any:
    """``value`` if it is what ``param`` declares, else Mismatch."""
    fits = isinstance(value, np.ndarray) and value.dtype == np.dtype(param.dtype)
    if fits and value.dtype.isnative and value.ndim == param.ndim:
        pairs = zip(param.static, value.shape, strict=True)
        if all(want is None or want == have for want, have in pairs):
            return value
    raise Mismatch(
        f"{param.kind} {param.index}: {param.dtype} of shape {param.static} is needed, got "
        f"{getattr(value, 'dtype', type(value).__name__)} of shape {np.shape(value)}"
    )


@dataclass
class Run:
    """One call: registers, arrays, and the buffers it holds."""

    entry: Entry
    step: int = 0
    registers: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, DeviceArray] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)  # 0-d arrays that the host has too
    slots: dict[str, Any] = field(default_factory=dict)
    held: list[Any] = field(default_factory=list)
    status: Any = None

    def __post_init__(self) -> None:
        self.device = self.entry.device

    # memory -----------------------------------------------------------------------------------

    def take(self, size: int, place: str = "output") -> Any:
        """Memory until the call ends, or until its slot has another tenant."""
        buffer = self.device.pool.take(size)
        if place == "output":
            self.held.append(buffer)
            return buffer
        earlier = self.slots.pop(place, None)
        if earlier is not None:
            self.device.pool.give(earlier)
        self.slots[place] = buffer
        return buffer

    def release(self) -> None:
        """Give all memory back."""
        for buffer in (*self.held, *self.slots.values()):
            self.device.pool.give(buffer)
        self.held.clear()
        self.slots.clear()

    def bind(self, args: Sequence[Any]) -> None:
        """Check and copy what exists before the call."""
        self.arrays.update(self.entry.constants)
        values = []
        for param in self.entry.program.params:
            if param.kind != "constant":
                source = args if param.kind == "input" else self.entry.cells
                found = source[param.index]
                values.append((param, fitting(param, found if source is args else found[0])))
            elif param.ndim == 0:
                self.known[param.name] = self.entry.program.constants[param.index]
        for param, value in values:
            buffer = self.take(value.nbytes)
            self.device.upload(buffer, value)
            self.arrays[param.name] = packed(buffer, value.shape, param.dtype)
            if param.kind == "input" and param.ndim == 0:
                self.known[param.name] = value.copy()
        if self.entry.fails:
            self.status = self.take(4)
            self.device.upload(self.status, np.zeros(1, dtype=np.int32))

    # values -----------------------------------------------------------------------------------

    def arg(self, value: pg.Arg) -> Any:
        """A register's value, or a literal."""
        return self.registers[value] if isinstance(value, str) else value

    def size(self, value: pg.Arg) -> int:
        """The same as an index."""
        return int(self.registers[value] if isinstance(value, str) else value)

    def sizes(self, values: Sequence[pg.Arg]) -> tuple[int, ...]:
        """Extents; a negative one fails the step."""
        found = tuple(self.size(v) for v in values)
        if any(n < 0 for n in found):
            self.failed(f"negative extent: {found}")
        return found

    def failed(self, text: str) -> None:
        """End the call."""
        raise StepFailed(self.step, text)

    # steps ------------------------------------------------------------------------------------

    def do(self, step: Any) -> None:
        """Run one step."""
        _STEPS[type(step)](self, step)

    def loop(self, step: pg.Loop) -> None:
        """A loop on the host; what its body launches was compiled before."""
        count, done = self.size(step.count), 0
        body = [(_STEPS[type(s)], s) for s in step.body]
        ended = False
        while done < count and not ended:
            self.registers[step.index] = np.asarray(done, np.int64)
            for run, inner in body:
                run(self, inner)
            done += 1
            ended = bool(step.stop) and bool(self.registers[step.stop])
        self.registers[step.out] = np.asarray(done, np.int64)

    def branch(self, step: pg.Branch) -> None:
        """One side; both give their results the same names."""
        taken = bool(self.arg(step.condition))
        for inner in step.first if taken else step.second:
            self.do(inner)
        for name, _, _, first, second in step.outs:
            self.arrays[name] = self.arrays[first if taken else second]

    def let(self, step: pg.Let) -> None:
        values = []
        for position, given in enumerate(step.args):
            if isinstance(given, str):
                values.append(self.registers[given])
            else:
                condition = step.prim == "select" and position == 0
                values.append(np.asarray(given, "bool" if condition else step.operand_dtype))
        whole = step.dtype.startswith(("int", "uint"))
        if whole and step.prim in ("idiv", "mod") and values[1] == 0:
            self.failed("integer division by zero")
        self.registers[step.out] = evaluate(step.prim, tuple(values), step.dtype)

    def dim(self, step: pg.Dim) -> None:
        self.registers[step.out] = np.asarray(self.arrays[step.array].dims[step.axis], np.int64)

    def peek(self, step: pg.Peek) -> None:
        value = self.known.get(step.array)
        if value is None:
            array = self.arrays[step.array]
            value = self.device.download(replace(array, dims=(), strides=()))
        self.registers[step.out] = np.asarray(value).astype(step.dtype)

    def poke(self, step: pg.Poke) -> None:
        array = self.arrays[step.array]
        value = np.asarray(self.arg(step.value), step.dtype).astype(array.dtype)
        self._write(array, value)

    def _write(self, array: DeviceArray, value: Any) -> None:
        import pyopencl as cl

        cl.enqueue_copy(
            self.device.queue, array.buffer, value, dst_offset=array.offset, is_blocking=True
        )

    def check(self, step: pg.Check) -> None:
        if not bool(self.arg(step.condition)):
            self.failed(step.text)

    def alloc(self, step: pg.Alloc) -> None:
        dims = self.sizes(step.dims)
        buffer = self.take(nbytes(dims, step.dtype), step.place)
        self.arrays[step.out] = packed(buffer, dims, step.dtype)

    def view(self, step: pg.View) -> None:
        source = self.arrays[step.source]
        start = sum(self.size(index) * source.strides[axis] for axis, index in step.starts)
        strides = tuple(
            0 if a.source is None else self.size(a.step) * source.strides[a.source]
            for a in step.axes
        )
        self.arrays[step.out] = DeviceArray(
            source.buffer, source.offset + start, self.sizes([a.length for a in step.axes]),
            strides, step.dtype,
        )  # fmt: skip

    def reshape(self, step: pg.Reshape) -> None:
        source, dims = self.arrays[step.source], self.sizes(step.dims)
        if prod(source.dims) != prod(dims):
            self.failed(f"cannot reshape {source.dims} to {dims}")
        if not source.contiguous:
            buffer = self.take(nbytes(dims, step.dtype), step.place)
            source = self._copied(source, buffer)
        self.arrays[step.out] = replace(source, dims=dims, strides=c_strides(dims, step.dtype))

    def _copied(self, source: DeviceArray, buffer: Any) -> DeviceArray:
        fresh = packed(buffer, source.dims, source.dtype)
        library.copy(self.device, (fresh, source))
        return fresh

    def launch(self, step: pg.Launch) -> None:
        launcher = self.entry.launchers[id(step)]
        kernel = step.kernel
        operands = [
            self._bound(kernel, operand, bound)
            for operand, bound in zip(kernel.operands, step.operands, strict=True)
        ]
        scalars = [self.arg(s) for s in step.scalars]
        launcher.run(self.sizes(step.extents), operands, scalars, self.status, self.step + 1)

    def _bound(self, kernel: ir.Kernel, operand: ir.Operand, bound: pg.Operand) -> Bound:
        array = self.arrays[bound.array]
        where = dict(zip(kernel.axes, bound.axes, strict=True))
        moves = [where[axis] for axis in operand.axes]
        strides = tuple(0 if d is None else array.strides[d] for d in moves)
        gather = tuple((array.dims[d], array.strides[d]) for d in bound.gather)
        return Bound(array.buffer, array.offset, strides, gather)

    def call(self, step: pg.Call) -> None:
        arrays = [self.arrays[name] for name in step.arrays]
        library.function(step.function)(self.device, arrays, [self.arg(s) for s in step.scalars])

    # the end ----------------------------------------------------------------------------------

    def finish(self) -> list[Any]:
        """The outputs as fresh ndarrays; shared variables get theirs once all is there."""
        if self.status is not None:
            code = int(self.device.download(packed(self.status, (), "int32")))
            if code:
                raise StepFailed(code - 1, "an index is out of range, or division by zero")
        program = self.entry.program
        shared = {p.index: p.name for p in program.params if p.kind == "shared"}
        outputs: dict[int, Any] = {}
        updates = []
        for result in program.results:
            if result.kind == "output":
                outputs[result.index] = self._fetch(result.array)
            else:
                name = shared[result.index] if result.inplace else result.array
                updates.append((self.entry.cells[result.index], self._fetch(name)))
        for cell, value in updates:
            cell[0] = value
        return [outputs[i] for i in range(len(outputs))]

    def _fetch(self, name: str) -> Any:
        array = self.arrays[name]
        if not array.contiguous:
            array = self._copied(array, self.take(nbytes(array.dims, array.dtype)))
        return self.device.download(array)


_STEPS: Final[dict[type, Callable[[Run, Any], None]]] = {
    pg.Let: Run.let, pg.Dim: Run.dim, pg.Peek: Run.peek, pg.Poke: Run.poke, pg.Check: Run.check,
    pg.Alloc: Run.alloc, pg.View: Run.view, pg.Reshape: Run.reshape, pg.Launch: Run.launch,
    pg.Call: Run.call, pg.Loop: Run.loop, pg.Branch: Run.branch,
}  # fmt: skip
