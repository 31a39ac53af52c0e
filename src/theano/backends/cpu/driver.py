"""What all kernels share: reading the context, positions, vector loops, launching chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from theano.backends.cpu import memory
from theano.backends.cpu.body import Value
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Carried, Function, product
from theano.backends.cpu.layout import Layout
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir
from theano.runtime.threads_text import WORKERS_SLOT

Point = Callable[[str, str | None, list[str]], list[str]]  # (position, mask, carried) -> carried
#: What carried values may begin with, and how to make one of two.
Merge = tuple[list[str], Callable[[list[str], list[str]], list[str]]]

#: How a launch may be split: by outer positions or along the last axis, whichever is better; only
#: one of the two; along the last axis, but not at all where there is one thread. With `FREELY`
#: added, results do not depend on it, and little work is split too while the workers are awake.
ANY, INNER, OUTER, STRIPES, FREELY = range(5)
#: From which on a scatter is worth several threads: work in units of a plan's weight; bytes of the
#: target, or elements of a line.
PARALLEL_WEIGHT, PARALLEL_BYTES, PARALLEL_LINE = 1 << 23, 1 << 22, 16
#: From how many bytes of results on a launch writes them past the caches.
STREAM_BYTES = 20 << 20
#: Functions that run once a launch: compiled in a hurry.
ONCE = "noinline optnone"


def load_scalars(f: Function, layout: Layout) -> dict[str, Value]:
    """The scalar parameters out of the context."""
    env = {}
    for p in layout.kernel.scalars:
        word = f.word("%ctx", layout.scalar(p.name))
        env[p.name] = Value(p.dtype, scalar=from_word(f, word, p.dtype))
    return env


def from_word(f: Function, word: str, dtype: str) -> str:
    """A register of ``dtype`` from its bits in a word."""
    element = REGISTER_TYPES[dtype]
    if element == "i64":
        return word
    if element == "double":
        return f.s.emit(f"bitcast i64 {word} to double")
    if element == "float":
        low = f.s.emit(f"trunc i64 {word} to i32")
        return f.s.emit(f"bitcast i32 {low} to float")
    return f.s.emit(f"trunc i64 {word} to {element}")


def to_word(f: Function, value: str, dtype: str) -> str:
    """The bits of a register as a word."""
    element = REGISTER_TYPES[dtype]
    if element == "i64":
        return value
    if element == "double":
        return f.s.emit(f"bitcast double {value} to i64")
    if element == "float":
        bits = f.s.emit(f"bitcast float {value} to i32")
        return f.s.emit(f"zext i32 {bits} to i64")
    sign = "zext" if dtype.startswith("u") or dtype == "bool" else "sext"
    return f.s.emit(f"{sign} {element} {value} to i64")


def extents_of(f: Function, layout: Layout, axes: Sequence[str]) -> list[str]:
    """The extents of some axes out of the context."""
    return [f.word("%ctx", layout.extent(a)) for a in axes]


def decompose(f: Function, flat: str, extents: Sequence[str]) -> list[str]:
    """The indices along several axes of a flat position in row-major order."""
    indices: list[str] = []
    for extent in reversed(extents[1:]):
        indices.append(f.s.emit(f"urem i64 {flat}, {extent}"))
        flat = f.s.emit(f"udiv i64 {flat}, {extent}")
    return [flat, *reversed(indices)] if extents else []


def base_pointers(f: Function, layout: Layout) -> dict[str, str]:
    """The operands' pointers out of the context."""
    found = {}
    for operand in layout.kernel.operands:
        word = f.word("%ctx", layout.base(operand.name))
        found[operand.name] = f.s.emit(f"inttoptr i64 {word} to ptr")
    return found


def advance(
    f: Function, layout: Layout, pointers: Mapping[str, str], indices: Mapping[str, str]
) -> dict[str, str]:
    """The operands' pointers moved to the given positions along some axes."""
    moved = {}
    for operand in layout.kernel.operands:
        pointer = pointers[operand.name]
        for axis, index in indices.items():
            if axis in operand.axes and index != "0":
                stride = f.word("%ctx", layout.stride(operand.name, axis))
                pointer = f.pointer(pointer, f.i64("mul", index, stride))
        moved[operand.name] = pointer
    return moved


def merge_axes(f: Function, layout: Layout, axes: tuple[str, ...]) -> list[str]:
    """Merge the axes, innermost first, into the last while all operands are contiguous there.

    Changes the extents in the context; returns them."""
    extents = dict(zip(axes, extents_of(f, layout, axes), strict=True))
    if len(axes) < 2:
        return list(extents.values())
    last = axes[-1]
    total, going = extents[last], "true"
    for axis in reversed(axes[:-1]):
        for operand in layout.kernel.operands:
            if not {axis, last} & set(operand.axes):
                continue
            outer = f.word("%ctx", layout.stride(operand.name, axis))
            inner = f.word("%ctx", layout.stride(operand.name, last))
            span = f.i64("mul", inner, total)
            same = f.s.emit(f"icmp eq i64 {outer}, {span}")
            going = f.s.emit(f"and i1 {going}, {same}")
        wide = f.i64("mul", total, extents[axis])
        total = f.select(going, "i64", wide, total)
        extents[axis] = f.select(going, "i64", "1", extents[axis])
        f.set_word("%ctx", layout.extent(axis), extents[axis])
    f.set_word("%ctx", layout.extent(last), total)
    extents[last] = total
    return list(extents.values())


def unit_condition(f: Function, layout: Layout, axis: str, names: Sequence[str]) -> str:
    """Whether each of these operands moves along ``axis`` element by element."""
    condition = "true"
    for operand in layout.kernel.operands:
        if operand.name in names and axis in operand.axes:
            stride = f.word("%ctx", layout.stride(operand.name, axis))
            same = f.s.emit(f"icmp eq i64 {stride}, {memory.itemsize(operand.dtype)}")
            condition = same if condition == "true" else f.s.emit(f"and i1 {condition}, {same}")
    return condition


def launch_chunks(
    f: Function, plan: Plan, symbol: str, outer: str, inner: str, align: int, how: int = ANY
) -> str:
    """Run ``@symbol`` on chunks; the number of chunks.

    ``outer`` flat positions are split one by one, ``inner`` positions along the vectorised axis in
    multiples of ``align``; `chunk_ranges` tells a chunk its part."""
    own = f.word_pointer("%ctx", plan.layout.own("grain"))
    return f.s.emit(
        f"call i64 @th_launch(ptr @th_pool, ptr @{symbol}, ptr %ctx, ptr {own}, i64 {outer},"
        f" i64 {inner}, i64 {plan.weight}, i64 {align}, i64 {how})"
    )


def decide_stream(f: Function, plan: Plan, extents: Sequence[str]) -> None:
    """Say in the context whether results are written past the caches: they would not fit, so that
    reading a line before it is written, and keeping it, would cost memory bandwidth for nothing."""
    layout, e, axes = plan.layout, f.s, plan.kernel.axes
    if not plan.streamed:
        return
    operands = [o for o in plan.kernel.operands if o.name in plan.streamed]
    size = sum(memory.itemsize(o.dtype) for o in operands)
    total = f.i64("mul", product(f, extents), str(size))
    f.set_word("%ctx", layout.own("stream"), "0")

    def whole_lines() -> None:
        going = unit_condition(f, layout, plan.last, [o.name for o in operands])
        bits = "0"
        for o in operands:
            base = f.word("%ctx", layout.base(o.name))
            bits = base if bits == "0" else e.emit(f"or i64 {bits}, {base}")
            for axis, extent in zip(axes, extents, strict=True):
                if axis != plan.last:
                    stride = f.word("%ctx", layout.stride(o.name, axis))
                    several = e.emit(f"icmp sgt i64 {extent}, 1")
                    bits = e.emit(f"or i64 {bits}, {f.select(several, 'i64', stride, '0')}")
        rest = e.emit(f"and i64 {bits}, {memory.CACHE_LINE - 1}")
        going = e.emit(f"and i1 {going}, {e.emit(f'icmp eq i64 {rest}, 0')}")
        f.set_word("%ctx", layout.own("stream"), e.emit(f"zext i1 {going} to i64"))

    f.choose(e.emit(f"icmp sge i64 {total}, {STREAM_BYTES}"), whole_lines, lambda: None)


def chunk_ranges(f: Function, layout: Layout, outer: str, inner: str) -> tuple[str, str, str, str]:
    """(first, end) of the flat outer positions and of the vectorised axis in this chunk."""
    grain = f.word("%ctx", layout.own("grain"))
    mode = f.word("%ctx", layout.own("mode"))
    split_inner = f.s.emit(f"icmp eq i64 {mode}, 1")
    split_outer = f.s.emit(f"icmp eq i64 {mode}, 0")
    first = f.i64("mul", "%chunk", grain)
    end = f.i64("add", first, grain)
    return (
        f.select(split_outer, "i64", first, "0"),
        f.select(split_outer, "i64", f.least(end, outer), outer),
        f.select(split_inner, "i64", first, "0"),
        f.select(split_inner, "i64", f.least(end, inner), inner),
    )


def launch_parts(
    f: Function, plan: Plan, symbol: str, last: str, points: str, otherwise: Callable[[], None]
) -> None:
    """Run ``@symbol`` once a thread, on a part of the target of a scatter each; else ``otherwise``.

    All threads read all indices. That pays where there is much more to do than that: the target is
    far larger than the caches, or the lines to be written are long (but not long enough to be
    split among the threads)."""
    layout, e = plan.layout, f.s
    target = next(o.name for o in plan.kernel.operands if o.mode == "scatter")
    rows = f.word("%ctx", layout.gather_extent(target, 0))
    slot = e.emit(f"getelementptr i64, ptr @th_pool, i64 {WORKERS_SLOT}")
    workers = e.emit(f"load atomic i64, ptr {slot} monotonic, align 8")
    threads = f.i64("add", workers, "1")
    reach = f.i64("mul", rows, f.word("%ctx", layout.gather_stride(target, 0)))
    fit = e.emit(f"icmp sgt i64 {reach}, {PARALLEL_BYTES}")
    if plan.last not in plan.kernel.serial:
        line = e.emit(f"icmp sge i64 {last}, {PARALLEL_LINE}")
        short = e.emit(f"icmp slt i64 {last}, {f.i64('mul', threads, '64')}")
        fit = e.emit(f"and i1 {short}, {e.emit(f'or i1 {fit}, {line}')}")
    much = e.emit(f"icmp sgt i64 {f.i64('mul', points, str(plan.weight))}, {PARALLEL_WEIGHT}")
    fit = e.emit(f"and i1 {fit}, {much}")
    fit = e.emit(f"and i1 {fit}, {e.emit(f'icmp sgt i64 {workers}, 0')}")

    def parts() -> None:
        share = e.emit(f"udiv i64 {f.i64('add', rows, workers)}, {threads}")
        f.set_word("%ctx", layout.own("mode"), "2")
        f.set_word("%ctx", layout.own("grain"), share)
        e.declare("void", "th_parallel", ["ptr", "ptr", "ptr", "i64"])
        f.lines.append(
            f"  call void @th_parallel(ptr @th_pool, ptr @{symbol}, ptr %ctx, i64 {threads})"
        )

    f.choose(fit, parts, otherwise)


def part_of_chunk(f: Function, layout: Layout) -> tuple[str, str]:
    """The first place of a scatter that a chunk writes to, and how many there are."""
    grain = f.word("%ctx", layout.own("grain"))
    parts = f.s.emit(f"icmp eq i64 {f.word('%ctx', layout.own('mode'))}, 2")
    first = f.select(parts, "i64", f.i64("mul", "%chunk", grain), "0")
    return first, f.select(parts, "i64", grain, "-1")


def vector_loop(
    f: Function, start: str, stop: str, lanes: int, carried: Carried, run: Point,
    masked: bool = False, several: int = 1, merge: Merge | None = None,
) -> list[str]:  # fmt: skip
    """Run ``run(position, mask, carried)`` over [start, stop); ``several`` times a round.

    Whole vectors first, then a masked one; or, ``masked``, one loop that masks every vector (half
    the code, for big bodies). With several a round, each carries values of its own: ``merge`` says
    with what those after the first begin, and makes one of two."""
    if lanes == 1:
        return f.loop(start, stop, 1, carried, lambda i, c: run(i, None, c))
    if masked:
        return f.loop(
            start, stop, lanes, carried, lambda i, c: run(i, lane_mask(f, i, stop, lanes), c)
        )
    span = f.i64("sub", stop, start)
    whole = f.s.emit(f"and i64 {span}, {-lanes}")
    middle = f.i64("add", start, whole)
    begin = start
    if several > 1:
        begin = f.i64("add", start, f.s.emit(f"and i64 {span}, {-lanes * several}"))
        carried = _rounds(f, (start, begin), lanes, carried, run, several, merge)
    after = f.loop(begin, middle, lanes, carried, lambda i, c: run(i, None, c))
    some = f.s.emit(f"icmp slt i64 {middle}, {stop}")
    return f.when(
        some,
        [(k, a) for (k, _), a in zip(carried, after, strict=True)],
        lambda: run(middle, lane_mask(f, middle, stop, lanes), after),
    )


def _rounds(
    f: Function, span: tuple[str, str], lanes: int, carried: Carried, run: Point, several: int,
    merge: Merge | None,
) -> Carried:  # fmt: skip
    """Rounds of several vectors; the values carried after them."""
    size = len(carried)
    assert merge is not None or not carried
    more = [(k, x) for (k, _), x in zip(carried, merge[0], strict=True)] if merge else []

    def round_(i: str, c: list[str]) -> list[str]:
        done: list[str] = []
        for number in range(several):
            place = f.i64("add", i, str(number * lanes)) if number else i
            done += run(place, None, c[number * size : (number + 1) * size])
        return done

    after = f.loop(*span, lanes * several, [*carried, *more * (several - 1)], round_)
    parts = [after[number * size : (number + 1) * size] for number in range(several)]
    while len(parts) > 1 and merge is not None:
        parts = [merge[1](a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return [(k, x) for (k, _), x in zip(carried, parts[0], strict=True)]


def lane_mask(f: Function, position: str, stop: str, lanes: int) -> str:
    """Which of the lanes at ``position`` are before ``stop``."""
    v = f.at(lanes)
    left = f.least(f.i64("sub", stop, position), str(lanes))
    count = v.broadcast("i32", f.s.emit(f"trunc i64 {left} to i32"))
    return v.icmp("ugt", "int32", count, memory.iota(v, "i32"))


def declare_runtime(module: Emitter) -> None:
    """The helpers that kernels call."""
    module.declarations.add("declare i64 @th_launch(ptr, ptr, ptr, ptr, i64, i64, i64, i64, i64)")
    module.definitions.setdefault("th_pool", "@th_pool = external global i8\n")


def value_dtypes(kernel: ir.Kernel) -> dict[str, str]:
    """The dtype of every value."""
    found = {p.name: p.dtype for p in kernel.scalars}
    for stage in kernel.stages:
        for s in stage.body:
            if isinstance(s, ir.Index):
                found[s.out] = "int64"
            elif not isinstance(s, (ir.Store, ir.Fail)):
                found[s.out] = s.dtype
    return found
