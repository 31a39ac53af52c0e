"""Linear algebra that NumPy has, under its old address.

>>> import theano.tensor as T
>>> from theano.tensor import nlinalg
>>> nlinalg.matrix_inverse(T.constant([[2.0]])).eval().tolist()
[[0.5]]
"""

from typing import Any

from theano.ops.diagonal import AllocDiag, ExtractDiag, diag
from theano.ops.linalg_factors import QRFull, QRIncomplete, qr
from theano.ops.linalg_functions import (
    inv,
    logdet,
    matrix_dot,
    matrix_power,
    norm,
    slogdet,
    trace,
)
from theano.ops.linalg_inverse import (
    Lstsq,
    MatrixPinv,
    TensorInv,
    TensorSolve,
    tensorinv,
    tensorsolve,
)
from theano.ops.linalg_lu import Det, MatrixInverse, SLogDet
from theano.ops.linalg_spectral import SVD, Eig, Eigh, eigh, svd

det = Det()
matrix_inverse = MatrixInverse()
pinv = MatrixPinv()
eig = Eig()
alloc_diag = AllocDiag()
extract_diag = ExtractDiag()
lstsq = Lstsq


class EighGrad:
    """``EighGrad(UPLO)(x, w, v, gw, gv)``: the gradient of a cost with respect to x, where
    ``w, v = eigh(x)`` have gradients ``gw`` and ``gv``."""

    def __init__(self, UPLO: str = "L") -> None:
        self.UPLO = UPLO

    def __call__(self, x: Any, w: Any, v: Any, gw: Any, gv: Any) -> Any:
        return Eigh(self.UPLO).gradient([x], [w, v], [gw, gv])[0]


__all__ = [
    "SVD",
    "AllocDiag",
    "Det",
    "Eig",
    "Eigh",
    "EighGrad",
    "ExtractDiag",
    "Lstsq",
    "MatrixInverse",
    "MatrixPinv",
    "QRFull",
    "QRIncomplete",
    "SLogDet",
    "TensorInv",
    "TensorSolve",
    "alloc_diag",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "inv",
    "logdet",
    "lstsq",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "svd",
    "tensorinv",
    "tensorsolve",
    "trace",
]
