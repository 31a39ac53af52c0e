"""The thread pool: every chunk runs once, whoever calls, forks or leaves."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from theano.backends.cpu import compiler
from theano.runtime import threads, threads_text

CHUNK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)

COUNT_IR = """
define void @count(ptr %ctx, i64 %i) {
  %p = getelementptr i64, ptr %ctx, i64 %i
  %old = atomicrmw add ptr %p, i64 1 monotonic
  ret void
}
define void @spend(ptr %ctx, i64 %i) {
entry:
  br label %l
l:
  %k = phi i64 [0, %entry], [%k2, %l]
  %v = load volatile i64, ptr %ctx
  %k2 = add i64 %k, 1
  %more = icmp slt i64 %k2, 20000
  br i1 %more, label %l, label %x
x:
  %p = getelementptr i64, ptr %ctx, i64 %i
  %old = atomicrmw add ptr %p, i64 1 monotonic
  ret void
}
declare void @th_parallel(ptr, ptr, ptr, i64)
declare i64 @th_launch(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64)
@th_pool = external global i8
define i64 @launch(ptr %ctx, ptr %own, i64 %outer, i64 %inner, i64 %weight, i64 %how) {
  %n = call i64 @th_launch(ptr @th_pool, ptr @count, ptr %ctx, ptr %own, i64 %outer, i64 %inner,
                           i64 %weight, i64 64, i64 %how)
  ret i64 %n
}
define internal void @inner(ptr %ctx, i64 %i) {
  %row = getelementptr i64, ptr %ctx, i64 0
  call void @th_parallel(ptr @th_pool, ptr @count, ptr %row, i64 7)
  ret void
}
define void @nested(ptr %ctx, i64 %n) {
  call void @th_parallel(ptr @th_pool, ptr @inner, ptr %ctx, i64 %n)
  ret void
}
"""


@pytest.fixture(scope="module")
def native(helpers):
    imports = helpers.symbols(("th_parallel", "th_launch", "th_pool"))
    exports = ["count", "spend", "nested", "launch"]
    module = compiler.compile_module(COUNT_IR, exports, imports, verify=True)
    pool = threads.pool()
    before = pool.threads
    pool.set_threads(3)
    yield module, imports
    pool.set_threads(before)


def run(native, function, chunks, ctx):
    module, symbols = native
    kinds = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    parallel = ctypes.CFUNCTYPE(None, *kinds)(symbols["th_parallel"])
    parallel(symbols["th_pool"], module[function], ctypes.addressof(ctx), chunks)


@pytest.mark.parametrize("chunks", [0, 1, 2, 3, 8, 1000, 1024, 1025, 5000])
@pytest.mark.parametrize("function", ["count", "spend"])
def test_every_chunk_runs_once(native, function, chunks):
    if function == "spend" and chunks > 10:
        chunks = 50
    ctx = (ctypes.c_int64 * (chunks + 1))()
    run(native, function, chunks, ctx)
    assert list(ctx) == [1] * chunks + [0]


def test_regions_in_quick_succession(native):
    ctx = (ctypes.c_int64 * 9)()
    for _ in range(20_000):
        run(native, "count", 8, ctx)
    assert list(ctx) == [20_000] * 8 + [0]


def test_loops_of_every_length_in_turn(native):
    # Shares differ from loop to loop, some are empty: no chunk may be taken twice or forgotten.
    for _ in range(300):
        for chunks in (2, 3, 64, 2, 5, 2000, 4):
            ctx = (ctypes.c_int64 * chunks)()
            run(native, "count", chunks, ctx)
            assert list(ctx) == [1] * chunks


def test_more_and_fewer_threads_from_one_loop_to_the_next(native):
    pool = threads.pool()
    before = pool.threads
    try:
        for count in (5, 2, 8, 1, 4) * 3:
            pool.set_threads(count)
            for chunks in (2, 7, 400):
                ctx = (ctypes.c_int64 * chunks)()
                for _ in range(50):
                    run(native, "count", chunks, ctx)
                assert list(ctx) == [50] * chunks
    finally:
        pool.set_threads(before)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be placed here")
def test_threads_on_one_processor(native):
    """They leave the caller's processor, or the work to it, and may run where they might before."""
    everywhere = os.sched_getaffinity(0)
    run(native, "spend", 8, (ctypes.c_int64 * 8)())
    workers = [t.native_id for t in threading.enumerate() if t.name.startswith("theano-")]
    one = {min(everywhere)}
    try:
        for places in (one, everywhere):
            os.sched_setaffinity(0, one)
            for worker in workers:
                os.sched_setaffinity(worker, one)
            for worker in workers:
                os.sched_setaffinity(worker, places)
            ctx = (ctypes.c_int64 * 8)()
            for _ in range(300):
                run(native, "spend", 8, ctx)
            assert list(ctx) == [300] * 8
            wanted = [places] * len(workers)
            end = time.monotonic() + 20
            # A worker that is about to leave may not run everywhere for a moment.
            while [*map(os.sched_getaffinity, workers)] != wanted and time.monotonic() < end:
                time.sleep(0.01)
            assert [*map(os.sched_getaffinity, workers)] == wanted
    finally:
        for thread in (0, *workers):
            os.sched_setaffinity(thread, everywhere)


def test_nested_loops_run(native):
    module, _ = native
    ctx = (ctypes.c_int64 * 7)()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(module["nested"])(
        ctypes.addressof(ctx), 50
    )
    assert list(ctx) == [50] * 7


@pytest.mark.parametrize("how", [0, 1, 2])
@pytest.mark.parametrize("weight", [1, 100, 10_000])
def test_only_what_may_be_split_freely_is_split_by_who_is_awake(native, how, weight):
    module, _ = native
    launch = ctypes.CFUNCTYPE(
        ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 4
    )(module["launch"])

    nested = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(module["nested"])
    counters = (ctypes.c_int64 * 16)()

    def split(how):
        chunks = (ctypes.c_int64 * 64)()
        own = (ctypes.c_int64 * 2)()
        count = launch(ctypes.addressof(chunks), ctypes.addressof(own), 8, 1024, weight, how)
        assert [*chunks] == [1] * count + [0] * (64 - count)
        assert count * own[0] >= (8 if own[1] == 0 else 1024) > (count - 1) * own[0]
        return count, own[0], own[1]

    fixed, free = set(), set()
    for _ in range(200):
        # A loop of several chunks, after which the workers are awake for a while.
        nested(ctypes.addressof(counters), 8)
        fixed.add(split(how))
        free.add(split(how + 4))
    assert len(fixed) == 1
    assert max(n for n, *_ in free) <= max(3, min(fixed)[0])


def test_concurrent_callers(native):
    results = {}

    def call(number):
        ctx = (ctypes.c_int64 * 8)()
        for _ in range(2000):
            run(native, "count", 8, ctx)
        for _ in range(50):
            run(native, "spend", 8, ctx)
        results[number] = list(ctx)

    callers = [threading.Thread(target=call, args=(n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert results == dict.fromkeys(range(4), [2050] * 8)


def test_workers_are_daemons_and_start_on_demand(native):
    run(native, "count", 8, (ctypes.c_int64 * 8)())
    assert threads.pool().started
    workers = [t for t in threading.enumerate() if t.name.startswith("theano-")]
    assert len(workers) >= 2
    assert all(worker.daemon for worker in workers)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_forked_child_has_a_working_pool(native):
    run(native, "spend", 8, (ctypes.c_int64 * 8)())
    for _ in range(5):
        child = os.fork()
        if child == 0:
            ctx = (ctypes.c_int64 * 8)()
            fresh = not threads.pool().started
            for _ in range(100):
                run(native, "spend", 8, ctx)
            os._exit(0 if fresh and list(ctx) == [100] * 8 and threads.pool().started else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ctx = (ctypes.c_int64 * 8)()
    run(native, "count", 8, ctx)
    assert list(ctx) == [1] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_fork_while_another_thread_is_in_a_loop(native):
    stop = threading.Event()

    def busy():
        ctx = (ctypes.c_int64 * 8)()
        while not stop.is_set():
            run(native, "spend", 8, ctx)

    other = threading.Thread(target=busy)
    other.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                ctx = (ctypes.c_int64 * 8)()
                run(native, "spend", 8, ctx)
                os._exit(0 if list(ctx) == [1] * 8 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        other.join()


def test_the_process_ends_cleanly_while_workers_sleep_or_spin():
    program = textwrap.dedent(
        """
        import ctypes, atexit
        import numpy as np
        from theano.backends.cpu import helpers
        from theano.runtime import threads, threads_text
        threads.pool().set_threads(3)
        s = helpers.helpers()
        F, P, I = ctypes.c_float, ctypes.c_void_p, ctypes.c_int64
        f = ctypes.CFUNCTYPE(None, I, I, I, F, P, I, I, P, I, I, F, P, I, I)(
            s.library("sgemm")["th_sgemm"])
        a = np.ones((300, 300), "f4")
        c = np.empty_like(a)
        def go():
            p, q = a.ctypes.data, c.ctypes.data
            f(300, 300, 300, 1, p, 300, 1, p, 300, 1, 0, q, 300, 1)
        go()
        assert (c == 300).all() and threads.pool().started
        atexit.register(go)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_thread_count_from_the_environment():
    assert threads.default_thread_count("4") == 4
    assert threads.default_thread_count("2,1") == 2
    assert threads.default_thread_count("none") >= 1
    assert threads.default_thread_count("0") >= 1
    with pytest.raises(ValueError, match="at least 1"):
        threads.pool().set_threads(0)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64", "riscv64"])
def test_text_for_other_systems_is_valid(helpers, platform, architecture):
    del helpers
    from llvmlite import binding

    module = binding.parse_assembly(threads_text.pool_ir(architecture, platform))
    module.verify()
    names = {function.name for function in module.functions if not function.is_declaration}
    assert {"th_worker", "th_parallel"} <= names
