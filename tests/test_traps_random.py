"""The traps of random streams (15 and 23): whose numbers they are, and what has a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from builders import each_mode
from theano.sandbox.rng_mrg import MRG_RandomStreams  # noqa: TID251

import theano
import theano.tensor as T
from theano.gradient import NullTypeGradError
from theano.tensor.shared_randomstreams import RandomStreams


@each_mode
def test_trap_15_random_streams_are_numpys_random_states(mode: Any) -> None:
    stream = RandomStreams(seed=234)
    uniform, normal = stream.uniform((2, 2)), stream.normal((3,), avg=1.0, std=2.0)
    f, g = theano.function([], uniform, mode=mode), theano.function([], normal, mode=mode)
    # Each draw has a state of its own, seeded in the order of the calls.
    seeds = np.random.RandomState(234)
    first, second = (np.random.RandomState(int(seeds.randint(2**30))) for _ in range(2))
    for _ in range(2):
        np.testing.assert_array_equal(f(), first.uniform(size=(2, 2)))
        np.testing.assert_array_equal(g(), second.normal(1.0, 2.0, size=(3,)))
    whole = stream.random_integers((1000,), low=0, high=3)
    assert set(theano.function([], whole, mode=mode)().tolist()) == {0, 1, 2, 3}  # 3 included


@each_mode
def test_trap_15_one_variable_is_one_draw(mode: Any) -> None:
    stream = RandomStreams(seed=1)
    u = stream.uniform((2,))
    assert theano.function([], u - u, mode=mode)().tolist() == [0, 0]
    twice = theano.function([], [u, u + 0], mode=mode)
    one, other = twice()
    np.testing.assert_array_equal(one, other)
    assert (twice()[0] != one).all()  # the next call draws anew
    frozen = theano.function([], u, no_default_updates=True, mode=mode)
    np.testing.assert_array_equal(frozen(), frozen())
    # Two functions of one variable take turns.
    v = stream.uniform((2,))
    f, g = theano.function([], v, mode=mode), theano.function([], v * 1, mode=mode)
    state = np.random.RandomState()
    state.set_state(v.rng.get_value(borrow=True).get_state())
    for call in (f, g, f):
        np.testing.assert_array_equal(call(), state.uniform(size=2))


@each_mode
def test_trap_23_no_gradient_into_the_parameters_of_an_mrg_draw(mode: Any) -> None:
    stream = MRG_RandomStreams(seed=7)
    average, spread = T.dvector("average"), T.dvector("spread")
    cost = stream.normal((3,), avg=average).sum()
    with pytest.raises(NullTypeGradError):
        theano.grad(cost, average)
    reparametrised = (average + spread * stream.normal((3,))).sum()
    slope = theano.grad(reparametrised, average)
    f = theano.function([average, spread], slope, mode=mode, on_unused_input="ignore")
    assert f([1, 2, 3], [1, 1, 1]).tolist() == [1, 1, 1]


@each_mode
def test_trap_23_mrg_numbers(mode: Any) -> None:
    stream = MRG_RandomStreams(seed=7)
    u = theano.function([], stream.uniform((10000,)), mode=mode)()
    assert 0 < u.min() < u.max() < 1  # neither end is drawn
    assert set(theano.function([], stream.binomial((100,), p=0.5), mode=mode)()) == {0, 1}
    with pytest.raises(NotImplementedError):
        stream.binomial((3,), n=2)
    for size in ((0,), (3, -1)):
        with pytest.raises(ValueError, match="size"):
            stream.uniform(size)
    same = [
        theano.function([], MRG_RandomStreams(seed=7).uniform((4,)), mode=mode)() for _ in range(2)
    ]
    np.testing.assert_array_equal(*same)
