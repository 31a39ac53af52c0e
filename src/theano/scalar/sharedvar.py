"""Shared numbers: ``theano.shared`` of a Python or NumPy number, under the old address."""

from theano.compile.shared import shared
from theano.graph.shared import ScalarSharedVariable, SharedVariable

__all__ = ["ScalarSharedVariable", "SharedVariable", "shared"]
