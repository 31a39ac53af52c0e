"""Fresh: what shares memory with something known is copied."""

from __future__ import annotations

import numpy as np
import pytest

from theano.core.aliasing import Fresh

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


def test_sparse_matrices_get_index_arrays_of_their_own():
    sparse = pytest.importorskip("scipy.sparse")
    known = sparse.csr_matrix(np.eye(3))
    value = sparse.csr_matrix((np.ones(3), known.indices, known.indptr), shape=(3, 3))
    data = value.data
    taken = Fresh([known]).take(value)
    assert taken.data is data
    assert not np.shares_memory(taken.indices, known.indices)
    assert not np.shares_memory(taken.indptr, known.indptr)
    assert (taken.toarray() == np.eye(3)).all()


def test_lists_get_copies_of_the_arrays_that_are_known():
    known, new, nested = np.zeros(2), np.ones(2), np.zeros(3)
    values = [[known, [nested]], "text"]
    fresh = Fresh(values)
    result = fresh.take([known, new, [nested, new], "text"])
    assert result[0] is not known
    assert result[1] is new
    assert result[2][0] is not nested
    assert result[2][1] is new
    assert result[3] == "text"
    again = fresh.take([new])
    assert again[0] is not new


def test_a_list_that_holds_itself():
    known = np.zeros(2)
    loop = [known]
    loop.append(loop)
    result = Fresh([known]).take(loop)
    assert result[1] is result
    assert result[0] is not known
