"""Reductions as ops: Sum, Prod, Max, Min, All, Any, Argmax, Argmin, and both at once.

An op made by a user may leave ``axis``, ``dtype`` and ``acc_dtype`` open (None); ``make_node``
gives the node an op in which all are known: ``axis`` a sorted tuple of non-negative ints.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX, DISCRETE, FLOAT
from theano.graph.nodes import Apply, Constant
from theano.graph.null_types import DisconnectedType
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, dimshuffle, zeros_of
from theano.ops.scalar import kernel_dtype, t

CONTINUOUS = FLOAT | COMPLEX


def axes_of(axis: Any, ndim: int, what: Any = "input") -> tuple[int, ...]:
    """``axis`` (None: all; an int; a sequence of ints) as a sorted tuple of non-negative ints.

    Raises ValueError for one that ``what`` does not have or that is named twice, TypeError for
    what is not an int.

    >>> axes_of(None, 2), axes_of(-1, 3), axes_of([1, 0], 2)
    ((0, 1), (2,), (0, 1))
    """
    if isinstance(axis, Constant):
        axis = axis.data
    if axis is None:
        return tuple(range(ndim))
    items = np.asarray(axis)
    if items.size == 0:
        return ()
    if items.dtype.kind not in "iu" or items.ndim > 1:
        raise TypeError(f"axis must be an int, a sequence of ints or None, not {axis!r}")
    result = []
    for item in items.reshape(-1).tolist():
        if not -ndim <= item < ndim:
            raise ValueError(
                f"Not enough dimensions on {what} (it has {ndim}) to reduce on axis {item}"
            )
        result.append(item % ndim)
    if len(set(result)) != len(result):
        raise ValueError(f"axis {axis!r} names a dimension of {what} twice")
    return tuple(sorted(result))


def keep_dims(reduced: Any, axis: Sequence[int], ndim: int) -> Any:
    """``reduced`` with the dimensions ``axis`` back, of size 1, so that it broadcasts."""
    order = ["x" if i in axis else i - sum(a < i for a in axis) for i in range(ndim)]
    return dimshuffle(reduced, order) if axis else reduced


class CAReduce(TensorOp):
    """A reduction along some axes with one of the kernel's accumulators.

    Attributes: ``kind`` (a row of ``kernel/ir.KINDS``), ``axis``, ``dtype`` of the result,
    ``acc_dtype`` in which it is carried.
    """

    __props__: ClassVar[tuple[str, ...]] = ("axis", "dtype", "acc_dtype")
    lowering = "reduce"
    kind: ClassVar[str]

    def __init__(
        self, axis: Any = None, dtype: str | None = None, acc_dtype: str | None = None
    ) -> None:
        if axis is not None and np.ndim(axis) == 0:
            axis = (axis,)
        self.axis: tuple[int, ...] | None = None if axis is None else tuple(int(a) for a in axis)
        self.dtype = None if dtype is None else dtypes.dtype_name(dtype)
        self.acc_dtype = None if acc_dtype is None else dtypes.dtype_name(acc_dtype)
        self.whole = axis is None

    def _resolved(self, x: Any) -> CAReduce:
        op = copy.copy(self)
        op.axis = axes_of(self.axis, x.type.ndim, x)
        op.whole = len(op.axis) == x.type.ndim
        op.dtype = self._output_dtype(x.type.dtype)
        op.acc_dtype = self._accumulator_dtype(x.type.dtype)
        return op

    def _output_dtype(self, given: str) -> str:
        return given

    def _accumulator_dtype(self, given: str) -> str:
        return kernel_dtype(given)

    def make_node(self, x: Any) -> Apply:
        """``x`` reduced; the kept dimensions keep their sizes."""
        x = self._input(as_tensor_variable(x))
        op = self._resolved(x)
        assert op.axis is not None
        assert op.dtype is not None
        kept = [s for i, s in enumerate(x.type.shape) if i not in op.axis]
        return Apply(op, [x], [TensorType(op.dtype, shape=kept)()])

    def _input(self, x: Any) -> Any:
        return x

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The extents of the dimensions that are kept."""
        op: Any = node.op
        axis = op.axis
        return [tuple(s for i, s in enumerate(input_shapes[0]) if i not in axis)]

    def reference(self, node: Apply, x: Any) -> Any:
        """NumPy's reduction in ``acc_dtype``."""
        op: Any = node.op
        return self._reduce(x.astype(op.acc_dtype, copy=False), op.axis)

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no NumPy reference")

    def pre(self, k: Any, value: Any) -> Any:
        """What is accumulated, made from an element cast to ``acc_dtype``."""
        return value

    def __str__(self) -> str:
        axis = "" if self.whole else f"axis={list(self.axis or ())}"
        return f"{type(self).__name__}{{{axis}}}" if axis else type(self).__name__

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """Zeros for discrete results, else what ``_pull`` says."""
        (x,), (z,), (g,) = inputs, outputs, output_grads
        if z.type.dtype in DISCRETE or isinstance(g.type, DisconnectedType):
            return [zeros_of(x)]
        axis = axes_of(self.axis, x.type.ndim)
        term = self._pull(keep_dims(g, axis, x.type.ndim), keep_dims(z, axis, x.type.ndim), x, axis)
        if x.type.dtype in CONTINUOUS and term.type.dtype != x.type.dtype:
            term = cast(term, x.type.dtype)
        return [term]

    def _pull(self, g: Any, z: Any, x: Any, axis: tuple[int, ...]) -> Any:
        raise NotImplementedError(f"{self} has no gradient")

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The sum along the axes of the derivatives times the direction."""
        (x,), (direction,) = inputs, eval_points
        if direction is None:
            return [None]
        z = self(x)
        if z.type.dtype in DISCRETE:
            return [zeros_of(z)]
        axis = axes_of(self.axis, x.type.ndim)
        ones = t.fill(z, np.asarray(1, dtype=z.type.dtype))
        weights = self.L_op([x], [z], [ones])[0]
        return [Sum(axis, dtype=z.type.dtype)(weights * direction)]


class _WideReduce(CAReduce):
    """Sum and product: small integers widen, floats accumulate in more precision."""

    def _output_dtype(self, given: str) -> str:
        return self.dtype or dtypes.SUM_OUTPUT[given]

    def _accumulator_dtype(self, given: str) -> str:
        if self.acc_dtype is None:
            wide = dtypes.SUM_ACCUMULATOR[given]
            if self.dtype is None or self.dtype in DISCRETE:
                return wide
            return dtypes.promote(wide, kernel_dtype(self.dtype)) if given in DISCRETE else wide
        if self.acc_dtype in CONTINUOUS and given in DISCRETE:
            return self.acc_dtype
        if dtypes.promote(given, self.acc_dtype) != self.acc_dtype:
            raise TypeError(
                f"Cannot build {type(self).__name__} node with input dtype {given} and acc_dtype "
                f"{self.acc_dtype}, as precision would be lost. Leave acc_dtype out, use one at "
                f"least as precise as the input, or cast the input first."
            )
        return kernel_dtype(self.acc_dtype)

    def __str__(self) -> str:
        axis = "" if self.whole else f"axis={list(self.axis or ())}, "
        return f"{type(self).__name__}{{{axis}acc_dtype={self.acc_dtype}}}"


class Sum(_WideReduce):
    """The sum along some axes; of nothing it is 0.

    >>> Sum(axis=0)(np.ones((2, 3), "int8")).type
    TensorType(int64, vector)
    """

    kind = "add"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.sum(x, axis=axis, dtype=x.dtype)

    def _pull(self, g: Any, z: Any, x: Any, axis: tuple[int, ...]) -> Any:
        return t.fill(x, g)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The sum of the direction: sums are linear."""
        return [None if eval_points[0] is None else self(eval_points[0])]


class Prod(_WideReduce):
    """The product along some axes; of nothing it is 1.

    ``no_zeros_in_input`` promises that there is no zero, which makes the gradient cheaper.
    """

    __props__ = ("axis", "dtype", "acc_dtype", "no_zeros_in_input")
    kind = "mul"

    def __init__(
        self, axis: Any = None, dtype: str | None = None, acc_dtype: str | None = None,
        no_zeros_in_input: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(axis, dtype, acc_dtype)
        self.no_zeros_in_input = no_zeros_in_input

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.prod(x, axis=axis, dtype=x.dtype)

    def _pull(self, g: Any, z: Any, x: Any, axis: tuple[int, ...]) -> Any:
        """The product of the other elements; no division by a zero happens."""
        if self.no_zeros_in_input:
            return g * z / x
        zero = t.eq(x, 0)
        count = keep_dims(Sum(axis)(zero), axis, x.type.ndim)
        rest = keep_dims(ProdWithoutZeros(axis, self.dtype)(x), axis, x.type.ndim)
        divisor = t.switch(zero, 1, x)
        where_zero = t.switch(t.eq(count, 1), rest, 0)
        elsewhere = t.switch(t.eq(count, 0), rest / divisor, 0)
        return g * t.switch(zero, where_zero, elsewhere)


class ProdWithoutZeros(_WideReduce):
    """The product of the elements that are not zero."""

    kind = "mul"

    def pre(self, k: Any, value: Any) -> Any:
        """Zeros count as 1."""
        return k.select(k.eq(value, 0), 1, value)

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.prod(np.where(x == 0, np.ones_like(x), x), axis=axis, dtype=x.dtype)

    def _pull(self, g: Any, z: Any, x: Any, axis: tuple[int, ...]) -> Any:
        zero = t.eq(x, 0)
        return t.switch(zero, 0, g * z / t.switch(zero, 1, x))


class _Extreme(CAReduce):
    """Max and Min: NaN wins; nothing to choose from is an error."""

    def _input(self, x: Any) -> Any:
        if x.type.dtype in COMPLEX:
            raise TypeError(f"{type(self).__name__} is not defined for complex numbers")
        return x

    def _pull(self, g: Any, z: Any, x: Any, axis: tuple[int, ...]) -> Any:
        """Every element equal to the extreme gets the whole gradient."""
        return t.switch(t.eq(z, x), g, 0)

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The direction at the extreme; at ties, the mean over them."""
        (x,), (direction,) = inputs, eval_points
        if direction is None:
            return [None]
        z = self(x)
        if z.type.dtype in DISCRETE:
            return [zeros_of(z)]
        axis = axes_of(self.axis, x.type.ndim)
        hit = t.eq(x, keep_dims(z, axis, x.type.ndim))
        total = Sum(axis)(t.switch(hit, direction, 0))
        return [total / cast(Sum(axis)(hit), z.type.dtype)]


class Max(_Extreme):
    """The greatest element along some axes."""

    kind = "max"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.max(x, axis=axis)


class Min(_Extreme):
    """The least element along some axes."""

    kind = "min"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.min(x, axis=axis)


class _Logical(CAReduce):
    """All and Any, on bool; other inputs are compared with 0 first."""

    def _input(self, x: Any) -> Any:
        return x if x.type.dtype == "bool" else t.neq(x, 0)


class All(_Logical):
    """Whether all elements along some axes are true."""

    kind = "and"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.all(x, axis=axis)


class Any_(_Logical):
    """Whether any element along some axes is true."""

    kind = "or"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        return np.any(x, axis=axis)

    def __str__(self) -> str:
        return super().__str__().replace("Any_", "Any")


class _ArgExtreme(_Extreme):
    """The int64 position of an extreme, in row-major order over the reduced axes.

    The first of equal ones wins, the first NaN over all.
    """

    def _output_dtype(self, given: str) -> str:
        return "int64"

    def _reduce(self, x: Any, axis: tuple[int, ...]) -> Any:
        kept = [i for i in range(x.ndim) if i not in axis]
        moved = x.transpose(*kept, *axis)
        # -1 cannot stand for the last extent where there are no elements.
        length = int(np.prod([x.shape[a] for a in axis], dtype=np.int64))
        flat = moved.reshape(*(x.shape[i] for i in kept), length)
        return self._position(flat)

    def _position(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no NumPy reference")


class Argmax(_ArgExtreme):
    """The position of the greatest element."""

    kind = "argmax"

    def _position(self, x: Any) -> Any:
        return np.argmax(x, axis=-1)


class Argmin(_ArgExtreme):
    """The position of the least element."""

    kind = "argmin"

    def _position(self, x: Any) -> Any:
        return np.argmin(x, axis=-1)


class MaxAndArgmax(TensorOp):
    """The greatest element along some axes and its position: outputs ``Max`` and ``Argmax``."""

    __props__: ClassVar[tuple[str, ...]] = ("axis",)
    lowering = "expand"

    def __init__(self, axis: Any = None) -> None:
        self.axis: tuple[int, ...] | None = None if axis is None else tuple(int(a) for a in axis)

    def make_node(self, x: Any) -> Apply:
        """Two outputs: the dtype of ``x``, and int64."""
        x = as_tensor_variable(x)
        op = MaxAndArgmax(axes_of(self.axis, x.type.ndim, x))
        kinds = (
            Max(op.axis).make_node(x).outputs[0].type,
            Argmax(op.axis).make_node(x).outputs[0].type,
        )
        return Apply(op, [x], [kind() for kind in kinds])

    def expand(self, node: Apply) -> list[Any]:
        """Two reductions."""
        return [Max(self.axis)(node.inputs[0]), Argmax(self.axis)(node.inputs[0])]

    def reference(self, node: Apply, x: Any) -> tuple[Any, Any]:
        """NumPy's max and argmax."""
        op: Any = node.op
        axis = op.axis
        return Max(axis)._reduce(x, axis), Argmax(axis)._reduce(x, axis)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The extents of the dimensions that are kept, twice."""
        op: Any = node.op
        kept = tuple(s for i, s in enumerate(input_shapes[0]) if i not in op.axis)
        return [kept, kept]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """That of ``Max``; positions do not move."""
        if isinstance(output_grads[0].type, DisconnectedType):
            return [zeros_of(inputs[0])]
        return Max(self.axis).L_op(inputs, outputs[:1], output_grads[:1])

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """That of ``Max``, and zeros."""
        if eval_points[0] is None:
            return [None, None]
        return [
            Max(self.axis).R_op(inputs, eval_points)[0],
            zeros_of(Argmax(self.axis)(inputs[0])),
        ]
