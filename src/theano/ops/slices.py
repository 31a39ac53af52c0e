"""Slices as values: made of symbolic ints, and taken apart where they index an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.generic import NoneConst, NoneTypeT, SliceType, slicetype
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.registry import register
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import NoGradient

_INT64 = TensorType("int64", ())


def as_int_none_variable(x: Any) -> Any:
    """None as ``NoneConst``, an integer as a 0-d variable.

    Raises TypeError for what is neither.

    >>> as_int_none_variable(None)
    NoneConst
    """
    if x is None or (isinstance(x, Variable) and isinstance(x.type, NoneTypeT)):
        return NoneConst if x is None else x
    x = as_tensor_variable(x)
    if x.type.ndim or x.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"A part of a slice is an integer scalar or None, got {x} of {x.type}.")
    return x


class MakeSlice(NoGradient, TensorOp):
    """``make_slice(start, stop, step)`` or ``make_slice(slice(…))``: a slice of symbolic ints.

    Parameters: 0-d integers, symbolic or not, or None. Raises TypeError for anything else. As an
    index of an array it costs nothing: the array is indexed by its parts.

    >>> import theano.tensor as T
    >>> x, n = T.dvector("x"), T.lscalar("n")
    >>> first = make_slice(0, n)
    >>> x[first].eval({x: [1.0, 2.0, 3.0], n: 2}).tolist()
    [1.0, 2.0]
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "python"
    why = "a slice is an object of Python's"

    def make_node(self, start: Any, stop: Any = None, step: Any = None) -> Apply:
        if isinstance(start, slice):
            if stop is not None or step is not None:
                raise TypeError(f"make_slice takes one slice or its parts, got {start} and more")
            start, stop, step = start.start, start.stop, start.step
        parts = [as_int_none_variable(part) for part in (start, stop, step)]
        return Apply(self, parts, [slicetype()])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Make the slice, with Python's ints."""
        output_storage[0][0] = slice(*(None if x is None else int(x) for x in inputs))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [None]


class SliceBounds(NoGradient, TensorOp):
    """``(start, stop, step)`` of a slice for a dimension of extent ``n``, as int64 that index it in
    the same way."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "python"
    why = "a slice is an object of Python's"

    def make_node(self, index: Any, n: Any) -> Apply:
        if not isinstance(index, Variable) or not isinstance(index.type, SliceType):
            raise TypeError(f"SliceBounds takes a slice, got {index} of {index.type}")
        return Apply(self, [index, as_int_none_variable(n)], [_INT64() for _ in range(3)])

    def reference(self, node: Apply, index: slice, n: Any) -> Any:
        size = int(n)
        start, stop, step = index.indices(size)
        if step < 0:
            # -1, before the first element, would be taken for the last one.
            start, stop = (-size - 1 if bound < 0 else bound for bound in (start, stop))
        return tuple(np.asarray(value, "int64") for value in (start, stop, step))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(), (), ()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None] * 3


make_slice = MakeSlice()
slice_bounds = SliceBounds()


def known_parts(index: Variable) -> slice | None:
    """A slice variable as a slice of ints, variables and None; None where only its value tells."""
    if isinstance(index, Constant):
        found: slice = index.data
        return found
    if index.owner is None or not isinstance(index.owner.op, MakeSlice):
        return None
    return slice(*(None if isinstance(x.type, NoneTypeT) else x for x in index.owner.inputs))


register("make_slice", make_slice)
