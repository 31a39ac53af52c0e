"""Arrays made from nothing but extents and scalars: alloc, zeros, ones, eye, arange, tri."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import grad_undefined
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, constant, zeros_of
from theano.ops.constants import extract_constant, get_vector_length, vector_entry
from theano.ops.extents import disconnected, not_one, size_of, sizes_of
from theano.ops.mismatch import mismatch
from theano.ops.scalar import kernel_dtype


def _extents(op: Any, shape: Sequence[Any]) -> tuple[list[Any], list[int | None]]:
    """Extents as 0-d int64 variables, and the known ones; TypeError where they are not integers."""
    variables, static = [], []
    for position, extent in enumerate(shape):
        x = as_tensor_variable(extent)
        if x.type.dtype not in dtypes.integer_dtypes or x.type.ndim != 0:
            raise TypeError(
                f"Shape arguments to {op} must be integers, but argument {position} is {x} of type "
                f"{x.type}."
            )
        found = extract_constant(x)
        x = sizes.variable(x if isinstance(found, Variable) else int(found))
        value = sizes.known(x)
        if value is not None and value < 0:
            raise ValueError(f"{op}: extent {position} is negative: {value}")
        variables.append(x)
        static.append(value)
    return variables, static


class Alloc(TensorOp):
    """``value`` broadcast to the shape of the other inputs (0-d ints), as a new array.

    A constant 1 among them makes that dimension broadcastable.
    """

    __props__ = ()
    lowering = "map"

    def make_node(self, value: Any, *shape: Any) -> Apply:
        value = as_tensor_variable(value)
        extents, static = _extents("Alloc", shape)
        if value.type.ndim > len(extents):
            raise TypeError(
                f"The Alloc value to use has more dimensions than the specified shape: "
                f"{value.type.ndim} > {len(extents)}"
            )
        lead = len(extents) - value.type.ndim
        for axis, size in enumerate(value.type.shape, lead):
            if size not in (None, 1) and static[axis] not in (None, size):
                raise mismatch(
                    f"Alloc: a value of shape {value.type.shape} does not broadcast to "
                    f"{tuple(static)}",
                    value,
                )
        kind = TensorType(value.type.dtype, shape=static)
        return Apply(self, [value, *extents], [kind()])

    def reference(self, node: Apply, value: Any, *shape: Any) -> Any:
        extents = tuple(map(int, shape))
        if any(extent < 0 for extent in extents):
            raise ValueError(f"Alloc: an extent is negative: {extents}")
        out = np.empty(extents, dtype=value.dtype)
        try:
            out[...] = value
        except ValueError as error:
            raise ValueError(
                f"Alloc: a value of shape {value.shape} does not broadcast to {extents}"
            ) from error
        return out

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The value's element."""
        return (m.input(0),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(map(sizes.simple, node.inputs[1:]))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Extents have no influence on values."""
        return [[i == 0] for i in range(len(node.inputs))]

    def same_value(self, node: Apply) -> Any:
        """All elements are the value's."""
        return node.inputs[0]

    def entry(self, node: Apply, i: int) -> Any:
        """The value, if it is a scalar."""
        return node.inputs[0] if node.inputs[0].type.ndim == 0 else None

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        value, (gz,) = inputs[0], output_grads
        rest = [disconnected() for _ in inputs[1:]]
        if value.type.dtype in dtypes.DISCRETE:
            return [zeros_of(value), *rest]
        lead = gz.type.ndim - value.type.ndim
        if lead:
            gz = gz.sum(axis=list(range(lead)))
        pattern = outputs[0].type.broadcastable[lead:]
        axes = [i for i, b in enumerate(value.type.broadcastable) if b and not pattern[i]]
        return [gz.sum(axis=axes, keepdims=True) if axes else gz, *rest]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


class AllocEmpty(TensorOp):
    """An array of the given extents with arbitrary elements."""

    __props__ = ("dtype",)
    lowering = "step"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtypes.dtype_name(dtype)

    def make_node(self, *shape: Any) -> Apply:
        extents, static = _extents("AllocEmpty", shape)
        return Apply(self, extents, [TensorType(self.dtype, shape=static)()])

    def reference(self, node: Apply, *shape: Any) -> Any:
        return np.empty(tuple(map(int, shape)), dtype=self.dtype)

    def lower(self, node: Apply, low: Any) -> None:
        """Memory, and nothing written to it."""
        (output,) = node.outputs
        low.define(output, low.alloc(output, tuple(low.scalar(x) for x in node.inputs)))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(map(sizes.simple, node.inputs))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Extents have no influence on values."""
        return [[False] for _ in node.inputs]

    def do_constant_folding(self, node: Apply) -> bool:
        """Never: the elements are not a value."""
        return False

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [disconnected() for _ in inputs]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [zeros(inputs, self.dtype)]


def alloc(value: Any, *shape: Any) -> Any:
    """``value`` broadcast to ``shape``: ints and 0-d int variables.

    >>> import theano.tensor as T
    >>> T.alloc(7, 2, 1).eval().tolist()
    [[7], [7]]
    """
    return Alloc()(value, *shape)


def _shape_list(shape: Any) -> list[Any]:
    """A shape argument (int, sequence, or vector of known length) as a list of extents."""
    if isinstance(shape, Variable) and shape.type.ndim == 1:
        return [vector_entry(shape, i) for i in range(get_vector_length(shape))]
    if isinstance(shape, np.ndarray):
        return list(np.atleast_1d(shape))
    return list(shape) if isinstance(shape, (list, tuple)) else [shape]


def full(shape: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """An array of ``shape`` filled with ``fill_value``; dtype as the value's by default."""
    value = as_tensor_variable(fill_value)
    return alloc(cast(value, dtypes.dtype_name(dtype)) if dtype else value, *_shape_list(shape))


def zeros(shape: Any, dtype: str | None = None) -> Any:
    """Zeros; ``shape`` is an int, a sequence, or a vector of known length; dtype floatX."""
    return alloc(np.array(0, dtype=dtypes.dtype_name(dtype or config.floatX)), *_shape_list(shape))


def ones(shape: Any, dtype: str | None = None) -> Any:
    """Ones; ``shape`` is an int, a sequence, or a vector of known length; dtype floatX."""
    return alloc(np.array(1, dtype=dtypes.dtype_name(dtype or config.floatX)), *_shape_list(shape))


def _filled_like(model: Any, value: int, dtype: str | None, opt: bool) -> Any:
    model = as_tensor_variable(model)
    filler = constant(value, dtype=model.type.dtype if dtype is None else dtypes.dtype_name(dtype))
    if opt and filler.type == model.type:
        return filler
    return apply("fill", model, filler)


def zeros_like(model: Any, dtype: str | None = None, opt: bool = False) -> Any:
    """Zeros of the shape and, by default, dtype of ``model``; ``opt`` allows a bare constant."""
    return _filled_like(model, 0, dtype, opt)


def ones_like(model: Any, dtype: str | None = None, opt: bool = False) -> Any:
    """Ones of the shape and, by default, dtype of ``model``; ``opt`` allows a bare constant."""
    return _filled_like(model, 1, dtype, opt)


class _Pattern(TensorOp):
    """A matrix of zeros and ones decided by the position; inputs n, m, k."""

    __props__ = ("dtype",)
    lowering = "map"
    compare = "eq"

    def __init__(self, dtype: str | None = None) -> None:
        self.dtype = dtypes.dtype_name(dtype or config.floatX)

    def make_node(self, n: Any, m: Any, k: Any) -> Apply:
        (rows, columns), static = _extents(type(self).__name__, (n, m))
        k = as_tensor_variable(k)
        if k.type.ndim != 0 or k.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"{self}: k must be an integer, got {k} of type {k.type}")
        kind = TensorType(self.dtype, shape=tuple(map(not_one, static)))
        return Apply(self, [rows, columns, sizes.variable(k)], [kind()])

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """1 where the column index compares so with the row index + k."""
        dtype = kernel_dtype(self.dtype)
        hit = m.k.apply(self.compare, m.index(1), m.index(0) + m.input(2, axes=()))
        return (m.k.select(hit, m.k.const(1, dtype), m.k.const(0, dtype)),)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(map(sizes.simple, node.inputs[:2]))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Integers only: nothing flows."""
        return [[False] for _ in node.inputs]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [grad_undefined(self, i, x) for i, x in enumerate(inputs)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class Eye(_Pattern):
    """Ones on diagonal k of an n x m matrix of zeros."""

    def reference(self, node: Apply, n: Any, m: Any, k: Any) -> Any:
        return np.eye(int(n), int(m), int(k), dtype=self.dtype)


class Tri(_Pattern):
    """Ones on and below diagonal k of an n x m matrix of zeros."""

    compare = "le"

    def reference(self, node: Apply, n: Any, m: Any, k: Any) -> Any:
        return np.tri(int(n), int(m), int(k), dtype=self.dtype)


def eye(n: Any, m: Any = None, k: Any = 0, dtype: str | None = None) -> Any:
    """An n x m matrix (m = n by default) with ones on diagonal ``k``; dtype floatX."""
    return Eye(dtype)(n, n if m is None else m, k)


def identity_like(x: Any) -> Any:
    """An identity of the extents and dtype of the matrix ``x``."""
    x = as_tensor_variable(x)
    return eye(size_of(x, 0), size_of(x, 1), k=0, dtype=x.type.dtype)


def tri(N: Any, M: Any = None, k: Any = 0, dtype: str | None = None) -> Any:
    """An N x M matrix with ones on and below diagonal ``k``; dtype floatX."""
    return Tri(dtype)(N, N if M is None else M, k)


def tril(m: Any, k: Any = 0) -> Any:
    """The matrix ``m`` with zeros above diagonal ``k``."""
    m = as_tensor_variable(m)
    rows, columns = sizes_of(m)[-2:]
    return m * tri(rows, columns, k, m.type.dtype)


def triu(m: Any, k: Any = 0) -> Any:
    """The matrix ``m`` with zeros below diagonal ``k``."""
    m = as_tensor_variable(m)
    one = constant(1, dtype=m.type.dtype)
    rows, columns = sizes_of(m)[-2:]
    return m * (one - tri(rows, columns, apply("sub", k, 1), m.type.dtype))


class ARange(TensorOp):
    """start, start + step, … below ``stop``, of ``dtype``; inputs are 0-d."""

    __props__ = ("dtype",)
    lowering = "map"

    def __init__(self, dtype: str) -> None:
        self.dtype = dtypes.dtype_name(dtype)

    def make_node(self, start: Any, stop: Any, step: Any) -> Apply:
        inputs = [as_tensor_variable(x) for x in (start, stop, step)]
        for x in inputs:
            if x.type.ndim != 0:
                raise TypeError(f"arange takes scalars, got {x} of type {x.type}")
        step_value = sizes.known(inputs[2]) if inputs[2].type.dtype in dtypes.DISCRETE else None
        if step_value == 0:
            raise ValueError("arange: step must not be 0")
        count = None
        values = [extract_constant(x) for x in inputs]
        if not any(isinstance(value, Variable) for value in values):
            count = len(self.reference(None, *values))
        return Apply(self, inputs, [TensorType(self.dtype, shape=(not_one(count),))()])

    def reference(self, node: Apply | None, start: Any, stop: Any, step: Any) -> Any:
        start, stop, step = (np.asarray(x).item() for x in (start, stop, step))
        if step == 0:
            raise ValueError("arange: step must not be 0")
        return np.arange(start, stop, step, dtype=self.dtype)

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """start + position * step."""
        dtype = kernel_dtype(self.dtype)
        start, step = (m.k.cast(m.input(i, axes=()), dtype) for i in (0, 2))
        return (start + m.k.cast(m.index(0), dtype) * step,)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        static = node.outputs[0].type.shape[0]
        if static is not None:
            return [(static,)]
        start, stop, step = node.inputs
        if all(x.type.dtype in dtypes.DISCRETE for x in node.inputs):
            span = sizes.sub(*(sizes.simple(_as_size(x)) for x in (stop, start)))
            return [(sizes.maximum(sizes.ceil_div(span, sizes.simple(_as_size(step))), 0),)]
        steps = (cast(stop, "float64") - cast(start, "float64")) / cast(step, "float64")
        return [(sizes.maximum(cast(apply("ceil", steps), "int64"), 0),)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """``stop`` decides the length only."""
        return [[True], [False], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        start, _, step = inputs
        (gz,) = output_grads
        if self.dtype in dtypes.DISCRETE:
            return [zeros_of(start), disconnected(), zeros_of(step)]
        positions = arange(size_of(outputs[0], 0), dtype=self.dtype)
        return [gz.sum(), disconnected(), (gz * positions).sum()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        start, step = eval_points[0], eval_points[2]
        if self.dtype in dtypes.DISCRETE or (start is None and step is None):
            return [None]
        out = self(*inputs)
        positions = arange(size_of(out, 0), dtype=self.dtype)
        terms = [] if step is None else [positions * step]
        terms += [] if start is None else [apply("fill", out, start)]
        return [terms[0] if len(terms) == 1 else terms[0] + terms[1]]


def _as_size(x: Any) -> Any:
    """A 0-d integer as int64 (constants keep their value)."""
    value = sizes.known(x)
    return cast(x, "int64") if value is None else value


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str | None = None) -> Any:
    """start, start + step, … below ``stop``; with one argument from 0.

    All may be symbolic (0-d). The default dtype is int64 for integers (uint64 for unsigned ones),
    else what the arguments have together.

    >>> arange(1, 7, 2).eval().tolist()
    [1, 3, 5]
    """
    if stop is None:
        start, stop = 0, start
    start, stop, step = map(as_tensor_variable, (start, stop, step))
    if dtype is None:
        dtype = dtypes.upcast(*(x.type.dtype for x in (start, stop, step)))
        if dtype in (*dtypes.int_dtypes, "bool"):
            dtype = "int64"
        elif dtype in dtypes.uint_dtypes:
            dtype = "uint64"
    return ARange(dtypes.dtype_name(dtype))(start, stop, step)


for _name, _builder in (
    ("alloc", alloc),
    ("zeros", zeros),
    ("ones", ones),
    ("full", full),
    ("zeros_like", zeros_like),
    ("ones_like", ones_like),
    ("eye", eye),
    ("arange", arange),
):
    register(_name, _builder)
