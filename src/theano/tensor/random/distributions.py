"""Distributions as functions: each takes a state and returns (next state, sample).

>>> from theano.tensor.random import state_value
>>> import theano, theano.tensor as T
>>> start = T.constant(state_value(seed=1))
>>> following, sample = normal(start, loc=2.0, size=(3,))
>>> sample.eval().shape
(3,)

Gradients flow to parameters of location and scale: a sample is a function of them. With respect to
all others (shapes, probabilities, means of counts) there is none: asking raises NullTypeGradError.

``size`` is None (the shape that the parameters have together), an int, a sequence of ints and 0-d
integer variables, or an integer vector of known length. ``dtype`` is by default what floatX and the
parameters have together.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from theano.autodiff.modifiers import undefined_grad
from theano.core import dtypes
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.constants import extract_constant
from theano.ops.extents import size_of, sizes_of
from theano.tensor.random.source import (
    Source,
    extents_of,
    float_dtype,
    floating,
    shaped,
    variables,
)

#: Name to function; `RandomStream` has a method for each.
DISTRIBUTIONS: Final[dict[str, Callable[..., tuple[Any, Any]]]] = {}


def distribution(draw: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make ``draw(source, …) -> sample`` a function of a state, and enter it into the table."""

    @functools.wraps(draw)
    def function(state: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        source = Source(state)
        sample = draw(source, *args, **kwargs)
        return source.next_state(), sample

    signature = inspect.signature(draw)
    first, *others = signature.parameters.values()
    own = signature.replace(parameters=[first.replace(name="state", annotation="Any"), *others])
    function.__signature__ = own.replace(return_annotation="tuple[Any, Any]")  # type: ignore[attr-defined]
    DISTRIBUTIONS[draw.__name__] = function
    return function


def _start(size: Any, dtype: str | None, *given: Any) -> tuple[tuple[Any, ...], str, list[Any]]:
    """The extents, the dtype, and the parameters in it."""
    params = variables(*given)
    kind = float_dtype(dtype, *params)
    return extents_of(size, *params), kind, floating(kind, *params)


def _number(value: float, model: Any) -> Any:
    return np.asarray(value, model.type.dtype)


# location and scale ------------------------------------------------------------------------------


@distribution
def uniform(source: Source, low: Any = 0.0, high: Any = 1.0, size: Any = None,
            dtype: str | None = None) -> Any:  # fmt: skip
    """Uniform numbers from ``low`` (included) to ``high`` (excluded, but for rounding)."""
    extents, kind, (low, high) = _start(size, dtype, low, high)
    return shaped(low + (high - low) * source.draw("uniform", extents, kind), extents, size)


@distribution
def normal(source: Source, loc: Any = 0.0, scale: Any = 1.0, size: Any = None,
           dtype: str | None = None) -> Any:  # fmt: skip
    """Normal numbers of mean ``loc`` and standard deviation ``scale``."""
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    return shaped(loc + scale * source.draw("normal", extents, kind), extents, size)


@distribution
def lognormal(source: Source, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None,
              dtype: str | None = None) -> Any:  # fmt: skip
    """exp of normal numbers of mean ``mean`` and standard deviation ``sigma``."""
    extents, kind, (mean, sigma) = _start(size, dtype, mean, sigma)
    sample = apply("exp", mean + sigma * source.draw("normal", extents, kind))
    return shaped(sample, extents, size)


@distribution
def halfnormal(source: Source, scale: Any = 1.0, size: Any = None,
               dtype: str | None = None) -> Any:  # fmt: skip
    """Absolute values of normal numbers of mean 0 and deviation ``scale``."""
    extents, kind, (scale,) = _start(size, dtype, scale)
    return shaped(scale * abs(source.draw("normal", extents, kind)), extents, size)


@distribution
def exponential(source: Source, scale: Any = 1.0, size: Any = None,
                dtype: str | None = None) -> Any:  # fmt: skip
    """Exponential numbers of mean ``scale``: positive."""
    extents, kind, (scale,) = _start(size, dtype, scale)
    return shaped(scale * _exponential(source, extents, kind), extents, size)


def _exponential(source: Source, extents: Any, kind: str) -> Any:
    return -apply("log", source.draw("open", extents, kind))


@distribution
def gumbel(source: Source, loc: Any = 0.0, scale: Any = 1.0, size: Any = None,
           dtype: str | None = None) -> Any:  # fmt: skip
    """Gumbel numbers, the limit of maxima: loc - scale log(E), E exponential."""
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    return shaped(loc - scale * apply("log", _exponential(source, extents, kind)), extents, size)


@distribution
def laplace(source: Source, loc: Any = 0.0, scale: Any = 1.0, size: Any = None,
            dtype: str | None = None) -> Any:  # fmt: skip
    """Laplace (double exponential) numbers."""
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    u = source.draw("open", extents, kind) - _number(0.5, loc)
    side = apply("sgn", u) * apply("log1p", _number(-2.0, loc) * abs(u))
    return shaped(loc - scale * side, extents, size)


@distribution
def logistic(source: Source, loc: Any = 0.0, scale: Any = 1.0, size: Any = None,
             dtype: str | None = None) -> Any:  # fmt: skip
    """Logistic numbers: log(u / (1 - u))."""
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    u = source.draw("open", extents, kind)
    return shaped(loc + scale * (apply("log", u) - apply("log1p", -u)), extents, size)


@distribution
def cauchy(source: Source, loc: Any = 0.0, scale: Any = 1.0, size: Any = None,
           dtype: str | None = None) -> Any:  # fmt: skip
    """Cauchy numbers: tan of a uniform angle."""
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    u = source.draw("open", extents, kind) - _number(0.5, loc)
    return shaped(loc + scale * apply("tan", u * _number(math.pi, loc)), extents, size)


@distribution
def truncated_normal(
    source: Source, loc: Any = 0.0, scale: Any = 1.0, low: Any = -2.0, high: Any = 2.0,
    size: Any = None, dtype: str | None = None,
) -> Any:  # fmt: skip
    """Normal numbers between loc + ``low`` scale and loc + ``high`` scale.

    By the inverse of the distribution function, computed in float64 on the side where the tail is
    small; the bounds may be infinite.
    """
    extents, kind, (loc, scale) = _start(size, dtype, loc, scale)
    low, high = floating("float64", *variables(low, high))
    extents = extents if size is not None else extents_of(None, loc, scale, low, high)
    turned = apply("gt", low, np.float64(0.0))
    first = apply("switch", turned, -high, low)
    last = apply("switch", turned, -low, high)
    below, above = _normal_below(first), _normal_below(last)
    p = below + (above - below) * source.draw("open", extents, "float64")
    z = apply("erfcinv", np.float64(2.0) * p) * np.float64(-math.sqrt(2.0))
    z = apply("clip", apply("switch", turned, -z, z), low, high)
    return shaped(loc + scale * cast(z, kind), extents, size)


def _normal_below(x: Any) -> Any:
    """The probability that a standard normal is less than ``x``."""
    return np.float64(0.5) * apply("erfc", x * np.float64(-math.sqrt(0.5)))


# powers of exponentials --------------------------------------------------------------------------


@distribution
def weibull(source: Source, a: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Weibull numbers of shape ``a``: E^(1/a)."""
    extents, kind, (a,) = _start(size, dtype, a)
    power = apply("true_div", _number(1.0, a), a)
    return shaped(_exponential(source, extents, kind) ** power, extents, size)


@distribution
def rayleigh(source: Source, scale: Any = 1.0, size: Any = None,
             dtype: str | None = None) -> Any:  # fmt: skip
    """Rayleigh numbers: scale sqrt(2 E)."""
    extents, kind, (scale,) = _start(size, dtype, scale)
    root = apply("sqrt", _number(2.0, scale) * _exponential(source, extents, kind))
    return shaped(scale * root, extents, size)


@distribution
def pareto(source: Source, a: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Pareto II (Lomax) numbers of shape ``a``: exp(E / a) - 1."""
    extents, kind, (a,) = _start(size, dtype, a)
    sample = apply("expm1", _exponential(source, extents, kind) / a)
    return shaped(sample, extents, size)


# gamma and its family ----------------------------------------------------------------------------


def _gamma(source: Source, extents: Any, kind: str, shape: Any) -> Any:
    return source.sampler("gamma", extents, kind, shape)


@distribution
def gamma(source: Source, shape: Any, scale: Any = 1.0, size: Any = None,
          dtype: str | None = None) -> Any:  # fmt: skip
    """Gamma numbers; gradients flow to ``scale``, not to ``shape``."""
    extents, kind, (shape, scale) = _start(size, dtype, shape, scale)
    return shaped(scale * _gamma(source, extents, kind, shape), extents, size)


@distribution
def chisquare(source: Source, df: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Chi-square numbers of ``df`` degrees of freedom."""
    extents, kind, (df,) = _start(size, dtype, df)
    half = df * _number(0.5, df)
    return shaped(_number(2.0, df) * _gamma(source, extents, kind, half), extents, size)


@distribution
def standard_t(source: Source, df: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Student's t numbers of ``df`` degrees of freedom."""
    extents, kind, (df,) = _start(size, dtype, df)
    half = df * _number(0.5, df)
    ratio = half / _gamma(source, extents, kind, half)
    return shaped(source.draw("normal", extents, kind) * apply("sqrt", ratio), extents, size)


@distribution
def beta(source: Source, a: Any, b: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Beta numbers: x / (x + y) of gamma numbers of shapes ``a`` and ``b``."""
    extents, kind, (a, b) = _start(size, dtype, a, b)
    x, y = _gamma(source, extents, kind, a), _gamma(source, extents, kind, b)
    return shaped(x / (x + y), extents, size)


@distribution
def dirichlet(source: Source, alpha: Any, size: Any = None, dtype: str | None = None) -> Any:
    """Probabilities along the last axis; ``size`` is the shape of what comes before it."""
    alpha = as_tensor_variable(alpha)
    kind = float_dtype(dtype, alpha)
    if alpha.type.ndim == 0:
        raise TypeError(f"dirichlet: alpha must have an axis of categories, got {alpha.type}")
    extents = _before(size, alpha, "dirichlet")
    numbers = _gamma(source, (*extents, size_of(alpha, alpha.type.ndim - 1)), kind, alpha)
    return numbers / numbers.sum(axis=-1, keepdims=True)


@distribution
def vonmises(source: Source, mu: Any, kappa: Any, size: Any = None,
             dtype: str | None = None) -> Any:  # fmt: skip
    """Von Mises angles around ``mu``, from -π to π."""
    extents, kind, (mu, kappa) = _start(size, dtype, mu, kappa)
    angle = mu + source.sampler("vonmises", extents, kind, kappa)
    turn, half = _number(2 * math.pi, mu), _number(math.pi, mu)
    return shaped(apply("mod", angle + half, turn) - half, extents, size)


# integers ----------------------------------------------------------------------------------------


@distribution
def bernoulli(source: Source, p: Any = 0.5, size: Any = None, dtype: str = "int64") -> Any:
    """1 with probability ``p``, else 0; p is compared with 24 (float32) or 53 bits."""
    p = undefined_grad(as_tensor_variable(p))
    extents = extents_of(size, p)
    kind = p.type.dtype if p.type.dtype in ("float16", "float32") else "float64"
    u = source.draw("uniform", extents, kind)
    return shaped(cast(apply("lt", u, cast(p, kind)), dtypes.dtype_name(dtype)), extents, size)


@distribution
def integers(source: Source, low: Any, high: Any = None, size: Any = None, dtype: str = "int64",
             endpoint: bool = False) -> Any:  # fmt: skip
    """Integers from ``low`` to ``high`` - 1, or to ``high`` with ``endpoint``.

    With one bound, from 0 to it. Probabilities are equal up to 2^-64. An empty range gives
    ``low``.
    """
    if high is None:
        low, high = 0, low
    low, high = variables(low, high)
    for x in (low, high):
        if x.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"integers: the bounds must be integers, got {x} of type {x.type}")
    extents = extents_of(size, low, high)
    width = cast(high, "uint64") - cast(low, "uint64")
    if endpoint:
        width = width + np.uint64(1)
    sample = cast(low, "int64") + cast(source.below(extents, width), "int64")
    return shaped(cast(sample, dtypes.dtype_name(dtype)), extents, size)


@distribution
def geometric(source: Source, p: Any, size: Any = None, dtype: str = "int64") -> Any:
    """How many trials of success probability ``p`` it takes to succeed: 1, 2, …"""
    p = undefined_grad(cast(as_tensor_variable(p), "float64"))
    extents = extents_of(size, p)
    tries = apply("ceil", -_exponential(source, extents, "float64") / apply("log1p", -p))
    tries = apply("maximum", tries, np.float64(1.0))
    return shaped(cast(tries, dtypes.dtype_name(dtype)), extents, size)


@distribution
def poisson(source: Source, lam: Any = 1.0, size: Any = None, dtype: str = "int64") -> Any:
    """Poisson numbers of mean ``lam``."""
    lam = as_tensor_variable(lam)
    return source.sampler("poisson", extents_of(size, lam), dtypes.dtype_name(dtype), lam)


@distribution
def binomial(source: Source, n: Any, p: Any, size: Any = None, dtype: str = "int64") -> Any:
    """How many of ``n`` trials succeed, each with probability ``p``."""
    n, p = variables(n, p)
    return source.sampler("binomial", extents_of(size, n, p), dtypes.dtype_name(dtype), n, p)


@distribution
def negative_binomial(source: Source, n: Any, p: Any, size: Any = None,
                      dtype: str = "int64") -> Any:  # fmt: skip
    """How many trials fail before ``n`` succeed: Poisson of a gamma mean."""
    n, p = floating("float64", *variables(n, p))
    extents = extents_of(size, n, p)
    mean = _gamma(source, extents, "float64", n) * (np.float64(1.0) - p) / p
    return source.sampler("poisson", extents, dtypes.dtype_name(dtype), mean)


# categories --------------------------------------------------------------------------------------


def _before(size: Any, x: Any, name: str) -> tuple[Any, ...]:
    """``size``, or the shape of ``x`` without its last axis."""
    given = tuple(sizes.simple(n) for n in sizes_of(x)[:-1])
    if size is None:
        return given
    extents = extents_of(size)
    if len(extents) < len(given):
        raise ValueError(f"{name}: size {size} has fewer dimensions than {x.type} before its last")
    return extents


@distribution
def categorical(source: Source, p: Any = None, logits: Any = None, size: Any = None,
                dtype: str = "int64") -> Any:  # fmt: skip
    """Positions along the last axis, with probabilities ``p`` or proportional to exp(``logits``).

    The position of the maximum of logits + Gumbel numbers: one fused reduction. ``p`` need not add
    up to 1.
    """
    if (p is None) == (logits is None):
        raise TypeError("categorical: give p or logits")
    weights = undefined_grad(as_tensor_variable(p if logits is None else logits))
    if weights.type.ndim == 0:
        raise TypeError(f"categorical: there must be an axis of categories, got {weights.type}")
    kind = float_dtype(None, weights)
    scores = cast(weights, kind)
    scores = apply("log", scores) if logits is None else scores
    extents = (*_before(size, weights, "categorical"), size_of(weights, weights.type.ndim - 1))
    noise = -apply("log", _exponential(source, extents, kind))
    return cast(apply("argmax", scores + noise, axis=-1), dtypes.dtype_name(dtype))


@distribution
def multinomial(source: Source, n: Any, p: Any, size: Any = None, dtype: str = "int64") -> Any:
    """Counts of ``n`` trials over the categories of the last axis of ``p``.

    One binomial number per category, given those before it; so the number of categories must be
    known when the graph is built (ValueError; ``theano.tensor.specify_shape`` tells).
    """
    n, p = as_tensor_variable(n), cast(as_tensor_variable(p), "float64")
    count = None if p.type.ndim == 0 else p.type.shape[-1]
    if count is None and p.type.ndim and sizes.known(extract_constant(p.shape[-1])) is not None:
        count = int(extract_constant(p.shape[-1]))
    if count is None:
        raise ValueError(f"multinomial: the number of categories of {p} ({p.type}) is not known")
    extents = extents_of(size, n, p[..., 0] if p.type.ndim > 1 else as_tensor_variable(0))
    left, rest, found = n, np.float64(1.0), []
    for i in range(count - 1):
        share = apply("clip", p[..., i] / rest, np.float64(0.0), np.float64(1.0))
        share = apply("switch", apply("isnan", share), np.float64(0.0), share)
        hits = source.sampler("binomial", extents, "int64", left, share)
        found.append(hits)
        left, rest = left - hits, rest - p[..., i]
    found.append(left if found else left + source.below(extents, np.uint64(1)))
    return cast(apply("stack", found, axis=-1), dtypes.dtype_name(dtype))


@distribution
def permutation(source: Source, x: Any) -> Any:
    """0 … x - 1 in random order, or the rows of an array ``x``."""
    x = as_tensor_variable(x)
    count = x if x.type.ndim == 0 else size_of(x, 0)
    order = _order(source.draw("bits", (sizes.simple(count),), "uint64"))
    return order if x.type.ndim == 0 else x[order]


def _order(keys: Any) -> Any:
    return apply("argsort", keys)


@distribution
def choice(source: Source, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> Any:
    """Elements (rows) of ``a``, or of 0 … a - 1, with probabilities ``p`` (None: equal).

    ``size`` None gives a single one. Without replacement: the first of a permutation; with ``p``
    the largest of log p + Gumbel numbers, which is drawing one after the other (J. Vieira, 2014).
    """
    a = as_tensor_variable(a)
    count = sizes.simple(a) if a.type.ndim == 0 else size_of(a, 0)
    extents = extents_of(size)
    if replace and p is None:
        width = cast(sizes.variable(count), "uint64")
        found = cast(source.below(extents, width), "int64")
    elif replace:
        p = undefined_grad(as_tensor_variable(p))
        noise = -apply("log", _exponential(source, (*extents, count), "float64"))
        found = apply("argmax", apply("log", cast(p, "float64")) + noise, axis=-1)
    else:
        found = _without_replacement(source, count, extents, p)
    return found if a.type.ndim == 0 else a[found]


def _without_replacement(source: Source, count: Any, extents: Any, p: Any) -> Any:
    wanted = sizes.product(extents)
    if isinstance(wanted, int) and isinstance(count, int) and wanted > count:
        raise ValueError(f"choice: {wanted} of {count} without replacement is not possible")
    if p is None:
        order = _order(source.draw("bits", (count,), "uint64"))
    else:
        race = _exponential(source, (count,), "float64") / cast(as_tensor_variable(p), "float64")
        order = _order(race)
    return apply("reshape", order[:wanted], sizes.vector(extents), ndim=len(extents))


__all__ = ["DISTRIBUTIONS", "distribution", *DISTRIBUTIONS]
