"""Samplers that need an unknown number of Philox blocks for each element: rejection, searches.

They run in NumPy, all elements at once, on the words that `Philox` has: attempt t of element i uses
the block with t in the upper half of the counter's second word. So the numbers do not depend on the
backend, the number of threads, or each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np

from theano.core.record import dataclass
from theano.graph.nodes import Apply
from theano.graph.null_types import grad_undefined
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.random_philox import _Counted, block_words, unit

_ATTEMPTS: Final = 2**16
_TWO_PI: Final = 2 * np.pi


class _Blocks:
    """The blocks of one call."""

    def __init__(self, key: Any, call: Any, count: int) -> None:
        self.key, self.call, self.count = key, call, count

    def all(self) -> Any:
        """The positions of all elements."""
        return np.arange(self.count)

    def uniforms(self, index: Any, attempt: int) -> tuple[Any, Any]:
        """Two float64 numbers in [0, 1) for each of these elements."""
        if attempt >= _ATTEMPTS:
            raise RuntimeError("a rejection sampler rejects everything: are parameters NaN?")
        a, b, c, d = block_words(self.key, self.call, index, attempt)
        return unit(a, b), unit(c, d)

    def normals(self, index: Any, attempt: int) -> Any:
        """A standard normal for each of these elements."""
        u, v = self.uniforms(index, attempt)
        return np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(_TWO_PI * v)


def _demand(condition: Any, name: str, what: str) -> None:
    if not np.all(condition):
        raise ValueError(f"{name}: {what}")


def _gamma(blocks: _Blocks, shape: Any) -> Any:
    """G. Marsaglia, W. Tsang, "A Simple Method for Generating Gamma Variables", ACM TOMS 26 (2000).

    Shapes below 1 take a gamma number of shape + 1 times u^(1 / shape).
    """
    _demand(shape > 0, "gamma", "the shape must be positive")
    small = shape < 1
    d = np.where(small, shape + 1.0, shape) - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    out, todo, attempt = np.empty(blocks.count), blocks.all(), 0
    while todo.size:
        x = blocks.normals(todo, attempt)
        u, boost = blocks.uniforms(todo, attempt + 1)
        dt = d[todo]
        with np.errstate(all="ignore"):
            v = (1.0 + c[todo] * x) ** 3
            good = (v > 0) & (np.log(1.0 - u) < 0.5 * x * x + dt - dt * v + dt * np.log(v))
            value = np.where(small[todo], dt * v * (1.0 - boost) ** (1.0 / shape[todo]), dt * v)
        out[todo[good]] = value[good]
        todo, attempt = todo[~good], attempt + 2
    return out


def _poisson(blocks: _Blocks, lam: Any) -> Any:
    """Searched from 0 below a mean of 10, else by W. Hörmann, "The Transformed Rejection Method for
    Generating Poisson Random Variables", Insurance: Mathematics and Economics 12 (1993)."""
    _demand((lam >= 0) & (lam < 2.0**53), "poisson", "the mean must be from 0 to 2^53")
    out, index = np.zeros(blocks.count), blocks.all()
    small = index[lam < 10]
    out[small] = _poisson_search(blocks.uniforms(small, 0)[0], lam[small])
    large = index[lam >= 10]
    mean = lam[large]
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    shift, scale = 0.9277 - 3.6224 / (b - 2.0), np.log(1.1239 + 1.1328 / (b - 3.4))
    log_mean = np.log(mean)

    def density(where: Any, k: Any) -> Any:
        return k * log_mean[where] - mean[where] - _log_factorial(k)

    table = (a, b, mean + 0.43, shift, scale, np.full(mean.shape, np.inf))
    out[large] = _transformed_rejection(blocks, large, table, density)
    return out


def _poisson_search(u: Any, lam: Any) -> Any:
    k = np.zeros(u.shape)
    term = np.exp(-lam)
    total, todo = term.copy(), np.arange(u.size)
    while todo.size:
        todo = todo[(u[todo] >= total[todo]) & (k[todo] < 200)]
        k[todo] += 1
        term[todo] *= lam[todo] / k[todo]
        total[todo] += term[todo]
    return k


def _transformed_rejection(
    blocks: _Blocks, index: Any, table: Sequence[Any], density: Callable[[Any, Any], Any]
) -> Any:
    """Hörmann's loop: ``table`` has a, b, centre, the bound of the quick test, the logarithm of the
    hat's factor, and the largest value; ``density`` the logarithms of probabilities."""
    a, b, centre, quick, factor, most = table
    out, todo, attempt = np.empty(index.size), np.arange(index.size), 0
    while todo.size:
        u, v = blocks.uniforms(index[todo], attempt)
        u, v = u - 0.5, 1.0 - v
        s = 0.5 - np.abs(u)
        with np.errstate(all="ignore"):
            k = np.floor((2.0 * a[todo] / s + b[todo]) * u + centre[todo])
            inside = (k >= 0) & (k <= most[todo])
            hat = np.log(v) + factor[todo] - np.log(a[todo] / (s * s) + b[todo])
            exact = hat <= density(todo, np.where(inside, k, 0.0))
        good = ((s >= 0.07) & (v <= quick[todo])) | (inside & exact)
        good &= inside
        out[todo[good]] = k[good]
        todo, attempt = todo[~good], attempt + 1
    return out


def _log_factorial(k: Any) -> Any:
    from scipy.special import gammaln

    return gammaln(k + 1.0)


def _binomial(blocks: _Blocks, n: Any, p: Any) -> Any:
    """Searched from 0 below a mean of 10, else by W. Hörmann, "The Generation of Binomial Random
    Variates", Journal of Statistical Computation and Simulation 46 (1993)."""
    _demand((n >= 0) & (p >= 0) & (p <= 1), "binomial", "n must not be negative, p in [0, 1]")
    n = np.floor(n)
    turned = p > 0.5
    q = np.where(turned, 1.0 - p, p)
    out, index = np.zeros(blocks.count), blocks.all()
    small = index[n * q < 10]
    out[small] = _binomial_search(blocks.uniforms(small, 0)[0], n[small], q[small])
    large = index[n * q >= 10]
    out[large] = _binomial_rejection(blocks, large, n[large], q[large])
    return np.where(turned, n - out, out)


def _binomial_search(u: Any, n: Any, p: Any) -> Any:
    k, odds = np.zeros(u.shape), p / (1.0 - p)
    term = (1.0 - p) ** n
    total, todo = term.copy(), np.arange(u.size)
    while todo.size:
        todo = todo[(u[todo] >= total[todo]) & (k[todo] < n[todo]) & (k[todo] < 200)]
        k[todo] += 1
        term[todo] *= odds[todo] * (n[todo] - k[todo] + 1.0) / k[todo]
        total[todo] += term[todo]
    return k


def _binomial_rejection(blocks: _Blocks, index: Any, n: Any, p: Any) -> Any:
    spread = np.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    quick, factor = 0.92 - 4.2 / b, np.log((2.83 + 5.1 / b) * spread)
    odds, mode = np.log(p / (1.0 - p)), np.floor((n + 1.0) * p)
    top = _log_factorial(mode) + _log_factorial(n - mode)

    def density(where: Any, k: Any) -> Any:
        rest = _log_factorial(k) + _log_factorial(n[where] - k)
        return top[where] - rest + (k - mode[where]) * odds[where]

    table = (a, b, n * p + 0.5, quick, factor, n)
    return _transformed_rejection(blocks, index, table, density)


def _vonmises(blocks: _Blocks, kappa: Any) -> Any:
    """D. Best, N. Fisher, "Efficient Simulation of the von Mises Distribution", Applied Statistics
    28 (1979); for tiny kappa uniform, for huge kappa normal."""
    _demand(kappa >= 0, "vonmises", "kappa must not be negative")
    out, index = np.empty(blocks.count), blocks.all()
    tiny, huge = kappa < 1e-6, kappa > 1e6
    out[tiny] = (blocks.uniforms(index[tiny], 0)[0] - 0.5) * _TWO_PI
    out[huge] = blocks.normals(index[huge], 0) / np.sqrt(kappa[huge])
    todo, attempt = index[~(tiny | huge)], 0
    root = 1.0 + np.sqrt(1.0 + 4.0 * kappa * kappa)
    with np.errstate(all="ignore"):
        rho = (root - np.sqrt(2.0 * root)) / (2.0 * kappa)
        centre = (1.0 + rho * rho) / (2.0 * rho)
    while todo.size:
        u, v = blocks.uniforms(todo, attempt)
        v = 1.0 - v
        side = blocks.uniforms(todo, attempt + 1)[0]
        s, k = centre[todo], kappa[todo]
        z = np.cos(np.pi * u)
        w = np.clip((1.0 + s * z) / (s + z), -1.0, 1.0)
        y = k * (s - w)
        with np.errstate(all="ignore"):
            good = (y * (2.0 - y) - v > 0) | (np.log(y / v) + 1.0 - y >= 0)
        value = np.where(side < 0.5, -np.arccos(w), np.arccos(w))
        out[todo[good]] = value[good]
        todo, attempt = todo[~good], attempt + 2
    return out


@dataclass(frozen=True, slots=True)
class Sampler:
    """``draw(blocks, *params)``: params are flat float64 arrays, one number per element."""

    draw: Callable[..., Any]
    params: int
    why: str


_REJECTION: Final = "rejection: each element needs another number of blocks"
SAMPLERS: Final[Mapping[str, Sampler]] = MappingProxyType({
    "gamma": Sampler(_gamma, 1, _REJECTION),
    "poisson": Sampler(_poisson, 1, _REJECTION),
    "binomial": Sampler(_binomial, 2, _REJECTION),
    "vonmises": Sampler(_vonmises, 1, _REJECTION),
})  # fmt: skip


class PhiloxSampler(_Counted):
    """A sample of one of `SAMPLERS`: inputs are key, call, extents, and the parameters.

    Raises ValueError at run time for parameters outside of their range, and where they do not
    broadcast to the extents.
    """

    __props__: ClassVar[tuple[str, ...]] = ("kind", "dtype")
    lowering = "python"
    why = _REJECTION

    def __init__(self, kind: str, dtype: str) -> None:
        if kind not in SAMPLERS:
            raise ValueError(f"PhiloxSampler: kind must be one of {list(SAMPLERS)}, not {kind!r}")
        self.kind, self.dtype = kind, dtype
        self.why = SAMPLERS[kind].why

    def make_node(self, key: Any, call: Any, *rest: Any) -> Apply:
        count = len(rest) - SAMPLERS[self.kind].params
        inputs = self._inputs(key, call, rest[:count])
        params = [as_tensor_variable(x) for x in rest[count:]]
        for x in params:
            if x.type.ndim > count:
                raise ValueError(
                    f"{self.kind}: a parameter of type {x.type} does not broadcast to a sample of "
                    f"{count} dimensions"
                )
        kind = TensorType(self.dtype, shape=tuple(map(sizes.known, inputs[2:])))
        return Apply(self, [*inputs, *params], [kind()])

    def reference(self, node: Apply, key: Any, call: Any, *rest: Any) -> Any:
        rank = node.outputs[0].type.ndim
        shape = tuple(map(int, rest[:rank]))
        if any(n < 0 for n in shape):
            raise ValueError(f"{self}: an extent is negative: {shape}")
        params = [
            np.broadcast_to(np.asarray(x, np.float64), shape).reshape(-1) for x in rest[rank:]
        ]
        blocks = _Blocks(key, call, int(np.prod(shape, dtype=np.int64)))
        return SAMPLERS[self.kind].draw(blocks, *params).reshape(shape)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Samples depend on the parameters, though nobody has a derivative."""
        rank = node.outputs[0].type.ndim
        return [[i >= 2 + rank] for i in range(len(node.inputs))]

    def grad(self, inputs: Sequence[Any], output_grads: Sequence[Any]) -> Any:
        text = f"There is no gradient with respect to the parameters of {self.kind} numbers."
        return [grad_undefined(self, i, x, text) for i, x in enumerate(inputs)]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        rank = node.outputs[0].type.ndim
        return [tuple(map(sizes.simple, node.inputs[2 : 2 + rank]))]


__all__ = ["SAMPLERS", "PhiloxSampler", "Sampler"]
