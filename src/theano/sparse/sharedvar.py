"""Shared sparse matrices, under their old address."""

from theano.compile.shared_sparse import sparse_constructor
from theano.graph.sparse_type import SparseSharedVariable

SparseTensorSharedVariable = SparseSharedVariable

__all__ = ["SparseSharedVariable", "SparseTensorSharedVariable", "sparse_constructor"]
