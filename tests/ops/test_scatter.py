"""Writing at integer arrays: dtypes, repetitions, chains of views, in place, threads, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import both, check_grad, normal, written

import theano
import theano.tensor as T
from theano.runtime import threads

RNG = np.random.default_rng(11)
KEYS = {
    "rows": (np.array([2, 0, -1, 2, 2]),),
    "columns": (slice(None), np.array([[0, 1], [-1, 0]])),
    "pairs": (np.array([0, 0, 1, -4]), np.array([1, 1, 0, 1])),
    "outer": (np.array([[0], [3], [0]]), np.array([[2, -1]])),
    "around": (np.array([1, 1]), slice(None, None, -1), np.array([3, 3])),
    "part": (slice(1, None, 2), np.array([0, 0, 2])),
    "number": (1, slice(None), np.array([3, 0, 3])),
    "last": (Ellipsis, np.array([1, 1, 1])),
    "new": (None, np.array([0, 0]), slice(1, 2)),
}
DTYPES = ["bool", "int8", "int32", "uint8", "uint64", "int64", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_dtype(key: Any, dtype: str) -> None:
    x = RNG.integers(0, 5, (4, 3, 5)).astype(dtype)
    y = RNG.integers(0, 5, x[key].shape).astype(dtype)
    v = T.TensorType(dtype, (False,) * 3)("x")
    w = T.TensorType(dtype, tuple(n == 1 and key[0] is None for n in y.shape))("y")
    part = v[key]
    f = theano.function([v, w], [T.inc_subtensor(part, w), T.set_subtensor(part, w)])
    assert "Python steps: none" in str(theano.explain(f, code=False))
    flipped = np.asfortranarray(x[::-1])[::-1]
    for given in (x, flipped):
        added, replaced = f(given, y)
        np.testing.assert_array_equal(added, written(x, key, y, True))
        np.testing.assert_array_equal(replaced, written(x, key, y, False))
        assert added.dtype == x.dtype


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint8", "uint16", "uint32", "int32"])
def test_every_dtype_of_indices(dtype: str) -> None:
    x, index = normal(6, 3), np.array([5, 0, 5, 2], dtype=dtype)
    y = normal(4, 3)
    found = both(lambda v, i, y: T.inc_subtensor(v[i], y), x, index, y)
    np.testing.assert_allclose(found, written(x, index, y, True))
    found = both(lambda v, i: v[i, i - i], x, index)
    np.testing.assert_array_equal(found, x[index, 0])


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_number_and_a_row_stretch(key: Any) -> None:
    x = normal(4, 3, 5)
    part = x[key]
    assert part.ndim
    np.testing.assert_allclose(
        both(lambda v, y: T.inc_subtensor(v[key], y), x, np.float64(2)),
        written(x, key, 2.0, True),
    )
    row = normal(*part.shape[-1:])
    np.testing.assert_allclose(
        both(lambda v, y: T.inc_subtensor(v[key], y), x, row), written(x, key, row, True)
    )
    check_grad(lambda v, y: T.inc_subtensor(v[key], y) ** 2, x, row)
    zeros = both(lambda v: T.set_subtensor(v[key], T.zeros_like(v[key])), x)
    np.testing.assert_array_equal(zeros, written(x, key, 0.0, False))


def test_what_is_not_declared_does_not_stretch() -> None:
    x, y, i = T.dmatrix("x"), T.dmatrix("y"), T.lvector("i")
    for part in (x[i], x[:, i], x[1:]):
        for write in (T.set_subtensor, T.inc_subtensor):
            f = theano.function([x, y, i], write(part, y), on_unused_input="ignore")
            with pytest.raises(ValueError, match="cannot broadcast a value of shape"):
                f(normal(3, 3), normal(1, 1), [0, 1])
    c = T.dcol("c")
    g = theano.function([x, c, i], T.set_subtensor(x[i], c))
    assert g(np.zeros((3, 2)), [[1.0], [2.0]], [2, 0]).tolist() == [[2, 2], [0, 0], [1, 1]]


def test_through_chains_of_views() -> None:
    x, index = normal(4, 3, 5), np.array([[0, 2], [3, 0]])
    cases = [
        (lambda p: p.reshape((4, 3, 5)), lambda e: e.reshape(4, 3, 5)),
        (lambda p: p.flatten(), lambda e: e.reshape(-1)),
        (lambda p: p.flatten(2), lambda e: e.reshape(2, -1)),
        (lambda p: p.dimshuffle("x", 0, 1, "x", 2, 3), lambda e: e[None, :, :, None]),
        (lambda p: p.reshape((4, 15)).reshape((2, 30)), lambda e: e.reshape(2, 30)),
        (lambda p: p.dimshuffle(0, 1, "x", 2, 3).flatten(), lambda e: e.reshape(-1)),
    ]
    for shape, like in cases:
        y = normal(*like(x[index]).shape)
        back = y.reshape(x[index].shape)
        for write in (T.set_subtensor, T.inc_subtensor):
            found = both(lambda v, y, s=shape, w=write: w(s(v[index]), y), x, y)
            expected = written(x, index, back, write is T.inc_subtensor)
            np.testing.assert_allclose(found, expected)
    y = normal(5, 3, 2, 2)
    found = both(lambda v, y: T.inc_subtensor(v[index].T, y), x, y)
    np.testing.assert_allclose(found, written(x, index, y.T, True))
    # A dimshuffle that changes the order of the dimensions of the array is done to the result.
    y = normal(5, 3, 3)
    found = both(lambda v, y: T.inc_subtensor(v[1:].T, y), x, y)
    np.testing.assert_allclose(found, written(x, slice(1, None), y.T, True).T)


def test_a_table_is_updated_in_place() -> None:
    table = theano.shared(np.zeros((5, 2), dtype="float32"))
    i, y = T.ivector("i"), T.fmatrix("y")
    f = theano.function([i, y], [], updates=[(table, T.inc_subtensor(table[i], y))])
    before = table.get_value(borrow=True).ctypes.data
    f([1, 1, 4], np.ones((3, 2), "float32"))
    assert table.get_value(borrow=True).ctypes.data == before
    assert table.get_value()[:, 0].tolist() == [0, 2, 0, 0, 1]
    kept = table.get_value()
    for bad, error in (([0, 5, 1], IndexError), ([0, -6, 1], IndexError), ([0, 1], ValueError)):
        with pytest.raises(error):
            f(bad, np.ones((3, 2), "float32"))
        np.testing.assert_array_equal(table.get_value(), kept)


def test_pairs_and_slices_are_updated_in_place() -> None:
    table = theano.shared(np.zeros((3, 4)))
    i, j, y = T.lvector("i"), T.lvector("j"), T.dvector("y")
    f = theano.function([i, j, y], [], updates=[(table, T.set_subtensor(table[i, j], y))])
    k = T.lscalar("k")
    g = theano.function([k, i], [], updates=[(table, T.inc_subtensor(table[k:, i], 1.0))])
    h = theano.function([k, i], [], updates=[(table, T.inc_subtensor(table[k, i], 1.0))])
    before = table.get_value(borrow=True).ctypes.data
    f([0, 2, 0], [1, 3, 1], [1, 2, 3])
    with pytest.raises(IndexError):
        f([0, 1], [0, 4], [9, 9])
    with pytest.raises(IndexError):
        f([0, 3], [0, 0], [9, 9])
    assert table.get_value(borrow=True).ctypes.data == before
    assert table.get_value().tolist() == [[0, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 2]]
    g(2, [0, 0])
    h(1, [3, -1, 2])
    expected = [[0, 3, 0, 0], [0, 0, 1, 2], [2, 0, 0, 2]]
    assert table.get_value().tolist() == expected
    for run, arguments in ((g, (0, [4])), (h, (3, [0])), (h, (0, [-5]))):
        with pytest.raises(IndexError):
            run(*arguments)
        assert table.get_value().tolist() == expected
    assert table.get_value(borrow=True).ctypes.data == before


def test_an_index_that_is_out_of_range_names_the_users_line() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    add = T.inc_subtensor(x[i], 1.0)
    # Older versions of NumPy only warn where nothing would be read.
    empty = [(3, 0), (0, 3), (0, 0)] if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else []
    for out in (x[i], add, x[:, i], x[i, i]):
        f = theano.function([x, i], out)
        for shape in ((3, 3), *empty):
            with pytest.raises(IndexError, match="out of bounds") as info:
                f(np.zeros(shape), [0, 3])
            assert "test_scatter.py" in str(info.value)


def test_writes_without_effect_check_their_indices() -> None:
    x, i, k = T.dvector("x"), T.lvector("i"), T.lscalar("k")
    for out in (T.inc_subtensor(x[i], 0.0), T.inc_subtensor(x[k], 0.0), x[i[:0]].sum() + x[k]):
        f = theano.function([x, i, k], out, on_unused_input="ignore")
        f(normal(3), [0], 0)
        with pytest.raises(IndexError):
            f(normal(3), [3], 3)


def test_without_elements() -> None:
    x, i = T.dmatrix("x"), T.lvector("i")
    f = theano.function([x, i], [x[i], T.inc_subtensor(x[i], 1.0), T.set_subtensor(x[:, i], 0.0)])
    assert [r.shape for r in f(np.zeros((3, 0)), [])] == [(0, 0), (3, 0), (3, 0)]
    assert [r.shape for r in f(np.zeros((3, 2)), [])] == [(0, 2), (3, 2), (3, 2)]
    j = T.lrow("j")
    g = theano.function([x, i, j], x[i.dimshuffle(0, "x"), j])
    assert g(np.zeros((3, 3)), [], [[1, 2]]).shape == (0, 2)


def test_errors_when_the_graph_is_built() -> None:
    x, i = T.lmatrix("x"), T.lvector("i")
    for part in (x[i], x[i, i], x[1:]):
        with pytest.raises(TypeError, match="value of"):
            T.set_subtensor(part, T.dvector())
        with pytest.raises(TypeError, match="dimensional value"):
            T.inc_subtensor(part, T.ltensor4())
    with pytest.raises(TypeError, match="integer"):
        x[T.dvector()]
    with pytest.raises(IndexError, match="too many"):
        x[i, i, i]
    with pytest.raises(ValueError, match="dimension 0 differs"):
        T.set_subtensor(T.zeros((5, 2))[np.array([0, 1, 2])], T.zeros((2, 2)))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_results_do_not_depend_on_the_number_of_threads(count: int) -> None:
    x, i, y = T.fmatrix("x"), T.lvector("i"), T.fmatrix("y")
    v, w = T.fvector("v"), T.fvector("w")
    add = theano.function([x, i, y], T.inc_subtensor(x[i], y))
    put = theano.function([v, i, w], T.set_subtensor(v[i], w))
    rows = RNG.integers(-500, 500, 20000)
    lines = RNG.normal(size=(20000, 24)).astype("float32")
    places = RNG.integers(0, 1500000, 150000)
    values = RNG.normal(size=150000).astype("float32")
    pool = threads.pool()
    old = pool.threads
    results = []
    try:
        for number in (1, count):
            pool.set_threads(number)
            results.append(
                (
                    add(np.zeros((500, 24), "float32"), rows, lines),
                    put(np.zeros(1500000, "float32"), places, values),
                )
            )
    finally:
        pool.set_threads(old)
    for a, b in zip(*results, strict=True):
        assert a.tobytes() == b.tobytes()
    expected = np.zeros(1500000, "float32")
    expected[places] = values
    np.testing.assert_array_equal(results[1][1], expected)
    total = np.zeros((500, 24))
    np.add.at(total, rows, lines)
    np.testing.assert_allclose(results[1][0], total, rtol=1e-3, atol=1e-3)


def test_gradient_of_a_gather_writes_zeros_once() -> None:
    table, i = T.fmatrix("table"), T.lvector("i")
    f = theano.function([table, i], T.grad((table[i] ** 2).sum(), table))
    program = theano.explain(f, code=False)["program"]
    assert program.count("alloc (n") == 1  # the result: what is added is computed on the way
    x = RNG.normal(size=(6, 3)).astype("float32")
    index = np.array([5, 0, 5])
    np.testing.assert_allclose(f(x, index), written(np.zeros_like(x), index, 2 * x[index], True))


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("add", [True, False])
def test_values_that_are_computed_to_be_written(key: Any, add: bool) -> None:
    x, y, z = normal(4, 3, 5), normal(*normal(4, 3, 5)[key].shape), normal(4, 3, 5)
    v, u, w = T.dtensor3("x"), T.dtensor3("u"), T.TensorType("float64", (False,) * y.ndim)("y")
    write = T.inc_subtensor if add else T.set_subtensor

    def meant(value: Any) -> Any:
        return written(x, key, value, add)

    f = theano.function([v, u, w], write(v[key], T.tanh(w) * u[key]))
    np.testing.assert_allclose(f(x, z, y), meant(np.tanh(y) * z[key]), rtol=1e-12)
    # of the array that is written to: its old values count
    f = theano.function([v, w], write(v[key], T.exp(w) + v[key]))
    np.testing.assert_allclose(f(x, y), meant(np.exp(y) + x[key]), rtol=1e-12)
    f = theano.function([v, w], write((2 * v)[key], T.exp(w) + (2 * v)[key]))
    np.testing.assert_allclose(
        f(x, y), written(2 * x, key, np.exp(y) + 2 * x[key], add), rtol=1e-12
    )
    both_used = T.tanh(w)
    f = theano.function([v, w], [write(v[key], both_used), both_used])
    np.testing.assert_allclose(f(x, y)[0], meant(np.tanh(y)), rtol=1e-12)


@pytest.mark.parametrize("index", [[0, 0, 2], [], [5, 0, 1], [-7, 1, 1]])
def test_rows_of_a_shared_table_are_updated_from_their_old_values(index: Any) -> None:
    start = normal(5, 4)
    table, i, w = theano.shared(start), T.lvector("i"), T.dmatrix("w")
    rows = table[i]
    f = theano.function([i, w], updates=[(table, T.inc_subtensor(rows, T.exp(w) * rows))])
    y, places = normal(len(index), 4), np.asarray(index, "int64")
    if places.size and not (places.min() >= -5 and places.max() < 5):
        with pytest.raises(IndexError, match="out of"):
            f(places, y)
        np.testing.assert_array_equal(table.get_value(), start)
        return
    f(places, y)
    expected = written(start, places, np.exp(y) * start[places], True)
    np.testing.assert_allclose(table.get_value(), expected, rtol=1e-12)


def test_bad_indices_and_shapes_of_values_that_are_computed() -> None:
    x, i, w = T.dmatrix("x"), T.lvector("i"), T.dmatrix("w")
    f = theano.function([x, i, w], T.inc_subtensor(T.zeros_like(x)[i], T.exp(w) * x[i]))
    given = normal(5, 4)
    with pytest.raises(IndexError, match="out of"):
        f(given, np.array([0, 5]), normal(2, 4))
    with pytest.raises(ValueError, match=r"extents|shape"):
        f(given, np.array([0, 1]), normal(3, 4))
    empty = f(given[:, :0], np.array([0, 1]), normal(2, 0))
    assert empty.shape == (5, 0)
    with pytest.raises(IndexError, match="out of"):
        f(given[:0], np.array([0]), normal(1, 4))


def test_values_computed_in_a_loop_are_written_there() -> None:
    x, i, w = T.dmatrix("x"), T.lmatrix("i"), T.dtensor3("w")
    out, _ = theano.scan(
        lambda j, v, total, x: T.inc_subtensor(total[j], T.tanh(v) * x[j]),
        [i, w], T.zeros_like(x), x,
    )  # fmt: skip
    f = theano.function([x, i, w], out[-1])
    given, index, y = normal(6, 3), RNG.integers(-6, 6, (4, 5)), normal(4, 5, 3)
    expected = np.zeros((6, 3))
    for j, v in zip(index, y, strict=True):
        np.add.at(expected, j, np.tanh(v) * given[j])
    np.testing.assert_allclose(f(given, index, y), expected, rtol=1e-12)


def test_the_copy_that_a_write_begins_with_is_the_result() -> None:
    x, i, j, v = T.fmatrix("x"), T.lvector("i"), T.lvector("j"), T.fvector("v")
    f = theano.function([x, i, j, v], T.set_subtensor(x[i, j], v))
    program = theano.explain(f, code=False)["program"]
    assert program.count(" alloc ") == 1
    assert program.count("launch") == 2
    assert "reshape" not in program
