"""Array functions as NumPy spells them, made of other ops: order, extents, axes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast, constant, dimshuffle, pad_left
from theano.ops.constants import get_vector_length, vector_entries
from theano.ops.cumulative import axis_of
from theano.ops.extents import size_of, sizes_of
from theano.ops.index import getitem

# order -----------------------------------------------------------------------------------------


def _axes_of(axis: Any, ndim: int, what: str) -> tuple[int, ...]:
    """``axis`` (an int, several, or None for all) as positions; ValueError if one comes twice."""
    given = range(ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple(axis_of(a, ndim, what) for a in given)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{what}: an axis comes twice in {axis}")
    return axes


def flip(m: Any, axis: Any = None) -> Any:
    """``m`` with the order along ``axis`` (an int, several, or None for all) reversed: a view.

    >>> import theano.tensor as T
    >>> flip(T.constant([1, 2, 3])).eval().tolist()
    [3, 2, 1]
    """
    m = as_tensor_variable(m)
    axes = _axes_of(axis, m.type.ndim, "flip")
    return getitem(m, tuple(slice(None, None, -1 if i in axes else None)
                            for i in range(m.type.ndim)))  # fmt: skip


def flipud(m: Any) -> Any:
    """``m`` with its rows (first dimension) in reversed order.

    >>> import theano.tensor as T
    >>> flipud(T.constant([[1], [2]])).eval().tolist()
    [[2], [1]]
    """
    return flip(m, 0)


def fliplr(m: Any) -> Any:
    """``m`` with its columns (second dimension) in reversed order.

    >>> import theano.tensor as T
    >>> fliplr(T.constant([[1, 2]])).eval().tolist()
    [[2, 1]]
    """
    return flip(m, 1)


def rot90(m: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """``m`` turned by ``k`` quarters from the first of ``axes`` towards the second.

    >>> import theano.tensor as T
    >>> rot90(T.constant([[1, 2], [3, 4]])).eval().tolist()
    [[2, 4], [1, 3]]
    """
    m = as_tensor_variable(m)
    first, second = _axes_of(tuple(axes), m.type.ndim, "rot90")
    quarters = operator.index(k) % 4
    if quarters == 0:
        return m
    if quarters == 2:
        return flip(m, (first, second))
    turned = m if quarters == 3 else flip(m, second)
    result = apply("swapaxes", turned, first, second)
    return flip(result, second) if quarters == 3 else result


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """``a`` with dimension ``axis`` moved to before dimension ``start``.

    >>> import theano.tensor as T
    >>> rollaxis(T.zeros((2, 3, 4)), 2).eval().shape
    (4, 2, 3)
    """
    a = as_tensor_variable(a)
    ndim = a.type.ndim
    axis = axis_of(axis, ndim, "rollaxis")
    start = operator.index(start)
    if not -ndim <= start <= ndim:
        raise ValueError(f"rollaxis: start={start} is out of range for {ndim} dimensions")
    start += ndim if start < 0 else 0
    order = [i for i in range(ndim) if i != axis]
    order.insert(start - (start > axis), axis)
    return dimshuffle(a, order)


def expand_dims(a: Any, axis: Any) -> Any:
    """``a`` with new dimensions of size 1, which are at ``axis`` (an int or several) in the result.

    >>> import theano.tensor as T
    >>> expand_dims(T.zeros((2, 3)), (0, -1)).eval().shape
    (1, 2, 3, 1)
    """
    a = as_tensor_variable(a)
    count = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = _axes_of(axis, a.type.ndim + count, "expand_dims")
    old = iter(range(a.type.ndim))
    return dimshuffle(a, ["x" if i in axes else next(old) for i in range(a.type.ndim + count)])


def _several(one: Any, arrays: Sequence[Any]) -> Any:
    results = [one(as_tensor_variable(a)) for a in arrays]
    return results[0] if len(results) == 1 else results


def atleast_1d(*arys: Any) -> Any:
    """Each array with at least 1 dimension; a list of them if there are several.

    >>> import theano.tensor as T
    >>> atleast_1d(T.constant(3)).eval().tolist()
    [3]
    """
    return _several(lambda a: pad_left(a, max(a.type.ndim, 1)), arys)


def atleast_2d(*arys: Any) -> Any:
    """Each array with at least 2 dimensions, new ones in front; a list if there are several.

    >>> import theano.tensor as T
    >>> atleast_2d(T.constant([3, 4])).eval().tolist()
    [[3, 4]]
    """
    return _several(lambda a: pad_left(a, max(a.type.ndim, 2)), arys)


def atleast_3d(*arys: Any) -> Any:
    """Each array with at least 3 dimensions: (n,) becomes (1, n, 1), and (m, n) becomes (m, n, 1).

    >>> import theano.tensor as T
    >>> atleast_3d(T.zeros((2, 3))).eval().shape
    (2, 3, 1)
    """

    def one(a: Any) -> Any:
        patterns: dict[int, list[Any]] = {0: ["x"] * 3, 1: ["x", 0, "x"], 2: [0, 1, "x"]}
        return dimshuffle(a, patterns[a.type.ndim]) if a.type.ndim < 3 else a

    return _several(one, arys)


# extents ---------------------------------------------------------------------------------------


def broadcast_to(array: Any, shape: Any) -> Any:
    """``array`` stretched to ``shape``: an int, a sequence of ints and 0-d integers, or a vector.

    Dimensions that are known to have size 1 (broadcastable ones) stretch; others must have the
    extent that they have (ValueError at run time).

    >>> import theano.tensor as T
    >>> broadcast_to(T.constant([1, 2]), (2, 2)).eval().tolist()
    [[1, 2], [1, 2]]
    """
    array = as_tensor_variable(array)
    if hasattr(shape, "type") and shape.type.ndim == 1:
        extents = vector_entries(shape, get_vector_length(shape))
    else:
        extents = list(shape) if isinstance(shape, (tuple, list, np.ndarray)) else [shape]
    return apply("alloc", array, *extents)


def broadcast_arrays(*args: Any) -> list[Any]:
    """The arrays, stretched to the shape that they have together.

    Dimensions that are known to have size 1 stretch.

    >>> import theano.tensor as T
    >>> [a.eval().tolist() for a in broadcast_arrays(T.constant([1, 2]), T.constant([[3]]))]
    [[[1, 2]], [[3, 3]]]
    """
    arrays = [as_tensor_variable(a) for a in args]
    rank = max((a.type.ndim for a in arrays), default=0)
    wide = [pad_left(a, rank) for a in arrays]
    extents = [common_extent(wide, axis) for axis in range(rank)]
    return [apply("alloc", a, *extents) if rank else a for a in wide]


def common_extent(arrays: Sequence[Any], axis: int) -> Any:
    """The extent of ``axis`` that arrays of one rank have when broadcast together."""
    fixed = [a for a in arrays if not a.type.broadcastable[axis]]
    return size_of(fixed[0], axis) if fixed else 1


def full_like(a: Any, fill_value: Any, dtype: str | None = None) -> Any:
    """An array of the shape of ``a`` that holds ``fill_value``; ``dtype``: that of ``a``.

    >>> import theano.tensor as T
    >>> full_like(T.constant([1, 2]), 7).eval().tolist()
    [7, 7]
    """
    a = as_tensor_variable(a)
    value = cast(as_tensor_variable(fill_value), dtype or a.type.dtype)
    return apply("alloc", value, *sizes_of(a)) if a.type.ndim else apply("second", a, value)


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> list[Any]:
    """Coordinate arrays of a grid from coordinate vectors, as ``numpy.meshgrid`` gives them.

    Parameters
    ----------
    xi : vectors or scalars.
    copy : of no effect: results are values.
    sparse : leave the dimensions along which a result does not change at size 1.
    indexing : 'xy' (the first two dimensions exchanged) or 'ij'.

    >>> import theano.tensor as T
    >>> [g.eval().tolist() for g in meshgrid(T.constant([1, 2]), T.constant([3, 4]))]
    [[[1, 2], [1, 2]], [[3, 3], [4, 4]]]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    vectors = [atleast_1d(x) for x in xi]
    if any(v.type.ndim != 1 for v in vectors):
        raise TypeError("meshgrid: coordinates must be vectors")
    rank = len(vectors)
    order = list(range(rank))
    if indexing == "xy" and rank > 1:
        order[:2] = [1, 0]
    axes = []
    for vector, axis in zip(vectors, order, strict=True):
        pattern: list[Any] = ["x"] * rank
        pattern[axis] = 0
        axes.append(dimshuffle(vector, pattern))
    return axes if sparse else broadcast_arrays(*axes)


# elements along an axis ------------------------------------------------------------------------


def _along(x: Any, indices: Any, axis: int) -> tuple[Any, ...]:
    """The index that takes ``indices`` along ``axis``, and stays where it is along the others."""
    ndim = x.type.ndim
    if indices.type.ndim != ndim:
        raise ValueError(f"along an axis: {indices.type} and {x.type} must have the same rank")
    if indices.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"along an axis: indices must be integers, got {indices.type}")
    index = []
    for i in range(ndim):
        if i == axis:
            index.append(indices)
        elif x.type.broadcastable[i]:
            index.append(constant(np.zeros((1,) * ndim, "int64")))
        else:
            pattern: list[Any] = ["x"] * ndim
            pattern[i] = 0
            index.append(dimshuffle(apply("arange", size_of(x, i)), pattern))
    return tuple(index)


def _flat_axis(arrays: Sequence[Any], axis: int | None, what: str) -> tuple[list[Any], int]:
    made = [as_tensor_variable(a) for a in arrays]
    if axis is None:
        return [apply("flatten", made[0]), *made[1:]], 0
    return made, axis_of(axis, made[0].type.ndim, what)


def take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    """Elements of ``arr`` at ``indices`` along ``axis``, as ``argsort`` and ``argmax`` give them.

    Parameters
    ----------
    arr : array.
    indices : integers, of the rank of ``arr``; both broadcast except along ``axis``.
    axis : int, or None: ``arr`` is flattened, and ``indices`` is a vector.

    >>> import theano.tensor as T
    >>> take_along_axis(T.constant([[3, 1], [2, 4]]), T.constant([[1], [0]]), 1).eval().tolist()
    [[1], [2]]
    """
    (arr, indices), axis = _flat_axis((arr, indices), axis, "take_along_axis")
    index = _along(arr, indices, axis)
    return getitem(arr, index if len(index) > 1 else index[0])


def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None = -1) -> Any:
    """``arr`` with ``values`` at ``indices`` along ``axis``: a new array, unlike NumPy's function.

    Where an index repeats, the last value stays.

    >>> import theano.tensor as T
    >>> put_along_axis(T.constant([[3, 1]]), T.constant([[1]]), 9, 1).eval().tolist()
    [[3, 9]]
    """
    whole = as_tensor_variable(arr)
    (arr, indices), position = _flat_axis((arr, indices), axis, "put_along_axis")
    index = _along(arr, indices, position)
    place = getitem(arr, index if len(index) > 1 else index[0])
    result = apply("set_subtensor", place, values)
    if axis is not None or whole.type.ndim == 1:
        return result
    return apply("reshape", result, sizes.vector(sizes_of(whole)), ndim=whole.type.ndim)


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Any:
    """The elements of each row (last dimension) of ``x`` in the order that ``y`` says.

    Parameters
    ----------
    x : array with at least one dimension.
    y : permutations of the positions in a row, integers; a single one serves all rows, and with
        several, a single row of ``x`` is permuted by each.
    inverse : take the inverse permutations.

    >>> import theano.tensor as T
    >>> permute_row_elements(T.constant([4, 5, 6]), T.constant([2, 0, 1])).eval().tolist()
    [6, 4, 5]
    """
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if not x.type.ndim or not y.type.ndim:
        raise TypeError("permute_row_elements: x and y must have at least one dimension")
    if y.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"permute_row_elements: y must be integers, got {y.type}")
    rank = max(x.type.ndim, y.type.ndim)
    if inverse:
        y = apply("argsort", y, -1)
    return take_along_axis(pad_left(x, rank), pad_left(y, rank), -1)


def inverse_permutation(perm: Any) -> Any:
    """The permutation (each row one, if there are more dimensions) that undoes ``perm``.

    >>> import theano.tensor as T
    >>> inverse_permutation(T.constant([2, 0, 1])).eval().tolist()
    [1, 2, 0]
    """
    perm = as_tensor_variable(perm)
    if not perm.type.ndim or perm.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"inverse_permutation: perm must be integers in rows, got {perm.type}")
    return cast(apply("argsort", perm, -1), perm.type.dtype)


def argwhere(a: Any) -> Any:
    """The indices of the elements that are not zero, a row for each.

    >>> import theano.tensor as T
    >>> argwhere(T.constant([[0, 1], [1, 0]])).eval().tolist()
    [[0, 1], [1, 0]]
    """
    return apply("transpose", apply("nonzero", a, return_matrix=True))


FUNCTIONS = (
    flip, flipud, fliplr, rot90, rollaxis, expand_dims, atleast_1d, atleast_2d, atleast_3d,
    broadcast_to, broadcast_arrays, full_like, meshgrid, take_along_axis, put_along_axis,
    permute_row_elements, inverse_permutation, argwhere,
)  # fmt: skip
for _builder in FUNCTIONS:
    register(_builder.__name__, _builder)
