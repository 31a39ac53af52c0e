"""Arithmetic on extents. An extent is a Python int where it is known, else a 0-d int64 variable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from theano.graph.nodes import Constant, Variable
from theano.graph.registry import apply
from theano.ops.basic import cast, constant

Size = Any  # int | Variable

# Steps of slices beyond this select one element, as this does, but overflow in sums with extents.
STEP_LIMIT: Final = 2**62


def known(size: Size) -> int | None:
    """The value of ``size`` if it is an int or a constant, else None."""
    if isinstance(size, (int, np.integer)):
        return int(size)
    if isinstance(size, Constant) and np.ndim(size.data) == 0:
        return int(size.data)
    return None


def simple(size: Size) -> Size:
    """``size``, as an int where that is possible."""
    value = known(size)
    return size if value is None else value


def variable(size: Size) -> Variable:
    """``size`` as a 0-d int64 variable."""
    value = known(size)
    result: Variable = cast(size, "int64") if value is None else constant(np.int64(value))
    return result


def _operand(size: Size) -> Variable | np.int64:
    value = known(size)
    return size if value is None else np.int64(value)


def add(a: Size, b: Size) -> Size:
    """``a + b``."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return x + y
    if x == 0 or y == 0:
        return b if x == 0 else a
    return apply("add", _operand(a), _operand(b))


def sub(a: Size, b: Size) -> Size:
    """``a - b``."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return x - y
    return a if y == 0 else apply("sub", _operand(a), _operand(b))


def mul(a: Size, b: Size) -> Size:
    """``a * b``."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return x * y
    if x == 1 or y == 1:
        return b if x == 1 else a
    return apply("mul", _operand(a), _operand(b))


def floordiv(a: Size, b: Size) -> Size:
    """``a // b``, rounded down."""
    x, y = known(a), known(b)
    if x is not None and y:
        return x // y
    return a if y == 1 else apply("int_div", _operand(a), _operand(b))


def minimum(a: Size, b: Size) -> Size:
    """The smaller of two."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return min(x, y)
    return apply("minimum", _operand(a), _operand(b))


def maximum(a: Size, b: Size) -> Size:
    """The larger of two."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return max(x, y)
    return apply("maximum", _operand(a), _operand(b))


def where(name: str, a: Size, b: Size, yes: Size, no: Size) -> Size:
    """``yes`` where the comparison ``name`` (lt, gt, eq …) of a and b holds, else ``no``."""
    x, y = known(a), known(b)
    if x is not None and y is not None:
        return yes if getattr(int, f"__{name}__")(x, y) else no
    condition = apply(name, _operand(a), _operand(b))
    return apply("switch", condition, _operand(yes), _operand(no))


def product(sizes: Iterable[Size]) -> Size:
    """The product; 1 of nothing."""
    result: Size = 1
    for size in sizes:
        result = mul(result, size)
    return result


def total(sizes: Iterable[Size]) -> Size:
    """The sum; 0 of nothing."""
    result: Size = 0
    for size in sizes:
        result = add(result, size)
    return result


def vector(sizes: Sequence[Size]) -> Variable:
    """Extents as an int64 vector."""
    values = [known(size) for size in sizes]
    if all(value is not None for value in values):
        return constant(np.array(values, dtype="int64"))
    result: Variable = apply("make_vector", *map(variable, sizes))
    return result


def ceil_div(a: Size, b: Size) -> Size:
    """``a / b`` rounded up, for any signs; b is not 0."""
    return a if known(b) == 1 else sub(0, floordiv(sub(0, a), b))


def slice_length(start: Size | None, stop: Size | None, step: Size | None, n: Size) -> Size:
    """How many elements ``range(n)[start:stop:step]`` has."""
    entries = [1 if step is None else simple(step), simple(n)]
    bounds = [None if bound is None else simple(bound) for bound in (start, stop)]
    if all(isinstance(entry, int) for entry in (*entries, *(b for b in bounds if b is not None))):
        return len(range(*slice(bounds[0], bounds[1], entries[0]).indices(entries[1])))
    stride, extent = entries
    if not isinstance(stride, int):
        forward = minimum(maximum(stride, 1), STEP_LIMIT)
        backward = sub(0, maximum(minimum(stride, -1), -STEP_LIMIT))
        up = _length_up(bounds[0], bounds[1], forward, extent)
        down = _length_down(bounds[0], bounds[1], backward, extent)
        return where("gt", stride, 0, up, down)
    stride = max(-STEP_LIMIT, min(stride, STEP_LIMIT))
    if stride > 0:
        return _length_up(bounds[0], bounds[1], stride, extent)
    return _length_down(bounds[0], bounds[1], -stride, extent)


def _length_up(start: Size | None, stop: Size | None, step: Size, n: Size) -> Size:
    if stop is None and isinstance(start, int) and start < 0:
        return _rounded(minimum(-start, n), step)
    first = 0 if start is None else _resolved(start, n, 0, n)
    last = n if stop is None else _resolved(stop, n, 0, n)
    if first == 0 and isinstance(first, int):
        return _rounded(last, step)
    return _rounded(maximum(sub(last, first), 0), step)


def _length_down(start: Size | None, stop: Size | None, step: Size, n: Size) -> Size:
    if start is None and stop is None:
        return _rounded(n, step)
    top = sub(n, 1)
    first = top if start is None else _resolved(start, n, -1, top)
    last = -1 if stop is None else _resolved(stop, n, -1, top)
    return _rounded(maximum(sub(first, last), 0), step)


def _resolved(bound: Size, n: Size, low: int, high: Size) -> Size:
    """A slice bound as a position between ``low`` and ``high``."""
    if isinstance(bound, int):
        if bound < 0:
            return maximum(add(n, bound), low)
        return 0 if bound == 0 and low == 0 else minimum(bound, high)
    return where("lt", bound, 0, maximum(add(bound, n), low), minimum(bound, high))


def _rounded(count: Size, step: Size) -> Size:
    return count if step == 1 and isinstance(step, int) else ceil_div(count, step)
