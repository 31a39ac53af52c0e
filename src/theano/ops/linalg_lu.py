"""The LU factorisation that determinants, inverses and solutions of one matrix share.

``Det``, ``SLogDet``, ``MatrixInverse`` and ``Solve`` are notation: last of all they become what is
defined here, and then equal factorisations are merged. So the value and the gradient of a function
factorise each matrix once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.graph.nodes import Apply
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.dimshuffle import DimShuffle
from theano.ops.extents import size_of
from theano.ops.linalg_base import (
    LinalgOp,
    OfSquare,
    aligned,
    as_column,
    as_square,
    begin,
    by_routine,
    check_square,
    connected,
    diagonal_of,
    fold_batch,
    identity_of,
    linalg_dtype,
    matmul,
    mT,
    need_same,
    need_square,
    outer,
    spread_batch,
    triangle,
)


class LUFactor(LinalgOp):
    """The factors of the transposed matrix, and the pivots (int32).

    For ``Aᵀ = P L U`` (partial pivoting; L has a unit diagonal) the first output is the transpose
    of the matrix that holds L below the diagonal and U on and above it; row ``i`` was exchanged
    with row ``pivots[i]``. A singular matrix has a 0 on the diagonal of U.
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "step"

    def make_node(self, a: Any) -> Apply:
        a = as_square(a, "LUFactor")
        pivots = TensorType("int32", shape=a.type.shape[:-1])
        return Apply(self, [a], [a.type(), pivots()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape, shape[:-1]]

    def reference(self, node: Apply, a: Any) -> Any:
        check_square("LUFactor", a)
        lu = np.array(a)
        pivots = np.zeros(a.shape[:-1], "int32")
        if a.size:
            n = a.shape[-1]
            by_routine("getrf", (lu.reshape(-1, n, n), pivots.reshape(-1, n)), ())
        return lu, pivots

    def lower(self, node: Apply, low: Any) -> None:
        """One getrf per matrix."""
        (a,), (lu, pivots) = node.inputs, node.outputs
        need_square(low, node, a)
        factors = begin(low, a, lu)
        order = low.alloc(pivots)
        low.routine("getrf", (fold_batch(low, factors), fold_batch(low, order, 1)))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """That of the factors (see ``linalg_factors.LU``), for both in one matrix."""
        from theano.ops.linalg_factors import factors_gradient, rows_of_pivots

        (a,), (lu, pivots), g = inputs, outputs, output_grads[0]
        if not connected(g):
            return [a.zeros_like()]
        both = mT(g)
        return [mT(factors_gradient(rows_of_pivots(pivots), *_triangles(mT(lu)), both, both))]


def _triangles(packed: Any) -> tuple[Any, Any]:
    """L (of unit diagonal) and U, from one matrix."""
    low = triangle(packed, lower=True, strict=True) + identity_of(packed)
    return low, triangle(packed, lower=False)


class LUSolve(LinalgOp):
    """X with A X = B (Aᵀ X = B if ``trans``), from what ``LUFactor(A)`` gives."""

    __props__: ClassVar[tuple[str, ...]] = ("trans",)
    lowering = "step"

    def __init__(self, trans: bool = False) -> None:
        self.trans = bool(trans)

    def make_node(self, lu: Any, pivots: Any, b: Any) -> Apply:
        lu, pivots, b = as_square(lu, "LUSolve"), as_tensor_variable(pivots), as_tensor_variable(b)
        dtype = linalg_dtype(lu.type.dtype, b.type.dtype)
        lu, b, pivots = cast(lu, dtype), cast(b, dtype), cast(pivots, "int32")
        return Apply(self, [lu, pivots, b], [b.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[2])]

    def reference(self, node: Apply, lu: Any, pivots: Any, b: Any) -> Any:
        check_square("LUSolve", lu)
        n = lu.shape[-1]
        x = np.array(b)
        flat = x.reshape(1, n, 1) if b.ndim == 1 else x.reshape(-1, n, b.shape[-1])
        if x.size:
            count = len(flat)
            arrays = (
                flat,
                np.broadcast_to(lu.reshape(-1, n, n), (count, n, n)),
                np.broadcast_to(pivots.reshape(-1, n), (count, n)),
            )
            by_routine("lusolve", arrays, (self.trans,))
        return x

    def lower(self, node: Apply, low: Any) -> None:
        """Two triangular solves per matrix."""
        lu, pivots, b = node.inputs
        (out,) = node.outputs
        need_square(low, node, lu)
        dims, right = low.sizes.dims[lu], low.sizes.dims[b]
        vector = b.type.ndim == 1
        need_same(low, node, dims[-1:], right[-1:] if vector else right[-2:-1])
        if lu.type.ndim > 2:
            need_same(low, node, dims[:-2], right[:-2])
        x = begin(low, b, out)
        x = low.reshaped(x, (1, low.dim(x, 0), 1)) if vector else fold_batch(low, x)
        factors = spread_batch(low, low.array(lu), x)
        order = spread_batch(low, low.array(pivots), x, 1)
        low.routine("lusolve", (x, factors, order), (int(self.trans),))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """As for ``Solve``: the gradient of what was factorised, and from A = P L U that of both
        factors: tril₋(G Uᵀ) + triu(Lᵀ G) for G = Pᵀ Ā."""
        from theano.ops.linalg_factors import permuted, rows_of_pivots

        (lu, pivots, _), (x,), (g,) = inputs, outputs, output_grads
        gb = LUSolve(not self.trans)(lu, pivots, g)
        inner = permuted(-(outer(gb, x) if self.trans else outer(x, gb)), rows_of_pivots(pivots))
        low, up = _triangles(mT(lu))
        packed = triangle(matmul(inner, mT(up)), lower=True, strict=True)
        packed = packed + triangle(matmul(mT(low), inner), lower=False)
        return [mT(packed), pivots.zeros_like(dtype="float64"), gb]


class LUInverse(LinalgOp):
    """The inverse of A from what ``LUFactor(A)`` gives."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "step"

    def make_node(self, lu: Any, pivots: Any) -> Apply:
        lu, pivots = as_square(lu, "LUInverse"), cast(as_tensor_variable(pivots), "int32")
        return Apply(self, [lu, pivots], [lu.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def reference(self, node: Apply, lu: Any, pivots: Any) -> Any:
        out = np.empty_like(lu, order="C")
        if out.size:
            n = lu.shape[-1]
            flat = (out.reshape(-1, n, n), lu.reshape(-1, n, n), pivots.reshape(-1, n))
            by_routine("getri", flat, ())
        return out

    def lower(self, node: Apply, low: Any) -> None:
        """One getri per matrix."""
        lu, pivots = node.inputs
        (out,) = node.outputs
        need_square(low, node, lu)
        inverse = fold_batch(low, low.alloc(out))
        factors = fold_batch(low, low.array(lu))
        order = fold_batch(low, low.array(pivots), 1)
        low.routine("getri", (inverse, factors, order))


def untransposed(a: Any) -> tuple[Any, bool]:
    """The matrix of which ``a`` is the transpose, and True; or ``a`` and False."""
    node = a.owner
    n = a.type.ndim
    if node is not None and isinstance(node.op, DimShuffle):
        turned = (*range(n - 2), n - 1, n - 2)
        if tuple(node.op.new_order) == turned and node.inputs[0].type.ndim == n:
            return node.inputs[0], True
    return a, False


def factor(a: Any) -> tuple[Any, Any]:
    """``LUFactor(a)``."""
    lu, pivots = LUFactor()(a)
    return lu, pivots


def _sign_of_permutation(pivots: Any, dtype: str) -> Any:
    n = size_of(pivots, pivots.type.ndim - 1)
    moved = apply("neq", pivots, apply("arange", n, dtype="int32"))
    odd = apply("mod", apply("sum", moved, axis=-1), np.int64(2))
    one, two = np.asarray(1, dtype), np.asarray(2, dtype)
    return apply("sub", one, apply("mul", two, cast(odd, dtype)))


class Det(LinalgOp):
    """The determinants of square matrices; 1 for those of order 0."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, x: Any) -> Apply:
        x = as_square(x, "Det")
        return Apply(self, [x], [x.type.clone(shape=x.type.shape[:-2])()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0][:-2])]

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("Det", x)
        return np.linalg.det(x)

    def expand(self, node: Apply) -> list[Any]:
        """The product of the diagonal of U, and the sign of the permutation."""
        x, _ = untransposed(node.inputs[0])
        if x.type.dtype not in ("float32", "float64"):
            return list(DetPython().make_node(x).outputs)
        lu, pivots = factor(x)
        product = apply("prod", diagonal_of(lu), axis=-1)
        return [product * _sign_of_permutation(pivots, x.type.dtype)]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """d det(A) = det(A) tr(A⁻¹ dA) (Giles 2008, 2.2.4)."""
        (x,), (g,) = inputs, output_grads
        scale = as_column(as_column(g * self(x)))
        return [scale * mT(MatrixInverse()(x))]

    def __str__(self) -> str:
        return "Det"


class DetPython(Det):
    """Det of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


class SLogDet(LinalgOp):
    """The sign of the determinant, and the logarithm of its absolute value.

    Neither overflows. A singular matrix has sign 0 and logarithm -inf; where the logarithm is NaN,
    so is the sign.
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, x: Any) -> Apply:
        x = as_square(x, "SLogDet")
        if x.type.dtype not in ("float32", "float64"):
            raise TypeError(f"slogdet takes real matrices, got {x.type}")
        kind = x.type.clone(shape=x.type.shape[:-2])
        return Apply(self, [x], [kind(), kind()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0][:-2])] * 2

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("SLogDet", x)
        sign, logarithm = np.linalg.slogdet(x)
        return np.where(np.isnan(logarithm), logarithm, sign), logarithm

    def expand(self, node: Apply) -> list[Any]:
        """Signs and logarithms of the diagonal of U."""
        x, _ = untransposed(node.inputs[0])
        lu, pivots = factor(x)
        diagonal = diagonal_of(lu)
        signs = apply("prod", apply("sgn", diagonal), axis=-1)
        logarithm = apply("sum", apply("log", apply("abs_", diagonal)), axis=-1)
        return [signs * _sign_of_permutation(pivots, x.type.dtype), logarithm]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """d log|det(A)| = tr(A⁻¹ dA)."""
        (x,) = inputs
        g = output_grads[1]
        if not connected(g):
            return [x.zeros_like()]
        return [as_column(as_column(g)) * mT(MatrixInverse()(x))]


class MatrixInverse(OfSquare, LinalgOp):
    """The inverses of square matrices; LinAlgError for a singular one."""

    __props__: ClassVar[tuple[str, ...]] = ()
    what = "MatrixInverse"
    lowering = "expand"

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("MatrixInverse", x)
        return np.linalg.inv(x)

    def expand(self, node: Apply) -> list[Any]:
        """From the LU factors; a transposed matrix by those of the matrix itself."""
        x, turned = untransposed(node.inputs[0])
        if x.type.dtype not in ("float32", "float64"):
            return list(MatrixInversePython().make_node(node.inputs[0]).outputs)
        inverse = LUInverse()(*factor(x))
        return [mT(inverse) if turned else inverse]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """dA⁻¹ = -A⁻¹ dA A⁻¹ (Giles 2008, 2.2.3)."""
        turned = mT(self(inputs[0]))
        return [-matmul(matmul(turned, output_grads[0]), turned)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (direction,) = eval_points
        if direction is None:
            return [None]
        inverse = self(inputs[0])
        return [-matmul(matmul(inverse, direction), inverse)]

    def __str__(self) -> str:
        return "MatrixInverse"


class MatrixInversePython(MatrixInverse):
    """MatrixInverse of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


def lu_factor(a: Any) -> tuple[Any, Any]:
    """L and U of A = P L U in one matrix, and the pivots (int32, from 0), as SciPy gives them.

    L and U have a gradient, and so has what ``lu_solve`` makes of them. Raises TypeError for what
    is no matrix.
    """
    lu, pivots = factor(mT(as_square(a, "lu_factor")))
    return mT(lu), pivots


def lu_solve(lu_and_piv: tuple[Any, Any], b: Any, trans: bool | int = 0) -> Any:
    """X with A X = B, or Aᵀ X = B if ``trans``, from what ``lu_factor(A)`` gives."""
    lu, pivots = lu_and_piv
    lu = as_square(lu, "lu_solve")
    lu, b = aligned(lu, as_tensor_variable(b), "lu_solve")
    return LUSolve(not trans)(mT(lu), pivots, b)
