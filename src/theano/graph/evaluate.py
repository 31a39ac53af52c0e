"""Running a graph op by op through ``perform``: the plainest meaning a graph has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from theano.core.errors import MissingInputError
from theano.graph import traverse
from theano.graph.nodes import Constant, Variable

# Who runs the nodes of graphs inside of ops: ``(index, node, arguments, storage)``; None: nobody
# watches. The executor of a function sets it for the time of a call.
watching: ContextVar[Callable[[int, Any, list[Any], list[list[Any]]], object] | None] = ContextVar(
    "watching", default=None
)


def reference_function(
    inputs: Sequence[Variable], outputs: Sequence[Variable]
) -> Callable[..., list[Any]]:
    """A callable from values of ``inputs`` to the list of values of ``outputs``.

    Shared variables are read at each call. Raises MissingInputError at the call for a root that is
    neither an input, a constant nor shared. No rewriting, no compilation.
    """
    order = traverse.toposort(outputs, inputs)

    def call(*values: Any) -> list[Any]:
        known: dict[Variable, Any] = {
            variable: variable.type.filter(value, allow_downcast=True)
            for variable, value in zip(inputs, values, strict=True)
        }
        watch = watching.get()
        for index, node in enumerate(order):
            arguments = [_value(variable, known) for variable in node.inputs]
            storage: list[list[Any]] = [[None] for _ in node.outputs]
            if watch is None:
                node.op.perform(node, arguments, storage)
            else:
                watch(index, node, arguments, storage)
            for output, cell in zip(node.outputs, storage, strict=True):
                known.setdefault(output, cell[0])
        return [_value(variable, known) for variable in outputs]

    return call


def _value(variable: Variable, known: dict[Variable, Any]) -> Any:
    if variable in known:
        return known[variable]
    if isinstance(variable, Constant):
        return variable.data
    container = getattr(variable, "container", None)
    if container is None:
        raise MissingInputError(f"Undeclared input: variable {variable} has no value")
    return container.storage[0]
