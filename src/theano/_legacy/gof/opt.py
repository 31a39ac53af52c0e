"""``theano.gof.opt``: rewrites as objects."""

from theano.graph.features import ChangeTracker
from theano.rewrite.global_rewriters import (
    CheckStackTraceOptimization,
    EquilibriumOptimizer,
    FromFunctionOptimizer,
    MergeOptimizer,
    NavigatorOptimizer,
    OpKeyOptimizer,
    Optimizer,
    SeqOptimizer,
    TopoOptimizer,
    check_stack_trace,
    copy_stack_trace,
    in2out,
    inherit_stack_trace,
    inplace_optimizer,
    optimizer,
    out2in,
)
from theano.rewrite.local_rewriters import (
    FromFunctionLocalOptimizer,
    LocalMetaOptimizer,
    LocalOptGroup,
    LocalOptimizer,
    OpRemove,
    OpSub,
    PatternSub,
    local_optimizer,
    pre_greedy_local_optimizer,
)

from .graph import is_same_graph

merge_optimizer = MergeOptimizer()
is_same_graph_with_merge = is_same_graph

__all__ = [
    "ChangeTracker", "CheckStackTraceOptimization", "EquilibriumOptimizer",
    "FromFunctionLocalOptimizer", "FromFunctionOptimizer", "LocalMetaOptimizer", "LocalOptGroup",
    "LocalOptimizer", "MergeOptimizer", "NavigatorOptimizer", "OpKeyOptimizer", "OpRemove",
    "OpSub", "Optimizer", "PatternSub", "SeqOptimizer", "TopoOptimizer", "check_stack_trace",
    "copy_stack_trace", "in2out", "inherit_stack_trace", "inplace_optimizer",
    "is_same_graph_with_merge", "local_optimizer", "merge_optimizer", "optimizer", "out2in",
    "pre_greedy_local_optimizer",
]  # fmt: skip
