"""Random loops: natively, natively without rewriting, and op by op; and their gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T

MODES = [theano.Mode("cvm", "fast_run"), theano.Mode("cvm", None), theano.Mode("py", "fast_run")]
SAME_EVERY_TIME = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
N = 3  # the extent of all vectors
UNARY: tuple[Callable[[Any], Any], ...] = (
    T.tanh, T.sin, lambda x: x * 0.5, lambda x: x[::-1], lambda x: T.exp(-(x**2)),
    lambda x: x - x.mean(), lambda x: T.set_subtensor(x[:1], 0.25), lambda x: x.sum() + 0 * x,
    T.sort, lambda x: T.concatenate([x[1:], x[:1]]), T.nnet.sigmoid, lambda x: x,
)  # fmt: skip
BINARY: tuple[Callable[[Any, Any], Any], ...] = (
    lambda x, y: x + y, lambda x, y: x * y, T.maximum, lambda x, y: x - 0.3 * y,
    lambda x, y: T.dot(T.outer(x, y), x) * 0.1, lambda x, y: T.switch(x > y, x, y * 0.5),
    lambda x, y: T.dot(x, T.diag(y)),
    lambda x, y: theano.ifelse.ifelse(x.sum() > y.sum(), x * 1.5, y[::-1]),
)  # fmt: skip


def nested(x: Any, y: Any) -> Any:
    """A loop inside the step."""
    out, _ = theano.scan(lambda v, s: T.tanh(s * 0.7 + v * y), x, T.zeros_like(y))
    return out[-1]


def expression(draw: Any, leaves: Sequence[Any], depth: int) -> Any:
    kind = draw(st.integers(0, 9)) if depth else 0
    if kind < 2:
        return leaves[draw(st.integers(0, len(leaves) - 1))]
    if kind < 5:
        return UNARY[draw(st.integers(0, len(UNARY) - 1))](expression(draw, leaves, depth - 1))
    sides = [expression(draw, leaves, depth - 1) for _ in range(2)]
    if kind == 9:
        return nested(*sides)
    return BINARY[draw(st.integers(0, len(BINARY) - 1))](*sides)


@st.composite
def loops(draw: Any, depth: int | None = None) -> Any:
    """(inputs, outputs of a loop, values): any number of sequences, states, maps, carries."""
    sequences, states = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    many = 3 if depth is None else depth
    maps, carries = draw(st.integers(0, 2)), draw(st.integers(0, 1))
    if not states + maps:
        states = 1
    steps = draw(st.integers(0, 4))
    xs = [T.dmatrix(f"x{i}") for i in range(sequences)]
    fixed = T.dvector("w")
    taps = [draw(st.sampled_from([(-1,), (-2, -1), (-2,), (-3, -1)])) for _ in range(states)]
    x_taps = [draw(st.sampled_from([[0], [-1, 0], [0, 1], [1]])) for _ in range(sequences)]
    starts: list[Any] = [
        T.dvector(f"h{i}") if t == (-1,) else T.dmatrix(f"h{i}") for i, t in enumerate(taps)
    ]
    counter = theano.shared(np.full(N, 0.5)) if carries else None
    stops = draw(st.booleans())

    def step(*args: Any) -> Any:
        leaves = [*args, *([counter] if carries else [])]
        outs = [expression(draw, leaves, many) for _ in range(states + maps)]
        given: list[Any] = [outs]
        if carries:
            given.append({counter: expression(draw, leaves, 2) * 0.9})
        if stops:
            given.append(theano.scan_module.until(outs[0].sum() > 1.2))
        return tuple(given) if len(given) > 1 else outs

    outputs, updates = theano.scan(
        step,
        [{"input": x, "taps": t} for x, t in zip(xs, x_taps, strict=True)],
        [*({"initial": h, "taps": list(t)} for h, t in zip(starts, taps, strict=True)),
         *[None] * maps],
        fixed, n_steps=steps, return_list=True,
        go_backwards=draw(st.booleans()),
    )  # fmt: skip
    wanted = [outputs[i] for i in range(len(outputs))]
    if draw(st.booleans()):
        wanted = [o[-1:] if draw(st.booleans()) else o.sum(0) for o in wanted]
    rng = np.random.RandomState(draw(st.integers(0, 1000)))
    values = [rng.rand(steps + 2, N) - 0.5 for _ in xs]
    values += [rng.rand(*(N,) if t == (-1,) else (-min(t), N)) - 0.5 for t in taps]
    values += [rng.rand(N) - 0.5]
    return [*xs, *starts, fixed], wanted, [updates[v] for v in updates], values


@settings(SAME_EVERY_TIME, max_examples=8)
@given(loops())
def test_all_ways_agree(case: Any) -> None:
    inputs, outputs, carried, values = case
    results = []
    for mode in MODES:
        f = theano.function(inputs, [*outputs, *carried], mode=mode, on_unused_input="ignore")
        results.append(f(*values))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-12)


@settings(SAME_EVERY_TIME, max_examples=3)
@given(loops(depth=2), st.booleans())
def test_gradients_agree(case: Any, second: bool) -> None:
    inputs, outputs, _, values = case
    cost = sum((o**2).sum() for o in outputs)
    grads = theano.grad(cost, inputs, disconnected_inputs="ignore")
    if second:
        cost = sum((g**2).sum() for g in grads)
        grads = theano.grad(cost, inputs, disconnected_inputs="ignore")
    results = []
    for mode in (MODES[0], MODES[2]):
        f = theano.function(inputs, grads, mode=mode, on_unused_input="ignore")
        results.append(f(*values))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-10)
