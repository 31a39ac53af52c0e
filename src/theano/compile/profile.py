"""ProfileStats: how often a function ran and where the time went."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, TextIO

from theano.core.config import config


@dataclass
class ProfileStats:
    """Counters of one function, or of several that share it."""

    message: str = ""
    fct_callcount: int = 0
    fct_call_time: float = 0.0
    compile_time: float = 0.0

    def count(self, seconds: float) -> None:
        """Note one call."""
        self.fct_callcount += 1
        self.fct_call_time += seconds

    def summary(self, file: TextIO | None = None) -> None:
        """Print the counters, to stderr unless told otherwise."""
        file = sys.stderr if file is None else file
        calls = self.fct_callcount
        mean = self.fct_call_time / calls if calls else 0.0
        print("Function profiling\n==================", file=file)
        print(f"  Message: {self.message}", file=file)
        print(f"  Time in {calls} calls to Function.__call__: {self.fct_call_time:e}s", file=file)
        print(f"  Time per call: {mean:e}s", file=file)
        print(f"  Total compile time: {self.compile_time:e}s", file=file)


def profiled(profile: Any, name: str | None) -> ProfileStats | None:
    """The ProfileStats that ``profile=`` of a function means; None for no profiling."""
    if profile is None:
        profile = config.profile
    if isinstance(profile, ProfileStats):
        return profile
    if isinstance(profile, str):
        return ProfileStats(profile)
    return ProfileStats(name or "") if profile else None
