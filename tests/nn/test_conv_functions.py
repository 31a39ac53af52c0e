"""Functions made of convolutions, older names, and the formulas of extents."""

import itertools

import numpy as np
import pytest
import scipy.signal

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.nnet import abstract_conv as ac
from theano.tensor.nnet import conv as old
from theano.tensor.nnet import corr, corr3d
from theano.tensor.signal import conv as signal

RNG = np.random.default_rng(11)


def test_convolution_is_scipys():
    x, w = RNG.normal(size=(9, 8)), RNG.normal(size=(3, 4))
    for mode in ("valid", "full"):
        found = T.nnet.conv2d(x[None, None], w[None, None], border_mode=mode).eval()
        np.testing.assert_allclose(found[0, 0], scipy.signal.convolve2d(x, w, mode), rtol=1e-10)
    found = T.nnet.conv2d(x[None, None], w[None, None], filter_flip=False).eval()[0, 0]
    np.testing.assert_allclose(found, scipy.signal.correlate2d(x, w, "valid"), rtol=1e-10)


@pytest.mark.parametrize(("stride", "border"), [((1, 1), "valid"), ((2, 3), (1, 2))])
def test_transposed_convolution_is_the_transposed_map(stride, border):
    image, kernel = (2, 3, 9, 10), (4, 3, 3, 3)
    x, w = RNG.normal(size=image), RNG.normal(size=kernel)
    y = T.nnet.conv2d(x, w, border_mode=border, subsample=stride).eval()
    z = RNG.normal(size=y.shape)
    back = T.nnet.conv2d_transpose(z, w, image, kernel, border, stride).eval()
    assert back.shape == image
    np.testing.assert_allclose((back * x).sum(), (y * z).sum(), rtol=1e-10)


def test_transposed_convolution_of_unknown_extents():
    x, w = T.dtensor4(), T.dtensor4()
    shape = (None, None, x.shape[2] * 2 + 1, x.shape[3] * 2 + 1)
    f = theano.function([x, w], T.nnet.conv2d_transpose(x, w, shape, input_dilation=(2, 2)))
    assert f(np.ones((1, 2, 4, 5)), np.ones((2, 3, 3, 3))).shape == (1, 3, 9, 11)


def test_gradients_as_functions():
    x, w = T.dtensor4(), T.dtensor4()
    y = ac.conv2d(x, w, border_mode="half", subsample=(2, 2))
    gx, gw = theano.grad(y.sum(), [x, w])
    ones = T.ones_like(y)
    other = [
        ac.conv2d_grad_wrt_inputs(ones, w, (None, None, x.shape[2], x.shape[3]),
                                  border_mode="half", subsample=(2, 2)),
        ac.conv2d_grad_wrt_weights(x, ones, (None, None, 3, 2), border_mode="half",
                                   subsample=(2, 2)),
    ]  # fmt: skip
    f = theano.function([x, w], [gx, gw, *other])
    gx, gw, one, two = f(RNG.normal(size=(2, 3, 7, 6)), RNG.normal(size=(4, 3, 3, 2)))
    assert np.array_equal(gx, one)
    assert np.array_equal(gw, two)
    with pytest.raises(ValueError, match="must not be None"):
        ac.conv2d_grad_wrt_inputs(ones, w, (None, None, None, 5))


def test_conv3d_sums_conv2d_over_depth():
    x, w = RNG.normal(size=(2, 3, 4, 6, 5)), RNG.normal(size=(2, 3, 4, 3, 2))
    volume = T.nnet.conv3d(x, w).eval()
    flat = sum(
        T.nnet.conv2d(x[:, :, d], w[:, :, 3 - d]).eval() for d in range(4)
    )  # fmt: skip
    np.testing.assert_allclose(volume[:, :, 0], flat, rtol=1e-10)
    a, b = T.dtensor5(), T.dtensor5()
    y = ac.conv3d(a, b, border_mode=1)
    gx, gw = theano.grad((y**2).sum(), [a, b])
    ones = 2 * y
    f = theano.function([a, b], [
        gx - ac.conv3d_grad_wrt_inputs(ones, b, x.shape, border_mode=1),
        gw - ac.conv3d_grad_wrt_weights(a, ones, w.shape, border_mode=1),
    ])  # fmt: skip
    for difference in f(x, w):
        assert not difference.any()


def test_separable():
    x = RNG.normal(size=(2, 3, 6, 7))
    deep, point = RNG.normal(size=(6, 1, 3, 2)), RNG.normal(size=(4, 6, 1, 1))
    found = ac.separable_conv2d(x, deep, point, 3, border_mode="half").eval()
    between = np.concatenate([
        T.nnet.conv2d(x[:, c : c + 1], deep[2 * c : 2 * c + 2], border_mode="half").eval()
        for c in range(3)
    ], axis=1)  # fmt: skip
    wanted = np.einsum("nchw,oc->nohw", between, point[:, :, 0, 0])
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    volume = ac.separable_conv3d(
        x[:, :, :, :, None], deep[..., None], point[..., None], 3, border_mode=(1, 1, 0),
        input_shape=(None, 3, 6, 7, 1), depthwise_filter_shape=(6, 1, 3, 2, 1),
    )  # fmt: skip
    assert volume.eval().shape == (2, 4, 6, 8, 1)


def test_causal():
    x, w = RNG.normal(size=(2, 3, 12)), RNG.normal(size=(4, 3, 3))
    found = ac.causal_conv1d(x, w, w.shape, filter_dilation=2).eval()
    wanted = np.zeros((2, 4, 12))
    for t, k in itertools.product(range(12), range(3)):
        if t - 2 * k >= 0:
            wanted[:, :, t] += x[:, :, t - 2 * k] @ w[:, :, k].T
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    later = x.copy()
    later[:, :, 7:] = 0
    changed = ac.causal_conv1d(later, w, w.shape, filter_dilation=2).eval()
    np.testing.assert_allclose(changed[:, :, :7], found[:, :, :7], rtol=1e-10)
    verify_grad(lambda a, b: ac.causal_conv1d(a, b, w.shape), [x, w], n_tests=1,
                rng=np.random.RandomState(1))  # fmt: skip
    with pytest.raises(TypeError, match="3 axes"):
        ac.causal_conv1d(T.dtensor4(), T.dtensor3(), w.shape)


def interpolated(x, ratio, step=1):
    """Bilinear interpolation by its definition, along the last two axes."""
    for axis in (2, 3):
        n = x.shape[axis]
        at = (np.arange(0, n * ratio, step) - (ratio - 1) // 2) / ratio
        low = np.floor(at).astype(int)
        part = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        first, second = (x.take(np.clip(low + i, 0, n - 1), axis) for i in (0, 1))
        x = first * (1 - part) + second * part
    return x


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 5])
def test_bilinear_upsampling(ratio):
    x = RNG.normal(size=(2, 3, 4, 5))
    for flag in (True, False):
        found = ac.bilinear_upsampling(x, ratio, use_1D_kernel=flag).eval()
        np.testing.assert_allclose(found, interpolated(x, ratio), atol=1e-12)


def test_bilinear_upsampling_by_fractions():
    x = RNG.normal(size=(1, 2, 5, 4))
    found = ac.bilinear_upsampling(x, frac_ratio=(3, 2)).eval()
    np.testing.assert_allclose(found, interpolated(x, 3, 2), atol=1e-12)
    assert ac.frac_bilinear_upsampling(x, ((2, 1), (3, 2))).eval().shape == (1, 2, 10, 6)
    for bad in (2, (1, 2, 3), ((1, 2), (0, 1))):
        with pytest.raises(ValueError, match="frac_ratio"):
            ac.frac_bilinear_upsampling(x, bad)
    with pytest.raises(ValueError, match="one of"):
        ac.bilinear_upsampling(x)
    with pytest.raises(TypeError, match="rows, columns"):
        ac.bilinear_upsampling(T.matrix(), 2)


def test_bilinear_upsampling_has_gradients_and_keeps_float32():
    x = RNG.normal(size=(1, 2, 3, 2))
    verify_grad(lambda a: ac.bilinear_upsampling(a, 3), [x], n_tests=1,
                rng=np.random.RandomState(1))  # fmt: skip
    assert ac.bilinear_upsampling(T.ftensor4(), 2).dtype == "float32"


def test_bilinear_kernels():
    assert ac.bilinear_kernel_1D(3, normalize=False).eval().tolist() == [1, 2, 3, 2, 1]
    n = T.iscalar()
    f = theano.function([n], ac.bilinear_kernel_2D(n))
    line = np.array([1, 2, 3, 4, 3, 2, 1]) / 4
    np.testing.assert_allclose(f(4), np.outer(line, line))


# older names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("module", "name", "rank"), [(corr, "CorrMM", 2), (corr3d, "Corr3dMM", 3)])
def test_correlations(module, name, rank):
    x = RNG.normal(size=(2, 4, *[6, 7, 5][:rank]))
    w = RNG.normal(size=(4, 2, *[3, 2, 3][:rank]))
    options = {"border_mode": 1, "num_groups": 2}
    forward = getattr(module, name)(**options)
    wanted = (T.nnet.conv2d if rank == 2 else T.nnet.conv3d)(x, w, filter_flip=False, **options)
    y = forward(x, w).eval()
    assert np.array_equal(y, wanted.eval())
    verify_grad(forward, [x, w], n_tests=1, rng=np.random.RandomState(2))
    g = RNG.normal(size=y.shape)
    weights, inputs = (getattr(module, f"{name}_grad{part}") for part in ("Weights", "Inputs"))
    gw = weights(**options)(x, g)
    gx = inputs(**options)(w, g)
    assert gw.type.shape[-rank:] == w.shape[-rank:]
    assert np.array_equal(gw.eval(), weights(**options)(x, g, w.shape[2:]).eval())
    np.testing.assert_allclose((gw.eval() * w).sum(), (y * g).sum(), rtol=1e-9)
    np.testing.assert_allclose((gx.eval() * x).sum(), (y * g).sum(), rtol=1e-9)
    with pytest.raises(ValueError, match="shape must be given"):
        weights(subsample=(2,) * rank)(x, g)


def test_conv_op():
    x, w = RNG.normal(size=(2, 3, 8, 7)), RNG.normal(size=(4, 3, 3, 2))
    op = old.ConvOp((3, 8, 7), (3, 2), nkern=4, bsize=2, dx=2, dy=1, output_mode="full")
    wanted = T.nnet.conv2d(x, w, border_mode="full", subsample=(2, 1)).eval()
    assert np.array_equal(op(x, w).eval(), wanted)
    assert np.array_equal(old.conv2d(x, w).eval(), T.nnet.conv2d(x, w).eval())
    assert old.ConvOp.getOutputShape((8, 7), (3, 2), (2, 1), "full") == (5, 8)
    with pytest.raises(ValueError, match="output_mode"):
        old.ConvOp(output_mode="half")
    with pytest.raises(ValueError, match="border_mode"):
        old.conv2d(x, w, border_mode="half")


def test_signal_conv2d():
    x, w = RNG.normal(size=(3, 6, 5)), RNG.normal(size=(2, 2, 3))
    found = signal.conv2d(x, w, image_shape=x.shape, filter_shape=w.shape).eval()
    for i, j in itertools.product(range(3), range(2)):
        wanted = scipy.signal.convolve2d(x[i], w[j], "valid")
        np.testing.assert_allclose(found[i, j], wanted, rtol=1e-10)
        np.testing.assert_allclose(signal.conv2d(x[i], w[j]).eval(), wanted, rtol=1e-10)
    full = signal.conv2d(x, w[0], border_mode="full", subsample=(2, 1)).eval()
    assert full.shape == (3, 4, 7)
    assert signal.conv2d(x[0], w).eval().shape == (2, 5, 3)
    a, b = T.dmatrix(), T.dmatrix()
    assert theano.function([a, b], signal.conv2d(a, b))(x[0], w[0]).shape == (5, 3)
    with pytest.raises(ValueError, match="2 or 3 axes"):
        signal.conv2d(T.dtensor4(), w)
    with pytest.raises(ValueError, match="border_mode"):
        signal.conv2d(x, w, border_mode="half")


# extents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("border", ["valid", "full", "half", 2, (3, 1)])
def test_extents_there_and_back(border):
    for n, k, d in itertools.product((9, 10), (1, 2, 4), (1, 2)):
        found = ac.get_conv_shape_1axis(n, k, border, 1, d)
        assert ac.get_conv_gradinputs_shape_1axis(k, found, border, 1, d) == n
        again = ac.get_conv_gradweights_shape_1axis(n, found, border, 1, d)
        assert again == (None if border == "half" else k)
    assert ac.get_conv_shape_1axis(None, 3, border, 1) is None
    assert ac.get_conv_gradinputs_shape_1axis(3, 4, border, 2, 1) is None


def test_extents_of_variables():
    n = T.lscalar()
    assert ac.get_conv_shape_1axis(n, 3, "half", 2).eval({n: 9}) == 5
    shape = ac.get_conv_output_shape((n, 3, 8, n), (4, 3, 3, 3), ((1, 0), 1), (1, 2))
    assert shape[1:3] == (4, 7)
    assert shape[3].eval({n: 7}) == 4


def test_extents_of_everything():
    top = ac.get_conv_output_shape((2, 6, 9, 8), (4, 3, 3, 2), "valid", (1, 1), (2, 1))
    assert top == (2, 4, 5, 7)
    options = ("valid", (1, 1), (2, 1), 2)
    assert ac.get_conv_gradweights_shape((2, 6, 9, 8), top, *options) == (4, 3, 3, 2)
    assert ac.get_conv_gradinputs_shape((4, 3, 3, 2), top, *options) == (2, 6, 9, 8)
    unshared = ac.get_conv_gradweights_shape((2, 6, 9, 8), top, *options, unshared=True)
    assert unshared == (4, 5, 7, 3, 3, 2)
    assert ac.check_conv_gradinputs_shape((2, 6, 9, 8), (4, 6, 3, 2), top, *options[:3])
    assert not ac.check_conv_gradinputs_shape((2, 6, 9, 9), (4, 6, 3, 2), top, *options[:3])
    assert not ac.check_conv_gradinputs_shape((2, 6, 9), (4, 6, 3, 2), top, *options[:3])
    assert ac.border_mode_to_pad((1, (0, 2)), 2, (3, 3)) == ((1, 1), (0, 2))


def test_assert_conv_shape():
    n = T.lscalar()
    checked = ac.assert_conv_shape((1, n, 3))
    assert checked[1].eval({n: 0}) == 0
    with pytest.raises(AssertionError, match="the channels"):
        checked[1].eval({n: -1})
    with pytest.raises(AssertionError, match="axis 2"):
        ac.assert_conv_shape((1, 1, 0))
