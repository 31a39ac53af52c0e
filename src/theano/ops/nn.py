"""Neural-network functions under their public names: activations, softmax, cross-entropies.

References: clevert, unterthiner, hochreiter 2015 (elu); klambauer and others 2017 (selu).
"""

from __future__ import annotations

from typing import Any

from theano.graph import registry
from theano.ops.basic import as_tensor_variable, constant
from theano.ops.creation import alloc
from theano.ops.crossentropy import (
    CrossentropyCategorical1Hot,
    CrossentropyCategorical1HotGrad,
    CrossentropySoftmax1HotWithBiasDx,
    CrossentropySoftmaxArgmax1HotWithBias,
    crossentropy_categorical_1hot,
    crossentropy_categorical_1hot_grad,
    crossentropy_softmax_1hot_with_bias_dx,
    crossentropy_softmax_argmax_1hot_with_bias,
)
from theano.ops.elementwise import (
    OPS,
    abs_,
    expm1,
    hard_sigmoid,
    log,
    minimum,
    sigmoid,
    softplus,
    switch,
    ultra_fast_sigmoid,
)
from theano.ops.extents import shape_i
from theano.ops.nn_labels import (
    CheckedLabels,
    OneHotRows,
    PickColumn,
    checked_labels,
    one_hot_rows,
    pick_column,
)
from theano.ops.reduce import max_and_argmax
from theano.ops.reduce import sum as sum_of
from theano.ops.softmax import (
    LogSoftmax,
    Softmax,
    SoftmaxGrad,
    SoftmaxWithBias,
    logsoftmax,
    logsoftmax_op,
    softmax,
    softmax_grad,
    softmax_graph,
    softmax_op,
    softmax_with_bias,
)

__all__ = [
    "CheckedLabels", "CrossentropyCategorical1Hot", "CrossentropyCategorical1HotGrad",
    "CrossentropySoftmax1HotWithBiasDx", "CrossentropySoftmaxArgmax1HotWithBias", "LogSoftmax",
    "OneHotRows", "PickColumn", "Softmax", "SoftmaxGrad", "SoftmaxWithBias",
    "binary_crossentropy", "categorical_crossentropy", "checked_labels",
    "crossentropy_categorical_1hot", "crossentropy_categorical_1hot_grad",
    "crossentropy_softmax_1hot", "crossentropy_softmax_1hot_with_bias",
    "crossentropy_softmax_1hot_with_bias_dx", "crossentropy_softmax_argmax_1hot_with_bias",
    "crossentropy_softmax_max_and_argmax_1hot",
    "crossentropy_softmax_max_and_argmax_1hot_with_bias", "elu", "hard_sigmoid", "logsoftmax",
    "logsoftmax_op", "one_hot_rows", "pick_column", "relu", "selu", "sigmoid",
    "sigmoid_binary_crossentropy", "softmax", "softmax_grad", "softmax_graph", "softmax_op",
    "softmax_with_bias", "softplus", "softsign", "ultra_fast_sigmoid",
]  # fmt: skip

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def relu(x: Any, alpha: Any = 0) -> Any:
    """The rectifier ``max(x, alpha * x)``, computed as ``0.5 * (x + |x|)`` for ``alpha`` 0.

    Parameters
    ----------
    x : tensor.
    alpha : slope for negative inputs, usually in [0, 1]; a number or a tensor that broadcasts.

    The derivative at 0 is the mean of both sides: 0.5 for ``alpha`` 0.
    """
    x = as_tensor_variable(x)
    if isinstance(alpha, (int, float)) and alpha == 0:
        return 0.5 * (x + abs_(x))
    alpha = as_tensor_variable(alpha)
    return 0.5 * (1 + alpha) * x + 0.5 * (1 - alpha) * abs_(x)


def elu(x: Any, alpha: Any = 1) -> Any:
    """The exponential linear unit: ``x`` where positive, else ``alpha * (exp(x) - 1)``."""
    x = as_tensor_variable(x)
    # The minimum keeps the branch not taken, and its gradient, finite.
    return switch(x > 0, x, alpha * expm1(minimum(x, 0)))


def selu(x: Any) -> Any:
    """The scaled exponential linear unit, whose outputs tend to zero mean and unit variance."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    x = as_tensor_variable(x)
    return x / (1 + abs_(x))


def binary_crossentropy(output: Any, target: Any) -> Any:
    """``-(target log(output) + (1 - target) log(1 - output))``, elementwise.

    ``output`` are probabilities; they are not clipped, so 0 and 1 may give infinities.
    """
    output, target = as_tensor_variable(output), as_tensor_variable(target)
    return -(target * log(output) + (1.0 - target) * log(1.0 - output))


def sigmoid_binary_crossentropy(output: Any, target: Any) -> Any:
    """``binary_crossentropy(sigmoid(output), target)``, without overflow, for any logits."""
    return OPS["sigmoid_binary_crossentropy"](output, target)


def categorical_crossentropy(coding_dist: Any, true_dist: Any) -> Any:
    """The cross-entropy of each row of ``coding_dist`` from ``true_dist``.

    Parameters
    ----------
    coding_dist : probabilities; classes along the last axis.
    true_dist : probabilities of the same rank, or, for a matrix ``coding_dist``, a vector of
        integer labels.

    Raises TypeError for other ranks or for labels that are not integers.
    """
    p, true = as_tensor_variable(coding_dist), as_tensor_variable(true_dist)
    if true.type.ndim == p.type.ndim:
        return -sum_of(true * log(p), axis=p.type.ndim - 1)
    if true.type.ndim == p.type.ndim - 1:
        return crossentropy_categorical_1hot(p, true)
    raise TypeError(
        f"rank mismatch between coding and true distributions: {p.type} and {true.type}"
    )


def crossentropy_softmax_1hot_with_bias(x: Any, b: Any, y_idx: Any, **kwargs: Any) -> list[Any]:
    """``[losses, softmax(x + b)]`` for labels ``y_idx``."""
    losses, probabilities, _ = crossentropy_softmax_argmax_1hot_with_bias(x, b, y_idx, **kwargs)
    return [losses, probabilities]


def crossentropy_softmax_1hot(x: Any, y_idx: Any, **kwargs: Any) -> list[Any]:
    """``[losses, softmax(x)]`` for labels ``y_idx``."""
    return crossentropy_softmax_1hot_with_bias(x, _no_bias(x), y_idx, **kwargs)


def crossentropy_softmax_max_and_argmax_1hot_with_bias(
    x: Any, b: Any, y_idx: Any, **kwargs: Any
) -> list[Any]:
    """``[losses, softmax, its maximum in each row, where that is]``."""
    losses, probabilities = crossentropy_softmax_1hot_with_bias(x, b, y_idx, **kwargs)
    return [losses, probabilities, *max_and_argmax(probabilities, axis=-1)]


def crossentropy_softmax_max_and_argmax_1hot(x: Any, y_idx: Any, **kwargs: Any) -> list[Any]:
    """The same without a bias."""
    return crossentropy_softmax_max_and_argmax_1hot_with_bias(x, _no_bias(x), y_idx, **kwargs)


def _no_bias(x: Any) -> Any:
    x = as_tensor_variable(x)
    return alloc(constant(0, dtype=x.type.dtype), shape_i(x, 1))


for _name in __all__:
    if _name[0].islower():
        registry.register(_name, globals()[_name])
