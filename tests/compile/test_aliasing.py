"""Fresh: what shares memory with something known is copied."""

from __future__ import annotations

import numpy as np
import pytest

from theano.compile.aliasing import Fresh

BASE = np.arange(12.0).reshape(3, 4)

VIEWS = {
    "itself": lambda a: a,
    "slice": lambda a: a[1:, ::2],
    "transpose": lambda a: a.T,
    "reshape": lambda a: a.reshape(-1),
    "dtype": lambda a: a.view("int64"),
    "view of view": lambda a: a.T[1:][0],
    "broadcast": lambda a: np.broadcast_to(a, (2, 3, 4)),
    "as_strided": lambda a: np.lib.stride_tricks.as_strided(a, (2, 2), (8, 8)),
    "windows": lambda a: np.lib.stride_tricks.sliding_window_view(a, (2, 2)),
    "buffer": lambda a: np.frombuffer(memoryview(a), "float64"),
    "interface": lambda a: np.asarray(memoryview(a)),
    "diagonal": lambda a: a.diagonal(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_found_in_both_directions(name):
    base = BASE.copy()
    view = VIEWS[name](base)
    assert np.shares_memory(base, view)
    for known, value in ((base, view), (view, base)):
        taken = Fresh([known]).take(value)
        np.testing.assert_array_equal(taken, value)
        assert not np.shares_memory(taken, base)


def test_new_arrays_are_not_copied():
    a = BASE + 1
    fresh = Fresh([BASE])
    assert fresh.take(a) is a
    assert fresh.take(a) is not a
    assert fresh.take(a, borrow=True) is a


def test_objects_are_copied_when_they_were_seen():
    known = [1, 2]
    fresh = Fresh([known])
    assert fresh.take(known) == known
    assert fresh.take(known) is not known
    assert fresh.take("text") == "text"
