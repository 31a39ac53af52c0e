"""Rules that remove what does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.core import dtypes
from theano.core.dtypes import DISCRETE
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorConstant
from theano.ops.scalar import to_output
from theano.rewrite.build import (
    constant_value,
    is_call,
    is_elemwise,
    nonnegative,
    owner_of,
    same_kind,
    same_pattern,
    spread,
    t,
)
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

_FILLS = ("second", "Alloc")


def _same(new: Variable, old: Variable) -> Result:
    """``new`` if it can stand for ``old`` after a cast or a stretch."""
    result = same_kind(new, old)
    return None if result is None else [result]


@rule("useless", ("identity", "tensor_copy"))
def remove_tensor_copy(node: Apply) -> Result:
    """identity(x) -> x."""
    return [node.inputs[0]]


@rule("useless", ("neg", "inv", "invert"))
def local_neg_neg(node: Apply) -> Result:
    """f(f(x)) -> x for f that undo themselves."""
    inner = node.inputs[0].owner
    if inner is None or inner.op != node.op:
        return None
    return _same(inner.inputs[0], node.outputs[0])


@rule("useless", ("abs_", "sgn", "floor", "ceil", "trunc"))
def local_abs_abs(node: Apply) -> Result:
    """f(f(x)) -> f(x) for f that change nothing the second time."""
    inner = node.inputs[0].owner
    return [node.inputs[0]] if inner is not None and inner.op == node.op else None


_CASTS = tuple(f"Cast{{{name}}}" for name in dtypes.all_dtypes)


@rule("useless", _CASTS)
def local_cast_cast(node: Apply) -> Result:
    """cast(x) -> x of the same dtype; cast(cast(x)) -> cast(x) where the first loses nothing."""
    x, out = node.inputs[0], node.outputs[0]
    if x.type.dtype == out.type.dtype:
        return [x]
    inner = x.owner
    if inner is None or not is_call(x, *_CASTS):
        return None
    source = inner.inputs[0]
    if dtypes.promote(source.type.dtype, x.type.dtype) != x.type.dtype:
        return None
    return [t.cast(source, out.type.dtype)]


_INVERSES = {
    ("log", "exp"), ("exp", "log"), ("expm1", "log1p"), ("log1p", "expm1"), ("deg2rad", "rad2deg"),
    ("rad2deg", "deg2rad"), ("arcsinh", "sinh"), ("tanh", "arctanh"), ("sinh", "arcsinh"),
    ("erf", "erfinv"), ("erfc", "erfcinv"), ("log2", "exp2"), ("tan", "arctan"),
}  # fmt: skip


@rule("canonicalize", tuple(sorted({outer for outer, _ in _INVERSES})))
def local_func_inv(node: Apply) -> Result:
    """f(g(x)) -> x for inverse functions (for x where g is defined)."""
    inner = node.inputs[0].owner
    if not is_elemwise(inner) or inner is None:
        return None
    pair = (node.op.row.name, inner.op.row.name)
    if pair not in _INVERSES or inner.inputs[0].type.dtype in DISCRETE:
        return None
    return _same(inner.inputs[0], node.outputs[0])


@rule("useless", ("switch",))
def local_useless_switch(node: Apply) -> Result:
    """switch(constant, a, b) -> a or b; switch(c, a, a) -> a."""
    condition, yes, no = node.inputs
    value = constant_value(condition)
    if value is not None:
        return _same(yes if value else no, node.outputs[0])
    if yes is no:
        return _same(yes, node.outputs[0])
    return None


@rule("useless", ("eq", "le", "ge", "neq", "lt", "gt"))
def local_useless_elemwise_comparison(node: Apply) -> Result:
    """x < x -> False; for integers x == x -> True; extents are at least 0."""
    x, y = node.inputs
    name, out = node.op.row.name, node.outputs[0]
    if x is y:
        if name in ("lt", "gt"):
            return [spread(False, out)]
        if x.type.dtype in DISCRETE:
            return [spread(name != "neq", out)]
        return None
    if out.type.ndim != 0 or x.type.dtype not in DISCRETE or y.type.dtype not in DISCRETE:
        return None
    return _about_extents(name, x, y, out)


def _about_extents(name: str, x: Variable, y: Variable, out: Variable) -> Result:
    mirrored = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}.get(name, name)
    if constant_value(x) is not None:
        x, y, name = y, x, mirrored
    bound = constant_value(y)
    if bound is None or not nonnegative(x):
        return None
    known = {"lt": False if bound <= 0 else None, "ge": True if bound <= 0 else None,
             "gt": True if bound < 0 else None, "le": False if bound < 0 else None,
             "eq": False if bound < 0 else None, "neq": True if bound < 0 else None}  # fmt: skip
    return None if known[name] is None else [spread(known[name], out)]


@rule("useless", ("maximum", "minimum"))
def local_useless_extreme(node: Apply) -> Result:
    """maximum(x, x) -> x; maximum(extent, 0) -> extent; minimum(extent, 0) -> 0."""
    x, y = node.inputs
    out = node.outputs[0]
    if x is y:
        return _same(x, out)
    if constant_value(x) is not None:
        x, y = y, x
    bound = constant_value(y)
    if bound is None or out.type.ndim or out.type.dtype not in DISCRETE:
        return None
    if bound <= 0 and nonnegative(x):
        return _same(x if node.op.row.name == "maximum" else y, out)
    return None


@rule("useless", ("and_", "or_"))
def local_useless_logic(node: Apply) -> Result:
    """and(x, True) -> x, or(x, False) -> x, and(x, False) -> False, or(x, True) -> True."""
    if node.outputs[0].type.dtype != "bool":
        return None
    x, y = node.inputs
    if x is y:
        return _same(x, node.outputs[0])
    for one, other in ((x, y), (y, x)):
        value = constant_value(one)
        if value is not None:
            absorbs = bool(value) == (node.op.row.name == "or_")
            return _same(one if absorbs else other, node.outputs[0])
    return None


@rule("useless", ("DimShuffle",))
def local_useless_dimshuffle(node: Apply) -> Result:
    """Drop a dimshuffle that does nothing; two become one; it moves inside of a fill."""
    x = node.inputs[0]
    order = node.op.new_order
    if order == tuple(range(x.type.ndim)):
        return [x]
    inner = owner_of(x, "DimShuffle")
    if inner is not None:
        merged = ["x" if d == "x" else inner.op.new_order[d] for d in order]
        return [apply("dimshuffle", inner.inputs[0], *merged)]
    inner = owner_of(x, "second")
    if inner is not None:
        parts = inner.inputs
        dropped = node.op.drop
        if all(v.type.broadcastable[d] for v in parts for d in dropped):
            return [t.fill(*(apply("dimshuffle", v, *order) for v in parts))]
    inner = owner_of(x, "Alloc")
    if inner is not None and inner.inputs[0].type.ndim == 0:
        sizes = [1 if d == "x" else inner.inputs[1 + d] for d in order]
        return [t.alloc(inner.inputs[0], *sizes)]
    return None


def stretched_value(variable: Variable) -> Variable | None:
    """What a fill (second, or alloc of a scalar) repeats; None if ``variable`` is none."""
    node = owner_of(variable, *_FILLS)
    if node is None:
        return None
    if key(node) == "second":
        return node.inputs[1]
    value = node.inputs[0]
    if not all(value.type.broadcastable):
        return None
    missing = variable.type.ndim - value.type.ndim
    return (
        apply("dimshuffle", value, *("x",) * missing, *range(value.type.ndim)) if missing else value
    )


def filled_with(variable: Variable) -> Any:
    """The number that ``variable``, a constant or a fill, holds everywhere; None if none."""
    for _ in range(4):
        node = owner_of(variable, *_FILLS, "DimShuffle")
        if node is None:
            break
        variable = node.inputs[1 if key(node) == "second" else 0]
    return constant_value(variable)


def key(node: Apply) -> str:
    """'second' or the class name."""
    return "second" if is_elemwise(node) else type(node.op).__name__


@rule("useless", ("second",))
def local_useless_fill(node: Apply) -> Result:
    """fill(x, y) -> y where y has the shape already; the model is replaced by a simpler one."""
    x, y = node.inputs
    out = node.outputs[0]
    if same_pattern(y, out):
        return [y]
    inner = x.owner
    if inner is None or not is_elemwise(inner):
        return None
    for model in inner.inputs:  # another array of the same shape, nearer to the inputs
        if same_pattern(model, x) and not is_call(model, "DimShuffle"):
            return [t.fill(model, y)]
    return None


@rule("useless", ("*",))
def local_fill_sink(node: Apply) -> Result:
    """f(fill(x, c), y) -> f(c, y), filled afterwards only if y does not have the shape."""
    if not is_elemwise(node) or len(node.outputs) != 1:
        return None
    name = node.op.row.name
    if name == "second":
        return None
    if not any(map(_may_be_fill, node.inputs)):
        return None
    values = [stretched_value(v) for v in node.inputs]
    values = [
        None if value is not None and _checks_sizes(v, node.inputs, values) else value
        for v, value in zip(node.inputs, values, strict=True)
    ]
    if all(value is None for value in values):
        return None
    made: Any = node.op(*(v if value is None else value
                          for v, value in zip(node.inputs, values, strict=True)))  # fmt: skip
    out = node.outputs[0]
    for variable, value in zip(node.inputs, values, strict=True):
        if value is None or same_pattern(made, out):
            continue
        made = _refill(made, variable)
    return [made] if same_pattern(made, out) else None


def _checks_sizes(
    fill: Variable, inputs: Sequence[Variable], values: Sequence[Variable | None]
) -> bool:
    """Whether ``fill`` is an alloc whose sizes are not known to be those of the other inputs: it
    stays, so that a mismatch still raises (reading it costs a kernel nothing)."""
    node = owner_of(fill, "Alloc")
    if node is None:
        return False
    others = [v for v, value in zip(inputs, values, strict=True) if value is None]
    return bool(others) and not any(_has_sizes(other, node.inputs[1:]) for other in others)


def _has_sizes(variable: Variable, sizes: Sequence[Variable]) -> bool:
    for axis, (size, static) in enumerate(zip(sizes, variable.type.shape, strict=True)):
        known = constant_value(size)
        if known is not None and (known == 1 or known == static):
            continue
        owner = owner_of(size, "Shape_i")
        if owner is None or owner.inputs[0] is not variable or owner.op.i != axis:
            return False
    return True


def _may_be_fill(variable: Variable) -> bool:
    """A quick look at the op."""
    owner = variable.owner
    if owner is None:
        return False
    row = getattr(owner.op, "row", None)
    return type(owner.op).__name__ == "Alloc" if row is None else row.name == "second"


def _refill(made: Any, fill: Variable) -> Any:
    """``made`` stretched as ``fill`` was, where it lacks dimensions."""
    if not any(
        m and not f for m, f in zip(made.type.broadcastable, fill.type.broadcastable, strict=True)
    ):
        return made
    node = fill.owner
    assert node is not None
    if key(node) == "second":
        return t.fill(node.inputs[0], made)
    if all(made.type.broadcastable):
        return t.alloc(made, *node.inputs[1:])
    return t.fill(fill, made)


@rule("useless", ("*",))
def local_upcast_elemwise_constant_inputs(node: Apply) -> Result:
    """Constants get the dtype that the op casts them to: equal ones merge."""
    row = getattr(node.op, "row", None)
    if row is None or row.operands is not to_output or row.arity == 1 or row.name == "pow":
        return None
    dtype = node.outputs[0].type.dtype
    if all(v.type.dtype == dtype or not isinstance(v, Constant) for v in node.inputs):
        return None
    if dtype in DISCRETE or dtype.startswith("complex"):
        return None
    made = node.op(*(
        TensorConstant(v.type.clone(dtype=dtype), v.data.astype(dtype)) if isinstance(v, Constant)
        and v.type.dtype in DISCRETE | {"float32", "float64"} else v for v in node.inputs
    ))  # fmt: skip
    return [made] if made.type == node.outputs[0].type else None


@rule("useless", ("*",))
def local_elemwise_squeeze(node: Apply) -> Result:
    """f(dimshuffle(a), dimshuffle(b)) -> dimshuffle(f(a, b)): without dimensions of size 1."""
    out = node.outputs[0]
    if not is_elemwise(node) or True not in out.type.broadcastable:
        return None
    single = [d for d, b in enumerate(out.type.broadcastable) if b]
    real = False
    for v in node.inputs:
        view = owner_of(v, "DimShuffle")
        if view is not None:
            order = view.op.new_order
            if any(order[d] != "x" for d in single):
                return None
            real = True
        elif constant_value(v) is None:
            return None
    if not real:
        return None
    kept = [d for d in range(out.type.ndim) if d not in single]
    inner = node.op(*(apply("dimshuffle", v, *kept) for v in node.inputs))
    order = ["x" if d in single else kept.index(d) for d in range(out.type.ndim)]
    return [apply("dimshuffle", inner, *order)]


@rule("useless", ("Alloc",))
def local_useless_alloc(node: Apply) -> Result:
    """alloc(x) -> x where x has all dimensions; alloc of an alloc of a scalar -> one alloc."""
    value, sizes = node.inputs[0], node.inputs[1:]
    if value.type == node.outputs[0].type and all(
        b or (s is not None and s == k)
        for b, s, k in zip(value.type.broadcastable, value.type.shape,
                           node.outputs[0].type.shape, strict=True)
    ):  # fmt: skip
        return [value]
    inner = owner_of(value, "Alloc")
    if inner is not None and all(inner.inputs[0].type.broadcastable):
        return [t.alloc(inner.inputs[0], *sizes)]
    inner = owner_of(value, "DimShuffle")
    if inner is not None and inner.inputs[0].type.ndim == 0:
        return [t.alloc(inner.inputs[0], *sizes)]
    return None


@rule("specialize", ("second",))
def local_fill_to_alloc(node: Apply) -> Result:
    """fill(x, y) -> alloc(y, *shape of x): the elements of x are not needed."""
    x, y = node.inputs
    out = node.outputs[0]
    if not all(y.type.broadcastable):
        return None
    sizes = [1 if b else t.shape_i(x, axis) for axis, b in enumerate(out.type.broadcastable)]
    value = apply("dimshuffle", y) if y.type.ndim else y
    return [t.alloc(value, *sizes)]


@rule("useless", ("Rebroadcast",))
def local_useless_rebroadcast(node: Apply) -> Result:
    """A declaration that the type makes already."""
    return [node.inputs[0]] if node.inputs[0].type == node.outputs[0].type else None


@rule("useless", ("Assert", "CheckAndRaise"))
def local_remove_useless_assert(node: Apply) -> Result:
    """An assertion of what is known to be true."""
    left = [c for c in node.inputs[1:] if not (constant_value(c) is not None and constant_value(c))]
    if not left:
        return [node.inputs[0]]
    if len(left) < len(node.inputs) - 1:
        return [node.op(node.inputs[0], *left)]
    return None


@rule("unsafe", ("Assert", "CheckAndRaise"), tags=("unsafe",))
def local_remove_all_assert(node: Apply) -> Result:
    """Assertions are believed."""
    return [node.inputs[0]]


@rule("useless", ("OpFromGraph",))
def inline_ofg_expansion(node: Apply) -> Result:
    """An op that is a graph -> the graph."""
    return list(node.op.expand(node))
