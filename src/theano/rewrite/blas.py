"""Matrix products with what is scaled and added around them: one Gemm or BatchedGemm call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np

from theano.core.record import dataclass
from theano.graph.nodes import Apply, Constant, Variable
from theano.ops import index_spec
from theano.ops.batched import BatchedGemm, Matmul
from theano.ops.dot import NATIVE, Gemm
from theano.ops.index_spec import FULL
from theano.rewrite.build import constant_value, is_elemwise, owner_of, same_pattern, t
from theano.rewrite.engine import Uses, key_of
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

_LINEAR = frozenset({"add", "sub", "neg", "mul", "true_div"})

#: how deep and wide a linear combination may be
_LIMIT = 16

#: ops that multiply matrices, and those that add to another array, too
_PRODUCTS = ("Dot", "BatchedDot", "Matmul")
_GEMMS = (Gemm, BatchedGemm)


@dataclass()
class _Coefficient:
    """A number times 0-d variables, over 0-d variables."""

    number: float = 1.0
    above: tuple[Any, ...] = ()
    below: tuple[Any, ...] = ()

    def times(self, factor: Any, divide: bool = False) -> _Coefficient | None:
        """This times a number or a 0-d variable; None for a division by 0."""
        if isinstance(factor, Variable):
            if divide:
                return _Coefficient(self.number, self.above, (*self.below, factor))
            return _Coefficient(self.number, (*self.above, factor), self.below)
        if divide and not factor:
            return None
        number = self.number / factor if divide else self.number * factor
        return _Coefficient(number, self.above, self.below)

    def build(self, dtype: str) -> Any:
        """As a 0-d variable."""
        parts = list(self.above)
        if self.number != 1.0 or not parts:
            parts.insert(0, t.constant(np.asarray(self.number, dtype)))
        made = parts[0] if len(parts) == 1 else t.mul(*parts)
        if self.below:
            made = t.true_div(made, self.below[0] if len(self.below) == 1 else t.mul(*self.below))
        return made if made.type.dtype == dtype else t.cast(made, dtype)


@dataclass()
class _Combination:
    """Matrices with the coefficients that they have together."""

    terms: dict[Variable, list[_Coefficient]] = field(default_factory=dict)

    def add(self, matrix: Variable, coefficient: _Coefficient) -> None:
        """One more term."""
        self.terms.setdefault(matrix, []).append(coefficient)


def _scalar(variable: Variable) -> Any:
    """A number or 0-d variable that an all-broadcastable operand stands for; None if it is none."""
    if not all(variable.type.broadcastable):
        return None
    value = constant_value(variable)
    if value is not None:
        return float(value)
    return variable if variable.type.ndim == 0 else t.dimshuffle(variable)


def _combination(node: Apply, uses: Uses) -> _Combination | None:
    """The sum that ``node`` is, as far as it is one; None if it cannot be one of matrices."""
    out = node.outputs[0]
    total = _Combination()
    stack: list[tuple[Variable, _Coefficient]] = [(out, _Coefficient())]
    seen = 0
    while stack:
        variable, coefficient = stack.pop()
        seen += 1
        if not same_pattern(variable, out) or variable.type.dtype != out.type.dtype:
            return None
        children = None
        if (variable is out or uses(variable) <= 1) and seen < _LIMIT:
            children = _children(variable, coefficient)
        if children is None:
            total.add(variable, coefficient)
        else:
            stack.extend(reversed(children))
    return total


def _children(
    variable: Variable, coefficient: _Coefficient
) -> list[tuple[Variable, _Coefficient]] | None:
    """The terms of one node; None for a leaf."""
    node = variable.owner
    if node is None:
        return None
    if type(node.op) in _GEMMS:
        return _gemm_children(node, coefficient)
    if not is_elemwise(node) or node.op.row.name not in _LINEAR:
        return None
    name, inputs = node.op.row.name, node.inputs
    minus = coefficient.times(-1.0)
    assert minus is not None
    if name == "add":
        return [(v, coefficient) for v in inputs]
    if name == "sub":
        return [(inputs[0], coefficient), (inputs[1], minus)]
    if name == "neg":
        return [(inputs[0], minus)]
    return _scaled(name, inputs, coefficient)


def _gemm_children(
    node: Apply, coefficient: _Coefficient
) -> list[tuple[Variable, _Coefficient]] | None:
    c, alpha, a, b, beta = node.inputs
    pairs = []
    product = t.dot(a, b) if type(node.op) is Gemm else Matmul()(a, b)
    for matrix, scale in ((product, alpha), (c, beta)):
        value = constant_value(scale)
        scaled = coefficient.times(scale if value is None else float(value))
        if scaled is None:
            return None
        pairs.append((matrix, scaled))
    return pairs


def _scaled(
    name: str, inputs: Sequence[Variable], coefficient: _Coefficient
) -> list[tuple[Variable, _Coefficient]] | None:
    """A product or quotient of one matrix and scalars."""
    matrix: Variable | None = None
    found: _Coefficient | None = coefficient
    for position, v in enumerate(inputs):
        scalar = _scalar(v)
        divide = name == "true_div" and position == 1
        if scalar is None and matrix is None and not divide:
            matrix = v
        elif scalar is None or found is None:
            return None
        else:
            found = found.times(scalar, divide)
    return None if matrix is None or found is None else [(matrix, found)]


def _sum_of(coefficients: Sequence[_Coefficient], dtype: str) -> Any:
    """Coefficients of one matrix, added."""
    plain = sum(c.number for c in coefficients if not c.above and not c.below)
    parts = [c.build(dtype) for c in coefficients if c.above or c.below]
    if plain or not parts:
        parts.insert(0, t.constant(np.asarray(plain, dtype)))
    return parts[0] if len(parts) == 1 else t.add(*parts)


@rule("blas", ("add", "sub", "neg"), tags=("local_gemm", "BlasOpt"), name="GemmOptimizer")
def gemm_from_sum(node: Apply, uses: Uses) -> Result:
    """A linear combination of one product of matrices and one other array -> one Gemm.

    The same for batches of matrices -> one BatchedGemm.
    """
    out = node.outputs[0]
    if not 2 <= out.type.ndim <= 4 or out.type.dtype not in NATIVE:
        return None
    total = _combination(node, uses)
    if total is None or len(total.terms) != 2:
        return None
    products = [m for m in total.terms if owner_of(m, *_PRODUCTS) and uses(m) <= 1]
    for product in products:
        (other,) = (m for m in total.terms if m is not product)
        if not _may_be_written(other, uses) and len(products) < 2:
            return None
        inner = product.owner
        assert inner is not None
        if any(v.type.ndim != out.type.ndim for v in inner.inputs):
            continue
        dtype = out.type.dtype
        alpha, beta = (_sum_of(total.terms[m], dtype) for m in (product, other))
        op = Gemm() if out.type.ndim == 2 else BatchedGemm()
        made = op(other, alpha, *inner.inputs, beta)
        return [made] if made.type == out.type else None
    return None


def _may_be_written(matrix: Variable, uses: Uses) -> bool:
    """Whether adding into ``matrix`` saves a pass over memory.

    True of shared variables (updates) and results of products; not of expressions that are better
    computed where they are used, nor of inputs, which would have to be copied.
    """
    if isinstance(matrix, Constant):
        return False
    if matrix.owner is None:
        return hasattr(matrix, "container")
    return owner_of(matrix, *_PRODUCTS, "Gemm", "BatchedGemm") is not None and uses(matrix) <= 1


@rule("canonicalize", _PRODUCTS)
def local_0_dot_x(node: Apply) -> Result:
    """A product with zeros -> zeros."""
    out = node.outputs[0]
    if not any(constant_value(v) == 0 for v in node.inputs):
        return None
    shape = node.op.infer_shape(
        node, [tuple(t.shape_i(v, i) for i in range(v.type.ndim)) for v in node.inputs]
    )[0]
    made = t.alloc(t.constant(np.asarray(0, out.type.dtype)), *shape)
    return [made] if same_pattern(made, out) else None


@rule("canonicalize", ("DimShuffle",))
def local_lift_transpose_through_dot(node: Apply, uses: Uses) -> Result:
    """dot(x, y).T -> dot(y.T, x.T): transposes of inputs cost nothing. The same of batches."""
    inner = owner_of(node.inputs[0], *_PRODUCTS)
    if inner is None or uses(node.inputs[0]) > 1:
        return None
    ndim = node.inputs[0].type.ndim
    turned = (*range(ndim - 2), ndim - 1, ndim - 2)
    if ndim < 2 or node.op.new_order != turned or any(v.type.ndim != ndim for v in inner.inputs):
        return None
    x, y = inner.inputs
    return [inner.op(t.dimshuffle(y, *turned), t.dimshuffle(x, *turned))]


@rule("canonicalize", ("Subtensor",))
def local_subtensor_of_dot(node: Apply, uses: Uses) -> Result:
    """dot(x, y)[i] -> dot(x[i], y): only the rows and columns asked for are computed.

    Of a batch only the matrices asked for.
    """
    inner = owner_of(node.inputs[0], "Dot", "BatchedDot")
    if inner is None or uses(node.inputs[0]) > 1:
        return None
    if key_of(inner.op) == "BatchedDot":
        return _part_of_batch(node, inner)
    x, y = inner.inputs
    if x.type.ndim != 2 or y.type.ndim != 2:
        return None
    rows, columns = (*index_spec.unpack(node.op.idx_list, node.inputs[1:]), FULL, FULL)[:2]
    made = t.dot(x if index_spec.is_full(rows) else t.getitem(x, rows),
                 y if index_spec.is_full(columns) else t.getitem(y, (FULL, columns)))  # fmt: skip
    return [made] if made.type.ndim == node.outputs[0].type.ndim else None


def _part_of_batch(node: Apply, inner: Apply) -> Result:
    """batched_dot(x, y)[i] -> batched_dot(x[i], y[i]), or dot(x[i], y[i]) for one i."""
    entries = index_spec.unpack(node.op.idx_list, node.inputs[1:])
    if not entries or entries[0] is None or index_spec.is_full(entries[0]):
        return None
    first, rest = entries[0], [entry for entry in entries[1:] if not index_spec.is_full(entry)]
    if rest:
        return None
    x, y = (t.getitem(v, first) for v in inner.inputs)
    made = t.batched_dot(x, y) if isinstance(first, slice) else t.dot(x, y)
    return [made] if same_pattern(made, node.outputs[0]) else None
