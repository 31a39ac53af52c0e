"""``theano.compat.six``: what is left of it on one Python."""

import builtins
import importlib
import sys
import types
from functools import reduce
from io import BytesIO, StringIO

PY2, PY3 = False, True
string_types, integer_types, class_types = (str,), (int,), (type,)
text_type, binary_type = str, bytes

moves = types.ModuleType("theano.compat.six.moves")
sys.modules[moves.__name__] = moves
for _name, _value in {
    "cPickle": "pickle", "configparser": "configparser", "copyreg": "copyreg", "queue": "queue",
    "urllib": "urllib",
}.items():  # fmt: skip
    setattr(moves, _name, importlib.import_module(_value))
    sys.modules[f"{moves.__name__}.{_name}"] = getattr(moves, _name)
for _name in ("filter", "input", "map", "range", "zip"):
    setattr(moves, _name, getattr(builtins, _name))
moves.xrange, moves.reduce, moves.StringIO = range, reduce, StringIO


def iteritems(mapping):
    """The pairs of a mapping."""
    return iter(mapping.items())


def itervalues(mapping):
    """The values of a mapping."""
    return iter(mapping.values())


def iterkeys(mapping):
    """The keys of a mapping."""
    return iter(mapping.keys())


def b(text):
    """Bytes of a text of one-byte characters."""
    return text.encode("latin-1")


__all__ = [
    "PY2", "PY3", "BytesIO", "StringIO", "b", "binary_type", "class_types", "integer_types",
    "iteritems", "iterkeys", "itervalues", "moves", "string_types", "text_type",
]  # fmt: skip
