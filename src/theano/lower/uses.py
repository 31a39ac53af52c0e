"""How a node reads its inputs: which variable, below which DimShuffles, along which dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from theano.core.record import dataclass
from theano.graph.nodes import Apply, Variable
from theano.kernel.build import Builder, Val
from theano.lower.sizes import is_array
from theano.ops.creation import Alloc
from theano.ops.elemwise import Elemwise
from theano.ops.shape import DimShuffle

Dims = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """Input ``position`` read at ``base`` (below DimShuffles): per dimension of the input, the
    dimension of the base (``dims``) and of the node's output (``align``) that it follows."""

    position: int
    base: Variable
    dims: Dims
    align: Dims
    gathered: bool = False


def resolve(variable: Variable, fills: bool = True) -> tuple[Variable, Dims]:
    """The variable below any DimShuffles, and its dimension per dimension of ``variable``.

    ``fills``: also below an Alloc of a number, which is enough for kernels; others need an array.
    """
    dims: Dims = tuple(range(variable.type.ndim)) if is_array(variable) else ()
    while variable.owner is not None and is_array(variable):
        op = variable.owner.op
        if isinstance(op, DimShuffle):
            order = op.new_order
            dims = tuple(None if d is None or order[d] == "x" else int(order[d]) for d in dims)
        elif fills and isinstance(op, Alloc) and variable.owner.inputs[0].type.ndim == 0:
            dims = (None,) * len(dims)
        else:
            break
        variable = variable.owner.inputs[0]
    return variable, dims


def of_numbers(node: Apply) -> bool:
    """Whether all inputs are 0-d arrays, which registers can hold."""
    return all(is_array(v) and v.type.ndim == 0 for v in node.inputs)


def is_view(variable: Variable) -> bool:
    """Whether a variable is computed as a view of another's array."""
    node = variable.owner
    return node is not None and getattr(node.op, "lowering", "") in ("view", "reshape")


class Recorder:
    """Stands in for a kernel point to see which inputs a map op reads, and how."""

    def __init__(self, node: Apply) -> None:
        self.node = node
        self.k = Builder()
        self.found: dict[int, Use] = {}

    def _value(self, variable: Variable) -> Val:
        dtype = variable.type.dtype
        return self.k.value(self.k.fresh(), "float32" if dtype == "float16" else dtype)

    def input(self, position: int, axes: Sequence[int | None] | None = None) -> Val:
        """Element of an input, aligned with the point."""
        variable = self.node.inputs[position]
        align = default_align(self.node, position) if axes is None else tuple(axes)
        base, dims = resolve(variable)
        self.found[position] = Use(position, base, dims, align)
        return self._value(variable)

    def gather(
        self, position: int, index: Mapping[int, Any], axes: Sequence[int | None] | None = None
    ) -> Val:
        """Element of an input at computed indices."""
        variable = self.node.inputs[position]
        base, dims = resolve(variable, fills=False)
        self.found[position] = Use(position, base, dims, (None,) * len(dims), gathered=True)
        return self._value(variable)

    def extent(self, position: int, axis: int) -> Val:
        """Extent of an input."""
        return self.k.value(self.k.fresh(), "int64")

    def index(self, axis: int) -> Val:
        """Position along a domain axis."""
        return self.k.index(str(axis))


def default_align(node: Apply, position: int) -> Dims:
    """Right-aligned broadcasting by the static pattern."""
    pattern = node.inputs[position].type.broadcastable
    shift = node.outputs[0].type.ndim - len(pattern)
    return tuple(None if one else d + shift for d, one in enumerate(pattern))


def uses_of(node: Apply) -> list[Use]:
    """How a map or reduce node reads its inputs; those of which it needs only the extents are not
    among them."""
    # Not in the tag: a clone of the node with other inputs has that, too.
    cached = vars(node).get("_uses")
    if cached is not None:
        found: list[Use] = cached
        return found
    if node.op.lowering == "reduce":
        base, dims = resolve(node.inputs[0])
        uses = [Use(0, base, dims, tuple(range(len(dims))))]
    elif isinstance(node.op, Elemwise):
        uses = [
            Use(i, *resolve(node.inputs[i]), default_align(node, i))
            for i in range(len(node.inputs))
            if i not in node.op.row.disconnected
        ]
    else:
        recorder = Recorder(node)
        node.op.body(node, recorder)
        uses = [recorder.found[i] for i in sorted(recorder.found)]
    vars(node)["_uses"] = uses
    return uses
