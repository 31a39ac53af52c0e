"""A content-addressed disk cache for object code and small JSON entries.

Every file is ``header + payload``; the header holds a magic number, a format version and the
SHA-256 of the file's name and the payload, and the payload is only handed out after the hash was
verified: damaged files are refused, and so are sound ones under another's name. Nothing is
unpickled. A cache that cannot be trusted (foreign owner, open permissions) or cannot be
written (read-only or full disk) is left alone: the program then runs without it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from theano.core import trace
from theano.core.record import dataclass

if TYPE_CHECKING:
    from pathlib import Path

MAGIC: Final = b"THOC"
VERSION: Final = 2
_HEADER: Final = len(MAGIC) + 4 + 32
_KEY: Final = re.compile(r"[0-9a-f]{16,128}\Z")
_NAMESPACES: Final = ("obj", "plan")
DEFAULT_LIMIT: Final = 512 * 1024 * 1024
# A file is only touched for LRU order when its time stamp is older than this (seconds).
_TOUCH_AFTER: Final = 3600.0
_STALE_TEMPORARY: Final = 3600.0


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache did in this process, and what it holds on disk."""

    path: str
    usable: bool
    reason: str
    entries: int
    bytes: int
    hits: int
    misses: int
    rejected: int
    stored: int


def encode(payload: bytes, name: str) -> bytes:
    """Return ``payload`` behind the header that `decode` verifies, to be stored as ``name``.

    >>> decode(encode(b"object code", "a.obj"), "a.obj")
    b'object code'
    """
    return MAGIC + VERSION.to_bytes(4, "little") + _digest(payload, name) + payload


def decode(blob: bytes, name: str) -> bytes | None:
    """Return the payload of ``blob``, the file ``name``; None if it is not what was stored so.

    >>> decode(encode(b"object code", "a.obj"), "b.obj") is None
    True
    """
    if len(blob) < _HEADER or not blob.startswith(MAGIC):
        return None
    version = int.from_bytes(blob[4:8], "little")
    payload = blob[_HEADER:]
    if version != VERSION or _digest(payload, name) != blob[8:_HEADER]:
        return None
    return payload


def _digest(payload: bytes, name: str) -> bytes:
    digest = hashlib.sha256(f"{name}\0".encode())
    digest.update(payload)
    return digest.digest()


def _trust_problem(directory: str) -> str:
    """Say why ``directory`` must not be trusted, or return the empty string."""
    info = os.lstat(directory)
    if not stat.S_ISDIR(info.st_mode):
        return f"{directory} is not a directory"
    if not hasattr(os, "getuid"):
        return ""
    if info.st_uid != os.getuid():
        return f"{directory} belongs to another user (uid {info.st_uid})"
    if info.st_mode & 0o022:
        return f"{directory} can be written by other users (mode {stat.S_IMODE(info.st_mode):o})"
    return ""


class ObjectCache:
    """Object code and JSON plans under ``<compiledir>/objects``, private to its user.

    Parameters
    ----------
    compiledir
        Directory that holds the cache; created at the first `put`.
    limit
        Bound on the total size in bytes; the least recently used entries go first.
    """

    def __init__(self, compiledir: str | os.PathLike[str], limit: int = DEFAULT_LIMIT) -> None:
        self._root = os.path.join(os.path.expanduser(os.fspath(compiledir)), "objects")
        self._limit = limit
        self._lock = threading.Lock()
        self._state: bool | None = None
        self._reason = ""
        self._hits = self._misses = self._rejected = self._stored = 0
        self._since_cleanup = 0

    def path(self) -> Path:
        """Return the directory of the entries (it may not exist yet)."""
        from pathlib import Path  # slow to import, and not needed to read the cache

        return Path(self._root)

    def get(self, key: str) -> bytes | None:
        """Return the verified bytes stored under the hexadecimal ``key``, or None."""
        return self._read("obj", key)

    def put(self, key: str, data: bytes) -> bool:
        """Store ``data`` under ``key``; return False if that was not possible (never raises)."""
        return self._write("obj", key, data)

    def get_plan(self, key: str) -> Any:
        """Return the JSON value stored under ``key``, or None."""
        data = self._read("plan", key)
        if data is None:
            return None
        try:
            return json.loads(data)
        except ValueError:
            return None

    def put_plan(self, key: str, value: Any) -> bool:
        """Store ``value`` (anything JSON can hold) under ``key``; False if not possible."""
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
        return self._write("plan", key, text.encode())

    def stats(self) -> CacheStats:
        """Return counters of this process and the size on disk."""
        files = self._files() if self._usable(create=False) else []
        return CacheStats(
            path=self._root, usable=self._state is not False, reason=self._reason,
            entries=len(files), bytes=sum(size for _, size, _ in files), hits=self._hits,
            misses=self._misses, rejected=self._rejected, stored=self._stored,
        )  # fmt: skip

    def clear(self) -> int:
        """Remove every entry; return how many were removed."""
        if not self._usable(create=False):
            return 0
        removed = 0
        for _, _, path in self._files():
            with contextlib.suppress(OSError):
                os.unlink(path)
                removed += 1
        return removed

    # ---------------------------------------------------------------- directory

    def _usable(self, create: bool) -> bool:
        if self._state is not None:
            return self._state
        try:
            if create:
                os.makedirs(os.path.dirname(self._root), exist_ok=True)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self._root, mode=0o700)
            problem = _trust_problem(self._root)
        except OSError as error:
            if not create and isinstance(error, FileNotFoundError):
                return False  # nothing was stored yet
            problem = str(error)
        self._state = not problem
        self._reason = problem
        if problem:
            trace.warn(
                f"The disk cache is not used: {problem}. Compiled code is kept in memory only. "
                "Set compiledir to a directory that belongs to you alone (mode 0700).",
                RuntimeWarning,
            )
        return self._state

    def _file(self, namespace: str, key: str) -> str:
        if not _KEY.match(key):
            raise ValueError(f"a cache key is a hexadecimal digest, got {key!r}")
        return os.path.join(self._root, f"{key}.{namespace}")

    def _files(self) -> list[tuple[float, int, str]]:
        """Return (time of last use, size, path) of every entry, oldest first."""
        found = []
        try:
            with os.scandir(self._root) as entries:
                for entry in entries:
                    if entry.name.rpartition(".")[2] not in _NAMESPACES:
                        continue
                    with contextlib.suppress(OSError):
                        info = entry.stat(follow_symlinks=False)
                        found.append((info.st_mtime, info.st_size, entry.path))
        except OSError:
            return []
        return sorted(found)

    # ------------------------------------------------------------------ entries

    def _read(self, namespace: str, key: str) -> bytes | None:
        path = self._file(namespace, key)
        if not self._usable(create=False):
            self._misses += 1
            return None
        payload = self._load(path)
        if payload is None:
            self._misses += 1
            return None
        self._hits += 1
        with contextlib.suppress(OSError):
            if time.time() - os.stat(path).st_mtime > _TOUCH_AFTER:
                os.utime(path)
        return payload

    def _load(self, path: str) -> bytes | None:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        flags |= getattr(os, "O_NONBLOCK", 0)  # a pipe of that name must not keep us waiting
        try:
            descriptor = os.open(path, flags)
        except OSError:
            return None
        try:
            with os.fdopen(descriptor, "rb") as file:
                info = os.fstat(file.fileno())
                own = not hasattr(os, "getuid") or info.st_uid == os.getuid()
                sound = own and stat.S_ISREG(info.st_mode)
                payload = decode(file.read(), os.path.basename(path)) if sound else None
        except OSError:
            payload = None
        if payload is None:
            self._rejected += 1
        return payload

    def _write(self, namespace: str, key: str, data: bytes) -> bool:
        path = self._file(namespace, key)
        if not self._usable(create=True):
            return False
        try:
            descriptor, temporary = self._temporary()
        except OSError:
            return False
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(encode(data, os.path.basename(path)))
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            return False
        self._stored += 1
        self._maybe_clean(len(data))
        return True

    def _temporary(self) -> tuple[int, str]:
        """A new file of a name that no other process or thread uses."""
        path = os.path.join(self._root, f".new-{os.getpid()}-{os.urandom(8).hex()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        return os.open(path, flags, 0o600), path

    # ------------------------------------------------------------------ cleanup

    def _maybe_clean(self, size: int) -> None:
        """Clean at the first store of a process and after every sixteenth of the limit."""
        with self._lock:
            due = self._since_cleanup == 0 or self._since_cleanup + size > self._limit // 16
            self._since_cleanup = size if due else self._since_cleanup + size
        if due:
            self._clean()

    def _clean(self) -> None:
        files = self._files()
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self._limit:
                break
            with contextlib.suppress(OSError):
                os.unlink(path)
            total -= size
        now = time.time()
        with contextlib.suppress(OSError):
            for name in os.listdir(self._root):
                # A process that was killed while writing leaves its temporary file behind.
                path = os.path.join(self._root, name)
                with contextlib.suppress(OSError):
                    if name.startswith(".new-") and now - os.stat(path).st_mtime > _STALE_TEMPORARY:
                        os.unlink(path)
