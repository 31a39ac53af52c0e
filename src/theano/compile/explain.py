"""``explain``: what became of a function, stage by stage, as text."""

from __future__ import annotations

from typing import Any

from theano.compile.maker import run_pipeline
from theano.core.record import dataclass
from theano.graph.text import listing
from theano.lower import program as pg
from theano.rewrite import engine


@dataclass(frozen=True)
class Section:
    """One stage: its name and its text."""

    name: str
    text: str


class Explanation:
    """The stages of one function's compilation; ``str`` gives the whole text."""

    def __init__(self, name: str, sections: list[Section], rules: dict[str, int]) -> None:
        self.name = name
        self.sections = sections
        self.rules = rules

    def __getitem__(self, name: str) -> str:
        for section in self.sections:
            if section.name == name:
                return section.text
        known = ", ".join(section.name for section in self.sections)
        raise KeyError(f"no stage {name!r}; there are: {known}")

    def __str__(self) -> str:
        parts = [f"How {self.name} was compiled"]
        for section in self.sections:
            parts.append(f"\n── {section.name} {'─' * max(0, 74 - len(section.name))}")
            parts.append(section.text)
        return "\n".join(parts)

    __repr__ = __str__


def explain(function: Any, code: bool = True) -> Explanation:
    """What each stage made of ``function``: graph, passes, rules, program, kernels, memory, code.

    Parameters
    ----------
    function : what ``theano.function`` returned.
    code : include the native code's text, which may be long.

    Raises TypeError for anything else.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> text = str(explain(theano.function([x], T.exp(x) + 0)))
    """
    maker = getattr(function, "maker", None)
    if maker is None or not hasattr(maker, "report"):
        raise TypeError(f"explain takes a compiled function, got {type(function).__name__}.")
    targets = maker.results + [value for _, value in maker.updates]
    sections = [Section("graph", listing(targets, maker.variables))]
    record = engine.Report(keep_text=True)
    run_pipeline(maker.variables, targets, maker.mode, record)
    sections += _passes(record, sections[0].text)
    rules = dict(sorted(record.fired.items(), key=lambda item: -item[1]))
    sections.append(Section("rules that fired", _counts(rules)))
    sections += _program(maker)
    if code and maker.compiled is not None:
        sections.append(Section("code", str(maker.compiled.text)))
    sections.append(Section("notes", "\n".join(_notes(maker)) or "none"))
    return Explanation(str(function.name), sections, rules)


def _passes(record: engine.Report, before: str) -> list[Section]:
    """What each pass did: the rules that fired in it, and the graph if that changed."""
    sections = []
    fired: dict[str, int] = {}
    for (name, text), counts in zip(record.texts, record.counts, strict=True):
        new = {rule: n - fired.get(rule, 0) for rule, n in counts.items()}
        rules = ", ".join(f"{rule} ×{n}" if n > 1 else rule for rule, n in new.items() if n)
        lines = [f"rules: {rules or 'none'}", "(unchanged)" if text == before else text]
        sections.append(Section(f"after {name}", "\n".join(lines)))
        fired, before = counts, text
    return sections


def _counts(rules: dict[str, int]) -> str:
    return "\n".join(f"{count:5d}  {name}" for name, count in rules.items()) or "none"


def _program(maker: Any) -> list[Section]:
    if maker.lowered is None:
        return []
    program = maker.lowered.program
    stage = next((s for s in maker.report.stages if s.name == "program"), None)
    text = stage.text if stage is not None else ""
    return [Section("program", text), Section("memory plan", _memory(program))]


def _memory(program: pg.Program) -> str:
    """Where each array lives."""
    lines = []
    tenants: dict[str, list[str]] = {}
    for step in pg.walk(program.steps):
        if isinstance(step, pg.Alloc):
            shape = ", ".join(str(d) for d in step.dims)
            tenants.setdefault(step.place, []).append(f"{step.out}: {step.dtype}[{shape}]")
    for place, names in tenants.items():
        lines.append(f"{place:8s} {'; '.join(names)}")
    kept = [f"shared {r.index} in place" for r in program.results if r.inplace]
    launches = sum(isinstance(step, pg.Launch) for step in pg.walk(program.steps))
    calls = [step.function for step in pg.walk(program.steps) if isinstance(step, pg.Call)]
    python = [
        _python_step(program.callables[step.index])
        for step in pg.walk(program.steps)
        if isinstance(step, pg.PyCall)
    ]
    lines.append(
        f"{launches} kernels; library calls: {', '.join(calls) or 'none'}; "
        f"Python steps: {', '.join(python) or 'none'}"
    )
    return "\n".join(lines + kept)


def _python_step(function: pg.PyFunction) -> str:
    """The name of an op that runs in Python, and why it does."""
    node = getattr(function.call, "node", None)
    why = getattr(node.op, "why", "") if node is not None else ""
    return f"{function.name} ({why})" if why else function.name


_TIERS = {0: "first tier (made quickly, to be replaced)", 1: "second tier (final)"}


def _notes(maker: Any) -> list[str]:
    notes = [f"mode: {maker.mode}", *maker.report.notes]
    notes += [f"{s.name}: {s.seconds * 1e3:.1f} ms" for s in maker.report.stages if s.seconds]
    compiled = maker.compiled
    if compiled is not None:
        hit = getattr(compiled, "cache_hit", None)
        if hit is not None:
            notes.append(f"disk cache: {'hit' if hit else 'miss'}")
        owner = getattr(maker.plan or compiled, "owner", None)
        if owner is not None:
            notes.append(f"code: {_TIERS[owner.level]}{owner.note}")
    return notes
