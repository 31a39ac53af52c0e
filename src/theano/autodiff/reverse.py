"""Reverse-mode differentiation: ``grad``, ``Lop``, ``subgraph_grad``.

One backward sweep over the ancestors of the cost in reverse topological order: iterative, linear in
the number of nodes. An op's ``L_op`` is called once, and only when some output of it carries a
gradient and some input of it leads to a ``wrt``.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, cast

import numpy as np

from theano.core import dtypes
from theano.core.errors import DisconnectedInputError, NullTypeGradError
from theano.core.record import dataclass
from theano.graph import traverse
from theano.graph.nodes import Apply, Constant, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.registry import apply, register

_DISCONNECTED_INPUTS = ("raise", "warn", "ignore")
_RETURN_DISCONNECTED = ("zero", "none", "disconnected")
_NULL_GRADIENTS = ("raise", "return")


def grad(
    cost: Variable | None,
    wrt: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
    add_names: bool = True,
    known_grads: Mapping[Variable, Variable] | None = None,
    return_disconnected: str = "zero",
    null_gradients: str = "raise",
) -> Any:
    """The gradient of the 0-d ``cost`` with respect to ``wrt``: a variable, or a list or tuple.

    Parameters
    ----------
    cost : 0-d variable, or None if ``known_grads`` is given.
    wrt : variable (gives a variable), list (gives a list) or tuple (gives a tuple).
    consider_constant : variables not to backpropagate through.
    disconnected_inputs : 'raise', 'warn' or 'ignore': what to do about a ``wrt`` without influence.
    add_names : name gradients ``(dcost/dwrt)`` where both have names.
    known_grads : gradients of the real cost with respect to these variables, to start from.
    return_disconnected : 'zero', 'none' or 'disconnected': the result for such a ``wrt``.
    null_gradients : 'raise' or 'return': what to do where a gradient is undefined.

    Each result has the dtype of its ``wrt``; for integers it is zeros of dtype floatX.

    Raises
    ------
    TypeError : the cost is not a scalar; ``wrt`` is another kind of collection; an op returned a
        gradient of integer dtype.
    DisconnectedInputError, NullTypeGradError : see above.

    >>> import theano, theano.tensor as T
    >>> x = T.dscalar("x")
    >>> float(theano.grad(x**2, x).eval({x: 3.0}))
    6.0
    """
    check_choice("disconnected_inputs", disconnected_inputs, _DISCONNECTED_INPUTS)
    check_choice("return_disconnected", return_disconnected, _RETURN_DISCONNECTED)
    check_choice("null_gradients", null_gradients, _NULL_GRADIENTS)
    targets = _wrt_list(wrt)
    starts = _starts(cost, known_grads)
    name = cost.name if cost is not None and add_names else None
    sweep = _Sweep(targets, set(consider_constant or ()), name)
    sweep.run(starts)
    results = []
    for target in targets:
        result = sweep.gradient(target)
        if result is None or isinstance(result.type, DisconnectedType):
            complain_disconnected(target, disconnected_inputs)
            result = disconnected_result(target, return_disconnected)
        elif isinstance(result.type, NullType):
            if null_gradients == "raise":
                raise NullTypeGradError(
                    f"tensor.grad encountered a NaN. {result.type.why_null}",
                    at=getattr(target.tag, "trace", None),
                )
        else:
            result = _as_dtype_of(result, target)
        results.append(result)
    return format_as(isinstance(wrt, list), isinstance(wrt, tuple), results)


def Lop(
    f: Any,
    wrt: Any,
    eval_points: Any,
    consider_constant: Sequence[Variable] | None = None,
    disconnected_inputs: str = "raise",
) -> Any:
    """vᵀ·J: the gradient of ``sum(f * eval_points)``, ``eval_points`` taken as constant.

    ``f`` and ``eval_points`` are variables or equally long lists of them; ``wrt`` and the result
    are as in ``grad``.
    """
    outputs, points = listed(f), listed(eval_points)
    if len(outputs) != len(points):
        raise ValueError(f"Lop: {len(outputs)} outputs but {len(points)} eval_points")
    return grad(
        None,
        wrt,
        consider_constant=consider_constant,
        disconnected_inputs=disconnected_inputs,
        known_grads=dict(zip(outputs, points, strict=True)),
    )


def subgraph_grad(
    wrt: Sequence[Variable],
    end: Sequence[Variable],
    start: Mapping[Variable, Variable] | None = None,
    cost: Variable | None = None,
    details: bool = False,
) -> Any:
    """Gradients through a part of a graph: from ``cost`` and ``start`` back to ``wrt`` and ``end``.

    Parameters
    ----------
    wrt : variables inside the part, usually parameters.
    end : variables where the part ends: nothing is backpropagated beyond them.
    start : gradients, from elsewhere, of variables where the part starts.
    cost : 0-d variable whose gradient is added (a layer's own cost).
    details : also return the gradients that come from ``start`` and from ``cost``, separately.

    Returns ``(wrt_grads, end_grads)``, with ``details`` also ``start_grads, cost_grads``.
    """
    if start is None and cost is None:
        raise ValueError("`cost` or `start` must be specified.")
    params = list(dict.fromkeys([*wrt, *end]))
    parts: dict[str, list[Variable] | None] = {"start": None, "cost": None}
    if start is not None:
        parts["start"] = grad(
            None, params, consider_constant=end, disconnected_inputs="ignore", known_grads=start
        )
    if cost is not None:
        parts["cost"] = grad(cost, params, consider_constant=end, disconnected_inputs="ignore")
    given = [part for part in parts.values() if part is not None]
    total = (
        given[0] if len(given) == 1 else [apply("add", a, b) for a, b in zip(*given, strict=True)]
    )
    found = dict(zip(params, total, strict=True))
    wrt_grads, end_grads = [found[v] for v in wrt], [found[v] for v in end]
    if details:
        return wrt_grads, end_grads, parts["start"], parts["cost"]
    return wrt_grads, end_grads


def format_as(use_list: bool, use_tuple: bool, outputs: Any) -> Any:
    """``outputs`` as a list, a tuple, or its single element."""
    if use_list and use_tuple:
        raise ValueError("Both flags cannot be simultaneously True")
    if use_list or use_tuple:
        items = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return list(items) if use_list else tuple(items)
    if isinstance(outputs, (list, tuple)):
        if len(outputs) != 1:
            raise ValueError(f"expected a single output, got {len(outputs)}")
        return outputs[0]
    return outputs


def is_zero(x: Any) -> str:
    """'yes', 'no' or 'maybe': whether ``x`` is a zero constant."""
    if not hasattr(x, "type"):
        return "yes" if bool(np.all(x == 0.0)) else "no"
    if isinstance(x.type, NullType):
        return "no"
    if isinstance(x.type, DisconnectedType):
        return "yes"
    while x.owner is not None and type(x.owner.op).__name__ in ("DimShuffle", "Alloc"):
        x = x.owner.inputs[0]
    if not isinstance(x, Constant):
        return "maybe"
    return "yes" if bool(np.all(x.data == 0.0)) else "no"


def connection_pattern(node: Apply) -> list[list[bool]]:
    """Per input and output of ``node``: whether a change of the one can change the other."""
    method = getattr(node.op, "connection_pattern", None)
    if method is None:
        return [[True] * len(node.outputs) for _ in node.inputs]
    pattern = method(node)
    if len(pattern) != len(node.inputs) or any(len(row) != len(node.outputs) for row in pattern):
        size = f"{len(node.inputs)} lists of {len(node.outputs)} booleans"
        raise ValueError(f"{node.op}.connection_pattern must be a list of {size}, got {pattern}")
    return [[bool(entry) for entry in row] for row in pattern]


@dataclass()
class _Sweep:
    """State of one backward sweep: accumulated gradient terms per variable."""

    wrt: list[Variable]
    constant: set[Variable]
    cost_name: str | None
    terms: dict[Variable, list[Variable]] = field(default_factory=dict)
    known: dict[Variable, Variable] = field(default_factory=dict)

    def run(self, starts: Mapping[Variable, Variable]) -> None:
        """Propagate from ``starts`` to ``wrt``."""
        self.known.update(starts)
        order = traverse.toposort(starts, self.constant)
        patterns = {node: connection_pattern(node) for node in order
                    if hasattr(node.op, "connection_pattern")}  # fmt: skip
        reached = self._reached(order, patterns)
        for node in reversed(order):
            if any(v in reached for v in node.inputs):
                self._through(node, patterns.get(node), reached)

    def _reached(self, order: list[Apply], patterns: dict[Apply, Any]) -> set[Variable]:
        """The variables that depend on a ``wrt``, the ``wrt`` included."""
        reached = set(self.wrt)
        for node in order:
            hit = [i for i, v in enumerate(node.inputs) if v in reached]
            if not hit:
                continue
            pattern = patterns.get(node)
            for j, output in enumerate(node.outputs):
                if output not in self.constant and (
                    pattern is None or any(pattern[i][j] for i in hit)
                ):
                    reached.add(output)
        return reached

    def gradient(self, variable: Variable) -> Variable | None:
        """The gradient with respect to ``variable``, its terms added up; None: disconnected."""
        if variable in self.known:
            return self.known[variable]
        terms = self.terms.pop(variable, None)
        if terms is None:
            return None
        total = next((t for t in terms if isinstance(t.type, NullType)), None)
        if total is None:
            total = functools.reduce(_add, terms)
        if self.cost_name and variable.name and total.name is None:
            total.name = f"(d{self.cost_name}/d{variable.name})"
        self.known[variable] = total
        return total

    def _through(self, node: Apply, pattern: Any, reached: set[Variable]) -> None:
        """Turn the gradients of ``node``'s outputs into terms for its inputs."""
        output_grads = [self.gradient(output) for output in node.outputs]
        if all(g is None for g in output_grads):
            return
        null = [g is not None and isinstance(g.type, NullType) for g in output_grads]
        wanted = [
            i for i, v in enumerate(node.inputs)
            if v in reached and any(
                g is not None and (pattern is None or pattern[i][j])
                for j, g in enumerate(output_grads)
            )
        ]  # fmt: skip
        remaining = []
        for i in wanted:
            poison = next((g for j, g in enumerate(output_grads)
                           if null[j] and (pattern is None or pattern[i][j])), None)  # fmt: skip
            if poison is not None:
                self._add_term(node.inputs[i], poison)
            elif _only_discrete(node, i, pattern, output_grads):
                self._add_term(node.inputs[i], float_zeros_like(node.inputs[i]))
            else:
                remaining.append(i)
        if not remaining:
            return
        prepared = [
            DisconnectedType()() if g is None or null[j] else _for_op(g, node.outputs[j])
            for j, g in enumerate(output_grads)
        ]
        input_grads = call_l_op(node, prepared)
        for i in remaining:
            _check_term(node, i, input_grads[i])
            if not isinstance(input_grads[i].type, DisconnectedType):
                self._add_term(node.inputs[i], input_grads[i])

    def _add_term(self, variable: Variable, term: Variable) -> None:
        self.terms.setdefault(variable, []).append(term)


def _add(a: Variable, b: Variable) -> Variable:
    """The sum of two gradients; types that are not tensors say how (``add_gradients``)."""
    own = getattr(a.type, "add_gradients", None)
    result: Variable = apply("add", a, b) if own is None else own(a, b)
    return result


def call_l_op(node: Apply, output_grads: Sequence[Variable]) -> Sequence[Any]:
    """``node.op.L_op`` with its result checked for length."""
    results = node.op.L_op(node.inputs, node.outputs, list(output_grads))
    if results is None:
        raise TypeError(f"{node.op}.grad returned NoneType, expected iterable.")
    results = list(results)
    if len(results) != len(node.inputs):
        raise ValueError(
            f"{node.op} returned the wrong number of gradient terms: {len(results)} for "
            f"{len(node.inputs)} inputs."
        )
    return results


def float_zeros_like(x: Variable) -> Variable:
    """Zeros of the shape of ``x`` and of its dtype, or floatX if that is an integer.

    Types that are not tensors make their own (``zero_gradient``), or have no such thing.
    """
    own = getattr(x.type, "zero_gradient", None)
    if own is not None or not hasattr(x.type, "dtype"):
        return DisconnectedType()() if own is None else cast(Variable, own(x))
    result: Variable = apply("zeros_like", x, dtype=dtypes.gradient_dtype(x.type.dtype))
    return result


def float_ones_like(x: Variable) -> Variable:
    """Ones of the shape of ``x`` and of its dtype, or floatX if that is an integer."""
    result: Variable = apply("ones_like", x, dtype=dtypes.gradient_dtype(x.type.dtype))
    return result


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"Invalid value for keyword {name!r}: {value!r}. Valid: {choices}")


def listed(x: Any) -> list[Any]:
    """``x`` as a list: itself if it is a list or tuple, else of one element."""
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _wrt_list(wrt: Any) -> list[Variable]:
    if not isinstance(wrt, (list, tuple, Variable)):
        raise TypeError(
            f"wrt must be a variable, a list or a tuple of variables, got {type(wrt).__name__}: "
            "the order of the results would not be defined"
        )
    targets = listed(wrt)
    for target in targets:
        if not isinstance(target, Variable):
            raise TypeError(
                f"Expected Variable, got {target!r} of type {type(target).__name__} in wrt"
            )
    return targets


def _starts(
    cost: Variable | None, known_grads: Mapping[Variable, Variable] | None
) -> dict[Variable, Variable]:
    """Where the sweep starts: variables and their gradients."""
    starts: dict[Variable, Variable] = {}
    if cost is None and known_grads is None:
        raise ValueError("grad: give a cost or known_grads")
    if cost is not None:
        if not isinstance(cost, Variable):
            raise TypeError(f"cost must be a scalar variable, got {cost!r} ({type(cost).__name__})")
        if isinstance(cost.type, NullType):
            raise ValueError(
                f"Can't differentiate a NaN cost. {cost} is NaN because {cost.type.why_null}"
            )
        if getattr(cost.type, "ndim", None) != 0:
            raise TypeError(f"cost must be a scalar, got {cost} of type {cost.type}")
        starts[cost] = float_ones_like(cost)
    for variable, gradient in _pairs(known_grads or {}):
        if not hasattr(variable, "type"):
            raise TypeError(f"Expected Variable, got {variable!r} as a key of known_grads")
        if not isinstance(gradient, Variable):
            gradient = apply("as_tensor_variable", gradient)
        rank, expected = (getattr(v.type, "ndim", None) for v in (gradient, variable))
        if rank != expected and not isinstance(gradient.type, (NullType, DisconnectedType)):
            raise TypeError(
                f"known_grads: the gradient of {variable} has {rank} dimensions, not {expected}."
            )
        starts[variable] = gradient
    return starts


def _pairs(known_grads: Any) -> Iterable[tuple[Any, Any]]:
    if hasattr(known_grads, "items"):
        pairs: Iterable[tuple[Any, Any]] = known_grads.items()
        return pairs
    return [(key, value) for key, value in known_grads]


def complain_disconnected(target: Variable, how: str) -> None:
    """Raise, warn or stay silent about a ``wrt`` that has no influence."""
    if how == "ignore":
        return
    message = (
        "grad method was asked to compute the gradient with respect to a variable that is not part "
        "of the computational graph of the cost, or is used only by a non-differentiable operator: "
        f"{target}"
    )
    if how == "warn":
        warnings.warn(message, stacklevel=4)
        return
    raise DisconnectedInputError(
        message,
        at=getattr(target.tag, "trace", None),
        hint="pass disconnected_inputs='ignore' if zeros are what you want",
    )


def disconnected_result(target: Variable, how: str) -> Variable | None:
    """What ``return_disconnected=how`` asks for in place of a gradient of ``target``."""
    if how == "none":
        return None
    return float_zeros_like(target) if how == "zero" else DisconnectedType()()


def _as_dtype_of(gradient: Variable, target: Variable) -> Variable:
    """The gradient in the dtype that the result must have."""
    dtype = getattr(target.type, "dtype", None)
    if dtype is None or not hasattr(gradient.type, "dtype"):
        return gradient
    wanted = dtypes.gradient_dtype(dtype)
    if gradient.type.dtype == wanted or dtype in dtypes.DISCRETE:
        return gradient
    name, gradient = gradient.name, apply("cast", gradient, wanted)
    if gradient.name is None:
        gradient.name = name
    return gradient


def _for_op(gradient: Variable, output: Variable) -> Variable:
    """An output gradient in the dtype of its output, its rank checked."""
    if isinstance(gradient.type, DisconnectedType):
        return gradient
    dtype = getattr(output.type, "dtype", None)
    if dtype is None or dtype in dtypes.DISCRETE or getattr(gradient.type, "dtype", None) == dtype:
        return gradient
    result: Variable = apply("cast", gradient, dtype)
    return result


def _only_discrete(node: Apply, i: int, pattern: Any, output_grads: Sequence[Any]) -> bool:
    """Whether input ``i`` acts on the cost through integers only, or is an integer itself."""
    if getattr(node.inputs[i].type, "dtype", None) in dtypes.DISCRETE:
        return True
    if getattr(node.op, "gradient_is_undefined", False):
        return False
    touched = [
        output for j, output in enumerate(node.outputs)
        if output_grads[j] is not None and (pattern is None or pattern[i][j])
    ]  # fmt: skip
    found = all(getattr(output.type, "dtype", None) in dtypes.DISCRETE for output in touched)
    return found and hasattr(node.inputs[i].type, "dtype")


def _check_term(node: Apply, i: int, term: Any) -> None:
    """Raise if an op returned something that cannot be a gradient of its input ``i``."""
    variable = node.inputs[i]
    if term is None:
        raise NullTypeGradError(
            f"{node.op}.grad returned None for a gradient term, this is prohibited. Return a "
            "DisconnectedType or NullType variable instead.",
        )
    if not isinstance(term, Variable):
        raise TypeError(f"{node.op}.grad returned {term!r} ({type(term).__name__}), not a Variable")
    if isinstance(term.type, (NullType, DisconnectedType)):
        return
    dtype = getattr(term.type, "dtype", None)
    if dtype in dtypes.DISCRETE:
        raise TypeError(
            f"{node.op}.grad illegally returned an integer-valued variable. "
            f"(Input index {i}, dtype {dtype})"
        )
    rank, expected = (getattr(v.type, "ndim", None) for v in (term, variable))
    if rank is not None and expected is not None and rank != expected:
        raise ValueError(
            f"{node.op}.grad returned a term with {rank} dimensions, but {expected} are required."
        )


def _populate_grad_dict(
    var_to_app_to_idx: Any, grad_dict: dict[Variable, Variable], wrt: Sequence[Variable],
    cost_name: str | None = None,
) -> list[Variable]:  # fmt: skip
    """Theano's inner step, which old code calls: the gradients of ``wrt``, from those in
    ``grad_dict``, to which they are added. The first argument is found anew."""
    del var_to_app_to_idx
    sweep = _Sweep(list(wrt), set(), cost_name)
    sweep.run(dict(grad_dict))
    results = []
    for target in wrt:
        found = sweep.gradient(target)
        results.append(DisconnectedType()() if found is None else found)
    grad_dict.update(sweep.known)
    return results


register("grad", grad)
