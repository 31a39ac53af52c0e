"""Scalar code of a Program under construction: registers, literals, and the list of steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from theano.kernel import ir, prims
from theano.kernel.build import Builder, Val
from theano.lower import program as pg


class CannotLower(Exception):
    """The graph has something that a Program cannot hold; it runs on the reference executor."""


class Registers:
    """Steps in order; scalar code is written through ``k`` and becomes Let steps."""

    def __init__(self) -> None:
        self.steps: list[pg.Step] = []
        # what is being written: nodes of the graph; and each step with what it was written for
        self.origin: tuple[Any, ...] = ()
        self.origins: list[tuple[pg.Step, tuple[Any, ...]]] = []
        self.k = Builder("r")
        self._flushed = 0
        self._literals: dict[str, Any] = {}
        self._dtypes: dict[str, str] = {}
        self._count = 0

    def fresh(self, prefix: str) -> str:
        """A new name."""
        self._count += 1
        return f"{prefix}{self._count}"

    def add(self, step: pg.Step) -> None:
        """Append a step, after the scalar code written so far."""
        self.flush()
        self.steps.append(step)
        if self.origin:
            self.origins.append((step, self.origin))

    def declare(self, name: str, dtype: str) -> None:
        """Say which dtype a register has that a step defines."""
        self._dtypes[name] = dtype

    def register_name(self, value: Val) -> str:
        """The name of a register with ``value``, also of one that is a literal."""
        if self.literal(value) is None:
            return value.name
        zero = self.k.const(0, "int64")
        return self.k.apply("eq" if self.literal(value) else "ne", zero, zero).name

    def flush(self) -> None:
        """Turn the scalar statements written since the last flush into Let steps."""
        statements = self.k.statements
        while self._flushed < len(statements):
            statement = statements[self._flushed]
            self._flushed += 1
            if isinstance(statement, ir.Const):
                self._literals[statement.out] = statement.value
                self._dtypes[statement.out] = statement.dtype
            elif isinstance(statement, ir.Apply):
                operand = self._dtypes[statement.args[-1]]
                args = tuple(self._literals.get(a, a) for a in statement.args)
                self.steps.append(
                    pg.Let(statement.out, statement.dtype, statement.prim, args, operand)
                )
                self._dtypes[statement.out] = statement.dtype
            else:
                raise CannotLower(f"scalar code cannot hold {statement}")

    def literal(self, value: Val) -> Any:
        """The Python number of a constant register, else None."""
        self.flush()
        return self._literals.get(value.name)

    def arg(self, value: Val | int) -> pg.Arg:
        """A register's name or its literal."""
        if isinstance(value, Val):
            literal = self.literal(value)
            return value.name if literal is None else literal
        return value

    def let(self, prim: str, *args: Any) -> Val:
        """Scalar arithmetic; Python ints are int64."""
        vals = [a if isinstance(a, Val) else None for a in args]
        model = next((v.dtype for v in reversed(vals) if v is not None), "int64")
        full = [
            v if v is not None else self.k.const(a, model) for v, a in zip(vals, args, strict=True)
        ]
        literals = [self.literal(v) for v in full]
        if None not in literals:
            dtype = prims.result_dtype(prim, full[-1].dtype)
            return self.k.const(prims.evaluate(prim, tuple(literals), dtype).item(), dtype)
        return self.k.apply(prim, *full)

    def _register(self, dtype: str, prefix: str, make: Callable[[str], pg.Step]) -> Val:
        name = self.fresh(prefix)
        self.add(make(name))
        self._dtypes[name] = dtype
        return self.k.value(name, dtype)

    def check(self, condition: Val, text: str) -> None:
        """End the call unless ``condition``."""
        literal = self.literal(condition)
        if literal is True:
            return
        if literal is False:
            condition = self.k.apply("ne", self.k.const(0, "int64"), self.k.const(0, "int64"))
        self.add(pg.Check(condition.name, text))
