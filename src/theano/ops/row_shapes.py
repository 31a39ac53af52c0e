"""The extents of what one step of a loop computes, said with what is known before the loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.extents import Shape_i, sizes_of

if TYPE_CHECKING:
    from theano.ops.scan import Scan

Extents = tuple[Any, ...] | None


def extents_outside(
    op: Scan, variables: Sequence[Variable], node: Apply, input_shapes: Sequence[Any]
) -> list[Extents]:
    """Per variable of the step, its extents; None where they depend on what a step computes."""
    if not variables:
        return []
    form = op.form
    known: dict[Variable, Extents] = {}
    values: dict[Variable, Variable] = {}
    for number, inner in enumerate(op.inner_inputs):
        outer = form.outer_of(number)
        shape = input_shapes[outer]
        if number >= form.first_fixed:
            values[inner] = node.inputs[outer]
        if shape is not None and isinstance(inner.type, TensorType):
            known[inner] = tuple(shape[1:] if number < form.first_carry else shape)
    found = shapes_inside(variables, known)
    return [_outside(found.get(v), values, found, set(op.inner_inputs)) for v in variables]


def shapes_inside(
    variables: Sequence[Variable], known: dict[Variable, Extents]
) -> dict[Variable, Extents]:
    """The extents of all that ``variables`` depend on, from ``known`` ones, by the ops' rules."""
    shapes: dict[Variable, Extents] = dict(known)

    def of(variable: Variable) -> Extents:
        if variable not in shapes:
            shapes[variable] = _static(variable)
        return shapes[variable]

    for node in traverse.toposort(variables, known):
        shapes.update(zip(node.outputs, _inferred(node, [of(v) for v in node.inputs]), strict=True))
    for variable in variables:
        of(variable)
    return shapes


def _static(variable: Variable) -> Extents:
    kind = variable.type
    if not isinstance(kind, TensorType):
        return None
    if isinstance(variable, Constant):
        return tuple(variable.data.shape)
    if isinstance(variable, SharedVariable):
        return sizes_of(variable)
    return None if None in kind.shape else tuple(kind.shape)


def _inferred(node: Apply, given: Sequence[Extents]) -> list[Extents]:
    static = [_static(v) for v in node.outputs]
    if all(shape is not None for shape in static):
        return static
    try:
        rule = node.op.infer_shape
    except AttributeError:
        return static
    tensors = [isinstance(v.type, TensorType) for v in node.inputs]
    if any(shape is None and tensor for shape, tensor in zip(given, tensors, strict=True)):
        return static
    try:
        found = rule(node, [() if shape is None else shape for shape in given])
    except NotImplementedError:
        return static
    return [
        shape if shape is not None or row is None else tuple(map(sizes.simple, row))
        for shape, row in zip(static, found, strict=True)
    ]


def _outside(
    extents: Extents, values: dict[Variable, Variable], shapes: dict[Variable, Extents],
    inside: set[Variable],
) -> Extents:  # fmt: skip
    """``extents`` with the step's fixed inputs replaced by what they are outside, and sizes of the
    step's arrays by what they are; None if a value that changes from step to step remains."""
    if extents is None:
        return None
    variables = [e for e in extents if isinstance(e, Variable)]
    memo: dict[Variable, Variable] = dict(values)
    for node in traverse.toposort(variables, values):
        if isinstance(node.op, Shape_i):
            known = shapes.get(node.inputs[0])
            if known is not None:
                size = sizes.variable(known[node.op.i])
                memo[node.outputs[0]] = traverse.rebuild([size], memo, strict=False)[0]
    replaced = traverse.rebuild(variables, memo, strict=False)
    if any(v in inside for v in traverse.ancestors(replaced)):
        return None
    found = dict(zip(variables, replaced, strict=True))
    return tuple(found[e] if isinstance(e, Variable) else e for e in extents)
