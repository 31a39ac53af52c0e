"""Rewriting keeps the checks that the sizes of an alloc ask for."""

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
