"""How the fuzzing programs run their children, and how a child tells what it counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter


def run_child(command: list[str], totals: Counter[str]) -> subprocess.CompletedProcess[str]:
    """Run a Python program; what it counted is added to ``totals``, all else it said is printed."""
    flags = "jit.cache=False," + os.environ.get("THEANO_FLAGS", "")
    env = {**os.environ, "THEANO_FLAGS": flags.rstrip(",")}
    command = [sys.executable, *command]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("count "):
            _, number, name = line.split(" ", 2)
            totals[name] += int(number)
        else:
            print(line, flush=True)
    return done


def tell(counts: Counter[str]) -> None:
    """From a child to ``run_child``."""
    for name, count in counts.items():
        print(f"count {count} {name}", flush=True)
