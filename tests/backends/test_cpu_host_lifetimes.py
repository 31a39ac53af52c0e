"""Host functions under threads, forks and the garbage collector."""

import functools
import gc
import os
import sys
import threading
import weakref

import numpy as np
import pytest
from builders import in_threads
from host_programs import (
    Native,
    add_program,
    counter_program,
    parameter,
)

from theano.backends.cpu import build, compiler
from theano.core.errors import MissingSpelling
from theano.lower import program as pg

usable, why = compiler.available()
pytestmark = pytest.mark.skipif(not usable, reason=why)


def test_many_threads_call_one_function():
    program = add_program("slot:0", "float64", 2)
    native = Native(program)
    rng = np.random.default_rng(4)
    inputs = [rng.standard_normal((300, 400)) for _ in range(8)]
    wrong = []

    def work(x):
        wrong.extend(None for _ in range(20) if not np.array_equal(native.run(x, x), x + x))

    in_threads(work, inputs)
    assert wrong == []
    assert native.calls == []


def test_updates_from_many_threads_take_turns():
    cell = [np.zeros(200_000, "float32")]
    native = Native(counter_program(results=(pg.Result("update", 0, "z"),)), [cell], single=False)
    one = np.ones(200_000, "float32")

    def work(_):
        for _ in range(25):
            native.run(one)

    in_threads(work, range(4))
    assert (cell[0] == 100).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process")
def test_fork_while_another_thread_is_in_the_function():
    size = 400_000
    cell = [np.zeros(size, "float32")]
    native = Native(counter_program(results=(pg.Result("update", 0, "z"),)), [cell], single=False)
    one = np.ones(size, "float32")
    stop = threading.Event()

    def work():
        while not stop.is_set():
            native.run(one)

    other = threading.Thread(target=work)
    other.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                before = cell[0][0]
                native.run(one)
                os._exit(0 if (cell[0] == before + 1).all() else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        other.join()


def test_a_function_with_updates_may_call_itself():
    depth = []
    cell = [np.zeros(1, "float32")]

    def call():
        if len(depth) < 3:
            depth.append(1)
            native.run()
        return (np.ones(1, "float32"),)

    program = pg.Program(
        "again",
        (),
        (pg.PyCall(0, (), (("a", "float32", 1),)),),
        (pg.Result("update", 0, "a"),),
        0,
        callables=(pg.PyFunction("call", call),),
    )
    native = Native(program, [cell], single=False)
    assert native.run() == []
    assert len(depth) == 3


def test_everything_dies_with_the_function():
    class Anchor:
        """Something a weak reference can watch."""

    anchor = Anchor()
    program = add_program("slot:0")

    def slow(given, *args):
        return given

    call = functools.partial(slow, anchor)
    run = build.compile_program(program).make_entry(program, (), call, call, True)
    assert run() is anchor
    x = np.ones(1000, "float32")
    run(x, x)
    watch = weakref.ref(anchor)
    del anchor, call, run
    gc.collect()
    assert watch() is None


def test_no_reference_leaks():
    native = Native(add_program())
    x = np.ones(10, "float32")
    native.run(x, x)
    before = sys.getrefcount(x), sys.getrefcount(x.dtype), sys.getrefcount(native.run)
    for _ in range(1000):
        native.run(x, x)
    assert (sys.getrefcount(x), sys.getrefcount(x.dtype), sys.getrefcount(native.run)) == before
    fresh = sys.getrefcount(native.run(x, x))
    assert fresh == 1


def test_an_unknown_library_function_names_the_file_to_edit():
    program = pg.Program(
        "unknown", (parameter("x"),), (pg.Call("no_such", ("x",), ()),),
        (pg.Result("output", 0, "x"),), 0,
    )  # fmt: skip
    with pytest.raises(MissingSpelling, match=r"routines/table\.py"):
        build.compile_program(program)
