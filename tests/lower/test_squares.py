"""Sums of squares of weights in the products that update them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lower_checks import check

import theano
import theano.tensor as T
from theano.graph.tensor_type import TensorType
from theano.lower import program as pg

X, Y = T.matrix("x"), T.matrix("y")
RATE, PENALTY = 0.1, 0.01


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


def weights(*shape: int) -> Any:
    return theano.shared(normal(*shape))


def step(w: Any, cost: Any) -> tuple[Any, Any]:
    return w, w - RATE * T.grad(cost, w)


def calls(program: pg.Program) -> list[str]:
    return [s.function for s in program.steps if isinstance(s, pg.Call)]


def sums(program: pg.Program) -> int:
    """How many kernels reduce a matrix that is a shared variable, or a view of one."""
    views = {s.out for s in program.steps if isinstance(s, pg.View)}
    stored = {p.name for p in program.params if p.kind == "shared"} | views
    launches = [s for s in program.steps if isinstance(s, pg.Launch) and not s.kernel.outer]
    return sum(s.operands[0].array in stored for s in launches)


def error(*layers: Any) -> Any:
    values = X
    for w in layers:
        values = T.tanh(T.dot(values, w))
    return values.sum()


DATA = [normal(6, 5)]


def penalized(*layers: Any) -> Any:
    return error(*layers) + PENALTY * sum((w**2).sum() for w in layers)


def test_a_penalty_costs_no_pass() -> None:
    w, v = weights(5, 7), weights(7, 4)
    cost = penalized(w, v)
    first = check([X], [cost], DATA, [step(w, cost), step(v, cost)], rewrite=True)[0]
    assert calls(first).count("gemm_squares") == 2
    assert sums(first) == 0


@pytest.mark.parametrize("shape", [(5, 7), (1, 7), (5, 1), (0, 7), (5, 0)])
def test_any_extents(shape: tuple[int, int]) -> None:
    w = weights(*shape)
    cost = penalized(w)
    check([X], [cost], [normal(6, shape[0])], [step(w, cost)], rewrite=True)


def test_extents_that_are_known() -> None:
    known = TensorType("float64", shape=(5, 7))
    w = T.TensorSharedVariable(None, known, normal(5, 7), strict=True)
    cost = penalized(w)
    first = check([X], [cost], DATA, [step(w, cost)], rewrite=True)[0]
    assert first.params[1].static == (5, 7)
    assert "gemm_squares" in calls(first)


def test_float32() -> None:
    x = T.fmatrix("x")
    w = theano.shared(normal(5, 7).astype("float32"))
    cost = T.tanh(T.dot(x, w)).sum() + np.float32(PENALTY) * T.sqr(w).sum()
    updates = [(w, w - np.float32(RATE) * T.grad(cost, w))]
    first = check([x], [cost], [DATA[0].astype("float32")], updates, rewrite=True)[0]
    assert "gemm_squares" in calls(first)


def test_what_needs_the_sum_comes_after_the_product() -> None:
    w, kept = weights(5, 7), weights(3)
    cost = penalized(w)
    updates = [step(w, cost), (kept, kept * 0.5 + (w**2).sum())]
    outputs = [cost, T.sqrt((w**2).sum()) * T.ones((4,)), kept + (w**2).sum()]
    first = check([X], outputs, DATA, updates, rewrite=True)[0]
    assert "gemm_squares" in calls(first)
    assert sums(first) == 0


def apart(outputs: list[Any], updates: list[Any], values: list[Any] = DATA) -> None:
    inputs = [X, Y][: len(values)]
    first = check(inputs, outputs, values, updates, rewrite=True)[0]
    assert calls(first)[-1] == "gemm"
    assert sums(first) == 1


def test_an_update_that_needs_the_sum_waits_for_it() -> None:
    w = weights(5, 7)
    apart([], [(w, w - RATE / (w**2).sum() * T.grad(error(w), w))])


def test_the_other_factor_needs_the_sum() -> None:
    w = weights(5, 7)
    apart([], [(w, w - RATE * T.dot(X.T, Y / (w**2).sum()))], [normal(6, 5), normal(6, 7)])


def test_what_can_fail_comes_before_the_product() -> None:
    w = weights(5, 7)
    cost = penalized(w)
    place = T.cast(T.minimum((w**2).sum(), 3), "int64")
    apart([Y[place]], [step(w, cost)], [*DATA, normal(4, 2)])


def test_another_reader_of_the_weights_needs_the_sum() -> None:
    w = weights(5, 7)
    apart([w[1] / (w**2).sum()], [step(w, penalized(w))])


def test_a_part_is_not_all() -> None:
    w = weights(5, 7)
    for part in (w[1:], w[:, 1:], w[::-1], w[:, :3]):
        apart([(part**2).sum()], [step(w, penalized(w))])


@pytest.mark.parametrize(("dtype", "between"), [
    ("float64", "int32"), ("float64", "float32"), ("float32", "int16"), ("float32", "float64"),
])  # fmt: skip
def test_squares_in_another_dtype_are_taken_in_it(dtype: str, between: str) -> None:
    x = T.matrix("x", dtype=dtype)
    w = theano.shared((normal(5, 7) * 3).astype(dtype))
    total = T.sqr(T.cast(w, between)).sum(dtype=dtype)
    slope = T.grad(T.tanh(T.dot(x, w)).sum(), w)
    updates = [(w, T.cast(0.9, dtype) * w - T.cast(RATE, dtype) * slope)]
    first = check([x], [total], [DATA[0].astype(dtype)], updates, rewrite=True)[0]
    assert calls(first)[-1] == "gemm"


def test_a_user_sees_the_same_numbers() -> None:
    rng = np.random.default_rng(4)
    start, data = rng.normal(size=(300, 70)), rng.normal(size=(20, 300))
    found = {}
    for mode in (None, "FAST_COMPILE"):
        w = theano.shared(start.copy())
        cost = penalized(w)
        f = theano.function([X], cost, updates=[step(w, cost)], mode=mode)
        found[mode] = [f(data) for _ in range(5)], w.get_value()
        if mode is None:
            assert "gemm_squares" in str(theano.explain(f))
    np.testing.assert_allclose(found[None][0], found["FAST_COMPILE"][0], rtol=1e-9)
    np.testing.assert_allclose(found[None][1], found["FAST_COMPILE"][1], rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_mixture_of_penalties_and_updates(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    layers = [weights(m, n) for m, n in itertools.pairwise(sizes)]
    norms = [(w**2).sum() for w in layers]
    cost = error(*layers)
    for norm in norms:
        cost = cost + data.draw(st.sampled_from([0.0, 0.5])) * norm
    outputs = [cost, T.sqrt(sum(norms))] if data.draw(st.booleans()) else [cost]
    if data.draw(st.booleans()):
        outputs.append(layers[0].T * norms[-1])
    updates = []
    for w in layers:
        scale = data.draw(st.sampled_from([1.0, *norms]))
        if data.draw(st.booleans()):
            updates.append((w, w - RATE * T.grad(cost, w) / scale))
    check([X], outputs, [normal(6, sizes[0])], updates, rewrite=True)
