"""Built-in functions made from native code of a Program; nothing here needs the code generator."""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.backends.cpu import compiler, special, tiers
from theano.backends.cpu.machine import disk_cache
from theano.core.config import config
from theano.core.record import dataclass
from theano.core.threads import thread_count
from theano.runtime import capi, threads
from theano.runtime.pycfunction import make_builtin

if TYPE_CHECKING:
    from theano.runtime.cache import ObjectCache

SYMBOL: Final = "th_host"
#: Counters of a timed step: calls, nanoseconds, bytes moved, most bytes made by one call.
TIMER_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class State:
    """Offsets of the words of a function's state block, which lives as long as the function.

    ``timers``: steps whose runs are counted and timed (`timing`); their words are the last.
    """

    cells: int
    callables: int
    constants: int
    slots: int
    timers: int = 0

    busy, owner, slow, fail = range(4)

    def cell(self, index: int) -> int:
        """Word of shared cell ``index`` (a list)."""
        return 4 + index

    def callable(self, index: int) -> int:
        """Word of Python step ``index``."""
        return 4 + self.cells + index

    def constant(self, index: int) -> int:
        """Word of the array of constant ``index``."""
        return 4 + self.cells + self.callables + index

    @property
    def slot(self) -> int:
        """First word of the scratch slots, two words each."""
        return 4 + self.cells + self.callables + self.constants

    @property
    def clock(self) -> int:
        """Word of the address of the clock."""
        return self.slot + 2 * self.slots

    def timer(self, index: int) -> int:
        """First word of the counters of timed step ``index``."""
        return self.clock + 1 + TIMER_WORDS * index

    @property
    def words(self) -> int:
        """Size of the block."""
        return self.timer(self.timers) if self.timers else self.clock


def make_entry(
    owner: compiler.NativeModule, state: State, name: str, values: Sequence[Any],
    steps: Sequence[Callable[..., Any]], cells: Sequence[list[Any]], slow: Callable[..., Any],
    fail: Callable[..., Any],
) -> Callable[..., Any]:  # fmt: skip
    """Return a built-in function that runs ``owner``'s host function.

    Parameters
    ----------
    owner, state
        The code, and the layout of its state block.
    name
        What the built-in is called.
    values, steps
        The program's constants, and its Python steps as native code calls them.
    cells, slow, fail
        As for `build.CompiledProgram.make_entry`.
    """
    block = np.zeros(state.words, dtype=np.int64)
    constants = tuple(map(_aligned, values))
    block[state.slow], block[state.fail] = id(slow), id(fail)
    for i, cell in enumerate(cells[: state.cells]):
        block[state.cell(i)] = id(cell)
    for i, step in enumerate(steps):
        block[state.callable(i)] = id(step)
    for i, constant in enumerate(constants):
        block[state.constant(i)] = id(constant)
    if state.timers:
        block[state.clock] = clock_address()
    scratch = _Scratch(block[: state.clock], state.slot, quick=owner.level == 0)
    keep = (block, slow, fail, tuple(cells), constants, tuple(steps), owner, scratch)
    with compiler.swapping:
        return make_builtin(owner[SYMBOL], keep, keywords=True, name=name)


def free_scratch(function: Any) -> None:
    """Free the scratch memory that a built-in function keeps between calls."""
    for item in function.__self__:
        if isinstance(item, _Scratch):
            item.release()


@functools.cache
def clock_address() -> int:
    """The address of the C library's ``clock_gettime``; 0 where there is none."""
    try:
        function = ctypes.CDLL(None).clock_gettime
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _aligned(value: Any) -> Any:
    """A constant that native code can read; what is no array is only passed on."""
    if not isinstance(value, np.ndarray) or value.flags.aligned:
        return value
    return np.array(value, subok=True)


class _Scratch:
    """Frees the scratch slots of a state block when the function dies."""

    def __init__(self, block: Any, first: int, quick: bool) -> None:
        _after_fork_hook()
        _alive.add(self)
        self._block = block
        self._first = first
        # Taken now: nothing can be imported while the interpreter shuts down.
        self._free = _free_function(quick) if len(block) > first else None

    def forget_calls(self) -> None:
        """In a forked child: calls of other threads, which might hold the block, are gone."""
        self._block[[State.busy, State.owner]] = 0

    def release(self) -> None:
        """Free the memory that is kept between calls, unless a call uses it at this moment."""
        free = self._free
        if free is None or self._block[State.busy]:
            return
        pointers = [int(pointer) for pointer in self._block[self._first :: 2]]
        # First forgotten, then freed: another thread may begin a call while this one frees.
        self._block[self._first :] = 0
        for pointer in pointers:
            free(pointer or None)

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
def _free_function(quick: bool) -> Callable[..., None]:
    address = tiers.helpers(None, quick).symbols(["th_free"])["th_free"]
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)


def addresses(names: Iterable[str], cache: ObjectCache | None, quick: bool) -> dict[str, int]:
    """The addresses of what code imports: helper libraries, the C APIs, SciPy's functions.

    ``quick`` says whether it is code of the first tier, which uses helpers of the first tier.
    """
    names = list(names)
    found = tiers.helpers(cache, quick).symbols(names)
    table = capi.symbols()
    for name in names:
        if name in table:
            found[name] = table[name]
        elif name in special.EXTERNALS:
            found[name] = special.address(name)
    return found


def binding(names: Iterable[str], cache: ObjectCache | None) -> tiers.Binding:
    """What finds the addresses of ``names`` for either tier; sees to the number of threads."""
    pool = threads.pool()
    wanted = thread_count(config)
    if pool.threads != wanted:
        pool.set_threads(wanted)
    return functools.partial(addresses, tuple(names), cache)


def load(key: str, names: Sequence[str]) -> compiler.NativeModule | None:
    """The linked host function whose object code is stored under ``key``; None if it is not."""
    cache = disk_cache()
    if cache is None or not capi.native_calls_supported():
        return None
    return tiers.load(key, (SYMBOL,), binding(names, cache), cache)
