"""SparseType: format and dtype of a SciPy sparse matrix; its variables and constants."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Constant, Type, Variable
from theano.graph.shared import SharedVariable
from theano.graph.sparse_operators import SparseOperators

if TYPE_CHECKING:
    from theano.graph.tensor_type import TensorType

FORMATS: Final = ("csr", "csc", "bsr")
#: SciPy's sparse matrices have no float16.
DTYPES: Final = tuple(name for name in dtypes.all_dtypes if name != "float16")
_WRITTEN_OUT: Final = 4096  # elements up to which equal constants are recognised by content


def is_scipy(value: Any) -> bool:
    """Whether ``value`` is one of SciPy's sparse matrices or arrays (SciPy is not imported)."""
    return type(value).__module__.startswith("scipy.sparse") and hasattr(value, "tocsr")


@functools.cache
def matrix_class(format: str) -> Any:
    """SciPy's matrix class of a format."""
    import scipy.sparse

    return getattr(scipy.sparse, f"{format}_matrix")


class SparseType(Type):
    """Sparse matrices of one format and dtype. There are no sparse vectors.

    Parameters
    ----------
    format : ``"csr"``, ``"csc"`` or ``"bsr"`` (which few operations take).
    dtype : the name of a dtype, or ``"floatX"`` (resolved now); not float16, which SciPy has not.
    name : shown instead of the type.
    shape : known extents, ``None`` where unknown. They are knowledge, not part of the type.

    Raises NotImplementedError for another format or dtype.

    >>> SparseType("csr", "float64")
    Sparse[float64, csr]
    """

    ndim: int = 2
    format_cls: Any = property(lambda self: {format: matrix_class(format) for format in FORMATS})
    dtype_set: frozenset[str] = frozenset(DTYPES)

    def __init__(
        self,
        format: str,
        dtype: str,
        name: str | None = None,
        shape: Sequence[int | None] = (None, None),
    ) -> None:
        if format not in FORMATS:
            raise NotImplementedError(
                f"unsupported sparse format {format!r}: use one of {', '.join(FORMATS)}"
            )
        found = config.floatX if str(dtype) == "floatX" else str(dtype)
        if found not in DTYPES:
            try:
                found = dtypes.dtype_name(dtype)
            except TypeError:
                found = ""
        if found not in DTYPES:
            raise NotImplementedError(
                f"unsupported dtype {dtype!r} of a sparse matrix: use one of {', '.join(DTYPES)}"
            )
        self.format = format
        self.dtype = found
        self.name = name
        self.shape: tuple[int | None, ...] = tuple(shape)
        self.numpy_dtype = np.dtype(found)

    def clone(
        self,
        format: str | None = None,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
    ) -> SparseType:
        """The same type with another format, dtype or known shape."""
        shape = self.shape if shape is None else shape
        return SparseType(format or self.format, dtype or self.dtype, shape=shape)

    def dense(self) -> TensorType:
        """The type of the same matrix with every element stored."""
        from theano.graph.tensor_type import TensorType

        return TensorType(self.dtype, shape=[None if n == 1 else n for n in self.shape])

    def make_variable(self, name: str | None = None) -> SparseVariable:
        """A new variable of this type."""
        return SparseVariable(self, name=name)

    def constant(self, value: Any, name: str | None = None) -> SparseConstant:
        """A constant of this type."""
        data = self.filter(value)
        return SparseConstant(self.clone(shape=data.shape), data, name)

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as a SciPy matrix of this format and dtype.

        Without ``strict``, other sparse formats and dense matrices are converted, and dtypes where
        nothing is lost; with ``allow_downcast``, any dtype. Raises TypeError otherwise.
        """
        if type(value) is matrix_class(self.format) and value.dtype == self.numpy_dtype:
            return self._of_known_shape(value)
        if isinstance(value, Variable):
            raise TypeError(
                f"Expected a sparse matrix, but found a Variable: {value}. Maybe you are trying to "
                "call a function on a (possibly shared) variable instead of a matrix?"
            )
        if strict:
            self._refuse_inexact(value)
        found = value if is_scipy(value) else self._from_dense(value)
        if found.ndim != 2:
            raise TypeError(f"{self} needs 2 dimensions, got shape {found.shape}")
        found = self._of_dtype(found, allow_downcast)
        if found.format != self.format:
            found = found.asformat(self.format)
        kind = matrix_class(self.format)
        if not isinstance(found, kind):
            found = kind(found, copy=False)
        return self._of_known_shape(found)

    def _of_known_shape(self, found: Any) -> Any:
        for axis, (size, actual) in enumerate(zip(self.shape, found.shape, strict=True)):
            if size is not None and size != actual:
                raise TypeError(
                    f"dimension {axis} must be {size}, got shape {found.shape} for {self}."
                )
        return found

    def _refuse_inexact(self, value: Any) -> None:
        if not is_scipy(value):
            raise TypeError(
                f"{self} expected a SciPy sparse matrix, got {type(value).__name__} (strict)."
            )
        if value.format != self.format or value.dtype != self.numpy_dtype:
            raise TypeError(
                f"{self} expected format {self.format} and dtype {self.dtype}, got "
                f"{value.format} and {value.dtype} (strict)."
            )

    def _from_dense(self, value: Any) -> Any:
        try:
            dense = np.asarray(value)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{self} cannot be made from {type(value).__name__}: {error}") from None
        if dense.ndim != 2 or dense.dtype.kind not in "biufc":
            raise TypeError(
                f"{self} takes a SciPy sparse matrix or a dense matrix of numbers, got "
                f"{type(value).__name__} (dtype {dense.dtype}, {dense.ndim} dimensions)."
            )
        return matrix_class(self.format)(dense)

    def _of_dtype(self, found: Any, allow_downcast: bool | None) -> Any:
        if found.dtype == self.numpy_dtype:
            return found
        if not allow_downcast and not np.can_cast(found.dtype, self.numpy_dtype, "safe"):
            raise TypeError(
                f"{self} cannot store a matrix of dtype {found.dtype} without risking loss of "
                "precision. If you do not mind this loss, you can: 1) convert your matrix with "
                f'.astype("{self.dtype}"), or 2) set "allow_input_downcast=True" when calling '
                '"function".'
            )
        return found.astype(self.numpy_dtype)

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``value`` is a SciPy matrix of this format and dtype."""
        return is_scipy(value) and value.format == self.format and value.dtype == self.numpy_dtype

    def values_eq(self, a: Any, b: Any) -> bool:
        """Equal shapes, dtypes and elements (stored zeros equal absent ones; NaNs equal NaNs)."""
        return self.values_eq_approx(a, b, rtol=0.0, atol=0.0)

    def values_eq_approx(
        self, a: Any, b: Any, rtol: float | None = None, atol: float | None = None
    ) -> bool:
        """Equal up to the rounding of this dtype."""
        if not (is_scipy(a) and is_scipy(b)) or a.shape != b.shape or a.dtype != b.dtype:
            return False
        a, b = (matrix_class("csr")(m, copy=True) for m in (a, b))
        pattern = [matrix_class("csr")((np.ones(m.nnz), m.indices, m.indptr), m.shape)
                   for m in (a, b)]  # fmt: skip
        rows, columns = (pattern[0] + pattern[1]).nonzero()
        if not rows.size:
            return True
        left, right = (np.asarray(m[rows, columns]).ravel() for m in (a, b))
        if self.dtype in dtypes.DISCRETE:
            return bool((left == right).all())
        loose = 1e-4 if self.dtype in ("float32", "complex64") else 1e-8
        rtol, atol = (loose if tol is None else tol for tol in (rtol, atol))
        return bool(np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True))

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether two matrices may share stored elements."""
        if not (is_scipy(a) and is_scipy(b)):
            return any(np.may_share_memory(x, y.data) for x, y in ((a, b), (b, a))
                       if isinstance(x, np.ndarray) and is_scipy(y))  # fmt: skip
        return bool(np.may_share_memory(a.data, b.data))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(self) is type(other) and self.dtype == other.dtype and self.format == other.format
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.dtype, self.format))

    def __str__(self) -> str:
        return self.name or f"Sparse[{self.dtype}, {self.format}]"

    __repr__ = __str__


class SparseVariable(SparseOperators, Variable):
    """A symbolic sparse matrix."""

    type: SparseType
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class SparseConstant(SparseOperators, Constant):
    """A symbolic sparse matrix whose value is known."""

    type: SparseType
    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def signature(self) -> Any:
        """(type, shape, content): equal constants share it."""
        data = self.data
        if data.data.size > _WRITTEN_OUT or self.type.format == "bsr":
            return (self.type, data.shape, id(data))
        content = tuple(part.tobytes() for part in (data.data, data.indices, data.indptr))
        return (self.type, data.shape, content)

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        data = self.data
        return f"SparseConstant{{{data.format},{data.dtype},shape={data.shape},nnz={data.nnz}}}"

    __repr__ = __str__

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseConstant:
        return SparseConstant(self.type, self.data.copy(), self.name)


class SparseSharedVariable(SparseOperators, SharedVariable):
    """A shared sparse matrix."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    @property
    def format(self) -> str:
        """``"csr"``, ``"csc"`` or ``"bsr"``."""
        found: str = self.type.format
        return found

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The current matrix: a copy unless ``borrow``."""
        value = self.container.storage[0]
        return value if borrow else value.copy()

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the matrix (converted as on a function call)."""
        self.container.data = new_value if borrow else copy.deepcopy(new_value)

    def zero(self, borrow: bool = False) -> None:
        """Store no element."""
        value = self.container.storage[0]
        self.container.data = type(value)(value.shape, dtype=value.dtype)
