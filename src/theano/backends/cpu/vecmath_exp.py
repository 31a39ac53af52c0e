"""exp and its relatives as straight-line vector text.

Argument reduction x = n log(2) + r after Cody and Waite (1980); n comes out of the low bits of
x / log(2) + 1.5 * 2**52, which needs no float-to-integer conversion.
"""

from __future__ import annotations

from theano.backends.cpu import coefficients as co
from theano.backends.cpu.emit import Float

_LOG2E = 1.4426950408889634
_LN2 = 0.6931471805599453


def expm1_reduced(f: Float, r: str) -> str:
    """expm1(r) for abs(r) <= log(2) / 2."""
    q = f.polynomial(r, co.EXPM1_F32, co.EXPM1_F64)
    return f.fma(f.mul(r, r), q, r)


def _reduce(f: Float, x: str) -> tuple[str, str]:
    """(t, r): t = n + `Float.shifter`, the low bits of which hold n, and x = n log(2) + r."""
    t = f.fma(x, f.c(_LOG2E), f.c(f.shifter))
    n = f.sub(t, f.c(f.shifter))
    high, low = co.LN2_F32 if f.single else co.LN2_F64
    r = f.fma(n, f.c(-low), f.fma(n, f.c(-high), x))
    return t, r


def _power_of_two(f: Float, k: str) -> str:
    """2**k for an integer in the range of normal numbers (only its low bits count)."""
    biased = f.int_op("add", k, f.ic(f.bias))
    return f.from_bits(f.int_op("shl", biased, f.ic(f.mantissa)))


def _halves(f: Float, bits: str, shift: int) -> tuple[str, str]:
    """Two powers of 2 whose product is 2**(n + shift), for n in the low bits of `bits`."""
    width = f.ic(10 if f.single else 13)
    k = f.int_op("ashr", f.int_op("shl", bits, width), width)
    if shift:
        k = f.int_op("add", k, f.ic(shift))
    first = f.int_op("ashr", k, f.ic(1))
    return _power_of_two(f, first), _power_of_two(f, f.int_op("sub", k, first))


def scale(f: Float, t: str, value: str) -> str:
    """value * 2**n with t = n + `Float.shifter`, rounded once also where it is subnormal."""
    if f.scales:
        return f.scaled(value, f.sub(t, f.c(f.shifter)))
    first, second = _halves(f, f.to_bits(t), 0)
    return f.mul(f.mul(value, first), second)


def _scale_one_plus(f: Float, t: str, p: str, shift: int = 0) -> str:
    """(1 + p) * 2**(n + shift) with t = n + `Float.shifter`."""
    if f.scales:
        return f.scaled(f.add(p, f.c(1.0)), f.sub(t, f.c(f.shifter - shift)))
    first, second = _halves(f, f.to_bits(t), shift)
    return f.mul(f.fma(p, first, first), second)


def _clamp(f: Float, x: str, single: tuple[float, float], double: tuple[float, float]) -> str:
    low, high = single if f.single else double
    return f.at_least(f.at_most(x, high), low)


def exp(f: Float, x: str, shift: int = 0) -> str:
    """exp(x) * 2**shift."""
    t, r = _reduce(f, _clamp(f, x, (-104.0, 90.0), (-746.0, 711.0)))
    return _scale_one_plus(f, t, expm1_reduced(f, r), shift)


def exp_sum(f: Float, x: str, tail: str, factor: str) -> str:
    """exp(x + tail) * factor, with x not above 1."""
    t, r = _reduce(f, f.at_least(x, f.pick(-150.0, -800.0)))
    p = expm1_reduced(f, f.add(r, tail))
    return scale(f, t, f.fma(p, factor, factor))


def exp2(f: Float, x: str) -> str:
    """2**x."""
    x = _clamp(f, x, (-151.0, 129.0), (-1076.0, 1025.0))
    t = f.add(x, f.c(f.shifter))
    r = f.mul(f.sub(x, f.sub(t, f.c(f.shifter))), f.c(_LN2))
    return _scale_one_plus(f, t, expm1_reduced(f, r))


def expm1(f: Float, x: str) -> str:
    """exp(x) - 1 = 2 (p s + (s - 1/2)) with s = 2**(n - 1) and p = expm1(r)."""
    t, r = _reduce(f, _clamp(f, x, (-20.0, 89.0), (-40.0, 709.9)))
    p = expm1_reduced(f, r)
    s = _power_of_two(f, f.int_op("sub", f.to_bits(t), f.ic(1)))
    y = f.fma(p, s, f.sub(s, f.c(0.5)))
    return f.copysign(f.add(y, y), x)


def tanh(f: Float, x: str) -> str:
    """E / (E + 2) with E = expm1(2 abs(x))."""
    magnitude = f.abs(x)
    t, r = _reduce(f, f.at_most(f.add(magnitude, magnitude), f.pick(40.0, 80.0)))
    p = expm1_reduced(f, r)
    s = _power_of_two(f, f.to_bits(t))
    e = f.fma(p, s, f.sub(s, f.c(1.0)))
    return f.copysign(f.div(e, f.add(e, f.c(2.0))), x)


def sigmoid(f: Float, x: str) -> str:
    """1 / (1 + exp(-x)) without overflow: from exp(-abs(x))."""
    t, r = _reduce(f, f.at_least(f.neg(f.abs(x)), f.pick(-104.0, -746.0)))
    e = _scale_one_plus(f, t, expm1_reduced(f, r))
    top = f.when("olt", x, f.c(0.0), e, f.c(1.0))
    return f.div(top, f.add(e, f.c(1.0)))


def sinh(f: Float, x: str) -> str:
    """A polynomial below 1, (exp(x) - exp(-x)) / 2 above."""
    z = f.mul(x, x)
    small = f.fma(f.mul(x, z), f.polynomial(z, co.SINH_F32, co.SINH_F64), x)
    magnitude = f.abs(x)
    half = exp(f, magnitude, shift=-1)
    large = f.copysign(f.sub(half, f.div(f.c(0.25), half)), x)
    return f.when("olt", magnitude, f.c(1.0), small, large)


def cosh(f: Float, x: str) -> str:
    """(exp(x) + exp(-x)) / 2."""
    half = exp(f, f.abs(x), shift=-1)
    return f.add(half, f.div(f.c(0.25), half))
