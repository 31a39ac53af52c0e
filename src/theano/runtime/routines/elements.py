"""Native text for elements of arrays in registers: alone, or as vectors; float16 as float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from theano.runtime.routines.base import ITEMSIZE, KINDS, Writer

if TYPE_CHECKING:
    from theano.runtime.support import Target


class Elements:
    """Writes into ``f``, for arrays of one dtype.

    ``kind`` and ``size`` are those of an element in memory, ``register`` and ``bytes`` those of one
    in a register. With ``lanes`` 1 an operation is one of single elements.
    """

    f: Writer

    def __init__(self, dtype: str, target: Target) -> None:
        self.half = dtype == "float16"
        self.real = dtype.startswith("float")
        self.kind = KINDS[dtype]
        self.register = "float" if self.half else self.kind
        self.size = ITEMSIZE[dtype]
        self.bytes = 4 if self.half else self.size
        self.lanes = max(2, target.vector_bytes // self.bytes)

    def type(self, kind: str, lanes: int) -> str:
        """A scalar type or that of a vector."""
        return kind if lanes == 1 else f"<{lanes} x {kind}>"

    def load(self, address: str, lanes: int) -> str:
        """Elements of an array; float16 is computed in float32."""
        stored = self.type(self.kind, lanes)
        value = self.f.op(f"load {stored}, ptr {address}, align 1")
        if not self.half:
            return value
        return self.f.op(f"fpext {stored} {value} to {self.type(self.register, lanes)}")

    def store(self, value: str, address: str, lanes: int) -> None:
        """The reverse."""
        stored = self.type(self.kind, lanes)
        if self.half:
            wide = self.type(self.register, lanes)
            value = self.f.op(f"fptrunc {wide} {value} to {stored}")
        self.f.do(f"store {stored} {value}, ptr {address}, align 1")

    def all(self, value: str, lanes: int) -> str:
        """A constant in all lanes."""
        if lanes == 1:
            return value
        return "<" + ", ".join([f"{self.register} {value}"] * lanes) + ">"

    def shuffled(self, a: str, b: str, lanes: int, picks: Sequence[int]) -> str:
        """Elements of two vectors."""
        kind = self.type(self.register, lanes)
        mask = ", ".join(f"i32 {pick}" for pick in picks)
        return self.f.op(f"shufflevector {kind} {a}, {kind} {b}, <{len(picks)} x i32> <{mask}>")

    def arith(self, name: str, a: str, b: str, lanes: int) -> str:
        """add, div …"""
        name = f"f{name}" if self.real else name
        return self.f.op(f"{name} {self.type(self.register, lanes)} {a}, {b}")
