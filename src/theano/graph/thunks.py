"""Thunks: functions without arguments that run one node between cells, as ops of old make them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable

Cells = Mapping[Variable, list[Any]]


def of_perform(
    node: Apply, storage_map: Cells, compute_map: Mapping[Variable, list[bool]] | None = None
) -> Callable[[], None]:
    """A thunk that calls ``perform``; ``compute_map[v][0]`` becomes True for its outputs."""
    inputs = [storage_map[v] for v in node.inputs]
    outputs = [storage_map[v] for v in node.outputs]
    params = () if getattr(node.op, "params_type", None) is None else (node.op.get_params(node),)

    def thunk() -> None:
        node.op.perform(node, [cell[0] for cell in inputs], outputs, *params)
        if compute_map is not None:
            for variable in node.outputs:
                compute_map[variable][0] = True

    return thunk


def run(node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]]) -> None:
    """Run a node whose op defines ``make_thunk`` only."""
    cells: dict[Variable, list[Any]] = {
        v: [value] for v, value in zip(node.inputs, inputs, strict=True)
    }
    cells |= dict(zip(node.outputs, output_storage, strict=True))
    done = {v: [v.owner is not node] for v in cells}
    node.op.make_thunk(node, cells, done, [])()
