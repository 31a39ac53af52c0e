"""``dataclass(frozen=True, slots=True)`` that is made in a third of the time.

The standard decorator compiles a text per method; the first result of a process waits for dozens of
such classes. Here only ``__init__`` is compiled, the other methods are closures. Classes that use
anything unusual are left to the standard library, so that the decorators can be exchanged freely.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

_Class = TypeVar("_Class", bound=type)
_SPECIAL: Final = ("ClassVar", "InitVar", "KW_ONLY")
_OWN: Final = frozenset({
    "__init__", "__post_init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__",
    "__getstate__", "__setstate__", "__slots__", "__reduce__",
})  # fmt: skip

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, slots: bool = False) -> Callable[[_Class], _Class]:
        """Make a frozen dataclass, as `dataclasses.dataclass` does.

        >>> @dataclass(frozen=True, slots=True)
        ... class Point:
        ...     "A place."
        ...     x: int
        ...     y: int = 0
        >>> Point(1), Point(1) == Point(1, 0), len({Point(1), Point(1)})
        (Point(x=1, y=0), True, 1)
        """

        def make(cls: _Class) -> _Class:
            if not frozen or not _plain(cls):
                return dataclasses.dataclass(frozen=frozen, slots=slots)(cls)
            names = tuple(cls.__annotations__)
            defaults = {name: vars(cls)[name] for name in names if name in vars(cls)}
            bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            for method in (*_comparing(names), *_frozen(), *(_pickling(names) if slots else ())):
                method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
                setattr(bare, method.__name__, method)
            bare.__init__ = _init(bare, names, defaults)
            return bare

        return make


def _plain(cls: type) -> bool:
    """Whether a class has only fields of the simplest kind."""
    members, kinds = vars(cls), vars(cls).get("__annotations__", {})
    return (
        cls.__bases__ == (object,)
        and bool(kinds)
        and bool(cls.__doc__)
        and not _OWN & members.keys()
        and not any(isinstance(members.get(name), dataclasses.Field) for name in kinds)
        and not any(word in str(kind) for kind in kinds.values() for word in _SPECIAL)
    )


def _init(cls: type, names: tuple[str, ...], defaults: dict[str, Any]) -> Any:
    head = ", ".join(f"{name}=_d_{name}" if name in defaults else name for name in names)
    body = "\n".join(f"  _set(self, {name!r}, {name})" for name in names)
    space = {"_set": object.__setattr__, **{f"_d_{name}": v for name, v in defaults.items()}}
    exec(f"def __init__(self, {head}):\n{body}", space)
    init: Any = space["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _getter(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """A function that gives all values of an object as a tuple."""
    values: Callable[[Any], Any] = attrgetter(*names)
    return values if len(names) > 1 else lambda self: (values(self),)


def _comparing(names: tuple[str, ...]) -> tuple[Any, ...]:
    values = _getter(names)

    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    def __repr__(self: Any) -> str:
        parts = [f"{name}={value!r}" for name, value in zip(names, values(self), strict=True)]
        return f"{self.__class__.__qualname__}({', '.join(parts)})"

    return __eq__, __hash__, __repr__


def _frozen() -> tuple[Any, ...]:
    def __setattr__(self: Any, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self: Any, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    return __setattr__, __delattr__


def _pickling(names: tuple[str, ...]) -> tuple[Any, ...]:
    values = _getter(names)

    def __getstate__(self: Any) -> Any:
        return list(values(self))

    def __setstate__(self: Any, state: Any) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __getstate__, __setstate__
