"""Runs the benchmarks: the yardstick's programs and this project's own, next to their peers.

python benchmarks/run.py [--yardstick DIR] [--cores 1|2] [--only NAME] [--quick] [--write-docs]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import document
import fresh
import harness
import machine
import report
import workloads
import workloads_nn
import yardstick
from harness import Measurements
from peers import ENVIRONMENTS, LABELS, ROOT, Setup
from yardstick import Stage

OWN_PEERS: Final = ("new", "jax", "torch", "numpy")
AGAINST_JAX: Final = ("new", "jax")

Part = Callable[[Setup], Measurements]


def _own(*cases: str) -> Part:
    return lambda setup: harness.measure(cases, OWN_PEERS, setup)


def _shared(stage: Stage) -> Part:
    return lambda setup: yardstick.measure(stage, setup) if setup.yardstick else {}


def _overhead(setup: Setup) -> Measurements:
    """Call overhead against NumPy in one process."""
    seconds = 0.05 if setup.quick else 0.5 * setup.rounds
    script = str(Path(__file__).with_name("overhead.py"))
    command = [sys.executable, script, "--seconds", str(seconds), "--seed", str(setup.seed)]
    done = subprocess.run(
        setup.pinned(command), env=setup.environment("new"), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        return {"call.increment": {"new": {"error": done.stderr[-800:]}}}
    found: Measurements = json.loads(done.stdout)
    return found


GROUPS: Final[Mapping[str, tuple[Part, ...]]] = {
    "overhead": (_overhead, _shared(Stage("w_a_overhead", ("inc_vec10", "ten_scalars")))),
    "elemwise": (_shared(Stage("w_b_elemwise", ("fused_1e6",))), _own("fused_float64")),
    "rows": (
        _shared(Stage("w_c_reduce", ("softmax", "logsumexp", "layernorm"))),
        _own("log_softmax"),
    ),
    "reductions": (
        _shared(
            Stage("w_c_reduce", ("sum_all", "mean_1", "max_0", "max_1", "argmax_0", "argmax_1"))
        ),
    ),
    "sums": (_own("sum_axis0", "sum_axis1", "copy"),),
    "steps": (_shared(Stage("w_d_mlp", ("logreg_b600", "mlp_b20", "mlp_b600"))),),
    "model": (
        _shared(Stage("w_h_hier", ("radon",))),
        _shared(Stage("w_h_hier", ("radon",), AGAINST_JAX, first=True)),
    ),
    "loop": (
        _shared(Stage("w_f_lstm", ("lstm",))),
        _shared(Stage("w_f_lstm", ("lstm",), AGAINST_JAX, first=True)),
    ),
    "conv": (
        _shared(Stage("w_e_lenet", ("lenet_b128",), (*yardstick.ALL_PEERS, "torchc"))),
        _shared(Stage("w_e_lenet", ("lenet_b128",), AGAINST_JAX, first=True)),
        _own(*workloads_nn.CASES),
    ),
    "index": (_shared(Stage("w_j_index", ("emb_fwd", "emb_dense", "emb_sgd", "adv_set"))),),
    "linalg": (_shared(Stage("w_k_linalg", ("chol_grad", "solve_grad", "logdet_grad"))),),
    "random": (_shared(Stage("w_l_random", ("normal_1e7_f4", "normal_1e7_f4_mrg"))),),
    "first": (_shared(Stage("w_d_mlp", ("logreg_b600",), AGAINST_JAX, first=True)),),
    "import": (fresh.measure,),
    "compile": (
        _shared(Stage("w_i_compile", ("chain_3000", "mlpdeep_50"), AGAINST_JAX, True, 2)),
        _shared(Stage("w_i_compile", ("chain_1000", "mlpdeep_20"), ("new",), True, 2)),
    ),
}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("--yardstick", metavar="DIR", help="the yardstick's folder; 'none': own benchmarks only")
    add("--peers-dir", metavar="DIR", help="the peers' environments (PEERS_DIR)")
    add("--peers", default=",".join(ENVIRONMENTS), help="which of %(default)s take part")
    add("--rounds", type=int, default=3)
    add("--cores", type=int, choices=(1, 2), default=1,
        help="1: pinned to one core, compared by CPU time; 2: all cores, wall time")  # fmt: skip
    add("--only", action="append", choices=tuple(GROUPS), help="a group of rows, may be repeated")
    add("--quick", action="store_true", help="one short round of small sizes: does it run?")
    add("--out", metavar="DIR", default=str(ROOT / "build" / "benchmarks"))
    add("--write-docs", action="store_true", help="write docs/performance.md from the results")
    options = parser.parse_args(arguments)
    unknown = [peer for peer in options.peers.split(",") if peer not in ENVIRONMENTS]
    if unknown:
        parser.error(f"no such peer: {', '.join(unknown)}; there are {', '.join(ENVIRONMENTS)}")
    if options.rounds < 1:
        parser.error("--rounds has to be at least 1")
    if options.quick and options.write_docs:
        parser.error("--quick measures nothing worth publishing: leave out one of the two")
    if options.only and options.write_docs:
        parser.error("--write-docs needs a full run: leave out --only")
    return options


def _setup(options: argparse.Namespace) -> Setup:
    peers_dir = options.peers_dir or os.environ.get("PEERS_DIR") or "~/.cache/yardstick"
    return Setup(
        out=Path(options.out).resolve(),
        peers_dir=Path(peers_dir).expanduser().resolve(),
        peers=tuple(options.peers.split(",")),
        yardstick=yardstick.find(options.yardstick),
        rounds=1 if options.quick else options.rounds,
        cores=options.cores,
        quick=options.quick,
        seed=time.time_ns() % 2**31,
    )


def _announce(setup: Setup) -> None:
    if setup.yardstick is None:
        print(
            "No yardstick programs: only this project's own micro-benchmarks run.\n"
            "--yardstick DIR or YARDSTICK names their folder."
        )
    missing = [p for p in setup.peers if setup.python(p, own=setup.yardstick is None) is None]
    if missing:
        print(
            f"Without {', '.join(LABELS[peer] for peer in missing)}: not among the peers' "
            "environments (--peers-dir); the yardstick's setup_envs.sh makes them."
        )
    if os.getloadavg()[0] > 0.5:
        print(f"The machine is busy (load average {os.getloadavg()[0]:.1f}): distrust wall times.")


def measure(groups: Sequence[str], setup: Setup) -> Measurements:
    """The measurements of these groups; says how far it is."""
    found: Measurements = {}
    for name in groups:
        start = time.perf_counter()
        print(f"{name} ...", end=" ", flush=True)
        for part in GROUPS[name]:
            found.update(part(setup))
        print(f"{time.perf_counter() - start:.0f} s", flush=True)
    return found


def _record(setup: Setup, described: dict[str, Any], found: Measurements) -> dict[str, Any]:
    shrink = workloads.SHRINK if setup.quick else 1
    lines = report.rows(found, cores=setup.cores, shrink=shrink)
    return {
        "date": time.strftime("%Y-%m-%d"), "cores": setup.cores, "rounds": setup.rounds,
        "seed": setup.seed, "machine": described, "rows": [asdict(line) for line in lines],
        "measurements": found,
    }  # fmt: skip


def _write_docs(out: Path) -> Path:
    """docs/performance.md from the newest full runs on one and on two cores."""
    files = [out / f"results-{cores}.json" for cores in document.CLOCK]
    results = [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]
    page = ROOT / "docs" / "performance.md"
    page.write_text(document.page(results), encoding="utf-8")
    return page


def problems(found: Measurements) -> list[str]:
    """What failed or gave wrong results, in one line each."""
    return [
        f"{case}, {LABELS[peer]}: {(lines or ['no message'])[-1][:200]}"
        for case, entries in found.items()
        for peer, entry in entries.items()
        if (lines := str(entry.get("error", entry.get("check"))).strip().splitlines()) != ["ok"]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the results; 1 if a result of this project is wrong."""
    options = _options(arguments)
    try:
        setup = _setup(options)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    setup.out.mkdir(parents=True, exist_ok=True)
    _announce(setup)
    described = machine.describe(setup)
    found = measure(options.only or tuple(GROUPS), setup)
    record = _record(setup, described, found)
    partial = "-quick" if options.quick else "-part" if options.only else ""
    results = setup.out / f"results-{setup.cores}{partial}.json"
    results.write_text(json.dumps(record, indent=1), encoding="utf-8")
    print("", report.text([report.Row(**line) for line in record["rows"]]), "", sep="\n")
    failed = problems(found)
    print(*failed, f"All figures: {results}", sep="\n")
    if options.write_docs:
        print(f"Written: {_write_docs(setup.out)}")
    return int(any(f", {LABELS['new']}:" in line for line in failed))


if __name__ == "__main__":
    sys.exit(main())
