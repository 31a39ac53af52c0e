"""Connectionist temporal classification against a sum over all paths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.nnet.ctc import ConnectionistTemporalClassification, ctc

RNG = np.random.default_rng(6)


def log_softmax(x):
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def collapsed(path):
    return [k for k, _ in itertools.groupby(path) if k != 0]


def by_paths(scores, labels):
    """Minus the logarithm of the sum of the probabilities of all paths that give the labels."""
    logp = log_softmax(scores.astype("float64"))
    want = [label for label in labels if label >= 0]
    total = -np.inf
    for path in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        if collapsed(path) == want:
            total = np.logaddexp(total, logp[np.arange(len(path)), list(path)].sum())
    return -total


def compiled(dtype="float32", mode=None):
    x = T.TensorType(dtype, (False,) * 3)("x")
    labels, lengths = T.imatrix("labels"), T.ivector("lengths")
    costs = ctc(x, labels, lengths)
    return theano.function([x, labels, lengths], [costs, T.grad(costs.sum(), x)], mode=mode)


CASES = [
    (RNG.normal(size=(5, 4, 3)), [[1, 2], [2, -1], [1, 1], [-1, -1]], [5, 4, 3, 2]),
    (RNG.normal(size=(4, 2, 4)) * 5, [[1, 2, 3], [3, 3, -1]], [4, 3]),
    (RNG.normal(size=(1, 1, 2)), [[1]], [1]),
]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("mode", [None, "FAST_COMPILE"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_costs(case, dtype, mode):
    scores, labels, lengths = CASES[case]
    x = scores.astype(dtype)
    costs, gradient = compiled(dtype, mode)(x, np.int32(labels), np.int32(lengths))
    want = [by_paths(x[:n, b], labels[b]) for b, n in enumerate(lengths)]
    np.testing.assert_allclose(costs, want, rtol=1e-4 if dtype != "float64" else 1e-10)
    assert gradient.dtype == dtype
    for b, n in enumerate(lengths):
        assert not gradient[n:, b].any()
        # Softmax does not see what is added to all classes.
        np.testing.assert_allclose(gradient[:, b].sum(-1), 0, atol=2e-3)


def test_gradient():
    scores, labels, lengths = CASES[0]
    weights = np.array([1.0, -2.0, 0.5, 3.0])

    def build(x):
        return (ctc(x, np.int32(labels), np.int32(lengths)) * weights).sum()

    verify_grad(build, [scores], rng=np.random.RandomState(1))


def test_op_with_both_outputs():
    x, labels, lengths = T.ftensor3(), T.imatrix(), T.ivector()
    op = ConnectionistTemporalClassification(compute_grad=True)
    node = op.make_node(x, labels, lengths)
    alone = ConnectionistTemporalClassification(compute_grad=False)(x, labels, lengths)
    auto = T.grad(alone.sum(), x)
    f = theano.function([x, labels, lengths], [*node.outputs, alone, auto])
    costs, gradients, same, other = f(
        CASES[0][0].astype("float32"), np.int32(CASES[0][1]), np.int32(CASES[0][2])
    )
    np.testing.assert_array_equal(costs, same)
    np.testing.assert_allclose(gradients, other, rtol=1e-5, atol=1e-7)
    assert ConnectionistTemporalClassification() == op


def test_sequences_too_short_for_their_labels():
    f = compiled()
    costs, gradient = f(
        np.zeros((2, 3, 3), "float32"), np.int32([[1, 1], [1, 2], [-1, -1]]), np.int32([2, 2, 0])
    )
    assert costs[0] == np.inf  # a blank must be between
    np.testing.assert_allclose(costs[1:], [np.log(9), 0], rtol=1e-6)
    assert not gradient[:, 0].any()
    assert np.isfinite(gradient).all()


def test_no_overflow_and_no_underflow():
    f = compiled()
    x = np.zeros((400, 1, 5), "float32")
    x[:, 0, 4] = 1000
    costs, gradient = f(x, np.int32([[1, 2, 3]]), np.int32([400]))
    # Each path leaves out the probable class 400 times; there are C(403, 6) such paths.
    np.testing.assert_allclose(400_000 - costs, math.log(math.comb(403, 6)), atol=0.1)
    assert np.isfinite(gradient).all()


def test_nan_is_seen():
    x = np.zeros((4, 2, 3), "float32")
    x[1, 0, 1] = np.nan
    costs, _ = compiled()(x, np.int32([[1], [1]]), np.int32([4, 4]))
    assert np.isnan(costs).tolist() == [True, False]


def test_training_finds_the_labels():
    rng = np.random.default_rng(0)
    weights = theano.shared(rng.normal(0, 0.1, (12, 4)))
    frames, labels = T.tensor3(), T.lmatrix()
    scores = T.dot(frames, weights)
    cost = ctc(scores, labels, T.full((2,), 12, "int64")).mean()
    step = theano.function(
        [frames, labels], cost, updates=[(weights, weights - 0.5 * T.grad(cost, weights))]
    )
    x = np.stack([np.eye(12), np.roll(np.eye(12), 3, axis=1)], axis=1)
    wanted = np.array([[1, 2, 3], [3, 1, 2]])
    costs = [float(step(x, wanted)) for _ in range(150)]
    assert costs[-1] < 0.2 < costs[0]
    best = (x @ weights.get_value()).argmax(-1)
    assert [collapsed(best[:, b]) for b in (0, 1)] == wanted.tolist()


def test_empty_batches_and_times():
    f = compiled()
    for shape, labels, lengths in (((3, 0, 4), (0, 2), 0), ((0, 2, 4), (2, 0), 2)):
        costs, gradient = f(
            np.zeros(shape, "float32"), np.zeros(labels, "int32"), np.zeros(lengths, "int32")
        )
        assert costs.shape == (shape[1],)
        assert gradient.shape == shape
        assert not costs.any()


@pytest.mark.parametrize(
    ("labels", "lengths"),
    [([[0]], [2]), ([[3]], [2]), ([[1]], [3]), ([[1]], [-1]), ([[1], [1]], [2]), ([[1]], [2, 2])],
)
def test_refused_when_it_runs(labels, lengths):
    with pytest.raises(ValueError, match=r"ctc|label|extents|lengths"):
        compiled()(np.zeros((2, 1, 3), "float32"), np.int32(labels), np.int32(lengths))


def test_refused_types():
    x, labels, lengths = T.ftensor3(), T.imatrix(), T.ivector()
    for given in ((T.matrix(), labels, lengths), (T.itensor3(), labels, lengths),
                  (x, T.fmatrix(), lengths), (x, labels, T.imatrix())):  # fmt: skip
        with pytest.raises(TypeError, match="ctc"):
            ctc(*given)


def test_second_derivatives_are_refused():
    x = T.dtensor3()
    first = T.grad(ctc(x, T.constant([[1]]), T.constant([2])).sum(), x)
    with pytest.raises(NotImplementedError, match="second"):
        T.grad(first.sum(), x)
