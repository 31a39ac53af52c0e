"""Batch normalization.

>>> import theano.tensor as T
>>> from theano.tensor.nnet import bn
>>> x, gamma, beta = T.matrix(), T.vector(), T.vector()
>>> out, mean, invstd = bn.batch_normalization_train(x, gamma, beta)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.core.config import config
from theano.graph.registry import apply
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.batchnorm import (
    BatchNorm,
    checked_epsilon,
    normalized_axes,
    running,
    unbiased,
    with_rank,
)

__all__ = [
    "AbstractBatchNormInference", "AbstractBatchNormTrain", "AbstractBatchNormTrainGrad",
    "batch_normalization", "batch_normalization_test", "batch_normalization_train",
]  # fmt: skip


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Any:
    """``(inputs - mean) * gamma / std + beta``: the oldest interface, which takes the deviation.

    ``mode`` ("low_mem" or "high_mem") makes no difference: the expression is one kernel, and what
    its gradient needs is computed again. ValueError for other modes.
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError(f'mode must be either "low_mem", "high_mem", got {mode!r}')
    inputs, gamma, beta, mean, std = map(as_tensor_variable, (inputs, gamma, beta, mean, std))
    return (inputs - mean) * (gamma / std) + beta


def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: Any = 1e-4,
    running_average_factor: Any = 0.1, running_mean: Any = None, running_var: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """Normalise by the statistics of the batch.

    Parameters
    ----------
    inputs : tensor of floats (ints become floatX).
    gamma, beta : scale and shift; of the rank of ``inputs`` with extent 1 along ``axes``, or with
        one axis for each that is not in ``axes``.
    axes : "per-activation" (the first axis), "spatial" (all but the second), or a tuple of ints.
    epsilon : added to the variance; at least 1e-5 (else ValueError).
    running_average_factor : the weight of this batch in the running averages.
    running_mean, running_var : the averages so far, of a shape as for ``gamma``; None: not wanted.

    Returns (out, mean, invstd), and after them the new running mean and the new running variance,
    each where its old one was given: ``old (1 - factor) + factor new`` with the variance times
    m / (m - 1), m elements being averaged (1 for one element). The statistics have the rank of
    ``gamma``; the averages have the types of the old ones, so that they may update shared
    variables.
    """
    x = _floats(inputs)
    where = normalized_axes(axes, x.type.ndim)
    given = [as_tensor_variable(v) for v in (gamma, beta)]
    if given[0].type.ndim != given[1].type.ndim:
        raise ValueError(f"gamma and beta differ in rank: {given[0].type}, {given[1].type}")
    wide = [with_rank(v, x.type.ndim, where, "gamma and beta") for v in given]
    out, mean, invstd, variance = BatchNorm(where)(x, *wide, checked_epsilon(epsilon))
    results = [out, *(_narrow(v, given[0].type.ndim, where) for v in (mean, invstd))]
    factor = cast(as_tensor_variable(running_average_factor), x.type.dtype)
    if running_mean is not None:
        results.append(running(as_tensor_variable(running_mean), mean, factor, where))
    if running_var is not None:
        spread = unbiased(variance, x, where)
        results.append(running(as_tensor_variable(running_var), spread, factor, where))
    return tuple(results)


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation",
    epsilon: Any = 1e-4,
) -> Any:  # fmt: skip
    """Normalise by given statistics: ``(inputs - mean) gamma / sqrt(var + epsilon) + beta``.

    Parameters are those of `batch_normalization_train`; ``mean`` and ``var`` have shapes as
    ``gamma``.
    """
    x = _floats(inputs)
    where = normalized_axes(axes, x.type.ndim)
    gamma, beta, mean, var = (
        with_rank(v, x.type.ndim, where, name)
        for v, name in ((gamma, "gamma and beta"), (beta, "gamma and beta"),
                        (mean, "mean and var"), (var, "mean and var"))
    )  # fmt: skip
    epsilon = cast(as_tensor_variable(checked_epsilon(epsilon)), x.type.dtype)
    return (x - mean) * (gamma / apply("sqrt", var + epsilon)) + beta


def _floats(inputs: Any) -> Any:
    x = as_tensor_variable(inputs)
    return x if x.type.dtype.startswith("float") else cast(x, config.floatX)


def _narrow(v: Any, ndim: int, axes: Sequence[int]) -> Any:
    if v.type.ndim == ndim:
        return v
    return apply("dimshuffle", v, *(i for i in range(v.type.ndim) if i not in axes))


class AbstractBatchNormTrain:
    """``AbstractBatchNormTrain(axes)(x, scale, bias, epsilon, factor, mean, var)``: what
    `batch_normalization_train` gives, as a list."""

    def __init__(self, axes: Any = (0,)) -> None:
        self.axes = axes

    def __call__(
        self, x: Any, scale: Any, bias: Any, epsilon: Any = 1e-4,
        running_average_factor: Any = 0.1, running_mean: Any = None, running_var: Any = None,
    ) -> list[Any]:  # fmt: skip
        return list(batch_normalization_train(
            x, scale, bias, self.axes, epsilon, running_average_factor, running_mean, running_var
        ))  # fmt: skip


class AbstractBatchNormInference:
    """``AbstractBatchNormInference(axes)(x, scale, bias, mean, variance, epsilon)``: what
    `batch_normalization_test` gives."""

    def __init__(self, axes: Any = (0,)) -> None:
        self.axes = axes

    def __call__(
        self, x: Any, scale: Any, bias: Any, estimated_mean: Any, estimated_variance: Any,
        epsilon: Any = 1e-4,
    ) -> Any:  # fmt: skip
        return batch_normalization_test(
            x, scale, bias, estimated_mean, estimated_variance, self.axes, epsilon
        )


class AbstractBatchNormTrainGrad:
    """``AbstractBatchNormTrainGrad(axes)(x, dy, scale, x_mean, x_invstd, epsilon)``: the gradients
    with respect to ``x``, the scale and the bias, where the output's is ``dy``."""

    def __init__(self, axes: Any = (0,)) -> None:
        self.axes = axes

    def __call__(
        self, x: Any, dy: Any, scale: Any, x_mean: Any, x_invstd: Any, epsilon: Any = 1e-4
    ) -> list[Any]:
        del epsilon  # x_invstd knows it
        x, dy = as_tensor_variable(x), as_tensor_variable(dy)
        where = normalized_axes(self.axes, x.type.ndim)
        scale, mean, invstd = (
            with_rank(v, x.type.ndim, where, "statistics") for v in (scale, x_mean, x_invstd)
        )
        standard, around = (x - mean) * invstd, scale * dy
        means = [apply("mean", v, axis=where, keepdims=True) for v in (around, around * standard)]
        dx = (around - means[0] - standard * means[1]) * invstd
        sums = [apply("sum", v, axis=where, keepdims=True) for v in (dy * standard, dy)]
        return [dx, *sums]
