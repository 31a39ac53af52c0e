"""Constructors of tensor variables, and the groups of tensor types.

``matrix('x')`` has the element type ``config.floatX`` at the moment of the call; the prefixed names
are types, and calling a type makes a variable: ``ivector('y')``. The plurals make several at once.

=======  =========   =======  ==========
prefix   dtype       prefix   dtype
=======  =========   =======  ==========
b        int8        f        float32
w        int16       d        float64
i        int32       c        complex64
l        int64       z        complex128
=======  =========   =======  ==========

>>> ivector("y").type, matrix("x", dtype="float32").type
(TensorType(int32, vector), TensorType(float32, matrix))
>>> matrices("x", "y", "z")
[x, y, z]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from theano.core.config import config
from theano.graph.tensor_type import TensorType, TensorVariable

PATTERNS: Final[Mapping[str, tuple[bool, ...]]] = {
    "scalar": (),
    "vector": (False,),
    "row": (True, False),
    "col": (False, True),
    "matrix": (False, False),
    **{f"tensor{rank}": (False,) * rank for rank in range(3, 8)},
}
PREFIXES: Final[Mapping[str, str]] = {
    "b": "int8",
    "w": "int16",
    "i": "int32",
    "l": "int64",
    "f": "float32",
    "d": "float64",
    "c": "complex64",
    "z": "complex128",
}
PLURALS: Final[Mapping[str, str]] = {
    "matrix": "matrices",
    **{name: name + "s" for name in PATTERNS if name != "matrix"},
}


def tensor(
    dtype: str | None = None,
    broadcastable: Sequence[bool] | None = None,
    name: str | None = None,
    *,
    shape: Sequence[int | None] | None = None,
) -> TensorVariable:
    """A tensor variable of any dtype and pattern.

    Parameters
    ----------
    dtype : ``'floatX'`` and None mean ``config.floatX`` now.
    broadcastable : for each dimension, whether its size is 1 and stretches in arithmetic.
    name : of the variable.
    shape : in place of ``broadcastable``, the sizes that are known; None for the others.

    >>> tensor("bool", (False, True), "mask").type
    TensorType(bool, col)
    """
    kind = TensorType(config.floatX if dtype is None else dtype, broadcastable, shape=shape)
    variable: TensorVariable = kind(name)
    return variable


def _constructor(kind: str) -> Callable[..., TensorVariable]:
    """``scalar``, ``vector``, …: what makes a variable of a pattern, whose dtype follows floatX."""

    def construct(
        name: str | None = None,
        dtype: str | None = None,
        *,
        shape: Sequence[int | None] | None = None,
    ) -> TensorVariable:
        made: TensorVariable = TensorType(
            config.floatX if dtype is None else dtype, PATTERNS[kind]
        )(name, shape=shape)
        return made

    construct.__name__ = construct.__qualname__ = kind
    construct.__doc__ = (
        f"A new {kind} called ``name``; its dtype is ``dtype``, or ``config.floatX`` now.\n\n"
        f"Broadcast pattern: {PATTERNS[kind]}; ``shape`` gives the sizes that are known, None for "
        "the others. A size of 1 is declared broadcastable by it."
    )
    return construct


def _names(arguments: tuple[Any, ...], what: str) -> Sequence[str | None]:
    """The names that the arguments of a plural constructor mean."""
    if len(arguments) == 1:
        only = arguments[0]
        if isinstance(only, int) and not isinstance(only, bool):
            return [None] * only
        if isinstance(only, (str, list, tuple)):
            arguments = tuple(only)
    if not arguments:
        raise TypeError(f"{what}: give names, or how many: {what}('x', 'y'), {what}(2)")
    for name in arguments:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"{what}: a name is a str, not {name!r}")
    return arguments


def _plural(plural: str, kind: str, one: Callable[..., TensorVariable]) -> Callable[..., Any]:
    """``scalars``, ``imatrices``, …: what makes several variables."""

    def construct(*arguments: Any) -> Any:
        made = [one(name) for name in _names(arguments, plural)]
        return made[0] if len(made) == 1 else made

    construct.__name__ = construct.__qualname__ = plural
    construct.__doc__ = (
        f"Several variables, as a list: ``{plural}('x', 'y')`` by name, ``{plural}(2)`` without "
        f"names, ``{plural}('xy')`` for names of one letter.\n\n"
        f"What would be a list of one is the bare variable of :func:`{kind}`."
    )
    return construct


scalar = _constructor("scalar")
vector = _constructor("vector")
row = _constructor("row")
col = _constructor("col")
matrix = _constructor("matrix")
tensor3 = _constructor("tensor3")
tensor4 = _constructor("tensor4")
tensor5 = _constructor("tensor5")
tensor6 = _constructor("tensor6")
tensor7 = _constructor("tensor7")

# The types with a prefix, and the plurals: 8 and 5 times 10 names that a table makes.
_made: dict[str, Any] = {
    prefix + kind: TensorType(dtype, PATTERNS[kind])
    for prefix, dtype in PREFIXES.items()
    for kind in PATTERNS
}
_made |= {plural: _plural(plural, kind, globals()[kind]) for kind, plural in PLURALS.items()}
_made |= {
    prefix + plural: _plural(prefix + plural, prefix + kind, _made[prefix + kind])
    for prefix in "fdil"
    for kind, plural in PLURALS.items()
}

GROUPS: Final[Mapping[str, str]] = {"int": "bwil", "float": "fd", "complex": "cz"}
_made |= {
    f"{group}_{kind}_types": tuple(_made[prefix + kind] for prefix in prefixes)
    for group, prefixes in GROUPS.items()
    for kind in PATTERNS
}
_made |= {f"{group}_types": _made[f"{group}_scalar_types"] for group in GROUPS}

globals().update(_made)
__all__ = ["PATTERNS", "PLURALS", "PREFIXES", "TensorType", "tensor", *PATTERNS, *_made]
