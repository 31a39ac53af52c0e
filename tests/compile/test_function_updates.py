"""theano.function: updates, givens, state, aliasing, clones."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from builders import in_threads

import theano
import theano.tensor as T
from theano.core.errors import MissingInputError

MODES = ["FAST_RUN", "FAST_COMPILE", theano.Mode("numpy", "fast_run")]
each_mode = pytest.mark.parametrize("mode", MODES, ids=["run", "compile", "program"])


# ---- updates and givens


@each_mode
def test_updates_are_simultaneous_and_outputs_see_old_values(mode):
    a, b = theano.shared(1.0, "a"), theano.shared(2.0, "b")
    f = theano.function([], [a, b, a + b], updates=[(a, b), (b, a)], mode=mode)
    assert f() == [1, 2, 3]
    assert (a.get_value(), b.get_value()) == (2, 1)
    assert f() == [2, 1, 3]


@pytest.mark.parametrize("form", [dict, OrderedDict, list, tuple, iter])
def test_updates_come_as_mappings_or_pairs(form):
    a = theano.shared(1.0, "a")
    theano.function([], updates=form([(a, a + 1)]))()
    assert a.get_value() == 2
    theano.function([], updates={a: a + 1}.items())()
    assert a.get_value() == 3


def test_updates_take_python_numbers():
    a = theano.shared(1.0, "a")
    theano.function([], updates=[(a, 7)])()
    assert a.get_value() == 7
    assert a.get_value().dtype == "float64"


def test_an_update_has_the_type_of_its_target():
    s = theano.shared(np.zeros((1, 3), "float32"), "s")
    with pytest.raises(TypeError, match="same type as the original"):
        theano.function([], updates=[(s, T.cast(s, "float64"))])
    with pytest.raises(TypeError, match="unbroadcast"):
        theano.function([], updates=[(s, T.addbroadcast(s, 0))])
    with pytest.raises(TypeError, match="same type as the original"):
        theano.function([], updates=[(s, s.sum())])


def test_bad_update_targets():
    x, s = T.dscalar("x"), theano.shared(1.0, "s")
    with pytest.raises(TypeError, match="shared variable"):
        theano.function([x], x, updates=[(x, x + 1)])
    with pytest.raises(ValueError, match="two updates"):
        theano.function([], [], updates=[(s, s + 1), (s, s + 2)])
    with pytest.raises(TypeError, match="pairs"):
        theano.function([], [], updates=[s])


def test_default_updates_apply_wherever_the_variable_is_reached():
    a, b = theano.shared(0.0, "a"), theano.shared(0.0, "b")
    a.default_update = a + 1
    b.default_update = b + a
    f = theano.function([], b)
    f()
    assert (a.get_value(), b.get_value()) == (1, 0)
    f()
    assert (a.get_value(), b.get_value()) == (2, 1)
    theano.function([], b, no_default_updates=True)()
    assert (a.get_value(), b.get_value()) == (2, 1)
    theano.function([], b, no_default_updates=[a])()
    assert (a.get_value(), b.get_value()) == (2, 3)
    theano.function([], a, updates=[(a, a + 10)])()
    assert a.get_value() == 12


@each_mode
def test_shared_variables_are_unchanged_when_a_call_raises(mode):
    x, s = T.dvector("x"), theano.shared(np.zeros(3), "s")
    count = theano.shared(0, "count")
    f = theano.function([x], s + x, updates=[(s, s + x), (count, count + 1)], mode=mode)
    f(np.ones(3))
    with pytest.raises(ValueError, match=r"mis-?match"):
        f(np.ones(4))
    np.testing.assert_array_equal(s.get_value(), np.ones(3))
    assert count.get_value() == 1


@each_mode
def test_givens_replace_in_outputs_and_updates(mode):
    x, s = T.dscalar("x"), theano.shared(0.0, "s")
    data = theano.shared(np.arange(10.0), "data")
    i = T.lscalar("i")
    f = theano.function([i], x * 2, updates=[(s, s + x)], givens={x: data[i]}, mode=mode)
    assert f(3) == 6
    assert s.get_value() == 3


def test_givens_take_constants_and_arrays():
    x, v = T.dscalar("x"), T.dvector("v")
    assert theano.function([], x + 1, givens={x: 4})() == 5
    array = np.arange(3.0)
    f = theano.function([], v.sum(), givens=[(v, array)])
    array[:] = 100
    assert f() == 3


def test_givens_replace_intermediate_and_shared_variables():
    x = T.dscalar("x")
    middle = x + 1
    s, other = theano.shared(1.0, "s"), theano.shared(5.0, "other")
    y = T.dscalar("y")
    assert theano.function([y], middle * 2, givens={middle: y * 3})(2) == 12
    assert theano.function([], s + 1, givens={s: other})() == 6


def test_givens_may_not_replace_an_input():
    x = T.dscalar("x")
    with pytest.raises(RuntimeError, match="forbidden"):
        theano.function([x], x + 1, givens={x: x * 2})


def test_givens_are_not_applied_to_each_other():
    a = T.dscalar("a")
    c, d = T.dscalars("c", "d")
    with pytest.raises(AssertionError, match="replaced later"):
        theano.function([d], c, givens=[(c, a + 1), (a, d)])


def test_givens_must_have_the_type_unless_rebuilt_freely():
    x = T.fvector("x")
    s = theano.shared(np.ones(2))
    with pytest.raises(TypeError):
        theano.function([], x * 2, givens={x: s})
    f = theano.function([], x * 2, givens={x: s}, rebuild_strict=False)
    assert f().dtype == "float64"


# ---- state and aliasing


def test_an_input_with_an_update_keeps_its_state():
    x, acc = T.dscalar("x"), T.dscalar("acc")
    f = theano.function([x, theano.In(acc, value=0.0, update=acc + x)], acc)
    assert [f(1), f(1), f(1)] == [0, 1, 2]
    assert f[acc] == 3
    assert f(1, 10) == 10
    assert f.value[acc] == 11
    f[acc] = 0
    assert f(1) == 0


@each_mode
def test_results_share_memory_with_nothing(mode):
    x = T.dvector("x")
    s = theano.shared(np.zeros(3), "s")
    f = theano.function([x], [x, x[::-1], x[1:], s, s, T.constant(np.ones(3))], mode=mode)
    value = np.arange(3.0)
    results = f(value)
    held = [value, s.get_value(borrow=True), *results]
    for i, a in enumerate(held):
        for b in held[i + 1 :]:
            assert not np.shares_memory(a, b)
    before = results[5].copy()
    results[5][:] = 7
    np.testing.assert_array_equal(f(value)[5], before)


@each_mode
def test_updates_do_not_keep_the_callers_array(mode):
    x = T.dvector("x")
    a, b = theano.shared(np.zeros(3), "a"), theano.shared(np.zeros(3), "b")
    f = theano.function([x], a, updates=[(a, x), (b, x)], mode=mode)
    value = np.ones(3)
    f(value)
    value[:] = 5
    np.testing.assert_array_equal(a.get_value(), np.ones(3))
    assert not np.shares_memory(a.get_value(borrow=True), b.get_value(borrow=True))


def test_a_borrowed_output_is_still_right():
    x = T.dvector("x")
    f = theano.function([theano.In(x, borrow=True)], theano.Out(x * 2, borrow=True))
    np.testing.assert_array_equal(f(np.ones(2)), [2, 2])


def test_mutable_without_borrow_makes_no_sense():
    with pytest.raises(AssertionError, match="mutable"):
        theano.In(T.dvector(), mutable=True, borrow=False)


def test_many_threads_share_one_counter():
    count = theano.shared(0, "count")
    f = theano.function([], count, updates=[(count, count + 1)])
    seen: list[int] = []

    def work(_):
        seen.extend(int(f()) for _ in range(50))

    in_threads(work, range(8))
    assert count.get_value() == 400
    assert sorted(seen) == list(range(400))


def test_what_scripts_read_from_a_function():
    x = T.dvector("x")
    s = theano.shared(1.0, "s")
    f = theano.function([x], T.exp(x) * s, updates=[(s, s + 1)], mode="FAST_COMPILE")
    assert [str(n.op) for n in f.maker.fgraph.toposort()]
    assert len(f.maker.fgraph.outputs) == 2
    assert f.maker.fgraph.inputs[0] is x
    assert f.get_shared() == [s]
    assert f.container[x].data is None
    assert s in f
    assert f.maker.inputs[0].variable is x
    assert len(f.input_storage) == 2
    assert len(f.fn.nodes) == len(f.maker.fgraph.toposort())
    f.free()
    assert f([0.0]) == 1


def test_the_graph_of_the_user_is_left_alone():
    x = T.dscalar("x")
    y = T.log(1 + T.exp(x))
    text = theano.pp(y)
    theano.function([x], y)
    assert theano.pp(y) == text
    assert y.owner.inputs[0].owner is not None


def test_long_chains_compile():
    x = T.dscalar("x")
    y = x
    for _ in range(5000):
        y = y + x
    f = theano.function([x], y, mode=theano.Mode("py", None))
    assert f(1.0) == 5001


def test_eval():
    x, y = T.dmatrix("x"), T.dmatrix("y")
    z = x + y
    result = z.eval({x: [[1, 2], [1, 3]], y: [[1, 0], [3, 4]]})
    np.testing.assert_array_equal(result, [[2, 2], [4, 7]])
    assert (z * 2).eval({z: [[1.0]]}) == 2
    assert len(z._fn_cache) == 1
    z.eval({y: [[1.0]], x: [[1.0]]})
    assert len(z._fn_cache) == 1
    assert T.constant(3).eval() == 3
    with pytest.raises(TypeError, match="keys"):
        z.eval({"x": 1})
    with pytest.raises(TypeError, match="dictionary"):
        z.eval([1])
    with pytest.raises(MissingInputError):
        z.eval({x: [[1.0]]})


def test_clone_replaces_and_copies():
    x, y = T.dscalars("x", "y")
    z = T.exp(x) + x
    other = theano.clone(z, replace={x: y * 2})
    assert theano.function([y], other)(0) == 1
    assert theano.function([x], z)(0) == 1
    self_reference = theano.clone(z, {x: x + 1})
    assert theano.function([x], self_reference)(-1) == 1
    copied = theano.clone([z, z * 2])
    assert copied[0] is not z
    assert copied[0] is copied[1].owner.inputs[0]
    with pytest.raises(TypeError):
        theano.clone(z, {x: T.fvector()})
