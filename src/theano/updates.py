"""OrderedUpdates: what a compiled function writes into shared variables, in order, checked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from theano.graph.shared import SharedVariable


class OrderedUpdates(OrderedDict[Any, Any]):
    """An ordered mapping from shared variables to their new values.

    Values are converted to the type of their variable when they are entered. Raises TypeError for
    keys that are not shared variables and for values of another type, KeyError where ``update`` or
    ``+`` would give one variable two different values.
    """

    def __init__(self, *entries: Any, **named: Any) -> None:
        super().__init__()
        for key, value in OrderedDict(*entries, **named).items():
            self[key] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        if not isinstance(key, SharedVariable):
            raise TypeError(
                f"OrderedUpdates keys must be shared variables, got {key!r} "
                f"({type(key).__name__}). Did you write (value, variable)?"
            )
        try:
            checked = key.type.filter_variable(value)
        except TypeError as error:
            raise TypeError(
                f"The update of {key} must have its type, {key.type}: got {value!r} "
                f"({getattr(value, 'type', type(value).__name__)})."
            ) from error
        super().__setitem__(key, checked)

    def update(self, other: Any = None) -> None:  # type: ignore[override]
        """Add the entries of ``other``; a variable entered before must get the same value."""
        entries: Iterable[Any] = other.items() if isinstance(other, Mapping) else other or ()
        for key, value in entries:
            if key in self:
                if self[key] is value:
                    continue
                raise KeyError("Collision", key)
            self[key] = value

    def __add__(self, other: Any) -> OrderedUpdates:
        result = OrderedUpdates(self)
        result.update(other)
        return result

    def __radd__(self, other: Any) -> OrderedUpdates:
        result = OrderedUpdates(other)
        result.update(self)
        return result
