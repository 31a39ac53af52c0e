"""The pool that producers of random lines draw from and add to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from fuzz_case import IDENTIFIER, Case, Leaf, namespace

import theano
from theano.compile.reference import Reference
from theano.graph import traverse
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType

LARGE = 1e3
DTYPES = (
    "float64", "float64", "float64", "float64", "float32", "float32", "float16", "int64", "int64",
    "int32", "int8", "uint8", "int16", "uint32", "bool",
)  # fmt: skip
EXTENTS = (3, 4, 2, 5, 1, 0, 7)
LAYOUTS = ("C", "C", "F", "reversed", "strided", "swapped", "frozen")


class Source(Protocol):
    """Where random choices come from."""

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""


class Seeded:
    """Choices of a seeded generator."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)


class Drawn:
    """Choices that Hypothesis makes."""

    def __init__(self, draw: Any) -> None:
        from hypothesis import strategies

        self.draw, self.integers = draw, strategies.integers

    def integer(self, low: int, high: int) -> int:
        return self.draw(self.integers(low, high))  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Entry:
    """A variable, the text that names it, its value, and whether that has no rounding errors."""

    name: str
    variable: Any
    value: Any
    exact: bool

    def __str__(self) -> str:
        return self.name

    @property
    def dtype(self) -> str:
        return str(self.value.dtype)

    @property
    def ndim(self) -> int:
        return self.value.ndim  # type: ignore[no-any-return]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape  # type: ignore[no-any-return]

    @property
    def static(self) -> tuple[int | None, ...]:
        return self.variable.type.shape  # type: ignore[no-any-return]

    @property
    def is_float(self) -> bool:
        return bool(self.value.dtype.kind == "f")

    @property
    def is_int(self) -> bool:
        return self.value.dtype.kind in "iu"

    @property
    def is_number(self) -> bool:
        return self.value.dtype.kind in "iuf"

    def steady(self) -> bool:
        """Whether small errors do not carry a value over a multiple of a quarter."""
        scaled = self.value.astype("float64") * 4
        return self.exact or bool(np.all(np.abs(scaled - np.rint(scaled)) > 0.02))

    def distinct(self) -> bool:
        """Whether small errors do not change the order of the values."""
        if self.exact:
            return True
        return bool(np.all(np.diff(np.sort(self.value.astype("float64"), axis=None)) > 2e-3))


def leaf_value(dtype: str, shape: tuple[int, ...], seed: int) -> Any:
    """Reproducible values; floats with few digits, that print shortly."""
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype[0] == "u":
        return rng.integers(0, 7, shape).astype(dtype)
    if dtype[0] == "i":
        return rng.integers(-5, 6, shape).astype(dtype)
    return np.asarray(np.round(rng.normal(size=shape), 2)).astype(dtype)


@dataclass
class Pool:
    """Lines so far and the entries that they name."""

    source: Source
    case: Case = field(default_factory=Case)
    entries: list[Entry] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=namespace)
    count: int = 0

    # choices

    def integer(self, low: int, high: int) -> int:
        return self.source.integer(low, high)

    def chance(self, one_in: int) -> bool:
        return self.source.integer(1, one_in) == 1

    def choose(self, options: Iterable[Any]) -> Any:
        options = list(options)
        return options[self.source.integer(0, len(options) - 1)]

    def pick(self, *tests: Callable[[Entry], bool]) -> Entry | None:
        """An entry that passes all tests."""
        fitting = [e for e in self.entries if all(test(e) for test in tests)]
        return self.choose(fitting[-8:] if self.chance(2) else fitting) if fitting else None

    # additions

    def leaf(self, dtype: str, shape: tuple[int, ...], static: Any, shared: bool) -> None:
        """A new input or shared variable."""
        name = f"{'s' if shared else 'x'}{self.count}"
        value = leaf_value(dtype, shape, self.integer(0, 999))
        layout = "C" if shared else self.choose(LAYOUTS)
        item = Leaf(name, value, static, layout)
        self.count += 1
        if shared:
            variable: Any = theano.shared(value, name)
        else:
            variable = TensorType(dtype, shape=static)(name)
        (self.case.shared if shared else self.case.inputs).append(item)
        self.names[name] = variable
        self.entries.append(Entry(name, variable, value, True))

    def define(self, expression: str) -> str:
        """A line whose value is no tensor; its name."""
        name = f"v{self.count}"
        self.count += 1
        self.names[name] = eval(expression, self.names)
        self.case.lines.append((name, expression))
        return name

    def add(self, expression: str, moves: bool = False) -> bool:
        """A line that gives a variable, or several; dropped if values are large or not numbers."""
        name = self.define(expression)
        made = self.names[name]
        several = isinstance(made, list | tuple)
        variables = list(made) if several else [made]
        texts = [f"{name}[{i}]" for i in range(len(variables))] if several else [name]
        exact = moves and self._exact(expression)
        kept = []
        for text, variable, value in zip(texts, variables, self.evaluate(variables), strict=True):
            if tame(value):
                kept.append(Entry(text, variable, value, exact or value.dtype.kind in "biu"))
        self.entries += kept
        if not kept:
            self.case.lines.pop()
        return bool(kept)

    def _exact(self, expression: str) -> bool:
        used = set(IDENTIFIER.findall(expression))
        return all(e.exact for e in self.entries if e.name.split("[")[0] in used)

    def evaluate(self, variables: list[Any]) -> list[Any]:
        """Values by the reference, given those of the entries."""
        known = [e.variable for e in self.entries]
        roots = traverse.roots(variables, known)
        state = [v for v in roots if isinstance(v, SharedVariable) and v not in known]
        values = [np.array(e.value) for e in self.entries]
        found = Reference([*known, *state], variables)
        return [np.array(v) for v in found([*values, *(np.array(s.get_value()) for s in state)])]


# What a producer gives: a line, perhaps with whether it only moves values, or None.
Line = str | tuple[str, bool] | None
Producer = Callable[[Pool], Line]


def tame(value: Any) -> bool:
    """Small, finite, real."""
    if value.size > 400 or value.dtype.kind not in "biuf" or value.ndim > 5:
        return False
    with np.errstate(all="ignore"):
        return value.dtype.kind in "bu" or bool(np.all(np.abs(value.astype("float64")) < LARGE))
