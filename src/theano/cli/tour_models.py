"""The two models of the tour, twice: as a user of Theano writes them, and by hand in NumPy.

Logistic regression, then a network with one hidden layer of tanh units: minibatch stochastic
gradient descent on the negative log-likelihood, all in float32. Both versions of a model begin with
the same parameters and do the same steps; the gradients that NumPy needs were derived on paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

import theano.tensor as T
from theano.autodiff.reverse import grad
from theano.cli.digits import Digits
from theano.compile.function import function
from theano.compile.shared import shared

CLASSES: Final = 10
BATCH: Final = 20

Parameters = list[Any]


@dataclass(frozen=True)
class Model:
    """A model ready to train: ``step(i)`` trains on minibatch i and returns its cost.

    ``errors()`` is the fraction of held-out digits that are misread, ``weights()`` the weights of
    the first layer.
    """

    step: Callable[[int], float]
    errors: Callable[[], float]
    weights: Callable[[], Any]


@dataclass(frozen=True)
class Recipe:
    """What is trained and how: initial parameters, the two versions, epochs, and its picture.

    ``caption`` and ``labels`` (one per image, or none) go with the weights of the first layer.
    """

    name: str
    what: str
    start: Callable[[int], Parameters]
    symbolic: Callable[[Digits, Parameters], Model]
    numeric: Callable[[Digits, Parameters], Model]
    epochs: int
    fast_epochs: int
    caption: str
    labels: str = ""

    @property
    def title(self) -> str:
        """Name and formula."""
        return f"{self.name}: {self.what}"


# ---- in Theano


def minibatch_model(
    digits: Digits, x: Any, y: Any, cost: Any, errors: Any, params: list[Any], rate: float
) -> Model:
    """The functions of a model whose ``cost`` and ``errors`` are expressions of ``x`` and ``y``.

    The data live in shared variables, ``givens`` puts a slice of them in the place of ``x`` and
    ``y``: a call passes nothing but the number of the minibatch.
    """
    train_x, test_x = shared(digits.train_x, borrow=True), shared(digits.test_x, borrow=True)
    train_y, test_y = shared(digits.train_y, borrow=True), shared(digits.test_y, borrow=True)
    index = T.lscalar("index")
    batch = slice(index * BATCH, (index + 1) * BATCH)
    train = function(
        [index],
        cost,
        updates=[(p, p - rate * g) for p, g in zip(params, grad(cost, params), strict=True)],
        givens={x: train_x[batch], y: train_y[batch]},
        name="train",
    )
    test = function([], errors, givens={x: test_x, y: test_y}, name="test")
    return Model(lambda i: float(train(i)), lambda: float(test()), params[0].get_value)


def logistic(digits: Digits, start: Parameters) -> Model:
    """Logistic regression: softmax(x W + b)."""
    x, y = T.fmatrix("x"), T.ivector("y")
    W, b = (shared(value, name=name) for value, name in zip(start, "Wb", strict=True))
    p_y_given_x = T.nnet.softmax(T.dot(x, W) + b)
    cost = -T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    errors = T.mean(T.neq(T.argmax(p_y_given_x, axis=1), y))
    return minibatch_model(digits, x, y, cost, errors, [W, b], rate=0.13)


def mlp(digits: Digits, start: Parameters) -> Model:
    """One hidden layer: softmax(tanh(x V + c) W + b), with a penalty on large weights."""
    x, y = T.fmatrix("x"), T.ivector("y")
    V, c, W, b = (shared(value, name=name) for value, name in zip(start, "VcWb", strict=True))
    hidden = T.tanh(T.dot(x, V) + c)
    p_y_given_x = T.nnet.softmax(T.dot(hidden, W) + b)
    likelihood = T.mean(T.log(p_y_given_x)[T.arange(y.shape[0]), y])
    cost = -likelihood + PENALTY * ((V**2).sum() + (W**2).sum())
    errors = T.mean(T.neq(T.argmax(p_y_given_x, axis=1), y))
    return minibatch_model(digits, x, y, cost, errors, [V, c, W, b], rate=0.4)


PENALTY: Final = 1e-4


# ---- by hand in NumPy


def softmax(z: Any) -> Any:
    """Rows that sum to one."""
    z = z - z.max(axis=1, keepdims=True)
    np.exp(z, out=z)
    z /= z.sum(axis=1, keepdims=True)
    return z


def misread(p: Any, labels: Any) -> float:
    """The fraction of rows whose largest probability is not that of their label."""
    return float(np.mean(p.argmax(axis=1) != labels))


def logistic_numpy(digits: Digits, start: Parameters, rate: float = 0.13) -> Model:
    """`logistic` with its gradient written out."""
    W, b = (value.copy() for value in start)
    rows = np.arange(BATCH)

    def step(i: int) -> float:
        x = digits.train_x[i * BATCH : (i + 1) * BATCH]
        y = digits.train_y[i * BATCH : (i + 1) * BATCH]
        p = softmax(x @ W + b)
        cost = -np.log(p[rows, y]).mean()
        p[rows, y] -= 1
        p *= rate / BATCH
        np.subtract(W, x.T @ p, out=W)
        np.subtract(b, p.sum(axis=0), out=b)
        return float(cost)

    def errors() -> float:
        return misread(softmax(digits.test_x @ W + b), digits.test_y)

    return Model(step, errors, lambda: W)


def mlp_numpy(digits: Digits, start: Parameters, rate: float = 0.4) -> Model:
    """`mlp` with its gradients written out."""
    V, c, W, b = (value.copy() for value in start)
    rows = np.arange(BATCH)

    def step(i: int) -> float:
        x = digits.train_x[i * BATCH : (i + 1) * BATCH]
        y = digits.train_y[i * BATCH : (i + 1) * BATCH]
        h = np.tanh(x @ V + c)
        p = softmax(h @ W + b)
        size = np.vdot(V, V) + np.vdot(W, W)
        cost = -np.log(p[rows, y]).mean() + PENALTY * size
        p[rows, y] -= 1
        p *= rate / BATCH
        back = (p @ W.T) * (1 - h * h)
        decay = np.float32(1 - 2 * rate * PENALTY)
        for weights, change in ((W, h.T @ p), (V, x.T @ back)):
            weights *= decay
            weights -= change
        np.subtract(b, p.sum(axis=0), out=b)
        np.subtract(c, back.sum(axis=0), out=c)
        return float(cost)

    def errors() -> float:
        h = np.tanh(digits.test_x @ V + c)
        return misread(softmax(h @ W + b), digits.test_y)

    return Model(step, errors, lambda: V)


# ---- both


def logistic_start(pixels: int) -> Parameters:
    """Zeros."""
    return [np.zeros((pixels, CLASSES), np.float32), np.zeros(CLASSES, np.float32)]


HIDDEN: Final = 100


def mlp_start(pixels: int) -> Parameters:
    """Small random weights of the hidden layer (Glorot and Bengio, AISTATS 2010), else zeros."""
    bound = np.sqrt(6.0 / (pixels + HIDDEN))
    weights = np.random.default_rng(1234).uniform(-bound, bound, (pixels, HIDDEN))
    return [
        weights.astype(np.float32), np.zeros(HIDDEN, np.float32),
        np.zeros((HIDDEN, CLASSES), np.float32), np.zeros(CLASSES, np.float32),
    ]  # fmt: skip


RECIPES: Final = (
    Recipe(
        "logistic regression", "softmax(x W + b)", logistic_start, logistic, logistic_numpy,
        epochs=25, fast_epochs=10, labels="0123456789",
        caption="logistic regression: pixels that speak for (red) and against (blue) a digit",
    ),
    Recipe(
        "MLP", f"softmax(tanh(x V + c) W + b), {HIDDEN} hidden units", mlp_start, mlp, mlp_numpy,
        epochs=40, fast_epochs=15,
        caption=f"MLP: the pixels that each of the {HIDDEN} hidden units looks at",
    ),
)  # fmt: skip
