"""The classes of shared variables, under their old address."""

from theano.compile.shared import scalar_constructor, shared, tensor_constructor
from theano.graph.shared import (
    Container,
    ScalarSharedVariable,
    SharedVariable,
    TensorSharedVariable,
)

__all__ = [
    "Container",
    "ScalarSharedVariable",
    "SharedVariable",
    "TensorSharedVariable",
    "scalar_constructor",
    "shared",
    "tensor_constructor",
]
