"""A Program compiled for the CPU, and the built-in functions made from it.

One compilation serves any number of entries: cells of shared variables, constants and Python
callbacks are bound when an entry is made.
"""

from __future__ import annotations

import functools
import os
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from theano.backends.cpu import compiler, special
from theano.backends.cpu.host import SYMBOL, HostCode, render_program
from theano.backends.cpu.host_frame import State
from theano.core.config import config
from theano.core.threads import thread_count
from theano.kernel.ir import Kernel
from theano.lower.program import Program, PyFunction
from theano.runtime import capi, threads
from theano.runtime.cache import ObjectCache
from theano.runtime.pycfunction import make_builtin

_EXTERNAL = re.compile(r"^(?:declare [^@]*@|@)([\w.$]+)(?:\(| = external)", re.MULTILINE)


@dataclass(frozen=True)
class CompiledProgram:
    """Native code of a Program.

    Attributes
    ----------
    text
        The LLVM module.
    cache_hit
        Whether the object code came from the disk cache.
    kernels
        (kernel, symbol in ``text``) of every kernel.
    owner
        Keeps the native code alive; every entry refers to it.
    single
        Whether the code returns its only output itself instead of a list.
    """

    text: str
    cache_hit: bool
    kernels: tuple[tuple[Kernel, str], ...]
    owner: compiler.NativeModule
    single: bool
    code: HostCode = field(repr=False)

    def make_entry(
        self,
        program: Program,
        cells: Sequence[list[Any]],
        slow: Callable[..., Any],
        fail: Callable[..., Any],
        single: bool,
    ) -> Callable[..., Any]:
        """Return the built-in function that runs the program.

        Parameters
        ----------
        program
            The program that was compiled, or the same with other constants and callables.
        cells
            One-element lists that hold the values of the shared variables.
        slow
            Called with the arguments of a call that are not exactly what the parameters declare.
        fail
            ``fail(step, *args)`` is called when a step fails; nothing was stored then.
        single
            Return the only output itself; otherwise a list of outputs.
        """
        if single != self.single:
            return _compile(program, single).make_entry(program, cells, slow, fail, single)
        state = self.code.state
        block = np.zeros(state.words, dtype=np.int64)
        constants = tuple(_constant(value) for value in program.constants)
        steps = tuple(functools.partial(_call_python, step) for step in program.callables)
        block[state.slow], block[state.fail] = id(slow), id(fail)
        for i, cell in enumerate(cells[: state.cells]):
            block[state.cell(i)] = id(cell)
        for i, step in enumerate(steps):
            block[state.callable(i)] = id(step)
        for i, constant in enumerate(constants):
            block[state.constant(i)] = id(constant)
        scratch = _Scratch(block, state.slot)
        keep = (block, slow, fail, tuple(cells), constants, steps, self.owner, scratch)
        return make_builtin(self.owner[SYMBOL], keep, keywords=True, name=program.name)


class _Scratch:
    """Frees the scratch slots of a state block when the function dies."""

    def __init__(self, block: Any, first: int) -> None:
        _after_fork_hook()
        _alive.add(self)
        self._block = block
        self._first = first
        # Taken now: nothing can be imported while the interpreter shuts down.
        self._free = _free_function() if len(block) > first else None

    def forget_calls(self) -> None:
        """In a forked child: calls of other threads, which might hold the block, are gone."""
        self._block[[State.busy, State.owner]] = 0

    def __del__(self) -> None:
        free = self._free
        if free is None:
            return
        for pointer in self._block[self._first :: 2]:
            free(int(pointer) or None)


_alive: weakref.WeakSet[_Scratch] = weakref.WeakSet()


@functools.cache
def _after_fork_hook() -> None:
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_calls)


def _forget_calls() -> None:
    for scratch in list(_alive):
        scratch.forget_calls()


@functools.cache
def _free_function() -> Callable[..., None]:
    import ctypes

    address = compiler.helpers().symbols(["th_free"])["th_free"]
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)


def _constant(value: Any) -> Any:
    """A constant as native code reads it: aligned, and never changed."""
    return np.require(value, requirements=["ALIGNED"])


def _call_python(function: PyFunction, *arrays: Any) -> tuple[Any, ...] | None:
    """Run a Python step; None if it raised, so that the reference tells what is wrong."""
    try:
        return tuple(np.asarray(value, order="C") for value in function.call(*arrays))
    except Exception:
        return None


@functools.cache
def disk_cache() -> ObjectCache | None:
    """The cache of object code in ``config.compiledir``; None if ``config.jit.cache`` is off."""
    return ObjectCache(config.compiledir) if config.jit.cache else None


def compile_program(program: Program, single: bool = True) -> CompiledProgram:
    """Compile ``program`` for this machine.

    Raises
    ------
    CompilerUnavailableError
        There is no LLVM here, or this Python cannot be called natively.
    MissingSpelling
        A step or primitive has no spelling on the CPU; the message names the file to edit.
    """
    return _compile(program, single)


def _compile(program: Program, single: bool) -> CompiledProgram:
    if not capi.native_calls_supported():
        raise compiler.CompilerUnavailableError(capi.native_call_problem())
    host = compiler.host_features()
    code = render_program(program, single, host.features)
    cache = disk_cache()
    helpers = compiler.helpers(cache)
    pool = threads.pool()
    wanted = thread_count(config)
    if pool.threads != wanted:
        pool.set_threads(wanted)
    names = [n for n in _EXTERNAL.findall(code.text) if not n.startswith("llvm.")]
    imports = helpers.symbols(names)
    table = capi.symbols()
    for name in names:
        if name in table:
            imports[name] = table[name]
        elif name in special.EXTERNALS:
            imports[name] = special.address(name)
    owner = compiler.compile_module(code.text, [SYMBOL], imports, cache=cache)
    return CompiledProgram(code.text, owner.from_cache, code.kernels, owner, single, code)
