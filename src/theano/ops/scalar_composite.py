"""Composite: a graph of scalar ops as one scalar op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from theano.graph.nodes import Constant, Variable
from theano.graph.traverse import toposort
from theano.ops.scalar import kernel_dtype
from theano.ops.scalar_gradients import scalar_terms, tensorize
from theano.ops.scalar_op import ScalarOp
from theano.ops.scalar_types import Scalar


class Composite(ScalarOp):
    """The op that computes ``outputs`` from ``inputs``, scalar variables of a graph of scalar ops.

    Raises ValueError where the outputs need a variable that is not among the inputs, TypeError
    where a node of the graph is no scalar op.

    >>> from theano.scalar import Composite, float64
    >>> x, y = float64("x"), float64("y")
    >>> float(Composite([x, y], [x * y + 1]).impl(2.0, 3.0))
    7.0
    """

    __props__: ClassVar[tuple[str, ...]] = ("signature",)

    def __init__(
        self, inputs: Sequence[Any], outputs: Sequence[Any], name: str | None = None
    ) -> None:
        self.inputs, self.outputs = list(inputs), list(outputs)
        self.nodes = toposort(self.outputs, blockers=self.inputs)
        self.nin, self.nout = len(self.inputs), len(self.outputs)
        self.signature = self._signed()
        self.name = name or f"Composite{{{', '.join(map(self._text, self.outputs))}}}"

    def _signed(self) -> tuple[Any, ...]:
        """What tells this graph from others: types, ops and how they are joined."""
        number: dict[Any, Any] = {x: i for i, x in enumerate(self.inputs)}

        def of(x: Variable) -> Any:
            if x not in number:
                if not isinstance(x, Constant):
                    raise ValueError(f"Composite needs {x}, which is not among its inputs")
                number[x] = x.signature()
            return number[x]

        lines: list[Any] = [tuple(x.type for x in self.inputs)]
        for node in self.nodes:
            if not isinstance(node.op, ScalarOp):
                raise TypeError(f"Composite is made of scalar ops, and {node.op} is not one")
            lines.append((node.op, tuple(of(x) for x in node.inputs)))
            for output in node.outputs:
                number[output] = len(number)
        return (*lines, tuple(of(x) for x in self.outputs))

    def _text(self, output: Any) -> str:
        number = {x: f"i{i}" for i, x in enumerate(self.inputs)}
        for node in self.nodes:
            args = ", ".join(number.get(x, str(x)) for x in node.inputs)
            for result in node.outputs:
                text = f"{node.op}({args})"
                number[result] = text if len(text) < 200 else f"{node.op}(...)"
        return number.get(output, str(output))

    def output_types(self, types: Sequence[Scalar]) -> Sequence[Scalar]:
        """The types that the outputs have on inputs of these types."""
        if [x.type for x in self.inputs] == list(types):
            return [x.type for x in self.outputs]
        made = self._replay([kind() for kind in types], lambda node, xs: node.op.make_node(*xs))
        return [x.type for x in made]

    def impl(self, *inputs: Any) -> Any:
        """The outputs on numbers; a list if there are several."""
        results = self._values(inputs)
        return results[0] if self.nout == 1 else results

    def _values(self, inputs: Sequence[Any]) -> list[Any]:
        known: dict[Any, Any] = dict(zip(self.inputs, inputs, strict=True))
        for node in self.nodes:
            values = [np.asarray(_value(x, known), dtype=x.type.dtype)[()] for x in node.inputs]
            result = node.op.impl(*values)
            many = result if len(node.outputs) > 1 else [result]
            known.update(zip(node.outputs, many, strict=True))
        return [_value(x, known) for x in self.outputs]

    def body(self, k: Any, *vals: Any) -> Any:
        """The ops' scalar code, one after the other."""
        known: dict[Any, Any] = dict(zip(self.inputs, vals, strict=True))
        for node in self.nodes:
            values = [
                k.const(x.data.item(), kernel_dtype(x.type.dtype))
                if isinstance(x, Constant) and x not in known
                else k.cast(known[x], kernel_dtype(x.type.dtype))
                for x in node.inputs
            ]
            output = node.outputs[0].type.dtype
            given = [x.type.dtype for x in node.inputs]
            row = node.op.as_row().for_types(given, output)
            known[node.outputs[0]] = row.emit(k, values, given, output)
        found = [known[x] if x in known else x.data.item() for x in self.outputs]
        return found[0] if self.nout == 1 else found

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """The chain rule through the graph."""
        built: dict[Any, Any] = dict(zip(self.inputs, inputs, strict=True))
        self._replay(inputs, lambda node, xs: node.op.make_node(*xs), built)
        grads: dict[Any, Any] = {}
        for output, g in zip(self.outputs, output_grads, strict=True):
            _add(grads, built.get(output, output), g)
        for node in reversed(self.nodes):
            made = [built[x] for x in node.outputs]
            seeds = [grads.get(x) for x in made]
            if all(g is None for g in seeds):
                continue
            full = scalar_terms(seeds, made)
            terms = node.op.L_op([built.get(x, x) for x in node.inputs], made, full)
            for x, term in zip(node.inputs, terms, strict=True):
                _add(grads, built.get(x, x), term)
        return scalar_terms([grads.get(x) for x in inputs], inputs)

    def _replay(
        self, inputs: Sequence[Any], build: Callable[..., Any], built: dict[Any, Any] | None = None
    ) -> list[Any]:
        known = built if built is not None else dict(zip(self.inputs, inputs, strict=True))
        for node in self.nodes:
            made = build(node, [known.get(x, x) for x in node.inputs])
            known.update(zip(node.outputs, made.outputs, strict=True))
        return [known.get(x, x) for x in self.outputs]

    def on_tensors(self, inputs: Sequence[Any]) -> list[Any]:
        """One elementwise op, or the ops of the graph if there are several outputs."""
        if self.nout == 1:
            return super().on_tensors(inputs)
        return tensorize(self.outputs, dict(zip(self.inputs, inputs, strict=True)), self)


def _value(x: Any, known: dict[Any, Any]) -> Any:
    return known.get(x, getattr(x, "data", None))


def _add(grads: dict[Any, Any], x: Any, term: Any) -> None:
    if term is not None:
        grads[x] = grads[x] + term if x in grads else term
