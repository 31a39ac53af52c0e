"""Output type preferences: what a scalar op's inputs say about the type of its output.

Each takes the input types and gives a tuple of output types; ``UnaryScalarOp(preference)`` is
given one. The rules on dtypes are those of ``ops/scalar.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from theano.core import dtypes
from theano.ops import scalar as rules
from theano.ops.scalar import DtypeRule
from theano.ops.scalar_types import Scalar, get_scalar_type

Types = tuple[Scalar, ...]


def _fixed(dtype: str) -> DtypeRule:
    return lambda inputs: dtype


def _float64_at_least(inputs: Sequence[str]) -> str:
    """float64, or a wider dtype that an input has."""
    return dtypes.promote("float64", *inputs)


def _same_nobool(inputs: Sequence[str]) -> str:
    """The first input's dtype, which may not be bool."""
    if inputs[0] == "bool":
        raise TypeError("bool input is not supported; cast it to an integer first")
    return inputs[0]


_RULES: Final[Mapping[str, DtypeRule]] = {
    "upcast_out": rules.upcast_out,
    "upcast_out_nobool": rules.upcast_out_nobool,
    "upcast_out_min8": rules.upcast_out_min8,
    "upcast_out_no_complex": rules.upcast_out_no_complex,
    "same_out": rules.same_out,
    "same_out_nobool": _same_nobool,
    "same_out_nocomplex": rules.same_out_no_complex,
    "same_out_min8": rules.same_out_min8,
    "same_out_float_only": rules.same_out_float,
    "upgrade_to_float": rules.float_out,
    "upgrade_to_float_no_complex": rules.float_out_no_complex,
    "upgrade_to_float64": _float64_at_least,
    "bool_out": rules.bool_out,
    "int_out": _fixed("int64"),
    "float_out": _fixed("float64"),
    "real_out": rules.real_out,
    "complex_out": rules.complex_out,
}


def _preference(name: str, rule: DtypeRule) -> Callable[..., Types]:
    def preference(*types: Scalar) -> Types:
        return (get_scalar_type(rule([kind.dtype for kind in types])),)

    preference.__name__ = preference.__qualname__ = name
    preference.__doc__ = rule.__doc__ or f"Always {rule([])}."
    return preference


def _made(name: str) -> Callable[..., Types]:
    return _preference(name, _RULES[name])


upcast_out, upcast_out_nobool = _made("upcast_out"), _made("upcast_out_nobool")
upcast_out_min8 = _made("upcast_out_min8")
upcast_out_no_complex = _made("upcast_out_no_complex")
same_out, same_out_nobool = _made("same_out"), _preference("same_out_nobool", _same_nobool)
same_out_nocomplex, same_out_min8 = _made("same_out_nocomplex"), _made("same_out_min8")
same_out_float_only = _made("same_out_float_only")
upgrade_to_float = _made("upgrade_to_float")
upgrade_to_float_no_complex = _made("upgrade_to_float_no_complex")
upgrade_to_float64 = _made("upgrade_to_float64")
bool_out, int_out, float_out = _made("bool_out"), _made("int_out"), _made("float_out")
real_out, complex_out = _made("real_out"), _made("complex_out")


class _Choice:
    """A preference with parameters; equal parameters make equal preferences."""

    def __init__(self, *entries: Any) -> None:
        self.entries = entries

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.entries == other.entries

    def __hash__(self) -> int:
        return hash((type(self), self.entries))

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.entries}"


class transfer_type(_Choice):
    """Output ``i`` has the type of input ``entries[i]``, or for None the upcast of all."""

    def __call__(self, *types: Scalar) -> Types:
        return tuple(upcast_out(*types)[0] if i is None else types[i] for i in self.entries)


class specific_out(_Choice):
    """Output ``i`` has the type ``entries[i]``, whatever the inputs have."""

    def __call__(self, *types: Scalar) -> Types:
        return self.entries


class unary_out_lookup(_Choice):
    """The output's type is looked up by the input's in a table; TypeError where it has none."""

    def __init__(self, table: Mapping[Scalar, Scalar]) -> None:
        super().__init__(tuple(table.items()))

    def __call__(self, *types: Scalar) -> Types:
        if len(types) != 1:
            raise TypeError(f"one input expected, got {len(types)}")
        for given, result in self.entries[0]:
            if given == types[0]:
                return (result,)
        raise TypeError(f"not defined for {types[0]}")


PREFERENCES: Final = (*_RULES, "transfer_type", "specific_out", "unary_out_lookup")
