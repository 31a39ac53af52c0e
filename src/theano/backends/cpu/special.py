"""Addresses of SciPy's compiled special functions, which rare primitives call lane by lane.

``scipy.special.cython_special`` exports C function pointers; each is declared in the kernel text
under a symbol of ours and bound to its address when the kernel is linked, so that text and object
code never hold an address.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Final

from theano.core.errors import MissingSpelling
from theano.core.record import dataclass


@dataclass(frozen=True)
class External:
    """A SciPy function of `arity` doubles that returns a double."""

    scipy_name: str
    arity: int

    @property
    def signature(self) -> str:
        """What the function's capsule must be called."""
        return f"double ({'double, ' * self.arity}int __pyx_skip_dispatch)"


#: symbol in kernel text -> the SciPy function behind it
EXTERNALS: Final = {
    "th_gamma": External("gamma", 1),
    "th_lgamma": External("gammaln", 1),
    "th_psi": External("psi", 1),
    "th_erfcx": External("erfcx", 1),
    "th_erfinv": External("erfinv", 1),
    "th_erfcinv": External("erfcinv", 1),
    "th_gammainc": External("gammainc", 2),
    "th_gammaincc": External("gammaincc", 2),
    "th_chdtrc": External("chdtrc", 2),
    "th_j0": External("j0", 1),
    "th_j1": External("j1", 1),
    "th_jv": External("jv", 2),
    "th_i0": External("i0", 1),
    "th_i1": External("i1", 1),
    "th_iv": External("iv", 2),
}


@functools.cache
def address(name: str) -> int:
    """The address of the function behind the symbol `name`.

    Args:
        name: a key of `EXTERNALS`.

    Raises:
        MissingSpelling: no such symbol, or SciPy has no such function on doubles.

    >>> address("th_gamma") != 0
    True
    """
    from scipy.special import cython_special

    external = EXTERNALS.get(name)
    if external is None:
        raise MissingSpelling("cpu", name, "backends/cpu/special.py")
    capsules = cython_special.__pyx_capi__
    get_name, get_pointer = (
        ctypes.pythonapi.PyCapsule_GetName,
        ctypes.pythonapi.PyCapsule_GetPointer,
    )
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    plain = external.scipy_name
    for key in (plain, f"__pyx_fuse_0{plain}", f"__pyx_fuse_1{plain}"):
        capsule = capsules.get(key)
        if capsule is None:
            continue
        label = get_name(capsule)
        if label == external.signature.encode():
            return int(get_pointer(capsule, label))
    raise MissingSpelling("SciPy", f"{plain}: {external.signature}", "backends/cpu/special.py")
