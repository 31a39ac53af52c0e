"""``theano.gof.type``."""

from theano.graph.generic import Generic, SingletonType, generic
from theano.graph.nodes import Type

PureType = Type

__all__ = ["Generic", "PureType", "SingletonType", "Type", "generic"]
