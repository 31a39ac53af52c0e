"""Types for values that are not arrays: anything (``generic``), None (``none_type_t``), slices
(``slicetype``)."""

from __future__ import annotations

import operator
from typing import Any

from theano.graph.nodes import Constant, Type


class SingletonType(Type):
    """A type without parameters: all instances of one class are equal."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return type(self).__name__

    __repr__ = __str__


class Generic(SingletonType):
    """Any Python object; values pass through unchanged.

    >>> generic.filter("text")
    'text'
    """

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` itself."""
        return value

    def is_valid_value(self, value: Any) -> bool:
        """Always True."""
        return True

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether both are the same object."""
        return a is b


class NoneTypeT(Generic):
    """The type of None, for optional inputs of ops."""

    holds_values = False

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """None, or TypeError."""
        if value is not None:
            raise TypeError(f"Expected None, got {value!r}.")
        return None

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``value`` is None."""
        return value is None


class SliceType(SingletonType):
    """The type of Python's slices, whose parts are ints or None.

    >>> slicetype.filter(slice(1, None))
    slice(1, None, None)
    """

    holds_values = False

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> slice:
        """``value``, a slice; TypeError for anything else."""
        if not isinstance(value, slice):
            raise TypeError(f"Expected a slice, got {value!r} of type {type(value).__name__}.")
        for part in (value.start, value.stop, value.step):
            if part is not None and (isinstance(part, bool) or not hasattr(part, "__index__")):
                raise TypeError(f"The parts of a slice are integers or None, got {value!r}.")
        return value

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``value`` is a slice."""
        return isinstance(value, slice)

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether both have the same parts."""
        return type(a) is type(b) and _parts(a) == _parts(b)

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """False: slices cannot be changed."""
        return False

    def constant(self, value: Any, name: str | None = None) -> SliceConstant:
        """A constant slice."""
        return SliceConstant(self, value, name)

    def __str__(self) -> str:
        return "slice"

    __repr__ = __str__


def _parts(value: slice) -> tuple[int | None, ...]:
    """Start, stop and step as Python's ints and None."""
    parts = (value.start, value.stop, value.step)
    return tuple(None if part is None else operator.index(part) for part in parts)


class SliceConstant(Constant):
    """A slice that is known; its parts become Python's ints."""

    def __init__(self, type: Any, data: Any, name: str | None = None) -> None:
        super().__init__(type, slice(*_parts(type.filter(data))), name)

    def signature(self) -> Any:
        """Equal for slices with the same parts."""
        return (SliceConstant, *_parts(self.data))

    def __str__(self) -> str:
        parts = ", ".join(map(str, _parts(self.data)))
        return self.name or f"SliceConstant{{{parts}}}"


generic = Generic()
slicetype = SliceType()
none_type_t = NoneTypeT()
NoneConst = Constant(none_type_t, None, name="NoneConst")
