"""Gradients of scalar ops: graphs of scalars that become graphs of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from theano.core.dtypes import gradient_dtype
from theano.graph.nodes import Constant, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.traverse import toposort
from theano.ops.basic import as_tensor_variable
from theano.ops.elemwise import Elemwise
from theano.ops.scalar_types import (
    ScalarFromTensor,
    TensorFromScalar,
    as_scalar,
    get_scalar_type,
)


class Gradient:
    """The gradient of an op, from scalar graph to tensor graph."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def __call__(self, g: Any, z: Any, *inputs: Any) -> list[Any]:
        op = self.op
        scalars = [get_scalar_type(x.type.dtype)() for x in inputs]
        outputs = op.make_node(*scalars).outputs
        seed = get_scalar_type(g.type.dtype)()
        terms = list(op.L_op(scalars, outputs, [seed]))
        if len(terms) != len(inputs):
            raise ValueError(
                f"{type(op).__name__}.grad gave {len(terms)} gradients for {len(inputs)} inputs"
            )
        known = dict(zip([*scalars, outputs[0], seed], [*inputs, z, g], strict=True))
        for scalar, x in zip(scalars, inputs, strict=True):
            scalar.name = x.name
        return [_term(term, known, op) for term in terms]


def _term(term: Any, known: Mapping[Any, Any], op: object) -> Any:
    if term is None or isinstance(getattr(term, "type", None), DisconnectedType):
        return None
    if isinstance(getattr(term, "type", None), NullType):
        return term
    if not isinstance(term, Variable):
        term = as_scalar(term)
    return tensorize([term], known, op)[0]


def tensorize(
    outputs: Sequence[Any], known: Mapping[Any, Any], op: object = "a scalar op"
) -> list[Any]:
    """A graph of scalars with tensors in place of its leaves: each op becomes elementwise.

    Raises NotImplementedError for ops that are not elementwise.
    """
    done: dict[Any, Any] = dict(known)
    for node in toposort(outputs, blockers=known):
        inputs = [_leaf(x, done) for x in node.inputs]
        if isinstance(node.op, (TensorFromScalar, ScalarFromTensor)):
            results = inputs
        elif hasattr(node.op, "on_tensors"):
            results = node.op.on_tensors(inputs)
        elif isinstance(node.op, Elemwise):
            results = [node.op(*inputs)]
        elif type(node.op).__name__ == "DimShuffle" and not node.op.new_order:
            results = inputs
        else:
            raise NotImplementedError(
                f"the gradient of {op} uses {node.op}, which is not elementwise: use "
                "theano.scalar's ops and operators on the inputs"
            )
        done.update(zip(node.outputs, results, strict=True))
    return [_leaf(x, done) for x in outputs]


def _leaf(x: Any, done: Mapping[Any, Any]) -> Any:
    if x in done:
        return done[x]
    if isinstance(x, Constant):
        return as_tensor_variable(np.asarray(x.data))
    return as_tensor_variable(x)


def scalar_terms(terms: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """Gradient terms as scalars of the inputs' gradient dtypes; None becomes 0."""
    result = []
    for term, x in zip(terms, inputs, strict=True):
        if term is None:
            result.append(x.zeros_like(dtype=gradient_dtype(x.type.dtype)))
        elif isinstance(term.type, (NullType, DisconnectedType)):
            result.append(term)
        else:
            result.append(as_scalar(term))
    return result
