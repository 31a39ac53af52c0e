"""Sums of products over any axes: ``contract``, ``tensordot``, ``batched_tensordot``.

Every contraction becomes one product of matrices. An operand is reshaped to a matrix as it lies in
memory, and transposed by its strides, wherever the order of its axes allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.dtypes import COMPLEX
from theano.core.errors import ShapeError
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.assertion import Checked
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.batched import BatchedDot, Matmul, matrix_transpose, with_ones_at
from theano.ops.dimshuffle import dimshuffle
from theano.ops.dot import Dot, conjugate, summed_product
from theano.ops.extents import same_axes, size_of
from theano.ops.reshape import Reshape

Pairs = Sequence[tuple[int, int]]  # (an axis of a, the axis of b that goes with it)


class CheckExtents(Checked, TensorOp):
    """``x``, after a check that its extents along ``axes`` are the 0-d inputs that follow.

    ValueError at run time where they are not; ``what`` begins the message.
    """

    __props__: ClassVar[tuple[str, ...]] = ("axes", "what")

    def __init__(self, axes: Sequence[int], what: str) -> None:
        self.axes = tuple(axes)
        self.what = what

    def make_node(self, x: Any, *extents: Any) -> Apply:
        x = as_tensor_variable(x)
        shape = list(x.type.shape)
        for axis, extent in zip(self.axes, extents, strict=True):
            known = sizes.known(extent)
            if shape[axis] is None and known != 1:
                shape[axis] = known
        kind = x.type.clone(shape=shape)
        return Apply(self, [x, *map(sizes.variable, extents)], [kind()])

    def reference(self, node: Apply, x: Any, *extents: Any) -> Any:
        for axis, extent in zip(self.axes, extents, strict=True):
            if x.shape[axis] != extent:
                raise ValueError(
                    f"{self.what}: dimension {axis} of an array of shape {x.shape} should have "
                    f"size {int(extent)}"
                )
        return x

    def view(self, node: Apply, v: Any) -> Any:
        """The same axes, after the checks."""
        for i, axis in enumerate(self.axes):
            v.check(v.let("eq", v.dim(axis), v.scalar(i + 1)), self.what)
        return (), same_axes(node, v)


def same_extents(x: Any, pairs: Sequence[tuple[int, sizes.Size]], what: str) -> Any:
    """``x`` with a check for the (axis, extent) pairs that its type does not decide.

    Raises ShapeError where the type says that they differ.
    """
    unsure = []
    for axis, extent in pairs:
        own, wanted = x.type.shape[axis], sizes.known(extent)
        if own is None or wanted is None:
            unsure.append((axis, extent))
        elif own != wanted:
            raise ShapeError(
                f"{what}: {x} of shape {x.type.shape} has size {own} along axis {axis}, not "
                f"{wanted}"
            )
    if not unsure:
        return x
    return CheckExtents([axis for axis, _ in unsure], what)(x, *(extent for _, extent in unsure))


# one operand as a matrix --------------------------------------------------------------------------


def _in_order(axes: Sequence[int]) -> bool:
    return list(axes) == sorted(axes)


def _lies_well(batch: Sequence[int], rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Whether an operand becomes a stack of matrices without a copy."""
    if len(rows) <= 1 and len(columns) <= 1:
        return True
    return _in_order([*batch, *rows, *columns]) or _in_order([*batch, *columns, *rows])


def _matrices(x: Any, batch: Sequence[int], rows: Sequence[int], columns: Sequence[int]) -> Any:
    """``x`` as (batch …, rows, columns); the last two are missing where they are empty."""
    turned = bool(rows) and bool(columns) and not _in_order([*batch, *rows, *columns])
    turned = turned and _in_order([*batch, *columns, *rows])
    groups = [rows, columns] if not turned else [columns, rows]
    groups = [group for group in groups if group]
    order = [*batch, *(axis for group in groups for axis in group)]
    result = x if _in_order(order) else dimshuffle(x, *order)
    if any(len(group) > 1 for group in groups):
        extents = [size_of(x, axis) for axis in batch]
        extents += [sizes.product(size_of(x, axis) for axis in group) for group in groups]
        result = Reshape(len(extents))(result, sizes.vector(extents))
    return matrix_transpose(result) if turned else result


def contract(a: Any, b: Any, batch: Pairs, summed: Pairs, what: str = "tensordot") -> Any:
    """The sum of ``a * b`` over the axes ``summed``, side by side along ``batch``.

    The result has the batch axes, then the other axes of ``a``, then those of ``b``. The dtype is
    what the two promote to.
    """
    kept_a = [i for i in range(a.type.ndim) if i not in {i for i, _ in (*batch, *summed)}]
    kept_b = [j for j in range(b.type.ndim) if j not in {j for _, j in (*batch, *summed)}]
    batch_a, batch_b = [i for i, _ in batch], [j for _, j in batch]
    if not summed:
        left = dimshuffle(a, *batch_a, *kept_a, *["x"] * len(kept_b))
        right = dimshuffle(b, *batch_b, *["x"] * len(kept_a), *kept_b)
        return left * right
    summed = _best_order(summed, (batch_a, kept_a), (batch_b, kept_b))
    left_axes, right_axes = [i for i, _ in summed], [j for _, j in summed]
    _check_static(a, b, [*batch, *summed], what)
    real = a.type.dtype not in COMPLEX and b.type.dtype not in COMPLEX
    if real and not kept_a and not kept_b and a.type.ndim > 1:
        return _multiplied(a, b, batch, summed, what)
    (i, j), *more = summed
    if b.type.ndim == 2 and a.type.ndim > 2 and i == a.type.ndim - 1 and not (more or batch):
        return Matmul()(a, b if j == 0 else matrix_transpose(b))
    if more:
        b = same_extents(b, [(j, size_of(a, i)) for i, j in summed], what)
    left = _matrices(a, batch_a, kept_a, left_axes)
    right = _matrices(b, batch_b, right_axes, kept_b)
    product = _multiply(left, right, len(batch), bool(kept_a), bool(kept_b))
    if len(kept_a) <= 1 and len(kept_b) <= 1:
        return product
    extents = [size_of(a, i) for i in (*batch_a, *kept_a)] + [size_of(b, j) for j in kept_b]
    return Reshape(len(extents))(product, sizes.vector(extents))


def _multiplied(a: Any, b: Any, batch: Pairs, summed: Pairs, what: str) -> Any:
    """The contraction of arrays that have no other axes: one kernel multiplies and sums."""
    pairs = [*batch, *summed]
    b = dimshuffle(b, *(dict(pairs)[i] for i in range(a.type.ndim)))
    b = same_extents(b, [(i, size_of(a, i)) for i in range(a.type.ndim)], what)
    total = summed_product(a, b, [i for i, _ in summed])
    # The batch axes are left in the order that they have in a.
    order = [sorted(i for i, _ in batch).index(i) for i, _ in batch]
    return dimshuffle(total, *order) if order != sorted(order) else total


def _check_static(a: Any, b: Any, pairs: Pairs, what: str) -> None:
    for i, j in pairs:
        m, n = a.type.shape[i], b.type.shape[j]
        if None not in (m, n) and m != n:
            raise ShapeError(
                f"{what}: axis {i} of {a}, of shape {a.type.shape}, has size {m}; axis {j} of {b}, "
                f"of shape {b.type.shape}, has size {n}"
            )


def _best_order(
    summed: Pairs, left: tuple[list[int], list[int]], right: tuple[list[int], list[int]]
) -> Pairs:
    """The order of the summed axes for which fewest operands are copied."""

    def copies(pairs: Pairs) -> int:
        fine = _lies_well(left[0], left[1], [i for i, _ in pairs])
        return 2 - fine - _lies_well(right[0], [j for _, j in pairs], right[1])

    orders = [sorted(summed), sorted(summed, key=lambda pair: pair[1])]
    return min(orders, key=copies)


def _multiply(left: Any, right: Any, batch: int, rows: bool, columns: bool) -> Any:
    """The product of matrices (rows: ``left`` has any; columns: ``right`` has any)."""
    if batch == 0:
        return Dot()(left, right)
    if batch == 1:
        if rows or columns:
            return BatchedDot()(left, right)
        return apply("batched_dot", left, right)
    gone = []
    if not rows:
        left = dimshuffle(left, *range(batch), "x", batch)
        gone.append(batch)
    if not columns:
        right = dimshuffle(right, *range(batch + 1), "x")
        gone.append(batch + 1)
    product = with_ones_at(Matmul()(left, right), gone)
    return dimshuffle(product, *(d for d in range(batch + 2) if d not in gone)) if gone else product


# Theano's functions -------------------------------------------------------------------------------


def _axes_lists(a: Any, b: Any, axes: Any, what: str) -> tuple[list[int], list[int]]:
    if not isinstance(axes, (list, tuple, np.ndarray)):
        count = int(axes)
        if not 0 <= count <= min(a.type.ndim, b.type.ndim):
            raise ValueError(
                f"axes to dot over ({count}) must be between 0 and the ranks of a ({a.type.ndim}) "
                f"and b ({b.type.ndim})"
            )
        return list(range(a.type.ndim - count, a.type.ndim)), list(range(count))
    if len(axes) != 2:
        raise ValueError(
            f"Axes should be an integer or a list/tuple of len 2 ({axes} was provided)"
        )
    lists = [_axes_list(v, given, what) for v, given in zip((a, b), axes, strict=True)]
    if len(lists[0]) != len(lists[1]):
        raise ValueError(f"Axes elements must have the same length: {axes}")
    return lists[0], lists[1]


def _axes_list(v: Any, given: Any, what: str) -> list[int]:
    own = list(given) if isinstance(given, (list, tuple, np.ndarray)) else [given]
    for axis in own:
        if not -v.type.ndim <= axis < v.type.ndim:
            raise ValueError(f"{what}: axis {axis} is out of range for {v.type}")
    own = [int(axis) % v.type.ndim for axis in own]
    if len(set(own)) != len(own):
        raise ValueError(f"{what}: repeated axes {given}")
    return own


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """The sum of products over ``axes``.

    Parameters
    ----------
    a, b : arrays of any rank; their dtypes promote.
    axes : a number (the last axes of ``a``, the first of ``b``), or two lists of axes (or two
        ints), which may be negative.

    Raises ValueError for axes that are not there or are repeated, and where extents differ (at
    build time where they are known).

    >>> import theano.tensor as T
    >>> T.tensordot(T.tensor3(), T.matrix(), [[1], [0]]).ndim
    3
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    left, right = _axes_lists(a, b, axes, "tensordot")
    return contract(a, b, (), list(zip(left, right, strict=True)))


def batched_tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """``tensordot`` of ``x[i]`` and ``y[i]`` for each i of the first dimension.

    ``axes`` is a number, or two lists of axes, which count the batch dimension and may not name it.

    >>> import theano.tensor as T
    >>> batched_tensordot(T.tensor4(), T.tensor3(), [[1, 3], [2, 1]]).ndim
    2
    """
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if not isinstance(axes, (list, tuple, np.ndarray)):
        count = int(axes)
        axes = [list(range(x.type.ndim - count, x.type.ndim)), list(range(1, count + 1))]
    left, right = _axes_lists(x, y, axes, "batched_tensordot")
    if 0 in left or 0 in right:
        raise ValueError("batched_tensordot: axes to sum over must not contain the batch axis (0)")
    return contract(x, y, [(0, 0)], list(zip(left, right, strict=True)), "batched_tensordot")


# NumPy's functions --------------------------------------------------------------------------------


def inner(a: Any, b: Any) -> Any:
    """The sum of products over the last axes of both, as ``numpy.inner``; of scalars the product.

    >>> import theano.tensor as T
    >>> inner(T.constant([1, 2]), T.constant([[3, 4], [5, 6]])).eval().tolist()
    [11, 17]
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.type.ndim == 0 or b.type.ndim == 0:
        return a * b
    return contract(a, b, (), [(a.type.ndim - 1, b.type.ndim - 1)], "inner")


def vdot(a: Any, b: Any) -> Any:
    """The sum of ``conj(a) * b`` over all elements, as ``numpy.vdot``.

    >>> import theano.tensor as T
    >>> int(vdot(T.constant([[1, 2]]), T.constant([3, 4])).eval())
    11
    """
    a, b = (apply("flatten", as_tensor_variable(x)) for x in (a, b))
    return apply("dot", conjugate(a), b)


def matvec(a: Any, x: Any) -> Any:
    """Matrices times vectors, over batch axes that stretch, as ``numpy.matvec``.

    >>> import theano.tensor as T
    >>> matvec(T.tensor3(), T.matrix()).ndim
    2
    """
    a, x = as_tensor_variable(a), as_tensor_variable(x)
    if a.type.ndim < 2 or x.type.ndim < 1:
        raise TypeError(f"matvec takes matrices and vectors, got {a.type} and {x.type}")
    product = apply("matmul", a, dimshuffle(x, *range(x.type.ndim), "x"))
    return _without(product, product.type.ndim - 1)


def vecmat(x: Any, a: Any) -> Any:
    """Vectors (conjugated) times matrices, over batch axes that stretch, as ``numpy.vecmat``.

    >>> import theano.tensor as T
    >>> vecmat(T.matrix(), T.tensor3()).ndim
    2
    """
    a, x = as_tensor_variable(a), as_tensor_variable(x)
    if a.type.ndim < 2 or x.type.ndim < 1:
        raise TypeError(f"vecmat takes vectors and matrices, got {x.type} and {a.type}")
    ndim = x.type.ndim
    product = apply("matmul", dimshuffle(conjugate(x), *range(ndim - 1), "x", ndim - 1), a)
    return _without(product, product.type.ndim - 2)


def _without(x: Any, axis: int) -> Any:
    """``x`` without an axis of extent 1."""
    return dimshuffle(with_ones_at(x, [axis]), *(d for d in range(x.type.ndim) if d != axis))


register("inner", inner)
register("vdot", vdot)
register("matvec", matvec)
register("vecmat", vecmat)
register("tensordot", tensordot)
register("batched_tensordot", batched_tensordot)
