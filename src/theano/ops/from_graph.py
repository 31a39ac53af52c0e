"""OpFromGraph: a graph as an op. It is expanded before code is made, so it costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.inner_graph import InnerGraph

Override = Any  # "default", a function, an op, a variable, None, or a list of them per input


class OpFromGraph(InnerGraph, TensorOp):
    """An op that computes ``outputs`` from ``inputs``, with gradients of your own if you want.

    Parameters
    ----------
    inputs, outputs : variables; the graph between them is the op. Shared variables and constants in
        it are found by themselves.
    inline : accepted; the op is always expanded when a function is compiled.
    lop_overrides : "default", or what replaces its reverse gradient: a function ``(inputs, outputs,
        output_grads)`` that returns one gradient per input (or a list of such, one per input, where
        "default" and None, which is a zero gradient, may stand, too), or an OpFromGraph.
    grad_overrides : the same with functions ``(inputs, output_grads)``.
    rop_overrides : the same for directional derivatives, functions ``(inputs, eval_points)``, one
        per output.
    name : shown by printing.

    Raises TypeError for things that are not variables, ValueError for overrides of a wrong number
    and for both kinds of gradient overrides at once.

    >>> import theano, theano.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> op = OpFromGraph([x, y], [x * y], grad_overrides=lambda ins, gs: [gs[0] * 10, gs[0]])
    >>> a = T.dscalar("a")
    >>> float(theano.grad(op(a, 3.0), a).eval({a: 2.0}))
    10.0
    """

    lowering = "expand"

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        inline: bool = False,
        lop_overrides: Override = "default",
        grad_overrides: Override = "default",
        rop_overrides: Override = "default",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(outputs, (list, tuple)):
            raise TypeError(f"OpFromGraph: outputs must be a list, got {type(outputs).__name__}")
        for v in (*inputs, *outputs):
            if not isinstance(v, Variable):
                raise TypeError(f"OpFromGraph: inputs and outputs must be variables, got {v!r}")
        if lop_overrides != "default" and grad_overrides != "default":
            raise ValueError("OpFromGraph: give lop_overrides or grad_overrides, not both")
        if kwargs.get("updates") or kwargs.get("givens"):
            raise TypeError("OpFromGraph takes neither updates nor givens")
        roots = traverse.roots(outputs, inputs)
        given = set(inputs)
        self.shared_inputs = [v for v in roots if isinstance(v, SharedVariable) and v not in given]
        missing = [v for v in roots if v not in given and not isinstance(v, Constant)
                   and not isinstance(v, SharedVariable)]  # fmt: skip
        if missing:
            raise ValueError(f"OpFromGraph: {missing[0]} is used but is not among the inputs")
        frozen = traverse.clone([*inputs, *self.shared_inputs], outputs)
        super().__init__(frozen[0], frozen[1])
        self.inline = inline
        self.lop_overrides, self.grad_overrides = lop_overrides, grad_overrides
        self.rop_overrides = rop_overrides
        self.name = name

    # the graph protocol -------------------------------------------------------------------------

    def make_node(self, *inputs: Any) -> Apply:
        """Convert the inputs to the types of the inner ones."""
        own = len(self.inner_inputs) - len(self.shared_inputs)
        if len(inputs) not in (own, len(self.inner_inputs)):
            raise ValueError(f"{self} takes {own} inputs, got {len(inputs)}")
        shared = self.shared_inputs if len(inputs) == own else []
        outer = [
            inner.type.filter_variable(x)
            for inner, x in zip(self.inner_inputs, (*inputs, *shared), strict=True)
        ]
        return Apply(self, outer, [v.type.make_variable(v.name) for v in self.inner_outputs])

    def substituted(self, values: Sequence[Variable], inputs: Sequence[Any]) -> list[Variable]:
        """Expressions of the inner inputs as expressions of ``inputs``."""
        memo = dict(zip(self.inner_inputs, inputs, strict=True))
        return traverse.rebuild(list(values), memo, strict=False)

    def expand(self, node: Apply) -> list[Variable]:
        """The graph in place of the op."""
        return self.substituted(self.inner_outputs, node.inputs)

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Run the inner graph op by op."""
        for cell, value in zip(output_storage, self.reference_call()(*inputs), strict=True):
            cell[0] = value

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """The inner ops' shape rules, one after the other."""
        shapes: list[Any] = []
        for output in self.expand(node):
            if not isinstance(output.type, TensorType):
                shapes.append(None)
                continue
            shapes.append(tuple(apply("shape_i", output, axis) for axis in range(output.type.ndim)))
        return shapes

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """An input reaches an output if the inner graph says so."""
        reach = [set(traverse.ancestors([v])) for v in self.inner_outputs]
        return [[inner in seen for seen in reach] for inner in self.inner_inputs]

    def __str__(self) -> str:
        name = type(self).__name__ if self.name is None else self.name
        return f"{name}{{inline={self.inline}}}"

    # derivatives --------------------------------------------------------------------------------

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The overrides, or the gradients of the inner graph."""
        if self.grad_overrides != "default":
            return self._overridden(
                self.grad_overrides, (inputs, output_grads), inputs,
                lambda: self._default(inputs, output_grads),
            )  # fmt: skip
        if self.lop_overrides != "default":
            return self._overridden(
                self.lop_overrides, (inputs, outputs, output_grads), inputs,
                lambda: self._default(inputs, output_grads),
            )  # fmt: skip
        return self._default(inputs, output_grads)

    def _default(self, inputs: Any, output_grads: Any) -> list[Any]:
        known, memo = {}, {}
        for value, gradient in zip(self.inner_outputs, output_grads, strict=True):
            if isinstance(gradient.type, DisconnectedType):
                continue
            seed = gradient.type.make_variable()
            memo[seed] = gradient
            # A copy: results may depend on each other.
            known[apply("tensor_copy", value)] = seed
        if not known:
            return [DisconnectedType()() for _ in inputs]
        found = apply(
            "grad", None, list(self.inner_inputs), known_grads=known, disconnected_inputs="ignore",
            return_disconnected="disconnected", add_names=False, null_gradients="return",
        )  # fmt: skip
        memo.update(zip(self.inner_inputs, inputs, strict=True))
        return traverse.rebuild(found, memo, strict=False)

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """The overrides, or the directional derivatives of the inner graph."""
        if self.rop_overrides != "default":
            return self._overridden(
                self.rop_overrides, (inputs, eval_points), self.inner_outputs,
                lambda: self._direction(inputs, eval_points),
            )  # fmt: skip
        return self._direction(inputs, eval_points)

    def _direction(self, inputs: Any, eval_points: Any) -> list[Any]:
        moves = {
            inner: point for inner, point in zip(self.inner_inputs, eval_points, strict=True)
            if point is not None and not isinstance(point.type, DisconnectedType)
        }  # fmt: skip
        if not moves:
            return [None] * len(self.inner_outputs)
        seeds = {inner: inner.type.make_variable() for inner in moves}
        found = apply(
            "Rop", list(self.inner_outputs), list(seeds), list(seeds.values()),
            disconnected_outputs="ignore", return_disconnected="none",
        )  # fmt: skip
        memo = dict(zip(self.inner_inputs, inputs, strict=True))
        memo.update((seed, moves[inner]) for inner, seed in seeds.items())
        return [None if v is None else traverse.rebuild([v], memo, strict=False)[0] for v in found]

    def _overridden(
        self, override: Override, args: tuple[Any, ...], like: Sequence[Any],
        default: Callable[[], list[Any]],
    ) -> list[Any]:  # fmt: skip
        own = len(like) - (len(self.shared_inputs) if like is args[0] else 0)
        if isinstance(override, OpFromGraph):
            flat = [v for group in args for v in group]
            found = override(*flat, return_list=True)
        elif callable(override):
            found = override(*args)
        elif isinstance(override, (list, tuple)):
            usual = default() if any(part == "default" for part in override
                                     if isinstance(part, str)) else []  # fmt: skip
            found = [_part(part, args, usual, i) for i, part in enumerate(override)]
        else:
            raise TypeError(
                "OpFromGraph: an override must be 'default', a function, an OpFromGraph or a list, "
                f"got {override!r}"
            )
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) not in (own, len(like)):
            raise ValueError(f"{self}: the override gave {len(found)} results instead of {own}")
        found += [DisconnectedType()() for _ in range(len(like) - len(found))]
        return [
            apply("zeros_like", x) if v is None else v for v, x in zip(found, like, strict=True)
        ]


def _part(part: Any, args: tuple[Any, ...], usual: Sequence[Any], place: int) -> Any:
    """One entry of a list of overrides."""
    if isinstance(part, str):
        if part != "default":
            raise ValueError(f"OpFromGraph: unknown override {part!r}")
        return usual[place]
    if part is None or isinstance(part, Variable):
        return part
    return part(*args)
