"""From Python values to sparse variables, the base class of sparse ops, and helpers they share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.core.errors import AsTensorError
from theano.graph import registry
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.sparse_type import SparseConstant, SparseType, is_scipy, matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp, as_output
from theano.ops.basic import as_tensor_variable

OBJECT_WHY: Final = "a sparse matrix is a SciPy object; the op calls SciPy"
COMPRESSED: Final = ("csr", "csc")
OTHER: Final = {"csr": "csc", "csc": "csr", "bsr": "bsr"}


class SparseOp(TensorOp):
    """An op that takes or gives sparse matrices. Its ``reference`` is SciPy."""

    __props__: ClassVar[tuple[str, ...] | None] = ()
    lowering = "python"
    why = OBJECT_WHY
    #: whether SciPy may be given matrices whose indices point outside: it would read there
    reads_elements: bool = True

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """``reference`` gives one value, or a tuple of them."""
        if self.reads_elements:
            for variable, value in zip(node.inputs, inputs, strict=True):
                if isinstance(variable.type, SparseType):
                    check_matrix(value, str(self))
        result = self.reference(node, *inputs)
        results = result if isinstance(result, tuple) else (result,)
        for cell, value, output in zip(output_storage, results, node.outputs, strict=True):
            sparse = isinstance(output.type, SparseType)
            cell[0] = as_matrix(value, output.type) if sparse else as_output(value, output)

    def do_constant_folding(self, node: Apply) -> bool:
        """Only where the result is dense (folding knows arrays)."""
        return all(isinstance(output.type, TensorType) for output in node.outputs)


def check_pattern(indices: Any, indptr: Any, extent: int, what: str) -> None:
    """ValueError unless three vectors describe a matrix: positions inside, segments in order."""
    if indptr.size == 0 or indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise ValueError(f"{what}: indptr must begin with 0 and must not decrease, got {indptr}")
    if indptr[-1] > indices.size:
        raise ValueError(f"{what}: indptr ends at {indptr[-1]}, but {indices.size} are stored")
    used = indices[: indptr[-1]]
    if used.size and (used.min() < 0 or used.max() >= extent):
        raise ValueError(
            f"{what}: indices must be in [0, {extent}), got {used.min()} to {used.max()}"
        )


def check_matrix(value: Any, what: str) -> None:
    """ValueError unless a SciPy matrix is a valid one: SciPy itself does not look."""
    if value.format not in COMPRESSED:
        return
    segments, extent = value.shape if value.format == "csr" else value.shape[::-1]
    if value.indptr.size != segments + 1 or value.data.size < value.indptr[-1]:
        raise ValueError(
            f"{what}: a {value.format} matrix of shape {value.shape} with {value.indptr.size} "
            f"entries in indptr, {value.data.size} stored elements"
        )
    check_pattern(value.indices, value.indptr, extent, what)


def as_matrix(value: Any, kind: SparseType) -> Any:
    """A SciPy matrix (or dense array) as the matrix class, format and dtype of ``kind``."""
    cls = matrix_class(kind.format)
    if not isinstance(value, cls):
        value = cls(value)
    return value if value.dtype == kind.numpy_dtype else value.astype(kind.numpy_dtype)


def is_sparse(x: Any) -> bool:
    """Whether ``x`` is a symbolic sparse matrix or one of SciPy's."""
    return isinstance(getattr(x, "type", None), SparseType) or is_scipy(x)


def is_sparse_variable(x: Any) -> bool:
    """Whether ``x`` is a symbolic sparse matrix; TypeError if it is not symbolic at all."""
    return isinstance(_variable(x).type, SparseType)


def is_dense_variable(x: Any) -> bool:
    """Whether ``x`` is a symbolic dense array; TypeError if it is not symbolic at all."""
    return isinstance(_variable(x).type, TensorType)


def _variable(x: Any) -> Variable:
    if not isinstance(x, Variable) or not isinstance(x.type, (SparseType, TensorType)):
        raise NotImplementedError(
            f"this function is for sparse and dense variables, not for {type(x).__name__} {x!r}"
        )
    return x


def constant(x: Any, name: str | None = None) -> SparseConstant:
    """A constant with the value of a SciPy sparse matrix (which is copied).

    Raises TypeError for anything else.

    >>> import scipy.sparse as sp
    >>> constant(sp.eye(2, format="csr")).type
    Sparse[float64, csr]
    """
    if not is_scipy(x):
        raise TypeError(
            f"sparse.constant must be called on a scipy.sparse matrix, got {type(x).__name__}"
        )
    return SparseType(x.format, x.dtype.name).constant(x.copy(), name)


def as_sparse_variable(x: Any, name: str | None = None) -> Any:
    """``x`` as a sparse variable.

    Parameters
    ----------
    x : a sparse variable (returned as it is), an Apply (its output), or a SciPy sparse matrix.
    name : given to a constant that is made.

    Raises TypeError for what is not sparse.

    >>> import scipy.sparse as sp
    >>> as_sparse_variable(sp.eye(2, format="csc")).type
    Sparse[float64, csc]
    """
    if isinstance(x, Apply):
        if len(x.outputs) != 1:
            raise ValueError(
                "It is ambiguous which output of a multi-output Op has to be fetched.", x
            )
        x = x.outputs[0]
    if isinstance(x, Variable):
        if not isinstance(x.type, SparseType):
            raise TypeError(
                f"Variable type field must be a SparseType: {x} has type {x.type}. "
                "csr_from_dense(x) and csc_from_dense(x) convert."
            )
        return x
    try:
        return constant(x, name)
    except TypeError as error:
        raise TypeError(f"Cannot convert {x!r} to SparseType: {error}") from error


def as_sparse_or_tensor_variable(x: Any, name: str | None = None) -> Any:
    """``x`` as a sparse variable if it is one, else as a tensor variable."""
    if is_sparse(x):
        return as_sparse_variable(x, name)
    return as_tensor_variable(x, name)


def compressed(x: Any, what: str) -> Any:
    """``x`` as a sparse variable of format csr or csc; TypeError otherwise."""
    x = as_sparse_variable(x)
    if x.type.format not in COMPRESSED:
        raise TypeError(f"{what} takes csr and csc matrices, got {x} of type {x.type}")
    return x


def sparse_type(like: SparseType, *others: Any) -> SparseType:
    """The type with ``like``'s format and the dtype that all the types have together."""
    dtype = dtypes.upcast(like.dtype, *(kind.dtype for kind in others))
    return SparseType(like.format, dtype, shape=like.shape)


def check_shapes(what: str, x: Any, y: Any) -> None:
    """ValueError unless two matrices have one shape."""
    if x.shape != y.shape:
        raise ValueError(f"{what}: shapes {x.shape} and {y.shape} differ")


def zeros_of(x: Any) -> Any:
    """A gradient of zeros for a sparse or dense variable."""
    return registry.apply("zeros_like", x, dtype=dtypes.gradient_dtype(x.type.dtype))


def no_flow(*outputs: Any) -> bool:
    """Whether all outputs have discrete dtypes, so that no gradient flows."""
    return all(output.type.dtype in dtypes.DISCRETE for output in outputs)


def sparse_gradient(g: Any, z: Any) -> Any:
    """A gradient of the sparse ``z`` as a sparse matrix of its format.

    Full gradients (of ``theano.sparse.dot``) are dense; every element of theirs counts.
    """
    if isinstance(g.type, (DisconnectedType, NullType)):
        return g
    if isinstance(g.type, SparseType):
        if g.type.format == z.type.format:
            return g
        return registry.apply("sparse:as_format", g, z.type.format)
    return registry.apply("sparse:from_dense", g, z.type.format)


def dense_gradient(g: Any) -> Any:
    """A gradient of something dense as a dense array, whatever an op made of it."""
    return registry.apply("sparse:dense_from_sparse", g) if isinstance(g.type, SparseType) else g


def take_over(name: str, builder: Callable[..., Any], operands: int = 2) -> None:
    """Let the graph builder ``name`` leave calls with sparse operands to ``builder``."""

    def wrapper(dense: Callable[..., Any]) -> Callable[..., Any]:
        def chosen(*args: Any, **kwargs: Any) -> Any:
            if any(map(is_sparse, args[:operands])):
                return builder(*args, **kwargs)
            return dense(*args, **kwargs)

        return chosen

    registry.wrap(name, wrapper)


def scalar_operand(x: Any) -> bool:
    """Whether ``x`` is a dense scalar."""
    return not is_sparse(x) and as_tensor_variable(x).type.ndim == 0


def vector_data(values: Any) -> Any:
    """An ndarray vector (NumPy 2 matrices flattened)."""
    return np.asarray(values).ravel()


def _refuse(x: Variable) -> Any:
    raise AsTensorError(
        f"Variable type field must be a TensorType: {x} has type {x.type}. "
        "theano.sparse.dense_from_sparse(x), or x.toarray(), makes it dense."
    )


registry.register("as_tensor:SparseType", _refuse)
registry.register("sparse:as_sparse_variable", as_sparse_variable)
