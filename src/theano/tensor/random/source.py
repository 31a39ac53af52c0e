"""What distributions are made from: samples of one state, counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Variable
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.constants import get_vector_length, vector_entries
from theano.ops.extents import size_of
from theano.ops.random_philox import Philox, mulhi
from theano.ops.random_rejection import PhiloxSampler

Extents = tuple[Any, ...]
FLOATS: Final = ("float16", "float32", "float64")


class Source:
    """Samples of a state: each has a call number of its own; ``next_state`` is after the last."""

    def __init__(self, state: Any) -> None:
        self.state: Any = as_tensor_variable(state)
        kind = self.state.type
        if kind.dtype != "uint64" or kind.ndim != 1:
            raise TypeError(
                f"A random state is a uint64 vector of two elements, got {self.state} of {kind}; "
                "theano.tensor.random.state(seed) makes one."
            )
        self._calls = 0

    def next_state(self) -> Any:
        """The state with as many calls more as there were samples."""
        return self.state + np.array([0, self._calls], dtype=np.uint64)

    def _counter(self) -> tuple[Any, Any]:
        key, call = self.state[0], self.state[1]
        if self._calls:
            call = call + np.uint64(self._calls)
        self._calls += 1
        return key, call

    def draw(self, kind: str, extents: Extents, dtype: str) -> Any:
        """A sample of a kind of `Philox`."""
        key, call = self._counter()
        return Philox(kind, dtype)(key, call, *extents)

    def sampler(self, kind: str, extents: Extents, dtype: str, *params: Any) -> Any:
        """A sample of a kind of `PhiloxSampler`.

        Integers are drawn as float64: the parameters' missing gradient is not taken for a zero one.
        """
        key, call = self._counter()
        drawn = dtype if dtype in FLOATS else "float64"
        return cast(PhiloxSampler(kind, drawn)(key, call, *extents, *params), dtype)

    def below(self, extents: Extents, bound: Any) -> Any:
        """uint64 integers from 0 to ``bound`` - 1."""
        return mulhi(self.draw("bits", extents, "uint64"), bound)


def float_dtype(dtype: str | None, *params: Any) -> str:
    """The dtype of a sample: given, or what floatX and the parameters have together.

    Raises TypeError for one that is no float.
    """
    if dtype is None:
        dtype = dtypes.upcast(config.floatX, *(x.type.dtype for x in params))
    elif dtype == "floatX":
        dtype = config.floatX
    found = dtypes.dtype_name(dtype)
    if found not in FLOATS:
        raise TypeError(f"dtype must be {', '.join(FLOATS)}, not {found}")
    return found


def extents_of(size: Any, *params: Any) -> Extents:
    """The extents of a sample: ints, and 0-d variables; None means those of the parameters.

    Raises TypeError for what is no size, ValueError where the rank is not known, or less than a
    parameter's.
    """
    least = max((x.type.ndim for x in params), default=0)
    if size is None:
        return tuple(_extent(params, axis - least) for axis in range(least))
    found = _entries(size)
    if len(found) < least:
        raise ValueError(
            f"size {size} has {len(found)} dimensions, but the parameters have up to {least}: "
            f"{', '.join(str(x.type) for x in params)}"
        )
    return found


def _extent(params: Sequence[Any], axis: int) -> Any:
    """The extent that the parameters have together along ``axis`` (counted from the end)."""
    found: Any = 1
    for x in params:
        if x.type.ndim >= -axis and not x.type.broadcastable[axis]:
            found = size_of(x, x.type.ndim + axis)
            if isinstance(found, int):
                break
    return found


def _entries(size: Any) -> Extents:
    if isinstance(size, (tuple, list)):
        return tuple(_entry(n, size) for n in size)
    if isinstance(size, (int, np.integer)) and not isinstance(size, bool):
        return (int(size),)
    vector = as_tensor_variable(size)
    if vector.type.ndim == 0:
        return (_entry(vector, size),)
    if vector.type.ndim != 1 or vector.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"size must be integers, got {vector} of type {vector.type}")
    return tuple(vector_entries(vector, get_vector_length(vector)))


def _entry(n: Any, size: Any) -> Any:
    if isinstance(n, (int, np.integer)) and not isinstance(n, bool):
        return int(n)
    x = as_tensor_variable(n)
    if x.type.ndim != 0 or x.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"size must be integers, got {n} in {size}")
    return sizes.simple(x)


def shaped(result: Any, extents: Extents, size: Any) -> Any:
    """``result``, checked: ValueError where the parameters stretch it beyond ``size``."""
    for axis, n in enumerate(extents):
        if sizes.known(n) == 1 and not result.type.broadcastable[axis]:
            raise ValueError(
                f"the parameters do not broadcast to the size {size}: dimension {axis} is 1"
            )
    return result


def floating(dtype: str, *params: Any) -> list[Any]:
    """The parameters in the dtype of the sample."""
    return [cast(x, dtype) for x in params]


def variables(*params: Any) -> list[Variable]:
    """The parameters as variables."""
    return [as_tensor_variable(x) for x in params]
