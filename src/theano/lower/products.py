"""Matrix products as library calls: gemm for one, a routine for many or for other dtypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from theano.graph.nodes import Apply, Variable
from theano.lower import program as pg
from theano.lower.context import Context, Move
from theano.lower.uses import resolve

BLAS_DTYPES: Final = ("float32", "float64")
_ONE: Final[Move] = (None, 1, 1)

#: ops that add to their first input, in its own storage where that is free
ACCUMULATE: Final = frozenset({"Gemm", "BatchedGemm"})


def take_over(low: Context, source: Variable, out: Variable) -> str:
    """An array for ``out`` that starts as ``source``: its own storage if free, else a copy."""
    if out in low.donations:
        return low.alloc(out)
    if low.is_free(source):
        name = low.array(source)
        low.define(out, name)
        return name
    target = low.alloc(out)
    low.copy(low.array(source), target)
    return target


# one product --------------------------------------------------------------------------------------


def _as_matrices(low: Context, names: Sequence[str], node: Apply, at: int) -> list[list[Move]]:
    """The axes of views of C, A and B in which vectors are rows or columns, behind ``at`` axes."""
    result, left, right = (low.full_view(name) for name in names)
    if node.inputs[0].type.ndim == at + 1:
        left.insert(at, _ONE)
        result.insert(at, _ONE)
    if node.inputs[1].type.ndim == at + 1:
        right.append(_ONE)
        result.append(_ONE)
    return [result, left, right]


def dot(low: Context, node: Apply) -> None:
    """``dot(a, b)`` for ranks 1 and 2."""
    out = node.outputs[0]
    names = (low.alloc(out), *map(low.array, node.inputs))
    axes = _as_matrices(low, names, node, 0)
    pairs = zip(names, axes, (out, *node.inputs), strict=True)
    if out.type.dtype in BLAS_DTYPES:
        arrays = [n if v.type.ndim == 2 else low.view(n, (), moves) for n, moves, v in pairs]
        low.add(pg.Call("gemm", tuple(arrays), (1.0, 0.0)))
    else:
        low.routine("product", [low.view(n, (), [_ONE, _ONE, *moves]) for n, moves, _ in pairs])


def gemm(low: Context, node: Apply) -> None:
    """``Gemm(C, alpha, A, B, beta)``: C is copied first unless its storage is free."""
    c, alpha, a, b, beta = node.inputs
    out = node.outputs[0]
    factors = (low.scalar(alpha), low.scalar(beta))
    left, right = low.array(a), low.array(b)
    fresh = low.literal(factors[1]) == 0
    target = low.alloc(out) if fresh else take_over(low, c, out)
    low.add(pg.Call("gemm", (target, left, right), tuple(low.arg(f) for f in factors)))


# many products ------------------------------------------------------------------------------------


def batched_dot(low: Context, node: Apply) -> None:
    """One product per position of the first axis; vectors are rows or columns."""
    out = node.outputs[0]
    names = (low.alloc(out), *map(low.array, node.inputs))
    axes = _as_matrices(low, names, node, 1)
    arrays = [low.view(n, (), [_ONE, *moves]) for n, moves in zip(names, axes, strict=True)]
    _call(low, out.type.dtype, arrays, (1.0, 0.0))


def matmul(low: Context, node: Apply) -> None:
    """One product per position of the batch axes, which stretch.

    Many matrices times one are one product of all rows, unless that needed a copy.
    """
    a, b = node.inputs
    out = node.outputs[0]
    names = (low.alloc(out), low.array(a), low.array(b))
    if _one_for_all(out, a, b):
        _all_rows(low, out, names, (1.0, 0.0))
    else:
        _call(low, out.type.dtype, _stacked(low, node, names, (out, a, b)), (1.0, 0.0))


def _one_for_all(out: Variable, a: Variable, b: Variable) -> bool:
    """Whether all matrices of A are multiplied with one, and lie in memory in their order, as far
    as one can see."""
    order = [d for d in resolve(a, fills=False)[1] if d is not None]
    alike = a.type.broadcastable[:-2] == out.type.broadcastable[:-2]
    return alike and all(b.type.broadcastable[:-2]) and order == sorted(order)


def _all_rows(low: Context, out: Variable, names: Sequence[str], factors: Sequence[pg.Arg]) -> None:
    """One product: the batch axes of C and A become rows."""
    (*batch, rows, columns), depth = low.full_view(names[0]), low.full_view(names[1])[-1]
    count = rows[1]
    for _, extent, _ in batch:
        count = low.let("mul", count, extent)
    arrays = [
        low.reshaped(names[0], (count, columns[1])),
        low.reshaped(names[1], (count, depth[1])),
        low.view(names[2], (), low.full_view(names[2])[-2:]),
    ]
    if out.type.dtype in BLAS_DTYPES:
        low.add(pg.Call("gemm", tuple(arrays), tuple(factors)))
    else:
        stacked = [low.view(name, (), [_ONE, _ONE, *low.full_view(name)]) for name in arrays]
        low.routine("product", stacked)


def batched_gemm(low: Context, node: Apply) -> None:
    """``BatchedGemm(C, alpha, A, B, beta)``: C is copied first unless its storage is free."""
    c, alpha, a, b, beta = node.inputs
    out = node.outputs[0]
    factors = [low.scalar(v) for v in (alpha, beta)]
    left, right = low.array(a), low.array(b)
    fresh = low.literal(factors[1]) == 0
    target = low.alloc(out) if fresh else take_over(low, c, out)
    names = (target, left, right)
    # Storage of a shared variable may have any strides: it cannot be made a matrix.
    if _one_for_all(out, a, b) and out not in low.donations:
        _all_rows(low, out, names, [low.arg(f) for f in factors])
        return
    arrays = _stacked(low, node, names, (out, a, b))
    _call(low, out.type.dtype, arrays, [low.arg(low.k.cast(f, "float64")) for f in factors])


def _call(low: Context, dtype: str, arrays: Sequence[str], factors: Sequence[pg.Arg]) -> None:
    if dtype in BLAS_DTYPES:
        low.flush()
        low.add(pg.Call("batched_gemm", tuple(arrays), tuple(factors)))
    else:
        low.routine("product", arrays)


def _stacked(
    low: Context, node: Apply, names: Sequence[str], variables: Sequence[Variable]
) -> list[str]:
    """C, A and B with two batch axes each: an axis along which one repeats has stride 0 there."""
    rank = variables[0].type.ndim
    axes = [d for d in range(rank - 2) if not variables[0].type.broadcastable[d]]
    repeats = [tuple(bool(v.type.broadcastable[d]) for v in variables[1:]) for d in axes]
    if len(axes) > 2:
        return _merged(low, names, axes, repeats)
    result = []
    for name, variable in zip(names, variables, strict=True):
        full = low.full_view(name)
        batch = [
            (None, low.dim(names[0], d), 1) if variable.type.broadcastable[d] else full[d]
            for d in axes
        ]
        moves = [*[_ONE] * (2 - len(batch)), *batch, *full[-2:]]
        result.append(low.view(name, (), moves))
    return result


def _merged(
    low: Context, names: Sequence[str], axes: Sequence[int], repeats: Sequence[tuple[bool, ...]]
) -> list[str]:
    """The same where there are more: neighbours that repeat alike become one axis."""
    runs: list[list[int]] = []
    for position in range(len(axes)):
        if position and repeats[position] == repeats[position - 1]:
            runs[-1].append(position)
        else:
            runs.append([position])
    target = names[0]
    factors: list[str] = list(names[1:])
    if len(runs) > 2:
        factors = [_repeated(low, name, target) for name in factors]
        repeats = [(False, False)] * len(axes)
        runs = [list(range(len(axes)))]
    result = []
    for number, name in enumerate((target, *factors)):
        full = low.full_view(name)
        sizes, stretched = [], []
        for run in runs:
            alone = number > 0 and repeats[run[0]][number - 1]
            size = low.k.const(1, "int64")
            for position in run:
                size = low.let("mul", size, low.dim(target, axes[position]))
            sizes.append(low.k.const(1, "int64") if alone else size)
            stretched.append(size if alone else None)
        folded = low.reshaped(name, [*sizes, full[-2][1], full[-1][1]])
        again = low.full_view(folded)
        for i, extent in enumerate(stretched):
            if extent is not None:
                again[i] = (None, extent, 1)
        result.append(low.view(folded, (), [*[_ONE] * (2 - len(runs)), *again]))
    return result


def _repeated(low: Context, name: str, target: str) -> str:
    """A copy of a factor with the batch extents of ``target``."""
    rank = len(low.array_dims[target])
    batch = [low.dim(target, d) for d in range(rank - 2)]
    own = [low.dim(name, d) for d in (rank - 2, rank - 1)]
    copy = low.allocate(low.array_dtype[name], [*batch, *own])
    low.copy(name, copy)
    return copy


CALLS: Final[dict[str, Callable[[Context, Apply], None]]] = {
    "Dot": dot, "Gemm": gemm, "BatchedDot": batched_dot, "Matmul": matmul,
    "BatchedGemm": batched_gemm,
}  # fmt: skip


# extents ------------------------------------------------------------------------------------------

Pairs = list[tuple[int, int, int, int]]


def extents_that_agree(node: Apply) -> Pairs:
    """(input, axis, input, axis) pairs whose extents a product needs to be equal."""
    return _EXTENTS[type(node.op).__name__](node)


def _dot_extents(node: Apply) -> Pairs:
    return [(0, node.inputs[0].type.ndim - 1, 1, 0)]


def _gemm_extents(node: Apply) -> Pairs:
    return [(2, 1, 3, 0), (0, 0, 2, 0), (0, 1, 3, 1)]


def _batched_dot_extents(node: Apply) -> Pairs:
    return [(0, 0, 1, 0), (0, node.inputs[0].type.ndim - 1, 1, 1)]


def _stretching(node: Apply, first: int, second: int, rank: int) -> Pairs:
    a, b = node.inputs[first].type.broadcastable, node.inputs[second].type.broadcastable
    return [(first, d, second, d) for d in range(rank - 2) if not a[d] and not b[d]]


def _matmul_extents(node: Apply) -> Pairs:
    rank = node.outputs[0].type.ndim
    return [*_stretching(node, 0, 1, rank), (0, rank - 1, 1, rank - 2)]


def _batched_gemm_extents(node: Apply) -> Pairs:
    rank = node.outputs[0].type.ndim
    pairs = [(2, rank - 1, 3, rank - 2), (0, rank - 2, 2, rank - 2), (0, rank - 1, 3, rank - 1)]
    for factor in (2, 3):
        pairs += _stretching(node, 0, factor, rank)
    return pairs


_EXTENTS: Final[dict[str, Callable[[Apply], Pairs]]] = {
    "Dot": _dot_extents, "Gemm": _gemm_extents, "BatchedDot": _batched_dot_extents,
    "Matmul": _matmul_extents, "BatchedGemm": _batched_gemm_extents,
}  # fmt: skip
