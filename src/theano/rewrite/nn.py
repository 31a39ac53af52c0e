"""Softmax and cross-entropy: recognised, fused with what is around them, kept stable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.ops.crossentropy import (
    crossentropy_softmax_1hot_with_bias_dx,
    crossentropy_softmax_argmax_1hot_with_bias,
)
from theano.ops.nn_labels import checked_labels, one_hot_rows, pick_column
from theano.ops.softmax import logsoftmax_op, row_sum, softmax_op
from theano.rewrite.build import constant_value, owner_of, same_kind, t
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule
from theano.rewrite.stabilize import factors_of, is_shifted
from theano.rewrite.useless import filled_with, stretched_value

Result = Sequence[Variable] | None


def _replace(new: Any, old: Variable) -> Result:
    result = same_kind(new, old)
    return None if result is None else [result]


@rule("stabilize", ("true_div",))
def local_softmax_from_exp(node: Apply) -> Result:
    """exp(x) / sum(exp(x), axis=1, keepdims=True) -> softmax(x) for matrices."""
    out = node.outputs[0]
    if out.type.ndim != 2 or not out.type.dtype.startswith("float"):
        return None
    above, below = factors_of(node.inputs[0]), factors_of(node.inputs[1])
    for divisor in below:
        power = _summed_rows(divisor)
        if power is None or power not in above or owner_of(power, "exp") is None:
            continue
        x = power.owner.inputs[0]  # type: ignore[union-attr]
        if is_shifted(x, (1,)) or x.type.dtype != out.type.dtype:
            return None
        above[above.index(power)] = softmax_op(x)
        below.remove(divisor)
        made = above[0] if len(above) == 1 else t.mul(*above)
        if below:
            made = t.true_div(made, below[0] if len(below) == 1 else t.mul(*below))
        return _replace(made, out)
    return None


def _summed_rows(variable: Variable) -> Variable | None:
    """y of sum(y, axis=1) as a column."""
    view = owner_of(variable, "DimShuffle")
    if view is None or view.op.new_order != (0, "x"):
        return None
    total = owner_of(view.inputs[0], "Sum")
    if total is None or tuple(total.op.axis) != (1,) or total.inputs[0].type.ndim != 2:
        return None
    return total.inputs[0]


@rule("stabilize", ("log",))
def local_logsoftmax(node: Apply) -> Result:
    """log(softmax(x)) -> logsoftmax(x)."""
    inner = owner_of(node.inputs[0], "Softmax", "SoftmaxWithBias")
    if inner is None:
        return None
    x = inner.inputs[0] if len(inner.inputs) == 1 else t.add(*inner.inputs)
    return _replace(logsoftmax_op(x), node.outputs[0])


@rule("stabilize", ("exp",))
def local_exp_logsoftmax(node: Apply) -> Result:
    """exp(logsoftmax(x)) -> softmax(x)."""
    inner = owner_of(node.inputs[0], "LogSoftmax")
    return None if inner is None else _replace(softmax_op(inner.inputs[0]), node.outputs[0])


# labels ----------------------------------------------------------------------------------------


def _is_arange_of(index: Variable, x: Variable, labels: Variable, uses: Uses) -> bool:
    """Whether ``index`` is 0, 1, … over the rows of ``x``, of which ``labels`` has one each."""
    if isinstance(index, Constant):
        data = index.data
        return data.shape == labels.type.shape and bool((data == np.arange(len(data))).all())
    node = owner_of(index, "ARange")
    if node is None or constant_value(node.inputs[0]) != 0 or constant_value(node.inputs[2]) != 1:
        return False
    stop = node.inputs[1]
    cast = owner_of(stop, "Cast{int64}")
    stops = [stop] if cast is None else [stop, cast.inputs[0]]
    extents = [uses.final(t.shape_i(v, 0)) for v in (labels, x)]
    return any(_same_number(a, b) for a in stops for b in extents)


def _same_number(a: Variable, b: Variable) -> bool:
    x, y = constant_value(a), constant_value(b)
    return a is b or (x is not None and x == y)


def _is_one_per_row(op: Any) -> bool:
    """Whether an advanced index is [vector, vector]."""
    index = getattr(op, "idx_list", ())
    return len(index) == 2 and all(getattr(kind, "ndim", None) == 1 for kind in index)


@rule("canonicalize", ("AdvancedSubtensor",))
def local_pick_column(node: Apply, uses: Uses) -> Result:
    """x[arange(n), y] -> the element of each row that its label names."""
    if not _is_one_per_row(node.op) or node.inputs[0].type.ndim != 2:
        return None
    x, rows, labels = node.inputs
    if not x.type.dtype.startswith("float") or not _is_arange_of(rows, x, labels, uses):
        return None
    if not _probabilities(x):
        return None  # negative labels would wrap here, and may be meant to
    return _replace(pick_column(x, labels), node.outputs[0])


def _probabilities(x: Variable) -> bool:
    """Whether x is a softmax, or its logarithm: then labels are classes."""
    inner = owner_of(x, "log")
    x = x if inner is None else inner.inputs[0]
    return owner_of(x, "Softmax", "SoftmaxWithBias", "LogSoftmax") is not None


@rule("canonicalize", ("AdvancedIncSubtensor",))
def local_one_hot_rows(node: Apply, uses: Uses) -> Result:
    """inc(zeros, v, arange(n), y) -> v in the column that the label of each row names."""
    if not _is_one_per_row(node.op) or node.inputs[0].type.ndim != 2:
        return None
    zeros, values, rows, labels = node.inputs
    if not zeros.type.dtype.startswith("float") or values.type.ndim != 1:
        return None
    if filled_with(zeros) != 0 or not _is_arange_of(rows, zeros, labels, uses):
        return None
    model = owner_of(zeros, "second")
    like = zeros if model is None else model.inputs[0]
    if not _probabilities(like):
        return None
    if values.type.broadcastable[0]:
        values = t.fill(labels, values)
    return _replace(one_hot_rows(values, checked_labels(like, labels), like), node.outputs[0])


@rule("stabilize", ("PickColumn",))
def local_advanced_indexing_crossentropy_onehot(node: Apply) -> Result:
    """logsoftmax(x)[i, y[i]] -> minus the fused loss."""
    inner = owner_of(node.inputs[0], "LogSoftmax")
    if inner is None:
        return None
    return [t.neg(_loss(inner.inputs[0], node.inputs[1]))]


def _loss(x: Any, labels: Any) -> Any:
    no_bias = t.alloc(t.constant(0, dtype=x.type.dtype), t.shape_i(x, 1))
    return crossentropy_softmax_argmax_1hot_with_bias(x, no_bias, labels)[0]


@rule("stabilize", ("CrossentropyCategorical1Hot",))
def crossentropy_to_crossentropy_with_softmax(node: Apply) -> Result:
    """crossentropy(softmax(x), labels) -> the fused loss."""
    inner = owner_of(node.inputs[0], "Softmax", "SoftmaxWithBias")
    if inner is None:
        return None
    x = inner.inputs[0] if len(inner.inputs) == 1 else t.add(*inner.inputs)
    return _replace(_loss(x, node.inputs[1]), node.outputs[0])


@rule("stabilize", ("SoftmaxGrad",))
def local_crossentropy_categorical_grad(node: Apply) -> Result:
    """softmax_grad(crossentropy_grad(g, sm, y), sm) -> the fused gradient."""
    dy, sm = node.inputs
    inner = owner_of(dy, "CrossentropyCategorical1HotGrad")
    if inner is None or inner.inputs[1] is not sm:
        return None
    g, _, labels = inner.inputs
    return _replace(_dx(g, sm, labels), node.outputs[0])


def _dx(g: Any, sm: Any, labels: Any) -> Any:
    value = stretched_value(g)
    if value is not None:
        g = value
    if owner_of(labels, "CheckedLabels") is None:
        labels = checked_labels(sm, labels)
    return crossentropy_softmax_1hot_with_bias_dx(g, sm, labels)


@rule("stabilize", ("SoftmaxGrad",))
def local_advanced_indexing_crossentropy_onehot_grad(node: Apply) -> Result:
    """softmax_grad(one_hot(v, y) / sm, sm) -> the fused gradient."""
    dy, sm = node.inputs
    inner = owner_of(dy, "true_div")
    if inner is None or inner.inputs[1] is not sm:
        return None
    return _fused_dx(inner.inputs[0], sm, node.outputs[0])


def _fused_dx(spikes: Variable, sm: Variable, out: Variable) -> Result:
    negate = owner_of(spikes, "neg")
    hot = owner_of(spikes if negate is None else negate.inputs[0], "OneHotRows")
    if hot is None:
        return None
    values, labels, _ = hot.inputs
    fill = stretched_value(values)
    values = values if fill is None else fill
    return _replace(_dx(values if negate is not None else t.neg(values), sm, labels), out)


@rule("stabilize", ("Sum",))
def local_sum_one_hot(node: Apply) -> Result:
    """sum(one_hot(v, y), axis=1) -> v."""
    inner = owner_of(node.inputs[0], "OneHotRows")
    if inner is None or tuple(node.op.axis) != (1,):
        return None
    return _replace(inner.inputs[0], node.outputs[0])


@rule("stabilize", ("sub",))
def local_logsoftmax_onehot_grad(node: Apply) -> Result:
    """one_hot(v, y) - v softmax(x) -> the fused gradient."""
    spikes, product = node.inputs
    hot = owner_of(spikes, "OneHotRows")
    inner = owner_of(product, "mul")
    if hot is None or inner is None or len(inner.inputs) != 2:
        return None
    for column, sm in (inner.inputs, inner.inputs[::-1]):
        view = owner_of(column, "DimShuffle")
        if view is not None and view.inputs[0] is hot.inputs[0] and owner_of(sm, "Softmax"):
            return _fused_dx(spikes, sm, node.outputs[0])
    return None


@rule("canonicalize", ("Argmax",))
def local_argmax_pushdown(node: Apply) -> Result:
    """argmax of a softmax's rows -> argmax of its argument's."""
    inner = owner_of(node.inputs[0], "Softmax", "LogSoftmax", "SoftmaxWithBias")
    if inner is None or tuple(node.op.axis) != (1,):
        return None
    x = inner.inputs[0] if len(inner.inputs) == 1 else t.add(*inner.inputs)
    return [t.argmax(x, axis=1)]


# after the rule for labels, which is more specific
@rule("stabilize", ("SoftmaxGrad",))
def local_logsoftmax_grad(node: Apply) -> Result:
    """softmax_grad(a / sm, sm) -> a - sum(a) sm: no division by what may underflow to 0."""
    dy, sm = node.inputs
    inner = owner_of(dy, "true_div")
    if inner is None or not _divides(sm, inner.inputs[1]):
        return None
    above, below = inner.inputs[0], factors_of(inner.inputs[1])
    below.remove(sm)
    if below:
        above = t.true_div(above, below[0] if len(below) == 1 else t.mul(*below))
    spread_ = t.fill(sm, above) if any(above.type.broadcastable) else above
    return _replace(t.sub(spread_, t.mul(row_sum(spread_), sm)), node.outputs[0])


def _divides(sm: Variable, divisor: Variable) -> bool:
    return sm in factors_of(divisor)
