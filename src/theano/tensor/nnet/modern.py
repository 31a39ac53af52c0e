"""What users of today look for: softmax over any axis, smooth rectifiers, layer norm, dropout.

All keep the dtype of floating-point inputs; integers become floatX.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theano.autodiff.modifiers import disconnected_grad
from theano.core import dtypes
from theano.core.config import config
from theano.graph.registry import apply
from theano.ops import softmax as rows
from theano.ops.basic import as_tensor_variable, cast, constant
from theano.ops.reduce_ops import axes_of

__all__ = [
    "dropout", "gelu", "layer_norm", "leaky_relu", "log_softmax", "one_hot", "silu", "softmax",
    "swish",
]  # fmt: skip


def _floats(x: Any) -> Any:
    x = as_tensor_variable(x)
    if x.type.dtype in dtypes.COMPLEX:
        raise TypeError(f"real numbers are wanted, got {x.type}")
    return x if x.type.dtype in dtypes.FLOAT else cast(x, config.floatX)


def _number(value: float, like: Any) -> Any:
    return constant(np.asarray(value, like.type.dtype))


def _shifted(x: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """``x`` less its maximum over ``axis``, which has no influence on a softmax."""
    axes = axes_of(axis, x.type.ndim)
    return x - disconnected_grad(apply("max", x, axis=axes, keepdims=True)), axes


def softmax(c: Any, axis: Any = None) -> Any:
    """The softmax over ``axis``.

    Parameters
    ----------
    c : tensor of floats.
    axis : None: rows of a matrix; a vector is taken as one row and gives a (1, n) matrix, with a
        DeprecationWarning; other ranks and ints are a ValueError. An int or a tuple of ints: over
        these axes, of an array of any rank.

    >>> softmax(np.zeros(4), axis=0).eval().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if axis is None:
        return rows.softmax(c)
    x = _floats(c)
    if x.type.ndim == 2 and axes_of(axis, 2) == (1,):
        return rows.softmax_op(x)
    shifted, axes = _shifted(x, axis)
    e = apply("exp", shifted)
    return e / apply("sum", e, axis=axes, keepdims=True)


def log_softmax(c: Any, axis: Any = -1) -> Any:
    """The logarithm of ``softmax(c, axis)``, without overflow, for an array of any rank.

    >>> float(log_softmax(np.array([1000.0, 0.0])).eval()[1])
    -1000.0
    """
    x = _floats(c)
    if x.type.ndim == 2 and axes_of(axis, 2) == (1,):
        return rows.logsoftmax_op(x)
    shifted, axes = _shifted(x, axis)
    return shifted - apply("log", apply("sum", apply("exp", shifted), axis=axes, keepdims=True))


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x`` times the normal distribution's probability of less than ``x``.

    With ``approximate`` by a tanh (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
    """
    x = _floats(x)
    half = _number(0.5, x)
    if approximate:
        inner = _number(math.sqrt(2 / math.pi), x) * (x + _number(0.044715, x) * x * x * x)
        return half * x * (1 + apply("tanh", inner))
    # erfc, not 1 + erf: exact far below zero, too.
    return half * x * apply("erfc", x * _number(-math.sqrt(0.5), x))


def silu(x: Any, beta: Any = None) -> Any:
    """``x sigmoid(beta x)`` (Ramachandran et al., "Searching for activation functions", 2017)."""
    x = _floats(x)
    return x * apply("sigmoid", x if beta is None else x * beta)


swish = silu


def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """``x`` where positive, else ``negative_slope x``; so is the derivative at 0."""
    x = _floats(x)
    return apply("switch", apply("gt", x, 0), x, x * _number(negative_slope, x))


def layer_norm(
    x: Any, gamma: Any = None, beta: Any = None, axes: Any = -1, epsilon: float = 1e-5
) -> Any:
    """``x`` with mean 0 and variance 1 over ``axes``, times ``gamma``, plus ``beta``.

    Parameters
    ----------
    gamma, beta : tensors that broadcast against ``x``, or None.
    axes : an int or a tuple of ints.
    epsilon : added to the variance.

    Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
    """
    x = _floats(x)
    over = axes_of(axes, x.type.ndim)
    deviation = x - apply("mean", x, axis=over, keepdims=True)
    variance = apply("mean", apply("sqr", deviation), axis=over, keepdims=True)
    out = deviation / apply("sqrt", variance + _number(epsilon, x))
    out = out if gamma is None else out * gamma
    return out if beta is None else out + beta


def dropout(x: Any, rate: Any, rng: Any = None, size: Any = None) -> Any:
    """``x`` with each element set to 0 with probability ``rate``, the others times
    ``1 / (1 - rate)``, so that the expectation stays.

    Parameters
    ----------
    rate : a number in [0, 1) (else ValueError), or a 0-d tensor.
    rng : random streams: a ``RandomStream`` of ``theano.tensor.random``, or Theano's
        ``MRG_RandomStreams`` or ``RandomStreams``. None: a new RandomStream.
    size : the shape of the mask, which broadcasts against ``x``; None: that of ``x``. Whole
        channels are dropped with extents of 1 in their other axes.

    Source: Srivastava et al., "Dropout", JMLR 15, 2014.

    >>> from theano.tensor.random import RandomStream
    >>> y = dropout(np.ones(1000), 0.5, RandomStream(1)).eval()
    >>> sorted(set(y.tolist())), bool(400 < y.sum() / 2 < 600)
    ([0.0, 2.0], True)
    """
    if isinstance(rate, (int, float)) and not 0 <= rate < 1:
        raise ValueError(f"the rate of a dropout must be at least 0 and less than 1, got {rate}")
    x = _floats(x)
    if rng is None:
        from theano.tensor.random import RandomStream

        rng = RandomStream()
    if size is None:
        size = tuple(x.shape[i] for i in range(x.type.ndim))
    kind = "float32" if x.type.dtype == "float16" else x.type.dtype
    noise = rng.uniform(size=size, dtype=kind)
    if isinstance(size, tuple):
        stretched = [i for i, n in enumerate(size) if isinstance(n, int) and n == 1]
        noise = apply("addbroadcast", noise, *stretched) if stretched else noise
    kept = cast(1 - as_tensor_variable(rate), x.type.dtype)
    return apply("switch", apply("lt", noise, kept), x / kept, _number(0, x))


def one_hot(x: Any, num_classes: Any, dtype: str | None = None, axis: int = -1) -> Any:
    """1 in the place that each label names, 0 elsewhere, along a new axis.

    Parameters
    ----------
    x : ints, any rank. Labels outside 0 … num_classes - 1 give zeros only.
    num_classes : an int or a 0-d int tensor.
    dtype : default floatX.
    axis : where the new axis is in the result.

    >>> one_hot([0, 2], 3, dtype="int8").eval().tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    x = as_tensor_variable(x)
    if x.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"labels must be ints, got {x.type}")
    rank = x.type.ndim + 1
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for a result of {rank} axes")
    axis %= rank
    order: list[Any] = list(range(rank - 1))
    order.insert(axis, "x")
    labels = apply("arange", num_classes)
    spread = apply("dimshuffle", labels, *(0 if i == axis else "x" for i in range(rank)))
    hot = apply("eq", apply("dimshuffle", x, *order), spread)
    return cast(hot, dtype or config.floatX)
