"""Sums and products, element by element, of sparse matrices with sparse or dense operands.

Sparse + dense is dense, sparse * dense is sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable
from theano.ops.shape_checks import with_pattern_of
from theano.ops.sparse_base import (
    SparseOp,
    as_sparse_or_tensor_variable,
    as_sparse_variable,
    check_shapes,
    compressed,
    dense_gradient,
    is_sparse,
    no_flow,
    sparse_gradient,
    sparse_type,
    take_over,
    zeros_of,
)
from theano.ops.sparse_convert import as_format, cast, dense_from_sparse
from theano.ops.sparse_csm import csm_data, sp_ones_like, with_data
from theano.ops.sparse_reduce import sp_sum


def _terms(inputs: Any, outputs: Any, terms: Any) -> list[Any]:
    """Gradients by input, zeros where dtypes are discrete, in the formats of the inputs."""
    results = []
    for x, term in zip(inputs, terms, strict=True):
        if no_flow(x) or no_flow(*outputs):
            results.append(zeros_of(x))
        elif is_sparse(x) and is_sparse(term):
            results.append(as_format(cast(term, x.type.dtype), x.type.format))
        else:
            results.append(cast(term, x.type.dtype))
    return results


class Neg(SparseOp):
    """``-x``."""

    lowering = "expand"

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = compressed(x, "neg")
        return Apply(self, [x], [x.type()])

    def expand(self, node: Apply) -> list[Any]:
        """The stored elements negated."""
        (x,) = node.inputs
        return [with_data(x, apply("neg", csm_data(x)))]

    def reference(self, node: Apply, x: Any) -> Any:
        return -x

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return _terms(inputs, outputs, [-sparse_gradient(output_grads[0], inputs[0])])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class AddSS(SparseOp):
    """The sum of two sparse matrices, in the format of the first."""

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two csr or csc matrices."""
        x, y = compressed(x, "add_s_s"), compressed(y, "add_s_s")
        return Apply(self, [x, y], [sparse_type(x.type, y.type)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        check_shapes("add_s_s", x, y)
        return x + y

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        g = sparse_gradient(output_grads[0], outputs[0])
        return _terms(inputs, outputs, [g, g])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        given = [e for e in eval_points if e is not None]
        return [sum(given[1:], given[0]) if given else None]


class AddSSData(AddSS):
    """The sum of two sparse matrices that store the same positions (which is not checked but by
    their number)."""

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two matrices of one type."""
        x, y = compressed(x, "add_s_s_data"), compressed(y, "add_s_s_data")
        if x.type != y.type:
            raise NotImplementedError(f"add_s_s_data takes one type, got {x.type} and {y.type}")
        return Apply(self, [x, y], [x.type()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        check_shapes("add_s_s_data", x, y)
        if x.data.shape != y.data.shape:
            raise ValueError(f"add_s_s_data: {x.data.size} and {y.data.size} elements are stored")
        found = x.copy()
        found.data += y.data
        return found


class AddSD(SparseOp):
    """The sum of a sparse matrix and a dense one of the same shape (or a row or column): dense."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse and a dense matrix."""
        x, y = compressed(x, "add_s_d"), as_tensor_variable(y)
        if y.type.ndim != 2:
            raise TypeError(
                f"add_s_d takes a sparse and a dense matrix, got {x.type} and {y.type}. A scalar "
                "plus a sparse matrix would fill it: use structured_add, or x.toarray()."
            )
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
        known = [a if b is None or b == 1 else b
                 for a, b in zip(x.type.shape, y.type.shape, strict=True)]  # fmt: skip
        kind = TensorType(dtype, shape=[None if n == 1 else n for n in known])
        return Apply(self, [x, y], [kind()])

    def expand(self, node: Apply) -> list[Any]:
        """The sum of dense matrices, one of them spread from what is stored."""
        x, y = node.inputs
        total = apply("add", apply("sparse:spread", x), y)
        return [apply("cast", total, node.outputs[0].type.dtype)]

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        try:
            wide = np.broadcast_to(y, x.shape)
        except ValueError:
            raise ValueError(f"add_s_d: shapes {x.shape} and {y.shape} differ") from None
        return np.asarray(x + wide)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The sparse operand receives its share at its stored positions only."""
        (x, y), g = inputs, dense_gradient(output_grads[0])
        return _terms(inputs, outputs, [mul_s_d(sp_ones_like(x), g), _folded(g, y)])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, y), (ex, ey) = inputs, eval_points
        if ex is None and ey is None:
            return [None]
        ex = zeros_of(x) if ex is None else ex
        return [self(ex, zeros_of(y) if ey is None else ey)]


def _folded(g: Any, like: Any) -> Any:
    """A gradient summed over the axes along which ``like`` stretches."""
    axes = [i for i, stretched in enumerate(like.type.broadcastable) if stretched]
    return with_pattern_of(g.sum(axis=axes, keepdims=True) if axes else g, like)


class StructuredAddSV(SparseOp):
    """A dense vector added to the stored elements of each row of a csr matrix."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse matrix and a dense vector."""
        x, y = compressed(x, "structured_add_s_v"), as_tensor_variable(y)
        if y.type.ndim != 1:
            raise TypeError(f"structured_add_s_v takes a dense vector, got {y.type}")
        kind = sparse_type(x.type, y.type)
        return Apply(self, [x, y], [kind.clone(format="csr")()])

    def expand(self, node: Apply) -> list[Any]:
        """The stored elements plus the elements of the vector at their positions."""
        x, y = node.inputs
        x = as_format(x, "csr")
        data = apply("add", csm_data(x), apply("sparse:sample", x, apply("dimshuffle", y, "x", 0)))
        return [with_data(x, apply("cast", data, node.outputs[0].type.dtype))]

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        _check_vector("structured_add_s_v", x, y)
        found = x.tocsr(copy=True).astype(node.outputs[0].type.dtype)
        found.data = found.data + y[found.indices].astype(found.dtype)
        return found

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        g = on_stored(inputs[0], output_grads[0])
        return _terms(inputs, outputs, [g, sp_sum(g, axis=0, sparse_grad=True)])


def _check_vector(what: str, x: Any, y: Any) -> None:
    if y.shape[0] != x.shape[1]:
        raise ValueError(f"{what}: a vector of {y.shape[0]} elements for shape {x.shape}")


class MulSS(SparseOp):
    """The elementwise product of two sparse matrices, in the format of the first."""

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two csr or csc matrices."""
        x, y = compressed(x, "mul_s_s"), compressed(y, "mul_s_s")
        return Apply(self, [x, y], [sparse_type(x.type, y.type)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        check_shapes("mul_s_s", x, y)
        return x.multiply(y)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, y = inputs
        g = output_grads[0]
        return _terms(inputs, outputs, [mul(y, g), mul(x, g)])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_product_rule(mul, inputs, eval_points)]


class MulSD(SparseOp):
    """The elementwise product of a sparse matrix and a dense matrix or scalar: sparse."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse matrix, and a dense matrix or scalar."""
        x, y = compressed(x, "mul_s_d"), as_tensor_variable(y)
        if y.type.ndim == 1 or y.type.ndim > 2:
            raise NotImplementedError(
                f"mul_s_d takes a dense scalar or matrix, got {y.type}; for a vector use mul_s_v, "
                "col_scale or row_scale"
            )
        return Apply(self, [x, y], [sparse_type(x.type, y.type)()])

    def expand(self, node: Apply) -> list[Any]:
        """The stored elements times the elements at their positions."""
        x, y = node.inputs
        data = apply("mul", csm_data(x), apply("sparse:sample", x, y))
        return [with_data(x, apply("cast", data, node.outputs[0].type.dtype))]

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        found = x.astype(node.outputs[0].type.dtype)
        if y.ndim == 0:
            return found.multiply(y.astype(found.dtype))
        try:
            wide = np.broadcast_to(y, x.shape)
        except ValueError:
            raise ValueError(f"mul_s_d: shapes {x.shape} and {y.shape} differ") from None
        coordinates = found.tocoo()
        found = found.copy()
        picked = wide[coordinates.row, coordinates.col]
        found.data = (found.data * picked).astype(found.dtype)
        return found

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), g = inputs, on_stored(inputs[0], output_grads[0])
        product = mul(x, g)
        total = sp_sum(product) if y.type.ndim == 0 else dense_from_sparse(product)
        return _terms(inputs, outputs, [mul(g, y), _folded(total, y) if y.type.ndim else total])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_product_rule(mul, inputs, eval_points)]


class MulSV(SparseOp):
    """Each row of a sparse matrix times a dense vector, element by element: sparse."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse matrix and a dense vector of the same dtype."""
        x, y = compressed(x, "mul_s_v"), as_tensor_variable(y)
        if y.type.ndim != 1:
            raise TypeError(f"mul_s_v takes a dense vector, got {y.type}")
        return Apply(self, [x, y], [sparse_type(x.type, y.type)()])

    def expand(self, node: Apply) -> list[Any]:
        """As the product with a row."""
        x, y = node.inputs
        return [mul_s_d(x, apply("dimshuffle", y, "x", 0))]

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        _check_vector("mul_s_v", x, y)
        return MulSD.reference(mul_s_d, node, x, y[None, :])

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), g = inputs, on_stored(inputs[0], output_grads[0])
        return _terms(inputs, outputs, [mul_s_v(g, y), sp_sum(mul(x, g), 0, sparse_grad=True)])

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_product_rule(mul_s_v, inputs, eval_points)]


def on_stored(x: Any, g: Any) -> Any:
    """A gradient as a sparse matrix of the format of ``x``; a dense one at stored positions."""
    if is_sparse(g):
        return as_format(g, x.type.format)
    return mul_s_d(sp_ones_like(x), g)


def _product_rule(product: Any, inputs: Any, points: Any) -> Any:
    (x, y), (ex, ey) = inputs, points
    terms = [product(ex, y)] if ex is not None else []
    terms += [product(x, ey)] if ey is not None else []
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]


neg = Neg()
add_s_s = AddSS()
add_s_s_data = AddSSData()
add_s_d = AddSD()
structured_add_s_v = StructuredAddSV()
mul_s_s = MulSS()
mul_s_d = MulSD()
mul_s_v = MulSV()


def _operands(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
    if not is_sparse(x) and not is_sparse(y):
        raise TypeError(f"sparse.{name}: neither {x} nor {y} is sparse")
    return x, y


def add(x: Any, y: Any) -> Any:
    """``x + y``, at least one of them sparse: sparse if both are, else dense.

    The gradient with respect to a sparse operand reaches its stored positions if the other is
    dense. Raises TypeError for a dense scalar, which would fill the matrix.

    >>> import scipy.sparse as sp
    >>> add(sp.eye(2, format="csr"), sp.eye(2, format="csr")).eval().diagonal().tolist()
    [2.0, 2.0]
    """
    x, y = _operands("add", x, y)
    if is_sparse(x) and is_sparse(y):
        return add_s_s(x, y)
    sparse, dense = (x, y) if is_sparse(x) else (y, x)
    if dense.type.ndim == 1:
        dense = apply("dimshuffle", dense, "x", 0)
    return add_s_d(sparse, dense)


def sub(x: Any, y: Any) -> Any:
    """``x - y``, at least one of them sparse; see ``add``."""
    x, y = _operands("sub", x, y)
    return add(x, neg(y) if is_sparse(y) else apply("neg", y))


def mul(x: Any, y: Any) -> Any:
    """``x * y`` element by element (not a matrix product), at least one of them sparse: sparse.

    The dense operand is a scalar, a matrix, or a vector that multiplies each row.

    >>> import scipy.sparse as sp
    >>> mul(sp.eye(2, format="csr"), [[2.0, 3.0], [4.0, 5.0]]).eval().toarray().tolist()
    [[2.0, 0.0], [0.0, 5.0]]
    """
    x, y = _operands("mul", x, y)
    if is_sparse(x) and is_sparse(y):
        return mul_s_s(x, y)
    sparse, dense = (x, y) if is_sparse(x) else (y, x)
    return (mul_s_v if dense.type.ndim == 1 else mul_s_d)(sparse, dense)


def div(x: Any, y: Any) -> Any:
    """A sparse matrix over a dense scalar, matrix, or vector that divides each row: sparse."""
    x = as_sparse_variable(x)
    if is_sparse(y):
        raise TypeError("division by a sparse matrix: it would divide by zero where none is stored")
    y = as_tensor_variable(y)
    one = np.ones((), dtype=dtypes.true_div_dtype(x.type.dtype, y.type.dtype))
    return mul(x, apply("true_div", one, y))


_BUILDERS: dict[str, Callable[..., Any]] = {
    "sparse:neg": neg, "sparse:add": add, "sparse:sub": sub, "sparse:mul": mul, "sparse:div": div,
    "sparse:mul_s_d": mul_s_d, "sparse:on_stored": on_stored,
}  # fmt: skip
for _name, _builder in _BUILDERS.items():
    register(_name, _builder)
take_over("add", add)
take_over("sub", sub)
take_over("mul", mul)
take_over("true_div", div)
take_over("neg", neg)
