"""``theano.gof.fg``."""

from theano.core.errors import InconsistencyError, MissingInputError
from theano.graph.fgraph import FunctionGraph


class CachedConstantError(Exception):
    """Raised by Theano for a cached constant in a graph; constants may be shared here."""


__all__ = ["CachedConstantError", "FunctionGraph", "InconsistencyError", "MissingInputError"]
