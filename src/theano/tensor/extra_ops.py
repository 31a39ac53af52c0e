"""Array functions that NumPy has too, under their old address."""

from theano.ops.shape import repeat, squeeze

__all__ = ["repeat", "squeeze"]
