"""``theano info``: what this installation is made of, what it found, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from theano.backends.cpu import compiler
from theano.cli import say
from theano.cli.cache import size
from theano.core import threads
from theano.core.config import config
from theano.runtime import blas, probe
from theano.runtime.cache import ObjectCache

Lines = Iterator[str]

# What may be missing: what it gives, how to see that it is there, the command that adds it.
OPTIONAL: Final = (
    ("llvmlite", "compiled functions on the CPU", "pip install llvmlite"),
    ("scipy", "special functions and linear algebra", "pip install scipy"),
    ("pyopencl", "OpenCL devices", "pip install 'theano[opencl]'"),
    ("matplotlib", "the pictures of `theano tour`", "pip install 'theano[plot]'"),
)
PROGRAMS: Final = (
    ("dot", "pydotprint as PNG or PDF (SVG needs nothing)", "install Graphviz, e.g. apt install "
     "graphviz"),
)  # fmt: skip
FEATURES: Final = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "neon", "sve")


def main(arguments: Sequence[str]) -> int:
    """Print the report; 2 if arguments are given."""
    if arguments:
        sys.stderr.write("usage: theano info\n")
        return 2
    for title, section in SECTIONS.items():
        lines = list(section())
        say(f"{title:<10} {lines[0] if lines else 'nothing'}")
        say(*(f"{'':<10} {line}" for line in lines[1:]))
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _versions() -> Lines:
    yield f"theano {_version('theano')}, Python {platform.python_version()} ({sys.platform})"
    yield ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "llvmlite"))


def _config() -> Lines:
    yield f"device={config.device}, floatX={config.floatX}, mode={config.mode}"
    files = config.rc_files()
    yield f"read from {', '.join(files)}" if files else "no configuration file"


def _processor() -> Lines:
    possible, why = compiler.available()
    if not possible:
        yield f"no native code: {why}"
        yield "functions run on NumPy, op by op"
        return
    host = compiler.host_features()
    used = [name for name in FEATURES if host.has(name)]
    yield f"{host.cpu} ({host.architecture}), LLVM {host.llvm_version}"
    yield f"{host.vector_bytes * 8}-bit vectors, {host.vector_registers} registers"
    yield f"uses {' '.join(used) or f'what every processor of kind {host.architecture} has'}"


def _blas() -> Lines:
    try:
        found = blas.find()
    except (ValueError, OSError) as error:
        yield str(error)
        return
    yield found.describe() if found else "none: matrix products use our own loops"


def _threads() -> Lines:
    cores = threads.available_cores()
    yield f"{threads.thread_count(config)} for each function, of {cores} available"


def _devices() -> Lines:
    yield "cpu"
    for name, find in (("CUDA", probe.cuda_devices), ("OpenCL", probe.opencl_devices)):
        found, reason = find()
        for device in found:
            state = "" if device.usable else " — cannot be used yet"
            yield f"{device.flag}: {device.name}{state}"
        if reason:
            yield f"no {name} device: {reason}"


def _cache() -> Lines:
    stats = ObjectCache(config.compiledir).stats()
    yield f"{stats.path}: {stats.entries} entries, {size(stats.bytes)}"
    if not stats.usable:
        yield f"not used: {stats.reason}"


def _missing() -> Lines:
    absent = [row for row in OPTIONAL if importlib.util.find_spec(row[0]) is None]
    absent += [row for row in PROGRAMS if shutil.which(row[0]) is None]
    for name, gives, command in absent:
        yield f"{name}: {gives} — {command}"


SECTIONS: Final[dict[str, Callable[[], Lines]]] = {
    "Versions": _versions,
    "Settings": _config,
    "Processor": _processor,
    "BLAS": _blas,
    "Threads": _threads,
    "Devices": _devices,
    "Cache": _cache,
    "Missing": _missing,
}
