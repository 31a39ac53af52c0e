"""DebugMode, NanGuardMode and MonitorMode, on graphs with loops, branches and graphs inside."""

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile.debugmode import (
    BadDestroyMap,
    BadThunkOutput,
    BadViewMap,
    DebugMode,
    InvalidValueError,
    StochasticOrder,
)
from theano.compile.monitormode import MonitorMode, detect_nan
from theano.compile.nanguardmode import NanGuardMode
from theano.ifelse import ifelse


class UserOp(theano.Op):
    """An op of vectors whose perform is given."""

    __props__ = ("what",)

    def __init__(self, what):
        self.what = what

    def make_node(self, x):
        return theano.Apply(self, [x], [x.type()])

    def perform(self, node, inputs, output_storage, params=None):
        getattr(self, self.what)(inputs[0], output_storage[0])

    def changes(self, x, out):
        out[0] = x + 1
        x[0] = 7

    def shows(self, x, out):
        out[0] = x[::-1]

    def infinite(self, x, out):
        out[0] = x / 0

    def trusts_memory(self, x, out):
        if out[0] is None or out[0].shape != x.shape:
            out[0] = np.zeros_like(x)
        out[0] += x

    def right(self, x, out):
        out[0] = x * 2


def quiet(**options):
    return DebugMode(stability_patience=1, **options)


# ---- DebugMode


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        ("changes", BadDestroyMap, "changed its input 0"),
        ("shows", BadViewMap, "shares memory with input 0"),
        ("infinite", InvalidValueError, "not finite"),
        ("trusts_memory", BadThunkOutput, "given memory of kind"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_wrong_ops_are_found_also_inside_loops_and_branches(what, error, text):
    x = T.dvector("x")
    m = T.dmatrix("m")
    op = UserOp(what)
    inner, _ = theano.scan(lambda row: op(row + 0.5), sequences=[m])
    mode = quiet(check_preallocated_output="ALL")
    straight = theano.function([x], op(x + 1), mode=mode)  # the line of the straight one
    with pytest.raises(error, match=text) as found:
        straight(np.ones(3))
    assert "the line of the straight one" in str(found.value)
    loop = theano.function([m], inner, mode=mode)
    with pytest.raises(error, match=text):
        loop(np.ones((2, 3)))
    branch = theano.function([x], ifelse(x.sum() > 0, op(x * 2), x), mode=mode)
    with pytest.raises(error, match=text):
        branch(np.ones(3))


def test_right_graphs_pass_with_all_checks():
    m, w = T.dmatrix("m"), theano.shared(np.eye(3), "w")
    h, _ = theano.scan(
        lambda row, h: T.tanh(T.dot(h, w) + row), sequences=[m], outputs_info=[T.zeros((3,))]
    )
    a, b = T.dvectors("ab")
    product = theano.OpFromGraph([a, b], [a * b])
    cost = ifelse(m.sum() > 0, (h[-1] ** 2).sum(), h[-1].sum()) + product(h[-1], h[0]).sum()
    cost = cost + UserOp("right")(h[-1]).sum() * 0
    f = theano.function(
        [m], [cost, h], updates=[(w, w - 0.1 * theano.grad(h[-1].sum(), w))],
        mode=quiet(check_preallocated_output="ALL"),
    )  # fmt: skip
    value = np.arange(6.0).reshape(2, 3) / 10
    with theano.change_flags(mode="FAST_RUN"):
        expected = h.eval({m: value})
    np.testing.assert_allclose(f(value)[1], expected)
    assert not np.array_equal(w.get_value(), np.eye(3))


def test_wrong_native_code_is_found_at_its_node():
    x = T.dvector("x")
    z = T.exp(x)  # the wrong line
    f = theano.function([x], T.sqrt(z + 1).sum(), mode=quiet())
    runner = f._run
    position = [v.owner.op.row.name if hasattr(v.owner.op, "row") else "" for v in runner.between]
    wrong = position.index("exp")

    def lies(*values, real=runner.native):
        found = list(real(*values))
        found[wrong] = found[wrong] + 1
        return found

    f([0.0])
    runner.native = lies
    with pytest.raises(BadThunkOutput, match="from compiled code") as found:
        f([0.0])
    assert "the wrong line" in str(found.value)
    assert "exp" in str(found.value)
    assert "largest difference: 1.0" in str(found.value)


def test_strides_are_compared_where_asked():
    x = T.dmatrix("x")
    f = theano.function([x], T.exp(x.T), mode=quiet(require_matching_strides=2))
    runner = f._run

    with pytest.raises(BadThunkOutput, match="strides"):
        f(np.ones((2, 3)))
    runner.mode.require_matching_strides = 1
    with pytest.warns(UserWarning, match="strides"):
        f(np.ones((2, 3)))


def test_unstable_rewriting_is_found():
    class Unstable:
        runs = 0

        def optimize(self, graph):
            Unstable.runs += 1
            if Unstable.runs % 2:
                graph.replace(graph.outputs[0], graph.outputs[0].owner.inputs[0] * 1.0)

    x = T.dvector("x")
    mode = DebugMode(stability_patience=4).register((Unstable(), 1))
    with pytest.raises(StochasticOrder, match="different graphs"):
        theano.function([x], T.exp(x), mode=mode)


def test_claimed_but_unused_in_place_work_warns():
    class Claims(UserOp):
        destroy_map = {0: [0]}  # noqa: RUF012

    x = T.dvector("x")
    f = theano.function([x], Claims("right")(x + 1), mode=quiet())
    with pytest.warns(UserWarning, match="allocated its output"):
        f([1.0])
    with theano.change_flags({"DebugMode.check_finite": False, "DebugMode.check_c": False}):
        mode = quiet()
    assert (mode.check_isfinite, mode.check_c_code, mode.check_py_code) == (False, False, True)


# ---- NanGuardMode


def loops_of_logs():
    m, x = T.dmatrix("m"), T.dvector("x")
    inner, _ = theano.scan(lambda row: T.log(row).sum(), sequences=[m])
    v = T.dvector("v")
    op = theano.OpFromGraph([v], [T.log(v)])
    return {
        "straight": ([x], T.log(x), np.array([1.0, -1.0])),
        "loop": ([m], inner, np.array([[1.0], [-1.0]])),
        "branch": ([x], ifelse(x[0] > 0, T.log(x).sum(), x.sum()), np.array([1.0, -1.0])),
        "object": ([x], op(x), np.array([1.0, -1.0])),
    }


@pytest.mark.parametrize("kind", list(loops_of_logs()))
def test_nan_is_found_where_it_arises(kind):
    inputs, output, bad = loops_of_logs()[kind]
    mode = NanGuardMode(nan_is_error=True, inf_is_error=True, big_is_error=True)
    f = theano.function(inputs, output, mode=mode)
    f(np.abs(bad))
    with pytest.raises(AssertionError, match="NaN detected") as found:
        f(bad)
    assert "log" in str(found.value)
    assert "test_debug_modes.py" in str(found.value)


def test_inputs_and_shared_variables_are_guarded():
    x, w = T.dvector("x"), theano.shared(np.ones(2), "w")
    f = theano.function([x], x * w, updates=[(w, w + x)], mode="NanGuardMode")
    for bad, text in ((np.nan, "NaN"), (np.inf, "Inf"), (1e11, "Big value")):
        with pytest.raises(AssertionError, match=f"{text} detected in input x"):
            f([bad, 1.0])
        np.testing.assert_array_equal(w.get_value(), [1, 1])
    w.set_value([np.nan, 1])
    with pytest.raises(AssertionError, match="NaN detected in input w"):
        f([1.0, 1.0])
    loose = NanGuardMode(nan_is_error=False, inf_is_error=False, big_is_error=False)
    assert np.isnan(theano.function([x], x * 2, mode=loose)([np.nan])[0])
    with theano.change_flags({"NanGuardMode.action": "warn"}):
        g = theano.function([x], x * 2, mode=NanGuardMode())
        with pytest.warns(UserWarning, match="NaN detected"):
            g([np.nan])


def test_graphs_of_arrays_are_guarded_natively():
    x, w = T.dmatrix("x"), theano.shared(np.ones(3), "w")
    gone = T.switch(T.isnan(T.log(x)), 0.0, T.log(x))  # no nan in the result
    f = theano.function([x], gone.sum() * w, updates=[(w, w * 2)], mode="NanGuardMode")
    assert f.native is not None
    runs = []
    real = f._run.reference
    f._run.reference = lambda values: runs.append(values) or real(values)
    np.testing.assert_array_equal(f(np.ones((2, 2))), [0, 0, 0])
    assert runs == []
    with pytest.raises(AssertionError, match="NaN detected in output Elemwise"):
        f(-np.ones((2, 2)))
    assert len(runs) == 1
    np.testing.assert_array_equal(w.get_value(), [2, 2, 2])
    half = T.TensorType("float16", (None,))("half")
    g = theano.function([half], half * 2, mode="NanGuardMode")
    assert g(np.ones(2, "float16")).dtype == "float16"
    with pytest.raises(AssertionError, match="Inf detected in output"):
        g(np.full(2, 60000, "float16"))
    unchecked = T.dvector("unchecked")
    unchecked.tag.nan_guard_mode_check = False
    loose = NanGuardMode(nan_is_error=True, inf_is_error=False, big_is_error=False)
    h = theano.function([unchecked], T.switch(T.isnan(unchecked), 0, unchecked), mode=loose)
    assert h([np.nan]) == 0


# ---- MonitorMode


def test_monitors_see_the_nodes_inside_loops_and_branches():
    m, w = T.dmatrix("m"), theano.shared(np.eye(2), "w")
    h, _ = theano.scan(
        lambda row, h: T.tanh(T.dot(row, w) + 0 * h), sequences=[m], outputs_info=[T.zeros((2,))]
    )
    out = ifelse(m.sum() > 0, T.exp(h).sum(), h.sum())
    seen = []
    mode = MonitorMode(
        pre_func=lambda i, node, fn: seen.append(("before", str(node.op), len(fn.inputs))),
        post_func=lambda i, node, fn: seen.append(("after", str(node.op), fn.outputs[0][0])),
    ).excluding("local_elemwise_fusion", "inplace")
    f = theano.function([m], out, mode=mode)
    value = np.ones((3, 2))
    np.testing.assert_allclose(f(value), 6 * np.exp(np.tanh(1)))
    after = [name for when, name, _ in seen if when == "after"]
    assert len([name for name in after if "tanh" in name]) == 3
    assert [name for name in after if "exp" in name]
    assert len(seen) == 2 * len(after)
    seen.clear()
    f(-value)
    assert not [name for _, name, _ in seen if "exp" in name]


def test_detect_nan_inside_a_loop(capsys):
    m = T.dmatrix("m")
    h, _ = theano.scan(lambda row: T.log(row), sequences=[m])
    f = theano.function([m], h.sum(), mode=MonitorMode(post_func=detect_nan))
    f([[1.0, -1.0]])
    shown = capsys.readouterr().out
    assert "*** NaN detected ***" in shown
    assert "log" in shown.splitlines()[1]
