"""Array functions that NumPy has too, under their old address."""

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
from theano.ops.shape import repeat, squeeze
from theano.ops.sorting import SearchsortedOp, searchsorted

__all__ = [
    "CumOp",
    "SearchsortedOp",
    "bincount",
    "compress",
    "cumprod",
    "cumsum",
    "diff",
    "fill_diagonal",
    "fill_diagonal_offset",
    "ravel_multi_index",
    "repeat",
    "searchsorted",
    "squeeze",
    "to_one_hot",
    "unravel_index",
]
