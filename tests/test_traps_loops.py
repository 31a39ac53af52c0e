"""The traps of loops and of neural networks; the others are in test_traps.py."""

from __future__ import annotations

import numpy as np
import pytest
from builders import every_mode, value

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.signal.pool import pool_2d


@every_mode
def test_trap_16_what_a_loop_starts_from_and_gives_back(mode):
    x = T.dvector("x")
    states, updates = theano.scan(lambda s: s * 2, outputs_info=x, n_steps=3)
    assert not updates
    # The initial state is not among the states.
    found = value(states, {x: [1, 3]}, mode)
    np.testing.assert_array_equal(found, [[2, 6], [4, 12], [8, 24]])
    # An int start and a float step do not agree, nor float32 and float64.
    for start in (0, T.constant(1), T.fscalar()):
        with pytest.raises(ValueError, match="dtype"):
            theano.scan(lambda s: s + x.sum(), outputs_info=start, n_steps=3)
    # One step has a leading axis, too, without a loop.
    for n in (1, T.constant(1)):
        once, _ = theano.scan(lambda s: s * 2, outputs_info=x, n_steps=n)
        assert not isinstance(once, list)
        np.testing.assert_array_equal(value(once, {x: [1, 3]}, mode), [[2, 6]])
    # Updates happen if they are passed on, and only then.
    count = theano.shared(0)
    out, updates = theano.scan(lambda v: (v, {count: count + 1}), x)
    theano.function([x], out, mode=mode)([1, 2, 3])
    assert count.get_value() == 0
    theano.function([x], out, updates=updates, mode=mode)([1, 2, 3])
    assert count.get_value() == 3


@every_mode
def test_trap_17_where_a_loop_ends_and_where_it_begins(mode):
    x, y = T.dvectors("x", "y")
    # The step at which the condition holds is kept.
    out, _ = theano.scan(lambda v: (v, theano.scan_module.until(v > 2)), x)
    np.testing.assert_array_equal(value(out, {x: [1, 2, 3, 4]}, mode), [1, 2, 3])
    np.testing.assert_array_equal(value(out, {x: [1, 2]}, mode), [1, 2])
    # Taps shorten a sequence; the shortest counts.
    taps, _ = theano.scan(
        lambda before, now, after, other: before * 100 + now * 10 + after + other * 0,
        [{"input": x, "taps": [-2, 0, 1]}, y],
    )
    given = {x: [1, 2, 3, 4, 5], y: [0, 0, 0]}
    np.testing.assert_array_equal(value(taps, given, mode), [134, 245])
    np.testing.assert_array_equal(value(taps, {**given, y: [0]}, mode), [134])
    # Backwards the last rows come first; results are in the order of the steps.
    back, _ = theano.scan(lambda v, s: s * 10 + v, x, np.float64(0), go_backwards=True)
    np.testing.assert_array_equal(value(back, {x: [1, 2, 3]}, mode), [3, 32, 321])
    some, _ = theano.scan(lambda v: v, x, go_backwards=True, n_steps=2)
    np.testing.assert_array_equal(value(some, {x: [1, 2, 3]}, mode), [3, 2])


@every_mode
def test_trap_19_second_derivatives_of_max_pooling(mode):
    x = T.dtensor4("x")
    cost = (pool_2d(x, (2, 2), ignore_border=True) ** 3).sum()
    slope = theano.grad(cost, x)
    second = theano.grad((slope**2).sum(), x)
    a = np.random.RandomState(0).rand(1, 1, 4, 4)
    tops = a.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(2, 2, 4)
    where = np.zeros((2, 2, 4))
    np.put_along_axis(where, tops.argmax(-1)[..., None], 1, -1)
    want = (36 * tops**3 * where).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(1, 1, 4, 4)
    np.testing.assert_allclose(value(second, {x: a}, mode), want)


@every_mode
def test_trap_21_convolutions_flip_and_softmax_of_a_vector_is_a_row(mode):
    x, w = T.dtensor4("x"), T.dtensor4("w")
    image, filters = np.arange(9.0).reshape(1, 1, 3, 3), np.arange(4.0).reshape(1, 1, 2, 2)
    flipped = value(T.nnet.conv2d(x, w), {x: image, w: filters}, mode)
    straight = value(T.nnet.conv2d(x, w, filter_flip=False), {x: image, w: filters}, mode)
    turned = value(T.nnet.conv2d(x, w), {x: image, w: filters[:, :, ::-1, ::-1]}, mode)
    np.testing.assert_allclose(straight, turned)
    np.testing.assert_allclose(flipped[0, 0, 0, 0], 0 * 3 + 1 * 2 + 3 * 1 + 4 * 0)
    with pytest.warns(UserWarning, match="ignore_border"):
        pooled = pool_2d(x, (2, 2))
    assert value(pooled, {x: image}, mode).shape == (1, 1, 2, 2)
    assert value(pool_2d(x, (2, 2), ignore_border=True), {x: image}, mode).shape == (1, 1, 1, 1)
    v = T.dvector("v")
    with pytest.warns(DeprecationWarning, match="vector"):
        row = T.nnet.softmax(v)
    assert value(row, {v: [0, 0]}, mode).tolist() == [[0.5, 0.5]]


@every_mode
def test_trap_22_batch_normalization_keeps_the_unbiased_variance(mode):
    x = T.dmatrix("x")
    gamma, beta, mean, var = T.dvectors("gamma", "beta", "mean", "var")
    found = T.nnet.bn.batch_normalization_train(
        x, gamma, beta, running_average_factor=1.0, running_mean=mean, running_var=var
    )
    assert len(found) == 5
    a = np.random.RandomState(1).rand(6, 2)
    given = {x: a, gamma: np.ones(2), beta: np.zeros(2), mean: np.zeros(2), var: np.ones(2)}
    f = theano.function(list(given), list(found), mode=mode)
    out, m, inv, new_mean, new_var = f(*given.values())
    np.testing.assert_allclose(out, (a - a.mean(0)) / np.sqrt(a.var(0) + 1e-4))
    np.testing.assert_allclose(np.ravel(m), a.mean(0))
    np.testing.assert_allclose(np.ravel(inv), 1 / np.sqrt(a.var(0) + 1e-4))
    np.testing.assert_allclose(np.ravel(new_mean), a.mean(0))
    np.testing.assert_allclose(np.ravel(new_var), a.var(0, ddof=1))
    verify_grad(
        lambda x, g, b: (T.nnet.bn.batch_normalization_train(x, g, b)[0] ** 3).sum(),
        [a, np.ones(2), np.zeros(2)], rng=np.random.RandomState(2),
    )  # fmt: skip
