"""ProfileStats: how often a function ran and where the time and the memory went.

``theano.function(…, profile=True)`` counts and times every step, in native code too, and
``f.profile.summary()`` prints tables per class of op, per op, per unit of work (node or kernel) and
per line of the user's code. The flag ``profile`` does so for all functions, and prints at exit to
``profiling.destination``; what ``profile=True`` measured is printed at exit unless it was before.
"""

from __future__ import annotations

import atexit
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from theano.compile import profile_tables
from theano.compile.profile_rows import NativeSource, ReferenceSource, Row
from theano.core.config import config


class ProfileStats:
    """Counters of one function, or of several that share it.

    Parameters
    ----------
    message : shown at the top, by default the function's name.
    atexit_print : print at exit unless ``summary`` was called by then.
    flag_time_thunks : time each step (``config.profiling.time_thunks``), not only each call.
    others : accepted for old scripts.

    Attributes: ``fct_callcount``, ``fct_call_time``; ``compile_time`` and its parts
    ``optimizer_time`` (rewriting), ``lowering_time``, ``linker_time`` (code generation), in
    seconds; ``passes`` (name to seconds) and ``rules`` (name to number of uses) of rewriting.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> f = theano.function([x], T.exp(x).sum(), profile=ProfileStats(atexit_print=False))
    >>> float(f([0.0])), f.profile.fct_callcount
    (1.0, 1)
    """

    def __init__(
        self, message: str | None = None, atexit_print: bool = True,
        flag_time_thunks: bool | None = None, **others: Any,
    ) -> None:  # fmt: skip
        del others
        self.message = message or ""
        self.flag_time_thunks = flag_time_thunks
        self.fct_callcount = 0
        self.fct_call_time = 0.0
        self.compile_time = 0.0
        self.optimizer_time = 0.0
        self.lowering_time = 0.0
        self.linker_time = 0.0
        self.functions = 0
        self.passes: dict[str, float] = {}
        self.rules: dict[str, int] = {}
        self.sources: list[NativeSource | ReferenceSource] = []
        self.printed = not atexit_print
        self._warm = False
        if atexit_print:
            _at_exit().append(self)

    # ---- filled in while functions are made and run

    @property
    def times_steps(self) -> bool:
        """Whether each step is timed."""
        flag = self.flag_time_thunks
        return bool(config.profiling.time_thunks if flag is None else flag)

    def count(self, seconds: float) -> None:
        """Note one call."""
        if config.profiling.ignore_first_call and not self._warm:
            self._warm = True
            for source in self.sources:
                source.reset()
            return
        self.fct_callcount += 1
        self.fct_call_time += seconds

    def compiled(self, seconds: float, report: Any) -> None:
        """Note what making one function cost."""
        parts = {stage.name: stage.seconds for stage in report.stages}
        self.functions += 1
        self.compile_time += seconds
        self.optimizer_time += parts.get("rewritten", 0.0)
        self.lowering_time += parts.get("program", 0.0)
        self.linker_time += parts.get("code", 0.0)
        for name, spent in report.rewrites.seconds.items():
            self.passes[name] = self.passes.get(name, 0.0) + spent
        for name, count in report.rewrites.fired.items():
            self.rules[name] = self.rules.get(name, 0) + count

    # ---- what was measured

    def rows(self) -> list[Row]:
        """All units of work that ran."""
        return [row for source in self.sources for row in source.rows() if row.calls]

    @property
    def vm_call_time(self) -> float:
        """Seconds inside timed steps."""
        return sum(row.seconds for row in self.rows())

    @property
    def apply_time(self) -> dict[Any, float]:
        """Seconds by node; the nodes of one kernel have equal parts."""
        return {node: row.seconds / len(row.nodes) for row in self.rows() for node in row.nodes}

    @property
    def apply_callcount(self) -> dict[Any, int]:
        """Calls by node."""
        return {node: row.calls for row in self.rows() for node in row.nodes}

    def class_time(self) -> dict[str, float]:
        """Seconds by class of op."""
        return profile_tables.totals(self.rows(), lambda row: row.kind)

    def op_time(self) -> dict[str, float]:
        """Seconds by op."""
        return profile_tables.totals(self.rows(), lambda row: row.op)

    def memory(self) -> dict[str, int]:
        """Bytes of ``outputs``, ``scratch``, ``python`` results, and of all results ``unshared``:
        what there would be if no memory was used twice."""
        found: dict[str, int] = {}
        for source in self.sources:
            for key, value in source.memory().items():
                found[key] = found.get(key, 0) + value
        return found

    def summary(
        self, file: TextIO | None = None, n_ops_to_print: int | None = None,
        n_apply_to_print: int | None = None,
    ) -> None:  # fmt: skip
        """Print all tables to ``file``, by default to ``config.profiling.destination``.

        ``n_ops_to_print`` and ``n_apply_to_print`` are the most rows of the tables of ops (and
        classes, and lines) and of nodes; by default the flags ``profiling.n_ops``, ``n_apply``.
        """
        self.printed = True
        text = profile_tables.summary(self, n_ops_to_print, n_apply_to_print)
        if file is not None:
            print(text, file=file)
            return
        with destination() as found:
            print(text, file=found)

    def print_summary(self, file: TextIO | None = None) -> None:
        """``summary``, under an older name."""
        self.summary(file)


class ScanProfileStats(ProfileStats):
    """What ``scan(profile=…)`` takes: the steps of native loops are in their function's table."""


@contextmanager
def destination() -> Iterator[TextIO]:
    """Where the flag ``profiling.destination`` says profiles go: stderr, stdout, or a file."""
    where = config.profiling.destination
    streams: dict[str, TextIO] = {"stderr": sys.stderr, "stdout": sys.stdout}
    if where in streams:
        yield streams[where]
        return
    with open(where, "a", encoding="utf-8") as file:
        yield file


@functools.cache
def _at_exit() -> list[ProfileStats]:
    """The profiles to be printed at exit."""
    found: list[ProfileStats] = []
    atexit.register(_print_at_exit, found)
    return found


def _print_at_exit(profiles: list[ProfileStats]) -> None:
    ran = [profile for profile in profiles if profile.fct_callcount]
    if config.profile or config.print_global_stats:
        print_global_stats(ran)
    for profile in ran:
        if not profile.printed:
            profile.summary()
    if config.profile and len(ran) > 1:
        with destination() as file:
            print(profile_tables.summary(added(ran)), file=file)


def added(profiles: list[ProfileStats]) -> ProfileStats:
    """One profile of all."""
    total = ProfileStats(f"Sum of all ({len(profiles)}) profiled functions", atexit_print=False)
    for profile in profiles:
        for name in ("fct_callcount", "fct_call_time", "compile_time", "optimizer_time",
                     "lowering_time", "linker_time", "functions"):  # fmt: skip
            setattr(total, name, getattr(total, name) + getattr(profile, name))
        total.sources += profile.sources
    return total


def print_global_stats(profiles: list[ProfileStats] | None = None) -> None:
    """Print how much time all profiled functions took, in calls and in compilation."""
    found = _at_exit() if profiles is None else profiles
    calls = sum(profile.fct_call_time for profile in found)
    making = sum(profile.compile_time for profile in found)
    with destination() as file:
        print(
            f"Global stats: {len(found)} profiled functions, {calls:.3f}s in calls, "
            f"{making:.3f}s of compilation.",
            file=file,
        )


def profiled(profile: Any, name: str | None, mode: Any = None) -> ProfileStats | None:
    """The ProfileStats that ``profile=`` of a function means; None for no profiling."""
    if profile is None:
        profile = config.profile or getattr(mode, "profiles", False)
    if isinstance(profile, ProfileStats):
        profile.message = profile.message or (name or "")
        return profile
    if isinstance(profile, str):
        return ProfileStats(profile)
    return ProfileStats(name or "") if profile else None
