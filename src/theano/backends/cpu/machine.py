"""The processor that code is generated for, remembered on disk so that LLVM need not be asked."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from theano.core.config import config
from theano.core.record import dataclass
from theano.runtime import stamp
from theano.runtime.cache import ObjectCache


@dataclass(frozen=True, slots=True)
class HostFeatures:
    """The processor that code is generated for."""

    triple: str
    cpu: str
    features: str
    data_layout: str
    vector_bytes: int
    vector_registers: int
    llvm_version: str
    llvmlite_version: str

    def has(self, feature: str) -> bool:
        """Tell whether LLVM feature ``feature`` (for example ``avx512f``) is present."""
        return f"+{feature}" in self.features.split(",")

    @property
    def architecture(self) -> str:
        """First part of the target triple: ``x86_64``, ``aarch64``, …"""
        return self.triple.split("-", 1)[0]


@functools.cache
def disk_cache() -> ObjectCache | None:
    """The cache of object code in ``config.compiledir``; None if ``config.jit.cache`` is off."""
    return ObjectCache(config.compiledir) if config.jit.cache else None


@functools.cache
def recalled() -> HostFeatures | None:
    """What `remember` stored for this processor and this LLVM; None if nothing (usable) was."""
    cache, key = disk_cache(), stamp.all_of("host")
    return _features(cache.get_plan(key)) if cache is not None and key else None


def _features(found: Any) -> HostFeatures | None:
    kinds = {field.name: str if field.type == "str" else int for field in
             dataclasses.fields(HostFeatures)}  # fmt: skip
    if not isinstance(found, dict) or found.keys() != kinds.keys():
        return None
    if not all(type(value) is kinds[name] for name, value in found.items()):
        return None
    return HostFeatures(**found)


def remember(host: HostFeatures) -> None:
    """Store what LLVM said, for processes to come."""
    cache, key = disk_cache(), stamp.all_of("host")
    if cache is not None and key:
        cache.put_plan(key, dataclasses.asdict(host))
