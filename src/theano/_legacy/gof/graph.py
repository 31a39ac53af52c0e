"""``theano.gof.graph``: nodes and walks over them."""

from collections import deque

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.text import expression
from theano.graph.traverse import ancestors, inputs

__all__ = [
    "Apply", "Constant", "Variable", "ancestors", "as_string", "clone", "inputs", "io_toposort",
    "is_in_ancestors", "is_same_graph", "list_of_nodes", "ops", "orphans", "stack_search",
    "variables", "variables_and_orphans",
]  # fmt: skip


def is_same_graph(var1, var2, givens=None):
    """Whether two expressions compute the same from the same roots (``givens`` swaps some)."""
    pairs = dict(givens or {})
    return traverse.equal_graphs([var1], [var2], pairs)


def io_toposort(inputs, outputs, orderings=None, clients=None):
    """The Applys between ``inputs`` and ``outputs``, in an order of execution."""
    return traverse.toposort(outputs, inputs)


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
