"""SharedVariable: a variable whose value lives between calls, in a one-element list (its cell)."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from theano.graph.nodes import Type, Variable
from theano.graph.operators import TensorOperators


class Container:
    """The storage of a shared variable: ``storage[0]`` is its current value."""

    __slots__ = ("allow_downcast", "name", "readonly", "storage", "strict", "type")

    def __init__(
        self,
        type: Type,
        storage: list[Any],
        strict: bool = False,
        allow_downcast: bool | None = None,
        name: str | None = None,
        readonly: bool = False,
    ) -> None:
        self.type = type
        self.storage = storage
        self.strict = strict
        self.allow_downcast = allow_downcast
        self.name = name
        self.readonly = readonly

    @property
    def data(self) -> Any:
        """The current value itself."""
        return self.storage[0]

    @data.setter
    def data(self, value: Any) -> None:
        if self.readonly:
            raise Exception(f"Cannot set readonly storage: {self.name}")
        self.storage[0] = self.type.filter(value, self.strict, self.allow_downcast)

    value = data


class SharedVariable(Variable):
    """A variable with a value that compiled functions read, update and share."""

    default_update: Any = None

    def __init__(
        self,
        name: str | None,
        type: Any,
        value: Any,
        strict: bool = False,
        allow_downcast: bool | None = None,
        container: Container | None = None,
    ) -> None:
        super().__init__(type, None, None, name)
        if container is None:
            filtered = type.filter(value, strict=strict, allow_downcast=allow_downcast)
            container = Container(type, [filtered], strict, allow_downcast, name)
        self.container = container

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The current value: a copy, or with ``borrow`` the array that functions work on."""
        value = self.container.storage[0]
        return value if borrow else copy.deepcopy(value)

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the value (converted as on a function call); with ``borrow`` without a copy."""
        self.container.data = new_value if borrow else copy.deepcopy(new_value)

    def zero(self, borrow: bool = False) -> None:
        """Set all elements to 0, in place with ``borrow``."""
        if borrow:
            self.container.storage[0][...] = 0
        else:
            self.container.data = 0 * self.container.storage[0]

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """``value`` as this variable would keep it; TypeError if it cannot."""
        return self.type.filter(value, strict, allow_downcast)

    def filter_update(self, update: Any) -> Any:
        """An expression of this variable's type for an update; TypeError if there is none."""
        return self.type.filter_variable(update)

    def clone(self) -> SharedVariable:
        """A variable that shares this one's storage."""
        other = self.__class__(self.name, self.type, None, container=self.container)
        other.tag = copy.copy(self.tag)
        return other

    @property
    def value(self) -> Any:
        """Always raises: use get_value and set_value."""
        raise Exception("shared variables have no .value: use get_value() and set_value()")

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__()


class TensorSharedVariable(TensorOperators, SharedVariable):
    """A shared array."""

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The current array: a copy unless ``borrow``."""
        value = self.container.storage[0]
        return value if borrow else np.array(value, copy=True, order="K")

    def set_value(self, new_value: Any, borrow: bool = False) -> None:
        """Replace the array: same rank, a dtype that converts without loss; any shape."""
        value = new_value if borrow else np.array(new_value, copy=True)
        if not borrow and not isinstance(new_value, (np.ndarray, np.generic)):
            value = new_value
        self.container.data = value

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class ScalarSharedVariable(TensorSharedVariable):
    """A shared 0-d array."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__
