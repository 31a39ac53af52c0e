"""From Python code on numbers to kernel code: ``impl`` is run once on values that record.

A ``Traced`` value stands for a number. Operators, comparisons, NumPy's and SciPy's elementwise
functions on it write kernel statements. Where the code branches on a value it is run again for
either way, and the results are chosen between. What cannot be written (``math.exp``, a conversion
to ``float``, a loop until a value is small) raises ``Untraceable``, and the caller runs the Python
code instead.

Dtypes follow NumPy: two values promote, Python numbers take the dtype of the value that they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from theano.core.dtypes import promote
from theano.kernel import ir, prims
from theano.kernel.build import Builder, Val

# NumPy's and SciPy's names of ufuncs to primitives; those of the same name are not listed.
_UFUNCS: Final[Mapping[str, str]] = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin",
    "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh",
    "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "divide": "div",
    "left_shift": "shl", "right_shift": "shr",
    "equal": "eq", "expit": "sigmoid", "floor_divide": "idiv", "gammaln": "lgamma",
    "greater": "gt", "greater_equal": "ge", "invert": "not", "less": "lt", "less_equal": "le",
    "logical_and": "and", "logical_not": "not", "logical_or": "or", "logical_xor": "xor",
    "maximum": "max", "minimum": "min", "multiply": "mul", "negative": "neg", "not_equal": "ne",
    "power": "pow", "remainder": "mod", "subtract": "sub", "true_divide": "div",
}  # fmt: skip
_SAME_NAME: Final = frozenset(
    [
        "add",
        "ceil",
        "copysign",
        "cos",
        "cosh",
        "erf",
        "erfc",
        "erfcinv",
        "erfcx",
        "erfinv",
        "exp",
        "exp2",
        "expm1",
        "floor",
        "gamma",
        "gammainc",
        "gammaincc",
        "i0",
        "i1",
        "isinf",
        "isnan",
        "iv",
        "j0",
        "j1",
        "jv",
        "log",
        "log10",
        "log1p",
        "log2",
        "psi",
        "rint",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
        "trunc",
    ]
)
_LOGICAL: Final = frozenset(("logical_and", "logical_or", "logical_xor", "logical_not"))
_SAMPLES: Final = (0.375, -1.625, 2.0, 0.0, 1.0, -3.0, 7.25, 0.9375, -0.5)


_MOST_RUNS: Final = 64  # how often the code is run to follow its branches


class Untraceable(TypeError):
    """The Python code does something that kernel code cannot."""


class _Fork(BaseException):
    """The code asks whether a value is true. No Exception: the code must not catch it."""

    def __init__(self, condition: Traced) -> None:
        super().__init__()
        self.condition = condition


class _Path:
    """The answers to give in one run of the code, and the number of runs so far."""

    def __init__(self) -> None:
        self.answers: tuple[bool, ...] = ()
        self.asked = 0
        self.runs = 0

    def start(self, answers: tuple[bool, ...]) -> None:
        """Begin a run."""
        self.answers, self.asked = answers, 0
        self.runs += 1
        if self.runs > _MOST_RUNS:
            raise Untraceable("it branches too often on values")

    def decide(self, condition: Traced) -> bool:
        """The answer for this run, or a fork."""
        if self.asked == len(self.answers):
            raise _Fork(condition)
        self.asked += 1
        return self.answers[self.asked - 1]


class Traced:
    """A number that records what is done with it."""

    __slots__ = ("k", "path", "val")
    __hash__ = None  # type: ignore[assignment]
    __array_priority__ = 1000.0

    def __init__(self, k: Builder, val: Val, path: _Path) -> None:
        self.k = k
        self.val = val
        self.path = path

    def like(self, val: Val) -> Traced:
        """Another value of the same run."""
        return Traced(self.k, val, self.path)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype."""
        return np.dtype(self.val.dtype)

    def _refuse(self, *args: Any) -> Any:
        raise Untraceable("it needs the value of its argument as a Python number, as math does")

    def __bool__(self) -> bool:
        return self.path.decide(self)

    __float__ = __int__ = __index__ = __complex__ = __iter__ = __len__ = _refuse
    __round__ = __array__ = __getitem__ = __contains__ = _refuse

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__" or kwargs:
            raise Untraceable(f"numpy.{name} with options has no kernel code")
        return _call(name, inputs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = _FUNCTIONS.get(func.__name__)
        if rule is None or kwargs:
            raise Untraceable(f"numpy.{func.__name__} has no kernel code")
        return rule(*args)


def _method(name: str, swap: bool = False) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        return _call(name, (other, self) if swap else (self, other))

    return operator


for _symbol, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
    "floordiv": "floor_divide", "mod": "remainder", "pow": "power", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}.items():  # fmt: skip
    setattr(Traced, f"__{_symbol}__", _method(_name))
    setattr(Traced, f"__r{_symbol}__", _method(_name, swap=True))
for _symbol, _name in {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}.items():  # fmt: skip
    setattr(Traced, f"__{_symbol}__", _method(_name))
for _symbol, _name in {
    "neg": "negative", "abs": "absolute", "invert": "invert", "floor": "floor", "ceil": "ceil",
    "trunc": "trunc", "pos": "positive",
}.items():  # fmt: skip
    setattr(Traced, f"__{_symbol}__", lambda self, _name=_name: _call(_name, (self,)))


def _call(name: str, operands: Sequence[Any]) -> Traced:
    """The elementwise function ``name`` of NumPy or SciPy on numbers of which some are traced."""
    special = _SPECIAL.get(name)
    if special is not None:
        result: Any = special(*operands)
        return result  # type: ignore[no-any-return]
    prim = _UFUNCS.get(name) or (name if name in _SAME_NAME else None)
    if prim is None:
        raise Untraceable(f"{name} has no kernel code")
    return _primitive(prim, operands, name in _LOGICAL)


def _primitive(prim: str, operands: Sequence[Any], logical: bool = False) -> Traced:
    vals = _together(operands)
    model = next(x for x in operands if isinstance(x, Traced))
    k = model.k
    if logical:
        vals = [v if v.dtype == "bool" else k.ne(v, 0) for v in vals]
    kind = np.dtype(vals[0].dtype).kind
    if kind not in prims.prim(prim).kinds or (prim in ("add", "mul") and kind == "b"):
        raise Untraceable(f"the primitive {prim} does not take {vals[0].dtype}")
    return model.like(k.apply(prim, *vals))


def _together(operands: Sequence[Any]) -> list[Val]:
    """Values of one dtype, by NumPy's promotion; Python numbers are weak."""
    traced = [x for x in operands if isinstance(x, Traced)]
    k = traced[0].k
    dtype = promote(*(x.val.dtype for x in traced))
    for x in operands:
        if not isinstance(x, Traced):
            dtype = _with_literal(dtype, x)
    return [
        k.cast(x.val, dtype) if isinstance(x, Traced) else k.const(_number(x), dtype)
        for x in operands
    ]


def _number(x: Any) -> Any:
    number = x.item() if isinstance(x, (np.generic, np.ndarray)) and np.ndim(x) == 0 else x
    if not isinstance(number, (bool, int, float)):
        raise Untraceable(f"it meets {type(x).__name__}, which is no real number")
    return number


def _with_literal(dtype: str, x: Any) -> str:
    number, kind = _number(x), np.dtype(dtype).kind
    if isinstance(number, float) and kind != "f":
        raise Untraceable("integers meet a float: cast first")
    if isinstance(number, int) and not isinstance(number, bool) and kind == "b":
        return "int64"
    return dtype


def _floor_divide(x: Any, y: Any) -> Traced:
    vals = _together((x, y))
    model = next(v for v in (x, y) if isinstance(v, Traced))
    if vals[0].dtype.startswith("float"):
        return model.like(model.k.floor(model.k.div(*vals)))
    return _primitive("idiv", (x, y))


def _power(x: Any, y: Any) -> Traced:
    if not isinstance(y, Traced):
        exponent = _number(y)
        if exponent == 2:
            return _call("multiply", (x, x))
        if exponent == 0.5:
            return _call("sqrt", (x,))
    vals = _together((x, y))
    if not vals[0].dtype.startswith("float"):
        raise Untraceable("integer powers depend on the exponent's sign")
    return _primitive("pow", (x, y))


def _where(condition: Any, x: Any, y: Any) -> Traced:
    if not isinstance(condition, Traced):
        raise Untraceable("where needs a traced condition")
    k, test = condition.k, condition.val
    if not isinstance(x, Traced) and not isinstance(y, Traced):
        dtype = "float64" if isinstance(_number(x) + _number(y), float) else "int64"
        vals = [k.const(_number(x), dtype), k.const(_number(y), dtype)]
    else:
        vals = _together((x, y))
    return condition.like(k.select(test if test.dtype == "bool" else k.ne(test, 0), *vals))


def _clip(x: Any, low: Any, high: Any) -> Traced:
    return _call("minimum", (_call("maximum", (x, low)), high))


_SPECIAL: Final[Mapping[str, Callable[..., Any]]] = {
    "floor_divide": _floor_divide,
    "power": _power,
    "float_power": _power,
    "square": lambda x: _call("multiply", (x, x)),
    "reciprocal": lambda x: _call("divide", (1.0, x)),
    "positive": lambda x: x,
    "conjugate": lambda x: x,
    "cbrt": lambda x: _call("copysign", (_call("power", (_call("absolute", (x,)), 1.0 / 3.0)), x)),
    "isfinite": lambda x: ~(np.isnan(x) | np.isinf(x)),
    "chdtrc": lambda v, x: _primitive("chi2sf", (x, v)),
    "clip": _clip,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "where": _where,
    "clip": _clip,
    "real": lambda x: x,
    "conj": lambda x: x,
}


def trace(code: Callable[..., Any], k: Builder, vals: Sequence[Val]) -> Any:
    """What ``code`` computes from kernel values: a kernel value, or a number.

    Raises Untraceable where the code cannot be written in kernel primitives.
    """
    path = _Path()
    result = _follow(code, [Traced(k, v, path) for v in vals], path, ())
    return result.val if isinstance(result, Traced) else _number(result)


def branches(code: Callable[..., Any], k: Builder, vals: Sequence[Val]) -> bool:
    """Whether ``code`` branches on values."""
    path = _Path()
    _follow(code, [Traced(k, v, path) for v in vals], path, ())
    return path.runs > 1


def _follow(
    code: Callable[..., Any], values: Sequence[Traced], path: _Path, answers: tuple[bool, ...]
) -> Any:
    """The result after these answers; both ways on from the next question."""
    path.start(answers)
    try:
        result = code(*values)
    except Untraceable:
        raise
    except _Fork as fork:
        condition = fork.condition
    except Exception as error:
        raise Untraceable(f"{type(error).__name__}: {error}") from error
    else:
        single = isinstance(result, (tuple, list)) and len(result) == 1
        return result[0] if single else result
    ways = [_follow(code, values, path, (*answers, answer)) for answer in (True, False)]
    return _where(condition, *ways)


def finish(k: Builder, result: Any, output: str) -> Val:
    """A result of ``trace`` as a kernel value of the dtype ``output``."""
    if not isinstance(result, Val):
        return k.const(_number(result), output)
    if output == "bool" and result.dtype != "bool":
        return k.ne(result, 0)  # type: ignore[no-any-return]
    return k.cast(result, output)


def check(code: Callable[..., Any], dtypes: Sequence[str], output: str) -> None:
    """Untraceable if ``code`` cannot be traced for these dtypes, or if its trace computes
    something else than itself on a few numbers (it may catch errors, or look at types)."""
    k = Builder()
    vals = [k.value(f"x{i}", dtype) for i, dtype in enumerate(dtypes)]
    out = finish(k, trace(code, k, vals), output)
    for shift in range(len(_SAMPLES)):
        given = [
            np.asarray(_SAMPLES[(shift + 2 * i) % len(_SAMPLES)]).astype(dtype)[()]
            for i, dtype in enumerate(dtypes)
        ]
        try:
            with np.errstate(all="ignore"):
                expected = np.asarray(code(*given)).astype(output)
        except (ArithmeticError, ValueError):
            continue
        got = run(k, out, dict(zip((v.name for v in vals), given, strict=True)))
        loose = 1e-3 if output in ("float16", "float32") else 1e-6
        if not np.allclose(got, expected, rtol=loose, atol=loose, equal_nan=True):
            raise Untraceable(f"its trace gives {got} and it gives {expected} on {given}")


def run(k: Builder, out: Val, known: dict[str, Any]) -> Any:
    """The value of ``out``, its statements evaluated on numbers or arrays."""
    for statement in k.statements:
        if isinstance(statement, ir.Const):
            known[statement.out] = np.asarray(statement.value, dtype=statement.dtype)
        elif isinstance(statement, ir.Apply):
            args = tuple(known[name] for name in statement.args)
            known[statement.out] = prims.evaluate(statement.prim, args, statement.dtype)
    return known[out.name]
