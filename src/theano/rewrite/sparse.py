"""Sparse matrices: taking apart what was just put together, updates of a few rows.

Rules find sparse ops by name, so that graphs without sparse matrices never import them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.graph.registry import apply
from theano.graph.sparse_type import SparseType
from theano.rewrite.build import owner_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None


def _same_types(results: Sequence[Variable], node: Apply) -> Result:
    pairs = zip(results, node.outputs, strict=True)
    return list(results) if all(new.type == old.type for new, old in pairs) else None


@rule("useless", ("CSMProperties",), tags=("sparse",))
def local_csm_properties_csm(node: Apply) -> Result:
    """csm_properties(CSM(data, indices, indptr, shape)) -> data, indices, indptr, shape."""
    made = owner_of(node.inputs[0], "CSM")
    return None if made is None else _same_types(made.inputs, node)


@rule("useless", ("CSMProperties",), tags=("sparse",))
def local_csm_properties_transpose(node: Apply) -> Result:
    """csm_properties(transpose(x)) -> those of x, with the extents exchanged."""
    turned = owner_of(node.inputs[0], "Transpose")
    if turned is None:
        return None
    data, indices, indptr, shape = node.op(turned.inputs[0])
    extents = [apply("getitem", shape, i) for i in (1, 0)]
    return [data, indices, indptr, apply("cast", apply("stack", extents), "int32")]


@rule("useless", ("CSM",), tags=("sparse",))
def local_csm_of_properties(node: Apply) -> Result:
    """CSM(*csm_properties(x)) -> x."""
    first = owner_of(node.inputs[0], "CSMProperties")
    if first is None or any(a is not b for a, b in zip(node.inputs, first.outputs, strict=True)):
        return None
    return _same_types(first.inputs, node)


@rule("useless", ("CSMGrad",), tags=("sparse",))
def local_csm_grad_same_pattern(node: Apply) -> Result:
    """csm_grad of a gradient on the very positions of the matrix -> the gradient's elements."""
    x, g = node.inputs[1:3], node.inputs[5:7]
    if any(a is not b for a, b in zip(x, g, strict=True)):
        return None
    return _same_types([node.inputs[4]], node)


@rule("useless", ("Shape_i",), tags=("sparse",))
def local_sparse_extent(node: Apply) -> Result:
    """An extent of a sparse matrix -> an entry of its shape, which a Program can hold."""
    (x,) = node.inputs
    if not isinstance(x.type, SparseType):
        return None
    return [apply("getitem", apply("sparse:shape", x), node.op.i)]


@rule("canonicalize", ("Neg", "MulSD"), tags=("sparse",))
def local_scaled_rows(node: Apply) -> Result:
    """-rows and rows * scalar, of a matrix made of some rows -> the matrix of the scaled rows."""
    made = owner_of(node.inputs[0], "ConstructSparseFromList")
    if made is None or any(v.type.ndim for v in node.inputs[1:]):
        return None
    x, values, places = made.inputs
    name = "neg" if len(node.inputs) == 1 else "mul"
    scaled: Any = apply(name, values, *node.inputs[1:])
    if scaled.type.dtype != x.type.dtype:
        return None
    return _same_types([made.op(x, scaled, places)], node)


@rule("canonicalize", ("AddSD",), tags=("sparse",))
def local_add_rows(node: Apply) -> Result:
    """W + a matrix of some rows -> W with these rows increased: only they are touched."""
    rows, w = node.inputs
    made = owner_of(rows, "ConstructSparseFromList")
    if made is None or w.type.dtype != node.outputs[0].type.dtype or any(w.type.broadcastable):
        return None
    x, values, places = made.inputs
    if x is not w:  # their shapes may differ, which has to be an error
        return None
    return _same_types([apply("inc_subtensor", apply("getitem", w, places), values)], node)
