"""DimShuffle: dimensions in another order, without a copy."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import register
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.extents import SHARES_INPUT, Axis
from theano.ops.shape_checks import with_pattern_of


class DimShuffle(TensorOp):
    """Dimensions reordered, new ones of size 1 inserted (``'x'``), broadcastable ones dropped.

    Parameters
    ----------
    input_broadcastable : the broadcast pattern of the input.
    new_order : per output dimension the input dimension, or ``'x'``.

    Raises ValueError for a dimension that is repeated, absent, or dropped though its size is not
    known to be 1.
    """

    __props__ = ("input_broadcastable", "new_order")
    lowering = "view"
    view_map = SHARES_INPUT

    def __init__(
        self, input_broadcastable: Sequence[bool], new_order: Sequence[Any], inplace: bool = True
    ) -> None:
        self.input_broadcastable = tuple(bool(b) for b in input_broadcastable)
        self.new_order = tuple(d if isinstance(d, str) else operator.index(d) for d in new_order)
        self.shuffle = [d for d in self.new_order if not isinstance(d, str)]
        self.augment = [i for i, d in enumerate(self.new_order) if isinstance(d, str)]
        rank = len(self.input_broadcastable)
        self._check_order(rank)
        self.drop = [d for d in range(rank) if d not in set(self.shuffle)]
        for axis in self.drop:
            if not self.input_broadcastable[axis]:
                raise ValueError(
                    f"You cannot drop a non-broadcastable dimension: dimension {axis} is not known "
                    f"to have size 1 (input pattern {self.input_broadcastable}, new order "
                    f"{self.new_order}). addbroadcast declares and checks a size of 1."
                )

    def _check_order(self, rank: int) -> None:
        for axis in self.new_order:
            if isinstance(axis, str) and axis != "x":
                raise ValueError(f"a dimshuffle pattern has ints and 'x', not {axis!r}")
            if not isinstance(axis, str) and not 0 <= axis < rank:
                raise ValueError(
                    f"dimshuffle pattern {self.new_order} names dimension {axis}, but the input "
                    f"only has {rank} axes."
                )
        if len(set(self.shuffle)) != len(self.shuffle):
            raise ValueError(
                "The same input dimension may not appear twice in the list of output dimensions: "
                f"{self.new_order}"
            )

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        if x.type.ndim != len(self.input_broadcastable):
            raise TypeError(
                f"The number of dimensions of the input is incorrect for this op: expected "
                f"{len(self.input_broadcastable)}, got {x.type}."
            )
        for axis in self.drop:
            if not x.type.broadcastable[axis]:
                raise TypeError(
                    f"The broadcastable pattern of the input is incorrect for this op: expected "
                    f"{self.input_broadcastable}, got {x.type.broadcastable}."
                )
        shape = [1 if isinstance(d, str) else x.type.shape[d] for d in self.new_order]
        return Apply(self, [x], [x.type.clone(shape=shape)()])

    def reference(self, node: Apply, x: Any) -> Any:
        moved = x.transpose(self.shuffle + self.drop)
        kept = iter(moved.shape[: len(self.shuffle)])
        if any(x.shape[axis] != 1 for axis in self.drop):
            raise ValueError(f"You cannot drop a non-broadcastable dimension: shape {x.shape}")
        moved = moved[(slice(None),) * len(self.shuffle) + (0,) * len(self.drop)]
        shape = [1 if isinstance(d, str) else next(kept) for d in self.new_order]
        index = tuple(None if isinstance(d, str) else slice(None) for d in self.new_order)
        result = np.asarray(moved)[index] if index else np.asarray(moved)
        assert list(result.shape) == shape
        return result

    def view(self, node: Apply, v: Any) -> Any:
        """No start moves; dropped dimensions have size 1."""
        axes = tuple(
            Axis(None, 1) if isinstance(d, str) else Axis(d, v.dim(d)) for d in self.new_order
        )
        return (), axes

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        (shape,) = input_shapes
        return [tuple(1 if isinstance(d, str) else shape[d] for d in self.new_order)]

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        gz = with_pattern_of(gz, outputs[0])
        order: list[Any] = ["x"] * x.type.ndim
        for position, axis in enumerate(self.new_order):
            if not isinstance(axis, str):
                order[axis] = position
        return [DimShuffle(gz.type.broadcastable, order)(gz)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(eval_points[0])]

    def __str__(self) -> str:
        return f"DimShuffle{{{','.join(map(str, self.new_order))}}}"


def dimshuffle(x: Any, *pattern: Any) -> Any:
    """``x`` with dimensions in the order ``pattern``: ints are old ones, ``'x'`` new (size 1).

    >>> import theano.tensor as T
    >>> T.vector().dimshuffle("x", 0).broadcastable
    (True, False)
    """
    if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)):
        pattern = tuple(pattern[0])
    x = as_tensor_variable(x)
    return DimShuffle(x.type.broadcastable, pattern)(x)


register("dimshuffle", dimshuffle)
