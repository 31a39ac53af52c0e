"""Random programs of the whole language: every linker gives what the reference gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from fuzz_case import Case, Leaf, build, check, compare, pruned, run, script, shrink
from fuzz_pool import Drawn, Seeded
from graph_cases import random_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import theano

pytestmark = pytest.mark.filterwarnings("ignore")
NATIVE = ("native", "plain native")


def same_everywhere(case: Case, modes: tuple[str, ...]) -> None:
    mode, difference = check(case, modes)
    assert not mode, f"{mode}: {difference}\n{script(case, mode)}"


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_native_code_against_the_reference(data: Any) -> None:
    same_everywhere(random_case(Drawn(data.draw), 8), NATIVE)


@pytest.mark.parametrize("part", range(4))
def test_longer_programs(part: int) -> None:
    for seed in range(part * 15, part * 15 + 15):
        theano.config.jit.tiers = seed % 5 != 0
        modes = (*NATIVE, "program") if seed % 3 == 0 else NATIVE
        same_everywhere(random_case(Seeded(seed), 14), modes)


# the fuzzer itself ------------------------------------------------------------------------------


def small_case() -> Case:
    value = np.array([1.0, 2.0, 4.0])
    return Case(
        inputs=[Leaf("x0", value, (None,)), Leaf("x1", value, (None,))],
        shared=[Leaf("s2", value, (None,))],
        lines=[("v3", "x0 * 2"), ("v4", "T.exp(v3)"), ("v5", "v4 + s2"), ("v6", "x1 - 1")],
        outputs=["v5", "v6", "v3"], updates=[("s2", "s2 + v3")], second=[value[:2], value[:1]],
    )  # fmt: skip


def test_a_wrong_result_is_found_and_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    case = small_case()
    assert check(case, NATIVE) == ("", "")
    wanted = run(case, "oracle")
    assert isinstance(wanted.calls[2], Exception)
    wrong = run(case, "native")
    wrong.calls[1][0][1][0] += 1e-3
    assert compare(case, wanted, wrong).startswith("call 1, output 1: off by 0.001")
    wrong.calls[0] = ValueError("no")
    assert "raises ValueError: no" in compare(case, wanted, wrong)

    import fuzz_case

    def exp_is_wrong(case: Case, mode: str) -> Any:
        found = run(case, mode)
        if mode == "native" and any("exp" in text for _, text in case.lines):
            found.calls[0][0][0][...] += 1
        return found

    monkeypatch.setattr(fuzz_case, "run", exp_is_wrong)
    mode, difference = check(case, NATIVE)
    assert mode == "native"
    small = shrink(case, mode, difference)
    assert [text for _, text in small.lines] == ["T.exp(v3)"]
    assert small.outputs == ["v4"]
    assert not small.updates


def test_the_script_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = script(pruned(small_case()), "native")
    names: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="mis-match"):
            exec(text, names)
    assert capsys.readouterr().out.count("array([1., 1.") == 0
    assert "v5" in names
    assert build(small_case())["v3"].type.ndim == 1
