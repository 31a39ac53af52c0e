"""Is a kernel well formed? Every name defined before use, every dtype as the primitives say."""

from __future__ import annotations

from theano.kernel import ir, prims


class InvalidKernel(ValueError):
    """A kernel breaks its own rules: an error of the compiler, not of its user."""


def verify(kernel: ir.Kernel) -> ir.Kernel:
    """The kernel itself; InvalidKernel that names the statement otherwise."""
    _Check(kernel).run()
    return kernel


class _Check:
    def __init__(self, kernel: ir.Kernel) -> None:
        self.kernel = kernel
        self.known: dict[str, str] = {p.name: p.dtype for p in kernel.scalars}
        self.stored: set[str] = set()
        self.accumulated: dict[str, str] = {}

    def run(self) -> None:
        kernel = self.kernel
        self.need(len(set(kernel.axes)) == len(kernel.axes), "an axis is named twice", kernel.axes)
        names = [o.name for o in kernel.operands] + [p.name for p in kernel.scalars]
        self.need(len(set(names)) == len(names), "an operand is named twice", names)
        for operand in kernel.operands:
            self.need(set(operand.axes) <= set(kernel.axes), "unknown axis", operand)
            self.need(operand.mode in ("in", "out", "scatter"), "unknown mode", operand)
        self.need(set(kernel.serial) <= set(kernel.outer), "serial axes are outer", kernel.serial)
        for stage in kernel.stages:
            self.need(stage.kind in ("each", "loop"), "unknown stage", stage.kind)
            self.stage(stage)

    def need(self, condition: bool, problem: str, where: object) -> None:
        if not condition:
            raise InvalidKernel(f"kernel {self.kernel.name}: {problem}: {where}")

    def stage(self, stage: ir.Stage) -> None:
        outside = dict(self.known)
        for statement in stage.body:
            self.statement(statement, stage)
        if stage.kind == "loop":
            self.known = outside
        self.known.update(self.accumulated)

    def statement(self, s: ir.Stmt, stage: ir.Stage) -> None:
        if isinstance(s, ir.Store):
            self.store(s, stage)
            return
        if isinstance(s, ir.Fail):
            self.need(self.value(s.value, s) == "bool", "fails on a bool", s)
            return
        self.need(s.out not in self.known and s.out not in self.accumulated, "assigned twice", s)
        if isinstance(s, ir.Accumulate):
            self.accumulate(s, stage)
            return
        if isinstance(s, ir.Index):
            allowed = self.kernel.axes if stage.kind == "loop" else self.kernel.outer
            self.need(s.axis in allowed, "no such axis here", s)
            self.known[s.out] = "int64"
            return
        if isinstance(s, ir.Load):
            self.load(s, stage)
        elif isinstance(s, ir.Apply):
            self.apply(s)
        self.known[s.out] = s.dtype

    def value(self, name: str, s: ir.Stmt) -> str:
        self.need(name in self.known, f"{name} is not defined", s)
        return self.known[name]

    def access(self, name: str, index: tuple[str, ...], s: ir.Stmt, stage: ir.Stage) -> ir.Operand:
        operand = next((o for o in self.kernel.operands if o.name == name), None)
        self.need(operand is not None, "unknown operand", s)
        assert operand is not None
        self.need(len(index) == operand.gather, "wrong number of indices", s)
        for entry in index:
            self.need(self.value(entry, s) == "int64", "an index is int64", s)
        if stage.kind == "each":
            moves = set(operand.axes) & set(self.kernel.inner)
            self.need(not moves, "moves along an inner axis in an each stage", s)
        return operand

    def load(self, s: ir.Load, stage: ir.Stage) -> None:
        operand = self.access(s.operand, s.index, s, stage)
        self.need(operand.mode == "in" or s.operand in self.stored, "loaded before stored", s)
        dtype = "float32" if operand.dtype == "float16" else operand.dtype
        self.need(s.dtype == dtype, f"dtype should be {dtype}", s)

    def store(self, s: ir.Store, stage: ir.Stage) -> None:
        operand = self.access(s.operand, s.index, s, stage)
        self.need(operand.mode != "in", "stores to an input", s)
        dtype = "float32" if operand.dtype == "float16" else operand.dtype
        self.need(self.value(s.value, s) == dtype, f"value should be {dtype}", s)
        self.stored.add(s.operand)

    def accumulate(self, s: ir.Accumulate, stage: ir.Stage) -> None:
        self.need(stage.kind == "loop", "accumulates outside a loop", s)
        self.need(s.kind in ir.KINDS, "unknown kind", s)
        dtype = self.value(s.value, s)
        wanted = "int64" if s.kind.startswith("arg") else dtype
        self.need(s.dtype == wanted, f"dtype should be {wanted}", s)
        self.accumulated[s.out] = s.dtype

    def apply(self, s: ir.Apply) -> None:
        row = prims.prim(s.prim)
        self.need(len(s.args) == row.arity, f"takes {row.arity} operands", s)
        dtypes = [self.value(a, s) for a in s.args]
        if s.prim == "cast":
            return
        if s.prim == "select":
            self.need(dtypes.pop(0) == "bool", "select needs a bool first", s)
        self.need(len(set(dtypes)) == 1, f"operands of different dtypes {dtypes}", s)
        kind = {"b": "b", "i": "i", "u": "u", "f": "f"}[dtypes[0][0]]
        self.need(kind in row.kinds, f"not for {dtypes[0]}", s)
        wanted = prims.result_dtype(s.prim, dtypes[0])
        self.need(s.dtype == wanted, f"dtype should be {wanted}", s)
