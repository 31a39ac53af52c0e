"""The helper libraries of this process: found on disk without writing their texts, or made.

Their texts depend on our sources, the processor and the BLAS alone. So the disk cache has a note
for each: what the text of these sources needs, and under which key its code is stored.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from theano.backends.cpu import compiler
from theano.runtime import blas, mt19937, stamp, support
from theano.runtime.routines.base import Text

if TYPE_CHECKING:
    from theano.backends.cpu.compiler import NativeModule
    from theano.runtime.cache import ObjectCache

_lock = threading.RLock()
_made: dict[bool, support.Support] = {}


class Known(NamedTuple):
    """Where the code of a text is stored, and the addresses that it imports."""

    key: str
    imports: Mapping[str, int]


def helpers(
    cache: ObjectCache | None = None, blas_choice: str = "", quick: support.Compiler | None = None
) -> support.Support:
    """Return the helper libraries of this process (threads, memory, products).

    The first call decides about the disk cache and the BLAS; nothing is compiled before a symbol
    is asked for. There is a second set, of shorter texts, of which the code is made by ``quick``.
    """
    found = _made.get(quick is not None)
    if found is None:
        with _lock:
            found = _made.get(quick is not None)
            if found is None:
                found = _new(cache, blas_choice, quick)
                _made[quick is not None] = found
    return found


def _new(
    cache: ObjectCache | None, blas_choice: str, quick: support.Compiler | None
) -> support.Support:
    host = compiler.host_features()
    target = support.Target(host.architecture, host.vector_bytes, host.vector_registers)
    make = quick or functools.partial(_make, cache)
    made = support.Support(make, target, blas.find(blas_choice), brief=quick is not None)
    if quick is None:
        mt19937.attach(functools.partial(made.library, mt19937.GROUP))
    return made


def _make(cache: ObjectCache | None, recipe: support.Recipe, /) -> NativeModule:
    """A helper library with good code."""
    found = good(cache, recipe)
    if found is not None:
        return found
    text = recipe.text()
    made = compiler.compile_module(text.ir, recipe.exports, recipe.bind(text), cache=cache)
    note(cache, recipe, "good", made.key, text)
    return made


def good(cache: ObjectCache | None, recipe: support.Recipe) -> NativeModule | None:
    """The library with good code, if the disk has it and a note that says so."""
    known = recall(cache, recipe, "good")
    return None if known is None else stored(cache, recipe, known)


def stored(cache: ObjectCache | None, recipe: support.Recipe, known: Known) -> NativeModule | None:
    """The library with the good code of a text, if the disk has it."""
    code = None if cache is None else cache.get(known.key)
    if code is None:
        return None
    return compiler.link_stored(code, recipe.exports, known.imports, known.key)


def recall(cache: ObjectCache | None, recipe: support.Recipe, tier: str) -> Known | None:
    """What `note` stored about the text for a tier, if our sources are the same still."""
    name = _note_key(recipe, tier)
    found: Any = cache.get_plan(name) if cache is not None and name else None
    match found:
        case {"key": str() as key, "helpers": [*helpers], "late": [*late]} if all(
            type(symbol) is str for symbol in (*helpers, *late)
        ):
            return Known(key, recipe.bind(Text("", tuple(helpers), late=tuple(late))))
    return None


def note(
    cache: ObjectCache | None, recipe: support.Recipe, tier: str, key: str, text: Text
) -> None:
    """Store what `recall` returns; not of texts that import more than helpers."""
    name = _note_key(recipe, tier)
    if cache is not None and name and not text.imports:
        entry = {"key": key, "helpers": [*text.helpers], "late": [*text.late]}
        cache.put_plan(name, entry)


def _note_key(recipe: support.Recipe, tier: str) -> str:
    return stamp.all_of("helper", tier, recipe.name)


def forget_calls() -> None:
    """In a forked child: other threads, which might have been in here, are gone."""
    for found in _made.values():
        found.after_fork()
