"""Kernels to LLVM text.

For a kernel ``k`` the module gets ``void @k_run(ptr ctx)``, which the host calls. It merges axes
that are contiguous in all operands, picks a body by the strides it finds and runs it on chunks of
the work: *rows* goes along the last axis, *columns* across a contiguous outer axis with its
accumulators in a tile on the stack. How work is split never depends on the number of threads where
results could. ``ctx`` is laid out by ``layout.Layout``.
"""

from __future__ import annotations

from theano.backends.cpu.columns import (
    MOST_ROWS,
    columns_possible,
    launch_columns,
    render_columns,
)
from theano.backends.cpu.driver import (
    ANY,
    FREELY,
    INNER,
    ONCE,
    OUTER,
    decide_stream,
    declare_runtime,
    extents_of,
    launch_chunks,
    launch_parts,
    merge_axes,
    unit_condition,
)  # fmt: skip
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.flow import Function, product
from theano.backends.cpu.layout import CHUNKS, Layout
from theano.backends.cpu.rows import Rows
from theano.backends.cpu.schedule import Plan
from theano.core.record import dataclass
from theano.kernel import ir


@dataclass(frozen=True)
class KernelCode:
    """The text of one kernel; declarations and shared helpers are in the module emitter."""

    symbol: str
    text: str
    layout: Layout


def render_kernel(kernel: ir.Kernel, symbol: str, features: str, module: Emitter) -> KernelCode:
    """Write ``kernel`` as functions ``@symbol…``; the host calls ``@symbol_run(ptr ctx)``."""
    plan = Plan(kernel, features)
    declare_runtime(module)
    text = Rows(plan, f"{symbol}.rows", module).render()
    columns = columns_possible(plan)
    if columns:
        text += render_columns(plan, f"{symbol}.columns", module)
    return KernelCode(symbol, text + _driver(plan, symbol, module, columns), plan.layout)


def _driver(plan: Plan, symbol: str, module: Emitter, columns: bool) -> str:
    f = Function(module, 1)
    kernel, layout = plan.kernel, plan.layout
    mergeable = not plan.indexes_axes and not kernel.serial
    merge = merge_axes if mergeable else extents_of
    inner = merge(f, layout, kernel.inner)
    outer = merge(f, layout, kernel.outer)
    rows = f"{symbol}.rows"
    decide_stream(f, plan, [*outer, *inner])
    if not kernel.axes:
        f.lines.append(f"  call void @{rows}(ptr %ctx, i64 0)")
    elif not kernel.inner:
        # Without a point along the last axis there is nothing to do, however many rows there are.
        some = f.s.emit(f"icmp sgt i64 {outer[-1]}, 0")
        f.choose(some, lambda: _launch_map(f, plan, rows, outer), lambda: None)
    elif plan.whole:
        _launch_whole(f, plan, rows, inner)
    else:

        def by_rows() -> None:
            launch_chunks(f, plan, rows, product(f, outer), product(f, inner), 1, FREELY + OUTER)

        def by_columns() -> None:
            launch_columns(f, plan, f"{symbol}.columns", outer, product(f, inner))

        if columns:
            f.choose(_columns_fit(f, plan, inner), by_columns, by_rows)
        else:
            by_rows()
    f.lines.append("  ret void")
    return f.text(f"void @{symbol}_run(ptr %ctx)", ONCE)


def _launch_map(f: Function, plan: Plan, rows: str, extents: list[str]) -> None:
    serial = plan.kernel.serial
    outer = product(f, extents[:-1])

    def whole() -> None:
        f.set_word("%ctx", plan.layout.own("mode"), "0")
        f.set_word("%ctx", plan.layout.own("grain"), outer)
        f.lines.append(f"  call void @{rows}(ptr %ctx, i64 0)")

    def chunks() -> None:
        how = FREELY + (INNER if serial else ANY)
        launch_chunks(f, plan, rows, outer, extents[-1], 64, how)

    run = whole if plan.last in serial else chunks
    if plan.by_parts:
        launch_parts(f, plan, rows, extents[-1], f.i64("mul", outer, extents[-1]), run)
    else:
        run()


def _launch_whole(f: Function, plan: Plan, rows: str, inner: list[str]) -> None:
    """Chunks over the inner axes, then the end on the main thread."""
    chunks = launch_chunks(f, plan, rows, product(f, inner[:-1]), inner[-1], 64)
    f.lines.append(f"  call void @{rows}.end(ptr %ctx, i64 {f.least(chunks, str(CHUNKS))})")


def _columns_fit(f: Function, plan: Plan, inner: list[str]) -> str:
    """Whether rows are short or have gaps, and columns follow each other."""
    kernel, layout = plan.kernel, plan.layout
    names = [o.name for o in kernel.operands]
    wide = [o.name for o in kernel.operands if o.mode == "in" or set(o.axes) & set(kernel.inner)]
    fit = unit_condition(f, layout, kernel.outer[-1], names)
    rows = unit_condition(f, layout, kernel.inner[-1], wide)
    long = f.s.emit(f"icmp sge i64 {inner[-1]}, {plan.lanes}")
    rows = f.s.emit(f"and i1 {rows}, {long}")
    few = f.s.emit(f"icmp sle i64 {product(f, inner)}, {MOST_ROWS}")
    fit = f.s.emit(f"and i1 {fit}, {few}")
    return f.s.emit(f"and i1 {fit}, {f.s.emit(f'xor i1 {rows}, true')}")
