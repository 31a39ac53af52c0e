"""``theano bench``: runs the benchmarks of a source checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    """Run ``benchmarks/run.py`` with the arguments; 2 where there is none."""
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "run.py"
    if not script.is_file():
        sys.stderr.write(
            "theano bench: the benchmarks are not part of an installation; run `make bench` in a "
            "checkout of the source.\n"
        )
        return 2
    return subprocess.run([sys.executable, str(script), *arguments], check=False).returncode
