"""Function: what ``theano.function`` returns."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import numpy as np

from theano.compile.errors import created_at
from theano.compile.extents import Extents
from theano.compile.pickling import dump
from theano.compile.reference import Reference
from theano.core.aliasing import Fresh
from theano.graph.nodes import Variable
from theano.graph.shared import Container, SharedVariable
from theano.graph.tensor_type import TensorType

AMBIGUOUS = object()


class Function:
    """A compiled graph. Call it with values by position, or by the names of the inputs.

    ``maker.fgraph`` is the graph that is run; ``f[var]`` is the current value of an input or shared
    variable; ``f.copy`` makes variants without compiling again.
    """

    trust_input: bool

    def __init__(self, maker: Any, containers: Sequence[Container]) -> None:
        self.maker = maker
        self.name: str | None = maker.name
        self.profile = maker.profile
        self.trust_input = False
        self.input_storage = list(containers)
        self.output_storage: list[list[Any]] = [[None] for _ in maker.outputs]
        self.unpack_single: bool = maker.unpack_single
        self.output_keys = maker.output_keys
        self.nodes_with_inner_function: list[Any] = []
        self.indices = [(x, [i], [x]) for i, x in enumerate(maker.inputs)]
        self._bind_inputs()
        by_input = {id(x): c for x, c in zip(maker.inputs, containers, strict=True)}
        self._cells = [by_input[id(x)].storage for x in maker.states]
        self._cells += [cell.container.storage for cell in maker.cells[len(maker.states) :]]
        self._own_lock = threading.RLock()
        self._active = threading.local()
        self._reference_graph: Reference | None = None
        self._extents: Extents | None = None
        self._run = self._run_reference
        self.native: Any = None

    @property
    def program(self) -> Any:
        """The Program that is run; None where the graph is run op by op."""
        return None if self.maker.lowered is None else self.maker.lowered.program

    # ---- names, containers, values

    def _bind_inputs(self) -> None:
        """Which inputs a caller may give, and how each is found."""
        maker = self.maker
        self._callable = [
            i for i, x in enumerate(maker.inputs) if not x.implicit and not getattr(x, "shared", 0)
        ]
        explicit = {id(x) for x in maker.explicit}
        self._plain = [i for i, x in enumerate(maker.inputs) if id(x) in explicit]
        # required, restored after each call, default
        self.defaults = []
        self.finder: dict[Any, Any] = {}
        for i, (x, container) in enumerate(zip(maker.inputs, self.input_storage, strict=True)):
            state = id(x) not in explicit
            default = container.storage[0]
            self.defaults.append((default is None and not state, not state, default))
            for key in {i, x, x.variable, x.name} - {None}:
                self.finder[key] = AMBIGUOUS if key in self.finder else container
        self._positions = {x.name: i for i, x in enumerate(maker.inputs)
                           if x.name is not None and i in set(self._callable)}  # fmt: skip

    @property
    def container(self) -> _Containers:
        """Containers by variable, name or position."""
        return _Containers(self)

    @property
    def value(self) -> _Values:
        """Current values by variable, name or position; assignable."""
        return _Values(self)

    def _find(self, key: Any) -> Container:
        found = self.finder.get(key)
        if found is None:
            raise TypeError(f"Unknown input or state: {key!s}")
        if found is AMBIGUOUS:
            raise TypeError(
                f"Ambiguous name: {key!s} - please check the names of the inputs of your function "
                "for duplicates."
            )
        return found  # type: ignore[no-any-return]

    def __getitem__(self, key: Any) -> Any:
        return self._find(key).data

    def __setitem__(self, key: Any, value: Any) -> None:
        self._find(key).data = copy.deepcopy(value)

    def __contains__(self, key: Any) -> bool:
        return key in self.finder

    # ---- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute.

        ``output_subset=[…]`` returns only these outputs (positions, or keys of a dictionary).
        Raises TypeError for missing, extra or repeated arguments and for values that do not fit.
        """
        return self._slow(*args, **kwargs)

    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """The Python path: bind and convert the arguments, run, restore the defaults."""
        subset = kwargs.pop("output_subset", None) if kwargs else None
        if subset is not None:
            subset = self._chosen(subset)
        if getattr(self._active, "on", False):
            # Native code refused values that were converted already: compute them in NumPy.
            return self._as_native(self._run_reference(args))
        given = self._bind(args, kwargs)
        with self._lock():
            undo = self._set_states(given)
            try:
                start = perf_counter()
                results = self._run([self._argument(i, given) for i in self._plain])
                if self.profile:
                    self.profile.count(perf_counter() - start)
            except BaseException:
                for cell, old in undo:
                    cell[0] = old
                raise
            finally:
                self._restore()
        return self._pack(results, subset)

    def _fail(self, step: int, *args: Any) -> Any:
        """A native step failed and nothing was stored: the reference gives the exact error."""
        with self._lock():
            return self._as_native(self._run_reference(args))

    def _as_native(self, results: list[Any]) -> Any:
        return results[0] if self.unpack_single else results

    def _lock(self) -> AbstractContextManager[Any]:
        """Calls that store something take turns."""
        return self._own_lock if self.maker.updates else nullcontext()

    def _bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[int, Any]:
        """Values by input position, converted to the types of the inputs."""
        if len(args) > len(self._callable):
            raise TypeError(
                f"Too many parameter passed to theano function {self._title()}: it takes at most "
                f"{len(self._callable)}, got {len(args)}."
            )
        given: dict[int, Any] = {}
        for i, value in zip(self._callable, args, strict=False):
            given[i] = self._filter(i, value)
        for name, value in kwargs.items():
            i = self._position(name)
            if i in given:
                raise TypeError(
                    f"Multiple values for input variable {name!r} of theano function "
                    f"{self._title()}."
                )
            given[i] = self._filter(i, value)
        for i in self._plain:
            if i not in given and self.input_storage[i].storage[0] is None:
                self._missing(i)
        return given

    def _position(self, name: str) -> int:
        found = self._positions.get(name)
        if found is None:
            raise TypeError(
                f"Unknown input or state: {name}. The theano function {self._title()} has "
                f"{len(self._positions)} named input{'s' if len(self._positions) != 1 else ''} "
                f"({', '.join(self._positions)})."
            )
        self._find(name)
        return found

    def _missing(self, i: int) -> None:
        x = self.maker.inputs[i]
        if self.defaults[i][2] is None and not _takes_none(x.variable):
            raise TypeError(
                f"Missing required input: {x.name or x.variable} (index {i}, {x.variable.type}) of "
                f"theano function {self._title()}.{created_at(x.variable)}"
            )

    def _filter(self, i: int, value: Any) -> Any:
        x = self.maker.inputs[i]
        try:
            if self.trust_input:
                return _trusted(x.variable.type, value)
            return x.variable.type.filter(value, x.strict, x.allow_downcast)
        except Exception as error:
            shown = f"input variable {x.name or x.variable} of type {x.variable.type}"
            text = (
                f"Bad input argument to theano function{self._with_name()} at index {i} (0-based): "
                f"{shown}. {error}{created_at(x.variable)}"
            )
            raise _same_error(error, text) from error

    def _with_name(self) -> str:
        return f' with name "{self.name}"' if self.name else ""

    def _title(self) -> str:
        return f'"{self.name}"' if self.name else "(unnamed)"

    def _argument(self, i: int, given: dict[int, Any]) -> Any:
        return given[i] if i in given else self.input_storage[i].storage[0]

    def _set_states(self, given: dict[int, Any]) -> list[tuple[list[Any], Any]]:
        """Store the states that the caller gave; returns what to undo if the call fails."""
        undo = []
        plain = set(self._plain)
        for i, value in given.items():
            if i not in plain:
                cell = self.input_storage[i].storage
                undo.append((cell, cell[0]))
                # Updates may be made in place: the caller's array is not ours to overwrite.
                cell[0] = copy.deepcopy(value)
        return undo

    def _restore(self) -> None:
        """Put defaults back that ``f[x] = value`` replaced for one call."""
        for i in self._plain:
            self.input_storage[i].storage[0] = self.defaults[i][2]

    def _chosen(self, subset: Any) -> list[int]:
        """The positions of the outputs that ``output_subset`` names by position or key."""
        items = list(subset) if isinstance(subset, (list, tuple)) else [subset]
        keys, count = self.output_keys or (), len(self.maker.outputs)
        found = [keys.index(k) if isinstance(k, str) and k in keys else k for k in items]
        for item in found:
            if not isinstance(item, int) or not -count <= item < count:
                raise TypeError(
                    f"output_subset of theano function {self._title()}: {item!r} is not an output: "
                    f"there are {count}{f', {list(keys)}' if keys else ''}."
                )
        return found

    def _pack(self, results: list[Any], subset: Sequence[int] | None) -> Any:
        keys = self.output_keys
        if subset is not None:
            if keys is None:
                return [results[i] for i in subset]
            return {keys[i]: results[i] for i in subset}
        if keys is not None:
            return dict(zip(keys, results, strict=True))
        return results[0] if self.unpack_single else results

    # ---- running

    def _graph(self) -> Reference:
        if self._reference_graph is None:
            compiled = self.native is not None or self.maker.mode.linker.program
            self._reference_graph = self.maker.reference(original=compiled)
            if not compiled:
                self._extents = self.maker.extents()
        return self._reference_graph

    def _run_reference(self, values: Sequence[Any]) -> list[Any]:
        """Outputs by the reference executor; stores the updates once all is computed."""
        graph = self._graph()
        old = [cell[0] for cell in self._cells]
        if self._extents is not None and self._extents.differ([*values, *old]):
            graph = self.maker.reference(original=True)  # its error tells where they are needed
        return self._commit(graph, values, old, graph([*values, *old]))

    def _commit(
        self, graph: Reference, values: Sequence[Any], old: list[Any], found: list[Any]
    ) -> list[Any]:
        """Store new values of shared variables; the outputs, sharing no memory with anything."""
        maker = self.maker
        fresh = Fresh([*values, *old, *graph.constants])
        count = len(maker.outputs)
        results = [
            fresh.take(value, out.borrow) for value, out in zip(found, maker.outputs, strict=False)
        ]
        stored = []
        for i, value in zip(maker.update_cells, found[count:], strict=True):
            stored.append((self._cells[i], value if value is old[i] else fresh.take(value)))
        for storage, value in stored:
            storage[0] = value
        return results

    def _run_native(self, values: Sequence[Any]) -> list[Any]:
        self._active.on = True
        try:
            found = self.native(*values)
        finally:
            self._active.on = False
        return [found] if self.unpack_single else list(found)

    # ---- what else scripts ask of a function

    @property
    def fn(self) -> Any:
        """Theano's view of the runner: ``nodes``, ``thunks``, ``storage_map``, ``allow_gc``."""
        graph = self._graph()
        nodes = [step.node for step in graph.steps]
        storage = {v: [None] for v in graph.numbers}
        return SimpleNamespace(
            nodes=nodes, thunks=[None] * len(nodes), storage_map=storage,
            allow_gc=self.maker.mode.linker.gc, program=self.program,
        )  # fmt: skip

    def get_shared(self) -> list[SharedVariable]:
        """The shared variables that are read or updated."""
        return list(self.maker.cells)

    def sync_shared(self) -> None:
        """Nothing to do: values on the CPU are always current."""

    def free(self) -> None:
        """Free memory kept between calls."""
        self._reference_graph = None
        if isinstance(getattr(self.native, "__self__", None), tuple):
            from theano.backends.cpu.entry import free_scratch

            free_scratch(self.native)
        self.output_storage = [[None] for _ in self.maker.outputs]

    def copy(
        self,
        share_memory: bool = False,
        swap: Any = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: Any = None,
    ) -> Function:
        """A function over the same graph, without rewriting or compiling again.

        Parameters
        ----------
        share_memory : accepted; scratch memory is private to each call.
        swap : shared variables of this function to others of exactly the same type.
        delete_updates : leave the updates out (this lowers the graph anew).
        name : by default this function's name and " copy".
        profile : as for ``theano.function``.
        """
        name = f"{self.name} copy" if name is None else name
        maker = self.maker.derive(dict(swap or {}), delete_updates, name, profile)
        made: Function = maker.create()
        made.trust_input = self.trust_input
        return made

    def __copy__(self) -> Function:
        return self.copy(name=self.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Function:
        swap = {cell: copy.deepcopy(cell, memo) for cell in self.maker.cells}
        made = self.copy(swap=swap, name=self.name)
        memo[id(self)] = made
        return made

    def __reduce__(self) -> Any:
        return dump(self)

    def __repr__(self) -> str:
        return f"<theano function {self._title()}>"


def _trusted(kind: Any, value: Any) -> Any:
    """A value that native code would not take, under ``trust_input``: only arrays are converted."""
    if isinstance(kind, TensorType):
        if not isinstance(value, (np.ndarray, np.generic)):
            raise TypeError(
                f"With trust_input=True the values must be arrays of the declared type, got "
                f"{type(value).__name__}. Convert it, or leave trust_input False."
            )
    elif kind.is_valid_value(value):
        return value
    return kind.filter(value)


def _takes_none(variable: Variable) -> bool:
    return bool(variable.type.is_valid_value(None))


def _same_error(error: Exception, text: str) -> Exception:
    try:
        return type(error)(text)
    except Exception:
        return TypeError(text)


class _Containers:
    """``f.container[key]``."""

    def __init__(self, function: Function) -> None:
        self._function = function

    def __getitem__(self, key: Any) -> Container:
        return self._function._find(key)

    def __contains__(self, key: Any) -> bool:
        return key in self._function.finder

    def __len__(self) -> int:
        return len(self._function.input_storage)


class _Values(_Containers):
    """``f.value[key]``, assignable."""

    def __getitem__(self, key: Any) -> Any:
        return self._function._find(key).data

    def __setitem__(self, key: Any, value: Any) -> None:
        self._function[key] = value
