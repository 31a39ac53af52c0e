"""From measurements to rows: ours, the best peer, the ratio, the target, met or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from harness import Measurement, Measurements
from peers import LABELS
from workloads import bytes_of


@dataclass(frozen=True)
class Target:
    """One row to be: what is measured, against whom, and the limit that was set."""

    title: str
    case: str
    rule: str
    limit: float
    # Peers that count; empty: whoever is best.
    against: tuple[str, ...] = ()
    # 'wall' or 'cpu'; empty: CPU time on one core, wall time on two.
    clock: str = ""
    # The second case that a rule needs, and how much larger than `case` it is.
    other: str = ""
    size: float = 1.0


@dataclass(frozen=True)
class Row:
    """One line of the table; `met` is None where there is nothing to judge."""

    title: str
    ours: str
    peer: str
    ratio: str
    target: str
    met: bool | None
    note: str = ""


FUSED: Final = "`sigmoid(x)*tanh(y)+exp(-z**2)`, 1e6"
FIRST: Final = "time to first result, logistic regression step"

REDUCTIONS: Final = (
    ("sum of all", "sum_all"), ("row means", "mean_1"), ("maximum over axis 0", "max_0"),
    ("maximum over axis 1", "max_1"), ("argmax over axis 0", "argmax_0"),
    ("argmax over axis 1", "argmax_1"), ("row logsumexp", "logsumexp"),
    ("layer norm", "layernorm"),
)  # fmt: skip
INDEXING: Final = (
    ("embedding lookup, 10,000 of 50,000×128", "emb_fwd"),
    ("dense gradient of an embedding", "emb_dense"),
    ("SGD step on the rows of an embedding", "emb_sgd"),
    ("set 100,000 elements of 2000×2000", "adv_set"),
)
LINALG: Final = (
    ("Cholesky and gradient", "chol_grad"), ("solve and gradients", "solve_grad"),
    ("log-determinant and gradient", "logdet_grad"),
)  # fmt: skip
CONVOLUTIONS: Final = (
    ("forward", "conv3x3"), ("gradient for images", "conv3x3_images"),
    ("gradient for kernels", "conv3x3_kernels"),
)  # fmt: skip
LAYERS: Final = (
    ("convolution 3×3, 32×256×14×14 → 256 channels", "conv_256"),
    ("convolution 3×3, 32×512×7×7 → 512 channels", "conv_512"),
    ("convolution 1×1, 32×256×14×14 → 256 channels", "conv_point"),
    ("convolution 1×1, 32×256×14×14 → 256 channels, gradient for kernels", "conv_point_kernels"),
    ("convolution 5×5, 128×1×28×28 → 20 channels", "conv_28"),
    ("convolution 5×5, 128×1×28×28 → 20 channels, gradient for kernels", "conv_28_kernels"),
    ("max-pooling 2×2, 16×64×56×56", "max_pool"),
    ("max-pooling 2×2, gradient, 16×64×56×56", "max_pool_grad"),
    ("max-pooling 3×3, stride 2, 16×64×56×56", "max_pool_3"),
    ("max-pooling 3×3, stride 2, gradient, 16×64×56×56", "max_pool_3_grad"),
    ("average pooling 3×3, stride 2, 16×64×56×56", "mean_pool"),
    ("average pooling 3×3, stride 2, gradient, 16×64×56×56", "mean_pool_grad"),
    ("bias, tanh and max-pooling 2×2, with gradients, 128×20×24×24", "bias_tanh_pool"),
    ("batch normalisation in training, with gradients, 16×64×56×56", "batch_norm"),
)

TARGETS: Final = (
    Target("`x + 1`, float32 vector of 10", "call.increment", "ratio", 0.3, ("numpy",)),
    Target("ten scalars summed", "call.ten_scalars", "ratio", 0.35, ("numpy",)),
    Target(f"{FUSED} float32, CPU time", "b.fused_1e6", "ratio", 0.65, ("jax",), "cpu"),
    Target(f"{FUSED} float32, wall time", "b.fused_1e6", "ratio", 0.65, ("jax",), "wall"),
    Target(f"{FUSED} float64, CPU time", "fused_float64", "ratio", 0.65, ("jax",), "cpu"),
    Target(f"{FUSED} float64, wall time", "fused_float64", "ratio", 0.65, ("jax",), "wall"),
    Target("row softmax, 4096×4096 float32", "c.softmax", "ratio", 0.85, ("jax", "torch"),
           other="copy"),
    Target("row log-softmax, 4096×4096 float32", "log_softmax", "ratio", 0.85,
           ("jax", "torch"), other="copy"),
    Target("sum over axis 0, 4096×4096 float32", "sum_axis0", "bandwidth", 0.9, other="copy"),
    Target("sum over axis 1, 4096×4096 float32", "sum_axis1", "bandwidth", 0.9, other="copy"),
    Target("logistic regression step, batch 600", "d.logreg_b600", "ratio", 0.6),
    Target("MLP step, batch 20", "d.mlp_b20", "ratio", 0.6),
    Target("MLP step, batch 600", "d.mlp_b600", "ratio", 1.0),
    Target("hierarchical model, logp and gradient", "h.radon", "ratio", 0.6),
    Target("LSTM step, T=100, batch 32, 128 units, by scan", "f.lstm", "ratio", 0.7),
    *(Target(f"{name}, 4096×4096 float32", f"c.{case}", "ratio", 1.0) for name, case in REDUCTIONS),
    Target("LeNet step, batch 128", "e.lenet_b128", "ratio", 0.8),
    Target("time to first result, LeNet step, cold cache, CPU time", "e.lenet_b128.cold", "ratio",
           1.0, ("jax",), "cpu"),
    *(Target(f"convolution 3×3, 16×64×56×56 → 64 channels, {name}", case, "ratio", 0.85,
             ("torch",)) for name, case in CONVOLUTIONS),
    *(Target(name, case, "ratio", 1.0) for name, case in LAYERS),
    *(Target(name, f"j.{case}", "ratio", 1.0) for name, case in INDEXING),
    *(Target(f"{name}, 200×200 float64", f"k.{case}", "ratio", 1.0) for name, case in LINALG),
    Target("1e7 normals, float32, RandomStreams", "l.normal_1e7_f4", "ratio", 1.0),
    Target("1e7 normals, float32, MRG", "l.normal_1e7_f4_mrg", "ratio", 1.0),
    Target("time to first result, hierarchical model, cold cache, CPU time", "h.radon.cold",
           "ratio", 0.4, ("jax",), "cpu"),
    Target("time to first result, LSTM, cold cache, CPU time", "f.lstm.cold", "ratio", 1.0,
           ("jax",), "cpu"),
    Target(f"{FIRST}, cold cache, CPU time", "d.logreg_b600.cold", "ratio", 0.4, ("jax",), "cpu"),
    Target(f"{FIRST}, warm cache, CPU time", "d.logreg_b600.warm", "ratio", 0.3, ("jax",), "cpu"),
    Target("`import theano`", "import", "above", 0.060, ("numpy",)),
    Target(
        "`import theano, theano.tensor`, all loaded", "import.tensor", "above", 0.060, ("numpy",)
    ),
    Target("compiling a chain of 3,000 ops, cold cache", "i.chain_3000.cold", "seconds", 1.5),
    Target(
        "compiling the gradient of a 50-layer MLP, cold cache", "i.mlpdeep_50.cold", "seconds", 1.0
    ),
    Target(
        "compile time, chain of 1,000 → 3,000 ops", "i.chain_1000.cold", "growth", 1.2,
        other="i.chain_3000.cold", size=3.0,
    ),
    Target(
        "compile time, MLP of 20 → 50 layers", "i.mlpdeep_20.cold", "growth", 1.2,
        other="i.mlpdeep_50.cold", size=2.5,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What a rule judges: the measurements, the clock in use, the sizes' divisor."""

    measurements: Measurements
    clock: str
    shrink: int = 1

    def get(self, case: str, peer: str) -> Measurement:
        """A measurement; one with an ``error`` where there is none."""
        return self.measurements.get(case, {}).get(peer, {"error": "not measured"})

    def best(self, case: str, against: tuple[str, ...]) -> tuple[str, float] | None:
        """The fastest peer with right results, and its seconds."""
        found = {
            peer: float(entry[self.clock])
            for peer, entry in self.measurements.get(case, {}).items()
            if peer != "new" and (not against or peer in against)
            if entry.get("check") == "ok" and self.clock in entry
        }
        return min(found.items(), key=lambda item: item[1]) if found else None


def duration(seconds: float) -> str:
    """Seconds with three digits and a unit."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}" if seconds < 1000 * scale else f"{seconds:.0f} s"
    return f"{seconds * 1e9:.3g} ns"


def rate(bytes_per_second: float) -> str:
    """Bytes per second in GB/s."""
    return f"{bytes_per_second / 1e9:.3g} GB/s"


def _peer(found: tuple[str, float] | None) -> str:
    return f"{LABELS[found[0]]} {duration(found[1])}" if found else "–"


def _ratio(target: Target, figures: Figures, ours: float) -> Row:
    best = figures.best(target.case, target.against)
    ratio = ours / best[1] if best else None
    return Row(
        target.title, duration(ours), _peer(best), f"{ratio:.2f} ×" if ratio else "–",
        f"≤ {target.limit:g} ×", None if ratio is None else ratio <= target.limit,
        _share(target, figures, ours),
    )  # fmt: skip


def _share(target: Target, figures: Figures, ours: float) -> str:
    """How near a case that should be bound by memory comes to a copy of as many bytes."""
    copy = figures.best(target.other, ("numpy",)) if target.other == "copy" else None
    if copy is None or figures.shrink != 1:
        return ""
    speed, limit = bytes_of(target.case) / ours, bytes_of("copy") / copy[1]
    return f"{rate(speed)}, {speed / limit:.0%} of a copy"


def _bandwidth(target: Target, figures: Figures, ours: float) -> Row:
    speed = bytes_of(target.case, shrink=figures.shrink) / ours
    wanted = f"≥ {target.limit:g} × copy"
    copy = figures.best(target.other, ("numpy",))
    best = figures.best(target.case, target.against)
    note = f"best peer: {_peer(best)}"
    if copy is None:
        return Row(target.title, rate(speed), "–", "–", wanted, None, note)
    limit = bytes_of(target.other, shrink=figures.shrink) / copy[1]
    return Row(
        target.title, rate(speed), f"copy {rate(limit)}", f"{speed / limit:.2f} ×", wanted,
        speed / limit >= target.limit, note,
    )  # fmt: skip


def _above(target: Target, figures: Figures, ours: float) -> Row:
    best = figures.best(target.case, target.against)
    wanted = f"≤ peer + {duration(target.limit)}"
    if best is None:
        return Row(target.title, duration(ours), "–", "–", wanted, None)
    more = ours - best[1]
    ratio = f"+ {duration(more)}" if more > 0 else f"− {duration(-more)}"
    return Row(target.title, duration(ours), _peer(best), ratio, wanted, more <= target.limit)


def _seconds(target: Target, figures: Figures, ours: float) -> Row:
    best = figures.best(target.case, target.against)
    ratio = f"{ours / best[1]:.2f} ×" if best else "–"
    wanted = f"≤ {duration(target.limit)}"
    return Row(target.title, duration(ours), _peer(best), ratio, wanted, ours <= target.limit)


def _growth(target: Target, figures: Figures, ours: float) -> Row:
    """Linear: so much larger a graph takes at most `limit` × that much longer."""
    larger = figures.get(target.other, "new")
    wanted = f"≤ {target.limit * target.size:.2f} × (linear: {target.size:g} ×)"
    if "error" in larger:
        return Row(target.title, duration(ours), "–", "–", wanted, None, str(larger["error"]))
    after = float(larger[figures.clock])
    growth = after / ours
    shown = f"{duration(ours)} → {duration(after)}"
    return Row(
        target.title, shown, "–", f"{growth:.2f} ×", wanted, growth <= target.limit * target.size
    )


RULES: Final[Mapping[str, Callable[[Target, Figures, float], Row]]] = {
    "ratio": _ratio,
    "bandwidth": _bandwidth,
    "above": _above,
    "seconds": _seconds,
    "growth": _growth,
}


def row(target: Target, measurements: Measurements, *, cores: int, shrink: int = 1) -> Row:
    """The table's line for one target. A wrong result of ours never meets a target."""
    figures = Figures(measurements, target.clock or ("cpu" if cores == 1 else "wall"), shrink)
    ours = figures.get(target.case, "new")
    if "error" in ours:
        lines = str(ours["error"]).strip().splitlines() or ["no message"]
        met = None if lines == ["not measured"] else False
        return Row(target.title, "–", "–", "–", f"{target.limit:g}", met, lines[-1][:120])
    judged = RULES[target.rule](target, figures, float(ours[figures.clock]))
    if ours["check"] == "ok":
        return judged
    return Row(
        judged.title, judged.ours, judged.peer, judged.ratio, judged.target, False,
        str(ours["check"]),
    )  # fmt: skip


def rows(measurements: Measurements, *, cores: int, shrink: int = 1) -> list[Row]:
    """All lines for which something was measured."""
    return [
        row(target, measurements, cores=cores, shrink=shrink)
        for target in TARGETS
        if target.case in measurements
    ]


VERDICTS: Final[Mapping[bool | None, str]] = {True: "met", False: "not met", None: "–"}
HEAD: Final = ("what", "ours", "best peer", "ratio", "target", "")


def cells(line: Row) -> tuple[str, ...]:
    """The line's columns as text."""
    verdict = VERDICTS[line.met] + (f" ({line.note})" if line.note else "")
    return (line.title, line.ours, line.peer, line.ratio, line.target, verdict)


def text(lines: list[Row]) -> str:
    """The table for a terminal, columns aligned."""
    table = [HEAD, *(cells(line) for line in lines)]
    widths = [max(len(entry[i]) for entry in table) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(entry, widths, strict=True)).rstrip()
        for entry in table
    )
