"""Numeric functions as NumPy spells them, made of other ops: ranges, windows, log of sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.elemwise import Elemwise
from theano.ops.extents import size_of
from theano.ops.index import getitem
from theano.ops.scalar import ScalarRow, float_out_no_complex, t

# ranges ----------------------------------------------------------------------------------------


def _real(x: Any) -> Any:
    """A tensor of floats: Python numbers and integers take floatX."""
    if isinstance(x, (int, float)):
        return as_tensor_variable(np.asarray(x, dtype=config.floatX))
    x = as_tensor_variable(x)
    return cast(x, config.floatX) if x.type.dtype in dtypes.DISCRETE else x


def _count(num: Any, what: str) -> Any:
    """A number of points as an extent."""
    count = sizes.simple(num)
    if isinstance(count, int) and count < 0:
        raise ValueError(f"{what}: the number of points must not be negative, got {count}")
    return count


def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
    dtype: str | None = None,
) -> Any:  # fmt: skip
    """``num`` numbers at equal distances from ``start`` to ``stop``.

    Parameters
    ----------
    start, stop : 0-d.
    num : int or 0-d integer.
    endpoint : whether ``stop`` is the last number (exactly), or is left out.
    retstep : return (numbers, distance).
    dtype : of the result; default that of ``start`` and ``stop``, floatX for integers.

    >>> import theano.tensor as T
    >>> linspace(0, 1, 5).eval().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    first, last = _real(start), _real(stop)
    if first.type.ndim or last.type.ndim:
        raise TypeError(f"linspace: start and stop must be 0-d, got {first.type}, {last.type}")
    count = _count(num, "linspace")
    kind = dtypes.promote(first.type.dtype, last.type.dtype)
    parts = sizes.maximum(sizes.sub(count, int(endpoint)), 1)
    step = (last - first) / cast(sizes.variable(parts), kind)
    number = apply("arange", sizes.variable(count))
    values = cast(number, kind) * step + first
    if endpoint:
        final = apply("and_", apply("eq", number, sizes.variable(parts)), apply("gt", number, 0))
        values = apply("switch", final, last, values)
    values = cast(values, kind if dtype is None else dtype)
    return (values, step) if retstep else values


def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: str | None = None,
) -> Any:  # fmt: skip
    """``base`` to the powers ``linspace(start, stop, num, endpoint)``.

    >>> import theano.tensor as T
    >>> logspace(0, 3, 4, base=2.0).eval().tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    values = apply("pow", _real(base), linspace(start, stop, num, endpoint))
    return values if dtype is None else cast(values, dtype)


def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: str | None = None
) -> Any:
    """``num`` numbers from ``start`` to ``stop``, each a constant multiple of the one before.

    ``start`` and ``stop`` are 0-d, of the same sign and not 0; the others are as for ``linspace``.

    >>> import theano.tensor as T
    >>> geomspace(1, 1000, 4).eval().round(9).tolist()
    [1.0, 10.0, 100.0, 1000.0]
    """
    first, last = _real(start), _real(stop)
    kind = dtypes.promote(first.type.dtype, last.type.dtype)
    exponents = linspace(np.zeros((), kind), np.ones((), kind), num, endpoint)
    values = first * apply("pow", last / first, exponents)
    return values if dtype is None else cast(values, dtype)


def bartlett(M: Any) -> Any:
    """The triangular window of ``M`` points: 1 - |n - h| / h with h = (M - 1) / 2; float64.

    ``M`` is a 0-d integer. No points where ``M`` is below 1, and a single 1 where it is 1.

    >>> bartlett(5).eval().tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    M = as_tensor_variable(M)
    if M.type.ndim != 0 or M.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"bartlett: M must be a 0-d integer, got {M.type}")
    count = cast(M, "int64")
    half = cast(count - np.int64(1), "float64") / np.float64(2)
    n = cast(apply("arange", apply("maximum", count, np.int64(0))), "float64")
    single = apply("eq", half, 0)
    safe = apply("switch", single, np.float64(1), half)
    return np.float64(1) - apply("abs_", n - half) / safe


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of the elements of a vector as columns, the highest first unless ``increasing``.

    ``N`` is the number of columns; default: the length of ``x``, which must be known then.

    >>> import theano.tensor as T
    >>> vander(T.constant([2, 3]), 3).eval().tolist()
    [[4, 2, 1], [9, 3, 1]]
    """
    x = as_tensor_variable(x)
    if x.type.ndim != 1:
        raise ValueError(f"vander: x must be a vector, got {x.type}")
    columns: Any = size_of(x, 0) if N is None else int(N)
    ones = apply("alloc", np.ones((), x.type.dtype), size_of(x, 0), sizes.minimum(columns, 1))
    more = sizes.maximum(sizes.sub(columns, 1), 0)
    repeated = apply("alloc", x.dimshuffle(0, "x"), size_of(x, 0), more)
    powers = apply("cumprod", apply("join", 1, ones, repeated), 1)
    return powers if increasing else getitem(powers, (slice(None), slice(None, None, -1)))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The discrete convolution of two vectors: Σ_m a[m] v[n - m].

    Parameters
    ----------
    a, v : vectors, not empty.
    mode : 'full' (every overlap), 'same' (as long as the longer one) or 'valid' (whole overlaps).

    It is a product with a matrix of shifted copies: meant for short ``v``.

    >>> import theano.tensor as T
    >>> convolve(T.constant([1.0, 2.0, 3.0]), T.constant([0.0, 1.0, 0.5])).eval().tolist()
    [0.0, 1.0, 2.5, 4.0, 1.5]
    """
    a, v = as_tensor_variable(a), as_tensor_variable(v)
    if a.type.ndim != 1 or v.type.ndim != 1:
        raise ValueError(f"convolve: a and v must be vectors, got {a.type} and {v.type}")
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode must be 'full', 'same' or 'valid', not {mode!r}")
    m, n = size_of(a, 0), size_of(v, 0)
    border = apply("alloc", np.zeros((), a.type.dtype), sizes.sub(n, 1))
    padded = apply("join", 0, border, a, border)
    shorter, longer = sizes.minimum(m, n), sizes.maximum(m, n)
    first: Any = 0
    length = sizes.sub(sizes.add(m, n), 1)
    if mode == "same":
        first, length = sizes.floordiv(sizes.sub(shorter, 1), 2), longer
    elif mode == "valid":
        first, length = sizes.sub(shorter, 1), sizes.add(sizes.sub(longer, shorter), 1)
    rows = apply("arange", sizes.variable(length)) + sizes.variable(first)
    columns = apply("arange", sizes.variable(n))
    windows = getitem(padded, rows.dimshuffle(0, "x") + columns.dimshuffle("x", 0))
    return apply("dot", windows, getitem(v, slice(None, None, -1)))


# elementwise -----------------------------------------------------------------------------------


def _logaddexp_body(k: Any, x: Any, y: Any) -> Any:
    apart = k.select(k.eq(x, y), 0.0, k.abs(x - y))
    return k.max(x, y) + k.log1p(k.exp(-apart))


def _hypot_body(k: Any, x: Any, y: Any) -> Any:
    a, b = k.abs(x), k.abs(y)
    large, small = k.max(a, b), k.min(a, b)
    ratio = small / k.select(k.eq(large, 0.0), 1.0, large)
    length = large * k.sqrt(ratio * ratio + 1.0)
    return k.select(k.isinf(a) | k.isinf(b), math.inf, length)


def _logaddexp_grad(g: Any, z: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """The weights exp(x - z) and exp(y - z); a half each where both are the same infinity."""

    def part(v: Any) -> Any:
        whole = t.switch(t.eq(x, y), 0.5, 1.0)
        return g * t.switch(t.eq(v, z), whole, t.exp(v - z))

    return part(x), part(y)


def _hypot_grad(g: Any, z: Any, x: Any, y: Any) -> tuple[Any, Any]:
    safe = t.switch(t.eq(z, 0), 1, z)
    return g * x / safe, g * y / safe


_NEAR = ((-20.0, 20.0),)
logaddexp = Elemwise(ScalarRow(
    "logaddexp", 2, float_out_no_complex, np.logaddexp, _logaddexp_body, _logaddexp_grad,
    domain=_NEAR, commutative=True, associative=True, cost="heavy",
))  # fmt: skip
hypot = Elemwise(ScalarRow(
    "hypot", 2, float_out_no_complex, np.hypot, _hypot_body, _hypot_grad, domain=((0.1, 20.0),),
    commutative=True, cost="heavy",
))  # fmt: skip


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """log Σ exp(x) over ``axis`` (an int, several, or None for all), without overflow.

    Integers are taken as floats. Minus infinity where all elements are; its gradient is softmax.

    >>> import theano.tensor as T
    >>> round(float(logsumexp(T.constant([1000.0, 1000.0])).eval()), 6)
    1000.693147
    """
    x = as_tensor_variable(x)
    if x.type.dtype in dtypes.DISCRETE:
        x = cast(x, dtypes.upgrade_to_float(x.type.dtype))
    top = apply("max", x, axis=axis, keepdims=True)
    top = apply("zero_grad", apply("switch", apply("isinf", top), np.int8(0), top))
    top = cast(top, x.type.dtype)
    total = apply("sum", apply("exp", x - top), axis=axis, keepdims=True)
    result = apply("log", total) + top
    return result if keepdims else _without(result, x, axis)


def _without(kept: Any, x: Any, axis: Any) -> Any:
    """A result of ``keepdims`` without the dimensions that were reduced."""
    ndim = x.type.ndim
    given = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = {int(a) % ndim for a in given}
    return kept.dimshuffle(*(i for i in range(ndim) if i not in axes))


def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """``x`` with numbers instead of NaN and infinities.

    ``posinf`` and ``neginf`` are by default the greatest and least finite number of the dtype.

    >>> import theano.tensor as T
    >>> nan_to_num(T.constant([1.0, float("nan")]), nan=7).eval().tolist()
    [1.0, 7.0]
    """
    x = as_tensor_variable(x)
    if x.type.dtype in dtypes.DISCRETE:
        return x
    if x.type.dtype not in dtypes.float_dtypes:
        raise TypeError(f"nan_to_num takes real numbers, got {x.type}")
    limits = np.finfo(x.type.dtype)

    def number(value: Any, default: Any) -> Any:
        return np.asarray(default if value is None else value, dtype=x.type.dtype)

    infinite = apply("switch", apply("gt", x, 0), number(posinf, limits.max),
                     number(neginf, limits.min))  # fmt: skip
    result = apply("switch", apply("isinf", x), infinite, x)
    return apply("switch", apply("isnan", x), number(nan, 0.0), result)


def isfinite(x: Any) -> Any:
    """Whether elements are neither NaN nor infinite (bool).

    >>> import theano.tensor as T
    >>> isfinite(T.constant([1.0, math.inf])).eval().tolist()
    [True, False]
    """
    return apply("invert", apply("or_", apply("isnan", x), apply("isinf", x)))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> Any:
    """Whether two arrays have the same shape and the same elements (0-d bool).

    >>> import theano.tensor as T
    >>> bool(array_equal(T.constant([1, 2]), T.constant([1, 2])).eval())
    True
    """
    a1, a2 = as_tensor_variable(a1), as_tensor_variable(a2)
    ndim = a1.type.ndim
    if ndim != a2.type.ndim:
        return as_tensor_variable(np.asarray(False))
    shapes = [apply("eq", apply("shape_i", a1, i), apply("shape_i", a2, i)) for i in range(ndim)]
    one, two = apply("flatten", a1), apply("flatten", a2)
    shared = slice(None, sizes.minimum(size_of(one, 0), size_of(two, 0)))
    one, two = getitem(one, shared), getitem(two, shared)
    same = apply("eq", one, two)
    if equal_nan:
        same = apply("or_", same, apply("and_", apply("isnan", one), apply("isnan", two)))
    result = apply("all", same)
    for shape in shapes:
        result = apply("and_", result, shape)
    return result


FUNCTIONS = (
    linspace, logspace, geomspace, bartlett, vander, convolve, logsumexp, nan_to_num, isfinite,
    array_equal,
)  # fmt: skip
for _builder in FUNCTIONS:
    register(_builder.__name__, _builder)
register("logaddexp", logaddexp)
register("hypot", hypot)
