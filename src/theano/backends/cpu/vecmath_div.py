"""Floor division and remainder of integers and floats, and integer powers.

Small integers divide through floats, whose quotient truncates exactly: there is no vector integer
division in hardware.
"""

from __future__ import annotations

from theano.backends.cpu.emit import REGISTER_TYPES, Emitter, Float
from theano.backends.cpu.vecmath_trig import outline

_POW_LOOP = """\
  br label %loop
loop:
  %base = phi {kind} [ {base}, %entry ], [ %square, %loop ]
  %left = phi {kind} [ {exponent}, %entry ], [ %shifted, %loop ]
  %acc = phi {kind} [ {one}, %entry ], [ %next, %loop ]
  %low = and {kind} %left, {one}
  %odd = icmp ne {kind} %low, {zero}
  %product = mul {kind} %acc, %base
  %next = select {bits} %odd, {kind} %product, {kind} %acc
  %square = mul {kind} %base, %base
  %shifted = lshr {kind} %left, {one}
  %busy = icmp ne {kind} %shifted, {zero}"""
_FMOD_LOOP = """\
  br label %loop
loop:
  %r = phi {kind} [ {start}, %entry ], [ %next, %loop ]"""


def _quotient(e: Emitter, dtype: str, a: str, b: str) -> str:
    """a / b truncated; b is not 0, and not -1 where signed."""
    element = REGISTER_TYPES[dtype]
    unsigned = dtype.startswith("uint")
    if element == "i64":
        return e.binary("udiv" if unsigned else "sdiv", e.type(dtype), a, b)
    real = "double" if element == "i32" else "float"
    up, down = ("uitofp", "fptoui") if unsigned else ("sitofp", "fptosi")
    wide_a, wide_b = e.convert(up, element, a, real), e.convert(up, element, b, real)
    return e.convert(down, real, e.binary("fdiv", e.widen(real), wide_a, wide_b), element)


def _divmod(e: Emitter, dtype: str, a: str, b: str) -> tuple[str, str]:
    """Quotient and remainder, rounded to minus infinity; a zero divisor makes the kernel fail."""
    kind, zero, one = e.type(dtype), e.const(dtype, 0), e.const(dtype, 1)
    is_zero = e.icmp("eq", dtype, b, zero)
    e.fail(is_zero)
    if dtype.startswith("uint"):
        b = e.select(is_zero, dtype, one, b)
        q = _quotient(e, dtype, a, b)
        return q, e.binary("sub", kind, a, e.binary("mul", kind, q, b))
    minus = e.icmp("eq", dtype, b, e.const(dtype, -1))
    b = e.select(e.bits("or", is_zero, minus), dtype, one, b)
    q = _quotient(e, dtype, a, b)
    r = e.binary("sub", kind, a, e.binary("mul", kind, q, b))
    signs = e.icmp("slt", dtype, e.binary("xor", kind, r, b), zero)
    below = e.bits("and", signs, e.icmp("ne", dtype, r, zero))
    q = e.select(below, dtype, e.binary("sub", kind, q, one), q)
    r = e.select(below, dtype, e.binary("add", kind, r, b), r)
    return e.select(minus, dtype, e.binary("sub", kind, zero, a), q), r


def int_floordiv(e: Emitter, dtype: str, a: str, b: str) -> str:
    """floor(a / b)."""
    return _divmod(e, dtype, a, b)[0]


def int_mod(e: Emitter, dtype: str, a: str, b: str) -> str:
    """a - b floor(a / b): the sign of the divisor."""
    return _divmod(e, dtype, a, b)[1]


def int_pow(e: Emitter, dtype: str, a: str, b: str) -> str:
    """a**b by squaring, wrapping; a negative power of anything but 1 and -1 is 0."""
    unsigned = dtype.startswith("uint")

    def build(inner: Emitter, x: str, y: str) -> str:
        kind, zero, one = inner.type(dtype), inner.const(dtype, 0), inner.const(dtype, 1)
        negative, exponent = "", y
        if not unsigned:
            negative = inner.icmp("slt", dtype, y, zero)
            exponent = inner.select(negative, dtype, zero, y)
        inner.lines.append(
            _POW_LOOP.format(
                kind=kind, base=x, exponent=exponent, one=one, zero=zero, bits=inner.widen("i1")
            )
        )
        inner.do(f"br i1 {inner.any('%busy')}, label %loop, label %done")
        inner.label("done")
        if unsigned:
            return "%next"
        minus_one = inner.icmp("eq", dtype, x, inner.const(dtype, -1))
        is_one = inner.icmp("eq", dtype, x, one)
        odd = inner.icmp("ne", dtype, inner.binary("and", kind, y, one), zero)
        unit = inner.select(odd, dtype, x, one)
        either = inner.bits("or", minus_one, is_one)
        inverse = inner.select(either, dtype, unit, zero)
        return inner.select(negative, dtype, inverse, "%next")

    return e.outlined(f"ipow.{dtype}", dtype, [a, b], build)


def _fmod_body(f: Float, x: str, y: str) -> str:
    """The exact remainder of abs(x) / abs(y) by long division, 2**26 a step; sign of x."""
    e = f.e
    inf, drop = f.c(float("inf")), 12 if f.single else 27
    step = 2.0 ** (11 if f.single else 25)
    a, b = f.abs(x), f.abs(y)
    finite = e.bits("and", f.cmp("one", a, inf), f.cmp("ogt", b, f.c(0.0)))
    start = f.sel(e.bits("and", finite, f.cmp("one", b, inf)), a, f.c(0.0))
    jump = f.c(f.pick(2.0**75, 2.0**540))
    far = f.mul(b, jump)
    farther = f.mul(far, jump)
    e.lines.append(_FMOD_LOOP.format(kind=f.kind, start=start))
    unit = f.when("ogt", "%r", farther, farther, f.when("ogt", "%r", far, far, b))
    high = f.high_part(unit, drop)
    low = f.sub(unit, high)
    q = f.div("%r", unit)
    many = f.high_part(f.mul(q, f.c(1.0 - f.pick(2.0**-22, 2.0**-51))), drop)
    few = e.intrinsic("trunc", f.element, q)
    q = f.when("olt", q, f.c(step), few, many)
    r = f.sub(f.sub("%r", f.mul(q, high)), f.mul(q, low))
    r = f.when("olt", r, f.c(0.0), f.add(r, unit), r)
    r = f.when("olt", "%r", b, "%r", r)
    e.lines.append(f"  %next = bitcast {f.kind} {r} to {f.kind}")
    e.do(f"br i1 {e.any(f.cmp('oge', '%next', b))}, label %loop, label %done")
    e.label("done")
    result = f.when("oeq", b, inf, a, "%next")
    return f.copysign(f.sel(finite, result, f.c(float("nan"))), x)


def _mod_body(f: Float, x: str, y: str) -> str:
    r = outline(f, "fmod", _fmod_body, x, y)
    zero = f.c(0.0)
    differ = f.e.bits("xor", f.cmp("olt", y, zero), f.cmp("olt", r, zero))
    moved = f.sel(differ, f.add(r, y), r)
    return f.when("oeq", r, zero, f.copysign(zero, y), moved)


def float_mod(f: Float, x: str, y: str) -> str:
    """x - y floor(x / y), exact before its one rounding: the sign of the divisor."""
    return outline(f, "mod", _mod_body, x, y)


def _floordiv_body(f: Float, x: str, y: str) -> str:
    zero = f.c(0.0)
    ratio = f.div(x, y)
    r = outline(f, "fmod", _fmod_body, x, y)
    exact = f.div(f.sub(x, r), y)
    differ = f.e.bits("xor", f.cmp("olt", y, zero), f.cmp("olt", r, zero))
    below = f.e.bits("and", differ, f.cmp("one", r, zero))
    exact = f.sub(exact, f.sel(below, f.c(1.0), zero))
    down = f.e.intrinsic("floor", f.element, exact)
    up = f.cmp("ogt", f.sub(exact, down), f.c(0.5))
    result = f.sel(up, f.add(down, f.c(1.0)), down)
    result = f.when("oeq", exact, zero, f.copysign(zero, ratio), result)
    return f.when("oeq", y, zero, ratio, result)


def float_floordiv(f: Float, x: str, y: str) -> str:
    """floor(x / y) as if computed exactly; x / y where y is 0."""
    return outline(f, "floordiv", _floordiv_body, x, y)
