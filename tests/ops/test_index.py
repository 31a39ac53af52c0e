"""Indexing and writing by index: basic, by integer arrays, by masks."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal, reference
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.graph.nodes import Variable

SHAPE = (4, 3, 5)


@st.composite
def entry(draw, size):
    kind = draw(st.sampled_from(["int", "slice", "slice"]))
    if kind == "int":
        return draw(st.integers(-size, size - 1))
    bound = st.none() | st.integers(-size - 2, size + 2)
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2])))


@st.composite
def basic_keys(draw):
    count = draw(st.integers(0, 3))
    sizes = list(SHAPE[:count])
    key = [draw(entry(size)) for size in sizes]
    if draw(st.booleans()):
        key.append(Ellipsis)
    for _ in range(draw(st.integers(0, 1))):
        key.insert(draw(st.integers(0, len(key))), None)
    return tuple(key)


def symbolic(key, numbers):
    """``key`` with its ints replaced by variables; their values are appended to ``numbers``."""

    def make(value):
        if not isinstance(value, int):
            return value
        numbers.append(value)
        return T.lscalar()

    return tuple(
        slice(make(e.start), make(e.stop), make(e.step)) if isinstance(e, slice) else make(e)
        for e in key
    )


@given(basic_keys())
@settings(max_examples=100)
def test_basic_indexing_is_numpys(key):
    x = normal(*SHAPE)
    np.testing.assert_array_equal(reference(lambda v: v[key], x), x[key])


@given(basic_keys())
@settings(max_examples=60)
def test_basic_indexing_by_variables(key):
    x, numbers = normal(*SHAPE), []
    symbolic(key, numbers)

    def build(v, *indices):
        supply = iter(indices)

        def put(value):
            return next(supply) if isinstance(value, int) else value

        return v[
            tuple(
                slice(put(e.start), put(e.stop), put(e.step)) if isinstance(e, slice) else put(e)
                for e in key
            )
        ]

    found = reference(build, x, *map(np.int64, numbers))
    np.testing.assert_array_equal(found, x[key])


KEYS = [
    (0,), (-1, 2), (slice(1, None),), (slice(None, None, -1), 1), (slice(None), slice(-2, None)),
    (Ellipsis, 0), (None, 1), (slice(3, 0, -2), slice(None), slice(1, -1)), (),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_basic_indexing_compiled(key):
    x = normal(*SHAPE)
    np.testing.assert_array_equal(both(lambda v: v[key], x), x[key])
    np.testing.assert_array_equal(both(lambda v: v[key] * 2, x), x[key] * 2)
    check_grad(lambda v: v[key] ** 2, x)


def test_compiled_indices_are_run_time_values():
    x, i, j, k = T.dvector(), T.lscalar(), T.iscalar(), T.lscalar()
    f = theano.function([x, i, j, k], x[i:j:k])
    g = theano.function([x, i], x[i])
    a = normal(7)
    for start, stop, step in (
        (0, 7, 1),
        (-3, 9, 2),
        (6, -9, -1),
        (5, 1, -2),
        (4, 2, 1),
        (-9, 3, 1),
    ):
        np.testing.assert_array_equal(f(a, start, stop, step), a[start:stop:step])
    for index in (0, 6, -1, -7):
        assert g(a, index) == a[index]
    for index in (7, -8):
        with pytest.raises(IndexError):
            g(a, index)
    with pytest.raises(ValueError, match="zero"):
        f(a, 0, 3, 0)


def test_a_list_of_slices_is_a_tuple():
    x = normal(3, 4)
    np.testing.assert_array_equal(
        reference(lambda v: v[[slice(None, None, -1), slice(1, 3)]], x), x[::-1, 1:3]
    )


def test_static_knowledge():
    x = T.zeros((5, 3))
    assert x[1:].type.shape == (4, 3)
    assert x[:, 0].type.shape == (5,)
    assert x[0:1].broadcastable == (False, False)
    assert T.row()[:, 1:].broadcastable == (True, False)
    assert T.row()[0:1].broadcastable == (True, False)
    assert T.matrix()[:2].type.shape == (None, None)
    assert x[[0, 1, 2, 0]].type.shape == (4, 3)
    assert T.matrix()[None].broadcastable == (True, False, False)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        (1.5, TypeError),
        ((0, 0, 0), IndexError),
        ((Ellipsis, Ellipsis), IndexError),
        (True, TypeError),
        ([True, False], TypeError),
        ("a", TypeError),
        (slice(0.5, None), TypeError),
        (np.array([0.5]), TypeError),
    ],
)
def test_bad_indices_are_refused_at_build_time(key, error):
    with pytest.raises(error):
        T.matrix()[key]


def test_more_bad_indices():
    x = T.matrix()
    with pytest.raises(TypeError, match="integer"):
        x[T.dscalar()]
    with pytest.raises(TypeError, match="NumPy array"):
        x[[True, False]]
    with pytest.raises(IndexError):
        reference(lambda v: v[5], normal(3))
    with pytest.raises(IndexError):
        T.zeros((3, 2))[5].eval()
    with pytest.raises(IndexError):
        theano.function([x], T.zeros_like(x[:2])[[5]])(normal(3, 3))


def test_names():
    x = T.matrix()
    assert str(x[0].owner.op) == "Subtensor{int64}"
    assert str(x[:, 1:].owner.op) == "Subtensor{::, int64::}"
    assert str(T.set_subtensor(x[0], 1).owner.op) == "IncSubtensor{Set;int64}"
    assert str(T.inc_subtensor(x[[0]], 1).owner.op) == "AdvancedIncSubtensor1{no_inplace,inc}"


# integer arrays --------------------------------------------------------------------------------

ARRAY_KEYS = [
    (np.array([0, 2, -1, 0]),),
    ([1, 0],),
    (slice(None), np.array([2, 0])),
    (slice(None), slice(None), np.array([[4, 0], [1, 1]])),
    (np.array([[0, 1], [3, 2]]),),
    (np.array([0, 1]), np.array([2, 0])),
    (np.array([0, 1]), slice(None), np.array([4, 0])),
    (slice(None), np.array([0, 1]), np.array([4, 0])),
    (0, slice(None), np.array([4, 0])),
    (slice(1, None), np.array([0, 1]), 2),
    (np.array([[0], [3]]), np.array([1, 2])),
    (None, np.array([0, 1]), slice(None, None, -1), np.array([4, 0])),
    (Ellipsis, np.array([0, 1]), slice(1, 3)),
    (np.zeros(0, dtype="int64"),),
    (np.array([1, 3]), slice(1, None), slice(None, None, 2)),
]


@pytest.mark.parametrize("key", ARRAY_KEYS)
def test_integer_arrays_are_numpys(key):
    x = normal(*SHAPE)
    expected = x[key]
    np.testing.assert_array_equal(both(lambda v: v[key], x), expected)
    check_grad(lambda v: v[key] ** 2, x)
    numbers = [np.asarray(e) for e in key if isinstance(e, (list, np.ndarray))]

    def build(v, *indices):
        supply = iter(indices)
        return v[tuple(next(supply) if isinstance(e, (list, np.ndarray)) else e for e in key)]

    np.testing.assert_array_equal(both(build, x, *numbers), expected)


@pytest.mark.parametrize("key", ARRAY_KEYS)
def test_writing_at_integer_arrays_is_numpys(key):
    x = normal(*SHAPE)
    y = np.random.default_rng(1).normal(size=x[key].shape)
    added = x.copy()
    np.add.at(added, key, y)
    np.testing.assert_allclose(both(lambda v, y: T.inc_subtensor(v[key], y), x, y), added)
    written = x.copy()
    written[key] = 3.0
    if key[0] is not None:  # new axes before arrays: the result has the new axis too
        np.testing.assert_array_equal(both(lambda v: T.set_subtensor(v[key], 3.0), x), written)
    check_grad(lambda v, y: T.inc_subtensor(v[key], y) ** 2, x, y)


def test_writing_repeated_rows():
    x, index = np.zeros((4, 2)), np.array([1, 1, 1, 3])
    y = np.arange(8.0).reshape(4, 2)
    assert both(lambda v, i, y: T.inc_subtensor(v[i], y), x, index, y)[1].tolist() == [6, 9]
    assert both(lambda v, i, y: T.set_subtensor(v[i], y), x, index, y)[1].tolist() == [4, 5]
    assert both(lambda v, i: T.inc_subtensor(v[i], 1), x, index)[:, 0].tolist() == [0, 3, 0, 1]
    pairs = (np.array([0, 0, 1]), np.array([1, 1, 0]))
    found = both(lambda v, i, j: T.inc_subtensor(v[i, j], 2.0), x, *pairs)
    assert found[0, 1] == 4


def test_integer_arrays_out_of_range():
    x, i, j = T.dmatrix(), T.lvector(), T.lvector()
    functions = [
        theano.function([x, i, j], out, on_unused_input="ignore")
        for out in (x[i], x[i, j], T.inc_subtensor(x[i], 1), T.set_subtensor(x[i, j], 1))
    ]
    for f in functions:
        for bad in ([0, 3], [-4, 0]):
            with pytest.raises(IndexError):
                f(normal(3, 3), bad, [0, 0])


# masks -------------------------------------------------------------------------------------------


def test_masks_are_numpys():
    x = normal(*SHAPE)
    mask = x > 0
    np.testing.assert_array_equal(both(lambda v, m: v[m], x, mask), x[mask])
    first = np.array([True, False, True, True])
    np.testing.assert_array_equal(both(lambda v: v[first], x), x[first])
    np.testing.assert_array_equal(both(lambda v, m: v[m, 1:], x, first), x[first, 1:])
    np.testing.assert_array_equal(both(lambda v, m: v[:, m], x, mask[0]), x[:, mask[0]])
    written = x.copy()
    written[mask] = 0
    np.testing.assert_array_equal(both(lambda v, m: T.set_subtensor(v[m], 0.0), x, mask), written)
    check_grad(lambda v: v[mask] ** 2, x)
    with pytest.raises(IndexError, match="boolean"):
        reference(lambda v, m: v[m], x, first[:3])


def test_nonzero():
    x = np.array([[0, 1, 0], [2, 0, 3]])
    for found, expected in zip(both(lambda v: v.nonzero(), x), x.nonzero(), strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(
        both(lambda v: v.nonzero(return_matrix=True), x), np.array(x.nonzero())
    )
    assert both(lambda v: v.nonzero_values(), x).tolist() == [1, 2, 3]
    assert both(T.flatnonzero, x).tolist() == [1, 3, 5]
    np.testing.assert_array_equal(reference(lambda v: v[T.gt(v, 1).nonzero()], x), [2, 3])
    with pytest.raises(ValueError, match="non-scalar"):
        T.nonzero(T.scalar())


# writing -----------------------------------------------------------------------------------------


@given(basic_keys().filter(lambda key: None not in key))
@settings(max_examples=60)
def test_writing_at_basic_indices_is_numpys(key):
    x = normal(*SHAPE)
    y = np.asarray(x[key]) + 1
    for write in (T.set_subtensor, T.inc_subtensor):
        expected = x.copy()
        expected[key] = y if write is T.set_subtensor else expected[key] + y
        found = reference(lambda v, y, write=write: write(v[key], y), x, y)
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("key", KEYS)
def test_writing_at_basic_indices_compiled(key):
    x, y = normal(*SHAPE), np.asarray(normal(*SHAPE)[key]) * 2
    for write in (T.set_subtensor, T.inc_subtensor):
        expected = x.copy()
        expected[key] = y if write is T.set_subtensor else expected[key] + y
        found = both(lambda v, y, write=write: write(v[key], y), x, y)
        np.testing.assert_allclose(found.reshape(SHAPE), expected)
        check_grad(lambda v, y, write=write: write(v[key], y) ** 2, x, y)


def test_the_value_broadcasts():
    x = normal(3, 4)
    expected = x.copy()
    expected[:, 1:3] += np.array([1.0, 2.0])
    np.testing.assert_allclose(
        both(lambda v, y: T.inc_subtensor(v[:, 1:3], y), x, np.array([1.0, 2.0])), expected
    )
    check_grad(lambda v, y: T.inc_subtensor(v[:, 1:3], y) ** 2, x, normal(2))
    check_grad(
        lambda v, y: T.set_subtensor(v[:, 1:3], y) ** 2,
        x,
        normal(1, 2),
        patterns=[None, (True, False)],
    )
    check_grad(lambda v, y: T.set_subtensor(v[1], y) ** 2, x, np.float64(2))


def test_the_result_is_a_new_full_array():
    x = T.fmatrix("x")
    out = T.set_subtensor(x[0], np.float64(2.0))
    assert out.type == x.type
    f = theano.function([x], out)
    a = np.zeros((2, 2), dtype="float32")
    assert f(a).tolist() == [[2, 2], [0, 0]]
    assert a.tolist() == [[0, 0], [0, 0]]
    shared = theano.shared(np.zeros(3))
    g = theano.function([], [], updates=[(shared, T.inc_subtensor(shared[1:], 1.0))])
    g()
    g()
    assert shared.get_value().tolist() == [0, 2, 2]


def test_through_dimshuffle_and_reshape():
    x = normal(3, 4)
    index = np.array([[0, 2], [2, 1]])
    expected = x.copy()
    expected[:, index] = 0
    np.testing.assert_array_equal(both(lambda v: T.set_subtensor(v[:, index], 0.0), x), expected)
    expected = x.copy()
    np.add.at(expected, (slice(None), index), np.ones((3, 2, 2)))
    np.testing.assert_array_equal(
        both(lambda v, y: T.inc_subtensor(v[:, index], y), x, np.ones((3, 2, 2))), expected
    )
    found = reference(lambda v: T.set_subtensor(v[1].dimshuffle("x", 0), 5.0), x)
    assert found.shape == (3, 4)
    assert found[1].tolist() == [5] * 4
    turned = reference(lambda v: T.set_subtensor(v[1:].T, 5.0), x)
    assert turned.shape == (4, 3)
    assert turned[:, 1:].tolist() == [[5, 5]] * 4


def test_writing_errors():
    x = T.dmatrix("x")
    with pytest.raises(TypeError, match="subtensor"):
        T.set_subtensor(x, 0)
    with pytest.raises(TypeError, match="subtensor"):
        T.inc_subtensor(x + 1, 0)
    with pytest.raises(TypeError, match="subtensor"):
        T.inc_subtensor(x.reshape((2, 3)), 0)
    with pytest.raises(TypeError, match="1-dimensional subtensor with a 2-dimensional value"):
        T.set_subtensor(x[0], T.dmatrix())
    with pytest.raises(TypeError, match="value of"):
        T.set_subtensor(T.lmatrix()[0], 0.5)
    with pytest.raises(ValueError, match="broadcast"):
        reference(lambda v, y: T.set_subtensor(v[0], y), normal(2, 3), normal(2))


# take --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("indices", [np.array([1, 0, 1]), np.array([[1, 0], [2, -1]]), np.int64(1)])
def test_take(axis, indices):
    x = normal(3, 4)
    np.testing.assert_array_equal(
        both(lambda v, i: T.take(v, i, axis), x, indices), np.take(x, indices, axis)
    )
    check_grad(lambda v, i: T.take(v, i, axis) ** 2, x, indices)


def test_take_modes():
    x, indices = normal(3), np.array([-5, 1, 9])
    for mode in ("clip", "wrap"):
        np.testing.assert_array_equal(
            both(lambda v, i, mode=mode: T.take(v, i, mode=mode), x, indices),
            np.take(x, indices, mode=mode),
        )
    for mode in ("clip", "wrap", "raise"):
        with pytest.raises(IndexError):
            both(lambda v, i, mode=mode: T.take(v, i, mode=mode), np.zeros(0), np.array([0]))
        empty = both(lambda v, i, mode=mode: T.take(v, i, mode=mode), x, np.zeros(0, dtype=int))
        assert empty.shape == (0,)
    with pytest.raises(ValueError, match="mode"):
        T.take(T.vector(), [0], mode="other")
    with pytest.raises(ValueError, match="axis"):
        T.take(T.vector(), [0], axis=1)


def test_directional_derivatives():
    x = T.dmatrix("x")
    direction, index = normal(3, 4), np.array([0, 2])
    for build in (
        lambda v: v[1:, 0],
        lambda v: v[index],
        lambda v: v[index, index],
        lambda v: T.set_subtensor(v[0], v[1] * 2),
        lambda v: T.inc_subtensor(v[index], v[index] * 3),
    ):
        out = build(x)
        assert isinstance(out, Variable)
        found = reference(lambda v, d, build=build: T.Rop(build(v), v, d), normal(3, 4), direction)
        # All of these are linear.
        np.testing.assert_allclose(found, reference(build, direction))


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_indices_of_uint64(mode):
    x, data = T.dmatrix("x"), normal(4, 3)
    rows, row = T.vector("rows", dtype="uint64"), T.scalar("row", dtype="uint64")
    at, one = np.array([3, 0, 3], "uint64"), np.uint64(2)
    outputs = [
        x[rows], x[row], x[:row], x[row:, ::2], x[rows, rows % np.uint64(3)],
        T.take(x, rows, axis=0), x[at],
        T.inc_subtensor(x[rows], 1.0), T.grad(T.sqr(x[rows]).sum(), x),
    ]  # fmt: skip
    f = theano.function([x, rows, row], outputs, mode=mode)
    added, slope = data.copy(), np.zeros_like(data)
    np.add.at(added, at, 1.0)
    np.add.at(slope, at, 2 * data[at])
    wanted = [
        data[at], data[2], data[:2], data[2:, ::2], data[at, at % np.uint64(3)], data[at], data[at],
        added, slope,
    ]  # fmt: skip
    for found, right in zip(f(data, at, one), wanted, strict=True):
        np.testing.assert_allclose(found, right)
    g = theano.function([x, rows, row], [x[rows], x[:row]], mode=mode)
    with pytest.raises(IndexError, match="out of bounds"):
        g(data, np.array([2**64 - 1], "uint64"), one)  # is not the last row
    assert g(data, at, np.uint64(2**64 - 1))[1].shape == (4, 3)
