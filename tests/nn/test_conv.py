"""Convolutions against a definition by plain loops, over all of their parameters."""

import itertools

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.core.errors import ShapeError
from theano.gradient import verify_grad
from theano.ops import conv as ops
from theano.runtime import threads
from theano.tensor.nnet import abstract_conv as ac

RNG = np.random.default_rng(7)
PY = theano.Mode(linker="py", optimizer=None)
NEAR = {"float16": 3e-2, "float32": 2e-5, "float64": 1e-11}


def pads(border, kernel, dilation):
    """Zeros (before, after) along each axis."""
    cover = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if border == "valid":
        return [(0, 0)] * len(kernel)
    if border == "full":
        return [(c - 1, c - 1) for c in cover]
    if border == "half":
        return [(c // 2, c // 2) for c in cover]
    entries = border if isinstance(border, tuple) else (border,) * len(kernel)
    return [e if isinstance(e, tuple) else (e, e) for e in entries]


def naive(x, w, border, stride, dilation, groups, flip, unshared):
    """The definition, one element of the result after the other."""
    rank = x.ndim - 2
    kernel = w.shape[-rank:]
    around = pads(border, kernel, dilation)
    padded = np.pad(x, [(0, 0), (0, 0), *around])
    counts = [
        (n - (k - 1) * d - 1) // s + 1
        for n, k, d, s in zip(padded.shape[2:], kernel, dilation, stride, strict=True)
    ]
    own, each = x.shape[1] // groups, w.shape[0] // groups
    y = np.zeros((len(x), len(w), *counts), x.dtype)
    if flip:
        w = w[(..., *[slice(None, None, -1)] * rank)]
    for o, place in itertools.product(range(len(w)), np.ndindex(*counts)):
        cells = tuple(
            slice(p * s, p * s + (k - 1) * d + 1, d)
            for p, s, k, d in zip(place, stride, kernel, dilation, strict=True)
        )
        start = o // each * own
        patch = padded[(slice(None), slice(start, start + own), *cells)]
        weights = w[(o, *place)] if unshared else w[o]
        y[(slice(None), o, *place)] = (patch * weights).reshape(len(x), -1).sum(1)
    return y


def arrays(rank, n, groups, channels, filters, image, kernel, unshared=False, **options):
    """Images and filters of a case."""
    x = RNG.normal(size=(n, groups * channels, *image))
    w = RNG.normal(size=(groups * filters, channels, *kernel))
    if unshared:
        shape = ac.get_conv_output_shape(
            x.shape, w.shape, options["border_mode"], options["subsample"],
            options["filter_dilation"],
        )[2:]  # fmt: skip
        w = RNG.normal(size=(len(w), *shape, *w.shape[1:]))
    return x, w


def case(rank, n, groups, channels, filters, image, kernel, border, stride, dilation, flip=True,
         unshared=False):  # fmt: skip
    """(options, x, w)."""
    options = {
        "border_mode": border, "subsample": stride, "filter_dilation": dilation,
        "num_groups": groups, "filter_flip": flip, "unshared": unshared,
    }  # fmt: skip
    x, w = arrays(rank, n, groups, channels, filters, image, kernel, **options)
    return options, x, w


CASES = [
    (2, 2, 1, 3, 4, (7, 8), (3, 2), "valid", (1, 1), (1, 1)),
    (2, 2, 1, 3, 4, (7, 8), (3, 2), "full", (1, 1), (1, 1), False),
    (2, 2, 1, 2, 9, (6, 20), (3, 4), "half", (1, 1), (1, 1)),
    (2, 1, 1, 1, 1, (5, 5), (2, 2), 2, (1, 1), (1, 1)),
    (2, 2, 2, 2, 3, (9, 7), (3, 3), (1, 2), (2, 3), (1, 1)),
    (2, 2, 3, 1, 2, (9, 8), (3, 2), ((0, 2), (3, 1)), (2, 1), (1, 2), False),
    (2, 3, 1, 2, 5, (11, 9), (2, 3), "full", (3, 2), (2, 3)),
    (2, 1, 1, 3, 2, (8, 8), (3, 3), "half", (4, 2), (2, 4)),
    (2, 2, 1, 5, 6, (6, 5), (1, 1), "valid", (1, 1), (1, 1)),
    (2, 2, 1, 5, 6, (7, 6), (1, 1), (1, 0), (2, 2), (1, 1)),
    (2, 20, 1, 2, 3, (4, 4), (3, 3), "valid", (1, 1), (1, 1)),
    (2, 2, 1, 2, 3, (5, 4), (3, 2), "valid", (1, 1), (1, 1), True, True),
    (2, 2, 2, 2, 1, (6, 5), (2, 3), ((1, 0), 1), (2, 1), (1, 2), False, True),
    (2, 33, 1, 2, 3, (5, 4), (3, 3), "full", (1, 1), (1, 1)),
    (2, 64, 2, 1, 2, (5, 6), (3, 2), "half", (2, 1), (1, 2), False),
    (3, 2, 1, 2, 3, (4, 5, 6), (2, 3, 2), "half", (1, 1, 1), (1, 1, 1)),
    (3, 1, 2, 1, 2, (5, 6, 7), (3, 2, 2), (1, (0, 2), 0), (2, 1, 3), (1, 2, 1), False),
    (3, 2, 1, 1, 2, (3, 4, 3), (2, 2, 2), "full", (1, 2, 1), (1, 1, 2), True, True),
    (1, 2, 1, 3, 2, (9,), (3,), ((4, 0),), (1,), (2,)),
    (1, 2, 2, 1, 2, (10,), (4,), "half", (3,), (1,), False),
]  # fmt: skip


def expected_gradients(x, w, g, options):
    """Gradients from linearity: the convolution of each unit array."""
    gx, gw = np.zeros_like(x), np.zeros_like(w)
    arguments = (
        options["border_mode"], options["subsample"], options["filter_dilation"],
        options["num_groups"], options["filter_flip"], options["unshared"],
    )  # fmt: skip
    for index in np.ndindex(*w.shape):
        unit = np.zeros_like(w)
        unit[index] = 1
        gw[index] = (naive(x, unit, *arguments) * g).sum()
    for index in np.ndindex(*x.shape[1:]):
        unit = np.zeros_like(x[:1])
        unit[(0, *index)] = 1
        y = naive(unit, w, *arguments)
        gx[(slice(None), *index)] = (y * g).reshape(len(x), -1).sum(1)
    return gx, gw


def compiled(rank, options, dtype, mode=None):
    """A function of images, filters and a gradient: the convolution and both gradients."""
    kernel_rank = 2 + rank * (2 if options["unshared"] else 1)
    x, g = (T.TensorType(dtype, (False,) * (2 + rank))(name) for name in "xg")
    w = T.TensorType(dtype, (False,) * kernel_rank)("w")
    y = ops.FORWARD[rank](**options)(x, w)
    gx, gw = theano.grad(None, [x, w], known_grads={y: g})
    return theano.function([x, w, g], [y, gx, gw], mode=mode)


def values(rank, row, dtype):
    options, x, w = case(*row)
    arguments = (
        options["border_mode"], options["subsample"], options["filter_dilation"],
        options["num_groups"], options["filter_flip"], options["unshared"],
    )  # fmt: skip
    x, w = x.astype(dtype), w.astype(dtype)
    y = naive(x.astype("float64"), w.astype("float64"), *arguments)
    return options, x, w, y


@pytest.mark.parametrize("row", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_definition_and_gradients(row, dtype):
    rank = row[0]
    options, x, w, y = values(rank, row, dtype)
    g = RNG.normal(size=y.shape).astype(dtype)
    found = compiled(rank, options, dtype)(x, w, g)
    reference = compiled(rank, options, dtype, PY)(x, w, g)
    wanted = [y]
    if dtype == "float64" and x.size + w.size < 400:
        wanted += expected_gradients(x, w, g, options)
    for one, two in zip(found, wanted, strict=False):
        np.testing.assert_allclose(one, two, rtol=NEAR[dtype], atol=NEAR[dtype] * 20)
    for one, two in zip(found, reference, strict=True):
        assert one.dtype == dtype
        np.testing.assert_allclose(one, two, rtol=NEAR[dtype], atol=NEAR[dtype] * 20)


def test_everything_is_native():
    for row in (CASES[5], CASES[12], CASES[16]):
        options, *_ = case(*row)
        program = theano.explain(compiled(row[0], options, "float32"), code=False)["program"]
        assert "python" not in program
        assert "call conv " in program or "call local " in program


@pytest.mark.parametrize("dtype", ["float16", "int32", "int8", "uint8"])
def test_other_dtypes(dtype):
    x = RNG.integers(0, 4, (2, 3, 6, 7)).astype(dtype)
    w = RNG.integers(0, 4, (4, 3, 2, 3)).astype(dtype)
    a, b = T.tensor4(dtype=dtype), T.tensor4(dtype=dtype)
    f = theano.function([a, b], T.nnet.conv2d(a, b, border_mode=1, subsample=(2, 1)))
    wanted = naive(x.astype("int64"), w.astype("int64"), 1, (2, 1), (1, 1), 1, True, False)
    found = f(x, w)
    assert found.dtype == dtype
    assert np.array_equal(found, wanted.astype(dtype))


def test_dtypes_mix():
    x, w = T.ftensor4(), T.dtensor4()
    assert T.nnet.conv2d(x, w).dtype == "float64"
    assert T.nnet.conv2d(T.tensor4(dtype="int8"), x).dtype == "float32"
    with pytest.raises(TypeError, match="complex"):
        T.nnet.conv2d(T.tensor4(dtype="complex64"), x)


@pytest.mark.parametrize("row", [CASES[i] for i in (1, 4, 5, 7, 12, 15, 18)])
def test_verify_grad(row):
    options, x, w = case(*row)
    op = ops.FORWARD[row[0]](**options)
    verify_grad(op, [x, w], rng=np.random.RandomState(3), n_tests=1)


@pytest.mark.parametrize("row", [CASES[i] for i in (0, 4, 12)])
def test_gradients_of_gradients(row):
    options, x, w = case(*row)
    rank = row[0]
    kernel, image = w.shape[-rank:], x.shape[2:]
    top = ops.FORWARD[rank](**options)(x, w).eval()
    rng = np.random.RandomState(5)
    to_kernels = ops.TO_KERNELS[rank](**options)
    verify_grad(lambda a, g: to_kernels(a, g, kernel), [x, top], rng=rng, n_tests=1)
    to_images = ops.TO_IMAGES[rank](**options)
    verify_grad(lambda b, g: to_images(b, g, image), [w, top], rng=rng, n_tests=1)


def test_second_order_by_differences():
    x, w = T.dtensor4(), T.dtensor4()
    y = T.nnet.conv2d(x, w, border_mode="half", subsample=(2, 1))
    g = theano.grad(T.tanh(y).sum(), w)
    h = theano.grad((g**2).sum(), w)
    f, df = theano.function([x, w], (g**2).sum()), theano.function([x, w], h)
    a, b = RNG.normal(size=(1, 2, 4, 5)), RNG.normal(size=(2, 2, 3, 2))
    direction = RNG.normal(size=b.shape)
    step = 1e-5
    slope = (f(a, b + step * direction) - f(a, b - step * direction)) / (2 * step)
    np.testing.assert_allclose((df(a, b) * direction).sum(), slope, rtol=1e-6)


def test_directional_derivatives():
    x, w, dx, dw = (T.dtensor4() for _ in range(4))
    y = T.nnet.conv2d(x, w)
    f = theano.function([x, w, dx, dw], theano.gradient.Rop(y, [x, w], [dx, dw]))
    a, b, c, d = (RNG.normal(size=s) for s in [(2, 3, 6, 5), (2, 3, 2, 2)] * 2)
    conv = theano.function([x, w], y)
    np.testing.assert_allclose(f(a, b, c, d), conv(c, b) + conv(a, d), rtol=1e-10)


@pytest.mark.parametrize("row", [CASES[i] for i in (0, 2, 5, 12, 16)])
def test_strided_arrays(row):
    """Any memory layout gives the same."""
    rank = row[0]
    options, x, w = case(*row)
    f = compiled(rank, options, "float64")
    g = RNG.normal(size=ops.FORWARD[rank](**options)(x, w).eval().shape)
    plain = f(x, w, g)

    def loose(a):
        room = np.zeros([2 * n + 1 for n in a.shape])
        view = room[tuple(slice(1, None, 2) for _ in a.shape)]
        view[...] = a
        return view

    def turned(a):
        return np.ascontiguousarray(a.transpose()).transpose()

    def backwards(a):
        return np.array(a[..., ::-1])[..., ::-1]

    for layout in (loose, turned, backwards):
        for one, two in zip(f(layout(x), layout(w), layout(g)), plain, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shapes",
    [
        ((5, 12, 20, 18), (20, 12, 3, 3)),
        ((1, 40, 30, 30), (33, 40, 3, 3)),
        ((70, 8, 9, 9), (12, 8, 5, 5)),
    ],
)
def test_threads_give_the_same_bits(dtype, shapes):
    options, *_ = case(*CASES[0])
    options["border_mode"] = "half"
    f = compiled(2, options, dtype)
    x, w = (RNG.normal(size=s).astype(dtype) for s in shapes)
    g = RNG.normal(size=(len(x), len(w), *x.shape[2:])).astype(dtype)
    pool = threads.pool()
    before = pool.threads
    try:
        results = []
        for count in (1, 2):
            pool.set_threads(count)
            results.append(f(x, w, g))
    finally:
        pool.set_threads(before)
    for one, two in zip(*results, strict=True):
        assert np.array_equal(one, two)


def test_large_against_reference():
    """Several strips, blocks of filters and rounds of channels."""
    x = RNG.normal(size=(3, 70, 25, 40)).astype("float32")
    w = RNG.normal(size=(21, 70, 3, 3)).astype("float32")
    g = RNG.normal(size=(3, 21, 13, 40)).astype("float32")
    options, *_ = case(*CASES[0])
    options.update(border_mode="half", subsample=(2, 1))
    found = compiled(2, options, "float32")(x, w, g)
    wanted = compiled(2, options, "float64", PY)(*(a.astype("float64") for a in (x, w, g)))
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-4 * np.abs(two).max())


# shapes -------------------------------------------------------------------------------------------


def test_static_shapes():
    x = T.tensor("float32", shape=(None, 3, 28, None))
    w = T.tensor("float32", shape=(8, 3, 5, 5))
    y = T.nnet.conv2d(x, w, subsample=(2, 1))
    assert y.type.shape == (None, 8, 12, None)
    gx, gw = theano.grad(y.sum(), [x, w])
    assert gw.type.shape == (8, 3, 5, 5)
    assert gx.type.shape[1:3] == (3, 28)


def test_hints():
    x, w = T.ftensor4(), T.ftensor4()
    y = T.nnet.conv2d(x, w, input_shape=(10, 3, 28, 28), filter_shape=(8, 3, 5, 5))
    assert y.type.shape == (None, 8, 24, 24)
    one = T.nnet.conv2d(x, w, (1, 1, 9, 9), (1, 1, 3, 3))
    assert one.broadcastable == (True, True, False, False)
    f = theano.function([x, w], y)
    images = np.zeros((4, 3, 28, 28), "float32")  # another batch is no error
    assert f(images, np.zeros((8, 3, 5, 5), "float32")).shape == (4, 8, 24, 24)
    with pytest.raises(ValueError, match="imshp"):
        f(images[:, :, 1:], np.zeros((8, 3, 5, 5), "float32"))
    with pytest.raises(ValueError, match="kshp"):
        f(images, np.zeros((8, 3, 5, 4), "float32"))


def test_assert_shape_flag(monkeypatch):
    monkeypatch.setattr(theano.config.conv, "assert_shape", True)
    x, w = T.ftensor4(), T.ftensor4()
    f = theano.function([x, w], T.nnet.conv2d(x, w, input_shape=(10, 1, None, None)))
    with pytest.raises(ValueError, match="imshp"):
        f(np.zeros((4, 1, 5, 5), "float32"), np.zeros((1, 1, 2, 2), "float32"))
    with pytest.raises(AssertionError, match="Unexpected"):
        ac.assert_shape(x, (None, 2, None, None)).eval({x: np.zeros((1, 1, 1, 1), "float32")})


def test_shapes_alone_compute_no_convolution():
    x, w = T.dtensor4(), T.dtensor4()
    f = theano.function([x, w], T.nnet.conv2d(x, w, border_mode="half", subsample=(2, 2)).shape)
    assert "call" not in theano.explain(f, code=False)["program"]
    assert f(np.zeros((2, 3, 9, 8)), np.zeros((5, 3, 3, 4))).tolist() == [2, 5, 5, 5]


# bad and pathological shapes ----------------------------------------------------------------------


def test_channels_that_do_not_fit():
    x, w = T.tensor("float32", shape=(None, 3, 8, 8)), T.tensor("float32", shape=(4, 2, 3, 3))
    with pytest.raises(ShapeError, match=r"3 channels.*2.*\(None, 3, 8, 8\).*\(4, 2, 3, 3\)"):
        T.nnet.conv2d(x, w)
    with pytest.raises(ShapeError, match="num_groups = 2"):
        T.nnet.conv2d(x, w, num_groups=2)
    a, b = T.ftensor4(), T.ftensor4()
    f = theano.function([a, b], T.nnet.conv2d(a, b))
    with pytest.raises(ValueError, match=r"3 channels.*\(1, 3, 8, 8\).*\(4, 2, 3, 3\)"):
        f(np.zeros((1, 3, 8, 8), "float32"), np.zeros((4, 2, 3, 3), "float32"))
    f = theano.function([a, b], T.nnet.conv2d(a, b, num_groups=2))
    with pytest.raises(ValueError, match="3 filters"):
        f(np.zeros((1, 4, 8, 8), "float32"), np.zeros((3, 2, 3, 3), "float32"))


def test_kernel_larger_than_image():
    x, w = T.dtensor4(), T.dtensor4()
    f = theano.function([x, w], T.nnet.conv2d(x, w))
    assert f(np.ones((1, 1, 3, 3)), np.ones((1, 1, 4, 2))).shape == (1, 1, 0, 2)
    with pytest.raises(ValueError, match="larger than the image"):
        f(np.ones((1, 1, 3, 3)), np.ones((1, 1, 5, 2)))
    with pytest.raises(ShapeError, match="larger than the image"):
        T.nnet.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 5, 5)))


@pytest.mark.parametrize("shapes", [
    ((0, 2, 5, 5), (3, 2, 3, 3)), ((2, 0, 5, 5), (3, 0, 3, 3)), ((2, 2, 5, 5), (0, 2, 3, 3)),
    ((2, 2, 2, 5), (3, 2, 3, 3)), ((2, 2, 5, 5), (3, 2, 0, 3)),
])  # fmt: skip
def test_nothing_to_add_up(shapes):
    x, w = T.dtensor4(), T.dtensor4()
    y = T.nnet.conv2d(x, w)
    f = theano.function([x, w], [y, *theano.grad(y.sum(), [x, w])])
    a, b = (np.ones(s) for s in shapes)
    y, gx, gw = f(a, b)
    for found, wanted in zip((y, gx, gw), theano.function(
            [x, w], [T.nnet.conv2d(x, w)], mode=PY)(a, b), strict=False):  # fmt: skip
        assert np.array_equal(found, wanted)
    assert gx.shape == a.shape
    assert gw.shape == b.shape
    assert not gx.any()
    assert not gw.any()


@pytest.mark.parametrize(
    ("zeros", "dilation", "stride"),
    [
        (500, (900, 700), (50, 60)), (500, (900, 700), (7, 6)), (2**29, (2**30, 2**30), (1, 1)),
        (2**29, (2**30, 2**30), (2**20, 2**21)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("batch", [1, 40])
def test_huge_dilation_and_stride(zeros, dilation, stride, batch):
    """Neither memory nor time for the zeros in between."""
    x, w = T.dtensor4(), T.dtensor4()
    options = {"border_mode": zeros, "filter_dilation": dilation, "subsample": stride}
    y = T.nnet.conv2d(x, w, **options)
    a, b = RNG.normal(size=(batch, 2, 5, 6)), RNG.normal(size=(2, 2, 2, 2))
    if zeros > 1000 and stride == (1, 1):
        a = a[:, :, :2, :2]
    outputs = [y, *theano.grad((y**2).sum(), [x, w])]
    f, g = (theano.function([x, w], outputs, mode=mode) for mode in (None, PY))
    for one, two in zip(f(a, b), g(a, b), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)


@pytest.mark.parametrize("options", [
    {"border_mode": "same"}, {"border_mode": -1}, {"border_mode": (1, 1, 1)},
    {"border_mode": ((1, 2, 3), 1)}, {"border_mode": 2**40}, {"subsample": (1,)},
    {"subsample": (0, 1)}, {"filter_dilation": (1, 0)}, {"num_groups": 0},
    {"input_shape": (1, 2, 3)},
    {"imshp_logical": (3, 3)},
])  # fmt: skip
def test_bad_options(options):
    with pytest.raises(ValueError):  # noqa: PT011 - the value is all they share
        T.nnet.conv2d(T.tensor4(), T.tensor4(), **options)


def test_bad_operands():
    with pytest.raises(TypeError, match="4 axes"):
        T.nnet.conv2d(T.tensor3(), T.tensor4())
    with pytest.raises(TypeError, match="6 axes"):
        T.nnet.conv2d(T.tensor4(), T.tensor4(), unshared=True)
    with pytest.warns(UserWarning, match="verbose"):
        T.nnet.conv2d(T.tensor4(), T.tensor4(), verbose=1)


def test_wrong_output_gradient():
    g, w = T.dtensor4(), T.dtensor4()
    f = theano.function([g, w], ac.conv2d_grad_wrt_inputs(g, w, (None, None, 9, 9)))
    with pytest.raises(ValueError, match="output gradient"):
        f(np.zeros((1, 2, 6, 7)), np.zeros((2, 3, 3, 3)))


def test_wrong_positions_of_unshared_filters():
    x, w = T.dtensor4(), T.TensorType("float64", (False,) * 6)()
    f = theano.function([x, w], T.nnet.conv2d(x, w, unshared=True))
    with pytest.raises(ValueError, match="positions"):
        f(np.zeros((1, 1, 5, 5)), np.zeros((2, 3, 2, 1, 3, 3)))
