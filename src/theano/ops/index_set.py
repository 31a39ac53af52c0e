"""Writing into a part of an array: IncSubtensor, and ``set_subtensor``/``inc_subtensor``.

Nothing is written in place here: each op gives a new array. Whether the old one's memory is reused
is decided when the graph is lowered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, pad_left, zeros_of
from theano.ops.dimshuffle import DimShuffle, dimshuffle
from theano.ops.extents import disconnected, sizes_of
from theano.ops.index import Subtensor
from theano.ops.reshape import Reshape
from theano.ops.shape_checks import addbroadcast


def _value(y: Any) -> Any:
    """``y`` as a variable; here a Python bool is one, too."""
    return as_tensor_variable(np.asarray(y) if isinstance(y, (bool, np.bool_)) else y)


def fitted(x: Any, y: Any, part: Any, what: str) -> Any:
    """``y`` with the dtype of ``x`` and the rank and broadcast pattern to be stored in ``part``."""
    y = _value(y)
    if y.type.ndim > part.type.ndim:
        raise TypeError(
            f"Trying to {what} a {part.type.ndim}-dimensional subtensor with a "
            f"{y.type.ndim}-dimensional value."
        )
    if y.type.dtype != x.type.dtype:
        whole = dtypes.DISCRETE
        if x.type.dtype in whole and y.type.dtype not in whole:
            raise TypeError(f"Trying to {what} a part of {x.type} with a value of {y.type}")
        y = cast(y, x.type.dtype)
    y = pad_left(y, part.type.ndim)
    pattern = zip(part.type.broadcastable, y.type.broadcastable, strict=True)
    y = addbroadcast(y, *(i for i, (is_one, has) in enumerate(pattern) if is_one and not has))
    for axis, (size, given) in enumerate(zip(part.type.shape, y.type.shape, strict=True)):
        if None not in (size, given) and given not in (1, size):
            raise ValueError(
                f"Trying to {what} a part of shape {part.type.shape} with a value of shape "
                f"{y.type.shape}: dimension {axis} differs"
            )
    return y


def check_value(node: Apply, y: Any, part: Any) -> None:
    """ValueError unless ``y`` has the shape of the part, but for what is declared to stretch."""
    for axis, stretches in enumerate(node.inputs[1].type.broadcastable):
        if not stretches and y.shape[axis] != part.shape[axis]:
            raise ValueError(
                f"{node.op}: cannot broadcast a value of shape {y.shape} to the part of shape "
                f"{part.shape} that it is for: dimension {axis} differs. Only dimensions that are "
                "known to have size 1 when the graph is built are stretched."
            )


class IncOp(TensorOp):
    """Base of the ops that write: inputs are (x, y, *indices); the result is a new ``x``.

    ``reader`` is the op that takes the part of ``x`` that is written to; ``y`` has its rank and is
    broadcastable where it stretches. ``set_instead_of_inc`` chooses between = and +=.
    """

    reader: TensorOp
    set_instead_of_inc: bool

    def make_node(self, x: Any, y: Any, *indices: Any) -> Apply:
        x = as_tensor_variable(x)
        part = self.reader.make_node(x, *indices)
        what = "set" if self.set_instead_of_inc else "increment"
        y = fitted(x, y, part.outputs[0], what)
        return Apply(self, [x, y, *part.inputs[1:]], [x.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [input_shapes[0]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Indices have no influence that could be differentiated."""
        return [[i < 2] for i in range(len(node.inputs))]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, y, *indices = inputs
        (gz,) = output_grads
        rest = [disconnected() for _ in indices]
        if x.type.dtype in dtypes.DISCRETE:
            return [zeros_of(x), zeros_of(y), *rest]
        gx = gz
        if self.set_instead_of_inc:
            gx = self(gz, zeros_of(y), *indices)
        gy = self.reader(gz, *indices)
        pattern = zip(y.type.broadcastable, gy.type.broadcastable, strict=True)
        axes = [i for i, (stretched, has) in enumerate(pattern) if stretched and not has]
        return [gx, gy.sum(axis=axes, keepdims=True) if axes else gy, *rest]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        x, y, *indices = inputs
        if eval_points[0] is None and eval_points[1] is None:
            return [None]
        pairs = zip((x, y), eval_points[:2], strict=True)
        return [self(*(zeros_of(v) if e is None else e for v, e in pairs), *indices)]


class IncSubtensor(IncOp):
    """``x`` with ``x[idx]`` increased by ``y``, or replaced by it."""

    __props__ = ("_key", "set_instead_of_inc")
    lowering = "update_view"

    def __init__(
        self,
        idx_list: Sequence[Any],
        inplace: bool = False,
        set_instead_of_inc: bool = False,
        destroyhandler_tolerate_aliased: Any = None,
    ) -> None:
        self.idx_list = spec.checked(idx_list)
        self._key = spec.key(self.idx_list)
        self.set_instead_of_inc = bool(set_instead_of_inc)
        self.inplace = False
        self.reader = Subtensor(idx_list)

    def reference(self, node: Apply, x: Any, y: Any, *indices: Any) -> Any:
        out = x.copy()
        where = spec.values(self.idx_list, indices) or (...,)
        check_value(node, y, out[where])
        if self.set_instead_of_inc:
            out[where] = y
        else:
            out[where] += y
        return out

    def view(self, node: Apply, v: Any) -> Any:
        """Starts and strides of the part, for a ``v`` on input 0; indices are inputs 2, …."""
        return spec.view(self.idx_list, node.inputs[0].type.ndim, 2, v)

    def __str__(self) -> str:
        what = "Set" if self.set_instead_of_inc else "Inc"
        return f"IncSubtensor{{{what};{spec.text(self.idx_list)}}}"


def set_subtensor(
    x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False
) -> Any:
    """A new array like the one that ``x = a[…]`` was taken of, with that part replaced by ``y``.

    Parameters
    ----------
    x : the result of an indexing expression, possibly through dimshuffles and reshapes, or an
        array with new axes (``a[:, None]``), which is all of ``a``. (Where
        dimensions of a part of the rank of ``a`` were put in another order, those of the result
        are, too.)
    y : value of at most its number of dimensions. It stretches along dimensions that are known to
        have size 1 when the graph is built. It is cast to the dtype of ``a``.
    inplace, tolerate_inplace_aliasing : accepted for old code, without effect.

    Where indices repeat, the last value stays. Raises TypeError where ``x`` is not the result of
    indexing, or ``y`` has too many dimensions, or floats are to be written to integers; at run time
    IndexError for an index out of range, ValueError for a ``y`` of another shape.

    >>> import theano.tensor as T
    >>> a = T.constant([1, 2, 3])
    >>> set_subtensor(a[1:], 0).eval().tolist()
    [1, 0, 0]
    """
    return inc_subtensor(x, y, set_instead_of_inc=True)


def inc_subtensor(
    x: Any,
    y: Any,
    inplace: bool = False,
    set_instead_of_inc: bool = False,
    tolerate_inplace_aliasing: bool = False,
) -> Any:
    """As ``set_subtensor``, but ``y`` is added. Where indices repeat, all values are added."""
    x, y = as_tensor_variable(x), _value(y)
    what = "set" if set_instead_of_inc else "increment"
    if y.type.ndim > x.type.ndim:
        raise TypeError(
            f"Trying to {what} a {x.type.ndim}-dimensional subtensor with a "
            f"{y.type.ndim}-dimensional value."
        )
    outer: list[Any] = []  # dimshuffles to apply to the result again
    stretched = False  # by new axes: a[:, None] is all of a
    while x.owner is not None and isinstance(x.owner.op, (DimShuffle, Reshape)):
        inner = x.owner.inputs[0]
        if isinstance(x.owner.op, DimShuffle):
            y = _through_dimshuffle(x.owner.op, x, y, outer)
            stretched = stretched or bool(x.owner.op.augment)
        else:
            if not _indexed(inner):
                break
            y = _through_reshape(inner, x, y)
            outer.clear()
        x = inner
    if not _indexed(x) and stretched:
        x = Subtensor(())(x)
    if not _indexed(x):
        raise TypeError(
            f"{what}_subtensor: x must be the result of a subtensor operation such as a[1:] or "
            f"a[index], got {x}" + (f" made by {x.owner.op}" if x.owner is not None else "")
        )
    op = _inc_op(x.owner.op, set_instead_of_inc)
    result = op(x.owner.inputs[0], y, *x.owner.inputs[1:])
    for shuffle in reversed(outer):
        if len(shuffle) == result.type.ndim:
            result = dimshuffle(result, *shuffle)
    return result


def _inc_op(op: Any, set_instead_of_inc: bool) -> Any:
    if isinstance(op, Subtensor):
        return IncSubtensor(op.idx_list, set_instead_of_inc=set_instead_of_inc)
    return op.inc_op(set_instead_of_inc)


def _indexed(x: Any) -> bool:
    """Whether ``x`` is the result of indexing, through any dimshuffles and reshapes."""
    while x.owner is not None and isinstance(x.owner.op, (DimShuffle, Reshape)):
        x = x.owner.inputs[0]
    if x.owner is None:
        return False
    return isinstance(x.owner.op, Subtensor) or hasattr(x.owner.op, "inc_op")


def _through_dimshuffle(op: DimShuffle, x: Any, y: Any, outer: list[Any]) -> Any:
    """``y`` for the input of the dimshuffle; what permutes is applied to the result again."""
    y = fitted(x, y, x, "set")
    order: list[Any] = ["x"] * len(op.input_broadcastable)
    for position, axis in enumerate(op.new_order):
        if not isinstance(axis, str):
            order[axis] = position
    if not op.augment and not op.drop:
        outer.append(op.new_order)
    return dimshuffle(y, *order)


def _through_reshape(inner: Any, x: Any, y: Any) -> Any:
    """``y`` at full size in the shape of the reshape's input."""
    if not any(size != 1 for size in y.type.shape):
        return dimshuffle(y, *[]) if y.type.ndim else y
    extents = sizes_of(x)
    whole = apply("alloc", fitted(x, y, x, "set"), *extents)
    return Reshape(inner.type.ndim)(whole, sizes.vector(sizes_of(inner)))


register("set_subtensor", set_subtensor)
register("inc_subtensor", inc_subtensor)
