"""``theano cache``: where compiled code is kept, and how to get rid of it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from theano.cli import say
from theano.core.config import config
from theano.runtime.cache import ObjectCache

USAGE: Final = """\
usage: theano cache [COMMAND]

  (nothing)                print the cache folder
  stats                    what it holds
  list                     its files: size, age, name
  clear                    remove all compiled code of this platform and Python
  purge                    remove the whole cache folder
  cleanup                  remove files of other versions and of interrupted writers
  unlock                   accepted for old scripts: this cache has no lock
  basecompiledir           print the folder of all caches
  basecompiledir list      the caches in it
  basecompiledir purge     remove all caches in it
"""


def size(count: float) -> str:
    """A number of bytes for people.

    >>> size(512), size(3_500_000)
    ('512 B', '3.3 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def main(arguments: Sequence[str]) -> int:
    """Run ``theano cache``; 2 for a command that does not exist."""
    words = tuple(arguments)
    if words in (("help",), ("-h",), ("--help",)):
        sys.stdout.write(USAGE)
        return 0
    command = COMMANDS.get(words)
    if command is None:
        sys.stderr.write(f"theano cache: no command {' '.join(words)!r}\n\n{USAGE}")
        return 2
    command()
    return 0


def _cache() -> ObjectCache:
    return ObjectCache(config.compiledir)


def _where() -> None:
    say(config.compiledir)


def _stats() -> None:
    stats = _cache().stats()
    state = "" if stats.usable else f" — not used: {stats.reason}"
    say(f"{stats.path}: {stats.entries} entries, {size(stats.bytes)}{state}")


def _list() -> None:
    folder = _cache().path()
    files = sorted(folder.rglob("*")) if folder.is_dir() else []
    now = time.time()
    total = 0
    for path in files:
        if path.is_file():
            info = path.stat()
            total += info.st_size
            say(f"{size(info.st_size):>10}  {(now - info.st_mtime) / 86400:6.1f} days  {path.name}")
    say(f"{size(total):>10}  in {folder}")


def _clear() -> None:
    say(f"{_cache().clear()} entries removed")


def _cleanup() -> None:
    folder = _cache().path()
    removed = 0
    for path in folder.rglob(".new-*") if folder.is_dir() else ():
        path.unlink(missing_ok=True)
        removed += 1
    say(f"{removed} files removed; compiled code of other versions is not mixed in here")


def _purge() -> None:
    _remove(config.compiledir)


def _unlock() -> None:
    say("nothing to unlock: this cache has no lock")


def _base() -> None:
    say(config.base_compiledir)


def _caches() -> list[Path]:
    base = Path(config.base_compiledir)
    return sorted(base.glob("compiledir_*")) if base.is_dir() else []


def _base_list() -> None:
    for folder in _caches():
        total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        say(f"{size(total):>10}  {folder}")


def _base_purge() -> None:
    for folder in _caches():
        _remove(os.fspath(folder))


def _remove(folder: str) -> None:
    """Remove a folder, if it looks like a cache: a wrong flag must not cost a home folder."""
    if not os.path.isdir(folder):
        say(f"{folder} does not exist")
    elif not _is_cache(folder):
        say(f"{folder} holds files that are not ours: not removed")
    else:
        shutil.rmtree(folder)
        say(f"{folder} removed")


def _is_cache(folder: str) -> bool:
    ours = {"objects", "gpuarray_kernels", "__init__.py", "__pycache__"}
    named = os.path.basename(folder).startswith("compiledir_")
    return named or not set(os.listdir(folder)) - ours


COMMANDS: Final[dict[tuple[str, ...], Callable[[], None]]] = {
    (): _where,
    ("stats",): _stats,
    ("list",): _list,
    ("clear",): _clear,
    ("cleanup",): _cleanup,
    ("purge",): _purge,
    ("unlock",): _unlock,
    ("basecompiledir",): _base,
    ("basecompiledir", "list"): _base_list,
    ("basecompiledir", "purge"): _base_purge,
}
