"""Kernels to LLVM text: the driver of every kernel, and pure maps.

For a kernel ``k`` the module gets ``void @k_run(ptr ctx)``, which the host calls. It merges axes
that are contiguous in all operands, decides how many chunks the work is worth (never from the
number of threads, so that results do not depend on it) and runs ``void @k(ptr ctx, i64 chunk)`` on
each. ``ctx`` is laid out by ``layout.Layout``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from theano.backends.cpu import memory
from theano.backends.cpu.body import Body, Place, Value
from theano.backends.cpu.emit import REGISTER_TYPES, Emitter
from theano.backends.cpu.flow import Carried, Function, product
from theano.backends.cpu.layout import CHUNKS, Layout
from theano.backends.cpu.schedule import Plan
from theano.kernel import ir

TILE = 256  # elements that a strided operand is packed into at a time
Point = Callable[[str, str | None, list[str]], list[str]]  # (position, mask, carried) -> carried
CHUNK_WEIGHT = 1 << 18  # work units of one chunk (about 15 microseconds)


@dataclass(frozen=True)
class KernelCode:
    """The text of one kernel; declarations and shared helpers are in the module emitter."""

    symbol: str
    text: str
    layout: Layout


def render_kernel(kernel: ir.Kernel, symbol: str, features: str, module: Emitter) -> KernelCode:
    """Write ``kernel`` as functions ``@symbol…``; the host calls ``@symbol_run(ptr ctx)``."""
    from theano.backends.cpu.render_rows import render_rows

    plan = Plan(kernel, features)
    module.declarations.add("declare void @th_parallel(ptr, ptr, ptr, i64)")
    module.definitions.setdefault("th_pool", "@th_pool = external global i8\n")
    if kernel.inner:
        text = render_rows(plan, symbol, module)
    else:
        text = Map(plan, symbol, module).render()
    return KernelCode(symbol, text, plan.layout)


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


def decompose(f: Function, flat: str, extents: list[str]) -> list[str]:
    """The indices along several axes of a flat position in row-major order."""
    indices: list[str] = []
    for extent in reversed(extents[1:]):
        indices.append(f.s.emit(f"urem i64 {flat}, {extent}"))
        flat = f.s.emit(f"udiv i64 {flat}, {extent}")
    return [flat, *reversed(indices)] if extents else []


def advance(
    f: Function, layout: Layout, operand: ir.Operand, pointer: str, indices: dict[str, str]
) -> str:
    """``pointer`` moved to the given positions along some axes."""
    for axis, index in indices.items():
        if axis in operand.axes:
            stride = f.word("%ctx", layout.stride(operand.name, axis))
            pointer = f.pointer(pointer, f.i64("mul", index, stride))
    return pointer


def base_pointer(f: Function, layout: Layout, operand: ir.Operand) -> str:
    """The operand's pointer out of the context."""
    word = f.word("%ctx", layout.base(operand.name))
    return f.s.emit(f"inttoptr i64 {word} to ptr")


def merge_axes(f: Function, layout: Layout, axes: tuple[str, ...]) -> list[str]:
    """Merge the axes, innermost first, into the last while all operands are contiguous there.

    Changes the extents in the context; returns them."""
    kernel = layout.kernel
    if not axes:
        return []
    last = axes[-1]
    extents = {a: f.word("%ctx", layout.extent(a)) for a in axes}
    total, going = extents[last], "true"
    for axis in reversed(axes[:-1]):
        for operand in kernel.operands:
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
    return [extents[a] for a in axes]


def unit_condition(f: Function, layout: Layout, axis: str) -> str:
    """Whether every operand that moves along ``axis`` does so element by element."""
    condition = "true"
    for operand in layout.kernel.operands:
        stride = f.word("%ctx", layout.stride(operand.name, axis))
        want = str(memory.itemsize(operand.dtype)) if axis in operand.axes else "0"
        same = f.s.emit(f"icmp eq i64 {stride}, {want}")
        condition = f.s.emit(f"and i1 {condition}, {same}")
    return condition


def launch_chunks(
    f: Function, plan: Plan, symbol: str, outer: str, inner: str, align: int,
    only_inner: bool = False, only_outer: bool = False,
) -> None:  # fmt: skip
    """Set mode and grain, and run ``@symbol`` on every chunk.

    Mode 0 splits the flat outer positions, mode 1 the positions of the vectorised axis (in
    multiples of ``align``)."""
    layout = plan.layout
    work = f.i64("mul", f.i64("mul", outer, inner), str(plan.weight))
    wanted = f.least(f.s.emit(f"sdiv i64 {work}, {CHUNK_WEIGHT}"), str(CHUNKS))
    some = f.s.emit(f"icmp sgt i64 {wanted}, 1")
    wanted = f.select(some, "i64", wanted, "1")
    by_outer = f.s.emit(f"icmp sge i64 {outer}, {f.i64('mul', wanted, '2')}")
    if only_inner or only_outer:
        by_outer = "false" if only_inner else "true"
    by_outer = f.s.emit(f"or i1 {by_outer}, false")
    count = f.select(by_outer, "i64", outer, inner)
    step = f.select(by_outer, "i64", "1", str(align))
    grain = ceil_div(f, count, wanted)
    grain = f.i64("mul", ceil_div(f, grain, step), step)
    positive = f.s.emit(f"icmp sgt i64 {grain}, 0")
    grain = f.select(positive, "i64", grain, "1")
    chunks = ceil_div(f, count, grain)
    f.set_word("%ctx", layout.own("grain"), grain)
    mode = f.select(by_outer, "i64", "0", "1")
    f.set_word("%ctx", layout.own("mode"), mode)
    single = f.s.emit(f"icmp sle i64 {chunks}, 1")
    f.choose(
        single,
        lambda: f.lines.append(f"  call void {symbol}(ptr %ctx, i64 0)"),
        lambda: f.lines.append(
            f"  call void @th_parallel(ptr @th_pool, ptr {symbol}, ptr %ctx, i64 {chunks})"
        ),
    )


def ceil_div(f: Function, a: str, b: str) -> str:
    """a / b rounded up, for a >= 0 and b > 0."""
    return f.s.emit(f"sdiv i64 {f.i64('sub', f.i64('add', a, b), '1')}, {b}")


def chunk_ranges(f: Function, layout: Layout, outer: str, inner: str) -> tuple[str, str, str, str]:
    """(first, end) of the flat outer positions and of the vectorised axis in this chunk."""
    grain = f.word("%ctx", layout.own("grain"))
    mode = f.word("%ctx", layout.own("mode"))
    split_inner = f.s.emit(f"icmp eq i64 {mode}, 1")
    first = f.i64("mul", "%chunk", grain)
    end = f.i64("add", first, grain)
    return (
        f.select(split_inner, "i64", "0", first),
        f.select(split_inner, "i64", outer, f.least(end, outer)),
        f.select(split_inner, "i64", first, "0"),
        f.select(split_inner, "i64", f.least(end, inner), inner),
    )


def vector_loop(
    f: Function, start: str, stop: str, lanes: int, carried: Carried, run: Point,
    masked: bool = False,
) -> list[str]:  # fmt: skip
    """Run ``run(position, mask, carried)`` over [start, stop).

    Whole vectors first, then a masked one; or, ``masked``, one loop that masks every vector (half
    the code, for machines where a mask costs next to nothing)."""
    if lanes == 1:
        return f.loop(start, stop, 1, carried, lambda i, c: run(i, None, c))
    if masked:
        return f.loop(
            start, stop, lanes, carried, lambda i, c: run(i, lane_mask(f, i, stop, lanes), c)
        )
    span = f.i64("sub", stop, start)
    whole = f.s.emit(f"and i64 {span}, {-lanes}")
    middle = f.i64("add", start, whole)
    after = f.loop(start, middle, lanes, carried, lambda i, c: run(i, None, c))
    some = f.s.emit(f"icmp slt i64 {middle}, {stop}")
    return f.when(
        some,
        [(k, a) for (k, _), a in zip(carried, after, strict=True)],
        lambda: run(middle, lane_mask(f, middle, stop, lanes), after),
    )


def lane_mask(f: Function, position: str, stop: str, lanes: int) -> str:
    """Which of the lanes at ``position`` are before ``stop``."""
    v = f.at(lanes)
    left = f.least(f.i64("sub", stop, position), str(lanes))
    count = v.broadcast("i32", f.s.emit(f"trunc i64 {left} to i32"))
    numbers = ", ".join(f"i32 {i}" for i in range(lanes))
    return v.icmp("ugt", "int32", count, f"<{numbers}>")


class Map:
    """A kernel without inner axes: outer rows, and along them one vector loop."""

    def __init__(self, plan: Plan, symbol: str, module: Emitter) -> None:
        self.plan, self.symbol, self.module = plan, symbol, module
        self.kernel, self.layout = plan.kernel, plan.layout
        self.rows = plan.row_gathers()
        self.lane_gathers = {
            s.operand
            for s in plan.statements
            if isinstance(s, (ir.Load, ir.Store)) and s.index and s.operand not in self.rows
        }
        hoisted = {s.out for s in plan.statements if hasattr(s, "out")} & plan.uniform
        self.hoisted = hoisted if plan.lanes > 1 else set()
        self.passed = self._passed()
        self.moving = [
            o for o in self.kernel.operands
            if plan.last in o.axes and o.name not in self.lane_gathers
        ]  # fmt: skip

    def _passed(self) -> list[tuple[str, str]]:
        """Hoisted values that the vector loop needs: (name, dtype)."""
        constants = {s.out for s in self.plan.statements if isinstance(s, ir.Const)}
        dtypes = {s.out: getattr(s, "dtype", "int64") for s in self.plan.statements
                  if hasattr(s, "out")}  # fmt: skip
        dtypes.update({p.name: p.dtype for p in self.kernel.scalars})
        needed: dict[str, str] = {}
        for s in self.plan.statements:
            if getattr(s, "out", None) in self.hoisted:
                continue
            index = () if getattr(s, "operand", "") in self.rows else getattr(s, "index", ())
            used = [*getattr(s, "args", ()), *index]
            used += [s.value] if isinstance(s, (ir.Store, ir.Fail)) else []
            for name in used:
                known = name in self.hoisted or name in {p.name for p in self.kernel.scalars}
                if known and name not in constants:
                    needed[name] = dtypes[name]
        return list(needed.items())

    def render(self) -> str:
        """All functions of the kernel."""
        return self._inner() + self._chunk() + self._driver()

    # the vector loop ------------------------------------------------------------------------

    def _parameters(self) -> list[str]:
        names = [f"ptr %p_{o.name}" for o in self.kernel.operands]
        names += [f"{REGISTER_TYPES[d]} %u_{n}" for n, d in self.passed]
        names += [f"i64 %x_{a}" for a in self.kernel.outer[:-1]]
        return ["ptr %ctx", "i64 %from", "i64 %to", *names]

    def _inner(self) -> str:
        f = Function(self.module, self.plan.lanes)
        env = {n: Value(d, scalar=f"%u_{n}") for n, d in self.passed}
        places = {o.name: self._inner_place(f, o) for o in self.kernel.operands}

        def point(position: str, mask: str | None, carried: list[str]) -> list[str]:
            body = Body(f, f.v, self.layout, env)
            body.places, body.axis, body.position, body.mask = (
                places, self.plan.last, position, mask,
            )  # fmt: skip
            body.indices = {a: f"%x_{a}" for a in self.kernel.outer[:-1]}
            for s in self.plan.statements:
                if isinstance(s, ir.Const) or getattr(s, "out", None) not in self.hoisted:
                    body.run(self._without_row_index(s))
            body.report_failures()
            return []

        if self.kernel.axes:
            vector_loop(f, "%from", "%to", self.plan.lanes, [], point, self.plan.masked)
        else:
            point("0", None, [])
        f.lines.append("  ret void")
        head = f"internal void @{self.symbol}.in({', '.join(self._parameters())})"
        return f.text(head)

    def _without_row_index(self, s: ir.Stmt) -> ir.Stmt:
        if isinstance(s, ir.Load) and s.operand in self.rows:
            return ir.Load(s.out, s.dtype, s.operand)
        if isinstance(s, ir.Store) and s.operand in self.rows:
            return ir.Store(s.operand, s.value, (), s.add)
        return s

    def _inner_place(self, f: Function, o: ir.Operand) -> Place:
        if o.name in self.lane_gathers and self.plan.last in o.axes:
            stride = f.word("%ctx", self.layout.stride(o.name, self.plan.last))
            return Place(f"%p_{o.name}", stride, unit=False)
        return Place(f"%p_{o.name}")

    # rows ---------------------------------------------------------------------------------------

    def _chunk(self) -> str:
        f = Function(self.module, self.plan.lanes)
        layout, kernel = self.layout, self.kernel
        buffers = {o.name: f.alloca(f"[{TILE} x i64]", 1) for o in self.moving}
        bases = {o.name: base_pointer(f, layout, o) for o in kernel.operands}
        scalars = load_scalars(f, layout)
        if not kernel.axes:
            self._call_inner(f, bases, scalars, {}, "0", "1")
            f.lines.append("  ret void")
            return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")
        outer_axes = kernel.outer[:-1]
        extents = [f.word("%ctx", layout.extent(a)) for a in outer_axes]
        n = f.word("%ctx", layout.extent(self.plan.last))
        ranges = chunk_ranges(f, layout, product(f, extents), n)
        unit = self._unit(f)

        def row(flat: str, carried: list[str]) -> list[str]:
            indices = dict(zip(outer_axes, decompose(f, flat, extents), strict=True))
            pointers = {
                o.name: advance(f, layout, o, bases[o.name], indices) for o in kernel.operands
            }
            self._row(f, pointers, dict(scalars), indices, ranges[2], ranges[3], unit, buffers)
            return []

        f.loop(ranges[0], ranges[1], 1, [], row)
        f.lines.append("  ret void")
        return f.text(f"internal void @{self.symbol}(ptr %ctx, i64 %chunk)")

    def _unit(self, f: Function) -> str:
        condition = "true"
        for o in self.moving:
            stride = f.word("%ctx", self.layout.stride(o.name, self.plan.last))
            same = f.s.emit(f"icmp eq i64 {stride}, {memory.itemsize(o.dtype)}")
            condition = f.s.emit(f"and i1 {condition}, {same}")
        return condition

    def _row(
        self, f: Function, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], start: str, stop: str, unit: str, buffers: dict[str, str],
    ) -> None:  # fmt: skip
        body = Body(f, f.s, self.layout, env)
        body.places = {name: Place(p) for name, p in pointers.items()}
        body.indices = indices
        body.axis = "-"
        for s in self.plan.statements:
            if getattr(s, "out", None) in self.hoisted:
                body.run(s)
        inside = "true"
        for name, index in self.rows.items():
            pointer, ok = body._gathered(name, index, Place(pointers[name]))
            pointers[name] = pointer
            inside = f.s.emit(f"and i1 {inside}, {ok}")
        body.report_failures()

        def go() -> list[str]:
            f.choose(
                unit,
                lambda: self._call_inner(f, pointers, body.env, indices, start, stop),
                lambda: self._packed(f, pointers, body.env, indices, start, stop, buffers),
            )
            return []

        f.when(inside, [], go)

    def _call_inner(
        self, f: Function, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], start: str, stop: str,
    ) -> None:  # fmt: skip
        args = ["ptr %ctx", f"i64 {start}", f"i64 {stop}"]
        args += [f"ptr {pointers[o.name]}" for o in self.kernel.operands]
        args += [f"{REGISTER_TYPES[d]} {env[n].scalar}" for n, d in self.passed]
        args += [f"i64 {indices[a]}" for a in self.kernel.outer[:-1]]
        f.lines.append(f"  call void @{self.symbol}.in({', '.join(args)})")

    # operands that are not contiguous -------------------------------------------------------

    def _packed(
        self, f: Function, pointers: dict[str, str], env: dict[str, Value],
        indices: dict[str, str], start: str, stop: str, buffers: dict[str, str],
    ) -> None:  # fmt: skip
        loaded = {s.operand for s in self.plan.statements
                  if isinstance(s, ir.Load) or (isinstance(s, ir.Store) and s.add)}  # fmt: skip
        stored = {s.operand for s in self.plan.statements if isinstance(s, ir.Store)}

        def tile(first: str, carried: list[str]) -> list[str]:
            count = f.least(f.i64("sub", stop, first), str(TILE))
            near = dict(pointers)
            for o in self.moving:
                if o.name in loaded:
                    self._copy(f, o, buffers[o.name], pointers[o.name], first, count, True)
                back = f.i64("mul", first, str(-memory.itemsize(o.dtype)))
                near[o.name] = f.pointer(buffers[o.name], back)
            end = f.i64("add", first, count)
            self._call_inner(f, near, env, indices, first, end)
            for o in self.moving:
                if o.name in stored:
                    self._copy(f, o, buffers[o.name], pointers[o.name], first, count, False)
            return []

        f.loop(start, stop, TILE, [], tile)

    def _copy(
        self, f: Function, o: ir.Operand, buffer: str, pointer: str, first: str, count: str,
        pack: bool,
    ) -> None:  # fmt: skip
        size = memory.itemsize(o.dtype)
        stride = f.word("%ctx", self.layout.stride(o.name, self.plan.last))
        there = f.pointer(pointer, f.i64("mul", first, stride))
        symbol = copy_helper(self.module, size)
        near, far = (f"ptr {buffer}, i64 {size}", f"ptr {there}, i64 {stride}")
        args = f"{near}, {far}" if pack else f"{far}, {near}"
        f.lines.append(f"  call void @{symbol}({args}, i64 {count})")

    # driver -------------------------------------------------------------------------------------

    def _driver(self) -> str:
        f = Function(self.module, 1)
        kernel = self.kernel
        if not kernel.axes:
            f.lines.append(f"  call void @{self.symbol}(ptr %ctx, i64 0)")
        else:
            if self.plan.indexes_axes or kernel.serial or len(kernel.outer) == 1:
                extents = [f.word("%ctx", self.layout.extent(a)) for a in kernel.outer]
            else:
                extents = merge_axes(f, self.layout, kernel.outer)
            outer = product(f, extents[:-1])
            if kernel.serial and self.plan.last in kernel.serial:
                f.set_word("%ctx", self.layout.own("mode"), "0")
                f.set_word("%ctx", self.layout.own("grain"), outer)
                f.lines.append(f"  call void @{self.symbol}(ptr %ctx, i64 0)")
            else:
                launch_chunks(
                    f, self.plan, f"@{self.symbol}", outer, extents[-1], 64,
                    only_inner=bool(kernel.serial),
                )  # fmt: skip
        f.lines.append("  ret void")
        return f.text(f"void @{self.symbol}_run(ptr %ctx)")


def copy_helper(module: Emitter, size: int) -> str:
    """An internal function that copies elements of ``size`` bytes between strided places."""
    symbol = f"th.copy{size}"
    if symbol not in module.definitions:
        f = Function(module, 1)
        kind = f"i{8 * size}"

        def one(i: str, carried: list[str]) -> list[str]:
            source = f.pointer("%src", f.i64("mul", i, "%ss"))
            target = f.pointer("%dst", f.i64("mul", i, "%ds"))
            value = f.s.emit(f"load {kind}, ptr {source}, align {size}")
            f.lines.append(f"  store {kind} {value}, ptr {target}, align {size}")
            return []

        f.loop("0", "%n", 1, [], one)
        f.lines.append("  ret void")
        module.definitions[symbol] = f.text(
            f"internal void @{symbol}(ptr %dst, i64 %ds, ptr %src, i64 %ss, i64 %n)"
        )
    return symbol
