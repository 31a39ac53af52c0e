"""Python built-in functions made from native addresses.

A built-in costs about 13 ns to enter, a Python ``__call__`` more than 100 ns; so a compiled
function *is* a built-in, and its class only gives it a name and attributes.
"""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

METH_KEYWORDS: Final = 0x0002
METH_FASTCALL: Final = 0x0080


class _PyMethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


# CPython keeps a pointer to the definition inside every built-in, so definitions are never freed;
# equal ones are shared, which bounds the growth by the number of distinct native functions.
# The first key is the address they run now.
_definitions: dict[int, dict[tuple[str, int, str], _PyMethodDef]] = {}


@functools.cache
def _constructor() -> Callable[..., Any]:
    address = ctypes.cast(ctypes.pythonapi.PyCFunction_NewEx, ctypes.c_void_p).value
    kind = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    return kind(address or 0)


def make_builtin(
    address: int, self_object: object, *, keywords: bool = False, name: str = "function",
    doc: str = "",
) -> Callable[..., Any]:  # fmt: skip
    """Return a built-in function that runs the native code at ``address``.

    Parameters
    ----------
    address
        Native ``PyObject *f(self, PyObject **args, Py_ssize_t nargs)``; with ``keywords`` a
        fourth parameter, the tuple of keyword names (or null).
    self_object
        Passed as ``self``. It must own, directly or not, the library that holds the code: the
        built-in keeps it alive, so code and function die together.
    keywords
        Whether the function takes keyword arguments; without them Python itself refuses them.
    """
    if not address:
        raise ValueError("a built-in function needs the address of native code, got 0")
    flags = METH_FASTCALL | (METH_KEYWORDS if keywords else 0)
    known = _definitions.setdefault(address, {})
    definition = known.get((name, flags, doc))
    if definition is None:
        definition = _PyMethodDef(name.encode(), address, flags, doc.encode() if doc else None)
        known[name, flags, doc] = definition
    result: Callable[..., Any] = _constructor()(ctypes.addressof(definition), self_object, None)
    return result


# Definitions that equal others since code was replaced; functions still point to them.
_retired: list[_PyMethodDef] = []


def redirect(old: int, new: int) -> None:
    """Let every built-in that runs the code at ``old`` run the code at ``new`` from now on.

    Both must take the same ``self``. A call that is running stays in the old code, so the owner of
    ``self`` must keep both alive.
    """
    moved = _definitions.pop(old, {}) if old != new else {}
    if not moved:
        return
    there = _definitions.setdefault(new, {})
    for key, definition in moved.items():
        definition.method = new
        if there.setdefault(key, definition) is not definition:
            _retired.append(definition)


def subclass_with_call(
    base: type[Any], call: Callable[..., Any], name: str | None = None
) -> type[Any]:
    """Return a subclass of ``base`` whose instances are called by the built-in ``call``.

    A built-in is not a descriptor, so ``instance(x)`` runs ``call(x)`` without the instance;
    one subclass therefore belongs to one function.

    >>> class Base: pass
    >>> subclass_with_call(Base, abs)()(-3)
    3
    """
    members = {"__call__": call, "__module__": base.__module__, "__slots__": ()}
    return type(name or base.__name__, (base,), members)
