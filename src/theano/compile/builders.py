"""OpFromGraph and what belongs to it, under the old address."""

from theano.ops.from_graph import OpFromGraph

__all__ = ["OpFromGraph"]
