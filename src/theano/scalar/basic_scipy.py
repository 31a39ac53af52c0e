"""Scalar ops of special functions: error functions, the gamma family, Bessel functions."""

from theano.ops import scalar_library

_ROWS = (
    "erf", "erfc", "erfcx", "erfinv", "erfcinv", "gamma", "gammaln", "psi", "tri_gamma", "chi2sf",
    "gammainc", "gammaincc", "gammau", "gammal", "jv", "j1", "j0", "iv", "i1", "i0",
)  # fmt: skip
_CLASSES = tuple(scalar_library.class_name(row) for row in _ROWS)

globals().update({row: scalar_library.OPS[row] for row in _ROWS})
globals().update({name: scalar_library.CLASSES[name] for name in _CLASSES})

__all__ = [*_ROWS, *_CLASSES]
