"""What the body of a map op is given where all its inputs and outputs are 0-d."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from theano.graph.nodes import Apply
from theano.kernel.build import Val

if TYPE_CHECKING:
    from theano.lower.context import Context


class ScalarPoint:
    """``m`` of a map op whose inputs and outputs are all 0-d: code for registers."""

    def __init__(self, low: Context, node: Apply) -> None:
        self.low = low
        self.node = node
        self.k = low.k

    def input(self, position: int, axes: Sequence[int | None] | None = None) -> Val:
        """The register of an input."""
        return self.low.scalar(self.node.inputs[position])

    def gather(self, position: int, index: Mapping[int, Any], axes: Any = None) -> Val:
        """The element of an input at computed indices."""
        low = self.low
        source = low.array(self.node.inputs[position])
        starts = []
        for axis, value in sorted(index.items()):
            extent = low.dim(source, axis)
            value = low.k.cast(value, "int64")
            wrapped = low.k.select(low.k.lt(value, 0), value + extent, value)
            inside = low.k.apply("and", low.k.ge(wrapped, 0), low.k.lt(wrapped, extent))
            low.check(inside, f"{self.node.op}: index out of range")
            starts.append((axis, wrapped))
        element = low.view(source, starts, ())
        return low.peek(element, low.register_dtype(self.node.inputs[position]))

    def extent(self, position: int, axis: int) -> Val:
        """The extent of an input."""
        return self.low.size(self.low.sizes.dims[self.node.inputs[position]][axis])

    def index(self, axis: int) -> Val:
        """There is no axis to be at."""
        return self.k.const(0, "int64")
