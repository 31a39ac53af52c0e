"""Which graph builder each NumPy function is, and how its arguments are passed on.

A row of ``FUNCTIONS`` is the builder and NumPy's parameters in order. ``@name`` is passed by
position, ``name`` by keyword where it is given, ``name=ours`` under another keyword, and ``-name``
must be left out (or have one of the values ``-name=a|b``). A builder is a name in the graph
registry, ``module:name``, or one of the functions below.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from theano.graph.registry import apply

Builder = str | Callable[..., Any]


def _rank(x: Any) -> int:
    return int(apply("as_tensor_variable", x).type.ndim)


def _ranked(x: Any, ndim: int, left: bool = True) -> Any:
    """``x`` with at least ``ndim`` dimensions."""
    x = apply("as_tensor_variable", x)
    new = ["x"] * max(ndim - x.type.ndim, 0)
    order = range(x.type.ndim)
    return x if not new else apply("dimshuffle", x, *((*new, *order) if left else (*order, *new)))


def _atleast_3d(x: Any) -> Any:
    x = _ranked(x, 1)
    return apply("dimshuffle", x, "x", 0, "x") if x.type.ndim == 1 else _ranked(x, 3, False)


def _each(one: Callable[[Any], Any]) -> Callable[..., Any]:
    """``numpy.atleast_*``: one result for one argument, a tuple for several."""
    return lambda *xs: one(xs[0]) if len(xs) == 1 else tuple(one(x) for x in xs)


def _hstack(arrays: Sequence[Any]) -> Any:
    parts = [_ranked(x, 1) for x in arrays]
    return apply("concatenate", parts, axis=0 if parts[0].type.ndim == 1 else 1)


def _column_stack(arrays: Sequence[Any]) -> Any:
    return apply("concatenate", [_ranked(_ranked(x, 1), 2, False) for x in arrays], axis=1)


def _where(condition: Any, *branches: Any) -> Any:
    return apply("switch" if branches else "nonzero", condition, *branches)


def _clip(x: Any, low: Any = None, high: Any = None) -> Any:
    if low is None:
        return x if high is None else apply("minimum", x, high)
    return apply("maximum", x, low) if high is None else apply("clip", x, low, high)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Without the dimensions of ``axis``, or those known to have size 1."""
    if axis is None:
        return apply("squeeze", x)
    dropped = {a % x.ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,))}
    return apply("dimshuffle", x, *(a for a in range(x.ndim) if a not in dropped))


def _expand_dims(x: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    ndim = x.ndim + len(axes)
    new = {a % ndim for a in axes}
    old = iter(range(x.ndim))
    return apply("dimshuffle", x, *("x" if a in new else next(old) for a in range(ndim)))


def _flip(x: Any, axis: Any = None) -> Any:
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    turned = {a % x.ndim for a in axes}
    return x[tuple(slice(None, None, -1 if a in turned else 1) for a in range(x.ndim))]


def _split(x: Any, sections: Any, axis: int = 0) -> list[Any]:
    if isinstance(sections, int):
        size = x.type.shape[axis]
        if size is None or size % sections:
            raise TypeError(
                f"numpy.split of {x} into {sections} equal parts needs a size along axis {axis} "
                f"that is known and divisible, and it is {size}: use theano.tensor.split"
            )
        sections = [size // sections * i for i in range(1, sections)]
    ends = [None, *sections, None]
    before = (slice(None),) * (axis % x.ndim)
    return [x[(*before, slice(a, b))] for a, b in itertools.pairwise(ends)]


def _round(x: Any, decimals: int = 0) -> Any:
    if decimals:
        raise TypeError("numpy.round with decimals: multiply, round and divide")
    return apply("round", x)


def _full_like(x: Any, value: Any, dtype: Any = None) -> Any:
    return apply("fill", x, apply("cast", value, dtype or x.dtype))


def _copy_of(x: Any) -> Any:
    return apply("tensor_copy", x)


def _isfinite(x: Any) -> Any:
    return apply("invert", apply("or_", apply("isnan", x), apply("isinf", x)))


def _truth(x: Any) -> Any:
    x = apply("as_tensor_variable", x)
    return x if x.dtype == "bool" else apply("neq", x, 0)


def _logical(name: str) -> Callable[..., Any]:
    return lambda *xs: apply(name, *(_truth(x) for x in xs))


def _logaddexp(x: Any, y: Any) -> Any:
    gap = apply("abs_", apply("sub", x, y))
    return apply("add", apply("maximum", x, y), apply("softplus", apply("neg", gap)))


def _cbrt(x: Any) -> Any:
    return apply("mul", apply("sgn", x), apply("pow", apply("abs_", x), 1.0 / 3.0))


def _hypot(x: Any, y: Any) -> Any:
    return apply("sqrt", apply("add", apply("sqr", x), apply("sqr", y)))


def _lstsq(x: Any, y: Any, rcond: Any = None) -> tuple[Any, ...]:
    op = importlib.import_module("theano.tensor.nlinalg").lstsq()
    if rcond is None:  # NumPy's default: the rounding error of the longer side
        x = apply("as_tensor_variable", x)
        longer = apply("cast", apply("maximum", x.shape[0], x.shape[1]), x.dtype)
        rcond = apply("mul", longer, np.finfo(x.dtype).eps)
    return tuple(op(x, y, rcond))


def _inner(x: Any, y: Any) -> Any:
    last = [_rank(v) - 1 for v in (x, y)]
    if min(last) < 0:
        return apply("mul", x, y)
    return apply("tensordot", x, y, axes=([last[0]], [last[1]]))


def _vdot(x: Any, y: Any) -> Any:
    return apply("dot", apply("conj", apply("flatten", x, 1)), apply("flatten", y, 1))


def _append(x: Any, values: Any, axis: Any = None) -> Any:
    parts = (x, values) if axis is not None else (_flat(x), _flat(values))
    return apply("concatenate", list(parts), axis=axis or 0)


def _flat(x: Any) -> Any:
    return apply("flatten", apply("as_tensor_variable", x), 1)


def _running(name: str) -> Callable[..., Any]:
    """``numpy.cumulative_*``: the axis may be left out for vectors only."""

    def build(x: Any, axis: int | None = None) -> Any:
        if axis is None and x.ndim != 1:
            raise ValueError(f"numpy.cumulative_{name[3:]} of {x.ndim} dimensions needs an axis")
        return apply(name, x, axis or 0)

    return build


# NumPy's and SciPy's name of a ufunc to a builder, where the names differ.
UFUNCS: Final[Mapping[str, Builder]] = {
    "abs": "abs_", "absolute": "abs_", "fabs": "abs_", "negative": "neg", "reciprocal": "inv",
    "sign": "sgn", "square": "sqr", "rint": "round_half_to_even", "conjugate": "conj",
    "degrees": "rad2deg", "radians": "deg2rad", "positive": lambda x: x,
    "subtract": "sub", "multiply": "mul", "divide": "true_div", "true_divide": "true_div",
    "floor_divide": "int_div", "remainder": "mod", "power": "pow", "float_power": "pow",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "neq", "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor",
    "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift",
    "logical_and": _logical("and_"), "logical_or": _logical("or_"),
    "logical_xor": _logical("xor"), "logical_not": _logical("invert"), "isfinite": _isfinite,
    "logaddexp": _logaddexp, "cbrt": _cbrt, "hypot": _hypot, "expit": "sigmoid",
    "digamma": "psi", "xlogy": "xlogy0",
}  # fmt: skip
# Methods of ufuncs: what reducing and accumulating is called.
REDUCTIONS: Final[Mapping[str, str]] = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
    "logical_or": "any",
}  # fmt: skip
ACCUMULATIONS: Final[Mapping[str, str]] = {"add": "cumsum", "multiply": "cumprod"}

_REDUCE = "@a axis dtype -out keepdims -initial -where=True"
_EXTREME = "@a axis -out keepdims -initial -where=True"
_DEVIATION = "@a axis -dtype -out ddof keepdims -where=True -mean correction=ddof"
_RUNNING = "@a axis -dtype -out"
_JOIN = "@arrays axis -out -dtype -casting='same_kind'"
_LIKE = "@a dtype -order='C'|'K' -subok=True|False -shape -device"
_LINALG = "theano.tensor.nlinalg"

_ROWS: tuple[tuple[str, Builder, str], ...] = (
    ("sum", "sum", _REDUCE), ("prod", "prod", _REDUCE),
    ("mean", "mean", "@a axis dtype -out keepdims -where=True"),
    ("var", "var", _DEVIATION), ("std", "std", _DEVIATION),
    ("max", "max", _EXTREME), ("min", "min", _EXTREME),
    ("amax", "max", _EXTREME), ("amin", "min", _EXTREME),
    ("argmax", "argmax", "@a axis -out keepdims"), ("argmin", "argmin", "@a axis -out keepdims"),
    ("any", "any", "@a axis -out keepdims -where=True"),
    ("all", "all", "@a axis -out keepdims -where=True"),
    ("ptp", "ptp", "@a axis -out -keepdims=False"), ("cumsum", "cumsum", _RUNNING),
    ("cumprod", "cumprod", _RUNNING), ("diff", "diff", "@a n axis -prepend -append"),
    ("trace", "trace", "@a -offset=0 -axis1=0 -axis2=1 -dtype -out"),
    ("concatenate", "concatenate", _JOIN), ("stack", "stack", _JOIN),
    ("hstack", _hstack, "@arrays -dtype -casting='same_kind'"),
    ("vstack", lambda xs: apply("concatenate", [_ranked(x, 2) for x in xs], axis=0),
     "@arrays -dtype -casting='same_kind'"),
    ("dstack", lambda xs: apply("concatenate", [_atleast_3d(x) for x in xs], axis=2), "@arrays"),
    ("column_stack", _column_stack, "@arrays"),
    ("split", _split, "@ary @indices_or_sections axis"),
    ("where", _where, "@condition @x @y"), ("nonzero", "nonzero", "@a"),
    ("flatnonzero", "flatnonzero", "@a"),
    ("dot", "dot", "@a @b -out"), ("tensordot", "tensordot", "@a @b axes"),
    ("outer", "outer", "@a @b -out"), ("clip", _clip, "@a @a_min @a_max -out min=low max=high"),
    ("reshape", "reshape", "@a @shape -order='C'|'K' -copy"),
    ("ravel", lambda x: apply("flatten", x, 1), "@a -order='C'|'K'"),
    ("transpose", "transpose", "@a axes"), ("permute_dims", "transpose", "@a axes"),
    ("swapaxes", "swapaxes", "@a @axis1 @axis2"), ("moveaxis", "moveaxis", "@a @src @dest"),
    ("squeeze", squeeze, "@a axis"), ("expand_dims", _expand_dims, "@a @axis"),
    ("flip", _flip, "@m axis"), ("flipud", lambda x: x[::-1], "@m"),
    ("fliplr", lambda x: x[:, ::-1], "@m"), ("roll", "roll", "@a @shift axis"),
    ("repeat", "repeat", "@a @repeats axis"), ("tile", "tile", "@a @reps"),
    ("take", "take", "@a @indices axis -out mode"),
    ("compress", "compress", "@condition @a axis -out"),
    ("choose", "choose", "@a @choices -out mode"), ("sort", "sort", "@a axis kind order -stable"),
    ("argsort", "argsort", "@a axis kind order -stable"),
    ("searchsorted", "searchsorted", "@a @v side sorter"),
    ("bincount", "bincount", "@x weights minlength"), ("diag", "diag", "@v k"),
    ("diagonal", "diagonal", "@a offset axis1 axis2"),
    ("tril", "theano.tensor:tril", "@m k"), ("triu", "theano.tensor:triu", "@m k"),
    ("zeros_like", "zeros_like", _LIKE), ("ones_like", "ones_like", _LIKE),
    ("empty_like", "zeros_like", _LIKE),
    ("full_like", _full_like,
     "@a @fill_value dtype -order='C'|'K' -subok=True|False -shape -device"),
    ("copy", _copy_of, "@a -order='C'|'K' -subok=True|False"),
    ("real", "real", "@val"), ("imag", "imag", "@val"),
    ("angle", "angle", "@z -deg=False"), ("round", _round, "@a decimals -out"),
    ("around", _round, "@a decimals -out"), ("shape", "shape", "@a"),
    ("isclose", "isclose", "@a @b rtol atol equal_nan"),
    ("allclose", "allclose", "@a @b rtol atol equal_nan"),
    ("cov", "cov", "@m y rowvar bias ddof fweights aweights -dtype"),
    ("unravel_index", "unravel_index", "@indices @shape order"),
    ("ravel_multi_index", "ravel_multi_index", "@multi_index @dims mode order"),
    ("fill_diagonal", "fill_diagonal", "@a @val -wrap=False"),
    ("inner", _inner, "@a @b"), ("vdot", _vdot, "@a @b"), ("append", _append, "@a @v axis"),
    ("cumulative_sum", _running("cumsum"), "@x axis -dtype -out -include_initial=False"),
    ("cumulative_prod", _running("cumprod"), "@x axis -dtype -out -include_initial=False"),
    ("matrix_transpose", lambda x: apply("swapaxes", x, -1, -2), "@x"),
    ("linalg.matrix_transpose", lambda x: apply("swapaxes", x, -1, -2), "@x"),
    ("linalg.diagonal", lambda x, offset=0: apply("diagonal", x, offset, -2, -1), "@x offset"),
    ("linalg.trace", "trace", "@x -offset=0 -dtype"), ("linalg.outer", "outer", "@x @y"),
    ("linalg.matmul", "matmul", "@x @y"), ("linalg.tensordot", "tensordot", "@a @b axes"),
    ("linalg.multi_dot", lambda xs: functools.reduce(lambda a, b: apply("dot", a, b), xs),
     "@arrays -out"),
    ("einsum", "theano.tensor:einsum", "*"), ("kron", "theano.tensor.slinalg:kron", "@a @b"),
    ("linalg.inv", f"{_LINALG}:matrix_inverse", "@a"), ("linalg.det", f"{_LINALG}:det", "@a"),
    ("linalg.pinv", f"{_LINALG}:pinv", "@a -rcond -hermitian=False -rtol"),
    ("linalg.svd", f"{_LINALG}:svd", "@a full_matrices compute_uv -hermitian=False"),
    ("linalg.qr", f"{_LINALG}:qr", "@a mode"), ("linalg.eig", f"{_LINALG}:eig", "@a"),
    ("linalg.eigh", f"{_LINALG}:eigh", "@a UPLO"),
    ("linalg.norm", f"{_LINALG}:norm", "@x ord axis keepdims"),
    ("linalg.matrix_power", f"{_LINALG}:matrix_power", "@a @n"),
    ("linalg.slogdet", f"{_LINALG}:slogdet", "@a"),
    ("linalg.tensorinv", f"{_LINALG}:tensorinv", "@a ind"),
    ("linalg.tensorsolve", f"{_LINALG}:tensorsolve", "@a @b axes"),
    ("linalg.cholesky", "theano.tensor.slinalg:cholesky", "@a -upper=False"),
    ("linalg.solve", "theano.tensor.slinalg:solve", "@a @b"),
    ("linalg.eigvalsh", "theano.tensor.slinalg:eigvalsh", "@a -UPLO='L'"),
    ("linalg.lstsq", _lstsq, "@a @b @rcond"),
)  # fmt: skip
# numpy.fft's functions: NumPy's name to ours, where they differ.
_FFT: Final[Mapping[str, str]] = {
    **{name: name for name in ("fft", "ifft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2")},
    **{name: name for name in ("fftn", "ifftn", "rfftn", "irfftn", "fftshift", "ifftshift")},
    "rfft": "rfft_complex", "irfft": "irfft_complex",
}  # fmt: skip
FUNCTIONS: Final[Mapping[str, tuple[Builder, str]]] = {
    **{name: (builder, parameters) for name, builder, parameters in _ROWS},
    "atleast_1d": (_each(lambda x: _ranked(x, 1)), "*"),
    "atleast_2d": (_each(lambda x: _ranked(x, 2)), "*"),
    "atleast_3d": (_each(_atleast_3d), "*"),
    "ndim": (_rank, "@a"),
    **{f"fft.{name}": (f"theano.tensor.fft:{ours}", "*") for name, ours in _FFT.items()},
}
