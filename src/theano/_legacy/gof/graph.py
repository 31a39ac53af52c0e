"""``theano.gof.graph``: nodes and walks over them."""

from collections import deque
from contextlib import contextmanager

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.text import expression
from theano.graph.traverse import ancestors, general_toposort, inputs

__all__ = [
    "Apply", "Constant", "Variable", "ancestors", "as_string", "clone", "clone_get_equiv",
    "general_toposort", "inputs", "io_toposort", "is_in_ancestors", "is_same_graph",
    "list_of_nodes", "nodes_constructed", "ops", "orphans", "stack_search", "variables",
    "variables_and_orphans", "view_roots",
]  # fmt: skip


def is_same_graph(var1, var2, givens=None):
    """Whether two expressions compute the same from the same roots (``givens`` swaps some)."""
    pairs = dict(givens or {})
    return traverse.equal_graphs([var1], [var2], pairs)


def io_toposort(inputs, outputs, orderings=None, clients=None):
    """The Applys between ``inputs`` and ``outputs``, in an order of execution."""
    order = traverse.toposort(outputs, inputs)
    return traverse.ordered(order, orderings) if orderings else order


def list_of_nodes(inputs, outputs):
    """The Applys between ``inputs`` and ``outputs``."""
    return traverse.toposort(outputs, inputs)


def ops(inputs, outputs):
    """The set of Applys between ``inputs`` and ``outputs``."""
    return set(traverse.toposort(outputs, inputs))


def variables_and_orphans(i, o):
    """All variables between ``i`` and ``o``, and those that come from neither."""
    everything = [*traverse.ancestors(o, i), *(v for v in i)]
    known = set(i)
    return list(dict.fromkeys(everything)), [
        v for v in dict.fromkeys(everything) if v.owner is None and v not in known
    ]


def variables(i, o):
    """All variables between ``i`` and ``o``."""
    return variables_and_orphans(i, o)[0]


def orphans(i, o):
    """The variables that ``o`` needs and that do not come from ``i``."""
    return variables_and_orphans(i, o)[1]


def clone(i, o, copy_inputs=True):
    """Copies of the inputs and outputs of a graph."""
    new_inputs, new_outputs, _ = traverse.clone(i, o, copy_inputs)
    return new_inputs, new_outputs


def clone_get_equiv(inputs, outputs, copy_inputs=True, copy_orphans=True, memo=None):
    """The map from the variables and nodes between ``inputs`` and ``outputs`` to copies of them."""
    _, _, found = traverse.clone(inputs, outputs, copy_inputs)
    pairs = [(old.owner, new.owner) for old, new in found.items() if old.owner is not None]
    memo = {} if memo is None else memo
    memo.update({v: v for v in orphans(inputs, outputs)} | found | dict(pairs))
    return memo


@contextmanager
def nodes_constructed():
    """``with nodes_constructed() as new:`` lists the results of the nodes made inside."""
    found, init = [], Apply.__init__

    def noting(self, op, inputs, outputs):
        init(self, op, inputs, outputs)
        found.extend(outputs)

    Apply.__init__ = noting
    try:
        yield found
    finally:
        Apply.__init__ = init


def view_roots(node):
    """The variables whose memory ``node``, a variable, shows as it says of itself."""
    shown = getattr(getattr(node.owner, "op", None), "view_map", {}).get(node.index, ())
    return [root for i in shown for root in view_roots(node.owner.inputs[i])] or [node]


def as_string(i, o, leaf_formatter=str, node_formatter=None):
    """The graph between ``i`` and ``o`` as a line of nested calls."""
    return expression(list(o), i)


def is_in_ancestors(l_node, f_node):
    """Whether ``f_node`` is needed to compute ``l_node``."""
    return f_node in traverse.toposort(l_node.outputs)


def stack_search(start, expand, mode="bfs", build_inv=False):
    """All that is reached from the deque ``start``; ``expand`` lists what follows an element."""
    start = deque(start)
    seen, found, inverse = set(start), [], {}
    while start:
        item = start.popleft() if mode == "bfs" else start.pop()
        found.append(item)
        for other in expand(item) or ():
            inverse.setdefault(other, []).append(item)
            if other not in seen:
                seen.add(other)
                start.append(other)
    return (found, inverse) if build_inv else found
