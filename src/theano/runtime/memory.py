"""Native memory: aligned blocks, growing scratch slots, and recycling of large arrays.

Fresh large blocks cost a page fault per 4 KiB, as much as the arithmetic that fills them; so
blocks of 1 MiB and more go to free lists by size class (eight per power of two) and are handed
out again. The total kept is bounded by `set_limit`.

Native interface (all thread-safe):

=============================================  ==================================================
``ptr th_alloc(i64 bytes)``                    64-byte aligned block, null when out of memory
                                               even after ``th_big_trim``
``void th_free(ptr)``                          gives back a block of ``th_alloc`` (null is fine)
``ptr th_scratch(ptr slot, i64 bytes)``        block of the slot ``{ptr, i64 capacity}``, grown
                                               when too small; contents are not kept
``ptr th_big_alloc(i64 bytes)``                recycled block, 64-byte aligned
``void th_big_free(ptr)``                      back to the free list, or to the system
``void th_release(ptr capsule)``               capsule destructor: ``th_big_free`` of its pointer
``ptr th_empty(ptr descr, i32 nd, ptr dims,``  new C-ordered NumPy array (GIL held); ``bytes`` is
``i64 bytes)``                                 its size, large ones use recycled memory
=============================================  ==================================================
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from theano.core.record import dataclass
from theano.runtime import capi

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPORTS: Final = (
    "th_alloc", "th_free", "th_scratch", "th_big_alloc", "th_big_free", "th_big_trim",
    "th_release", "th_empty", "th_capsule_name",
)  # fmt: skip
PYTHON_IMPORTS: Final = (
    "PyArray_Type", "PyArray_NewFromDescr", "PyArray_SetBaseObject", "PyCapsule_New",
    "PyCapsule_GetPointer", "Py_IncRef", "Py_DecRef",
)  # fmt: skip
BIG_BYTES: Final = 1 << 20
DEFAULT_LIMIT: Final = 1 << 30
_CLASSES: Final = 200
_FIELDS: Final = {"lock": 0, "kept": 1, "limit": 2, "hits": 3, "misses": 4}
_HUGE_PAGE_BYTES: Final = 4 << 20
_native: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """State of the recycler: bytes kept, their bound, and how requests were served."""

    kept: int
    limit: int
    hits: int
    misses: int


@functools.cache
def _state() -> Any:
    """The words of the recycler, which every copy of the code shares, until the process ends."""
    state = (ctypes.c_int64 * (8 + _CLASSES))()
    state[_FIELDS["limit"]] = DEFAULT_LIMIT
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(state))
    return state


def imports() -> dict[str, int]:
    """Return the addresses that the code imports besides the C library."""
    table = capi.symbols()
    found = {name: table[name] for name in PYTHON_IMPORTS}
    return {**found, "th_big_state": ctypes.addressof(_state())}


def attach(native: Mapping[str, int]) -> None:
    """Take the addresses of the compiled helpers into use; those of better code replace them."""
    first = not _native
    _native.update(native)
    if first and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    state = _state()
    if state[_FIELDS["lock"]]:
        # Another thread was inside a free list when the process forked: start with empty lists.
        ctypes.memset(ctypes.addressof(state) + 64, 0, 8 * _CLASSES)
        state[_FIELDS["kept"]] = 0
        state[_FIELDS["lock"]] = 0


def stats() -> MemoryStats:
    """Return the state of the recycler (zeros before its first use)."""
    if not _native:
        return MemoryStats(0, DEFAULT_LIMIT, 0, 0)
    state = _state()
    return MemoryStats(*(state[_FIELDS[name]] for name in ("kept", "limit", "hits", "misses")))


def set_limit(limit: int) -> None:
    """Keep at most ``limit`` bytes of freed arrays; 0 switches recycling off."""
    if _native:
        _state()[_FIELDS["limit"]] = limit
        trim()


def trim() -> None:
    """Give all kept memory back to the system."""
    if _native:
        ctypes.CFUNCTYPE(None)(_native["th_big_trim"])()


def memory_ir(platform: str = sys.platform) -> str:
    """Return the LLVM IR of the memory helpers."""
    declare = advise = ""
    if platform == "linux":
        declare = "declare i32 @madvise(ptr, i64, i32)"
        advise = _ADVISE
    flags = capi.C_CONTIGUOUS | capi.ALIGNED | capi.WRITEABLE
    words = {
        "@CLASSES": str(_CLASSES), "@BIG": str(BIG_BYTES),
        "@DECLARE": declare, "@ADVISE": advise, "@HUGE": str(_HUGE_PAGE_BYTES),
        "@FLAGS": str(flags),
    }  # fmt: skip
    text = _MEMORY_IR
    for word, value in words.items():
        text = text.replace(word, value)
    return text


# Transparent huge pages are often on request only; they spare most page faults of a large block.
_ADVISE: Final = """
  %large = icmp sge i64 %bytes, @HUGE
  br i1 %large, label %advise, label %out
advise:
  %address = ptrtoint ptr %block to i64
  %up = add i64 %address, 4095
  %page = and i64 %up, -4096
  %page.p = inttoptr i64 %page to ptr
  %length = and i64 %bytes, -4096
  %short = sub i64 %length, 4096
  %ignored = call i32 @madvise(ptr %page.p, i64 %short, i32 14)
  br label %out
out:
"""

_MEMORY_IR: Final = """
@PyArray_Type = external global i8
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare i32 @PyArray_SetBaseObject(ptr, ptr)
declare ptr @PyCapsule_New(ptr, ptr, ptr)
declare ptr @PyCapsule_GetPointer(ptr, ptr)
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
declare i64 @llvm.ctlz.i64(i64, i1)
@DECLARE
@th_capsule_name = constant [14 x i8] c"theano.memory\\00"
; 0 lock, 1 bytes kept, 2 limit, 3 hits, 4 misses, 8… heads of the free lists
%State = type { i64, i64, i64, i64, i64, [3 x i64], [@CLASSES x ptr] }
@th_big_state = external global %State

; The word before a block holds the pointer that malloc gave.
define ptr @th_alloc(i64 %bytes) {
  %negative = icmp slt i64 %bytes, 0
  br i1 %negative, label %fail, label %try
try:
  %more = add i64 %bytes, 128
  %first = call ptr @malloc(i64 %more)
  %none = icmp eq ptr %first, null
  br i1 %none, label %trim, label %good
trim:
  call void @th_big_trim()
  %second = call ptr @malloc(i64 %more)
  %never = icmp eq ptr %second, null
  br i1 %never, label %fail, label %good
good:
  %base = phi ptr [%first, %try], [%second, %trim]
  %number = ptrtoint ptr %base to i64
  %up = add i64 %number, 127
  %aligned = and i64 %up, -64
  %block = inttoptr i64 %aligned to ptr
  %word = getelementptr i8, ptr %block, i64 -8
  store ptr %base, ptr %word
  ret ptr %block
fail:
  ret ptr null
}

define void @th_free(ptr %block) {
  %none = icmp eq ptr %block, null
  br i1 %none, label %out, label %give
give:
  %word = getelementptr i8, ptr %block, i64 -8
  %base = load ptr, ptr %word
  call void @free(ptr %base)
  br label %out
out:
  ret void
}

define ptr @th_scratch(ptr %slot, i64 %bytes) {
  %capacity.p = getelementptr i8, ptr %slot, i64 8
  %capacity = load i64, ptr %capacity.p
  %old = load ptr, ptr %slot
  %fits = icmp sge i64 %capacity, %bytes
  br i1 %fits, label %have, label %grow
have:
  ret ptr %old
grow:
  call void @th_free(ptr %old)
  store ptr null, ptr %slot
  store i64 0, ptr %capacity.p
  %block = call ptr @th_alloc(i64 %bytes)
  %none = icmp eq ptr %block, null
  br i1 %none, label %out, label %good
good:
  store ptr %block, ptr %slot
  store i64 %bytes, ptr %capacity.p
  br label %out
out:
  ret ptr %block
}

define internal void @lock() {
entry:
  br label %try
try:
  %pair = cmpxchg ptr @th_big_state, i64 0, i64 1 acquire monotonic
  %got = extractvalue {i64, i1} %pair, 1
  br i1 %got, label %out, label %try
out:
  ret void
}

define internal void @unlock() {
  store atomic i64 0, ptr @th_big_state release, align 8
  ret void
}

; Round up to one of eight classes per power of two.
define internal i64 @class_bytes(i64 %bytes) {
  %small = icmp slt i64 %bytes, @BIG
  %b = select i1 %small, i64 @BIG, i64 %bytes
  %zeros = call i64 @llvm.ctlz.i64(i64 %b, i1 true)
  %shift = sub i64 60, %zeros
  %step = shl i64 1, %shift
  %mask = sub i64 %step, 1
  %up = add i64 %b, %mask
  %inverse = xor i64 %mask, -1
  %size = and i64 %up, %inverse
  ret i64 %size
}

define internal ptr @class_head(i64 %size) {
  %zeros = call i64 @llvm.ctlz.i64(i64 %size, i1 true)
  %power = sub i64 43, %zeros
  %shift = sub i64 60, %zeros
  %eighth = lshr i64 %size, %shift
  %low = and i64 %eighth, 7
  %high = shl i64 %power, 3
  %index = add i64 %high, %low
  %known = icmp ult i64 %index, @CLASSES
  %slot = getelementptr %State, ptr @th_big_state, i64 0, i32 6, i64 %index
  %head = select i1 %known, ptr %slot, ptr null
  ret ptr %head
}

; A block is preceded by: -16 next free block, -24 its size; -8 belongs to th_alloc.
define ptr @th_big_alloc(i64 %bytes) {
entry:
  %size = call i64 @class_bytes(i64 %bytes)
  %head = call ptr @class_head(i64 %size)
  %unknown = icmp eq ptr %head, null
  br i1 %unknown, label %fresh, label %look
look:
  call void @lock()
  %first = load ptr, ptr %head
  %empty = icmp eq ptr %first, null
  br i1 %empty, label %miss, label %hit
hit:
  %next.p = getelementptr i8, ptr %first, i64 -16
  %next = load ptr, ptr %next.p
  store ptr %next, ptr %head
  %kept.p = getelementptr %State, ptr @th_big_state, i64 0, i32 1
  %kept = load i64, ptr %kept.p
  %kept.new = sub i64 %kept, %size
  store i64 %kept.new, ptr %kept.p
  %hits.p = getelementptr %State, ptr @th_big_state, i64 0, i32 3
  %hits = load i64, ptr %hits.p
  %hits.new = add i64 %hits, 1
  store i64 %hits.new, ptr %hits.p
  call void @unlock()
  ret ptr %first
miss:
  %misses.p = getelementptr %State, ptr @th_big_state, i64 0, i32 4
  %misses = load i64, ptr %misses.p
  %misses.new = add i64 %misses, 1
  store i64 %misses.new, ptr %misses.p
  call void @unlock()
  br label %fresh
fresh:
  %more = add i64 %size, 64
  %raw = call ptr @th_alloc(i64 %more)
  %none = icmp eq ptr %raw, null
  br i1 %none, label %fail, label %good
good:
  %base.p = getelementptr i8, ptr %raw, i64 -8
  %base = load ptr, ptr %base.p
  %block = getelementptr i8, ptr %raw, i64 64
  %word = getelementptr i8, ptr %block, i64 -8
  store ptr %base, ptr %word
  %size.p = getelementptr i8, ptr %block, i64 -24
  store i64 %size, ptr %size.p
  @ADVISE
  ret ptr %block
fail:
  ret ptr null
}

define void @th_big_free(ptr %block) {
entry:
  %none = icmp eq ptr %block, null
  br i1 %none, label %out, label %some
some:
  %size.p = getelementptr i8, ptr %block, i64 -24
  %size = load i64, ptr %size.p
  %head = call ptr @class_head(i64 %size)
  %unknown = icmp eq ptr %head, null
  br i1 %unknown, label %give, label %look
look:
  call void @lock()
  %kept.p = getelementptr %State, ptr @th_big_state, i64 0, i32 1
  %kept = load i64, ptr %kept.p
  %kept.new = add i64 %kept, %size
  %limit.p = getelementptr %State, ptr @th_big_state, i64 0, i32 2
  %limit = load i64, ptr %limit.p
  %over = icmp sgt i64 %kept.new, %limit
  br i1 %over, label %full, label %keep
full:
  call void @unlock()
  br label %give
keep:
  store i64 %kept.new, ptr %kept.p
  %first = load ptr, ptr %head
  %next.p = getelementptr i8, ptr %block, i64 -16
  store ptr %first, ptr %next.p
  store ptr %block, ptr %head
  call void @unlock()
  ret void
give:
  call void @th_free(ptr %block)
  br label %out
out:
  ret void
}

define void @th_big_trim() {
entry:
  call void @lock()
  br label %class
class:
  %i = phi i64 [0, %entry], [%i.next, %done]
  %head = getelementptr %State, ptr @th_big_state, i64 0, i32 6, i64 %i
  %first = load ptr, ptr %head
  br label %block
block:
  %now = phi ptr [%first, %class], [%next, %drop]
  %none = icmp eq ptr %now, null
  br i1 %none, label %done, label %drop
drop:
  %next.p = getelementptr i8, ptr %now, i64 -16
  %next = load ptr, ptr %next.p
  call void @th_free(ptr %now)
  br label %block
done:
  store ptr null, ptr %head
  %i.next = add i64 %i, 1
  %end = icmp eq i64 %i.next, @CLASSES
  br i1 %end, label %out, label %class
out:
  %kept.p = getelementptr %State, ptr @th_big_state, i64 0, i32 1
  store i64 0, ptr %kept.p
  call void @unlock()
  ret void
}

define void @th_release(ptr %capsule) {
  %block = call ptr @PyCapsule_GetPointer(ptr %capsule, ptr @th_capsule_name)
  call void @th_big_free(ptr %block)
  ret void
}

define ptr @th_empty(ptr %descr, i32 %nd, ptr %dims, i64 %bytes) {
entry:
  ; NewFromDescr steals the reference to the descriptor.
  call void @Py_IncRef(ptr %descr)
  %large = icmp sge i64 %bytes, @BIG
  br i1 %large, label %big, label %plain
plain:
  %array = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %descr, i32 %nd, ptr %dims,
    ptr null, ptr null, i32 0, ptr null)
  ret ptr %array
big:
  %block = call ptr @th_big_alloc(i64 %bytes)
  %none = icmp eq ptr %block, null
  br i1 %none, label %plain, label %wrap
wrap:
  %made = call ptr @PyArray_NewFromDescr(ptr @PyArray_Type, ptr %descr, i32 %nd, ptr %dims,
    ptr null, ptr %block, i32 @FLAGS, ptr null)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %drop, label %own
own:
  %capsule = call ptr @PyCapsule_New(ptr %block, ptr @th_capsule_name, ptr @th_release)
  %bad = icmp eq ptr %capsule, null
  br i1 %bad, label %drop.array, label %base
base:
  %status = call i32 @PyArray_SetBaseObject(ptr %made, ptr %capsule)
  %wrong = icmp slt i32 %status, 0
  br i1 %wrong, label %drop.owned, label %good
good:
  ret ptr %made
drop.owned:
  ; SetBaseObject dropped the capsule, and with it the block.
  call void @Py_DecRef(ptr %made)
  ret ptr null
drop.array:
  call void @Py_DecRef(ptr %made)
  br label %drop
drop:
  call void @th_big_free(ptr %block)
  ret ptr null
}
"""
