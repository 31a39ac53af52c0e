"""The traps of Theano's semantics, run as native code and op by op in NumPy.

Each test is named by its number in the list of traps that reimplementers fall into. Those of random
streams are in test_traps_random.py, of loops and neural networks in test_traps_loops.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from builders import each_mode, every_mode, value

import theano
import theano.tensor as T
from theano.compile import UnusedInputError, get_default_mode
from theano.core.config import change_flags
from theano.core.errors import DisconnectedInputError

# 1 - 5: dtypes


@each_mode
@pytest.mark.parametrize("floatx", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint16"])
def test_trap_01_int_divided_by_int_is_floatx(mode, floatx, dtype):
    with change_flags(floatX=floatx):
        x, y = T.vector("x", dtype=dtype), T.vector("y", dtype=dtype)
        out = x / y
        assert out.dtype == floatx
        np.testing.assert_allclose(value(out, {x: [7, 1], y: [2, 4]}, mode), [3.5, 0.25])
        assert (x / 2).dtype == floatx
        assert (2 / x).dtype == floatx
        assert (x // y).dtype == dtype


@each_mode
def test_trap_02_the_dtype_of_a_float_literal_depends_on_its_value(mode):
    x = T.fvector("x")
    with change_flags(floatX="float64"):
        for literal, dtype in (
            (0.5, "float32"),
            (0.1, "float64"),
            (2, "float32"),
            (1e300, "float64"),
        ):
            out = x + literal
            assert out.dtype == dtype
            expected = np.ones(1, "float32") + np.asarray(literal, dtype)
            np.testing.assert_array_equal(value(out, {x: [1]}, mode), expected.astype(dtype))
    with change_flags(floatX="float32"):
        assert (x + 0.1).dtype == "float32"
        assert (T.dvector() + 0.1).dtype == "float64"


@each_mode
def test_trap_03_int_literals_are_small_and_wrap(mode):
    out = T.pow(2, 7)
    assert out.dtype == "int8"
    assert value(out, {}, mode) == -128
    s = theano.shared(np.array([255, 1], "uint8"))
    assert (s + 0).dtype == "int16"
    assert value(s + 0, {}, mode).tolist() == [255, 1]
    n = T.iscalar("n")
    assert (n + 1).dtype == "int32"
    assert value(n + 1, {n: 2**31 - 1}, mode) == -(2**31)
    assert (n + 2**40).dtype == "int64"


@each_mode
@pytest.mark.parametrize(
    ("one", "two", "result"),
    [
        ("int32", "float32", "float64"),
        ("int16", "float32", "float32"),
        ("uint8", "int8", "int16"),
        ("uint64", "int64", "float64"),
        ("bool", "int8", "int8"),
        ("float16", "int8", "float16"),
        ("float16", "int16", "float32"),
    ],
)
def test_trap_04_mixed_dtypes_are_promoted_as_arrays(mode, one, two, result):
    x, y = T.vector("x", dtype=one), T.vector("y", dtype=two)
    given = {x: np.array([1, 0], one), y: np.array([3, 4], two)}
    for out in (x * y, y + x):
        assert out.dtype == result
    np.testing.assert_array_equal(value(x * y, given, mode), [3, 0])
    np.testing.assert_array_equal(value(y + x, given, mode), [4, 4])


@each_mode
def test_trap_05_reductions_have_wide_accumulators_and_their_own_dtypes(mode):
    x = T.fvector("x")
    ones = np.full(1000, 0.1, "float32")
    big = np.array([1e8, 1, -1e8], "float32")
    assert value(x.sum(), {x: big}, mode) == 1
    assert value(x.sum(), {x: ones}, mode) == np.float32(ones.astype("float64").sum())
    n = T.vector("n", dtype="int8")
    small = np.full(100, 127, "int8")
    assert n.sum().dtype == n.prod().dtype == "int64"
    assert value(n.sum(), {n: small}, mode) == 12700
    u = T.vector("u", dtype="uint8")
    assert u.sum().dtype == "uint64"
    assert n.mean().dtype == "float64"
    assert value(n.mean(), {n: [1, 2]}, mode) == 1.5
    assert x.mean().dtype == "float32"
    h = T.vector("h", dtype="float16")
    assert value(h.mean(), {h: np.full(70000, 1, "float16")}, mode) == 1
    assert n.any().dtype == n.all().dtype == "bool"
    assert value(x.argmax(), {x: [1, 3, 2]}, mode) == 1
    assert x.argmax().dtype == "int64"
    assert T.arange(3).dtype == "int64"
    with pytest.raises(TypeError, match="precision would be lost"):
        T.dvector().sum(acc_dtype="float32")


# 6 - 7: comparisons and ties


@each_mode
def test_trap_06_equality_is_identity_and_comparisons_have_no_truth(mode):
    x, y = T.dvector("x"), T.dvector("y")
    assert (x == y) is False
    assert x in {x: 1}
    assert len({x, y, x}) == 2
    assert bool(x)
    assert bool(T.eq(x, y))
    with pytest.raises(TypeError, match="do not support boolean"):
        bool(x < y)
    with pytest.raises(TypeError, match="do not support boolean"):
        _ = x < y < x
    assert value(T.eq(x, y), {x: [1, 2], y: [1, 3]}, mode).tolist() == [True, False]
    assert value(x < y, {x: [1, 2], y: [1, 3]}, mode).dtype == bool


@each_mode
def test_trap_07_gradients_at_ties_and_corners(mode):
    x, y = T.dvector("x"), T.dvector("y")

    def slope(cost: Any, wrt: Any, given: dict[Any, Any]) -> Any:
        return value(theano.grad(cost, wrt), given, mode).tolist()

    assert slope(T.max(x), x, {x: [1, 3, 3]}) == [0, 1, 1]
    assert slope(T.min(x), x, {x: [1, 1, 3]}) == [1, 1, 0]
    tie = {x: [1, 2], y: [1, 1]}
    assert slope(T.maximum(x, y).sum(), x, tie) == [1, 1]
    assert slope(T.maximum(x, y).sum(), y, tie) == [0, 0]
    assert slope(T.minimum(x, y).sum(), x, tie) == [1, 0]
    assert slope(T.clip(x, 0, 1).sum(), x, {x: [-1, 0, 0.5, 1, 2]}) == [0, 1, 1, 1, 0]
    assert slope(T.nnet.relu(x).sum(), x, {x: [-1, 0, 1]}) == [0, 0.5, 1]
    assert slope(abs(x).sum(), x, {x: [-1, 0, 1]}) == [-1, 0, 1]
    assert slope(T.nnet.relu(x, 0.5).sum(), x, {x: [-1, 1]}) == [0.5, 1]


# 8 - 11: shared variables, broadcasting by type


@each_mode
def test_trap_08_shared_values_ignore_floatx_and_lists_are_not_tensors(mode):
    with change_flags(floatX="float32"):
        s = theano.shared(0.0)
        n = theano.shared(1)
        assert s.dtype == "float64"
        assert n.dtype == "int64"
        assert theano.shared(np.float32(1)).dtype == "float32"
        assert value(s + n, {}, mode).dtype == "float64"
    listed = theano.shared([1, 2])
    assert not isinstance(listed.type, T.TensorType)
    assert theano.function([], listed, mode=mode)() == [1, 2]


@each_mode
def test_trap_09_a_shared_array_never_stretches_and_a_constant_does(mode):
    row = np.ones((1, 3))
    s = theano.shared(row)
    assert s.broadcastable == (False, False)
    assert T.constant(row).broadcastable == (True, False)
    assert theano.shared(row, broadcastable=(True, False)).broadcastable == (True, False)
    x = T.dmatrix("x")
    assert value(x + row, {x: np.ones((2, 3))}, mode).tolist() == [[2] * 3] * 2
    f = theano.function([x], x + s, mode=mode)
    with pytest.raises(ValueError, match="Input dimension mis-match"):
        f(np.ones((2, 3)))
    assert f(np.ones((1, 3))).tolist() == [[2] * 3]
    s.set_value(np.ones((2, 3)))
    assert f(np.ones((2, 3))).shape == (2, 3)


@each_mode
def test_trap_10_a_matrix_of_one_column_does_not_stretch_and_a_col_does(mode):
    x, y, c = T.dmatrix("x"), T.dmatrix("y"), T.dcol("c")
    column, full = np.ones((3, 1)), np.ones((3, 4))
    f = theano.function([x, y], x + y, mode=mode)
    match = (
        r"Input dimension mis-match\. "
        r"\(input\[0\]\.shape\[1\] = 1, input\[1\]\.shape\[1\] = 4\)"
    )
    with pytest.raises(ValueError, match=match) as caught:
        f(column, full)
    assert "test_traps.py" in str(caught.value)
    assert f(column, column).shape == (3, 1)
    assert value(c + y, {c: column, y: full}, mode).shape == (3, 4)
    assert value(T.addbroadcast(x, 1) + y, {x: column, y: full}, mode).shape == (3, 4)
    (gradient,) = theano.function(
        [c, y], [theano.grad((c * y).sum(), c)], mode=mode, on_unused_input="ignore"
    )(column, full)
    assert gradient.tolist() == [[4], [4], [4]]


@each_mode
def test_trap_11_an_update_has_exactly_the_type_of_its_variable(mode):
    s = theano.shared(np.zeros((2, 1), "float32"), "s")
    for wrong in (T.cast(s, "float64"), T.addbroadcast(s, 1), s.sum(axis=1), s + 0.1):
        with change_flags(floatX="float64"), pytest.raises(TypeError):
            theano.function([], updates=[(s, wrong)], mode=mode)
    narrow = T.addbroadcast(s, 1) + np.float32(1)
    with contextlib.suppress(TypeError):  # a wider type may be accepted, but only as s has it
        theano.function([], updates=[(s, narrow)], mode=mode)()
        s.set_value(np.zeros((2, 1), "float32"))
    f = theano.function([], updates=[(s, T.unbroadcast(narrow, 1))], mode=mode)
    f()
    f()
    assert s.get_value().tolist() == [[2], [2]]
    assert s.get_value().dtype == "float32"


# 12 - 14: theano.function


@each_mode
def test_trap_12_updates_and_outputs_see_old_values(mode):
    a, b = theano.shared(np.array([1.0]), "a"), theano.shared(np.array([2.0]), "b")
    f = theano.function([], [a, b, a + b], updates=[(a, b), (b, a)], mode=mode)
    assert [float(v[0]) for v in f()] == [1, 2, 3]
    assert [float(v[0]) for v in f()] == [2, 1, 3]
    g = theano.function([], a * 10, updates=[(a, a + 1), (b, a + b)], mode=mode)
    before = float(a.get_value()[0]), float(b.get_value()[0])
    assert float(g()[0]) == before[0] * 10
    assert a.get_value()[0] == before[0] + 1
    assert b.get_value()[0] == sum(before)
    c = theano.shared(0)
    c.default_update = c + 1
    h = theano.function([], c * 2, mode=mode)
    assert [int(h()) for _ in range(3)] == [0, 2, 4]
    assert int(theano.function([], c, mode=mode, no_default_updates=True)()) == 3
    assert int(c.get_value()) == 3


@each_mode
def test_trap_13_no_outputs_give_an_empty_list_and_one_in_a_list_a_list(mode):
    x = T.dscalar("x")
    assert theano.function([], None, mode=mode)() == []
    assert theano.function([], [], mode=mode)() == []
    s = theano.shared(0.0)
    assert theano.function([], updates={s: s + 1}, mode=mode)() == []
    assert s.get_value() == 1
    listed = theano.function([x], [x + 1], mode=mode)(1)
    assert isinstance(listed, list)
    assert listed == [2]
    assert theano.function([x], (x + 1,), mode=mode)(1) == [2]
    assert isinstance(theano.function([x], x + 1, mode=mode)(1), np.ndarray)


@each_mode
def test_trap_14_givens_intermediate_inputs_and_unused_inputs(mode):
    x, y = T.dscalars("x", "y")
    z = T.exp(x) * 2
    with pytest.raises(RuntimeError, match="givens"):
        theano.function([x], x + 1, givens={x: y}, mode=mode)
    assert theano.function([z], z + 1, mode=mode)(4) == 5
    assert theano.function([y], z, givens={x: T.log(y)}, mode=mode)(3) == pytest.approx(6)
    with pytest.raises(UnusedInputError, match="y"):
        theano.function([x, y], x, mode=mode)
    with pytest.warns(UserWarning, match="y"):
        theano.function([x, y], x, mode=mode, on_unused_input="warn")
    assert theano.function([x, y], x, mode=mode, on_unused_input="ignore")(1, 2) == 1


# 18 - 20: subtensors, gradients, stability


@each_mode
def test_trap_18_set_subtensor_gives_a_new_array(mode):
    x = T.dmatrix("x")
    i = T.lvector("i")
    data = np.arange(6.0).reshape(3, 2)
    kept = data.copy()

    def run(out: Any, rows: Sequence[int] = (0, 2)) -> Any:
        found = value(out, {x: data, i: np.array(rows)}, mode)
        np.testing.assert_array_equal(data, kept)
        return found.tolist()

    assert run(T.set_subtensor(x[1], 9.0)) == [[0, 1], [9, 9], [4, 5]]
    assert run(T.set_subtensor(x[:, 0], [7.0, 8.0, 9.0])) == [[7, 1], [8, 3], [9, 5]]
    assert run(T.inc_subtensor(x[i], 1.0)) == [[1, 2], [2, 3], [5, 6]]
    twice = (1, 1, 0)
    values = np.array([[10.0], [20.0], [30.0]])
    assert run(T.set_subtensor(x[i], values), twice) == [[30, 30], [20, 20], [4, 5]]
    assert run(T.inc_subtensor(x[i], values), twice) == [[30, 31], [32, 33], [4, 5]]
    assert run(T.set_subtensor(x[:, i], 0.0), (1, -1)) == [[0, 0], [2, 0], [4, 0]]
    assert run(T.set_subtensor(x[(x > 2).nonzero()], 0.0)) == [[0, 1], [2, 0], [0, 0]]
    # Through a dimshuffle: what was indexed changes, and is given back dimshuffled too.
    assert run(T.set_subtensor(x[1].dimshuffle("x", 0), [[8.0, 9.0]])) == [[0, 1], [8, 9], [4, 5]]
    assert run(T.inc_subtensor(x[i].dimshuffle(1, 0), [[1.0], [2.0]])) == [[1, 2, 5], [3, 3, 7]]
    # What is written to is the operand of the last index.
    assert run(T.set_subtensor(x[::-1][0], 0.0)) == [[0, 0], [2, 3], [0, 1]]
    assert T.set_subtensor(x[1], 9.0).type == x.type
    with pytest.raises(TypeError):
        T.set_subtensor(x, 0.0)
    with pytest.raises(TypeError):
        T.set_subtensor(x[0], T.dmatrix())


@each_mode
def test_trap_18_gradients_flow_through_what_is_not_overwritten(mode):
    x, y = T.dvector("x"), T.dvector("y")
    cost = (T.set_subtensor(x[1:3], y) ** 2).sum()
    gradients = theano.function([x, y], theano.grad(cost, [x, y]), mode=mode)
    gx, gy = gradients([1, 2, 3, 4], [5, 6])
    assert gx.tolist() == [2, 0, 0, 8]
    assert gy.tolist() == [10, 12]


@each_mode
def test_trap_19_what_grad_says_no_to_and_how_it_names(mode):
    x, y = T.dvector("x"), T.dvector("y")
    cost = (x**2).sum()
    cost.name = "cost"
    with pytest.raises(DisconnectedInputError):
        theano.grad(cost, y)
    zero = theano.grad(cost, y, disconnected_inputs="ignore")
    assert value(zero, {y: [1, 2]}, mode).tolist() == [0, 0]
    assert theano.grad(cost, x).name == "(dcost/dx)"
    with pytest.raises(TypeError, match="scalar"):
        theano.grad(x, x)
    for floatx in ("float32", "float64"):
        with change_flags(floatX=floatx):
            n = T.lvector("n")
            gradient = theano.grad((n * 2).sum(), n)
            assert gradient.dtype == floatx
            assert value(gradient, {n: [1, 2]}, mode).tolist() == [0, 0]
    second = theano.grad(theano.grad((x**3).sum(), x).sum(), x)
    assert value(second, {x: [1, 2]}, mode).tolist() == [6, 12]


@every_mode
def test_trap_20_log_of_one_plus_exp_is_stable(mode):
    x = T.dvector("x")
    given = {x: [-1000.0, 0.0, 1000.0]}
    found = value(T.log(1 + T.exp(x)), given, mode)
    np.testing.assert_allclose(found, [0, np.log(2), 1000], atol=1e-300)
    np.testing.assert_allclose(value(T.log1p(T.exp(x)), given, mode), found)
    np.testing.assert_allclose(value(T.log(T.nnet.sigmoid(x)), given, mode), [-1000, -np.log(2), 0])
    slope = value(theano.grad(T.log(1 + T.exp(x)).sum(), x), given, mode)
    np.testing.assert_allclose(slope, [0, 0.5, 1])


@every_mode
def test_trap_20_log_softmax_and_cross_entropy_are_finite(mode):
    x, y = T.dmatrix("x"), T.ivector("y")
    data, labels = np.array([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]]), np.array([2, 0], "int32")
    p = T.nnet.softmax(x)
    shifted = data - data.max(axis=1, keepdims=True)
    expected = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(value(T.log(p), {x: data}, mode), expected)
    given = {x: data, y: labels}
    picked = -expected[[0, 1], labels]
    for cost in (
        T.nnet.categorical_crossentropy(p, y),
        -T.log(p)[T.arange(y.shape[0]), y],
    ):
        np.testing.assert_allclose(value(cost, given, mode), picked)
        slope = value(theano.grad(cost.mean(), x), given, mode)
        np.testing.assert_allclose(slope, (np.exp(expected) - np.eye(3)[labels]) / 2, atol=1e-12)


# 22: the cross-entropy's targets (15 and 23 are in test_traps_random.py)


@each_mode
def test_trap_22_the_rank_of_the_targets_decides_which_cross_entropy(mode):
    p, t, y = T.dmatrix("p"), T.dmatrix("t"), T.lvector("y")
    data = np.array([[0.1, 0.9], [0.5, 0.5]])
    loss = T.nnet.categorical_crossentropy
    expected = -np.log([0.9, 0.5])
    np.testing.assert_allclose(value(loss(p, y), {p: data, y: [1, 0]}, mode), expected)
    hot = {p: data, t: [[0.0, 1.0], [1.0, 0.0]]}
    np.testing.assert_allclose(value(loss(p, t), hot, mode), expected)
    soft = {p: data, t: [[0.5, 0.5], [1.0, 0.0]]}
    mixed = [-np.log([0.1, 0.9]).mean(), -np.log(0.5)]
    np.testing.assert_allclose(value(loss(p, t), soft, mode), mixed)
    for wrong in (T.dvector(), T.ltensor3()):
        with pytest.raises(TypeError):
            loss(p, wrong)
    labels = theano.function([p, y], loss(p, y), mode=mode)
    with pytest.raises(ValueError, match="2"):
        labels(data, [0, 2])


# 24 - 25: borrowing, flags


@each_mode
def test_trap_24_what_shares_memory_and_what_does_not(mode):
    a = np.zeros(3)
    copied, borrowed = theano.shared(a), theano.shared(a, borrow=True)
    a += 1
    assert copied.get_value().tolist() == [0] * 3
    assert borrowed.get_value(borrow=True) is a
    assert borrowed.get_value() is not a
    x = T.dvector("x")
    f = theano.function([x], [x, borrowed, x[::-1], borrowed[1:], borrowed, x + 0], mode=mode)
    given = np.arange(3.0)
    results = f(given)
    for i, result in enumerate(results):
        assert not np.shares_memory(result, given)
        assert not np.shares_memory(result, a)
        assert not any(np.shares_memory(result, other) for other in results[i + 1 :])
    results[1][:] = -1
    assert borrowed.get_value().tolist() == [1] * 3
    g = theano.function([x], updates=[(copied, x)], mode=mode)
    g(given)
    given[:] = 7
    assert copied.get_value().tolist() == [0, 1, 2]


@each_mode
def test_trap_24_a_result_keeps_its_value_when_the_variable_is_updated(mode):
    s = theano.shared(np.zeros(3))
    f = theano.function([], s, updates=[(s, s + 1)], mode=mode)
    first = f()
    held = s.get_value(borrow=True)
    second = f()
    assert first.tolist() == [0] * 3
    assert second.tolist() == [1] * 3
    assert s.get_value().tolist() == [2] * 3
    assert held.shape == (3,)


@each_mode
def test_trap_25_floatx_is_read_when_a_variable_is_made(mode):
    with change_flags(floatX="float64"):
        x = T.matrix("x")
    with change_flags(floatX="float32"):
        y = T.matrix("y")
        assert (x.dtype, y.dtype) == ("float64", "float32")
        assert T.zeros((2,)).dtype == "float32"
        given = {x: np.ones((1, 1)), y: np.ones((1, 1), "float32")}
        assert value(x + y, given, mode).dtype == "float64"
        assert value(y * 2, {y: [[1]]}, mode).dtype == "float32"
    with pytest.raises(Exception, match="device"):
        theano.config.device = "cuda"
    assert get_default_mode() is get_default_mode()
