"""Types, variables, ops and output type preferences of single numbers.

The ops and their classes are those of the library's rows: see ``theano.ops.scalar_library``.
"""

import builtins
from typing import Any, Final

import numpy as np

from theano.core import dtypes
from theano.core.errors import ComplexError
from theano.graph.nodes import Apply, Constant, Op, Variable
from theano.ops import scalar_library, scalar_preferences, scalar_types
from theano.ops.scalar_bases import (
    BinaryBitOp,
    FixedLogicalComparison,
    LogicalComparison,
    UnaryBitOp,
)
from theano.ops.scalar_composite import Composite
from theano.ops.scalar_library import (
    Cast,
    InRange,
    cast,
    inclosedrange,
    inopenrange,
    int_or_true_div,
    mod_check,
)
from theano.ops.scalar_op import BinaryScalarOp, ScalarOp, UnaryScalarOp
from theano.ops.scalar_types import (
    Scalar,
    ScalarConstant,
    ScalarVariable,
    as_scalar,
    complexs,
    complexs64,
    complexs128,
    constant,
    floats,
    get_scalar_type,
    ints,
)

# Names of basic_scipy: they live there.
_SCIPY: Final = frozenset((
    "Erf", "Erfc", "Erfcx", "Erfinv", "Erfcinv", "Gamma", "GammaLn", "Psi", "TriGamma", "Chi2SF",
    "GammaInc", "GammaIncC", "GammaU", "GammaL", "Jv", "J1", "J0", "Iv", "I1", "I0",
    "erf", "erfc", "erfcx", "erfinv", "erfcinv", "gamma", "gammaln", "psi", "tri_gamma", "chi2sf",
    "gammainc", "gammaincc", "gammau", "gammal", "jv", "j1", "j0", "iv", "i1", "i0",
))  # fmt: skip
_ALIASES: Final = {
    "floor_div": "int_div", "fill": "second", "scalar_maximum": "maximum",
    "scalar_minimum": "minimum", "scalar_abs": "abs_", "sigmoid": "sigmoid",
    "scalar_sigmoid": "sigmoid", "scalar_softplus": "softplus",
    "ultra_fast_scalar_sigmoid": "ultra_fast_sigmoid",
}  # fmt: skip
_CLASS_ALIASES: Final = {"ScalarMaximum": "Maximum", "ScalarMinimum": "Minimum"}


class IntegerDivisionError(Exception):
    """``/`` of two integers, where the flag ``int_division`` says to refuse it."""


class NumericAutocaster:
    """The constant that a Python number becomes: the first of ``dtypes`` that holds it exactly.

    ``autocast_float_as("float32")`` is a context in which Python floats take that dtype.
    """

    def __init__(self, dtypes: tuple[str, ...]) -> None:
        self.dtypes = tuple(dtypes)

    def __call__(self, x: Any) -> Any:
        """``x`` as a NumPy number."""
        if isinstance(x, np.generic) and x.dtype.name in self.dtypes:
            return x
        for name in self.dtypes:
            with np.errstate(all="ignore"):
                try:
                    found = np.asarray(x).astype(name)
                except OverflowError:
                    continue
            if found == x or (found != found and x != x):
                return found[()]
        return np.asarray(x, dtype=dtypes.literal_dtype(x))[()]


autocast_int = NumericAutocaster(("int8", "int16", "int32", "int64"))
autocast_float = NumericAutocaster(("float16", "float32", "float64"))


class autocast_float_as:
    """A context in which floatX, and so the dtype of Python floats, is ``dtype``.

    >>> import theano.tensor as T
    >>> with autocast_float_as("float32"):
    ...     (T.fvector() + 0.1).dtype
    'float32'
    """

    def __init__(self, *dtypes: str) -> None:
        if len(dtypes) != 1:
            raise NotImplementedError("autocast_float_as takes one dtype")
        self.dtype = dtypes[0]
        self._change: Any = None

    def __enter__(self) -> None:
        from theano.core.config import change_flags

        self._change = change_flags(floatX=self.dtype)
        self._change.__enter__()

    def __exit__(self, *exception: Any) -> None:
        self._change.__exit__(*exception)


def convert(x: Any, dtype: Any = None) -> Any:
    """A Python number as a NumPy array of the dtype that it takes in expressions, or of ``dtype``.

    Raises TypeError where ``dtype`` does not hold the value.
    """
    array = np.asarray(x)
    if dtype is not None:
        name = dtypes.dtype_name(dtype)
        converted = array.astype(name)
        if array.dtype.kind in "iub" and not (converted == array).all():
            raise TypeError(f"{name} does not hold {x!r}")
        return converted
    if isinstance(x, (builtins.bool, int, float, builtins.complex)):
        return np.asarray(x, dtype=dtypes.literal_dtype(x))
    return array


def make_array(dtype: str) -> Any:
    """The NumPy function that makes a number of ``dtype``."""
    return np.dtype(dtypes.dtype_name(dtype)).type


_made: dict[str, Any] = dict(scalar_types.TYPES)
_made |= scalar_types.GROUPS
_made |= {name: getattr(scalar_preferences, name) for name in scalar_preferences.PREFERENCES}
_made |= {k: v for k, v in scalar_library.CLASSES.items() if k not in _SCIPY}
_made |= {k: v for k, v in scalar_library.OPS.items() if k not in _SCIPY}
_made |= scalar_library.CASTS
_made |= {name: scalar_library.OPS[row] for name, row in _ALIASES.items()}
_made |= {name: scalar_library.CLASSES[row] for name, row in _CLASS_ALIASES.items()}
# From here on `bool` and `complex` are a type and an op, as they always were in this module.
globals().update(_made)

__all__ = [
    "Apply", "BinaryBitOp", "BinaryScalarOp", "Cast", "ComplexError", "Composite", "Constant",
    "FixedLogicalComparison", "InRange", "IntegerDivisionError", "LogicalComparison",
    "NumericAutocaster", "Op", "Scalar", "ScalarConstant", "ScalarOp",
    "ScalarVariable", "UnaryBitOp", "UnaryScalarOp", "Variable", "as_scalar", "autocast_float",
    "autocast_float_as", "autocast_int", "cast", "complexs", "complexs64", "complexs128",
    "constant", "convert", "floats", "get_scalar_type", "inclosedrange", "inopenrange",
    "int_or_true_div", "ints", "make_array", "mod_check",
]  # fmt: skip
__all__ += list(_made)
