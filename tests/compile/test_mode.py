"""Modes by name, their linkers and tags, and the modes that watch a run."""

from __future__ import annotations

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile import get_default_mode, get_mode
from theano.compile.debugmode import BadDestroyMap, BadThunkOutput, DebugMode, InvalidValueError
from theano.compile.mode import Linker, register_linker, register_mode
from theano.compile.monitormode import MonitorMode, detect_nan
from theano.compile.nanguardmode import NanGuardMode, contains_inf, contains_nan
from theano.graph.nodes import Apply, Op

NAMES = ["FAST_RUN", "FAST_COMPILE", "DebugMode", "DEBUG_MODE", "NanGuardMode", "Mode", None]
LINKERS = ["py", "c", "c|py", "vm", "cvm", "vm_nogc", "cvm_nogc", "c|py_nogc", None]
LEVELS = [None, "None", "merge", "o1", "o2", "o3", "o4", "fast_compile", "fast_run",
          "fast_run_stable", "stabilize", "unsafe"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_of_modes(name):
    x = T.dvector("x")
    f = theano.function([x], T.exp(x).sum(), mode=name)
    assert f([0.0, 0.0]) == 2


@pytest.mark.parametrize("linker", LINKERS)
def test_names_of_linkers(linker):
    x = T.dvector("x")
    assert theano.function([x], x.sum(), mode=theano.Mode(linker))([1.0, 2.0]) == 3


@pytest.mark.parametrize("level", LEVELS)
def test_names_of_optimizers(level):
    x = T.dvector("x")
    f = theano.function([x], T.log(1 + T.exp(x)), mode=theano.Mode(optimizer=level))
    np.testing.assert_allclose(f([1.0]), np.log1p(np.e))


def test_unknown_names_raise():
    for make in (
        lambda: get_mode("FASTEST"),
        lambda: theano.Mode("gcc"),
        lambda: theano.Mode("py", "best"),
    ):
        with pytest.raises(ValueError, match="Unknown"):
            make()


def test_the_default_mode_is_one_object_until_flags_change():
    mode = get_default_mode()
    assert get_default_mode() is mode
    with theano.change_flags(mode="FAST_COMPILE"):
        assert get_default_mode() is get_mode("FAST_COMPILE")
    with theano.change_flags(linker="py"):
        assert not get_default_mode().linker.native
    own = theano.Mode("py", None)
    with theano.change_flags(mode=own):
        assert get_default_mode() is own
    assert get_default_mode() is mode


def test_tags_make_new_modes():
    mode = theano.Mode("py", "fast_run")
    less = mode.excluding("fusion", "inplace")
    assert less.optimizer.exclude == {"fusion", "inplace"}
    assert mode.optimizer.exclude == frozenset()
    assert less.including("fusion").optimizer.exclude == {"inplace"}
    assert mode.requiring("a").optimizer.require == {"a"}
    assert mode.clone({"allow_gc": False}).linker.gc is False
    assert mode.provided_optimizer == "fast_run"


def test_registered_modes_and_linkers():
    register_linker("test linker", Linker("test linker", native=False))
    register_mode("TEST_MODE", theano.Mode("test linker", None))
    x = T.dscalar("x")
    assert theano.function([x], x + 1, mode="TEST_MODE")(1) == 2
    with pytest.raises(ValueError, match="already taken"):
        register_mode("TEST_MODE", theano.Mode())


def test_a_registered_rewrite_runs():
    class Double:
        def optimize(self, graph):
            graph.replace(graph.outputs[0], graph.outputs[0] * 2)

    x = T.dscalar("x")
    mode = theano.Mode("py", None).register((Double(), 1))
    assert theano.function([x], x + 1, mode=mode)(1) == 4


def test_nan_guard():
    x = T.dvector("x")
    f = theano.function([x], T.log(x) * 2, mode=NanGuardMode(True, True, True))
    np.testing.assert_allclose(f([1.0]), [0.0])
    for bad, word in (([-1.0], "NaN"), ([0.0], "Inf"), ([np.nan], "NaN"), ([1e11], "Big")):
        with pytest.raises(AssertionError, match=word):
            f(bad)
    g = theano.function([x], T.log(x), mode=NanGuardMode(False, False, False))
    assert np.isnan(g([-1.0]))[0]
    i = T.lvector("i")
    assert theano.function([i], i * 2, mode="NanGuardMode")([10**12]) == 2 * 10**12
    with (
        theano.change_flags({"NanGuardMode.action": "warn"}),
        pytest.warns(UserWarning, match="NaN"),
    ):
        f([-1.0])


def test_what_nan_guard_asks_about():
    assert contains_nan(np.array([np.nan]))
    assert contains_inf(np.array([np.inf]))
    assert not contains_nan(np.array([1]))
    assert not contains_nan(np.random.RandomState(1))


def test_monitor_mode_shows_values(capsys):
    seen = []

    def before(i, node, fn):
        seen.append(("before", i, fn.inputs[0][0]))

    def after(i, node, fn):
        seen.append(("after", i, fn.outputs[0][0]))

    x = T.dscalar("x")
    mode = MonitorMode(before, after, optimizer=None).excluding("local_elemwise_fusion", "inplace")
    f = theano.function([x], T.exp(x), mode=mode)
    f(0.0)
    assert [(kind, float(value)) for kind, _, value in seen] == [("before", 0), ("after", 1)]
    g = theano.function([x], T.log(x) * x, mode=MonitorMode(post_func=detect_nan))
    g(-1.0)
    assert "*** NaN detected ***" in capsys.readouterr().out


class Naughty(Op):
    """Adds one, and also changes its input."""

    __props__ = ()
    itypes = (T.dvector,)
    otypes = (T.dvector,)

    def perform(self, node, inputs, output_storage):
        inputs[0][0] = 7
        output_storage[0][0] = inputs[0] + 1


def test_debug_mode_passes_what_is_right():
    x, s = T.dmatrix("x"), theano.shared(np.ones((2, 2)), "s")
    f = theano.function([x], [T.dot(x, s), T.exp(x)], updates=[(s, s + x)], mode="DebugMode")
    f(np.eye(2))
    np.testing.assert_array_equal(s.get_value(), np.ones((2, 2)) + np.eye(2))


def test_debug_mode_finds_changed_inputs_and_bad_values():
    x = T.dvector("x")
    f = theano.function([x], Naughty()(x), mode="DebugMode")
    with pytest.raises(BadDestroyMap):
        f([1.0, 2.0])
    g = theano.function([x], T.log(x), mode="DebugMode")
    with pytest.raises(InvalidValueError):
        g([-1.0])


def test_debug_mode_compares_with_what_ran():
    x = T.dvector("x")
    f = theano.function([x], x + 1, mode=DebugMode())
    runner = f._run
    runner.run = lambda values: [values[0] + 2]
    with pytest.raises(BadThunkOutput, match="compiled"):
        f([1.0])


class Plain(Op):
    """An op as users write them: make_node and perform; a NumPy scalar as the result."""

    __props__ = ()

    def make_node(self, x):
        return Apply(self, [T.as_tensor_variable(x)], [T.dscalar()])

    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0].sum()


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "DebugMode"])
def test_ops_that_only_have_perform(mode):
    x = T.dvector("x")
    f = theano.function([x], Plain()(x) * 2, mode=mode)
    assert f([1.0, 2.0]) == 6


class Wrong(Plain):
    def perform(self, node, inputs, output_storage):
        output_storage[0][0] = inputs[0]


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE"])
def test_a_wrong_result_of_perform_is_named(mode):
    x = T.dvector("x")
    f = theano.function([x], Wrong()(x) * 2, mode=mode)
    with pytest.raises(TypeError, match=r"Wrong.*output 0"):
        f([1.0, 2.0])


def test_profile_counts_calls(capsys):
    x = T.dscalar("x")
    f = theano.function([x], x + 1, profile=True)
    f(1)
    f(2)
    assert f.profile.fct_callcount == 2
    f.profile.summary()
    assert "2 calls" in capsys.readouterr().err
