"""Indexing by bool masks: reading, writing, gradients; all natively."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import both, check_grad, normal
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import theano
import theano.tensor as T
from theano.gradient import verify_grad

X = normal(4, 3, 5)
ROWS = np.array([True, False, True, True])
LAST = np.array([False, True, True, False, True])
WHOLE = X > 0.2
KEYS = [
    (WHOLE,),
    (ROWS,),
    (ROWS, slice(1, None)),
    (slice(None), X[0] > 0),
    (Ellipsis, LAST),
    (1, slice(None), LAST),
    (ROWS, np.array([0, 2, 1])),
    (ROWS, slice(None), np.array([4, 0, 4])),
    (None, WHOLE[:, :, 0]),
    (slice(None, None, -1), slice(None), LAST),
    (np.zeros((4, 3), dtype=bool),),
    (np.ones(4, dtype=bool), 0),
]


def native(f: Any) -> bool:
    return "Python steps: none" in str(theano.explain(f, code=False))


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_reading_and_writing_are_numpys(key: Any) -> None:
    expected = X[key]
    np.testing.assert_array_equal(both(lambda x: x[key], X), expected)
    y = normal(*expected.shape)
    for write in (T.set_subtensor, T.inc_subtensor):
        wanted = X.copy()
        wanted[key] = y if write is T.set_subtensor else wanted[key] + y
        if write is T.inc_subtensor:
            wanted = X.copy()
            np.add.at(wanted, key, y)
        found = both(lambda x, y, w=write: w(x[key], y), X, y)
        np.testing.assert_allclose(found, wanted)
        filled = X.copy()
        if write is T.set_subtensor:
            filled[key] = 7
        else:
            np.add.at(filled, key, 7)
        np.testing.assert_allclose(both(lambda x, w=write: w(x[key], 7.0), X), filled)
    check_grad(lambda x: x[key] ** 2, X)
    check_grad(lambda x, y: T.inc_subtensor(x[key], y) ** 2, X, y)
    check_grad(lambda x, y: T.set_subtensor(x[key], y) ** 2, X, y)


@given(
    hnp.array_shapes(max_dims=3, max_side=5).flatmap(
        lambda shape: st.tuples(hnp.arrays(np.bool_, shape), hnp.arrays(np.int16, shape))
    )
)
@settings(max_examples=30, deadline=None)
def test_masks_as_variables(pair: Any) -> None:
    mask, x = pair
    m = T.TensorType("bool", (False,) * mask.ndim)("m")
    v = T.TensorType("int16", (False,) * mask.ndim)("v")
    f = theano.function([v, m], [v[m], v[m.nonzero()], T.set_subtensor(v[m], -1), v[~m].sum()])
    assert native(f)
    got = f(x[::-1], mask[::-1])  # not contiguous
    got = f(x, mask)
    want = x.copy()
    want[mask] = -1
    for found, expected in zip(got, [x[mask], x[mask], want, x[~mask].sum()], strict=True):
        np.testing.assert_array_equal(found, expected)


def test_everything_is_native() -> None:
    x, m, y = T.dmatrix("x"), T.TensorType("bool", (False, False))("m"), T.dvector("y")
    part = x[m]
    f = theano.function(
        [x, m, y],
        [part, T.set_subtensor(part, y), T.inc_subtensor(part, y), T.grad((part * y).sum(), x)],
    )
    assert native(f)
    a, mask = normal(3, 4), normal(3, 4) > 0
    values = np.arange(mask.sum(), dtype="float64")
    got = f(a, mask, values)
    written = a.copy()
    written[mask] = values
    np.testing.assert_array_equal(got[0], a[mask])
    np.testing.assert_array_equal(got[1], written)
    zeros = np.zeros_like(a)
    zeros[mask] = values
    np.testing.assert_array_equal(got[3], zeros)


def test_a_number_written_where_a_mask_holds_is_one_kernel() -> None:
    x, y = T.dmatrix("x"), T.dscalar("y")
    f = theano.function([x, y], T.exp(T.set_subtensor(x[x > 0], y)))
    program = theano.explain(f, code=False)["program"]
    assert program.count("launch") == 1
    assert "nonzero" not in program
    a = normal(3, 4)
    np.testing.assert_allclose(f(a, 0.5), np.exp(np.where(a > 0, 0.5, a)))


def test_masks_of_another_shape_are_refused() -> None:
    x, m = T.dmatrix("x"), T.TensorType("bool", (False,))("m")
    for out in (x[m], x[:, m], T.set_subtensor(x[m], 0.0), T.inc_subtensor(x[m, 0], 1.0)):
        f = theano.function([x, m], out)
        for length in (2, 4):
            with pytest.raises(IndexError, match="boolean index did not match"):
                f(normal(3, 3), np.ones(length, dtype=bool))


def test_values_of_another_shape_are_refused() -> None:
    x, m, y = T.dvector("x"), T.TensorType("bool", (False,))("m"), T.dvector("y")
    for write in (T.set_subtensor, T.inc_subtensor):
        f = theano.function([x, m, y], write(x[m], y))
        f(normal(3), np.array([True, False, True]), normal(2))
        for length in (1, 3):
            with pytest.raises(ValueError, match="cannot broadcast a value of shape"):
                f(normal(3), np.array([True, False, True]), normal(length))


def test_lists_of_bools_are_refused_with_advice() -> None:
    x = T.dmatrix("x")
    for key in ([True, False], [[True], [False]], (0, [True])):
        with pytest.raises(TypeError, match="NumPy array"):
            x[key]
    with pytest.raises(IndexError, match="too many"):
        x[np.ones((1, 1, 1), dtype=bool)]


def test_static_shapes() -> None:
    x = T.zeros((4, 3, 5))
    assert x[np.ones((4, 3), dtype=bool)].type.shape == (None, 5)
    assert x[:, np.ones(3, dtype=bool)].type.shape == (4, None, 5)


@pytest.mark.parametrize("key", [(ROWS,), (slice(None), X[0] > 0)], ids=["rows", "inner"])
def test_second_order(key: Any) -> None:
    y = normal(*X[key].shape)

    def gradient(x: Any, y: Any) -> Any:
        total = (x[key] ** 3).sum() + (T.set_subtensor(x[key], y) ** 3).sum()
        return T.concatenate([g.flatten() for g in T.grad(total, [x, y])])

    verify_grad(gradient, [X, y], rng=np.random.RandomState(2))


def test_directional_derivatives() -> None:
    direction = normal(4, 3, 5)
    for build in (lambda x: x[WHOLE], lambda x: T.inc_subtensor(x[ROWS], x[ROWS] * 2)):
        found = both(lambda x, d, b=build: T.Rop(b(x), x, d), X, direction)
        np.testing.assert_allclose(found, both(build, direction))


def test_a_mask_of_a_shared_variable_is_updated_in_place() -> None:
    table = theano.shared(np.arange(6.0))
    m = T.TensorType("bool", (False,))("m")
    f = theano.function([m], [], updates=[(table, T.set_subtensor(table[m], table[m] * 2))])
    f(np.array([True, False] * 3))
    assert table.get_value().tolist() == [0, 1, 4, 3, 8, 5]
