"""``theano.gof.params_type``."""

from theano.graph.params import Params, ParamsType

__all__ = ["Params", "ParamsType"]
