"""Comparisons, element by element, of sparse matrices with sparse or dense ones: uint8 results."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from theano.core.record import dataclass
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.graph.sparse_type import SparseType, matrix_class
from theano.graph.tensor_type import TensorType
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import NoGradient
from theano.ops.sparse_base import (
    SparseOp,
    as_sparse_or_tensor_variable,
    check_shapes,
    compressed,
    is_sparse,
    take_over,
)


@dataclass(frozen=True, slots=True)
class Relation:
    """A comparison: its name, NumPy's function, and the name with the operands exchanged."""

    name: str
    compare: Callable[..., Any]
    mirrored: str


RELATIONS = {
    row.name: row
    for row in (
        Relation("eq", np.equal, "eq"),
        Relation("neq", np.not_equal, "neq"),
        Relation("lt", np.less, "gt"),
        Relation("gt", np.greater, "lt"),
        Relation("le", np.less_equal, "ge"),
        Relation("ge", np.greater_equal, "le"),
    )
}


class _Comparison(NoGradient, SparseOp):
    """``name`` of RELATIONS applied element by element; nothing flows back."""

    __props__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.name}}}"


class CompareSS(_Comparison):
    """Two sparse matrices compared: sparse, uint8, in the format of the first.

    Where equality of absent elements counts (eq, le, ge) the result is nearly full.
    """

    def make_node(self, x: Any, y: Any) -> Apply:
        """Two csr or csc matrices of one format."""
        x, y = compressed(x, self.name), compressed(y, self.name)
        return Apply(self, [x, y], [SparseType(x.type.format, "uint8", shape=x.type.shape)()])

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        check_shapes(self.name, x, y)
        names = {"eq": "__eq__", "neq": "__ne__"}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy calls full results inefficient
            found = getattr(x, names.get(self.name, f"__{self.name}__"))(y)
        return matrix_class(x.format)(found).astype("uint8")


class CompareSD(_Comparison):
    """A sparse matrix compared with a dense one: dense, uint8."""

    lowering = "expand"

    def make_node(self, x: Any, y: Any) -> Apply:
        """A sparse matrix, and a dense matrix or scalar."""
        x, y = compressed(x, self.name), as_tensor_variable(y)
        if y.type.ndim not in (0, 2):
            raise TypeError(f"{self.name}: {y.type} cannot be compared with {x.type}")
        return Apply(self, [x, y], [TensorType("uint8", shape=(None, None))()])

    def expand(self, node: Apply) -> list[Any]:
        """The comparison of dense matrices, one of them spread from what is stored."""
        x, y = node.inputs
        return [apply("cast", apply(self.name, apply("sparse:spread", x), y), "uint8")]

    def reference(self, node: Apply, x: Any, y: Any) -> Any:
        dense = x.toarray()
        try:
            return RELATIONS[self.name].compare(dense, y).astype("uint8")
        except ValueError:
            raise ValueError(f"{self.name}: shapes {x.shape} and {y.shape} differ") from None


def _relation(row: Relation) -> Callable[[Any, Any], Any]:
    def compare(x: Any, y: Any) -> Any:
        x, y = as_sparse_or_tensor_variable(x), as_sparse_or_tensor_variable(y)
        if is_sparse(x) and is_sparse(y):
            return CompareSS(row.name)(x, y)
        if is_sparse(x):
            return CompareSD(row.name)(x, y)
        if is_sparse(y):
            return CompareSD(row.mirrored)(y, x)
        raise TypeError(f"sparse.{row.name}: neither {x} nor {y} is sparse")

    compare.__name__ = row.name
    compare.__doc__ = (
        f"``{row.name}`` of two matrices of which at least one is sparse, elementwise, in uint8: "
        "sparse if both are, else dense."
    )
    register(f"sparse:{row.name}", compare)
    take_over(row.name, compare)
    return compare


eq, neq, lt, gt, le, ge = (_relation(RELATIONS[n]) for n in ("eq", "neq", "lt", "gt", "le", "ge"))
equal_s_s, not_equal_s_s, less_than_s_s, greater_than_s_s, less_equal_s_s, greater_equal_s_s = (
    CompareSS(n) for n in ("eq", "neq", "lt", "gt", "le", "ge")
)
equal_s_d, not_equal_s_d, less_than_s_d, greater_than_s_d, less_equal_s_d, greater_equal_s_d = (
    CompareSD(n) for n in ("eq", "neq", "lt", "gt", "le", "ge")
)
