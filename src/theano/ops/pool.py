"""Pooling of the last axes of an array: maxima, sums and means over windows, and their gradients.

The gradient of a maximum goes to *every* cell of the window that equals it (as Theano's does, and
as ``max`` of this library): where k cells tie, each gets all of it. Its derivative in a direction
is the transpose of that, the sum over the tied cells. A NaN is its window's maximum, and gets none.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops import pool_shape
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of
from theano.ops.extents import disconnected, not_one
from theano.ops.pool_shape import PoolError
from theano.runtime.routines.pool_text import SUM, WITH_PADDING, WITHOUT_PADDING
from theano.runtime.routines.table import routine

MODES: Final = ("max", "sum", "average_inc_pad", "average_exc_pad")
_COUNTS: Final = {"sum": SUM, "average_inc_pad": WITH_PADDING, "average_exc_pad": WITHOUT_PADDING}


class _Registers:
    """Arithmetic on registers with the names of `theano.ops.sizes`."""

    def __init__(self, low: Any) -> None:
        self.add = lambda a, b: low.let("add", a, b)
        self.sub = lambda a, b: low.let("sub", a, b)
        self.mul = lambda a, b: low.let("mul", a, b)
        self.floordiv = lambda a, b: low.let("idiv", a, b)
        self.maximum = lambda a, b: low.let("max", a, b)
        self.minimum = lambda a, b: low.let("min", a, b)
        self._low = low

    def where(self, name: str, a: Any, b: Any, yes: Any, no: Any) -> Any:
        """A choice."""
        return self._low.let("select", self._low.let(name, a, b), yes, no)


class PoolOp(TensorOp):
    """What pooling and its gradients share.

    ``ndim`` (1, 2 or 3) axes at the end are pooled. The last three inputs are int vectors: window,
    stride, padding. ``ignore_border`` False keeps windows that reach over the end.
    """

    lowering = "step"
    __props__: ClassVar[tuple[str, ...]] = ("ndim", "ignore_border", "mode")
    mode = "max"

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2) -> None:
        if mode not in MODES:
            raise ValueError(f"Pool mode parameter only support {MODES}. Got {mode!r}")
        if not 1 <= int(ndim) <= 3:
            raise ValueError(f"pooling over {ndim} axes is not there: 1, 2 or 3")
        self.ndim, self.ignore_border, self.mode = int(ndim), bool(ignore_border), mode

    # inputs --------------------------------------------------------------------------------------

    def _parameters(self, ws: Any, stride: Any, pad: Any) -> list[Any]:
        stride = ws if stride is None else stride
        pad = 0 if pad is None else pad
        found = [
            pool_shape.parameter(v, self.ndim, name)
            for v, name in zip((ws, stride, pad), pool_shape.NAMES, strict=True)
        ]
        values = pool_shape.entries(found, self.ndim)
        pool_shape.check(values[0], values[1], values[2], self.ignore_border)
        return found

    def _images(self, x: Any, what: str = "x", floats: bool = False) -> Any:
        x = as_tensor_variable(x)
        if x.type.ndim < self.ndim:
            raise TypeError(
                f"{self}: pooling over {self.ndim} axes needs as many, {what} is {x.type}"
            )
        kind = x.type.dtype
        if kind in dtypes.COMPLEX or kind == "bool" or (floats and kind in dtypes.DISCRETE):
            raise TypeError(f"{self}: {what} has dtype {kind}")
        return x

    def _pooled_type(self, x: Any, parameters: Sequence[Any]) -> TensorType:
        lead, images = x.type.shape[: -self.ndim], x.type.shape[-self.ndim :]
        found: list[int | None] = []
        columns = zip(images, *pool_shape.entries(parameters, self.ndim), strict=True)
        for n, w, s, p in columns:
            ints = all(isinstance(v, int) for v in (n, w, s, p))
            size = pool_shape.extent(n, w, s, p, self.ignore_border) if ints else None
            found.append(not_one(size))
        return TensorType(x.type.dtype, shape=(*lead, *found))

    def _pooled_shape(self, shape: Sequence[Any], parameters: Sequence[Any]) -> tuple[Any, ...]:
        lead, images = shape[: -self.ndim], shape[-self.ndim :]
        columns = zip(images, *pool_shape.entries(parameters, self.ndim), strict=True)
        return (
            *lead,
            *(pool_shape.extent(n, w, s, p, self.ignore_border) for n, w, s, p in columns),
        )

    # meaning -------------------------------------------------------------------------------------

    def _numbers(self, parameters: Sequence[Any]) -> list[int]:
        """The numbers of a routine."""
        values = [[int(v) for v in p] for p in parameters]
        if any(len(v) != self.ndim for v in values):
            raise ValueError(f"{self}: window, stride and padding have {self.ndim} entries")
        pool_shape.check(values[0], values[1], values[2], self.ignore_border)
        first = 3 - self.ndim
        filled = [[d] * first + v for d, v in zip((1, 1, 0), values, strict=True)]
        return [*itertools.chain(*filled), _COUNTS.get(self.mode, SUM)]

    def _folded(self, x: Any) -> Any:
        """An array as rank 4."""
        images = (1,) * (3 - self.ndim) + x.shape[x.ndim - self.ndim :]
        lead = int(np.prod(x.shape[: x.ndim - self.ndim], dtype=np.int64))
        return np.ascontiguousarray(x).reshape(lead, *images)

    def _run(self, name: str, shape: Any, dtype: Any, arrays: Sequence[Any], numbers: Any) -> Any:
        out = np.empty(tuple(map(int, shape)), dtype)
        folded = self._folded(out)
        routine(name).meaning(folded, *map(self._folded, arrays), *numbers)
        return folded.reshape(out.shape)

    def _found(self, x: Any, parameters: Sequence[Any], *others: Any) -> list[int]:
        """The shape of the result; ValueError where ``others`` do not have it."""
        shape = self._out_shape(x.shape, parameters)
        for other in others:
            if other.shape != tuple(shape):
                raise ValueError(
                    f"{self}: images of shape {x.shape} give {tuple(shape)}, not {other.shape}"
                )
        return shape

    def _out_shape(self, image: Any, parameters: Sequence[Any]) -> list[Any]:
        ws, stride, pad = ([int(v) for v in p] for p in parameters)
        return pool_shape.out_shape(image, ws, self.ignore_border, stride, pad, self.ndim)

    # native --------------------------------------------------------------------------------------

    def _low_numbers(self, node: Apply, low: Any) -> list[list[Any]]:
        """Window, stride and padding per axis, checked, as registers or ints."""
        found = []
        for vector in node.inputs[-3:]:
            values = getattr(vector, "data", None)
            if values is not None:
                found.append([int(v) for v in values])
                continue
            array = low.array(vector)
            low.check(low.let("eq", low.dim(array, 0), self.ndim), f"{self}: {vector}")
            found.append([
                low.peek(low.view(array, ((0, i),), (), "int64"), "int64")
                for i in range(self.ndim)
            ])  # fmt: skip
        for w, s, p in zip(*found, strict=True):
            for name, a, b in (("ge", w, 1), ("ge", s, 1), ("ge", p, 0), ("lt", p, w)):
                low.check(low.let(name, a, b), f"{self}: window, stride or padding")
            if not self.ignore_border:
                low.check(low.let("eq", p, 0), f"{self}: padding")
        return found

    def _low_fits(self, low: Any, image: str, result: str, numbers: Any, node: Apply) -> None:
        """Check that an array has an element per window."""
        rank = len(low.array_dims[image])
        for axis in range(rank):
            wanted: Any = low.dim(image, axis)
            place = axis - (rank - self.ndim)
            if place >= 0:
                w, s, p = (v[place] for v in numbers)
                wanted = pool_shape.extent(wanted, w, s, p, self.ignore_border, of=_Registers(low))
            low.check(low.let("eq", low.dim(result, axis), wanted), f"{self}: shapes")

    def _low_folded(self, low: Any, array: str) -> str:
        """An array as rank 4."""
        dims = [low.dim(array, i) for i in range(len(low.array_dims[array]))]
        count, first = len(dims) - self.ndim, 3 - self.ndim
        if count <= 1:
            moves = low.full_view(array)
            if count == 0:
                moves[:0] = [(None, 1, 1)]
            moves[1:1] = [(None, 1, 1)] * first
            return str(low.view(array, (), moves))
        lead: Any = 1
        for dim in dims[:count]:
            lead = low.let("mul", lead, dim)
        return str(low.reshaped(array, (lead, *[1] * first, *dims[count:])))

    def _low_run(self, low: Any, name: str, arrays: Sequence[str], numbers: Any) -> None:
        first = 3 - self.ndim
        given: list[Any] = []
        for default, values in zip((1, 1, 0), numbers, strict=True):
            given += [default] * first + values
        given.append(_COUNTS.get(self.mode, SUM))
        low.routine(name, [self._low_folded(low, a) for a in arrays], given)

    # gradients -----------------------------------------------------------------------------------

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Windows, strides and paddings are disconnected."""
        return [[i < len(node.inputs) - 3] for i in range(len(node.inputs))]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """Linear in the last array; where the maxima are, which others say, does not change."""
        v = eval_points[-4]
        return [None if v is None else self(*inputs[:-4], v, *inputs[-3:])]

    def _nothing(self) -> list[Any]:
        return [disconnected() for _ in range(3)]

    def __str__(self) -> str:
        return (
            f"{type(self).__name__}{{ndim={self.ndim}, ignore_border={self.ignore_border}, "
            f"mode={self.mode!r}}}"
        )


class Pool(PoolOp):
    """Maxima, sums or means over windows: inputs (x, ws, stride, pad).

    The dtype is that of ``x``; means of ints are float64. TypeError for bool, complex and too small
    ranks; `PoolError` (a ValueError and a NotImplementedError) for windows and strides below 1, for
    a padding that is not smaller than the window, and for one without ``ignore_border``.

    >>> import theano.tensor as T
    >>> Pool(ignore_border=True)(T.constant([[1.0, 2.0], [4.0, 3.0]]), 2).eval().tolist()
    [[4.0]]
    """

    def __init__(
        self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None
    ) -> None:
        super().__init__(ignore_border, mode, ndim)

    @staticmethod
    def out_shape(
        imgshape: Sequence[Any], ws: Any = None, ignore_border: bool = False, stride: Any = None,
        pad: Any = None, ndim: int = 2, ds: Any = None, st: Any = None, padding: Any = None,
    ) -> list[Any]:  # fmt: skip
        """The shape of the result for images of ``imgshape`` (ints or 0-d variables).

        >>> Pool.out_shape((8, 3, 5, 5), (2, 2))
        [8, 3, 3, 3]
        """
        ws, stride, pad = ws or ds, stride or st, pad or padding
        return pool_shape.out_shape(imgshape, ws, ignore_border, stride or ws, pad or 0, ndim)

    def make_node(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Apply:
        x = self._images(x)
        if self.mode.startswith("average") and x.type.dtype in dtypes.DISCRETE:
            x = cast(x, "float64")
        parameters = self._parameters(ws, stride, pad)
        return Apply(self, [x, *parameters], [self._pooled_type(x, parameters)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [self._pooled_shape(input_shapes[0], node.inputs[1:])]

    @property
    def _routine(self) -> str:
        return "pool_max" if self.mode == "max" else "pool_sum"

    def reference(self, node: Apply, x: Any, *parameters: Any) -> Any:
        numbers = self._numbers(parameters)
        return self._run(self._routine, self._found(x, parameters), x.dtype, [x], numbers)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine."""
        numbers = self._low_numbers(node, low)
        out = low.alloc(node.outputs[0])
        self._low_run(low, self._routine, (out, low.array(node.inputs[0])), numbers)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, *parameters = inputs
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), *self._nothing()]
        if self.mode == "max":
            op = MaxPoolGrad(self.ignore_border, ndim=self.ndim)
            return [op(x, outputs[0], output_grads[0], *parameters), *self._nothing()]
        average = AveragePoolGrad(self.ignore_border, self.mode, self.ndim)
        return [average(x, output_grads[0], *parameters), *self._nothing()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if self.mode != "max" or eval_points[0] is None:
            return super().R_op(inputs, eval_points)
        x, *parameters = inputs
        return [MaxPoolRop(self.ignore_border, "max", self.ndim)(x, eval_points[0], *parameters)]


class _OfMax(PoolOp):
    """What is computed where the maxima are."""

    __props__: ClassVar[tuple[str, ...]] = ("ndim", "ignore_border")

    def __init__(
        self, ignore_border: bool = False, mode: str = "max", ndim: int = 2, openmp: Any = None
    ) -> None:
        if mode != "max":
            raise ValueError(f"{type(self).__name__} is for maxima, not for mode {mode!r}")
        super().__init__(ignore_border, mode, ndim)

    def _three(self, x: Any, maxout: Any, other: Any) -> list[Any]:
        found = [self._images(v, n, True) for v, n in zip((x, maxout, other), "xzg", strict=True)]
        if len({v.type.ndim for v in found}) != 1:
            raise TypeError(f"{self}: inputs differ in rank: {[v.type for v in found]}")
        return [cast(v, found[0].type.dtype) for v in found]


class MaxPoolGrad(_OfMax):
    """The gradient of maxima: inputs (x, maxout, gz, ws, stride, pad).

    ``gz`` goes to every cell of a window that equals its maximum. ``maxout`` and ``gz`` must have
    the shape that pooling gives (ValueError when the function runs).
    """

    def make_node(
        self, x: Any, maxout: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None
    ) -> Apply:
        x, maxout, gz = self._three(x, maxout, gz)
        return Apply(self, [x, maxout, gz, *self._parameters(ws, stride, pad)], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def reference(self, node: Apply, x: Any, maxout: Any, gz: Any, *parameters: Any) -> Any:
        numbers = self._numbers(parameters)
        self._found(x, parameters, maxout, gz)
        return self._run("pool_max_grad", x.shape, x.dtype, [x, maxout, gz], numbers)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine."""
        numbers = self._low_numbers(node, low)
        x, maxout, gz = (low.array(v) for v in node.inputs[:3])
        for array in (maxout, gz):
            self._low_fits(low, x, array, numbers, node)
        out = low.alloc(node.outputs[0])
        self._low_run(low, "pool_max_grad", (out, x, maxout, gz), numbers)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Where the maxima are does not change."""
        x, maxout, _, *parameters = inputs
        op = DownsampleFactorMaxGradGrad(self.ignore_border, ndim=self.ndim)
        term = op(x, maxout, output_grads[0], *parameters)
        return [zeros_of(x), zeros_of(maxout), term, *self._nothing()]


class DownsampleFactorMaxGradGrad(_OfMax):
    """For each window the sum of ``ggx`` where ``x`` is the maximum: inputs (x, maxout, ggx, ws,
    stride, pad). This is the transpose of `MaxPoolGrad`."""

    def make_node(
        self, x: Any, maxout: Any, ggx: Any, ws: Any, stride: Any = None, pad: Any = None
    ) -> Apply:
        x, maxout, ggx = self._three(x, maxout, ggx)
        parameters = self._parameters(ws, stride, pad)
        return Apply(self, [x, maxout, ggx, *parameters], [self._pooled_type(x, parameters)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [self._pooled_shape(input_shapes[0], node.inputs[3:])]

    def reference(self, node: Apply, x: Any, maxout: Any, ggx: Any, *parameters: Any) -> Any:
        numbers = self._numbers(parameters)
        shape = self._found(x, parameters, maxout)
        if x.shape != ggx.shape:
            raise ValueError(f"{self}: shapes {x.shape} and {ggx.shape} differ")
        return self._run("pool_max_pick", shape, x.dtype, [x, maxout, ggx], numbers)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine."""
        numbers = self._low_numbers(node, low)
        x, maxout, ggx = (low.array(v) for v in node.inputs[:3])
        self._low_fits(low, x, maxout, numbers, node)
        dims = [low.sizes.dims[node.inputs[i]] for i in (0, 2)]
        for a, b in zip(*dims, strict=True):
            low.need_equal(a, b, node)
        out = low.alloc(node.outputs[0])
        self._low_run(low, "pool_max_pick", (out, x, maxout, ggx), numbers)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, maxout, _, *parameters = inputs
        op = MaxPoolGrad(self.ignore_border, ndim=self.ndim)
        term = op(x, maxout, output_grads[0], *parameters)
        return [zeros_of(x), zeros_of(maxout), term, *self._nothing()]


class AveragePoolGrad(PoolOp):
    """The gradient of sums and means: inputs (x, gz, ws, stride, pad); ``x`` says the shape."""

    def __init__(self, ignore_border: bool, mode: str = "average_inc_pad", ndim: int = 2) -> None:
        if mode not in _COUNTS:
            raise ValueError(f"AveragePoolGrad: mode must be one of {list(_COUNTS)}, not {mode!r}")
        super().__init__(ignore_border, mode, ndim)

    def make_node(
        self, x: Any, gz: Any, ws: Any, stride: Any = None, pad: Any = None, dummy: Any = None
    ) -> Apply:
        x, gz = self._images(x, "x", True), self._images(gz, "gz", True)
        if x.type.ndim != gz.type.ndim:
            raise TypeError(f"{self}: inputs differ in rank: {x.type}, {gz.type}")
        gz = cast(gz, x.type.dtype)
        return Apply(self, [x, gz, *self._parameters(ws, stride, pad)], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def reference(self, node: Apply, x: Any, gz: Any, *parameters: Any) -> Any:
        numbers = self._numbers(parameters)
        self._found(x, parameters, gz)
        return self._run("pool_sum_grad", x.shape, x.dtype, [gz], numbers)

    def lower(self, node: Apply, low: Any) -> None:
        """One routine, which does not read ``x``."""
        numbers = self._low_numbers(node, low)
        gz = low.array(node.inputs[1])
        out = low.alloc(node.outputs[0])
        self._low_fits(low, out, gz, numbers, node)
        self._low_run(low, "pool_sum_grad", (out, gz), numbers)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the shape of ``x`` counts."""
        return [[i < 2] for i in range(len(node.inputs))]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, _, *parameters = inputs
        op = Pool(self.ignore_border, self.mode, self.ndim)
        return [zeros_of(x), op(output_grads[0], *parameters), *self._nothing()]


class MaxPoolRop(PoolOp):
    """The derivative of maxima in a direction: inputs (x, direction, ws, stride, pad).

    Where cells tie, their directions are added: the transpose of the gradient.
    """

    lowering = "expand"

    def make_node(
        self, x: Any, eval_point: Any, ws: Any, stride: Any = None, pad: Any = None
    ) -> Apply:
        x, v = self._images(x, "x", True), self._images(eval_point, "eval_point", True)
        if x.type.ndim != v.type.ndim:
            raise TypeError(f"{self}: inputs differ in rank: {x.type}, {v.type}")
        parameters = self._parameters(ws, stride, pad)
        v = cast(v, x.type.dtype)
        return Apply(self, [x, v, *parameters], [self._pooled_type(x, parameters)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [self._pooled_shape(input_shapes[0], node.inputs[2:])]

    def expand(self, node: Apply) -> list[Any]:
        """A maximum, and a sum where it is."""
        inputs: list[Any] = list(node.inputs)
        x, v, *parameters = inputs
        top = Pool(self.ignore_border, "max", self.ndim)(x, *parameters)
        op = DownsampleFactorMaxGradGrad(self.ignore_border, ndim=self.ndim)
        return [op(x, top, v, *parameters)]

    def reference(self, node: Apply, x: Any, v: Any, *parameters: Any) -> Any:
        numbers = self._numbers(parameters)
        shape = self._found(x, parameters)
        if x.shape != v.shape:
            raise ValueError(f"{self}: shapes {x.shape} and {v.shape} differ")
        top = self._run("pool_max", shape, x.dtype, [x], numbers)
        return self._run("pool_max_pick", shape, x.dtype, [x, top, v], numbers)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, _, *parameters = inputs
        top = Pool(self.ignore_border, "max", self.ndim)(x, *parameters)
        op = MaxPoolGrad(self.ignore_border, ndim=self.ndim)
        return [zeros_of(x), op(x, top, output_grads[0], *parameters), *self._nothing()]


__all__ = [
    "MODES", "AveragePoolGrad", "DownsampleFactorMaxGradGrad", "MaxPoolGrad", "MaxPoolRop", "Pool",
    "PoolError", "PoolOp",
]  # fmt: skip
