"""What loops collect in the places of sequences that they read: the same results, less memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lower_checks import expected, lowered, run_strictly, same

import theano
import theano.tensor as T
from theano.backends.numpy import executor
from theano.lower import program as pg
from theano.lower.regions import Facts, Form, Writer
from theano.rewrite import pipeline


def gates(columns: Sequence[int], width: int, twice: bool = False) -> tuple[list[Any], list[Any]]:
    """A recurrence whose step reads columns of a row; its cost's gradient in the whole sequence."""
    x, w = T.dtensor3("x"), T.dmatrix("w")

    def step(row: Any, state: Any, w: Any) -> Any:
        sums = row + T.dot(state, w)
        a, b, c = (sums[:, at : at + width] for at in columns)
        more = T.tanh(row[:, :width]) if twice else 0
        return T.nnet.sigmoid(a) * state + T.tanh(b) * T.nnet.sigmoid(c) + more

    start = T.unbroadcast(T.zeros((x.shape[1], width)), 1)
    sums = T.tanh(x) * 2.0
    states, _ = theano.scan(step, sequences=[sums], outputs_info=[start], non_sequences=[w])
    cost = (states[-1] ** 2).sum()
    return [x, w], [cost, *T.grad(cost, [x, w])]


def values(steps: int, batch: int, wide: int, width: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(steps, batch, wide)), rng.normal(size=(width, wide)) / 3]


def compared(
    inputs: Sequence[Any], outputs: Sequence[Any], data: Sequence[Any]
) -> tuple[pg.Program, list[int]]:
    """A rewritten graph's program gives what the reference gives; which sides branches took."""
    wanted, _ = expected(list(inputs), list(outputs), [], data)
    made = lowered(inputs, pipeline.optimize(list(inputs), list(outputs)))
    taken: list[int] = []
    branch = executor._STEPS[pg.Branch]

    def noted(program: pg.Program, step: pg.Branch, env: Any) -> None:
        taken.append(bool(env[step.condition]))
        branch(program, step, env)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(executor._STEPS, pg.Branch, noted)
        if wanted[0].error is not None:
            with pytest.raises((executor.StepFailed, type(wanted[0].error))):
                run_strictly(made.program, data, [])
        else:
            found = run_strictly(made.program, data, [])
            for a, b in zip(found, wanted[0].outputs, strict=True):
                same(a, b)
    return made.program, taken


def shares(program: pg.Program) -> int:
    """How many collected arrays may take the place of another."""
    return sum(len(s.outs) for s in program.steps if isinstance(s, pg.Branch))


def test_activations_and_their_derivatives_take_the_place_of_sums() -> None:
    program, taken = compared(*gates((0, 4, 8), 4), values(5, 3, 12, 4))
    assert shares(program) == 3 + 1
    assert taken == [True, True]
    native = theano.function(*gates((0, 4, 8), 4), mode="FAST_RUN")
    slow = theano.function(*gates((0, 4, 8), 4), mode="FAST_COMPILE")
    for steps, batch in ((5, 3), (1, 1), (40, 17)):
        data = values(steps, batch, 12, 4)
        for a, b in zip(native(*data), slow(*data), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("columns", [(0, 3, 8), (8, 4, 2), (5, 1, 7)])
def test_columns_that_overlap_have_arrays_of_their_own(columns: tuple[int, ...]) -> None:
    _, taken = compared(*gates(columns, 4), values(4, 3, 12, 4))
    assert True not in taken


@pytest.mark.parametrize("columns", [(0, 4, 4), (0, 0, 8), (8, 4, 0)])
def test_columns_that_are_the_same_or_elsewhere(columns: tuple[int, ...]) -> None:
    _, taken = compared(*gates(columns, 4), values(4, 3, 12, 4))
    assert taken[0]


def test_columns_that_are_cut_short_fail_as_before() -> None:
    compared(*gates((0, 4, 8), 4), values(4, 3, 10, 4))


def test_no_steps_and_no_rows() -> None:
    inputs, outputs = gates((0, 4, 8), 4)
    for steps, batch in ((1, 0), (0, 2)):
        compared(inputs, outputs, values(steps, batch, 12, 4))


def test_a_sequence_that_is_read_elsewhere_stays() -> None:
    inputs, outputs = gates((0, 4, 8), 4)
    x = inputs[0]
    rows, _ = theano.scan(lambda row: T.exp(row), sequences=[T.tanh(x) * 2.0])
    total, _ = theano.scan(lambda row, late: T.sqr(row) - late, sequences=[rows, rows[::-1]])
    compared(inputs, [*outputs, rows.sum(), total], values(6, 2, 12, 4))


def test_a_sequence_that_is_turned() -> None:
    x = T.dtensor3("x")
    rows, _ = theano.scan(lambda row: T.exp(row), sequences=[T.tanh(x)[::-1]])
    total, _ = theano.scan(lambda row, s: T.sqr(row).sum(axis=1) + s, sequences=[rows],
                           outputs_info=[x[0, :, 0]])  # fmt: skip
    compared([x], [total[-1], *T.grad(total[-1].sum(), [x])], [values(5, 3, 4, 4)[0]])


@settings(max_examples=60)
@given(data=st.data())
def test_any_columns(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 4), "width")
    wide = data.draw(st.integers(3 * width, 3 * width + 3), "wide")
    columns = data.draw(st.tuples(*[st.integers(0, wide - width)] * 3), "columns")
    steps, batch = data.draw(st.integers(1, 4), "steps"), data.draw(st.integers(1, 3), "batch")
    inputs, outputs = gates(columns, width, data.draw(st.booleans(), "twice"))
    compared(inputs, outputs, values(steps, batch, wide, width))


def test_forms() -> None:
    facts = Facts()
    facts.add([
        pg.Let("a", "int64", "sub", ("n", 1), "int64"),
        pg.Let("b", "int64", "mul", (3, "a"), "int64"),
        pg.Let("c", "int64", "min", ("b", "m"), "int64"),
        pg.Let("d", "int64", "add", ("c", "b"), "int64"),
    ])  # fmt: skip
    assert facts.form("d") == Form(-3, (("c", 1), ("n", 3)))
    assert facts.form("d").minus(facts.form("b")) == Form(0, (("c", 1),))
    assert facts.form("b").apart("n") == (3, Form(-3))
    writer = Writer(facts, [pg.Let("c", "int64", "min", ("b", "m"), "int64")], "q")
    assert writer.same(facts.form("b"), facts.form("b")) is True
    assert writer.at_most(facts.form("a"), facts.form("n")) is True
    assert writer.all_of([True, False, "x"]) is False
    assert writer.any_of([]) is False
    found = writer.at_most(facts.form("d"), Form(7))
    env: dict[Any, Any] = {"n": 2, "m": 5}
    prims = {"min": min, "mul": lambda x, y: x * y, "add": lambda x, y: x + y,
             "sub": lambda x, y: x - y, "le": lambda x, y: x <= y}  # fmt: skip
    for step in writer.steps:
        assert isinstance(step, pg.Let)
        env[step.out] = prims[step.prim](*(env.get(a, a) for a in step.args))
    assert env[found] is (min(3, 5) + 3 <= 7)
