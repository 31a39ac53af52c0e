"""The first part of the tour: a session at the Python prompt, executed while it is shown."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

from theano.cli import say

# Heading, and what is typed under it. Each statement runs when it is printed.
SESSION: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "Configuration: ~/.theanorc, then THEANO_FLAGS, then assignment",
        (
            "from theano import theano",
            "theano.config.device",
            "theano.config.floatX",
            "print(theano.config)",
            "theano.config.floatX = 'float32'",
        ),
    ),
    (
        "Tensors: a type is a dtype and a number of dimensions",
        (
            "import theano.tensor as T",
            "T.scalar()",
            "T.iscalar()",
            "T.fscalar()",
            "T.dscalar()",
            "theano.config.floatX = 'float64'",
            "T.scalar(), T.fscalar()",
            "theano.config.floatX = 'float32'",
        ),
    ),
    (
        "Symbols: an expression is a graph, and can be looked at, and evaluated",
        (
            "x = T.matrix('x'); y = T.matrix('y'); z = x + y",
            "theano.pp(z)",
            "z.eval({x: [[1, 2], [1, 3]], y: [[1, 0], [3, 4]]})",
            "a = T.matrix(); b = T.matrix(); theano.pp(a + b)",
            "x = T.matrix('x'); x = x + x; theano.pp(x)",
            "x, y, z = T.matrices('x', 'y', 'z')",
            "theano.printing.debugprint(T.exp(x + y) * z)",
        ),
    ),
    (
        "Derivatives and functions: graphs too, compiled when asked for",
        (
            "s = T.scalar('s'); slope = T.grad(T.log(1 + T.exp(s)), s)",
            "f = theano.function([s], slope)",
            "theano.printing.debugprint(f)",
            "f(0), f(1000)",
        ),
    ),
)
LONGEST: Final = 9  # lines of one result; what is longer is cut


def play(session: Sequence[tuple[str, Sequence[str]]] = SESSION) -> dict[str, Any]:
    """Type every statement at a prompt, with its real result; returns the names they defined."""
    names: dict[str, Any] = {}
    for heading, statements in session:
        say("", f"# {heading}")
        for statement in statements:
            say(f">>> {statement}")
            say(*cut(run(statement, names)))
    return names


def run(statement: str, names: dict[str, Any]) -> str:
    """What the prompt answers to ``statement``: what it prints, and the value of its end."""
    *first, last = statement.split("; ")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for part in first:
            exec(part, names)
        try:
            code = compile(last, "<tour>", "eval")
        except SyntaxError:
            exec(last, names)
        else:
            value = eval(code, names)
            if value is not None:
                printed.write(f"{value!r}\n")
    return printed.getvalue()


def cut(text: str) -> Iterator[str]:
    """The lines of ``text``; of a long one the first, and how many follow.

    >>> list(cut("a\\n" * 12))[-1]
    '... (4 more lines)'
    """
    lines = text.rstrip("\n").split("\n") if text else []
    if len(lines) > LONGEST:
        lines = [*lines[: LONGEST - 1], f"... ({len(lines) - LONGEST + 1} more lines)"]
    yield from (line.rstrip() for line in lines)
