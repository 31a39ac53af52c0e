"""OrderedUpdates checks what it is given."""

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.updates import OrderedUpdates


@pytest.fixture
def ab():
    return theano.shared(np.float64(1), "a"), theano.shared(np.float64(2), "b")


def test_order_is_kept_and_function_takes_it(ab):
    a, b = ab
    updates = OrderedUpdates([(b, a + 1), (a, b * 10)])
    assert list(updates) == [b, a]
    theano.function([], [], updates=updates)()
    assert (a.get_value(), b.get_value()) == (20.0, 2.0)


def test_values_become_variables_of_the_right_type(ab):
    a, _ = ab
    updates = OrderedUpdates()
    updates[a] = 3.0
    assert updates[a].type == a.type


def test_wrong_keys_and_values(ab):
    a, _ = ab
    with pytest.raises(TypeError, match="shared variables"):
        OrderedUpdates([(T.dscalar(), 1.0)])
    with pytest.raises(TypeError, match="update of a"):
        OrderedUpdates([(a, T.dvector())])


def test_adding(ab):
    a, b = ab
    both = OrderedUpdates({a: a + 1}) + OrderedUpdates({b: b + 1})
    assert list(both) == [a, b]
    assert list({b: both[b]} + both) == [b, a]


def test_two_different_values_collide(ab):
    a, _ = ab
    value = a + 1
    updates = OrderedUpdates({a: value})
    updates.update({a: value})
    with pytest.raises(KeyError, match="Collision"):
        updates.update({a: a + 2})
