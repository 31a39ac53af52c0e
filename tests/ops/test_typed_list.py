"""Lists of arrays as values: theano.typed_list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano import typed_list as tl
from theano.autodiff.forward import Rop
from theano.graph.shared import SharedVariable

LIST = tl.TypedListType(T.dvector)
X, Y = LIST("X"), LIST("Y")
v, w = T.dvector("v"), T.dvector("w")
n = T.lscalar("n")


def lists(found):
    return [a.tolist() for a in found]


@pytest.fixture(params=["native", "numpy", "reference"])
def mode(request):
    modes = {"native": None, "numpy": theano.Mode("numpy"), "reference": "FAST_COMPILE"}
    return modes[request.param]


# ---- types and variables


def test_types_filter_compare_and_nest():
    kind = tl.TypedListType(T.fmatrix)
    assert kind == tl.TypedListType(T.fmatrix)
    assert hash(kind) == hash(tl.TypedListType(T.fmatrix))
    assert kind != tl.TypedListType(T.dmatrix)
    assert str(kind) == "TypedList <TensorType(float32, matrix)>"
    nested = tl.TypedListType(T.fmatrix, 2)
    assert nested == tl.TypedListType(tl.TypedListType(kind))
    assert (kind.get_depth(), nested.get_depth()) == (0, 2)
    (item,) = kind.filter([[[1, 2]]])
    assert item.dtype == "float32"
    assert kind.is_valid_value([item])
    assert not kind.is_valid_value((item,))
    assert kind.values_eq([item], [item.copy()])
    assert not kind.values_eq([item], [item, item])
    assert kind.values_eq_approx([item], [item * np.float32(1 + 1e-7)])
    assert kind.may_share_memory([item], [item[:, 1:]])
    assert not kind.may_share_memory([item], [item.copy()])


@pytest.mark.parametrize("bad", [3, "text", [np.zeros((2, 2))], [1.5, [1.0]], {}])
def test_filter_refuses(bad):
    with pytest.raises(TypeError):
        LIST.filter(bad)


def test_filter_is_strict_when_asked():
    with pytest.raises(TypeError, match="Item 1"):
        LIST.filter([np.zeros(2), [1.0]], strict=True)


def test_types_refuse():
    with pytest.raises(TypeError, match="Expected a type"):
        tl.TypedListType("float64")
    with pytest.raises(ValueError, match="depth"):
        tl.TypedListType(T.dvector, -1)


def test_variables():
    assert isinstance(X, tl.TypedListVariable)
    assert (X.ttype, X.dtype, X.ndim) == (T.dvector, "float64", 2)
    assert bool(X)
    with pytest.raises(TypeError, match=r"typed_list\.length"):
        len(X)
    with pytest.raises(TypeError, match="iteration"):
        list(X)
    assert len(tl.make_list([v, w])) == 2
    first, second = tl.make_list([v, w])
    values = {v: [2.0], w: [3.0]}
    assert [first.eval(values).tolist(), second.eval(values).tolist()] == [[2], [3]]
    constant = LIST.constant([[1.0], [2.0, 3.0]])
    assert isinstance(constant, tl.TypedListConstant)
    assert len(constant) == 2
    assert constant[1].eval().tolist() == [2, 3]
    assert constant.equals(LIST.constant([[1.0], [2.0, 3.0]]))
    assert not constant.equals(LIST.constant([[1.0]]))


# ---- ops

items = st.lists(st.lists(st.integers(-2, 2).map(float), min_size=1, max_size=2), max_size=4)
METHODS = theano.function(
    [X, v, n],
    [
        X.append(v), X.extend(X), X.insert(n, v), X.reverse(), X.count(v), tl.length(X),
        X[n:], X[:n], X[::-1], X[T.type_other.make_slice(None, None, n * n + 1)],
    ],
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(items, st.lists(st.integers(-2, 2).map(float), min_size=1, max_size=2), st.integers(-6, 6))
def test_methods_do_what_pythons_do(values, item, where):
    found = METHODS(values, item, where)
    inserted = list(values)
    inserted.insert(where, item)
    expected = [
        [*values, item], values + values, inserted, values[::-1], values.count(item), len(values),
        values[where:], values[:where], values[::-1], values[:: where * where + 1],
    ]  # fmt: skip
    for result, right in zip(found, expected, strict=True):
        assert (lists(result) if isinstance(right, list) else int(result)) == right
    position = theano_index(values, item)
    if item in values:
        assert position == values.index(item)
        rest = list(values)
        rest.remove(item)
        assert lists(REMOVE(values, item)) == rest
    else:
        assert position is None


REMOVE = theano.function([X, v], X.remove(v))
INDEX = theano.function([X, v], X.ind(v))


def theano_index(values, item):
    try:
        return int(INDEX(values, item))
    except ValueError:
        return None


def test_everything_is_one_native_program(mode):
    f = theano.function(
        [X, v], [tl.append(X[1:], T.exp(v)), X[0] * 2 + v, tl.length(X) + 1], mode=mode
    )
    made, total, count = f([[1.0, 2.0], [3.0]], [0.0, 1.0])
    assert np.allclose(made[1], np.exp([0, 1]))
    assert total.tolist() == [2, 5]
    assert count == 3


def test_errors_name_the_op(mode):
    f = theano.function([X, n], X[n], mode=mode)
    with pytest.raises(IndexError, match="GetItem"):
        f([[1.0]], 1)
    g = theano.function([X, v], X.remove(v), mode=mode)
    with pytest.raises(ValueError, match="Remove"):
        g([[1.0]], [2.0])
    h = theano.function([X, v], X.ind(v), mode=mode)
    with pytest.raises(ValueError, match="Index"):
        h([], [2.0])
    with pytest.raises(TypeError, match="Expected a list"):
        f(np.zeros((2, 2)), 0)


def test_nan_equals_nan():
    assert theano.function([X, v], [X.count(v), X.ind(v)])([[1.0], [np.nan]], [np.nan]) == [1, 1]


@pytest.mark.parametrize(
    "make",
    [
        lambda: tl.make_list([]),
        lambda: tl.make_list([v, T.dmatrix()]),
        lambda: tl.append(v, v),
        lambda: X.append(T.dmatrix()),
        lambda: X.extend(tl.TypedListType(T.dmatrix)()),
        lambda: X[1.5],
        lambda: X[None],
        lambda: X.insert(v, v),
        lambda: X.count(T.fvector()),
    ],
)
def test_what_does_not_fit_is_refused_while_building(make):
    with pytest.raises(TypeError):
        make()


def test_classes_and_functions():
    assert isinstance(tl.append(X, v).owner.op, tl.Append)
    assert tl.Append(inplace=True) == tl.append
    names = "GetItem Append Extend Insert Remove Reverse Index Count Length MakeList"
    assert all(issubclass(getattr(tl.basic, name), theano.Op) for name in names.split())
    assert tl.type.TypedListType is tl.TypedListType
    assert lists(tl.extend(X, [v, w]).eval({X: [], v: [1.0], w: [2.0]})) == [[1], [2]]
    assert lists(tl.extend(X, []).eval({X: [[1.0]]})) == [[1]]


def test_nested_lists():
    outer = tl.TypedListType(T.dvector, 1)("outer")
    f = theano.function([outer, X, v, n], [outer.append(X), outer[n].append(v), outer[n][0] + v])
    values = [[[1.0]], [[2.0], [3.0, 4.0]]]
    appended, inner, total = f(values, [[5.0]], [6.0], 1)
    assert [lists(part) for part in appended] == [*values, [[5]]]
    assert lists(inner) == [[2], [3, 4], [6]]
    assert total.tolist() == [8]
    made = tl.make_list([X, Y])
    assert made.type == outer.type


def test_lists_of_other_types():
    generic = tl.TypedListType(theano.generic)("g")
    f = theano.function([generic], [generic.reverse(), generic.append("end"), tl.length(generic)])
    assert f([1, "a"]) == [["a", 1], [1, "a", "end"], 2]
    ints = tl.TypedListType(T.lscalar)("i")
    assert theano.function([ints], ints[0] + ints[-1])([1, 2, 3]) == 4


def test_arguments_and_results_share_no_memory(mode):
    f = theano.function([X, v], [X.append(v), X, X.reverse(), X[0]], mode=mode)
    given, item = [np.zeros(2)], np.zeros(2)
    appended, same, backwards, first = f(given, item)
    for array in (*appended, *same, *backwards, first):
        array += 1
    assert given[0].tolist() == item.tolist() == [0, 0]
    assert [a.tolist() for a in (*appended, *same, *backwards, first)] == [[1, 1]] * 5


def test_a_shared_list_is_updated():
    kept = theano.shared([1, 2])
    assert kept.type == theano.generic
    cell = SharedVariable("kept", LIST, [np.zeros(1)], False)
    f = theano.function([v], tl.length(cell), updates=[(cell, tl.append(cell, v))])
    assert [int(f([1.0])) for _ in range(3)] == [1, 2, 3]
    assert lists(cell.get_value()) == [[0], [1], [1], [1]]


# ---- whole programs

STEPS = {
    "append": lambda x, u, k: (x.append(u * 2), u),
    "insert": lambda x, u, k: (x.insert(k, T.exp(-u * u)), u),
    "reverse": lambda x, u, k: (x.reverse(), u),
    "tail": lambda x, u, k: (x.extend(x[k:]), u + 1),
    "item": lambda x, u, k: (x, x[0] * u),
    "sum": lambda x, u, k: (x.append(x[-1] + u), x[0] + x[-1]),
    "make": lambda x, u, k: (tl.make_list([u, x[0], u * x[-1]]), u),
    "remove": lambda x, u, k: (x.append(u).remove(x[0]), u),
    "length": lambda x, u, k: (x, u * tl.length(x)),
}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(-2, 2)), max_size=6))
def test_all_executors_agree(steps):
    x, u = X, v
    for name, k in steps:
        x, u = STEPS[name](x, u, k)
    outputs = [x, u, theano.grad((u**2).sum(), v, disconnected_inputs="ignore")]
    values = [[np.array([0.5, -1.0]), np.array([2.0, 0.3])], np.array([0.1, 1.5])]
    found = [
        theano.function([X, v], outputs, mode=mode, on_unused_input="ignore")(*values)
        for mode in (None, theano.Mode("numpy"), "FAST_COMPILE", theano.Mode("py", None))
    ]
    for other in found[1:]:
        for left, right in zip(found[0], other, strict=True):
            assert len(left) == len(right)
            assert all(np.allclose(a, b) for a, b in zip(left, right, strict=True))


# ---- known items


def test_items_that_are_known_need_no_list():
    made = tl.make_list([v, w, v * w])
    out = [made[1] + made[-1], tl.length(made), made[:2][0], made.append(w)[-1]]
    f = theano.function([v, w], [*out, theano.grad((made[0] * made[2]).sum(), v)])
    assert not f.program.callables
    assert f([2.0], [3.0])[0] == 9
    assert f([2.0], [3.0])[1] == 3
    assert f([2.0], [3.0])[4] == 12
    with pytest.raises(IndexError):
        theano.function([v], tl.make_list([v])[1])([1.0])


# ---- derivatives

VALUES = [np.array([0.5, -1.0]), np.array([2.0, 3.0]), np.array([-0.7, 1.5])]
COSTS = {
    "getitem": lambda x, u: (x[1] ** 3 * u).sum(),
    "negative index": lambda x, u: (x[-1] ** 3).sum() + (x[0] * u).sum(),
    "slice": lambda x, u: (x[1:][0] ** 3).sum() * u[0] + (x[::-1][0] ** 2).sum(),
    "append": lambda x, u: (x.append(u * 2)[-1] ** 3 * x.append(u)[1]).sum(),
    "extend": lambda x, u: (x.extend(x)[4] ** 3 * x.extend([u])[3]).sum(),
    "insert": lambda x, u: (x.insert(1, u)[1] * x.insert(-9, u)[1] ** 3 * x.insert(9, u)[3]).sum(),
    "remove": lambda x, u: (x.remove(x[0])[0] ** 3 * u).sum(),
    "reverse": lambda x, u: (x.reverse()[0] ** 3 * u).sum(),
    "make_list": lambda x, u: (tl.make_list([u, x[0], u * x[1]]).reverse()[0] ** 2).sum(),
    "used often": lambda x, u: (x[0] * x[1] * x[2] * x[0] * u).sum(),
}


def numeric(cost, values, u):
    """Central differences with respect to every item, and ``u``."""
    slopes = []
    for target in (*values, u):
        slope = np.zeros_like(target)
        for i in range(target.size):
            old = target[i]
            ends = []
            for h in (1e-5, -1e-5):
                target[i] = old + h
                ends.append(cost(values, u))
            target[i] = old
            slope[i] = (ends[0] - ends[1]) / 2e-5
        slopes.append(slope)
    return slopes


@pytest.mark.parametrize("name", COSTS)
def test_gradients_to_second_order(name):
    cost = COSTS[name](X, v)
    gX, gv = theano.grad(cost, [X, v], disconnected_inputs="ignore", return_disconnected="zero")
    assert gX.type == X.type
    values = [a.copy() for a in VALUES]
    u = np.array([1.2, -0.4])
    gradients = theano.function([X, v], [gX, gv], on_unused_input="ignore")
    found, slope = gradients(values, u)
    expected = numeric(theano.function([X, v], cost), values, u)
    for a, b in zip([*found, slope], expected, strict=True):
        assert np.allclose(a, b, atol=1e-6)
    second = (gX[0] ** 2).sum() + (gX[1] ** 2).sum() + (gv**2).sum()
    hX, hv = theano.grad(second, [X, v], disconnected_inputs="ignore", return_disconnected="zero")
    found, slope = theano.function([X, v], [hX, hv], on_unused_input="ignore")(values, u)
    value = theano.function([X, v], second, on_unused_input="ignore")
    expected = numeric(value, values, u)
    for a, b in zip([*found, slope], expected, strict=True):
        assert np.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("name", COSTS)
def test_forward_derivatives_agree_with_gradients(name):
    cost = COSTS[name](X, v)
    direction, along = LIST("direction"), T.dvector("along")
    forward = Rop(cost, [X, v], [direction, along])
    gX, gv = theano.grad(cost, [X, v], disconnected_inputs="ignore", return_disconnected="zero")
    inputs = [X, v, direction, along]
    f = theano.function(inputs, [forward, gX, gv], on_unused_input="ignore")
    rng = np.random.default_rng(0)
    directions, step = [rng.normal(size=2) for _ in VALUES], rng.normal(size=2)
    value, slopes, slope = f(VALUES, np.array([1.2, -0.4]), directions, step)
    total = sum(float(a @ b) for a, b in zip(slopes, directions, strict=True)) + slope @ step
    assert np.allclose(value, total)


def test_what_has_no_gradient():
    with pytest.raises(theano.gradient.DisconnectedInputError):
        theano.grad(tl.length(X).astype("float64"), X)
    zeros = theano.grad(v.sum(), X, disconnected_inputs="ignore")
    assert lists(zeros.eval({X: [[1.0, 2.0]]})) == [[0, 0]]


def test_integer_items_have_zero_or_float_gradients():
    ints = tl.TypedListType(T.lvector)("i")
    g = theano.grad((ints[0] * v).sum(), v)
    assert g.eval({ints: [[2, 3]], v: [1.0, 1.0]}).tolist() == [2, 3]
