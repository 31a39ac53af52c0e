"""Lowering: graph to Program (groups, kernels, memory plan)."""

from theano.lower.function import Lowered, lower_function

__all__ = ["Lowered", "lower_function"]
