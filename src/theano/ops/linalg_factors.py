"""QR and LU decompositions of any matrix, with gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.graph.nodes import Apply
from theano.graph.null_types import grad_undefined
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.extents import size_of
from theano.ops.linalg_base import (
    NATIVE,
    LinalgOp,
    as_matrices,
    as_square,
    check_square,
    connected,
    fold_batch,
    identity_of,
    matmul,
    mT,
    stacked,
    triangle,
    work_copy,
)
from theano.ops.linalg_lu import LUFactor
from theano.ops.linalg_solve import TriangularSolve

QR_MODES: Final = ("reduced", "complete", "r", "raw")


class QRFull(LinalgOp):
    """Q and R with A = Q R: Q has orthonormal columns, R is upper triangular.

    ``mode``: 'reduced': Q is (m, k), R (k, n), k = min(m, n); 'complete': Q is (m, m), R (m, n);
    'raw': what LAPACK gives, as NumPy returns it. The gradient is that of the reduced form.
    """

    __props__: ClassVar[tuple[str, ...]] = ("mode",)
    lowering = "step"

    def __init__(self, mode: str = "reduced") -> None:
        if mode not in QR_MODES:
            raise ValueError(f"QR: mode must be one of {QR_MODES}, not {mode!r}")
        self.mode: Any = mode

    def _shapes(self, shape: Sequence[Any], least: Any) -> list[tuple[Any, ...]]:
        *batch, m, n = shape
        p = m if self.mode == "complete" else least
        return [(*batch, m, p), (*batch, p, n)]

    def make_node(self, x: Any) -> Apply:
        x = as_matrices(x, "QR")
        op: QRFull = self
        if type(self) is QRFull and (self.mode == "raw" or x.type.dtype not in NATIVE):
            op = QRPython(self.mode)
        *batch, m, n = x.type.shape
        least = None if m is None or n is None else min(m, n)
        shapes = self._shapes(x.type.shape, least)
        if self.mode == "raw":
            shapes = [(*batch, n, m), (*batch, least)]
        return Apply(op, [x], [x.type.clone(shape=shape)() for shape in shapes])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        *batch, m, n = input_shapes[0]
        least = sizes.minimum(m, n)
        if self.mode == "raw":
            return [(*batch, n, m), (*batch, least)]
        return self._shapes(input_shapes[0], least)

    def reference(self, node: Apply, x: Any) -> Any:
        return tuple(np.linalg.qr(x, self.mode))

    def lower(self, node: Apply, low: Any) -> None:
        """One factorisation per matrix."""
        (x,) = node.inputs
        work = fold_batch(low, work_copy(low, x))
        q, r = (fold_batch(low, low.alloc(output)) for output in node.outputs)
        low.routine("qr", (q, r, work))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """S. Walter, L. Lehmann, "Algorithmic differentiation of linear algebra functions with
        application in optimum experimental design", 2010; for more columns than rows the leading
        square block is decomposed, and the other columns are Qᵀ times those of A.
        """
        (x,) = inputs
        if self.mode == "raw":
            return [grad_undefined(self, 0, x, "mode 'raw' has no gradient")]
        if self.mode == "complete":
            return self._complete(x, output_grads)
        m, n = x.type.shape[-2:]
        if m is not None and n is not None:
            return [_qr_tall(x, *output_grads) if m >= n else _qr_wide(x, *output_grads)]
        return [_qr_any(x, *output_grads)]

    def _complete(self, x: Any, output_grads: Sequence[Any]) -> list[Any]:
        m, n = x.type.shape[-2:]
        if m is None or n is None or m > n:
            why = "columns of Q beyond those of A are not unique: use mode='reduced'"
            return [grad_undefined(self, 0, x, why)]
        return [_qr_tall(x, *output_grads) if m == n else _qr_wide(x, *output_grads)]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.mode}}}"


def _qr_tall(x: Any, gq: Any, gr: Any) -> Any:
    """Ā = (Q̄ + Q copyltu(M)) R⁻ᵀ, M = R R̄ᵀ - Q̄ᵀ Q; copyltu mirrors the lower triangle."""
    q, r = QRFull("reduced")(x)
    return _qr_back(q, r, gq, gr)


def _qr_back(q: Any, r: Any, gq: Any, gr: Any) -> Any:
    terms = [matmul(r, mT(gr))] if connected(gr) else []
    terms += [-matmul(mT(gq), q)] if connected(gq) else []
    m = terms[0] if len(terms) == 1 else terms[0] + terms[1]
    mirrored = triangle(m, lower=True) + mT(triangle(m, lower=True, strict=True))
    total = matmul(q, mirrored)
    if connected(gq):
        total = gq + total
    return TriangularSolve(lower=False, trans=True, right=True)(r, total)


def _qr_wide(x: Any, gq: Any, gr: Any) -> Any:
    """A = [X Y], R = [U V]: Q and U come from X, and V = Qᵀ Y."""
    rows = size_of(x, x.type.ndim - 2)
    q, r = QRFull("reduced")(x)
    if not connected(gr):
        left = _qr_back(q, r[..., :rows], gq, gr)
        return apply("set_subtensor", x.zeros_like()[..., :rows], left)
    gu, gv = gr[..., :rows], gr[..., rows:]
    term = matmul(x[..., rows:], mT(gv))
    left = _qr_back(q, r[..., :rows], gq + term if connected(gq) else term, gu)
    return apply("join", x.type.ndim - 1, left, matmul(q, gv))


def _qr_any(x: Any, gq: Any, gr: Any) -> Any:
    """Sizes are known at run time only: the columns up to the smaller size are X of `_qr_wide`.

    For a tall matrix nothing is left for Y, and the formulas agree.
    """
    least = sizes.minimum(size_of(x, x.type.ndim - 2), size_of(x, x.type.ndim - 1))
    q, r = QRFull("reduced")(x)
    head = r[..., :least]
    if not connected(gr):
        back = _qr_back(q, head, gq, gr)
        return apply("set_subtensor", x.zeros_like()[..., :least], back)
    gu, gv = gr[..., :least], gr[..., least:]
    term = matmul(x[..., least:], mT(gv))
    back = _qr_back(q, head, gq + term if connected(gq) else term, gu)
    return apply("join", x.type.ndim - 1, back, matmul(q, gv))


class QRPython(QRFull):
    """QR of complex matrices, and mode 'raw'."""

    lowering = "python"
    why = "native code has no complex numbers, and mode 'raw' is what NumPy makes of LAPACK's"


class QRIncomplete(QRFull):
    """R alone, mode 'r'."""

    lowering = "expand"

    def __init__(self, mode: str = "r") -> None:
        super().__init__(mode)

    def make_node(self, x: Any) -> Apply:
        x = as_matrices(x, "QR")
        *batch, m, n = x.type.shape
        k = None if m is None or n is None else min(m, n)
        return Apply(self, [x], [x.type.clone(shape=[*batch, k, n])()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        *batch, m, n = input_shapes[0]
        return [(*batch, sizes.minimum(m, n), n)]

    def reference(self, node: Apply, x: Any) -> Any:
        return np.linalg.qr(x, "r")

    def expand(self, node: Apply) -> list[Any]:
        """The second result of the whole."""
        return [QRFull("reduced")(node.inputs[0])[1]]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        from theano.ops.extents import disconnected

        return QRFull("reduced").gradient(inputs, outputs, [disconnected(), output_grads[0]])


def qr(a: Any, mode: str = "reduced") -> Any:
    """Q and R with ``a`` = Q R (R alone for ``mode="r"``), for one matrix or a stack.

    Parameters
    ----------
    a : matrix (m, n), or a stack.
    mode : 'reduced': Q is (m, k), R (k, n), k = min(m, n); 'complete': (m, m) and (m, n); 'r';
        'raw': Householder vectors and their factors, as ``numpy.linalg.qr`` returns them.

    >>> import theano.tensor as T
    >>> qr(T.constant([[3.0], [4.0]]))[1].eval().tolist()
    [[-5.0]]
    """
    return QRIncomplete()(a) if mode == "r" else QRFull(mode)(a)


# LU ---------------------------------------------------------------------------------------------


class PivotsToPermutation(LinalgOp):
    """The rows p with A[p] = L U, from the pivots of ``lu_factor`` (exchanges, one by one)."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "python"
    why = "exchanges are done one after another; they cost nothing beside the factorisation"

    def make_node(self, pivots: Any) -> Apply:
        return Apply(self, [pivots], [TensorType("int64", shape=pivots.type.shape)()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def reference(self, node: Apply, pivots: Any) -> Any:
        rows = np.broadcast_to(np.arange(pivots.shape[-1]), pivots.shape).copy()
        for index in np.ndindex(*pivots.shape[:-1]):
            order = rows[index]
            for i, p in enumerate(pivots[index]):
                order[i], order[p] = order[p], order[i]
        return rows

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [apply("zeros_of", inputs[0])]


class LU(LinalgOp):
    """Rows p (int64), L and U with A[p] = L U for square A; L has a unit diagonal."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, a: Any) -> Apply:
        a = as_square(a, "lu")
        if a.type.dtype not in NATIVE:
            raise TypeError(f"lu takes real matrices, got {a.type}")
        rows = TensorType("int64", shape=a.type.shape[:-1])
        return Apply(self, [a], [rows(), a.type(), a.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape[:-1], shape, shape]

    def reference(self, node: Apply, a: Any) -> Any:
        from scipy.linalg import lu as scipy_lu

        check_square("lu", a)
        if not a.size:
            return np.zeros(a.shape[:-1], "int64"), a.copy(), a.copy()

        def one(matrix: Any) -> Any:
            p, low, up = scipy_lu(matrix, p_indices=True)
            return np.argsort(p), low, up

        return stacked(one, a)

    def expand(self, node: Apply) -> list[Any]:
        """The triangles of what ``LUFactor`` gives."""
        a = node.inputs[0]
        transposed, pivots = LUFactor()(mT(a))
        both = mT(transposed)
        low = triangle(both, lower=True, strict=True) + identity_of(a)
        return [PivotsToPermutation()(pivots), low, triangle(both, lower=False)]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Pᵀ L⁻ᵀ [tril₋(LᵀL̄) + triu(ŪUᵀ)] U⁻ᵀ (S. Axen et al., "Differentiation of the LU
        decomposition"; F. de Hoog, R. Anderssen, M. Lukas, J. Appl. Math. Comput. 2011)."""
        (a,), (_, gl, gu) = inputs, output_grads
        rows, low, up = self(a)
        return [factors_gradient(rows, low, up, gl, gu)]


def factors_gradient(rows: Any, low: Any, up: Any, gl: Any, gu: Any) -> Any:
    """The gradient of A, where A[rows] = L U, from those of L and U."""
    terms = []
    if connected(gl):
        terms.append(triangle(matmul(mT(low), gl), lower=True, strict=True))
    if connected(gu):
        terms.append(triangle(matmul(gu, mT(up)), lower=False))
    inner = terms[0] if len(terms) == 1 else terms[0] + terms[1]
    left = TriangularSolve(lower=True, trans=True, unit=True)(low, inner)
    total = TriangularSolve(lower=False, trans=True, right=True)(up, left)
    return _rows_back(total, rows)


def rows_of_pivots(pivots: Any) -> Any:
    """``PivotsToPermutation``."""
    return PivotsToPermutation()(pivots)


def permuted(x: Any, rows: Any) -> Any:
    """``x[rows]``, matrix by matrix."""
    return x[rows] if x.type.ndim == 2 else matmul(_permutation_matrix(rows, x.type.dtype), x)


def _permutation_matrix(rows: Any, dtype: str) -> Any:
    """The matrix M with M A = A[rows]."""
    from theano.ops.basic import cast
    from theano.ops.linalg_base import as_column

    n = size_of(rows, rows.type.ndim - 1)
    return cast(apply("eq", as_column(rows), apply("arange", n)), dtype)


def _rows_back(x: Any, rows: Any) -> Any:
    """The matrix A with A[rows] = ``x``."""
    if x.type.ndim == 2:
        return apply("set_subtensor", x.zeros_like()[rows], x)
    return matmul(mT(_permutation_matrix(rows, x.type.dtype)), x)


def lu(a: Any, permute_l: bool = False, p_indices: bool = False) -> Any:
    """P, L and U with ``a`` = P L U for square ``a`` or a stack, as SciPy has it.

    ``permute_l``: P L and U instead; ``p_indices``: rows p with ``a = L[p] U`` instead of P. L and
    U have gradients.

    >>> import theano.tensor as T
    >>> lu(T.constant([[0.0, 2.0], [1.0, 0.0]]))[2].eval().tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    a = as_square(a, "lu")
    rows, low, up = LU()(a)
    if p_indices and not permute_l:
        from theano.ops.sorting import argsort

        return argsort(rows, axis=-1), low, up
    matrix = mT(_permutation_matrix(rows, low.type.dtype))
    return (matmul(matrix, low), up) if permute_l else (matrix, low, up)
