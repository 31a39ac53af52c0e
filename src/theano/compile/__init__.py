"""From graphs to callables: functions, shared variables, modes, and modes that watch a run."""

from theano.compile.eval import evaluate
from theano.compile.function import function
from theano.compile.io import In, Out, Param, SymbolicInput, SymbolicOutput
from theano.compile.mode import Mode, get_default_mode, get_mode
from theano.compile.shared import shared

__all__ = [
    "In", "Mode", "Out", "Param", "SymbolicInput", "SymbolicOutput", "function",
    "evaluate", "get_default_mode", "get_mode", "shared",
]  # fmt: skip
