"""Products of vectors and matrices: Dot, Gemm, and ``dot`` and ``outer``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import ShapeError
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import SparseType
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of
from theano.ops.dimshuffle import dimshuffle
from theano.ops.shape_checks import with_pattern_of

NATIVE = ("float32", "float64")  # what BLAS has
WHY = "complex numbers have no native product"  # why a product may go through NumPy


def check_inner(x: Any, y: Any, axis: int, op: str = "dot") -> None:
    """ShapeError at build time where the types already know that the shapes do not fit."""
    a, b = x.type.shape[-1], y.type.shape[axis]
    if None not in (a, b) and a != b:
        raise ShapeError(
            f"{op}: shapes {x.type.shape} of {x} and {y.type.shape} of {y} not aligned: "
            f"{a} (dim {x.type.ndim - 1}) != {b} (dim {axis % y.type.ndim})"
        )


def common_dtype(*variables: Any) -> tuple[list[Any], str]:
    """The variables in the dtype that they have together."""
    dtype = dtypes.upcast(*(v.type.dtype for v in variables))
    return [cast(v, dtype) for v in variables], dtype


def conjugate(x: Any) -> Any:
    """The complex conjugate of ``x``; ``x`` itself if it is real."""
    return apply("conj", x) if x.type.dtype in dtypes.COMPLEX else x


def added(terms: Sequence[Any]) -> Any:
    """The sum of some expressions; None of none."""
    if not terms:
        return None
    return terms[0] if len(terms) == 1 else apply("add", *terms)


def factors(x: Any, y: Any, batch: int, op: str, face: str) -> tuple[Any, Any, str]:
    """Two factors (vectors or matrices behind ``batch`` dimensions) in their common dtype."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    ranks = (batch + 1, batch + 2)
    for position, v in enumerate((x, y)):
        if v.type.ndim not in ranks:
            raise TypeError(
                f"{op}: input {position} (0-indexed) must have ndim of {ranks[0]} or {ranks[1]}, "
                f"{v.type.ndim} given. Consider calling {face} instead."
            )
    check_inner(x, y, batch)
    (x, y), dtype = common_dtype(x, y)
    return x, y, dtype


class Dot(TensorOp):
    """The product of two arrays of 1 or 2 dimensions; their dtypes promote.

    float32 and float64 go to BLAS or to our own gemm; integers wrap around as in NumPy, bool is
    "or" of "and", float16 is summed in float32.
    """

    __props__ = ()
    lowering = "call"
    why = WHY

    def make_node(self, x: Any, y: Any) -> Apply:
        x, y, dtype = factors(x, y, 0, "theano.tensor.Dot", "theano.tensor.dot")
        shape = (*x.type.shape[:-1], *y.type.shape[1:])
        return Apply(self, [x, y], [TensorType(dtype, shape=shape)()])

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
        cx, cy = conjugate(x), conjugate(y)
        vectors = (x.type.ndim == 1, y.type.ndim == 1)
        if vectors == (True, True):
            gx, gy = gz * cy, gz * cx
        elif vectors == (True, False):
            gx, gy = dot(gz, cy.T), outer(cx, gz)
        elif vectors == (False, True):
            gx, gy = outer(gz, cy), dot(cx.T, gz)
        else:
            gx, gy = dot(gz, cy.T), dot(cx.T, gz)
        return [with_pattern_of(gx, x), with_pattern_of(gy, y)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, y), (ex, ey) = inputs, eval_points
        terms = [self(ex, y)] if ex is not None else []
        terms += [self(x, ey)] if ey is not None else []
        return [added(terms)]

    def __str__(self) -> str:
        return "dot"


class Gemm(TensorOp):
    """``beta * C + alpha * A·B``: inputs (C, alpha, A, B, beta), matrices and 0-d scalars.

    All of one float dtype. The result is a new array. ``inplace`` is accepted for old code: where
    results are stored is decided when a function is compiled.

    >>> import theano.tensor as T
    >>> z, x, y = T.dmatrices("zxy")
    >>> Gemm()(z, 1.0, x, y, 0.5).type
    TensorType(float64, matrix)
    """

    __props__ = ()
    lowering = "call"

    def __init__(self, inplace: bool = False) -> None:
        del inplace

    def make_node(self, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Apply:
        c, alpha, a, b, beta = map(as_tensor_variable, (c, alpha, a, b, beta))
        for v, ndim in ((c, 2), (alpha, 0), (a, 2), (b, 2), (beta, 0)):
            if v.type.ndim != ndim:
                raise TypeError(f"Gemm: {v} of type {v.type} must have {ndim} dimensions")
        alpha, beta = check_gemm(self, c, alpha, a, b, beta)
        product = (a.type.shape[0], b.type.shape[1])
        shape = gemm_shape(self, c, product)
        return Apply(self, [c, alpha, a, b, beta], [TensorType(c.type.dtype, shape=shape)()])

    def reference(self, node: Apply, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> Any:
        return gemm_value(self, (c, alpha, a, b, beta), np.dot)

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
        return [gemm_direction(inputs, eval_points, dot)]


def check_gemm(op: Any, c: Any, alpha: Any, a: Any, b: Any, beta: Any) -> tuple[Any, Any]:
    """alpha and beta in the dtype of C; errors where the arrays do not fit."""
    dtype = c.type.dtype
    if dtype not in NATIVE or any(v.type.dtype != dtype for v in (a, b)):
        raise TypeError(
            f"{op} needs arrays of one dtype, float32 or float64, got {c.type}, {a.type}, {b.type}"
        )
    check_inner(a, b, -2, str(op))
    return cast(alpha, dtype), cast(beta, dtype)


def gemm_shape(op: Any, c: Any, product: Sequence[int | None]) -> list[int | None]:
    """The static shape of C that takes in a product of this one."""
    for own, known in zip(c.type.shape, product, strict=True):
        if None not in (own, known) and own != known:
            raise ShapeError(f"{op}: C has shape {c.type.shape}, A·B has shape {tuple(product)}")
    return [
        known if own is None and known != 1 else own
        for own, known in zip(c.type.shape, product, strict=True)
    ]


def gemm_value(op: Any, inputs: tuple[Any, ...], multiply: Any) -> Any:
    """``beta * C + alpha * A·B`` of arrays; C is not read where ``beta`` is 0."""
    c, alpha, a, b, beta = inputs
    product = multiply(a, b)
    if c.shape != product.shape:
        raise ValueError(
            f"{op}: C has shape {c.shape}, A·B has shape {product.shape} (A {a.shape}, B {b.shape})"
        )
    return alpha * product if beta == 0 else beta * c + alpha * product


def gemm_direction(inputs: Any, eval_points: Any, multiply: Any) -> Any:
    """The derivative of ``beta * C + alpha * A·B`` in a direction."""
    c, alpha, a, b, beta = inputs
    ec, ealpha, ea, eb, ebeta = eval_points
    terms = []
    terms += [beta * ec] if ec is not None else []
    terms += [ealpha * multiply(a, b)] if ealpha is not None else []
    terms += [alpha * multiply(ea, b)] if ea is not None else []
    terms += [alpha * multiply(a, eb)] if eb is not None else []
    terms += [ebeta * c] if ebeta is not None else []
    return added(terms)


def dot(a: Any, b: Any) -> Any:
    """The product of ``a`` and ``b`` as in NumPy: elementwise with a scalar, the inner product of
    vectors, the matrix product; with more dimensions the sum runs over the last of ``a`` and the
    second to last of ``b``. Dtypes promote; integers are allowed.

    Raises ValueError at run time (at build time where sizes are known) where shapes do not fit.

    >>> import theano.tensor as T
    >>> int(T.dot(T.constant([1, 2]), T.constant([3, 4])).eval())
    11
    """
    if any(isinstance(getattr(v, "type", None), SparseType) for v in (a, b)):
        return apply("sparse:structured_dot", a, b)
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    if a.type.ndim > 2 or b.type.ndim > 2:
        return apply("tensordot", a, b, [[a.type.ndim - 1], [max(0, b.type.ndim - 2)]])
    blas = {a.type.dtype, b.type.dtype} & set(NATIVE)
    if a.type.ndim == b.type.ndim == 1 and not blas and sums_as_well(a, b):
        check_inner(a, b, 0)
        return summed_product(a, b, [0])
    return Dot()(a, b)


def sums_as_well(a: Any, b: Any) -> bool:
    """Whether multiplying and summing in a kernel is the same as a product: both real, and no
    dimension would stretch that a product does not."""
    real = not any(v.type.dtype in dtypes.COMPLEX for v in (a, b))
    return real and not any((*a.type.broadcastable, *b.type.broadcastable))


def summed_product(a: Any, b: Any, axis: Sequence[int]) -> Any:
    """The sum of ``a * b`` over some axes, in the dtype of a product."""
    (a, b), dtype = common_dtype(a, b)
    if dtype == "bool":
        return apply("any", apply("and_", a, b), axis=list(axis))
    return apply("sum", a * b, axis=list(axis), dtype=dtype)


def outer(x: Any, y: Any) -> Any:
    """The matrix of all products of elements of ``x`` and of ``y`` (both flattened).

    >>> import theano.tensor as T
    >>> outer(T.constant([1, 2]), T.constant([3, 4, 5])).eval().tolist()
    [[3, 4, 5], [6, 8, 10]]
    """
    x, y = (v if v.type.ndim == 1 else apply("flatten", v) for v in map(as_tensor_variable, (x, y)))
    return dimshuffle(x, 0, "x") * dimshuffle(y, "x", 0)


register("dot", dot)
register("outer", outer)
