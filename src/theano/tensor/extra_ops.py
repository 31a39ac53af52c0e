"""Array functions that NumPy has too, under their old address, and the names of their ops.

Most of these functions build expressions of other ops. The old op classes remain as builders:
``RepeatOp(axis=0)(x, counts)`` gives what ``repeat(x, counts, axis=0)`` gives.
"""

from __future__ import annotations

from typing import Any

from theano.ops.cumulative import CumOp, cumprod, cumsum, diff
from theano.ops.extra import (
    bincount,
    compress,
    fill_diagonal,
    fill_diagonal_offset,
    ravel_multi_index,
    to_one_hot,
    unravel_index,
)
from theano.ops.extra_numeric import (
    array_equal,
    bartlett,
    convolve,
    geomspace,
    hypot,
    isfinite,
    linspace,
    logaddexp,
    logspace,
    logsumexp,
    nan_to_num,
    vander,
)
from theano.ops.extra_shape import (
    argwhere,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    broadcast_to,
    expand_dims,
    flip,
    fliplr,
    flipud,
    full_like,
    inverse_permutation,
    meshgrid,
    permute_row_elements,
    put_along_axis,
    rollaxis,
    rot90,
    take_along_axis,
)
from theano.ops.extra_stats import (
    average,
    count_nonzero,
    digitize,
    histogram,
    interp,
    median,
    percentile,
    quantile,
)
from theano.ops.shape import repeat, squeeze
from theano.ops.sorting import SearchsortedOp, searchsorted
from theano.ops.unique import Unique, unique


def CumsumOp(axis: int | None = None) -> CumOp:
    """The op of ``cumsum``."""
    return CumOp(axis, "add")


def CumprodOp(axis: int | None = None) -> CumOp:
    """The op of ``cumprod``."""
    return CumOp(axis, "mul")


class DiffOp:
    """``DiffOp(n, axis)(x)`` is ``diff(x, n, axis)``."""

    def __init__(self, n: int = 1, axis: int = -1) -> None:
        self.n, self.axis = n, axis

    def __call__(self, x: Any) -> Any:
        return diff(x, self.n, self.axis)


class BinCountOp:
    """``BinCountOp(minlength)(x, weights)`` is ``bincount(x, weights, minlength)``."""

    def __init__(self, minlength: Any = None) -> None:
        self.minlength = minlength

    def __call__(self, x: Any, weights: Any = None) -> Any:
        return bincount(x, weights, self.minlength)


class RepeatOp:
    """``RepeatOp(axis)(x, repeats)`` is ``repeat(x, repeats, axis)``."""

    def __init__(self, axis: int | None = None) -> None:
        self.axis = axis

    def __call__(self, x: Any, repeats: Any) -> Any:
        return repeat(x, repeats, self.axis)


class Bartlett:
    """``Bartlett()(M)`` is ``bartlett(M)``."""

    def __call__(self, M: Any) -> Any:
        return bartlett(M)


class FillDiagonal:
    """``FillDiagonal()(a, val)`` is ``fill_diagonal(a, val)``."""

    def __call__(self, a: Any, val: Any) -> Any:
        return fill_diagonal(a, val)


class FillDiagonalOffset:
    """``FillDiagonalOffset()(a, val, offset)`` is ``fill_diagonal_offset(a, val, offset)``."""

    def __call__(self, a: Any, val: Any, offset: Any) -> Any:
        return fill_diagonal_offset(a, val, offset)


class UnravelIndex:
    """``UnravelIndex(order)(indices, dims)`` is ``unravel_index(indices, dims, order)``."""

    def __init__(self, order: str = "C", ndim: int | None = None) -> None:
        self.order, self.ndim = order, ndim

    def __call__(self, indices: Any, dims: Any) -> Any:
        return unravel_index(indices, dims, self.order, self.ndim)


class RavelMultiIndex:
    """``RavelMultiIndex(mode, order)(*indices, dims)`` is ``ravel_multi_index`` of these."""

    def __init__(self, mode: str = "raise", order: str = "C") -> None:
        self.mode, self.order = mode, order

    def __call__(self, *inputs: Any) -> Any:
        *indices, dims = inputs
        return ravel_multi_index(tuple(indices), dims, self.mode, self.order)


class PermuteRowElements:
    """``PermuteRowElements()(x, y, inverse)`` is ``permute_row_elements(x, y, inverse)``."""

    def __call__(self, x: Any, y: Any, inverse: Any = False) -> Any:
        return permute_row_elements(x, y, bool(inverse))


__all__ = [
    "Bartlett",
    "BinCountOp",
    "CumOp",
    "CumprodOp",
    "CumsumOp",
    "DiffOp",
    "FillDiagonal",
    "FillDiagonalOffset",
    "PermuteRowElements",
    "RavelMultiIndex",
    "RepeatOp",
    "SearchsortedOp",
    "Unique",
    "UnravelIndex",
    "argwhere",
    "array_equal",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "average",
    "bartlett",
    "bincount",
    "broadcast_arrays",
    "broadcast_to",
    "compress",
    "convolve",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "diff",
    "digitize",
    "expand_dims",
    "fill_diagonal",
    "fill_diagonal_offset",
    "flip",
    "fliplr",
    "flipud",
    "full_like",
    "geomspace",
    "histogram",
    "hypot",
    "interp",
    "inverse_permutation",
    "isfinite",
    "linspace",
    "logaddexp",
    "logspace",
    "logsumexp",
    "median",
    "meshgrid",
    "nan_to_num",
    "percentile",
    "permute_row_elements",
    "put_along_axis",
    "quantile",
    "ravel_multi_index",
    "repeat",
    "rollaxis",
    "rot90",
    "searchsorted",
    "squeeze",
    "take_along_axis",
    "to_one_hot",
    "unique",
    "unravel_index",
    "vander",
]
