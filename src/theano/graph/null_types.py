"""Types of gradients that have no value: disconnected, undefined, not implemented."""

from __future__ import annotations

from typing import Any, NoReturn

from theano.graph.nodes import Type, Variable


class NullType(Type):
    """The type of a gradient that cannot be computed; ``why_null`` says why."""

    def __init__(self, why_null: str = "(no explanation given)") -> None:
        self.why_null = why_null

    def filter(
        self, value: Any, strict: bool = False, allow_downcast: bool | None = None
    ) -> NoReturn:
        """Always raises: there are no such values."""
        raise ValueError("NullType has no values to filter")

    def is_valid_value(self, value: Any) -> bool:
        """False: there are no such values."""
        return False

    def values_eq(self, a: Any, b: Any) -> NoReturn:
        """Always raises: there are no such values."""
        raise ValueError("NullType has no values to compare")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return "NullType"

    __repr__ = __str__


class DisconnectedType(Type):
    """The type of the gradient with respect to something that has no influence.

    Unlike zero it is known without computing, and asking for it is most often a mistake.
    """

    def filter(
        self, value: Any, strict: bool = False, allow_downcast: bool | None = None
    ) -> NoReturn:
        """Always raises: there are no such values."""
        raise AssertionError(
            "A disconnected gradient has no value. It was about to be computed: an op probably "
            "uses an output gradient without asking whether it is a DisconnectedType."
        )

    def filter_variable(self, other: Any, allow_convert: bool = True) -> Variable:
        """``other`` if it is disconnected too, else TypeError."""
        if isinstance(other, Variable) and isinstance(other.type, DisconnectedType):
            return other
        raise TypeError(f"{other} is not a disconnected gradient")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __str__(self) -> str:
        return "DisconnectedType"

    __repr__ = __str__


def grad_undefined(op: Any, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """For op writers: the gradient of ``op`` with respect to input ``x_pos`` does not exist."""
    note = f" {comment}" if comment else ""
    return NullType(
        f"This variable is Null because the grad method for input {x_pos} ({x}) of the {op} op is "
        f"mathematically undefined.{note}"
    )()


def grad_not_implemented(op: Any, x_pos: int, x: Variable, comment: str = "") -> Variable:
    """For op writers: nobody wrote the gradient of ``op`` with respect to input ``x_pos``."""
    note = f" {comment}" if comment else ""
    return NullType(
        f"This variable is Null because the grad method for input {x_pos} ({x}) of the {op} op is "
        f"not implemented.{note}"
    )()
