"""Statistics, diagonals written, selections, positions in flattened arrays: against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal

import theano
import theano.tensor as T
from theano.core.config import change_flags

LINKERS = ("cvm", "py")


def refused(error, match, build, *values):
    """Assert that each linker's function of ``build`` raises at run time."""
    variables = [T.TensorType(v.dtype.name, (False,) * v.ndim)() for v in map(np.asarray, values)]
    out = build(*variables)
    outs = list(out) if isinstance(out, tuple) else out
    for linker in LINKERS:
        f = theano.function(variables, outs, mode=theano.Mode(linker, "fast_run"))
        with pytest.raises(error, match=match):
            f(*values)


# statistics


def test_cov():
    x, y = normal(3, 5), normal(5, 3).T
    np.testing.assert_allclose(both(T.cov, x), np.cov(x))
    np.testing.assert_allclose(both(lambda a, b: T.cov(a, b), x, y), np.cov(x, y))
    for options in ({"rowvar": False}, {"bias": True}, {"ddof": 2}):
        np.testing.assert_allclose(
            both(lambda a, o=options: T.cov(a, **o), x), np.cov(x, **options)
        )
    np.testing.assert_allclose(both(T.cov, x[0]), np.cov(x[0]))
    np.testing.assert_allclose(both(T.cov, np.array([[1, 2], [3, 5]])), np.cov([[1, 2], [3, 5]]))
    assert both(T.cov, x.astype("float32")).dtype == "float32"
    check_grad(T.cov, x)
    with pytest.raises(NotImplementedError, match="weights"):
        T.cov(T.matrix(), aweights=T.vector())
    with pytest.raises(ValueError, match="more than 2"):
        T.cov(T.tensor3())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_bincount(dtype):
    x = np.array([1, 1, 3, 0], dtype)
    found = both(T.bincount, x)
    assert found.dtype == "int64"
    np.testing.assert_array_equal(found, np.bincount(x.astype("int64")))
    w = np.array([0.5, 1, 2, 3])
    np.testing.assert_array_equal(both(T.bincount, x, w), np.bincount(x.astype("int64"), w))


def test_bincount_lengths():
    x = np.array([1, 1])
    for n in (0, 2, 5):
        np.testing.assert_array_equal(
            both(lambda v, n: T.bincount(v, minlength=n), x, np.int64(n)), np.bincount(x, None, n)
        )
    assert both(T.bincount, np.zeros(0, "int64")).shape == (0,)
    assert both(lambda v: T.bincount(v, minlength=2), np.zeros(0, "int64")).tolist() == [0, 0]
    refused(ValueError, "negative", T.bincount, np.array([1, -1]))
    refused(ValueError, "same length", T.bincount, np.array([1, 1]), np.ones(3))
    with pytest.raises(TypeError, match="vector"):
        T.bincount(T.imatrix())
    with pytest.raises(TypeError, match="integers"):
        T.bincount(T.vector())


def test_bincount_weights_have_a_gradient():
    check_grad(lambda w: T.bincount(T.constant([2, 0, 2]), w) ** 2, normal(3))


# diagonals


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2), (0, 2), (2, 2, 2)])
def test_fill_diagonal(shape):
    x = normal(*shape)
    expected = x.copy()
    if x.size:
        np.fill_diagonal(expected, 7)
    np.testing.assert_array_equal(both(lambda v: T.fill_diagonal(v, 7), x), expected)
    check_grad(lambda v, s: T.fill_diagonal(v, s * s), normal(*shape), np.float64(3))


@pytest.mark.parametrize("offset", [-4, -1, 0, 2, 9])
def test_fill_diagonal_offset(offset):
    x = normal(3, 4)
    expected = np.where(np.eye(3, 4, offset, dtype=bool), 7, x)
    found = both(lambda v, k: T.fill_diagonal_offset(v, 7, k), x, np.int64(offset))
    np.testing.assert_array_equal(found, expected)
    check_grad(lambda v, s: T.fill_diagonal_offset(v, s, offset), x, np.float64(3))


def test_diagonals_refused():
    refused(ValueError, "equal length", lambda v: T.fill_diagonal(v, 1), normal(2, 3, 2))
    with pytest.raises(TypeError, match="2 dimensions"):
        T.fill_diagonal(T.vector(), 1)
    with pytest.raises(TypeError, match="0-d"):
        T.fill_diagonal(T.matrix(), T.vector())
    with pytest.raises(TypeError, match="does not fit"):
        T.fill_diagonal(T.imatrix(), 0.5)
    with pytest.raises(TypeError, match="matrix"):
        T.fill_diagonal_offset(T.tensor3(), 1, 0)
    with pytest.raises(TypeError, match="integers"):
        T.fill_diagonal_offset(T.matrix(), 1, 0.5)


def test_to_one_hot():
    labels = np.array([0, 2, 1])
    np.testing.assert_array_equal(both(lambda y: T.to_one_hot(y, 3), labels), np.eye(3)[labels])
    found = both(lambda y, n: T.to_one_hot(y, n, dtype="int8"), labels, np.int64(4))
    assert found.dtype == "int8"
    with change_flags(floatX="float32"):
        assert T.to_one_hot(T.ivector(), 3).dtype == "float32"
    refused(IndexError, "Apply node", lambda y: T.to_one_hot(y, 3), np.array([0, 3]))
    with pytest.raises(TypeError, match="vector"):
        T.to_one_hot(T.imatrix(), 3)


# selecting


def test_compress():
    x, c = normal(3, 4), np.array([1, 0, 1])
    np.testing.assert_array_equal(
        both(lambda c, x: T.compress(c, x, axis=0), c, x), np.compress(c, x, 0)
    )
    np.testing.assert_array_equal(
        both(lambda c, x: c.compress(x, axis=1), c > 0, x), np.compress(c, x, 1)
    )
    np.testing.assert_array_equal(both(T.compress, c, x), np.compress(c, x))
    check_grad(lambda x: T.compress([0, 1, 1], x, axis=0), x)


@pytest.mark.parametrize("mode", ["raise", "clip", "wrap"])
def test_choose(mode):
    a = np.array([[0, 1, 2], [2, 1, 0]])
    if mode != "raise":
        a = a * 3 - 2
    options = [normal(2, 3) + i for i in range(3)]
    expected = np.choose(a, options, mode=mode)
    listed = both(lambda a, *c: T.choose(a, list(c), mode=mode), a, *options)
    np.testing.assert_array_equal(listed, expected)
    stacked = both(lambda a, c: a.choose(c, mode=mode), a, np.stack(options))
    np.testing.assert_array_equal(stacked, expected)


def test_choose_broadcasts():
    a, c = np.array([0, 1, 1]), normal(2, 4, 1)
    found = both(lambda a, c: T.choose(a, c), a, c, patterns=[None, (False, False, True)])
    np.testing.assert_array_equal(found, np.choose(a, c))
    assert both(lambda a, c: T.choose(a, c), np.int64(1), np.array([4.0, 5.0])) == 5
    assert both(lambda a, c: T.choose(a, [c]), np.zeros(2, int), np.float64(3)).tolist() == [3, 3]
    check_grad(lambda x, y: T.choose(T.constant([0, 1]), [x * y, y]), normal(2), normal(2) + 1)
    check_grad(lambda c: T.choose(T.constant([0, 1]), c), normal(2, 2))


def test_choose_refused():
    choices = [T.constant([1.0, 2.0]), T.constant([3.0, 4.0])]
    for bad in ([0, 2], [-1, 0]):
        refused(ValueError, "choice", lambda a: T.choose(a, choices), np.array(bad))
        refused(ValueError, "choice", lambda a: T.choose(a, T.stack(choices)), np.array(bad))
    with pytest.raises(NotImplementedError, match="out"):
        T.choose(T.ivector(), choices, out=T.vector())
    with pytest.raises(ValueError, match="mode"):
        T.choose(T.ivector(), choices, mode="never")
    with pytest.raises(TypeError, match="integers"):
        T.choose(T.vector(), choices)
    with pytest.raises(ValueError, match="no choices"):
        T.choose(T.ivector(), [])


# positions


@pytest.mark.parametrize("order", ["C", "F"])
def test_unravel_and_ravel(order):
    dims = (3, 4, 5)
    flat = np.array([[0, 59], [17, 33]])
    expected = np.unravel_index(flat, dims, order)
    for given in (dims, T.constant(dims), [3, T.constant(4), 5]):
        found = both(lambda i, d=given: T.unravel_index(i, d, order), flat)
        np.testing.assert_array_equal(np.array(found), np.array(expected))
    found = both(lambda i, d: T.unravel_index(i, d, order, ndim=3), flat, np.array(dims))
    np.testing.assert_array_equal(np.array(found), np.array(expected))
    back = both(lambda *i: T.ravel_multi_index(i, dims, order=order), *expected)
    np.testing.assert_array_equal(back, flat)


def test_ravel_modes():
    rows, columns = np.array([0, 5, -1]), np.array([2, -3, 7])
    for mode in ("clip", "wrap", ("clip", "wrap")):
        found = both(lambda r, c, m=mode: T.ravel_multi_index((r, c), (3, 4), m), rows, columns)
        expected = np.ravel_multi_index((rows, columns), (3, 4), mode)
        np.testing.assert_array_equal(found, expected)
    refused(ValueError, "invalid entry", lambda r: T.ravel_multi_index((r, r), (3, 4)), rows)


def test_positions_refused():
    refused(ValueError, "out of bounds", lambda i: T.unravel_index(i, (2, 3)), np.array([6]))
    refused(ValueError, "out of bounds", lambda i: T.unravel_index(i, (2, 3)), np.array([-1]))
    with pytest.raises(ValueError, match="order"):
        T.unravel_index(T.ivector(), (2, 3), "K")
    with pytest.raises(TypeError, match="integers"):
        T.unravel_index(T.vector(), (2, 3))
    with pytest.raises(ValueError, match="numbers must be equal"):
        T.ravel_multi_index((T.ivector(),), (2, 3))
    with pytest.raises(ValueError, match="no dimensions"):
        T.ravel_multi_index((), ())


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("order", [1, 2, 3.5])
def test_norm(axis, order):
    x = normal(3, 4)
    expected = (np.abs(x) ** order).sum(axis) ** (1 / order)
    np.testing.assert_allclose(both(lambda v: v.norm(order, axis=axis), x), expected)
    check_grad(lambda v: v.norm(order, axis=axis), x)
    assert T.matrix().norm(2, axis=0, keepdims=True).broadcastable == (True, False)
    with pytest.raises(NotImplementedError):
        T.vector().norm(np.inf)


def test_ptp():
    x = normal(3, 4)
    for axis in (None, 0, 1):
        np.testing.assert_allclose(both(lambda v, a=axis: v.ptp(a), x), np.ptp(x, axis))
