"""Everything on shapes: the ops, and the functions that are made of them."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Constant, Variable
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.constants import (
    extract_constant,
    get_scalar_constant_value,
    get_vector_length,
    vector_entries,
    vector_entry,
)
from theano.ops.dimshuffle import DimShuffle, dimshuffle
from theano.ops.extents import (
    MakeVector,
    Shape,
    Shape_i,
    make_vector,
    shape,
    shape_i,
    size_of,
    sizes_of,
)
from theano.ops.mismatch import agree
from theano.ops.reshape import Reshape, reshape
from theano.ops.shape_checks import (
    CheckShape,
    Rebroadcast,
    SpecifyShape,
    addbroadcast,
    patternbroadcast,
    specify_shape,
    unbroadcast,
)

__all__ = [
    "CheckShape",
    "DimShuffle",
    "MakeVector",
    "Rebroadcast",
    "Reshape",
    "Shape",
    "Shape_i",
    "SpecifyShape",
    "addbroadcast",
    "dimshuffle",
    "extract_constant",
    "flatten",
    "get_scalar_constant_value",
    "get_vector_length",
    "make_vector",
    "moveaxis",
    "normalize_axis",
    "patternbroadcast",
    "repeat",
    "reshape",
    "roll",
    "shape",
    "shape_i",
    "shape_padaxis",
    "shape_padleft",
    "shape_padright",
    "size_of",
    "sizes_of",
    "specify_shape",
    "squeeze",
    "swapaxes",
    "tile",
    "transpose",
    "unbroadcast",
    "vector_entries",
    "vector_entry",
]


def normalize_axis(axis: Any, ndim: int) -> int:
    """``axis`` counted from 0; ValueError where there is no such axis."""
    result = operator.index(axis)
    if not -ndim <= result < ndim:
        raise ValueError(f"axis {axis} is out of bounds for an array of {ndim} dimensions")
    return result % ndim


def flatten(x: Any, ndim: int | None = None, outdim: int | None = None) -> Any:
    """``x`` with ``ndim`` dimensions (default 1): the leading ones kept, the rest made one.

    Raises ValueError for an ``ndim`` that ``x`` does not have. ``outdim`` is the old name of it.

    >>> import theano.tensor as T
    >>> T.flatten(T.tensor4(), 2).ndim
    2
    """
    if outdim is not None:
        warnings.warn("flatten outdim parameter is deprecated, use ndim instead.", stacklevel=2)
        if ndim is not None:
            raise ValueError("You should only specify ndim")
        ndim = outdim
    ndim = 1 if ndim is None else operator.index(ndim)
    x = as_tensor_variable(x)
    if ndim < 1 or (ndim > 1 and ndim > x.type.ndim):
        raise ValueError(f"ndim {ndim} out of bound [1, {x.type.ndim + 1})")
    kept = sizes_of(x)[: ndim - 1]
    return Reshape(ndim)(x, sizes.vector([*kept, -1]))


def shape_padleft(t: Any, n_ones: int = 1) -> Any:
    """``t`` with ``n_ones`` broadcastable dimensions added on the left."""
    t = as_tensor_variable(t)
    return dimshuffle(t, *["x"] * n_ones, *range(t.type.ndim))


def shape_padright(t: Any, n_ones: int = 1) -> Any:
    """``t`` with ``n_ones`` broadcastable dimensions added on the right."""
    t = as_tensor_variable(t)
    return dimshuffle(t, *range(t.type.ndim), *["x"] * n_ones)


def shape_padaxis(t: Any, axis: int) -> Any:
    """``t`` with a broadcastable dimension added at ``axis``; IndexError out of range."""
    t = as_tensor_variable(t)
    ndim = t.type.ndim + 1
    if not -ndim <= axis < ndim:
        raise IndexError(f"axis {axis} is out of bounds [-{ndim}, {ndim})")
    pattern: list[Any] = list(range(t.type.ndim))
    pattern.insert(axis % ndim, "x")
    return dimshuffle(t, *pattern)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Any:
    """``x`` with its dimensions in the order ``axes``, reversed by default."""
    x = as_tensor_variable(x)
    if axes is None:
        order = list(range(x.type.ndim))[::-1]
    else:
        order = [normalize_axis(axis, x.type.ndim) for axis in axes]
    result = DimShuffle(x.type.broadcastable, order)(x)
    if x.name and x.type.ndim == 2 and axes is None:
        result.name = f"{x.name}.T"
    return result


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """``x`` with two dimensions exchanged."""
    x = as_tensor_variable(x)
    order = list(range(x.type.ndim))
    a, b = normalize_axis(axis1, x.type.ndim), normalize_axis(axis2, x.type.ndim)
    order[a], order[b] = order[b], order[a]
    return DimShuffle(x.type.broadcastable, order)(x)


def moveaxis(x: Any, source: int, destination: int) -> Any:
    """``x`` with one dimension moved to another position."""
    x = as_tensor_variable(x)
    order = list(range(x.type.ndim))
    axis = order.pop(normalize_axis(source, x.type.ndim))
    order.insert(normalize_axis(destination, x.type.ndim), axis)
    return DimShuffle(x.type.broadcastable, order)(x)


def squeeze(x: Any) -> Any:
    """``x`` without the dimensions that are *known* to have size 1 (broadcastable ones)."""
    x = as_tensor_variable(x)
    kept = [axis for axis, stretches in enumerate(x.type.broadcastable) if not stretches]
    return dimshuffle(x, *kept)


def _spread(x: Any, pattern: list[Any], extents: list[Any], result: list[Any]) -> Any:
    """``x`` dimshuffled, broadcast to ``extents`` and reshaped to ``result``."""
    wide = apply("alloc", dimshuffle(x, *pattern), *extents)
    return Reshape(len(result))(wide, sizes.vector(result))


def tile(x: Any, reps: Any, ndim: int | None = None) -> Any:
    """``x`` repeated ``reps[i]`` times along dimension ``i``, as in NumPy.

    Parameters
    ----------
    x : array.
    reps : an int, a sequence of ints and 0-d int variables, or an int vector (then give ``ndim``
        unless its length is known).
    ndim : rank of the result: at least that of ``x`` and the length of ``reps``.
    """
    x = as_tensor_variable(x)
    times = _tile_reps(reps, ndim)
    rank = max(len(times), x.type.ndim) if ndim is None else operator.index(ndim)
    if rank < max(len(times), x.type.ndim):
        raise ValueError(
            f"tile: ndim={ndim} is less than the rank of x ({x.type.ndim}) or the length of reps "
            f"({len(times)})"
        )
    times = [1] * (rank - len(times)) + times
    if x.type.ndim < rank:
        x = shape_padleft(x, rank - x.type.ndim)
    pattern: list[Any] = []
    extents: list[Any] = []
    final: list[Any] = []
    for axis, (extent, count) in enumerate(zip(sizes_of(x), times, strict=True)):
        if sizes.known(count) != 1:
            pattern.append("x")
            extents.append(count)
        pattern.append(axis)
        extents.append(extent)
        final.append(sizes.mul(count, extent))
    return x.copy() if len(pattern) == rank else _spread(x, pattern, extents, final)


def _tile_reps(reps: Any, ndim: int | None) -> list[Any]:
    if (isinstance(reps, Variable) and reps.type.ndim == 1) or isinstance(reps, np.ndarray):
        reps = as_tensor_variable(reps)
        if ndim is None:
            try:
                length = get_vector_length(reps)
            except ValueError:
                raise ValueError(
                    "tile: reps is a vector of unknown length, so the rank of the result is not "
                    "known: give ndim"
                ) from None
        else:
            length = ndim
        return vector_entries(reps, length)
    items = list(reps) if isinstance(reps, (list, tuple)) else [reps]
    for item in items:
        kind = as_tensor_variable(item).type
        if kind.ndim != 0 or kind.dtype not in dtypes.integer_dtypes:
            raise ValueError(f"tile: reps must be integers, 0-d each, got {item} of {kind}")
    return [sizes.simple(item) for item in items]


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Each element of ``x`` repeated along ``axis`` (of the flattened array: None).

    ``repeats`` is an int, a 0-d int variable, or an int vector with one count per element. Raises
    TypeError for counts that are not integers or of dtype uint64.

    >>> import theano.tensor as T
    >>> T.repeat(T.constant([1, 2]), 2).eval().tolist()
    [1, 1, 2, 2]
    """
    x = as_tensor_variable(x)
    counts = as_tensor_variable(repeats)
    if counts.type.ndim > 1:
        raise ValueError("The dimension of repeats should not exceed 1.")
    if counts.type.dtype not in dtypes.integer_dtypes or counts.type.dtype == "uint64":
        raise TypeError(f"dtype {counts.type.dtype} is not supported for repeats.")
    if axis is None:
        x, axis = flatten(x), 0
    axis = normalize_axis(axis, x.type.ndim)
    if counts.type.ndim == 1 and counts.type.broadcastable == (True,):
        counts = counts.dimshuffle()
    if counts.type.ndim == 1:
        index = _repeated(x, counts, axis)
        return apply("take", x, index, axis)
    extents = list(sizes_of(x))
    count = sizes.simple(extract_constant(counts))
    if not isinstance(count, int):
        count = counts
    final = [*extents]
    final[axis] = sizes.mul(extents[axis], count)
    extents.insert(axis + 1, count)
    pattern: list[Any] = list(range(x.type.ndim))
    pattern.insert(axis + 1, "x")
    return _spread(x, pattern, extents, final)


def _repeated(x: Any, counts: Any, axis: int) -> Any:
    """Positions along ``axis``, each as often as ``counts`` says: a constant where all is known."""
    agree("repeat", x, axis, counts, 0)
    extent = x.type.shape[axis]
    if isinstance(counts, Constant) and extent == len(counts.data) and (counts.data >= 0).all():
        return constant(np.repeat(np.arange(extent), counts.data))
    return apply("repeat_index", size_of(x, axis), counts)


def roll(x: Any, shift: Any, axis: int | None = None) -> Any:
    """``x`` moved circularly by ``shift`` along ``axis`` (of the flattened array: None)."""
    x = as_tensor_variable(x)
    if axis is None:
        if x.type.ndim > 1:
            return Reshape(x.type.ndim)(roll(flatten(x), shift, 0), sizes.vector(sizes_of(x)))
        axis = 0
    axis = normalize_axis(axis, x.type.ndim)
    static = x.type.shape[axis]
    extent = sizes.maximum(size_of(x, axis), 1) if static is None else max(static, 1)
    shift = extract_constant(shift)
    shift = sizes.simple(shift if isinstance(shift, Variable) else int(shift))
    if isinstance(shift, int) and isinstance(extent, int):
        first: Any = -shift % extent
    else:
        first = apply("mod", sizes.variable(sizes.sub(0, shift)), sizes.variable(extent))
    before = (slice(None),) * axis
    return apply("join", axis, x[(*before, slice(first, None))], x[(*before, slice(None, first))])


register("flatten", flatten)
register("transpose", transpose)
register("swapaxes", swapaxes)
register("squeeze", squeeze)
register("tile", tile)
register("repeat", repeat)
register("roll", roll)
register("shape_padleft", shape_padleft)
register("shape_padright", shape_padright)
register("shape_padaxis", shape_padaxis)
register("moveaxis", moveaxis)
