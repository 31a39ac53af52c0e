"""DebugMode: each call is computed as written, as rewritten and as compiled, and compared."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.compile.mode import Mode
from theano.compile.reference import Reference, Thunk
from theano.core.config import config
from theano.graph.nodes import Apply, Variable


class DebugModeError(Exception):
    """DebugMode found that something does not mean what it should."""


class BadThunkOutput(DebugModeError):
    """Compiled code and the NumPy reference disagree."""


class BadOptimization(DebugModeError):
    """The rewritten graph computes something else than the graph that the user wrote."""


class BadDestroyMap(DebugModeError):
    """An op changed an input without declaring it in ``destroy_map``."""


class BadViewMap(DebugModeError):
    """An op's output shares memory with an input without declaring it in ``view_map``."""


class StochasticOrder(DebugModeError):
    """Compiling the same graph twice gave different results."""


class InvalidValueError(DebugModeError):
    """An op's output is not a valid value of its type, or is not finite where asked."""


class DebugMode(Mode):
    """Slow and suspicious; raises a DebugModeError that names the node or output.

    Parameters
    ----------
    optimizer, linker : as for Mode.
    check_c_code : compare compiled code with the reference (``config.DebugMode.check_c``).
    check_py_code : check each op's ``perform`` (``config.DebugMode.check_py``).
    check_isfinite : refuse nan and infinities (``config.DebugMode.check_finite``).
    others : accepted for old scripts.
    """

    direct = False

    def __init__(
        self,
        optimizer: Any = "default",
        stability_patience: int | None = None,
        check_c_code: bool | None = None,
        check_py_code: bool | None = None,
        check_isfinite: bool | None = None,
        check_preallocated_output: Any = None,
        require_matching_strides: Any = None,
        linker: Any = None,
    ) -> None:
        flags = config.DebugMode
        self.check_c_code = flags.check_c if check_c_code is None else check_c_code
        self.check_py_code = flags.check_py if check_py_code is None else check_py_code
        self.check_isfinite = flags.check_finite if check_isfinite is None else check_isfinite
        super().__init__(linker, optimizer)

    def after_make(self, function: Any) -> None:
        """Put the comparison around each run."""
        Debugged(self, function)


class Debugged:
    """The runner of a function under DebugMode."""

    def __init__(self, mode: DebugMode, function: Any) -> None:
        self.mode = mode
        self.function = function
        self.run = function._run
        maker = function.maker
        inputs = maker.variables + maker.cells
        watch = Watch(mode)
        before, after = (watch.before, watch.after) if mode.check_py_code else (None, None)
        written = maker.results + [value for _, value in maker.updates]
        self.written = Reference(inputs, written, True, before, after)
        self.rewritten = Reference(inputs, maker.fgraph.outputs)
        function._run = self

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        function = self.function
        cells = function._cells
        given = [*values, *(cell[0] for cell in cells)]
        targets = self.written.outputs
        expected = self.written(copy.deepcopy(given))
        got = self.rewritten(copy.deepcopy(given))
        for variable, a, b in zip(targets, expected, got, strict=True):
            _compare(variable, a, b, BadOptimization, "after rewriting")
        results: list[Any] = self.run(values)
        if self.mode.check_c_code:
            stored = [cells[i][0] for i in function.maker.update_cells]
            for variable, a, b in zip(targets, expected, [*results, *stored], strict=True):
                _compare(variable, a, b, BadThunkOutput, "from compiled code")
        return results


def _compare(variable: Variable, a: Any, b: Any, kind: type[DebugModeError], where: str) -> None:
    if a is b or variable.type.values_eq_approx(a, b):
        return
    text = f"{variable} ({variable.type}) differs {where}.\n"
    text += f"as written: shape {np.shape(a)}, {a}\n{where}: shape {np.shape(b)}, {b}"
    if (
        isinstance(a, np.ndarray)
        and np.shape(a) == np.shape(b)
        and a.size
        and a.dtype.kind in "fiu"
    ):
        difference = np.abs(np.subtract(a, b, dtype="float64"))
        text += f"\nlargest difference: {np.nanmax(difference)}"
    raise kind(text)


class Watch:
    """Callbacks that check what a node does to its inputs, and what it puts out."""

    def __init__(self, mode: DebugMode) -> None:
        self.mode = mode
        self._kept: list[Any] = []

    def before(self, index: int, node: Apply, thunk: Thunk) -> None:
        """Keep copies of the inputs."""
        self._kept = [copy.deepcopy(cell[0]) for cell in thunk.inputs]

    def after(self, index: int, node: Apply, thunk: Thunk) -> None:
        """Compare the inputs with the copies; check the outputs."""
        destroyed = {i for found in node.op.destroy_map.values() for i in found}
        for i, (cell, kept) in enumerate(zip(thunk.inputs, self._kept, strict=True)):
            changed = isinstance(kept, np.ndarray) and not np.array_equal(
                cell[0], kept, equal_nan=kept.dtype.kind in "fc"
            )
            if changed and i not in destroyed:
                raise BadDestroyMap(f"{node.op} changed its input {i} in {node}")
        for variable, cell in zip(node.outputs, thunk.outputs, strict=True):
            self._check_output(node, variable, cell[0])

    def _check_output(self, node: Apply, variable: Variable, value: Any) -> None:
        if not variable.type.is_valid_value(value):
            raise InvalidValueError(
                f"{node} gave {value!r}, which is not a valid value of {variable.type}"
            )
        floats = isinstance(value, np.ndarray) and value.dtype.kind in "fc"
        if self.mode.check_isfinite and floats and not np.isfinite(value).all():
            raise InvalidValueError(f"{node} gave a value that is not finite: {value}")
