"""Maxima over windows and what is increasing: the maximum first, for there are fewer maxima.

max(f(x)) = f(max(x)) for increasing f: a bias, an activation. The gradient follows: it goes to the
cells of the maxima, where x is the maximum z, so that functions of x are computed on z. Cells that
tie only because f rounds or saturates are not tied any more: the largest x gets the gradient alone.
docs/decisions/012-maxima-first.md says what this is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from theano.graph.nodes import Apply, Constant, Variable
from theano.ops.pool import Pool
from theano.rewrite.build import (
    constant_value,
    is_call,
    is_elemwise,
    owner_of,
    same_kind,
    same_pattern,
    t,
)
from theano.rewrite.engine import Uses, key_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

#: Strictly increasing for all floats.
_INCREASING: Final = frozenset({
    "tanh", "sigmoid", "softplus", "exp", "expm1", "exp2", "erf", "arctan", "arcsinh", "sinh",
})  # fmt: skip
#: Nodes that are looked at between an array and a function of it.
_FAR: Final = 16


class Step(NamedTuple):
    """y = f(x) for an increasing f; ``strict``: where x is larger, y is."""

    x: Variable
    strict: bool


# what is looked at ------------------------------------------------------------------------------


def _same_in_windows(v: Variable, ndim: int) -> bool:
    """Whether all cells of a window have the same value: scalars, one number per channel."""
    return v.type.ndim >= ndim and all(v.type.broadcastable[v.type.ndim - ndim :])


def _parted(node: Apply, ndim: int) -> tuple[list[Variable], list[Variable]]:
    """The inputs that vary in windows, and the others."""
    same = [v for v in node.inputs if _same_in_windows(v, ndim)]
    return [v for v in node.inputs if v not in same], same


def _positive(variables: Sequence[Variable]) -> bool:
    values = [constant_value(v) for v in variables]
    return all(value is not None and value > 0 for value in values)


def _sum(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    """x + c, and a x + b |x|, where x + |x| stands for max(x, 0) twice."""
    if len(varying) == 1:
        return Step(varying[0], True)
    if len(varying) != 2 or same:
        return None
    for one, two in (varying, varying[::-1]):
        (a, x), (b, size) = _scaled(one), _scaled(two)
        inner = owner_of(size, "abs_")
        if inner is not None and inner.inputs[0] is x and a >= abs(b):
            return Step(x, bool(a > abs(b)))
    return None


def _scaled(v: Variable) -> tuple[Any, Variable]:
    """(a, x) of a x for a number a."""
    node = owner_of(v, "mul")
    if node is not None and len(node.inputs) == 2:
        for factor, x in (node.inputs, node.inputs[::-1]):
            value = constant_value(factor)
            if value is not None:
                return value, x
    return 1, v


def _product(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    """c x for c > 0, and x (x > 0)."""
    if len(varying) == 1 and _positive(same):
        return Step(varying[0], True)
    if len(varying) == 2 and not same:
        for x, mask in (varying, varying[::-1]):
            if _is_above(mask, x, 0):
                return Step(x, False)
    return None


def _is_above(mask: Variable, x: Variable, bound: Any) -> bool:
    """Whether ``mask`` is x > bound or x >= bound."""
    node = owner_of(mask, "gt", "ge")
    return node is not None and node.inputs[0] is x and constant_value(node.inputs[1]) == bound


def _quotient(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    fits = varying == node.inputs[:1] and _positive(same)
    return Step(varying[0], True) if fits else None


def _difference(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    return Step(varying[0], True) if varying == node.inputs[:1] else None


def _bounded(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    """max(x, c), min(x, c), clip(x, a, b)."""
    fits = len(varying) == 1 and (key_of(node.op) != "clip" or varying == node.inputs[:1])
    return Step(varying[0], False) if fits else None


def _chosen(node: Apply, varying: Sequence[Variable], same: Sequence[Variable]) -> Step | None:
    """switch(x > c, x, c)."""
    mask, x, bound = node.inputs
    value = constant_value(bound)
    fits = value is not None and _is_above(mask, x, value)
    return Step(x, False) if fits else None


_STEPS: Final = {
    "add": _sum, "sub": _difference, "mul": _product, "true_div": _quotient, "switch": _chosen,
    "maximum": _bounded, "minimum": _bounded, "clip": _bounded,
}  # fmt: skip


def _step(y: Variable, ndim: int) -> Step | None:
    """What ``y`` is an increasing function of, if it is one."""
    node = y.owner
    if node is None or not is_elemwise(node) or not y.type.dtype.startswith("float"):
        return None
    key = key_of(node.op)
    if key in _INCREASING:
        found: Step | None = Step(node.inputs[0], True)
    elif key in _STEPS:
        found = _STEPS[key](node, *_parted(node, ndim))
    else:
        found = None
    if found is None or found.x.type.dtype != y.type.dtype or not same_pattern(found.x, y):
        return None
    return found


def _put(
    function: Variable, places: dict[Variable, Variable], ndim: int
) -> tuple[Variable, dict[Variable, int]] | None:
    """``function`` of other arguments, and how often it used each; None if it has more of them.

    What is the same in windows stays as it is.
    """
    made, uses = dict(places), dict.fromkeys(places, 0)
    stack, seen = [function], 0
    while stack:
        v = stack[-1]
        if v in made or _same_in_windows(v, ndim):
            made.setdefault(v, v)
            stack.pop()
            continue
        node = v.owner
        seen += 1
        if node is None or not is_elemwise(node) or len(node.outputs) != 1 or seen > _FAR:
            return None
        pending = [i for i in node.inputs if i not in made]
        if pending:
            stack.extend(pending)
            continue
        for i in node.inputs:
            if i in uses:
                uses[i] += 1
        made[v] = node.op(*(made[i] for i in node.inputs))
    return made[function], uses


def _fewer(node: Apply) -> bool:
    """Whether there are fewer windows than cells."""
    strides = node.inputs[-2]
    return isinstance(strides, Constant) and int(strides.data.prod()) > 1


def _maxima(node: Apply, x: Variable) -> Any:
    """The maxima of ``x`` in the windows of ``node``."""
    return Pool(node.op.ignore_border, "max", node.op.ndim)(x, *node.inputs[-3:])


def _gradient(node: Apply, x: Variable, z: Variable, g: Variable) -> Any:
    """What ``node`` does, for others."""
    return node.op(x, z, g, *node.inputs[-3:])


def _spread_of(v: Variable) -> Apply | None:
    """The node that spreads a gradient over windows, if it is worth while to change it."""
    node = owner_of(v, "MaxPoolGrad")
    return node if node is not None and _fewer(node) else None


# rules ------------------------------------------------------------------------------------------


@rule("pools", ("Pool",))
def local_max_pool_of_increasing(node: Apply, uses: Uses) -> Result:
    """max_pool(f(x)) -> f(max_pool(x)), where nothing else needs f(x)."""
    y = node.inputs[0]
    if node.op.mode != "max" or not _fewer(node) or uses(y) > 1:
        return None
    found = _step(y, node.op.ndim)
    if found is None:
        return None
    put = _put(y, {found.x: _maxima(node, found.x)}, node.op.ndim)
    new = None if put is None else same_kind(put[0], node.outputs[0])
    return None if new is None else [new]


@rule("pools", ("MaxPoolGrad",))
def local_max_pool_grad_of_increasing(node: Apply, uses: Uses) -> Result:
    """The gradient for max_pool(f(x)) goes to the same cells as that for max_pool(x)."""
    y, z, g = node.inputs[:3]
    found = _step(y, node.op.ndim)
    # What uses y are the maxima and this node: after that, nothing.
    if found is None or not found.strict or not _fewer(node) or uses(y) > 2:
        return None
    if z is not uses.final(_maxima(node, y)):
        return None
    return [_gradient(node, found.x, _maxima(node, found.x), g)]


_LINEAR_IN: Final = {"mul": None, "neg": (0,), "true_div": (0,), "switch": (1, 2)}


@rule("pools", tuple(_LINEAR_IN))
def local_max_pool_grad_times(node: Apply, uses: Uses) -> Result:
    """max_pool_grad(x, z, g) f(x) -> max_pool_grad(x, z, g f(z)): g is where x is z."""
    places = _LINEAR_IN[key_of(node.op)]
    for i, v in enumerate(node.inputs):
        inner = _spread_of(v) if places is None or i in places else None
        if inner is None or uses(v) > 1 or not _is_linear(node, i):
            continue
        x, z, g = inner.inputs[:3]
        put = _put(node.outputs[0], {x: z, v: g}, inner.op.ndim)
        # A factor that is a constant does no harm where it is: others may use the rest.
        if put is None or put[1][x] == 0:
            return None
        return _spread_again(node, inner, x, z, put[0])
    return None


def _is_linear(node: Apply, place: int) -> bool:
    """Whether the result is 0 where the input at ``place`` is, and in its shape."""
    if not same_pattern(node.inputs[place], node.outputs[0]):
        return False
    return key_of(node.op) != "switch" or constant_value(node.inputs[3 - place]) == 0


def _spread_again(node: Apply, inner: Apply, x: Variable, z: Variable, g: Any) -> Result:
    g = same_kind(g, inner.inputs[2])
    if g is None:
        return None
    new = same_kind(_gradient(inner, x, z, g), node.outputs[0])
    return None if new is None else [new]


@rule("pools", ("add",))
def local_max_pool_grad_sum(node: Apply, uses: Uses) -> Result:
    """g f(x) + g h(x) for one such g: a leaky ramp; and the gradient for max(x, 0)."""
    if len(node.inputs) != 2 or not all(same_pattern(v, node.outputs[0]) for v in node.inputs):
        return None
    one, two = (_factor(v) for v in node.inputs)
    first, second = (None if v is None else _spread_of(v) for v in (one, two))
    if first is None or second is None or not _same_maxima(first, second):
        return None
    x, z, g = first.inputs[:3]
    places = {x: z, first.outputs[0]: g, second.outputs[0]: second.inputs[2]}
    put = _put(node.outputs[0], places, first.op.ndim)
    if put is not None and all(uses(v) <= put[1][v] for v in first.outputs + second.outputs):
        return _spread_again(node, first, x, z, put[0])
    for a, b in (node.inputs, node.inputs[::-1]):
        if one is two and (found := _of_sign(first, a, b, uses)) is not None:
            x, z, g = found
            return _spread_again(node, first, x, z, t.add(g, t.mul(g, t.sgn(z))))
    return None


def _same_maxima(first: Apply, second: Apply) -> bool:
    same = all(first.inputs[i] is second.inputs[i] for i in (0, 1, 3, 4, 5))
    return same and bool(first.op == second.op)


def _factor(v: Variable) -> Variable | None:
    """The gradient of maxima that ``v`` is a multiple of."""
    for _ in range(_FAR):
        if is_call(v, "MaxPoolGrad"):
            return v
        node = v.owner
        places = _LINEAR_IN.get(key_of(node.op), ()) if node is not None else ()
        if node is None or places == ():
            return None
        given = [
            i for i in (range(len(node.inputs)) if places is None else places)
            if _is_linear(node, i) and _leads(node.inputs[i])
        ]  # fmt: skip
        if len(given) != 1:
            return None
        v = node.inputs[given[0]]
    return None


def _leads(v: Variable) -> bool:
    """Whether a factor may be, or hold, the gradient of maxima."""
    return is_call(v, "MaxPoolGrad", *_LINEAR_IN)


def _of_sign(
    inner: Apply, a: Variable, b: Variable, uses: Uses
) -> tuple[Variable, Variable, Variable] | None:
    """x, its maxima and their gradient, if ``a`` is c times the one for x + |x|, ``b`` a sgn(x)."""
    y, z, g = inner.inputs[:3]
    found, product = _step(y, inner.op.ndim), owner_of(b, "mul")
    if found is None or product is None or len(product.inputs) != 2 or uses(y) > 2:
        return None
    if owner_of(y, "add") is None or z is not uses.final(_maxima(inner, y)):
        return None
    signs = [owner_of(v, "sgn") for v in product.inputs if v is not a]
    if len(signs) != 1 or signs[0] is None or signs[0].inputs[0] is not found.x:
        return None
    put = _put(a, {inner.outputs[0]: g}, inner.op.ndim)
    return None if put is None else (found.x, _maxima(inner, found.x), put[0])


@rule("pools", ("switch", "mul"))
def local_max_pool_grad_masked(node: Apply, uses: Uses) -> Result:
    """The gradient for max_pool(f(x)) times f'(x), which is 0 where f is constant and 1 elsewhere,
    is that for max_pool(x)."""
    if key_of(node.op) == "switch":
        mask, v, nothing = node.inputs
        if constant_value(nothing) != 0:
            return None
        pairs = [(mask, v)]
    else:
        if len(node.inputs) != 2:
            return None
        pairs = [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])]
    for mask, v in pairs:
        inner = _spread_of(v)
        if inner is not None and same_pattern(v, node.outputs[0]):
            return _masked(node, inner, mask, uses)
    return None


def _masked(node: Apply, inner: Apply, mask: Variable, uses: Uses) -> Result:
    y, z, g = inner.inputs[:3]
    found = _step(y, inner.op.ndim)
    if found is None or found.strict or not _is_slope(mask, y, found.x):
        return None
    if z is not uses.final(_maxima(inner, y)):
        return None
    top = _maxima(inner, found.x)
    put = _put(mask, {found.x: top, y: z}, inner.op.ndim)
    if put is None or uses(y) > 2 + put[1][y]:
        return None
    return _spread_again(node, inner, found.x, top, t.switch(put[0], g, 0))


def _is_slope(mask: Variable, y: Variable, x: Variable) -> bool:
    """Whether ``mask`` is the derivative of y by x that autodiff gives, as a truth value."""
    assert y.owner is not None
    key, given = key_of(y.owner.op), y.owner.inputs
    if key in ("switch", "mul"):
        return mask in given and mask is not x
    test = mask.owner
    if test is None:
        return False
    if key != "clip":
        return key_of(test.op) == "eq" and set(test.inputs) == {x, y}
    sides = [v.owner for v in test.inputs] if key_of(test.op) == "and_" else []
    wanted = zip(("ge", "le"), given[1:], strict=True)
    return len(sides) == 2 and all(
        side is not None and key_of(side.op) == name and side.inputs[0] is x
        and _same_number(side.inputs[1], bound)
        for side, (name, bound) in zip(sides, wanted, strict=True)
    )  # fmt: skip


def _same_number(a: Variable, b: Variable) -> bool:
    value = constant_value(a)
    return a is b or (value is not None and value == constant_value(b))
