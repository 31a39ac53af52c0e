"""Pickles and deep copies of graphs of any depth.

Python's own way follows a variable to its node, the node to its inputs, and so on: it recurses as
deep as the graph is. Here the first part of a graph that is reached brings along all the nodes
below it, inputs first. When a pickler writes them one after the other, everything that a node
refers to has been written before, and becomes a reference. What is shared in memory stays shared:
the nodes themselves are written, not a table that stands for them.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable

# Graphs of fewer nodes go Python's way: it is shorter, and shallow enough.
SHALLOW = 12


class Below:
    """Stands before the nodes that are written; as long as it lives (a pickler keeps what it
    wrote), they count as written."""

    __slots__ = ("__weakref__",)

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, ()

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None


class _Written(threading.local):
    """Nodes that a pickler of this thread writes, or has written, by identity."""

    def __init__(self) -> None:
        self.by: weakref.WeakValueDictionary[int, Below] = weakref.WeakValueDictionary()


_written = _Written()


def below(owner: Apply | None) -> tuple[Any, ...]:
    """What must be written before something that ``owner`` computes; empty if that is little."""
    by = _written.by
    if owner is None or id(owner) in by:
        return ()
    nodes = _unwritten(owner)
    if len(nodes) <= SHALLOW:
        return ()
    mark = Below()
    for node in nodes:
        by[id(node)] = mark
    return (mark, *nodes[:-1])


def _unwritten(owner: Apply) -> list[Apply]:
    """``owner`` and the nodes below it that nobody writes, inputs first."""
    by = _written.by
    blockers: set[Variable] = set()
    todo, seen = [owner], {owner}
    while todo:
        for variable in todo.pop().inputs:
            node = variable.owner
            if node is None or node in seen:
                continue
            if id(node) in by:
                blockers.add(variable)
            else:
                seen.add(node)
                todo.append(node)
    return traverse.toposort(owner.outputs[:1], blockers)


def blank(kind: type[Any], first: tuple[Any, ...]) -> Any:
    """A new object without attributes; ``first`` was only written before it."""
    del first
    return object.__new__(kind)
