"""Kernels of every form on the CPU against kernel/interp.py, with the strides arrays can have."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
from kernel_forms import KERNELS
from native_kernels import (
    TARGETS,
    Case,
    Native,
    axes_of,
    build,
    check,
    context,
    forms,
    module_text,
    values,
)

from theano.kernel import ir
from theano.kernel.text import parse


@functools.cache
def library(target: str) -> Native:
    """The hand-written kernels for one set of features."""
    return build([parse(text) for text in KERNELS], target)


SHAPES = [(3, 5), (1, 1), (0, 4), (4, 0), (7, 300), (50, 33), (600, 3)]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_maps_follow_any_strides(shape: tuple[int, int], target: str) -> None:
    n, m = shape
    x, b, c = values("float32", n, m), values("float32", m), values("float32", n)
    outs = np.zeros(shape, np.float32), np.zeros(shape, np.float64)
    for name, form in forms(x).items():
        other = forms(outs[0])[name]
        for z in (outs[0], other):
            case = Case("rank2", shape, (form, b[::-1], c, z, outs[1]), scalars=(-7,))
            check(library(target), case)
    check(library(target), Case("places", shape, (b, np.zeros(shape, np.int64), outs[0])))


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 255, 256, 257, 1000, 300_000])
def test_vectors_of_any_length(length: int) -> None:
    x = values("float32", length)
    check(library("host"), Case("rank1", (length,), (x, np.zeros_like(x)), scalars=(0.5,)))
    spread = np.repeat(x, 3)[::3]
    check(library("host"), Case("rank1", (length,), (spread, spread), scalars=(0.5,)))


def test_other_ranks() -> None:
    check(library("host"), Case("rank0", (), (np.array(3.0), np.array(0.0)), scalars=(2.0,)))
    x, b = values("float64", 3, 4, 5, 6), values("float64", 4, 6)
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)):
        moved = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        check(library("host"), Case("rank4", x.shape, (moved, b, np.zeros_like(x))))
        check(library("host"), Case("rank4", x.shape, (x, b, np.zeros_like(moved))))
    still = np.broadcast_to(values("float64", 3, 1, 5, 1), x.shape)
    check(library("host"), Case("rank4", x.shape, (still, b, np.zeros_like(x))))


@pytest.mark.parametrize("form", ["c", "fortran", "spread"])
def test_an_output_may_be_the_input(form: str) -> None:
    """Same memory, same strides: what every map may do."""
    native = library("host")
    x = forms(values("float32", 40, 50))[form]
    b, c = values("float32", 50), values("float32", 40)
    wanted, other = x * b + np.exp(c)[:, None] - 2, np.zeros(x.shape)
    words = context(
        native.codes["rank2"], x.shape, (x, b, c, x, other),
        axes_of(native.codes["rank2"].layout.kernel, ((),) * 5), ((),) * 5, (2,),
    )  # fmt: skip
    assert native.run("rank2", words) == 0
    np.testing.assert_allclose(x, wanted, 1e-5, 1e-5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("bad", [None, 20, -21, 2**40, -(2**62)])
def test_gathers_and_scatters_check_their_indices(bad: int | None, target: str) -> None:
    native = library(target)
    x = values("float32", 20, 37)
    n = np.random.default_rng(1).integers(-20, 20, 50)
    m = np.random.default_rng(2).integers(0, 37, 50)
    if bad is not None:
        n[17] = bad
    z = np.zeros((50, 37), np.float32)
    for rows in (x, np.asfortranarray(x), x[::-1]):
        check(native, Case("rowtake", z.shape, (rows, n, z), ((0,), (), ())))
    two = (x, n, (m % 20).astype(np.int32), z)
    check(native, Case("twotakes", z.shape, two, ((0,), (), (), ())))
    check(native, Case("lanetake", (50,), (x[:, 3], n, z[:, 0]), ((0,), (), ())))
    arrays = (x.astype(np.float64), n, m.astype(np.int32), np.zeros(50))
    check(native, Case("lanetake2", (50,), arrays, ((0, 1), (), (), ())))
    many = np.resize(n, (50, 37))
    check(native, Case("lanemove", z.shape, (x, many, z), ((0,), (), ())))
    y = values("float32", 50, 37)
    check(native, Case("addrows", z.shape, (y, n, x), ((), (), (0,)), atol=1e-4))
    points = (y[:, 0].astype(np.float64), n, x[:, 1].astype(np.float64))
    check(native, Case("addpoints", (50,), points, ((), (), (0,))))
    set_at = (np.arange(50, dtype=np.int32), n, m, np.zeros((20, 37), np.int32))
    check(native, Case("setpoints", (50,), set_at, ((), (), (), (0, 1))))
    labels = (values("float32", 50, 37), values("float32", 20), n, np.zeros(50))
    check(native, Case("picked", (50, 37), labels, ((), (0,), (), ()), atol=1e-4))
    for rows in (x, np.asfortranarray(x)):
        check(native, Case("rowpick", (50, 37), (rows, n, np.zeros(50)), ((0,), (), ())))


def test_indices_of_nothing_are_not_looked_at() -> None:
    """No column, so no element is taken: an index out of range does not matter."""
    n, empty = np.full(5, 99), np.zeros((20, 0), np.float32)
    z = np.zeros((5, 0), np.float32)
    native = library("host")
    words = context(
        native.codes["rowtake"], (5, 0), (empty, n, z), [[None, 1], [0, None], [0, 1]],
        ((0,), (), ()), (),
    )  # fmt: skip
    native.run("rowtake", words)
    check(native, Case("rowpick", (0, 4), (np.zeros((3, 4), "f4"), n[:0], np.zeros(0)),
                       ((0,), (), ())))  # fmt: skip


def test_integer_division_by_zero_and_failures_are_reported() -> None:
    native = library("host")
    x, y = np.arange(-50, 50, dtype=np.int32), np.full(100, 7, np.int32)
    for position in (None, 0, 99):
        divisor = y.copy()
        divisor[::2] = -3
        if position is not None:
            divisor[position] = 0
        check(native, Case("divide", (100,), (x, divisor, x * 0, x * 0)))
    least = np.full(5, np.iinfo(np.int32).min, np.int32)
    check(native, Case("divide", (5,), (least, np.full(5, 2, np.int32), x[:5] * 0, x[:5] * 0)))
    a, c = values("float32", 9, 40), np.ones(9, np.float32)
    for spot in ((), (8, 39), (0, 0)):
        bad, row = a.copy(), c.copy()
        if spot:
            bad[spot] = 11
        check(native, Case("failing", (9, 40), (bad, c, a * 0)))
        row[4] = -1 if spot else 1
        check(native, Case("failing", (9, 40), (a, row, a * 0)))
    check(native, Case("failing", (9, 0), (a[:, :0], -c, a[:, :0] * 0)))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (0, 4), (7, 300), (50, 33), (600, 10), (2, 999)])
def test_row_chains(shape: tuple[int, int], target: str) -> None:
    x = values("float32", *shape)
    if shape[0] > 2:
        x[1, :], x[2, -1] = 3, np.nan
    z, n = np.zeros_like(x), np.zeros(shape[0], np.int64)
    for form in forms(x).values():
        check(library(target), Case("softmax", shape, (form, z, n), atol=2e-5))
    check(library(target), Case("softmax", shape, (x, np.asfortranarray(z), n), atol=2e-5))
    if all(shape):
        row = np.ascontiguousarray(x[0], np.float64)
        check(library(target), Case("wholechain", row.shape, (row, row * 0)))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (1, 3, 0, 2), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_several_inner_axes(order: tuple[int, ...]) -> None:
    x = values("float64", 3, 5, 4, 37)
    x[0, 0] = 1.5
    y = np.abs(values("float64", 5, 37)) * 0 + 2
    moved = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
    arrays = (moved, y, np.zeros((3, 5)), np.zeros((3, 5), np.int64))
    check(library("host"), Case("several", x.shape, arrays, atol=1e-9))


def test_maps_are_split_in_any_direction() -> None:
    """Long vectors, many rows, few long rows: all chunked, by outer or by inner positions."""
    for shape in [(1, 900_000), (900_000, 1), (3, 300_000), (2000, 400)]:
        x = values("float32", *shape)
        b, c = values("float32", shape[1]), values("float32", shape[0])
        arrays = (x, b, c, np.zeros_like(x), np.zeros(shape))
        check(library("host"), Case("rank2", shape, arrays, scalars=(1,), atol=1e-4))


# copies -------------------------------------------------------------------------------------------

COPIED = ["bool", "int8", "uint8", "int16", "uint32", "int64", "float16", "float32", "float64"]


def copy_kernel(source: str, target: str) -> ir.Kernel:
    """Convert a vector."""
    held = {"float16": "float32"}
    a, b = held.get(source, source), held.get(target, target)
    cast, value = (f"\n        w = cast v : {b}", "w") if a != b else ("", "v")
    return parse(f"""kernel copy_{source}_{target} (i | ) {{
      in x : {source} [i]
      out z : {target} [i]
      each {{
        v = load x : {a}{cast}
        store z {value}
      }}
    }}""")


@functools.cache
def copies(target: str) -> Native:
    """All conversions."""
    return build([copy_kernel(a, b) for a in COPIED for b in COPIED], target)


@pytest.mark.parametrize("source", COPIED)
def test_copies_between_dtypes(source: str) -> None:
    for target in COPIED:
        x = np.abs(values(source, 300)) if target.startswith("u") else values(source, 300)
        if target == "int8":
            x = np.clip(x, -100, 100) if source != "bool" else x
        z = np.zeros(300, target)
        for a, b in ((x, z), (np.repeat(x, 2)[::2], z), (x, np.repeat(z, 2)[::2]), (x[::-1], z)):
            check(copies("host"), Case(f"copy_{source}_{target}", (300,), (a, b)))


# other machines -----------------------------------------------------------------------------------


def test_code_for_arm_needs_no_mathematical_library() -> None:
    from llvmlite import binding

    try:
        binding.initialize_all_targets()
        binding.initialize_all_asmprinters()
        machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(
            features="+neon", opt=1, reloc="pic"
        )
    except RuntimeError as error:
        pytest.skip(f"this LLVM makes no code for it: {error}")
    kernels = [parse(text) for text in KERNELS]
    _, text = module_text(kernels, "+neon")
    parsed = binding.parse_assembly('target triple = "aarch64-unknown-linux-gnu"\n' + text)
    parsed.verify()
    assembly = machine.emit_assembly(parsed)
    called = set(re.findall(r"\bbl\s+([\w.]+)", assembly))
    own = set(re.findall(r"^([\w.]+):", assembly, re.MULTILINE))
    assert {name for name in called - own if not name.startswith("th_")} <= {"memset", "memcpy"}
