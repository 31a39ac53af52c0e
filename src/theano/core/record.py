"""``dataclass`` that is made in a third of the time.

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
_MISSING: Final = dataclasses.MISSING
_OWN: Final = frozenset({
    "__init__", "__post_init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__",
    "__getstate__", "__setstate__", "__slots__", "__reduce__",
})  # fmt: skip

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        *, frozen: bool = False, slots: bool = False, eq: bool = True
    ) -> Callable[[_Class], _Class]:
        """Make a dataclass, as `dataclasses.dataclass` does.

        >>> @dataclass(frozen=True, slots=True)
        ... class Point:
        ...     "A place."
        ...     x: int
        ...     y: int = 0
        >>> Point(1), Point(1) == Point(1, 0), len({Point(1), Point(1)})
        (Point(x=1, y=0), True, 1)
        """

        def make(cls: _Class) -> _Class:
            if not _plain(cls):
                return dataclasses.dataclass(frozen=frozen, slots=slots, eq=eq)(cls)
            members = vars(cls)
            names = tuple(cls.__annotations__)
            given = {name: _as_field(members[name]) for name in names if name in members}
            shown = tuple(name for name in names if name not in given or given[name].repr)
            bare = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            methods = [_repr(shown), *([_equal(names)] if eq else ())]
            if frozen:
                methods += [*_frozen(), *(_pickling(names) if slots else ())]
                methods += [_hash(names)] if eq else []
            elif eq:
                bare.__hash__ = None
            for method in methods:
                method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
                setattr(bare, method.__name__, method)
            bare.__init__ = _init(bare, names, given, frozen)
            params = bare.__dataclass_params__  # what the decorator of a derived class asks
            params.init = params.repr = True
            params.eq, params.frozen = eq, frozen
            return bare

        return make


def _as_field(default: Any) -> Any:
    if isinstance(default, dataclasses.Field):
        return default
    return dataclasses.field(default=default)


def _plain(cls: type) -> bool:
    """Whether a class has only fields of the simplest kinds."""
    members, kinds = vars(cls), vars(cls).get("__annotations__", {})
    return (
        cls.__bases__ == (object,)
        and bool(kinds)
        and bool(cls.__doc__)
        and not _OWN & members.keys()
        and all(_simple(members.get(name)) for name in kinds)
        and not any(word in str(kind) for kind in kinds.values() for word in _SPECIAL)
    )


def _simple(default: object) -> bool:
    """Whether a default is a value, or a field that is unlike others in default and repr only."""
    return not isinstance(default, dataclasses.Field) or (
        default.init and default.compare and default.hash is None and default.kw_only is not True
    )


def _init(cls: type, names: tuple[str, ...], given: dict[str, Any], frozen: bool) -> Any:
    space: dict[str, Any] = {"_set": object.__setattr__, "_missing": _MISSING}
    head, body = [], []
    for name in names:
        default, value = "", name
        if name in given and given[name].default_factory is not _MISSING:
            space[f"_f_{name}"] = given[name].default_factory
            default, value = "=_missing", f"_f_{name}() if {name} is _missing else {name}"
        elif name in given and given[name].default is not _MISSING:
            space[f"_d_{name}"] = given[name].default
            default = f"=_d_{name}"
        head.append(name + default)
        body.append(f"  _set(self, {name!r}, {value})" if frozen else f"  self.{name} = {value}")
    lines = "\n".join(body)
    exec(f"def __init__(self, {', '.join(head)}):\n{lines}", space)
    init: Any = space["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


def _getter(names: tuple[str, ...]) -> Callable[[Any], Any]:
    """A function that gives all values of an object as a tuple."""
    values: Callable[[Any], Any] = attrgetter(*names)
    return values if len(names) > 1 else lambda self: (values(self),)


def _equal(names: tuple[str, ...]) -> Any:
    values = _getter(names)

    def __eq__(self: Any, other: object) -> Any:
        if other.__class__ is self.__class__:
            return values(self) == values(other)
        return NotImplemented

    return __eq__


def _hash(names: tuple[str, ...]) -> Any:
    values = _getter(names)

    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _repr(names: tuple[str, ...]) -> Any:
    def __repr__(self: Any) -> str:
        parts = [f"{name}={getattr(self, name)!r}" for name in names]
        return f"{self.__class__.__qualname__}({', '.join(parts)})"

    return __repr__


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
