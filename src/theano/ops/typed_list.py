"""Ops on lists whose items have one type: new lists from old ones, and their items.

Lists are values: no op changes one. Arrays that become items are copied, so that nothing else can
change them; lists share items with the lists that they were made from.

The gradient with respect to a list is a list of the gradients with respect to its items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from theano.core import dtypes
from theano.graph.generic import SliceType, slicetype
from theano.graph.nodes import Apply, Type, Variable
from theano.graph.null_types import DisconnectedType, grad_undefined
from theano.graph.registry import apply, register
from theano.graph.tensor_type import TensorType
from theano.graph.typed_list import TypedListType
from theano.ops.base import TensorOp
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import SHARES_INPUT, disconnected
from theano.ops.slices import as_int_none_variable, make_slice

_INT64 = TensorType("int64", ())


class ListOp(TensorOp):
    """An op of which the first input, or the output, is a list."""

    __props__: ClassVar[tuple[str, ...]] = ()
    lowering = "python"
    why = "lists are objects of Python's"

    def __init__(self, inplace: bool = False) -> None:
        """``inplace`` is accepted for old code, without effect."""

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> Any:
        return [() if out.type == _INT64 else None for out in node.outputs]

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """What ``value`` gives."""
        output_storage[0][0] = self.value(node, *inputs)

    def value(self, node: Apply, *inputs: Any) -> Any:
        """The result for given values."""
        raise NotImplementedError(f"{self} has no value")

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Integers and slices have no influence that could be differentiated, nor on them."""
        out = differentiable(node.outputs[0].type)
        return [[out and differentiable(x.type)] for x in node.inputs]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        (g,) = output_grads
        if isinstance(g.type, DisconnectedType):
            return [disconnected() for _ in inputs]
        found = self.pullback(inputs, g)
        return [
            term if differentiable(x.type) and term is not None else disconnected()
            for x, term in zip(inputs, found, strict=True)
        ]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        """Per input, its gradient, given that of the output; None: disconnected."""
        return [grad_undefined(self, i, x) for i, x in enumerate(inputs)]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        """All that keeps or moves items does so with their directions."""
        if all(d is None for d in eval_points):
            return [None]
        moved = [
            x if not differentiable(x.type) else zeros_of(x) if d is None else d
            for x, d in zip(inputs, eval_points, strict=True)
        ]
        return [self(*moved)]

    def __str__(self) -> str:
        return type(self).__name__


def differentiable(kind: Type) -> bool:
    """Whether values of a type are arrays of numbers with fractions, or lists of such."""
    while isinstance(kind, TypedListType):
        kind = kind.ttype
    return isinstance(kind, TensorType) and kind.dtype not in dtypes.DISCRETE


def gradient_type(kind: Any) -> Any:
    """The type of the gradient with respect to a list."""
    if isinstance(kind, TypedListType):
        return TypedListType(gradient_type(kind.ttype))
    return kind.clone(dtype=dtypes.gradient_dtype(kind.dtype))


def as_list(x: Any) -> Any:
    """``x`` as a list variable: itself, or a list or tuple of variables and arrays.

    Raises TypeError for what is not a list.
    """
    if isinstance(x, Variable) and isinstance(x.type, TypedListType):
        return x
    if isinstance(x, (list, tuple)) and x:
        return make_list(x)
    raise TypeError(f"Expected a variable of a TypedListType, got {x!r}.")


def as_item(x: Any, item: Any) -> Any:
    """``item`` as a variable of the type that the list ``x`` holds."""
    kind = x.type.ttype
    if isinstance(kind, TypedListType) and not isinstance(item, Variable):
        item = as_list(item)
    return kind.filter_variable(item)


def as_slice(index: slice) -> Any:
    """A slice of ints or variables as a variable; TypeError for other parts."""
    if any(isinstance(part, Variable) for part in (index.start, index.stop, index.step)):
        return make_slice(index)
    return slicetype.constant(index)


def own(value: Any) -> Any:
    """A value as an item of a list: arrays are copied."""
    return np.array(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _position(index: Any) -> Any:
    found = as_int_none_variable(index)
    if not isinstance(found.type, TensorType):
        raise TypeError("The index of an item is an integer, not None.")
    return found


class MakeList(ListOp):
    """``make_list([x, y, …])``: the list of variables (or arrays) of one type.

    Raises TypeError for an empty list and for items of several types.

    >>> import theano.tensor as T
    >>> x = T.dvector("x")
    >>> both = make_list([x, 2 * x])
    >>> [item.tolist() for item in both.eval({x: [1.0]})]
    [[1.0], [2.0]]
    """

    def make_node(self, *items: Any) -> Apply:
        if len(items) == 1 and isinstance(items[0], (list, tuple)):
            items = tuple(items[0])
        if not items:
            raise TypeError("make_list needs at least one item, to know its type.")
        variables = [x if isinstance(x, Variable) else as_tensor_variable(x) for x in items]
        kind = TypedListType(variables[0].type)
        for i, x in enumerate(variables):
            if x.type != kind.ttype:
                raise TypeError(
                    f"The items of make_list must have one type: item 0 is {kind.ttype}, item {i} "
                    f"is {x.type}."
                )
        return Apply(self, variables, [kind()])

    def value(self, node: Apply, *items: Any) -> Any:
        """New arrays."""
        return [own(item) for item in items]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [getitem(g, i) for i in range(len(inputs))]


class GetItem(ListOp):
    """``getitem(x, index)`` or ``x[index]``: an item, or for a slice the list of several.

    Parameters
    ----------
    x : a list variable.
    index : an int, a 0-d integer variable, a slice of these, or a slice variable.

    Raises IndexError at run time for an index that is out of range.

    >>> import theano.tensor as T
    >>> from theano.graph.typed_list import TypedListType
    >>> x = TypedListType(T.dvector)("x")
    >>> x[1:][0].eval({x: [[1.0], [2.0, 3.0]]}).tolist()
    [2.0, 3.0]
    """

    view_map = SHARES_INPUT

    def make_node(self, x: Any, index: Any) -> Apply:
        x = as_list(x)
        if isinstance(index, slice):
            index = as_slice(index)
        if isinstance(index, Variable) and isinstance(index.type, SliceType):
            return Apply(self, [x, index], [x.type()])
        return Apply(self, [x, _position(index)], [x.type.ttype()])

    def value(self, node: Apply, x: list[Any], index: Any) -> Any:
        """As Python indexes lists."""
        if isinstance(index, slice):
            return x[index]
        position = int(index)
        if not -len(x) <= position < len(x):
            raise IndexError(f"list index out of range: {position} for a list of {len(x)} items")
        return x[position]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [place(inputs[0], inputs[1], g), None]


class Append(ListOp):
    """``append(x, item)``: the list ``x`` with ``item`` at its end."""

    def make_node(self, x: Any, item: Any) -> Apply:
        x = as_list(x)
        return Apply(self, [x, as_item(x, item)], [x.type()])

    def value(self, node: Apply, x: list[Any], item: Any) -> Any:
        """A new list."""
        return [*x, own(item)]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [g[:-1], g[-1]]


class Extend(ListOp):
    """``extend(x, y)``: the items of ``x``, then those of ``y``, a list of the same type."""

    def make_node(self, x: Any, y: Any) -> Apply:
        x = as_list(x)
        y = as_list(y) if isinstance(y, Variable) or y else x.type.constant([])
        return Apply(self, [x, x.type.filter_variable(y)], [x.type()])

    def value(self, node: Apply, x: list[Any], y: list[Any]) -> Any:
        """A new list."""
        return [*x, *y]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        count = length(inputs[0])
        return [g[:count], g[count:]]


class Insert(ListOp):
    """``insert(x, index, item)``: the list ``x`` with ``item`` before that at ``index``.

    As in Python, an index beyond an end means that end.
    """

    def make_node(self, x: Any, index: Any, item: Any) -> Apply:
        x = as_list(x)
        return Apply(self, [x, _position(index), as_item(x, item)], [x.type()])

    def value(self, node: Apply, x: list[Any], index: Any, item: Any) -> Any:
        """A new list."""
        result = list(x)
        result.insert(int(index), own(item))
        return result

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        x, index, _ = inputs
        count = length(x)
        index = apply("cast", index, "int64")
        index = apply("switch", apply("lt", index, 0), index + count, index)
        where = apply("minimum", apply("maximum", index, 0), count)
        return [extend(g[:where], g[where + 1 :]), None, g[where]]


class Remove(ListOp):
    """``remove(x, item)``: the list ``x`` without the first item that equals ``item``.

    Raises ValueError at run time where there is none.
    """

    def make_node(self, x: Any, item: Any) -> Apply:
        x = as_list(x)
        return Apply(self, [x, as_item(x, item)], [x.type()])

    def value(self, node: Apply, x: list[Any], item: Any) -> Any:
        """A new list."""
        where = _found(node, x, item)
        return x[:where] + x[where + 1 :]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        x, item = inputs
        where = index_(x, item)
        return [extend(append(g[:where], zeros_of(item)), g[where:]), None]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """What is looked for has no influence that could be differentiated."""
        return [[differentiable(node.inputs[0].type)], [False]]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        if eval_points[0] is None:
            return [None]
        where = index_(*inputs)
        return [extend(eval_points[0][:where], eval_points[0][where + 1 :])]


class Reverse(ListOp):
    """``reverse(x)``: the list ``x`` backwards."""

    def make_node(self, x: Any) -> Apply:
        x = as_list(x)
        return Apply(self, [x], [x.type()])

    def value(self, node: Apply, x: list[Any]) -> Any:
        """A new list."""
        return x[::-1]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [reverse(g)]


def _found(node: Apply, x: list[Any], item: Any) -> int:
    equal = node.inputs[0].type.ttype.values_eq
    for i, other in enumerate(x):
        if equal(other, item):
            return i
    raise ValueError(f"{item} is not in a list of {len(x)} items")


class Numeral(ListOp):
    """An int64 that is a property of a list, and of an item where it takes one."""

    def make_node(self, x: Any, *items: Any) -> Apply:
        x = as_list(x)
        return Apply(self, [x, *(as_item(x, item) for item in items)], [_INT64()])

    def perform(
        self, node: Apply, inputs: Sequence[Any], output_storage: Sequence[list[Any]],
        params: Any = None,
    ) -> None:  # fmt: skip
        """A 0-d array."""
        output_storage[0][0] = np.asarray(self.value(node, *inputs), dtype="int64")

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class Index(Numeral):
    """``index_(x, item)``: the position of the first item that equals ``item``.

    Raises ValueError at run time where there is none.
    """

    def value(self, node: Apply, x: list[Any], item: Any) -> Any:
        """By the equality of the type."""
        return _found(node, x, item)


class Count(Numeral):
    """``count(x, item)``: how many items equal ``item``."""

    def value(self, node: Apply, x: list[Any], item: Any) -> Any:
        """By the equality of the type."""
        equal = node.inputs[0].type.ttype.values_eq
        return sum(equal(other, item) for other in x)


class Length(Numeral):
    """``length(x)``: the number of items."""

    def value(self, node: Apply, x: list[Any]) -> Any:
        """As Python counts."""
        return len(x)


# what gradients need ------------------------------------------------------------------------------


class Place(ListOp):
    """``place(x, index, g)``: zeros like the list ``x``, with ``g`` at ``index`` (a list, for a
    slice): the gradient of ``x[index]``."""

    def make_node(self, x: Any, index: Any, g: Any) -> Apply:
        return Apply(self, [x, index, g], [gradient_type(x.type)()])

    def value(self, node: Apply, x: list[Any], index: Any, g: Any) -> Any:
        """A new list."""
        result = _zeros(x, node.outputs[0].type)
        if isinstance(index, slice):
            result[index] = g
        else:
            result[int(index)] = own(g)
        return result

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Of the list, only extents are used."""
        return [[False], [False], [True]]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [None, None, getitem(g, inputs[1])]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None if eval_points[2] is None else self(*inputs[:2], eval_points[2])]


class Zeros(ListOp):
    """``zeros_of(x)``: a list of zeros with the extents of the items of ``x``."""

    def make_node(self, x: Any) -> Apply:
        return Apply(self, [x], [gradient_type(x.type)()])

    def value(self, node: Apply, x: list[Any]) -> Any:
        """New arrays."""
        return _zeros(x, node.outputs[0].type)

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only extents are used."""
        return [[False]]

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [None]

    def R_op(self, inputs: Any, eval_points: Any) -> Any:
        return [None]


class Add(ListOp):
    """``add(x, y)``: the sums of the items of two lists of one length."""

    def make_node(self, x: Any, y: Any) -> Apply:
        return Apply(self, [x, x.type.filter_variable(y)], [x.type()])

    def value(self, node: Apply, x: list[Any], y: list[Any]) -> Any:
        """New arrays."""
        return _sum(x, y)

    def pullback(self, inputs: Any, g: Any) -> Sequence[Any]:
        return [g, g]


def _zeros(x: Any, kind: Any) -> Any:
    if isinstance(kind, TypedListType):
        return [_zeros(item, kind.ttype) for item in x]
    return np.zeros(np.shape(x), kind.dtype)


def _sum(x: Any, y: Any) -> Any:
    if isinstance(x, list):
        return [_sum(a, b) for a, b in zip(x, y, strict=True)]
    return np.asarray(x + y)


def zeros_of(x: Any) -> Any:
    """Zeros like a list or an array."""
    return _list_zeros(x) if isinstance(x.type, TypedListType) else apply("zeros_like", x)


make_list = MakeList()
getitem = GetItem()
append = Append()
extend = Extend()
insert = Insert()
remove = Remove()
reverse = Reverse()
index_ = Index()
count = Count()
length = Length()
place = Place()
_list_zeros = Zeros()
_add = Add()

for _name, _op in (
    ("getitem", getitem), ("append", append), ("extend", extend), ("insert", insert),
    ("remove", remove), ("reverse", reverse), ("count", count), ("index", index_),
    ("zeros", _list_zeros), ("add", _add), ("make", make_list),
):  # fmt: skip
    register(f"typed_list.{_name}", _op)

__all__ = [
    "Append",
    "Count",
    "Extend",
    "GetItem",
    "Index",
    "Insert",
    "Length",
    "MakeList",
    "Remove",
    "Reverse",
    "append",
    "count",
    "extend",
    "getitem",
    "index_",
    "insert",
    "length",
    "make_list",
    "remove",
    "reverse",
]
