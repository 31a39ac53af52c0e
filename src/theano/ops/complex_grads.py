"""Derivatives of elementwise ops on complex numbers.

A gradient g of a complex z stands for dcost = Re(conj(g) dz). A row's ``grad`` is written for real
numbers; where the op is differentiable as a complex function (holomorphic), dz = f'(x) dx, and the
gradient of x is g conj(f'(x)): the real formula on conj(g), conjugated. (W. Wirtinger, "Zur
formalen Theorie der Funktionen von mehr komplexen Veränderlichen", Mathematische Annalen 97, 1927.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Final

from theano.core.dtypes import COMPLEX
from theano.ops.scalar import ScalarRow, t

#: rows whose ``grad`` is the complex derivative, too
HOLOMORPHIC: Final = frozenset({
    "true_div", "pow", "inv", "sqr", "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10",
    "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh",
    "arccosh", "arctanh",
})  # fmt: skip


def has_complex(*variables: Any) -> bool:
    """Whether some of them are complex."""
    return any(v.type.dtype in COMPLEX for v in variables)


def gradients(row: ScalarRow, g: Any, z: Any, inputs: Sequence[Any]) -> Sequence[Any] | None:
    """The terms of a row on complex numbers; None if it has none."""
    assert row.grad is not None
    if row.complex_grad:
        return row.grad(g, z, *inputs)
    if row.name not in HOLOMORPHIC:
        return None
    terms = row.grad(t.conj(g), z, *inputs)
    return [
        None if term is None else _part_for(t.conj(term), x)
        for term, x in zip(terms, inputs, strict=True)
    ]


def _part_for(term: Any, x: Any) -> Any:
    """The real part for a real input."""
    return t.real(term) if term.dtype in COMPLEX and x.dtype not in COMPLEX else term


def direction(row: ScalarRow, op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    """The derivative of a row on complex numbers in a direction (None: that input is fixed).

    Raises NotImplementedError where no formula is known.
    """
    if row.name in HOLOMORPHIC:
        assert row.grad is not None
        terms = [row.grad(e, z, *inputs)[i] for i, e in enumerate(points) if e is not None]
        return functools.reduce(t.add, terms)
    formula = _DIRECTIONS.get("Cast" if row.name.startswith("Cast{") else row.name)
    if formula is None:
        raise NotImplementedError(f"the R-operator of {op} is not implemented for complex numbers")
    return formula(op, z, inputs, points)


def _or_zeros(points: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    return [
        t.fill(x, t.constant(0, dtype=x.dtype)) if e is None else e
        for e, x in zip(points, inputs, strict=True)
    ]


def _linear(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    return op(*_or_zeros(points, inputs))


def _product(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    terms = [
        op(*(e if j == i else x for j, x in enumerate(inputs)))
        for i, e in enumerate(points)
        if e is not None
    ]
    return functools.reduce(t.add, terms)


def _absolute(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    (x,), (e,) = inputs, points
    along = t.real(x) * t.real(e) + t.imag(x) * t.imag(e)
    return along / t.switch(t.eq(z, 0), 1, z)


def _angle(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    (x,), (e,) = inputs, points
    re, im = t.real(x), t.imag(x)
    return (re * t.imag(e) - im * t.real(e)) / (re * re + im * im)


def _polar(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    r, theta = inputs
    dr, dtheta = _or_zeros(points, inputs)
    cos, sin = t.cos(theta), t.sin(theta)
    return t.complex(dr * cos - r * sin * dtheta, dr * sin + r * cos * dtheta)


def _second(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    return op(inputs[0], points[1])


def _switch(op: Any, z: Any, inputs: Sequence[Any], points: Sequence[Any]) -> Any:
    return op(inputs[0], *_or_zeros(points[1:], inputs[1:]))


_Formula = Callable[[Any, Any, Sequence[Any], Sequence[Any]], Any]
_DIRECTIONS: Final[dict[str, _Formula]] = {
    **dict.fromkeys(
        ("add", "sub", "neg", "real", "imag", "conj", "complex", "Cast", "identity"), _linear
    ),
    "mul": _product, "abs_": _absolute, "angle": _angle, "complex_from_polar": _polar,
    "second": _second, "switch": _switch,
}  # fmt: skip
