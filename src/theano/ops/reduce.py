"""Reductions under their public names: ``sum``, ``mean``, ``max``, ``argmax`` and the others.

``axis`` is None (all), an int or a sequence of ints, negative ones count from the end; an empty
sequence reduces nothing. ``keepdims`` leaves the reduced dimensions in, with size 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import DISCRETE
from theano.graph import registry
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.elementwise import fill, neq, sqr, sqrt, true_div
from theano.ops.extents import shape_i
from theano.ops.reduce_ops import (
    All,
    Any_,
    Argmax,
    Argmin,
    CAReduce,
    Max,
    MaxAndArgmax,
    Min,
    Prod,
    ProdWithoutZeros,
    Sum,
    axes_of,
    keep_dims,
)

__all__ = [
    "All", "Any_", "Argmax", "Argmin", "CAReduce", "Max", "MaxAndArgmax", "Min", "Prod",
    "ProdWithoutZeros", "Sum", "all", "any", "argmax", "argmin", "axes_of", "keep_dims", "max",
    "max_and_argmax", "mean", "min", "prod", "ptp", "std", "sum", "var",
]  # fmt: skip


def _reduced(op: CAReduce, x: Any, keepdims: bool, axis: tuple[int, ...]) -> Any:
    out = op(x)
    return keep_dims(out, axis, x.type.ndim) if keepdims else out


def sum(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False,
    acc_dtype: str | None = None,
) -> Any:  # fmt: skip
    """The sum of elements along ``axis``.

    Parameters
    ----------
    dtype : of the result. Default: int64 for bool and ints, uint64 for unsigned ints, else the
        dtype of ``input``.
    acc_dtype : in which the sum is carried. Default: float64 for float32, float32 for float16,
        complex128 for complex64. TypeError if it cannot hold the input's dtype.

    >>> sum(np.ones((2, 3), "float32"), axis=1).dtype
    'float32'
    """
    x = as_tensor_variable(input)
    axes = axes_of(axis, x.type.ndim, x)
    op = Sum(axes, dtype, acc_dtype)
    return _reduced(op, x, keepdims, axes) if axes else _nothing_to_add(op, x)


def _nothing_to_add(op: Any, x: Any) -> Any:
    resolved = op._resolved(x)
    return cast(x, resolved.dtype)


def prod(
    input: Any, axis: Any = None, dtype: str | None = None, keepdims: bool = False,
    acc_dtype: str | None = None, no_zeros_in_input: bool = False,
) -> Any:  # fmt: skip
    """The product of elements along ``axis``; dtypes as for ``sum``.

    ``no_zeros_in_input`` promises that there are none, for a cheaper gradient.
    """
    x = as_tensor_variable(input)
    axes = axes_of(axis, x.type.ndim, x)
    op = Prod(axes, dtype, acc_dtype, no_zeros_in_input)
    return _reduced(op, x, keepdims, axes) if axes else _nothing_to_add(op, x)


def mean(
    input: Any, axis: Any = None, dtype: str | None = None, op: bool = False,
    keepdims: bool = False, acc_dtype: str | None = None,
) -> Any:  # fmt: skip
    """The arithmetic mean along ``axis``: a sum divided by the extents; of nothing it is NaN.

    Parameters
    ----------
    dtype : of the sum. Default: that of ``input`` if it is continuous, else float64 for the result.
    op : must be False (a single op for the mean never existed for all arguments).
    acc_dtype : as for ``sum``.

    >>> mean(np.array([1, 2], "int8")).dtype, mean(np.array([1, 2], "float32")).dtype
    ('float64', 'float32')
    """
    if op:
        raise NotImplementedError("mean(op=True) is not supported: leave op out")
    x = as_tensor_variable(input)
    axes = axes_of(axis, x.type.ndim, x)
    half = (dtype or x.type.dtype) == "float16"
    sum_dtype = "float32" if half and dtype is None else dtype
    total = sum(x, axes, sum_dtype, keepdims, acc_dtype)
    total = _divide(total, x, axes)
    if total.type.dtype in DISCRETE:
        total = cast(total, "float64")
    result = cast(total, "float16") if half else total
    if result is not x:
        result.name = "mean"
    return result


def _divide(total: Any, x: Any, axes: tuple[int, ...]) -> Any:
    """``total`` divided by the extents of ``x`` along ``axes``."""
    small = total.type.dtype in ("float16", "float32", "complex64")
    for axis in axes:
        size = cast(shape_i(x, axis), "float32" if small else "float64")
        total = true_div(total, size)
    return total


def var(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Any:
    """The variance along ``axis``, in two passes: the mean of the squared distances to the mean.

    Parameters
    ----------
    ddof : the sum of squares is divided by the number of elements minus this.
    corrected : subtract the squared mean of the distances, which removes rounding errors.

    Raises ValueError for a bool ``ddof``: in old code ``keepdims`` stood there.
    """
    if isinstance(ddof, bool):
        raise ValueError(
            "Parameter keepdims is now at index 3: (input, axis=None, ddof=0, keepdims=False, "
            "corrected=False)"
        )
    x = as_tensor_variable(input)
    axes = axes_of(axis, x.type.ndim, x)
    centered = x - mean(x, axes, keepdims=True)
    result = _mean_of_squares(centered, x, axes, ddof, keepdims)
    if corrected:
        total = sum(centered, axes, keepdims=keepdims)
        result = result - _square_over(total, x, axes, ddof)
    result.name = "var"
    return result


def _mean_of_squares(
    centered: Any, x: Any, axes: tuple[int, ...], ddof: int, keepdims: bool
) -> Any:
    if ddof == 0:
        return mean(sqr(centered), axes, keepdims=keepdims)
    return _over_count(sum(sqr(centered), axes, keepdims=keepdims), x, axes, ddof)


def _square_over(total: Any, x: Any, axes: tuple[int, ...], ddof: int) -> Any:
    """The square of ``total`` over n (n - ddof), n being the number of elements of a slice."""
    return _over_count(_divide(sqr(total), x, axes), x, axes, ddof)


def _over_count(total: Any, x: Any, axes: tuple[int, ...], ddof: int) -> Any:
    """``total`` divided by (number of elements along ``axes``) - ddof."""
    count: Any = as_tensor_variable(np.int64(1))
    for axis in axes:
        count = count * shape_i(x, axis)
    return true_div(total, cast(count - ddof, _real_dtype(total)))


def _real_dtype(x: Any) -> str:
    return dtypes.REAL_OF[dtypes.upgrade_to_float(x.type.dtype)]


def std(
    input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False, corrected: bool = False
) -> Any:
    """The standard deviation along ``axis``: the square root of ``var`` of the same arguments."""
    if isinstance(ddof, bool):
        raise ValueError(
            "Parameter keepdims is now at index 3: (input, axis=None, ddof=0, keepdims=False, "
            "corrected=False)"
        )
    result = sqrt(var(input, axis, ddof, keepdims, corrected))
    result.name = "std"
    return result


def max(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The greatest element along ``axis``; NaN if there is one.

    Of no elements at all: ValueError at run time. Gradient: in full to every tied maximum.
    """
    return _extreme(Max, x, axis, keepdims)


def min(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The least element along ``axis``; NaN if there is one. See ``max``."""
    return _extreme(Min, x, axis, keepdims)


def _extreme(kind: type[CAReduce], x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(x)
    axes = axes_of(axis, x.type.ndim, x)
    return _reduced(kind(axes), x, keepdims, axes) if axes else x


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The int64 position of the greatest element along ``axis``, the first of equal ones.

    Over several axes (None: all) it is a position in row-major order over them.
    """
    return _arg_extreme(Argmax, x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The int64 position of the least element along ``axis``; see ``argmax``."""
    return _arg_extreme(Argmin, x, axis, keepdims)


def _arg_extreme(kind: type[CAReduce], x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(x)
    axes = axes_of(axis, x.type.ndim, x)
    return _reduced(kind(axes), x, keepdims, axes) if axes else fill(x, np.int64(0))


def max_and_argmax(a: Any, axis: Any = None, keepdims: bool = False) -> list[Any]:
    """``[max(a, axis), argmax(a, axis)]``."""
    x = as_tensor_variable(a)
    axes = axes_of(axis, x.type.ndim, x)
    if not axes:
        return [x, fill(x, np.int64(0))]
    outputs = MaxAndArgmax(axes)(x)
    return [keep_dims(out, axes, x.type.ndim) for out in outputs] if keepdims else outputs


def ptp(a: Any, axis: Any = None) -> Any:
    """Peak to peak: ``max - min`` along ``axis``."""
    a = as_tensor_variable(a)
    return max(a, axis) - min(a, axis)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether any element along ``axis`` is not zero (bool)."""
    return _logical(Any_, x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements along ``axis`` are not zero (bool)."""
    return _logical(All, x, axis, keepdims)


def _logical(kind: type[CAReduce], x: Any, axis: Any, keepdims: bool) -> Any:
    x = as_tensor_variable(x)
    axes = axes_of(axis, x.type.ndim, x)
    if axes:
        return _reduced(kind(axes), x, keepdims, axes)
    return x if x.type.dtype == "bool" else neq(x, 0)


for _function in (
    sum, prod, mean, var, std, max, min, argmax, argmin, max_and_argmax, ptp, any, all,
):  # fmt: skip
    registry.register(_function.__name__, _function)
