"""``theano.gof.link``: what runs a graph."""

from theano.compile.errors import raise_with_op
from theano.compile.linkers import named
from theano.compile.linkers import wrap_linker as WrapLinker
from theano.compile.linkers import wrap_linker_many as WrapLinkerMany
from theano.compile.mode import Linker
from theano.graph.shared import Container

LocalLinker = Linker
PerformLinker = named("py")

__all__ = [
    "Container", "Linker", "LocalLinker", "PerformLinker", "WrapLinker", "WrapLinkerMany",
    "raise_with_op",
]  # fmt: skip
