"""TensorType under its old address."""

from theano.graph.tensor_type import TensorType

__all__ = ["TensorType"]
