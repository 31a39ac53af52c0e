"""MapRows: an inner graph applied to each row of some inputs, the results stacked.

A plain loop, enough for Jacobians; its gradient is a MapRows over the differentiated inner graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.graph import traverse
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp


class MapRows(TensorOp):
    """``out[i] = inner(rows_0[i], …, rows_{n-1}[i], fixed_0, …)`` for every i.

    Parameters: ``inner_inputs`` (``n_rows`` of them stand for rows, the others are fixed) and
    ``inner_outputs``. Ops compare by identity, since they own their inner graph.
    """

    lowering = "python"
    why = "the inner graph is called once per row"

    def __init__(
        self, inner_inputs: Sequence[Variable], inner_outputs: Sequence[Variable], n_rows: int
    ) -> None:
        self.inner_inputs = list(inner_inputs)
        self.inner_outputs = list(inner_outputs)
        self.n_rows = n_rows
        self._call: Callable[..., Any] | None = None

    def make_node(self, *inputs: Any) -> Apply:
        """Inputs: the arrays whose rows are mapped, then the fixed ones."""
        variables = []
        for index, (inner, outer) in enumerate(zip(self.inner_inputs, inputs, strict=True)):
            variable = apply("as_tensor_variable", outer)
            if variable.type.ndim != inner.type.ndim + (index < self.n_rows):
                raise TypeError(f"MapRows: input {index} has {variable.type.ndim} dimensions")
            variables.append(variable)
        outputs = [
            TensorType(v.type.dtype, shape=(None, *v.type.shape))() for v in self.inner_outputs
        ]
        return Apply(self, variables, outputs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_call": None}

    def __str__(self) -> str:
        return f"MapRows{{{self.n_rows}}}"

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """Call the inner function on each row."""
        if self._call is None:
            self._call = reference_function(self.inner_inputs, self.inner_outputs)
        rows, fixed = inputs[: self.n_rows], inputs[self.n_rows :]
        lengths = {len(array) for array in rows}
        if len(lengths) != 1:
            raise ValueError(f"MapRows: numbers of rows differ: {[a.shape for a in rows]}")
        stacked: list[list[Any]] = [[] for _ in node.outputs]
        for parts in zip(*rows, strict=True):
            for column, value in zip(stacked, self._call(*parts, *fixed), strict=True):
                column.append(value)
        for cell, column, output in zip(output_storage, stacked, node.outputs, strict=True):
            dtype = output.type.numpy_dtype
            # without rows the inner sizes are unknown: any shape of this rank without elements
            empty = np.zeros((0,) * output.type.ndim, dtype)
            cell[0] = np.asarray(np.stack(column), dtype) if column else empty

    def L_op(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable],
        output_grads: Sequence[Variable],
    ) -> list[Variable]:  # fmt: skip
        """Differentiate the inner graph, map that, add up what the fixed inputs receive."""
        seeds: list[Variable] = []
        arrays: list[Variable] = []
        known: dict[Variable, Variable] = {}
        for inner, gradient in zip(self.inner_outputs, output_grads, strict=True):
            if isinstance(gradient.type, DisconnectedType):
                continue
            seed = gradient.type.clone(shape=gradient.type.shape[1:])()
            known[inner] = apply("add", known[inner], seed) if inner in known else seed
            seeds.append(seed)
            arrays.append(gradient)
        wanted = [i for i, v in enumerate(self.inner_inputs) if v.type.dtype.startswith("float")]
        inner_grads = apply(
            "grad", None, [self.inner_inputs[i] for i in wanted], known_grads=known,
            disconnected_inputs="ignore", return_disconnected="none", add_names=False,
        )  # fmt: skip
        results: list[Variable] = [DisconnectedType()() for _ in inputs]
        live = [(i, g) for i, g in zip(wanted, inner_grads, strict=True) if g is not None]
        if not live:
            return results
        n = self.n_rows
        mapped = map_rows(
            [*self.inner_inputs[:n], *seeds], [g for _, g in live], [*inputs[:n], *arrays],
            dict(zip(self.inner_inputs[n:], inputs[n:], strict=True)),
        )  # fmt: skip
        for (i, _), value in zip(live, mapped, strict=True):
            results[i] = value if i < n else apply("sum", value, axis=0)
        return results

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """An input reaches an output if the inner graph says so."""
        reach = [set(traverse.ancestors([v])) for v in self.inner_outputs]
        return [[inner in seen for seen in reach] for inner in self.inner_inputs]


def map_rows(
    row_variables: Sequence[Variable],
    results: Sequence[Variable],
    arrays: Sequence[Variable],
    fixed: dict[Variable, Variable] | None = None,
) -> list[Variable]:
    """Evaluate ``results`` once per row of ``arrays``, each row bound to its ``row_variables``.

    What in ``results`` does not depend on a row is computed once, outside. ``fixed`` binds further
    variables of ``results`` to outer ones. Returns one variable per result, with a new first axis.
    """
    bound = dict(fixed or {})
    moving = set(row_variables)
    outside: dict[Variable, None] = {}
    for node in traverse.toposort(results, bound):
        if any(v in moving for v in node.inputs):
            moving.update(node.outputs)
            outside.update(dict.fromkeys(v for v in node.inputs if v not in moving))
    outside.update(dict.fromkeys(v for v in results if v not in moving))
    captured = [v for v in outside if not isinstance(v, Constant)]
    placeholders = {v: v.type() for v in captured}
    rows = [v.clone() for v in row_variables]
    memo = {**placeholders, **dict(zip(row_variables, rows, strict=True))}
    inner = traverse.rebuild(list(results), memo)
    op = MapRows([*rows, *placeholders.values()], inner, len(rows))
    outer = traverse.rebuild(captured, bound)
    outputs: list[Variable] = op(*arrays, *outer, return_list=True)
    return outputs


register("map_rows", map_rows)
