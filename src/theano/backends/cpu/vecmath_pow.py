"""pow as vector text: exp2(y log2(x)) with the logarithm to more than working precision.

float64 carries log2(x) and its product with y as sums of two floats (Muller, *Elementary
Functions*, 2016); float32 computes in float64.
"""

from __future__ import annotations

from theano.backends.cpu import coefficients as co
from theano.backends.cpu import vecmath_exp
from theano.backends.cpu.emit import Float
from theano.backends.cpu.vecmath_log import split_exponent
from theano.backends.cpu.vecmath_trig import outline

_DROP = 27
_INF = float("inf")


def _log2_double(f: Float, x: str) -> tuple[str, str]:
    """log2(x) as t1 + t2, t1 of 26 bits, for positive finite x."""
    k, m = split_exponent(f, x)
    one, three = f.c(1.0), f.c(3.0)
    g, d = f.sub(m, one), f.add(m, one)
    v = f.div(one, d)
    s = f.mul(g, v)
    s_high, d_high = f.high_part(s, _DROP), f.high_part(d, _DROP)
    d_low = f.sub(m, f.sub(d_high, one))
    left = f.sub(f.sub(g, f.mul(s_high, d_high)), f.mul(s_high, d_low))
    s_low = f.mul(v, left)
    z = f.mul(s, s)
    rest = f.mul(f.mul(z, z), f.estrin(z, co.POW_LOG_F64))
    rest = f.add(rest, f.mul(s_low, f.add(s_high, s)))
    z_high = f.mul(s_high, s_high)
    t_high = f.high_part(f.add(f.add(three, z_high), rest), _DROP)
    t_low = f.sub(rest, f.sub(f.sub(t_high, three), z_high))
    u = f.mul(s_high, t_high)
    w = f.add(f.mul(s_low, t_high), f.mul(t_low, s))
    p_high = f.high_part(f.add(u, w), _DROP)
    p_low = f.sub(w, f.sub(p_high, u))
    cp_high, cp_low = co.POW_CP
    l_high = f.mul(p_high, f.c(cp_high))
    l_low = f.add(f.mul(p_high, f.c(cp_low)), f.mul(p_low, f.c(cp_high + cp_low)))
    t1 = f.high_part(f.add(f.add(l_high, l_low), k), _DROP)
    return t1, f.sub(l_low, f.sub(f.sub(t1, k), l_high))


def _exp2_double(f: Float, high: str, low: str) -> str:
    """2**(high + low), saturating."""
    z = f.add(high, low)
    outside = f.cmp("ogt", f.abs(z), f.c(1100.0))
    high = f.sel(outside, f.copysign(f.c(1100.0), z), high)
    low = f.sel(outside, f.c(0.0), low)
    t = f.add(f.sel(outside, high, z), f.c(f.shifter))
    a = f.sub(high, f.sub(t, f.c(f.shifter)))
    w = f.add(a, low)
    w_high = f.high_part(w, _DROP)
    w_low = f.add(f.sub(a, w_high), low)
    ln2_high, ln2_low = co.POW_LN2
    r_high = f.mul(w_high, f.c(ln2_high))
    r_low = f.add(f.mul(w, f.c(ln2_low)), f.mul(w_low, f.c(ln2_high)))
    r = f.add(r_high, r_low)
    rest = f.fma(f.mul(r, r), f.polynomial(r, co.EXPM1_F32, co.EXPM1_F64), r_low)
    total = f.add(f.c(1.0), r_high)
    lost = f.sub(r_high, f.sub(total, f.c(1.0)))
    return vecmath_exp.scale(f, t, f.add(total, f.add(lost, rest)))


def _magnitude_double(f: Float, a: str, y: str) -> str:
    """a**y for positive finite a."""
    t1, t2 = _log2_double(f, a)
    y = f.at_least(f.at_most(y, 1e20), -1e20)
    y_high = f.high_part(y, _DROP)
    low = f.add(f.mul(f.sub(y, y_high), t1), f.mul(y, t2))
    return _exp2_double(f, f.mul(y_high, t1), low)


def _magnitude_single(f: Float, a: str, y: str) -> str:
    """a**y for positive finite float32 a, computed in float64."""
    d = Float(f.e, "float64")
    k, m = split_exponent(d, f.e.convert("fpext", "float", a, "double"), subnormal=False)
    s = d.div(d.sub(m, d.c(1.0)), d.add(m, d.c(1.0)))
    logarithm = d.fma(s, d.estrin(d.mul(s, s), co.POW_LOG_F32), k)
    y = f.at_least(f.at_most(y, 1e20), -1e20)
    z = d.mul(logarithm, f.e.convert("fpext", "float", y, "double"))
    z = d.at_least(d.at_most(z, 200.0), -200.0)
    t = d.add(z, d.c(d.shifter))
    power = d.estrin(d.sub(z, d.sub(t, d.c(d.shifter))), co.POW_EXP_F32)
    result = vecmath_exp.scale(d, t, power)
    return f.e.convert("fptrunc", "double", result, "float")


def _specials(f: Float, x: str, y: str, magnitude: str) -> str:
    """Put the values of C's pow at zeros, infinities, NaN and negative x around a magnitude."""
    e = f.e
    zero, one, inf = f.c(0.0), f.c(1.0), f.c(_INF)
    a = f.abs(x)
    falling = f.cmp("olt", y, zero)
    magnitude = f.when("oeq", a, zero, f.sel(falling, inf, zero), magnitude)
    magnitude = f.when("oeq", a, inf, f.sel(falling, zero, inf), magnitude)
    half = f.mul(y, f.c(0.5))
    whole = f.cmp("oeq", e.intrinsic("trunc", f.element, y), y)
    even = f.cmp("oeq", e.intrinsic("trunc", f.element, half), half)
    odd = e.bits("and", whole, e.invert(even))
    signed = e.icmp("slt", f.int_dtype, f.to_bits(x), f.ic(0))
    result = f.sel(e.bits("and", odd, signed), f.neg(magnitude), magnitude)
    below = e.bits("and", f.cmp("olt", x, zero), f.cmp("one", a, inf))
    result = f.sel(e.bits("and", below, e.invert(whole)), f.c(float("nan")), result)
    result = f.when("uno", x, y, f.add(x, y), result)
    trivial = e.bits("or", f.cmp("oeq", x, one), f.cmp("oeq", y, zero))
    return f.sel(trivial, one, result)


def _pow_body(f: Float, x: str, y: str) -> str:
    core = _magnitude_single if f.single else _magnitude_double
    return _specials(f, x, y, core(f, f.abs(x), y))


def power(f: Float, x: str, y: str) -> str:
    """x**y with the special values of C99 annex F."""
    return outline(f, "pow", _pow_body, x, y)
