"""Sums of the squares of what a product is added to, in the call of that product.

A penalty on the squares of weights costs a pass over them, and the product that updates them in
place reads them once more. ``gemm_squares`` does both at once; what needs the sum comes after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from theano.kernel import ir
from theano.lower import memory
from theano.lower import program as pg
from theano.lower.products import BLAS_DTYPES

#: Steps that may wait for the product: they cannot fail, and make no new storage.
_PATIENT: Final = (pg.Let, pg.Dim, pg.Peek, pg.Poke, pg.View, pg.Launch)


class _Ride(NamedTuple):
    """A kernel that sums squares and the product behind it, by position; who waits for both."""

    launch: int
    call: int
    both: pg.Call
    waiting: frozenset[int]


def ride(
    steps: Sequence[pg.Step], params: Sequence[pg.Param]
) -> tuple[list[pg.Step], list[tuple[pg.Step, pg.Step, pg.Step]]]:
    """``steps`` with sums of squares in products; (kernel, product, both) for each."""
    found = list(steps)
    origins: list[tuple[pg.Step, pg.Step, pg.Step]] = []
    roots = memory.storage_roots(steps)
    static = {param.name: param.static for param in params}
    position = 0
    while position < len(found):
        one = _ride(found, position, static, roots)
        if one is None:
            position += 1
            continue
        origins.append((found[one.launch], found[one.call], one.both))
        waiting = [found[i] for i in sorted(one.waiting)]
        away = {one.launch, one.call, *one.waiting}
        between = [found[i] for i in range(one.launch, one.call) if i not in away]
        found[one.launch : one.call + 1] = [*between, one.both, *waiting]
    return found, origins


def _ride(
    steps: Sequence[pg.Step], position: int, static: Mapping[str, Sequence[int | None]],
    roots: Mapping[str, str],
) -> _Ride | None:  # fmt: skip
    launch = steps[position]
    if not isinstance(launch, pg.Launch):
        return None
    names = _square_sum(launch)
    if names is None:
        return None
    weights, total = names
    if weights not in static:
        return None
    later = range(position + 1, len(steps))
    at = next((i for i in later if weights in _storage(roots, memory.written(steps[i]))), None)
    call = None if at is None else steps[at]
    if at is None or not isinstance(call, pg.Call) or call.function != "gemm":
        return None
    if call.arrays[0] != weights or call.scalars[1] == 0:
        return None
    if not _all_of(steps[:at], launch, weights, static[weights]):
        return None
    waiting = _waiting(steps, roots, range(position + 1, at + 1), (weights, total))
    if waiting is None:
        return None
    arrays = (weights, total, *call.arrays[1:])
    both = replace(call, function="gemm_squares", arrays=arrays, writes=2)
    return _Ride(position, at, both, frozenset(waiting))


def _storage(roots: Mapping[str, str], arrays: Sequence[str]) -> set[str]:
    return {roots.get(a, a) for a in arrays}


def _waiting(
    steps: Sequence[pg.Step], roots: Mapping[str, str], span: range, names: tuple[str, str]
) -> list[int] | None:
    """Steps that need the sum and can come after the product, the last of ``span``; or None."""
    weights, total = names
    changed = {total}  # arrays and registers that are not there before
    read: set[str] = set()  # arrays that waiting steps read
    found: list[int] = []
    for i in span:
        step = steps[i]
        arrays, registers = memory.reads(step)
        storage = _storage(roots, arrays)
        writes = _storage(roots, memory.written(step))
        if storage & changed or changed & set(registers):
            if i == span[-1] or weights in storage or not _patient(step):
                return None
            found.append(i)
            changed |= writes | set(memory.defined(step))
            read |= storage
        elif writes & read:
            return None
    return found


def _patient(step: pg.Step) -> bool:
    if not isinstance(step, _PATIENT):
        return False
    stages = step.kernel.stages if isinstance(step, pg.Launch) else ()
    return not any(isinstance(s, ir.Fail) for stage in stages for s in stage.body)


def _all_of(
    before: Sequence[pg.Step], launch: pg.Launch, weights: str, static: Sequence[int | None]
) -> bool:
    """Whether a kernel runs over all elements of a matrix that is there from the beginning."""
    operand = next(o for o in launch.operands if o.array == weights)
    alike = _equal(before)
    extents: set[tuple[int, pg.Arg]] = {(i, n) for i, n in enumerate(static) if n is not None}
    dims = (step for step in before if isinstance(step, pg.Dim) and step.array == weights)
    extents |= {(step.axis, _first(alike, step.out)) for step in dims}
    pairs = zip(operand.axes, launch.extents, strict=True)
    return all((axis, _first(alike, extent)) in extents for axis, extent in pairs)


def _equal(steps: Sequence[pg.Step]) -> dict[pg.Arg, pg.Arg]:
    """Registers that checks prove to be equal to others."""
    checked = {step.condition for step in steps if isinstance(step, pg.Check)}
    alike: dict[pg.Arg, pg.Arg] = {}
    for step in steps:
        if isinstance(step, pg.Let) and step.prim == "eq" and step.out in checked:
            one, other = (_first(alike, arg) for arg in step.args)
            if one != other:
                alike[one] = other
    return alike


def _first(alike: Mapping[pg.Arg, pg.Arg], register: pg.Arg) -> pg.Arg:
    while register in alike:
        register = alike[register]
    return register


def _square_sum(launch: pg.Launch) -> tuple[str, str] | None:
    """(matrix, result) of a kernel that does nothing but sum the squares of a matrix."""
    kernel = launch.kernel
    if kernel.outer or len(kernel.inner) != 2 or kernel.scalars or len(kernel.operands) != 2:
        return None
    roles = {operand.mode: i for i, operand in enumerate(kernel.operands)}
    if roles.keys() != {"in", "out"}:
        return None
    given, result = (kernel.operands[roles[mode]] for mode in ("in", "out"))
    bound = [launch.operands[roles[mode]] for mode in ("in", "out")]
    plain = {*bound[0].axes} == {0, 1} and not (given.gather or any(b.gather for b in bound))
    alike = given.dtype == result.dtype and given.dtype in BLAS_DTYPES
    if not plain or not alike or _value(kernel, given.dtype) != _SQUARES:
        return None
    return bound[0].array, bound[1].array


#: What such a kernel stores: the sum of products of what it loads with itself.
_SQUARES: Final = ("add", ("mul", "in", "in"))


def _value(kernel: ir.Kernel, dtype: str) -> Any:
    """What a kernel stores, as a tree; None if it is more than one sum.

    Products have to be of ``dtype``; casts to that, and to float64, do not count.
    """
    trees: dict[str, Any] = {}
    stored = None
    for s in (s for stage in kernel.stages for s in stage.body):
        if isinstance(s, ir.Load):
            trees[s.out] = "in"
        elif isinstance(s, ir.Apply) and s.prim == "cast" and s.dtype in (dtype, "float64"):
            trees[s.out] = trees[s.args[0]]
        elif isinstance(s, ir.Apply) and s.prim != "cast" and s.dtype == dtype:
            trees[s.out] = (s.prim, *(trees[a] for a in s.args))
        elif isinstance(s, ir.Accumulate):
            trees[s.out] = (s.kind, trees[s.value])
        elif isinstance(s, ir.Store) and stored is None:
            stored = trees[s.value]
        else:
            return None
    return stored
