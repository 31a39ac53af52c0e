"""NumPy's functions on symbolic arrays: ``np.exp(x)`` builds the graph of ``tensor.exp(x)``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from theano.graph import registry
from theano.graph.registry import apply

_UNARY: Final = {
    "abs": "abs_",
    "absolute": "abs_",
    "negative": "neg",
    "reciprocal": "inv",
    "sign": "sgn",
    "square": "sqr",
    "rint": "round_half_to_even",
    "conjugate": "conj",
    "invert": "invert",
    "logical_not": "invert",
}
_BINARY: Final = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "true_div",
    "true_divide": "true_div",
    "floor_divide": "int_div",
    "remainder": "mod",
    "power": "pow",
    "float_power": "pow",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "neq",
    "bitwise_and": "and_",
    "bitwise_or": "or_",
    "bitwise_xor": "xor",
    "logical_and": "and_",
    "logical_or": "or_",
    "logical_xor": "xor",
    "matmul": "matmul",
}
# NumPy's name of a ufunc to ours, where they differ; other ufuncs have the same name here.
UFUNCS: Final[Mapping[str, str]] = _UNARY | _BINARY
# The same for functions that are not ufuncs.
FUNCTIONS: Final[Mapping[str, str]] = {"amax": "max", "amin": "min", "where": "switch"}
_COMPARISONS: Final = frozenset(("lt", "le", "gt", "ge"))


def without_truth(variable: Any) -> Any:
    """``variable``, which from now on raises when Python asks whether it is true."""
    variable._is_nonzero = False
    return variable


class NumpyProtocols:
    """Mixin: what NumPy asks of an object that its functions and operators meet."""

    __array_priority__ = 1000.0

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            f"{self} is symbolic and has no value to convert into a NumPy array: call .eval() on "
            "it, compile it with theano.function, or use theano.tensor's functions on it."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = UFUNCS.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or kwargs or not registry.known(name):
            return NotImplemented
        if name in ("eq", "neq") and not isinstance(inputs[0], NumpyProtocols):
            # `array == variable` arrives here too, and `==` means identity for variables.
            return name == "neq"
        result = apply(name, *inputs)
        return without_truth(result) if name in _COMPARISONS else result

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = FUNCTIONS.get(func.__name__, func.__name__)
        if name in ("ndim", "size"):
            return getattr(args[0], name)
        if not registry.known(name):
            return NotImplemented
        return apply(name, *args, **kwargs)
