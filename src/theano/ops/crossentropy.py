"""Cross-entropy against integer labels: fused with softmax, or of given probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core.dtypes import DISCRETE, FLOAT
from theano.graph import registry
from theano.graph.nodes import Apply, Constant
from theano.graph.null_types import DisconnectedType
from theano.graph.tensor_type import TensorType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast, dimshuffle
from theano.ops.elementwise import exp, log
from theano.ops.mismatch import agree
from theano.ops.nn_labels import (
    CheckedLabels,
    check_labels,
    checked_labels,
    matrix_of_floats,
    one_hot_rows,
    pick_column,
    vector_of_labels,
)
from theano.ops.reduce_ops import Argmax, Sum
from theano.ops.softmax import (
    np_logsoftmax,
    np_softmax,
    row_max,
    row_sum,
    softmax_grad,
    vector_of_floats,
)


def column(v: Any) -> Any:
    """A vector as a column."""
    return dimshuffle(v, (0, "x"))


def _connected(g: Any) -> bool:
    return not isinstance(g.type, DisconnectedType)


def _is_zero(x: Any) -> bool:
    """Whether ``x`` is known to be all zeros: a constant, or one stretched to a shape."""
    while x.owner is not None and x.owner.inputs:
        name = getattr(getattr(x.owner.op, "row", x.owner.op), "name", "")
        if name == "second":
            x = x.owner.inputs[1]
        elif type(x.owner.op).__name__ in ("Alloc", "DimShuffle"):
            x = x.owner.inputs[0]
        else:
            return False
    return isinstance(x, Constant) and not np.any(x.data)


class CrossentropySoftmaxArgmax1HotWithBias(TensorOp):
    """From scores ``x``, bias ``b`` and labels ``y``: the loss of each row, softmax, and argmax.

    Outputs: ``nll[i] = -log(softmax(x + b)[i, y[i]])``, ``softmax(x + b)``, and the argmax of each
    row in the dtype of ``y``. A label that is no column is a ValueError at run time.
    """

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, x: Any, b: Any, y_idx: Any) -> Apply:
        """A matrix and a vector of floats, a vector of integers."""
        x, b = matrix_of_floats(x, "x"), vector_of_floats(b, "b")
        y = vector_of_labels(y_idx)
        agree("one label per row", x, 0, y, 0)
        scores = (x + b).type
        rows = x.type.shape[0] if x.type.shape[0] is not None else y.type.shape[0]
        nll = TensorType(scores.dtype, shape=(rows,))
        return Apply(self, [x, b, y], [nll(), scores(), TensorType(y.type.dtype, shape=(rows,))()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """One number per row, the shape of ``x``, one number per row."""
        rows = input_shapes[0][0]
        return [(rows,), tuple(input_shapes[0]), (rows,)]

    def expand(self, node: Apply) -> list[Any]:
        """One pass over each row, and a gather."""
        inputs: list[Any] = node.inputs
        x, b, y = inputs
        biased = not _is_zero(b)
        scores = x + b if biased else x
        peak = row_max(scores)
        e = exp(scores - peak)
        total = row_sum(e)
        # Summed, not gathered: then the scores need not be stored, and one pass does it all.
        hit = row_sum(one_hot_rows(scores, y, scores))
        nll = dimshuffle(log(total) + peak - hit, (0,))
        return [nll, e / total, cast(Argmax((1,))(scores), y.type.dtype)]

    def reference(self, node: Apply, x: Any, b: Any, y: Any) -> tuple[Any, Any, Any]:
        """By NumPy."""
        check_labels(x, y)
        scores = x + b
        nll = -np_logsoftmax(scores)[np.arange(y.shape[0]), y.astype(np.int64)]
        best = scores.argmax(axis=1) if scores.size else np.zeros(x.shape[0], "int64")
        return nll, np_softmax(scores), best

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels influence nothing differentiable."""
        return [[True, True, True], [True, True, True], [False, False, False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """Terms of the loss and of the softmax; the argmax gives none."""
        x, b, y = inputs
        g_nll, g_sm, _ = output_grads
        terms = []
        if _connected(g_nll):
            labels = checked_labels(x, y)
            terms.append(crossentropy_softmax_1hot_with_bias_dx(g_nll, outputs[1], labels))
        if _connected(g_sm):
            terms.append(softmax_grad(g_sm, outputs[1]))
        if not terms:
            return [registry.apply("zeros_of", x), registry.apply("zeros_of", b), _nothing()]
        dx = registry.apply("add", *terms)
        return [dx, Sum((0,))(dx), _nothing()]


def _nothing() -> Any:
    return DisconnectedType()()


class CrossentropySoftmax1HotWithBiasDx(TensorOp):
    """The gradient of the fused loss in the scores: ``dy[i] * (sm[i, j] - (j == y[i]))``."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, dy: Any, sm: Any, y_idx: Any) -> Apply:
        """A scalar or vector of floats, a matrix of floats, a vector of integers."""
        dy = as_tensor_variable(dy)
        if dy.type.ndim > 1 or dy.type.dtype not in FLOAT:
            raise ValueError(f"dy must be {{0,1}}-d tensor of floats, got {dy.type}")
        sm, y = matrix_of_floats(sm, "sm"), vector_of_labels(y_idx)
        if dy.type.ndim == 0:
            dy = dimshuffle(dy, ("x",))
        return Apply(self, [dy, sm, y], [sm.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """That of ``sm``."""
        return [tuple(input_shapes[1])]

    def expand(self, node: Apply) -> list[Any]:
        """A map."""
        dy, sm, y = node.inputs
        if y.owner is not None and isinstance(y.owner.op, CheckedLabels):
            y = y.owner.inputs[1]  # one_hot_rows checks
        ones = registry.apply("fill", y, np.asarray(1, dtype=sm.type.dtype))
        return [cast(column(dy) * (sm - one_hot_rows(ones, y, sm)), sm.type.dtype)]

    def reference(self, node: Apply, dy: Any, sm: Any, y: Any) -> Any:
        """By NumPy."""
        check_labels(sm, y)
        hot = np.zeros_like(sm)
        hot[np.arange(y.shape[0]), y.astype(np.int64)] = 1
        return dy[:, None] * (sm - hot)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels are disconnected."""
        return [[True], [True], [False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """Linear in ``dy`` and in ``sm``."""
        (dy, sm, y), (g,) = inputs, output_grads
        rows = dimshuffle(row_sum(g * sm), (0,))
        g_dy = rows - pick_column(g, y)
        if dy.type.broadcastable[0] and not g_dy.type.broadcastable[0]:
            g_dy = registry.apply("sum", g_dy, axis=0, keepdims=True)
        return [g_dy, g * column(dy), _nothing()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """Linear in ``dy`` and in ``sm``."""
        dy, sm, y = inputs
        terms = []
        if eval_points[0] is not None:
            terms.append(self(eval_points[0], sm, y))
        if eval_points[1] is not None:
            terms.append(column(dy) * eval_points[1])
        return [registry.apply("add", *terms) if terms else None]


class CrossentropyCategorical1Hot(TensorOp):
    """``-log(p[i, y[i]])`` of each row of probabilities ``p``, for labels ``y``."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, coding_dist: Any, true_one_of_n: Any) -> Apply:
        """A matrix of floats, a vector of integers."""
        p, y = as_tensor_variable(coding_dist), as_tensor_variable(true_one_of_n)
        if p.type.ndim != 2 or p.type.dtype not in FLOAT:
            raise TypeError("matrix of floats required for argument: coding_dist")
        if y.type.ndim != 1 or y.type.dtype not in DISCRETE:
            raise TypeError(
                f"integer vector required for argument: true_one_of_n (got type: {y.type} instead "
                f"of: {TensorType('int64', (False,))})"
            )
        agree("one label per row", p, 0, y, 0)
        return Apply(self, [p, y], [TensorType(p.type.dtype, shape=p.type.shape[:1])()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """One number per row."""
        return [(input_shapes[0][0],)]

    def expand(self, node: Apply) -> list[Any]:
        """A gather and a logarithm."""
        return [-log(pick_column(*node.inputs))]

    def reference(self, node: Apply, p: Any, y: Any) -> Any:
        """By NumPy."""
        check_labels(p, y)
        with np.errstate(all="ignore"):
            return -np.log(p[np.arange(y.shape[0]), y.astype(np.int64)])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels are disconnected."""
        return [[True], [False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """``-g / p`` at the labels."""
        return [crossentropy_categorical_1hot_grad(output_grads[0], *inputs), _nothing()]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """``-v / p`` at the labels."""
        (p, y), v = inputs, eval_points[0]
        return [None if v is None else -(pick_column(v, y) / pick_column(p, y))]


class CrossentropyCategorical1HotGrad(TensorOp):
    """``-g[i] / p[i, y[i]]`` at the labels, 0 elsewhere."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "expand"

    def make_node(self, g_y: Any, coding_dist: Any, true_one_of_n: Any) -> Apply:
        """The type of the probabilities."""
        g = as_tensor_variable(g_y)
        p, y = matrix_of_floats(coding_dist, "coding_dist"), vector_of_labels(true_one_of_n)
        return Apply(self, [g, p, y], [p.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...]]:
        """That of the probabilities."""
        return [tuple(input_shapes[1])]

    def expand(self, node: Apply) -> list[Any]:
        """A gather, a division, and a map."""
        return [self._composed(*node.inputs)]

    def _composed(self, g: Any, p: Any, y: Any) -> Any:
        return cast(one_hot_rows(-(g / pick_column(p, y)), y, p), p.type.dtype)

    def reference(self, node: Apply, g: Any, p: Any, y: Any) -> Any:
        """By NumPy."""
        check_labels(p, y)
        out = np.zeros_like(p)
        where = np.arange(y.shape[0]), y.astype(np.int64)
        with np.errstate(all="ignore"):
            out[where] = -g / p[where]
        return out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels are disconnected."""
        return [[True], [True], [False]]

    def L_op(
        self, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> list[Any]:
        """``-1 / p`` and ``g / p²`` at the labels, times the incoming gradient there."""
        (g, p, y), (h,) = inputs, output_grads
        picked, incoming = pick_column(p, y), pick_column(h, y)
        return [
            -(incoming / picked),
            one_hot_rows(incoming * g / (picked * picked), y, p),
            _nothing(),
        ]


crossentropy_softmax_argmax_1hot_with_bias = CrossentropySoftmaxArgmax1HotWithBias()
crossentropy_softmax_1hot_with_bias_dx = CrossentropySoftmax1HotWithBiasDx()
crossentropy_categorical_1hot = CrossentropyCategorical1Hot()
crossentropy_categorical_1hot_grad = CrossentropyCategorical1HotGrad()
