"""Convolution of videos, with the axes in the order (batch, time, channels, height, width)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import size_of
from theano.ops.index import getitem

__all__ = [
    "DiagonalSubtensor", "IncDiagonalSubtensor", "conv3d", "diagonal_subtensor",
    "get_diagonal_subtensor_view",
]  # fmt: skip


def get_diagonal_subtensor_view(x: Any, i0: int, i1: int) -> Any:
    """A view of a NumPy array: ``view[…, t, …, k, …] = x[…, t + K - 1 - k, …, k, …]``, where t runs
    along axis ``i0`` and k along ``i1``, which has K elements. NotImplementedError where axis
    ``i0`` is shorter than ``i1``.

    >>> get_diagonal_subtensor_view(np.arange(6).reshape(3, 2), 0, 1).tolist()
    [[2, 1], [4, 3]]
    """
    i0, i1 = int(i0), int(i1)
    if x.shape[i0] < x.shape[i1]:
        raise NotImplementedError(
            f"axis {i0} must be at least as long as axis {i1}, got the shape {x.shape}"
        )
    part = [slice(None)] * x.ndim
    part[i0] = slice(max(x.shape[i1] - 1, 0), None)
    view = x[tuple(part)]
    strides = list(view.strides)
    strides[i1] -= strides[i0]
    return np.lib.stride_tricks.as_strided(view, view.shape, strides)


class DiagonalSubtensor:
    """``DiagonalSubtensor()(x, i0, i1)``: `get_diagonal_subtensor_view` of a symbolic array."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def __call__(self, x: Any, i0: int, i1: int) -> Any:
        x = as_tensor_variable(x)
        first, order, places = _diagonals(x, i0, i1)
        return apply("dimshuffle", getitem(first, places), *np.argsort(order).tolist())


class IncDiagonalSubtensor:
    """``IncDiagonalSubtensor()(x, i0, i1, amt)``: ``x`` with ``amt`` added to those elements."""

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = inplace

    def __call__(self, x: Any, i0: int, i1: int, amt: Any) -> Any:
        x, amt = as_tensor_variable(x), as_tensor_variable(amt)
        first, order, places = _diagonals(x, i0, i1)
        more = apply("dimshuffle", amt, *order)
        made = apply("inc_subtensor", getitem(first, places), more)
        return apply("dimshuffle", made, *np.argsort(order).tolist())


def _diagonals(x: Any, i0: int, i1: int) -> tuple[Any, list[int], Any]:
    """``x`` with both axes in front, that order, and the indices."""
    i0, i1 = int(i0), int(i1)
    order = [i0, i1, *(i for i in range(x.type.ndim) if i not in (i0, i1))]
    long, short = size_of(x, i0), size_of(x, i1)
    count = sizes.add(sizes.sub(long, short), 1)
    t = apply("arange", sizes.variable(count)).dimshuffle(0, "x")
    k = apply("arange", sizes.variable(short)).dimshuffle("x", 0)
    places = (t + sizes.variable(sizes.sub(short, 1)) - k, k)
    return apply("dimshuffle", x, *order), order, places


diagonal_subtensor = DiagonalSubtensor()


def conv3d(
    signals: Any, filters: Any, signals_shape: Sequence[Any] | None = None,
    filters_shape: Sequence[Any] | None = None, border_mode: Any = "valid",
) -> Any:  # fmt: skip
    """Convolve videos along time, height and width (filters are flipped).

    Parameters
    ----------
    signals : (batch, time, channels, height, width).
    filters : (filters, time, channels, height, width).
    signals_shape, filters_shape : known extents, or None.
    border_mode : "valid", "full" or "half", or one of these for each of time, height, width.

    The result is (batch, time, filters, height, width).
    """
    from theano.tensor.nnet.abstract_conv import conv3d as of_volumes

    order, modes = (0, 2, 1, 3, 4), border_mode
    shapes = [
        None if shape is None else tuple(shape[i] for i in order)
        for shape in (signals_shape, filters_shape)
    ]
    filters, signals = as_tensor_variable(filters), as_tensor_variable(signals)
    if isinstance(modes, (tuple, list)):
        sizes_of_filters = [
            size_of(filters, i) if shapes[1] is None or shapes[1][j] is None else shapes[1][j]
            for i, j in ((1, 2), (3, 3), (4, 4))
        ]
        modes = tuple(_border(m, n) for m, n in zip(modes, sizes_of_filters, strict=True))
    out = of_volumes(
        signals.dimshuffle(*order), filters.dimshuffle(*order), shapes[0], shapes[1], modes
    )
    return out.dimshuffle(*order)


def _border(mode: Any, extent: Any) -> Any:
    """The padding that a mode means for a filter of this extent."""
    if mode in ("full", "half") and sizes.known(extent) is None:
        raise ValueError(
            f"border_mode {mode!r} for a single axis needs the filter's extent: give filters_shape"
        )
    known = {"valid": 0}
    if mode in ("full", "half"):
        size = int(sizes.known(extent) or 0)
        known |= {"full": size - 1, "half": size // 2}
    return known.get(mode, mode)
