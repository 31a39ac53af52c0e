"""Which updates may be written straight over the shared variable's old storage.

Such steps run last, after everything that can fail and after every other reader of the old value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from theano.graph.nodes import Apply, Variable
from theano.graph.shared import SharedVariable
from theano.lower.group import Unit
from theano.lower.kernels import base_axes
from theano.lower.uses import resolve, uses_of

if TYPE_CHECKING:
    from theano.lower.function import Lowering


def donations(lowering: Lowering) -> Iterator[tuple[SharedVariable, Variable, Unit]]:
    """(shared variable, its update, the unit that computes it) where storage can be reused."""
    targets = lowering.targets
    dependents: dict[Unit, set[Unit]] = {}
    for unit in lowering.grouping.live():
        for dep in unit.deps:
            dependents.setdefault(dep.find(), set()).add(unit)
    for shared, update in lowering.updates:
        node = update.owner
        if node is None or targets.count(update) != 1 or lowering.clients.get(update):
            continue
        if any(resolve(v, fills=False)[0] is update and v is not update for v in targets):
            continue
        unit = lowering.grouping.unit_of.get(node)
        if unit is None:
            continue
        unit = unit.find()
        if dependents.get(unit, set()) - {unit}:
            continue
        if lowering.sizes.of(shared) != lowering.sizes.of(update):
            if lowering.kinds[node] == "map":
                continue
        if lowering.sizes.of(shared) == lowering.sizes.of(update) and _in_place(
            lowering, shared, update, unit
        ):
            yield shared, update, unit


def _in_place(lowering: Lowering, shared: SharedVariable, update: Variable, unit: Unit) -> bool:
    node = update.owner
    assert node is not None
    kind = lowering.kinds[node]
    if kind == "map":
        return _map_in_place(lowering, shared, update, unit)
    if kind == "call" and type(node.op).__name__ == "Gemm":
        others = [_storage(v) for v in node.inputs[1:]]
        return node.inputs[0] is shared and shared not in others
    if kind in ("scatter", "update_view"):
        return node.inputs[0] is shared and shared not in [_storage(v) for v in node.inputs[1:]]
    return False


def _map_in_place(lowering: Lowering, shared: SharedVariable, update: Variable, unit: Unit) -> bool:
    group = unit.group
    assert group is not None
    if group.inner or any(_can_fail(node) for node in unit.nodes):
        return False
    where = group.maps[update]
    for node in unit.nodes:
        for use in uses_of(node):
            if _storage(use.base) is not shared:
                continue
            if use.base is not shared or use.gathered or base_axes(group, node, use) != where:
                return False
    return True


def _can_fail(node: Apply) -> bool:
    if getattr(node.op, "can_fail", False):
        return True
    if any(use.gathered and use.base.type.ndim for use in uses_of(node)):
        return True
    row = getattr(node.op, "scalar_op", None)
    integer = node.outputs[0].type.dtype.startswith(("int", "uint"))
    return integer and getattr(row, "name", "") in ("int_div", "mod")


def _storage(variable: Variable) -> Variable:
    """The variable whose storage this one's may be (through views and reshapes)."""
    while variable.owner is not None and getattr(variable.owner.op, "lowering", "") in (
        "view", "reshape",
    ):  # fmt: skip
        variable = variable.owner.inputs[0]
    return variable
