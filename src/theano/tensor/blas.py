"""Products of matrices under the names of BLAS.

``Gemm`` and ``BatchedDot`` are ops of ours; the other names build the same expressions of ``dot``,
which compile to the same calls. Nothing here writes over its arguments: where results are stored is
decided when a function is compiled, so the ``inplace`` variants differ in name only.

>>> import theano.tensor as T
>>> A, x, y = T.dmatrix("A"), T.dvector("x"), T.dvector("y")
>>> gemv_no_inplace(y, 2.0, A, x, 1.0).ndim
1
"""

from __future__ import annotations

from typing import Any

from theano.core.errors import ShapeError
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.batched import BatchedDot, BatchedGemm, Matmul, batched_dot
from theano.ops.contract import batched_tensordot
from theano.ops.dot import NATIVE, Dot, Gemm, outer

__all__ = [
    "BatchedDot", "BatchedGemm", "Dot22", "Dot22Scalar", "Gemm", "Gemv", "Ger", "Matmul",
    "batched_dot", "batched_tensordot", "gemm", "gemm_inplace", "gemm_no_inplace", "gemv",
    "gemv_inplace", "gemv_no_inplace", "ger", "ger_destructive",
]  # fmt: skip


class _Product:
    """A callable under the name of an op: equal to others of its class, pickles by its name."""

    def __init__(self, inplace: bool = False) -> None:
        del inplace

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return type(self).__name__

    def _arrays(self, ranks: tuple[int, ...], *values: Any) -> list[Any]:
        """The arguments as variables of these ranks and one dtype that BLAS has; TypeError else."""
        variables = [as_tensor_variable(value) for value in values]
        found = tuple(v.type.ndim for v in variables)
        if found != ranks:
            raise TypeError(f"{self} takes arrays of ranks {ranks}, got {found}")
        kinds = {v.type.dtype for v in variables if v.type.ndim}
        if len(kinds) != 1 or not kinds <= set(NATIVE):
            raise TypeError(f"{self} needs one dtype, float32 or float64, got {sorted(kinds)}")
        (dtype,) = kinds
        return [v if v.type.ndim else cast(v, dtype) for v in variables]

    def _check(self, x: Any, y: Any) -> None:
        """ShapeError where the static shapes of two arrays, to be added, differ."""
        for m, n in zip(x.type.shape, y.type.shape, strict=True):
            if None not in (m, n) and m != n:
                raise ShapeError(f"{self} cannot add {x.type.shape} and {y.type.shape}")


class Gemv(_Product):
    """``beta * y + alpha * A·x``: called with (y, alpha, A, x, beta)."""

    def __call__(self, y: Any, alpha: Any, A: Any, x: Any, beta: Any) -> Any:
        y, alpha, matrix, x, beta = self._arrays((1, 0, 2, 1, 0), y, alpha, A, x, beta)
        product = Dot()(matrix, x)
        self._check(y, product)
        return beta * y + alpha * product


class Ger(_Product):
    """``A + alpha * outer(x, y)``: called with (A, alpha, x, y)."""

    def __init__(self, destructive: bool = False) -> None:
        super().__init__(destructive)

    def __call__(self, A: Any, alpha: Any, x: Any, y: Any) -> Any:
        matrix, alpha, x, y = self._arrays((2, 0, 1, 1), A, alpha, x, y)
        product = outer(x, y)
        self._check(matrix, product)
        return matrix + alpha * product


class Dot22(_Product):
    """The product of two matrices."""

    def __call__(self, x: Any, y: Any) -> Any:
        return Dot()(*self._arrays((2, 2), x, y))


class Dot22Scalar(_Product):
    """The product of two matrices, times a number: called with (x, y, a)."""

    def __call__(self, x: Any, y: Any, a: Any) -> Any:
        x, y, a = self._arrays((2, 2, 0), x, y, a)
        return a * Dot()(x, y)


gemm = gemm_no_inplace = gemm_inplace = Gemm()
gemv = gemv_no_inplace = gemv_inplace = Gemv()
ger = ger_destructive = Ger()
_dot22, _dot22scalar, _batched_dot = Dot22(), Dot22Scalar(), BatchedDot()
