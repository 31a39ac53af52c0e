"""Types for values that are not arrays: anything (``generic``) and None (``none_type_t``)."""

from __future__ import annotations

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

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """None, or TypeError."""
        if value is not None:
            raise TypeError(f"Expected None, got {value!r}.")
        return None

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``value`` is None."""
        return value is None


generic = Generic()
none_type_t = NoneTypeT()
NoneConst = Constant(none_type_t, None, name="NoneConst")
