"""Decisions about a kernel before any text is written: lanes, weights, what varies along an axis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from theano.backends.cpu.emit import vector_width
from theano.backends.cpu.layout import Layout
from theano.core import dtypes
from theano.kernel import ir

HEAVY = frozenset(
    ["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "softplus", "pow", "erf", "erfc", "div", "sqrt"]
)
RARE = frozenset(
    ["gamma", "lgamma", "psi", "trigamma", "erfcx", "erfinv", "erfcinv", "chi2sf", "gammainc", "gammaincc", "gammau", "gammal", "j0", "j1", "jv", "i0", "i1", "iv"]
)
_COST = {"cheap": 1, "heavy": 16, "rare": 400}
BIG = 300  # statements from which on code size matters more than width


@dataclass(frozen=True)
class Plan:
    """A kernel with what the renderer has decided about it."""

    kernel: ir.Kernel
    features: str

    @cached_property
    def layout(self) -> Layout:
        """The words it is called with."""
        return Layout(self.kernel)

    @cached_property
    def statements(self) -> tuple[ir.Stmt, ...]:
        """All statements of all stages."""
        return tuple(s for stage in self.kernel.stages for s in stage.body)

    @cached_property
    def lanes(self) -> int:
        """Lanes of the vector code; 1 where points must be taken one by one."""
        if self.one_by_one:
            return 1
        found = {s.dtype for s in self.statements if hasattr(s, "dtype")}
        found |= {o.dtype for o in self.kernel.operands} | {"float32"}
        widest = max(found, key=lambda d: dtypes.ITEMSIZE[d])
        lanes = vector_width(widest, self.features)
        return lanes // 2 if len(self.statements) > BIG else lanes

    @cached_property
    def masked(self) -> bool:
        """Whether loops mask every vector instead of having a tail of their own."""
        return "+avx512f" in self.features.split(",") and len(self.statements) > BIG

    @cached_property
    def last(self) -> str:
        """The axis that vector code runs along ('' without axes)."""
        axes = self.kernel.inner or self.kernel.outer
        return axes[-1] if axes else ""

    @cached_property
    def uniform(self) -> frozenset[str]:
        """Values of a map that do not vary along the last axis."""
        return frozenset(uniform_values(self.kernel, self.statements, self.last))

    @cached_property
    def one_by_one(self) -> bool:
        """Whether a store's place is computed, or does not move, along the last axis."""
        if self.last in self.kernel.serial or not self.kernel.axes:
            return True
        for s in self.statements:
            if isinstance(s, ir.Store):
                moves = self.last in self.kernel.operand(s.operand).axes
                if any(i not in self.uniform for i in s.index):
                    return True
                if not self.kernel.inner and not moves:
                    return True
        return False

    @cached_property
    def weight(self) -> int:
        """Cost of one point, in sixteenths of a cheap vector element."""
        total = 0
        for s in self.statements:
            kind = "cheap"
            if isinstance(s, ir.Apply):
                kind = "heavy" if s.prim in HEAVY else "rare" if s.prim in RARE else "cheap"
            total += _COST[kind]
        return max(1, total)

    @cached_property
    def indexes_axes(self) -> bool:
        """Whether some value is a position along an axis."""
        return any(isinstance(s, ir.Index) for s in self.statements)

    def row_gathers(self) -> dict[str, tuple[str, ...]]:
        """Operands read or written at indices that are the same along the last axis."""
        found: dict[str, tuple[str, ...]] = {}
        for s in self.statements:
            if isinstance(s, (ir.Load, ir.Store)) and s.index:
                if all(i in self.uniform for i in s.index) and self.lanes > 1:
                    found[s.operand] = s.index
        return found


def uniform_values(kernel: ir.Kernel, statements: tuple[ir.Stmt, ...], axis: str) -> set[str]:
    """Names of the values that do not vary along ``axis``."""
    found = {p.name for p in kernel.scalars}
    for s in statements:
        if isinstance(s, ir.Const):
            found.add(s.out)
        elif isinstance(s, ir.Index):
            if s.axis != axis:
                found.add(s.out)
        elif isinstance(s, ir.Load):
            still = axis not in kernel.operand(s.operand).axes
            if (
                still
                and all(i in found for i in s.index)
                and kernel.operand(s.operand).mode == "in"
            ):
                found.add(s.out)
        elif isinstance(s, ir.Apply) and all(a in found for a in s.args):
            found.add(s.out)
    return found
