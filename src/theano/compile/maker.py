"""FunctionMaker: graph → rewritten graph → program → Function, with a record of every stage."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from theano.compile import plan_cache
from theano.compile.callable import Function
from theano.compile.errors import created_at
from theano.compile.extents import Extents
from theano.compile.io import In, SymbolicInput, SymbolicOutput
from theano.compile.link import compile_native, link
from theano.compile.mode import Optimizer, get_mode
from theano.compile.pfunc import Rebuilder
from theano.compile.profile import profiled
from theano.compile.profile_rows import ReferenceSource
from theano.compile.reference import Reference
from theano.core import trace
from theano.core.config import config
from theano.core.errors import MissingInputError, UnusedInputError
from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.fgraph import FunctionGraph
from theano.graph.nodes import Constant, Variable
from theano.graph.shared import Container, SharedVariable, TensorSharedVariable
from theano.graph.tensor_type import TensorType
from theano.graph.text import expression
from theano.rewrite import engine, pipeline


@dataclass()
class Stage:
    """What one stage of compilation made: ``text`` is found when it is asked for."""

    name: str
    render: Callable[[], str]
    rules: tuple[Any, ...] = ()
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The stage's result as text."""
        return self.render()


@dataclass()
class Report:
    """All stages of one compilation, and notes about decisions on the way."""

    stages: list[Stage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rewrites: Any = field(default_factory=engine.Report)

    def add(
        self, name: str, render: Callable[[], str], rules: Sequence[Any] = (), seconds: float = 0.0
    ) -> None:
        """Record a stage."""
        self.stages.append(Stage(name, render, tuple(rules), seconds))


class FunctionMaker:
    """Compiles; ``create`` then binds values and makes the Function.

    Parameters
    ----------
    inputs : In objects, those of shared variables (``shared=True``) and other state included.
    outputs : one Out, or a list of them.
    mode, profile, on_unused_input, name : as for ``theano.function``.
    output_keys : for a dictionary of outputs.

    Attributes that scripts read: ``fgraph`` (the rewritten graph), ``inputs``, ``outputs``,
    ``mode``, ``report``.
    """

    def __init__(
        self,
        inputs: Sequence[Any],
        outputs: Any,
        mode: Any = None,
        accept_inplace: bool = False,
        function_builder: Any = Function,
        profile: Any = None,
        on_unused_input: str | None = None,
        fgraph: FunctionGraph | None = None,
        output_keys: list[str] | None = None,
        name: str | None = None,
    ) -> None:
        self.unpack_single = not isinstance(outputs, (list, tuple))
        several = [outputs] if self.unpack_single else list(outputs)
        self.inputs: list[Any] = [x if isinstance(x, SymbolicInput) else In(x) for x in inputs]
        self.outputs = [x if isinstance(x, SymbolicOutput) else SymbolicOutput(x) for x in several]
        self.mode = get_mode(mode)
        self.accept_inplace = accept_inplace
        self.function_builder = function_builder
        self.profile = profiled(profile, name, self.mode)
        self.on_unused_input = on_unused_input
        self.output_keys = output_keys
        self.name = name
        self._report = Report()
        start = time.perf_counter()
        self._lowered: Any = None
        self.lowered_cells: list[int] = []
        self._compiled: Any = None
        self._fgraph: FunctionGraph | None = None
        self.plan: plan_cache.Plan | None = None
        self.plan_key = ""
        self.explicit: list[Any] = [x for x in self.inputs if not _is_state(x)]
        self.states = [x for x in self.inputs if _is_state(x)]
        check_unused(self.explicit, self._wanted(), on_unused_input)
        self.cells = [_state_variable(x) for x in self.states]
        self._close()
        self._positions()
        if fgraph is None and self.profile is None:
            self.plan_key = plan_cache.key(self)
            self.plan = plan_cache.load(self.plan_key)
        if self.plan is None:
            self._rewrite(fgraph)
        self.seconds = time.perf_counter() - start

    def _wanted(self) -> list[Variable]:
        updates = [x.update for x in self.inputs if x.update is not None]
        return [out.variable for out in self.outputs] + updates

    def _close(self) -> None:
        """The user's graph in terms of explicit inputs and cells."""
        self.variables: list[Variable] = [x.variable for x in self.explicit]
        self.results = [out.variable for out in self.outputs]
        self.updates = [
            (cell, x.update)
            for cell, x in zip(self.cells, self.states, strict=True)
            if x.update is not None
        ]
        hidden = {
            x.variable: cell
            for cell, x in zip(self.cells, self.states, strict=True)
            if cell is not x.variable
        }
        if hidden:
            builder = Rebuilder(memo={**hidden, **{v: v for v in self.variables}})
            self.results = [builder(v) for v in self.results]
            self.updates = [(cell, builder(v)) for cell, v in self.updates]
        check_missing(self.variables, self.results + [v for _, v in self.updates])

    def _rewrite(self, fgraph: FunctionGraph | None) -> None:
        original = self.results + [v for _, v in self.updates]
        report = self._report
        report.add("graph", lambda: _graph_text(original))
        found = original if fgraph is None else list(fgraph.outputs)
        if fgraph is None:
            found = rewritten(self.variables, original, self.mode, report)
        known = set(self.cells)
        self.cells += [
            root
            for root in traverse.roots(found, self.variables)
            if isinstance(root, SharedVariable) and root not in known
        ]
        self._positions()
        mapping = {
            len(self.results) + i: len(self.variables) + position
            for i, position in enumerate(self.update_cells)
        }
        self._fgraph = FunctionGraph(
            [*self.variables, *self.cells], found, clone=False, update_mapping=mapping
        )

    def _positions(self) -> None:
        positions = {cell: i for i, cell in enumerate(self.cells)}
        self.update_cells = [positions[cell] for cell, _ in self.updates]

    # what a function from the disk cache does not need to run is made when it is asked for

    @property
    def fgraph(self) -> FunctionGraph:
        """The rewritten graph."""
        if self._fgraph is None:
            self._rewrite(None)
        assert self._fgraph is not None
        return self._fgraph

    @property
    def report(self) -> Report:
        """What each stage made."""
        self._complete()
        return self._report

    @property
    def lowered(self) -> Any:
        """The Program with its shared variables; None where the graph is run op by op."""
        self._complete()
        return self._lowered

    @lowered.setter
    def lowered(self, value: Any) -> None:
        self._lowered = value

    @property
    def compiled(self) -> Any:
        """The native code; None where there is none."""
        self._complete()
        return self._compiled

    @compiled.setter
    def compiled(self, value: Any) -> None:
        self._compiled = value

    def _complete(self) -> None:
        """Do all that a plan from the disk cache made unnecessary so far."""
        if self.plan is not None and self._compiled is None:
            plan, self.plan = self.plan, None
            try:
                _ = self.fgraph
                compile_native(self)
            finally:
                self.plan = plan

    @property
    def timed(self) -> bool:
        """Whether every step is timed."""
        return self.profile is not None and self.profile.times_steps

    def derive(
        self, swap: dict[Any, Any], delete_updates: bool, name: str | None, profile: Any
    ) -> FunctionMaker:
        """A maker of the same graph over other shared variables, or without updates."""
        for old, new in swap.items():
            if old not in self.cells:
                raise ValueError(f"swap: {old} is not a shared variable of this function.")
            if not isinstance(new, SharedVariable) or new.type != old.type:
                raise TypeError(
                    f"swap: {old} of type {old.type} cannot be replaced by {new} of type "
                    f"{getattr(new, 'type', type(new))}: the types must be identical."
                )
        outputs = self.fgraph.outputs
        _ = self.report
        other = copy.copy(self)
        other.name, other.profile = name, profiled(profile, name, self.mode)
        other.inputs = [_swapped(x, swap, delete_updates) for x in self.inputs]
        fresh = dict(zip(map(id, self.inputs), other.inputs, strict=True))
        other.explicit = [fresh[id(x)] for x in self.explicit]
        other.states = [fresh[id(x)] for x in self.states]
        cells = [swap.get(cell, cell) for cell in self.cells]
        for i, (x, cell) in enumerate(zip(other.states, self.cells, strict=False)):
            if x.variable is not cell and not isinstance(x.variable, SharedVariable):
                cells[i] = swap.get(cell) or _copied_state(cell)
                x.value = cells[i].container
        other.cells = cells
        fresh_cell: dict[Any, Any] = dict(zip(self.cells, cells, strict=True))
        builder = Rebuilder(memo=dict(fresh_cell))
        results = [builder(v) for v in self.results]
        outputs = [builder(v) for v in outputs]
        updates = [] if delete_updates else self.updates
        other.results = results
        other.updates = [(fresh_cell[cell], builder(v)) for cell, v in updates]
        other.update_cells = self.update_cells[: len(updates)]
        if delete_updates or len(set(other.cells)) < len(other.cells):
            other.lowered = other.compiled = other.plan = None
        if other.timed != self.timed:
            other.compiled = other.plan = None
        if delete_updates:
            outputs = outputs[: len(results)]
        other.plan_key = ""
        other._fgraph = FunctionGraph([*self.variables, *other.cells], outputs, clone=False)
        return other

    # the two halves of the rewritten graph

    @property
    def rewritten_outputs(self) -> list[Variable]:
        """The rewritten outputs, without the updates."""
        return self.fgraph.outputs[: len(self.results)]

    @property
    def rewritten_updates(self) -> list[tuple[SharedVariable, Variable]]:
        """The rewritten updates."""
        new = self.fgraph.outputs[len(self.results) :]
        return [(cell, value) for (cell, _), value in zip(self.updates, new, strict=True)]

    def extents(self) -> Extents:
        """What the graph as it was written demands of the extents of inputs and cells."""
        written = self.results + [v for _, v in self.updates]
        return Extents(written, [*self.variables, *self.cells])

    def reference(self, original: bool = False) -> Reference:
        """An executor of the graph (the rewritten one unless ``original``) through ``perform``."""
        graph = self.results + [v for _, v in self.updates] if original else self.fgraph.outputs
        before, after = self.mode.watchers(self)
        if self.profile is not None and self.timed:
            source = ReferenceSource()
            self.profile.sources.append(source)
            before, after = source.around(before, after)
        return Reference([*self.variables, *self.cells], graph, self.mode.linker.gc, before, after)

    def create(
        self, input_storage: Any = None, trustme: bool = False, storage_map: Any = None
    ) -> Any:
        """A Function with values bound; ``input_storage`` replaces the values of all inputs."""
        containers = self._containers(input_storage)
        made = self.function_builder(self, containers)
        start = time.perf_counter()
        link(made)
        if self.profile:
            self.profile.compiled(self.seconds + time.perf_counter() - start, self.report)
        self.mode.after_make(made)
        return made

    def _containers(self, given: Any) -> list[Container]:
        values = [x.value for x in self.inputs] if given is None else list(given)
        found = []
        cells = dict(zip((id(x) for x in self.states), self.cells, strict=False))
        for x, value in zip(self.inputs, values, strict=True):
            if id(x) in cells and given is None:
                found.append(cells[id(x)].container)
            elif isinstance(value, Container):
                found.append(value)
            else:
                found.append(
                    Container(x.variable.type, [value], x.strict, x.allow_downcast, x.name)
                )
        return found


def _swapped(x: Any, swap: dict[Any, Any], delete_updates: bool) -> Any:
    """A copy of an input of the function for a copy of the function."""
    other = copy.copy(x)
    if x.variable in swap:
        other.variable = swap[x.variable]
        other.value = other.variable.container
    if delete_updates:
        other.update = None
    return other


def _copied_state(cell: SharedVariable) -> SharedVariable:
    other = cell.clone()
    other.container = copy.deepcopy(cell.container)
    return other


def _is_state(x: Any) -> bool:
    """Whether the value of an input lives between calls."""
    return bool(getattr(x, "shared", False) or x.update is not None or isinstance(
        getattr(x, "value", None), Container))  # fmt: skip


def _state_variable(x: Any) -> SharedVariable:
    """The shared variable that stands for a state input: itself, or a hidden one."""
    if isinstance(x.variable, SharedVariable):
        return x.variable
    container = x.value
    if not isinstance(container, Container):
        container = Container(x.variable.type, [x.value], x.strict, x.allow_downcast, x.name)
    kind = TensorSharedVariable if isinstance(x.variable.type, TensorType) else SharedVariable
    return kind(x.name, x.variable.type, None, container=container)


def check_unused(inputs: Sequence[Any], wanted: Sequence[Variable], action: str | None) -> None:
    """Complain about inputs that no output or update needs, as ``on_unused_input`` says."""
    action = config.on_unused_input if action is None else action
    if action not in ("raise", "warn", "ignore"):
        raise ValueError(
            f"Invalid value for keyword on_unused_input of theano.function: {action!r}. Valid "
            "values are 'raise', 'warn' and 'ignore'."
        )
    variables = [x.variable for x in inputs]
    if action == "ignore" or not variables:
        return
    used = set(traverse.ancestors(wanted, variables))
    for index, variable in enumerate(variables):
        if variable in used:
            continue
        text = (
            "theano.function was asked to create a function computing outputs given certain "
            f"inputs, but the provided input variable at index {index} is not part of the "
            f"computational graph needed to compute the outputs: {variable} ({variable.type})."
        )
        if action == "warn":
            trace.warn(text)
            continue
        raise UnusedInputError(
            f"{text}\nTo make this error into a warning, you can pass the parameter "
            "on_unused_input='warn' to theano.function. To disable it completely, use "
            f"on_unused_input='ignore'.{created_at(variable)}"
        )


def check_missing(inputs: Sequence[Variable], wanted: Sequence[Variable]) -> None:
    """Raise MissingInputError for a root that has no value, with the place of its creation."""
    known = set(inputs)
    for root in traverse.roots(wanted, known):
        if root in known or isinstance(root, (Constant, SharedVariable)):
            continue
        position, user = _first_use(root, wanted, known)
        raise MissingInputError(
            f"Input {position} of the graph (indices start from 0), used to compute {user}, "
            f"was not provided and not given a value: {root} ({root.type}). Add it to the inputs "
            "of the function, or give it a value with `givens`. Use the Theano flag "
            f"exception_verbosity='high' for more information on this error.{created_at(root)}"
        )


def _first_use(root: Variable, wanted: Sequence[Variable], known: set[Variable]) -> tuple[int, Any]:
    for node in traverse.toposort(wanted, known):
        if root in node.inputs:
            return node.inputs.index(root), node
    return list(wanted).index(root), "an output"


def _graph_text(outputs: Sequence[Variable]) -> str:
    return "\n".join(expression(output) for output in outputs)


def rewritten(
    inputs: Sequence[Variable], outputs: Sequence[Variable], mode: Any, report: Report
) -> list[Variable]:
    """``outputs`` after the rewriting pipeline of ``mode``."""
    start = time.perf_counter()
    found = run_pipeline(inputs, outputs, mode, report.rewrites)
    report.add("rewritten", lambda: _graph_text(found), (), time.perf_counter() - start)
    return found


def run_pipeline(
    inputs: Sequence[Variable], outputs: Sequence[Variable], mode: Any, record: Any
) -> list[Variable]:
    """The pipeline that the optimizer of ``mode`` names, then rewrites registered on the mode."""
    optimizer = mode.optimizer
    found = list(outputs)
    if isinstance(optimizer, Optimizer):
        compiled = mode.linker.native or mode.linker.program
        found = pipeline.optimize(
            list(inputs),
            found,
            including=optimizer.include,
            excluding=optimizer.exclude,
            requiring=optimizer.require,
            level=optimizer.name,
            report=record,
            expand=compiled,
        )
    else:
        found = _apply_rewrite(optimizer, inputs, found)
        if mode.linker.native or mode.linker.program:  # what is only notation cannot be lowered
            found = pipeline.optimize(list(inputs), found, level=None, report=record, users=False)
    for rewrite, _ in getattr(mode, "extra", ()):
        found = _apply_rewrite(rewrite, inputs, found)
    return found


def _apply_rewrite(rewrite: Any, inputs: Sequence[Variable], outputs: list[Variable]) -> Any:
    """A user's rewrite, an object with ``optimize`` or ``apply``, on a private FunctionGraph."""
    from theano.rewrite import global_rewriters

    return global_rewriters.applied(rewrite, inputs, outputs)
