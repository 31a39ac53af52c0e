"""Jacobians and Hessians: one backward sweep, mapped over the rows of an identity matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.autodiff import reverse
from theano.graph.nodes import Variable
from theano.graph.registry import apply


def jacobian(
    expression: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The derivatives of a vector or scalar ``expression`` with respect to ``wrt``.

    Parameters are as in ``grad``. For each ``wrt`` the result has shape ``expression.shape +
    wrt.shape``. Raises ValueError if ``expression`` has more than one dimension.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> theano.gradient.jacobian(x**2, x).eval({x: [1.0, 2.0]}).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    if not isinstance(expression, Variable):
        raise TypeError(f"jacobian expects a Variable as expression, got {expression!r}")
    if expression.type.ndim > 1:
        raise ValueError(
            "jacobian expects a 1 dimensional variable as `expression`. If not use flatten to make "
            f"it a vector. Got {expression.type.ndim} dimensions."
        )
    if expression.type.ndim == 0:
        return reverse.grad(
            expression, wrt, consider_constant=consider_constant,
            disconnected_inputs=disconnected_inputs,
        )  # fmt: skip
    as_list, as_tuple = isinstance(wrt, list), isinstance(wrt, tuple)
    targets = reverse.listed(wrt)
    seed = reverse.float_zeros_like(expression).type()
    sweeps = reverse.grad(
        None, targets, consider_constant=consider_constant, add_names=False,
        disconnected_inputs=disconnected_inputs, known_grads={expression: seed},
    )  # fmt: skip
    length = apply("shape_i", expression, 0)
    rows = apply("eye", length, dtype=seed.type.dtype)
    results = apply("map_rows", [seed], sweeps, [rows])
    return reverse.format_as(as_list, as_tuple, results)


def hessian(
    cost: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The second derivatives of the 0-d ``cost`` with respect to the vector(s) ``wrt``.

    Each result is a matrix (n, n). Raises TypeError if the cost is not 0-d, ValueError if a ``wrt``
    is not a vector.
    """
    if not isinstance(cost, Variable) or cost.type.ndim != 0:
        raise TypeError(f"hessian expects a 0 dimensional variable as `cost`, got {cost!r}")
    results = []
    for target in reverse.listed(wrt):
        if not isinstance(target, Variable) or target.type.ndim != 1:
            raise ValueError(
                f"hessian expects a (list of) 1 dimensional variable as `wrt`, got {target!r}"
            )
        first = reverse.grad(
            cost, target, consider_constant=consider_constant,
            disconnected_inputs=disconnected_inputs,
        )  # fmt: skip
        # a first derivative without the wrt in it (a linear cost) has second derivative zero
        results.append(
            jacobian(
                first, target, consider_constant=consider_constant, disconnected_inputs="ignore"
            )
        )
    return reverse.format_as(isinstance(wrt, list), isinstance(wrt, tuple), results)
