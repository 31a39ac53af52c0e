"""theano.function: what it takes, what it returns, and how it says no."""

from __future__ import annotations

import inspect

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
