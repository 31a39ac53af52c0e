"""NanGuardMode: every result of every node is checked for nan, infinities and huge values.

Graphs of arrays are checked natively: a second compiled function computes one flag for each result
on the way. Only where a flag is set (and for graphs with loops, branches or values that are no
arrays) the graph is run node by node, to tell where it happened.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.compile.errors import created_at
from theano.compile.io import In, Out
from theano.compile.mode import Mode
from theano.compile.reference import Reference
from theano.core import trace
from theano.core.config import config
from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType

BIG = 1e10
HALF = 65520.0  # what is rounded to infinity in float16


def _is_numeric_value(array: Any, variable: Variable | None = None) -> bool:
    """Whether ``array`` holds floats: integers and random states cannot be nan."""
    if not isinstance(array, (np.ndarray, np.number, float)):
        return False
    if not getattr(getattr(variable, "tag", None), "nan_guard_mode_check", True):
        return False
    return np.asarray(array).dtype.kind in "fc" and np.asarray(array).size > 0


def contains_nan(array: Any, node: Apply | None = None, var: Variable | None = None) -> bool:
    """Whether any element is nan.

    >>> contains_nan(np.array([1.0, np.nan]))
    True
    """
    return _is_numeric_value(array, var) and bool(np.isnan(array).any())


def contains_inf(array: Any, node: Apply | None = None, var: Variable | None = None) -> bool:
    """Whether any element is infinite."""
    return _is_numeric_value(array, var) and bool(np.isinf(array).any())


def contains_big(array: Any, var: Variable | None = None) -> bool:
    """Whether any finite element is larger than 1e10 in magnitude."""
    if not _is_numeric_value(array, var):
        return False
    magnitude = np.abs(
        np.asarray(array, dtype="complex128" if np.iscomplexobj(array) else "float64")
    )
    return bool((magnitude[np.isfinite(magnitude)] > BIG).any())


class NanGuardMode(Mode):
    """Raises AssertionError at the first node that gives or is given nan, inf, or a magnitude above
    1e10; nothing is stored then.

    Parameters: which of the three are errors (None: the flags ``config.NanGuardMode.*``), and
    ``optimizer`` and ``linker`` as for Mode. ``config.NanGuardMode.action`` may be warn or pdb.
    """

    def __init__(
        self,
        nan_is_error: bool | None = None,
        inf_is_error: bool | None = None,
        big_is_error: bool | None = None,
        optimizer: Any = "default",
        linker: Any = None,
    ) -> None:
        flags = config.NanGuardMode
        self.nan_is_error = flags.nan_is_error if nan_is_error is None else nan_is_error
        self.inf_is_error = flags.inf_is_error if inf_is_error is None else inf_is_error
        self.big_is_error = flags.big_is_error if big_is_error is None else big_is_error
        super().__init__(linker, optimizer)

    direct = False

    def watchers(self, maker: Any) -> tuple[Any, Any]:
        """The checks, where the graph must be run node by node; else none: ``Guarded`` checks."""
        return (None, None) if self.linker.native and _flat(maker) else self.checks()

    def after_make(self, function: Any) -> None:
        """Put the native check around each run."""
        if function.native is not None and _flat(function.maker):
            Guarded(self, function)

    def checks(self) -> tuple[Any, Any]:
        """Check the inputs of a node before it runs, and its outputs after."""

        def before(index: int, node: Apply, thunk: Any) -> None:
            for variable, cell in zip(node.inputs, thunk.inputs, strict=True):
                if variable.owner is None:
                    self.check(cell[0], variable, node, "input")

        def after(index: int, node: Apply, thunk: Any) -> None:
            for variable, cell in zip(node.outputs, thunk.outputs, strict=True):
                self.check(cell[0], variable, node, "output")

        return before, after

    def check(self, value: Any, variable: Variable, node: Apply, what: str) -> None:
        """Complain about ``value`` if it is not clean."""
        found = []
        if self.nan_is_error and contains_nan(value, node, variable):
            found.append("NaN detected")
        if self.inf_is_error and contains_inf(value, node, variable):
            found.append("Inf detected")
        if self.big_is_error and contains_big(value, variable):
            found.append("Big value detected")
        if found:
            self._report(
                f"{', '.join(found)} in {what} {variable} ({variable.type}) of shape "
                f"{np.shape(value)}.\nNode: {node}{created_at(variable)}"
            )

    def _report(self, text: str) -> None:
        action = config.NanGuardMode.action
        if action == "warn":
            trace.warn(text)
        elif action == "pdb":
            import pdb

            sys.stdout.write(text + "\n")
            pdb.set_trace()
        else:
            raise AssertionError(text)


def _flat(maker: Any) -> bool:
    """Whether a graph has real arrays only, and no graphs inside."""
    for node in traverse.toposort(maker.fgraph.outputs):
        if hasattr(node.op, "inner_outputs") or hasattr(node.op, "n_outs"):
            return False
        if not all(_is_real(v) for v in (*node.inputs, *node.outputs)):
            return False
    return True


def _is_real(variable: Variable) -> bool:
    return isinstance(variable.type, TensorType) and "complex" not in variable.type.dtype


class Guarded:
    """The runner of a function under NanGuardMode: flags first, then the function itself."""

    def __init__(self, mode: NanGuardMode, function: Any) -> None:
        self.mode = mode
        self.function = function
        self.run = function._run
        maker = function.maker
        outputs = maker.fgraph.outputs
        before, after = mode.checks()
        self.reference = Reference(maker.variables + maker.cells, outputs, True, before, after)
        self.watched = [v for v in traverse.ancestors(outputs) if _is_checked(v)]
        flags = [flag for v in self.watched if (flag := self._flag(v)) is not None]
        if flags:
            self.flags = self._compiled(flags)
            function._run = self

    def _flag(self, variable: Variable) -> Variable | None:
        """Whether an element of ``variable`` is bad, as a 0-d variable."""
        mode = self.mode
        value = variable
        if variable.type.dtype == "float16":
            # Kernels compute in float32: what is stored as infinity need not be infinite yet.
            value = apply("cast", variable, "float32")
            top = apply("constant", np.asarray(HALF, "float32"))
            value = apply("switch", apply("ge", apply("abs_", value), top), np.inf, value)
            value = apply("cast", value, "float32")
        bad = [apply("isnan", value)] if mode.nan_is_error else []
        bad += [apply("isinf", value)] if mode.inf_is_error else []
        if mode.big_is_error:
            size = apply("abs_", value)
            huge = apply("gt", size, apply("constant", np.asarray(BIG, value.type.dtype)))
            bad.append(apply("and_", huge, apply("invert", apply("isinf", value))))
        if not bad:
            return None
        flag: Variable = apply("any", functools.reduce(lambda a, b: apply("or_", a, b), bad))
        return flag

    def _compiled(self, flags: Sequence[Variable]) -> Any:
        from theano.compile.maker import FunctionMaker

        maker = self.function.maker
        inputs = [In(v) for v in maker.variables]
        inputs += [
            In(v, value=v.container, borrow=True, implicit=True, shared=True) for v in maker.cells
        ]
        probe = FunctionMaker(
            inputs, [Out(flag) for flag in flags], mode=Mode(self.mode.linker, None),
            on_unused_input="ignore", name="NanGuardMode", profile=False,
        )  # fmt: skip
        return probe.create()

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        found = self.flags(*values)
        if any(found):
            self.reference([*values, *(cell[0] for cell in self.function._cells)])
            if config.NanGuardMode.action == "raise":
                names = [str(v) for v, bad in zip(self.watched, found, strict=True) if bad]
                self.mode._report(f"NaN, Inf or a big value detected natively in {names}")
        results: list[Any] = self.run(values)
        return results


def _is_checked(variable: Variable) -> bool:
    """Whether a variable has floats that mean something."""
    if variable.owner is not None and type(variable.owner.op).__name__ == "AllocEmpty":
        return False
    return variable.type.dtype.startswith("float") and getattr(
        variable.tag, "nan_guard_mode_check", True
    )
