"""A function's graph to a Program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from theano.core.config import change_flags
from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.shared import SharedVariable
from theano.lower import (
    branch,
    calls,
    conv_ends,
    demands,
    donate,
    joins,
    loop,
    loop_rows,
    memory,
    scatter,
    scatter_folds,
    squares,
)
from theano.lower import program as pg
from theano.lower.context import Context
from theano.lower.group import CyclicGroupsError, Grouping, Unit
from theano.lower.kernels import Emission
from theano.lower.merge_scatters import merge_scatters
from theano.lower.products import ACCUMULATE
from theano.lower.registers import CannotLower
from theano.lower.sizes import Sizes, is_array
from theano.lower.uses import resolve, uses_of
from theano.ops.elemwise import Elemwise
from theano.ops.shape import DimShuffle


@dataclass(frozen=True)
class Lowered:
    """A Program and the shared variables behind its cells, in order; ``notes`` for explain.

    ``origins``: each step as it was first written, and the nodes that it is for.
    """

    program: pg.Program
    shared: tuple[SharedVariable, ...]
    notes: tuple[str, ...] = field(default=())
    origins: tuple[tuple[pg.Step, tuple[Apply, ...]], ...] = field(default=(), repr=False)


def lower_function(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Variable]] = (),
    *,
    fuse: bool = True,
    native: bool = True,
    donate: bool = True,
    name: str = "f",
    written: Sequence[Variable] = (),
) -> Lowered:
    """Lower the graph from ``inputs`` to ``outputs`` and ``updates``.

    ``fuse`` False: one kernel per node. ``native`` False: every node is a Python step. ``donate``
    False: updates never reuse the storage of the shared variable. ``written``: the outputs and
    updates before rewriting; what they need of the inputs' extents is checked. Raises CannotLower
    where a Program cannot hold the graph.
    """
    with change_flags(compute_test_value="off"):
        try:
            return Lowering(inputs, outputs, updates, fuse, native, donate, written).run(name)
        except CyclicGroupsError:
            return Lowering(inputs, outputs, updates, False, native, donate, written).run(name)


def _below(variable: Variable) -> Variable:
    return resolve(variable)[0]


class Lowering:
    """One run of ``lower_function``."""

    def __init__(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        updates: Sequence[tuple[SharedVariable, Variable]],
        fuse: bool,
        native: bool,
        donate: bool,
        written: Sequence[Variable] = (),
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.updates = list(updates)
        self.fuse, self.native, self.donate = fuse, native, donate
        self.written = written
        self.targets = self.outputs + [u for _, u in self.updates]
        self.nodes = traverse.toposort(self.targets, self.inputs)
        self.sizes = Sizes()
        self.low = Context(self.sizes)
        self.kinds: dict[Apply, str] = {}
        self.grouping = Grouping(self.sizes)
        self.shared: list[SharedVariable] = []
        self.clients: dict[Variable, list[Apply]] = {}
        self.target_bases: set[Variable] = set()
        self.units: list[Unit] = []
        self._claimed: set[str] = set()
        self._objects: dict[Variable, list[str]] = {}

    def run(self, name: str) -> Lowered:
        """All of it, in order."""
        self._roots()
        if self.written:
            demands.check_roots(self.low, self.written, self.inputs)
        for node in self.nodes:
            self._analyse(node)
        if self.fuse:
            self.grouping.merge_siblings()
        for node in self.nodes:
            for use in self._bases(node):
                self.clients.setdefault(use, []).append(node)
        schedule = self.grouping.schedule()
        late = self._plan_results(schedule)
        scatter_folds.fold(self)
        for unit in schedule:
            if unit not in late:
                self._emit(unit)
        self._own_objects()
        early = [self._result("output", i, v, late) for i, v in enumerate(self.outputs)]
        for unit in schedule:
            if unit in late:
                self._emit(unit)
        results = self._results(early, late)
        self.low.flush()
        params = tuple(self.low.params)
        ordered = donate.writes_last(self.low.steps, set(self.low.donations.values()))
        needed = merge_scatters(memory.remove_dead(ordered, results, params))
        needed = self._ended(needed, results)
        steps, slots = memory.assign_slots(memory.write_over(needed, results), results)
        program = pg.Program(
            name, params, steps, tuple(results), slots,
            tuple(self.low.constants), tuple(self.low.callables),
        )  # fmt: skip
        return Lowered(program, tuple(self.shared), origins=tuple(self.low.origins))

    def _ended(self, steps: list[pg.Step], results: list[pg.Result]) -> list[pg.Step]:
        """Convolutions with the biases behind them, products with sums of squares (what a call is
        for says `origins`), results of loops in the places of sequences."""
        ends = conv_ends.find(steps, results) if self.fuse else []
        nodes = {id(step): found for step, found in self.low.origins} if ends else {}
        for end in ends:
            of = (*nodes.get(id(steps[end.call]), ()), *nodes.get(id(steps[end.launch]), ()))
            self.low.origins.append((end.both, of))
        found = list(conv_ends.joined(steps, ends))
        if self.fuse:
            found = self._with_squares(found)
        return loop_rows.over_sequences(found, results) if self.donate else found

    def _with_squares(self, steps: list[pg.Step]) -> list[pg.Step]:
        found, rides = squares.ride(steps, self.low.params)
        nodes = {id(step): of for step, of in self.low.origins} if rides else {}
        for launch, call, both in rides:
            self.low.origins.append((both, (*nodes.get(id(launch), ()), *nodes.get(id(call), ()))))
        return found

    # the bodies of loops -------------------------------------------------------------------------

    def inside(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], fuse: bool
    ) -> Lowering:
        """The lowering of a loop's body, in the same context; nothing is emitted yet."""
        inner = Lowering(inputs, outputs, (), fuse, self.native, False)
        inner.sizes, inner.low = self.sizes, self.low
        inner.grouping = Grouping(self.sizes)
        for variable in traverse.roots(outputs, inputs):
            if isinstance(variable, Constant) and variable not in self.sizes.dims:
                self._root(variable)
        for node in inner.nodes:
            inner._analyse(node)
        if fuse:
            inner.grouping.merge_siblings()
        inner.units = inner.grouping.schedule()
        for node in inner.nodes:
            for use in inner._bases(node):
                inner.clients.setdefault(use, []).append(node)
        inner.target_bases = {resolve(v, fills=False)[0] for v in outputs}
        scatter_folds.fold(inner)
        return inner

    @property
    def computed(self) -> set[Variable]:
        """What the nodes compute."""
        return {v for node in self.nodes for v in node.outputs}

    def emit_all(self) -> None:
        """Emit a body."""
        outer, self.low.is_free = self.low.is_free, self._is_free
        for unit in self.units:
            self._emit(unit)
        self.low.is_free = outer

    # roots and analysis -------------------------------------------------------------------------

    def _roots(self) -> None:
        for index, variable in enumerate(self.inputs):
            self._root(variable)
            self.low.param(variable, "input", index)
        known = set(self.inputs)
        found = [v for v in traverse.roots(self.targets, known) if v not in known]
        for variable in [*found, *(s for s, _ in self.updates)]:
            if variable in known:
                continue
            known.add(variable)
            self._root(variable)
            if isinstance(variable, SharedVariable):
                self.shared.append(variable)
                self.low.param(variable, "shared", len(self.shared) - 1)
            elif not isinstance(variable, Constant):
                raise CannotLower(f"{variable} is neither an input nor has it a value")

    def _root(self, variable: Variable) -> None:
        if is_array(variable):
            self.sizes.add_root(variable)

    def _kind(self, node: Apply) -> str:
        nested = _NESTED.get(getattr(node.op, "lowering", ""))
        if nested is not None:
            return node.op.lowering if self.native and nested(node) else "python"
        if not all(map(is_array, node.inputs)) or not all(map(is_array, node.outputs)):
            return "python"
        if isinstance(node.op, DimShuffle) and self.native:
            return "look through"
        kind = getattr(node.op, "lowering", "python") if self.native else "python"
        if kind == "call":
            return "call" if calls.callable_natively(node) else "python"
        if kind == "map" and all(v.type.ndim == 0 for v in (*node.inputs, *node.outputs)):
            return "scalar"
        if kind in ("scatter", "update_view"):
            return kind if scatter.supported(node) else "python"
        known = ("map", "reduce", "view", "reshape", "shape", "step")
        return kind if kind in known else "python"

    def _analyse(self, node: Apply) -> None:
        kind = self.kinds[node] = self._kind(node)
        self.sizes.add_node(node, known=kind != "python")
        for first, i, second, j in calls.extents_that_agree(node) if kind == "call" else ():
            a, b = (self.sizes.dims[node.inputs[first]][i], self.sizes.dims[node.inputs[second]][j])
            self.sizes.unify(node, a, b)
        if kind == "map" and not isinstance(node.op, Elemwise):
            self._align(node)
        if kind != "look through":
            self.grouping.add(node, kind, self.fuse)

    def _align(self, node: Apply) -> None:
        """Demand that inputs have the extents of the result's dimensions that they follow."""
        result = self.sizes.dims[node.outputs[0]]
        for use in uses_of(node):
            dims = self.sizes.dims[node.inputs[use.position]]
            for atom, axis in zip(dims, use.align, strict=True):
                if axis is not None:
                    self.sizes.unify(node, atom, result[axis])

    def _bases(self, node: Apply) -> list[Variable]:
        if self.kinds[node] in ("map", "reduce"):
            numbers = [v for v in map(_below, node.inputs) if v.type.ndim == 0]
            return [use.base for use in uses_of(node)] + numbers
        if self.kinds[node] == "look through":
            return []
        return [resolve(v, fills=False)[0] for v in node.inputs]

    # results ------------------------------------------------------------------------------------

    def _plan_results(self, schedule: Sequence[Unit]) -> set[Unit]:
        used = [resolve(v, fills=False)[0] for v in self.targets]
        self.target_bases = set(used)
        self.low.is_free = self._is_free
        late: set[Unit] = set()
        if self.donate and self.native:
            for shared, update, unit in donate.donations(self):
                self.low.donations[update] = self.low.arrays[shared]
                late.add(unit)
        for variable in self.targets:
            array = variable.owner is not None and is_array(variable)
            if array and variable not in self.low.donations:
                self.low.places[variable] = "output"
                self._place_chain(variable)
        return late

    def _place_chain(self, variable: Variable) -> None:
        node = variable.owner
        while node is not None and self.kinds.get(node) in ("scatter", "update_view", "call"):
            first = node.inputs[0]
            fresh = self.kinds[node] == "call" and type(node.op).__name__ not in ACCUMULATE
            if fresh or not self._is_free_statically(first):
                return
            self.low.places[first] = "output"
            node = first.owner

    def _is_free_statically(self, variable: Variable) -> bool:
        node = variable.owner
        return (
            node is not None
            and self.kinds[node] in ("map", "reduce", "call", "scatter", "update_view")
            and len(self.clients.get(variable, ())) == 1
            and variable not in self.target_bases
        )

    def _is_free(self, variable: Variable) -> bool:
        return self._is_free_statically(variable) and variable in self.low.arrays

    def _result(self, kind: str, index: int, variable: Variable, late: set[Unit]) -> Any:
        node = resolve(variable, fills=False)[0].owner
        if node is not None and node in self.grouping.unit_of:
            unit = self.grouping.unit_of[node].find()
            if unit in late:
                return None
        return pg.Result(kind, index, self._own(variable))

    def _own_objects(self) -> None:
        """Objects of their own for all results that are no arrays, before anything is stored."""
        low = self.low
        wanted: list[tuple[Variable, Variable | None]] = [
            (v, None) for v in self.outputs if not is_array(v)
        ]
        wanted += [(v, cell) for cell, v in self.updates if v is not cell and not is_array(v)]
        if not wanted:
            return
        names = [low.array(variable) for variable, _ in wanted]
        if not all(calls.gives_fresh(variable) for variable, _ in wanted) or (
            len(set(names)) < len(names)
        ):
            known = [p.name for p in low.params]
            cells = [None if c is None else known.index(low.array(c)) for _, c in wanted]
            names = calls.fresh(low, known, names, cells)
        for (variable, _), name in zip(wanted, names, strict=True):
            self._objects.setdefault(variable, []).insert(0, name)

    def _own(self, variable: Variable) -> str:
        """An array of its own for a result; a copy where the variable's array is not."""
        low = self.low
        if not is_array(variable):
            return self._objects[variable].pop()
        name = low.array(variable)
        if low.place_of.get(name) == "output" and name not in self._claimed:
            self._claimed.add(name)
            return name
        fresh = low.allocate(variable.type.dtype, low.sizes.dims[variable], "output")
        if _is_turned(variable):
            low.add(pg.Call("copy", (fresh, name), ()))
        else:
            low.copy(name, fresh)
        self._claimed.add(fresh)
        return fresh

    def _results(self, early: Sequence[Any], late: set[Unit]) -> list[pg.Result]:
        results = [
            r if r is not None else pg.Result("output", i, self._own(self.outputs[i]))
            for i, r in enumerate(early)
        ]
        cells = {s: i for i, s in enumerate(self.shared)}
        for shared, update in self.updates:
            if update in self.low.donations:
                results.append(pg.Result("update", cells[shared], self.low.arrays[update], True))
            elif update is not shared:
                results.append(pg.Result("update", cells[shared], self._own(update)))
        return results

    # emission -----------------------------------------------------------------------------------

    def _emit(self, unit: Unit) -> None:
        outer, self.low.origin = self.low.origin, tuple(unit.nodes)
        self._emit_unit(unit)
        self.low.origin = outer

    def _emit_unit(self, unit: Unit) -> None:
        node = unit.nodes[0]
        kind = self.kinds[node]
        done = node.outputs[0] in self.low.arrays and node not in self.low.joins
        if kind == "step" and done:
            return  # a loop's buffer holds it
        if kind == "python":
            calls.python(self.low, node)
        for member in unit.nodes:
            self.low.demand(member)
        if unit.group is not None:
            self._emit_kernel(unit)
        elif kind != "python":
            _EMIT.get(kind, _emit_array)(self, node)

    def _emit_kernel(self, unit: Unit) -> None:
        inside = set(unit.nodes)
        if any(self.low.scattered.get(v) is unit for node in unit.nodes for v in node.outputs):
            return  # the scatter that reads it computes it
        results = [
            output
            for node in unit.nodes
            for output in node.outputs
            if output in self.target_bases
            or any(client not in inside for client in self.clients.get(output, ()))
        ]
        if not results:
            return
        self._guard_empty(unit)
        scatter.guard_gathers(self.low, unit.nodes)
        joins.prepare(self, results)
        Emission(self.low, unit, results).build()

    def _guard_empty(self, unit: Unit) -> None:
        assert unit.group is not None
        needs = [n for n in unit.nodes if self.kinds[n] == "reduce" and n.op.kind in
                 ("max", "min", "argmax", "argmin")]  # fmt: skip
        if needs:
            for axis in unit.group.inner:
                some = self.low.let("gt", self.low.size(unit.group.axes[axis]), 0)
                self.low.check(some, f"{needs[0].op}: zero-size array has no identity")


def _is_turned(variable: Variable) -> bool:
    """Whether a value is another one with its axes in another order."""
    node = variable.owner
    if node is None or not isinstance(node.op, DimShuffle):
        return False
    kept = [d for d in node.op.new_order if d != "x"]
    return kept != sorted(kept)


# Ops with graphs inside, and whether those can be lowered.
_NESTED: dict[str, Callable[[Apply], bool]] = {"branch": branch.supported, "loop": loop.supported}


def _emit_number(lowering: Lowering, node: Apply) -> None:
    lowering.low.scalar(node.outputs[0])


def _emit_array(lowering: Lowering, node: Apply) -> None:
    lowering.low.array(node.outputs[0])


_EMIT: dict[str, Callable[[Lowering, Apply], None]] = {
    "scalar": _emit_number,
    "shape": _emit_number,
    "call": lambda lowering, node: calls.CALLS[type(node.op).__name__](lowering.low, node),
    "scatter": lambda lowering, node: scatter.SCATTERS["scatter"](lowering.low, node),
    "update_view": lambda lowering, node: scatter.SCATTERS["update_view"](lowering.low, node),
    "step": lambda lowering, node: node.op.lower(node, lowering.low),
    "branch": branch.lower_branch,
    "loop": loop.lower_loop,
}
