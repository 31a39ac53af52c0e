"""Types of named constants (``EnumType``, ``EnumList``) and of C objects, for parameters of ops."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from theano.graph.nodes import Type


class EnumType(Type):
    """Numbers with names, which are attributes.

    Parameters
    ----------
    ctype, cname : accepted for old code: they were for C.
    constants : the numbers by name; a name is written in capitals, or ``(name, alias)``'s alias is
        what users write.

    >>> mode = EnumType(ADD=1, MUL=2)
    >>> mode.ADD, mode.filter("MUL"), mode.filter(1)
    (1, 2, 1)
    """

    holds_values = False
    constants: Mapping[str, Any]
    aliases: Mapping[str, str]

    def __init__(self, ctype: str = "double", cname: str = "", **constants: Any) -> None:
        self._enter(ctype, cname, {}, constants)

    def _enter(
        self, ctype: str, cname: str, aliases: Mapping[str, str], constants: Mapping[str, Any]
    ) -> None:
        for name, value in constants.items():
            if not name.isidentifier() or not name[0].isupper():
                raise AttributeError(f"the name of a constant begins with a capital: {name!r}")
            if not isinstance(value, (bool, int, float)):
                raise TypeError(f"the constant {name} is a number, got {value!r}")
        self.ctype, self.cname = ctype, cname
        self.constants = MappingProxyType(dict(constants))
        self.aliases = MappingProxyType(dict(aliases))

    def __getattr__(self, name: str) -> Any:
        constants = self.__dict__.get("constants", {})
        if name in constants:
            return constants[name]
        raise AttributeError(f"{type(self).__name__} has no constant {name!r}")

    def __getitem__(self, name: str) -> Any:
        return self.constants[name]

    def __len__(self) -> int:
        return len(self.constants)

    def get_aliases(self) -> tuple[str, ...]:
        """What users may write in place of the constants' names."""
        return tuple(self.aliases)

    def fromalias(self, alias: str) -> Any:
        """The constant that an alias stands for."""
        return self.constants[self.aliases.get(alias, alias)]

    def has_alias(self, alias: str) -> bool:
        """Whether ``alias`` is one."""
        return alias in self.aliases

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """The number of a name or alias; a number that is one of the constants; else TypeError."""
        if isinstance(value, str):
            name = self.aliases.get(value, value)
            if name in self.constants and not strict:
                return self.constants[name]
        elif any(value == constant for constant in self.constants.values()):
            return value
        known = ", ".join([*self.constants, *self.aliases])
        raise TypeError(f"{value!r} is none of the constants: {known}")

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether both are the same number."""
        return bool(a == b)

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """False: numbers cannot be changed."""
        return False

    def _key(self) -> tuple[Any, ...]:
        return (
            type(self), self.ctype, tuple(sorted(self.constants.items())),
            tuple(sorted(self.aliases.items())),
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EnumType) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.constants.items())
        return f"{type(self).__name__}({shown})"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        state = (self.ctype, self.cname, dict(self.aliases), dict(self.constants))
        return _rebuilt, (type(self), *state)


class EnumList(EnumType):
    """Names numbered from 0; a pair ``(name, alias)`` gives a name another spelling.

    >>> mode = EnumList(("SAME", "same"), "FULL", "VALID")
    >>> mode.VALID, mode.filter("same")
    (2, 0)
    """

    def __init__(self, *names: str | tuple[str, str], ctype: str = "int", cname: str = "") -> None:
        aliases: dict[str, str] = {}
        constants: dict[str, int] = {}
        for entry in names:
            name, alias = entry if isinstance(entry, tuple) else (entry, None)
            if name in constants or alias in aliases:
                raise AttributeError(f"EnumList: {entry!r} occurs twice")
            constants[name] = len(constants)
            if alias is not None:
                aliases[alias] = name
        self._enter(ctype, cname, aliases, constants)


class CEnumType(EnumType):
    """Constants of a C header: their values would be a C compiler's to find. Not here."""

    def __init__(self, *names: Any, ctype: str = "int", cname: str = "") -> None:
        raise NotImplementedError(
            "CEnumType takes its values from C headers, which are not read here: name the values, "
            "as EnumType(NAME=value, …), or number the names with EnumList('NAME', …)"
        )


def _rebuilt(kind: type[EnumType], *state: Any) -> EnumType:
    made = kind.__new__(kind)
    made._enter(*state)
    return made


class CDataType(Type):
    """Pointers to C objects, as ``PyCapsule`` holds them, or None.

    Parameters
    ----------
    ctype : the pointer's type in C, for the reader.
    freefunc, headers, header_dirs, libraries, lib_dirs, extra_support_code, version : accepted for
        old code: they were for C.
    """

    def __init__(self, ctype: str, freefunc: str | None = None, *args: Any, **kwargs: Any) -> None:
        if not isinstance(ctype, str) or not ctype:
            raise TypeError(f"CDataType: ctype is the name of a type in C, got {ctype!r}")
        self.ctype, self.freefunc = ctype, freefunc

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value``, a capsule or None; TypeError for anything else."""
        if value is not None and type(value).__name__ != "PyCapsule":
            raise TypeError(f"expected a PyCapsule or None, got {value!r}")
        return value

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether both are the same object."""
        return a is not None and a is b

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, CDataType)
            and (self.ctype, self.freefunc) == (other.ctype, other.freefunc)
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((CDataType, self.ctype, self.freefunc))

    def __repr__(self) -> str:
        return f"CDataType{{{self.ctype}}}"

    __str__ = __repr__
