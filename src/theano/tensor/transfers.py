"""Moving a value to another device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from theano.graph.registry import register
from theano.ops.basic import as_tensor_variable

Mover = Callable[[Any, str | None], Any]
_MOVERS: Final[list[Mover]] = []


def transfer(var: Any, target: str | None) -> Any:
    """``var`` on another device.

    Parameters
    ----------
    var : tensor.
    target : ``"cpu"``, or the name of a context of ``config.contexts``.

    Raises ValueError for a target that no backend knows.
    """
    var = as_tensor_variable(var)
    if target == "cpu":
        return var
    for mover in reversed(_MOVERS):
        moved = mover(var, target)
        if moved is not None:
            return moved
    raise ValueError(f"Can't transfer to target {target!r}: known are 'cpu' and config.contexts.")


def register_transfer(fn: Mover) -> Mover:
    """Let ``fn(variable, target)`` move values; it returns None for targets it does not know."""
    _MOVERS.append(fn)
    return fn


register("transfer", transfer)

__all__ = ["register_transfer", "transfer"]
