"""Plain Python functions of arrays, compiled."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T


def test_one_version_per_dtype_and_rank_not_per_shape() -> None:
    runs = []

    @theano.jit
    def f(x: Any, y: Any) -> Any:
        runs.append(1)
        return T.tanh(x) + y

    for n in (3, 5, 8):
        x = np.random.rand(n)
        np.testing.assert_allclose(f(x, 2), np.tanh(x) + 2)
    assert len(runs) == 1
    f(np.ones((2, 2)), 2)
    f(np.ones(2, "float32"), 2)
    assert len(runs) == 3


def test_containers_in_and_out() -> None:
    Pair = namedtuple("Pair", "a b")

    @theano.jit
    def f(params: Any, *rest: Any, flag: str = "sum") -> Any:
        h = T.dot(rest[0], params["w"]) + params["b"]
        reduced = h.sum() if flag == "sum" else h.prod()
        return {"h": h, "pair": Pair(reduced, [h * 2]), "none": None}

    w, b, x = np.random.rand(3, 2), np.random.rand(2), np.random.rand(4, 3)
    out = f({"w": w, "b": b}, x)
    np.testing.assert_allclose(out["h"], x @ w + b)
    assert isinstance(out["pair"], Pair)
    assert out["none"] is None
    np.testing.assert_allclose(f({"b": b, "w": w}, x, flag="prod")["pair"].a, (x @ w + b).prod())


def test_static_arguments() -> None:
    @theano.jit(static=["n", 1])
    def power(x: Any, twice: int, n: int = 2) -> Any:
        for _ in range(n):
            x = x * x
        return x * twice

    assert power(2.0, 3) == 48.0
    assert power(2.0, 3, n=3) == 768.0
    with pytest.raises(TypeError, match="hash"):
        power({1, 2}, 1)


def test_gradients_and_symbolic_calls() -> None:
    loss = lambda w, x: T.sqr(T.dot(x, w)).mean()  # noqa: E731
    f = theano.jit(theano.value_and_grad(loss))
    w, x = np.random.rand(3), np.random.rand(5, 3)
    value, slope = f(w, x)
    np.testing.assert_allclose(value, np.mean((x @ w) ** 2))
    np.testing.assert_allclose(slope, 2 * x.T @ (x @ w) / 5)
    both = theano.jit(theano.value_and_grad(loss, (0, 1)))(w, x)[1]
    assert [g.shape for g in both] == [(3,), (5, 3)]
    v = T.dvector("v")
    assert isinstance(f(v, x)[0], T.TensorVariable)


def test_loops_and_shared_variables_inside() -> None:
    s = theano.shared(np.float64(2.0))

    @theano.jit
    def total(x: Any) -> Any:
        return theano.scan(lambda r, t: t + r * s, x, T.zeros(()))[0][-1]

    assert total(np.arange(4.0)) == 12.0
    s.set_value(3.0)
    assert total(np.arange(4.0)) == 18.0


def test_results_must_be_symbolic() -> None:
    with pytest.raises(TypeError, match="not symbolic"):
        theano.jit(lambda x: object())(1.0)
