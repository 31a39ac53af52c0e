"""Internal functions of a module that the host function calls, so that its own text stays short."""

from __future__ import annotations

from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.flow import Function


def size_in_bytes(module: Emitter, rank: int) -> str:
    """``i64 f(i64 itemsize, i64 extent…)``: bytes of an array; -1 if an extent is negative or the
    product does not fit."""
    symbol = f"th.bytes{rank}"
    if symbol in module.definitions:
        return symbol
    f = Function(module, 1)
    name = "llvm.smul.with.overflow.i64"
    module.declare("{i64, i1}", name, ["i64", "i64"])
    checked, size, bad = "%size", "%size", "false"
    for axis in range(rank):
        extent = f"%d{axis}"
        bad = f.s.emit(f"or i1 {bad}, {f.s.emit(f'icmp slt i64 {extent}, 0')}")
        # An extent of zero must not hide that the others overflow: count it as one.
        some = f.s.emit(f"icmp sgt i64 {extent}, 1")
        counted = f.select(some, "i64", extent, "1")
        pair = f.s.emit(f"call {{i64, i1}} @{name}(i64 {checked}, i64 {counted})")
        checked = f.s.emit(f"extractvalue {{i64, i1}} {pair}, 0")
        bad = f.s.emit(f"or i1 {bad}, {f.s.emit(f'extractvalue {{i64, i1}} {pair}, 1')}")
        size = f.i64("mul", size, extent)
    f.lines.append(f"  ret i64 {f.select(bad, 'i64', '-1', size)}")
    extents = "".join(f", i64 %d{axis}" for axis in range(rank))
    module.definitions[symbol] = f.text(f"internal i64 @{symbol}(i64 %size{extents})")
    return symbol


def scratch(module: Emitter, rank: int) -> str:
    """``ptr f(ptr slot, i64 itemsize, i64 extent…)``: memory of a scratch slot for an array; null
    where its size is impossible or (MemoryError is set then) memory is short."""
    symbol = f"th.slot{rank}"
    if symbol in module.definitions:
        return symbol
    bytes_ = size_in_bytes(module, rank)
    module.declare("ptr", "th_scratch", ["ptr", "i64"])
    module.declare("ptr", "PyErr_NoMemory", [])
    f = Function(module, 1)
    extents = "".join(f", i64 %d{axis}" for axis in range(rank))
    size = f.s.emit(f"call i64 @{bytes_}(i64 %size{extents})")
    right = f.s.emit(f"icmp sge i64 {size}, 0")

    def take() -> list[str]:
        some = f.s.emit(f"or i64 {size}, 1")
        pointer = f.s.emit(f"call ptr @th_scratch(ptr %slot, i64 {some})")
        empty = f.s.emit(f"icmp eq ptr {pointer}, null")

        def complain() -> list[str]:
            f.s.emit("call ptr @PyErr_NoMemory()")
            return []

        f.when(empty, [], complain)
        return [pointer]

    f.lines.append(f"  ret ptr {f.when(right, [('ptr', 'null')], take)[0]}")
    module.definitions[symbol] = f.text(f"internal ptr @{symbol}(ptr %slot, i64 %size{extents})")
    return symbol


def run_kernel(module: Emitter) -> str:
    """``i64 f(ptr kernel, ptr ctx, i64 work, i64 status)``: run a kernel, without the GIL if there
    is ``work`` enough; gives the word ``status`` of its context."""
    symbol = "th.run"
    if symbol in module.definitions:
        return symbol
    module.declare("ptr", "PyEval_SaveThread", [])
    module.declare("void", "PyEval_RestoreThread", ["ptr"])
    f = Function(module, 1)
    call = "  call void %kernel(ptr %ctx)"
    much = f.s.emit(f"icmp sgt i64 %work, {UNLOCKED_WORK}")

    def unlocked() -> None:
        state = f.s.emit("call ptr @PyEval_SaveThread()")
        f.lines.extend((call, f"  call void @PyEval_RestoreThread(ptr {state})"))

    f.choose(much, unlocked, lambda: f.lines.append(call))
    place = f.s.emit("getelementptr i64, ptr %ctx, i64 %status")
    f.lines.append(f"  ret i64 {f.s.emit(f'load i64, ptr {place}, align 8')}")
    module.definitions[symbol] = f.text(
        f"internal i64 @{symbol}(ptr %kernel, ptr %ctx, i64 %work, i64 %status)"
    )
    return symbol


UNLOCKED_WORK = 100_000  # statements times points; releasing the GIL costs about 35 ns
