"""Connectionist temporal classification: the cost of label sequences whose places are not known.

Source: Graves, Fernández, Gomez, Schmidhuber, "Connectionist temporal classification: labelling
unsegmented sequence data with recurrent neural networks", ICML 2006.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.nodes import Apply
from theano.graph.null_types import DisconnectedType
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.extents import disconnected, size_of
from theano.ops.mismatch import agree
from theano.ops.softmax import logsoftmax_op
from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.table import routine


def _operands(op: Any, scores: Any, labels: Any, lengths: Any) -> list[Any]:
    """The three inputs; TypeError for wrong ranks and dtypes, ShapeError where batches differ."""
    scores, labels, lengths = (as_tensor_variable(v) for v in (scores, labels, lengths))
    if scores.type.ndim != 3 or scores.type.dtype not in dtypes.FLOAT:
        raise TypeError(f"{op}: activations must be floats (time, batch, classes): {scores.type}")
    for name, v, rank in (("labels", labels, 2), ("input_lengths", lengths, 1)):
        if v.type.ndim != rank or v.type.dtype not in dtypes.integer_dtypes:
            raise TypeError(f"{op}: {name} must be ints of rank {rank}, got {v.type}")
    agree("one sequence of labels per sequence", scores, 1, labels, 0)
    agree("one length per sequence", scores, 1, lengths, 0)
    if scores.type.dtype == "float16":
        scores = cast(scores, "float32")
    return [scores, labels, lengths]


class CTCLoss(TensorOp):
    """Inputs (log-probabilities (time, batch, classes), labels, lengths); outputs: costs (batch,),
    and the probability of each class at each time, given the labels."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "step"

    def make_node(self, logp: Any, labels: Any, lengths: Any) -> Apply:
        inputs = _operands(self, logp, labels, lengths)
        kind = inputs[0].type
        costs = TensorType(kind.dtype, shape=kind.shape[1:2])
        return Apply(self, inputs, [costs(), kind()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape[1:2], shape]

    def reference(self, node: Apply, logp: Any, labels: Any, lengths: Any) -> Any:
        if not logp.shape[1] == len(labels) == len(lengths):
            raise ValueError(
                f"ctc: {logp.shape[1]} sequences, {len(labels)} rows of labels, {len(lengths)} "
                "lengths"
            )
        costs, post = np.empty(logp.shape[1:2], logp.dtype), np.empty_like(logp)
        if logp.shape[1] and not logp.shape[2]:
            raise ValueError("ctc: there is no class")
        try:
            routine("ctc").meaning(
                costs, post, logp, labels.astype("int64"), lengths.astype("int64")
            )
        except RoutineFailed as error:
            raise ValueError(
                f"ctc: {error} (activations of shape {logp.shape}, labels "
                f"{labels.min(initial=0)} … {labels.max(initial=0)}, input_lengths "
                f"{lengths.tolist()})"
            ) from error
        return costs, post

    def lower(self, node: Apply, low: Any) -> None:
        """One routine."""
        logp, labels, lengths = node.inputs
        batch = low.sizes.dims[logp][1]
        for other in (labels, lengths):
            low.need_equal(batch, low.sizes.dims[other][0], node)
        given = [low.array(logp), *(low.converted(v, "int64") for v in (labels, lengths))]
        low.routine("ctc", [*(low.alloc(v) for v in node.outputs), *given])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels and lengths are disconnected."""
        return [[True, True], [False, False], [False, False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """Minus the posteriors; these themselves are not differentiated."""
        if not isinstance(output_grads[1].type, DisconnectedType):
            raise NotImplementedError("second derivatives of ctc are not there")
        g = apply("dimshuffle", output_grads[0], "x", 0, "x")
        return [-(outputs[1] * g), disconnected(), disconnected()]


class ConnectionistTemporalClassification(TensorOp):
    """``ConnectionistTemporalClassification(compute_grad)(activations, labels, input_lengths)``.

    The outputs are the costs and, with ``compute_grad``, the gradient of each cost with respect to
    its activations. A call gives the costs. See `ctc`.
    """

    __props__: ClassVar[tuple[str, ...]] = ("compute_grad",)
    lowering = "expand"
    default_output = 0

    def __init__(self, compute_grad: bool = True, openmp: Any = None) -> None:
        self.compute_grad = bool(compute_grad)

    def make_node(self, activations: Any, labels: Any, input_lengths: Any) -> Apply:
        inputs = _operands("ctc", activations, labels, input_lengths)
        kind = inputs[0].type
        outputs = [TensorType(kind.dtype, shape=kind.shape[1:2])()]
        return Apply(self, inputs, [*outputs, kind()] if self.compute_grad else outputs)

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        shape = tuple(input_shapes[0])
        return [shape[1:2], shape][: len(node.outputs)]

    def expand(self, node: Apply) -> list[Any]:
        """Softmax, recursions, and a difference."""
        inputs: list[Any] = list(node.inputs)
        x, labels, lengths = inputs
        sizes_of = [size_of(x, i) for i in range(3)]
        rows = sizes.vector([sizes.mul(*sizes_of[:2]), sizes_of[2]])
        flat = logsoftmax_op(apply("reshape", x, rows, ndim=2))
        logp = apply("reshape", flat, sizes.vector(sizes_of), ndim=3)
        logp = apply("patternbroadcast", logp, x.type.broadcastable)
        costs, post = CTCLoss().make_node(logp, labels, lengths).outputs
        if not self.compute_grad:
            return [costs]
        times = apply("arange", sizes.variable(sizes_of[0])).dimshuffle(0, "x")
        counts = apply("lt", times, lengths.dimshuffle("x", 0))
        counts = apply("and_", counts, apply("lt", costs, np.inf).dimshuffle("x", 0))
        gradient = apply("switch", counts.dimshuffle(0, 1, "x"), apply("exp", logp) - post, 0)
        return [costs, cast(gradient, x.type.dtype)]

    def reference(self, node: Apply, x: Any, labels: Any, lengths: Any) -> Any:
        shifted = x - x.max(axis=2, keepdims=True, initial=-np.inf if x.size else 0)
        with np.errstate(all="ignore"):
            logp = shifted - np.log(np.exp(shifted).sum(axis=2, keepdims=True))
        costs, post = CTCLoss().reference(node, logp, labels, lengths)
        if not self.compute_grad:
            return costs
        counts = (np.arange(len(x))[:, None] < lengths) & (costs < np.inf)
        return costs, np.where(counts[:, :, None], np.exp(logp) - post, 0)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Labels and lengths are disconnected."""
        count = len(node.outputs)
        return [[True] * count, [False] * count, [False] * count]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """The second output, times the gradient of each cost."""
        if any(not isinstance(g.type, DisconnectedType) for g in output_grads[1:]):
            raise NotImplementedError("second derivatives of ctc are not there")
        if not self.compute_grad:
            whole = ConnectionistTemporalClassification(True)
            outputs = whole.make_node(*inputs).outputs
        g = apply("dimshuffle", output_grads[0], "x", 0, "x")
        return [outputs[1] * g, disconnected(), disconnected()]


def ctc(activations: Any, labels: Any, input_lengths: Any) -> Any:
    """The cost of each sequence: minus the logarithm of the probability of its labels.

    The softmax of the activations is taken here. Class 0 is the blank.

    Parameters
    ----------
    activations : floats, (time, batch, classes).
    labels : ints, (batch, most labels): 1 … classes - 1; negative ones fill up.
    input_lengths : ints, (batch,): how many times count, 0 … time.

    Returns a vector of costs. A sequence too short for its labels (repeated ones need a blank
    between) costs infinity and has gradient 0. ValueError when the function runs for labels and
    lengths out of range; TypeError for wrong ranks and dtypes.

    >>> costs = ctc(np.zeros((2, 1, 3)), [[1]], [2])
    >>> bool(np.allclose(costs.eval(), -np.log(3 / 9)))
    True
    """
    return ConnectionistTemporalClassification()(activations, labels, input_lengths)
