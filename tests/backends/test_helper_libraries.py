"""Helper libraries are found on disk by what their sources need, or made anew."""

from __future__ import annotations

import dataclasses
import weakref
from pathlib import Path
from typing import Any

import pytest

from theano.backends.cpu import compiler, helpers, tiers
from theano.runtime import blas, stamp, support
from theano.runtime.cache import ObjectCache

pytestmark = pytest.mark.skipif(not compiler.available()[0], reason="no LLVM")


class Watched:
    """A compiler of one tier that counts the texts that are written."""

    def __init__(self, cache: ObjectCache, quick: bool) -> None:
        self.cache, self.make = cache, tiers._helper if quick else helpers._make
        self.written: list[str] = []

    def __call__(self, recipe: support.Recipe) -> compiler.NativeModule:
        def text() -> Any:
            self.written += recipe.exports
            return recipe.text()

        return self.make(self.cache, dataclasses.replace(recipe, text=text))


def libraries(cache: ObjectCache, quick: bool) -> tuple[support.Support, Watched]:
    host = compiler.host_features()
    target = support.Target(host.architecture, host.vector_bytes, host.vector_registers)
    watched = Watched(cache, quick)
    return support.Support(watched, target, blas.find("none"), brief=quick), watched


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectCache:
    """An empty disk cache of a process that has not compiled anything."""
    monkeypatch.setattr(compiler, "_linked", weakref.WeakValueDictionary())
    if not stamp.all_of("test"):
        pytest.skip("the sources were changed while the tests run")
    return ObjectCache(tmp_path)


@pytest.mark.parametrize("quick", [False, True])
def test_texts_are_written_once(cache: ObjectCache, quick: bool) -> None:
    made, first = libraries(cache, quick)
    address = made.symbols(["th_sgemm", "th_copy"])
    assert set(address) == {"th_sgemm", "th_copy"}
    assert "th_sgemm" in first.written
    again, second = libraries(cache, quick)
    assert set(again.symbols(["th_sgemm", "th_copy"])) == set(address)
    assert second.written == []


def test_good_code_is_preferred_to_quick_code(cache: ObjectCache) -> None:
    libraries(cache, False)[0].symbols(["th_sgemm"])
    quick, watched = libraries(cache, True)
    quick.symbols(["th_sgemm"])
    assert watched.written == []


@pytest.mark.parametrize("entry", [None, 7, {}, {"key": 1, "helpers": [], "late": []}, "note"])
def test_notes_that_say_nothing_are_ignored(
    cache: ObjectCache, entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    known = helpers._note_key

    def note_key(recipe: support.Recipe, tier: str) -> str:
        keys.append(known(recipe, tier))
        return keys[-1]

    monkeypatch.setattr(helpers, "_note_key", note_key)
    made, first = libraries(cache, False)
    made.symbols(["th_copy"])
    for key in keys:
        cache.put_plan(key, entry)
    again, second = libraries(cache, False)
    again.symbols(["th_copy"])
    assert second.written == first.written == ["th_copy"]
