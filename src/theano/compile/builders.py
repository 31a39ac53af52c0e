"""OpFromGraph and what belongs to it, under the old address."""

from typing import Final

from theano.ops.from_graph import OpFromGraph
from theano.ops.scan import Scan

__all__ = ["OpFromGraph", "ops_with_inner_function"]

#: classes of ops with a graph inside, and the attribute that holds its results
ops_with_inner_function: Final = {OpFromGraph: "inner_outputs", Scan: "inner_outputs"}
