"""as_op: a Python function as an op."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile.ops import FromFunctionOp, as_op

MODES = ["FAST_RUN", "FAST_COMPILE"]


@as_op(
    itypes=[T.dmatrix, T.dmatrix], otypes=[T.dmatrix], infer_shape=lambda node, shapes: shapes[:1]
)
def halves(a, b):
    return (a + b) / 2


@as_op(T.dvector, [T.dvector, T.lscalar])
def two(x):
    return x, np.int64(len(x))


@as_op(T.dvector, T.dvector)
def wrong(x):
    return np.ones((2, 2))


@as_op(T.dvector, [T.dvector, T.dvector])
def too_few(x):
    return x


@pytest.mark.parametrize("mode", MODES)
def test_it_is_called_with_arrays(mode):
    a, b = T.dmatrices("a", "b")
    f = theano.function([a, b], [halves(a, b) * 2, halves(a, b).shape], mode=mode)
    value, shape = f(np.ones((2, 3)), np.zeros((2, 3)))
    assert value.tolist() == [[1] * 3] * 2
    assert shape.tolist() == [2, 3]


@pytest.mark.parametrize("mode", MODES)
def test_several_results_that_share_no_memory_with_arguments(mode):
    x = T.dvector("x")
    given = np.arange(3.0)
    same, n = theano.function([x], two(x), mode=mode)(given)
    assert not np.shares_memory(same, given)
    assert same.tolist() == [0, 1, 2]
    assert n == 3


@pytest.mark.parametrize("mode", MODES)
def test_wrong_results_are_refused(mode):
    x = T.dvector("x")
    with pytest.raises(TypeError, match="wrong"):
        theano.function([x], wrong(x), mode=mode)(np.ones(2))
    with pytest.raises(ValueError, match="too_few"):
        theano.function([x], too_few(x), mode=mode)(np.ones(2))


def test_types_are_checked():
    with pytest.raises(TypeError, match="itypes"):
        as_op([int], T.dvector)
    with pytest.raises(TypeError, match="infer_shape"):
        as_op(T.dvector, T.dvector, infer_shape=3)
    x = T.dmatrix()
    with pytest.raises(NotImplementedError, match="gradient"):
        theano.grad(halves(x, x).sum(), x)


def test_pickled_by_name():
    assert isinstance(halves, FromFunctionOp)
    assert pickle.loads(pickle.dumps(halves)) is halves
    local = as_op(T.dvector, T.dvector)(lambda x: x)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(local)


def test_names():
    assert theano.as_op is as_op
    assert theano.compile.view_op is theano.compile.ops.view_op
