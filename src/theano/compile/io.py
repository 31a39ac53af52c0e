"""What a function takes and gives besides plain variables: In and Out."""

from __future__ import annotations

from typing import Any

from theano.graph.nodes import Variable
from theano.graph.shared import Container, SharedVariable


class SymbolicInput:
    """An input of a function, with its name, its update and how strictly values are taken.

    Parameters
    ----------
    variable : the variable that the value is for.
    name : keyword of the call; by default (``autoname``) the variable's own name.
    update : expression of the same type, stored as this input's value after each call.
    mutable : the function may overwrite the value passed.
    strict : accept only values of exactly the right type.
    allow_downcast : True converts with loss; None allows Python floats for float32; False neither.
    implicit : not to be passed by the caller.
    """

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        update: Variable | None = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool = False,
    ) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"An input must be a symbolic variable, got {variable!r}.")
        if implicit is None:
            raise TypeError("implicit must be True or False")
        self.variable = variable
        self.name = variable.name if autoname and name is None else name
        if self.name is not None and not isinstance(self.name, str):
            raise TypeError(f"The name of an input must be a string, got {self.name!r}.")
        self.update = None if update is None else _same_type(variable, update)
        self.mutable = mutable if mutable is not None else (update is not None)
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.implicit = implicit

    def __str__(self) -> str:
        if self.update is not None:
            return f"In({self.variable} -> {self.update})"
        return f"In({self.variable})"

    __repr__ = __str__


def _same_type(variable: Variable, update: Any) -> Variable:
    if not isinstance(update, Variable):
        update = variable.type.filter_variable(update)
    if update.type != variable.type:
        raise TypeError(
            f"Variable and update types must be the same: {variable} is {variable.type}, its "
            f"update {update} is {update.type}."
        )
    return update  # type: ignore[no-any-return]


class In(SymbolicInput):
    """An input with a default value or with state.

    Parameters: as SymbolicInput, and

    value : default, used (and restored) when a call does not give the input; with ``update`` it is
        the initial state. A Container or a shared variable is used as the state itself.
    borrow : the value passed may be returned or kept without a copy.
    shared : ``value`` is the container of a shared variable.
    """

    def __init__(
        self,
        variable: Variable,
        name: str | None = None,
        value: Any = None,
        update: Variable | None = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        autoname: bool = True,
        implicit: bool | None = None,
        borrow: bool | None = None,
        shared: bool = False,
    ) -> None:
        if implicit is None:
            implicit = isinstance(value, (Container, SharedVariable))
        super().__init__(
            variable, name, update, mutable, strict, allow_downcast, autoname, implicit
        )
        self.borrow = self.mutable if borrow is None else borrow
        if mutable and not self.borrow:
            raise AssertionError(
                f"Input {variable} (name={self.name}) has mutable=True and borrow=False: what may "
                "be overwritten may also be kept, so mutable=True implies borrow=True."
            )
        self.shared = shared
        if isinstance(value, SharedVariable):
            value = value.container
        if value is not None and not isinstance(value, Container):
            value = variable.type.filter(value, strict=strict, allow_downcast=allow_downcast)
        self.value = value


class Param(In):
    """The old name of In; ``default`` was the name of ``value``."""

    def __init__(
        self,
        variable: Variable,
        default: Any = None,
        name: str | None = None,
        mutable: bool | None = None,
        strict: bool = False,
        allow_downcast: bool | None = None,
        implicit: bool | None = None,
        borrow: bool | None = None,
    ) -> None:
        super().__init__(
            variable, name=name, value=default, mutable=mutable, strict=strict,
            allow_downcast=allow_downcast, implicit=implicit, borrow=borrow,
        )  # fmt: skip


class SymbolicOutput:
    """An output of a function. ``borrow``: it may share memory with inputs or internal storage."""

    def __init__(self, variable: Variable, borrow: bool = False) -> None:
        if not isinstance(variable, Variable):
            raise TypeError(f"An output must be a symbolic variable, got {variable!r}.")
        self.variable = variable
        self.borrow = borrow

    def __str__(self) -> str:
        return f"Out({self.variable},{self.borrow})"

    __repr__ = __str__


Out = SymbolicOutput
