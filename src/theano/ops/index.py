"""Basic indexing: Subtensor, and the dispatcher of ``x[…]`` to all indexing ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import AsTensorError
from theano.graph.generic import NoneTypeT, SliceType
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.registry import apply, register
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, constant, zeros_of
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import SHARES_INPUT, disconnected, size_of
from theano.ops.slices import known_parts, slice_bounds


class Subtensor(TensorOp):
    """``x[idx]`` with ints and slices: a view. See ``index_spec`` for ``idx_list``."""

    __props__ = ("_key",)
    lowering = "view"
    view_map = SHARES_INPUT

    def __init__(self, idx_list: Sequence[Any]) -> None:
        self.idx_list = spec.checked(idx_list)
        self._key = spec.key(self.idx_list)
        for kind in spec.placeholders(self.idx_list):
            if kind.ndim != 0:
                raise TypeError(f"Subtensor takes scalar indices, not {kind}")
        if None in self.idx_list:
            raise TypeError("Subtensor has no new axes: use dimshuffle")

    def make_node(self, x: Any, *inputs: Any) -> Apply:
        x = as_tensor_variable(x)
        if len(self.idx_list) > x.type.ndim:
            raise IndexError(
                f"too many indices for array: {len(self.idx_list)} for {x} of {x.type.ndim} "
                "dimensions"
            )
        indices = spec.check_inputs(self, self.idx_list, inputs)
        entries = spec.unpack(self.idx_list, indices)
        shape = [
            spec.static_length(entry, size)
            for entry, size in zip(entries, x.type.shape, strict=False)
            if isinstance(entry, slice)
        ]
        shape += x.type.shape[len(entries) :]
        return Apply(self, [x, *indices], [x.type.clone(shape=shape)()])

    def reference(self, node: Apply, x: Any, *indices: Any) -> Any:
        return x[spec.values(self.idx_list, indices)]

    def view(self, node: Apply, v: Any) -> Any:
        """Starts and strides, after bounds checks."""
        return spec.view(self.idx_list, node.inputs[0].type.ndim, 1, v)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = input_shapes[0]
        entries = spec.unpack(self.idx_list, node.inputs[1:])
        kept = [
            spec.symbolic_length(entry, size)
            for entry, size in zip(entries, shape, strict=False)
            if isinstance(entry, slice)
        ]
        return [(*kept, *shape[len(entries) :])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Indices have no influence that could be differentiated."""
        return [[i == 0] for i in range(len(node.inputs))]

    def same_value(self, node: Apply) -> Any:
        """The element, or the array that a part is taken of."""
        x = node.inputs[0]
        if x.type.ndim == 1 and node.outputs[0].type.ndim == 0:
            found = self._element(node)
            if found is not None:
                return found
        if isinstance(x, Constant):
            indices = [sizes.known(index) for index in node.inputs[1:]]
            if None in indices:
                return x
            return constant(x.data[spec.values(self.idx_list, indices)])
        return x

    def _element(self, node: Apply) -> Any:
        from theano.ops.constants import get_vector_length, vector_entry

        x, position = node.inputs[0], sizes.known(node.inputs[1])
        try:
            length = get_vector_length(x)
        except ValueError:
            return None
        if position is None or not -length <= position < length:
            return None
        if isinstance(x, Constant):
            return x.data[position]
        entry = vector_entry(x, position % length)
        owner = getattr(entry, "owner", None)
        return None if owner is not None and owner.inputs[0] is x else entry

    def _range(self, node: Apply) -> range | None:
        """Which elements of a vector of known length are taken."""
        length = apply_length(node.inputs[0])
        indices = [sizes.known(index) for index in node.inputs[1:]]
        if length is None or None in indices or not self.idx_list:
            return None
        entry = spec.values(self.idx_list, indices)[0]
        return range(length)[entry] if isinstance(entry, slice) else None

    def length(self, node: Apply) -> int | None:
        """The length of a slice of a vector of known length."""
        taken = self._range(node)
        return None if taken is None else len(taken)

    def entry(self, node: Apply, i: int) -> Any:
        """Element ``i`` is an element of the input."""
        taken = self._range(node)
        return None if taken is None or i >= len(taken) else (node.inputs[0], taken[i])

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        from theano.ops.index_set import IncSubtensor

        x, *indices = inputs
        rest = [disconnected() for _ in indices]
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), *rest]
        return [IncSubtensor(self.idx_list)(zeros_of(x), output_grads[0], *indices), *rest]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]

    def __str__(self) -> str:
        return f"Subtensor{{{spec.text(self.idx_list)}}}"


def apply_length(x: Any) -> int | None:
    """The length of a vector, None where it is not known."""
    try:
        return int(apply("get_vector_length", x))
    except (TypeError, ValueError):
        return None


# the dispatcher ------------------------------------------------------------------------------


def getitem(x: Any, key: Any) -> Any:
    """``x[key]``: ints, slices, None and Ellipsis, symbolic or not; integer arrays; bool masks.

    Follows NumPy. A list that holds a slice is taken as a tuple. Raises IndexError for too many
    indices, TypeError for what cannot be an index.

    >>> import theano.tensor as T
    >>> T.matrix()[0, ::2].ndim
    1
    """
    x = as_tensor_variable(x)
    given = [_classified(e) for e in _as_tuple(key)]
    entries = _expand_masks(x, _expand_ellipsis(x, given))
    if any(isinstance(e, Variable) and e.type.ndim > 0 for e in entries):
        return _advanced(x, entries, given)
    plain = [entry for entry in entries if entry is not None]
    if len(plain) < len(entries) and all(map(spec.is_full, plain)):
        return _with_new_axes(x, entries)
    idx_list, inputs = spec.pack(plain)
    part = Subtensor(idx_list)(x, *inputs)
    return _with_new_axes(part, entries) if len(plain) < len(entries) else part


def _advanced(x: Any, entries: list[Any], given: Sequence[Any]) -> Any:
    """Indexing with arrays. An ellipsis between arrays sets them apart even if it is empty: then
    it is taken as a new axis, which is dropped from the result."""
    from theano.ops.index_advanced import advanced

    place = next((i for i, entry in enumerate(given) if entry is Ellipsis), None)
    if place is None or sum(map(_consumed, given)) < x.type.ndim:
        return advanced(x, entries)
    if not any(map(_is_array, given[:place])) or not any(map(_is_array, given[place + 1 :])):
        return advanced(x, entries)
    gap = sum(e.type.ndim if _is_mask(e) else 1 for e in given[:place])
    part = advanced(x, [*entries[:gap], None, *entries[gap:]])
    batch = max(e.type.ndim for e in entries if isinstance(e, Variable))
    dropped = batch + sum(not isinstance(e, Variable) for e in entries[:gap])
    return dimshuffle(part, *(d for d in range(part.type.ndim) if d != dropped))


def _is_array(entry: Any) -> bool:
    """Whether an entry counts as an index array (an integer beside one does)."""
    return isinstance(entry, Variable) and not is_slice(entry)


def _as_tuple(key: Any) -> tuple[Any, ...]:
    if isinstance(key, list) and any(isinstance(e, slice) for e in key):
        return tuple(key)
    return key if isinstance(key, tuple) else (key,)


def _classified(entry: Any) -> Any:
    """None, Ellipsis, a slice of index variables, or an integer or bool variable; a variable for a
    slice of which only the value is known."""
    if isinstance(entry, Variable):
        entry = _object(entry)
    if entry is None or entry is Ellipsis or is_slice(entry):
        return entry
    if isinstance(entry, slice):
        bounds = (None if part is None else scalar_part(part) for part in spec.parts(entry))
        return slice(*bounds)
    if isinstance(entry, (bool, int, np.bool_, np.integer)):
        return spec.scalar_index(entry)
    return _array_index(entry)


def is_slice(entry: Any) -> bool:
    """Whether ``entry`` is a variable for a slice."""
    return isinstance(entry, Variable) and isinstance(entry.type, SliceType)


def _object(entry: Variable) -> Any:
    """The None, or the slice of variables, that a variable is known to be; else itself."""
    if isinstance(entry.type, NoneTypeT):
        return None
    found = known_parts(entry) if is_slice(entry) else None
    return entry if found is None else found


def _array_index(entry: Any) -> Any:
    """An integer or bool variable from a variable, array or list; TypeError else."""
    if isinstance(entry, (list, tuple)) and _holds_bool(entry):
        raise TypeError(
            "TensorType does not support Python bools for indexing, such as tensor[[True, False]]. "
            "To use a boolean mask, convert the mask to a NumPy array first, e.g., "
            "tensor[numpy.array([True, False])]."
        )
    try:
        index = as_tensor_variable(entry)
    except AsTensorError as error:
        raise TypeError(f"{entry!r} cannot be an index: {error}") from error
    if not isinstance(entry, Variable) and getattr(index, "data", np.ones(1)).size == 0:
        index = as_tensor_variable(np.asarray(index.data, dtype="int64"))
    if index.type.dtype == "bool":
        if index.type.ndim == 0:
            raise TypeError("a 0-d bool cannot be an index")
        return index
    if index.type.ndim == 0:
        return spec.scalar_index(index)
    index = spec.signed(index)
    if index.type.dtype not in spec.INDEX_DTYPES:
        raise TypeError(f"index must be integers or a boolean mask, got {index} of {index.type}")
    return index


def scalar_part(part: Any) -> Any:
    """One part of a slice as an index variable; TypeError names it."""
    try:
        return spec.scalar_index(part)
    except (TypeError, AsTensorError) as error:
        raise TypeError(f"a slice takes integers: {error}") from error


def _holds_bool(items: Any) -> bool:
    return any(
        isinstance(e, (bool, np.bool_)) or (isinstance(e, (list, tuple)) and _holds_bool(e))
        for e in items
    )


def _is_mask(entry: Any) -> bool:
    return isinstance(entry, Variable) and getattr(entry.type, "dtype", "") == "bool"


def _consumed(entry: Any) -> int:
    """How many dimensions of the array an entry uses up."""
    if entry is None or entry is Ellipsis:
        return 0
    is_mask = _is_mask(entry)
    return int(entry.type.ndim) if is_mask else 1


def _expand_ellipsis(x: Any, entries: list[Any]) -> list[Any]:
    places = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    used = sum(map(_consumed, entries))
    if len(places) > 1:
        raise IndexError("an index can only have a single Ellipsis (...)")
    if used > x.type.ndim:
        raise IndexError(f"too many indices for array: {used} for {x} of {x.type.ndim} dimensions")
    if not places:
        return entries
    fill = [spec.FULL] * (x.type.ndim - used)
    return entries[: places[0]] + fill + entries[places[0] + 1 :]


def _expand_masks(x: Any, entries: list[Any]) -> list[Any]:
    """Bool masks become the int64 vectors of where they hold; slices that are only known as values
    get the bounds that these give."""
    result: list[Any] = []
    axis = 0
    for entry in entries:
        used = _consumed(entry)
        if is_slice(entry):
            result.append(slice(*slice_bounds(entry, size_of(x, axis))))
        elif _is_mask(entry):
            extents = [size_of(x, axis + i) for i in range(used)]
            result.extend(apply("mask_indices", entry, extents))
        else:
            result.append(entry)
        axis += used
    return result


def _with_new_axes(part: Any, entries: Sequence[Any]) -> Any:
    """The new axes among ``entries``, made by a dimshuffle of the part that the others take."""
    pattern: list[Any] = []
    axis = 0
    for entry in entries:
        if entry is None:
            pattern.append("x")
        elif isinstance(entry, slice):
            pattern.append(axis)
            axis += 1
    return dimshuffle(part, *pattern, *range(axis, part.type.ndim))


register("getitem", getitem)
