"""How a kernel's points are spread over a device: the variants of its text, and which one runs.

``item``: each work-item takes whole outer points, one after the other (pure maps; short rows; where
neighbouring columns are neighbours in memory; serial axes in order). ``group``: one work-group per
outer point, its items share the inner points and combine through local memory. ``block`` and
``merge``: a few long reductions, in two phases: blocks of the inner points give partial results,
which are then combined in order. The choice, and so the order of every sum, depends on extents and
strides only, never on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from theano.kernel import ir

LOCAL: Final = 64  # work-items in a group; one size, as PoCL compiles a kernel anew for each
_ITEM_GROUPS: Final = 1024
_SHORT: Final = 32  # inner points that one work-item does quickly
_MANY: Final = 1024  # outer points that keep a device busy, one item each
_LONG: Final = 1 << 15  # inner points worth splitting
BLOCKS: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """One enqueue: a variant of the kernel's text on so many groups."""

    variant: str
    groups: int
    blocks: int = 1


def variants(kernel: ir.Kernel) -> tuple[str, ...]:
    """The variants that a kernel's text has.

    >>> variants(ir.Kernel("map", ("a0",), (), (), (), (ir.Stage("each", ()),)))
    ('item',)
    """
    if not kernel.inner or in_order(kernel):
        return ("item",)
    return ("item", "group", "block", "merge") if splittable(kernel) else ("item", "group")


def in_order(kernel: ir.Kernel) -> bool:
    """Whether the inner points of a kernel cannot be shared by work-items."""
    return bool(kernel.serial) or any(o.mode == "scatter" for o in kernel.operands)


def splittable(kernel: ir.Kernel) -> bool:
    """Whether a reduction may run in two phases: one loop, nothing stored before it."""
    loops = [i for i, stage in enumerate(kernel.stages) if stage.kind == "loop"]
    if len(loops) != 1:
        return False
    before = (s for stage in kernel.stages[: loops[0]] for s in stage.body)
    if any(isinstance(s, ir.Store) for s in before):
        return False
    return any(isinstance(s, ir.Accumulate) for s in kernel.stages[loops[0]].body)


def choose(
    kernel: ir.Kernel, extents: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[Step, ...]:
    """What to enqueue for these extents (per kernel axis) and byte strides (per operand's axes).

    >>> choose(ir.Kernel("map", ("a0",), (), (), (), (ir.Stage("each", ()),)), [1000], [])
    (Step(variant='item', groups=16, blocks=1),)
    """
    sizes = dict(zip(kernel.axes, extents, strict=True))
    outer = prod(sizes[a] for a in kernel.outer if a not in kernel.serial)
    inner = prod(sizes[a] for a in kernel.inner)
    if outer == 0:
        return ()
    possible = variants(kernel)
    if "block" in possible and inner >= _LONG and outer <= BLOCKS:
        return Step("block", outer * BLOCKS, BLOCKS), Step("merge", _item_groups(outer), BLOCKS)
    if "group" in possible and not _one_item_each(kernel, outer, inner, strides):
        return (Step("group", outer),)
    return (Step("item", _item_groups(outer)),)


def _item_groups(points: int) -> int:
    return min(-(-points // LOCAL), _ITEM_GROUPS)


def _one_item_each(
    kernel: ir.Kernel, outer: int, inner: int, strides: Sequence[Sequence[int]]
) -> bool:
    if inner <= _SHORT:
        return True
    if outer < _MANY or not kernel.outer:
        return False
    for operand, moves in zip(kernel.operands, strides, strict=True):
        where = dict(zip(operand.axes, moves, strict=True))
        if kernel.outer[-1] in where and kernel.inner[-1] in where:
            return abs(where[kernel.inner[-1]]) > abs(where[kernel.outer[-1]])
    return False
