"""Views: arrays that share another's storage (DimShuffle, basic indexing, reshape)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theano.graph.nodes import Apply
from theano.kernel.build import Val
from theano.lower import program as pg
from theano.ops.sizes import STEP_LIMIT

if TYPE_CHECKING:
    from theano.lower.context import Context


class Views:
    """``v`` of an op's ``view`` method; see ops/base.py."""

    def __init__(self, low: Context) -> None:
        self.low = low
        self.node: Apply | None = None
        self.k = low.k

    def view(self, node: Apply) -> None:
        """Emit the view that is output 0 of ``node``."""
        self.node = node
        source = self.low.array(node.inputs[0])
        starts, axes = node.op.view(node, self)
        output = node.outputs[0]
        name = self.low.view(source, starts, [tuple(a) for a in axes], output.type.dtype)
        dims = self.low.array_dims[name]
        self.low.arrays[output] = name
        if output in self.low.sizes.dims:
            dims = tuple(
                atom if isinstance(atom, int) else size
                for atom, size in zip(self.low.sizes.dims[output], dims, strict=True)
            )
        self.low.array_dims[name] = dims

    def reshape(self, node: Apply) -> None:
        """Emit a reshape, checking that the number of elements stays."""
        low = self.low
        source = low.array(node.inputs[0])
        output = node.outputs[0]
        dims = low.sizes.dims[output]
        before = self._count([low.dim(source, i) for i in range(len(low.array_dims[source]))])
        after = self._count([low.size(d) for d in dims])
        low.check(low.let("eq", before, after), f"{node.op}: total size must not change")
        name = low.fresh("w")
        low.add(
            pg.Reshape(
                name, output.type.dtype, source, tuple(low.size_arg(d) for d in dims), "slot"
            )
        )
        low.arrays[output] = name
        low.array_dims[name] = tuple(dims)
        low.array_dtype[name] = output.type.dtype

    def _count(self, extents: list[Val]) -> Val:
        total = self.low.k.const(1, "int64")
        for extent in extents:
            total = extent if self.low.literal(total) == 1 else self.low.let("mul", total, extent)
        return total

    # for ops ------------------------------------------------------------------------------------

    def dim(self, axis: int) -> Val:
        """The extent of input 0."""
        assert self.node is not None
        return self.low.dim(self.low.array(self.node.inputs[0]), axis)

    def scalar(self, position: int) -> Val:
        """A 0-d integer input as an int64 register."""
        assert self.node is not None
        return self.low.k.cast(self.low.scalar(self.node.inputs[position]), "int64")

    def let(self, prim: str, *args: Any) -> Val:
        """Arithmetic on registers and ints."""
        return self.low.let(prim, *args)

    def select(self, condition: Val, a: Any, b: Any) -> Val:
        """``a`` if ``condition`` else ``b``."""
        k = self.low.k
        full = [x if isinstance(x, Val) else k.const(x, "int64") for x in (a, b)]
        return k.select(condition, *full)

    def check(self, condition: Val, text: str) -> None:
        """Guard: the call fails unless ``condition``."""
        self.low.check(condition, text)

    def _number(self, value: Any) -> Any:
        if isinstance(value, Val):
            literal = self.low.literal(value)
            return value if literal is None else literal
        return value

    def slice(self, start: Any, stop: Any, step: Any, axis: int) -> tuple[Any, Any, Any]:
        """Resolve a slice of axis ``axis`` as Python does: (first, count, step)."""
        extent = self._number(self.dim(axis))
        start, stop, step = self._number(start), self._number(stop), self._number(step)
        step = 1 if step is None else step
        if isinstance(step, int):
            step = max(-STEP_LIMIT, min(step, STEP_LIMIT))
        if all(not isinstance(x, Val) for x in (extent, start, stop, step)):
            first, last, by = slice(start, stop, step).indices(extent)
            return first, len(range(first, last, by)), by
        if not isinstance(step, Val):
            return (
                self._up(start, stop, step, extent) if step > 0
                else self._down(start, stop, step, extent)
            )  # fmt: skip
        positive = self.let("gt", step, 0)
        self.check(self.let("ne", step, 0), "slice step cannot be zero")
        up = self._up(start, stop, self._within(step, 1, STEP_LIMIT), extent)
        down = self._down(start, stop, self._within(step, -STEP_LIMIT, -1), extent)
        return (
            self.select(positive, up[0], down[0]), self.select(positive, up[1], down[1]), step
        )  # fmt: skip

    def _within(self, value: Any, low: int, high: int) -> Any:
        return self.let("min", self.let("max", value, low), high)

    def _clip(self, value: Any, low: Any, high: Any, extent: Any) -> Any:
        if isinstance(value, int) and value == 0 and not isinstance(extent, Val):
            return 0
        if isinstance(value, int):
            wrapped: Any = self.let("add", extent, value) if value < 0 else value
        else:
            wrapped = self.select(self.let("lt", value, 0), self.let("add", value, extent), value)
        if isinstance(value, int) and value == 0:
            return 0 if low == 0 else self.let("min", 0, high)
        if not (isinstance(value, int) and value > 0):
            wrapped = self.let("max", wrapped, low)
        return self.let("min", wrapped, high)

    def _up(self, start: Any, stop: Any, step: Any, extent: Any) -> tuple[Any, Any, Any]:
        first = 0 if start is None else self._clip(start, 0, extent, extent)
        last = extent if stop is None else self._clip(stop, 0, extent, extent)
        span = self.let("sub", last, first) if first != 0 else last
        if not (isinstance(step, int) and step == 1):
            span = self.let("idiv", self.let("add", span, self.let("sub", step, 1)), step)
        whole = start is None or (isinstance(first, int) and first == 0)
        count = span if whole and stop is None else self.let("max", span, 0)
        return first, count, step

    def _down(self, start: Any, stop: Any, step: Any, extent: Any) -> tuple[Any, Any, Any]:
        top = self.let("sub", extent, 1)
        first = top if start is None else self._clip(start, -1, top, extent)
        last: Any = -1 if stop is None else self._clip(stop, -1, top, extent)
        back = self.let("neg", step) if isinstance(step, Val) else -step
        span = self.let("sub", first, last)
        if not (isinstance(back, int) and back == 1):
            span = self.let("idiv", self.let("add", span, self.let("sub", back, 1)), back)
        return first, self.let("max", span, 0), step
