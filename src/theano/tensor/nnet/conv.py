"""The oldest convolutions; ``theano.tensor.nnet.conv2d`` can do more."""

from theano.ops.conv_corr import ConvOp
from theano.ops.conv_corr import old_conv2d as conv2d

__all__ = ["ConvOp", "conv2d"]
