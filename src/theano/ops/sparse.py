"""All sparse ops: importing this lets sparse matrices into expressions and gradients."""

from __future__ import annotations

from theano.graph.registry import register
from theano.ops import (  # noqa: F401  (they enter their builders)
    sparse_compare,
    sparse_index,
    sparse_random,
    sparse_structured,
)
from theano.ops.sparse_base import take_over
from theano.ops.sparse_convert import cast, construct_sparse_from_list, transpose
from theano.ops.sparse_csm import sp_ones_like, sp_zeros_like, sparse_shape
from theano.ops.sparse_dot import structured_dot
from theano.ops.sparse_native import spread
from theano.ops.sparse_reduce import sp_sum

__all__ = ["construct_sparse_from_list"]

register("sparse:spread", spread)
# What differentiation and operators of dense arrays ask for by name.
take_over("zeros_like", sp_zeros_like, 1)
take_over("ones_like", sp_ones_like, 1)
take_over("cast", cast, 1)
take_over("shape", sparse_shape, 1)
take_over("transpose", transpose, 1)
take_over("sum", lambda x, axis=None, **_: sp_sum(x, axis), 1)
take_over("dot", structured_dot)
take_over("matmul", structured_dot)
