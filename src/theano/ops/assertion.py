"""Values that are only given out if conditions hold: Assert, and what such ops share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Variable
from theano.graph.registry import register
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import SHARES_INPUT, disconnected, same_axes


class Checked:
    """What ops share that give out their first input, after a check of it with the others."""

    lowering = "view"
    view_map = SHARES_INPUT

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def do_constant_folding(self, node: Apply) -> bool:
        """Not at compile time: the error belongs to the call."""
        return False

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """What is checked with has no influence on the value."""
        return [[i == 0] for i in range(len(node.inputs))]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return [output_grads[0], *(disconnected() for _ in inputs[1:])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [eval_points[0]]


class Assert(Checked, TensorOp):
    """``Assert(msg)(value, *conditions)``: ``value``; AssertionError(msg) at run time where a
    condition (0-d) is false.

    >>> import theano.tensor as T
    >>> x = T.dscalar("x")
    >>> checked = Assert("x must be positive")(x, T.gt(x, 0))
    """

    __props__ = ("msg",)

    def __init__(self, msg: str = "Theano Assert failed!") -> None:
        self.msg = msg

    def make_node(self, value: Any, *conds: Any) -> Apply:
        if not isinstance(value, Variable):
            value = as_tensor_variable(value)
        conditions = [as_tensor_variable(cond) for cond in conds]
        if any(cond.type.ndim != 0 for cond in conditions):
            raise TypeError(
                f"Assert takes 0-d conditions (use all() or any()), got "
                f"{[cond.type for cond in conditions]}"
            )
        return Apply(self, [value, *conditions], [value.type()])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Hand the value on, or raise."""
        if not np.all(inputs[1:]):
            raise AssertionError(self.msg)
        output_storage[0][0] = inputs[0]

    def view(self, node: Apply, v: Any) -> Any:
        """The same axes, after the checks."""
        for i, condition in enumerate(node.inputs[1:], 1):
            holds = v.scalar(i)
            if condition.type.dtype != "bool":
                holds = v.let("ne", holds, 0)
            v.check(holds, self.msg)
        return (), same_axes(node, v)

    def __str__(self) -> str:
        return f"Assert{{msg={self.msg!r}}}"


assert_ = Assert()
assert_op = assert_

register("assert", assert_)
