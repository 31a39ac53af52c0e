"""Junk and nearly right arguments: clear exceptions, right results, shared variables kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from call_targets import Target, targets
from calls import CLEAR, Caller, at_once

import theano
import theano.tensor as T

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def native() -> list[Target]:
    return targets()


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_of_native_code(native: list[Target], seed: int) -> None:
    caller = Caller(native, seed)
    caller.run(4000)
    assert not caller.problems, "\n".join(caller.problems)
    assert caller.counts["taken"] > 1500
    assert caller.counts["refused"] > 800
    assert caller.counts["compared"] > 50


def test_random_calls_of_programs_run_by_numpy() -> None:
    caller = Caller(targets(theano.Mode("numpy", "fast_run")), 1)
    caller.run(600)
    assert not caller.problems, "\n".join(caller.problems)
    assert caller.counts["taken"] > 200


def test_random_calls_of_several_threads(native: list[Target]) -> None:
    assert at_once(native, 1, 800) == []


def test_what_goes_wrong_is_noticed() -> None:
    x, s = T.dvector("x"), theano.shared(np.zeros(2), "s")

    def breaks(value: Any) -> Any:
        s.set_value(np.ones(2))
        raise AttributeError("'NoneType' object has no attribute 'shape'")

    twin = theano.function([x], x * 2)
    good = (np.ones(2),)
    broken = Target("broken", lambda v: v, twin, good)
    broken.f = breaks
    broken.shared, broken.twins = [s], [s]
    caller = Caller([broken], 0)
    caller.one(broken, list(good), {}, check=True)
    assert "AttributeError" in caller.problems[0]
    assert "changed s" in caller.problems[1]
    assert AttributeError not in CLEAR
    wrong = Target("wrong", twin, theano.function([x], x * 3), good)
    caller.one(wrong, list(good), {}, check=True)
    assert "instead of" in caller.problems[2]
