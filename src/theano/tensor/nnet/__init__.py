"""Functions of neural networks."""

from theano.tensor.nnet import nnet, sigm
from theano.tensor.nnet.nnet import *  # noqa: F403

__all__ = ["nnet", "sigm"]
__all__ += nnet.__all__
