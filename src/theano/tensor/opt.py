"""Ops that scripts take from the old module of rewrites, and what registers rewrites of users.

Rewrites themselves are no objects of this module: they are rules, found by name in
``theano.rewrite`` and left out by name (``mode.excluding("local_…")``).
"""

from __future__ import annotations

import importlib
from typing import Any, Final

from theano.ops.assertion import Assert, assert_, assert_op
from theano.ops.extents import MakeVector, Shape_i

__all__ = ["Assert", "MakeVector", "Shape_i", "assert_", "assert_op"]

#: loaded when asked for: most programs register nothing
_HOMES: Final = {
    "theano.graph.features": ("Feature",),
    "theano.rewrite.databases": (
        "DB", "EquilibriumDB", "LocalGroupDB", "ProxyDB", "Query", "SequenceDB", "TopoDB", "optdb",
        "register_canonicalize", "register_specialize", "register_specialize_device",
        "register_stabilize", "register_uncanonicalize", "register_useless",
    ),
    "theano.rewrite.global_rewriters": (
        "CheckStackTraceOptimization", "EquilibriumOptimizer", "MergeOptimizer",
        "NavigatorOptimizer", "OpKeyOptimizer", "Optimizer", "SeqOptimizer", "TopoOptimizer",
        "copy_stack_trace", "in2out", "inherit_stack_trace", "inplace_optimizer", "optimizer",
        "out2in",
    ),
    "theano.rewrite.local_rewriters": (
        "LocalOptGroup", "LocalOptimizer", "OpRemove", "OpSub", "PatternSub", "local_optimizer",
        "pre_greedy_local_optimizer",
    ),
    "theano.rewrite.shape_feature": ("ShapeFeature",),
}  # fmt: skip
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    advice = ""
    if name.startswith("local_"):
        advice = (
            ": Theano's own rewrites are rules here, not objects. One of that name, if there is "
            f"one, is left out by `mode.excluding({name!r})`; rewrites of yours are made with "
            "`local_optimizer` and entered with `register_specialize` and its like"
        )
    raise AttributeError(f"module 'theano.tensor.opt' has no attribute {name!r}{advice}")
