"""Correlations of images with kernels, along three axes.

Images are (batch, channels, 3 axes), results (batch, filters, 3 axes), kernels (groups, filters of
a group, channels of a group, 3 axes). The numbers are three strides, three dilations, and three
numbers of zeros before the images (which may be negative); there are as many zeros behind as the
extents of the result say. ``conv`` and ``conv_weights`` are told by a tenth number whether they may
use minimal filtering (`winograd`), which has other rounding errors. ``local`` and its kind take
kernels for each position of the result, (groups, filters, 3 positions, channels, 3 axes), and any
dtype.

    conv(result, image, kernel)                 local(result, image, kernel)
    conv_bias(result, image, kernel, bias)
    conv_weights(kernel, image, result)         local_weights(kernel, image, result)
    pointwise_weights(kernel, image, result)
                                                local_data(image, result, kernel)

``conv_bias`` adds a bias per filter; an eleventh number says whether results below 0 become 0. For
kernels of one tap both call ``pointwise``, products of matrices, and ``conv_weights`` its
gradient. The gradient for images is a
``conv`` with kernels seen another way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.routines import conv_meaning as meaning
from theano.runtime.routines.base import Routine, Sample, Text

if TYPE_CHECKING:
    from theano.runtime.support import Target

_NUMBERS: Final = ("int64",) * 9
_WITH_CHOICE: Final = (*_NUMBERS, "int64")
#: (batch, groups, channels and filters of a group, images, kernels, strides, dilations, zeros).
_CALLS: Final = (
    (2, 1, 3, 9, (7, 1, 19), (3, 1, 3), (1, 1, 1), (1, 1, 1), (1, 0, 1)),
    (1, 1, 1, 20, (28, 1, 28), (5, 1, 5), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (18, 1, 5, 4, (6, 1, 6), (3, 1, 3), (1, 1, 1), (1, 1, 1), (1, 0, 1)),
    (35, 1, 3, 6, (5, 1, 6), (3, 1, 3), (1, 1, 1), (1, 1, 1), (1, 0, 1)),
    (21, 2, 2, 9, (6, 1, 5), (3, 1, 5), (2, 1, 1), (1, 1, 1), (2, 0, 4)),
    (3, 2, 2, 5, (9, 1, 11), (3, 1, 2), (2, 1, 3), (1, 1, 1), (0, 0, 1)),
    (2, 1, 2, 3, (5, 6, 7), (2, 3, 2), (1, 2, 1), (2, 1, 3), (1, 0, 2)),
    (1, 3, 1, 1, (4, 5, 6), (2, 2, 3), (1, 1, 2), (1, 2, 1), (0, 3, -1)),
    (40, 1, 2, 17, (1, 1, 9), (1, 1, 4), (1, 1, 2), (1, 1, 1), (0, 0, 2)),
    (2, 1, 33, 34, (1, 1, 40), (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (0, 1, 2, 2, (3, 1, 3), (2, 1, 2), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (2, 1, 0, 2, (3, 1, 3), (2, 1, 2), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (2, 1, 2, 3, (3, 1, 3), (0, 1, 2), (1, 1, 1), (1, 1, 1), (0, 0, 0)),
    (2, 1, 2, 3, (1, 1, 1), (2, 1, 2), (1, 1, 1), (9, 1, 9), (5, 0, 5)),
    (1, 1, 70, 70, (6, 1, 10), (3, 1, 3), (1, 1, 1), (1, 1, 1), (1, 0, 1)),
)  # fmt: skip


_POINTS: Final = tuple(
    (*sizes, cells, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0))
    for sizes, cells in (
        ((2, 1, 8, 8), (3, 1, 5)), ((1, 1, 33, 34), (1, 1, 40)), ((3, 2, 9, 17), (2, 3, 4)),
        ((5, 1, 64, 12), (7, 1, 7)), ((1, 3, 16, 16), (1, 1, 1)),
    )
)  # fmt: skip


def _arrays(rng: Any, call: Any, dtype: str, local: bool) -> tuple[dict[str, Any], Any]:
    batch, groups, channels, filters, cells, taps, strides, dilations, zeros = call
    axes = zip(cells, taps, strides, dilations, zeros, strict=True)
    found = [max(0, (n + 2 * z - (k - 1) * d - 1) // s + 1) for n, k, s, d, z in axes]
    positions = found if local else []
    shapes = {
        "image": (batch, groups * channels, *cells),
        "result": (batch, groups * filters, *found),
        "kernel": (groups, filters, *positions, channels, *taps),
    }
    arrays = {name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()}
    if dtype.startswith("int"):
        arrays = {name: np.rint(4 * a) for name, a in arrays.items()}
    arrays["bias"] = rng.uniform(-1, 1, groups * filters)
    numbers = (*strides, *dilations, *zeros, *(() if local else (1,)))
    return {name: a.astype(dtype) for name, a in arrays.items()}, numbers


def _samples(order: str, dtypes: tuple[str, ...], local: bool) -> Any:
    """Calls with strides, dilations, groups, one to three axes, and nothing."""

    def make(rng: Any) -> Iterator[Sample]:
        for dtype in dtypes:
            for call in _CALLS[4:14] if local else _CALLS:
                arrays, numbers = _arrays(rng, call, dtype, local)
                given = tuple(arrays[name] for name in order.split())
                if "bias" in order:
                    yield Sample(given, (*numbers, 0))
                    yield Sample(tuple(a.copy() for a in given), (*numbers, 1))
                else:
                    yield Sample(given, numbers)

    return make


def _points(order: str) -> Any:
    """Calls of ``pointwise``: kernels of one tap."""

    def make(rng: Any) -> Iterator[Sample]:
        for dtype in _FLOATS:
            for call in _POINTS:
                arrays, numbers = _arrays(rng, call, dtype, False)
                given = tuple(arrays[name] for name in order.split())
                for rectified in (0, 1) if "bias" in order else ():
                    yield Sample(tuple(a.copy() for a in given), (*numbers, rectified))
                if "bias" not in order:
                    yield Sample(given, numbers)

    return make


def _text(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    from theano.runtime.routines.conv_forward import ForwardText
    from theano.runtime.routines.conv_local import LocalText
    from theano.runtime.routines.conv_point import PointWeightsText, PointwiseText
    from theano.runtime.routines.conv_weights import WeightsText

    name = symbol.removeprefix("th_").partition("__")[0]
    row = next(row for row in ROUTINES if row.name == name)
    kinds: dict[str, Any] = {"conv": ForwardText, "conv_weights": WeightsText,
                             "pointwise": PointwiseText,
                             "pointwise_weights": PointWeightsText}  # fmt: skip
    made: Text = kinds.get(name.removesuffix("_bias"), LocalText)(
        symbol, row, dtypes[0], target
    ).text()
    return made


_FLOATS: Final = ("float32", "float64")
_ANY: Final = ("int32", "float32", "float64")

ROUTINES: Final = (
    Routine("conv", (5, 5, 6), 1, meaning.conv, _text, numbers=_WITH_CHOICE, weight=600,
            samples=_samples("result image kernel", _FLOATS, False)),
    Routine("conv_bias", (5, 5, 6, 1), 1, meaning.conv_bias, _text,
            numbers=(*_WITH_CHOICE, "int64"), weight=600,
            samples=_samples("result image kernel bias", _FLOATS, False)),
    Routine("pointwise", (5, 5, 6), 1, meaning.conv, _text, numbers=_WITH_CHOICE, weight=600,
            samples=_points("result image kernel")),
    Routine("pointwise_bias", (5, 5, 6, 1), 1, meaning.conv_bias, _text,
            numbers=(*_WITH_CHOICE, "int64"), weight=600,
            samples=_points("result image kernel bias")),
    Routine("conv_weights", (6, 5, 5), 1, meaning.conv_weights, _text, numbers=_WITH_CHOICE,
            weight=600, samples=_samples("kernel image result", _FLOATS, False)),
    Routine("pointwise_weights", (6, 5, 5), 1, meaning.conv_weights, _text,
            numbers=_WITH_CHOICE, weight=600, samples=_points("kernel image result")),
    Routine("local", (5, 5, 9), 1, meaning.local, _text, numbers=_NUMBERS, weight=1000,
            samples=_samples("result image kernel", _ANY, True)),
    Routine("local_data", (5, 5, 9), 1, meaning.local_data, _text, numbers=_NUMBERS, weight=1000,
            samples=_samples("image result kernel", _ANY, True)),
    Routine("local_weights", (9, 5, 5), 1, meaning.local_weights, _text, numbers=_NUMBERS,
            weight=1000, samples=_samples("kernel image result", _ANY, True)),
)  # fmt: skip
