"""The complex transform under its old address: ``theano.tensor.fourier.fft``."""

from __future__ import annotations

from typing import Any

from theano.ops.constants import get_scalar_constant_value
from theano.tensor import fft as transforms

__all__ = ["Fourier", "fft"]


class Fourier:
    """``Fourier()(a, n, axis)``: the transform of ``a`` along ``axis``, cut or padded to ``n``.

    ``axis`` must be known while the graph is built. The result is complex.

    >>> fft([1.0, 2.0]).eval().real.tolist()
    [3.0, -1.0]
    """

    def __call__(self, a: Any, n: Any = None, axis: Any = -1) -> Any:
        return transforms.fft(a, n, int(get_scalar_constant_value(axis)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return "Fourier"


fft = Fourier()
