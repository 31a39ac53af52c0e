"""Signals: pooling and convolution."""

import os

from theano.tensor.signal import conv, pool

__path__.append(os.path.join(os.path.dirname(__file__), "..", "..", "_legacy", "tensor", "signal"))

__all__ = ["conv", "pool"]
