"""``theano.gof.utils``."""

from theano.core.errors import MethodNotDefined
from theano.graph.nodes import Scratchpad as scratchpad


class object2:
    """Base class of old code; instances of it are ordinary objects."""

    __slots__ = ("__dict__", "__weakref__")


def flatten(a):
    """The items of nested lists, tuples and sets, in one list."""
    if isinstance(a, (tuple, list, set)):
        return [item for part in a for item in flatten(part)]
    return [a]


def uniq(seq):
    """The list of different items, in their first order."""
    return list(dict.fromkeys(seq))


__all__ = ["MethodNotDefined", "flatten", "object2", "scratchpad", "uniq"]
