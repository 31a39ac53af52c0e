"""A function's graph to a Program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.lower import calls, donate, memory, scatter
from theano.lower import program as pg
from theano.lower.context import NATIVE_DTYPES, CannotLower, Context
from theano.lower.group import CyclicGroupsError, Grouping, Unit
from theano.lower.kernels import Emission
from theano.lower.sizes import Sizes
from theano.lower.uses import resolve, uses_of
from theano.ops.elemwise import Elemwise
from theano.ops.shape import DimShuffle


@dataclass(frozen=True)
class Lowered:
    """A Program and the shared variables behind its cells, in order; ``notes`` for explain."""

    program: pg.Program
    shared: tuple[SharedVariable, ...]
    notes: tuple[str, ...] = field(default=())


def lower_function(
    inputs: Sequence[Variable],
    outputs: Sequence[Variable],
    updates: Sequence[tuple[SharedVariable, Variable]] = (),
    *,
    fuse: bool = True,
    native: bool = True,
    donate: bool = True,
    name: str = "f",
) -> Lowered:
    """Lower the graph from ``inputs`` to ``outputs`` and ``updates``.

    ``fuse`` False: one kernel per node. ``native`` False: every node is a Python step. ``donate``
    False: updates never reuse the storage of the shared variable. Raises CannotLower where a
    Program cannot hold the graph.
    """
    try:
        return Lowering(inputs, outputs, updates, fuse, native, donate).run(name)
    except CyclicGroupsError:
        return Lowering(inputs, outputs, updates, False, native, donate).run(name)


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
    ) -> None:
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.updates = list(updates)
        self.fuse, self.native, self.donate = fuse, native, donate
        self.targets = self.outputs + [u for _, u in self.updates]
        self.nodes = traverse.toposort(self.targets, self.inputs)
        self.sizes = Sizes()
        self.low = Context(self.sizes)
        self.kinds: dict[Apply, str] = {}
        self.grouping = Grouping(self.sizes)
        self.shared: list[SharedVariable] = []
        self.clients: dict[Variable, list[Apply]] = {}
        self.target_bases: set[Variable] = set()
        self._claimed: set[str] = set()

    def run(self, name: str) -> Lowered:
        """All of it, in order."""
        self._roots()
        for node in self.nodes:
            self._analyse(node)
        if self.fuse:
            self.grouping.merge_siblings()
        for node in self.nodes:
            for use in self._bases(node):
                self.clients.setdefault(use, []).append(node)
        schedule = self.grouping.schedule()
        late = self._plan_results(schedule)
        for unit in schedule:
            if unit not in late:
                self._emit(unit)
        early = [self._result("output", i, v, late) for i, v in enumerate(self.outputs)]
        for unit in schedule:
            if unit in late:
                self._emit(unit)
        results = self._results(early, late)
        self.low.flush()
        params = tuple(self.low.params)
        ordered = donate.writes_last(self.low.steps, set(self.low.donations.values()))
        needed = memory.remove_dead(ordered, results, params)
        steps, slots = memory.assign_slots(memory.write_over(needed, results), results)
        program = pg.Program(
            name, params, steps, tuple(results), slots,
            tuple(self.low.constants), tuple(self.low.callables),
        )  # fmt: skip
        return Lowered(program, tuple(self.shared))

    # roots and analysis -------------------------------------------------------------------------

    def _roots(self) -> None:
        for index, variable in enumerate(self.inputs):
            self._tensor(variable)
            self.sizes.add_root(variable)
            self.low.param(variable, "input", index)
        known = set(self.inputs)
        found = [v for v in traverse.roots(self.targets, known) if v not in known]
        for variable in [*found, *(s for s, _ in self.updates)]:
            if variable in known:
                continue
            known.add(variable)
            self._tensor(variable)
            self.sizes.add_root(variable)
            if isinstance(variable, SharedVariable):
                self.shared.append(variable)
                self.low.param(variable, "shared", len(self.shared) - 1)
            elif not isinstance(variable, Constant):
                raise CannotLower(f"{variable} is neither an input nor has it a value")

    @staticmethod
    def _tensor(variable: Variable) -> None:
        if not isinstance(variable.type, TensorType):
            raise CannotLower(f"{variable} of type {variable.type} is not an array")

    def _kind(self, node: Apply) -> str:
        for variable in (*node.inputs, *node.outputs):
            self._tensor(variable)
        if isinstance(node.op, DimShuffle) and self.native:
            return "look through"
        kind = getattr(node.op, "lowering", "python") if self.native else "python"
        dtypes = {v.type.dtype for v in (*node.inputs, *node.outputs)}
        if not dtypes <= NATIVE_DTYPES:
            return "python"
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
            if variable.owner is not None and variable not in self.low.donations:
                self.low.places[variable] = "output"
                self._place_chain(variable)
        return late

    def _place_chain(self, variable: Variable) -> None:
        node = variable.owner
        while node is not None and self.kinds.get(node) in ("scatter", "update_view", "call"):
            first = node.inputs[0]
            if type(node.op).__name__ == "Dot" or not self._is_free_statically(first):
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

    def _own(self, variable: Variable) -> str:
        """An array of its own for a result; a copy where the variable's array is not."""
        low = self.low
        name = low.array(variable)
        if low.place_of.get(name) == "output" and name not in self._claimed:
            self._claimed.add(name)
            return name
        fresh = low.allocate(variable.type.dtype, low.sizes.dims[variable], "output")
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
        node = unit.nodes[0]
        kind = self.kinds[node]
        if kind == "python":
            calls.python(self.low, node)
        for member in unit.nodes:
            self.low.demand(member)
        if unit.group is not None:
            self._emit_kernel(unit)
        elif kind == "scalar":
            self.low.scalar(node.outputs[0])
        elif kind == "call":
            calls.CALLS[type(node.op).__name__](self.low, node)
        elif kind in ("scatter", "update_view"):
            scatter.SCATTERS[kind](self.low, node)
        elif kind == "step":
            node.op.lower(node, self.low)
        elif kind == "shape":
            self.low.scalar(node.outputs[0])
        elif kind != "python":
            self.low.array(node.outputs[0])

    def _emit_kernel(self, unit: Unit) -> None:
        inside = set(unit.nodes)
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
        Emission(self.low, unit, results).build()

    def _guard_empty(self, unit: Unit) -> None:
        assert unit.group is not None
        needs = [n for n in unit.nodes if self.kinds[n] == "reduce" and n.op.kind in
                 ("max", "min", "argmax", "argmin")]  # fmt: skip
        if needs:
            for axis in unit.group.inner:
                some = self.low.let("gt", self.low.size(unit.group.axes[axis]), 0)
                self.low.check(some, f"{needs[0].op}: zero-size array has no identity")
