"""Shared variables, under their old address."""

from theano.compile.shared import shared, shared_constructor
from theano.graph.shared import SharedVariable

__all__ = ["SharedVariable", "shared", "shared_constructor"]
