"""``theano.sandbox.softsign``."""

from theano.tensor.nnet import softsign

__all__ = ["softsign"]
