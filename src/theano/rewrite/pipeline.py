"""The passes, in order, and which of them a level runs.

Stages are tags of rules; a pass sweeps the graph with the rules of some stages until nothing
changes (at most ``limit`` times). Old optimizer names map to sets of stages.
"""

from __future__ import annotations

import importlib
import math
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import Final

from theano.core.config import change_flags
from theano.core.pause import without_gc
from theano.core.record import dataclass
from theano.graph import text, traverse
from theano.graph.nodes import Variable
from theano.rewrite import engine
from theano.rewrite.engine import Report, Rule
from theano.rewrite.expand import expand_rules
from theano.rewrite.fold import fold
from theano.rewrite.pattern import RULES

#: modules that declare rules, in the order in which rules of one stage are tried
_MODULES: Final = (
    "useless", "canonicalize", "powers", "shape", "index", "index_lift", "reduce", "stabilize",
    "nn", "specialize", "blas", "complex_parts",
)  # fmt: skip
#: modules whose rules are about the ops of another module: of use once that is imported
_ABOUT: Final = {
    "sparse": "theano.ops.sparse_base", "typed_list": "theano.ops.typed_list",
    "linalg": "theano.ops.linalg_base", "pools": "theano.ops.pool",
}  # fmt: skip

_loaded: list[str] = []


@dataclass(frozen=True)
class Pass:
    """Sweeps with the rules of ``stages``; ``folds``: also computes what is constant."""

    name: str
    stages: frozenset[str]
    folds: bool = True
    limit: int = 10
    tags: frozenset[str] = field(default_factory=frozenset)


def _pass(name: str, *stages: str, limit: int = 10) -> Pass:
    return Pass(name, frozenset(stages), limit=limit)


FAST_RUN: Final = (
    _pass("canonicalize", "useless", "canonicalize", "shape"),
    _pass("stabilize", "useless", "canonicalize", "shape", "stabilize"),
    _pass("pools", "useless", "pools"),
    _pass("specialize", "useless", "shape", "specialize", "blas", limit=1),
)

ALWAYS: Final = (_pass("stabilize", "stabilize"),)
FAST_COMPILE: Final = (_pass("stabilize", "useless", "shape", "stabilize"),)
STABILIZE: Final = FAST_RUN[:2]
MERGE: Final = (Pass("merge", frozenset(), folds=False, limit=1), *ALWAYS)

LEVELS: Final = {
    None: (), "None": (), "none": (), "o0": (), "merge": MERGE, "fast_compile": FAST_COMPILE,
    "o1": FAST_COMPILE, "o2": FAST_RUN, "o3": FAST_RUN, "o4": FAST_RUN, "fast_run": FAST_RUN,
    "fast_run_stable": STABILIZE, "stabilize": STABILIZE, "unsafe": FAST_RUN,
}  # fmt: skip

#: in ``including`` these ask for passes, not for their rules everywhere
_STAGES: Final = frozenset({
    "useless", "canonicalize", "shape", "stabilize", "pools", "specialize", "blas",
})  # fmt: skip

#: rules that run only when asked for by tag
_OPT_IN: Final = frozenset({"unsafe", "local_ultra_fast_sigmoid", "local_hard_sigmoid"})


#: users' rewrites at positions below these run before the first pass, and after the named one
_FIRST: Final = 1.0
_POSITIONS: Final = {"canonicalize": 1.25, "stabilize": 1.75, "specialize": 2.5}

#: stages that tidy up what expansion makes
_AFTER_EXPANSION: Final = frozenset({"useless", "shape", "specialize"})


def optimize(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    *,
    including: Iterable[str] = (),
    excluding: Iterable[str] = (),
    requiring: Iterable[str] = (),
    level: str | None = "fast_run",
    report: Report | None = None,
    expand: bool = True,
    whole: bool = True,
    users: bool = True,
) -> list[Variable]:
    """Equivalent, cheaper and stabler expressions of ``outputs``; the given graph is not changed.

    Parameters
    ----------
    inputs : variables to keep as they are (roots are kept in any case).
    including : tags or names of rules, or names of passes, to add to the level's.
    excluding : tags or names of rules, or names of passes, to leave out.
    requiring : tags, stages or levels: rules that do not carry all of them are left out.
    level : 'fast_run' (o2, o3, o4), 'fast_compile' (o1), 'stabilize', 'merge', 'unsafe', None.
    report : filled with what happened.
    expand : replace, last of all, ops that are only notation for others (needed to lower).
    whole : the graph is a function's, not the step of a loop: make conditionals lazy.
    users : run what users registered in ``optdb`` too.

    Rules of numerical stability run at every level: without them results would be wrong.
    """
    load()
    report = report if report is not None else Report()
    wanted, unwanted = set(including), set(excluding)
    unwanted |= _without(set(requiring) - {str(name) for name in LEVELS})
    if level not in LEVELS:
        names = ", ".join(sorted(str(name) for name in LEVELS))
        raise ValueError(f"Unknown optimizer {level!r}; there are: {names}.")
    if level == "unsafe":
        wanted.add("unsafe")
    hidden = {v: v.clone() for v in inputs if v.owner is not None}
    results = traverse.rebuild(outputs, hidden) if hidden else list(outputs)
    inputs = [hidden.get(v, v) for v in inputs]
    with change_flags(compute_test_value="off"), without_gc():
        passes = _passes(level, wanted)
        done = _FIRST
        span = (-math.inf, _FIRST)
        results = _of_users(users, span, inputs, results, level, wanted, unwanted)
        for step in passes:
            if step.name == "specialize" and "scan" not in unwanted:
                results = _loops(inputs, results, level, wanted, unwanted, report)
            if step.name == "pools" and not _holds("Pool", results, inputs):
                continue
            if step.name not in unwanted:
                rules = select(step.stages, wanted - _STAGES, unwanted)
                results = _run(step, inputs, results, rules, unwanted, report)
            span = (done, done := _POSITIONS.get(step.name, done))
            results = _of_users(users, span, inputs, results, level, wanted, unwanted)
        span = (done, math.inf)
        results = _of_users(users, span, inputs, results, level, wanted, unwanted)
        if expand:
            results = _expanded(inputs, results, passes, wanted, unwanted, report)
        if whole:
            results = _lazy(inputs, results)
    shown = {new: old for old, new in hidden.items()}
    return traverse.rebuild(results, shown) if hidden else results


def _loops(
    inputs: Sequence[Variable], outputs: list[Variable], level: str | None, wanted: set[str],
    unwanted: set[str], report: Report,
) -> list[Variable]:  # fmt: skip
    """Rewrite loops, and their steps as graphs of their own; then what comes out of it."""
    if not _holds("Scan", outputs, inputs):
        return outputs
    from theano.rewrite import loops
    from theano.rewrite.loop_uses import keep_what_is_used

    def rewrite_step(
        step_inputs: Sequence[Variable], step_outputs: Sequence[Variable]
    ) -> list[Variable]:
        return optimize(
            step_inputs, step_outputs, including=wanted, excluding=unwanted, level=level,
            expand=False, whole=False,
        )  # fmt: skip

    changed = loops.rewrite_loops(outputs, inputs, rewrite_step)
    rules = select(FAST_RUN[1].stages, wanted - _STAGES, unwanted)
    changed = _run(Pass("loops", FAST_RUN[1].stages), inputs, changed, rules, unwanted, report)
    # What only extents were needed of is not used any more.
    return keep_what_is_used(changed, inputs)


def _of_users(
    asked: bool, span: tuple[float, float], inputs: Sequence[Variable], outputs: list[Variable],
    level: str | None, wanted: set[str], unwanted: set[str],
) -> list[Variable]:  # fmt: skip
    """What users registered for these positions; nobody did as long as nobody asked for optdb."""
    databases = sys.modules.get("theano.rewrite.databases")
    if databases is None or not asked:
        return outputs
    found: list[Variable] = databases.between(span, inputs, outputs, level, wanted, unwanted)
    return found


def _passes(level: str | None, wanted: set[str]) -> list[Pass]:
    """The level's passes, and in their places those of the full pipeline asked for by name."""
    own = LEVELS[level] or ALWAYS
    names = {step.name for step in own}
    full = [step for step in FAST_RUN if step.name in wanted and step.name not in names]
    order = {step.name: place for place, step in enumerate(FAST_RUN)}
    return sorted([*own, *full], key=lambda step: order.get(step.name, -1))


def load() -> None:
    """Import the modules that declare rules, once; those about certain ops once there are any."""
    names = () if _loaded else _MODULES
    for name in (*names, *(n for n, about in _ABOUT.items() if about in sys.modules)):
        if name not in _loaded:
            importlib.import_module(f"theano.rewrite.{name}")
            _loaded.append(name)


def _without(needed: set[str]) -> set[str]:
    """The names of the rules that lack one of the ``needed`` tags."""
    return {rule.name for rule in RULES if needed - {*rule.tags, rule.stage, rule.name}}


def select(stages: frozenset[str], wanted: set[str], unwanted: set[str]) -> list[Rule]:
    """The rules of ``stages`` that the tags allow."""
    chosen = []
    for rule in RULES:
        if rule.stage not in stages and not rule.tags & wanted:
            continue
        if rule.tags & unwanted or (rule.tags & _OPT_IN and not rule.tags & wanted):
            continue
        chosen.append(rule)
    return chosen


def _run(
    step: Pass, inputs: Sequence[Variable], outputs: list[Variable], rules: Sequence[Rule],
    unwanted: set[str], report: Report,
) -> list[Variable]:  # fmt: skip
    start = time.perf_counter()
    folder = fold if step.folds and "constant_folding" not in unwanted else None
    for _ in range(step.limit):
        outputs, changed = engine.sweep(inputs, outputs, rules, report, folder)
        if not changed:
            break
    spent = time.perf_counter() - start
    report.seconds[step.name] = report.seconds.get(step.name, 0.0) + spent
    _note(step.name, inputs, outputs, report)
    return outputs


def _expanded(
    inputs: Sequence[Variable], outputs: list[Variable], done: Sequence[Pass], wanted: set[str],
    unwanted: set[str], report: Report,
) -> list[Variable]:  # fmt: skip
    """Expand, also in the steps of loops."""
    results = _expand(inputs, outputs, done, wanted, unwanted, report)
    if not _holds("Scan", results, inputs):
        return results
    from theano.rewrite import loops

    return loops.change_steps(
        results, inputs,
        lambda ins, outs: _expanded(ins, list(outs), done, wanted, unwanted, Report()),
    )  # fmt: skip


def _lazy(inputs: Sequence[Variable], outputs: Sequence[Variable]) -> list[Variable]:
    """Make conditionals lazy, also in the steps of loops."""
    results = list(outputs)
    if _holds("Scan", results, inputs):
        from theano.rewrite import loops

        results = loops.change_steps(results, inputs, _lazy)
    if _holds("IfElse", results, inputs):
        from theano.rewrite.branches import lazy_branches

        results = lazy_branches(results, inputs)
    return results


def _holds(name: str, outputs: Sequence[Variable], inputs: Sequence[Variable]) -> bool:
    """Whether a graph has an op of that class; what is about such ops is imported then."""
    return any(type(node.op).__name__ == name for node in traverse.toposort(outputs, inputs))


def _expand(
    inputs: Sequence[Variable], outputs: list[Variable], done: Sequence[Pass], wanted: set[str],
    unwanted: set[str], report: Report,
) -> list[Variable]:  # fmt: skip
    """Expand, and tidy up what comes out as the passes before would have done."""
    stages = _AFTER_EXPANSION & frozenset().union(*(step.stages for step in done))
    rules = [*expand_rules(), *select(stages, wanted - _STAGES, unwanted)]
    step = Pass("expand", frozenset(), folds="useless" in stages, limit=2 if stages else 1)
    return _run(step, inputs, outputs, rules, unwanted, report)


def _note(
    name: str, inputs: Sequence[Variable], outputs: Sequence[Variable], report: Report
) -> None:
    if report.keep_text:
        report.passes.append((name, len(traverse.toposort(outputs, inputs))))
        report.texts.append((name, text.listing(outputs, inputs)))
        report.counts.append(dict(report.fired))
