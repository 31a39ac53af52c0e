"""Pooling of images: maxima, sums and means over windows.

>>> import theano.tensor as T
>>> from theano.tensor.signal.pool import pool_2d
>>> pool_2d(T.constant([[1.0, 2.0], [4.0, 3.0]]), ws=(2, 2), ignore_border=True).eval().tolist()
[[4.0]]
"""

from __future__ import annotations

import warnings
from typing import Any

from theano.ops.basic import as_tensor_variable
from theano.ops.pool import (
    AveragePoolGrad,
    DownsampleFactorMaxGradGrad,
    MaxPoolGrad,
    MaxPoolRop,
    Pool,
    PoolOp,
)

__all__ = [
    "AveragePoolGrad", "DownsampleFactorMaxGradGrad", "MaxPoolGrad", "MaxPoolRop", "Pool",
    "PoolGrad", "max_pool_2d_same_size", "pool_2d", "pool_3d",
]  # fmt: skip

PoolGrad = PoolOp


def pool_2d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None,
    pad: Any = (0, 0), mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """Pool the last two axes of ``input``.

    Parameters
    ----------
    input : tensor of at least 2 axes.
    ws : extents of the window: an int, a pair of ints, or an int vector (also symbolic).
    ignore_border : True: only windows that lie in the (padded) image; (5, 5) with ``ws=(2, 2)``
        gives (2, 2). False: windows that reach over the end, too; gives (3, 3). None: False, with
        a warning.
    stride : steps between windows; None: ``ws``.
    pad : cells added on both sides, less than ``ws``; needs ``ignore_border=True``. Maxima and sums
        do not see them.
    mode : "max", "sum", "average_inc_pad" (padding counts) or "average_exc_pad" (it does not).
    ds, st, padding : old names of ``ws``, ``stride``, ``pad`` (with a warning; ValueError where
        both are given).

    The result has the dtype of ``input``; means of ints are float64. The gradient of a maximum goes
    to every cell that equals it.
    """
    given = _parameters(ws, stride, pad, ds, st, padding, (0, 0))
    return _pool(input, 2, ignore_border, mode, given, "pool_2d")


def pool_3d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None,
    pad: Any = (0, 0, 0), mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """Pool the last three axes of ``input``; see `pool_2d`."""
    given = _parameters(ws, stride, pad, ds, st, padding, (0, 0, 0))
    return _pool(input, 3, ignore_border, mode, given, "pool_3d")


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """``input`` with zeros in the place of all that is not the maximum of its patch.

    Patches that do not lie in the image are zero altogether.

    Parameters
    ----------
    input : tensor of floats, at least 2 axes.
    patch_size : a pair of ints.
    """
    top = Pool(True, "max")(input, patch_size)
    return MaxPoolGrad(True)(input, top, top, patch_size)


def _parameters(
    ws: Any, stride: Any, pad: Any, ds: Any, st: Any, padding: Any, none: tuple[int, ...]
) -> tuple[Any, Any, Any]:
    """Window, stride and padding from new and old names."""
    unset = isinstance(pad, tuple) and pad == none
    found = []
    rows = (
        ("ws", ws, "ds", ds, ws is None),
        ("stride", stride, "st", st, stride is None),
        ("pad", pad, "padding", padding, unset),
    )
    for name, new, old_name, old, missing in rows:
        if old is None:
            found.append(new)
            continue
        if not missing:
            raise ValueError(
                f"You can't provide a tuple value to both '{name}' and '{old_name}': {old_name} "
                f"is the old name of {name}"
            )
        warnings.warn(
            f"DEPRECATION: the '{old_name}' parameter is not going to exist anymore as it is going "
            f"to be replaced by the parameter '{name}'.",
            stacklevel=4,
        )
        found.append(old)
    if found[0] is None:
        raise ValueError("You must provide a tuple value for the window size.")
    return found[0], found[1], found[2]


def _pool(
    input: Any, ndim: int, ignore_border: bool | None, mode: str, given: Any, what: str
) -> Any:
    input = as_tensor_variable(input)
    if input.type.ndim < ndim:
        raise NotImplementedError(f"{what} requires a dimension >= {ndim}, got {input.type}")
    if ignore_border is None:
        warnings.warn(
            f"{what}() will have the parameter ignore_border default value changed to True "
            "(currently False). To have consistent behavior with all Theano version, explicitly "
            "add the parameter ignore_border=True, which is also what is fastest.",
            stacklevel=4,
        )
        ignore_border = False
    return Pool(ignore_border, mode, ndim)(input, *given)
