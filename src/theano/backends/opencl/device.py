"""OpenCL devices: found when first asked for, one context and one in-order queue each.

Everything that is put into the queue runs in order, so memory that a later command reuses needs no
waiting. Calls take turns on a device (`Device.lock`).
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np

from theano.core.config import config
from theano.core.devices import REMEDY, DeviceSpec, parse_device

_GRANULE: Final = 256
_KEPT: Final = 1 << 28  # bytes of free memory kept for later calls
_TABLES: Final = 1024
_PROGRAMS: Final = 512
# Of pyopencl's own cache of binaries: it holds pickles, and drivers have caches of their own.
UNCACHED: Final[Any] = False
_PROBE: Final = "__kernel void probe(__global int *x) { x[get_global_id(0)] = 1; }"


class DeviceMissing(RuntimeError):
    """There is no such device; the message says why, and what would add it."""


@dataclass(frozen=True, slots=True)
class DeviceArray:
    """Elements in device memory: the first is ``offset`` bytes into ``buffer``."""

    buffer: Any
    offset: int
    dims: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after the other, in C order."""
        expected = c_strides(self.dims, self.dtype)
        pairs = zip(self.dims, self.strides, expected, strict=True)
        return 0 in self.dims or all(n == 1 or have == want for n, have, want in pairs)


def c_strides(dims: Sequence[int], dtype: str) -> tuple[int, ...]:
    """The byte strides of a C-contiguous array.

    >>> c_strides((2, 3), "float32")
    (12, 4)
    """
    strides, step = [], np.dtype(dtype).itemsize
    for n in reversed(dims):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def packed(buffer: Any, dims: Sequence[int], dtype: str) -> DeviceArray:
    """A C-contiguous array at the start of a buffer."""
    return DeviceArray(buffer, 0, tuple(dims), c_strides(dims, dtype), dtype)


def nbytes(dims: Sequence[int], dtype: str) -> int:
    """The size of an array's elements."""
    return prod(dims) * np.dtype(dtype).itemsize


@dataclass
class Pool:
    """Device memory that is free for the next taker, by size; bounded."""

    context: Any
    free: dict[int, list[Any]] = field(default_factory=dict)
    kept: int = 0
    used: int = 0

    @staticmethod
    def size_of(size: int) -> int:
        """The size that is taken for ``size`` bytes: an eighth more at the most.

        >>> Pool.size_of(1), Pool.size_of(5000)
        (256, 5120)
        """
        step = max(_GRANULE, 1 << max(size.bit_length() - 4, 0))
        return max(-(-size // step), 1) * step

    def take(self, size: int) -> Any:
        """A buffer of at least ``size`` bytes with unknown contents, or MemoryError."""
        rounded = self.size_of(size)
        waiting = self.free.get(rounded)
        if waiting:
            self.kept -= rounded
            self.used += rounded
            return waiting.pop()
        import pyopencl as cl

        try:
            buffer = cl.Buffer(self.context, cl.mem_flags.READ_WRITE, rounded)
        except (cl.MemoryError, cl.LogicError, cl.RuntimeError) as error:
            self.clear()
            raise MemoryError(
                f"the OpenCL device has no {rounded:,} bytes left, {self.used:,} are in use: "
                f"{error}"
            ) from error
        self.used += rounded
        return buffer

    def give(self, buffer: Any) -> None:
        """Take a buffer back."""
        size = buffer.size
        self.used -= size
        if self.kept + size <= _KEPT:
            self.free.setdefault(size, []).append(buffer)
            self.kept += size

    def clear(self) -> None:
        """Give all free memory back to the driver."""
        self.free.clear()
        self.kept = 0


class Recent:
    """The newest ``limit`` values by key."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def __contains__(self, key: Any) -> bool:
        return key in self._values

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value of ``key``, made if it is not there."""
        if key not in self._values:
            self._values[key] = make()
            if len(self._values) > self._limit:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]


class Device:
    """An OpenCL device that functions run on."""

    def __init__(self, name: str, handle: Any) -> None:
        import pyopencl as cl

        self.name = name
        self.handle = handle
        self.process = os.getpid()
        self.context = cl.Context([handle])
        self.queue = cl.CommandQueue(self.context)
        self.pool = Pool(self.context)
        self.lock = threading.RLock()
        self.doubles = "cl_khr_fp64" in handle.extensions.split()
        self.programs = Recent(_PROGRAMS)
        self._tables = Recent(_TABLES)

    def __str__(self) -> str:
        platform = self.handle.platform
        return f"{self.handle.name.strip()} ({platform.name.strip()}, {platform.version.strip()})"

    def check_process(self) -> None:
        """RuntimeError in a child process: drivers hang or fail after a fork."""
        if os.getpid() != self.process:
            raise RuntimeError(
                f"{self.name} was opened before this process was forked, and OpenCL cannot be used "
                "on both sides of a fork. Start workers with multiprocessing's 'spawn' method."
            )

    def table(self, words: Sequence[int]) -> Any:
        """A small read-only buffer of int64 words; equal ones are one."""
        data = np.array(words, dtype=np.int64)
        return self._tables.get(data.tobytes(), lambda: self.keep(data))

    def keep(self, value: Any) -> Any:
        """A buffer outside of the pool, for what does not change."""
        import pyopencl as cl

        if not value.nbytes:
            return cl.Buffer(self.context, cl.mem_flags.READ_ONLY, _GRANULE)
        flags = cl.mem_flags.READ_ONLY | cl.mem_flags.COPY_HOST_PTR
        return cl.Buffer(self.context, flags, hostbuf=np.ascontiguousarray(value))

    def upload(self, buffer: Any, value: Any) -> None:
        """Copy an ndarray to the start of ``buffer``, in C order; it may change right after."""
        import pyopencl as cl

        if value.nbytes:
            cl.enqueue_copy(self.queue, buffer, np.ascontiguousarray(value), is_blocking=True)

    def download(self, array: DeviceArray) -> Any:
        """A fresh ndarray with the elements of a contiguous array."""
        import pyopencl as cl

        host = np.empty(array.dims, dtype=array.dtype)
        if host.nbytes:
            cl.enqueue_copy(
                self.queue, host, array.buffer, src_offset=array.offset, is_blocking=True
            )
        return host


_devices: dict[str, Device] = {}
_broken: dict[str, str] = {}
_opening = threading.Lock()


def open_device(name: str) -> Device:
    """The device that ``openclP:D`` names (platform, device), opened once per process.

    With the flag ``opencl.platform``, P counts only platforms whose name contains its text.

    Raises:
        ValueError: not the name of an OpenCL device.
        DeviceMissing: pyopencl, the platform or the device is not there.
    """
    spec = parse_device(name)
    if spec.kind != "opencl":
        raise ValueError(f"{name!r} is not an OpenCL device: write opencl<platform>:<device>.")
    with _opening:
        key = f"{config.get('opencl.platform')}|{spec}"
        found = _devices.get(key)
        if key in _broken:
            raise DeviceMissing(_broken[key])
        if found is None:
            found = Device(str(spec), _find(spec))
            _probe(found, key)
            _devices[key] = found
        found.check_process()
        return found


def _probe(device: Device, key: str) -> None:
    """DeviceMissing if the device's compiler does not work at all."""
    import pyopencl as cl

    try:
        cl.Program(device.context, _PROBE).build(cache_dir=UNCACHED)
    except cl.Error as error:
        reason = next((line for line in str(error).splitlines() if "error:" in line), str(error))
        old = "unknown target CPU" in reason
        library = os.path.join(sys.prefix, "lib", "libintelocl.so")
        advice = (
            "; this PoCL is older than the processor. Others that know it: the system's own, on "
            "Debian and Ubuntu `apt install pocl-opencl-icd`; or Intel's for any x86-64, `pip "
            f"install intel-opencl-rt intel-cmplr-lib-rt` with OCL_ICD_VENDORS={library}"
        )
        _broken[key] = (
            f"{device.name} ({device}) cannot compile: {reason.strip()}{advice if old else ''}."
        )
        raise DeviceMissing(_broken[key]) from error


def _platforms() -> list[Any]:
    try:
        import pyopencl as cl
    except Exception as error:
        raise DeviceMissing(
            f"pyopencl cannot be imported ({error}). {REMEDY['opencl']}."
        ) from error
    try:
        platforms = list(cl.get_platforms())
    except cl.Error as error:
        raise DeviceMissing(
            f"no OpenCL platform was found ({error}). {REMEDY['opencl']}."
        ) from error
    wanted = config.get("opencl.platform").lower()
    return [p for p in platforms if wanted in p.name.lower()]


def _find(spec: DeviceSpec) -> Any:
    platforms = _platforms()
    assert spec.platform is not None
    assert spec.index is not None
    names = ", ".join(f"{i}: {p.name.strip()}" for i, p in enumerate(platforms)) or "none"
    if spec.platform >= len(platforms):
        raise DeviceMissing(f"{spec} names platform {spec.platform}; there are {names}.")
    platform = platforms[spec.platform]
    devices = platform.get_devices()
    if spec.index >= len(devices):
        raise DeviceMissing(
            f"{spec} names device {spec.index} of platform {platform.name.strip()}, which has "
            f"{len(devices)}."
        )
    return devices[spec.index]


def list_devices() -> list[tuple[str, str]]:
    """(name for ``device=``, description) of every device; empty without pyopencl or platforms."""
    try:
        platforms = _platforms()
    except DeviceMissing:
        return []
    return [
        (f"opencl{i}:{j}", f"{device.name.strip()} ({platform.name.strip()})")
        for i, platform in enumerate(platforms)
        for j, device in enumerate(platform.get_devices())
    ]


def first_working() -> Device:
    """Any device that can compile; simulators come last.

    Raises DeviceMissing, with every device's reason, if there is none.
    """
    names = sorted(list_devices(), key=lambda row: "Oclgrind" in row[1])
    reasons = []
    for name, _ in names:
        try:
            return open_device(name)
        except DeviceMissing as error:
            reasons.append(str(error))
    raise DeviceMissing(" ".join(reasons) or f"No OpenCL device was found. {REMEDY['opencl']}.")
