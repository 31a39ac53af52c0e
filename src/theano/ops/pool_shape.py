"""How many windows of a pooling fit along an axis, and which parameters are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.core import dtypes
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast, constant
from theano.ops.constants import vector_entries

NAMES: Final = ("ws", "stride", "pad")


class PoolError(NotImplementedError, ValueError):
    """Windows, strides or paddings that mean nothing."""


def extent(n: Any, ws: Any, stride: Any, pad: Any, ignore_border: bool, of: Any = sizes) -> Any:
    """The number of windows along an axis of ``n`` cells.

    With ``ignore_border`` windows lie in the padded axis; else they begin in it, but not where the
    window before has reached its end. ``of`` has the arithmetic.

    >>> extent(5, 2, 2, 0, True), extent(5, 2, 2, 0, False), extent(5, 3, 1, 0, False)
    (2, 3, 3)
    """
    v = of.add(n, of.mul(2, pad))
    if ignore_border:
        return of.maximum(of.add(of.floordiv(of.sub(v, ws), stride), 1), 0)
    apart = of.add(of.floordiv(of.sub(v, 1), stride), 1)
    over = of.floordiv(of.sub(of.sub(v, 1), ws), stride)
    overlapping = of.add(of.maximum(of.add(over, 1), 0), 1)
    return of.minimum(of.where("ge", stride, ws, apart, overlapping), v)


def parameter(value: Any, ndim: int, name: str) -> Any:
    """A parameter as an int64 vector of ``ndim`` elements: ints stand for all axes.

    Raises ValueError for another length, TypeError for what are not ints.
    """
    if isinstance(value, (int, np.integer)):
        value = (int(value),) * ndim
    if isinstance(value, (list, tuple)) and len(value) != ndim:
        raise ValueError(f"pooling over {ndim} axes takes {ndim} numbers as {name}, got {value}")
    if isinstance(value, (list, tuple)) and all(sizes.known(v) is not None for v in value):
        return constant(np.array([sizes.known(v) for v in value], "int64"))
    value = as_tensor_variable(value)
    if value.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"{name} must be ints, got {value} of dtype {value.type.dtype}")
    if value.type.ndim == 0:
        return sizes.vector([sizes.simple(value)] * ndim)
    if value.type.ndim != 1 or value.type.shape[0] not in (None, ndim):
        raise ValueError(f"{name} must be a vector of {ndim} ints, got {value} of {value.type}")
    return cast(value, "int64")


def entries(vectors: Sequence[Any], ndim: int) -> list[list[Any]]:
    """The elements of window, stride and pad: ints where known."""
    return [list(vector_entries(v, ndim)) for v in vectors]


def check(ws: Sequence[Any], stride: Sequence[Any], pad: Sequence[Any], ignore: bool) -> None:
    """PoolError where ints among the parameters are refused."""
    for w, s, p in zip(*(map(sizes.known, v) for v in (ws, stride, pad)), strict=True):
        if (w is not None and w < 1) or (s is not None and s < 1):
            raise PoolError(f"windows and strides must be at least 1: ws={ws}, stride={stride}")
        if p is not None and p < 0:
            raise PoolError(f"padding must not be negative: pad={pad}")
        if p and not ignore:
            raise PoolError(f"padding works only with ignore_border=True, got pad={pad}")
        if p is not None and w is not None and p >= w:
            raise PoolError(f"padding must be smaller than the window: pad={pad}, ws={ws}")


def out_shape(
    imgshape: Sequence[Any], ws: Any, ignore_border: bool, stride: Any, pad: Any, ndim: int
) -> list[Any]:
    """The shape of the result for images of ``imgshape``; entries are ints or 0-d variables."""
    if len(imgshape) < ndim:
        raise TypeError(f"imgshape must have at least {ndim} dimensions, got {tuple(imgshape)}")
    vectors = [parameter(v, ndim, n) for v, n in zip((ws, stride, pad), NAMES, strict=True)]
    found = entries(vectors, ndim)
    check(found[0], found[1], found[2], ignore_border)
    lead, images = imgshape[: len(imgshape) - ndim], imgshape[len(imgshape) - ndim :]
    rows = zip(images, *found, strict=True)
    return [*lead, *(extent(n, w, s, p, ignore_border) for n, w, s, p in rows)]
