"""``Raise``: an op that raises when it is run."""

from theano.ops.misc import Raise

__all__ = ["Raise"]
