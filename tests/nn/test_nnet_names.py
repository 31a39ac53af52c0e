"""Every name of ``theano.tensor.nnet`` and ``theano.tensor.signal``, and what the small ones do."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest
import scipy.special

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor import nnet
from theano.tensor.random import MRG_RandomStreams, RandomStream

RNG = np.random.default_rng(2)

NAMES = {
    "theano.tensor.nnet": """
        sigmoid sigmoid_inplace ultra_fast_sigmoid ultra_fast_sigmoid_inplace hard_sigmoid softplus
        softsign relu elu selu softmax logsoftmax Softmax SoftmaxGrad SoftmaxWithBias LogSoftmax
        softmax_op softmax_graph softmax_with_bias softmax_grad logsoftmax_op h_softmax
        binary_crossentropy sigmoid_binary_crossentropy categorical_crossentropy
        crossentropy_softmax_1hot crossentropy_softmax_1hot_with_bias
        crossentropy_softmax_max_and_argmax_1hot
        crossentropy_softmax_max_and_argmax_1hot_with_bias crossentropy_categorical_1hot
        crossentropy_categorical_1hot_grad crossentropy_softmax_argmax_1hot_with_bias
        crossentropy_softmax_1hot_with_bias_dx CrossentropySoftmaxArgmax1HotWithBias
        CrossentropySoftmax1HotWithBiasDx CrossentropyCategorical1Hot
        CrossentropyCategorical1HotGrad prepend_scalar_to_each_row prepend_0_to_each_row
        prepend_1_to_each_row Prepend_scalar_constant_to_each_row Prepend_scalar_to_each_row
        confusion_matrix batch_normalization batch_normalization_train batch_normalization_test
        gelu silu swish leaky_relu layer_norm dropout one_hot log_softmax
        nnet sigm bn opt conv ctc neighbours blocksparse conv3d2d abstract_conv corr
        conv2d conv2d_transpose conv3d separable_conv2d
    """,
    "theano.tensor.nnet.nnet": "softmax relu categorical_crossentropy softsign h_softmax sigmoid",
    "theano.tensor.nnet.sigm": """
        sigmoid sigmoid_inplace ultra_fast_sigmoid hard_sigmoid softplus
    """,
    "theano.tensor.nnet.opt": "",
    "theano.tensor.nnet.bn": """
        batch_normalization batch_normalization_train batch_normalization_test
        AbstractBatchNormTrain AbstractBatchNormInference AbstractBatchNormTrainGrad
    """,
    "theano.tensor.nnet.ctc": "ctc ConnectionistTemporalClassification ctc_available",
    "theano.tensor.nnet.neighbours": "images2neibs neibs2images Images2Neibs",
    "theano.tensor.nnet.blocksparse": """
        sparse_block_dot SparseBlockGemv SparseBlockOuter sparse_block_gemv sparse_block_outer
        sparse_block_gemv_inplace sparse_block_outer_inplace
    """,
    "theano.tensor.nnet.conv3d2d": """
        conv3d diagonal_subtensor get_diagonal_subtensor_view DiagonalSubtensor IncDiagonalSubtensor
    """,
    "theano.tensor.signal.pool": """
        pool_2d pool_3d max_pool_2d_same_size Pool MaxPoolGrad AveragePoolGrad MaxPoolRop
        DownsampleFactorMaxGradGrad Pool.out_shape
    """,
    "theano.tensor.signal.downsample": "max_pool_2d DownsampleFactorMax max_pool_2d_same_size",
}


@pytest.mark.parametrize("module", NAMES)
def test_names(module):
    found = importlib.import_module(module)
    for path in NAMES[module].split():
        value = found
        for name in path.split("."):
            value = getattr(value, name)


def values(build, *arrays, mode=None):
    inputs = [T.TensorType(a.dtype, (False,) * a.ndim)() for a in arrays]
    out = build(*inputs)
    outs = out if isinstance(out, (list, tuple)) else [out]
    found = theano.function(inputs, outs, mode=mode)(*arrays)
    for value, variable in zip(found, outs, strict=True):
        assert value.dtype == variable.dtype
    return found if isinstance(out, (list, tuple)) else found[0]


# activations ------------------------------------------------------------------------------------

X = np.array([[-50.0, -3, -1.5, -0.5, 0], [0.5, 1, 2, 5, 60]])
ACTIVATIONS = {
    "sigmoid": scipy.special.expit,
    "sigmoid_inplace": scipy.special.expit,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "softplus": lambda x: np.logaddexp(0, x),
    "softsign": lambda x: x / (1 + abs(x)),
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "silu": lambda x: x * scipy.special.expit(x),
    "swish": lambda x: x * scipy.special.expit(x),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    build = getattr(nnet, name)
    np.testing.assert_allclose(values(build, X), ACTIVATIONS[name](X), rtol=1e-9, atol=1e-30)
    if name not in ("relu", "hard_sigmoid", "leaky_relu"):
        verify_grad(build, [X[:, 1:4] + 0.1], rng=np.random.RandomState(1))


@pytest.mark.parametrize("name", ["gelu", "silu", "leaky_relu", "hard_sigmoid"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_activations_keep_the_dtype(name, dtype):
    assert values(getattr(nnet, name), X.astype(dtype)).dtype == dtype


def test_parameters_of_activations():
    x, alpha = X[:, 1:], np.array([0.0, 0.1, 0.5, 1.0])
    for slope in (alpha, 0.3, 1):
        got = values(lambda v, slope=slope: nnet.relu(v, slope), x)
        np.testing.assert_allclose(got, np.where(x > 0, x, slope * x), rtol=1e-12)
    got = values(nnet.relu, x, alpha)
    np.testing.assert_allclose(got, np.where(x > 0, x, alpha * x), rtol=1e-12)
    got = values(lambda v: nnet.elu(v, 2), x)
    np.testing.assert_allclose(got, np.where(x > 0, x, 2 * np.expm1(x)))
    got = values(lambda v: nnet.silu(v, 3), x)
    np.testing.assert_allclose(got, x * scipy.special.expit(3 * x))
    close = values(lambda v: nnet.gelu(v, approximate=True), x)
    np.testing.assert_allclose(close, x * scipy.special.ndtr(x), atol=1e-3)
    got = values(lambda v: nnet.leaky_relu(v, 0.3), x)
    np.testing.assert_allclose(got, np.where(x > 0, x, 0.3 * x))


def test_ultra_fast_sigmoid_is_near():
    got = values(nnet.ultra_fast_sigmoid, X)
    np.testing.assert_allclose(got, scipy.special.expit(X), atol=0.1)


# softmax ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2, -1, (0, 2), (0, 1, 2)])
def test_softmax_over_axes(axis):
    x = RNG.normal(size=(2, 3, 4)) * 5
    got, log = values(lambda v: [nnet.softmax(v, axis=axis), nnet.log_softmax(v, axis)], x)
    np.testing.assert_allclose(got, scipy.special.softmax(x, axis))
    np.testing.assert_allclose(log, scipy.special.log_softmax(x, axis), atol=1e-12)
    for build in (nnet.softmax, nnet.log_softmax):
        verify_grad(lambda v, build=build: build(v, axis), [x / 5], rng=np.random.RandomState(1))


def test_softmax_by_default_is_of_rows():
    x = T.matrix()
    assert nnet.softmax(x).owner.op == nnet.softmax_op
    assert nnet.softmax(x, axis=1).owner.op == nnet.softmax_op
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert nnet.softmax(T.vector()).ndim == 2
    assert nnet.softmax(T.vector(), axis=0).ndim == 1
    with pytest.raises(ValueError, match=r"2-d"):
        nnet.softmax(T.tensor3())
    with pytest.raises(ValueError, match=r"axis|dimension"):
        nnet.softmax(T.matrix(), axis=2)


def test_softmax_of_large_numbers():
    x = np.array([[1e4, -1e4, 0.0]])
    for axis in (1, None):
        assert values(lambda v, a=axis: nnet.softmax(v, axis=a), x).tolist() == [[1, 0, 0]]
    cube = np.array([[[1e4, -1e4, 0.0]]])
    assert np.isfinite(values(lambda v: nnet.log_softmax(v), cube)).all()
    second = values(
        lambda v: T.grad((T.grad(nnet.log_softmax(v).sum(), v) ** 2).sum(), v), cube / 1e4
    )
    assert np.isfinite(second).all()


def test_softmax_family():
    x, b, y = RNG.normal(size=(4, 5)), RNG.normal(size=5), np.array([0, 4, 2, 2])
    p = scipy.special.softmax(x + b, 1)
    with_bias = values(nnet.softmax_with_bias, x, b)
    np.testing.assert_allclose(with_bias, p)
    np.testing.assert_allclose(values(nnet.softmax_graph, x), scipy.special.softmax(x, 1))
    losses, probabilities, top, where = values(
        nnet.crossentropy_softmax_max_and_argmax_1hot_with_bias, x, b, y
    )
    np.testing.assert_allclose(losses, -np.log(p[np.arange(4), y]))
    np.testing.assert_allclose(probabilities, p)
    np.testing.assert_allclose(top, p.max(1))
    assert where.tolist() == p.argmax(1).tolist()
    with pytest.raises(ValueError, match=r"out of bounds|label"):
        values(nnet.crossentropy_softmax_1hot, x, y + 1)


# layers -----------------------------------------------------------------------------------------


def test_two_level_softmax():
    batch, features, classes, per_class, outputs = 6, 4, 3, 4, 10
    shapes = (batch, features), (features, classes), (classes, features, per_class)
    x, W1, W2 = (RNG.normal(size=shape) for shape in shapes)
    b1, b2 = RNG.normal(size=classes), RNG.normal(size=(classes, per_class))
    target = RNG.integers(0, outputs, batch)
    sizes = (batch, outputs, classes, per_class)
    first = scipy.special.softmax(x @ W1 + b1, 1)
    inner = scipy.special.softmax(np.einsum("bf,cfo->bco", x, W2) + b2, 2)
    want = (first[:, :, None] * inner).reshape(batch, -1)
    whole = values(lambda *v: nnet.h_softmax(v[0], *sizes, *v[1:]), x, W1, b1, W2, b2)
    np.testing.assert_allclose(whole, want[:, :outputs])
    picked = values(lambda *v: nnet.h_softmax(v[0], *sizes, *v[1:]), x, W1, b1, W2, b2, target)
    np.testing.assert_allclose(picked, want[np.arange(batch), target])

    def loss(x, W1, b1, W2, b2):
        return -T.log(nnet.h_softmax(x, *sizes, W1, b1, W2, b2, target)).mean()

    verify_grad(loss, [x, W1, b1, W2, b2], rng=np.random.RandomState(1))


def test_columns_of_constants():
    x = RNG.normal(size=(3, 2))
    for build, first in ((nnet.prepend_0_to_each_row, 0), (nnet.prepend_1_to_each_row, 1),
                         (nnet.Prepend_scalar_constant_to_each_row(4), 4)):  # fmt: skip
        got = values(build, x)
        np.testing.assert_array_equal(got, np.c_[np.full(3, first), x])
    got = values(nnet.prepend_scalar_to_each_row, np.array(2.5), x)
    np.testing.assert_array_equal(got, np.c_[np.full(3, 2.5), x])
    with pytest.raises(TypeError, match="matrix"):
        nnet.prepend_1_to_each_row(T.vector())


def test_confusion_matrix():
    actual, predicted = np.array([2, 0, 2, 2, 5]), np.array([0, 0, 2, 1, 5])
    matrix, labels = values(lambda a, p: nnet.confusion_matrix(a, p), actual, predicted)
    assert labels.tolist() == [0, 1, 2, 5]
    assert matrix.tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
    with pytest.raises(ValueError, match="1-d"):
        nnet.confusion_matrix(T.lmatrix(), T.lvector())


def test_layer_norm():
    x, gamma, beta = RNG.normal(3, 2, (4, 5)), RNG.normal(size=5), RNG.normal(size=5)
    want = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(values(nnet.layer_norm, x), want)
    np.testing.assert_allclose(values(nnet.layer_norm, x, gamma, beta), want * gamma + beta)
    both = values(lambda v: nnet.layer_norm(v, axes=(0, 1)), x)
    np.testing.assert_allclose(both, (x - x.mean()) / np.sqrt(x.var() + 1e-5))
    verify_grad(nnet.layer_norm, [x, gamma, beta], rng=np.random.RandomState(1))
    assert values(nnet.layer_norm, x.astype("float32")).dtype == "float32"


@pytest.mark.parametrize("streams", [RandomStream, MRG_RandomStreams])
def test_dropout(streams):
    x = T.fmatrix()
    y = nnet.dropout(x, 0.25, streams(1))
    f = theano.function([x], [y, T.grad(y.sum(), x)])
    value, gradient = f(np.full((200, 100), 3, "float32"))
    assert value.dtype == "float32"
    np.testing.assert_allclose(np.unique(value), [0, 4])
    assert abs((value == 0).mean() - 0.25) < 0.02
    np.testing.assert_allclose(gradient, value / 3)  # the same mask
    again, _ = f(np.full((200, 100), 3, "float32"))
    assert (again != value).any()


def test_dropout_of_channels():
    x = T.tensor4()
    y = nnet.dropout(x, 0.5, RandomStream(3), size=(x.shape[0], x.shape[1], 1, 1))
    got = theano.function([x], y)(np.ones((4, 8, 3, 3)))
    assert (got.min((2, 3)) == got.max((2, 3))).all()
    assert set(np.unique(got)) == {0, 2}
    for rate in (1, -0.1, 1.5):
        with pytest.raises(ValueError, match="rate"):
            nnet.dropout(x, rate)
    np.testing.assert_array_equal(
        theano.function([x], nnet.dropout(x, 0))(np.ones((1, 2, 3, 4))), np.ones((1, 2, 3, 4))
    )


def test_one_hot():
    x = np.array([[0, 2], [1, -1]])
    got = values(lambda v: nnet.one_hot(v, 3), x)
    want = np.array([[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]])
    np.testing.assert_array_equal(got, want)
    assert got.dtype == theano.config.floatX
    first = values(lambda v: nnet.one_hot(v, 3, "int8", axis=0), x)
    np.testing.assert_array_equal(first, np.moveaxis(want, -1, 0))
    assert first.dtype == "int8"
    with pytest.raises(TypeError, match="ints"):
        nnet.one_hot(T.vector(), 3)
