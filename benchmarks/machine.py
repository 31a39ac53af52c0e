"""On what is measured: processor, memory, system, versions."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peers import ENVIRONMENTS, ROOT, Setup


def describe(setup: Setup) -> dict[str, Any]:
    """The machine in words, without its name or any path."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{_memory_gib():.0f} GiB",
        "system": f"{_system()}, {platform.machine()}",
        "versions": dict(_versions(setup)),
        "load": round(os.getloadavg()[0], 2),
        "revision": _revision(),
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _processor() -> str:
    fields: dict[str, str] = {}
    for line in _lines("/proc/cpuinfo"):
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    name = fields.get("model name") or platform.processor() or "unknown processor"
    family = fields.get("cpu family")
    vectors = "AVX-512" if "avx512f" in fields.get("flags", "").split() else ""
    return ", ".join(filter(None, (name, f"family {family}" if family else "", vectors)))


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _versions(setup: Setup) -> Iterator[tuple[str, str]]:
    yield "Python", platform.python_version()
    for package in ("theano", "numpy", "scipy", "llvmlite"):
        yield package, _version(sys.executable, package)
    for peer in setup.peers:
        python = setup.python(peer, own=False)
        if python is not None and peer not in ("numpy", "torchc"):
            package = ENVIRONMENTS[peer][1]
            yield package, _version(str(python), package)


def _version(python: str, package: str) -> str:
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "missing"


def _revision() -> str:
    """The commit that was measured; a plus where the working tree differs from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
