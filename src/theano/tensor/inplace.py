"""``exp_inplace`` and its like, for old code that imports them.

Graphs are functional here: each is the op itself, under another name. Where results are stored is
decided after rewriting, and storage that is free is used again by itself.
"""

from theano.ops.elementwise import ALIASES, OPS
from theano.ops.shape import transpose as transpose_inplace

_made = {f"{name}_inplace": op for name, op in (OPS | ALIASES).items()}
globals().update(_made)

__all__ = [*_made, "transpose_inplace"]
