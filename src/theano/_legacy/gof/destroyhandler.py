"""``theano.gof.destroyhandler``."""

from theano.graph.features import DestroyHandler

__all__ = ["DestroyHandler"]
