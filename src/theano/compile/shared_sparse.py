"""The constructor of shared sparse matrices."""

from __future__ import annotations

from typing import Any

from theano.graph.sparse_type import SparseSharedVariable, SparseType, is_scipy
from theano.ops import sparse as _operators  # noqa: F401  (operators of the variable work)


def sparse_constructor(
    value: Any,
    name: str | None = None,
    strict: bool = False,
    allow_downcast: bool | None = None,
    borrow: bool = False,
    format: str | None = None,
    target: str | None = None,
) -> SparseSharedVariable:
    """A shared variable that holds a SciPy sparse matrix (a copy of it unless ``borrow``).

    ``format`` converts it first. Raises TypeError for what is not a SciPy sparse matrix.

    >>> import scipy.sparse as sp
    >>> sparse_constructor(sp.eye(2, format="csr"), "W").type
    Sparse[float64, csr]
    """
    if not is_scipy(value):
        raise TypeError(
            "Expected a sparse matrix in the sparse shared variable constructor. "
            f"Received: {type(value).__name__}"
        )
    if target not in (None, "cpu"):
        raise TypeError("sparse_constructor makes variables on the CPU only")
    kind = SparseType(format or value.format, value.dtype.name)
    data = value if borrow else value.copy()
    return SparseSharedVariable(name, kind, kind.filter(data), strict, allow_downcast)
