"""Replacements that keep numbers finite and exact: log1p, softplus, sigmoid, log-sum-exp, erfc."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.rewrite.build import (
    constant_value,
    is_elemwise,
    is_float_out,
    owner_of,
    same_kind,
    t,
    unpadded,
)
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import ops, rule

Result = Sequence[Variable] | None

exp, log, log1p, expm1, sigmoid, softplus, erf, erfc = (
    getattr(ops, name) for name in
    ("exp", "log", "log1p", "expm1", "sigmoid", "softplus", "erf", "erfc")
)  # fmt: skip


@rule("stabilize", domain=(-0.9, 3.0))
def local_log1p(x: Any) -> Any:
    """Exact near 0."""
    return log(1 + x), log1p(x)


@rule("stabilize", name="local_log1p_sub", tags=("local_log1p",), domain=(-3.0, 0.9))
def local_log1p_minus(x: Any) -> Any:
    """Exact near 0."""
    return log(1 - x), log1p(-x)


@rule("stabilize")
def local_expm1(x: Any) -> Any:
    """Exact near 0."""
    return exp(x) - 1, expm1(x)


@rule("stabilize", name="local_expm1_add", tags=("local_expm1",))
def local_expm1_plus(x: Any) -> Any:
    """Exact near 0."""
    return -1 + exp(x), expm1(x)


@rule("stabilize")
def log1pexp_to_softplus(x: Any) -> Any:
    """Does not overflow."""
    return log1p(exp(x)), softplus(x)


@rule("stabilize")
def logsigm_to_softplus(x: Any) -> Any:
    """Does not underflow to log(0)."""
    return log(sigmoid(x)), -softplus(-x)


@rule("stabilize")
def log1msigm_to_softplus(x: Any) -> Any:
    """Does not underflow to log(0)."""
    return log1p(-sigmoid(x)), -softplus(x)


@rule("stabilize", name="local_inv_1_plus_exp")
def local_inv_1_plus_exp(x: Any) -> Any:
    """1 / (1 + exp(x)): finite for large x, and one call."""
    return ops.inv(1 + exp(x)), sigmoid(-x)


@rule("stabilize")
def local_one_minus_erf(x: Any) -> Any:
    """Keeps the tail."""
    return 1 - erf(x), erfc(x)


@rule("stabilize")
def local_one_plus_erf(x: Any) -> Any:
    """Keeps the tail."""
    return 1 + erf(x), erfc(-x)


@rule("stabilize")
def local_one_minus_erfc(x: Any) -> Any:
    """Exact near 0."""
    return 1 - erfc(x), erf(x)


@rule("stabilize", name="local_erf_neg_minus_one")
def local_erf_minus_one(x: Any) -> Any:
    """Keeps the tail."""
    return erf(x) - 1, -erfc(x)


@rule("stabilize", name="local_erfc_minus_one")
def local_erfc_minus_one(x: Any) -> Any:
    """Exact near 0."""
    return erfc(x) - 1, erf(-x)


@rule("stabilize", ("log",))
def local_log_erfc(node: Apply) -> Result:
    """log(erfc(x)) for large x by the scaled function: erfc(x) = erfcx(x) exp(-x²)."""
    inner = owner_of(node.inputs[0], "erfc")
    if inner is None or not is_float_out(node):
        return None
    x = inner.inputs[0]
    large = t.sub(t.log(t.erfcx(t.maximum(x, t.constant(0, dtype=x.type.dtype)))), t.sqr(x))
    # log1p(-erf(x)) keeps a form that this rule does not see again
    small = t.log1p(t.neg(t.erf(x)))
    result = same_kind(
        t.switch(t.gt(x, t.constant(0.5, dtype=x.type.dtype)), large, small), node.outputs[0]
    )
    return None if result is None else [result]


@rule("stabilize", ("sub",))
def local_1msigmoid(node: Apply, uses: Uses) -> Result:
    """1 - sigmoid(x) -> sigmoid(-x), where sigmoid(x) itself is not needed."""
    one, y = node.inputs
    inner = owner_of(y, "sigmoid")
    if inner is None or constant_value(one) != 1 or uses(y) > 1:
        return None
    result = same_kind(t.sigmoid(t.neg(inner.inputs[0])), node.outputs[0])
    return None if result is None else [result]


def factors_of(variable: Variable) -> list[Variable]:
    """The inputs of a product, or the variable itself."""
    node = owner_of(variable, "mul")
    return [variable] if node is None else list(node.inputs)


def _exponent_of_one_plus_exp(variable: Variable) -> Variable | None:
    """x and exp(x) of 1 + exp(x): the exp variable; None if it is something else."""
    node = owner_of(variable, "add")
    if node is None or len(node.inputs) != 2:
        return None
    for one, other in (node.inputs, node.inputs[::-1]):
        if constant_value(one) == 1 and owner_of(other, "exp") is not None:
            return other
    return None


@rule("stabilize", ("true_div",))
def local_exp_over_1_plus_exp(node: Apply) -> Result:
    """a exp(x) / (1 + exp(x)) -> a sigmoid(x); a / (1 + exp(x)) -> a sigmoid(-x)."""
    if not is_float_out(node):
        return None
    above, below = factors_of(node.inputs[0]), factors_of(node.inputs[1])
    found = [(d, e) for d in below if (e := _exponent_of_one_plus_exp(d)) is not None]
    if not found:
        return None
    for divisor, power in found:
        below.remove(divisor)
        x = power.owner.inputs[0]  # type: ignore[union-attr]
        if power in above:
            above.remove(power)
            above.append(t.sigmoid(x))
        else:
            above.append(t.sigmoid(t.neg(x)))
    above = [v for v in above if constant_value(v) != 1] or above[:1]
    made = above[0] if len(above) == 1 else t.mul(*above)
    if below:
        made = t.true_div(made, below[0] if len(below) == 1 else t.mul(*below))
    result = same_kind(made, node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("mul",))
def local_sigm_times_exp(node: Apply, uses: Uses) -> Result:
    """sigmoid(-x) exp(x) -> sigmoid(x), whose factors may be 0 times infinity."""
    if not is_float_out(node):
        return None
    factors = _factors_through(node, uses)
    for i, factor in enumerate(factors):
        power = owner_of(factor, "exp")
        if power is None:
            continue
        for j, other in enumerate(factors):
            sigmoid_ = owner_of(other, "sigmoid")
            if sigmoid_ is None or not _opposite(power.inputs[0], sigmoid_.inputs[0]):
                continue
            rest = [v for position, v in enumerate(factors) if position not in (i, j)]
            made = t.sigmoid(power.inputs[0])
            result = same_kind(t.mul(*rest, made) if rest else made, node.outputs[0])
            return None if result is None else [result]
    return None


def _factors_through(node: Apply, uses: Uses) -> list[Variable]:
    """The factors of a product, and those of products among them that only it needs."""
    factors: list[Variable] = []
    stack = list(reversed(node.inputs))
    while stack:
        variable = stack.pop()
        inner = owner_of(variable, "mul")
        alike = variable.type.dtype == node.outputs[0].type.dtype
        if inner is not None and alike and uses(variable) <= 1 and len(factors) + len(stack) < 12:
            stack.extend(reversed(inner.inputs))
        else:
            factors.append(variable)
    return factors


def _opposite(x: Variable, y: Variable) -> bool:
    for a, b in ((x, y), (y, x)):
        node = owner_of(a, "neg")
        if node is not None and node.inputs[0] is b:
            return True
    return False


@rule("stabilize", ("log",))
def local_log_add(node: Apply) -> Result:
    """log(exp(a) + exp(b)) -> max(a, b) + log1p(exp(-|a - b|))."""
    inner = owner_of(node.inputs[0], "add")
    if inner is None or not is_float_out(node) or len(inner.inputs) != 2:
        return None
    powers = [owner_of(v, "exp") for v in inner.inputs]
    if any(p is None for p in powers):
        return None
    a, b = (p.inputs[0] for p in powers)  # type: ignore[union-attr]
    # equal infinities have no difference
    gap = t.switch(t.eq(a, b), t.constant(0, dtype=node.outputs[0].type.dtype), t.sub(a, b))
    made = t.add(t.maximum(a, b), t.softplus(t.neg(t.abs_(gap))))
    result = same_kind(made, node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("log",))
def local_log_sum_exp(node: Apply) -> Result:
    """log(sum(exp(x))) -> m + log(sum(exp(x - m))) with m = max(x); not if x is shifted already."""
    view = owner_of(node.inputs[0], "DimShuffle")
    total = owner_of(unpadded(node.inputs[0]) if view is not None else node.inputs[0], "Sum")
    if total is None or not is_float_out(node):
        return None
    power = owner_of(total.inputs[0], "exp")
    if power is None:
        return None
    x, axis = power.inputs[0], list(total.op.axis)
    if (
        not axis
        or x.type.ndim == 0
        or is_shifted(x, tuple(axis))
        or x.type.dtype != node.outputs[0].type.dtype
    ):
        return None
    peak = t.max(x, axis=axis, keepdims=True)
    # an infinite maximum must not be subtracted from itself
    shift = t.switch(t.isinf(peak), t.constant(0, dtype=x.type.dtype), peak)
    sums = t.sum(t.exp(t.sub(x, shift)), axis=axis)
    kept = [d for d in range(x.type.ndim) if d not in axis]
    made = t.add(t.log(sums), t.dimshuffle(shift, *kept))
    if view is not None:
        made = t.dimshuffle(made, *_order_of(node.inputs[0], total.outputs[0]))
    result = same_kind(made, node.outputs[0])
    return None if result is None else [result]


def _order_of(view: Variable, base: Variable) -> list[Any]:
    """The one dimshuffle from ``base`` to ``view``."""
    order: list[Any] = list(range(view.type.ndim))
    while view is not base:
        node = view.owner
        assert node is not None
        order = [d if d == "x" else node.op.new_order[d] for d in order]
        view = node.inputs[0]
    return order


def is_shifted(x: Variable, axis: tuple[int, ...]) -> bool:
    """Whether x is a - max(a) over these axes already, or less something else that bounds it."""
    node = owner_of(x, "sub")
    if node is None:
        return False
    stack = [node.inputs[1]]
    while stack:
        v = stack.pop()
        if owner_of(v, "Max") is not None:
            return True
        if v.owner is not None and (is_elemwise(v.owner) or owner_of(v, "DimShuffle") is not None):
            stack.extend(v.owner.inputs[-1:] if owner_of(v, "switch") else v.owner.inputs[:1])
    return False
