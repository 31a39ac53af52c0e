"""Kernel to text and back; the grammar is in ``kernel/ir.py``."""

from __future__ import annotations

import math
import re
from typing import Any

from theano.kernel import ir


def text(kernel: ir.Kernel) -> str:
    """The kernel as text; ``parse(text(kernel)) == kernel``."""
    axes = f"{' '.join(kernel.outer)} | {' '.join(kernel.inner)}"
    serial = f" serial {' '.join(kernel.serial)}" if kernel.serial else ""
    lines = [f"kernel {kernel.name} ({axes}){serial} {{"]
    for o in kernel.operands:
        gather = f" gather {o.gather}" if o.gather else ""
        lines.append(f"  {o.mode} {o.name} : {o.dtype} [{' '.join(o.axes)}]{gather}")
    lines += [f"  scalar {p.name} : {p.dtype}" for p in kernel.scalars]
    for stage in kernel.stages:
        lines.append(f"  {stage.kind} {{")
        lines += [f"    {statement(s)}" for s in stage.body]
        lines.append("  }")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _place(name: str, index: tuple[str, ...]) -> str:
    return f"{name} [{' '.join(index)}]" if index else name


def _literal(value: Any) -> str:
    return repr(value)


def statement(s: ir.Stmt) -> str:
    """One statement as text."""
    if isinstance(s, ir.Const):
        return f"{s.out} = const {_literal(s.value)} : {s.dtype}"
    if isinstance(s, ir.Index):
        return f"{s.out} = index {s.axis}"
    if isinstance(s, ir.Load):
        return f"{s.out} = load {_place(s.operand, s.index)} : {s.dtype}"
    if isinstance(s, ir.Apply):
        return f"{s.out} = {s.prim} {' '.join(s.args)} : {s.dtype}"
    if isinstance(s, ir.Accumulate):
        return f"{s.out} = accumulate {s.kind} {s.value} : {s.dtype}"
    if isinstance(s, ir.Fail):
        return f"fail {s.value}"
    return f"{'add' if s.add else 'store'} {_place(s.operand, s.index)} {s.value}"


_HEAD = re.compile(r"kernel (\S+) \(([^|]*)\|([^)]*)\)(?: serial ([^{]*))? \{")
_OPERAND = re.compile(r"(in|out|scatter) (\S+) : (\w+) \[([^\]]*)\](?: gather (\d+))?")
_SCALAR = re.compile(r"scalar (\S+) : (\w+)")
_CONST = re.compile(r"(\S+) = const (\S+) : (\w+)")
_INDEX = re.compile(r"(\S+) = index (\S+)")
_LOAD = re.compile(r"(\S+) = load (\S+)(?: \[([^\]]*)\])? : (\w+)")
_ACCUMULATE = re.compile(r"(\S+) = accumulate (\w+) (\S+) : (\w+)")
_APPLY = re.compile(r"(\S+) = (\w+) ([^:]+) : (\w+)")
_FAIL = re.compile(r"fail (\S+)")
_STORE = re.compile(r"(store|add) (\S+)(?: \[([^\]]*)\])? (\S+)")


def _number(word: str, dtype: str) -> int | float | bool:
    if dtype == "bool":
        return word == "True"
    if not dtype.startswith("float"):
        return int(word)
    return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}.get(word) or float(word)


def _words(part: str | None) -> tuple[str, ...]:
    return tuple((part or "").split())


def parse_statement(line: str) -> ir.Stmt:
    """The statement that ``statement`` wrote."""
    if m := _CONST.fullmatch(line):
        return ir.Const(m[1], m[3], _number(m[2], m[3]))
    if m := _INDEX.fullmatch(line):
        return ir.Index(m[1], m[2])
    if m := _LOAD.fullmatch(line):
        return ir.Load(m[1], m[4], m[2], _words(m[3]))
    if m := _ACCUMULATE.fullmatch(line):
        return ir.Accumulate(m[1], m[4], m[2], m[3])
    if m := _APPLY.fullmatch(line):
        return ir.Apply(m[1], m[4], m[2], _words(m[3]))
    if m := _STORE.fullmatch(line):
        return ir.Store(m[2], m[4], _words(m[3]), m[1] == "add")
    if m := _FAIL.fullmatch(line):
        return ir.Fail(m[1])
    raise ValueError(f"cannot read the statement {line!r}")


def parse(source: str) -> ir.Kernel:
    """The kernel that ``text`` wrote. Raises ValueError that quotes the line it cannot read."""
    lines = [line.strip() for line in source.strip().splitlines()]
    head = _HEAD.fullmatch(lines[0])
    if head is None:
        raise ValueError(f"not a kernel: {lines[0]!r}")
    operands: list[ir.Operand] = []
    scalars: list[ir.Param] = []
    stages: list[ir.Stage] = []
    body: list[ir.Stmt] | None = None
    kind = ""
    for line in lines[1:-1]:
        if line in ("each {", "loop {"):
            kind, body = line.split()[0], []
        elif line == "}" and body is not None:
            stages.append(ir.Stage(kind, tuple(body)))
            body = None
        elif body is not None:
            body.append(parse_statement(line))
        elif m := _OPERAND.fullmatch(line):
            operands.append(ir.Operand(m[2], m[3], _words(m[4]), m[1], int(m[5] or 0)))
        elif m := _SCALAR.fullmatch(line):
            scalars.append(ir.Param(m[1], m[2]))
        else:
            raise ValueError(f"cannot read {line!r}")
    return ir.Kernel(
        head[1], _words(head[2]), _words(head[3]), tuple(operands), tuple(scalars),
        tuple(stages), _words(head[4]),
    )  # fmt: skip
