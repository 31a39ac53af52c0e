"""docs/ops.md says what the code does, of every op; and each Python step says why it is one."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import pytest

from theano.graph import traverse
from theano.ops.base import TensorOp

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
writer: Any = importlib.import_module("write_ops_page")
probes: Any = importlib.import_module("op_probe")

CALLS = [
    (title, text) for title in writer.op_samples.FAMILIES for text in writer.expressions(title)
]


@functools.cache
def page() -> str:
    return writer.PAGE.read_text(encoding="utf-8")


def part(title: str) -> str:
    """The part of the page on disk below a heading, without the heading."""
    after = page().partition(f"\n## {title}\n")[2]
    return after.partition("\n## ")[0].strip()


def fresh(lines: Any) -> str:
    return "\n".join(list(lines)[1:]).strip()


HINT = "docs/ops.md is stale: make ops-page"


@pytest.mark.parametrize("title", writer.op_samples.FAMILIES)
def test_a_family_is_up_to_date(title: str) -> None:
    assert part(title) == fresh(writer.family(title)), HINT


def test_the_elementwise_ops_are_up_to_date() -> None:
    assert part("Elementwise") == fresh(writer.elementwise()), HINT


def test_the_classes_are_up_to_date() -> None:
    assert part("Op classes") == fresh(writer.classes()), HINT
    assert page().startswith(writer.HEAD), HINT


def test_the_page_names_every_op_class() -> None:
    classes = writer.op_classes()
    assert len(classes) > 150
    assert [path for path in classes if f"| `{path.split('.')[1]}` |" not in page()] == []


def nodes(text: str) -> list[Any]:
    """The nodes of a call as they are lowered."""
    outputs = probes.call(text, "float64")
    results = probes.pipeline.optimize(probes.roots(outputs), outputs)
    return [*traverse.toposort(outputs), *traverse.toposort(results)]


@pytest.mark.parametrize(("title", "text"), CALLS, ids=[text for _, text in CALLS])
def test_a_python_step_says_why(title: str, text: str, recwarn: pytest.WarningsRecorder) -> None:
    ops = [node.op for node in nodes(text) if isinstance(node.op, TensorOp)]
    assert [op for op in ops if op.lowering == "python" and len(op.why.split()) < 2] == []


@pytest.mark.parametrize("path", writer.op_classes())
def test_a_class_that_runs_in_python_says_why(path: str) -> None:
    kind = writer.op_classes()[path]
    why = inspect.getattr_static(kind, "why", "")
    if inspect.getattr_static(kind, "lowering", "") == "python":
        assert isinstance(why, property) or len(why.split()) >= 2


def test_what_the_page_says_of_backends_is_what_explain_says() -> None:
    theano = importlib.import_module("theano")
    T = theano.tensor
    A = T.dmatrix("A")
    for title, text, native in (
        ("Linear algebra", "T.linalg.cholesky(A)", True),
        ("Linear algebra", "T.linalg.eig(A)", False),
        ("Cumulative, counting, sorting", "T.sort(A)", True),
    ):
        out = eval(text, {"T": T, "A": A})
        told = str(theano.explain(theano.function([A], out)))
        assert ("Python steps: none" in told) == native
        (row,) = (line for line in part(title).splitlines() if line.startswith(f"| `{text}` |"))
        assert (row.split(" | ")[4] == "native") == native
