"""The classes behind elementwise functions and reductions, under their old address."""

from theano.ops.dimshuffle import DimShuffle
from theano.ops.elemwise import Elemwise
from theano.ops.reduce_ops import All, CAReduce, Prod, ProdWithoutZeros, Sum
from theano.ops.reduce_ops import Any_ as Any

__all__ = ["All", "Any", "CAReduce", "DimShuffle", "Elemwise", "Prod", "ProdWithoutZeros", "Sum"]
