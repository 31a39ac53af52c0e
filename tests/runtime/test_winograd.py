"""Routines of minimal filtering by themselves: surroundings, refusals, late compilation."""

import ctypes
import threading

import numpy as np
import pytest

from theano.runtime import blas, support
from theano.runtime.routines import conv_meaning as meaning
from theano.runtime.routines import table

ROUTINE = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
ONES = (1, 1, 1, 1, 1, 1, 1, 0, 1)


def words(arrays, numbers):
    found = []
    for array in arrays:
        found += [array.ctypes.data, *array.shape, *array.strides]
    return np.array([*found, *numbers], "int64")


def call(helpers, name, arrays, numbers=ONES):
    symbol = table.routine(name).symbol([a.dtype.name for a in arrays])
    given = words(arrays, numbers)
    return ROUTINE(helpers.library(symbol)[symbol])(given.ctypes.data)


def surrounded(shape, dtype, value):
    """An array with ``value`` before and behind it along every axis, and all of that memory."""
    room = np.full([n + 5 for n in shape], value, dtype)
    return room[tuple(slice(2, 2 + n) for n in shape)], room


def case(dtype, rng, batch=3, channels=19, filters=21, rows=7, columns=10):
    """Result, image and kernel; NaNs lie around all of them."""
    shapes = ((batch, filters, rows, 1, columns), (batch, channels, rows, 1, columns),
              (1, filters, channels, 3, 1, 3))  # fmt: skip
    pairs = [surrounded(shape, dtype, np.nan) for shape in shapes]
    for view, _ in pairs:
        view[...] = rng.uniform(-1, 1, view.shape)
    return pairs


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vectors", [16, 32, 64])
def test_nothing_around_arrays_is_read_or_written(make_support, dtype, vectors):
    host = make_support()
    if vectors > host._target.vector_bytes:
        pytest.skip("this processor has shorter vectors")
    helpers = make_support(vector_bytes=vectors)
    rng = np.random.default_rng(8)
    for extents in ((3, 19, 21, 7, 10), (1, 1, 3, 1, 1), (2, 33, 70, 4, 37), (20, 16, 16, 2, 3)):
        for name, order in (("winograd", (0, 1, 2)), ("winograd_weights", (2, 1, 0))):
            pairs = case(dtype, rng, *extents)
            arrays = [pairs[i][0] for i in order]
            wanted = np.array(arrays[0])
            getattr(meaning, name.replace("winograd", "conv"))(wanted, *arrays[1:], *ONES)
            assert call(helpers, name, arrays) == 0
            np.testing.assert_allclose(arrays[0], wanted, rtol=0, atol=1e-4)
            for view, room in pairs:
                assert not np.isnan(view).any()
                assert np.isnan(room).sum() == room.size - view.size


def test_what_it_cannot_do(helpers):
    """Everything but strides and dilations of 1 and kernels of 3x3; nothing is written then."""
    rng = np.random.default_rng(9)
    views = [view for view, _ in case("float64", rng)]
    y, x, w = views
    before = y.copy()
    for position in (0, 2, 3, 5, 7):
        numbers = [2 if i == position else n for i, n in enumerate(ONES)]
        assert call(helpers, "winograd", [y, x, w], numbers) < 0
    for kernel in (w[..., :2], w[:, :, :, :2], np.repeat(w, 2, axis=4), w[:, :, :0], w[:, :0]):
        assert call(helpers, "winograd", [y, x, kernel]) < 0
        assert call(helpers, "winograd_weights", [np.array(kernel), x, y]) < 0
    assert call(helpers, "winograd", [y[:0], x[:0], w]) < 0
    assert np.array_equal(y, before)


# late compilation ---------------------------------------------------------------------------------


class Counting:
    """A compiler that counts and may refuse what has a routine's symbol."""

    def __init__(self, make, refused=""):
        self.compile, self.refused, self.made = make, refused, []

    def __call__(self, recipe):
        if self.refused and any(self.refused in name for name in recipe.exports):
            self.made.append("refused")
            raise RuntimeError("refused")
        self.made += recipe.exports
        return self.compile(recipe)


def counted(helpers, refused=""):
    compiler = Counting(helpers._compiler, refused)
    return support.Support(compiler, helpers._target, blas.find("none")), compiler


def convolve(helpers, rng, channels=64):
    (y, _), (x, _), (w, _) = case("float32", rng, 2, channels, channels, 12, 12)
    assert call(helpers, "conv", [y, x, w], (*ONES, 1)) == 0
    wanted = np.array(y)
    meaning.conv(wanted, x, w, *ONES)
    np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-3)
    return y


def test_it_is_compiled_when_it_is_first_wanted(helpers):
    mine, compiler = counted(helpers)
    convolve(mine, np.random.default_rng(1), channels=3)
    assert "th_conv__float32" in mine.loaded
    assert "th_winograd__float32" not in mine.loaded
    first = convolve(mine, np.random.default_rng(2))
    assert "th_winograd__float32" in mine.loaded
    assert np.array_equal(convolve(mine, np.random.default_rng(2)), first)
    assert compiler.made.count("th_winograd__float32") == 1


def test_one_that_is_there_already_is_taken(helpers):
    mine, _ = counted(helpers)
    address = mine.library("th_winograd__float32")["th_winograd__float32"]
    cell = ctypes.c_void_p.from_address(mine.late("th_winograd__float32"))
    assert cell.value == address


def test_where_it_cannot_be_compiled_the_definition_is_used(helpers):
    mine, compiler = counted(helpers, "winograd")
    for _ in range(2):
        convolve(mine, np.random.default_rng(3))
    assert compiler.made.count("refused") == 1
    assert "th_winograd__float32" not in mine.loaded


def test_first_calls_from_several_threads(helpers):
    mine, compiler = counted(helpers)
    mine.library("th_conv__float32")
    results = []
    runners = [
        threading.Thread(target=lambda: results.append(convolve(mine, np.random.default_rng(4))))
        for _ in range(4)
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert len(results) == 4
    assert all(np.array_equal(result, results[0]) for result in results)
    assert compiler.made.count("th_winograd__float32") == 1
