"""Discrete Fourier transforms.

``rfft`` and ``irfft`` are Theano's: the first axis is a batch, all others are transformed, and
complex numbers are a last axis of real and imaginary parts. All other functions are those of
``numpy.fft``, with complex results; NumPy's ``rfft`` and ``irfft`` are here ``rfft_complex`` and
``irfft_complex``. Gradients are defined for all of them, to any order.

The work is done by pocketfft (``scipy.fft``), with as many threads as compiled functions use.

>>> import theano.tensor as T
>>> x = T.dmatrix("x")
>>> rfft(x).eval({x: [[1.0, 0.0]]}).tolist()
[[[1.0, 0.0], [1.0, 0.0]]]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core.config import config
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import size_of
from theano.ops.fft import FFT, IRFFTOp, RFFTOp, fftn, ifftn, irfftn, rfftn
from theano.ops.reduce_ops import axes_of

__all__ = [
    "FFT", "IRFFTOp", "RFFTOp", "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft",
    "ifft2", "ifftn", "ifftshift", "ihfft", "irfft", "irfft2", "irfft_complex", "irfft_op",
    "irfftn", "rfft", "rfft2", "rfft_complex", "rfft_op", "rfftfreq", "rfftn",
]  # fmt: skip

rfft_op = RFFTOp()
irfft_op = IRFFTOp()

_FORWARD = {None: "backward", "ortho": "ortho", "no_norm": "backward"}
_INVERSE = {None: "backward", "ortho": "ortho", "no_norm": "forward"}
_SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _chosen(norm: Any, table: dict[Any, str]) -> str:
    try:
        return table[norm]
    except (KeyError, TypeError):
        names = ", ".join(repr(name) for name in table)
        raise ValueError(f"Invalid value {norm!r} for norm: it is one of {names}") from None


# Theano's real transforms -------------------------------------------------------------------------


def rfft(inp: Any, norm: str | None = None) -> Any:
    """The transform of real numbers, over all axes but the first.

    Parameters
    ----------
    inp : real array of shape (m, …, n), at least 2 dimensions.
    norm : None and "no_norm" do not scale, "ortho" divides by the root of the number of points.

    Returns an array of shape (m, …, n // 2 + 1, 2): real and imaginary parts in the last axis.

    Raises TypeError for fewer dimensions or complex input, ValueError for other norms.
    """
    return RFFTOp(norm=_chosen(norm, _FORWARD))(inp)


def irfft(inp: Any, norm: str | None = None, is_odd: bool = False) -> Any:
    """The inverse of ``rfft``: shape (m, …, n // 2 + 1, 2) to (m, …, n).

    Parameters
    ----------
    inp : the spectrum, real and imaginary parts in the last axis.
    norm : None divides by the number of points, "ortho" by its root, "no_norm" does not scale.
    is_odd : whether n is odd.

    Raises TypeError for fewer than 3 dimensions, ValueError for other norms or values of is_odd.

    >>> import theano.tensor as T
    >>> x = T.constant([[1.0, 2.0, 4.0]])
    >>> irfft(rfft(x), is_odd=True).eval().round(12).tolist()
    [[1.0, 2.0, 4.0]]
    """
    if is_odd not in (True, False):
        raise ValueError(f"Invalid value {is_odd!r} for is_odd: it is True or False")
    inp, op = as_tensor_variable(inp), IRFFTOp(norm=_chosen(norm, _INVERSE))
    if inp.type.ndim < 3:
        return op(inp)  # raises
    bins = size_of(inp, inp.type.ndim - 2)
    n = sizes.add(sizes.mul(sizes.sub(bins, 1), 2), int(is_odd))
    return op.with_length(inp, n)


# NumPy's functions --------------------------------------------------------------------------------


def _one(n: Any) -> Any:
    return None if n is None else [n]


def fft(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The transform along one axis: real or complex to complex.

    ``n`` is the extent to which ``x`` is cut or padded with zeros; ``norm`` None (or "backward"),
    "ortho" or "forward". float32 and complex64 give complex64, all else complex128.

    >>> import theano.tensor as T
    >>> fft(T.constant([1.0, 0.0, 0.0])).eval().real.tolist()
    [1.0, 1.0, 1.0]
    """
    return fftn(x, _one(n), [axis], norm)


def ifft(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of ``fft``."""
    return ifftn(x, _one(n), [axis], norm)


def rfft_complex(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """``numpy.fft.rfft``: the bins 0 … n // 2 of real numbers along one axis, complex."""
    return rfftn(x, _one(n), [axis], norm)


def irfft_complex(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """``numpy.fft.irfft``: the inverse of ``rfft_complex``; ``n`` is the extent of the result."""
    return irfftn(x, _one(n), [axis], norm)


def fft2(x: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """``fftn`` along two axes."""
    return fftn(x, s, axes, norm)


def ifft2(x: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """``ifftn`` along two axes."""
    return ifftn(x, s, axes, norm)


def rfft2(x: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """``rfftn`` along two axes."""
    return rfftn(x, s, axes, norm)


def irfft2(x: Any, s: Any = None, axes: Sequence[int] = (-2, -1), norm: str | None = None) -> Any:
    """``irfftn`` along two axes."""
    return irfftn(x, s, axes, norm)


def hfft(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The transform of numbers that are conjugate to their mirror images, half of which are given:
    real, of extent ``n``.

    >>> import theano.tensor as T
    >>> hfft(T.constant([1.0, 2.0]), 3).eval().tolist()
    [5.0, -1.0, -1.0]
    """
    return irfft_complex(apply("conj", as_tensor_variable(x)), n, axis, _chosen(norm, _SWAPPED))


def ihfft(x: Any, n: Any = None, axis: int = -1, norm: str | None = None) -> Any:
    """The inverse of ``hfft``."""
    return apply("conj", rfft_complex(x, n, axis, _chosen(norm, _SWAPPED)))


def _frequencies(start: Any, stop: Any, n: Any, d: Any, dtype: str | None) -> Any:
    dtype = dtype or config.floatX
    step = apply("mul", apply("cast", as_tensor_variable(n), dtype), np.asarray(d, dtype)
                 if not hasattr(d, "type") else d)  # fmt: skip
    return apply("true_div", apply("arange", start, stop, dtype=dtype), step)


def fftfreq(n: Any, d: Any = 1.0, dtype: str | None = None) -> Any:
    """The frequencies of the bins of ``fft`` of ``n`` points at distance ``d``; dtype floatX.

    >>> fftfreq(4).eval().tolist()
    [0.0, 0.25, -0.5, -0.25]
    """
    half = sizes.floordiv(sizes.add(sizes.simple(n), 1), 2)
    up = _frequencies(0, half, n, d, dtype)
    down = _frequencies(sizes.sub(half, sizes.simple(n)), 0, n, d, dtype)
    return apply("join", 0, up, down)


def rfftfreq(n: Any, d: Any = 1.0, dtype: str | None = None) -> Any:
    """The frequencies of the bins of ``rfft`` of ``n`` points at distance ``d``; dtype floatX.

    >>> rfftfreq(4).eval().tolist()
    [0.0, 0.25, 0.5]
    """
    stop = sizes.add(sizes.floordiv(sizes.simple(n), 2), 1)
    return _frequencies(0, stop, n, d, dtype)


def _rolled(x: Any, axes: Any, back: bool) -> Any:
    x = as_tensor_variable(x)
    for axis in axes_of(axes, x.type.ndim, x):
        n = size_of(x, axis)
        half = sizes.floordiv(n, 2)
        x = apply("roll", x, sizes.sub(0, half) if back else half, axis)
    return x


def fftshift(x: Any, axes: Any = None) -> Any:
    """``x`` with the bin of frequency 0 in the middle of ``axes`` (default: all).

    >>> fftshift(fftfreq(4)).eval().tolist()
    [-0.5, -0.25, 0.0, 0.25]
    """
    return _rolled(x, axes, back=False)


def ifftshift(x: Any, axes: Any = None) -> Any:
    """The inverse of ``fftshift``."""
    return _rolled(x, axes, back=True)
