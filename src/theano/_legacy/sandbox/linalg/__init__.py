"""``theano.sandbox.linalg``: linear algebra where it was once tried out."""

from .ops import (
    cholesky,
    det,
    diag,
    eig,
    eigh,
    extract_diag,
    hints,
    matrix_inverse,
    psd,
    solve,
    spectral_radius_bound,
    trace,
)

__all__ = [
    "cholesky",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "hints",
    "matrix_inverse",
    "psd",
    "solve",
    "spectral_radius_bound",
    "trace",
]
