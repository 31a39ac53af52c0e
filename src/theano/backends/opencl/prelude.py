"""What stands before the kernels: types, and those functions of `HELPERS` that they call.

A helper is a template over one register type: ``{T}``, and for integers ``{W}``, the unsigned type
in which arithmetic wraps. It is named ``th_<name>_<type>`` and may call other helpers.
"""

from __future__ import annotations

import re
from typing import Final

HEAD: Final = """\
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
typedef double f64;
#endif
#pragma OPENCL FP_CONTRACT OFF
typedef char i8; typedef short i16; typedef int i32; typedef long i64;
typedef uchar u8; typedef ushort u16; typedef uint u32; typedef ulong u64;
typedef float f32;
#ifdef FP_FAST_FMAF
#define TH_FMA_f32(a, b, c) fma(a, b, c)
#else
#define TH_FMA_f32(a, b, c) ((a) * (b) + (c))
#endif
#ifdef FP_FAST_FMA
#define TH_FMA_f64(a, b, c) fma(a, b, c)
#else
#define TH_FMA_f64(a, b, c) ((a) * (b) + (c))
#endif
/* 64-bit division is dear: most positions fit into 32 bits */
#define TH_SMALL(a, b) (((a) | (b)) < 0x7fffffffL)
#define TH_QUO(a, b) (TH_SMALL(a, b) ? (i64)((u32)(a) / (u32)(b)) : (a) / (b))
#define TH_REM(a, b) (TH_SMALL(a, b) ? (i64)((u32)(a) % (u32)(b)) : (a) % (b))
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
"""

_SIGNED: Final[dict[str, str]] = {
    "idiv": """\
static inline {T} th_idiv_{T}({T} a, {T} b) {{
  if (b == 0) return 0;
  if (b == -1) return ({T})(0 - ({W})a);
  return ({T})(a / b - ((a % b != 0) && ((a < 0) != (b < 0))));
}}
""",
    "mod": """\
static inline {T} th_mod_{T}({T} a, {T} b) {{
  if (b == 0 || b == -1) return 0;
  {T} r = a % b;
  return ({T})((r != 0 && ((r < 0) != (b < 0))) ? r + b : r);
}}
""",
    # A negative power of anything but 1 and -1 is 0.
    "pow": """\
static inline {T} th_pow_{T}({T} a, {T} b) {{
  if (b < 0) return a == 1 ? 1 : (a == -1 ? ((b & 1) ? -1 : 1) : 0);
  {W} r = 1, x = ({W})a;
  for (; b; b >>= 1) {{ if (b & 1) r *= x; x *= x; }}
  return ({T})r;
}}
""",
}

_UNSIGNED: Final[dict[str, str]] = {
    "idiv": """\
static inline {T} th_idiv_{T}({T} a, {T} b) {{ return b == 0 ? 0 : a / b; }}
""",
    "mod": """\
static inline {T} th_mod_{T}({T} a, {T} b) {{ return b == 0 ? 0 : a % b; }}
""",
    "pow": """\
static inline {T} th_pow_{T}({T} a, {T} b) {{
  {W} r = 1, x = ({W})a;
  for (; b; b >>= 1) {{ if (b & 1) r *= x; x *= x; }}
  return ({T})r;
}}
""",
}

# Special functions. psi, trigamma: recurrence, then the asymptotic series (Abramowitz and Stegun,
# Handbook of Mathematical Functions, 6.3.18 and 6.4.12), reflection for negative arguments. erfinv,
# erfcinv: the rational start of 26.2.23 there, then Halley's iteration. gammainc: the series 6.5.29
# and the continued fraction 6.5.31 by Lentz's method. erfcx: 7.1.23 for large arguments. Bessel
# functions of order 0 and 1: the integral 9.1.18 (or 9.1.20) by the trapezoidal rule, exact to
# rounding here, the series 9.6.10, and the expansions 9.2.5 and 9.7.1 for large arguments.
_FLOATS: Final[dict[str, str]] = {
    "mod": """\
static inline {T} th_mod_{T}({T} a, {T} b) {{
  {T} r = fmod(a, b);
  if (b == 0) return r;
  if (r == 0) return copysign(({T})0, b);
  return ((b < 0) != (r < 0)) ? r + b : r;
}}
""",
    "idiv": """\
static inline {T} th_idiv_{T}({T} a, {T} b) {{
  if (b == 0) return a / b;
  {T} r = fmod(a, b), q = (a - r) / b;
  if (r != 0 && ((b < 0) != (r < 0))) q -= 1;
  if (q == 0) return copysign(({T})0, a / b);
  {T} f = floor(q);
  return (q - f > ({T})0.5f) ? f + 1 : f;
}}
""",
    "sigmoid": """\
static inline {T} th_sigmoid_{T}({T} x) {{
  {T} e = exp(-fabs(x));
  return (x < 0 ? e : ({T})1) / (1 + e);
}}
""",
    "softplus": """\
static inline {T} th_softplus_{T}({T} x) {{
  return (x > 0 ? x : ({T})0) + log1p(exp(-fabs(x)));
}}
""",
    "half": """\
static inline f32 th_half_{T}({T} x) {{
  ushort bits;
  vstore_half_rte(x, 0, (half *)&bits);
  return vload_half(0, (const half *)&bits);
}}
""",
    "u64": """\
static inline u64 th_u64_{T}({T} x) {{
  {T} top = ({T})9223372036854775808.0f;
  return x >= top ? (u64)(i64)(x - top) ^ 0x8000000000000000UL : (u64)(i64)x;
}}
""",
    "psi": """\
static inline {T} th_psi_{T}({T} x) {{
  {T} shift = 0;
  if (x <= 0) {{
    if (x == 0) return copysign(({T})INFINITY, -x);
    if (x == floor(x)) return ({T})NAN;
    shift = -M_PI / tan(M_PI * (x - rint(x)));
    x = 1 - x;
  }}
  for (int i = 0; i < 12 && x < 12; ++i) {{ shift -= 1 / x; x += 1; }}
  {T} z = 1 / (x * x);
  {T} s = z * (1 / 12.0 - z * (1 / 120.0 - z * (1 / 252.0 - z * (1 / 240.0 - z * (1 / 132.0
      - z * (691 / 32760.0 - z / 12.0))))));
  return shift + (log(x) - 0.5 / x - s);
}}
""",
    "trigamma": """\
static inline {T} th_trigamma_{T}({T} x) {{
  if (x < 0.5) {{
    {T} s = sin(M_PI * (x - rint(x)));
    return M_PI * M_PI / (s * s) - th_trigamma_up_{T}(1 - x);
  }}
  return th_trigamma_up_{T}(x);
}}
""",
    "trigamma_up": """\
static inline {T} th_trigamma_up_{T}({T} x) {{
  {T} total = 0;
  for (int i = 0; i < 12 && x < 12; ++i) {{ total += 1 / (x * x); x += 1; }}
  {T} z = 1 / (x * x);
  {T} s = z * (1 / 6.0 - z * (1 / 30.0 - z * (1 / 42.0 - z * (1 / 30.0 - z * (5 / 66.0
      - z * (691 / 2730.0 - z * 7 / 6.0))))));
  return total + (1 + 0.5 / x + s) / x;
}}
""",
    "erfcx": """\
static inline {T} th_erfcx_{T}({T} x) {{
  if (x < -26.7) return ({T})INFINITY;
  if (x < 25) {{
    {T} h = x * x, l = fma(x, x, -h);
    {T} e = exp(h);
    return (e + e * l) * erfc(x);
  }}
  {T} z = 0.5 / (x * x);
  return 0.56418958354775628695 / x * (1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z))));
}}
""",
    "erfcinv": """\
static inline {T} th_erfcinv_{T}({T} c) {{
  if (!(c >= 0 && c <= 2)) return ({T})NAN;
  if (c == 0) return ({T})INFINITY;
  if (c == 2) return -({T})INFINITY;
  {T} p = c < 1 ? c : 2 - c;
  {T} t = sqrt(-2 * log(0.5 * p));
  {T} x = -0.70710678118654752 * ((2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481)) - t);
  for (int i = 0; i < 3; ++i) {{
    {T} f = erfc(x) - p;
    x += f / (1.12837916709551257 * exp(-x * x) - x * f);
  }}
  return c < 1 ? x : -x;
}}
""",
    "erfinv": """\
static inline {T} th_erfinv_{T}({T} y) {{
  {T} a = fabs(y);
  if (!(a < 0.5)) return copysign(th_erfcinv_{T}(1 - a), y);
  {T} x = 0.88622692545275801 * y;
  for (int i = 0; i < 4; ++i) {{
    {T} f = erf(x) - y;
    x -= f / (1.12837916709551257 * exp(-x * x) + x * f);
  }}
  return x;
}}
""",
    "bessel_j": """\
static inline {T} th_bessel_j_{T}({T} x, int n) {{
  {T} a = fabs(x), y = 0;
  if (a < 50) {{
    y = n ? 0.5 * sin(a) : 0.5 * (1 + cos(a));
    for (int k = 1; k < 32; ++k) {{
      {T} s = sin(k * (M_PI / 64));
      y += n ? sin(a * s) * s : cos(a * s);
    }}
    y /= 32;
  }} else {{
    {T} t = 1, p = 0, q = 0;
    for (int k = 1; k < 18; ++k) {{
      if (k % 2) p += (k & 2) ? -t : t; else q += (k & 2) ? t : -t;
      t *= (4 * n - (2 * k - 1) * (2 * k - 1)) / (8 * k * a);
    }}
    {T} s = sin(a), c = cos(a);
    y = (n ? p * (s - c) + q * (s + c) : p * (s + c) - q * (s - c)) / sqrt(M_PI * a);
  }}
  return (n && x < 0) ? -y : y;
}}
""",
    "bessel_i": """\
static inline {T} th_bessel_i_{T}({T} x, int n) {{
  {T} a = fabs(x), t = 1, y = 0;
  if (a < 30) {{
    t = n ? 0.5 * a : 1;
    for (int k = 1; k < 100; ++k) {{ y += t; t *= 0.25 * a * a / (k * (k + n)); }}
  }} else {{
    for (int k = 1; k < 18; ++k) {{
      y += t;
      t *= -(4 * n - (2 * k - 1) * (2 * k - 1)) / (8 * k * a);
    }}
    t = exp(0.5 * a);
    y = t * (y / sqrt(2 * M_PI * a)) * t;
  }}
  return (n && x < 0) ? -y : y;
}}
""",
    "gammainc_series": """\
static inline {T} th_gammainc_series_{T}({T} a, {T} x) {{
  {T} term = 1 / a, total = term, n = a;
  for (int i = 0; i < 10000; ++i) {{
    n += 1; term *= x / n; total += term;
    if (fabs(term) < fabs(total) * 1e-17) break;
  }}
  return total * exp(a * log(x) - x - lgamma(a));
}}
""",
    "gammaincc_fraction": """\
static inline {T} th_gammaincc_fraction_{T}({T} a, {T} x) {{
  {T} b = x + 1 - a, c = 1e300, d = 1 / b, h = d;
  for (int i = 1; i < 10000; ++i) {{
    {T} k = -i * (i - a);
    b += 2;
    d = k * d + b; if (fabs(d) < 1e-300) d = 1e-300;
    c = b + k / c; if (fabs(c) < 1e-300) c = 1e-300;
    d = 1 / d;
    {T} step = d * c;
    h *= step;
    if (fabs(step - 1) < 1e-16) break;
  }}
  return h * exp(a * log(x) - x - lgamma(a));
}}
""",
    "gammainc": """\
static inline {T} th_gammainc_{T}({T} a, {T} x) {{
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0)) return ({T})NAN;
  if (a == 0 || isinf(x)) return isinf(a) ? ({T})NAN : 1;
  if (x == 0 || isinf(a)) return 0;
  return x < a + 1 ? th_gammainc_series_{T}(a, x) : 1 - th_gammaincc_fraction_{T}(a, x);
}}
""",
    "gammaincc": """\
static inline {T} th_gammaincc_{T}({T} a, {T} x) {{
  if (!(a >= 0 && x >= 0) || (a == 0 && x == 0)) return ({T})NAN;
  if (a == 0 || isinf(x)) return isinf(a) ? ({T})NAN : 0;
  if (x == 0 || isinf(a)) return 1;
  return x < a + 1 ? 1 - th_gammainc_series_{T}(a, x) : th_gammaincc_fraction_{T}(a, x);
}}
""",
}

HELPERS: Final[dict[str, dict[str, str]]] = {"i": _SIGNED, "u": _UNSIGNED, "f": _FLOATS}

_CALL: Final = re.compile(r"\bth_(\w+)_([iuf])(8|16|32|64)\b")


def functions(text: str) -> str:
    """The helpers that ``text`` calls, those that they call first.

    >>> functions("x = th_pow_u8(a, b);").splitlines()[0]
    'static inline u8 th_pow_u8(u8 a, u8 b) {'
    """
    found: dict[str, str] = {}
    _collect(text, found)
    return "".join(found.values())


def _collect(text: str, found: dict[str, str]) -> None:
    for match in _CALL.finditer(text):
        name, kind, bits = match.groups()
        template = HELPERS[kind].get(name)
        if match[0] in found or template is None:
            continue
        wide = "u64" if bits == "64" else "u32"
        body = template.format(T=kind + bits, W=wide)
        inside = body.split("{", 1)[1]
        _collect(inside, found)
        found[match[0]] = body


def module(kernels: str) -> str:
    """A whole OpenCL C source: the types, the helpers that are needed, then the kernels."""
    return f"{HEAD}{functions(kernels)}{kernels}"
