"""Every routine natively against its meaning, on arrays of every layout.

The rows are the parameters: a row tells its own calls (``Routine.samples``), so a new family needs
no new test here.
"""

import ctypes

import numpy as np
import pytest

from theano.backends.cpu import compiler
from theano.runtime import support
from theano.runtime.routines import keys, table, vector_sort
from theano.runtime.routines.base import Routine, RoutineFailed, Text, Writer

TOLERANCE = {"float16": 2e-2, "float32": 1e-4, "float64": 1e-10}
FENCE = 0x5A


def contiguous(array):
    """A copy in C order, and the memory that holds it."""
    made = np.array(array, order="C")
    return made, made


def inside(shape):
    """Where `strided` puts the elements: with gaps along the last three axes."""
    gaps = (slice(2, 2 + 3 * n, 3) for n in shape[-3:])
    return (*(slice(None) for _ in shape[:-3]), *gaps)


def strided(array):
    """A copy whose elements lie apart, reversed along the first axis; and its fenced memory."""
    room = np.empty((*array.shape[:-3], *(3 * n + 5 for n in array.shape[-3:])), array.dtype)
    if room.nbytes:
        room.reshape(-1).view("uint8").fill(FENCE)
    view = room[inside(array.shape)]
    if array.ndim:
        view = view[::-1]
    view[...] = array
    return view, room


def transposed(array):
    """A copy in Fortran order."""
    made = np.array(array, order="F")
    return made, made


LAYOUTS = (contiguous, strided, transposed)


def call(helpers, row, arrays, numbers):
    """Call the native function."""
    symbol = row.symbol([a.dtype.name for a in arrays])
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(helpers.library(symbol)[symbol])
    words = []
    for array in arrays:
        words += [array.ctypes.data, *array.shape, *array.strides]
    words = np.array(words, "int64")
    given = [
        np.array(n, dtype).view("int64") for n, dtype in zip(numbers, row.numbers, strict=True)
    ]
    words = np.append(words, np.array(given, "int64"))
    assert len(words) == row.words
    return function(words.ctypes.data)


def meant(row, sample):
    """What the meaning gives: arrays, and the number or None where it fails."""
    arrays = [np.array(a, order="C") for a in sample.arrays]
    numbers = [np.dtype(d).type(n) for n, d in zip(sample.numbers, row.numbers, strict=True)]
    try:
        with np.errstate(all="ignore"):
            return arrays, row.meaning(*arrays, *numbers) or 0
    except RoutineFailed:
        return arrays, None


def same(found, expected):
    """Equal up to rounding; NaNs are equal."""
    if expected.dtype.kind == "f":
        near = TOLERANCE[expected.dtype.name]
        np.testing.assert_allclose(found, expected, rtol=near, atol=near)
    else:
        np.testing.assert_array_equal(found, expected)


NAMES = sorted(n for names in table.FAMILIES.values() for n in names)


@pytest.mark.parametrize("name", NAMES)
def test_native_is_what_it_means(helpers, name):
    row = table.routine(name)
    if row.samples is None:
        pytest.skip(f"{name} tells no samples")
    for sample in row.samples(np.random.default_rng(3)):
        expected, number = meant(row, sample)
        for layout in LAYOUTS:
            pairs = [layout(a) for a in sample.arrays]
            arrays = [view for view, _ in pairs]
            before = [room.copy() for _, room in pairs]
            given = call(helpers, row, arrays, sample.numbers)
            where = f"{name} {[(a.dtype.name, a.shape) for a in arrays]} {layout.__name__}"
            if number is None:
                assert given < 0, where
                continue
            assert given == number if row.gives else given == 0, where
            if sample.check is not None:
                sample.check(*arrays)
            else:
                for found, wanted in zip(arrays, expected[: row.results], strict=False):
                    same(found, wanted)
            check_untouched(row, pairs, before, where)


@pytest.mark.parametrize("name", NAMES)
def test_other_processors_agree(make_support, name):
    """Code for short vectors, which this processor can run, too."""
    row = table.routine(name)
    if row.samples is None:
        pytest.skip(f"{name} tells no samples")
    helpers = make_support(vector_bytes=16, registers=16)
    for sample in row.samples(np.random.default_rng(4)):
        expected, number = meant(row, sample)
        arrays = [np.array(a, order="C") for a in sample.arrays]
        given = call(helpers, row, arrays, sample.numbers)
        assert (given < 0) == (number is None)
        if number is None:
            continue
        if sample.check is not None:
            sample.check(*arrays)
        else:
            for found, wanted in zip(arrays, expected[: row.results], strict=False):
                same(found, wanted)


def check_untouched(row, pairs, before, where):
    """Inputs, and what lies between the elements of results, are as they were."""
    for number, ((view, room), old) in enumerate(zip(pairs, before, strict=True)):
        if number < row.results:
            view[...] = np.zeros((), view.dtype)
            room = room.copy()
            was = np.array(old)
            mask = np.zeros(room.shape, bool)
            if room.shape != view.shape:
                mask[inside(view.shape)] = True
                assert np.array_equal(room[~mask].view("uint8"), was[~mask].view("uint8")), where
        elif room.nbytes:
            assert room.tobytes() == old.tobytes(), where


def test_every_name_of_a_family_is_a_row():
    for family, names in table.FAMILIES.items():
        for name in names:
            row = table.routine(name)
            assert row.name == name, family
            assert "__" not in name
            assert table.of_symbol(row.symbol(["float32"] * len(row.ranks)))[0] is row


def test_words_by_name():
    row = Routine("shown", (2, 1), 1, lambda out, x: None, lambda s, d, t: Text(""),
                  numbers=("int64", "float64"))  # fmt: skip
    assert row.words == 5 + 3 + 2
    assert row.word(1) == 5
    writer = Writer("shown", row)
    writer.pointer(1)
    writer.dim(0, 1)
    writer.stride(0, 1)
    writer.number(1)
    text = writer.finish()
    for offset in (5, 2, 4, 9):
        assert f"ptr %words, i64 {offset}" in text
    assert "load double" in text


@pytest.mark.parametrize("dtype", ["uint32", "uint64"])
@pytest.mark.parametrize("depth", [0, 1, 3, 40])
def test_vector_sort_of_bad_pivots(dtype, depth):
    """A radix sort takes over when the allowed depth is used up."""
    host = compiler.host_features()
    width = 8 * np.dtype(dtype).itemsize
    if not vector_sort.usable(width, support.Target(host.architecture, host.vector_bytes, 32)):
        pytest.skip("this processor has no AVX-512")
    text = keys.arrange_ir("radix", width, 0, width)
    text += vector_sort.vector_sort_ir("sort", width, "radix")
    text += """
define void @run(ptr %items, ptr %spare, i64 %n, ptr %counters, i64 %depth) {
  call void @sort_go(ptr %items, ptr %spare, i64 %n, ptr %counters, i64 %depth)
  ret void
}
"""
    module = compiler.compile_module(text, ["run"], {}, verify=True)
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    run = ctypes.CFUNCTYPE(None, pointer, pointer, integer, pointer, integer)(module["run"])
    rng = np.random.default_rng(6)
    for n in (0, 1, 63, 64, 65, 127, 128, 129, 1000, 4099):
        for most in (1, 5, 1 << (width - 1)):
            x = rng.integers(0, most, n + 40, dtype=dtype, endpoint=True)
            x[n // 2] = np.iinfo(dtype).max
            spare = np.zeros(n + vector_sort.SLACK, dtype)
            counters = np.zeros(keys.COUNTERS, "uint8")
            expected = np.append(np.sort(x[:n]), x[n:])
            run(x.ctypes.data, spare.ctypes.data, n, counters.ctypes.data, depth)
            np.testing.assert_array_equal(x, expected)
