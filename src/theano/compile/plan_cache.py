"""The plan of a function on disk: what a later process needs to run it without compiling.

The key is taken from the graph as the user wrote it (`fingerprint`), so that a hit skips
rewriting, lowering, rendering and LLVM. A plan is JSON: the key of the object code, the names of
its imports, the layout of the state block, the program's constants, the cells. Anything odd in it
means that the function is compiled the normal way, and the plan made anew.
"""

from __future__ import annotations

import base64
import sys
from dataclasses import field
from typing import Any

import numpy as np

from theano.compile import fingerprint
from theano.compile.mode import Linker, Mode, Optimizer
from theano.core.config import config
from theano.core.record import dataclass
from theano.runtime import stamp

FORMAT = "plan 1"
# Functions with more constants than this are not stored.
LARGEST = 1 << 20


@dataclass(frozen=True)
class Plan:
    """A function's native code and what is bound to it.

    Attributes: ``owner`` (linked code), ``state`` (layout of the state block), ``constants``,
    ``cells`` (position of each of the program's cells among those of the maker), ``single``
    (whether the code returns its only output itself).
    """

    name: str
    single: bool
    cells: tuple[int, ...]
    constants: tuple[Any, ...]
    owner: Any = field(repr=False)
    state: Any = field(repr=False)


def key(maker: Any) -> str:
    """The key of a maker's plan; empty where it can have none.

    Expects ``variables``, ``cells``, ``results`` and ``updates`` of the maker.
    """
    if not _plain(maker.mode):
        return ""
    positions = {cell: i for i, cell in enumerate(maker.cells)}
    targets = " ".join(str(positions[cell]) for cell, _ in maker.updates)
    outputs = [*maker.results, *(value for _, value in maker.updates)]
    try:
        graph = fingerprint.digest(
            maker.variables, maker.cells, outputs,
            f"{len(maker.results)} results, single {maker.unpack_single}, updates {targets}",
            _mode_text(maker.mode),
        )  # fmt: skip
    except fingerprint.Unknown:
        return ""
    return stamp.all_of(FORMAT, graph, fingerprint.flags())


def _plain(mode: Any) -> bool:
    """Whether a mode compiles for the CPU, and only with rewrites of ours."""
    from theano.rewrite.pattern import FOREIGN

    kinds = (type(mode), type(mode.linker), type(mode.optimizer))
    return (
        config.jit.cache
        and config.device == "cpu"
        and kinds == (Mode, Linker, Optimizer)
        and mode.linker.native
        and not mode.linker.program
        and not getattr(mode, "extra", ())
        and not FOREIGN
        and not _registered()
    )


def _registered() -> bool:
    """Whether users registered rewrites; nobody did as long as nobody asked for ``optdb``."""
    databases = sys.modules.get("theano.rewrite.databases")
    return databases is not None and any(databases.optdb.users())


def _mode_text(mode: Any) -> str:
    tags = (mode.optimizer.include, mode.optimizer.exclude, mode.optimizer.require)
    return f"{mode.linker!r} {mode.optimizer.name} {[sorted(found) for found in tags]}"


# reading ------------------------------------------------------------------------------------------


def load(key: str) -> Plan | None:
    """The plan stored under ``key``, linked; None if there is none, or none that can be used."""
    from theano.backends.cpu import machine

    cache = machine.disk_cache()
    if not key or cache is None:
        return None
    found = cache.get_plan(key)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        return None
    try:
        return _linked(found)
    except (KeyError, TypeError, ValueError, RuntimeError, ImportError, AttributeError, OSError):
        return None


def _linked(found: dict[str, Any]) -> Plan | None:
    from theano.backends.cpu import entry

    state = entry.State(*map(_count, found["state"]))
    constants = tuple(map(_array, found["constants"]))
    cells = tuple(map(_count, found["cells"]))
    if state.callables or state.constants != len(constants) or state.cells > len(cells):
        return None
    owner = entry.load(str(found["object"]), [str(name) for name in found["imports"]])
    if owner is None:
        return None
    return Plan(str(found["name"]), bool(found["single"]), cells, constants, owner, state)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"not a count: {value!r}")
    return value


def _array(found: Any) -> np.ndarray[Any, Any]:
    kind, shape, text = found
    dtype = np.dtype(kind)
    if dtype.hasobject:
        raise ValueError(f"an array of {dtype}")
    raw = bytearray(base64.b64decode(text, validate=True))
    return np.frombuffer(raw, dtype).reshape([_count(n) for n in shape])


# writing ------------------------------------------------------------------------------------------


def store(maker: Any) -> None:
    """Store the plan of a maker whose function was just linked natively."""
    from theano.backends.cpu import build, machine

    compiled, program = maker.compiled, maker.lowered.program
    cache = machine.disk_cache()
    # Objects have no exact text.
    if cache is None or compiled is None or program.callables or any(
        param.dtype == "object" for param in program.params
    ):  # fmt: skip
        return
    if sum(np.asarray(value).nbytes for value in program.constants) > LARGEST:
        return
    state = compiled.code.state
    cache.put_plan(
        maker.plan_key,
        {
            "format": FORMAT,
            "name": program.name,
            "single": compiled.single,
            "cells": maker.lowered_cells,
            "constants": [_text(value) for value in program.constants],
            "object": compiled.owner.key,
            "imports": build.imported(compiled.text),
            "state": [state.cells, state.callables, state.constants, state.slots],
        },
    )


def _text(value: Any) -> list[Any]:
    array = np.asarray(value)
    raw = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return [array.dtype.str, list(array.shape), raw]
