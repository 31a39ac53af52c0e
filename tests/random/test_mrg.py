"""MRG31k3p: the published generator, its streams, and the distributions made from it."""

import importlib
import pickle
import warnings

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import NullTypeGradError
from theano.ops.random_mrg import A1, A2, M1, M2, _jump, ff_2p72, jump_ahead, substreams
from theano.ops.random_mrg import mrg_uniform as mrg_op
from theano.ops.random_multinomial import ChoiceFromUniform, MultinomialFromUniform
from theano.runtime.routines.random import SCALES, mrg_uniform
from theano.tensor.random import MRG_RandomStreams

REFERENCE = theano.Mode(linker="py", optimizer=None)
PROGRAM = theano.Mode(linker="numpy", optimizer="fast_run")


def one_by_one(seed, count):
    """The recurrences of the paper, one number at a time."""
    x, y, numbers = [seed] * 3, [seed] * 3, []
    for _ in range(count):
        x = [(2**22 * x[1] + (2**7 + 1) * x[2]) % M1, *x[:2]]
        y = [(2**15 * y[0] + (2**15 + 1) * y[2]) % M2, *y[:2]]
        z = x[0] - y[0] if x[0] > y[0] else x[0] - y[0] + M1
        numbers.append(z / (M1 + 1))
    return numbers


def test_the_sequence_of_the_paper():
    f = theano.function([], MRG_RandomStreams(12345).uniform((50,), dtype="float64", nstreams=1))
    drawn = np.concatenate([f(), f()])
    assert drawn.tolist() == one_by_one(12345, 100)
    # The first numbers that the authors' implementation gives for its default seed.
    assert np.allclose(drawn[:3], [0.7353244530968368, 0.6142074400559068, 0.1100780647248030],
                       atol=1e-9)  # fmt: skip


def test_jumps_are_the_published_matrices():
    first, second = _jump(2**72)
    assert first.tolist() == [
        [1516919229, 758510237, 499121365],
        [1884998244, 1516919229, 335398200],
        [601897748, 1884998244, 358115744],
    ]
    assert second.tolist() == [
        [1228857673, 1496414766, 954677935],
        [1133297478, 1407477216, 1496414766],
        [2002613992, 1639496704, 1407477216],
    ]


def test_jumping_is_stepping():
    state = np.array([[11, 22, 33, 44, 55, 66]], dtype="int32")
    new, out = np.empty_like(state), np.empty(7)
    mrg_uniform(new, out, state)
    assert np.array_equal(jump_ahead(state, 7), new)
    assert np.array_equal(jump_ahead(state, 0), state)
    assert len(A1) == len(A2) == 3
    rows = substreams(state, 5)
    for i in range(4):
        assert np.array_equal(ff_2p72(rows[i]), rows[i + 1])


@pytest.mark.parametrize("dtype", list(SCALES))
@pytest.mark.parametrize("size", [(1,), (7,), (3, 5), (64, 100), (300_001,)])
def test_native_numbers_are_those_of_numpy(dtype, size):
    f = theano.function([], MRG_RandomStreams(99).uniform(size, dtype=dtype))
    g = theano.function([], MRG_RandomStreams(99).uniform(size, dtype=dtype), mode=REFERENCE)
    h = theano.function([], MRG_RandomStreams(99).uniform(size, dtype=dtype), mode=PROGRAM)
    for _ in range(2):
        a, b = f(), g()
        assert np.array_equal(h(), b)
        assert a.dtype == b.dtype == dtype
        assert a.shape == size
        assert np.array_equal(a, b)
        assert a.min() > 0
        assert a.max() < 1


@pytest.mark.parametrize("nstreams", [1, 5, 64, 500])
def test_streams_take_turns(nstreams):
    streams = MRG_RandomStreams(7)
    rows = substreams(streams.rstate, nstreams)
    v = streams.uniform((333,), dtype="float64", nstreams=nstreams)
    assert np.array_equal(v.rng.get_value(), rows)
    got = theano.function([], v)()
    wanted = np.empty((-(-333 // nstreams), nstreams))
    for i, row in enumerate(rows):
        column = np.empty(len(wanted))
        mrg_uniform(np.empty((1, 6), "int32"), column, row[None])
        wanted[:, i] = column
    assert np.array_equal(got, wanted.ravel()[:333])


def test_extreme_states_stay_inside():
    state = np.array([[M1 - 1] * 3 + [M2 - 1] * 3, [1, 0, 0, 0, 0, 1]] * 20, dtype="int32")
    for dtype in SCALES:
        shared = theano.shared(state)
        new, sample = mrg_op.new(shared, None, dtype, (1000,))
        got = theano.function([], [new, sample])()
        wanted = [np.empty_like(state), np.empty(1000, dtype)]
        mrg_uniform(*wanted, state)
        assert np.array_equal(got[0], wanted[0])
        assert np.array_equal(got[1], wanted[1])


# streams and seeds ----------------------------------------------------------------------------


def test_number_of_streams():
    streams = MRG_RandomStreams()
    counts = [streams.n_streams(size) for size in ((), (6,), (7,), (60, 10), (1000, 1000))]
    assert counts == [1, 6, 1, 100, 15360]
    assert streams.n_streams(T.lvector()) == 15360


@pytest.mark.parametrize(
    ("seed", "error"),
    [
        (0, ValueError),
        (M2, ValueError),
        (-1, ValueError),
        (1.5, TypeError),
        ([1, 2, 3], TypeError),
        ("seed", (TypeError, ValueError)),
        ([0, 0, 0, 1, 1, 1], ValueError),
        ([1, 1, 1, 0, 0, 0], ValueError),
        ([M1, 1, 1, 1, 1, 1], ValueError),
        ([1, 1, 1, M2, 1, 1], ValueError),
    ],
)
def test_bad_seeds(seed, error):
    with pytest.raises(error):
        MRG_RandomStreams(seed)


def test_seeding_anew():
    streams = MRG_RandomStreams(234)
    u, v = streams.uniform((2, 2)), streams.uniform((2, 2))
    f = theano.function([], [u, v])
    first = f()
    assert not np.array_equal(first[0], first[1])
    second = f()
    assert not np.array_equal(first[0], second[0])
    streams.seed(5)
    other = f()
    streams.seed()
    for a, b in zip(f(), first, strict=True):
        assert np.array_equal(a, b)
    streams.seed(5)
    assert np.array_equal(f()[0], other[0])
    assert np.array_equal(
        theano.function([], MRG_RandomStreams([5] * 6).uniform((2, 2)))(), other[0]
    )


def test_updates():
    streams = MRG_RandomStreams(3)
    v = streams.uniform((4,))
    f = theano.function([], v)
    frozen = theano.function([], v, no_default_updates=True)
    assert np.array_equal(frozen(), frozen())
    a = f()
    assert not np.array_equal(a, f())
    zero = theano.function([], v - v)
    assert not zero().any()
    assert streams.updates() == [v.update]
    assert v.rng.default_update is v.update[1]
    assert [size for _, _, size, _ in streams.state_updates] == [(4,)]
    state = v.rng.get_value()
    theano.function([], [], updates=streams.updates())()
    assert not np.array_equal(v.rng.get_value(), state)
    g = pickle.loads(pickle.dumps(f))
    assert np.array_equal(f(), g())


def test_symbolic_sizes():
    x, n, shape = T.matrix(), T.iscalar(), T.lvector()
    streams = MRG_RandomStreams(3)
    f = theano.function([x, n, shape], [
        streams.uniform(x.shape), streams.normal((n, 2)), streams.binomial(shape, ndim=3),
    ])  # fmt: skip
    a, b, c = f(np.zeros((2, 3), theano.config.floatX), 5, [2, 1, 2])
    assert (a.shape, b.shape, c.shape) == ((2, 3), (5, 2), (2, 1, 2))
    with pytest.raises(ValueError, match="negative"):
        theano.function([n], streams.uniform((n,)))(-3)


@pytest.mark.parametrize("size", [(0, 3), (-1,), [2, 0]])
def test_sizes_must_be_positive(size):
    with pytest.raises(ValueError, match="dimension with value <= 0"):
        MRG_RandomStreams().uniform(size)


def test_sizes_must_be_sizes():
    for size in (None, "3", T.dmatrix(), (2.5,)):
        with pytest.raises(TypeError):
            MRG_RandomStreams().uniform(size)
    with pytest.raises(ValueError, match="ndim"):
        MRG_RandomStreams().uniform((2, 3), ndim=1)
    with pytest.raises(ValueError, match="length not known"):
        MRG_RandomStreams().uniform(T.lvector())


# distributions --------------------------------------------------------------------------------


def test_uniform_bounds_and_dtypes():
    streams = MRG_RandomStreams(8)
    low, high = np.array([0.0, 10.0]), np.array([1.0, 30.0])
    value = theano.function([], streams.uniform((20_000, 2), low, high))()
    assert np.allclose(value.mean(axis=0), [0.5, 20.0], rtol=0.02)
    assert (value > low).all()
    assert (value < high).all()
    assert streams.uniform((2,), dtype="float32").dtype == "float32"
    assert streams.uniform((2,), high=np.float64(1)).dtype == "float64"
    with pytest.raises(NotImplementedError, match="Increase the size"):
        streams.uniform((1,), low=np.zeros(3))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(30_001,), (150, 200)])
def test_normal(dtype, size):
    v = MRG_RandomStreams(17).normal(size, avg=-5.0, std=2.0, dtype=dtype)
    value = theano.function([], v)()
    assert value.dtype == dtype
    assert value.shape == size
    assert abs(value.mean() + 5) < 0.05
    assert abs(value.std() - 2) < 0.05
    reference = theano.function(
        [], MRG_RandomStreams(17).normal(size, avg=-5.0, std=2.0, dtype=dtype), mode=REFERENCE
    )()
    assert np.allclose(value, reference, rtol=1e-5, atol=1e-5)


def test_normal_is_box_muller_of_the_two_halves():
    u = theano.function([], MRG_RandomStreams(4).uniform((6,), dtype="float64"))()
    z = theano.function([], MRG_RandomStreams(4).normal((5,), dtype="float64"))()
    radius, angle = np.sqrt(-2 * np.log(u[:3])), 2 * np.pi * u[3:]
    assert np.allclose(z, np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:5])


def test_truncated_normals():
    streams = MRG_RandomStreams(21)
    cut = theano.function([], streams.normal((20_001,), avg=1.0, std=0.5, truncate=True))()
    assert cut.shape == (20_001,)
    assert cut.min() >= 0
    assert cut.max() <= 2
    # The mean of squares of a standard normal that is cut off at ±2.
    assert abs(cut.std() - 0.5 * 0.8796) < 0.01
    scaled = theano.function([], streams.truncated_normal((20_000,), std=2.0))()
    assert abs(scaled.std() - 2) < 0.04
    assert abs(scaled).max() <= 4 / 0.8796


def test_binomial():
    streams = MRG_RandomStreams(5)
    value = theano.function([], streams.binomial((20_000,), p=0.3, dtype="int8"))()
    assert value.dtype == "int8"
    assert set(value.tolist()) == {0, 1}
    assert abs(value.mean() - 0.3) < 0.02
    rows = theano.function([], streams.binomial((5000, 2), p=[0.1, 0.9]))()
    assert np.allclose(rows.mean(axis=0), [0.1, 0.9], atol=0.03)
    with pytest.raises(NotImplementedError, match="n=1"):
        streams.binomial((3,), n=2)


def test_multinomial():
    streams = MRG_RandomStreams(5)
    p = np.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]])
    value = theano.function([], streams.multinomial(n=4000, pvals=p))()
    assert value.sum(axis=1).tolist() == [4000, 4000]
    assert np.allclose(value / 4000, p, atol=0.04)
    for bad in ({"pvals": p, "size": (2,)}, {"pvals": p, "ndim": 2}):
        with pytest.raises(ValueError, match="does not use"):
            streams.multinomial(**bad)
    with pytest.raises(TypeError, match="pvals"):
        streams.multinomial()
    with pytest.raises(NotImplementedError, match="matrix"):
        streams.multinomial(pvals=[0.5, 0.5])


def test_choice():
    streams = MRG_RandomStreams(5)
    p = np.tile([[0.5, 0.3, 0.2, 0.0]], (3000, 1))
    value = theano.function([], streams.choice(size=3, replace=False, p=p))()
    assert (np.sort(value, axis=1) == [0, 1, 2]).all()
    assert np.allclose(np.bincount(value[:, 0]) / 3000, [0.5, 0.3, 0.2], atol=0.04)
    with pytest.raises(NotImplementedError, match="replace=False"):
        streams.choice(size=1, p=p)
    with pytest.raises(TypeError):
        streams.choice(size=1, replace=False, a=5, p=p)
    with pytest.raises(TypeError):
        streams.choice(size=1, replace=False)
    with pytest.raises(ValueError, match="bigger than the size"):
        theano.function([], streams.choice(size=5, replace=False, p=p))()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = streams.multinomial_wo_replacement(n=2, pvals=p[:4])
    assert theano.function([], old)().shape == (4, 2)


def test_from_uniform_ops():
    p, u = T.dmatrix(), T.dvector()
    f = theano.function([p, u], MultinomialFromUniform("auto")(p, u))
    rows = np.array([[0.25, 0.5, 0.25]] * 3)
    assert f(rows, [0.1, 0.25, 0.999]).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match="n numbers"):
        f(rows, [0.5])
    g = theano.function([p, u], ChoiceFromUniform("int64", replace=False)(p, u, 2))
    assert g([[0.5, 0.5]], [0.7, 0.1]).tolist() == [[1, 0]]
    slope = theano.grad(MultinomialFromUniform("auto")(p, u).sum(), p)
    assert not theano.function([p, u], slope, on_unused_input="ignore")(rows, [0.1, 0.2, 0.3]).any()


@pytest.mark.parametrize("method", ["normal", "uniform", "binomial"])
def test_no_gradient_into_parameters(method):
    x = T.scalar()
    name = {"normal": "avg", "uniform": "low", "binomial": "p"}[method]
    sample = getattr(MRG_RandomStreams(1), method)((3,), **{name: x})
    with pytest.raises(NullTypeGradError):
        theano.grad(T.cast(sample, theano.config.floatX).sum() * x, x)


def test_gradients_flow_around_a_sample():
    x = T.dscalar()
    noise = MRG_RandomStreams(1).normal((1000,), dtype="float64")
    value, slope = theano.function([x], [(x * noise).sum(), theano.grad((x * noise).sum(), x)])(3.0)
    assert np.isclose(value, 3 * slope)


def test_old_addresses():
    old = importlib.import_module("theano.sandbox.rng_mrg")
    assert old.MRG_RandomStreams is MRG_RandomStreams
    assert old.mrg_uniform is mrg_op
    old = importlib.import_module("theano.sandbox.multinomial")
    assert old.MultinomialFromUniform is MultinomialFromUniform
