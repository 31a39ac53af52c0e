"""Names to graph builders: how a variable's operators find ops without importing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theano.core.errors import MissingSpelling

Builder = Callable[..., Any]

_BUILDERS: dict[str, Builder] = {}
_WRAPPERS: dict[str, Callable[[Builder], Builder]] = {}


def register(name: str, builder: Builder) -> Builder:
    """Let ``apply(name, …)`` call ``builder``; the last registration wins."""
    wrapper = _WRAPPERS.get(name)
    _BUILDERS[name] = builder if wrapper is None else wrapper(builder)
    return builder


def wrap(name: str, wrapper: Callable[[Builder], Builder]) -> None:
    """Let ``apply(name, …)`` call ``wrapper(builder)``, whichever builder is registered, and when.

    How operands of another kind (sparse matrices) get into expressions of arrays.
    """
    _WRAPPERS[name] = wrapper
    if name in _BUILDERS:
        _BUILDERS[name] = wrapper(_BUILDERS[name])


def builder(name: str) -> Builder:
    """What ``apply(name, …)`` calls."""
    try:
        return _BUILDERS[name]
    except KeyError:
        raise MissingSpelling("the graph registry", name, "ops/ (registry.register)") from None


def known(name: str) -> bool:
    """Whether ``apply(name, …)`` would find a builder."""
    return name in _BUILDERS


def names() -> list[str]:
    """All names that ``apply`` knows."""
    return sorted(_BUILDERS)


def apply(name: str, *args: Any, **kwargs: Any) -> Any:
    """Build graph with the builder called ``name``."""
    return builder(name)(*args, **kwargs)
