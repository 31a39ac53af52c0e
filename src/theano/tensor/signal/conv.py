"""Convolutions of images without channels."""

from theano.ops.conv_functions import signal_conv2d as conv2d

__all__ = ["conv2d"]
