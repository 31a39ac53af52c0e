"""One peer in one process: JSON lines in, JSON lines out. Runs in the peer's own environment.

Commands: ``build`` (case, seed), ``bind`` (case, seed), ``time`` (case, min_time), ``quit``.
Whatever a peer prints goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from all_workloads import CASES
from memory import peak_mb
from workloads import Bind, Case

LIVE: dict[str, Bind] = {}
BOUND: dict[str, Callable[[], Any]] = {}
# A batch of calls is at least this long, so that the clock's own cost does not count.
BATCH_S = 1e-3
MAX_SAMPLES = 2000


def check(case: str, inputs: list[Any], result: Any) -> str:
    """'ok', or what differs from NumPy in float64."""
    work = CASES[case]
    want = work.reference(*[array.astype(np.float64) for array in inputs])
    several = isinstance(want, tuple)
    pairs = zip(result, want, strict=True) if several else [(result, want)]
    return next((found for pair in pairs if (found := _wrong(work, *pair))), "ok")


def _wrong(work: Case, result: Any, want: Any) -> str:
    got = np.asarray(result).astype(np.float64)
    if got.shape != want.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if not np.allclose(got, want, rtol=work.rtol, atol=work.atol):
        return f"differs by up to {np.abs(got - want).max():g}"
    return ""


def sample(call: Callable[[], Any], min_time: float) -> dict[str, float]:
    """Seconds per call, wall and CPU: medians and minima over batches."""
    batch = 1
    while True:
        start = time.perf_counter()
        for _ in range(batch):
            call()
        if time.perf_counter() - start > BATCH_S or batch > 1_000_000:
            break
        batch *= 4
    wall: list[float] = []
    cpu: list[float] = []
    end = time.perf_counter() + min_time
    while len(wall) < 3 or (time.perf_counter() < end and len(wall) < MAX_SAMPLES):
        cpu_start, start = time.process_time(), time.perf_counter()
        for _ in range(batch):
            call()
        wall.append((time.perf_counter() - start) / batch)
        cpu.append((time.process_time() - cpu_start) / batch)
    return {
        "wall": median(wall), "wall_min": min(wall), "cpu": median(cpu), "cpu_min": min(cpu),
    }  # fmt: skip


def answer(peer: str, shrink: int, message: dict[str, Any]) -> dict[str, Any]:
    """The reply to one command."""
    case = message["case"]
    if message["cmd"] == "time":
        return sample(BOUND[case], message["min_time"])
    inputs = CASES[case].inputs(np.random.default_rng(message["seed"]), shrink)
    if message["cmd"] == "build":
        start = time.perf_counter()
        LIVE[case] = CASES[case].build[peer]()
        result = LIVE[case](inputs)()
        seconds = time.perf_counter() - start
        if peer == "new":  # what is timed later is what long runs get
            from theano.backends.cpu import tiers

            tiers.settle()
        return {"first_s": seconds, "rss_mb": peak_mb(), "check": check(case, inputs, result)}
    BOUND[case] = LIVE[case](inputs)
    return {"check": check(case, inputs, BOUND[case]())}


def main() -> int:
    """Answer commands until ``quit`` or the end of the input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", required=True)
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--core", type=int, help="pin the process to this core")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        message = json.loads(line)
        if message["cmd"] == "quit":
            break
        try:
            reply = answer(options.peer, options.shrink, message)
        except Exception:  # a peer that fails is a result, too
            reply = {"error": traceback.format_exc()[-800:]}
        out.write(json.dumps(reply) + "\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
