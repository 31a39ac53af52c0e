"""Biases and rectifiers behind convolutions, in the routine that computes them.

A kernel that does nothing but add a bias per filter to what ``conv`` computed, and perhaps replace
what is below 0 by 0, is a pass over memory that the routine ``conv_bias`` does without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from theano.kernel import ir
from theano.lower import memory
from theano.lower import program as pg


class End(NamedTuple):
    """A call of ``conv`` and the kernel behind it, by position, and what does both."""

    call: int
    launch: int
    unneeded: tuple[int, ...]
    view: pg.View
    both: pg.Call


def find(steps: Sequence[pg.Step], results: Sequence[pg.Result]) -> list[End]:
    """The convolutions among ``steps`` that may end with what comes behind them."""
    calls = [i for i, s in enumerate(steps) if isinstance(s, pg.Call) and s.function == "conv"]
    if not calls:
        return []
    users: dict[str, list[int]] = {}
    made: dict[str, int] = {}
    for position, step in enumerate(steps):
        for array in dict.fromkeys(memory.reads(step)[0]):
            users.setdefault(array, []).append(position)
        made.update(dict.fromkeys(memory.defined(step), position))
    kept = {result.array for result in results}
    found = (_end(steps, place, users, made, kept) for place in calls)
    return [end for end in found if end is not None]


def joined(steps: Sequence[pg.Step], ends: Sequence[End]) -> tuple[pg.Step, ...]:
    """``steps`` with the ends in the calls."""
    changed: dict[int, tuple[pg.Step, ...]] = {}
    for end in ends:
        changed.update(dict.fromkeys((end.call, *end.unneeded), ()))
        changed[end.launch] = (end.view, end.both)
    return tuple(s for i, step in enumerate(steps) for s in changed.get(i, (step,)))


def _end(
    steps: Sequence[pg.Step], place: int, users: Mapping[str, list[int]], made: Mapping[str, int],
    kept: set[str],
) -> End | None:  # fmt: skip
    call = steps[place]
    assert isinstance(call, pg.Call)
    at = made.get(call.arrays[0], -1)
    view = steps[at] if at >= 0 else None
    if not isinstance(view, pg.View) or view.starts or users[view.out] != [place]:
        return None
    start = made.get(view.source, -1)
    base = steps[start] if start >= 0 else None
    if not isinstance(base, pg.Alloc) or base.out in kept or not _whole(view, base):
        return None
    uses = users[base.out]
    if len(uses) != 2 or uses[0] != at or not isinstance(steps[uses[1]], pg.Launch):
        return None
    later = uses[1]
    launch = steps[later]
    assert isinstance(launch, pg.Launch)
    form = _form(launch, base)
    if form is None or _changed(steps[place + 1 : later], (*call.arrays[1:], form[0]), steps):
        return None
    bias, out, rectified = form
    target = steps[made[out]] if out in made else None
    if not isinstance(target, pg.Alloc) or (target.dtype, target.dims) != (base.dtype, base.dims):
        return None
    both = replace(
        call, function="conv_bias", arrays=(*call.arrays, bias),
        scalars=(*call.scalars, int(rectified)),
    )  # fmt: skip
    return End(place, later, (start, at), replace(view, source=out), both)


def _whole(view: pg.View, base: pg.Alloc) -> bool:
    """Whether a view has all elements of an array, with axes of extent 1 between them."""
    moving = [a for a in view.axes if a.source is not None]
    full = [(i, n, 1) for i, n in enumerate(base.dims)]
    return [(a.source, a.length, a.step) for a in moving] == full


def _changed(between: Sequence[pg.Step], arrays: Sequence[str], steps: Sequence[pg.Step]) -> bool:
    """Whether what the call reads might be changed before the kernel runs."""
    roots = memory.storage_roots(steps)
    needed = {roots.get(a, a) for a in arrays}
    return any(
        isinstance(s, pg.PyCall) or needed & {roots.get(a, a) for a in memory.written(s)}
        for s in between
    )


def _form(launch: pg.Launch, base: pg.Alloc) -> tuple[str, str, bool] | None:
    """(bias, result, whether it is rectified) of a kernel that only ends a convolution."""
    kernel, rank = launch.kernel, len(base.dims)
    if kernel.inner or kernel.serial or launch.extents != base.dims or launch.scalars:
        return None
    straight = tuple(range(rank))
    along = (None, 0, *(None,) * (rank - 2))
    roles: dict[str, str] = {}
    arrays: dict[str, str] = {}
    for operand, bound in zip(kernel.operands, launch.operands, strict=True):
        role = "bias"
        if operand.mode == "out":
            role = "out"
        elif bound.array == base.out:
            role = "sum"
        axes = along if role == "bias" else straight
        fits = bound.axes == axes and not operand.gather and operand.dtype == base.dtype
        if not fits or role in arrays or operand.mode == "scatter":
            return None
        roles[operand.name], arrays[role] = role, bound.array
    if arrays.keys() != {"sum", "bias", "out"}:
        return None
    rectified = _FORMS.get(_value(kernel, roles))
    return None if rectified is None else (arrays["bias"], arrays["out"], rectified)


def _value(kernel: ir.Kernel, roles: Mapping[str, str]) -> Any:
    """What a kernel stores, as a tree; None if it is more than primitives of what it loads."""
    trees: dict[str, Any] = {}
    stored = None
    for s in kernel.stages[0].body if len(kernel.stages) == 1 else ():
        if isinstance(s, ir.Const):
            trees[s.out] = s.value
        elif isinstance(s, ir.Load) and not s.index:
            trees[s.out] = roles[s.operand]
        elif isinstance(s, ir.Apply):
            # Order does not matter to any primitive of the forms.
            trees[s.out] = (s.prim, *sorted((trees[a] for a in s.args), key=repr))
        elif isinstance(s, ir.Store) and stored is None and not (s.index or s.add):
            stored = trees[s.value]
        else:
            return None
    return stored


def _tree(prim: str, *args: Any) -> Any:
    return (prim, *sorted(args, key=repr))


_SUM = _tree("add", "sum", "bias")
#: What kernels store, and whether that is rectified.
_FORMS: Mapping[Any, bool] = {
    _SUM: False,
    _tree("max", _SUM, 0.0): True,
    _tree("mul", 0.5, _tree("add", _SUM, _tree("abs", _SUM))): True,
}
