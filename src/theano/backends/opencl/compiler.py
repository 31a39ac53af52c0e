"""OpenCL C text to kernels that can be launched."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from theano.backends.opencl import schedule
from theano.backends.opencl.device import UNCACHED, Device, c_strides, packed
from theano.backends.opencl.prelude import module
from theano.backends.opencl.prims import NotOnDevice
from theano.backends.opencl.render import KernelCode, render_kernel
from theano.kernel import ir

_ROUNDED: Final = 1 << 7  # CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT


class BuildError(RuntimeError):
    """The device's compiler refused a text of ours; the message has its log."""


class Module:
    """A built text. ``launch`` finds a kernel by name."""

    def __init__(self, device: Device, source: str) -> None:
        self.device = device
        self.source = source
        self._program = _build(device, source)
        self._kernels: dict[str, Any] = {}

    def launch(self, name: str, groups: int, local: tuple[int, ...], args: list[Any]) -> None:
        """Put a kernel into the device's queue; the caller holds the device's lock."""
        import pyopencl as cl

        kernel = self._kernels.get(name)
        if kernel is None:
            kernel = self._kernels[name] = cl.Kernel(self._program, name)
        kernel.set_args(*args)
        size = (groups * local[0], *local[1:])
        cl.enqueue_nd_range_kernel(self.device.queue, kernel, size, local)


def build(device: Device, source: str) -> Module:
    """The module of a text: built once per device; the caller holds the device's lock.

    Raises:
        NotOnDevice: the text needs float64 and the device has none.
        BuildError: the compiler refused it.
    """
    found: Module = device.programs.get(source, lambda: Module(device, source))
    return found


def check_doubles(device: Device, needed: bool) -> None:
    """NotOnDevice if float64 is ``needed`` and the device lacks it."""
    if needed and not device.doubles:
        raise NotOnDevice(
            f"{device.name} ({device}) has no float64; use float32, as with floatX=float32."
        )


def _build(device: Device, source: str) -> Any:
    import pyopencl as cl

    options = ["-cl-std=CL1.2"]
    if device.handle.single_fp_config & _ROUNDED:
        options.append("-cl-fp32-correctly-rounded-divide-sqrt")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return cl.Program(device.context, source).build(options=options, cache_dir=UNCACHED)
    except cl.Error as error:
        raise BuildError(
            f"The OpenCL compiler of {device.name} ({device}) refused a kernel:\n{error}"
        ) from error


@dataclass(frozen=True, slots=True)
class Bound:
    """An operand in memory: byte strides of its axes, (extent, stride) of its gathered ones."""

    buffer: Any
    offset: int
    strides: tuple[int, ...]
    gather: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Launcher:
    """A kernel of a built module."""

    device: Device
    module: Module
    kernel: ir.Kernel
    code: KernelCode

    @classmethod
    def alone(cls, device: Device, kernel: ir.Kernel) -> Launcher:
        """A kernel in a module of its own."""
        code = render_kernel(kernel, kernel.name)
        check_doubles(device, code.doubles)
        with device.lock:
            return cls(device, build(device, module(code.source)), kernel, code)

    def run(
        self,
        extents: Sequence[int],
        operands: Sequence[Bound],
        scalars: Sequence[Any],
        status: Any = None,
        failure: int = 1,
    ) -> None:
        """Put the kernel into the queue.

        Args:
            extents: per kernel axis (outer, then inner).
            operands: in the kernel's order.
            scalars: one number per scalar of the kernel.
            status: a buffer of one int32, needed if ``code.fails``.
            failure: what a failure stores there, unless an earlier one did.
        """
        steps = schedule.choose(self.kernel, extents, [o.strides for o in operands])
        if not steps:
            return
        args: list[Any] = [self.device.table(_words(extents, operands))]
        args += [o.buffer for o in operands]
        for param, value in zip(self.kernel.scalars, scalars, strict=True):
            args.append(_scalar(value, param.dtype))
        if self.code.fails:
            args += [status, np.int32(failure)]
        self._enqueue(steps, args)

    def _enqueue(self, steps: Sequence[schedule.Step], args: list[Any]) -> None:
        partial = None
        if len(steps) > 1:
            partial = self.device.pool.take(8 * steps[0].groups * self.code.partials)
            args = [*args, partial, np.int64(steps[0].blocks)]
        for step in steps:
            name = f"{self.code.symbol}_{step.variant}"
            self.module.launch(name, step.groups, (schedule.LOCAL,), args)
        if partial is not None:
            self.device.pool.give(partial)


def _words(extents: Sequence[int], operands: Sequence[Bound]) -> list[int]:
    """The table of a launch, as `render.layout` has it."""
    words = list(extents)
    for operand in operands:
        words += [operand.offset, *operand.strides]
        for pair in operand.gather:
            words += pair
    return words


def _scalar(value: Any, dtype: str) -> Any:
    if dtype == "bool":
        return np.uint8(bool(value))
    return np.dtype("float32" if dtype == "float16" else dtype).type(value)


def run_kernel(
    device: Device,
    kernel: ir.Kernel,
    extents: Sequence[int],
    arrays: Sequence[Any],
    axes: Sequence[Sequence[int | None]],
    gathers: Sequence[Sequence[int]],
    scalars: Sequence[Any] = (),
) -> bool:
    """Run one kernel on ndarrays, as `theano.kernel.interp.run` does; for tests and experiments.

    Outputs are written into their arrays. Returns False if the kernel failed: an index out of
    range, or an integer division by zero.
    """
    launcher = Launcher.alone(device, kernel)
    with device.lock:
        buffers = [device.pool.take(array.nbytes) for array in arrays]
        status = device.pool.take(4)
        device.upload(status, np.zeros(1, np.int32))
        bound = []
        for buffer, array, moves, gather in zip(buffers, arrays, axes, gathers, strict=True):
            device.upload(buffer, array)
            steps = c_strides(array.shape, str(array.dtype))
            strides = tuple(0 if d is None else steps[d] for d in moves)
            pairs = tuple((array.shape[d], steps[d]) for d in gather)
            bound.append(Bound(buffer, 0, strides, pairs))
        bound = [
            replace(b, strides=tuple(s for a, s in zip(kernel.axes, b.strides, strict=True)
                                     if a in operand.axes))
            for b, operand in zip(bound, kernel.operands, strict=True)
        ]  # fmt: skip
        launcher.run(extents, bound, scalars, status)
        for buffer, array, operand in zip(buffers, arrays, kernel.operands, strict=True):
            if operand.mode != "in":
                array[...] = device.download(packed(buffer, array.shape, operand.dtype))
        failed = bool(device.download(packed(status, (), "int32")))
        for buffer in (*buffers, status):
            device.pool.give(buffer)
    return not failed
