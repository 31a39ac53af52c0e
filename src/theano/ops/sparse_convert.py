"""Between sparse and dense, between dtypes and formats; joining, sorting and cleaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import SparseType, is_scipy, matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import disconnected
from theano.ops.shape_checks import with_pattern_of
from theano.ops.sparse_base import (
    COMPRESSED,
    OTHER,
    SparseOp,
    as_sparse_variable,
    dense_gradient,
    no_flow,
    sparse_gradient,
    zeros_of,
)
from theano.ops.sparse_csm import csm_data, sp_ones_like, with_data


class SparseCast(SparseOp):
    """A sparse matrix converted to another dtype."""

    __props__ = ("out_type",)
    lowering = "expand"

    def __init__(self, out_type: str) -> None:
        self.out_type = dtypes.dtype_name(out_type)

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = as_sparse_variable(x)
        return Apply(self, [x], [x.type.clone(dtype=self.out_type)()])

    def expand(self, node: Apply) -> list[Any]:
        """The stored elements converted."""
        (x,) = node.inputs
        return [with_data(x, apply("cast", csm_data(x), self.out_type))]

    def reference(self, node: Apply, x: Any) -> Any:
        return x.astype(self.out_type)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,) = inputs
        if no_flow(x) or no_flow(*outputs):
            return [zeros_of(x)]
        return [cast(output_grads[0], x.type.dtype)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]


def cast(x: Any, dtype: Any, *_: Any) -> Any:
    """The sparse matrix ``x`` with the element type ``dtype`` ('floatX' allowed).

    Raises TypeError from complex to real.

    >>> import scipy.sparse as sp
    >>> cast(sp.eye(2, format="csr"), "float32").type
    Sparse[float32, csr]
    """
    name = dtypes.dtype_name(dtype)
    if not isinstance(getattr(x, "type", None), (SparseType, TensorType)):
        x = as_sparse_variable(x)
    if isinstance(x.type, TensorType):
        return apply("cast", x, name)
    if x.type.dtype == name:
        return x
    if x.type.dtype in dtypes.COMPLEX and name not in dtypes.COMPLEX:
        raise TypeError("Casting from complex to real is ambiguous: take the real part of the data")
    return SparseCast(name)(x)


class DenseFromSparse(SparseOp):
    """The dense matrix of a sparse one.

    ``structured`` (``sparse_grad``): only stored positions receive a gradient; otherwise all do.
    """

    __props__ = ("structured",)
    lowering = "expand"

    def __init__(self, structured: bool = True) -> None:
        self.structured = bool(structured)

    @property
    def sparse_grad(self) -> bool:
        """The older name of ``structured``."""
        return self.structured

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = as_sparse_variable(x)
        return Apply(self, [x], [x.type.dense()()])

    def expand(self, node: Apply) -> list[Any]:
        """The stored elements spread over zeros."""
        (x,) = node.inputs
        if x.type.format not in COMPRESSED:
            x = as_format(x, "csr")
        return [apply("sparse:spread", x)]

    def reference(self, node: Apply, x: Any) -> Any:
        return x.toarray()

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (g,) = inputs, output_grads
        if no_flow(x):
            return [zeros_of(x)]
        if self.structured:
            return [apply("sparse:mul", sp_ones_like(x), dense_gradient(g))]
        return [SparseFromDense(x.type.format)(dense_gradient(g))]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __str__(self) -> str:
        return f"DenseFromSparse{{structured_grad={self.structured}}}"


_dense_from_sparse = DenseFromSparse()


def dense_from_sparse(x: Any) -> Any:
    """The dense matrix of a sparse one; the gradient reaches its stored positions only.

    A dense array is returned as it is. The function that this library calls ``toarray``.

    >>> import scipy.sparse as sp
    >>> dense_from_sparse(sp.eye(2, format="csr")).eval().tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if isinstance(getattr(x, "type", None), TensorType):
        return x
    return _dense_from_sparse(x)


class SparseFromDense(SparseOp):
    """The elements of a dense matrix that are not zero, as csr or csc."""

    __props__ = ("format",)

    def __init__(self, format: str) -> None:
        if format not in COMPRESSED:
            raise NotImplementedError(f"format must be one of {COMPRESSED}, not {format!r}")
        self.format = format

    def make_node(self, x: Any) -> Apply:
        """A matrix; a vector counts as a row, a scalar as a matrix of one element."""
        x = as_tensor_variable(x)
        if x.type.ndim > 2:
            raise TypeError(
                "Theano does not have sparse tensor types with more than 2 dimensions, but "
                f"{x}.ndim = {x.type.ndim}"
            )
        missing = ["x"] * (2 - x.type.ndim)
        if missing:
            x = apply("dimshuffle", x, *missing, *range(x.type.ndim))
        kind = SparseType(self.format, x.type.dtype, shape=x.type.shape)
        return Apply(self, [x], [kind()])

    def reference(self, node: Apply, x: Any) -> Any:
        return matrix_class(self.format)(x)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,), (g,) = inputs, output_grads
        return [with_pattern_of(dense_from_sparse(g), x)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __str__(self) -> str:
        return f"SparseFromDense{{{self.format}}}"


csr_from_dense = SparseFromDense("csr")
csc_from_dense = SparseFromDense("csc")


class AsFormat(SparseOp):
    """The same matrix in another format."""

    __props__ = ("format",)

    def __init__(self, format: str) -> None:
        self.format = format

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = as_sparse_variable(x)
        return Apply(self, [x], [x.type.clone(format=self.format)()])

    def reference(self, node: Apply, x: Any) -> Any:
        return x.asformat(self.format)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [sparse_gradient(output_grads[0], inputs[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0])]

    def __str__(self) -> str:
        return f"AsFormat{{{self.format}}}"


def as_format(x: Any, format: str) -> Any:
    """``x`` in another format; ``x`` itself if it has it."""
    x = as_sparse_variable(x)
    return x if x.type.format == format else AsFormat(format)(x)


class Transpose(SparseOp):
    """The transpose; a csr matrix becomes a csc matrix of the same vectors, and the reverse."""

    reads_elements = False

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = as_sparse_variable(x)
        kind = x.type.clone(format=OTHER[x.type.format], shape=x.type.shape[::-1])
        return Apply(self, [x], [kind()])

    def reference(self, node: Apply, x: Any) -> Any:
        return x.transpose(copy=True)  # results of functions share no memory with inputs

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x,) = inputs
        if no_flow(x):
            return [zeros_of(x)]
        return [transpose(sparse_gradient(output_grads[0], outputs[0]))]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else transpose(eval_points[0])]


def transpose(x: Any) -> Any:
    """The transpose of a sparse matrix: csr becomes csc, and the other way round.

    >>> import scipy.sparse as sp
    >>> transpose(sp.eye(2, format="csr")).type
    Sparse[float64, csc]
    """
    x = as_sparse_variable(x)
    if x.owner is not None and isinstance(x.owner.op, Transpose):
        return x.owner.inputs[0]
    return Transpose()(x)


class _SamePattern(SparseOp):
    """An op that changes how a matrix is stored, not its value."""

    def make_node(self, x: Any) -> Apply:
        """One sparse input."""
        x = as_sparse_variable(x)
        return Apply(self, [x], [x.type()])

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [sparse_gradient(output_grads[0], inputs[0])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return list(eval_points)


class EnsureSortedIndices(_SamePattern):
    """Stored elements in ascending order within rows (csr) or columns (csc)."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = False

    def reference(self, node: Apply, x: Any) -> Any:
        return x.sorted_indices()


class Remove0(_SamePattern):
    """Stored zeros removed."""

    __props__ = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        self.inplace = False

    def reference(self, node: Apply, x: Any) -> Any:
        found = x.copy()
        found.eliminate_zeros()
        return found


class SparseCopy(_SamePattern):
    """The same matrix, as a new one."""

    def reference(self, node: Apply, x: Any) -> Any:
        return x.copy()


ensure_sorted_indices = EnsureSortedIndices()
remove0 = Remove0()
sparse_copy = SparseCopy()


def clean(x: Any) -> Any:
    """``x`` without stored zeros, its elements in order."""
    return ensure_sorted_indices(remove0(x))


class Stack(SparseOp):
    """Sparse matrices beside or below each other; ``format`` and ``dtype`` of the result."""

    __props__ = ("format", "dtype")
    axis: int
    name: str

    def __init__(self, format: str | None = None, dtype: str | None = None) -> None:
        self.format = "csc" if format is None else format
        if dtype is None:
            raise ValueError("The output dtype must be specified.")
        self.dtype = dtypes.dtype_name(dtype)

    def make_node(self, *blocks: Any) -> Apply:
        """At least one sparse matrix."""
        if not blocks:
            raise ValueError("Cannot join 0 sparses together.")
        variables = [as_sparse_variable(block) for block in blocks]
        for block in variables:
            if block.type.format not in COMPRESSED:
                raise TypeError(f"{self.name} takes csr and csc matrices, got {block.type}")
        sizes = [block.type.shape[self.axis] for block in variables]
        shape: list[int | None] = [None, None]
        shape[self.axis] = None if None in sizes else sum(n for n in sizes if n is not None)
        return Apply(self, variables, [SparseType(self.format, self.dtype, shape=shape)()])

    def reference(self, node: Apply, *blocks: Any) -> Any:
        import scipy.sparse

        fixed = 1 - self.axis
        extents = {block.shape[fixed] for block in blocks}
        if len(extents) > 1:
            raise ValueError(
                f"{self.name}: shapes {[block.shape for block in blocks]} differ along axis {fixed}"
            )
        join = scipy.sparse.hstack if self.axis else scipy.sparse.vstack
        return join(blocks, format=self.format, dtype=self.dtype)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        if no_flow(*outputs):
            return [zeros_of(x) for x in inputs]
        g = sparse_gradient(output_grads[0], outputs[0])
        start: Any = np.int64(0)
        results = []
        for x in inputs:
            stop = start + apply("sparse:shape", x)[self.axis]
            part = (slice(None), slice(start, stop)) if self.axis else slice(start, stop)
            piece = as_format(apply("sparse:getitem", g, part), x.type.format)
            results.append(zeros_of(x) if no_flow(x) else cast(piece, x.type.dtype))
            start = stop
        return results

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if all(point is None for point in eval_points):
            return [None]
        pairs = zip(inputs, eval_points, strict=True)
        return [self(*(zeros_of(x) if e is None else as_format(e, x.type.format)
                       for x, e in pairs))]  # fmt: skip


class HStack(Stack):
    """Sparse matrices beside each other."""

    axis = 1
    name = "HStack"


class VStack(Stack):
    """Sparse matrices below each other."""

    axis = 0
    name = "VStack"


def _stack(kind: type[Stack], blocks: Sequence[Any], format: str | None, dtype: Any) -> Any:
    if is_scipy(blocks) or isinstance(getattr(blocks, "type", None), SparseType):
        raise TypeError(f"{kind.name} takes a list of matrices, not one")
    variables = [as_sparse_variable(block) for block in blocks]
    if dtype is None and variables:
        dtype = dtypes.upcast(*(block.type.dtype for block in variables))
    return kind(format=format, dtype=dtype or "floatX")(*variables)


def hstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> Any:
    """Sparse matrices beside each other (as SciPy's ``hstack``).

    Parameters: ``format`` of the result, by default csc; ``dtype``, by default the one that all
    have together. Raises ValueError without matrices, at run time where numbers of rows differ.

    >>> import scipy.sparse as sp
    >>> hstack([sp.eye(2, format="csr"), sp.eye(2, format="csr")]).eval().shape
    (2, 4)
    """
    return _stack(HStack, blocks, format, dtype)


def vstack(blocks: Sequence[Any], format: str | None = None, dtype: str | None = None) -> Any:
    """Sparse matrices below each other (as SciPy's ``vstack``); see ``hstack``."""
    return _stack(VStack, blocks, format, dtype)


class ConstructSparseFromList(SparseOp):
    """A csc matrix of the shape of ``x``, all zero but for the rows ``ilist``.

    Inputs: the matrix ``x``, the matrix ``values`` (a row for each position) and the integer vector
    ``ilist``; the values of a row that is named more than once are added up.
    """

    __props__ = ()

    def make_node(self, x: Any, values: Any, ilist: Any) -> Apply:
        """Two matrices and a vector of ints."""
        x, values, ilist = map(as_tensor_variable, (x, values, ilist))
        if x.type.ndim != 2 or values.type.ndim != 2:
            raise TypeError(
                f"construct_sparse_from_list takes matrices, got {x.type} and {values.type}"
            )
        if ilist.type.ndim != 1 or ilist.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"ilist must be a vector of integers, got {ilist.type}")
        kind = SparseType("csc", x.type.dtype, shape=x.type.shape)
        return Apply(self, [x, values, ilist], [kind()])

    def reference(self, node: Apply, x: Any, values: Any, ilist: Any) -> Any:
        if values.shape != (ilist.size, x.shape[1]):
            raise ValueError(
                f"construct_sparse_from_list: values of shape {values.shape} for {ilist.size} rows "
                f"of {x.shape[1]} elements"
            )
        rows = np.where(ilist < 0, ilist + x.shape[0], ilist)
        if rows.size and (rows.min() < 0 or rows.max() >= x.shape[0]):
            raise IndexError(f"index {ilist} is out of bounds for {x.shape[0]} rows")
        count, columns = values.shape
        indptr = np.arange(columns + 1) * count
        parts = (values.ravel(order="F"), np.tile(rows, columns), indptr)
        return matrix_class("csc")(parts, shape=x.shape, dtype=x.dtype)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence, and of ``x`` only the shape counts."""
        return [[False], [True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The rows that the values went to."""
        g = dense_from_sparse(output_grads[0])
        return [disconnected(), apply("getitem", g, inputs[2]), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[1] is None:
            return [None]
        return [self(inputs[0], eval_points[1], inputs[2])]


construct_sparse_from_list = ConstructSparseFromList()


_BUILDERS: dict[str, Callable[..., Any]] = {
    "sparse:cast": cast,
    "sparse:dense_from_sparse": dense_from_sparse,
    "sparse:transpose": transpose,
    "sparse:as_format": as_format,
    "sparse:copy": sparse_copy,
    "sparse:from_dense": lambda x, format: SparseFromDense(format)(x),
}
for _name, _builder in _BUILDERS.items():
    register(_name, _builder)
