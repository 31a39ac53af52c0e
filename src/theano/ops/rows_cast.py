"""Rows that convert, copy or stretch: casts, identity, second."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.dtypes import COMPLEX
from theano.ops.scalar import ScalarRow, as_given, enter, kernel_dtype, same_out, t


@functools.cache
def cast_row(dtype: str) -> ScalarRow:
    """The row that converts to ``dtype``, as C does: floats are truncated towards zero.

    bool is whether the value is not zero. Complex numbers convert to complex ones only.
    """

    def body(k: Any, x: Any) -> Any:
        if dtype == "bool" and x.dtype != "bool":
            return k.ne(x, 0)
        return k.cast(x, kernel_dtype(dtype))

    def rule(inputs: Any) -> str:
        if inputs[0] in COMPLEX and dtype not in COMPLEX:
            raise TypeError(
                "casting from complex to real is ambiguous: use real, imag, angle or abs"
            )
        return dtype

    row = ScalarRow(
        f"Cast{{{dtype}}}", 1, rule, lambda x: x.astype(dtype), body,
        grad=lambda g, z, x: (_cast_grad(g, x),), operands=as_given,
        display=f"Elemwise{{Cast{{{dtype}}}}}", complex_grad=True,
    )  # fmt: skip
    return enter(row)


def _cast_grad(g: Any, x: Any) -> Any:
    """To the dtype of ``x``; from a complex result to a real input only the real part flows."""
    if g.dtype in COMPLEX and x.dtype not in COMPLEX:
        return t.real(g)
    return g


def _second_dtype(inputs: Any) -> str:
    return dtypes.dtype_name(inputs[1])


identity = ScalarRow(
    "identity", 1, same_out, np.array, lambda k, x: x,
    grad=lambda g, z, x: (g,), complex_grad=True, display="Elemwise{identity}",
)  # fmt: skip

second = ScalarRow(
    "second", 2, _second_dtype, lambda x, y: np.array(np.broadcast_arrays(x, y)[1]),
    lambda k, x, y: y, grad=lambda g, z, x, y: (None, g), operands=as_given,
    disconnected=(0,), complex_grad=True,
)  # fmt: skip

ROWS = (identity, second)
