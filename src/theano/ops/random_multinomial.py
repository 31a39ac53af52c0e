"""Categories drawn from rows of probabilities with uniform numbers that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, zeros_of
from theano.ops.extents import disconnected

_WHY = "each row searches its running sums, and a search ends where the numbers say"


class _FromUniform(TensorOp):
    """``pvals`` (rows, categories), ``unis`` (rows * n,) and ``n``."""

    __props__: ClassVar[tuple[str, ...]] = ("odtype",)
    lowering = "python"
    why = _WHY

    def __init__(self, odtype: str) -> None:
        self.odtype = odtype

    def _inputs(self, pvals: Any, unis: Any, n: Any) -> list[Any]:
        pvals, unis, n = as_tensor_variable(pvals), as_tensor_variable(unis), as_tensor_variable(n)
        name = type(self).__name__
        if pvals.type.ndim != 2:
            raise NotImplementedError(
                f"{name}: pvals should have 2 dimensions, got {pvals.type.ndim} ({pvals})"
            )
        if unis.type.ndim != 1:
            raise NotImplementedError(
                f"{name}: unis should have 1 dimension, got {unis.type.ndim} ({unis})"
            )
        if n.type.ndim != 0 or n.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"{name}: n must be an integer, got {n} of type {n.type}")
        return [pvals, unis, n]

    def _dtype(self, pvals: Any) -> str:
        return pvals.type.dtype if self.odtype == "auto" else dtypes.dtype_name(self.odtype)

    def _check(self, pvals: Any, unis: Any, n: int) -> None:
        if n < 0 or unis.shape[0] != pvals.shape[0] * n:
            raise ValueError(
                f"{type(self).__name__}: there must be n numbers for each row of pvals: unis has "
                f"{unis.shape[0]} elements, pvals has shape {pvals.shape}, and n is {n}"
            )

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The result does not change with ``pvals`` and ``unis``, almost everywhere: zeros."""
        pvals, unis, _ = inputs
        return [zeros_of(pvals), zeros_of(unis), disconnected()]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """``n`` says how many there are."""
        return [[True], [True], [False]]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]

    def __str__(self) -> str:
        return f"{type(self).__name__}{{{self.odtype}}}"


def _categories(totals: Any, unis: Any) -> Any:
    """Per row, how many running totals do not exceed the number; at most the last category."""
    hit = (totals <= unis[:, None]).sum(axis=1)
    return np.minimum(hit, totals.shape[1] - 1)


class MultinomialFromUniform(_FromUniform):
    """How often each category is drawn, n times for each row.

    ``odtype`` is the dtype of the counts; ``"auto"``: that of ``pvals``. Number i + c rows decides
    draw c of row i: the first category whose running total exceeds it.

    >>> op = MultinomialFromUniform("int64")
    >>> op([[0.25, 0.75], [0.25, 0.75]], [0.2, 0.3], 1).eval().tolist()
    [[1, 0], [0, 1]]
    """

    def make_node(self, pvals: Any, unis: Any, n: Any = 1) -> Apply:
        inputs = self._inputs(pvals, unis, n)
        shape = inputs[0].type.shape
        return Apply(self, inputs, [TensorType(self._dtype(inputs[0]), shape=shape)()])

    def reference(self, node: Apply, pvals: Any, unis: Any, n: Any) -> Any:
        rows, draws = pvals.shape[0], int(n)
        self._check(pvals, unis, draws)
        out = np.zeros(pvals.shape, node.outputs[0].type.numpy_dtype)
        if pvals.size == 0:
            return out
        totals = np.cumsum(pvals, axis=1, dtype=pvals.dtype)
        for c in range(draws):
            hit = _categories(totals, unis[c * rows : (c + 1) * rows])
            out[np.arange(rows), hit] += 1
        return out

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[0])]


class ChoiceFromUniform(_FromUniform):
    """n different categories of each row, in the order in which they are drawn.

    ``replace`` must be False. A category that was drawn gets probability 0, and the others are
    scaled to add up to 1. Raises ValueError at run time for more draws than categories.

    >>> op = ChoiceFromUniform("int64", replace=False)
    >>> op([[0.25, 0.25, 0.5]], [0.3, 0.4], 2).eval().tolist()
    [[1, 2]]
    """

    __props__: ClassVar[tuple[str, ...]] = ("odtype", "replace")

    def __init__(self, odtype: str, replace: bool = False, *args: Any, **kwargs: Any) -> None:
        if replace:
            raise NotImplementedError("ChoiceFromUniform draws without replacement: replace=False")
        self.replace = replace
        super().__init__(odtype, *args, **kwargs)

    def make_node(self, pvals: Any, unis: Any, n: Any = 1) -> Apply:
        inputs = self._inputs(pvals, unis, n)
        dtype = "int64" if self.odtype == "auto" else self._dtype(inputs[0])
        count = sizes.known(inputs[2])
        kind = TensorType(dtype, shape=(inputs[0].type.shape[0], None if count == 1 else count))
        return Apply(self, inputs, [kind()])

    def reference(self, node: Apply, pvals: Any, unis: Any, n: Any) -> Any:
        rows, draws = pvals.shape[0], int(n)
        if draws > pvals.shape[1]:
            raise ValueError(
                f"Cannot sample without replacement n samples bigger than the size of the "
                f"distribution: {draws} > {pvals.shape[1]}"
            )
        self._check(pvals, unis, draws)
        left, lines = np.array(pvals), np.arange(rows)
        out = np.empty((rows, draws), node.outputs[0].type.numpy_dtype)
        for c in range(draws):
            totals = np.cumsum(left, axis=1, dtype=left.dtype)
            hit = _categories(totals, unis[c * rows : (c + 1) * rows])
            # Rounding must not choose what was taken away already.
            taken = left[lines, hit] == 0
            hit[taken] = np.argmax(left[taken] > 0, axis=1)
            out[:, c] = hit
            left[lines, hit] = 0
            with np.errstate(all="ignore"):
                left /= left.sum(axis=1, keepdims=True)
            left[np.isnan(left)] = 0
        return out

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [(input_shapes[0][0], sizes.simple(node.inputs[2]))]


class MultinomialWOReplacementFromUniform(ChoiceFromUniform):
    """The old name of `ChoiceFromUniform`."""


__all__ = ["ChoiceFromUniform", "MultinomialFromUniform", "MultinomialWOReplacementFromUniform"]
