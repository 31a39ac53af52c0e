"""Scan: a step, which is a graph of its own, applied again and again.

What goes in and comes out, in this order::

    inputs   n_steps, sequences…, initial values of states…, carries…, fixed…
    step in  one row of each sequence, per state one value per tap, carries, fixed
    step out new values of the states, results (maps), new carries, a condition if ``until``
    outputs  per state and map the values of all steps stacked, final carries, number of steps done

A *state* remembers: with taps (-2, -1) step t gets its values of steps t-2 and t-1. Its initial
value has one row per step that the first steps look back to, oldest first; they are not among the
stacked values. A *carry* has one value, which each step replaces (it may be of any type), a *map*
result is only collected. With ``until`` the loop ends after the first step whose condition holds.

``keep`` (chosen by rewriting) says which of the stacked values are wanted: the last k of a state,
initial values included, or all (None).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.evaluate import reference_function
from theano.graph.nodes import Apply, Variable
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.extents import sizes_of
from theano.ops.inner_graph import InnerGraph


@dataclass(frozen=True)
class Form:
    """What the inputs and outputs of a step stand for.

    ``states`` holds the taps of each state, negative and in the order of the step's inputs;
    ``keep`` has an entry per state (None: all values are stacked); ``at_least`` is a number of
    steps below which the loop fails, since somebody takes a row that would not be there.
    """

    sequences: int
    states: tuple[tuple[int, ...], ...]
    carries: int
    fixed: int
    maps: int
    until: bool = False
    keep: tuple[int | None, ...] = ()
    at_least: int = 0

    @property
    def depths(self) -> tuple[int, ...]:
        """How many initial rows each state has."""
        return tuple(-min(taps) for taps in self.states)

    def kept(self, state: int) -> int | None:
        """How many values of a state are wanted; None: those of all steps."""
        return self.keep[state] if self.keep else None

    # positions among the step's inputs

    @property
    def first_tap(self) -> int:
        """Where the values of states begin among the step's inputs."""
        return self.sequences

    @property
    def first_carry(self) -> int:
        """Where carries begin among the step's inputs."""
        return self.sequences + sum(map(len, self.states))

    @property
    def first_fixed(self) -> int:
        """Where what stays the same begins among the step's inputs."""
        return self.first_carry + self.carries

    def taps(self) -> list[tuple[int, int]]:
        """(state, tap) of each value of a state among the step's inputs."""
        return [(s, tap) for s, taps in enumerate(self.states) for tap in taps]

    # positions among the outer inputs and outputs

    @property
    def outer_state(self) -> int:
        """Where initial values begin among the inputs."""
        return 1 + self.sequences

    @property
    def outer_carry(self) -> int:
        """Where carries begin among the inputs."""
        return self.outer_state + len(self.states)

    @property
    def outer_fixed(self) -> int:
        """Where what stays the same begins among the inputs."""
        return self.outer_carry + self.carries

    @property
    def stacks(self) -> int:
        """How many stacked outputs there are."""
        return len(self.states) + self.maps

    def outer_of(self, inner: int) -> int:
        """The input that input ``inner`` of the step comes from."""
        if inner < self.first_tap:
            return 1 + inner
        if inner < self.first_carry:
            return self.outer_state + self.taps()[inner - self.first_tap][0]
        return self.outer_carry + inner - self.first_carry


class Scan(InnerGraph, TensorOp):
    """A loop. Parameters: the step as ``inner_inputs`` and ``inner_outputs``, its ``form``, a
    ``name``, and ``truncate``: gradients go back that many steps (-1: all).

    Two loops are equal if their steps are the same computation.
    """

    lowering = "loop"

    def __init__(
        self, inner_inputs: Sequence[Variable], inner_outputs: Sequence[Variable], form: Form,
        name: str = "scan_fn", truncate: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(inner_inputs, inner_outputs)
        self.form = form
        self.name = name
        self.truncate = truncate
        nodes = traverse.toposort(self.inner_outputs, self.inner_inputs)
        kinds = tuple(v.type for v in (*self.inner_inputs, *self.inner_outputs))
        self._hash = hash((form, truncate, kinds, tuple(node.op for node in nodes)))

    # the graph protocol -------------------------------------------------------------------------

    def make_node(self, n_steps: Any, *inputs: Any) -> Apply:
        """See the module text for ``inputs``."""
        form = self.form
        n_steps = as_tensor_variable(n_steps)
        if n_steps.type.ndim or n_steps.type.dtype.startswith(("float", "complex")):
            raise TypeError(f"scan: n_steps must be an integer, got {n_steps} of {n_steps.type}")
        if len(inputs) != form.outer_fixed - 1 + form.fixed:
            raise TypeError(
                f"{self} takes {form.outer_fixed - 1 + form.fixed} inputs, not {len(inputs)}"
            )
        outer = [cast(n_steps, "int64"), *map(_variable, inputs)]
        for number, inner in enumerate(self.inner_inputs):
            self._check_input(number, inner, outer[form.outer_of(number)])
        outputs = []
        for number, value in enumerate(self.inner_outputs[: form.stacks]):
            kept = form.kept(number) if number < len(form.states) else None
            shape = (None if kept in (None, 1) else kept, *value.type.shape)
            outputs.append(TensorType(value.type.dtype, shape=shape)())
        carries = self.inner_outputs[form.stacks : form.stacks + form.carries]
        outputs += [v.type.make_variable() for v in carries]
        outputs.append(TensorType("int64", shape=())())
        return Apply(self, outer, outputs)

    def _check_input(self, number: int, inner: Any, outer: Any) -> None:
        form = self.form
        rows = number < form.first_carry
        if not rows:
            inner.type.filter_variable(outer)
            return
        kind = outer.type
        if not isinstance(kind, TensorType) or kind.ndim != inner.type.ndim + 1 or (
            kind.dtype != inner.type.dtype
        ):  # fmt: skip
            raise TypeError(f"{self}: {outer} of {kind} does not have rows of {inner.type}")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Scan) or self._hash != other._hash:
            return False
        if (self.form, self.truncate) != (other.form, other.truncate):
            return False
        both = list(zip(self.inner_inputs, other.inner_inputs, strict=True))
        if len(self.inner_inputs) != len(other.inner_inputs) or any(
            a.type != b.type for a, b in both
        ):
            return False
        return traverse.equal_graphs(self.inner_outputs, other.inner_outputs, dict(both))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        loop = "do_while" if self.form.until else "for"
        return f"{loop}{{cpu,{self.name}}}"

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """What reaches what, over any number of steps."""
        return connections(self)

    # shapes -------------------------------------------------------------------------------------

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        """Stacks are as long as the loop; rows of maps follow the step's own shape rules."""
        form = self.form
        steps = node.outputs[-1] if form.until else node.inputs[0]
        rows = self.row_shapes(node, input_shapes)
        shapes: list[Any] = []
        for number, row in enumerate(rows):
            kept = form.kept(number) if number < len(form.states) else None
            shapes.append(None if row is None else (steps if kept is None else kept, *row))
        for i in range(form.carries):
            shape = input_shapes[form.outer_carry + i]
            final = self.inner_outputs[form.stacks + i].type
            same = isinstance(final, TensorType)
            shapes.append(tuple(shape) if same and shape is not None and final.ndim == 0 else None)
        return [*shapes, ()]

    def row_shapes(self, node: Apply, input_shapes: Sequence[Any]) -> list[tuple[Any, ...] | None]:
        """The extents of one step's value of each state and map; None where they are not known
        before the loop runs."""
        from theano.ops.row_shapes import extents_outside

        form = self.form
        rows: list[tuple[Any, ...] | None] = [
            tuple(input_shapes[form.outer_state + s][1:]) for s in range(len(form.states))
        ]
        maps = self.inner_outputs[len(form.states) : form.stacks]
        return rows + extents_outside(self, maps, node, input_shapes)

    # meaning ------------------------------------------------------------------------------------

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """The loop in Python, step by step through the step's reference."""
        step = self.reference_call()
        run = Run(self, inputs)
        while run.more():
            run.take(step(*run.arguments()))
        empty = [] if all(run.rows) else self._row_extents(node, inputs)
        stacks = [
            np.stack([np.asarray(row, output.type.numpy_dtype) for row in rows]) if rows
            else np.zeros((0, *empty[i]), output.type.numpy_dtype)
            for i, (rows, output) in enumerate(zip(run.rows, node.outputs, strict=False))
        ]  # fmt: skip
        results = [*stacks, *run.carries, np.asarray(run.done, dtype="int64")]
        for cell, value in zip(output_storage, results, strict=True):
            cell[0] = value

    def _row_extents(self, node: Apply, inputs: Sequence[Any]) -> list[tuple[int, ...]]:
        """The extents of rows that no step has made: as inferred, or those of a step on zeros."""
        rows = self.row_shapes(node, [_extents(v) for v in node.inputs])
        tried = self._tried(inputs) if None in rows else []
        found = []
        for i, row in enumerate(rows):
            if row is None:
                found.append(tried[i] if tried else (0,) * (node.outputs[i].type.ndim - 1))
                continue
            values = reference_function(node.inputs, [sizes.variable(size) for size in row])
            found.append(tuple(int(v) for v in values(*inputs)))
        return found

    def _tried(self, inputs: Sequence[Any]) -> list[tuple[int, ...]]:
        """The extents of what a step makes of zeros; empty if it cannot."""
        form = self.form
        rows = [np.zeros_like(x, shape=x.shape[1:]) for x in inputs[1 : form.outer_state]]
        states = inputs[form.outer_state : form.outer_carry]
        taps = [states[s][tap] for s, tap in form.taps()]
        try:
            with np.errstate(all="ignore"):
                values = self.reference_call()(*rows, *taps, *inputs[form.outer_carry :])
        except Exception:  # whatever zeros do to a step, the loop has no step
            return []
        return [np.shape(value) for value in values[: form.stacks]]

    # derivatives --------------------------------------------------------------------------------

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """A loop that runs backwards (ops/scan_grad.py)."""
        from theano.ops.scan_grad import scan_gradient

        return scan_gradient(self, inputs, outputs, output_grads)

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """One loop over the values and their directions (ops/scan_grad.py)."""
        from theano.ops.scan_grad import scan_direction

        return scan_direction(self, inputs, eval_points)


def _extents(variable: Any) -> Any:
    return sizes_of(variable) if isinstance(variable.type, TensorType) else None


def _variable(x: Any) -> Any:
    return x if isinstance(x, Variable) else as_tensor_variable(x)


class Run:
    """The values of a loop that runs: ``arguments`` of the next step, ``take`` its results.

    ``rows`` holds the values of each state and map; of a state whose last values are wanted,
    the initial ones too.
    """

    def __init__(self, op: Scan, inputs: Sequence[Any]) -> None:
        self.op, form = op, op.form
        self.limit = int(inputs[0])
        self.done = 0
        self.ended = False
        if self.limit < 0:
            raise ValueError(f"{op}: n_steps must not be negative, got {self.limit}")
        if self.limit < form.at_least:
            raise IndexError(
                f"{op}: row -{form.at_least} of what it gives is taken, but n_steps is {self.limit}"
            )
        self.sequences = inputs[1 : form.outer_state]
        for number, sequence in enumerate(self.sequences):
            if len(sequence) < self.limit:
                raise ValueError(
                    f"{op}: sequence {number} has {len(sequence)} rows, fewer than the "
                    f"{self.limit} steps (its shape is {sequence.shape})"
                )
        initial = inputs[form.outer_state : form.outer_carry]
        self.past = [list(x)[-d:] for x, d in zip(initial, form.depths, strict=True)]
        for number, (rows, depth) in enumerate(zip(self.past, form.depths, strict=True)):
            if len(rows) != depth:
                raise ValueError(
                    f"{op}: the initial value of state {number} has {len(rows)} rows, but its taps "
                    f"{form.states[number]} need {depth}"
                )
        self.rows: list[list[Any]] = [
            list(self.past[i]) if i < len(form.states) and form.kept(i) is not None else []
            for i in range(form.stacks)
        ]
        self.carries = list(inputs[form.outer_carry : form.outer_fixed])
        self.fixed = list(inputs[form.outer_fixed :])

    def more(self) -> bool:
        """Whether there is another step."""
        return self.done < self.limit and not self.ended

    def arguments(self) -> list[Any]:
        """What the next step is given."""
        rows = [sequence[self.done] for sequence in self.sequences]
        taps = [self.past[s][tap] for s, tap in self.op.form.taps()]
        return [*rows, *taps, *self.carries, *self.fixed]

    def take(self, values: Sequence[Any]) -> None:
        """Note what the step gave."""
        form = self.op.form
        for number, value in enumerate(values[: form.stacks]):
            if number < len(form.states):
                last = self.past[number][-1]
                if np.shape(last) != np.shape(value):
                    raise ValueError(
                        f"{self.op}: step {self.done} changes the shape of state {number} from "
                        f"{np.shape(last)} to {np.shape(value)}"
                    )
                self.past[number] = [*self.past[number][1:], value]
            elif self.rows[number] and np.shape(self.rows[number][0]) != np.shape(value):
                raise ValueError(
                    f"{self.op}: result {number} has shape {np.shape(value)} in step {self.done}, "
                    f"but {np.shape(self.rows[number][0])} before"
                )
            self.rows[number].append(value)
            kept = form.kept(number) if number < len(form.states) else None
            if kept is not None:
                del self.rows[number][:-kept]
        self.carries = list(values[form.stacks : form.stacks + form.carries])
        self.ended = form.until and bool(values[-1])
        self.done += 1


def connections(op: Scan) -> list[list[bool]]:
    """Per input and output: whether it matters, through any number of steps."""
    form = op.form
    inner = reach(op)
    states = range(len(form.states))
    taps = [(form.first_tap + i, s) for i, (s, _) in enumerate(form.taps())]
    carries = [(form.first_carry + i, i) for i in range(form.carries)]
    reaching = [set(row) for row in inner]  # per step input: the step outputs that it reaches
    changed = True
    while changed:
        changed = False
        feeds: Mapping[int, set[int]] = _feeds(reaching, taps, carries, form.stacks)
        for row in reaching:
            more = set().union(*(feeds.get(j, set()) for j in row)) - row
            if more:
                row |= more
                changed = True
    count = form.stacks + form.carries
    pattern = [[False] * (count + 1) for _ in range(form.outer_fixed + form.fixed)]
    for number, row in enumerate(reaching):
        for j in row:
            if j < count:
                pattern[form.outer_of(number)][j] = True
    for s in states:
        if form.kept(s) is not None:
            pattern[form.outer_state + s][s] = True
    for i in range(form.carries):
        pattern[form.outer_carry + i][form.stacks + i] = True
    return pattern


def reach(op: Scan) -> list[set[int]]:
    """Per input of the step: the outputs of the step that depend on it, within one step."""
    found: list[set[int]] = [set() for _ in op.inner_inputs]
    place = {v: i for i, v in enumerate(op.inner_inputs)}
    for j, output in enumerate(op.inner_outputs):
        for variable in traverse.ancestors([output], op.inner_inputs):
            if variable in place:
                found[place[variable]].add(j)
    return found


def _feeds(
    reaching: Sequence[set[int]], taps: Sequence[tuple[int, int]],
    carries: Sequence[tuple[int, int]], stacks: int,
) -> dict[int, set[int]]:  # fmt: skip
    """Per step output that a later step reads: all outputs it reaches that way."""
    feeds: dict[int, set[int]] = {}
    for place, state in taps:
        feeds.setdefault(state, set()).update(reaching[place])
    for place, carry in carries:
        feeds.setdefault(stacks + carry, set()).update(reaching[place])
    return feeds


def scan_lengths(rows: Sequence[Any]) -> Any:
    """The number of steps that sequences of these lengths allow."""
    shortest = rows[0]
    for other in rows[1:]:
        shortest = sizes.minimum(shortest, other)
    return shortest
