"""The programs ``theano`` (or ``python -m theano``) and ``theano-cache``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

# Subcommand: what it does. Each is a module of theano.cli, loaded when it is run.
COMMANDS: Final = {
    "tour": "a demonstration: symbols, then training on handwritten digits (--fast: in 20 s)",
    "info": "versions, processor, BLAS, threads, devices, cache; what is missing",
    "explain": "FILE:NAME: what becomes of a compiled function, stage by stage",
    "cache": "where compiled code is kept; list, clear or purge it",
    "bench": "run the benchmarks",
}


def usage() -> str:
    """The text of ``theano --help``."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, what in COMMANDS.items()]
    return "\n".join(["usage: theano COMMAND [ARGUMENTS]", "", *lines, "  --version", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status (2: there is no such command)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in ("--version", "-V"):
        from importlib.metadata import version

        print(f"theano {version('theano')}")
        return 0
    if not words or words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return 0
    if words[0] not in COMMANDS:
        print(f"theano: no command {words[0]!r}\n\n{usage()}", end="", file=sys.stderr)
        return 2
    command = importlib.import_module(f"theano.cli.{words[0]}")
    try:
        status: int = command.main(words[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; what is still in the buffer must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return status


def cache_main() -> int:
    """The program ``theano-cache``."""
    return main(["cache", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
