"""What the fuzzers found, one test per cause."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.graph.tensor_type import TensorType

MODES = {
    "native": theano.Mode("cvm", "fast_run"), "plain native": theano.Mode("cvm", None),
    "program": theano.Mode("numpy", "fast_run"), "reference": theano.Mode("py", None),
}  # fmt: skip
each_mode = pytest.mark.parametrize("mode", MODES.values(), ids=MODES)


def ran(inputs: list[Any], outputs: Any, *values: Any, mode: Any) -> Any:
    return theano.function(inputs, outputs, mode=mode, on_unused_input="ignore")(*values)


@each_mode
def test_sum_of_a_computed_number_repeated(mode: Any) -> None:
    """The sum joined the kernel of the number, which has no points to repeat it over."""
    flag, x = TensorType("bool", (1, 1))("flag"), T.dmatrix("x")
    number = T.switch(flag, np.array([[1.5]]), np.array([[0.0]])).dimshuffle()
    total = T.alloc(number, x.shape[0], x.shape[1]).sum(axis=0) * 2
    found = ran([flag, x], total, np.array([[True]]), np.ones((3, 4)), mode=mode)
    np.testing.assert_array_equal(found, np.full(4, 9.0))


@each_mode
def test_gradient_through_a_switch_that_broadcasts(mode: Any) -> None:
    scale, x, other = T.dscalar("scale"), T.dcol("x"), T.dmatrix("other")
    flag = TensorType("bool", (1,))("flag")
    out = T.grad(T.switch(flag, scale * x.T, other).sum(), x)
    values = [0.5, np.ones((2, 1)), np.ones((2, 2)), np.array([True])]
    found = ran([scale, x, other, flag], out, *values, mode=mode)
    np.testing.assert_array_equal(found, np.ones((2, 1)))


@each_mode
def test_a_view_that_is_read_after_a_write_to_its_copy(mode: Any) -> None:
    """Views are made when they are needed: this one was then made of the copy."""
    x = T.dscalar("x")
    view = x.dimshuffle("x")
    added = T.inc_subtensor(view[np.array([-1])], x)
    sliced = T.inc_subtensor(view[:1], x)
    found = ran([x], [added.sum(), sliced.sum(), view], 1.5, mode=mode)
    assert [float(v.sum()) for v in found] == [3.0, 3.0, 1.5]


@each_mode
def test_write_at_array_indices_of_an_array_of_known_extents(mode: Any) -> None:
    """Known extents are plain integers when the lowering asks whether one is 0."""
    x, v, i = TensorType("float64", (2, None))("x"), T.dvector("v"), T.lvector("i")
    out = T.set_subtensor(x[1:-1:-1, i], v)
    inputs, values = [x, v, i], [np.ones((2, 2)), np.zeros(2), np.zeros(2, "int64")]
    np.testing.assert_array_equal(ran(inputs, out, *values, mode=mode), np.ones((2, 2)))
    y = TensorType("float64", (2, 1, 1))("y")
    none = T.inc_subtensor(y[-1:1:-1, -1, 2::3], 2)[:, :-2, np.array([], "int8")]
    g = T.grad(none.sum() + y.sum(), y)
    np.testing.assert_array_equal(ran([y], g, np.ones((2, 1, 1)), mode=mode), np.ones((2, 1, 1)))


@each_mode
def test_gradient_of_a_loop_in_a_loop_without_rewriting(mode: Any) -> None:
    """What a loop's body had computed was used after the loop: LLVM ended the process."""
    x = T.dmatrix("x")

    def row(r: Any, s: Any) -> Any:
        inner, _ = theano.scan(lambda y, q: T.tanh(y) + q, r, T.zeros_like(r[0]))
        return s * 0.5 + inner.sum()

    total = theano.scan(row, x, T.zeros_like(x[0, 0].sum()))[0].sum()
    value = np.arange(15.0).reshape(3, 5) / 7
    found = ran([x], T.grad(total, x), value, mode=mode)
    weights = np.outer([1.75, 1.5, 1.0], np.arange(5.0, 0, -1))
    np.testing.assert_allclose(found, weights / np.cosh(value) ** 2, rtol=1e-12)


@pytest.mark.parametrize("tiers", [True, False])
@pytest.mark.parametrize("mode", list(MODES.values())[:2], ids=list(MODES)[:2])
def test_float16_of_a_float64_with_a_sign_copied(mode: Any, tiers: bool) -> None:
    """LLVM made the sign a half by a routine that is not linked: nothing compiled."""
    theano.config.jit.tiers = tiers
    x, y = T.matrix("x", dtype="float16"), T.dvector("y")
    product = T.tanh(x * 0.5 + y).astype("float16")
    loop, _ = theano.scan(
        lambda row, s: T.tanh(s * 0.5 + T.dot(row, y)).astype("float16"), x, x[0, 0]
    )
    g = T.grad(T.tanh(T.cast(loop, "float64").sum()), x)
    for extent in (1, 70):
        value = np.linspace(-2, 2, 3 * extent).reshape(3, extent).astype("float16")
        given = (value, np.ones(extent) / 3)
        found = ran([x, y], [product, loop, g], *given, mode=mode)
        wanted = ran([x, y], [product, loop, g], *given, mode=MODES["reference"])
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=4e-3, atol=4e-3)


@each_mode
@pytest.mark.parametrize(
    "index", [(slice(None), None), (None,), (..., None), (None, slice(None), slice(None))], ids=str
)
def test_write_to_a_whole_array_with_new_axes(mode: Any, index: Any) -> None:
    """What has new axes only is not the result of a subtensor: it was refused."""
    x, y = T.dmatrix("x"), T.dtensor3("y")
    value = np.arange(6.0).reshape(2, 3)
    more = np.random.default_rng(0).normal(size=value[index].shape)
    added, written = value.copy(), value.copy()
    added[index] += more
    written[index] = more
    outputs = [T.inc_subtensor(x[index], y), T.set_subtensor(x[index], y)]
    outputs += T.grad((outputs[0] * T.sqr(outputs[1])).sum(), [x, y])
    found = ran([x, y], outputs, value, more, mode=mode)
    for a, b in zip(found, (added, written), strict=False):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    wide = (found[1] ** 2)[index] + (2 * found[0] * found[1])[index]
    np.testing.assert_allclose(found[2], found[1] ** 2, rtol=1e-12)
    np.testing.assert_allclose(found[3], wide, rtol=1e-12)


@each_mode
def test_an_inverse_of_one_row_times_that_row(mode: Any) -> None:
    """The solution, known to have one row, was stretched to the shape of the inverse."""
    x = TensorType("float64", (None, 1, None))("x")
    row = T.sqr(x).sum(axis=0)
    inverse = T.nlinalg.matrix_inverse(T.dot(row, row.T) + 2 * T.eye(row.shape[0]))
    value = np.random.default_rng(0).normal(size=(3, 1, 5))
    found = ran([x], [T.dot(inverse, row), T.dot(row.T, inverse)], value, mode=mode)
    r = (value**2).sum(axis=0)
    np.testing.assert_allclose(found[0], r / (r @ r.T + 2), rtol=1e-10)
    np.testing.assert_allclose(found[1], found[0].T, rtol=1e-10)


@each_mode
def test_what_was_written_to_a_part_is_read_with_the_shape_of_the_part(mode: Any) -> None:
    """A value that stretches over the part was stretched over the whole array."""
    x, y = T.dmatrix("x"), T.drow("y")
    rows = TensorType("float64", (5, None))("rows")
    index = np.array([3, 0])
    outputs = [T.set_subtensor(x[2:5], y)[2:5], T.set_subtensor(rows[index], y)[index]]
    row = np.array([[7.0, 8.0, 9.0]])
    found = ran([x, y, rows], outputs, np.ones((10, 3)), row, np.ones((5, 3)), mode=mode)
    np.testing.assert_array_equal(found[0], np.repeat(row, 3, axis=0))
    np.testing.assert_array_equal(found[1], np.repeat(row, 2, axis=0))


@each_mode
def test_sign_of_the_determinant_of_nan(mode: Any) -> None:
    """NumPy says 1; native code, which multiplies the signs of a factor, did not know."""
    x = T.dmatrix("x")
    for value in ([[np.nan]], [[2.0, np.nan], [1.0, 1.0]]):
        assert np.isnan(ran([x], list(T.nlinalg.slogdet(x)), np.array(value), mode=mode)).all()
    assert ran([x], T.nlinalg.slogdet(x)[0], np.zeros((2, 2)), mode=mode) == 0


@each_mode
def test_equal_nodes_of_which_more_and_less_is_known(mode: Any) -> None:
    """An Alloc of extents that were found to be 1 later took the place of one of a row."""
    x = TensorType("float64", (1, None))("x")
    turned = T.rot90(x)
    logs = T.log(T.nnet.softmax(x * x))
    first = T.grad(T.sqr(T.inner(logs, turned).sum()), x)
    second = T.grad(T.sqr(first.sum()), logs)
    third = T.grad(T.sqr(second.sum() + first.sum()), x)
    value = np.array([[0.3]])
    found = ran([x], [first, second, third], value, mode=mode)
    wanted = ran([x], [first, second, third], value, mode=MODES["reference"])
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-12)
