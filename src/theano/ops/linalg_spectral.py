"""Eigenvalues and singular values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.null_types import grad_undefined
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.extents import size_of
from theano.ops.linalg_base import (
    NATIVE,
    LinalgOp,
    as_column,
    as_matrices,
    as_row,
    as_square,
    check_square,
    connected,
    diagonal_of,
    fold_batch,
    half_diagonal,
    identity_of,
    matmul,
    mT,
    need_square,
    triangle,
    work_copy,
)


def _inverse_gaps(w: Any) -> Any:
    """F with F_ij = 1 / (w_j - w_i) off the diagonal, 0 on it."""
    gaps = as_row(w) - as_column(w)
    one, zero = np.ones((), w.type.dtype), np.zeros((), w.type.dtype)
    n = size_of(w, w.type.ndim - 1)
    same = apply("eye", n, n, 0, dtype="bool")
    return apply("switch", same, zero, one / apply("switch", same, one, gaps))


def _with_diagonal(x: Any, d: Any) -> Any:
    """``x`` plus the diagonal matrix of ``d``."""
    return x + as_column(d) * identity_of(x)


class _Uplo(LinalgOp):
    """``UPLO``: the triangle of a symmetric matrix that is read."""

    __props__: ClassVar[tuple[str, ...]] = ("UPLO",)
    lowering = "step"

    def __init__(self, UPLO: str = "L") -> None:
        if UPLO not in ("L", "U"):
            raise ValueError(f"{type(self).__name__}: UPLO must be 'L' or 'U', not {UPLO!r}")
        self.UPLO: Any = UPLO

    def _run(self, low: Any, node: Apply, matrices: str, values: Any, vectors: bool) -> None:
        w = fold_batch(low, low.alloc(values), 1)
        flags = (int(self.UPLO == "L"), int(vectors))
        low.routine("eigh", (fold_batch(low, matrices), w), flags)

    def _in_triangle(self, g: Any) -> Any:
        """The gradient of the triangle that is read, from that of the symmetric matrix."""
        return half_diagonal(g + mT(g), self.UPLO == "L")


class Eigh(_Uplo):
    """Eigenvalues (ascending) and eigenvectors (columns) of symmetric matrices.

    Only the triangle ``UPLO`` is read. Where eigenvalues coincide, the gradient of the vectors is
    infinite or NaN.
    """

    def make_node(self, x: Any) -> Apply:
        x = as_square(x, "Eigh")
        op = self if x.type.dtype in NATIVE else EighPython(self.UPLO)
        values = x.type.clone(shape=x.type.shape[:-1], dtype=dtypes.REAL_OF[x.type.dtype])
        return Apply(op, [x], [values(), x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape[:-1], shape]

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("Eigh", x)
        return tuple(np.linalg.eigh(x, UPLO=self.UPLO))

    def lower(self, node: Apply, low: Any) -> None:
        """One syevd per matrix, which leaves vectors in rows."""
        (x,) = node.inputs
        w, v = node.outputs
        need_square(low, node, x)
        rows = work_copy(low, x)
        self._run(low, node, rows, w, vectors=True)
        n = x.type.ndim
        axes = [(i, low.dim(rows, i), 1) for i in (*range(n - 2), n - 1, n - 2)]
        low.define(v, low.view(rows, (), axes))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Ā = V (diag(w̄) + F ∘ VᵀV̄) Vᵀ, F_ij = 1 / (w_j - w_i) (Giles 2008, 3.1)."""
        (x,), (gw, gv) = inputs, output_grads
        w, v = self(x)
        inner = None
        if connected(gv):
            inner = _inverse_gaps(w) * matmul(mT(v), gv)
        if connected(gw):
            scaled = v * as_row(gw)
            total = matmul(scaled if inner is None else scaled + matmul(v, inner), mT(v))
        else:
            total = matmul(matmul(v, inner), mT(v))
        return [self._in_triangle(total)]


class EighPython(Eigh):
    """Eigh of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


class EigvalshStep(_Uplo):
    """The eigenvalues (ascending) of symmetric matrices, without vectors."""

    def make_node(self, x: Any) -> Apply:
        x = as_square(x, "Eigvalsh")
        op = self if x.type.dtype in NATIVE else EigvalshPython(self.UPLO)
        dtype = dtypes.REAL_OF[x.type.dtype]
        return Apply(op, [x], [x.type.clone(shape=x.type.shape[:-1], dtype=dtype)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0][:-1])]

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("Eigvalsh", x)
        return np.linalg.eigvalsh(x, UPLO=self.UPLO)

    def lower(self, node: Apply, low: Any) -> None:
        """One syevd per matrix."""
        (x,), (w,) = node.inputs, node.outputs
        need_square(low, node, x)
        self._run(low, node, work_copy(low, x), w, vectors=False)

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Ā = V diag(w̄) Vᵀ."""
        (x,), (gw,) = inputs, output_grads
        _, v = Eigh(self.UPLO)(x)
        return [self._in_triangle(matmul(v * as_row(gw), mT(v)))]


class EigvalshPython(EigvalshStep):
    """Eigvalsh of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


class Eigvalsh:
    """``Eigvalsh(lower)(a, b)``: see ``eigvalsh``."""

    def __init__(self, lower: bool = True) -> None:
        self.lower = bool(lower)

    def __call__(self, a: Any, b: Any = None) -> Any:
        return eigvalsh(a, b, self.lower)


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """The eigenvalues (ascending) of symmetric ``a``, or of ``a v = w b v`` with a symmetric
    positive definite ``b``.

    Only the lower triangles are read (upper ones if not ``lower``). Raises LinAlgError at run time
    where ``b`` is not positive definite.

    >>> import theano.tensor as T
    >>> eigvalsh(T.constant([[2.0, 0.0], [0.0, 1.0]])).eval().tolist()
    [1.0, 2.0]
    """
    uplo = "L" if lower else "U"
    a = as_square(a, "eigvalsh")
    if b is None or (hasattr(b, "type") and not hasattr(b.type, "ndim")):
        return EigvalshStep(uplo)(a)
    from theano.ops.linalg_cholesky import Cholesky
    from theano.ops.linalg_solve import TriangularSolve

    full = triangle(a, lower) + mT(triangle(a, lower, strict=True))
    factor = Cholesky(lower)(b)
    factor = factor if lower else mT(factor)
    left = TriangularSolve(lower=True)(factor, full)
    return EigvalshStep("L")(TriangularSolve(lower=True, trans=True, right=True)(factor, left))


def eigh(a: Any, UPLO: str = "L") -> Any:
    """Eigenvalues (ascending) and eigenvectors (columns) of symmetric ``a``, or of a stack.

    Only the triangle ``UPLO`` ('L' or 'U') is read, and its gradient is zero outside.

    >>> import theano.tensor as T
    >>> eigh(T.constant([[2.0, 0.0], [0.0, 1.0]]))[0].eval().tolist()
    [1.0, 2.0]
    """
    return Eigh(UPLO)(a)


class Eig(LinalgOp):
    """Eigenvalues and right eigenvectors (columns of norm 1) of square matrices.

    Results have the dtype of the matrix, as Theano's had: a real matrix with complex eigenvalues
    is a LinAlgError. With ``full`` they are complex in any case.
    """

    __props__: ClassVar[tuple[str, ...]] = ("full",)
    lowering = "python"
    why = "its results are complex in general, and native code has no complex numbers"

    def __init__(self, full: bool = False) -> None:
        self.full = bool(full)

    def make_node(self, x: Any) -> Apply:
        x = as_square(x, "Eig")
        dtype = x.type.dtype
        if self.full and dtype not in dtypes.COMPLEX:
            dtype = "complex64" if dtype == "float32" else "complex128"
        values = x.type.clone(dtype=dtype, shape=x.type.shape[:-1])
        return Apply(self, [x], [values(), x.type.clone(dtype=dtype)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape[:-1], shape]

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("Eig", x)
        w, v = np.linalg.eig(x)
        if node.outputs[0].type.dtype in dtypes.COMPLEX:
            return w, v
        if np.any(w.imag):
            raise np.linalg.LinAlgError(
                f"Eig: a {x.dtype} matrix has complex eigenvalues, use theano.tensor.linalg.eig, "
                "whose results are complex"
            )
        return w.real, v.real  # complex in NumPy 2.5, whatever the eigenvalues

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Ā = V⁻ᵀ (diag(w̄) + F ∘ (VᵀV̄ - VᵀV diag(VᵀV̄))) Vᵀ for a real spectrum: the formula of
        Giles 2008, 3.1, for vectors that keep norm 1."""
        from theano.ops.linalg_solve import Solve

        (x,), (gw, gv) = inputs, output_grads
        if self.full:
            return [grad_undefined(self, 0, x, "complex results")]
        w, v = self(x)
        inner = None
        if connected(gv):
            products = matmul(mT(v), gv)
            own = matmul(mT(v), v) * as_row(diagonal_of(products))
            inner = _inverse_gaps(w) * (products - own)
        if connected(gw):
            inner = _with_diagonal(v * np.zeros((), v.type.dtype) if inner is None else inner, gw)
        return [Solve()(mT(v), matmul(inner, mT(v)))]


class SVD(LinalgOp):
    """U, s, Vᵀ with A = U diag(s) Vᵀ, s descending.

    ``full_matrices``: U and V are square; else they have min(m, n) columns. Without ``compute_uv``
    only s. The gradient of U and V exists where singular values differ, for reduced U and V (or
    square A); that of s in any case.
    """

    __props__: ClassVar[tuple[str, ...]] = ("full_matrices", "compute_uv")
    lowering = "step"

    def __init__(self, full_matrices: bool | int = True, compute_uv: bool | int = True) -> None:
        self.full_matrices, self.compute_uv = bool(full_matrices), bool(compute_uv)

    def make_node(self, x: Any) -> Apply:
        x = as_matrices(x, "SVD")
        options = (self.full_matrices, self.compute_uv)
        op = self if x.type.dtype in NATIVE else SVDPython(*options)
        *batch, m, n = x.type.shape
        k = None if m is None or n is None else min(m, n)
        values = x.type.clone(shape=[*batch, k], dtype=dtypes.REAL_OF[x.type.dtype])
        if not self.compute_uv:
            return Apply(op, [x], [values()])
        p, q = (m, n) if self.full_matrices else (k, k)
        u, vt = x.type.clone(shape=[*batch, m, p]), x.type.clone(shape=[*batch, q, n])
        return Apply(op, [x], [u(), values(), vt()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        *batch, m, n = input_shapes[0]
        k = sizes.minimum(m, n)
        if not self.compute_uv:
            return [(*batch, k)]
        p, q = (m, n) if self.full_matrices else (k, k)
        return [(*batch, m, p), (*batch, k), (*batch, q, n)]

    def reference(self, node: Apply, x: Any) -> Any:
        if not self.compute_uv:
            return np.linalg.svd(x, compute_uv=False)
        return tuple(np.linalg.svd(x, full_matrices=self.full_matrices))

    def lower(self, node: Apply, low: Any) -> None:
        """One gesdd per matrix."""
        (x,) = node.inputs
        work = fold_batch(low, work_copy(low, x))
        values = node.outputs[1 if self.compute_uv else 0]
        s = fold_batch(low, low.alloc(values), 1)
        if self.compute_uv:
            u, vt = (fold_batch(low, low.alloc(node.outputs[i])) for i in (0, 2))
        else:
            u, vt = (low.allocate(x.type.dtype, (1, 1, 1)) for _ in range(2))
        code = (1 + self.full_matrices) if self.compute_uv else 0
        low.routine("svd", (u, s, vt, work), (int(code),))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """J. Townsend, "Differentiating the singular value decomposition", 2016."""
        (x,) = inputs
        gu, gs, gv = output_grads if self.compute_uv else (None, output_grads[0], None)
        gu, gv = (g if g is not None and connected(g) else None for g in (gu, gv))
        u, s, vt = SVD(full_matrices=False)(x)
        total = None
        if connected(gs):
            total = matmul(u * as_row(gs), vt)
        if gu is None and gv is None:
            return [total]
        m, n = x.type.shape[-2:]
        if self.full_matrices and (m is None or m != n):
            if None not in (m, n):
                why = "columns of full matrices beyond min(m, n) are not unique"
                return [grad_undefined(self, 0, x, why)]
            x = _assert_square(x)
            u, s, vt = SVD(full_matrices=False)(x)
        for term in (_left(u, s, vt, gu), _right(u, s, vt, gv)):
            if term is not None:
                total = term if total is None else total + term
        return [total]


def _assert_square(x: Any) -> Any:
    from theano.ops.assertion import Assert

    n = x.type.ndim
    why = "SVD with full_matrices has a gradient of U and V for square matrices only"
    return Assert(why)(x, apply("eq", x.shape[n - 1], x.shape[n - 2]))


def _left(u: Any, s: Any, vt: Any, gu: Any) -> Any:
    """The term of Ū: [U (F ∘ (UᵀŪ - ŪᵀU)) S + (I - U Uᵀ) Ū S⁻¹] Vᵀ."""
    if gu is None:
        return None
    inner = matmul(mT(u), gu)
    first = matmul(u, _inverse_gaps(s * s) * (inner - mT(inner))) * as_row(s)
    return matmul(first + (gu - matmul(u, inner)) / as_row(s), vt)


def _right(u: Any, s: Any, vt: Any, gvt: Any) -> Any:
    """The term of V̄: U [S (F ∘ (VᵀV̄ - V̄ᵀV)) Vᵀ + S⁻¹ V̄ᵀ (I - V Vᵀ)]."""
    if gvt is None:
        return None
    inner = matmul(vt, mT(gvt))
    first = as_column(s) * matmul(_inverse_gaps(s * s) * (inner - mT(inner)), vt)
    return matmul(u, first + (gvt - matmul(mT(inner), vt)) / as_column(s))


class SVDPython(SVD):
    """SVD of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


def svd(a: Any, full_matrices: bool | int = True, compute_uv: bool | int = True) -> Any:
    """U, s, Vᵀ with ``a`` = U diag(s) Vᵀ (only s without ``compute_uv``); stacks too.

    ``full_matrices``: U and V are square; else they have min(m, n) columns.

    >>> import theano.tensor as T
    >>> svd(T.constant([[3.0, 0.0], [0.0, 4.0]]), compute_uv=False).eval().tolist()
    [4.0, 3.0]
    """
    return SVD(full_matrices, compute_uv)(a)


def eig(a: Any) -> Any:
    """Eigenvalues and right eigenvectors (columns) of square ``a``, complex.

    ``theano.tensor.nlinalg.eig`` gives real results, and has a gradient, for a real spectrum.
    """
    return Eig(full=True)(a)


def eigvals(a: Any) -> Any:
    """The eigenvalues of square ``a``, complex."""
    return eig(a)[0]


def svdvals(a: Any) -> Any:
    """The singular values of ``a``, descending."""
    return SVD(compute_uv=False)(a)
