"""``scan``: from a Python function that builds one step to a loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from theano.core import dtypes
from theano.core.errors import MissingInputError
from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Constant, Variable
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.join import join
from theano.ops.scan import Form, Scan, scan_lengths
from theano.ops.shape import shape_padleft
from theano.scan_module.arguments import (
    Memory,
    Rows,
    arguments_of,
    fixed_input,
    listed,
    memory_of,
    rows_of,
)
from theano.scan_module.scan_utils import get_updates_and_outputs
from theano.updates import OrderedUpdates


def scan(
    fn: Callable[..., Any],
    sequences: Any = None,
    outputs_info: Any = None,
    non_sequences: Any = None,
    n_steps: Any = None,
    truncate_gradient: int = -1,
    go_backwards: bool = False,
    mode: Any = None,
    name: str | None = None,
    profile: Any = False,
    allow_gc: bool | None = None,
    strict: bool = False,
    return_list: bool = False,
) -> tuple[Any, OrderedUpdates]:
    """Call ``fn`` once to build a step, and apply that step again and again.

    Parameters
    ----------
    fn : a function of symbolic values. Its arguments are, in this order: one row per sequence (per
        tap, in the order given), the values of earlier steps (per output with an initial value, per
        tap), and ``non_sequences``. It returns the step's outputs, or updates of shared variables
        (a dict or a list of pairs), or both, and after these, if wanted, `until`(condition).
    sequences : arrays to walk along their first axis, or ``dict(input=x, taps=[…])``: with taps
        (-1, 0) a step gets the rows before and at its own.
    outputs_info : per output None (it is only collected), an initial value (the step gets the value
        of the step before), or ``dict(initial=x, taps=[-2, -1])``: then ``initial`` has a leading
        axis with the values before the first step, oldest first.
    non_sequences : what every step gets as it is. Other variables that ``fn`` uses are found;
        with ``strict`` shared variables must be given here.
    n_steps : how many steps, an int or symbolic, at least 0; the length of the shortest sequence if
        None.
    truncate_gradient : go back only that many steps in gradients; -1: all.
    go_backwards : walk sequences from their end.
    name : shown by printing.
    return_list : give a list even of one output.
    mode, profile, allow_gc : accepted; a loop is compiled with the function that it is part of.

    Returns
    -------
    (outputs, updates): the values of all steps stacked, without initial ones, as a variable, a list
    (more than one, or ``return_list``), or None; and `OrderedUpdates` for shared variables, to be
    given to ``theano.function``.

    Raises
    ------
    ValueError : the step does not fit ``outputs_info`` (number, dtype, rank), taps are wrong, or
        nothing says how many steps there are. TypeError : arguments of the wrong kind. At run time:
        ValueError for a negative number of steps, for sequences that are too short, and for states
        that change their shape.

    >>> import theano, theano.tensor as T
    >>> x = T.dvector("x")
    >>> sums, _ = theano.scan(lambda row, total: total + row, x, T.zeros(()))
    >>> sums.eval({x: [1, 2, 3]}).tolist()
    [1.0, 3.0, 6.0]
    """
    del mode, profile, allow_gc
    if not callable(fn):
        raise TypeError(f"scan: fn must be a function that builds a step, got {fn!r}")
    rows: list[Rows] = []
    lengths = []
    for number, entry in enumerate(listed(sequences)):
        found, length = rows_of(entry, number, go_backwards)
        rows += found
        lengths.append(length)
    results = [memory_of(entry, i) for i, entry in enumerate(listed(outputs_info))]
    fixed = [_fixed(x, i) for i, x in enumerate(listed(non_sequences))]
    given = fn(*arguments_of(rows, results, fixed))
    condition, outputs, updates = get_updates_and_outputs(given)
    results = _matched(results, outputs, name)
    step = Step(rows, results, outputs, updates, condition, name or "scan_fn", truncate_gradient)
    if strict:
        step.check_strict(fixed)
    steps = _number_of_steps(n_steps, lengths, condition)
    if steps in (1, -1) and isinstance(steps, int) and condition is None:
        stacked, new = step.once(backwards=False)
    else:
        stacked, new = step.loop(sizes.variable(steps))
    if return_list or len(stacked) > 1:
        return stacked, new
    return (stacked[0] if stacked else None), new


def _fixed(x: Any, number: int) -> Any:
    if isinstance(x, Variable):
        return x
    try:
        return as_tensor_variable(x)
    except TypeError as error:
        raise TypeError(f"scan: non_sequences[{number}] is not symbolic: {x!r}") from error


def _number_of_steps(n_steps: Any, lengths: Sequence[Any], condition: Any) -> Any:
    if n_steps is None:
        if lengths:
            return scan_lengths(lengths)
        bound = "as a bound, since `until` may never hold" if condition is not None else ""
        raise ValueError(
            f"scan: no sequences and no n_steps: give one of them {bound}".rstrip()
            + ". Nothing says how many steps there are."
        )
    if isinstance(n_steps, (int, float, np.integer, np.floating)):
        if int(n_steps) < -1:
            raise ValueError(f"scan: n_steps must not be negative, got {n_steps}")
        return int(n_steps)
    variable: Any = as_tensor_variable(n_steps)
    if variable.type.ndim != 0:
        raise TypeError(f"scan: n_steps must be a scalar, got {variable} of {variable.type}")
    if isinstance(variable, Constant):
        return int(variable.data)
    if variable.type.dtype.startswith(("float", "complex")):
        raise TypeError(f"scan: n_steps must be an integer, got {variable} of {variable.type}")
    return variable


def _matched(results: list[Memory], outputs: Sequence[Variable], name: str | None) -> list[Memory]:
    """``outputs_info`` for each output; ValueError where the step does not fit it."""
    if not results:
        return [Memory() for _ in outputs]
    if len(results) != len(outputs):
        raise ValueError(
            f"scan{f' ({name})' if name else ''}: the step function returns {len(outputs)} outputs "
            f"but outputs_info describes {len(results)}. Give None for an output without initial "
            "value."
        )
    return results


def _checked(number: int, memory: Memory, output: Any) -> Any:
    """The new value of a state as a variable of the state's type."""
    kind = memory.inner[0].type
    found = output.type
    where = f"scan: output {number} of the step function"
    hint = ""
    if not isinstance(found, TensorType):
        hint = "is not an array"
    elif found.dtype != kind.dtype:
        hint = (
            f"has dtype {found.dtype}, but its initial value has dtype {kind.dtype}. The step "
            "casts up or down: cast the initial value, or the result of the step."
        )
    elif found.ndim != kind.ndim:
        hint = (
            f"has {found.ndim} dimensions, but its initial value has {kind.ndim}"
            f"{' per step' if memory.taps != (-1,) else ''}."
        )
    if hint:
        raise ValueError(f"{where} ({output}) {hint}")
    try:
        return kind.filter_variable(output)
    except TypeError as error:
        raise ValueError(
            f"{where} ({output}) has type {found}, but its initial value has type {kind}: use "
            "theano.tensor.unbroadcast on the initial value, or patternbroadcast on the result."
        ) from error


@dataclass()
class Step:
    """One step, ready to become a loop."""

    rows: list[Rows]
    results: list[Memory]
    outputs: list[Any]
    updates: OrderedUpdates
    condition: Any
    name: str
    truncate: int
    carried: dict[SharedVariable, Variable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outputs = [
            _checked(i, m, v) if m.taps else v
            for i, (m, v) in enumerate(zip(self.results, self.outputs, strict=True))
        ]
        for i, (memory, value) in enumerate(zip(self.results, self.outputs, strict=True)):
            if not memory.taps and not isinstance(value.type, TensorType):
                raise TypeError(f"scan: output {i} of the step function is not an array: {value}")
        self.carried = self._carried()

    def _carried(self) -> dict[SharedVariable, Variable]:
        """Shared variables that a step changes, and their new values."""
        carried: dict[SharedVariable, Variable] = dict(self.updates)
        seen: set[Variable] = set()
        todo = [*self.outputs, *carried.values()]
        todo += [] if self.condition is None else [self.condition]
        while todo:
            fresh = [v for v in traverse.roots(todo) if v not in seen]
            seen.update(fresh)
            todo = []
            for v in fresh:
                if not isinstance(v, SharedVariable) or v in carried:
                    continue
                if v.default_update is not None:
                    carried[v] = v.default_update
                    todo.append(v.default_update)
        return carried

    def check_strict(self, fixed: Sequence[Any]) -> None:
        """Raise unless all shared variables in the step are among ``fixed`` or are updated."""
        allowed = {*fixed, *self.carried}
        for v in traverse.roots(self._targets(), allowed):
            if isinstance(v, SharedVariable) and v not in allowed:
                raise MissingInputError(
                    f"scan (strict=True): the step function uses the shared variable {v}, which is "
                    "not among non_sequences."
                )

    def _targets(self) -> list[Variable]:
        last = [] if self.condition is None else [self.condition]
        return [*self.outputs, *self.carried.values(), *last]

    # one step, without a loop ---------------------------------------------------------------------

    def once(self, backwards: bool) -> tuple[list[Any], OrderedUpdates]:
        """The step itself, its results with a new first axis."""
        del backwards
        memo: dict[Variable, Variable] = {r.inner: r.array[0] for r in self.rows}
        for memory in self.results:
            for tap, inner in zip(memory.taps, memory.inner, strict=True):
                memo[inner] = memory.start[-min(memory.taps) + tap]
        found = traverse.rebuild(self._targets(), memo, strict=False)
        count = len(self.outputs)
        new = OrderedUpdates(zip(self.carried, found[count:], strict=False))
        return [shape_padleft(v) for v in found[:count]], new

    # a loop ---------------------------------------------------------------------------------------

    def loop(self, steps: Any) -> tuple[list[Any], OrderedUpdates]:
        """The loop's outputs in the user's order, and the updates."""
        states = [i for i, m in enumerate(self.results) if m.taps]
        maps = [i for i, m in enumerate(self.results) if not m.taps]
        # Shared variables of real numbers are states like others, for gradients to pass through.
        smooth = [s for s in self.carried if _smooth(s)]
        tied = [s for s in self.carried if s not in smooth]
        taps = [v for i in states for v in self.results[i].inner]
        moving = [*(r.inner for r in self.rows), *taps, *self.carried]
        outside = _outside(self._targets(), moving)
        inside: dict[Variable, Variable] = {v: fixed_input(v) for v in outside}
        inside.update((s, s.type.make_variable(s.name)) for s in self.carried)
        order = [
            *(self.outputs[i] for i in states),
            *(s.type.filter_variable(self.carried[s]) for s in smooth),
            *(self.outputs[i] for i in maps),
            *(self.carried[s] for s in tied),
        ]
        order += [] if self.condition is None else [self.condition]
        inner = traverse.rebuild(order, inside, strict=False)
        form = Form(
            len(self.rows), (*(self.results[i].taps for i in states), *[(-1,)] * len(smooth)),
            len(tied), len(outside), len(maps), self.condition is not None,
        )  # fmt: skip
        fed = [inside[s] for s in (*smooth, *tied)] + [inside[v] for v in outside]
        op = Scan(
            [*(r.inner for r in self.rows), *taps, *fed], inner, form, self.name, self.truncate
        )
        starts = [self.results[i].start for i in states] + [shape_padleft(s) for s in smooth]
        found = op(steps, *(r.array for r in self.rows), *starts, *tied, *outside, return_list=True)
        n = len(states)
        rest = n + len(smooth)
        stacked: dict[int, Any] = dict(
            zip((*states, *maps), [*found[:n], *found[rest:]], strict=False)
        )
        last: dict[SharedVariable, Any] = {
            s: join(0, start, rows)[-1]
            for s, start, rows in zip(smooth, starts[n:], found[n:rest], strict=True)
        }
        last.update(zip(tied, found[form.stacks :], strict=False))
        new = OrderedUpdates((s, last[s]) for s in self.carried)
        return [stacked[i] for i in range(len(self.results))], new


def _smooth(variable: SharedVariable) -> bool:
    kind = variable.type
    return isinstance(kind, TensorType) and kind.dtype not in dtypes.DISCRETE


def _outside(targets: Sequence[Variable], moving: Sequence[Variable]) -> list[Variable]:
    """What the step uses and does not change from step to step, as few variables as possible."""
    moves = set(moving)
    found: dict[Variable, None] = {}
    for node in traverse.toposort(targets, moves):
        if any(v in moves for v in node.inputs):
            moves.update(node.outputs)
            found.update(dict.fromkeys(v for v in node.inputs if v not in moves))
    found.update(dict.fromkeys(v for v in targets if v not in moves))
    return [v for v in found if not isinstance(v, Constant)]
