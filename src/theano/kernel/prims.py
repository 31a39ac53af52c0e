"""The closed set of scalar primitives that kernels are made of.

A backend spells primitives, never ops: one row here, one spelling per backend in
``backends/<name>/prims.py``. All operands of a primitive have one dtype; the result has the same
dtype unless ``result`` says otherwise. ``select`` takes a bool first; ``cast`` changes the dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theano.core.errors import MissingSpelling
from theano.core.record import dataclass


@dataclass(frozen=True, slots=True)
class Prim:
    """A scalar primitive.

    ``ref`` is its NumPy meaning; ``result`` is ``"same"`` or a dtype name; ``kinds`` lists the
    dtype kinds (``b`` bool, ``i`` int, ``u`` uint, ``f`` float) that it takes; ``rare`` marks
    those that a backend may take from a special function library or lack altogether.
    """

    name: str
    arity: int
    ref: Callable[..., Any]
    result: str = "same"
    kinds: str = "iuf"
    rare: bool = False


def _special(name: str) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*args)

    call.__name__ = name
    return call


def _floor_divide(x: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.floor_divide(x, y)


def _mod(x: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return np.mod(x, y)


def _sigmoid(x: Any) -> Any:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, np.ones_like(e)) / (e + np.ones_like(e))


def _softplus(x: Any) -> Any:
    return np.maximum(x, np.zeros_like(x)) + np.log1p(np.exp(-np.abs(x)))


def _round_away(x: Any) -> Any:
    return np.copysign(np.floor(np.abs(x)) + (np.abs(x) - np.floor(np.abs(x)) >= 0.5), x)


def _erf(name: str) -> Callable[..., Any]:
    return _special(name)


def _gammal(k: Any, x: Any) -> Any:
    return _special("gammainc")(k, x) * _special("gamma")(k)


def _gammau(k: Any, x: Any) -> Any:
    return _special("gammaincc")(k, x) * _special("gamma")(k)


def _trigamma(x: Any) -> Any:
    return _special("polygamma")(1, x)


def _chi2sf(x: Any, k: Any) -> Any:
    return _special("chdtrc")(k, x)


def _rows() -> tuple[Prim, ...]:
    arithmetic = (
        Prim("add", 2, np.add, kinds="biuf"),
        Prim("sub", 2, np.subtract),
        Prim("mul", 2, np.multiply, kinds="biuf"),
        Prim("div", 2, np.true_divide, kinds="f"),
        Prim("idiv", 2, _floor_divide),
        Prim("mod", 2, _mod),
        Prim("neg", 1, np.negative),
        Prim("abs", 1, np.abs, kinds="biuf"),
        Prim("sign", 1, np.sign),
        Prim("min", 2, np.minimum, kinds="biuf"),
        Prim("max", 2, np.maximum, kinds="biuf"),
        Prim("fma", 3, lambda x, y, z: x * y + z, kinds="f"),
        Prim("pow", 2, np.power),
        Prim("copysign", 2, np.copysign, kinds="f"),
    )
    floats: dict[str, Callable[..., Any]] = {
            "sqrt": np.sqrt, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log,
            "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "sin": np.sin, "cos": np.cos,
            "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
            "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
            "acosh": np.arccosh, "atanh": np.arctanh, "sigmoid": _sigmoid,
            "softplus": _softplus, "erf": _erf("erf"), "erfc": _erf("erfc"), "floor": np.floor,
            "ceil": np.ceil, "trunc": np.trunc, "rint": np.rint, "round": _round_away,
        }  # fmt: skip
    unary = tuple(Prim(name, 1, ref, kinds="f") for name, ref in floats.items())
    compare = tuple(
        Prim(name, 2, ref, result="bool", kinds="biuf")
        for name, ref in {
            "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
            "gt": np.greater, "ge": np.greater_equal,
        }.items()
    )  # fmt: skip
    logic = (
        Prim("atan2", 2, np.arctan2, kinds="f"),
        Prim("isnan", 1, np.isnan, result="bool", kinds="f"),
        Prim("isinf", 1, np.isinf, result="bool", kinds="f"),
        Prim("and", 2, np.bitwise_and, kinds="biu"),
        Prim("or", 2, np.bitwise_or, kinds="biu"),
        Prim("xor", 2, np.bitwise_xor, kinds="biu"),
        Prim("not", 1, np.invert, kinds="biu"),
        Prim("shl", 2, np.left_shift, kinds="iu"),
        Prim("shr", 2, np.right_shift, kinds="iu"),
        Prim("select", 3, np.where, kinds="biuf"),
        Prim("cast", 1, lambda x: x, result="given", kinds="biuf"),
    )
    rare = tuple(
        Prim(name, arity, ref, kinds="f", rare=True)
        for name, arity, ref in (
            ("gamma", 1, _special("gamma")), ("lgamma", 1, _special("gammaln")),
            ("psi", 1, _special("psi")), ("trigamma", 1, _trigamma),
            ("erfcx", 1, _special("erfcx")), ("erfinv", 1, _special("erfinv")),
            ("erfcinv", 1, _special("erfcinv")), ("chi2sf", 2, _chi2sf),
            ("gammainc", 2, _special("gammainc")), ("gammaincc", 2, _special("gammaincc")),
            ("gammau", 2, _gammau), ("gammal", 2, _gammal), ("j0", 1, _special("j0")),
            ("j1", 1, _special("j1")), ("jv", 2, _special("jv")), ("i0", 1, _special("i0")),
            ("i1", 1, _special("i1")), ("iv", 2, _special("iv")),
        )
    )  # fmt: skip
    return arithmetic + unary + compare + logic + rare


PRIMS: dict[str, Prim] = {row.name: row for row in _rows()}


def prim(name: str) -> Prim:
    """The row of a primitive; a missing one says where rows live."""
    try:
        return PRIMS[name]
    except KeyError:
        raise MissingSpelling(f"no primitive {name!r}: add a row to kernel/prims.py") from None


def result_dtype(name: str, dtype: str) -> str:
    """The result dtype of primitive ``name`` on operands of ``dtype``.

    >>> result_dtype("lt", "float32")
    'bool'
    """
    result = prim(name).result
    return dtype if result == "same" else result


def evaluate(name: str, args: tuple[Any, ...], dtype: str) -> Any:
    """The NumPy meaning of a primitive whose result has ``dtype``."""
    with np.errstate(all="ignore"):
        if name == "cast":
            return np.asarray(args[0]).astype(dtype)
        return np.asarray(prim(name).ref(*args)).astype(dtype, copy=False)
