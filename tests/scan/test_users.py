"""Loops as users of Theano write them, against loops in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import verify_grad

MODES = [
    pytest.param(None, id="native"),
    pytest.param(theano.Mode("cvm", None), id="native, not rewritten"),
    pytest.param(theano.Mode("py", "fast_run"), id="reference"),
]
each_mode = pytest.mark.parametrize("mode", MODES)


def random(*shape: int) -> Any:
    return np.random.RandomState(sum(shape) + len(shape)).rand(*shape) - 0.5


@each_mode
def test_polynomial(mode: Any) -> None:
    coefficients, x = T.vector("coefficients"), T.scalar("x")
    terms, updates = theano.scan(
        fn=lambda coefficient, power, free: coefficient * free**power,
        outputs_info=None,
        sequences=[coefficients, T.arange(10000)],
        non_sequences=x,
    )
    f = theano.function([coefficients, x], terms.sum(), updates=updates, mode=mode)
    assert f(np.asarray([1, 0, 2], theano.config.floatX), 3) == 19


@each_mode
def test_triangular_sums_of_integers(mode: Any) -> None:
    up_to = T.iscalar("up_to")
    seq = T.arange(up_to)
    sums, _ = theano.scan(
        lambda arange_val, sum_to_date: sum_to_date + arange_val,
        outputs_info=T.as_tensor_variable(np.asarray(0, seq.dtype)),
        sequences=seq,
    )
    f = theano.function([up_to], sums, mode=mode)
    assert f(15).tolist() == np.cumsum(np.arange(15)).tolist()
    assert f(0).tolist() == []
    assert f(15).dtype == seq.dtype


@each_mode
def test_setting_elements_from_a_list_of_places(mode: Any) -> None:
    location, values, model = T.imatrix("location"), T.vector("values"), T.matrix("output_model")

    def set_value_at_position(place: Any, value: Any, like: Any) -> Any:
        zeros = T.zeros_like(like)
        zeros_subtensor = zeros[place[0], place[1]]
        return T.set_subtensor(zeros_subtensor, value)

    result, updates = theano.scan(
        set_value_at_position, outputs_info=None, sequences=[location, values], non_sequences=model
    )
    f = theano.function([location, values, model], result, updates=updates, mode=mode)
    got = f(np.asarray([[1, 1], [2, 3]], "int32"), [42.0, 50.0], np.zeros((5, 5)))
    want = np.zeros((2, 5, 5))
    want[0, 1, 1], want[1, 2, 3] = 42, 50
    np.testing.assert_array_equal(got, want)


@each_mode
def test_rows_of_a_product(mode: Any) -> None:
    X, W, b = T.matrix("X"), T.matrix("W"), T.vector("b")
    results, _ = theano.scan(lambda v: T.tanh(T.dot(v, W) + b), sequences=X)
    f = theano.function([X, W, b], results, mode=mode)
    x, w = random(3, 2), random(2, 2)
    np.testing.assert_allclose(f(x, w, [1.0, 2.0]), np.tanh(x @ w + [1, 2]))


@each_mode
def test_recurrence_backwards_with_two_products(mode: Any) -> None:
    X, W, U, V, P = (T.matrix(n) for n in "XWUVP")
    b_sym, Y = T.vector("b_sym"), T.matrix("Y")
    results, _ = theano.scan(
        lambda y, p, x_tm1: T.tanh(T.dot(x_tm1, W) + T.dot(y, U) + T.dot(p, V)),
        sequences=[Y, P[::-1]],
        outputs_info=[b_sym],
    )
    f = theano.function([W, Y, U, P, V, b_sym], results, mode=mode)
    del X
    w, u, v = random(2, 2), random(2, 2), random(2, 2)
    y, p, x = random(5, 2), random(5, 2), random(2)
    want, h = [], x
    for t in range(5):
        h = np.tanh(h @ w + y[t] @ u + p[4 - t] @ v)
        want.append(h)
    np.testing.assert_allclose(f(w, y, u, p, v, x), want)


@each_mode
@pytest.mark.parametrize("of", ["rows", "columns"])
def test_norms(mode: Any, of: str) -> None:
    X = T.matrix("X")
    over = X if of == "rows" else X.T
    results, _ = theano.scan(lambda x_i: T.sqrt((x_i**2).sum()), sequences=[over])
    x = random(4, 6)
    got = theano.function([X], results, mode=mode)(x)
    np.testing.assert_allclose(got, np.linalg.norm(x, axis=1 if of == "rows" else 0))


@each_mode
def test_trace_with_an_accumulator_of_another_dtype(mode: Any) -> None:
    X = T.matrix("X")
    results, _ = theano.scan(
        lambda i, j, t_f: T.cast(X[i, j] + t_f, "float64"),
        sequences=[T.arange(X.shape[0]), T.arange(X.shape[1])],
        outputs_info=np.asarray(0.0, "float64"),
    )
    x = random(5, 5)
    got = theano.function([X], results[-1], mode=mode)(x)
    np.testing.assert_allclose(got, np.trace(x))


@each_mode
def test_two_steps_back(mode: Any) -> None:
    X, W, U, V = (T.matrix(n) for n in "XWUV")
    b_sym, n_sym = T.vector("b_sym"), T.iscalar("n_sym")
    results, _ = theano.scan(
        lambda x_tm2, x_tm1: T.dot(x_tm2, U) + T.dot(x_tm1, V) + T.tanh(T.dot(x_tm1, W) + b_sym),
        n_steps=n_sym,
        outputs_info=[{"initial": X, "taps": [-2, -1]}],
    )
    f = theano.function([X, U, V, W, b_sym, n_sym], results, mode=mode)
    x, w, u, v = (random(2, 2) + i for i in range(4))
    b, h = random(2), list(random(2, 2))
    for _ in range(6):
        h.append(h[-2] @ u + h[-1] @ v + np.tanh(h[-1] @ w + b))
    del x
    np.testing.assert_allclose(f(random(2, 2), u, v, w, b, 6), h[2:])


@each_mode
def test_jacobian_by_hand(mode: Any) -> None:
    v, A = T.vector(), T.matrix()
    y = T.tanh(T.dot(v, A))
    results, _ = theano.scan(lambda i: T.grad(y[i], v), sequences=[T.arange(y.shape[0])])
    x, a = random(5), random(5, 5)
    got = theano.function([A, v], results, mode=mode, allow_input_downcast=True)(a, x)
    np.testing.assert_allclose(got, ((1 - np.tanh(x @ a) ** 2) * a).T)


@each_mode
def test_hessian_by_hand(mode: Any) -> None:
    x = T.dvector("x")
    cost = (x**3).sum() + x[0] * x[1]
    slope = T.grad(cost, x)
    H, updates = theano.scan(
        lambda i, slope, x: T.grad(slope[i], x),
        sequences=T.arange(slope.shape[0]), non_sequences=[slope, x],
    )  # fmt: skip
    got = theano.function([x], H, updates=updates, mode=mode)([4.0, 5.0, 6.0])
    want = np.diag([24.0, 30, 36])
    want[0, 1] = want[1, 0] = 1
    np.testing.assert_allclose(got, want)


@each_mode
def test_counter(mode: Any) -> None:
    k, n_sym = theano.shared(0), T.iscalar("n_sym")
    results, updates = theano.scan(lambda: {k: (k + 1)}, n_steps=n_sym)
    assert results is None
    accumulator = theano.function(
        [n_sym], [], updates=updates, allow_input_downcast=True, mode=mode
    )
    accumulator(5)
    assert k.get_value() == 5
    accumulator(0)
    assert k.get_value() == 5


@each_mode
def test_dropout_masks_of_a_stream(mode: Any) -> None:
    W, X = T.matrix("W"), T.matrix("X")
    trng = T.shared_randomstreams.RandomStreams(1234)
    d = trng.binomial(size=W[1].shape)
    results, updates = theano.scan(lambda v: T.tanh(T.dot(v, W)) * d, sequences=X)
    f = theano.function([X, W], results, updates=updates, mode=mode, on_unused_input="ignore")
    x, w = np.ones((60, 2)), np.ones((2, 6))
    first, second = f(x, w), f(x, w)
    zeros = first == 0
    assert (zeros | np.isclose(first, np.tanh(2.0))).all()
    assert 0 < zeros.mean() < 1
    assert (first != second).any()


@each_mode
def test_powers_until(mode: Any) -> None:
    max_value = T.scalar()
    values, _ = theano.scan(
        lambda previous_power, max_value: (
            previous_power * 2, theano.scan_module.until(previous_power * 2 > max_value)),
        outputs_info=T.constant(1.0), non_sequences=max_value, n_steps=1024,
    )  # fmt: skip
    f = theano.function([max_value], values, mode=mode)
    assert f(45).tolist() == [2, 4, 8, 16, 32, 64]


@each_mode
def test_network_with_taps_and_gradients(mode: Any) -> None:
    """The recurrent network of the manual of scan: inputs and outputs with several taps."""
    rng = np.random.RandomState(0)
    W, W_in_1, W_in_2 = rng.rand(4, 4) - 0.5, rng.rand(2, 4) - 0.5, rng.rand(2, 4) - 0.5
    W_feedback, W_out = rng.rand(1, 4)[0] - 0.5, rng.rand(4) - 0.5
    shared = [theano.shared(v) for v in (W, W_in_1, W_in_2, W_feedback, W_out)]
    u, x0, y0 = T.matrix("u"), T.vector("x0"), T.vector("y0")

    def one_step(u_tm4: Any, u_t: Any, x_tm3: Any, x_tm1: Any, y_tm1: Any, *rest: Any) -> Any:
        w, w1, w2, wf, wo = rest
        x_t = T.tanh(T.dot(x_tm1, w) + T.dot(u_t, w1) + T.dot(u_tm4, w2) + wf * y_tm1)
        return [x_t, T.dot(x_tm3, wo)]

    start = T.stack([x0, x0 * 2, x0 * 3])
    (xs, ys), updates = theano.scan(
        fn=one_step,
        sequences={"input": u, "taps": [-4, -0]},
        outputs_info=[{"initial": start, "taps": [-3, -1]}, y0[0]],
        non_sequences=shared,
        strict=True,
    )
    cost = (xs**2).sum() + ys.sum()
    slopes = theano.grad(cost, [u, x0, y0, *shared])
    f = theano.function([u, x0, y0], [xs, ys, cost, *slopes], updates=updates, mode=mode)

    def reference(u: Any, x0: Any, y0: Any, w: Any, w1: Any, w2: Any, wf: Any, wo: Any) -> Any:
        x, y = [x0, x0 * 2, x0 * 3], [y0[0]]
        for t in range(4, len(u)):
            new = np.tanh(x[-1] @ w + u[t] @ w1 + u[t - 4] @ w2 + wf * y[-1])
            y.append(x[-3] @ wo)
            x.append(new)
        return np.array(x[3:]), np.array(y[1:])

    point = [rng.rand(9, 2), rng.rand(4), rng.rand(1), W, W_in_1, W_in_2, W_feedback, W_out]
    wx, wy = reference(*point)
    gx, gy, _, *found = f(*point[:3])
    np.testing.assert_allclose(gx, wx)
    np.testing.assert_allclose(gy, wy)
    for i, slope in enumerate(found):
        direction = rng.randn(*point[i].shape)
        ends = []
        for h in (1e-6, -1e-6):
            a, b = reference(*[p + h * direction if j == i else p for j, p in enumerate(point)])
            ends.append((a**2).sum() + b.sum())
        np.testing.assert_allclose((slope * direction).sum(), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)


@pytest.mark.parametrize("streams", ["RandomStreams", "MRG"])
@pytest.mark.parametrize("mode", MODES[::2])
def test_contrastive_divergence(mode: Any, streams: str) -> None:
    """An RBM: a Gibbs chain in a loop, its end held constant in the gradient of the free energy."""
    from theano.tensor.random.mrg import MRG_RandomStreams

    rng = np.random.RandomState(1)
    W, hb, vb = (theano.shared(v) for v in (rng.randn(6, 4) * 0.1, np.zeros(4), np.zeros(6)))
    make = T.shared_randomstreams.RandomStreams if streams == "RandomStreams" else MRG_RandomStreams
    trng = make(12)
    x = T.dmatrix("x")

    def sample(pre: Any) -> Any:
        mean = T.nnet.sigmoid(pre)
        return [pre, mean, trng.binomial(size=mean.shape, n=1, p=mean, dtype="float64")]

    def free_energy(v: Any) -> Any:
        wx_b = T.dot(v, W) + hb
        return -T.sum(T.log(1 + T.exp(wx_b)), axis=1) - T.dot(v, vb)

    def gibbs_hvh(h0: Any) -> Any:
        v = sample(T.dot(h0, W.T) + vb)
        return [*v, *sample(T.dot(v[2], W) + hb)]

    _, _, ph_sample = sample(T.dot(x, W) + hb)
    chain, updates = theano.scan(
        gibbs_hvh, outputs_info=[*[None] * 5, ph_sample], n_steps=3, name="gibbs_hvh"
    )
    chain_end = chain[2][-1]
    cost = T.mean(free_energy(x)) - T.mean(free_energy(chain_end))
    gparams = T.grad(cost, [W, hb, vb], consider_constant=[chain_end])
    for gparam, param in zip(gparams, [W, hb, vb], strict=True):
        updates[param] = param - gparam * 0.1
    f = theano.function([x], [cost, chain_end, *gparams], updates=updates, mode=mode)
    data = (rng.rand(10, 6) > 0.5).astype("float64")
    before = [p.get_value() for p in (W, hb, vb)]
    _, end, gw, gh, gv = f(data)
    w, h, _ = before

    def expected(sample: Any) -> Any:
        p = 1 / (1 + np.exp(-(sample @ w + h)))
        return sample.T @ p / 10, p.mean(0), sample.mean(0)

    for got, a, b, old, shared in zip(
        (gw, gh, gv), expected(data), expected(end), before, (W, hb, vb), strict=True
    ):
        np.testing.assert_allclose(got, b - a, atol=1e-12)
        np.testing.assert_allclose(shared.get_value(), old - 0.1 * got)
    assert not (f(data)[1] == end).all()


def lstm(mask: Any, state_below: Any, U: Any, dim: int) -> Any:
    """The layer of the LSTM tutorial."""

    def _slice(x: Any, n: int) -> Any:
        return x[:, n * dim : (n + 1) * dim]

    def _step(m_: Any, x_: Any, h_: Any, c_: Any) -> Any:
        preact = T.dot(h_, U) + x_
        i, f, o = (T.nnet.sigmoid(_slice(preact, k)) for k in range(3))
        c = f * c_ + i * T.tanh(_slice(preact, 3))
        c = m_[:, None] * c + (1.0 - m_)[:, None] * c_
        h = o * T.tanh(c)
        return m_[:, None] * h + (1.0 - m_)[:, None] * h_, c

    nsteps, n_samples = state_below.shape[0], state_below.shape[1]
    rval, _ = theano.scan(
        _step,
        sequences=[mask, state_below],
        outputs_info=[T.alloc(np.float64(0), n_samples, dim)] * 2,
        name="lstm__layers",
        n_steps=nsteps,
    )
    return rval[0]


@each_mode
def test_lstm_with_masks(mode: Any) -> None:
    mask, x, U = T.matrix("mask"), T.tensor3("x"), T.matrix("U")
    proj = lstm(mask, x, U, 3)
    proj = (proj * mask[:, :, None]).sum(axis=0) / mask.sum(axis=0)[:, None]
    cost = (proj**2).sum()
    f = theano.function([mask, x, U], [proj, *T.grad(cost, [x, U])], mode=mode)
    m = np.array([[1, 1], [1, 1], [1, 0], [1, 0.0]])
    a, u = random(4, 2, 12), random(3, 12)
    sig = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    h, c, total = np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))
    for t in range(4):
        p = h @ u + a[t]
        new = sig(p[:, 3:6]) * c + sig(p[:, :3]) * np.tanh(p[:, 9:])
        c = m[t][:, None] * new + (1 - m[t])[:, None] * c
        h = m[t][:, None] * sig(p[:, 6:9]) * np.tanh(c) + (1 - m[t])[:, None] * h
        total += h * m[t][:, None]
    got, gx, gu = f(m, a, u)
    np.testing.assert_allclose(got, total / m.sum(0)[:, None])
    assert (gx[2:, 1] == 0).all()
    verify_grad(
        lambda x, u: (lstm(T.constant(m), x, u, 3) ** 2).sum(), [a, u],
        rng=np.random.RandomState(0),
    )  # fmt: skip
    assert gu.shape == (3, 12)


def attention(source: Any, target: Any, W: Any) -> Any:
    """A decoder that looks at all states of an encoder, with a nested loop for its scores."""
    encoded, _ = theano.scan(lambda x, h: T.tanh(x + T.dot(h, W)), source, T.zeros_like(source[0]))

    def decode(y: Any, s: Any, encoded: Any, W: Any) -> Any:
        scores, _ = theano.map(lambda e: T.dot(e, T.dot(W, s)), encoded)
        weights = T.nnet.softmax(scores.dimshuffle("x", 0))[0]
        context = T.dot(weights, encoded)
        inner, _ = theano.scan(lambda w, a: a * 0.5 + w * s, weights, T.zeros_like(s))
        return T.tanh(y + context + inner[-1])

    return theano.scan(
        decode, sequences=target, outputs_info=encoded[-1], non_sequences=[encoded, W]
    )[0]


@each_mode
def test_attention_with_a_nested_loop(mode: Any) -> None:
    source, target, W = T.matrix("source"), T.matrix("target"), T.matrix("W")
    out = attention(source, target, W)
    slopes = T.grad(out.sum(), [source, target, W])
    f = theano.function([source, target, W], [out, *slopes], mode=mode)
    x, y, w = random(4, 3), random(5, 3), random(3, 3)
    h, encoded = np.zeros(3), []
    for row in x:
        h = np.tanh(row + h @ w)
        encoded.append(h)
    e, s, want = np.array(encoded), h, []
    for row in y:
        scores = e @ (w @ s)
        weights = np.exp(scores) / np.exp(scores).sum()
        a = np.zeros(3)
        for q in weights:
            a = a * 0.5 + q * s
        s = np.tanh(row + weights @ e + a)
        want.append(s)
    np.testing.assert_allclose(f(x, y, w)[0], want)
    if mode is None:
        verify_grad(attention, [x, y, w], rng=np.random.RandomState(0))


@each_mode
def test_map_over_minibatches(mode: Any) -> None:
    x, W, index = theano.shared(random(12, 3)), T.matrix("W"), T.lvector("index")
    loss, _ = theano.map(lambda i, w: T.tanh(T.dot(x[i * 4 : (i + 1) * 4], w)).mean(), index, W)
    f = theano.function([index, W], [loss, T.grad(loss.sum(), W)], mode=mode)
    w = random(3, 2)
    a = x.get_value()
    got, slope = f([0, 2, 1, 0], w)
    want = [np.tanh(a[i * 4 : i * 4 + 4] @ w).mean() for i in (0, 2, 1, 0)]
    np.testing.assert_allclose(got, want)
    assert slope.shape == w.shape
