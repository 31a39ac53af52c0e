"""Graphs as ops."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import DisconnectedType, verify_grad

RNG = np.random.RandomState(3)


def scaled() -> theano.OpFromGraph:
    x, y, z = T.dmatrices("x", "y", "z")
    return theano.OpFromGraph([x, y, z], [x + y * z, T.exp(x).sum()])


@pytest.mark.parametrize("mode", [None, theano.Mode("cvm", None), theano.Mode("py", "fast_run")])
def test_it_computes_the_graph(mode: Any) -> None:
    x, y, z = T.dmatrices("x", "y", "z")
    op = scaled()
    a, b = op(x, y, z)
    c, _ = op(x * 2, a, z)
    f = theano.function([x, y, z], [a, b, c, a.shape], mode=mode)
    u, v, w = RNG.rand(3, 2, 3)
    got = f(u, v, w)
    np.testing.assert_allclose(got[0], u + v * w)
    np.testing.assert_allclose(got[1], np.exp(u).sum())
    np.testing.assert_allclose(got[2], 2 * u + (u + v * w) * w)
    assert tuple(got[3]) == (2, 3)


def test_gradients_of_first_and_second_order() -> None:
    def cost(x: Any, y: Any, z: Any) -> Any:
        a, b = scaled()(x, y, z)
        return (a**2).sum() * b

    point = list(RNG.rand(3, 2, 2))
    verify_grad(cost, point, rng=RNG)
    verify_grad(
        lambda *args: sum((g**2).sum() for g in theano.grad(cost(*args), list(args))),
        point,
        rng=RNG,
    )


def test_directions() -> None:
    x, y, z, v = T.dmatrices("x", "y", "z", "v")
    a, _ = scaled()(x, y, z)
    f = theano.function([x, y, z, v], theano.Rop(a, y, v), on_unused_input="ignore")
    u = RNG.rand(4, 2, 2)
    np.testing.assert_allclose(f(*u), u[3] * u[2])


def test_overrides() -> None:
    x, y = T.dvectors("x", "y")
    plain = [x * y + y]
    ten = theano.OpFromGraph([x, y], plain, grad_overrides=lambda i, g: [g[0] * 10, g[0] * i[0]])
    each = theano.OpFromGraph([x, y], plain, lop_overrides=["default", lambda i, o, g: g[0] * o[0]])
    none = theano.OpFromGraph([x, y], plain, grad_overrides=[None, "default"])
    rop = theano.OpFromGraph([x, y], plain, rop_overrides=lambda i, e: [e[0] * 7])
    a, b = RNG.rand(2, 3)

    def slopes(op: Any) -> Any:
        return theano.function([x, y], theano.grad(op(x, y).sum(), [x, y]))(a, b)

    np.testing.assert_allclose(slopes(ten), [np.full(3, 10.0), a])
    np.testing.assert_allclose(slopes(each), [b, a * b + b])
    np.testing.assert_allclose(slopes(none), [np.zeros(3), a + 1])
    v = T.dvector("v")
    f = theano.function([x, y, v], theano.Rop(rop(x, y), x, v), on_unused_input="ignore")
    np.testing.assert_allclose(f(a, b, b), b * 7)


def test_an_op_may_be_the_gradient_of_another() -> None:
    x, g = T.dvectors("x", "g")
    backward = theano.OpFromGraph([x, g], [g * 3])
    op = theano.OpFromGraph([x], [x**2], grad_overrides=backward)
    y = T.dvector("y")
    np.testing.assert_allclose(theano.grad(op(y).sum(), y).eval({y: [1.0, 2.0]}), [3, 3])


def test_shared_variables_are_found() -> None:
    s = theano.shared(np.ones(3))
    x = T.dvector("x")
    op = theano.OpFromGraph([x], [x * s])
    f = theano.function([x], [op(x), theano.grad(op(x).sum(), s)], updates=[(s, s * 2)])
    np.testing.assert_allclose(f([1, 2, 3])[1], [1, 2, 3])
    np.testing.assert_allclose(f([1, 2, 3])[0], [2, 4, 6])


def test_what_is_not_connected_is_so() -> None:
    x, y = T.dvectors("x", "y")
    op = theano.OpFromGraph([x, y], [x * 2, y * 3])
    a, b = T.dvectors("a", "b")
    first = op(a, b)[0]
    assert op.connection_pattern(first.owner) == [[True, False], [False, True]]
    with pytest.raises(theano.gradient.DisconnectedInputError):
        theano.grad(first.sum(), b)
    assert isinstance(
        theano.grad(first.sum(), b, disconnected_inputs="ignore",
                    return_disconnected="disconnected").type, DisconnectedType)  # fmt: skip


def test_in_loops_and_pickles() -> None:
    x = T.dvector("x")
    s = T.dscalar("s")
    op = theano.OpFromGraph([s], [T.tanh(s) + s])
    out, _ = theano.scan(lambda r, t: op(r) + t, x, T.zeros(()))
    f = theano.function([x], out)
    a = RNG.rand(4)
    np.testing.assert_allclose(f(a), np.cumsum(np.tanh(a) + a))
    again = pickle.loads(pickle.dumps(op))
    np.testing.assert_allclose(again(s).eval({s: 0.5}), np.tanh(0.5) + 0.5)


def test_wrong_arguments() -> None:
    x, y = T.dvectors("x", "y")
    with pytest.raises(TypeError, match="list"):
        theano.OpFromGraph([x], x)
    with pytest.raises(TypeError, match="variables"):
        theano.OpFromGraph([x], [3])
    with pytest.raises(ValueError, match="not among"):
        theano.OpFromGraph([x], [x + y])
    with pytest.raises(ValueError, match="takes 1"):
        theano.OpFromGraph([x], [x])(x, y)
    with pytest.raises(TypeError):
        theano.OpFromGraph([x], [x])(T.dmatrix())
