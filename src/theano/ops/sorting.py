"""Sorting, and searching in what is sorted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.cumulative import axis_of
from theano.ops.extents import disconnected, size_of
from theano.ops.index import getitem

KINDS = ("quicksort", "mergesort", "heapsort", "stable", "introsort", "timsort", "radixsort")
_NUMPY_KIND = {"introsort": "quicksort", "timsort": "stable", "radixsort": "stable"}
_WHY = "a sort moves elements by comparing them, which is not elementwise; NumPy's is vectorised"


class _Sorting(TensorOp):
    """``axis`` and ``kind`` of a sort."""

    __props__: ClassVar[tuple[str, ...]] = ("axis", "kind")
    lowering = "python"
    why = _WHY

    def __init__(self, axis: int = -1, kind: str = "quicksort") -> None:
        if kind not in KINDS:
            raise ValueError(f"{type(self).__name__}: kind must be one of {KINDS}, not {kind!r}")
        self.axis = int(axis)
        self.kind = kind

    def _numpy_kind(self) -> Any:
        return _NUMPY_KIND.get(self.kind, self.kind)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.axis}, {self.kind}}}"


class SortOp(_Sorting):
    """Elements in ascending order along ``axis``; NaNs come last."""

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        axis_of(self.axis, x.type.ndim, "sort")
        return Apply(self, [x], [x.type()])

    def reference(self, node: Apply, x: Any) -> Any:
        return np.sort(x, axis=self.axis, kind=self._numpy_kind())

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Each element's gradient goes back to where the element came from."""
        (x,) = inputs
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        place = getitem(zeros_of(x), self._order(x))
        return [apply("set_subtensor", place, output_grads[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x,), (direction,) = inputs, eval_points
        return [None if direction is None else getitem(direction, self._order(x))]

    def _order(self, x: Any) -> Any:
        """The index for which ``x[index]`` is sorted."""
        ndim = x.type.ndim
        axis = axis_of(self.axis, ndim, "sort")
        order = ArgSortOp(axis, self.kind)(x)
        if ndim == 1:
            return order
        return tuple(order if i == axis else _positions(x, i) for i in range(ndim))


def _positions(x: Any, axis: int) -> Any:
    """0, 1, … along ``axis``, stretching along the others."""
    pattern: list[Any] = ["x"] * x.type.ndim
    pattern[axis] = 0
    return apply("dimshuffle", apply("arange", size_of(x, axis)), *pattern)


class ArgSortOp(_Sorting):
    """Positions (int64) along ``axis`` that would sort."""

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        axis_of(self.axis, x.type.ndim, "argsort")
        return Apply(self, [x], [x.type.clone(dtype="int64")()])

    def reference(self, node: Apply, x: Any) -> Any:
        return np.argsort(x, axis=self.axis, kind=self._numpy_kind())

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [zeros_of(inputs[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class SearchsortedOp(TensorOp):
    """Where elements go into a sorted vector: inputs (x, v) or (x, v, sorter); int64."""

    __props__: ClassVar[tuple[str, ...]] = ("side",)
    lowering = "python"
    why = "a binary search loops by comparing, and kernels have no such loop yet"

    def __init__(self, side: str = "left") -> None:
        if side not in ("left", "right"):
            raise ValueError(f"searchsorted: side must be 'left' or 'right', not {side!r}")
        self.side = side

    def make_node(self, x: Any, v: Any, sorter: Any = None) -> Apply:
        x, v = as_tensor_variable(x), as_tensor_variable(v)
        if x.type.ndim != 1:
            raise ValueError(f"searchsorted: x must be a vector, got {x.type}")
        inputs = [x, v]
        if sorter is not None:
            sorter = as_tensor_variable(sorter)
            if sorter.type.ndim != 1 or sorter.type.dtype not in dtypes.integer_dtypes:
                raise TypeError(f"searchsorted: sorter must be a vector of ints, got {sorter.type}")
            inputs.append(sorter)
        return Apply(self, inputs, [v.type.clone(dtype="int64")()])

    def reference(self, node: Apply, x: Any, v: Any, sorter: Any = None) -> Any:
        return np.searchsorted(x, v, side=self.side, sorter=sorter)  # type: ignore[call-overload]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[1])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions are integers: nothing flows."""
        return [[False] for _ in node.inputs]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [disconnected() for _ in inputs]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


def _refuse_fields(order: Any, what: str) -> None:
    if order is not None:
        raise ValueError(f"{what}: order={order!r} names fields, and tensors have none")


def _flat_if_none(a: Any, axis: Any) -> tuple[Any, int]:
    a = as_tensor_variable(a)
    if axis is None:
        return apply("flatten", a), 0
    return a, axis_of(axis, a.type.ndim, "sort")


def sort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """``a`` in ascending order along ``axis`` (None: flattened).

    ``kind`` is one of NumPy's algorithms; ``order`` (of NumPy's signature) must be None.

    >>> import theano.tensor as T
    >>> sort(T.constant([3, 1, 2])).eval().tolist()
    [1, 2, 3]
    """
    _refuse_fields(order, "sort")
    a, axis = _flat_if_none(a, axis)
    return SortOp(axis, kind)(a)


def argsort(a: Any, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
    """The int64 positions that sort ``a`` along ``axis`` (None: flattened); see ``sort``.

    >>> import theano.tensor as T
    >>> argsort(T.constant([3, 1, 2])).eval().tolist()
    [1, 2, 0]
    """
    _refuse_fields(order, "argsort")
    a, axis = _flat_if_none(a, axis)
    return ArgSortOp(axis, kind)(a)


def searchsorted(x: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Where each element of ``v`` would go into the ascending vector ``x`` to keep it sorted.

    ``side``: before (``"left"``) or behind (``"right"``) equal elements. ``sorter`` is a vector of
    positions that sort ``x``. The result is int64; it has no gradient.

    >>> import theano.tensor as T
    >>> searchsorted(T.constant([1, 3, 5]), T.constant([0, 3, 9])).eval().tolist()
    [0, 1, 3]
    """
    op = SearchsortedOp(side)
    return op(x, v) if sorter is None else op(x, v, sorter)


for _builder in (sort, argsort, searchsorted):
    register(_builder.__name__, _builder)
