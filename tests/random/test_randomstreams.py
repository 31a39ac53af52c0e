"""RandomStreams and raw_random: NumPy's legacy numbers, and who advances the states."""

import copy
import pickle

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.gradient import NullTypeGradError
from theano.ops.random_state import draw
from theano.runtime import mt19937, randomstate
from theano.runtime.randomstate import copy_state
from theano.tensor import raw_random
from theano.tensor.shared_randomstreams import RandomStateSharedVariable, RandomStreams

MODES = ["FAST_RUN", "FAST_COMPILE"]


def states(seed, count):
    """The states of the first variables of RandomStreams(seed)."""
    seeds = np.random.RandomState(seed)
    return [np.random.RandomState(int(seeds.randint(2**30))) for _ in range(count)]


def same_state(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_state(), b.get_state(), strict=True))


DRAWS = [
    (lambda s: s.uniform((2, 3)), lambda r: r.uniform(size=(2, 3))),
    (lambda s: s.uniform((5000,), -2.0, 3.5), lambda r: r.uniform(-2.0, 3.5, 5000)),
    (lambda s: s.uniform((2, 3), [0.0, 1.0, 2.0], 5.0),
     lambda r: r.uniform([0.0, 1.0, 2.0], 5.0, (2, 3))),
    (lambda s: s.uniform(low=[0.0, 1.0], high=[1.0, 2.0]), lambda r: r.uniform([0, 1], [1, 2])),
    (lambda s: s.uniform((3, -1), low=[0.0, 1.0]), lambda r: r.uniform([0.0, 1.0], 1.0, (3, 2))),
    (lambda s: s.normal((3,)), lambda r: r.normal(size=3)),
    (lambda s: s.normal((4999,), 1.0, 2.0), lambda r: r.normal(1.0, 2.0, 4999)),
    (lambda s: s.normal((4001,), dtype="float32"), lambda r: r.normal(size=4001).astype("f4")),
    (lambda s: s.normal(avg=np.zeros((2, 2)), std=[1.0, 2.0]),
     lambda r: r.normal(np.zeros((2, 2)), [1.0, 2.0])),
    (lambda s: s.binomial((4,), n=10, p=0.3), lambda r: r.binomial(10, 0.3, 4)),
    (lambda s: s.binomial((2, 2), n=[5, 6], p=[[0.2], [0.8]]),
     lambda r: r.binomial([5, 6], [[0.2], [0.8]], (2, 2))),
    (lambda s: s.poisson((4,), lam=3.0), lambda r: r.poisson(3.0, 4)),
    (lambda s: s.random_integers((50,), 2, 4), lambda r: r.randint(2, 5, 50)),
    (lambda s: s.random_integers((2,), [1, 5], [3, 9]),
     lambda r: np.array([r.randint(1, 4), r.randint(5, 10)])),
    (lambda s: s.choice((3,), a=7), lambda r: r.choice(7, 3)),
    (lambda s: s.choice((2,), a=[1.5, 2.5], p=[0.9, 0.1], dtype="float64"),
     lambda r: r.choice([1.5, 2.5], 2, p=[0.9, 0.1])),
    (lambda s: s.choice((3,), a=5, replace=False), lambda r: r.choice(5, 3, replace=False)),
    (lambda s: s.permutation((2,), n=5), lambda r: [r.permutation(5) for _ in range(2)]),
    (lambda s: s.permutation(n=4), lambda r: r.permutation(4)),
    (lambda s: s.multinomial((2,), n=5, pvals=[0.2, 0.3, 0.5]),
     lambda r: [r.multinomial(5, [0.2, 0.3, 0.5]) for _ in range(2)]),
    (lambda s: s.multinomial(n=[1, 4], pvals=[[0.5, 0.5], [0.1, 0.9]]),
     lambda r: [r.multinomial(1, [0.5, 0.5]), r.multinomial(4, [0.1, 0.9])]),
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_draw_is_numpys(mode):
    streams = RandomStreams(234)
    variables = [make(streams) for make, _ in DRAWS]
    f = theano.function([], variables, mode=mode)
    expected = states(234, len(DRAWS))
    for _ in range(2):
        for value, variable, (_, model), state in zip(f(), variables, DRAWS, expected, strict=True):
            wanted = np.asarray(model(state))
            assert value.dtype == variable.dtype
            assert value.shape == wanted.shape
            assert np.array_equal(value, wanted)


def test_symbolic_sizes_and_ranks():
    n, shape = T.iscalar("n"), T.lvector("shape")
    streams = RandomStreams(1)
    a, b, c = states(1, 3)
    u, v = streams.uniform((n, 2)), streams.normal(shape, ndim=2)
    w = streams.uniform(T.dmatrix("x").shape)
    assert (u.ndim, v.ndim, w.ndim) == (2, 2, 2)
    f = theano.function([n, shape], [u, v])
    got = f(3, [1, 4])
    assert np.array_equal(got[0], a.uniform(size=(3, 2)))
    assert np.array_equal(got[1], b.normal(size=(1, 4)))
    g = theano.function([w.owner.inputs[1].owner.inputs[0].owner.inputs[0]], w)
    assert np.array_equal(g(np.zeros((2, 5))), c.uniform(size=(2, 5)))


def test_bad_sizes_are_refused():
    state = raw_random.random_state_type()
    with pytest.raises(ValueError, match="ndim"):
        raw_random.uniform(state, T.lvector())
    with pytest.raises(ValueError, match="ndim"):
        raw_random.uniform(state, (2, 3), ndim=1)
    with pytest.raises(ValueError, match="at least 2"):
        raw_random.uniform(state, (3,), low=np.zeros((2, 3)))
    with pytest.raises(TypeError, match="random state"):
        raw_random.uniform(T.dvector(), (2,))
    with pytest.raises(TypeError, match="integers"):
        raw_random.uniform(state, (2.5,))
    with pytest.raises(AttributeError, match="nonsense"):
        raw_random.RandomFunction("nonsense", T.dvector)
    with pytest.raises(TypeError, match="n must be integers"):
        raw_random.binomial(state, (2,), n=1.5)


def test_bad_parameters_are_numpys_errors():
    std, shape = T.dscalar(), T.lvector()
    f = theano.function([std, shape], RandomStreams(1).normal(shape, 0.0, std, ndim=1))
    with pytest.raises(ValueError, match="scale < 0"):
        f(-1.0, [5000])
    with pytest.raises(ValueError, match="size should have"):
        f(1.0, [5, 5])
    with pytest.raises(ValueError, match="negative dimensions"):
        f(1.0, [-5])


# updates ----------------------------------------------------------------------------------------


def test_one_variable_is_one_sample_and_functions_share_it():
    streams = RandomStreams(234)
    rv_u, rv_n = streams.uniform((2, 2)), streams.normal((2, 2))
    f = theano.function([], rv_u)
    g = theano.function([], rv_n, no_default_updates=True)
    nearly_zeros = theano.function([], rv_u + rv_u - 2 * rv_u)
    first, second = f(), f()
    assert not np.array_equal(first, second)
    assert np.array_equal(g(), g())
    assert not nearly_zeros().any()
    model, _ = states(234, 2)
    wanted = [model.uniform(size=(2, 2)) for _ in range(4)]
    assert np.array_equal(first, wanted[0])
    assert np.array_equal(second, wanted[1])
    assert np.array_equal(f(), wanted[3])  # nearly_zeros drew the third


def test_two_outputs_of_one_function_are_drawn_together():
    streams = RandomStreams(3)
    v = streams.normal((3,))
    f = theano.function([], [v, v * 2])
    a, b = f()
    assert np.array_equal(b, 2 * a)


def test_states_can_be_read_set_and_seeded():
    streams = RandomStreams(234)
    rv_u, rv_n = streams.uniform((2, 2)), streams.normal((2, 2))
    f, g = theano.function([], rv_u), theano.function([], rv_n)
    before = rv_u.rng.get_value(borrow=False)
    first = f()
    assert not np.array_equal(f(), first)
    rv_u.rng.set_value(before, borrow=True)
    assert np.array_equal(f(), first)
    streams[rv_u.rng] = np.random.RandomState(5)
    assert same_state(streams[rv_u.rng], np.random.RandomState(5))
    assert np.array_equal(f(), np.random.RandomState(5).uniform(size=(2, 2)))
    streams.seed(902340)
    a, b = states(902340, 2)
    assert np.array_equal(f(), a.uniform(size=(2, 2)))
    assert np.array_equal(g(), b.normal(size=(2, 2)))
    streams.seed()
    assert np.array_equal(f(), first)
    with pytest.raises(KeyError):
        streams[RandomStreams(1).uniform(()).rng]
    with pytest.raises(TypeError, match="RandomState"):
        streams[rv_u.rng] = 5


def test_copying_states_between_two_graphs():
    def graph(seed):
        streams = RandomStreams(seed)
        sample = streams.normal((2,)) + streams.uniform((2,))
        return streams, theano.function([], sample)

    one, f = graph(234)
    two, g = graph(987)
    a, b = f(), g()
    assert not np.array_equal(a, b)
    for (old, _), (new, _) in zip(one.state_updates, two.state_updates, strict=True):
        new.set_value(old.get_value())
    assert np.array_equal(f(), g())


def test_explicit_updates():
    streams = RandomStreams(7)
    v = streams.uniform((2,))
    state, new = v.update
    assert streams.updates() == [(state, new)]
    assert isinstance(state, RandomStateSharedVariable)
    assert v.rng is state
    f = theano.function([], v, updates=[v.update])
    (model,) = states(7, 1)
    assert np.array_equal(f(), model.uniform(size=2))
    assert np.array_equal(f(), model.uniform(size=2))
    theano.function([], [], updates=streams.updates())()
    model.uniform(size=2)
    assert np.array_equal(f(), model.uniform(size=2))


def test_a_borrowed_state_is_not_changed_behind_its_back():
    mine = np.random.RandomState(3)
    untouched = copy.deepcopy(mine)
    state = raw_random.random_state_type()
    f = theano.function([state], raw_random.uniform(state, (4,)))
    new, sample = f(mine)
    assert same_state(mine, untouched)
    assert np.array_equal(sample, mine.uniform(size=4))
    assert same_state(new, mine)
    inplace = raw_random.RandomFunction("uniform", T.dvector, inplace=True)
    g = theano.function([theano.In(state, mutable=True)], inplace(state, (4,), 0.0, 1.0)[1])
    assert np.array_equal(g(untouched), mine.uniform(size=4)) is False


def test_functions_with_random_states_pickle():
    streams = RandomStreams(11)
    f = theano.function([], streams.normal((3,)))
    f()
    g = pickle.loads(pickle.dumps(f))
    assert np.array_equal(f(), g())


@pytest.mark.parametrize(
    "draw_of",
    [
        lambda r, p: r.binomial((3,), 1, p),
        lambda r, p: r.poisson((3,), p),
        lambda r, p: r.multinomial((3,), 1, T.stack([p, 1 - p])),
        lambda r, p: r.choice((3,), 2, True, T.stack([p, 1 - p])),
        lambda r, p: r.uniform((3,), high=p),
    ],
    ids=["binomial", "poisson", "multinomial", "choice", "uniform"],
)
def test_gradients_with_respect_to_parameters_are_undefined(draw_of):
    p = T.dscalar("p")
    sample = draw_of(RandomStreams(1), p)
    with pytest.raises(NullTypeGradError, match=r"disconnected_grad\(sample\)"):
        T.grad(T.sqr(sample).sum() * p, p)
    constant = theano.gradient.disconnected_grad(sample) * 1.0
    f = theano.function([p], T.grad((constant * p).sum(), p))
    assert np.isfinite(f(0.5))
    assert T.grad((sample * p).sum(), p, consider_constant=[sample]).dtype == "float64"
    none = T.grad(T.sqr(sample).sum() * p, p, null_gradients="return")
    assert isinstance(none.type, theano.gradient.NullType)


def test_no_gradient_through_a_draw():
    x = T.dscalar()
    sample = RandomStreams(1).normal((3,), avg=x)
    with pytest.raises(NullTypeGradError):
        theano.grad(sample.sum(), x)
    noise = RandomStreams(1).normal((3,))
    assert theano.function([x], theano.grad((x * x + noise).sum(), x))(2.0) == 12.0


def test_shuffle_row_elements():
    streams = RandomStreams(6)
    x = T.tensor3()
    f = theano.function(
        [x], [streams.shuffle_row_elements(x), streams.shuffle_row_elements(x[0, 0])]
    )
    value = np.arange(24.0).reshape(2, 3, 4)
    rows, row = f(value)
    assert np.array_equal(np.sort(rows, axis=-1), value)
    assert not np.array_equal(rows, value)
    assert sorted(row) == [0.0, 1.0, 2.0, 3.0]


def test_shared_takes_random_states():
    value = np.random.RandomState(4)
    copied, same = theano.shared(value), theano.shared(value, borrow=True)
    assert copied.type == raw_random.random_state_type
    assert copied.get_value(borrow=True) is not value
    assert same.get_value(borrow=True) is value
    assert copied.type.values_eq(copied.get_value(), value)
    with pytest.raises(TypeError, match="RandomState"):
        copied.set_value(5)


def test_own_distributions_through_gen():
    def exponential(state, size):
        op = raw_random.RandomFunction("exponential", T.dvector)
        return op(state, size, 2.0)

    streams = RandomStreams(8)
    v = streams.gen(exponential, (5,))
    (model,) = states(8, 1)
    assert np.array_equal(theano.function([], v)(), model.exponential(2.0, 5))


# the native sampler ------------------------------------------------------------------------------


@pytest.fixture
def native():
    x = T.dvector()
    theano.function([x], T.exp(x))([1.0])  # from now on it is known who compiles
    if not mt19937._samplers():
        pytest.skip("no compiler here, or another C library")


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**32 - 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_native_draws_and_states_are_bit_identical(native, seed, dtype):
    mine, his = np.random.RandomState(seed), np.random.RandomState(seed)
    sizes = [512, 513, 623, 624, 625, 2050, 3121, 12345, 623 * 4, 624 * 5, 100_001]
    for turn, size in enumerate(sizes):
        if turn % 3 == 1:  # leave an odd position in the words
            assert mine.randint(2**31) == his.randint(2**31)
        got = draw(mine, "normal", (0.5, 2.5), (size,), dtype)
        assert got.tobytes() == his.normal(0.5, 2.5, size).astype(dtype).tobytes()
        assert same_state(mine, his)
        got = draw(mine, "uniform", (-1.0, 0.7), (size,), dtype)
        assert got.tobytes() == his.uniform(-1.0, 0.7, size).astype(dtype).tobytes()
        assert same_state(mine, his)


def test_native_sampler_leaves_the_rest_to_numpy(native):
    state = np.random.RandomState(1)
    assert not mt19937.fill(state, "normal", np.empty(5), 0.0, 1.0)
    other = np.random.RandomState(np.random.PCG64(1))
    model = np.random.RandomState(np.random.PCG64(1))
    assert np.array_equal(
        draw(other, "normal", (0.0, 1.0), (5000,), "float64"), model.normal(size=5000)
    )
    assert np.array_equal(copy_state(other).uniform(size=3), model.uniform(size=3))


@pytest.mark.parametrize("direct", [True, False])
def test_copies_of_states(direct, monkeypatch):
    if not direct:  # as where the objects look different
        monkeypatch.setattr(randomstate, "_gauss_offset", lambda: 0)
    state = np.random.RandomState(5)
    for step in range(4):
        if step % 2:
            state.normal()  # leaves a number over
        other = copy_state(state)
        assert same_state(other, state)
        assert np.array_equal(other.normal(size=3), copy_state(state).normal(size=3))
        restored = pickle.loads(pickle.dumps(copy_state(state)))
        assert same_state(restored, state)


def test_the_slow_way_draws_the_same(native, monkeypatch):
    monkeypatch.setattr(randomstate, "_gauss_offset", lambda: 0)
    mine, his = np.random.RandomState(5), np.random.RandomState(5)
    for size in (2049, 3000):
        got = draw(mine, "normal", (0.0, 1.0), (size,), "float64")
        assert np.array_equal(got, his.normal(size=size))
        assert same_state(mine, his)


def test_a_subclass_of_random_state_is_drawn_by_its_own_methods():
    class Counting(np.random.RandomState):
        pass

    value = Counting(3)
    assert same_state(copy_state(value), value)
    shared = theano.shared(value)
    sample = raw_random.normal(shared, (600,))[1]
    assert np.array_equal(theano.function([], sample)(), np.random.RandomState(3).normal(size=600))


def test_a_sampler_that_disagrees_is_not_used(native, monkeypatch):
    monkeypatch.setattr(mt19937, "_agrees", lambda samplers: False)
    mt19937._samplers.cache_clear()
    try:
        state = np.random.RandomState(1)
        assert not mt19937.fill(state, "normal", np.empty(5000), 0.0, 1.0)
        assert same_state(state, np.random.RandomState(1))
    finally:
        mt19937._samplers.cache_clear()
