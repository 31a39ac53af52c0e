"""Array functions that are made of other ops: statistics, diagonals written, flat positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.config import config
from theano.graph.nodes import Apply
from theano.graph.registry import apply, register
from theano.ops import sizes
from theano.ops.assertion import Assert
from theano.ops.basic import as_tensor_variable, cast, constant, dimshuffle, pad_left
from theano.ops.constants import get_vector_length
from theano.ops.extents import size_of, sizes_of
from theano.ops.index import getitem
from theano.ops.index_nonzero import flatnonzero


class Check(Assert):
    """``Check(msg, error)(value, *conditions)``: as Assert, but it raises ``error(msg)``."""

    __props__ = ("msg", "error")  # type: ignore[assignment]

    def __init__(self, msg: str, error: type[Exception] = ValueError) -> None:
        super().__init__(msg)
        self.error = error

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Hand the value on, or raise."""
        if not np.all(inputs[1:]):
            raise self.error(self.msg)
        output_storage[0][0] = inputs[0]

    def __str__(self) -> str:
        return f"Check{{{self.error.__name__}({self.msg!r})}}"


def _integers(x: Any, what: str) -> Any:
    x = as_tensor_variable(x)
    if x.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"{what} must be integers, got {x} of type {x.type}")
    return x


# statistics ------------------------------------------------------------------------------------


def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
) -> Any:
    """The covariance matrix of variables, as ``numpy.cov`` computes it.

    Parameters
    ----------
    m : vector or matrix; each row (``rowvar``) or column is a variable, the others observations.
    y : more variables, of the same form.
    bias : divide by the number of observations n, not n - 1.
    ddof : divide by n - ``ddof``; overrides ``bias``.
    fweights, aweights : not implemented: NotImplementedError unless None.

    >>> import theano.tensor as T
    >>> cov(T.constant([[0.0, 2.0], [0.0, 4.0]])).eval().tolist()
    [[2.0, 4.0], [4.0, 8.0]]
    """
    if fweights is not None or aweights is not None:
        raise NotImplementedError("cov: fweights and aweights are not implemented")
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof must be an integer, not {ddof!r}")
    rows = _variables(m, rowvar)
    if y is not None:
        rows = apply("join", 0, rows, _variables(y, rowvar))
    if ddof is None:
        ddof = 0 if bias else 1
    centred = rows - apply("mean", rows, axis=1, keepdims=True)
    count = sizes.sub(size_of(rows, 1), int(ddof))
    divisor = cast(sizes.variable(count), centred.type.dtype)
    product = apply("dot", centred, apply("transpose", centred)) / divisor
    return apply("squeeze", product)


def _variables(m: Any, rowvar: bool) -> Any:
    m = as_tensor_variable(m)
    if m.type.ndim > 2:
        raise ValueError(f"cov: {m} has more than 2 dimensions ({m.type})")
    if m.type.dtype in dtypes.DISCRETE:
        m = cast(m, "float64")
    if m.type.ndim < 2:
        return pad_left(m, 2)
    return m if rowvar else apply("transpose", m)


def bincount(
    x: Any, weights: Any = None, minlength: Any = None, assert_nonneg: bool = False
) -> Any:
    """How often 0, 1, … occur in a vector of integers, or the sum of their weights.

    Parameters
    ----------
    x : vector of integers, none negative (ValueError at run time, whatever ``assert_nonneg`` says).
    weights : vector as long as ``x``; the result has its dtype. Without it the result is int64.
    minlength : the least length of the result, an int or a 0-d integer.

    >>> import theano.tensor as T
    >>> bincount(T.constant([1, 1, 3])).eval().tolist()
    [0, 2, 0, 1]
    """
    x = as_tensor_variable(x)
    if x.type.ndim != 1:
        raise TypeError(f"bincount: x must be a vector, got {x.type}")
    x = _integers(x, "bincount: what is counted")
    # A 0 is taken along, so that an empty vector has a greatest element.
    top = apply("max", apply("join", 0, cast(x, "int64"), np.zeros(1, "int64")))
    length: Any = apply("switch", apply("eq", size_of(x, 0), 0), np.int64(0), top + 1)
    if minlength is not None:
        length = apply("maximum", length, sizes.variable(minlength))
    if not x.type.dtype.startswith("uint"):
        least = apply("all", apply("ge", x, 0))
        x = Check("bincount: x must not have negative elements")(x, least)
    x = cast(x, "int64")
    if weights is None:
        amounts: Any = constant(np.int64(1))
    else:
        amounts = as_tensor_variable(weights)
        if amounts.type.ndim != 1:
            raise TypeError(f"bincount: weights must be a vector, got {amounts.type}")
        same = apply("eq", size_of(x, 0), size_of(amounts, 0))
        amounts = Check("bincount: x and weights must have the same length")(amounts, same)
    dtype = "int64" if amounts.type.dtype == "bool" else amounts.type.dtype
    zeros = apply("zeros", (length,), dtype=dtype)
    return apply("inc_subtensor", getitem(zeros, x), cast(amounts, dtype))


# diagonals -------------------------------------------------------------------------------------


def fill_diagonal(a: Any, val: Any) -> Any:
    """A copy of ``a`` with ``val`` (0-d) on the main diagonal, where all indices are equal.

    ``a`` has 2 dimensions, or more that are all of one size. Raises TypeError where ``val`` does
    not fit into the dtype of ``a``.

    >>> import theano.tensor as T
    >>> fill_diagonal(T.constant([[1, 2], [3, 4]]), 0).eval().tolist()
    [[0, 2], [3, 0]]
    """
    a, val = _fillable(a, val, "fill_diagonal")
    ndim = a.type.ndim
    if ndim > 2:
        extents = sizes_of(a)
        same = [apply("eq", extents[0], extent) for extent in extents[1:]]
        a = Check("fill_diagonal: all dimensions of a must be of equal length")(a, *same)
    axes = [_axis_positions(a, i) for i in range(ndim)]
    hits = [apply("eq", axes[0], other) for other in axes[1:]]
    where = apply("and_", *hits) if ndim > 2 else hits[0]
    return _like(apply("switch", where, val, a), a)


def fill_diagonal_offset(a: Any, val: Any, offset: Any) -> Any:
    """A copy of the matrix ``a`` with ``val`` (0-d) on the diagonal ``offset`` (0-d integer).

    >>> import theano.tensor as T
    >>> fill_diagonal_offset(T.constant([[1, 2], [3, 4]]), 0, 1).eval().tolist()
    [[1, 0], [3, 4]]
    """
    a, val = _fillable(a, val, "fill_diagonal_offset")
    if a.type.ndim != 2:
        raise TypeError(f"fill_diagonal_offset: a must be a matrix, got {a.type}")
    offset = _integers(offset, "fill_diagonal_offset: offset")
    if offset.type.ndim != 0:
        raise TypeError(f"fill_diagonal_offset: offset must be 0-d, got {offset.type}")
    row, column = _axis_positions(a, 0), _axis_positions(a, 1)
    where = apply("eq", column - row, cast(offset, "int64"))
    return _like(apply("switch", where, val, a), a)


def _fillable(a: Any, val: Any, what: str) -> tuple[Any, Any]:
    a, val = as_tensor_variable(a), as_tensor_variable(val)
    if a.type.ndim < 2:
        raise TypeError(f"{what}: a must have at least 2 dimensions, got {a.type}")
    if val.type.ndim != 0:
        raise TypeError(f"{what}: val must be 0-d, got {val.type}")
    if dtypes.promote(a.type.dtype, val.type.dtype) != a.type.dtype:
        raise TypeError(f"{what}: {val} of dtype {val.type.dtype} does not fit into {a.type}")
    return a, cast(val, a.type.dtype)


def _axis_positions(x: Any, axis: int) -> Any:
    """0, 1, … along ``axis``, stretching along the others."""
    pattern: list[Any] = ["x"] * x.type.ndim
    pattern[axis] = 0
    return dimshuffle(apply("arange", size_of(x, axis)), pattern)


def _like(result: Any, model: Any) -> Any:
    return apply("patternbroadcast", result, model.type.broadcastable)


def to_one_hot(y: Any, nb_class: Any, dtype: str | None = None) -> Any:
    """A row for each element of the integer vector ``y``: 1 in that column, 0 elsewhere.

    Parameters
    ----------
    nb_class : number of columns, int or 0-d integer. IndexError at run time for labels beyond.
    dtype : default floatX.

    >>> import theano.tensor as T
    >>> to_one_hot(T.constant([0, 2]), 3, dtype="int8").eval().tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    y = _integers(y, "to_one_hot: labels")
    if y.type.ndim != 1:
        raise TypeError(f"to_one_hot: y must be a vector, got {y.type}")
    rows = size_of(y, 0)
    zeros = apply("zeros", (rows, nb_class), dtype=dtype or config.floatX)
    return apply("set_subtensor", getitem(zeros, (apply("arange", rows), y)), np.int8(1))


# selecting -------------------------------------------------------------------------------------


def compress(condition: Any, x: Any, axis: int | None = None) -> Any:
    """The slices of ``x`` along ``axis`` (None: of the flattened ``x``) where the vector
    ``condition`` is not zero.

    >>> import theano.tensor as T
    >>> compress(T.constant([0, 1]), T.constant([[1, 2], [3, 4]]), axis=0).eval().tolist()
    [[3, 4]]
    """
    condition = as_tensor_variable(condition)
    if condition.type.ndim != 1:
        raise ValueError(f"compress: condition must be a vector, got {condition.type}")
    return apply("take", as_tensor_variable(x), flatnonzero(condition), axis=axis)


_NO_CHOICE = "choose: an element of a is not the number of a choice"


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """At each place the element of ``choices[a]``, everything broadcast together.

    Parameters
    ----------
    a : integers.
    choices : list of arrays, or an array whose first dimension numbers them.
    out : must be None.
    mode : for elements of ``a`` that are no choice: 'raise' (ValueError at run time), 'clip' to the
        nearest or 'wrap' around.

    >>> import theano.tensor as T
    >>> choose(T.constant([0, 1]), [T.constant([1, 2]), T.constant([3, 4])]).eval().tolist()
    [1, 4]
    """
    if out is not None:
        raise NotImplementedError("choose: out must be None: results are new variables")
    a = cast(_integers(a, "choose: positions"), "int64")
    if isinstance(choices, (list, tuple)):
        return _choose_listed(a, [as_tensor_variable(c) for c in choices], mode)
    return _choose_stacked(a, as_tensor_variable(choices), mode)


def _choose_listed(a: Any, choices: Sequence[Any], mode: str) -> Any:
    if not choices:
        raise ValueError("choose: there are no choices")
    index = _in_range(a, len(choices), mode, _NO_CHOICE)
    result = choices[-1]
    # A single choice is chosen too: the shape of a counts, and its elements are checked.
    for number in range(max(len(choices) - 2, 0), -1, -1):
        result = apply("switch", apply("eq", index, np.int64(number)), choices[number], result)
    return result


def _choose_stacked(a: Any, choices: Any, mode: str) -> Any:
    if choices.type.ndim == 0:
        raise TypeError("choose: choices must have a first dimension that numbers them")
    index = _in_range(a, size_of(choices, 0), mode, _NO_CHOICE)
    rank = max(a.type.ndim, choices.type.ndim - 1)
    if rank == 0:
        return getitem(choices, index)
    missing = rank - (choices.type.ndim - 1)
    choices = dimshuffle(choices, (0, *("x",) * missing, *range(1, choices.type.ndim)))
    places = [
        constant(np.int64(0)) if stretches else _place(choices, axis, rank)
        for axis, stretches in enumerate(choices.type.broadcastable[1:])
    ]
    return getitem(choices, (pad_left(index, rank), *places))


def _place(choices: Any, axis: int, rank: int) -> Any:
    pattern: list[Any] = ["x"] * rank
    pattern[axis] = 0
    return dimshuffle(apply("arange", size_of(choices, axis + 1)), pattern)


def _in_range(index: Any, size: Any, mode: str, text: str) -> Any:
    """``index`` made to lie in 0 … size - 1 as ``mode`` says."""
    extent = sizes.variable(size)
    if mode == "clip":
        return apply("clip", index, np.int64(0), apply("sub", extent, np.int8(1)))
    if mode == "wrap":
        return apply("mod", index, extent)
    if mode != "raise":
        raise ValueError(f"mode must be 'raise', 'clip' or 'wrap', not {mode!r}")
    inside = apply("and_", apply("ge", index, np.int64(0)), apply("lt", index, extent))
    return Check(text)(index, apply("all", inside))


# flat positions --------------------------------------------------------------------------------


def _extents(dims: Any, what: str, ndim: int | None = None) -> list[Any]:
    """The entries of ``dims`` as extents: ints where known, else 0-d int64 variables."""
    if isinstance(dims, (int, np.integer)):
        dims = (dims,)
    if isinstance(dims, (list, tuple)):
        entries = [sizes.simple(entry) for entry in dims]
        return [e if isinstance(e, int) else cast(_integers(e, what), "int64") for e in entries]
    dims = _integers(dims, what)
    if dims.type.ndim == 0:
        return [cast(dims, "int64")]
    if dims.type.ndim != 1:
        raise TypeError(f"{what} must be a vector, got {dims.type}")
    count = get_vector_length(dims) if ndim is None else ndim
    return [cast(getitem(dims, i), "int64") for i in range(count)]


def _ordered(order: str, what: str) -> bool:
    """Whether the last index changes fastest."""
    if order not in ("C", "F"):
        raise ValueError(f"{what}: order must be 'C' or 'F', not {order!r}")
    return order == "C"


def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: int | None = None) -> Any:
    """Positions in a flattened array as a tuple of int64 arrays, one for each dimension.

    Parameters
    ----------
    indices : integers of any shape. ValueError at run time for those outside.
    dims : shape of the array: sequence of ints and 0-d integers, or an integer vector.
    order : 'C' (the last index changes fastest) or 'F'.
    ndim : number of dimensions, where the length of the vector ``dims`` is not known.

    >>> import theano.tensor as T
    >>> [i.eval().tolist() for i in unravel_index(T.constant([5, 7]), (2, 4))]
    [[1, 1], [1, 3]]
    """
    last_first = _ordered(order, "unravel_index")
    extents = _extents(dims, "unravel_index: dims", ndim)
    index = cast(_integers(indices, "unravel_index: indices"), "int64")
    text = "unravel_index: an index is out of bounds for an array of these dims"
    index = _in_range(index, sizes.product(extents), "raise", text)
    found = []
    for extent in reversed(extents) if last_first else extents:
        size = sizes.variable(extent)
        found.append(apply("mod", index, size))
        index = apply("int_div", index, size)
    return tuple(reversed(found) if last_first else found)


def ravel_multi_index(multi_index: Any, dims: Any, mode: Any = "raise", order: str = "C") -> Any:
    """Positions in the flattened array (int64) from one index array for each dimension.

    Parameters
    ----------
    multi_index : sequence of integer arrays, which broadcast together.
    dims : as for ``unravel_index``.
    mode : for indices out of range: 'raise' (ValueError at run time; also for negative ones),
        'clip' or 'wrap'; or a tuple with one of these for each dimension.
    order : 'C' (the last index changes fastest) or 'F'.

    >>> import theano.tensor as T
    >>> ravel_multi_index((T.constant([1, 1]), T.constant([1, 3])), (2, 4)).eval().tolist()
    [5, 7]
    """
    last_first = _ordered(order, "ravel_multi_index")
    parts = [multi_index] if hasattr(multi_index, "type") else list(multi_index)
    extents = _extents(dims, "ravel_multi_index: dims", len(parts))
    modes = (mode,) * len(parts) if isinstance(mode, str) else tuple(mode)
    if not len(parts) == len(extents) == len(modes):
        raise ValueError(
            f"ravel_multi_index: {len(parts)} index arrays, {len(extents)} dims and {len(modes)} "
            "modes: the numbers must be equal"
        )
    text = "ravel_multi_index: invalid entry in coordinates array"
    total: Any = None
    triples = list(zip(parts, extents, modes, strict=True))
    for part, extent, how in triples if last_first else reversed(triples):
        index = cast(_integers(part, "ravel_multi_index: indices"), "int64")
        index = _in_range(index, extent, how, text)
        total = index if total is None else total * sizes.variable(extent) + index
    if total is None:
        raise ValueError("ravel_multi_index: there are no dimensions")
    return total


_FUNCTIONS = (
    cov, bincount, fill_diagonal, fill_diagonal_offset, to_one_hot, compress, choose,
    unravel_index, ravel_multi_index,
)  # fmt: skip
for _builder in _FUNCTIONS:
    register(_builder.__name__, _builder)
