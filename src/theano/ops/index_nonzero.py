"""Positions that only data decide: nonzero, masks, repetition counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import NoGradient, sizes_of

#: The highest rank that `Nonzero` takes: that of the routines ``nonzeroN``.
MAX_RANK: Final = 8


def flat(low: Any, array: str) -> str:
    """An array of a Program in C order, as a vector."""
    dims = [low.dim(array, axis) for axis in range(len(low.array_dims[array]))]
    if len(dims) == 1:
        return array
    total = low.k.const(1, "int64")
    for size in dims:
        total = low.let("mul", total, size)
    return str(low.reshaped(array, (total,)))


class Nonzero(NoGradient, TensorOp):
    """Indices of the elements of ``a`` that are not zero: one int64 vector per dimension.

    At most `MAX_RANK` dimensions. More inputs are extents that ``a`` must have (of the array that
    it masks): IndexError if not. Natively the elements are counted, then their positions stored.
    """

    __props__ = ()
    lowering = "step"

    def make_node(self, a: Any, *extents: Any) -> Apply:
        a = as_tensor_variable(a)
        if a.type.ndim == 0:
            raise ValueError("Nonzero only supports non-scalar arrays.")
        if a.type.ndim > MAX_RANK:
            raise NotImplementedError(f"Nonzero takes up to {MAX_RANK} dimensions, got {a.type}")
        kinds = [TensorType("int64", shape=(None,)) for _ in range(a.type.ndim)]
        return Apply(self, [a, *map(sizes.variable, extents)], [kind() for kind in kinds])

    def reference(self, node: Apply, a: Any, *extents: Any) -> Any:
        for axis, extent in enumerate(extents):
            if a.shape[axis] != extent:
                raise IndexError(
                    f"boolean index did not match indexed array along dimension {axis}; dimension "
                    f"is {int(extent)} but corresponding boolean dimension is {a.shape[axis]}"
                )
        return tuple(np.nonzero(a))

    def lower(self, node: Apply, low: Any) -> None:
        """Count, allocate, find."""
        mask, *extents = node.inputs
        array = low.array(mask)
        for axis, extent in enumerate(extents):
            fits = low.let("eq", low.dim(array, axis), low.scalar(extent))
            low.check(fits, "boolean index: extents of the mask and the array differ")
        count = low.routine("count_nonzero", (flat(low, array),))
        found = [low.alloc(output, [count]) for output in node.outputs]
        low.routine(f"nonzero{mask.type.ndim}", (*found, array))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [None] * len(node.outputs)

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None] * inputs[0].type.ndim


def mask_indices(mask: Any, extents: Sequence[Any]) -> list[Any]:
    """What a bool mask becomes in an index of dimensions with these extents."""
    return list(Nonzero()(mask, *extents, return_list=True))


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """Where ``a`` is not zero: a tuple of int64 vectors, or a matrix of them as rows.

    ``x[mask.nonzero()]`` selects elements. Raises ValueError for a scalar.

    >>> import theano.tensor as T
    >>> [v.eval().tolist() for v in nonzero(T.constant([[0, 1], [2, 0]]))]
    [[0, 1], [1, 0]]
    """
    a = as_tensor_variable(a)
    if a.type.ndim > MAX_RANK:
        vectors = apply("unravel_index", flatnonzero(a), sizes_of(a))
    else:
        vectors = Nonzero()(a, return_list=True)
    return apply("stack", list(vectors)) if return_matrix else tuple(vectors)


def flatnonzero(a: Any) -> Any:
    """Where the flattened ``a`` is not zero: an int64 vector.

    >>> import theano.tensor as T
    >>> flatnonzero(T.constant([[0, 1], [2, 0]])).eval().tolist()
    [1, 2]
    """
    a = as_tensor_variable(a)
    if a.type.ndim == 0:
        raise ValueError("Nonzero only supports non-scalar arrays.")
    return nonzero(apply("flatten", a))[0]


def nonzero_values(a: Any) -> Any:
    """The elements of ``a`` that are not zero, as a vector.

    >>> import theano.tensor as T
    >>> nonzero_values(T.constant([[0, 1], [2, 0]])).eval().tolist()
    [1, 2]
    """
    a = as_tensor_variable(a)
    return apply("take", apply("flatten", a), flatnonzero(a))


class RepeatIndex(NoGradient, TensorOp):
    """0, 1, … n - 1, each as often as a vector of counts says."""

    __props__ = ()
    lowering = "step"

    def make_node(self, n: Any, counts: Any) -> Apply:
        counts = as_tensor_variable(counts)
        return Apply(self, [sizes.variable(n), counts], [TensorType("int64", shape=(None,))()])

    def reference(self, node: Apply, n: Any, counts: Any) -> Any:
        if len(counts) not in (1, n):
            raise ValueError(
                f"repeat: {len(counts)} counts for an array of extent {int(n)} along that axis"
            )
        return np.repeat(np.arange(int(n)), counts)

    def lower(self, node: Apply, low: Any) -> None:
        """Add up the counts, allocate, fill."""
        n = low.scalar(node.inputs[0])
        counts = low.converted(node.inputs[1], "int64")
        total = low.routine("repeat_count", (counts,), (n,))
        low.routine("repeat_index", (low.alloc(node.outputs[0], [total]), counts), (n,))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [None]


def repeat_index(n: Any, counts: Any) -> Any:
    """0, 1, … n - 1, each as often as ``counts`` says."""
    return RepeatIndex()(n, counts)


register("nonzero", nonzero)
register("flatnonzero", flatnonzero)
register("nonzero_values", nonzero_values)
register("mask_indices", mask_indices)
register("repeat_index", repeat_index)
