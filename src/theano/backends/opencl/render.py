"""A kernel as OpenCL C 1.2.

The arguments of every variant: ``m``, a table of int64 words (see `Layout`), one pointer to bytes
per operand, the scalars, then ``status`` and ``code`` if the kernel can fail, and for the two-phase
variants ``partial`` and ``blocks``. Extents, offsets and strides are words of the table, so one
text serves every shape and the number of arguments stays small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from theano.backends.opencl.prims import REGISTERS, literal, spell, spell_cast
from theano.backends.opencl.schedule import LOCAL, variants
from theano.kernel import ir

_MEMORY: Final = {**REGISTERS, "float16": "half"}


@dataclass(frozen=True, slots=True)
class Slot:
    """The words of an operand: its byte offset, a byte stride per axis, (extent, stride) pairs."""

    offset: int
    strides: dict[str, int]
    gather: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the table ``m`` holds what: the extents of the kernel's axes, then its operands."""

    extents: dict[str, int]
    operands: dict[str, Slot]
    size: int


@dataclass(frozen=True, slots=True)
class KernelCode:
    """``source`` holds one function ``<symbol>_<variant>`` per variant.

    ``fails``: it has ``status`` and ``code``; ``partials``: 8-byte words per block of a two-phase
    reduction; ``doubles``: it needs float64.
    """

    symbol: str
    source: str
    fails: bool
    partials: int
    doubles: bool


def layout(kernel: ir.Kernel) -> Layout:
    """The table of a kernel.

    >>> x = ir.Operand("x", "float32", ("i", "j"))
    >>> layout(ir.Kernel("k", ("i", "j"), (), (x,), (), ())).operands["x"].strides
    {'i': 3, 'j': 4}
    """
    extents = {axis: i for i, axis in enumerate(kernel.axes)}
    at = len(extents)
    slots = {}
    for operand in kernel.operands:
        first = at + 1
        strides = {axis: first + i for i, axis in enumerate(operand.axes)}
        first += len(strides)
        pairs = tuple((first + 2 * i, first + 2 * i + 1) for i in range(operand.gather))
        slots[operand.name] = Slot(at, strides, pairs)
        at = first + 2 * len(pairs)
    return Layout(extents, slots, at)


def render_kernel(kernel: ir.Kernel, symbol: str) -> KernelCode:
    """The OpenCL C text of a kernel, without the prelude.

    Raises NotOnDevice or MissingSpelling for a primitive that OpenCL C does not have.
    """
    fails = any(_can_fail(kernel))
    parts = [_Function(kernel, symbol, variant, fails) for variant in variants(kernel)]
    source = "".join(part.text() for part in parts)
    accumulated = [s for stage in kernel.stages for s in stage.body if isinstance(s, ir.Accumulate)]
    partials = sum(2 if s.kind.startswith("arg") else 1 for s in accumulated)
    return KernelCode(symbol, source, fails, partials, "f64" in source)


def _can_fail(kernel: ir.Kernel) -> Iterator[bool]:
    for s in (s for stage in kernel.stages for s in stage.body):
        if isinstance(s, (ir.Load, ir.Store)):
            yield bool(s.index)
        elif isinstance(s, ir.Fail):
            yield True
        elif isinstance(s, ir.Apply):
            yield s.prim in ("idiv", "mod") and np.dtype(s.dtype).kind in "iu"


def identity(kind: str, dtype: str) -> str:
    """What accumulating nothing gives, as a literal."""
    if kind in ("add", "or") or kind.startswith("arg"):
        return literal(0, dtype)
    if kind == "mul":
        return literal(1, dtype)
    numpy_kind = np.dtype(dtype).kind
    if kind == "and":
        ones = int(np.iinfo(dtype).max) if numpy_kind == "u" else -1
        return literal(1 if numpy_kind == "b" else ones, dtype)
    low = kind == "max"
    if numpy_kind == "f":
        return literal(-np.inf if low else np.inf, dtype)
    if numpy_kind == "b":
        return literal(not low, dtype)
    return literal(int(np.iinfo(dtype).min if low else np.iinfo(dtype).max), dtype)


class _Function:
    """The text of one variant."""

    def __init__(self, kernel: ir.Kernel, symbol: str, variant: str, fails: bool) -> None:
        self.kernel, self.variant, self.fails = kernel, variant, fails
        self.name = f"{symbol}_{variant}"
        self.words = layout(kernel)
        self.operands = {o.name: (i, o) for i, o in enumerate(kernel.operands)}
        self.dtypes = {p.name: p.dtype for p in kernel.scalars}
        self.lines: list[str] = []
        self.shared = variant in ("group", "block")  # items of a group share the inner points
        self.count = 0  # partial words so far
        self.local: set[str] = set()
        self.total = sum(
            2 if s.kind.startswith("arg") else 1
            for stage in kernel.stages for s in stage.body if isinstance(s, ir.Accumulate)
        )  # fmt: skip

    def put(self, line: str) -> None:
        self.lines.append(line)

    def text(self) -> str:
        """The whole function."""
        closing = self._outer()
        for stage in self._stages():
            if stage.kind == "loop":
                self._loop(stage)
            else:
                self._each(stage)
        self.put(closing)
        body = "\n  ".join([*self._locals(), *self.lines])
        size = f"__attribute__((reqd_work_group_size({LOCAL}, 1, 1)))"
        arguments = ", ".join(self._arguments())
        return f"\n__kernel {size}\nvoid {self.name}({arguments}) {{\n  {body}\n}}\n"

    def _stages(self) -> Sequence[ir.Stage]:
        stages = self.kernel.stages
        if self.variant != "block":
            return stages
        return stages[: next(i for i, s in enumerate(stages) if s.kind == "loop") + 1]

    def _arguments(self) -> Iterator[str]:
        yield "__global const i64 *m"
        for i in range(len(self.kernel.operands)):
            yield f"__global uchar *g{i}"
        for p in self.kernel.scalars:
            yield f"{REGISTERS[p.dtype]} v_{p.name}"
        if self.fails:
            yield "volatile __global int *status"
            yield "int code"
        if self.variant in ("block", "merge"):
            yield "__global u64 *partial"
            yield "i64 blocks"

    def _locals(self) -> Iterator[str]:
        for register in sorted(self.local):
            yield f"__local {register.removesuffix('x')} red_{register}[{LOCAL}];"
        if self.shared:
            yield "const int lid = (int)get_local_id(0);"
        for axis, word in self.words.extents.items():
            yield f"const i64 n_{axis} = m[{word}];"
        for i, operand in enumerate(self.kernel.operands):
            slot = self.words.operands[operand.name]
            yield f"const i64 o{i} = m[{slot.offset}];"
            for axis, word in slot.strides.items():
                yield f"const i64 s{i}_{axis} = m[{word}];"
            for j, (extent, stride) in enumerate(slot.gather):
                yield f"const i64 e{i}_{j} = m[{extent}], t{i}_{j} = m[{stride}];"

    # loops ------------------------------------------------------------------------------------

    def _outer(self) -> str:
        kernel = self.kernel
        parallel = [a for a in kernel.outer if a not in kernel.serial]
        total = " * ".join(f"n_{a}" for a in parallel) or "1"
        if self.variant == "group":
            self.put("const i64 p = (i64)get_group_id(0);")
        elif self.variant == "block":
            self.put("const i64 p = (i64)get_group_id(0) / blocks;")
        else:
            self.put(f"const i64 total = {total};")
            self.put("for (i64 p = (i64)get_global_id(0); p < total; "
                     "p += (i64)get_global_size(0)) {")  # fmt: skip
        self._split("p", parallel)
        for axis in kernel.serial:
            self.put(f"for (i64 x_{axis} = 0; x_{axis} < n_{axis}; ++x_{axis}) {{")
        return "}" * (len(kernel.serial) + (0 if self.shared else 1))

    def _split(self, flat: str, axes: Sequence[str]) -> None:
        """Positions along ``axes`` from a position in their row-major order."""
        if len(axes) == 1:
            self.put(f"const i64 x_{axes[0]} = {flat};")
            return
        rest = flat
        for axis in reversed(axes[1:]):
            self.put(f"const i64 x_{axis} = TH_REM({rest}, n_{axis}), "
                     f"r{flat}_{axis} = TH_QUO({rest}, n_{axis});")  # fmt: skip
            rest = f"r{flat}_{axis}"
        if axes:
            self.put(f"const i64 x_{axes[0]} = {rest};")

    def _loop(self, stage: ir.Stage) -> None:
        found = [s for s in stage.body if isinstance(s, ir.Accumulate)]
        outside = self.dtypes.copy()
        dtypes = {s.out: self._value_dtype(stage, s.value) for s in found}
        for s in found:
            self.put(f"{REGISTERS[dtypes[s.out]]} p_{s.out} = {identity(s.kind, dtypes[s.out])};")
            if s.kind.startswith("arg"):
                self.put(f"i64 q_{s.out} = -1;")
        if self.variant == "merge":
            self._merge(found, dtypes)
        else:
            self._points()
            self._split("q", self.kernel.inner)
            for statement in stage.body:
                self._statement(statement)
            self.put("}")
        self.dtypes = outside
        for s in found:
            self._finish(s, dtypes[s.out])
            self.dtypes[s.out] = s.dtype
        if self.shared and self.variant == "group":
            self.put("BARRIER;")

    def _value_dtype(self, stage: ir.Stage, name: str) -> str:
        for s in stage.body:
            if not isinstance(s, (ir.Store, ir.Fail)) and s.out == name:
                return getattr(s, "dtype", "int64")  # a position has no dtype of its own
        return self.dtypes[name]

    def _points(self) -> None:
        inner = " * ".join(f"n_{a}" for a in self.kernel.inner) or "1"
        if self.variant == "item":
            self.put(f"for (i64 q = 0; q < {inner}; ++q) {{")
        elif self.variant == "group":
            self.put(f"for (i64 q = lid; q < {inner}; q += {LOCAL}) {{")
        else:
            self.put(f"const i64 chunk = ({inner} + blocks - 1) / blocks;")
            self.put("const i64 begin = ((i64)get_group_id(0) % blocks) * chunk;")
            self.put(f"const i64 end = min((i64)(begin + chunk), (i64)({inner}));")
            self.put(f"for (i64 q = begin + lid; q < end; q += {LOCAL}) {{")

    def _each(self, stage: ir.Stage) -> None:
        """Every item computes; with items that share, the first one stores, between barriers."""
        storing = False
        for s in stage.body:
            now = self.shared and isinstance(s, ir.Store)
            if now != storing:
                self.put("BARRIER; if (lid == 0) {" if now else "} BARRIER;")
            storing = now
            self._statement(s)
        if storing:
            self.put("} BARRIER;")

    # accumulators -----------------------------------------------------------------------------

    def _combine(
        self, s: ir.Accumulate, dtype: str, into: tuple[str, str], what: tuple[str, str]
    ) -> str:
        """The statement that combines a value (and position) into another."""
        (p, q), (v, i) = into, what
        if not s.kind.startswith("arg"):
            return f"{p} = {spell(s.kind, dtype, [p, v])};"
        beats = ">" if s.kind == "argmax" else "<"
        return (
            f"if ({i} >= 0 && ({q} < 0 || ({v} != {v} ? ({p} == {p} || {i} < {q}) : "
            f"({p} == {p} && ({v} {beats} {p} || ({v} == {p} && {i} < {q})))))) "
            f"{{ {p} = {v}; {q} = {i}; }}"
        )

    def _merge(self, found: Sequence[ir.Accumulate], dtypes: dict[str, str]) -> None:
        self.put("for (i64 b = 0; b < blocks; ++b) {")
        self.put(f"__global const u64 *w = partial + (p * blocks + b) * {self.total};")
        at = 0
        for s in found:
            register = REGISTERS[dtypes[s.out]]
            self.put(f"const {register} w_{s.out} = *(__global const {register} *)(w + {at});")
            at += 1
            if s.kind.startswith("arg"):
                self.put(f"const i64 i_{s.out} = (i64)w[{at}];")
                at += 1
            self.put(self._combine(s, dtypes[s.out], (f"p_{s.out}", f"q_{s.out}"),
                                   (f"w_{s.out}", f"i_{s.out}")))  # fmt: skip
        self.put("}")

    def _finish(self, s: ir.Accumulate, dtype: str) -> None:
        """The accumulated value of all items, for later stages (or into ``partial``)."""
        arg = s.kind.startswith("arg")
        value, position = f"p_{s.out}", f"q_{s.out}"
        if self.shared:
            self._tree(s, dtype)
            value, position = f"c_{s.out}", f"d_{s.out}"
        if self.variant == "block":
            where = f"partial + (i64)get_group_id(0) * {self.total} + {self.count}"
            self.put(f"if (lid == 0) *(__global {REGISTERS[dtype]} *)({where}) = {value};")
            if arg:
                self.put(f"if (lid == 0) *({where} + 1) = (u64){position};")
            self.count += 2 if arg else 1
        elif arg:
            self.put(f"const i64 v_{s.out} = {position} < 0 ? 0 : {position};")
        else:
            self.put(f"const {REGISTERS[dtype]} v_{s.out} = {value};")

    def _tree(self, s: ir.Accumulate, dtype: str) -> None:
        register, arg = REGISTERS[dtype], s.kind.startswith("arg")
        self.local.add(register)
        red, at = f"red_{register}", "red_i64x"
        self.put(f"{red}[lid] = p_{s.out};")
        if arg:
            self.local.add("i64x")
            self.put(f"{at}[lid] = q_{s.out};")
        step = self._combine(
            s, dtype, (f"{red}[lid]", f"{at}[lid]"), (f"{red}[lid + h]", f"{at}[lid + h]")
        )
        self.put(f"BARRIER; for (int h = {LOCAL // 2}; h > 0; h >>= 1) {{")
        self.put(f"if (lid < h) {{ {step} }} BARRIER; }}")
        self.put(f"const {register} c_{s.out} = {red}[0];")
        if arg:
            self.put(f"const i64 d_{s.out} = {at}[0];")
        self.put("BARRIER;")

    # statements -------------------------------------------------------------------------------

    def _statement(self, s: ir.Stmt) -> None:
        _STATEMENTS[type(s)](self, s)

    def _define(self, name: str, dtype: str, expression: str) -> None:
        self.dtypes[name] = dtype
        self.put(f"const {REGISTERS[dtype]} v_{name} = {expression};")

    def constant(self, s: ir.Const) -> None:
        self._define(s.out, s.dtype, literal(s.value, s.dtype))

    def index(self, s: ir.Index) -> None:
        self._define(s.out, "int64", f"x_{s.axis}")

    def apply(self, s: ir.Apply) -> None:
        names = [f"v_{a}" for a in s.args]
        operand = self.dtypes[s.args[-1]]
        if s.prim == "cast":
            self._define(s.out, s.dtype, spell_cast(operand, s.dtype, names[0]))
            return
        if s.prim in ("idiv", "mod") and np.dtype(operand).kind in "iu":
            self.put(f"if ({names[1]} == 0) {_FAIL}")
        self._define(s.out, s.dtype, spell(s.prim, operand, names))

    def _address(self, operand: str, index: Sequence[str]) -> str:
        """The address of an element; ``j<k>`` hold checked gather positions."""
        i, row = self.operands[operand]
        terms = [f"o{i}", *(f"x_{a} * s{i}_{a}" for a in row.axes)]
        terms += [f"j{k} * t{i}_{k}" for k in range(len(index))]
        return f"g{i} + ({' + '.join(terms)})"

    def _gathered(self, operand: str, index: Sequence[str]) -> None:
        """Open a block in which the gather positions are inside their extents."""
        i, _ = self.operands[operand]
        self.put("{")
        for k, name in enumerate(index):
            self.put(f"const i64 j{k} = v_{name} < 0 ? v_{name} + e{i}_{k} : v_{name};")
        inside = " && ".join(f"j{k} >= 0 && j{k} < e{i}_{k}" for k in range(len(index)))
        self.put(f"if (!({inside})) {_FAIL} else {{")

    def load(self, s: ir.Load) -> None:
        dtype = self.operands[s.operand][1].dtype
        element = _element(dtype, self._address(s.operand, s.index))
        if not s.index:
            self._define(s.out, s.dtype, element)
            return
        self.dtypes[s.out] = s.dtype
        self.put(f"{REGISTERS[s.dtype]} v_{s.out} = 0;")
        self._gathered(s.operand, s.index)
        self.put(f"v_{s.out} = {element}; }} }}")

    def store(self, s: ir.Store) -> None:
        dtype = self.operands[s.operand][1].dtype
        if s.index:
            self._gathered(s.operand, s.index)
        address = self._address(s.operand, s.index)
        value = f"v_{s.value}"
        if s.add:
            value = spell("add", dtype, [_element(dtype, address), value])
        if dtype == "float16":
            self.put(f"vstore_half_rte({value}, 0, (__global half *)({address}));")
        else:
            self.put(f"*(__global {_MEMORY[dtype]} *)({address}) = {value};")
        if s.index:
            self.put("} }")

    def fail(self, s: ir.Fail) -> None:
        self.put(f"if (v_{s.value}) {_FAIL}")

    def accumulate(self, s: ir.Accumulate) -> None:
        dtype = self.dtypes[s.value]
        self.put(self._combine(s, dtype, (f"p_{s.out}", f"q_{s.out}"), (f"v_{s.value}", "q")))


_FAIL: Final = "atomic_cmpxchg(status, 0, code);"


def _element(dtype: str, address: str) -> str:
    if dtype == "float16":
        return f"vload_half(0, (__global const half *)({address}))"
    element = f"*(__global const {_MEMORY[dtype]} *)({address})"
    return f"((u8)({element} != 0))" if dtype == "bool" else f"({element})"


_STATEMENTS: Final[dict[type, Any]] = {
    ir.Const: _Function.constant,
    ir.Index: _Function.index,
    ir.Apply: _Function.apply,
    ir.Load: _Function.load,
    ir.Store: _Function.store,
    ir.Accumulate: _Function.accumulate,
    ir.Fail: _Function.fail,
}
