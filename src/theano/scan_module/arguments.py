"""What users give to ``scan``: sequences and descriptions of outputs, checked and made uniform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from theano.core.record import dataclass
from theano.graph.nodes import Variable
from theano.graph.tensor_type import TensorType
from theano.ops import sizes
from theano.ops.basic import as_tensor_variable
from theano.ops.extents import size_of
from theano.ops.shape import shape_padleft


@dataclass(frozen=True)
class Rows:
    """One input of the step that takes a row of ``array`` at each step."""

    array: Any
    inner: Any


@dataclass(frozen=True)
class Memory:
    """One result of the step. ``start`` holds its initial rows, or is None for a mere result.

    ``inner`` are the step's inputs, one per tap.
    """

    taps: tuple[int, ...] = ()
    start: Any = None
    inner: tuple[Any, ...] = ()


def listed(x: Any) -> list[Any]:
    """``x`` as a list; None is nothing."""
    if x is None:
        return []
    return list(x) if isinstance(x, (list, tuple)) else [x]


def _taps(value: Any, what: str) -> list[int]:
    taps = [value] if isinstance(value, int) else list(value)
    if not all(isinstance(tap, int) and not isinstance(tap, bool) for tap in taps):
        raise ValueError(f"scan: the taps of {what} must be integers, got {value!r}")
    return taps


def _symbol(x: Any, what: str) -> Any:
    try:
        variable = x if isinstance(x, Variable) else as_tensor_variable(x)
    except TypeError as error:
        raise TypeError(f"scan: {what} is not something symbolic: {x!r}") from error
    return variable


def rows_of(entry: Any, number: int, backwards: bool) -> tuple[list[Rows], Any]:
    """The step's inputs that a sequence gives, and how many steps it allows."""
    what = f"sequence {number}"
    given = dict(entry) if isinstance(entry, Mapping) else {"input": entry}
    unknown = set(given) - {"input", "taps"}
    if unknown or "input" not in given:
        raise ValueError(
            f"scan: {what} must be an array or dict(input=array, taps=[…]), got the keys "
            f"{sorted(given)}"
        )
    x = _symbol(given["input"], what)
    if not isinstance(x.type, TensorType) or x.type.ndim == 0:
        raise TypeError(f"scan: {what} must have at least one dimension, got {x} of {x.type}")
    taps = _taps([0] if given.get("taps") is None else given["taps"], what)
    low, high = min([*taps, 0]), max([*taps, 0])
    length = sizes.sub(size_of(x, 0), high - low)
    found = []
    for tap in taps:
        stop = None if tap == high else tap - high
        part = x if tap == low == high else x[tap - low : stop]
        part = part[::-1] if backwards else part
        inner = row_type(x.type)()
        inner.name = f"{x.name}[t{'' if tap == 0 else f'{tap:+d}'}]" if x.name else None
        _copy_test_value(part, inner, row=True)
        found.append(Rows(part, inner))
    return found, length


def row_type(kind: Any) -> Any:
    """The type of the rows of an array: its sizes other than 1 stay open."""
    return TensorType(kind.dtype, shape=tuple(1 if s == 1 else None for s in kind.shape[1:]))


def memory_of(entry: Any, number: int) -> Memory:
    """What ``outputs_info`` says about one result of the step."""
    what = f"outputs_info[{number}]"
    if entry is None:
        return Memory()
    given = dict(entry) if isinstance(entry, Mapping) else {"initial": entry}
    unknown = set(given) - {"initial", "taps", "return_steps", "inplace"}
    if unknown:
        raise ValueError(f"scan: {what} has unknown keys {sorted(unknown)}")
    if given.get("initial") is None:
        if given.get("taps"):
            raise ValueError(
                f"scan: {what} has taps {given['taps']} but no initial value. Give `initial`, or "
                "no taps if the step does not use earlier values."
            )
        return Memory()
    taps = _output_taps(given, what)
    initial = _symbol(given["initial"], what)
    if not isinstance(initial.type, TensorType):
        raise TypeError(f"scan: {what}: the initial value must be an array, got {initial.type}")
    depth = -min(taps)
    if taps == [-1]:
        start, kind = shape_padleft(initial), _value_type(initial.type)
    else:
        if initial.type.ndim == 0:
            raise ValueError(
                f"scan: {what}: with the taps {taps} the initial value needs a leading axis of "
                f"length {depth} (oldest first), got a scalar"
            )
        start, kind = initial[:depth], row_type(initial.type)
    inner = []
    for tap in taps:
        variable = kind()
        variable.name = f"{initial.name}[t{tap:+d}]" if initial.name else None
        _copy_test_value(initial, variable, row=taps != [-1])
        inner.append(variable)
    return Memory(tuple(taps), start, tuple(inner))


def _output_taps(given: Mapping[str, Any], what: str) -> list[int]:
    taps = _taps([-1] if given.get("taps") is None else given["taps"], what)
    if not taps:
        raise ValueError(f"scan: {what} has an initial value but an empty list of taps")
    if any(tap >= 0 for tap in taps):
        raise ValueError(f"scan: {what}: taps of outputs must be negative, got {taps}")
    if len(set(taps)) != len(taps):
        raise ValueError(f"scan: {what}: each tap may be given once, got {taps}")
    return taps


def _value_type(kind: Any) -> Any:
    return TensorType(kind.dtype, shape=tuple(1 if s == 1 else None for s in kind.shape))


def _copy_test_value(source: Any, target: Any, row: bool) -> None:
    from theano.core.config import config

    if config.compute_test_value == "off":
        return
    from theano.graph.testvalue import get_test_value

    try:
        value = get_test_value(source)
    except AttributeError:
        return
    target.tag.test_value = value[0] if row else value


def fixed_input(x: Any) -> Any:
    """What a step is given for something that stays the same: a variable of its type."""
    inner = x.type.make_variable(x.name)
    _copy_test_value(x, inner, row=False)
    return inner


def arguments_of(rows: Sequence[Rows], results: Sequence[Memory], others: Sequence[Any]) -> Any:
    """The arguments of the step function, in their order."""
    taps = [v for memory in results for v in memory.inner]
    return [*(r.inner for r in rows), *taps, *others]
