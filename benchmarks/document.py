"""docs/performance.md, written from the results of the newest runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from harness import Measurement
from peers import LABELS
from report import HEAD, Row, cells, duration

Result = Mapping[str, Any]

INTRODUCTION: Final = """\
# Performance

Measured by `benchmarks/run.py`, which also writes this page: do not edit it by hand.

Every figure is the time of one call with validated arguments and fresh outputs. Peers take turns
in random order, each in a process of its own: five of 40 ms a round on one core, so that a slow
moment of the machine strikes all alike, and three of 0.15 s on all cores, since threads of some
peers spin for a while after their turn. Results are checked against NumPy in float64, and a wrong
result counts as not met. The tables give medians over the turns. A ratio is this project's time
divided by the peer's: below 1 it is faster."""

REPEAT: Final = """\
## How to repeat it

```bash
bash YARDSTICK/setup_envs.sh                 # the peers, once: each in an environment of its own
make bench ARGS="--yardstick YARDSTICK --cores 1 --write-docs"
make bench ARGS="--yardstick YARDSTICK --cores 2 --write-docs"
```

`YARDSTICK` is the folder of the yardstick programs. Without it `make bench` runs this project's
own micro-benchmarks, next to those peers that `--peers-dir` holds. `--only rows` measures one
group, `--quick` only shows that everything runs. The raw figures are under `build/benchmarks`.
On a busy machine use `--cores 1`: every process is pinned to one core and CPU time is compared."""

TITLES: Final[Mapping[str, str]] = {
    "call.increment": "`x + 1`, 10-vector, same process",
    "call.ten_scalars": "ten scalars, same process",
    "a.inc_vec10": "`x + 1`, 10-vector",
    "a.ten_scalars": "ten scalars",
    "b.fused_1e6": "fused, 1e6 float32",
    "fused_float64": "fused, 1e6 float64",
    "c.softmax": "softmax 4096²",
    "log_softmax": "log-softmax 4096²",
    "sum_axis0": "sum over axis 0, 4096²",
    "sum_axis1": "sum over axis 1, 4096²",
    "copy": "copy of 4096² float32 (memcpy)",
    "c.logsumexp": "logsumexp of rows, 4096²",
    "c.layernorm": "layer norm of rows, 4096²",
    "c.sum_all": "sum of 4096²",
    "c.mean_1": "mean over axis 1, 4096²",
    "c.max_0": "maximum over axis 0, 4096²",
    "c.max_1": "maximum over axis 1, 4096²",
    "c.argmax_0": "argmax over axis 0, 4096²",
    "c.argmax_1": "argmax over axis 1, 4096²",
    "h.radon": "hierarchical model, logp and gradient",
    "h.radon.cold": "first result, hierarchical model, cold",
    "h.radon.warm": "first result, hierarchical model, warm",
    "f.lstm": "LSTM step by scan",
    "f.lstm.cold": "first result, LSTM, cold",
    "f.lstm.warm": "first result, LSTM, warm",
    "e.lenet_b128": "LeNet step, b128",
    "e.lenet_b128.cold": "first result, LeNet step, cold",
    "e.lenet_b128.warm": "first result, LeNet step, warm",
    "conv3x3": "convolution 3×3, 64 channels",
    "conv3x3_images": "convolution 3×3, gradient for images",
    "conv3x3_kernels": "convolution 3×3, gradient for kernels",
    "conv_256": "convolution 3×3, 256 channels, 14²",
    "conv_512": "convolution 3×3, 512 channels, 7²",
    "conv_point": "convolution 1×1, 256 channels, 14²",
    "conv_point_kernels": "convolution 1×1, 256 channels, gradient for kernels",
    "conv_28": "convolution 5×5, 1 channel, 28²",
    "conv_28_kernels": "convolution 5×5, 1 channel, gradient for kernels",
    "max_pool": "max-pooling 2×2",
    "max_pool_grad": "max-pooling 2×2, gradient",
    "max_pool_3": "max-pooling 3×3, stride 2",
    "max_pool_3_grad": "max-pooling 3×3, stride 2, gradient",
    "mean_pool": "average pooling 3×3, stride 2",
    "mean_pool_grad": "average pooling 3×3, stride 2, gradient",
    "bias_tanh_pool": "bias, tanh, max-pooling and gradients",
    "batch_norm": "batch normalisation and gradients",
    "j.emb_fwd": "embedding lookup",
    "j.emb_dense": "dense gradient of an embedding",
    "j.emb_sgd": "SGD step on embedding rows",
    "j.adv_set": "set 100,000 elements",
    "k.chol_grad": "Cholesky and gradient, 200²",
    "k.solve_grad": "solve and gradients, 200²",
    "k.logdet_grad": "log-determinant and gradient, 200²",
    "l.normal_1e7_f4": "1e7 normals, RandomStreams",
    "l.normal_1e7_f4_mrg": "1e7 normals, MRG",
    "d.logreg_b600": "logistic regression step, b600",
    "d.mlp_b20": "MLP step, b20",
    "d.mlp_b600": "MLP step, b600",
    "d.logreg_b600.cold": "first result, logistic step, cold",
    "d.logreg_b600.warm": "first result, logistic step, warm",
    "import": "`import theano` (NumPy: `import numpy`)",
    "import.tensor": "`import theano, theano.tensor`, all loaded",
    "i.chain_1000.cold": "first result, chain of 1,000, cold",
    "i.chain_1000.warm": "first result, chain of 1,000, warm",
    "i.chain_3000.cold": "first result, chain of 3,000, cold",
    "i.chain_3000.warm": "first result, chain of 3,000, warm",
    "i.mlpdeep_20.cold": "first result, 20-layer MLP, cold",
    "i.mlpdeep_20.warm": "first result, 20-layer MLP, warm",
    "i.mlpdeep_50.cold": "first result, 50-layer MLP, cold",
    "i.mlpdeep_50.warm": "first result, 50-layer MLP, warm",
}
# Where each process holds nothing but the case, so that its peak memory means something.
MEMORY: Final = ("import.tensor", "d.logreg_b600.cold", "i.mlpdeep_50.cold", "log_softmax")
CLOCK: Final[Mapping[int, tuple[str, str]]] = {
    1: ("cpu", "One core, CPU time"),
    2: ("wall", "All cores, wall time"),
}


def table(lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first line is its head."""
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    head, *rest = ["| " + " | ".join(line) + " |" for line in escaped]
    return "\n".join([head, "|" + "---|" * len(lines[0]), *rest])


def judged(results: Sequence[Row]) -> str:
    """The table of targets; what is not met stands out."""
    lines = [cells(line) for line in results]
    return table(
        [HEAD, *(_strong(line, entry) for line, entry in zip(results, lines, strict=True))]
    )


def _strong(line: Row, entry: tuple[str, ...]) -> tuple[str, ...]:
    if line.met is not False:
        return entry
    return (*entry[:-1], entry[-1].replace("not met", "**not met**", 1))


def shortfalls(results: Sequence[Row]) -> str:
    """What falls short, from the rows alone."""
    short = [line for line in results if line.met is False]
    if not short:
        return "Every target that was measured is met."
    return "\n".join(
        f"- {line.title}: {line.ours}, {line.ratio} where {line.target} is wanted"
        + (f"; {line.note}" if line.note else "")
        for line in short
    )


def _entry(found: Measurement | None, clock: str) -> str:
    if found is None:
        return "–"
    if "error" in found:
        return "failed"
    wrong = "" if found["check"] == "ok" or "at once" in found["check"] else " (wrong)"
    return f"{duration(found[clock])} ({duration(found[clock + '_min'])}){wrong}"


def figures(result: Result, clock: str) -> str:
    """All cases and peers: median and, in parentheses, minimum."""
    found = result["measurements"]
    peers = [p for p in LABELS if any(p in case for case in found.values())]
    lines = [["", *(LABELS[peer] for peer in peers)]]
    for case, entries in found.items():
        shown = [_entry(entries.get(peer), clock) for peer in peers]
        lines.append([TITLES.get(case, case), *shown])
    return table(lines)


def memory(result: Result) -> str:
    """Peak resident memory in MB, for the processes that do one thing."""
    found = {
        case: result["measurements"][case] for case in MEMORY if case in result["measurements"]
    }
    peers = [p for p in LABELS if any("rss_mb" in entry.get(p, {}) for entry in found.values())]
    lines = [["peak memory, MB", *(LABELS[peer] for peer in peers)]]
    for case, entries in found.items():
        sizes = [entries.get(peer, {}).get("rss_mb") for peer in peers]
        shown = [f"{size:.0f}" if size else "–" for size in sizes]
        lines.append([TITLES.get(case, case), *shown])
    return table(lines)


def _machine(result: Result) -> str:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return "\n".join(
        [
            f"- {result['date']}, revision {machine['revision']}, rounds: {result['rounds']}, load "
            f"average before the run: {machine['load']:g}",
            f"- {machine['processor']}; {machine['memory']}; {machine['system']}",
            f"- {versions}",
        ]
    )


def _section(result: Result) -> Iterator[str]:
    clock, title = CLOCK[result["cores"]]
    lines = [Row(**line) for line in result["rows"]]
    met = sum(line.met is True for line in lines)
    yield f"## {title}"
    yield _machine(result)
    yield f"{met} of {len(lines)} rows meet their target."
    yield judged(lines)
    yield "### What falls short"
    yield shortfalls(lines)
    yield "### All figures"
    yield (
        f"{'CPU' if clock == 'cpu' else 'Wall'} time per call: median, and the minimum in "
        "parentheses. First results are graph, compilation and first call in a new process, "
        "imports excluded, with a cold and then a warm disk cache."
    )
    yield figures(result, clock)
    if any(case in result["measurements"] for case in MEMORY):
        yield "### Memory"
        yield memory(result)


def page(results: Sequence[Result]) -> str:
    """The whole page. Raises ValueError if a host's path got into it."""
    parts = [INTRODUCTION]
    for result in sorted(results, key=lambda r: int(r["cores"])):
        parts.extend(_section(result))
    parts.append(REPEAT)
    text = "\n\n".join(parts) + "\n"
    path = re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/\S*", text)
    if path:
        raise ValueError(f"a local path would be published: {path.group()}")
    return text
