"""``theano.compat``: Python 2 and 3 once met here."""

from collections import OrderedDict, defaultdict
from functools import cmp_to_key, partial

from . import six

PY3 = True
ifilter, imap, izip = filter, map, zip
reload = None


def cmp(a, b):
    """-1, 0 or 1."""
    return (a > b) - (a < b)


__all__ = [
    "PY3", "OrderedDict", "cmp", "cmp_to_key", "defaultdict", "ifilter", "imap", "izip", "partial",
    "six",
]  # fmt: skip
