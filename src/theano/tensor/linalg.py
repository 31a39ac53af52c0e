"""Linear algebra in one place, with the names of NumPy (and SciPy, for what NumPy has not).

All functions take one matrix or a stack of them (leading axes), where NumPy's do.

>>> import theano.tensor as T
>>> a = T.constant([[2.0, 0.0], [0.0, 8.0]])
>>> T.linalg.cholesky(T.linalg.inv(a)).eval().round(3).tolist()
[[0.707, 0.0], [0.0, 0.354]]
"""

from theano.ops.batched import matmul
from theano.ops.contract import tensordot
from theano.ops.dot import outer
from theano.ops.linalg_cholesky import cho_factor, cho_solve, cholesky
from theano.ops.linalg_factors import lu, qr
from theano.ops.linalg_functions import (
    block_diag,
    cond,
    cross,
    det,
    inv,
    kron,
    logdet,
    matrix_dot,
    matrix_norm,
    matrix_power,
    matrix_rank,
    matrix_transpose,
    multi_dot,
    norm,
    slogdet,
    solve_continuous_lyapunov,
    solve_discrete_lyapunov,
    solve_sylvester,
    trace,
    vecdot,
    vector_norm,
)
from theano.ops.linalg_inverse import expm, lstsq, pinv, tensorinv, tensorsolve
from theano.ops.linalg_lu import lu_factor, lu_solve
from theano.ops.linalg_solve import solve, solve_triangular
from theano.ops.linalg_spectral import eig, eigh, eigvals, eigvalsh, svd, svdvals

__all__ = [
    "block_diag",
    "cho_factor",
    "cho_solve",
    "cholesky",
    "cond",
    "cross",
    "det",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "kron",
    "logdet",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_solve",
    "matmul",
    "matrix_dot",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_continuous_lyapunov",
    "solve_discrete_lyapunov",
    "solve_sylvester",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]
