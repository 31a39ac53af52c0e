"""Decisions before any text is written: lanes, weights, what varies along an axis."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from theano.backends.cpu import memory
from theano.backends.cpu.emit import vector_width
from theano.backends.cpu.layout import Layout
from theano.core import dtypes
from theano.core.record import dataclass
from theano.kernel import ir

HEAVY = frozenset(
    [
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin",
        "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid",
        "softplus", "pow", "erf", "erfc", "div", "sqrt",
    ]
)  # fmt: skip
RARE = frozenset(
    [
        "gamma", "lgamma", "psi", "trigamma", "erfcx", "erfinv", "erfcinv", "chi2sf", "gammainc",
        "gammaincc", "gammau", "gammal", "j0", "j1", "jv", "i0", "i1", "iv",
    ]
)  # fmt: skip
_COST = {"cheap": 2, "heavy": 9, "rare": 400}
LIGHT = 12  # statements up to which a loop rather waits for memory than computes
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
        found = {"float32"}
        for stage in self.kernel.stages:
            if stage.kind == "loop" or not self.kernel.inner:
                found |= {d for s in stage.body for d in self._held(s)}
        widest = max(found, key=lambda d: dtypes.ITEMSIZE[d])
        lanes = vector_width(widest, self.features)
        return lanes // 2 if len(self.statements) > BIG else lanes

    def _held(self, s: ir.Stmt) -> tuple[str, ...]:
        """What a statement has in every lane (positions of arg-accumulators are int32)."""
        if isinstance(s, (ir.Load, ir.Store)):
            return (self.kernel.operand(s.operand).dtype,)
        if isinstance(s, (ir.Index, ir.Fail)) or getattr(s, "kind", "").startswith("arg"):
            return ()
        return (s.dtype,)

    @cached_property
    def masked(self) -> bool:
        """Whether loops mask every vector instead of having a tail of their own."""
        return self.masks_are_cheap and len(self.statements) > BIG

    @cached_property
    def masks_are_cheap(self) -> bool:
        """Whether the machine has masked loads and stores of all element sizes."""
        return "+avx512bw" in self.features.split(",")

    @cached_property
    def whole(self) -> bool:
        """Whether it is a full reduction: one loop, its accumulators, then code once."""
        kernel = self.kernel
        loops = [i for i, s in enumerate(kernel.stages) if s.kind == "loop"]
        return not kernel.outer and loops == [0]

    @cached_property
    def last(self) -> str:
        """The axis that vector code runs along ('' without axes)."""
        axes = self.kernel.inner or self.kernel.outer
        return axes[-1] if axes else ""

    @cached_property
    def known(self) -> frozenset[str]:
        """Values of which there is one per outer point."""
        kernel = self.kernel
        found = {p.name for p in kernel.scalars} | {s.out for s in self.layout.accumulators}
        if kernel.inner:
            found |= {
                s.out for stage in kernel.stages if stage.kind == "each" for s in stage.body
                if not isinstance(s, (ir.Store, ir.Fail))
            }  # fmt: skip
        return frozenset(found)

    @cached_property
    def uniform(self) -> frozenset[str]:
        """Values that do not vary along the last axis."""
        return uniform_values(self.kernel, self.statements, self.last, self.known)

    @cached_property
    def splits(self) -> tuple[Split, ...]:
        """What runs along the last axis, in order: the loop stages, or the body of a map."""
        stages = self.kernel.stages
        if not self.kernel.inner:
            return (split(self, self.statements),)
        return tuple(split(self, stage.body) for stage in stages if stage.kind == "loop")

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
    def streamed(self) -> frozenset[str]:
        """Results that may be written past the caches: stored once an element and never read, by a
        loop that waits for memory, where whole vectors are whole cache lines."""
        if self.masked or self.one_by_one or "+avx2" not in self.features.split(","):
            return frozenset()
        axes = set(self.kernel.axes)
        uses = Counter(s.operand for s in self.statements if isinstance(s, (ir.Load, ir.Store)))
        found = set()
        for part in self.splits:
            stores = [s for s in part.rest if isinstance(s, ir.Store) and not s.index]
            slow = any(isinstance(s, ir.Apply) and s.prim in HEAVY | RARE for s in part.rest)
            if not slow and len(part.rest) <= LIGHT:
                found |= {s.operand for s in stores if uses[s.operand] == 1 and not s.add}
        return frozenset(
            o.name for o in self.kernel.operands
            if o.name in found and o.mode == "out" and set(o.axes) == axes
            and self.lanes * memory.itemsize(o.dtype) % memory.CACHE_LINE == 0
        )  # fmt: skip

    @cached_property
    def by_parts(self) -> bool:
        """Whether chunks may go through all points, each writing only to a part of the target: what
        scatters do. Sums are then added in the same order however many chunks there are."""
        targets = [o for o in self.kernel.operands if o.mode == "scatter"]
        stores = [s for s in self.statements if isinstance(s, ir.Store)]
        only = all(s.index and s.operand == targets[0].name for s in stores) if targets else False
        return bool(self.kernel.serial) and len(targets) == 1 and only

    @cached_property
    def weight(self) -> int:
        """Cost of one point: a unit is about 7 picoseconds on a machine of 2024."""
        total = 0
        for s in self.statements:
            kind = "cheap"
            if isinstance(s, ir.Apply):
                kind = "heavy" if s.prim in HEAVY else "rare" if s.prim in RARE else "cheap"
            total += _COST[kind]
        return max(1, total * (32 // max(4, self.lanes)))

    @cached_property
    def indexes_axes(self) -> bool:
        """Whether some value is a position along an axis."""
        return any(isinstance(s, ir.Index) for s in self.statements)


Access = tuple[str, tuple[str, ...]]  # an operand, and the values that index it


@dataclass(frozen=True)
class Split:
    """Statements that run along the last axis, and what is known about them.

    Attributes
    ----------
    hoisted, rest : what is done once a line, and what at every point.
    accumulators : those of ``rest``, in order.
    rows : accesses whose indices hold along the line.
    lane_gathers : operands that move along the line and are indexed per point.
    packed, loaded, stored : accesses that move along the line; those read; those written.
    spread : values that hold along the line and are used at every point.
    """

    hoisted: tuple[ir.Stmt, ...]
    rest: tuple[ir.Stmt, ...]
    accumulators: tuple[ir.Accumulate, ...]
    rows: tuple[Access, ...]
    lane_gathers: frozenset[str]
    packed: tuple[Access, ...]
    loaded: frozenset[Access]
    stored: frozenset[Access]
    spread: tuple[str, ...]


def split(plan: Plan, statements: tuple[ir.Stmt, ...]) -> Split:
    """Sort out what varies along the last axis; points one by one have nothing hoisted."""
    kernel, last = plan.kernel, plan.last
    still: frozenset[str] = frozenset()
    if plan.lanes > 1:
        still = uniform_values(kernel, statements, last, plan.known)
    constants = {s.out for s in statements if isinstance(s, ir.Const)}
    hoisted = tuple(s for s in statements if _holds(s, still))
    rest = tuple(s for s in statements if isinstance(s, ir.Const) or not _holds(s, still))
    rows: dict[Access, None] = {}
    lane_gathers: set[str] = set()
    loaded: dict[Access, None] = {}
    stored: dict[Access, None] = {}
    for s in rest:
        if not isinstance(s, (ir.Load, ir.Store)):
            continue
        moves = last in kernel.operand(s.operand).axes
        if s.index and plan.lanes > 1 and all(i in still for i in s.index):
            rows[s.operand, s.index] = None
        elif s.index:
            lane_gathers |= {s.operand} if moves else set()
            continue
        if moves and isinstance(s, ir.Store):
            stored[s.operand, s.index] = None
        if moves and (isinstance(s, ir.Load) or s.add):
            loaded[s.operand, s.index] = None
    used = dict.fromkeys(name for s in rest for name in _uses(s))
    return Split(
        hoisted, rest, tuple(s for s in rest if isinstance(s, ir.Accumulate)), tuple(rows),
        frozenset(lane_gathers), tuple({**loaded, **stored}), frozenset(loaded),
        frozenset(stored), tuple(n for n in used if n in still and n not in constants),
    )  # fmt: skip


def _holds(s: ir.Stmt, still: frozenset[str]) -> bool:
    """Whether a statement does the same at every point of a line."""
    if isinstance(s, ir.Fail):
        return s.value in still
    return not isinstance(s, (ir.Store, ir.Accumulate)) and s.out in still


def _uses(s: ir.Stmt) -> tuple[str, ...]:
    if isinstance(s, ir.Apply):
        return s.args
    if isinstance(s, (ir.Store, ir.Fail, ir.Accumulate)):
        return (s.value, *getattr(s, "index", ()))
    return s.index if isinstance(s, ir.Load) else ()


def uniform_values(
    kernel: ir.Kernel, statements: tuple[ir.Stmt, ...], axis: str, known: frozenset[str]
) -> frozenset[str]:
    """Names of the values that do not vary along ``axis``, the known ones included."""
    found = set(known)
    for s in statements:
        if isinstance(s, ir.Const):
            found.add(s.out)
        elif isinstance(s, ir.Index):
            if s.axis != axis:
                found.add(s.out)
        elif isinstance(s, ir.Load):
            operand = kernel.operand(s.operand)
            still = axis not in operand.axes and operand.mode == "in"
            if still and all(i in found for i in s.index):
                found.add(s.out)
        elif isinstance(s, ir.Apply) and all(a in found for a in s.args):
            found.add(s.out)
    return frozenset(found)
