"""Running totals and products along an axis, and the linear recurrence behind their gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.constants import get_scalar_constant_value
from theano.ops.index import getitem

_MODES: Final[Mapping[str, Callable[..., Any]]] = {"add": np.cumsum, "mul": np.cumprod}


def axis_of(axis: Any, ndim: int, what: str) -> int:
    """``axis`` as an int from 0 to ``ndim`` - 1; ValueError for one that is not there.

    >>> axis_of(-1, 2, "sort")
    1
    """
    number = int(get_scalar_constant_value(axis))
    if not -ndim <= number < ndim:
        raise ValueError(f"{what}: axis {number} is out of range for an array of {ndim} dimensions")
    return number % ndim


def along(ndim: int, axis: int, part: slice) -> tuple[slice, ...]:
    """The index that takes ``part`` of dimension ``axis`` and all of the others."""
    return tuple(part if i == axis else slice(None) for i in range(ndim))


def reverse(x: Any, axis: int) -> Any:
    """``x`` with the order along ``axis`` reversed."""
    return getitem(x, along(x.type.ndim, axis, slice(None, None, -1)))


def delay(x: Any, axis: int, first: int) -> Any:
    """``x`` moved on by one place along ``axis``; ``first`` comes in, the last element is lost."""
    head = getitem(x, along(x.type.ndim, axis, slice(0, 1)))
    rest = getitem(x, along(x.type.ndim, axis, slice(0, -1)))
    return apply("join", axis, apply("fill", head, np.asarray(first, x.type.dtype)), rest)


class CumOp(TensorOp):
    """The running sum (``mode="add"``) or product (``"mul"``) along ``axis``.

    ``axis`` None flattens. The dtype is that of the input, int64 for bool.
    """

    __props__: ClassVar[tuple[str, ...]] = ("axis", "mode")
    lowering = "step"

    def __init__(self, axis: int | None = None, mode: str = "add") -> None:
        if mode not in _MODES:
            raise ValueError(f"CumOp: mode must be one of {list(_MODES)}, not {mode!r}")
        self.axis = None if axis is None else int(axis)
        self.mode = mode

    def make_node(self, x: Any) -> Apply:
        x = as_tensor_variable(x)
        dtype = "int64" if x.type.dtype == "bool" else x.type.dtype
        if self.axis is None:
            return Apply(self, [x], [x.type.clone(dtype=dtype, shape=(None,))()])
        axis_of(self.axis, x.type.ndim, str(self))
        return Apply(self, [x], [x.type.clone(dtype=dtype)()])

    def reference(self, node: Apply, x: Any) -> Any:
        return _MODES[self.mode](x, axis=self.axis, dtype=node.outputs[0].type.numpy_dtype)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over (before, axis, after); the input is cast and flattened first."""
        (x,), (out,) = node.inputs, node.outputs
        given = low.converted(x, out.type.dtype)
        axis = None if self.axis is None else self.axis % x.type.ndim
        name = "cumsum" if self.mode == "add" else "cumprod"
        low.routine(name, (low.folded(low.alloc(out), axis), low.folded(given, axis)))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = input_shapes[0]
        return [(sizes.product(shape),) if self.axis is None else tuple(shape)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """d/dx_i: the sum over j ≥ i of g_j (add), of g_j Π_{k ≤ j, k ≠ i} x_k (mul).

        The product is taken without a division, so zeros in ``x`` are right: it is the products
        before i times a recurrence that runs backwards from the end.
        """
        (x,), (g,) = inputs, output_grads
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        if self.axis is None:
            flat = apply("flatten", x)
            (term,) = CumOp(0, self.mode).L_op([flat], outputs, output_grads)
            return [apply("reshape", term, x.shape, ndim=x.type.ndim)]
        axis = axis_of(self.axis, x.type.ndim, str(self))
        if x.type.broadcastable[axis]:
            return [g]
        backwards = reverse(g, axis)
        if self.mode == "add":
            return [reverse(CumOp(axis)(backwards), axis)]
        later = Recurrence(axis)(delay(reverse(x, axis), axis, 1), backwards)
        return [delay(outputs[0], axis, 1) * reverse(later, axis)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x,), (direction,) = inputs, eval_points
        if direction is None:
            return [None]
        if self.mode == "add":
            return [self(direction)]
        axis = self.axis
        if axis is None:
            x, direction, axis = apply("flatten", x), apply("flatten", direction), 0
        before = delay(CumOp(axis, "mul")(x), axis, 1)
        return [Recurrence(axis)(x, direction * before)]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.axis}, {self.mode}}}"


class Recurrence(TensorOp):
    """y_0 = b_0, y_i = a_i y_{i-1} + b_i along ``axis``, for ``a`` and ``b`` of one shape."""

    __props__: ClassVar[tuple[str, ...]] = ("axis",)
    lowering = "step"

    def __init__(self, axis: int) -> None:
        self.axis = int(axis)

    def make_node(self, a: Any, b: Any) -> Apply:
        a, b = as_tensor_variable(a), as_tensor_variable(b)
        if a.type.ndim != b.type.ndim:
            raise TypeError(f"{self}: {a.type} and {b.type} differ in rank")
        axis_of(self.axis, a.type.ndim, str(self))
        dtype = dtypes.promote(a.type.dtype, b.type.dtype)
        return Apply(self, [a, b], [b.type.clone(dtype=dtype)()])

    def reference(self, node: Apply, a: Any, b: Any) -> Any:
        if a.shape != b.shape:
            raise ValueError(f"{self}: shapes {a.shape} and {b.shape} differ")
        out = np.array(b, dtype=node.outputs[0].type.numpy_dtype)
        rows, factors = np.moveaxis(out, self.axis, 0), np.moveaxis(a, self.axis, 0)
        for i in range(1, len(rows)):
            rows[i] += factors[i] * rows[i - 1]
        return out

    def lower(self, node: Apply, low: Any) -> None:
        """One routine over (before, axis, after)."""
        a, b = node.inputs
        out = node.outputs[0]
        for first, second in zip(low.sizes.dims[a], low.sizes.dims[b], strict=True):
            low.need_equal(first, second, node)
        axis = self.axis % b.type.ndim
        given = [low.folded(low.converted(v, out.type.dtype), axis) for v in (a, b)]
        low.routine("recurrence", (low.folded(low.alloc(out), axis), *given))

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[1])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The same recurrence, backwards."""
        a, b = inputs
        axis = self.axis % b.type.ndim
        step = delay(reverse(a, axis), axis, 1)
        w = reverse(Recurrence(axis)(step, reverse(output_grads[0], axis)), axis)
        return [w * delay(outputs[0], axis, 0), w]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (a, b), (da, db) = inputs, eval_points
        if da is None and db is None:
            return [None]
        axis = self.axis % b.type.ndim
        force = [] if db is None else [db]
        if da is not None:
            force.append(da * delay(self(a, b), axis, 0))
        return [Recurrence(axis)(a, apply("add", *force) if len(force) > 1 else force[0])]


def cumsum(x: Any, axis: int | None = None) -> Any:
    """The running sum along ``axis``, of the flattened array if None; the dtype stays.

    >>> import theano.tensor as T
    >>> cumsum(T.constant([1, 2, 3])).eval().tolist()
    [1, 3, 6]
    """
    return CumOp(axis, "add")(x)


def cumprod(x: Any, axis: int | None = None) -> Any:
    """The running product along ``axis``, of the flattened array if None; the dtype stays.

    >>> import theano.tensor as T
    >>> cumprod(T.constant([1, 2, 3])).eval().tolist()
    [1, 2, 6]
    """
    return CumOp(axis, "mul")(x)


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """The ``n``-th differences of neighbours along ``axis``, which becomes ``n`` shorter.

    bool elements are compared (``!=``), as NumPy does.

    >>> import theano.tensor as T
    >>> diff(T.constant([1, 4, 9])).eval().tolist()
    [3, 5]
    """
    x = as_tensor_variable(x)
    axis = axis_of(axis, x.type.ndim, "diff")
    if n < 0:
        raise ValueError(f"diff: the order must not be negative, got {n}")
    for _ in range(n):
        later = getitem(x, along(x.type.ndim, axis, slice(1, None)))
        earlier = getitem(x, along(x.type.ndim, axis, slice(None, -1)))
        x = apply("neq" if x.type.dtype == "bool" else "sub", later, earlier)
    return x


for _builder in (cumsum, cumprod, diff):
    register(_builder.__name__, _builder)
