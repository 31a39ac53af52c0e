"""Nodes that become library calls, and nodes that call back into Python."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.core.aliasing import Fresh
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.lower import program as pg
from theano.lower.context import Context
from theano.lower.products import CALLS, extents_that_agree, take_over
from theano.lower.sizes import is_array
from theano.ops.base import TensorOp

__all__ = ["CALLS", "callable_natively", "extents_that_agree", "take_over"]


def callable_natively(node: Apply) -> bool:
    """Whether a ``call`` node is one of CALLS, on arrays of one dtype."""
    if type(node.op).__name__ not in CALLS:
        return False
    return all(v.type.dtype == node.outputs[0].type.dtype for v in node.inputs)


class Perform:
    """An op's ``perform`` as a Python step: values in, values out; arrays fresh or borrowed, and in
    C order."""

    def __init__(self, node: Apply) -> None:
        self.node = node
        destroyed = getattr(node.op, "destroy_map", None) or {}
        self.destroyed = frozenset(i for inputs in destroyed.values() for i in inputs)
        self.tensors = tuple(isinstance(v.type, TensorType) for v in node.outputs)
        self.perform = node.op.perform
        if getattr(node.op, "params_type", None) is not None:
            self.perform = _with_params

    def __call__(self, *arrays: Any) -> list[Any]:
        node = self.node
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        given = [_private(x) if i in self.destroyed else x for i, x in enumerate(arrays)]
        self.perform(node, given, storage)
        return [
            _fitting(cell[0], v) if tensor else cell[0]
            for cell, v, tensor in zip(storage, node.outputs, self.tensors, strict=True)
        ]


def _with_params(node: Apply, values: Any, storage: Any) -> None:
    node.op.perform(node, values, storage, node.op.get_params(node))


def _private(value: Any) -> Any:
    return np.array(value) if isinstance(value, np.ndarray) else copy.deepcopy(value)


class FreshObjects:
    """A Python step: results that are no arrays, copied where they share memory with known values
    or with each other.

    Its arguments are ``count`` known values, then the results; ``cells[i]`` is the position of the
    old value that result ``i`` replaces, which it may be.
    """

    def __init__(self, count: int, cells: Sequence[int | None]) -> None:
        self.count = count
        self.cells = tuple(cells)

    def __call__(self, *values: Any) -> list[Any]:
        known, results = values[: self.count], values[self.count :]
        take = Fresh(known).take
        return [
            value if cell is not None and value is known[cell] else take(value)
            for value, cell in zip(results, self.cells, strict=True)
        ]


def fresh(
    low: Context, known: Sequence[str], results: Sequence[str], cells: Sequence[int | None]
) -> list[str]:
    """Objects with the values of ``results`` that share no memory; see FreshObjects."""
    index = low.python("copy of objects", FreshObjects(len(known), cells))
    outs = tuple((low.fresh("y"), pg.OBJECT, 0) for _ in results)
    low.add(pg.PyCall(index, (*known, *results), outs))
    return [name for name, _, _ in outs]


def gives_fresh(variable: Variable) -> bool:
    """Whether what computes an object is known to make a new one."""
    node = variable.owner
    return (
        node is not None
        and isinstance(node.op, TensorOp)
        and not node.op.view_map
        and not getattr(variable.type, "holds_values", True)
    )


def _fitting(value: Any, output: Variable) -> Any:
    """``value`` in C order, if it has the dtype and extents that the program counts on."""
    kind = output.type
    exact = isinstance(value, (np.ndarray, np.generic))
    array = np.asarray(value, dtype=None if exact else kind.numpy_dtype, order="C")
    if array.dtype != kind.numpy_dtype or array.ndim != kind.ndim:
        raise TypeError(f"{output.owner} gave {array.dtype} of shape {array.shape}, not {kind}")
    for known, size in zip(kind.shape, array.shape, strict=True):
        if known is not None and known != size:
            raise TypeError(f"{output.owner} gave the shape {array.shape}, not {kind.shape}")
    return array if array.flags.aligned else array.copy()


def python(low: Context, node: Apply) -> None:
    """Call ``perform`` from the program."""
    ins = tuple(low.array(v) for v in node.inputs)
    index = low.python(str(node.op), Perform(node))
    outs = []
    for output in node.outputs:
        dtype, ndim = (pg.OBJECT, 0)
        if is_array(output):
            dtype, ndim = output.type.dtype, output.type.ndim
        outs.append((low.fresh("y"), dtype, ndim))
    low.add(pg.PyCall(index, ins, tuple(outs)))
    for output, (name, dtype, _) in zip(node.outputs, outs, strict=True):
        if dtype == pg.OBJECT:
            low.define_object(output, name)
        else:
            low.define(output, name)
