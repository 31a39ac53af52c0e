"""Digests of what compiled code depends on outside of a program: our sources, LLVM, the processor.

They are cheap (a few file attributes, no import of the compiler) and part of cache keys, so that
an edit, an upgrade or another machine finds nothing old.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import sys
import time
from typing import Final

_STARTED: Final = time.time_ns()
# Lines of /proc/cpuinfo that say what the processor can do, not what it does just now.
_PROCESSOR: Final = frozenset({
    "vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features",
    "CPU implementer", "CPU architecture", "CPU variant", "CPU part",
})  # fmt: skip


@functools.cache
def sources() -> str:
    """A digest of names, sizes and times of all our source files.

    Empty if they are not files, or if one was edited after this process began: what was imported
    may then be older than what lies there.

    >>> len(sources())
    64
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found: list[str] = []
    folders = [root]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".py"):
                        info = entry.stat()
                        if info.st_mtime_ns > _STARTED:
                            return ""
                        found.append(f"{entry.path} {info.st_size} {info.st_mtime_ns}")
                    elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                        folders.append(entry.path)
    except OSError:
        return ""
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest() if found else ""


@functools.cache
def compiler() -> str:
    """A digest of the installed llvmlite, without importing it; empty if there is none."""
    try:
        spec = importlib.util.find_spec("llvmlite")
    except (ImportError, ValueError):
        return ""
    if spec is None or not spec.origin:
        return ""
    folder = os.path.dirname(spec.origin)
    parts = [folder]
    for name in ("_version.py", os.path.join("binding", "libllvmlite.so")):
        try:
            info = os.stat(os.path.join(folder, name))
        except OSError:
            return ""
        parts.append(f"{info.st_size} {info.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@functools.cache
def processor() -> str:
    """A digest of the processor's model and features; empty where the system does not tell."""
    try:
        descriptor = os.open("/proc/cpuinfo", os.O_RDONLY)
    except OSError:
        return ""
    try:
        # The text is made while it is read: the first processor is enough.
        text = os.read(descriptor, 16384).decode(errors="replace").partition("\n\n")[0]
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    lines = [line for line in text.splitlines() if line.partition(":")[0].strip() in _PROCESSOR]
    if not any(line.startswith(("flags", "Features")) for line in lines):
        return ""
    return hashlib.sha256("\n".join((os.uname().machine, *lines)).encode()).hexdigest()


def all_of(*more: str) -> str:
    """A digest of everything above, the interpreter, and ``more``; empty if a part is unknown."""
    parts = [sources(), compiler(), processor()]
    if not all(parts):
        return ""
    import numpy

    parts += [sys.version, sys.platform, numpy.__version__, *more]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
