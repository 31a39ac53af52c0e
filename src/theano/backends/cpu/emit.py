"""A writer of explicit-vector LLVM text: fresh names, typed instructions, memory access.

`Emitter` writes for a number of lanes (1 = scalars); `Float` is its view of one float dtype, in
which the math functions are written once for float32 and float64.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

#: LLVM element types in registers; bool is a bit, float16 computes as float32.
REGISTER_TYPES: Final = {
    "bool": "i1",
    "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
    "uint8": "i8", "uint16": "i16", "uint32": "i32", "uint64": "i64",
    "float16": "float", "float32": "float", "float64": "double",
}  # fmt: skip
#: LLVM element types in memory where they differ from those in registers.
MEMORY_TYPES: Final = {"bool": "i8", "float16": "half"}
_SUFFIX: Final = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}


def vector_width(dtype: str, cpu_features: str) -> int:
    """Lanes for kernels whose widest dtype is `dtype`: two registers, worked on interleaved.

    Args:
        dtype: NumPy name of the widest dtype in the kernel.
        cpu_features: LLVM feature string such as ``"+avx2,+fma"``; empty for the baseline.

    >>> vector_width("float32", "+avx2"), vector_width("float64", ""), vector_width("int8", "")
    (16, 4, 8)
    """
    features = set(cpu_features.split(","))
    register = 64 if "+avx512f" in features else 32 if "+avx2" in features else 16
    return 2 * register // max(4, np.dtype(dtype).itemsize)


def float_literal(element: str, value: float) -> str:
    """`value` as an LLVM constant of element type ``float`` or ``double``.

    >>> float_literal("float", 0.5)
    '0x3FE0000000000000'
    """
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value)) if element == "float" else float(value)
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"


class Emitter:
    """Collects LLVM text for one function body.

    Attributes:
        lanes: vector length; 1 writes scalar code.
        features: LLVM feature string of the processor; empty for what every processor has.
        lines: the instructions, one a line; outlined functions are not in here.
        declarations: ``declare`` lines that the module needs.
        definitions: name -> text of the internal functions (and constants) that the module needs.
        failures: names of lane conditions that make the kernel fail where they hold. Inactive
            lanes of a masked tail may set them: the kernel ands them with its mask.
    """

    def __init__(
        self, lanes: int, parent: Emitter | None = None, prefix: str = "t", features: str = ""
    ) -> None:
        self.lanes = lanes
        self.prefix = prefix
        self.features: str = parent.features if parent else features
        self.count = 0
        self.lines: list[str] = []
        self.failures: list[str] = []
        self.declarations: set[str] = parent.declarations if parent else set()
        self.definitions: dict[str, str] = parent.definitions if parent else {}

    # names and types ---------------------------------------------------------------------------

    def fresh(self) -> str:
        """A new SSA name."""
        self.count += 1
        return f"%{self.prefix}{self.count}"

    def emit(self, text: str) -> str:
        """Write ``name = text`` and return the name."""
        name = self.fresh()
        self.lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Start the basic block `name` (without the percent sign)."""
        self.lines.append(f"{name}:")

    def widen(self, element: str) -> str:
        """The type of all lanes of an LLVM element type."""
        return element if self.lanes == 1 else f"<{self.lanes} x {element}>"

    def type(self, dtype: str) -> str:
        """The LLVM register type of `dtype` for all lanes."""
        return self.widen(REGISTER_TYPES[dtype])

    def suffix(self, element: str) -> str:
        """How intrinsics name the type of all lanes, e.g. ``v8f32``."""
        base = _SUFFIX.get(element, element)
        return base if self.lanes == 1 else f"v{self.lanes}{base}"

    # constants ---------------------------------------------------------------------------------

    def splat(self, element: str, literal: str) -> str:
        """The constant `literal` in every lane."""
        return literal if self.lanes == 1 else f"splat ({element} {literal})"

    def const(self, dtype: str, value: float) -> str:
        """The constant `value` of `dtype` in every lane; integers wrap."""
        element = REGISTER_TYPES[dtype]
        if element in ("float", "double"):
            return self.splat(element, float_literal(element, value))
        if element == "i1":
            return self.splat(element, "true" if value else "false")
        bits = int(element[1:])
        wrapped = int(value) & ((1 << bits) - 1)
        return self.splat(element, str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped))

    def broadcast(self, element: str, value: str) -> str:
        """The scalar `value` copied to every lane."""
        if self.lanes == 1:
            return value
        kind = self.widen(element)
        one = self.emit(f"insertelement {kind} poison, {element} {value}, i64 0")
        return self.emit(
            f"shufflevector {kind} {one}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
        )

    # instructions ------------------------------------------------------------------------------

    def binary(self, op: str, kind: str, a: str, b: str) -> str:
        """``op kind a, b`` with `kind` a whole LLVM type."""
        return self.emit(f"{op} {kind} {a}, {b}")

    def icmp(self, predicate: str, dtype: str, a: str, b: str) -> str:
        """Integer comparison: a bit per lane."""
        return self.emit(f"icmp {predicate} {self.type(dtype)} {a}, {b}")

    def fcmp(self, predicate: str, dtype: str, a: str, b: str) -> str:
        """Float comparison: a bit per lane."""
        return self.emit(f"fcmp {predicate} {self.type(dtype)} {a}, {b}")

    def select(self, condition: str, dtype: str, a: str, b: str) -> str:
        """`a` in the lanes where `condition` holds, else `b`."""
        kind = self.type(dtype)
        return self.emit(f"select {self.widen('i1')} {condition}, {kind} {a}, {kind} {b}")

    def bits(self, op: str, a: str, b: str) -> str:
        """``and``, ``or`` or ``xor`` of two lane conditions."""
        return self.binary(op, self.widen("i1"), a, b)

    def invert(self, a: str) -> str:
        """The negation of a lane condition."""
        return self.bits("xor", a, self.splat("i1", "true"))

    def convert(self, op: str, source: str, value: str, target: str) -> str:
        """``op value to target`` between LLVM element types."""
        return self.emit(f"{op} {self.widen(source)} {value} to {self.widen(target)}")

    def intrinsic(
        self, name: str, element: str, *args: str, tail: str = "", flags: str = ""
    ) -> str:
        """Call ``llvm.<name>`` on lanes of `element`; `tail` is a further literal argument."""
        kind = self.widen(element)
        symbol = f"@llvm.{name}.{self.suffix(element)}"
        kinds = [kind] * len(args) + ([tail.split()[0]] if tail else [])
        self.declarations.add(f"declare {kind} {symbol}({', '.join(kinds)})")
        values = [f"{kind} {a}" for a in args] + ([tail] if tail else [])
        flags = f"{flags} " if flags else ""
        return self.emit(f"call {flags}{kind} {symbol}({', '.join(values)})")

    def call(self, result: str, symbol: str, kinds: Sequence[str], args: Sequence[str]) -> str:
        """Call an external or internal function of whole LLVM types."""
        values = ", ".join(f"{kind} {arg}" for kind, arg in zip(kinds, args, strict=True))
        return self.emit(f"call {result} @{symbol}({values})")

    def declare(self, result: str, symbol: str, kinds: Iterable[str]) -> None:
        """Declare an external function."""
        self.declarations.add(f"declare {result} @{symbol}({', '.join(kinds)})")

    def any(self, condition: str) -> str:
        """One bit: whether the condition holds in some lane."""
        if self.lanes == 1:
            return condition
        kind = self.widen("i1")
        symbol = f"llvm.vector.reduce.or.v{self.lanes}i1"
        self.declare("i1", symbol, [kind])
        return self.emit(f"call i1 @{symbol}({kind} {condition})")

    def fail(self, condition: str) -> None:
        """Make the kernel fail where `condition` (a bit per lane) holds."""
        self.failures.append(condition)

    def outlined(
        self, name: str, dtype: str, args: Sequence[str], build: Callable[..., str]
    ) -> str:
        """Call ``build(emitter, *arguments)``, written once per module as an internal function.

        For big functions and for those with branches: the body may contain labels. All operands
        and the result have `dtype`.
        """
        kind = self.type(dtype)
        symbol = f"th.{name}.{self.suffix(REGISTER_TYPES[dtype])}"
        if dtype.startswith("uint"):
            symbol += "u"
        if symbol not in self.definitions:
            self.definitions[symbol] = ""
            inner = Emitter(self.lanes, self)
            names = [f"%a{i}" for i in range(len(args))]
            result = build(inner, *names)
            head = ", ".join(f"{kind} {a}" for a in names)
            body = "\n".join(inner.lines)
            self.definitions[symbol] = (
                f"define internal {kind} @{symbol}({head}) nounwind {{\nentry:\n{body}\n"
                f"  ret {kind} {result}\n}}\n"
            )
        return self.call(kind, symbol, [kind] * len(args), args)

    def module_text(self) -> str:
        """Declarations and internal functions: what the module needs beside the kernel."""
        return "\n".join([*sorted(self.declarations), *self.definitions.values()])


class Float:
    """The instructions of one float dtype on an emitter's lanes."""

    def __init__(self, emitter: Emitter, dtype: str) -> None:
        self.e = emitter
        self.dtype = dtype
        self.element = REGISTER_TYPES[dtype]
        self.single = self.element == "float"
        self.kind = emitter.type(dtype)
        self.int_dtype = "int32" if self.single else "int64"
        self.int_element = "i32" if self.single else "i64"
        self.int_kind = emitter.type(self.int_dtype)
        self.mantissa = 23 if self.single else 52
        self.bias = 127 if self.single else 1023
        self.shifter = 1.5 * 2.0**self.mantissa
        self._register = 16 if self.single else 8
        whole = emitter.lanes % self._register == 0
        #: Whether the processor multiplies by powers of 2 in one instruction (AVX-512).
        self.scales = whole and "+avx512f" in emitter.features.split(",")

    def pick(self, single: float, double: float) -> float:
        """The value for this precision."""
        return single if self.single else double

    def c(self, value: float) -> str:
        """A float constant."""
        return self.e.const(self.dtype, value)

    def ic(self, value: int) -> str:
        """An integer constant of the same width."""
        return self.e.const(self.int_dtype, value)

    def add(self, a: str, b: str) -> str:
        return self.e.emit(f"fadd {self.kind} {a}, {b}")

    def sub(self, a: str, b: str) -> str:
        return self.e.emit(f"fsub {self.kind} {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        return self.e.emit(f"fmul {self.kind} {a}, {b}")

    def div(self, a: str, b: str) -> str:
        return self.e.emit(f"fdiv {self.kind} {a}, {b}")

    def neg(self, a: str) -> str:
        return self.e.emit(f"fneg {self.kind} {a}")

    def fma(self, a: str, b: str, c: str) -> str:
        """a * b + c, fused where the machine can: never rely on either rounding."""
        return self.e.intrinsic("fmuladd", self.element, a, b, c)

    def abs(self, a: str) -> str:
        return self.e.intrinsic("fabs", self.element, a)

    def sqrt(self, a: str) -> str:
        return self.e.intrinsic("sqrt", self.element, a)

    def scaled(self, a: str, n: str) -> str:
        """a * 2**n for integral n of any size, rounded once; only where `scales`."""
        size, kind = self._register, f"<{self._register} x {self.element}>"
        symbol = f"llvm.x86.avx512.mask.scalef.p{'s' if self.single else 'd'}.512"
        kinds = [kind, kind, kind, f"i{size}", "i32"]
        self.e.declare(kind, symbol, kinds)
        parts = []
        for start in range(0, self.e.lanes, size):
            values = [self._lanes([v], range(start, start + size)) for v in (a, n)]
            # All lanes; rounding as the processor is set.
            parts.append(self.e.call(kind, symbol, kinds, [*values, values[0], "-1", "4"]))
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=True)
            width = self.e.lanes // (len(parts) // 2)
            parts = [self._lanes(pair, range(width)) for pair in pairs]
        return parts[0]

    def _lanes(self, values: Sequence[str], lanes: range) -> str:
        """Some lanes of a vector, or of two vectors one after the other."""
        whole = len(lanes) // 2 if len(values) > 1 else self.e.lanes
        if len(values) == 1 and len(lanes) == whole:
            return values[0]
        kind = f"<{whole} x {self.element}>"
        other = values[1] if len(values) > 1 else "poison"
        order = ", ".join(f"i32 {i}" for i in lanes)
        return self.e.emit(
            f"shufflevector {kind} {values[0]}, {kind} {other}, <{len(lanes)} x i32> <{order}>"
        )

    def copysign(self, a: str, b: str) -> str:
        return self.e.intrinsic("copysign", self.element, a, b)

    def cmp(self, predicate: str, a: str, b: str) -> str:
        return self.e.fcmp(predicate, self.dtype, a, b)

    def sel(self, condition: str, a: str, b: str) -> str:
        return self.e.select(condition, self.dtype, a, b)

    def when(self, predicate: str, a: str, b: str, yes: str, no: str) -> str:
        """`yes` where ``a predicate b``, else `no`."""
        return self.sel(self.cmp(predicate, a, b), yes, no)

    def at_most(self, a: str, bound: float) -> str:
        """min(a, bound); NaN stays."""
        return self.when("ogt", a, self.c(bound), self.c(bound), a)

    def at_least(self, a: str, bound: float) -> str:
        """max(a, bound); NaN stays."""
        return self.when("olt", a, self.c(bound), self.c(bound), a)

    def to_bits(self, a: str) -> str:
        return self.e.convert("bitcast", self.element, a, self.int_element)

    def from_bits(self, a: str) -> str:
        return self.e.convert("bitcast", self.int_element, a, self.element)

    def int_op(self, op: str, a: str, b: str) -> str:
        return self.e.binary(op, self.int_kind, a, b)

    def high_part(self, a: str, drop: int) -> str:
        """`a` with its `drop` low mantissa bits cleared."""
        return self.from_bits(self.int_op("and", self.to_bits(a), self.ic(-(1 << drop))))

    def horner(self, x: str, coefficients: Sequence[float]) -> str:
        result = self.c(coefficients[-1])
        for value in reversed(coefficients[:-1]):
            result = self.fma(result, x, self.c(value))
        return result

    def estrin(self, x: str, coefficients: Sequence[float]) -> str:
        terms = [self.c(value) for value in coefficients]
        power = x
        while len(terms) > 1:
            paired = [self.fma(terms[i + 1], power, terms[i]) for i in range(0, len(terms) - 1, 2)]
            terms = paired + terms[len(paired) * 2 :]
            if len(terms) > 1:
                power = self.mul(power, power)
        return terms[0]

    def polynomial(self, x: str, single: Sequence[float], double: Sequence[float]) -> str:
        """The polynomial in x, lowest coefficient first, of this precision."""
        return self.horner(x, single) if self.single else self.estrin(x, double)

    def two_sum(self, a: str, b: str) -> tuple[str, str]:
        """s, e with s = fl(a + b) and s + e = a + b exactly."""
        s = self.add(a, b)
        part = self.sub(s, a)
        error = self.add(self.sub(a, self.sub(s, part)), self.sub(b, part))
        return s, error

    def square(self, a: str) -> tuple[str, str]:
        """p, e with p + e = a * a to three quarters of twice the precision, fused or not."""
        high = self.high_part(a, 12 if self.single else 27)
        low = self.sub(a, high)
        return self.mul(high, high), self.mul(low, self.add(a, high))
