"""Finding LAPACK: in the BLAS library that products use already, else through SciPy's pointers.

NumPy's OpenBLAS brings LAPACK along, with 64-bit integers, and is loaded in any case; every SciPy
publishes the same functions with 32-bit integers (``scipy.linalg.cython_lapack``).
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from theano.core.record import dataclass
from theano.runtime import blas

#: Functions that the routines call, without their first letter.
LAPACK: Final = (
    "potrf", "getrf", "gelqf", "orglq", "gesdd", "syevd", "lacpy", "laset",
)  # fmt: skip
BLAS: Final = ("trsm",)

# (prefix, suffix, bits of an integer) of the names a library may use for Fortran's functions.
_SPELLINGS: Final = (("scipy_", "_64_", 64), ("", "_64_", 64))


@dataclass(frozen=True, slots=True)
class Lapack:
    """A LAPACK library: ``dpotrf`` … -> address, and the functions that set its threads, or 0."""

    source: str
    integer_bits: int
    addresses: Mapping[str, int]
    set_num_threads: int = 0
    get_num_threads: int = 0


def _names() -> list[str]:
    return [letter + name for name in (*LAPACK, *BLAS) for letter in "sd"]


def _from_blas(found: blas.Blas | None) -> Lapack | None:
    """LAPACK in the library ``found``; only where integers have 64 bits is its naming certain."""
    if found is None or found.kind != "cblas64":
        return None
    try:
        library = ctypes.CDLL(found.library)
    except OSError:
        return None
    for prefix, suffix, bits in _SPELLINGS:
        addresses = {}
        for name in _names():
            function = getattr(library, f"{prefix}{name}{suffix}", None)
            if function is None:
                break
            addresses[name] = ctypes.cast(function, ctypes.c_void_p).value or 0
        else:
            table = MappingProxyType(addresses)
            return Lapack(found.library, bits, table, found.set_num_threads, found.get_num_threads)
    return None


def _from_scipy() -> Lapack:
    from scipy.linalg import cython_blas, cython_lapack

    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ctypes.cast(ctypes.pythonapi.PyCapsule_GetName, ctypes.c_void_p).value or 0
    )
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ctypes.cast(ctypes.pythonapi.PyCapsule_GetPointer, ctypes.c_void_p).value or 0
    )
    addresses = {}
    for module, names in ((cython_lapack, LAPACK), (cython_blas, BLAS)):
        for name in (letter + stem for stem in names for letter in "sd"):
            capsule = module.__pyx_capi__[name]
            addresses[name] = pointer_of(capsule, name_of(capsule))
    return Lapack("scipy.linalg.cython_lapack", 32, MappingProxyType(addresses))


@functools.cache
def library(choice: str = "") -> Lapack:
    """The LAPACK to use.

    ``choice``: ``""`` for the usual order, ``"scipy"`` for SciPy's pointers.

    >>> library().addresses["dpotrf"] != 0
    True
    """
    found = None if choice == "scipy" else _from_blas(blas.find())
    return found if found is not None else _from_scipy()
