"""The rule of each op for a leading axis of examples; an op without one becomes a loop."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

from theano.batching.engine import Rule, batch, spread
from theano.graph.nodes import Apply
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import index_spec as spec
from theano.ops import sizes
from theano.ops.basic import dimshuffle
from theano.ops.constants import get_scalar_constant_value
from theano.ops.contract import CheckExtents
from theano.ops.extents import Shape_i, sizes_of
from theano.ops.scan import Form, Scan

Result = Sequence[tuple[Any, bool]] | None


def _lifted(x: Any, flag: bool, rank: int) -> Any:
    """``x`` with axes of size 1 such that its examples and its other axes align with rank + 1."""
    have = x.type.ndim - flag
    if not flag:
        return dimshuffle(x, ["x"] * (rank + 1 - have) + list(range(have)))
    return dimshuffle(x, [0, *["x"] * (rank - have), *range(1, have + 1)])


def _all(node: Apply, outputs: Any) -> Result:
    found = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [(v, True) for v in found]


def elemwise(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Align; the op does the rest."""
    rank = node.outputs[0].type.ndim
    lifted = [_lifted(x, flag, rank) for x, flag in zip(inputs, flags, strict=True)]
    return _all(node, node.op(*lifted, return_list=True))


def dim_shuffle(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same order behind the examples."""
    order = [0, *("x" if d == "x" else int(d) + 1 for d in node.op.new_order)]
    return _all(node, dimshuffle(inputs[0], order))


def _moved(op: Any, ndim: int) -> Any:
    """A reduction over the same axes behind the examples."""
    axis = op.axis
    other = copy.copy(op)
    axes = range(ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    other.axis = tuple(a % ndim + 1 for a in axes) if ndim else ()
    return other


def reduction(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Over the same axes behind the examples."""
    op = _moved(node.op, node.inputs[0].type.ndim)
    return _all(node, op(inputs[0], return_list=True))


def dot(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """One product where one factor is the same for all, else a batch of products."""
    a, b = inputs
    ranks = [v.type.ndim for v in node.inputs]
    if all(flags):
        left = a if ranks[0] == 2 else dimshuffle(a, [0, "x", 1])
        right = b if ranks[1] == 2 else dimshuffle(b, [0, 1, "x"])
        out = apply("batched_dot", left, right)
        drop = [d + 1 for d, rank in ((0, ranks[0]), (1, ranks[1])) if rank == 1]
        if drop:
            keep = [d for d in range(3) if d not in drop]
            out = dimshuffle(apply("patternbroadcast", out, [d in drop for d in range(3)]), keep)
        return _all(node, out)
    if flags[0]:
        return _all(node, apply("dot", a, b))
    if ranks[1] == 1:
        return _all(node, apply("dot", b, dimshuffle(a, range(ranks[0])[::-1])))
    turned = apply("dot", dimshuffle(b, [0, 2, 1]), dimshuffle(a, range(ranks[0])[::-1]))
    return _all(node, dimshuffle(turned, [0, 2, 1]) if ranks[0] == 2 else turned)


def matmul(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The examples are one more batch axis."""
    rank = node.outputs[0].type.ndim
    if any(v.type.ndim != rank for v in node.inputs):
        return None
    lifted = [_lifted(x, flag, rank) for x, flag in zip(inputs, flags, strict=True)]
    return _all(node, apply("matmul", *lifted))


def check_extents(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same check behind the examples."""
    if any(flags[1:]):
        return None
    axes = [axis + 1 for axis in node.op.axes]
    return _all(node, CheckExtents(axes, node.op.what)(*inputs))


def fourier(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same transform behind the examples."""
    if any(flags[1:]):
        return None
    made = node.op.behind(node.inputs[0])
    return _all(node, made.make_node(*inputs).outputs[0])


def pooling(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same windows on the last axes."""
    if any(flags[-3:]) or not all(flags[:-3]):
        return None
    return _all(node, node.op(*inputs))


def reshape(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The new extents behind the examples."""
    if flags[1]:
        return None
    x, shape = inputs
    whole = apply("join", 0, sizes.vector([size]), apply("cast", shape, "int64"))
    return _all(node, apply("reshape", x, whole, ndim=node.outputs[0].type.ndim + 1))


def alloc(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The value stretched behind the examples; the extents must be the same for all."""
    if any(flags[1:]):
        return None
    rank = len(inputs) - 1
    return _all(node, apply("alloc", _lifted(inputs[0], True, rank), size, *inputs[1:]))


def subtensor(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same part of each example."""
    if any(flags[1:]):
        return None
    entries = spec.unpack(node.op.idx_list, inputs[1:])
    return _all(node, inputs[0][(slice(None), *entries)])


def advanced(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Rows by index: of each example, or of one array by each example's indices."""
    if len(inputs) != 2 or all(flags):
        return None
    x, index = inputs
    return _all(node, x[:, index] if flags[0] else x[index])


def inc_subtensor(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same part of each example is set or added to."""
    if any(flags[2:]):
        return None
    x = inputs[0] if flags[0] else spread(inputs[0], size)
    entries = spec.unpack(node.op.idx_list, inputs[2:])
    part = x[(slice(None), *entries)]
    y = _lifted(inputs[1], flags[1], part.type.ndim - 1)
    change = "set_subtensor" if node.op.set_instead_of_inc else "inc_subtensor"
    return _all(node, apply(change, part, y))


def join(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Along the same axis behind the examples."""
    if flags[0]:
        return None
    try:
        axis = int(get_scalar_constant_value(inputs[0]))
    except Exception:
        return None
    axis = axis % node.outputs[0].type.ndim + 1
    parts = [x if f else spread(x, size) for x, f in zip(inputs[1:], flags[1:], strict=True)]
    return _all(node, apply("join", axis, *parts))


def rows(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Ops on the rows of matrices: all rows of all examples are rows."""
    if len({v.type.ndim for v in node.inputs}) != 1 or node.inputs[0].type.ndim != 2:
        return None
    full = [x if f else spread(x, size) for x, f in zip(inputs, flags, strict=True)]
    extents = sizes_of(full[0])
    flat = sizes.vector([sizes.mul(extents[0], extents[1]), extents[2]])
    out = node.op(*(apply("reshape", x, flat, ndim=2) for x in full))
    return _all(node, apply("reshape", out, sizes.vector(extents), ndim=3))


def shape_i(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """An extent is the same for all examples."""
    return [(Shape_i(node.op.i + 1)(inputs[0]), False)]


def shape(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """The same for all extents."""
    return [(sizes.vector(sizes_of(inputs[0])[1:]), False)]


def make_vector(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Numbers side by side."""
    columns = [x if f else spread(x, size) for x, f in zip(inputs, flags, strict=True)]
    return _all(node, apply("join", 1, *(dimshuffle(x, [0, "x"]) for x in columns)))


def same(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Ops that give their input as it is."""
    return _all(node, node.op(inputs[0], return_list=True))


def if_else(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """One condition for all: lazy as before. One for each: both branches, element by element."""
    if not all(isinstance(v.type, TensorType) for v in node.inputs):
        return None
    values = [x if f else spread(x, size) for x, f in zip(inputs[1:], flags[1:], strict=True)]
    if not flags[0]:
        return _all(node, node.op(inputs[0], *values, return_list=True))
    n = node.op.n_outs
    chosen = []
    for a, b in zip(values[:n], values[n:], strict=True):
        condition = dimshuffle(inputs[0], [0, *["x"] * (a.type.ndim - 1)])
        chosen.append(apply("switch", condition, a, b))
    return _all(node, chosen)


def expanded(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """Ops that are graphs: their graphs."""
    inner = [v.type.make_variable() for v in node.inputs]
    made = node.op.make_node(*inner)
    results = made.op.expand(made)
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    examples = {v: x for v, x, f in zip(inner, inputs, flags, strict=True) if f}
    from theano.graph import traverse

    others = {v: x for v, x, f in zip(inner, inputs, flags, strict=True) if not f}
    fixed = traverse.rebuild(results, others, strict=False)
    return batch(fixed, examples, size)


def scan(node: Apply, inputs: Any, flags: Any, size: Any) -> Result:
    """A loop whose states hold all examples; each step is batched."""
    op, form = node.op, node.op.form
    carries = slice(form.outer_carry, form.outer_fixed)
    if flags[0] or form.until or any(flags[carries]) or form.keep:
        return None
    inner_flags = [flags[form.outer_of(i)] for i in range(len(op.inner_inputs))]
    stepped = _fixpoint(op, inner_flags, size)
    if stepped is None:
        return None
    inner, results, moving = stepped
    sequences = zip(inputs[1 : form.outer_state], flags[1 : form.outer_state], strict=True)
    outer = [inputs[0], *(_swapped(x) if flag else x for x, flag in sequences)]
    for s in range(len(form.states)):
        start = inputs[form.outer_state + s]
        if moving[s]:
            full = start if flags[form.outer_state + s] else spread(start, size)
            start = _swapped(full)
        outer.append(start)
    outer += inputs[form.outer_carry :]
    values = []
    for j, (value, flag) in enumerate(results):
        wanted = moving[j] if j < len(form.states) else flag
        values.append(spread(value, size) if wanted and not flag else value)
    step = Scan(inner, values, form, op.name, op.truncate)
    found = step(*outer, return_list=True)
    pairs: list[tuple[Any, bool]] = []
    for j, value in enumerate(found):
        flag = moving[j] if j < len(form.states) else j < form.stacks and results[j][1]
        pairs.append((_swapped(value) if flag else value, flag))
    return pairs


def _swapped(x: Any) -> Any:
    return dimshuffle(x, [1, 0, *range(2, x.type.ndim)])


def _fixpoint(op: Any, flags: list[bool], size: Any) -> Any:
    """The batched step: its inputs, its results, and which states hold all examples."""
    form: Form = op.form
    moving = [False] * len(form.states)
    for i, (s, _) in enumerate(form.taps()):
        moving[s] = moving[s] or flags[form.first_tap + i]
    while True:
        inner, examples = [], {}
        for i, v in enumerate(op.inner_inputs):
            tap = form.first_tap <= i < form.first_carry
            has = moving[form.taps()[i - form.first_tap][0]] if tap else flags[i]
            new = TensorType(v.type.dtype, shape=(None, *v.type.shape))() if has else v
            inner.append(new)
            if has:
                examples[v] = new
        results = batch(op.inner_outputs, examples, size)
        assert results is not None
        if any(flag for _, flag in results[form.stacks :]):
            return None
        more = [m or results[s][1] for s, m in enumerate(moving)]
        if more == moving:
            return inner, results, moving
        moving = more


RULES: Final[Mapping[str, Rule]] = {
    "Elemwise": elemwise, "DimShuffle": dim_shuffle, "Dot": dot, "Reshape": reshape,
    "Matmul": matmul, "BatchedDot": matmul, "CheckExtents": check_extents,
    **dict.fromkeys(("FFT", "RFFTOp", "IRFFTOp"), fourier),
    **dict.fromkeys(("Pool", "MaxPoolGrad", "AveragePoolGrad", "MaxPoolRop"), pooling),
    "Alloc": alloc, "Subtensor": subtensor, "AdvancedSubtensor1": advanced,
    "IncSubtensor": inc_subtensor, "Join": join, "Shape_i": shape_i, "Shape": shape,
    "MakeVector": make_vector, "IfElse": if_else, "Scan": scan, "OpFromGraph": expanded,
    **dict.fromkeys(
        ("Sum", "Prod", "Max", "Min", "All", "Any", "Argmax", "Argmin", "MaxAndArgmax", "CAReduce",
         "ProdWithoutZeros"), reduction),
    **dict.fromkeys(("Softmax", "LogSoftmax", "SoftmaxGrad"), rows),
    **dict.fromkeys(("ViewOp", "DeepCopyOp", "GradClip", "GradScale", "ZeroGrad",
                     "DisconnectedGrad", "ConsiderConstant"), same),
}  # fmt: skip
