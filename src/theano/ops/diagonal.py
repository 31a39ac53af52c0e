"""Diagonals: taking one out of an array, and an array with given diagonals."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import register
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.extents import not_one
from theano.ops.scalar import kernel_dtype


def _diagonal_length(rows: Any, columns: Any, offset: int) -> Any:
    lead = (rows, sizes.sub(columns, offset)) if offset >= 0 else (sizes.add(rows, offset), columns)
    return sizes.maximum(sizes.minimum(*lead), 0)


class _DiagonalOp(TensorOp):
    """``offset`` of the diagonal, and the two axes that it runs along."""

    __props__ = ("offset", "axis1", "axis2")
    lowering = "map"

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1, view: bool = False) -> None:
        self.offset = operator.index(offset)
        self.axis1 = operator.index(axis1)
        self.axis2 = operator.index(axis2)
        if self.axis1 < 0 or self.axis2 < 0:
            raise NotImplementedError(f"{type(self).__name__} does not support negative axes")
        if self.axis1 == self.axis2:
            raise ValueError(f"{type(self).__name__}: axis1 and axis2 are both {axis1}")

    def _others(self, ndim: int) -> list[int]:
        return [axis for axis in range(ndim) if axis not in (self.axis1, self.axis2)]

    @property
    def _starts(self) -> tuple[int, int]:
        return max(-self.offset, 0), max(self.offset, 0)


class ExtractDiag(_DiagonalOp):
    """The diagonal of two axes, as the last axis of the result."""

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        if x.type.ndim <= max(1, self.axis1, self.axis2):
            raise ValueError(f"ExtractDiag needs an input with 2 or more dimensions, got {x.type}")
        shape = [x.type.shape[axis] for axis in self._others(x.type.ndim)]
        sides = (x.type.shape[self.axis1], x.type.shape[self.axis2])
        length = None if None in sides else _diagonal_length(*sides, self.offset)
        return Apply(self, [x], [x.type.clone(shape=[*shape, not_one(length)])()])

    def reference(self, node: Apply, x: Any) -> Any:
        return x.diagonal(self.offset, self.axis1, self.axis2).copy()

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """Element (…, i + row start, i + column start)."""
        ndim = node.inputs[0].type.ndim
        axes: list[int | None] = [None] * ndim
        for position, axis in enumerate(self._others(ndim)):
            axes[axis] = position
        i = m.index(ndim - 2)
        first, second = self._starts
        return (m.gather(0, {self.axis1: i + first, self.axis2: i + second}, tuple(axes)),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        (shape,) = input_shapes
        rest = [shape[axis] for axis in self._others(len(shape))]
        length = _diagonal_length(shape[self.axis1], shape[self.axis2], self.offset)
        return [(*rest, length)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        return [PutDiag(self.offset, self.axis1, self.axis2)(x, gz)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class PutDiag(_DiagonalOp):
    """Zeros of the shape of ``model``, with ``v`` on the diagonal (whose last axis it is)."""

    def make_node(self, model: Any, v: Any) -> Apply:
        model, v = as_tensor_variable(model), as_tensor_variable(v)
        if v.type.ndim != model.type.ndim - 1:
            raise ValueError(f"PutDiag: {v.type} is no diagonal of {model.type}")
        return Apply(self, [model, v], [model.type.clone(dtype=v.type.dtype)()])

    def reference(self, node: Apply, model: Any, v: Any) -> Any:
        out = np.zeros(model.shape, dtype=v.dtype)
        moved = np.moveaxis(out, (self.axis1, self.axis2), (-2, -1))
        first, second = self._starts
        i = np.arange(v.shape[-1])
        moved[..., i + first, i + second] = v
        return out

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """``v`` where the position is on the diagonal."""
        return (_put(self, node.inputs[1], 1, node.outputs[0].type.ndim, m),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The model gives its shape only."""
        return [[False], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        from theano.ops.extents import disconnected

        (gz,) = output_grads
        return [disconnected(), ExtractDiag(self.offset, self.axis1, self.axis2)(gz)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[1] is None else self(inputs[0], eval_points[1])]


def _put(op: _DiagonalOp, v: Any, number: int, ndim: int, m: Any) -> Any:
    """Code: the element of ``v`` on the diagonal, 0 off it."""
    dtype = kernel_dtype(v.type.dtype)
    first, second = op._starts
    row, column = m.index(op.axis1) - first, m.index(op.axis2) - second
    hit = m.k.apply("and", m.k.apply("eq", row, column), m.k.apply("ge", row, 0))
    axes = (*op._others(ndim), None)
    # Off the diagonal element 0 is read and dropped: every index stays in range.
    position = m.k.select(hit, row, 0)
    value = m.gather(number, {v.type.ndim - 1: position}, axes)
    return m.k.select(hit, value, m.k.const(0, dtype))


class AllocDiag(_DiagonalOp):
    """Square matrices (on ``axis1`` and ``axis2``) with ``v`` on the diagonal, zeros off it."""

    def make_node(self, v: Any) -> Apply:
        v = as_tensor_variable(v)
        if v.type.ndim < 1:
            raise ValueError(f"AllocDiag needs an input with 1 or more dimensions, got {v.type}")
        if max(self.axis1, self.axis2) > v.type.ndim:
            raise ValueError(f"AllocDiag: axis out of range for a result of rank {v.type.ndim + 1}")
        length = v.type.shape[-1]
        side = None if length is None else not_one(length + abs(self.offset))
        if length == 1 and not self.offset:
            side = 1
        return Apply(self, [v], [v.type.clone(shape=self._place(v.type.shape[:-1], side))()])

    def _place(self, rest: Sequence[Any], side: Any) -> tuple[Any, ...]:
        shape = [side] * (len(rest) + 2)
        for axis, extent in zip(self._others(len(shape)), rest, strict=True):
            shape[axis] = extent
        return tuple(shape)

    def reference(self, node: Apply, v: Any) -> Any:
        side = v.shape[-1] + abs(self.offset)
        out = np.zeros(self._place(v.shape[:-1], side), dtype=v.dtype)
        moved = np.moveaxis(out, (self.axis1, self.axis2), (-2, -1))
        first, second = self._starts
        i = np.arange(v.shape[-1])
        moved[..., i + first, i + second] = v
        return out

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """``v`` where the position is on the diagonal."""
        return (_put(self, node.inputs[0], 0, node.outputs[0].type.ndim, m),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        *rest, length = input_shapes[0]
        return [self._place(rest, sizes.add(length, abs(self.offset)))]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        if inputs[0].type.dtype in dtypes.DISCRETE:
            return [zeros_of(inputs[0])]
        return [ExtractDiag(self.offset, self.axis1, self.axis2)(output_grads[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal ``offset`` of axes ``axis1`` and ``axis2``, as the last axis."""
    a = as_tensor_variable(a)
    ndim = a.type.ndim
    axis1, axis2 = (axis + ndim if axis < 0 else axis for axis in (axis1, axis2))
    return ExtractDiag(offset, axis1, axis2)(a)


def diag(v: Any, k: int = 0) -> Any:
    """Of a vector the matrix with it on diagonal ``k``; of a matrix (or more) its diagonal ``k``.

    >>> import theano.tensor as T
    >>> T.diag(T.constant([1, 2])).eval().tolist()
    [[1, 0], [0, 2]]
    """
    v = as_tensor_variable(v)
    if v.type.ndim == 0:
        raise ValueError("Input must has v.ndim >= 1: diag of a scalar")
    return AllocDiag(k)(v) if v.type.ndim == 1 else diagonal(v, offset=k)


def trace(x: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return diagonal(x).sum()


register("diagonal", diagonal)
register("diag", diag)
register("trace", trace)
