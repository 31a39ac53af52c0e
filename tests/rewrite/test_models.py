"""Whole models: stable at every level, lean at the full one, right always."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from builders import t, var

from theano import gradient as G
from theano.core.config import change_flags
from theano.graph.evaluate import reference_function
from theano.graph.shared import TensorSharedVariable
from theano.graph.tensor_type import TensorType
from theano.graph.traverse import toposort
from theano.rewrite import pipeline
from theano.rewrite.engine import key_of

LEVELS = [None, "merge", "fast_compile", "fast_run", "stabilize"]


def shared(value: Any, name: str) -> Any:
    kind = TensorType(value.dtype.name, shape=(None,) * value.ndim)
    return TensorSharedVariable(name, kind, value)


@pytest.mark.parametrize("level", LEVELS)
def test_stability_at_every_level(level: str | None) -> None:
    x, m, y = var("x", 1), var("m", 2), var("y", 1, "int64")
    probabilities = t.softmax(m)
    picked = t.log(probabilities)[t.arange(t.shape_i(y, 0)), y]
    loss = -t.mean(picked)
    fused = t.mean(t.categorical_crossentropy(probabilities, y))
    target = var("target", 2)
    soft = t.mean(t.categorical_crossentropy(probabilities, target))
    logits = t.log(1 + t.exp(x))
    bits = t.sum(t.binary_crossentropy(t.sigmoid(x), t.constant(np.array([1.0, 0.0]))))
    outputs = [logits, loss, fused, soft, t.log(t.sum(t.exp(m), axis=1)), t.log(1 - t.sigmoid(x)),
               G.grad(loss, m), G.grad(fused, m), G.grad(soft, m), bits]  # fmt: skip
    new = pipeline.optimize([x, m, y, target], outputs, level=level)
    scores = 1e3 * np.array([[1.0, 0.0, -1.0], [0.0, 0.5, -2.0]])
    got = reference_function([x, m, y, target], new)(
        [1000.0, -1000.0], scores, [2, 0], np.eye(3)[[2, 0]]
    )
    for value in got:
        assert np.isfinite(value).all()
    assert got[0].tolist() == [1000, 0]
    assert got[1] == got[2] == got[3] == (2000 + 500) / 2
    assert got[4].tolist() == [1000, 500]
    assert got[5].tolist() == [-1000, 0]
    expected = (np.array([[1, 0, 0], [0, 1, 0]]) - np.eye(3)[[2, 0]]) / 2
    for gradient in got[6:9]:
        assert np.allclose(gradient, expected)
    assert got[9] == 0


def test_gradient_of_binary_crossentropy_has_no_division() -> None:
    x, target = var("x", 1), var("target", 1)
    cost = t.sum(t.binary_crossentropy(t.sigmoid(x), target))
    (g,) = pipeline.optimize([x, target], [G.grad(cost, x)])
    assert "true_div" not in [key_of(node.op) for node in toposort([g])]
    got = reference_function([x, target], [g])([800.0, -800.0, 0.0], [1.0, 0.0, 1.0])[0]
    assert got.tolist() == [0, 0, -0.5]


def _classifier(hidden: bool) -> tuple[Any, Any]:
    rng = np.random.RandomState(0)

    def weights(*shape: int) -> Any:
        return (rng.randn(*shape) * 0.1).astype("float32")

    xs, ys = shared(weights(40, 12), "X"), shared(rng.randint(0, 3, 40).astype("int32"), "Y")
    index = var("index", 0, "int64")
    x, y = xs[index * 8 : (index + 1) * 8], ys[index * 8 : (index + 1) * 8]
    params = []
    if hidden:
        params += [shared(weights(12, 9), "W1"), shared(weights(9), "b1")]
        x = t.tanh(t.dot(x, params[0]) + params[1])
    out = [shared(weights(9 if hidden else 12, 3), "W"), shared(weights(3), "b")]
    params += out
    p = t.softmax(t.dot(x, out[0]) + out[1])
    cost = -t.mean(t.log(p)[t.arange(y.shape[0]), y])
    if hidden:
        cost = cost + 1e-4 * ((params[0] ** 2).sum() + (out[0] ** 2).sum())
    grads = G.grad(cost, params)
    return [index], [cost] + [q - 0.01 * g for q, g in zip(params, grads, strict=True)]


@pytest.mark.parametrize("hidden", [False, True])
def test_sgd_step_of_a_classifier(hidden: bool) -> None:
    with change_flags(floatX="float32"):
        inputs, outputs = _classifier(hidden)
        new = pipeline.optimize(inputs, outputs)
    counts = Counter(key_of(node.op) for node in toposort(new))
    assert counts["Gemm"] == (2 if hidden else 1)
    assert counts["Dot"] == (3 if hidden else 1)
    assert counts["exp"] == counts["log"] == 1  # one softmax serves loss and gradient
    assert not {"pow", "AdvancedSubtensor", "AdvancedIncSubtensor", "Softmax"} & set(counts)
    for node in toposort(new):
        if key_of(node.op) in ("mul", "add", "sub") and node.outputs[0].type.ndim == 2:
            assert not any(v.name in ("W", "W1") for v in node.inputs)
    for old, got in zip(*(reference_function(inputs, o)(1) for o in (outputs, new)), strict=True):
        assert old.dtype == got.dtype
        np.testing.assert_allclose(old, got, rtol=1e-4, atol=1e-6)


def test_hierarchical_model() -> None:
    rng = np.random.RandomState(3)
    groups, count = 7, 50
    idx = shared(np.sort(rng.randint(0, groups, count)), "idx")
    floor, y = shared((rng.rand(count) < 0.2).astype("f8"), "floor"), shared(rng.randn(count), "y")
    q = var("q", 1)
    mu, log_a, log_y = q[0], q[1], q[2]
    a, b = q[3 : 3 + groups], q[3 + groups : 3 + 2 * groups]

    def normal(x: Any, mean: Any, log_sd: Any) -> Any:
        return t.sum(-0.5 * ((x - mean) / t.exp(log_sd)) ** 2 - log_sd - 0.5 * np.log(2 * np.pi))

    logp = -0.5 * (mu / 10.0) ** 2 + normal(a, mu, log_a) + normal(b, 0.0, log_a)
    logp = logp + normal(y, a[idx] + b[idx] * floor, log_y)
    outputs = [logp, G.grad(logp, q)]
    new = pipeline.optimize([q], outputs)
    counts = Counter(key_of(node.op) for node in toposort(new))
    assert counts["exp"] == 2
    assert counts["AdvancedIncSubtensor1"] == 2
    assert counts["pow"] == counts["second"] == 0
    # the parts of the gradient are written one after another into one array
    vectors = [node for node in toposort(new) if key_of(node.op) == "add"]
    assert not any(
        key_of(v.owner.op) == "IncSubtensor" for node in vectors for v in node.inputs if v.owner
    )
    point = rng.randn(3 + 2 * groups) * 0.3
    for old, got in zip(*(reference_function([q], o)(point) for o in (outputs, new)), strict=True):
        np.testing.assert_allclose(old, got, rtol=1e-10)


def test_layer_norm_and_logsumexp_stay_one_pass() -> None:
    x, g = var("x", 2, "float32"), var("g", 1, "float32")
    mu = t.mean(x, axis=1, keepdims=True)
    variance = t.mean(t.sqr(x - mu), axis=1, keepdims=True)
    out = (x - mu) / t.sqrt(variance + np.float32(1e-5)) * g
    m = t.max(x, axis=1, keepdims=True)
    lse = t.log(t.sum(t.exp(x - m), axis=1)) + m[:, 0]
    new = pipeline.optimize([x, g], [out, lse])
    counts = Counter(key_of(node.op) for node in toposort(new))
    assert counts["Max"] == 1
    assert counts["Sum"] == 3
    assert counts["Subtensor"] == 0
    data = np.random.RandomState(0).randn(4, 5).astype("float32"), np.ones(5, "float32")
    for old, got in zip(
        *(reference_function([x, g], o)(*data) for o in ([out, lse], new)), strict=True
    ):
        np.testing.assert_allclose(old, got, rtol=1e-5)
