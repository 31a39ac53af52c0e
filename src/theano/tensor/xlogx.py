"""x log x and x log y, 0 where x is 0."""

from theano.ops.elementwise import xlogx, xlogy0

__all__ = ["xlogx", "xlogy0"]
