"""Native memory helpers and recycling of large arrays."""

import ctypes
import gc

import numpy as np
import pytest
from builders import in_threads

from theano.runtime import capi, memory

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64


@pytest.fixture(scope="module")
def native(helpers):
    return helpers.library("memory")


def function(native, name, result, *kinds):
    return ctypes.CFUNCTYPE(result, *kinds)(native[name])


@pytest.fixture
def empty(native):
    """Return ``empty(dtype, shape)`` made by native code."""
    run = ctypes.PYFUNCTYPE(ctypes.py_object, POINTER, ctypes.c_int, POINTER, INTEGER)(
        native["th_empty"]
    )

    def make(dtype, shape):
        dims = (ctypes.c_ssize_t * max(1, len(shape)))(*shape)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        descr = capi.symbols()[capi.descr_symbol(dtype)]
        return run(descr, len(shape), ctypes.addressof(dims), size)

    return make


def test_blocks_are_aligned_and_separate(native):
    alloc = function(native, "th_alloc", POINTER, INTEGER)
    free = function(native, "th_free", None, POINTER)
    blocks = [alloc(size) for size in (0, 1, 63, 64, 65, 5000, 1 << 22)]
    assert all(block % 64 == 0 for block in blocks)
    assert len(set(blocks)) == len(blocks)
    ctypes.memset(blocks[-1], 1, 1 << 22)
    for block in [*blocks, None]:
        free(block)


def test_impossible_sizes_give_null(native):
    for name in ("th_alloc", "th_big_alloc"):
        alloc = function(native, name, POINTER, INTEGER)
        assert alloc(1 << 62) is None
    assert function(native, "th_alloc", POINTER, INTEGER)(-1) is None


def test_scratch_grows_and_is_reused(native):
    scratch = function(native, "th_scratch", POINTER, POINTER, INTEGER)
    slot = (ctypes.c_int64 * 2)()
    first = scratch(ctypes.addressof(slot), 1000)
    assert scratch(ctypes.addressof(slot), 1000) == first
    assert scratch(ctypes.addressof(slot), 10) == first
    bigger = scratch(ctypes.addressof(slot), 100_000)
    ctypes.memset(bigger, 7, 100_000)
    assert list(slot) == [bigger, 100_000]
    assert scratch(ctypes.addressof(slot), 1 << 62) is None
    assert list(slot) == [0, 0]


@pytest.mark.parametrize("dtype", capi.DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3, 0, 2), (700, 700)])
def test_new_arrays_look_like_numpys(empty, dtype, shape):
    array = empty(dtype, shape)
    model = np.empty(shape, dtype)
    assert type(array) is np.ndarray
    assert (array.dtype, array.shape, array.strides) == (model.dtype, model.shape, model.strides)
    for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS", "ALIGNED", "WRITEABLE"):
        assert array.flags[flag] == model.flags[flag]
    array[...] = 1
    assert (array == 1).all()


def test_large_arrays_are_recycled_only_when_dead(empty):
    memory.trim()
    first = empty("float64", (1000, 1000))
    view = first[10:20]
    address = first.ctypes.data
    view[...] = 5
    del first
    other = empty("float64", (1000, 1000))
    assert other.ctypes.data != address
    assert (view == 5).all()
    kept = memory.stats().kept
    del view
    gc.collect()
    assert memory.stats().kept > kept
    assert empty("float64", (1000, 1000)).ctypes.data == address


def test_the_memory_kept_is_bounded(empty):
    memory.trim()
    assert memory.stats().kept == 0
    limit = memory.stats().limit
    try:
        memory.set_limit(10 << 20)
        arrays = [empty("uint8", (3 << 20,)) for _ in range(8)]
        del arrays
        assert 0 < memory.stats().kept <= 10 << 20
        memory.set_limit(0)
        assert memory.stats().kept == 0
        del_me = empty("uint8", (3 << 20,))
        del del_me
        assert memory.stats().kept == 0
    finally:
        memory.set_limit(limit)


def test_sizes_around_class_borders(native):
    alloc = function(native, "th_big_alloc", POINTER, INTEGER)
    free = function(native, "th_big_free", None, POINTER)
    for power in range(20, 25):
        for offset in (-1, 0, 1, 7777):
            size = (1 << power) + offset
            block = alloc(size)
            ctypes.memset(block, 255, size)
            free(block)
    free(None)
    memory.trim()


def test_threads_share_the_free_lists(native):
    alloc = function(native, "th_big_alloc", POINTER, INTEGER)
    free = function(native, "th_big_free", None, POINTER)
    failures = []

    def work(mark):
        for round_ in range(300):
            blocks = [alloc((1 << 20) + 300_000 * i) for i in range(3)]
            for block in blocks:
                ctypes.memset(block, mark, 64)
            if any(ctypes.string_at(block, 64) != bytes([mark]) * 64 for block in blocks):
                failures.append((mark, round_))
            for block in blocks:
                free(block)

    in_threads(work, range(1, 5))
    assert failures == []
    memory.trim()
