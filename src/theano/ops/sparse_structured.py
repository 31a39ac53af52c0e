"""Elementwise functions of the stored elements of a sparse matrix; absent ones stay absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theano.graph.registry import apply, register
from theano.ops.basic import as_tensor_variable
from theano.ops.sparse_base import compressed
from theano.ops.sparse_csm import csm_data, with_data


def structured_monoid(tensor_op: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator: the function becomes ``tensor_op`` on the stored elements.

    Further arguments must be dense scalars. ``tensor_op`` is an op, a function of tensors or the
    name of one.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def structured(x: Any, *others: Any) -> Any:
            x = compressed(x, function.__name__)
            scalars = [as_tensor_variable(other) for other in others]
            for scalar in scalars:
                if scalar.type.ndim != 0:
                    raise TypeError(
                        f"{function.__name__}: {scalar} of type {scalar.type} must be a scalar"
                    )
            data = csm_data(x)
            if isinstance(tensor_op, str):
                return with_data(x, apply(tensor_op, data, *scalars))
            return with_data(x, tensor_op(data, *scalars))

        structured.__name__ = structured.__qualname__ = function.__name__
        structured.__doc__ = function.__doc__
        structured.__module__ = function.__module__
        return structured

    return decorate


@structured_monoid("sigmoid")
def structured_sigmoid(x: Any) -> Any:
    """``sigmoid`` of the stored elements; absent ones stay 0 (not 0.5)."""


@structured_monoid("exp")
def structured_exp(x: Any) -> Any:
    """``exp`` of the stored elements; absent ones stay 0 (not 1)."""


@structured_monoid("log")
def structured_log(x: Any) -> Any:
    """``log`` of the stored elements; absent ones stay 0."""


@structured_monoid("pow")
def structured_pow(x: Any, y: Any) -> Any:
    """The stored elements to the power of the scalar ``y``."""


@structured_monoid("minimum")
def structured_minimum(x: Any, y: Any) -> Any:
    """The smaller of each stored element and the scalar ``y``."""


@structured_monoid("maximum")
def structured_maximum(x: Any, y: Any) -> Any:
    """The larger of each stored element and the scalar ``y``."""


@structured_monoid("add")
def structured_add(x: Any, y: Any) -> Any:
    """The scalar ``y`` added to the stored elements."""


def _zero_preserving(name: str, op: str) -> Callable[..., Any]:
    def function(x: Any) -> Any:
        pass

    function.__name__ = name
    function.__doc__ = f"``{name}`` of a sparse matrix, elementwise; it keeps zeros."
    result = structured_monoid(op)(function)
    register(f"sparse:{name}", result)
    return result


#: names of the functions that are 0 at 0, and of the dense ops that they apply
ZERO_PRESERVING = {
    name: name
    for name in (
        "sin", "arcsin", "tan", "arctan", "sinh", "arcsinh", "tanh", "arctanh", "sgn", "ceil",
        "floor", "sqrt", "sqr", "log1p", "expm1", "deg2rad", "rad2deg", "trunc",
    )
} | {"rint": "round_half_to_even", "conjugate": "conj"}  # fmt: skip
FUNCTIONS = {name: _zero_preserving(name, op) for name, op in ZERO_PRESERVING.items()}

sin, arcsin, tan, arctan = (FUNCTIONS[n] for n in ("sin", "arcsin", "tan", "arctan"))
sinh, arcsinh, tanh, arctanh = (FUNCTIONS[n] for n in ("sinh", "arcsinh", "tanh", "arctanh"))
sgn, ceil, floor, rint, trunc = (FUNCTIONS[n] for n in ("sgn", "ceil", "floor", "rint", "trunc"))
sqrt, sqr, log1p, expm1 = (FUNCTIONS[n] for n in ("sqrt", "sqr", "log1p", "expm1"))
deg2rad, rad2deg, conjugate = (FUNCTIONS[n] for n in ("deg2rad", "rad2deg", "conjugate"))
