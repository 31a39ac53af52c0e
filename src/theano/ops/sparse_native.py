"""Products, samples and sums of a compressed matrix given as vectors: dense in, dense out, native.

A csr matrix m × n is ``(data, indices, indptr)`` with one segment per row; the same vectors are the
csc form of its transpose. The ops below do not know formats: segments are one axis, positions in
``indices`` the other, and what calls them decides which axis is which. Each is a routine
(``runtime/routines/sparse.py``), and each one's gradient is made of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, zeros_of
from theano.ops.extents import disconnected, size_of
from theano.ops.shape_checks import with_pattern_of
from theano.ops.sparse_base import check_pattern
from theano.ops.sparse_csm import csm_properties


def _vector(x: Any, what: str) -> Any:
    x = as_tensor_variable(x)
    if x.type.ndim != 1:
        raise TypeError(f"{what} must be a vector, got {x.type}")
    return x


def _matrix(x: Any, what: str) -> Any:
    x = as_tensor_variable(x)
    if x.type.ndim != 2:
        raise TypeError(f"{what} must be a matrix, got {x.type}")
    return x


def _places(indices: Any, indptr: Any) -> list[Any]:
    found = []
    for value, what in ((indices, "indices"), (indptr, "indptr")):
        vector = _vector(value, what)
        if vector.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"{what} must be a vector of integers, got {vector.type}")
        found.append(cast(vector, "int32"))
    return found


def _not_one(*shape: int | None) -> tuple[int | None, ...]:
    return tuple(None if n == 1 else n for n in shape)


class SegmentOp(TensorOp):
    """An op on a compressed matrix. ``arrays`` are the inputs that the routine reads, in order."""

    __props__ = ()
    lowering = "step"
    routine: ClassVar[str]
    arrays: ClassVar[tuple[int, ...]]
    indptr: ClassVar[int]

    def lower(self, node: Apply, low: Any) -> None:
        """One call of the routine."""
        (output,) = node.outputs
        given = []
        for i in self.arrays:
            array, ndim = low.array(node.inputs[i]), node.inputs[i].type.ndim
            if ndim == 2 and self.routine.endswith("dot"):
                # rows side by side: the routine reads whole vectors of them
                array = low.reshaped(array, [low.dim(array, axis) for axis in range(ndim)])
            given.append(array)
        first = low.dim(low.array(node.inputs[self.indptr]), 0)
        stored = low.dim(low.array(node.inputs[self.indptr - 1]), 0)
        # without segments no routine looks whether something is stored
        empty = low.k.apply("and", low.let("eq", first, 1), low.let("eq", stored, 0))
        some = low.k.apply("or", low.let("gt", first, 1), empty)
        low.check(some, f"{self}: indptr has no segments")
        numbers = [low.k.cast(low.scalar(v), "int64") for v in self.extents(node)]
        out = low.alloc(output)
        low.routine(self.routine, (out, *given), numbers)
        low.define(output, out)

    def extents(self, node: Apply) -> Sequence[Any]:
        """The numbers that the routine takes."""
        return ()

    def segments(self, input_shapes: Sequence[Any]) -> Any:
        """How many segments there are."""
        return sizes.sub(input_shapes[self.indptr][0], 1)


def _check(what: str, indices: Any, indptr: Any, extent: int) -> None:
    check_pattern(indices, indptr, extent, what)
    if indptr[-1] != indices.size:
        raise ValueError(f"{what}: indptr ends at {indptr[-1]}, but {indices.size} are stored")


def _csr(what: str, data: Any, indices: Any, indptr: Any, extent: int) -> Any:
    """SciPy's csr matrix of the vectors, checked."""
    if data.size != indices.size:
        raise ValueError(f"{what}: {data.size} data, but {indices.size} indices")
    _check(what, indices, indptr, extent)
    return matrix_class("csr")((data, indices, indptr), shape=(indptr.size - 1, extent))


def _gradients(data: Any, b: Any) -> list[Any]:
    """The gradients of (data, indices, indptr, b, n)."""
    return [data, disconnected(), disconnected(), b, disconnected()]


def _no_gradients(data: Any, b: Any) -> list[Any]:
    return _gradients(zeros_of(data), zeros_of(b))


class _DenseDot(SegmentOp):
    """A product with a dense matrix: inputs (data, indices, indptr, b, n)."""

    arrays = (0, 1, 2, 3)
    indptr = 2

    def make_node(self, data: Any, indices: Any, indptr: Any, b: Any, n: Any) -> Apply:
        """Three vectors, a matrix and an integer; data and matrix in their common dtype."""
        data, b = _vector(data, "data"), _matrix(b, "b")
        dtype = dtypes.upcast(data.type.dtype, b.type.dtype)
        inputs = [cast(data, dtype), *_places(indices, indptr), cast(b, dtype), sizes.variable(n)]
        kind = TensorType(dtype, shape=(*_not_one(self.rows(n)), b.type.shape[1]))
        return Apply(self, inputs, [kind()])

    def rows(self, n: Any) -> int | None:
        """How many rows the result has, where that is known."""
        return None

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False], [False], [True], [False]]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_bilinear(self, inputs, eval_points, 0, 3)]


class GatherDot(_DenseDot):
    """``z[i, :] = Σ data[p] b[indices[p], :]`` over segment i: (data, indices, indptr, b, n).

    ``b`` must have ``n`` rows. The product of a csr matrix with a dense matrix, or of the transpose
    of a csc matrix.
    """

    routine = "sparse_gather_dot"

    def lower(self, node: Apply, low: Any) -> None:
        """One call of the routine, once the inner extents agree."""
        b, n = node.inputs[3], low.k.cast(low.scalar(node.inputs[4]), "int64")
        low.check(low.let("eq", low.dim(low.array(b), 0), n), f"{self}: shapes are not aligned")
        super().lower(node, low)

    def reference(self, node: Apply, data: Any, indices: Any, indptr: Any, b: Any, n: Any) -> Any:
        if b.shape[0] != n:
            raise ValueError(
                f"dot: shape mismatch: shapes {(indptr.size - 1, int(n))} and {b.shape} not aligned"
            )
        return _csr("dot", data, indices, indptr, int(n)) @ b

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(self.segments(input_shapes), input_shapes[3][1])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (data, indices, indptr, b, n), (g,) = inputs, output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return _no_gradients(data, b)
        gb = ScatterDot()(data, indices, indptr, g, n)
        return _gradients(SampledDot()(indices, indptr, g, b), with_pattern_of(gb, b))


class ScatterDot(_DenseDot):
    """``z[indices[p], :] += data[p] b[i, :]`` over all segments: (data, indices, indptr, b, n).

    ``z`` has ``n`` rows. The product of a csc matrix of ``n`` rows with a dense matrix.
    """

    routine = "sparse_scatter_dot"

    def rows(self, n: Any) -> int | None:
        """What ``n`` is known to be."""
        return sizes.known(n)

    def reference(self, node: Apply, data: Any, indices: Any, indptr: Any, b: Any, n: Any) -> Any:
        if indptr.size - 1 != b.shape[0]:
            raise ValueError(
                f"dot: a matrix of {indptr.size - 1} columns and one of shape {b.shape} not aligned"
            )
        return _csr("dot", data, indices, indptr, int(n)).T @ b

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(sizes.simple(node.inputs[4]), input_shapes[3][1])]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (data, indices, indptr, b, n), (g,) = inputs, output_grads
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return _no_gradients(data, b)
        gb = GatherDot()(data, indices, indptr, g, n)
        return _gradients(SampledDot()(indices, indptr, b, g), with_pattern_of(gb, b))


class SampledDot(SegmentOp):
    """``z[p] = x[i, :] · y[indices[p], :]`` for p in segment i: inputs (indices, indptr, x, y).

    The stored positions of the dense product x yᵀ.
    """

    routine = "sparse_sampled_dot"
    arrays = (0, 1, 2, 3)
    indptr = 1

    def make_node(self, indices: Any, indptr: Any, x: Any, y: Any) -> Apply:
        """Two vectors and two matrices, these in their common dtype."""
        x, y = _matrix(x, "x"), _matrix(y, "y")
        dtype = dtypes.upcast(x.type.dtype, y.type.dtype)
        places = _places(indices, indptr)
        kind = TensorType(dtype, shape=_not_one(places[0].type.shape[0]))
        return Apply(self, [*places, cast(x, dtype), cast(y, dtype)], [kind()])

    def reference(self, node: Apply, indices: Any, indptr: Any, x: Any, y: Any) -> Any:
        if x.shape[1] != y.shape[1] or indptr.size - 1 != x.shape[0]:
            raise ValueError(
                f"sampled dot: shapes {x.shape} and {y.shape} for {indptr.size - 1} segments"
            )
        _check("sampled dot", indices, indptr, y.shape[0])
        rows = np.repeat(np.arange(x.shape[0]), np.diff(indptr))
        return np.einsum("pk,pk->p", x[rows], y[indices])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(input_shapes[0][0],)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[False], [False], [True], [True]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (indices, indptr, x, y), (g,) = inputs, output_grads
        nothing = [disconnected(), disconnected()]
        if outputs[0].type.dtype in dtypes.DISCRETE:
            return [*nothing, zeros_of(x), zeros_of(y)]
        gx = GatherDot()(g, indices, indptr, y, size_of(y, 0))
        gy = ScatterDot()(g, indices, indptr, x, size_of(y, 0))
        return [*nothing, with_pattern_of(gx, x), with_pattern_of(gy, y)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [_bilinear(self, inputs, eval_points, 2, 3)]


def _bilinear(op: Any, inputs: Any, points: Any, first: int, second: int) -> Any:
    """The direction of an op that is linear in each of two inputs."""
    terms = [
        op(*inputs[:i], points[i], *inputs[i + 1 :])
        for i in (first, second)
        if points[i] is not None
    ]
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]


class Sample(SegmentOp):
    """``z[p] = y[i, indices[p]]`` for p in segment i: inputs (indices, indptr, y, extent).

    ``y`` has the shape (segments, ``extent``); an extent of 1 stretches.
    """

    routine = "sparse_sample"
    arrays = (0, 1, 2)
    indptr = 1

    def make_node(self, indices: Any, indptr: Any, y: Any, extent: Any) -> Apply:
        """Two vectors, a matrix, and an integer."""
        y, places = _matrix(y, "y"), _places(indices, indptr)
        kind = TensorType(y.type.dtype, shape=_not_one(places[0].type.shape[0]))
        return Apply(self, [*places, y, sizes.variable(extent)], [kind()])

    def extents(self, node: Apply) -> Sequence[Any]:
        return (node.inputs[3],)

    def reference(self, node: Apply, indices: Any, indptr: Any, y: Any, extent: Any) -> Any:
        shape = (indptr.size - 1, int(extent))
        _check("sparse * dense", indices, indptr, shape[1])
        try:
            wide = np.broadcast_to(y, shape)
        except ValueError:
            raise ValueError(f"sparse * dense: shapes {shape} and {y.shape} differ") from None
        return wide[np.repeat(np.arange(shape[0]), np.diff(indptr)), indices]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(input_shapes[0][0],)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[False], [False], [True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        indices, indptr, y, extent = inputs
        nothing = [disconnected(), disconnected()]
        if y.type.dtype in dtypes.DISCRETE:
            return [*nothing, zeros_of(y), disconnected()]
        g = Spread()(output_grads[0], indices, indptr, extent)
        axes = [i for i, stretched in enumerate(y.type.broadcastable) if stretched]
        if axes:
            g = g.sum(axis=axes, keepdims=True)
        return [*nothing, with_pattern_of(g, y), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[2] is None:
            return [None]
        return [self(inputs[0], inputs[1], eval_points[2], inputs[3])]


class Spread(SegmentOp):
    """The dense matrix (segments × extent): inputs (data, indices, indptr, extent)."""

    routine = "sparse_spread"
    arrays = (0, 1, 2)
    indptr = 2

    def make_node(self, data: Any, indices: Any, indptr: Any, extent: Any) -> Apply:
        """Three vectors and an integer."""
        data = _vector(data, "data")
        kind = TensorType(data.type.dtype, shape=(None, *_not_one(sizes.known(extent))))
        return Apply(self, [data, *_places(indices, indptr), sizes.variable(extent)], [kind()])

    def reference(self, node: Apply, data: Any, indices: Any, indptr: Any, extent: Any) -> Any:
        return _csr("dense_from_sparse", data, indices, indptr, int(extent)).toarray()

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(self.segments(input_shapes), sizes.simple(node.inputs[3]))]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False], [False], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        data, indices, indptr, extent = inputs
        nothing = [disconnected() for _ in range(3)]
        if data.type.dtype in dtypes.DISCRETE:
            return [zeros_of(data), *nothing]
        return [Sample()(indices, indptr, output_grads[0], extent), *nothing]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]


class SegmentSum(SegmentOp):
    """``z[i] = Σ data[p]`` over segment i: inputs (data, indptr)."""

    routine = "sparse_segment_sum"
    arrays = (0, 1)
    indptr = 1

    def make_node(self, data: Any, indptr: Any) -> Apply:
        """Two vectors."""
        data = _vector(data, "data")
        starts = _places(indptr, indptr)[1]
        return Apply(self, [data, starts], [TensorType(data.type.dtype, shape=(None,))()])

    def reference(self, node: Apply, data: Any, indptr: Any) -> Any:
        one = np.zeros(data.size, dtype="int32")
        found = _csr("sp_sum", data, one, indptr, 1).sum(axis=1, dtype=data.dtype)
        return np.asarray(found).ravel()

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(self.segments(input_shapes),)]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Positions have no influence that could be differentiated."""
        return [[True], [False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (data, indptr), (g,) = inputs, output_grads
        if data.type.dtype in dtypes.DISCRETE:
            return [zeros_of(data), disconnected()]
        first = apply("zeros_like", data, dtype="int32")
        return [Sample()(first, indptr, apply("dimshuffle", g, 0, "x"), 1), disconnected()]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[0] is None else self(eval_points[0], inputs[1])]


def extents_of(shape: Any, csr: bool) -> tuple[Any, Any]:
    """(segments, positions) of a matrix, from its shape vector and format."""
    rows, columns = (cast(apply("getitem", shape, i), "int64") for i in (0, 1))
    return (rows, columns) if csr else (columns, rows)


def sample(x: Any, y: Any) -> Any:
    """The elements of the dense ``y`` (a matrix, or a scalar) at the stored positions of ``x``."""
    if y.type.ndim == 0:
        return y
    _, indices, indptr, shape = csm_properties(x)
    csr = x.type.format == "csr"
    return Sample()(indices, indptr, y if csr else y.T, extents_of(shape, csr)[1])


def spread(x: Any) -> Any:
    """The dense matrix of the csr or csc matrix ``x``."""
    data, indices, indptr, shape = csm_properties(x)
    csr = x.type.format == "csr"
    dense = Spread()(data, indices, indptr, extents_of(shape, csr)[1])
    return dense if csr else dense.T


def times_dense(x: Any, b: Any) -> Any:
    """The dense product of the csr or csc matrix ``x`` with the dense matrix ``b``."""
    data, indices, indptr, shape = csm_properties(x)
    csr = x.type.format == "csr"
    product = GatherDot() if csr else ScatterDot()
    return product(data, indices, indptr, b, extents_of(shape, csr)[1])


register("sparse:sample", sample)
