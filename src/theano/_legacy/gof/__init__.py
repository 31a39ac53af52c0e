"""``theano.gof``: the graph, under its old name."""

from theano.compile.mode import predefined_optimizers
from theano.core.errors import InconsistencyError, MethodNotDefined, MissingInputError
from theano.graph.enum_types import CDataType, CEnumType, EnumList, EnumType
from theano.graph.fgraph import FunctionGraph
from theano.graph.generic import Generic, generic
from theano.graph.nodes import Apply, Constant, Op, Type, Variable
from theano.graph.shared import Container

from . import fg, graph, op, type, utils
from .graph import (
    ancestors,
    clone,
    inputs,
    io_toposort,
    is_same_graph,
    orphans,
    stack_search,
    variables,
)
from .utils import object2

PureOp = Op
PureType = Type

__all__ = [
    "Apply", "CDataType", "CEnumType", "Constant", "Container", "EnumList", "EnumType",
    "FunctionGraph", "Generic", "InconsistencyError",
    "MethodNotDefined", "MissingInputError", "Op", "PureOp", "PureType", "Type", "Variable",
    "ancestors", "clone", "fg", "generic", "graph", "inputs", "io_toposort", "is_same_graph",
    "object2", "op", "orphans", "predefined_optimizers", "stack_search", "type", "utils",
    "variables",
]  # fmt: skip
