"""Rewriting of loops, a pass of its own since it looks at the whole graph around each loop.

Inside: the step is rewritten like any graph, what does not change from step to step moves out, what
nobody uses goes. Around: of states only the last values are kept where no others are used; what is
only summed over the steps becomes one matrix product, or a running sum; what is added to all rows
of a sequence is added in the step; loops that differ in their results only become one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from theano.batching.engine import batch, spread
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.ops import sizes
from theano.ops.assertion import Assert
from theano.ops.extents import Shape_i, size_of
from theano.ops.scan import Scan
from theano.rewrite.build import owner_of, t
from theano.rewrite.loop_parts import Link, Map, Parts, sweep, used_inputs
from theano.rewrite.loop_sink import sink_into_steps
from theano.rewrite.loop_uses import keep_what_is_used

Optimizer = Callable[[Sequence[Variable], Sequence[Variable]], list[Variable]]

# Cheap enough, or large enough, to stay inside even if they do not change.
_STAY: Final = frozenset({"Alloc", "AllocEmpty", "Shape_i", "MakeVector"})
_ROUNDS: Final = 3


def has_loops(outputs: Sequence[Variable], blockers: Sequence[Variable]) -> bool:
    """Whether there is a loop among the ancestors of ``outputs``."""
    return any(isinstance(node.op, Scan) for node in traverse.toposort(outputs, blockers))


def rewrite_loops(
    outputs: Sequence[Variable], blockers: Sequence[Variable], optimizer: Optimizer
) -> list[Variable]:
    """``outputs`` with all loops rewritten; ``optimizer(inputs, outputs)`` rewrites a step."""
    outputs = sweep(outputs, blockers, lambda _, node: all_at_once(node))
    outputs = merge_loops(outputs, blockers)
    for _ in range(_ROUNDS):
        before = _loops(outputs, blockers)
        outputs = sweep(outputs, blockers, lambda _, node: simplified(node, optimizer))
        outputs = sink_into_steps(keep_what_is_used(outputs, blockers), blockers)
        if _loops(outputs, blockers) == before:
            break
    return outputs


def _loops(outputs: Sequence[Variable], blockers: Sequence[Variable]) -> list[Any]:
    return [node.op for node in traverse.toposort(outputs, blockers) if isinstance(node.op, Scan)]


def change_steps(
    outputs: Sequence[Variable], blockers: Sequence[Variable], optimizer: Optimizer
) -> list[Variable]:
    """``outputs`` with the steps of all loops rewritten, and nothing else."""
    if not has_loops(outputs, blockers):
        return list(outputs)

    def change(_: Apply, node: Apply) -> dict[Variable, Variable]:
        parts = Parts.of(node)
        parts.replace_results(optimizer(parts.inputs(), parts.results()))
        drop_unused_inputs(parts)
        return parts.build().replaced()

    return sweep(outputs, blockers, change)


def all_at_once(node: Apply) -> dict[Variable, Variable]:
    """A loop whose steps do not depend on each other: all steps as one computation, if every op
    of the step has a batching rule."""
    op, form = node.op, node.op.form
    if form.states or form.carries or form.until or not form.sequences:
        return {}
    steps, sequences = node.inputs[0], node.inputs[1 : form.outer_state]
    rows = {v: _first_rows(x, steps) for v, x in zip(op.inner_inputs, sequences, strict=False)}
    fixed = dict(zip(op.inner_inputs[form.first_fixed :], node.inputs[form.outer_fixed :],
                     strict=True))  # fmt: skip
    results = traverse.rebuild(op.inner_outputs, fixed, strict=False)
    found = batch(results, rows, steps, loops=False)
    if found is None:
        return {}
    memo: dict[Variable, Variable] = {node.outputs[-1]: steps}
    for old, (value, varies) in zip(node.outputs, found, strict=False):
        new = value if varies else spread(value, steps)
        memo[old] = new if new.type == old.type else old.type.filter_variable(new)
    return memo


def _first_rows(x: Variable, steps: Variable) -> Variable:
    """The rows that ``steps`` steps take; a run-time check where they may not be there."""
    known = owner_of(steps, "Shape_i")
    if known is not None and known.op.i == 0 and known.inputs[0] is x:
        return x
    enough = t.ge(t.shape_i(x, 0), steps)
    checked: Variable = Assert("scan: a sequence is shorter than the number of steps")(x, enough)
    return checked[:steps]  # type: ignore[no-any-return, index]


def simplified(node: Apply, optimizer: Optimizer) -> dict[Variable, Variable]:
    """A loop with a simpler step."""
    parts = Parts.of(node)
    _inline_and_merge(parts)
    inputs = parts.inputs()
    parts.replace_results(optimizer(inputs, parts.results()))
    _extents_from_outside(parts)
    _hoist(parts)
    drop_unused_inputs(parts)
    return parts.build().replaced()


def _inline_and_merge(parts: Parts) -> None:
    """Constants go into the step; inputs that come from the same become one."""
    memo: dict[Variable, Variable] = {}
    for links in (parts.fixed, parts.seqs):
        seen: dict[Any, Variable] = {}
        kept: list[Link] = []
        for link in links:
            if links is parts.fixed and isinstance(link.outer, Constant):
                memo[link.inner] = link.outer
            elif link.outer in seen:
                memo[link.inner] = seen[link.outer]
            else:
                seen[link.outer] = link.inner
                kept.append(link)
        links[:] = kept
    if memo:
        parts.replace_results(traverse.rebuild(parts.results(), memo, strict=False))


def _extents_from_outside(parts: Parts) -> None:
    """Extents of rows are known before the loop; what only they were needed of is not."""
    results = parts.results()
    links = {link.inner: link.outer for link in parts.seqs}
    links.update((v, s.start) for s in parts.states for v in s.inner)
    memo: dict[Variable, Variable] = {}
    for node in traverse.toposort(results, parts.inputs()):
        if isinstance(node.op, Shape_i) and node.inputs[0] in links:
            size = sizes.variable(size_of(links[node.inputs[0]], node.op.i + 1))
            constant = isinstance(size, Constant)
            memo[node.outputs[0]] = size if constant else parts.fix(size)
    if memo:
        parts.replace_results(traverse.rebuild(results, memo, strict=False))


def _hoist(parts: Parts) -> None:
    """What depends on fixed inputs only is computed before the loop."""
    inputs = parts.inputs()
    moving = set(parts.changing())
    still: set[Variable] = {link.inner for link in parts.fixed}
    frontier: dict[Variable, None] = {}
    results = parts.results()
    for node in traverse.toposort(results, inputs):
        if any(v in moving for v in node.inputs) or type(node.op).__name__ in _STAY:
            moving.update(node.outputs)
            frontier.update(dict.fromkeys(v for v in node.inputs if v in still and v.owner))
        elif any(v in still for v in node.inputs):
            still.update(node.outputs)
        else:  # of constants only, but not folded: random, or large
            moving.update(node.outputs)
    frontier.update(dict.fromkeys(v for v in results if v in still and v.owner))
    if not frontier:
        return
    outside = {link.inner: link.outer for link in parts.fixed}
    outer = traverse.rebuild(list(frontier), outside, strict=False)
    memo = {v: parts.fix(o) for v, o in zip(frontier, outer, strict=True)}
    parts.replace_results(traverse.rebuild(results, memo, strict=False))


def drop_unused_inputs(parts: Parts) -> None:
    """Sequences and fixed inputs that the step does not use go."""
    used = used_inputs(parts.results(), parts.inputs())
    parts.seqs = [link for link in parts.seqs if link.inner in used]
    parts.fixed = [link for link in parts.fixed if link.inner in used]


# ---- merging -------------------------------------------------------------------------------------


def merge_loops(outputs: list[Variable], blockers: Sequence[Variable]) -> list[Variable]:
    """Loops with the same inputs and the same states become one that has the results of both."""
    groups: dict[Any, list[Apply]] = {}
    for node in traverse.toposort(outputs, blockers):
        if isinstance(node.op, Scan):
            key = (tuple(node.inputs), node.op.form.states, node.op.form.keep)
            groups.setdefault(key, []).append(node)
    memo: dict[Variable, Variable] = {}
    for nodes in groups.values():
        if len(nodes) > 1:
            memo.update(_merged(nodes))
    return traverse.rebuild(outputs, memo) if memo else outputs


def _merged(nodes: list[Apply]) -> dict[Variable, Variable]:
    """Outputs of loops to those of one loop that can stand for them."""
    first = Parts.of(nodes[0])
    taken: list[tuple[Apply, list[Map], Parts]] = []
    for node in nodes[1:]:
        other = Parts.of(node)
        places = dict(zip(other.inputs(), first.inputs(), strict=True))
        values = traverse.rebuild(other.results(), places, strict=False)
        states = len(other.states)
        rest = states + len(other.maps)
        mine = first.results()
        same = traverse.equal_graphs(mine[:states], values[:states]) and traverse.equal_graphs(
            mine[states + len(first.maps) :], values[rest:]
        )
        if not same or first.node.op.truncate != node.op.truncate:
            continue
        maps = []
        for value in values[states:rest]:
            known = next((m for m in first.maps if traverse.equal_graphs([m.value], [value])), None)
            if known is None:
                known = Map(value, None)
                first.maps.append(known)
            maps.append(known)
        taken.append((node, maps, other))
    if not taken:
        return {}
    built = first.build()
    memo = built.replaced()
    for node, maps, other in taken:
        states = len(other.states)
        for i in range(states):
            memo[node.outputs[i]] = built.node.outputs[i]
        for i, result in enumerate(maps):
            memo[node.outputs[states + i]] = built.of_map(result)
        carries = len(other.carries) + 1
        for old, new in zip(node.outputs[-carries:], built.node.outputs[-carries:], strict=True):
            memo[old] = new
    return memo
