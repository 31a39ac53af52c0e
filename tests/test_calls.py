"""Calls at the same time, from within, after a fork, at random; results that outlive a function."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.graph.nodes import Apply, Op

MODES = {
    "native": theano.Mode(linker="cvm", optimizer="fast_run"),
    "program": theano.Mode(linker="numpy", optimizer="fast_run"),
    "reference": theano.Mode(linker="py", optimizer="fast_run"),
}
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


@each_mode
def test_eight_threads_good_and_bad_calls_mixed(mode):
    s, x = theano.shared(np.zeros(100), "s"), T.dvector("x")
    f = theano.function([x], (x * 2).sum(), updates=[(s, s + x)], mode=mode)
    errors: list[BaseException] = []
    good = np.ones(100)

    def work(seed: int) -> None:
        for i in range(60):
            try:
                if (i + seed) % 3:
                    assert f(good) == 200
                else:
                    f(good[:50] if i % 2 else None)
            except (ValueError, TypeError):
                continue
            except BaseException as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []
    count = sum((i + seed) % 3 != 0 for seed in range(8) for i in range(60))
    np.testing.assert_array_equal(s.get_value(), np.full(100, float(count)))


class Calls(Op):
    """Calls a Python function with its input."""

    __props__ = ()

    def __init__(self, call: Callable[[Any], Any]) -> None:
        self.call = call

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [T.dvector()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = np.asarray(self.call(inputs[0]), "float64")


@each_mode
def test_a_function_that_calls_itself(mode):
    x = T.dvector("x")
    calls: list[Any] = []

    def again(value: Any) -> Any:
        return value if value[0] <= 0 else calls[0](value - 1) + value

    calls.append(theano.function([x], Calls(again)(x) * 1.0, mode=mode))
    assert calls[0](np.array([4.0])).tolist() == [10]
    assert calls[0](np.array([0.0])).tolist() == [0]


@each_mode
def test_a_function_with_updates_that_is_called_from_within(mode):
    s, x = theano.shared(np.zeros(2), "s"), T.dvector("x")
    calls: list[Any] = []
    inner = theano.function([], s, updates=[(s, s * 2 + 1)], mode=mode)
    calls.append(theano.function([x], Calls(lambda v: inner())(x) + x, mode=mode))
    assert calls[0](np.ones(2)).tolist() == [1, 1]
    assert calls[0](np.ones(2)).tolist() == [2, 2]
    assert s.get_value().tolist() == [3, 3]


@each_mode
def test_an_error_of_an_inner_call_passes_through(mode):
    x = T.dvector("x")
    inner = theano.function([x], x + np.ones(3), mode=mode)
    outer = theano.function([x], Calls(inner)(x) * 2, mode=mode)
    with pytest.raises(ValueError, match="mis-match"):
        outer(np.ones(2))
    assert outer(np.ones(3)).tolist() == [4] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@each_mode
def test_fork_after_use(mode):
    s, x = theano.shared(np.zeros(50000), "s"), T.dvector("x")
    f = theano.function([x], T.exp(x).sum() + s.sum(), updates=[(s, s + x)], mode=mode)
    ones = np.zeros(50000)
    assert f(ones) == 50000
    child = os.fork()
    if child == 0:
        code = 1
        try:
            right = f(ones) == 50000
            g = theano.function([x], x * 3, mode=mode)
            code = 0 if right and g([1.0])[0] == 3 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert f(ones) == 50000


@each_mode
def test_results_outlive_their_function(mode):
    s, x = theano.shared(np.ones(1000)), T.dvector("x")
    f = theano.function([x], [x * 2, x[::2] + 1, s], updates=[(s, s + x)], mode=mode)
    results = [f(np.full(1000, float(i))) for i in range(5)]
    gone = weakref.ref(f)
    del f
    gc.collect()
    assert gone() is None
    junk = [np.full(1000, -7.0) for _ in range(50)]
    for i, (one, two, three) in enumerate(results):
        np.testing.assert_array_equal(one, np.full(1000, 2.0 * i))
        np.testing.assert_array_equal(two, np.full(500, i + 1.0))
        np.testing.assert_array_equal(three, np.full(1000, 1.0 + sum(range(i))))
    assert len(junk) == 50
    assert s.get_value()[0] == 11


# random calls ---------------------------------------------------------------------------------

POOL = [
    1, 0, -1, 1.5, 2**40, 2**70, True, None, "text", b"x", [], [1, 2, 3], [1.5, 2.0], [[1], [2, 3]],
    (1, 2), {}, {1: 2}, object, len, 1j, float("nan"), np.float32(2), np.int8(3), np.bool_(True),
    np.ones(3), np.ones(3, "f4"), np.ones(3, ">f8"), np.ones(4)[::-1], np.ones(0), np.ones((3, 3)),
    np.ones((3, 1)), np.ones((1, 3)), np.ones((0, 3)), np.arange(3), np.arange(3) - 5,
    np.arange(3, dtype="u8"), np.ones((2, 2, 2)), np.array(1.0), np.array(None), np.array(["a"]),
    np.ones((3, 3), order="F").T, np.ones((6, 6))[::2, ::-2], np.ones(3, "M8[s]"), np.ones(3, "F"),
    np.zeros(2, "f8,i4"), T.dvector(), slice(None), range(3), memoryview(b"abcd"), np.float16(1),
    np.full(3, np.inf), np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), np.float64(3), Ellipsis,
]  # fmt: skip
NAMES = ("x", "m", "i", "s", "other", "", "output_subset")


def targets(mode: Any) -> list[tuple[Any, list[Any], tuple[Any, ...]]]:
    """Functions, the shared variables they update, and arguments that they take."""
    x, m, i, s = T.dvector("x"), T.dmatrix("m"), T.lvector("i"), T.dscalar("s")
    total = theano.shared(np.zeros(3), "total")
    count = theano.shared(0, "count")
    plain = theano.function([x, s], x * s + 1, mode=mode)
    one = theano.function([s], s + 1, mode=mode)
    none = theano.function([], total * 2, mode=mode)
    train = theano.function(
        [x, m], [T.dot(m, x), m.max()], updates=[(total, total + T.dot(m, x)), (count, count + 1)],
        mode=mode,
    )  # fmt: skip
    gather = theano.function(
        [m, theano.In(i, value=np.array([0]))], T.nnet.softmax(m)[i], mode=mode, name="gather"
    )
    named = theano.function([x, m], {"a": x.sum(), "b": T.concatenate([m, m])}, mode=mode)
    v, sq = np.ones(3), np.ones((3, 3))
    return [
        (plain, [], (v, 2.0)), (one, [], (1.0,)), (none, [], ()),
        (train, [total, count], (v, sq)), (gather, [], (sq,)), (named, [], (v, sq)),
    ]  # fmt: skip


def call_at_random(rng: Any, found: list[Any], count: int) -> int:
    """Call with random arguments; returns how many calls were accepted."""
    accepted = 0
    for _ in range(count):
        f, updated, _ = found[rng.integers(len(found))]
        picks = rng.integers(len(POOL), size=rng.integers(5))
        args = [POOL[p] for p in picks]
        kwargs = {}
        if rng.random() < 0.2:
            kwargs[NAMES[rng.integers(len(NAMES))]] = POOL[rng.integers(len(POOL))]
        before = [variable.get_value() for variable in updated]
        failure = None
        try:
            f(*args, **kwargs)
            accepted += 1
        except Exception as error:
            failure = error
        if failure is not None:
            assert str(failure), repr(failure)
            for variable, old in zip(updated, before, strict=True):
                assert variable.get_value().tobytes() == old.tobytes()
    return accepted


@pytest.mark.parametrize(("mode", "count"), [(MODES["native"], 20000), (MODES["reference"], 2000)])
def test_random_calls(mode, count):
    found = targets(mode)
    right = [f(*good) for f, _, good in found[:3]]
    accepted = call_at_random(np.random.default_rng(5), found, count)
    assert 0 < accepted < count
    found[3][1][0].set_value(np.zeros(3))
    for (f, _, good), value in zip(found[:3], right, strict=True):
        np.testing.assert_array_equal(f(*good), value)
