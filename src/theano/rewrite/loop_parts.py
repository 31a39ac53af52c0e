"""A loop taken apart, to be changed and put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Variable
from theano.ops.scan import Form, Scan

Memo = dict[Variable, Variable]


@dataclass()
class Link:
    """An input of the step (``inner``) and what it comes from (``outer``)."""

    inner: Variable
    outer: Any


@dataclass()
class State:
    """A state: its taps, the step's inputs for them, its initial rows and its next value.

    ``number`` is its place among the outputs of the loop as it was, None for a new state.
    """

    taps: tuple[int, ...]
    inner: list[Variable]
    start: Any
    new: Variable
    keep: int | None
    number: int | None


@dataclass()
class Map:
    """A collected result, and its place among the outputs of the loop as it was."""

    value: Variable
    number: int | None


@dataclass()
class Parts:
    """All of a loop."""

    node: Apply
    steps: Any
    seqs: list[Link]
    states: list[State]
    carries: list[tuple[Link, Variable]]
    fixed: list[Link]
    maps: list[Map]
    condition: Variable | None
    at_least: int
    name: str
    truncate: int
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, node: Apply) -> Parts:
        """The parts of a loop."""
        op, form = node.op, node.op.form
        inner, outer, outs = op.inner_inputs, node.inputs, op.inner_outputs
        links = [Link(v, outer[form.outer_of(i)]) for i, v in enumerate(inner)]
        states, place = [], form.first_tap
        for s, taps in enumerate(form.states):
            used = list(inner[place : place + len(taps)])
            place += len(taps)
            states.append(State(taps, used, outer[form.outer_state + s], outs[s], form.kept(s), s))
        n = len(form.states)
        return cls(
            node, outer[0], links[: form.first_tap], states,
            list(zip(links[form.first_carry : form.first_fixed], outs[form.stacks :],
                     strict=False)),
            links[form.first_fixed :],
            [Map(v, n + i) for i, v in enumerate(outs[n : form.stacks])],
            outs[-1] if form.until else None, form.at_least, op.name, op.truncate,
        )  # fmt: skip

    def results(self) -> list[Variable]:
        """What a step computes, in the order of the op."""
        last = [] if self.condition is None else [self.condition]
        states = [s.new for s in self.states]
        return [*states, *(m.value for m in self.maps), *(new for _, new in self.carries), *last]

    def replace_results(self, values: Sequence[Variable]) -> None:
        """Other expressions for what a step computes, in the same order."""
        given = iter(values)
        for state in self.states:
            state.new = state.inner[0].type.filter_variable(next(given))
        for result in self.maps:
            result.value = next(given)
        self.carries = [(link, link.inner.type.filter_variable(next(given)))
                        for link, _ in self.carries]  # fmt: skip
        if self.condition is not None:
            self.condition = next(given)

    def inputs(self) -> list[Variable]:
        """The step's inputs, in the order of the op."""
        taps = [v for s in self.states for v in s.inner]
        links = [link for link, _ in self.carries]
        return [*_inner(self.seqs), *taps, *_inner(links), *_inner(self.fixed)]

    def changing(self) -> set[Variable]:
        """The step's inputs that may differ from step to step."""
        return set(self.inputs()) - set(_inner(self.fixed))

    def fix(self, outer: Any) -> Variable:
        """The step's input for something that stays the same."""
        for link in self.fixed:
            if link.outer is outer:
                return link.inner
        inner: Variable = outer.type.make_variable(outer.name)
        self.fixed.append(Link(inner, outer))
        return inner

    def build(self) -> Built:
        """The loop put together."""
        form = Form(
            len(self.seqs), tuple(s.taps for s in self.states), len(self.carries),
            len(self.fixed), len(self.maps), self.condition is not None,
            tuple(s.keep for s in self.states) if any(s.keep for s in self.states) else (),
            self.at_least,
        )  # fmt: skip
        op = Scan(self.inputs(), self.results(), form, self.name, self.truncate)
        old = self.node
        outer = [s.outer for s in self.seqs] + [s.start for s in self.states]
        outer += [link.outer for link, _ in self.carries] + [f.outer for f in self.fixed]
        node = op.make_node(self.steps, *outer)
        trace = getattr(old.outputs[-1].tag, "trace", None)
        for output in node.outputs:
            if trace is not None:
                output.tag.trace = trace
        return Built(self, node)


@dataclass()
class Built:
    """A new loop, and where the old one's outputs are among its outputs."""

    parts: Parts
    node: Apply

    def of_state(self, state: State) -> Any:
        """The output of a state."""
        place = next(i for i, s in enumerate(self.parts.states) if s is state)
        return self.node.outputs[place]

    def of_map(self, result: Map) -> Any:
        """The output of a collected result."""
        place = next(i for i, m in enumerate(self.parts.maps) if m is result)
        return self.node.outputs[len(self.parts.states) + place]

    def replaced(self) -> dict[Variable, Variable]:
        """Old outputs to new ones, where both keep the same rows."""
        parts, old = self.parts, self.node.outputs
        before = parts.node.outputs
        memo: dict[Variable, Variable] = {}
        was = parts.node.op.form
        for state in parts.states:
            if state.number is not None and was.kept(state.number) == state.keep:
                memo[before[state.number]] = self.of_state(state)
        for result in parts.maps:
            if result.number is not None:
                memo[before[result.number]] = self.of_map(result)
        first = len(parts.states) + len(parts.maps)
        for i in range(was.carries):
            memo[before[was.stacks + i]] = old[first + i]
        memo[before[-1]] = old[-1]
        return memo


def _inner(links: Sequence[Link]) -> list[Variable]:
    return [link.inner for link in links]


def used_inputs(values: Sequence[Variable], blockers: Sequence[Variable]) -> set[Variable]:
    """Which of ``blockers`` the values depend on."""
    return set(traverse.ancestors(values, blockers)) & set(blockers)


def sweep(
    outputs: Sequence[Variable], blockers: Sequence[Variable],
    change: Callable[[Apply, Apply], Memo],
) -> list[Variable]:  # fmt: skip
    """``outputs`` with each loop, inputs first, replaced by what ``change(node, current)`` says.

    ``node`` is the loop in the graph, ``current`` the same with new inputs. ``change`` gives new
    variables for outputs of ``current``, and for variables of the graph that come later.
    """
    memo: Memo = {}
    for node in traverse.toposort(outputs, blockers):
        if all(v in memo for v in node.outputs):
            continue
        inputs = [memo.get(v, v) for v in node.inputs]
        same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
        current = node if same else node.clone_with_new_inputs(inputs)
        for old, new in zip(node.outputs, current.outputs, strict=True):
            if new is not old:
                memo.setdefault(old, new)
        if isinstance(node.op, Scan):
            back = dict(zip(current.outputs, node.outputs, strict=True))
            memo.update({back.get(old, old): new for old, new in change(node, current).items()})
    return [memo.get(v, v) for v in outputs]
