"""theano.shared: types by value, copies unless borrowed, the registry of constructors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile.shared import constructors, shared_constructor
from theano.graph.generic import generic
from theano.graph.shared import SharedVariable


def test_numbers_keep_numpys_dtype_whatever_floatx():
    with theano.change_flags(floatX="float32"):
        assert str(theano.shared(0.0).type) == "TensorType(float64, scalar)"
        assert theano.shared(1).dtype == "int64"
        assert theano.shared(np.float32(1)).dtype == "float32"
        assert theano.shared(True).dtype == "bool"


def test_lists_and_other_objects_are_generic():
    for value in ([1, 2], (1,), "text", {"a": 1}, None):
        assert theano.shared(value).type == generic
    assert theano.shared(np.random.default_rng(1)).type == generic


def test_a_random_state_is_copied_unless_borrowed():
    state = np.random.RandomState(3)
    s, t = theano.shared(state), theano.shared(state, borrow=True)
    expected = copy.deepcopy(state).uniform()
    assert t.get_value(borrow=True) is state
    state.uniform()
    assert s.get_value().uniform() == expected


def test_no_dimension_of_an_array_is_broadcastable_unless_asked():
    ones = np.ones((1, 3))
    assert theano.shared(ones).broadcastable == (False, False)
    assert theano.shared(ones, broadcastable=(True, False)).broadcastable == (True, False)
    assert T.constant(ones).broadcastable == (True, False)


def test_symbolic_values_are_refused():
    with pytest.raises(TypeError, match="symbolic"):
        theano.shared(T.dscalar())
    with pytest.raises(TypeError, match="symbolic"):
        theano.shared(theano.shared(1.0) + 1)


def test_unknown_keywords_are_refused_with_advice():
    with pytest.raises(TypeError, match="dtype"):
        theano.shared(np.ones(2), dtype="float32")


def test_values_are_copied_in_and_out_unless_borrowed():
    array = np.zeros(3)
    s = theano.shared(array)
    array[0] = 1
    assert s.get_value()[0] == 0
    s.get_value()[0] = 5
    assert s.get_value()[0] == 0
    b = theano.shared(array, borrow=True)
    array[1] = 2
    assert b.get_value()[1] == 2
    assert b.get_value(borrow=True) is array
    b.get_value(borrow=True)[2] = 3
    assert b.get_value()[2] == 3
    new = np.ones(3)
    s.set_value(new)
    new[0] = 9
    assert s.get_value()[0] == 1
    s.set_value(new, borrow=True)
    new[0] = 8
    assert s.get_value()[0] == 8


def test_set_value_may_change_the_shape_but_not_rank_or_dtype():
    s = theano.shared(np.zeros(3, "float32"), "s")
    s.set_value(np.ones(5, "float32"))
    assert s.get_value().shape == (5,)
    s.set_value([1, 2])
    assert s.get_value().dtype == "float32"
    with pytest.raises(TypeError):
        s.set_value(np.zeros(3))
    with pytest.raises(TypeError):
        s.set_value(np.zeros((3, 1), "float32"))
    assert s.get_value().shape == (2,)


def test_functions_and_values_see_each_other():
    s = theano.shared(np.zeros(2), "s")
    f = theano.function([], s * 2)
    g = theano.function([], updates=[(s, s + 1)])
    g()
    np.testing.assert_array_equal(f(), [2, 2])
    s.set_value(np.array([5.0, 6.0, 7.0]))
    np.testing.assert_array_equal(f(), [10, 12, 14])


def test_value_property_raises():
    with pytest.raises(Exception, match="get_value"):
        theano.shared(1.0).value  # noqa: B018


def test_the_newest_constructor_is_asked_first():
    class Money:
        pass

    def money(value, name=None, strict=False, allow_downcast=None):
        if not isinstance(value, Money):
            raise TypeError
        return SharedVariable(f"money {name}", generic, value)

    shared_constructor(money)
    try:
        assert theano.shared(Money(), "m").name == "money m"
        assert theano.shared(1.0).ndim == 0
    finally:
        shared_constructor(money, remove=True)
    assert money not in constructors


def test_pickle_and_copy():
    s = theano.shared(np.arange(3.0), "s")
    for other in (pickle.loads(pickle.dumps(s)), copy.deepcopy(s)):
        assert other.name == "s"
        other.set_value(np.zeros(3))
    np.testing.assert_array_equal(s.get_value(), np.arange(3.0))
    twin = s.clone()
    twin.set_value(np.ones(3))
    np.testing.assert_array_equal(s.get_value(), np.ones(3))
