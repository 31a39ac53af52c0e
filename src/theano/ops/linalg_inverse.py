"""Pseudo-inverses, least squares, the matrix exponential, inverses and equations of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.extents import disconnected, size_of, sizes_of
from theano.ops.linalg_base import (
    NATIVE,
    LinalgOp,
    as_column,
    as_matrices,
    as_row,
    as_square,
    check_square,
    fold_batch,
    linalg_dtype,
    matmul,
    mT,
    need_square,
    outer,
)
from theano.ops.linalg_lu import MatrixInverse
from theano.ops.linalg_solve import Solve
from theano.ops.linalg_spectral import SVD, Eigh
from theano.ops.reshape import Reshape


class MatrixPinv(LinalgOp):
    """The Moore-Penrose inverses of matrices (m, n): (n, m).

    ``rcond``: singular values up to ``rcond`` times the largest count as zero. ``hermitian``: the
    matrices are symmetric, of which the lower triangle is read. The gradient is that for constant
    rank.
    """

    __props__: ClassVar[tuple[str, ...]] = ("rcond", "hermitian")
    lowering = "expand"

    def __init__(self, rcond: float = 1e-15, hermitian: bool = False) -> None:
        self.rcond, self.hermitian = float(rcond), bool(hermitian)

    def make_node(self, x: Any) -> Apply:
        x = as_matrices(x, "MatrixPinv")
        *batch, m, n = x.type.shape
        return Apply(self, [x], [x.type.clone(shape=[*batch, n, m])()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        *batch, m, n = input_shapes[0]
        return [(*batch, n, m)]

    def reference(self, node: Apply, x: Any) -> Any:
        return np.linalg.pinv(x, rcond=self.rcond, hermitian=self.hermitian)

    def expand(self, node: Apply) -> list[Any]:
        """From the singular values, or the eigenvalues."""
        (x,) = node.inputs
        if x.type.dtype not in NATIVE:
            return list(MatrixPinvPython(self.rcond, self.hermitian).make_node(x).outputs)
        if self.hermitian:
            s, v = Eigh()(x)
            u = v
        else:
            u, s, vt = SVD(full_matrices=False)(x)
            v = mT(vt)
        size = apply("abs_", s)
        # With a zero beside them there is a greatest one of no singular values, too.
        most = apply("max", apply("join", s.type.ndim - 1, size, _one_zero(s)), axis=-1)
        cut = np.asarray(self.rcond, s.type.dtype) * as_column(most)
        one, zero = np.ones((), s.type.dtype), np.zeros((), s.type.dtype)
        large = apply("gt", size, cut)
        inverse = apply("switch", large, one / apply("switch", large, s, one), zero)
        return [matmul(v * as_row(inverse), mT(u))]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """G. Golub, V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least
        squares problems whose variables separate", SIAM J. Numer. Anal. 10 (1973), 4.12:
        dP = -P dA P + P Pᵀ dAᵀ (I - A P) + (I - P A) dAᵀ Pᵀ P.
        """
        (x,), (g,) = inputs, output_grads
        return [pinv_gradient(x, self(x), g)]

    def __str__(self) -> str:
        return "MatrixPinv"


def _one_zero(s: Any) -> Any:
    """A zero behind the leading axes of ``s``."""
    zero = np.zeros((), s.type.dtype)
    return apply("alloc", zero, *sizes_of(s)[:-1], 1)


def pinv_gradient(x: Any, p: Any, g: Any) -> Any:
    """The gradient of ``x`` where its pseudo-inverse ``p`` has gradient ``g``."""
    pt, gt = mT(p), mT(g)
    gpp = matmul(matmul(gt, p), pt)  # Gᵀ P Pᵀ
    ppg = matmul(matmul(pt, p), gt)  # Pᵀ P Gᵀ
    first = matmul(matmul(pt, g), pt)
    second = gpp - matmul(x, matmul(p, gpp))
    third = ppg - matmul(matmul(ppg, p), x)
    return second + third - first


class MatrixPinvPython(MatrixPinv):
    """MatrixPinv of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


def pinv(a: Any, rcond: float = 1e-15, hermitian: bool = False) -> Any:
    """The Moore-Penrose inverse of ``a`` (m, n): (n, m); for one matrix or a stack.

    >>> import theano.tensor as T
    >>> pinv(T.constant([[2.0], [0.0]])).eval().tolist()
    [[0.5, 0.0]]
    """
    return MatrixPinv(rcond, hermitian)(a)


class Lstsq(LinalgOp):
    """``Lstsq()(x, y, rcond)``: the w of least norm with least |x w - y|².

    Results as those of ``numpy.linalg.lstsq``: w, residuals (empty where x has not full rank, or
    not more rows than columns), rank, singular values. ``x`` is a matrix, ``y`` a vector or a
    matrix. Only w has a gradient, the one for full rank.
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "python"
    why = "how many residuals there are depends on the rank"

    def make_node(self, x: Any, y: Any, rcond: Any) -> Apply:
        x, y, rcond = map(as_tensor_variable, (x, y, rcond))
        if x.type.ndim != 2 or y.type.ndim not in (1, 2) or rcond.type.ndim != 0:
            raise TypeError(
                f"lstsq takes a matrix, a vector or matrix, and a number; got {x.type}, {y.type}, "
                f"{rcond.type} (for stacks: pinv(x) @ y)"
            )
        dtype = linalg_dtype(x.type.dtype, y.type.dtype)
        real = dtypes.REAL_OF[dtype]
        x, y = cast(x, dtype), cast(y, dtype)
        solution = TensorType(dtype, shape=(x.type.shape[1], *y.type.shape[1:]))
        vector = TensorType(real, shape=(None,))
        rank = TensorType("int64", shape=())
        return Apply(self, [x, y, rcond], [solution(), vector(), rank(), vector()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        (m, n), y = input_shapes[0], input_shapes[1]
        return [(n, *y[1:]), None, (), (sizes.minimum(m, n),)]

    def reference(self, node: Apply, x: Any, y: Any, rcond: Any) -> Any:
        if x.shape[0] != y.shape[0]:
            raise ValueError(f"lstsq: shapes {x.shape} and {y.shape} do not fit together")
        w, residuals, rank, s = np.linalg.lstsq(x, y, float(rcond))
        return w, residuals, np.int64(rank), s

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the solution has a gradient."""
        return [[True, False, False, False]] * 2 + [[False] * 4]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """w = A⁺ y."""
        (x, y, _), g = inputs, output_grads[0]
        p = pinv(x)
        return [pinv_gradient(x, p, outer(g, y)), apply("dot", mT(p), g), disconnected()]


def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """The x of least norm with least |``a`` x - ``b``|², residuals, rank, singular values.

    ``rcond``: singular values up to ``rcond`` times the largest count as zero; None: the rounding
    error of the dtype times the larger extent of ``a``. See ``Lstsq``.
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if rcond is None:
        eps = np.finfo(dtypes.REAL_OF[linalg_dtype(a.type.dtype, b.type.dtype)]).eps
        rcond = cast(apply("maximum", size_of(a, 0), size_of(a, 1)), "float64") * float(eps)
    w, residuals, rank, s = Lstsq()(a, b, rcond)
    return w, residuals, rank, s


class Expm(LinalgOp):
    """The exponentials of square matrices."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "step"

    def make_node(self, A: Any) -> Apply:
        x = as_square(A, "Expm")
        return Apply(self if x.type.dtype in NATIVE else ExpmPython(), [x], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]

    def reference(self, node: Apply, x: Any) -> Any:
        from scipy.linalg import expm as scipy_expm

        check_square("Expm", x)
        return scipy_expm(x) if x.size else np.array(x)

    def lower(self, node: Apply, low: Any) -> None:
        """Scaling and squaring, for each matrix."""
        (x,), (out,) = node.inputs, node.outputs
        need_square(low, node, x)
        given, made = fold_batch(low, low.array(x)), fold_batch(low, low.alloc(out))
        low.routine("expm", (made, given))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The Fréchet derivative at Aᵀ along the gradient, which is a block of the exponential of
        [[Aᵀ, G], [0, Aᵀ]] (R. Mathias, SIAM J. Matrix Anal. Appl. 17, 1996)."""
        (x,), (g,) = inputs, output_grads
        return [frechet(mT(x), g)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (direction,) = eval_points
        return [None if direction is None else frechet(inputs[0], direction)]


class ExpmPython(Expm):
    """Expm of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


def frechet(a: Any, e: Any) -> Any:
    """The derivative of exp at ``a`` in the direction ``e``."""
    n, last = size_of(a, a.type.ndim - 1), a.type.ndim - 1
    above = apply("join", last, a, e)
    below = apply("join", last, apply("zeros_like", a), a)
    whole = Expm()(apply("join", last - 1, above, below))
    return whole[..., :n, n:]


class ExpmGrad:
    """``ExpmGrad()(A, gw)``: the gradient of a cost with respect to A, where exp(A) has ``gw``."""

    def __call__(self, A: Any, gw: Any) -> Any:
        return frechet(mT(as_square(A, "ExpmGrad")), as_tensor_variable(gw))


def expm(A: Any) -> Any:
    """The exponential of a square matrix, or of each of a stack.

    >>> import theano.tensor as T
    >>> expm(T.constant([[0.0, 1.0], [0.0, 0.0]])).eval().tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return Expm()(A)


# tensors ----------------------------------------------------------------------------------------


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of ``a`` for ``tensordot(·, ·, ind)``: ``tensordot(tensorinv(a), a, ind)`` is the
    identity. The product of the first ``ind`` extents is that of the others.
    """
    a = as_tensor_variable(a)
    if not 0 < int(ind) < max(a.type.ndim, 1):
        raise ValueError(f"tensorinv: ind must be between 1 and {a.type.ndim - 1}, got {ind}")
    extents = sizes_of(a)
    rows, columns = extents[:ind], extents[ind:]
    matrix = Reshape(2)(a, sizes.vector([sizes.product(rows), sizes.product(columns)]))
    final = [*columns, *rows]
    return Reshape(len(final))(MatrixInverse()(matrix), sizes.vector(final))


class TensorInv:
    """``TensorInv(ind)(a)``: see ``tensorinv``."""

    def __init__(self, ind: int = 2) -> None:
        self.ind = int(ind)

    def __call__(self, a: Any) -> Any:
        return tensorinv(a, self.ind)


def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """x with ``tensordot(a, x, x.ndim) == b``; ``axes`` of ``a`` are moved to its end first."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if axes is not None:
        moved = [int(axis) % a.type.ndim for axis in axes]
        order = [i for i in range(a.type.ndim) if i not in moved] + moved
        a = apply("dimshuffle", a, *order)
    count = a.type.ndim - b.type.ndim
    if count < 0:
        raise ValueError(f"tensorsolve: {b.type} has more axes than {a.type}")
    final = list(sizes_of(a)[b.type.ndim :]) if count else []
    rows, columns = (sizes.product(part) for part in (sizes_of(b), final))
    matrix = Reshape(2)(a, sizes.vector([rows, columns]))
    x = Solve()(matrix, Reshape(1)(b, sizes.vector([rows])))
    return Reshape(len(final))(x, sizes.vector(final))


class TensorSolve:
    """``TensorSolve(axes)(a, b)``: see ``tensorsolve``."""

    def __init__(self, axes: Sequence[int] | None = None) -> None:
        self.axes = axes

    def __call__(self, a: Any, b: Any) -> Any:
        return tensorsolve(a, b, self.axes)
