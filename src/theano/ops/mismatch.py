"""Shapes that cannot fit together, found while the graph is built: one error for all ops."""

from __future__ import annotations

from typing import Any

from theano.core import trace
from theano.core.errors import ShapeError


def described(x: Any) -> str:
    """A variable, its static shape, and the line where the user wrote it.

    >>> import theano.tensor as T
    >>> described(T.tensor("float32", shape=(2, None), name="x")).split(", written")[0]
    'x of shape (2, ?)'
    """
    sizes = ["?" if size is None else str(size) for size in x.type.shape]
    shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
    record: Any = getattr(x.tag, "trace", None)
    places: Any = record.places() if record else ()
    written = f", written at {places[-1].filename}:{places[-1].lineno}" if places else ""
    return f"{x} of shape {shape}{written}"


def mismatch(message: str, *variables: Any, hint: str | None = None) -> ShapeError:
    """The error for ``variables`` whose static shapes do not fit together.

    Names each with its shape and the line where it was written, and the line being built.
    """
    lines = [message, *(f"  {described(x)}" for x in variables)]
    return ShapeError("\n".join(lines), at=trace.capture(1), hint=hint)


def agree(what: str, x: Any, axis: int, y: Any, other: int) -> None:
    """ShapeError if ``x``'s extent along ``axis`` and ``y``'s along ``other`` are known to differ.

    An extent of 1 agrees with all where it is broadcastable.
    """
    one, two = x.type.shape[axis], y.type.shape[other]
    if None not in (one, two) and one != two and 1 not in (one, two):
        raise mismatch(
            f"{what}: dimension {axis} of {x} has size {one}, dimension {other} of {y} has size "
            f"{two}",
            x,
            y,
        )
