"""Linear equations: general, triangular and positive definite matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np

from theano.graph.nodes import Apply
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.linalg_base import (
    NATIVE,
    LinalgOp,
    aligned,
    as_column,
    as_square,
    begin,
    check_square,
    fold_batch,
    linalg_dtype,
    mT,
    need_same,
    need_square,
    outer,
    spread_batch,
    stacked,
    triangle,
)
from theano.ops.linalg_lu import LUSolve, factor, untransposed

MATRIX_STRUCTURES: Final = (
    "general", "symmetric", "lower_triangular", "upper_triangular", "hermitian", "banded",
    "diagonal", "toeplitz",
)  # fmt: skip


def _prepared(a: Any, b: Any, what: str) -> tuple[Any, Any]:
    """Square ``a`` and ``b`` with common dtype and leading axes."""
    a, b = as_square(a, what), as_tensor_variable(b)
    if b.type.ndim == 0:
        raise TypeError(f"{what}: the right-hand side must have 1 or more axes, got {b.type}")
    dtype = linalg_dtype(a.type.dtype, b.type.dtype)
    return aligned(cast(a, dtype), cast(b, dtype), what)


def _check_rows(a: Any, b: Any, what: str) -> None:
    check_square(what, a)
    rows = b.shape[0] if b.ndim == 1 else b.shape[-2]
    if rows != a.shape[-1]:
        raise ValueError(f"{what}: shapes {a.shape} and {b.shape} do not fit together")
    if a.ndim > 2 and a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"{what}: the stacks {a.shape} and {b.shape} differ in their leading axes")


class TriangularSolve(LinalgOp):
    """X with op(T) X = B, or X op(T) = B if ``right``; op(T) is T, or Tᵀ if ``trans``.

    ``below`` (argument ``lower``) says which triangle of T counts; ``unit`` that its diagonal is
    taken as ones. A zero on the diagonal is a LinAlgError.
    """

    __props__: ClassVar[tuple[str, ...]] = ("below", "trans", "unit", "right")
    lowering = "step"

    def __init__(
        self, lower: bool = True, trans: bool = False, unit: bool = False, right: bool = False
    ) -> None:
        self.below, self.trans = bool(lower), bool(trans)
        self.unit, self.right = bool(unit), bool(right)

    def make_node(self, t: Any, b: Any) -> Apply:
        t, b = _prepared(t, b, "TriangularSolve")
        op = self if t.type.dtype in NATIVE else TriangularSolvePython(*self._options)
        return Apply(op, [t, b], [b.type()])

    @property
    def _options(self) -> tuple[bool, bool, bool, bool]:
        return self.below, self.trans, self.unit, self.right

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[1])]

    def reference(self, node: Apply, t: Any, b: Any) -> Any:
        from scipy.linalg import solve_triangular as scipy_solve

        if self.right:
            check_square("TriangularSolve", t)
            if b.shape[-1] != t.shape[-1]:
                raise ValueError(f"TriangularSolve: shapes {b.shape} and {t.shape} do not fit")
        else:
            _check_rows(t, b, "TriangularSolve")
        if not b.size:
            return np.array(b)

        def one(matrix: Any, values: Any) -> Any:
            if not self.unit and not np.all(np.diagonal(matrix)):
                raise np.linalg.LinAlgError("a triangular matrix is singular: 0 on its diagonal")
            given = values.T if self.right else values
            result = scipy_solve(
                matrix, given, lower=self.below, trans=int(self.trans != self.right),
                unit_diagonal=self.unit, check_finite=False,
            )  # fmt: skip
            return result.T if self.right else result

        return stacked(one, t, b)

    def lower(self, node: Apply, low: Any) -> None:
        """One trsm per matrix."""
        t, b = node.inputs
        (out,) = node.outputs
        need_square(low, node, t)
        dims, right = low.sizes.dims[t], low.sizes.dims[b]
        vector = b.type.ndim == 1
        side = right[-1:] if vector or self.right else right[-2:-1]
        need_same(low, node, dims[-1:], side)
        if t.type.ndim > 2:
            need_same(low, node, dims[:-2], right[:-2])
        x = begin(low, b, out)
        if vector:
            n = low.dim(x, 0)
            x = low.reshaped(x, (1, 1, n) if self.right else (1, n, 1))
        else:
            x = fold_batch(low, x)
        matrices = spread_batch(low, low.array(t), x)
        flags = (self.right, self.below, self.trans, self.unit)
        low.routine("trsolve", (x, matrices), tuple(map(int, flags)))

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """B̄ solves with the transposed matrix; T̄ = -B̄ Xᵀ (Giles 2008, 2.3.1), in the triangle."""
        t, b = inputs
        back = TriangularSolve(self.below, not self.trans, self.unit, self.right)
        b_bar = back(t, output_grads[0])
        x = self(t, b)
        first, second = (x, b_bar) if self.right else (b_bar, x)
        if self.right and b.type.ndim > 1:
            first, second = mT(first), mT(second)
        t_bar = outer(second, first) if self.trans else outer(first, second)
        if t.type.ndim < t_bar.type.ndim:
            t_bar = t_bar.sum(axis=tuple(range(t_bar.type.ndim - 2)))
        return [-triangle(t_bar, self.below, self.unit), b_bar]

    def __str__(self) -> str:
        words = ["lower" if self.below else "upper"]
        words += [word for word in ("trans", "unit", "right") if getattr(self, word)]
        return f"TriangularSolve{{{', '.join(words)}}}"


class TriangularSolvePython(TriangularSolve):
    """TriangularSolve of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


class Solve(LinalgOp):
    """X with A X = B.

    Parameters
    ----------
    A_structure : one of MATRIX_STRUCTURES; triangular ones read one triangle only, all others are
        solved by LU factors.
    lower : kept for 'symmetric' and its like; a triangular structure says it by its name.
    overwrite_A, overwrite_b : no meaning; storage is planned as a whole.

    ``A`` is one matrix or a stack, ``b`` a vector, a matrix, or a stack of matrices. Raises
    LinAlgError for a singular matrix, ValueError (ShapeError where types know it) for shapes that
    do not fit.
    """

    __props__: ClassVar[tuple[str, ...]] = ("A_structure", "lower", "overwrite_A", "overwrite_b")
    lowering = "expand"

    def __init__(
        self, A_structure: str = "general", lower: bool = False, overwrite_A: bool = False,
        overwrite_b: bool = False,
    ) -> None:  # fmt: skip
        if A_structure not in MATRIX_STRUCTURES:
            raise ValueError(
                f"Invalid matrix structure argument {A_structure!r}: one of {MATRIX_STRUCTURES}"
            )
        self.A_structure = A_structure
        self.lower = bool(lower)
        self.overwrite_A, self.overwrite_b = bool(overwrite_A), bool(overwrite_b)

    @property
    def triangular(self) -> str:
        """``"lower"``, ``"upper"`` or nothing."""
        word, _, rest = self.A_structure.partition("_")
        return word if rest == "triangular" else ""

    def make_node(self, A: Any, b: Any) -> Apply:
        a, b = _prepared(A, b, "Solve")
        return Apply(self, [a, b], [b.type()])

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [tuple(input_shapes[1])]

    def reference(self, node: Apply, a: Any, b: Any) -> Any:
        _check_rows(a, b, "Solve")
        if not b.size:
            return np.array(b)
        if self.triangular:
            op = TriangularSolve(self.triangular == "lower")
            return op.reference(node, a, b)
        return np.linalg.solve(a, b)

    def expand(self, node: Apply) -> list[Any]:
        """From LU factors, or a triangular solve."""
        a, b = node.inputs
        if a.type.dtype not in NATIVE:
            return list(SolvePython(self.A_structure, self.lower).make_node(a, b).outputs)
        plain, turned = untransposed(a)
        if self.triangular:
            return [TriangularSolve((self.triangular == "lower") != turned, turned)(plain, b)]
        return [LUSolve(turned)(*factor(plain), b)]

    def gradient(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        """B̄ = A⁻ᵀ X̄, Ā = -B̄ Xᵀ (Giles 2008, 2.3.1)."""
        a, b = inputs
        flipped = {"lower_triangular": "upper_triangular", "upper_triangular": "lower_triangular"}
        back = Solve(flipped.get(self.A_structure, self.A_structure), not self.lower)
        b_bar = back(mT(a), output_grads[0])
        a_bar = -outer(b_bar, self(a, b))
        if a.type.ndim < a_bar.type.ndim:
            a_bar = a_bar.sum(axis=tuple(range(a_bar.type.ndim - 2)))
        if self.triangular:
            a_bar = triangle(a_bar, self.triangular == "lower")
        return [a_bar, b_bar]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        from theano.ops.linalg_base import matmul

        (a, b), (da, db) = inputs, eval_points
        if self.triangular or (da is not None and b.type.ndim != a.type.ndim):
            # The formula is one of whole matrices: else Rop goes twice through the gradient.
            raise NotImplementedError(f"{self} has no R-operator for a triangle or a vector")
        force = [] if db is None else [db]
        if da is not None:
            force.append(-matmul(da, self(a, b)))
        if not force:
            return [None]
        return [self(a, force[0] if len(force) == 1 else force[0] + force[1])]

    def __str__(self) -> str:
        return f"Solve{{{self.A_structure}}}"


class SolvePython(Solve):
    """Solve of complex matrices."""

    lowering = "python"
    why = "native code has no complex numbers"


def solve(
    a: Any, b: Any, assume_a: str = "gen", lower: bool = False, transposed: bool = False
) -> Any:
    """X with ``a`` X = ``b`` (``aᵀ`` X = ``b`` if ``transposed``).

    Parameters
    ----------
    a : a square matrix, or a stack of them.
    b : a vector, a matrix, or a stack of matrices; leading axes stretch against those of ``a``.
    assume_a : 'gen' (or 'general'); 'pos': symmetric positive definite, by its Cholesky factor;
        'sym', 'her': as 'gen'; 'lower triangular', 'upper triangular'; 'diagonal'.
    lower : which triangle 'pos' reads.

    Floats; integers become float64. Raises LinAlgError at run time for a singular matrix (or one
    that is not positive definite), ValueError where shapes do not fit.

    >>> import theano.tensor as T
    >>> solve(T.constant([[2.0, 0.0], [0.0, 4.0]]), T.constant([2.0, 2.0])).eval().tolist()
    [1.0, 0.5]
    """
    a, b = as_square(a, "solve"), as_tensor_variable(b)
    if b.type.ndim == 1 and a.type.ndim > 2:
        column = solve(a, as_column(b), assume_a, lower, transposed)
        return column[..., 0]
    words = assume_a.replace("_", " ")
    if words in ("pos", "positive definite"):
        from theano.ops.linalg_cholesky import cho_solve, cholesky

        return cho_solve((cholesky(a, lower), lower), b)
    if words in ("diag", "diagonal"):
        from theano.ops.linalg_base import diagonal_of

        diagonal = diagonal_of(a)
        return b / (diagonal if b.type.ndim == 1 else as_column(diagonal))
    if words in ("lower triangular", "upper triangular"):
        return solve_triangular(a, b, transposed, words.startswith("lower"))
    if words not in _GENERAL:
        raise ValueError(f"solve: assume_a must be one of {(*_GENERAL, *_SPECIAL)}: {assume_a!r}")
    return Solve()(mT(a) if transposed else a, b)


_GENERAL: Final = ("gen", "general", "sym", "symmetric", "her", "hermitian")
_SPECIAL: Final = ("pos", "diagonal", "lower triangular", "upper triangular")
_TRANS: Final = {0: False, 1: True, 2: True, "N": False, "T": True, "C": True}


def solve_triangular(
    a: Any, b: Any, trans: int | str | bool = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """X with op(``a``) X = ``b`` for a triangular ``a``; the other triangle is not read.

    Parameters
    ----------
    a : a square matrix, or a stack of them.
    b : a vector, a matrix, or a stack of matrices.
    trans : 0 or 'N': op(a) = a; 1, 2, 'T', 'C': its transpose.
    lower : whether the lower triangle counts.
    unit_diagonal : take the diagonal as ones.

    Raises LinAlgError at run time for a zero on the diagonal.

    >>> import theano.tensor as T
    >>> a = T.constant([[2.0, 9.0], [1.0, 1.0]])
    >>> solve_triangular(a, T.constant([2.0, 2.0]), lower=True).eval().tolist()
    [1.0, 1.0]
    """
    if trans not in _TRANS:
        raise ValueError(f"solve_triangular: trans must be one of {list(_TRANS)}, got {trans!r}")
    a, b = as_square(a, "solve_triangular"), as_tensor_variable(b)
    op = TriangularSolve(lower, _TRANS[trans], unit_diagonal)
    if b.type.ndim == 1 and a.type.ndim > 2:
        column = op(a, as_column(b))
        return column[..., 0]
    return op(a, b)
