"""Forward-mode differentiation: ``Rop``, the product of a Jacobian and a direction."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from theano.autodiff import reverse
from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType


def Rop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    disconnected_outputs: str = "raise",
    return_disconnected: str = "zero",
) -> Any:
    """J·v: the directional derivative of ``f`` when ``wrt`` moves along ``eval_points``.

    Parameters
    ----------
    f : variable, list or tuple; the result has the same form, each part the shape of its ``f``.
    wrt, eval_points : variables, or equally long lists of them, equal in rank one by one.
    disconnected_outputs : 'raise', 'warn' or 'ignore': what to do about an ``f`` on which ``wrt``
        has no influence.
    return_disconnected : 'zero', 'none' or 'disconnected': the result for such an ``f``.

    An op without ``R_op`` is differentiated forwards by reverse mode applied twice.
    Raises ValueError where ranks differ, DisconnectedInputError as asked; at run time
    AssertionError where the shape of an ``eval_point`` is not that of its ``wrt``.

    >>> import theano, theano.tensor as T
    >>> W, V, x = T.dmatrix("W"), T.dmatrix("V"), T.dvector("x")
    >>> f = theano.function([W, V, x], theano.Rop(T.dot(x, W), W, V))
    >>> f([[1, 1], [1, 1]], [[2, 2], [2, 2]], [0, 1]).tolist()
    [2.0, 2.0]
    """
    reverse.check_choice("disconnected_outputs", disconnected_outputs, ("raise", "warn", "ignore"))
    reverse.check_choice(
        "return_disconnected", return_disconnected, ("zero", "none", "disconnected")
    )
    directions = _directions(reverse.listed(wrt), reverse.listed(eval_points))
    outputs = reverse.listed(f)
    for node in traverse.toposort(outputs, set(directions)):
        points = [directions.get(v) for v in node.inputs]
        if any(point is not None for point in points):
            for output, point in zip(node.outputs, _through(node, points), strict=True):
                if point is not None and output not in directions:
                    directions[output] = point
    results = []
    for output in outputs:
        result = directions.get(output)
        if result is None:
            reverse.complain_disconnected(output, disconnected_outputs)
            result = reverse.disconnected_result(output, return_disconnected)
        results.append(result)
    return reverse.format_as(isinstance(f, list), isinstance(f, tuple), results)


def _directions(wrt: list[Any], points: list[Any]) -> dict[Variable, Variable]:
    if len(wrt) != len(points):
        raise ValueError(f"Rop: {len(wrt)} wrt but {len(points)} eval_points")
    directions: dict[Variable, Variable] = {}
    for index, (variable, point) in enumerate(zip(wrt, points, strict=True)):
        if not isinstance(variable, Variable):
            raise TypeError(f"Rop: element {index} of wrt is not a variable: {variable!r}")
        if not isinstance(point, Variable):
            point = apply("as_tensor_variable", point)
        rank, other = (getattr(v.type, "ndim", None) for v in (variable, point))
        if rank != other:
            raise ValueError(
                f"Element {index} of wrt/eval_point have mismatched dimensionality: "
                f"{rank} versus {other}"
            )
        directions[variable] = _of_shape(point, variable)
    return directions


def _of_shape(point: Any, variable: Variable) -> Any:
    """``point``, checked at run time to have the shape of the variable that moves along it."""
    if not isinstance(point.type, TensorType) or variable.type.ndim == 0:
        return point
    return apply("specify_shape", point, apply("shape", variable))


def _through(node: Apply, points: Sequence[Variable | None]) -> list[Variable | None]:
    """The directions of ``node``'s outputs, given those of its inputs (None: does not move)."""
    try:
        results: list[Any] = list(node.op.R_op(node.inputs, list(points)))
    except NotImplementedError:
        results = _double_reverse(node, points)
    return [None if r is None or isinstance(r.type, DisconnectedType) else r for r in results]


def _double_reverse(node: Apply, points: Sequence[Variable | None]) -> list[Variable | None]:
    """J·v from Jᵀ·u, which is linear in u: its derivative along v with respect to u."""
    pattern = reverse.connection_pattern(node)
    moving = [i for i, point in enumerate(points) if point is not None]
    seeds: list[Any] = [
        output.type() if any(pattern[i][j] for i in moving) else DisconnectedType()()
        for j, output in enumerate(node.outputs)
    ]
    live = [s for s in seeds if not isinstance(s.type, DisconnectedType)]
    if not live:
        return [None] * len(seeds)
    inner = [
        apply("sum", apply("mul", term, points[i]))
        for i, term in enumerate(reverse.call_l_op(node, seeds))
        if i in moving and not isinstance(term.type, (DisconnectedType, NullType))
    ]
    if not inner:
        return [None] * len(seeds)
    total = functools.reduce(lambda a, b: apply("add", a, b), inner)
    found = reverse.grad(
        total, live, disconnected_inputs="ignore", return_disconnected="zero", add_names=False
    )
    # The derivative does not depend on u, but its expression may still mention it (for its shape).
    values = {s: apply("zeros_like", out) for s, out in zip(seeds, node.outputs, strict=True)
              if s in live}  # fmt: skip
    replaced = dict(zip(live, traverse.rebuild(found, values), strict=True))
    return [replaced.get(s) for s in seeds]


register("Rop", Rop)
