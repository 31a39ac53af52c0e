"""Products of many matrices: Matmul, BatchedDot, BatchedGemm; ``matmul`` and ``batched_dot``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import ShapeError
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, pad_left, zeros_of
from theano.ops.dimshuffle import dimshuffle
from theano.ops.dot import (
    WHY,
    Dot,
    added,
    check_gemm,
    check_inner,
    common_dtype,
    conjugate,
    factors,
    gemm_direction,
    gemm_shape,
    gemm_value,
    summed_product,
    sums_as_well,
)
from theano.ops.shape_checks import with_pattern_of


def matrix_transpose(x: Any) -> Any:
    """``x`` with its last two dimensions exchanged."""
    ndim = x.type.ndim
    return dimshuffle(x, *range(ndim - 2), ndim - 1, ndim - 2)


def _batch_shape(op: Any, a: Any, b: Any) -> list[int | None]:
    """The static batch extents of a product; a dimension stretches where its type says 1."""
    shape: list[int | None] = []
    for axis in range(a.type.ndim - 2):
        m, n = a.type.shape[axis], b.type.shape[axis]
        if m == 1 or n == 1:
            shape.append(n if m == 1 else m)
        elif None not in (m, n) and m != n:
            raise ShapeError(
                f"{op}: batches of shapes {a.type.shape} of {a} and {b.type.shape} of {b} differ "
                f"along dimension {axis}"
            )
        else:
            shape.append(n if m is None else m)
    return shape


class Matmul(TensorOp):
    """Products of the matrices in the last two dimensions, over batch dimensions that broadcast.

    Inputs of 2 or more dimensions, padded with broadcastable ones on the left; a batch dimension
    stretches only where its type says that it has size 1.
    """

    __props__ = ()
    lowering = "call"
    why = WHY

    def make_node(self, a: Any, b: Any) -> Apply:
        a, b = as_tensor_variable(a), as_tensor_variable(b)
        if min(a.type.ndim, b.type.ndim) < 2:
            raise TypeError(f"{self} takes arrays of 2 or more dimensions, got {a.type}, {b.type}")
        check_inner(a, b, -2, "matmul")
        ndim = max(a.type.ndim, b.type.ndim)
        (a, b), dtype = common_dtype(pad_left(a, ndim), pad_left(b, ndim))
        shape = [*_batch_shape(self, a, b), a.type.shape[-2], b.type.shape[-1]]
        return Apply(self, [a, b], [TensorType(dtype, shape=shape)()])

    def reference(self, node: Apply, a: Any, b: Any) -> Any:
        _check_batch("matmul", node.inputs, (a, b))
        if a.shape[-1] != b.shape[-2]:
            raise ValueError(
                f"matmul: shapes {a.shape} and {b.shape} not aligned: {a.shape[-1]} "
                f"(dim {a.ndim - 1}) != {b.shape[-2]} (dim {b.ndim - 2})"
            )
        return np.matmul(a, b)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        a, b = input_shapes
        one = node.inputs[0].type.broadcastable
        batch = [b[axis] if one[axis] else a[axis] for axis in range(len(a) - 2)]
        return [(*batch, a[-2], b[-1])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (a, b), (gz,) = inputs, output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return [zeros_of(a), zeros_of(b)]
        ga = _unstretched(self(gz, matrix_transpose(conjugate(b))), a)
        if all(b.type.broadcastable[:-2]) and not any(a.type.broadcastable[:-2]):
            # One matrix for all: its gradient is one product of all rows.
            axes = list(range(a.type.ndim - 1))
            gb = pad_left(apply("tensordot", conjugate(a), gz, [axes, axes]), a.type.ndim)
            return [ga, with_pattern_of(gb, b)]
        return [ga, _unstretched(self(matrix_transpose(conjugate(a)), gz), b)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (a, b), (ea, eb) = inputs, eval_points
        terms = [self(ea, b)] if ea is not None else []
        terms += [self(a, eb)] if eb is not None else []
        return [added(terms)]


def _unstretched(gradient: Any, like: Any) -> Any:
    """``gradient`` summed over the batch dimensions along which ``like`` was repeated."""
    pattern = zip(gradient.type.broadcastable, like.type.broadcastable, strict=True)
    axes = [axis for axis, (has, wanted) in enumerate(pattern) if wanted and not has]
    axes = [axis for axis in axes if axis < like.type.ndim - 2]
    if axes:
        gradient = apply("sum", gradient, axis=axes, keepdims=True)
    return with_pattern_of(gradient, like)


def _check_batch(op: str, variables: Sequence[Any], arrays: Sequence[Any]) -> None:
    """ValueError where batch extents differ that may not stretch."""
    for axis in range(arrays[0].ndim - 2):
        m, n = (x.shape[axis] for x in arrays)
        free = any(v.type.broadcastable[axis] for v in variables)
        if m != n and not free:
            hint = " (a dimension stretches where its type is broadcastable)" if 1 in (m, n) else ""
            raise ValueError(
                f"{op}: batches of shapes {arrays[0].shape} and {arrays[1].shape} differ along "
                f"dimension {axis}{hint}"
            )


class BatchedDot(TensorOp):
    """Products of the matrices (or vectors) at each position of the first dimension."""

    __props__ = ()
    lowering = "call"
    why = WHY

    def make_node(self, x: Any, y: Any) -> Apply:
        op, face = "theano.tensor.blas.BatchedDot", "theano.tensor.batched_dot"
        x, y, dtype = factors(x, y, 1, op, face)
        firsts = (x.type.shape[0], y.type.shape[0])
        if None not in firsts and firsts[0] != firsts[1]:
            raise ShapeError(
                f"batched_dot: {x} of shape {x.type.shape} and {y} of shape {y.type.shape} differ "
                f"in the first dimension"
            )
        first = firsts[0] if firsts[1] in (None, 1) else firsts[1]
        shape = (first, *x.type.shape[1:-1], *y.type.shape[2:])
        return Apply(self, [x, y], [TensorType(dtype, shape=shape)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        if x.shape[0] != y.shape[0]:
            raise TypeError(
                f"theano.tensor.blas.BatchedDot: inputs [x, y] must have the same size in axis 0, "
                f"but have shapes {x.shape} and {y.shape}"
            )
        if x.shape[-1] != y.shape[1]:
            raise ValueError(f"batched_dot: shapes {x.shape} and {y.shape} not aligned")
        left = x[:, None, :] if x.ndim == 2 else x
        right = y[:, :, None] if y.ndim == 2 else y
        shape = (x.shape[0], *x.shape[1:-1], *y.shape[2:])
        return np.matmul(left, right).reshape(shape)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        x, y = input_shapes
        return [(x[0], *x[1:-1], *y[2:])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), zeros_of(y)]
        left = conjugate(x if x.type.ndim == 3 else dimshuffle(x, 0, "x", 1))
        right = conjugate(y if y.type.ndim == 3 else dimshuffle(y, 0, 1, "x"))
        g = gz
        if x.type.ndim == 2:
            g = dimshuffle(g, 0, "x", *range(1, g.type.ndim))
        if y.type.ndim == 2:
            g = dimshuffle(g, *range(g.type.ndim), "x")
        gx = self(g, matrix_transpose(right))
        gy = self(matrix_transpose(left), g)
        gx = gx if x.type.ndim == 3 else dimshuffle(gx, 0, 2)
        gy = gy if y.type.ndim == 3 else dimshuffle(gy, 0, 1)
        return [with_pattern_of(gx, x), with_pattern_of(gy, y)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, y), (ex, ey) = inputs, eval_points
        terms = [self(ex, y)] if ex is not None else []
        terms += [self(x, ey)] if ey is not None else []
        return [added(terms)]


class BatchedGemm(TensorOp):
    """``beta * C + alpha * A·B`` over batch dimensions: inputs (C, alpha, A, B, beta).

    A, B and C have one rank, 3 or more, and one float dtype; the batch dimensions of A and B
    stretch where their types say so. The result is a new array.
    """

    __props__ = ()
    lowering = "call"

    def make_node(self, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Apply:
        c, alpha, a, b, beta = map(as_tensor_variable, (c, alpha, a, b, beta))
        ranks = {v.type.ndim for v in (c, a, b)}
        if len(ranks) != 1 or c.type.ndim < 3 or alpha.type.ndim or beta.type.ndim:
            raise TypeError(
                f"{self} takes arrays of one rank (3 or more) and 0-d numbers, got {c.type}, "
                f"{alpha.type}, {a.type}, {b.type}, {beta.type}"
            )
        alpha, beta = check_gemm(self, c, alpha, a, b, beta)
        product = [*_batch_shape(self, a, b), a.type.shape[-2], b.type.shape[-1]]
        shape = gemm_shape(self, c, product)
        return Apply(self, [c, alpha, a, b, beta], [TensorType(c.type.dtype, shape=shape)()])

    def reference(self, node: Apply, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Any:
        _check_batch(str(self), node.inputs[2:4], (a, b))
        return gemm_value(self, (c, alpha, a, b, beta), np.matmul)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        c, alpha, a, b, beta = inputs
        (gz,) = output_grads
        g, multiply = alpha * gz, Matmul()
        return [
            with_pattern_of(beta * gz, c),
            (gz * multiply(a, b)).sum(),
            _unstretched(multiply(g, matrix_transpose(b)), a),
            _unstretched(multiply(matrix_transpose(a), g), b),
            (gz * c).sum(),
        ]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [gemm_direction(inputs, eval_points, Matmul())]


def matmul(a: Any, b: Any) -> Any:
    """``a @ b``: the product of the matrices in the last two dimensions, as ``numpy.matmul``.

    Parameters
    ----------
    a, b : arrays of 1 or more dimensions. A vector is a row on the left, a column on the right, and
        its dimension is not in the result. Other dimensions are batches; they stretch where their
        types are broadcastable, as everywhere.

    Raises ValueError for scalars, and where shapes do not fit (at build time where they are known).

    >>> import theano.tensor as T
    >>> matmul(T.tensor4(), T.tensor3()).ndim
    4
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        raise ValueError("matmul: scalar operands are not allowed, use * instead")
    if a.type.ndim <= 2 and b.type.ndim <= 2:
        return Dot()(a, b)
    row, column = a.type.ndim == 1, b.type.ndim == 1
    a = dimshuffle(a, "x", 0) if row else a
    b = dimshuffle(b, 0, "x") if column else b
    product = _products(a, b)
    ndim = product.type.ndim
    gone = ([ndim - 2] if row else []) + ([ndim - 1] if column else [])
    if gone:
        product = with_ones_at(product, gone)
        product = dimshuffle(product, *(axis for axis in range(ndim) if axis not in gone))
    return product


def with_ones_at(x: Any, axes: Sequence[int]) -> Any:
    """``x``, whose extents ``axes`` are known to be 1, with a type that says so."""
    unsure = [axis for axis in axes if not x.type.broadcastable[axis]]
    return apply("addbroadcast", x, *unsure) if unsure else x


def _products(a: Any, b: Any) -> Any:
    if a.type.ndim == b.type.ndim == 3 and not (a.type.shape[0] == 1 or b.type.shape[0] == 1):
        check_inner(a, b, -2, "matmul")
        return BatchedDot()(a, b)
    return Matmul()(a, b)


def batched_dot(a: Any, b: Any) -> Any:
    """``dot`` of ``a[i]`` and ``b[i]`` for each i of the first dimension, put together again.

    Raises TypeError for scalars; arrays of one dimension are multiplied elementwise along it.

    >>> import theano.tensor as T
    >>> batched_dot(T.tensor3(), T.matrix()).ndim
    2
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    for v, name in ((a, "a"), (b, "b")):
        if v.type.ndim == 0:
            raise TypeError(f"{name} must have at least one (batch) axis")
    if a.type.ndim == 1:
        return dimshuffle(a, 0, *["x"] * (b.type.ndim - 1)) * b
    if b.type.ndim == 1:
        return a * dimshuffle(b, 0, *["x"] * (a.type.ndim - 1))
    if a.type.ndim == b.type.ndim == 2 and sums_as_well(a, b):
        check_inner(a, b, 1, "batched_dot")
        return summed_product(a, b, [1])
    if a.type.ndim > 3 or b.type.ndim > 3:
        axes = [[a.type.ndim - 1], [max(1, b.type.ndim - 2)]]
        return apply("batched_tensordot", a, b, axes)
    return BatchedDot()(a, b)


register("matmul", matmul)
register("batched_dot", batched_dot)
