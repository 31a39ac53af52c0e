"""The classes behind elementwise functions and reductions, under their old address."""

import typing

from theano.ops.dimshuffle import DimShuffle
from theano.ops.elementwise import mul_without_zeros
from theano.ops.elemwise import Elemwise
from theano.ops.reduce_ops import All, CAReduce, Prod, ProdWithoutZeros, Sum
from theano.ops.reduce_ops import Any_ as Any

# The reductions that take a dtype of the result and one of the accumulator: all of ours do.
CAReduceDtype = CAReduce

__all__ = [
    "All",
    "Any",
    "CAReduce",
    "CAReduceDtype",
    "DimShuffle",
    "Elemwise",
    "Prod",
    "ProdWithoutZeros",
    "Sum",
    "mul_without_zeros",
]


def __getattr__(name: str) -> typing.Any:
    if name == "MulWithoutZeros":  # a scalar op: their module is loaded when it is asked for
        from theano.ops.scalar_library import CLASSES

        return CLASSES[name]
    raise AttributeError(f"module 'theano.tensor.elemwise' has no attribute {name!r}")
