"""Statistics as NumPy spells them, made of other ops: quantiles, histograms, interpolation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Constant
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast, constant, dimshuffle
from theano.ops.cumulative import axis_of
from theano.ops.extents import size_of
from theano.ops.extra_numeric import linspace
from theano.ops.extra_shape import flip
from theano.ops.index import getitem


def _floats(x: Any) -> Any:
    """``x`` as floats: integers as float64, like NumPy's statistics."""
    x = as_tensor_variable(x)
    return cast(x, "float64") if x.type.dtype in dtypes.DISCRETE else x


def count_nonzero(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """How many elements are not zero, over ``axis`` (an int, several, or None for all); int64.

    >>> import theano.tensor as T
    >>> int(count_nonzero(T.constant([0, 3, 4])).eval())
    2
    """
    return apply("sum", apply("neq", a, 0), axis=axis, dtype="int64", keepdims=keepdims)


def average(
    a: Any, axis: int | None = None, weights: Any = None, returned: bool = False,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The mean over ``axis`` (None: all), each element as often as its weight says.

    Parameters
    ----------
    a : array.
    axis : int, or None for the mean of all elements.
    weights : array of the shape of ``a``, or a vector along ``axis``; default: all equal.
    returned : return (mean, sum of the weights).
    keepdims : keep ``axis`` with size 1.

    >>> import theano.tensor as T
    >>> float(average(T.constant([1.0, 4.0]), weights=T.constant([2.0, 1.0])).eval())
    2.0
    """
    a = _floats(a)
    if weights is None:
        result = apply("mean", a, axis=axis, keepdims=keepdims)
        total = apply("sum", apply("ones_like", a), axis=axis, keepdims=keepdims)
        return (result, total) if returned else result
    weights = _floats(weights)
    if weights.type.ndim != a.type.ndim:
        if weights.type.ndim != 1 or axis is None:
            raise TypeError(f"average: weights of {weights.type} do not fit {a.type}, axis={axis}")
        pattern: list[Any] = ["x"] * a.type.ndim
        pattern[axis_of(axis, a.type.ndim, "average")] = 0
        weights = dimshuffle(weights, pattern)
    weights = apply("add", weights, apply("zeros_like", a))
    total = apply("sum", weights, axis=axis, keepdims=keepdims)
    result = apply("sum", a * weights, axis=axis, keepdims=keepdims) / total
    return (result, total) if returned else result


# quantiles -------------------------------------------------------------------------------------

#: How the two neighbours and the part of the way between them make a quantile.
_METHODS: Final[Mapping[str, Callable[[Any, Any, Any], Any]]] = {
    "linear": lambda low, high, part: low + (high - low) * part,
    "lower": lambda low, high, part: low,
    "higher": lambda low, high, part: high,
    "midpoint": lambda low, high, part: (low + high) / 2,
    "nearest": lambda low, high, part: None,
}


def _in_front(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``a`` with the dimensions ``axis`` (None: all) as one, which is the first; and which."""
    ndim = a.type.ndim
    given = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(axis_of(i, ndim, "quantile") for i in given)
    rest = [i for i in range(ndim) if i not in axes]
    moved = dimshuffle(a, [*axes, *rest])
    if len(axes) == 1:
        return moved, axes
    total = sizes.product(size_of(a, i) for i in axes)
    shape = sizes.vector([total, *(size_of(a, i) for i in rest)])
    return apply("reshape", moved, shape, ndim=1 + len(rest)), axes


def quantile(
    a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The value below which the part ``q`` of the elements over ``axis`` lies.

    Parameters
    ----------
    a : array, not empty along ``axis``.
    q : 0-d or vector of numbers from 0 to 1; a vector's dimension comes first in the result.
    axis : int, several ints, or None for all elements.
    method : between two elements: 'linear', 'lower', 'higher', 'midpoint' or 'nearest'.
    keepdims : keep the dimensions ``axis`` with size 1.

    NaN where there is one among the elements. Differentiable in ``a``, and for 'linear' in ``q``.

    >>> import theano.tensor as T
    >>> quantile(T.constant([1.0, 2.0, 4.0]), [0.5, 0.75]).eval().tolist()
    [2.0, 3.0]
    """
    if method not in _METHODS:
        raise ValueError(f"quantile: method must be one of {list(_METHODS)}, not {method!r}")
    a, q = _floats(a), as_tensor_variable(q)
    if q.type.ndim > 1:
        raise ValueError(f"quantile: q must be 0-d or a vector, got {q.type}")
    if isinstance(q, Constant) and not ((q.data >= 0) & (q.data <= 1)).all():
        raise ValueError(f"quantile: q must lie between 0 and 1, got {q.data}")
    q = _floats(q)
    moved, axes = _in_front(a, axis)
    ordered = apply("sort", moved, axis=0)
    result = _pick(ordered, q, method)
    last = getitem(ordered, -1)
    result = apply("switch", apply("isnan", last), last, result)
    if not keepdims:
        return result
    kept = iter(range(q.type.ndim, result.type.ndim))
    pattern = ["x" if i in axes else next(kept) for i in range(a.type.ndim)]
    return dimshuffle(result, [*range(q.type.ndim), *pattern])


def _pick(ordered: Any, q: Any, method: str) -> Any:
    """The quantiles of sorted columns."""
    top = sizes.variable(sizes.sub(size_of(ordered, 0), 1))
    place = cast(q, "float64") * cast(top, "float64")
    if method == "nearest":
        return getitem(ordered, cast(apply("round", place), "int64"))
    below = cast(apply("floor", place), "int64")
    above = cast(apply("ceil", place), "int64")
    part = cast(place - cast(below, "float64"), ordered.type.dtype)
    part = dimshuffle(part, [*range(q.type.ndim), *["x"] * (ordered.type.ndim - 1)])
    low, high = getitem(ordered, below), getitem(ordered, above)
    return cast(_METHODS[method](low, high, part), ordered.type.dtype)


def percentile(
    a: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """``quantile`` of ``q`` hundredths: ``q`` from 0 to 100.

    >>> import theano.tensor as T
    >>> float(percentile(T.constant([1.0, 2.0, 4.0]), 50).eval())
    2.0
    """
    return quantile(a, _floats(q) / np.float64(100) if not isinstance(q, (int, float, list, tuple))
                    else np.asarray(q, "float64") / 100, axis, method, keepdims)  # fmt: skip


def median(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle element in order over ``axis``, or the mean of the middle two.

    >>> import theano.tensor as T
    >>> float(median(T.constant([7.0, 1.0, 2.0])).eval())
    2.0
    """
    return quantile(a, np.float64(0.5), axis, keepdims=keepdims)


# intervals -------------------------------------------------------------------------------------


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """The number of the interval that each element of ``x`` lies in; int64.

    Parameters
    ----------
    x : array.
    bins : vector of borders, ascending or descending.
    right : whether intervals contain their right border rather than their left one.

    >>> import theano.tensor as T
    >>> digitize(T.constant([0.5, 3.0]), T.constant([1.0, 3.0])).eval().tolist()
    [0, 2]
    """
    x, bins = as_tensor_variable(x), as_tensor_variable(bins)
    if bins.type.ndim != 1:
        raise ValueError(f"digitize: bins must be a vector, got {bins.type}")
    if isinstance(bins, Constant) and len(bins.data) < 2:
        return apply("searchsorted", bins, x, side="left" if right else "right")
    up = apply("searchsorted", bins, x, side="left" if right else "right")
    total = sizes.variable(size_of(bins, 0))
    down = total - apply("searchsorted", flip(bins), x, side="left" if right else "right")
    if isinstance(bins, Constant):
        return up if bins.data[0] <= bins.data[-1] else down
    return apply("switch", apply("le", getitem(bins, 0), getitem(bins, -1)), up, down)


def histogram(
    a: Any, bins: Any = 10, range: Sequence[Any] | None = None, density: bool = False,
    weights: Any = None,
) -> tuple[Any, Any]:  # fmt: skip
    """How many elements lie in each interval.

    Parameters
    ----------
    a : array; it is flattened.
    bins : number of equal intervals, or the ascending vector of their borders.
    range : (lowest, highest) border; default: those of ``a``. Elements outside do not count.
    density : divide by the total and by the widths, so that the integral is 1.
    weights : what each element counts, an array of the shape of ``a``.

    Returns (counts, borders). The last interval contains its right border.

    >>> import theano.tensor as T
    >>> [v.eval().tolist() for v in histogram(T.constant([0.0, 1.0, 4.0]), 2)]
    [[2, 1], [0.0, 2.0, 4.0]]
    """
    a = apply("flatten", as_tensor_variable(a))
    edges = as_tensor_variable(bins)
    if edges.type.ndim == 0:
        edges = _borders(a, bins, range)
    count = sizes.sub(size_of(edges, 0), 1)
    place = apply("searchsorted", edges, a, side="right")
    at_end = apply("eq", a, getitem(edges, -1))
    place = place - cast(at_end, "int64")
    # Number 0 is below, number count + 1 above; NaN is above, too.
    length = sizes.add(count, 2)
    given = None if weights is None else apply("flatten", as_tensor_variable(weights))
    found = apply("bincount", place, given, sizes.variable(length))
    counts = getitem(found, slice(1, sizes.add(count, 1)))
    if not density:
        return counts, edges
    widths = apply("diff", edges)
    return cast(counts, "float64") / (widths * apply("sum", counts)), edges


def _borders(a: Any, bins: Any, range: Sequence[Any] | None) -> Any:
    kind = "float64" if a.type.dtype in dtypes.DISCRETE else a.type.dtype
    if range is None:
        low, high = cast(apply("min", a), kind), cast(apply("max", a), kind)
    else:
        low, high = (cast(as_tensor_variable(v), kind) for v in range)
    flat = apply("eq", low, high)
    half = apply("switch", flat, constant(np.asarray(0.5, kind)), constant(np.asarray(0, kind)))
    return linspace(low - half, high + half, sizes.add(sizes.simple(bins), 1))


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Any:
    """The piecewise linear function through the points (xp, fp), at ``x``.

    Parameters
    ----------
    x : array.
    xp, fp : vectors of one length, ``xp`` ascending.
    left, right : values before the first and behind the last point; default: the first and last
        element of ``fp``.

    Differentiable in ``x`` and both vectors.

    >>> import theano.tensor as T
    >>> interp(T.constant([0.5, 9.0]), [0.0, 1.0], [10.0, 20.0]).eval().tolist()
    [15.0, 20.0]
    """
    x, xp, fp = _floats(x), _floats(xp), _floats(fp)
    if xp.type.ndim != 1 or fp.type.ndim != 1:
        raise ValueError(f"interp: xp and fp must be vectors, got {xp.type} and {fp.type}")
    last = sizes.variable(sizes.sub(size_of(xp, 0), 1))
    place = apply("searchsorted", xp, x, side="right")
    above = apply("minimum", place, last)
    below = apply("maximum", place - np.int64(1), np.int64(0))
    x0, x1, f0, f1 = (getitem(v, i) for v in (xp, fp) for i in (below, above))
    width = x1 - x0
    flat = apply("eq", width, 0)
    slope = (f1 - f0) / apply("switch", flat, np.int8(1), width)
    # Outside the slope is 0; the distance may be infinite there.
    inner = apply("switch", flat, apply("zeros_like", x), x - x0)
    result = f0 + slope * inner
    if left is not None:
        result = apply("switch", apply("lt", x, getitem(xp, 0)), left, result)
    if right is not None:
        result = apply("switch", apply("gt", x, getitem(xp, -1)), right, result)
    return apply("switch", apply("isnan", x), x, result)


FUNCTIONS = (
    count_nonzero, average, quantile, percentile, median, digitize, histogram, interp,
)  # fmt: skip
for _builder in FUNCTIONS:
    register(_builder.__name__, _builder)
