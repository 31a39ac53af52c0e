"""sin, cos, tan and their inverses as vector text.

Reduction to [-pi/4, pi/4] after Cody and Waite (1980) for abs(x) <= 1e5; in the rare lanes beyond,
one at a time, after Payne and Hanek (1983) with 1200 bits of 2/pi in integer arithmetic. These
functions are outlined: their bodies have branches.
"""

from __future__ import annotations

from collections.abc import Callable

from theano.backends.cpu import coefficients as co
from theano.backends.cpu.emit import Emitter, Float, float_literal
from theano.core.record import dataclass

_LIMIT = 1e5
_TWO_OVER_PI = 0.6366197723675814
_REM = "th.rem_pio2"
_REM_TEXT = """\
@th.two_over_pi = internal unnamed_addr constant [{count} x i64] [{words}]
define internal {{ double, double, i64 }} @th.rem_pio2(double %x) nounwind {{
  %bits = bitcast double %x to i64
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  %fraction = and i64 %bits, 4503599627370495
  %m64 = or i64 %fraction, 4503599627370496
  %m = zext i64 %m64 to i128
  %start = sub i64 %exponent, 1013
  %word = lshr i64 %start, 6
  %bit = and i64 %start, 63
  %q0 = getelementptr i64, ptr @th.two_over_pi, i64 %word
  %q1 = getelementptr i64, ptr %q0, i64 1
  %q2 = getelementptr i64, ptr %q0, i64 2
  %q3 = getelementptr i64, ptr %q0, i64 3
  %w0 = load i64, ptr %q0
  %w1 = load i64, ptr %q1
  %w2 = load i64, ptr %q2
  %w3 = load i64, ptr %q3
  %p2 = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %bit)
  %p1 = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %bit)
  %p0 = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %bit)
  %p2w = zext i64 %p2 to i128
  %p2s = shl i128 %p2w, 64
  %p1w = zext i64 %p1 to i128
  %p0w = zext i64 %p0 to i128
  %p21 = or i128 %p2s, %p1w
  %high = mul i128 %p21, %m
  %low = mul i128 %p0w, %m
  %lows = lshr i128 %low, 64
  %f = add i128 %high, %lows
  %g = shl i128 %f, 2
  %negative = icmp slt i128 %g, 0
  %minus = sub i128 0, %g
  %a = select i1 %negative, i128 %minus, i128 %g
  %quarter = lshr i128 %f, 126
  %quarter64 = trunc i128 %quarter to i64
  %up = zext i1 %negative to i64
  %n = add i64 %quarter64, %up
  %zeros = call i128 @llvm.ctlz.i128(i128 %a, i1 false)
  %zeros127 = and i128 %zeros, 127
  %h = shl i128 %a, %zeros127
  %hs = lshr i128 %h, 64
  %r = mul i128 %hs, 14488038916154245684
  %u1w = lshr i128 %r, 75
  %u1 = trunc i128 %u1w to i64
  %u2w = lshr i128 %r, 22
  %u2x = trunc i128 %u2w to i64
  %u2 = and i64 %u2x, 9007199254740991
  %d1 = sitofp i64 %u1 to double
  %d2 = sitofp i64 %u2 to double
  %zeros64 = trunc i128 %zeros127 to i64
  %e = sub i64 971, %zeros64
  %ebits = shl i64 %e, 52
  %scale = bitcast i64 %ebits to double
  %signed = fneg double %scale
  %s = select i1 %negative, double %signed, double %scale
  %r1 = fmul double %d1, %s
  %d2s = fmul double %d2, {tiny}
  %r2 = fmul double %d2s, %s
  %zero_or_nan = fsub double %x, %x
  %r1n = fadd double %r1, %zero_or_nan
  %out0 = insertvalue {{ double, double, i64 }} poison, double %r1n, 0
  %out1 = insertvalue {{ double, double, i64 }} %out0, double %r2, 1
  %out2 = insertvalue {{ double, double, i64 }} %out1, i64 %n, 2
  ret {{ double, double, i64 }} %out2
}}
"""
_SLOW_TEXT = """\
  br i1 {any}, label %slow, label %join
slow:
  store {kind} {x}, ptr %slot_x
  store {kind} {r}, ptr %slot_r
  store {kind} {t}, ptr %slot_t
  store {ints} {n}, ptr %slot_n
  br label %lane
lane:
  %i = phi i64 [ 0, %slow ], [ %i_next, %next ]
  %px = getelementptr double, ptr %slot_x, i64 %i
  %vx = load double, ptr %px
  %far = fcmp ogt double %vx, {limit}
  br i1 %far, label %reduce, label %next
reduce:
  %rem = call {{ double, double, i64 }} @th.rem_pio2(double %vx)
  %rem_r = extractvalue {{ double, double, i64 }} %rem, 0
  %rem_t = extractvalue {{ double, double, i64 }} %rem, 1
  %rem_n = extractvalue {{ double, double, i64 }} %rem, 2
  %pr = getelementptr double, ptr %slot_r, i64 %i
  %pt = getelementptr double, ptr %slot_t, i64 %i
  %pn = getelementptr i64, ptr %slot_n, i64 %i
  store double %rem_r, ptr %pr
  store double %rem_t, ptr %pt
  store i64 %rem_n, ptr %pn
  br label %next
next:
  %i_next = add i64 %i, 1
  %more = icmp ult i64 %i_next, {lanes}
  br i1 %more, label %lane, label %after
after:
  %slow_r = load {kind}, ptr %slot_r
  %slow_t = load {kind}, ptr %slot_t
  %slow_n = load {ints}, ptr %slot_n
  br label %join
join:
  %r = phi {kind} [ {r}, %entry ], [ %slow_r, %after ]
  %tail = phi {kind} [ {t}, %entry ], [ %slow_t, %after ]
  %n = phi {ints} [ {n}, %entry ], [ %slow_n, %after ]"""


@dataclass(frozen=True)
class Reduced:
    """abs(x) = n pi/2 + r + tail; `n` are integer bits, of which the low two count."""

    r: str
    tail: str | None
    n: str


def _cody_waite(d: Float, x: str, single: bool) -> tuple[str, str, str]:
    """(r, tail, n) for 0 <= x <= 1e5 in float64."""
    t = d.fma(x, d.c(_TWO_OVER_PI), d.c(d.shifter))
    n = d.sub(t, d.c(d.shifter))
    if single:
        high, low = co.PIO2_SHORT
        r = d.sub(d.sub(x, d.mul(n, d.c(high))), d.mul(n, d.c(low)))
        return r, d.c(0.0), d.to_bits(t)
    p1, p2, p3, p4 = co.PIO2_LONG
    a = d.sub(x, d.mul(n, d.c(p1)))
    b, error1 = d.two_sum(a, d.mul(n, d.c(-p2)))
    c, error2 = d.two_sum(b, d.mul(n, d.c(-p3)))
    tail = d.add(d.add(error1, error2), d.mul(n, d.c(-p4)))
    r = d.add(c, tail)
    return r, d.add(d.sub(c, r), tail), d.to_bits(t)


def _reduce(f: Float, x: str, tail_of_single: bool) -> Reduced:
    """Reduce abs(x); must come first in an outlined body, since it starts basic blocks."""
    e = f.e
    d = Float(e, "float64")
    e.declare("i64", "llvm.fshl.i64", ["i64"] * 3)
    e.declare("i128", "llvm.ctlz.i128", ["i128", "i1"])
    if _REM not in e.definitions:
        words = ", ".join(f"i64 {word}" for word in co.TWO_OVER_PI)
        tiny = float_literal("double", 2.0**-53)
        e.definitions[_REM] = _REM_TEXT.format(count=len(co.TWO_OVER_PI), words=words, tiny=tiny)
    for slot, kind in (("x", d.kind), ("r", d.kind), ("t", d.kind), ("n", d.int_kind)):
        e.lines.append(f"  %slot_{slot} = alloca {kind}")
    magnitude = f.abs(x)
    wide = e.convert("fpext", "float", magnitude, "double") if f.single else magnitude
    r, tail, n = _cody_waite(d, wide, f.single)
    far = e.any(d.cmp("ogt", wide, d.c(_LIMIT)))
    limit = float_literal("double", _LIMIT)
    e.lines.append(
        _SLOW_TEXT.format(
            any=far, kind=d.kind, ints=d.int_kind, x=wide, r=r, t=tail, n=n, limit=limit,
            lanes=e.lanes,
        )
    )  # fmt: skip
    if not f.single:
        return Reduced("%r", "%tail", "%n")
    short = e.convert("fptrunc", "double", "%r", "float")
    rest = None
    if tail_of_single:
        lost = d.sub("%r", e.convert("fpext", "float", short, "double"))
        rest = e.convert("fptrunc", "double", lost, "float")
    return Reduced(short, rest, e.convert("trunc", "i64", "%n", "i32"))


def _sin_poly(f: Float, reduced: Reduced, z: str) -> str:
    p = f.polynomial(z, co.SIN_F32, co.SIN_F64)
    cube = f.mul(reduced.r, z)
    if reduced.tail is None:
        return f.fma(cube, p, reduced.r)
    slope = f.fma(z, f.c(-0.5), f.c(1.0))
    return f.add(reduced.r, f.fma(cube, p, f.mul(reduced.tail, slope)))


def _cos_poly(f: Float, reduced: Reduced, z: str) -> str:
    half = f.mul(z, f.c(0.5))
    w = f.sub(f.c(1.0), half)
    p = f.mul(f.mul(z, z), f.polynomial(z, co.COS_F32, co.COS_F64))
    if reduced.tail is not None:
        p = f.sub(p, f.mul(reduced.r, reduced.tail))
    return f.add(w, f.add(f.sub(f.sub(f.c(1.0), w), half), p))


def _bit(f: Float, n: str, bit: int) -> str:
    """Whether a bit of the quadrant number is set, per lane."""
    return f.e.icmp("ne", f.int_dtype, f.int_op("and", n, f.ic(bit)), f.ic(0))


def _both(f: Float, x: str, precise: bool = False) -> tuple[Reduced, str, str]:
    """The reduced argument, its sine and its cosine."""
    reduced = _reduce(f, x, precise)
    z = f.mul(reduced.r, reduced.r)
    return reduced, _sin_poly(f, reduced, z), _cos_poly(f, reduced, z)


def _sin_body(f: Float, x: str) -> str:
    reduced, sine, cosine = _both(f, x)
    y = f.sel(_bit(f, reduced.n, 1), cosine, sine)
    y = f.sel(_bit(f, reduced.n, 2), f.neg(y), y)
    sign = f.int_op("and", f.to_bits(x), f.to_bits(f.c(-0.0)))
    return f.from_bits(f.int_op("xor", f.to_bits(y), sign))


def _cos_body(f: Float, x: str) -> str:
    reduced, sine, cosine = _both(f, x)
    y = f.sel(_bit(f, reduced.n, 1), sine, cosine)
    return f.sel(_bit(f, f.int_op("add", reduced.n, f.ic(1)), 2), f.neg(y), y)


def _tan_body(f: Float, x: str) -> str:
    reduced, sine, cosine = _both(f, x, precise=True)
    odd = _bit(f, reduced.n, 1)
    y = f.div(f.sel(odd, f.neg(cosine), sine), f.sel(odd, sine, cosine))
    sign = f.int_op("and", f.to_bits(x), f.to_bits(f.c(-0.0)))
    return f.from_bits(f.int_op("xor", f.to_bits(y), sign))


def outline(f: Float, name: str, body: Callable[..., str], *args: str) -> str:
    """Call ``body(Float, *arguments)`` as an internal function of the module."""

    def build(inner: Emitter, *names: str) -> str:
        return body(Float(inner, f.dtype), *names)

    return f.e.outlined(name, f.dtype, args, build)


def sin(f: Float, x: str) -> str:
    """The sine, for every finite x."""
    return outline(f, "sin", _sin_body, x)


def cos(f: Float, x: str) -> str:
    """The cosine, for every finite x."""
    return outline(f, "cos", _cos_body, x)


def tan(f: Float, x: str) -> str:
    """The tangent, for every finite x."""
    return outline(f, "tan", _tan_body, x)


def _asin_series(f: Float, x: str, z: str) -> str:
    """asin(x) - x for z = x**2 <= 1/4."""
    return f.mul(f.mul(x, z), f.polynomial(z, co.ASIN_F32, co.ASIN_F64))


def _pio2(f: Float) -> tuple[float, float]:
    return co.PIO2_F32 if f.single else co.PIO2_F64


def asin(f: Float, x: str) -> str:
    """A series up to 1/2; pi/2 - 2 asin(sqrt((1 - x) / 2)) above."""
    a = f.abs(x)
    big = f.cmp("ogt", a, f.c(0.5))
    z = f.sel(big, f.mul(f.sub(f.c(1.0), a), f.c(0.5)), f.mul(a, a))
    s = f.sel(big, f.sqrt(z), a)
    rest = _asin_series(f, s, z)
    high, low = _pio2(f)
    twice = f.add(s, s)
    top = f.sub(f.c(high), twice)
    lost = f.sub(f.sub(f.c(high), top), twice)
    large = f.add(top, f.add(lost, f.sub(f.c(low), f.add(rest, rest))))
    return f.copysign(f.sel(big, large, f.add(s, rest)), x)


def acos(f: Float, x: str) -> str:
    """pi/2 - asin(x) up to 1/2; 2 asin(sqrt((1 - abs(x)) / 2)) or pi less that beyond."""
    a = f.abs(x)
    big = f.cmp("ogt", a, f.c(0.5))
    z = f.sel(big, f.mul(f.sub(f.c(1.0), a), f.c(0.5)), f.mul(a, a))
    s = f.sel(big, f.sqrt(z), x)
    rest = _asin_series(f, s, z)
    high, low = _pio2(f)
    small = f.sub(f.c(high), f.sub(s, f.sub(f.c(low), rest)))
    half = f.add(s, rest)
    positive = f.add(half, half)
    negative = f.sub(f.c(2 * high), f.sub(positive, f.c(2 * low)))
    return f.sel(big, f.when("olt", x, f.c(0.0), negative, positive), small)


def _atan_ratio(f: Float, a: str, b: str) -> tuple[str, str, str]:
    """(t, high, low) with atan(a / b) = high + low + atan(t), abs(t) <= 1/2, for a, b >= 0."""
    high, low = _pio2(f)
    below = f.cmp("olt", f.add(a, a), b)
    above = f.cmp("ogt", a, f.add(b, b))

    def three(first: str, middle: str, last: str) -> str:
        return f.sel(below, first, f.sel(above, last, middle))

    t = f.div(three(a, f.sub(a, b), f.neg(b)), three(b, f.add(a, b), a))
    zero = f.c(0.0)
    return t, three(zero, f.c(high / 2), f.c(high)), three(zero, f.c(low / 2), f.c(low))


def _atan_series(f: Float, t: str) -> str:
    z = f.mul(t, t)
    return f.mul(f.mul(t, z), f.polynomial(z, co.ATAN_F32, co.ATAN_F64))


def atan(f: Float, x: str) -> str:
    """The arc tangent, with the argument moved by 0, pi/4 or pi/2."""
    a = f.abs(x)
    t, high, low = _atan_ratio(f, a, f.c(1.0))
    infinite = f.cmp("oeq", a, f.c(float("inf")))
    t = f.sel(infinite, f.c(0.0), t)
    return f.copysign(f.add(high, f.add(t, f.add(low, _atan_series(f, t)))), x)


def _atan2_body(f: Float, y: str, x: str) -> str:
    inf, one = f.c(float("inf")), f.c(1.0)
    a, b = f.abs(y), f.abs(x)
    both = f.e.bits("and", f.cmp("oeq", a, inf), f.cmp("oeq", b, inf))
    shrink = f.cmp("ogt", f.add(a, b), f.c(f.pick(2.0**120, 2.0**1000)))
    a = f.sel(shrink, f.mul(a, f.c(0.125)), a)
    b = f.sel(shrink, f.mul(b, f.c(0.125)), b)
    a, b = f.sel(both, one, a), f.sel(both, one, b)
    b = f.when("oeq", a, f.c(0.0), f.when("oeq", b, f.c(0.0), one, b), b)
    t, high, low = _atan_ratio(f, a, b)
    rest = f.add(low, _atan_series(f, t))
    right = f.add(high, f.add(t, rest))
    pi_high, pi_low = (2 * part for part in _pio2(f))
    left = f.add(f.sub(f.c(pi_high), high), f.sub(f.sub(f.c(pi_low), t), rest))
    negative = f.e.icmp("slt", f.int_dtype, f.to_bits(x), f.ic(0))
    return f.copysign(f.sel(negative, left, right), y)


def atan2(f: Float, y: str, x: str) -> str:
    """The angle of the point (x, y), with the signs of zeros and infinities of IEEE 754."""
    return outline(f, "atan2", _atan2_body, y, x)
