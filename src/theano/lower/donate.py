"""Which updates may be written straight over the shared variable's old storage.

Such steps run last, after everything that can fail and after every other reader of the old value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from theano.graph.nodes import Apply, Variable
from theano.graph.shared import SharedVariable
from theano.lower import memory
from theano.lower import program as pg
from theano.lower.group import Unit
from theano.lower.kernels import base_axes
from theano.lower.products import ACCUMULATE
from theano.lower.sizes import is_array
from theano.lower.uses import resolve, uses_of

if TYPE_CHECKING:
    from theano.lower.function import Lowering


def donations(lowering: Lowering) -> Iterator[tuple[SharedVariable, Variable, Unit]]:
    """(shared variable, its update, the unit that computes it) where storage can be reused."""
    readers: dict[Variable, set[Unit]] = {}  # of shared storage, among the units accepted
    taken: dict[Variable, Unit] = {}
    held = _held(lowering) if lowering.updates else set()
    for shared, update, unit in _candidates(lowering):
        same = lowering.sizes.of(shared) == lowering.sizes.of(update)
        if not same or shared in held or not _in_place(lowering, shared, update, unit):
            continue
        touched = _touched(unit)
        if readers.get(shared, set()) - {unit}:
            continue
        if any(taken.get(other, unit) is not unit for other in touched):
            continue
        taken[shared] = unit
        for other in touched:
            readers.setdefault(other, set()).add(unit)
        yield shared, update, unit


def _held(lowering: Lowering) -> set[Variable]:
    """Variables whose storage an object may keep, as a list of arrays does."""
    makers = (node for node in lowering.nodes if not all(map(is_array, node.outputs)))
    return {_storage(v) for node in makers for v in node.inputs}


def _candidates(lowering: Lowering) -> Iterator[tuple[SharedVariable, Variable, Unit]]:
    """Updates that nothing else reads, with their units, on which no other unit depends."""
    targets = Counter(lowering.targets)
    for target in list(targets):
        base = resolve(target, fills=False)[0]
        targets[base] += base is not target
    needed: set[Unit] = set()
    for unit in lowering.grouping.live():
        needed.update(found for found in (dep.find() for dep in unit.deps) if found is not unit)
    for shared, update in lowering.updates:
        found = lowering.grouping.unit_of.get(update.owner) if update.owner else None
        if found is None or targets[update] != 1 or lowering.clients.get(update):
            continue
        if not is_array(update):
            continue
        if found.find() not in needed:
            yield shared, update, found.find()


def _touched(unit: Unit) -> set[Variable]:
    """Roots whose storage a unit may read."""
    return {_storage(v) for node in unit.nodes for v in node.inputs}


def _in_place(lowering: Lowering, shared: SharedVariable, update: Variable, unit: Unit) -> bool:
    node = update.owner
    assert node is not None
    kind = lowering.kinds[node]
    if kind == "map":
        return _map_in_place(lowering, shared, update, unit)
    if kind == "call" and type(node.op).__name__ in ACCUMULATE and update.type.ndim <= 4:
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
    if any(use.gathered and node.inputs[use.position].type.ndim for use in uses_of(node)):
        return True
    row = getattr(node.op, "row", None)
    integer = node.outputs[0].type.dtype.startswith(("int", "uint"))
    return integer and getattr(row, "name", "") in ("int_div", "mod")


def _storage(variable: Variable) -> Variable:
    """The variable whose storage this one's may be (through views and reshapes)."""
    while variable.owner is not None:
        node = variable.owner
        shared = node.op.view_map.get(variable.index or 0)
        if getattr(node.op, "lowering", "") in ("view", "reshape"):
            variable = node.inputs[0]
        elif shared:
            variable = node.inputs[shared[0]]
        else:
            break
    return variable


def writes_last(steps: Sequence[pg.Step], donated: set[str]) -> list[pg.Step]:
    """The steps with those that write donated arrays, and what depends on them, at the end.

    All that can fail and all other readers of the old values then come first.
    """
    if not donated:
        return list(steps)
    roots = memory.storage_roots(steps)
    early: list[pg.Step] = []
    late: list[pg.Step] = []
    changed: set[str] = set()  # arrays that late steps write, registers that they define
    for step in steps:
        arrays, registers = memory.reads(step)
        storage = {roots.get(a, a) for a in arrays}
        targets = {roots.get(a, a) for a in memory.written(step)}
        if targets & donated or (storage - donated) & changed or changed & set(registers):
            changed |= targets | set(memory.defined(step))
            assert not isinstance(step, (pg.Check, pg.PyCall)), step
            late.append(step)
        else:
            early.append(step)
    return early + late
