"""Results that share no memory: with inputs, shared storage, constants, or each other."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np


def owner(value: Any) -> tuple[int, bool]:
    """The identity of what owns the memory of ``value``, and whether that is certain."""
    last = value
    while True:
        base = getattr(last, "base", None)
        if base is None and isinstance(last, memoryview):
            base = last.obj
        if base is None:
            return id(last), isinstance(last, np.ndarray) and last.flags.owndata
        last = base


class Fresh:
    """Hands out values, copied where they share memory with what was seen before.

    A list, or a compressed sparse matrix, shares memory if one of its arrays does, and then that
    array is copied.

    >>> import numpy as np
    >>> a = np.zeros(3)
    >>> Fresh([a]).take(a[1:]).base is None
    True
    >>> given, added = Fresh([[a]]).take([a, np.ones(2)])
    >>> given is a
    False
    """

    def __init__(self, known: Iterable[Any] = ()) -> None:
        self._seen: set[int] = set()
        self._objects: set[int] = set()
        for value in known:
            if isinstance(value, np.ndarray):
                self._seen.add(owner(value)[0])
            else:
                self._objects.add(id(value))
                if type(value) is list:
                    self._seen |= self._owners(value)[0]
                self._seen.update(owner(array)[0] for array in _compressed(value).values())

    def take(self, value: Any, borrow: bool = False) -> Any:
        """``value``, or a copy of it unless ``borrow``."""
        if not isinstance(value, np.ndarray):
            return self._object(value, borrow)
        identity, certain = owner(value)
        if not borrow and (identity in self._seen or not certain):
            return value.copy(order="K")
        self._seen.add(identity)
        return value

    def _object(self, value: Any, borrow: bool) -> Any:
        if borrow or id(value) not in self._objects or isinstance(value, _IMMUTABLE):
            self._objects.add(id(value))
            if not borrow:
                self._own_compressed(value)
            return value if borrow or type(value) is not list else self._list(value)
        return copy.deepcopy(value)

    def _own_compressed(self, value: Any) -> None:
        for name, array in _compressed(value).items():
            identity = owner(array)[0]
            if identity in self._seen:
                setattr(value, name, array.copy())
            self._seen.add(identity)

    def _list(self, value: list[Any]) -> list[Any]:
        """A list of which no array is known, or a copy of it."""
        owners, kept = self._owners(value)
        if owners & self._seen:
            return copy.deepcopy(value, kept)
        self._seen |= owners
        return value

    def _owners(self, value: list[Any]) -> tuple[set[int], dict[int, Any]]:
        """Of the arrays in a list and in the lists in it, the owners; and, by identity, all in
        them that need not be copied."""
        owners: set[int] = set()
        kept: dict[int, Any] = {}
        todo, met = [value], {id(value)}
        while todo:
            for item in todo.pop():
                if isinstance(item, np.ndarray):
                    identity = owner(item)[0]
                    owners.add(identity)
                    if identity in self._seen:
                        continue
                elif type(item) is list:
                    if id(item) not in met:
                        met.add(id(item))
                        todo.append(item)
                    continue
                kept[id(item)] = item
        return owners, kept


def _compressed(value: Any) -> dict[str, Any]:
    """The arrays of a sparse matrix in compressed form, which may share them with another."""
    if not type(value).__module__.startswith("scipy.sparse"):
        return {}
    found = {name: getattr(value, name, None) for name in ("data", "indices", "indptr")}
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


_IMMUTABLE = (type(None), int, float, complex, str, bytes, bool, tuple, np.generic, slice)
