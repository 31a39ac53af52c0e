"""What every symbolic sparse matrix can do: operators, attributes and methods.

As with dense arrays, each asks the registry for the graph builder of that name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from theano.graph.numpy_protocols import without_truth
from theano.graph.registry import apply


def _binary(name: str, symbol: str, reflected: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        return apply(name, other, self) if reflected else apply(name, self, other)

    sides = f"other {symbol} self" if reflected else f"self {symbol} other"
    operator.__doc__ = f"``{sides}``, elementwise."
    return operator


def _comparison(name: str, symbol: str) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        return without_truth(apply(name, self, other))

    operator.__doc__ = f"``self {symbol} other``, elementwise: uint8."
    return operator


class SparseOperators:
    """Mixin of symbolic sparse matrices. ``*`` is elementwise; ``@`` and ``dot`` multiply."""

    type: Any
    _is_nonzero: bool = True
    __array_priority__ = 2000.0
    __array_ufunc__ = None  # NumPy's arrays leave operators to this class

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    @property
    def dtype(self) -> str:
        """Name of the element type."""
        dtype: str = self.type.dtype
        return dtype

    @property
    def format(self) -> str:
        """``"csr"``, ``"csc"`` or ``"bsr"``."""
        format: str = self.type.format
        return format

    @property
    def T(self) -> Any:
        """The transpose: csr becomes csc, and the other way round."""
        return apply("sparse:transpose", self)

    def transpose(self) -> Any:
        """The transpose: csr becomes csc, and the other way round."""
        return apply("sparse:transpose", self)

    @property
    def shape(self) -> Any:
        """The extents, as a symbolic int64 vector."""
        return apply("sparse:shape", self)

    @property
    def size(self) -> Any:
        """How many elements are stored, as a symbolic int64."""
        return apply("sparse:size", self)

    def __bool__(self) -> bool:
        if self._is_nonzero:
            return True
        raise TypeError(
            "Variables do not support boolean operations: a comparison such as `a < b` is symbolic."
        )

    def __getitem__(self, index: Any) -> Any:
        return apply("sparse:getitem", self, index)

    __add__ = _binary("sparse:add", "+")
    __radd__ = _binary("sparse:add", "+", reflected=True)
    __sub__ = _binary("sparse:sub", "-")
    __rsub__ = _binary("sparse:sub", "-", reflected=True)
    __mul__ = _binary("sparse:mul", "*")
    __rmul__ = _binary("sparse:mul", "*", reflected=True)
    __truediv__ = _binary("sparse:div", "/")
    __lt__ = _comparison("sparse:lt", "<")
    __le__ = _comparison("sparse:le", "<=")
    __gt__ = _comparison("sparse:gt", ">")
    __ge__ = _comparison("sparse:ge", ">=")
    __matmul__ = _binary("sparse:structured_dot", "@")
    __rmatmul__ = _binary("sparse:structured_dot", "@", reflected=True)
    __dot__ = _binary("sparse:structured_dot", "·")
    __rdot__ = _binary("sparse:structured_dot", "·", reflected=True)

    def __neg__(self) -> Any:
        return apply("sparse:neg", self)

    def __pos__(self) -> Any:
        return self

    def dot(self, other: Any) -> Any:
        """The product with a sparse (the result is sparse) or dense matrix (it is dense)."""
        return apply("sparse:structured_dot", self, other)

    def astype(self, dtype: Any) -> Any:
        """The matrix with another element type."""
        return apply("sparse:cast", self, dtype)

    def conj(self) -> Any:
        """Complex conjugate."""
        return apply("sparse:conjugate", self)

    conjugate = conj

    def sum(self, axis: int | None = None, sparse_grad: bool = False) -> Any:
        """Sum over ``axis`` (all elements: None), dense."""
        return apply("sparse:sp_sum", self, axis=axis, sparse_grad=sparse_grad)

    def toarray(self) -> Any:
        """The dense matrix."""
        return apply("sparse:dense_from_sparse", self)

    todense = toarray

    def zeros_like(self) -> Any:
        """A matrix of this shape that stores nothing."""
        return apply("sparse:sp_zeros_like", self)

    def ones_like(self) -> Any:
        """Ones where this matrix stores elements."""
        return apply("sparse:sp_ones_like", self)

    def copy(self, name: str | None = None) -> Any:
        """A new variable of the same value."""
        result = apply("sparse:copy", self)
        result.name = name
        return result

    def transfer(self, target: Any) -> Any:
        """The same value on another device: sparse matrices live on the CPU only."""
        if target not in (None, "cpu"):
            raise NotImplementedError(f"sparse matrices live on the CPU, not on {target!r}")
        return self

    def eval(self, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
        """The value: compiles (once for each set of inputs) and runs."""
        return apply("eval", self, inputs_to_values)
