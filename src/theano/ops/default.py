"""``default``: an optional input, with a value for when it is None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.generic import Generic
from theano.graph.nodes import Apply, Variable
from theano.graph.registry import register
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable


class Default(TensorOp):
    """The value of ``x``, an object; or that of the second input if ``x`` is None. No gradient."""

    __props__ = ()
    lowering = "python"
    why = "it looks whether an object of Python's is None"

    def make_node(self, x: Any, default: Any) -> Apply:
        """A result of the type of ``default``."""
        if not isinstance(x, Variable) or not isinstance(x.type, Generic):
            raise TypeError(f"Default takes an object (theano.generic), got {x}")
        default = as_tensor_variable(default)
        return Apply(self, [x, default], [default.type()])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Choose; TypeError for an object that is no value of the result's type."""
        x, default = inputs
        kind = node.outputs[0].type
        output_storage[0][0] = default.copy() if x is None else kind.filter(x, allow_downcast=None)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[None]:
        """Only the object tells."""
        return [None]


def default(x: Any, a: Any) -> Any:
    """``x``, or ``a`` if ``x`` is None.

    Parameters
    ----------
    x : a tensor, which is given back; None; or a ``theano.generic`` variable, whose value is looked
        at when the function runs: an array of the type of ``a``, or None.
    a : a tensor. TypeError if ``x`` is a tensor of another type.

    >>> import theano
    >>> import theano.tensor as T
    >>> x = theano.generic("x")
    >>> f = theano.function([x], T.default(x, T.constant([1.0, 2.0])) * 10)
    >>> f(None).tolist(), f([3.0, 4.0]).tolist()
    ([10.0, 20.0], [30.0, 40.0])
    """
    a = as_tensor_variable(a)
    if x is None:
        return a
    if isinstance(x, Variable) and isinstance(x.type, Generic):
        return Default()(x, a)
    x = as_tensor_variable(x)
    if (x.type.dtype, x.type.ndim) != (a.type.dtype, a.type.ndim):
        raise TypeError(f"default: {x} of type {x.type} cannot be {a.type}, the type of {a}")
    return x


register("default", default)
