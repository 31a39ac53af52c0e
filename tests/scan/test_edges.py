"""Loops at the edges: dtypes, lengths, what is not an array, errors, and what shows loops."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T

MODES = [None, theano.Mode("cvm", None), theano.Mode("py", "fast_run")]


def same(inputs: Any, outputs: Any, *values: Any, **kwargs: Any) -> Any:
    """The outputs, which all modes agree on."""
    results = [theano.function(inputs, outputs, mode=m, **kwargs)(*values) for m in MODES]
    for other in results[1:]:
        pairs = zip(*(r if isinstance(r, list) else [r] for r in (results[0], other)), strict=True)
        for a, b in pairs:
            assert np.asarray(a).dtype == np.asarray(b).dtype
            np.testing.assert_allclose(a, b, rtol=1e-6)
    return results[0]


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "complex128"])
def test_states_of_all_dtypes(dtype: str) -> None:
    x = T.matrix("x", dtype=dtype)
    out, _ = theano.scan(
        lambda a, s: T.xor(a, s) if dtype == "bool" else a + s, x, T.zeros_like(x[0])
    )
    assert out.dtype == dtype
    a = np.array([[1, 0], [1, 1], [0, 1]], dtype)
    got = same([x], [out, out[-1]], a)
    want = np.logical_xor.accumulate(a) if dtype == "bool" else np.cumsum(a, axis=0)
    np.testing.assert_array_equal(got[0], want)
    np.testing.assert_array_equal(got[1], want[-1])


@pytest.mark.parametrize(
    ("n", "rows"), [(0, 0), (1, 1), (2.0, 2), (3.7, 3), (np.int32(2), 2), (np.float64(1), 1)]
)
def test_numbers_of_steps(n: Any, rows: int) -> None:
    x = T.dvector("x")
    for steps in (n, T.constant(n)):
        out, _ = theano.scan(lambda s: s * 2, None, x, n_steps=steps)
        assert same([x], out, [1.0, 2.0]).shape == (rows, 2)


def test_arrays_and_lists_in_place_of_variables() -> None:
    for x in ([[1.0, 2.0, 3.0]], np.array([1.0, 2, 3]), [np.array([1.0, 2, 3])]):
        out, _ = theano.scan(lambda a, s: s + a, sequences=x, outputs_info=np.float64(0))
        assert same([], out).tolist() == [1, 3, 6]
    out, _ = theano.scan(lambda s: s * 2, None, np.ones(2), n_steps=2)
    assert same([], out).tolist() == [[2, 2], [4, 4]]


def test_the_shortest_sequence_counts_and_the_rest_gets_no_gradient() -> None:
    x, y = T.dvectors("x", "y")
    out, _ = theano.scan(lambda a, b, s: s + a * b, [x, y], np.float64(0))
    total, gx, gy = same([x, y], [out, *T.grad(out[-1], [x, y])], [1.0, 2, 3], [4.0, 5])
    assert total.tolist() == [4, 14]
    assert gx.tolist() == [4, 5, 0]
    assert gy.tolist() == [1, 2]


def test_what_is_no_array_stays_the_same() -> None:
    import scipy.sparse

    from theano import sparse, typed_list
    from theano.compile.ops import as_op

    A, x = sparse.csr_matrix("A"), T.dmatrix("x")
    out, _ = theano.scan(lambda h, A: T.tanh(sparse.dot(A, h)), None, x, A, n_steps=2)
    a = scipy.sparse.csr_matrix(np.array([[1.0, 0], [2, 3]]))
    h = np.ones((2, 2))
    np.testing.assert_allclose(same([A, x], out, a, h)[1], np.tanh(a @ np.tanh(a @ h)))
    lists = typed_list.TypedListType(T.dvector)("L")
    out, _ = theano.scan(lambda i, given: given[i] * 2, T.arange(2), None, lists)
    assert same([lists], out, [np.ones(2), np.zeros(2)]).tolist() == [[2, 2], [0, 0]]
    settings = theano.generic()

    @as_op(itypes=[T.dscalar, theano.generic], otypes=[T.dscalar])
    def look(v: Any, d: Any) -> Any:
        return np.asarray(v + d["k"])

    out, _ = theano.scan(look, None, T.zeros((), "float64"), settings, n_steps=3)
    assert same([settings], out, {"k": 2.0}).tolist() == [2, 4, 6]


def test_updates_with_others_and_with_values_before_and_after() -> None:
    s, z, x = theano.shared(np.float64(1)), theano.shared(np.float64(5)), T.dvector("x")
    for mode in MODES:
        s.set_value(1.0)
        z.set_value(5.0)
        out, updates = theano.scan(lambda r: (r * s, {s: s * 2}), x)
        updates[z] = z + s
        f = theano.function([x], [out, s, s + updates[s]], updates=updates, mode=mode)
        a, b, c = f([1.0, 1, 1])
        assert a.tolist() == [1, 2, 4]
        assert (b, c, s.get_value(), z.get_value()) == (1, 9, 8, 6)
        assert f([])[0].tolist() == []
        assert s.get_value() == 8
    with pytest.raises(ValueError, match="two updates"):
        theano.function([x], out, updates=[*updates.items(), (s, s + 1)])


def test_default_updates() -> None:
    s = theano.shared(np.int64(0))
    s.default_update = s + 1
    out, updates = theano.scan(lambda i: s + i * 0, T.arange(4))
    f = theano.function([], out, updates=updates)
    assert f().tolist() == [0, 1, 2, 3]
    assert s.get_value() == 4


@pytest.mark.parametrize("kind", ["RandomStreams", "MRG_RandomStreams"])
def test_two_loops_that_share_a_stream(kind: str) -> None:
    from theano.tensor.random.mrg import MRG_RandomStreams

    make = MRG_RandomStreams if kind.startswith("MRG") else T.shared_randomstreams.RandomStreams
    stream = make(3)

    def step(s: Any) -> Any:
        return s + stream.uniform(size=(2,), dtype="float64")

    loops = [theano.scan(step, None, T.zeros((2,), "float64"), n_steps=3) for _ in range(2)]
    updates = [pair for _, more in loops for pair in more.items()]
    for mode in MODES:
        f = theano.function([], [out for out, _ in loops], updates=updates, mode=mode)
        (a, b), (c, _) = f(), f()
        steps = [np.diff(v, axis=0, prepend=0) for v in (a, b, c)]
        assert len(np.unique(np.concatenate(steps).round(12))) == 3 * 3 * 2


def test_rows_that_are_too_long_for_their_state() -> None:
    """What a step gives is checked before it is written where there is no room for it."""
    W, x, n = T.dmatrix("W"), T.dvector("x"), T.lscalar("n")
    out, _ = theano.scan(lambda s, W: T.tanh(T.dot(s, W)), None, x, W, n_steps=n)
    other, _ = theano.scan(lambda s, y: T.exp(y), None, x, W[0], n_steps=n)
    for result in (out, out[-1], other, other[-1]):
        f = theano.function([x, W, n], result)
        for columns in (2, 4, 300_000):
            with pytest.raises(ValueError, match="shape"):
                f(np.ones(3), np.ones((3, columns)), 5)
        assert f(np.ones(3), np.eye(3), 2).shape[-1] == 3


def test_clones_pickles_and_copies_of_graphs() -> None:
    x, y = T.dvectors("x", "y")
    w = theano.shared(2.0)
    out, updates = theano.scan(
        lambda a, s: (s * w + a, {w: w + 1}), x, T.zeros((), dtype="float64")
    )
    assert same([y], theano.clone(out, replace={x: y * 2}), [1.0, 2]).tolist() == [2, 10]
    v = theano.shared(3.0)
    assert same([x], theano.clone(out, replace={w: v}), [1.0, 2]).tolist() == [1, 6]
    for again in (pickle.loads(pickle.dumps([x, out])), copy.deepcopy([x, out])):
        assert theano.function(again[:1], again[1])([1.0, 1]).tolist() == [1, 4]
    assert list(updates) == [w]


def test_printing() -> None:
    x, h = T.dvector("x"), T.dscalar("h")
    out, _ = theano.scan(lambda a, s: T.tanh(s * 2 + a), x, h, name="my_loop")
    f = theano.function([x, h], out)
    for shown in (out, f):
        text = io.StringIO()
        theano.printing.debugprint(shown, file=text)
        whole, _, inner = text.getvalue().partition("Inner graphs of the scan ops:")
        assert "for{cpu,my_loop}" in whole
        assert "tanh" in inner
        ids = {line.split()[0]: line.split("[id ")[1][0] for line in whole.splitlines()
               if "|x [id" in line}  # fmt: skip
        assert f"x[t] [id {inner.split('x[t] [id ')[1][0]}] -> [id {ids['|x']}]" in inner
    assert "my_loop" in theano.printing.pp(out)
    assert "for{cpu,my_loop}" in [str(n.op) for n in f.maker.fgraph.toposort()]


def test_arguments_that_are_only_accepted_and_old_names() -> None:
    from theano.scan_module import scan_op, scan_utils, scan_views

    x = T.dvector("x")
    for mode in ("FAST_RUN", "FAST_COMPILE", "DebugMode", theano.compile.get_default_mode()):
        out, _ = theano.scan(
            lambda a, s: s + a, x, np.float64(0), mode=mode, profile=True, allow_gc=False
        )
        assert theano.function([x], out, mode=mode)([1.0, 2]).tolist() == [1, 3]
    with theano.change_flags(**{"scan.allow_gc": True, "scan.allow_output_prealloc": False}):
        assert theano.config.scan.allow_gc
    assert isinstance(out.owner.op, scan_op.Scan)
    assert scan_views.map is theano.map
    assert scan_utils.until is theano.scan_module.until


@pytest.mark.parametrize("mode", MODES)
def test_an_error_in_a_step_leaves_all_as_it_was(mode: Any) -> None:
    from theano.compile.ops import as_op

    fails = [True]

    @as_op(itypes=[T.dscalar], otypes=[T.dscalar])
    def picky(v: Any) -> Any:
        if fails[0] and v > 2:
            raise RuntimeError("too much")
        return v + 1

    state, x = theano.shared(np.float64(0)), T.dvector("x")
    out, updates = theano.scan(
        lambda a, s: (picky(s) + a, {state: state + s}), x, T.zeros((), "float64")
    )
    f = theano.function([x], out, updates=updates, mode=mode)
    with pytest.raises(RuntimeError, match="too much"):
        f(np.ones(9))
    assert state.get_value() == 0
    fails[0] = False
    np.testing.assert_allclose(f(np.ones(3)), [2, 4, 6])
    assert state.get_value() == 6


def test_loops_without_steps_know_the_extents_of_their_rows() -> None:
    x = T.dmatrix("x")

    def step(r: Any) -> Any:
        inner, _ = theano.scan(
            lambda v, s: (T.tanh(s + v * r), theano.scan_module.until(s.sum() > 5)),
            r, T.zeros_like(r),
        )  # fmt: skip
        return inner[-1]

    out, _ = theano.scan(step, x)
    slope = T.grad((out**2).sum(), x)
    again = T.grad((slope**2).sum(), x)
    for value in same([x], [out, slope, again], np.zeros((0, 3))):
        assert value.shape == (0, 3)
