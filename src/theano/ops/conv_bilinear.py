"""Bilinear upsampling by transposed convolution with a triangular kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.core.config import config
from theano.graph.nodes import Variable
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.constants import get_scalar_constant_value
from theano.ops.conv_functions import conv2d_grad_wrt_inputs
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import size_of
from theano.ops.index import getitem
from theano.ops.reshape import Reshape


def bilinear_kernel_1D(ratio: Any, normalize: bool = True) -> Any:
    """A triangle of 2 · ratio - 1 weights: 1, 2, …, ratio, …, 2, 1, divided by ratio.

    Parameters
    ----------
    ratio : int, or 0-d int variable.
    normalize : False: not divided.

    The dtype is ``config.floatX``.

    >>> bilinear_kernel_1D(2).eval().tolist()
    [0.5, 1.0, 0.5]
    """
    value = sizes.known(as_tensor_variable(ratio)) if isinstance(ratio, Variable) else int(ratio)
    if value is not None:
        steps = np.arange(1, 2 * value)
        kernel: Any = as_tensor_variable(np.minimum(steps, 2 * value - steps).astype(config.floatX))
        total: Any = np.asarray(value, config.floatX)
    else:
        steps = apply("arange", 1, 2 * ratio, 1)
        kernel = cast(apply("minimum", steps, 2 * ratio - steps), config.floatX)
        total = cast(ratio, config.floatX)
    return kernel / total if normalize else kernel


def bilinear_kernel_2D(ratio: Any, normalize: bool = True) -> Any:
    """The outer product of `bilinear_kernel_1D` with itself.

    >>> bilinear_kernel_2D(2, normalize=False).eval().tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    line = bilinear_kernel_1D(ratio, normalize)
    return dimshuffle(line, 0, "x") * dimshuffle(line, "x", 0)


def _along(x: Any, axis: int, part: slice) -> Any:
    return getitem(x, tuple(part if i == axis else slice(None) for i in range(4)))


def _edges(x: Any, axis: int) -> Any:
    """``x`` with its first and last cells along ``axis`` once more."""
    first, last = _along(x, axis, slice(0, 1)), _along(x, axis, slice(-1, None))
    return apply("join", axis, first, x, last)


def _one_axis(x: Any, ratio: int, axis: int) -> Any:
    """``x`` (images, 1, rows, columns) upsampled along one axis."""
    zeros = 2 * ratio - (ratio - 1) // 2 - 1
    kernel = cast(bilinear_kernel_1D(ratio), x.type.dtype)
    kernel = dimshuffle(kernel, "x", "x", *((0, "x") if axis == 2 else ("x", 0)))
    shape = [size_of(x, i) for i in range(4)]
    shape[axis] = sizes.mul(shape[axis], ratio)
    return conv2d_grad_wrt_inputs(
        _edges(x, axis), kernel, (None, None, *shape[2:]),
        border_mode=(zeros, 0) if axis == 2 else (0, zeros),
        subsample=(ratio, 1) if axis == 2 else (1, ratio),
    )  # fmt: skip


def _images(input: Any, what: str) -> Any:
    x = as_tensor_variable(input)
    if x.type.ndim != 4:
        raise TypeError(f"{what}: input must be (batch, channels, rows, columns), got {x.type}")
    return x if x.type.dtype in ("float16", "float32", "float64") else cast(x, config.floatX)


def _upsampled(x: Any, ratios: tuple[int, int], steps: tuple[int, int]) -> Any:
    batch, channels, *cells = (size_of(x, i) for i in range(4))
    flat = Reshape(4)(x, sizes.vector([sizes.mul(batch, channels), 1, *cells]))
    for axis, (ratio, step) in enumerate(zip(ratios, steps, strict=True), 2):
        if ratio != 1:
            flat = _one_axis(flat, ratio, axis)
        if step != 1:
            flat = _along(flat, axis, slice(None, None, step))
    return Reshape(4)(flat, sizes.vector([batch, channels, size_of(flat, 2), size_of(flat, 3)]))


def frac_bilinear_upsampling(input: Any, frac_ratio: Any) -> Any:
    """Images resized by fractions: upsampled by the numerators, every denominator-th cell of that.

    Parameters
    ----------
    input
        (batch, channels, rows, columns).
    frac_ratio
        (numerator, denominator), or one such pair for rows and one for columns.

    ``n`` cells become ``n`` · numerator / denominator, rounded up. Raises ValueError for other
    ratios, TypeError for other ranks.

    >>> import theano.tensor as T
    >>> frac_bilinear_upsampling(T.tensor("float64", shape=(1, 1, 4, 4)), (3, 2)).type.shape[2:]
    (6, 6)
    """
    x = _images(input, "frac_bilinear_upsampling")
    if not isinstance(frac_ratio, tuple) or len(frac_ratio) != 2:
        raise ValueError(f"frac_ratio must be a tuple of 2 elements, got {frac_ratio!r}")
    pairs = frac_ratio if isinstance(frac_ratio[0], tuple) else (frac_ratio, frac_ratio)
    if any(len(pair) != 2 or min(pair) < 1 for pair in pairs):
        raise ValueError(f"frac_ratio must have pairs of ints of at least 1, got {frac_ratio}")
    (up, down), (wider, narrower) = ((int(a), int(b)) for a, b in pairs)
    return _upsampled(x, (up, wider), (down, narrower))


def bilinear_upsampling(
    input: Any, ratio: Any = None, frac_ratio: Any = None, batch_size: Any = None,
    num_input_channels: Any = None, use_1D_kernel: bool = True,
) -> Any:  # fmt: skip
    """Images enlarged by bilinear interpolation; beyond the edges cells are repeated.

    Cell u of the result is the value at (u - (ratio - 1) // 2) / ratio.

    Parameters
    ----------
    input
        (batch, channels, rows, columns).
    ratio
        How many cells each becomes along both axes: an int.
    frac_ratio
        Instead of ``ratio``: see `frac_bilinear_upsampling`.
    batch_size, num_input_channels, use_1D_kernel
        No meaning: extents are known when the function runs, and axes are done one by one.

    Raises ValueError unless exactly one of the two ratios is given, TypeError for other ranks.

    >>> import numpy as np
    >>> x = np.array([[[[0.0, 2.0]]]])
    >>> bilinear_upsampling(x, 2).eval()[0, 0].tolist()
    [[0.0, 1.0, 2.0, 2.0], [0.0, 1.0, 2.0, 2.0]]
    """
    if (ratio is None) == (frac_ratio is None):
        raise ValueError("bilinear_upsampling takes one of ratio and frac_ratio")
    if frac_ratio is not None:
        return frac_bilinear_upsampling(input, frac_ratio)
    x = _images(input, "bilinear_upsampling")
    value = int(get_scalar_constant_value(ratio))
    if value < 1:
        raise ValueError(f"bilinear_upsampling: ratio must be at least 1, got {value}")
    return _upsampled(x, (value, value), (1, 1))
