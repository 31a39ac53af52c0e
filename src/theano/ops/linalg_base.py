"""What ops on matrices share: dtypes, batches, products, triangles, and lowering to routines.

An op takes matrices, with any number of leading axes that count matrices (a batch).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.core.errors import ComplexError, ShapeError
from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.creation import Tri
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import size_of, sizes_of
from theano.ops.reshape import Reshape
from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.table import routine

#: What LAPACK has; other dtypes are converted, complex ones go through NumPy.
NATIVE: Final = ("float32", "float64")


def linalg_dtype(*given: str) -> str:
    """The dtype that a factorisation computes in: float64 for integers, float32 for float16.

    >>> linalg_dtype("int8"), linalg_dtype("float16"), linalg_dtype("float32", "float64")
    ('float64', 'float32', 'float64')
    """
    dtype = dtypes.promote(*given)
    if dtype in dtypes.DISCRETE:
        return "float64"
    return "float32" if dtype == "float16" else dtype


def as_matrices(x: Any, what: str) -> Any:
    """``x`` as an array of at least two axes in a dtype to compute in; TypeError for fewer axes."""
    x = as_tensor_variable(x)
    if x.type.ndim < 2:
        raise TypeError(f"{what} takes a matrix (or a stack of them), got {x} of type {x.type}")
    return cast(x, linalg_dtype(x.type.dtype))


def as_square(x: Any, what: str) -> Any:
    """The same, and ShapeError where the type says that the matrices are not square."""
    x = as_matrices(x, what)
    rows, columns = x.type.shape[-2:]
    if None not in (rows, columns) and rows != columns:
        raise ShapeError(f"{what} takes square matrices, got shape {x.type.shape} of {x}")
    return x


def check_square(what: str, *arrays: Any) -> None:
    """LinAlgError at run time for matrices that are not square."""
    for x in arrays:
        if x.shape[-2] != x.shape[-1]:
            raise np.linalg.LinAlgError(
                f"{what}: the last two dimensions must be equal, got shape {x.shape}"
            )


def connected(g: Any) -> bool:
    """Whether there is a gradient."""
    return not isinstance(g.type, DisconnectedType)


class LinalgOp(TensorOp):
    """Gradients are those of real matrices: ``gradient`` has the meaning of ``L_op``."""

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        for x in inputs:
            if x.type.dtype in dtypes.COMPLEX:
                raise ComplexError(f"{self}: there is no gradient for {x} of dtype {x.type.dtype}")
        return self.gradient(inputs, outputs, output_grads)

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The terms for the inputs, which are real."""
        raise NotImplementedError(f"{self} has no gradient")


class OfSquare:
    """What ops share that take square matrices to others like them; errors call them ``what``."""

    what: ClassVar[str]

    def make_node(self: Any, x: Any) -> Apply:
        x = as_square(x, self.what)
        return Apply(self, [x], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]


# graphs -----------------------------------------------------------------------------------------


def mT(x: Any) -> Any:
    """The transposed matrices: the last two axes exchanged."""
    n = x.type.ndim
    return dimshuffle(x, *range(n - 2), n - 1, n - 2)


def _fold(x: Any) -> Any:
    batch = sizes.product(size_of(x, i) for i in range(x.type.ndim - 2))
    last = [size_of(x, x.type.ndim - 2), size_of(x, x.type.ndim - 1)]
    return Reshape(3)(x, sizes.vector([batch, *last]))


def matmul(a: Any, b: Any) -> Any:
    """The products of matrices; batches are alike."""
    if a.type.ndim == 2:
        return apply("dot", a, b)
    if a.type.ndim == 3:
        return apply("batched_dot", a, b)
    out = apply("batched_dot", _fold(a), _fold(b))
    shape = [*sizes_of(a)[:-1], size_of(b, b.type.ndim - 1)]
    return Reshape(a.type.ndim)(out, sizes.vector(shape))


def triangle(x: Any, lower: bool, strict: bool = False) -> Any:
    """``x`` with zeros above (``lower``) or below the diagonal; ``strict``: on it as well."""
    rows, columns = sizes_of(x)[-2:]
    offset = (-1 if strict else 0) if lower else (0 if strict else -1)
    mask = Tri("bool")(rows, columns, np.int64(offset))
    zero = np.zeros((), x.type.dtype)
    return apply("switch", mask, x, zero) if lower else apply("switch", mask, zero, x)


def identity_of(x: Any) -> Any:
    """The identity matrix of the order and dtype of square ``x``, without batch."""
    n = size_of(x, x.type.ndim - 1)
    return apply("eye", n, n, 0, dtype=x.type.dtype)


def diagonal_of(x: Any) -> Any:
    """The diagonals, as last axis."""
    from theano.ops.diagonal import ExtractDiag

    return ExtractDiag(0, x.type.ndim - 2, x.type.ndim - 1)(x)


def half_diagonal(x: Any, lower: bool) -> Any:
    """Φ: the triangle with half of the diagonal."""
    half = triangle(x, lower) + triangle(x, lower, strict=True)
    return half * np.asarray(0.5, x.type.dtype)


def as_column(x: Any) -> Any:
    """A vector (behind a batch) as a matrix of one column."""
    return dimshuffle(x, *range(x.type.ndim), "x")


def as_row(x: Any) -> Any:
    """A vector (behind a batch) as a matrix of one row."""
    return dimshuffle(x, *range(x.type.ndim - 1), "x", x.type.ndim - 1)


def outer(x: Any, y: Any) -> Any:
    """x yᵀ of two vectors, or of the columns of two (batches of) matrices."""
    if x.type.ndim == 1:
        return as_column(x) * as_row(y)
    return matmul(x, mT(y))


def aligned(a: Any, b: Any, what: str, keep_a: bool = True) -> tuple[Any, Any]:
    """Matrices ``a`` and ``b`` with equal leading axes, stretched where one has 1 or none.

    ``a`` without leading axes stays as it is if ``keep_a``, and so does a vector ``b`` then.
    """
    if b.type.ndim == 1:
        if a.type.ndim > 2:
            raise TypeError(
                f"{what}: {b} is a vector, {a} of type {a.type} a stack: use b[:, None]"
            )
        return a, b
    if (keep_a and a.type.ndim == 2) or a.type.broadcastable[:-2] == b.type.broadcastable[:-2]:
        return a, b
    count = max(a.type.ndim, b.type.ndim)
    a, b = (dimshuffle(v, *["x"] * (count - v.type.ndim), *range(v.type.ndim)) for v in (a, b))
    batch = [size_of(b if a.type.broadcastable[i] else a, i) for i in range(count - 2)]
    made = []
    for v in (a, b):
        wanted = any(
            x and not y for x, y in zip(v.type.broadcastable[:-2], _pattern(a, b), strict=True)
        )
        made.append(apply("alloc", v, *batch, *sizes_of(v)[-2:]) if wanted else v)
    return made[0], made[1]


def _pattern(a: Any, b: Any) -> list[bool]:
    both = zip(a.type.broadcastable[:-2], b.type.broadcastable[:-2], strict=True)
    return [x and y for x, y in both]


# reference --------------------------------------------------------------------------------------


def by_routine(name: str, arrays: Sequence[Any], numbers: Sequence[int]) -> None:
    """Run the NumPy meaning of a routine; LinAlgError where it fails."""
    try:
        routine(name).meaning(*arrays, *map(np.int64, numbers))
    except RoutineFailed as error:
        raise np.linalg.LinAlgError(str(error)) from error


def stacked(function: Callable[..., Any], *arrays: Any) -> Any:
    """``function`` on each matrix of a batch; 2-D arrays go to each call."""
    batch = next((x.shape[:-2] for x in arrays if x.ndim > 2), ())
    if not batch:
        return function(*arrays)
    results = [
        function(*(x[index] if x.ndim > 2 else x for x in arrays)) for index in np.ndindex(*batch)
    ]
    if not results:
        return None
    if isinstance(results[0], tuple):
        return tuple(_regrouped([r[i] for r in results], batch) for i in range(len(results[0])))
    return _regrouped(results, batch)


def _regrouped(parts: Sequence[Any], batch: tuple[int, ...]) -> Any:
    whole = np.stack(parts)
    return whole.reshape(batch + whole.shape[1:])


# lowering ---------------------------------------------------------------------------------------


def fold_batch(low: Any, array: str, core: int = 2) -> str:
    """``array`` with all its leading axes made one."""
    dims = [low.dim(array, i) for i in range(len(low.array_dims[array]))]
    count = low.k.const(1, "int64")
    for extent in dims[: len(dims) - core]:
        count = low.let("mul", count, extent)
    result: str = low.reshaped(array, (count, *dims[len(dims) - core :]))
    return result


def spread_batch(low: Any, array: str, model: str, core: int = 2) -> str:
    """``array``, folded; one without leading axes is repeated for each matrix of ``model``."""
    if len(low.array_dims[array]) > core:
        return fold_batch(low, array, core)
    axes = [(i, low.dim(array, i), 1) for i in range(core)]
    result: str = low.view(array, (), [(None, low.dim(model, 0), 1), *axes])
    return result


def begin(low: Any, source: Any, out: Any) -> str:
    """An array for ``out`` in C order that holds the values of ``source``."""
    if low.is_free(source) and source.type.dtype == out.type.dtype:
        name: str = low.array(source)
        low.define(out, name)
        return name
    target: str = low.alloc(out)
    low.copy(low.array(source), target)
    return target


def work_copy(low: Any, source: Any) -> str:
    """A copy of ``source`` in C order that may be overwritten."""
    target: str = low.allocate(source.type.dtype, low.sizes.dims[source])
    low.copy(low.array(source), target)
    return target


def need_square(low: Any, node: Apply, x: Any) -> None:
    """End the call unless the matrices are square."""
    dims = low.sizes.dims[x]
    low.need_equal(dims[-1], dims[-2], node)


def need_same(low: Any, node: Apply, first: Sequence[Any], second: Sequence[Any]) -> None:
    """End the call unless extents are equal, one by one."""
    for a, b in zip(first, second, strict=True):
        low.need_equal(a, b, node)
