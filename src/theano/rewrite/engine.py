"""The rewriting engine: rebuilds a graph bottom-up, equal nodes merged, rules applied at each node.

The graph given is never changed. Every variable is resolved once: its inputs first, then the node
is interned by (op, inputs), which merges equal computations; a node with constant inputs is
computed; otherwise the rules that track its op are tried, and what a rule returns is resolved in
the same way. Everything runs on an explicit stack and costs the size of the graph plus that of what
rules create.
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable


class Uses:
    """What a rule may ask about the graph around its node."""

    __slots__ = ("_rewriter",)

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter

    def __call__(self, variable: Variable) -> int:
        """How often ``variable`` is used, by the count at the start of the sweep; 1 if new."""
        return self._rewriter.counts.get(variable, 1)

    def users(self, variable: Variable) -> Sequence[tuple[Any, int]]:
        """(Apply, or ``"output"``, and position) of each use, at the start of the sweep; none of
        what is new."""
        return self._rewriter.clients().get(variable, ())

    def final(self, variable: Variable) -> Variable:
        """The final form of an expression of the node's inputs."""
        return self._rewriter.resolve([variable])[0]


@dataclass(frozen=True)
class Rule:
    """One local rewrite.

    ``apply(node, uses)`` returns None (nothing to do) or one new variable per output of ``node``;
    ``tracks`` are the keys (``key_of``) of the ops that it looks at; empty: all. ``pair`` is the
    pattern and its replacement where the rule is declared so, ``domain`` where both are defined.
    """

    name: str
    stage: str
    tracks: tuple[str, ...]
    apply: Callable[[Apply, Uses], Sequence[Variable] | None]
    tags: frozenset[str] = frozenset()
    pair: tuple[Any, Any] | None = field(default=None, compare=False)
    domain: tuple[float, float] = (-3.0, 3.0)


@dataclass()
class Report:
    """What rewriting did: how often each rule fired, and the graph's text after each pass if asked.

    Attributes: ``fired`` (rule name to count), ``passes`` (pass name, number of nodes after it),
    ``texts`` (pass name, text) and ``counts`` (``fired`` after each pass) when ``keep_text``;
    ``seconds`` by pass name.
    """

    keep_text: bool = False
    fired: dict[str, int] = field(default_factory=dict)
    passes: list[tuple[str, int]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    counts: list[dict[str, int]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def count(self, name: str) -> None:
        """Note that a rule fired."""
        self.fired[name] = self.fired.get(name, 0) + 1


def key_of(op: Any) -> str:
    """What rules call an op: the row's name of an elementwise op, else the class name."""
    row = getattr(op, "row", None)
    return type(op).__name__ if row is None else str(getattr(row, "name", row))


@functools.lru_cache(maxsize=64)
def dispatch_table(
    rules: tuple[Rule, ...],
) -> tuple[dict[str, tuple[Rule, ...]], tuple[Rule, ...]]:
    """Rules by the key of the op that they track, and those for every op, in order."""
    anywhere = tuple(rule for rule in rules if not rule.tracks)
    keys = {key for rule in rules for key in rule.tracks}
    table = {
        key: tuple(rule for rule in rules if not rule.tracks or key in rule.tracks) for key in keys
    }
    return table, anywhere


class Rewriter:
    """One sweep over a graph with one set of rules.

    Parameters
    ----------
    blockers : variables that are inputs: nothing above them is touched.
    rules : tried in order at each node.
    fold : computes a node of constants, or returns None; None leaves such nodes.
    report : where firings are counted.
    """

    def __init__(
        self,
        blockers: Iterable[Variable],
        rules: Iterable[Rule],
        fold: Callable[[Apply], Sequence[Variable] | None] | None,
        report: Report,
        outputs: Sequence[Variable],
    ) -> None:
        self.final: dict[Variable, Variable] = {v: v for v in blockers}
        self.table, self.anywhere = dispatch_table(tuple(rules))
        self.fold = fold
        self.report = report
        self.outputs = outputs
        self.counts = count_uses(outputs, self.final)
        self.budget = 20 * len(self.counts) + 1000
        self.interned: dict[Any, Apply] = {}
        self.constants: dict[Any, Constant] = {}
        self.canonical: dict[Apply, Apply] = {}
        self.outcome: dict[Apply, Sequence[Variable]] = {}
        self.open: dict[Apply, int] = {}
        self.ops: dict[int, tuple[Any, int, tuple[Rule, ...]]] = {}
        self.numbers: dict[Any, int] = {}
        self.changed = 0
        self.uses = Uses(self)
        self._clients: Mapping[Variable, Sequence[tuple[Any, int]]] | None = None

    def clients(self) -> Mapping[Variable, Sequence[tuple[Any, int]]]:
        """Who used what at the start of the sweep."""
        if self._clients is None:
            self._clients = traverse.clients(self.outputs)
        return self._clients

    def resolve(self, variables: Sequence[Variable]) -> list[Variable]:
        """The final forms of ``variables``."""
        final = self.final
        stack = [v for v in reversed(variables) if v not in final]
        while stack:
            variable = stack[-1]
            if variable in final:
                stack.pop()
                continue
            node = variable.owner
            if node is None:
                final[variable] = self._root(variable)
                continue
            target = self.canonical.get(node)
            if target is None:
                pending = [v for v in node.inputs if v not in final]
                if pending:
                    stack.extend(reversed(pending))
                    continue
                target = self._intern(node)
            results = self.outcome.get(target)
            if results is None:
                results = self.outcome[target] = self._simplify(target)
            elif self.open.get(target, len(stack)) < len(stack):
                # a rule's result needs the very node it replaces: the node stays as it is
                results = self.outcome[target] = target.outputs
            if results is not target.outputs:
                pending = [v for v in results if v not in final]
                if pending:
                    self.open[target] = len(stack)
                    stack.extend(reversed(pending))
                    continue
            self._finish(node, target, results)
        return [final[v] for v in variables]

    def _root(self, variable: Variable) -> Variable:
        if not isinstance(variable, Constant):
            return variable
        try:
            return self.constants.setdefault(variable.signature(), variable)
        except TypeError:  # a constant without hashable signature stands for itself
            return variable

    def _op(self, op: Any) -> tuple[Any, int, tuple[Rule, ...]]:
        """The op itself (kept, so that its id is not reused), its number, its rules."""
        known = self.ops.get(id(op))
        if known is None:
            try:
                number = self.numbers.setdefault(op, len(self.numbers))
            except TypeError:  # an op of a user whose properties have no hash: equal to itself only
                number = self.numbers[id(op)] = len(self.numbers)
            known = (op, number, self.table.get(key_of(op), self.anywhere))
            self.ops[id(op)] = known
        return known

    def _intern(self, node: Apply) -> Apply:
        """The one node of this op on the final inputs."""
        final = self.final
        inputs = [final[v] for v in node.inputs]
        key = (self._op(node.op)[1], *inputs)
        target = self.interned.get(key)
        if target is None:
            if inputs == node.inputs:  # by identity: variables compare so
                target = node
            else:
                target = with_inputs(node, inputs)
                key = (self._op(target.op)[1], *target.inputs)
            self.interned[key] = target
        elif not _all_fit(target.outputs, node.outputs):
            # its type was inferred when less was known of the inputs
            target = self.interned[key] = with_inputs(node, inputs, anew=True)
        self.canonical[node] = self.canonical[target] = target
        return target

    def _simplify(self, node: Apply) -> Sequence[Variable]:
        """What replaces ``node``'s outputs: themselves if nothing applies."""
        if self.fold is not None and _all_constant(node):
            folded = self.fold(node)
            if folded is not None:
                self._fired("constant_folding")
                return folded
        for rule in self._op(node.op)[2]:
            results = rule.apply(node, self.uses)
            if results is None:
                continue
            accepted = _fitted(node, results)
            if accepted is not None and self._fired(rule.name):
                self._adopt(accepted, node)
                return accepted
        return node.outputs

    def _adopt(self, results: Sequence[Variable], node: Apply) -> None:
        """Let the nodes that a rule made say where the user wrote what they replace."""
        trace = getattr(node.outputs[0].tag, "trace", None)
        stack = list(results)
        while stack:
            variable = stack.pop()
            owner = variable.owner
            if owner is None or variable in self.final or variable in self.counts:
                continue
            if owner in self.canonical or getattr(variable.tag, "trace", None) is trace:
                continue
            variable.tag.__dict__["trace"] = trace
            stack.extend(owner.inputs)

    def _fired(self, name: str) -> bool:
        """Count a firing; False once the budget is spent."""
        if self.budget <= 0:
            return False
        self.budget -= 1
        if self.budget == 0:
            warnings.warn(
                f"graph rewriting stopped early: too many replacements (the last by {name}). The "
                "result is right but may be slow; exclude a rule by optimizer_excluding=NAME.",
                stacklevel=2,
            )
        # folding gives no other rule a new chance: what uses the constant is made after it
        self.changed += name != "constant_folding"
        self.report.count(name)
        return True

    def _finish(self, node: Apply, target: Apply, results: Sequence[Variable]) -> None:
        final = self.final
        for old, mid, new in zip(node.outputs, target.outputs, results, strict=True):
            value = mid if results is target.outputs else final[new]
            final[old] = final[mid] = value
            if value is not old and value not in self.counts:
                keep_notes(value, old)


def _all_constant(node: Apply) -> bool:
    for variable in node.inputs:
        if not isinstance(variable, Constant):
            return False
    return bool(node.inputs)


def with_inputs(node: Apply, inputs: Sequence[Variable], anew: bool = False) -> Apply:
    """``node``'s op on other inputs; types are inferred anew where they differ, or if told to."""
    pairs = zip(inputs, node.inputs, strict=True)
    if not anew and all(
        new is old or new.type is old.type or _same_type(new.type, old.type) for new, old in pairs
    ):
        outputs = [_fresh(output) for output in node.outputs]
        return Apply(node.op, list(inputs), outputs)
    try:
        made = node.op.make_node(*inputs)
        fits = made.op == node.op and _all_fit(made.outputs, node.outputs)
    except (TypeError, ValueError, NotImplementedError):
        fits = False
    if not fits:
        made = Apply(
            node.op,
            [_as_type(new, old) for new, old in zip(inputs, node.inputs, strict=True)],
            [_fresh(output) for output in node.outputs],
        )
    for new, old in zip(made.outputs, node.outputs, strict=True):
        keep_notes(new, old)
    made.tag = copy.copy(node.tag)
    result: Apply = made
    return result


def _same_type(a: Any, b: Any) -> bool:
    return bool(a == b) and getattr(a, "shape", None) == getattr(b, "shape", None)


def _fresh(output: Variable) -> Variable:
    other: Variable = output.type.make_variable(output.name)
    other.tag.__dict__.update(output.tag.__dict__)
    return other


def _as_type(new: Variable, old: Variable) -> Variable:
    """``new`` with the exact type of ``old``: an op refused the more specific one."""
    result: Variable = old.type.filter_variable(new)
    return result


def _fits(new: Any, old: Any) -> bool:
    """Whether a value of type ``new`` may stand where ``old`` was: equal or more specific."""
    if new == old:
        return True
    if getattr(new, "dtype", None) != getattr(old, "dtype", object()):
        return False
    has, wanted = getattr(new, "broadcastable", None), getattr(old, "broadcastable", None)
    if has is None or wanted is None or len(has) != len(wanted):
        return False
    return all(h or not w for h, w in zip(has, wanted, strict=True))


def _all_fit(new: Sequence[Variable], old: Sequence[Variable]) -> bool:
    return all(a.type is b.type or _fits(a.type, b.type) for a, b in zip(new, old, strict=True))


def _fitted(node: Apply, results: Sequence[Variable | None]) -> list[Variable] | None:
    """The results if their types may replace those of ``node``'s outputs, else None."""
    accepted: list[Variable] = []
    for new, old in zip(results, node.outputs, strict=True):
        if new is None:  # an output that nobody uses
            new = old
        if not _fits(new.type, old.type):
            return None
        accepted.append(new)
    if all(new is old for new, old in zip(accepted, node.outputs, strict=True)):
        return None
    return accepted


def keep_notes(new: Variable, old: Variable) -> None:
    """Let ``new``, made by rewriting, take the name of ``old`` and where the user wrote it."""
    if new.owner is None:
        return
    if new.name is None:
        new.name = old.name
    trace = old.tag.__dict__.get("trace")
    if trace is not None:
        new.tag.__dict__["trace"] = trace


def count_uses(outputs: Sequence[Variable], blockers: Iterable[Variable]) -> dict[Variable, int]:
    """How often each variable is used, by nodes and as an output."""
    counts: dict[Variable, int] = {}
    for node in traverse.toposort(outputs, set(blockers)):
        for variable in node.inputs:
            counts[variable] = counts.get(variable, 0) + 1
        for variable in node.outputs:
            counts.setdefault(variable, 0)
    for variable in outputs:
        counts[variable] = counts.get(variable, 0) + 1
    return counts


def sweep(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    rules: Iterable[Rule],
    report: Report,
    fold: Callable[[Apply], Sequence[Variable] | None] | None = None,
) -> tuple[list[Variable], bool]:
    """One rewriting of ``outputs``; also says whether a rule fired."""
    rewriter = Rewriter(inputs, rules, fold, report, outputs)
    new = rewriter.resolve(outputs)
    return new, rewriter.changed > 0
