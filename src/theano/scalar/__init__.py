"""Operations on single numbers: the types, variables and ops that elementwise ops are made of.

``Scalar`` types make symbolic numbers, which have Python's operators. ``UnaryScalarOp``,
``BinaryScalarOp`` and ``ScalarOp`` are for users to extend; ``theano.tensor.Elemwise`` applies a
scalar op to every element of arrays.

>>> x = float64("x")
>>> float((exp(x) * 2).eval({x: 0.0}))
2.0
"""

from typing import TYPE_CHECKING, Any

from theano.core.dtypes import (
    all_dtypes,
    complex_dtypes,
    continuous_dtypes,
    discrete_dtypes,
    float_dtypes,
    int_dtypes,
    integer_dtypes,
    uint_dtypes,
    upcast,
)
from theano.scalar import basic, basic_scipy, basic_sympy, sharedvar
from theano.scalar.basic import *  # noqa: F403
from theano.scalar.basic_scipy import *  # noqa: F403
from theano.scalar.sharedvar import shared

__all__ = [
    "all_dtypes", "basic", "basic_scipy", "basic_sympy", "complex_dtypes", "continuous_dtypes",
    "discrete_dtypes", "float_dtypes", "int_dtypes", "integer_dtypes", "shared", "sharedvar",
    "uint_dtypes", "upcast",
]  # fmt: skip
__all__ += basic.__all__
__all__ += basic_scipy.__all__

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The ops are made by a table: type checkers cannot see them."""
