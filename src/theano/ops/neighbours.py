"""Patches of images as rows of a matrix, and back.

Patches that do not overlap are a transposition; others are gathers by index, whose gradients
scatter-add. Both are native ops with derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from theano.core import dtypes
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.assertion import Assert
from theano.ops.basic import as_tensor_variable
from theano.ops.constants import vector_entries
from theano.ops.extents import size_of, sizes_of
from theano.ops.index import getitem

MODES: Final = ("valid", "half", "full", "ignore_borders", "wrap_centered")


class _Axis(NamedTuple):
    """Along an axis: extent, length of a patch, step, zeros before and after."""

    extent: Any
    length: Any
    step: Any
    before: Any
    after: Any

    @property
    def padded(self) -> Any:
        """The extent with its zeros."""
        return sizes.add(sizes.add(self.extent, self.before), self.after)

    @property
    def room(self) -> Any:
        """How far the first cell of a patch can move."""
        return sizes.sub(self.padded, self.length)


def pair(value: Any, what: str) -> list[Any]:
    """Two extents: ints where known. TypeError for what are not ints."""
    if isinstance(value, int):
        value = (value, value)
    value = as_tensor_variable(value)
    if value.type.ndim != 1 or value.type.dtype not in dtypes.integer_dtypes:
        raise TypeError(f"{what} must be a vector of two ints, got {value} of {value.type}")
    return list(vector_entries(value, 2))


def images2neibs(ten4: Any, neib_shape: Any, neib_step: Any = None, mode: str = "valid") -> Any:
    """Rows that hold the patches of images.

    Parameters
    ----------
    ten4 : tensor of rank 4: images, channels, rows, columns.
    neib_shape : (rows, columns) of a patch: ints or an int vector.
    neib_step : how far apart patches lie; None: ``neib_shape``, so that they do not overlap.
    mode :
        "valid": patches lie in the image, and steps must end at its border (ValueError where that
        is known to fail, else AssertionError when the function runs);
        "ignore_borders": the same, but cells that are left over are ignored;
        "half": the image is surrounded by ``neib_shape // 2`` zeros;
        "full": by ``neib_shape - 1`` zeros;
        "wrap_centered": patches of odd extents lie around every ``neib_step``-th cell, and what is
        beyond a border is taken from the other side.

    The result has a row for each image, channel, row and column of patches, in this order, and a
    column for each cell of a patch, row by row.

    >>> import theano.tensor as T
    >>> x = T.arange(8).reshape((1, 1, 2, 4))
    >>> images2neibs(x, (2, 2)).eval().tolist()
    [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    x = as_tensor_variable(ten4)
    if x.type.ndim != 4:
        raise TypeError(f"images2neibs: ten4 must have 4 axes, got {x.type}")
    if mode not in MODES:
        raise NotImplementedError(f"images2neibs: mode must be one of {MODES}, not {mode!r}")
    shape = pair(neib_shape, "neib_shape")
    step = shape if neib_step is None else pair(neib_step, "neib_step")
    if mode == "wrap_centered":
        return _wrapped(x, shape, step)
    axes = [_axis(x, i, shape[i], step[i], mode) for i in (0, 1)]
    x = _checked(x, axes, mode)
    if mode in ("valid", "ignore_borders") and all(_same(a.length, a.step) for a in axes):
        return _apart(x, axes)
    return _gathered(_padded(x, axes), axes, _starts(axes))


def _same(a: Any, b: Any) -> bool:
    return a is b or (sizes.known(a) is not None and sizes.known(a) == sizes.known(b))


def _axis(x: Any, i: int, length: Any, step: Any, mode: str) -> _Axis:
    zeros: Any = 0
    if mode == "half":
        zeros = sizes.floordiv(length, 2)
    elif mode == "full":
        zeros = sizes.sub(length, 1)
    return _Axis(size_of(x, 2 + i), length, step, zeros, zeros)


def _checked(x: Any, axes: Sequence[_Axis], mode: str) -> Any:
    """``x`` after a check that patches fit."""
    for number, axis in enumerate(axes):
        tests = [("at least 1", sizes.where("ge", axis.length, 1, 1, 0)),
                 ("at least 1", sizes.where("ge", axis.step, 1, 1, 0)),
                 ("not larger than the image", sizes.where("ge", axis.room, 0, 1, 0))]  # fmt: skip
        if mode != "ignore_borders" and sizes.known(axis.step) != 0:
            rest = sizes.sub(axis.room, sizes.mul(sizes.floordiv(axis.room, axis.step), axis.step))
            tests.append(("such that steps end at the border", sizes.where("eq", rest, 0, 1, 0)))
        for text, holds in tests:
            message = (
                f"images2neibs in mode {mode!r}: patches and steps must be {text}; axis "
                f"{2 + number} of the images has extent {axis.extent}, the patch {axis.length}, "
                f"the step {axis.step}"
            )
            if sizes.known(holds) == 0:
                raise ValueError(message)
            if sizes.known(holds) is None:
                x = Assert(message)(x, apply("eq", holds, 1))
    return x


def _count(axis: _Axis) -> Any:
    return sizes.add(sizes.floordiv(axis.room, axis.step), 1)


def _apart(x: Any, axes: Sequence[_Axis]) -> Any:
    """Patches that do not overlap: a transposition."""
    counts = [sizes.floordiv(a.extent, a.length) for a in axes]
    inner = [sizes.mul(c, a.length) for c, a in zip(counts, axes, strict=True)]
    x = getitem(x, (slice(None), slice(None), *(slice(0, n) for n in inner)))
    images, channels = sizes_of(x)[:2]
    (a, b), (m, n) = [axis.length for axis in axes], counts
    parts = _reshaped(x, (images, channels, m, a, n, b))
    rows = sizes.product((images, channels, m, n))
    return _reshaped(apply("dimshuffle", parts, 0, 1, 2, 4, 3, 5), (rows, sizes.mul(a, b)))


def _reshaped(x: Any, shape: Sequence[Any]) -> Any:
    return apply("reshape", x, sizes.vector(list(shape)), ndim=len(shape))


def _padded(x: Any, axes: Sequence[_Axis]) -> Any:
    """The images with their zeros."""
    if all(sizes.known(a.before) == 0 and sizes.known(a.after) == 0 for a in axes):
        return x
    images, channels = sizes_of(x)[:2]
    shape: Any = sizes.vector([images, channels, *(a.padded for a in axes)])
    zeros = apply("zeros", [shape[i] for i in range(4)], dtype=x.type.dtype)
    inside = [slice(a.before, sizes.add(a.before, a.extent)) for a in axes]
    return apply("set_subtensor", getitem(zeros, (slice(None), slice(None), *inside)), x)


def _starts(axes: Sequence[_Axis]) -> list[Any]:
    return [apply("mul", apply("arange", sizes.variable(_count(a))), a.step) for a in axes]


def _gathered(x: Any, axes: Sequence[_Axis], starts: Sequence[Any]) -> Any:
    """Patches whose first cells are at ``starts``."""
    images, channels = sizes_of(x)[:2]
    cells = [apply("arange", sizes.variable(axis.length)) for axis in axes]
    places = [
        s.dimshuffle(0, "x") + c.dimshuffle("x", 0) for s, c in zip(starts, cells, strict=True)
    ]
    if axes[0].before == "wrap":
        places = [p % sizes.variable(a.extent) for p, a in zip(places, axes, strict=True)]
    rows, columns = places
    found = getitem(
        x,
        (slice(None), slice(None), rows.dimshuffle(0, "x", 1, "x"),
         columns.dimshuffle("x", 0, "x", 1)),
    )  # fmt: skip
    many = sizes.product((images, channels, size_of(starts[0], 0), size_of(starts[1], 0)))
    return _reshaped(found, (many, sizes.mul(axes[0].length, axes[1].length)))


def _wrapped(x: Any, shape: Sequence[Any], step: Sequence[Any]) -> Any:
    """Patches around cells."""
    axes, starts = [], []
    for i in (0, 1):
        n, length = size_of(x, 2 + i), shape[i]
        odd = sizes.sub(length, sizes.mul(sizes.floordiv(length, 2), 2))
        message = (
            f"images2neibs in mode 'wrap_centered': extents of patches must be odd and not larger "
            f"than the image, got {length} for axis {2 + i} of extent {n}"
        )
        for holds in (sizes.where("eq", odd, 1, 1, 0), sizes.where("ge", n, length, 1, 0)):
            if sizes.known(holds) == 0:
                raise ValueError(message)
            if sizes.known(holds) is None:
                x = Assert(message)(x, apply("eq", holds, 1))
        axes.append(_Axis(n, length, step[i], "wrap", "wrap"))
        centres = apply("arange", sizes.variable(sizes.ceil_div(n, step[i])))
        half = sizes.variable(sizes.floordiv(length, 2))
        starts.append(apply("sub", apply("mul", centres, step[i]), half))
    return _gathered(x, axes, starts)


def neibs2images(neibs: Any, neib_shape: Any, original_shape: Any, mode: str = "valid") -> Any:
    """The images whose patches, not overlapping, are the rows of ``neibs``.

    Parameters
    ----------
    neibs : matrix, as `images2neibs` gives it for the same ``neib_shape`` and mode.
    neib_shape : (rows, columns) of a patch.
    original_shape : the shape of the images: four ints, or an int vector.
    mode : "valid"; "ignore_borders": cells that no patch holds are 0.

    >>> import theano.tensor as T
    >>> neibs2images(T.constant([[0, 1, 4, 5], [2, 3, 6, 7]]), (2, 2), (1, 1, 2, 4)).eval().tolist()
    [[[[0, 1, 2, 3], [4, 5, 6, 7]]]]
    """
    neibs = as_tensor_variable(neibs)
    if neibs.type.ndim != 2:
        raise TypeError(f"neibs2images: neibs must be a matrix, got {neibs.type}")
    if mode not in ("valid", "ignore_borders"):
        raise NotImplementedError(f"neibs2images do not support mode={mode!r}")
    a, b = pair(neib_shape, "neib_shape")
    shape = list(vector_entries(as_tensor_variable(original_shape), 4))
    images, channels = shape[:2]
    m, n = sizes.floordiv(shape[2], a), sizes.floordiv(shape[3], b)
    parts = _reshaped(neibs, (images, channels, m, n, a, b))
    parts = apply("dimshuffle", parts, 0, 1, 2, 4, 3, 5)
    inner = [sizes.mul(m, a), sizes.mul(n, b)]
    if mode == "valid":
        # Where steps do not end at the border the reshape fails: there are too few elements.
        return _reshaped(parts, shape)
    found = _reshaped(parts, (images, channels, *inner))
    whole: Any = sizes.vector(shape)
    zeros = apply("zeros", [whole[i] for i in range(4)], dtype=neibs.type.dtype)
    part = getitem(zeros, (slice(None), slice(None), *(slice(0, n) for n in inner)))
    return apply("set_subtensor", part, found)
