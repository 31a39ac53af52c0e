"""Derivatives of loops that are hard: ragged, nested, lazy, with updates inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.ifelse import ifelse
from theano.scan_module import until


def one() -> Any:
    return T.ones((), dtype="float64")


def ragged(x: Any) -> Any:
    """Steps of different lengths inside."""
    return theano.scan(
        lambda i: theano.scan(lambda v, s: s * v + v, x[: i + 1], one())[0][-1],
        T.arange(x.shape[0]),
    )[0]


def nested_until(x: Any) -> Any:
    def step(a: Any, s: Any) -> Any:
        inner, _ = theano.scan(lambda q: (q * 1.3 + a, until(q > 2)), None, s, n_steps=20)
        return T.sin(inner[-1]) + inner.sum() * 0.01

    return theano.scan(step, x, one())[0]


def masked(x: Any) -> Any:
    """What a step selects differs in number."""
    return theano.scan(lambda r, s: T.tanh(s + (r[(r > 0.5).nonzero()] ** 2).sum()), x, one())[0]


def lazy_nested(x: Any, w: Any) -> Any:
    def step(row: Any, s: Any) -> Any:
        inner, _ = theano.scan(lambda v, q: T.tanh(q * v + w), row, s)
        return ifelse(row.sum() > 1.0, inner[-1], s * row[0])

    return theano.scan(step, x, one())[0]


def three_deep(x: Any, w: Any) -> Any:
    def level2(row: Any, q: Any) -> Any:
        return theano.scan(lambda v, q: T.tanh(q + v * w), row, q)[0][-1] * w

    def level1(m: Any, q: Any) -> Any:
        return theano.scan(level2, m, q)[0][-1] + q

    return theano.scan(level1, x, T.zeros((), dtype="float64"))[0]


def tapped(x: Any, h: Any) -> Any:
    return theano.scan(
        lambda a, b, c, s4, s2, s1: T.tanh(a * s4 + b * s1 - c * s2),
        {"input": x, "taps": [-2, 0, 1]}, {"initial": h, "taps": [-4, -2, -1]},
    )[0]  # fmt: skip


def ends_early(x: Any, h: Any) -> Any:
    out, _ = theano.scan(lambda a, s: (s + a**2, until(s + a**2 > 1.5)), x, h)
    return T.concatenate([out, out[-2:]])


def through_updates(x: Any) -> Any:
    state = theano.shared(np.float64(0.5))
    return theano.scan(lambda a, h: (h * a + state, {state: state * a}), x, one())[0]


def inner_gradient(w: Any) -> Any:
    def step(w: Any) -> Any:
        return w - 0.1 * T.grad((T.sin(w) ** 2).sum(), w)

    return theano.scan(step, None, w, n_steps=4)[0][-1]


def integers_too(x: Any) -> Any:
    return theano.scan(
        lambda i, s, k: [s * x[i] + k, k + i], T.arange(4), [one(), T.zeros((), "int64")]
    )[0][0]


def last_and_all(x: Any, h: Any) -> Any:
    (s, m), _ = theano.scan(lambda a, s: [T.tanh(s + a), s * 2], x, [h, None])
    return s[-1].sum() + m[0].sum() + (s**2).sum()


CASES: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "ragged": (ragged, [(4,)]),
    "nested until": (nested_until, [(3,)]),
    "masked": (masked, [(4, 5)]),
    "lazy, nested": (lazy_nested, [(5, 2), ()]),
    "three deep": (three_deep, [(2, 3, 2), ()]),
    "taps": (tapped, [(8, 2), (4, 2)]),
    "ends early": (ends_early, [(9,), ()]),
    "through updates": (through_updates, [(4,)]),
    "gradient in the step": (inner_gradient, [(3,)]),
    "integers too": (integers_too, [(4,)]),
    "last and all": (last_and_all, [(4, 2), (2,)]),
}


@pytest.mark.parametrize("name", CASES)
def test_first_second_and_directional_derivatives(name: str) -> None:
    build, shapes = CASES[name]
    rng = np.random.RandomState(2)
    point = [rng.rand(*s) * 0.7 + 0.2 for s in shapes]
    xs = [T.TensorType("float64", (False,) * len(s))() for s in shapes]
    vs = [x.type() for x in xs]
    out = build(*xs)
    slopes = theano.grad((out**2).sum(), xs)
    again = theano.grad(sum((g**2).sum() for g in slopes), xs)
    along = theano.Rop(out, xs, vs)
    f = theano.function(xs, [out, *slopes, *again])
    rop = theano.function([*xs, *vs], along, on_unused_input="ignore")
    direction = [rng.randn(*s) for s in shapes]
    h = 1e-6
    ahead, behind = (
        f(*[p + k * d for p, d in zip(point, direction, strict=True)]) for k in (h, -h)
    )
    here, n = f(*point), len(xs)
    np.testing.assert_allclose(
        rop(*point, *direction), (ahead[0] - behind[0]) / (2 * h), rtol=1e-5, atol=1e-7
    )
    for found, values in ((here[1 : 1 + n], slice(0, 1)), (here[1 + n :], slice(1, 1 + n))):
        inner = sum((g * d).sum() for g, d in zip(found, direction, strict=True))
        change = sum((a**2).sum() - (b**2).sum() for a, b in zip(ahead[values], behind[values],
                                                                 strict=True))  # fmt: skip
        np.testing.assert_allclose(inner, change / (2 * h), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("linker", ["cvm", "py"])
def test_without_rewriting(linker: str) -> None:
    x = T.dvector("x")
    for build in (nested_until, through_updates):
        f = theano.function([x], theano.grad(build(x).sum(), x), mode=theano.Mode(linker, None))
        g = theano.function([x], theano.grad(build(x).sum(), x))
        a = np.array([0.3, 0.5, 0.4, 0.2])
        np.testing.assert_allclose(f(a), g(a))


def test_shared_variables_that_the_step_uses() -> None:
    rng = np.random.RandomState(0)
    w, b, x = theano.shared(rng.rand(2, 2)), theano.shared(rng.rand(2)), T.dmatrix()
    out, _ = theano.scan(
        lambda a, s: T.tanh(T.dot(s, w * 2) + b + a), x, T.zeros((2,), dtype="float64")
    )
    cost = (out**2).sum()
    f, a = theano.function([x], [cost, *T.grad(cost, [w, b])]), rng.rand(4, 2)
    slopes = f(a)[1:]
    for variable, slope in zip((w, b), slopes, strict=True):
        value, direction = variable.get_value(), rng.randn(*variable.get_value().shape)
        ends = []
        for k in (1e-6, -1e-6):
            variable.set_value(value + k * direction)
            ends.append(f(a)[0])
        variable.set_value(value)
        np.testing.assert_allclose((slope * direction).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 3, 7, 100])
def test_truncated(steps: int) -> None:
    x, h, w = T.dvector(), T.dscalar(), T.dscalar()
    out, _ = theano.scan(lambda a, s: T.tanh(s * w + a), x, h, truncate_gradient=steps)
    f = theano.function([x, h, w], T.grad(out[-1], [x, h, w]))
    a = np.linspace(0.1, 0.9, 7)
    states = [0.2]
    for v in a:
        states.append(np.tanh(states[-1] * 0.9 + v))
    d, gx, gw = 1.0, np.zeros(7), 0.0
    for i in list(reversed(range(7)))[:steps]:
        q = d * (1 - states[i + 1] ** 2)
        gx[i], gw, d = q, gw + q * states[i], q * 0.9
    for found, want in zip(f(a, 0.2, 0.9), (gx, d if steps >= 7 else 0.0, gw), strict=True):
        np.testing.assert_allclose(found, want)


def test_many_examples_at_once() -> None:
    def run(v: Any) -> Any:
        return theano.scan(lambda a, s: T.tanh(s * 0.5 + a), v, T.zeros((), "float64"))[0]

    x = np.random.RandomState(0).rand(3, 4)
    X, v = T.dmatrix(), T.dvector()
    one_row = theano.function([v], [run(v), T.grad(run(v)[-1], v)])
    slopes = theano.vectorize(lambda v: T.grad(run(v)[-1], v))(X)
    f = theano.function([X], [theano.vectorize(run)(X), slopes])
    for found, want in zip(f(x), zip(*map(one_row, x), strict=True), strict=True):
        np.testing.assert_allclose(found, want)
    verify_grad(lambda X: theano.vectorize(run)(X), [x], rng=np.random.RandomState(0))


def test_test_values_of_gradients() -> None:
    with theano.change_flags(compute_test_value="raise"):
        x, W, h = T.dmatrix("x"), T.dmatrix("W"), T.dmatrix("h")
        for v, shape in ((x, (5, 2)), (W, (2, 2)), (h, (2, 2))):
            v.tag.test_value = np.ones(shape)
        out, _ = theano.scan(
            lambda a, s2, s1, w: T.tanh(s1 + a + T.dot(s2, w)), x,
            [{"initial": h, "taps": [-2, -1]}], W,
        )  # fmt: skip
        slopes = T.grad(out.sum(), [x, W, h])
        f = theano.function([x, W, h], slopes)
        for slope, value in zip(slopes, f(np.ones((5, 2)), np.ones((2, 2)), np.ones((2, 2))),
                                strict=True):  # fmt: skip
            np.testing.assert_allclose(slope.tag.test_value, value)
