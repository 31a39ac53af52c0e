"""Softmax and its logarithm over the rows of a matrix, and their gradients.

All are expanded late into max, exp, sum and division over one row, which lower to one kernel; until
then rewrites see them whole. Their sums are carried in float32 for float32.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.dtypes import FLOAT
from theano.graph import registry
from theano.graph.nodes import Apply
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, pad_left
from theano.ops.elementwise import exp, log
from theano.ops.nn_labels import matrix_of_floats
from theano.ops.reduce_ops import Max, Sum, keep_dims

_COLUMNS = (1,)


def row_sum(x: Any) -> Any:
    """The sum of each row as a column, carried in the dtype of ``x`` (float32 for float16)."""
    acc_dtype = "float32" if x.type.dtype == "float16" else x.type.dtype
    return keep_dims(Sum(_COLUMNS, acc_dtype=acc_dtype)(x), _COLUMNS, 2)


def row_max(x: Any) -> Any:
    """The maximum of each row as a column."""
    return keep_dims(Max(_COLUMNS)(x), _COLUMNS, 2)


def np_softmax(x: Any) -> Any:
    """NumPy's softmax of rows."""
    wide = x.astype("float32") if x.dtype == "float16" else x
    with np.errstate(all="ignore"):
        e = np.exp(wide - wide.max(axis=1, keepdims=True)) if wide.size else wide
        return e / e.sum(axis=1, keepdims=True)


def np_logsoftmax(x: Any) -> Any:
    """NumPy's logarithm of the softmax of rows."""
    wide = x.astype("float32") if x.dtype == "float16" else x
    if not wide.size:
        return wide
    with np.errstate(all="ignore"):
        shifted = wide - wide.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class RowOp(TensorOp):
    """An op from matrices of floats to a matrix of the same shape, made of other ops."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"
    names: ClassVar[tuple[str, ...]] = ("x",)

    def make_node(self, *inputs: Any) -> Apply:
        """Matrices in, a matrix of the first one's type out."""
        if len(inputs) != len(self.names):
            raise TypeError(f"{self} takes {len(self.names)} inputs, got {len(inputs)}")
        variables = [matrix_of_floats(x, n) for x, n in zip(inputs, self.names, strict=True)]
        return Apply(self, variables, [self._output_type(variables)()])

    def _output_type(self, variables: Sequence[Any]) -> Any:
        return variables[0].type

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """That of the first input."""
        return [tuple(input_shapes[0])]

    def __str__(self) -> str:
        return type(self).__name__


class _OfScores(RowOp):
    """Softmax and LogSoftmax: a vector is taken as one row."""

    def make_node(self, x: Any) -> Apply:
        """A matrix of floats; a vector is padded to one row (deprecated)."""
        x = as_tensor_variable(x)
        if x.type.ndim not in (1, 2) or x.type.dtype not in FLOAT:
            raise ValueError(f"x must be 1-d or 2-d tensor of floats. Got {x.type}")
        if x.type.ndim == 1:
            warnings.warn(
                f"{self} of a vector gives a (1, n) matrix. Pad it yourself, or take row 0; "
                "a later release will give a vector.",
                DeprecationWarning,
                stacklevel=4,
            )
            x = pad_left(x, 2)
        return Apply(self, [x], [x.type()])


class Softmax(_OfScores):
    """``exp(x) / sum(exp(x))`` of each row, shifted by the row's maximum."""

    def expand(self, node: Apply) -> list[Any]:
        """Max, exp, sum, division."""
        (x,) = node.inputs
        e = exp(x - row_max(x))
        return [e / row_sum(e)]

    def reference(self, node: Apply, x: Any) -> Any:
        """By NumPy."""
        return np_softmax(x)

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """See SoftmaxGrad."""
        return [softmax_grad(output_grads[0], outputs[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The Jacobian is symmetric."""
        if eval_points[0] is None:
            return [None]
        return [softmax_grad(eval_points[0], self(*inputs))]


class SoftmaxGrad(RowOp):
    """``(dy - sum(dy * sm)) * sm`` of each row: the gradient of softmax with value ``sm``."""

    names = ("dy", "sm")

    def _output_type(self, variables: Sequence[Any]) -> Any:
        return variables[1].type

    def expand(self, node: Apply) -> list[Any]:
        """A sum and a map."""
        inputs: list[Any] = node.inputs
        dy, sm = inputs
        return [(dy - row_sum(dy * sm)) * sm]

    def reference(self, node: Apply, dy: Any, sm: Any) -> Any:
        """By NumPy."""
        return (dy - (dy * sm).sum(axis=1, keepdims=True)) * sm

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """With t = g - sum(g sm): t sm and t dy - g sum(dy sm)."""
        (dy, sm), (g,) = inputs, output_grads
        centered = g - row_sum(g * sm)
        return [centered * sm, centered * dy - g * row_sum(dy * sm)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Linear in ``dy``, quadratic in ``sm``."""
        dy, sm = inputs
        along_dy, along_sm = eval_points
        terms = []
        if along_dy is not None:
            terms.append(self(along_dy, sm))
        if along_sm is not None:
            change = along_sm * (dy - row_sum(dy * sm)) - sm * row_sum(dy * along_sm)
            terms.append(change)
        return [registry.apply("add", *terms) if terms else None]


class LogSoftmax(_OfScores):
    """``x - log(sum(exp(x)))`` of each row, shifted by the row's maximum: finite where x is."""

    def expand(self, node: Apply) -> list[Any]:
        """Max, exp, sum, log, difference."""
        (x,) = node.inputs
        shifted = x - row_max(x)
        return [shifted - log(row_sum(exp(shifted)))]

    def reference(self, node: Apply, x: Any) -> Any:
        """By NumPy."""
        return np_logsoftmax(x)

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """``g - sum(g) * softmax``."""
        (g,) = output_grads
        return [g - row_sum(g) * exp(outputs[0])]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """``v - sum(v * softmax)``."""
        (v,) = eval_points
        return [None if v is None else v - row_sum(v * softmax_op(*inputs))]


class SoftmaxWithBias(RowOp):
    """The softmax of ``x + b``, the vector ``b`` being added to each row."""

    def make_node(self, x: Any, b: Any) -> Apply:
        """The type of ``x``."""
        x, b = matrix_of_floats(x, "x"), vector_of_floats(b, "b")
        return Apply(self, [x, b], [(x + b).type()])

    def expand(self, node: Apply) -> list[Any]:
        """The softmax of a sum."""
        inputs: list[Any] = node.inputs
        x, b = inputs
        return [softmax_op(x + b)]

    def reference(self, node: Apply, x: Any, b: Any) -> Any:
        """By NumPy."""
        return np_softmax(x + b)

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """That of softmax, summed over rows for the bias."""
        dx = softmax_grad(output_grads[0], outputs[0])
        return [dx, Sum((0,))(dx)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """That of softmax along the sum of the directions."""
        given = [v for v in eval_points if v is not None]
        if not given:
            return [None]
        direction = registry.apply("fill", inputs[0], registry.apply("add", *given))
        return [softmax_grad(direction, self(*inputs))]


def vector_of_floats(x: Any, what: str) -> Any:
    """``x`` as a variable; ValueError unless it is a vector of floats."""
    x = as_tensor_variable(x)
    if x.type.ndim != 1 or x.type.dtype not in FLOAT:
        raise ValueError(f"{what} must be 1-d tensor of floats, got {x.type}")
    return x


softmax_op = Softmax()
softmax_grad = SoftmaxGrad()
softmax_with_bias = SoftmaxWithBias()
logsoftmax_op = LogSoftmax()


def softmax(c: Any) -> Any:
    """The softmax of each row of a matrix of floats.

    A vector is taken as one row and gives a (1, n) matrix, with a DeprecationWarning. ValueError
    for other ranks and for integers.

    >>> softmax(np.zeros((2, 4))).type
    TensorType(float64, matrix)
    """
    return softmax_op(_rows(c, "softmax"))


def logsoftmax(c: Any) -> Any:
    """The logarithm of ``softmax(c)``, computed without overflow or loss of precision."""
    return logsoftmax_op(_rows(c, "logsoftmax"))


def _rows(c: Any, what: str) -> Any:
    c = as_tensor_variable(c)
    if c.type.ndim and c.type.broadcastable[-1]:
        warnings.warn(
            f"The {what} is applied on a dimension of shape 1, which does not have a semantic "
            "meaning.",
            stacklevel=3,
        )
    return c


def softmax_graph(c: Any) -> Any:
    """``exp(c) / sum(exp(c))`` over the last axis, written out (rewrites make it a softmax)."""
    c = as_tensor_variable(c)
    return exp(c) / registry.apply("sum", exp(c), axis=-1, keepdims=True)
