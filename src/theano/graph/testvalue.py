"""Test values: running each op on sample inputs while the graph is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from theano.core import trace
from theano.core.config import config
from theano.graph.nodes import Apply, Constant, Variable


def get_test_value(variable: Variable) -> Any:
    """The sample value of ``variable``: constant, shared or tagged; AttributeError if none."""
    if isinstance(variable, Constant):
        return variable.data
    if hasattr(variable, "get_value") and not hasattr(variable.tag, "test_value"):
        return variable.get_value(borrow=True)
    value = variable.tag.test_value
    return variable.type.filter(value)


def compute(node: Apply) -> None:
    """Compute the test values of ``node``'s outputs, as ``config.compute_test_value`` says."""
    values = []
    for index, variable in enumerate(node.inputs):
        try:
            values.append(get_test_value(variable))
        except AttributeError:
            _missing(node, index, variable)
            return
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    if getattr(node.op, "params_type", None) is not None:
        node.op.perform(node, values, storage, node.op.get_params(node))
    else:
        node.op.perform(node, values, storage)
    for output, cell in zip(node.outputs, storage, strict=True):
        output.tag.test_value = cell[0]


def _missing(node: Apply, index: int, variable: Variable) -> None:
    action = config.compute_test_value
    text = (
        f"Cannot compute test value: input {index} ({variable}) of Op {node} missing default value."
    )
    if action == "raise":
        raise AttributeError(text)
    if action == "warn":
        trace.warn(text)
    if action == "pdb":
        import pdb

        pdb.set_trace()


def missing_test_message(text: str) -> None:
    """Complain about a missing test value as ``config.compute_test_value`` says.

    'raise' and 'pdb' raise AttributeError, 'warn' warns, 'ignore' and 'off' are silent.
    """
    action = config.compute_test_value
    if action in ("raise", "pdb"):
        raise AttributeError(text)
    if action == "warn":
        trace.warn(text)


def get_debug_values(*variables: Any) -> Iterator[tuple[Any, ...]]:
    """One tuple of the test values of ``variables``; nothing if one is missing or none are kept.

    For ops that check test values as graphs are built: ``for a, b in get_debug_values(x, y): …``.
    """
    if config.compute_test_value == "off":
        return
    values = []
    for index, variable in enumerate(variables):
        if not isinstance(variable, Variable):
            values.append(variable)
            continue
        try:
            values.append(get_test_value(variable))
        except AttributeError:
            missing_test_message(f"Argument {index} ({variable}) has no test value")
            return
    yield tuple(values)
