"""Powers with constant exponents, squares, reciprocals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from theano.graph.nodes import Apply, Variable
from theano.rewrite.build import constant_value, is_float_out, owner_of, same_kind, spread, t
from theano.rewrite.engine import key_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

#: the largest integer exponent that becomes multiplications
_LARGEST = 16


def integer_power(x: Any, n: int) -> Any:
    """``x`` to a positive integer by squarings and multiplications."""
    result: Any = None
    square = x
    while True:
        if n & 1:
            result = square if result is None else t.mul(result, square)
        n >>= 1
        if not n:
            return result
        square = t.sqr(square)


@rule("canonicalize", ("pow",))
def local_pow_canonicalize(node: Apply) -> Result:
    """x ** 0 -> 1, x ** 1 -> x, 1 ** y -> 1."""
    x, y = node.inputs
    exponent, out = constant_value(y), node.outputs[0]
    if exponent == 0 or (constant_value(x) == 1 and is_float_out(node)):
        return [spread(1, out)]
    return [spread(x, out)] if exponent == 1 else None


@rule("specialize", ("pow",))
def local_pow_specialize(node: Apply) -> Result:
    """x ** 2 -> sqr(x), x ** 0.5 -> sqrt(x), x ** -1 -> 1 / x, small integer powers -> products."""
    x, y = node.inputs
    exponent, out = constant_value(y), node.outputs[0]
    if exponent is None or exponent != exponent or abs(exponent) > _LARGEST:
        return None
    made = _power(x, float(exponent), is_float_out(node))
    if made is None:
        return None
    result = same_kind(made, out)
    if result is None or result.type.broadcastable != out.type.broadcastable:
        return None
    return [result]


def _power(x: Any, exponent: float, real: bool) -> Any:
    if not real and (exponent < 0 or exponent != int(exponent)):
        return None
    if x.type.dtype == "bool" or (not real and exponent > 2):
        return None
    size = abs(exponent)
    if size == 0.5:
        made = t.sqrt(x)
    elif size == int(size) and size > 0:
        made = integer_power(x, int(size))
    else:
        return None
    return t.inv(made) if exponent < 0 else made


@rule("specialize", ("mul",))
def local_mul_to_sqr(node: Apply) -> Result:
    """x * x -> sqr(x)."""
    if len(node.inputs) == 2 and node.inputs[0] is node.inputs[1]:
        if node.outputs[0].type.dtype == "bool":
            return None
        return [t.sqr(node.inputs[0])]
    return None


@rule("specialize", ("true_div",))
def local_one_over(node: Apply) -> Result:
    """1 / x -> inv(x); x / power of two -> x * its reciprocal."""
    x, y = node.inputs
    out = node.outputs[0]
    if constant_value(x) == 1 and y.type.dtype == out.type.dtype and is_float_out(node):
        result = same_kind(t.inv(y), out)
        return None if result is None else [result]
    divisor = constant_value(y)
    if divisor is None or not is_float_out(node) or x.type.dtype != out.type.dtype:
        return None
    size = abs(float(divisor))
    if not 2.0**-60 <= size <= 2.0**60 or size.hex().split("p")[0] != "0x1.0000000000000":
        return None
    result = same_kind(t.mul(t.constant(1.0 / float(divisor), dtype=out.type.dtype), x), out)
    return None if result is None else [result]


#: what a divisor must be computed by to be inverted once: nobody expects x / exp(s) to be exact,
#: while x / x.max() should be 1 at the maximum
_INVERTIBLE = frozenset(
    {"exp", "sqr", "sqrt", "mul", "softplus", "sigmoid", "cosh", "pow", "expm1", "log1p"}
)


@rule("specialize", ("true_div",))
def local_div_by_fewer(node: Apply) -> Result:
    """x / dimshuffle(s) -> x * dimshuffle(1 / s): fewer divisions where s is smaller."""
    x, y = node.inputs
    out = node.outputs[0]
    if not is_float_out(node) or x.type.dtype != out.type.dtype or y.type.dtype != out.type.dtype:
        return None
    view = owner_of(y, "DimShuffle")
    if view is None or y.type.broadcastable == out.type.broadcastable:
        return None
    divisor = view.inputs[0]
    if divisor.owner is None or key_of(divisor.owner.op) not in _INVERTIBLE:
        return None
    if x.type.broadcastable != out.type.broadcastable:
        return None
    return [t.mul(x, t.dimshuffle(t.inv(divisor), *view.op.new_order))]
