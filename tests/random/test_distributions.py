"""Each distribution of RandomStream against SciPy's, with fixed seeds."""

import inspect

import numpy as np
import pytest
import scipy.stats as st

import theano
import theano.tensor as T
from theano.gradient import NullTypeGradError, verify_grad
from theano.ops.random_rejection import SAMPLERS, PhiloxSampler
from theano.tensor import random
from theano.tensor.random import RandomStream

N = 8000
REFERENCE = theano.Mode(linker="py", optimizer=None)

CONTINUOUS = [
    ("uniform", (1.0, 3.0), st.uniform(1, 2)),
    ("normal", (1.0, 2.0), st.norm(1, 2)),
    ("lognormal", (0.5, 0.5), st.lognorm(0.5, scale=np.exp(0.5))),
    ("halfnormal", (2.0,), st.halfnorm(scale=2)),
    ("exponential", (2.0,), st.expon(scale=2)),
    ("gumbel", (1.0, 2.0), st.gumbel_r(1, 2)),
    ("laplace", (1.0, 2.0), st.laplace(1, 2)),
    ("logistic", (1.0, 2.0), st.logistic(1, 2)),
    ("cauchy", (1.0, 2.0), st.cauchy(1, 2)),
    ("truncated_normal", (1.0, 2.0), st.truncnorm(-2, 2, 1, 2)),
    ("truncated_normal", (0.0, 1.0, 4.0, 6.0), st.truncnorm(4, 6)),
    ("truncated_normal", (0.0, 1.0, -np.inf, -3.0), st.truncnorm(-np.inf, -3)),
    ("weibull", (1.5,), st.weibull_min(1.5)),
    ("rayleigh", (2.0,), st.rayleigh(scale=2)),
    ("pareto", (3.0,), st.lomax(3)),
    ("gamma", (0.3, 2.0), st.gamma(0.3, scale=2)),
    ("gamma", (7.5,), st.gamma(7.5)),
    ("chisquare", (3.0,), st.chi2(3)),
    ("standard_t", (5.0,), st.t(5)),
    ("beta", (0.5, 2.0), st.beta(0.5, 2)),
    ("vonmises", (0.5, 2.0), st.vonmises(2, 0.5)),
    ("vonmises", (0.0, 1e-8), st.uniform(-np.pi, 2 * np.pi)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_continuous_distributions(dtype):
    rng = RandomStream(2024)
    samples = [getattr(rng, name)(*args, size=N, dtype=dtype) for name, args, _ in CONTINUOUS]
    values = theano.function([], samples)()
    for value, (name, args, model) in zip(values, CONTINUOUS, strict=True):
        assert value.dtype == dtype
        assert value.shape == (N,)
        assert st.kstest(value.astype("f8"), model.cdf).pvalue > 1e-4, (name, args)


DISCRETE = [
    ("bernoulli", (0.3,), st.bernoulli(0.3)),
    ("integers", (-3, 5), st.randint(-3, 5)),
    ("integers", (7,), st.randint(0, 7)),
    ("geometric", (0.3,), st.geom(0.3)),
    ("poisson", (0.2,), st.poisson(0.2)),
    ("poisson", (9.0,), st.poisson(9)),
    ("poisson", (40.0,), st.poisson(40)),
    ("binomial", (10, 0.3), st.binom(10, 0.3)),
    ("binomial", (40, 0.95), st.binom(40, 0.95)),
    ("binomial", (200, 0.4), st.binom(200, 0.4)),
    ("negative_binomial", (3.0, 0.4), st.nbinom(3, 0.4)),
    ("categorical", ([0.1, 0.2, 0.7],), st.rv_discrete(values=([0, 1, 2], [0.1, 0.2, 0.7]))),
    ("choice", (4, N, True, [0.1, 0.2, 0.3, 0.4]),
     st.rv_discrete(values=(range(4), [0.1, 0.2, 0.3, 0.4]))),
]  # fmt: skip


def chi_square(value, model):
    """The probability of counts as uneven as these; rare values are taken together."""
    low, high = int(model.ppf(0.01)), int(model.ppf(0.99))
    middle = np.arange(low + 1, high)
    seen = [np.sum(value <= low), *(np.sum(value == k) for k in middle), np.sum(value >= high)]
    expected = [model.cdf(low), *model.pmf(middle), model.sf(high - 1)]
    return st.chisquare(seen, np.array(expected) * len(value)).pvalue


def test_discrete_distributions():
    rng = RandomStream(7)
    samples = [
        getattr(rng, name)(*args, **({} if name == "choice" else {"size": N}))
        for name, args, _ in DISCRETE
    ]
    values = theano.function([], samples)()
    for value, (name, args, model) in zip(values, DISCRETE, strict=True):
        assert value.dtype == "int64"
        assert value.shape == (N,)
        assert chi_square(value, model) > 1e-4, (name, args)


@pytest.mark.parametrize("name", [*SAMPLERS, "normal", "truncated_normal", "standard_t"])
def test_numbers_do_not_depend_on_the_backend(name):
    args = {"gamma": (0.7,), "poisson": (20.0,), "binomial": (50, 0.5), "vonmises": (0.0, 3.0),
            "standard_t": (4.0,)}.get(name, ())  # fmt: skip
    a, b = (
        theano.function([], getattr(RandomStream(3), name)(*args, size=(20, 11)), mode=mode)()
        for mode in ("FAST_RUN", REFERENCE)
    )
    assert np.allclose(a, b, rtol=1e-9, atol=1e-12)


# parameters and sizes ------------------------------------------------------------------------


def test_parameters_broadcast():
    rng = RandomStream(5)
    loc = T.dvector()
    f = theano.function([loc], [
        rng.normal(loc, 0.001), rng.normal(loc, 0.001, size=(4, 3)), rng.poisson(loc),
        rng.gamma(loc, size=(2, 3)), rng.integers(0, [2, 100, 1000]), rng.binomial(10, [0.0, 1.0]),
    ])  # fmt: skip
    means = np.array([100.0, 200.0, 300.0])
    a, b, c, d, e, g = f(means)
    assert np.allclose(a, means, atol=0.1)
    assert np.allclose(b, np.tile(means, (4, 1)), atol=0.1)
    assert np.allclose(c, means, rtol=0.5)
    assert d.shape == (2, 3)
    assert (e < [2, 100, 1000]).all()
    assert g.tolist() == [0, 10]


def test_symbolic_sizes():
    rng = RandomStream(5)
    n, x, shape = T.iscalar(), T.dmatrix(), T.lvector()
    f = theano.function([n, x], [
        rng.normal(size=(n, 2)), rng.uniform(size=x.shape), rng.poisson(3.0, size=n),
        rng.permutation(n), rng.categorical(x),
    ])  # fmt: skip
    shapes = [v.shape for v in f(4, np.ones((2, 3)))]
    assert shapes == [(4, 2), (2, 3), (4,), (4,), (2,)]
    with pytest.raises(ValueError, match="length not known"):
        rng.normal(size=shape)


def test_dtypes():
    rng = RandomStream(1)
    assert rng.normal(size=3).dtype == theano.config.floatX
    assert rng.normal(size=3, dtype="float16").dtype == "float16"
    assert rng.normal(T.fvector(), dtype="float32").dtype == "float32"
    assert rng.normal(T.dvector()).dtype == "float64"
    assert rng.bernoulli(0.5, size=3, dtype="bool").dtype == "bool"
    assert rng.integers(3, size=3, dtype="uint8").dtype == "uint8"
    with pytest.raises(TypeError, match="dtype"):
        rng.normal(size=3, dtype="int32")


def test_integers():
    rng = RandomStream(1)
    f = theano.function([], [
        rng.integers(1, 6, size=4000, endpoint=True), rng.integers(-(2**62), 2**62, size=50),
        rng.integers(0, np.array([1, 1]), size=(3, 2)),
    ])  # fmt: skip
    dice, wide, none = f()
    assert set(dice.tolist()) == {1, 2, 3, 4, 5, 6}
    assert wide.min() < -(2**60)
    assert wide.max() > 2**60
    assert not none.any()
    with pytest.raises(TypeError, match="integers"):
        rng.integers(0.0, 1.0)


def test_multinomial_and_dirichlet():
    rng = RandomStream(1)
    p = np.array([0.1, 0.2, 0.0, 0.7])
    counts, rows, shares = theano.function([], [
        rng.multinomial(1000, p, size=50), rng.multinomial([3, 5], p),
        rng.dirichlet([1.0, 2.0, 5.0], size=4000),
    ])()  # fmt: skip
    assert counts.sum(axis=1).tolist() == [1000] * 50
    assert np.allclose(counts.mean(axis=0), 1000 * p, atol=15)
    assert not counts[:, 2].any()
    assert rows.sum(axis=1).tolist() == [3, 5]
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares.mean(axis=0), np.array([1, 2, 5]) / 8, atol=0.02)
    with pytest.raises(ValueError, match="number of categories"):
        rng.multinomial(3, T.dvector())


def test_permutations_and_choices():
    rng = RandomStream(1)
    x = T.dmatrix()
    f = theano.function([x], [
        rng.permutation(50), rng.permutation(x), rng.choice(x, size=2, replace=False),
        rng.choice(9, size=(3, 3), replace=False), rng.choice([7.0, 8.0], size=30),
        rng.choice(3, size=2, replace=False, p=[0.5, 0.0, 0.5]), rng.choice(4),
    ])  # fmt: skip
    rows = np.arange(12.0).reshape(6, 2)
    order, shuffled, some, square, values, likely, one = f(rows)
    assert sorted(order) == list(range(50))
    assert sorted(map(tuple, shuffled)) == sorted(map(tuple, rows))
    assert {tuple(r) for r in some} <= {tuple(r) for r in rows}
    assert len({tuple(r) for r in some}) == 2
    assert sorted(square.ravel()) == list(range(9))
    assert set(values) == {7.0, 8.0}
    assert sorted(likely) == [0, 2]
    assert one in range(4)
    with pytest.raises(ValueError, match="without replacement"):
        rng.choice(3, size=4, replace=False)


def test_categorical_from_logits():
    logits = np.log([[1.0, 3.0], [1.0, 1.0]])
    value = theano.function([], RandomStream(3).categorical(logits=logits, size=(4000, 2)))()
    assert np.allclose(value.mean(axis=0), [0.75, 0.5], atol=0.04)
    with pytest.raises(TypeError, match="p or logits"):
        RandomStream(3).categorical()


# gradients ------------------------------------------------------------------------------------


REPARAMETRISED = ["uniform", "normal", "lognormal", "gumbel", "laplace", "logistic", "cauchy",
                  "truncated_normal"]  # fmt: skip


@pytest.mark.parametrize("name", REPARAMETRISED)
def test_gradients_flow_to_location_and_scale(name):
    draw = getattr(random, name)
    start = T.constant(random.state_value(3))
    points = [np.array([0.3, -0.2, 0.5]), np.array([0.7, 1.1, 0.9])]
    verify_grad(lambda a, b: draw(start, a, b)[1], points, rng=np.random.RandomState(1))


def test_a_gradient_is_of_the_same_sample():
    loc = T.dscalar()
    sample = RandomStream(3).normal(loc, 2.0, size=5)
    f = theano.function([loc], [sample, theano.grad((sample**2).sum(), loc)])
    value, slope = f(1.5)
    assert np.isclose(slope, 2 * value.sum())


def test_gamma_scales():
    scale = T.dscalar()
    sample = RandomStream(3).gamma(2.0, scale, size=4)
    value, slope = theano.function([scale], [sample, theano.grad(sample.sum(), scale)])(3.0)
    assert np.isclose(slope, value.sum() / 3)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("gamma", ()), ("chisquare", ()), ("standard_t", ()), ("poisson", ()), ("bernoulli", ()),
        ("geometric", ()), ("categorical", ()), ("binomial", (3,)), ("multinomial", (3,)),
        ("negative_binomial", (3.0,)), ("vonmises", (0.0,)), ("dirichlet", ()),
    ],
)  # fmt: skip
def test_no_silent_zero_where_there_is_no_gradient(name, others):
    p = T.dvector()
    given = T.specify_shape(p, (3,)) if name == "multinomial" else p
    sample = getattr(RandomStream(1), name)(*others, given)
    with pytest.raises(NullTypeGradError):
        theano.grad(T.cast(sample, "float64").sum() * p.sum(), p)


# bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        ("gamma", (-1.0,), "shape must be positive"),
        ("gamma", (np.nan,), "shape must be positive"),
        ("poisson", (-1.0,), "mean must be"),
        ("binomial", (3, 1.5), "p in"),
        ("vonmises", (0.0, -1.0), "kappa"),
    ],
)
def test_bad_parameters(name, args, words):
    f = theano.function([], getattr(RandomStream(1), name)(*args, size=3))
    with pytest.raises(ValueError, match=words):
        f()


def test_bad_sizes():
    rng = RandomStream(1)
    for bad in ((2.5,), "3", T.dvector(), (True,)):
        with pytest.raises(TypeError):
            rng.normal(size=bad)
    with pytest.raises(ValueError, match="has 1 dimensions"):
        rng.normal(np.zeros((2, 3)), size=3)
    with pytest.raises(ValueError, match="do not broadcast"):
        rng.normal(np.zeros(3), size=(1,))
    with pytest.raises(ValueError, match=r"(?i)dimension|shape"):
        theano.function([], rng.normal(np.zeros(3), size=4))()
    with pytest.raises(ValueError, match="kind"):
        PhiloxSampler("nonsense", "float64")
    with pytest.raises(ValueError, match="negative"):
        rng.gamma(1.0, size=-3)


def test_methods_show_their_parameters():
    function, method = (
        list(inspect.signature(f).parameters) for f in (random.normal, RandomStream(1).normal)
    )
    assert function == ["state", "loc", "scale", "size", "dtype"]
    assert method == ["loc", "scale", "size", "dtype"]
    assert "deviation" in RandomStream.normal.__doc__
