"""``theano.gof.op``."""

from theano.core.errors import MethodNotDefined
from theano.graph.nodes import Op
from theano.graph.testvalue import get_debug_values, get_test_value, missing_test_message

PureOp = Op

__all__ = [
    "MethodNotDefined", "Op", "PureOp", "get_debug_values", "get_test_value",
    "missing_test_message",
]  # fmt: skip
