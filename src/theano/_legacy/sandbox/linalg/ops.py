"""``theano.sandbox.linalg.ops``: hints about matrices, a bound of the spectral radius, old names.

What the old rewrites of this module did (solving instead of inverting, determinants of Cholesky
factors) is done without hints now. A hint is the matrix itself, with a note for the reader.
"""

from typing import Any

from theano.graph.registry import apply
from theano.ops.basic import as_tensor_variable
from theano.ops.linalg_functions import spectral_radius_bound
from theano.tensor.nlinalg import (
    SVD,
    AllocDiag,
    Det,
    Eig,
    Eigh,
    ExtractDiag,
    MatrixInverse,
    MatrixPinv,
    QRFull,
    QRIncomplete,
    alloc_diag,
    det,
    diag,
    eig,
    eigh,
    extract_diag,
    matrix_dot,
    matrix_inverse,
    matrix_power,
    norm,
    pinv,
    qr,
    svd,
    trace,
)
from theano.tensor.slinalg import Cholesky, CholeskyGrad, Solve, cholesky, kron, solve

HINTS = ("psd", "symmetric", "lower_triangular", "upper_triangular", "orthogonal", "singular")


class Hint:
    """``Hint(name=True, …)(x)``: ``x`` again, with ``x.tag.hints``."""

    def __init__(self, **hints: Any) -> None:
        self.hints = tuple(hints.items())

    def __call__(self, x: Any) -> Any:
        copy = apply("tensor_copy", as_tensor_variable(x))
        copy.tag.hints = dict(self.hints)
        return copy


def hints(variable: Any) -> dict[str, Any]:
    """What hints say of ``variable``."""
    found = getattr(getattr(variable, "tag", None), "hints", {})
    return dict(found)


def psd(v: Any) -> Any:
    """``v``, noted to be symmetric positive semidefinite."""
    return Hint(psd=True, symmetric=True)(v)


def is_psd(v: Any) -> bool:
    """Whether a hint says so."""
    return bool(hints(v).get("psd", False))


def is_symmetric(v: Any) -> bool:
    """Whether a hint says so."""
    return bool(hints(v).get("symmetric", False))


def is_positive(v: Any) -> bool:
    """Whether ``v`` is known to be positive: a power with an even exponent, an exponential."""
    node = getattr(v, "owner", None)
    name = getattr(getattr(getattr(node, "op", None), "scalar_op", None), "name", "")
    return name in ("exp", "sqr")


__all__ = [
    "HINTS",
    "SVD",
    "AllocDiag",
    "Cholesky",
    "CholeskyGrad",
    "Det",
    "Eig",
    "Eigh",
    "ExtractDiag",
    "Hint",
    "MatrixInverse",
    "MatrixPinv",
    "QRFull",
    "QRIncomplete",
    "Solve",
    "alloc_diag",
    "cholesky",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "hints",
    "is_positive",
    "is_psd",
    "is_symmetric",
    "kron",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "norm",
    "pinv",
    "psd",
    "qr",
    "solve",
    "spectral_radius_bound",
    "svd",
    "trace",
]
