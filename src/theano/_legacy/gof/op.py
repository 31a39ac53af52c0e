"""``theano.gof.op``."""

from theano.core.errors import MethodNotDefined
from theano.graph.nodes import Op
from theano.graph.testvalue import get_test_value

PureOp = Op

__all__ = ["MethodNotDefined", "Op", "PureOp", "get_test_value"]
