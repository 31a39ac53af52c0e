"""Elemwise: a ScalarRow applied to every element of arrays that broadcast by their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.dtypes import COMPLEX, DISCRETE, FLOAT, gradient_dtype
from theano.graph import registry
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.tensor_type import TensorType
from theano.ops import complex_grads
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, pad_left, zeros_of
from theano.ops.mismatch import mismatch
from theano.ops.scalar import ScalarRow


class Elemwise(TensorOp):
    """The elementwise op of a scalar row.

    Inputs are padded with broadcastable dimensions on the left; a dimension stretches only where
    the *type* of an input says that it is broadcastable. An output dimension is broadcastable where
    those of all inputs are.

    Parameters
    ----------
    scalar_op : a scalar op (``theano.scalar.exp``, or one of a user's class), or a row.
    inplace_pattern : accepted for old code, without effect: the graph is functional, and where
        results are stored is decided later.
    name : what the op prints as; default the row's.
    nfunc_spec : ``(name, nin, nout)`` of a function of NumPy or SciPy that computes the same on
        arrays; used by ops of users that are not native.

    >>> from theano.ops.elementwise import exp
    >>> str(exp)
    'Elemwise{exp,no_inplace}'
    """

    __props__: ClassVar[tuple[str, ...]] = ("row",)

    def __new__(cls, scalar_op: Any = None, *args: Any, **kwargs: Any) -> Any:
        """An `ElemwiseMany` if the scalar op has several outputs."""
        if getattr(scalar_op, "nout", 1) == 1:
            return super().__new__(cls)
        from theano.ops.elemwise_many import ElemwiseMany

        return ElemwiseMany(scalar_op, *args, **kwargs)

    def __init__(
        self,
        scalar_op: Any,
        inplace_pattern: Any = None,
        name: str | None = None,
        nfunc_spec: Any = None,
    ) -> None:
        if nfunc_spec is not None and not isinstance(scalar_op, ScalarRow):
            scalar_op = scalar_op.with_nfunc(nfunc_spec)
        self.row: ScalarRow = scalar_op if isinstance(scalar_op, ScalarRow) else scalar_op.as_row()
        self.name = name or self.row.display
        self.nfunc_spec = nfunc_spec
        self.inplace_pattern: dict[int, int] = {}

    @property
    def scalar_op(self) -> Any:
        """The op on single numbers, one of ``theano.scalar``'s or the user's own."""
        return self.row.scalar_op()

    @property
    def lowering(self) -> str:  # type: ignore[override]
        """``map`` where the row has a scalar body."""
        return "python" if self.row.body is None else "map"

    @property
    def why(self) -> str:  # type: ignore[override]
        """Why the op is not native."""
        return self.row.why

    @property
    def nin(self) -> int:
        """Number of inputs, -1 for any number."""
        return -1 if self.row.arity is None else self.row.arity

    def __str__(self) -> str:
        return self.name or f"Elemwise{{{self.row.name},no_inplace}}"

    def make_node(self, *inputs: Any) -> Apply:
        """Convert and pad the inputs; the result's dtype is the row's rule."""
        if not inputs:
            raise TypeError(f"{self} needs at least one input")
        variables = [as_tensor_variable(x) for x in inputs]
        ndim = max(x.type.ndim for x in variables)
        variables = [pad_left(x, ndim) for x in variables]
        dtypes = [x.type.dtype for x in variables]
        dtype = self.row.output_dtype(dtypes)
        row = self.row.for_types(dtypes, dtype)
        op = self if row is self.row else Elemwise(row, name=self.name)
        kind = TensorType(dtype, shape=self._static_shape(variables, ndim))
        return Apply(op, variables, [kind()])

    def _static_shape(self, variables: Sequence[Any], ndim: int) -> tuple[int | None, ...]:
        result: list[int | None] = []
        for axis in range(ndim):
            sizes = {x.type.shape[axis] for x in variables} - {1}
            known = sizes - {None}
            if len(known) > 1:
                first, second = (next(x for x in variables if x.type.shape[axis] == s) for s in
                                 sorted(known)[:2])  # fmt: skip
                raise mismatch(
                    f"Input dimension mis-match: {self} cannot combine {first} of shape "
                    f"{first.type.shape} and {second} of shape {second.type.shape} along "
                    f"dimension {axis}.",
                    *(_unpadded(x) for x in variables),
                    hint="sizes must agree, or be 1 and broadcastable.",
                )
            result.append(1 if not sizes else next(iter(known), None))
        return tuple(result)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The extents of the first input that is not broadcastable there, else 1."""
        output = node.outputs[0].type
        shape: list[Any] = []
        for axis, static in enumerate(output.shape):
            if static is not None:
                shape.append(static)
                continue
            position = next(i for i, x in enumerate(node.inputs) if not x.type.broadcastable[axis])
            shape.append(input_shapes[position][axis])
        return [tuple(shape)]

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The row's scalar code on the elements of the inputs."""
        unused = self.row.disconnected
        values = [None if i in unused else m.input(i) for i in range(len(node.inputs))]
        dtypes = [x.type.dtype for x in node.inputs]
        return (self.row.emit(m.k, values, dtypes, node.outputs[0].type.dtype),)

    def reference(self, node: Apply, *inputs: Any) -> Any:
        """The row's NumPy meaning; broadcasts only where the types say so."""
        shape = run_time_shape(node.inputs, inputs)
        result = self.row.evaluate(inputs, node.outputs[0].type.dtype)
        if result.shape != shape:
            result = np.broadcast_to(result, shape)
        aliased = any(np.may_share_memory(result, x) for x in inputs)
        return np.array(result) if aliased or not result.flags.owndata else result

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Inputs on which the row's value does not depend are disconnected."""
        return [[i not in self.row.disconnected] for i in range(len(node.inputs))]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The row's gradient, summed over the dimensions that an input was stretched along."""
        (g,), (z,) = output_grads, outputs
        if z.type.dtype in DISCRETE:
            terms: Sequence[Any] = [None] * len(inputs)
        else:
            terms = self._partials(g, z, inputs)
        return [
            DisconnectedType()() if i in self.row.disconnected else _fit(term, x)
            for i, (term, x) in enumerate(zip(terms, inputs, strict=True))
        ]

    def _partials(self, g: Any, z: Any, inputs: Sequence[Any]) -> Sequence[Any]:
        row = self.row
        if row.grad is None:
            raise NotImplementedError(f"{self} has no gradient: give its row in ops/ one")
        if not complex_grads.has_complex(z, *inputs):
            return row.grad(g, z, *inputs)
        terms = complex_grads.gradients(row, g, z, inputs)
        if terms is None:
            raise NotImplementedError(f"the gradient of {self} is not implemented for complex")
        return terms

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Sum of the partial derivatives, each times its direction."""
        z = self(*inputs)
        if z.type.dtype in DISCRETE:
            return [zeros_of(z)]
        points = [
            None if e is None or i in self.row.disconnected
            else pad_left(as_tensor_variable(e), z.type.ndim)
            for i, e in enumerate(eval_points)
        ]  # fmt: skip
        total: Any = None
        if complex_grads.has_complex(z, *inputs) and any(e is not None for e in points):
            total = complex_grads.direction(self.row, self, z, inputs, points)
            points = []
        for i, direction in enumerate(points):
            if direction is None:
                continue
            term = self._partials(direction, z, inputs)[i]
            if term is not None and isinstance(term.type, NullType):
                return [term]
            if term is not None:
                total = term if total is None else registry.apply("add", total, term)
        if total is None:
            return [zeros_of(z) if any(e is not None for e in eval_points) else None]
        if total.type.broadcastable != z.type.broadcastable:
            total = registry.apply("fill", z, total)
        return [total if total.type.dtype == z.type.dtype else cast(total, z.type.dtype)]


def _unpadded(x: Any) -> Any:
    """What the user wrote, before dimensions were added on the left."""
    node = x.owner
    return node.inputs[0] if node is not None and type(node.op).__name__ == "DimShuffle" else x


def run_time_shape(variables: Sequence[Variable], arrays: Sequence[Any]) -> tuple[int, ...]:
    """The extents of the result; ValueError where dimensions that may not stretch differ."""
    shape: list[int] = []
    for axis in range(variables[0].type.ndim):
        size, owner = 1, -1
        for i, (variable, array) in enumerate(zip(variables, arrays, strict=True)):
            if variable.type.broadcastable[axis]:
                continue
            if owner < 0:
                size, owner = array.shape[axis], i
            elif array.shape[axis] != size:
                raise ValueError(
                    f"Input dimension mis-match. (input[{owner}].shape[{axis}] = {size}, "
                    f"input[{i}].shape[{axis}] = {array.shape[axis]})"
                )
        shape.append(size)
    return tuple(shape)


def _fit(term: Any, x: Any) -> Any:
    """A gradient term with the broadcast pattern and gradient dtype of ``x``."""
    if term is None:
        return zeros_of(x)
    kind = x.type
    if isinstance(term.type, NullType):
        return term
    pattern = zip(term.type.broadcastable, kind.broadcastable, strict=True)
    axes = [axis for axis, (t, v) in enumerate(pattern) if v and not t]
    if axes:
        term = registry.apply("sum", term, axis=axes, keepdims=True)
    if term.type.broadcastable != kind.broadcastable:
        term = registry.apply("fill", x, term)
    wanted = kind.dtype if kind.dtype in FLOAT | COMPLEX else term.type.dtype
    if wanted in DISCRETE:
        wanted = gradient_dtype(kind.dtype)
    return term if term.type.dtype == wanted else cast(term, wanted)
