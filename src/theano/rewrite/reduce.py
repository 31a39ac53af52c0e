"""Reductions: nothing to reduce, nested ones, factors that come out of sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.rewrite.build import as_dtype, is_elemwise, is_float_out, owner_of, t
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

_REDUCTIONS = ("Sum", "Prod", "ProdWithoutZeros", "Max", "Min", "All", "Any_")


def _again(op: Any, axis: Sequence[int], x: Any) -> Any:
    """The same reduction over other axes."""
    props = {name: getattr(op, name) for name in op.__props__ if name != "axis"}
    return type(op)(axis=tuple(axis), **props)(x)


def _axes(node: Apply) -> tuple[int, ...]:
    return tuple(node.op.axis)


@rule("useless", _REDUCTIONS)
def local_reduce_broadcastable(node: Apply) -> Result:
    """Axes of size 1 are dropped, not reduced; a reduction over no axis is a cast."""
    x, out = node.inputs[0], node.outputs[0]
    axis = _axes(node)
    if type(node.op).__name__ == "ProdWithoutZeros":
        return None
    single = [a for a in axis if x.type.broadcastable[a]]
    if axis and not single:
        return None
    kept = [d for d in range(x.type.ndim) if d not in single]
    value = t.dimshuffle(x, *kept) if single else x
    rest = [kept.index(a) for a in axis if a not in single]
    if rest:
        return [_again(node.op, rest, value)]
    return [as_dtype(value, out.type.dtype)]


@rule("canonicalize", ("Sum", "Prod", "Max", "Min", "All", "Any_"))
def local_op_of_op(node: Apply, uses: Uses) -> Result:
    """sum(sum(x)) -> one sum."""
    inner = node.inputs[0].owner
    if inner is None or type(inner.op) is not type(node.op) or uses(node.inputs[0]) > 1:
        return None
    if getattr(inner.op, "dtype", None) != getattr(node.op, "dtype", None):
        return None
    first = _axes(inner)
    kept = [d for d in range(inner.inputs[0].type.ndim) if d not in first]
    axes = sorted([*first, *(kept[a] for a in _axes(node))])
    return [_again(node.op, axes, inner.inputs[0])]


@rule("canonicalize", ("Sum", "Prod", "Max", "Min", "All", "Any_"))
def local_reduce_dimshuffle(node: Apply) -> Result:
    """reduce(dimshuffle(x)) -> dimshuffle(reduce(x)): fewer elements are moved."""
    inner = owner_of(node.inputs[0], "DimShuffle")
    if inner is None:
        return None
    order = inner.op.new_order
    x, axis = inner.inputs[0], _axes(node)
    reduced = [order[a] for a in axis]
    if "x" in reduced or inner.op.drop or not reduced:
        return None
    left = [d for d in range(x.type.ndim) if d not in reduced]
    value = _again(node.op, sorted(reduced), x)
    outer = ["x" if d == "x" else left.index(d) for i, d in enumerate(order) if i not in axis]
    return [t.dimshuffle(value, *outer)]


@rule("canonicalize", ("Sum",))
def local_sum_prod_mul_by_scalar(node: Apply, uses: Uses) -> Result:
    """sum(c * x) -> c * sum(x), sum(x / c) -> sum(x) / c, sum(-x) -> -sum(x).

    ``c`` does not vary along the axes that are summed.
    """
    x = node.inputs[0]
    inner = x.owner
    if inner is None or not is_elemwise(inner) or uses(x) > 1 or not is_float_out(node):
        return None
    name = inner.op.row.name
    if x.type.dtype != node.outputs[0].type.dtype:
        return None
    if name == "neg":
        return [t.neg(_again(node.op, _axes(node), inner.inputs[0]))]
    if name == "mul":
        return _out_of_sum(node, inner, inner.inputs, [])
    if name == "true_div":
        return _out_of_sum(node, inner, inner.inputs[:1], inner.inputs[1:])
    return None


def _out_of_sum(
    node: Apply, inner: Apply, factors: Sequence[Variable], divisors: Sequence[Variable]
) -> Result:
    axis, pattern = _axes(node), node.inputs[0].type.broadcastable
    steady = [v for v in (*factors, *divisors) if all(v.type.broadcastable[a] for a in axis)]
    varying = [v for v in factors if v not in steady]
    below = [v for v in divisors if v not in steady]
    if not steady or not varying:
        return None
    body = varying[0] if len(varying) == 1 else t.mul(*varying)
    if below:
        body = t.true_div(body, below[0])
    if any(body.type.broadcastable[a] != pattern[a] for a in axis):
        return None
    total = _again(node.op, axis, as_dtype(body, node.outputs[0].type.dtype))
    kept = [d for d in range(len(pattern)) if d not in axis]
    above = [t.dimshuffle(v, *kept) for v in factors if v in steady]
    result = t.mul(*above, total) if above else total
    for v in divisors:
        if v in steady:
            result = t.true_div(result, t.dimshuffle(v, *kept))
    out = node.outputs[0]
    if result.type.broadcastable != out.type.broadcastable:
        return None
    return [as_dtype(result, out.type.dtype)]


@rule("canonicalize", ("Sum", "Max", "Min"))
def local_reduce_of_fill(node: Apply) -> Result:
    """sum(fill(x, c)) -> c times the number of elements; max(fill(x, c)) stays."""
    if type(node.op).__name__ != "Sum" or not is_float_out(node):
        return None
    x, out, axis = node.inputs[0], node.outputs[0], _axes(node)
    inner = owner_of(x, "second", "Alloc")
    if inner is None:
        return None
    is_fill = is_elemwise(inner)
    value = inner.inputs[1] if is_fill else inner.inputs[0]
    if not is_fill and not all(value.type.broadcastable):
        return None
    if not is_fill and value.type.ndim < x.type.ndim:
        value = t.dimshuffle(
            value, *("x",) * (x.type.ndim - value.type.ndim), *range(value.type.ndim)
        )
    repeated = [a for a in axis if value.type.broadcastable[a] and not x.type.broadcastable[a]]
    if not repeated or any(value.type.broadcastable[d] and not x.type.broadcastable[d]
                           for d in range(x.type.ndim) if d not in axis):  # fmt: skip
        return None
    model = inner.inputs[0] if is_fill else x
    count: Any = None
    for a in repeated:
        size = t.cast(t.shape_i(model, a), out.type.dtype)
        count = size if count is None else t.mul(count, size)
    if set(repeated) == set(axis):
        kept = [d for d in range(x.type.ndim) if d not in axis]
        rest = t.dimshuffle(value, *kept)
    else:
        rest = _again(node.op, axis, value)
    result = t.mul(count, as_dtype(rest, out.type.dtype))
    return [result] if result.type == out.type else None


@rule("specialize", ("neg",))
def local_max_to_min(node: Apply, uses: Uses) -> Result:
    """-max(-x) -> min(x)."""
    inner = owner_of(node.inputs[0], "Max")
    if inner is None or uses(node.inputs[0]) > 1:
        return None
    negated = owner_of(inner.inputs[0], "neg")
    if negated is None:
        return None
    return [t.min(negated.inputs[0], axis=list(_axes(inner)))]


@rule("canonicalize", ("MaxAndArgmax",))
def local_max_and_argmax(node: Apply) -> Result:
    """Its two parts, so that the one nobody uses goes away."""
    results: list[Variable] = list(node.op.expand(node))
    return results
