"""The memory plan: dead steps removed, scratch slots assigned by lifetime."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from theano.lower import program as pg


def reads(step: pg.Step) -> tuple[list[str], list[str]]:
    """(arrays, registers) that a step reads; a launch's outputs are among the arrays."""
    arrays, registers = _READS[type(step)](step)
    return arrays, [r for r in registers if isinstance(r, str)]


_READS = {
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
}


def written(step: pg.Step) -> list[str]:
    """Existing arrays whose elements a step changes."""
    if isinstance(step, pg.Launch):
        return [
            binding.array
            for operand, binding in zip(step.kernel.operands, step.operands, strict=True)
            if operand.mode != "in"
        ]
    if isinstance(step, pg.Call):
        return [step.arrays[0]]
    return [step.array] if isinstance(step, pg.Poke) else []


def defined(step: pg.Step) -> list[str]:
    """Names that a step introduces."""
    if isinstance(step, pg.PyCall):
        return [name for name, _, _ in step.outs]
    name = getattr(step, "out", None)
    return [] if name is None else [name]


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


def assign_slots(
    steps: Sequence[pg.Step], results: Sequence[pg.Result]
) -> tuple[tuple[pg.Step, ...], int]:
    """Give every ``slot`` a number; a slot is taken again once its tenant and its views are dead."""
    roots: dict[str, set[str]] = {}
    last: dict[str, int] = {}
    for position, step in enumerate(steps):
        if isinstance(step, pg.View) or isinstance(step, pg.Reshape):
            roots[step.out] = roots.get(step.source, {step.source}) | {step.out}
        for array in reads(step)[0]:
            for owner in roots.get(array, {array}):
                last[owner] = position
    for result in results:
        for owner in roots.get(result.array, {result.array}):
            last[owner] = len(steps)
    return _assign(steps, last)


def _assign(steps: Sequence[pg.Step], last: dict[str, int]) -> tuple[tuple[pg.Step, ...], int]:
    free: list[tuple[object, int]] = []
    tenants: dict[int, list[tuple[object, int]]] = {}
    slots = 0
    planned: list[pg.Step] = []
    for position, step in enumerate(steps):
        if isinstance(step, (pg.Alloc, pg.Reshape)) and step.place == "slot":
            key = (step.dtype, step.dims)
            index = next((i for i, (k, _) in enumerate(free) if k == key), len(free) - 1)
            if free:
                slot = free.pop(index)[1]
            else:
                slot, slots = slots, slots + 1
            tenants.setdefault(max(last.get(step.out, position), position), []).append((key, slot))
            step = replace(step, place=f"slot:{slot}")
        planned.append(step)
        free.extend(tenants.pop(position, ()))
    return tuple(planned), slots
