"""Sums, diagonals and scaling of the rows or columns of sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import SparseType, matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable
from theano.ops.sparse_base import (
    SparseOp,
    compressed,
    dense_gradient,
    no_flow,
    sparse_gradient,
    sparse_type,
    zeros_of,
)
from theano.ops.sparse_csm import csm_data, csm_indices, csm_indptr, csm_shape, sp_ones_like
from theano.ops.sparse_native import SegmentSum


class SpSum(SparseOp):
    """The sum of a sparse matrix over ``axis`` (None: all elements), dense.

    ``sparse_grad``: only stored positions receive a gradient; otherwise all do.
    """

    __props__ = ("axis", "sparse_grad")
    lowering = "expand"

    def __init__(self, axis: int | None = None, sparse_grad: bool = True) -> None:
        if axis not in (None, 0, 1, -1, -2):
            raise ValueError(f"Illegal value for axis of sp_sum: {axis!r}, use None, 0 or 1")
        self.axis = None if axis is None else axis % 2
        self.sparse_grad = bool(sparse_grad)

    @property
    def structured(self) -> bool:
        """Theano's name of ``sparse_grad``."""
        return self.sparse_grad

    def make_node(self, x: Any) -> Apply:
        """One csr or csc matrix."""
        x = compressed(x, "sp_sum")
        shape = [] if self.axis is None else [x.type.shape[1 - self.axis]]
        kind = TensorType(x.type.dtype, shape=[None if n == 1 else n for n in shape])
        return Apply(self, [x], [kind()])

    def expand(self, node: Apply) -> list[Any]:
        """Of all data; within segments; or scattered by the position in the segment."""
        (x,) = node.inputs
        dtype, data = x.type.dtype, csm_data(x)
        if self.axis is None:
            return [apply("sum", data, dtype=dtype)]
        if self.axis == (1 if x.type.format == "csr" else 0):
            return [SegmentSum()(data, csm_indptr(x))]
        zero = np.zeros((), dtype=dtype)
        start = apply("alloc", zero, apply("getitem", csm_shape(x), 1 - self.axis))
        return [apply("inc_subtensor", apply("getitem", start, csm_indices(x)), data)]

    def reference(self, node: Apply, x: Any) -> Any:
        total = x.sum(axis=self.axis, dtype=x.dtype)
        return np.asarray(total).reshape(() if self.axis is None else -1)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (g,) = inputs, output_grads
        if no_flow(x):
            return [zeros_of(x)]
        g = dense_gradient(g)
        if self.axis is not None:
            g = apply("dimshuffle", g, *(("x", 0) if self.axis == 0 else (0, "x")))
        if self.sparse_grad:
            return [apply("sparse:mul", sp_ones_like(x), g)]
        ones = apply("ones_like", apply("sparse:dense_from_sparse", x))
        return [apply("sparse:from_dense", apply("mul", ones, g), x.type.format)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


def sp_sum(x: Any, axis: int | None = None, sparse_grad: bool = False) -> Any:
    """The sum of a sparse matrix, dense.

    Parameters
    ----------
    x : csr or csc matrix.
    axis : 0 (over rows), 1 (over columns) or None (all elements).
    sparse_grad : whether only stored positions receive a gradient.

    Raises ValueError for another axis. The result has the dtype of ``x``.

    >>> import scipy.sparse as sp
    >>> sp_sum(sp.eye(3, format="csr"), axis=0).eval().tolist()
    [1.0, 1.0, 1.0]
    """
    return SpSum(axis, sparse_grad)(x)


class Diag(SparseOp):
    """The diagonal of a square sparse matrix, a dense vector."""

    def make_node(self, x: Any) -> Apply:
        """One csr or csc matrix."""
        x = compressed(x, "diag")
        return Apply(self, [x], [TensorType(x.type.dtype, shape=(None,))()])

    def reference(self, node: Apply, x: Any) -> Any:
        if x.shape[0] != x.shape[1]:
            raise ValueError(f"Diag only apply on square matrix, got shape {x.shape}")
        return x.diagonal()

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,) = inputs
        if no_flow(x):
            return [zeros_of(x)]
        return [apply("sparse:as_format", square_diagonal(output_grads[0]), x.type.format)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


class SquareDiagonal(SparseOp):
    """A square csc matrix with a dense vector on its diagonal."""

    def make_node(self, diagonal: Any) -> Apply:
        """One dense vector."""
        diagonal = as_tensor_variable(diagonal)
        if diagonal.type.ndim != 1:
            raise TypeError(f"data argument must be a vector, got {diagonal.type}")
        kind = SparseType("csc", diagonal.type.dtype, shape=diagonal.type.shape * 2)
        return Apply(self, [diagonal], [kind()])

    def reference(self, node: Apply, diagonal: Any) -> Any:
        count = diagonal.size
        parts = (diagonal.copy(), np.arange(count), np.arange(count + 1))
        return matrix_class("csc")(parts, shape=(count, count))

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        if no_flow(*inputs):
            return [zeros_of(inputs[0])]
        return [diag(sparse_gradient(output_grads[0], outputs[0]))]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


diag = Diag()
square_diagonal = SquareDiagonal()


class _Scale(SparseOp):
    """Rows or columns of a sparse matrix times the elements of a dense vector."""

    lowering = "expand"
    axis: int  # along which the vector lies

    def _wide(self, s: Any) -> Any:
        return apply("dimshuffle", s, *((0, "x") if self.axis == 0 else ("x", 0)))

    def make_node(self, x: Any, s: Any) -> Apply:
        """A csr or csc matrix and a vector."""
        x, s = compressed(x, type(self).__name__), as_tensor_variable(s)
        if s.type.ndim != 1:
            raise TypeError(f"{type(self).__name__} takes a vector of factors, got {s.type}")
        return Apply(self, [x, s], [sparse_type(x.type, s.type)()])

    def expand(self, node: Apply) -> list[Any]:
        """As the product with a row or column."""
        x, s = node.inputs
        return [apply("sparse:mul_s_d", x, self._wide(s))]

    def reference(self, node: Apply, x: Any, s: Any) -> Any:
        if s.shape[0] != x.shape[self.axis]:
            raise ValueError(
                f"{type(self).__name__}: {s.shape[0]} factors for a matrix of shape {x.shape}"
            )
        wide = s[:, None] if self.axis == 0 else s[None, :]
        found = x.astype(node.outputs[0].type.dtype).tocoo()
        factors = np.broadcast_to(wide, x.shape)[found.row, found.col]
        parts = (found.data * factors, (found.row, found.col))
        return matrix_class(x.format)(parts, shape=x.shape)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, s = inputs
        if no_flow(*outputs):
            return [zeros_of(x), zeros_of(s)]
        g = apply("sparse:on_stored", x, output_grads[0])
        total = sp_sum(apply("sparse:mul", x, g), axis=1 - self.axis)
        gx = zeros_of(x) if no_flow(x) else apply("sparse:cast", self(g, s), x.type.dtype)
        gs = zeros_of(s) if no_flow(s) else apply("cast", total, s.type.dtype)
        return [gx, gs]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x, s), (ex, es) = inputs, eval_points
        terms = [self(ex, s)] if ex is not None else []
        terms += [self(x, es)] if es is not None else []
        return [None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]]


class ColScaleCSC(_Scale):
    """Each column of a sparse matrix times an element of a dense vector."""

    axis = 1


class RowScaleCSC(_Scale):
    """Each row of a sparse matrix times an element of a dense vector."""

    axis = 0


def col_scale(x: Any, s: Any) -> Any:
    """Column i of the sparse ``x`` times ``s[i]``.

    >>> import scipy.sparse as sp
    >>> col_scale(sp.eye(2, format="csr"), [2.0, 3.0]).eval().diagonal().tolist()
    [2.0, 3.0]
    """
    return ColScaleCSC()(x, s)


def row_scale(x: Any, s: Any) -> Any:
    """Row i of the sparse ``x`` times ``s[i]``."""
    return RowScaleCSC()(x, s)


register("sparse:sp_sum", sp_sum)
