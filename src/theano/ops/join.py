"""Putting arrays together (join, stack, concatenate) and taking them apart (split)."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import NotScalarConstantError
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, constant, zeros_of
from theano.ops.constants import get_scalar_constant_value, vector_entries
from theano.ops.extents import Axis, disconnected, make_vector, not_one, size_of
from theano.ops.mismatch import mismatch
from theano.ops.shape_checks import patternbroadcast


def _static_axis(axis: Any, ndim: int, what: str) -> int | None:
    """A constant axis counted from 0, None for a symbolic one; ValueError out of range."""
    try:
        value = int(get_scalar_constant_value(axis))
    except NotScalarConstantError:
        return None
    if not -ndim <= value < ndim:
        raise ValueError(f"{what}: axis {value} is out of range for {ndim} dimensions")
    return value % ndim


def _axis_variable(axis: Any, what: str) -> Any:
    axis = as_tensor_variable(axis)
    if axis.type.ndim != 0 or axis.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"{what}: axis must be an integer, got {axis} of type {axis.type}")
    return axis


class Join(TensorOp):
    """Arrays of one rank put one after the other along an axis: inputs are (axis, *tensors).

    The dtype is that of all together. A dimension other than the axis is broadcastable where it is
    in any input; with a symbolic axis none is.
    """

    __props__ = ()
    lowering = "step"

    def make_node(self, axis: Any, *tensors: Any) -> Apply:
        if not tensors:
            raise ValueError("Cannot join an empty list of tensors")
        axis = _axis_variable(axis, "join")
        inputs = [as_tensor_variable(x) for x in tensors]
        ndim = inputs[0].type.ndim
        if ndim == 0:
            raise TypeError(
                "Join cannot handle arguments of dimension 0. For joining scalar values, see @stack"
            )
        if any(x.type.ndim != ndim for x in inputs):
            raise TypeError(
                "Only tensors with the same number of dimensions can be joined: "
                f"{[x.type.ndim for x in inputs]} in {tuple(map(str, inputs))}"
            )
        dtype = dtypes.upcast(*(x.type.dtype for x in inputs))
        inputs = [cast(x, dtype) for x in inputs]
        position = _static_axis(axis, ndim, "join")
        if position is None:
            kind = TensorType(dtype, shape=[None] * ndim)
            return Apply(JoinAnyAxis(), [axis, *inputs], [kind()])
        kind = TensorType(dtype, shape=_joined_shape(position, inputs))
        return Apply(Join(), [constant(np.int64(position)), *inputs], [kind()])

    def reference(self, node: Apply, axis: Any, *tensors: Any) -> Any:
        ndim = tensors[0].ndim
        if not -ndim <= axis < ndim:
            raise IndexError(f"Join axis {int(axis)} out of bounds [0, {ndim})")
        try:
            return np.concatenate(tensors, axis=int(axis))
        except ValueError as error:
            raise ValueError(
                f"Join along axis {int(axis)}: the inputs have shapes "
                f"{[t.shape for t in tensors]}, which differ elsewhere"
            ) from error

    def lower(self, node: Apply, low: Any) -> None:
        """Each input copied into its part of the output, unless it was computed there."""
        out, parts = low.join_parts(node)
        for x, part in zip(node.inputs[1:], parts, strict=True):
            if low.arrays.get(x) != part:
                low.copy(low.array(x), part)
        low.define(node.outputs[0], out)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        axis, shapes = sizes.known(node.inputs[0]), input_shapes[1:]
        joined = []
        for i, first in enumerate(shapes[0]):
            total = sizes.total(shape[i] for shape in shapes)
            if axis is None:
                is_axis = sizes.where("lt", node.inputs[0], 0, len(shapes[0]), 0)
                position = sizes.add(node.inputs[0], is_axis)
                joined.append(sizes.where("eq", position, i, total, first))
            else:
                known = [s[i] for s in shapes if isinstance(s[i], int)]
                joined.append(total if i == axis else known[0] if known else first)
        return [tuple(joined)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """The axis has no influence that could be differentiated."""
        return [[i > 0] for i in range(len(node.inputs))]

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` of a vector made of vectors of known length."""
        for x in node.inputs[1:]:
            length = _length(x)
            if length is None:
                return None
            if i < length:
                return x, i
            i -= length
        return None

    def length(self, node: Apply) -> int | None:
        """The sum of the lengths, where all are known."""
        lengths = [_length(x) for x in node.inputs[1:]]
        return None if None in lengths else sum(n for n in lengths if n is not None)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        axis, *tensors = inputs
        (gz,) = output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return [disconnected(), *map(zeros_of, tensors)]
        position = sizes.known(axis)
        if position is not None:
            lengths = [size_of(x, position) for x in tensors]
        else:
            lengths = [x.shape[axis] for x in tensors]
        parts = Split(len(tensors))(gz, axis, sizes.vector(lengths), return_list=True)
        back = [
            patternbroadcast(part, x.type.broadcastable)
            for part, x in zip(parts, tensors, strict=True)
        ]
        return [disconnected(), *back]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if all(e is None for e in eval_points[1:]):
            return [None]
        pairs = zip(inputs[1:], eval_points[1:], strict=True)
        return [self(inputs[0], *(zeros_of(x) if e is None else e for x, e in pairs))]


class JoinAnyAxis(Join):
    """Join along an axis that is only known at run time."""

    lowering = "python"
    why = "the axis is only known at run time"

    def __str__(self) -> str:
        return "Join"


def _length(x: Any) -> int | None:
    try:
        return int(apply("get_vector_length", x))
    except (TypeError, ValueError):
        return None


def _joined_shape(axis: int, inputs: Sequence[Any]) -> list[int | None]:
    shape: list[int | None] = []
    for i in range(inputs[0].type.ndim):
        known = [x.type.shape[i] for x in inputs]
        if i != axis:
            found = {size for size in known if size is not None}
            if len(found) > 1:
                raise mismatch(
                    f"Join along axis {axis}: the inputs have static shapes "
                    f"{[x.type.shape for x in inputs]}, which differ in dimension {i}",
                    *inputs,
                )
            shape.append(next(iter(found), None))
        elif len(inputs) == 1:
            shape.append(known[0])
        else:
            shape.append(not_one(None if None in known else sum(n for n in known if n)))
    return shape


def join(axis: Any, *tensors_list: Any) -> Any:
    """``tensors_list`` put together along the existing axis ``axis``.

    Raises TypeError for scalars and for different ranks.

    >>> import theano.tensor as T
    >>> T.join(0, T.constant([1]), T.constant([2, 3])).eval().tolist()
    [1, 2, 3]
    """
    if len(tensors_list) == 1:
        axis = _axis_variable(axis, "join")
        only = as_tensor_variable(tensors_list[0])
        _static_axis(axis, only.type.ndim, "join")
        return only
    return Join()(axis, *tensors_list)


def concatenate(tensor_list: Any, axis: Any = 0) -> Any:
    """A list or tuple of arrays put together along the existing axis ``axis``."""
    if not isinstance(tensor_list, (tuple, list)):
        raise TypeError(
            "The 'tensors' argument must be either a tuple or a list, make sure you did not forget "
            f"() or [] around arguments of concatenate: {tensor_list}"
        )
    return join(axis, *tensor_list)


def stack(*tensors: Any, **kwargs: Any) -> Any:
    """Arrays of one shape put together along a new axis.

    Parameters
    ----------
    tensors : a list or tuple of arrays (the old form ``stack(a, b, …)`` works too).
    axis : position of the new axis in the result, 0 by default.

    >>> import theano.tensor as T
    >>> T.stack([T.constant([1, 2]), T.constant([3, 4])], axis=1).eval().tolist()
    [[1, 3], [2, 4]]
    """
    if not tensors and "tensors" not in kwargs:
        raise TypeError("theano.tensor.stack(tensors, axis) needs at least one argument")
    sequence = kwargs.pop("tensors", None) or tensors[0]
    axis = kwargs.pop("axis", 0)
    if kwargs:
        raise TypeError(f"stack got unexpected arguments {sorted(kwargs)}")
    if isinstance(sequence, (list, tuple)):
        if len(tensors) > 1:
            axis = tensors[1]
    else:
        sequence = tensors
    if not sequence:
        raise ValueError("Stacking an empty list of tensors")
    return _stack([as_tensor_variable(x) for x in sequence], axis)


def _stack(inputs: list[Any], axis: Any) -> Any:
    ndim = inputs[0].type.ndim
    position = operator.index(axis)
    if not -(ndim + 1) <= position <= ndim:
        raise IndexError(f"axis {axis} is out of bounds [-{ndim + 1}, {ndim + 1})")
    if all(x.type.ndim == 0 for x in inputs):
        if all(isinstance(x, Constant) for x in inputs):
            return constant(np.stack([x.data for x in inputs]).astype(
                dtypes.upcast(*(x.type.dtype for x in inputs))))  # fmt: skip
        return make_vector(*inputs)
    padded = [apply("shape_padaxis", x, axis) for x in inputs]
    return join(position % (ndim + 1), *padded)


def stacklists(arg: Any) -> Any:
    """Nested lists of arrays as one array, stacked along the first axes.

    >>> stacklists([[1, 2], [3, 4]]).ndim
    2
    """
    if isinstance(arg, (tuple, list)):
        return stack([stacklists(item) for item in arg])
    return as_tensor_variable(arg)


def horizontal_stack(*args: Any) -> Any:
    """Matrices side by side."""
    _check_matrices(args)
    return concatenate(args, axis=1)


def vertical_stack(*args: Any) -> Any:
    """Matrices on top of each other."""
    _check_matrices(args)
    return concatenate(args, axis=0)


def _check_matrices(args: Sequence[Any]) -> None:
    if len(args) < 2:
        raise ValueError(f"need at least two matrices to stack, got {len(args)}")
    for x in args:
        if as_tensor_variable(x).type.ndim != 2:
            raise ValueError(f"only matrices can be stacked so, got {x}")


class Split(TensorOp):
    """Parts of an array along an axis: inputs (x, axis, sizes); ``len_splits`` outputs."""

    __props__ = ("len_splits",)
    lowering = "step"

    def __init__(self, len_splits: int) -> None:
        self.len_splits = operator.index(len_splits)

    @property
    def view_map(self) -> dict[int, list[int]]:  # type: ignore[override]
        """Every part shares memory with the array."""
        return {i: [0] for i in range(self.len_splits)}

    def make_node(self, x: Any, axis: Any, splits: Any) -> Apply:
        x, splits = as_tensor_variable(x), as_tensor_variable(splits)
        axis = _axis_variable(axis, "split")
        if splits.type.ndim != 1 or splits.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"split: sizes must be a vector of integers, got {splits.type}")
        if x.type.ndim == 0:
            raise TypeError("split: a scalar cannot be split")
        position = _static_axis(axis, x.type.ndim, "split")
        if position is not None:
            axis = constant(np.int64(position))
        length = _length(splits)
        if length is not None and length != self.len_splits:
            raise ValueError(f"split: {length} sizes for {self.len_splits} parts")
        entries = list(map(sizes.known, vector_entries(splits, self.len_splits)))
        self._check(x, position, entries)
        outputs = [x.type.clone(shape=self._shape(x, position, entry))() for entry in entries]
        kind = SplitAnyAxis if position is None else Split
        return Apply(kind(self.len_splits), [x, axis, splits], outputs)

    def _check(self, x: Any, position: int | None, entries: Sequence[int | None]) -> None:
        """ShapeError if constant sizes do not sum to a known extent."""
        extent = None if position is None else x.type.shape[position]
        known = [entry for entry in entries if entry is not None]
        if extent is not None and len(known) == len(entries) and sum(known) != extent:
            raise mismatch(
                f"The splits sum to {sum(known)}, expected {extent}: sizes {known} along axis "
                f"{position}",
                x,
            )

    def _shape(self, x: Any, position: int | None, entry: int | None) -> list[int | None]:
        if position is None:
            return [None] * x.type.ndim
        shape = list(x.type.shape)
        shape[position] = None if entry is None or entry < 0 else not_one(entry)
        return shape

    def reference(self, node: Apply, x: Any, axis: Any, splits: Any) -> Any:
        axis, splits = int(axis), [int(s) for s in splits]
        if not -x.ndim <= axis < x.ndim:
            raise ValueError(f"Split: axis {axis} out of range for shape {x.shape}")
        if len(splits) != self.len_splits:
            raise ValueError(
                f"In Split.perform(), len(splits) != len_splits: {len(splits)} sizes for "
                f"{self.len_splits} parts"
            )
        if any(s < 0 for s in splits):
            raise ValueError(f"Split: you tried to make an ndarray with negative size: {splits}")
        if sum(splits) != x.shape[axis]:
            raise ValueError(
                f"The splits sum to {sum(splits)}, expected {x.shape[axis]}: sizes {splits} along "
                f"axis {axis} of shape {x.shape}"
            )
        return tuple(np.split(x, np.cumsum(splits)[:-1], axis=axis))

    def lower(self, node: Apply, low: Any) -> None:
        """One view per part, and checks of the sizes."""
        x, axis_variable, splits = node.inputs
        axis = int(axis_variable.data)  # type: ignore[attr-defined]
        array, dims = low.array(x), low.dims(x)
        start: Any = 0
        entries = [_scalar(low, entry) for entry in vector_entries(splits, self.len_splits)]
        starts = []
        for extent in entries:
            low.check(low.let("ge", extent, 0), "Split: a negative size")
            starts.append(start)
            start = low.let("add", start, extent)
        low.check(low.let("eq", start, dims[axis]), "The splits do not sum to the extent")
        for first, extent, output in zip(starts, entries, node.outputs, strict=True):
            axes = [Axis(i, extent if i == axis else dims[i], 1) for i in range(len(dims))]
            low.define(output, low.view(array, ((axis, first),), axes, output.type.dtype))

    def __str__(self) -> str:
        return f"Split{{{self.len_splits}}}"

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        axis, ndim = sizes.known(node.inputs[1]), node.inputs[0].type.ndim
        shapes = []
        for entry in vector_entries(node.inputs[2], self.len_splits):
            shape = list(input_shapes[0])
            for i in range(ndim):
                if axis is None:
                    position = node.inputs[1]
                    wrapped = sizes.where("lt", position, 0, sizes.add(position, ndim), position)
                    shape[i] = sizes.where("eq", wrapped, i, entry, shape[i])
                elif i == axis:
                    shape[i] = sizes.simple(entry)
            shapes.append(tuple(shape))
        return shapes

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the array has influence on values."""
        return [[i == 0] * self.len_splits for i in range(3)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, axis, _ = inputs
        if all(isinstance(g.type, DisconnectedType) for g in output_grads):
            return [disconnected()] * 3
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), disconnected(), disconnected()]
        parts = [
            zeros_of(out) if isinstance(g.type, DisconnectedType) else g
            for out, g in zip(outputs, output_grads, strict=True)
        ]
        joined = join(axis, *parts)
        back = patternbroadcast(joined, x.type.broadcastable)
        return [back, disconnected(), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None] * self.len_splits
        return self(eval_points[0], *inputs[1:], return_list=True)


class SplitAnyAxis(Split):
    """Split along an axis that is only known at run time."""

    lowering = "python"
    why = "the axis is only known at run time"

    def __str__(self) -> str:
        return f"Split{{{self.len_splits}}}"


def _scalar(low: Any, entry: Any) -> Any:
    return low.scalar(entry) if isinstance(entry, Variable) else entry


def split(x: Any, splits_size: Any, n_splits: int, axis: Any = 0) -> list[Any]:
    """The list of ``n_splits`` parts of ``x`` along ``axis``, with the sizes ``splits_size``."""
    return list(Split(n_splits)(x, axis, splits_size, return_list=True))


for _name, _builder in (
    ("join", join),
    ("stack", stack),
    ("concatenate", concatenate),
    ("split", split),
    ("stacklists", stacklists),
):
    register(_name, _builder)
