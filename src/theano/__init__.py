"""Theano: symbolic arrays, their derivatives, and fast compiled functions of them.

>>> import theano
>>> import theano.tensor as T
>>> x = T.dscalar("x")
>>> f = theano.function([x], theano.grad(x**3, x))
>>> float(f(2.0))
12.0

The names below are loaded when the first of them is asked for, all at once: importing Theano costs
little more than importing NumPy.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from theano.core.config import change_flags, config

if TYPE_CHECKING:
    from theano import gradient, printing, tensor, updates
    from theano.autodiff.forward import Rop
    from theano.autodiff.reverse import Lop, grad, subgraph_grad
    from theano.batching.face import vectorize
    from theano.compile.explain import explain
    from theano.compile.function import function
    from theano.compile.io import In, Out, Param, SymbolicInput, SymbolicOutput
    from theano.compile.jit import jit, value_and_grad
    from theano.compile.maker import FunctionMaker
    from theano.compile.mode import (
        Mode,
        predefined_linkers,
        predefined_modes,
        predefined_optimizers,
    )
    from theano.compile.ops import as_op
    from theano.compile.pfunc import clone
    from theano.compile.pickling import function_dump
    from theano.compile.profile import ProfileStats
    from theano.compile.shared import shared
    from theano.core.errors import InconsistencyError
    from theano.graph.fgraph import FunctionGraph
    from theano.graph.generic import Generic, generic
    from theano.graph.nodes import Apply, Constant, Op, Type, Variable
    from theano.graph.shared import Container
    from theano.ops.from_graph import OpFromGraph
    from theano.printing import pp, pprint
    from theano.scan_module.building import scan
    from theano.scan_module.checkpoints import scan_checkpoints
    from theano.scan_module.scan_views import foldl, foldr, map, reduce
    from theano.tensor.basic import get_scalar_constant_value
    from theano.tensor.linear import dot
    from theano.updates import OrderedUpdates

__version__: Final = "2.0.0.dev0"
__api_version__: Final = 1

# Old import paths, kept apart: nothing of ours imports them.
__path__.append(os.path.join(os.path.dirname(__file__), "_legacy"))

_HOMES: Final = {
    "theano.autodiff.forward": ("Rop",),
    "theano.autodiff.reverse": ("Lop", "grad", "subgraph_grad"),
    "theano.batching.face": ("vectorize",),
    "theano.compile.explain": ("explain",),
    "theano.compile.function": ("function",),
    "theano.compile.io": ("In", "Out", "Param", "SymbolicInput", "SymbolicOutput"),
    "theano.compile.jit": ("jit", "value_and_grad"),
    "theano.compile.maker": ("FunctionMaker",),
    "theano.compile.mode": (
        "Mode", "predefined_linkers", "predefined_modes", "predefined_optimizers",
    ),
    "theano.compile.ops": ("as_op",),
    "theano.compile.pfunc": ("clone",),
    "theano.compile.pickling": ("function_dump",),
    "theano.compile.profile": ("ProfileStats",),
    "theano.compile.shared": ("shared",),
    "theano.core.errors": ("InconsistencyError",),
    "theano.gof": (
        "CLinker", "DualLinker", "Linker", "LocalLinker", "OpWiseCLinker", "OpenMPOp",
        "PerformLinker", "PureOp", "PureType", "object2", "opt", "toolbox", "utils",
    ),
    "theano.graph.fgraph": ("FunctionGraph",),
    "theano.graph.generic": ("Generic", "generic"),
    "theano.graph.nodes": ("Apply", "Constant", "Op", "Type", "Variable"),
    "theano.graph.shared": ("Container",),
    "theano.misc.safe_asarray": ("_asarray",),
    "theano.ops.from_graph": ("OpFromGraph",),
    "theano.printing": ("pp", "pprint"),
    "theano.scan_module.building": ("scan",),
    "theano.scan_module.checkpoints": ("scan_checkpoints",),
    "theano.scan_module.scan_views": ("foldl", "foldr", "map", "reduce"),
    "theano.sparse.check": ("sparse_grad",),
    "theano.tensor.basic": ("get_scalar_constant_value",),
    "theano.tensor.linear": ("dot",),
    "theano.tests.main": (
        "disable_log_handler", "logging_default_handler", "test", "theano_logger",
    ),
    "theano.updates": ("OrderedUpdates",),
}  # fmt: skip
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}
_MODULES: Final = (
    "compat", "compile", "configdefaults", "configparser", "d3viz", "gof", "gradient", "ifelse",
    "misc", "printing", "raise_op", "sandbox", "scalar", "scan_module", "sparse", "tensor",
    "typed_list", "updates", "version",
)  # fmt: skip

__all__ = [
    "Apply", "Constant", "Container", "FunctionGraph", "FunctionMaker", "Generic", "In",
    "InconsistencyError", "Lop", "Mode", "Op", "OpFromGraph", "OrderedUpdates", "Out", "Param",
    "ProfileStats", "Rop", "SymbolicInput", "SymbolicOutput", "Type", "Variable", "as_op",
    "change_flags", "clone", "config", "dot", "explain", "foldl", "foldr", "function",
    "function_dump", "generic", "get_scalar_constant_value", "grad", "gradient", "jit", "map",
    "pp", "pprint", "predefined_linkers", "predefined_modes", "predefined_optimizers", "printing",
    "reduce", "scan", "scan_checkpoints", "shared", "sparse_grad", "subgraph_grad", "tensor",
    "updates", "value_and_grad", "vectorize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        # All operators of all variables work as soon as any variable can be made.
        importlib.import_module("theano.tensor")
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"theano.{name}")
    else:
        raise AttributeError(f"module 'theano' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _start_devices() -> None:
    """Say which devices the configuration maps names to, and which ones are not there.

    Where ``device`` is not there, the CPU is used instead.
    """
    from theano.core.devices import (
        DeviceSpec,
        announce_missing,
        parse_contexts,
        parse_device,
    )
    from theano.runtime.probe import look_up

    asked: list[tuple[str | None, DeviceSpec]] = [
        (None, parse_device(config.init_gpu_device or config.device))
    ]
    asked += parse_contexts(config.contexts).items()
    for name, spec in asked:
        device, reason = look_up(spec)
        if device is None:
            announce_missing(str(spec), config.force_device, reason, config.gpu.fallback)
            if name is None and not config.init_gpu_device:
                config.override("device", "cpu")
        elif device.flag != "cpu":
            sys.stderr.write(f"Mapped name {name} to device {spec}: {device.name}\n")


if config.device != "cpu" or config.init_gpu_device or config.contexts:
    _start_devices()

# `from theano import theano` is how some introductions begin.
theano = sys.modules[__name__]
