"""What is computed only to be written to places of an array is computed where it is written.

The gradient of a lookup adds rows that are a function of other rows. Without this they would be
stored and read again between two kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from theano.graph.nodes import Apply, Variable
from theano.kernel.build import Val
from theano.lower.context import Context
from theano.lower.group import Unit
from theano.lower.kernels import Emission
from theano.lower.uses import resolve

if TYPE_CHECKING:
    from theano.lower.function import Lowering


def fold(lowering: Lowering) -> None:
    """Note in the context which units become part of the scatter that alone reads them."""
    for node in lowering.nodes:
        if lowering.fuse and lowering.kinds[node] == "scatter":
            unit = _unit(lowering, node)
            if unit is not None:
                lowering.low.scattered[node.inputs[1]] = unit


def _unit(lowering: Lowering, node: Apply) -> Unit | None:
    """The unit that computes a scatter's value and nothing else of use; None if there is none."""
    y, out = node.inputs[1], node.outputs[0]
    maker = resolve(y, fills=False)[0].owner
    if maker is None or maker is not y.owner or maker not in lowering.grouping.unit_of:
        return None
    unit = lowering.grouping.unit_of[maker].find()
    group = unit.group
    if group is None or group.inner or lowering.low.is_donated(out):
        return None  # over a shared variable's storage: what is read of it may be its old value
    if any(y.type.broadcastable) or group.maps[y] != tuple(range(y.type.ndim)):
        return None
    return unit if _rows(node) and _alone(lowering, unit, node, y) else None


def _rows(node: Apply) -> bool:
    """Whether whole rows are written: single elements are taken one by one, not by vectors."""
    entries = node.op.entries(node)
    if any(entry is None for entry in entries):
        return False
    return len(entries) < node.outputs[0].type.ndim or isinstance(entries[-1], slice)


def _alone(lowering: Lowering, unit: Unit, reader: Apply, value: Variable) -> bool:
    """Whether nothing of a unit is used outside of it but ``value``, by ``reader`` only."""
    inside = set(unit.nodes)
    for node in unit.nodes:
        for output in node.outputs:
            users = {user for user in lowering.clients.get(output, ()) if user not in inside}
            if output in lowering.target_bases or users - ({reader} if output is value else set()):
                return False
    others = [v for i, v in enumerate(reader.inputs) if i != 1]
    return all(resolve(v, fills=False)[0].owner not in inside for v in others)


class ScatterEmission(Emission):
    """The kernel of a unit whose result is written at computed places, in order."""

    def __init__(self, low: Context, unit: Unit, value: Variable, part: str, add: bool) -> None:
        super().__init__(low, unit, [value])
        self.value, self.part, self.add = value, part, add
        self.places: list[tuple[Variable | None, tuple[int | None, ...]]] = []

    def along(
        self, indices: Sequence[Variable | None], batch: Sequence[int], rest: Sequence[int],
        own: Sequence[Sequence[int | None]],
    ) -> None:  # fmt: skip
        """Say where: an index or None per dimension of the array; kernel axes of the index arrays
        together and of the other dimensions; per index the axes of ``batch`` that it has."""
        moving, mine = iter(rest), iter(own)
        for index in indices:
            if index is None:
                self.places.append((None, (next(moving),)))
            else:
                axes = next(mine)
                self.places.append((index, tuple(None if a is None else batch[a] for a in axes)))
        self.serial = tuple(batch)

    def _store(self, variable: Variable) -> None:
        low = self.low
        positions = [self._position(v, axes) for v, axes in self.places if v is not None]
        moves = [axes[0] if v is None else None for v, axes in self.places]
        gathered = tuple(d for d, (v, _) in enumerate(self.places) if v is not None)
        target = self.operand(self.part, low.array_dtype[self.part], moves, "scatter", gathered)
        dtype = "float32" if target.dtype == "float16" else target.dtype
        value = self.k.cast(self.values[variable], dtype)
        self.k.store(target, value, tuple(positions), add=self.add)

    def _position(self, index: Variable, axes: Sequence[int | None]) -> Val:
        if index.type.ndim == 0:
            return self.k.cast(self.scalar(index), "int64")
        array = self.low.array(index)
        return self.k.cast(self.k.load(self.operand(array, index.type.dtype, axes, "in")), "int64")
