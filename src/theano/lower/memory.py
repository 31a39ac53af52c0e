"""The memory plan: dead steps removed, scratch slots assigned by lifetime."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from theano.kernel.ir import Kernel, Load, Store
from theano.lower import program as pg


def reads(step: pg.Step) -> tuple[list[str], list[str]]:
    """(arrays, registers) that a step reads; a launch's outputs are among the arrays."""
    arrays, registers = _READS[type(step)](step)
    return arrays, [r for r in registers if isinstance(r, str)]


_READS: Mapping[type, Callable[[Any], tuple[list[str], list[pg.Arg]]]] = {
    pg.Let: lambda s: ([], list(s.args)),
    pg.Dim: lambda s: ([s.array], []),
    pg.Peek: lambda s: ([s.array], []),
    pg.Poke: lambda s: ([s.array], [s.value]),
    pg.Check: lambda s: ([], [s.condition]),
    pg.Alloc: lambda s: ([], list(s.dims)),
    pg.View: lambda s: (
        [s.source],
        [x for _, x in s.starts] + [x for a in s.axes for x in (a.length, a.step)],
    ),
    pg.Reshape: lambda s: ([s.source], list(s.dims)),
    pg.Launch: lambda s: ([o.array for o in s.operands], [*s.extents, *s.scalars]),
    pg.Call: lambda s: (list(s.arrays), list(s.scalars)),
    pg.PyCall: lambda s: (list(s.ins), []),
    pg.Loop: lambda s: _inside_reads(
        (s.body,),
        {s.index, *(o[0] for o in s.objects)},
        [s.count],
        [s.stop, *(o[1] for o in s.objects), *(o[2] for o in s.objects)],
    ),
    pg.Branch: lambda s: _inside_reads(
        (s.first, s.second), set(), [s.condition], [x for out in s.outs for x in out[3:]]
    ),
}


def _inside_reads(
    bodies: Sequence[Sequence[pg.Step]], own: set[str], outside: list[pg.Arg], after: list[str]
) -> tuple[list[str], list[pg.Arg]]:
    """What steps inside a step use and do not make. ``after``: names read when they have run."""
    arrays: dict[str, None] = {}
    registers: dict[pg.Arg, None] = dict.fromkeys(outside)
    for body in bodies:
        for step in body:
            used, read = reads(step)
            arrays.update(dict.fromkeys(a for a in used if a not in own))
            registers.update(dict.fromkeys(r for r in read if r not in own))
            own.update(defined(step))
    arrays.update(dict.fromkeys(a for a in after if a and a not in own))
    return list(arrays), list(registers)


def _inside_writes(step: pg.Step) -> list[str]:
    """Arrays made outside whose elements the steps inside ``step`` change."""
    found: dict[str, None] = {}
    for body in pg.bodies(step):
        own = {name for inner in body for name in defined(inner)}
        roots = storage_roots(body)
        targets = {roots.get(a, a): None for inner in body for a in written(inner)}
        found.update(dict.fromkeys(a for a in targets if a not in own))
    return list(found)


def written(step: pg.Step) -> list[str]:
    """Existing arrays whose elements a step changes."""
    if isinstance(step, pg.Launch):
        return [
            binding.array
            for operand, binding in zip(step.kernel.operands, step.operands, strict=True)
            if operand.mode != "in"
        ]
    if isinstance(step, pg.Call):
        return list(step.arrays[: step.writes])
    if isinstance(step, (pg.Loop, pg.Branch)):
        return _inside_writes(step)
    return [step.array] if isinstance(step, pg.Poke) else []


def defined(step: pg.Step) -> list[str]:
    """Names that a step introduces."""
    if isinstance(step, (pg.PyCall, pg.Branch)):
        return [out[0] for out in step.outs]
    name = getattr(step, "out", None)
    more = [o[3] for o in step.objects] if isinstance(step, pg.Loop) else []
    return [name, *more] if name else more


def storage_roots(steps: Iterable[pg.Step]) -> dict[str, str]:
    """For each view, the array whose storage it may share."""
    roots: dict[str, str] = {}
    for step in steps:
        if isinstance(step, (pg.View, pg.Reshape)):
            roots[step.out] = roots.get(step.source, step.source)
    return roots


def remove_dead(
    steps: Sequence[pg.Step], results: Sequence[pg.Result], params: Sequence[pg.Param]
) -> tuple[pg.Step, ...]:
    """Drop steps whose results nobody reads (checks stay)."""
    roots = storage_roots(steps)
    live = {r.array for r in results}
    stored = {roots.get(a, a) for a in live} | {p.name for p in params if p.kind == "shared"}
    kept: list[pg.Step] = []
    for step in reversed(steps):
        targets = [roots.get(a, a) for a in written(step)]
        needed = isinstance(step, pg.Check) or any(name in live for name in defined(step))
        needed = needed or any(target in stored for target in targets)
        if not needed:
            continue
        kept.append(step)
        arrays, registers = reads(step)
        live.update(arrays)
        live.update(registers)
        stored.update(roots.get(a, a) for a in arrays)
    return tuple(reversed(kept))


def tidy_body(steps: Sequence[pg.Step], names: Sequence[str]) -> tuple[pg.Step, ...]:
    """The body of a loop without dead steps, maps storing over what they read last.

    ``names``: registers and objects (or empty names) that are needed after the body.
    """
    own = {name for step in steps for name in defined(step)}
    roots = storage_roots(steps)
    outside = {roots.get(a, a) for step in steps for a in written(step)} - own
    results = [pg.Result("output", 0, name) for name in sorted(outside)]
    live = [*results, *(pg.Result("output", 0, name) for name in names if name)]
    return write_over(remove_dead(steps, live, ()), results)


class Lifetimes:
    """Per array: the steps that first and last touch it, or what may share its storage.

    ``owners``: for a view, a reshape or an array that a Python step gives, all arrays whose storage
    it may be, itself included. What a step that makes an object reads lives to the end, since the
    object may hold it.
    """

    def __init__(self, steps: Sequence[pg.Step], results: Sequence[pg.Result]) -> None:
        self.owners: dict[str, frozenset[str]] = {}
        self.first: dict[str, int] = {}
        self.last: dict[str, int] = {}
        for position, step in enumerate(steps):
            arrays = reads(step)[0]
            makes = {dtype for _, dtype, _ in step.outs} if isinstance(step, pg.PyCall) else ()
            if (
                isinstance(step, (pg.View, pg.Reshape, pg.PyCall, pg.Branch))
                and pg.OBJECT not in makes
            ):
                for out in defined(step):
                    self.owners[out] = frozenset([out]).union(*map(self.of, arrays))
            for array in arrays:
                self._touch(array, len(steps) if pg.OBJECT in makes else position)
        for result in results:
            self._touch(result.array, len(steps))

    def of(self, array: str) -> frozenset[str]:
        """The arrays whose storage this one's may be."""
        return self.owners.get(array) or frozenset([array])

    def _touch(self, array: str, position: int) -> None:
        for owner in self.of(array):
            self.first.setdefault(owner, position)
            self.last[owner] = max(position, self.last.get(owner, 0))


def write_over(steps: Sequence[pg.Step], results: Sequence[pg.Result]) -> tuple[pg.Step, ...]:
    """Let a map store its result over a temporary that it reads last, at the same points.

    The result's array becomes the temporary's: same dtype, same extents, bound along the same
    axes, and loaded before the store in the one stage that the kernel has.
    """
    lives = Lifetimes(steps, results)
    allocs = {s.out: s for s in steps if isinstance(s, pg.Alloc) and s.place == "slot"}
    turn: dict[str, str] = {}
    for position, step in enumerate(steps):
        if isinstance(step, pg.Launch) and is_map(step.kernel):
            for out, into in _over(step, position, lives, allocs):
                turn[out] = turn.get(into, into)
    if not turn:
        return tuple(steps)
    return tuple(
        _renamed(s, turn) for s in steps if not (isinstance(s, pg.Alloc) and s.out in turn)
    )


def is_map(kernel: Kernel) -> bool:
    """Whether each point of a kernel is computed on its own."""
    return len(kernel.stages) == 1 and kernel.stages[0].kind == "each" and not kernel.serial


def _over(
    step: pg.Launch, position: int, lives: Lifetimes, allocs: Mapping[str, pg.Alloc]
) -> Iterator[tuple[str, str]]:
    bound = list(zip(step.kernel.operands, step.operands, strict=True))
    users = Counter(owner for binding in step.operands for owner in lives.of(binding.array))
    free = [
        (operand, binding) for operand, binding in bound
        if operand.mode == "in" and binding.array in allocs and not operand.gather
        and lives.last[binding.array] == position and users[binding.array] == 1
    ]  # fmt: skip
    for operand, binding in bound:
        target = allocs.get(binding.array)
        if operand.mode != "out" or target is None or lives.first[target.out] != position:
            continue
        for source, other in free:
            had = allocs[other.array]
            fits = had.dtype == target.dtype and had.dims == target.dims
            if fits and other.axes == binding.axes and users[target.out] == 1 and (
                loads_first(step.kernel, source.name, operand.name)
            ):  # fmt: skip
                free.remove((source, other))
                yield target.out, other.array
                break


def loads_first(kernel: Kernel, source: str, target: str) -> bool:
    """Whether a map has loaded an operand, at each point, when it stores another."""
    stored = False
    for s in kernel.stages[0].body:
        if isinstance(s, Store):
            stored = stored or s.operand == target
        elif isinstance(s, Load) and s.operand == source and stored:
            return False
    return True


_NAMES = {
    pg.Dim: "array", pg.Peek: "array", pg.Poke: "array", pg.View: "source", pg.Reshape: "source",
}  # fmt: skip


def _renamed(step: pg.Step, turn: Mapping[str, str]) -> pg.Step:
    if not any(array in turn for array in reads(step)[0]):
        return step
    if isinstance(step, pg.Launch):
        operands = (replace(o, array=turn.get(o.array, o.array)) for o in step.operands)
        return replace(step, operands=tuple(operands))
    if isinstance(step, pg.Call):
        return replace(step, arrays=tuple(turn.get(a, a) for a in step.arrays))
    if isinstance(step, pg.PyCall):
        return replace(step, ins=tuple(turn.get(a, a) for a in step.ins))
    if isinstance(step, pg.Loop):
        return replace(step, body=tuple(_renamed(s, turn) for s in step.body))
    if isinstance(step, pg.Branch):
        first, second = (tuple(_renamed(s, turn) for s in b) for b in (step.first, step.second))
        outs = tuple((*o[:3], turn.get(o[3], o[3]), turn.get(o[4], o[4])) for o in step.outs)
        return replace(step, first=first, second=second, outs=outs)
    key = _NAMES[type(step)]
    changed: Any = {key: turn[getattr(step, key)]}
    return replace(step, **changed)


def assign_slots(
    steps: Sequence[pg.Step], results: Sequence[pg.Result]
) -> tuple[tuple[pg.Step, ...], int]:
    """Give every ``slot`` a number; it is taken again once its tenant and its views are dead."""
    planned, slots = _assign(steps, Lifetimes(steps, results).last, 0)
    return _inside(planned, slots)


def _inside(steps: Sequence[pg.Step], first: int) -> tuple[tuple[pg.Step, ...], int]:
    """The same for the steps inside of others, with slots that nothing else has: what a branch
    leaves behind lives on after it."""
    found: list[pg.Step] = []
    total = first
    for step in steps:
        bodies: list[tuple[pg.Step, ...]] = []
        for body in pg.bodies(step):
            outs = (
                [out[3 + len(bodies)] for out in step.outs] if isinstance(step, pg.Branch) else ()
            )
            results = [pg.Result("output", 0, str(name)) for name in outs]
            planned, total = _assign(body, Lifetimes(body, results).last, total)
            planned, total = _inside(planned, total)
            bodies.append(planned)
        if isinstance(step, pg.Loop):
            step = replace(step, body=bodies[0])
        elif isinstance(step, pg.Branch):
            step = replace(step, first=bodies[0], second=bodies[1])
        found.append(step)
    return tuple(found), total


_Key = tuple[object, ...]


def _assign(
    steps: Sequence[pg.Step], last: dict[str, int], first: int
) -> tuple[tuple[pg.Step, ...], int]:
    requests: dict[_Key, list[int]] = {}
    for position, step in enumerate(steps):
        if isinstance(step, (pg.Alloc, pg.Reshape)) and step.place == "slot":
            requests.setdefault((step.dtype, step.dims), []).append(position)
    held: dict[int, set[_Key]] = {}
    free: list[int] = []
    tenants: dict[int, list[int]] = {}
    planned: list[pg.Step] = []
    for position, step in enumerate(steps):
        if isinstance(step, (pg.Alloc, pg.Reshape)) and step.place == "slot":
            key = (step.dtype, step.dims)
            end = max(last.get(step.out, position), position)
            slot = _suiting([(s, held[s]) for s in free], key, requests, (position, end))
            if slot is None:
                slot = first + len(held)
            else:
                free.remove(slot)
            held.setdefault(slot, set()).add(key)
            tenants.setdefault(end, []).append(slot)
            step = replace(step, place=f"slot:{slot}")
        planned.append(step)
        free.extend(tenants.pop(position, ()))
    return tuple(planned), first + len(held)


def _suiting(
    free: Sequence[tuple[int, set[_Key]]], key: _Key, requests: Mapping[_Key, Sequence[int]],
    life: tuple[int, int],
) -> int | None:  # fmt: skip
    """Which free slot an array takes: one that held such an array before, else the one freed last
    of those whose former arrays nobody asks for again while this one lives."""

    def wanted(had: _Key) -> bool:
        later = requests[had]
        after = bisect.bisect_right(later, life[0])
        return after < len(later) and later[after] <= life[1]

    same = next((slot for slot, held in free if key in held), None)
    if same is not None:
        return same
    return next((slot for slot, held in reversed(free) if not any(map(wanted, held))), None)
