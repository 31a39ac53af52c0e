"""Sorting, the best k, the different elements and nonzero, natively, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, inputs_for, normal
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.graph.evaluate import reference_function
from theano.ops.sorting import unique_of

DTYPES = ("bool", "int8", "uint8", "int16", "uint32", "int64", "uint64", "float16", "float32",
          "float64")  # fmt: skip


def values(dtype, shape, seed=0):
    """Elements with ties; floats with NaN, infinities and zeros of both signs."""
    rng = np.random.default_rng(seed)
    made = np.rint(rng.normal(size=shape) * 4)
    if dtype.startswith("float"):
        strange = rng.integers(0, 12, shape)
        for number, special in enumerate((np.nan, np.inf, -np.inf, -0.0)):
            made = np.where(strange == number, special, made)
    return np.abs(made).astype(dtype) if dtype.startswith("u") else made.astype(dtype)


def native(outputs):
    """Whether functions of these outputs have no Python step."""
    found = theano.graph.traverse.roots(outputs)
    inputs = [v for v in found if not isinstance(v, T.Constant)]
    plan = theano.explain(theano.function(inputs, outputs), code=False)
    return "python" not in plan["program"]


def agree(build, expected, *arrays):
    """Compiled and reference results are NumPy's."""
    found = both(build, *arrays)
    if not isinstance(found, (list, tuple)):
        found, expected = [found], [expected]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, two)


def topk_of(x, k, axis):
    """Values and positions by a stable sort of what comes first."""
    ranks = unique_of(x, return_inverse=True)[1].reshape(x.shape)
    order = np.argsort(-ranks if k > 0 else ranks, axis, kind="stable")
    places = np.take(order, np.arange(abs(k)), axis)
    return np.take_along_axis(x, places, axis), places


@settings(max_examples=25)
@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), min_size=1, max_size=4), st.data())
def test_sorts_of_any_shape(dtype, shape, data):
    x = values(dtype, shape, data.draw(st.integers(0, 99)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    agree(lambda v: [T.sort(v, axis), T.argsort(v, axis)],
          [np.sort(x, axis, kind="stable"), np.argsort(x, axis, kind="stable")], x)  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [30, 2000])
def test_long_lines(dtype, n):
    x = values(dtype, n)
    order = np.argsort(x, kind="stable")
    part = np.sort(x[::-2], kind="stable")
    agree(lambda v: [v.sort(), v.argsort(), v[::-2].sort()], [x[order], order, part], x)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint64", "float32", "float64"])
def test_random_bits(dtype):
    bits = np.random.default_rng(5).integers(0, 256, 8 * 3000).astype("uint8")
    x = bits.view(dtype)
    agree(lambda v: [T.sort(v), T.argsort(v)], [np.sort(x), np.argsort(x, kind="stable")], x)


def test_many_lines_in_parallel():
    x = np.random.default_rng(8).normal(size=(200, 700))
    rows = np.sort(x, 1)
    agree(lambda v: [T.sort(v, 0), T.sort(v, 1), T.argsort(v, 0), T.topk(v, 3)],
          [np.sort(x, 0), rows, np.argsort(x, 0), rows[:, :-4:-1]], x)  # fmt: skip


@settings(max_examples=25)
@given(st.sampled_from(DTYPES), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.data())
def test_topk_of_any_shape(dtype, shape, data):
    x = values(dtype, shape, data.draw(st.integers(0, 99)))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    k = data.draw(st.integers(1, shape[axis])) * data.draw(st.sampled_from((1, -1)))
    agree(lambda v: T.topk_and_argtopk(v, k, axis), list(topk_of(x, k, axis)), x)


@pytest.mark.parametrize("k", [1, 3, 400, -1, -60, 1500])
def test_topk_of_long_lines(k):
    x = np.random.default_rng(2).normal(size=(2, 1500))
    expected = topk_of(x, k, 1)
    agree(lambda v, k: T.topk(v, k), expected[0], x, np.int64(k))
    agree(lambda v, k: T.argtopk(v, k), expected[1], x, np.int32(k))


def test_topk_arguments():
    x = normal(3, 4)
    assert both(lambda v: T.argtopk(v, 2, idx_dtype="int32"), x).dtype == "int32"
    assert both(lambda v: T.topk(v, 5, axis=None), x).shape == (5,)
    assert T.topk(T.dmatrix(), 2).type.shape == (None, 2)
    assert native(T.topk_and_argtopk(T.dmatrix(), T.iscalar(), idx_dtype="uint8"))
    with pytest.raises(ValueError, match="must not be 0"):
        T.topk(T.vector(), 0)
    with pytest.raises(ValueError, match="fewer elements"):
        T.topk(T.constant([1.0, 2.0]), 3)
    with pytest.raises(TypeError, match="0-d integer"):
        T.topk(T.vector(), 1.5)
    with pytest.raises(TypeError, match="idx_dtype"):
        T.argtopk(T.vector(), 1, idx_dtype="float32")
    with pytest.raises(ValueError, match="axis 3"):
        T.topk(T.vector(), 1, axis=3)
    k, v = T.iscalar(), T.dvector()
    for mode in ("FAST_RUN", "FAST_COMPILE"):
        f = theano.function([v, k], T.topk(v, k), mode=mode)
        for bad, text in ((0, "must not be 0"), (3, "fewer"), (-3, "fewer")):
            with pytest.raises(ValueError, match=text):
                f([1.0, 2.0], bad)


@pytest.mark.parametrize("k", [2, -3])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_gradient_of_topk(k, axis):
    x = normal(4, 5)
    check_grad(lambda v: T.topk(v, k, axis) ** 3, x)
    check_grad(lambda v: T.grad((T.topk(v, k, axis) ** 3).sum(), v), x)
    value, direction = inputs_for([x, x[::-1].copy()])
    forward = T.Rop(T.topk(value, k, axis), value, direction)
    places = T.argtopk(value, k, axis)
    expected = (
        direction.flatten()[places] if axis is None else T.take_along_axis(direction, places, axis)
    )
    one, two = reference_function([value, direction], [forward, expected])(x, x[::-1].copy())
    np.testing.assert_array_equal(one, two)


def test_positions_of_topk_have_no_slope():
    x = T.dvector()
    best, places = T.topk_and_argtopk(x, 2)
    g = T.grad((best * T.cast(places, "float64")).sum(), x)
    np.testing.assert_array_equal(g.eval({x: [3.0, 1.0, 5.0]}), [0, 0, 2])


def test_second_derivative_of_sort():
    check_grad(lambda v: T.grad((T.sort(v, 0) ** 3).sum(), v), normal(3, 4))


@settings(max_examples=8)
@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 6), min_size=0, max_size=3))
def test_unique(dtype, shape):
    x = values(dtype, shape)
    expected = unique_of(x, True, True, True)
    expected = [expected[0].astype(dtype), *(v.reshape(-1) for v in expected[1:])]
    agree(lambda v: T.unique(v, True, True, True), expected, x)
    agree(T.unique, expected[0], x)
    for number, name in enumerate(("return_index", "return_inverse", "return_counts"), 1):
        agree(lambda v, n=name: T.unique(v, **{n: True}), [expected[0], expected[number]], x)


def test_unique_is_native_and_slices_are_not():
    assert native(T.unique(T.dmatrix(), True, True, True))
    x = np.array([[1, 2], [0, 5], [1, 2]])
    expected = np.unique(x, True, True, True, axis=0)
    agree(lambda v: T.unique(v, True, True, True, axis=0),
          [expected[0], *(v.reshape(-1) for v in expected[1:])], x)  # fmt: skip
    assert "records" in T.unique(T.imatrix(), axis=0).owner.op.why
    v = T.dvector()
    with pytest.raises(theano.gradient.DisconnectedInputError):
        T.grad(T.unique(v).sum(), v)


@settings(max_examples=20)
@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 20), min_size=1, max_size=4))
def test_nonzero(dtype, shape):
    x = values(dtype, shape)
    agree(lambda v: list(v.nonzero()), list(np.nonzero(x)), x)
    agree(lambda v: [T.flatnonzero(v), T.nonzero_values(v)], [np.flatnonzero(x), x[x != 0]], x)
    agree(lambda v: v.nonzero(return_matrix=True), np.array(np.nonzero(x)), x)


def test_nonzero_of_many_dimensions_and_views():
    x = values("int8", (2,) * 10)
    agree(lambda v: list(T.nonzero(v)), list(np.nonzero(x)), x)
    y = normal(6, 40) > 0
    agree(lambda v: list(T.nonzero(v.T[::-1, ::2])), list(np.nonzero(y.T[::-1, ::2])), y)
    assert native(list(T.nonzero(T.dmatrix() > 0)))
    with pytest.raises(ValueError, match="non-scalar"):
        T.nonzero(T.dscalar())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted_everywhere(dtype, side):
    x, v = np.sort(values(dtype, 50), kind="stable"), values(dtype, (3, 7), 1)
    agree(lambda x, v: x.searchsorted(v, side), np.searchsorted(x, v, side), x, v)
    shuffled = values(dtype, 50)
    order = np.argsort(shuffled, kind="stable").astype("int32")
    agree(lambda x, v, s: T.searchsorted(x, v, side, s),
          np.searchsorted(shuffled, v, side, order), shuffled, v, order)  # fmt: skip


def test_searchsorted_of_mixed_dtypes():
    x, v = np.array([0, 2, 7], "uint64"), np.array([-1, 2, 8])
    agree(T.searchsorted, np.searchsorted(x, v), x, v)
    x, v = np.array([0.5, 2, 7], "float32"), np.array([-1, 2, 8])
    agree(T.searchsorted, np.searchsorted(x, v), x, v)
    sorter = T.lvector()
    f = theano.function([sorter], T.searchsorted(T.constant([1.0, 2.0]), [1.5], sorter=sorter))
    for bad in ([0, 2], [0], [-1, 0]):
        with pytest.raises(ValueError, match="sorter"):
            f(bad)


@pytest.mark.parametrize("counts", [[2, 0, 3], [2], [0]])
def test_repeat_by_a_vector(counts):
    x = normal(3, 2)
    for dtype in ("int64", "int8", "uint32"):
        counted = np.array(counts, dtype)
        agree(lambda v, c: v.repeat(c, axis=0), np.repeat(x, counted, 0), x, counted)
    check_grad(lambda v: T.repeat(v, counts, axis=0) ** 2, x)
    check_grad(lambda v: T.grad((T.repeat(v, counts, axis=0) ** 3).sum(), v), x)


def test_repeat_refused():
    x, c = T.dvector(), T.lvector()
    f = theano.function([x, c], T.repeat(x, c))
    for bad in ([1, -1], [1, 1, 1], []):
        with pytest.raises(ValueError, match=r"repeat|count"):
            f([1.0, 2.0], bad)
    assert native([T.repeat(T.dvector(), T.lvector())])


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("shape", [(300,), (3, 5, 7), (70, 9), (5, 300), (1, 1), (2, 0, 3)])
@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
def test_cumulative_shapes(name, shape, dtype):
    x = np.random.default_rng(4).uniform(0.8, 1.2, shape).astype(dtype)
    # The order of additions depends on the width of vectors: with four lanes 1.1e-6 was seen.
    rtol = 2e-6 if dtype == "float32" else 1e-6
    for axis in (None, *range(len(shape))):
        found = both(lambda v, a=axis: getattr(T, name)(v, a), x, rtol=rtol)
        np.testing.assert_allclose(found, getattr(np, name)(x, axis, dtype=dtype), rtol=1e-5)
    turned = both(lambda v: getattr(T, name)(v.T[::-1], 0), x, rtol=rtol)
    np.testing.assert_allclose(turned, getattr(np, name)(x.T[::-1], 0, dtype=dtype), rtol=1e-5)
