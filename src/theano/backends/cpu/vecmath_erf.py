"""erf and erfc as straight-line vector text.

A polynomial below 1/2; beyond, erfc(x) = exp(-x**2 + L(t)) / (x + 2) where L is the logarithm of
the slowly varying rest, a polynomial in t = (x - 2) / (x + 2): an error in L is not amplified, and
the rounding errors of 1 / (x + 2) and of t are known and put right to first order.
"""

from __future__ import annotations

from theano.backends.cpu import coefficients as co
from theano.backends.cpu import vecmath_exp
from theano.backends.cpu.emit import Float
from theano.backends.cpu.vecmath_trig import outline

_CENTRE = 2.0


def _erf_small(f: Float, x: str) -> str:
    """erf(x) for abs(x) <= 1/2."""
    return f.fma(x, f.polynomial(f.mul(x, x), co.ERF_F32, co.ERF_F64), x)


def _residual(f: Float, q: str, d: str, lost: str) -> str:
    """1 - q (d + lost), nearly exactly: the relative error of the reciprocal q."""
    drop = 12 if f.single else 27
    q_high, d_high = f.high_part(q, drop), f.high_part(d, drop)
    q_low, d_low = f.sub(q, q_high), f.add(f.sub(d, d_high), lost)
    left = f.sub(f.c(1.0), f.mul(q_high, d_high))
    return f.sub(f.sub(left, f.mul(q_high, d_low)), f.mul(q_low, d))


def _erfc_tail(f: Float, x: str) -> str:
    """erfc(x) for x >= 1/2."""
    x = f.at_most(x, f.pick(10.5, 27.4))
    d, lost = f.two_sum(x, f.c(_CENTRE))
    q = f.div(f.c(1.0), d)
    coefficients = co.ERFC_F32 if f.single else co.ERFC_F64
    scaled = f.mul(q, f.c(-2.0 * _CENTRE))
    t, rounding = f.two_sum(f.c(1.0), scaled)
    residual = _residual(f, q, d, lost)
    shift = f.fma(scaled, residual, rounding)
    square, low = f.square(x)
    fix = f.sub(f.fma(shift, f.c(coefficients[1]), residual), low)
    small = f.add(f.horner(t, coefficients), fix)
    total, error = f.two_sum(f.neg(square), small)
    return vecmath_exp.exp_sum(f, total, error, q)


def _erf_body(f: Float, x: str) -> str:
    a = f.abs(x)
    large = f.copysign(f.sub(f.c(1.0), _erfc_tail(f, a)), x)
    return f.when("olt", a, f.c(0.5), _erf_small(f, x), large)


def _erfc_body(f: Float, x: str) -> str:
    a = f.abs(x)
    tail = _erfc_tail(f, a)
    large = f.when("olt", x, f.c(0.0), f.sub(f.c(2.0), tail), tail)
    return f.when("olt", a, f.c(0.5), f.sub(f.c(1.0), _erf_small(f, x)), large)


def erf(f: Float, x: str) -> str:
    """The error function."""
    return outline(f, "erf", _erf_body, x)


def erfc(f: Float, x: str) -> str:
    """1 - erf(x), accurate where it is tiny."""
    return outline(f, "erfc", _erfc_body, x)
