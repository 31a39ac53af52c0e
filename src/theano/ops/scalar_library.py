"""The library's rows as scalar ops, under Theano's names: ``add`` of class ``Add``, and so on.

Each class may be called with an output type preference of its own, or be extended.
"""

from __future__ import annotations

import builtins
import functools
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX, DISCRETE
from theano.core.errors import ComplexError
from theano.ops.elementwise import ROWS
from theano.ops.rows_cast import cast_row
from theano.ops.scalar import ScalarRow
from theano.ops.scalar_bases import (
    BinaryBitOp,
    FixedLogicalComparison,
    LogicalComparison,
    UnaryBitOp,
)
from theano.ops.scalar_gradients import scalar_terms
from theano.ops.scalar_op import BinaryScalarOp, ScalarOp, UnaryScalarOp
from theano.ops.scalar_rows import OpRow, base_fields
from theano.ops.scalar_types import Scalar, as_scalar, get_scalar_type

# Row names to class names, where the class is not the capitalised name.
_CLASS_NAMES: Final[Mapping[str, str]] = {
    "abs_": "Abs", "and_": "AND", "or_": "OR", "xor": "XOR", "lt": "LT", "gt": "GT", "le": "LE",
    "ge": "GE", "eq": "EQ", "neq": "NEQ", "isnan": "IsNan", "isinf": "IsInf",
    "int_div": "IntDiv", "true_div": "TrueDiv", "round_half_to_even": "RoundHalfToEven",
    "round_half_away_from_zero": "RoundHalfAwayFromZero", "deg2rad": "Deg2Rad",
    "rad2deg": "Rad2Deg", "arccos": "ArcCos", "arcsin": "ArcSin", "arctan": "ArcTan",
    "arctan2": "ArcTan2", "arccosh": "ArcCosh", "arcsinh": "ArcSinh", "arctanh": "ArcTanh",
    "complex_from_polar": "ComplexFromPolar", "gammaln": "GammaLn", "tri_gamma": "TriGamma",
    "chi2sf": "Chi2SF", "gammainc": "GammaInc", "gammaincc": "GammaIncC", "gammau": "GammaU",
    "gammal": "GammaL", "sigmoid": "ScalarSigmoid", "softplus": "ScalarSoftplus",
    "ultra_fast_sigmoid": "UltraFastScalarSigmoid", "xlogx": "XlogX", "xlogy0": "XlogY0",
    "mul_without_zeros": "MulWithoutZeros",
    "left_shift": "LeftShift", "right_shift": "RightShift",
    "sigmoid_binary_crossentropy": "SigmoidBinaryCrossentropy",
}  # fmt: skip

# Rows whose class is of a more special kind than its number of inputs says.
_BASES: Final[Mapping[str, type[ScalarOp]]] = {
    **dict.fromkeys(("lt", "gt", "le", "ge", "eq", "neq"), LogicalComparison),
    **dict.fromkeys(("isnan", "isinf"), FixedLogicalComparison),
    **dict.fromkeys(("and_", "or_", "xor", "left_shift", "right_shift"), BinaryBitOp),
    "invert": UnaryBitOp,
}  # fmt: skip


class RowOp(ScalarOp):
    """A scalar op of the library. ``preference`` replaces the row's rule of output types."""

    row: ClassVar[Any] = None
    _own: ScalarRow | None = None

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """By the preference given, else by the row's rule."""
        if self.output_types_preference is not None:
            return super().output_types(types)
        return [get_scalar_type(type(self).row.output_dtype([kind.dtype for kind in types]))]

    def impl(self, *inputs: Any) -> Any:
        """The row's NumPy meaning on numbers."""
        arrays = [np.asarray(x) for x in inputs]
        names = [a.dtype.name for a in arrays]
        (kind,) = self.output_types([get_scalar_type(name) for name in names])
        return type(self).row.evaluate(arrays, kind.dtype)[()]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> Any:
        """The row's gradient, on scalars; ``grad`` where a class that extends this one has it."""
        if type(self).grad is not RowOp.grad:
            return self.grad(inputs, output_grads)
        return self._terms(inputs, outputs, output_grads)

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """The row's gradient, by the older protocol."""
        return self._terms(inputs, self.make_node(*inputs).outputs, output_grads)

    def _terms(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> Any:
        row, (z,), (g,) = type(self).row, outputs, output_grads
        if z.type.dtype in DISCRETE:
            return scalar_terms([None] * len(inputs), inputs)
        if row.grad is None:
            raise NotImplementedError(f"{self} has no gradient")
        return scalar_terms(list(row.grad(g, z, *inputs)), inputs)

    def body(self, k: Any, *vals: Any) -> Any:
        """The row's scalar code, for classes that extend this one."""
        row = type(self).row
        if row.body is None:
            raise TypeError(row.why)
        return row.body(k, *vals)

    def as_row(self) -> ScalarRow:
        """The library's row, or one with the preference's output types."""
        if type(self) not in _LIBRARY:
            return super().as_row()
        row = type(self).row
        if self.output_types_preference is None:
            return row  # type: ignore[no-any-return]
        if self._own is None:
            values = base_fields(row) | {"dtype": self._rule, "display": None}
            found = _by_preference.setdefault(self, OpRow(**values, op=self))
            object.__setattr__(self, "_own", found)
        return self._own  # type: ignore[return-value]

    def _rule(self, inputs: Sequence[str]) -> str:
        (kind,) = self.output_types([get_scalar_type(name) for name in inputs])
        name: str = kind.dtype
        return name

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_own"}


_by_preference: weakref.WeakValueDictionary[RowOp, OpRow] = weakref.WeakValueDictionary()
_LIBRARY: set[type] = set()
_OPS: dict[str, ScalarOp] = {}


def class_name(row: str) -> str:
    """The name of the class of a row's scalar op."""
    return _CLASS_NAMES.get(row, row.capitalize())


def _enter(row: ScalarRow) -> ScalarOp:
    """Make the class and the instance of a row."""
    bases = {1: UnaryScalarOp, 2: BinaryScalarOp}
    base = _BASES.get(row.name) or bases.get(row.arity or 0)
    attributes = {
        "row": row, "nin": -1 if row.arity is None else row.arity, "__module__": __name__,
        "commutative": row.commutative, "associative": row.associative, "cost": row.cost,
        "disconnected": row.disconnected,
        "__doc__": f"The scalar op ``{row.name}``; see :mod:`theano.ops.elementwise`.",
    }  # fmt: skip
    made: Any = type(class_name(row.name), (RowOp, base) if base else (RowOp,), attributes)
    _LIBRARY.add(made)
    globals()[made.__name__] = made
    op: ScalarOp = made(name=row.name)
    _OPS[row.name] = op
    return op


for _row in ROWS.values():
    _enter(_row)

CLASSES: Final = {class_name(name): globals()[class_name(name)] for name in ROWS}
OPS: Final[dict[str, ScalarOp]] = dict(_OPS)
globals().update(OPS)


class Cast(RowOp, UnaryScalarOp):
    """``Cast(float32)``: conversion to a scalar type."""

    __props__: ClassVar[tuple[str, ...]] = ("o_type",)

    def __init__(self, o_type: Scalar, name: str | None = None) -> None:
        self.o_type = o_type
        self.name = name or f"Cast{{{o_type.dtype}}}"

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The type that is cast to; TypeError from complex to real."""
        return [get_scalar_type(self.as_row().output_dtype([kind.dtype for kind in types]))]

    def impl(self, *inputs: Any) -> Any:
        """The converted number."""
        return self.as_row().evaluate([np.asarray(x) for x in inputs], self.o_type.dtype)[()]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> Any:
        """The gradient in the input's dtype."""
        (x,), (z,), (g,) = inputs, outputs, output_grads
        if z.type.dtype in DISCRETE or x.type.dtype in DISCRETE:
            return scalar_terms([None], inputs)
        return scalar_terms(list(self.as_row().grad(g, z, x)), inputs)  # type: ignore[misc]

    def as_row(self) -> ScalarRow:
        """The row of the conversion."""
        return cast_row(self.o_type.dtype)


@functools.cache
def _cast_op(dtype: str) -> Cast:
    return Cast(get_scalar_type(dtype))


CASTS: Final = {f"convert_to_{name}": _cast_op(name) for name in dtypes.all_dtypes}
globals().update(CASTS)


@functools.cache
def _wrapped(row: ScalarRow) -> ScalarOp:
    """The scalar op of a row that is not the library's."""
    attributes = {
        "row": row, "nin": -1 if row.arity is None else row.arity, "__module__": __name__,
        "as_row": lambda self: row,
    }  # fmt: skip
    made: Any = type(row.name, (RowOp,), attributes)
    op: ScalarOp = made(name=row.name)
    return op


def op_of_row(row: ScalarRow) -> ScalarOp:
    """The scalar op of a row."""
    if row.name.startswith("Cast{"):
        return _cast_op(row.name[5:-1])
    if ROWS.get(row.name) is row:
        return OPS[row.name]
    return _wrapped(row)


if TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """The classes and ops are made by a table: type checkers cannot see them."""


# functions, under the names of theano.scalar -----------------------------------------------------


def cast(x: Any, dtype: Any) -> Any:
    """``x`` as a scalar of ``dtype`` (``"floatX"`` allowed); itself if it is one."""
    name = dtypes.dtype_name(dtype)
    x = as_scalar(x)
    return x if x.type.dtype == name else _cast_op(name)(x)


def int_or_true_div(x_discrete: bool, y_discrete: bool) -> ScalarOp:
    """The op of ``/``: always true division. Python 2's integer division is ``//``."""
    return OPS["true_div"]


def mod_check(x: Any, y: Any) -> Any:
    """``x % y``; ComplexError for complex operands."""
    x, y = as_scalar(x), as_scalar(y)
    if {x.type.dtype, y.type.dtype} & COMPLEX:
        raise ComplexError("the modulo operator (%) is not defined for complex numbers")
    return OPS["mod"](x, y)


class InRange(ScalarOp):
    """Whether a number lies between two others; each end may be open."""

    nin = 3
    __props__: ClassVar[tuple[str, ...]] = ("openlow", "openhi")

    def __init__(self, openlow: builtins.bool, openhi: builtins.bool) -> None:
        self.openlow = openlow
        self.openhi = openhi
        low, high = ("open" if end else "closed" for end in (openlow, openhi))
        self.name = f"in{low}range" if low == high else f"in{low}{high}range"

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """bool; TypeError for complex numbers."""
        if any(kind.dtype in COMPLEX for kind in types):
            raise TypeError(f"{self} is not defined for complex numbers")
        return [get_scalar_type("bool")]

    def impl(self, x: Any, low: Any, high: Any) -> Any:
        """The comparison."""
        above = x > low if self.openlow else x >= low
        below = x < high if self.openhi else x <= high
        return above & below

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        """Zeros."""
        return scalar_terms([None] * 3, inputs)


inopenrange, inclosedrange = InRange(True, True), InRange(False, False)
