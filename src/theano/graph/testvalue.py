"""Test values: running each op on sample inputs while the graph is built."""

from __future__ import annotations

import warnings
from typing import Any

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
        warnings.warn(text, stacklevel=4)
    if action == "pdb":
        import pdb

        pdb.set_trace()
