"""A graph as tables, so that pickling it does not recurse: any depth, linear size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable


class FlatGraph:
    """The expressions ``targets`` as a list of roots and a list of nodes that refer by number."""

    def __init__(self, targets: Sequence[Variable]) -> None:
        numbers: dict[Variable, int] = {}
        order = traverse.toposort(targets)
        self.roots = [v for v in traverse.roots(targets) if v.owner is None]
        for variable in self.roots:
            numbers[variable] = len(numbers)
        self.nodes: list[tuple[Any, list[int], list[tuple[Any, str | None, Any]]]] = []
        for node in order:
            ins = [numbers[v] for v in node.inputs]
            outs = [(v.type, v.name, getattr(v.tag, "trace", None)) for v in node.outputs]
            self.nodes.append((node.op, ins, outs))
            for variable in node.outputs:
                numbers[variable] = len(numbers)
        self.targets = [numbers[v] for v in targets]

    def build(self) -> list[Variable]:
        """The expressions again; roots are the very objects of the table."""
        found: list[Variable] = list(self.roots)
        for op, ins, outs in self.nodes:
            outputs = []
            for kind, name, trace in outs:
                variable = kind.make_variable(name)
                if trace is not None:
                    variable.tag.trace = trace
                outputs.append(variable)
            found.extend(Apply(op, [found[i] for i in ins], outputs).outputs)
        return [found[i] for i in self.targets]
