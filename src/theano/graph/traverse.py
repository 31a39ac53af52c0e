"""Walks over graphs. All iterative, all linear: a graph of 100,000 nodes is nothing special."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from theano.graph.nodes import Apply, Constant, Variable


def toposort(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Apply]:
    """The Applys that ``outputs`` need, inputs first; nothing above ``blockers`` is visited."""
    stop = set(blockers)
    done: set[Apply] = set()
    order: list[Apply] = []
    for root in outputs:
        if root.owner is None or root in stop or root.owner in done:
            continue
        stack: list[tuple[Apply, Iterator[Variable]]] = [(root.owner, iter(root.owner.inputs))]
        done.add(root.owner)
        while stack:
            node, parents = stack[-1]
            for parent in parents:
                owner = parent.owner
                if owner is not None and owner not in done and parent not in stop:
                    done.add(owner)
                    stack.append((owner, iter(owner.inputs)))
                    break
            else:
                stack.pop()
                order.append(node)
    return order


def general_toposort(outputs: Iterable[Any], deps: Callable[[Any], Iterable[Any]]) -> list[Any]:
    """All that ``outputs`` need, what is needed first; ``deps(x)`` is what ``x`` needs at once.

    Raises ValueError where something needs itself.
    """
    order: list[Any] = []
    state: dict[Any, bool] = {}  # True: all that it needs is in the order
    stack = [(x, False) for x in reversed(list(outputs))]
    while stack:
        x, met = stack.pop()
        if met:
            state[x] = True
            order.append(x)
        elif x not in state:
            state[x] = False
            needs = list(deps(x))
            if any(state.get(y) is False for y in needs):
                raise ValueError(f"The graph has a cycle: {x} is needed before itself")
            stack.append((x, True))
            stack += [(y, False) for y in reversed(needs) if y not in state]
    return order


def ordered(nodes: Sequence[Apply], before: Mapping[Apply, Iterable[Apply]]) -> list[Apply]:
    """``nodes`` in an order of execution in which each also follows those that ``before`` names."""
    known = set(nodes)

    def deps(node: Apply) -> list[Apply]:
        needs = [v.owner for v in node.inputs if v.owner is not None]
        return [other for other in (*needs, *before.get(node, ())) if other in known]

    return general_toposort(nodes, deps)


def ancestors(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Variable]:
    """Every variable that ``outputs`` depend on, themselves included, inputs first."""
    stop = set(blockers)
    seen: dict[Variable, None] = {}
    outputs = list(outputs)
    for node in toposort(outputs, stop):
        for variable in (*node.inputs, *node.outputs):
            seen.setdefault(variable)
    for variable in outputs:
        seen.setdefault(variable)
    return list(seen)


def roots(outputs: Iterable[Variable], blockers: Collection[Variable] = ()) -> list[Variable]:
    """The variables without owner (constants and shared ones too) that ``outputs`` depend on, and
    the ``blockers`` reached, in the order of a left-to-right walk."""
    stop = set(blockers)
    return [v for v in ancestors(outputs, stop) if v.owner is None or v in stop]


def inputs(
    variable_list: Iterable[Variable], blockers: Collection[Variable] = ()
) -> list[Variable]:
    """The root variables of a graph, as Theano's ``gof.graph.inputs`` gives them."""
    return roots(variable_list, blockers)


def clients(outputs: Sequence[Variable]) -> dict[Variable, list[tuple[Any, int]]]:
    """For each variable, who uses it: (Apply, input position) or (``"output"``, position)."""
    uses: dict[Variable, list[tuple[Any, int]]] = {}
    for node in toposort(outputs):
        for variable in node.outputs:
            uses.setdefault(variable, [])
        for position, variable in enumerate(node.inputs):
            uses.setdefault(variable, []).append((node, position))
    for position, variable in enumerate(outputs):
        uses.setdefault(variable, []).append(("output", position))
    return uses


def rebuild(
    outputs: Sequence[Variable], replace: Mapping[Variable, Variable], strict: bool = True
) -> list[Variable]:
    """``outputs`` with some variables replaced; parts that do not change are shared, not copied."""
    memo: dict[Variable, Variable] = dict(replace)
    for node in toposort(outputs, memo):
        if all(output in memo for output in node.outputs):
            continue
        new_inputs = [memo.get(v, v) for v in node.inputs]
        if all(new is old for new, old in zip(new_inputs, node.inputs, strict=True)):
            continue
        new_node = node.clone_with_new_inputs(new_inputs, strict=strict)
        for old, new in zip(node.outputs, new_node.outputs, strict=True):
            memo.setdefault(old, new)
    return [memo.get(v, v) for v in outputs]


def clone(
    inputs: Sequence[Variable], outputs: Sequence[Variable], copy_inputs: bool = True
) -> tuple[list[Variable], list[Variable], dict[Variable, Variable]]:
    """A copy of the graph between ``inputs`` and ``outputs``, and the map from old to new.

    Root variables that are not in ``inputs`` (constants, shared ones) are shared with the original.
    """
    memo: dict[Variable, Variable] = {v: (v.clone() if copy_inputs else v) for v in inputs}
    for node in toposort(outputs, memo):
        new_node = node.clone_with_new_inputs([memo.get(v, v) for v in node.inputs], strict=False)
        for old, new in zip(node.outputs, new_node.outputs, strict=True):
            memo.setdefault(old, new)
    return [memo[v] for v in inputs], [memo.get(v, v) for v in outputs], memo


def equal_graphs(
    xs: Sequence[Variable],
    ys: Sequence[Variable],
    givens: Mapping[Variable, Variable] | None = None,
) -> bool:
    """Whether two lists of expressions are structurally the same computation of the same roots."""
    same: dict[Variable, Variable] = dict(givens or {})
    stack = list(zip(xs, ys, strict=True)) if len(xs) == len(ys) else None
    if stack is None:
        return False
    while stack:
        x, y = stack.pop()
        if same.get(x) is y or x is y:
            continue
        if x in same:
            return False
        if isinstance(x, Constant) and isinstance(y, Constant):
            if not x.equals(y):
                return False
        elif not _same_owner(x, y):
            return False
        else:
            assert x.owner is not None
            assert y.owner is not None
            stack.extend(zip(x.owner.inputs, y.owner.inputs, strict=True))
        same[x] = y
    return True


def _same_owner(x: Variable, y: Variable) -> bool:
    a, b = x.owner, y.owner
    if a is None or b is None or x.index != y.index:
        return False
    return a.op == b.op and len(a.inputs) == len(b.inputs)
