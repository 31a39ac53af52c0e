"""``theano.sandbox.fourier``."""

from theano.tensor.fourier import Fourier, fft

__all__ = ["Fourier", "fft"]
