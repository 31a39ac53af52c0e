"""Writes docs/ops.md: every op with its dtype rule, gradient, R-operator and backends.

python tools/write_ops_page.py [--check]      --check: only say whether the page is up to date

What the tables say is found out, not written down: each call is built, differentiated, rewritten
and lowered, and the program tells which backends run it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import op_samples
from op_probe import Facts, call, probe

import theano.ops
from theano.graph.nodes import Op
from theano.graph.tensor_type import TensorType
from theano.ops.elementwise import ALIASES, OPS
from theano.ops.elemwise import Elemwise
from theano.ops.scalar import ScalarRow

PAGE = Path(__file__).parent.parent / "docs" / "ops.md"

HEAD = """\
# Ops

<!-- Written by tools/write_ops_page.py (make ops-page): do not edit. -->

Every op: the dtype of its result, its derivatives, and which backends run it natively. The tables
are made by building, differentiating and lowering each call.

- **dtype**: "the input's" means that int32 gives int32, float32 float32, and so on. What is said of
  int32 holds for the other integers: small ones may give float32 where int32 gives float64.
- **gradient**: *yes*, to any order unless something else is said; *zero* where the value does not
  move; *disconnected* where the op says that its value does not depend on the input.
- **R**: whether `theano.Rop` goes through.
- **CPU**: *native*, or why a step is Python's. Operations on complex numbers go through NumPy.
- **OpenCL**: *native*, or *CPU*: a function with such an op runs on the CPU, and says so.
"""

KINDS = {
    "rows_arithmetic": "Arithmetic",
    "rows_float": "Exponentials, trigonometry, rounding",
    "rows_logic": "Comparison, logic, choice",
    "rows_special": "Special functions",
    "rows_complex": "Complex numbers",
    "rows_cast": "Conversion",
}

#: Ops that are told about as ops on complex numbers.
COMPLEX_FIRST = frozenset({"real", "imag", "angle", "conj"})

#: Classes that are not ops of their own: what others are derived from, or what users extend.
BASES = frozenset({
    "TensorOp", "LinalgOp", "SparseOp", "ListOp", "IncOp", "CAReduce", "RowOp", "ScalarOp",
    "UnaryScalarOp", "BinaryScalarOp", "SegmentOp", "Numeral",
})  # fmt: skip


def op_classes() -> dict[str, type[Op]]:
    """Every op class of ``theano.ops`` that can be in a graph, by module and name."""
    found: dict[str, type[Op]] = {}
    for module in pkgutil.iter_modules(theano.ops.__path__):
        loaded = importlib.import_module(f"theano.ops.{module.name}")
        for name, value in vars(loaded).items():
            ours = isinstance(value, type) and value.__module__ == loaded.__name__
            if ours and issubclass(value, Op) and _is_op(module.name, value):
                found[f"{module.name}.{name}"] = value
    return found


def _is_op(module: str, kind: type[Op]) -> bool:
    """Bases and the table-made scalar classes (which their rows tell of) are left out."""
    name = kind.__name__
    return not (name.startswith("_") or name in BASES or module == "scalar_library")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


# elementwise -----------------------------------------------------------------------------------


def _operands(row: ScalarRow, dtype: str) -> list[Any]:
    arity = 2 if row.arity is None else row.arity
    kind = TensorType(dtype, shape=(None,))
    return [kind(name) for name in "xyzuvw"[:arity]]


def _build(row: ScalarRow, dtype: str) -> list[Any]:
    return [Elemwise(row)(*_operands(row, dtype))]


def row_facts(row: ScalarRow) -> Facts:
    """The facts about an elementwise op on the first dtype that it takes."""
    of_complex = row.name in COMPLEX_FIRST
    for dtype in ("complex128",) * of_complex + ("float64", "int64"):
        try:
            _build(row, dtype)
        except TypeError:
            continue
        return probe(functools.partial(_build, row), dtype)
    raise TypeError(f"{row.name} takes no dtype that is probed: add one to row_facts")


def _rule(row: ScalarRow, facts: Facts) -> str:
    text = (inspect.getdoc(row.dtype) or "").split("\n")[0].rstrip(".")
    return text[:1].lower() + text[1:] or facts.dtype


def _row_names(row: ScalarRow) -> str:
    op = OPS[row.name]
    names = [row.name, *(alias for alias, other in ALIASES.items() if other is op)]
    symbol = f" (`{row.infix[0]}`)" if row.infix else ""
    return " ".join(f"`{name}`" for name in dict.fromkeys(names)) + symbol.replace("|", "\\|")


def elementwise() -> Iterator[str]:
    """The part on elementwise ops, a table per module of rows."""
    yield "## Elementwise"
    yield ""
    yield "Rows of `ops/rows_*.py`. All of them fuse with each other and with reductions."
    for module, title in KINDS.items():
        rows = importlib.import_module(f"theano.ops.{module}").ROWS
        entries = []
        for row in rows:
            facts = row_facts(row)
            entries.append([_row_names(row), _rule(row, facts), *_shown(facts)])
        yield ""
        yield f"### {title}"
        yield ""
        yield from table(["op", "dtype", "gradient", "R", "CPU", "OpenCL"], entries)
    yield ""


# the rest --------------------------------------------------------------------------------------


def expressions(family: str) -> list[str]:
    """The calls of a family."""
    lines = op_samples.FAMILIES[family].splitlines()
    return [line.strip() for line in lines if line.strip()]


def facts_of(family: str) -> list[tuple[str, Facts]]:
    """The calls of a family with what was found out about them."""
    return [(text, probe(functools.partial(call, text))) for text in expressions(family)]


def _shown(facts: Facts) -> list[str]:
    return [facts.gradient, facts.rop, facts.cpu, facts.opencl]


def family(title: str) -> Iterator[str]:
    """The part on a family of calls."""
    rows = [
        [f"`{text}`".replace("|", "\\|"), facts.dtype, *_shown(facts)]
        for text, facts in facts_of(title)
    ]
    yield f"## {title}"
    yield ""
    yield from table(["call", "dtype", "gradient", "R", "CPU", "OpenCL"], rows)
    yield ""


def seen() -> set[type]:
    """The op classes that are met in the calls, their gradients, or after rewriting them."""
    return {op for name in op_samples.FAMILIES for _, facts in facts_of(name) for op in facts.ops}


def classes() -> Iterator[str]:
    """The part on op classes: where each is, and how it becomes part of a program."""
    yield "## Op classes"
    yield ""
    yield "The classes in `src/theano/ops/`; `ops/base.py` says what the lowerings are."
    yield ""
    rows = []
    for path, kind in sorted(op_classes().items()):
        module, name = path.split(".")
        rows.append([f"`{name}`", f"`{module}.py`", lowering(kind), _first_line(kind)])
    yield from table(["class", "in", "lowering", "what it is"], rows)


def lowering(kind: type[Op]) -> str:
    """The class's ``lowering``, with its ``why`` where that is Python."""
    given = inspect.getattr_static(kind, "lowering", "python")
    if isinstance(given, property):
        return (inspect.getdoc(given) or "by its inputs").rstrip(".").replace("|", "\\|")
    why = inspect.getattr_static(kind, "why", "")
    text = why if isinstance(why, str) else ""
    return f"python: {text}" if given == "python" else str(given)


def _first_line(kind: type[Op]) -> str:
    text = (inspect.getdoc(kind) or "").split("\n\n")[0]
    return " ".join(text.split()).replace("|", "\\|")


def sections() -> dict[str, str]:
    """The page in parts, by title."""
    parts = {"": HEAD, "Elementwise": "\n".join(elementwise())}
    parts |= {title: "\n".join(family(title)) for title in op_samples.FAMILIES}
    return parts | {"Op classes": "\n".join(classes())}


def page() -> str:
    """The whole page."""
    return "\n".join(sections().values()) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit status is 1 if it was to be compared and differs."""
    text = page()
    if "--check" in arguments:
        fresh = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/ops.md is up to date" if fresh else "docs/ops.md is stale: make ops-page")
        return int(not fresh)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
