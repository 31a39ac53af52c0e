"""The benchmark harness runs, notices wrong results, and judges rows as its table says."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="the benchmarks need Linux"
)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports one of the benchmarks' modules by name."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def times(wall: float, cpu: float | None = None, check: str = "ok") -> dict[str, Any]:
    cpu = wall if cpu is None else cpu
    return {"wall": wall, "wall_min": wall, "cpu": cpu, "cpu_min": cpu, "check": check}


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable, str(FOLDER / "run.py"), "--quick", "--peers", "numpy", "--peers-dir",
        str(tmp_path / "none"), "--yardstick", "none", "--out", str(tmp_path / "out"), *arguments,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_quick_run_with_only_numpy_measures_prints_and_writes(tmp_path: Path) -> None:
    done = run(tmp_path, "--only", "rows", "--cores", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "only this project's own micro-benchmarks" in done.stdout
    assert "row log-softmax" in done.stdout
    result = json.loads((tmp_path / "out" / "results-1-quick.json").read_text())
    found = result["measurements"]["log_softmax"]
    assert set(found) == {"new", "numpy"}
    for entry in found.values():
        assert entry["check"] == "ok"
        assert 0 < entry["wall_min"] <= entry["wall"]
        assert entry["cpu"] > 0
    assert [line["title"] for line in result["rows"]] == ["row log-softmax, 4096×4096 float32"]


def test_a_run_without_the_named_yardstick_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "--yardstick", str(tmp_path))
    assert done.returncode == 2
    assert "no runner.py" in done.stderr


def test_an_unknown_peer_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    done = run(tmp_path, "--peers", "numpie")
    assert done.returncode == 2
    assert "numpie" in done.stderr
    assert "pytensor" in done.stderr


def test_a_quick_run_is_never_published(tmp_path: Path) -> None:
    assert run(tmp_path, "--write-docs").returncode == 2


def test_a_ratio_is_to_the_best_peer_with_right_results(module: Any) -> None:
    report = module("report")
    target = report.Target("step", "case", "ratio", 0.6)
    found = {
        "case": {
            "new": times(6e-3),
            "jax": times(12e-3),
            "torch": times(1e-3, check="differs by up to 3"),
            "numpy": times(9e-3),
            "theano": {"error": "died"},
        }
    }
    row = report.row(target, found, cores=2)
    assert (row.ours, row.peer, row.ratio, row.met) == ("6 ms", "NumPy 9 ms", "0.67 ×", False)
    against_jax = report.Target("step", "case", "ratio", 0.6, ("jax",))
    assert report.row(against_jax, found, cores=2).met is True


@pytest.mark.parametrize(
    ("cores", "clock", "met"), [(1, "", True), (2, "", False), (1, "wall", False)]
)
def test_one_core_compares_cpu_time_and_two_wall_time(
    module: Any, cores: int, clock: str, met: bool
) -> None:
    report = module("report")
    target = report.Target("step", "case", "ratio", 0.5, clock=clock)
    found = {"case": {"new": times(3.0, cpu=1.0), "jax": times(2.0, cpu=4.0)}}
    assert report.row(target, found, cores=cores).met is met


@pytest.mark.parametrize(
    ("rule", "limit", "extra", "met"),
    [
        ("above", 0.06, {}, True),
        ("above", 0.04, {}, False),
        ("seconds", 0.2, {}, True),
        ("seconds", 0.1, {}, False),
        ("growth", 1.15, {"other": "larger", "size": 3.0}, True),
        ("growth", 1.15, {"other": "larger", "size": 2.0}, False),
    ],
)
def test_limits_in_seconds_and_in_growth(
    module: Any, rule: str, limit: float, extra: dict[str, Any], met: bool
) -> None:
    report = module("report")
    found = {"case": {"new": times(0.15), "numpy": times(0.10)}, "larger": {"new": times(0.45)}}
    assert report.row(report.Target("t", "case", rule, limit, **extra), found, cores=1).met is met


def test_a_sum_is_judged_by_the_bytes_it_reads_and_a_copy_by_those_it_moves(module: Any) -> None:
    report = module("report")
    target = next(t for t in report.TARGETS if t.case == "sum_axis0")
    found = {"sum_axis0": {"new": times(5e-3)}, "copy": {"numpy": times(10e-3)}}
    row = report.row(target, found, cores=1)
    assert row.ratio == "1.00 ×"
    assert row.met is True
    assert report.row(target, {"sum_axis0": {"new": times(6e-3)}, "copy": found["copy"]},
                      cores=1).met is False  # fmt: skip


def test_a_wrong_or_failed_result_of_ours_meets_no_target(module: Any) -> None:
    report = module("report")
    target = report.Target("step", "case", "ratio", 0.6)
    wrong = {"case": {"new": times(1.0, check="differs by up to 3"), "jax": times(10.0)}}
    failed = {"case": {"new": {"error": "Trace\nNameError: x"}, "jax": times(10.0)}}
    assert report.row(target, wrong, cores=1).met is False
    assert report.row(target, failed, cores=1).met is False
    assert report.row(target, failed, cores=1).note == "NameError: x"


def test_without_a_peer_there_is_no_verdict(module: Any) -> None:
    report = module("report")
    row = report.row(
        report.Target("step", "case", "ratio", 0.6), {"case": {"new": times(1.0)}}, cores=1
    )
    assert row.met is None


def test_every_target_has_a_rule_and_a_group_that_measures_it(module: Any) -> None:
    report, document = module("report"), module("document")
    for target in report.TARGETS:
        assert target.rule in report.RULES
        assert target.case in document.TITLES
        assert not target.other or target.other in document.TITLES


def test_several_runs_of_the_yardstick_become_one_measurement(module: Any) -> None:
    yardstick = module("yardstick")
    runs = [
        {"cold": {"ttfr_s": s, "ttfr_cpu": s / 2, "check": "ok", "rss_mb": 100}} for s in (3, 1, 2)
    ]
    merged = yardstick.first(runs, "cold")
    assert (merged["wall"], merged["wall_min"], merged["cpu"]) == (2, 1, 1)
    assert "error" in yardstick.first(runs, "warm")
    assert yardstick.steady({"b": {"err": "n/a"}}) == {"error": "n/a"}


def result_of(report: Any, wall: float) -> dict[str, Any]:
    found = {
        "sum_axis0": {"new": times(wall)},
        "copy": {"numpy": times(10e-3)},
        "log_softmax": {"new": {**times(1e-2), "rss_mb": 200.0}, "torch": times(3e-2)},
    }
    machine = {
        "processor": "A chip, 2 cores", "memory": "4 GiB", "system": "An OS",
        "versions": {"Python": "3.12"}, "load": 0.1, "revision": "abc",
    }  # fmt: skip
    lines = [vars(line) for line in report.rows(found, cores=1)]
    return {
        "date": "2026-01-01", "cores": 1, "rounds": 3, "machine": machine, "rows": lines,
        "measurements": found,
    }  # fmt: skip


def test_the_page_names_what_falls_short_from_the_rows(module: Any) -> None:
    report, document = module("report"), module("document")
    page = document.page([result_of(report, 50e-3)])
    assert "1 of 2 rows meet their target" in page
    assert "**not met**" in page
    assert "- sum over axis 0" in page
    assert "A chip, 2 cores" in page
    assert "| log-softmax 4096² | 200 |" in page
    assert "Every target that was measured is met." in document.page([result_of(report, 1e-3)])


def test_the_page_never_publishes_a_local_path(module: Any) -> None:
    report, document = module("report"), module("document")
    result = result_of(report, 1e-3)
    result["rows"][0]["note"] = "File /home/someone/x.py"
    with pytest.raises(ValueError, match="local path"):
        document.page([result])


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (9.5e-8, "95 ns"),
        (2.4e-6, "2.4 µs"),
        (1.234e-3, "1.23 ms"),
        (0.5, "500 ms"),
        (61.2, "61.2 s"),
    ],
)
def test_durations_have_three_digits_and_a_unit(module: Any, seconds: float, shown: str) -> None:
    assert module("report").duration(seconds) == shown


def test_a_row_bound_by_memory_says_how_near_it_comes_to_a_copy(module: Any) -> None:
    report = module("report")
    target = next(t for t in report.TARGETS if t.case == "log_softmax")
    found = {"log_softmax": {"new": times(20e-3), "torch": times(40e-3)}}
    assert report.row(target, found, cores=1).note == ""
    found["copy"] = {"numpy": times(10e-3)}
    assert report.row(target, found, cores=1).note == "6.71 GB/s, 50% of a copy"
