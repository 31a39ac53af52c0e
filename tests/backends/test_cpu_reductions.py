"""Every reduction on the CPU against kernel/interp.py, and kernels that Hypothesis makes up."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_kernels import (
    TARGETS,
    Case,
    Native,
    build,
    check,
    values,
)

from theano.backends.cpu import columns
from theano.kernel import ir
from theano.kernel.build import Builder
from theano.kernel.text import parse
from theano.runtime import threads

# reductions ---------------------------------------------------------------------------------------

KIND_DTYPES = [
    ("add", "float32", "float64"), ("add", "float64", "float64"), ("add", "int8", "int64"),
    ("add", "uint16", "uint64"), ("add", "float16", "float32"),
    ("mul", "float64", "float64"), ("mul", "int32", "int64"),
    ("max", "float32", "float32"), ("max", "float64", "float64"), ("max", "uint8", "uint8"),
    ("min", "float32", "float32"), ("min", "int64", "int64"), ("min", "bool", "bool"),
    ("and", "bool", "bool"), ("or", "bool", "bool"), ("or", "uint32", "uint32"),
    ("and", "int16", "int16"),
    ("argmax", "float32", "float32"), ("argmax", "float64", "float64"),
    ("argmax", "int32", "int32"), ("argmin", "float32", "float32"), ("argmin", "uint8", "uint8"),
    ("argmax", "bool", "bool"), ("argmin", "int64", "int64"),
]  # fmt: skip
LAYOUTS = {"rows": ("i", "j"), "columns": ("j", "i"), "whole": ("", "i j")}


def reduction(kind: str, dtype: str, acc: str, layout: str) -> ir.Kernel:
    """Reduce a matrix [i j] along j, along i or whole."""
    outer, inner = LAYOUTS[layout]
    result = "int64" if kind.startswith("arg") else acc
    loaded = "float32" if dtype == "float16" else dtype
    cast, value = (f"\n        v2 = cast v1 : {acc}", "v2") if acc != loaded else ("", "v1")
    return parse(f"""kernel {kind}_{dtype}_{layout} ({outer} | {inner}) {{
      in x : {dtype} [i j]
      out z : {result} [{outer}]
      loop {{
        v1 = load x : {loaded}{cast}
        v3 = accumulate {kind} {value} : {result}
      }}
      each {{
        store z v3
      }}
    }}""")


@functools.cache
def reductions(layout: str) -> Native:
    """All reductions of one layout."""
    return build([reduction(k, d, a, layout) for k, d, a in KIND_DTYPES])


def reduction_input(kind: str, dtype: str, shape: tuple[int, int]) -> np.ndarray:
    """Ties, NaN and infinities where they matter; factors near one for products."""
    x = values(dtype, *shape)
    if kind == "mul":
        return (1 + x / 300).astype(dtype) if dtype.startswith("float") else x % 3 - 1
    if kind in ("and", "or"):
        x = x | (values(dtype, *shape, seed=5) if kind == "and" else x)
    if dtype.startswith("float") and kind not in ("add",) and shape[0] > 2 and shape[1] > 4:
        x[0, :] = np.inf if "min" in kind else -np.inf
        x[1, shape[1] // 2 :] = np.nan
        x[2, :] = 1
    return x


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kind", "dtype", "acc"), KIND_DTYPES)
def test_reductions(kind: str, dtype: str, acc: str, layout: str) -> None:
    native = reductions(layout)
    result = np.dtype("int64" if kind.startswith("arg") else acc)
    for shape in [(3, 5), (1, 1), (7, 300), (50, 33), (70, 7), (2, 1500), (9, 600)]:
        x = reduction_input(kind, dtype, shape)
        outer = {"rows": shape[0], "columns": shape[1]}.get(layout)
        z = np.zeros(() if outer is None else outer, result)
        extents = shape if layout != "columns" else shape[::-1]
        axes = {"rows": [[0, 1], [0, None]], "columns": [[1, 0], [0, None]]}.get(
            layout, [[0, 1], [None, None]]
        )
        for form in (x, np.asfortranarray(x), x[::-1], np.repeat(x, 2, axis=1)[:, ::2]):
            case = Case(
                f"{kind}_{dtype}_{layout}", extents, (form, z), axes=axes, rtol=1e-4, atol=1e-4
            )
            check(native, case)


@pytest.mark.parametrize("kind", ["add", "argmax", "max"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_results_do_not_depend_on_the_number_of_threads(layout: str, kind: str) -> None:
    native, pool = reductions(layout), threads.pool()
    before = pool.threads
    x = values("float32", 1500, 1201)
    acc = next(a for k, d, a in KIND_DTYPES if (k, d) == (kind, "float32"))
    name = f"{kind}_float32_{layout}"
    shape = {"rows": 1500, "columns": 1201}.get(layout, ())
    z = np.zeros(shape, np.int64 if "arg" in kind else acc)
    axes = {"rows": [[0, 1], [0, None]], "columns": [[1, 0], [0, None]]}.get(
        layout, [[0, 1], [None, None]]
    )
    extents = x.shape if layout != "columns" else x.shape[::-1]
    found = []
    try:
        for count in (1, 2):
            pool.set_threads(count)
            case = Case(name, extents, (x, z), axes=axes, rtol=1e-6)
            found.append(check(native, case)[0])
    finally:
        pool.set_threads(before)
    assert found[0].tobytes() == found[1].tobytes()


@functools.cache
def small_ranges(tile: int) -> Native:
    """Reductions of columns that are split into ranges of rows, and into tiles, early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "PART", 64)
        patch.setattr(columns, "PART_ROWS", 8)
        patch.setattr(columns, "TILE_BYTES", tile)
        return build([reduction(k, d, a, "columns") for k, d, a in KIND_DTYPES])


@pytest.mark.parametrize("tile", [1 << 10, 1 << 16])
@pytest.mark.parametrize(("kind", "dtype", "acc"), KIND_DTYPES)
def test_ranges_of_rows(kind: str, dtype: str, acc: str, tile: int) -> None:
    native, pool = small_ranges(tile), threads.pool()
    before = pool.threads
    result = np.dtype("int64" if kind.startswith("arg") else acc)
    try:
        for shape in [(17, 5), (64, 33), (131, 300), (1000, 7), (23, 1031)]:
            x = reduction_input(kind, dtype, shape)
            for form in (x, x[::-1], np.repeat(x, 2, axis=1)[:, : shape[1]]):
                found = []
                for count in (1, 3):
                    pool.set_threads(count)
                    case = Case(
                        f"{kind}_{dtype}_columns", shape[::-1], (form, np.zeros(shape[1], result)),
                        axes=[[1, 0], [0, None]], rtol=1e-4, atol=1e-4,
                    )  # fmt: skip
                    found.append(check(native, case)[0])
                assert found[0].tobytes() == found[1].tobytes()
    finally:
        pool.set_threads(before)


# generated kernels --------------------------------------------------------------------------------

UNARY = ["neg", "abs", "sign", "exp", "softplus", "tanh", "sigmoid", "sqrt", "floor", "rint", "sin"]
BINARY = ["add", "sub", "mul", "min", "max", "copysign"]
FLOATS = ["float32", "float64"]


@st.composite
def generated(draw: Any) -> tuple[ir.Kernel, tuple[int, ...], list[np.ndarray], list[Any]]:
    """A map or a reduction of one to three axes over operands with any strides."""
    rank = draw(st.integers(1, 3))
    inner_count = draw(st.integers(0, rank))
    axes = tuple(f"a{i}" for i in range(rank))
    outer, inner = axes[: rank - inner_count], axes[rank - inner_count :]
    extents = tuple(draw(st.sampled_from([1, 2, 3, 7, 16, 33, 70])) for _ in axes)
    dtype = draw(st.sampled_from(FLOATS))
    builder = Builder("v")
    operands, arrays, moves = [], [], []
    for number in range(draw(st.integers(1, 3))):
        along = tuple(a for a in axes if draw(st.booleans()))
        array, move = draw(arrays_along(dtype, along, axes, extents, number))
        operands.append(ir.Operand(f"x{number}", dtype, along))
        arrays.append(array)
        moves.append(move)
    pool = [builder.load(o) for o in operands]
    if draw(st.booleans()):
        pool.append(builder.cast(builder.index(draw(st.sampled_from(axes))), dtype))
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            value = builder.apply(draw(st.sampled_from(UNARY)), draw(st.sampled_from(pool)))
        else:
            pair = draw(st.sampled_from(pool)), draw(st.sampled_from(pool))
            value = builder.apply(draw(st.sampled_from(BINARY)), *pair)
        pool.append(value)
    out, move = draw(arrays_along(dtype, outer, axes, extents, 9))
    target = ir.Operand("z", dtype, outer, "out")
    if inner:
        kind = draw(st.sampled_from(["add", "max", "min"]))
        result = builder.accumulate(kind, pool[-1])
        stages = [ir.Stage("loop", tuple(builder.statements))]
        stages.append(ir.Stage("each", (ir.Store("z", result.name),)))
    else:
        builder.store(target, pool[-1])
        stages = [ir.Stage("each", tuple(builder.statements))]
    kernel = ir.Kernel("made", outer, inner, (*operands, target), (), tuple(stages))
    return kernel, extents, [*arrays, out], [*moves, move]


@st.composite
def arrays_along(
    draw: Any, dtype: str, along: tuple[str, ...], axes: tuple[str, ...],
    extents: tuple[int, ...], seed: int,
) -> tuple[np.ndarray, list[int | None]]:  # fmt: skip
    """An array that moves along some axes: permuted in memory, stepped, reversed."""
    shape = [extents[axes.index(a)] for a in along]
    order = draw(st.permutations(range(len(along))))
    step = draw(st.sampled_from([1, 1, 2, -1]))
    stored = values(dtype, *(shape[d] * abs(step) for d in order), seed=seed)
    steps = (slice(None, None, step) for _ in order)
    view = stored[(..., *steps)].transpose(np.argsort(order).tolist())
    move = [along.index(a) if a in along else None for a in axes]
    return view, move


@settings(max_examples=60)
@given(generated(), st.sampled_from(TARGETS))
def test_generated_kernels(
    made: tuple[ir.Kernel, tuple[int, ...], list[np.ndarray], list[Any]], target: str
) -> None:
    kernel, extents, arrays, moves = made
    rtol = 2e-4 if arrays[0].dtype == np.float32 else 1e-9
    case = Case("made", extents, tuple(arrays), axes=moves, rtol=rtol, atol=rtol * 100)
    check(build([kernel], target), case)
