"""Convolutions as functions: conv2d, conv3d, their gradients, and what is built from them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.conv import FORWARD, TO_IMAGES, TO_KERNELS
from theano.ops.dimshuffle import dimshuffle
from theano.ops.index import getitem

_ONES: Final = {1: (1,), 2: (1, 1), 3: (1, 1, 1)}


def _known(shape: Any) -> Any:
    """A shape hint: entries that are no known numbers are None."""
    if shape is None:
        return None
    entries = [None if e is None else sizes.known(as_tensor_variable(e)) for e in shape]
    return None if all(e is None for e in entries) else tuple(entries)


def _spatial(shape: Any, convdim: int, what: str) -> Any:
    """The last extents of a shape, as an int vector; ValueError if one is missing."""
    entries = list(shape[-convdim:]) if isinstance(shape, (list, tuple)) else None
    if entries is None:
        return getitem(as_tensor_variable(shape), slice(-convdim, None))
    if any(e is None for e in entries):
        raise ValueError(f"{what}: the extents {tuple(shape)} must not be None here")
    return sizes.vector([sizes.simple(as_tensor_variable(e)) for e in entries])


def conv(
    convdim: int, input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = None, filter_flip: bool = True,
    filter_dilation: Any = None, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The convolution over ``convdim`` axes; see `conv2d`."""
    op = FORWARD[convdim](
        _known(input_shape), _known(filter_shape), border_mode,
        _ONES[convdim] if subsample is None else subsample, filter_flip,
        _ONES[convdim] if filter_dilation is None else filter_dilation, num_groups, unshared,
    )  # fmt: skip
    return op(input, filters)


def abstract_conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """`conv2d` without its older arguments.

    >>> import theano.tensor as T
    >>> abstract_conv2d(T.tensor4(), T.tensor4()).ndim
    4
    """
    return conv(
        2, input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv2d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    image_shape: Any = None, filter_dilation: Any = (1, 1), num_groups: int = 1,
    unshared: bool = False, **kwargs: Any,
) -> Any:  # fmt: skip
    """The convolution of images with filters.

    Parameters
    ----------
    input
        Images (batch, channels, rows, columns).
    filters
        (filters, channels / num_groups, rows, columns); ``unshared``: (filters, rows of the result,
        columns of the result, channels / num_groups, rows, columns).
    input_shape, filter_shape
        Their shapes where known: None, or ints and None. They are checked at run time, except for
        the size of the batch. ``image_shape`` is an older name of ``input_shape``.
    border_mode
        Zeros around the images: ``"valid"`` none, ``"full"`` wherever a filter still touches the
        image, ``"half"`` half of the filter's extent (rounded down), an int, (rows, columns), or
        ((top, bottom), (left, right)).
    subsample
        Steps between the positions of filters.
    filter_flip
        True: filters are flipped (convolution); False: they are not (correlation).
    filter_dilation
        Distances between the cells that a filter reads.
    num_groups
        Channels and filters are divided into so many groups, each by itself.
    unshared
        Every position has filters of its own.

    Returns (batch, filters, rows, columns), of the dtype of both together. Raises ShapeError (a
    ValueError) for shapes that are known not to fit, else ValueError when the function runs;
    TypeError for other ranks, complex numbers and bool.

    >>> import numpy as np, theano.tensor as T
    >>> conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2))).eval()[0, 0].tolist()
    [[4.0, 4.0], [4.0, 4.0]]
    """
    refused = [name for name in kwargs if name in ("imshp_logical", "kshp_logical")]
    if refused:
        raise ValueError(
            f"conv2d: keyword arguments {refused} are not supported: use subsample, "
            f"filter_dilation, or conv2d_transpose"
        )
    if kwargs:
        warnings.warn(
            f"conv2d: keyword arguments {sorted(kwargs)} are ignored: no parameter has that name",
            stacklevel=2,
        )
    if image_shape is not None:
        if input_shape is not None:
            raise ValueError("conv2d: image_shape and input_shape are two names of one argument")
        input_shape = image_shape
    return abstract_conv2d(
        input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv3d(
    input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """`conv2d` with one axis more: (batch, channels, depth, rows, columns).

    >>> import theano.tensor as T
    >>> conv3d(T.tensor5(), T.tensor5(), border_mode=1).ndim
    5
    """
    return conv(
        3, input, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


# gradients ----------------------------------------------------------------------------------------


def conv_grad_wrt_inputs(
    convdim: int, output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = None, filter_flip: bool = True,
    filter_dilation: Any = None, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of `conv` for its images; see `conv2d_grad_wrt_inputs`."""
    op = TO_IMAGES[convdim](
        _known(input_shape), _known(filter_shape), border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip
    return op(filters, output_grad, _spatial(input_shape, convdim, "input_shape"))


def conv_grad_wrt_weights(
    convdim: int, input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = None, filter_flip: bool = True,
    filter_dilation: Any = None, num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of `conv` for its filters; see `conv2d_grad_wrt_weights`."""
    op = TO_KERNELS[convdim](
        _known(input_shape), _known(filter_shape), border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip
    return op(input, output_grad, _spatial(filter_shape, convdim, "filter_shape"))


def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of ``conv2d(input, filters, …)`` for ``input``, given that for its result.

    ``input_shape`` is needed: its last two entries are ints or 0-d int variables (a stride leaves
    several possible shapes). The other arguments are those of `conv2d`.

    >>> import theano.tensor as T
    >>> conv2d_grad_wrt_inputs(T.tensor4(), T.tensor4(), (None, None, 28, 28)).type.shape[2:]
    (28, 28)
    """
    return conv_grad_wrt_inputs(
        2, output_grad, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv3d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_inputs` with one axis more."""
    return conv_grad_wrt_inputs(
        3, output_grad, filters, input_shape, filter_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The gradient of ``conv2d(input, filters, …)`` for ``filters``, given that for its result.

    The last two entries of ``filter_shape`` are ints or 0-d int variables.

    >>> import theano.tensor as T
    >>> conv2d_grad_wrt_weights(T.tensor4(), T.tensor4(), (8, 3, 5, 5)).type.shape
    (8, 3, 5, 5)
    """
    return conv_grad_wrt_weights(
        2, input, output_grad, filter_shape, input_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv3d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None,
    border_mode: Any = "valid", subsample: Any = (1, 1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """`conv2d_grad_wrt_weights` with one axis more."""
    return conv_grad_wrt_weights(
        3, input, output_grad, filter_shape, input_shape, border_mode, subsample, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any, filter_shape: Any = None,
    border_mode: Any = "valid", input_dilation: Any = (1, 1), filter_flip: bool = True,
    filter_dilation: Any = (1, 1), num_groups: int = 1, unshared: bool = False,
) -> Any:  # fmt: skip
    """The transposed map of a convolution: from its results to its images.

    Parameters
    ----------
    input
        (batch, input channels, rows, columns).
    filters
        (input channels, output channels / num_groups, rows, columns): those of the convolution that
        leads from the output to the input.
    output_shape
        The shape of the output; the last two entries are needed.
    input_dilation
        The ``subsample`` of that convolution: distances of the cells of ``input`` in the output.

    The other arguments are those of `conv2d`.

    >>> import theano.tensor as T
    >>> conv2d_transpose(T.tensor4(), T.tensor4(), (None, None, 8, 8), input_dilation=(2, 2)).ndim
    4
    """
    return conv2d_grad_wrt_inputs(
        input, filters, output_shape, filter_shape, border_mode, input_dilation, filter_flip,
        filter_dilation, num_groups, unshared,
    )  # fmt: skip


# compositions -------------------------------------------------------------------------------------


def _separable(
    convdim: int, input: Any, filters: Sequence[Any], num_channels: int, shapes: Sequence[Any],
    options: dict[str, Any],
) -> Any:  # fmt: skip
    image, depthwise, pointwise = map(_known, shapes)
    middle = None if depthwise is None else depthwise[0]
    first = conv(convdim, input, filters[0], image, depthwise, num_groups=num_channels, **options)
    between = None if image is None else (image[0], middle, *[None] * convdim)
    return conv(convdim, first, filters[1], between, pointwise, filter_flip=options["filter_flip"])


def separable_conv2d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
    input_shape: Any = None, depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None, border_mode: Any = "valid", subsample: Any = (1, 1),
    filter_flip: bool = True, filter_dilation: Any = (1, 1),
) -> Any:  # fmt: skip
    """Filters for each channel by itself, then 1×1 filters over all channels.

    Parameters
    ----------
    depthwise_filters
        (``num_channels`` · multiplier, 1, rows, columns).
    pointwise_filters
        (filters, ``num_channels`` · multiplier, 1, 1).

    The other arguments are those of `conv2d`; stride, zeros and dilation are those of the first.

    >>> import theano.tensor as T
    >>> separable_conv2d(T.tensor4(), T.tensor4(), T.tensor4(), 3).ndim
    4
    """
    options = {
        "border_mode": border_mode, "subsample": subsample, "filter_flip": filter_flip,
        "filter_dilation": filter_dilation,
    }  # fmt: skip
    shapes = (input_shape, depthwise_filter_shape, pointwise_filter_shape)
    return _separable(
        2, input, (depthwise_filters, pointwise_filters), num_channels, shapes, options
    )


def separable_conv3d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int,
    input_shape: Any = None, depthwise_filter_shape: Any = None,
    pointwise_filter_shape: Any = None, border_mode: Any = "valid", subsample: Any = (1, 1, 1),
    filter_flip: bool = True, filter_dilation: Any = (1, 1, 1),
) -> Any:  # fmt: skip
    """`separable_conv2d` with one axis more."""
    options = {
        "border_mode": border_mode, "subsample": subsample, "filter_flip": filter_flip,
        "filter_dilation": filter_dilation,
    }  # fmt: skip
    shapes = (input_shape, depthwise_filter_shape, pointwise_filter_shape)
    return _separable(
        3, input, (depthwise_filters, pointwise_filters), num_channels, shapes, options
    )


def causal_conv1d(
    input: Any, filters: Any, filter_shape: Any, input_shape: Any = None, subsample: int = 1,
    filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1,
    unshared: bool = False,
) -> Any:  # fmt: skip
    """A convolution over time whose result at t depends on inputs up to t only.

    Parameters
    ----------
    input
        (batch, channels, time).
    filters
        (filters, channels / num_groups, time).
    filter_shape
        The shape of ``filters``; its last entry is needed. ``input_shape`` is a hint.

    The other arguments are those of `conv2d`, for one axis. Returns (batch, filters, time), as long
    as the input where ``subsample`` is 1.

    >>> import theano.tensor as T
    >>> causal_conv1d(T.tensor3(), T.tensor3(), (4, 2, 3)).ndim
    3
    """
    input, filters = as_tensor_variable(input), as_tensor_variable(filters)
    for v, name in ((input, "input"), (filters, "filters")):
        if v.type.ndim != (5 if unshared and name == "filters" else 3) and not unshared:
            raise TypeError(f"causal_conv1d: {name} must have 3 axes, got {v.type}")
    if filter_shape is None or filter_shape[-1] is None:
        raise ValueError("causal_conv1d: the last entry of filter_shape is needed")
    length = int(filter_shape[-1])
    return conv(
        1, input, filters, input_shape, filter_shape, (((length - 1) * filter_dilation, 0),),
        (subsample,), filter_flip, (filter_dilation,), num_groups, unshared,
    )  # fmt: skip


def signal_conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None,
    border_mode: str = "valid", subsample: tuple[int, int] = (1, 1), **kwargs: Any,
) -> Any:  # fmt: skip
    """The convolution of images without channels: each filter is applied to each image.

    Parameters
    ----------
    input
        (rows, columns), or a stack of images (images, rows, columns).
    filters
        (rows, columns), or a stack of filters.
    image_shape, filter_shape
        Their shapes where known.
    border_mode
        ``"valid"`` or ``"full"``.
    subsample
        Steps.

    Returns rank 4 for two stacks, 3 for one, 2 for none. ValueError for other ranks or modes.

    >>> import theano.tensor as T
    >>> signal_conv2d(T.matrix(), T.matrix()).ndim, signal_conv2d(T.tensor3(), T.tensor3()).ndim
    (2, 4)
    """
    input, filters = as_tensor_variable(input), as_tensor_variable(filters)
    if border_mode not in ("valid", "full"):
        raise ValueError(f"signal.conv2d: border_mode must be 'valid' or 'full', not {border_mode}")
    for v, name in ((input, "input"), (filters, "filters")):
        if v.type.ndim not in (2, 3):
            raise ValueError(f"signal.conv2d: {name} must have 2 or 3 axes, got {v.type}")
    if kwargs:
        warnings.warn(f"signal.conv2d: {sorted(kwargs)} are ignored", stacklevel=2)
    images, kernels = input.type.ndim == 3, filters.type.ndim == 3
    stack = dimshuffle(input, 0, "x", 1, 2) if images else dimshuffle(input, "x", "x", 0, 1)
    bank = dimshuffle(filters, 0, "x", 1, 2) if kernels else dimshuffle(filters, "x", "x", 0, 1)
    result = conv(
        2, stack, bank, _four(image_shape, images), _four(filter_shape, kernels), border_mode,
        subsample,
    )  # fmt: skip
    if images and kernels:
        return result
    gone = [axis for axis, kept in ((0, images), (1, kernels)) if not kept]
    result = apply("addbroadcast", result, *gone)
    return dimshuffle(result, *(axis for axis in range(4) if axis not in gone))


def _four(shape: Any, stacked: bool) -> Any:
    if shape is None:
        return None
    entries = tuple(shape)
    return (entries[0] if stacked else 1, 1, *entries[-2:])
