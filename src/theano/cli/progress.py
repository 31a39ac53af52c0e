"""A progress bar on one line of a terminal; without a terminal, only its end is written."""

from __future__ import annotations

import sys
import time
from typing import Final, TextIO

WIDTH: Final = 24
_PAUSE: Final = 0.05


class Progress:
    """Shows how many of ``total`` steps are done.

    >>> import io
    >>> bar = Progress("training", 2, io.StringIO())
    >>> bar.show(1, "cost 0.5"), bar.show(2, "cost 0.3")
    (None, None)
    >>> bar.stream.getvalue().rstrip().endswith("2/2  cost 0.3")
    True
    """

    def __init__(self, title: str, total: int, stream: TextIO | None = None) -> None:
        self.title = title
        self.total = total
        self.stream = sys.stdout if stream is None else stream
        self.live = self.stream.isatty()
        self._full, self._empty = _marks(self.stream)
        self._last = 0.0
        self._width = 0

    def show(self, done: int, note: str = "", last: bool = False) -> None:
        """Redraw the line; the ``last`` step (that of number ``total`` always is) ends it."""
        finished = last or done >= self.total
        now = time.monotonic()
        if not finished and (not self.live or now - self._last < _PAUSE):
            return
        self._last = now
        filled = WIDTH * done // max(1, self.total)
        bar = self._full * filled + self._empty * (WIDTH - filled)
        line = f"{self.title}  {bar}  {done}/{self.total}  {note}"
        start = "\r" if self.live else ""
        end = "\n" if finished else ""
        self.stream.write(f"{start}{line:<{self._width}}{end}")
        self.stream.flush()
        self._width = len(line)


def _marks(stream: TextIO) -> tuple[str, str]:
    """Blocks, or ASCII where the stream cannot write them."""
    try:
        "█░".encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "#", "."
    return "█", "░"
