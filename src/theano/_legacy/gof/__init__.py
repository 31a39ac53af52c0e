"""``theano.gof``: the graph, and what rewrites it, under their old names."""

from theano.compile.mode import predefined_optimizers
from theano.core.errors import InconsistencyError, MethodNotDefined, MissingInputError
from theano.graph.enum_types import CDataType, CEnumType, EnumList, EnumType
from theano.graph.fgraph import FunctionGraph
from theano.graph.generic import Generic, SingletonType, generic
from theano.graph.nodes import Apply, Constant, Op, Type, Variable
from theano.graph.params import Params, ParamsType
from theano.graph.shared import Container

from . import (
    callcache,
    cc,
    cmodule,
    compilelock,
    destroyhandler,
    fg,
    graph,
    link,
    op,
    opt,
    optdb,
    params_type,
    toolbox,
    type,
    utils,
    vm,
)
from .cc import CLinker, DualLinker, OpWiseCLinker
from .destroyhandler import DestroyHandler
from .fg import CachedConstantError
from .graph import (
    ancestors,
    clone,
    general_toposort,
    inputs,
    io_toposort,
    is_same_graph,
    nodes_constructed,
    orphans,
    stack_search,
    variables,
    view_roots,
)
from .link import Linker, LocalLinker, PerformLinker, WrapLinker, WrapLinkerMany
from .op import CLinkerObject, CLinkerOp, COp, OpenMPOp, ops_with_inner_function
from .opt import (
    CheckStackTraceOptimization,
    EquilibriumOptimizer,
    FromFunctionLocalOptimizer,
    FromFunctionOptimizer,
    LocalMetaOptimizer,
    LocalOptGroup,
    LocalOptimizer,
    MergeOptimizer,
    NavigatorOptimizer,
    OpKeyOptimizer,
    OpRemove,
    OpSub,
    Optimizer,
    PatternSub,
    SeqOptimizer,
    TopoOptimizer,
    in2out,
    inplace_optimizer,
    local_optimizer,
    optimizer,
    out2in,
    pre_greedy_local_optimizer,
)
from .optdb import DB, EquilibriumDB, LocalGroupDB, ProxyDB, Query, SequenceDB, TopoDB
from .toolbox import (
    Bookkeeper,
    Feature,
    History,
    NodeFinder,
    NoOutputFromInplace,
    PreserveNames,
    PreserveVariableAttributes,
    PrintListener,
    ReplacementDidntRemovedError,
    ReplaceValidate,
    Validator,
)
from .type import CLinkerType
from .utils import MetaObject, hash_from_ndarray, object2
from .vm import VM_Linker

PureOp = Op
PureType = Type

__all__ = [
    "DB", "Apply", "Bookkeeper", "CDataType", "CEnumType", "CLinker", "CLinkerObject",
    "CLinkerOp", "CLinkerType", "COp", "CachedConstantError", "CheckStackTraceOptimization",
    "Constant", "Container", "DestroyHandler", "DualLinker", "EnumList", "EnumType",
    "EquilibriumDB", "EquilibriumOptimizer", "Feature", "FromFunctionLocalOptimizer",
    "FromFunctionOptimizer", "FunctionGraph", "Generic", "History", "InconsistencyError",
    "Linker", "LocalGroupDB", "LocalLinker", "LocalMetaOptimizer", "LocalOptGroup",
    "LocalOptimizer", "MergeOptimizer", "MetaObject", "MethodNotDefined", "MissingInputError",
    "NavigatorOptimizer", "NoOutputFromInplace", "NodeFinder", "Op", "OpKeyOptimizer",
    "OpRemove", "OpSub", "OpWiseCLinker", "OpenMPOp", "Optimizer", "Params", "ParamsType",
    "PatternSub", "PerformLinker", "PreserveNames", "PreserveVariableAttributes",
    "PrintListener", "ProxyDB", "PureOp", "PureType", "Query", "ReplaceValidate",
    "ReplacementDidntRemovedError", "SeqOptimizer", "SequenceDB", "SingletonType", "TopoDB",
    "TopoOptimizer", "Type", "VM_Linker", "Validator", "Variable", "WrapLinker",
    "WrapLinkerMany", "ancestors", "callcache", "cc", "clone", "cmodule", "compilelock",
    "destroyhandler", "fg", "general_toposort", "generic", "graph", "hash_from_ndarray",
    "in2out", "inplace_optimizer", "inputs", "io_toposort", "is_same_graph", "link",
    "local_optimizer", "nodes_constructed", "object2", "op", "ops_with_inner_function", "opt",
    "optdb", "optimizer", "orphans", "out2in", "params_type", "pre_greedy_local_optimizer",
    "predefined_optimizers", "stack_search", "toolbox", "type", "utils", "variables",
    "view_roots", "vm",
]  # fmt: skip
