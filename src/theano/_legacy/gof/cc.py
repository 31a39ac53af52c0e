"""``theano.gof.cc``: linkers that once made C code; all compile natively now."""

from theano.compile.linkers import named

CLinker = named("c")
OpWiseCLinker = named("c|py")
DualLinker = named("c|py")

__all__ = ["CLinker", "DualLinker", "OpWiseCLinker"]
