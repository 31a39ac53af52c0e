"""Rewrites of whole graphs as Theano had them: objects whose ``optimize(fgraph)`` changes a graph.

They change a FunctionGraph in place. ``applied`` runs one on a private copy, which is how functions
use those that users register.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from theano.core import trace
from theano.core.config import config
from theano.core.errors import InconsistencyError
from theano.graph import features, traverse
from theano.graph.fgraph import FunctionGraph
from theano.graph.nodes import Apply, Constant, Variable
from theano.rewrite.local_rewriters import LocalOptGroup, LocalOptimizer, looks_at

_log = logging.getLogger("theano.gof.opt")

#: graphs of fewer nodes count as having so many, where uses of a rewrite are limited
SMALL: Final = 30


def applied(rewrite: Any, inputs: Sequence[Variable], outputs: Sequence[Variable]) -> Any:
    """What ``rewrite`` (one of a graph or of nodes, or an object with ``optimize`` or ``apply``)
    makes of a graph, which it leaves alone."""
    rewrite = of_graph(rewrite)
    _, copies, _ = traverse.clone(inputs, outputs, copy_inputs=False)
    graph = FunctionGraph(inputs, copies, clone=False)
    run = getattr(rewrite, "optimize", None) or rewrite.apply
    run(graph)
    found = list(graph.outputs)
    graph.disown()
    return found


def of_graph(rewrite: Any) -> Any:
    """``rewrite`` as one of a whole graph: one of nodes is tried at each node, inputs first."""
    return in2out(rewrite) if isinstance(rewrite, LocalOptimizer) else rewrite


class Optimizer:
    """Base class: subclasses define ``apply(fgraph)``, and ``add_requirements(fgraph)``."""

    name: str | None = None

    def apply(self, fgraph: Any) -> Any:
        """Change the graph."""
        raise NotImplementedError(f"{type(self).__name__} defines no apply")

    def optimize(self, fgraph: Any, *args: Any, **kwargs: Any) -> Any:
        """Meet the requirements, then apply."""
        self.add_requirements(fgraph)
        return self.apply(fgraph, *args, **kwargs)

    def __call__(self, fgraph: Any) -> Any:
        return self.optimize(fgraph)

    def add_requirements(self, fgraph: Any) -> None:
        """Attach the features that ``apply`` uses."""
        fgraph.attach_feature(features.ReplaceValidate())

    def add(self, *_: Any) -> None:
        """Only sequences can be added to."""
        raise TypeError(f"{type(self).__name__} is no sequence of rewrites")

    def print_summary(self, stream: Any = None, level: int = 0, depth: int = -1) -> None:
        """Write what this is made of."""
        (stream or sys.stdout).write(f"{' ' * level}{self}\n")

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.name or ''}".strip()


class FromFunctionOptimizer(Optimizer):
    """What ``optimizer`` makes of a function of the graph."""

    def __init__(self, fn: Callable[[Any], Any], requirements: Sequence[Any] = ()) -> None:
        self.apply = fn  # type: ignore[method-assign, assignment]
        self.requirements = tuple(requirements)
        self.name = self.__name__ = fn.__name__
        self.__doc__ = fn.__doc__

    def add_requirements(self, fgraph: Any) -> None:
        """Let each requirement see the graph."""
        super().add_requirements(fgraph)
        for requirement in self.requirements:
            requirement(fgraph)


def optimizer(f: Callable[[Any], Any]) -> FromFunctionOptimizer:
    """Decorator: makes a rewrite of a function that changes a FunctionGraph.

    >>> import theano, theano.tensor as T
    >>> @optimizer
    ... def double(fgraph):
    ...     fgraph.replace_validate(fgraph.outputs[0], fgraph.outputs[0] * 2)
    >>> x = T.dvector("x")
    >>> f = theano.function([x], x + 1, mode=theano.Mode("py", None).register((double, 1)))
    >>> f([1.0]).tolist()
    [4.0]
    """
    return FromFunctionOptimizer(f)


def inplace_optimizer(f: Callable[[Any], Any]) -> FromFunctionOptimizer:
    """``optimizer``, for rewrites that let ops overwrite their inputs."""
    return FromFunctionOptimizer(f, (lambda g: g.attach_feature(features.DestroyHandler()),))


class SeqOptimizer(Optimizer, list[Any]):
    """Rewrites one after the other. ``failure_callback(error, self, rewrite)``: None raises."""

    def __init__(self, *opts: Any, failure_callback: Any = None, name: str | None = None,
                 **kw: Any) -> None:  # fmt: skip
        if len(opts) == 1 and isinstance(opts[0], (list, tuple)):
            opts = tuple(opts[0])
        list.__init__(self, opts)
        self.failure_callback = failure_callback
        self.name = name or kw.get("name")

    def apply(self, fgraph: Any) -> None:
        """Run all."""
        for opt in self:
            try:
                opt.optimize(fgraph)
            except AssertionError:
                raise
            except Exception as error:
                if self.failure_callback is None:
                    raise
                self.failure_callback(error, self, opt)

    def add(self, *opts: Any) -> None:
        """Append."""
        self.extend(opts)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __str__(self) -> str:
        return f"SeqOpt({', '.join(map(str, self))})"

    def print_summary(self, stream: Any = None, level: int = 0, depth: int = -1) -> None:
        """Write the names of all."""
        (stream or sys.stdout).write(f"{' ' * level}{type(self).__name__} {self.name}\n")
        for opt in self if depth else ():
            opt.print_summary(stream, level=level + 2, depth=depth - 1)


class MergeOptimizer(Optimizer):
    """Lets equal constants, and equal computations of the same variables, be one."""

    def apply(self, fgraph: Any) -> int:
        """The number of variables that were merged."""
        known: dict[Any, Any] = {}
        constants = [v for v in fgraph.variables if isinstance(v, Constant)]
        merged = 0
        for variable in constants:
            try:
                first = known.setdefault(variable.signature(), variable)
            except TypeError:
                continue
            merged += first is not variable
            fgraph.replace(variable, first, reason="merge")
        for node in fgraph.toposort():
            first = known.setdefault((node.op, *node.inputs), node)
            if first is not node:
                merged += 1
                for old, new in zip(node.outputs, first.outputs, strict=True):
                    fgraph.replace(old, new, reason="merge")
        return merged


class NavigatorOptimizer(Optimizer):
    """Base class: applies a LocalOptimizer to nodes of a graph.

    Parameters: ``ignore_newtrees`` leaves nodes alone that the rewrite itself made;
    ``failure_callback(error, self, pairs, local_opt, node)`` gets what goes wrong (None raises).
    """

    def __init__(self, local_opt: Any, ignore_newtrees: Any = "auto",
                 failure_callback: Any = None) -> None:  # fmt: skip
        self.local_opt = local_opt
        self.ignore_newtrees = ignore_newtrees is True
        self.failure_callback = failure_callback

    @staticmethod
    def warn(exc: Any, nav: Any, repl_pairs: Any, local_opt: Any, node: Any) -> None:
        """A ``failure_callback``: logs the error (or raises it, if config.on_opt_error says so)."""
        if config.on_opt_error == "ignore":
            return
        _log.error("Optimization failure due to: %s at node %s: %r", local_opt, node, exc)
        if config.on_opt_error == "raise":
            raise exc

    warn_inplace = warn
    warn_ignore = warn

    def add_requirements(self, fgraph: Any) -> None:
        """Those of the local rewrite."""
        super().add_requirements(fgraph)
        if self.local_opt is not None:
            self.local_opt.add_requirements(fgraph)

    def process_node(self, fgraph: Any, node: Apply, lopt: Any = None) -> bool:
        """Try the rewrite at ``node``; whether it changed the graph."""
        return process(fgraph, node, lopt or self.local_opt, self)

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.local_opt})"


def process(fgraph: Any, node: Apply, local_opt: Any, owner: Any = None) -> bool:
    """Try a local rewrite at a node of a graph; whether it changed the graph.

    Raises ValueError for an answer that is none; InconsistencyError of a feature refuses quietly.
    """
    if not looks_at(local_opt.tracks(), node.op):
        return False
    callback = getattr(owner, "failure_callback", None)
    try:
        found = local_opt.transform(node)
        pairs, remove = _pairs(node, found, local_opt)
        if not pairs:
            return False
        for old, new in pairs:
            copy_stack_trace(old, new)
        fgraph.replace_all_validate_remove(pairs, remove, reason=local_opt)
    except InconsistencyError:
        return False
    except Exception as error:
        if callback is None:
            raise
        callback(error, owner, [], local_opt, node)
        return False
    return True


def _pairs(node: Apply, found: Any, local_opt: Any) -> tuple[list[Any], list[Any]]:
    """What a rewrite answered, as replacements, and what must be gone afterwards."""
    if found is False or found is None:
        return [], []
    if isinstance(found, dict):
        found = dict(found)
        remove = found.pop("remove", [])
        return list(found.items()), list(remove)
    if not isinstance(found, (list, tuple)) or len(found) != len(node.outputs):
        raise ValueError(
            f"The rewrite {local_opt} returned {found!r} for {node}: None, or a list of "
            f"{len(node.outputs)} variables was expected."
        )
    pairs = [
        (old, new)
        for old, new in zip(node.outputs, found, strict=True)
        if new is not None and new is not old
    ]
    return pairs, []


class TopoOptimizer(NavigatorOptimizer):
    """Tries a local rewrite once at every node.

    Parameters: ``order`` is 'in_to_out' (inputs first) or 'out_to_in'.
    """

    def __init__(self, local_opt: Any, order: str = "in_to_out", ignore_newtrees: Any = False,
                 failure_callback: Any = None) -> None:  # fmt: skip
        if order not in ("in_to_out", "out_to_in"):
            raise ValueError(f"order must be 'in_to_out' or 'out_to_in', not {order!r}")
        self.order = order
        super().__init__(local_opt, ignore_newtrees, failure_callback)

    def apply(self, fgraph: Any, start_from: Any = None) -> bool:
        """Try each node, and each node that comes in meanwhile."""
        nodes = traverse.toposort(start_from or fgraph.outputs, fgraph.inputs)
        waiting = deque(nodes if self.order == "in_to_out" else reversed(nodes))
        changed = False
        arrivals = _Arrivals(waiting)
        if not self.ignore_newtrees:
            fgraph.attach_feature(arrivals)
        try:
            while waiting:
                node = waiting.popleft()
                if node in fgraph:
                    changed |= self.process_node(fgraph, node)
        finally:
            fgraph.remove_feature(arrivals)
        return changed


class _Arrivals(features.Feature):
    """Puts nodes that are new in the graph into a queue."""

    def __init__(self, waiting: deque[Apply]) -> None:
        self.waiting = waiting

    def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
        self.waiting.append(node)


def in2out(*local_opts: Any, name: str | None = None, **kwargs: Any) -> TopoOptimizer:
    """A TopoOptimizer of these local rewrites, inputs first."""
    return _topo("in_to_out", local_opts, name, kwargs)


def out2in(*local_opts: Any, name: str | None = None, **kwargs: Any) -> TopoOptimizer:
    """A TopoOptimizer of these local rewrites, outputs first."""
    return _topo("out_to_in", local_opts, name, kwargs)


def _topo(order: str, local_opts: Any, name: str | None, kwargs: dict[str, Any]) -> TopoOptimizer:
    (local,) = local_opts if len(local_opts) == 1 else (LocalOptGroup(*local_opts),)
    kwargs.setdefault("failure_callback", TopoOptimizer.warn)
    made = TopoOptimizer(local, order=order, **kwargs)
    made.name = name or str(local)
    return made


class OpKeyOptimizer(NavigatorOptimizer):
    """Tries a local rewrite at the nodes of the ops that its ``op_key()`` names."""

    def apply(self, fgraph: Any) -> None:
        """Try each such node, and those that come in meanwhile."""
        keys = self.local_opt.op_key() if hasattr(self.local_opt, "op_key") else None
        wanted = keys if keys is None or isinstance(keys, (list, tuple)) else [keys]
        waiting = deque(fgraph.toposort())
        arrivals = _Arrivals(waiting)
        fgraph.attach_feature(arrivals)
        try:
            while waiting:
                node = waiting.popleft()
                if node in fgraph and looks_at(wanted, node.op):
                    self.process_node(fgraph, node)
        finally:
            fgraph.remove_feature(arrivals)


class EquilibriumOptimizer(NavigatorOptimizer):
    """Applies local and global rewrites until nothing changes.

    Parameters: ``max_use_ratio`` stops after so many uses of one rewrite per node that the graph
    had at first; ``final_optimizers`` run after each round, ``cleanup_optimizers`` after global.
    """

    def __init__(
        self, optimizers: Sequence[Any], failure_callback: Any = None, ignore_newtrees: bool = True,
        tracks_on_change_inputs: bool = False, max_use_ratio: float | None = None,
        final_optimizers: Sequence[Any] = (), cleanup_optimizers: Sequence[Any] = (),
    ) -> None:  # fmt: skip
        super().__init__(None, ignore_newtrees, failure_callback)
        if max_use_ratio is None:
            raise ValueError("EquilibriumOptimizer: max_use_ratio is needed")
        self.max_use_ratio = max_use_ratio
        self.local_optimizers = [opt for opt in optimizers if isinstance(opt, LocalOptimizer)]
        self.global_optimizers = [opt for opt in optimizers if not isinstance(opt, LocalOptimizer)]
        self.final_optimizers = list(final_optimizers or ())
        self.cleanup_optimizers = list(cleanup_optimizers or ())

    def get_local_optimizers(self) -> Iterator[Any]:
        """The local ones."""
        yield from self.local_optimizers

    def add_requirements(self, fgraph: Any) -> None:
        """Those of all."""
        fgraph.attach_feature(features.ReplaceValidate())
        for opt in (*self.local_optimizers, *self.global_optimizers, *self.final_optimizers):
            opt.add_requirements(fgraph)

    def apply(self, fgraph: Any, start_from: Any = None) -> None:
        """Rewrite until nothing changes, or something was used too often (an error is logged)."""
        uses: dict[Any, int] = {}
        tracker = features.ChangeTracker()
        fgraph.attach_feature(tracker)
        limit = self.max_use_ratio * max(len(fgraph.toposort()), SMALL)
        try:
            for _ in range(int(limit) + 2):
                tracker.reset()
                for opt in self.global_optimizers:
                    opt.apply(fgraph)
                    for after in self.cleanup_optimizers if tracker.changed else ():
                        after.apply(fgraph)
                if not self._locals(fgraph, uses, limit):
                    return
                for opt in self.final_optimizers:
                    opt.apply(fgraph)
                if not tracker.changed:
                    return
            _too_often(self)
        finally:
            fgraph.remove_feature(tracker)

    def _locals(self, fgraph: Any, uses: dict[Any, int], limit: float) -> bool:
        """One round of the local rewrites; False when one was used too often."""
        for node in fgraph.toposort():
            for opt in self.local_optimizers:
                if node not in fgraph:
                    break
                if not process(fgraph, node, opt, self):
                    continue
                uses[opt] = uses.get(opt, 0) + 1
                if uses[opt] > limit:
                    _too_often(opt)
                    return False
        return True

    def __str__(self) -> str:
        return f"EquilibriumOptimizer({', '.join(map(str, self.local_optimizers))})"


def _too_often(opt: Any) -> None:
    _log.error(
        "%s was used too often for a graph of this size: it may undo what another rewrite does, or "
        "apply to its own results. The flag optdb.max_use_ratio (now %s) sets how often is too "
        "often.",
        opt, config.get("optdb.max_use_ratio"),
    )  # fmt: skip


class CheckStackTraceOptimization(Optimizer):
    """Complains, as config.check_stack_trace says, of variables that the user wrote nowhere."""

    name = "CheckStackTraceOptimization"

    def apply(self, fgraph: Any) -> None:
        """Log, warn or raise, as the flag says; 'off' does nothing."""
        action = config.check_stack_trace
        if action == "off" or check_stack_trace(fgraph):
            return
        text = "Empty stack trace! The optimization that made some variable did not copy it."
        if action == "raise":
            raise AssertionError(text)
        (trace.warn if action == "warn" else _log.warning)(text)


def copy_stack_trace(from_var: Any, to_var: Any) -> Any:
    """Let ``to_var`` (one or several) say where the user wrote ``from_var``; gives ``to_var``."""
    sources = from_var if isinstance(from_var, (list, tuple)) else [from_var]
    found = next((t for v in sources if (t := getattr(v.tag, "trace", None))), None)
    for variable in to_var if isinstance(to_var, (list, tuple)) else [to_var]:
        if found is not None and isinstance(variable, Variable) and variable.owner is not None:
            variable.tag.__dict__["trace"] = found
    return to_var


class inherit_stack_trace:
    """Context manager: what is made inside says that the user wrote it where ``from_var`` is."""

    def __init__(self, from_var: Any) -> None:
        sources = from_var if isinstance(from_var, (list, tuple)) else [from_var]
        self.trace = next((t for v in sources if (t := getattr(v.tag, "trace", None))), None)

    def __enter__(self) -> None:
        self.capture, trace.capture = trace.capture, self._inherited

    def _inherited(self, *args: Any, **kwargs: Any) -> Any:
        return self.trace

    def __exit__(self, *_: object) -> None:
        trace.capture = self.capture


def check_stack_trace(
    f_or_fgraph: Any, ops_to_check: Any = "last", bug_print: str = "raise"
) -> bool:
    """Whether the nodes of a function or graph know where the user wrote them.

    Parameters: ``ops_to_check`` is 'last' (those that compute outputs), 'all', an op, a class of
    ops, or a list of them.
    """
    graph = f_or_fgraph if hasattr(f_or_fgraph, "toposort") else f_or_fgraph.maker.fgraph
    if isinstance(ops_to_check, str):
        nodes = graph.toposort() if ops_to_check == "all" else [
            v.owner for v in graph.outputs if v.owner is not None]  # fmt: skip
    else:
        wanted = ops_to_check if isinstance(ops_to_check, (list, tuple)) else [ops_to_check]
        nodes = [node for node in graph.toposort() if looks_at(wanted, node.op)]
    return all(getattr(v.tag, "trace", None) for node in nodes for v in node.outputs)
