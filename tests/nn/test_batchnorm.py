"""Batch normalization: values, statistics, running averages, gradients, ranks."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad
from theano.tensor.nnet import bn

RNG = np.random.default_rng(8)
AXES = [("per-activation", 2, (0,)), ("per-activation", 4, (0,)), ("spatial", 4, (0, 2, 3)),
        ("spatial", 5, (0, 2, 3, 4)), ((1, 2), 3, (1, 2)), ((-1,), 3, (2,)),
        (0, 2, (0,))]  # fmt: skip


def tensor(ndim, name=None, pattern=None, dtype="float64"):
    return T.TensorType(dtype, pattern or (False,) * ndim)(name)


def wanted(x, gamma, beta, axes, epsilon=1e-4):
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    invstd = 1 / np.sqrt(var + epsilon)
    return (x - mean) * invstd * gamma + beta, mean, invstd, var


@pytest.mark.parametrize(("axes", "ndim", "where"), AXES, ids=str)
@pytest.mark.parametrize("narrow", [False, True])
def test_train(axes, ndim, where, narrow):
    shape = (4, 3, 5, 2, 3)[:ndim]
    kept = tuple(1 if i in where else n for i, n in enumerate(shape))
    own = tuple(n for i, n in enumerate(shape) if i not in where) if narrow else kept
    x = RNG.normal(3, 2, shape)
    parameters = [RNG.uniform(0.5, 1.5, kept) for _ in range(4)]
    inputs = [tensor(ndim, "x"), *(tensor(len(own), n) for n in "gbmv")]
    outputs = bn.batch_normalization_train(*inputs[:3], axes, 1e-3, 0.3, *inputs[3:])
    assert len(outputs) == 5
    got = theano.function(inputs, outputs)(x, *(p.reshape(own) for p in parameters))
    gamma, beta, old_mean, old_var = parameters
    out, mean, invstd, var = wanted(x, gamma, beta, where, 1e-3)
    m = x.size / mean.size
    new_mean = old_mean * 0.7 + 0.3 * mean
    new_var = old_var * 0.7 + 0.3 * var * m / (m - 1)
    for found, value in zip(got, (out, mean, invstd, new_mean, new_var), strict=True):
        assert found.dtype == "float64"
        np.testing.assert_allclose(found, value.reshape(found.shape), rtol=1e-9, atol=1e-12)
    assert got[1].shape == got[3].shape == own


def test_number_of_outputs():
    x, p = T.matrix(), T.vector()
    train = bn.batch_normalization_train
    assert len(train(x, p, p)) == 3
    assert len(train(x, p, p, running_mean=p)) == 4
    assert len(train(x, p, p, running_var=p)) == 4
    assert len(train(x, p, p, running_mean=p, running_var=p)) == 5


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [((1, 3, 1, 1), (True, False, True, True)), ((1, 3, 1, 1), None), ((3,), None)],
)
def test_averages_update_shared_variables(shape, pattern):
    """Whatever broadcast pattern the user's variable has."""
    mean, var = (theano.shared(np.full(shape, v, "float32"), broadcastable=pattern) for v in (0, 1))
    gamma = theano.shared(np.ones(shape, "float32"), broadcastable=pattern)
    x = T.ftensor4()
    out, *_, new_mean, new_var = bn.batch_normalization_train(
        x, gamma, gamma, "spatial", running_mean=mean, running_var=var
    )
    assert new_mean.type == mean.type
    assert new_var.type == var.type
    f = theano.function([x], out, updates=[(mean, new_mean), (var, new_var)])
    a = RNG.normal(2, 3, (6, 3, 4, 4)).astype("float32")
    for _ in range(60):
        f(a)
    np.testing.assert_allclose(mean.get_value().ravel(), a.mean((0, 2, 3)), rtol=1e-2)
    np.testing.assert_allclose(var.get_value().ravel(), a.var((0, 2, 3), ddof=1), rtol=1e-2)


@pytest.mark.parametrize(("axes", "ndim", "where"), AXES[:5], ids=str)
def test_gradients(axes, ndim, where):
    shape = (4, 2, 3, 2, 2)[:ndim]
    kept = tuple(1 if i in where else n for i, n in enumerate(shape))
    points = [RNG.normal(size=shape), RNG.uniform(0.5, 2, kept), RNG.normal(size=kept)]
    # Each output by itself, and all together; second derivatives, too.
    for pick in (slice(0, 1), slice(1, 2), slice(2, 3), slice(0, 5)):

        def build(x, gamma, beta, pick=pick):
            found = bn.batch_normalization_train(
                x, gamma, beta, axes, 1e-2, running_mean=beta, running_var=gamma
            )
            return sum((v**2).sum() * (i + 1) for i, v in enumerate(found[pick]))

        verify_grad(build, points, rng=np.random.RandomState(1), eps=1e-6)

    def second(x):
        out = bn.batch_normalization_train(x, points[1], points[2], axes, 1e-2)[0]
        return T.grad((out**3).sum(), x)

    verify_grad(second, points[:1], rng=np.random.RandomState(2), eps=1e-6)


def test_direction():
    x, v = T.matrices("xv")
    out = bn.batch_normalization_train(x, T.ones((3,)), T.zeros((3,)))[0]
    f = theano.function([x, v], [T.Rop(out, x, v), out])
    a, d = RNG.normal(size=(2, 5, 3))
    step = 1e-6
    numeric = (f(a + step * d, d)[1] - f(a - step * d, d)[1]) / (2 * step)
    np.testing.assert_allclose(f(a, d)[0], numeric, atol=1e-7)


def test_the_gradient_helper_agrees():
    x, g = T.tensor4s("xg")
    gamma, beta = T.vectors("gb")
    out, mean, invstd = bn.batch_normalization_train(x, gamma, beta, "spatial")
    auto = T.grad(None, [x, gamma, beta], known_grads={out: g})
    by_hand = bn.AbstractBatchNormTrainGrad((0, 2, 3))(x, g, gamma, mean, invstd)
    f = theano.function([x, g, gamma, beta], [*auto, *by_hand])
    values = f(*RNG.normal(size=(2, 4, 3, 5, 5)), *RNG.normal(size=(2, 3)))
    for a, b in zip(values[:3], values[3:], strict=True):
        np.testing.assert_allclose(a, b.reshape(a.shape), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("axes", "ndim", "where"), AXES, ids=str)
def test_by_given_statistics(axes, ndim, where):
    shape = (4, 3, 5, 2, 3)[:ndim]
    kept = tuple(1 if i in where else n for i, n in enumerate(shape))
    x = RNG.normal(size=shape)
    gamma, beta, mean, var = (RNG.uniform(0.5, 1.5, kept) for _ in range(4))
    want = (x - mean) * gamma / np.sqrt(var + 1e-3) + beta
    inputs = [tensor(ndim) for _ in range(5)]
    f = theano.function(inputs, bn.batch_normalization_test(*inputs, axes, 1e-3))
    np.testing.assert_allclose(f(x, gamma, beta, mean, var), want, rtol=1e-10)
    other = bn.AbstractBatchNormInference(where)(*inputs, 1e-3)
    np.testing.assert_allclose(
        theano.function(inputs, other)(x, gamma, beta, mean, var), want, rtol=1e-10
    )


@pytest.mark.parametrize("mode", ["low_mem", "high_mem"])
def test_oldest_interface(mode):
    inputs = [T.matrix(), *T.vectors("gbms")]
    f = theano.function(inputs, bn.batch_normalization(*inputs, mode=mode))
    x, (gamma, beta, mean, std) = RNG.normal(size=(4, 3)), RNG.uniform(0.5, 2, (4, 3))
    np.testing.assert_allclose(f(x, gamma, beta, mean, std), (x - mean) * gamma / std + beta)
    with pytest.raises(ValueError, match="mode"):
        bn.batch_normalization(*inputs, mode="mid_mem")


def test_large_means_cost_no_precision():
    x = T.fmatrix()
    out = bn.batch_normalization_train(x, T.ones((2,), "float32"), T.zeros((2,), "float32"))[0]
    a = (1e4 + RNG.normal(size=(1000, 2))).astype("float32")
    assert abs(theano.function([x], out)(a).std() - 1) < 0.01


def test_one_example_and_none():
    x = T.matrix()
    p = theano.shared(np.ones(3))
    found = bn.batch_normalization_train(x, p, p, running_mean=p, running_var=p)
    f = theano.function([x], found)
    assert all(np.isfinite(v).all() for v in f(np.ones((1, 3))))
    assert f(np.ones((0, 3)))[0].shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_dtypes(dtype):
    x = tensor(2, dtype=dtype)
    p = theano.shared(np.ones(3, dtype))
    out, mean, invstd, m, v = bn.batch_normalization_train(x, p, p, running_mean=p, running_var=p)
    assert {t.dtype for t in (out, mean, invstd, m, v)} == {dtype}
    a = RNG.normal(size=(50, 3)).astype(dtype)
    want = wanted(a.astype("float64"), 1, 1, (0,))[0]
    np.testing.assert_allclose(theano.function([x], out)(a), want, atol=2e-2)


def test_refused():
    x, p = T.matrix(), T.vector()
    train = bn.batch_normalization_train
    with pytest.raises(ValueError, match="epsilon"):
        train(x, p, p, epsilon=1e-6)
    train(x, p, p, epsilon=1e-5)
    with pytest.raises(ValueError, match="axes"):
        train(x, p, p, axes="everywhere")
    with pytest.raises(ValueError, match="axes"):
        train(x, p, p, axes=(0.5,))
    with pytest.raises(ValueError, match="dimensionality"):
        train(x, T.tensor3(), T.tensor3())
    with pytest.raises(ValueError, match="rank"):
        train(x, p, x)
    with pytest.raises(ValueError, match=r"out of range|axis|dimension"):
        train(x, p, p, axes=(3,))


def test_gradient_by_epsilon():
    a = RNG.normal(size=(5, 3))

    def build(epsilon):
        found = bn.batch_normalization_train(a, np.full(3, 1.5), np.ones(3), (0,), epsilon)
        return (found[0] ** 3).sum() + found[2].sum()

    verify_grad(build, [np.array(0.3)], rng=np.random.RandomState(1))
