"""Values that are no arrays, in Programs: passed on by native code, kept alive, given back."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from builders import in_threads
from object_ops import Item, Merge, Pop, Put, Same, Wrap

import theano
import theano.tensor as T
from theano.core.config import change_flags
from theano.lower import program as pg
from theano.lower.function import lower_function
from theano.lower.text import parse, text
from theano.lower.verify import InvalidProgram, verify

item, put, merge, same = Item(), Put(), Merge(), Same()
d, e, k = theano.generic("d"), theano.generic("e"), theano.generic("k")
x = T.dvector("x")


def native(function: Any) -> bool:
    return function.native is not None


@pytest.fixture(params=["native", "numpy", "reference"])
def mode(request):
    modes = {"native": None, "numpy": theano.Mode("numpy"), "reference": "FAST_COMPILE"}
    return modes[request.param]


def test_arrays_between_python_steps_are_native_and_fused():
    f = theano.function([d, k, x], [T.exp(item(d, k)) * x + 1, put(d, k, x * 2)])
    steps = f.program.steps
    assert native(f)
    assert sum(isinstance(s, pg.Launch) for s in steps) == 1
    given = {"a": np.array([0.0, 1.0])}
    total, changed = f(given, "a", [1.0, 2.0])
    assert np.allclose(total, np.exp([0, 1]) * [1, 2] + 1)
    assert changed["a"].tolist() == [2, 4]
    assert given["a"].tolist() == [0, 1]


def test_every_executor_gives_the_same(mode):
    cell = theano.shared({"n": np.zeros(2)})
    n = theano.generic.constant("n")
    out = [item(cell, n).sum(), merge(cell, d), item(merge(cell, d), k) + x]
    f = theano.function([d, k, x], out, updates=[(cell, put(cell, n, x * 3))], mode=mode)
    total, both, more = f({"m": np.ones(2)}, "m", [1.0, 2.0])
    assert total == 0
    assert sorted(both) == ["m", "n"]
    assert more.tolist() == [2, 3]
    assert cell.get_value()["n"].tolist() == [3, 6]
    assert f({}, "n", [1.0, 2.0])[0] == 9


def test_nothing_but_objects():
    f = theano.function([d, e], merge(d, e))
    assert native(f)
    assert f({1: 2}, {3: None}) == {1: 2, 3: None}
    g = theano.function([], merge(theano.generic.constant({1: 2}), theano.generic.constant({})))
    assert g() == {1: 2}
    assert theano.function([d], d)(("a", 1)) == ("a", 1)


@pytest.mark.parametrize("value", [None, "text", (1, 2), object, 1.5, np.float32(2), [1, [2]], {}])
def test_any_value_passes(value):
    f = theano.function([d, x], [same(d), x + 1])
    assert f(value, [1.0])[0] == value
    assert f(value, [1.0])[0] == value


def test_results_are_not_the_callers_objects(mode):
    inner = np.zeros(2)
    kept = theano.shared([inner])
    f = theano.function([d], [same(d), d, same(kept), kept], mode=mode)
    given = [np.ones(2), "a"]
    found = f(given)
    for i, result in enumerate(found):
        result[0][:] = 7 + i
    assert given[0].tolist() == [1, 1]
    assert kept.get_value()[0].tolist() == [0, 0]
    assert [r[0].tolist() for r in found] == [[7, 7], [8, 8], [9, 9], [10, 10]]


def test_an_array_in_a_result_is_not_that_of_an_input_or_shared_list():
    kept = theano.shared([np.zeros(2)])

    class Listed(Wrap):
        def perform(self, node, inputs, outputs):
            outputs[0][0] = [inputs[0][0], "new"]

    f = theano.function([d], [Listed()(d), Listed()(kept)])
    given = [np.ones(2)]
    for result in f(given):
        result[0][:] = 5
        assert result[1] == "new"
    assert given[0].tolist() == [1, 1]
    assert kept.get_value()[0].tolist() == [0, 0]


def test_an_array_in_a_result_is_not_that_of_an_array_input(mode):
    class Listed(Wrap):
        def perform(self, node, inputs, outputs):
            outputs[0][0] = [inputs[0]]

    w = theano.shared(np.zeros(2))
    f = theano.function([x], [Listed()(x), Listed()(w)], mode=mode)
    given = np.ones(2)
    for result in f(given):
        result[0][:] = 5
    assert given.tolist() == [1, 1]
    assert w.get_value().tolist() == [0, 0]


def test_what_an_op_changes_in_place_is_its_own(mode):
    cell = theano.shared([1, 2, 3])
    rest, last = Pop()(cell)
    f = theano.function([], last, updates=[(cell, rest)], mode=mode)
    given = [5, 6]
    g = theano.function([d], Pop()(d), mode=mode)
    assert [f(), f()] == [3, 2]
    assert cell.get_value() == [1]
    assert g(given) == [[5], 6]
    assert given == [5, 6]


def test_an_array_that_an_object_holds_is_not_overwritten():
    w = theano.shared(np.zeros(3))
    f = theano.function([], Wrap()(w), updates=[(w, w + 1)])
    first = f()
    f()
    assert first[0].tolist() == [0, 0, 0]
    assert w.get_value().tolist() == [2, 2, 2]


def test_references_are_given_back():
    marker = object()
    cell = theano.shared(marker, borrow=True)
    n = theano.generic.constant("n")
    functions = [
        theano.function([d, x], [same(d), x + 1]),
        theano.function([d, x], T.exp(item(d, n)) + x),
        theano.function([d, x], [put(d, n, x), x * 2], updates=[(cell, same(d))]),
        theano.function([d, x], [x + 1, same(cell), d], updates=[(cell, cell)]),
    ]
    array = np.ones(2)
    value = {"n": array}
    gone = object()
    for f in functions:
        f(value, array)
        cell.set_value(marker, borrow=True)
        gc.collect()
        before = [sys.getrefcount(v) for v in (marker, value, array, gone, "n")]
        for _ in range(200):
            f(value, array)
        cell.set_value(marker, borrow=True)
        gc.collect()
        after = [sys.getrefcount(v) for v in (marker, value, array, gone, "n")]
        assert all(abs(a - b) < 20 for a, b in zip(before, after, strict=True)), (f, before, after)


class Watched:
    """Tells when it dies, and calls a function then."""

    alive = 0

    def __init__(self, last_words=None):
        type(self).alive += 1
        self.last_words = last_words

    def __del__(self):
        type(self).alive -= 1
        if self.last_words is not None:
            self.last_words()


class Make(theano.Op):
    """A new object each time."""

    __props__ = ()

    def make_node(self, x):
        return theano.Apply(self, [x], [theano.generic()])

    def perform(self, node, inputs, outputs):
        outputs[0][0] = Watched()


class Look(theano.Op):
    """How many are alive."""

    __props__ = ()

    def make_node(self, w, x):
        return theano.Apply(self, [w, x], [T.lscalar()])

    def perform(self, node, inputs, outputs):
        assert isinstance(inputs[0], Watched)
        outputs[0][0] = np.asarray(Watched.alive)


def test_objects_live_until_the_last_step_that_needs_them_and_no_longer():
    Watched.alive = 0
    cell = theano.shared(None)
    made = Make()(x * 2)
    f = theano.function([x], [Look()(made, x), x.sum()], updates=[(cell, made)])
    assert native(f)
    for _ in range(50):
        assert f([1.0])[0] <= 2
    assert Watched.alive == 1
    cell.set_value(None)
    gc.collect()
    assert Watched.alive == 0


def test_an_object_that_calls_the_function_as_it_dies():
    Watched.alive = 0
    cell = theano.shared(None)
    calls = []
    f = theano.function([x], [x + 1, T.exp(x).sum()], updates=[(cell, Same()(cell))])
    g = theano.function([d], [], updates=[(cell, same(d))])

    def again():
        calls.append(f([1.0])[0].tolist())

    cell.set_value(Watched(again), borrow=True)
    f([1.0])
    g(None)
    g(Watched(again))
    g(None)
    gc.collect()
    assert calls
    assert all(found == [2.0] for found in calls)


def test_an_exception_names_the_op_and_stores_nothing(mode):
    cell = theano.shared({"n": 1})
    w = theano.shared(np.zeros(2))
    f = theano.function(
        [d, k, x], item(d, k) * x, updates=[(cell, merge(cell, d)), (w, w + 1)], mode=mode
    )
    with pytest.raises(KeyError, match=r"Item\(d, k\)") as caught:
        f({"a": [1.0]}, "b", [1.0])
    assert "test_objects.py" in str(caught.value)
    assert cell.get_value() == {"n": 1}
    assert w.get_value().tolist() == [0, 0]
    before = sys.getrefcount(caught)
    value = {"a": [1.0]}
    refs = sys.getrefcount(value)
    for _ in range(20):
        with pytest.raises(KeyError):
            f(value, "b", [1.0])
    gc.collect()
    assert sys.getrefcount(value) - refs < 5
    assert sys.getrefcount(caught) == before


def test_wrong_extents_are_reported_with_objects_about(mode):
    f = theano.function([d, k, x], item(d, k) * x, mode=mode)
    with pytest.raises(ValueError, match="mul"):
        f({"a": [1.0, 2.0]}, "a", [1.0, 2.0, 3.0])


def test_a_step_that_gives_the_wrong_array_is_no_crash():
    class Wrong(Item):
        def perform(self, node, inputs, outputs):
            outputs[0][0] = inputs[0]

    f = theano.function([d, k, x], T.exp(Wrong()(d, k)) + x)
    for value in (np.zeros((2, 2)), np.zeros(2, "float32"), "text", None):
        with pytest.raises((TypeError, ValueError)):
            f(value, 0, [1.0, 2.0])


def test_arguments_are_filtered_by_their_types():
    s = T.type_other.slicetype("s")
    f = theano.function([s, x], [x[s], same(s)])
    assert native(f)
    found, index = f(slice(1, None), [1.0, 2.0])
    assert found.tolist() == [2]
    assert index == slice(1, None)
    with pytest.raises(TypeError, match="Expected a slice"):
        f([1], [1.0, 2.0])
    with pytest.raises(TypeError, match="Missing required input"):
        f(slice(1))


def test_generic_arguments_by_name_and_default():
    f = theano.function([x, theano.In(d, name="d", value={"a": [2.0]})], x * item(d, k_const()))
    assert f([3.0]).tolist() == [6]
    assert f([3.0], d={"a": [4.0]}).tolist() == [12]
    assert f([3.0], {"a": [5.0]}).tolist() == [15]


def k_const():
    return theano.generic.constant("a")


def test_complex_arrays_are_passed_on():
    z = T.zvector("z")
    f = theano.function([z, x], [z * 2, T.exp(T.real(z)) + x, z])
    assert native(f)
    given = np.array([1 + 2j, 3])
    twice, total, itself = f(given, [1.0, 2.0])
    assert twice.tolist() == [2 + 4j, 6]
    assert np.allclose(total, np.exp([1, 3]) + np.array([1, 2]))
    assert not np.shares_memory(itself, given)
    with pytest.raises(TypeError, match="Bad input"):
        f("text", [1.0, 2.0])


def test_complex_updates():
    w = theano.shared(np.zeros(2, "complex128"))
    f = theano.function([x], w.real.sum(), updates=[(w, w + x * 1j + 1)])
    assert [f([1.0, 2.0]), f([1.0, 2.0])] == [0, 2]
    assert w.get_value().tolist() == [2 + 2j, 2 + 4j]


def test_threads_take_turns():
    cell = theano.shared(())

    class Longer(theano.Op):
        __props__ = ()

        def make_node(self, t, x):
            return theano.Apply(self, [t, x], [theano.generic()])

        def perform(self, node, inputs, outputs):
            outputs[0][0] = (*inputs[0], float(inputs[1].sum()))

    f = theano.function([x], x.sum(), updates=[(cell, Longer()(cell, T.exp(x)))])

    def run(_):
        for _ in range(50):
            f(np.zeros(10))

    in_threads(run, range(4))
    assert cell.get_value() == (10.0,) * 200


def test_copies_and_pickles():
    cell = theano.shared({"a": np.ones(2)})
    other = theano.shared({"a": np.zeros(2)})
    f = theano.function([x], item(cell, k_const()) + x, updates=[(cell, put(cell, k_const(), x))])
    g = f.copy(swap={cell: other})
    assert g([1.0, 1.0]).tolist() == [1, 1]
    assert f([5.0, 5.0]).tolist() == [6, 6]
    assert other.get_value()["a"].tolist() == [1, 1]
    assert copy.deepcopy(f)([0.0, 0.0]).tolist() == [5, 5]
    h = theano.function([T.type_other.slicetype("s"), x], x * 2, on_unused_input="ignore")
    assert pickle.loads(pickle.dumps(h))(slice(1), [1.0]).tolist() == [2]


def test_constants_that_are_equal_but_not_the_same_stay_apart():
    class Kind(theano.Op):
        __props__ = ()

        def make_node(self, d):
            return theano.Apply(self, [d], [theano.generic()])

        def perform(self, node, inputs, outputs):
            outputs[0][0] = repr(inputs[0])

    values = [1, 1.0, True, 0.0, -0.0, (1, 0.0), (True, -0.0), "1", b"1", None]
    out = [Kind()(theano.generic.constant(value)) for value in values]
    assert theano.function([], out)() == [repr(value) for value in values]


def test_explain_names_python_steps():
    f = theano.function([d, k, x], [T.exp(item(d, k)) * x, put(d, k, x)])
    explained = theano.explain(f, code=False)
    assert "Python steps: Item, Put" in explained["memory plan"]
    assert ": object[]" in explained["program"]


def test_a_second_compilation_sees_its_own_constants():
    for value in ({"a": [1.0]}, {"a": [2.0]}):
        f = theano.function([x], item(theano.generic.constant(value), k_const()) * x)
        assert f([1.0]).tolist() == value["a"]


def test_plans_hold_no_objects():
    z = T.zvector("z")
    for _ in range(2):
        f = theano.function([z, x], [z * 2, x + 1])
        g = theano.function([d, x], x + 1, on_unused_input="ignore")
        assert f.maker.plan is None
        assert g.maker.plan_key == ""
        assert f([1j], [1.0])[0].tolist() == [2j]
        assert g(object(), [1.0]).tolist() == [2]


def test_text_and_verifier():
    lowered = lower_function([d, k, x], [T.exp(item(d, k)) * x, put(d, k, x)])
    program = verify(lowered.program)
    again = parse(text(program), program.constants, program.callables)
    assert again == program
    assert {p.dtype for p in program.params} == {"object", "float64"}


def _program(steps, results=(), params=None):
    params = params or (pg.Param("o", "object", 0, "input", 0, ()),)
    called = (pg.PyFunction("call", lambda *v: v),)
    return pg.Program("p", params, tuple(steps), tuple(results), 1, (), called)


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (_program([pg.Dim("n", "o", 0)]), "only a Python step can take it"),
        (_program([pg.Peek("n", "float64", "o")]), "only a Python step can take it"),
        (_program([pg.View("w", "object", "o", (), ())]), "object"),
        (_program([pg.Alloc("w", "object", (), "slot:0")]), "only a Python step makes objects"),
        (_program([pg.PyCall(0, ("o",), (("y", "object", 1),))]), "has no dimensions"),
        (_program([], [pg.Result("update", 0, "o", True)]), "no storage"),
        (_program([], params=(pg.Param("o", "object", 1, "input", 0, (None,)),)), "no extents"),
        (_program([pg.PyCall(0, ("p",), ())]), "not an array"),
    ],
)
def test_the_verifier_refuses(program, says):
    with pytest.raises(InvalidProgram, match=says):
        verify(program)


def test_opencl_refuses_with_a_reason():
    build = pytest.importorskip("theano.backends.opencl.build")
    lowered = lower_function([d, x], [x + 1, same(d)])
    with pytest.raises(build.NotOnDevice, match="no arrays of real numbers"):
        build.check_supported(lowered.program)


def test_trusted_input_is_no_crash():
    s = T.type_other.slicetype("s")
    f = theano.function([s, x], x[s] + 1)
    f.trust_input = True
    assert f(slice(0, 1), np.ones(2)).tolist() == [2]
    with pytest.raises((TypeError, AttributeError)):
        f("text", np.ones(2))


def test_no_fusion_and_no_native_steps():
    out = [T.exp(item(d, k)) * x + 1, put(d, k, x * 2)]
    with change_flags(**{"tensor.local_elemwise_fusion": False}):
        f = theano.function([d, k, x], out)
    assert f({"a": [0.0]}, "a", [3.0])[0].tolist() == [4]
    lowered = lower_function([d, k, x], out, native=False)
    verify(lowered.program)
