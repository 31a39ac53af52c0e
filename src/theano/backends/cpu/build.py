"""A Program compiled for the CPU, and the built-in functions made from it.

One compilation serves any number of entries: cells of shared variables, constants and Python
callbacks are bound when an entry is made.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from theano.backends.cpu import compiler, tiers
from theano.backends.cpu.entry import SYMBOL, binding, make_entry
from theano.backends.cpu.host import HostCode, render_program
from theano.backends.cpu.machine import disk_cache
from theano.core.record import dataclass
from theano.kernel.ir import Kernel
from theano.lower.program import OBJECT, Program, PyCall, PyFunction, walk
from theano.runtime import capi

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
            other = _compile(program, single, bool(self.code.timed))
            return other.make_entry(program, cells, slow, fail, single)
        arrays = {
            s.index: tuple(dtype != OBJECT for _, dtype, _ in s.outs)
            for s in walk(program.steps)
            if isinstance(s, PyCall)
        }
        steps = tuple(
            functools.partial(_call_python, step, arrays.get(i, ()))
            for i, step in enumerate(program.callables)
        )
        return make_entry(
            self.owner, self.code.state, program.name, program.constants, steps, cells, slow, fail
        )


def _call_python(
    function: PyFunction, arrays: tuple[bool, ...], *values: Any
) -> tuple[Any, ...] | None:
    """Run a Python step; None if it raised, so that the reference tells what is wrong.

    ``arrays`` says which of its results are arrays, not objects.
    """
    try:
        return tuple(
            np.asarray(value, order="C") if array else value
            for value, array in zip(function.call(*values), arrays, strict=True)
        )
    except Exception:
        return None


def compile_program(program: Program, single: bool = True, timed: bool = False) -> CompiledProgram:
    """Compile ``program`` for this machine; ``timed``: its steps are counted and timed.

    Raises
    ------
    CompilerUnavailableError
        There is no LLVM here, or this Python cannot be called natively.
    MissingSpelling
        A step or primitive has no spelling on the CPU; the message names the file to edit.
    """
    return _compile(program, single, timed)


def imported(text: str) -> list[str]:
    """The symbols that a module's text imports, except for LLVM's own."""
    return [name for name in _EXTERNAL.findall(text) if not name.startswith("llvm.")]


def _compile(program: Program, single: bool, timed: bool = False) -> CompiledProgram:
    if not capi.native_calls_supported():
        raise compiler.CompilerUnavailableError(capi.native_call_problem())
    host = compiler.host_features()
    code = render_program(program, single, host.features, timed)
    cache = disk_cache()
    owner = tiers.module(code.text, (SYMBOL,), binding(imported(code.text), cache), cache)
    return CompiledProgram(code.text, owner.from_cache, code.kernels, owner, single, code)
