"""NanGuardMode: every result of every node is checked for nan, infinities and huge values."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from theano.compile.errors import created_at
from theano.compile.mode import Mode
from theano.core.config import config
from theano.graph.nodes import Apply, Variable

BIG = 1e10


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
    """Runs op by op and raises AssertionError at the first node that gives or is given nan, inf, or
    a magnitude above 1e10.

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

    def watchers(self, maker: Any) -> tuple[Any, Any]:
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
            import warnings

            warnings.warn(text, stacklevel=2)
        elif action == "pdb":
            import pdb

            sys.stdout.write(text + "\n")
            pdb.set_trace()
        else:
            raise AssertionError(text)
