"""``theano.gof.fg``."""

from theano.core.errors import InconsistencyError, MissingInputError
from theano.graph.fgraph import FunctionGraph

__all__ = ["FunctionGraph", "InconsistencyError", "MissingInputError"]
