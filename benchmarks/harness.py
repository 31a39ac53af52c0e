"""This project's own workloads: one worker process per peer, timed in interleaved rounds."""

from __future__ import annotations

import json
import random
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import IO, Any

from all_workloads import CASES
from peers import Setup
from workloads import SHRINK

WORKER = Path(__file__).with_name("worker.py")
CLOCKS = ("wall", "cpu")
LIMIT_S = 120.0

Measurement = dict[str, Any]
Measurements = dict[str, dict[str, Measurement]]


class Worker:
    """A peer's process; a reply with ``error`` stands for anything that went wrong."""

    def __init__(self, peer: str, setup: Setup, floatx: str, log: IO[str]) -> None:
        command = [str(setup.python(peer)), str(WORKER), "--peer", peer]
        if setup.quick:
            command += ["--shrink", str(SHRINK)]
        if setup.core is not None:
            command += ["--core", str(setup.core)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            env=setup.environment(peer, floatx),
        )  # fmt: skip

    def ask(self, **message: Any) -> Measurement:
        """Send one command, wait for its reply."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
        except OSError:
            return {"error": "the worker is gone"}
        if not select.select([stdout], [], [], LIMIT_S)[0]:
            self._process.kill()
            return {"error": f"no reply within {LIMIT_S:.0f} s"}
        line = stdout.readline()
        if not line:
            return {"error": f"the worker ended with status {self._process.wait()}"}
        reply: Measurement = json.loads(line)
        return reply

    def close(self) -> None:
        """End the process."""
        try:
            self._process.communicate(json.dumps({"cmd": "quit"}) + "\n", timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()


def merge(
    built: Measurement, checks: Sequence[Measurement], turns: Sequence[Measurement]
) -> Measurement:
    """One measurement of several turns: medians of the medians, minima of the minima."""
    failed = next((r["error"] for r in (built, *checks, *turns) if "error" in r), None)
    if failed is not None:
        return {"error": failed}
    wrong = next((r["check"] for r in (built, *checks) if r["check"] != "ok"), "ok")
    merged: Measurement = {"check": wrong, "rss_mb": built["rss_mb"], "first_s": built["first_s"]}
    for clock in CLOCKS:
        merged[clock] = median(r[clock] for r in turns)
        merged[f"{clock}_min"] = min(r[f"{clock}_min"] for r in turns)
    return merged


def measure(cases: Sequence[str], wanted: Sequence[str], setup: Setup) -> Measurements:
    """Case -> peer -> measurement, for the cases of this project's own workloads.

    In every round each case of each peer gets new data, is checked on them, and then takes its
    turns, in random order.
    """
    (setup.out / "logs").mkdir(parents=True, exist_ok=True)
    floatx = CASES[cases[0]].floatx
    with (setup.out / "logs" / f"own-{cases[0]}.txt").open("w") as log:
        workers = {p: Worker(p, setup, floatx, log) for p in setup.present(wanted)}
        try:
            return _rounds(cases, workers, setup)
        finally:
            for worker in workers.values():
                worker.close()


def _rounds(cases: Sequence[str], workers: dict[str, Worker], setup: Setup) -> Measurements:
    pairs = [(case, peer) for case in cases for peer in workers if peer in CASES[case].build]
    built = {
        (case, peer): workers[peer].ask(cmd="build", case=case, seed=setup.seed)
        for case, peer in pairs
    }
    checks: dict[tuple[str, str], list[Measurement]] = {pair: [] for pair in pairs}
    timed: dict[tuple[str, str], list[Measurement]] = {pair: [] for pair in pairs}
    order = random.Random(setup.seed)
    for number in range(1, setup.rounds + 1):
        for case, peer in pairs:
            reply = workers[peer].ask(cmd="bind", case=case, seed=setup.seed + number)
            checks[case, peer].append(reply)
        for _ in range(setup.turns):
            for case, peer in order.sample(pairs, len(pairs)):
                reply = workers[peer].ask(cmd="time", case=case, min_time=setup.min_time)
                timed[case, peer].append(reply)
    result: Measurements = {}
    for case, peer in pairs:
        pair = case, peer
        result.setdefault(case, {})[peer] = merge(built[pair], checks[pair], timed[pair])
    return result
