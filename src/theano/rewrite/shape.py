"""Shapes without data: extents of results from extents of inputs; views that change nothing."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from theano.core.config import config
from theano.graph.nodes import Apply, Variable
from theano.ops import sizes
from theano.ops.constants import vector_entries
from theano.rewrite.build import constant_value, owner_of, t
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None


@rule("shape", ("Shape",))
def local_shape_to_shape_i(node: Apply) -> Result:
    """shape(x) -> the vector of its extents."""
    x = node.inputs[0]
    if not hasattr(x.type, "shape"):
        return None
    return [sizes.vector([_extent(x, axis) for axis in range(x.type.ndim)])]


def _extent(x: Variable, axis: int) -> Any:
    return sizes.simple(t.shape_i(x, axis))


@rule("shape", ("Shape_i",))
def local_shape_i_lift(node: Apply) -> Result:
    """An extent of a result, by its op's shape rule, from the extents of the op's inputs."""
    x, axis = node.inputs[0], node.op.i
    static = getattr(x.type, "shape", None)
    if static is None:
        return None
    if static[axis] is not None:
        return [sizes.variable(static[axis])]
    owner = x.owner
    if owner is None or not hasattr(owner.op, "infer_shape"):
        return None
    shape = _inferred(owner, x)
    if shape is None or len(shape) != len(static):
        return None
    size = sizes.variable(sizes.simple(shape[axis]))
    return None if size.owner is node else [size]


def _inferred(owner: Apply, x: Variable) -> Sequence[Any] | None:
    """The extents of ``x`` by the shape rule of its op; None if there is none, or it fails."""
    try:
        shapes = owner.op.infer_shape(owner, [_Extents(v) for v in owner.inputs])
        shape: Sequence[Any] | None = shapes[x.index]
    except NotImplementedError:
        return None
    except Exception as error:  # a rule that a user wrote
        if config.on_shape_error == "raise":
            raise
        warnings.warn(f"infer_shape of {owner.op} failed: {error!r}", stacklevel=2)
        return None
    return shape


class _Extents(Sequence[Any]):
    """The extents of a variable, made when they are looked at."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable

    def __len__(self) -> int:
        return int(self.variable.type.ndim)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        return _extent(self.variable, range(len(self))[index])


@rule("shape", ("Reshape",))
def local_useless_reshape(node: Apply) -> Result:
    """reshape(x, x.shape) -> x; of vectors to vectors; reshape(reshape(x)) -> reshape(x)."""
    x, shape = node.inputs
    out = node.outputs[0]
    if x.type.ndim == out.type.ndim and _same_extents(x, shape):
        return [x] if x.type.broadcastable == out.type.broadcastable else None
    inner = owner_of(x, "Reshape")
    if inner is not None and not _has_unknown(shape):
        return [node.op(inner.inputs[0], shape)]
    return None


def _entries(shape: Variable) -> Sequence[Any] | None:
    try:
        found: Sequence[Any] | None = vector_entries(shape)
    except (TypeError, ValueError):
        return None
    return found


def _has_unknown(shape: Variable) -> bool:
    """Whether an entry may be -1."""
    entries = _entries(shape)
    if entries is None:
        return True
    return any(sizes.known(e) in (None, -1) and not _is_extent(e) for e in entries)


def _is_extent(entry: Any) -> bool:
    return isinstance(entry, Variable) and owner_of(entry, "Shape_i") is not None


def _same_extents(x: Variable, shape: Variable) -> bool:
    """Whether a shape vector says the extents of ``x`` (at most one of them left open)."""
    if x.type.ndim == 1:
        return True
    entries = _entries(shape)
    if entries is None:
        return False
    open_ = 0
    for axis, entry in enumerate(entries):
        value = sizes.known(entry)
        if value is not None and value == x.type.shape[axis]:
            continue
        if value == -1:
            open_ += 1
            continue
        node = owner_of(entry, "Shape_i") if isinstance(entry, Variable) else None
        if node is None or node.inputs[0] is not x or node.op.i != axis:
            return False
    return open_ <= 1


@rule("shape", ("Subtensor",))
def local_subtensor_make_vector(node: Apply) -> Result:
    """An element of a vector that is built from scalars -> that scalar."""
    x = node.inputs[0]
    owner = x.owner
    if owner is None or type(owner.op).__name__ != "MakeVector" or node.outputs[0].type.ndim:
        return None
    index = getattr(node.op, "idx_list", None)
    if index is None or len(index) != 1:
        return None
    place = index[0] if isinstance(index[0], int) else None
    if place is None and len(node.inputs) == 2:
        place = constant_value(node.inputs[1])
    if place is None or not -len(owner.inputs) <= place < len(owner.inputs):
        return None
    return [owner.inputs[int(place)]]


@rule("specialize", ("SpecifyShape",), name="local_useless_specify_shape")
def local_specify_shape(node: Apply) -> Result:
    """A declared shape that is known already."""
    x, shape = node.inputs[0], node.inputs[1]
    return (
        [x]
        if x.type == node.outputs[0].type and x.type.ndim > 1 and _same_extents(x, shape)
        else None
    )


@rule("useless", ("Join",))
def local_join_1(node: Apply) -> Result:
    """join(axis, x) -> x; without parts that are known to be empty."""
    axis, *parts = node.inputs
    out = node.outputs[0]
    kept = parts
    where = constant_value(axis)
    if where is not None:
        place = int(where) % out.type.ndim
        kept = [x for x in parts if x.type.shape[place] != 0] or parts[:1]
    if len(kept) == 1:
        same = kept[0].type.dtype == out.type.dtype
        return [kept[0] if same else t.cast(kept[0], out.type.dtype)]
    return None if len(kept) == len(parts) else [node.op(axis, *kept)]
