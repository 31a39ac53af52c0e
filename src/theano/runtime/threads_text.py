"""LLVM IR of the thread pool (`theano.runtime.threads` says what it does).

A *region* is one parallel loop. The ticket is twice the region's number, one more while its fields
are written; workers spin or sleep on it. The chunks of a region are claimed in at most 1024 groups:
the *place* of each thread holds ``region << 24 | first << 12 | end``, the groups of its share that
are left. Its owner takes the first by compare-and-swap, others the last. A place that still names
an earlier region has its whole share left, so that nothing has to be written for each thread when a
region begins. Nor can a thread that comes late claim anything: a region is not over while one of
its groups is left, and when it is over every place that had a share in it names it or a later one.
"""

from __future__ import annotations

import re
import sys
from typing import Final

#: Where the fields of the pool are, in words of 8 bytes.
SLOTS: Final = {
    "ticket": 0, "fn": 8, "ctx": 9, "chunks": 10, "group": 11, "groups": 12, "hands": 13,
    "processor": 14, "done": 16, "sleepers": 24, "workers": 32, "busy": 40, "start": 48,
    "started": 49, "places": 64,
}  # fmt: skip
#: Where the number of workers is: callers have one thread more.
WORKERS_SLOT: Final = SLOTS["workers"]
_HANDS: Final = 256  # threads that can have a place of their own, a cache line each
POOL_BYTES: Final = 8 * SLOTS["places"] + 64 * _HANDS
_SPINS: Final = 4000
_PATIENCE: Final = 16  # regions after which a worker may leave its processor again
_MASK: Final = 128  # bytes of a set of processors
_CHUNK_WEIGHT: Final = 1 << 21  # units of work worth a chunk: about 15 microseconds
_FUTEX: Final = {"x86_64": 202, "aarch64": 98}
_PAUSES: Final = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
    "arm64": ("declare void @llvm.aarch64.hint(i32)", "call void @llvm.aarch64.hint(i32 1)"),
}


def _primitives(architecture: str, platform: str) -> str:
    """Return IR for pause, give_way, doze, wait(word, value), wake(word), processor and leave."""
    declare_pause, pause = _PAUSES.get(architecture, ("", ""))
    where = _UNKNOWN_PROCESSOR
    if platform == "linux" and architecture in _FUTEX:
        number = _FUTEX[architecture]
        declare = "declare i64 @syscall(i64, ...)\ndeclare i32 @sched_yield()"
        declare += "\ndeclare i32 @usleep(i32)"
        give_way, nap = "call i32 @sched_yield()", "call i32 @usleep(i32 50)"
        wait = (
            f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 128, i32 %value, ptr null)"
        )
        wake = f"call i64 (i64, ...) @syscall(i64 {number}, ptr %word, i32 129, i32 2147483647)"
        where = _PROCESSOR
    elif platform == "win32":
        declare = "declare void @Sleep(i32)\ndeclare i32 @SwitchToThread()"
        give_way, wait, wake = "call i32 @SwitchToThread()", "call void @Sleep(i32 1)", ""
        nap = wait
    else:
        declare = "declare i32 @usleep(i32)\ndeclare i32 @sched_yield()"
        give_way, wait, wake = "call i32 @sched_yield()", "call i32 @usleep(i32 200)", ""
        nap = wait
    return f"""{declare_pause}
{declare}
{where}
define internal void @pause() alwaysinline {{
  {pause}
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
    text = _primitives(architecture, platform) + _CLAIMS + _WORKER + _PARALLEL + _LAUNCH
    numbers = {
        "@SPINS": _SPINS, "@PATIENCE": _PATIENCE, "@MASK": _MASK, "@PROCESSORS": 8 * _MASK,
        "@HANDS": _HANDS, "@CHUNK_WEIGHT": _CHUNK_WEIGHT,
        "@QUICK_WEIGHT": _CHUNK_WEIGHT // 16,
    }  # fmt: skip
    for name, number in numbers.items():
        text = text.replace(name, str(number))
    return re.sub(r"FIELDS\((.*)\)", _addresses, text)


def _addresses(names: re.Match[str]) -> str:
    """IR of the addresses of fields of the pool: that of ``done`` is ``%done.p``."""
    return "\n  ".join(
        f"%{name}.p = getelementptr i64, ptr %pool, i64 {SLOTS[name]}" for name in names[1].split()
    )


_UNKNOWN_PROCESSOR: Final = """
define internal i64 @processor() {
  ret i64 -1
}
define internal i1 @leave(i64 %processor) {
  ret i1 false
}
"""

_PROCESSOR: Final = """
declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
define internal i64 @processor() {
  %n = call i32 @sched_getcpu()
  %wide = sext i32 %n to i64
  ret i64 %wide
}

; Move this thread to another processor, if it may run on another: forbid it this one for a moment.
define internal i1 @leave(i64 %processor) {
entry:
  %all = alloca [@MASK x i8], align 8
  %others = alloca [@MASK x i8], align 8
  %within = icmp ult i64 %processor, @PROCESSORS
  br i1 %within, label %ask, label %no
ask:
  %got = call i32 @sched_getaffinity(i32 0, i64 @MASK, ptr %all)
  %known = icmp sge i32 %got, 0
  br i1 %known, label %forbid, label %no
forbid:
  call void @llvm.memcpy.p0.p0.i64(ptr %others, ptr %all, i64 @MASK, i1 false)
  %number = lshr i64 %processor, 6
  %word = getelementptr i64, ptr %others, i64 %number
  %bits = load i64, ptr %word, align 8
  %place = and i64 %processor, 63
  %bit = shl i64 1, %place
  %mask = xor i64 %bit, -1
  %rest = and i64 %bits, %mask
  store i64 %rest, ptr %word, align 8
  %set = call i32 @sched_setaffinity(i32 0, i64 @MASK, ptr %others)
  %moved = icmp sge i32 %set, 0
  br i1 %moved, label %allow, label %no
allow:
  %back = call i32 @sched_setaffinity(i32 0, i64 @MASK, ptr %all)
  ret i1 true
no:
  ret i1 false
}
"""

_CLAIMS: Final = """
; Claim and run chunks of the region of %ticket until none is left, as thread %self.
define internal void @drain(ptr %pool, i64 %ticket, i64 %self) {
entry:
  FIELDS(fn ctx chunks group groups hands done places)
  %fn = load atomic ptr, ptr %fn.p monotonic, align 8
  %ctx = load atomic ptr, ptr %ctx.p monotonic, align 8
  %chunks = load atomic i64, ptr %chunks.p monotonic, align 8
  %group = load atomic i64, ptr %group.p monotonic, align 8
  %groups = load atomic i64, ptr %groups.p monotonic, align 8
  %hands = load atomic i64, ptr %hands.p monotonic, align 8
  fence acquire
  %now = load atomic i64, ptr %pool monotonic, align 8
  %same = icmp eq i64 %now, %ticket
  %ours = icmp ult i64 %self, %hands
  %in = and i1 %same, %ours
  %half = lshr i64 %ticket, 1
  %region = and i64 %half, 1099511627775
  %round = sub i64 %hands, 1
  br i1 %in, label %share, label %out
share:
  %whose = phi i64 [%self, %entry], [%whose.next, %following]
  %seen = phi i64 [0, %entry], [%seen.next, %following]
  %at = shl i64 %whose, 6
  %place = getelementptr i8, ptr %places.p, i64 %at
  %f0 = mul i64 %whose, %groups
  %f1 = add i64 %f0, %round
  %from = udiv i64 %f1, %hands
  %u1 = add i64 %f1, %groups
  %upto = udiv i64 %u1, %hands
  %own = icmp eq i64 %whose, %self
  %own.1 = zext i1 %own to i64
  %other.1 = sub i64 1, %own.1
  br label %look
look:
  %value = load atomic i64, ptr %place acquire, align 8
  %named = lshr i64 %value, 24
  %touched = icmp eq i64 %named, %region
  %gap = sub i64 %region, %named
  %signed = shl i64 %gap, 24
  %earlier = icmp sgt i64 %signed, 0
  %going = or i1 %touched, %earlier
  %value.first = lshr i64 %value, 12
  %first.left = and i64 %value.first, 4095
  %end.left = and i64 %value, 4095
  %first = select i1 %touched, i64 %first.left, i64 %from
  %end = select i1 %touched, i64 %end.left, i64 %upto
  br i1 %going, label %any, label %out
any:
  %some = icmp ult i64 %first, %end
  br i1 %some, label %claim, label %following
claim:
  %first.then = add i64 %first, %own.1
  %end.then = sub i64 %end, %other.1
  %index = select i1 %own, i64 %first, i64 %end.then
  %v0 = shl i64 %region, 24
  %v1 = shl i64 %first.then, 12
  %v2 = or i64 %v0, %v1
  %then = or i64 %v2, %end.then
  %pair = cmpxchg ptr %place, i64 %value, i64 %then acq_rel acquire
  %won = extractvalue {i64, i1} %pair, 1
  br i1 %won, label %run, label %look
run:
  %begin = mul i64 %index, %group
  %beyond = add i64 %begin, %group
  %stop = call i64 @llvm.smin.i64(i64 %beyond, i64 %chunks)
  br label %chunk
chunk:
  %i = phi i64 [%begin, %run], [%i.next, %chunk]
  call void %fn(ptr %ctx, i64 %i)
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %stop
  br i1 %more, label %chunk, label %finished
finished:
  %before = atomicrmw add ptr %done.p, i64 1 acq_rel
  br label %look
following:
  %seen.next = add i64 %seen, 1
  %whose.1 = add i64 %whose, 1
  %wraps = icmp eq i64 %whose.1, %hands
  %whose.next = select i1 %wraps, i64 0, i64 %whose.1
  %further = icmp ult i64 %seen.next, %hands
  br i1 %further, label %share, label %out
out:
  ret void
}
"""

_WORKER: Final = """
; Sleep for a moment; the GIL must be free.
define void @th_nap() {
  call void @doze()
  ret void
}

; Whether %ticket is that of another region than %seen, whose fields are written.
define internal i1 @ready(i64 %ticket, i64 %seen) alwaysinline {
  %other = icmp ne i64 %ticket, %seen
  %odd = trunc i64 %ticket to i1
  %even = xor i1 %odd, true
  %both = and i1 %other, %even
  ret i1 %both
}

define void @th_worker(ptr %pool, i64 %self) {
entry:
  FIELDS(sleepers processor)
  br label %top
top:
  %seen = phi i64 [0, %entry], [%ticket, %help], [%ticket, %leave]
  %spins = phi i64 [@SPINS, %entry], [@SPINS, %help], [0, %leave]
  %patience = phi i64 [0, %entry], [%patience.then, %help], [0, %leave]
  br label %spin
spin:
  %k = phi i64 [0, %top], [%k.next, %spin.more]
  %t0 = load atomic i64, ptr %pool acquire, align 8
  %new0 = call i1 @ready(i64 %t0, i64 %seen)
  br i1 %new0, label %work, label %spin.more
spin.more:
  call void @pause()
  %k.next = add i64 %k, 1
  %again = icmp ult i64 %k.next, %spins
  br i1 %again, label %spin, label %sleep
sleep:
  %s0 = atomicrmw add ptr %sleepers.p, i64 1 seq_cst
  br label %check
check:
  %t1 = load atomic i64, ptr %pool seq_cst, align 8
  %new1 = call i1 @ready(i64 %t1, i64 %seen)
  br i1 %new1, label %awake, label %doze
doze:
  %seen32 = trunc i64 %seen to i32
  call void @wait(ptr %pool, i32 %seen32)
  br label %check
awake:
  %s1 = atomicrmw sub ptr %sleepers.p, i64 1 seq_cst
  br label %work
work:
  %ticket = phi i64 [%t0, %spin], [%t1, %awake]
  %caller = load atomic i64, ptr %processor.p monotonic, align 8
  %here = call i64 @processor()
  %known = icmp sge i64 %here, 0
  %beside = icmp eq i64 %here, %caller
  %crowded = and i1 %known, %beside
  %due = icmp eq i64 %patience, 0
  %hinders = and i1 %crowded, %due
  br i1 %hinders, label %leave, label %help
leave:
  ; On the caller's processor either of us only keeps the other from working.
  %left = call i1 @leave(i64 %here)
  br i1 %left, label %help, label %top
help:
  %patience.now = phi i64 [%patience, %work], [@PATIENCE, %leave]
  %patience.less = sub i64 %patience.now, 1
  %patience.then = call i64 @llvm.smax.i64(i64 %patience.less, i64 0)
  call void @drain(ptr %pool, i64 %ticket, i64 %self)
  br label %top
}
"""

_PARALLEL: Final = """
define void @th_parallel(ptr %pool, ptr %fn, ptr %ctx, i64 %chunks) {
entry:
  %some = icmp sgt i64 %chunks, 0
  br i1 %some, label %count, label %ret
count:
  FIELDS(workers)
  %workers = load atomic i64, ptr %workers.p monotonic, align 8
  %helped = icmp sgt i64 %workers, 0
  %several = icmp sgt i64 %chunks, 1
  %shared = and i1 %helped, %several
  br i1 %shared, label %take, label %serial
take:
  FIELDS(busy)
  %pair = cmpxchg ptr %busy.p, i64 0, i64 1 acquire monotonic
  %got = extractvalue {i64, i1} %pair, 1
  br i1 %got, label %ready, label %serial
serial:
  %i = phi i64 [0, %count], [0, %take], [%i.next, %serial]
  call void %fn(ptr %ctx, i64 %i)
  %i.next = add i64 %i, 1
  %end = icmp eq i64 %i.next, %chunks
  br i1 %end, label %ret, label %serial
ready:
  FIELDS(started)
  %started = load atomic i64, ptr %started.p acquire, align 8
  %is.started = icmp ne i64 %started, 0
  br i1 %is.started, label %publish, label %start
start:
  FIELDS(start)
  %start.fn = load ptr, ptr %start.p
  call void %start.fn()
  br label %publish
publish:
  FIELDS(sleepers fn ctx chunks group groups hands processor done)
  %g0 = add i64 %chunks, 1023
  %group = lshr i64 %g0, 10
  %g1 = add i64 %chunks, %group
  %g2 = sub i64 %g1, 1
  %groups = udiv i64 %g2, %group
  %callers = add i64 %workers, 1
  %hands = call i64 @llvm.smin.i64(i64 %callers, i64 @HANDS)
  %here = call i64 @processor()
  %old = load atomic i64, ptr %pool monotonic, align 8
  ; An odd ticket closes the old region: a late worker then sees that it read new fields.
  %closed = add i64 %old, 1
  %x0 = atomicrmw xchg ptr %pool, i64 %closed seq_cst
  store atomic ptr %fn, ptr %fn.p release, align 8
  store atomic ptr %ctx, ptr %ctx.p release, align 8
  store atomic i64 %chunks, ptr %chunks.p release, align 8
  store atomic i64 %group, ptr %group.p release, align 8
  store atomic i64 %groups, ptr %groups.p release, align 8
  store atomic i64 %hands, ptr %hands.p release, align 8
  store atomic i64 %here, ptr %processor.p release, align 8
  store atomic i64 0, ptr %done.p release, align 8
  %ticket = add i64 %old, 2
  %x1 = atomicrmw xchg ptr %pool, i64 %ticket seq_cst
  %sleepers = load atomic i64, ptr %sleepers.p seq_cst, align 8
  %asleep = icmp ne i64 %sleepers, 0
  br i1 %asleep, label %wake.up, label %work
wake.up:
  call void @wake(ptr %pool)
  br label %work
work:
  call void @drain(ptr %pool, i64 %ticket, i64 0)
  br label %wait
wait:
  %k = phi i64 [0, %work], [%k.next, %again]
  %done = load atomic i64, ptr %done.p acquire, align 8
  %all = icmp eq i64 %done, %groups
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
  store atomic i64 0, ptr %busy.p release, align 8
  br label %ret
ret:
  ret void
}
"""

_LAUNCH: Final = """
define i64 @th_launch(ptr %pool, ptr %fn, ptr %ctx, ptr %own, i64 %outer, i64 %inner, i64 %weight,
                      i64 %align, i64 %given) {
entry:
  FIELDS(workers)
  %workers = load atomic i64, ptr %workers.p monotonic, align 8
  %points = mul i64 %outer, %inner
  %work = mul i64 %points, %weight
  %parts = sdiv i64 %work, @CHUNK_WEIGHT
  %few = call i64 @llvm.smin.i64(i64 %parts, i64 64)
  %hands = add i64 %workers, 1
  FIELDS(sleepers)
  %sleepers = load atomic i64, ptr %sleepers.p monotonic, align 8
  %awake = icmp eq i64 %sleepers, 0
  %fine = icmp uge i64 %given, 4
  FIELDS(started)
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
