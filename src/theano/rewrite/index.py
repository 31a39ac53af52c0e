"""Indexing: parts of parts, parts of fills and of results, writes into zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.rewrite.build import constant_value, is_elemwise, owner_of, same_kind, same_pattern, t
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule
from theano.rewrite.useless import filled_with, stretched_value

Result = Sequence[Variable] | None


def _entries(node: Apply, first: int = 1) -> list[Any]:
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
    extent = owner_of(stop, "Shape_i")
    return extent is not None and extent.inputs[0] is x and extent.op.i == axis


@rule("useless", ("Subtensor",))
def local_useless_subtensor(node: Apply) -> Result:
    """x[:] -> x."""
    x = node.inputs[0]
    if all(_takes_all(entry, x, axis) for axis, entry in enumerate(_entries(node))):
        return [x]
    return None


@rule("canonicalize", ("Subtensor",))
def local_subtensor_merge(node: Apply, uses: Uses) -> Result:
    """x[a][b] -> x[c] where the starts are known not to be negative and steps are 1."""
    inner = owner_of(node.inputs[0], "Subtensor")
    if inner is None:
        return None
    outer = _entries(node)
    merged: list[Any] = []
    for entry in _entries(inner):
        if not isinstance(entry, slice) or not outer:
            merged.append(entry)
            continue
        combined = _combined(entry, outer.pop(0))
        if combined is None:
            return None
        merged.append(combined)
    merged += outer
    return [t.getitem(inner.inputs[0], tuple(merged))]


def _combined(first: slice, second: Any) -> Any:
    """One index that does both; None if that is not simple."""
    start, stop, step = spec.parts(first)
    if spec.is_full(first):
        return second
    if stop is not None or _known(step, 1) != 1 or start is None or (sizes.known(start) or -1) < 0:
        return first if isinstance(second, slice) and spec.is_full(second) else None
    offset = sizes.known(start)
    assert offset is not None
    if not isinstance(second, slice):
        value = sizes.known(second)
        return value + offset if value is not None and value >= 0 else None
    begin, end, stride = spec.parts(second)
    lower = _known(begin, 0)
    if lower is None or lower < 0 or _known(stride, 1) != 1:
        return None
    upper = None if end is None else sizes.known(end)
    if end is not None and (upper is None or upper < 0):
        return None
    return slice(lower + offset, None if upper is None else upper + offset)


@rule("canonicalize", ("Subtensor",))
def local_subtensor_of_alloc(node: Apply) -> Result:
    """A part of a fill with a scalar -> a smaller fill."""
    x, out = node.inputs[0], node.outputs[0]
    value = stretched_value(x)
    if value is None or not all(value.type.broadcastable):
        return None
    scalar = t.dimshuffle(value) if value.type.ndim else value
    if out.type.ndim == 0:
        return [scalar]
    extents = tuple(sizes.simple(t.shape_i(x, axis)) for axis in range(x.type.ndim))
    shape = node.op.infer_shape(node, [extents])[0]
    made = t.alloc(scalar, *map(sizes.variable, shape))
    return [made] if same_pattern(made, out) else None


@rule("canonicalize", ("Subtensor",))
def local_subtensor_lift(node: Apply, uses: Uses) -> Result:
    """f(x)[i] -> f(x[i]) for an elementwise f whose result is not used otherwise."""
    x, out = node.inputs[0], node.outputs[0]
    inner = x.owner
    if inner is None or not is_elemwise(inner) or uses(x) > 1 or len(inner.inputs) > 4:
        return None
    entries = _entries(node)
    parts = []
    for v in inner.inputs:
        if all(v.type.broadcastable) and constant_value(v) is not None:
            parts.append(v if out.type.ndim == v.type.ndim else t.dimshuffle(
                v, *range(v.type.ndim - out.type.ndim, v.type.ndim)))  # fmt: skip
        elif same_pattern(v, x):
            parts.append(t.getitem(v, tuple(entries)))
        else:
            return None
    result = same_kind(inner.op(*parts), out)
    return None if result is None else [result]


@rule("canonicalize", ("Subtensor",))
def local_subtensor_of_dimshuffle(node: Apply) -> Result:
    """v.dimshuffle(0, 'x')[:, 0] -> v; parts of dimshuffles -> dimshuffles of parts."""
    inner = owner_of(node.inputs[0], "DimShuffle")
    if inner is None or inner.op.drop:
        return None
    order, x = inner.op.new_order, inner.inputs[0]
    entries = _entries(node)
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


@rule("useless", _WRITES)
def local_useless_inc_subtensor(node: Apply) -> Result:
    """x[i] += 0 -> x; x[:] = y -> y; x[:] += y -> x + y."""
    x, y = node.inputs[:2]
    sets = node.op.set_instead_of_inc
    if filled_with(y) == 0 and not sets:
        return [x]
    if type(node.op).__name__ != "IncSubtensor":
        return None
    if not all(_takes_all(entry, x, axis) for axis, entry in enumerate(_entries(node, 2))):
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
