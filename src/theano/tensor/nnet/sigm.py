"""Sigmoids and softplus."""

from theano.ops.elementwise import hard_sigmoid, sigmoid, softplus, ultra_fast_sigmoid

# The graph is functional: what is computed in place is decided when it is compiled.
sigmoid_inplace = sigmoid
ultra_fast_sigmoid_inplace = ultra_fast_sigmoid
softplus_inplace = softplus
scalar_sigmoid = sigmoid
scalar_softplus = softplus

__all__ = [
    "hard_sigmoid",
    "scalar_sigmoid",
    "scalar_softplus",
    "sigmoid",
    "sigmoid_inplace",
    "softplus",
    "softplus_inplace",
    "ultra_fast_sigmoid",
    "ultra_fast_sigmoid_inplace",
]
