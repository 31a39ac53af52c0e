"""Kernels as text and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theano.kernel import ir, prims
from theano.kernel.text import parse, parse_statement, statement, text
from theano.kernel.verify import verify

SOFTMAX = """kernel softmax (a0 | a1) {
  in x : float32 [a0 a1]
  out y : float32 [a0 a1]
  scalar s0 : float32
  loop {
    v1 = load x : float32
    v2 = accumulate max v1 : float32
  }
  loop {
    v3 = load x : float32
    v4 = sub v3 v2 : float32
    v5 = exp v4 : float32
    v6 = accumulate add v5 : float32
  }
  each {
    v7 = div s0 v6 : float32
  }
  loop {
    v8 = load x : float32
    v9 = sub v8 v2 : float32
    v10 = exp v9 : float32
    v11 = mul v10 v7 : float32
    store y v11
  }
}
"""

names = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
dtypes = st.sampled_from(["bool", "int8", "int64", "uint16", "float32", "float64"])
indices = st.lists(names, max_size=2).map(tuple)


def constant(dtype: str) -> st.SearchStrategy[object]:
    if dtype == "bool":
        return st.booleans()
    return st.floats() if dtype.startswith("float") else st.integers(-(2**63), 2**63)


statements = st.one_of(
    dtypes.flatmap(lambda d: st.builds(ir.Const, names, st.just(d), constant(d))),
    st.builds(ir.Index, names, names),
    st.builds(ir.Load, names, dtypes, names, indices),
    st.builds(ir.Apply, names, dtypes, st.sampled_from(sorted(prims.PRIMS)),
              st.lists(names, min_size=1, max_size=3).map(tuple)),
    st.builds(ir.Accumulate, names, dtypes, st.sampled_from(ir.KINDS), names),
    st.builds(ir.Store, names, names, indices, st.booleans()),
)  # fmt: skip


def test_a_kernel_reads_back_as_it_was_written():
    kernel = verify(parse(SOFTMAX))
    assert text(kernel) == SOFTMAX
    assert parse(text(kernel)) == kernel
    assert kernel.axes == ("a0", "a1")
    assert kernel.operand("y").mode == "out"


@given(statements)
def test_every_statement_reads_back(s):
    found = parse_statement(statement(s))
    if isinstance(s, ir.Const) and isinstance(s.value, float) and math.isnan(s.value):
        assert math.isnan(found.value)
    else:
        assert found == s


@given(
    st.lists(statements, max_size=4), st.lists(names, max_size=3, unique=True), names,
    st.sampled_from(["in", "out", "scatter"]), st.integers(0, 2), st.booleans(),
)  # fmt: skip
def test_every_kernel_reads_back(body, axes, name, mode, gather, serial):
    body = [s for s in body if not isinstance(s, ir.Const)]
    operand = ir.Operand(name, "float32", tuple(axes), mode, gather)
    kernel = ir.Kernel(
        "k", tuple(axes[:1]), tuple(axes[1:]), (operand,), (ir.Param("s0", "int64"),),
        (ir.Stage("each", tuple(body)), ir.Stage("loop", ())), tuple(axes[:1] if serial else ()),
    )  # fmt: skip
    assert parse(text(kernel)) == kernel


@pytest.mark.parametrize("source", [
    "kernal k ( | ) {\n}", "kernel k ( | ) {\n  banana\n}",
    "kernel k ( | ) {\n  each {\n    x <- 3\n  }\n}",
])  # fmt: skip
def test_what_is_no_kernel_is_quoted(source):
    with pytest.raises(ValueError, match=r"kernal|banana|x <- 3"):
        parse(source)
