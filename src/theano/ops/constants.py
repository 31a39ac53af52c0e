"""What is known of a value while the graph is built: scalar constants, lengths, vector entries.

Ops say what they know of their outputs through three optional methods: ``same_value(node)`` gives a
variable whose elements are the output's (repeated or rearranged); ``entry(node, i)`` the element
``i`` of a vector output, as a 0-d variable or a number; ``length(node)`` the length of one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theano.core.errors import EmptyConstantError, NotScalarConstantError
from theano.graph.nodes import Constant, Variable
from theano.graph.registry import register
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable

_DEPTH = 10  # how many ops are looked through
_EXTENT_OPS = frozenset(("add", "mul", "maximum", "minimum", "int_div", "mod"))


def get_scalar_constant_value(
    orig_v: Any,
    elemwise: bool = True,
    only_process_constants: bool = False,
    max_recur: int = _DEPTH,
) -> Any:
    """The value that all elements of ``orig_v`` have, as a 0-d ndarray, if it is a constant.

    Looks through dimshuffle, reshape, fill, alloc, casts, shapes that the types know and, with
    ``elemwise``, arithmetic on constants. With ``only_process_constants`` through nothing.

    Raises NotScalarConstantError where there is no such value, EmptyConstantError for a constant
    without elements.

    >>> import theano.tensor as T
    >>> int(get_scalar_constant_value(T.constant(2) * 3))
    6
    """
    if orig_v is None:
        raise NotScalarConstantError("None is not a scalar")
    if not isinstance(orig_v, Variable):
        return _unique(np.asarray(orig_v))
    depth, v = max_recur, orig_v
    while not isinstance(v, Constant):
        step = None
        if v.owner is not None and not only_process_constants and depth > 0:
            step = _look_through(v, elemwise, depth)
        if step is None:
            raise NotScalarConstantError(f"{orig_v} has no constant value")
        if not isinstance(step, Variable):
            return np.asarray(step, dtype=v.type.dtype)
        v, depth = step, depth - 1
    return _unique(v.data)


def _unique(data: Any) -> Any:
    data = np.asarray(data)
    if data.size == 0:
        raise EmptyConstantError(f"a constant of shape {data.shape} has no elements")
    if data.dtype == object or (data.size > 1 and not bool((data == data.flat[0]).all())):
        raise NotScalarConstantError(f"a constant of shape {data.shape} with different elements")
    return np.array(data.flat[0], copy=True)


def _look_through(v: Any, elemwise: bool, depth: int) -> Any:
    """A variable of the same value, the value itself, or None."""
    node = v.owner
    rule = getattr(node.op, "same_value", None)
    if rule is not None:
        return rule(node)
    row = getattr(node.op, "row", None)
    if row is None:
        return None
    if row.name == "second":
        return node.inputs[1]
    if row.name.startswith("Cast") or elemwise:
        return _compute(node, row, elemwise, depth)
    return None


def _compute(node: Any, row: Any, elemwise: bool, depth: int) -> Any:
    if row.name == "switch":
        condition = get_scalar_constant_value(node.inputs[0], elemwise, max_recur=depth - 1)
        return get_scalar_constant_value(
            node.inputs[1 if condition else 2], elemwise, max_recur=depth - 1
        )
    values = [get_scalar_constant_value(x, elemwise, max_recur=depth - 1) for x in node.inputs]
    return row.evaluate(values, node.outputs[0].type.dtype)


def extract_constant(x: Any, elemwise: bool = True, only_process_constants: bool = False) -> Any:
    """``get_scalar_constant_value(x)`` or, where there is none, ``x`` itself."""
    try:
        return get_scalar_constant_value(x, elemwise, only_process_constants)
    except NotScalarConstantError:
        return x


def get_vector_length(v: Any) -> int:
    """The length of a vector, if it is known while the graph is built.

    Raises TypeError for what is not a vector, ValueError where the length is not known.

    >>> import theano.tensor as T
    >>> get_vector_length(T.tensor3().shape)
    3
    """
    v = as_tensor_variable(v)
    if v.type.ndim != 1:
        raise TypeError(f"argument must be symbolic vector, got '{v}' of type {v.type}")
    if v.type.shape[0] is not None:
        return int(v.type.shape[0])
    rule = getattr(v.owner.op, "length", None) if v.owner is not None else None
    length = None if rule is None else rule(v.owner)
    if length is None:
        raise ValueError(f"length not known: {v}")
    return int(length)


def vector_entries(v: Any, length: int | None = None) -> list[sizes.Size]:
    """The elements of an int vector: ints where known, else 0-d variables.

    ``length`` is that of ``get_vector_length`` by default, with its errors.
    """
    if length is None:
        length = get_vector_length(v)
    if isinstance(v, Constant):
        if len(v.data) != length:
            raise ValueError(
                f"expected {length} extents, got {len(v.data)}: {tuple(map(int, v.data))}"
            )
        return [int(entry) for entry in v.data]
    return [vector_entry(v, i) for i in range(length)]


def vector_entry(v: Any, i: int) -> sizes.Size:
    """Element ``i`` of a vector, found in the graph where possible."""
    for _ in range(_DEPTH):
        if isinstance(v, Constant):
            return int(v.data[i])
        rule = getattr(v.owner.op, "entry", None) if v.owner is not None else None
        found = None if rule is None else rule(v.owner, i)
        if found is None:
            break
        if not isinstance(found, tuple):
            return _constant_or(found)
        v, i = found
    return v[i]


def _constant_or(found: sizes.Size) -> sizes.Size:
    if not isinstance(found, Variable):
        return int(found)
    try:
        return int(get_scalar_constant_value(found))
    except NotScalarConstantError:
        return found


def is_extent(size: sizes.Size, depth: int = _DEPTH) -> bool:
    """Whether ``size`` cannot be negative because of how it is made."""
    value = sizes.known(size)
    if value is not None:
        return value >= 0
    owner = getattr(size, "owner", None)
    if owner is None or depth == 0:
        return False
    if type(owner.op).__name__ == "Shape_i":
        return True
    row = getattr(owner.op, "row", None)
    if row is None or not (row.name in _EXTENT_OPS or row.name.startswith("Cast")):
        return False
    return all(is_extent(x, depth - 1) for x in owner.inputs)


register("get_scalar_constant_value", get_scalar_constant_value)
register("get_vector_length", get_vector_length)
