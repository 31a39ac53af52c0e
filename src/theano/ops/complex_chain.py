"""ComplexChain: several elementwise ops on complex numbers as one Python step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.errors import ShapeError
from theano.core.record import dataclass
from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.elemwise import run_time_shape
from theano.ops.scalar import ScalarRow, kernel_dtype


@dataclass(frozen=True)
class Link:
    """One row of a chain: on the values ``args`` (inputs first, then earlier results), which have
    ``dtypes``, to ``dtype``."""

    row: ScalarRow
    args: tuple[int, ...]
    dtypes: tuple[str, ...]
    dtype: str

    def __call__(self, values: Sequence[Any]) -> Any:
        """The row's NumPy meaning, without checks."""
        wanted = self.row.operands(self.dtypes, self.dtype)
        given = [
            values[i].astype(kernel_dtype(w), copy=False)
            for i, w in zip(self.args, wanted, strict=True)
        ]
        return np.asarray(self.row.ref(*given)).astype(self.dtype, copy=False)


class ComplexChain(TensorOp):
    """The last of ``links``, on inputs of one rank; made by a rewrite, after differentiation."""

    __props__: ClassVar[tuple[str, ...]] = ("links",)
    lowering = "python"
    why = "complex numbers have no scalar code"

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)

    def make_node(self, *inputs: Any) -> Apply:
        variables = [as_tensor_variable(x) for x in inputs]
        if len({x.type.ndim for x in variables}) != 1:
            raise TypeError(f"{self} takes inputs of one rank, got {[x.type for x in variables]}")
        shape: list[int | None] = []
        for extents in zip(*(x.type.shape for x in variables), strict=True):
            long = set(extents) - {1}
            if len(long - {None}) > 1:
                shapes = [x.type.shape for x in variables]
                raise ShapeError(f"Input dimension mis-match: {self} cannot combine {shapes}")
            shape.append(1 if not long else next(iter(long - {None}), None))
        return Apply(self, variables, [TensorType(self.links[-1].dtype, shape=shape)()])

    def reference(self, node: Apply, *inputs: Any) -> Any:
        shape = run_time_shape(node.inputs, inputs)
        values = list(inputs)
        with np.errstate(all="ignore"):
            for link in self.links:
                values.append(link(values))
        result = values[-1]
        if result.shape != shape:
            result = np.broadcast_to(result, shape)
        own = result.flags.owndata and not any(np.may_share_memory(result, x) for x in inputs)
        return result if own else np.array(result)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape: list[Any] = []
        for axis, static in enumerate(node.outputs[0].type.shape):
            if static is None:
                position = next(
                    i for i, x in enumerate(node.inputs) if not x.type.broadcastable[axis]
                )
                static = input_shapes[position][axis]
            shape.append(static)
        return [tuple(shape)]

    def __str__(self) -> str:
        return f"ComplexChain{{{','.join(link.row.name for link in self.links)}}}"
