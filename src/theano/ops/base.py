"""What an op of ours says about itself besides Theano's protocol: how it is lowered.

``lowering`` is one of

``"map"``     every output has the same shape, and each element is scalar code: ``body(node, m)``
              returns one Val per output. ``m.k`` is the Builder; ``m.input(i)`` is the element of
              input ``i`` at the current point (right-aligned broadcasting by the static pattern),
              ``m.input(i, axes=(…))`` follows other domain axes (one per input dimension, None:
              stays); ``m.gather(i, {dim: Val}, axes)`` reads input ``i`` at computed int64 indices
              along some of its dimensions (bounds checked, negatives wrap); ``m.index(axis)`` is
              the position along domain axis ``axis``, ``m.extent(i, axis)`` an extent of input
              ``i``; ``m.k.fail(cond)`` makes the call fail (set ``can_fail`` then).
``"reduce"``  attributes ``kind`` (kernel/ir.KINDS), ``axis`` (tuple), ``acc_dtype``.
``"view"``    output 0 shares input 0's storage: ``view(node, v)`` returns ``(starts, axes)`` as
              lower/program.View has them. ``v.dim(axis)`` and ``v.scalar(i)`` give int64
              registers, ``v.let(prim, a, b)`` computes, ``v.select(c, a, b)`` chooses,
              ``v.check(cond, text)`` guards, ``v.slice(start, stop, step, axis)`` resolves a slice
              as Python does and gives ``(first, count, step)``.
``"reshape"`` output 0 is input 0 in C order with the extents of ``infer_shape``.
``"expand"``  ``expand(node)`` returns equivalent output variables built from other ops; done by the
              last rewrite pass, so everything before sees the op whole.
``"shape"``   an int64 0-d result that depends on extents only: ``size(node, v)`` returns it.
``"step"``    ``lower(node, low)`` appends steps itself (see lower/context.py).
``"call"``    a product: a library call, by a row of lower/products.py.
``"scatter"``, ``"update_view"``  input 0 with a part written or increased: at integer indices, or
              at a view (lower/scatter.py); in place where nobody else needs input 0.
``"loop"``, ``"branch"``  graphs inside the op become steps inside a step (lower/loop.py and
              lower/branch.py).
``"python"``  only ``perform``: called back from native code. ``why`` says why it is not native.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Op, Variable


class TensorOp(Op):
    """An op of ours. See the module text for ``lowering``."""

    lowering: str = "python"
    why: str = ""
    can_fail: bool = False

    def infer_shape(
        self, node: Apply, input_shapes: Sequence[Any]
    ) -> Sequence[tuple[Any, ...] | None]:
        """Per output, its extents as 0-d int64 variables or ints; None where data decide them."""
        raise NotImplementedError(f"{self} has no shape rule")

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Default: ``reference(node, *inputs)`` gives one array, or a tuple of them."""
        result = self.reference(node, *inputs)
        results = result if isinstance(result, tuple) else (result,)
        for cell, value, output in zip(output_storage, results, node.outputs, strict=True):
            cell[0] = as_output(value, output)

    def reference(self, node: Apply, *inputs: Any) -> Any:
        """The NumPy meaning of the op: the oracle for every backend."""
        raise NotImplementedError(f"{self} has no reference")


def as_output(value: Any, output: Variable) -> Any:
    """``value`` as an ndarray of the output's dtype (0-d results of NumPy are scalars)."""
    import numpy as np

    return np.asarray(value, dtype=output.type.numpy_dtype)
