"""Copies and pickles of functions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import theano
import theano.tensor as T


def accumulator():
    x, s = T.dvector("x"), theano.shared(np.zeros(2), "s")
    return x, s, theano.function([x], s * 2, updates=[(s, s + x)], name="acc")


def test_a_copy_shares_the_shared_variables():
    _, s, f = accumulator()
    g = f.copy()
    f([1, 2])
    np.testing.assert_array_equal(g([0, 0]), [2, 4])
    assert copy.copy(f).get_shared() == [s]
    assert g.name == "acc copy"


def test_swap_gives_the_copy_other_state():
    _, s, f = accumulator()
    other = theano.shared(np.ones(2), "other")
    g = f.copy(swap={s: other})
    np.testing.assert_array_equal(g([1, 1]), [2, 2])
    np.testing.assert_array_equal(other.get_value(), [2, 2])
    np.testing.assert_array_equal(s.get_value(), [0, 0])
    with pytest.raises(TypeError, match="identical"):
        f.copy(swap={s: theano.shared(1.0)})
    with pytest.raises(ValueError, match="not a shared variable of this"):
        f.copy(swap={other: s})


def test_a_copy_without_updates_changes_nothing():
    _, s, f = accumulator()
    g = f.copy(delete_updates=True)
    g([1, 1])
    np.testing.assert_array_equal(s.get_value(), [0, 0])
    assert len(g.maker.fgraph.outputs) == 1


def test_a_deep_copy_has_its_own_values():
    _, s, f = accumulator()
    f([1, 1])
    g = copy.deepcopy(f)
    np.testing.assert_array_equal(g([1, 1]), [2, 2])
    np.testing.assert_array_equal(g([1, 1]), [4, 4])
    np.testing.assert_array_equal(s.get_value(), [1, 1])
    together = copy.deepcopy({"f": f, "s": s})
    together["f"]([1, 1])
    np.testing.assert_array_equal(together["s"].get_value(), [2, 2])


def test_hidden_state_is_copied():
    x, acc = T.dscalar("x"), T.dscalar("acc")
    f = theano.function([x, theano.In(acc, value=0.0, update=acc + x)], acc)
    f(5)
    g = f.copy()
    assert g(1) == 5
    assert f(1) == 5
    h = pickle.loads(pickle.dumps(f))
    assert h(1) == 6
    assert h(1) == 7
    assert f(1) == 6


def test_pickling_keeps_graph_values_names_and_defaults():
    x, s, _ = accumulator()
    y = T.dscalar("y")
    f = theano.function(
        [x, theano.In(y, value=2.0)], {"a": s * y, "b": x}, updates=[(s, s + x)], name="named"
    )
    f([1, 2])
    g, t = pickle.loads(pickle.dumps((f, s)))
    result = g([1, 1])
    np.testing.assert_array_equal(result["a"], [2, 4])
    np.testing.assert_array_equal(g(x=[0, 0], y=1)["a"], [2, 3])
    assert g.name == "named"
    np.testing.assert_array_equal(t.get_value(), [2, 3])
    np.testing.assert_array_equal(s.get_value(), [1, 2])
    again = pickle.loads(pickle.dumps(g))
    np.testing.assert_array_equal(again([0, 0])["a"], [4, 6])


def test_deep_graphs_pickle():
    x = T.dscalar("x")
    y = x
    for _ in range(3000):
        y = T.sin(y + x)
    f = theano.function([x], y, mode=theano.Mode("py", None))
    assert pickle.loads(pickle.dumps(f))(0.5) == f(0.5)


def test_flags_of_unpickling():
    _, _, f = accumulator()
    data = pickle.dumps(f)
    with theano.change_flags(unpickle_function=False):
        assert pickle.loads(data) is None
    with theano.change_flags(reoptimize_unpickled_function=True):
        np.testing.assert_array_equal(pickle.loads(data)([0, 0]), [0, 0])


def test_function_dump(tmp_path):
    x = T.dscalar("x")
    path = tmp_path / "dump.pkl"
    theano.compile.function_dump(str(path), [x], x * 2)
    f = theano.function(**pickle.loads(path.read_bytes()))
    assert f(3) == 6
