"""Finding a BLAS library that is already there, without linking against one.

Order: NumPy's own OpenBLAS (64-bit integers, already loaded with NumPy), any other CBLAS loaded
in the process, the Fortran pointers that SciPy publishes. Without any, own loops do the work.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from theano.core.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["cblas64", "cblas32", "fortran32"]
ROUTINES: Final = tuple(
    letter + name for name in ("gemm", "gemv", "ger", "dot", "axpy") for letter in "sd"
)


@dataclass(frozen=True, slots=True)
class Blas:
    """A BLAS library that native code can call.

    Attributes
    ----------
    kind
        Calling convention: CBLAS with 64- or 32-bit integers, or Fortran with 32-bit integers.
    library
        Path of the shared library, or where the pointers come from.
    addresses
        ``sgemm`` … -> address.
    set_num_threads, get_num_threads
        Addresses of ``void (int)`` and ``int (void)``, or 0.
    core
        The processor type the library runs for, as it says itself, or the empty string.
    """

    kind: Kind
    library: str
    addresses: Mapping[str, int]
    set_num_threads: int = 0
    get_num_threads: int = 0
    core: str = ""
    config: str = ""

    @property
    def integer_bits(self) -> int:
        """Width of the integers in its interface."""
        return 64 if self.kind == "cblas64" else 32

    def identity(self) -> str:
        """What native code that calls it depends on, the same in every process."""
        threads = bool(self.set_num_threads and self.get_num_threads)
        return f"{self.kind} {self.library} {self.core} threads={threads}"

    def describe(self) -> str:
        """Return one line for `theano info`."""
        name = os.path.basename(self.library)
        core = f", core {self.core}" if self.core else ""
        return f"{self.config or name} ({self.kind}{core}; {name})"


# (prefix, suffix, kind) of the names a library may use for CBLAS.
_SPELLINGS: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("scipy_cblas_", "64_", "cblas64"),
    ("cblas_", "64_", "cblas64"),
    ("cblas_", "$NEWLAPACK$ILP64", "cblas64"),
    ("scipy_cblas_", "", "cblas32"),
    ("cblas_", "", "cblas32"),
)


def _address(library: ctypes.CDLL, name: str) -> int:
    try:
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except AttributeError:
        return 0


def _text(library: ctypes.CDLL, names: Iterable[str]) -> str:
    for name in names:
        address = _address(library, name)
        if address:
            value = ctypes.CFUNCTYPE(ctypes.c_char_p)(address)()
            return value.decode(errors="replace").strip() if value else ""
    return ""


def _first(library: ctypes.CDLL, names: Iterable[str]) -> int:
    return next(filter(None, (_address(library, name) for name in names)), 0)


def from_library(path: str) -> Blas | None:
    """Return the CBLAS interface of the shared library ``path``, or None if it has none."""
    try:
        library = ctypes.CDLL(path)
    except OSError:
        return None
    for prefix, suffix, kind in _SPELLINGS:
        found = {name: _address(library, f"{prefix}{name}{suffix}") for name in ROUTINES}
        if not all(found.values()):
            continue

        def variants(name: str, suffix: str = suffix) -> tuple[str, ...]:
            return tuple(f"{head}openblas_{name}{suffix}" for head in ("scipy_", ""))

        return Blas(
            kind=kind, library=path, addresses=MappingProxyType(found),
            set_num_threads=_first(library, variants("set_num_threads")),
            get_num_threads=_first(library, variants("get_num_threads")),
            core=_text(library, variants("get_corename")),
            config=" ".join(_text(library, variants("get_config")).split()[:2]),
        )  # fmt: skip
    return None


def _numpy_libraries() -> list[str]:
    home = os.path.dirname(np.__file__)
    folders = (os.path.join(os.path.dirname(home), "numpy.libs"), os.path.join(home, ".dylibs"))
    found = []
    for folder in filter(os.path.isdir, folders):
        names = sorted(name for name in os.listdir(folder) if "openblas" in name)
        found += [os.path.join(folder, name) for name in names]
    return found


def _loaded_libraries() -> list[str]:
    """Return loaded libraries whose name looks like a BLAS (Linux only)."""
    if sys.platform != "linux":
        return []
    words = ("openblas", "libmkl_rt", "libblis", "libcblas", "libblas.")
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            paths = {line.split(maxsplit=5)[5].strip() for line in file if "/" in line}
    except OSError:
        return []
    return sorted(path for path in paths if any(word in os.path.basename(path) for word in words))


def _from_scipy() -> Blas | None:
    """Return SciPy's published Fortran pointers; every SciPy build has them."""
    try:
        from scipy.linalg import cython_blas
    except ImportError:
        return None
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ctypes.cast(ctypes.pythonapi.PyCapsule_GetName, ctypes.c_void_p).value or 0
    )
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ctypes.cast(ctypes.pythonapi.PyCapsule_GetPointer, ctypes.c_void_p).value or 0
    )
    capsules = cython_blas.__pyx_capi__
    if not all(name in capsules for name in ROUTINES):
        return None
    found = {name: pointer_of(capsules[name], name_of(capsules[name])) for name in ROUTINES}
    return Blas("fortran32", "scipy.linalg.cython_blas", MappingProxyType(found))


def find(choice: str = "") -> Blas | None:
    """Return the BLAS to use, or None for own loops.

    Parameters
    ----------
    choice
        ``""`` for the usual order, ``"none"`` for own loops, ``"scipy"`` for SciPy's pointers,
        or the path of a shared library with a CBLAS interface.

    Raises
    ------
    ValueError
        ``choice`` names a library that cannot be loaded or has no CBLAS interface.
    """
    return _find(choice.strip())


@functools.cache
def _find(choice: str) -> Blas | None:
    if choice == "none":
        return None
    if choice == "scipy":
        return _from_scipy()
    if choice:
        named = from_library(choice)
        if named is None:
            raise ValueError(
                f"no CBLAS interface in {choice!r}; give the path of a shared library such as "
                "libopenblas.so, 'scipy', 'none', or nothing for the usual search"
            )
        return named
    for path in (*_numpy_libraries(), *_loaded_libraries()):
        found = from_library(path)
        if found is not None:
            return found
    return _from_scipy()
