"""The text of a run-time error: which node, what it was given, and where the user wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from theano.core.config import config
from theano.core.trace import format_trace
from theano.graph.nodes import Apply, Variable
from theano.graph.text import listing

_SMALL = 5  # elements up to which a value is shown
_LONG = 30  # nodes that are shown of the graph that a node is the end of


def raise_with_op(
    error: Exception, node: Apply, index: int, values: Sequence[Any], clients: Any = None
) -> NoReturn:
    """Raise ``error`` again, of the same type, with everything known about ``node`` in its text."""
    text = describe(node, index, values, clients)
    try:
        enriched = type(error)(f"{error}\n{text}")
    except Exception:
        error.add_note(text)
        raise error from None
    # Its traceback holds that of ``error``: chained, the same lines would be printed twice.
    raise enriched.with_traceback(error.__traceback__) from error.__cause__


def describe(node: Apply, index: int, values: Sequence[Any], clients: Any = None) -> str:
    """Types, shapes, strides and small values of the inputs of ``node``; its place; advice."""
    lines = [
        f"Apply node that caused the error: {node}",
        f"Toposort index: {index}",
        f"Inputs types: {[v.type for v in node.inputs]}",
        f"Inputs shapes: {[getattr(v, 'shape', 'No shapes') for v in values]}",
        f"Inputs strides: {[getattr(v, 'strides', 'No strides') for v in values]}",
        f"Inputs values: {[_shown(v) for v in values]}",
    ]
    if clients is not None:
        lines.append(f"Outputs clients: {[[str(c[0]) for c in clients(o)] for o in node.outputs]}")
    place = trace_text(node.outputs[0])
    if place:
        lines.append(
            "\nBacktrace when the node is created (use Theano flag traceback.limit=N to make it "
            f"longer):\n{place}"
        )
    lines.extend(_details(node, values))
    lines.extend(_hints(bool(place)))
    return "\n".join(lines)


def trace_text(variable: Variable) -> str:
    """Where the user created ``variable``, as Python's tracebacks print it; empty if unknown."""
    record = getattr(variable.tag, "trace", None)
    return format_trace(record) if record else ""


def created_at(variable: Variable) -> str:
    """The same with a heading, to be appended to a message."""
    place = trace_text(variable)
    return f"\nBacktrace when that variable is created:\n\n{place}" if place else ""


def _shown(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value if value.size <= _SMALL else "not shown"
    if isinstance(value, (int, float, str, bool, type(None), np.generic)):
        return value
    return "not shown"


def _details(node: Apply, values: Sequence[Any]) -> list[str]:
    if config.exception_verbosity != "high":
        return []
    graph = listing(node.outputs).splitlines()
    lines = ["\nDebugprint of the apply node:"]
    if len(graph) > _LONG:
        lines.append(f"  … ({len(graph) - _LONG} nodes above)")
    lines += [f"  {line}" for line in graph[-_LONG:]]
    lines.append("Storage map footprint of the inputs:")
    for variable, value in zip(node.inputs, values, strict=True):
        size = getattr(value, "nbytes", "unknown")
        lines.append(f" - {variable}, Type: {variable.type}, Shape: "
                     f"{getattr(value, 'shape', None)}, TotalSize: {size} Byte(s)")  # fmt: skip
    return lines


def _hints(placed: bool) -> list[str]:
    hints = []
    if not placed:
        hints.append(
            "HINT: Re-running with most Theano optimization disabled could give you a back-trace "
            "of when this node was created. This can be done with by setting the Theano flag "
            "'optimizer=fast_compile'. If that does not work, Theano optimizations can be disabled "
            "with 'optimizer=None'."
        )
    if config.exception_verbosity != "high":
        hints.append(
            "HINT: Use the Theano flag 'exception_verbosity=high' for a debugprint and storage map "
            "footprint of this apply node."
        )
    return hints
