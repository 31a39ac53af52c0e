"""The peers: which there are, in which environment each lives, and how it is started."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
# Peer -> its folder under the peers' directory, and the package whose version is quoted.
ENVIRONMENTS: Final[Mapping[str, tuple[str, str]]] = {
    "jax": ("jax", "jax"),
    "torch": ("torch", "torch"),
    "torchc": ("torch", "torch"),
    "pytensor": ("pytensor", "pytensor"),
    "theano": ("theano105", "Theano"),
    "numpy": ("pytensor", "numpy"),
}
LABELS: Final[Mapping[str, str]] = {
    "new": "this project", "jax": "JAX", "torch": "PyTorch", "torchc": "torch.compile",
    "pytensor": "PyTensor", "theano": "Theano 1.0.5", "numpy": "NumPy",
}  # fmt: skip
ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                     "NUMBA_NUM_THREADS")  # fmt: skip


@dataclass(frozen=True)
class Setup:
    """How a run is done: where things are, who takes part, how long, on how many cores."""

    out: Path
    peers_dir: Path
    peers: tuple[str, ...]
    yardstick: Path | None
    rounds: int = 3
    cores: int = 1
    quick: bool = False
    seed: int = 0

    @property
    def core(self) -> int | None:
        """The core to which everything is pinned; None: the system may not, or need not."""
        affinity = getattr(os, "sched_getaffinity", None)
        return max(affinity(0)) if affinity and self.cores == 1 else None

    @property
    def turns(self) -> int:
        """Turns of each peer in one round."""
        if self.quick:
            return 1
        return 5 if self.cores == 1 else 3

    @property
    def min_time(self) -> float:
        """Seconds for which one case of one peer is timed in one turn.

        It is short, so that a slow moment of the machine strikes all alike; but less so on several
        cores, where for some 25 ms after its turn the threads of a peer's BLAS still spin.
        """
        if self.quick:
            return 0.02
        return 0.04 if self.cores == 1 else 0.15

    def python(self, peer: str, *, own: bool = True) -> Path | None:
        """The interpreter of a peer; None where its environment is missing.

        In this project's own workloads NumPy is the one this project runs on.
        """
        if peer == "new" or (own and peer == "numpy"):
            return Path(sys.executable)
        python = self.peers_dir / ENVIRONMENTS[peer][0] / "bin" / "python"
        return python if python.exists() else None

    def present(self, wanted: Sequence[str], *, own: bool = True) -> tuple[str, ...]:
        """Those of the wanted peers that take part and have an environment."""
        chosen = ("new", *self.peers)
        return tuple(p for p in wanted if p in chosen and self.python(p, own=own) is not None)

    def environment(self, peer: str, floatx: str = "float32") -> dict[str, str]:
        """The environment variables of a peer's process: CPU only, caches under `out`."""
        cache = self.out / "cache" / peer
        cache.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, PYTHONWARNINGS="ignore", JAX_PLATFORMS="cpu", THEANORC=os.devnull)
        if self.cores == 1:
            env.update(dict.fromkeys(ONE_THREAD, "1"))
        if peer == "new":
            env["THEANO_FLAGS"] = f"floatX={floatx},base_compiledir={cache}"
            env["PYTHONPATH"] = str(ROOT / "src")
        return env

    def pinned(self, command: Sequence[str]) -> list[str]:
        """The command, held on one core where one core is asked for."""
        if self.core is None or shutil.which("taskset") is None:
            return list(command)
        return ["taskset", "-c", str(self.core), *command]
