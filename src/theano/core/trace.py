"""Where the user wrote something: a record cheap enough to take for every variable.

Taking one stores code objects and bytecode offsets only; lines and text are found when they
are asked for. No frame is kept, hence no local variable is kept alive.
"""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

from theano.core.config import config

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Place(NamedTuple):
    """One line of user code: file, line number (from 1), and the function around it."""

    filename: str
    lineno: int
    function: str


def _line(code: CodeType, offset: int) -> int:
    """The source line of a bytecode offset."""
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


class Trace:
    """An immutable list of places, outermost first; false when empty.

    >>> trace = capture(1)
    >>> trace.places()[0].function
    '<module>'
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: tuple[object, ...] = ()) -> None:
        # Either alternating code objects and offsets, innermost first, or finished `Place`s.
        self._raw = raw

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __len__(self) -> int:
        return len(self.places())

    def __iter__(self) -> Iterator[Place]:
        return iter(self.places())

    def __repr__(self) -> str:
        places = self.places()
        if not places:
            return "Trace()"
        last = places[-1]
        return f"Trace({last.filename}:{last.lineno} in {last.function}, {len(places)} frames)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and self.places() == other.places()

    def __hash__(self) -> int:
        return hash(self.places())

    def __deepcopy__(self, memo: dict[int, object]) -> Trace:
        return self

    def __reduce__(self) -> tuple[type[Trace], tuple[tuple[Place, ...]]]:
        # Code objects do not pickle; places do.
        return Trace, (self.places(),)

    def places(self) -> tuple[Place, ...]:
        """File, line and function of each frame, outermost first."""
        raw = self._raw
        if raw and isinstance(raw[0], Place):
            return raw  # type: ignore[return-value]
        pairs = zip(raw[::2], raw[1::2], strict=True)
        found = [
            Place(code.co_filename, _line(code, offset), code.co_name)
            for code, offset in pairs
            if isinstance(code, CodeType) and isinstance(offset, int)
        ]
        return tuple(reversed(found))


EMPTY = Trace()


def capture(limit: int | None = None, package: str = _PACKAGE) -> Trace:
    """The user's frames at this moment, at most `limit` of them, the nearest ones.

    Args:
        limit: 0 keeps nothing, -1 keeps all; `config.traceback.limit` where it is None.
        package: frames of files below this folder are skipped, by default all of this package.

    Costs about a microsecond: it is called for every variable that is created.
    """
    if limit is None:
        limit = config.traceback.limit
    if limit == 0:
        return EMPTY
    raw: list[object] = []
    frame = sys._getframe(1)
    left: int = limit
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith(package):
            raw.append(code)
            raw.append(frame.f_lasti)
            left -= 1
            if not left:
                break
        frame = frame.f_back  # type: ignore[assignment]
    return Trace(tuple(raw))


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's that led here, however deep inside the package this is."""
    level = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level + 1)


def format_trace(trace: Trace) -> str:
    """The text of a record as Python's own tracebacks print it, ending in a newline.

    >>> format_trace(Trace((Place("model.py", 7, "build"),)))
    '  File "model.py", line 7, in build\\n'
    """
    lines: list[str] = []
    for place in trace.places():
        lines.append(f'  File "{place.filename}", line {place.lineno}, in {place.function}\n')
        source = linecache.getline(place.filename, place.lineno).strip()
        if source:
            lines.append(f"    {source}\n")
    return "".join(lines)
