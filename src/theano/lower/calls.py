"""Nodes that become library calls, and nodes that call back into Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Variable
from theano.lower import program as pg
from theano.lower.context import CannotLower, Context

BLAS_DTYPES = ("float32", "float64")


def matrix_view(low: Context, variable: Variable, row: bool) -> str:
    """A matrix over a vector or matrix: a vector becomes a row or a column."""
    source = low.array(variable)
    if variable.type.ndim == 2:
        return source
    axis = low.full_view(source)[0]
    axes = ((None, 1, 1), axis) if row else (axis, (None, 1, 1))
    return low.view(source, (), axes)


def dot(low: Context, node: Apply) -> None:
    """``dot(a, b)`` for ranks 1 and 2 as one gemm."""
    a, b = node.inputs
    out = node.outputs[0]
    target = low.alloc(out)
    left = matrix_view(low, a, row=True)
    right = matrix_view(low, b, row=False)
    axes = low.full_view(target)
    if a.type.ndim == 1:
        axes.insert(0, (None, 1, 1))
    if b.type.ndim == 1:
        axes.append((None, 1, 1))
    matrix = target if out.type.ndim == 2 else low.view(target, (), axes)
    low.add(pg.Call("gemm", (matrix, left, right), (1.0, 0.0)))


def gemm(low: Context, node: Apply) -> None:
    """``Gemm(C, alpha, A, B, beta)``: C is copied first unless its storage is free."""
    c, alpha, a, b, beta = node.inputs
    out = node.outputs[0]
    factors = (low.scalar(alpha), low.scalar(beta))
    left, right = low.array(a), low.array(b)
    fresh = low.literal(factors[1]) == 0
    target = low.alloc(out) if fresh else take_over(low, c, out)
    low.add(pg.Call("gemm", (target, left, right), tuple(low.arg(f) for f in factors)))


def take_over(low: Context, source: Variable, out: Variable) -> str:
    """An array for ``out`` that starts as ``source``: its own storage if free, else a copy."""
    if out in low.donations:
        return low.alloc(out)
    if low.is_free(source):
        name = low.array(source)
        low.define(out, name)
        return name
    target = low.alloc(out)
    low.copy(low.array(source), target)
    return target


CALLS: dict[str, Callable[[Context, Apply], None]] = {"Dot": dot, "Gemm": gemm}


def callable_natively(node: Apply) -> bool:
    """Whether a ``call`` node is one of CALLS on dtypes and ranks that the libraries have."""
    if type(node.op).__name__ not in CALLS:
        return False
    kinds = [v.type for v in (*node.inputs, *node.outputs)]
    return all(t.dtype == kinds[-1].dtype and t.ndim <= 2 for t in kinds) and (
        kinds[-1].dtype in BLAS_DTYPES and all(v.type.ndim for v in node.inputs[:1])
    )


def extents_that_agree(node: Apply) -> Sequence[tuple[int, int, int, int]]:
    """(input, axis, input, axis) pairs whose extents a call needs to be equal."""
    if type(node.op).__name__ == "Dot":
        return ((0, node.inputs[0].type.ndim - 1, 1, 0),)
    if type(node.op).__name__ == "Gemm":
        return ((2, 1, 3, 0), (0, 0, 2, 0), (0, 1, 3, 1))
    return ()


class Perform:
    """An op's ``perform`` as a Python step: ndarrays in, fresh or borrowed C-ordered arrays out."""

    def __init__(self, node: Apply) -> None:
        self.node = node
        destroyed = getattr(node.op, "destroy_map", None) or {}
        self.destroyed = frozenset(i for inputs in destroyed.values() for i in inputs)

    def __call__(self, *arrays: Any) -> list[Any]:
        node = self.node
        storage: list[list[Any]] = [[None] for _ in node.outputs]
        given = [np.array(x) if i in self.destroyed else x for i, x in enumerate(arrays)]
        node.op.perform(node, given, storage)
        return [_fitting(cell[0], v) for cell, v in zip(storage, node.outputs, strict=True)]


def _fitting(value: Any, output: Variable) -> Any:
    """``value`` in C order, if it has the dtype and rank that the program counts on."""
    kind = output.type
    exact = isinstance(value, (np.ndarray, np.generic))
    array = np.asarray(value, dtype=None if exact else kind.numpy_dtype, order="C")
    if array.dtype != kind.numpy_dtype or array.ndim != kind.ndim:
        raise TypeError(f"{output.owner} gave {array.dtype} of shape {array.shape}, not {kind}")
    return array


def python(low: Context, node: Apply) -> None:
    """Call ``perform`` from the program."""
    if any(not hasattr(v.type, "dtype") or not hasattr(v.type, "ndim") for v in node.inputs):
        raise CannotLower(f"{node.op} takes something that is not an array")
    ins = tuple(low.array(v) for v in node.inputs)
    index = low.python(str(node.op), Perform(node))
    outs = []
    for output in node.outputs:
        name = low.fresh("y")
        outs.append((name, output.type.dtype, output.type.ndim))
    low.add(pg.PyCall(index, ins, tuple(outs)))
    for output, (name, _, _) in zip(node.outputs, outs, strict=True):
        low.define(output, name)
