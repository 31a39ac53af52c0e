"""Pooling against loops in NumPy; gradients; shapes; what is refused."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.signal import downsample, pool
from theano.tensor.signal.pool import pool_2d, pool_3d

RNG = np.random.default_rng(5)
MODES = ["max", "sum", "average_inc_pad", "average_exc_pad"]
#: shape, ws, stride, pad, ignore_border
CASES = [
    ((2, 3, 6, 8), (2, 2), None, 0, True),
    ((2, 3, 7, 9), (2, 2), None, 0, True),
    ((2, 3, 7, 9), (2, 2), None, 0, False),
    ((1, 2, 9, 20), (3, 3), (1, 1), 0, True),
    ((1, 2, 9, 20), (3, 3), (2, 2), (1, 1), True),
    ((3, 9, 20), (3, 2), (2, 1), 0, False),
    ((5, 7), (2, 3), (4, 5), 0, False),
    ((5, 7), (3, 4), (2, 3), (2, 1), True),
    ((2, 4, 5), (6, 6), None, 0, True),
    ((2, 4, 5), (6, 6), None, 0, False),
    ((2, 2, 2, 5, 6), (3, 2), (1, 2), (1, 0), True),
]


def expected(x, ws, stride=None, pad=0, ignore_border=True, mode="max"):
    """Windows one by one, as they are defined."""
    nd = len(ws)
    stride = ws if stride is None else stride
    pad = (pad,) * nd if isinstance(pad, int) else pad
    image = x.shape[x.ndim - nd :]
    out = pool.Pool.out_shape(image, ws, ignore_border, stride, pad, nd)
    result = np.empty(x.shape[: x.ndim - nd] + tuple(out))
    for index in np.ndindex(*out):
        starts = [i * s - p for i, s, p in zip(index, stride, pad, strict=True)]
        stops = [a + w for a, w in zip(starts, ws, strict=True)]
        padded = np.prod([
            min(b, n + p) - a for a, b, n, p in zip(starts, stops, image, pad, strict=True)
        ])  # fmt: skip
        window = x[(..., *(slice(max(a, 0), b) for a, b in zip(starts, stops, strict=True)))]
        axes = tuple(range(x.ndim - nd, x.ndim))
        count = np.prod([window.shape[a] for a in axes])
        value = window.max(axes) if mode == "max" else window.sum(axes)
        result[(..., *index)] = value / {"average_inc_pad": padded, "average_exc_pad": count}.get(
            mode, 1
        )
    return result


def run(x, ws, stride, pad, ignore_border, mode, how=None):
    v = T.TensorType(x.dtype, (False,) * x.ndim)()
    build = pool_2d if len(ws) == 2 else pool_3d
    out = build(v, ws, ignore_border, stride, pad, mode)
    result = theano.function([v], out, mode=how)(x)
    assert result.dtype == out.dtype
    return result


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case, mode):
    shape, *parameters = case
    x = RNG.normal(size=shape)
    want = expected(x, *parameters, mode)
    np.testing.assert_allclose(run(x, *parameters, mode), want, rtol=1e-12, atol=1e-12)
    got = run(x, *parameters, mode, "FAST_COMPILE")
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_three_axes(mode):
    x = RNG.normal(size=(2, 5, 6, 7))
    for parameters in (((2, 2, 2), None, 0, False), ((3, 2, 3), (1, 2, 2), (1, 0, 2), True)):
        want = expected(x, *parameters, mode)
        np.testing.assert_allclose(run(x, *parameters, mode), want, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "int64"])
def test_dtypes(dtype):
    x = RNG.integers(0, 9, (2, 5, 6)).astype(dtype)
    assert run(x, (2, 2), None, 0, True, "max").dtype == dtype
    total = run(x, (2, 2), None, 0, True, "sum")
    np.testing.assert_array_equal(total, expected(x, (2, 2), mode="sum"))
    mean = run(x, (2, 2), None, 0, True, "average_exc_pad")
    assert mean.dtype == (dtype if dtype.startswith("f") else "float64")
    np.testing.assert_allclose(mean, expected(x, (2, 2), mode="average_exc_pad"), rtol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_parameters(data):
    small = st.integers(1, 4)
    ws, stride = (data.draw(st.tuples(small, small)) for _ in range(2))
    ignore = data.draw(st.booleans())
    pad = tuple(data.draw(st.integers(0, w - 1)) for w in ws) if ignore else (0, 0)
    shape = data.draw(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(1, 30)))
    mode = data.draw(st.sampled_from(MODES))
    x = np.random.default_rng(0).normal(size=shape)
    out, gradient = COMPILED[mode, ignore](x, ws, stride, pad)
    np.testing.assert_allclose(out, expected(x, ws, stride, pad, ignore, mode), rtol=1e-10)
    assert gradient.shape == shape
    if mode in ("max", "sum"):  # a maximum is one cell, a sum all
        cells = expected(np.ones(shape), ws, stride, pad, ignore, mode)
        np.testing.assert_allclose(gradient.sum(), (out * 0 + cells).sum(), rtol=1e-9)


def _symbolic(mode, ignore):
    x, parameters = T.tensor3(), T.lvectors("ws", "stride", "pad")
    out = pool_2d(x, parameters[0], ignore, parameters[1], parameters[2], mode)
    return theano.function([x, *parameters], [out, T.grad(out.sum(), x)])


COMPILED = {
    (mode, ignore): _symbolic(mode, ignore)
    for mode, ignore in itertools.product(MODES, [True, False])
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", [CASES[i] for i in (0, 2, 3, 4, 5, 6, 7)], ids=str)
def test_gradients(case, mode):
    (shape, ws, stride, pad, ignore) = case
    x = RNG.permutation(float(np.prod(shape)) / 10 * np.linspace(0, 1, np.prod(shape)))
    x = x.reshape(shape)[..., :5, :6]
    if x.ndim == 4:
        x = x[:1, :1]

    def build(v):
        return pool_2d(v, ws, ignore, stride, pad, mode)

    verify_grad(build, [x], rng=np.random.RandomState(1), eps=1e-4)
    verify_grad(
        lambda v: T.grad((build(v) ** 2).sum(), v), [x], rng=np.random.RandomState(2), eps=1e-4
    )


@pytest.mark.parametrize("mode", MODES)
def test_derivatives_in_a_direction_are_transposes_of_gradients(mode):
    x, v, u = T.tensor4s("x", "v", "u")
    out = pool_2d(x, (3, 3), True, (2, 2), (1, 1), mode)
    forward, back = T.Rop(out, x, v), T.Lop(out, x, u)
    f = theano.function([x, v, u], [(forward * u).sum(), (back * v).sum()])
    # Few distinct values: there are ties.
    a = RNG.integers(0, 3, (2, 2, 7, 8)).astype("float64")
    one, two = f(a, RNG.normal(size=a.shape), RNG.normal(size=(2, 2, 4, 4)))
    np.testing.assert_allclose(one, two, rtol=1e-10)


def test_second_derivatives_of_maxima():
    x = T.matrix()
    out = pool_2d(x, (2, 2), ignore_border=True)
    inner = T.grad((out**3).sum(), x)
    f = theano.function([x], T.grad((inner**2).sum(), x))
    a = RNG.permutation(np.arange(1.0, 17.0)).reshape(4, 4)
    top = np.zeros_like(a)
    for i, j in np.ndindex(2, 2):
        w = a[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        top[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = np.where(w == w.max(), w, 0)
    np.testing.assert_allclose(f(a), 36 * top**3)


def test_every_tied_cell_gets_the_gradient():
    x = T.matrix()
    f = theano.function([x], T.grad(pool_2d(x, (2, 2), ignore_border=True).sum(), x))
    assert f(np.zeros((2, 4))).tolist() == np.ones((2, 4)).tolist()


def test_nan_is_a_maximum():
    x = np.ones((4, 40), "float32")
    x[0, 1] = x[3, 38] = np.nan
    got = run(x, (2, 2), None, 0, True, "max")
    assert np.isnan(got[0, 0])
    assert np.isnan(got[1, 19])
    assert np.isnan(got).sum() == 2


@pytest.mark.parametrize(
    ("n", "ws", "stride", "ignore", "out"),
    [(5, 2, 2, True, 2), (5, 2, 2, False, 3), (5, 3, 1, False, 3), (5, 2, 3, False, 2),
     (4, 6, 6, True, 0), (4, 6, 6, False, 1), (6, 3, 2, False, 3), (5, 3, 2, True, 2)],
)  # fmt: skip
def test_output_extents(n, ws, stride, ignore, out):
    shape = pool.Pool.out_shape((2, n, n), (ws, ws), ignore_border=ignore, stride=(stride, stride))
    assert shape == [2, out, out]
    x = T.tensor("float64", shape=(2, n, n))
    made = pool_2d(x, ws, ignore, stride)
    assert made.type.shape[1:] == ((None, None) if out == 1 else (out, out))
    assert made.broadcastable == (False,) * 3
    f = theano.function([x], [made.shape, made])
    sizes, value = f(np.zeros((2, n, n)))
    assert tuple(sizes) == value.shape == (2, out, out)


def test_empty_images():
    for shape in ((0, 3, 4, 4), (2, 3, 0, 4), (2, 0, 4, 4), (2, 3, 4, 0)):
        for mode in MODES:
            x = np.zeros(shape, "float32")
            got = run(x, (2, 2), None, 0, True, mode)
            assert got.shape == (*shape[:2], shape[2] // 2, shape[3] // 2)
            assert run(x, (2, 2), None, 0, False, mode).size == 0


def test_layouts():
    """Strided, transposed and reversed images."""
    base = RNG.normal(size=(3, 12, 2, 20)).astype("float32")
    f = {}
    x = T.ftensor4()
    for mode in MODES:
        out = pool_2d(x, (3, 3), True, (2, 2), (1, 1), mode)
        f[mode] = theano.function([x], [out, T.grad((out**2).sum(), x)])
    for view in (base[::-1, ::2, :, ::-1], base.transpose(2, 3, 0, 1), base[:, :, :, ::3]):
        for mode in MODES:
            got, want = f[mode](view), f[mode](np.ascontiguousarray(view))
            for a, b in zip(got, want, strict=True):
                np.testing.assert_array_equal(a, b)


def test_results_do_not_depend_on_threads_or_runs():
    x = T.ftensor4()
    out = pool_2d(x, (3, 3), True, (1, 1), (1, 1), "average_inc_pad")
    f = theano.function([x], T.grad((out**2).sum(), x))
    a = RNG.normal(size=(8, 16, 40, 40)).astype("float32")
    first = f(a)
    assert all(np.array_equal(f(a), first) for _ in range(3))


def test_ignore_border_must_be_said():
    x = T.matrix()
    with pytest.warns(UserWarning, match="ignore_border"):
        out = pool_2d(x, (2, 2))
    assert out.owner.op.ignore_border is False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pool_2d(x, (2, 2), ignore_border=True)


def test_old_names():
    x = T.tensor3()
    with pytest.warns(UserWarning, match="'ds'"):
        old = pool_2d(x, ds=(2, 3), ignore_border=True)
    a = RNG.normal(size=(2, 6, 9))
    np.testing.assert_array_equal(old.eval({x: a}), expected(a, (2, 3)))
    for names in ({"ws": (2, 2), "ds": (2, 2)}, {"ws": 2, "stride": 2, "st": 2},
                  {"ws": 2, "pad": (1, 1), "padding": (1, 1)}):  # fmt: skip
        with pytest.raises(ValueError, match="both"):
            pool_2d(x, ignore_border=True, **names)
    first = downsample.max_pool_2d(x, (2, 3), ignore_border=True)
    np.testing.assert_array_equal(first.eval({x: a}), expected(a, (2, 3)))


def test_same_size():
    x = T.matrix()
    a = np.array([[1.0, 2, 0, 5, 9], [3, 0, 1, 2, 9], [1, 1, 1, 1, 9]])
    got = pool.max_pool_2d_same_size(x, (2, 2)).eval({x: a})
    assert got.tolist() == [[0, 0, 0, 5, 0], [3, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"ws": (2, 2), "pad": (2, 0), "ignore_border": True}, "smaller than the window"),
        ({"ws": (2, 2), "pad": (1, 1), "ignore_border": False}, "ignore_border=True"),
        ({"ws": (0, 2), "ignore_border": True}, "at least 1"),
        ({"ws": (2, 2), "stride": (0, 1), "ignore_border": True}, "at least 1"),
        ({"ws": (2, 2), "pad": (-1, 0), "ignore_border": True}, "negative"),
        ({"ws": (2, 2, 2), "ignore_border": True}, "2 axes"),
        ({"ws": (2, 2), "mode": "median", "ignore_border": True}, "mode"),
        ({"ignore_border": True}, "window size"),
    ],
)
def test_refused(given, error):
    with pytest.raises(ValueError, match=error):
        pool_2d(T.matrix(), **given)


def test_refused_types():
    with pytest.raises(NotImplementedError, match="dimension >= 2"):
        pool_2d(T.vector(), (2, 2), ignore_border=True)
    for x in (T.zmatrix(), T.bmatrix() > 0):
        with pytest.raises(TypeError, match="dtype"):
            pool_2d(x, (2, 2), ignore_border=True)
    with pytest.raises(TypeError, match="ints"):
        pool_2d(T.matrix(), (2.5, 2), ignore_border=True)


@pytest.mark.parametrize(
    "values", [([0, 2], [1, 1], [0, 0]), ([2, 2], [0, 1], [0, 0]), ([2, 2], [1, 1], [2, 0]),
               ([2, 2], [1, 1], [-1, 0]), ([2, 2, 2], [1, 1], [0, 0]), ([2], [1, 1], [0, 0])],
)  # fmt: skip
def test_refused_when_it_runs(values):
    with pytest.raises(ValueError, match=r"window|pad|axes|entries|1|index"):
        COMPILED["max", True](np.ones((2, 4, 4)), *values)


def test_gradients_of_wrong_shape_are_refused():
    x, z, g = T.tensor3s("x", "z", "g")
    f = theano.function([x, z, g], pool.MaxPoolGrad(True)(x, z, g, (2, 2)))
    h = theano.function([x, g], pool.AveragePoolGrad(True, "sum")(x, g, (2, 2)))
    image, right, wrong = np.ones((2, 4, 6)), np.ones((2, 2, 3)), np.ones((2, 3, 3))
    assert f(image, right, right).shape == h(image, right).shape == image.shape
    for call in (lambda: f(image, right, wrong), lambda: f(image, wrong, right),
                 lambda: h(image, wrong)):  # fmt: skip
        with pytest.raises(ValueError, match="give"):
            call()


def test_native_and_batched():
    x, ws = T.tensor3(), T.lvector()
    out = pool_2d(x, ws, True)
    f = theano.function([x, ws], [out, T.grad((out**2).sum(), x)])
    program = theano.explain(f, code=False)["program"]
    assert "python" not in program
    assert program.count("call pool_max") == 2
    images = T.tensor4()
    many = theano.vectorize(lambda v: pool_2d(v, (2, 2), ignore_border=True))(images)
    assert many.owner.op == pool.Pool(True)
    a = RNG.normal(size=(3, 2, 4, 6))
    np.testing.assert_array_equal(many.eval({images: a}), expected(a, (2, 2)))
