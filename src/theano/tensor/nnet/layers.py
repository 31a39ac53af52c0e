"""Functions of whole layers: hierarchical softmax, columns of constants, confusion matrices."""

from __future__ import annotations

from typing import Any

from theano.core import dtypes
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast, constant
from theano.ops.blocksparse import sparse_block_dot
from theano.ops.extents import size_of
from theano.ops.index import getitem
from theano.ops.softmax import softmax_op

__all__ = [
    "Prepend_scalar_constant_to_each_row", "Prepend_scalar_to_each_row", "confusion_matrix",
    "h_softmax", "prepend_0_to_each_row", "prepend_1_to_each_row", "prepend_scalar_to_each_row",
]  # fmt: skip


def h_softmax(
    x: Any, batch_size: Any, n_outputs: Any, n_classes: Any, n_outputs_per_class: Any, W1: Any,
    b1: Any, W2: Any, b2: Any, target: Any = None,
) -> Any:  # fmt: skip
    """A softmax in two levels: first over classes, then over the outputs of a class.

    Its cost for one output grows with the square root of the number of outputs (Goodman, "Classes
    for fast maximum entropy training", 2001).

    Parameters
    ----------
    x : (batch, features).
    batch_size, n_outputs : numbers of rows and of outputs.
    n_classes, n_outputs_per_class : their product is at least ``n_outputs``; outputs are assigned
        to classes in order.
    W1, b1 : (features, n_classes), (n_classes,).
    W2, b2 : (n_classes, features, n_outputs_per_class), (n_classes, n_outputs_per_class).
    target : an int for each row: the output whose probability is wanted; None: all.

    Returns the probabilities: (batch,) for a target, else (batch, n_outputs).
    """
    x, W2, b2 = (as_tensor_variable(v) for v in (x, W2, b2))
    classes = softmax_op(apply("dot", x, W1) + b1)
    if target is None:
        scores = apply("tensordot", x, W2, axes=(1, 1)) + b2
        flat = apply("reshape", scores, (-1, n_outputs_per_class), ndim=2)
        inner = apply("reshape", softmax_op(flat), (batch_size, n_classes, -1), ndim=3)
        whole = classes.dimshuffle(0, 1, "x") * inner
        rows = apply("reshape", whole, (batch_size, -1), ndim=2)
        return getitem(rows, (slice(None), slice(0, n_outputs)))
    target = apply("flatten", as_tensor_variable(target))
    per_class = as_tensor_variable(n_outputs_per_class)
    group, place = apply("int_div", target, per_class), apply("mod", target, per_class)
    zeros = apply("zeros", (size_of(x, 0), 1), dtype="int64")
    scores = sparse_block_dot(
        W2.dimshuffle("x", 0, 1, 2), x.dimshuffle(0, "x", 1), zeros, b2, group.dimshuffle(0, "x")
    )
    inner = softmax_op(getitem(scores, (slice(None), 0)))
    rows = apply("arange", sizes.variable(size_of(x, 0)))
    return getitem(classes, (rows, group)) * getitem(inner, (rows, place))


def prepend_scalar_to_each_row(val: Any, mat: Any) -> Any:
    """``mat`` with a column of ``val`` before the others.

    >>> prepend_scalar_to_each_row(3, [[1, 2]]).eval().tolist()
    [[3, 1, 2]]
    """
    mat = as_tensor_variable(mat)
    val = as_tensor_variable(val)
    if mat.type.ndim != 2:
        raise TypeError(f"rows of a matrix are wanted, got {mat.type}")
    if val.type.ndim != 0:
        raise TypeError(f"the value must be a scalar, got {val.type}")
    column = apply("alloc", cast(val, mat.type.dtype), size_of(mat, 0), 1)
    return apply("join", 1, column, mat)


def prepend_0_to_each_row(mat: Any) -> Any:
    """``mat`` with a column of zeros before the others."""
    return prepend_scalar_to_each_row(constant(0), mat)


def prepend_1_to_each_row(mat: Any) -> Any:
    """``mat`` with a column of ones before the others."""
    return prepend_scalar_to_each_row(constant(1), mat)


class Prepend_scalar_constant_to_each_row:
    """``Prepend_scalar_constant_to_each_row(val)(mat)``: see `prepend_scalar_to_each_row`."""

    def __init__(self, val: float = 0) -> None:
        self.val = val

    def __call__(self, mat: Any) -> Any:
        return prepend_scalar_to_each_row(self.val, mat)


class Prepend_scalar_to_each_row:
    """``Prepend_scalar_to_each_row()(val, mat)``: see `prepend_scalar_to_each_row`."""

    def __call__(self, val: Any, mat: Any) -> Any:
        return prepend_scalar_to_each_row(val, mat)


def confusion_matrix(actual: Any, pred: Any) -> list[Any]:
    """How often each label was predicted as each: ``[matrix, labels]``.

    Row i, column j of the matrix counts elements whose actual label is ``labels[i]`` and whose
    prediction is ``labels[j]``; ``labels`` are those that occur, sorted.

    >>> matrix, labels = confusion_matrix([2, 0, 2], [2, 0, 0])
    >>> matrix.eval().tolist(), labels.eval().tolist()
    ([[1, 0], [1, 1]], [0, 2])
    """
    actual, pred = as_tensor_variable(actual), as_tensor_variable(pred)
    for name, v in (("actual", actual), ("pred", pred)):
        if v.type.ndim != 1:
            raise ValueError(f"{name} must be 1-d tensor variable, got {v.type}")
        if v.type.dtype in dtypes.COMPLEX:
            raise TypeError(f"{name} must be labels, got {v.type}")
    labels = apply("unique", apply("join", 0, actual, pred))
    hot = [
        cast(apply("eq", v.dimshuffle(0, "x"), labels.dimshuffle("x", 0)), "int64")
        for v in (actual, pred)
    ]
    return [apply("dot", hot[0].T, hot[1]), labels]
