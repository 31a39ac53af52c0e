"""The cost of one call, against NumPy's own operators in the same process, in turns.

Runs as a program of its own and prints its measurements as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from statistics import median
from timeit import Timer
from typing import Any

import numpy as np

import theano
import theano.tensor as T
from theano.backends.cpu import tiers

# Per measurement, many times over; short enough that a disturbance spoils few of them.
CALLS = 2000
NAMES = "abcdefghij"


def increment(rng: np.random.Generator) -> tuple[str, str, dict[str, Any], Any]:
    """x + 1 on a float32 vector of 10: statements, names, what they should give."""
    x = T.fvector("x")
    data = rng.standard_normal(10, dtype=np.float32)
    names = {"call": theano.function([x], x + 1), "x": data}
    return "call(x)", "x + 1", names, data.astype(np.float64) + 1


def ten_scalars(rng: np.random.Generator) -> tuple[str, str, dict[str, Any], Any]:
    """The sum of ten float32 scalars given one by one."""
    variables = [T.fscalar(name) for name in NAMES]
    total = variables[0]
    for variable in variables[1:]:
        total = total + variable
    data = [np.asarray(value, np.float32) for value in rng.standard_normal(10)]
    names = {"call": theano.function(variables, total), **dict(zip(NAMES, data, strict=True))}
    want = sum(float(value) for value in data)
    return f"call({', '.join(NAMES)})", " + ".join(NAMES), names, want


CASES: dict[str, Callable[[np.random.Generator], tuple[str, str, dict[str, Any], Any]]] = {
    "call.increment": increment,
    "call.ten_scalars": ten_scalars,
}


def measure(
    case: str, rng: np.random.Generator, seconds: float
) -> dict[str, dict[str, float | str]]:
    """Seconds per call of this project ('new') and of NumPy: medians and minima."""
    ours, numpys, names, want = CASES[case](rng)
    result = eval(ours, dict(names))
    tiers.settle()
    fine = np.allclose(result, want, rtol=1e-5, atol=1e-6)
    samples: dict[str, list[tuple[float, float]]] = {"new": [], "numpy": []}
    timers = {
        "new": (Timer(ours, globals=names), Timer(ours, timer=time.process_time, globals=names)),
        "numpy": (
            Timer(numpys, globals=names), Timer(numpys, timer=time.process_time, globals=names),
        ),
    }  # fmt: skip
    end = time.perf_counter() + seconds
    while len(samples["new"]) < 5 or time.perf_counter() < end:
        for peer, (wall, cpu) in timers.items():
            samples[peer].append((wall.timeit(CALLS) / CALLS, cpu.timeit(CALLS) / CALLS))
    found: dict[str, dict[str, float | str]] = {}
    for peer, pairs in samples.items():
        wall_s, cpu_s = zip(*pairs, strict=True)
        found[peer] = {
            "wall": median(wall_s), "wall_min": min(wall_s),
            "cpu": median(cpu_s), "cpu_min": min(cpu_s), "check": "ok",
        }  # fmt: skip
    found["new"]["check"] = "ok" if fine else "wrong value"
    return found


def main() -> int:
    """Measure both cases, print them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(json.dumps({case: measure(case, rng, options.seconds) for case in CASES}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
