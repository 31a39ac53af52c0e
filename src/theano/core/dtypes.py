"""Dtype tables and casting rules: which dtype comes out when dtypes or literals meet.

A dtype is its NumPy name, a `str`. The rules are Theano's: tensors promote as NumPy arrays do
(never as NEP 50 weak scalars), Python literals take the smallest dtype that holds their value.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Mapping
from typing import Final, cast

import numpy as np

from theano.core.config import config

int_dtypes: Final = ("int8", "int16", "int32", "int64")
uint_dtypes: Final = ("uint8", "uint16", "uint32", "uint64")
float_dtypes: Final = ("float16", "float32", "float64")
complex_dtypes: Final = ("complex64", "complex128")
integer_dtypes: Final = int_dtypes + uint_dtypes
discrete_dtypes: Final = ("bool", *integer_dtypes)
continuous_dtypes: Final = float_dtypes + complex_dtypes
all_dtypes: Final = discrete_dtypes + continuous_dtypes

DISCRETE: Final = frozenset(discrete_dtypes)
FLOAT: Final = frozenset(float_dtypes)
COMPLEX: Final = frozenset(complex_dtypes)

NUMPY: Final[Mapping[str, np.dtype]] = {name: np.dtype(name) for name in all_dtypes}
ITEMSIZE: Final[Mapping[str, int]] = {name: dt.itemsize for name, dt in NUMPY.items()}

_SMALL = dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16"), "float32")
_LARGE = dict.fromkeys(("int32", "uint32", "int64", "uint64"), "float64")
_SAME = {name: name for name in continuous_dtypes}
_WIDE_INT = dict.fromkeys(("bool", *int_dtypes), "int64") | dict.fromkeys(uint_dtypes, "uint64")

# exp, log, sqrt, sigmoid, erf … of an input dtype, whatever floatX is.
UPGRADE_TO_FLOAT: Final[Mapping[str, str]] = _SMALL | _LARGE | _SAME
# sum, prod, cumsum: the dtype of the result, and the dtype the sum is carried in.
SUM_OUTPUT: Final[Mapping[str, str]] = _WIDE_INT | _SAME
SUM_ACCUMULATOR: Final[Mapping[str, str]] = _WIDE_INT | {
    "float16": "float32",
    "float32": "float64",
    "float64": "float64",
    "complex64": "complex128",
    "complex128": "complex128",
}
MEAN_OUTPUT: Final[Mapping[str, str]] = dict.fromkeys(discrete_dtypes, "float64") | _SAME
# abs, real, imag of a complex dtype; the identity elsewhere.
REAL_OF: Final[Mapping[str, str]] = {name: name for name in (*discrete_dtypes, *float_dtypes)} | {
    "complex64": "float32",
    "complex128": "float64",
}
# pow and conj turn booleans into small integers.
NO_BOOL: Final[Mapping[str, str]] = {name: name for name in all_dtypes} | {"bool": "int8"}

_NAMES: dict[object, str] = {}
_PROMOTED: dict[tuple[str, ...], str] = {}


def dtype_name(dtype: object) -> str:
    """The canonical name of anything that means a dtype; 'floatX' becomes the current floatX.

    Args:
        dtype: a name, a `numpy.dtype`, a NumPy scalar class, or 'floatX'.

    Raises:
        TypeError: not a dtype, or one that tensors cannot have (object, str, float128 …).

    >>> dtype_name(np.float32), dtype_name("i4"), dtype_name("bool")
    ('float32', 'int32', 'bool')
    """
    if dtype == "floatX":
        return config.floatX
    try:
        return _NAMES[dtype]
    except (KeyError, TypeError):
        return _find_name(dtype)


def _find_name(dtype: object) -> str:
    """The slow half of `dtype_name`, which fills its cache."""
    try:
        name = np.dtype(cast("str", dtype)).name if dtype is not None else "None"
    except TypeError:
        name = str(dtype)
    if name not in NUMPY:
        raise TypeError(
            f"Unsupported dtype for a tensor: {dtype!r}. "
            f"Supported are 'floatX' and {', '.join(all_dtypes)}."
        )
    _NAMES[dtype] = name
    return name


_NAMES.update({name: name for name in all_dtypes})
_NAMES.update({dt: name for name, dt in NUMPY.items()})


def complain_float64() -> None:
    """Do what the flag `warn_float64` says, for a variable of dtype float64.

    Raises:
        TypeError: the flag says `raise`.
    """
    message = (
        "A variable of dtype float64 is created, and the flag warn_float64 asks to be told. "
        "Its dtype comes from an operand or a literal of dtype float64, or from int32 with float32."
    )
    action = config.warn_float64
    if action == "raise":
        raise TypeError(message)
    if action == "warn":
        warnings.warn(message, stacklevel=3)
    elif action == "pdb":
        breakpoint()


def promote(*dtypes: str) -> str:
    """The dtype that holds all of the given ones, as NumPy promotes arrays; floatX plays no part.

    >>> promote("int32", "float32"), promote("int16", "float32"), promote("uint64", "int64")
    ('float64', 'float32', 'float64')
    """
    try:
        return _PROMOTED[dtypes]
    except KeyError:
        pass
    result = NUMPY[dtype_name(dtypes[0])]
    for other in dtypes[1:]:
        result = np.promote_types(result, NUMPY[dtype_name(other)])
    if "floatX" not in dtypes:
        _PROMOTED[dtypes] = result.name
    return result.name


def upcast(*dtypes: str) -> str:
    """The dtype of an operation on tensors of these dtypes, under the current `cast_policy`.

    Under `numpy+floatX` with floatX=float32, a float64 that no operand had stays float32.

    >>> upcast("int8", "uint8"), upcast("float32", "float64"), upcast("bool", "bool")
    ('int16', 'float64', 'bool')
    """
    result = promote(*dtypes)
    if result != "float64" or config.cast_policy != "numpy+floatX":
        return result
    return "float32" if config.floatX == "float32" and "float64" not in dtypes else result


def upgrade_to_float(*dtypes: str) -> str:
    """The dtype of `exp`, `log`, `sqrt` … : ints of up to 16 bits give float32, others float64.

    >>> upgrade_to_float("int8"), upgrade_to_float("int32"), upgrade_to_float("float16")
    ('float32', 'float64', 'float16')
    """
    if len(dtypes) == 1:
        return UPGRADE_TO_FLOAT[dtypes[0]]
    return upcast(*(UPGRADE_TO_FLOAT[name] for name in dtypes))


def true_div_dtype(*dtypes: str) -> str:
    """The dtype of `/`: discrete operands give floatX, others promote.

    >>> true_div_dtype("int64", "int64"), true_div_dtype("int8", "float32")
    ('float64', 'float32')
    """
    result = upcast(*dtypes)
    return config.floatX if result in DISCRETE else result


def gradient_dtype(dtype: str) -> str:
    """The dtype of the gradient with respect to a variable: floatX for discrete ones, else its own.

    >>> gradient_dtype("int32"), gradient_dtype("float32")
    ('float64', 'float32')
    """
    return config.floatX if dtype in DISCRETE else dtype


def int_literal_dtype(value: int) -> str:
    """The smallest of int8/16/32/64 that holds a Python int, else uint64.

    Raises:
        OverflowError: the value fits into no integer dtype.

    >>> int_literal_dtype(127), int_literal_dtype(128), int_literal_dtype(2**63)
    ('int8', 'int16', 'uint64')
    """
    if config.cast_policy != "custom" and -(2**63) <= value < 2**63:
        return "int64"
    bits = (value if value >= 0 else ~value).bit_length()
    if bits < 16:
        return "int8" if bits < 8 else "int16"
    if bits < 64:
        return "int32" if bits < 32 else "int64"
    if value < 0 or bits > 64:
        raise OverflowError(f"The integer {value} fits into neither int64 nor uint64.")
    return "uint64"


def _fits_float32(value: float) -> bool:
    """Whether a Python float is exactly a float32 (nan is not, infinities are)."""
    try:
        packed: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return False
    return packed == value


def float_literal_dtype(value: float) -> str:
    """The dtype of a Python float: floatX if that is not float64, else the narrowest exact one.

    The narrowest is float32 or float64, never float16: 0.5 is float32, 0.1 is float64.

    >>> float_literal_dtype(0.5), float_literal_dtype(0.1)
    ('float32', 'float64')
    """
    policy = config.cast_policy
    if policy == "numpy":
        return "float64"
    floatx = config.floatX
    if policy == "numpy+floatX" or floatx != "float64":
        return floatx
    return "float32" if _fits_float32(value) else "float64"


def literal_dtype(value: object) -> str:
    """The dtype that a Python or NumPy scalar takes when it becomes a constant.

    NumPy scalars keep their dtype; Python bool is bool; complex is complex128.

    Raises:
        TypeError: not a number.
        OverflowError: an int that no integer dtype holds.

    >>> literal_dtype(True), literal_dtype(1), literal_dtype(np.float64(0.5)), literal_dtype(1j)
    ('bool', 'int8', 'float64', 'complex128')
    """
    if isinstance(value, np.generic):  # before float: np.float64 is one
        return dtype_name(value.dtype)
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return int_literal_dtype(value)
    if isinstance(value, float):
        return float_literal_dtype(value)
    if isinstance(value, complex):
        return "complex128"
    raise TypeError(f"Not a number: {value!r} ({type(value).__name__}).")
