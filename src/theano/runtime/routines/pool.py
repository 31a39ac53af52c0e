"""Pooling over windows of up to three axes, and its gradients.

Arrays are (images, depth, height, width); fewer axes are extents of 1. Numbers are the window, the
stride and the padding for each axis, and what sums are divided by (`SUM`, `WITH_PADDING`,
`WITHOUT_PADDING`). Rows of results are independent of each other and split over threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.routines.base import Routine, Sample
from theano.runtime.routines.pool_backward import MaximaGrad, Picked, SumsGrad
from theano.runtime.routines.pool_forward import Maxima, Sums
from theano.runtime.routines.pool_text import SUM, WITH_PADDING, WITHOUT_PADDING, Pooling

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS: Final = ("int64",) * 10


# meaning -----------------------------------------------------------------------------------------


def window(position: int, size: int, stride: int, pad: int, extent: int) -> tuple[int, int, int]:
    """(first, end, count with padding) of the cells that a window covers.

    >>> window(0, 3, 2, 1, 5)
    (0, 2, 3)
    """
    start = position * stride - pad
    stop = start + size
    return max(start, 0), max(min(stop, extent), max(start, 0)), min(stop, extent + pad) - start


def windows(shape: Sequence[int], image: Sequence[int], numbers: Sequence[int]) -> Iterator[Any]:
    """For each position of a result: its index, the index of its cells, what it is divided by."""
    sizes, strides, pads = (tuple(numbers[i : i + 3]) for i in (0, 3, 6))
    for index in np.ndindex(*shape[1:]):
        found = [window(*of) for of in zip(index, sizes, strides, pads, image[1:], strict=True)]
        cells = tuple(slice(first, end) for first, end, _ in found)
        with_padding = int(np.prod([count for _, _, count in found]))
        without = int(np.prod([end - first for first, end, _ in found]))
        yield (
            (slice(None), *index),
            (slice(None), *cells),
            (1, with_padding, without)[numbers[9]],
        )


def _wide(x: Any) -> Any:
    return x.astype("float32") if x.dtype == "float16" else x


def lowest(dtype: Any) -> Any:
    """What is below every other number of a dtype."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _pool_max(out: Any, x: Any, *numbers: int) -> None:
    for place, cells, _ in windows(out.shape, x.shape, numbers):
        out[place] = x[cells].max(axis=(1, 2, 3), initial=lowest(x.dtype))


def _pool_sum(out: Any, x: Any, *numbers: int) -> None:
    for place, cells, count in windows(out.shape, x.shape, numbers):
        total = _wide(x[cells]).sum(axis=(1, 2, 3), dtype=_wide(x).dtype)
        with np.errstate(all="ignore"):
            out[place] = total if numbers[9] == SUM else total / np.asarray(count, total.dtype)


def _pool_max_grad(gx: Any, x: Any, z: Any, g: Any, *numbers: int) -> None:
    total = np.zeros(gx.shape, _wide(gx).dtype)
    for place, cells, _ in windows(z.shape, x.shape, numbers):
        top, incoming = (a[place][:, None, None, None] for a in (z, g))
        total[cells] += np.where(x[cells] == top, incoming, 0)
    gx[...] = total


def _pool_sum_grad(gx: Any, g: Any, *numbers: int) -> None:
    total = np.zeros(gx.shape, _wide(gx).dtype)
    for place, cells, count in windows(g.shape, gx.shape, numbers):
        with np.errstate(all="ignore"):
            total[cells] += _wide(g[place])[:, None, None, None] / np.asarray(count, total.dtype)
    gx[...] = total


def _pool_max_pick(out: Any, x: Any, z: Any, v: Any, *numbers: int) -> None:
    for place, cells, _ in windows(out.shape, x.shape, numbers):
        top = x[cells] == z[place][:, None, None, None]
        out[place] = np.where(top, _wide(v[cells]), 0).sum(axis=(1, 2, 3))


# rows --------------------------------------------------------------------------------------------

_FLOATS: Final = ("float16", "float32", "float64")
#: (image, result, windows): usual ones, partial windows, padding, gaps, windows larger than images,
#: windows side by side in several planes, with cells behind the last or cut off
_SHAPES: Final = (
    ((3, 1, 8, 40), (3, 1, 4, 20), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
    ((2, 1, 7, 19), (2, 1, 4, 10), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
    ((2, 1, 9, 37), (2, 1, 7, 35), (1, 3, 3, 1, 1, 1, 0, 0, 0)),
    ((1, 1, 9, 41), (1, 1, 5, 21), (1, 3, 3, 1, 2, 2, 0, 1, 1)),
    ((2, 3, 5, 17), (2, 2, 3, 6), (2, 3, 3, 1, 2, 3, 0, 1, 1)),
    ((1, 1, 4, 23), (1, 1, 4, 25), (1, 3, 4, 1, 1, 1, 0, 1, 3)),
    ((1, 2, 3, 11), (1, 1, 1, 3), (3, 5, 2, 3, 5, 5, 0, 0, 0)),
    ((5, 2, 6, 8), (5, 2, 3, 4), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
    ((2, 5, 11, 10), (2, 2, 3, 3), (2, 3, 3, 2, 3, 3, 0, 0, 0)),
    ((2, 3, 8, 11), (2, 2, 3, 4), (2, 3, 3, 2, 3, 3, 0, 0, 0)),
    ((2, 1, 90, 26), (2, 1, 45, 13), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
    ((2, 1, 3, 0), (2, 1, 1, 0), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
    ((0, 1, 4, 4), (0, 1, 2, 2), (1, 2, 2, 1, 2, 2, 0, 0, 0)),
)


def _samples(arrays: str, dtypes: Sequence[str], counts: Sequence[int]) -> Any:
    """Calls; ``arrays`` says which are images (i) and which have an element per window (w)."""

    def make(rng: Any) -> Iterator[Sample]:
        for dtype in dtypes:
            for number, (image, result, numbers) in enumerate(_SHAPES):
                shapes = [image if a == "i" else result for a in arrays]
                # Small integers: there are ties, and sums are exact.
                given = [rng.integers(0, 5, shape).astype(dtype) for shape in shapes]
                yield Sample(tuple(given), (*numbers, counts[number % len(counts)]))

    return make


def _row(
    kind: type[Pooling], arrays: str, meaning: Callable[..., None],
    counts: Sequence[int] = (SUM,), dtypes: Sequence[str] = _FLOATS,
) -> Routine:  # fmt: skip
    return Routine(
        kind.name, (4,) * len(arrays), 1, meaning,
        lambda symbol, given, target: kind(given[0], target).text(symbol),
        numbers=NUMBERS, samples=_samples(arrays, dtypes, counts),
    )  # fmt: skip


_ALL: Final = (SUM, WITH_PADDING, WITHOUT_PADDING)
_SOME: Final = (*_FLOATS, "int8", "uint16", "int64")
ROUTINES: Final = (
    _row(Maxima, "wi", _pool_max, dtypes=_SOME),
    _row(Sums, "wi", _pool_sum, _ALL),
    _row(MaximaGrad, "iiww", _pool_max_grad),
    _row(SumsGrad, "iw", _pool_sum_grad, _ALL),
    _row(Picked, "wiwi", _pool_max_pick),
)
