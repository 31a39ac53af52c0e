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


@pytest.mark.parametrize("linker", ["py", "numpy", "vm"])
@pytest.mark.parametrize("optimizer", ["fast_run", "fast_compile", None])
def test_the_same_error_however_it_is_run(linker, optimizer):
    x, y, n = *T.dvectors("x", "y"), T.lscalar("n")
    s = theano.shared(np.ones(3))
    mode = theano.Mode(linker, optimizer)
    f = theano.function([x, y], x + T.zeros_like(y), mode=mode)
    assert f(np.ones(3), np.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match=r"mis-match. .*shape\[0\] = 1, .*shape\[0\] = 3") as found:
        f(np.ones(1), np.ones(3))
    assert "Elemwise{add,no_inplace}(x, Elemwise{second,no_inplace}.0)" in str(found.value)
    f = theano.function([x, n], x * T.ones((n,)), mode=mode)
    assert f(np.ones(2), 2).tolist() == [1, 1]
    with pytest.raises(ValueError, match="mis-match"):
        f(np.ones(2), 3)
    f = theano.function([x], [], updates=[(s, s + T.zeros_like(x))], mode=mode)
    f(np.ones(3))
    with pytest.raises(ValueError, match="mis-match"):
        f(np.ones(4))
    f = theano.function([x], x + T.zeros_like(T.constant(np.ones(5))), mode=mode)
    with pytest.raises(ValueError, match="mis-match"):
        f(np.ones(4))
    assert f(np.ones(5)).shape == (5,)
