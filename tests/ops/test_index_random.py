"""Random index expressions: reading, writing and gradients, natively and by reference, as NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import normal, written
from hypothesis import given, settings
from hypothesis import strategies as st

import theano
import theano.tensor as T
from theano.gradient import verify_grad

DTYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"]


@st.composite
def slices(draw: Any) -> slice:
    bound = st.none() | st.integers(-5, 5)
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, -1, -2, 3])))


@st.composite
def arrays(draw: Any, size: int, batch: tuple[int, ...]) -> Any:
    """Integers that index a dimension of this size, of a shape that broadcasts to ``batch``."""
    shape = tuple(draw(st.sampled_from([n, 1])) if n != 1 else 1 for n in batch)
    shape = shape[draw(st.integers(0, max(0, len(shape) - 1))) :]
    dtype = draw(st.sampled_from(DTYPES))
    low = 0 if dtype[0] == "u" else -size
    values = st.integers(low, size - 1) if size else st.nothing()
    count = int(np.prod(shape))
    found = draw(st.lists(values, min_size=count, max_size=count)) if count else []
    return np.array(found, dtype=dtype).reshape(shape)


@st.composite
def masks(draw: Any, shape: tuple[int, ...], count: int) -> Any:
    """A mask with ``count`` True, or with one where it has not so many elements."""
    places = draw(st.permutations(range(int(np.prod(shape)))))
    mask = np.zeros(len(places), dtype=bool)
    mask[places[: count if count <= len(places) else 1]] = True
    return mask.reshape(shape)


@st.composite
def cases(draw: Any, advanced: bool) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape, and a key for it: ints, slices, None, an ellipsis, arrays, at most one mask."""
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    batch = tuple(draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=2)))
    kinds = ["int", "slice", "slice", *(["array", "array"] if advanced else [])]
    key: list[Any] = []
    if advanced and draw(st.booleans()):
        key.append(draw(masks(shape[: draw(st.integers(1, min(2, len(shape))))], batch[-1])))
    for size in shape[np.ndim(key[0]) if key else 0 :]:
        kind = draw(st.sampled_from(kinds))
        strategies = {
            "int": st.integers(-size, size - 1),
            "slice": slices(),
            "array": arrays(size, batch),
        }
        key.append(draw(strategies[kind]))
    first = draw(st.integers(0, len(key)))
    if draw(st.booleans()):
        last = draw(st.integers(first, len(key)))
        key[first:last] = [Ellipsis]
    else:
        del key[first:]
    for _ in range(draw(st.integers(0, 2))):
        key.insert(draw(st.integers(0, len(key))), None)
    if all(e is None or e is Ellipsis or _is_full(e) for e in key):
        key = [slice(1, None)]  # new axes alone are no index that can be written to
    return shape, tuple(key)


def _is_full(entry: Any) -> bool:
    return isinstance(entry, slice) and entry == slice(None)


def symbolic(key: tuple[Any, ...]) -> tuple[list[Any], list[Any], tuple[Any, ...]]:
    """Variables, their values, and the key of them: every integer, slice part and array."""
    variables: list[Any] = []
    values: list[Any] = []

    def make(value: Any) -> Any:
        if value is None or value is Ellipsis:
            return value
        if isinstance(value, slice):
            return slice(make(value.start), make(value.stop), make(value.step))
        value = np.asarray(value)
        pattern = tuple(n == 1 and value.dtype != bool for n in value.shape)
        variables.append(T.TensorType(value.dtype.name, pattern)())
        values.append(value)
        return variables[-1]

    return variables, values, tuple(make(entry) for entry in key)


def check(shape: tuple[int, ...], key: tuple[Any, ...], mode: Any, by_variables: bool) -> None:
    """Reading, writing, and the gradients of both, against NumPy."""
    a = normal(*shape)
    variables, values, spelled = symbolic(key) if by_variables else ([], [], key)
    x = T.TensorType("float64", (False,) * len(shape))("x")
    part = x[spelled]
    expected = np.asarray(a[key])
    assert part.type.ndim == expected.ndim
    for static, size in zip(part.type.shape, expected.shape, strict=True):
        assert static is None or static == size
    weights = np.random.default_rng(3).normal(size=expected.shape)
    w = T.TensorType("float64", (False,) * expected.ndim)("w")
    w_part = T.patternbroadcast(w, part.type.broadcastable)
    outs = [
        part,
        T.inc_subtensor(part, w_part),
        T.set_subtensor(part, w_part),
        theano.grad((part * w_part).sum(), x),
        theano.grad((T.inc_subtensor(part, w_part) ** 2).sum(), w),
    ]
    f = theano.function([x, w, *variables], outs, mode=mode, on_unused_input="ignore")
    got = f(a, weights, *values)
    added = written(a, key, weights, True)
    wanted = [
        expected,
        added,
        written(a, key, weights, False),
        written(np.zeros(shape), key, weights, True),
        2 * added[key],
    ]
    for found, want in zip(got, wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-12, atol=1e-14)


@given(cases(advanced=False))
@settings(max_examples=25, deadline=None)
def test_basic_native(case: Any) -> None:
    check(*case, None, by_variables=True)


@pytest.mark.parametrize("by_variables", [False, True])
@given(cases(advanced=True))
@settings(max_examples=50, deadline=None)
def test_advanced_native(by_variables: bool, case: Any) -> None:
    check(*case, None, by_variables)


@given(cases(advanced=True))
@settings(max_examples=20, deadline=None)
def test_advanced_as_a_program_in_numpy(case: Any) -> None:
    check(*case, theano.Mode(linker="numpy"), by_variables=True)


@given(cases(advanced=True))
@settings(max_examples=30, deadline=None)
def test_advanced_by_reference(case: Any) -> None:
    check(*case, theano.Mode(linker="py", optimizer=None), by_variables=True)


@pytest.mark.parametrize(
    "key",
    [
        (np.array([0, 2, 0]),),
        (slice(None), np.array([[1, 0], [1, 1]])),
        (np.array([0, 2]), slice(None, None, -1), np.array([1, 1])),
        (np.array([[True, False, True], [False, True, True]]).T, slice(1, None)),
        (0, np.array([1, 1, 0]), None),
        (slice(1, None), -1),
    ],
    ids=str,
)
def test_second_order(key: Any) -> None:
    """Gradients of gradients, of reading and of both ways of writing."""
    a = normal(3, 2, 4)
    y = normal(*a[key].shape)

    def reads(x: Any) -> Any:
        return theano.grad((x[key] ** 3).sum(), x)

    def writes(x: Any, y: Any) -> Any:
        total = (T.inc_subtensor(x[key], y) ** 3).sum() + (T.set_subtensor(x[key], y) ** 3).sum()
        return T.concatenate([g.flatten() for g in theano.grad(total, [x, y])])

    rng = np.random.RandomState(5)
    verify_grad(reads, [a], rng=rng)
    part = a[key]
    if part.size == np.unique(np.arange(a.size).reshape(a.shape)[key]).size:
        verify_grad(writes, [a, y], rng=rng)
