"""What rules make graph with, and what they ask of variables."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from theano.core.dtypes import DISCRETE
from theano.graph.nodes import Apply, Variable
from theano.graph.registry import apply
from theano.rewrite.engine import key_of
from theano.rewrite.pattern import constant_value, same_dtype, same_kind, stretched

__all__ = [
    "OPS", "as_dtype", "constant_like", "constant_value", "is_call", "is_elemwise", "is_float_out",
    "nonnegative", "owner_of", "same_dtype", "same_kind", "same_pattern", "spread", "stretched",
    "t", "unpadded",
]  # fmt: skip


class _Builders:
    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        builder = functools.partial(apply, name)
        setattr(self, name, builder)
        return builder


t: Any = _Builders()
OPS = t


def owner_of(variable: Variable, *keys: str) -> Apply | None:
    """The node that computes ``variable`` if its op is one of ``keys``, else None."""
    node = variable.owner
    return node if node is not None and key_of(node.op) in keys else None


def is_call(variable: Variable, *keys: str) -> bool:
    """Whether ``variable`` is computed by one of these ops."""
    return owner_of(variable, *keys) is not None


def is_elemwise(node: Apply | None) -> bool:
    """Whether a node's op is elementwise."""
    return node is not None and hasattr(node.op, "row")


def is_float_out(node: Apply) -> bool:
    """Whether the first output is an array of real floats."""
    return bool(getattr(node.outputs[0].type, "dtype", "").startswith("float"))


def constant_like(value: Any, like: Variable) -> Any:
    """A 0-d constant of the dtype of ``like``."""
    return t.constant(np.asarray(value).astype(like.type.dtype))


def as_dtype(variable: Any, dtype: str) -> Any:
    """``variable`` in a dtype."""
    return variable if variable.type.dtype == dtype else t.cast(variable, dtype)


def spread(value: Any, old: Variable) -> Any:
    """``value`` (a number or a variable that broadcasts) in the shape and dtype of ``old``.

    ``old`` is the result that is being replaced: its inputs, not itself, say the shape.
    """
    variable = value if isinstance(value, Variable) else constant_like(value, old)
    missing = old.type.ndim - variable.type.ndim
    if missing:
        variable = apply("dimshuffle", variable, *("x",) * missing, *range(variable.type.ndim))
    variable = as_dtype(variable, old.type.dtype)
    return variable if same_pattern(variable, old) else stretched(variable, old)


def same_pattern(a: Variable, b: Variable) -> bool:
    """Whether two arrays have the same rank and broadcast pattern."""
    return bool(a.type.broadcastable == b.type.broadcastable)


def unpadded(variable: Variable) -> Variable:
    """``variable`` without the DimShuffles that only add or drop dimensions of size 1."""
    while True:
        node = owner_of(variable, "DimShuffle")
        if node is None:
            return variable
        kept = [d for d in node.op.new_order if d != "x"]
        if kept != sorted(kept):
            return variable
        variable = node.inputs[0]


def nonnegative(variable: Variable) -> bool:
    """Whether an integer is known to be at least 0: an extent, or made of such."""
    stack, budget = [variable], 16
    while stack:
        budget -= 1
        v = stack.pop()
        value = constant_value(v)
        if value is not None:
            if value < 0:
                return False
        elif inner := owner_of(v, "add", "mul", "minimum"):
            stack.extend(inner.inputs)
        elif (cast := owner_of(v, "Cast{int64}")) and cast.inputs[0].type.dtype in DISCRETE:
            stack.extend(cast.inputs)
        elif not is_call(v, "Shape_i") or budget < 0:
            return False
    return True
