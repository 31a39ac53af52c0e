"""``theano.configdefaults``: the flags themselves."""

from theano.core.config import AddConfigVar, config

__all__ = ["AddConfigVar", "config"]
