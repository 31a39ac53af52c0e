"""From Python values to variables: ``constant``, ``as_tensor_variable`` and small helpers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.core.errors import AsTensorError
from theano.graph import registry
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorConstant, TensorType

_CACHED_LIMIT = 10
_cached: dict[tuple[str, bytes], TensorConstant] = {}


def literal_array(value: Any, dtype: str | None = None) -> Any:
    """``value`` as an ndarray of the dtype that it takes in expressions.

    Python ints take the smallest integer dtype that holds them, Python floats follow
    ``config.cast_policy`` and ``config.floatX``; NumPy values keep their dtype, lists become what
    NumPy makes of them, and an empty list has dtype floatX. ``dtype`` overrides all this.
    """
    if dtype is not None:
        return np.asarray(value, dtype=dtypes.dtype_name(dtype))
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value)
    if isinstance(value, (bool, int, float, complex)):
        return np.asarray(value, dtype=dtypes.literal_dtype(value))
    array = np.asarray(value)
    if array.size == 0 and not hasattr(value, "dtype"):
        array = array.astype(config.floatX)
    return array


def constant(
    x: Any, name: str | None = None, ndim: int | None = None, dtype: str | None = None
) -> TensorConstant:
    """A constant with the value ``x``; dimensions of size 1 are broadcastable.

    Parameters
    ----------
    x : number, sequence of numbers or ndarray (which is not copied).
    name : shown instead of the value when printed.
    ndim : the rank wanted: dimensions of size 1 are added on the left.
    dtype : default as ``literal_array`` says.

    Raises TypeError for values that are not numeric, ValueError where ``ndim`` is too small.

    >>> constant([[1, 2]]).broadcastable
    (True, False)
    """
    data = literal_array(x, dtype)
    if data.dtype.name not in dtypes.NUMPY:
        raise TypeError(
            f"cannot make a tensor of {type(x).__name__} {str(x)[:60]!r} (NumPy dtype {data.dtype})"
        )
    if ndim is not None and data.ndim != ndim:
        if data.ndim > ndim:
            raise ValueError(f"ndim={ndim} is too small for a value of shape {data.shape}")
        data = data.reshape((1,) * (ndim - data.ndim) + data.shape)
    if data.ndim == 0 and name is None:
        return _small_constant(data)
    kind = TensorType(data.dtype.name, shape=data.shape)
    return TensorConstant(kind, kind.filter(data), name)


def _small_constant(data: Any) -> TensorConstant:
    """Whole scalars up to 10 in magnitude are made once and shared."""
    value = data[()]
    small = abs(value) <= _CACHED_LIMIT and value == int(value.real)
    key = (data.dtype.name, data.tobytes())
    if small and key in _cached and config.warn_float64 == "ignore":
        return _cached[key]
    kind = TensorType(data.dtype.name, shape=())
    if not small:
        return TensorConstant(kind, kind.filter(data))
    result = _cached[key] = TensorConstant(kind, kind.filter(data.copy()))
    result.cached = True  # type: ignore[attr-defined]
    return result


def as_tensor_variable(x: Any, name: str | None = None, ndim: int | None = None) -> Any:
    """``x`` as a tensor variable.

    Parameters
    ----------
    x : a variable (returned as it is), an Apply (its output), a number, an array, or a sequence of
        these; a sequence that holds variables becomes their ``stack``.
    name : given to a constant that is made.
    ndim : the rank wanted: broadcastable dimensions are added or removed on the left.

    Raises AsTensorError for Python bools (to catch ``x == y`` used as a symbolic comparison) and
    for what is not numeric; ValueError where ``ndim`` would drop a dimension that is not
    broadcastable.

    >>> as_tensor_variable(3).dtype
    'int8'
    """
    if hasattr(x, "_as_TensorVariable"):
        return x._as_TensorVariable()
    if isinstance(x, Apply):
        x = _only_output(x)
    if isinstance(x, Variable):
        if not isinstance(x.type, TensorType):
            return _convert_variable(x)
        return x if ndim is None or x.type.ndim == ndim else _with_rank(x, ndim)
    if isinstance(x, bool):
        raise AsTensorError(
            "Cannot cast True or False as a tensor variable. Please use np.array(True) or "
            "np.array(False) if you need these constants. This error might be caused by using the "
            "== operator on Variables: v == w does not do what you think it does, use "
            "theano.tensor.eq(v, w) instead."
        )
    if isinstance(x, (list, tuple)) and _holds_variables(x):
        result = registry.apply("stack", [as_tensor_variable(item) for item in x])
        return as_tensor_variable(result, ndim=ndim)
    try:
        return constant(x, name=name, ndim=ndim)
    except (TypeError, OverflowError) as error:
        text = str(x) if len(str(x)) < 100 else f"{str(x)[:97]}..."
        raise AsTensorError(f"Cannot convert {text} to TensorType: {error}") from error


def _convert_variable(x: Variable) -> Any:
    """A variable of another type, by the converter registered for its type's class."""
    name = f"as_tensor:{type(x.type).__name__}"
    if registry.known(name):
        return registry.apply(name, x)
    raise AsTensorError(f"Variable type field must be a TensorType: {x} has type {x.type}.")


def _only_output(node: Apply) -> Variable:
    if len(node.outputs) != 1 and node.op.default_output is None:
        raise ValueError(
            f"{node.op} has {len(node.outputs)} outputs: say which one becomes the tensor"
        )
    return node.default_output()


def _holds_variables(items: Sequence[Any]) -> bool:
    return any(
        isinstance(item, (Variable, Apply))
        or (isinstance(item, (list, tuple)) and _holds_variables(item))
        for item in items
    )


def _with_rank(x: Any, ndim: int) -> Any:
    extra = x.type.ndim - ndim
    if extra > 0:
        if not all(x.type.broadcastable[:extra]):
            raise ValueError(
                f"ndim={ndim} would drop non-broadcastable dimensions of {x} ({x.type})"
            )
        return dimshuffle(x, tuple(range(extra, x.type.ndim)))
    return pad_left(x, ndim)


def dimshuffle(x: Any, order: Sequence[int | str]) -> Any:
    """``x`` with its dimensions in ``order``; ``"x"`` is a new broadcastable one."""
    return registry.apply("dimshuffle", x, *order)


def pad_left(x: Any, ndim: int) -> Any:
    """``x`` with broadcastable dimensions added on the left up to rank ``ndim``."""
    missing = ndim - x.type.ndim
    return x if missing == 0 else dimshuffle(x, ("x",) * missing + tuple(range(x.type.ndim)))


def cast(x: Any, dtype: str) -> Any:
    """``x`` converted to ``dtype``; ``x`` itself if it has it."""
    return registry.apply("cast", x, dtype)


def zeros_of(x: Any, dtype: str | None = None) -> Any:
    """Zeros with the shape of ``x``, of its gradient dtype by default."""
    return registry.apply("fill", x, constant(0, dtype=dtype or dtypes.gradient_dtype(x.dtype)))


registry.register("constant", constant)
registry.register("as_tensor_variable", as_tensor_variable)
registry.register("zeros_of", zeros_of)

as_tensor = as_tensor_variable
_as_tensor_variable = as_tensor_variable
