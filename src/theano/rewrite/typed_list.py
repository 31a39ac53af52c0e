"""Rules for lists whose items are known: what is taken out of them needs no list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.registry import apply
from theano.graph.typed_list import TypedListType
from theano.ops.basic import constant
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None


def _made_by(variable: Variable) -> tuple[str, Sequence[Variable]]:
    """The name of the list op that makes a list, and its inputs."""
    node = variable.owner
    if node is None or not isinstance(variable.type, TypedListType):
        return "", ()
    return type(node.op).__name__, node.inputs


def _index(variable: Variable) -> Any:
    """An int or slice that is known, else None."""
    if not isinstance(variable, Constant):
        return None
    return variable.data if isinstance(variable.data, slice) else int(variable.data)


@rule("useless", ("GetItem",))
def local_typed_list_item(node: Apply) -> Result:
    """make_list([x, y])[0] -> x; likewise for the last item appended, and for gradients."""
    if len(node.inputs) != 2 or not isinstance(node.inputs[0].type, TypedListType):
        return None
    name, parts = _made_by(node.inputs[0])
    index = _index(node.inputs[1])
    if name == "Add":
        terms = [node.op(part, node.inputs[1]) for part in parts]
        whole = isinstance(node.outputs[0].type, TypedListType)
        return [apply("typed_list.add" if whole else "add", *terms)]
    if index is None:
        return None
    if name == "MakeList":
        return _of_items(parts, index)
    if name == "Append" and index == -1:
        return [parts[1]]
    return _of_placed(parts, index) if name == "Place" else None


def _of_items(items: Sequence[Variable], index: Any) -> Result:
    if isinstance(index, slice):
        chosen = list(items)[index]
        return [apply("typed_list.make", chosen)] if chosen else None
    return [items[index]] if -len(items) <= index < len(items) else None


def _of_placed(parts: Sequence[Variable], index: Any) -> Result:
    """An item of a list of zeros with one item that is not."""
    x, where, g = parts
    name, items = _made_by(x)
    place = _index(where)
    count = len(items)
    if name != "MakeList" or isinstance(g.type, TypedListType) or not isinstance(place, int):
        return None
    if not isinstance(index, int) or not all(-count <= i < count for i in (index, place)):
        return None
    if (index - place) % count == 0:
        return [g]
    return [apply("zeros_like", items[index], dtype=g.type.dtype)]


@rule("useless", ("Length",))
def local_typed_list_length(node: Apply) -> Result:
    """length(make_list([x, y])) -> 2."""
    if not isinstance(node.inputs[0].type, TypedListType):
        return None
    name, parts = _made_by(node.inputs[0])
    if name == "MakeList":
        return [constant(np.int64(len(parts)))]
    if name == "Append":
        return [apply("add", node.op(parts[0]), constant(np.int64(1)))]
    return [node.op(parts[0])] if name in ("Reverse", "Add", "Place", "Zeros") else None
