"""Indexing with arrays of integers: AdvancedSubtensor1 (rows), AdvancedSubtensor; and writing.

``advanced`` is what ``x[…]`` calls when an index is an array.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.extents import disconnected, size_of
from theano.ops.index import getitem
from theano.ops.index_set import IncOp, check_value


class AdvancedSubtensor1(TensorOp):
    """Rows of ``x`` (along its first dimension) at the positions in an integer vector."""

    __props__ = ()
    lowering = "map"

    def __init__(self, sparse_grad: bool = False) -> None:
        self.sparse_grad = sparse_grad

    def make_node(self, x: Any, ilist: Any) -> Apply:
        x, ilist = as_tensor_variable(x), _index_array(ilist)
        if ilist.type.ndim != 1:
            raise TypeError(f"index must be a vector, got {ilist} of type {ilist.type}")
        if x.type.ndim == 0:
            raise TypeError("cannot index into a scalar")
        shape = (ilist.type.shape[0], *x.type.shape[1:])
        return Apply(self, [x, ilist], [x.type.clone(shape=shape)()])

    def reference(self, node: Apply, x: Any, ilist: Any) -> Any:
        return x[ilist]

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The element of the row that the index names."""
        row = m.k.cast(m.input(1, axes=(0,)), "int64")
        ndim = node.inputs[0].type.ndim
        return (m.gather(0, {0: row}, (None, *range(1, ndim))),)

    def gathers(self, node: Apply) -> list[tuple[int, int]]:
        """(input, dimension of x that it indexes) for every index array."""
        return [(1, 0)]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        x, ilist = input_shapes
        return [(ilist[0], *x[1:])]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Indices have no influence that could be differentiated."""
        return [[True], [False]]

    def inc_op(self, set_instead_of_inc: bool) -> AdvancedIncSubtensor1:
        """The op that writes where this one reads."""
        return AdvancedIncSubtensor1(set_instead_of_inc=set_instead_of_inc)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, ilist = inputs
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), disconnected()]
        if self.sparse_grad or x.type.sparse_grad:
            return [_sparse_rows(x, output_grads[0], ilist), disconnected()]
        return [AdvancedIncSubtensor1()(zeros_of(x), output_grads[0], ilist), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]


def _sparse_rows(x: Any, g: Any, ilist: Any) -> Any:
    """The gradient of rows of the matrix ``x`` as a sparse matrix."""
    if x.type.ndim != 2:
        raise TypeError(f"sparse gradients are for matrices, and {x} has type {x.type}")
    import theano.ops.sparse as sparse

    return sparse.construct_sparse_from_list(x, g, ilist)


class AdvancedIncSubtensor1(IncOp):
    """``x`` with the rows at ``ilist`` increased by ``y``'s (by all where one repeats), or set.

    Inputs (x, y, ilist); ``y`` has the rank of ``x``.
    """

    __props__ = ("set_instead_of_inc",)
    lowering = "scatter"

    def __init__(self, inplace: bool = False, set_instead_of_inc: bool = False) -> None:
        self.inplace = False
        self.set_instead_of_inc = bool(set_instead_of_inc)
        self.reader = AdvancedSubtensor1()

    def reference(self, node: Apply, x: Any, y: Any, ilist: Any) -> Any:
        return _write(node, x, (ilist,), y)

    def entries(self, node: Apply) -> list[Any]:
        """The index: variables and slices of variables, one per dimension that it names."""
        return [node.inputs[2]]

    def __str__(self) -> str:
        what = "set" if self.set_instead_of_inc else "inc"
        return f"AdvancedIncSubtensor1{{no_inplace,{what}}}"


def _write(node: Apply, x: Any, where: Any, y: Any) -> Any:
    out = x.copy()
    check_value(node, y, out[where])
    if node.op.set_instead_of_inc:
        out[where] = y
    elif x.dtype == bool:
        out[where] |= y
    else:
        np.add.at(out, where, y)
    return out


def _index_array(index: Any) -> Any:
    if isinstance(index, (list, tuple)) and not index:
        index = np.zeros(0, dtype="int64")
    index = spec.signed(as_tensor_variable(index))
    if index.type.dtype not in spec.INDEX_DTYPES:
        raise TypeError(f"index must be integers, got {index} of type {index.type}")
    return index


class Layout:
    """Where the dimensions of ``x[idx]`` come from, by NumPy's rules.

    ``indexed``: dimensions of x that arrays index; ``batch``: rank that the arrays have together;
    ``at``: position of these dimensions in the result; ``rest``: per other dimension of the result,
    the entry (slice or None) and the dimension of x (None for a new axis).
    """

    def __init__(self, idx_list: Sequence[Any], ndim: int) -> None:
        entries = list(idx_list)
        entries += [spec.FULL] * (ndim - sum(entry is not None for entry in entries))
        self.entries = entries
        places = [i for i, e in enumerate(entries) if e is not None and not isinstance(e, slice)]
        self.batch = max(entries[i].ndim for i in places)
        adjacent = places[-1] - places[0] + 1 == len(places)
        self.at = places[0] if adjacent else 0
        self.indexed: list[int] = []
        self.rest: list[tuple[Any, int | None]] = []
        axis = 0
        for i, entry in enumerate(entries):
            if i in places:
                self.indexed.append(axis)
            else:
                self.rest.append((entry, None if entry is None else axis))
            axis += entry is not None

    def combine(self, batch: Sequence[Any], rest: Sequence[Any]) -> tuple[Any, ...]:
        """Per result dimension, from values per batch dimension and per other dimension."""
        return (*rest[: self.at], *batch, *rest[self.at :])


class AdvancedSubtensor(TensorOp):
    """``x[idx]`` with several integer arrays, slices, ints and new axes, by NumPy's rules.

    ``idx_list`` is that of ``index_spec``; array entries are types of any rank. ``plain`` tells
    whether every slice is ``:`` and there is no new axis: such ops are lowered as they are, others
    expand into a Subtensor of the slices and a plain one.
    """

    __props__ = ("_key",)

    def __init__(self, idx_list: Sequence[Any]) -> None:
        self.idx_list = spec.checked(idx_list)
        self._key = spec.key(self.idx_list)

    @property
    def plain(self) -> bool:
        """Whether there are only arrays and ``:``."""
        return all(e is not None and (not isinstance(e, slice) or spec.is_full(e))
                   for e in self.idx_list)  # fmt: skip

    @property
    def lowering(self) -> str:  # type: ignore[override]
        """``map`` if plain, else ``expand``."""
        return "map" if self.plain else "expand"

    def layout(self, ndim: int) -> Layout:
        """Where result dimensions come from, for an ``x`` of this rank."""
        return Layout(self.idx_list, ndim)

    def _arrays(self, indices: Sequence[Any]) -> list[Any]:
        """The inputs that are array indices (ints among them count), not parts of slices."""
        entries = spec.unpack(self.idx_list, indices)
        return [e for e in entries if e is not None and not isinstance(e, slice)]

    def make_node(self, x: Any, *inputs: Any) -> Apply:
        x = as_tensor_variable(x)
        used = sum(entry is not None for entry in self.idx_list)
        if used > x.type.ndim:
            raise IndexError(
                f"too many indices for array: {used} for {x} of {x.type.ndim} dimensions"
            )
        indices = spec.check_inputs(self, self.idx_list, inputs)
        layout = self.layout(x.type.ndim)
        entries = spec.unpack(layout.entries, indices)
        slices = [e for e in entries if e is None or isinstance(e, slice)]
        rest = [
            1 if axis is None else spec.static_length(entry or spec.FULL, x.type.shape[axis])
            for entry, (_, axis) in zip(slices, layout.rest, strict=True)
        ]
        batch = _static_batch([a.type.shape for a in self._arrays(indices)], layout.batch)
        kind = x.type.clone(shape=layout.combine(batch, rest))
        return Apply(self, [x, *indices], [kind()])

    def reference(self, node: Apply, x: Any, *indices: Any) -> Any:
        return np.array(x[spec.values(self.idx_list, indices)])

    def body(self, node: Apply, m: Any) -> tuple[Any, ...]:
        """The element that the index arrays name at this point."""
        ndim = node.inputs[0].type.ndim
        layout = self.layout(ndim)
        batch = list(range(layout.at, layout.at + layout.batch))
        others = [p for p in range(node.outputs[0].type.ndim) if p not in batch]
        axes: list[int | None] = [None] * ndim
        for position, (_, axis) in zip(others, layout.rest, strict=True):
            assert axis is not None
            axes[axis] = position
        found = {}
        for number, axis in enumerate(layout.indexed, 1):
            own = own_axes(node.inputs[number].type, batch)
            found[axis] = m.k.cast(m.input(number, axes=own), "int64")
        return (m.gather(0, found, tuple(axes)),)

    def gathers(self, node: Apply) -> list[tuple[int, int]]:
        """(input, dimension of x that it indexes) for every index array."""
        return list(enumerate(self.layout(node.inputs[0].type.ndim).indexed, 1))

    def expand(self, node: Apply) -> list[Any]:
        """The slices and new axes first, then the arrays."""
        x, *indices = node.inputs
        basic, entries = _split_index(self.idx_list, indices)
        idx_list, inputs = spec.pack(entries)
        return [AdvancedSubtensor(idx_list)(getitem(x, tuple(basic)), *inputs)]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape, indices = input_shapes[0], node.inputs[1:]
        layout = self.layout(len(shape))
        entries = spec.unpack(layout.entries, indices)
        slices = [e for e in entries if e is None or isinstance(e, slice)]
        rest = [
            1 if axis is None else spec.symbolic_length(entry or spec.FULL, shape[axis])
            for entry, (_, axis) in zip(slices, layout.rest, strict=True)
        ]
        extents = spec.unpack(self.idx_list, input_shapes[1:])
        arrays = [e for e in extents if e is not None and not isinstance(e, slice)]
        patterns = [a.type.broadcastable for a in self._arrays(indices)]
        return [layout.combine(_batch_sizes(arrays, patterns, layout.batch), rest)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Indices have no influence that could be differentiated."""
        return [[i == 0] for i in range(len(node.inputs))]

    def inc_op(self, set_instead_of_inc: bool) -> AdvancedIncSubtensor:
        """The op that writes where this one reads."""
        return AdvancedIncSubtensor(self.idx_list, set_instead_of_inc=set_instead_of_inc)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, *indices = inputs
        rest = [disconnected() for _ in indices]
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), *rest]
        return [self.inc_op(False)(zeros_of(x), output_grads[0], *indices), *rest]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]

    def __str__(self) -> str:
        return "AdvancedSubtensor"


class AdvancedIncSubtensor(IncOp):
    """``x`` with ``x[idx]`` increased by ``y`` or set, for the indices of AdvancedSubtensor."""

    __props__ = ("_key", "set_instead_of_inc")
    lowering = "scatter"

    def __init__(
        self, idx_list: Sequence[Any], inplace: bool = False, set_instead_of_inc: bool = False
    ) -> None:
        self.reader: AdvancedSubtensor = AdvancedSubtensor(idx_list)
        self.idx_list, self._key = self.reader.idx_list, self.reader._key
        self.inplace = False
        self.set_instead_of_inc = bool(set_instead_of_inc)

    def reference(self, node: Apply, x: Any, y: Any, *indices: Any) -> Any:
        return _write(node, x, spec.values(self.idx_list, indices), y)

    def entries(self, node: Apply) -> list[Any]:
        """The index: variables, slices of variables and None."""
        return spec.unpack(self.idx_list, node.inputs[2:])

    def __str__(self) -> str:
        return f"AdvancedIncSubtensor{{{'set' if self.set_instead_of_inc else 'inc'}}}"


def _static_batch(shapes: Sequence[tuple[int | None, ...]], rank: int) -> list[int | None]:
    result: list[int | None] = []
    for position in range(rank):
        found = {s[position - rank] for s in shapes if len(s) >= rank - position} - {1}
        known = found - {None}
        result.append(1 if not found else next(iter(known), None))
    return result


def _batch_sizes(
    extents: Sequence[Any], patterns: Sequence[tuple[bool, ...]], rank: int
) -> list[Any]:
    """The extents that index arrays have together; ones of size 1 stretch, known so or not."""
    result = []
    for position in range(rank):
        size: Any = 1
        for shape, pattern in zip(extents, patterns, strict=True):
            if len(pattern) < rank - position or pattern[position - rank]:
                continue
            own = shape[position - rank]
            same = size is own or (isinstance(size, int) and size != 1)
            size = size if same else sizes.where("eq", size, 1, own, size)
        result.append(size)
    return result


def own_axes(kind: Any, batch: Sequence[int]) -> tuple[int | None, ...]:
    """Which domain axes an index array follows, right-aligned; None where it stretches."""
    last = batch[len(batch) - kind.ndim :] if kind.ndim else []
    pairs = zip(last, kind.broadcastable, strict=True)
    return tuple(None if stretches else axis for axis, stretches in pairs)


def _split_index(idx_list: Sequence[Any], indices: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The slices and new axes (``:`` at the arrays), and then the arrays (``:`` elsewhere)."""
    basic, arrays = [], []
    for entry in spec.unpack(idx_list, indices):
        is_basic = entry is None or isinstance(entry, slice)
        basic.append(entry if is_basic else spec.FULL)
        arrays.append(spec.FULL if is_basic else entry)
    return basic, arrays


# builders --------------------------------------------------------------------------------------


def advanced(x: Any, entries: Sequence[Any]) -> Any:
    """``x`` indexed by entries of which at least one is an integer array."""
    places = [i for i, entry in enumerate(entries) if not spec.is_full(entry)]
    if places == [0] and entries[0].type.ndim == 1:
        return AdvancedSubtensor1()(x, entries[0])
    idx_list, inputs = spec.pack(entries)
    return AdvancedSubtensor(idx_list)(x, *inputs)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """Elements of ``a`` at ``indices`` along ``axis``.

    Parameters
    ----------
    a : an array.
    indices : integers (not uint64), of any rank: their dimensions take the place of ``axis``.
    axis : None means the flattened array.
    mode : for indices out of range: 'raise' (IndexError at run time; negative ones count from the
        end), 'clip' or 'wrap'.

    The result has the dtype of ``a``. Raises TypeError for indices that are no integers, ValueError
    for an axis or a mode that there is not.

    >>> import theano.tensor as T
    >>> T.take(T.constant([[1, 2], [3, 4]]), [1, 0], axis=1).eval().tolist()
    [[2, 1], [4, 3]]
    """
    a, indices = as_tensor_variable(a), _index_array(indices)
    if mode not in ("raise", "clip", "wrap"):
        raise ValueError(f"take: mode must be 'raise', 'clip' or 'wrap', not {mode!r}")
    if axis is None:
        a, axis = apply("flatten", a), 0
    axis = operator.index(axis)
    if not -a.type.ndim <= axis < a.type.ndim:
        raise ValueError(f"take: axis {axis} is out of range for {a.type}")
    axis %= a.type.ndim
    if mode == "clip":
        indices = apply("clip", indices, 0, sizes.variable(sizes.sub(size_of(a, axis), 1)))
    elif mode == "wrap":
        # An index of nothing stays one that is out of range.
        indices = apply("mod", indices, sizes.variable(sizes.maximum(size_of(a, axis), 1)))
    return getitem(a, (spec.FULL,) * axis + (indices,))


def advanced_subtensor(x: Any, *index: Any) -> Any:
    """``x[index]``."""
    return getitem(x, index)


def advanced_subtensor1(x: Any, ilist: Any) -> Any:
    """Rows of ``x`` at an integer vector."""
    return AdvancedSubtensor1()(x, ilist)


advanced_inc_subtensor1 = AdvancedIncSubtensor1()
advanced_set_subtensor1 = AdvancedIncSubtensor1(set_instead_of_inc=True)

register("take", take)
