"""The last pass: what only one branch of a conditional needs moves into it.

Every node gets the innermost scope that holds all its uses; the scopes are the whole graph and the
two sides of each ``IfElse``, nested as the conditionals are.
"""

from __future__ import annotations

from collections.abc import Sequence

from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.ops.ifelse import Branch, IfElse


@dataclass(frozen=True, eq=False)
class Scope:
    """The graph, or one side of a conditional."""

    parent: Scope | None
    depth: int


def lazy_branches(outputs: Sequence[Variable], blockers: Sequence[Variable]) -> list[Variable]:
    """``outputs`` with each conditional as a ``Branch`` that owns what only it needs."""
    order = traverse.toposort(outputs, blockers)
    if not any(isinstance(node.op, IfElse) for node in order):
        return list(outputs)
    scopes, sides = _scopes(order, outputs)
    memo: dict[Variable, Variable] = {}
    for node in order:
        if isinstance(node.op, IfElse):
            new = _branch(node, scopes, sides[node], memo, blockers).outputs
        else:
            inputs = [memo.get(v, v) for v in node.inputs]
            if all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
                continue
            new = node.clone_with_new_inputs(inputs, strict=False).outputs
        for old, made in zip(node.outputs, new, strict=True):
            made.tag.__dict__.update(old.tag.__dict__)
            memo[old] = made
    return [memo.get(v, v) for v in outputs]


def _scopes(
    order: Sequence[Apply], outputs: Sequence[Variable]
) -> tuple[dict[Apply, Scope], dict[Apply, tuple[Scope, Scope]]]:
    """The scope of each node, and the two scopes that each conditional opens."""
    top = Scope(None, 0)
    wanted: dict[Variable, Scope] = dict.fromkeys(outputs, top)
    scopes: dict[Apply, Scope] = {}
    sides: dict[Apply, tuple[Scope, Scope]] = {}

    def use(variable: Variable, scope: Scope) -> None:
        known = wanted.get(variable)
        wanted[variable] = scope if known is None else _around(known, scope)

    for node in reversed(order):
        scope: Scope | None = None
        for output in node.outputs:
            found = wanted.get(output)
            if found is not None:
                scope = found if scope is None else _around(scope, found)
        scope = scope or top
        scopes[node] = scope
        if isinstance(node.op, IfElse):
            pair = (Scope(scope, scope.depth + 1), Scope(scope, scope.depth + 1))
            sides[node] = pair
            use(node.inputs[0], scope)
            n = node.op.n_outs
            for i, value in enumerate(node.inputs[1:]):
                use(value, pair[i >= n])
        else:
            for value in node.inputs:
                use(value, scope)
    return scopes, sides


def _around(a: Scope, b: Scope) -> Scope:
    """The innermost scope that holds both."""
    while a is not b:
        if a.depth < b.depth:
            a, b = b, a
        assert a.parent is not None
        a = a.parent
    return a


def _within(scope: Scope | None, outer: Scope) -> bool:
    while scope is not None and scope.depth > outer.depth:
        scope = scope.parent
    return scope is outer


def _branch(
    node: Apply, scopes: dict[Apply, Scope], sides: tuple[Scope, Scope],
    memo: dict[Variable, Variable], blockers: Sequence[Variable],
) -> Apply:  # fmt: skip
    """The conditional as a ``Branch``."""
    n = node.op.n_outs
    values = (node.inputs[1 : 1 + n], node.inputs[1 + n :])
    captured: dict[Variable, Variable] = {}  # outer (new) variable -> the graphs' input
    graphs = []
    stop = set(blockers)
    for scope, given in zip(sides, values, strict=True):
        inside = {
            v for v in traverse.ancestors(given, blockers)
            if v.owner is not None and v not in stop and _within(scopes.get(v.owner), scope)
        }  # fmt: skip
        frontier = _frontier(given, inside)
        for old in frontier:
            new = memo.get(old, old)
            if new not in captured:
                captured[new] = new.type.make_variable(new.name)
        current = [memo.get(v, v) for v in given]
        graphs.append(traverse.rebuild(current, captured, strict=False))
    op = Branch(list(captured.values()), graphs[0], graphs[1], node.op.name)
    condition = memo.get(node.inputs[0], node.inputs[0])
    return op.make_node(condition, *captured)


def _frontier(values: Sequence[Variable], inside: set[Variable]) -> list[Variable]:
    """What a side uses and does not compute."""
    found: dict[Variable, None] = {}
    seen: set[Variable] = set()
    stack = list(values)
    while stack:
        variable = stack.pop()
        if variable in seen:
            continue
        seen.add(variable)
        if variable in inside:
            assert variable.owner is not None
            stack.extend(variable.owner.inputs)
        elif not isinstance(variable, Constant):
            found[variable] = None
    return list(found)
