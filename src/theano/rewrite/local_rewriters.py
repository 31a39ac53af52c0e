"""Rewrites of users as Theano had them: objects whose ``transform(node)`` gives a replacement.

``transform`` returns False or None (nothing to do), a list with one new variable per output of the
node, or a dictionary from variables to their replacements (with the key ``"remove"`` for variables
that must not be used afterwards). Our own rules are declared in ``pattern``.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Op, Variable
from theano.graph.registry import apply


class LocalOptimizer:
    """Base class: subclasses define ``transform``, and ``tracks``: ops or their classes; None: all.

    ``add_requirements(fgraph)`` may attach features that ``transform`` uses.
    """

    name: str | None = None

    def tracks(self) -> Sequence[Any] | None:
        """The ops, or classes of ops, whose nodes are looked at."""
        return None

    def transform(self, node: Apply) -> Any:
        """What replaces the outputs of ``node``; None or False where nothing applies."""
        raise NotImplementedError(f"{type(self).__name__} defines no transform")

    def add_requirements(self, fgraph: Any) -> None:
        """Attach what ``transform`` needs."""

    def __str__(self) -> str:
        return self.name or type(self).__name__

    __repr__ = __str__

    def print_summary(self, stream: Any = None, level: int = 0, depth: int = -1) -> None:
        """Write the name of this rewrite."""
        import sys

        (stream or sys.stdout).write(f"{' ' * level}{type(self).__name__} {self.name}\n")


def looks_at(tracks: Sequence[Any] | None, op: Any) -> bool:
    """Whether ``op`` is one of ``tracks``: an op equal to it, or a class of it."""
    if tracks is None:
        return True
    return any(isinstance(op, t) if isinstance(t, type) else op == t for t in tracks)


class FromFunctionLocalOptimizer(LocalOptimizer):
    """What ``local_optimizer`` makes of a function of the node."""

    def __init__(
        self, fn: Callable[..., Any], tracks: Sequence[Any] | None = None,
        requirements: Sequence[Callable[[Any], object]] = (),
    ) -> None:  # fmt: skip
        self.fn = fn
        self.name = self.__name__ = fn.__name__
        self.__doc__ = fn.__doc__
        self._tracks = tracks
        self.requirements = tuple(requirements)
        self._pass_self = next(iter(inspect.signature(fn).parameters), "") == "self"

    def tracks(self) -> Sequence[Any] | None:
        """What ``local_optimizer`` was given."""
        return self._tracks

    def transform(self, node: Apply) -> Any:
        """The function's answer for a node of an op that is tracked."""
        if not looks_at(self._tracks, node.op):
            return False
        return self.fn(self, node) if self._pass_self else self.fn(node)

    def add_requirements(self, fgraph: Any) -> None:
        """Let each requirement see the graph."""
        for requirement in self.requirements:
            requirement(fgraph)


def local_optimizer(
    tracks: Sequence[Any] | None, inplace: bool = False,
    requirements: Sequence[Callable[[Any], object]] = (),
) -> Callable[[Callable[..., Any]], FromFunctionLocalOptimizer]:  # fmt: skip
    """Decorator: makes a rewrite of a function of the node.

    Parameters: ``tracks``, the ops or classes of ops that the function looks at (None: all). Raises
    ValueError for an empty list.

    >>> import theano, theano.tensor as T
    >>> @local_optimizer([T.log])
    ... def log_of_exp(node):
    ...     (x,) = node.inputs
    ...     return [x.owner.inputs[0]] if x.owner and x.owner.op == T.exp else False
    >>> x = T.dvector("x")
    >>> log_of_exp.transform(T.log(T.exp(x)).owner)
    [x]
    """
    if tracks is not None and len(tracks) == 0:
        raise ValueError("local_optimizer: an empty list of ops tracks nothing; None tracks all")
    if tracks is not None:
        for t in tracks:
            if not isinstance(t, Op) and not (isinstance(t, type) and issubclass(t, Op)):
                raise ValueError(f"local_optimizer: tracks holds ops and their classes, not {t!r}")
    del inplace
    return lambda fn: FromFunctionLocalOptimizer(fn, tracks, requirements)


class LocalOptGroup(LocalOptimizer):
    """Tries several rewrites at a node; the first that applies is taken.

    Parameters: ``apply_all_opts`` goes on with the result until none applies.
    """

    def __init__(self, *optimizers: Any, apply_all_opts: bool = False, profile: bool = False,
                 name: str | None = None) -> None:  # fmt: skip
        if len(optimizers) == 1 and isinstance(optimizers[0], (list, tuple)):
            optimizers = tuple(optimizers[0])
        self.opts = list(optimizers)
        self.apply_all_opts = apply_all_opts
        self.name = name or "_".join(str(opt) for opt in self.opts)

    def tracks(self) -> Sequence[Any] | None:
        """Those of all."""
        found: list[Any] = []
        for opt in self.opts:
            own = opt.tracks()
            if own is None:
                return None
            found += own
        return found

    def transform(self, node: Apply) -> Any:
        """The first answer, or with ``apply_all_opts`` that of all one after the other."""
        answer: Any = None
        for _ in range(len(self.opts) if self.apply_all_opts else 1):
            new = self._once(node)
            if not new:
                break
            answer = new
            if isinstance(new, dict) or new[0].owner is None or len(new) != new[0].owner.nout:
                break
            node = new[0].owner
        return answer

    def _once(self, node: Apply) -> Any:
        for opt in self.opts:
            if looks_at(opt.tracks(), node.op) and (new := opt.transform(node)):
                return new
        return None

    def add_requirements(self, fgraph: Any) -> None:
        """Those of all."""
        for opt in self.opts:
            opt.add_requirements(fgraph)


class LocalMetaOptimizer(LocalOptimizer):
    """Tries all its rewrites at a node, runs what they give on test values, and takes the fastest.

    Subclasses define ``provide_inputs(node, inputs)``: values of the inputs without test values.
    """

    def __init__(self) -> None:
        self.optimizers: list[Any] = []
        self._tracks: list[Any] | None = None

    def register(self, optimizer: Any, tag_list: Iterable[str] = ()) -> None:
        """Let this rewrite compete."""
        self.optimizers.append(optimizer)

    def tracks(self) -> Sequence[Any] | None:
        """The op classes that this is for."""
        return self._tracks

    def provide_inputs(self, node: Apply, inputs: Sequence[Variable]) -> dict[Variable, Any]:
        """Values for ``inputs``, by default none: then nothing can be compared."""
        return {}

    def get_opts(self, node: Apply) -> list[Any]:
        """The rewrites that compete for ``node``."""
        return self.optimizers

    def transform(self, node: Apply) -> Any:
        """The replacement that took the least time; False where none could be run."""
        if not looks_at(self._tracks, node.op):
            return False
        values = {v: v.tag.test_value for v in node.inputs if hasattr(v.tag, "test_value")}
        values |= {v: v.data for v in node.inputs if isinstance(v, Constant)}
        values |= self.provide_inputs(node, [v for v in node.inputs if v not in values])
        if any(v not in values for v in node.inputs):
            return False
        given = {v: value for v, value in values.items() if not isinstance(v, Constant)}
        timings = []
        for position, opt in enumerate(self.get_opts(node)):
            new = opt.transform(node)
            if new and not isinstance(new, dict):
                timings.append((self.time_call(new, given), position, new))
        return min(timings)[2] if timings else False

    def time_call(self, outputs: Sequence[Variable], values: dict[Variable, Any]) -> float:
        """Seconds that the second run of ``outputs`` takes."""
        for _ in range(2):
            start = time.perf_counter()
            for output in outputs:
                apply("eval", output, values)
            spent = time.perf_counter() - start
        return spent


class OpSub(LocalOptimizer):
    """Replaces applications of one op by another on the same inputs."""

    retains_inputs = True

    def __init__(self, op1: Any, op2: Any, transfer_tags: bool = True) -> None:
        self.op1, self.op2, self.transfer_tags = op1, op2, transfer_tags

    def tracks(self) -> Sequence[Any] | None:
        """The op that is replaced."""
        return [self.op1]

    def transform(self, node: Apply) -> Any:
        """The other op on the same inputs."""
        if node.op != self.op1:
            return False
        made = self.op2.make_node(*node.inputs)
        if self.transfer_tags:
            for new, old in zip(made.outputs, node.outputs, strict=True):
                new.tag.__dict__.update(old.tag.__dict__)
        return made.outputs

    def __str__(self) -> str:
        return f"{self.op1} -> {self.op2}"


class OpRemove(LocalOptimizer):
    """Replaces applications of an op with as many outputs as inputs by their inputs."""

    def __init__(self, op: Any) -> None:
        self.op = op

    def tracks(self) -> Sequence[Any] | None:
        """The op that is removed."""
        return [self.op]

    def transform(self, node: Apply) -> Any:
        """The inputs; ValueError where there are not as many as outputs."""
        if node.op != self.op:
            return False
        if len(node.inputs) != len(node.outputs):
            raise ValueError(f"OpRemove: {self.op} has not as many outputs as inputs")
        return list(node.inputs)

    def __str__(self) -> str:
        return f"{self.op}(x) -> x"


class PatternSub(LocalOptimizer):
    """Replaces what matches a pattern by what another pattern makes of its parts.

    A pattern is a string (a hole; the same string is the same variable), a number or a Constant
    (such a constant), a tuple ``(op, pattern, …)``, or a dictionary ``{"pattern": …, "constraint":
    function}`` whose function of the variable decides. Parts of the pattern that something else
    uses are left alone unless ``allow_multiple_clients``.

    >>> import theano.tensor as T
    >>> same = PatternSub((T.log, (T.exp, "x")), "x")
    >>> x = T.dvector("x")
    >>> same.transform(T.log(T.exp(x)).owner)
    [x]
    """

    def __init__(
        self, in_pattern: Any, out_pattern: Any, allow_multiple_clients: bool = False,
        skip_identities_fn: Callable[[Any], Any] | None = None, name: str | None = None,
        tracks: Sequence[Any] = (), get_nodes: Callable[[Any], Any] | None = None,
        values_eq_approx: Any = None,
    ) -> None:  # fmt: skip
        self.in_pattern, self.out_pattern = in_pattern, out_pattern
        self.op = in_pattern[0] if isinstance(in_pattern, (list, tuple)) else (
            in_pattern["pattern"][0])  # fmt: skip
        self.__doc__ = f"{in_pattern} -> {out_pattern}"
        self.allow_multiple_clients = allow_multiple_clients
        self.skip_identities_fn = skip_identities_fn
        self.values_eq_approx = values_eq_approx
        self._tracks, self.get_nodes = list(tracks), get_nodes
        if tracks and get_nodes is None:
            raise ValueError("PatternSub: tracks of inner ops need get_nodes")
        self.name = name

    def tracks(self) -> Sequence[Any] | None:
        """The ops at which matching starts."""
        return self._tracks or [self.op]

    def transform(self, node: Apply, get_nodes: bool = True) -> Any:
        """The replacement of the only output of ``node``, or False."""
        if get_nodes and self.get_nodes is not None:
            for real in self.get_nodes(node):
                found: Any = False if real == "output" else self.transform(real, get_nodes=False)
                if found:
                    return found if isinstance(found, dict) else {real.outputs[0]: found[0]}
        if node.op != self.op or len(node.outputs) != 1:
            return False
        bound: dict[str, Variable] = {}
        if not self._match(node.outputs[0], self.in_pattern, bound, first=True):
            return False
        new = self._build(self.out_pattern, bound)
        (old,) = node.outputs
        return [old.type.filter_variable(new)] if new.type != old.type else [new]

    def _match(self, variable: Any, pattern: Any, bound: dict[str, Variable], first: bool) -> bool:
        if isinstance(pattern, dict):
            constraint = pattern.get("constraint")
            if constraint is not None and not constraint(variable):
                return False
            return self._match(variable, pattern["pattern"], bound, first)
        if isinstance(pattern, str):
            return bound.setdefault(pattern, variable) is variable or _same(
                bound[pattern], variable)  # fmt: skip
        if isinstance(pattern, (list, tuple)):
            return self._match_node(variable, pattern, bound, first)
        if isinstance(pattern, Constant):
            return isinstance(variable, Constant) and pattern.equals(variable)
        return _holds(variable, pattern)

    def _match_node(
        self, variable: Any, pattern: Sequence[Any], bound: dict[str, Variable], first: bool
    ) -> bool:
        node = variable.owner
        if node is None or node.op != pattern[0] or len(node.inputs) != len(pattern) - 1:
            if self.skip_identities_fn is not None and not first:
                other = self.skip_identities_fn(variable)
                return bool(other) and self._match(other, pattern, bound, first)
            return False
        clients = variable.__dict__.get("clients", ())
        if not first and not self.allow_multiple_clients and len(clients) > 1:
            return False
        return all(
            self._match(v, part, bound, False)
            for v, part in zip(node.inputs, pattern[1:], strict=True)
        )

    def _build(self, pattern: Any, bound: dict[str, Variable]) -> Any:
        if isinstance(pattern, dict):
            return self._build(pattern["pattern"], bound)
        if isinstance(pattern, str):
            return bound[pattern]
        if isinstance(pattern, (list, tuple)):
            return pattern[0](*(self._build(part, bound) for part in pattern[1:]))
        return pattern if isinstance(pattern, Variable) else apply("constant", pattern)

    def __str__(self) -> str:
        return self.name or f"{_text(self.in_pattern)} -> {_text(self.out_pattern)}"

    __repr__ = __str__


def _same(a: Variable, b: Variable) -> bool:
    return isinstance(a, Constant) and isinstance(b, Constant) and a.equals(b)


def _holds(variable: Any, number: Any) -> bool:
    from theano.rewrite.pattern import constant_value

    while variable.owner is not None and type(variable.owner.op).__name__ == "DimShuffle":
        variable = variable.owner.inputs[0]
    value = constant_value(variable)
    return value is not None and bool(value == number)


def _text(pattern: Any) -> str:
    if isinstance(pattern, (list, tuple)):
        return f"{pattern[0]}({', '.join(map(_text, pattern[1:]))})"
    return str(pattern)


def pre_greedy_local_optimizer(list_optimizations: Sequence[Any], out: Variable) -> Variable:
    """``out`` rewritten before any function is made.

    Each rewrite is tried at each node, inputs first, and its result is used at once.
    """
    memo: dict[Variable, Variable] = {}
    for node in traverse.toposort([out]):
        inputs = [memo.get(v, v) for v in node.inputs]
        same = all(a is b for a, b in zip(inputs, node.inputs, strict=True))
        made = node if same else node.clone_with_new_inputs(inputs)
        results: Any = made.outputs
        for opt in list_optimizations:
            owner = results[0].owner
            if owner is None or owner.nout != len(results) or not looks_at(opt.tracks(), owner.op):
                continue
            results = opt.transform(owner) or results
        memo.update(zip(node.outputs, results, strict=True))
    return memo.get(out, out)
