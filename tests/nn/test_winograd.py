"""Convolutions of 3x3 kernels by minimal filtering, against the definition in float64."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import theano
import theano.tensor as T
from theano.core.config import change_flags
from theano.gradient import verify_grad
from theano.runtime import threads

RNG = np.random.default_rng(11)
NEAR = {"float32": 2e-5, "float64": 1e-12}
#: (images, kernels, border, flip, groups): extents odd and even, channels that fill no vector.
CASES = (
    ((2, 32, 10, 12), (32, 32, 3, 3), "half", True, 1),
    ((1, 48, 13, 9), (50, 48, 3, 3), "valid", False, 1),
    ((2, 64, 7, 11), (64, 64, 3, 3), "full", True, 1),
    ((3, 96, 8, 7), (66, 48, 3, 3), (1, 2), False, 2),
    ((1, 70, 11, 30), (52, 70, 3, 3), ((0, 2), (3, 1)), True, 1),
    ((2, 40, 4, 5), (40, 40, 3, 3), 2, True, 1),
    ((9, 64, 3, 3), (64, 64, 3, 3), "valid", False, 1),
    ((2, 3, 9, 8), (5, 3, 3, 3), 1, True, 1),
    ((2, 1, 6, 6), (1, 1, 3, 3), "half", False, 1),
    ((1, 64, 3, 70), (48, 64, 3, 3), "valid", True, 1),
)


def zeros_around(border):
    """(before, after) along both axes."""
    named = {"valid": 0, "half": 1, "full": 2}
    border = named.get(border, border) if isinstance(border, str) else border
    pairs = border if isinstance(border, tuple) else (border, border)
    return [pair if isinstance(pair, tuple) else (pair, pair) for pair in pairs]


def definition(x, w, g, border, flip, groups):
    """The convolution, and both gradients for the gradient ``g`` of the result."""
    around = [(0, 0), (0, 0), *zeros_around(border)]
    padded = np.pad(x, around)
    w = w[:, :, ::-1, ::-1] if flip else w
    one, two = len(w) // groups, w.shape[1]
    y, gw, gx = np.zeros(g.shape), np.zeros(w.shape), np.zeros(padded.shape)
    for group in range(groups):
        o, c = slice(group * one, (group + 1) * one), slice(group * two, (group + 1) * two)
        windows = sliding_window_view(padded[:, c], (3, 3), axis=(2, 3))
        y[:, o] = np.einsum("ncpqab,ocab->nopq", windows, w[o], optimize=True)
        gw[o] = np.einsum("nopq,ncpqab->ocab", g[:, o], windows, optimize=True)
        for a in range(3):
            for b in range(3):
                part = np.einsum("nopq,oc->ncpq", g[:, o], w[o, :, a, b], optimize=True)
                gx[:, c, a : a + g.shape[2], b : b + g.shape[3]] += part
    rows, columns = (slice(b, gx.shape[2 + i] - a) for i, (b, a) in enumerate(around[2:]))
    return y, gx[:, :, rows, columns], gw[:, :, ::-1, ::-1] if flip else gw


def compiled(dtype, border=1, flip=True, groups=1, winograd=True):
    """A function of images, kernels and a gradient: the convolution and both gradients."""
    x, w, g = (T.tensor4(name, dtype=dtype) for name in "xwg")
    y = T.nnet.conv2d(x, w, border_mode=border, filter_flip=flip, num_groups=groups)
    gradients = theano.grad(None, [x, w], known_grads={y: g})
    with change_flags(**{"conv.winograd": winograd}):
        return theano.function([x, w, g], [y, *gradients])


def arrays(row, dtype):
    """Images, kernels, and a gradient of the result."""
    image, kernel, border, _, _ = row
    extents = [n + sum(pair) - 2 for n, pair in zip(image[2:], zeros_around(border), strict=True)]
    shapes = image, kernel, (image[0], kernel[0], *extents)
    return [RNG.normal(size=shape).astype(dtype) for shape in shapes]


def near(found, wanted, dtype, factor=1):
    for one, two in zip(found, wanted, strict=True):
        assert one.shape == two.shape
        scale = np.abs(two).max()
        np.testing.assert_allclose(one, two, rtol=0, atol=NEAR[dtype] * scale * factor)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", CASES, ids=range(len(CASES)))
def test_definition_and_gradients(row, dtype):
    given = arrays(row, dtype)
    wanted = definition(*(a.astype("float64") for a in given), *row[2:])
    for winograd in (True, False):
        near(compiled(dtype, *row[2:], winograd)(*given), wanted, dtype)


def test_random_shapes():
    rng = np.random.default_rng(5)
    functions = {
        (dtype, border): compiled(dtype, border, False) for dtype in NEAR for border in ("valid", 1)
    }
    for (dtype, border), f in functions.items():
        for _ in range(12):
            batch, channels, filters = rng.integers(1, [6, 80, 80])
            image = (batch, channels, *rng.integers(3, 20, 2))
            given = arrays((image, (filters, channels, 3, 3), border, False, 1), dtype)
            near(f(*given), definition(*given, border, False, 1), dtype)


def test_it_is_used_and_the_flag_turns_it_off():
    """Its rounding errors are others; functions of both settings live side by side."""
    x = RNG.normal(size=(2, 64, 12, 12)).astype("float32")
    w = RNG.normal(size=(64, 64, 3, 3)).astype("float32")
    g = RNG.normal(size=x.shape).astype("float32")
    on, off, again = (compiled("float32", winograd=flag) for flag in (True, False, True))
    for one, two, three in zip(on(x, w, g), off(x, w, g), again(x, w, g), strict=True):
        assert not np.array_equal(one, two)
        assert np.array_equal(one, three)


def test_other_kernels_strides_and_dilations_are_by_the_definition():
    x, w = T.ftensor4(), T.ftensor4()
    a = RNG.normal(size=(2, 32, 12, 12)).astype("float32")
    for kernel, options in (
        ((3, 2), {}), ((5, 5), {}), ((3, 3), {"subsample": (1, 2)}),
        ((3, 3), {"filter_dilation": (2, 1)}),
    ):  # fmt: skip
        b = RNG.normal(size=(32, 32, *kernel)).astype("float32")
        results = []
        for flag in (True, False):
            with change_flags(**{"conv.winograd": flag}):
                f = theano.function([x, w], T.nnet.conv2d(x, w, border_mode=1, **options))
            results.append(f(a, b))
        assert np.array_equal(*results)


def test_nothing():
    f = compiled("float32")
    for batch, channels, filters in ((0, 32, 32), (2, 0, 32), (2, 32, 0)):
        shapes = (batch, channels, 8, 8), (filters, channels, 3, 3), (batch, filters, 8, 8)
        given = [np.ones(shape, "float32") for shape in shapes]
        for found, wanted in zip(f(*given), definition(*given, 1, True, 1), strict=True):
            assert np.array_equal(found, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layouts(dtype):
    """Any strides give the same bits: with gaps, backwards, channels last."""
    row = ((2, 48, 9, 14), (40, 48, 3, 3), 1, True, 1)
    given, f = arrays(row, dtype), compiled(dtype)
    plain = f(*given)

    def loose(a):
        room = np.full([2 * n + 1 for n in a.shape], np.nan, dtype)
        view = room[tuple(slice(1, None, 2) for _ in a.shape)]
        view[...] = a
        return view

    def backwards(a):
        return np.array(a[::-1, ::-1, ::-1, ::-1])[::-1, ::-1, ::-1, ::-1]

    def channels_last(a):
        return np.ascontiguousarray(a.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)

    def repeated(a):
        return np.broadcast_to(a[:1], a.shape)

    for layout in (loose, backwards, channels_last, np.asfortranarray):
        for one, two in zip(f(*map(layout, given)), plain, strict=True):
            assert np.array_equal(one, two)
    same = [repeated(a) for a in given]
    for one, two in zip(f(*same), f(*(a.copy() for a in same)), strict=True):
        assert np.array_equal(one, two)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_give_the_same_bits(dtype):
    rows = (((5, 64, 20, 18), (48, 64, 3, 3)), ((40, 64, 7, 7), (64, 64, 3, 3)))
    f, pool = compiled(dtype), threads.pool()
    before = pool.threads
    try:
        for image, kernel in rows:
            given = arrays((image, kernel, 1, True, 1), dtype)
            results = []
            for count in (1, 2, 3):
                pool.set_threads(count)
                results.append(f(*given))
            for others in results[1:]:
                for one, two in zip(results[0], others, strict=True):
                    assert np.array_equal(one, two)
    finally:
        pool.set_threads(before)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(8, 8), (7, 4), (0, 15)])
def test_what_is_not_finite(value, place):
    """It reaches the results whose windows have it, as by the definition; infinities may be NaN."""
    x = RNG.normal(size=(1, 64, 16, 16)).astype("float32")
    w = RNG.normal(size=(64, 64, 3, 3)).astype("float32")
    g = np.ones_like(x)
    x[0, 5, *place] = value
    window = np.zeros(x.shape, bool)
    window[:, :, max(place[0] - 1, 0) : place[0] + 2, max(place[1] - 1, 0) : place[1] + 2] = True
    by_tiles = compiled("float32")(x, w, g)[0]
    assert np.array_equal(~np.isfinite(by_tiles), window)
    with np.errstate(invalid="ignore"):
        wanted = definition(x, w, g, 1, True, 1)[0]
    exact = compiled("float32", winograd=False)(x, w, g)[0]
    for kind in (np.isnan, np.isposinf, np.isneginf):
        assert np.array_equal(kind(exact), kind(wanted))


# gradients ----------------------------------------------------------------------------------------


def test_verify_grad():
    x, w = RNG.normal(size=(2, 16, 6, 6)), RNG.normal(size=(16, 16, 3, 3)) / 10

    def some(x, w):
        return T.nnet.conv2d(x, w, border_mode=1)[:, ::4, ::2]

    verify_grad(some, [x, w], rng=np.random.RandomState(3), n_tests=1)


def test_second_order():
    """The gradient of a product of gradients, by the definition and by minimal filtering."""
    x, w, u, v = (T.dtensor4(name) for name in "xwuv")
    y = (T.nnet.conv2d(x, w, border_mode=1) ** 2).sum()
    gx, gw = theano.grad(y, [x, w])
    wanted = theano.grad((gx * u).sum() + (gw * v).sum(), [x, w])
    given = [RNG.normal(size=s) for s in ((2, 32, 8, 9), (32, 32, 3, 3)) * 2]
    results = []
    for flag in (True, False):
        with change_flags(**{"conv.winograd": flag}):
            results.append(theano.function([x, w, u, v], wanted)(*given))
    near(*results, "float64", 10)
