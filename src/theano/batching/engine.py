"""``batch``: add a leading axis to some variables of a graph and to all that depends on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.scan import Form, Scan

#: A rule gets the node, its inputs (some with a leading axis), which ones have it, and the number
#: of examples. It returns one (value, whether it has the axis) per output, or None: no rule fits.
Rule = Callable[[Apply, Sequence[Any], Sequence[bool], Any], "Sequence[tuple[Any, bool]] | None"]


def batch(
    outputs: Sequence[Variable], examples: Mapping[Variable, Variable], size: Any, *,
    loops: bool = True,
) -> list[tuple[Variable, bool]] | None:  # fmt: skip
    """``outputs`` for all examples at once.

    Parameters
    ----------
    examples : for variables that differ from example to example, a variable with one more axis, the
        first, of length ``size``.
    size : the number of examples, an int or a 0-d variable.
    loops : use a loop for an op without rule; False: give up then.

    Returns per output its value and whether it has the leading axis (False: it does not depend on
    the examples); None if it gave up.
    """
    from theano.batching.rules import RULES

    values: dict[Variable, tuple[Variable, bool]] = {v: (x, True) for v, x in examples.items()}
    for node in traverse.toposort(outputs, examples):
        pairs = [values.get(v, (v, False)) for v in node.inputs]
        flags = [flag for _, flag in pairs]
        if not any(flags):
            same = all(x is v for (x, _), v in zip(pairs, node.inputs, strict=True))
            made = node if same else node.clone_with_new_inputs([x for x, _ in pairs])
            found: Any = [(v, False) for v in made.outputs]
        else:
            given = [x for x, _ in pairs]
            rule = RULES.get(type(node.op).__name__)
            found = None if rule is None else rule(node, given, flags, size)
            if found is None:
                if not loops:
                    return None
                found = _by_loop(node, given, flags, size)
        values.update(zip(node.outputs, found, strict=True))
    return [values.get(v, (v, False)) for v in outputs]


def _by_loop(
    node: Apply, inputs: Sequence[Any], flags: Sequence[bool], size: Any
) -> list[tuple[Variable, bool]]:
    """The op applied to one example after the other."""
    if not all(isinstance(v.type, TensorType) for v in node.outputs):
        raise TypeError(f"vectorize: {node.op} gives something that is not an array")
    from theano.ops import sizes

    inner = [v.type.make_variable() for v in node.inputs]
    rows = [v for v, flag in zip(inner, flags, strict=True) if flag]
    fixed = [v for v, flag in zip(inner, flags, strict=True) if not flag]
    results = node.op.make_node(*inner).outputs
    op = Scan([*rows, *fixed], results, Form(len(rows), (), 0, len(fixed), len(results)), "batch")
    outer = [x for x, flag in zip(inputs, flags, strict=True) if flag]
    outer += [x for x, flag in zip(inputs, flags, strict=True) if not flag]
    found = op(sizes.variable(size), *outer, return_list=True)[: len(results)]
    return [(v, True) for v in found]


def spread(value: Any, size: Any) -> Any:
    """A value that is the same for all examples, with the leading axis."""
    from theano.ops.creation import alloc
    from theano.ops.extents import sizes_of

    return alloc(value, size, *sizes_of(value))
