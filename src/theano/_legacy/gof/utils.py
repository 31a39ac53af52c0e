"""``theano.gof.utils``."""

import functools
import hashlib
import warnings

from theano.core.errors import MethodNotDefined
from theano.core.trace import capture
from theano.graph.nodes import Scratchpad as scratchpad
from theano.tensor.utils import hash_from_ndarray


class object2:
    """Base class of old code; instances of it are ordinary objects."""

    __slots__ = ("__dict__", "__weakref__")


class MetaObject(object2):
    """Base class of old ops; ``__props__`` is looked at by Op itself."""


def flatten(a):
    """The items of nested lists, tuples and sets, in one list."""
    if isinstance(a, (tuple, list, set)):
        return [item for part in a for item in flatten(part)]
    return [a]


def uniq(seq):
    """The list of different items, in their first order."""
    return list(dict.fromkeys(seq))


def difference(seq1, seq2):
    """What is in ``seq1`` and not in ``seq2``."""
    return [x for x in seq1 if x not in seq2]


def to_return_values(values):
    """The only value, or all of them."""
    return values[0] if len(values) == 1 else values


def from_return_values(values):
    """A list of values, of one or several."""
    return list(values) if isinstance(values, (list, tuple)) else [values]


def memoize(f):
    """``f``, with results kept by arguments."""
    return functools.cache(f)


def deprecated(filename, msg=""):
    """Decorator: a warning at the first call."""

    def mark(f):
        said = []

        @functools.wraps(f)
        def call(*args, **kwargs):
            if not said:
                said.append(warnings.warn(f"{filename}.{f.__name__}: {msg}", stacklevel=2))
            return f(*args, **kwargs)

        return call

    return mark


def add_tag_trace(thing, user_line=None):
    """Let ``thing`` say that it was made here; gives ``thing``."""
    thing.tag.trace = capture()
    return thing


def hash_from_file(file_path):
    """The hash of a file's content."""
    with open(file_path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def give_variables_names(variables):
    """Give variables without a name, or with that of another, one of their own."""
    taken = set()
    for count, variable in enumerate(variables):
        if variable.name is None or variable.name in taken:
            variable.name = next(
                name for k in range(count, 2 * count + 2) if (name := f"v{k}") not in taken
            )
        taken.add(variable.name)


__all__ = [
    "MetaObject", "MethodNotDefined", "add_tag_trace", "deprecated", "difference", "flatten",
    "from_return_values", "give_variables_names", "hash_from_file", "hash_from_ndarray",
    "memoize", "object2", "scratchpad", "to_return_values", "uniq",
]  # fmt: skip
