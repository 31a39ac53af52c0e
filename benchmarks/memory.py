"""How much memory a process has held. Imports nothing that would itself take memory."""

from __future__ import annotations

import resource


def peak_mb() -> float:
    """The most memory this process has held, in MB.

    getrusage would also count what the parent held when it started this process.
    """
    try:
        with open("/proc/self/status") as status:
            kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return int(kib) / 1024
