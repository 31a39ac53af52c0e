"""Scatters by one index vector in one pass; joined parts computed in place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.lower import program as pg

RNG = np.random.RandomState(9)


def steps_of(f: Any, kind: type) -> list[Any]:
    return [s for s in pg.walk(f.maker.lowered.program.steps) if isinstance(s, kind)]


def test_gradients_of_two_lookups_are_one_scatter() -> None:
    i = T.lvector("i")
    a, b, w = T.dvectors("a", "b", "w")
    cost = (T.tanh(a[i] + b[i] * w)).sum()
    f = theano.function([a, b, w, i], theano.grad(cost, [a, b]))
    x, y, v = RNG.rand(5), RNG.rand(7), RNG.rand(40)
    index = RNG.randint(-5, 5, 40)
    got = f(x, y, v, index)
    slope = 1 - np.tanh(x[index] + y[index] * v) ** 2
    for value, size, term in zip(got, (5, 7), (slope, slope * v), strict=True):
        want = np.zeros(size)
        np.add.at(want, index, term)
        np.testing.assert_allclose(value, want)
    scatters = [s for s in steps_of(f, pg.Launch)
                if any(o.mode == "scatter" for o in s.kernel.operands)]  # fmt: skip
    assert len(scatters) == 1
    with pytest.raises(IndexError):
        f(x, y, v, np.full(40, 6))
    assert all(g.shape == (n,) for g, n in zip(f(x, y, v[:0], index[:0]), (5, 7), strict=True))


def test_scatters_that_read_one_another_stay_apart() -> None:
    i = T.lvector("i")
    a, w = T.dvectors("a", "w")
    first = T.inc_subtensor(a[i], w)
    second = T.inc_subtensor(T.zeros_like(a)[i], first[i])
    f = theano.function([a, w, i], [first, second])
    x, v, index = RNG.rand(6), RNG.rand(9), RNG.randint(0, 6, 9)
    one = x.copy()
    np.add.at(one, index, v)
    two = np.zeros(6)
    np.add.at(two, index, one[index])
    for value, want in zip(f(x, v, index), (one, two), strict=True):
        np.testing.assert_allclose(value, want)


@pytest.mark.parametrize("axis", [0, 1])
def test_parts_of_a_join_are_computed_where_they_belong(axis: int) -> None:
    x, y = T.dmatrices("x", "y")
    f = theano.function([x, y], T.concatenate([T.exp(x), y, x * 2 + 1], axis=axis) * 1.0)
    g = theano.function([x, y], T.concatenate([T.exp(x), x * 2 + 1, y - 1], axis=axis))
    a, b = RNG.rand(4, 3), RNG.rand(4, 3)
    np.testing.assert_allclose(f(a, b), np.concatenate([np.exp(a), b, a * 2 + 1], axis))
    np.testing.assert_allclose(g(a, b), np.concatenate([np.exp(a), a * 2 + 1, b - 1], axis))
    assert not [s for s in steps_of(g, pg.Launch) if s.kernel.name == "copy"]
    with pytest.raises(ValueError, match="shape"):
        g(a, RNG.rand(5, 5))


def test_a_part_that_is_used_elsewhere_or_twice() -> None:
    x = T.dvector("x")
    e = T.exp(x)
    f = theano.function([x], [T.concatenate([e, e, x]), e * 2, T.concatenate([x - 1, e])])
    a = RNG.rand(4)
    for got, want in zip(
        f(a), [np.r_[np.exp(a), np.exp(a), a], np.exp(a) * 2, np.r_[a - 1, np.exp(a)]], strict=True
    ):
        np.testing.assert_allclose(got, want)


def test_gradients_of_slices_side_by_side() -> None:
    x = T.dmatrix("x")
    cost = (T.tanh(x[:, :2]) * T.exp(x[:, 2:4])).sum() + (x[:, 4:] ** 2).sum()
    f = theano.function([x], theano.grad(cost, x))
    a = RNG.rand(3, 7)
    want = np.hstack([
        (1 - np.tanh(a[:, :2]) ** 2) * np.exp(a[:, 2:4]),
        np.tanh(a[:, :2]) * np.exp(a[:, 2:4]), 2 * a[:, 4:],
    ])  # fmt: skip
    np.testing.assert_allclose(f(a), want)
    with pytest.raises((ValueError, AssertionError)):
        f(RNG.rand(3, 3))


def test_parts_that_are_filled_or_constant() -> None:
    n = T.lscalar("n")
    f = theano.function([n], T.join(0, T.alloc(3.0, n), T.constant([1.0, 2.0])))
    np.testing.assert_array_equal(f(2), [3, 3, 1, 2])
    np.testing.assert_array_equal(f(0), [1, 2])
