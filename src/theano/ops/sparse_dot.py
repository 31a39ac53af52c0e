"""Matrix products with sparse operands, in two families of gradients.

``structured_dot`` gives sparse operands a gradient at their stored positions only; ``dot`` and
``true_dot`` give every position one. Products with dense matrices are native: they stand for the
ops of ``sparse_native.py`` on the vectors of the sparse matrix.
"""

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
from theano.ops.basic import as_tensor_variable
from theano.ops.shape_checks import with_pattern_of
from theano.ops.sparse_base import (
    SparseOp,
    as_sparse_or_tensor_variable,
    compressed,
    dense_gradient,
    is_sparse,
    no_flow,
    sparse_gradient,
    zeros_of,
)
from theano.ops.sparse_convert import (
    as_format,
    cast,
    dense_from_sparse,
    transpose,
)
from theano.ops.sparse_csm import csm_properties, sp_ones_like, with_data
from theano.ops.sparse_elemwise import on_stored
from theano.ops.sparse_native import SampledDot, times_dense


def _operands(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Both as variables, at least one of them sparse; sparse ones csr or csc."""
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if not is_sparse(x) and not is_sparse(y):
        raise TypeError(f"sparse.{name}: neither {x} ({x.type}) nor {y} ({y.type}) is sparse")
    return tuple(compressed(v, name) if is_sparse(v) else v for v in (x, y))


def _check_inner(what: str, x: Any, y: Any) -> None:
    """ShapeError at build time where the types know that the inner extents differ."""
    a, b = x.type.shape[-1], y.type.shape[0]
    if None not in (a, b) and a != b:
        raise ShapeError(f"{what}: shapes {x.type.shape} of {x} and {y.type.shape} of {y} differ")


def _aligned(what: str, x: Any, y: Any) -> None:
    if x.shape[-1] != y.shape[0]:
        raise ValueError(f"{what}: shape mismatch: {x.shape} and {y.shape} not aligned")


def _dense_type(dtype: str, shape: Sequence[int | None]) -> TensorType:
    return TensorType(dtype, shape=[None if n == 1 else n for n in shape])


def _times(x: Any, y: Any) -> Any:
    """The dense product of one sparse and one dense operand (of one or two dimensions)."""
    if not is_sparse(x):
        return apply("transpose", _times(transpose(y), apply("transpose", x)))
    if y.type.ndim == 2:
        return times_dense(x, y)
    column = times_dense(x, apply("dimshuffle", y, 0, "x"))
    return apply("reshape", column, (-1,), ndim=1)


def _result(product: Any, dtype: str) -> list[Any]:
    return [apply("cast", product, dtype)]


class SparseDot(SparseOp):
    """A product with at least one sparse operand; the result is dense, the gradient full."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two matrices; a dense operand may be a vector."""
        x, y = _operands("dot", x, y)
        for v in (x, y):
            if v.type.ndim not in (1, 2):
                raise TypeError(f"theano.sparse.Dot: {v} of type {v.type} must be 1-d or 2-d")
        _check_inner("dot", x, y)
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
        shape = (*x.type.shape[:-1], *y.type.shape[1:])
        return Apply(self, [x, y], [_dense_type(dtype, shape)()])

    def expand(self, node: Apply) -> list[Any]:
        """The native product; of two sparse matrices SciPy's, made dense."""
        x, y = node.inputs
        dtype = node.outputs[0].type.dtype
        if is_sparse(x) and is_sparse(y):
            return [dense_from_sparse(SparseProduct(x.type.format)(x, y))]
        return _result(_times(x, y), dtype)

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        _aligned("dot", x, y)
        found = x @ y
        return found.toarray() if is_sparse(found) else np.asarray(found)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(*input_shapes[0][:-1], *input_shapes[1][1:])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Of sparse operands, too, a dense matrix."""
        (x, y), g = inputs, dense_gradient(output_grads[0])
        if no_flow(*outputs):
            return [zeros_of(x), zeros_of(y)]
        if x.type.ndim == 1:  # a vector times a sparse matrix
            return _fitted(inputs, [_any_dot(y, g), apply("outer", x, g)])
        if y.type.ndim == 1:
            return _fitted(inputs, [apply("outer", g, y), _any_dot(transpose(x), g)])
        return _fitted(inputs, [_any_dot(g, y.T), _any_dot(x.T, g)])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_sum_rule(_any_dot, inputs, eval_points)]

    def __str__(self) -> str:
        return "sparse_dot"


def _any_dot(x: Any, y: Any) -> Any:
    """The dense product of whatever the operands are."""
    if is_sparse(x) or is_sparse(y):
        return SparseDot()(x, y)
    return apply("dot", x, y)


def _sum_rule(product: Any, inputs: Any, points: Any) -> Any:
    (x, y), (ex, ey) = inputs, points
    terms = [product(ex, y)] if ex is not None else []
    terms += [product(x, ey)] if ey is not None else []
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]


def _fitted(inputs: Any, terms: Any) -> list[Any]:
    """Gradients in the dtypes of their inputs, zeros for integers."""
    results = []
    for x, term in zip(inputs, terms, strict=True):
        if no_flow(x):
            term = zeros_of(x)
        elif is_sparse(term):
            term = cast(as_format(term, x.type.format) if is_sparse(x) else term, x.type.dtype)
        else:
            term = apply("cast", term, x.type.dtype)
            if not is_sparse(x):
                term = with_pattern_of(term, x)
        results.append(term)
    return results


def dot(x: Any, y: Any) -> Any:
    """The dense product of two matrices of which at least one is sparse (csr or csc).

    A dense operand may be a vector. The gradient with respect to a sparse operand is a dense
    matrix: every position counts (``structured_dot`` has the other kind). Raises TypeError where
    neither is sparse, ValueError at run time where shapes do not fit.

    >>> import numpy as np, scipy.sparse as sp
    >>> dot(sp.eye(2, format="csr"), np.ones((2, 3))).eval().shape
    (2, 3)
    """
    return SparseDot()(*_operands("dot", x, y))


class SparseProduct(SparseOp):
    """The sparse product of two sparse matrices in ``format``, by SciPy."""

    __props__ = ("format",)

    def __init__(self, format: str) -> None:
        self.format = format

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two csr or csc matrices."""
        x, y = compressed(x, "dot"), compressed(y, "dot")
        _check_inner("dot", x, y)
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
        shape = (x.type.shape[0], y.type.shape[1])
        return Apply(self, [x, y], [SparseType(self.format, dtype, shape=shape)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        _aligned("dot", x, y)
        return (x @ y).asformat(self.format)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), g = inputs, sparse_gradient(output_grads[0], outputs[0])
        if no_flow(*outputs):
            return [zeros_of(x), zeros_of(y)]
        gx = SparseProduct(x.type.format)(g, transpose(y))
        gy = SparseProduct(y.type.format)(transpose(x), g)
        return _fitted(inputs, [gx, gy])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_sum_rule(self, inputs, eval_points)]


class TrueDot(SparseOp):
    """The product of a sparse matrix with a sparse or dense one, sparse; the gradient is full.

    ``grad_preserves_dense``: the gradient of a dense operand is dense, else sparse.
    """

    __props__ = ("grad_preserves_dense",)

    def __init__(self, grad_preserves_dense: bool = True) -> None:
        self.grad_preserves_dense = bool(grad_preserves_dense)

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse matrix, and a sparse or dense one."""
        x, y = compressed(x, "true_dot"), as_sparse_or_tensor_variable(y)
        if y.type.ndim != 2:
            raise TypeError(f"true_dot takes matrices, got {y.type}")
        _check_inner("true_dot", x, y)
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
        shape = (x.type.shape[0], y.type.shape[1])
        return Apply(self, [x, y], [SparseType(x.type.format, dtype, shape=shape)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        _aligned("true_dot", x, y)
        return x @ y

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), g = inputs, sparse_gradient(output_grads[0], outputs[0])
        if no_flow(*outputs):
            return [zeros_of(x), zeros_of(y)]
        gx, gy = true_dot(g, y.T), true_dot(x.T, g)
        if not is_sparse(y) and self.grad_preserves_dense:
            gy = dense_from_sparse(gy)
        return _fitted(inputs, [gx, gy])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_sum_rule(true_dot, inputs, eval_points)]


def true_dot(x: Any, y: Any, grad_preserves_dense: bool = True) -> Any:
    """The product of two matrices of which at least one is sparse, as a sparse matrix.

    The gradient is full, and sparse but for a dense operand with ``grad_preserves_dense``. Raises
    TypeError where neither operand is sparse.
    """
    x, y = _operands("true_dot", x, y)
    if is_sparse(x):
        return TrueDot(grad_preserves_dense)(x, y)
    return transpose(TrueDot(grad_preserves_dense)(transpose(y), apply("transpose", x)))


class StructuredDot(SparseOp):
    """A sparse matrix times a sparse one (sparse) or a dense one (dense).

    The gradient with respect to a sparse operand reaches its stored positions only.
    """

    lowering = "expand"

    def make_node(self, a: Any, b: Any) -> Apply:
        """A csr or csc matrix, and a sparse or dense matrix."""
        a, b = compressed(a, "structured_dot"), as_sparse_or_tensor_variable(b)
        if b.type.ndim not in (1, 2):
            raise NotImplementedError(f"structured_dot with {b.type}: a matrix is needed")
        _check_inner("structured_dot", a, b)
        dtype = dtypes.upcast(a.type.dtype, b.type.dtype)
        shape = (a.type.shape[0], *b.type.shape[1:])
        if is_sparse(b):
            kind: Any = SparseType(a.type.format, dtype, shape=shape)
        else:
            kind = _dense_type(dtype, shape)
        return Apply(self, [a, b], [kind()])

    def expand(self, node: Apply) -> list[Any]:
        """The native product; of two sparse matrices SciPy's."""
        a, b = node.inputs
        if is_sparse(b):
            return [SparseProduct(a.type.format)(a, b)]
        return _result(_times(a, b), node.outputs[0].type.dtype)

    def reference(self, node: Apply, a: Any, b: Any) -> Any:
        _aligned("structured_dot", a, b)
        return a @ b

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(input_shapes[0][0], *input_shapes[1][1:])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (a, b), (g,) = inputs, output_grads
        if no_flow(*outputs):
            return [zeros_of(a), zeros_of(b)]
        if is_sparse(b):
            g = sparse_gradient(g, outputs[0])
            ga, gb = structured_dot(g, transpose(b)), structured_dot(transpose(a), g)
            return _fitted(inputs, [_at_stored(a, ga), _at_stored(b, gb)])
        g = dense_gradient(g)
        return _fitted(inputs, [structured_dot_grad(a, b, g), structured_dot(transpose(a), g)])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (a, _), (ea, eb) = inputs, eval_points
        ea = None if ea is None else on_stored(a, ea)
        return [_sum_rule(structured_dot, inputs, (ea, eb))]

    def __str__(self) -> str:
        return "structured_dot"


def _at_stored(x: Any, g: Any) -> Any:
    """The part of a sparse gradient at the stored positions of ``x``."""
    return apply("sparse:mul", sp_ones_like(x), as_format(g, x.type.format))


def structured_dot(x: Any, y: Any) -> Any:
    """The product of two matrices of which at least one is sparse.

    Parameters
    ----------
    x, y : csr or csc matrices, or one of them dense (``y`` may then be a vector).

    Sparse if both are, else dense; dtypes promote. The gradient of a sparse operand is sparse and
    reaches its stored positions only. Raises TypeError where neither is sparse, ValueError at run
    time where shapes do not fit. This is what ``x.dot(y)``, ``x @ y`` and ``theano.dot`` call.

    >>> import numpy as np, scipy.sparse as sp
    >>> structured_dot(sp.eye(2, format="csr"), np.ones((2, 3))).type
    TensorType(float64, matrix)
    """
    x, y = _operands("structured_dot", x, y)
    if is_sparse(x):
        return StructuredDot()(x, y)
    return apply("transpose", StructuredDot()(transpose(y), apply("transpose", x)))


def structured_dot_grad(sparse_A: Any, dense_B: Any, ga: Any) -> Any:
    """The gradient of ``structured_dot(A, B)`` with respect to A, sparse on A's pattern.

    ``ga`` is the dense gradient of the product.
    """
    a = compressed(sparse_A, "structured_dot_grad")
    b, g = as_tensor_variable(dense_B), as_tensor_variable(ga)
    if b.type.ndim == 1:
        b, g = (apply("dimshuffle", v, 0, "x") for v in (b, g))
    return with_data(a, sampled(a, g, b))


def sampled(p: Any, x: Any, y: Any) -> Any:
    """The elements of the dense x yᵀ at the stored positions of ``p``, a vector."""
    _, indices, indptr, _ = csm_properties(p)
    first, second = (x, y) if p.type.format == "csr" else (y, x)
    return SampledDot()(indices, indptr, first, second)


class SamplingDot(SparseOp):
    """``p * x yᵀ`` (elementwise) for dense ``x``, ``y``, computed where ``p`` stores elements."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any, p: Any) -> Apply:
        """Two dense matrices and a sparse one."""
        x, y = as_tensor_variable(x), as_tensor_variable(y)
        p = compressed(p, "sampling_dot")
        if x.type.ndim != 2 or y.type.ndim != 2:
            raise TypeError(f"sampling_dot takes matrices, got {x.type} and {y.type}")
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype, p.type.dtype)
        return Apply(self, [x, y, p], [p.type.clone(dtype=dtype)()])

    def expand(self, node: Apply) -> list[Any]:
        """The sampled product times the elements of ``p``."""
        x, y, p = node.inputs
        data = apply("mul", csm_properties(p)[0], sampled(p, x, y))
        return [with_data(p, apply("cast", data, node.outputs[0].type.dtype))]

    def reference(self, node: Apply, x: Any, y: Any, p: Any) -> Any:
        if x.shape[1] != y.shape[1] or p.shape != (x.shape[0], y.shape[0]):
            raise ValueError(f"sampling_dot: shapes {x.shape}, {y.shape} and {p.shape} differ")
        found = p.astype(node.outputs[0].type.dtype).copy()
        places = found.tocoo()
        found.data = found.data * np.einsum("pk,pk->p", x[places.row], y[places.col])
        return found

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, y, p = inputs
        if no_flow(*outputs):
            return [zeros_of(v) for v in inputs]
        g = on_stored(p, output_grads[0])
        weighted = apply("sparse:mul", p, g)
        gp = with_data(g, apply("mul", csm_properties(g)[0], sampled(g, x, y)))
        return _fitted(inputs, [dot(weighted, y), dot(transpose(weighted), x), gp])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        terms = []
        for i, point in enumerate(eval_points):
            if point is not None:
                terms.append(self(*inputs[:i], point, *inputs[i + 1 :]))
        return [sum(terms[1:], terms[0]) if terms else None]


def sampling_dot(x: Any, y: Any, p: Any) -> Any:
    """``p * x.dot(y.T)`` element by element, computed only where the sparse ``p`` stores elements.

    Parameters
    ----------
    x, y : dense matrices of equally many columns.
    p : csr or csc matrix; the result has its format and pattern.

    >>> import numpy as np, scipy.sparse as sp
    >>> x = np.ones((2, 3))
    >>> sampling_dot(x, x, sp.eye(2, format="csr")).eval().diagonal().tolist()
    [3.0, 3.0]
    """
    return SamplingDot()(x, y, p)


class Usmm(SparseOp):
    """``z + alpha * x·y`` for a dense ``z`` and at least one sparse factor; dense."""

    lowering = "expand"

    def make_node(self, alpha: Any, x: Any, y: Any, z: Any) -> Apply:
        """A scalar, two matrices and a dense matrix."""
        x, y = _operands("usmm", x, y)
        alpha, z = as_tensor_variable(alpha), as_tensor_variable(z)
        if alpha.type.ndim == 2 and all(alpha.type.broadcastable):
            alpha = apply("dimshuffle", alpha)
        if alpha.type.ndim != 0 or z.type.ndim != 2 or {x.type.ndim, y.type.ndim} != {2}:
            raise TypeError(f"usmm takes a scalar and matrices, got {alpha.type} and {z.type}")
        dtype = dtypes.upcast(*(v.type.dtype for v in (alpha, x, y, z)))
        return Apply(self, [alpha, x, y, z], [_dense_type(dtype, z.type.shape)()])

    def expand(self, node: Apply) -> list[Any]:
        """The sum."""
        alpha, x, y, z = node.inputs
        return _result(z + alpha * SparseDot()(x, y), node.outputs[0].type.dtype)

    def reference(self, node: Apply, alpha: Any, x: Any, y: Any, z: Any) -> Any:
        _aligned("usmm", x, y)
        product = x @ y
        product = product.toarray() if is_sparse(product) else product
        if product.shape != z.shape:
            raise ValueError(f"usmm: the product has shape {product.shape}, z {z.shape}")
        return alpha * product + z

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (alpha, x, y, _), g = inputs, dense_gradient(output_grads[0])
        if no_flow(*outputs):
            return [zeros_of(v) for v in inputs]
        scaled = alpha * g
        terms = [(g * SparseDot()(x, y)).sum(), _any_dot(scaled, y.T), _any_dot(x.T, scaled), g]
        return _fitted(inputs, terms)


def usmm(alpha: Any, x: Any, y: Any, z: Any) -> Any:
    """``z + alpha * dot(x, y)``, at least one of ``x`` and ``y`` sparse; dense.

    ``alpha`` is a scalar, ``z`` a dense matrix. The gradient is that of ``dot``.
    """
    return Usmm()(alpha, x, y, z)


register("sparse:structured_dot", structured_dot)
