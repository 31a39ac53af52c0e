"""What DebugMode checks at each node, and the errors that it raises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from theano.compile.errors import created_at
from theano.compile.reference import Thunk
from theano.core import trace
from theano.core.config import config
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType


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
    """Rewriting the same graph twice gave different results."""


class InvalidValueError(DebugModeError):
    """An op's output is not a valid value of its type, or is not finite where asked."""


def compare(
    variable: Variable, a: Any, b: Any, kind: type[DebugModeError], where: str, strides: int = 0
) -> None:
    """Raise ``kind`` where the values differ; ``strides`` 1 warns and 2 raises where these do."""
    if a is not b and not variable.type.values_eq_approx(a, b):
        raise kind(_difference(variable, a, b, where))
    same = getattr(a, "strides", None) == getattr(b, "strides", None)
    if strides and not same:
        text = f"{variable} has the strides {a.strides}, but {b.strides} {where}."
        if strides > 1:
            raise kind(f"{text}{created_at(variable)}")
        trace.warn(text)


def _difference(variable: Variable, a: Any, b: Any, where: str) -> str:
    node = "" if variable.owner is None else f"\nNode: {variable.owner}"
    text = f"{variable} ({variable.type}) differs {where}.{node}\n"
    text += f"as written: shape {np.shape(a)}, {a}\n{where}: shape {np.shape(b)}, {b}"
    if (
        isinstance(a, np.ndarray)
        and np.shape(a) == np.shape(b)
        and a.size
        and a.dtype.kind in "fiu"
    ):
        difference = np.abs(np.subtract(a, b, dtype="float64"))
        text += f"\nlargest difference: {np.nanmax(difference)}"
    return text + created_at(variable)


class Watch:
    """Callbacks that check what a node does to its inputs, and what it puts out.

    ``mode``: a DebugMode. Nodes in graphs inside of ops are watched too.
    """

    def __init__(self, mode: Any) -> None:
        self.mode = mode
        self._kept: list[tuple[Thunk, list[Any]]] = []
        self._previous: dict[Variable, Any] = {}

    def before(self, index: int, node: Apply, thunk: Thunk) -> None:
        """Keep copies of the inputs."""
        self._kept.append((thunk, [copy.deepcopy(cell[0]) for cell in thunk.inputs]))

    def after(self, index: int, node: Apply, thunk: Thunk) -> None:
        """Compare the inputs with the copies; check the outputs."""
        owner, kept = self._kept.pop()
        while owner is not thunk:  # a node that raised
            owner, kept = self._kept.pop()
        destroyed = {i for found in node.op.destroy_map.values() for i in found}
        for i, (cell, old) in enumerate(zip(thunk.inputs, kept, strict=True)):
            changed = isinstance(old, np.ndarray) and not np.array_equal(
                cell[0], old, equal_nan=old.dtype.kind in "fc"
            )
            if changed and i not in destroyed:
                raise BadDestroyMap(
                    f"{node.op} changed its input {i} in {node}, which its destroy_map "
                    f"{dict(node.op.destroy_map)} does not say.{created_at(node.outputs[0])}"
                )
        for variable, cell in zip(node.outputs, thunk.outputs, strict=True):
            self._check_output(node, variable, cell[0])
        _check_views(node, thunk)
        if not destroyed:
            self._try_old_memory(node, kept, thunk)

    def _check_output(self, node: Apply, variable: Variable, value: Any) -> None:
        if not variable.type.is_valid_value(value):
            raise InvalidValueError(
                f"{node} gave {value!r}, which is not a valid value of {variable.type}"
                f"{created_at(variable)}"
            )
        floats = isinstance(value, np.ndarray) and value.dtype.kind in "fc"
        if self.mode.check_isfinite and floats and not np.isfinite(value).all():
            raise InvalidValueError(
                f"{node} gave a value that is not finite: {value}{created_at(variable)}"
            )

    def _try_old_memory(self, node: Apply, inputs: list[Any], thunk: Thunk) -> None:
        """Run ``perform`` with old memory in the output cells, which it may write to."""
        kinds = self.mode.check_preallocated_output
        arrays = all(isinstance(v.type, TensorType) for v in node.outputs)
        if not kinds or not arrays or node.op.view_map or not _repeatable(node):
            return
        wanted = [cell[0] for cell in thunk.outputs]
        for kind, old in self._old_memory(kinds, node, wanted):
            cells = [[value] for value in old]
            _perform(node, copy.deepcopy(inputs), cells)
            for variable, a, cell in zip(node.outputs, wanted, cells, strict=True):
                compare(variable, a, cell[0], BadThunkOutput, f"given memory of kind {kind!r}")
        for variable, value in zip(node.outputs, wanted, strict=True):
            self._previous[variable] = np.array(value)

    def _old_memory(
        self, kinds: list[str], node: Apply, wanted: list[Any]
    ) -> Iterator[tuple[str, list[Any]]]:
        for kind, make in _MEMORY.items():
            if kind in kinds or "ALL" in kinds:
                yield kind, [make(value) for value in wanted]
        previous = [self._previous.get(v) for v in node.outputs]
        if {"previous", "ALL"} & set(kinds) and None not in [type(p) for p in previous]:
            yield "previous", [None if p is None else p.copy() for p in previous]


def _strided(value: Any) -> Any:
    limit = config.DebugMode.check_preallocated_output_ndim
    wide = tuple(2 * n if axis < limit else n for axis, n in enumerate(value.shape))
    every = tuple(slice(None, None, 2) if axis < limit else slice(None)
                  for axis in range(value.ndim))  # fmt: skip
    return _dirty(wide, value.dtype)[every]


def _dirty(shape: tuple[int, ...], dtype: Any, order: Any = "C") -> Any:
    return np.full(shape, 1, dtype, order=order)


_MEMORY: dict[str, Callable[[Any], Any]] = {
    "initial": lambda value: None,
    "c_contiguous": lambda value: _dirty(value.shape, value.dtype),
    "f_contiguous": lambda value: _dirty(value.shape, value.dtype, "F"),
    "strided": _strided,
    "wrong_size": lambda value: _dirty(tuple(n + 1 for n in value.shape), value.dtype),
}


def _repeatable(node: Apply) -> bool:
    """Whether running a node twice does no harm: it prints nothing, it stops nowhere."""
    return bool(node.op.do_constant_folding(node))


def _perform(node: Apply, inputs: list[Any], cells: list[list[Any]]) -> None:
    if getattr(node.op, "params_type", None) is not None:
        node.op.perform(node, inputs, cells, node.op.get_params(node))
    else:
        node.op.perform(node, inputs, cells)


def _check_views(node: Apply, thunk: Thunk) -> None:
    """An output may share memory only with the inputs that view_map and destroy_map name."""
    if type(node.op).__name__ in ("IfElse", "Branch"):
        return  # they hand on what the side that is taken gives
    for j, output in enumerate(thunk.outputs):
        declared = {*node.op.view_map.get(j, ()), *node.op.destroy_map.get(j, ())}
        for i, cell in enumerate(thunk.inputs):
            shares = _share(output[0], cell[0])
            if shares and i not in declared:
                raise BadViewMap(
                    f"Output {j} of {node.op} shares memory with input {i} in {node}, which its "
                    f"view_map {dict(node.op.view_map)} does not say."
                    f"{created_at(node.outputs[j])}"
                )
            reused = i in node.op.destroy_map.get(j, ()) and isinstance(output[0], np.ndarray)
            if reused and not shares and output[0].size and config.DebugMode.warn_input_not_reused:
                trace.warn(f"{node.op} says that it works on input {i}, but allocated its output.")


def _share(a: Any, b: Any) -> bool:
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and np.may_share_memory(a, b)
