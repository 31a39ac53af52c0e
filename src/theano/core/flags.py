"""What a flag is: name, default, kind, and how text becomes its value.

Each kind of value is one row of `KINDS`; a flag is a frozen row of the table in `flag_rows.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from theano.core.places import expand
from theano.core.record import dataclass

if TYPE_CHECKING:
    from theano.core.config import Config

Status = Literal["active", "accepted", "obsolete"]
Check = Callable[[Any], object]

_BOOLS: Final = {
    "False": False,
    "false": False,
    "0": False,
    "True": True,
    "true": True,
    "1": True,
}


@dataclass(frozen=True, slots=True)
class Computed:
    """A default that is found when it is first asked for; `says` describes it in listings."""

    find: Callable[[Config], Any]
    says: str


@dataclass(frozen=True, slots=True)
class Flag:
    """One row of the flag table.

    Attributes:
        name: dotted name; what stands before the last dot is the section of an rc file.
        default: the value where nothing sets it, or a `Computed`.
        kind: a row of `KINDS`.
        choices: for the enumerating kinds, the values allowed.
        doc: one sentence.
        read_only: refuses assignment after start.
        affects_code: part of the key of compiled code.
        status: active (it acts), accepted (kept for old scripts, stored, without effect or not
            yet with one), obsolete (accepted with one DeprecationWarning).
        check: called with the parsed value; raises ValueError to refuse it.
    """

    name: str
    default: Any
    kind: str
    doc: str = ""
    choices: tuple[Any, ...] = ()
    read_only: bool = False
    affects_code: bool = False
    status: Status = "active"
    check: Check | None = None

    @property
    def fullname(self) -> str:
        """The dotted name, as old scripts call it."""
        return self.name

    def allowed(self) -> str:
        """What values the flag takes, in words, for listings and errors."""
        if self.choices:
            return ", ".join(str(choice) for choice in self.choices)
        return KIND_SAYS[self.kind]

    def parse(self, value: Any) -> Any:
        """The value that a text or an object stands for.

        Raises:
            ValueError: the value is not allowed; the message names the flag and what is.
        """
        try:
            parsed = KINDS[self.kind](self, value)
            if self.check is not None:
                self.check(parsed)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"Invalid value ({value!r}) for configuration variable {self.name!r}: {error}"
            ) from None
        return parsed

    def __str__(self) -> str:
        return f"{self.name} ({self.allowed()})"


def _parse_bool(flag: Flag, value: Any) -> bool:
    text = str(value)
    if text not in _BOOLS:
        raise ValueError("valid options are False, false, 0, True, true, 1.")
    return _BOOLS[text]


def _parse_int(flag: Flag, value: Any) -> int:
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("an integer is needed.") from None


def _parse_float(flag: Flag, value: Any) -> float:
    try:
        return float(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("a number is needed.") from None


def _parse_text(flag: Flag, value: Any) -> str:
    return str(value)


def _parse_path(flag: Flag, value: Any) -> str:
    text = os.fspath(value)
    if not isinstance(text, str) or not text:
        raise ValueError("a folder is needed.")
    return expand(text)


def _parse_enum(flag: Flag, value: Any) -> str:
    text = str(value)
    if text not in flag.choices:
        raise ValueError(f"valid options are {flag.allowed()}.")
    return text


def _parse_int_enum(flag: Flag, value: Any) -> int:
    number = _parse_int(flag, value)
    if number not in flag.choices:
        raise ValueError(f"valid options are {flag.allowed()}.")
    return number


def _parse_optional_bool(flag: Flag, value: Any) -> bool | None:
    return None if str(value) == "None" else _parse_bool(flag, value)


def _parse_floatx(flag: Flag, value: Any) -> str:
    text = str(value)
    return _parse_enum(flag, f"float{text}" if text in ("16", "32", "64") else text)


def _parse_mode(flag: Flag, value: Any) -> Any:
    # A Mode object is passed through: what it is, the compile stage decides.
    return _parse_enum(flag, value) if isinstance(value, str) else value


def _parse_seed(flag: Flag, value: Any) -> int | str:
    return "random" if str(value) == "random" else _parse_int(flag, value)


KINDS: Final[dict[str, Callable[[Flag, Any], Any]]] = {
    "bool": _parse_bool,
    "optional bool": _parse_optional_bool,
    "int": _parse_int,
    "float": _parse_float,
    "text": _parse_text,
    "path": _parse_path,
    "enum": _parse_enum,
    "int enum": _parse_int_enum,
    "floatX": _parse_floatx,
    "mode": _parse_mode,
    "seed": _parse_seed,
}
KIND_SAYS: Final = {
    "bool": "True, False",
    "optional bool": "None, True, False",
    "int": "an integer",
    "float": "a number",
    "text": "text",
    "path": "a folder",
    "seed": "an integer, or random",
}


def _given(kind: str) -> Callable[..., Flag]:
    """The constructor of a nameless flag of one kind, for `AddConfigVar`."""

    def make(default: Any, is_valid: Check | None = None, allow_override: bool = True) -> Flag:
        def check(value: Any) -> None:
            if is_valid is not None and not is_valid(value):
                raise ValueError("the validator of the flag refuses it.")

        return Flag("", default, kind, read_only=not allow_override, check=check)

    make.__doc__ = f"A flag whose value is {KIND_SAYS[kind]}; `is_valid` may refuse values."
    return make


BoolParam = _given("bool")
IntParam = _given("int")
FloatParam = _given("float")
StrParam = _given("text")


def EnumStr(default: str, *options: str, allow_override: bool = True) -> Flag:
    """A flag that takes one of a few words, the first being the default.

    >>> EnumStr("low", "high").allowed()
    'low, high'
    """
    return Flag("", default, "enum", choices=(default, *options), read_only=not allow_override)
