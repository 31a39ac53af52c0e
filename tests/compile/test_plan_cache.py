"""Functions from the disk cache: the same as compiled ones, and never the wrong ones."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.backends.cpu import build, compiler, entry, machine, tiers
from theano.compile import fingerprint, plan_cache
from theano.core.config import change_flags
from theano.graph.nodes import Apply
from theano.ops.base import TensorOp
from theano.rewrite import pattern
from theano.runtime import stamp
from theano.runtime.cache import ObjectCache

pytestmark = [
    pytest.mark.skipif(not compiler.available()[0], reason="no LLVM"),
    pytest.mark.skipif(theano.config.device != "cpu", reason="plans are for the CPU"),
    pytest.mark.skipif(not stamp.all_of(), reason="this system does not describe its processor"),
]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectCache]:
    made = ObjectCache(tmp_path)
    for module in (machine, entry, build):
        monkeypatch.setattr(module, "disk_cache", lambda: made)
    monkeypatch.setattr(pattern, "FOREIGN", [])
    with change_flags(mode="FAST_RUN"):
        yield made


class Step:
    """A training step of logistic regression, built anew from the same text each time."""

    def __init__(self, rate: float = 0.1, **kwargs: Any) -> None:
        x, y = T.fmatrix("x"), T.ivector("y")
        self.w = theano.shared(np.zeros((4, 3), "float32"), "w")
        self.b = theano.shared(np.zeros(3, "float32"), "b")
        p = T.nnet.softmax(T.dot(x, self.w) + self.b)
        cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
        grads = T.grad(cost, [self.w, self.b])
        rate = np.float32(rate)
        updates = [(q, q - rate * g) for q, g in zip((self.w, self.b), grads, strict=True)]
        self.f = theano.function([x, y], cost, updates=updates, **kwargs)

    def __call__(self, seed: int = 0) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(7, 4)).astype("float32")
        found = self.f(x, rng.integers(0, 3, 7).astype("int32"))
        return [found, self.w.get_value(), self.b.get_value()]


def warm(f: Any) -> bool:
    return f.maker.plan is not None


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_hit_computes_the_same(cache: ObjectCache) -> None:
    cold, hot = Step(), Step()
    assert not warm(cold.f)
    assert warm(hot.f)
    for seed in range(3):
        assert same(cold(seed), hot(seed))
    assert not np.array_equal(hot.w.get_value(), np.zeros((4, 3)))


def test_a_hit_makes_graph_and_program_when_they_are_asked_for(cache: ObjectCache) -> None:
    from theano.lower.text import text

    cold, hot = Step().f, Step().f
    assert hot.maker._fgraph is None
    assert hot.maker._lowered is None
    assert [str(n.op) for n in hot.maker.fgraph.toposort()] == [
        str(n.op) for n in cold.maker.fgraph.toposort()
    ]
    assert hot.maker._lowered is None
    assert text(hot.program) == text(cold.program)
    assert hot.maker.compiled.text == cold.maker.compiled.text
    assert [s.name for s in hot.maker.report.stages] == [s.name for s in cold.maker.report.stages]
    assert [s.text for s in hot.maker.report.stages][2:] == [
        s.text for s in cold.maker.report.stages
    ][2:]
    assert hot.maker.report.notes == cold.maker.report.notes
    assert theano.printing.debugprint(hot, file="str") == theano.printing.debugprint(
        cold, file="str"
    )


def test_constants_of_the_program_are_stored(cache: ObjectCache) -> None:
    table = np.arange(12.0).reshape(3, 4)[:, ::-1]
    made = []
    for _ in range(2):
        i = T.lscalar()
        made.append(theano.function([i], (T.constant(table)[i] * 2, T.constant(table).T[:2])))
    assert [warm(f) for f in made] == [False, True]
    for f in made:
        row, part = f(1)
        assert np.array_equal(row, table[1] * 2)
        assert np.array_equal(part, table.T[:2])


def scaled(value: Any, shape: Any = (None,), op: Any = T.exp) -> Any:
    x = T.TensorType("float64", shape=shape)("x")
    return theano.function([x], op(x) * value)


def test_what_differs_is_not_found(cache: ObjectCache) -> None:
    assert not warm(scaled(2.0))
    assert warm(scaled(2.0))
    assert not warm(scaled(3.0))
    assert not warm(scaled(-0.0))
    assert not warm(scaled(0.0))
    assert not warm(scaled(2.0, shape=(5,)))
    assert not warm(scaled(2.0, op=T.log))
    assert not warm(scaled(np.float32(2.0), op=lambda x: T.cast(x, "float32")))
    assert not warm(scaled(np.arange(3.0)))
    assert not warm(scaled(np.arange(3.0) + 1))
    assert warm(scaled(np.arange(3.0)))
    assert scaled(3.0)(np.zeros(2)).tolist() == [3.0, 3.0]
    assert scaled(np.arange(3.0) + 1)(np.zeros(3)).tolist() == [1.0, 2.0, 3.0]


def test_large_constants_count_too(cache: ObjectCache) -> None:
    first, second = np.zeros(1000), np.zeros(1000)
    second[777] = 1.0
    assert not warm(scaled(first))
    found = scaled(second)
    assert not warm(found)
    assert found(np.zeros(1000))[777] == 1.0


def test_flags_and_modes_are_part_of_the_key(cache: ObjectCache) -> None:
    def f(mode: Any = None) -> Any:
        x = T.dvector()
        return theano.function([x], T.exp(x) + x, mode=mode)

    assert not warm(f())
    assert warm(f())
    with change_flags({"tensor.local_elemwise_fusion": False}):
        assert not warm(f())
        assert warm(f())
    assert not warm(f(theano.compile.get_default_mode().excluding("fusion")))
    assert not warm(f("FAST_COMPILE"))
    assert not warm(f("DebugMode"))


def test_which_cell_is_which_is_part_of_the_key(cache: ObjectCache) -> None:
    def pair(swapped: bool, changed: int) -> Any:
        a, b = theano.shared(np.array(3.0), "a"), theano.shared(np.array(5.0), "b")
        difference = b - a if swapped else a - b
        target = (a, b)[changed]
        return theano.function([], difference, updates=[(target, target + 1)]), a, b

    for _ in range(2):
        for swapped in (False, True):
            for changed in (0, 1):
                f, a, b = pair(swapped, changed)
                assert f() == (2.0 if swapped else -2.0)
                assert float(a.get_value()) == 4.0 - changed
                assert float(b.get_value()) == 5.0 + changed
    assert warm(f)


def test_how_results_are_returned(cache: ObjectCache) -> None:
    x = T.dscalar("x")
    for _ in range(2):
        assert theano.function([x], x + 1)(1.0) == 2.0
        assert theano.function([x], [x + 1])(1.0) == [2.0]
        assert theano.function([x], {"a": x + 1})(1.0) == {"a": 2.0}
        assert theano.function([theano.In(x, value=4.0)], x + 1)() == 5.0
        assert theano.function([x], x + 1)(x=1.0) == 2.0
        assert theano.function([x], x + 1, profile=True)(1.0) == 2.0


class Mine(TensorOp):
    """An op whose meaning no text of ours tells."""

    __props__ = ()

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [x.type()])

    def reference(self, node: Apply, x: Any) -> Any:
        return x + 1


def test_ops_of_users_have_no_plan(cache: ObjectCache) -> None:
    x = T.dvector()
    f = theano.function([x], Mine()(x) * 2)
    assert f.maker.plan_key == ""
    assert f([1.0]).tolist() == [4.0]
    with pytest.raises(fingerprint.Unknown):
        fingerprint.op_text(Mine())


def test_rules_of_users_switch_plans_off(
    cache: ObjectCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled(2.0)
    monkeypatch.setattr(pattern, "FOREIGN", ["my_rule"])
    assert scaled(2.0).maker.plan_key == ""


def test_python_steps_have_no_plan(cache: ObjectCache) -> None:
    z = T.zvector()
    for _ in range(2):
        f = theano.function([z], z * 2)
        assert not warm(f)
        assert f([1 + 2j]).tolist() == [2 + 4j]


# what may lie on disk -----------------------------------------------------------------------------


def plans(cache: ObjectCache) -> list[Path]:
    return [p for p in cache.path().iterdir() if p.suffix == ".plan"]


@pytest.mark.parametrize("damage", ["truncate", "garble", "empty", "foreign"])
def test_damaged_files_are_made_anew(cache: ObjectCache, damage: str) -> None:
    key = scaled(2.0).maker.plan_key
    path = cache.path() / f"{key}.plan"
    data = path.read_bytes()
    change = {
        "truncate": data[:-3],
        "garble": data[:-3] + b"xyz",
        "empty": b"",
        "foreign": b'{"format": "plan 1"}',
    }
    path.write_bytes(change[damage])
    again = scaled(2.0)
    assert not warm(again)
    assert again(np.zeros(2)).tolist() == [2.0, 2.0]
    assert warm(scaled(2.0))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "plan 0"},
        {"state": [0, 0, 0]},
        {"state": [0, 0, -1, 0]},
        {"state": [0, 1, 0, 0]},
        {"state": [9, 0, 0, 0]},
        {"state": "none"},
        {"cells": None},
        {"constants": [["|O", [1], ""]]},
        {"constants": [["<f8", [3], "AAAA"]]},
        {"object": "0" * 64},
        {"object": "../../etc/passwd"},
        {"imports": ["no_such_symbol"], "object": None},
        {"imports": None},
    ],
)
def test_odd_plans_are_ignored(cache: ObjectCache, change: dict[str, Any]) -> None:
    key = scaled(2.0).maker.plan_key
    found = cache.get_plan(key)
    cache.put_plan(key, {**found, **change})
    again = scaled(2.0)
    assert not warm(again)
    assert again(np.zeros(2)).tolist() == [2.0, 2.0]


def test_a_plan_without_its_object_code_is_ignored(cache: ObjectCache) -> None:
    compiler._linked.clear()
    f = scaled(2.0)
    tiers.settle()
    del f
    compiler._linked.clear()
    for path in cache.path().glob("*.obj"):
        path.unlink()
    again = scaled(2.0)
    assert not warm(again)
    assert again(np.zeros(2)).tolist() == [2.0, 2.0]


def test_without_a_usable_directory_all_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    made = ObjectCache(tmp_path / "file")
    for module in (machine, entry, build):
        monkeypatch.setattr(module, "disk_cache", lambda: made)
    with pytest.warns(RuntimeWarning, match="disk cache is not used"):
        f = scaled(2.0)
    assert f(np.zeros(2)).tolist() == [2.0, 2.0]
    assert not warm(scaled(2.0))


def test_without_a_cache_there_are_no_plans(cache: ObjectCache) -> None:
    with change_flags({"jit.cache": False}):
        assert scaled(2.0).maker.plan_key == ""


# functions from the cache in use ------------------------------------------------------------------


def test_errors_are_those_of_the_reference(cache: ObjectCache) -> None:
    def bad() -> tuple[Any, str]:
        x, y = T.dvector("x"), T.dvector("y")
        f = theano.function([x, y], x + y)
        with pytest.raises(ValueError, match="mis-match") as caught:
            f(np.zeros(3), np.zeros(4))
        return f, str(caught.value).splitlines()[0]

    (cold, first), (hot, second) = bad(), bad()
    assert not warm(cold)
    assert warm(hot)
    assert first == second
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        hot(np.zeros((2, 2)), np.zeros(2))


def test_updates_are_not_stored_when_a_call_fails(cache: ObjectCache) -> None:
    for _ in range(2):
        step = Step()
        with pytest.raises((IndexError, ValueError)):
            step.f(np.ones((2, 4), "float32"), np.array([0, 7], "int32"))
        assert not step.w.get_value().any()
    assert warm(step.f)


def test_copies_and_pickles_of_warm_functions(cache: ObjectCache) -> None:
    cold, hot = Step(), Step()
    assert warm(hot.f)
    expected = cold()
    twin = copy.deepcopy(hot.f)
    loaded = pickle.loads(pickle.dumps(hot.f))
    other = theano.shared(np.zeros((4, 3), "float32"))
    swapped = hot.f.copy(swap={hot.w: other})
    plain = hot.f.copy(delete_updates=True)
    rng = np.random.default_rng(0)
    args = (rng.normal(size=(7, 4)).astype("float32"), rng.integers(0, 3, 7).astype("int32"))
    for f in (plain, twin, loaded, swapped):
        assert f(*args) == expected[0]
    assert not hot.w.get_value().any()
    assert np.array_equal(other.get_value(), expected[1])
    assert same(hot(1), Step()(1)) or hot.b.get_value().any()


def test_the_code_outlives_the_function(cache: ObjectCache) -> None:
    scaled(2.0)
    f = scaled(2.0)
    assert warm(f)
    native = f.native
    del f
    compiler._linked.clear()
    assert native(np.zeros(2)).tolist() == [2.0, 2.0]


SCRIPT = """
import sys
import numpy as np, theano, theano.tensor as T
x = T.fmatrix("x")
w = theano.shared(np.eye(3, dtype="float32"), "w")
f = theano.function([x], T.tanh(T.dot(x, w)).sum(), updates=[(w, w * np.float32(0.5))])
print(f(np.ones((2, 3), "float32")), w.get_value().sum(), f.maker.plan is not None,
      "llvmlite" in sys.modules, "theano.lower.function" in sys.modules)
"""


def run(folder: Path) -> list[str]:
    flags = f"compiledir={folder},device=cpu,floatX=float32,jit.tiers_delay=60"
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={**os.environ, "THEANO_FLAGS": flags},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.split()


def test_a_second_process_needs_no_compiler(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first[:2] == second[:2]
    assert first[2:] == ["False", "True", "True"]
    linked_by_us = "False" if entry.compiler.elf.supported() else "True"
    assert second[2:] == ["True", linked_by_us, "False"]


def test_processes_at_the_same_time(tmp_path: Path) -> None:
    flags = f"compiledir={tmp_path},device=cpu,floatX=float32"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "THEANO_FLAGS": flags},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    found = [process.communicate(timeout=300)[0].split()[:2] for process in running]
    assert found[0] == found[1] != []
    assert run(tmp_path)[2] == "True"


# the digest ---------------------------------------------------------------------------------------


def test_the_digest_is_linear_and_needs_no_recursion() -> None:
    x = T.dscalar()
    y = x
    for _ in range(20_000):
        y = y + x
    assert len(fingerprint.digest([x], [], [y])) == 64


def test_values_have_distinct_texts() -> None:
    values = [
        None, True, False, 0, 1, 0.0, -0.0, 1.0, float("nan"), "0", "None", b"0", (), [], (0,),
        [0], (0, 1), ((0,), 1), {0: 1}, frozenset({0}), slice(0), slice(0, 0), slice(None), ...,
        np.dtype("float32"), np.float32(1), np.float64(1), np.int8(1), T.fvector, T.dvector,
        T.TensorType("float32", shape=(3,)), T.exp.scalar_op, T.exp, T.log, int, float,
    ]  # fmt: skip
    texts = [fingerprint.value_text(value) for value in values]
    assert len(set(texts)) == len(texts)


def test_values_without_an_exact_text_are_refused() -> None:
    for value in (object(), lambda: 0, np.zeros(3), Step):
        with pytest.raises(fingerprint.Unknown):
            fingerprint.value_text(value)


def test_the_digest_of_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = stamp.sources.__wrapped__
    (tmp_path / "ops").mkdir()
    monkeypatch.setattr(stamp, "__file__", str(tmp_path / "runtime" / "stamp.py"))
    assert digest() == ""
    module = tmp_path / "ops" / "a.py"
    module.write_text("x = 1")
    os.utime(module, ns=(10, 10))
    first = digest()
    assert len(first) == 64
    os.utime(module, ns=(20, 20))
    assert digest() not in ("", first)
    # A file that is younger than the process: what was imported may be older.
    os.utime(module, ns=(stamp._STARTED + 1, stamp._STARTED + 1))
    assert digest() == ""


def test_plan_key_needs_known_sources(cache: ObjectCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_cache.stamp, "sources", lambda: "")
    assert scaled(2.0).maker.plan_key == ""


def test_functions_with_rewrites_of_users_are_not_kept(cache: ObjectCache) -> None:
    from theano.compile.mode import optdb
    from theano.rewrite.databases import EquilibriumDB, ProxyDB
    from theano.rewrite.local_rewriters import OpSub

    own = EquilibriumDB()
    own.register("other_function", OpSub(T.exp, T.sin), "fast_run")
    assert scaled(2.0).maker.plan_key  # in a database that no function uses
    for place, entry_of in (("specialize", own), ("canonicalize", ProxyDB(own))):
        optdb[place].register("of_a_user", entry_of, "fast_run")
        try:
            assert scaled(2.0).maker.plan_key == ""
        finally:
            optdb[place].unregister("of_a_user")
    assert scaled(2.0).maker.plan_key
