"""Linear algebra: solving instead of inverting, triangular matrices, logarithms of determinants.

What determinants, inverses and solutions of one matrix share is not found here: they all become
expressions of its LU factors at the end (``ops/linalg_lu.py``), which are then merged.

Ops are imported inside the rules: most functions have no linear algebra.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from theano.graph.nodes import Apply, Constant, Variable
from theano.rewrite.build import (
    constant_value,
    owner_of,
    same_dtype,
    same_kind,
    spread,
    t,
    unpadded,
)
from theano.rewrite.engine import Uses
from theano.rewrite.pattern import rule

Result = Sequence[Variable] | None

_TAGS: Final = ("linalg",)
_FLIPPED: Final = {"lower": "upper", "upper": "lower", "diagonal": "diagonal", "": ""}
_LIMIT: Final = 16  # factors of a product that are looked at
_ELEMENTS: Final = 1_000_000  # of a constant that is looked at


# what is known of a matrix ----------------------------------------------------------------------


def turned(variable: Variable) -> Variable | None:
    """The matrix of which ``variable`` is the transpose."""
    node = owner_of(variable, "DimShuffle")
    if node is None:
        return None
    n = variable.type.ndim
    order = (*range(n - 2), n - 1, n - 2)
    return node.inputs[0] if n >= 2 and tuple(node.op.new_order) == order else None


def transposed(variable: Any) -> Any:
    """The transpose of a matrix (behind a batch), not turned twice."""
    inner = turned(variable)
    n = variable.type.ndim
    if inner is not None:
        return inner
    return t.dimshuffle(variable, *range(n - 2), n - 1, n - 2)


def _of_constant(variable: Variable) -> str:
    data = variable.data if isinstance(variable, Constant) else None
    if data is None or data.ndim < 2 or not 0 < data.size <= _ELEMENTS or data.shape[-1] < 2:
        return ""
    lower, upper = not np.triu(data, 1).any(), not np.tril(data, -1).any()
    return "diagonal" if lower and upper else "lower" if lower else "upper" if upper else ""


def _of_mask(variable: Variable) -> str:
    """Where a matrix of zeros and ones is not 0."""
    node = owner_of(variable, "Tri")
    if node is not None:
        offset = constant_value(node.inputs[2])
        return "lower" if offset is not None and offset <= 0 else ""
    node = owner_of(variable, "sub")
    if node is not None and constant_value(node.inputs[0]) == 1:
        inner = owner_of(unpadded(node.inputs[1]), "Tri")
        offset = None if inner is None else constant_value(inner.inputs[2])
        return "upper" if offset is not None and offset >= -1 else ""
    return _of_constant(variable)


def _of_switch(node: Apply) -> str:
    """Which triangle a choice between something and 0 leaves."""
    condition, yes, no = node.inputs
    if constant_value(no) == 0:
        return _of_mask(unpadded(condition))
    inner = owner_of(unpadded(condition), "Tri")
    offset = None if inner is None else constant_value(inner.inputs[2])
    return "upper" if constant_value(yes) == 0 and offset is not None and offset >= -1 else ""


def structure(variable: Variable) -> str:
    """``"lower"``, ``"upper"``, ``"diagonal"`` or nothing: where alone a matrix is not 0."""
    turns = 0
    while True:
        inner = turned(variable)
        if inner is not None:
            turns += 1
        elif (node := owner_of(variable, "neg")) is not None:
            inner = node.inputs[0]
        else:
            break
        variable = inner
    found = _structure(variable)
    return _FLIPPED[found] if turns % 2 else found


def _structure(variable: Variable) -> str:
    node = variable.owner
    if node is None:
        return _of_constant(variable)
    name = type(node.op).__name__
    if name == "Cholesky":
        return "lower" if node.op.lower else "upper"
    if name == "AllocDiag":
        n = variable.type.ndim
        op: Any = node.op
        last = {op.axis1, op.axis2} == {n - 2, n - 1}
        return "diagonal" if last and op.offset == 0 else ""
    if owner_of(variable, "switch") is not None:
        return _of_switch(node)
    if owner_of(variable, "mul") is not None:
        alike = [v for v in node.inputs if v.type.ndim == variable.type.ndim]
        return next(filter(None, (_of_mask(unpadded(v)) for v in alike)), "")
    return ""


def square(variable: Variable) -> bool:
    """Whether a matrix is known to be square."""
    inner = turned(variable)
    rows, columns = variable.type.shape[-2:]
    known = rows is not None and rows == columns
    return known or owner_of(variable if inner is None else inner, "Cholesky") is not None


def triangular_factors(variable: Variable) -> list[Variable]:
    """The square triangular matrices of which a matrix is the product, left to right; or none."""
    if structure(variable):
        return [variable]
    node = owner_of(variable, "Dot", "BatchedDot", "Matmul")
    if node is None or any(v.type.ndim != variable.type.ndim for v in node.inputs):
        return []
    found = all(structure(v) and square(v) for v in node.inputs)
    return list(node.inputs) if found else []


def _diagonal(x: Variable) -> Any:
    from theano.ops.linalg_base import diagonal_of

    return diagonal_of(x)


# determinants -----------------------------------------------------------------------------------


@rule("stabilize", ("log",), tags=_TAGS)
def local_log_det(node: Apply) -> Result:
    """log(det A), log|det A|, log(det A ²) without the determinant, which overflows."""
    from theano.ops.linalg_functions import logdet, slogdet

    (x,) = node.inputs
    outer = owner_of(x, "abs_", "sqr")
    inner = owner_of(x if outer is None else outer.inputs[0], "Det")
    if inner is None or inner.inputs[0].type.dtype not in ("float32", "float64"):
        return None
    matrix = inner.inputs[0]
    made = logdet(matrix) if outer is None else slogdet(matrix)[1]
    if owner_of(x, "sqr") is not None:
        made = made * np.asarray(2, made.type.dtype)
    result = same_kind(made, node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("sgn",), tags=_TAGS)
def local_sign_det(node: Apply) -> Result:
    """sgn(det A) from the logarithm's factorisation."""
    from theano.ops.linalg_functions import slogdet

    inner = owner_of(node.inputs[0], "Det")
    if inner is None or inner.inputs[0].type.dtype not in ("float32", "float64"):
        return None
    result = same_kind(slogdet(inner.inputs[0])[0], node.outputs[0])
    return None if result is None else [result]


def _factors(variable: Variable) -> tuple[list[Variable], list[Variable]]:
    """What is multiplied and what is divided by in a product."""
    over: list[Variable] = []
    under: list[Variable] = []
    stack = [(variable, False)]
    while stack:
        v, below = stack.pop()
        node = owner_of(v, "mul", "true_div")
        if node is None or len(stack) + len(over) + len(under) > _LIMIT:
            (under if below else over).append(v)
        elif owner_of(v, "mul") is not None:
            stack.extend((x, below) for x in reversed(node.inputs))
        else:
            stack.extend(((node.inputs[1], not below), (node.inputs[0], below)))
    return over, under


@rule("stabilize", ("mul", "true_div"), tags=_TAGS)
def local_det_over_abs_det(node: Apply) -> Result:
    """det / |det| -> sgn(det), and its square is 1: gradients of log|det| must not overflow."""
    if not any(
        owner_of(unpadded(v), "Det", "abs_", "true_div", "mul") is not None for v in node.inputs
    ):
        return None
    over, under = _factors(node.outputs[0])
    found = None
    for above in over:
        base = unpadded(above)
        if owner_of(base, "Det") is None:
            continue
        below = next((v for v in under if _is_abs_of(unpadded(v), base)), None)
        if below is not None:
            found = (above, below, base)
            break
    if found is None:
        return None
    above, below, base = found
    over.remove(above)
    under.remove(below)
    sign = next((v for v in over if _is_sign_of(unpadded(v), base)), None)
    if sign is None:
        over.append(t.sgn(above))
    else:
        over.remove(sign)
    made = over[0] if len(over) == 1 else t.mul(*over) if over else None
    if under:
        below = under[0] if len(under) == 1 else t.mul(*under)
        made = t.true_div(made if made is not None else spread(1, node.outputs[0]), below)
    out = node.outputs[0]
    if made is None or made.type.ndim != out.type.ndim:
        return [spread(1 if made is None else made, out)]
    result = same_kind(made, out)
    return None if result is None else [result]


def _is_abs_of(v: Variable, base: Variable) -> bool:
    node = owner_of(v, "abs_")
    return node is not None and node.inputs[0] is base


def _is_sign_of(v: Variable, base: Variable) -> bool:
    node = owner_of(v, "sgn")
    if node is not None:
        return node.inputs[0] is base
    node = owner_of(v, "SLogDet")
    same = node is not None and base.owner is not None and node.inputs == base.owner.inputs
    return same and v.index == 0


@rule("stabilize", ("Det",), tags=_TAGS)
def local_det_of_triangular(node: Apply) -> Result:
    """Determinants of triangular matrices and of products of them: products of diagonals."""
    factors = triangular_factors(node.inputs[0])
    if not factors:
        return None
    parts = [t.prod(_diagonal(x), axis=-1) for x in factors]
    result = same_dtype(parts[0] if len(parts) == 1 else t.mul(*parts), node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("SLogDet",), tags=_TAGS)
def local_slogdet_of_triangular(node: Apply) -> Result:
    """The same, of signs and logarithms."""
    factors = triangular_factors(node.inputs[0])
    if not factors:
        return None
    diagonals = [_diagonal(x) for x in factors]
    signs = [t.prod(t.sgn(d), axis=-1) for d in diagonals]
    logarithms = [t.sum(t.log(t.abs_(d)), axis=-1) for d in diagonals]
    made = [
        same_dtype(parts[0] if len(parts) == 1 else t.add(*parts) if number else t.mul(*parts), out)
        for number, (parts, out) in enumerate(zip((signs, logarithms), node.outputs, strict=True))
    ]
    results = [v for v in made if v is not None]
    return results if len(results) == len(made) else None


@rule("stabilize", ("Det",), tags=_TAGS)
def local_det_of_inverse(node: Apply) -> Result:
    """det(A⁻¹) -> 1 / det(A)."""
    from theano.ops.linalg_functions import det

    inner = owner_of(node.inputs[0], "MatrixInverse")
    if inner is None:
        return None
    made = det(inner.inputs[0])
    result = same_dtype(t.true_div(np.ones((), made.type.dtype), made), node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("log",), tags=_TAGS)
def local_log_prod(node: Apply) -> Result:
    """log(Π x) -> Σ log(x) where no x is negative: squares, exponentials, diagonals of factors."""
    total = owner_of(node.inputs[0], "Prod")
    if total is None or node.outputs[0].type.dtype != total.inputs[0].type.dtype:
        return None
    (x,) = total.inputs
    diagonal = owner_of(x, "ExtractDiag")
    positive = diagonal is not None and (
        owner_of(turned(diagonal.inputs[0]) or diagonal.inputs[0], "Cholesky") is not None
    )
    if not positive and owner_of(x, "exp", "sqr") is None:
        return None
    made = t.sum(t.log(x), axis=list(total.op.axis))
    result = same_kind(made, node.outputs[0])
    return None if result is None else [result]


# inverses and equations -------------------------------------------------------------------------


def _inverted(variable: Variable) -> Variable | None:
    """A where ``variable`` is A⁻¹ or (Aᵀ)⁻¹ = (A⁻¹)ᵀ."""
    inner = turned(variable)
    node = owner_of(variable if inner is None else inner, "MatrixInverse")
    if node is None:
        return None
    return node.inputs[0] if inner is None else transposed(node.inputs[0])


def _pays(inverse: Variable, other: Variable, uses: Uses) -> bool:
    """Whether solving is not slower: the inverse is not needed otherwise, or one column is."""
    inner = turned(inverse)
    single = uses(inverse) <= 1 and (inner is None or uses(inner) <= 1)
    return single or other.type.ndim == 1 or any(other.type.broadcastable[-2:])


@rule("stabilize", ("Dot", "BatchedDot", "Matmul"), tags=("local_inv_as_solve", *_TAGS))
def local_inverse_to_solve(node: Apply, uses: Uses) -> Result:
    """A⁻¹ b -> solve(A, b), and b A⁻¹ -> solve(Aᵀ, bᵀ)ᵀ: fewer operations and more digits."""
    from theano.ops.linalg_solve import Solve

    left, right = node.inputs
    made = None
    matrix = _inverted(left)
    alike = right.type.ndim == left.type.ndim or right.type.ndim == 1
    if matrix is not None and alike and _pays(left, right, uses):
        made = Solve()(matrix, right)
    matrix = _inverted(right)
    alike = left.type.ndim == right.type.ndim or left.type.ndim == 1
    if made is None and matrix is not None and alike and _pays(right, left, uses):
        vector = left.type.ndim == 1
        made = Solve()(transposed(matrix), left if vector else transposed(left))
        made = made if vector else transposed(made)
    result = None if made is None else same_dtype(made, node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("Solve",), tags=("tag_solve_triangular", *_TAGS))
def local_solve_triangular(node: Apply) -> Result:
    """Equations with triangular matrices, or products of them (L Lᵀ), need no factorisation."""
    from theano.ops.linalg_solve import Solve

    a, b = node.inputs
    op: Any = node.op
    if type(op) is not Solve or op.triangular:
        return None
    factors = triangular_factors(a)
    if not factors or any(v.type.dtype != a.type.dtype for v in factors):
        return None
    x = b
    for factor in factors:
        kind = "upper" if structure(factor) == "upper" else "lower"
        x = Solve(f"{kind}_triangular")(factor, x)
    result = same_dtype(x, node.outputs[0])
    return None if result is None else [result]


@rule("canonicalize", ("MatrixInverse",), tags=("local_inv_inv", *_TAGS))
def local_inverse_of_inverse(node: Apply) -> Result:
    """(A⁻¹)⁻¹ -> A, also through transposes."""
    matrix = _inverted(node.inputs[0])
    result = None if matrix is None else same_dtype(matrix, node.outputs[0])
    return None if result is None else [result]


@rule("stabilize", ("MatrixInverse",), tags=_TAGS)
def local_inverse_of_triangular(node: Apply) -> Result:
    """The inverse of a triangular matrix by solving for the identity."""
    from theano.ops.linalg_base import identity_of
    from theano.ops.linalg_solve import Solve

    (x,) = node.inputs
    kind = structure(x)
    if not kind:
        return None
    op = Solve(f"{'upper' if kind == 'upper' else 'lower'}_triangular")
    result = same_dtype(op(x, identity_of(x)), node.outputs[0])
    return None if result is None else [result]


def _outer(variable: Variable) -> tuple[Variable, Variable] | None:
    """A column and a row of which a matrix is the product."""
    node = owner_of(variable, "Dot", "mul")
    if node is None or variable.type.broadcastable != (False, False):
        return None
    patterns = [v.type.broadcastable for v in node.inputs]
    if any(pattern == (False, False) for pattern in patterns):
        return None
    rows = [v for v, p in zip(node.inputs, patterns, strict=True) if p == (True, False)]
    columns = [v for v, p in zip(node.inputs, patterns, strict=True) if p != (True, False)]
    if not rows or not any(v.type.broadcastable == (False, True) for v in columns):
        return None
    column, row = (v[0] if len(v) == 1 else t.mul(*v) for v in (columns, rows))
    return column, row


@rule("canonicalize", ("Dot",), tags=_TAGS)
def local_dot_of_outer(node: Apply) -> Result:
    """A (u vᵀ) -> (A u) vᵀ, (u vᵀ) A -> u (vᵀ A): gradients of products with inverses."""
    left, right = node.inputs
    if left.type.ndim != 2 or right.type.ndim != 2:
        return None
    pair = _outer(right)
    if pair is not None and not left.type.broadcastable[1]:
        made = t.mul(t.dot(left, pair[0]), pair[1])
    else:
        pair = _outer(left)
        if pair is None or right.type.broadcastable[0]:
            return None
        made = t.mul(pair[0], t.dot(pair[1], right))
    result = same_dtype(made, node.outputs[0])
    return None if result is None else [result]


@rule("specialize", ("Sum",), tags=_TAGS)
def local_trace_of_product(node: Apply) -> Result:
    """tr(A B) -> Σ A ∘ Bᵀ: as many products as there are elements."""
    diagonal = owner_of(node.inputs[0], "ExtractDiag")
    product = None if diagonal is None else owner_of(diagonal.inputs[0], "Dot")
    if diagonal is None or product is None or any(v.type.ndim != 2 for v in product.inputs):
        return None
    a, b = product.inputs
    op: Any = diagonal.op
    if op.offset or not is_float(a) or not _fit(a, b):
        return None
    total = t.sum(t.mul(a, transposed(b)), axis=(0, 1))
    result = same_dtype(total, node.outputs[0])
    return None if result is None else [result]


def is_float(v: Variable) -> bool:
    """Whether an array holds real floats."""
    return str(v.type.dtype).startswith("float")


def _fit(a: Variable, b: Variable) -> bool:
    """Whether A B is known to be square: else its diagonal is shorter than A and Bᵀ."""
    if a.type.shape[0] is not None and a.type.shape[0] == b.type.shape[1]:
        return True
    inner = turned(b)
    return inner is a or (square(a) and square(b))
