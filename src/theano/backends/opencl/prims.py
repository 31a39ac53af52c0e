"""How OpenCL C spells the kernel primitives: one row per primitive in `SPELLINGS`.

A row gives one template per dtype kind (``b``, ``i``, ``u``, ``f``). In a template ``{0}`` ``{1}``
``{2}`` are the operands, ``{T}`` is the register type, ``{W}`` the unsigned type in which integer
arithmetic wraps, ``{U}`` the unsigned type of the same width, ``{bits}`` the width. A function
``th_name_{T}`` is written in ``prelude.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.core.errors import MissingSpelling

_FILE = "backends/opencl/prims.py"


class NotOnDevice(NotImplementedError):
    """Something that functions on OpenCL devices cannot do yet; the message names it."""


REGISTERS: Final[dict[str, str]] = {
    "bool": "u8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64", "uint8": "u8",
    "uint16": "u16", "uint32": "u32", "uint64": "u64", "float16": "f32", "float32": "f32",
    "float64": "f64",
}  # fmt: skip
"""The type of a value in registers; float16 is a storage type only."""

LACKING: Final[dict[str, str]] = dict.fromkeys(
    ("jv", "iv"), "Bessel functions of any order have no OpenCL C text yet"
)
"""Primitives that OpenCL devices do not have yet, and why."""

Row = dict[str, str]


def _real(text: str) -> Row:
    return {"f": text}


def _call(name: str) -> Row:
    return {"f": f"{name}({{0}})"}


def _whole(name: str) -> Row:
    """A rounding: integers and bools are whole already."""
    return {"f": f"{name}({{0}})", "iub": "{0}"}


def _wrapping(op: str, boolean: str = "") -> Row:
    row = {"f": f"({{0}} {op} {{1}})", "iu": f"(({{T}})(({{W}}){{0}} {op} ({{W}}){{1}}))"}
    return {**row, "b": boolean} if boolean else row


def _compare(op: str) -> Row:
    return {"biuf": f"((u8)({{0}} {op} {{1}}))"}


def _bits(op: str) -> Row:
    return {"biu": f"(({{T}})({{0}} {op} {{1}}))"}


def _helper(name: str, arity: int = 1, kinds: str = "f") -> Row:
    operands = ", ".join(f"{{{i}}}" for i in range(arity))
    return {kinds: f"th_{name}_{{T}}({operands})"}


def _double(name: str, arity: int = 1) -> Row:
    """A special function that is computed in float64 for every float dtype."""
    operands = ", ".join(f"(f64){{{i}}}" for i in range(arity))
    return {"f": f"(({{T}}){name}({operands}))"}


def _extreme(op: str, boolean: str) -> Row:
    """NaN propagates, from either side."""
    return {
        "f": f"(({{0}} {op} {{1}} || {{0}} != {{0}}) ? {{0}} : {{1}})",
        "iu": f"({{0}} {op} {{1}} ? {{0}} : {{1}})",
        "b": boolean,
    }


SPELLINGS: Final[dict[str, Row]] = {
    "add": _wrapping("+", "((u8)({0} | {1}))"),
    "sub": _wrapping("-"),
    "mul": _wrapping("*", "((u8)({0} & {1}))"),
    "div": _real("({0} / {1})"),
    "idiv": _helper("idiv", 2, "iuf"),
    "mod": _helper("mod", 2, "iuf"),
    "neg": {"f": "(-{0})", "iu": "(({T})(0 - ({W}){0}))"},
    "abs": {"f": "fabs({0})", "i": "(({T})abs({0}))", "ub": "{0}"},
    "sign": {
        "f": "({0} != {0} ? {0} : ({T})(({0} > 0) - ({0} < 0)))",
        "i": "(({T})(({0} > 0) - ({0} < 0)))",
        "u": "(({T})({0} != 0))",
    },
    "min": _extreme("<", "((u8)({0} & {1}))"),
    "max": _extreme(">", "((u8)({0} | {1}))"),
    "fma": _real("TH_FMA_{T}({0}, {1}, {2})"),
    "pow": {"f": "pow({0}, {1})", "iu": "th_pow_{T}({0}, {1})"},
    "copysign": _real("copysign({0}, {1})"),
    **{
        name: _call(name)
        for name in (
            "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan",
            "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
            "erfc",
        )
    },
    "sigmoid": _helper("sigmoid"),
    "softplus": _helper("softplus"),
    **{name: _whole(name) for name in ("floor", "ceil", "trunc", "rint", "round")},
    "eq": _compare("=="),
    "ne": _compare("!="),
    "lt": _compare("<"),
    "le": _compare("<="),
    "gt": _compare(">"),
    "ge": _compare(">="),
    "atan2": _real("atan2({0}, {1})"),
    "isnan": {"f": "((u8)({0} != {0}))", "iub": "((u8)0)"},
    "isinf": {"f": "((u8)(fabs({0}) == ({T})INFINITY))", "iub": "((u8)0)"},
    "and": _bits("&"),
    "or": _bits("|"),
    "xor": _bits("^"),
    "not": {"iu": "(({T})~{0})", "b": "((u8)!{0})"},
    "shl": {"iu": "((({U}){1} < {bits}) ? ({T})(({W}){0} << ({U}){1}) : ({T})0)"},
    "shr": {
        "i": "(({T})({0} >> ((({U}){1} < {bits}) ? {1} : ({T})({bits} - 1))))",
        "u": "((({U}){1} < {bits}) ? ({T})({0} >> {1}) : ({T})0)",
    },
    "select": {"biuf": "({0} ? {1} : {2})"},
    "gamma": _double("tgamma"),
    "lgamma": _double("lgamma"),
    "psi": _double("th_psi_f64"),
    "trigamma": _double("th_trigamma_f64"),
    "erfcx": _double("th_erfcx_f64"),
    "j0": _real("(({T})th_bessel_j_f64((f64){0}, 0))"),
    "j1": _real("(({T})th_bessel_j_f64((f64){0}, 1))"),
    "i0": _real("(({T})th_bessel_i_f64((f64){0}, 0))"),
    "i1": _real("(({T})th_bessel_i_f64((f64){0}, 1))"),
    "erfinv": _double("th_erfinv_f64"),
    "erfcinv": _double("th_erfcinv_f64"),
    "chi2sf": _real("(({T})th_gammaincc_f64(0.5 * (f64){1}, 0.5 * (f64){0}))"),
    "gammainc": _double("th_gammainc_f64", 2),
    "gammaincc": _double("th_gammaincc_f64", 2),
    "gammal": _real("(({T})(th_gammainc_f64((f64){0}, (f64){1}) * tgamma((f64){0})))"),
    "gammau": _real("(({T})(th_gammaincc_f64((f64){0}, (f64){1}) * tgamma((f64){0})))"),
}  # fmt: skip


def _types(dtype: str) -> dict[str, Any]:
    bits = 8 * np.dtype(dtype).itemsize
    return {
        "T": REGISTERS[dtype],
        "U": f"u{bits}",
        "W": "u64" if bits == 64 else "u32",
        "bits": bits,
    }


def spell(prim: str, dtype: str, args: Sequence[str]) -> str:
    """The OpenCL C expression of a primitive.

    Args:
        prim: name of the primitive (``cast`` has its own function, `spell_cast`).
        dtype: dtype of the operands; for ``select`` that of the branches.
        args: names or literals of the operands.

    Raises:
        NotOnDevice: a primitive of `LACKING`.
        MissingSpelling: there is no row, or none for this dtype.

    >>> spell("add", "int8", ["a", "b"])
    '((i8)((u32)a + (u32)b))'
    """
    if prim in LACKING:
        raise NotOnDevice(f"OpenCL devices do not have {prim!r} yet: {LACKING[prim]}.")
    row = SPELLINGS.get(prim)
    if row is None:
        raise MissingSpelling("opencl", prim, _FILE)
    kind = np.dtype(dtype).kind
    template = next((text for kinds, text in row.items() if kind in kinds), None)
    if template is None:
        raise MissingSpelling("opencl", f"{prim} for {dtype}", _FILE)
    return template.format(*args, **_types(dtype))


def spell_cast(source: str, target: str, value: str) -> str:
    """The conversion of ``value``, as C and NumPy do it.

    To bool: whether it is not zero (NaN is true). To float16: rounds, and stays float32. A float
    outside an integer's range gives an unspecified value.

    >>> spell_cast("float32", "int8", "x")
    '((i8)(i64)x)'
    """
    if source == target:
        return value
    if target == "bool":
        return f"((u8)({value} != 0))"
    if target == "float16":
        wide = REGISTERS[source] if source.startswith("float") else "f32"
        return f"th_half_{wide}(({wide}){value})"
    kind = REGISTERS[target]
    if not source.startswith("float") or target.startswith("float"):
        return f"(({kind}){value})"
    if target == "uint64":
        return f"th_u64_{REGISTERS[source]}({value})"
    return f"(({kind})(i64){value})"


def literal(value: Any, dtype: str) -> str:
    """A constant with its exact value.

    >>> literal(0.1, "float64"), literal(-1, "int64")
    ('0x1.999999999999ap-4', '((i64)(-1L))')
    """
    kind = np.dtype(dtype).kind
    if kind == "f":
        return _float_literal(float(value), REGISTERS[dtype])
    if kind in "bu":
        return f"(({REGISTERS[dtype]}){int(value)}UL)"
    if value == -(2**63):
        return "((i64)(-9223372036854775807L - 1L))"
    return f"(({REGISTERS[dtype]})({int(value)}L))"


def _float_literal(value: float, register: str) -> str:
    if np.isnan(value):
        return f"(({register})NAN)"
    if register == "f32":
        with np.errstate(over="ignore"):
            value = float(np.float32(value))
    if np.isinf(value):
        return f"(({register})({'-' if value < 0 else ''}INFINITY))"
    text = value.hex() + ("f" if register == "f32" else "")
    return f"({text})" if text.startswith("-") else text
