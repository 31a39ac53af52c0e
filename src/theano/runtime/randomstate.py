"""NumPy's legacy ``RandomState`` in memory: copying one, and its words, without Python loops.

``get_state`` and ``set_state`` go through Python objects word by word, which takes many times
longer than a small draw. The words of an MT19937 are found through the capsule that NumPy gives to
C code; the number that a pair of normals left over is looked for once, in an object where it is
known. If anything looks different from what is expected, everything goes the slow way.
"""

from __future__ import annotations

import copy
import ctypes
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from theano.core.record import dataclass

#: ``uint32_t key[624]; int pos;``
KEY_BYTES: Final = 4 * 624
_BYTES: Final = KEY_BYTES + 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Addresses: of the 624 words, of the position (int32), of whether a normal is left over
    (int32), and of that number (double)."""

    key: int
    pos: int
    has_gauss: int
    gauss: int


def copy_state(state: Any) -> Any:
    """A RandomState that will draw what ``state`` would.

    >>> first = np.random.RandomState(3)
    >>> second = copy_state(first)
    >>> bool(first.normal() == second.normal())
    True
    """
    offset = _gauss_offset()
    if not offset or not _plain(state):
        return copy.deepcopy(state)
    other = _blank()
    with state._bit_generator.lock:
        source, target = _memory(state, offset), _memory(other, offset)
        ctypes.memmove(target.key, source.key, _BYTES)
        ctypes.memmove(target.has_gauss, source.has_gauss, 16)
    return other


@contextmanager
def memory(state: Any) -> Iterator[Memory | None]:
    """The addresses of a state, while nobody else draws from it; None where they are not known."""
    offset = _gauss_offset()
    if not offset or not _plain(state):
        yield None
        return
    with state._bit_generator.lock:
        yield _memory(state, offset)


def _plain(state: Any) -> bool:
    """Whether ``state`` is NumPy's own class with its own generator."""
    if type(state) is not np.random.RandomState:
        return False
    return type(state._bit_generator) is np.random.MT19937


def _blank() -> Any:
    """A RandomState to be overwritten."""
    return np.random.RandomState(np.random.MT19937(_no_entropy()))


@functools.cache
def _no_entropy() -> Any:
    """A seed that takes no time; it pickles as an ordinary one."""
    from numpy.random.bit_generator import ISeedSequence

    class NoEntropy(ISeedSequence):
        def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Any:
            return [1] * n_words  # read word by word, for which a list is fast

        def __reduce__(self) -> Any:
            return np.random.SeedSequence, (0,)

    return NoEntropy()


def _memory(state: Any, offset: int) -> Memory:
    key = _words(state)
    place = id(state) + offset
    return Memory(key, key + KEY_BYTES, place - 8, place)


def _words(state: Any) -> int:
    """The address of the words: the first field of what the capsule points to."""
    generator = _capsule_pointer()(state._bit_generator.capsule, b"BitGenerator")
    return ctypes.c_void_p.from_address(generator).value or 0


@functools.cache
def _capsule_pointer() -> Any:
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    return prototype(("PyCapsule_GetPointer", ctypes.pythonapi))


@functools.cache
def _gauss_offset() -> int:
    """Where a RandomState has its left-over normal; 0 if that cannot be told for certain."""
    try:
        return _find_gauss()
    except (AttributeError, ImportError, TypeError, ValueError):
        return 0


def _find_gauss() -> int:
    state = _blank()
    size = type(state).__basicsize__
    if not _words_are_right(state):
        return 0
    candidates = set(range(8, size - 7, 8))
    for has, value in ((1, -1234.5678e-90), (0, 8765.4321e80), (1, 0.123456789e50)):
        values = state.get_state(legacy=False)
        values["has_gauss"], values["gauss"] = has, value
        state.set_state(values)
        content = ctypes.string_at(id(state), size)
        candidates = {
            at
            for at in candidates
            if np.frombuffer(content, np.float64, 1, at)[0] == value
            and np.frombuffer(content, np.int32, 1, at - 8)[0] == has
        }
    return candidates.pop() if len(candidates) == 1 else 0


def _words_are_right(state: Any) -> bool:
    state.random_sample(700)
    state.randint(2**30)
    values = state.get_state(legacy=False)["state"]
    content = ctypes.string_at(_words(state), _BYTES)
    key = np.frombuffer(content, np.uint32, 624)
    pos = int(np.frombuffer(content, np.int32, 1, KEY_BYTES)[0])
    return pos == values["pos"] and bool((key == values["key"]).all())


__all__ = ["KEY_BYTES", "Memory", "copy_state", "memory"]
