"""Rows of special functions: error functions, the gamma family, Bessel functions, x log x."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theano.graph.null_types import grad_not_implemented
from theano.kernel.prims import PRIMS
from theano.ops.scalar import (
    ScalarRow,
    float64_out,
    float_out,
    float_out_no_complex,
    literal,
    t,
)

TWO_OVER_SQRT_PI = 2.0 / math.sqrt(math.pi)
SQRT_PI_OVER_TWO = math.sqrt(math.pi) / 2.0
_POSITIVE = ((0.2, 5.0),)


def _row(
    name: str,
    prim: str,
    arity: int,
    grad: Any,
    domain: tuple[tuple[float, float], ...] = ((-3.0, 3.0),),
    dtype: Any = float_out_no_complex,
    display: str | None = None,
) -> ScalarRow:
    return ScalarRow(
        name, arity, dtype, PRIMS[prim].ref, lambda k, *xs: k.apply(prim, *xs), grad,
        domain=domain, cost="heavy", display=display,
    )  # fmt: skip


def _gauss(g: Any, z: Any, x: Any) -> Any:
    """g * 2/sqrt(pi) * exp(-x²), the derivative of erf times g."""
    x = _wide(x, z)
    return g * literal(TWO_OVER_SQRT_PI, z) * t.exp(-(x * x))


def _wide(x: Any, z: Any) -> Any:
    return x if x.dtype == z.dtype else t.cast(x, z.dtype)


def _missing(name: str, position: int, x: Any) -> Any:
    return grad_not_implemented(name, position, x)


def _erfcx_grad(g: Any, z: Any, x: Any) -> tuple[Any]:
    return (g * (2 * _wide(x, z) * z - literal(TWO_OVER_SQRT_PI, z)),)


def _erfinv_grad(g: Any, z: Any, x: Any) -> tuple[Any]:
    return (g * literal(SQRT_PI_OVER_TWO, z) * t.exp(z * z),)


def _erfcinv_grad(g: Any, z: Any, x: Any) -> tuple[Any]:
    return (-(g * literal(SQRT_PI_OVER_TWO, z) * t.exp(z * z)),)


def _chi2sf_grad(g: Any, z: Any, x: Any, k: Any) -> tuple[Any, Any]:
    """Minus the density of the chi-squared distribution in ``x``."""
    x, half = _wide(x, z), _wide(k, z) * 0.5
    log_density = (half - 1) * t.log(x) - x * 0.5 - half * literal(math.log(2.0), z)
    return -(g * t.exp(log_density - t.gammaln(half))), _missing("chi2sf", 1, k)


def _gamma_density(g: Any, z: Any, k: Any, x: Any, normalised: bool) -> Any:
    """g * x^(k-1) exp(-x), divided by gamma(k) if ``normalised``."""
    x, k = _wide(x, z), _wide(k, z)
    log_density = (k - 1) * t.log(x) - x
    return g * t.exp(log_density - t.gammaln(k) if normalised else log_density)


def _incomplete(name: str, sign: int, normalised: bool) -> Any:
    def grad(g: Any, z: Any, k: Any, x: Any) -> tuple[Any, Any]:
        term = _gamma_density(g, z, k, x, normalised)
        return _missing(name, 0, k), term if sign > 0 else -term

    return grad


def _jv_grad(g: Any, z: Any, v: Any, x: Any) -> tuple[Any, Any]:
    return _missing("jv", 0, v), g * (t.jv(v - 1, x) - t.jv(v + 1, x)) * literal(0.5, z)


def _iv_grad(g: Any, z: Any, v: Any, x: Any) -> tuple[Any, Any]:
    return _missing("iv", 0, v), g * (t.iv(v - 1, x) + t.iv(v + 1, x)) * literal(0.5, z)


def _xlogx_ref(x: Any) -> Any:
    return np.where(x == 0, 0, x * np.log(x))


def _xlogy0_ref(x: Any, y: Any) -> Any:
    return np.where(x == 0, 0, x * np.log(y))


_GAMMA_DOMAIN = ((0.5, 4.0), (0.2, 5.0))
_ORDER_DOMAIN = ((0.0, 3.0), (0.2, 5.0))

ROWS = (
    _row("erf", "erf", 1, lambda g, z, x: (_gauss(g, z, x),), dtype=float_out),
    _row("erfc", "erfc", 1, lambda g, z, x: (-_gauss(g, z, x),)),
    _row("erfcx", "erfcx", 1, _erfcx_grad),
    _row("erfinv", "erfinv", 1, _erfinv_grad, ((-0.9, 0.9),)),
    _row("erfcinv", "erfcinv", 1, _erfcinv_grad, ((0.1, 1.9),)),
    _row("gamma", "gamma", 1, lambda g, z, x: (g * z * t.psi(x),), _POSITIVE),
    _row("gammaln", "lgamma", 1, lambda g, z, x: (g * t.psi(x),), _POSITIVE),
    _row("psi", "psi", 1, lambda g, z, x: (g * t.tri_gamma(x),), _POSITIVE),
    _row("tri_gamma", "trigamma", 1, None, _POSITIVE),
    _row("chi2sf", "chi2sf", 2, _chi2sf_grad, ((0.5, 6.0), (1.0, 5.0)), float64_out),
    _row("gammainc", "gammainc", 2, _incomplete("gammainc", 1, True), _GAMMA_DOMAIN),
    _row("gammaincc", "gammaincc", 2, _incomplete("gammaincc", -1, True), _GAMMA_DOMAIN),
    _row("gammau", "gammau", 2, _incomplete("gammau", -1, False), _GAMMA_DOMAIN),
    _row("gammal", "gammal", 2, _incomplete("gammal", 1, False), _GAMMA_DOMAIN),
    _row("j0", "j0", 1, lambda g, z, x: (-(g * t.j1(x)),), ((0.2, 9.0),)),
    _row("j1", "j1", 1, lambda g, z, x: (g * (t.j0(x) - z / _wide(x, z)),), ((0.2, 9.0),)),
    _row("jv", "jv", 2, _jv_grad, _ORDER_DOMAIN),
    _row("i0", "i0", 1, lambda g, z, x: (g * t.i1(x),)),
    _row("i1", "i1", 1, lambda g, z, x: (g * (t.i0(x) - z / _wide(x, z)),), ((0.2, 3.0),)),
    _row("iv", "iv", 2, _iv_grad, _ORDER_DOMAIN),
    ScalarRow(
        "xlogx", 1, float_out_no_complex, _xlogx_ref,
        lambda k, x: k.select(k.eq(x, 0.0), 0.0, x * k.log(x)),
        lambda g, z, x: (g * (1 + t.log(x)),), domain=_POSITIVE, cost="heavy",
        display="Elemwise{xlogx}",
    ),
    ScalarRow(
        "xlogy0", 2, float_out_no_complex, _xlogy0_ref,
        lambda k, x, y: k.select(k.eq(x, 0.0), 0.0, x * k.log(y)),
        lambda g, z, x, y: (g * t.log(y), g * x / y), domain=_POSITIVE, cost="heavy",
        display="Elemwise{xlogy0}",
    ),
)  # fmt: skip
