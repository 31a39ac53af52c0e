"""Products of exp(x) and sigmoid(-x): stable, and each factor counted as often as it occurs."""

import numpy as np
import pytest

import theano
import theano.tensor as T

x, y = T.dvectors("x", "y")
e, s = T.exp(x), T.nnet.sigmoid(-x)


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        (T.mul(e, s), lambda e, s, y: e * s),
        (T.mul(e, e, s), lambda e, s, y: e * e * s),
        (T.mul(e, s, s), lambda e, s, y: e * s * s),
        (y * s * e, lambda e, s, y: y * s * e),
        ((y * s) * (y * e), lambda e, s, y: y * s * y * e),
    ],
)
def test_value(product, expected):
    a, b = np.linspace(-2, 2, 5), np.linspace(1, 3, 5)
    f = theano.function([x, y], product, on_unused_input="ignore")
    np.testing.assert_allclose(f(a, b), expected(np.exp(a), 1 / (1 + np.exp(a)), b))


def test_gradient_of_a_weighted_log_does_not_overflow():
    slope = theano.grad((T.log(1 + T.exp(x)) * y).sum(), x)
    f = theano.function([x, y], slope)
    np.testing.assert_array_equal(f([1000.0, -1000.0], [2.0, 3.0]), [2, 0])
