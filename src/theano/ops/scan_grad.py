"""Derivatives of loops: the loop that runs backwards, and the loop along a direction.

The backward loop needs values of the forward one. States are stacked anyway; what else a step
computed at some cost and its gradient uses (the residuals) is stacked by a second forward loop with
more results, which rewriting merges with the first. What each step adds to the gradient of an input
that stays the same is stacked and summed; rewriting turns that into one product or a running sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from theano.core import dtypes
from theano.core.config import change_flags
from theano.graph import traverse
from theano.graph.nodes import Constant, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.registry import apply
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.extents import sizes_of
from theano.ops.row_shapes import extents_outside
from theano.ops.scan import Form, Scan, connections, reach
from theano.ops.scan_seed import last_row

# Ops whose results are cheaper to compute again than to keep for all steps.
_CHEAP_ROWS: Final = frozenset((
    "add", "sub", "mul", "neg", "cast", "identity", "second", "maximum", "minimum", "switch", "lt",
    "le", "gt", "ge", "eq", "neq", "abs_", "sqr", "and_", "or_", "xor", "invert", "sgn",
))  # fmt: skip
_CHEAP_OPS: Final = frozenset((
    "DimShuffle", "Subtensor", "Reshape", "Shape", "Shape_i", "MakeVector", "Alloc", "Rebroadcast",
    "SpecifyShape",
))  # fmt: skip


def _continuous(variable: Any) -> bool:
    kind = variable.type
    return isinstance(kind, TensorType) and kind.dtype not in dtypes.DISCRETE


def _connected(gradient: Any) -> bool:
    return not isinstance(gradient.type, (DisconnectedType, NullType))


def scan_gradient(
    op: Scan, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
) -> list[Any]:
    """The gradients of a loop with respect to its inputs."""
    if op.form.keep:
        return _without_keep(op, inputs, output_grads)
    return Backward(op, inputs, outputs, output_grads).run()


def _without_keep(op: Scan, inputs: Sequence[Any], output_grads: Sequence[Any]) -> list[Any]:
    """The gradient of a loop that keeps its last values only, through one that keeps all."""
    form = op.form
    full = Scan(op.inner_inputs, op.inner_outputs, replace(form, keep=(), at_least=0), op.name,
                op.truncate)  # fmt: skip
    outputs = full(*inputs, return_list=True)
    known = {}
    for i, gradient in enumerate(output_grads):
        value = outputs[i]
        if not _connected(gradient):
            continue
        kept = form.kept(i) if i < len(form.states) else None
        if kept is not None:
            value = apply("join", 0, inputs[form.outer_state + i], value)[-kept:]
        known[value] = gradient
    found = apply(
        "grad", None, list(inputs), known_grads=known, disconnected_inputs="ignore",
        return_disconnected="disconnected", add_names=False, null_gradients="return",
    )  # fmt: skip
    return list(found)


class Backward:
    """Builds the gradients of one loop."""

    def __init__(
        self, op: Scan, inputs: Sequence[Any], outputs: Sequence[Any], output_grads: Sequence[Any]
    ) -> None:
        self.op, self.form = op, op.form
        self.inputs, self.outputs = inputs, outputs
        self.grads = output_grads
        self.steps = outputs[-1] if op.form.until else inputs[0]
        limit = op.truncate
        self.back = self.steps if limit < 0 else sizes.variable(sizes.minimum(self.steps, limit))
        self.sequences: dict[Variable, Any] = {}  # of the backward step -> outer, reversed
        self.fixed: dict[Variable, Any] = {}
        self.extra: dict[Variable, Variable] = {}  # residual of the step -> its stack

    def run(self) -> list[Any]:
        """All of it."""
        live = self._live()
        seeds = {j: self.op.inner_outputs[j].type() for j in sorted(live)}
        terms = self._step_gradients(seeds)
        if not terms:
            return self._collect({}, {})
        real = {i: g for i, g in terms.items() if not isinstance(g.type, NullType)}
        self._residuals(list(real.values()))
        return self._collect(terms, self._loop(seeds, real) if real else {})

    def _live(self) -> set[int]:
        """The results of the step that carry a gradient in some step."""
        form = self.form
        inner = reach(self.op)
        stacked = [j for j in range(form.stacks) if _continuous(self.op.inner_outputs[j])]
        live = {j for j in stacked if _connected(self.grads[j])}
        taps = [(form.first_tap + i, s) for i, (s, _) in enumerate(form.taps())]
        while True:
            more = {s for place, s in taps if s in stacked and inner[place] & live} - live
            if not more:
                return live
            live |= more

    def _step_gradients(self, seeds: dict[int, Variable]) -> dict[int, Variable]:
        """Per input of the step that has one: its gradient in terms of the step's variables."""
        # A copy: what another result of the step adds to the gradient of this one counts, too.
        with _without_test_values():
            known: dict[Variable, Variable] = {
                apply("tensor_copy", self.op.inner_outputs[j]): seed for j, seed in seeds.items()
            }
        wanted = [i for i, v in enumerate(self.op.inner_inputs) if _continuous(v)]
        if not known or not wanted:
            return {}
        with _without_test_values():
            found = apply(
                "grad", None, [self.op.inner_inputs[i] for i in wanted], known_grads=known,
                disconnected_inputs="ignore", return_disconnected="none", add_names=False,
                null_gradients="return",
            )  # fmt: skip
        return {i: g for i, g in zip(wanted, found, strict=True) if g is not None}

    # what the backward step knows of the forward one -------------------------------------------

    def _residuals(self, gradients: Sequence[Variable]) -> None:
        """Find what the gradients use of the forward step, and have it stacked."""
        place = {v: i for i, v in enumerate(self.op.inner_inputs)}
        carries = set(self.op.inner_inputs[self.form.first_carry : self.form.first_fixed])
        forward: set[Variable] = set(place)
        costly: set[Variable] = set(carries)
        for node in traverse.toposort(self.op.inner_outputs, self.op.inner_inputs):
            forward.update(node.outputs)
            if not _cheap(node) or any(v in costly for v in node.inputs):
                costly.update(node.outputs)
        states = {v: s for s, v in enumerate(self.op.inner_outputs[: len(self.form.states)])}
        used: dict[Variable, None] = {}
        for node in traverse.toposort(gradients, forward):
            used.update(dict.fromkeys(v for v in node.inputs if v in forward))
        used.update(dict.fromkeys(g for g in gradients if g in forward))
        known = {*place, *states} - carries
        residuals = self._chosen(used, costly, known, carries)
        self.states_used = states
        if residuals:
            self._stack(list(residuals))

    def _chosen(
        self, used: Iterable[Variable], costly: set[Variable], known: set[Variable],
        carries: set[Variable],
    ) -> dict[Variable, None]:  # fmt: skip
        """What to stack so that all ``used`` can be had: costly values, unless their extents may
        change from step to step, which are computed again."""
        tied = set(carries)  # cannot be computed again: the values carried then are gone
        for node in traverse.toposort(self.op.inner_outputs, self.op.inner_inputs):
            if any(v in tied for v in node.inputs):
                tied.update(node.outputs)
        residuals: dict[Variable, None] = {}
        seen: set[Variable] = set()
        layer = [v for v in used if v not in known]
        while layer:
            seen.update(layer)
            wanted = [v for v in layer if v in costly and isinstance(v.type, TensorType)]
            loose = {v for v, fits in zip(wanted, self._same_in_all_steps(wanted), strict=True)
                     if not fits and v not in tied}  # fmt: skip
            residuals.update(dict.fromkeys(v for v in wanted if v not in loose))
            open_ = [v for v in layer if v not in residuals]
            following = dict.fromkeys(x for v in open_ if v.owner for x in v.owner.inputs)
            layer = [v for v in following if v not in known and v not in seen]
        return residuals

    def _same_in_all_steps(self, variables: Sequence[Any]) -> list[bool]:
        """Whether the extents of values of the step are known to be the same in all steps."""
        node = self.outputs[-1].owner
        shapes = [sizes_of(v) if isinstance(v.type, TensorType) else None for v in node.inputs]
        open_ = [v for v in variables if None in v.type.shape]
        found = extents_outside(self.op, open_, node, shapes)
        vary = {v for v, extents in zip(open_, found, strict=True) if extents is None}
        return [v not in vary for v in variables]

    def _stack(self, residuals: list[Variable]) -> None:
        """Run the forward loop with more results."""
        form, op = self.form, self.op
        outs = op.inner_outputs
        more = (*outs[: form.stacks], *residuals, *outs[form.stacks :])
        wider = Scan(op.inner_inputs, more, replace(form, maps=form.maps + len(residuals)),
                     op.name, op.truncate)  # fmt: skip
        outputs = wider(*self.inputs, return_list=True)
        for i, v in enumerate(residuals):
            self.extra[v] = outputs[form.stacks + i]
        self.outputs = [*outputs[: form.stacks], *outputs[form.stacks + len(residuals) :]]

    def _memo(self) -> dict[Variable, Variable]:
        """The step's variables as inputs of the backward step, made when they are looked up."""
        form, memo = self.form, {}
        for v, stack in self.extra.items():
            memo[v] = self._row(v, stack, exact=True)
        for v, s in self.states_used.items():
            if v not in memo:
                memo[v] = self._row(v, self.outputs[s], exact=True)
        for i, v in enumerate(self.op.inner_inputs):
            if v in memo:
                continue
            outer = self.inputs[form.outer_of(i)]
            if i < form.first_tap:
                memo[v] = self._row(v, outer)
            elif i < form.first_carry:
                s, tap = form.taps()[i - form.first_tap]
                history = apply("join", 0, outer, self.outputs[s])
                memo[v] = self._row(v, history, form.depths[s] + tap)
            else:
                memo[v] = inner = v.type.make_variable(v.name)
                self.fixed[inner] = outer
        return memo

    def _row(self, like: Any, stack: Any, first: int = 0, exact: bool = False) -> Variable:
        """A sequence input of the backward step: ``stack[first + t]`` for t = steps-1, …, 0.

        ``exact``: the stack has a row per step and no more.
        """
        inner: Variable = like.type.make_variable(like.name)
        part = stack if exact else stack[first : sizes.add(first, self.steps)]
        self.sequences[inner] = part[::-1]
        return inner

    # the loop -----------------------------------------------------------------------------------

    def _loop(self, seeds: dict[int, Variable], terms: dict[int, Variable]) -> dict[int, Any]:
        """Run backwards; per input of the step its terms of all steps, the last step first."""
        form = self.form
        taps = form.taps()
        memo = self._memo()
        carried = {i: taps[i - form.first_tap] for i in terms
                   if form.first_tap <= i < form.first_carry}  # fmt: skip
        back = {i: terms[i].type.make_variable() for i in carried}
        lasts: dict[int, Any] = {}  # states of which only the last value has a gradient
        for j, seed in seeds.items():
            parts = [back[i] for i, (s, _) in carried.items() if s == j]
            last = last_row(self.grads[j]) if (j, -1) in carried.values() else None
            if last is not None:
                lasts[j] = last
            elif _connected(self.grads[j]):
                parts.insert(0, self._row(seed, self.grads[j], exact=True))
            with _without_test_values():
                if not parts:
                    parts = [apply("zeros_like", memo[self.op.inner_outputs[j]])]
                memo[seed] = apply("add", *parts) if len(parts) > 1 else parts[0]
        others = [i for i in terms if i not in carried]
        results = [terms[i] for i in (*carried, *others)]
        with _without_test_values():
            results = traverse.rebuild(results, memo, strict=False)
        inner_states = list(back.values())
        results = [
            b.type.filter_variable(r) if k < len(inner_states) else r
            for k, (r, b) in enumerate(zip(results, [*inner_states, *results[len(back):]],
                                           strict=True))
        ]  # fmt: skip
        used = set(traverse.ancestors(results))
        seqs = {v: outer for v, outer in self.sequences.items() if v in used}
        fixed = {v: outer for v, outer in self.fixed.items() if v in used}
        loose = _loose(results, [*seqs, *inner_states, *fixed])
        shape = Form(len(seqs), tuple((tap,) for _, tap in carried.values()), 0,
                     len(fixed) + len(loose), len(others), at_least=1 if lasts else 0)  # fmt: skip
        step = Scan([*seqs, *inner_states, *fixed, *loose], results, shape,
                    f"grad_of_{self.op.name}", -1)  # fmt: skip
        starts = [
            apply("add", self._zeros(s, 1), apply("shape_padleft", lasts[s]))
            if tap == -1 and s in lasts else self._zeros(s, -tap)
            for s, tap in carried.values()
        ]  # fmt: skip
        outputs = step(self.back, *seqs.values(), *starts, *fixed.values(), *loose,
                       return_list=True)  # fmt: skip
        self.starts = dict(zip(carried, starts, strict=True))
        return dict(zip((*carried, *others), outputs, strict=False))

    def _zeros(self, state: int, rows: int) -> Any:
        """What the last steps get from steps that do not follow: zeros for ``rows`` rows."""
        return apply("zeros_like", self.inputs[self.form.outer_state + state][:rows])

    # results ------------------------------------------------------------------------------------

    def _collect(self, terms: dict[int, Variable], loops: dict[int, Any]) -> list[Any]:
        results: list[Any] = [DisconnectedType()() for _ in self.inputs]
        for place, parts in self._parts(loops).items():
            results[place] = apply("add", *parts) if len(parts) > 1 else parts[0]
        for i, term in terms.items():
            if isinstance(term.type, NullType):
                results[self.form.outer_of(i)] = term
        pattern = connections(self.op)
        for i, variable in enumerate(self.inputs):
            reached = any(p and _connected(g) for p, g in zip(pattern[i], self.grads, strict=True))
            if reached and isinstance(results[i].type, DisconnectedType):
                results[i] = _no_gradient(variable)
        return results

    def _parts(self, loops: dict[int, Any]) -> dict[int, list[Any]]:
        """Per input of the loop: what it gets through each input of the step."""
        form = self.form
        found: dict[int, list[Any]] = {}
        for i, stack in loops.items():
            if i < form.first_tap:
                part = self._sequence(i, stack)
            elif i < form.first_carry:
                part = self._initial(i, form.taps()[i - form.first_tap][0], stack)
            elif i >= form.first_fixed:
                part = apply("sum", stack, axis=0)
            else:
                continue
            found.setdefault(form.outer_of(i), []).append(part)
        return found

    def _sequence(self, i: int, stack: Any) -> Any:
        """The rows of a sequence that were used get their terms, the others nothing."""
        x = self.inputs[1 + i]
        rows = stack[::-1]
        part = apply("zeros_like", x)
        first = apply("sub", self.steps, self.back) if self.op.truncate >= 0 else 0
        return apply("set_subtensor", part[first : self.steps], rows)

    def _initial(self, i: int, state: int, stack: Any) -> Any:
        """The terms of the first steps, which look at initial values."""
        tap = self.form.taps()[i - self.form.first_tap][1]
        depth = self.form.depths[state]
        rows = apply("join", 0, self.starts[i], stack)[tap:][::-1]
        if self.op.truncate >= 0:
            # Only steps that were gone back through count: none of the first, if there were more.
            reached = apply("le", self.steps, self.op.truncate)
            rows = apply("switch", reached, rows, apply("zeros_like", rows))
        if -tap == depth:
            return rows
        part = apply("zeros_like", self.inputs[self.form.outer_state + state])
        return apply("set_subtensor", part[depth + tap :], rows)


def _without_test_values() -> Any:
    """Steps of these loops have no test values, only the loops around them."""
    return change_flags(compute_test_value="off")


def _no_gradient(variable: Any) -> Any:
    """Zeros for an array that matters, but not continuously."""
    if not isinstance(variable.type, TensorType):
        return DisconnectedType()()
    return apply("zeros_like", variable, dtype=dtypes.gradient_dtype(variable.type.dtype))


def _cheap(node: Any) -> bool:
    name = type(node.op).__name__
    if name == "Elemwise":
        return node.op.scalar_op.name in _CHEAP_ROWS
    return name in _CHEAP_OPS


def _loose(results: Sequence[Variable], known: Sequence[Variable]) -> list[Variable]:
    """Variables without owner that are neither constants nor inputs: shared ones, say."""
    given = set(known)
    return [
        v for v in traverse.roots(results, given)
        if v not in given and (isinstance(v, SharedVariable) or not isinstance(v, Constant))
    ]  # fmt: skip


def scan_direction(op: Scan, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
    """The directional derivatives of a loop's outputs: values and directions in one loop."""
    form = op.form
    if form.keep:
        raise NotImplementedError("a loop that was rewritten")
    points: dict[int, Any] = {}  # per input of the step: its direction outside
    for i, v in enumerate(op.inner_inputs):
        point = eval_points[form.outer_of(i)]
        if point is not None and _connected(point) and _continuous(v):
            points[i] = point
    inner = reach(op)
    taps = [(form.first_tap + i, s) for i, (s, _) in enumerate(form.taps())]
    moving = {s for place, s in taps if place in points}
    while True:
        sources = {*points, *(place for place, s in taps if s in moving)}
        reached = set().union(*(inner[i] for i in sources)) if sources else set()
        more = {s for s in range(len(form.states)) if s in reached} - moving
        more = {s for s in more if _continuous(op.inner_outputs[s])}
        if not more:
            break
        moving |= more
    return Forward(op, inputs, points, moving, reached).run()


class Forward:
    """Builds the loop along a direction. ``moving``: states whose values change along it."""

    def __init__(
        self, op: Scan, inputs: Sequence[Any], points: dict[int, Any], moving: set[int],
        reached: set[int],
    ) -> None:  # fmt: skip
        self.op, self.form, self.inputs, self.points = op, op.form, inputs, points
        self.moving = sorted(moving)
        self.maps = [j for j in range(len(op.form.states), op.form.stacks)
                     if j in reached and _continuous(op.inner_outputs[j])]  # fmt: skip

    def run(self) -> list[Any]:
        """The directions of all outputs (None: does not move)."""
        op, form = self.op, self.form
        results: list[Any] = [None] * (form.stacks + form.carries + 1)
        if not self.moving and not self.maps:
            return results
        kinds = op.inner_inputs
        moves = {i: kinds[i].type.make_variable() for i in self._places()}
        live = [*self.moving, *self.maps]
        with _without_test_values():
            inner = apply(
                "Rop", [op.inner_outputs[j] for j in live], [kinds[i] for i in moves],
                list(moves.values()), disconnected_outputs="ignore",
            )  # fmt: skip
        step_in, outer = self._arranged(moves)
        states, maps = inner[: len(self.moving)], inner[len(self.moving) :]
        n = len(form.states)
        outs = op.inner_outputs
        step_out = [*outs[:n], *states, *outs[n : form.stacks], *maps, *outs[form.stacks :]]
        seqs = sum(i < form.first_tap for i in moves)
        fixed = sum(i >= form.first_fixed for i in moves)
        shape = Form(
            form.sequences + seqs, (*form.states, *(form.states[s] for s in self.moving)),
            form.carries, form.fixed + fixed, form.maps + len(maps), form.until,
        )  # fmt: skip
        found = Scan(step_in, step_out, shape, f"rop_of_{op.name}")(*outer, return_list=True)
        for k, s in enumerate(self.moving):
            results[s] = found[n + k]
        after = n + len(self.moving) + form.maps
        for k, j in enumerate(self.maps):
            results[j] = found[after + k]
        return results

    def _places(self) -> list[int]:
        """The step's inputs that move, in order."""
        form = self.form
        taps = [form.first_tap + i for i, (s, _) in enumerate(form.taps()) if s in self.moving]
        others = [i for i in self.points if not form.first_tap <= i < form.first_carry]
        return sorted([*taps, *others])

    def _arranged(self, moves: dict[int, Any]) -> tuple[list[Any], list[Any]]:
        """The inputs of the step, and of the loop, in their order."""
        op, form = self.op, self.form
        kinds, outer = list(op.inner_inputs), list(self.inputs)

        def part(low: int, high: int) -> list[Any]:
            return [moves[i] for i in moves if low <= i < high]

        a, b, c = form.first_tap, form.first_carry, form.first_fixed
        end = len(kinds)
        step = [*kinds[:a], *part(0, a), *kinds[a:b], *part(a, b), *kinds[b:c], *kinds[c:],
                *part(c, end)]  # fmt: skip
        starts = []
        for s in self.moving:
            x = self.inputs[form.outer_state + s]
            places = [form.first_tap + i for i, (t, _) in enumerate(form.taps()) if t == s]
            given = next((self.points[i] for i in places if i in self.points), None)
            starts.append(apply("zeros_like", x) if given is None else given)
        loop = [
            *outer[: form.outer_state],
            *(self.points[i] for i in moves if i < a),
            *outer[form.outer_state : form.outer_carry], *starts,
            *outer[form.outer_carry :],
            *(self.points[i] for i in moves if i >= c),
        ]  # fmt: skip
        return step, loop
