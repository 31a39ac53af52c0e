"""The elementwise library: one op per row, under Theano's public names, and compositions of them.

Each op is an ``Elemwise``: call it on variables, arrays or numbers. All are entered in the graph
registry, where variables' operators and methods find them.
"""

from __future__ import annotations

import builtins
import functools
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX, DISCRETE
from theano.core.errors import ComplexError
from theano.graph import registry
from theano.ops import dimshuffle as _padding  # noqa: F401  (inputs of lower rank need it)
from theano.ops import (
    rows_arithmetic,
    rows_cast,
    rows_complex,
    rows_float,
    rows_logic,
    rows_special,
)
from theano.ops.basic import as_tensor_variable
from theano.ops.elemwise import Elemwise
from theano.ops.scalar import ScalarRow, enter

ROWS: dict[str, ScalarRow] = {
    row.name: enter(row)
    for module in (rows_arithmetic, rows_float, rows_logic, rows_special, rows_complex, rows_cast)
    for row in module.ROWS
}
OPS: dict[str, Elemwise] = {name: Elemwise(row) for name, row in ROWS.items()}
for _name, _op in OPS.items():
    registry.register(_name, _op)

add, mul, sub, neg = OPS["add"], OPS["mul"], OPS["sub"], OPS["neg"]
true_div, int_div, mod, pow = OPS["true_div"], OPS["int_div"], OPS["mod"], OPS["pow"]
mul_without_zeros = OPS["mul_without_zeros"]
inv, sqr, sqrt, abs_, sgn = OPS["inv"], OPS["sqr"], OPS["sqrt"], OPS["abs_"], OPS["sgn"]
ceil, floor, trunc = OPS["ceil"], OPS["floor"], OPS["trunc"]
round_half_to_even = OPS["round_half_to_even"]
round_half_away_from_zero = OPS["round_half_away_from_zero"]
maximum, minimum, clip, switch = OPS["maximum"], OPS["minimum"], OPS["clip"], OPS["switch"]

exp, exp2, expm1 = OPS["exp"], OPS["exp2"], OPS["expm1"]
log, log2, log10, log1p = OPS["log"], OPS["log2"], OPS["log10"], OPS["log1p"]
sin, cos, tan = OPS["sin"], OPS["cos"], OPS["tan"]
arcsin, arccos, arctan, arctan2 = OPS["arcsin"], OPS["arccos"], OPS["arctan"], OPS["arctan2"]
sinh, cosh, tanh = OPS["sinh"], OPS["cosh"], OPS["tanh"]
arcsinh, arccosh, arctanh = OPS["arcsinh"], OPS["arccosh"], OPS["arctanh"]
deg2rad, rad2deg = OPS["deg2rad"], OPS["rad2deg"]
sigmoid, softplus = OPS["sigmoid"], OPS["softplus"]
ultra_fast_sigmoid = OPS["ultra_fast_sigmoid"]

lt, gt, le, ge, eq, neq = (OPS[n] for n in ("lt", "gt", "le", "ge", "eq", "neq"))
and_, or_, xor, invert = OPS["and_"], OPS["or_"], OPS["xor"], OPS["invert"]
left_shift, right_shift = OPS["left_shift"], OPS["right_shift"]

erf, erfc, erfcx = OPS["erf"], OPS["erfc"], OPS["erfcx"]
erfinv, erfcinv = OPS["erfinv"], OPS["erfcinv"]
gamma, gammaln, psi, tri_gamma = OPS["gamma"], OPS["gammaln"], OPS["psi"], OPS["tri_gamma"]
chi2sf, gammainc, gammaincc = OPS["chi2sf"], OPS["gammainc"], OPS["gammaincc"]
gammau, gammal = OPS["gammau"], OPS["gammal"]
j0, j1, jv, i0, i1, iv = (OPS[n] for n in ("j0", "j1", "jv", "i0", "i1", "iv"))
xlogx, xlogy0 = OPS["xlogx"], OPS["xlogy0"]

real, imag, angle, conj = OPS["real"], OPS["imag"], OPS["angle"], OPS["conj"]
complex, complex_from_polar = OPS["complex"], OPS["complex_from_polar"]
second, tensor_copy = OPS["second"], OPS["identity"]

ALIASES = {
    "fill": second, "tensor_copy": tensor_copy, "floor_div": int_div, "power": pow,
    "square": sqr, "where": switch, "bitwise_and": and_, "bitwise_or": or_, "bitwise_xor": xor,
    "bitwise_not": invert, "bitwise_left_shift": left_shift, "bitwise_right_shift": right_shift,
    "conjugate": conj,
}  # fmt: skip
fill, floor_div, power, square, where = second, int_div, pow, sqr, switch
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = and_, or_, xor, invert
bitwise_left_shift, bitwise_right_shift = left_shift, right_shift
isnan_, isinf_ = OPS["isnan"], OPS["isinf"]


@functools.cache
def cast_op(dtype: str) -> Elemwise:
    """The op that converts to ``dtype``."""
    return Elemwise(rows_cast.cast_row(dtype))


def cast(x: Any, dtype: Any) -> Any:
    """``x`` converted to ``dtype``; ``x`` itself if that is its dtype.

    Parameters
    ----------
    x : tensor.
    dtype : a dtype name, a NumPy dtype, or ``"floatX"``.

    Raises TypeError from complex to real.

    >>> cast(3.5, "int32").dtype
    'int32'
    """
    name = dtypes.dtype_name(dtype)
    x = as_tensor_variable(x)
    if x.type.dtype == name:
        return x
    if x.type.dtype in COMPLEX and name not in COMPLEX:
        raise TypeError(
            "Casting from complex to real is ambiguous: consider real(), imag(), angle() or abs()"
        )
    return cast_op(name)(x)


def isnan(x: Any) -> Any:
    """Whether elements are NaN (bool); integers never are."""
    return _never(x) if as_tensor_variable(x).dtype in DISCRETE else isnan_(x)


def isinf(x: Any) -> Any:
    """Whether elements are infinite (bool); integers never are."""
    return _never(x) if as_tensor_variable(x).dtype in DISCRETE else isinf_(x)


def _never(x: Any) -> Any:
    return second(x, np.bool_(False))


def round(x: Any, mode: str | None = None) -> Any:
    """The nearest integers, as floats.

    ``mode``: ``"half_to_even"`` (default) or ``"half_away_from_zero"``. Only floats are taken.

    >>> round(np.float32(2.5)).owner.op.scalar_op.name
    'round_half_to_even'
    """
    modes = {
        None: round_half_to_even,
        "half_to_even": round_half_to_even,
        "half_away_from_zero": round_half_away_from_zero,
    }
    if mode not in modes:
        raise Exception(f"round mode {mode} is not implemented: use one of {list(modes)[1:]}")
    return modes[mode](x)


def iround(x: Any, mode: str | None = None) -> Any:
    """``round(x, mode)`` cast to int64."""
    return cast(round(x, mode), "int64")


def mod_check(x: Any, y: Any) -> Any:
    """``x % y``; ComplexError for complex operands."""
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if {x.dtype, y.dtype} & COMPLEX:
        raise ComplexError("the modulo operator (%) is not defined for complex numbers")
    return mod(x, y)


def divmod(x: Any, y: Any) -> tuple[Any, Any]:
    """``(x // y, x % y)``."""
    return int_div(x, y), mod_check(x, y)


def ceil_intdiv(a: Any, b: Any) -> Any:
    """``ceil(a / b)`` in integer arithmetic, exact where floats are not."""
    quotient = int_div(a, b)
    return quotient + cast(neq(mod(a, b), 0), quotient.dtype)


def smallest(*args: Any) -> Any:
    """The elementwise least of all arguments."""
    return _extreme(args, lt, "min")


def largest(*args: Any) -> Any:
    """The elementwise greatest of all arguments."""
    return _extreme(args, gt, "max")


def _extreme(args: tuple[Any, ...], before: Elemwise, reduction: str) -> Any:
    if len(args) == 2:
        a, b = args
        return switch(before(a, b), a, b)
    return registry.apply(reduction, registry.apply("stack", list(args)), axis=0)


def isclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether ``|a - b| <= atol + rtol * |b|``, as NumPy has it (bool).

    Infinities are close to themselves only; NaNs to NaNs if ``equal_nan``.
    """
    near = le(abs_(a - b if _symbolic(a, b) else sub(a, b)), add(atol, mul(rtol, abs_(b))))
    infinite = or_(isinf(a), isinf(b))
    result = switch(infinite, eq(a, b), near)
    return or_(result, and_(isnan(a), isnan(b))) if equal_nan else result


def _symbolic(*values: Any) -> bool:
    return builtins.all(hasattr(v, "type") for v in values)


def allclose(
    a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Any:
    """Whether all elements are close (0-d bool); see ``isclose``."""
    return registry.apply("all", isclose(a, b, rtol, atol, equal_nan))


def hard_sigmoid(x: Any) -> Any:
    """``clip(0.2 * x + 0.5, 0, 1)`` in the dtype of ``x``: a rough sigmoid without exp."""
    x = as_tensor_variable(x)
    kind = dtypes.upgrade_to_float(x.dtype)
    slope, shift = (as_tensor_variable(np.asarray(v, dtype=kind)) for v in (0.2, 0.5))
    return clip(x * slope + shift, 0, 1)


_FUNCTIONS = (
    cast, isnan, isinf, round, iround, mod_check, divmod, ceil_intdiv, smallest, largest, isclose,
    allclose, hard_sigmoid,
)  # fmt: skip
for _builder in _FUNCTIONS:
    registry.register(_builder.__name__, _builder)
for _name, _op in ALIASES.items():
    registry.register(_name, _op)
