"""Call compiled functions with junk and with nearly right arguments, a million times if asked.

    python tools/fuzz_calls.py --calls 1000000 [--seed 0] [--linker cvm]

Functions and arguments are those of ``tests/fuzz``. Calls run in child processes, so that a crash
is reported with the call that led to it. Nothing may crash, only clear exceptions may be raised, a
failed call changes no shared variable, results are those of the reference, memory does not grow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from fuzz_children import run_child, tell

ROOT = Path(__file__).resolve().parent.parent
BATCH = 50_000
GROWTH = 64 * 2**20


def options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--linker", default="cvm")
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def child(args: Any) -> None:
    """A batch: calls one after the other, the same ones again, and calls by several threads."""
    sys.path.insert(0, str(ROOT / "tests" / "fuzz"))
    import faulthandler
    import warnings

    faulthandler.enable()
    warnings.simplefilter("ignore")
    import calls
    from call_targets import targets

    import theano

    functions = targets(theano.Mode(args.linker, "fast_run"))
    calls.limit_memory(6)
    counts: Counter[str] = Counter()
    problems: list[str] = []
    sizes = []
    with open(args.child, "w") as last:

        def note(text: str) -> None:
            last.seek(0)
            last.write(text.ljust(60))
            last.flush()

        # The second and third time nothing new is needed: no memory either.
        for part, size in enumerate([args.calls * 2 // 5] * 2 + [args.calls // 10]):
            caller = calls.Caller(functions, args.seed, note=note)
            caller.run(size)
            problems += caller.problems if part == 0 else []
            counts += caller.counts
            sizes.append(calls.resident())
        problems += calls.at_once(functions, args.seed, args.calls // 40)
        counts["by threads"] += args.calls // 40 * 4
    if sizes[2] - sizes[1] > GROWTH:
        problems.append(f"memory grew: {sizes}")
    for problem in problems:
        print(f"seed {args.seed}: {problem}", flush=True)
    tell(counts)


def batch(args: Any, seed: int, size: int, totals: Counter[str]) -> None:
    """Run a child; a crash is counted, and told with the call that led to it."""
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder) / "at"
        command = [__file__, "--calls", str(size), "--seed", str(seed)]
        command += ["--linker", args.linker, "--child", str(at)]
        done = run_child(command, totals)
        if done.returncode:
            totals["CRASHES"] += 1
            where = at.read_text() if at.exists() else "before the first call"
            print(f"seed {seed}: died with {done.returncode} at {where}\n{done.stderr[-3000:]}")


def main() -> None:
    args = options()
    if args.child is not None:
        child(args)
        return
    totals: Counter[str] = Counter()
    start, seed = time.monotonic(), args.seed
    for first in range(0, args.calls, BATCH):
        batch(args, seed, min(BATCH, args.calls - first), totals)
        seed += 1
    made = totals["taken"] + totals["refused"] + totals["by threads"]
    print(f"{made} calls in {time.monotonic() - start:.0f} s, seeds {args.seed} to {seed - 1}")
    for name, count in totals.most_common():
        print(f"{count:8d} {name}")


if __name__ == "__main__":
    main()
