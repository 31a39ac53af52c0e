"""Maxima over windows come before what is increasing, forwards and in gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.graph.evaluate import reference_function
from theano.graph.traverse import toposort
from theano.rewrite import pipeline
from theano.rewrite.engine import Report, key_of
from theano.tensor.signal.pool import pool_2d

Function = Callable[[Any], Any]

INCREASING: dict[str, Function] = {
    "tanh": T.tanh,
    "sigmoid": T.nnet.sigmoid,
    "softplus": T.nnet.softplus,
    "relu": T.nnet.relu,
    "leaky relu": lambda v: T.nnet.relu(v, 0.1),
    "maximum": lambda v: T.maximum(v, 0),
    "switch": lambda v: T.switch(v > 0, v, 0),
    "mask": lambda v: v * (v > 0),
    "abs": lambda v: (v + abs(v)) / 2,
    "clip": lambda v: T.clip(v, 0, 6),
    "minus": lambda v: (v - 0.5) * 2,
    "two": lambda v: T.tanh(3 * T.nnet.relu(v)),
}
WINDOWS = {"2x2": ((2, 2), None, (0, 0)), "3x3 by 2": ((3, 3), (2, 2), (1, 0))}


def layer(f: Function, window: Any = WINDOWS["2x2"]) -> tuple[list[Any], list[Any]]:
    """Inputs (images, bias, gradient), and the pooled activation with its gradients."""
    x, b, g = T.dtensor4("x"), T.dvector("b"), T.dtensor4("g")
    size, stride, pad = window
    z = pool_2d(
        f(x + b.dimshuffle("x", 0, "x", "x")), size, stride=stride, pad=pad, ignore_border=True
    )
    return [x, b, g], [z, *T.grad(None, [x, b], known_grads={z: g})]


def data(window: Any = WINDOWS["2x2"], ties: bool = False) -> list[Any]:
    rng = np.random.default_rng(3)
    x, b = rng.standard_normal((2, 3, 9, 8)), np.array([0.5, -1.0, 0.0])
    if ties:
        x = np.floor(2 * x)
    z = pool_2d(T.dtensor4(), window[0], stride=window[1], pad=window[2], ignore_border=True)
    shape = theano.function([z.owner.inputs[0]], z)(x).shape
    return [x, b, rng.standard_normal(shape)]


def optimized(inputs: Any, outputs: Any, report: Report | None = None) -> Any:
    return pipeline.optimize(inputs, outputs, report=report)


def pooled(outputs: Any) -> list[Any]:
    """What maxima are taken of."""
    nodes = toposort(outputs)
    return [n.inputs[0] for n in nodes if key_of(n.op) in ("Pool", "MaxPoolGrad")]


@pytest.mark.parametrize("window", WINDOWS.values(), ids=WINDOWS)
@pytest.mark.parametrize("f", INCREASING.values(), ids=INCREASING)
@pytest.mark.parametrize("ties", [False, True])
def test_maxima_are_those_of_the_images(f: Function, window: Any, ties: bool) -> None:
    inputs, before = layer(f, window)
    after = optimized(inputs, before)
    assert pooled(after) == [inputs[0]] * 2
    values = data(window, ties)
    with np.errstate(all="ignore"):
        pairs = zip(
            reference_function(inputs, before)(*values),
            reference_function(inputs, after)(*values),
            strict=True,
        )
        for old, new in pairs:
            np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-12)


def test_forward_alone() -> None:
    inputs, (z, *_) = layer(T.tanh)
    report = Report()
    (after,) = optimized(inputs[:2], [z], report)
    assert pooled([after]) == [inputs[0]]
    assert report.fired["local_max_pool_of_increasing"] == 2


KEPT: dict[str, Callable[[Any], list[Any]]] = {
    "decreasing": lambda x: [pool_2d(-x, (2, 2), ignore_border=True)],
    "times a negative number": lambda x: [pool_2d(x * -2.0, (2, 2), ignore_border=True)],
    "times an unknown number": lambda x: [pool_2d(x * x[0, 0, 0, 0], (2, 2), ignore_border=True)],
    "not monotone": lambda x: [pool_2d(x + 2 * abs(x), (2, 2), ignore_border=True)],
    "numbers that differ in a window": lambda x: [
        pool_2d(x + x[:, :, ::-1], (2, 2), ignore_border=True)
    ],
    "as many windows": lambda x: [pool_2d(T.tanh(x), (3, 3), stride=(1, 1), ignore_border=True)],
    "means": lambda x: [
        pool_2d(T.tanh(x), (2, 2), ignore_border=True, mode="average_exc_pad")
    ],
    "needed besides": lambda x: [
        pool_2d(y := T.tanh(x), (2, 2), ignore_border=True), T.sum(y, axis=3)
    ],
    "logarithms of negative numbers": lambda x: [pool_2d(T.log(x), (2, 2), ignore_border=True)],
}  # fmt: skip


@pytest.mark.parametrize("make", KEPT.values(), ids=KEPT)
def test_what_stays(make: Any) -> None:
    x = T.dtensor4("x")
    before = make(x)
    after = optimized([x], before)
    assert pooled(after) != [x]
    (value, *_) = data()
    pairs = zip(
        theano.function([x], before, mode="FAST_COMPILE")(value),
        theano.function([x], after, mode="FAST_COMPILE")(value),
        strict=True,
    )
    for old, new in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-12)


def test_the_gradient_of_a_constant_part_goes_to_all_its_cells() -> None:
    # Not multiplied by the derivative of f: which cells tie can be seen.
    x, g = T.dtensor4("x"), T.dtensor4("g")
    y = T.maximum(x, 0)
    z = pool_2d(y, (2, 2), ignore_border=True)
    gy = T.grad(None, y, known_grads={z: g})
    values = [np.full((1, 1, 2, 2), -1.0), np.ones((1, 1, 1, 1))]
    assert (theano.function([x, g], gy)(*values) == 1).all()


def test_gradients_that_are_wanted_themselves() -> None:
    inputs, (z, *_) = layer(T.tanh)
    y = z.owner.inputs[0]
    both = [z, *T.grad(None, [y, inputs[0]], known_grads={z: inputs[2]})]
    values = data()
    pairs = zip(
        theano.function(inputs, both, on_unused_input="ignore")(*values),
        theano.function(inputs, both, on_unused_input="ignore", mode="FAST_COMPILE")(*values),
        strict=True,
    )
    for new, old in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-12)


def test_what_saturates_ties_no_more() -> None:
    x, g = T.dtensor4("x"), T.dtensor4("g")
    z = pool_2d(x + 1e20, (1, 2), ignore_border=True)  # 1 + 1e20 == 2 + 1e20
    gx = theano.function([x, g], T.grad(None, x, known_grads={z: g}))
    assert gx([[[[1.0, 2.0]]]], [[[[1.0]]]]).tolist() == [[[[0.0, 1.0]]]]


def test_second_derivatives() -> None:
    inputs, (z, gx, _) = layer(T.tanh)
    x, b, g = inputs
    twice = T.grad(T.sum(T.sqr(gx)), [b, g])
    values = data()
    pairs = zip(
        theano.function(inputs, twice)(*values),
        theano.function(inputs, twice, mode="FAST_COMPILE")(*values),
        strict=True,
    )
    for new, old in pairs:
        np.testing.assert_allclose(new, old, rtol=1e-10, atol=1e-12)
    assert z.ndim == 4
    assert x.ndim == 4
