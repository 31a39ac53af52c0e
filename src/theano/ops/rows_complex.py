"""Rows of complex numbers. Kernels have no complex dtypes: these run through NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.core.dtypes import COMPLEX
from theano.ops.scalar import (
    ScalarRow,
    as_given,
    complex_out,
    float64_out,
    real_out,
    same_out_min8,
    t,
)

_WHY = "complex numbers have no scalar code"


def _part_grad(part: int) -> Any:
    """The gradient of ``real`` (0) and ``imag`` (1)."""

    def grad(g: Any, z: Any, x: Any) -> tuple[Any]:
        if x.dtype not in COMPLEX:
            return (None if part else g,)
        return (t.complex(g, t.fill(g, 0.0)) if part == 0 else t.complex(t.fill(g, 0.0), g),)

    return grad


def _imag_body(k: Any, x: Any) -> Any:
    return k.const(0, x.dtype)


def _angle_out(inputs: Any) -> str:
    return float64_out([real_out(inputs)])


def _angle_grad(g: Any, z: Any, x: Any) -> tuple[Any]:
    if x.dtype not in COMPLEX:
        return (None,)
    re, im = t.real(x), t.imag(x)
    scale = g / (re * re + im * im)
    return (t.complex(-scale * im, scale * re),)


def _make(re: Any, im: Any) -> Any:
    return re + 1j * im


def _polar(r: Any, theta: Any) -> Any:
    return r * np.cos(theta) + 1j * (r * np.sin(theta))


def _polar_grad(g: Any, z: Any, r: Any, theta: Any) -> tuple[Any, Any]:
    re, im = t.real(g), t.imag(g)
    cos, sin = t.cos(theta), t.sin(theta)
    return re * cos + im * sin, r * (im * cos - re * sin)


ROWS = (
    ScalarRow(
        "real", 1, real_out, lambda x: np.array(np.real(x)), lambda k, x: x, _part_grad(0),
        operands=as_given, complex_grad=True, display="Elemwise{real}",
    ),
    ScalarRow(
        "imag", 1, real_out, lambda x: np.array(np.imag(x)), _imag_body, _part_grad(1),
        operands=as_given, complex_grad=True, display="Elemwise{imag}",
    ),
    ScalarRow(
        "angle", 1, _angle_out, np.angle, None, _angle_grad, operands=as_given,
        complex_grad=True, why=_WHY,
    ),
    ScalarRow(
        "complex", 2, complex_out, _make, None,
        lambda g, z, re, im: (t.real(g), t.imag(g)), complex_grad=True, why=_WHY,
    ),
    ScalarRow(
        "conj", 1, same_out_min8, np.conjugate, lambda k, x: x,
        lambda g, z, x: (t.conj(g),), complex_grad=True,
    ),
    ScalarRow(
        "complex_from_polar", 2, complex_out, _polar, None, _polar_grad, complex_grad=True,
        why=_WHY,
    ),
)  # fmt: skip
