"""From what the user wrote to a closed graph: givens, updates, shared variables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any

from theano.compile.io import Param as Param
from theano.compile.io import SymbolicOutput
from theano.core.record import dataclass
from theano.graph.nodes import Apply, Variable
from theano.graph.shared import SharedVariable, TensorSharedVariable
from theano.graph.tensor_type import TensorType

Pairs = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None


def iter_over_pairs(pairs: Pairs) -> list[tuple[Any, Any]]:
    """Key and value pairs of a mapping, of any iterable of pairs, or of None (no pairs)."""
    if pairs is None:
        return []
    if isinstance(pairs, Mapping):
        return list(pairs.items())
    found = []
    for entry in pairs:
        try:
            key, value = entry
        except (TypeError, ValueError):
            raise TypeError(
                f"Expected pairs (variable, expression), or a dictionary of them, got {entry!r}."
            ) from None
        found.append((key, value))
    return found


@dataclass()
class Rebuilt:
    """A closed graph: ``memo`` maps the user's variables to those of the graph."""

    inputs: list[Variable]
    outputs: list[Variable]
    updates: list[tuple[SharedVariable, Variable]]
    shared: list[SharedVariable]
    memo: dict[Variable, Variable]


@dataclass()
class Rebuilder:
    """Rewrites expressions by a substitution; each variable is visited once over its lifetime.

    Parts that do not change are shared with the user's graph, unless ``copy`` asks for new nodes.
    """

    strict: bool = True
    copy: bool = False
    copy_roots: bool = False
    memo: dict[Variable, Variable] = field(default_factory=dict)
    shared: dict[SharedVariable, None] = field(default_factory=dict)

    def __call__(self, variable: Variable) -> Variable:
        memo = self.memo
        if variable in memo:
            return memo[variable]
        if variable.owner is None:
            return self._root(variable)
        stack: list[tuple[Apply, Iterator[Variable]]] = [
            (variable.owner, iter(variable.owner.inputs))
        ]
        while stack:
            node, parents = stack[-1]
            for parent in parents:
                if parent in memo:
                    continue
                if parent.owner is None:
                    self._root(parent)
                else:
                    stack.append((parent.owner, iter(parent.owner.inputs)))
                    break
            else:
                stack.pop()
                self._node(node)
        return memo[variable]

    def _root(self, variable: Variable) -> Variable:
        if isinstance(variable, SharedVariable):
            self.shared.setdefault(variable)
        return self.memo.setdefault(variable, variable.clone() if self.copy_roots else variable)

    def _node(self, node: Apply) -> None:
        memo = self.memo
        if all(output in memo for output in node.outputs):
            return
        inputs = [memo[v] for v in node.inputs]
        same = all(new is old for new, old in zip(inputs, node.inputs, strict=True))
        if same and not self.copy:
            for output in node.outputs:
                memo.setdefault(output, output)
            return
        clone = node.clone_with_new_inputs(inputs, strict=self.strict)
        for old, new in zip(node.outputs, clone.outputs, strict=True):
            memo.setdefault(old, new)


def rebuild(
    outputs: Sequence[Variable],
    inputs: Sequence[Variable],
    givens: Pairs = None,
    updates: Pairs = None,
    strict: bool = True,
    no_default_updates: bool | Collection[Variable] = False,
) -> Rebuilt:
    """The graph from ``inputs`` to ``outputs`` and updates, with ``givens`` replaced.

    Raises TypeError for types that do not fit and for update targets that are not shared,
    ValueError for a second update of one variable, AssertionError for givens that build on each
    other the wrong way round.
    """
    builder = Rebuilder(strict=strict, memo={v: v for v in inputs})
    for old, new in iter_over_pairs(givens):
        replacement = _given(old, new, strict)
        if old in builder.memo:
            raise AssertionError(
                "Givens are not applied to each other: a replacement may not depend on a variable "
                f"that is replaced later. {old} is replaced by {new}, and an earlier replacement "
                "uses it; for instance givens={a: b, b: a + 1} is not allowed."
            )
        builder.memo[old] = builder(replacement)
    pending = _explicit_updates(updates)
    found = [builder(output) for output in outputs]
    done = _all_updates(builder, pending, no_default_updates)
    for target in pending:
        builder.shared.setdefault(target)
    return Rebuilt(list(inputs), found, done, list(builder.shared), builder.memo)


def _given(old: Any, new: Any, strict: bool) -> Variable:
    if not isinstance(old, Variable):
        raise TypeError(f"The keys of givens must be variables, got {old!r}.")
    if not isinstance(new, Variable):
        value = old.type.filter(new)
        if isinstance(old.type, TensorType) and old.type.ndim > 0:
            # A private copy that is not folded into the code: it may be a whole data set.
            return TensorSharedVariable(None, old.type, value.copy())
        constant: Variable = old.type.constant(value)
        return constant
    found: Variable = old.type.filter_variable(new) if strict else new
    return found


def _explicit_updates(updates: Pairs) -> dict[SharedVariable, Variable]:
    pending: dict[SharedVariable, Variable] = {}
    for target, value in iter_over_pairs(updates):
        if not isinstance(target, SharedVariable):
            raise TypeError(
                f"The target of an update must be a shared variable, got {target!r} of "
                f"{getattr(target, 'type', type(target))}."
            )
        if target in pending:
            raise ValueError(
                f"The shared variable {target} has two updates: {pending[target]} and {value}."
            )
        pending[target] = _update_value(target, value)
    return pending


def _update_value(target: SharedVariable, value: Any) -> Variable:
    """``value`` as an expression of exactly the target's type."""
    try:
        found: Variable = target.type.filter_variable(value, allow_convert=False)
    except TypeError as error:
        raise TypeError(
            "An update must have the same type as the original shared variable "
            f"(shared_var={target}, shared_var.type={target.type}, update_val={value}, "
            f"update_val.type={getattr(value, 'type', type(value).__name__)}). If the difference "
            "is in the dtype, cast the update: theano.tensor.cast(update, 'dtype'). If it is in "
            "the broadcast pattern, use theano.tensor.unbroadcast(update, axis), or "
            f"theano.tensor.patternbroadcast. ({error})"
        ) from error
    return found


def _all_updates(
    builder: Rebuilder,
    pending: dict[SharedVariable, Variable],
    no_default_updates: bool | Collection[Variable],
) -> list[tuple[SharedVariable, Variable]]:
    """Explicit updates, then the default updates of every shared variable reached, to the end."""
    refused = no_default_updates is True
    without = set() if isinstance(no_default_updates, bool) else set(no_default_updates)
    done: dict[SharedVariable, Variable] = {}
    queue = list(pending.items())
    seen = 0
    reached: list[SharedVariable] = []
    while queue or seen < len(builder.shared):
        for target, value in queue:
            done[target] = builder(value)
        queue = []
        reached = list(builder.shared)
        for variable in reached[seen:]:
            default = variable.default_update
            if default is None or refused or variable in without or variable in pending:
                continue
            queue.append((variable, _update_value(variable, default)))
            builder.shared.setdefault(variable)
        seen = len(reached)
    return list(done.items())


def rebuild_collect_shared(
    outputs: Any,
    inputs: Sequence[Variable] | None = None,
    replace: Pairs = None,
    updates: Pairs = None,
    rebuild_strict: bool = True,
    copy_inputs_over: bool = True,
    no_default_updates: bool | Collection[Variable] = False,
) -> tuple[list[Variable], Any, list[Any]]:
    """Theano's form of ``rebuild``: inputs, outputs, and [map, update map, updates, shared].

    ``outputs`` is None, a variable or Out, or a sequence of these. With ``copy_inputs_over`` False
    the root variables are copied too.
    """
    single = not isinstance(outputs, (list, tuple)) and outputs is not None
    several = [outputs] if single else list(outputs or ())
    variables = [out.variable if isinstance(out, SymbolicOutput) else out for out in several]
    for variable in variables:
        if not isinstance(variable, Variable):
            raise TypeError(f"outputs must be theano Variable or Out instances, got {variable!r}.")
    own = list(inputs or ())
    built = rebuild(variables, own, replace, updates, rebuild_strict, no_default_updates)
    if not copy_inputs_over:
        built = _with_copied_roots(built)
    results = [
        SymbolicOutput(new, old.borrow) if isinstance(old, SymbolicOutput) else new
        for old, new in zip(several, built.outputs, strict=True)
    ]
    cloned: Any = results[0] if single else results
    return built.inputs, cloned, [built.memo, dict(built.updates), built.updates, built.shared]


def _with_copied_roots(built: Rebuilt) -> Rebuilt:
    builder = Rebuilder(strict=False, copy=True, copy_roots=True)
    inputs = [builder(v) for v in built.inputs]
    outputs = [builder(v) for v in built.outputs]
    updates = [(target, builder(value)) for target, value in built.updates]
    memo = {old: builder.memo.get(new, new) for old, new in built.memo.items()}
    return Rebuilt(inputs, outputs, updates, built.shared, memo)


def clone(
    output: Any,
    replace: Pairs = None,
    strict: bool = True,
    share_inputs: bool = True,
    copy_inputs: bool | None = None,
) -> Any:
    """A copy of an expression (or a list of them) with some variables replaced.

    Parameters
    ----------
    output : a variable or a list of variables.
    replace : pairs or mapping from a variable, an intermediate one too, to its replacement, which
        may be built from the variable that it replaces.
    strict : demand that a replacement has the type of what it replaces.
    share_inputs : keep the root variables; False copies them too.
    copy_inputs : the old name of ``share_inputs``.
    """
    keep_roots = share_inputs if copy_inputs is None else copy_inputs
    memo: dict[Variable, Variable] = {}
    for old, new in iter_over_pairs(replace):
        if not isinstance(old, Variable):
            raise TypeError(f"The keys of replace must be variables, got {old!r}.")
        memo[old] = _given(old, new, strict)
    builder = Rebuilder(strict=strict, copy=True, copy_roots=not keep_roots, memo=memo)
    if isinstance(output, (list, tuple)):
        return [builder(v) for v in output]
    return builder(output)


def pfunc(params: Any, outputs: Any = None, mode: Any = None, updates: Any = None,
          givens: Any = None, **others: Any) -> Any:  # fmt: skip
    """``theano.function`` under its older name."""
    from theano.compile.function import function

    return function(params, outputs, mode, updates, givens, **others)
