"""One kernel per rule that it breaks."""

from __future__ import annotations

import pytest

from theano.core.errors import MissingSpelling
from theano.kernel.text import parse
from theano.kernel.verify import InvalidKernel, verify

HEAD = """kernel k (a0 | a1) {
  in x : float32 [a0 a1]
  in h : float16 [a0]
  in t : float32 [a0] gather 1
  in i : int64 [a0]
  in b : bool [a0]
  out y : float32 [a0]
  out z : float16 [a0]
  scalar s : float32
"""


def kernel(*stages: str) -> str:
    parts = []
    for stage in stages:
        kind, *lines = [part.strip() for part in stage.split(";")]
        parts.append("\n".join([f"  {kind} {{", *(f"    {line}" for line in lines), "  }"]))
    return HEAD + "\n".join(parts) + "\n}\n"


GOOD = [
    kernel("each; v1 = load h : float32; store y v1"),
    kernel("each; v1 = load h : float32; store z v1; v2 = load z : float32; store y v2"),
    kernel("each; v1 = load i : int64; v2 = load t [v1] : float32; store y v2"),
    kernel("loop; v1 = load x : float32; v2 = accumulate add v1 : float32", "each; store y v2"),
    kernel("loop; v1 = load x : float32; v2 = accumulate argmax v1 : int64",
           "each; v3 = cast v2 : float32; store y v3"),
    kernel("each; v1 = load b : bool; v2 = select v1 s s : float32; store y v2"),
    kernel("each; v1 = mul s s : float32", "loop; v2 = load x : float32; v3 = mul v1 v2 : float32"),
    kernel("each; v1 = const 1 : int64; v2 = lt s s : bool; v3 = index a0"),
]  # fmt: skip
BAD = {
    "not defined": kernel("each; store y v1"),
    "not defined: a loop's value is gone after it": kernel(
        "loop; v1 = load x : float32", "each; store y v1"
    ),
    "not defined: an accumulated value in its own loop": kernel(
        "loop; v1 = load x : float32; v2 = accumulate add v1 : float32; v3 = neg v2 : float32"
    ),
    "assigned twice": kernel("each; v1 = load h : float32; v1 = load h : float32"),
    "assigned twice: an accumulator": kernel(
        "loop; v1 = load x : float32; v2 = accumulate add v1 : float32; "
        "v2 = accumulate add v1 : float32"
    ),
    "unknown operand": kernel("each; v1 = load q : float32"),
    "wrong number of indices": kernel("each; v1 = load t : float32"),
    "an index is int64": kernel("each; v1 = load t [s] : float32"),
    "moves along an inner axis": kernel("each; v1 = load x : float32"),
    "loaded before stored": kernel("each; v1 = load y : float32"),
    "dtype should be float32: a load": kernel("each; v1 = load h : float16"),
    "stores to an input": kernel("each; store h s"),
    "value should be float32": kernel("each; v1 = load i : int64; store y v1"),
    "accumulates outside a loop": kernel("each; v1 = accumulate add s : float32"),
    "unknown kind": kernel("loop; v1 = accumulate mean s : float32"),
    "dtype should be int64": kernel("loop; v1 = accumulate argmin s : float32"),
    "takes 2 operands": kernel("each; v1 = add s : float32"),
    "select needs a bool first": kernel("each; v1 = select s s s : float32"),
    "operands of different dtypes": kernel(
        "each; v1 = load i : int64; v2 = add v1 s : float32"
    ),
    "not for float32": kernel("each; v1 = xor s s : float32"),
    "dtype should be bool": kernel("each; v1 = lt s s : float32"),
    "no such axis here": kernel("each; v1 = index a1"),
    "no such axis here: unknown": kernel("loop; v1 = index a7"),
    "an axis is named twice": "kernel k (a0 | a0) {\n}",
    "an operand is named twice": "kernel k (a0 | ) {\n  in x : int8 [a0]\n  scalar x : int8\n}",
    "unknown axis": "kernel k (a0 | ) {\n  in x : int8 [a1]\n}",
    "serial axes are outer": "kernel k (a0 | a1) serial a1 {\n}",
}  # fmt: skip


@pytest.mark.parametrize("source", GOOD)
def test_good_kernels_pass(source):
    assert verify(parse(source)).name == "k"


@pytest.mark.parametrize("problem", BAD)
def test_bad_kernels_are_refused(problem):
    with pytest.raises(InvalidKernel, match=problem.split(":")[0]):
        verify(parse(BAD[problem]))


def test_an_unknown_primitive_names_the_file_to_edit():
    with pytest.raises(MissingSpelling, match=r"kernel/prims\.py"):
        verify(parse(kernel("each; v1 = frobnicate s : float32")))
