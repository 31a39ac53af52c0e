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
from theano.ops.extents import NoGradient, size_of
from theano.ops.index import getitem
from theano.ops.index_nonzero import flat

KINDS = ("quicksort", "mergesort", "heapsort", "stable", "introsort", "timsort", "radixsort")


class _Sorting(TensorOp):
    """``axis`` and ``kind`` of a sort."""

    __props__: ClassVar[tuple[str, ...]] = ("axis", "kind")
    lowering = "step"

    def __init__(self, axis: int = -1, kind: str = "quicksort") -> None:
        if kind not in KINDS:
            raise ValueError(f"{type(self).__name__}: kind must be one of {KINDS}, not {kind!r}")
        self.axis = int(axis)
        self.kind = kind

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over (before, axis, after)."""
        (x,), (out,) = node.inputs, node.outputs
        axis = self.axis % x.type.ndim
        name = "sort" if isinstance(self, SortOp) else "argsort"
        low.routine(name, (low.folded(low.alloc(out), axis), low.folded(low.array(x), axis)))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.axis}, {self.kind}}}"


class SortOp(_Sorting):
    """Elements in ascending order along ``axis``; NaNs come last.

    ``kind`` is accepted for NumPy's sake: natively every sort is a radix sort, and stable.
    """

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        axis_of(self.axis, x.type.ndim, "sort")
        return Apply(self, [x], [x.type()])

    def reference(self, node: Apply, x: Any) -> Any:
        # NumPy 2.4's quicksort of float16 is wrong where elements repeat (AVX-512).
        return np.sort(x, axis=self.axis, kind="stable")

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Each element's gradient goes back to where the element came from."""
        (x,) = inputs
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        return [put_back(x, self._order(x), output_grads[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x,), (direction,) = inputs, eval_points
        return [None if direction is None else getitem(direction, self._order(x))]

    def _order(self, x: Any) -> Any:
        """The index for which ``x[index]`` is sorted."""
        axis = axis_of(self.axis, x.type.ndim, "sort")
        return along_axis(x, ArgSortOp(axis, self.kind)(x), axis)


def unique_of(x: Any, *wanted: Any, **options: Any) -> Any:
    """``numpy.unique``; of float16 in float32, since it sorts by quicksort (see SortOp)."""
    find: Any = np.unique
    return find(x.astype("float32") if x.dtype == "float16" else x, *wanted, **options)


def along_axis(x: Any, places: Any, axis: int) -> Any:
    """The index of ``x`` that takes ``places`` along ``axis``, an array of the rank of ``x``."""
    ndim = x.type.ndim
    if ndim == 1:
        return places
    return tuple(places if i == axis else _positions(x, i) for i in range(ndim))


def put_back(x: Any, index: Any, g: Any) -> Any:
    """The gradient ``g`` of ``x[index]``, where no element is taken twice."""
    return apply("set_subtensor", getitem(zeros_of(x), index), g)


def _positions(x: Any, axis: int) -> Any:
    """0, 1, … along ``axis``, stretching along the others."""
    pattern: list[Any] = ["x"] * x.type.ndim
    pattern[axis] = 0
    return apply("dimshuffle", apply("arange", size_of(x, axis)), *pattern)


class ArgSortOp(_Sorting):
    """Positions (int64) along ``axis`` that would sort, those of equal elements in order."""

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        axis_of(self.axis, x.type.ndim, "argsort")
        return Apply(self, [x], [x.type.clone(dtype="int64")()])

    def reference(self, node: Apply, x: Any) -> Any:
        # Every backend has the same answer for ties: that of a stable sort.
        return np.argsort(x, axis=self.axis, kind="stable")

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [zeros_of(inputs[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class SearchsortedOp(NoGradient, TensorOp):
    """Where elements go into a sorted vector: inputs (x, v) or (x, v, sorter); int64."""

    __props__: ClassVar[tuple[str, ...]] = ("side",)
    lowering = "step"

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
        if sorter is not None and (
            len(sorter) != len(x) or (len(x) and not 0 <= sorter.min() <= sorter.max() < len(x))
        ):
            raise ValueError(
                f"searchsorted: sorter of shape {sorter.shape} must hold positions of the "
                f"{len(x)} elements of x, one for each"
            )
        return np.searchsorted(x, v, side=self.side, sorter=sorter)  # type: ignore[call-overload]

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over all elements of ``v``; both sides in the dtype that holds both."""
        x, v, *rest = node.inputs
        dtype = np.promote_types(x.type.dtype, v.type.dtype).name
        found = flat(low, low.alloc(node.outputs[0]))
        given = [low.converted(x, dtype), flat(low, low.converted(v, dtype))]
        given += [low.converted(sorter, "int64") for sorter in rest]
        name = "searchsorted_by" if rest else "searchsorted"
        low.routine(name, (found, *given), (int(self.side == "right"),))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[1])]


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
