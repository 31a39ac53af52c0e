"""Profiles: counts, times, bytes and lines of steps, native and in NumPy."""

import io
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.compile.profile import ProfileStats, added, print_global_stats


def text_of(profile, **options):
    file = io.StringIO()
    profile.summary(file, **options)
    return file.getvalue()


def row_with(profile, word):
    (found,) = [row for row in profile.rows() if word in row.op]
    return found


def test_a_native_function_is_measured_step_by_step():
    x, w = T.dmatrix("x"), theano.shared(np.ones((30, 5)), "w")
    z = T.exp(T.dot(x, w))  # the line of the product
    f = theano.function([x], [z, z.sum()], updates=[(w, w * 0.5)], profile=True, name="step")
    for _ in range(3):
        f(np.ones((20, 30)))
    p = f.profile
    assert f.native is not None
    assert p.fct_callcount == 3
    assert 0 < p.vm_call_time <= p.fct_call_time
    product = row_with(p, "dot")
    assert (product.calls, product.what) == (3, ["gemm"])
    assert product.bytes == 3 * 8 * (20 * 30 + 30 * 5 + 20 * 5)
    fused = row_with(p, "exp")
    assert {type(node.op).__name__ for node in fused.nodes} == {"Elemwise", "Sum"}
    update = row_with(p, "mul")
    assert update.bytes == 3 * 2 * 8 * 150
    assert p.memory()["outputs"] >= 8 * (100 + 1)
    text = text_of(p)
    for heading in ("Function profiling", "Class", "Ops", "Apply", "Lines of your code", "Memory",
                    "Code generation", "GB/s"):  # fmt: skip
        assert heading in text
    assert "Message: step" in text
    assert "the line of the product" in text
    assert p.compile_time >= p.optimizer_time + p.lowering_time
    assert "canonicalize" in p.passes
    assert sum(p.passes.values()) <= p.optimizer_time
    assert sum(p.class_time().values()) == pytest.approx(p.vm_call_time)
    assert sum(p.op_time().values()) == pytest.approx(p.vm_call_time)
    assert sum(p.apply_time.values()) <= p.vm_call_time * 1.001
    assert set(p.apply_callcount.values()) == {3}


def test_steps_inside_loops_and_branches_count_their_own_runs():
    from theano.ifelse import ifelse

    x, w = T.dmatrix("x"), theano.shared(np.eye(4), "w")
    h, _ = theano.scan(
        lambda row, h: T.tanh(T.dot(h, w) + row), sequences=[x], outputs_info=[T.zeros((4,))]
    )
    out = ifelse(x.sum() > 0, h[-1] * 2, T.exp(h[-1]))
    f = theano.function([x], out, profile=True)
    f(np.ones((7, 4)))
    f(np.ones((5, 4)))
    product = row_with(f.profile, "dot")
    assert product.calls == 12
    assert product.depth == 1
    (loop,) = [row for row in f.profile.rows() if row.kind == "Scan"]
    assert loop.calls == 2
    assert not [row for row in f.profile.rows() if "exp" in row.op]
    f(-np.ones((5, 4)))
    assert row_with(f.profile, "exp").calls == 1
    assert all(row.seconds >= 0 for row in f.profile.rows())
    assert "inside a loop or branch" in text_of(f.profile)


@pytest.mark.parametrize("mode", ["FAST_COMPILE", theano.Mode("py", None)])
def test_functions_run_in_numpy_are_measured_too(mode):
    x = T.dvector("x")
    f = theano.function([x], T.exp(x).sum(), mode=mode, profile=True)
    f(np.ones(1000))
    f(np.ones(1000))
    row = row_with(f.profile, "exp")
    assert (row.calls, row.bytes, row.what) == (2, 2 * 16000, ["NumPy"])
    assert "Lines of your code" in text_of(f.profile)


def test_python_steps_are_named():
    x = T.dvector("x")
    shown = theano.printing.Print("", global_fn=_silent)(x)
    f = theano.function([x], shown * 2, profile=True)
    f([1.0, 2.0])
    assert "Python: Print" in row_with(f.profile, "Print").what[0]


def _silent(op, value):
    pass


def test_several_functions_may_share_a_profile():
    x = T.dvector("x")
    stats = ProfileStats("both", atexit_print=False)
    f = theano.function([x], T.exp(x), profile=stats)
    g = theano.function([x], T.log(x), profile=stats, mode="FAST_COMPILE")
    f([1.0])
    g([1.0])
    assert stats.fct_callcount == 2
    assert {row.op.split(",")[0] for row in stats.rows()} == {"Elemwise{exp", "Elemwise{log"}
    assert stats.functions == 2
    total = added([stats, ProfileStats("none", atexit_print=False)])
    assert total.fct_callcount == 2
    assert "Sum of all (2)" in text_of(total)


def test_what_flags_change():
    x = T.dvector("x")
    quick = ProfileStats(flag_time_thunks=False, atexit_print=False)
    f = theano.function([x], T.exp(x), profile=quick)
    f([1.0])
    assert quick.rows() == []
    assert "Apply" not in text_of(quick)
    with theano.change_flags({"profiling.ignore_first_call": True}):
        g = theano.function([x], T.exp(x), profile=True)
        g([1.0])
        g([1.0])
    assert g.profile.fct_callcount == 1
    assert row_with(g.profile, "exp").calls == 1
    with theano.change_flags(
        {"profile_memory": True, "profiling.min_memory_size": 0, "profile_optimizer": True,
         "profiling.debugprint": True}
    ):  # fmt: skip
        text = text_of(g.profile, n_apply_to_print=0)
    assert "<Apply outputs>" in text
    assert "Rewriting" in text
    assert "remaining" in text
    with theano.change_flags({"profiling.output_line_width": 30}):
        assert max(map(len, text_of(g.profile).splitlines())) <= 30


def test_a_summary_goes_where_the_flag_says(tmp_path, capsys):
    x = T.dvector("x")
    f = theano.function([x], x + 1, profile="named")
    f.profile.summary()
    assert "Message: named" in capsys.readouterr().err
    path = tmp_path / "profile.txt"
    with theano.change_flags({"profiling.destination": str(path)}):
        f([1.0])
        f.profile.summary()
        print_global_stats()
    assert "Time in 1 calls" in path.read_text()
    assert "Global stats" in path.read_text()


def test_profiles_never_change_results_or_stored_plans():
    x = T.dvector("x")
    w = theano.shared(np.ones(3), "w")
    f = theano.function([x], w * x, updates=[(w, w + x)])
    g = f.copy(profile=True, swap={w: theano.shared(np.ones(3), "v")})
    for _ in range(2):
        np.testing.assert_array_equal(f(np.arange(3.0)), g(np.arange(3.0)))
    assert g.profile.fct_callcount == 2
    assert g.profile.rows()
    h = g.copy()
    assert h.profile is None
    np.testing.assert_array_equal(h(np.zeros(3)), [0, 0, 0])
    assert g.profile.fct_callcount == 2


def test_profile_mode(tmp_path):
    x = T.dvector("x")
    f = theano.function([x], T.exp(x), mode="ProfileMode")
    f([0.0])
    assert f.profile.fct_callcount == 1
    file = io.StringIO()
    f.maker.mode.print_summary(file)
    assert "Sum of all" in file.getvalue()


def test_all_functions_are_printed_at_exit(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        import theano, theano.tensor as T
        x = T.dvector("x")
        theano.function([x], T.exp(x), name="one")([1.0])
        theano.function([x], T.log(x), name="two")([1.0])
        theano.function([x], T.log(x), name="never called")
    """)
    )
    where = tmp_path / "out.txt"
    flags = f"profile=True,profiling.destination={where},base_compiledir={tmp_path / 'cache'}"
    env = {**os.environ, "THEANO_FLAGS": flags}
    subprocess.run([sys.executable, str(script)], check=True, env=env, timeout=100)
    text = where.read_text()
    assert "Message: one" in text
    assert "Message: two" in text
    assert "Sum of all (2) profiled functions" in text
    assert "Global stats: 2 profiled functions" in text
    assert "never called" not in text
