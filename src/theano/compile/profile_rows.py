"""Where time went: counters of native code or of the reference, and the nodes they are for.

A row is one unit of work: a node, or the nodes that were fused into one kernel, with the allocation
of its results. The time of a loop's row is what its control costs; the steps inside have their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from time import perf_counter
from typing import Any

import numpy as np

from theano.core.record import dataclass
from theano.core.trace import Place
from theano.graph.nodes import Apply
from theano.lower import program as pg
from theano.ops.elemwise import Elemwise
from theano.rewrite.engine import key_of

NOWHERE = Place("", 0, "")


@dataclass()
class Row:
    """One unit of work over all calls.

    Attributes: ``nodes`` (of the rewritten graph), ``what`` (kernels and library functions, or
    "NumPy"), ``calls``, ``seconds`` (without steps inside), ``bytes`` (read and written; 0 where
    unknown), ``made`` (most bytes of results in one call), ``depth`` (loops around it).
    """

    nodes: tuple[Apply, ...]
    what: list[str] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    bytes: int = 0
    made: int = 0
    depth: int = 0

    @property
    def op(self) -> str:
        """What is computed, for the table of ops."""
        if not self.nodes:
            return "copy of a result"
        if len(self.nodes) == 1:
            return str(self.nodes[0].op)
        keys = ",".join(key_of(node.op) for node in self.nodes)
        if all(isinstance(node.op, Elemwise) for node in self.nodes):
            return f"Elemwise{{Composite{{{keys}}}}}"
        return f"Fused{{{keys}}}"

    @property
    def kind(self) -> str:
        """The class of the op, for the table of classes."""
        if not self.nodes:
            return "(copies)"
        kinds = dict.fromkeys(type(node.op).__name__ for node in self.nodes)
        return " + ".join(kinds) if len(kinds) < 5 else "Fused"

    def places(self) -> list[Place]:
        """The user's line for each node."""
        return [_place(node) for node in self.nodes] or [NOWHERE]


def _place(node: Apply) -> Place:
    for output in node.outputs:
        record = getattr(output.tag, "trace", None)
        places = record.places() if record else ()
        if places:
            last: Place = places[-1]
            return last
    return NOWHERE


class NativeSource:
    """The counters of native code.

    Parameters: ``counters`` (a row per timed step: calls, nanoseconds, bytes, bytes made),
    ``steps`` (the timed steps), ``program``, and ``origins``: steps as they were first written,
    with their nodes.
    """

    def __init__(
        self, counters: np.ndarray[Any, Any], steps: Sequence[Any], program: pg.Program,
        origins: Sequence[tuple[Any, tuple[Apply, ...]]],
    ) -> None:  # fmt: skip
        self.counters = counters
        self.steps = steps
        self.parents = _parents(program.steps, steps)
        self.nodes = _nodes_of(steps, origins)
        self.program = program

    def reset(self) -> None:
        """Forget all calls so far."""
        self.counters[:] = 0

    def rows(self) -> list[Row]:
        """The units of work, in the order in which they run."""
        found: dict[Any, Row] = {}
        own = self.counters[:, 1].astype(np.int64)
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                own[parent] -= self.counters[i, 1]
        for i, step in enumerate(self.steps):
            calls, _, moved, made = map(int, self.counters[i])
            nodes = self.nodes[i]
            key = (nodes, self.parents[i])
            row = found.setdefault(key, Row(nodes, depth=self._depth(i)))
            row.calls = max(row.calls, calls)
            row.seconds += max(0, int(own[i])) * 1e-9
            row.bytes += moved
            row.made += made
            row.what.extend(x for x in [self._name(step)] if x and x not in row.what)
        return list(found.values())

    def _depth(self, i: int) -> int:
        depth = 0
        while self.parents[i] >= 0:
            depth, i = depth + 1, self.parents[i]
        return depth

    def _name(self, step: Any) -> str:
        if isinstance(step, pg.Launch):
            return "copy" if step.kernel.name == "copy" else f"kernel {step.kernel.name}"
        if isinstance(step, pg.Call):
            return step.function
        if isinstance(step, pg.PyCall):
            return f"Python: {self.program.callables[step.index].name}"
        names = {pg.Loop: "loop", pg.Branch: "branch", pg.Reshape: "reshape"}
        return names.get(type(step), "")

    def memory(self) -> dict[str, int]:
        """Bytes of outputs, of scratch memory, of what Python steps gave, and all results added."""
        kinds: dict[str, int] = {"outputs": 0, "scratch": 0, "python": 0, "unshared": 0}
        slots: dict[str, int] = defaultdict(int)
        for step, counts in zip(self.steps, self.counters, strict=True):
            made = int(counts[3])
            kinds["unshared"] += made
            if isinstance(step, pg.PyCall):
                kinds["python"] += made
            elif isinstance(step, (pg.Alloc, pg.Reshape)):
                if step.place == "output":
                    kinds["outputs"] += made
                else:
                    slots[step.place] = max(made, slots[step.place])
        kinds["scratch"] = sum(slots.values())
        return kinds


def _parents(steps: Sequence[Any], timed: Sequence[Any]) -> list[int]:
    """For each timed step the timed step that it is inside of, -1 if none."""
    numbers = {id(step): i for i, step in enumerate(timed)}
    parents = [-1] * len(timed)
    stack = [(step, -1) for step in steps]
    while stack:
        step, parent = stack.pop()
        number = numbers.get(id(step))
        if number is not None:
            parents[number] = parent
        inside = parent if number is None else number
        stack.extend((inner, inside) for body in pg.bodies(step) for inner in body)
    return parents


def _nodes_of(
    steps: Sequence[Any], origins: Sequence[tuple[Any, tuple[Apply, ...]]]
) -> list[tuple[Apply, ...]]:
    """The nodes of each step. The memory plan may have renamed what a step writes: steps that are
    not found by what they write are taken in order among those of the same kernel or function."""
    exact: dict[Any, list[tuple[Apply, ...]]] = defaultdict(list)
    alike: dict[Any, list[tuple[Any, tuple[Apply, ...]]]] = defaultdict(list)
    for step, nodes in origins:
        exact[_writes(step)].append(nodes)
        alike[_work(step)].append((_writes(step), nodes))
    known = {_writes(step) for step in steps} & exact.keys()
    found = []
    for step in steps:
        name = _writes(step)
        if exact.get(name):
            found.append(exact[name].pop(0))
            continue
        others = alike.get(_work(step), [])
        index = next((i for i, (wrote, _) in enumerate(others) if wrote not in known), None)
        found.append(() if index is None else others.pop(index)[1])
    return found


def _work(step: Any) -> Any:
    """What steps of the same kind of work share."""
    name = getattr(step, "function", getattr(step, "index", ""))
    return type(step), step.kernel.name if isinstance(step, pg.Launch) else name


def _writes(step: Any) -> Any:
    if isinstance(step, pg.Launch):
        bound = zip(step.kernel.operands, step.operands, strict=True)
        return (*_work(step), *(b.array for operand, b in bound if operand.mode != "in"))
    if isinstance(step, pg.Call):
        return (*_work(step), *step.arrays[: step.writes], step.out)
    if isinstance(step, (pg.PyCall, pg.Branch)):
        return (type(step), *(out[0] for out in step.outs))
    return type(step), getattr(step, "out", "")


class ReferenceSource:
    """Times of nodes that are run one by one in NumPy."""

    def __init__(self) -> None:
        self._rows: dict[Apply, Row] = {}
        self._open: list[list[Any]] = []  # start of a node, seconds of nodes inside of it, thunk

    def around(self, before: Any, after: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The callbacks of a Reference, with the clock inside of those given."""

        def begin(index: int, node: Apply, thunk: Any) -> None:
            if before is not None:
                before(index, node, thunk)
            self._open.append([perf_counter(), 0.0, thunk])

        def end(index: int, node: Apply, thunk: Any) -> None:
            start, inside, owner = self._open.pop()
            while owner is not thunk:  # a node that raised
                start, inside, owner = self._open.pop()
            seconds = perf_counter() - start
            if self._open:
                self._open[-1][1] += seconds
            self._note(node, seconds - inside, thunk)
            if after is not None:
                after(index, node, thunk)

        return begin, end

    def _note(self, node: Apply, seconds: float, thunk: Any) -> None:
        row = self._rows.get(node)
        if row is None:
            row = self._rows[node] = Row((node,), ["NumPy"], depth=len(self._open))
        made = sum(_nbytes(cell[0]) for cell in thunk.outputs)
        row.calls += 1
        row.seconds += seconds
        row.bytes += made + sum(_nbytes(cell[0]) for cell in thunk.inputs)
        row.made = max(row.made, made)

    def reset(self) -> None:
        """Forget all calls so far."""
        self._rows.clear()
        self._open.clear()

    def rows(self) -> list[Row]:
        """One row per node that was run."""
        return list(self._rows.values())

    def memory(self) -> dict[str, int]:
        """Bytes of all results added."""
        made = sum(row.made for row in self._rows.values())
        return {"outputs": 0, "scratch": 0, "python": made, "unshared": made}


def _nbytes(value: Any) -> int:
    return int(getattr(value, "nbytes", 0))


def by_line(rows: Sequence[Row]) -> dict[Place, tuple[float, int]]:
    """Seconds and number of nodes per line of the user's; what is fused counts in equal parts."""
    found: dict[Place, tuple[float, int]] = {}
    for place, seconds in _shares(rows):
        total, count = found.get(place, (0.0, 0))
        found[place] = (total + seconds, count + 1)
    return found


def _shares(rows: Sequence[Row]) -> Iterator[tuple[Place, float]]:
    for row in rows:
        places = row.places()
        for place in places:
            yield place, row.seconds / len(places)
