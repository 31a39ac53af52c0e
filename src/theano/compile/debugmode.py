"""DebugMode: each call is computed as written, as rewritten and as compiled, and compared."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from theano.compile.debug_checks import (
    BadDestroyMap,
    BadOptimization,
    BadThunkOutput,
    BadViewMap,
    DebugModeError,
    InvalidValueError,
    StochasticOrder,
    Watch,
    compare,
)
from theano.compile.io import In, Out
from theano.compile.mode import Mode
from theano.compile.reference import Reference, Step
from theano.core.config import config
from theano.graph.nodes import Variable
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType
from theano.graph.text import listing
from theano.rewrite import engine

__all__ = [
    "BadDestroyMap", "BadOptimization", "BadThunkOutput", "BadViewMap", "DebugMode",
    "DebugModeError", "InvalidValueError", "StochasticOrder",
]  # fmt: skip


class DebugMode(Mode):
    """Slow and suspicious; raises a DebugModeError that names the node and where it was written.

    Every node of the graph as written is run and checked, in bodies of loops and branches too: what
    it puts out, what it does to its inputs, which memory its results share. Then the rewritten
    graph is run node by node in NumPy and natively, and every result compared.

    Parameters
    ----------
    optimizer, linker : as for Mode.
    stability_patience : rewrite so often and compare (``config.DebugMode.patience``).
    check_c_code : compare compiled code with the reference (``config.DebugMode.check_c``).
    check_py_code : check each op's ``perform`` (``config.DebugMode.check_py``).
    check_isfinite : refuse nan and infinities (``config.DebugMode.check_finite``).
    check_preallocated_output : kinds of old memory to let ``perform`` reuse, of
        ``config.DebugMode.check_preallocated_output``, as a string with ":" or a sequence.
    require_matching_strides : 0, 1 (warn) or 2 (raise) where compiled code gives other strides
        (``config.DebugMode.check_strides``).
    """

    direct = False

    def __init__(
        self,
        optimizer: Any = "default",
        stability_patience: int | None = None,
        check_c_code: bool | None = None,
        check_py_code: bool | None = None,
        check_isfinite: bool | None = None,
        check_preallocated_output: Any = None,
        require_matching_strides: Any = None,
        linker: Any = None,
    ) -> None:
        flags = config.DebugMode
        self.stability_patience = _first(stability_patience, flags.patience)
        self.check_c_code = _first(check_c_code, flags.check_c)
        self.check_py_code = _first(check_py_code, flags.check_py)
        self.check_isfinite = _first(check_isfinite, flags.check_finite)
        kinds = _first(check_preallocated_output, flags.check_preallocated_output)
        self.check_preallocated_output = (
            [kind for kind in kinds.split(":") if kind] if isinstance(kinds, str) else list(kinds)
        )
        self.require_matching_strides = int(_first(require_matching_strides, flags.check_strides))
        super().__init__(linker, optimizer)

    def after_make(self, function: Any) -> None:
        """Put the comparison around each run."""
        Debugged(self, function)


def _first(given: Any, flag: Any) -> Any:
    return flag if given is None else given


class Debugged:
    """The runner of a function under DebugMode."""

    def __init__(self, mode: DebugMode, function: Any) -> None:
        self.mode = mode
        self.function = function
        self.run = function._run
        maker = function.maker
        inputs = maker.variables + maker.cells
        watch = Watch(mode)
        before, after = (watch.before, watch.after) if mode.check_py_code else (None, None)
        written = maker.results + [value for _, value in maker.updates]
        self.written = Reference(inputs, written, True, before, after)
        self.nodes = Reference(inputs, maker.fgraph.outputs).steps
        self.between = [v for v in _unique(self.nodes) if isinstance(v.type, TensorType)]
        self.rewritten = Reference(inputs, [*maker.fgraph.outputs, *self.between], gc=False)
        self.native = self._native() if mode.check_c_code and function.native else None
        _rewrite_again(mode.stability_patience, maker, written)
        function._run = self

    def _native(self) -> Callable[..., Any] | None:
        """A compiled function that gives every result on the way; nothing is stored."""
        from theano.compile.maker import FunctionMaker

        maker = self.function.maker
        if not self.between:
            return None
        inputs = [In(v) for v in maker.variables]
        inputs += [
            In(v, value=v.container, borrow=True, implicit=True, shared=True)
            for v in maker.cells if isinstance(v, SharedVariable)
        ]  # fmt: skip
        probe = FunctionMaker(
            inputs, [Out(v) for v in self.between], mode=Mode(self.mode.linker, None),
            on_unused_input="ignore", name="DebugMode", profile=False,
        )  # fmt: skip
        made: Callable[..., Any] = probe.create()
        return made

    def __call__(self, values: Sequence[Any]) -> list[Any]:
        function = self.function
        cells = function._cells
        given = [*values, *(cell[0] for cell in cells)]
        targets = self.written.outputs
        free = [_is_free(v) for v in targets]
        expected = self.written(copy.deepcopy(given))
        got = self.rewritten(copy.deepcopy(given))
        for variable, a, b, skip in zip(targets, expected, got, free, strict=False):
            if not skip:
                compare(variable, a, b, BadOptimization, "after rewriting")
        if self.native is not None:
            self._compare_nodes(got[len(targets) :], self.native(*copy.deepcopy(list(values))))
        results: list[Any] = self.run(values)
        if self.mode.check_c_code:
            stored = [cells[i][0] for i in function.maker.update_cells]
            given = [*results, *stored]
            for variable, a, b, skip in zip(targets, expected, given, free, strict=True):
                if not skip:
                    compare(variable, a, b, BadThunkOutput, "from compiled code")
        return results

    def _compare_nodes(self, reference: Sequence[Any], native: Sequence[Any]) -> None:
        strides = self.mode.require_matching_strides
        for variable, a, b in zip(self.between, reference, native, strict=True):
            compare(variable, a, b, BadThunkOutput, "from compiled code", strides)


#: Ops whose results are not unique: signs of vectors, the order of equal values, empty memory.
_FREE = frozenset({
    "AllocEmpty", "Eig", "Eigh", "EighPython", "QRFull", "QRIncomplete", "QRPython", "SVD",
    "SVDPython",
})  # fmt: skip


def _is_free(variable: Variable) -> bool:
    return variable.owner is not None and type(variable.owner.op).__name__ in _FREE


def _unique(steps: Sequence[Step]) -> list[Variable]:
    """The variables that do not depend on results that are not unique."""
    free: set[Variable] = set()
    found = []
    for step in steps:
        if any(v in free or _is_free(v) for v in (*step.node.inputs, *step.node.outputs[:1])):
            free.update(step.node.outputs)
        else:
            found.extend(step.node.outputs)
    return found


def _rewrite_again(times: int, maker: Any, written: Sequence[Variable]) -> None:
    """Rewrite the graph again and again: the result must be the same."""
    from theano.compile.maker import run_pipeline

    first = None
    for _ in range(times):
        found = run_pipeline(maker.variables, written, maker.mode, engine.Report())
        text = listing(found, maker.variables)
        first = text if first is None else first
        if text != first:
            raise StochasticOrder(
                f"Rewriting the same graph twice gave different graphs:\n{first}\nand\n{text}"
            )
