"""A digest of everything that decides what code a function becomes, taken before any rewriting.

Two functions with the same digest get the same Program. Whatever cannot be written down exactly
(an op of a user's, an op without ``__props__``, a property that is some object) makes a function
have no digest: it is then compiled the normal way. Costs one walk over the graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from theano.core.config import config
from theano.core.errors import MissingSpelling
from theano.graph import traverse
from theano.graph.nodes import Constant, Op, Variable
from theano.graph.tensor_type import TensorType
from theano.ops.scalar import ScalarRow, find_row

# Constants up to this many bytes are written out, larger ones by their digest.
_INLINE: Final = 64
# Flags of devices, some of which search the disk for their defaults, and of when code is made.
_ELSEWHERE: Final = ("cuda.", "dnn.", "gpuarray.", "nvcc.", "jit.tiers")


class Unknown(Exception):
    """Something that has no exact text."""


def digest(inputs: Sequence[Variable], cells: Sequence[Variable], outputs: Sequence[Variable],
           *more: str) -> str:  # fmt: skip
    """The digest of a graph; ``more`` are texts of what else decides. Raises Unknown.

    Parameters
    ----------
    inputs : what callers give.
    cells : shared variables, in the order of their cells.
    outputs : results and updates; each root must be an input, a cell or a constant.
    """
    writer = _Writer()
    for kind, variables in (("input", inputs), ("cell", cells)):
        for variable in variables:
            writer.root(kind, variable)
    for node in traverse.toposort(outputs, [*inputs, *cells]):
        writer.node(node)
    writer.lines.append("results " + " ".join(map(writer.name, outputs)))
    return hashlib.sha256("\n".join((*writer.lines, *more)).encode()).hexdigest()


def flags() -> str:
    """The values of all flags that may matter on the CPU, as text."""
    names = [flag.name for flag in config.flags() if not flag.name.startswith(_ELSEWHERE)]
    return "\n".join(f"{name}={config.get(name)!r}" for name in names)


class _Writer:
    """Writes a graph line by line, with numbers for variables."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: dict[Variable, str] = {}
        self.ops: dict[int, str] = {}

    def root(self, kind: str, variable: Variable) -> None:
        """An input or cell."""
        self.numbers.setdefault(variable, str(len(self.numbers)))
        self.lines.append(f"{kind} {self.numbers[variable]} {type_text(variable.type)}")

    def name(self, variable: Variable) -> str:
        """The number of a variable that was written; a constant is written now."""
        found = self.numbers.get(variable)
        if found is None:
            if not isinstance(variable, Constant):
                raise Unknown(f"{variable} is neither an input nor has it a value")
            found = self.numbers[variable] = str(len(self.numbers))
            self.lines.append(f"{found} = {type_text(variable.type)} {_array(variable.data)}")
        return found

    def node(self, node: Any) -> None:
        """One application."""
        op = self.ops.get(id(node.op))
        if op is None:
            op = self.ops[id(node.op)] = op_text(node.op)
        inputs = " ".join([self.name(v) for v in node.inputs])
        outs = []
        for output in node.outputs:
            number = self.numbers[output] = str(len(self.numbers))
            outs.append(f"{number}:{type_text(output.type)}")
        self.lines.append(f"{' '.join(outs)} = {op} {inputs}")


def type_text(kind: Any) -> str:
    """A tensor type exactly, known extents included."""
    if type(kind) is not TensorType:
        raise Unknown(f"a value of type {kind}")
    return f"{kind.dtype}{kind.shape}"


def op_text(op: Any) -> str:
    """An op of ours by its class and properties."""
    kind = type(op)
    if not kind.__module__.startswith("theano.ops.") or kind.__props__ is None:
        raise Unknown(f"the op {op}")
    props = ", ".join([value_text(value) for value in op._props()])
    return f"{kind.__module__}.{kind.__qualname__}({props})"


def value_text(value: Any) -> str:
    """A property exactly: numbers, text, collections, types, rows of the library, ops of ours."""
    write = _EXACT.get(type(value)) or next(
        (found for kinds, found in _FAMILIES if isinstance(value, kinds)), None
    )
    if write is None:
        raise Unknown(f"a property {value!r}")
    return write(value)


def _class(value: type) -> str:
    if value.__module__ not in ("builtins", "numpy"):
        raise Unknown(f"the class {value}")
    return f"class {value.__module__}.{value.__qualname__}"


def _joined(values: Iterable[Any]) -> str:
    return ", ".join([value_text(value) for value in values])


def _row(row: ScalarRow) -> str:
    """A row of the library by its name."""
    try:
        ours = find_row(row.name) is row
    except MissingSpelling:
        ours = False
    if not ours:
        raise Unknown(f"the row {row.name}")
    return f"row {row.name}"


def _array(data: Any) -> str:
    if not isinstance(data, np.ndarray) or data.dtype.hasobject:
        raise Unknown(f"a constant {type(data).__name__}")
    raw = np.ascontiguousarray(data).tobytes()
    text = raw.hex() if len(raw) <= _INLINE else hashlib.sha256(raw).hexdigest()
    return f"{data.dtype.str}{data.shape} {text}"


_EXACT: Final[dict[type, Callable[[Any], str]]] = {
    **dict.fromkeys((bool, int, float, complex, str, bytes, type(None), type(Ellipsis)), repr),
    tuple: lambda value: f"tuple({_joined(value)})",
    list: lambda value: f"list({_joined(value)})",
    set: lambda value: f"set({', '.join(sorted(map(value_text, value)))})",
    frozenset: lambda value: f"set({', '.join(sorted(map(value_text, value)))})",
    dict: lambda value: f"dict({_joined(x for pair in value.items() for x in pair)})",
    slice: lambda value: f"slice({_joined((value.start, value.stop, value.step))})",
    type: _class,
    TensorType: type_text,
    ScalarRow: _row,
}
_FAMILIES: Final[tuple[tuple[Any, Callable[[Any], str]], ...]] = (
    (Op, op_text),
    ((np.dtype, np.generic), lambda value: f"{type(value).__name__}({value!r})"),
)
