"""Linear algebra that SciPy has, under its old address.

>>> import theano.tensor as T
>>> from theano.tensor import slinalg
>>> slinalg.cholesky(T.constant([[4.0]])).eval().tolist()
[[2.0]]
"""

from typing import Any

from theano.ops.linalg_cholesky import (
    Cholesky,
    CholeskyGrad,
    cho_factor,
    cho_solve,
)
from theano.ops.linalg_factors import lu
from theano.ops.linalg_functions import (
    block_diag,
    kron,
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_sylvester,
)
from theano.ops.linalg_inverse import Expm, ExpmGrad
from theano.ops.linalg_lu import lu_factor, lu_solve
from theano.ops.linalg_solve import MATRIX_STRUCTURES, Solve, solve_triangular
from theano.ops.linalg_spectral import Eigvalsh, eigvalsh

cholesky = Cholesky()
solve = Solve()
solve_lower_triangular = Solve(A_structure="lower_triangular", lower=True)
solve_upper_triangular = Solve(A_structure="upper_triangular", lower=False)
solve_symmetric = Solve(A_structure="symmetric")
expm = Expm()


class EigvalshGrad:
    """``EigvalshGrad(lower)(a, b, gw)``: the gradients of a cost with respect to ``a`` and ``b``,
    where ``eigvalsh(a, b, lower)`` has gradient ``gw``."""

    def __init__(self, lower: bool = True) -> None:
        self.lower = bool(lower)

    def __call__(self, a: Any, b: Any, gw: Any) -> Any:
        from theano.autodiff.reverse import Lop

        return Lop(eigvalsh(a, b, self.lower), [a, b], gw)


__all__ = [
    "MATRIX_STRUCTURES",
    "Cholesky",
    "CholeskyGrad",
    "Eigvalsh",
    "EigvalshGrad",
    "Expm",
    "ExpmGrad",
    "Solve",
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "eigvalsh",
    "expm",
    "kron",
    "lu",
    "lu_factor",
    "lu_solve",
    "solve",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_lower_triangular",
    "solve_sylvester",
    "solve_symmetric",
    "solve_triangular",
    "solve_upper_triangular",
]
