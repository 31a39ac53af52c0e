"""Fit the polynomial coefficients of the CPU math functions and write them as a module.

Every entry is the near-minimax (Chebyshev) polynomial of a smooth helper function over the
interval that its argument reduction leaves, computed at 200 bits with mpmath.  Run::

    python tools/fit_polynomials.py > src/theano/backends/cpu/coefficients.py
    python tools/fit_polynomials.py --errors      # the error of each fit, as a power of two

The helper functions follow W. J. Cody and W. Waite, *Software Manual for the Elementary
Functions* (1980), and J.-M. Muller, *Elementary Functions* (2016).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp

mp.mp.prec = 200
Function = Callable[[mp.mpf], mp.mpf]
TINY = mp.mpf(10) ** -22


@dataclass(frozen=True)
class Fit:
    """One polynomial: its name, the function, the interval and how many coefficients."""

    name: str
    function: Function
    low: mp.mpf
    high: mp.mpf
    terms: int
    meaning: str


def near_zero(limit: Function, function: Function) -> Function:
    """Use the series `limit` where `function` is 0/0 in working precision."""
    return lambda v: limit(v) if abs(v) < TINY else function(v)


def of_square(odd: Function) -> Function:
    """Turn a function of x into a function of z = x**2."""
    return lambda z: odd(mp.sqrt(z))


expm1_q = near_zero(lambda r: mp.mpf(1) / 2 + r / 6, lambda r: (mp.expm1(r) - r) / r**2)
log_p = near_zero(lambda f: mp.mpf(1) / 3 - f / 4, lambda f: (mp.log1p(f) - f + f * f / 2) / f**3)
sin_q = near_zero(lambda z: -mp.mpf(1) / 6, of_square(lambda x: (mp.sin(x) - x) / x**3))
cos_q = near_zero(lambda z: mp.mpf(1) / 24, of_square(lambda x: (mp.cos(x) - 1 + x * x / 2) / x**4))
asin_q = near_zero(lambda z: mp.mpf(1) / 6, of_square(lambda x: (mp.asin(x) - x) / x**3))
atan_q = near_zero(lambda z: -mp.mpf(1) / 3, of_square(lambda x: (mp.atan(x) - x) / x**3))
sinh_q = near_zero(lambda z: mp.mpf(1) / 6, of_square(lambda x: (mp.sinh(x) - x) / x**3))
erf_q = near_zero(
    lambda z: 2 / mp.sqrt(mp.pi) - 1 - z * 2 / (3 * mp.sqrt(mp.pi)),
    of_square(lambda x: mp.erf(x) / x - 1),
)
log_r = near_zero(lambda z: mp.mpf(2) / 3, of_square(lambda s: (2 * mp.atanh(s) - 2 * s) / s**3))
pow_q = near_zero(
    lambda z: mp.mpf(3) / 5, of_square(lambda s: 3 * (mp.atanh(s) / s - 1 - s * s / 3) / s**4)
)
log2_w = near_zero(lambda z: 2 / mp.log(2), of_square(lambda s: 2 / mp.log(2) * mp.atanh(s) / s))

ERFC_CENTRE = mp.mpf(2)


def erfc_log(t: mp.mpf) -> mp.mpf:
    """log((x + c) erfc(x) exp(x**2)) with x = c (1 + t) / (1 - t)."""
    x = ERFC_CENTRE * (1 + t) / (1 - t)
    return mp.log((x + ERFC_CENTRE) * mp.erfc(x)) + x * x


def erfc_t(x: float) -> mp.mpf:
    """The argument of `erfc_log` for x."""
    return (mp.mpf(x) - ERFC_CENTRE) / (mp.mpf(x) + ERFC_CENTRE)


L = mp.log(2) / 2 * mp.mpf("1.0005")
S2 = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mp.mpf("1.001")
Q = mp.mpf("0.2501")
P4 = (mp.pi / 4) ** 2 * mp.mpf("1.0005")
ROOT = mp.sqrt(2)
EXPM1, SIN, COS = "(expm1(r)-r)/r**2", "(sin(x)-x)/x**3 in x**2", "(cos(x)-1+x*x/2)/x**4 in x**2"
ASIN, ATAN = "(asin(x)-x)/x**3 in x**2", "(atan(x)-x)/x**3 in x**2"
SINH, ERF = "(sinh(x)-x)/x**3 in x**2", "erf(x)/x-1 in x**2"
ERFC = "log((x+2)*erfc(x)*exp(x*x)) in (x-2)/(x+2)"
FITS = (
    Fit("EXPM1_F32", expm1_q, -L, L, 5, EXPM1),
    Fit("EXPM1_F64", expm1_q, -L, L, 11, EXPM1),
    Fit("LOG_F32", log_p, 1 / ROOT - 1, ROOT - 1, 8, "(log1p(f)-f+f*f/2)/f**3"),
    Fit("LOG_F64", log_r, mp.mpf(0), S2, 8, "(2*atanh(s)-2*s)/s**3 in s**2"),
    Fit("SIN_F32", sin_q, mp.mpf(0), P4, 3, SIN),
    Fit("SIN_F64", sin_q, mp.mpf(0), P4, 6, SIN),
    Fit("COS_F32", cos_q, mp.mpf(0), P4, 3, COS),
    Fit("COS_F64", cos_q, mp.mpf(0), P4, 6, COS),
    Fit("ASIN_F32", asin_q, mp.mpf(0), Q, 6, ASIN),
    Fit("ASIN_F64", asin_q, mp.mpf(0), Q, 13, ASIN),
    Fit("ATAN_F32", atan_q, mp.mpf(0), Q, 6, ATAN),
    Fit("ATAN_F64", atan_q, mp.mpf(0), Q, 13, ATAN),
    Fit("SINH_F32", sinh_q, mp.mpf(0), mp.mpf(1), 4, SINH),
    Fit("SINH_F64", sinh_q, mp.mpf(0), mp.mpf(1), 8, SINH),
    Fit("ERF_F32", erf_q, mp.mpf(0), Q, 5, ERF),
    Fit("ERF_F64", erf_q, mp.mpf(0), Q, 10, ERF),
    Fit("ERFC_F32", erfc_log, erfc_t(0.49), erfc_t(10.6), 10, ERFC),
    Fit("ERFC_F64", erfc_log, erfc_t(0.49), erfc_t(27.5), 24, ERFC),
    Fit("POW_LOG_F64", pow_q, mp.mpf(0), S2, 8, "3*(atanh(s)/s-1-s*s/3)/s**4 in s**2"),
    Fit("POW_LOG_F32", log2_w, mp.mpf(0), S2, 6, "2/log(2)*atanh(s)/s in s**2 (for float64)"),
    Fit("POW_EXP_F32", lambda r: mp.power(2, r), -mp.mpf("0.5005"), mp.mpf("0.5005"), 8,
        "2**r (for float64)"),
)  # fmt: skip


def split(value: mp.mpf, bits: tuple[int, ...]) -> list[float]:
    """Floats that add up to `value`, the i-th with `bits[i]` significant bits."""
    parts = []
    for count in bits:
        _, exponent = mp.frexp(value)
        scale = mp.mpf(2) ** (count - int(exponent))
        part = mp.nint(value * scale) / scale
        parts.append(float(part))
        value -= part
    return parts


#: name, value, significant bits of the parts: products with small integers stay exact.
SPLITS = (
    ("LN2_F32", mp.log(2), (15, 24)),
    ("LN2_F64", mp.log(2), (40, 53)),
    ("LOG2E_F32", 1 / mp.log(2), (12, 24)),
    ("LOG2E_F64", 1 / mp.log(2), (26, 53)),
    ("LOG10E_F32", 1 / mp.log(10), (12, 24)),
    ("LOG10E_F64", 1 / mp.log(10), (26, 53)),
    ("LOG10_2_F32", mp.log10(2), (15, 24)),
    ("LOG10_2_F64", mp.log10(2), (40, 53)),
    ("POW_CP", 2 / (3 * mp.log(2)), (26, 53)),
    ("POW_LN2", mp.log(2), (26, 53)),
    ("PIO2_F32", mp.pi / 2, (24, 24)),
    ("PIO2_F64", mp.pi / 2, (53, 53)),
    ("PIO2_SHORT", mp.pi / 2, (33, 53)),
    ("PIO2_LONG", mp.pi / 2, (33, 33, 33, 53)),
)


def two_over_pi_words(count: int) -> list[int]:
    """64 zero bits, then the bits of 2/pi after the binary point, as 64-bit words."""
    with mp.workprec(64 * count + 64):
        digits = int(mp.floor(2 / mp.pi * mp.mpf(2) ** (64 * (count - 1))))
    mask = (1 << 64) - 1
    return [(digits >> (64 * (count - 1 - i))) & mask for i in range(count)]


def main() -> None:
    """Print the module, or with ``--errors`` log2 of the absolute error of every fit."""
    if "--errors" in sys.argv[1:]:
        for fit in FITS:
            _, error = mp.chebyfit(fit.function, [fit.low, fit.high], fit.terms, error=True)
            print(f"{fit.name:12s} {fit.terms:3d} 2**{float(mp.log(error, 2)):.1f}")
        return
    print('"""Polynomial coefficients, lowest power first; made by tools/fit_polynomials.py."""\n')
    print("from __future__ import annotations\n")
    print("from typing import Final")
    for fit in FITS:
        values = reversed(mp.chebyfit(fit.function, [fit.low, fit.high], fit.terms))
        print(f"\n#: {fit.meaning}\n{fit.name}: Final = (")
        for value in values:
            print(f"    {float(value)!r},")
        print(")")
    for name, value, bits in SPLITS:
        parts = split(value, bits)
        print(f"\n#: {mp.nstr(value, 20)} in parts of {bits} bits\n{name}: Final = (")
        for part in parts:
            print(f"    {part!r},")
        print(")")
    print("\n#: 64 zero bits, then the bits of 2/pi\nTWO_OVER_PI: Final = (")
    for word in two_over_pi_words(21):
        print(f"    0x{word:016X},")
    print(")")


if __name__ == "__main__":
    main()
