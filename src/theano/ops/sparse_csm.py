"""A compressed sparse matrix as four vectors, and back: CSM, csm_properties, csm_grad.

``data`` holds the stored elements, ``indices`` their positions along the other axis, and segment i
(row i of csr, column i of csc) is ``data[indptr[i] : indptr[i + 1]]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply, register
from theano.graph.sparse_type import SparseType, matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.extents import NoGradient, disconnected
from theano.ops.sparse_base import (
    COMPRESSED,
    SparseOp,
    as_sparse_variable,
    check_pattern,
    compressed,
    sparse_gradient,
    zeros_of,
)

_INT32 = np.dtype("int32")


def _pattern(indices: Any, indptr: Any, shape: Any) -> list[Any]:
    """The three int32 vectors that say where elements are."""
    found = []
    for name, value in (("indices", indices), ("indptr", indptr), ("shape", shape)):
        variable = as_tensor_variable(value)
        if variable.type.dtype not in dtypes.integer_dtypes and not _empty(variable):
            raise TypeError(f"{name} must be vector of integers, got {variable.type}")
        if variable.type.ndim != 1:
            raise TypeError(f"{name} must be vector of integers, got {variable.type}")
        found.append(cast(variable, "int32"))
    return found


def _empty(variable: Any) -> bool:
    return bool(variable.type.shape == (0,))


def other_extent(shape: Any, segments: int) -> int:
    """The extent of a compressed matrix along the axis that ``indices`` address."""
    return int(shape[1] if segments == shape[0] else shape[0])


class CSMProperties(SparseOp):
    """(data, indices, indptr, shape) of a csr or csc matrix; nothing is copied."""

    __props__ = ()
    why = "the vectors of a SciPy matrix are attributes of a Python object"
    reads_elements = False
    view_map = {0: [0], 1: [0], 2: [0]}  # noqa: RUF012

    def __init__(self, kmap: Any = None) -> None:
        if kmap is not None:
            raise ValueError("kmap is not supported: it must be None")

    def make_node(self, csm: Any) -> Apply:
        """One sparse input; four vectors."""
        csm = compressed(csm, "csm_properties")
        ints = [TensorType("int32", shape=(n,))() for n in (None, None, 2)]
        return Apply(self, [csm], [TensorType(csm.type.dtype, shape=(None,))(), *ints])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """The vectors as they are where nothing has to be cut or converted, as most often."""
        (csm,) = inputs
        data, indices, indptr = csm.data, csm.indices, csm.indptr
        plain = indices.dtype == indptr.dtype == _INT32
        if plain and data.shape[0] == indices.shape[0] == (indptr[-1] if indptr.size else -1):
            found = (data, indices, indptr, np.array(csm.shape, dtype=_INT32))
            for cell, value in zip(output_storage, found, strict=True):
                cell[0] = value
        else:
            super().perform(node, inputs, output_storage, params)

    def reference(self, node: Apply, csm: Any) -> Any:
        count = int(csm.indptr[-1])
        if count >= 2**31 or max(csm.shape) >= 2**31:
            raise ValueError(f"a matrix of shape {csm.shape} with {count} elements is too large")
        small = [np.asarray(v, dtype="int32") for v in (csm.indices[:count], csm.indptr, csm.shape)]
        return (csm.data[:count], *small)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [None, None, None, (2,)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only data have an influence that could be differentiated."""
        return [[True, False, False, False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The gradient of the data on the matrix's own pattern."""
        (x,), g = inputs, output_grads[0]
        if isinstance(g.type, DisconnectedType):
            return [disconnected()]
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x)]
        return [CSM(x.type.format)(g, *outputs[1:])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        (x,), (direction,) = inputs, eval_points
        if direction is None:
            return [None] * 4
        return [on_pattern_of(x, direction), None, None, None]


def csm_properties(csm: Any) -> list[Any]:
    """The vectors (data, indices, indptr, shape) of a csr or csc matrix.

    ``data`` has the dtype of the matrix, the others are int32. Only ``data`` has a gradient.

    >>> import scipy.sparse as sp
    >>> [v.eval().tolist() for v in csm_properties(as_sparse_variable(sp.eye(2, format="csr")))]
    [[1.0, 1.0], [0, 1], [0, 1, 2], [2, 2]]
    """
    results: list[Any] = CSMProperties()(csm)
    return results


def csm_data(csm: Any) -> Any:
    """The stored elements of a csr or csc matrix."""
    return csm_properties(csm)[0]


def csm_indices(csm: Any) -> Any:
    """The position of each stored element within its row (csr) or column (csc), int32."""
    return csm_properties(csm)[1]


def csm_indptr(csm: Any) -> Any:
    """Where each row (csr) or column (csc) begins, int32; one entry more than there are."""
    return csm_properties(csm)[2]


def csm_shape(csm: Any) -> Any:
    """The extents as an int32 vector."""
    return csm_properties(csm)[3]


class CSM(SparseOp):
    """A csr or csc matrix from (data, indices, indptr, shape); only ``data`` has a gradient.

    Parameters: ``format`` is ``"csr"`` or ``"csc"``. Raises TypeError for vectors of other ranks or
    positions that are not integers; at run time ValueError for positions outside of the shape.
    """

    __props__ = ("format",)

    def __init__(self, format: str, kmap: Any = None) -> None:
        if format not in COMPRESSED:
            raise NotImplementedError(f"format must be one of {COMPRESSED}, not {format!r}")
        if kmap is not None:
            raise ValueError("kmap is not supported: it must be None")
        self.format = format
        self.kmap = None

    def make_node(self, data: Any, indices: Any, indptr: Any, shape: Any) -> Apply:
        """Four vectors; a sparse matrix."""
        data = as_tensor_variable(data)
        if data.type.ndim != 1:
            raise TypeError(f"data argument must be a vector, got {data.type}")
        where = _pattern(indices, indptr, shape)
        return Apply(self, [data, *where], [SparseType(self.format, data.type.dtype)()])

    def reference(self, node: Apply, data: Any, indices: Any, indptr: Any, shape: Any) -> Any:
        if shape.size != 2:
            raise ValueError(f"{self}: shape should be a vector of length 2, got {shape}")
        if data.size != indices.size:
            raise ValueError(f"{self}: {data.size} data, but {indices.size} indices")
        rows, columns = map(int, shape)
        segments, extent = (rows, columns) if self.format == "csr" else (columns, rows)
        if indptr.size != segments + 1:
            raise ValueError(
                f"{self}: indptr of a matrix of shape {(rows, columns)} has {segments + 1} "
                f"elements, not {indptr.size}"
            )
        check_pattern(indices, indptr, extent, str(self))
        # copies: the arrays may be scratch memory of the compiled function
        parts = (data.copy(), indices.copy(), indptr.copy())
        return matrix_class(self.format)(parts, shape=(rows, columns), copy=False)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only data have an influence that could be differentiated."""
        return [[True], [False], [False], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The gradient at the stored positions."""
        data, indices, indptr, shape = inputs
        nothing = [disconnected() for _ in range(3)]
        if data.type.dtype in dtypes.DISCRETE:
            return [zeros_of(data), *nothing]
        g = sparse_gradient(output_grads[0], outputs[0])
        return [csm_grad()(data, indices, indptr, shape, *csm_properties(g)), *nothing]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        return [self(eval_points[0], *inputs[1:])]

    def __str__(self) -> str:
        return f"CSM{{{self.format}}}"


CSC = CSM("csc")
CSR = CSM("csr")


class CSMGrad(TensorOp):
    """The elements of one compressed matrix at the stored positions of another.

    Inputs: (data, indices, indptr, shape) of the matrix whose positions count, then the same of the
    matrix whose elements are read. What is not stored there is 0.
    """

    __props__ = ()
    lowering = "python"
    why = "positions of two matrices are matched by search"

    def __init__(self, kmap: Any = None) -> None:
        if kmap is not None:
            raise ValueError("kmap is not supported: it must be None")

    def make_node(self, *inputs: Any) -> Apply:
        """Eight vectors; one."""
        if len(inputs) != 8:
            raise TypeError(f"csm_grad takes 8 vectors, got {len(inputs)}")
        x_data, g_data = (as_tensor_variable(v) for v in (inputs[0], inputs[4]))
        x, g = _pattern(*inputs[1:4]), _pattern(*inputs[5:8])
        kind = TensorType(g_data.type.dtype, shape=x_data.type.shape)
        return Apply(self, [x_data, *x, g_data, *g], [kind()])

    def reference(
        self, node: Apply, x_data: Any, x_indices: Any, x_indptr: Any, x_shape: Any,
        g_data: Any, g_indices: Any, g_indptr: Any, g_shape: Any,
    ) -> Any:  # fmt: skip
        if tuple(x_shape) != tuple(g_shape):
            raise ValueError(
                f"csm_grad: the gradient has shape {tuple(g_shape)}, the matrix {tuple(x_shape)}"
            )
        same = np.array_equal(x_indptr, g_indptr) and np.array_equal(x_indices, g_indices)
        if same:
            return g_data.copy()
        segments = x_indptr.size - 1
        extent = other_extent(x_shape, segments)
        check_pattern(x_indices, x_indptr, extent, "csm_grad")
        check_pattern(g_indices, g_indptr, extent, "csm_grad")
        source = matrix_class("csr")((g_data, g_indices, g_indptr), shape=(segments, extent))
        rows = np.repeat(np.arange(segments), np.diff(x_indptr))
        found = source[rows, x_indices[: rows.size]] if rows.size else np.zeros(0, g_data.dtype)
        return np.asarray(found).ravel()

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the elements read have an influence."""
        return [[i == 4] for i in range(8)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The other way round."""
        x, g = inputs[:4], inputs[4:]
        results = [disconnected() for _ in range(8)]
        results[4] = self(g[0], *g[1:], output_grads[0], *x[1:])
        return results

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[4] is None:
            return [None]
        return [self(*inputs[:4], eval_points[4], *inputs[5:])]


csm_grad = CSMGrad


def on_pattern_of(x: Any, other: Any) -> Any:
    """The elements of the sparse ``other`` at the stored positions of ``x``, as a vector."""
    return CSMGrad()(*csm_properties(x), *csm_properties(sparse_gradient(other, x)))


def with_data(x: Any, data: Any) -> Any:
    """A matrix with the stored positions of ``x`` and other elements."""
    _, indices, indptr, shape = csm_properties(x)
    return CSM(x.type.format)(data, indices, indptr, shape)


def sp_ones_like(x: Any, dtype: str | None = None) -> Any:
    """Ones (of the dtype of ``x``, or ``dtype``) at the stored positions of ``x``."""
    x = as_sparse_variable(x)
    return with_data(x, apply("ones_like", csm_data(x), dtype=dtype))


def sp_zeros_like(x: Any, dtype: str | None = None, opt: bool = False) -> Any:
    """A matrix of the shape, format and dtype of ``x`` (or ``dtype``) that stores nothing.

    >>> import scipy.sparse as sp
    >>> sp_zeros_like(as_sparse_variable(sp.eye(2, format="csr"))).eval().nnz
    0
    """
    x = as_sparse_variable(x)
    _, _, indptr, shape = csm_properties(x)
    dtype = x.type.dtype if dtype is None else dtypes.dtype_name(dtype)
    none = as_tensor_variable(np.zeros(0, dtype=dtype))
    return CSM(x.type.format)(none, np.zeros(0, "int32"), apply("zeros_like", indptr), shape)


def sparse_shape(x: Any) -> Any:
    """The extents of a sparse matrix as an int64 vector."""
    return cast(SparseShape()(as_sparse_variable(x)), "int64")


def sparse_size(x: Any) -> Any:
    """How many elements a sparse matrix stores (0-d int64)."""
    return csm_data(x).shape[0]


class SparseShape(NoGradient, SparseOp):
    """The extents of a sparse matrix of any format: an int64 vector of length 2."""

    __props__ = ()
    reads_elements = False

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        return Apply(self, [as_sparse_variable(x)], [TensorType("int64", shape=(2,))()])

    def reference(self, node: Apply, x: Any) -> Any:
        return np.array(x.shape, dtype="int64")

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(2,)]


for _builder in (
    csm_properties, csm_data, csm_indices, csm_indptr, csm_shape, sp_ones_like, sp_zeros_like,
    sparse_shape, sparse_size,
):  # fmt: skip
    register(f"sparse:{_builder.__name__.removeprefix('sparse_')}", _builder)
