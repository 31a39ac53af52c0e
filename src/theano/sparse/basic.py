"""Functions of sparse matrices: making, converting, arithmetic, products, indexing.

What an op means is said where it is defined, in ``theano.ops``; this module gives it its name.
"""

from __future__ import annotations

from typing import Any

from theano.core.dtypes import (
    all_dtypes,
    complex_dtypes,
    continuous_dtypes,
    discrete_dtypes,
    float_dtypes,
    int_dtypes,
    integer_dtypes,
    uint_dtypes,
)
from theano.graph.sparse_type import SparseConstant, SparseType, SparseVariable
from theano.ops import sparse as _all  # noqa: F401  (every op enters itself)
from theano.ops.sparse_base import (
    as_sparse_or_tensor_variable,
    as_sparse_variable,
    constant,
    is_dense_variable,
    is_sparse_variable,
)
from theano.ops.sparse_compare import (
    CompareSD,
    CompareSS,
    eq,
    equal_s_d,
    equal_s_s,
    ge,
    greater_equal_s_d,
    greater_equal_s_s,
    greater_than_s_d,
    greater_than_s_s,
    gt,
    le,
    less_equal_s_d,
    less_equal_s_s,
    less_than_s_d,
    less_than_s_s,
    lt,
    neq,
    not_equal_s_d,
    not_equal_s_s,
)
from theano.ops.sparse_convert import (
    ConstructSparseFromList,
    DenseFromSparse,
    EnsureSortedIndices,
    HStack,
    Remove0,
    SparseCast,
    SparseFromDense,
    Transpose,
    VStack,
    cast,
    clean,
    construct_sparse_from_list,
    csc_from_dense,
    csr_from_dense,
    dense_from_sparse,
    ensure_sorted_indices,
    hstack,
    remove0,
    transpose,
    vstack,
)
from theano.ops.sparse_csm import (
    CSC,
    CSM,
    CSR,
    CSMGrad,
    CSMProperties,
    csm_data,
    csm_grad,
    csm_indices,
    csm_indptr,
    csm_properties,
    csm_shape,
    sp_ones_like,
    sp_zeros_like,
)
from theano.ops.sparse_dot import (
    SamplingDot,
    SparseDot,
    StructuredDot,
    TrueDot,
    Usmm,
    dot,
    sampling_dot,
    structured_dot,
    structured_dot_grad,
    true_dot,
    usmm,
)
from theano.ops.sparse_elemwise import (
    AddSD,
    AddSS,
    AddSSData,
    MulSD,
    MulSS,
    MulSV,
    Neg,
    StructuredAddSV,
    add,
    add_s_d,
    add_s_s,
    add_s_s_data,
    mul,
    mul_s_d,
    mul_s_s,
    mul_s_v,
    neg,
    structured_add_s_v,
    sub,
)
from theano.ops.sparse_index import (
    GetItem2d,
    GetItem2Lists,
    GetItem2ListsGrad,
    GetItemList,
    GetItemListGrad,
    GetItemScalar,
    get_item_2d,
    get_item_2lists,
    get_item_2lists_grad,
    get_item_list,
    get_item_list_grad,
    get_item_scalar,
)
from theano.ops.sparse_reduce import (
    ColScaleCSC,
    Diag,
    RowScaleCSC,
    SpSum,
    SquareDiagonal,
    col_scale,
    diag,
    row_scale,
    sp_sum,
    square_diagonal,
)
from theano.ops.sparse_structured import (
    arcsin,
    arcsinh,
    arctan,
    arctanh,
    ceil,
    conjugate,
    deg2rad,
    expm1,
    floor,
    log1p,
    rad2deg,
    rint,
    sgn,
    sin,
    sinh,
    sqr,
    sqrt,
    structured_add,
    structured_exp,
    structured_log,
    structured_maximum,
    structured_minimum,
    structured_monoid,
    structured_pow,
    structured_sigmoid,
    tan,
    tanh,
    trunc,
)
from theano.sparse.check import sparse_grad, verify_grad_sparse

Cast, Dot = SparseCast, SparseDot
sparse_formats: list[str] = ["csc", "csr"]
as_sparse = as_sparse_variable
_is_sparse_variable = is_sparse_variable
_is_dense_variable = is_dense_variable
toarray = dense_from_sparse
conj = conjugate
csr_dmatrix, csr_fmatrix = SparseType("csr", "float64"), SparseType("csr", "float32")
csc_dmatrix, csc_fmatrix = SparseType("csc", "float64"), SparseType("csc", "float32")
bsr_dmatrix, bsr_fmatrix = SparseType("bsr", "float64"), SparseType("bsr", "float32")


def matrix(format: str, name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A symbolic sparse matrix.

    Parameters
    ----------
    format : ``"csr"``, ``"csc"`` or ``"bsr"``.
    name : shown in graphs.
    dtype : default ``config.floatX``.

    Raises NotImplementedError for other formats and dtypes.

    >>> matrix("csr", "x", "float32").type
    Sparse[float32, csr]
    """
    result: Any = SparseType(format, "floatX" if dtype is None else dtype)(name)
    return result  # type: ignore[no-any-return]


def csc_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A symbolic sparse matrix by columns; see ``matrix``."""
    return matrix("csc", name, dtype)


def csr_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A symbolic sparse matrix by rows; see ``matrix``."""
    return matrix("csr", name, dtype)


def bsr_matrix(name: str | None = None, dtype: str | None = None) -> SparseVariable:
    """A symbolic sparse matrix of dense blocks, which few functions take; see ``matrix``."""
    return matrix("bsr", name, dtype)


def _caster(letter: str, dtype: str) -> Any:
    def convert(x: Any) -> Any:
        return cast(x, dtype)

    convert.__name__ = f"{letter}cast"
    convert.__doc__ = f"The sparse matrix ``x`` as {dtype}."
    return convert


bcast, wcast = _caster("b", "int8"), _caster("w", "int16")
icast, lcast = _caster("i", "int32"), _caster("l", "int64")
fcast, dcast = _caster("f", "float32"), _caster("d", "float64")
ccast, zcast = _caster("c", "complex64"), _caster("z", "complex128")

__all__ = [
    "CSC",
    "CSM",
    "CSR",
    "AddSD",
    "AddSS",
    "AddSSData",
    "CSMGrad",
    "CSMProperties",
    "Cast",
    "ColScaleCSC",
    "CompareSD",
    "CompareSS",
    "ConstructSparseFromList",
    "DenseFromSparse",
    "Diag",
    "Dot",
    "EnsureSortedIndices",
    "GetItem2Lists",
    "GetItem2ListsGrad",
    "GetItem2d",
    "GetItemList",
    "GetItemListGrad",
    "GetItemScalar",
    "HStack",
    "MulSD",
    "MulSS",
    "MulSV",
    "Neg",
    "Remove0",
    "RowScaleCSC",
    "SamplingDot",
    "SpSum",
    "SparseConstant",
    "SparseFromDense",
    "SparseType",
    "SparseVariable",
    "SquareDiagonal",
    "StructuredAddSV",
    "StructuredDot",
    "Transpose",
    "TrueDot",
    "Usmm",
    "VStack",
    "_is_dense_variable",
    "_is_sparse_variable",
    "add",
    "add_s_d",
    "add_s_s",
    "add_s_s_data",
    "all_dtypes",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "as_sparse",
    "as_sparse_or_tensor_variable",
    "as_sparse_variable",
    "bcast",
    "bsr_dmatrix",
    "bsr_fmatrix",
    "bsr_matrix",
    "cast",
    "ccast",
    "ceil",
    "clean",
    "col_scale",
    "complex_dtypes",
    "conj",
    "conjugate",
    "constant",
    "construct_sparse_from_list",
    "continuous_dtypes",
    "csc_dmatrix",
    "csc_fmatrix",
    "csc_from_dense",
    "csc_matrix",
    "csm_data",
    "csm_grad",
    "csm_indices",
    "csm_indptr",
    "csm_properties",
    "csm_shape",
    "csr_dmatrix",
    "csr_fmatrix",
    "csr_from_dense",
    "csr_matrix",
    "dcast",
    "deg2rad",
    "dense_from_sparse",
    "diag",
    "discrete_dtypes",
    "dot",
    "ensure_sorted_indices",
    "eq",
    "equal_s_d",
    "equal_s_s",
    "expm1",
    "fcast",
    "float_dtypes",
    "floor",
    "ge",
    "get_item_2d",
    "get_item_2lists",
    "get_item_2lists_grad",
    "get_item_list",
    "get_item_list_grad",
    "get_item_scalar",
    "greater_equal_s_d",
    "greater_equal_s_s",
    "greater_than_s_d",
    "greater_than_s_s",
    "gt",
    "hstack",
    "icast",
    "int_dtypes",
    "integer_dtypes",
    "is_dense_variable",
    "is_sparse_variable",
    "lcast",
    "le",
    "less_equal_s_d",
    "less_equal_s_s",
    "less_than_s_d",
    "less_than_s_s",
    "log1p",
    "lt",
    "matrix",
    "mul",
    "mul_s_d",
    "mul_s_s",
    "mul_s_v",
    "neg",
    "neq",
    "not_equal_s_d",
    "not_equal_s_s",
    "rad2deg",
    "remove0",
    "rint",
    "row_scale",
    "sampling_dot",
    "sgn",
    "sin",
    "sinh",
    "sp_ones_like",
    "sp_sum",
    "sp_zeros_like",
    "sparse_formats",
    "sparse_grad",
    "sqr",
    "sqrt",
    "square_diagonal",
    "structured_add",
    "structured_add_s_v",
    "structured_dot",
    "structured_dot_grad",
    "structured_exp",
    "structured_log",
    "structured_maximum",
    "structured_minimum",
    "structured_monoid",
    "structured_pow",
    "structured_sigmoid",
    "sub",
    "tan",
    "tanh",
    "toarray",
    "transpose",
    "true_dot",
    "trunc",
    "uint_dtypes",
    "usmm",
    "verify_grad_sparse",
    "vstack",
    "wcast",
    "zcast",
]
