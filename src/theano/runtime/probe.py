"""Which devices this machine has and this version can use; nothing is loaded before it is asked."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from typing import Final

from theano.core.devices import DeviceSpec
from theano.core.record import dataclass

_DRIVER: Final = {"win32": "nvcuda.dll"}


@dataclass(frozen=True, slots=True)
class Found:
    """A device: the value of the flag `device` that names it, its own name, can it be used."""

    flag: str
    name: str
    usable: bool


def opencl_devices() -> tuple[list[Found], str]:
    """The OpenCL devices, or why none is found."""
    try:
        import pyopencl
    except ImportError as error:
        return [], f"pyopencl is not installed ({error})"
    usable = importlib.util.find_spec("theano.backends.opencl") is not None
    try:
        found = [
            Found(f"opencl{p}:{d}", f"{device.name.strip()} ({platform.name.strip()})", usable)
            for p, platform in enumerate(pyopencl.get_platforms())
            for d, device in enumerate(platform.get_devices())
        ]
    except pyopencl.Error as error:
        return [], str(error)
    return found, "" if found else "no platform has a device"


def cuda_devices() -> tuple[list[Found], str]:
    """The NVIDIA GPUs that the driver tells of, or why there are none."""
    name = _DRIVER.get(sys.platform, "libcuda.so.1")
    try:
        driver = ctypes.CDLL(name)
        status = driver.cuInit(0)
    except (OSError, AttributeError):
        return [], f"no NVIDIA driver ({name})"
    count = ctypes.c_int(0)
    if status or driver.cuDeviceGetCount(ctypes.byref(count)):
        return [], f"the NVIDIA driver answers with error {status}"
    usable = importlib.util.find_spec("theano.backends.cuda") is not None
    found = []
    for number in range(count.value):
        text = ctypes.create_string_buffer(256)
        driver.cuDeviceGetName(text, 256, number)
        found.append(Found(f"cuda{number}", text.value.decode(errors="replace"), usable))
    return found, "" if found else "the NVIDIA driver knows no GPU"


def look_up(spec: DeviceSpec) -> tuple[Found | None, str]:
    """The device that a flag value names; or None, and why it cannot be used.

    >>> look_up(DeviceSpec("cpu"))[0].usable
    True
    """
    if spec.kind == "cpu":
        return Found("cpu", "the CPU", True), ""
    found, reason = cuda_devices() if spec.kind == "cuda" else opencl_devices()
    if found and importlib.util.find_spec(f"theano.backends.{spec.kind}") is None:
        return None, f"this version has no {spec.kind} backend yet"
    device = next((device for device in found if device.flag == str(spec)), None)
    return device, "" if device else reason or "no such device"
