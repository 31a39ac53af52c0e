"""Reshape: the elements in C order with other extents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply, Variable
from theano.graph.registry import register
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.constants import get_vector_length, is_extent, vector_entries
from theano.ops.extents import SHARES_INPUT, disconnected, sizes_of
from theano.ops.mismatch import mismatch
from theano.ops.shape_checks import with_pattern_of


class Reshape(TensorOp):
    """The elements of ``x`` in C order, with extents given by an int vector (one may be -1)."""

    __props__ = ("ndim",)
    lowering = "reshape"
    view_map = SHARES_INPUT

    def __init__(self, ndim: int, name: str | None = None) -> None:
        self.ndim = int(ndim)
        if self.ndim < 0:
            raise ValueError(f"Reshape needs a rank of at least 0, got {ndim}")

    def make_node(self, x: Any, shp: Any) -> Apply:
        x = as_tensor_variable(x)
        shp = as_tensor_variable(shp, ndim=1)
        if getattr(getattr(shp, "data", None), "size", 1) == 0:
            shp = constant(np.zeros(0, dtype="int64"))
        if shp.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"Shape must be integers, got {shp} of dtype {shp.type.dtype}")
        if shp.type.ndim != 1:
            raise TypeError(f"Shape must be a vector, got {shp.type}")
        entries = [sizes.known(entry) for entry in vector_entries(shp, self.ndim)]
        return Apply(self, [x, shp], [x.type.clone(shape=_static_reshape(x, entries))()])

    def reference(self, node: Apply, x: Any, shp: Any) -> Any:
        if len(shp) != self.ndim:
            raise ValueError(
                f"shape argument to Reshape has incorrect length {len(shp)}, should be {self.ndim}"
            )
        try:
            return x.reshape(tuple(shp))
        except ValueError as error:
            raise ValueError(
                f"Cannot reshape input of shape {x.shape} to shape {tuple(map(int, shp))}"
            ) from error

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        static = node.outputs[0].type.shape
        found = map(sizes.simple, vector_entries(node.inputs[1], self.ndim))
        entries = [e if s is None else s for s, e in zip(static, found, strict=True)]
        if any(isinstance(e, int) and e == -1 for e in entries):
            wild = [entries.index(-1)]
        else:
            wild = [i for i, e in enumerate(entries) if not is_extent(e)]
        count = sizes.product(input_shapes[0])
        result = list(entries)
        for i in wild:
            others = sizes.product(e for j, e in enumerate(entries) if j != i)
            inferred = sizes.floordiv(count, sizes.maximum(others, 1))
            result[i] = sizes.where("eq", entries[i], -1, inferred, entries[i])
        return [tuple(result)]

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` is that of an input which is a vector too."""
        return (node.inputs[0], i) if node.inputs[0].type.ndim == self.ndim == 1 else None

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The shape has no influence on values."""
        return [[True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, _ = inputs
        (gz,) = output_grads
        back = Reshape(x.type.ndim)(gz, sizes.vector(sizes_of(x)))
        return [with_pattern_of(back, x), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(eval_points[0], inputs[1])]

    def __str__(self) -> str:
        return f"Reshape{{{self.ndim}}}"


def _static_reshape(x: Any, entries: list[int | None]) -> list[int | None]:
    """Per output dimension its extent, where constants decide it."""
    if sum(e == -1 for e in entries) > 1:
        raise ValueError(f"reshape: only one extent may be -1, got {entries}")
    if any(e is not None and e < -1 for e in entries):
        raise ValueError(f"reshape: extents cannot be negative, got {entries}")
    result = [None if e == -1 else e for e in entries]
    _check_count(x, entries)
    if -1 in entries and None not in x.type.shape:
        count = math.prod(x.type.shape)
        others = [e for e in entries if e != -1]
        if None not in others and all(others):
            product = math.prod(e for e in others if e is not None)
            if count % product == 0:
                inferred = count // product
                # 1 means "stretches": only where nothing but such dimensions went in.
                stretches = all(x.type.broadcastable)
                result[entries.index(-1)] = None if inferred == 1 and not stretches else inferred
    return result


def _check_count(x: Any, entries: list[int | None]) -> None:
    """ShapeError if the known extents cannot hold as many elements as ``x`` has."""
    if None in entries or None in x.type.shape:
        return
    have = math.prod(x.type.shape)
    want = math.prod(e for e in entries if e is not None and e != -1)
    fits = have % want == 0 if -1 in entries and want else have == want
    if not fits:
        raise mismatch(f"Cannot reshape input of shape {x.type.shape} to shape {tuple(entries)}", x)


def reshape(x: Any, newshape: Any, ndim: int | None = None) -> Any:
    """The elements of ``x`` in another shape: an int, a list or tuple, or an int vector; one -1.

    ``ndim`` is needed where ``newshape`` is a vector of unknown length (ValueError without it).
    Constant extents of 1 become broadcastable. TypeError for a shape that is not integer.

    >>> import theano.tensor as T
    >>> T.vector().reshape((1, -1)).broadcastable
    (True, False)
    """
    if (isinstance(newshape, Variable) and newshape.type.ndim == 0) or np.isscalar(newshape):
        newshape = [newshape]
    if ndim is None:
        newshape = newshape if isinstance(newshape, Variable) else _shape_vector(newshape)
        if newshape.type.ndim != 1:
            raise TypeError(
                f"New shape in reshape must be a vector or a list/tuple of scalar, got {newshape} "
                f"after conversion to a vector."
            )
        try:
            ndim = get_vector_length(newshape)
        except ValueError:
            raise ValueError(
                f"The length of the provided shape ({newshape}) cannot be automatically "
                "determined, so Theano is not able to know what the number of dimensions of the "
                "reshaped variable will be. You can provide the 'ndim' keyword argument to "
                "'reshape' to avoid this problem."
            ) from None
    elif not isinstance(newshape, Variable):
        newshape = _shape_vector(newshape)
    return Reshape(ndim)(x, newshape)


def _shape_vector(shape: Any) -> Any:
    """A list of extents as a vector, without going through arithmetic."""
    entries = list(shape)
    if not any(isinstance(entry, Variable) for entry in entries):
        return as_tensor_variable(np.asarray(entries, dtype="int64" if not entries else None))
    entries = [e if isinstance(e, Variable) else np.asarray(e) for e in entries]
    kinds = [getattr(e, "dtype", None) or e.type.dtype for e in entries]
    if not all(str(kind) in dtypes.integer_dtypes for kind in kinds):
        raise TypeError(f"Shape must be integers, got {shape}")
    return sizes.vector([sizes.simple(as_tensor_variable(entry)) for entry in entries])


register("reshape", reshape)
