"""The routines of matrix products against their meaning in NumPy."""

from __future__ import annotations

import ctypes
import itertools

import numpy as np
import pytest

from theano.runtime.routines.table import routine

SHAPES = [
    (1, 1, 1, 1, 1), (2, 3, 2, 3, 4), (1, 5, 7, 9, 11), (2, 2, 3, 1, 40), (3, 1, 70, 2, 130),
    (1, 2, 1, 65, 9), (1, 1, 67, 35, 200), (1, 3, 4, 0, 2), (0, 2, 3, 4, 5), (1, 2, 3, 4, 0),
    (2, 20, 12, 14, 16),
]  # fmt: skip
DTYPES = ("bool", "int8", "uint8", "int16", "int32", "int64", "uint64", "float16")


def call(library, name, arrays, numbers=()):
    """Call a routine's native function on arrays."""
    row = routine(name)
    words = []
    for array in arrays:
        words += [array.ctypes.data, *array.shape, *array.strides]
    bits = [np.float64(n).view("int64").item() for n in numbers]
    block = (ctypes.c_int64 * (len(words) + len(bits)))(*words, *bits)
    symbol = row.symbol([a.dtype.name for a in arrays])
    address = library.library(symbol)[symbol]
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)(ctypes.addressof(block)) == 0


def made(rng, dtype, *shape):
    values = rng.integers(-90, 90, shape)
    if dtype == "bool":
        return values > 40
    return (values / 8).astype(dtype) if dtype.startswith("float") else values.astype(dtype)


def factors(rng, dtype, shape, kind):
    """A of (p, q, m, k) and B of (p, q, k, n), in some layout."""
    p, q, m, n, k = shape
    if kind == "plain":
        return made(rng, dtype, p, q, m, k), made(rng, dtype, p, q, k, n)
    if kind == "turned":
        a, b = made(rng, dtype, p, q, k, m), made(rng, dtype, q, p, n, k)
        return a.swapaxes(2, 3), b.transpose(1, 0, 3, 2)
    a, b = made(rng, dtype, p, 1, m, 2 * k)[..., ::2], made(rng, dtype, 1, q, k, n)[..., ::-1]
    return np.broadcast_to(a, (p, q, m, k)), np.broadcast_to(b, (p, q, k, n))


CASES = list(itertools.product(SHAPES, ("plain", "turned", "repeated")))


@pytest.mark.parametrize("dtype", DTYPES)
def test_product(helpers, dtype):
    rng = np.random.default_rng(0)
    for shape, kind in CASES:
        a, b = factors(rng, dtype, shape, kind)
        c = np.full((*a.shape[:3], b.shape[3]), 1, dtype)
        expected = c.copy()
        routine("product").meaning(expected, a, b)
        call(helpers, "product", (c, a, b))
        tolerance = 2e-3 if dtype == "float16" else 0
        np.testing.assert_allclose(c, expected, rtol=tolerance, atol=tolerance * 100)


@pytest.mark.parametrize("registers", [16, 32])
def test_product_on_other_processors(make_support, registers):
    library = make_support("none", 32, registers)
    rng = np.random.default_rng(1)
    a, b = factors(rng, "int32", (1, 3, 67, 35, 200), "turned")
    c = np.zeros((1, 3, 67, 35), "int32")
    call(library, "product", (c, a, b))
    np.testing.assert_array_equal(c, a @ b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("numbers", [(1.0, 0.0), (0.5, 2.0)])
def test_batched_gemm(helpers, dtype, numbers):
    rng = np.random.default_rng(2)
    for shape, kind in CASES:
        a, b = factors(rng, dtype, shape, kind)
        c = np.full((*a.shape[:3], b.shape[3]), np.nan if numbers[1] == 0 else 3, dtype)
        expected = c.copy()
        routine("batched_gemm").meaning(expected, a, b, *numbers)
        call(helpers, "batched_gemm", (c, a, b), numbers)
        np.testing.assert_allclose(c, expected, rtol=1e-4 if dtype == "float32" else 1e-10)


def test_a_result_with_strides(helpers):
    rng = np.random.default_rng(3)
    a, b = factors(rng, "float64", (2, 3, 5, 6, 7), "plain")
    block = np.zeros((2, 3, 12, 5))
    c = block[:, :, ::2].swapaxes(2, 3)
    call(helpers, "batched_gemm", (c, a, b), (1.0, 0.0))
    np.testing.assert_allclose(c, a @ b)
    assert not block[:, :, 1::2].any()
    whole = np.zeros((2, 3, 6, 5), "int16")
    call(helpers, "product", (whole.swapaxes(2, 3), a.astype("int16"), b.astype("int16")))
    np.testing.assert_array_equal(whole.swapaxes(2, 3), a.astype("int16") @ b.astype("int16"))
