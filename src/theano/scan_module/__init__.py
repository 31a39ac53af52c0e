"""Loops: ``scan``, ``map``, ``reduce``, ``foldl``, ``foldr``, ``scan_checkpoints``.

>>> import theano, theano.tensor as T
>>> k, a = T.iscalar("k"), T.dvector("a")
>>> powers, updates = theano.scan(
...     lambda last, a: last * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k
... )
>>> theano.function([a, k], powers[-1], updates=updates)([0, 1, 2], 3).tolist()
[0.0, 1.0, 8.0]
"""

from theano.scan_module import scan_op, scan_utils, scan_views
from theano.scan_module.checkpoints import scan_checkpoints
from theano.scan_module.scan import scan
from theano.scan_module.scan_utils import clone, until
from theano.scan_module.scan_views import foldl, foldr, map, reduce
from theano.updates import OrderedUpdates

__all__ = [
    "OrderedUpdates",
    "clone",
    "foldl",
    "foldr",
    "map",
    "reduce",
    "scan",
    "scan_checkpoints",
    "scan_op",
    "scan_utils",
    "scan_views",
    "until",
]
