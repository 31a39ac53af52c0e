"""How the CPU spells the kernel primitives: one row per primitive in `SPELLINGS`.

A spelling writes vector text through an `Emitter` and returns the name of its result. Failing
conditions (integer division by zero) go to ``Emitter.failures``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from theano.backends.cpu import (
    special,
    vecmath_div,
    vecmath_erf,
    vecmath_exp,
    vecmath_log,
    vecmath_pow,
    vecmath_trig,
)
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter, Float, vector_width
from theano.backends.cpu.memory import (
    emit_gather,
    emit_gather_at,
    emit_load,
    emit_masked_load,
    emit_masked_store,
    emit_scatter,
    emit_scatter_at,
    emit_store,
)
from theano.core.errors import MissingSpelling

__all__ = [
    "SPELLINGS",
    "emit",
    "emit_cast",
    "emit_gather",
    "emit_gather_at",
    "emit_load",
    "emit_masked_load",
    "emit_masked_store",
    "emit_scatter",
    "emit_scatter_at",
    "emit_store",
    "vector_width",
]

Spelling = Callable[[Emitter, str, Sequence[str]], str]
_FILE = "backends/cpu/prims.py"


def _kind(dtype: str) -> str:
    return np.dtype(dtype).kind


def by_kind(**rows: Spelling) -> Spelling:
    """A spelling chosen by dtype kind: ``b``, ``i``, ``u`` and ``f``."""

    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        row = rows.get(_kind(dtype))
        if row is None:
            raise MissingSpelling("cpu", f"this primitive for {dtype}", _FILE)
        return row(e, dtype, args)

    return spell


def _instruction(op: str) -> Spelling:
    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        return e.binary(op, e.type(dtype), args[0], args[1])

    return spell


def _intrinsic(name: str, tail: str = "") -> Spelling:
    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        return e.intrinsic(name, REGISTER_TYPES[dtype], *args, tail=tail)

    return spell


def _real(function: Callable[..., str]) -> Spelling:
    """A float function that is written on `Float`."""

    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        return function(Float(e, dtype), *args)

    return by_kind(f=spell)


def _same(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return args[0]


def _never(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return e.splat("i1", "false")


def _integers(spelling: Spelling) -> dict[str, Spelling]:
    return {"i": spelling, "u": spelling}


# arithmetic ----------------------------------------------------------------------------------


def _float_extreme(predicate: str) -> Spelling:
    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        a, b = args
        picked = e.select(e.fcmp(predicate, dtype, a, b), dtype, a, b)
        return e.select(e.fcmp("uno", dtype, a, a), dtype, a, picked)

    return spell


def _negate(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return e.binary("sub", e.type(dtype), e.const(dtype, 0), args[0])


def _float_negate(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return Float(e, dtype).neg(args[0])


def _int_fma(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    kind = e.type(dtype)
    return e.binary("add", kind, e.binary("mul", kind, args[0], args[1]), args[2])


def _float_sign(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    f, x = Float(e, dtype), args[0]
    zero = f.c(0.0)
    one = f.when("one", x, zero, f.copysign(f.c(1.0), x), zero)
    return f.when("uno", x, x, x, one)


def _int_sign(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    zero, one = e.const(dtype, 0), e.const(dtype, 1)
    positive = e.select(e.icmp("ne", dtype, args[0], zero), dtype, one, zero)
    negative = e.icmp("slt", dtype, args[0], zero)
    return e.select(negative, dtype, e.const(dtype, -1), positive)


def _uint_sign(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    zero = e.const(dtype, 0)
    return e.select(e.icmp("ne", dtype, args[0], zero), dtype, e.const(dtype, 1), zero)


def _on_emitter(function: Callable[[Emitter, str, str, str], str]) -> Spelling:
    return lambda e, dtype, args: function(e, dtype, args[0], args[1])


def _round_half_away(f: Float, x: str) -> str:
    magnitude = f.abs(x)
    whole = f.e.intrinsic("trunc", f.element, magnitude)
    up = f.when("oge", f.sub(magnitude, whole), f.c(0.5), f.c(1.0), f.c(0.0))
    return f.copysign(f.add(whole, up), x)


# comparison and bits -------------------------------------------------------------------------


def _compare(signed: str, unsigned: str, ordered: str) -> Spelling:
    def integer(predicate: str) -> Spelling:
        return lambda e, dtype, args: e.icmp(predicate, dtype, args[0], args[1])

    def real(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        return e.fcmp(ordered, dtype, args[0], args[1])

    return by_kind(i=integer(signed), u=integer(unsigned), b=integer(unsigned), f=real)


def _is_nan(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return e.fcmp("uno", dtype, args[0], args[0])


def _is_inf(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    f = Float(e, dtype)
    return f.cmp("oeq", f.abs(args[0]), f.c(float("inf")))


def _bitwise(op: str) -> Spelling:
    row = _instruction(op)
    return by_kind(b=row, i=row, u=row)


def _not(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    ones = e.const(dtype, True if dtype == "bool" else -1)
    return e.binary("xor", e.type(dtype), args[0], ones)


def _shift(op: str) -> Spelling:
    """A shift by any amount: one by the width or more (or negative) shifts everything out."""

    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        kind, bits = e.type(dtype), 8 * np.dtype(dtype).itemsize
        last = e.const(dtype, bits - 1)
        inside = e.icmp("ule", dtype, args[1], last)
        amount = e.select(inside, dtype, args[1], last)
        shifted = e.binary(op, kind, args[0], amount)
        if op == "ashr":
            return shifted
        return e.select(inside, dtype, shifted, e.const(dtype, 0))

    return spell


def _select(e: Emitter, dtype: str, args: Sequence[str]) -> str:
    return e.select(args[0], dtype, args[1], args[2])


# special functions, lane by lane -------------------------------------------------------------

_LANES = """\
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i_next, %loop ]
{body}
  %i_next = add i64 %i, 1
  %more = icmp ult i64 %i_next, {lanes}
  br i1 %more, label %loop, label %done
done:
  %all = load {kind}, ptr %out"""


def _call_lanes(e: Emitter, symbol: str, args: Sequence[str]) -> str:
    """Apply a SciPy function to float64 lanes, inside an outlined body."""
    arity = special.EXTERNALS[symbol].arity
    kind = e.type("float64")
    e.declare("double", symbol, ["double"] * arity + ["i32"])
    e.lines.append(f"  %out = alloca {kind}")
    body = []
    for i in range(arity):
        e.lines.append(f"  %in{i} = alloca {kind}\n  store {kind} {args[i]}, ptr %in{i}")
        body.append(f"  %p{i} = getelementptr double, ptr %in{i}, i64 %i")
        body.append(f"  %v{i} = load double, ptr %p{i}")
    values = ", ".join(f"double %v{i}" for i in range(arity))
    body.append(f"  %y = call double @{symbol}({values}, i32 0)")
    body.append("  %po = getelementptr double, ptr %out, i64 %i\n  store double %y, ptr %po")
    e.lines.append(_LANES.format(body="\n".join(body), lanes=e.lanes, kind=kind))
    return "%all"


def _lanes(symbol: str) -> Callable[..., str]:
    """A function on float64 vectors that calls `symbol` for every lane."""

    def call(d: Float, *args: str) -> str:
        def build(inner: Emitter, *names: str) -> str:
            return _call_lanes(inner, symbol, names)

        return d.e.outlined(symbol, "float64", args, build)

    return call


def _rare(function: Callable[..., str]) -> Spelling:
    """A function of float64 vectors, computed in float64 for every float dtype."""

    def spell(e: Emitter, dtype: str, args: Sequence[str]) -> str:
        d = Float(e, "float64")
        if dtype == "float64":
            return function(d, *args)
        wide = [e.convert("fpext", "float", arg, "double") for arg in args]
        return e.convert("fptrunc", "double", function(d, *wide), "float")

    return by_kind(f=spell)


def _trigamma(d: Float, x: str) -> str:
    """Recurrence up to 10, then the asymptotic series; reflection for x < 1/2.

    Abramowitz and Stegun, *Handbook of Mathematical Functions*, 6.4.6, 6.4.7 and 6.4.12.
    """
    one = d.c(1.0)
    reflected = d.cmp("olt", x, d.c(0.5))
    t = d.sel(reflected, d.sub(one, x), x)
    total = d.c(0.0)
    for _ in range(10):
        low = d.cmp("olt", t, d.c(10.0))
        total = d.add(total, d.sel(low, d.div(one, d.mul(t, t)), d.c(0.0)))
        t = d.sel(low, d.add(t, one), t)
    inverse = d.div(one, t)
    z = d.mul(inverse, inverse)
    bernoulli = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
    series = d.mul(d.mul(z, inverse), d.horner(z, bernoulli))
    y = d.add(total, d.add(inverse, d.fma(z, d.c(0.5), series)))
    whole = d.e.intrinsic("roundeven", "double", x)
    sine = vecmath_trig.sin(d, d.mul(d.sub(x, whole), d.c(np.pi)))
    mirror = d.sub(d.div(d.c(np.pi**2), d.mul(sine, sine)), y)
    return d.sel(reflected, mirror, y)


def _times_gamma(symbol: str) -> Callable[..., str]:
    """An unregularised incomplete gamma function: the regularised one times gamma(k)."""

    def call(d: Float, k: str, x: str) -> str:
        return d.mul(_lanes(symbol)(d, k, x), _lanes("th_gamma")(d, k))

    return call


def _chi2sf(d: Float, x: str, k: str) -> str:
    return _lanes("th_chdtrc")(d, k, x)


SPELLINGS: Final[dict[str, Spelling]] = {
    "add": by_kind(f=_instruction("fadd"), b=_instruction("or"), **_integers(_instruction("add"))),
    "sub": by_kind(f=_instruction("fsub"), **_integers(_instruction("sub"))),
    "mul": by_kind(f=_instruction("fmul"), b=_instruction("and"), **_integers(_instruction("mul"))),
    "div": by_kind(f=_instruction("fdiv")),
    "idiv": by_kind(
        f=_real(vecmath_div.float_floordiv), **_integers(_on_emitter(vecmath_div.int_floordiv))
    ),
    "mod": by_kind(f=_real(vecmath_div.float_mod), **_integers(_on_emitter(vecmath_div.int_mod))),
    "neg": by_kind(f=_float_negate, **_integers(_negate)),
    "abs": by_kind(f=_intrinsic("fabs"), i=_intrinsic("abs", "i1 false"), u=_same, b=_same),
    "sign": by_kind(f=_float_sign, i=_int_sign, u=_uint_sign),
    "min": by_kind(
        f=_float_extreme("olt"), i=_intrinsic("smin"), u=_intrinsic("umin"), b=_instruction("and")
    ),
    "max": by_kind(
        f=_float_extreme("ogt"), i=_intrinsic("smax"), u=_intrinsic("umax"), b=_instruction("or")
    ),
    "fma": by_kind(f=_intrinsic("fmuladd"), **_integers(_int_fma)),
    "copysign": by_kind(f=_intrinsic("copysign")),
    "pow": by_kind(f=_real(vecmath_pow.power), **_integers(_on_emitter(vecmath_div.int_pow))),
    "sqrt": by_kind(f=_intrinsic("sqrt")),
    "exp": _real(vecmath_exp.exp),
    "exp2": _real(vecmath_exp.exp2),
    "expm1": _real(vecmath_exp.expm1),
    "sinh": _real(vecmath_exp.sinh),
    "cosh": _real(vecmath_exp.cosh),
    "tanh": _real(vecmath_exp.tanh),
    "sigmoid": _real(vecmath_exp.sigmoid),
    "log": _real(vecmath_log.log),
    "log2": _real(vecmath_log.log2),
    "log10": _real(vecmath_log.log10),
    "log1p": _real(vecmath_log.log1p),
    "softplus": _real(vecmath_log.softplus),
    "asinh": _real(vecmath_log.asinh),
    "acosh": _real(vecmath_log.acosh),
    "atanh": _real(vecmath_log.atanh),
    "sin": _real(vecmath_trig.sin),
    "cos": _real(vecmath_trig.cos),
    "tan": _real(vecmath_trig.tan),
    "asin": _real(vecmath_trig.asin),
    "acos": _real(vecmath_trig.acos),
    "atan": _real(vecmath_trig.atan),
    "atan2": _real(vecmath_trig.atan2),
    "erf": _real(vecmath_erf.erf),
    "erfc": _real(vecmath_erf.erfc),
    "floor": by_kind(f=_intrinsic("floor"), b=_same, **_integers(_same)),
    "ceil": by_kind(f=_intrinsic("ceil"), b=_same, **_integers(_same)),
    "trunc": by_kind(f=_intrinsic("trunc"), b=_same, **_integers(_same)),
    "rint": by_kind(f=_intrinsic("roundeven"), b=_same, **_integers(_same)),
    "round": by_kind(f=_real(_round_half_away), b=_same, **_integers(_same)),
    "eq": _compare("eq", "eq", "oeq"),
    "ne": _compare("ne", "ne", "une"),
    "lt": _compare("slt", "ult", "olt"),
    "le": _compare("sle", "ule", "ole"),
    "gt": _compare("sgt", "ugt", "ogt"),
    "ge": _compare("sge", "uge", "oge"),
    "isnan": by_kind(f=_is_nan, b=_never, **_integers(_never)),
    "isinf": by_kind(f=_is_inf, b=_never, **_integers(_never)),
    "and": _bitwise("and"),
    "or": _bitwise("or"),
    "xor": _bitwise("xor"),
    "not": by_kind(b=_not, **_integers(_not)),
    "shl": by_kind(**_integers(_shift("shl"))),
    "shr": by_kind(i=_shift("ashr"), u=_shift("lshr")),
    "select": _select,
    "gamma": _rare(_lanes("th_gamma")),
    "lgamma": _rare(_lanes("th_lgamma")),
    "psi": _rare(_lanes("th_psi")),
    "trigamma": _rare(_trigamma),
    "erfcx": _rare(_lanes("th_erfcx")),
    "erfinv": _rare(_lanes("th_erfinv")),
    "erfcinv": _rare(_lanes("th_erfcinv")),
    "chi2sf": _rare(_chi2sf),
    "gammainc": _rare(_lanes("th_gammainc")),
    "gammaincc": _rare(_lanes("th_gammaincc")),
    "gammau": _rare(_times_gamma("th_gammaincc")),
    "gammal": _rare(_times_gamma("th_gammainc")),
    "j0": _rare(_lanes("th_j0")),
    "j1": _rare(_lanes("th_j1")),
    "jv": _rare(_lanes("th_jv")),
    "i0": _rare(_lanes("th_i0")),
    "i1": _rare(_lanes("th_i1")),
    "iv": _rare(_lanes("th_iv")),
}


def emit(e: Emitter, prim: str, dtype: str, args: Sequence[str]) -> str:
    """Write a primitive and return the name of its result.

    Args:
        e: where to write, and for how many lanes.
        prim: name of the primitive (`cast` has its own function, `emit_cast`).
        dtype: dtype of the operands; for ``select`` that of the branches.
        args: names or constants of the operands; lane conditions where the dtype is bool.

    Raises:
        MissingSpelling: there is no row, or none for this dtype.

    >>> e = Emitter(4)
    >>> emit(e, "mul", "float32", ["%a", e.const("float32", 2)])
    '%t1'
    >>> e.lines
    ['  %t1 = fmul <4 x float> %a, splat (float 0x4000000000000000)']
    """
    spelling = SPELLINGS.get(prim)
    if spelling is None:
        raise MissingSpelling("cpu", prim, _FILE)
    try:
        return spelling(e, dtype, args)
    except MissingSpelling:
        raise MissingSpelling("cpu", f"{prim} for {dtype}", _FILE) from None


# casts ---------------------------------------------------------------------------------------


def _float_to_int(e: Emitter, source: str, target: str, value: str) -> str:
    """Truncate; out of range and NaN give an unspecified but fixed value, through a wider int."""
    element, bits = REGISTER_TYPES[target], 8 * np.dtype(target).itemsize
    if target == "uint64":
        f = Float(e, source)
        top = f.cmp("oge", value, f.c(2.0**63))
        moved = f.sel(top, f.sub(value, f.c(2.0**63)), value)
        low = _frozen(e, f.element, moved, "i64")
        flip = e.select(top, "int64", e.const("int64", -(2**63)), e.const("int64", 0))
        return e.binary("xor", e.type("int64"), low, flip)
    wide = "i64" if bits == 64 or target == "uint32" else "i32"
    result = _frozen(e, REGISTER_TYPES[source], value, wide)
    return result if wide == element else e.convert("trunc", wide, result, element)


def _frozen(e: Emitter, source: str, value: str, target: str) -> str:
    raw = e.convert("fptosi", source, value, target)
    return e.emit(f"freeze {e.widen(target)} {raw}")


def _round_to_odd(e: Emitter, value: str) -> str:
    """float64 to float32 so that rounding the result again, to half, is as rounding once."""
    short = e.convert("fptrunc", "double", value, "float")
    back = e.convert("fpext", "float", short, "double")
    f, d = Float(e, "float32"), Float(e, "float64")
    away = e.convert("zext", "i1", d.cmp("ogt", d.abs(back), d.abs(value)), "i32")
    inexact = e.convert("zext", "i1", d.cmp("une", back, value), "i32")
    return f.from_bits(f.int_op("or", f.int_op("sub", f.to_bits(short), away), inexact))


def _float_to_float(e: Emitter, source: str, target: str, value: str) -> str:
    a, b = REGISTER_TYPES[source], REGISTER_TYPES[target]
    if target == "float16":
        single = value if a == "float" else _round_to_odd(e, value)
        return e.convert("fpext", "half", e.convert("fptrunc", "float", single, "half"), "float")
    if a == b:
        return value
    return e.convert("fpext" if b == "double" else "fptrunc", a, value, b)


def _int_to_int(e: Emitter, source: str, target: str, value: str) -> str:
    a, b = REGISTER_TYPES[source], REGISTER_TYPES[target]
    if a == b:
        return value
    if int(a[1:]) > int(b[1:]):
        return e.convert("trunc", a, value, b)
    return e.convert("sext" if _kind(source) == "i" else "zext", a, value, b)


def emit_cast(e: Emitter, src_dtype: str, dst_dtype: str, value: str) -> str:
    """Convert `value` as C and NumPy do; a float out of an integer's range is not an error.

    To bool: whether it is not zero (NaN is true). To float16: rounds, and stays in a float32
    register.
    """
    if src_dtype == dst_dtype:
        return value
    source, target = _kind(src_dtype), _kind(dst_dtype)
    if target == "b":
        zero = e.const(src_dtype, 0)
        if source == "f":
            return e.fcmp("une", src_dtype, value, zero)
        return e.icmp("ne", src_dtype, value, zero)
    if source == "f":
        row = _float_to_float if target == "f" else _float_to_int
        return row(e, src_dtype, dst_dtype, value)
    if target != "f":
        return _int_to_int(e, src_dtype, dst_dtype, value)
    element = "double" if dst_dtype == "float64" else "float"
    op = "sitofp" if source == "i" else "uitofp"
    real = e.convert(op, REGISTER_TYPES[src_dtype], value, element)
    return _float_to_float(e, "float32", "float16", real) if dst_dtype == "float16" else real
