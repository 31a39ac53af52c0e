"""Ops that scripts take from the old module of rewrites."""

from theano.ops.assertion import Assert, assert_, assert_op
from theano.ops.extents import MakeVector, Shape_i

__all__ = ["Assert", "MakeVector", "Shape_i", "assert_", "assert_op"]
