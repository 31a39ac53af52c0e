"""``theano explain FILE:NAME``: what becomes of a compiled function, stage by stage."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Sequence
from typing import Any, Final

USAGE: Final = """\
usage: theano explain [--no-code] FILE:NAME

Runs the Python file and explains what it calls NAME: a compiled function, or an expression (which
is compiled with its inputs). Shows the graph, each rewrite pass, kernels, memory and code; the
native code's text is long, --no-code leaves it out.
"""


def main(arguments: Sequence[str]) -> int:
    """Explain; 2 if the arguments say nothing that can be explained."""
    code = "--no-code" not in arguments
    arguments = [a for a in arguments if a != "--no-code"]
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    path, colon, name = arguments[0].rpartition(":")
    if not colon or not os.path.isfile(path):
        sys.stderr.write(f"theano explain: {path or arguments[0]} is not a file\n\n{USAGE}")
        return 2
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    values = runpy.run_path(path, run_name="__explain__")
    if name not in values:
        sys.stderr.write(f"theano explain: {path} defines no {name!r}\n")
        return 2
    return _explain(values[name], name, code)


def _explain(thing: Any, name: str, code: bool) -> int:
    from theano.compile.explain import explain
    from theano.compile.function import function
    from theano.graph import traverse
    from theano.graph.nodes import Constant, Variable

    if isinstance(thing, Variable):
        roots = traverse.roots([thing])
        free = [v for v in roots if not isinstance(v, Constant) and not hasattr(v, "container")]
        thing = function(free, thing, name=name)
    elif not hasattr(thing, "maker"):
        sys.stderr.write(
            f"theano explain: {name} is {type(thing).__name__}, not a compiled function or an "
            "expression\n"
        )
        return 2
    sys.stdout.write(f"{explain(thing, code)}\n")
    return 0
