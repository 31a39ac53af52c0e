"""Rows of exponential, trigonometric and hyperbolic functions, and of sigmoid and its kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theano.ops.scalar import ScalarRow, float_out, float_out_no_complex, literal, t

LN2, LN10, DEGREE = math.log(2.0), math.log(10.0), math.pi / 180.0
_WIDE = ((-10.0, 10.0),)
_POSITIVE = ((0.1, 10.0),)
_OPEN_UNIT = ((-0.9, 0.9),)


def _unary(
    name: str,
    ref: Any,
    grad: Any,
    prim: str | None = None,
    domain: tuple[tuple[float, float], ...] = ((-3.0, 3.0),),
    display: str | None = None,
    dtype: Any = float_out,
) -> ScalarRow:
    spelled = prim or name
    return ScalarRow(
        name, 1, dtype, ref, lambda k, x: k.apply(spelled, x), grad, domain=domain,
        cost="heavy", display=display,
    )  # fmt: skip


def _sigmoid_ref(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, np.ones_like(e)) / (1 + e)


def _softplus_ref(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _ultra_ref(x: Any) -> Any:
    half = np.asarray(x * 0.5)
    size = np.abs(half)
    inner = np.where(size < 1.7, 1.5 * size / (1 + size), 0.0)
    middle = 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    value = np.where(size < 1.7, inner, np.where(size < 3, middle, 0.99505475368673))
    return (np.where(half < 0, -value, value) + 1) * 0.5


def _ultra_body(k: Any, x: Any) -> Any:
    half = x * 0.5
    size = k.abs(half)
    inner = 1.5 * size / (1 + size)
    middle = 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    outer = k.select(k.lt(size, 3.0), middle, 0.99505475368673)
    value = k.select(k.lt(size, 1.7), inner, outer)
    return (k.select(k.lt(half, 0.0), -value, value) + 1) * 0.5


def _arctan2_grad(g: Any, z: Any, y: Any, x: Any) -> tuple[Any, Any]:
    scale = g / (t.sqr(x) + t.sqr(y))
    return scale * x, -(scale * y)


def _logistic_loss_ref(x: Any, target: Any) -> Any:
    return np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))


def _logistic_loss_body(k: Any, x: Any, target: Any) -> Any:
    return k.max(x, 0.0) - x * target + k.log1p(k.exp(-k.abs(x)))


ROWS = (
    _unary("exp", np.exp, lambda g, z, x: (g * z,)),
    _unary("exp2", np.exp2, lambda g, z, x: (g * z * literal(LN2, z),)),
    _unary("expm1", np.expm1, lambda g, z, x: (g * (z + 1),)),
    _unary("log", np.log, lambda g, z, x: (g / x,), domain=_POSITIVE),
    _unary("log2", np.log2, lambda g, z, x: (g / (x * literal(LN2, z)),), domain=_POSITIVE),
    _unary("log10", np.log10, lambda g, z, x: (g / (x * literal(LN10, z)),), domain=_POSITIVE),
    _unary("log1p", np.log1p, lambda g, z, x: (g / (1 + x),), domain=((-0.9, 9.0),)),
    _unary("sin", np.sin, lambda g, z, x: (g * t.cos(x),), domain=_WIDE),
    _unary("cos", np.cos, lambda g, z, x: (-(g * t.sin(x)),), domain=_WIDE),
    _unary("tan", np.tan, lambda g, z, x: (g * (1 + t.sqr(z)),), domain=((-1.4, 1.4),)),
    _unary("arcsin", np.arcsin, lambda g, z, x: (g / t.sqrt(_one(z) - t.sqr(_wide(x, z))),),
           "asin", _OPEN_UNIT),
    _unary("arccos", np.arccos, lambda g, z, x: (-(g / t.sqrt(_one(z) - t.sqr(_wide(x, z)))),),
           "acos", _OPEN_UNIT),
    _unary("arctan", np.arctan, lambda g, z, x: (g / (_one(z) + t.sqr(_wide(x, z))),),
           "atan", _WIDE),
    _unary("sinh", np.sinh, lambda g, z, x: (g * t.cosh(x),)),
    _unary("cosh", np.cosh, lambda g, z, x: (g * t.sinh(x),)),
    _unary("tanh", np.tanh, lambda g, z, x: (g * (1 - t.sqr(z)),)),
    _unary("arcsinh", np.arcsinh, lambda g, z, x: (g / t.sqrt(_one(z) + t.sqr(_wide(x, z))),),
           "asinh", _WIDE),
    _unary("arccosh", np.arccosh, lambda g, z, x: (g / t.sqrt(t.sqr(_wide(x, z)) - _one(z)),),
           "acosh", ((1.1, 9.0),)),
    _unary("arctanh", np.arctanh, lambda g, z, x: (g / (_one(z) - t.sqr(_wide(x, z))),),
           "atanh", _OPEN_UNIT),
    ScalarRow(
        "arctan2", 2, float_out_no_complex, np.arctan2, lambda k, y, x: k.atan2(y, x),
        _arctan2_grad, domain=((0.5, 3.0), (-3.0, 3.0)), cost="heavy",
    ),
    ScalarRow(
        "deg2rad", 1, float_out_no_complex, np.deg2rad, lambda k, x: x * DEGREE,
        lambda g, z, x: (g * literal(DEGREE, z),), domain=((-360.0, 360.0),),
    ),
    ScalarRow(
        "rad2deg", 1, float_out_no_complex, np.rad2deg, lambda k, x: x * (1.0 / DEGREE),
        lambda g, z, x: (g * literal(1.0 / DEGREE, z),),
    ),
    _unary("sigmoid", _sigmoid_ref, lambda g, z, x: (g * z * (1 - z),), domain=_WIDE,
           display="sigmoid", dtype=float_out_no_complex),
    _unary("softplus", _softplus_ref, lambda g, z, x: (g * t.sigmoid(x),), domain=_WIDE,
           display="softplus", dtype=float_out_no_complex),
    ScalarRow(
        "sigmoid_binary_crossentropy", 2, float_out_no_complex, _logistic_loss_ref,
        _logistic_loss_body, lambda g, z, x, y: (g * (t.sigmoid(x) - y), -(g * x)),
        domain=((-10.0, 10.0), (0.0, 1.0)), cost="heavy",
    ),
    ScalarRow(
        "ultra_fast_sigmoid", 1, float_out_no_complex, _ultra_ref, _ultra_body,
        lambda g, z, x: (g * z * (1 - z),), domain=_WIDE, display="ultra_fast_sigmoid",
    ),
)  # fmt: skip


def _one(z: Any) -> Any:
    return literal(1.0, z)


def _wide(x: Any, z: Any) -> Any:
    """``x`` in the dtype of the result, so that the square of a small integer does not wrap."""
    return x if x.dtype == z.dtype else t.cast(x, z.dtype)
