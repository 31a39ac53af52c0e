"""log and its relatives as straight-line vector text.

x = 2**k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2); log(1 + f) = f - f**2/2 + rest, the rest
being a polynomial (float32) or the series in s = f / (2 + f) (float64) of Muller, *Elementary
Functions* (2016), with the leading terms kept apart so that they can be summed exactly.
"""

from __future__ import annotations

from theano.backends.cpu import coefficients as co
from theano.backends.cpu import vecmath_exp
from theano.backends.cpu.emit import Float
from theano.core.record import dataclass

_INF = float("inf")


@dataclass(frozen=True)
class LogParts:
    """log(x) = k log(2) + f - half_square + rest."""

    k: str
    f: str
    half_square: str
    rest: str


def split_exponent(f: Float, x: str, subnormal: bool = True) -> tuple[str, str]:
    """(k, m): x = 2**k m with m between sqrt(1/2) and sqrt(2), k as a float."""
    adjust = None
    if subnormal:
        scale = f.mantissa
        small = f.cmp("olt", x, f.c(f.pick(2.0**-126, 2.0**-1022)))
        x = f.sel(small, f.mul(x, f.c(2.0**scale)), x)
        adjust = f.sel(small, f.c(-scale), f.c(0.0))
    bits = f.to_bits(x)
    root_half = 0x3F3504F3 if f.single else 0x3FE6A09E00000000
    mantissa = f.ic(f.mantissa)
    k = f.int_op("ashr", f.int_op("sub", bits, f.ic(root_half)), mantissa)
    m = f.from_bits(f.int_op("sub", bits, f.int_op("shl", k, mantissa)))
    if f.single:
        power = f.e.convert("sitofp", "i32", k, "float")
    else:
        power = f.sub(f.from_bits(f.int_op("add", k, f.ic(0x4338000000000000))), f.c(f.shifter))
    return (f.add(power, adjust) if adjust else power), m


def _parts(f: Float, x: str, subnormal: bool = True) -> LogParts:
    k, m = split_exponent(f, x, subnormal)
    g = f.sub(m, f.c(1.0))
    square = f.mul(g, g)
    half = f.mul(square, f.c(0.5))
    if f.single:
        rest = f.mul(f.mul(square, g), f.estrin(g, co.LOG_F32))
    else:
        s = f.div(g, f.add(g, f.c(2.0)))
        z = f.mul(s, s)
        rest = f.mul(s, f.fma(z, f.estrin(z, co.LOG_F64), half))
    return LogParts(k, g, half, rest)


def _natural(f: Float, parts: LogParts, tail: str | None = None) -> str:
    """k log(2) + f - half_square + rest + tail, small terms first."""
    high, low = co.LN2_F32 if f.single else co.LN2_F64
    small = f.fma(parts.k, f.c(low), parts.rest)
    if tail is not None:
        small = f.add(small, tail)
    inner = f.sub(f.sub(parts.half_square, small), parts.f)
    return f.sub(f.mul(parts.k, f.c(high)), inner)


def _specials(f: Float, x: str, y: str) -> str:
    """The values of a logarithm at 0, infinity, below 0 and at NaN."""
    y = f.when("oeq", x, f.c(_INF), x, y)
    y = f.when("oeq", x, f.c(0.0), f.c(-_INF), y)
    return f.when("ult", x, f.c(0.0), f.c(float("nan")), y)


def log(f: Float, x: str) -> str:
    """The natural logarithm."""
    return _specials(f, x, _natural(f, _parts(f, x)))


def _other_base(f: Float, x: str, scale: tuple[float, float], two: tuple[float, float]) -> str:
    """log(x) * (scale[0] + scale[1]), where log(2) times that is two[0] + two[1]."""
    parts = _parts(f, x)
    high = f.high_part(f.sub(parts.f, parts.half_square), 12 if f.single else 27)
    low = f.add(f.sub(f.sub(parts.f, high), parts.half_square), parts.rest)
    first = f.mul(high, f.c(scale[0]))
    power = f.mul(parts.k, f.c(two[0]))
    tail = f.fma(f.add(low, high), f.c(scale[1]), f.mul(low, f.c(scale[0])))
    if two[1]:
        tail = f.fma(parts.k, f.c(two[1]), tail)
    total = f.add(power, first)
    tail = f.add(tail, f.add(f.sub(power, total), first))
    return _specials(f, x, f.add(tail, total))


def log2(f: Float, x: str) -> str:
    """The logarithm to base 2; exact at powers of 2."""
    return _other_base(f, x, co.LOG2E_F32 if f.single else co.LOG2E_F64, (1.0, 0.0))


def log10(f: Float, x: str) -> str:
    """The logarithm to base 10."""
    if f.single:
        return _other_base(f, x, co.LOG10E_F32, co.LOG10_2_F32)
    return _other_base(f, x, co.LOG10E_F64, co.LOG10_2_F64)


def _log1p_sum(f: Float, x: str, tail: str | None = None, twos: str | None = None) -> str:
    """log(1 + x + tail) + twos * log(2) without special values."""
    u, error = f.two_sum(f.c(1.0), x)
    if tail is not None:
        error = f.add(error, tail)
    parts = _parts(f, u, subnormal=False)
    if twos is not None:
        parts = LogParts(f.add(parts.k, twos), parts.f, parts.half_square, parts.rest)
    return _natural(f, parts, f.div(error, u))


def log1p(f: Float, x: str) -> str:
    """log(1 + x), accurate near 0."""
    y = _log1p_sum(f, x)
    y = f.when("oeq", x, f.c(0.0), x, y)
    y = f.when("oeq", x, f.c(_INF), x, y)
    y = f.when("oeq", x, f.c(-1.0), f.c(-_INF), y)
    return f.when("ult", x, f.c(-1.0), f.c(float("nan")), y)


def softplus(f: Float, x: str) -> str:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-abs(x)))."""
    e = vecmath_exp.exp(f, f.neg(f.abs(x)))
    y = f.add(f.when("olt", x, f.c(0.0), f.c(0.0), x), _log1p_sum(f, e))
    return y


def asinh(f: Float, x: str) -> str:
    """log1p(a + a**2 / (1 + sqrt(1 + a**2))) with a = abs(x), log(a) + log(2) when huge."""
    a = f.abs(x)
    huge = f.cmp("ogt", a, f.c(f.pick(2.0**14, 2.0**28)))
    b = f.sel(huge, f.c(1.0), a)
    z = f.mul(b, b)
    extra = f.div(z, f.add(f.c(1.0), f.sqrt(f.add(z, f.c(1.0)))))
    argument, tail = f.two_sum(b, extra)
    y = _log1p_sum(
        f, f.sel(huge, a, argument), f.sel(huge, f.c(-1.0), tail), f.sel(huge, f.c(1.0), f.c(0.0))
    )
    return f.copysign(f.when("oeq", a, f.c(_INF), a, y), x)


def acosh(f: Float, x: str) -> str:
    """log1p(t + sqrt(2 t + t**2)) with t = x - 1, log(x) + log(2) when huge."""
    huge = f.cmp("ogt", x, f.c(f.pick(2.0**14, 2.0**28)))
    t = f.sub(f.sel(huge, f.c(2.0), x), f.c(1.0))
    root = f.sqrt(f.mul(t, f.add(t, f.c(2.0))))
    argument, tail = f.two_sum(root, t)
    y = _log1p_sum(
        f, f.sel(huge, x, argument), f.sel(huge, f.c(-1.0), tail), f.sel(huge, f.c(1.0), f.c(0.0))
    )
    y = f.when("oeq", x, f.c(_INF), x, y)
    return f.when("ult", x, f.c(1.0), f.c(float("nan")), y)


def atanh(f: Float, x: str) -> str:
    """log1p(2 a / (1 - a)) / 2 with a = abs(x)."""
    a = f.abs(x)
    double = f.add(a, a)
    rest = f.sub(f.c(1.0), a)
    small, tail = f.two_sum(double, f.div(f.mul(double, a), rest))
    below = f.cmp("olt", a, f.c(0.5))
    argument = f.sel(below, small, f.div(double, rest))
    y = f.mul(_log1p_sum(f, argument, f.sel(below, tail, f.c(0.0))), f.c(0.5))
    y = f.when("oeq", a, f.c(1.0), f.c(_INF), y)
    y = f.when("ugt", a, f.c(1.0), f.c(float("nan")), y)
    return f.copysign(y, x)
