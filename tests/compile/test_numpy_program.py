"""The NumPy runner of Programs: every kind of step, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from theano.backends.numpy.executor import StepFailed, compile_program, strided
from theano.lower import program as pg


def program(params, steps, results, **more):
    return pg.Program("p", tuple(params), tuple(steps), tuple(results), 0, **more)


def vector(name="a", kind="input", index=0):
    return pg.Param(name, "float64", 1, kind, index, (None,))


def test_scalars_checks_and_memory():
    steps = [
        pg.Dim("n", "a", 0),
        pg.Let("ok", "bool", "gt", ("n", 2), "int64"),
        pg.Check("ok", "at least three elements"),
        pg.Let("m", "int64", "select", (True, "n", 0), "int64"),
        pg.Let("x", "float64", "cast", ("m",), "int64"),
        pg.Alloc("out", "float64", (), "output"),
        pg.Poke("out", "x", "float64"),
        pg.Peek("y", "float64", "out"),
        pg.Alloc("two", "float64", (2,), "slot:0"),
        pg.View("back", "float64", "a", ((0, 2),), (pg.ViewAxis(0, 2, -1),)),
        pg.Call("copy", ("two", "back"), ()),
        pg.Reshape("col", "float64", "two", (2, 1), "slot:1"),
    ]
    results = [pg.Result("output", 0, "out"), pg.Result("output", 1, "col")]
    run = compile_program(program([vector()], steps, results), [])
    size, col = run(np.arange(4.0))
    assert size == 4
    np.testing.assert_array_equal(col, [[2], [1]])
    with pytest.raises(StepFailed, match="at least three") as caught:
        run(np.arange(2.0))
    assert caught.value.step == 2


def test_gemm_constants_and_python_steps():
    rank2 = [pg.Param(n, "float64", 2, "input", i, (None, None)) for i, n in enumerate("ab")]
    constant = pg.Param("k", "float64", 2, "constant", 0, (2, 2))
    steps = [
        pg.Alloc("c", "float64", (2, 2), "output"),
        pg.Call("copy", ("c", "k"), ()),
        pg.Call("gemm", ("c", "a", "b"), (2.0, 1.0)),
        pg.PyCall(0, ("c",), (("t", "float64", 2),)),
    ]
    results = [pg.Result("output", 0, "c"), pg.Result("output", 1, "t")]
    made = program(
        [*rank2, constant], steps, results, constants=(np.ones((2, 2)),),
        callables=(pg.PyFunction("transpose", lambda c: [c.T]),),
    )  # fmt: skip
    a, b = np.arange(4.0).reshape(2, 2), np.eye(2)
    c, t = compile_program(made, [])(a, b)
    np.testing.assert_array_equal(c, 2 * a + 1)
    np.testing.assert_array_equal(t, c.T)
    assert not np.shares_memory(c, t)


def test_updates_are_stored_last_and_do_not_alias():
    cells = [[np.zeros(2)], [np.ones(2)]]
    params = [vector("s", "shared", 0), vector("t", "shared", 1)]
    results = [
        pg.Result("update", 0, "t"),
        pg.Result("update", 1, "s"),
        pg.Result("output", 0, "s"),
    ]
    run = compile_program(program(params, [], results), cells)
    (out,) = run()
    np.testing.assert_array_equal(cells[0][0], [1, 1])
    np.testing.assert_array_equal(cells[1][0], [0, 0])
    assert not np.shares_memory(out, cells[1][0])


def test_arrays_that_do_not_fit_are_refused():
    run = compile_program(program([vector()], [], [pg.Result("output", 0, "a")]), [])
    for bad in (np.ones(2, "float32"), np.ones((2, 2))):
        with pytest.raises(TypeError, match="input 0"):
            run(bad)


def test_a_view_stays_inside_its_source():
    base = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(strided(base, 8, (2, 2), (24, 8)), base[:, 1:])
    np.testing.assert_array_equal(strided(base, 40, (3,), (-8,)), [5, 4, 3])
    assert strided(base, 1000, (0, 3), (24, 8)).shape == (0, 3)
    for start, shape, strides in ((48, (1,), (8,)), (0, (3, 3), (24, 8)), (0, (2,), (-8,))):
        with pytest.raises(AssertionError, match="leaves its source"):
            strided(base, start, shape, strides)
