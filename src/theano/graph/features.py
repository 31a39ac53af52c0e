"""Features of a FunctionGraph: objects that hear of its changes, keep notes, and may object.

A feature defines any of: ``on_attach(graph)``, ``on_detach(graph)``, ``on_import(graph, node,
reason)``, ``on_prune(graph, node, reason)``, ``on_change_input(graph, node, i, old, new, reason)``,
``orderings(graph)``, and ``validate(graph)``, which raises to refuse what was done.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from theano.core.errors import InconsistencyError

#: what features give to graphs while they are attached
GIVEN: Final = (
    "checkpoint", "destroyers", "get_nodes", "has_destroyers", "revert", "shape_feature",
)  # fmt: skip


class AlreadyThere(Exception):
    """Raised by ``on_attach``: the graph has this feature already."""


class ReplacementDidntRemovedError(Exception):
    """A variable that a replacement should have removed is still used."""


class BadOptimization(Exception):
    """A rewrite gave something that is not what it replaces."""


class Feature:
    """Base class: hears everything, does nothing."""

    def on_attach(self, fgraph: Any) -> None:
        """The graph has just got this feature; AlreadyThere refuses."""

    def on_detach(self, fgraph: Any) -> None:
        """The graph has just lost this feature."""

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        """``node`` is new in the graph; its inputs are there already."""

    def on_prune(self, fgraph: Any, node: Any, reason: Any) -> None:
        """``node`` is gone."""

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Input ``i`` of ``node`` (output ``i`` of the graph for ``"output"``) changed."""

    def orderings(self, fgraph: Any) -> dict[Any, list[Any]]:
        """Nodes, with those that must run before them."""
        return {}


class Bookkeeper(Feature):
    """Hears of all nodes, also those that are there when it is attached and when it leaves."""

    def on_attach(self, fgraph: Any) -> None:
        """Import every node."""
        for node in fgraph.toposort():
            self.on_import(fgraph, node, "Bookkeeper.attach")

    def on_detach(self, fgraph: Any) -> None:
        """Prune every node."""
        for node in fgraph.toposort():
            self.on_prune(fgraph, node, "Bookkeeper.detach")


class GetCheckpoint:
    """``graph.checkpoint()``: a number to which ``History.revert`` can go back."""

    def __init__(self, history: History, fgraph: Any) -> None:
        self.history = history
        self.fgraph = fgraph

    def __call__(self) -> int:
        return len(self.history.changes.setdefault(self.fgraph, []))


class LambdExtract:
    """One change that can be taken back: calling it does so."""

    def __init__(self, fgraph: Any, node: Any, i: int, r: Any, reason: Any = None) -> None:
        self.fgraph, self.node, self.i, self.r, self.reason = fgraph, node, i, r, reason

    def __call__(self) -> None:
        self.fgraph.change_input(self.node, self.i, self.r, ("Revert", self.reason))


class History(Feature):
    """Remembers the changes of a graph: ``graph.checkpoint()``, ``graph.revert(checkpoint)``.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> graph = theano.FunctionGraph([x], [T.exp(x)], clone=False, features=[History()])
    >>> start = graph.checkpoint()
    >>> graph.replace(graph.outputs[0], T.log(x)); graph.revert(start); graph
    [Elemwise{exp,no_inplace}(x)]
    """

    def __init__(self) -> None:
        self.changes: dict[Any, list[LambdExtract]] = {}

    def on_attach(self, fgraph: Any) -> None:
        """Give the graph its two methods; AlreadyThere if it has them from another History."""
        if hasattr(fgraph, "checkpoint"):
            raise AlreadyThere("History is already present")
        self.changes[fgraph] = []
        fgraph.checkpoint = GetCheckpoint(self, fgraph)
        fgraph.revert = lambda checkpoint: self.revert(fgraph, checkpoint)

    def on_detach(self, fgraph: Any) -> None:
        """Take the methods away again."""
        del fgraph.checkpoint, fgraph.revert
        self.changes.pop(fgraph, None)

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Note a change, unless it is one being taken back."""
        if fgraph in self.changes:
            self.changes[fgraph].append(LambdExtract(fgraph, node, i, r, reason))

    def revert(self, fgraph: Any, checkpoint: int) -> None:
        """Take back all changes since ``checkpoint``, the last one first."""
        done = self.changes.pop(fgraph)
        while len(done) > checkpoint:
            done.pop()()
        self.changes[fgraph] = done


class Undo(History):
    """A History that the graph itself attaches for the time of one replacement."""

    def on_attach(self, fgraph: Any) -> None:
        """Start listening."""
        self.changes[fgraph] = []

    def on_detach(self, fgraph: Any) -> None:
        """Forget everything."""
        self.changes.pop(fgraph, None)


class Validator(Feature):
    """A graph checks itself: ``graph.validate()`` and ``graph.consistent()`` are always there."""


class ReplaceValidate(History, Validator):
    """``graph.replace_validate`` and its relatives are part of every graph here; adds History."""


class NodeFinder(Bookkeeper):
    """``graph.get_nodes(op)``: all nodes of an op."""

    def __init__(self) -> None:
        self.nodes: dict[Any, list[Any]] = {}

    def on_attach(self, fgraph: Any) -> None:
        """Look up every node; AlreadyThere if the graph can find nodes already."""
        if hasattr(fgraph, "get_nodes"):
            raise AlreadyThere("NodeFinder is already present")
        fgraph.get_nodes = lambda op: list(self.nodes.get(op, ()))
        super().on_attach(fgraph)

    def on_detach(self, fgraph: Any) -> None:
        """Take the method away again."""
        super().on_detach(fgraph)
        del fgraph.get_nodes

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Enter a node."""
        self.nodes.setdefault(node.op, []).append(node)

    def on_prune(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Forget a node."""
        self.nodes[node.op].remove(node)


class PrintListener(Feature):
    """Prints every change, as long as ``active``."""

    def __init__(self, active: bool = True) -> None:
        self.active = active

    def _say(self, *parts: Any) -> None:
        if self.active:
            sys.stdout.write(f"-- {' '.join(map(str, parts))}\n")

    def on_attach(self, fgraph: Any) -> None:
        """Say so."""
        self._say("attaching to:", fgraph)

    def on_detach(self, fgraph: Any) -> None:
        """Say so."""
        self._say("detaching from:", fgraph)

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Say so."""
        self._say("importing:", node, "reason:", reason)

    def on_prune(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Say so."""
        self._say("pruning:", node, "reason:", reason)

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Say so."""
        self._say(f"changing ({node}.inputs[{i}]) from {r} to {new_r}")


class PreserveNames(Feature):
    """What replaces a variable with a name gets that name, unless it has one."""

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Hand the name on."""
        if r.name is not None and new_r.name is None:
            new_r.name = r.name


class PreserveVariableAttributes(PreserveNames):
    """What replaces a variable also gets its notes (``tag``), where it has none of that name."""

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Hand name and notes on."""
        super().on_change_input(fgraph, node, i, r, new_r, reason)
        for key, value in r.tag.__dict__.items():
            new_r.tag.__dict__.setdefault(key, value)


class NoOutputFromInplace(Feature):
    """Refuses graphs whose first outputs (all by default) are made by overwriting an input."""

    def __init__(self, first_output_idx: int = 0, last_output_idx: int | None = None) -> None:
        self.span = slice(first_output_idx, last_output_idx)

    def validate(self, fgraph: Any) -> None:
        """Raise InconsistencyError for such an output."""
        for output in fgraph.outputs[self.span]:
            if output.owner is not None and output.owner.op.destroy_map.get(output.index):
                raise InconsistencyError(f"The output {output} is computed in place")


class ChangeTracker(Feature):
    """``changed``: whether anything came or changed since ``reset()``."""

    changed = False

    def reset(self) -> None:
        """Nothing has changed yet."""
        self.changed = False

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        """Note it."""
        self.changed = True

    def on_change_input(
        self, fgraph: Any, node: Any, i: int, r: Any, new_r: Any, reason: Any = None
    ) -> None:
        """Note it."""
        self.changed = True


class DestroyHandler(Bookkeeper):
    """Refuses graphs in which an array is overwritten while something still needs it.

    Ops here are values: only ops of users that have a ``destroy_map`` are looked at, and what they
    overwrite is copied first where it must be. The feature is for code that asks a graph.
    """

    def on_attach(self, fgraph: Any) -> None:
        """AlreadyThere if the graph has one."""
        if hasattr(fgraph, "destroyers"):
            raise AlreadyThere("DestroyHandler is already present")
        fgraph.destroyers = lambda variable: [
            node
            for node, i in fgraph.clients(variable)
            if node != "output" and any(i in found for found in node.op.destroy_map.values())
        ]
        fgraph.has_destroyers = lambda variables: any(map(fgraph.destroyers, variables))
        super().on_attach(fgraph)

    def on_detach(self, fgraph: Any) -> None:
        """Take the methods away again."""
        del fgraph.destroyers, fgraph.has_destroyers

    def validate(self, fgraph: Any) -> None:
        """Raise InconsistencyError where two nodes overwrite one variable."""
        for variable in fgraph.variables:
            if len(fgraph.destroyers(variable)) > 1:
                raise InconsistencyError(f"{variable} is overwritten more than once")
