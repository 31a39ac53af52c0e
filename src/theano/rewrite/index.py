"""Indexing: parts of parts, parts of fills and of results, writes into zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.index_advanced import Layout
from theano.rewrite.build import (
    nonnegative,
    owner_of,
    same_kind,
    same_pattern,
    t,
)
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule
from theano.rewrite.useless import filled_with, stretched_value

Result = Sequence[Variable] | None


def entries_of(node: Apply, first: int = 1) -> list[Any]:
    """The index of a Subtensor or IncSubtensor: variables and slices of variables."""
    return spec.unpack(node.op.idx_list, node.inputs[first:])


def _known(value: Any, default: int) -> int | None:
    return default if value is None else sizes.known(value)


def _takes_all(entry: Any, x: Variable, axis: int) -> bool:
    """Whether a slice is the whole of dimension ``axis`` of ``x``."""
    if not isinstance(entry, slice):
        return False
    start, stop, step = spec.parts(entry)
    if _known(start, 0) != 0 or _known(step, 1) != 1:
        return False
    if stop is None:
        return True
    size = x.type.shape[axis]
    value = sizes.known(stop)
    if value is not None:
        return value >= 2**62 or (size is not None and value >= size)
    made = owner_of(x, "Alloc")
    if made is not None and made.inputs[1 + axis] is stop:
        return nonnegative(stop)
    extent = owner_of(stop, "Shape_i")
    return extent is not None and extent.inputs[0] is x and extent.op.i == axis


@rule("useless", ("Subtensor",))
def local_useless_subtensor(node: Apply) -> Result:
    """x[:] -> x."""
    x = node.inputs[0]
    if all(_takes_all(entry, x, axis) for axis, entry in enumerate(entries_of(node))):
        return [x]
    return None


@rule("canonicalize", ("Subtensor",))
def local_subtensor_merge(node: Apply, uses: Uses) -> Result:
    """x[a][b] -> x[c] where constants say enough."""
    inner = owner_of(node.inputs[0], "Subtensor")
    if inner is None:
        return None
    x, outer = inner.inputs[0], entries_of(node)
    merged: list[Any] = []
    for axis, entry in enumerate(entries_of(inner)):
        if not isinstance(entry, slice) or not outer:
            merged.append(entry)
            continue
        combined = _combined(entry, outer.pop(0), x.type.shape[axis])
        if combined is None:
            return None
        merged.append(combined)
    made = t.getitem(x, (*merged, *outer))
    return [made] if same_pattern(made, node.outputs[0]) else None


def _combined(first: slice, second: Any, size: int | None) -> Any:
    """One index that does both on a dimension of this size; None if that is not simple."""
    if spec.is_full(first):
        return second
    if isinstance(second, slice) and spec.is_full(second):
        return first
    one, two = _numbers(first), _numbers(second)
    if one is None or two is None or one[2] == 0:
        return None
    if size is not None:
        return _of_range(range(size)[slice(*one)], two)
    start, stop, step = one[0] or 0, one[1], 1 if one[2] is None else one[2]
    if one == (None, None, -1):
        return _of_reversed(two)
    if step < 1 or start < 0 or (stop is not None and stop < 0):
        return None
    if isinstance(two, int):
        return start + two * step if two >= 0 and stop is None else None
    begin, end, stride = two[0] or 0, two[1], 1 if two[2] is None else two[2]
    if stride < 1 or begin < 0 or (end is not None and end < 0):
        return None
    ends = [stop, None if end is None else start + end * step]
    last = min((e for e in ends if e is not None), default=None)
    return slice(start + begin * step, last, step * stride)


def _numbers(entry: Any) -> Any:
    """The int of an index, or the three of a slice; None if one is not known."""
    if not isinstance(entry, slice):
        return sizes.known(entry)
    found = [None if part is None else sizes.known(part) for part in spec.parts(entry)]
    unknown = (a is None and b is not None for a, b in zip(found, spec.parts(entry), strict=True))
    return None if any(unknown) else tuple(found)


def _of_range(taken: range, entry: Any) -> Any:
    """An index of the elements that a slice takes, as one of the whole."""
    if isinstance(entry, int):
        return taken[entry] if -len(taken) <= entry < len(taken) else None
    if entry[2] == 0:
        return None
    left = taken[slice(*entry)]
    if not left:
        return slice(0, 0)
    return slice(left.start, None if left.stop < 0 else left.stop, left.step)


def _of_reversed(entry: Any) -> Any:
    """An index of x[::-1] as one of x."""
    if isinstance(entry, int):
        return -1 - entry
    begin, end, stride = entry[0], entry[1], 1 if entry[2] is None else entry[2]
    if (begin, end, stride) == (None, None, -1):
        return spec.FULL
    if stride < 1 or (begin or 0) < 0 or (end or 0) < 0:
        return None
    first, last = (None if bound is None else -1 - bound for bound in (begin, end))
    return slice(first, last, -stride)


@rule("canonicalize", ("Subtensor",))
def local_subtensor_of_alloc(node: Apply) -> Result:
    """A part of a fill with a scalar -> a smaller fill."""
    x, out = node.inputs[0], node.outputs[0]
    value = stretched_value(x)
    if value is None or not all(value.type.broadcastable) or _outside(node):
        return None
    scalar = t.dimshuffle(value) if value.type.ndim else value
    if out.type.ndim == 0:
        return [scalar]
    extents = tuple(sizes.simple(t.shape_i(x, axis)) for axis in range(x.type.ndim))
    shape = node.op.infer_shape(node, [extents])[0]
    made = t.alloc(scalar, *map(sizes.variable, shape))
    return [made] if same_pattern(made, out) else None


def _outside(node: Apply) -> bool:
    """Whether an integer is known to be out of range."""
    for entry, size in zip(entries_of(node), node.inputs[0].type.shape, strict=False):
        value = None if isinstance(entry, slice) or size is None else sizes.known(entry)
        if value is not None and not -size <= value < size:
            return True
    return False


@rule("canonicalize", ("Subtensor",))
def local_subtensor_of_dimshuffle(node: Apply) -> Result:
    """v.dimshuffle(0, 'x')[:, 0] -> v; parts of dimshuffles -> dimshuffles of parts."""
    inner = owner_of(node.inputs[0], "DimShuffle")
    if inner is None or inner.op.drop:
        return None
    order, x = inner.op.new_order, inner.inputs[0]
    entries = entries_of(node)
    entries += [spec.FULL] * (len(order) - len(entries))
    index: list[Any] = [spec.FULL] * x.type.ndim
    for place, entry in zip(order, entries, strict=True):
        if place != "x":
            index[place] = entry
        elif not _keeps_or_takes_one(entry):
            return None
    left = [d for d in range(x.type.ndim) if isinstance(index[d], slice)]
    outer = [
        "x" if place == "x" else left.index(place)
        for place, entry in zip(order, entries, strict=True)
        if isinstance(entry, slice)
    ]
    part = x if all(spec.is_full(e) for e in index) else t.getitem(x, tuple(index))
    made = t.dimshuffle(part, *outer)
    return [made] if same_pattern(made, node.outputs[0]) else None


def _keeps_or_takes_one(entry: Any) -> bool:
    """Whether an index of a dimension of size 1 is ``:`` or its one element."""
    if isinstance(entry, slice):
        return spec.is_full(entry)
    return sizes.known(entry) in (0, -1)


_WRITES = ("IncSubtensor", "AdvancedIncSubtensor1", "AdvancedIncSubtensor")
_READS = {
    "Subtensor": "IncSubtensor", "AdvancedSubtensor1": "AdvancedIncSubtensor1",
    "AdvancedSubtensor": "AdvancedIncSubtensor",
}  # fmt: skip


@rule("useless", ("IncSubtensor",))
def local_useless_inc_subtensor(node: Apply) -> Result:
    """x[i] += 0 -> x; x[:] = y -> y; x[:] += y -> x + y."""
    x, y = node.inputs[:2]
    sets = node.op.set_instead_of_inc
    if filled_with(y) == 0 and not sets and _only_slices(node):
        return [x]
    if not all(_takes_all(entry, x, axis) for axis, entry in enumerate(entries_of(node, 2))):
        return None
    made = y if sets else t.add(x, y)
    if sets and not same_pattern(y, x):
        return [t.fill(x, y)] if y.type.dtype == x.type.dtype else None
    return [made] if same_pattern(made, x) and made.type.dtype == x.type.dtype else None


@rule("specialize", ("IncSubtensor",))
def local_incsubtensor_of_zeros_to_setsubtensor(node: Apply) -> Result:
    """zeros[i] += y -> zeros[i] = y: nothing to read."""
    if node.op.set_instead_of_inc:
        return None
    if filled_with(node.inputs[0]) != 0:
        return None
    return [type(node.op)(node.op.idx_list, set_instead_of_inc=True)(*node.inputs)]


@rule("specialize", ("IncSubtensor",))
def local_parts_of_zeros_to_join(node: Apply) -> Result:
    """Slices of zeros, side by side along one axis, each set or added to once -> join of what was
    written (of the same extents, checked)."""
    found: list[tuple[int, int | None, Variable]] = []
    axis: int | None = None
    x: Variable = node.outputs[0]
    while (write := owner_of(x, "IncSubtensor")) is not None:
        part = _one_slice(write)
        if part is None or (axis is not None and part[0] != axis):
            return None
        axis = part[0]
        found.append((part[1], part[2], write.inputs[1]))
        x = write.inputs[0]
    zeros = owner_of(x, "Alloc")
    if axis is None or len(found) < 2 or zeros is None or filled_with(x) != 0:
        return None
    found.sort(key=lambda entry: entry[0])
    bounds = [0, *(stop for _, stop, _ in found)]
    if [start for start, _, _ in found] != bounds[:-1] or bounds[-1] is not None:
        return None
    values = [y for _, _, y in found]
    if any(not same_pattern(y, x) or y.type.dtype != x.type.dtype for y in values):
        return None
    return [t.specify_shape(t.join(axis, *values), sizes.vector(zeros.inputs[1:]))]


def _one_slice(node: Apply) -> tuple[int, int, int | None] | None:
    """(axis, start, stop) of a write to all but one dimension whole, with constant bounds."""
    found = None
    for axis, entry in enumerate(entries_of(node, 2)):
        if not isinstance(entry, slice):
            return None
        start, stop, step = spec.parts(entry)
        if start is None and stop is None and step is None:
            continue
        first, last = _known(start, 0), None if stop is None else sizes.known(stop)
        unknown = first is None or first < 0 or (stop is not None and (last is None or last < 0))
        if found is not None or unknown or _known(step, 1) != 1:
            return None
        assert first is not None
        found = (axis, first, last)
    return found


@rule("canonicalize", tuple(_READS))
def local_subtensor_inc_subtensor(node: Apply) -> Result:
    """set(x, i, y)[i] -> y: what was just written there."""
    written = owner_of(node.inputs[0], _READS[type(node.op).__name__])
    if written is None or not written.op.set_instead_of_inc:
        return None
    if type(node.op).__name__ != "Subtensor":
        return None  # indices may repeat: the last one wins
    if getattr(written.op, "_key", None) != node.op._key:
        return None
    if written.inputs[2:] != node.inputs[1:]:
        return None
    result = same_kind(written.inputs[1], node.outputs[0])
    return None if result is None else [result]


def _zero_base(node: Apply | None) -> bool:
    """Whether a node adds into zeros."""
    if node is None or node.op.set_instead_of_inc:
        return False
    return bool(filled_with(node.inputs[0]) == 0)


@rule("canonicalize", ("add",), name="local_IncSubtensor_serialize")
def local_incsubtensor_serialize(node: Apply, uses: Uses) -> Result:
    """x + inc(zeros, i, a) + inc(zeros, j, b) -> inc(inc(x, i, a), j, b).

    Gradients of an array that is used in parts are such sums.
    """
    out = node.outputs[0]
    writes = [owner_of(v, *_WRITES) if uses(v) <= 1 else None for v in node.inputs]
    movable = [w for w, v in zip(writes, node.inputs, strict=True)
               if w is not None and _zero_base(w) and v.type == out.type]  # fmt: skip
    if not movable:
        return None
    rest = [v for v, w in zip(node.inputs, writes, strict=True) if w is None or w not in movable]
    if not rest:
        base: Any = movable.pop(0).outputs[0]
    else:
        base = rest[0] if len(rest) == 1 else t.add(*rest)
    if base.type != out.type or not movable:
        return None
    for write in movable:
        base = write.op(base, *write.inputs[1:])
    return [base]


# reading -----------------------------------------------------------------------------------------


@rule("canonicalize", ("Subtensor",))
def local_subtensor_remove_broadcastable_index(node: Apply) -> Result:
    """x[0] -> x without that dimension, where it is known to have size 1."""
    x = node.inputs[0]
    entries = entries_of(node)
    ones = [
        axis for axis, entry in enumerate(entries)
        if not isinstance(entry, slice) and x.type.broadcastable[axis]
        and sizes.known(entry) in (0, -1)
    ]  # fmt: skip
    if not ones:
        return None
    kept = [axis for axis in range(x.type.ndim) if axis not in ones]
    rest = [entry for axis, entry in enumerate(entries) if axis not in ones]
    smaller = t.dimshuffle(x, *kept)
    if all(map(spec.is_full, rest)):
        return [smaller]
    return [t.getitem(smaller, tuple(rest))]


@rule("canonicalize", ("AdvancedSubtensor1",))
def local_adv_sub1_adv_inc_sub1(node: Apply) -> Result:
    """set(x, i, y)[i] -> y for constant i without repetitions, all in range."""
    written = owner_of(node.inputs[0], "AdvancedIncSubtensor1")
    if written is None or not written.op.set_instead_of_inc:
        return None
    x, y, index = written.inputs
    if index is not node.inputs[1] or not isinstance(index, Constant):
        return None
    rows = x.type.shape[0]
    values = index.data
    if values.size and (rows is None or values.min() < 0 or values.max() >= rows):
        return None
    if len(np.unique(values)) < values.size:
        return None
    result = same_kind(y, node.outputs[0])
    return None if result is None else [result]


# writing -----------------------------------------------------------------------------------------


@rule("canonicalize", ("IncSubtensor",))
def local_set_to_inc_subtensor(node: Apply, uses: Uses) -> Result:
    """set(x, i, x[i] + y) -> inc(x, i, y)."""
    x, y = node.inputs[:2]
    total = owner_of(y, "add")
    if not node.op.set_instead_of_inc or total is None or len(total.inputs) != 2 or uses(y) > 1:
        return None
    for part, other in (total.inputs, total.inputs[::-1]):
        read = owner_of(part, "Subtensor")
        if read is None or read.inputs[0] is not x or read.op._key != node.op._key:
            continue
        if read.inputs[1:] == node.inputs[2:] and other.type.dtype == x.type.dtype:
            return [type(node.op)(node.op.idx_list)(x, other, *node.inputs[2:])]
    return None


@rule("useless", ("IncSubtensor",))
def local_setsubtensor_of_constants(node: Apply) -> Result:
    """set(x, i, c) -> x where x is c everywhere."""
    x, y = node.inputs[:2]
    if not node.op.set_instead_of_inc:
        return None
    value = filled_with(x)
    same = value is not None and value == filled_with(y)
    return [x] if same and _only_slices(node) else None


def _only_slices(node: Apply) -> bool:
    """Whether no index of a write can be out of range."""
    return all(isinstance(entry, slice) for entry in entries_of(node, 2))


@rule("specialize", ("AdvancedIncSubtensor", "AdvancedIncSubtensor1"))
def local_write_where_mask(node: Apply) -> Result:
    """set(x, mask, y) -> switch(mask, y, x), and += alike, where y is one value for all places.

    What the mask has True need not be counted then, and the result fuses with what is around it.
    """
    x, y, *indices = node.inputs
    layout, entries = _written(node)
    places = [axis for axis, entry in enumerate(entries) if not isinstance(entry, slice)]
    found = owner_of(indices[0], "Nonzero")
    if found is None or layout.batch != 1 or not y.type.broadcastable[layout.at]:
        return None
    mask, *extents = found.inputs
    whole = len(extents) == mask.type.ndim and list(indices) == list(found.outputs)
    if not whole or places != list(range(places[0], places[0] + len(places))):
        return None
    if not all(isinstance(e, Variable) or spec.is_full(e) for e in entries):
        return None
    if any(mask.type.broadcastable[i] != x.type.broadcastable[d] for i, d in enumerate(places)):
        return None
    order: list[Any] = list(range(y.type.ndim))
    order[layout.at : layout.at + 1] = ["x"] * len(places)
    value = t.dimshuffle(y, *order)
    here: list[Any] = ["x"] * x.type.ndim
    for i, axis in enumerate(places):
        here[axis] = i
    if not node.op.set_instead_of_inc:
        value = t.add(x, value)
    made = t.switch(t.dimshuffle(mask, *here), value, x)
    return [made] if made.type == x.type else None


def _written(node: Apply) -> tuple[Any, list[Any]]:
    """Where the dimensions of a write come from; its index, an entry for every dimension."""
    entries = node.op.entries(node)
    x = node.inputs[0]
    kinds = [e.type if isinstance(e, Variable) else e for e in entries]
    used = [e for e in entries if e is not None]
    return Layout(kinds, x.type.ndim), [*used, *[spec.FULL] * (x.type.ndim - len(used))]
