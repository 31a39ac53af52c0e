"""Constant folding: nodes whose inputs are all constants are computed while compiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.tensor_type import TensorConstant, TensorType

#: results larger than this many elements are not stored, unless an input is as large
LIMIT = 65536

#: ops that make much of little: their result is folded only if its size is known to be small
_GROWING = frozenset(
    {"Alloc", "AllocEmpty", "ARange", "Eye", "Tri", "Tile", "Repeat", "MakeVector"}
)


def fold(node: Apply) -> list[Variable] | None:
    """The constants that ``node``, of constant inputs, computes; None if it should stay.

    Ops say no by ``do_constant_folding``; a node that fails is left to fail at run time.
    """
    if not all(isinstance(output.type, TensorType) for output in node.outputs):
        return None
    if not node.op.do_constant_folding(node):
        return None
    if type(node.op).__name__ in _GROWING and not _known_small(node):
        return None
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    try:
        node.op.perform(node, [v.data for v in node.inputs], storage)  # type: ignore[attr-defined]
        return _constants(node, [cell[0] for cell in storage])
    except Exception:
        return None


def _known_small(node: Apply) -> bool:
    """Whether the sizes that the inputs ask for are small (a bound from above)."""
    name = type(node.op).__name__
    if name == "Alloc":
        return False  # stays symbolic: it stretches without memory
    if name == "MakeVector":
        return True
    sizes = [abs(float(np.max(v.data, initial=0))) for v in node.inputs]  # type: ignore[attr-defined]
    held = max(v.data.size for v in node.inputs)  # type: ignore[attr-defined]
    return bool(held * math.prod(max(size, 1.0) for size in sizes) <= LIMIT)


def _constants(node: Apply, values: Sequence[Any]) -> list[Variable] | None:
    largest = max((v.data.size for v in node.inputs if isinstance(v, Constant)
                   and hasattr(v.data, "size")), default=0)  # fmt: skip
    results: list[Variable] = []
    for output, value in zip(node.outputs, values, strict=True):
        kind = output.type
        array = np.array(value, dtype=kind.numpy_dtype)  # a copy: views would keep inputs alive
        if array.size > max(LIMIT, largest):
            return None
        shape = [n if known or n != 1 else None
                 for n, known in zip(array.shape, kind.broadcastable, strict=True)]  # fmt: skip
        results.append(TensorConstant(TensorType(kind.dtype, shape=shape), array))
    return results
