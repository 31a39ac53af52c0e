"""TypedListType: Python lists whose items have one type, and the variables that stand for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from theano.graph.nodes import Constant, Type, Variable
from theano.graph.registry import apply
from theano.graph.tensor_type import TensorType


class TypedListType(Type):
    """The type of lists of ``ttype``.

    Parameters
    ----------
    ttype : the type of the items.
    depth : lists of lists, that many times.

    Raises TypeError where ``ttype`` is no type, ValueError for a negative depth.

    >>> kind = TypedListType(TensorType("float64", (False,)))
    >>> kind.filter([[1, 2], [3]])
    [array([1., 2.]), array([3.])]
    """

    def __init__(self, ttype: Any, depth: int = 0) -> None:
        if depth < 0:
            raise ValueError(f"The depth of a TypedListType is at least 0, got {depth}.")
        if not isinstance(ttype, Type):
            raise TypeError(f"Expected a type of items such as theano.tensor.dvector, got {ttype}.")
        if isinstance(ttype, TensorType):
            # Items may differ in all extents that do not stretch.
            ttype = TensorType(ttype.dtype, ttype.broadcastable)
        self.ttype: Any = ttype
        for _ in range(depth):
            self.ttype = TypedListType(self.ttype)

    def filter(
        self, value: Any, strict: bool = False, allow_downcast: bool | None = None
    ) -> list[Any]:
        """A list of the items of ``value``, a list (or a tuple unless ``strict``), each filtered.

        Raises TypeError that says which item does not fit.
        """
        if not isinstance(value, list if strict else (list, tuple)):
            raise TypeError(f"Expected a list for {self}, got {type(value).__name__}.")
        items = []
        for i, item in enumerate(value):
            try:
                items.append(self.ttype.filter(item, strict, allow_downcast))
            except (TypeError, ValueError) as error:
                raise TypeError(f"Item {i} of a list for {self}: {error}") from error
        return items

    def is_valid_value(self, value: Any) -> bool:
        """Whether ``value`` is a list of valid items."""
        return isinstance(value, list) and all(map(self.ttype.is_valid_value, value))

    def values_eq(self, a: Any, b: Any) -> bool:
        """Equal lengths and equal items."""
        return len(a) == len(b) and all(map(self.ttype.values_eq, a, b))

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        """Equal lengths, and items equal up to rounding."""
        return len(a) == len(b) and all(map(self.ttype.values_eq_approx, a, b))

    def may_share_memory(self, a: Any, b: Any) -> bool:
        """Whether two lists are one, or items of them overlap."""
        share = getattr(self.ttype, "may_share_memory", lambda x, y: x is y)
        return a is b or any(share(x, y) for x in a for y in b)

    def get_depth(self) -> int:
        """How many lists are around a list of plain items."""
        depth, inner = 0, self.ttype
        while isinstance(inner, TypedListType):
            depth, inner = depth + 1, inner.ttype
        return depth

    def make_variable(self, name: str | None = None) -> TypedListVariable:
        """A new variable of this type."""
        return TypedListVariable(self, name=name)

    def constant(self, value: Any, name: str | None = None) -> TypedListConstant:
        """A constant list."""
        return TypedListConstant(self, self.filter(value), name)

    def zero_gradient(self, x: Any) -> Any:
        """The gradient of what does not depend on ``x``."""
        return apply("typed_list.zeros", x)

    def add_gradients(self, a: Any, b: Any) -> Any:
        """The sum of two gradients of one list."""
        return apply("typed_list.add", a, b)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.ttype == other.ttype

    def __hash__(self) -> int:
        return hash((TypedListType, self.ttype))

    def __str__(self) -> str:
        return f"TypedList <{self.ttype}>"

    __repr__ = __str__


class TypedListOperators:
    """The methods of symbolic lists; all give new lists."""

    type: Any

    @property
    def ttype(self) -> Any:
        """The type of the items."""
        return self.type.ttype

    @property
    def dtype(self) -> Any:
        """The dtype of the items."""
        return self.ttype.dtype

    @property
    def ndim(self) -> int:
        """The rank of the items, and one."""
        return int(self.ttype.ndim) + 1

    def __getitem__(self, index: Any) -> Any:
        return apply("typed_list.getitem", self, index)

    def __len__(self) -> int:
        return len(self._known("len(x)", "theano.typed_list.length(x) is symbolic"))

    def __bool__(self) -> bool:
        return True  # a variable; not whether it has items

    def __iter__(self) -> Iterator[Any]:
        count = len(self._known("iteration", "theano.scan loops at run time"))
        return (self[index] for index in range(count))

    def _known(self, what: str, advice: str) -> Any:
        node = getattr(self, "owner", None)
        if isinstance(self, Constant):
            return self.data
        if node is not None and type(node.op).__name__ == "MakeList":
            return node.inputs
        raise TypeError(
            f"{self.type} does not support {what}: its length is not known while the graph is "
            f"built ({advice})."
        )

    def append(self, item: Any) -> Any:
        """The list with ``item`` at its end."""
        return apply("typed_list.append", self, item)

    def extend(self, items: Any) -> Any:
        """The list with those of another list after it."""
        return apply("typed_list.extend", self, items)

    def insert(self, index: Any, item: Any) -> Any:
        """The list with ``item`` before that at ``index``."""
        return apply("typed_list.insert", self, index, item)

    def remove(self, item: Any) -> Any:
        """The list without the first item that equals ``item``; ValueError where there is none."""
        return apply("typed_list.remove", self, item)

    def reverse(self) -> Any:
        """The list backwards."""
        return apply("typed_list.reverse", self)

    def count(self, item: Any) -> Any:
        """How many items equal ``item``."""
        return apply("typed_list.count", self, item)

    def ind(self, item: Any) -> Any:
        """The index of the first item that equals ``item``; ValueError where there is none."""
        return apply("typed_list.index", self, item)


class TypedListVariable(TypedListOperators, Variable):
    """A symbolic list."""


class TypedListConstant(TypedListOperators, Constant):
    """A symbolic list whose value is known."""

    def signature(self) -> Any:
        """Lists stand for themselves."""
        return (self.type, id(self.data))

    def equals(self, other: Any) -> bool:
        """Whether ``other`` is a constant list with equal items."""
        same = isinstance(other, TypedListConstant) and self.type == other.type
        return same and bool(self.type.values_eq(self.data, other.data))
