"""Two tiers of code: the same results, bit for bit, and a safe change from one to the other."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import theano
import theano.tensor as T
from theano.backends.cpu import build, compiler, entry, machine, tiers
from theano.core.config import change_flags
from theano.kernel.prims import PRIMS
from theano.rewrite import pattern
from theano.runtime import blas, pycfunction, support
from theano.runtime.cache import ObjectCache

pytestmark = [
    pytest.mark.skipif(not compiler.available()[0], reason="no LLVM"),
    pytest.mark.skipif(theano.config.device != "cpu", reason="tiers are for the CPU"),
]
FOREVER = 3600.0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectCache]:
    """An empty disk cache; nothing is improved before `settle`."""
    made = ObjectCache(tmp_path)
    for place in (machine, entry, build):
        monkeypatch.setattr(place, "disk_cache", lambda: made)
    monkeypatch.setattr(pattern, "FOREIGN", [])
    with change_flags({"mode": "FAST_RUN", "jit.tiers": True, "jit.tiers_delay": FOREVER}):
        tiers.settle()
        yield made


def owner(f: Any) -> compiler.NativeModule:
    """The module of a function's code."""
    return (f.maker.plan or f.maker.compiled).owner


def bits(value: Any) -> bytes:
    return np.asarray(value).tobytes()


class Step:
    """A training step: products, exponentials, reductions, a gather, updates."""

    def __init__(self, factor: float) -> None:
        x, y = T.fmatrix("x"), T.ivector("y")
        rng = np.random.default_rng(1)
        self.w = theano.shared(rng.normal(size=(20, 7)).astype("float32"), "w")
        p = T.nnet.softmax(T.tanh(T.dot(x, self.w)) * np.float32(factor))
        cost = -T.mean(T.log(p)[T.arange(y.shape[0]), y])
        self.f = theano.function(
            [x, y], cost, updates=[(self.w, self.w - np.float32(0.1) * T.grad(cost, self.w))]
        )

    def __call__(self, seed: int = 0) -> list[bytes]:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(33, 20)).astype("float32")
        found = self.f(x, rng.integers(0, 7, 33).astype("int32"))
        return [bits(found), bits(self.w.get_value())]


# the same results ---------------------------------------------------------------------------------


def both_levels(
    monkeypatch: pytest.MonkeyPatch, compute: Callable[[bool], list[np.ndarray]]
) -> list[list[np.ndarray]]:
    """What ``compute(quick)``, which compiles modules, finds with code of either level."""
    found = []
    for quick in (True, False):

        def compile_module(
            text: str, exports: Sequence[str], imports: Mapping[str, int], **_: Any
        ) -> compiler.NativeModule:
            code = compiler.generate(text, quick=quick, verify=True)  # noqa: B023
            return compiler.link(code, exports, imports, "", from_cache=False)

        with monkeypatch.context() as patch:
            patch.setattr(compiler, "compile_module", compile_module)
            found.append(compute(quick))
    return found


def assert_same_bits(first: Sequence[np.ndarray], second: Sequence[np.ndarray], what: str) -> None:
    for a, b in zip(first, second, strict=True):
        same = np.isnan(a) & np.isnan(b) if a.dtype.kind == "f" else np.zeros(a.shape, bool)
        width = f"u{a.dtype.itemsize}"
        same |= np.ascontiguousarray(a).view(width) == np.ascontiguousarray(b).view(width)
        assert same.all(), f"{what}: {a[~same][:3]} and {b[~same][:3]}"


FLOATING = [n for n, row in PRIMS.items() if "f" in row.kinds and not row.rare and n != "cast"]


@pytest.mark.parametrize("name", FLOATING)
def test_primitives_give_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import test_cpu_prims as samples

    def compute(quick: bool) -> list[np.ndarray]:
        found = []
        for dtype in ("float32", "float64"):
            arity = len(samples.operands(name, dtype))
            rng = np.random.default_rng(3)
            random = [rng.normal(size=200) * 10.0**k for k in (-1, 0, 1, 3)]
            for lanes in (1, 16):
                arrays = [
                    a if a.dtype == bool else np.concatenate([a, *np.roll(random, i, 0)])
                    for i, a in enumerate(samples.operands(name, dtype))
                ]
                arrays = [np.resize(a, len(arrays[-1])).astype(a.dtype) for a in arrays]
                arrays = [a if a.dtype == bool else a.astype(dtype) for a in arrays]
                assert len(arrays) == arity
                found.append(samples.run(name, dtype, lanes, arrays))
        return found

    assert_same_bits(*both_levels(monkeypatch, compute), what=name)


@pytest.mark.parametrize("letter", ["s", "d"])
def test_products_give_the_same_bits(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dtype, real = {"s": ("f4", ctypes.c_float), "d": ("f8", ctypes.c_double)}[letter]
    host = compiler.host_features()
    target = support.Target(host.architecture, host.vector_bytes, host.vector_registers)
    shapes = [(m, n, k) for m in (1, 3, 12, 70) for n in (1, 5, 33, 300) for k in (1, 17, 400)]

    def compiled(recipe: support.Recipe) -> compiler.NativeModule:
        text = recipe.text()
        return compiler.compile_module(text.ir, recipe.exports, recipe.bind(text))

    def compute(quick: bool) -> list[np.ndarray]:
        made = support.Support(compiled, target, blas.find("none"), brief=quick)
        kinds = [ctypes.c_int64] * 3 + [real] + [ctypes.c_void_p, *[ctypes.c_int64] * 2] * 2
        kinds += [real, ctypes.c_void_p, *[ctypes.c_int64] * 2]
        address = made.library(f"{letter}gemm")[f"th_{letter}gemm"]
        run = ctypes.CFUNCTYPE(None, *kinds)(address)
        rng = np.random.default_rng(0)
        found = []
        for m, n, k in shapes:
            a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(n, k)).astype(dtype)
            for y in (b.T, np.ascontiguousarray(b.T)):
                c = np.ones((m, n), dtype)
                steps = [[s // c.itemsize for s in v.strides] for v in (a, y, c)]
                run(m, n, k, 0.3, a.ctypes.data, *steps[0], y.ctypes.data, *steps[1],
                    0.7, c.ctypes.data, *steps[2])  # fmt: skip
                found.append(c)
        return found

    assert_same_bits(*both_levels(monkeypatch, compute), what="product")


def expressions() -> list[Any]:
    x, v = T.dmatrix("x"), T.dvector("v")
    return [
        T.exp(-x) * x + 1 / (1 + x * x),
        (x * v + 0.3).sum(axis=0) * 0.7 + v,
        (x - x.mean(axis=1, keepdims=True)).var(axis=1),
        T.nnet.softmax(x), T.max(x, axis=1), T.argmax(x, axis=0), x.prod(), (x**2).sum() + x.min(),
        T.dot(x, v), T.dot(x.T, x), T.cumsum(x, axis=0), T.switch(x > 0, x, -x)[::2, 1:],
        T.cast(x, "float32").sum(), T.sqrt(abs(x)).std(axis=0), T.nnet.sigmoid(x).T + v[:, None],
    ]  # fmt: skip


def test_functions_give_the_same_bits(cache: ObjectCache) -> None:
    rng = np.random.default_rng(0)
    x, v = rng.normal(size=(37, 41)), rng.normal(size=41)
    for number, made in enumerate(expressions()):
        inputs = [i for i in theano.graph.traverse.roots([made], []) if i.name in ("x", "v")]
        f = theano.function(inputs, made)
        args = [{"x": x, "v": v}[i.name] for i in inputs]
        assert owner(f).level == 0
        first = f(*args)
        tiers.settle()
        assert owner(f).level == 1
        assert_same_bits([np.asarray(first)], [np.asarray(f(*args))], f"expression {number}")


# the change ---------------------------------------------------------------------------------------


def test_the_second_tier_takes_over(cache: ObjectCache) -> None:
    one, two = Step(1.25), Step(1.25)
    before = [one(seed) for seed in range(3)]
    quick = owner(one.f).addresses[entry.SYMBOL]
    assert "first tier" in str(theano.explain(one.f))
    tiers.settle()
    assert "second tier" in str(theano.explain(one.f))
    assert owner(one.f).addresses[entry.SYMBOL] != quick
    assert quick not in pycfunction._definitions
    assert [two(seed) for seed in range(3)] == before


def test_functions_made_after_the_change_run_the_second_tier(cache: ObjectCache) -> None:
    one = Step(1.5)
    tiers.settle()
    copied, again = one.f.copy(share_memory=False), Step(1.5)
    assert owner(again.f) is owner(one.f)
    address = owner(one.f)[entry.SYMBOL]
    assert len(pycfunction._definitions[address]) == 1
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(33, 20)).astype("float32"), np.zeros(33, "int32")
    assert bits(copied(x, y)) == bits(again.f(x, y))


def test_the_code_of_running_calls_stays(cache: ObjectCache) -> None:
    one = Step(2.0)
    module = owner(one.f)
    tracker = module._tracker
    tiers.settle()
    assert module.level == 1
    assert module._tracker is tracker


def test_threads_call_while_code_is_replaced(cache: ObjectCache) -> None:
    x = T.dvector("x")
    functions = [theano.function([x], (T.exp(x) * (i + 0.5)).sum()) for i in range(6)]
    value = np.linspace(-1, 1, 1001)
    wanted = [bits(f(value)) for f in functions]
    assert all(owner(f).level == 0 for f in functions)
    done = threading.Event()
    wrong: list[int] = []
    calls = [0] * 4

    def work(number: int) -> None:
        while True:
            ended = done.is_set()
            for i, f in enumerate(functions):
                if bits(f(value)) != wanted[i]:
                    wrong.append(i)
            calls[number] += 1
            if ended:
                return

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    tiers.settle()
    done.set()
    for thread in threads:
        thread.join()
    assert all(owner(f).level == 1 for f in functions)
    assert not wrong
    assert all(calls)


def test_functions_that_died_are_skipped(
    cache: ObjectCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    f = theano.function([x := T.dvector()], x * 3.25)
    f(np.zeros(2))
    del f
    gc.collect()
    monkeypatch.setattr(compiler, "compile_module", lambda *a, **k: pytest.fail("compiled"))
    tiers.settle()


def test_a_failure_leaves_the_first_tier(
    cache: ObjectCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = T.dvector()
    f = theano.function([x], x * 3.5)

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("out of luck")

    with monkeypatch.context() as patch:
        patch.setattr(compiler, "compile_module", fail)
        tiers.settle()
    assert owner(f).level == 0
    assert "out of luck" in str(theano.explain(f))
    assert f([2.0]).tolist() == [7.0]


def test_the_thread_does_it_by_itself(cache: ObjectCache) -> None:
    with change_flags({"jit.tiers_delay": 0.0}):
        one = Step(2.25)
        thread = tiers._worker._thread
        if thread is not None:
            thread.join(60)
    assert owner(one.f).level == 1
    assert tiers._worker._thread is None


def test_without_tiers_all_is_final_at_once(cache: ObjectCache) -> None:
    quick = Step(2.5)
    assert owner(quick.f).level == 0
    with change_flags({"jit.tiers": False}):
        final = Step(2.5)
        assert owner(final.f).level == 1
        assert "second tier" in str(theano.explain(final.f))
    assert quick(0) == final(0)


# the disk -----------------------------------------------------------------------------------------


def stored(cache: ObjectCache, f: Any) -> tuple[bool, bool]:
    key = owner(f).key
    return cache.get(tiers._quick_key(key)) is not None, cache.get(key) is not None


def test_the_cache_holds_both(cache: ObjectCache) -> None:
    one = Step(3.0)
    assert stored(cache, one.f) == (True, False)
    tiers.settle()
    assert stored(cache, one.f) == (True, True)
    compiler._linked.clear()
    again = Step(3.0)
    assert again.f.maker.plan is not None
    assert (owner(again.f).level, owner(again.f).from_cache) == (1, True)


def test_a_warm_start_with_the_first_tier_is_improved(cache: ObjectCache) -> None:
    cold = Step(3.25)
    wanted = [cold(seed) for seed in range(2)]
    del cold
    compiler._linked.clear()
    gc.collect()
    hot = Step(3.25)
    assert hot.f.maker.plan is not None
    assert (owner(hot.f).level, owner(hot.f).from_cache) == (0, True)
    first = hot(0)
    tiers.settle()
    assert owner(hot.f).level == 1
    assert stored(cache, hot.f) == (True, True)
    assert [first, hot(1)] == wanted


@pytest.mark.parametrize("damage", [b"", b"THQUICK1", b"THQUICK1" + bytes(20), b"something else"])
def test_odd_files_of_the_first_tier_are_made_anew(cache: ObjectCache, damage: bytes) -> None:
    x = T.dvector()
    f = theano.function([x], x * 4.25)
    key = tiers._quick_key(owner(f).key)
    del f
    compiler._linked.clear()
    cache.put(key, damage)
    f = theano.function([x], x * 4.25)
    assert f([2.0]).tolist() == [8.5]
    assert not owner(f).from_cache
    tiers.settle()
    assert owner(f).level == 1


# forks and the end of the process -----------------------------------------------------------------

START = """
import os, sys, threading, warnings
import numpy as np, theano, theano.tensor as T
from theano.backends.cpu import compiler, tiers
# Python 3.12 and later warn of any fork of a process with threads.
warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
def make(n):
    x = T.fmatrix("x")
    w = theano.shared(np.eye(3, dtype="float32"), "w")
    return theano.function([x], T.tanh(T.dot(x, w) * np.float32(n)).sum())
one = np.ones((2, 3), "float32")
def level(f):
    return (f.maker.plan or f.maker.compiled).owner.level
"""
ENDS = {
    "within the delay": "f = make(2); f(one); print(level(f))",
    "while it works": """
began = threading.Event()
generate = compiler._generate
def slow(*args, **kwargs):
    if not kwargs.get("quick"):
        began.set()
    return generate(*args, **kwargs)
compiler._generate = slow
f = make(2)
print(f(one) != 0)
began.wait(60)
""",
    "with an error": "f = make(2); f(one); raise SystemExit(0)",
    "in another thread": """
found = []
t = threading.Thread(target=lambda: found.append(make(2)))
t.start(); t.join(); print(found[0](one) != 0)
""",
    "fork while it works": """
began = threading.Event()
generate = compiler._generate
def slow(*args, **kwargs):
    if not kwargs.get("quick"):
        began.set()
    return generate(*args, **kwargs)
compiler._generate = slow
f = make(2)
began.wait(60)
child = os.fork()
if not child:
    g = make(3)
    tiers.settle()
    ok = level(f) == level(g) == 1 and f(one) != g(one)
    os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
tiers.settle()
assert level(f) == 1
""",
    "fork before it works": """
f = make(2)
child = os.fork()
if not child:
    assert tiers._worker._thread is None
    g = make(3)
    thread = tiers._worker._thread
    if thread is not None:
        thread.join(60)
    os._exit(0 if level(f) == level(g) == 1 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
tiers.settle()
assert level(f) == 1
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_ends_of_processes(end: str, tmp_path: Path) -> None:
    if "fork" in end and not hasattr(os, "fork"):
        pytest.skip("no fork here")
    delay = {"within the delay": FOREVER, "fork before it works": 0.5}.get(end, 0)
    flags = f"compiledir={tmp_path},device=cpu,floatX=float32,jit.tiers_delay={delay}"
    found = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", START + ENDS[end]], check=False, timeout=300,
        env={**os.environ, "THEANO_FLAGS": flags}, capture_output=True, text=True,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")
    if end == "within the delay":
        assert found.stdout == "0\n"
