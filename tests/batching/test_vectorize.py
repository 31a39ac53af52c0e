"""Functions of one example as functions of many, against a loop over the examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.ifelse import ifelse

RNG = np.random.RandomState(5)
M = np.round(RNG.rand(4, 3), 3)

# name -> (function of a vector of 3, and whether every op has a rule)
CASES: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "elementwise": (lambda x: T.exp(x) * 2 + x[::-1], True),
    "broadcast": (lambda x: x.dimshuffle("x", 0) * x.dimshuffle(0, "x"), True),
    "reductions": (lambda x: x.sum() + x.max() * x.prod() + x.argmax(), True),
    "along an axis": (lambda x: (T.constant(M) * x).mean(axis=0, keepdims=True), True),
    "matrix times vector": (lambda x: T.dot(T.constant(M), x), True),
    "vector times matrix": (lambda x: T.dot(x, T.constant(M.T)), True),
    "inner and outer": (lambda x: T.dot(x, x) + T.outer(x, x), True),
    "products of examples": (
        lambda x: T.dot(T.constant(M) * x, (T.constant(M) + x).T).sum(axis=1), True),
    "matrix of examples, vector": (lambda x: T.dot(T.constant(M) * x, x), True),
    "softmax": (lambda x: T.nnet.softmax(T.constant(M) * x), True),
    "reshape and join": (
        lambda x: T.concatenate([x, T.constant(M[0]), x * 2]).reshape((3, 3)).T.flatten(), True),
    "alloc and shapes": (lambda x: T.zeros((2, x.shape[0])) + x * x.shape[0], True),
    "set and inc": (lambda x: T.inc_subtensor(T.set_subtensor(x[1:], x[:2] * 3)[0], x[2]), True),
    "rows by index": (lambda x: x[T.constant([2, 0, 0, 1])], True),
    "index by example": (lambda x: T.constant(M)[T.cast(x * 0, "int64")], True),
    "stack": (lambda x: T.stack([x[0], x[1] * x[2]]), True),
    "condition": (lambda x: ifelse(x[0] > 0.5, x * 2, T.sin(x)), True),
    "gradient": (lambda x: theano.grad(T.tanh(T.dot(T.constant(M), x)).sum(), x), True),
    "loop": (lambda x: theano.scan(lambda r, s: T.tanh(s + r), x, T.zeros(()))[0], True),
    "loop with a fixed example": (
        lambda x: theano.scan(lambda s, v: T.sin(s * v) + v, None, T.ones((3,)), x, n_steps=4)[0],
        True),
    "op as graph": (lambda x: graph_op()(x), True),
    "sort": (lambda x: T.sort(x), False),
    "running sum": (lambda x: T.cumsum(x) * x, False),
    "index, both by example": (lambda x: x[T.cast(x * 2.9, "int64")], False),
}  # fmt: skip


def graph_op() -> Any:
    v = T.dvector("v")
    return theano.OpFromGraph([v], [T.exp(v) * v.sum()])


@pytest.mark.parametrize("name", CASES)
def test_against_a_loop(name: str) -> None:
    fn, _ = CASES[name]
    x, many = T.dvector("x"), T.dmatrix("many")
    one = theano.function([x], fn(x))
    all_ = theano.function([many], theano.vectorize(fn)(many))
    values = RNG.rand(5, 3)
    np.testing.assert_allclose(all_(values), np.stack([one(v) for v in values]), rtol=1e-10)


@pytest.mark.parametrize("name", [n for n, (_, ruled) in CASES.items() if ruled])
def test_ops_with_a_rule_need_no_loop(name: str) -> None:
    fn, _ = CASES[name]
    many = T.dmatrix("many")
    f = theano.function([many], theano.vectorize(fn)(many))
    loops = [n.op for n in f.maker.fgraph.toposort() if "for{" in str(n.op)]
    assert all(op.name != "batch" for op in loops)


def test_axes() -> None:
    A, X = T.dmatrix("A"), T.dmatrix("X")
    f = theano.function([A, X], theano.vectorize(T.dot, in_axes=(None, 1), out_axes=1)(A, X))
    a, x = RNG.rand(2, 3), RNG.rand(3, 4)
    np.testing.assert_allclose(f(a, x), a @ x)
    two = theano.vectorize(lambda u, v: (u * v, u.sum()), in_axes=(0, -1))
    g = theano.function([A, X], list(two(A, X)))
    p, q = g(x, x.T)
    np.testing.assert_allclose(p, x * x)
    np.testing.assert_allclose(q, x.sum(1))


def test_what_is_the_same_for_all_is_repeated() -> None:
    x = T.dmatrix("x")
    f = theano.function([x], theano.vectorize(lambda v: T.arange(3))(x), on_unused_input="ignore")
    np.testing.assert_array_equal(f(RNG.rand(2, 3)), [[0, 1, 2]] * 2)


def test_twice() -> None:
    a, b = T.dmatrix("a"), T.dmatrix("b")
    table = theano.vectorize(lambda u: theano.vectorize(lambda v: ((u - v) ** 2).sum())(b))(a)
    p, q = RNG.rand(4, 3), RNG.rand(5, 3)
    np.testing.assert_allclose(
        theano.function([a, b], table)(p, q), ((p[:, None] - q[None]) ** 2).sum(-1)
    )


def test_gradients_pass_through() -> None:
    def cost(x: Any) -> Any:
        return (theano.vectorize(lambda v: T.tanh(T.dot(T.constant(M), v)))(x) ** 2).sum()

    verify_grad(cost, [RNG.rand(5, 3)], rng=RNG)


def test_wrong_arguments() -> None:
    x = T.dvector("x")
    with pytest.raises(ValueError, match="in_axes"):
        theano.vectorize(lambda v: v, in_axes=(0, 0))(x)
    with pytest.raises(ValueError, match="axis"):
        theano.vectorize(lambda v: v, in_axes=1)(x)
    with pytest.raises(ValueError, match="no argument"):
        theano.vectorize(lambda v: v, in_axes=None)(x)
