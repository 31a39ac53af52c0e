"""Jacobians and Hessians: one backward sweep, for all rows of an identity matrix at once.

Products of these with vectors, which need no matrix: ``jacobian_vector_product`` (forwards),
``vector_jacobian_product`` (backwards) and ``hessian_vector_product`` (Pearlmutter, 1994).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from theano.autodiff import reverse
from theano.autodiff.forward import Rop
from theano.batching.engine import batch, spread
from theano.graph.nodes import Variable
from theano.graph.registry import apply


def jacobian(
    expression: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The derivatives of ``expression``, of any rank, with respect to ``wrt``.

    Parameters are as in ``grad``. For each ``wrt`` the result has shape ``expression.shape +
    wrt.shape``. Raises TypeError if ``expression`` is not a variable.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> theano.gradient.jacobian(x**2, x).eval({x: [1.0, 2.0]}).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    if not isinstance(expression, Variable):
        raise TypeError(f"jacobian expects a Variable as expression, got {expression!r}")
    options: dict[str, Any] = {
        "consider_constant": consider_constant, "disconnected_inputs": disconnected_inputs,
    }  # fmt: skip
    if expression.type.ndim == 0:
        return reverse.grad(expression, wrt, **options)
    if expression.type.ndim > 1:
        rows = jacobian(apply("flatten", expression), reverse.listed(wrt), **options)
        results = [_of_shapes(row, expression, v) for row, v in
                   zip(rows, reverse.listed(wrt), strict=True)]  # fmt: skip
    else:
        results = _rows(expression, reverse.listed(wrt), options)
    return reverse.format_as(isinstance(wrt, list), isinstance(wrt, tuple), results)


def _rows(expression: Variable, targets: list[Variable], options: dict[str, Any]) -> list[Variable]:
    """The Jacobians of a vector."""
    seed = reverse.float_zeros_like(expression).type()
    sweeps = reverse.grad(
        None, targets, add_names=False, known_grads={expression: seed}, **options
    )  # fmt: skip
    length = apply("shape_i", expression, 0)
    rows = apply("eye", length, dtype=seed.type.dtype)
    found = batch(sweeps, {seed: rows}, length)
    assert found is not None
    return [v if varies else spread(v, length) for v, varies in found]


def _of_shapes(rows: Variable, first: Variable, second: Variable) -> Variable:
    """``rows``, whose first axis is ``first`` made flat, with the shape of first + second."""
    shape = [
        apply("shape_i", variable, axis)
        for variable in (first, second)
        for axis in range(variable.type.ndim)
    ]
    found: Variable = apply("reshape", rows, shape, ndim=len(shape))
    return found


def hessian(
    cost: Variable,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """The second derivatives of the 0-d ``cost`` with respect to each ``wrt`` alone.

    Each result has the shape ``wrt.shape + wrt.shape``: (n, n) for a vector. Raises TypeError if
    the cost is not 0-d or a ``wrt`` is not a variable.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> theano.gradient.hessian((x**3).sum(), x).eval({x: [1.0, 2.0]}).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    if not isinstance(cost, Variable) or cost.type.ndim != 0:
        raise TypeError(f"hessian expects a 0 dimensional variable as `cost`, got {cost!r}")
    results = []
    for target in reverse.listed(wrt):
        if not isinstance(target, Variable):
            raise TypeError(f"hessian expects a (list of) variables as `wrt`, got {target!r}")
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


def hessian_vector_product(cost: Variable, wrt: Any, p: Any, **grad_options: Any) -> Any:
    """The Hessian of the 0-d ``cost`` times the direction ``p``, without the Hessian.

    Parameters
    ----------
    cost : 0-d variable.
    wrt : variable, list or tuple; the result has the same form, each part the shape of its wrt.
    p : the direction: a variable, or as many as ``wrt``, each of the shape of its wrt.
    grad_options : for ``grad``, for instance ``consider_constant``.

    With several ``wrt`` it is the Hessian with respect to all of them together, mixed derivatives
    included. Raises ValueError where the numbers differ, and what ``grad`` raises.

    Source: B. Pearlmutter, Fast exact multiplication by the Hessian, 1994.

    >>> import theano, theano.tensor as T
    >>> x, p = T.dvectors("xp")
    >>> h = hessian_vector_product((x**3).sum(), x, p)
    >>> h.eval({x: [1.0, 2.0], p: [1.0, 1.0]}).tolist()
    [6.0, 12.0]
    """
    targets = reverse.listed(wrt)
    points = [
        point if isinstance(point, Variable) else apply("as_tensor_variable", point)
        for point in reverse.listed(p)
    ]
    if len(targets) != len(points):
        raise ValueError(f"hessian_vector_product: {len(targets)} wrt but {len(points)} directions")
    firsts = reverse.grad(cost, targets, **grad_options)
    terms = [apply("sum", apply("mul", g, v)) for g, v in zip(firsts, points, strict=True)]
    total = functools.reduce(lambda a, b: apply("add", a, b), terms)
    constant = [*(grad_options.pop("consider_constant", None) or ()), *points]
    # what a linear part contributes is zero
    options = {**grad_options, "disconnected_inputs": "ignore", "return_disconnected": "zero"}
    results = reverse.grad(total, targets, consider_constant=constant, **options)
    return reverse.format_as(isinstance(wrt, list), isinstance(wrt, tuple), results)


def jacobian_vector_product(f: Any, wrt: Any, v: Any, **options: Any) -> Any:
    """J·v, computed forwards: ``Rop`` under the name of what it is.

    ``v`` has the shape of ``wrt``, the result that of ``f``; ``options`` are those of ``Rop``.
    """
    return Rop(f, wrt, v, **options)


def vector_jacobian_product(f: Any, wrt: Any, v: Any, **options: Any) -> Any:
    """vᵀ·J, computed backwards: ``Lop`` under the name of what it is.

    ``v`` has the shape of ``f``, the result that of ``wrt``; ``options`` are those of ``Lop``.
    """
    return reverse.Lop(f, wrt, v, **options)


pushforward = jacobian_vector_product
pullback = vector_jacobian_product
