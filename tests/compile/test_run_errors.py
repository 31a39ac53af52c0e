"""What an error at run time says."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile.errors import raise_with_op
from theano.graph.nodes import Op

MODES = ["FAST_RUN", "FAST_COMPILE"]


@pytest.mark.parametrize("mode", MODES)
def test_the_node_its_values_and_its_place(mode):
    x, y = T.dmatrix("x"), T.dvector("y")
    z = T.dot(x, y) * 2
    f = theano.function([x, y], z, mode=mode)
    with pytest.raises(ValueError, match="caused the error") as caught:
        f(np.ones((2, 3)), np.ones(4))
    text = str(caught.value)
    assert "Apply node that caused the error" in text
    assert "Toposort index" in text
    assert "[(2, 3), (4,)]" in text
    assert "array([1., 1., 1., 1.])" in text
    assert "not shown" in text
    assert "Backtrace when the node is created" in text
    assert "test_run_errors.py" in text
    assert "HINT" in text


@pytest.mark.parametrize("mode", MODES)
def test_a_matrix_does_not_stretch_where_a_column_does(mode):
    x, y = T.dmatrix("x"), T.dmatrix("y")
    f = theano.function([x, y], x + y, mode=mode)
    with pytest.raises(ValueError, match=r"[Ii]nput dimension mis-?match"):
        f(np.ones((3, 1)), np.ones((3, 4)))
    c = T.dcol("c")
    g = theano.function([c, y], c + y, mode=mode)
    assert g(np.ones((3, 1)), np.ones((3, 4))).shape == (3, 4)


def test_high_verbosity_says_more():
    x, y = T.dvector("x"), T.dvector("y")
    f = theano.function([x, y], x + y, mode="FAST_COMPILE")
    high = theano.change_flags(exception_verbosity="high")
    with high, pytest.raises(ValueError, match="Storage map footprint"):
        f([1.0], [1.0, 2.0])


class Picky(Exception):
    """An exception that cannot be made from one text."""

    def __init__(self, a, b):
        super().__init__(a, b)


class Fails(Op):
    __props__ = ()
    itypes = (T.dscalar,)
    otypes = (T.dscalar,)

    def perform(self, node, inputs, output_storage):
        raise Picky(1, 2)


@pytest.mark.parametrize("mode", MODES)
def test_exceptions_of_every_kind_keep_their_class(mode):
    x = T.dscalar("x")
    f = theano.function([x], Fails()(x), mode=mode)
    with pytest.raises(Picky) as caught:
        f(1.0)
    assert any("Apply node" in note for note in caught.value.__notes__)


def test_values_may_be_anything():
    x = T.dscalar("x")
    with pytest.raises(KeyError, match="not shown"):
        raise_with_op(KeyError("key"), (x + 1).owner, 0, [object(), 1.0])
