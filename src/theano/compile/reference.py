"""The reference executor: a graph run node by node through ``perform``.

It is the linker of FAST_COMPILE, the second opinion of DebugMode, and what a compiled function
falls back to when a step fails, to raise the exact error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.compile.errors import raise_with_op
from theano.core.config import config
from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.evaluate import watching
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorType

Callback = Callable[[int, Apply, Any], object]


@dataclass(frozen=True, slots=True)
class Step:
    """One node, with the numbers of the values that it reads, writes, and is the last to need."""

    node: Apply
    ins: tuple[int, ...]
    outs: tuple[int, ...]
    dead: tuple[int, ...]
    destroyed: tuple[int, ...]


class Thunk:
    """What MonitorMode's callbacks are given: one-element lists of the node's values.

    Calling it computes the outputs; if nobody did, that happens after ``before``.
    """

    def __init__(
        self, inputs: list[list[Any]], outputs: list[list[Any]], run: Callable[[], None]
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self._run = run
        self.done = False

    def __call__(self) -> None:
        self.done = True
        self._run()


class Reference:
    """A callable from the values of ``inputs`` to the list of values of ``outputs``.

    Parameters: ``gc`` frees intermediate results as soon as nothing needs them; ``before`` and
    ``after`` are called around each node as ``(index, node, thunk)``.
    """

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        gc: bool = True,
        before: Callback | None = None,
        after: Callback | None = None,
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.before = before
        self.after = after
        self.numbers: dict[Variable, int] = {}
        self._template: list[Any] = []
        self._places = [self._number(variable) for variable in self.inputs]
        order = traverse.toposort(self.outputs, self.inputs)
        for node in order:
            for variable in (*node.inputs, *node.outputs):
                self._number(variable)
        self._results = [self._number(variable) for variable in self.outputs]
        self.steps = self._plan(order, gc)
        self._settings = _float_errors()

    @property
    def constants(self) -> list[Any]:
        """The values of all constants in the graph."""
        return [v.data for v in self.numbers if isinstance(v, Constant)]

    def _number(self, variable: Variable) -> int:
        number = self.numbers.get(variable)
        if number is None:
            number = self.numbers[variable] = len(self._template)
            self._template.append(variable.data if isinstance(variable, Constant) else None)
        return number

    def _plan(self, order: list[Apply], gc: bool) -> list[Step]:
        needed = set(self._results) | {self.numbers[v] for v in self.inputs}
        needed |= {n for v, n in self.numbers.items() if isinstance(v, Constant)}
        steps = []
        for node in reversed(order):
            ins = tuple(self.numbers[v] for v in node.inputs)
            outs = tuple(self.numbers[v] for v in node.outputs)
            dead = tuple({n for n in (*ins, *outs) if n not in needed}) if gc else ()
            needed.update(dead)
            destroyed = tuple({i for found in node.op.destroy_map.values() for i in found})
            steps.append(Step(node, ins, outs, dead, destroyed))
        steps.reverse()
        return steps

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        found = self._template.copy()
        for place, value in zip(self._places, values, strict=True):
            found[place] = value
        outer = watching.set(self._inside)
        try:
            with np.errstate(**self._settings):
                for index, step in enumerate(self.steps):
                    self._run(index, step, found)
                    for number in step.dead:
                        found[number] = None
        finally:
            watching.reset(outer)
        return [found[number] for number in self._results]

    def _run(self, index: int, step: Step, found: list[Any]) -> None:
        node = step.node
        args = [found[number] for number in step.ins]
        for position in step.destroyed:
            args[position] = _private(args[position])
        cells: list[list[Any]] = [[None] for _ in step.outs]
        self._node(index, node, args, cells, [found[number] for number in step.ins])
        for number, cell in zip(step.outs, cells, strict=True):
            found[number] = cell[0]

    def _inside(self, index: int, node: Apply, args: list[Any], cells: list[list[Any]]) -> None:
        """Run a node of a graph inside of an op."""
        own = list(args)
        for position in {i for found in node.op.destroy_map.values() for i in found}:
            own[position] = _private(own[position])
        self._node(index, node, own, cells, args)

    def _node(
        self, index: int, node: Apply, args: list[Any], cells: list[list[Any]], shown: list[Any]
    ) -> None:
        """Run a node, watched; ``shown`` are its inputs' values as an error shows them."""

        def run() -> None:
            _perform(node, args, cells)
            for variable, cell in zip(node.outputs, cells, strict=True):
                cell[0] = checked(variable, cell[0], node)

        thunk = None
        if self.before is not None or self.after is not None:
            thunk = Thunk([[value] for value in args], cells, run)
        try:
            if self.before is not None:
                self.before(index, node, thunk)
            if thunk is None or not thunk.done:
                run()
        except Exception as error:
            raise_with_op(error, node, index, shown)
        if self.after is not None:
            self.after(index, node, thunk)


def _float_errors() -> dict[str, Any]:
    """NumPy's warnings are silenced, as compiled code has none, unless a flag asks for them."""
    kinds = ("divide", "over", "under", "invalid")
    common = config.get("numpy.seterr_all")
    settings = {}
    for kind in kinds:
        own = config.get(f"numpy.seterr_{kind}")
        asked = own if own != "None" else common
        settings[kind] = "ignore" if asked == "None" else asked
    return settings


def _private(value: Any) -> Any:
    import copy

    return value.copy() if isinstance(value, np.ndarray) else copy.deepcopy(value)


def _perform(node: Apply, args: list[Any], cells: list[list[Any]]) -> None:
    op: Any = node.op
    if getattr(op, "params_type", None) is not None:
        op.perform(node, args, cells, op.get_params(node))
    else:
        op.perform(node, args, cells)


def checked(variable: Variable, value: Any, node: Apply) -> Any:
    """The value that ``perform`` gave, if it fits the type; NumPy's scalars become 0-d arrays."""
    kind = variable.type
    if not isinstance(kind, TensorType):
        return value
    if type(value) is not np.ndarray:
        if not isinstance(value, (np.ndarray, np.generic, int, float, complex)):
            raise TypeError(
                f"{node.op}.perform put {type(value).__name__} into output {variable.index}, "
                f"which is declared as {kind}: an ndarray of dtype {kind.dtype} is needed."
            )
        exact = isinstance(value, (np.ndarray, np.generic))
        value = np.asarray(value) if exact else np.asarray(value, dtype=kind.numpy_dtype)
    if value.dtype != kind.numpy_dtype or value.ndim != kind.ndim:
        raise TypeError(
            f"{node.op}.perform gave output {variable.index} the dtype {value.dtype} and the shape "
            f"{value.shape}, but it is declared as {kind}."
        )
    return value
