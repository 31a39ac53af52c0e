"""Host functions: hand-written Programs, compiled for the CPU, against the NumPy executor."""

import gc
import sys

import numpy as np
import pytest
from host_programs import (
    Native,
    add_program,
    counter_program,
    elementwise,
    parameter,
    python_program,
)

from theano.backends.cpu import build, compiler
from theano.backends.numpy import executor
from theano.kernel import ir
from theano.lower import program as pg

usable, why = compiler.available()
pytestmark = pytest.mark.skipif(not usable, reason=why)


@pytest.mark.parametrize("place", ["output", "slot:0"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "uint8"])
def test_addition_in_every_layout(dtype, ndim, place):
    native = Native(add_program(place, dtype, ndim))
    rng = np.random.default_rng(1)
    for shape in ((5,) * ndim, (0,) * ndim, (1, 40, 3)[:ndim], (600, 3, 2)[:ndim]):
        x, y = (rng.integers(0, 9, shape).astype(dtype) for _ in range(2))
        for a, b in ((x, y), (x[::-1], y), (np.asfortranarray(x), y), (x[..., ::2], y[..., ::2])):
            z = native.run(a, b)
            assert z.dtype == dtype
            assert z.flags.c_contiguous
            assert z.flags.owndata or z.base is not None
            assert not np.shares_memory(z, a)
            np.testing.assert_array_equal(z, a + b)
    assert native.calls == []


def test_outputs_of_different_calls_are_different_arrays():
    native = Native(add_program())
    x = np.ones(3, "float32")
    first, second = native.run(x, x), native.run(x, x)
    assert not np.shares_memory(first, second)


def test_what_does_not_fit_goes_to_the_slow_path():
    native = Native(add_program(static=(3,)))
    x = np.ones(3, "float32")
    odd = np.frombuffer(b"\0" * 13, dtype="int8")[1:].view("float32")
    assert not odd.flags.aligned
    bad = [
        (), (x,), (x, x, x), (x, [1, 2, 3]), (x.astype("float64"), x), (x[None], x), (1.0, x),
        (x, None), (x.astype(">f4"), x), (np.ones(4, "float32"), x), (odd, x),
        (np.ma.array(x), x),
    ]  # fmt: skip
    for args in bad:
        assert native.run(*args) == "slow"
        kind, given, kwargs = native.calls.pop()
        assert kind == "slow"
        assert len(given) == len(args)
        assert all(g is a for g, a in zip(given, args, strict=True))
        assert kwargs == {}
    assert native.run(x, y=2) == "slow"
    assert native.calls.pop() == ("slow", (x,), {"y": 2})
    np.testing.assert_array_equal(native.run(x, x), x + x)


def test_a_failed_check_calls_back_with_the_step():
    native = Native(add_program())
    x = np.ones(3, "float32")
    y = np.ones(4, "float32")
    before = sys.getrefcount(x), sys.getrefcount(y)
    for _ in range(100):
        assert native.run(x, y) == "fail"
    assert native.calls[0][:2] == ("fail", 3)
    assert native.calls[0][2][1] is y
    native.calls.clear()
    assert (sys.getrefcount(x), sys.getrefcount(y)) == before


def test_exceptions_of_the_callbacks_pass_through():
    program = add_program()
    compiled = build.compile_program(program)

    def broken(*args, **kwargs):
        raise LookupError(args)

    run = compiled.make_entry(program, (), broken, broken, True)
    for args in ((1,), (np.ones(2, "float32"), np.ones(3, "float32"))):
        with pytest.raises(LookupError):
            run(*args)


def test_registers():
    """Scalars in, scalars out: no kernel at all."""
    program = pg.Program(
        "scalars",
        (parameter("a", "float64", 0), parameter("b", "int32", 0, index=1)),
        (
            pg.Peek("x", "float64", "a"),
            pg.Peek("n", "int32", "b"),
            pg.Let("f", "float64", "cast", ("n",), "int32"),
            pg.Let("s", "float64", "mul", ("x", "f"), "float64"),
            pg.Let("t", "float64", "add", ("s", 0.5), "float64"),
            pg.Let("c", "bool", "gt", ("t", 10.0), "float64"),
            pg.Let("r", "float64", "select", ("c", "t", -1.0), "float64"),
            pg.Alloc("z", "float32", (), "output"),
            pg.Poke("z", "r", "float64"),
            pg.Alloc("w", "bool", (), "output"),
            pg.Poke("w", "c", "bool"),
        ),
        (pg.Result("output", 0, "z"), pg.Result("output", 1, "w")),
        0,
    )
    native = Native(program, single=False)
    for a, b in ((3.0, 4), (2.0, 1), (np.nan, 2)):
        args = np.array(a), np.array(b, "int32")
        z, w = native.run(*args)
        expected = executor.compile_program(program, [])(*args)
        assert (z.shape, z.dtype, w.dtype) == ((), np.float32, np.bool_)
        np.testing.assert_array_equal(z, expected[0])
        np.testing.assert_array_equal(w, expected[1])


def test_division_of_registers_by_zero_is_a_failure():
    program = pg.Program(
        "divide",
        (parameter("a", "int64", 0), parameter("b", "int64", 0, index=1)),
        (
            pg.Peek("x", "int64", "a"),
            pg.Peek("y", "int64", "b"),
            pg.Let("q", "int64", "idiv", ("x", "y"), "int64"),
            pg.Alloc("z", "int64", (), "output"),
            pg.Poke("z", "q", "int64"),
        ),
        (pg.Result("output", 0, "z"),),
        0,
    )
    native = Native(program)
    assert native.run(np.array(-7), np.array(2)) == -4
    assert native.run(np.array(-7), np.array(0)) == "fail"


def test_updates():
    cell = [np.zeros(3, "float32")]
    native = Native(counter_program(), [cell])
    x = np.array([1, 2, 3], "float32")
    for i in range(1, 4):
        old = cell[0]
        out = native.run(x)
        np.testing.assert_array_equal(out, i * x)
        np.testing.assert_array_equal(cell[0], i * x)
        assert not np.shares_memory(out, cell[0])
        assert cell[0] is not old
    count = sys.getrefcount(cell[0])
    native.run(x)
    after = sys.getrefcount(cell[0])
    assert after == count
    before = cell[0]
    assert native.run(np.ones(5, "float32")) == "fail"
    assert cell[0] is before


def test_a_shared_value_that_does_not_fit_goes_to_the_slow_path():
    cell = [np.zeros(3, "float64")]
    native = Native(counter_program(), [cell])
    x = np.ones(3, "float32")
    for value in (np.zeros(3), None, np.zeros((3, 1), "float32")):
        cell[0] = value
        assert native.run(x) == "slow"
    del cell[:]
    with pytest.raises(IndexError):
        native.run(x)


def test_updates_in_place_need_writeable_storage():
    kernel = elementwise("add", "float32", 2)
    program = pg.Program(
        "inplace",
        (parameter("x"), parameter("s", kind="shared")),
        (
            pg.Dim("n", "s", 0),
            pg.Launch(kernel, ("n",), tuple(pg.Operand(a, (0,)) for a in "sxs"), ()),
        ),
        (pg.Result("update", 0, "s", inplace=True),),
        0,
    )
    cell = [np.zeros(4, "float32")]
    native = Native(program, [cell], single=False)
    storage = cell[0]
    assert native.run(np.arange(4, dtype="float32")) == []
    assert cell[0] is storage
    np.testing.assert_array_equal(storage, [0, 1, 2, 3])
    storage.flags.writeable = False
    assert native.run(np.ones(4, "float32")) == "slow"


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gemm_through_views(dtype, transpose):
    axes = (pg.ViewAxis(1, "k"), pg.ViewAxis(0, "m"))
    program = pg.Program(
        "product",
        (parameter("a", dtype, 2), parameter("b", dtype, 2, index=1)),
        (
            pg.Dim("m", "a", 0), pg.Dim("k", "a", 1), pg.Dim("n", "b", 1),
            pg.View("at", dtype, "a", (), axes),
            pg.View("back", dtype, "at", (), (pg.ViewAxis(1, "m"), pg.ViewAxis(0, "k"))),
            pg.Alloc("c", dtype, ("m", "n"), "output"),
            pg.Call("gemm", ("c", "back", "b"), (2.0, 0.0)),
        ),
        (pg.Result("output", 0, "c"),),
        0,
    )  # fmt: skip
    native = Native(program)
    rng = np.random.default_rng(2)
    for m, k, n in ((3, 4, 5), (1, 70, 1), (0, 3, 2), (3, 0, 2), (200, 100, 50)):
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        if transpose:
            a, b = np.asfortranarray(a), np.asfortranarray(b)
        np.testing.assert_allclose(native.run(a, b), 2 * (a @ b), rtol=1e-3, atol=1e-3)


def test_views_and_reshapes():
    program = pg.Program(
        "views",
        (parameter("x", "float64", 2),),
        (
            pg.Dim("m", "x", 0),
            pg.Dim("n", "x", 1),
            pg.Let("last", "int64", "sub", ("m", 1), "int64"),
            pg.View("r", "float64", "x", ((0, "last"),),
                    (pg.ViewAxis(0, "m", -1), pg.ViewAxis(1, "n"))),
            pg.Let("size", "int64", "mul", ("m", "n"), "int64"),
            pg.Reshape("flat", "float64", "r", ("size",), "slot:0"),
            pg.Reshape("plain", "float64", "x", ("n", "m"), "slot:1"),
        ),
        (pg.Result("output", 0, "flat"), pg.Result("output", 1, "plain")),
        2,
    )  # fmt: skip
    native = Native(program, single=False)
    for shape in ((3, 4), (1, 5), (5, 1), (0, 3), (70, 80)):
        x = np.random.default_rng(3).standard_normal(shape)
        for value in (x, np.asfortranarray(x)):
            flat, plain = native.run(value)
            np.testing.assert_array_equal(flat, x[::-1].reshape(-1))
            np.testing.assert_array_equal(plain, x.reshape(shape[::-1]))
            assert not np.shares_memory(plain, value)


@pytest.mark.parametrize("place", ["output", "slot:0"])
@pytest.mark.parametrize("dims", [(-1, 3), (2**40, 2**40), (2**62, 0, 4)])
def test_impossible_extents_are_failures(place, dims):
    names = tuple(f"d{i}" for i in range(len(dims)))
    program = pg.Program(
        "huge",
        tuple(parameter(f"p{i}", "int64", 0, index=i) for i in range(len(dims))),
        (
            *(pg.Peek(name, "int64", f"p{i}") for i, name in enumerate(names)),
            pg.Alloc("z", "float64", names, place),
        ),
        (pg.Result("output", 0, "z"),),
        1,
    )
    assert Native(program).run(*map(np.array, dims)) == "fail"


def test_no_memory_is_a_python_error():
    program = pg.Program(
        "large",
        (parameter("p", "int64", 0),),
        (pg.Peek("n", "int64", "p"), pg.Alloc("z", "float64", ("n",), "slot:0"),
         pg.View("v", "float64", "z", (), (pg.ViewAxis(0, 0),))),
        (pg.Result("output", 0, "v"),),
        1,
    )  # fmt: skip
    native = Native(program)
    with pytest.raises(MemoryError):
        native.run(np.array(2**55))
    assert native.run(np.array(10)).shape == (0,)


def test_python_steps():
    kept = []

    def call(x, t):
        kept.append(t)
        return x.sum(axis=1), np.array(t.size)

    native = Native(python_program(call), single=False)
    x = np.arange(6.0).reshape(2, 3)
    a, z = native.run(x)
    np.testing.assert_array_equal(a, [3, 12])
    assert z == 6
    np.testing.assert_array_equal(kept[0], x.T)
    del x, a
    gc.collect()
    np.testing.assert_array_equal(kept[0], [[0, 3], [1, 4], [2, 5]])


def test_a_python_step_that_raises_fails():
    def call(x, t):
        raise ValueError("no")

    native = Native(python_program(call), single=False)
    x = np.ones((2, 2))
    count = sys.getrefcount(x)
    assert native.run(x) == "fail"
    assert native.calls.pop()[:2] == ("fail", 3)
    assert sys.getrefcount(x) == count

    def interrupt(x, t):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Native(python_program(interrupt), single=False).run(x)


def test_constants():
    table = np.arange(12.0).reshape(3, 4)[:, ::2]
    program = pg.Program(
        "constant",
        (parameter("t", "float64", 2, "constant"),),
        (pg.Dim("m", "t", 0), pg.Dim("n", "t", 1), pg.Alloc("z", "float64", ("m", "n"), "output"),
         pg.Call("copy", ("z", "t"), ())),
        (pg.Result("output", 0, "z"),),
        0,
        (table,),
    )  # fmt: skip
    np.testing.assert_array_equal(Native(program).run(), table)


def test_gathers_out_of_range_fail():
    operands = (
        ir.Operand("t", "float32", (), gather=1), ir.Operand("i", "int64", ("a",)),
        ir.Operand("y", "float32", ("a",), "out"),
    )  # fmt: skip
    body = (ir.Load("j", "int64", "i"), ir.Load("v", "float32", "t", ("j",)), ir.Store("y", "v"))
    kernel = ir.Kernel("take", ("a",), (), operands, (), (ir.Stage("each", body),))
    program = pg.Program(
        "take",
        (parameter("t"), parameter("i", "int64", index=1)),
        (
            pg.Dim("n", "i", 0),
            pg.Alloc("y", "float32", ("n",), "output"),
            pg.Launch(kernel, ("n",), (pg.Operand("t", (None,), (0,)), pg.Operand("i", (0,)),
                                       pg.Operand("y", (0,))), ()),
        ),
        (pg.Result("output", 0, "y"),),
        0,
    )  # fmt: skip
    native = Native(program)
    t = np.arange(5, dtype="float32")
    np.testing.assert_array_equal(native.run(t, np.array([0, -1, 3])), [0, 4, 3])
    for wrong in (5, -6, 2**62):
        assert native.run(t, np.array([0, wrong])) == "fail"
