"""Correlations of images with 3x3 kernels by minimal filtering, and their gradients for kernels.

Arrays and numbers are those of `conv`: ``conv``, ``conv_bias`` and ``conv_weights`` call these.
Nothing may be empty, the extents of the kernels are 3, 1 and 3, images have one column, and strides
and dilations are 1; everything else fails, and so does a call without enough memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from theano.runtime.routines import conv_meaning as meaning
from theano.runtime.routines.base import Routine, Sample, Text

if TYPE_CHECKING:
    from theano.runtime.support import Target

#: (batch, groups, channels and filters of a group, rows and columns, zeros before and behind them).
_CALLS: Final = (
    (1, 1, 1, 1, (1, 1), ((1, 1), (1, 1))),
    (2, 1, 3, 2, (4, 4), ((0, 0), (0, 0))),
    (3, 2, 5, 7, (5, 6), ((1, 1), (2, 2))),
    (2, 1, 17, 33, (7, 9), ((1, 1), (1, 1))),
    (9, 1, 16, 16, (2, 3), ((2, 2), (0, 1))),
    (1, 3, 35, 9, (13, 8), ((2, 0), (-1, 3))),
    (1, 1, 2, 70, (3, 130), ((5, 4), (1, 1))),
    (2, 1, 81, 3, (40, 3), ((1, 0), (1, 1))),
)


def _samples(order: str) -> Any:
    """Odd and even extents, few and many channels, groups, zeros at all sides, none, and cuts."""

    def make(rng: Any) -> Iterator[Sample]:
        for dtype in ("float32", "float64"):
            for batch, groups, channels, filters, cells, zeros in _CALLS:
                rows, columns = (n + a + b - 2 for n, (a, b) in zip(cells, zeros, strict=True))
                shapes = {
                    "image": (batch, groups * channels, cells[0], 1, cells[1]),
                    "result": (batch, groups * filters, rows, 1, columns),
                    "kernel": (groups, filters, channels, 3, 1, 3),
                    "bias": (groups * filters,),
                }
                arrays = [rng.uniform(-1, 1, shapes[name]) for name in order.split()]
                numbers = (1, 1, 1, 1, 1, 1, zeros[0][0], 0, zeros[1][0])
                given = tuple(a.astype(dtype) for a in arrays)
                if "bias" in order:
                    yield Sample(given, (*numbers, 1, 0))
                    yield Sample(tuple(a.copy() for a in given), (*numbers, 1, 1))
                else:
                    yield Sample(given, numbers)

    return make


def _forward(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    from theano.runtime.routines.winograd_forward import WinogradForward

    bias = symbol.startswith("th_winograd_bias")
    return WinogradForward(symbol, ROUTINES[int(bias)], dtypes[0], target).text()


def _weights(symbol: str, dtypes: tuple[str, ...], target: Target) -> Text:
    from theano.runtime.routines.winograd_weights import WinogradWeights

    return WinogradWeights(symbol, ROUTINES[2], dtypes[0], target).text()


_NUMBERS: Final = ("int64",) * 9

ROUTINES: Final = (
    Routine("winograd", (5, 5, 6), 1, meaning.conv, _forward, numbers=_NUMBERS, weight=600,
            samples=_samples("result image kernel")),
    Routine("winograd_bias", (5, 5, 6, 1), 1, meaning.conv_bias, _forward,
            numbers=(*_NUMBERS, "int64", "int64"), weight=600,
            samples=_samples("result image kernel bias")),
    Routine("winograd_weights", (6, 5, 5), 1, meaning.conv_weights, _weights, numbers=_NUMBERS,
            weight=600, samples=_samples("kernel image result")),
)  # fmt: skip
