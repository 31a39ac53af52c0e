"""What a new process pays: `import theano` against `import numpy`, in turns, and its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from harness import Measurement, Measurements
from peers import Setup

# The child keeps the clock itself, so that the interpreter's own start does not count.
CHILD: Final = """
import sys, time
wall, cpu = time.perf_counter(), time.process_time()
{statement}
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
import json
early = [name for name in ("llvmlite", "scipy") if name in sys.modules]
sys.path.insert(0, {folder!r})
from memory import peak_mb
rss = peak_mb()
print(json.dumps(dict(wall=wall, cpu=cpu, rss_mb=rss, early=early)))
"""
NUMPY: Final = "import numpy"
# `import theano` puts off what it can; the second statement also loads what every user needs.
STATEMENTS: Final = {
    "import": "import theano",
    "import.tensor": "import theano, theano.tensor; theano.function",
}


def _child(statement: str) -> str:
    return CHILD.format(statement=statement, folder=str(Path(__file__).parent))


def _import(statement: str, setup: Setup) -> Measurement:
    command = setup.pinned([sys.executable, "-c", _child(statement)])
    done = subprocess.run(
        command, env=setup.environment("new"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"error": done.stderr[-800:]}
    reply: Measurement = json.loads(done.stdout)
    return reply


def _merged(runs: Sequence[Measurement]) -> Measurement:
    failed = next((run["error"] for run in runs if "error" in run), None)
    if failed is not None:
        return {"error": failed}
    merged: dict[str, Any] = {"rss_mb": median(run["rss_mb"] for run in runs)}
    for clock in ("wall", "cpu"):
        merged[clock] = median(run[clock] for run in runs)
        merged[f"{clock}_min"] = min(run[clock] for run in runs)
    early = runs[0]["early"]
    merged["check"] = f"loads {' and '.join(early)} at once" if early else "ok"
    return merged


def measure(setup: Setup) -> Measurements:
    """Import time of this project and of NumPy, in fresh processes with a warm file cache."""
    runs: dict[str, list[Measurement]] = {NUMPY: [], **{s: [] for s in STATEMENTS.values()}}
    for statement in runs:
        _import(statement, setup)  # compiles bytecode, fills the page cache
    for _ in range(1 if setup.quick else 3 * setup.rounds):
        for statement, found in runs.items():
            found.append(_import(statement, setup))
    merged = {statement: _merged(found) for statement, found in runs.items()}
    return {
        case: {"new": merged[statement], "numpy": merged[NUMPY]}
        for case, statement in STATEMENTS.items()
    }
