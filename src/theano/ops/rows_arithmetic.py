"""Rows of arithmetic, rounding, and what chooses between values."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX
from theano.core.errors import ComplexError
from theano.ops.scalar import (
    ScalarRow,
    as_given,
    float_out,
    float_out_no_complex,
    literal,
    same_out,
    same_out_float,
    same_out_no_complex,
    t,
    true_div_out,
    upcast_out,
    upcast_out_min8,
    upcast_out_no_complex,
    upcast_out_nobool,
)


def _fold(prim: str) -> Any:
    """The body of an n-ary row: a left fold."""
    return lambda k, x, *rest: functools.reduce(lambda a, b: k.apply(prim, a, b), rest, x)


def _others(inputs: Sequence[Any], skip: int) -> list[Any]:
    return [x for i, x in enumerate(inputs) if i != skip]


def _add_grad(g: Any, z: Any, *inputs: Any) -> list[Any]:
    return [_real_if(g, x) for x in inputs]


def _real_if(g: Any, x: Any) -> Any:
    """The real part of ``g`` for a real input of a complex op."""
    return t.real(g) if g.dtype in COMPLEX and x.dtype not in COMPLEX else g


def _mul_grad(g: Any, z: Any, *inputs: Any) -> list[Any]:
    if z.dtype in COMPLEX:
        # d(real part of conj(g) z): the conjugate of the other factors.
        return [
            _real_if(t.mul(g, *(t.conj(o) for o in _others(inputs, i))), x)
            for i, x in enumerate(inputs)
        ]
    return [t.mul(g, *_others(inputs, i)) for i in range(len(inputs))]


def _check_divisor(x: Any, y: Any) -> None:
    if y.dtype.kind in "iu" and x.size and y.size and not y.all():
        raise ZeroDivisionError("integer division or modulo by zero")


def _int_div_ref(x: Any, y: Any) -> Any:
    _check_divisor(x, y)
    return np.floor_divide(x, y)


def _int_div_body(k: Any, x: Any, y: Any) -> Any:
    return k.floor(k.div(x, y)) if x.dtype.startswith("float") else k.idiv(x, y)


def _mod_ref(x: Any, y: Any) -> Any:
    _check_divisor(x, y)
    return np.mod(x, y)


def _division_out(inputs: Sequence[str]) -> str:
    """The upcast of all inputs, bool becoming int8; complex inputs are refused."""
    if any(name in COMPLEX for name in inputs):
        raise ComplexError("// and % are not defined for complex numbers")
    return upcast_out_min8(inputs)


def _pow_ref(x: Any, y: Any) -> Any:
    if x.dtype.kind != "i":
        return np.power(x, y)
    # NumPy refuses negative integer exponents; the truncated value is 1, -1 or 0.
    inverse = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y & 1), 0)).astype(x.dtype)
    return np.where(y < 0, inverse, np.power(x, np.maximum(y, 0)))


def _pow_body(k: Any, x: Any, y: Any) -> Any:
    if not x.dtype.startswith("int"):
        return k.pow(x, y)
    one, zero = k.const(1, x.dtype), k.const(0, x.dtype)
    odd_sign = k.sub(one, k.shl(k.and_(y, 1), one))
    inverse = k.select(k.eq(x, one), one, k.select(k.eq(x, -1), odd_sign, zero))
    return k.select(k.lt(y, zero), inverse, k.pow(x, k.max(y, zero)))


def _pow_grad(g: Any, z: Any, x: Any, y: Any) -> tuple[Any, Any]:
    return g * y * x ** (y - _one(y)), t.switch(t.eq(x, 0), 0, g * t.log(x) * z)


def _one(y: Any) -> Any:
    """1 in a dtype that keeps ``y - 1`` from wrapping or being refused."""
    return np.int8(1) if not y.dtype.startswith("uint") and y.dtype != "bool" else np.int64(1)


def _sgn_body(k: Any, x: Any) -> Any:
    return x if x.dtype == "bool" else k.sign(x)


def _sgn_ref(x: Any) -> Any:
    return np.array(x) if x.dtype == bool else np.sign(x)


def _abs_grad(g: Any, z: Any, x: Any) -> tuple[Any]:
    if x.dtype in COMPLEX:
        return (g * x / t.switch(t.eq(z, 0), 1, z),)
    return (g * t.sgn(x),)


def _abs_out(inputs: Sequence[str]) -> str:
    """The dtype of the real part."""
    return dtypes.REAL_OF[inputs[0]]


def _round_away(x: Any) -> Any:
    whole = np.floor(np.abs(x))
    return np.copysign(np.where(np.abs(x) - whole >= 0.5, whole + 1, whole), x)


def _clip_grad(g: Any, z: Any, x: Any, lo: Any, hi: Any) -> tuple[Any, Any, Any]:
    inside = t.and_(t.ge(x, lo), t.le(x, hi))
    return t.switch(inside, g, 0), t.switch(t.lt(x, lo), g, 0), t.switch(t.gt(x, hi), g, 0)


def _clip_body(k: Any, x: Any, lo: Any, hi: Any) -> Any:
    return k.select(k.lt(x, lo), lo, k.select(k.gt(x, hi), hi, x))


def _first_wins(g: Any, z: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """At a tie the whole gradient goes to the first argument."""
    first = t.eq(z, x)
    return t.switch(first, g, 0), t.switch(first, 0, g)


def _switch_operands(inputs: Sequence[str], output: str) -> Sequence[str]:
    return (inputs[0], output, output)


def _switch_out(inputs: Sequence[str]) -> str:
    """The upcast of the two values."""
    return dtypes.upcast(*inputs[1:])


def _switch_body(k: Any, c: Any, x: Any, y: Any) -> Any:
    return k.select(c if c.dtype == "bool" else k.ne(c, 0), x, y)


def _switch_grad(g: Any, z: Any, c: Any, x: Any, y: Any) -> tuple[Any, Any, Any]:
    return None, _real_if(t.switch(c, g, 0), x), _real_if(t.switch(c, 0, g), y)


def _zero_grad(g: Any, z: Any, *inputs: Any) -> list[None]:
    return [None] * len(inputs)


NOT_ZERO = ((-3.0, 3.0), (0.5, 3.0))

ROWS = (
    ScalarRow(
        "add", None, upcast_out, lambda *xs: functools.reduce(np.add, xs), _fold("add"),
        _add_grad, commutative=True, associative=True, infix=("+", -2, "either"),
        complex_grad=True,
    ),
    ScalarRow(
        "mul", None, upcast_out, lambda *xs: functools.reduce(np.multiply, xs), _fold("mul"),
        _mul_grad, commutative=True, associative=True, infix=("*", -1, "either"),
        complex_grad=True,
    ),
    ScalarRow(
        "mul_without_zeros", 2, upcast_out,
        lambda x, y: np.where(x == 0, y, np.where(y == 0, x, x * y)),
        lambda k, x, y: k.select(k.eq(x, 0), y, k.select(k.eq(y, 0), x, k.mul(x, y))),
    ),
    ScalarRow(
        "sub", 2, upcast_out_nobool, np.subtract, lambda k, x, y: k.sub(x, y),
        lambda g, z, x, y: (_real_if(g, x), _real_if(-g, y)), infix=("-", -2, "left"),
        complex_grad=True,
    ),
    ScalarRow(
        "neg", 1, upcast_out_nobool, np.negative, lambda k, x: k.neg(x),
        lambda g, z, x: (-g,), infix=("-", 0, "either"), complex_grad=True,
    ),
    ScalarRow(
        "true_div", 2, true_div_out, np.true_divide, lambda k, x, y: k.div(x, y),
        lambda g, z, x, y: (g / y, -(g * z) / y), domain=NOT_ZERO, infix=("/", -1, "left"),
    ),
    ScalarRow(
        "int_div", 2, _division_out, _int_div_ref, _int_div_body, _zero_grad, domain=NOT_ZERO,
        infix=("//", -1, "left"),
    ),
    ScalarRow(
        "mod", 2, _division_out, _mod_ref, lambda k, x, y: k.mod(x, y),
        lambda g, z, x, y: (g, -(x // y) * g), domain=NOT_ZERO, infix=("%", -1, "left"),
    ),
    ScalarRow(
        "pow", 2, upcast_out_min8, _pow_ref, _pow_body, _pow_grad, domain=((0.5, 3.0), (-2.0, 3.0)),
        infix=("**", 1, "right"), cost="heavy",
    ),
    ScalarRow(
        "inv", 1, float_out, np.reciprocal, lambda k, x: k.div(1.0, x),
        lambda g, z, x: (-(g * z * z),), domain=((0.5, 3.0),),
    ),
    ScalarRow(
        "sqr", 1, same_out, lambda x: np.multiply(x, x), lambda k, x: k.mul(x, x),
        lambda g, z, x: (g * x * 2,),
    ),
    ScalarRow(
        "sqrt", 1, float_out, np.sqrt, lambda k, x: k.sqrt(x),
        lambda g, z, x: (g * literal(0.5, z) / z,), domain=((0.1, 9.0),),
    ),
    ScalarRow(
        "abs_", 1, _abs_out, np.abs, lambda k, x: k.abs(x), _abs_grad, operands=as_given,
        complex_grad=True,
    ),
    ScalarRow("sgn", 1, same_out_no_complex, _sgn_ref, _sgn_body, _zero_grad),
    ScalarRow("ceil", 1, float_out_no_complex, np.ceil, lambda k, x: k.ceil(x), _zero_grad),
    ScalarRow("floor", 1, float_out_no_complex, np.floor, lambda k, x: k.floor(x), _zero_grad),
    ScalarRow("trunc", 1, float_out_no_complex, np.trunc, lambda k, x: k.trunc(x), _zero_grad),
    ScalarRow(
        "round_half_to_even", 1, same_out_float, np.rint, lambda k, x: k.rint(x), _zero_grad
    ),
    ScalarRow(
        "round_half_away_from_zero", 1, same_out_float, _round_away, lambda k, x: k.round(x),
        _zero_grad,
    ),
    ScalarRow(
        "maximum", 2, upcast_out, np.maximum, lambda k, x, y: k.max(x, y), _first_wins,
        commutative=True, associative=True,
    ),
    ScalarRow(
        "minimum", 2, upcast_out, np.minimum, lambda k, x, y: k.min(x, y), _first_wins,
        commutative=True, associative=True,
    ),
    ScalarRow(
        "clip", 3, upcast_out_no_complex,
        lambda x, lo, hi: np.where(x < lo, lo, np.where(x > hi, hi, x)), _clip_body, _clip_grad,
        domain=((-3.0, 3.0), (-2.0, -1.0), (1.0, 2.0)),
    ),
    ScalarRow(
        "switch", 3, _switch_out, lambda c, x, y: np.where(c != 0, x, y), _switch_body,
        _switch_grad, operands=_switch_operands, complex_grad=True,
    ),
)  # fmt: skip
