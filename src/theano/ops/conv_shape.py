"""Extents of convolutions: one formula per axis, in three directions, for ints and variables.

With image I, kernel K, dilation D, stride S and zeros (before, after):
the kernel covers (K - 1) D + 1 cells, and there are (I + before + after - covered) // S + 1 outputs
(V. Dumoulin, F. Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from theano.core.config import config
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.assertion import Assert
from theano.ops.basic import as_tensor_variable
from theano.ops.constants import get_scalar_constant_value
from theano.ops.extents import size_of

Pad = tuple[Any, Any]
Border = str | tuple[Any, ...]
_WORDS: Final = ("valid", "full", "half")


def per_axis(value: Any, convdim: int, what: str, least: int = 1) -> tuple[int, ...]:
    """``value`` (an int or one per axis) as ints; ValueError if there are too few or too small.

    >>> per_axis(2, 3, "subsample")
    (2, 2, 2)
    """
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,) * convdim
    if len(values) != convdim:
        raise ValueError(f"{what} must have {convdim} elements, got {value}")
    result = tuple(int(get_scalar_constant_value(v)) for v in values)
    if min(result) < least or max(result) >= 2**31:
        raise ValueError(
            f"{what} must be at least {least} and less than 2**31 along each axis, got {value}"
        )
    return result


def border(mode: Any, convdim: int) -> Border:
    """``border_mode`` in its usual form: a word, or per axis an int or (before, after).

    ValueError for anything else.

    >>> border(1, 2), border(((1, 1), (0, 2)), 2)
    ((1, 1), (1, (0, 2)))
    """
    if isinstance(mode, str):
        if mode in _WORDS:
            return mode
    elif isinstance(mode, (list, tuple)):
        if len(mode) != convdim:
            raise ValueError(f"border_mode {mode} must have {convdim} elements")
        return tuple(map(_one_border, mode))
    else:
        return (_one_border(mode),) * convdim
    raise ValueError(
        f"invalid border_mode {mode!r}: must be 'valid', 'full', 'half', an int, or a tuple with, "
        f"for each axis, an int or a pair of ints (zeros before, zeros after)"
    )


def _one_border(entry: Any) -> Any:
    pair = tuple(entry) if isinstance(entry, (list, tuple)) else (entry, entry)
    try:
        values = tuple(int(get_scalar_constant_value(v)) for v in pair)
    except (TypeError, ValueError) as error:
        raise ValueError(f"invalid border_mode: {entry!r} is no number of zeros") from error
    if len(values) != 2 or min(values) < 0 or max(values) >= 2**31:
        raise ValueError(
            f"invalid border_mode: {entry!r}; numbers of zeros cannot be negative (or 2**31)"
        )
    return values if values[0] != values[1] else values[0]


def covered(kernel: Any, dilation: Any) -> Any:
    """How many cells a dilated kernel spans along an axis."""
    return sizes.add(sizes.mul(sizes.sub(kernel, 1), dilation), 1)


def pad_of(mode: Any, kernel: Any, dilation: Any) -> Pad:
    """Zeros (before, after) along one axis; ``mode`` is a word, an int or a pair."""
    if mode == "valid":
        return 0, 0
    if mode == "half":
        half = sizes.floordiv(covered(kernel, dilation), 2)
        return half, half
    if mode == "full":
        zeros = sizes.sub(covered(kernel, dilation), 1)
        return zeros, zeros
    return tuple(mode) if isinstance(mode, (list, tuple)) else (mode, mode)


def axis_mode(mode: Border, axis: int) -> Any:
    """The border mode along one axis."""
    return mode if isinstance(mode, str) else mode[axis]


def border_mode_to_pad(mode: Any, convdim: int, kshp: Sequence[Any]) -> tuple[Pad, ...]:
    """Zeros (before, after) along each axis for kernels (not dilated) of extents ``kshp``.

    >>> border_mode_to_pad("half", 2, (3, 5))
    ((1, 1), (2, 2))
    """
    usual = border(mode, convdim)
    return tuple(pad_of(axis_mode(usual, i), kshp[i], 1) for i in range(convdim))


def get_conv_shape_1axis(
    image_shape: Any, kernel_shape: Any, border_mode: Any, subsample: Any, dilation: Any = 1
) -> Any:
    """The extent of a convolution along one axis; None if something needed is None.

    Extents are ints or 0-d int variables; ``border_mode`` a word, an int or a pair of ints.

    >>> get_conv_shape_1axis(28, 5, "valid", 1)
    24
    """
    if None in (image_shape, kernel_shape, border_mode, subsample, dilation):
        return None
    before, after = pad_of(border_mode, kernel_shape, dilation)
    room = sizes.add(image_shape, sizes.add(before, after))
    return sizes.add(sizes.floordiv(sizes.sub(room, covered(kernel_shape, dilation)), subsample), 1)


def get_conv_gradweights_shape_1axis(
    image_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The kernel's extent along one axis; None where it cannot be told from the others.

    >>> get_conv_gradweights_shape_1axis(28, 24, "valid", 1, 1)
    5
    """
    if None in (image_shape, top_shape, border_mode, subsample, dilation):
        return None
    if subsample != 1 or border_mode == "half":
        return None
    if border_mode == "full":
        cells = sizes.sub(top_shape, image_shape)
        return sizes.add(sizes.floordiv(cells, dilation), 1)
    before, after = pad_of(border_mode, 1, 1)
    cells = sizes.sub(sizes.add(image_shape, sizes.add(before, after)), top_shape)
    return sizes.add(sizes.floordiv(cells, dilation), 1)


def get_conv_gradinputs_shape_1axis(
    kernel_shape: Any, top_shape: Any, border_mode: Any, subsample: Any, dilation: Any
) -> Any:
    """The image's extent along one axis; None where it cannot be told from the others.

    >>> get_conv_gradinputs_shape_1axis(5, 24, "valid", 1, 1)
    28
    """
    if None in (kernel_shape, top_shape, border_mode, subsample, dilation):
        return None
    if subsample != 1:
        return None
    before, after = pad_of(border_mode, kernel_shape, dilation)
    cells = sizes.sub(covered(kernel_shape, dilation), 1)
    return sizes.sub(sizes.add(top_shape, cells), sizes.add(before, after))


def _dilations(filter_dilation: Any, convdim: int) -> Sequence[Any]:
    return (1,) * convdim if filter_dilation is None else filter_dilation


def get_conv_output_shape(
    image_shape: Sequence[Any], kernel_shape: Sequence[Any], border_mode: Any,
    subsample: Sequence[Any], filter_dilation: Sequence[Any] | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape (batch, filters, …) of a convolution; entries may be ints, variables or None.

    Parameters
    ----------
    image_shape : (batch, channels, …).
    kernel_shape : (filters, channels, …), of unshared ones (filters, …regions, channels, …).
    border_mode, subsample, filter_dilation : as for ``conv2d``, per axis.

    >>> get_conv_output_shape((10, 3, 28, 28), (20, 3, 5, 5), "valid", (1, 1))
    (10, 20, 24, 24)
    """
    convdim = len(image_shape) - 2
    rows = zip(
        image_shape[2:], kernel_shape[-convdim:], _modes(border_mode, convdim), subsample,
        _dilations(filter_dilation, convdim), strict=True,
    )  # fmt: skip
    return (image_shape[0], kernel_shape[0], *(get_conv_shape_1axis(*row) for row in rows))


def _modes(border_mode: Any, convdim: int) -> list[Any]:
    usual = border(border_mode, convdim)
    return [axis_mode(usual, i) for i in range(convdim)]


def get_conv_gradweights_shape(
    image_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any,
    subsample: Sequence[Any], filter_dilation: Sequence[Any] | None = None, num_groups: int = 1,
    unshared: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape of the filters, from those of images and results; None where it is not unique.

    >>> get_conv_gradweights_shape((10, 3, 28, 28), (10, 20, 24, 24), "valid", (1, 1))
    (20, 3, 5, 5)
    """
    convdim = len(image_shape) - 2
    rows = zip(
        image_shape[2:], top_shape[2:], _modes(border_mode, convdim), subsample,
        _dilations(filter_dilation, convdim), strict=True,
    )  # fmt: skip
    kernel = tuple(get_conv_gradweights_shape_1axis(*row) for row in rows)
    channels = None if image_shape[1] is None else sizes.floordiv(image_shape[1], num_groups)
    regions = tuple(top_shape[2:]) if unshared else ()
    return (top_shape[1], *regions, channels, *kernel)


def get_conv_gradinputs_shape(
    kernel_shape: Sequence[Any], top_shape: Sequence[Any], border_mode: Any,
    subsample: Sequence[Any], filter_dilation: Sequence[Any] | None = None, num_groups: int = 1,
) -> tuple[Any, ...]:  # fmt: skip
    """The shape of the images, from those of filters and results; None where it is not unique.

    >>> get_conv_gradinputs_shape((20, 3, 5, 5), (10, 20, 24, 24), "valid", (1, 1))
    (10, 3, 28, 28)
    """
    convdim = len(top_shape) - 2
    rows = zip(
        kernel_shape[-convdim:], top_shape[2:], _modes(border_mode, convdim), subsample,
        _dilations(filter_dilation, convdim), strict=True,
    )  # fmt: skip
    image = tuple(get_conv_gradinputs_shape_1axis(*row) for row in rows)
    channels = kernel_shape[-convdim - 1]
    channels = None if channels is None else sizes.mul(channels, num_groups)
    return (top_shape[0], channels, *image)


def check_conv_gradinputs_shape(
    image_shape: Sequence[Any], kernel_shape: Sequence[Any], output_shape: Sequence[Any],
    border_mode: Any, subsample: Sequence[Any], filter_dilation: Sequence[Any] | None = None,
) -> bool:  # fmt: skip
    """Whether images and filters of these shapes can give this output; None fits everything.

    >>> check_conv_gradinputs_shape((1, 1, 9, 9), (1, 1, 3, 3), (1, 1, 4, 4), "valid", (2, 2))
    True
    """
    lengths = {len(image_shape), len(kernel_shape), len(output_shape)}
    if len(lengths) != 1:
        return False
    expected = get_conv_output_shape(
        image_shape, kernel_shape, border_mode, subsample, filter_dilation
    )
    for given, wanted in zip(output_shape, expected, strict=True):
        one, two = (None if v is None else sizes.known(v) for v in (given, wanted))
        if None not in (one, two) and one != two:
            return False
    return True


def hints(shape: Any, length: int, what: str) -> tuple[int | None, ...] | None:
    """A shape given as a hint: ints and None; ValueError for other entries or another length."""
    if shape is None:
        return None
    entries = tuple(shape)
    if len(entries) != length:
        raise ValueError(f"{what} must have {length} entries, got {shape}")
    return tuple(None if entry is None else _hint(entry, what) for entry in entries)


def _hint(entry: Any, what: str) -> int | None:
    try:
        value = get_scalar_constant_value(as_tensor_variable(entry))
    except Exception as error:
        raise ValueError(f"{what}: {entry} is neither None nor a known int") from error
    if value != int(value) or value < 0:
        raise ValueError(f"{what}: {entry} is no extent")
    return int(value)


def assert_conv_shape(shape: Sequence[Any]) -> tuple[Any, ...]:
    """``shape``, checked to be one that a convolution can have: (batch, channels, …).

    Batch and channels must be at least 0, other extents at least 1. AssertionError at once for
    known extents, when the function runs for variables.

    >>> assert_conv_shape((0, 3, 5, 5))
    (0, 3, 5, 5)
    """
    result = []
    for axis, extent in enumerate(shape):
        least, value = (0 if axis < 2 else 1), sizes.known(extent)
        name = ("the batch", "the channels")[axis] if axis < 2 else f"axis {axis}"
        text = f"The convolution would produce an invalid shape: {name} must be at least {least}."
        if value is None:
            extent = Assert(text)(extent, apply("ge", extent, least))
        elif value < least:
            raise AssertionError(text)
        result.append(extent)
    return tuple(result)


def assert_shape(x: Any, expected_shape: Any, msg: str = "Unexpected shape.") -> Any:
    """``x``; with ``config.conv.assert_shape``, checked to have the extents that are not None.

    >>> import theano.tensor as T
    >>> assert_shape(T.tensor4(), (None, 3, None, None)).ndim
    4
    """
    if expected_shape is None or not config.conv.assert_shape:
        return x
    conditions = [
        apply("eq", sizes.variable(size_of(x, axis)), sizes.variable(extent))
        for axis, extent in enumerate(expected_shape)
        if extent is not None
    ]
    return Assert(msg)(x, *conditions) if conditions else x
