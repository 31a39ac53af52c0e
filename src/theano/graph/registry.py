"""Names to graph builders: how a variable's operators find ops without importing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theano.core.errors import MissingSpelling

_BUILDERS: dict[str, Callable[..., Any]] = {}


def register(name: str, builder: Callable[..., Any]) -> Callable[..., Any]:
    """Let ``apply(name, …)`` call ``builder``; the last registration wins."""
    _BUILDERS[name] = builder
    return builder


def known(name: str) -> bool:
    """Whether ``apply(name, …)`` would find a builder."""
    return name in _BUILDERS


def names() -> list[str]:
    """All names that ``apply`` knows."""
    return sorted(_BUILDERS)


def apply(name: str, *args: Any, **kwargs: Any) -> Any:
    """Build graph with the builder called ``name``."""
    try:
        builder = _BUILDERS[name]
    except KeyError:
        raise MissingSpelling("the graph registry", name, "ops/ (registry.register)") from None
    return builder(*args, **kwargs)
