"""The subcommands of the program ``theano``: a module each, with ``main(arguments) -> int``."""

from __future__ import annotations

import sys


def say(*lines: str) -> None:
    """Write lines to standard output."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
