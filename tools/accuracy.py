"""Measure the largest error, in units in the last place, of every float primitive of the CPU.

Each primitive is compiled in a loop over an array of hard and random arguments and compared with
mpmath at 120 bits. Run ``python tools/accuracy.py [--quick] [primitive ...]``.
"""

from __future__ import annotations

import argparse
import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import mpmath as mp
import numpy as np

from theano.backends.cpu import compiler, prims, special
from theano.backends.cpu.emit import Emitter

mp.mp.prec = 120
BOUND = 2.5


def array_function(prim: str, dtype: str, arity: int, lanes: int) -> Callable[..., np.ndarray]:
    """A function of arrays that runs the primitive with so many lanes."""
    e = Emitter(lanes, features=compiler.host_features().features)
    size = np.dtype(dtype).itemsize
    loads = []
    for i in range(arity):
        ptr = e.emit(f"getelementptr i8, ptr %in{i}, i64 %at")
        loads.append(prims.emit_load(e, dtype, ptr))
    result = prims.emit(e, prim, dtype, loads)
    prims.emit_store(e, dtype, e.emit("getelementptr i8, ptr %out, i64 %at"), result)
    params = ", ".join(f"ptr %in{i}" for i in range(arity))
    body = "\n".join(e.lines)
    text = (
        f"{e.module_text()}\ndefine void @f(ptr %out, {params}, i64 %n) {{\nentry:\n"
        f"  br label %main\nmain:\n  %i = phi i64 [ 0, %entry ], [ %next_i, %main ]\n"
        f"  %at = mul i64 %i, {size}\n{body}\n  %next_i = add i64 %i, {lanes}\n"
        "  %go = icmp ult i64 %next_i, %n\n  br i1 %go, label %main, label %end\n"
        "end:\n  ret void\n}\n"
    )
    imports = {name: special.address(name) for name in special.EXTERNALS if name in text}
    module = compiler.compile_module(text, ["f"], imports, verify=True)
    native = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)(module["f"])

    def call(*arrays: np.ndarray) -> np.ndarray:
        n = len(arrays[0])
        padded = [np.resize(np.asarray(a, dtype), -(-n // lanes) * lanes) for a in arrays]
        out = np.empty_like(padded[0])
        native(out.ctypes.data, *[a.ctypes.data for a in padded], len(out))
        assert module is not None
        return out[:n]

    return call


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x > -60 else mp.exp(x)


def _erfc(x: Any) -> Any:
    return mp.erfc(x) if abs(x) < 40 else mp.mpf(1e-320) ** 9 if x > 0 else mp.mpf(2)


EXACT: dict[str, Callable[..., Any]] = {
    "exp2": lambda x: mp.mpf(2) ** x, "log2": lambda x: mp.log(x, 2), "pow": mp.power,
    "sigmoid": _sigmoid, "erfc": _erfc, "softplus": _softplus,
    **{name: getattr(mp, name) for name in (
        "exp", "expm1", "log", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan",
        "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "sqrt",
    )},
}  # fmt: skip

#: intervals, beside the general one, in which a function is interesting
RANGES: dict[str, Sequence[tuple[float, float]]] = {
    "exp": ((-1, 1), (-104, 89), (-745, 709.7)), "exp2": ((-1, 1), (-149, 128), (-1074, 1024)),
    "expm1": ((-1, 1), (-40, 88.7), (-40, 709.7)), "sinh": ((-2, 2), (-89, 89), (-710, 710)),
    "cosh": ((-2, 2), (-89, 89), (-710, 710)), "tanh": ((-1, 1), (-20, 20)),
    "sigmoid": ((-5, 5), (-104, 90), (-745, 20)), "softplus": ((-5, 5), (-104, 90), (-745, 20)),
    "log": ((0.5, 2), (0.99, 1.01)), "log2": ((0.5, 2), (0.99, 1.01)),
    "log10": ((0.5, 2), (0.99, 1.01)), "log1p": ((-0.99, 1), (-0.01, 0.01), (0, 100)),
    "sin": ((-4, 4), (-1e5, 1e5)), "cos": ((-4, 4), (-1e5, 1e5)), "tan": ((-4, 4), (-1e5, 1e5)),
    "asin": ((-1, 1), (-0.01, 0.01)), "acos": ((-1, 1), (0.9, 1)), "atan": ((-3, 3), (-1, 1)),
    "asinh": ((-3, 3), (-1, 1)), "acosh": ((1, 1.1), (1, 10)), "atanh": ((-1, 1), (-0.1, 0.1)),
    "erf": ((-1, 1), (-6, 6)), "erfc": ((-1, 1), (-6, 28), (0.4, 10)), "sqrt": ((0, 4),),
    "pow": ((0.5, 2), (0, 50)), "atan2": ((-1, 1), (-10, 10)),
}  # fmt: skip


def arguments(prim: str, dtype: str, count: int, arity: int) -> list[np.ndarray]:
    """Random arguments: over each interesting interval and over all exponents."""
    rng = np.random.default_rng(7)
    info = np.finfo(dtype)
    columns = []
    for position in range(arity):
        parts = [rng.uniform(low, high, count) for low, high in RANGES[prim]]
        exponents = rng.uniform(np.log2(float(info.tiny)), np.log2(float(info.max)), count)
        parts.append(np.exp2(exponents) * rng.choice([-1.0, 1.0], count))
        if prim == "pow" and position:
            parts = [rng.uniform(-900, 900, count) for _ in parts]
        columns.append(np.concatenate(parts).astype(dtype))
    return columns


def ulp_error(value: float, exact: Any, dtype: str) -> float:
    """abs(value - exact) in units of the last place of `exact` in `dtype`."""
    info = np.finfo(dtype)
    if exact == 0:
        return 0.0 if value == 0 else float("inf")
    _, exponent = mp.frexp(exact)
    unit = mp.mpf(2) ** max(int(exponent) - info.nmant - 1, info.minexp - info.nmant)
    limit = mp.mpf(float(info.max)) + unit / 2
    if abs(exact) >= limit:
        return 0.0 if np.isinf(value) and (value > 0) == (exact > 0) else float("inf")
    return float(abs(mp.mpf(value) - exact) / unit) if np.isfinite(value) else float("inf")


def measure(prim: str, dtype: str, count: int, lanes: int) -> tuple[float, tuple[float, ...]]:
    """(largest error in ulp, where) over the arguments for which the function is real."""
    arity = 2 if prim in ("pow", "atan2") else 1
    columns = arguments(prim, dtype, count, arity)
    got = array_function(prim, dtype, arity, lanes)(*columns)
    worst, where = 0.0, (0.0,) * arity
    for value, *args in zip(got.tolist(), *(c.tolist() for c in columns), strict=True):
        if not np.isfinite(args).all():
            continue
        try:
            exact = EXACT[prim](*map(mp.mpf, args))
        except (ValueError, ZeroDivisionError):
            continue
        if isinstance(exact, mp.mpc) or not mp.isfinite(exact):
            if not np.isnan(value) and isinstance(exact, mp.mpc):
                worst, where = float("inf"), tuple(args)
            continue
        error = ulp_error(value, exact, dtype)
        if error > worst:
            worst, where = error, tuple(args)
    return worst, where


def main() -> int:
    """Print the table; exit status 1 where a primitive is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the arguments")
    parser.add_argument("prims", nargs="*", default=sorted(EXACT))
    options = parser.parse_args()
    count, bad = (300 if options.quick else 5000), 0
    features = compiler.host_features().features
    for prim in options.prims:
        for dtype in ("float32", "float64"):
            lanes = prims.vector_width(dtype, features)
            worst, where = measure(prim, dtype, count, lanes)
            mark = "" if worst <= BOUND else "  <-- out of bounds"
            bad += bool(mark)
            print(f"{prim:9s} {dtype} {worst:6.3f} ulp at {where}{mark}", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
