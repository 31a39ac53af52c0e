"""Matrix products: Dot, Gemm, BatchedDot, and dot, tensordot, outer made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import ShapeError
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import size_of
from theano.ops.reshape import Reshape
from theano.ops.shape_checks import with_pattern_of

NATIVE = ("float32", "float64")  # what BLAS has


def _check_inner(x: Any, y: Any, axis: int) -> None:
    """ShapeError at build time where the types already know that the shapes do not fit."""
    a, b = x.type.shape[-1], y.type.shape[axis]
    if None not in (a, b) and a != b:
        raise ShapeError(
            f"dot: shapes {x.type.shape} of {x} and {y.type.shape} of {y} not aligned: "
            f"{a} (dim {x.type.ndim - 1}) != {b} (dim {axis})"
        )


def _factors(x: Any, y: Any, batch: int, op: str, face: str) -> tuple[Any, Any, str]:
    """Two factors (vectors or matrices behind ``batch`` dimensions) in their common dtype."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    ranks = (batch + 1, batch + 2)
    for position, v in enumerate((x, y)):
        if v.type.ndim not in ranks:
            raise TypeError(
                f"{op}: input {position} (0-indexed) must have ndim of {ranks[0]} or {ranks[1]}, "
                f"{v.type.ndim} given. Consider calling {face} instead."
            )
    _check_inner(x, y, batch)
    dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
    return cast(x, dtype), cast(y, dtype), dtype


class Dot(TensorOp):
    """The product of two arrays of 1 or 2 dimensions; their dtypes promote.

    float32 and float64 go to BLAS. What it has not (integers, float16, complex) becomes a
    ``DotPython`` node.
    """

    __props__ = ()
    lowering = "call"

    def make_node(self, x: Any, y: Any) -> Apply:
        x, y, dtype = _factors(x, y, 0, "theano.tensor.Dot", "theano.tensor.dot")
        shape = (*x.type.shape[:-1], *y.type.shape[1:])
        op = Dot() if dtype in NATIVE else DotPython()
        return Apply(op, [x, y], [TensorType(dtype, shape=shape)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        if x.shape[-1] != y.shape[0]:
            raise ValueError(
                f"dot: shapes {x.shape} and {y.shape} not aligned: {x.shape[-1]} "
                f"(dim {x.ndim - 1}) != {y.shape[0]} (dim 0)"
            )
        return np.dot(x, y)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        x, y = input_shapes
        return [(*x[:-1], *y[1:])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), (gz,) = inputs, output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), zeros_of(y)]
        vectors = (x.type.ndim == 1, y.type.ndim == 1)
        if vectors == (True, True):
            gx, gy = gz * y, gz * x
        elif vectors == (True, False):
            gx, gy = dot(gz, y.T), outer(x, gz)
        elif vectors == (False, True):
            gx, gy = outer(gz, y), dot(x.T, gz)
        else:
            gx, gy = dot(gz, y.T), dot(x.T, gz)
        return [with_pattern_of(gx, x), with_pattern_of(gy, y)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, y), (ex, ey) = inputs, eval_points
        terms = [self(ex, y)] if ex is not None else []
        terms += [self(x, ey)] if ey is not None else []
        if not terms:
            return [None]
        return [terms[0] if len(terms) == 1 else terms[0] + terms[1]]

    def __str__(self) -> str:
        return "dot"


class DotPython(Dot):
    """Dot on dtypes that BLAS has not."""

    lowering = "python"
    why = "BLAS has float32 and float64 only"


class Gemm(TensorOp):
    """``beta * C + alpha * A·B``: inputs (C, alpha, A, B, beta), matrices and 0-d scalars.

    All of one float dtype. The result is a new array.
    """

    __props__ = ()
    lowering = "call"

    def make_node(self, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Apply:
        c, alpha, a, b, beta = map(as_tensor_variable, (c, alpha, a, b, beta))
        for v, ndim in ((c, 2), (alpha, 0), (a, 2), (b, 2), (beta, 0)):
            if v.type.ndim != ndim:
                raise TypeError(f"Gemm: {v} of type {v.type} must have {ndim} dimensions")
        dtype = c.type.dtype
        if dtype not in NATIVE or any(v.type.dtype != dtype for v in (a, b)):
            raise TypeError(
                f"Gemm needs matrices of one dtype, float32 or float64, got {c.type}, {a.type}, "
                f"{b.type}"
            )
        _check_inner(a, b, 0)
        alpha, beta = cast(alpha, dtype), cast(beta, dtype)
        product = (a.type.shape[0], b.type.shape[1])
        shape = [
            known if own is None and known != 1 else own
            for own, known in zip(c.type.shape, product, strict=True)
        ]
        return Apply(self, [c, alpha, a, b, beta], [TensorType(dtype, shape=shape)()])

    def reference(self, node: Apply, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Any:
        product = np.dot(a, b)
        if c.shape != product.shape:
            raise ValueError(
                f"Gemm: C has shape {c.shape}, A·B has shape {product.shape} "
                f"(A {a.shape}, B {b.shape})"
            )
        return alpha * product if beta == 0 else beta * c + alpha * product

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        c, alpha, a, b, beta = inputs
        (gz,) = output_grads
        g = alpha * gz
        return [
            with_pattern_of(beta * gz, c),
            (gz * dot(a, b)).sum(),
            with_pattern_of(dot(g, b.T), a),
            with_pattern_of(dot(a.T, g), b),
            (gz * c).sum(),
        ]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        c, alpha, a, b, beta = inputs
        ec, ealpha, ea, eb, ebeta = eval_points
        terms = []
        terms += [beta * ec] if ec is not None else []
        terms += [ealpha * dot(a, b)] if ealpha is not None else []
        terms += [alpha * dot(ea, b)] if ea is not None else []
        terms += [alpha * dot(a, eb)] if eb is not None else []
        terms += [ebeta * c] if ebeta is not None else []
        if not terms:
            return [None]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return [total]


class BatchedDot(TensorOp):
    """Products of the matrices (or vectors) at each position of the first dimension."""

    __props__ = ()
    lowering = "python"
    why = "no batched BLAS call yet"

    def make_node(self, x: Any, y: Any) -> Apply:
        op, face = "theano.tensor.blas.BatchedDot", "theano.tensor.batched_dot"
        x, y, dtype = _factors(x, y, 1, op, face)
        first = x.type.shape[0] if y.type.shape[0] is None else y.type.shape[0]
        if first == 1 and x.type.shape[0] != 1:
            first = x.type.shape[0]
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
        left = x if x.type.ndim == 3 else dimshuffle(x, 0, "x", 1)
        right = y if y.type.ndim == 3 else dimshuffle(y, 0, 1, "x")
        g = gz
        if x.type.ndim == 2:
            g = dimshuffle(g, 0, "x", *range(1, g.type.ndim))
        if y.type.ndim == 2:
            g = dimshuffle(g, *range(g.type.ndim), "x")
        gx = self(g, dimshuffle(right, 0, 2, 1))
        gy = self(dimshuffle(left, 0, 2, 1), g)
        gx = gx if x.type.ndim == 3 else dimshuffle(gx, 0, 2)
        gy = gy if y.type.ndim == 3 else dimshuffle(gy, 0, 1)
        return [with_pattern_of(gx, x), with_pattern_of(gy, y)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, y), (ex, ey) = inputs, eval_points
        terms = [self(ex, y)] if ex is not None else []
        terms += [self(x, ey)] if ey is not None else []
        if not terms:
            return [None]
        return [terms[0] if len(terms) == 1 else terms[0] + terms[1]]


def dot(a: Any, b: Any) -> Any:
    """The product of ``a`` and ``b`` as in NumPy: elementwise with a scalar, the inner product of
    vectors, the matrix product; with more dimensions the sum runs over the last of ``a`` and the
    second to last of ``b``. Dtypes promote; integers are allowed.

    Raises ValueError at run time (at build time where sizes are known) where shapes do not fit.

    >>> import theano.tensor as T
    >>> int(T.dot(T.constant([1, 2]), T.constant([3, 4])).eval())
    11
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    if a.type.ndim > 2 or b.type.ndim > 2:
        return tensordot(a, b, [[a.type.ndim - 1], [max(0, b.type.ndim - 2)]])
    return Dot()(a, b)


def matmul(a: Any, b: Any) -> Any:
    """``a @ b``: scalars are refused, more than two dimensions are batches (equal, or absent)."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        raise ValueError("matmul: scalar operands are not allowed, use * instead")
    if a.type.ndim == b.type.ndim == 3:
        return batched_dot(a, b)
    if b.type.ndim > 2:
        raise NotImplementedError(f"matmul of {a.type} and {b.type}: use dot or batched_dot")
    return dot(a, b)


def outer(x: Any, y: Any) -> Any:
    """The matrix of all products of elements of ``x`` and of ``y`` (both flattened)."""
    x, y = (v if v.type.ndim == 1 else apply("flatten", v) for v in map(as_tensor_variable, (x, y)))
    return dot(dimshuffle(x, 0, "x"), dimshuffle(y, "x", 0))


def _axes_lists(a: Any, b: Any, axes: Any) -> tuple[list[int], list[int]]:
    if not isinstance(axes, (list, tuple, np.ndarray)):
        count = int(axes)
        if not 0 <= count <= min(a.type.ndim, b.type.ndim):
            raise ValueError(
                f"axes to dot over ({count}) must be between 0 and the ranks of a ({a.type.ndim}) "
                f"and b ({b.type.ndim})"
            )
        return list(range(a.type.ndim - count, a.type.ndim)), list(range(count))
    if len(axes) != 2:
        raise ValueError(
            f"Axes should be an integer or a list/tuple of len 2 ({axes} was provided)"
        )
    lists = []
    for v, given in zip((a, b), axes, strict=True):
        own = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
        for axis in own:
            if not -v.type.ndim <= axis < v.type.ndim:
                raise ValueError(f"tensordot: axis {axis} is out of range for {v.type}")
        own = [int(axis) % v.type.ndim for axis in own]
        if len(set(own)) != len(own):
            raise ValueError(f"tensordot: repeated axes {given}")
        lists.append(own)
    if len(lists[0]) != len(lists[1]):
        raise ValueError(f"Axes elements must have the same length: {axes}")
    return lists[0], lists[1]


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over ``axes``: a number (the last of ``a``, the first of ``b``), or two
    lists of axes.

    >>> import theano.tensor as T
    >>> T.tensordot(T.tensor3(), T.matrix(), [[1], [0]]).ndim
    3
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    left, right = _axes_lists(a, b, axes)
    for i, j in zip(left, right, strict=True):
        m, n = a.type.shape[i], b.type.shape[j]
        if None not in (m, n) and m != n:
            raise ShapeError(f"tensordot: axis {i} of {a} has size {m}, axis {j} of {b} size {n}")
    kept_a = [i for i in range(a.type.ndim) if i not in left]
    kept_b = [i for i in range(b.type.ndim) if i not in right]
    out_a = [size_of(a, i) for i in kept_a]
    out_b = [size_of(b, i) for i in kept_b]
    matrix_a = _as_matrix(a, kept_a + left, out_a, [size_of(a, i) for i in left])
    matrix_b = _as_matrix(b, right + kept_b, [size_of(b, i) for i in right], out_b)
    product = Dot()(matrix_a, matrix_b)
    final = [*out_a, *out_b]
    if len(kept_a) == 1 and len(kept_b) == 1:
        return product
    return Reshape(len(final))(product, sizes.vector(final))


def _as_matrix(x: Any, order: list[int], rows: list[Any], columns: list[Any]) -> Any:
    moved = x if order == list(range(x.type.ndim)) else dimshuffle(x, *order)
    if len(rows) == 1 and len(columns) == 1:
        return moved
    return Reshape(2)(moved, sizes.vector([sizes.product(rows), sizes.product(columns)]))


def batched_dot(a: Any, b: Any) -> Any:
    """``dot`` of ``a[i]`` and ``b[i]`` for each i of the first dimension, put together again.

    Raises TypeError for scalars; arrays of one dimension are multiplied elementwise along it.
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    for v, name in ((a, "a"), (b, "b")):
        if v.type.ndim == 0:
            raise TypeError(f"{name} must have at least one (batch) axis")
    if a.type.ndim == 1:
        return dimshuffle(a, 0, *["x"] * (b.type.ndim - 1)) * b
    if b.type.ndim == 1:
        return a * dimshuffle(b, 0, *["x"] * (a.type.ndim - 1))
    if a.type.ndim > 3 or b.type.ndim > 3:
        return batched_tensordot(a, b, [[a.type.ndim - 1], [max(1, b.type.ndim - 2)]])
    return BatchedDot()(a, b)


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """``tensordot`` of ``x[i]`` and ``y[i]`` for each i of the first dimension.

    ``axes`` counts the batch dimension too, and may not name it.
    """
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if not isinstance(axes, (list, tuple, np.ndarray)):
        count = int(axes)
        axes = [list(range(x.type.ndim - count, x.type.ndim)), list(range(1, count + 1))]
    left, right = _axes_lists(x, y, axes)
    if 0 in left or 0 in right:
        raise ValueError("batched_tensordot: axes to sum over must not contain the batch axis (0)")
    kept_x = [i for i in range(1, x.type.ndim) if i not in left]
    kept_y = [i for i in range(1, y.type.ndim) if i not in right]
    out_x, out_y = ([size_of(v, i) for i in kept] for v, kept in ((x, kept_x), (y, kept_y)))
    inner_x = sizes.product(size_of(x, i) for i in left)
    inner_y = sizes.product(size_of(y, i) for i in right)
    first = size_of(x, 0)
    a = Reshape(3)(
        dimshuffle(x, 0, *kept_x, *left), sizes.vector([first, sizes.product(out_x), inner_x])
    )
    b = Reshape(3)(
        dimshuffle(y, 0, *right, *kept_y),
        sizes.vector([size_of(y, 0), inner_y, sizes.product(out_y)]),
    )
    final = [first, *out_x, *out_y]
    return Reshape(len(final))(BatchedDot()(a, b), sizes.vector(final))


register("dot", dot)
register("matmul", matmul)
register("outer", outer)
register("tensordot", tensordot)
register("batched_dot", batched_dot)
