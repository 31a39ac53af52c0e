"""``theano.gof.op``."""

from theano.compile.builders import ops_with_inner_function
from theano.core.config import config
from theano.core.errors import MethodNotDefined
from theano.graph.nodes import Op
from theano.graph.params import Params, ParamsType
from theano.graph.testvalue import get_debug_values, get_test_value, missing_test_message

PureOp = Op


class CLinkerObject:
    """What ops and types of old offer C code through: it is never asked for."""


class CLinkerOp(CLinkerObject):
    """Base class of old ops; only their ``perform`` runs."""


class OpenMPOp(Op):
    """An op of old with C code in threads; only its ``perform`` runs."""

    def __init__(self, openmp=None):
        self.openmp = config.openmp if openmp is None else openmp


class COp(Op):
    """An op of old whose code is in files of C: it runs only if a subclass has a ``perform``."""

    def __init__(self, func_files, func_name=None):
        self.func_files = [func_files] if isinstance(func_files, str) else list(func_files)
        self.func_name = func_name

    def perform(self, node, inputs, output_storage, params=None):
        raise NotImplementedError(
            f"{type(self).__name__} has C code only ({', '.join(self.func_files)}), and no C "
            "compiler is used: write a `perform` in Python."
        )


class ProtocolError(Exception):
    """Raised for ops that do not keep to what an op must do."""


__all__ = [
    "CLinkerObject", "CLinkerOp", "COp", "MethodNotDefined", "Op", "OpenMPOp", "Params",
    "ParamsType", "ProtocolError", "PureOp", "get_debug_values", "get_test_value",
    "missing_test_message", "ops_with_inner_function",
]  # fmt: skip
