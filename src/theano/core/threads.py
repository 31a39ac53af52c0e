"""How many threads compiled functions may use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from theano.core.config import Config


def omp_num_threads() -> int | None:
    """The number in the environment variable OMP_NUM_THREADS, None where it is not set.

    Raises:
        TypeError: it is set to something else than an integer.
    """
    text = os.environ.get("OMP_NUM_THREADS", "").strip()
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise TypeError(
            f"The environment variable OMP_NUM_THREADS must be an integer, got {text!r}."
        ) from None


def openmp(config: Config) -> bool:
    """The default of the flag `openmp`: several threads, unless OMP_NUM_THREADS says one."""
    return omp_num_threads() != 1


def available_cores() -> int:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count(config: Config) -> int:
    """Threads for one compiled function: `jit.threads`, else OMP_NUM_THREADS, else all cores.

    One if the flag `openmp` is off.
    """
    if not config.openmp:
        return 1
    wanted: int = config.jit.threads or omp_num_threads() or available_cores()
    return max(1, wanted)
