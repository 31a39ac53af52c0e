"""An old address of ``RandomStreams``."""

from theano.tensor.shared_randomstreams import RandomStreams

__all__ = ["RandomStreams"]
