"""Rules as pairs of expressions with holes, and the ``rule`` decorator.

    @rule("stabilize")
    def log1p_exp(x):
        return log(1 + exp(x)), softplus(x)

The parameters are holes. Names of ops come from this module's ``ops`` (any row or builder name);
``+ - * / **`` and numbers work. A number matches a constant of that value whatever its dtype and
shape. ``add`` and ``mul`` match in any order. A hole that occurs twice must be the same variable.
``when`` gets the bound holes and decides. The replacement has the dtype of what it replaces.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from theano.core.dtypes import COMPLEX, DISCRETE
from theano.core.record import dataclass
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.registry import apply
from theano.rewrite.engine import Rule, Uses, key_of

Local = Callable[[Apply, Uses], Sequence[Variable] | None]

#: all rules, in order of declaration
RULES: list[Rule] = []
#: names of rules that are not ours: what they do is not known by their names
FOREIGN: list[str] = []


class Expr:
    """A pattern: a hole, a number, or an op applied to patterns."""

    def __add__(self, other: Any) -> Call:
        return Call("add", (self, other))

    def __radd__(self, other: Any) -> Call:
        return Call("add", (other, self))

    def __mul__(self, other: Any) -> Call:
        return Call("mul", (self, other))

    def __rmul__(self, other: Any) -> Call:
        return Call("mul", (other, self))

    def __sub__(self, other: Any) -> Call:
        return Call("sub", (self, other))

    def __rsub__(self, other: Any) -> Call:
        return Call("sub", (other, self))

    def __truediv__(self, other: Any) -> Call:
        return Call("true_div", (self, other))

    def __rtruediv__(self, other: Any) -> Call:
        return Call("true_div", (other, self))

    def __pow__(self, other: Any) -> Call:
        return Call("pow", (self, other))

    def __neg__(self) -> Call:
        return Call("neg", (self,))


@dataclass(frozen=True)
class Hole(Expr):
    """Matches any variable."""

    name: str


@dataclass(frozen=True)
class Call(Expr):
    """Matches an application of the op whose key is ``op``."""

    op: str
    args: tuple[Any, ...]


class _Ops:
    """``ops.exp(x)`` is the pattern of an application of ``exp``."""

    def __getattr__(self, name: str) -> Callable[..., Call]:
        if name.startswith("__"):
            raise AttributeError(name)
        return functools.partial(_call, name)


def _call(name: str, *args: Any) -> Call:
    return Call(name, args)


ops: Any = _Ops()

_COMMUTATIVE = frozenset({"add", "mul", "maximum", "minimum", "eq", "neq", "and_", "or_", "xor"})


def constant_value(variable: Any) -> Any:
    """The one number that a constant holds in all places, or None."""
    data = variable.data if isinstance(variable, Constant) else None
    if data is None or not isinstance(data, np.ndarray):
        return None
    if data.size == 1:
        return data.reshape(())[()]
    if data.size == 0 or data.size > 4096:
        return None
    first = data.flat[0]
    return first if (data == first).all() else None


def match(pattern: Any, variable: Variable, bound: dict[str, Variable]) -> Iterator[dict[str, Any]]:
    """The ways to bind the holes of ``pattern`` so that it is ``variable``."""
    if isinstance(pattern, Hole):
        known = bound.get(pattern.name)
        if known is None:
            yield {**bound, pattern.name: variable}
        elif known is variable:
            yield bound
    elif not isinstance(pattern, Call):
        value = constant_value(variable)
        if value is not None and value == pattern:
            yield bound
    elif variable.owner is not None and key_of(variable.owner.op) == pattern.op:
        yield from match_node(pattern, variable.owner, bound)


def match_node(pattern: Call, node: Apply, bound: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The ways to bind the arguments of ``pattern`` to the inputs of ``node``."""
    if len(pattern.args) != len(node.inputs):
        return
    if pattern.op in _COMMUTATIVE and len(node.inputs) <= 3:
        orders: Iterable[Any] = itertools.permutations(node.inputs)
    else:
        orders = (node.inputs,)
    for inputs in orders:
        states = [bound]
        for part, variable in zip(pattern.args, inputs, strict=True):
            states = [new for state in states for new in match(part, variable, state)]
            if not states:
                break
        yield from states


def build(pattern: Any, bound: dict[str, Variable], dtype: str) -> Any:
    """The expression that ``pattern`` stands for; numbers become constants of ``dtype``."""
    if isinstance(pattern, Hole):
        return bound[pattern.name]
    if not isinstance(pattern, Call):
        return apply("constant", pattern, dtype=dtype)
    return apply(pattern.op, *(build(part, bound, dtype) for part in pattern.args))


def same_dtype(new: Variable, old: Variable) -> Variable | None:
    """``new``, which has the shape of ``old``, with its dtype; None if its rank differs.

    Its type may say of more dimensions that they have size 1.
    """
    if not hasattr(new.type, "dtype") or new.type.ndim != old.type.ndim:
        return None
    return new if new.type.dtype == old.type.dtype else apply("cast", new, old.type.dtype)


def same_kind(new: Variable, old: Variable) -> Variable | None:
    """``new`` with the dtype and broadcast pattern of ``old``; None if its rank differs.

    It is stretched like the inputs of an elementwise op. Inputs of other ops do not say the shape:
    None.
    """
    same = same_dtype(new, old)
    if same is None:
        return None
    new = same
    wanted = old.type.broadcastable
    elementwise = old.owner is not None and type(old.owner.op).__name__ == "Elemwise"
    if elementwise and any(
        n and not o for n, o in zip(new.type.broadcastable, wanted, strict=True)
    ):
        new = stretched(new, old)
    return new if new.type.broadcastable == wanted else None


def stretched(new: Variable, old: Variable) -> Variable:
    """``new`` stretched to the shape of ``old``, a result that it replaces, by ``old``'s inputs."""
    wanted = old.type.broadcastable
    assert old.owner is not None
    for model in old.owner.inputs:
        kind = model.type
        if getattr(kind, "ndim", None) != old.type.ndim:
            continue
        lacks = zip(new.type.broadcastable, kind.broadcastable, wanted, strict=True)
        if any(n and not m and not w for n, m, w in lacks):
            new = apply("fill", model, new)
    return new


def rule(
    stage: str,
    tracks: Sequence[str] = (),
    name: str | None = None,
    when: Callable[..., bool] | None = None,
    tags: Sequence[str] = (),
    ints: bool = False,
    domain: tuple[float, float] = (-3.0, 3.0),
) -> Callable[[Callable[..., Any]], Rule]:
    """Declare a rule of a stage.

    The function's parameters are holes and it returns (pattern, replacement); or, with ``tracks``
    (keys of ops; ``"*"`` for all), it takes ``node``, and ``uses`` if it asks about clients, and
    returns None or new outputs.

    Parameters: ``name`` (default the function's), ``when`` (a guard on bound holes by name),
    ``tags`` (for including and excluding), ``ints`` (whether a pattern holds for integer dtypes),
    ``domain`` (where a pair holds: tests draw from it).
    """

    def declare(function: Callable[..., Any]) -> Rule:
        title = name or function.__name__
        if tracks:
            local, keys, pair = _plain(function), () if "*" in tracks else tuple(tracks), None
        else:
            local, keys, pair = _pair(function, when, ints)
        made = Rule(title, stage, keys, local, frozenset({stage, title, *tags}), pair, domain)
        RULES.append(made)
        if not (function.__module__ or "").startswith("theano."):
            FOREIGN.append(title)
        return made

    return declare


def _plain(function: Callable[..., Any]) -> Local:
    if len(inspect.signature(function).parameters) == 2:
        return function

    def local(node: Apply, uses: Uses) -> Sequence[Variable] | None:
        result: Sequence[Variable] | None = function(node)
        return result

    return local


def _pair(
    function: Callable[..., Any], when: Callable[..., bool] | None, ints: bool
) -> tuple[Local, tuple[str, ...], tuple[Any, Any]]:
    names = list(inspect.signature(function).parameters)
    left, right = function(*(Hole(name) for name in names))
    assert isinstance(left, Call)
    needed = {part.op for part in left.args if isinstance(part, Call)}
    arity = len(left.args)

    def local(node: Apply, uses: Uses) -> Sequence[Variable] | None:
        if len(node.inputs) != arity or not _has_calls(node, needed):
            return None
        (output,) = node.outputs
        if (output.type.dtype in DISCRETE and not ints) or output.type.dtype in COMPLEX:
            return None
        for bound in match_node(left, node, {}):
            if when is None or when(*(bound[name] for name in names if name in bound)):
                result = same_kind(build(right, bound, output.type.dtype), output)
                return None if result is None else [result]
        return None

    return local, (left.op,), (left, right)


def _has_calls(node: Apply, needed: set[str]) -> bool:
    """A quick look: whether the inputs are computed by these ops at all."""
    if not needed:
        return True
    found = {key_of(v.owner.op) for v in node.inputs if v.owner is not None}
    return needed <= found
