"""``theano.compat``: Python 2 and 3 once met here."""

from collections import OrderedDict
from functools import cmp_to_key, partial

PY3 = True
imap, izip = map, zip
reload = None

__all__ = ["PY3", "OrderedDict", "cmp_to_key", "imap", "izip", "partial"]
