"""Loops against loops written in Python, natively and op by op."""

from __future__ import annotations

from collections.abc import Callable
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
RNG = np.random.RandomState(1)


def compiled(inputs: Any, outputs: Any, mode: Any, **kwargs: Any) -> Callable[..., Any]:
    """A function; on the native modes it must not have fallen back to NumPy."""
    f = theano.function(inputs, outputs, mode=mode, **kwargs)
    if mode is None:
        assert "Python steps: none" in str(theano.explain(f))
    return f


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [0, 1, 2, 7])
def test_power(mode: Any, steps: int) -> None:
    k, a = T.iscalar("k"), T.dvector("a")
    powers, updates = theano.scan(
        lambda last, a: last * a, outputs_info=T.ones_like(a), non_sequences=a, n_steps=k
    )
    assert not updates
    x = np.array([0.5, 2.0, -1.0])
    got = compiled([a, k], powers, mode)(x, steps)
    want = [x ** (i + 1) for i in range(steps)]
    np.testing.assert_allclose(got, np.reshape(want, (steps, 3)))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backwards", [False, True])
def test_sequences_with_taps(mode: Any, backwards: bool) -> None:
    x, y = T.dmatrix("x"), T.dvector("y")
    out, _ = theano.scan(
        lambda before, now, after, w: before + 10 * now + 100 * after + w,
        sequences=[{"input": x, "taps": [-1, 0, 2]}, y],
        go_backwards=backwards,
    )
    a, b = RNG.rand(8, 3), RNG.rand(9)
    n = 8 - 3
    rows = [(a[i], a[i + 1], a[i + 3], b[i]) for i in range(n)]
    if backwards:
        rows = [(a[n - 1 - i], a[n - i], a[n + 2 - i], b[8 - i]) for i in range(n)]
    want = [p + 10 * q + 100 * r + w for p, q, r, w in rows]
    np.testing.assert_allclose(compiled([x, y], out, mode)(a, b), want)


@pytest.mark.parametrize("mode", MODES)
def test_outputs_with_taps_and_several_outputs(mode: Any) -> None:
    x, start, s0 = T.dvector("x"), T.dvector("start"), T.dscalar("s0")

    def step(row: Any, m3: Any, m1: Any, s: Any) -> Any:
        return [m3 + 2 * m1 + row, s + m1, row * 2]

    (f, s, m), _ = theano.scan(step, x, [{"initial": start, "taps": [-3, -1]}, s0, None])
    a, v, total = RNG.rand(6), list(RNG.rand(3)), 0.5
    given = list(v)
    fs, ss = [], []
    for row in a:
        new, total = v[-3] + 2 * v[-1] + row, total + v[-1]
        v.append(new)
        fs.append(new)
        ss.append(total)
    got = compiled([x, start, s0], [f, s, m], mode)(a, given, 0.5)
    for g, w in zip(got, [fs, ss, a * 2], strict=True):
        np.testing.assert_allclose(g, w)


@pytest.mark.parametrize("mode", MODES)
def test_until_keeps_the_last_step(mode: Any) -> None:
    limit = T.dscalar("limit")
    out, _ = theano.scan(
        lambda x: (x * 2, theano.scan_module.until(x * 2 > limit)),
        outputs_info=np.float64(1),
        n_steps=50,
    )
    f = compiled([limit], [out, out[-1], out.shape[0]], mode)
    got, last, length = f(100.0)
    np.testing.assert_allclose(got, 2.0 ** np.arange(1, 8))
    assert last == 128.0
    assert length == 7
    assert f(1e300)[2] == 50


@pytest.mark.parametrize("mode", MODES)
def test_updates_of_shared_variables(mode: Any) -> None:
    counter = theano.shared(np.int64(3))
    other = theano.shared(np.zeros(2))
    x = T.dmatrix("x")

    def step(row: Any) -> Any:
        return row * counter, {counter: counter + 1, other: other + row}

    out, updates = theano.scan(step, x)
    f = compiled([x], out, mode, updates=updates)
    a = RNG.rand(4, 2)
    np.testing.assert_allclose(f(a), a * np.arange(3, 7)[:, None])
    assert counter.get_value() == 7
    np.testing.assert_allclose(other.get_value(), a.sum(0))
    f(a)
    assert counter.get_value() == 11


def test_updates_that_are_not_passed_change_nothing() -> None:
    counter = theano.shared(np.int64(0))
    out, updates = theano.scan(lambda: {counter: counter + 1}, n_steps=5)
    assert out is None
    theano.function([], [])()
    assert counter.get_value() == 0
    theano.function([], [], updates=updates)()
    assert counter.get_value() == 5


@pytest.mark.parametrize("mode", MODES)
def test_nested(mode: Any) -> None:
    x = T.dmatrix("x")

    def outer(row: Any, total: Any) -> Any:
        inner, _ = theano.scan(lambda v, s: T.tanh(s + v * total), row, T.zeros(()))
        return total + inner[-1]

    out, _ = theano.scan(outer, x, T.ones(()))
    a = RNG.rand(4, 3)
    want, total = [], 1.0
    for row in a:
        s = 0.0
        for v in row:
            s = np.tanh(s + v * total)
        total += s
        want.append(total)
    np.testing.assert_allclose(compiled([x], out, mode)(a), want)
    verify_grad(lambda x: theano.clone(out, {out_input(out, x): x})[-1], [a], rng=RNG)


def out_input(out: Any, like: Any) -> Any:
    """The matrix that ``out`` was built from."""
    from theano.graph import traverse

    return next(v for v in traverse.roots([out]) if v.name == "x")


def rnn(x: Any, w: Any, h: Any) -> Any:
    return theano.scan(lambda row, h, w: T.tanh(row + T.dot(h, w)), [x], [h], [w])[0]


GRADIENTS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "rnn": (lambda x, w, h: (rnn(x, w, h) ** 2).sum(), [(5, 2, 3), (3, 3), (2, 3)]),
    "rnn, last": (lambda x, w, h: (rnn(x, w, h)[-1] ** 2).sum(), [(5, 2, 3), (3, 3), (2, 3)]),
    "taps": (
        lambda a, s: theano.scan(
            lambda m2, m1, a: T.tanh(m2 * a + m1 * m1), None, [{"initial": s, "taps": [-2, -1]}],
            [a], n_steps=6)[0][2:].sum(),
        [(3,), (2, 3)],
    ),
    "one far tap": (
        lambda s: theano.scan(
            lambda m3: T.sin(m3) * 2, None, [{"initial": s, "taps": [-3]}], n_steps=5)[0].sum(),
        [(3, 2)],
    ),
    "map": (lambda x, y: theano.map(lambda r, q: T.exp(r) * q, [x], [y])[0].sum(), [(4, 2), (2,)]),
    "backwards": (
        lambda x: theano.foldr(lambda r, acc: acc * r + r, x, T.ones(()))[0], [(5,)],
    ),
    "two states": (
        lambda x, h: theano.scan(
            lambda r, h, c: [T.tanh(r + c), c * 0.5 + h * r], [x], [h, h * 2])[0][0][-1].sum(),
        [(4, 3), (3,)],
    ),
    "results that depend on each other": (
        lambda x, h: sum(v.sum() for v in theano.scan(
            lambda r, h: [T.tanh(h * r), T.sqr(T.tanh(h * r)) + h], [x], [h, None])[0]),
        [(4, 3), (3,)],
    ),
    "until": (
        lambda x: theano.scan(
            lambda v: (v * 1.5 + T.sin(v), theano.scan_module.until(v > 6)), None, [x],
            n_steps=30)[0].sum(),
        [()],
    ),
    "sequence taps": (
        lambda x: theano.scan(
            lambda a, b, s: s * a + b, [{"input": x, "taps": [-1, 1]}], [T.zeros(())])[0].sum(),
        [(6,)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_first_and_second_order(name: str) -> None:
    build, shapes = GRADIENTS[name]
    point = [RNG.rand(*shape) * 0.8 + 0.1 for shape in shapes]
    verify_grad(build, point, rng=RNG)

    def slope(*args: Any) -> Any:
        grads = theano.grad(build(*args), list(args), disconnected_inputs="ignore")
        return sum((g**2).sum() for g in grads)

    verify_grad(slope, point, rng=RNG)


@pytest.mark.parametrize("name", GRADIENTS)
def test_directional_derivatives(name: str) -> None:
    build, shapes = GRADIENTS[name]
    xs = [T.TensorType("float64", (False,) * len(s))() for s in shapes]
    vs = [x.type() for x in xs]
    cost = build(*xs)
    forward = theano.Rop(cost, xs, vs)
    backward = sum((g * v).sum() for g, v in zip(theano.grad(cost, xs), vs, strict=True))
    f = theano.function([*xs, *vs], [forward, backward])
    values = [RNG.rand(*s) * 0.8 + 0.1 for s in shapes]
    a, b = f(*values, *[RNG.randn(*s) for s in shapes])
    np.testing.assert_allclose(a, b, rtol=1e-8)


@pytest.mark.parametrize("mode", MODES)
def test_truncated_gradient(mode: Any) -> None:
    x, h0, w = T.dvector("x"), T.dscalar("h0"), T.dscalar("w")
    out, _ = theano.scan(lambda r, h, w: h * w + r, x, h0, w, truncate_gradient=2)
    grads = theano.grad(out[-1], [x, h0, w])
    f = theano.function([x, h0, w], grads, mode=mode)
    a = np.arange(1.0, 6.0)
    gx, gh, gw = f(a, 0.5, 0.9)
    h = [0.5]
    for r in a:
        h.append(h[-1] * 0.9 + r)
    np.testing.assert_allclose(gx, [0, 0, 0, 0.9, 1])
    assert gh == 0
    np.testing.assert_allclose(gw, h[4] + 0.9 * h[3])


def test_one_step_is_the_step_itself() -> None:
    x = T.dvector("x")
    out, _ = theano.scan(lambda s: s * 2, outputs_info=x, n_steps=1)
    f = theano.function([x], out)
    assert not any("for{" in str(node.op) for node in f.maker.fgraph.toposort())
    np.testing.assert_allclose(f([1, 2]), [[2, 4]])


def test_only_the_last_value_is_kept() -> None:
    """A long loop needs no memory for values that nobody takes."""
    n = T.lscalar("n")
    out, _ = theano.scan(lambda s: s + 1, outputs_info=T.zeros((1000,)), n_steps=n)
    f = theano.function([n], out[-1])
    loops = [node for node in f.maker.fgraph.toposort() if "for{" in str(node.op)]
    assert [node.op.form.keep for node in loops] == [(1,)]
    assert (f(1000) == 1000).all()
    with pytest.raises(IndexError):
        f(0)


def test_reduce_foldl_foldr() -> None:
    x = T.dvector("x")
    total, _ = theano.reduce(lambda v, acc: acc + v, x, T.zeros(()))
    left, _ = theano.foldl(lambda v, acc: acc * 2 + v, x, T.zeros(()))
    right, _ = theano.foldr(lambda v, acc: acc * 2 + v, x, T.zeros(()))
    got = theano.function([x], [total, left, right])([1, 2, 3])
    assert [float(v) for v in got] == [6, 11, 17]


def test_what_does_not_change_is_computed_before_the_loop() -> None:
    x, w = T.dmatrix("x"), T.dmatrix("w")
    out, _ = theano.scan(lambda r, s, w: s + r + T.dot(w, w).sum(), x, T.zeros((2,)), w)
    f = theano.function([x, w], out)
    (loop,) = [node for node in f.maker.fgraph.toposort() if "for{" in str(node.op)]
    assert not any(type(n.op).__name__ == "Dot" for v in loop.op.outputs for n in [v.owner] if n)
    a, b = RNG.rand(3, 2), RNG.rand(4, 4)
    np.testing.assert_allclose(f(a, b), np.cumsum(a + (b @ b).sum(), axis=0))


def test_steps_that_do_not_depend_on_each_other_are_computed_at_once() -> None:
    x, w, n = T.dmatrix("x"), T.dmatrix("w"), T.lscalar("n")
    out, _ = theano.map(lambda r, w: T.tanh(T.dot(r, w)).sum(), x, w)
    some, _ = theano.scan(lambda r: r * 2, x, n_steps=n)
    f = theano.function([x, w], out)
    g = theano.function([x, n], some)
    assert not any("for{" in str(node.op) for h in (f, g) for node in h.maker.fgraph.toposort())
    a, b = RNG.rand(5, 3), RNG.rand(3, 4)
    np.testing.assert_allclose(f(a, b), np.tanh(a @ b).sum(1))
    np.testing.assert_allclose(g(a, 2), a[:2] * 2)
    assert g(a[:0], 0).shape == (0, 3)
    with pytest.raises((AssertionError, ValueError), match="sequence"):
        g(a, 6)


def test_checkpoints_give_the_same_gradients() -> None:
    x, h = T.dmatrix("x"), T.dvector("h")
    step = lambda r, h: T.tanh(r + h * 0.7)  # noqa: E731
    plain, _ = theano.scan(step, x, h)
    saved, _ = theano.scan_checkpoints(step, x, h, save_every_N=3)
    a, b = RNG.rand(9, 2), RNG.rand(2)
    f = theano.function([x, h], [plain[2::3], *theano.grad(plain[-1].sum(), [x, h])])
    g = theano.function([x, h], [saved, *theano.grad(saved[-1].sum(), [x, h])])
    for p, q in zip(f(a, b), g(a, b), strict=True):
        np.testing.assert_allclose(p, q)


BAD: dict[str, tuple[Callable[[Any], Any], type[Exception], str]] = {
    "nothing says how long": (lambda x: theano.scan(lambda: x * 2), ValueError, "n_steps"),
    "int start, float step": (
        lambda x: theano.scan(lambda s: s + 0.5 * x.sum(), outputs_info=1, n_steps=3),
        ValueError, "dtype",
    ),
    "rank": (
        lambda x: theano.scan(lambda s: s + x, outputs_info=T.zeros(()), n_steps=3),
        ValueError, "dimensions",
    ),
    "number of outputs": (
        lambda x: theano.scan(lambda s: [s, s], outputs_info=[x], n_steps=3), ValueError, "outputs",
    ),
    "positive tap": (
        lambda x: theano.scan(lambda s: s, None, [{"initial": x, "taps": [1]}], n_steps=3),
        ValueError, "negative",
    ),
    "taps without a start": (
        lambda x: theano.scan(lambda s: s, None, [{"taps": [-1]}], n_steps=3),
        ValueError, "initial",
    ),
    "broadcastable start": (
        lambda x: theano.scan(lambda s: s + T.dmatrix(), outputs_info=T.drow(), n_steps=3),
        ValueError, "unbroadcast",
    ),
    "negative": (lambda x: theano.scan(lambda s: s, None, [x], n_steps=-3), ValueError, "negative"),
    "strict": (
        lambda x: theano.scan(
            lambda s: s + theano.shared(1.0), None, [x], n_steps=3, strict=True),
        Exception, "non_sequences",
    ),
    "scalar sequence": (lambda x: theano.scan(lambda s: s, T.dscalar()), TypeError, "dimension"),
    "None returned": (lambda x: theano.scan(lambda s: [None], x), ValueError, "None"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_say_what_is_wrong(name: str) -> None:
    build, error, words = BAD[name]
    with pytest.raises(error, match=words):
        build(T.dvector("x"))


def test_run_time_errors_leave_shared_variables_alone() -> None:
    state = theano.shared(np.zeros(3))
    n, x = T.lscalar("n"), T.dvector("x")
    out, updates = theano.scan(
        lambda v, i: (x[i] * v, {state: state + v}), [x, T.arange(n)], n_steps=n
    )
    f = theano.function([n, x], out, updates=updates)
    f(2, [1.0, 2.0, 3.0])
    before = state.get_value()
    with pytest.raises(ValueError, match="sequence"):
        f(5, [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="negative"):
        f(-1, [1.0, 2.0])
    np.testing.assert_array_equal(state.get_value(), before)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_fails(mode: Any) -> None:
    state = theano.shared(np.float64(0))
    x, i = T.dvector("x"), T.lvector("i")
    out, updates = theano.scan(lambda k: (x[k], {state: state + 1}), i)
    f = theano.function([x, i], out, updates=updates, mode=mode)
    with pytest.raises(IndexError):
        f([1.0, 2.0], [0, 1, 7, 0])
    assert state.get_value() == 0
    np.testing.assert_allclose(f([1.0, 2.0], [0, 1, 1]), [1, 2, 2])
    assert state.get_value() == 3


def test_a_state_that_changes_its_shape_is_refused() -> None:
    x = T.dvector("x")
    out, _ = theano.scan(lambda s: s[1:], outputs_info=x, n_steps=2)
    with pytest.raises(ValueError, match="shape"):
        theano.function([x], out)(np.ones(5))


def test_a_python_op_inside_a_loop() -> None:
    from theano.compile.ops import as_op

    calls = []

    @as_op(itypes=[T.dvector], otypes=[T.dvector])
    def twice(v: Any) -> Any:
        calls.append(len(calls))
        if len(calls) > 10:
            raise RuntimeError("enough")
        return v * 2

    x = T.dvector("x")
    out, _ = theano.scan(lambda s: twice(s) + 1, outputs_info=x, n_steps=4)
    f = theano.function([x], out)
    np.testing.assert_allclose(f([1.0]), [[3], [7], [15], [31]])
    assert calls == [0, 1, 2, 3]
    f([1.0])
    with pytest.raises(RuntimeError, match="enough"):
        f([1.0])


def test_graphs_with_loops_pickle_and_copy() -> None:
    import copy
    import pickle

    x = T.dvector("x")
    out, _ = theano.scan(lambda r, s: s + r, x, T.zeros(()))
    f = theano.function([x], out)
    for g in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f), f.copy()):
        np.testing.assert_allclose(g([1, 2, 3]), [1, 3, 6])


def test_test_values_reach_the_step() -> None:
    with theano.change_flags(compute_test_value="raise"):
        x = T.dmatrix("x")
        x.tag.test_value = np.ones((3, 2))
        seen = []

        def step(row: Any, s: Any) -> Any:
            seen.append(row.tag.test_value.shape)
            return s + row

        out, _ = theano.scan(step, x, T.zeros((2,)))
        assert seen == [(2,)]
        assert out.tag.test_value.shape == (3, 2)
