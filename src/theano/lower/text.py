"""Program to text and back; the grammar is in ``lower/program.py``. Constants' and Python steps'
contents are not in the text: ``parse`` takes them from its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from theano.kernel import text as kernel_text
from theano.kernel.ir import Kernel
from theano.lower import program as pg


def text(program: pg.Program) -> str:
    """The program, one step a line, its kernels after it.

    ``parse(text(p), p.constants, p.callables) == p`` holds.
    """
    kernels: dict[Kernel, str] = {}
    lines = [f"program {program.name} slots {program.slots} {{"]
    for p in program.params:
        static = ", ".join("?" if s is None else str(s) for s in p.static)
        lines.append(f"  param {p.name} : {p.dtype}[{static}] = {p.kind} {p.index}")
    lines += _step_lines(program.steps, kernels)
    for r in program.results:
        place = " inplace" if r.inplace else ""
        lines.append(f"  result {r.kind} {r.index} = {r.array}{place}")
    lines.append("}")
    for kernel, name in kernels.items():
        lines.append(f"--- {name}")
        lines.append(kernel_text.text(kernel).rstrip())
    return "\n".join(lines) + "\n"


def _step_lines(steps: Sequence[pg.Step], kernels: dict[Kernel, str]) -> list[str]:
    lines = []
    for step in steps:
        if isinstance(step, pg.Loop):
            stop = f" until {step.stop}" if step.stop else ""
            carried = "; ".join(f"{a} = {b} then {c} as {d}" for a, b, c, d in step.objects)
            head = f"  {step.out} = loop {step.index} below {_arg(step.count)}{stop}"
            lines.append(head + (f" carrying ({carried}) {{" if carried else " {"))
            lines += ["  " + line for line in _step_lines(step.body, kernels)]
            lines.append("  }")
        elif isinstance(step, pg.Branch):
            outs = "; ".join(f"{n} : {d} / {r} = {a}, {b}" for n, d, r, a, b in step.outs)
            lines.append(f"  if {step.condition} ({outs}) {{")
            lines += ["  " + line for line in _step_lines(step.first, kernels)]
            lines.append("  } else {")
            lines += ["  " + line for line in _step_lines(step.second, kernels)]
            lines.append("  }")
        else:
            lines.append("  " + _WRITERS[type(step)](step, kernels))
    return lines


def _arg(value: pg.Arg) -> str:
    return value if isinstance(value, str) else repr(value)


def _args(values: Sequence[pg.Arg]) -> str:
    return ", ".join(map(_arg, values))


def _let(s: pg.Let, kernels: Any) -> str:
    return f"{s.out} : {s.dtype} = {s.prim}({_args(s.args)}) of {s.operand_dtype}"


def _view(s: pg.View, kernels: Any) -> str:
    starts = "; ".join(f"{axis} from {_arg(start)}" for axis, start in s.starts)
    axes = "; ".join(
        f"{'new' if a.source is None else a.source} x {_arg(a.length)} by {_arg(a.step)}"
        for a in s.axes
    )
    return f"{s.out} : {s.dtype} = view {s.source} ({starts}) ({axes})"


def _launch(s: pg.Launch, kernels: dict[Kernel, str]) -> str:
    name = kernels.setdefault(s.kernel, f"kernel{len(kernels)}")
    operands = "; ".join(
        f"{o.array} [{', '.join('-' if a is None else str(a) for a in o.axes)}]"
        f" [{', '.join(map(str, o.gather))}]"
        for o in s.operands
    )
    return f"launch {name} ({_args(s.extents)}) ({operands}) ({_args(s.scalars)})"


def _python(s: pg.PyCall, kernels: Any) -> str:
    outs = "; ".join(f"{name} : {dtype} / {ndim}" for name, dtype, ndim in s.outs)
    return f"python {s.index} ({', '.join(s.ins)}) ({outs})"


def _call(s: pg.Call, kernels: Any) -> str:
    target = f"{s.out} = " if s.out else ""
    written, given = ", ".join(s.arrays[: s.writes]), ", ".join(s.arrays[s.writes :])
    return f"{target}call {s.function} ({written}; {given}) ({_args(s.scalars)})"


_WRITERS: dict[type, Callable[[Any, dict[Kernel, str]], str]] = {
    pg.Let: _let,
    pg.Dim: lambda s, k: f"{s.out} = dim {s.array} {s.axis}",
    pg.Peek: lambda s, k: f"{s.out} : {s.dtype} = peek {s.array}",
    pg.Poke: lambda s, k: f"poke {s.array} {_arg(s.value)} : {s.dtype}",
    pg.Check: lambda s, k: f"check {s.condition} {s.text!r}",
    pg.Alloc: lambda s, k: f"{s.out} : {s.dtype} = alloc ({_args(s.dims)}) {s.place}",
    pg.View: _view,
    pg.Reshape: lambda s, k: (
        f"{s.out} : {s.dtype} = reshape {s.source} ({_args(s.dims)}) {s.place}"
    ),
    pg.Launch: _launch,
    pg.Call: _call,
    pg.PyCall: _python,
}


# parsing ------------------------------------------------------------------------------------------

_WORD = r"[A-Za-z_]\w*"
_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], dict[str, Kernel]], Any]], ...] = (
    (
        r"param (\S+) : (\w+)\[(.*)\] = (\w+) (\d+)",
        lambda m, k: pg.Param(
            m[1], m[2], len(_items(m[3])), m[4], int(m[5]),
            tuple(None if s == "?" else int(s) for s in _items(m[3])),
        ),
    ),
    (
        r"result (\w+) (\d+) = (\S+)( inplace)?",
        lambda m, k: pg.Result(m[1], int(m[2]), m[3], bool(m[4])),
    ),
    (r"(\w+) = dim (\w+) (\d+)", lambda m, k: pg.Dim(m[1], m[2], int(m[3]))),
    (r"(\w+) : (\w+) = peek (\w+)", lambda m, k: pg.Peek(m[1], m[2], m[3])),
    (r"poke (\w+) (\S+) : (\w+)", lambda m, k: pg.Poke(m[1], _value(m[2]), m[3])),
    (r"check (\w+) (['\"].*)", lambda m, k: pg.Check(m[1], _literal(m[2]))),
    (
        r"(\w+) : (\w+) = alloc \((.*)\) (\S+)",
        lambda m, k: pg.Alloc(m[1], m[2], _values(m[3]), m[4]),
    ),
    (
        r"(\w+) : (\w+) = reshape (\w+) \((.*)\) (\S+)",
        lambda m, k: pg.Reshape(m[1], m[2], m[3], _values(m[4]), m[5]),
    ),
    (
        r"(\w+) : (\w+) = view (\w+) \((.*)\) \((.*)\)",
        lambda m, k: pg.View(m[1], m[2], m[3], _starts(m[4]), _axes(m[5])),
    ),
    (
        r"launch (\w+) \((.*)\) \((.*)\) \((.*)\)",
        lambda m, k: pg.Launch(k[m[1]], _values(m[2]), _operands(m[3]), _values(m[4])),
    ),
    (r"(?:(\w+) = )?call (\w+) \((.*); ?(.*)\) \((.*)\)", lambda m, k: _parsed_call(m)),
    (
        r"python (\d+) \((.*)\) \((.*)\)",
        lambda m, k: pg.PyCall(int(m[1]), tuple(_items(m[2])), _outs(m[3])),
    ),
    (
        r"(\w+) : (\w+) = (\w+)\((.*)\) of (\w+)",
        lambda m, k: pg.Let(m[1], m[2], m[3], _values(m[4]), m[5]),
    ),
)  # fmt: skip
_COMPILED = tuple((re.compile(pattern), make) for pattern, make in _PATTERNS)


def parse(
    source: str, constants: Sequence[Any] = (), callables: Sequence[pg.PyFunction] = ()
) -> pg.Program:
    """The program that ``text`` wrote. Raises ValueError that quotes the line it cannot read."""
    head, *rest = re.split(r"^--- ", source, flags=re.M)
    kernels = {}
    for part in rest:
        name, body = part.split("\n", 1)
        kernels[name.strip()] = kernel_text.parse(body)
    lines = [line.strip() for line in head.strip().splitlines()]
    first = re.fullmatch(r"program (\S+) slots (\d+) \{", lines[0])
    if first is None or lines[-1] != "}":
        raise ValueError(f"not a program: {lines[0]!r}")
    found = _blocks(lines[1:-1], kernels)
    return pg.Program(
        first[1],
        tuple(x for x in found if isinstance(x, pg.Param)),
        tuple(x for x in found if not isinstance(x, (pg.Param, pg.Result))),
        tuple(x for x in found if isinstance(x, pg.Result)),
        int(first[2]),
        tuple(constants),
        tuple(callables),
    )


_LOOP = re.compile(r"(\w+) = loop (\w+) below (\S+)(?: until (\w+))?(?: carrying \((.*)\))? \{")


_IF = re.compile(r"if (\w+) \((.*)\) \{")


def _blocks(lines: Sequence[str], kernels: dict[str, Kernel]) -> list[Any]:
    """Steps, with those between braces inside their loops and branches."""
    stack: list[list[Any]] = [[]]
    heads: list[tuple[Any, list[Any] | None]] = []  # match, and the first side once it is complete
    for line in lines:
        head = _LOOP.fullmatch(line) or _IF.fullmatch(line)
        if head is not None:
            heads.append((head, None))
            stack.append([])
        elif line in ("}", "} else {"):
            if not heads:
                raise ValueError("something ends that has not begun")
            head, first = heads.pop()
            body = stack.pop()
            if line != "}":
                heads.append((head, body))
                stack.append([])
            else:
                stack[-1].append(_whole(head, first, body))
        else:
            stack[-1].append(_line(line, kernels))
    if len(stack) != 1:
        raise ValueError("a loop or branch does not end")
    return stack[0]


def _whole(head: re.Match[str], first: list[Any] | None, body: list[Any]) -> pg.Step:
    if first is None:
        carried = [tuple(re.split(r" = | then | as ", part)) for part in _items(head[5] or "", ";")]
        return pg.Loop(
            head[1], head[2], _value(head[3]), tuple(body), head[4] or "",
            tuple((a, b, c, d) for a, b, c, d in carried),
        )  # fmt: skip
    outs = []
    for part in _items(head[2], ";"):
        found = re.fullmatch(r"(\w+) : (\w+) / (\d+) = (\w+), (\w+)", part)
        if found is None:
            raise ValueError(f"cannot read the result {part!r}")
        outs.append((found[1], found[2], int(found[3]), found[4], found[5]))
    return pg.Branch(head[1], tuple(first), tuple(body), tuple(outs))


def _line(line: str, kernels: dict[str, Kernel]) -> Any:
    for pattern, make in _COMPILED:
        match = pattern.fullmatch(line)
        if match is not None:
            return make(match, kernels)
    raise ValueError(f"cannot read the step {line!r}")


def _parsed_call(match: re.Match[str]) -> pg.Call:
    written = tuple(_items(match[3]))
    arrays = (*written, *_items(match[4]))
    return pg.Call(match[2], arrays, _values(match[5]), len(written), match[1] or "")


def _items(source: str, separator: str = ",") -> list[str]:
    return [part.strip() for part in source.split(separator) if part.strip()]


def _literal(source: str) -> str:
    import ast

    return str(ast.literal_eval(source))


_NUMBERS = {"True": True, "False": False, "nan": float("nan"), "inf": float("inf"),
            "-inf": float("-inf")}  # fmt: skip


def _value(source: str) -> pg.Arg:
    if source in _NUMBERS:
        return _NUMBERS[source]
    if source[0].isalpha() or source[0] == "_":
        return source
    return int(source) if re.fullmatch(r"-?\d+", source) else float(source)


def _values(source: str) -> tuple[pg.Arg, ...]:
    return tuple(map(_value, _items(source)))


def _starts(source: str) -> tuple[tuple[int, pg.Arg], ...]:
    pairs = [part.split(" from ") for part in _items(source, ";")]
    return tuple((int(axis), _value(start)) for axis, start in pairs)


def _axes(source: str) -> tuple[pg.ViewAxis, ...]:
    found = []
    for part in _items(source, ";"):
        match = re.fullmatch(r"(\w+) x (\S+) by (\S+)", part)
        if match is None:
            raise ValueError(f"cannot read the axis {part!r}")
        axis = None if match[1] == "new" else int(match[1])
        found.append(pg.ViewAxis(axis, _value(match[2]), _value(match[3])))
    return tuple(found)


def _operands(source: str) -> tuple[pg.Operand, ...]:
    found = []
    for part in _items(source, ";"):
        match = re.fullmatch(r"(\w+) \[(.*)\] \[(.*)\]", part)
        if match is None:
            raise ValueError(f"cannot read the operand {part!r}")
        axes = tuple(None if a == "-" else int(a) for a in _items(match[2]))
        found.append(pg.Operand(match[1], axes, tuple(map(int, _items(match[3])))))
    return tuple(found)


def _outs(source: str) -> tuple[tuple[str, str, int], ...]:
    found = []
    for part in _items(source, ";"):
        name, _, dtype, _, ndim = part.split(" ")
        found.append((name, dtype, int(ndim)))
    return tuple(found)
