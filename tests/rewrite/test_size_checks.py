"""A call whose sizes do not match fails even if rewriting drops what needed them to."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T


@pytest.mark.parametrize(
    "expression",
    [
        lambda x, n: x + T.ones((n,)),
        lambda x, n: x * T.zeros((n,)),
        lambda x, n: T.exp(x) + T.alloc(2.0, n),
    ],
    ids=["ones", "zeros", "alloc"],
)
def test_an_alloc_of_another_size_does_not_match(expression):
    x, n = T.dvector("x"), T.lscalar("n")
    f = theano.function([x, n], expression(x, n))
    assert f(np.ones(3), 3).shape == (3,)
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f(np.ones(3), 4)


@pytest.mark.parametrize(
    "expression",
    [
        lambda x, y: x + T.zeros_like(y),
        lambda x, y: x + 0 * y,
        lambda x, y: x * T.ones_like(y),
        lambda x, y: (x - x) * y + x,
        lambda x, y: theano.grad((x * y).sum(), x),
        lambda x, y: theano.grad((x[[0, 1, 2]] * y).sum(), y) * 0,
    ],
    ids=["zeros_like", "times_zero", "ones_like", "difference", "gradient", "rows"],
)
def test_arrays_that_are_only_looked_at(expression):
    x, y = T.dvectors("x", "y")
    f = theano.function([x, y], expression(x, y))
    assert f(np.ones(3), np.ones(3)).shape == (3,)
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f(np.ones(3), np.ones(4))


def test_shared_variables_and_updates():
    x, y = T.dmatrix("x"), theano.shared(np.ones((2, 3)))
    f = theano.function([x], x * 2, updates=[(y, y + T.zeros_like(x))])
    f(np.ones((2, 3)))
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f(np.ones((3, 3)))
    assert y.get_value().tolist() == [[1, 1, 1], [1, 1, 1]]


def test_equal_sizes_cost_one_comparison_an_axis():
    x, y = T.dvectors("x", "y")
    f = theano.function([x, y], (x + y) * T.ones_like(x) + T.zeros_like(y) * x)
    program = theano.explain(f, code=False)["program"]
    assert program.count("check") == 1
    assert program.count("launch") == 1
    g = theano.function([x], x + T.zeros_like(x))
    assert "check" not in theano.explain(g, code=False)["program"]
