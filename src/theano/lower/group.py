"""Which nodes run in one kernel: producers into consumers, reductions with the maps around them,
row chains (reduce, then map over the same rows), several results over one domain.

A group has kernel axes (size atoms, no 1s), a set of *inner* axes (those that its reductions run
over; empty for a pure map) and, for every variable it computes, a map from the variable's
dimensions to kernel axes. A variable is at the *full* level (it varies over all axes) or at the
*outer* level (over the outer axes only). ``time`` orders the stages: loop ``s`` is time ``2 s``,
the code between loops ``s`` and ``s + 1`` is time ``2 s + 1``.

DimShuffle never separates nodes: uses look through it (``resolve``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Any

from theano.core.record import dataclass
from theano.graph.nodes import Apply, Variable
from theano.lower.sizes import Atom, Sizes, canonical
from theano.lower.uses import Use, resolve, uses_of

LIMIT = 6000  # nodes in one kernel
LARGE = 100  # nodes in a group that is rather extended than merged into another
FAR = 1000  # units looked at before two are taken to depend on each other
NEAR = 16  # groups that read one array and are compared with the next that does


class CyclicGroupsError(RuntimeError):
    """Grouping went wrong: lowering starts again without fusion."""


class Unit:
    """Something emitted as a whole: a group of nodes or a single node."""

    __slots__ = ("deps", "group", "last", "merged", "nodes", "position")

    def __init__(self, node: Apply, position: int, deps: Iterable[Unit]) -> None:
        self.nodes = [node]
        self.position = position  # of its first node
        self.last = position  # of its last
        self.deps = set(deps)
        self.group: Group | None = None
        self.merged: Unit | None = None

    def find(self) -> Unit:
        """The unit that this one has become part of."""
        unit = self
        while unit.merged is not None:
            unit = unit.merged
        return unit


@dataclass()
class Group:
    """The domain of a unit that is a kernel."""

    axes: list[Atom]
    inner: frozenset[int] = frozenset()
    maps: dict[Variable, tuple[int | None, ...]] = field(default_factory=dict)
    times: dict[Variable, int] = field(default_factory=dict)
    outer_level: set[Variable] = field(default_factory=set)
    points: dict[Apply, tuple[int | None, ...]] = field(default_factory=dict)
    folds: set[Apply] = field(default_factory=set)  # those over at least one kernel axis

    @property
    def outer(self) -> list[int]:
        """Kernel axes that are not reduced."""
        return [axis for axis in range(len(self.axes)) if axis not in self.inner]

    def trailing(self, inner: frozenset[int]) -> bool:
        """Whether several loops over ``inner`` pay: it is a suffix of the axes, or holds the last
        two (the pixels of a channel: long enough that steps from image to image do not count)."""
        rank = len(self.axes)
        suffix = inner == frozenset(range(rank - len(inner), rank))
        return suffix or inner >= {rank - 1, rank - 2}


@dataclass(frozen=True)
class Placement:
    """How a node would sit in a group: ``map`` of its outputs, ``points`` of its domain (the input
    of a reduction, the output of a map)."""

    map: tuple[int | None, ...]
    points: tuple[int | None, ...]
    inner: frozenset[int]
    time: int
    outer_level: bool


class Grouping:
    """Assigns nodes to units; see the module text."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.unit_of: dict[Apply, Unit] = {}
        self.units: list[Unit] = []
        self.order: dict[Apply, int] = {}

    def add(self, node: Apply, kind: str, fuse: bool) -> None:
        """Take the next node in topological order."""
        self.order[node] = len(self.order)
        uses = uses_of(node) if kind in ("map", "reduce") else None
        bases = [resolve(v, fills=False)[0] for v in node.inputs]
        read = {use.base for use in uses or ()}
        deps = set()
        for base in [*bases, *read]:
            unit = None if base.owner is None else self.unit_of.get(base.owner)
            # Of what a kernel computes, the extents are known without it.
            if unit is not None and (uses is None or base in read or base.type.ndim == 0
                                     or unit.find().group is None):  # fmt: skip
                deps.add(unit.find())
        if uses is not None and fuse:
            unit = self._join(node, kind, uses, deps)
            if unit is not None:
                self.unit_of[node] = unit
                return
        unit = Unit(node, self.order[node], {u.find() for u in deps})
        if uses is not None:
            unit.group = self._fresh(node, kind, uses)
        self.units.append(unit)
        self.unit_of[node] = unit

    # a new group ----------------------------------------------------------------------------

    def _fresh(self, node: Apply, kind: str, uses: Sequence[Use]) -> Group:
        shape = self.sizes.dims[node.outputs[0] if kind == "map" else node.inputs[0]]
        axes = [atom for atom in shape if canonical(atom) != 1]
        numbers = iter(range(len(axes)))
        full = tuple(next(numbers) if canonical(atom) != 1 else None for atom in shape)
        group = Group(axes)
        if kind == "map":
            self._enter(group, node, Placement(full, full, group.inner, 0, False))
        else:
            self._enter(group, node, _reduced(node, full, 0))
        return group

    def _enter(self, group: Group, node: Apply, place: Placement) -> None:
        group.inner = group.inner | place.inner
        group.points[node] = place.points
        if place.inner and place.outer_level and node.op.lowering == "reduce":
            group.folds.add(node)
        for output in node.outputs:
            group.maps[output] = place.map
            group.times[output] = place.time
            if place.outer_level:
                group.outer_level.add(output)

    # joining --------------------------------------------------------------------------------

    def _join(self, node: Apply, kind: str, uses: Sequence[Use], deps: set[Unit]) -> Unit | None:
        owners = (use.base.owner for use in uses)
        read = {self.unit_of[owner].find() for owner in owners if owner in self.unit_of}
        candidates = sorted(
            (u for u in read if u.group is not None),
            key=lambda u: (len(u.nodes) > LARGE, u.position),
            reverse=True,
        )
        for unit in candidates:
            place = self._try(unit, node, kind, uses, deps)
            if place is None:
                continue
            others = [u for u in candidates if u is not unit]
            for other in others:
                if self._absorb(unit, other, node, kind, uses, place):
                    deps = {u.find() for u in deps}
                    again = self._try(unit, node, kind, uses, deps)
                    if again is None:  # a loop after a reduction that is not over such axes
                        return None
                    place = again
            assert unit.group is not None
            self._enter(unit.group, node, place)
            unit.nodes.append(node)
            unit.last = self.order[node]
            unit.deps |= {u for u in deps if u is not unit}
            return unit
        return None

    def _try(
        self, unit: Unit, node: Apply, kind: str, uses: Sequence[Use], deps: set[Unit]
    ) -> Placement | None:
        group = unit.group
        assert group is not None
        if len(unit.nodes) >= LIMIT or any(u.gathered and u.base in group.maps for u in uses):
            return None
        place = (
            self._place_map(group, node, uses)
            if kind == "map"
            else self._place_reduce(group, node, uses[0])
        )
        if place is None:
            return None
        inner = group.inner | place.inner
        if place.time > 1 and (len(inner) == len(group.axes) or not group.trailing(inner)):
            return None
        if any(self._reaches(unit, other) for other in deps if other is not unit):
            return None
        return place

    def _place_map(self, group: Group, node: Apply, uses: Sequence[Use]) -> Placement | None:
        shape = self.sizes.of(node.outputs[0])
        found = _align(group, uses, len(shape))
        if found is None:
            return None
        outer = set(group.outer)
        complete = all(found[d] is not None or shape[d] == 1 for d in range(len(shape)))
        level = bool(group.inner) and complete and {a for a in found if a is not None} == outer
        level = level and not self._uses_full(group, uses)
        if not level:
            free = [a for a in range(len(group.axes)) if a not in found]
            for d, atom in enumerate(shape):
                if found[d] is None and atom != 1:
                    match = next(
                        (a for a in free if not self.sizes_differ(group.axes[a], atom)), None
                    )
                    if match is None:
                        return None
                    found[d] = match
                    free.remove(match)
            if free:
                return None
        if any(a is not None and self.sizes_differ(group.axes[a], shape[d])
               for d, a in enumerate(found)):  # fmt: skip
            return None
        time = -1 if level else 0
        for use in uses:
            if use.base in group.times:
                t = group.times[use.base]
                time = max(time, t + 1 if t % 2 and not level else t)
        return Placement(tuple(found), tuple(found), group.inner, max(time, int(level)), level)

    @staticmethod
    def _uses_full(group: Group, uses: Sequence[Use]) -> bool:
        return any(u.base in group.maps and u.base not in group.outer_level for u in uses)

    @staticmethod
    def sizes_differ(a: Atom, b: Atom) -> bool:
        """Whether two atoms are not known to be equal."""
        a, b = canonical(a), canonical(b)
        return not (a is b or (isinstance(a, int) and a == b))

    def _place_reduce(self, group: Group, node: Apply, use: Use) -> Placement | None:
        if use.base not in group.maps or use.base in group.outer_level:
            return None
        base_map = group.maps[use.base]
        full = tuple(None if d is None else base_map[d] for d in use.dims)
        shape = self.sizes.dims[node.inputs[0]]
        # Repeats of a value (a fill) are points that the group lacks.
        if any(a is None and canonical(n) != 1 for a, n in zip(full, shape, strict=True)):
            return None
        if {a for a in full if a is not None} != set(range(len(group.axes))):
            return None
        if node.op.kind.startswith("arg") and [a for a in full if a is not None] != sorted(
            a for a in full if a is not None
        ):
            return None
        place = _reduced(node, full, group.times[use.base])
        if group.inner and place.inner and place.inner != group.inner:
            return None
        return place

    # merging two groups -----------------------------------------------------------------------

    def _absorb(self, unit: Unit, other: Unit, node: Apply, kind: str, uses: Sequence[Use],
                place: Placement) -> bool:  # fmt: skip
        b = unit.group and other.group
        assert b is not None
        if kind != "map" or len(unit.nodes) + len(other.nodes) > LIMIT:
            return False
        turn: dict[int, int] = {}
        for use in uses:
            if use.base not in b.maps:
                continue
            if use.gathered:
                return False
            for d, o in zip(use.dims, use.align, strict=True):
                axis = None if d is None else b.maps[use.base][d]
                target = None if o is None else place.map[o]
                if axis is not None and (target is None or turn.setdefault(axis, target) != target):
                    return False
        return self._merge(unit, other, turn)

    def _merge(self, unit: Unit, other: Unit, turn: dict[int, int]) -> bool:
        a, b = unit.group, other.group
        assert a is not None
        assert b is not None
        if not self._complete(a, b, turn):
            return False
        inner = frozenset(turn[axis] for axis in b.inner)
        if a.inner and inner and a.inner != inner:
            return False
        if max(b.times.values()) > 1 and not a.trailing(inner):
            return False
        if max(a.times.values()) > 1 and not a.trailing(a.inner):
            return False
        if self._reaches(unit, other, direct=True) or self._reaches(other, unit, direct=True):
            return False
        a.inner = a.inner or inner
        for variable, found in b.maps.items():
            a.maps[variable] = tuple(None if m is None else turn[m] for m in found)
        for node, points in b.points.items():
            a.points[node] = tuple(None if m is None else turn[m] for m in points)
        a.times.update(b.times)
        a.outer_level |= b.outer_level
        a.folds |= b.folds
        unit.nodes.extend(other.nodes)
        unit.deps = {u.find() for u in unit.deps | other.deps} - {unit, other}
        unit.position = min(unit.position, other.position)
        unit.last = max(unit.last, other.last)
        other.merged = unit
        return True

    def _complete(self, a: Group, b: Group, turn: dict[int, int]) -> bool:
        """Give the other axes of ``b`` a place among those of ``a``; False if that cannot be."""
        free = [axis for axis in range(len(a.axes)) if axis not in turn.values()]
        for axis, atom in enumerate(b.axes):
            if axis not in turn:
                match = next((f for f in free if not self.sizes_differ(a.axes[f], atom)), None)
                if match is None:
                    return False
                turn[axis] = match
                free.remove(match)
        differ = any(self.sizes_differ(a.axes[t], b.axes[s]) for s, t in turn.items())
        return not free and not differ

    def merge_siblings(self) -> None:
        """Join independent groups over one domain that read the same array."""
        readers: dict[Variable, list[tuple[Unit, tuple[int | None, ...]]]] = {}
        for unit in self.live():
            for base, axes in self._reads(unit).items():
                readers.setdefault(base, []).append((unit, axes))
        for entries in readers.values():
            head: list[tuple[Unit, tuple[int | None, ...]]] = []
            for unit, axes in entries:
                if unit.merged is not None:
                    continue
                if not any(self._pair(first, theirs, unit, axes) for first, theirs in head[-NEAR:]):
                    head.append((unit, axes))

    def _pair(self, first: Unit, theirs: Any, unit: Unit, axes: Any) -> bool:
        if first.merged is not None or unit.merged is not None or first is unit:
            return False
        a, b = first.group, unit.group
        if a is None or b is None or bool(a.inner) != bool(b.inner):
            return False
        turn: dict[int, int] = {}
        for s, t in zip(axes, theirs, strict=True):
            if (s is None) != (t is None):
                return False
            if s is not None:
                turn[s] = t
        if len(turn) != len(a.axes):
            return False
        return self._merge(first, unit, turn)

    def _reads(self, unit: Unit) -> dict[Variable, tuple[int | None, ...]]:
        group = unit.group
        if group is None:
            return {}
        found: dict[Variable, tuple[int | None, ...]] = {}
        for node in unit.nodes:
            place = group.points[node]
            for use in uses_of(node):
                if use.gathered or use.base in group.maps or use.base.type.ndim == 0:
                    continue
                axes: list[int | None] = [None] * use.base.type.ndim
                for d, o in zip(use.dims, use.align, strict=True):
                    if d is not None and o is not None:
                        axes[d] = place[o]
                found.setdefault(use.base, tuple(axes))
        return found

    # reachability -----------------------------------------------------------------------------

    def _reaches(self, source: Unit, target: Unit, direct: bool = False) -> bool:
        """Whether ``target`` depends on ``source`` through other units (``direct``: or at once)."""
        if target is source:
            return False
        seen = {target}
        stack = [target]
        while stack:
            unit = stack.pop()
            if len(seen) > FAR:
                return True
            for dep in unit.deps:
                dep = dep.find()
                if dep is source:
                    return True
                if dep.last > source.position and dep not in seen:
                    seen.add(dep)
                    stack.append(dep)
        return False

    def live(self) -> list[Unit]:
        """Units that have not been merged into another."""
        return [unit for unit in self.units if unit.merged is None]

    def schedule(self) -> list[Unit]:
        """The units in an order of execution."""
        done: set[Unit] = set()
        entered: set[Unit] = set()
        order: list[Unit] = []
        for start in self.live():
            start.nodes.sort(key=self.order.__getitem__)
            stack = [start]
            while stack:
                unit = stack[-1]
                if unit in done:
                    stack.pop()
                    continue
                pending = [d for d in {d.find() for d in unit.deps} if d not in done]
                pending = [d for d in pending if d is not unit]
                entered.add(unit)
                if any(d in entered for d in pending):
                    raise CyclicGroupsError("groups depend on each other")
                if pending:
                    stack.extend(sorted(pending, key=lambda u: -u.position))
                else:
                    done.add(unit)
                    order.append(unit)
                    stack.pop()
        return order


def _reduced(node: Apply, full: tuple[int | None, ...], time: int) -> Placement:
    axes = node.op.axis
    reduced = set(range(len(full))) if axes is None else set(axes)
    inner = frozenset(a for d, a in enumerate(full) if d in reduced and a is not None)
    keep = tuple(a for d, a in enumerate(full) if d not in reduced)
    return Placement(keep, full, inner, time + bool(inner), bool(inner))


def _align(group: Group, uses: Sequence[Use], rank: int) -> list[int | None] | None:
    found: list[int | None] = [None] * rank
    for use in uses:
        if use.gathered or use.base not in group.maps:
            continue
        base_map = group.maps[use.base]
        for d, o in zip(use.dims, use.align, strict=True):
            axis = None if d is None else base_map[d]
            if axis is None:
                continue
            if o is None or found[o] not in (None, axis):
                return None
            found[o] = axis
    taken = [a for a in found if a is not None]
    return found if len(set(taken)) == len(taken) else None
