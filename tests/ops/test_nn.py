"""Activations, softmax, cross-entropies: values, gradients, labels out of range."""

from __future__ import annotations

import cases
import numpy as np
import pytest
import scipy.special

import theano.ops.nn as nn
from theano.autodiff.reverse import grad
from theano.core.config import change_flags
from theano.graph.tensor_type import TensorType
from theano.ops.reduce import sum as sum_of

RNG = np.random.default_rng(4)
SCORES = RNG.normal(size=(4, 5)) * 3
BIAS = RNG.normal(size=5)
LABELS = np.array([0, 4, 2, 2])


def matrix(name: str = "x", dtype: str = "float64"):
    return TensorType(dtype, (False, False))(name)


def vector(name: str = "v", dtype: str = "float64"):
    return TensorType(dtype, (False,))(name)


def value(inputs, output, *values):
    (got,) = cases.everywhere(inputs, [output], values)
    assert got.dtype == output.dtype
    return got


def expanded(outputs):
    """What an op that is expanded late becomes, when all of it is."""
    from theano.graph.traverse import rebuild, toposort

    for _ in range(5):
        node = next((n for n in toposort(outputs) if n.op.lowering == "expand"), None)
        if node is None:
            return outputs
        new = node.op.expand(node)
        for old, fresh in zip(node.outputs, new, strict=True):
            assert fresh.type == old.type
        outputs = rebuild(outputs, dict(zip(node.outputs, new, strict=True)), strict=False)
    raise AssertionError("expansion does not end")


def numeric(f, a, step=1e-6):
    result = np.empty_like(a)
    for index in np.ndindex(a.shape):
        high, low = a.copy(), a.copy()
        high[index] += step
        low[index] -= step
        result[index] = (f(high) - f(low)) / (2 * step)
    return result


def losses(scores, labels=LABELS):
    return -scipy.special.log_softmax(scores, axis=1)[np.arange(len(labels)), labels]


# softmax -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("build", "expected"),
    [(nn.softmax, scipy.special.softmax), (nn.logsoftmax, scipy.special.log_softmax)],
)
def test_softmax_and_its_logarithm(build, expected, dtype):
    x = matrix(dtype=dtype)
    a = SCORES.astype(dtype)
    y = build(x)
    want = expected(a.astype("float64"), axis=1)
    for out in (y, *expanded([y])):
        got = value([x], out, a)
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, rtol=cases.TOLERANCE[dtype] * 5, atol=1e-6)


def test_softmax_of_huge_scores_is_finite():
    x = matrix()
    a = np.array([[1e4, 0.0, -1e4]])
    assert value([x], nn.softmax(x), a).tolist() == [[1.0, 0.0, 0.0]]
    assert value([x], nn.logsoftmax(x), a).tolist() == [[0.0, -1e4, -2e4]]


@pytest.mark.parametrize("build", [nn.softmax, nn.logsoftmax, nn.softmax_graph])
def test_gradient_of_softmax(build):
    x = matrix()
    weights = np.arange(20.0).reshape(4, 5) / 7
    name = "softmax" if build is not nn.logsoftmax else "log_softmax"
    g = grad(sum_of(build(x) * weights), x)
    reference = getattr(scipy.special, name)
    expected = numeric(lambda a: (reference(a, axis=1) * weights).sum(), SCORES)
    np.testing.assert_allclose(value([x], g, SCORES), expected, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(value([x], *expanded([g]), SCORES), expected, rtol=1e-5, atol=1e-8)


def test_second_derivative_of_softmax():
    x = matrix()
    weights = np.arange(20.0).reshape(4, 5) / 7
    g = grad(sum_of(nn.softmax(x) * weights), x)
    gg = grad(sum_of(g**2), x)

    def square_of_gradient(a):
        s = scipy.special.softmax(a, axis=1)
        return (((weights - (weights * s).sum(1, keepdims=True)) * s) ** 2).sum()

    expected = numeric(square_of_gradient, SCORES)
    np.testing.assert_allclose(value([x], gg, SCORES), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("op", [nn.softmax_op, nn.logsoftmax_op])
def test_r_op_of_softmax_is_the_directional_derivative(op):
    x, v = matrix(), matrix("v")
    direction = RNG.normal(size=SCORES.shape)
    (along,) = op.R_op([x], [v])
    reference = scipy.special.softmax if op is nn.softmax_op else scipy.special.log_softmax
    step = 1e-6
    high, low = (reference(SCORES + s * direction, axis=1) for s in (step, -step))
    np.testing.assert_allclose(
        value([x, v], along, SCORES, direction), (high - low) / (2 * step), rtol=1e-5, atol=1e-8
    )


def test_softmax_of_a_vector_is_a_matrix_of_one_row():
    v = vector()
    with pytest.warns(DeprecationWarning, match="vector"):
        y = nn.softmax(v)
    assert y.broadcastable == (True, False)


def test_softmax_refuses_other_ranks_and_integers():
    for wrong in (TensorType("float64", (False,) * 3)("t"), matrix(dtype="int32")):
        with pytest.raises(ValueError, match="1-d or 2-d tensor of floats"):
            nn.softmax(wrong)
    with pytest.warns(UserWarning, match="dimension of shape 1"):
        nn.softmax(TensorType("float64", (False, True))("c"))


def test_softmax_with_bias():
    x, b = matrix(), vector("b")
    y = nn.softmax_with_bias(x, b)
    expected = scipy.special.softmax(SCORES + BIAS, axis=1)
    np.testing.assert_allclose(value([x, b], y, SCORES, BIAS), expected)
    g = grad(sum_of(y**2), b)
    want = numeric(lambda c: (scipy.special.softmax(SCORES + c, axis=1) ** 2).sum(), BIAS)
    np.testing.assert_allclose(value([x, b], g, SCORES, BIAS), want, rtol=1e-5, atol=1e-8)


# cross-entropies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("label_dtype", ["int8", "int32", "int64", "uint8"])
def test_fused_loss(label_dtype):
    x, b, y = matrix(), vector("b"), vector("y", label_dtype)
    outputs = nn.crossentropy_softmax_argmax_1hot_with_bias(x, b, y)
    arguments = [SCORES, BIAS, LABELS.astype(label_dtype)]
    for three in (outputs, expanded(outputs)):
        nll, sm, best = cases.everywhere([x, b, y], three, arguments)
        np.testing.assert_allclose(nll, losses(SCORES + BIAS))
        np.testing.assert_allclose(sm, scipy.special.softmax(SCORES + BIAS, axis=1))
        np.testing.assert_array_equal(best, (SCORES + BIAS).argmax(1))
        assert best.dtype == label_dtype


def test_gradient_of_the_fused_loss():
    x, b, y = matrix(), vector("b"), vector("y", "int64")
    nll, sm = nn.crossentropy_softmax_1hot_with_bias(x, b, y)
    weights = np.array([1.0, 2.0, -1.0, 0.5])
    cost = sum_of(nll * weights) + sum_of(sm**2)
    gx, gb = grad(cost, [x, b])

    def total(scores, bias):
        s = scores + bias
        return (losses(s) * weights).sum() + (scipy.special.softmax(s, axis=1) ** 2).sum()

    arguments = [SCORES, BIAS, LABELS]
    for got_x, got_b in (
        cases.everywhere([x, b, y], [gx, gb], arguments),
        cases.evaluate([x, b, y], expanded([gx, gb]), arguments),
    ):
        expected = numeric(lambda s: total(s, BIAS), SCORES)
        np.testing.assert_allclose(got_x, expected, rtol=1e-5, atol=1e-7)
        expected = numeric(lambda c: total(SCORES, c), BIAS)
        np.testing.assert_allclose(got_b, expected, rtol=1e-5, atol=1e-7)


def test_second_derivative_of_the_fused_loss():
    x, y = matrix(), vector("y", "int64")
    nll, _ = nn.crossentropy_softmax_1hot(x, y)
    g = grad(sum_of(nll), x)
    gg = grad(sum_of(g**2), x)
    hot = np.eye(5)[LABELS]
    expected = numeric(lambda s: ((scipy.special.softmax(s, axis=1) - hot) ** 2).sum(), SCORES)
    np.testing.assert_allclose(value([x, y], gg, SCORES, LABELS), expected, rtol=1e-5, atol=1e-7)


def test_fused_loss_without_bias_and_with_argmax():
    x, y = matrix(), vector("y", "int32")
    outputs = nn.crossentropy_softmax_max_and_argmax_1hot(x, y)
    for four in (outputs, expanded(outputs)):
        nll, sm, top, where = cases.evaluate([x, y], four, [SCORES, LABELS.astype("int32")])
        np.testing.assert_allclose(nll, losses(SCORES))
        np.testing.assert_allclose(top, sm.max(1))
        np.testing.assert_array_equal(where, sm.argmax(1))


@pytest.mark.parametrize("wrong", [5, -1, 100])
def test_labels_out_of_range_raise(wrong):
    x, y = matrix(), vector("y", "int64")
    labels = np.array([0, wrong, 1, 2])
    nll, _ = nn.crossentropy_softmax_1hot(x, y)
    outputs = [nll, grad(sum_of(nll), x), nn.categorical_crossentropy(nn.softmax(x), y)]
    for output in outputs + expanded(outputs):
        with pytest.raises(ValueError, match="out of bounds"):
            cases.evaluate([x, y], [output], [SCORES, labels])


def test_as_many_labels_as_rows():
    x, y = matrix(), vector("y", "int64")
    nll, _ = nn.crossentropy_softmax_1hot(x, y)
    with pytest.raises(ValueError, match="4 rows, but 2 labels"):
        cases.evaluate([x, y], [nll], [SCORES, LABELS[:2]])


def test_categorical_crossentropy_of_labels():
    x, y = matrix(), vector("y", "int32")
    p = scipy.special.softmax(SCORES, axis=1)
    labels = LABELS.astype("int32")
    loss = nn.categorical_crossentropy(x, y)
    np.testing.assert_allclose(value([x, y], loss, p, labels), losses(SCORES))
    g = grad(sum_of(loss**2), x)
    expected = numeric(lambda q: (np.log(q[np.arange(4), LABELS]) ** 2).sum(), p)
    np.testing.assert_allclose(value([x, y], g, p, labels), expected, rtol=1e-5)
    np.testing.assert_allclose(value([x, y], *expanded([g]), p, labels), expected, rtol=1e-5)
    gg = grad(sum_of(g), x)
    assert np.isfinite(value([x, y], gg, p, labels)).all()


def test_categorical_crossentropy_of_distributions():
    x, q = matrix(), matrix("q")
    p = scipy.special.softmax(SCORES, axis=1)
    loss = nn.categorical_crossentropy(x, q)
    np.testing.assert_allclose(value([x, q], loss, p, p), -(p * np.log(p)).sum(1))


def test_categorical_crossentropy_refuses_what_does_not_fit():
    with pytest.raises(TypeError, match="rank mismatch"):
        nn.categorical_crossentropy(matrix(), TensorType("float64", (False,) * 3)("t"))
    with pytest.raises(TypeError, match="integer vector"):
        nn.categorical_crossentropy(matrix(), vector())


def test_binary_crossentropies_agree():
    x, target = vector("x"), vector("t")
    a, t = np.linspace(-5, 5, 7), np.array([0, 1, 0.5, 0, 1, 1, 0])
    plain = nn.binary_crossentropy(nn.sigmoid(x), target)
    logits = nn.sigmoid_binary_crossentropy(x, target)
    one, two = cases.evaluate([x, target], [plain, logits], [a, t])
    np.testing.assert_allclose(one, two)
    huge = value([x, target], logits, np.array([1e4, -1e4]), np.array([0.0, 1.0]))
    assert huge.tolist() == [1e4, 1e4]
    g = value([x, target], grad(sum_of(logits), x), a, t)
    np.testing.assert_allclose(g, scipy.special.expit(a) - t)


# activations -------------------------------------------------------------------------------------


def test_activations():
    x = vector("x")
    a = np.array([-2.0, -0.1, 0.0, 0.1, 2.0, 1000.0])
    expected = {
        nn.relu: np.maximum(a, 0),
        nn.elu: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
        nn.softsign: a / (1 + np.abs(a)),
        nn.selu: 1.0507009873554805
        * np.where(a > 0, a, 1.6732632423543772 * np.expm1(np.minimum(a, 0))),
        nn.hard_sigmoid: np.clip(0.2 * a + 0.5, 0, 1),
        nn.sigmoid: scipy.special.expit(a),
        nn.softplus: np.logaddexp(a, 0),
    }
    for build, want in expected.items():
        np.testing.assert_allclose(value([x], build(x), a), want)
        assert np.isfinite(value([x], grad(sum_of(build(x)), x), a)).all()
    close = value([x], nn.ultra_fast_sigmoid(x), a)
    assert np.abs(close - scipy.special.expit(a)).max() < 0.02


def test_relu_at_its_edges():
    x = vector("x")
    with np.errstate(all="ignore"):
        got = value([x], nn.relu(x), np.array([np.nan, -np.inf]))
    assert np.isnan(got).all()
    assert value([x], grad(sum_of(nn.relu(x)), x), np.zeros(1)).tolist() == [0.5]
    leaky = nn.relu(x, alpha=0.5)
    assert value([x], leaky, np.array([-2.0, 2.0])).tolist() == [-1.0, 2.0]


def test_activations_keep_float32():
    x = vector("x", "float32")
    with change_flags(floatX="float32"):
        for build in (nn.relu, nn.elu, nn.selu, nn.softsign, nn.sigmoid):
            assert build(x).dtype == "float32"
    assert nn.hard_sigmoid(x).dtype == "float32"
