"""``th_sgemm`` and ``th_dgemm`` against NumPy, for every shape and stride."""

import ctypes
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from theano.runtime import blas, gemm, support, threads

POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64

SHAPES = [
    (1, 1, 1), (3, 5, 7), (1, 50, 60), (50, 1, 60), (1, 600, 33), (600, 1, 33), (24, 600, 5),
    (600, 10, 100), (17, 33, 400), (13, 16, 17), (40, 17, 1000), (130, 70, 90), (25, 530, 50),
    (7, 7, 1), (64, 3, 64), (5, 40, 130), (90, 12, 40), (100, 10, 20), (20, 10, 300), (33, 8, 9),
    (9, 16, 100), (60, 5, 40), (11, 41, 30), (330, 10, 500), (530, 1, 256), (17, 16, 8000),
]  # fmt: skip
KINDS = {
    "rows": lambda rng, r, c: rng.standard_normal((r, c)),
    "columns": lambda rng, r, c: rng.standard_normal((c, r)).T,
    "sliced": lambda rng, r, c: rng.standard_normal((2 * r, 3 * c))[::2, ::3],
    "padded": lambda rng, r, c: rng.standard_normal((r, c + 5))[:, 2 : 2 + c],
    "reversed": lambda rng, r, c: rng.standard_normal((r, c))[::-1, ::-1],
    "repeated": lambda rng, r, c: np.broadcast_to(rng.standard_normal((1, c)), (r, c)),
}


def product(library, a, b, c, alpha=1.0, beta=0.0):
    """Call the native product on arrays."""
    letter = {"float32": "s", "float64": "d"}[a.dtype.name]
    real = {"s": ctypes.c_float, "d": ctypes.c_double}[letter]
    address = library.library(f"{letter}gemm")[f"th_{letter}gemm"]
    run = ctypes.CFUNCTYPE(
        None, INTEGER, INTEGER, INTEGER, real, POINTER, INTEGER, INTEGER, POINTER, INTEGER,
        INTEGER, real, POINTER, INTEGER, INTEGER,
    )(address)  # fmt: skip
    size = a.itemsize
    strides = [s // size for s in (*a.strides, *b.strides, *c.strides)]
    run(
        a.shape[0], b.shape[1], a.shape[1], alpha, a.ctypes.data, strides[0], strides[1],
        b.ctypes.data, strides[2], strides[3], beta, c.ctypes.data, *strides[4:],
    )  # fmt: skip


def check(library, a, b, alpha, beta):
    m, n = a.shape[0], b.shape[1]
    start = np.linspace(-1, 1, m * (n + 3)).reshape(m, n + 3).astype(a.dtype)
    c = start.copy()
    if beta == 0:
        c[:, :n] = np.nan
    product(library, a, b, c, alpha, beta)
    exact = alpha * (a.astype("float64") @ b.astype("float64"))
    if beta:
        exact = exact + beta * start[:, :n]
    bound = np.abs(a.astype("float64")) @ np.abs(b.astype("float64")) + 1
    error = np.abs(c[:, :n] - exact) / bound
    assert error.max(initial=0) < 8 * np.finfo(a.dtype).eps * max(4, a.shape[1] ** 0.5)
    assert (c[:, n:] == start[:, n:]).all()


pytestmark = pytest.mark.usefixtures("prefer_blas")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_stride(library, shape, dtype):
    rng = np.random.default_rng(5)
    m, n, k = shape
    for left, right in itertools.product(KINDS.values(), repeat=2):
        a, b = left(rng, m, k), right(rng, k, n)
        # astype would lose the strides of views, so views are made of converted arrays.
        a, b = _as(a, dtype), _as(b, dtype)
        for alpha, beta in ((1.0, 0.0), (-0.5, 1.0), (2.0, 0.25)):
            check(library, a, b, alpha, beta)


GUARDED = """
import ctypes, itertools, mmap, sys
sys.path.insert(0, {folder!r})
import numpy as np
from test_gemm import product
from theano.backends.cpu import helpers

libc = ctypes.CDLL(None, use_errno=True)
PAGE = mmap.PAGESIZE
keep = []

def at_the_end(shape, dtype):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // PAGE)
    block = mmap.mmap(-1, (pages + 1) * PAGE)
    keep.append(block)
    store = np.frombuffer(block, np.uint8)
    wall = ctypes.c_void_p(store.ctypes.data + pages * PAGE)
    assert libc.mprotect(wall, ctypes.c_size_t(PAGE), 0) == 0
    found = store[pages * PAGE - size : pages * PAGE].view(dtype).reshape(shape)
    found[...] = 1
    return found

library = helpers.helpers(None, "none")
sizes = [*itertools.product((1, 3, 8, 20, 30), (1, 2, 7, 8, 10, 16, 17, 33, 42), (1, 5, 20, 130))]
sizes += [(m, n, 300) for m in (450, 513) for n in (1, 7, 16)]
for dtype, (m, n, k) in itertools.product(("f4", "f8"), sizes):
    lefts = at_the_end((m, k), dtype), at_the_end((k, m), dtype).T
    rights = at_the_end((k, n), dtype), at_the_end((n, k), dtype).T
    for a, b in itertools.product(lefts, rights):
        c = at_the_end((m, n), dtype)
        product(library, a, b, c, 1.0, 1.0)
        assert (c == k + 1).all()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="protects pages by the C library of Linux")
def test_nothing_beyond_the_arrays_is_touched():
    program = GUARDED.format(folder=str(Path(__file__).parent))
    subprocess.run([sys.executable, "-c", program], check=True)


def _as(view, dtype):
    """Return ``view`` in ``dtype`` with the same strides in elements."""
    strides = tuple(s // view.itemsize for s in view.strides)
    low = sum(min(0, (n - 1) * s) for n, s in zip(view.shape, strides, strict=True))
    high = sum(max(0, (n - 1) * s) for n, s in zip(view.shape, strides, strict=True))
    store = np.zeros(high - low + 1, dtype)
    size = store.itemsize
    result = np.lib.stride_tricks.as_strided(
        store[-low:], view.shape, tuple(s * size for s in strides)
    )
    if 0 in strides and view.shape[strides.index(0)] > 1:
        result[0] = view[0]
    else:
        result[...] = view
    return result


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_layout_of_the_result(library, dtype):
    rng = np.random.default_rng(8)
    for m, n, k in SHAPES:
        a = rng.standard_normal((m, k)).astype(dtype)
        b = rng.standard_normal((k, n)).astype(dtype)
        for store in (np.ones((n, m), dtype).T, np.ones((m, 2 * n), dtype)[:, ::2]):
            product(library, a, b, store, 1.0, 0.5)
            np.testing.assert_allclose(store, a @ b + 0.5, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("m", "n", "k"), [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 1, 0)])
def test_empty_products(library, dtype, m, n, k):
    a, b = np.ones((m, k), dtype), np.ones((k, n), dtype)
    c = np.full((m, n), np.nan, dtype)
    product(library, a, b, c)
    assert (c == 0).all()
    c = np.full((m, n), 3.0, dtype)
    product(library, a, b, c, beta=2.0)
    assert (c == 6).all()


def test_not_a_number_in_the_operands_spreads(library):
    a, b = np.ones((30, 40), "float32"), np.ones((40, 50), "float32")
    a[3, 7], b[9, 11] = np.nan, np.inf
    c = np.empty((30, 50), "float32")
    product(library, a, b, c)
    assert np.isnan(c[3]).all()
    assert (np.delete(c[:, 11], 3) == np.inf).all()
    assert np.isfinite(np.delete(np.delete(c, 3, 0), 11, 1)).all()


@pytest.mark.parametrize(("vector_bytes", "registers"), [(32, 16), (16, 16), (16, 32)])
def test_other_vector_widths(make_support, vector_bytes, registers):
    library = make_support("none", vector_bytes, registers)
    rng = np.random.default_rng(6)
    for (m, n, k), dtype in itertools.product(SHAPES, ("float32", "float64")):
        a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
        check(library, a.astype(dtype), b.astype(dtype), 1.0, 0.5)
        check(library, _as(a.T.copy().T, dtype), _as(b.T.copy().T, dtype), 1.0, 0.0)


def test_threads_give_the_same_result(library):
    rng = np.random.default_rng(7)
    pool = threads.pool()
    before = pool.threads
    try:
        for m, n, k in [(600, 10, 784), (784, 10, 300), (20, 500, 784), (300, 400, 200)]:
            a, b = rng.standard_normal((m, k)), rng.standard_normal((k, n))
            for count in (1, 3):
                pool.set_threads(count)
                check(library, a, b, 1.0, 0.0)
                check(library, _as(a.T.copy().T, "float64"), b, 1.0, 0.5)
    finally:
        pool.set_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("m", "n", "k"), [(500, 10, 600), (301, 16, 1234), (3000, 1, 300)])
def test_gradients_of_weights_do_not_depend_on_the_number_of_threads(library, dtype, m, n, k):
    rng = np.random.default_rng(9)
    a, b = rng.standard_normal((k, m)).astype(dtype).T, rng.standard_normal((k, n)).astype(dtype)
    start = rng.standard_normal((m, n)).astype(dtype)
    pool = threads.pool()
    before = pool.threads
    results = []
    try:
        for count in (1, 2, 3, 5):
            pool.set_threads(count)
            for c in (start.copy(), start.copy(order="F")):
                product(library, a, b, c, -0.5, 1.0)
                results.append(c)
    finally:
        pool.set_threads(before)
    np.testing.assert_allclose(results[0], start - 0.5 * (a @ b), rtol=1e-4, atol=1e-4)
    for c in results[1:]:
        np.testing.assert_array_equal(c, results[0])


def test_the_thread_setting_of_the_library_is_restored(make_support):
    found = blas.find()
    if found is None or not found.get_num_threads:
        pytest.skip("the BLAS here has no thread setting")
    get = ctypes.CFUNCTYPE(ctypes.c_int)(found.get_num_threads)
    set_ = ctypes.CFUNCTYPE(None, ctypes.c_int)(found.set_num_threads)
    library = make_support("")
    before = get()
    set_(2)
    try:
        expected = get()
        a = np.ones((200, 200))
        c = np.empty((200, 200))
        for _ in range(3):
            product(library, a, a, c)
        assert (c == 200).all()
        assert get() == expected
    finally:
        set_(before)


def test_a_library_with_narrow_vectors_is_not_used_for_large_products(monkeypatch):
    monkeypatch.undo()
    wide = support.Target("x86_64", 64, 32)
    plain = support.Target("x86_64", 32, 16)
    narrow = blas.Blas("cblas64", "lib", {"sgemm": 1}, core="Haswell")
    good = blas.Blas("cblas64", "lib", {"sgemm": 1}, core="SkylakeX")
    assert gemm.GemmText("s", wide, narrow).blas is None
    assert gemm.GemmText("s", plain, narrow).blas is narrow
    assert gemm.GemmText("s", wide, good).blas is good
