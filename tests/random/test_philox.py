"""Philox4x32-10: known answers, the same numbers everywhere, streams and their updates."""

import pickle

import numpy as np
import pytest
import scipy.stats

import theano
import theano.tensor as T
from theano.ops.random_philox import KINDS, Philox, block_words, mulhi, philox4x32
from theano.tensor import random
from theano.tensor.random import RandomStream

REFERENCE = theano.Mode(linker="py", optimizer=None)
PROGRAM = theano.Mode(linker="numpy", optimizer="fast_run")
ALL = 2**32 - 1

# counter, key, words: the known answers of the authors' distribution (Random123).
ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ALL,) * 4, (ALL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("counter", "key", "words"), ANSWERS)
def test_known_answers(counter, key, words):
    assert tuple(int(w) for w in philox4x32(counter, key)) == words


def test_native_bits_are_the_blocks():
    seed, stream, call = 0xDEADBEEF, 0x12345678, 2**40 + 3
    key, number = np.uint64(seed | stream << 32), np.uint64(call)
    words = [
        philox4x32((i, 0, call & ALL, call >> 32), (seed, stream)) for i in range(30)
    ]  # fmt: skip
    for dtype in ("uint32", "uint64"):
        bits = theano.function([], Philox("bits", dtype)(key, number, 5, 6))()
        wanted = [int(a) | int(b) << 32 if dtype == "uint64" else int(a) for a, b, _, _ in words]
        assert bits.dtype == dtype
        assert bits.ravel().tolist() == wanted
    assert [int(w[7]) for w in block_words(key, number, np.arange(30))] == [
        int(w) for w in words[7]
    ]


CASES = [(kind, dtype) for kind, row in KINDS.items() for dtype in row.dtypes]


@pytest.mark.parametrize(("kind", "dtype"), CASES)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (17,), (7, 33), (3, 1, 5)])
def test_numbers_do_not_depend_on_the_backend(kind, dtype, shape):
    key, call = theano.shared(np.uint64(77)), theano.shared(np.uint64(3))
    sample = Philox(kind, dtype)(key, call, *shape)
    a, *others = (theano.function([], sample, mode=mode)() for mode in (None, REFERENCE, PROGRAM))
    for b in others:
        assert a.dtype == b.dtype == dtype
        assert a.shape == b.shape == shape
        same(kind, dtype, a, b)


def same(kind, dtype, a, b):
    if kind == "normal":
        assert np.allclose(a, b, rtol=0, atol={"float16": 4e-3, "float32": 4e-6}.get(dtype, 1e-13))
    else:
        assert np.array_equal(a, b)


def test_a_device_draws_the_same(device):
    from theano.backends.opencl import build
    from theano.lower.function import lower_function

    key, call = theano.shared(np.uint64(77)), theano.shared(np.uint64(3))
    cases = [case for case in CASES if case[1] in ("float32", "uint32", "uint64")]
    samples = [Philox(kind, dtype)(key, call, 7, 33) for kind, dtype in cases]
    maker = theano.function([], samples, mode=PROGRAM).maker
    lowered = lower_function(maker.variables, maker.rewritten_outputs, maker.rewritten_updates)
    compiled = build.compile_program(lowered.program, device.name)
    entry = compiled.make_entry(lowered.program, [s.container.storage for s in lowered.shared])
    for (kind, dtype), a, b in zip(cases, entry(), theano.function([], samples)(), strict=True):
        same(kind, dtype, a, b)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ranges(dtype):
    key, call = np.uint64(1), np.uint64(0)
    u, v, z = theano.function(
        [], [Philox(kind, dtype)(key, call, 200_000) for kind in ("uniform", "open", "normal")]
    )()
    assert u.min() >= 0
    assert u.max() < 1
    assert v.min() > 0
    assert v.max() < 1
    assert np.isfinite(z).all()
    assert abs(u.mean(dtype="f8") - 0.5) < 0.003
    assert abs(z.mean(dtype="f8")) < 0.01
    assert abs(z.std(dtype="f8") - 1) < 0.01


def test_an_element_does_not_depend_on_the_shape():
    key, call = np.uint64(5), np.uint64(0)
    flat = Philox("normal", "float64")(key, call, 60).eval()
    cube = Philox("normal", "float64")(key, call, 3, 4, 5).eval()
    assert np.allclose(cube.ravel(), flat, rtol=1e-12)


def test_mulhi():
    rng = np.random.default_rng(1)
    a, b = (rng.integers(0, 2**64, 300, dtype=np.uint64) for _ in range(2))
    b[:3], a[3:5] = [0, 1, 2**64 - 1], 2**64 - 1
    x, y = T.vector(dtype="uint64"), T.vector(dtype="uint64")
    wanted = [int(i) * int(j) >> 64 for i, j in zip(a, b, strict=True)]
    for mode in ("FAST_RUN", REFERENCE):
        assert theano.function([x, y], mulhi(x, y), mode=mode)(a, b).tolist() == wanted
    with pytest.raises(TypeError, match="uint64"):
        mulhi(T.lvector(), y)


def test_a_mask_fuses_with_what_it_masks():
    x = T.matrix(dtype="float32")
    mask = RandomStream(1).bernoulli(0.5, size=x.shape, dtype="float32")
    f = theano.function([x], (x * mask * np.float32(2)).sum())
    assert theano.explain(f, code=False)["program"].count("launch") <= 2  # and the state's step
    ones = np.ones((300, 200), "float32")
    assert abs(f(ones) / ones.size - 1) < 0.02
    assert f(ones) != f(ones)


# streams ---------------------------------------------------------------------------------------


def test_functions_advance_and_share():
    rng = RandomStream(42)
    v, w = rng.normal(size=(3,)), rng.normal(size=(3,))
    f = theano.function([], [v, v * 2, w])
    a, b, c = f()
    assert np.array_equal(b, 2 * a)
    assert not np.array_equal(a, c)
    g = theano.function([], v)
    later = g()
    assert not np.array_equal(later, a)
    assert not np.array_equal(f()[0], later)
    frozen = theano.function([], v, no_default_updates=True)
    assert np.array_equal(frozen(), frozen())
    assert np.array_equal(frozen(), g())
    assert v.rng.get_value().tolist() == [42, 4]
    assert w.rng.get_value().tolist() == [42 | 1 << 32, 2]
    assert rng.updates() == [v.update, w.update]


def test_seeds():
    def first(seed):
        return theano.function([], RandomStream(seed).uniform(size=(4,)))()

    assert np.array_equal(first(3), first(3))
    assert np.array_equal(first([1, 2, 3]), first([1, 2, 3]))
    assert np.array_equal(first(2**40), first(2**40))
    assert not np.array_equal(first(3), first(4))
    assert not np.array_equal(first(None), first(None))
    rng = RandomStream(9)
    f = theano.function([], rng.uniform(size=(4,)))
    a = f()
    f()
    rng.seed()
    assert np.array_equal(f(), a)
    rng.seed(3)
    assert np.array_equal(f(), first(3))
    for bad in (-1, np.int64(-5)):
        with pytest.raises(ValueError, match="negative"):
            RandomStream(bad)
    with pytest.raises(ValueError, match="stream"):
        random.state_value(1, stream=-1)


def test_streams_of_one_seed_and_calls_are_independent():
    rng = RandomStream(11)
    many = [rng.normal(size=(4000,)) for _ in range(6)]
    f = theano.function([], many)
    rows = np.array([*f(), *f()])
    correlation = np.corrcoef(rows) - np.eye(len(rows))
    assert abs(correlation).max() < 0.08
    neighbours = np.corrcoef(rows[0, :-1], rows[0, 1:])[0, 1]
    assert abs(neighbours) < 0.08


def test_bits_are_balanced_and_pairs_are_even():
    bits = Philox("bits", "uint64")(np.uint64(2), np.uint64(0), 20_000).eval()
    ones = np.unpackbits(bits.view(np.uint8)).reshape(20_000, 64).mean(axis=0)
    assert abs(ones - 0.5).max() < 0.02
    u = Philox("uniform", "float64")(np.uint64(2), np.uint64(1), 40_000).eval()
    cells = np.histogram2d(u[::2], u[1::2], bins=16, range=[[0, 1], [0, 1]])[0]
    assert scipy.stats.chisquare(cells.ravel()).pvalue > 1e-3


def test_states_are_values():
    start = T.vector("state", dtype="uint64")
    following, sample = random.normal(start, loc=1.0, size=(3,), dtype="float64")
    last, again = random.normal(following, loc=1.0, size=(3,), dtype="float64")
    f = theano.function([start], [following, last, sample, again])
    one, two, a, b = f(random.state_value(5, stream=2))
    assert one.tolist() == [5 | 2 << 32, 1]
    assert two.tolist() == [5 | 2 << 32, 2]
    assert not np.array_equal(a, b)
    assert np.array_equal(f(one)[2], b)
    with pytest.raises(TypeError, match="uint64"):
        random.normal(T.dvector())
    shared = random.state(5, stream=2, name="s")
    assert np.array_equal(theano.function([], random.normal(shared, 1.0, size=(3,))[1])(), a)


def test_own_distributions():
    @random.distribution
    def triangular(source, size=None):
        """The sum of two uniform numbers."""
        return source.draw("uniform", size, "float64") + source.draw("uniform", size, "float64")

    try:
        rng = RandomStream(4)
        value = theano.function([], rng.triangular(size=(5000,)))()
        assert scipy.stats.kstest(value / 2, scipy.stats.triang(0.5).cdf).pvalue > 1e-3
        assert "triangular" in dir(rng)
    finally:
        del random.distributions.DISTRIBUTIONS["triangular"]
    with pytest.raises(AttributeError, match="triangular"):
        rng.triangular  # noqa: B018


def test_pickles():
    rng = RandomStream(6)
    f = theano.function([], rng.gamma(2.0, size=(3,)) + rng.normal(size=(3,)))
    f()
    g = pickle.loads(pickle.dumps(f))
    assert np.array_equal(f(), g())
    other = pickle.loads(pickle.dumps(rng))
    assert other.state_updates[0][0].get_value().tolist() == [6, 2]


def test_ops_refuse_bad_input():
    key = np.uint64(1)
    with pytest.raises(ValueError, match="kind"):
        Philox("nonsense", "float32")
    with pytest.raises(TypeError, match="int8"):
        Philox("uniform", "int8")
    with pytest.raises(TypeError, match="uint64"):
        Philox("uniform", "float32")(1, key, 3)
    with pytest.raises(TypeError, match="extent"):
        Philox("uniform", "float32")(key, key, 3.5)
    with pytest.raises(ValueError, match="negative"):
        Philox("uniform", "float32")(key, key, -3)
    n = T.lscalar()
    f = theano.function([n], Philox("uniform", "float32")(key, key, n))
    with pytest.raises(ValueError, match="negative"):
        f(-2)
