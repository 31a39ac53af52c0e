"""Elementwise ops of scalar ops with several outputs."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.scalar import ScalarOp, transfer_type, upgrade_to_float


class Polar(ScalarOp):
    nin, nout = 2, 2

    def impl(self, x: Any, y: Any) -> Any:
        return np.sqrt(x * x + y * y), np.arctan2(y, x)

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (x, y), (r, _), (gr, ga) = inputs, outputs, output_grads
        return [(gr * x - ga * y / r) / r, (gr * y + ga * x / r) / r]


class Halves(ScalarOp):
    """Writes its kernel code itself."""

    nin, nout = 1, 2

    def impl(self, x: Any) -> Any:
        raise AssertionError("the kernel code is used")

    def body(self, k: Any, x: Any) -> Any:
        return k.floor(x), x - k.floor(x)


polar = T.Elemwise(Polar(transfer_type(None, None)))
X, Y = np.random.RandomState(1).uniform(0.5, 2, (3, 4)), np.linspace(0.5, 1, 4)
MODES = ["FAST_RUN", "FAST_COMPILE", theano.Mode(linker="py", optimizer=None)]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_values_and_gradients(mode: Any) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    r, a = polar(x, y)
    slopes = theano.grad((2 * r + a).sum(), [x, y])
    found = theano.function([x, y], [r, a, *slopes], mode=mode)(X, Y)
    hypot = np.hypot(X, Y)
    np.testing.assert_allclose(found[0], hypot)
    np.testing.assert_allclose(found[1], np.arctan2(Y, X))
    np.testing.assert_allclose(found[2], (2 * X - Y / hypot) / hypot)
    np.testing.assert_allclose(found[3], ((2 * Y + X / hypot) / hypot).sum(axis=0))


def test_native_and_of_second_order() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    assert "Python steps: none" in str(theano.explain(theano.function([x, y], polar(x, y))))
    rng = np.random.RandomState(2)
    verify_grad(lambda x, y: sum(polar(x, y)), [X, Y], rng=rng)
    verify_grad(lambda x, y: theano.grad(polar(x, y)[1].sum(), x), [X, Y], rng=rng)
    moved = theano.Rop(polar(x, y)[0], x, T.ones_like(x))
    np.testing.assert_allclose(moved.eval({x: X, y: Y}), X / np.hypot(X, Y))


def test_kernel_code_of_its_own() -> None:
    x = T.fvector("x")
    f = theano.function([x], T.Elemwise(Halves(transfer_type(0, 0)))(x))
    whole, rest = f(np.array([1.25, -0.5], "float32"))
    assert (whole.dtype, rest.dtype) == ("float32", "float32")
    assert (whole.tolist(), rest.tolist()) == ([1, -1], [0.25, 0.5])


def test_one_output_used_and_one_with_a_given_name() -> None:
    x = T.dvector("x")
    op = T.Elemwise(Polar(transfer_type(None, None)), name="polar")
    assert str(op) == "polar"
    f = theano.function([x], op(x, x)[1])
    np.testing.assert_allclose(f([1.0, 3.0]), np.pi / 4)


def test_equality_and_pickling() -> None:
    again = pickle.loads(pickle.dumps(polar))
    assert again == polar
    assert hash(again) == hash(polar)
    assert polar != T.Elemwise(Polar(upgrade_to_float))


def test_shapes_that_do_not_fit() -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    f = theano.function([x, y], polar(x, y))
    with pytest.raises(ValueError, match="mis-match"):
        f(X, Y[:2])
