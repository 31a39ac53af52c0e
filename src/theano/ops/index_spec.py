"""Index expressions as ops keep them: ``idx_list``, with types where inputs go.

An entry is a type (an integer input of that type: 0-d, or an array for advanced indexing), a slice
whose parts are None or such types, or None (a new axis; advanced indexing only). Inputs follow in
the order in which the types stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Type, Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast, constant
from theano.ops.extents import Axis

INDEX_DTYPES = frozenset(dtypes.integer_dtypes) - {"uint64"}
FULL = slice(None, None, None)


def is_full(entry: Any) -> bool:
    """Whether ``entry`` is ``:``."""
    return isinstance(entry, slice) and entry == FULL


def parts(entry: slice) -> tuple[Any, Any, Any]:
    """Start, stop and step."""
    return entry.start, entry.stop, entry.step


def signed(index: Any) -> Any:
    """An integer index of a dtype that fits into int64; what is beyond that stays too large."""
    if getattr(index.type, "dtype", None) != "uint64":
        return index
    return cast(apply("minimum", index, np.uint64(np.iinfo("int64").max)), "int64")


def scalar_index(value: Any) -> Any:
    """An int, NumPy integer or 0-d integer variable as an index variable; TypeError else."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"an index must be an integer, not the bool {value}")
    if isinstance(value, (int, np.integer)):
        return constant(np.int64(value))
    x = signed(as_tensor_variable(value))
    if x.type.ndim != 0 or x.type.dtype not in INDEX_DTYPES:
        raise TypeError(f"Expected an integer index, got {x} of type {x.type}")
    known = sizes.known(x)
    return x if known is None else constant(np.int64(known))


def pack(entries: Sequence[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """Entries (index variables, slices of them, None) as ``idx_list`` and inputs."""
    inputs: list[Any] = []

    def placeholder(value: Any) -> Any:
        if value is None:
            return None
        inputs.append(value)
        return value.type

    spec = []
    for entry in entries:
        if isinstance(entry, slice):
            spec.append(slice(*(placeholder(part) for part in parts(entry))))
        else:
            spec.append(placeholder(entry))
    return tuple(spec), inputs


def unpack(idx_list: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """``idx_list`` with ``inputs`` (variables, values, registers) in the places of the types."""
    supply = iter(inputs)

    def fill(value: Any) -> Any:
        return None if value is None else next(supply)

    return [
        slice(*(fill(part) for part in parts(entry))) if isinstance(entry, slice) else fill(entry)
        for entry in idx_list
    ]


def values(idx_list: Sequence[Any], inputs: Sequence[Any]) -> tuple[Any, ...]:
    """A key for NumPy, from run-time values of the inputs."""
    plain = [int(x) if np.ndim(x) == 0 else np.asarray(x) for x in inputs]
    return tuple(unpack(idx_list, plain))


def placeholders(idx_list: Sequence[Any]) -> Iterator[Any]:
    """The types in order."""
    for entry in idx_list:
        for part in parts(entry) if isinstance(entry, slice) else (entry,):
            if part is not None:
                yield part


def checked(idx_list: Sequence[Any]) -> tuple[Any, ...]:
    """An ``idx_list`` given by a user: variables are replaced by their types; TypeError else."""

    def as_type(value: Any) -> Any:
        if value is None or isinstance(value, Type):
            return value
        if isinstance(value, Variable):
            return value.type
        raise TypeError(f"an idx_list has types, slices of types and None, not {value!r}")

    return tuple(
        slice(*map(as_type, parts(entry))) if isinstance(entry, slice) else as_type(entry)
        for entry in idx_list
    )


def key(idx_list: Sequence[Any]) -> tuple[Any, ...]:
    """A hashable value that equal specs share (slices have no hash before Python 3.12)."""
    return tuple(
        ("slice", *parts(entry)) if isinstance(entry, slice) else entry for entry in idx_list
    )


def text(idx_list: Sequence[Any]) -> str:
    """``int64``, ``:int64:``, ``::, int64``: the spec as it is printed."""

    def part(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, TensorType) and value.ndim == 0:
            return value.dtype
        return str(value)

    return ", ".join(
        ":".join(map(part, parts(entry))) if isinstance(entry, slice) else part(entry) or "None"
        for entry in idx_list
    )


def check_inputs(op: Any, idx_list: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """``inputs`` as variables, after a check against the types in ``idx_list``."""
    expected = list(placeholders(idx_list))
    variables = [as_tensor_variable(x) for x in inputs]
    if len(expected) != len(variables):
        raise IndexError(
            f"Not enough inputs to fill in the Subtensor template: {op} takes {len(expected)} "
            f"indices, got {len(variables)}"
        )
    for kind, x in zip(expected, variables, strict=True):
        if kind.ndim != x.type.ndim or x.type.dtype not in INDEX_DTYPES:
            raise TypeError(f"Wrong type for {op}: expected an index like {kind}, got {x.type}")
    return variables


def static_length(entry: slice, size: int | None) -> int | None:
    """The extent of a slice of variables, where constants decide it."""
    if is_full(entry):
        return size
    bounds = [None if part is None else sizes.known(part) for part in parts(entry)]
    unknown = any(b is None and p is not None for b, p in zip(bounds, parts(entry), strict=True))
    if unknown or size is None or bounds[2] == 0:
        return None
    length = len(range(*slice(*bounds).indices(size)))
    # A 1 stretches, which is for dimensions that were declared so.
    return None if length == 1 and size != 1 else length


def symbolic_length(entry: slice, size: Any) -> Any:
    """The extent of a slice of variables."""
    if is_full(entry):
        return size
    start, stop, step = (None if part is None else _int64(part) for part in parts(entry))
    return sizes.slice_length(start, stop, step, size)


def _int64(x: Any) -> Any:
    value = sizes.known(x)
    return cast(x, "int64") if value is None else value


def view(idx_list: Sequence[Any], ndim: int, first: int, v: Any) -> Any:
    """Code for lowering: ``(starts, axes)`` of the view; indices are inputs ``first``, ….

    An int out of range and a step of 0 fail a check.
    """
    count = len([*placeholders(idx_list)])
    entries = unpack(idx_list, [v.scalar(first + i) for i in range(count)])
    starts, axes = [], []
    for axis in range(ndim):
        entry = entries[axis] if axis < len(entries) else FULL
        if not isinstance(entry, slice):
            starts.append((axis, _position(entry, v.dim(axis), v)))
        elif is_full(entry):
            axes.append(Axis(axis, v.dim(axis), 1))
        else:
            start, count, step = v.slice(entry.start, entry.stop, entry.step, axis)
            starts.append((axis, start))
            axes.append(Axis(axis, count, step))
    return tuple(starts), tuple(axes)


def _position(index: Any, extent: Any, v: Any) -> Any:
    wrapped = v.select(v.let("lt", index, 0), v.let("add", index, extent), index)
    v.check(v.let("ge", wrapped, 0), "index out of bounds")
    v.check(v.let("lt", wrapped, extent), "index out of bounds")
    return wrapped
