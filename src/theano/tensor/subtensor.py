"""Indexing: reading and writing parts of arrays."""

from theano.ops.index import Subtensor
from theano.ops.index_advanced import (
    AdvancedIncSubtensor,
    AdvancedIncSubtensor1,
    AdvancedSubtensor,
    AdvancedSubtensor1,
    advanced_inc_subtensor1,
    advanced_set_subtensor1,
    advanced_subtensor,
    advanced_subtensor1,
    take,
)
from theano.ops.index_nonzero import flatnonzero, nonzero, nonzero_values
from theano.ops.index_set import IncSubtensor, inc_subtensor, set_subtensor

# Masks become integer arrays when they are used as an index, so these are the ops for them, too.
AdvancedBooleanSubtensor = AdvancedSubtensor
AdvancedBooleanIncSubtensor = AdvancedIncSubtensor

__all__ = [
    "AdvancedBooleanIncSubtensor",
    "AdvancedBooleanSubtensor",
    "AdvancedIncSubtensor",
    "AdvancedIncSubtensor1",
    "AdvancedSubtensor",
    "AdvancedSubtensor1",
    "IncSubtensor",
    "Subtensor",
    "advanced_inc_subtensor1",
    "advanced_set_subtensor1",
    "advanced_subtensor",
    "advanced_subtensor1",
    "flatnonzero",
    "inc_subtensor",
    "nonzero",
    "nonzero_values",
    "set_subtensor",
    "take",
]
