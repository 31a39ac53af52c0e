"""theano.function: what it takes, what it returns, and how it says no."""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile import UnusedInputError
from theano.core.errors import MissingInputError

MODES = ["FAST_RUN", "FAST_COMPILE", theano.Mode("numpy", "fast_run")]
each_mode = pytest.mark.parametrize("mode", MODES, ids=["run", "compile", "program"])


@each_mode
def test_what_comes_back_has_the_form_of_outputs(mode):
    x = T.dscalar("x")
    assert theano.function([x], x + 1, mode=mode)(2) == 3
    listed = theano.function([x], [x + 1], mode=mode)(2)
    assert isinstance(listed, list)
    assert listed == [3]
    assert theano.function([x], (x, x * 2), mode=mode)(2) == [2, 4]
    assert theano.function([x], {"b": x, "a": x * 2}, mode=mode)(2) == {"a": 4, "b": 2}
    assert theano.function([], None, mode=mode)() == []
    assert theano.function([], [], mode=mode)() == []
    result = theano.function([x], x + 1, mode=mode)(2)
    assert isinstance(result, np.ndarray)
    assert result.dtype == "float64"
    assert result.shape == ()


def test_positions_of_the_parameters_are_what_clients_rely_on():
    names = list(inspect.signature(theano.function).parameters)
    assert names == [
        "inputs", "outputs", "mode", "updates", "givens", "no_default_updates", "accept_inplace",
        "name", "rebuild_strict", "allow_input_downcast", "profile", "on_unused_input",
    ]  # fmt: skip


def test_keys_of_a_dictionary_of_outputs_are_strings():
    x = T.dscalar("x")
    with pytest.raises(AssertionError, match="string"):
        theano.function([x], {1: x})


def test_inputs_must_be_a_list():
    x = T.dscalar("x")
    with pytest.raises(Exception, match="should be contained in a list"):
        theano.function(x, x)


def test_outputs_must_be_variables():
    with pytest.raises(TypeError, match="Outputs must be"):
        theano.function([], 3)


def test_a_shared_variable_or_a_constant_is_not_an_input():
    s = theano.shared(1.0, "s")
    with pytest.raises(TypeError, match="givens"):
        theano.function([s], s + 1)
    with pytest.raises(TypeError, match="givens"):
        theano.function([theano.In(s)], s + 1)
    c = T.constant(1.0)
    with pytest.raises(TypeError, match="constant"):
        theano.function([c], c + 1)
    with pytest.raises(TypeError, match="Unknown parameter type"):
        theano.function(["x"], c + 1)


def test_the_same_input_twice_is_refused():
    x = T.dscalar("x")
    with pytest.raises(UnusedInputError, match="used twice"):
        theano.function([x, x], x)


def test_an_unused_input_raises_warns_or_passes():
    x, y = T.dscalars("x", "y")
    with pytest.raises(UnusedInputError, match="index 1") as caught:
        theano.function([x, y], x)
    assert "test_function.py" in str(caught.value)
    with pytest.warns(UserWarning, match="index 1"):
        theano.function([x, y], x, on_unused_input="warn")
    assert theano.function([x, y], x, on_unused_input="ignore")(1, 2) == 1
    with theano.change_flags(on_unused_input="ignore"):
        assert theano.function([x, y], x)(1, 2) == 1
    with pytest.raises(ValueError, match="on_unused_input"):
        theano.function([x], x, on_unused_input="shout")


def test_a_missing_input_is_named_with_the_place_of_its_creation():
    x, y = T.dscalar("x"), T.dscalar("why")
    with pytest.raises(MissingInputError, match="not provided and not given a value") as caught:
        theano.function([x], x + y)
    text = str(caught.value)
    assert "why" in text
    assert "test_function.py" in text
    with pytest.raises(MissingInputError, match="why"):
        theano.function([], y)


@each_mode
def test_an_intermediate_variable_may_be_an_input(mode):
    x = T.dscalar("x")
    middle = T.exp(x)
    f = theano.function([middle], middle * 2, mode=mode)
    assert f(3) == 6


def test_old_pairs_give_defaults():
    x, y = T.dscalars("x", "y")
    f = theano.function([x, (y, 5.0)], x - y)
    assert f(7) == 2
    assert f(7, 1) == 6


def test_the_name_is_the_place_of_the_call_or_what_is_given():
    x = T.dscalar("x")
    assert "test_function.py:" in theano.function([x], x).name
    assert theano.function([x], x, name="mine").name == "mine"


# ---- calling


def test_arguments_by_position_and_by_name():
    x, y = T.dscalar("x"), T.dscalar("y")
    f = theano.function([x, theano.In(y, value=1, name="by_name")], x - y)
    assert f(3) == 2
    assert f(3, 2) == 1
    assert f(3, by_name=3) == 0
    assert f(x=3) == 2
    assert f(3) == 2


def test_an_assigned_default_serves_one_call():
    x, y = T.dscalar("x"), T.dscalar("y")
    f = theano.function([x, theano.In(y, value=1)], x - y)
    f[y] = 5
    assert f(3) == -2
    assert f(3) == 2


@pytest.mark.parametrize(
    ("args", "kwargs", "match"),
    [
        ((), {}, "Missing required input: x"),
        ((1, 2, 3), {}, "Too many parameter"),
        ((1,), {"x": 2}, "Multiple values for input variable 'x'"),
        ((1,), {"z": 2}, "Unknown input or state: z"),
    ],
)
def test_missing_extra_repeated_and_unknown_arguments(args, kwargs, match):
    x, y = T.dscalar("x"), T.dscalar("y")
    f = theano.function([x, (y, 1.0)], x - y)
    with pytest.raises(TypeError, match=match):
        f(*args, **kwargs)


def test_two_inputs_of_one_name_cannot_be_given_by_name():
    x, y = T.dscalar("n"), T.dscalar("n")
    f = theano.function([x, y], x - y)
    assert f(3, 1) == 2
    with pytest.raises(TypeError, match="Ambiguous name"):
        f(3, n=1)


@each_mode
def test_values_that_lose_nothing_are_converted(mode):
    x = T.fvector("x")
    f = theano.function([x], x * 1, mode=mode)
    for value in ([1, 2], (1.5, 2.5), np.array([1, 2], "int8"), np.array([1, 2], "float16")):
        result = f(value)
        assert result.dtype == "float32"
        np.testing.assert_array_equal(result, np.asarray(value, "float32"))
    s = T.fscalar("s")
    assert theano.function([s], s * 1, mode=mode)(0.1) == np.float32(0.1)


@each_mode
@pytest.mark.parametrize(
    "value",
    [
        np.ones(2),
        np.ones(2, "int64"),
        np.ones((2, 2), "float32"),
        np.ones(2, "complex64"),
        "text",
        None,
        [[1], [2, 3]],
    ],
)
def test_a_bad_argument_names_function_position_and_variable(mode, value):
    x = T.fvector("the_x")
    f = theano.function([x], x * 1, mode=mode, name="my function")
    with pytest.raises(TypeError) as caught:
        f(value)
    text = str(caught.value)
    assert 'Bad input argument to theano function with name "my function" at index 0' in text
    assert "the_x" in text
    assert "test_function.py" in text


def test_downcasts_happen_only_when_allowed():
    x = T.fvector("x")
    f = theano.function([x], x * 1, allow_input_downcast=True)
    assert f(np.array([0.1])).dtype == "float32"
    y = T.fscalar("y")
    strict = theano.function([y], y * 1, allow_input_downcast=False)
    with pytest.raises(TypeError):
        strict(0.1)
    assert strict(np.float32(0.1)) == np.float32(0.1)
    own = theano.function([theano.In(x, allow_downcast=True), y], x * y)
    np.testing.assert_array_equal(own(np.array([2.0]), 3), [6])


def test_strict_inputs_take_only_their_own_type():
    x = T.dvector("x")
    f = theano.function([theano.In(x, strict=True)], x * 1)
    with pytest.raises(TypeError):
        f([1.0, 2.0])
    np.testing.assert_array_equal(f(np.ones(2)), np.ones(2))


@each_mode
def test_a_broadcastable_dimension_must_have_size_one(mode):
    r = T.drow("r")
    f = theano.function([r], r * 2, mode=mode)
    with pytest.raises(TypeError, match="broadcastable"):
        f(np.ones((2, 3)))
    np.testing.assert_array_equal(f(np.ones((1, 3))), np.full((1, 3), 2.0))


@each_mode
def test_strided_unaligned_and_swapped_arrays_are_taken(mode):
    x = T.dmatrix("x")
    f = theano.function([x], x + 1, mode=mode)
    base = np.arange(24.0).reshape(4, 6)
    for value in (base[::2, ::-3], base.T, np.asfortranarray(base), base.astype(">f8"), base[:0]):
        np.testing.assert_array_equal(f(value), value + 1)
    raw = np.zeros(base.nbytes + 1, "uint8")
    unaligned = raw[1:].view("float64").reshape(4, 6)
    unaligned[...] = base
    assert not unaligned.flags.aligned
    np.testing.assert_array_equal(f(unaligned), base + 1)


def test_a_subset_of_the_outputs():
    x = T.dscalar("x")
    f = theano.function([x], [x, x * 2, x * 3])
    assert f(2, output_subset=[2, 0]) == [6, 2]
    g = theano.function([x], {"a": x, "b": x * 2})
    assert g(2, output_subset=["b"]) == {"b": 4}


def test_trust_input_never_corrupts():
    x = T.dvector("x")
    f = theano.function([x], x + 1)
    f.trust_input = True
    np.testing.assert_array_equal(f(np.ones(3)), np.full(3, 2.0))
    result = f(np.ones(3, "float32"))
    np.testing.assert_array_equal(result, np.full(3, 2.0))
    assert result.dtype == "float64"


def test_none_passes_through_a_generic_input():
    from theano.graph.generic import generic

    anything = generic("anything")
    f = theano.function([anything], anything)
    assert f(None) is None
    assert f("text") == "text"


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

    def work():
        seen.extend(int(f()) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
