"""Products that also sum the squares of what they add to, against NumPy and plain products."""

import ctypes
import itertools

import numpy as np
import pytest

from theano.backends.cpu import compiler
from theano.runtime import support, threads

pytestmark = pytest.mark.usefixtures("prefer_blas")
POINTER, INTEGER = ctypes.c_void_p, ctypes.c_int64
SHAPES = [
    (1, 1, 1), (3, 5, 7), (40, 17, 20), (130, 70, 9), (784, 50, 20), (137, 33, 300), (20, 500, 12),
    (64, 512, 40), (145, 530, 5), (600, 10, 100), (35, 16, 3), (26, 64, 3), (27, 100, 2),
]  # fmt: skip
LAYOUTS = {
    "rows": lambda m, n, dtype: np.empty((m, n), dtype),
    "padded": lambda m, n, dtype: np.empty((m, n + 3), dtype)[:, 1 : n + 1],
    "columns": lambda m, n, dtype: np.empty((n, m), dtype).T,
    "sliced": lambda m, n, dtype: np.empty((2 * m, 2 * n), dtype)[::-2, ::2],
}


def product(library, a, b, c, alpha, beta, squares=True):
    """Call the native product; the sum of squares, or None where none is asked for."""
    letter = {"float32": "s", "float64": "d"}[a.dtype.name]
    real = {"s": ctypes.c_float, "d": ctypes.c_double}[letter]
    name = f"{letter}gemm_squares"
    run = ctypes.CFUNCTYPE(
        None, INTEGER, INTEGER, INTEGER, real, POINTER, INTEGER, INTEGER, POINTER, INTEGER,
        INTEGER, real, POINTER, INTEGER, INTEGER, POINTER,
    )(library.library(name)[f"th_{name}"])  # fmt: skip
    strides = [s // a.itemsize for s in (*a.strides, *b.strides, *c.strides)]
    total = ctypes.c_double(-1)
    run(
        a.shape[0], b.shape[1], a.shape[1], alpha, a.ctypes.data, *strides[:2], b.ctypes.data,
        *strides[2:4], beta, c.ctypes.data, *strides[4:], ctypes.addressof(total) if squares else 0,
    )  # fmt: skip
    return total.value if squares else None


def cases(shapes=SHAPES):
    """Factors and what they are added to: of either dtype, with rows or columns in order."""
    rng = np.random.default_rng(3)
    for (m, n, k), dtype, layout in itertools.product(shapes, ("float32", "float64"), LAYOUTS):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        c = LAYOUTS[layout](m, n, dtype)
        c[...] = rng.standard_normal((m, n)) * 3
        for left, right in ((a, b), (a.T.copy().T, b.T.copy().T)):
            yield left, right, c.copy(order="K") if layout == "columns" else c


def check(library, a, b, c, alpha, beta):
    before = c.copy()
    total = product(library, a, b, c, alpha, beta)
    exact = np.square(before.astype("float64")).sum()
    assert total == pytest.approx(exact, rel=1e-6 if c.dtype == "float32" else 1e-13)
    wanted = alpha * (a.astype("float64") @ b) + beta * before
    np.testing.assert_allclose(c, wanted, rtol=2e-3, atol=2e-3)
    c[...] = before
    assert product(library, a, b, c, alpha, beta, squares=False) is None
    np.testing.assert_allclose(c, wanted, rtol=2e-3, atol=2e-3)


def test_every_layout(library):
    for a, b, c in cases():
        for alpha, beta in ((1.0, 1.0), (-0.5, 0.25), (2.0, 0.0)):
            check(library, a, b, c, alpha, beta)


@pytest.mark.parametrize(("vector_bytes", "registers"), [(32, 16), (16, 16), (16, 32)])
def test_other_vector_widths(make_support, vector_bytes, registers):
    library = make_support("none", vector_bytes, registers)
    for a, b, c in cases():
        check(library, a, b, c, 1.0, 0.5)


@pytest.mark.parametrize(("vector_bytes", "registers"), [(64, 32), (32, 16), (16, 32)])
def test_both_tiers_give_the_same_bits(vector_bytes, registers):
    host = compiler.host_features()
    if vector_bytes > host.vector_bytes:
        pytest.skip("this processor has no such vectors")
    target = support.Target(host.architecture, vector_bytes, registers)

    def compiled(recipe):
        text = recipe.text()
        return compiler.compile_module(text.ir, recipe.exports, recipe.bind(text))

    full, brief = (support.Support(compiled, target, None, brief=b) for b in (False, True))
    rows = [(m, 50, 3) for m in range(25, 41)] + [(m, 9, 3) for m in range(25, 34)]
    for a, b, c in cases([*SHAPES, *rows]):
        before = c.copy()
        first = product(full, a, b, c, 1.0, 0.5)
        after, c[...] = c.copy(), before
        assert product(brief, a, b, c, 1.0, 0.5) == first
        np.testing.assert_array_equal(c, after)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sum_does_not_depend_on_the_number_of_threads(library, dtype):
    rng = np.random.default_rng(7)
    pool = threads.pool()
    before = pool.threads
    try:
        for m, n, k in [
            (784, 500, 20), (100, 900, 50), (784, 10, 300), (20, 500, 784), (133, 700, 30),
            (700, 133, 30), (66, 3000, 9), (3000, 18, 9),
        ]:  # fmt: skip
            a, b, c = (rng.standard_normal(s).astype(dtype) for s in ((m, k), (k, n), (m, n)))
            found = set()
            for count in (1, 2, 3):
                pool.set_threads(count)
                check(library, a, b, c.copy(), 0.5, 0.75)
                found.add(product(library, a, b, c.copy(), 0.5, 0.75))
            assert len(found) == 1
    finally:
        pool.set_threads(before)


@pytest.mark.parametrize(("m", "n", "k"), [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (1, 1, 0)])
def test_empty_products(library, m, n, k):
    a, b, c = np.ones((m, k)), np.ones((k, n)), np.full((m, n), 3.0)
    assert product(library, a, b, c, 1.0, 2.0) == 9 * m * n
    assert (c == 6 + k).all()


def test_not_a_number(library):
    a, b, c = (np.ones((40, 40), "float32") for _ in range(3))
    c[39, 39] = np.nan
    assert np.isnan(product(library, a, b, c, 1.0, 1.0))
    c[39, 39] = np.inf
    assert product(library, a, b, c, 1.0, 1.0) == np.inf
