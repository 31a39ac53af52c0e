"""The extents of an array as values: Shape, Shape_i, and MakeVector, which builds vectors."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of


class Axis(NamedTuple):
    """One axis of a view, as ``view`` methods give it: it moves ``step`` elements along axis
    ``source`` of the source array (None: a new axis that does not move) and has ``length``."""

    source: int | None
    length: Any
    step: Any = 1


# The ``view_map`` of ops whose output shares memory with their first input.
SHARES_INPUT: Mapping[int, list[int]] = MappingProxyType({0: [0]})


def disconnected() -> Variable:
    """The gradient with respect to something that has no influence."""
    return DisconnectedType()()


def array_like(x: Any) -> Any:
    """``x`` if it is a variable with a rank (sparse ones too), else as a tensor."""
    return x if isinstance(x, Variable) and hasattr(x.type, "ndim") else as_tensor_variable(x)


def not_one(size: int | None) -> int | None:
    """A static size, but None for a 1 that nobody declared to stretch."""
    return None if size == 1 else size


def size_of(x: Any, axis: int) -> sizes.Size:
    """Extent ``axis`` of ``x``: an int where the type knows it, else ``Shape_i{axis}(x)``."""
    static = getattr(x.type, "shape", None)
    if static is not None and static[axis] is not None:
        return static[axis]
    return Shape_i(axis)(x)


def sizes_of(x: Any) -> tuple[sizes.Size, ...]:
    """All extents of ``x``, as ``size_of`` gives them."""
    return tuple(size_of(x, axis) for axis in range(x.type.ndim))


def same_axes(node: Apply, v: Any) -> tuple[Axis, ...]:
    """The axes of a view that is the whole first input."""
    return tuple(Axis(axis, v.dim(axis)) for axis in range(node.inputs[0].type.ndim))


class NoGradient:
    """What ops share through which nothing flows; one of several outputs defines ``R_op``."""

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """No input has an influence that could be differentiated."""
        return [[False] * len(node.outputs) for _ in node.inputs]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [disconnected() for _ in inputs]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class Shape(NoGradient, TensorOp):
    """The extents as an int64 vector."""

    __props__ = ()
    lowering = "expand"

    def make_node(self, x: Any) -> Apply:
        x = array_like(x)
        return Apply(self, [x], [TensorType("int64", shape=(not_one(x.type.ndim),))()])

    def reference(self, node: Apply, x: Any) -> Any:
        return np.array(x.shape, dtype="int64")

    def expand(self, node: Apply) -> list[Any]:
        """One Shape_i per dimension."""
        vector: Any = sizes.vector(sizes_of(node.inputs[0]))
        return [apply("unbroadcast", vector, 0)]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(node.inputs[0].type.ndim,)]

    def entry(self, node: Apply, i: int) -> Any:
        """Extent ``i``."""
        return size_of(node.inputs[0], i)

    def length(self, node: Apply) -> int:
        """The rank."""
        return int(node.inputs[0].type.ndim)


class Shape_i(NoGradient, TensorOp):
    """One extent, a 0-d int64."""

    __props__ = ("i",)
    lowering = "shape"

    def __init__(self, i: int) -> None:
        self.i = operator.index(i)

    def make_node(self, x: Any) -> Apply:
        x = array_like(x)
        if not 0 <= self.i < x.type.ndim:
            raise TypeError(f"{x} of type {x.type} has too few dimensions for {self}")
        return Apply(self, [x], [TensorType("int64", shape=())()])

    def reference(self, node: Apply, x: Any) -> Any:
        return np.int64(x.shape[self.i])

    def size(self, node: Apply, v: Any) -> Any:
        """The register of that extent."""
        return v.dim(self.i)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [()]

    def same_value(self, node: Apply) -> Any:
        """The extent, where the type knows it."""
        return getattr(node.inputs[0].type, "shape", {self.i: None})[self.i]

    def __str__(self) -> str:
        return f"Shape_i{{{self.i}}}"


def shape_i(x: Any, i: int, fgraph: Any = None) -> Any:
    """Extent ``i`` of ``x`` as a 0-d int64 variable."""
    return sizes.variable(size_of(array_like(x), i))


def shape(x: Any) -> Any:
    """The extents of ``x`` as an int64 vector."""
    return Shape()(x)


class MakeVector(TensorOp):
    """A vector of 0-d inputs, all converted to ``dtype``."""

    __props__ = ("dtype",)
    lowering = "step"

    def __init__(self, dtype: str = "int64") -> None:
        self.dtype = dtypes.dtype_name(dtype)

    def make_node(self, *inputs: Any) -> Apply:
        variables = [as_tensor_variable(x) for x in inputs]
        for x in variables:
            if x.type.ndim != 0:
                raise TypeError(f"MakeVector takes scalars, got {x} of type {x.type}")
            if dtypes.promote(x.type.dtype, self.dtype) != self.dtype:
                raise TypeError(
                    f"MakeVector{{{self.dtype}}} cannot hold {x} of dtype {x.type.dtype}"
                )
        variables = [cast(x, self.dtype) for x in variables]
        kind = TensorType(self.dtype, shape=(len(variables),))
        return Apply(self, variables, [kind()])

    def reference(self, node: Apply, *inputs: Any) -> Any:
        return np.array(inputs, dtype=self.dtype).reshape(len(inputs))

    def lower(self, node: Apply, low: Any) -> None:
        """One store per element."""
        (output,) = node.outputs
        out = low.alloc(output, (len(node.inputs),))
        for i, x in enumerate(node.inputs):
            low.copy(low.array(x), low.view(out, ((0, i),), (), self.dtype))
        low.define(output, out)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(len(node.inputs),)]

    def entry(self, node: Apply, i: int) -> Any:
        """Input ``i``."""
        return node.inputs[i]

    def length(self, node: Apply) -> int:
        """The number of inputs."""
        return len(node.inputs)

    def same_value(self, node: Apply) -> Any:
        """The only input."""
        return node.inputs[0] if len(node.inputs) == 1 else None

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (gz,) = output_grads
        if self.dtype in dtypes.DISCRETE:
            return [zeros_of(x) for x in inputs]
        return [gz[i] for i in range(len(inputs))]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if all(e is None for e in eval_points):
            return [None]
        points = [zeros_of(x) if e is None else e for x, e in zip(inputs, eval_points, strict=True)]
        return [self(*points)]


def make_vector(*inputs: Any) -> Any:
    """A vector of scalars, of the dtype that all of them have together."""
    variables = [as_tensor_variable(x) for x in inputs]
    dtype = dtypes.upcast(*(x.type.dtype for x in variables)) if variables else "int64"
    return MakeVector(dtype)(*variables)


register("shape", shape)
register("shape_i", shape_i)
register("make_vector", make_vector)
