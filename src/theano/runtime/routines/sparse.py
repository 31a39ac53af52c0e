"""Products, samples and sums over the stored elements of a compressed sparse matrix.

A matrix is three vectors: segment i (a row of csr, a column of csc) holds ``data[p]`` at position
``indices[p]`` for p from ``indptr[i]`` to ``indptr[i + 1]``. Indices and segments are checked where
they are read: a matrix that is not valid makes the call fail. Every output element is computed by
one thread, in the order of the stored elements, so results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from theano.runtime.routines.base import (
    ITEMSIZE,
    PARTS_HELPERS,
    Part,
    Routine,
    RoutineFailed,
    Sample,
    Text,
    Writer,
    in_parts,
)
from theano.runtime.routines.sparse_body import Body, declared

if TYPE_CHECKING:
    from theano.runtime.support import Target

_WEIGHT: Final = 8  # cost of one multiplication and addition, with its loads


# meanings -----------------------------------------------------------------------------------------


def _segments(indices: Any, indptr: Any, extent: int) -> Any:
    """The segment of each stored element; RoutineFailed where the vectors are no matrix."""
    counts = np.diff(indptr)
    valid = indptr.size > 0 and indptr[0] == 0 and (counts >= 0).all()
    if not valid or indptr[-1] != indices.size:
        raise RoutineFailed("indptr")
    if indices.size and (indices.min() < 0 or indices.max() >= extent):
        raise RoutineFailed("indices")
    return np.repeat(np.arange(counts.size), counts)


def _gather_dot(out: Any, data: Any, indices: Any, indptr: Any, b: Any) -> None:
    rows = _segments(indices, indptr, b.shape[0])
    out[...] = 0
    np.add.at(out, rows, data[:, None] * b[indices])


def _scatter_dot(out: Any, data: Any, indices: Any, indptr: Any, b: Any) -> None:
    rows = _segments(indices, indptr, out.shape[0])
    if indptr.size - 1 != b.shape[0]:
        raise RoutineFailed("extents")
    out[...] = 0
    np.add.at(out, indices, data[:, None] * b[rows])


def _sampled_dot(out: Any, indices: Any, indptr: Any, x: Any, y: Any) -> None:
    rows = _segments(indices, indptr, y.shape[0])
    if indptr.size - 1 != x.shape[0] or x.shape[1] != y.shape[1]:
        raise RoutineFailed("extents")
    out[...] = (x[rows] * y[indices]).sum(axis=1)


def _sample(out: Any, indices: Any, indptr: Any, y: Any, extent: int) -> None:
    rows = _segments(indices, indptr, extent)
    if y.shape[0] not in (1, indptr.size - 1) or y.shape[1] not in (1, extent):
        raise RoutineFailed("extents")
    out[...] = np.broadcast_to(y, (indptr.size - 1, extent))[rows, indices]


def _segment_sum(out: Any, data: Any, indptr: Any) -> None:
    rows = _segments(np.zeros(data.size, "int32"), indptr, 1)
    out[...] = 0
    np.add.at(out, rows, data)


def _spread(out: Any, data: Any, indices: Any, indptr: Any) -> None:
    rows = _segments(indices, indptr, out.shape[1])
    out[...] = 0
    np.add.at(out, (rows, indices), data)


# native text --------------------------------------------------------------------------------------


def _gather_dot_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[i, :] = Σ data[p] b[indices[p], :]``, columns in registers."""
    k.one_for_each(1, 2)
    last = k.checked((2, 3), first, end, f.dim(4, 0))
    columns = k.groups("0", f.dim(0, 1), 0, 4)

    def row(i: str) -> None:
        begin, finish = k.segment(3, i, last)
        target = k.row(0, i)

        def group(c: str, lanes: int, count: int) -> None:
            kind = k.kind_of(lanes)

            def stored_element(p: str, sums: list[str]) -> list[str]:
                source = k.row(4, k.int32(2, p))
                factor = k.wide(k.load(k.element(1, p)), lanes)
                return [
                    k.arithmetic(factor, k.load(k.at(4, source, c, lanes, n), kind), total, lanes)
                    for n, total in enumerate(sums)
                ]

            starts = [(kind, k.zero(lanes))] * count
            for n, total in enumerate(f.loop(begin, finish, 1, starts, stored_element)):
                k.store(total, k.at(0, target, c, lanes, n), kind)

        k.walk(columns, group)

    f.each(first, end, 1, row)


def _scatter_dot_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[indices[p], :] += data[p] b[i, :]`` on the columns of this part."""
    f.fail_if(f.op(f"icmp ne i64 {f.binary('sub', f.dim(3, 0), 1)}, {f.dim(4, 0)}"))
    k.one_for_each(1, 2)
    rows, segments = f.dim(0, 0), f.dim(4, 0)
    last = k.checked((2, 3), "0", segments, rows)
    low = f.binary("mul", first, _strip(k.lanes))
    high = f.smin(f.binary("mul", end, _strip(k.lanes)), f.dim(0, 1))

    columns = k.groups(low, high, 0, 4)
    narrow = f.op(f"icmp slt i64 {f.binary('sub', high, low)}, {16 // k.size}")

    def clear(j: str) -> None:
        target = k.row(0, j)

        def group(c: str, lanes: int, count: int) -> None:
            for n in range(count):
                k.store(k.zero(lanes), k.at(0, target, c, lanes, n), k.kind_of(lanes))

        k.walk(columns, group)

    f.each(0, rows, 1, clear)

    def segment(i: str) -> None:
        begin, finish = k.segment(3, i, last)
        source = k.row(4, i)

        def stored_element(p: str) -> None:
            target = k.row(0, k.int32(2, p))
            factor = k.load(k.element(1, p))

            def group(c: str, lanes: int, count: int) -> None:
                kind, wide = k.kind_of(lanes), k.wide(factor, lanes)
                places = [k.at(0, target, c, lanes, n) for n in range(count)]
                old = [k.load(place, kind) for place in places]
                for n, place in enumerate(places):
                    b = k.load(k.at(4, source, c, lanes, n), kind)
                    k.store(k.arithmetic(wide, b, old[n], lanes), place, kind)

            def few() -> None:
                f.each(low, high, 1, lambda c: group(c, 1, 1))

            f.when(narrow, few, lambda: k.walk(columns, group))

        f.each(begin, finish, 1, stored_element)

    f.each(0, segments, 1, segment)


def _sampled_dot_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[p] = x[i, :] · y[indices[p], :]``."""
    f.fail_if(f.op(f"icmp ne i64 {f.binary('sub', f.dim(2, 0), 1)}, {f.dim(3, 0)}"))
    f.fail_if(f.op(f"icmp ne i64 {f.dim(3, 1)}, {f.dim(4, 1)}"))
    last, columns = k.checked((1, 2), first, end, f.dim(4, 0)), f.dim(3, 1)
    width = k.lanes * 2
    most = f.op(f"select i1 {k.unit(3, 4)}, i64 {f.binary('and', columns, -width)}, i64 0")
    some = f.op(f"icmp sgt i64 {most}, 0")

    def segment(i: str) -> None:
        begin, finish = k.segment(2, i, last)
        x = k.row(3, i)

        def stored_element(p: str) -> None:
            y = k.row(4, k.int32(1, p))

            def vectors(c: str, sums: list[str]) -> list[str]:
                return [
                    k.arithmetic(
                        k.load(k.at(3, x, c, k.lanes, n), k.vector),
                        k.load(k.at(4, y, c, k.lanes, n), k.vector), total, k.lanes,
                    )
                    for n, total in enumerate(sums)
                ]  # fmt: skip

            def whole() -> list[str]:
                starts = [(k.vector, "zeroinitializer")] * 2
                return [_reduced(f, k, *f.loop(0, most, width, starts, vectors))]

            (total,) = f.choose(some, [(k.kind, k.zero(1))], whole)

            def rest(c: str, sums: list[str]) -> list[str]:
                return [k.arithmetic(k.load(k.at(3, x, c)), k.load(k.at(4, y, c)), sums[0], 1)]

            (total,) = f.loop(most, columns, 1, [(k.kind, total)], rest)
            k.store(total, k.element(0, p))

        f.each(begin, finish, 1, stored_element)

    f.each(first, end, 1, segment)


def _reduced(f: Part, k: Body, one: str, two: str) -> str:
    """The sum of the lanes of two vectors."""
    if k.real:
        both = f.op(f"fadd {k.vector} {one}, {two}")
        call = f"@llvm.vector.reduce.fadd.v{k.lanes}f{8 * k.size}"
        return f.op(f"call reassoc {k.kind} {call}({k.kind} -0.0, {k.vector} {both})")
    name = "or" if k.flag else "add"
    both = f.op(f"{name} {k.vector} {one}, {two}")
    call = f"@llvm.vector.reduce.{name}.v{k.lanes}{k.kind}"
    return f.op(f"call {k.kind} {call}({k.vector} {both})")


def _sample_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[p] = y[i, indices[p]]``; an extent of 1 of ``y`` stretches."""
    extent = f.number(0)
    last = k.checked((1, 2), first, end, extent)
    segments = f.binary("sub", f.dim(2, 0), 1)
    strides = []
    for axis, wanted in ((0, segments), (1, extent)):
        one = f.op(f"icmp eq i64 {f.dim(3, axis)}, 1")
        fits = f.op(f"icmp eq i64 {f.dim(3, axis)}, {wanted}")
        f.fail_if(f.op(f"xor i1 {f.op(f'or i1 {one}, {fits}')}, true"))
        strides.append(f.op(f"select i1 {one}, i64 0, i64 {f.stride(3, axis)}"))
    base = f.pointer(3)

    def segment(i: str) -> None:
        begin, finish = k.segment(2, i, last)
        row = f.place(base, (i, strides[0]))

        def stored_element(p: str) -> None:
            k.store(k.load(f.place(row, (k.int32(1, p), strides[1]))), k.element(0, p))

        f.each(begin, finish, 1, stored_element)

    f.each(first, end, 1, segment)


def _segment_sum_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[i] = Σ data[p]``."""
    _, last = k.bounds(2, f.dim(1, 0), first, end)

    def segment(i: str) -> None:
        begin, finish = k.segment(2, i, last)

        def stored_element(p: str, sums: list[str]) -> list[str]:
            return [k.add(sums[0], k.load(k.element(1, p)))]

        (total,) = f.loop(begin, finish, 1, [(k.kind, k.zero(1))], stored_element)
        k.store(total, k.element(0, i))

    f.each(first, end, 1, segment)


def _spread_part(f: Part, k: Body, first: str, end: str) -> None:
    """``out[i, :] = 0; out[i, indices[p]] += data[p]``."""
    k.one_for_each(1, 2)
    extent = f.dim(0, 1)
    last = k.checked((2, 3), first, end, extent)
    base, stride, step = f.pointer(0), f.stride(0, 0), f.stride(0, 1)

    def segment(i: str) -> None:
        begin, finish = k.segment(3, i, last)
        row = f.place(base, (i, stride))
        f.each(0, extent, 1, lambda c: k.store(k.zero(1), f.place(row, (c, step))))

        def stored_element(p: str) -> None:
            place = f.place(row, (k.int32(2, p), step))
            k.store(k.add(k.load(place), k.load(k.element(1, p))), place)

        f.each(begin, finish, 1, stored_element)

    f.each(first, end, 1, segment)


def _strip(lanes: int) -> int:
    """Columns that one part of a scatter takes at least."""
    return 2 * lanes


_Writes = Callable[[Part, Body, str, str], None]
#: per routine: its parts, which array's number of elements counts, and the array of segments
_PARTS: Final[dict[str, tuple[_Writes, int, int]]] = {
    "sparse_gather_dot": (_gather_dot_part, 1, 3),
    "sparse_scatter_dot": (_scatter_dot_part, 1, 3),
    "sparse_sampled_dot": (_sampled_dot_part, 0, 2),
    "sparse_sample": (_sample_part, 0, 2),
    "sparse_segment_sum": (_segment_sum_part, 1, 2),
    "sparse_spread": (_spread_part, 1, 3),
}


def _lanes(dtype: str, target: Target) -> int:
    return max(2, target.vector_bytes // ITEMSIZE[dtype])


def _text(symbol: str, dtypes: tuple[str, ...], target: Target, name: str) -> Text:
    row = next(r for r in ROUTINES if r.name == name)
    (dtype,) = dtypes
    lanes = _lanes(dtype, target)
    part, counted, indptr = _PARTS[name]

    def plan(f: Writer) -> tuple[str, str, int]:
        stored, segments = f.dim(counted, 0), f.binary("sub", f.dim(indptr, 0), 1)
        if name == "sparse_scatter_dot":  # split by columns: rows are written from everywhere
            strip = _strip(lanes)
            outer = f.binary("sdiv", f.binary("add", f.dim(0, 1), strip - 1), strip)
            return outer, f.binary("mul", stored, strip), _WEIGHT
        wide = {"sparse_gather_dot": (0, 1), "sparse_sampled_dot": (3, 1)}.get(name)
        work = stored if wide is None else f.binary("mul", stored, f.dim(*wide))
        return segments, f.binary("sdiv", work, f.smax(segments, 1)), _WEIGHT

    whole = in_parts(symbol, row, plan, lambda f, a, b: part(f, Body(f, dtype, lanes), a, b))
    return Text(declared(dtype, lanes) + whole, PARTS_HELPERS)


def _samples(name: str) -> Callable[[Any], Iterator[Sample]]:
    """Calls with matrices of all widths, and with some that are none."""

    def samples(rng: Any) -> Iterator[Sample]:
        for dtype in ("float32", "float64", "int32"):
            for rows, inner, columns in ((5, 4, 1), (3, 7, 75), (4, 1, 6), (6, 5, 0)):
                yield _sample_call(name, rng, dtype, rows, inner, columns)
        for broken in ("indices", "indptr"):
            yield _sample_call(name, rng, "float32", 5, 4, 9, broken)

    return samples


def _sample_call(
    name: str, rng: Any, dtype: str, rows: int, inner: int, columns: int, broken: str = ""
) -> Sample:
    """One call of a routine on a random matrix of ``rows`` segments."""
    present = rng.random((rows, inner)) < 0.5
    present[0, 0] = True
    indices = present.nonzero()[1].astype("int32")
    indptr = np.append(0, present.sum(axis=1).cumsum()).astype("int32")
    if broken == "indices" and name != "sparse_segment_sum":
        indices[-1] = inner
    elif broken:
        indptr[1] = indices.size + 3

    def array(*shape: int) -> Any:
        return rng.integers(-9, 9, shape).astype(dtype)

    data, stored = array(indices.size), array(indices.size)
    calls: dict[str, tuple[Any, ...]] = {
        "sparse_gather_dot": (array(rows, columns), data, indices, indptr, array(inner, columns)),
        "sparse_scatter_dot": (array(inner, columns), data, indices, indptr, array(rows, columns)),
        "sparse_sampled_dot": (
            stored,
            indices,
            indptr,
            array(rows, columns),
            array(inner, columns),
        ),
        "sparse_sample": (stored, indices, indptr, array(rows, inner if columns else 1)),
        "sparse_segment_sum": (array(rows), data, indptr),
        "sparse_spread": (array(rows, inner), data, indices, indptr),
    }
    return Sample(calls[name], (inner,) if name == "sparse_sample" else ())


def _routine(
    name: str, ranks: tuple[int, ...], meaning: Callable[..., None], numbers: tuple[str, ...] = ()
) -> Routine:
    return Routine(
        name, ranks, 1, meaning, lambda s, d, t: _text(s, d, t, name), numbers=numbers,
        weight=_WEIGHT, samples=_samples(name),
    )  # fmt: skip


ROUTINES: Final = (
    _routine("sparse_gather_dot", (2, 1, 1, 1, 2), _gather_dot),
    _routine("sparse_scatter_dot", (2, 1, 1, 1, 2), _scatter_dot),
    _routine("sparse_sampled_dot", (1, 1, 1, 2, 2), _sampled_dot),
    _routine("sparse_sample", (1, 1, 1, 2), _sample, ("int64",)),
    _routine("sparse_segment_sum", (1, 1, 1), _segment_sum),
    _routine("sparse_spread", (2, 1, 1, 1), _spread),
)
