"""The shared yardstick programs, run with this project as the peer 'new' beside the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from harness import Measurement, Measurements
from peers import ROOT, Setup

ALL_PEERS: Final = ("new", "theano", "pytensor", "jax", "torch", "numpy")
LIMIT_S: Final = 900


@dataclass(frozen=True)
class Stage:
    """A part of one workload: which cases, for whom, steady state or time to first result."""

    workload: str
    cases: tuple[str, ...]
    peers: tuple[str, ...] = ALL_PEERS
    first: bool = False
    # Time to first result is one figure per run; so many runs are made at most.
    most_runs: int = 5

    @property
    def letter(self) -> str:
        """The letter by which the yardstick calls the workload."""
        return self.workload.split("_")[1]


def _command(stage: Stage, peers: Sequence[str], setup: Setup, tag: str) -> list[str]:
    assert setup.yardstick is not None
    return [
        sys.executable, str(setup.yardstick / "runner.py"), stage.workload,
        "--peers", ",".join(peers), "--cases", f"^({'|'.join(stage.cases)})$",
        "--rounds", str(setup.rounds * setup.turns), "--min-time", str(setup.min_time),
        "--cores", str(setup.cores), "--out", str(setup.out / "yardstick"), "--tag", tag,
        "--limit", "180", "--no-steady" if stage.first else "--no-ttfr",
    ]  # fmt: skip


def _environment(setup: Setup) -> dict[str, str]:
    env = dict(
        os.environ, PEERS_DIR=str(setup.peers_dir), NEW_PY=sys.executable,
        NEW_PYTHONPATH=str(ROOT / "src"), THEANORC=os.devnull, PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    if setup.core is not None:
        env["PIN"] = str(setup.core)
    return env


def _run(stage: Stage, peers: Sequence[str], setup: Setup, tag: str) -> dict[str, Any]:
    """The results of the yardstick's runner: case -> peer -> its record."""
    results = setup.out / "yardstick" / f"{stage.workload}{tag}.json"
    results.parent.mkdir(parents=True, exist_ok=True)
    results.unlink(missing_ok=True)
    log = setup.out / "logs" / f"{stage.workload}{tag}.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        try:
            subprocess.run(
                _command(stage, peers, setup, tag), env=_environment(setup), stdout=stream,
                stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {}
    if not results.exists():
        return {}
    found: dict[str, Any] = json.loads(results.read_text())["res"]
    return found


def steady(record: dict[str, Any]) -> Measurement:
    """A record of the yardstick's steady state in this project's terms."""
    times, built = record.get("steady", {}), record.get("b", {})
    if "med" not in times:
        return {"error": str(times.get("err", built.get("err", "no result, see the logs")))}
    return {
        "wall": times["med"], "wall_min": times["min"],
        "cpu": times["cpu"], "cpu_min": times["cpumin"],
        "check": _check(built), "rss_mb": built.get("rss_mb"),
    }  # fmt: skip


def first(records: Sequence[dict[str, Any]], kind: str) -> Measurement:
    """Several records of a time to first result ('cold' or 'warm' cache) as one measurement."""
    runs = [record.get(kind, {"err": "no result, see the logs"}) for record in records]
    failed = next((str(run["err"]) for run in runs if "err" in run), None)
    if failed is not None:
        return {"error": failed}
    wall, cpu = [run["ttfr_s"] for run in runs], [run["ttfr_cpu"] for run in runs]
    wrong = next((_check(run) for run in runs if _check(run) != "ok"), "ok")
    return {
        "wall": median(wall), "wall_min": min(wall), "cpu": median(cpu), "cpu_min": min(cpu),
        "check": wrong, "rss_mb": median(run["rss_mb"] for run in runs),
    }  # fmt: skip


def _check(run: dict[str, Any]) -> str:
    found = str(run.get("check", "ok"))
    return "ok" if found == "nocheck" else found


def measure(stage: Stage, setup: Setup) -> Measurements:
    """The stage's measurements; cases are named by the workload's letter, `d.logreg_b600`.

    Times to first result have `.cold` and `.warm` after the case.
    """
    peers = setup.present(stage.peers, own=False)
    if not stage.first:
        records = _run(stage, peers, setup, "")
        return {
            f"{stage.letter}.{case}": {
                p: steady(records.get(case, {}).get(p, {})) for p in peers
            }
            for case in stage.cases
        }  # fmt: skip
    turns = range(min(setup.rounds, stage.most_runs))
    runs = [_run(stage, peers, setup, f"_first{turn}") for turn in turns]
    return {
        f"{stage.letter}.{case}.{kind}": {
            p: first([run.get(case, {}).get(p, {}) for run in runs], kind) for p in peers
        }
        for case in stage.cases
        for kind in ("cold", "warm")
    }


def find(given: str | None) -> Path | None:
    """The yardstick's folder: as given, from YARDSTICK, or beside the repository.

    Raises FileNotFoundError if one is named that holds no ``runner.py``.
    """
    named = given or os.environ.get("YARDSTICK")
    if named == "none":
        return None
    folder = Path(named).expanduser() if named else ROOT.parent / "shared" / "yardstick"
    if (folder / "runner.py").is_file():
        return folder.resolve()
    if named:
        raise FileNotFoundError(f"there is no runner.py in {folder}: --yardstick names its folder")
    return None
