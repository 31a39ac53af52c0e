"""Helpers around arrays and shapes, under their old address."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from theano.graph import traverse
from theano.graph.fgraph import FunctionGraph
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.extents import Shape, Shape_i

__all__ = ["hash_from_ndarray", "shape_of_variables"]

Extents = tuple[int, ...]


def hash_from_ndarray(data: Any) -> str:
    """A hexadecimal hash of an array: of its elements, shape, strides and dtype.

    Arrays that differ in any of these have different hashes, but for accidents that do not happen.
    Raises TypeError for arrays of objects.

    >>> import numpy as np
    >>> hash_from_ndarray(np.zeros(3)) == hash_from_ndarray(np.zeros(3))
    True
    >>> hash_from_ndarray(np.zeros(3)) == hash_from_ndarray(np.zeros((3, 1)))
    False
    """
    data = np.asarray(data)
    if data.dtype.hasobject:
        raise TypeError(f"hash_from_ndarray takes arrays of numbers, got the dtype {data.dtype}")
    kind = f"{data.dtype.str} {data.shape} {data.strides} "
    return hashlib.sha256(kind.encode() + np.ascontiguousarray(data).tobytes()).hexdigest()


def shape_of_variables(
    fgraph: FunctionGraph, input_shapes: Mapping[Variable, Sequence[int]]
) -> dict[Variable, Extents]:
    """The shapes of all arrays in a graph, given those of its inputs, without computing the arrays.

    Parameters
    ----------
    fgraph : the graph; nothing is changed in it.
    input_shapes : the shape of each input that is an array, ints.

    Raises ValueError where an input's shape is missing or does not fit its type, and where only
    the value of an input tells a shape.

    >>> import theano
    >>> import theano.tensor as T
    >>> x = T.matrix("x")
    >>> y = x[512:]
    >>> y.name = "y"
    >>> graph = theano.FunctionGraph([x], [y], clone=False)
    >>> shape_of_variables(graph, {x: (1024, 1024)})[y]
    (512, 1024)
    """
    shapes: dict[Variable, Extents] = {}
    for variable in fgraph.inputs:
        if isinstance(variable.type, TensorType):
            if variable not in input_shapes:
                raise ValueError(f"shape_of_variables: the shape of input {variable} is missing")
            shapes[variable] = _fitting(variable, input_shapes[variable])
    for node in fgraph.toposort():
        for variable in node.inputs:
            if variable not in shapes and isinstance(variable.type, TensorType):
                shapes[variable] = _of_value(variable)
        for output, shape in zip(node.outputs, _inferred(node, shapes), strict=True):
            if isinstance(output.type, TensorType):
                shapes[output] = _fitting(output, shape)
    return shapes


def _fitting(variable: Variable, shape: Sequence[int]) -> Extents:
    static = variable.type.shape
    if len(shape) != len(static) or any(
        known is not None and known != size for known, size in zip(static, shape, strict=True)
    ):
        raise ValueError(f"{variable} of {variable.type} cannot have the shape {tuple(shape)}")
    return tuple(map(int, shape))


def _of_value(variable: Variable) -> Extents:
    """The shape of a constant or shared variable."""
    container = getattr(variable, "container", None)
    if isinstance(variable, Constant):
        return tuple(variable.data.shape)
    if container is None:
        raise ValueError(f"shape_of_variables: {variable} is no input of the graph")
    return tuple(container.storage[0].shape)


def _inferred(node: Apply, shapes: Mapping[Variable, Extents]) -> list[Any]:
    try:
        found = node.op.infer_shape(node, [shapes.get(v) for v in node.inputs])
    except (NotImplementedError, AttributeError):
        found = [None] * len(node.outputs)
    result: list[Any] = []
    for output, shape in zip(node.outputs, found, strict=True):
        if shape is None and isinstance(output.type, TensorType):
            shape = output.type.shape
            if None in shape:
                raise ValueError(f"shape_of_variables: only the values tell the shape of {node}")
        result.append(shape and _numbers(node, shape, shapes))
    return result


def _numbers(node: Apply, shape: Any, shapes: Mapping[Variable, Extents]) -> Extents:
    """Extents as ints; symbolic ones are computed, with the shapes that are known."""
    symbolic = [entry for entry in shape if isinstance(entry, Variable)]
    known = {
        variable: _known_extents(variable.owner, shapes)
        for variable in traverse.ancestors(symbolic)
        if variable.owner is not None
        and isinstance(variable.owner.op, (Shape, Shape_i))
        and variable.owner.inputs[0] in shapes
    }
    for step in traverse.toposort(symbolic, known):
        values = [known[v] if v in known else _value(v, node) for v in step.inputs]
        storage: list[list[Any]] = [[None] for _ in step.outputs]
        step.op.perform(step, values, storage)
        known.update(zip(step.outputs, (cell[0] for cell in storage), strict=True))
    return tuple(
        int(entry if not isinstance(entry, Variable) else
            known[entry] if entry in known else _value(entry, node))
        for entry in shape
    )  # fmt: skip


def _known_extents(node: Any, shapes: Mapping[Variable, Extents]) -> Any:
    shape = np.asarray(shapes[node.inputs[0]], dtype="int64")
    return np.asarray(shape[node.op.i]) if isinstance(node.op, Shape_i) else shape


def _value(variable: Variable, node: Apply) -> Any:
    if isinstance(variable, Constant):
        return variable.data
    container = getattr(variable, "container", None)
    if container is None:
        raise ValueError(
            f"shape_of_variables: the shape of the result of {node} depends on the value of "
            f"{variable}"
        )
    return container.storage[0]
