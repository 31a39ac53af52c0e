"""Random graphs: whatever is rewritten, fused, donated or left out, the values are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T

UNARY = {
    "tanh": T.tanh, "sigmoid": T.nnet.sigmoid, "neg": lambda a: -a, "abs": abs, "sqr": T.sqr,
    "exp of bounded": lambda a: T.exp(T.tanh(a)), "log of positive": lambda a: T.log(1 + T.sqr(a)),
    "reverse": lambda a: a[::-1], "transposed twice": lambda a: (a.T + 1).T,
    "row sums": lambda a: a - a.sum(axis=1, keepdims=True) / 4,
    "column mean": lambda a: a * a.mean(axis=0), "total": lambda a: a / (1 + T.sqr(a).sum()),
    "softmax": T.nnet.softmax, "max": lambda a: a - a.max(axis=1, keepdims=True),
    "set": lambda a: T.set_subtensor(a[0], 0.5), "inc": lambda a: T.inc_subtensor(a[:, 1], a[:, 0]),
    "reshape": lambda a: a.reshape((a.shape[1], a.shape[0])).T.reshape(a.shape),
    "rows": lambda a: a[T.arange(a.shape[0]) // 2], "constant": lambda a: 2 * a + 0 * a + 1,
    "switch": lambda a: T.switch(a > 0, a, 0.1 * a), "scalar": lambda a: a * a[0, 0],
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: T.tanh(a) * b,
    "maximum": T.maximum, "dot": lambda a, b: T.dot(T.tanh(a), T.dot(T.tanh(b).T, T.tanh(a))) / 8,
    "row of other": lambda a, b: a + b[1], "column": lambda a, b: a * b[:, :1].sum(),
    "join": lambda a, b: T.concatenate([a, b], axis=0)[a.shape[0] :] + a,
}  # fmt: skip

choice = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 30)),
    st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 30), st.integers(0, 30)),
)
MODES = {
    "all": theano.Mode("numpy", "fast_run"),
    "unfused": theano.Mode("numpy", "fast_run").excluding("fusion"),
    "not in place": theano.Mode("numpy", "fast_run").excluding("inplace"),
    "no canonicalize": theano.Mode("numpy", "fast_run").excluding("canonicalize"),
    "no specialize": theano.Mode("numpy", "fast_run").excluding("specialize"),
    "no blas": theano.Mode("numpy", "fast_run").excluding("blas"),
    "no stabilize": theano.Mode("numpy", "fast_run").excluding("stabilize"),
    "no rewriting": theano.Mode("numpy", None),
    "rewriting only": theano.Mode("py", "fast_run"),
    "compiled": theano.Mode("cvm", "fast_run"),
}


def grow(start: list[Any], choices: list[tuple[Any, ...]]) -> list[Any]:
    """Apply the chosen operations one after the other to what there is so far."""
    pool = list(start)
    for name, *picks in choices:
        operands = [pool[-1 - pick % len(pool)] for pick in picks]
        pool.append((UNARY if len(picks) == 1 else BINARY)[name](*operands))
    return pool


@pytest.mark.parametrize("name", MODES)
@settings(max_examples=12)
@given(st.lists(choice, min_size=1, max_size=7), st.booleans(), st.booleans())
def test_every_way_gives_the_same(name, choices, with_gradient, with_update):
    x, rng = T.dmatrix("x"), np.random.default_rng(1)
    start, value = rng.normal(size=(2, 4, 3))
    results = []
    for mode in (theano.Mode("py", None), MODES[name]):
        s = theano.shared(start, "s")
        pool = grow([x, s], choices)
        outputs = [pool[-1], pool[len(pool) // 2].sum()]
        if with_gradient:
            outputs.append(T.grad(pool[-1].sum(), x, disconnected_inputs="ignore"))
        updates = [(s, T.tanh(s + pool[-1]))] if with_update else []
        f = theano.function([x], outputs, updates=updates, mode=mode, on_unused_input="ignore")
        results.append([*f(value), *f(value), s.get_value()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


def test_an_array_that_is_lent_is_read_before_it_is_overwritten():
    s = T.dmatrix("s")
    shifted = s - s.max(axis=1, keepdims=True)
    value = np.random.default_rng(1).normal(size=(4, 3))
    outputs = [T.tanh(s) * shifted, shifted.sum()]
    expected = theano.function([s], outputs, mode=theano.Mode("py", None))(value)
    got = theano.function([s], outputs, mode=MODES["all"])(value)
    np.testing.assert_allclose(got[0], expected[0])


def test_a_loop_after_a_reduction_of_the_leading_axis():
    x = T.dmatrix("x")
    scaled = x * x.mean(axis=0)
    joined = T.concatenate([scaled, scaled], axis=0)[scaled.shape[0] :] + scaled
    output = T.grad(joined.sum(), x)
    value = np.random.default_rng(1).normal(size=(4, 3))
    expected = theano.function([x], output, mode=theano.Mode("py", None))(value)
    np.testing.assert_allclose(
        theano.function([x], output, mode=MODES["all"])(value), expected, rtol=1e-12
    )
