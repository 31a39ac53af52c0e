"""What a TensorType accepts from the outside, and how it says no."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.graph.nodes import Variable


def convert(kind: Any, value: Any, strict: bool, allow_downcast: bool | None) -> Any:
    """``value`` as an ndarray of ``kind.dtype``, or TypeError with both dtypes."""
    if isinstance(value, Variable):
        raise TypeError(
            f"Expected an array-like object, but found a Variable: {value}. Maybe you are trying "
            "to call a function on a (possibly shared) variable instead of a numeric array?"
        )
    if isinstance(value, np.memmap) and value.dtype == kind.numpy_dtype:
        return np.asarray(value)
    if strict:
        return _strict(kind, value)
    if allow_downcast:
        return np.asarray(value).astype(kind.numpy_dtype, copy=False)
    if isinstance(value, (np.ndarray, np.generic)):
        return _from_array(kind, np.asarray(value))
    return _from_python(kind, value, allow_downcast)


def _strict(kind: Any, value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == kind.numpy_dtype:
        return np.asarray(value)
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{kind} expected an ndarray object (got {type(value).__name__}).")
    raise TypeError(f"{kind} expected an ndarray with dtype={kind.dtype} (got {value.dtype}).")


def _from_array(kind: Any, value: Any) -> Any:
    if value.dtype == kind.numpy_dtype:
        return value
    if np.can_cast(value.dtype, kind.numpy_dtype, "safe"):
        return value.astype(kind.numpy_dtype)
    raise TypeError(
        f"{kind} cannot store a value of dtype {value.dtype} without risking loss of precision. "
        f"If you do not mind this loss, you can: 1) explicitly cast your data to {kind.dtype}, or "
        '2) set "allow_input_downcast=True" when calling "function".'
    )


def _from_python(kind: Any, value: Any, allow_downcast: bool | None) -> Any:
    try:
        found = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{kind} cannot be made from {value!r}: {error}") from error
    if found.dtype.kind not in "biufc":
        raise TypeError(f"{kind} cannot be made from {value!r} ({type(value).__name__}).")
    if found.size == 0 and found.dtype == np.float64 and not isinstance(value, float):
        return found.astype(kind.numpy_dtype)
    if np.can_cast(found.dtype, kind.numpy_dtype, "safe"):
        return found.astype(kind.numpy_dtype)
    with np.errstate(all="ignore"):  # what does not fit is refused below, in words
        real = found.real if found.dtype.kind == "c" and kind.numpy_dtype.kind != "c" else found
        converted = real.astype(kind.numpy_dtype)
    floats = found.dtype.kind in "fiub" and kind.numpy_dtype.kind == "f"
    if floats and allow_downcast is None and isinstance(value, (float, int)):
        return converted
    same = (
        converted == found if found.dtype.kind != "f" else (converted == found) | (found != found)
    )
    numbers = found.dtype.kind in "biuf" and kind.numpy_dtype.kind in "iuf"
    fits = found.dtype.kind != "f" or kind.numpy_dtype.kind == "f"
    if numbers and fits and bool(np.all(same)):
        return converted
    raise TypeError(
        f"{kind} cannot store accurately value {_short(value)}, it would be represented as "
        f"{_short(converted)}. If you do not mind this precision loss, you can: 1) explicitly "
        f"convert your data to a numpy array of dtype {kind.dtype}, or 2) set "
        '"allow_input_downcast=True" when calling "function".'
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
