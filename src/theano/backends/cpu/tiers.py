"""Two tiers of code: what is made quickly runs at once, better code takes over a little later.

Code generation at level 0 takes a fifth of the time of level 1; both give the same results, bit
for bit. Where the disk cache has neither, level 0 is made, stored (together with its text) and
used. A thread makes level 1 once nothing was compiled for `jit.tiers_delay` seconds: helper
libraries first, then functions that are still alive. It stores the code, and points their
built-ins to it. The state of helper libraries is not part of their code: both tiers share it.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from theano.backends.cpu import compiler
from theano.backends.cpu import helpers as libraries
from theano.core.config import config

if TYPE_CHECKING:
    from theano.backends.cpu.compiler import NativeModule
    from theano.runtime.cache import ObjectCache
    from theano.runtime.support import Recipe, Support

#: Addresses of what code imports, for the first tier (True) or the second.
Binding = Callable[[bool], Mapping[str, int]]
_MAGIC: Final = b"THQUICK1"  # then the size of the object code, that code, its compressed text


class _Job(NamedTuple):
    """A function whose code shall be replaced."""

    owner: weakref.ref[NativeModule]
    text: bytes
    exports: tuple[str, ...]
    bind: Binding
    cache: ObjectCache | None


def module(
    text: str, exports: tuple[str, ...], bind: Binding, cache: ObjectCache | None
) -> NativeModule:
    """Return linked code of ``text``, the best there is without waiting for the second tier.

    Parameters
    ----------
    text, exports
        As for `compiler.compile_module`.
    bind
        Gives the addresses of what the text imports.
    cache
        Disk cache, or None.
    """
    key = compiler.module_key(text)
    found = load(key, exports, bind, cache)
    if found is not None:
        return found
    name = _name(key, exports)
    if not config.jit.tiers:
        made = compiler.compile_module(text, exports, bind(False), cache=cache)
        return compiler.keep(name, made)
    packed = zlib.compress(text.encode(), 1)
    made = _quick(text, packed, exports, bind(True), key, cache)
    _later(made, packed, exports, bind, cache)
    return compiler.keep(name, made)


def load(
    key: str, exports: tuple[str, ...], bind: Binding, cache: ObjectCache | None
) -> NativeModule | None:
    """Return the linked code that `module` made earlier, in this process or another; else None."""
    name, tiers = _name(key, exports), config.jit.tiers
    found = compiler.alive(name)
    if found is not None and (tiers or found.level):
        return found
    if cache is None:
        return None
    stored = cache.get(key)
    found = None if stored is None else compiler.link_stored(stored, exports, bind(False), key)
    if found is None and tiers:
        code, packed = _unpacked(cache.get(_quick_key(key)))
        found = compiler.link_stored(code, exports, bind(True), key) if code else None
        if found is not None:
            found.level = 0
            _later(found, packed, exports, bind, cache)
    return None if found is None else compiler.keep(name, found)


def helpers(cache: ObjectCache | None, quick: bool) -> Support:
    """Return the helper libraries for code of the first tier (``quick``) or of the second."""
    final = libraries.helpers(cache)
    if not quick:
        return final
    return libraries.helpers(cache, quick=functools.partial(_helper, cache))


def _helper(cache: ObjectCache | None, recipe: Recipe, /) -> NativeModule:
    """A helper library: that of the second tier if the disk cache has it."""
    found = libraries.good(cache, recipe)
    if found is not None:
        return found
    known = libraries.recall(cache, recipe, "quick")
    found = None if known is None else _stored(cache, recipe, known)
    if found is None:
        text = recipe.text()
        known = libraries.Known(compiler.module_key(text.ir), recipe.bind(text))
        found = libraries.stored(cache, recipe, known)
        if found is not None:
            return found
        found = _stored(cache, recipe, known)
        if found is None:
            found = _quick(text.ir, b"", recipe.exports, known.imports, known.key, cache)
        libraries.note(cache, recipe, "quick", known.key, text)
    found.level = 0
    _worker.schedule(None)
    return found


def _stored(
    cache: ObjectCache | None, recipe: Recipe, known: libraries.Known
) -> NativeModule | None:
    """A helper library with the code that `_quick` stored."""
    code, _ = _unpacked(None if cache is None else cache.get(_quick_key(known.key)))
    if not code:
        return None
    return compiler.link_stored(code, recipe.exports, known.imports, known.key)


def _quick(
    text: str, packed: bytes, exports: Sequence[str], imports: Mapping[str, int], key: str,
    cache: ObjectCache | None,
) -> NativeModule:  # fmt: skip
    code = compiler.generate(text, quick=True)
    made = compiler.link(code, exports, imports, key, from_cache=False)
    made.level = 0
    if cache is not None:
        size = len(code).to_bytes(8, "little")
        cache.put(_quick_key(key), b"".join((_MAGIC, size, code, packed)))
    return made


def _unpacked(blob: bytes | None) -> tuple[bytes, bytes]:
    """Object code and compressed text of what `_quick` stored; empty if it is something else."""
    if blob is None or not blob.startswith(_MAGIC):
        return b"", b""
    start = len(_MAGIC) + 8
    stop = start + int.from_bytes(blob[len(_MAGIC) : start], "little")
    return blob[start:stop], blob[stop:]


def _name(key: str, exports: tuple[str, ...]) -> str:
    return f"{key} {' '.join(exports)}"


def _quick_key(key: str) -> str:
    return hashlib.sha256(f"{key} quick".encode()).hexdigest()


def _later(
    owner: NativeModule, text: bytes, exports: tuple[str, ...], bind: Binding,
    cache: ObjectCache | None,
) -> None:  # fmt: skip
    _worker.schedule(_Job(weakref.ref(owner), text, exports, bind, cache))


def settle() -> None:
    """Make all code of the second tier that is still to be made, and return when it is in use.

    >>> settle()
    """
    _worker.settle()


class _Worker:
    """Jobs, and the thread that works them off; it ends when there is none left."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._helpers = False  # whether helper libraries are to be made
        self._due = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._prepared = False

    def schedule(self, job: _Job | None) -> None:
        """Note a function, or (None) that there are helper libraries, and wait anew."""
        self._prepare()
        with self._changed:
            if job is None:
                self._helpers = True
            else:
                self._jobs.append(job)
            due = time.monotonic() + config.jit.tiers_delay
            if due < self._due:
                self._changed.notify_all()  # the delay was made shorter
            self._due = due
            if self._thread is None and not self._stopped:
                thread = threading.Thread(target=self._run, name="theano-tiers", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # no threads here: code stays as it is, or `settle` makes it
                self._thread = thread

    def settle(self) -> None:
        """Work off all jobs in this thread."""
        while self._step():
            pass

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                if self._stopped or not (self._jobs or self._helpers):
                    self._thread = None
                    return
            self._step()

    def _step(self) -> bool:
        """Do one job; False if there is none."""
        with compiler.background:
            if self._stopped:
                return False
            if self._helpers:
                self._helpers = False
                if self._one_helper():
                    self._helpers = True
                return True
            try:
                job = self._jobs.popleft()
            except IndexError:
                return False
            _replace(job)
            return True

    def _one_helper(self) -> bool:
        """Make one helper library of the second tier; False if there is none to be made."""
        final = libraries.helpers()
        for group in helpers(None, quick=True).loaded:
            if group not in final.loaded:
                try:
                    final.library(group)
                except Exception:  # functions that need it will say why they stay as they are
                    return False
                return True
        return False

    # ---------------------------------------------------------------- ends and forks

    def _prepare(self) -> None:
        """Before the first job: see to forks and to the end of the process."""
        if self._prepared:
            return
        self._prepared = True
        atexit.register(self._stop)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=compiler.background.acquire,
                after_in_parent=compiler.background.release,
                after_in_child=self._after_fork,
            )

    def _stop(self) -> None:
        """Begin nothing new, and wait for the job in progress: LLVM must not outlive Python."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _after_fork(self) -> None:
        """The thread is not here; it starts again with the next job."""
        compiler.background.release()
        self._changed = threading.Condition()
        self._thread = None
        compiler.forget_calls()
        libraries.forget_calls()


def _replace(job: _Job) -> None:
    """Make code of the second tier for a function; where that fails, it keeps what it has."""
    owner = job.owner()
    if owner is None or owner.level:
        return
    try:
        text = zlib.decompress(job.text).decode()
        better = compiler.compile_module(text, job.exports, job.bind(False), cache=job.cache)
        owner.replace(better)
    except Exception as error:
        owner.note = f": there is no better code: {type(error).__name__}: {error}"


_worker: Final = _Worker()
