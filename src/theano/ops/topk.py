"""The k greatest or least elements along an axis, and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.cumulative import axis_of
from theano.ops.extents import disconnected
from theano.ops.index import getitem
from theano.ops.sorting import along_axis, put_back, unique_of


class TopKOp(TensorOp):
    """The ``|kth|`` greatest elements along ``axis``, or the least if it is negative: (x, kth).

    Outputs: the values and their positions (of ``idx_dtype``), as far as they are asked for; the
    best come first, the first of equals before the others. ``sorted`` False permits any order (it
    is the same one). NaN is greater than every number.
    """

    __props__: ClassVar[tuple[str, ...]] = (
        "axis", "sorted", "return_values", "return_indices", "idx_dtype",
    )  # fmt: skip
    lowering = "step"

    def __init__(
        self, axis: int = -1, sorted: bool = True, idx_dtype: str = "int64",
        return_values: bool = True, return_indices: bool = True,
    ) -> None:  # fmt: skip
        if idx_dtype not in dtypes.integer_dtypes:
            raise TypeError(f"topk: idx_dtype must be one of integers, not {idx_dtype!r}")
        if not return_values and not return_indices:
            raise ValueError("topk: neither values nor indices are asked for")
        self.axis = int(axis)
        self.sorted = bool(sorted)
        self.idx_dtype = idx_dtype
        self.return_values = bool(return_values)
        self.return_indices = bool(return_indices)

    def make_node(self, x: Any, kth: Any) -> Apply:
        x, kth = as_tensor_variable(x), as_tensor_variable(kth)
        axis = axis_of(self.axis, x.type.ndim, "topk")
        if kth.type.ndim != 0 or kth.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"topk: kth must be a 0-d integer, got {kth} of type {kth.type}")
        known = sizes.known(kth)
        if known == 0:
            raise ValueError("topk: kth must not be 0")
        shape = list(x.type.shape)
        extent = shape[axis]
        if known is not None and extent is not None and abs(known) > extent:
            raise ValueError(_too_many(known, axis, shape))
        shape[axis] = None if known is None else abs(known)
        kind = x.type.clone(shape=tuple(shape))
        outputs = [kind()] if self.return_values else []
        if self.return_indices:
            outputs.append(kind.clone(dtype=self.idx_dtype)())
        return Apply(self, [x, kth], outputs)

    def reference(self, node: Apply, x: Any, kth: Any) -> Any:
        axis, count = self.axis % x.ndim, abs(int(kth))
        if count == 0:
            raise ValueError("topk: kth must not be 0")
        if count > x.shape[axis]:
            raise ValueError(_too_many(kth, axis, x.shape))
        # Ranks from the best on turn a stable ascending sort into one that is stable both ways.
        ranks = unique_of(x, return_inverse=True)[1].reshape(x.shape)
        order = np.argsort(-ranks if kth > 0 else ranks, axis=axis, kind="stable")
        places = np.take(order, np.arange(count), axis=axis)
        results = [np.take_along_axis(x, places, axis)] if self.return_values else []
        return (*results, places) if self.return_indices else tuple(results)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over (before, axis, after), which gives values and positions."""
        x, kth = node.inputs
        axis = self.axis % x.type.ndim
        number = low.k.cast(low.scalar(kth), "int64")
        count = low.let("abs", number)
        low.check(low.let("ne", number, 0), "topk: kth must not be 0")
        source = low.array(x)
        fits = low.let("le", count, low.dim(source, axis))
        low.check(fits, "topk: there are fewer elements than kth")
        dims = [low.dim(source, i) for i in range(x.type.ndim)]
        dims[axis] = count
        if self.return_values:
            values = low.alloc(node.outputs[0], dims)
        else:
            values = low.allocate(x.type.dtype, dims)
        direct = self.return_indices and self.idx_dtype == "int64"
        places = low.alloc(node.outputs[-1], dims) if direct else low.allocate("int64", dims)
        largest = low.k.cast(low.let("gt", number, 0), "int64")
        folded = (low.folded(array, axis) for array in (values, places, source))
        low.routine("topk", tuple(folded), (largest,))
        if self.return_indices and not direct:
            low.copy(places, low.alloc(node.outputs[-1], dims))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        x, kth = node.inputs
        shape = list(input_shapes[0])
        known = sizes.known(kth)
        count = apply("abs_", sizes.variable(kth)) if known is None else abs(known)
        shape[self.axis % x.type.ndim] = count
        return [tuple(shape)] * len(node.outputs)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only values follow the elements."""
        return [[self.return_values and i == 0 for i in range(len(node.outputs))],
                [False] * len(node.outputs)]  # fmt: skip

    def _index(self, x: Any, kth: Any) -> Any:
        """The index of ``x`` that takes the elements."""
        axis = self.axis % x.type.ndim
        op = TopKOp(axis, self.sorted, "int64", return_values=False)
        return along_axis(x, op(x, kth), axis)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Each element's gradient goes back to where the element came from."""
        x, kth = inputs
        if not self.return_values or x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x) if self.return_values else disconnected(), disconnected()]
        return [put_back(x, self._index(x, kth), output_grads[0]), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        direction = eval_points[0]
        results: list[Any] = [None] * (self.return_values + self.return_indices)
        if direction is not None and self.return_values:
            results[0] = getitem(direction, self._index(*inputs))
        return results

    def __str__(self) -> str:
        return f"TopKOp{{axis={self.axis}}}"


def _too_many(kth: Any, axis: int, shape: Sequence[Any]) -> str:
    return f"topk: kth={int(kth)}, but axis {axis} of shape {tuple(shape)} has fewer elements"


def _arguments(x: Any, kth: Any, axis: int | None) -> tuple[Any, Any, int]:
    x = as_tensor_variable(x)
    if axis is None:
        return apply("flatten", x), kth, 0
    return x, kth, axis_of(axis, x.type.ndim, "topk")


def topk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Any:
    """The ``kth`` greatest elements along ``axis``, or the ``-kth`` least ones if it is negative.

    Parameters
    ----------
    x : array of any real dtype.
    kth : int or 0-d integer, not 0, at most the extent in size: ValueError otherwise (at run time
        if it is symbolic).
    axis : int, or None for the flattened array.
    sorted : the best come first; False permits any order.
    idx_dtype : of no effect here; see ``argtopk``.

    NaN counts as greater than every number. The gradient goes to the elements that were taken.

    >>> import theano.tensor as T
    >>> topk(T.constant([3, 1, 5, 2]), 2).eval().tolist()
    [5, 3]
    >>> topk(T.constant([3, 1, 5, 2]), -2).eval().tolist()
    [1, 2]
    """
    x, kth, axis = _arguments(x, kth, axis)
    return TopKOp(axis, sorted, idx_dtype, return_indices=False)(x, kth)


def argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> Any:
    """Where the elements of ``topk`` are along ``axis``, of dtype ``idx_dtype``.

    Of equal elements the first ones are taken, in order.

    >>> import theano.tensor as T
    >>> argtopk(T.constant([3, 1, 5, 2]), 2).eval().tolist()
    [2, 0]
    """
    x, kth, axis = _arguments(x, kth, axis)
    return TopKOp(axis, sorted, idx_dtype, return_values=False)(x, kth)


def topk_and_argtopk(
    x: Any, kth: Any, axis: int | None = -1, sorted: bool = True, idx_dtype: str = "int64"
) -> list[Any]:
    """``[topk(…), argtopk(…)]``, found together.

    >>> import theano.tensor as T
    >>> [v.eval().tolist() for v in topk_and_argtopk(T.constant([3, 1, 5]), 1)]
    [[5], [2]]
    """
    x, kth, axis = _arguments(x, kth, axis)
    results: list[Any] = TopKOp(axis, sorted, idx_dtype)(x, kth)
    return results


for _builder in (topk, argtopk, topk_and_argtopk):
    register(_builder.__name__, _builder)
