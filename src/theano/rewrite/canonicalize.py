"""Arithmetic: sums and products flattened, terms cancelled, constants gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np

from theano.core.dtypes import COMPLEX, DISCRETE
from theano.core.record import dataclass
from theano.graph.nodes import Apply, Variable
from theano.rewrite.build import as_dtype, constant_value, is_elemwise, same_kind, spread, t
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

#: how many terms are looked at: keeps long chains linear
_LIMIT = 24


def _children(variable: Variable, names: tuple[str, ...], dtype: str, uses: Uses) -> Apply | None:
    """The node of ``variable`` if it may be merged into the sum or product around it."""
    node = variable.owner
    if node is None or not is_elemwise(node) or uses(variable) > 1:
        return None
    if node.op.row.name not in names or variable.type.dtype != dtype:
        return None
    return node


@dataclass()
class _Sum:
    """Terms with coefficients, and a constant."""

    dtype: str
    terms: dict[Variable, Any] = field(default_factory=dict)
    constant: Any = 0
    constants: int = 0
    merged: int = 0

    def add(self, variable: Variable, sign: int) -> None:
        """Enter one term."""
        value = constant_value(variable)
        if value is not None:
            self.constants += 1
            with np.errstate(all="ignore"):
                self.constant = self.constant + sign * np.asarray(value).astype(self.dtype)
            return
        variable, coefficient = _coefficient_of(variable)
        if variable in self.terms:
            self.merged += 1
        self.terms[variable] = self.terms.get(variable, 0) + sign * coefficient


def _coefficient_of(variable: Variable) -> tuple[Variable, Any]:
    """x and c of c * x."""
    node = variable.owner
    if node is None or not is_elemwise(node) or node.op.row.name != "mul":
        return variable, 1
    if len(node.inputs) == 2 and not variable.type.dtype.startswith("int"):
        for c, x in (node.inputs, node.inputs[::-1]):
            value = constant_value(c)
            if value is not None and x.type == variable.type:
                return x, value
    return variable, 1


_ADDITIVE = ("add", "sub", "neg")


def _flatten_sum(node: Apply, uses: Uses) -> _Sum:
    total = _Sum(node.outputs[0].type.dtype)
    stack: list[tuple[Apply, int]] = [(node, 1)]
    seen = 0
    while stack:
        current, sign = stack.pop()
        name = current.op.row.name
        for position, variable in enumerate(current.inputs):
            flip = -1 if name == "neg" or (name == "sub" and position == 1) else 1
            seen += 1
            child = _children(variable, _ADDITIVE, total.dtype, uses) if seen < _LIMIT else None
            if child is None:
                total.add(variable, sign * flip)
            else:
                stack.append((child, sign * flip))
    return total


@rule("canonicalize", _ADDITIVE)
def local_add_canonizer(node: Apply, uses: Uses) -> Result:
    """Gather the constants of a sum, drop zeros, cancel x - x, count x + x."""
    out = node.outputs[0]
    if out.type.dtype in COMPLEX or out.type.dtype == "bool" or out.type.dtype.startswith("uint"):
        return None
    total = _flatten_sum(node, uses)
    zero = total.constants > 0 and not total.constant
    if total.constants < 2 and not zero and not total.merged:
        return None
    positive: list[Any] = []
    negative: list[Any] = []
    if total.constant:
        positive.append(t.constant(np.asarray(total.constant).astype(total.dtype)))
    for term, coefficient in total.terms.items():
        if coefficient == 0:
            continue
        side = positive if coefficient > 0 else negative
        count = abs(coefficient)
        side.append(term if count == 1 else t.mul(t.constant(np.asarray(count, total.dtype)), term))
    return [spread(_difference(positive, negative, total.dtype), out)]


def _difference(positive: Sequence[Any], negative: Sequence[Any], dtype: str) -> Any:
    if not positive and not negative:
        return t.constant(np.asarray(0, dtype))
    plus = None if not positive else positive[0] if len(positive) == 1 else t.add(*positive)
    if not negative:
        return plus
    minus = negative[0] if len(negative) == 1 else t.add(*negative)
    return t.neg(minus) if plus is None else t.sub(plus, minus)


@dataclass()
class _Product:
    """Bases with integer exponents, and a constant factor."""

    dtype: str
    bases: dict[Variable, int] = field(default_factory=dict)
    constant: Any = 1.0
    constants: int = 0
    negatives: int = 0
    merged: int = 0
    divisions: int = 0

    def add(self, variable: Variable, exponent: int) -> bool:
        """Enter one factor; False if a constant cannot be divided by."""
        value = constant_value(variable)
        if value is not None:
            if exponent < 0 and value == 0:
                return False
            self.constants += 1
            number = np.asarray(value).astype(self.dtype)
            with np.errstate(all="ignore"):
                ratio = self.constant * number if exponent > 0 else self.constant / number
            self.constant = ratio
            return True
        known = self.bases.get(variable, 0)
        if known and (known > 0) != (exponent > 0):
            self.merged += 1
        self.bases[variable] = known + exponent
        return True


_MULTIPLICATIVE = ("mul", "true_div", "neg", "inv")


def _flatten_product(node: Apply, uses: Uses) -> _Product | None:
    out = node.outputs[0].type
    total = _Product(out.dtype, constant=np.asarray(1, out.dtype))
    names = _MULTIPLICATIVE if out.dtype not in DISCRETE else ("mul", "neg")
    stack: list[tuple[Apply, int]] = [(node, 1)]
    seen = 0
    while stack:
        current, sign = stack.pop()
        name = current.op.row.name
        if name == "neg":
            total.negatives += 1
        if name in ("true_div", "inv"):
            total.divisions += 1
        for position, variable in enumerate(current.inputs):
            flip = -1 if name == "inv" or (name == "true_div" and position == 1) else 1
            seen += 1
            child = _children(variable, names, out.dtype, uses) if seen < _LIMIT else None
            if child is not None:
                stack.append((child, sign * flip))
            elif not total.add(variable, sign * flip):
                return None
    return total


@rule("canonicalize", ("mul", "true_div", "neg"))
def local_mul_canonizer(node: Apply, uses: Uses) -> Result:
    """Gather the constants of a product, drop ones, cancel x / x, make one division of several."""
    out = node.outputs[0]
    name = node.op.row.name
    if out.type.dtype in COMPLEX or out.type.dtype == "bool":
        return None
    if out.type.dtype in DISCRETE and name == "true_div":
        return None
    total = _flatten_product(node, uses)
    if total is None:
        return None
    above = any(exponent > 0 for exponent in total.bases.values())
    alone = total.constants == 1 and total.constant == 1 and above
    zero = total.constants > 0 and not total.constant
    signs = total.negatives + (total.constants > 0 and total.negatives > 0)
    if not (
        total.constants > 1 or alone or zero or signs > 1 or total.merged or total.divisions > 1
    ):
        return None
    if zero:
        return [spread(0, out)]
    return [spread(_quotient(total), out)]


def _quotient(total: _Product) -> Any:
    """The product as one division, its constant in front."""
    factor = -total.constant if total.negatives % 2 else total.constant
    above: list[Any] = []
    below: list[Any] = []
    for base, exponent in total.bases.items():
        (above if exponent > 0 else below).extend([base] * abs(exponent))
    negate = bool(total.negatives % 2) and total.constants == 0
    if factor != 1 and not negate:
        above.insert(0, t.constant(np.asarray(factor).astype(total.dtype)))
    if not above:
        above.append(t.constant(np.asarray(1, total.dtype)))
    result = above[0] if len(above) == 1 else t.mul(*above)
    if below:
        result = t.true_div(result, below[0] if len(below) == 1 else t.mul(*below))
    result = t.neg(result) if negate else result
    return as_dtype(result, total.dtype)


@rule("canonicalize", ("add", "mul"))
def local_single_operand(node: Apply) -> Result:
    """add(x) -> x, mul(x) -> x."""
    return [node.inputs[0]] if len(node.inputs) == 1 else None


@rule("canonicalize", ("sub",))
def local_sub_neg(node: Apply) -> Result:
    """a - (-b) -> a + b."""
    a, b = node.inputs
    inner = b.owner
    if inner is None or not is_elemwise(inner) or inner.op.row.name != "neg":
        return None
    return [t.add(a, inner.inputs[0])]


@rule("canonicalize", ("add",))
def local_add_neg(node: Apply, uses: Uses) -> Result:
    """a + (-b) -> a - b."""
    if len(node.inputs) != 2:
        return None
    for a, b in (node.inputs, node.inputs[::-1]):
        inner = b.owner
        if inner is not None and is_elemwise(inner) and inner.op.row.name == "neg":
            return [t.sub(a, inner.inputs[0])] if a.type.dtype == b.type.dtype else None
    return None


@rule("canonicalize", ("int_div",))
def local_intdiv_by_one(node: Apply) -> Result:
    """x // 1 -> x for integers."""
    x, y = node.inputs
    if constant_value(y) == 1 and x.type.dtype in DISCRETE and x.type == node.outputs[0].type:
        return [x]
    return None


def _is(variable: Variable, name: str) -> Apply | None:
    node = variable.owner
    if node is None or not is_elemwise(node) or node.op.row.name != name:
        return None
    return node


@rule("canonicalize", ("mul",))
def local_greedy_distributor(node: Apply, uses: Uses) -> Result:
    """(a / x + b / y) x y -> a y + b x: where multiplying out removes every division.

    Gradients of log-likelihoods have this form, with x and y that may underflow to 0.
    """
    out = node.outputs[0]
    if not out.type.dtype.startswith("float"):
        return None
    factors: list[Variable] = []
    stack = list(reversed(node.inputs))
    while stack:
        v = stack.pop()
        inner = _is(v, "mul") if uses(v) <= 1 and len(factors) < _LIMIT else None
        if inner is None:
            factors.append(v)
        else:
            stack.extend(reversed(inner.inputs))
    for v in factors:
        parts = _quotients(v, factors, uses)
        if parts is None:
            continue
        others = list(factors)
        others.remove(v)
        terms = [_cancelled(above, below, others) for above, below, _ in parts]
        signs = [sign for *_, sign in parts]
        made = _difference(
            [x for x, sign in zip(terms, signs, strict=True) if sign > 0],
            [x for x, sign in zip(terms, signs, strict=True) if sign < 0],
            out.type.dtype,
        )
        result = same_kind(made, out)
        return None if result is None else [result]
    return None


def _quotients(
    total: Variable, factors: Sequence[Variable], uses: Uses
) -> list[tuple[Variable, Variable, int]] | None:
    """The terms (a, x, sign) of a sum of quotients whose divisors are among ``factors``."""
    found: list[tuple[Variable, Variable, int]] = []
    stack = [(total, 1)]
    while stack:
        v, sign = stack.pop()
        if uses(v) > 1 or len(found) > 4:
            return None
        quotient = _is(v, "true_div")
        if quotient is not None and quotient.inputs[1] in factors:
            found.append((quotient.inputs[0], quotient.inputs[1], sign))
        elif (inner := _is(v, "add")) is not None:
            stack.extend((x, sign) for x in inner.inputs)
        elif (inner := _is(v, "sub")) is not None:
            stack.extend(((inner.inputs[0], sign), (inner.inputs[1], -sign)))
        elif (inner := _is(v, "neg")) is not None:
            stack.append((inner.inputs[0], -sign))
        else:
            return None
    return found if len(found) > 1 else None


def _cancelled(above: Variable, below: Variable, others: Sequence[Variable]) -> Any:
    rest = list(others)
    rest.remove(below)
    return t.mul(above, *rest) if rest else above
