"""Ops that declare something about extents and check it at run time."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import register
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.constants import get_vector_length, vector_entries
from theano.ops.extents import SHARES_INPUT, disconnected, same_axes, size_of
from theano.ops.mismatch import mismatch


class Rebroadcast(TensorOp):
    """The same array, with dimensions declared broadcastable (checked) or not.

    ``axis`` : pairs (dimension, whether it is broadcastable).
    """

    __props__ = ("axes",)
    lowering = "view"
    view_map = SHARES_INPUT

    def __init__(self, *axis: tuple[int, bool]) -> None:
        pairs = {operator.index(a): bool(b) for a, b in axis}
        self.axes = tuple(sorted(pairs.items()))
        if self.axes and self.axes[0][0] < 0:
            raise ValueError(f"Rebroadcast takes dimensions counted from 0, got {axis}")

    @property
    def axis(self) -> dict[int, bool]:
        """The dimensions named, and whether each is to be broadcastable."""
        return dict(self.axes)

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        if self.axes and self.axes[-1][0] >= x.type.ndim:
            raise ValueError(f"Trying to rebroadcast non-existent dimension of {x.type}: {self}")
        shape = list(x.type.shape)
        for axis, stretches in self.axes:
            if stretches and shape[axis] not in (None, 1):
                raise ValueError(
                    f"Dimension {axis} of {x} has size {shape[axis]}: it cannot be broadcastable."
                )
            if stretches:
                shape[axis] = 1
            elif shape[axis] == 1:
                shape[axis] = None
        return Apply(self, [x], [x.type.clone(shape=shape)()])

    def reference(self, node: Apply, x: Any) -> Any:
        for axis, stretches in self.axes:
            if stretches and x.shape[axis] != 1:
                raise ValueError(
                    f"Dimension {axis} in Rebroadcast's input was supposed to be 1 "
                    f"(got {x.shape[axis]} instead; shape {x.shape})"
                )
        return x

    def view(self, node: Apply, v: Any) -> Any:
        """The same axes, after the checks."""
        for axis, stretches in self.axes:
            if stretches and not node.inputs[0].type.broadcastable[axis]:
                v.check(
                    v.let("eq", v.dim(axis), 1),
                    f"Dimension {axis} in Rebroadcast's input was supposed to be 1",
                )
        return (), same_axes(node, v)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = list(input_shapes[0])
        for axis, stretches in self.axes:
            if stretches:
                shape[axis] = 1
        return [tuple(shape)]

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` is the input's."""
        return node.inputs[0], i

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (gz,) = inputs, output_grads
        return [patternbroadcast(gz, x.type.broadcastable)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __str__(self) -> str:
        inner = ",".join(f"{axis}:{'1' if stretches else '?'}" for axis, stretches in self.axes)
        return f"Rebroadcast{{{inner}}}"


def _checked_axes(x: Any, axes: Iterable[int]) -> list[int]:
    result = [operator.index(axis) for axis in axes]
    for axis in result:
        if not -x.type.ndim <= axis < x.type.ndim:
            raise ValueError(f"Trying to rebroadcast non-existent dimension {axis} of {x.type}")
    return [axis % x.type.ndim for axis in result]


def addbroadcast(x: Any, *axes: int) -> Any:
    """``x`` with ``axes`` declared broadcastable; ValueError at run time where a size is not 1.

    >>> import theano.tensor as T
    >>> T.addbroadcast(T.matrix(), 0).broadcastable
    (True, False)
    """
    x = as_tensor_variable(x)
    wanted = [axis for axis in _checked_axes(x, axes) if not x.type.broadcastable[axis]]
    return Rebroadcast(*((axis, True) for axis in wanted))(x) if wanted else x


def unbroadcast(x: Any, *axes: int) -> Any:
    """``x`` with ``axes`` no longer broadcastable."""
    x = as_tensor_variable(x)
    wanted = [axis for axis in _checked_axes(x, axes) if x.type.broadcastable[axis]]
    return Rebroadcast(*((axis, False) for axis in wanted))(x) if wanted else x


def patternbroadcast(x: Any, broadcastable: Sequence[bool]) -> Any:
    """``x`` with exactly this broadcast pattern."""
    x = as_tensor_variable(x)
    if len(broadcastable) != x.type.ndim:
        raise ValueError(f"patternbroadcast: pattern {tuple(broadcastable)} for {x.type}")
    changes = [
        (axis, bool(wanted))
        for axis, (wanted, has) in enumerate(zip(broadcastable, x.type.broadcastable, strict=True))
        if bool(wanted) != has
    ]
    return Rebroadcast(*changes)(x) if changes else x


def with_pattern_of(gradient: Any, like: Any) -> Any:
    """``gradient`` with, at least, the broadcastable dimensions that ``like`` has."""
    pattern = zip(gradient.type.broadcastable, like.type.broadcastable, strict=True)
    return addbroadcast(gradient, *(i for i, (has, wanted) in enumerate(pattern) if wanted > has))


class CheckShape(TensorOp):
    """``x``, after a check that its extents are the 0-d inputs ``sizes`` (one per dimension)."""

    __props__ = ()
    lowering = "view"
    view_map = SHARES_INPUT

    def make_node(self, x: Any, *extents: Any) -> Apply:
        x = as_tensor_variable(x)
        if len(extents) != x.type.ndim:
            raise ValueError(f"CheckShape: {len(extents)} extents for {x.type}")
        return Apply(self, [x, *map(sizes.variable, extents)], [_with_known(x, extents)()])

    def reference(self, node: Apply, x: Any, *extents: Any) -> Any:
        return _assert_shape(x, extents)

    def view(self, node: Apply, v: Any) -> Any:
        """The same axes, after the checks."""
        for axis in range(node.inputs[0].type.ndim):
            v.check(v.let("eq", v.dim(axis), v.scalar(axis + 1)), "SpecifyShape: a wrong extent")
        return (), same_axes(node, v)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(map(sizes.simple, node.inputs[1:]))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Extents have no influence on values."""
        return [[i == 0] for i in range(len(node.inputs))]

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` is the input's."""
        return node.inputs[0], i

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [self(output_grads[0], *inputs[1:]), *(disconnected() for _ in inputs[1:])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


def _assert_shape(x: Any, extents: Any) -> Any:
    wanted = tuple(map(int, extents))
    if x.shape != wanted:
        raise AssertionError(f"SpecifyShape: got shape {x.shape}, expected {wanted}.")
    return x


def _with_known(x: Any, extents: Sequence[Any]) -> Any:
    """The type of ``x``, with constants among ``extents``; a 1 does not make it broadcastable."""
    shape = list(x.type.shape)
    for axis, extent in enumerate(map(sizes.known, extents)):
        if extent is None:
            continue
        if shape[axis] is not None:
            if shape[axis] != extent:
                raise mismatch(
                    f"SpecifyShape: dimension {axis} of {x} has size {shape[axis]}, and is "
                    f"specified to have {extent}",
                    x,
                )
            continue
        shape[axis] = None if extent == 1 else extent
    return x.type.clone(shape=shape)


class SpecifyShape(TensorOp):
    """``x``, declared to have the extents of an int vector; AssertionError at run time if not."""

    __props__ = ()
    lowering = "expand"
    view_map = SHARES_INPUT

    def make_node(self, x: Any, shape: Any) -> Apply:
        x = as_tensor_variable(x)
        shape = as_tensor_variable(shape, ndim=1)
        if shape.type.dtype not in dtypes.integer_dtypes and x.type.ndim:
            raise TypeError(f"specify_shape: the shape must be integers, got {shape.type}")
        try:
            length = get_vector_length(shape)
        except ValueError:
            length = x.type.ndim
        if length != x.type.ndim:
            raise ValueError(f"specify_shape: {length} extents for {x} of rank {x.type.ndim}")
        entries = vector_entries(shape, x.type.ndim)
        return Apply(self, [x, shape], [_with_known(x, entries)()])

    def reference(self, node: Apply, x: Any, shape: Any) -> Any:
        return _assert_shape(x, np.asarray(shape))

    def expand(self, node: Apply) -> list[Any]:
        """The check on one 0-d variable per dimension."""
        x, shape = node.inputs
        return [CheckShape()(x, *vector_entries(shape, x.type.ndim))]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        x, shape = node.inputs
        return [tuple(map(sizes.simple, vector_entries(shape, x.type.ndim)))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Extents have no influence on values."""
        return [[True], [False]]

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` is the input's."""
        return node.inputs[0], i

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [self(output_grads[0], inputs[1]), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]


def specify_shape(x: Any, shape: Any) -> Any:
    """``x`` with the promise, checked at run time (AssertionError), that it has this shape.

    Parameters
    ----------
    x : array.
    shape : an int vector, or a sequence of ints, 0-d int variables and None: where it is None,
        nothing is said about the size. Raises ShapeError where a size is known to be another.

    A size of 1 does not make a dimension broadcastable: ``addbroadcast`` does.

    >>> import theano.tensor as T
    >>> specify_shape(T.matrix(), (None, 3)).type.shape
    (None, 3)
    """
    if isinstance(shape, (list, tuple)) and any(entry is None for entry in shape):
        x = as_tensor_variable(x)
        if len(shape) != x.type.ndim:
            raise ValueError(f"specify_shape: {len(shape)} extents for {x} of rank {x.type.ndim}")
        entries = [size_of(x, i) if entry is None else entry for i, entry in enumerate(shape)]
        shape = sizes.vector([sizes.simple(entry) for entry in entries])
    return SpecifyShape()(x, shape)


register("addbroadcast", addbroadcast)
register("unbroadcast", unbroadcast)
register("patternbroadcast", patternbroadcast)
register("specify_shape", specify_shape)
