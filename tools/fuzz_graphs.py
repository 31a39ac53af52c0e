"""Run random graphs for a while: every linker against the reference, rewritten or not.

    python tools/fuzz_graphs.py --minutes 10 --seed 0 [--out DIR]

Graphs are those of ``tests/fuzz``. They run in a child process, so that a crash is a find too.
Every difference is made smaller and written to DIR as a script that shows it.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

from fuzz_children import run_child, tell

ROOT = Path(__file__).resolve().parent.parent
# A child ends after so many graphs, which bounds what compiled code stays in memory.
BATCH = 400


def options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz-finds"))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--child", type=int, default=None, help=argparse.SUPPRESS)
    return parser.parse_args()


def one(seed: int, steps: int, out: Path, counts: Counter[str]) -> None:
    """One graph: counted, and written down if it goes wrong."""
    import graph_cases
    from fuzz_case import check, script, shrink
    from fuzz_pool import Seeded

    import theano

    try:
        case = graph_cases.random_case(Seeded(seed), steps)
    except graph_cases.CannotBuild as error:
        counts["cannot build"] += 1
        cause = "".join(traceback.format_exception(error.__cause__, limit=-3))
        (out / f"build-{seed}.txt").write_text(f"{error}\n\n{cause}")
        return
    theano.config.jit.tiers = seed % 5 != 0
    modes = ["native", "plain native"] + (["program"] if seed % 3 == 0 else [])
    mode, difference = check(case, modes)
    counts["graphs"] += 1
    if not difference:
        return
    counts[f"found: {mode}"] += 1
    small = shrink(case, mode, difference)
    again = check(small, [mode] if mode != "oracle" else [])[1] or difference
    path = out / f"find-{seed}.py"
    note = "".join(f"# {line}\n" for line in [f"seed {seed}, {mode}", *again.splitlines()])
    path.write_text(note + "\n" + script(small, mode))
    print(f"seed {seed}: {mode}: {difference.splitlines()[0][:300]} -> {path}", flush=True)


def child(args: Any) -> None:
    """Graphs until the batch or the time is over; the number of the next one is kept in a file."""
    sys.path.insert(0, str(ROOT / "tests" / "fuzz"))
    import warnings

    warnings.simplefilter("ignore")
    import graph_cases

    counts: Counter[str] = Counter()
    end = time.monotonic() + args.minutes * 60
    for seed in range(args.seed, args.seed + args.child):
        if time.monotonic() > end:
            break
        (args.out / "at").write_text(str(seed))
        try:
            one(seed, args.steps, args.out, counts)
        except Exception:
            counts["fuzzer failed"] += 1
            (args.out / f"failed-{seed}.txt").write_text(traceback.format_exc())
        (args.out / "at").write_text(str(seed + 1))
    tell(counts + graph_cases.tally)


def main() -> None:
    args = options()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.child is not None:
        child(args)
        return
    totals: Counter[str] = Counter()
    start, seed = time.monotonic(), args.seed
    while (left := args.minutes - (time.monotonic() - start) / 60) > 0:
        command = [__file__, "--seed", str(seed), "--minutes", str(left)]
        command += ["--out", str(args.out), "--steps", str(args.steps), "--child", str(BATCH)]
        done = run_child(command, totals)
        seed = int((args.out / "at").read_text())
        if done.returncode:
            totals["crashes"] += 1
            print(
                f"seed {seed}: the process died with {done.returncode}\n{done.stderr[-2000:]}",
                flush=True,
            )
            seed += 1
    minutes = (time.monotonic() - start) / 60
    print(f"{minutes:.1f} minutes, seeds {args.seed} to {seed - 1}")
    for name, count in totals.most_common():
        print(f"{count:8d} {name}")


if __name__ == "__main__":
    main()
