"""The type of sparse matrices, under its old address."""

from theano.graph.sparse_type import SparseType
from theano.graph.sparse_type import is_scipy as _is_sparse

__all__ = ["SparseType", "_is_sparse"]
