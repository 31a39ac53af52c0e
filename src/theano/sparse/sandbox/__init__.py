"""Old addresses of sparse functions."""

from theano.sparse.sandbox import sp, sp2

__all__ = ["sp", "sp2"]
