"""Kernels rendered as OpenCL C against the kernel interpreter."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyopencl", reason="the extra theano[opencl] is not installed")

from hypothesis import given, settings
from hypothesis import strategies as st

from theano.backends.opencl import schedule
from theano.backends.opencl.compiler import run_kernel
from theano.backends.opencl.device import Device
from theano.backends.opencl.render import layout, render_kernel
from theano.kernel import interp, ir
from theano.kernel.build import Builder
from theano.kernel.verify import verify


def agree(
    device: Device,
    kernel: ir.Kernel,
    extents: list[int],
    arrays: list[Any],
    axes: Any = None,
    gathers: Any = None,
    scalars: Any = (),
    rtol: float = 1e-5,
) -> list[Any]:
    """Run on the device and in the interpreter; return what the device gave."""
    verify(kernel)
    if axes is None:
        axes = [
            [list(o.axes).index(a) if a in o.axes else None for a in kernel.axes]
            for o in kernel.operands
        ]
    gathers = gathers or [[] for _ in kernel.operands]
    want, got = [a.copy() for a in arrays], [a.copy() for a in arrays]
    interp.run(kernel, extents, want, axes, gathers, scalars)
    assert run_kernel(device, kernel, extents, got, axes, gathers, scalars)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)
    return got


def each(builder: Builder) -> ir.Stage:
    return ir.Stage("each", tuple(builder.statements))


def loop(builder: Builder) -> ir.Stage:
    return ir.Stage("loop", tuple(builder.statements))


def softmax(outer: tuple[str, ...], inner: tuple[str, ...]) -> ir.Kernel:
    axes = outer + inner
    x, y = ir.Operand("x", "float32", axes), ir.Operand("y", "float32", axes, "out")
    k = Builder("a")
    top = k.accumulate("max", k.load(x))
    m = Builder("b")
    total = m.accumulate("add", m.exp(m.load(x) - m.value(top.name, "float32")))
    e = Builder("c")
    scale = e.const(1, "float32") / e.value(total.name, "float32")
    z = Builder("d")
    shifted = z.exp(z.load(x) - z.value(top.name, "float32"))
    z.store(y, shifted * z.value(scale.name, "float32"))
    return ir.Kernel("softmax", outer, inner, (x, y), (), (loop(k), loop(m), each(e), loop(z)))


def reduction(kind: str, dtype: str, outer: tuple[str, ...], inner: tuple[str, ...]) -> ir.Kernel:
    """A reduction whose input is also squared into a second output."""
    x = ir.Operand("x", dtype, outer + inner)
    result = "int64" if kind.startswith("arg") else dtype
    y = ir.Operand("y", result, outer, "out")
    z = ir.Operand("z", dtype, outer + inner, "out")
    k = Builder("a")
    value = k.load(x)
    done = k.accumulate(kind, value)
    if dtype != "bool":
        k.store(z, value * value)
    last = Builder("b")
    last.store(y, last.value(done.name, result))
    operands = (x, y) if dtype == "bool" else (x, y, z)
    return ir.Kernel("reduce", outer, inner, operands, (), (loop(k), each(last)))


def numbers(rng: np.random.Generator, shape: Any, dtype: str) -> Any:
    if dtype == "bool":
        return rng.random(shape) < 0.9
    if dtype.startswith("float"):
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(-9, 9, shape).astype(dtype)


# Shapes that take each of the variants: item, group, columns one by one, two phases.
@pytest.mark.parametrize(
    "shape", [(5, 7), (5, 300), (2000, 40), (3, 40000), (1, 100003), (0, 4), (4, 0), (1, 1)]
)
@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("add", "float64"), ("mul", "int32"), ("max", "float32"), ("min", "uint8"),
     ("and", "bool"), ("or", "int16"), ("argmax", "float32"), ("argmin", "int64")],
)  # fmt: skip
def test_reductions(device: Device, kind: str, dtype: str, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    kernel = reduction(kind, dtype, ("a0",), ("a1",))
    x = numbers(rng, shape, dtype)
    result = "int64" if kind.startswith("arg") else dtype
    arrays = [x, np.zeros(shape[0], result), np.zeros(shape, dtype)][: len(kernel.operands)]
    agree(device, kernel, list(shape), arrays, rtol=1e-9)


def test_each_variant_is_taken() -> None:
    kernel = reduction("add", "float64", ("a0",), ("a1",))
    rows, columns = [(800, 8), (8,), (800, 8)], [(8, 800), (8,), (8, 800)]

    def taken(extents: list[int], strides: Any) -> list[str]:
        return [step.variant for step in schedule.choose(kernel, extents, strides)]

    assert taken([5, 7], rows) == ["item"]
    assert taken([5, 300], rows) == ["group"]
    assert taken([2000, 300], rows) == ["group"]
    assert taken([2000, 300], columns) == ["item"]
    assert taken([3, 40000], rows) == ["block", "merge"]
    assert taken([0, 300], rows) == []


@pytest.mark.parametrize("size", [10, 200, 70000])
@pytest.mark.parametrize("kind", ["argmax", "argmin", "max", "min"])
def test_nan_and_ties(device: Device, kind: str, size: int) -> None:
    kernel = reduction(kind, "float32", (), ("a0",))
    result = "int64" if kind.startswith("arg") else "float32"
    ties = np.zeros(size, "float32")
    ties[size // 2 :] = 1 if kind.endswith("max") else -1
    first_nan = ties.copy()
    first_nan[[size // 3, size - 1]] = np.nan
    for x in (ties, first_nan, np.full(size, np.nan, "float32")):
        agree(device, kernel, [size], [x, np.zeros((), result), np.zeros(size, "float32")])


def test_long_sums_are_the_same_each_time(device: Device) -> None:
    kernel = reduction("add", "float32", (), ("a0",))
    x = np.random.default_rng(2).normal(size=200001).astype("float32")
    sums = set()
    for _ in range(3):
        out = [x, np.zeros((), "float32"), np.zeros_like(x)]
        assert run_kernel(device, kernel, [x.size], out, [[0], [None], [0]], [[], [], []])
        sums.add(out[1].item())
    assert len(sums) == 1


@pytest.mark.parametrize("shape", [(600, 10), (30, 777), (1100, 70)])
def test_softmax_rows(device: Device, shape: tuple[int, int]) -> None:
    x = np.random.default_rng(3).normal(size=shape).astype("float32") * 4
    got = agree(device, softmax(("a0",), ("a1",)), list(shape), [x, np.zeros_like(x)])
    np.testing.assert_allclose(got[1].sum(1), 1, rtol=1e-5)


def test_softmax_over_columns_and_over_two_axes(device: Device) -> None:
    x = np.random.default_rng(4).normal(size=(9, 33, 5)).astype("float32")
    kernel = softmax(("a0",), ("a1", "a2"))
    agree(device, kernel, [9, 33, 5], [x, np.zeros_like(x)])
    columns = [[2, 0, 1]] * 2
    agree(device, kernel, [5, 9, 33], [x, np.zeros_like(x)], columns)


def test_in_place_row_kernel(device: Device) -> None:
    """What an ``each`` stage stores may be the storage of what it loads."""
    x, y = ir.Operand("x", "float32", ("a0",)), ir.Operand("y", "float32", ("a0",), "out")
    v = ir.Operand("v", "float32", ("a0", "a1"))
    k = Builder("a")
    done = k.accumulate("add", k.load(v))
    e = Builder("b")
    doubled = e.load(x) + e.value(done.name, "float32")
    e.store(y, doubled)
    z = Builder("c")
    out = ir.Operand("o", "float32", ("a0", "a1"), "out")
    z.store(out, z.load(v) * z.value(doubled.name, "float32"))
    kernel = ir.Kernel("rows", ("a0",), ("a1",), (x, y, v, out), (), (loop(k), each(e), loop(z)))
    verify(kernel)
    rng = np.random.default_rng(5)
    values = rng.normal(size=(40, 90)).astype("float32")
    start = rng.normal(size=40).astype("float32")
    want = start + values.sum(1)
    # The same ndarray twice is two buffers; one buffer is what a Program would pass.
    from theano.backends.opencl.compiler import Bound, Launcher
    from theano.backends.opencl.device import packed

    launcher = Launcher.alone(device, kernel)
    with device.lock:
        shared, given, made = (device.pool.take(n) for n in (start.nbytes, *[values.nbytes] * 2))
        device.upload(shared, start)
        device.upload(given, values)
        rows = Bound(shared, 0, (4,))
        launcher.run(
            [40, 90], [rows, rows, Bound(given, 0, (360, 4)), Bound(made, 0, (360, 4))], ()
        )
        after = device.download(packed(shared, (40,), "float32"))
        product = device.download(packed(made, (40, 90), "float32"))
    np.testing.assert_allclose(after, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(product, values * want[:, None], rtol=1e-4, atol=1e-4)


def gather(extent_first: bool) -> ir.Kernel:
    rows = ir.Operand("rows", "int32", ("a0",))
    table = ir.Operand("table", "float32", ("a1",), "in", 1)
    out = ir.Operand("out", "float32", ("a0", "a1"), "out")
    k = Builder()
    k.store(out, k.load(table, (k.cast(k.load(rows), "int64"),)))
    return ir.Kernel("gather", ("a0", "a1"), (), (rows, table, out), (), (each(k),))


def test_gather_counts_negative_indices_from_the_end(device: Device) -> None:
    table = np.arange(50 * 4, dtype="float32").reshape(50, 4)
    rows = np.array([3, -1, 0, 49, -50], dtype="int32")
    out = np.zeros((5, 4), "float32")
    axes = [[0, None], [None, 1], [0, 1]]
    got = agree(device, gather(True), [5, 4], [rows, table, out], axes, [[], [0], []])
    np.testing.assert_array_equal(got[2], table[rows])


@pytest.mark.parametrize("bad", [50, -51, 2**31 - 1])
def test_an_index_out_of_range_fails_and_reads_nothing(device: Device, bad: int) -> None:
    table = np.ones((50, 4), "float32")
    rows = np.array([3, bad], dtype="int32")
    arrays = [rows, table, np.full((2, 4), 7, "float32")]
    axes = [[0, None], [None, 1], [0, 1]]
    assert not run_kernel(device, gather(True), [2, 4], arrays, axes, [[], [0], []])
    np.testing.assert_array_equal(arrays[2], [[1] * 4, [0] * 4])


@pytest.mark.parametrize("add", [True, False])
def test_scatter_runs_its_serial_axis_in_order(device: Device, add: bool) -> None:
    rows = ir.Operand("rows", "int64", ("a0",))
    values = ir.Operand("values", "float32", ("a0", "a1"))
    table = ir.Operand("table", "float32", ("a1",), "scatter", 1)
    k = Builder()
    k.store(table, k.load(values), (k.load(rows),), add=add)
    kernel = ir.Kernel(
        "scatter", ("a0", "a1"), (), (rows, values, table), (), (each(k),), serial=("a0",)
    )
    rng = np.random.default_rng(6)
    index = rng.integers(-5, 5, 300)
    data = rng.normal(size=(300, 3)).astype("float32")
    start = rng.normal(size=(5, 3)).astype("float32")
    axes = [[0, None], [0, 1], [None, 1]]
    agree(device, kernel, [300, 3], [index, data, start], axes, [[], [], [0]], rtol=1e-4)


def test_integer_division_by_zero_fails(device: Device) -> None:
    x, y = ir.Operand("x", "int32", ("a0",)), ir.Operand("y", "int32", ("a0",), "out")
    k = Builder()
    k.store(y, k.const(6, "int32") // k.load(x))
    kernel = ir.Kernel("quotient", ("a0",), (), (x, y), (), (each(k),))
    agree(device, kernel, [3], [np.array([1, -4, 3], "int32"), np.zeros(3, "int32")])
    arrays = [np.array([1, 0, 3], "int32"), np.zeros(3, "int32")]
    assert not run_kernel(device, kernel, [3], arrays, [[0], [0]], [[], []])


def test_fail_sets_the_flag_where_its_value_holds(device: Device) -> None:
    x, y = ir.Operand("x", "float32", ("a0",)), ir.Operand("y", "float32", ("a0",), "out")
    k = Builder()
    value = k.load(x)
    k.statements.append(ir.Fail(k.lt(value, 0).name))
    k.store(y, k.sqrt(value))
    kernel = ir.Kernel("guarded", ("a0",), (), (x, y), (), (each(k),))
    agree(device, kernel, [3], [np.array([1, 4, 9], "float32"), np.zeros(3, "float32")])
    arrays = [np.array([1, -4, 9], "float32"), np.zeros(3, "float32")]
    assert not run_kernel(device, kernel, [3], arrays, [[0], [0]], [[], []])
    assert arrays[1][[0, 2]].tolist() == [1, 3]


def test_half_precision_is_a_storage_type(device: Device) -> None:
    x, y = ir.Operand("x", "float16", ("a0",)), ir.Operand("y", "float16", ("a0",), "out")
    k = Builder()
    k.store(y, k.exp(k.load(x)) + 1)
    kernel = ir.Kernel("half", ("a0",), (), (x, y), (), (each(k),))
    values = np.linspace(-4, 4, 65).astype("float16")
    agree(device, kernel, [65], [values, np.zeros(65, "float16")], rtol=1e-3)


def test_a_kernel_with_very_many_operands(device: Device) -> None:
    """Arguments are limited to about 1 KB by some drivers; strides are not among them."""
    axes = ("a0", "a1", "a2", "a3")
    row = [ir.Operand(f"x{i}", "float32", axes) for i in range(80)]
    out = ir.Operand("y", "float32", axes, "out")
    k = Builder()
    total = k.load(row[0])
    for operand in row[1:]:
        total = total + k.load(operand)
    k.store(out, total)
    kernel = ir.Kernel("wide", axes, (), (*row, out), (), (each(k),))
    arrays = [np.full((2, 3, 2, 2), i, "float32") for i in range(80)]
    agree(device, kernel, [2, 3, 2, 2], [*arrays, np.zeros((2, 3, 2, 2), "float32")])


# generated kernels ---------------------------------------------------------------------------

UNARY = ("neg", "abs", "exp", "tanh", "sigmoid", "floor", "sign", "sqrt")
BINARY = ("add", "sub", "mul", "div", "min", "max", "atan2")


def _mix(k: Builder, draw: Any, values: list[Any]) -> Any:
    for _ in range(draw(st.integers(1, 5))):
        pick = st.sampled_from(values)
        if draw(st.booleans()):
            values.append(getattr(k, draw(st.sampled_from(UNARY)))(draw(pick)))
        else:
            values.append(k.apply(draw(st.sampled_from(BINARY)), draw(pick), draw(pick)))
    return values[-1]


@st.composite
def kernels(draw: Any) -> tuple[ir.Kernel, list[int], list[Any], list[Any]]:
    """A map, or a reduction with a map after it, on operands broadcast and transposed at will."""
    dtype = draw(st.sampled_from(["float32", "float64"]))
    extents = draw(st.lists(st.sampled_from([1, 2, 3, 5, 17, 70]), min_size=1, max_size=3))
    split = draw(st.integers(0, len(extents)))
    names = tuple(f"a{i}" for i in range(len(extents)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    operands, arrays, axes = [], [], []

    def operand(mode: str, moving: list[int]) -> ir.Operand:
        order = draw(st.permutations(moving))
        made = ir.Operand(f"{mode}{len(operands)}", dtype, tuple(names[i] for i in moving), mode)
        operands.append(made)
        axes.append([order.index(i) if i in moving else None for i in range(len(names))])
        shape = [extents[i] for i in order]
        arrays.append(
            rng.normal(size=shape).astype(dtype) if mode == "in" else np.zeros(shape, dtype)
        )
        return made

    def inputs(count: int, upto: int) -> list[ir.Operand]:
        return [
            operand("in", [i for i in range(upto) if draw(st.booleans())]) for _ in range(count)
        ]

    k = Builder("a")
    read = inputs(draw(st.integers(1, 3)), len(names))
    value = _mix(k, draw, [k.load(o) for o in read])
    if split == len(names):
        k.store(operand("out", list(range(len(names)))), value)
        stages = (each(k),)
    else:
        done = k.accumulate(draw(st.sampled_from(["add", "max", "min"])), value)
        e = Builder("b")
        scaled = e.tanh(e.value(done.name, dtype))
        if draw(st.booleans()):
            e.store(operand("out", list(range(split))), scaled)
        m = Builder("c")
        m.store(
            operand("out", list(range(len(names)))),
            m.value(scaled.name, dtype) + m.load(read[0]),
        )
        stages = (loop(k), each(e), loop(m))
    kernel = ir.Kernel("made", names[:split], names[split:], tuple(operands), (), stages)
    return kernel, extents, arrays, axes


@given(made=kernels())
@settings(max_examples=20, derandomize=True)
def test_generated_kernels(device: Device, made: Any) -> None:
    kernel, extents, arrays, axes = made
    assert prod(extents) >= 1
    agree(device, kernel, extents, arrays, axes, rtol=1e-4)


def test_one_text_serves_every_shape() -> None:
    kernel = softmax(("a0",), ("a1",))
    words = layout(kernel)
    assert words.size == 2 + 2 * 3
    assert sorted({*words.extents.values(), *(s.offset for s in words.operands.values())}) == [
        0,
        1,
        2,
        5,
    ]
    code = render_kernel(kernel, "k")
    assert [f"k_{v}(" in code.source for v in schedule.variants(kernel)] == [True, True]
    assert not code.fails
    assert not code.doubles
