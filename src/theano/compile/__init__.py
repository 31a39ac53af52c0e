"""From graphs to callables: functions, shared variables, modes, and modes that watch a run."""

from __future__ import annotations

import importlib
from typing import Any, Final

from theano.compile.callable import Function
from theano.compile.eval import evaluate
from theano.compile.function import function
from theano.compile.io import In, Out, Param, SymbolicInput, SymbolicOutput
from theano.compile.maker import FunctionMaker
from theano.compile.mode import (
    FAST_COMPILE,
    FAST_RUN,
    Mode,
    get_default_mode,
    get_mode,
    predefined_linkers,
    predefined_modes,
    predefined_optimizers,
    register_linker,
    register_mode,
    register_optimizer,
)
from theano.compile.ops import (
    DeepCopyOp,
    FromFunctionOp,
    Rebroadcast,
    Shape,
    Shape_i,
    SpecifyShape,
    ViewOp,
    as_op,
    deep_copy_op,
    register_deep_copy_op_c_code,
    register_rebroadcast_c_code,
    register_shape_c_code,
    register_shape_i_c_code,
    register_specify_shape_c_code,
    register_view_op_c_code,
    shape,
    shape_i,
    specify_shape,
    view_op,
)
from theano.compile.pfunc import clone, iter_over_pairs, rebuild_collect_shared
from theano.compile.pickling import function_dump
from theano.compile.profile import ProfileStats, ScanProfileStats, print_global_stats
from theano.compile.shared import shared, shared_constructor
from theano.core.errors import AliasedMemoryError, UnusedInputError
from theano.graph.shared import Container, SharedVariable

__all__ = [
    "FAST_COMPILE", "FAST_RUN", "AliasedMemoryError", "Container", "DeepCopyOp",
    "FromFunctionOp", "Function", "FunctionMaker", "In", "Mode", "Out", "Param", "ProfileStats",
    "Rebroadcast", "ScanProfileStats", "Shape", "Shape_i", "SharedVariable", "SpecifyShape",
    "SymbolicInput", "SymbolicOutput", "UnusedInputError", "ViewOp", "as_op", "clone",
    "deep_copy_op", "evaluate", "function", "function_dump", "get_default_mode", "get_mode",
    "iter_over_pairs", "predefined_linkers", "predefined_modes", "predefined_optimizers",
    "print_global_stats", "rebuild_collect_shared", "register_deep_copy_op_c_code",
    "register_linker", "register_mode", "register_optimizer", "register_rebroadcast_c_code",
    "register_shape_c_code", "register_shape_i_c_code", "register_specify_shape_c_code",
    "register_view_op_c_code", "shape", "shape_i", "shared", "shared_constructor",
    "specify_shape", "view_op",
]  # fmt: skip

_LAZY: Final = {
    "DebugMode": "theano.compile.debugmode",
    "MonitorMode": "theano.compile.monitormode",
    "NanGuardMode": "theano.compile.nanguardmode",
    "ProfileMode": "theano.compile.profilemode",
    "Supervisor": "theano.compile.function_module",
    "convert_function_input": "theano.compile.function_module",
    "optdb": "theano.compile.mode",
    "OpFromGraph": "theano.ops.from_graph",
    "orig_function": "theano.compile.function_module",
    "register_checker": "theano.compile.function_module",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if f"theano.compile.{name}" in _LAZY.values():
        return importlib.import_module(f"theano.compile.{name}")
    raise AttributeError(f"module 'theano.compile' has no attribute {name!r}")
