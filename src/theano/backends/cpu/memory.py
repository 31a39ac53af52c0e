"""Loads and stores of vectors: contiguous, masked, and with a stride in bytes.

Memory holds bool as bytes and float16 as halves; registers hold bits and float32. Alignment is
that of the element unless `aligned` says that of a cache line.
"""

from __future__ import annotations

import numpy as np

from theano.backends.cpu.emit import MEMORY_TYPES, REGISTER_TYPES, Emitter

CACHE_LINE = 64


def memory_type(dtype: str) -> str:
    """The LLVM element type of `dtype` in memory.

    >>> memory_type("bool"), memory_type("float16"), memory_type("uint8")
    ('i8', 'half', 'i8')
    """
    return MEMORY_TYPES.get(dtype, REGISTER_TYPES[dtype])


def itemsize(dtype: str) -> int:
    """Bytes an element of `dtype` takes in memory."""
    return int(np.dtype(dtype).itemsize)


def _align(dtype: str, aligned: bool) -> int:
    return CACHE_LINE if aligned else itemsize(dtype)


def _to_register(e: Emitter, dtype: str, value: str) -> str:
    if dtype == "bool":
        return e.icmp("ne", "int8", value, e.const("int8", 0))
    if dtype == "float16":
        return e.convert("fpext", "half", value, "float")
    return value


def _to_memory(e: Emitter, dtype: str, value: str) -> str:
    if dtype == "bool":
        return e.convert("zext", "i1", value, "i8")
    if dtype == "float16":
        # Unfenced, LLVM makes the sign of a copysign in float64 a half, by a routine of libgcc.
        fenced = e.intrinsic("arithmetic.fence", "float", value)
        return e.convert("fptrunc", "float", fenced, "half")
    return value


def emit_load(e: Emitter, dtype: str, ptr: str, aligned: bool = False) -> str:
    """All lanes from consecutive elements at `ptr`."""
    kind = e.widen(memory_type(dtype))
    return _to_register(e, dtype, e.emit(f"load {kind}, ptr {ptr}, align {_align(dtype, aligned)}"))


def emit_prefetch(e: Emitter, ptr: str, write: bool = False) -> None:
    """Ask for the cache line at `ptr`, which need not be valid."""
    e.declare("void", "llvm.prefetch.p0", ["ptr", "i32", "i32", "i32"])
    e.do(f"call void @llvm.prefetch.p0(ptr {ptr}, i32 {int(write)}, i32 3, i32 1)")


def emit_store(e: Emitter, dtype: str, ptr: str, value: str, aligned: bool = False) -> None:
    """All lanes to consecutive elements at `ptr`."""
    kind = e.widen(memory_type(dtype))
    stored = _to_memory(e, dtype, value)
    e.do(f"store {kind} {stored}, ptr {ptr}, align {_align(dtype, aligned)}")


def emit_stream(e: Emitter, dtype: str, ptr: str, value: str) -> None:
    """All lanes to whole cache lines at `ptr`, past the caches."""
    e.declarations.add("!0 = !{i32 1}")
    kind = e.widen(memory_type(dtype))
    stored = _to_memory(e, dtype, value)
    e.do(f"store {kind} {stored}, ptr {ptr}, align {CACHE_LINE}, !nontemporal !0")


def emit_masked_load(e: Emitter, dtype: str, ptr: str, mask: str, aligned: bool = False) -> str:
    """The lanes where `mask` holds from consecutive elements at `ptr`; zero elsewhere."""
    if e.lanes == 1:
        raise ValueError("masked access needs more than one lane: branch instead")
    element = memory_type(dtype)
    kind, bits = e.widen(element), e.widen("i1")
    symbol = f"llvm.masked.load.{e.suffix(element)}.p0"
    e.declare(kind, symbol, ["ptr", "i32", bits, kind])
    args = [ptr, str(_align(dtype, aligned)), mask, "zeroinitializer"]
    return _to_register(e, dtype, e.call(kind, symbol, ["ptr", "i32", bits, kind], args))


def emit_masked_store(
    e: Emitter, dtype: str, ptr: str, value: str, mask: str, aligned: bool = False
) -> None:
    """The lanes where `mask` holds to consecutive elements at `ptr`."""
    if e.lanes == 1:
        raise ValueError("masked access needs more than one lane: branch instead")
    element = memory_type(dtype)
    kind, bits = e.widen(element), e.widen("i1")
    symbol = f"llvm.masked.store.{e.suffix(element)}.p0"
    e.declare("void", symbol, [kind, "ptr", "i32", bits])
    stored, align = _to_memory(e, dtype, value), _align(dtype, aligned)
    e.do(f"call void @{symbol}({kind} {stored}, ptr {ptr}, i32 {align}, {bits} {mask})")


def iota(e: Emitter, element: str = "i64") -> str:
    """The constant 0, 1, 2, ... of an integer type, one a lane."""
    if e.lanes == 1:
        return "0"
    return "<" + ", ".join(f"{element} {i}" for i in range(e.lanes)) + ">"


def lane_pointers(e: Emitter, ptr: str, offsets: str) -> str:
    """`ptr` plus a byte offset (int64) per lane."""
    return e.emit(f"getelementptr i8, ptr {ptr}, {e.widen('i64')} {offsets}")


def _strided(e: Emitter, ptr: str, stride: str | int) -> str:
    """A pointer per lane: ``ptr + lane * stride`` bytes."""
    spread = e.splat("i64", str(stride)) if isinstance(stride, int) else e.broadcast("i64", stride)
    return lane_pointers(e, ptr, e.emit(f"mul {e.widen('i64')} {spread}, {iota(e)}"))


def emit_gather_at(e: Emitter, dtype: str, pointers: str, mask: str | None = None) -> str:
    """Each lane from its own pointer; lanes outside `mask` are zero and touch no memory."""
    element = memory_type(dtype)
    if e.lanes == 1:
        return emit_load(e, dtype, pointers)
    kind, bits, ptrs = e.widen(element), e.widen("i1"), e.widen("ptr")
    symbol = f"llvm.masked.gather.{e.suffix(element)}.{e.suffix('ptr')}"
    kinds = [ptrs, "i32", bits, kind]
    e.declare(kind, symbol, kinds)
    args = [pointers, str(itemsize(dtype)), mask or e.splat("i1", "true"), "zeroinitializer"]
    return _to_register(e, dtype, e.call(kind, symbol, kinds, args))


def emit_scatter_at(
    e: Emitter, dtype: str, pointers: str, value: str, mask: str | None = None
) -> None:
    """Each lane to its own pointer, the last of equal pointers winning."""
    if e.lanes == 1:
        emit_store(e, dtype, pointers, value)
        return
    element = memory_type(dtype)
    kind, bits, ptrs = e.widen(element), e.widen("i1"), e.widen("ptr")
    symbol = f"llvm.masked.scatter.{e.suffix(element)}.{e.suffix('ptr')}"
    e.declare("void", symbol, [kind, ptrs, "i32", bits])
    stored, where = _to_memory(e, dtype, value), mask or e.splat("i1", "true")
    size = itemsize(dtype)
    e.do(f"call void @{symbol}({kind} {stored}, {ptrs} {pointers}, i32 {size}, {bits} {where})")


def emit_gather(
    e: Emitter, dtype: str, ptr: str, stride: str | int, mask: str | None = None
) -> str:
    """Lane i from ``ptr + i * stride`` bytes; `stride` is an i64 value or a constant."""
    if e.lanes == 1:
        return emit_load(e, dtype, ptr)
    return emit_gather_at(e, dtype, _strided(e, ptr, stride), mask)


def emit_scatter(
    e: Emitter, dtype: str, ptr: str, value: str, stride: str | int, mask: str | None = None
) -> None:
    """Lane i to ``ptr + i * stride`` bytes."""
    if e.lanes == 1:
        emit_store(e, dtype, ptr, value)
        return
    emit_scatter_at(e, dtype, _strided(e, ptr, stride), value, mask)
