"""The thread pool of native code: one parallel loop at a time, split into chunks.

Every thread has chunks of its own, the same ones for as many chunks, so that what a thread wrote is
in its caches when it works on the same part again. Who has finished takes chunks from the far end
of others' shares; the caller waits only for chunks that were claimed, never for a sleeping worker.
A nested call, or one made while another thread uses the pool, runs its loop alone. Workers are
daemon threads that enter native code once and never come back; they start at the first parallel
loop and again, lazily, in a forked child. A worker that finds itself on the caller's processor
goes to another one; where it may not, it leaves the work to the caller.

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

from theano.runtime.threads_text import POOL_BYTES, SLOTS

EXPORTS: Final = ("th_worker", "th_parallel", "th_nap", "th_launch")


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
        self._buffer = ctypes.create_string_buffer(POOL_BYTES + 64)
        self.address = (ctypes.addressof(self._buffer) + 63) // 64 * 64
        self._slots = (ctypes.c_int64 * (POOL_BYTES // 8)).from_address(self.address)
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
        return bool(self._slots[SLOTS["started"]])

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
            self._slots[SLOTS["started"]] = 0
        self._publish()

    def _publish(self) -> None:
        start = ctypes.cast(self._start_callback, ctypes.c_void_p).value or 0
        self._slots[SLOTS["workers"]] = self._threads - 1 if self._worker else 0
        self._slots[SLOTS["start"]] = start

    def _start(self) -> None:
        with self._lock:
            if self._slots[SLOTS["started"]] or sys.is_finalizing():
                return
            self._slots[SLOTS["started"]] = 1
            running = self._slots[SLOTS["started"] + 1]
            entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(self._worker)
            for number in range(running, self._threads - 1):
                worker = threading.Thread(
                    target=entry,
                    args=(self.address, number + 1),
                    name=f"theano-{number + 1}",
                    daemon=True,
                )
                try:
                    worker.start()
                except RuntimeError:
                    # No thread can be made (limit reached, interpreter ending): the caller
                    # works through all chunks itself.
                    return
                self._slots[SLOTS["started"] + 1] = number + 1

    def _after_fork(self) -> None:
        """Only the forking thread lives on in a child: forget workers and running loops."""
        self._lock = threading.Lock()
        ctypes.memset(self.address, 0, POOL_BYTES)
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
