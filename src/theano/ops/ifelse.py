"""Lazy conditionals: only the branch that is taken is computed.

In graphs, an ``IfElse`` takes a condition and the values of both branches. The last rewriting pass
moves what only one branch needs into a ``Branch``, which owns two graphs and runs one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from theano.core import dtypes
from theano.core.config import config
from theano.graph import traverse
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable


class IfElse(TensorOp):
    """``n_outs`` values of the first branch where the condition holds, else of the second.

    Inputs: a 0-d condition (0 is false), the values of the first branch, those of the second.
    """

    __props__: ClassVar[tuple[str, ...]] = ("n_outs",)
    lowering = "python"
    why = "both branches were computed before it: the pass that makes it lazy did not run"

    def __init__(
        self, n_outs: int, as_view: bool = False, gpu: bool = False, name: str | None = None
    ) -> None:
        self.n_outs = n_outs
        self.as_view = as_view
        self.name = name

    def make_node(self, condition: Any, *values: Any) -> Apply:
        """Check that the types of both branches agree."""
        if len(values) != 2 * self.n_outs:
            raise ValueError(f"{self} takes {2 * self.n_outs} values, not {len(values)}")
        c = as_tensor_variable(condition)
        if c.type.ndim != 0:
            raise TypeError(f"ifelse: the condition must be a scalar, got {c} of {c.type}")
        pairs = [
            common(a, b) for a, b in zip(values[: self.n_outs], values[self.n_outs :], strict=True)
        ]
        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        return Apply(self, [c, *first, *second], [_joint(a, b) for a, b in pairs])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Choose."""
        first = 1 if bool(inputs[0]) else 1 + self.n_outs
        for i, cell in enumerate(output_storage):
            cell[0] = inputs[first + i]

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """Known where both branches have the same extents."""
        shapes: list[Any] = []
        for i in range(self.n_outs):
            a, b = input_shapes[1 + i], input_shapes[1 + self.n_outs + i]
            if a is None or b is None or not isinstance(node.outputs[i].type, TensorType):
                shapes.append(None)
                continue
            same = all(x is y or (isinstance(x, int) and x == y) for x, y in zip(a, b, strict=True))
            shapes.append(tuple(a) if same else None)
        return shapes

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Each value matters for one output; the condition for all."""
        n = self.n_outs
        rows = [[i == j for j in range(n)] for i in range(n)]
        return [[True] * n, *rows, *rows]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The gradient goes to the branch that is taken; the other gets zeros."""
        c, n = inputs[0], self.n_outs
        zero = c.zeros_like().astype(config.floatX)
        results: list[Any] = [zero, *(DisconnectedType()() for _ in inputs[1:])]
        for side, order in ((1, 1), (1 + n, -1)):
            for i, g in enumerate(output_grads):
                x = inputs[side + i]
                if isinstance(g.type, (DisconnectedType, NullType)) or not _floats(x):
                    continue
                pair = (g, apply("zeros_like", x, dtype=g.type.dtype))
                results[side + i] = IfElse(1)(c, *pair[::order])
        return results

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """The direction of the branch that is taken."""
        n = self.n_outs
        results: list[Any] = []
        for i in range(n):
            given = [eval_points[1 + i], eval_points[1 + n + i]]
            if all(point is None for point in given):
                results.append(None)
                continue
            pair = [
                apply("zeros_like", x) if point is None else point
                for point, x in zip(given, (inputs[1 + i], inputs[1 + n + i]), strict=True)
            ]
            results.append(IfElse(1)(inputs[0], *pair))
        return results

    def __str__(self) -> str:
        return f"if{{{self.name}}}" if self.name else "if{}"


def _floats(x: Any) -> bool:
    return isinstance(x.type, TensorType) and x.type.dtype not in dtypes.DISCRETE


def common(a: Any, b: Any) -> tuple[Any, Any]:
    """Both values with types that may stand for each other; TypeError if there are none."""
    a = a if isinstance(a, Variable) else as_tensor_variable(a)
    b = b if isinstance(b, Variable) else as_tensor_variable(b)
    if a.type == b.type:
        return a, b
    tensors = isinstance(a.type, TensorType) and isinstance(b.type, TensorType)
    if tensors and (a.type.dtype, a.type.ndim) == (b.type.dtype, b.type.ndim):
        both = _pattern(a, b)
        return _unbroadcast(a, both), _unbroadcast(b, both)
    raise TypeError(
        f"ifelse: the branches have different types, {a.type} (of {a}) and {b.type} (of {b}): they "
        "must agree in dtype and number of dimensions. Cast one of them."
    )


def _pattern(a: Any, b: Any) -> list[bool]:
    return [p and q for p, q in zip(a.type.broadcastable, b.type.broadcastable, strict=True)]


def _unbroadcast(x: Any, pattern: Sequence[bool]) -> Any:
    axes = [d for d, (has, keep) in enumerate(zip(x.type.broadcastable, pattern, strict=True))
            if has and not keep]  # fmt: skip
    return apply("unbroadcast", x, *axes) if axes else x


def _joint(a: Any, b: Any) -> Any:
    """A variable of the type that holds for both."""
    if not isinstance(a.type, TensorType):
        return a.type.make_variable()
    shape = tuple(p if p == q else None for p, q in zip(a.type.shape, b.type.shape, strict=True))
    return TensorType(a.type.dtype, shape=shape)()


class Branch(TensorOp):
    """Runs one of two graphs. Inputs: a condition, then what the graphs use (``inner_inputs``)."""

    lowering = "branch"

    def __init__(
        self, inner_inputs: Sequence[Variable], first: Sequence[Variable],
        second: Sequence[Variable], name: str | None = None,
    ) -> None:  # fmt: skip
        self.inner_inputs = tuple(inner_inputs)
        self.first, self.second = tuple(first), tuple(second)
        self.name = name
        self._calls: list[Callable[..., Any]] | None = None

    def make_node(self, condition: Any, *inputs: Any) -> Apply:
        """See the class."""
        for inner, outer in zip(self.inner_inputs, inputs, strict=True):
            inner.type.filter_variable(outer)
        outputs = [_joint(a, b) for a, b in zip(self.first, self.second, strict=True)]
        return Apply(self, [condition, *inputs], outputs)

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Run the graph that is taken."""
        if self._calls is None:
            self._calls = [
                reference_function(self.inner_inputs, side) for side in (self.first, self.second)
            ]
        call = self._calls[0 if bool(inputs[0]) else 1]
        for cell, value in zip(output_storage, call(*inputs[1:]), strict=True):
            cell[0] = value

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """The branches may differ."""
        return [None for _ in node.outputs]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": None}

    def __str__(self) -> str:
        return f"if{{{self.name}}}" if self.name else "if{}"

    @property
    def nodes(self) -> int:
        """How many steps both graphs have."""
        return sum(len(traverse.toposort(s, self.inner_inputs)) for s in (self.first, self.second))
