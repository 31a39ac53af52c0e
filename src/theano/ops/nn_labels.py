"""Ops that tie integer labels to the rows of a matrix: pick one column per row, and the reverse.

A label outside ``0 … columns - 1`` (negative ones too) is a ValueError at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.dtypes import DISCRETE, FLOAT
from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import NoGradient
from theano.ops.mismatch import agree


def matrix_of_floats(x: Any, what: str) -> Any:
    """``x`` as a variable; ValueError unless it is a matrix of floats."""
    x = as_tensor_variable(x)
    if x.type.ndim != 2 or x.type.dtype not in FLOAT:
        raise ValueError(f"{what} must be 2-d tensor of floats, got {x.type}")
    return x


def vector_of_labels(y: Any, what: str = "y_idx") -> Any:
    """``y`` as a variable; ValueError unless it is a vector of integers."""
    y = as_tensor_variable(y)
    if y.type.ndim != 1 or y.type.dtype not in DISCRETE:
        raise ValueError(f"{what} must be 1-d tensor of [u]ints, got {y.type}")
    return y


def check_labels(x: Any, y: Any) -> None:
    """ValueError unless the labels ``y`` are columns of ``x``, one for each row."""
    if y.shape[0] != x.shape[0]:
        raise ValueError(f"{x.shape[0]} rows, but {y.shape[0]} labels")
    if y.size and (y.min() < 0 or y.max() >= x.shape[1]):
        wrong = y[(y < 0) | (y >= x.shape[1])][0]
        raise ValueError(f"y_i value out of bounds: label {wrong}, but {x.shape[1]} classes")


def _label(m: Any, i: int, like: int) -> Any:
    """The label of this row (input ``i``) as int64; fails unless it is a column of ``like``."""
    k = m.k
    label = k.cast(m.input(i, axes=(0,)), "int64")
    inside = k.apply("and", k.ge(label, 0), k.lt(label, m.extent(like, 1)))
    k.fail(k.apply("not", inside))
    return label


class PickColumn(TensorOp):
    """``z[i] = x[i, y[i]]`` for a matrix ``x`` and labels ``y``; a broadcastable row serves all."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "map"
    can_fail = True

    def make_node(self, x: Any, y: Any) -> Apply:
        """A vector of the dtype of ``x``."""
        x, y = matrix_of_floats(x, "x"), vector_of_labels(y)
        agree("one label per row", x, 0, y, 0)
        return Apply(self, [x, y], [TensorType(x.type.dtype, shape=y.type.shape)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """One element per label."""
        return [tuple(input_shapes[1])]

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """A gather along the columns."""
        row = None if node.inputs[0].type.broadcastable[0] else 0
        return (m.gather(0, {1: _label(m, 1, 0)}, axes=(row, None)),)

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        """Integer indexing."""
        if node.inputs[0].type.broadcastable[0]:
            x = np.broadcast_to(x, (y.shape[0], x.shape[1]))
        check_labels(x, y)
        return x[np.arange(y.shape[0]), y.astype(np.int64)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels are disconnected."""
        return [[True], [False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The gradient at the picked elements, 0 elsewhere."""
        x, y = inputs
        if x.type.broadcastable[0] and not y.type.broadcastable[0]:
            raise NotImplementedError("the gradient of picking from one row for all labels")
        return [one_hot_rows(output_grads[0], y, x), DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The direction at the picked elements."""
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]


class CheckedLabels(NoGradient, TensorOp):
    """``y`` itself, after a check that each label is a column of ``x`` (which is not read)."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "map"
    can_fail = True

    def make_node(self, x: Any, y: Any) -> Apply:
        """The type of ``y``."""
        x, y = matrix_of_floats(x, "x"), vector_of_labels(y)
        return Apply(self, [x, y], [y.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """That of ``y``."""
        return [tuple(input_shapes[1])]

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The label, checked."""
        return (m.k.cast(_label(m, 1, 0), node.outputs[0].type.dtype),)

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        """A copy of ``y``."""
        check_labels(x, y)
        return np.array(y)


class OneHotRows(TensorOp):
    """``z[i, j] = v[i] if j == y[i] else 0``, with the shape of ``like`` (which is not read).

    ``v`` may also be a matrix: ``v[i, j]`` is kept where ``j == y[i]``.
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "map"
    can_fail = True

    def make_node(self, v: Any, y: Any, like: Any) -> Apply:
        """A matrix of the dtype of ``v``."""
        v, y, like = as_tensor_variable(v), vector_of_labels(y), as_tensor_variable(like)
        if v.type.ndim not in (1, 2) or like.type.ndim != 2:
            raise ValueError(f"one value per row of a matrix: got {v.type} and {like.type}")
        agree("one label per row", like, 0, y, 0)
        return Apply(self, [v, y, like], [TensorType(v.type.dtype, shape=like.type.shape)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """That of ``like``."""
        return [tuple(input_shapes[2])]

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The value where the column is the label."""
        here = m.k.eq(_label(m, 1, 2), m.index(1))
        value = m.input(0, axes=(0,) if node.inputs[0].type.ndim == 1 else (0, 1))
        return (m.k.select(here, value, 0),)

    def reference(self, node: Apply, v: Any, y: Any, like: Any) -> Any:
        """Assignment by integer indexing."""
        check_labels(like, y)
        out = np.zeros(like.shape, dtype=v.dtype)
        at = np.arange(y.shape[0]), y.astype(np.int64)
        out[at] = v if v.ndim == 1 else v[at]
        return out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the values matter."""
        return [[True], [False], [False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The gradient at the labels."""
        (v, y, like), (g,) = inputs, output_grads
        term = pick_column(g, y) if v.type.ndim == 1 else one_hot_rows(g, y, like)
        return [term, DisconnectedType()(), DisconnectedType()()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Linear in the values."""
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


pick_column = PickColumn()
checked_labels = CheckedLabels()
one_hot_rows = OneHotRows()
