"""Loops that read or write sequences in the order that saves passes over memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T

PLAIN = theano.Mode(linker="py", optimizer=None)


def ops_of(f: Any) -> list[str]:
    return [type(node.op).__name__ for node in f.maker.fgraph.toposort()]


def agree(inputs: Any, outputs: Any, *values: Any) -> Any:
    """The compiled function; it gives what the graph means, for these values."""
    compiled = theano.function(inputs, outputs)
    meant = theano.function(inputs, outputs, mode=PLAIN)
    for a, b in zip(compiled(*values), meant(*values), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    return compiled


@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_results_that_are_used_backwards(steps: int) -> None:
    x = T.dmatrix("x")
    states, _ = theano.scan(lambda row, s: [s + row, s * row], x, [T.zeros((3,)), None])
    whole, other = states
    value = np.random.default_rng(0).normal(size=(steps, 3))
    agree([x], [other[::-1] * 2, whole[::-1]], value)
    agree([x], [other[::-1] * 2, other], value)
    agree([x], [other[::-1]], value)
    agree([x], [other[::-1][:1] * 3, other[::-1].sum(axis=0)], value)


def test_a_loop_that_ends_early_is_used_backwards() -> None:
    x = T.dvector("x")
    squares, _ = theano.scan(lambda v: (v * v, theano.scan_module.until(v > 2)), x)
    for value in (np.arange(6.0), np.array([5.0]), np.array([0.1, 0.2])):
        agree([x], [squares[::-1] + 1], value)


@pytest.mark.parametrize(("steps", "extra"), [(1, 0), (5, 0), (5, 3), (0, 2)])
@pytest.mark.parametrize("turned", ["none", "first", "both"])
def test_products_that_are_summed_over_steps(steps: int, extra: int, turned: str) -> None:
    a, b, n = T.dtensor3("a"), T.dtensor3("b"), T.lscalar("n")
    first = a if turned == "none" else a[::-1]
    second = b[::-1] if turned == "both" else b
    terms, _ = theano.scan(
        lambda p, q: T.dot(p.T, T.tanh(q)), [first, second], n_steps=n, outputs_info=None
    )
    rng = np.random.default_rng(1)
    u, v = rng.normal(size=(steps + extra, 4, 2)), rng.normal(size=(steps + extra, 4, 3))
    plain, _ = theano.scan(lambda p, q: T.dot(p.T, q), [first, second], n_steps=n)
    agree([a, b, n], [terms.sum(axis=0), plain.sum(axis=0)], u, v, steps)


def gates(bias: Any, split: bool) -> Any:
    """A recurrent layer with gates, and the gradients of a cost."""
    x, w, u, start = T.dtensor3("x"), T.dmatrix("w"), T.dmatrix("u"), T.dmatrix("start")

    def step(row: Any, h: Any, u: Any) -> Any:
        z = row + T.dot(h, u)
        keep, new = (z[:, :3], z[:, 3:]) if split else (z[:, :3], z[:, 2:5])
        return T.nnet.sigmoid(keep) * h + T.tanh(new)

    states, _ = theano.scan(step, T.dot(x, w) + bias, start, u)
    cost = (states[-1] ** 2).sum() + states.mean()
    return [x, w, u, start], [cost, *T.grad(cost, [x, w, u, start])]


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("steps", [1, 4])
def test_gates_with_a_bias_for_all_rows(split: bool, steps: int) -> None:
    bias = T.dvector("bias")
    columns = 6 if split else 5
    rng = np.random.default_rng(2)
    sizes = ((steps, 2, 4), (4, columns), (3, columns), (2, 3))
    values = [rng.normal(size=size) * 0.5 for size in sizes]
    inputs, outputs = gates(bias, split)
    f = agree([*inputs, bias], outputs, *values, rng.normal(size=columns))
    loops = [node for node in f.maker.fgraph.toposort() if type(node.op).__name__ == "Scan"]
    assert type(loops[0].inputs[1].owner.op).__name__ == "Matmul"  # the bias is added inside
    with pytest.raises(ValueError, match=r"extents|shape|dimension|size"):
        f(*values, rng.normal(size=columns + 1))


def test_a_sequence_that_is_used_elsewhere_is_computed_once() -> None:
    x, w, bias = T.dmatrix("x"), T.dmatrix("w"), T.dvector("bias")
    rows = T.dot(x, w) + bias
    states, _ = theano.scan(lambda row, s: T.tanh(row + s), rows, T.zeros((3,)))
    rng = np.random.default_rng(3)
    values = [rng.normal(size=size) for size in ((5, 2), (2, 3), (3,))]
    agree([x, w, bias], [states[-1], rows], *values)
    agree([x, w, bias], [states[-1], rows.sum()], *values)
    agree([x, w, bias], [states[-1]], *values)


def test_work_on_a_sequence_may_stay_outside() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    states, _ = theano.scan(lambda row, s: row + s, T.exp(T.dot(x, w)), T.zeros((3,)))
    rng = np.random.default_rng(4)
    f = agree([x, w], [states[-1]], rng.normal(size=(5, 2)), rng.normal(size=(2, 3)))
    assert "Elemwise" in ops_of(f)
