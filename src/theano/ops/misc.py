"""Ops that hand values on: ViewOp, DeepCopyOp, Print; and Raise, which does not."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from theano.graph.nodes import Apply, Variable
from theano.graph.registry import register
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import SHARES_INPUT, same_axes


def _variable(x: Any) -> Any:
    return x if isinstance(x, Variable) else as_tensor_variable(x)


class _Identity(TensorOp):
    """Output 0 has the value of the only input."""

    __props__: ClassVar[tuple[str, ...]] = ()

    def make_node(self, x: Any) -> Apply:
        x = _variable(x)
        return Apply(self, [x], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return list(input_shapes)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        return list(output_grads)

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return list(eval_points)


class ViewOp(_Identity):
    """The same value, sharing memory."""

    lowering = "view"
    view_map = SHARES_INPUT

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Hand the value on."""
        output_storage[0][0] = inputs[0]

    def view(self, node: Apply, v: Any) -> Any:
        """The same axes."""
        return (), same_axes(node, v)

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]


class DeepCopyOp(_Identity):
    """A copy that shares no memory."""

    lowering = "step"

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Copy the value."""
        output_storage[0][0] = copy.deepcopy(inputs[0])

    def lower(self, node: Apply, low: Any) -> None:
        """New memory and a copy."""
        (x,), (output,) = node.inputs, node.outputs
        out = low.alloc(output, low.dims(x))
        low.copy(low.array(x), out)
        low.define(output, out)

    def same_value(self, node: Apply) -> Any:
        """The input has the same elements."""
        return node.inputs[0]


view_op = ViewOp()
deep_copy_op = DeepCopyOp()


def _print_attributes(op: Print, value: Any) -> None:
    for name in op.attrs:
        found = getattr(value, name)
        if callable(found):
            found = found()
        sys.stdout.write(f"{op.message} {name} = {found}\n")


class Print(_Identity):
    """Hands its input on and prints it each time, as a side effect.

    Parameters
    ----------
    message : printed before the value.
    attrs : what to print of the value: names of attributes, or of methods without arguments.
    global_fn : called as ``global_fn(self, value)`` instead of printing.

    >>> import theano.tensor as T
    >>> x = T.dvector("x")
    >>> shown = Print("x is", attrs=("shape", "min"))(x)
    """

    __props__: ClassVar[tuple[str, ...]] = ("message", "attrs", "global_fn")
    view_map = SHARES_INPUT
    lowering = "python"
    why = "it prints"

    def __init__(
        self,
        message: str = "",
        attrs: Sequence[str] = ("__str__",),
        global_fn: Callable[[Print, Any], None] = _print_attributes,
    ) -> None:
        self.message = message
        self.attrs = tuple(attrs)
        self.global_fn = global_fn

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Print, and hand the value on."""
        output_storage[0][0] = inputs[0]
        self.global_fn(self, inputs[0])

    def do_constant_folding(self, node: Apply) -> bool:
        """Never: it must print at each call."""
        return False

    def __str__(self) -> str:
        return f"Print{{message={self.message!r}, attrs={self.attrs!r}}}"

    def __setstate__(self, state: dict[str, Any]) -> None:
        state.setdefault("global_fn", _print_attributes)
        self.__dict__.update(state)


class Raise(TensorOp):
    """``Raise(message, exception)(x)``: an op that raises when it is run."""

    __props__ = ("exc", "message")
    lowering = "python"
    why = "it raises an exception"

    def __init__(self, message: str = "", exc: type[BaseException] = NotImplementedError) -> None:
        self.message = message
        self.exc = exc

    def make_node(self, x: Any) -> Apply:
        x = _variable(x)
        return Apply(self, [x], [x.type()])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Raise."""
        raise self.exc(self.message)

    def do_constant_folding(self, node: Apply) -> bool:
        """Not at compile time: the error belongs to the call."""
        return False

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return list(input_shapes)

    def __str__(self) -> str:
        return f"Raise{{{self.exc.__name__}({self.message})}}"


register("view_op", view_op)
register("deep_copy", deep_copy_op)
