"""PdbBreakpoint: stops a compiled function in Python's debugger."""

from __future__ import annotations

import pdb
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Variable
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import disconnected


class PdbBreakpoint(TensorOp):
    """``PdbBreakpoint(name)(condition, *values)``: the values, and the debugger if ``condition``.

    The condition is 0-d. One value gives one variable, several a list. Use what the op gives in
    place of the values: what nobody uses is not computed. In the debugger ``monitored`` holds the
    values as arrays. Gradients pass unchanged; none reaches the condition.

    >>> import theano.tensor as T
    >>> x = T.dvector("x")
    >>> watched = PdbBreakpoint("negative")(T.any(x < 0), x)
    """

    __props__ = ("name", "count")
    lowering = "python"
    why = "it may start a debugger"

    def __init__(self, name: str, count: int = 0) -> None:
        self.name = name
        self.count = count
        self.view_map: Mapping[int, list[int]] = {i: [i + 1] for i in range(count)}

    def make_node(self, condition: Any, *monitored: Any) -> Apply:
        """A 0-d condition and any number of variables."""
        test = as_tensor_variable(condition)
        if test.type.ndim != 0:
            raise TypeError(
                f"PdbBreakpoint takes a 0-d condition (use any() or all()), got {test.type}"
            )
        values = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in monitored]
        op = PdbBreakpoint(self.name, len(values))
        return Apply(op, [test, *values], [v.type() for v in values])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Hand the values on; stop first if the condition holds."""
        if inputs[0]:
            self.stop([np.asarray(value) for value in inputs[1:]])
        for cell, value in zip(output_storage, inputs[1:], strict=True):
            cell[0] = value

    def stop(self, monitored: list[Any]) -> None:
        """Say where we are, and start the debugger."""
        sys.stdout.write(
            f"\n-------------------------------------------------\n"
            f"Conditional breakpoint '{self.name}' activated: the {len(monitored)} values are in "
            "`monitored`; 'c' goes on.\n"
            "-------------------------------------------------\n"
        )
        pdb.set_trace()

    def do_constant_folding(self, node: Apply) -> bool:
        """Never: it stops calls."""
        return False

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """The shapes of the values."""
        return list(input_shapes[1:])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Each value reaches its own result only."""
        count = len(node.outputs)
        return [[i == j + 1 for j in range(count)] for i in range(count + 1)]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The gradients themselves."""
        return [disconnected(), *output_grads]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """The directions themselves."""
        return list(eval_points[1:])

    def __str__(self) -> str:
        return f"PdbBreakpoint{{{self.name}}}"
