"""Elementwise ops with several outputs: notation for one elementwise op per output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply
from theano.ops.base import TensorOp
from theano.ops.basic import zeros_of
from theano.ops.elemwise import Elemwise
from theano.ops.scalar_gradients import scalar_terms
from theano.ops.scalar_op import ScalarOp
from theano.ops.scalar_rows import _defines
from theano.ops.scalar_types import Scalar


class ElemwiseMany(TensorOp):
    """``Elemwise(op)`` of a scalar op with several outputs. The parts fuse into one kernel.

    >>> import theano, theano.tensor as T
    >>> from theano.scalar import ScalarOp, transfer_type
    >>> class SumAndProduct(ScalarOp):
    ...     nin, nout = 2, 2
    ...     def impl(self, x, y):
    ...         return x + y, x * y
    >>> both = T.Elemwise(SumAndProduct(transfer_type(None, None)))
    >>> [float(part.eval()) for part in both(2.0, 3.0)]
    [5.0, 6.0]
    """

    __props__: ClassVar[tuple[str, ...]] = ("scalar_op",)
    lowering = "expand"

    def __init__(
        self, scalar_op: Any, inplace_pattern: Any = None, name: str | None = None,
        nfunc_spec: Any = None,
    ) -> None:  # fmt: skip
        self.scalar_op = scalar_op
        self.name = name
        self.parts = [Elemwise(part_of(scalar_op, i)) for i in range(scalar_op.nout)]

    def __str__(self) -> str:
        return self.name or f"Elemwise{{{self.scalar_op},no_inplace}}"

    def make_node(self, *inputs: Any) -> Apply:
        """The inputs of one rank; the scalar op says the outputs' types."""
        made = [part.make_node(*inputs) for part in self.parts]
        return Apply(self, made[0].inputs, [node.outputs[0].type() for node in made])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[Any]:
        """All outputs have one shape."""
        first = self.parts[0]
        return list(first.infer_shape(node, input_shapes)) * len(node.outputs)

    def expand(self, node: Apply) -> list[Any]:
        """The parts."""
        return [part(*node.inputs) for part in self.parts]

    def reference(self, node: Apply, *inputs: Any) -> Any:
        """The parts, one after the other."""
        made = [part.make_node(*node.inputs) for part in self.parts]
        return tuple(one.op.reference(one, *inputs) for one in made)

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The sums of the parts' gradients."""
        terms: list[list[Any]] = [[] for _ in inputs]
        for part, z, g in zip(self.parts, outputs, output_grads, strict=True):
            if isinstance(g.type, DisconnectedType):
                continue
            for found, term in zip(terms, part.L_op(inputs, [z], [g]), strict=True):
                found.append(term)
        return [_total(found, x) for found, x in zip(terms, inputs, strict=True)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Those of the parts."""
        return [part.R_op(inputs, eval_points)[0] for part in self.parts]


def _total(terms: Sequence[Any], x: Any) -> Any:
    if not terms:
        return zeros_of(x)
    return apply("add", *terms) if len(terms) > 1 else terms[0]


class Part(ScalarOp):
    """One output of a scalar op that has several."""

    __props__: ClassVar[tuple[str, ...]] = ("op", "index")

    def __init__(self, op: ScalarOp, index: int) -> None:
        self.op, self.index = op, index
        self.nin = op.nin
        self.name = f"{op}.{index}"

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The output's type."""
        return [self.op.output_types(types)[self.index]]

    def impl(self, *inputs: Any) -> Any:
        """The output on numbers."""
        return self.op.impl(*inputs)[self.index]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> Any:
        """The op's gradient, where the other outputs do not count."""
        results = list(self.op.make_node(*inputs).outputs)
        seeds: list[Any] = [None] * len(results)
        results[self.index], seeds[self.index] = outputs[0], output_grads[0]
        return self.op.L_op(inputs, results, scalar_terms(seeds, results))


class NativePart(Part):
    """One output of an op that writes its kernel code itself."""

    def body(self, k: Any, *vals: Any) -> Any:
        """The output in kernel code."""
        return self.op.body(k, *vals)[self.index]  # type: ignore[attr-defined]


def part_of(op: ScalarOp, index: int) -> Part:
    """The scalar op of one output."""
    return (NativePart if _defines(op) == "body" else Part)(op, index)
