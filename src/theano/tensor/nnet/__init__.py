"""Functions of neural networks."""

from theano.tensor.nnet import nnet, sigm
