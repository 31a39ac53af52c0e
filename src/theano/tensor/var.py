"""The classes of tensor variables, under their old address."""

from theano.graph.operators import TensorOperators
from theano.graph.operators import TensorOperators as _tensor_py_operators
from theano.graph.tensor_type import TensorConstant, TensorVariable

__all__ = ["TensorConstant", "TensorOperators", "TensorVariable", "_tensor_py_operators"]
