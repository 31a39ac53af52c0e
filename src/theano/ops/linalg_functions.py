"""Functions of matrices made of other ops: norms, powers, products, determinants' logarithms."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from theano.core import dtypes
from theano.graph.registry import apply
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable, cast
from theano.ops.dimshuffle import dimshuffle
from theano.ops.extents import size_of, sizes_of
from theano.ops.linalg_base import (
    as_matrices,
    as_square,
    identity_of,
    linalg_dtype,
    matmul,
    mT,
)
from theano.ops.linalg_lu import Det, MatrixInverse, SLogDet
from theano.ops.linalg_solve import Solve
from theano.ops.linalg_spectral import SVD
from theano.ops.reshape import Reshape

Ord = float | int | str | None


def det(a: Any) -> Any:
    """The determinant of a square matrix, or of each of a stack.

    >>> import theano.tensor as T
    >>> float(det(T.constant([[1.0, 2.0], [3.0, 4.0]])).eval().round(6))
    -2.0
    """
    return Det()(a)


def slogdet(a: Any) -> tuple[Any, Any]:
    """The sign of the determinant and the logarithm of its absolute value, which do not overflow.

    >>> import theano.tensor as T
    >>> [float(v.eval().round(6)) for v in slogdet(T.constant([[-1.0]]))]
    [-1.0, 0.0]
    """
    sign, logarithm = SLogDet()(a)
    return sign, logarithm


def logdet(a: Any) -> Any:
    """The logarithm of the determinant: NaN where that is negative, -inf where it is 0."""
    sign, logarithm = slogdet(a)
    negative = apply("lt", sign, np.zeros((), sign.type.dtype))
    return apply("switch", negative, np.asarray(np.nan, sign.type.dtype), logarithm)


def inv(a: Any) -> Any:
    """The inverse of a square matrix, or of each of a stack; LinAlgError for a singular one.

    >>> import theano.tensor as T
    >>> inv(T.constant([[2.0, 0.0], [0.0, 4.0]])).eval().tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return MatrixInverse()(a)


def trace(x: Any, offset: int = 0) -> Any:
    """The sum of the diagonal ``offset`` of a matrix, or of each of a stack."""
    x = as_tensor_variable(x)
    if x.type.ndim < 2:
        raise TypeError(f"trace takes a matrix (or a stack of them), got {x} of type {x.type}")
    from theano.ops.diagonal import ExtractDiag

    return apply("sum", ExtractDiag(offset, x.type.ndim - 2, x.type.ndim - 1)(x), axis=-1)


def matrix_transpose(x: Any) -> Any:
    """``x`` with its last two axes exchanged."""
    x = as_tensor_variable(x)
    if x.type.ndim < 2:
        raise TypeError(f"matrix_transpose takes a matrix or a stack, got {x.type}")
    return mT(x)


def matrix_dot(*args: Any) -> Any:
    """The product of matrices, from left to right.

    >>> import theano.tensor as T
    >>> matrix_dot(T.constant([[1.0, 2.0]]), T.constant([[3.0], [4.0]])).eval().tolist()
    [[11.0]]
    """
    if not args:
        raise TypeError("matrix_dot needs at least one matrix")
    product: Callable[[Any, Any], Any] = functools.partial(apply, "dot")
    return functools.reduce(product, args[1:], as_tensor_variable(args[0]))


def multi_dot(arrays: Sequence[Any]) -> Any:
    """The product of two or more matrices (the first and the last may be vectors), in the order
    that needs least arithmetic where the types know the shapes, else from left to right.
    """
    factors = [as_tensor_variable(x) for x in arrays]
    if len(factors) < 2:
        raise ValueError("multi_dot needs at least two arrays")
    first = factors[0].type.shape
    bounds = [first[0] if len(first) == 2 else 1, *(x.type.shape[-1] for x in factors)]
    if factors[-1].type.ndim == 1:
        bounds[-2:] = [factors[-1].type.shape[0], 1]
    if None in bounds or len(factors) == 2:
        return matrix_dot(*factors)
    return _in_order(factors, bounds)


def _in_order(factors: list[Any], bounds: list[int]) -> Any:
    """Dynamic programming over the places to cut a chain of products."""
    n = len(factors)
    cost = {(i, i): 0 for i in range(n)}
    made = dict(zip(cost, factors, strict=True))
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + bounds[i] * bounds[k + 1] * bounds[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], k = min(options)
            made[i, j] = (made[i, k], made[k + 1, j])
    return _product(made[0, n - 1])


def _product(tree: Any) -> Any:
    if not isinstance(tree, tuple):
        return tree
    left, right = (_product(part) for part in tree)
    return apply("dot", left, right)


def matrix_power(M: Any, n: int) -> Any:
    """``M`` times itself ``n`` times; of its inverse for a negative ``n``, the identity for 0.

    >>> import theano.tensor as T
    >>> matrix_power(T.constant([[1.0, 1.0], [0.0, 1.0]]), 5).eval().tolist()
    [[1.0, 5.0], [0.0, 1.0]]
    """
    n = operator.index(n)
    base = as_tensor_variable(M)
    if base.type.ndim < 2:
        raise TypeError(f"matrix_power takes a matrix or a stack, got {base.type}")
    if n < 0:
        base, n = MatrixInverse()(base), -n
    if n == 0:
        return apply("zeros_like", base) + identity_of(base)
    result = None
    while True:
        if n & 1:
            result = base if result is None else matmul(result, base)
        n >>= 1
        if not n:
            return result
        base = matmul(base, base)


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product, as ``numpy.kron`` has it for any ranks.

    >>> import theano.tensor as T
    >>> kron(T.constant([[1, 10]]), T.constant([[1, 2]])).eval().tolist()
    [[1, 2, 10, 20]]
    """
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    ndim = max(a.type.ndim, b.type.ndim)
    a, b = (dimshuffle(x, *["x"] * (ndim - x.type.ndim), *range(x.type.ndim)) for x in (a, b))
    if not ndim:
        return a * b
    left = dimshuffle(a, *(axis for i in range(ndim) for axis in (i, "x")))
    right = dimshuffle(b, *(axis for i in range(ndim) for axis in ("x", i)))
    final = [sizes.mul(x, y) for x, y in zip(sizes_of(a), sizes_of(b), strict=True)]
    return Reshape(ndim)(left * right, sizes.vector(final))


def block_diag(*arrays: Any) -> Any:
    """Matrices along the diagonal of a larger one, zeros elsewhere."""
    blocks = [as_tensor_variable(x) for x in arrays]
    if not blocks or any(x.type.ndim != 2 for x in blocks):
        raise TypeError(f"block_diag takes matrices, got {[str(x.type) for x in blocks]}")
    dtype = dtypes.promote(*(x.type.dtype for x in blocks))
    rows, columns = (sizes.total(size_of(x, i) for x in blocks) for i in (0, 1))
    out, i, j = apply("zeros", (rows, columns), dtype=dtype), 0, 0
    for x in blocks:
        below, right = sizes.add(i, size_of(x, 0)), sizes.add(j, size_of(x, 1))
        out = apply("set_subtensor", out[i:below, j:right], x)
        i, j = below, right
    return out


# norms ------------------------------------------------------------------------------------------

_NAMES: Final[Mapping[str, float]] = {"inf": math.inf, "-inf": -math.inf}


def norm(x: Any, ord: Ord = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors or matrices, as ``numpy.linalg.norm`` has it.

    Parameters
    ----------
    x : array; integers become floats.
    ord : None: the root of the sum of squares; for vectors a number p, 0 (how many are not 0),
        ±inf; for matrices 1, -1, 2, -2, ±inf, 'fro', 'nuc'. 'inf' and '-inf' may be strings.
    axis : None (the whole of a vector or matrix; of any array for ``ord`` None), an int (vectors)
        or a pair (matrices).
    keepdims : keep the axes as broadcastable ones.

    >>> import theano.tensor as T
    >>> float(norm(T.constant([3.0, 4.0])).eval())
    5.0
    """
    x = as_tensor_variable(x)
    x = cast(x, linalg_dtype(x.type.dtype)) if x.type.dtype in dtypes.DISCRETE else x
    ord = _NAMES.get(ord, ord) if isinstance(ord, str) else ord
    if axis is None:
        ndim = x.type.ndim
        plain = ord is None or (ord in ("f", "fro") and ndim == 2) or (ord == 2 and ndim == 1)
        axes = tuple(range(ndim))
        if plain:
            return _root_of_squares(x, axes, keepdims)
    else:
        given = axis if isinstance(axis, (tuple, list)) else (axis,)
        axes = tuple(_axis(i, x.type.ndim) for i in given)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes[0], keepdims)
    if len(axes) == 2:
        if axes[0] == axes[1]:
            raise ValueError("norm: duplicate axes given")
        return _matrix_norm(x, ord, axes[0], axes[1], keepdims)
    raise ValueError(f"norm: improper number of dimensions to norm: {len(axes)}")


def _axis(axis: Any, ndim: int) -> int:
    number = operator.index(axis)
    if not -ndim <= number < ndim:
        raise ValueError(f"norm: axis {number} is out of range for an array of {ndim} dimensions")
    return number % ndim


def _squares(x: Any) -> Any:
    return apply("sqr", apply("abs_", x) if x.type.dtype in dtypes.COMPLEX else x)


def _root_of_squares(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return apply("sqrt", apply("sum", _squares(x), axis=axes, keepdims=keepdims))


def _vector_norm(x: Any, ord: Any, axis: int, keepdims: bool) -> Any:
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order {ord!r} for vectors")
    if ord is None or ord == 2:
        return _root_of_squares(x, (axis,), keepdims)
    sizes_ = apply("abs_", x)
    if math.isinf(ord):
        return apply("max" if ord > 0 else "min", sizes_, axis=axis, keepdims=keepdims)
    if ord == 0:
        some = apply("neq", x, np.zeros((), x.type.dtype))
        return cast(apply("sum", some, axis=axis, keepdims=keepdims), sizes_.type.dtype)
    if ord == 1:
        return apply("sum", sizes_, axis=axis, keepdims=keepdims)
    total = apply("sum", sizes_ ** np.asarray(ord, sizes_.type.dtype), axis=axis, keepdims=keepdims)
    return total ** np.asarray(1.0 / ord, sizes_.type.dtype)


def _matrix_norm(x: Any, ord: Any, row: int, column: int, keepdims: bool) -> Any:
    if ord in (None, "f", "fro"):
        return _root_of_squares(x, (row, column), keepdims)
    if ord in (2, -2, "nuc"):
        result = _spectral_norm(x, ord, row, column)
    elif ord in (1, -1, math.inf, -math.inf):
        along, across = (row, column) if abs(ord) == 1 else (column, row)
        sums = apply("sum", apply("abs_", x), axis=along, keepdims=True)
        total = apply("max" if ord > 0 else "min", sums, axis=across, keepdims=True)
        kept = [i for i in range(x.type.ndim) if i not in (row, column)]
        result = dimshuffle(total, *kept)
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    return _kept(result, x, (row, column)) if keepdims else result


def _spectral_norm(x: Any, ord: Any, row: int, column: int) -> Any:
    rest = [i for i in range(x.type.ndim) if i not in (row, column)]
    s = SVD(compute_uv=False)(dimshuffle(x, *rest, row, column))
    return apply({2: "max", -2: "min", "nuc": "sum"}[ord], s, axis=-1)


def _kept(result: Any, x: Any, axes: tuple[int, ...]) -> Any:
    rest = iter(range(result.type.ndim))
    return dimshuffle(result, *("x" if i in axes else next(rest) for i in range(x.type.ndim)))


def vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Ord = 2) -> Any:
    """The norm of vectors along ``axis`` (None: of all elements)."""
    x = as_tensor_variable(x)
    if axis is None:
        flat = norm(apply("flatten", x), ord, 0)
        return dimshuffle(flat, *["x"] * x.type.ndim) if keepdims else flat
    return norm(x, ord, axis, keepdims)


def matrix_norm(x: Any, keepdims: bool = False, ord: Ord = "fro") -> Any:
    """The norm of matrices on the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def cond(x: Any, p: Ord = None) -> Any:
    """The condition number in the norm ``p``; None: the quotient of the extreme singular values."""
    x = as_matrices(x, "cond")
    if p in (None, 2, -2):
        s = SVD(compute_uv=False)(x)
        most, least = (apply(name, s, axis=-1) for name in ("max", "min"))
        return least / most if p == -2 else most / least
    return norm(x, p, (-2, -1)) * norm(MatrixInverse()(x), p, (-2, -1))


def matrix_rank(a: Any, tol: Any = None) -> Any:
    """How many singular values exceed ``tol`` (None: the largest times max(m, n) times epsilon)."""
    a = as_matrices(a, "matrix_rank")
    s = SVD(compute_uv=False)(a)
    if tol is None:
        eps = np.asarray(np.finfo(s.type.dtype).eps, s.type.dtype)
        longest = sizes.maximum(*sizes_of(a)[-2:])
        scale = eps * cast(sizes.variable(longest), s.type.dtype)
        tol = apply("max", s, axis=-1, keepdims=True) * scale
    return apply("sum", apply("gt", s, tol), axis=-1)


def vecdot(a: Any, b: Any, axis: int = -1) -> Any:
    """The inner products of vectors along ``axis``."""
    return apply("sum", as_tensor_variable(a) * as_tensor_variable(b), axis=axis)


def cross(a: Any, b: Any) -> Any:
    """The cross products of vectors of 3 on the last axis."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    order, other = np.array([1, 2, 0]), np.array([2, 0, 1])
    return a[..., order] * b[..., other] - a[..., other] * b[..., order]


def spectral_radius_bound(X: Any, log2_exponent: int) -> Any:
    """A bound of the largest absolute eigenvalue of a symmetric ``X``: tr(X^(2^k))^(2^-k), with
    k = ``log2_exponent``; greater k, closer bound.

    Raises TypeError for what is no matrix, ValueError for k that is no integer above 0.

    >>> import theano.tensor as T
    >>> float(spectral_radius_bound(T.constant([[2.0, 0.0], [0.0, 1.0]]), 5).eval().round(6))
    2.0
    """
    x = as_tensor_variable(X)
    if x.type.ndim != 2:
        raise TypeError(f"spectral_radius_bound requires a matrix argument, got {x.type}")
    if isinstance(log2_exponent, float):
        raise ValueError("spectral_radius_bound requires an integer exponent")
    k = operator.index(log2_exponent)
    if k <= 0:
        raise ValueError("spectral_radius_bound requires a strictly positive integer exponent")
    power = x
    for _ in range(k):
        power = matmul(power, power)
    return trace(power) ** (2.0**-k)


# equations of matrices --------------------------------------------------------------------------


def solve_discrete_lyapunov(a: Any, q: Any) -> Any:
    """X with X = A X Aᵀ + Q, as one system of n² equations."""
    a, q = as_square(a, "solve_discrete_lyapunov"), as_square(q, "solve_discrete_lyapunov")
    system = kron(a, a)
    return _as_matrix_of(Solve()(identity_of(system) - system, apply("flatten", q)), q)


def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """X with A X + X Aᵀ = Q, as one system of n² equations."""
    a, q = as_square(a, "solve_continuous_lyapunov"), as_square(q, "solve_continuous_lyapunov")
    one = identity_of(a)
    return _as_matrix_of(Solve()(kron(a, one) + kron(one, a), apply("flatten", q)), q)


def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """X with A X + X B = Q, as one system of equations."""
    a, b = as_square(a, "solve_sylvester"), as_square(b, "solve_sylvester")
    q = as_matrices(q, "solve_sylvester")
    system = kron(a, identity_of(b)) + kron(identity_of(a), mT(b))
    return _as_matrix_of(Solve()(system, apply("flatten", q)), q)


def _as_matrix_of(flat: Any, like: Any) -> Any:
    if like.type.ndim != 2:
        raise TypeError(f"this equation takes matrices, got {like.type}")
    return Reshape(2)(flat, sizes.vector(sizes_of(like)))
