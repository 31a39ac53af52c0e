"""ProfileMode: the old name of ``profile=True``."""

from __future__ import annotations

from typing import Any, TextIO

from theano.compile.mode import Mode
from theano.compile.profile import ProfileStats, added


class ProfileMode(Mode):
    """A mode that profiles each function, as ``profile=True`` does.

    ``linker`` and ``optimizer`` are as for Mode. ``print_summary`` prints the sum over all
    functions that were made with this mode; each function has its own in ``f.profile``.
    """

    profiles = True

    def __init__(self, linker: Any = None, optimizer: Any = "default", **others: Any) -> None:
        del others
        super().__init__(linker, optimizer)
        self.made: list[ProfileStats] = []

    def after_make(self, function: Any) -> None:
        """Remember the profile."""
        if function.profile is not None:
            self.made.append(function.profile)

    def print_summary(self, file: TextIO | None = None, **others: Any) -> None:
        """Print the sum of the profiles of this mode's functions."""
        del others
        added(self.made).summary(file)


__all__ = ["ProfileMode"]
