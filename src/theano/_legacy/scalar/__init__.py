"""``theano.scalar``: dtype rules of scalar ops."""

from theano.core.dtypes import (
    all_dtypes,
    complex_dtypes,
    continuous_dtypes,
    discrete_dtypes,
    float_dtypes,
    int_dtypes,
    uint_dtypes,
    upcast,
)

__all__ = [
    "all_dtypes", "complex_dtypes", "continuous_dtypes", "discrete_dtypes", "float_dtypes",
    "int_dtypes", "uint_dtypes", "upcast",
]  # fmt: skip
