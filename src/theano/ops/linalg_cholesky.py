"""The Cholesky factorisation of symmetric positive definite matrices."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from theano.graph.nodes import Apply
from theano.ops.basic import as_tensor_variable
from theano.ops.linalg_base import (
    NATIVE,
    LinalgOp,
    OfSquare,
    begin,
    check_square,
    fold_batch,
    half_diagonal,
    matmul,
    mT,
    need_square,
    stacked,
    triangle,
)
from theano.ops.linalg_solve import TriangularSolve, solve_triangular

_ON_ERROR: Final = ("raise", "nan")


class Cholesky(OfSquare, LinalgOp):
    """L with L Lᵀ = A (U with Uᵀ U = A if not ``lower``); the other triangle of A is not read.

    Parameters
    ----------
    lower : whether the factor is lower triangular.
    on_error : 'raise': LinAlgError for a matrix that is not positive definite; 'nan': its factor
        is NaN in all places.
    """

    __props__: ClassVar[tuple[str, ...]] = ("lower", "destructive", "on_error")
    what = "Cholesky"
    lowering = "expand"

    def __init__(self, lower: bool = True, on_error: str = "raise") -> None:
        if on_error not in _ON_ERROR:
            raise ValueError(f"Cholesky: on_error must be one of {_ON_ERROR}, not {on_error!r}")
        self.lower = bool(lower)
        self.destructive = False
        self.on_error = on_error

    def reference(self, node: Apply, x: Any) -> Any:
        check_square("Cholesky", x)
        if not x.size:
            return np.array(x)

        def one(matrix: Any) -> Any:
            given = matrix if self.lower else np.conj(matrix.T)
            try:
                factor = np.linalg.cholesky(given)
            except np.linalg.LinAlgError:
                if self.on_error == "raise":
                    raise
                return np.full_like(matrix, np.nan)
            return factor if self.lower else np.conj(factor.T)

        return stacked(one, x)

    def expand(self, node: Apply) -> list[Any]:
        """The step that does it."""
        x = node.inputs[0]
        if x.type.dtype not in NATIVE:
            return list(CholeskyPython(self.lower, self.on_error).make_node(x).outputs)
        return [CholeskyFactor(not self.lower, self.on_error == "nan")(x)]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Ā = Φ(S), S = L⁻ᵀ (P + Pᵀ) L⁻¹, P = Φ(Lᵀ L̄) (I. Murray, "Differentiation of the
        Cholesky decomposition", arXiv:1602.07527, 2016, eq. 10).

        Φ takes the lower triangle with half of the diagonal: of A only that triangle is read.
        """
        (x,), (g,) = inputs, output_grads
        factor, lower = self(x), self.lower
        if not lower:
            factor, g = mT(factor), mT(g)
        p = half_diagonal(matmul(mT(factor), triangle(g, lower=True)), lower=True)
        left = TriangularSolve(lower=True, trans=True)(factor, p + mT(p))
        s = TriangularSolve(lower=True, right=True)(factor, left)
        return [half_diagonal(s, lower)]

    def __str__(self) -> str:
        return f"Cholesky{{{'lower' if self.lower else 'upper'}, {self.on_error}}}"


class CholeskyPython(Cholesky):
    """Cholesky of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


class CholeskyFactor(OfSquare, LinalgOp):
    """What Cholesky becomes: one potrf per matrix. ``nan``: failures give NaN."""

    __props__: ClassVar[tuple[str, ...]] = ("upper", "nan")
    what = "Cholesky"
    lowering = "step"

    def __init__(self, upper: bool = False, nan: bool = False) -> None:
        self.upper, self.nan = bool(upper), bool(nan)

    def reference(self, node: Apply, x: Any) -> Any:
        on_error = "nan" if self.nan else "raise"
        return Cholesky(not self.upper, on_error).reference(node, x)

    def lower(self, node: Apply, low: Any) -> None:
        """One potrf per matrix."""
        (x,), (out,) = node.inputs, node.outputs
        need_square(low, node, x)
        work = begin(low, x, out)
        low.routine("potrf", (fold_batch(low, work),), (int(self.upper), int(self.nan)))


class CholeskyGrad:
    """``CholeskyGrad(lower)(x, l, dz)``: the gradient of a cost with respect to ``x``, where
    ``l = Cholesky(lower)(x)`` has gradient ``dz``."""

    def __init__(self, lower: bool = True) -> None:
        self.lower = bool(lower)
        self.destructive = False

    def __call__(self, x: Any, l: Any, dz: Any) -> Any:  # noqa: E741
        x, factor, dz = map(as_tensor_variable, (x, l, dz))
        return Cholesky(self.lower).gradient([x], [factor], [dz])[0]


def cholesky(a: Any, lower: bool = True, on_error: str = "raise") -> Any:
    """L with L Lᵀ = ``a`` (U with Uᵀ U = ``a`` if not ``lower``), for one matrix or a stack.

    Only that triangle of the symmetric matrix ``a`` is read, and its gradient is zero outside.
    Raises LinAlgError at run time for a matrix that is not positive definite, or gives NaN with
    ``on_error="nan"``.

    >>> import theano.tensor as T
    >>> cholesky(T.constant([[4.0, 2.0], [2.0, 2.0]])).eval().tolist()
    [[2.0, 0.0], [1.0, 1.0]]
    """
    return Cholesky(lower, on_error)(a)


def cho_solve(c_and_lower: tuple[Any, bool], b: Any) -> Any:
    """X with A X = ``b``, from ``(cholesky(A, lower), lower)``.

    >>> import theano.tensor as T
    >>> c = cholesky(T.constant([[4.0, 0.0], [0.0, 1.0]]))
    >>> cho_solve((c, True), T.constant([4.0, 3.0])).eval().tolist()
    [1.0, 3.0]
    """
    c, lower = c_and_lower
    first = solve_triangular(c, b, trans=not lower, lower=lower)
    return solve_triangular(c, first, trans=lower, lower=lower)


def cho_factor(a: Any, lower: bool = False) -> tuple[Any, bool]:
    """``(cholesky(a, lower), lower)``, for ``cho_solve``."""
    return cholesky(a, lower), lower
