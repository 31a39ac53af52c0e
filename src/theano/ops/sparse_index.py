"""Indexing of sparse matrices: 2-D slices, scalars, lists of rows, pairs of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import disconnected
from theano.ops.sparse_base import (
    SparseOp,
    compressed,
    dense_gradient,
    no_flow,
    sparse_gradient,
    zeros_of,
)

_OPEN = np.iinfo("int64").max  # an end of a slice that is not given


def _integer(x: Any, what: str) -> Any:
    """A 0-d integer variable."""
    variable = as_tensor_variable(x)
    if variable.type.ndim != 0 or variable.type.dtype not in dtypes.integer_dtypes:
        raise ValueError(
            f"{what} of a sparse matrix must be an integer scalar, got {x} ({variable.type}): "
            "None, Ellipsis and arrays are not supported"
        )
    return sizes.variable(variable)


def _positions(x: Any) -> Any:
    """A vector of integers."""
    variable = as_tensor_variable(np.zeros(0, "int64") if isinstance(x, list) and not x else x)
    if variable.type.ndim != 1 or variable.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"positions must be a vector of integers, got {variable.type}")
    return variable


class GetItem2d(SparseOp):
    """``x[a:b:c, d:e:f]``: inputs (x, start, stop, step, start, stop, step), of x's format."""

    def make_node(self, x: Any, index: Any, *rest: Any) -> Apply:
        """A matrix and a tuple of slices or ints, or all seven inputs."""
        x = compressed(x, "indexing")
        if rest:
            return Apply(self, [x, index, *rest], [x.type.clone(shape=(None, None))()])
        index = index if isinstance(index, tuple) else (index,)
        if len(index) > 2:
            raise ValueError(f"a sparse matrix has two dimensions, got {len(index)} indices")
        full = [*index, slice(None)][:2]
        inputs = [part for entry in full for part in _slice_parts(entry)]
        return Apply(self, [x, *inputs], [x.type.clone(shape=(None, None))()])

    def reference(self, node: Apply, x: Any, *parts: Any) -> Any:
        found = x[tuple(_slice(parts[i : i + 3]) for i in (0, 3))]
        return found.asformat(x.format)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[i == 0] for i in range(7)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x = inputs[0]
        nothing = [disconnected() for _ in range(6)]
        if no_flow(x):
            return [zeros_of(x), *nothing]
        g = sparse_gradient(output_grads[0], outputs[0])
        return [PutItem2d()(x, g, *inputs[1:]), *nothing]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(sparse_gradient(eval_points[0], inputs[0]), *inputs[1:])]


def _slice_parts(entry: Any) -> list[Any]:
    """(start, stop, step) of a slice or an integer, as variables."""
    if isinstance(entry, slice):
        step = 1 if entry.step is None else entry.step
        start, stop = entry.start, entry.stop
        backwards = isinstance(step, (int, np.integer)) and step < 0
        start = (_OPEN if backwards else 0) if start is None else start
        stop = (-_OPEN if backwards else _OPEN) if stop is None else stop
        return [_integer(start, "a slice"), _integer(stop, "a slice"), _integer(step, "a step")]
    if entry is None or entry is Ellipsis:
        raise ValueError(f"{entry} is not supported as an index of a sparse matrix")
    at = _integer(entry, "an index")
    # -1 : 0 would be empty: an index from the end takes all that is left after it
    after = apply("switch", apply("eq", at, -1), np.int64(_OPEN), at + 1)
    return [at, sizes.variable(after), sizes.variable(1)]


def _slice(parts: Sequence[Any]) -> slice:
    start, stop, step = (int(part) for part in parts)
    return slice(None if start == _OPEN else start, None if abs(stop) == _OPEN else stop, step)


class PutItem2d(SparseOp):
    """A matrix of the shape and format of ``x``, zero but for ``y`` where GetItem2d would read."""

    def make_node(self, x: Any, y: Any, *parts: Any) -> Apply:
        """Two sparse matrices of one format, and the six numbers."""
        x, y = compressed(x, "indexing"), compressed(y, "indexing")
        return Apply(self, [x, y, *parts], [x.type.clone(dtype=y.type.dtype)()])

    def reference(self, node: Apply, x: Any, y: Any, *parts: Any) -> Any:
        places = y.tocoo()
        rows, columns = (
            np.arange(extent)[_slice(parts[i : i + 3])]
            for i, extent in ((0, x.shape[0]), (3, x.shape[1]))
        )
        inside = (rows[places.row], columns[places.col])
        return matrix_class(x.format)((places.data, inside), shape=x.shape)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Of ``x`` only the shape counts."""
        return [[i == 1] for i in range(8)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        g = GetItem2d()(sparse_gradient(output_grads[0], outputs[0]), *inputs[2:])
        return [disconnected(), g, *(disconnected() for _ in inputs[2:])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[1] is None:
            return [None]
        return [self(inputs[0], eval_points[1], *inputs[2:])]


class GetItemScalar(SparseOp):
    """``x[i, j]``, a 0-d array."""

    def make_node(self, x: Any, index: Any, *rest: Any) -> Apply:
        """A matrix and a pair of ints (or two inputs)."""
        x = compressed(x, "indexing")
        pair = (index, *rest) if rest else index
        if len(pair) != 2:
            raise ValueError(f"two integers are needed, got {pair}")
        places = [_integer(i, "an index") for i in pair]
        return Apply(self, [x, *places], [TensorType(x.type.dtype, shape=())()])

    def reference(self, node: Apply, x: Any, i: Any, j: Any) -> Any:
        return np.asarray(x[int(i), int(j)], dtype=x.dtype)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, i, j), (g,) = inputs, output_grads
        if no_flow(x):
            return [zeros_of(x), disconnected(), disconnected()]
        dense = apply("sparse:dense_from_sparse", x)
        hot = apply("set_subtensor", apply("getitem", apply("zeros_like", dense), (i, j)), g)
        return [apply("sparse:from_dense", hot, x.type.format), disconnected(), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(sparse_gradient(eval_points[0], inputs[0]), (inputs[1], inputs[2]))]


class GetItemList(SparseOp):
    """The rows of ``x`` at the positions in a vector of integers."""

    def make_node(self, x: Any, index: Any) -> Apply:
        """A matrix, and a list or vector."""
        x, index = compressed(x, "indexing"), _positions(index)
        return Apply(self, [x, index], [x.type.clone(shape=(None, x.type.shape[1]))()])

    def reference(self, node: Apply, x: Any, index: Any) -> Any:
        return x[index].asformat(x.format)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, index = inputs
        if no_flow(x):
            return [zeros_of(x), disconnected()]
        g = sparse_gradient(output_grads[0], outputs[0])
        return [GetItemListGrad()(x, index, g), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(sparse_gradient(eval_points[0], inputs[0]), inputs[1])]


class GetItemListGrad(SparseOp):
    """A matrix of the shape of ``x`` with the rows of ``g`` added at the positions ``index``."""

    def make_node(self, x: Any, index: Any, g: Any) -> Apply:
        """Two sparse matrices around a vector."""
        x, index, g = compressed(x, "indexing"), _positions(index), compressed(g, "indexing")
        return Apply(self, [x, index, g], [x.type.clone(dtype=g.type.dtype)()])

    def reference(self, node: Apply, x: Any, index: Any, g: Any) -> Any:
        places = g.tocoo()
        rows = np.where(index < 0, index + x.shape[0], index)[places.row]
        return matrix_class(x.format)((places.data, (rows, places.col)), shape=x.shape)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Of ``x`` only the shape counts."""
        return [[False], [False], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        g = sparse_gradient(output_grads[0], outputs[0])
        return [disconnected(), disconnected(), get_item_list(g, inputs[1])]


class GetItem2Lists(SparseOp):
    """``x[rows, columns]`` for two lists of integers: a dense vector."""

    def make_node(self, x: Any, rows: Any, columns: Any) -> Apply:
        """A matrix and two lists or vectors."""
        x, rows, columns = compressed(x, "indexing"), _positions(rows), _positions(columns)
        return Apply(self, [x, rows, columns], [TensorType(x.type.dtype, shape=(None,))()])

    def reference(self, node: Apply, x: Any, rows: Any, columns: Any) -> Any:
        if rows.shape != columns.shape:
            raise ValueError(f"indexing: {rows.size} rows, but {columns.size} columns")
        return np.asarray(x[rows, columns]).ravel() if rows.size else np.zeros(0, x.dtype)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[1]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, rows, columns = inputs
        nothing = [disconnected(), disconnected()]
        if no_flow(x):
            return [zeros_of(x), *nothing]
        g = dense_gradient(output_grads[0])
        return [GetItem2ListsGrad()(x, rows, columns, g), *nothing]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(sparse_gradient(eval_points[0], inputs[0]), *inputs[1:])]


class GetItem2ListsGrad(SparseOp):
    """A matrix of the shape of ``x`` with the vector ``g`` added at (rows, columns)."""

    def make_node(self, x: Any, rows: Any, columns: Any, g: Any) -> Apply:
        """A sparse matrix and three vectors."""
        x, g = compressed(x, "indexing"), as_tensor_variable(g)
        places = [_positions(rows), _positions(columns)]
        return Apply(self, [x, *places, g], [x.type.clone(dtype=g.type.dtype)()])

    def reference(self, node: Apply, x: Any, rows: Any, columns: Any, g: Any) -> Any:
        rows, columns = (
            np.where(at < 0, at + extent, at)
            for at, extent in zip((rows, columns), x.shape, strict=True)
        )
        return matrix_class(x.format)((g, (rows, columns)), shape=x.shape)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Of ``x`` only the shape counts."""
        return [[False], [False], [False], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        g = sparse_gradient(output_grads[0], outputs[0])
        nothing = [disconnected() for _ in range(3)]
        return [*nothing, get_item_2lists(g, inputs[1], inputs[2])]


get_item_2d = GetItem2d()
get_item_scalar = GetItemScalar()
get_item_list = GetItemList()
get_item_list_grad = GetItemListGrad()
get_item_2lists = GetItem2Lists()
get_item_2lists_grad = GetItem2ListsGrad()


def _is_scalar(entry: Any) -> bool:
    if isinstance(entry, (int, np.integer)) and not isinstance(entry, bool):
        return True
    kind = getattr(entry, "type", None)
    return isinstance(kind, TensorType) and kind.ndim == 0


def _is_list(entry: Any) -> bool:
    kind = getattr(entry, "type", None)
    vector = isinstance(kind, TensorType) and kind.ndim == 1
    return vector or isinstance(entry, (list, np.ndarray))


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` of a csr or csc matrix.

    Parameters
    ----------
    index : two ints (gives a 0-d array), a list or vector of rows (gives a sparse matrix), two
        lists or vectors (give a dense vector), else one or two slices or ints (give a sparse
        matrix of two dimensions). None, Ellipsis and boolean masks are not supported.

    >>> import scipy.sparse as sp
    >>> from theano.ops.sparse_base import as_sparse_variable
    >>> x = as_sparse_variable(sp.eye(3, format="csr"))
    >>> getitem(x, (0, 0)).eval().item(), getitem(x, slice(1, None)).eval().shape
    (1.0, (2, 3))
    """
    entries = index if isinstance(index, tuple) else (index,)
    if len(entries) == 2 and all(map(_is_scalar, entries)):
        return get_item_scalar(x, entries)
    if len(entries) == 2 and all(map(_is_list, entries)):
        return get_item_2lists(x, *entries)
    if len(entries) == 1 and _is_list(entries[0]):
        return get_item_list(x, entries[0])
    return get_item_2d(x, entries)


register("sparse:getitem", getitem)
