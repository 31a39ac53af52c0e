"""Loops that run long: memory, other threads, Ctrl-C, forks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from typing import Any

import numpy as np
import pytest
from builders import in_threads

import theano
import theano.tensor as T


def child(code: str) -> str:
    """What a fresh interpreter prints that runs ``code``."""
    head = """
        import numpy as np, theano, theano.tensor as T, resource
        def peak():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        """
    text = textwrap.dedent(head) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_long_loop_that_returns_its_last_value_needs_no_more_memory() -> None:
    grown = child(
        """
        n = T.lscalar()
        out, _ = theano.scan(lambda s: s * 0.5 + 1, None, T.zeros((1000,), "float64"), n_steps=n)
        f = theano.function([n], out[-1])
        f(10)
        before = peak()
        f(1_000_000)
        print(peak() - before)
        """
    )
    assert int(grown) < 1e8  # all states would be 8e9


def test_a_gradient_keeps_each_state_once() -> None:
    grown = child(
        """
        x, w, n = T.dvector(), T.dscalar(), T.lscalar()
        out, _ = theano.scan(lambda s, w: T.tanh(s * w), None, x, w, n_steps=n)
        f = theano.function([x, w, n], T.grad(out[-1].sum(), [x, w]))
        f(np.ones(1000), 0.9, 10)
        before = peak()
        f(np.ones(1000), 0.9, 5000)
        print((peak() - before) / (5000 * 1000 * 8))
        """
    )
    assert float(grown) < 1.5


def test_an_interrupt_ends_a_loop_and_changes_nothing() -> None:
    said = child(
        """
        import os, signal, threading
        state, n = theano.shared(np.float64(1)), T.lscalar()
        out, updates = theano.scan(
            lambda h: (h * 0.5 + 1, {state: state + 1}), None, T.zeros((), "float64"), n_steps=n
        )
        f = theano.function([n], out[-1], updates=updates)
        f(3)
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            f(10**10)
        except KeyboardInterrupt:
            print("stopped", state.get_value(), f(3), state.get_value())
        """
    )
    assert said == "stopped 4.0 1.75 7.0"


@pytest.mark.parametrize("kind", ["numbers", "vectors", "nested"])
def test_other_threads_run_during_a_loop(kind: str) -> None:
    n = T.lscalar()
    start = T.zeros((), "float64") if kind == "numbers" else T.zeros((10,), "float64")

    def step(s: Any) -> Any:
        if kind != "nested":
            return s * 0.5 + 1
        return theano.scan(lambda q: T.tanh(q + 1), None, s, n_steps=n // n * 5)[0][-1]

    out, _ = theano.scan(step, None, start, n_steps=n)
    f = theano.function([n], out[-1])
    f(3)
    ended, turns = threading.Event(), []

    def count() -> None:
        while not ended.is_set():
            turns.append(None)
            time.sleep(0.001)

    other = threading.Thread(target=count)
    steps = 1000
    other.start()
    try:
        while True:  # a loop long enough to be noticed, on any machine
            before, begun = len(turns), time.perf_counter()
            f(steps)
            during, took = len(turns) - before, time.perf_counter() - begun
            if took > 0.3:
                break
            steps *= 4
    finally:
        ended.set()
        other.join()
    assert during >= 3


def test_many_threads_call_one_function() -> None:
    n, x = T.lscalar(), T.dvector()
    total = theano.shared(np.float64(0))
    out, updates = theano.scan(
        lambda s: (T.tanh(s * 0.9 + x), {total: total + 1}), None, T.zeros_like(x), n_steps=n
    )
    f = theano.function([x, n], [out, out[-1] * 2], updates=updates)
    wanted = [f(np.full(4, float(i)), 300) for i in range(8)]
    wrong = []

    def work(i: int) -> None:
        for _ in range(20):
            found = f(np.full(4, float(i)), 300)
            if not all(np.array_equal(a, b) for a, b in zip(found, wanted[i], strict=True)):
                wrong.append(i)

    in_threads(work, range(8))
    assert not wrong
    assert total.get_value() == 300 * 8 * 21


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
def test_loops_in_forked_processes() -> None:
    said = child(
        """
        import multiprocessing as mp
        n = T.lscalar()
        out, _ = theano.scan(
            lambda s: T.tanh(T.dot(s, s) * 0.01), None, T.ones((20, 20), "float64"), n_steps=n)
        f = theano.function([n], out[-1].sum())
        want = [float(f(k)) for k in (3, 4, 5)]
        with mp.get_context("fork").Pool(2) as pool:
            print(np.allclose(pool.map(f, [3, 4, 5]), want))
        """
    )
    assert said == "True"
