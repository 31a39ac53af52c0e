"""Sparse matrices: symbolic csr and csc matrices, whose values are SciPy's.

>>> import numpy as np, scipy.sparse as sp, theano, theano.sparse
>>> x = theano.sparse.csr_matrix("x")
>>> f = theano.function([x], theano.sparse.dot(x, np.ones((3, 1))))
>>> f(sp.eye(3, format="csr")).ravel().tolist()
[1.0, 1.0, 1.0]

``*`` is elementwise, unlike that of SciPy's matrices; ``x.dot(y)`` and ``x @ y`` multiply.
"""

from typing import Any

from theano.sparse import basic, opt, sharedvar, type
from theano.sparse.basic import *  # noqa: F403
from theano.sparse.sharedvar import SparseTensorSharedVariable, sparse_constructor
from theano.sparse.type import SparseType, _is_sparse

enable_sparse: bool = True
shared = sparse_constructor

__all__ = [
    "SparseTensorSharedVariable",
    "SparseType",
    "_is_sparse",
    "basic",
    "enable_sparse",
    "opt",
    "shared",
    "sharedvar",
    "sparse_constructor",
    "type",
]
__all__ += basic.__all__


def __getattr__(name: str) -> Any:
    if name == "sandbox":
        import importlib

        return importlib.import_module("theano.sparse.sandbox")
    raise AttributeError(f"module 'theano.sparse' has no attribute {name!r}")
