"""Sums into elements named by the same indices, in one pass over them.

Gradients of several lookups by one index vector are scatters of single elements, one after the
other. Each waits for its own last write; side by side they wait together, and the indices are read
once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from theano.kernel import ir
from theano.lower import memory
from theano.lower import program as pg

FAR = 64  # steps between two scatters that are merged


def merge_scatters(steps: Sequence[pg.Step]) -> list[pg.Step]:
    """``steps`` with scatters of elements over one domain merged into the first of them."""
    found: list[pg.Step] = list(steps)
    roots = memory.storage_roots(found)
    place = 0
    while place < len(found):
        partner = _partner(found, place, roots) if _elements(found[place]) else None
        if partner is None:
            place += 1
            continue
        later, up = partner
        both = _merged(found[place], found[later])  # type: ignore[arg-type]
        found[place if up else later] = both
        del found[later if up else place]
    return found


def _partner(
    steps: Sequence[pg.Step], place: int, roots: Mapping[str, str]
) -> tuple[int, bool] | None:
    """A later scatter to merge with, and whether it moves up (else the first one moves down)."""
    for later in range(place + 1, min(place + FAR, len(steps))):
        if _fits(steps[place], steps[later]):
            if _may_move(steps, place, later, roots):
                return later, True
            if _may_sink(steps, place, later, roots):
                return later, False
    return None


def _elements(step: pg.Step) -> bool:
    """Whether a step adds single elements at computed places, in order."""
    if not isinstance(step, pg.Launch):
        return False
    kernel = step.kernel
    return (
        len(kernel.serial) == 1
        and kernel.serial == kernel.axes
        and len(kernel.stages) == 1
        and any(o.mode == "scatter" for o in kernel.operands)
    )


def _fits(first: pg.Step, second: pg.Step) -> bool:
    if not _elements(second):
        return False
    assert isinstance(first, pg.Launch)
    assert isinstance(second, pg.Launch)
    mine, theirs = (
        {b.array for o, b in zip(s.kernel.operands, s.operands, strict=True) if o.mode == "in"}
        for s in (first, second)
    )
    return first.extents == second.extents and bool(mine & theirs)


def _may_move(steps: Sequence[pg.Step], to: int, place: int, roots: Mapping[str, str]) -> bool:
    """Whether the step at ``place`` may run right after the one at ``to``."""
    arrays, registers = memory.reads(steps[place])
    storage = {roots.get(a, a) for a in arrays}
    writes = {roots.get(a, a) for a in memory.written(steps[place])}
    needed = {*arrays, *registers}
    here = {roots.get(a, a) for a in memory.reads(steps[to])[0]}
    there = {roots.get(a, a) for a in memory.written(steps[to])}
    if writes & here or storage & there:
        return False
    for step in steps[to + 1 : place]:
        if isinstance(step, pg.PyCall) or needed & set(memory.defined(step)):
            return False
        touched = {roots.get(a, a) for a in memory.reads(step)[0]}
        changed = {roots.get(a, a) for a in memory.written(step)}
        if writes & touched or storage & changed:
            return False
    return True


def _may_sink(steps: Sequence[pg.Step], place: int, to: int, roots: Mapping[str, str]) -> bool:
    """Whether the step at ``place`` may run right before the one at ``to``."""
    storage = {roots.get(a, a) for a in memory.reads(steps[place])[0]}
    writes = {roots.get(a, a) for a in memory.written(steps[place])}
    for step in steps[place + 1 : to + 1]:
        touched = {roots.get(a, a) for a in memory.reads(step)[0]}
        changed = {roots.get(a, a) for a in memory.written(step)}
        if writes & touched or storage & changed or isinstance(step, pg.PyCall):
            return False
    return True


def _merged(first: pg.Launch, second: pg.Launch) -> pg.Launch:
    """One launch that does both."""
    axis = dict(zip(second.kernel.axes, first.kernel.axes, strict=True))
    names: dict[str, str] = dict(axis)
    operands, bindings = list(first.kernel.operands), list(first.operands)
    params, scalars = list(first.kernel.scalars), list(first.scalars)
    for operand, bound in zip(second.kernel.operands, second.operands, strict=True):
        moved = replace(operand, axes=tuple(axis[a] for a in operand.axes))
        known = [
            o.name for o, b in zip(operands, bindings, strict=True)
            if b == bound and replace(o, name="") == replace(moved, name="") and o.mode == "in"
        ]  # fmt: skip
        if known:
            names[operand.name] = known[0]
            continue
        names[operand.name] = f"m{operand.name}_{len(operands)}"
        operands.append(replace(moved, name=names[operand.name]))
        bindings.append(bound)
    for param, value in zip(second.kernel.scalars, second.scalars, strict=True):
        names[param.name] = f"m{param.name}_{len(params)}"
        params.append(replace(param, name=names[param.name]))
        scalars.append(value)
    for statement in second.kernel.stages[0].body:
        out = getattr(statement, "out", None)
        if out is not None:
            names[out] = f"m{out}_{len(operands)}"
    body = tuple(_renamed(s, names) for s in second.kernel.stages[0].body)
    stage = ir.Stage("each", first.kernel.stages[0].body + body)
    kernel = replace(first.kernel, operands=tuple(operands), scalars=tuple(params), stages=(stage,))
    return replace(first, kernel=kernel, operands=tuple(bindings), scalars=tuple(scalars))


_NAMES = ("out", "operand", "value", "axis")


def _renamed(statement: ir.Stmt, names: Mapping[str, str]) -> Any:
    """A statement with other names for values, operands and axes."""
    changes: dict[str, Any] = {}
    for field in fields(statement):
        has = getattr(statement, field.name)
        if field.name in ("args", "index"):
            changes[field.name] = tuple(names.get(v, v) for v in has)
        elif field.name in _NAMES and isinstance(has, str) and not isinstance(statement, ir.Const):
            changes[field.name] = names.get(has, has)
    if isinstance(statement, ir.Const):
        changes["out"] = names[statement.out]
    return replace(statement, **changes)
