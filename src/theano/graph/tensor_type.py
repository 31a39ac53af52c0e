"""TensorType: dtype and static shape of an n-dimensional array; its variables and constants."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Constant, Type, Variable
from theano.graph.operators import TensorOperators

_NAMES = {0: "scalar", 1: "vector", 2: "matrix"}
_PATTERN_NAMES = {(True, False): "row", (False, True): "col"}


class TensorType(Type):
    """Arrays of one dtype and rank.

    Parameters
    ----------
    dtype : one of the dtype names, or ``"floatX"`` (resolved now).
    broadcastable : per dimension, True where the size is 1 *and* it stretches in arithmetic. An
        entry may also be an int (a known size) or None (unknown).
    shape : the same as sizes: ``int`` or ``None`` per dimension; a 1 is broadcastable.

    Two types are equal when dtype and ``broadcastable`` are; other static sizes are knowledge about
    a value, not a different type.

    >>> TensorType("float64", shape=(None, 1)).broadcastable
    (False, True)
    """

    def __init__(
        self,
        dtype: str,
        broadcastable: Sequence[Any] | None = None,
        name: str | None = None,
        sparse_grad: bool = False,
        shape: Sequence[int | None] | None = None,
    ) -> None:
        self.dtype = config.floatX if dtype == "floatX" else dtypes.dtype_name(dtype)
        if shape is None:
            if broadcastable is None:
                raise TypeError("TensorType needs broadcastable= or shape=")
            # 0 and 1 are flags here, as old code has them: an empty dimension is said by shape=.
            shape = tuple(_size_of(entry) if entry else None for entry in broadcastable)
        self.shape: tuple[int | None, ...] = tuple(shape)
        for size in self.shape:
            if size is not None and (type(size) is not int or size < 0):
                self.shape = _exact(self.shape)
                break
        self.broadcastable: tuple[bool, ...] = tuple(size == 1 for size in self.shape)
        self.name = name
        self.sparse_grad = sparse_grad
        self.numpy_dtype = np.dtype(self.dtype)
        if config.warn_float64 != "ignore" and self.dtype == "float64":
            dtypes.complain_float64()

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def clone(
        self,
        dtype: str | None = None,
        broadcastable: Sequence[Any] | None = None,
        shape: Sequence[int | None] | None = None,
    ) -> TensorType:
        """The same type with another dtype or pattern."""
        if shape is None and broadcastable is None:
            shape = self.shape
        return TensorType(dtype or self.dtype, broadcastable, self.name, shape=shape)

    def __call__(
        self, name: str | None = None, *, shape: Sequence[int | None] | None = None
    ) -> Any:
        """A new variable called ``name``; ``shape`` gives the sizes that are known.

        Raises TypeError for a ``shape`` of another rank, or that contradicts what this type knows.

        >>> TensorType("float32", (False, False))("x", shape=(None, 3)).type.shape
        (None, 3)
        """
        if shape is None:
            return super().__call__(name)
        if len(shape) != self.ndim:
            raise TypeError(f"{self} has {self.ndim} dimensions, and shape={tuple(shape)} has not")
        pairs = tuple(zip(self.shape, shape, strict=True))
        if any(known is not None and size not in (None, known) for known, size in pairs):
            raise TypeError(f"{self} has the sizes {self.shape}, and not {tuple(shape)}")
        merged = [known if size is None else size for known, size in pairs]
        return self.clone(shape=merged)(name)

    def make_variable(self, name: str | None = None) -> TensorVariable:
        """A new variable of this type."""
        return TensorVariable(self, name=name)

    def constant(self, value: Any, name: str | None = None) -> TensorConstant:
        """A constant; dimensions of size 1 in its value are known to be so."""
        data = self.filter(value)
        return TensorConstant(self, data, name)

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as an ndarray of this type.

        Without ``strict``, converts what loses nothing (lists of ints to any type that holds them,
        Python floats to float32, smaller ints to wider ones) and, with ``allow_downcast``, all.
        Raises TypeError that names dtypes and shapes otherwise.
        """
        if type(value) is np.ndarray and value.dtype == self.numpy_dtype:
            data = value
        else:
            from theano.graph.tensor_filter import convert

            data = convert(self, value, strict, allow_downcast)
        if data.ndim != self.ndim:
            raise TypeError(
                f"Wrong number of dimensions: expected {self.ndim}, got {data.ndim} with shape "
                f"{data.shape}."
            )
        for axis, (size, actual) in enumerate(zip(self.shape, data.shape, strict=True)):
            if size is not None and size != actual:
                raise TypeError(
                    f"Non-unit value on shape on a broadcastable dimension: dimension {axis} must "
                    f"be 1, got shape {data.shape} for {self}."
                    if size == 1
                    else f"dimension {axis} must be {size}, got shape {data.shape} for {self}."
                )
        if not (data.flags.aligned and data.dtype.isnative):
            data = np.array(data, dtype=self.numpy_dtype)
        return data

    def convert_variable(self, variable: Variable) -> Variable | None:
        """``variable`` if it is at least as specific as this type, else None."""
        if hasattr(variable, "_as_TensorVariable"):
            variable = variable._as_TensorVariable()
        other = variable.type
        if not isinstance(other, TensorType) or other.dtype != self.dtype:
            return None
        if other.ndim != self.ndim:
            return None
        if all(a is None or a == b for a, b in zip(self.shape, other.shape, strict=True)):
            if self.broadcastable == other.broadcastable:
                return variable
            from theano.graph.registry import apply

            forget = [
                i for i, (a, b) in enumerate(zip(self.shape, other.shape, strict=True)) if a != b
            ]
            result: Variable = apply("unbroadcast", variable, *forget)
            return result
        return None

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Variable:
        """``other`` as a variable of this type; Python values become constants."""
        if not isinstance(other, Variable):
            return self.constant(other)
        return super().filter_variable(other, allow_convert)

    def values_eq(self, a: Any, b: Any) -> bool:
        """Equal shapes, dtypes and elements; NaNs equal NaNs."""
        a, b = np.asarray(a), np.asarray(b)
        same = a.shape == b.shape and a.dtype == b.dtype
        return bool(same and ((a == b) | ((a != a) & (b != b))).all())

    def values_eq_approx(
        self, a: Any, b: Any, allow_remove_inf: bool = False, allow_remove_nan: bool = False,
        rtol: float | None = None, atol: float | None = None,
    ) -> bool:  # fmt: skip
        """Equal up to the rounding of this dtype."""
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.kind not in "fc":
            return bool((a == b).all())
        loose = {"float16": 5e-3, "float32": 1e-5, "complex64": 1e-5}.get(self.dtype, 1e-8)
        return bool(
            np.allclose(a, b, rtol=loose if rtol is None else rtol,
                        atol=loose if atol is None else atol, equal_nan=True)
        )  # fmt: skip

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether two arrays may overlap."""
        return bool(np.may_share_memory(a, b))

    def value_zeros(self, shape: Sequence[int]) -> Any:
        """A zero array of this dtype."""
        return np.zeros(shape, dtype=self.numpy_dtype)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            type(self) is type(other)
            and self.dtype == other.dtype
            and self.broadcastable == other.broadcastable
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.dtype, self.broadcastable))

    def __str__(self) -> str:
        if self.name:
            return self.name
        pattern = self.broadcastable
        if pattern in _PATTERN_NAMES:
            text: Any = _PATTERN_NAMES[pattern]
        elif not any(pattern):
            text = _NAMES.get(len(pattern), f"{len(pattern)}D")
        else:
            text = pattern
        return f"TensorType({self.dtype}, {text})"

    __repr__ = __str__


def _exact(shape: Sequence[Any]) -> tuple[int | None, ...]:
    """Sizes as ints and None; ValueError for negative ones, TypeError for what is no size."""
    exact = tuple(_size_of(entry) for entry in shape)
    if any(size is not None and size < 0 for size in exact):
        raise ValueError(f"TensorType: a size is negative: {exact}")
    return exact


def _size_of(entry: Any) -> int | None:
    if entry is None or entry is False or (isinstance(entry, np.bool_) and not entry):
        return None
    return 1 if entry is True or isinstance(entry, np.bool_) else operator.index(entry)


class TensorVariable(TensorOperators, Variable):
    """A symbolic array, with NumPy's operators and methods."""

    type: TensorType

    def __init__(
        self, type: TensorType, owner: Any = None, index: int | None = None, name: str | None = None
    ) -> None:
        super().__init__(type, owner, index, name)

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class TensorConstant(TensorOperators, Constant):
    """A symbolic array whose value is known."""

    type: TensorType
    _signature: Any = None

    def signature(self) -> Any:
        """(type, shape, bytes): equal constants share it."""
        if self._signature is None:
            data = self.data
            content = data.tobytes() if data.size <= 4096 else id(data)
            self._signature = (self.type, data.shape, content)
        return self._signature

    def __str__(self) -> str:
        if self.name is not None:
            return self.name
        data = self.data
        unique = data.size > 1 and data.size <= 4096 and bool((data == data.flat[0]).all())
        text = f"{data.shape} of {data.flat[0]}" if unique else str(data)
        if len(text) > 20:
            text = f"{text[:10]}..{text[-10:]}"
        return f"TensorConstant{{{text}}}"

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __deepcopy__(self, memo: dict[int, Any]) -> TensorConstant:
        return TensorConstant(self.type, self.data.copy(), self.name)
