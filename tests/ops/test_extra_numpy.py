"""Functions as NumPy spells them, built of other ops: against NumPy, natively and by reference."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import both, check_grad, normal
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


def agree(build, expected, *arrays, tolerance=1e-12, patterns=None):
    """Compiled and reference results are NumPy's."""
    found = both(build, *arrays, patterns=patterns)
    if not isinstance(found, (list, tuple)):
        found, expected = [found], [expected]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, rtol=tolerance, atol=tolerance)
        assert one.shape == np.shape(two)


# order and extents


@settings(max_examples=15)
@given(SHAPES, st.data())
def test_flip(shape, data):
    x = normal(*shape)
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    agree(lambda v: T.flip(v, axis), np.flip(x, axis), x)


def test_flips_and_turns():
    x = normal(3, 4)
    agree(T.flipud, np.flipud(x), x)
    agree(T.fliplr, np.fliplr(x), x)
    agree(lambda v: T.flip(v, (0, 1)), np.flip(x, (0, 1)), x)
    for k in range(-1, 6):
        agree(lambda v, k=k: T.rot90(v, k), np.rot90(x, k), x)
    y = normal(2, 3, 4)
    for axes in ((0, 1), (1, 0), (2, 0), (-1, 1)):
        agree(lambda v, a=axes: T.rot90(v, 3, a), np.rot90(y, 3, axes), y)
    check_grad(lambda v: T.rot90(v) ** 2, x)
    with pytest.raises(ValueError, match="twice"):
        T.flip(T.matrix(), (0, 0))
    with pytest.raises(ValueError, match="out of range"):
        T.flipud(T.scalar())


def test_moved_and_new_dimensions():
    x = normal(2, 3, 4)
    for axis in range(-3, 3):
        for start in range(-3, 4):
            agree(lambda v, a=axis, s=start: T.rollaxis(v, a, s), np.rollaxis(x, axis, start), x)
    for axis in (0, -1, 2, (0, 2), (-1, 1)):
        agree(lambda v, a=axis: T.expand_dims(v, a), np.expand_dims(x, axis), x)
    assert T.expand_dims(T.vector(), 0).broadcastable == (True, False)
    with pytest.raises(ValueError, match="start=4"):
        T.rollaxis(T.tensor3(), 0, 4)


@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (2, 3, 4)])
def test_atleast(shape):
    x = normal(*shape)
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        agree(getattr(T, name), getattr(np, name)(x), x)
    several = T.atleast_2d(T.vector(), T.scalar())
    assert [v.ndim for v in several] == [2, 2]


def test_broadcasting():
    x = normal(3)
    agree(lambda v: T.broadcast_to(v, (2, 3)), np.broadcast_to(x, (2, 3)), x)
    agree(lambda v, n: T.broadcast_to(v, (n, 3)), np.broadcast_to(x, (4, 3)), x, np.int64(4))
    agree(lambda v: T.broadcast_to(v, T.constant([2, 3])), np.broadcast_to(x, (2, 3)), x)
    agree(lambda v: T.broadcast_to(v, 3), x, x)
    a, b = normal(3, 1), normal(4)
    pattern = [(False, True), None]
    agree(T.broadcast_arrays, np.broadcast_arrays(a, b), a, b, patterns=pattern)
    check_grad(lambda u, v: T.broadcast_arrays(u, v)[0] ** 2 * v, a, b, patterns=pattern)
    f = theano.function([v := T.dvector()], T.broadcast_to(v, (2, 3)))
    with pytest.raises(ValueError, match=r"shape|extents|broadcast"):
        f(normal(2))


def test_full_like():
    for x in (normal(2, 3), np.arange(3), np.float32(2)):
        agree(lambda v: T.full_like(v, 7), np.full_like(x, 7), x)
    assert T.full_like(T.fmatrix(), 1, dtype="int8").dtype == "int8"


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_meshgrid(indexing, sparse, count):
    vectors = [normal(n + 2) for n in range(count)]
    expected = np.meshgrid(*vectors, indexing=indexing, sparse=sparse)
    agree(lambda *v: T.meshgrid(*v, indexing=indexing, sparse=sparse), list(expected), *vectors)
    with pytest.raises(ValueError, match="indexing"):
        T.meshgrid(T.vector(), indexing="yx")


# elements along an axis


@settings(max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
def test_take_and_put_along_axis(shape, data):
    x = normal(*shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    wanted = list(shape)
    wanted[axis] = data.draw(st.integers(1, 5))
    index = np.random.default_rng(1).integers(-shape[axis], shape[axis], wanted)
    agree(lambda v, i: T.take_along_axis(v, i, axis), np.take_along_axis(x, index, axis), x, index)
    order = np.argsort(x, axis)
    expected = x.copy()
    np.put_along_axis(expected, order, np.sort(x * 2, axis), axis)
    agree(lambda v, i: T.put_along_axis(v, i, T.sort(v * 2, axis), axis), expected, x, order)


def test_along_an_axis_of_size_one_and_of_none():
    x, index = normal(1, 4), np.array([[0, 1], [2, 3], [1, 1]])
    agree(lambda v, i: T.take_along_axis(v, i, 1), np.take_along_axis(x, index, 1), x, index,
          patterns=[(True, False), None])  # fmt: skip
    y, flat = normal(2, 3), np.array([5, 0, 0])
    agree(lambda v, i: T.take_along_axis(v, i, None), np.take_along_axis(y, flat, None), y, flat)
    expected = y.copy()
    np.put_along_axis(expected, flat, 7, None)
    agree(lambda v, i: T.put_along_axis(v, i, 7, None), expected, y, flat)
    check_grad(lambda v: T.take_along_axis(v, T.constant(index), 1) ** 2, normal(3, 4))
    check_grad(lambda v, w: T.put_along_axis(v, T.constant([[1], [0]]), w, 1) ** 2,
               normal(2, 3), normal(2, 1))  # fmt: skip
    with pytest.raises(ValueError, match="same rank"):
        T.take_along_axis(T.matrix(), T.ivector(), 0)
    with pytest.raises(TypeError, match="integers"):
        T.take_along_axis(T.vector(), T.vector(), 0)


def test_permutations():
    x, p = normal(3, 4), np.array([[2, 0, 1, 3], [0, 1, 2, 3], [3, 2, 1, 0]])
    rows = np.take_along_axis(x, p, 1)
    agree(T.permute_row_elements, rows, x, p)
    agree(lambda v, i: T.permute_row_elements(v, i, inverse=True), x, rows, p)
    agree(lambda v, i: T.permute_row_elements(v, i[0]), x[:, p[0]], x, p)
    agree(lambda v, i: T.permute_row_elements(v[0], i), x[0][p], x, p)
    agree(T.inverse_permutation, np.argsort(p, 1), p)
    assert T.inverse_permutation(T.bvector()).dtype == "int8"
    agree(T.extra_ops.PermuteRowElements(), rows, x, p)
    check_grad(lambda v: T.permute_row_elements(v, p[0]) ** 2, x)
    with pytest.raises(TypeError, match="integers"):
        T.permute_row_elements(T.vector(), T.vector())
    with pytest.raises(TypeError, match="integers"):
        T.inverse_permutation(T.vector())


def test_argwhere():
    x = normal(3, 4) > 0
    agree(T.argwhere, np.argwhere(x), x)


# ranges and windows


@pytest.mark.parametrize("endpoint", [True, False])
@pytest.mark.parametrize("num", [0, 1, 2, 7, 50])
def test_spaces(num, endpoint):
    for build, name in ((T.linspace, "linspace"), (T.logspace, "logspace")):
        expected = getattr(np, name)(-1.5, 2.25, num, endpoint)
        agree(lambda a, b, n, f=build: f(a, b, n, endpoint), expected, np.float64(-1.5),
              np.float64(2.25), np.int64(num))  # fmt: skip
    for ends in ((1.0, 256.0), (-8.0, -0.5)):
        expected = np.geomspace(*ends, num, endpoint)
        agree(lambda a, b, n: T.geomspace(a, b, n, endpoint), expected, *map(np.float64, ends),
              np.int64(num), tolerance=1e-11)  # fmt: skip


def test_linspace_arguments():
    values, step = T.linspace(0, 10, 5, retstep=True)
    assert values.eval().tolist() == [0, 2.5, 5, 7.5, 10]
    assert step.eval() == 2.5
    assert T.linspace(np.float32(0), np.float32(1), 3).dtype == "float32"
    assert T.linspace(0, 4, 5, dtype="int32").eval().tolist() == [0, 1, 2, 3, 4]
    assert T.linspace(0, 1, 4).type.shape == (4,)
    assert T.logspace(0, 2, 3, base=2).eval().tolist() == [1, 2, 4]
    check_grad(lambda a, b: T.linspace(a, b, 4) ** 2, np.float64(1), np.float64(3))
    with pytest.raises(ValueError, match="negative"):
        T.linspace(0, 1, -1)
    with pytest.raises(TypeError, match="0-d"):
        T.linspace(T.vector(), 1)


@pytest.mark.parametrize("m", [-1, 0, 1, 2, 5, 8])
def test_bartlett(m):
    agree(T.bartlett, np.bartlett(m), np.int64(m))
    agree(T.extra_ops.Bartlett(), np.bartlett(m), np.int32(m))
    with pytest.raises(TypeError, match="0-d integer"):
        T.bartlett(T.vector())


def test_vander():
    x = np.array([0.0, -2.0, 3.5])
    for n in (None, 0, 1, 4):
        for increasing in (False, True):
            agree(lambda v, n=n, i=increasing: T.vander(v, n, i), np.vander(x, n, increasing), x)
    check_grad(lambda v: T.vander(v, 4), x)
    with pytest.raises(ValueError, match="vector"):
        T.vander(T.matrix())


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("sizes", [(5, 3), (3, 5), (4, 4), (1, 3), (6, 1), (7, 2)])
def test_convolve(mode, sizes):
    a, v = normal(sizes[0]), normal(sizes[1]) + 1
    agree(lambda a, v: T.convolve(a, v, mode), np.convolve(a, v, mode), a, v)
    check_grad(lambda a, v: T.convolve(a, v, mode) ** 2, a, v)
    with pytest.raises(ValueError, match="mode"):
        T.convolve(T.vector(), T.vector(), "most")


# elementwise


def test_logaddexp_and_hypot():
    inf, nan = np.inf, np.nan
    x = np.array([0.0, inf, -inf, inf, -inf, 800.0, 1e200, -3.0, nan, 5.0])
    y = np.array([0.0, inf, -inf, -inf, 2.0, 799.0, 1e200, 4.0, 1.0, 5.0])
    with np.errstate(invalid="ignore"):
        agree(T.logaddexp, np.logaddexp(x, y), x, y)
        agree(T.hypot, np.hypot(x, y), x, y)
    for op in (T.logaddexp, T.hypot):
        check_grad(op, normal(4) + 3, normal(4) - 3)
        check_grad(lambda a, b, f=op: T.grad((f(a, b) ** 2).sum(), a), normal(4) + 3, normal(4))
    a = T.dvector()
    np.testing.assert_allclose(T.grad(T.logaddexp(a, a * 1).sum(), a).eval({a: [1.0]}), [1])
    assert np.isfinite(T.grad(T.hypot(a, a * 1).sum(), a).eval({a: [0.0]})).all()


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    from scipy.special import logsumexp

    x = normal(2, 3, 4) * 300
    x[0, :, 0] = -np.inf
    expected = logsumexp(x, axis, keepdims=keepdims)
    agree(lambda v: T.logsumexp(v, axis, keepdims), expected, x)
    check_grad(lambda v: T.logsumexp(v, axis, keepdims), normal(2, 3, 4))
    check_grad(lambda v: T.grad((T.logsumexp(v, axis, keepdims) ** 2).sum(), v), normal(2, 2, 2))


def test_logsumexp_of_ties_and_integers():
    x = T.dvector()
    np.testing.assert_allclose(T.grad(T.logsumexp(x), x).eval({x: [2.0, 2.0]}), [0.5, 0.5])
    assert T.logsumexp(T.constant([-np.inf, -np.inf])).eval() == -np.inf
    assert T.logsumexp(T.constant([np.inf, 0])).eval() == np.inf
    np.testing.assert_allclose(T.logsumexp(T.constant([1, 2])).eval(), np.logaddexp(1, 2))


def test_strange_numbers():
    x = np.array([1.0, np.nan, np.inf, -np.inf, -0.0])
    agree(T.isfinite, np.isfinite(x), x)
    agree(T.nan_to_num, np.nan_to_num(x), x)
    agree(lambda v: T.nan_to_num(v, 1, 2, 3), np.nan_to_num(x, nan=1, posinf=2, neginf=3), x)
    agree(T.nan_to_num, np.nan_to_num(x.astype("float32")), x.astype("float32"))
    ints = np.arange(3)
    agree(lambda v: T.nan_to_num(v) + T.isfinite(v), ints + 1, ints)


def test_array_equal():
    x = normal(2, 3)
    for other, same in ((x, True), (x + 1, False), (x[:1], False), (x[:, :0], False)):
        assert both(T.array_equal, x, other) == same
    assert not T.array_equal(T.matrix(), T.vector()).eval()
    nan = np.array([np.nan, 1])
    assert not both(T.array_equal, nan, nan.copy())
    assert both(lambda a, b: T.array_equal(a, b, equal_nan=True), nan, nan.copy())


# statistics


def test_count_nonzero_and_average():
    x = np.rint(normal(3, 4))
    for axis in (None, 0, 1, (0, 1)):
        agree(lambda v, a=axis: T.count_nonzero(v, a), np.count_nonzero(x, axis), x)
    w = np.abs(normal(3, 4)) + 1
    for axis in (None, 0, 1):
        agree(lambda v, a=axis: T.average(v, a), np.average(x, axis), x)
        agree(lambda v, w, a=axis: T.average(v, a, w), np.average(x, axis, w), x, w)
    agree(lambda v, w: T.average(v, 1, w, returned=True), np.average(x, 1, w[0], returned=True),
          x, w[0])  # fmt: skip
    agree(lambda v: T.average(v, 1, returned=True, keepdims=True),
          np.average(x, 1, returned=True, keepdims=True), x)  # fmt: skip
    check_grad(lambda v, w: T.average(v, 0, w), normal(3, 4), w)
    with pytest.raises(TypeError, match="weights"):
        T.average(T.matrix(), weights=T.vector())


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
def test_quantiles(method, axis):
    x = normal(3, 4, 5)
    for q in (0.0, 0.31, 1.0, np.array([0.2, 0.5, 0.9])):
        expected = np.quantile(x, q, axis=axis, method=method)
        agree(lambda v, q: T.quantile(v, q, axis, method), expected, x, np.asarray(q))
        expected = np.percentile(x, 100 * q, axis=axis, method=method, keepdims=True)
        agree(lambda v, q=q: T.percentile(v, 100 * q, axis, method, True), expected, x)


def test_medians():
    x = normal(3, 4)
    for axis in (None, 0, 1):
        agree(lambda v, a=axis: T.median(v, a), np.median(x, axis), x)
        check_grad(lambda v, a=axis: T.median(v, a), x)
    x[1, 2] = np.nan
    agree(lambda v: T.median(v, 1), np.median(x, 1), x)
    assert both(T.median, np.array([1, 2, 4, 8])) == 3
    assert both(T.median, x.astype("float32")).dtype == "float32"
    check_grad(lambda v, q: T.quantile(v, q * 0.1), normal(6), np.array([2.5, 7.3]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        T.quantile(T.vector(), 2)
    with pytest.raises(ValueError, match="method"):
        T.quantile(T.vector(), 0.5, method="best")


@pytest.mark.parametrize("right", [False, True])
def test_digitize(right):
    x = np.array([[0.5, 1.0, 3.0], [2.0, 9.0, -1.0]])
    for bins in ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [1.0]):
        bins = np.array(bins)
        agree(lambda v, b: T.digitize(v, b, right), np.digitize(x, bins, right), x, bins)
        agree(lambda v, b=bins: T.digitize(v, b, right), np.digitize(x, bins, right), x)
    with pytest.raises(ValueError, match="vector"):
        T.digitize(T.vector(), T.matrix())


def test_histogram():
    x, w = normal(4, 25), np.abs(normal(4, 25))
    edges = np.array([-1.0, 0.0, 0.25, 2.0])
    options = ({}, {"bins": 4}, {"range": (-1.0, 1.0)}, {"bins": edges}, {"density": True},
               {"bins": edges, "density": True})  # fmt: skip
    for given_ in options:
        agree(lambda v, o=given_: T.histogram(v, **o), np.histogram(x, **given_), x)
        agree(lambda v, w, o=given_: T.histogram(v, weights=w, **o),
              np.histogram(x, weights=w, **given_), x, w)  # fmt: skip
    flat = np.full(3, 2.0)
    agree(T.histogram, np.histogram(flat), flat)
    ints = np.array([1, 2, 2, 5])
    agree(lambda v: T.histogram(v, 4), np.histogram(ints, 4), ints)


def test_interp():
    xp, fp = np.array([-1.0, 0.0, 2.0, 2.5]), normal(4)
    x = np.array([[-9.0, -1.0, -0.3], [0.0, 2.5, 7.0], [2.2, np.inf, np.nan]])
    agree(T.interp, np.interp(x, xp, fp), x, xp, fp)
    agree(lambda *v: T.interp(*v, left=-7, right=7), np.interp(x, xp, fp, -7, 7), x, xp, fp)
    agree(T.interp, np.interp(x[:2], xp[:1], fp[:1]), x[:2], xp[:1], fp[:1])
    check_grad(T.interp, np.array([-0.3, 0.7, 2.2]), xp, fp)
    with pytest.raises(ValueError, match="vectors"):
        T.interp(T.vector(), T.matrix(), T.vector())


# old names


def test_old_op_names():
    x, ops = normal(3, 4), T.extra_ops
    agree(ops.CumsumOp(axis=1), np.cumsum(x, 1), x)
    agree(ops.CumprodOp(axis=0), np.cumprod(x, 0), x)
    agree(ops.DiffOp(2, axis=0), np.diff(x, 2, 0), x)
    agree(ops.RepeatOp(axis=0), np.repeat(x, 2, 0), x, np.int64(2))
    counts = np.array([1, 3, 1])
    agree(ops.BinCountOp(6), np.bincount(counts, minlength=6), counts)
    filled = x.copy()
    np.fill_diagonal(filled, 7)
    agree(ops.FillDiagonal(), filled, x, np.float64(7))
    agree(lambda v: ops.FillDiagonalOffset()(v, 7, 0), filled, x)
    flat = np.array([5, 11])
    rows, columns = np.unravel_index(flat, (3, 4), "F")
    agree(lambda i: ops.UnravelIndex("F")(i, (3, 4)), [rows, columns], flat)
    agree(lambda r, c: ops.RavelMultiIndex(order="F")(r, c, (3, 4)), flat, rows, columns)
