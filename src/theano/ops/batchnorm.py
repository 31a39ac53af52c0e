"""Batch normalization: means and variances over axes, and what normalises by them.

Formulas: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing
Internal Covariate Shift", ICML 2015. Variances are of deviations from the mean (two passes), so
that large means cost no precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.extents import disconnected, size_of
from theano.ops.reduce_ops import axes_of
from theano.ops.shape_checks import addbroadcast, patternbroadcast

#: the least epsilon that is taken
LEAST_EPSILON = 1e-5


def normalized_axes(axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes that means are taken over: "per-activation" is the first, "spatial" all but the
    second; else ints. ValueError for others.

    >>> normalized_axes("spatial", 4)
    (0, 2, 3)
    """
    if isinstance(axes, str):
        named = {"per-activation": (0,), "spatial": (0, *range(2, ndim))}
        if axes not in named:
            raise ValueError(f"invalid axes: {axes!r} is none of {list(named)}, nor ints")
        return named[axes]
    if isinstance(axes, (int, np.integer)):
        axes = (int(axes),)
    if not isinstance(axes, (tuple, list)) or not all(
        isinstance(a, (int, np.integer)) for a in axes
    ):
        raise ValueError(f"invalid axes: {axes!r}; give ints, 'per-activation' or 'spatial'")
    found = axes_of(tuple(int(a) for a in axes), ndim)
    if not found:
        raise ValueError("invalid axes: there must be one at least")
    return found


def checked_epsilon(epsilon: Any) -> Any:
    """``epsilon`` as a variable; ValueError for a number below 1e-5."""
    if isinstance(epsilon, (int, float, np.number, np.ndarray)) and (
        np.any(np.float32(epsilon) < np.float32(LEAST_EPSILON))
    ):
        raise ValueError(f"epsilon must be at least {LEAST_EPSILON}, got {epsilon}")
    return epsilon


class BatchNorm(TensorOp):
    """Inputs (x, gamma, beta, epsilon); outputs (normalised, mean, 1 / deviation, variance).

    ``gamma`` and ``beta`` have the rank of ``x`` and are broadcastable along ``axes``; so are the
    statistics.
    """

    __props__: ClassVar[tuple[str, ...]] = ("axes",)
    lowering = "expand"

    def __init__(self, axes: Sequence[int]) -> None:
        self.axes = tuple(int(a) for a in axes)

    def make_node(self, x: Any, gamma: Any, beta: Any, epsilon: Any) -> Apply:
        x, gamma, beta = (as_tensor_variable(v) for v in (x, gamma, beta))
        kind = x.type.dtype
        if kind not in dtypes.FLOAT:
            raise TypeError(f"batch normalization is of floats, got {x} of dtype {kind}")
        for name, v in (("gamma", gamma), ("beta", beta)):
            if v.type.ndim != x.type.ndim:
                raise TypeError(f"{name} has rank {v.type.ndim}, the inputs {x.type.ndim}")
        statistic = _statistic_type(x, self.axes)
        epsilon = cast(as_tensor_variable(epsilon), kind)
        inputs = [x, _fitted(gamma, self.axes), _fitted(beta, self.axes), epsilon]
        return Apply(self, inputs, [_output_type(*inputs[:3]), *(statistic() for _ in range(3))])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = input_shapes[0]
        kept = tuple(1 if i in self.axes else n for i, n in enumerate(shape))
        return [tuple(shape), kept, kept, kept]

    def expand(self, node: Apply) -> list[Any]:
        """Two reductions and a map."""
        inputs: list[Any] = list(node.inputs)
        x, gamma, beta, epsilon = inputs
        mean = _mean(x, self.axes)
        deviation = x - mean
        variance = _mean(apply("sqr", deviation), self.axes)
        invstd = apply("inv", apply("sqrt", variance + epsilon))
        out = cast(deviation * (gamma * invstd) + beta, node.outputs[0].type.dtype)
        found = [out, *(cast(v, x.type.dtype) for v in (mean, invstd, variance))]
        return [
            patternbroadcast(v, o.type.broadcastable)
            for v, o in zip(found, node.outputs, strict=True)
        ]

    def reference(self, node: Apply, x: Any, gamma: Any, beta: Any, epsilon: Any) -> Any:
        wide = x.astype("float32") if x.dtype == "float16" else x
        with np.errstate(all="ignore"):
            mean = wide.mean(axis=self.axes, keepdims=True)
            variance = np.square(wide - mean).mean(axis=self.axes, keepdims=True)
            invstd = 1 / np.sqrt(variance + epsilon)
            return (wide - mean) * (gamma * invstd) + beta, mean, invstd, variance

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Statistics know the inputs only, and the deviation epsilon."""
        return [
            [True] * 4, [True, False, False, False], [True, False, False, False],
            [True, False, True, False],
        ]  # fmt: skip

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """With x' = (x - mean) / deviation and means over ``axes``: dx of the normalised output is
        gamma / deviation (g - mean(g) - x' mean(g x'))."""
        (x, gamma, beta, _), (_, mean, invstd, _) = inputs, outputs
        g, g_mean, g_invstd, g_variance = (
            None if isinstance(v.type, DisconnectedType) else v for v in output_grads
        )
        standard = (x - mean) * invstd
        parts: list[Any] = []
        by_epsilon: list[Any] = []
        terms: list[Any] = [disconnected(), disconnected()]
        if g is not None:
            around = gamma * g
            inner = _mean(around, self.axes) + standard * _mean(around * standard, self.axes)
            parts.append((around - inner) * invstd)
            terms = [_summed(g * standard, gamma), _summed(g, beta)]
            by_epsilon.append(apply("sum", around * standard * apply("sqr", invstd)) * -0.5)
        count = _count(x, self.axes)
        if g_mean is not None:
            parts.append(apply("fill", x, g_mean / count))
        spreads = [] if g_variance is None else [g_variance]
        if g_invstd is not None:
            spreads.append(-0.5 * g_invstd * invstd**3)
            by_epsilon.append(apply("sum", spreads[-1]))
        spread = _total(spreads)
        if spread is not None:
            parts.append(2 * spread * (x - mean) / count)
        dx, d_epsilon = (
            disconnected() if v is None else cast(v, x.type.dtype)
            for v in (_total(parts), _total(by_epsilon))
        )  # fmt: skip
        return [dx, *terms, d_epsilon]

    def __str__(self) -> str:
        return f"BatchNorm{{axes={self.axes}}}"


def _total(terms: list[Any]) -> Any:
    return None if not terms else terms[0] if len(terms) == 1 else apply("add", *terms)


def _statistic_type(x: Any, axes: Sequence[int]) -> TensorType:
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.type.shape))
    return TensorType(x.type.dtype, shape=shape)


def _output_type(x: Any, gamma: Any, beta: Any) -> Any:
    dtype = dtypes.promote(*(v.type.dtype for v in (x, gamma, beta)))
    return TensorType(dtype, shape=x.type.shape)()


def _fitted(v: Any, axes: Sequence[int]) -> Any:
    """A parameter, broadcastable along ``axes`` (checked when the function runs)."""
    return addbroadcast(v, *(a for a in axes if not v.type.broadcastable[a]))


def _mean(x: Any, axes: Sequence[int]) -> Any:
    return apply("mean", x, axis=tuple(axes), keepdims=True)


def _count(x: Any, axes: Sequence[int]) -> Any:
    return cast(sizes.variable(sizes.product(size_of(x, a) for a in axes)), x.type.dtype)


def _summed(g: Any, like: Any) -> Any:
    """The gradient of a parameter that was stretched."""
    axes = tuple(i for i, flag in enumerate(like.type.broadcastable) if flag)
    total = apply("sum", g, axis=axes, keepdims=True) if axes else g
    return cast(total, like.type.dtype)


def with_rank(v: Any, ndim: int, axes: Sequence[int], what: str) -> Any:
    """A parameter with the rank of the inputs; one with an axis for each that is not normalised is
    spread. ValueError for other ranks."""
    v = as_tensor_variable(v)
    kept = [i for i in range(ndim) if i not in axes]
    if v.type.ndim == ndim:
        return _fitted(v, axes)
    if v.type.ndim != len(kept):
        raise ValueError(
            f"{what} dimensionality must match the number of non-normalized axes, or have the same "
            f"number of dimensions as the inputs; got {v.type.ndim} instead of {len(kept)} or "
            f"{ndim}"
        )
    return apply("dimshuffle", v, *(kept.index(i) if i in kept else "x" for i in range(ndim)))


def running(old: Any, new: Any, factor: Any, axes: Sequence[int]) -> Any:
    """``old (1 - factor) + new factor`` with the type of ``old``, so that it may update it."""
    wide = with_rank(old, new.type.ndim, axes, "running_mean and running_var")
    mixed = wide * (1.0 - factor) + new * factor
    if old.type.ndim != new.type.ndim:
        kept = [i for i in range(new.type.ndim) if i not in axes]
        mixed = apply("dimshuffle", mixed, *kept)
    return patternbroadcast(cast(mixed, old.type.dtype), old.type.broadcastable)


def unbiased(variance: Any, x: Any, axes: Sequence[int]) -> Any:
    """The variance of the population: times m / (m - 1) for m elements (one element: as it is)."""
    count = sizes.product(size_of(x, a) for a in axes)
    m = cast(sizes.variable(count), x.type.dtype)
    rest = cast(sizes.variable(sizes.maximum(sizes.sub(count, 1), 1)), x.type.dtype)
    return variance * (m / rest)
