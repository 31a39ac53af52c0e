"""The thread pool of native code: one parallel loop at a time, chunks claimed by whoever is free.

One 64-bit ticket holds ``epoch << 32 | next chunk``. Caller and workers claim chunks by
compare-and-swap; the caller waits only for chunks that were claimed, never for a sleeping worker.
A nested call, or one made while another thread uses the pool, runs its loop alone. Workers are
daemon threads that enter native code once and never come back; they start at the first parallel
loop and again, lazily, in a forked child.

Native interface: ``void th_parallel(ptr pool, ptr fn, ptr ctx, i64 chunks)`` calls
``fn(ctx, chunk)`` for every chunk; ``th_pool`` is the address of the pool.

``i64 th_launch(ptr pool, ptr fn, ptr ctx, ptr own, i64 outer, i64 inner, i64 weight, i64 align,
i64 how)`` decides how a kernel's work is split, never by the number of threads where results could
depend on it: into at most 64 chunks, either of the ``outer`` positions or of the ``inner`` ones in
multiples of ``align`` (``how``: 0 either, 1 inner, 2 outer, 3 inner, one chunk a
thread; 4 more where no result depends on how work is split: while no worker sleeps, a sixteenth of
the work is then worth a chunk, up to one a thread). It leaves the size of a chunk and 0 (outer) or
1 (inner) in ``own``, runs the chunks and returns how many there were.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys
import threading
from typing import Final

EXPORTS: Final = ("th_worker", "th_parallel", "th_nap", "th_launch")
_POOL_BYTES: Final = 512
_SPINS: Final = 4000
_CHUNK_WEIGHT: Final = 1 << 21  # units of work worth a chunk: about 15 microseconds
_SLOT: Final = {
    "ticket": 0, "fn": 8, "ctx": 9, "chunks": 10, "done": 16, "sleepers": 24, "workers": 32,
    "busy": 40, "start": 48, "started": 49,
}  # fmt: skip
#: Where the number of workers is, in words: callers have one thread more.
WORKERS_SLOT: Final = _SLOT["workers"]
_FUTEX: Final = {"x86_64": 202, "aarch64": 98}


def default_thread_count(environment: str | None = None) -> int:
    """Return how many threads to use: OMP_NUM_THREADS, else the processors given to us.

    >>> default_thread_count("3")
    3
    """
    text = os.environ.get("OMP_NUM_THREADS", "") if environment is None else environment
    with contextlib.suppress(ValueError):
        wanted = int(text.split(",")[0])
        if wanted > 0:
            return wanted
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


class ThreadPool:
    """Memory of the pool, and the Python threads that serve it."""

    def __init__(self, threads: int) -> None:
        self._buffer = ctypes.create_string_buffer(_POOL_BYTES + 64)
        self.address = (ctypes.addressof(self._buffer) + 63) // 64 * 64
        self._slots = (ctypes.c_int64 * (_POOL_BYTES // 8)).from_address(self.address)
        self._threads = threads
        self._worker = 0
        self._lock = threading.Lock()
        # Native code calls this when it first needs workers; it takes the GIL by itself.
        self._start_callback = ctypes.CFUNCTYPE(None)(self._start)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    @property
    def threads(self) -> int:
        """How many threads a parallel loop uses, the caller included."""
        return self._threads

    @property
    def started(self) -> bool:
        """Whether the workers were started in this process."""
        return bool(self._slots[_SLOT["started"]])

    def attach(self, worker: int) -> None:
        """Set the address of ``th_worker``; parallel loops are serial before that."""
        self._worker = worker
        self._publish()

    def set_threads(self, threads: int) -> None:
        """Use ``threads`` threads from the next loop on; workers are only ever added."""
        if threads < 1:
            raise ValueError(f"the number of threads must be at least 1, got {threads}")
        with self._lock:
            self._threads = threads
            self._slots[_SLOT["started"]] = 0
        self._publish()

    def _publish(self) -> None:
        start = ctypes.cast(self._start_callback, ctypes.c_void_p).value or 0
        self._slots[_SLOT["workers"]] = self._threads - 1 if self._worker else 0
        self._slots[_SLOT["start"]] = start

    def _start(self) -> None:
        with self._lock:
            if self._slots[_SLOT["started"]] or sys.is_finalizing():
                return
            self._slots[_SLOT["started"]] = 1
            running = self._slots[_SLOT["started"] + 1]
            entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self._worker)
            for number in range(running, self._threads - 1):
                worker = threading.Thread(
                    target=entry, args=(self.address,), name=f"theano-{number + 1}", daemon=True
                )
                try:
                    worker.start()
                except RuntimeError:
                    # No thread can be made (limit reached, interpreter ending): the caller
                    # works through all chunks itself.
                    return
                self._slots[_SLOT["started"] + 1] = number + 1

    def _after_fork(self) -> None:
        """Only the forking thread lives on in a child: forget workers and running loops."""
        self._lock = threading.Lock()
        ctypes.memset(self.address, 0, _POOL_BYTES)
        self._publish()


@functools.cache
def pool() -> ThreadPool:
    """Return the pool of this process (no thread is started by asking for it)."""
    instance = ThreadPool(default_thread_count())
    # The pool's memory is used by daemon threads until the very end of the process.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(instance))
    return instance


def imports() -> dict[str, int]:
    """Return the addresses that the pool's code imports besides the C library."""
    kernel = getattr(getattr(ctypes, "windll", None), "kernel32", None)
    if kernel is None:
        return {}
    sleep = ctypes.cast(kernel.Sleep, ctypes.c_void_p).value or 0
    switch = ctypes.cast(kernel.SwitchToThread, ctypes.c_void_p).value or 0
    return {"Sleep": sleep, "SwitchToThread": switch}


def _primitives(architecture: str, platform: str) -> str:
    """Return IR for pause, yield, nap, wait(word, value) and wake(word) here."""
    pause = {
        "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
        "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
        "arm64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    }.get(architecture, ("", ""))
    if platform == "linux" and architecture in _FUTEX:
        number = _FUTEX[architecture]
        declare = "declare i64 @syscall(i64, ...)\ndeclare i32 @sched_yield()"
        declare += "\ndeclare i32 @usleep(i32)"
        give_way, nap = "call i32 @sched_yield()", "call i32 @usleep(i32 50)"
        wait = (
            f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 128, i32 %value, ptr null)"
        )
        wake = f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 129, i32 2147483647)"
    elif platform == "win32":
        declare = "declare void @Sleep(i32)\ndeclare i32 @SwitchToThread()"
        give_way, wait, wake = "call i32 @SwitchToThread()", "call void @Sleep(i32 1)", ""
        nap = wait
    else:
        declare = "declare i32 @usleep(i32)\ndeclare i32 @sched_yield()"
        give_way, wait, wake = "call i32 @sched_yield()", "call i32 @usleep(i32 200)", ""
        nap = wait
    return f"""{pause[0]}
{declare}
define internal void @pause() alwaysinline {{
  {pause[1]}
  ret void
}}
define internal void @give_way() {{
  {give_way}
  ret void
}}
define internal void @wait(ptr %word, i32 %value) {{
  {wait}
  ret void
}}
define internal void @doze() {{
  {nap}
  ret void
}}
define internal void @wake(ptr %word) {{
  {wake}
  ret void
}}
"""


def pool_ir(architecture: str, platform: str = sys.platform) -> str:
    """Return the LLVM IR of the pool for ``architecture`` (``x86_64``, ``aarch64``, …)."""
    text = _primitives(architecture, platform) + _POOL_IR.replace("@SPINS", str(_SPINS))
    text = text.replace("@CHUNK_WEIGHT", str(_CHUNK_WEIGHT))
    text = text.replace("@QUICK_WEIGHT", str(_CHUNK_WEIGHT // 16))
    for name, slot in _SLOT.items():
        text = text.replace(f"SLOT({name})", f"getelementptr i64, ptr %pool, i64 {slot}")
    return text


_POOL_IR: Final = """
; Claim and run chunks of region %epoch until none is left.
define internal void @drain(ptr %pool, i64 %epoch) {
entry:
  %fn.p = SLOT(fn)
  %ctx.p = SLOT(ctx)
  %chunks.p = SLOT(chunks)
  %done.p = SLOT(done)
  br label %next
next:
  %ticket = load atomic i64, ptr %pool acquire, align 8
  %now = lshr i64 %ticket, 32
  %same = icmp eq i64 %now, %epoch
  br i1 %same, label %look, label %out
look:
  %fn = load atomic ptr, ptr %fn.p monotonic, align 8
  %ctx = load atomic ptr, ptr %ctx.p monotonic, align 8
  %chunks = load atomic i64, ptr %chunks.p monotonic, align 8
  %index = and i64 %ticket, 4294967295
  %more = icmp ult i64 %index, %chunks
  br i1 %more, label %claim, label %out
claim:
  %claimed = add i64 %ticket, 1
  %pair = cmpxchg ptr %pool, i64 %ticket, i64 %claimed acq_rel acquire
  %won = extractvalue {i64, i1} %pair, 1
  br i1 %won, label %run, label %next
run:
  call void %fn(ptr %ctx, i64 %index)
  %before = atomicrmw add ptr %done.p, i64 1 acq_rel
  br label %next
out:
  ret void
}

; Sleep for a moment; the GIL must be free.
define void @th_nap() {
  call void @doze()
  ret void
}

define void @th_worker(ptr %pool) {
entry:
  %sleepers = SLOT(sleepers)
  %word = getelementptr i8, ptr %pool, i64 4
  br label %top
top:
  %seen = phi i64 [0, %entry], [%epoch, %work]
  br label %spin
spin:
  %k = phi i64 [0, %top], [%k.next, %spin.more]
  %t0 = load atomic i64, ptr %pool acquire, align 8
  %e0 = lshr i64 %t0, 32
  %new0 = icmp ne i64 %e0, %seen
  br i1 %new0, label %work, label %spin.more
spin.more:
  call void @pause()
  %k.next = add i64 %k, 1
  %again = icmp ult i64 %k.next, @SPINS
  br i1 %again, label %spin, label %sleep
sleep:
  %s0 = atomicrmw add ptr %sleepers, i64 1 seq_cst
  br label %check
check:
  %t1 = load atomic i64, ptr %pool seq_cst, align 8
  %e1 = lshr i64 %t1, 32
  %new1 = icmp ne i64 %e1, %seen
  br i1 %new1, label %awake, label %doze
doze:
  %seen32 = trunc i64 %seen to i32
  call void @wait(ptr %word, i32 %seen32)
  br label %check
awake:
  %s1 = atomicrmw sub ptr %sleepers, i64 1 seq_cst
  br label %work
work:
  %epoch = phi i64 [%e0, %spin], [%e1, %awake]
  call void @drain(ptr %pool, i64 %epoch)
  br label %top
}

define void @th_parallel(ptr %pool, ptr %fn, ptr %ctx, i64 %chunks) {
entry:
  %some = icmp sgt i64 %chunks, 0
  br i1 %some, label %count, label %ret
count:
  %workers.p = SLOT(workers)
  %workers = load atomic i64, ptr %workers.p monotonic, align 8
  %helped = icmp sgt i64 %workers, 0
  %several = icmp sgt i64 %chunks, 1
  %shared = and i1 %helped, %several
  br i1 %shared, label %take, label %serial
take:
  %busy = SLOT(busy)
  %pair = cmpxchg ptr %busy, i64 0, i64 1 acquire monotonic
  %got = extractvalue {i64, i1} %pair, 1
  br i1 %got, label %ready, label %serial
serial:
  %i = phi i64 [0, %count], [0, %take], [%i.next, %serial]
  call void %fn(ptr %ctx, i64 %i)
  %i.next = add i64 %i, 1
  %end = icmp eq i64 %i.next, %chunks
  br i1 %end, label %ret, label %serial
ready:
  %started.p = SLOT(started)
  %started = load atomic i64, ptr %started.p acquire, align 8
  %is.started = icmp ne i64 %started, 0
  br i1 %is.started, label %publish, label %start
start:
  %start.p = SLOT(start)
  %start.fn = load ptr, ptr %start.p
  call void %start.fn()
  br label %publish
publish:
  %sleepers.p = SLOT(sleepers)
  %fn.p = SLOT(fn)
  %ctx.p = SLOT(ctx)
  %chunks.p = SLOT(chunks)
  %done.p = SLOT(done)
  %old = load atomic i64, ptr %pool monotonic, align 8
  %old.epoch = lshr i64 %old, 32
  ; Close the old region first: a late worker that still holds its ticket then fails to claim.
  %closed = or i64 %old, 4294967295
  %x0 = atomicrmw xchg ptr %pool, i64 %closed seq_cst
  store atomic ptr %fn, ptr %fn.p release, align 8
  store atomic ptr %ctx, ptr %ctx.p release, align 8
  store atomic i64 0, ptr %done.p release, align 8
  store atomic i64 %chunks, ptr %chunks.p release, align 8
  %e1 = add i64 %old.epoch, 1
  %epoch = and i64 %e1, 4294967295
  %ticket = shl i64 %epoch, 32
  %x1 = atomicrmw xchg ptr %pool, i64 %ticket seq_cst
  %sleepers = load atomic i64, ptr %sleepers.p seq_cst, align 8
  %asleep = icmp ne i64 %sleepers, 0
  br i1 %asleep, label %wake.up, label %work
wake.up:
  %word = getelementptr i8, ptr %pool, i64 4
  call void @wake(ptr %word)
  br label %work
work:
  call void @drain(ptr %pool, i64 %epoch)
  br label %wait
wait:
  %k = phi i64 [0, %work], [%k.next, %again]
  %done = load atomic i64, ptr %done.p acquire, align 8
  %all = icmp eq i64 %done, %chunks
  br i1 %all, label %finish, label %pause
pause:
  call void @pause()
  %k.next = add i64 %k, 1
  %long = icmp ugt i64 %k.next, 2000
  br i1 %long, label %yield, label %again
yield:
  call void @give_way()
  br label %again
again:
  br label %wait
finish:
  store atomic i64 0, ptr %busy release, align 8
  br label %ret
ret:
  ret void
}

define i64 @th_launch(ptr %pool, ptr %fn, ptr %ctx, ptr %own, i64 %outer, i64 %inner, i64 %weight,
                      i64 %align, i64 %given) {
entry:
  %workers.p = SLOT(workers)
  %workers = load atomic i64, ptr %workers.p monotonic, align 8
  %points = mul i64 %outer, %inner
  %work = mul i64 %points, %weight
  %parts = sdiv i64 %work, @CHUNK_WEIGHT
  %few = call i64 @llvm.smin.i64(i64 %parts, i64 64)
  %hands = add i64 %workers, 1
  %sleepers.p = SLOT(sleepers)
  %sleepers = load atomic i64, ptr %sleepers.p monotonic, align 8
  %awake = icmp eq i64 %sleepers, 0
  %fine = icmp uge i64 %given, 4
  %started.p = SLOT(started)
  %started = load atomic i64, ptr %started.p monotonic, align 8
  %there = icmp ne i64 %started, 0
  %ready = and i1 %awake, %there
  %now = and i1 %ready, %fine
  %how = and i64 %given, 3
  %quick = sdiv i64 %work, @QUICK_WEIGHT
  %each = call i64 @llvm.smin.i64(i64 %quick, i64 %hands)
  %least = select i1 %now, i64 %each, i64 1
  %least.any = call i64 @llvm.smax.i64(i64 %least, i64 1)
  %wanted.any = call i64 @llvm.smax.i64(i64 %few, i64 %least.any)
  %stripes = icmp eq i64 %how, 3
  %wide = call i64 @llvm.smin.i64(i64 %wanted.any, i64 %hands)
  %wanted = select i1 %stripes, i64 %wide, i64 %wanted.any
  %enough = shl i64 %wanted, 1
  %many = icmp sge i64 %outer, %enough
  %free = icmp eq i64 %how, 0
  %prefer = and i1 %free, %many
  %must = icmp eq i64 %how, 2
  %by.outer = or i1 %prefer, %must
  %count = select i1 %by.outer, i64 %outer, i64 %inner
  %step = select i1 %by.outer, i64 1, i64 %align
  %sum = add i64 %count, %wanted
  %less = sub i64 %sum, 1
  %share = sdiv i64 %less, %wanted
  %up = add i64 %share, %step
  %up1 = sub i64 %up, 1
  %steps = sdiv i64 %up1, %step
  %rounded = mul i64 %steps, %step
  %grain = call i64 @llvm.smax.i64(i64 %rounded, i64 1)
  %sum2 = add i64 %count, %grain
  %less2 = sub i64 %sum2, 1
  %chunks = sdiv i64 %less2, %grain
  store i64 %grain, ptr %own, align 8
  %mode.p = getelementptr i64, ptr %own, i64 1
  %mode = select i1 %by.outer, i64 0, i64 1
  store i64 %mode, ptr %mode.p, align 8
  %single = icmp sle i64 %chunks, 1
  br i1 %single, label %one, label %many.chunks
one:
  call void %fn(ptr %ctx, i64 0)
  ret i64 %chunks
many.chunks:
  call void @th_parallel(ptr %pool, ptr %fn, ptr %ctx, i64 %chunks)
  ret i64 %chunks
}
declare i64 @llvm.smin.i64(i64, i64)
declare i64 @llvm.smax.i64(i64, i64)
"""
