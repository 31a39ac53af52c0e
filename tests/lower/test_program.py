"""Programs as data: text, verification, the memory plan, the order of steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from lower_checks import check, lowered

import theano
import theano.tensor as T
from theano.kernel.text import parse as parse_kernel
from theano.lower import memory
from theano.lower import program as pg
from theano.lower.context import CannotLower
from theano.lower.donate import writes_last
from theano.lower.text import parse, text
from theano.lower.verify import InvalidProgram, verify

NEG = parse_kernel("""kernel neg (a0 a1 | ) {
  in x : float64 [a0 a1]
  out y : float64 [a0 a1]
  each {
    v1 = load x : float64
    v2 = neg v1 : float64
    store y v2
  }
}""")
PARAM = pg.Param("in1", "float64", 2, "input", 0, (None, 3))
SHARED = pg.Param("sh1", "float64", 2, "shared", 0, (None, None))


def neg(source: str, target: str, axes: Any = (0, 1)) -> pg.Launch:
    return pg.Launch(NEG, (2, 3), (pg.Operand(source, axes), pg.Operand(target, (0, 1))), ())


def alloc(name: str, place: str = "slot", dims: Any = (2, 3)) -> pg.Alloc:
    return pg.Alloc(name, "float64", dims, place)


def program(*steps: Any, results: Any = (), **more: Any) -> pg.Program:
    return pg.Program("p", (PARAM, SHARED), steps, tuple(results), more.pop("slots", 2), **more)


def gemm(*arrays: str) -> pg.Call:
    return pg.Call("gemm", arrays, (1.0, 0.0))


def sample() -> pg.Program:
    """One of every kind of step."""
    return program(
        pg.Dim("n", "in1", 0),
        pg.Let("m", "int64", "mul", ("n", 3), "int64"),
        pg.Let("ok", "bool", "ge", ("m", -1), "int64"),
        pg.Let("f", "float64", "select", (True, float("inf"), -1.5e-300), "float64"),
        pg.Check("ok", 'it says "no" (really); \'never\''),
        alloc("a", "slot:0", ("n", 3)),
        neg("in1", "a"),
        pg.View("v", "float64", "a", ((0, "n"), (1, -1)), (
            pg.ViewAxis(None, 1), pg.ViewAxis(1, 3, -1))),
        pg.Reshape("r", "float64", "v", ("m",), "slot:1"),
        pg.Peek("x", "float64", "q"),
        pg.Poke("q", "x", "float64"),
        pg.Poke("q", False, "bool"),
        gemm("a", "in1", "sh1"),
        pg.PyCall(0, ("r", "a"), (("y", "int8", 1), ("z", "bool", 0))),
        pg.PyCall(1, (), ()),
        results=[pg.Result("output", 0, "y"), pg.Result("update", 0, "sh1", True)],
    )  # fmt: skip


def test_every_step_reads_back():
    made = sample()
    assert parse(text(made)) == made
    for line in text(made).splitlines():
        assert line == line.rstrip()


@pytest.mark.parametrize("line", ["frobnicate a", "x = dim", "b4 : int8 = alloc 3"])
def test_a_line_that_cannot_be_read_is_quoted(line):
    with pytest.raises(ValueError, match=line.split()[0]):
        parse(f"program p slots 0 {{\n  {line}\n}}\n")
    with pytest.raises(ValueError, match="not a program"):
        parse("programme p {\n}\n")


BAD = {
    "not an array defined before": [neg("in1", "a")],
    "not a register defined before": [pg.Let("m", "int64", "neg", ("n",), "int64")],
    "n is not an array": [pg.Dim("n", "in1", 0), pg.Dim("m", "n", 0)],
    "in1 is not a register": [pg.Check("in1", "")],
    "assigned twice": [pg.Dim("n", "in1", 0), pg.Dim("n", "in1", 0)],
    "there are 2 slots": [alloc("a", "slot:2")],
    "there are 0 callables": [pg.PyCall(0, (), ())],
    "2 extents expected": [pg.Launch(NEG, (2,), neg("in1", "sh1").operands, ())],
    "0 scalars expected": [pg.Launch(NEG, (2, 3), neg("in1", "sh1").operands, (1,))],
    "2 operands expected": [pg.Launch(NEG, (2, 3), (), ())],
    "of an array of rank 2": [neg("in1", "sh1", (0, 2))],
    "of an array of rank 2: twice": [neg("in1", "sh1", (1, 1))],
    "wrong number of axes": [neg("in1", "sh1", (0, 1, None))],
    "bound along": [neg("in1", "sh1", (0, None))],
}  # fmt: skip


@pytest.mark.parametrize("problem", BAD)
def test_bad_programs_are_refused(problem):
    with pytest.raises(InvalidProgram, match=problem.split(":")[0]):
        verify(program(*BAD[problem]))


def test_a_result_is_an_array():
    with pytest.raises(InvalidProgram, match="not an array"):
        verify(program(pg.Dim("n", "in1", 0), results=[pg.Result("output", 0, "n")]))


# memory -----------------------------------------------------------------------------------------


def places(steps: Any) -> dict[str, str]:
    return {s.out: s.place for s in steps if isinstance(s, (pg.Alloc, pg.Reshape))}


def test_a_slot_waits_for_an_array_like_its_former_one():
    large = ("n", 100)
    steps = [alloc("a", dims=large), neg("in1", "a"), alloc("small"), neg("in1", "small"),
             alloc("b", dims=large), neg("small", "b")]  # fmt: skip
    planned, slots = memory.assign_slots(steps, [pg.Result("output", 0, "b")])
    assert slots == 2
    assert places(planned) == {"a": "slot:0", "small": "slot:1", "b": "slot:0"}


def test_a_slot_is_taken_again_when_its_tenant_and_its_views_are_dead():
    view = pg.View("w", "float64", "a", (), (pg.ViewAxis(0, 2), pg.ViewAxis(1, 3)))
    out = pg.Result("output", 0, "c")
    steps = [alloc("a"), neg("in1", "a"), view, alloc("b"), neg("in1", "b"), neg("w", "b"),
             alloc("c"), neg("b", "c")]  # fmt: skip
    planned, slots = memory.assign_slots(steps, [out])
    assert slots == 2
    assert places(planned) == {"a": "slot:0", "b": "slot:1", "c": "slot:0"}
    late = [*steps, gemm("c", "w", "in1")]
    assert memory.assign_slots(late, [out])[1] == 3


def test_what_a_python_step_returns_may_be_what_it_was_given():
    steps = [alloc("a"), neg("in1", "a"), pg.PyCall(0, ("a",), (("y", "float64", 2),)),
             alloc("b"), neg("in1", "b"), gemm("b", "y", "y")]  # fmt: skip
    assert memory.assign_slots(steps, [pg.Result("output", 0, "b")])[1] == 2


def test_steps_that_nobody_reads_are_dropped_but_checks_stay():
    steps = [pg.Dim("n", "in1", 0), pg.Dim("k", "in1", 1),
             pg.Let("ok", "bool", "gt", ("n", 0), "int64"),
             pg.Check("ok", ""), alloc("a"), neg("in1", "a"), alloc("b"), neg("in1", "b"),
             neg("in1", "sh1")]  # fmt: skip
    kept = memory.remove_dead(steps, [pg.Result("output", 0, "b")], [PARAM, SHARED])
    assert kept == (steps[0], *steps[2:4], *steps[6:])


def test_a_map_stores_over_a_temporary_that_dies():
    out = [pg.Result("output", 0, "c")]
    steps = [alloc("a"), gemm("a", "in1", "sh1"), alloc("b"), neg("a", "b"),
             alloc("c", "output"), neg("b", "c")]  # fmt: skip
    assert memory.write_over(steps, out) == (
        steps[0], steps[1], neg("a", "a"), steps[4], neg("a", "c")
    )  # fmt: skip
    again = [*steps, gemm("c", "a", "in1")]
    assert memory.write_over(again, out) == tuple(again)
    turned = [*steps[:3], neg("a", "b", (1, 0)), *steps[4:]]
    assert memory.write_over(turned, out) == tuple(turned)
    other = [alloc("a", dims=(3, 2)), *steps[1:]]
    assert memory.write_over(other, out) == tuple(other)


def test_layers_reuse_the_memory_of_products():
    x, w, b = T.dmatrix(), T.dmatrix(), T.dvector()
    h = x
    for _ in range(4):
        h = T.tanh(T.dot(h, w) + b)
    values = [np.ones((2, 3)), np.full((3, 3), 0.3), np.arange(3.0)]
    found = check([x, w, b], [h.sum()], values, calls=1)[0]
    assert found.slots <= 3
    maps = [s for s in found.steps if isinstance(s, pg.Launch) and not s.kernel.inner]
    assert maps
    assert all(len({o.array for o in s.operands}) < len(s.operands) for s in maps)


def test_writes_to_shared_storage_come_last():
    bad, check_step = neg("in1", "sh1"), pg.Check("ok", "")
    flag = pg.Let("ok", "bool", "gt", (1, 0), "int64")
    read = neg("sh1", "a")
    steps = [bad, flag, check_step, alloc("a"), read]
    assert writes_last(steps, {"sh1"}) == [flag, check_step, alloc("a"), read, bad]
    assert writes_last(steps, set()) == steps


def test_what_a_program_cannot_hold_is_said():
    with pytest.raises(CannotLower, match="neither an input nor has it a value"):
        lowered([], [T.dvector() + 1])


def test_long_chains_are_lowered_without_recursion():
    x, s = T.dvector(), T.dscalar()
    v, n = x, s
    for i in range(1500):
        v, n = (T.tanh(v) if i % 2 else v * s), n + 1.0
    views = x
    for _ in range(300):
        views = views[::-1].dimshuffle("x", 0)[0]
    made = lowered([x, s], [v, n, views]).program
    assert sum(isinstance(step, pg.Launch) for step in made.steps) <= 3


def test_a_function_over_several_shared_variables_names_its_cells_in_order():
    first, second = theano.shared(np.ones(2), "first"), theano.shared(np.ones(2), "second")
    made = lowered([], [second * first], [(second, second + 1)])
    assert set(made.shared) == {first, second}
    kinds = {p.index: p.kind for p in made.program.params}
    assert kinds == {0: "shared", 1: "shared"}
