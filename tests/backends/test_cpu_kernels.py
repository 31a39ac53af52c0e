"""Kernels of every form on the CPU against kernel/interp.py, with the strides that arrays can have.

Kernels are compiled many to a module and shared between cases.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theano.backends.cpu import compiler, entry
from theano.backends.cpu.build import imported
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.render import KernelCode, render_kernel
from theano.kernel import interp, ir
from theano.kernel.build import Builder
from theano.kernel.text import parse
from theano.kernel.verify import verify
from theano.runtime import threads

HOST = compiler.host_features()
BASELINE = ""
AVX2 = "+avx2,+avx,+sse4.2,+sse4.1,+ssse3,+sse3,+fma,+f16c"
X86 = HOST.architecture == "x86_64"
TARGETS = ["host", *(["baseline", "avx2"] if X86 and HOST.has("avx2") else [])]


@dataclass(frozen=True)
class Native:
    """Linked kernels, by name."""

    codes: dict[str, KernelCode]
    module: compiler.NativeModule

    def run(self, name: str, words: np.ndarray) -> int:
        """Run a kernel; its status."""
        symbol = f"{self.codes[name].symbol}_run"
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.module[symbol])(words.ctypes.data)
        return int(words[self.codes[name].layout.status])


def features_of(target: str) -> str:
    """What the renderer is told about the processor (the code generator may use more)."""
    return {"host": HOST.features, "baseline": BASELINE, "avx2": AVX2}[target]


def module_text(kernels: Sequence[ir.Kernel], features: str) -> tuple[dict[str, KernelCode], str]:
    """The codes of some kernels, and the text of a module with all of them."""
    module = Emitter(1)
    codes = {
        kernel.name: render_kernel(verify(kernel), f"t_{kernel.name}", features, module)
        for kernel in kernels
    }
    return codes, "\n".join([module.module_text(), *(code.text for code in codes.values())])


def build(kernels: Sequence[ir.Kernel], target: str = "host") -> Native:
    """Compile and link kernels for the processor or for a part of it."""
    codes, text = module_text(kernels, features_of(target))
    exports = [f"{code.symbol}_run" for code in codes.values()]
    imports = entry.addresses(imported(text))
    return Native(codes, compiler.compile_module(text, exports, imports, verify=True))


def context(
    code: KernelCode, extents: Sequence[int], arrays: Sequence[np.ndarray], axes: Any,
    gathers: Any, scalars: Sequence[Any],
) -> np.ndarray:  # fmt: skip
    """The words that the host function would fill in."""
    at, kernel = code.layout, code.layout.kernel
    words = np.zeros(at.words, dtype=np.int64)
    for axis, extent in zip(kernel.axes, extents, strict=True):
        words[at.extent(axis)] = extent
    for o, array, moves, gather in zip(kernel.operands, arrays, axes, gathers, strict=True):
        words[at.base(o.name)] = array.ctypes.data
        for axis, d in zip(kernel.axes, moves, strict=True):
            words[at.stride(o.name, axis)] = 0 if d is None else array.strides[d]
        for j, d in enumerate(gather):
            words[at.gather_extent(o.name, j)] = array.shape[d]
            words[at.gather_stride(o.name, j)] = array.strides[d]
    for param, value in zip(kernel.scalars, scalars, strict=True):
        bits = np.zeros(8, np.uint8)
        raw = np.asarray(value, dtype=param.dtype)
        bits[: raw.itemsize] = np.frombuffer(raw.tobytes(), np.uint8)
        words[at.scalar(param.name)] = bits.view(np.int64)[0]
    return words


def twin(array: np.ndarray) -> np.ndarray:
    """A copy with the same strides and alignment, in memory of its own with guards around it."""
    span = [(n - 1) * s for n, s in zip(array.shape, array.strides, strict=True)]
    low = -sum(min(s, 0) for s in span) if array.size else 0
    high = sum(max(s, 0) for s in span) + array.itemsize if array.size else array.itemsize
    room = np.full(low + high + 256, 0xA5, np.uint8)
    start = (-(room.ctypes.data + low)) % 64 + array.ctypes.data % 8
    made = np.ndarray(array.shape, array.dtype, room, low + start, array.strides)
    made[...] = array
    return made


@dataclass(frozen=True)
class Case:
    """A launch: extents, arrays as dtype or ndarray per operand, which dimensions follow axes."""

    name: str
    extents: tuple[int, ...]
    arrays: tuple[np.ndarray, ...]
    gathers: tuple[tuple[int, ...], ...] = ()
    scalars: tuple[Any, ...] = ()
    rtol: float = 1e-5
    atol: float = 1e-6
    axes: Any = field(default=None)


def axes_of(kernel: ir.Kernel, gathers: Sequence[Sequence[int]]) -> list[list[int | None]]:
    """Dimensions of arrays that are laid out as (gathered dimensions…, axes in order…)."""
    found = []
    for o, gather in zip(kernel.operands, gathers, strict=True):
        free = iter([d for d in range(len(o.axes) + o.gather) if d not in gather])
        found.append([next(free) if a in o.axes else None for a in kernel.axes])
    return found


def check(native: Native, case: Case) -> list[np.ndarray]:
    """Run a case natively and by the interpreter; both must agree. Returns the native outputs."""
    code = native.codes[case.name]
    kernel = code.layout.kernel
    gathers = case.gathers or ((),) * len(kernel.operands)
    axes = case.axes or axes_of(kernel, gathers)
    ours = [twin(a) if o.mode != "in" else a for o, a in zip(kernel.operands, case.arrays)]
    wanted = [twin(a) if o.mode != "in" else a for o, a in zip(kernel.operands, case.arrays)]
    words = context(code, case.extents, ours, axes, gathers, case.scalars)
    status = native.run(case.name, words)
    try:
        with np.errstate(all="ignore"):
            interp.run(kernel, case.extents, wanted, axes, gathers, case.scalars)
    except interp.KernelError:
        assert status, "the interpreter fails, native code does not"
        return []
    assert not status
    outputs = []
    for o, a, b in zip(kernel.operands, ours, wanted, strict=True):
        if o.mode != "in":
            np.testing.assert_allclose(a, b, case.rtol, case.atol, err_msg=f"{case.name} {o.name}")
            room_a, room_b = a.base, b.base
            assert (room_a[-64:] == 0xA5).all(), "written beyond the end"
            assert room_b is not None
            outputs.append(a)
    return outputs


@functools.cache
def library(target: str) -> Native:
    """The hand-written kernels for one set of features."""
    return build([parse(text) for text in KERNELS], target)


def values(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Numbers of a dtype; floats in [-3, 3]."""
    rng = np.random.default_rng(seed + sum(shape))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("float"):
        return np.asarray(rng.random(shape) * 6 - 3, dtype)
    low = 0 if dtype.startswith("u") else -100
    return rng.integers(low, 100, shape).astype(dtype)


KERNELS = [
    """kernel rank0 ( | ) {
      in x : float64 []
      scalar s : float64
      out z : float64 []
      each {
        a = load x : float64
        b = mul a s : float64
        store z b
      }
    }""",
    """kernel rank1 (i | ) {
      in x : float32 [i]
      scalar s : float32
      out z : float32 [i]
      each {
        a = load x : float32
        c = exp s : float32
        b = mul a c : float32
        store z b
      }
    }""",
    """kernel rank2 (i j | ) {
      in x : float32 [i j]
      in b : float32 [j]
      in c : float32 [i]
      scalar n : int32
      out z : float32 [i j]
      out y : float64 [i j]
      each {
        v1 = load x : float32
        v2 = load b : float32
        v3 = load c : float32
        v4 = exp v3 : float32
        v5 = mul v1 v2 : float32
        v6 = add v5 v4 : float32
        m = cast n : float32
        v7 = sub v6 m : float32
        v8 = cast v7 : float64
        store z v7
        store y v8
      }
    }""",
    """kernel rank4 (i j k l | ) {
      in x : float64 [i j k l]
      in b : float64 [j l]
      out z : float64 [i j k l]
      each {
        v1 = load x : float64
        v2 = load b : float64
        v3 = max v1 v2 : float64
        store z v3
      }
    }""",
    """kernel places (i j | ) {
      in x : float32 [j]
      out z : int64 [i j]
      out y : float32 [i j]
      each {
        p = index i
        q = index j
        c = const 100 : int64
        r = mul p c : int64
        s = add r q : int64
        store z s
        a = load x : float32
        t = cast s : float32
        b = mul a t : float32
        store y b
      }
    }""",
    """kernel rowtake (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      out z : float32 [i j]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel twotakes (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      in m : int32 [i]
      out z : float32 [i j]
      each {
        a = load n : int64
        c = load m : int32
        d = cast c : int64
        b = load x [a] : float32
        e = load x [d] : float32
        f = sub b e : float32
        store z f
      }
    }""",
    """kernel lanetake (i | ) {
      in x : float32 [] gather 1
      in n : int64 [i]
      out z : float32 [i]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel lanetake2 (i | ) {
      in x : float64 [] gather 2
      in n : int64 [i]
      in m : int32 [i]
      out z : float64 [i]
      each {
        a = load n : int64
        b = load m : int32
        c = cast b : int64
        d = load x [a c] : float64
        store z d
      }
    }""",
    """kernel lanemove (i j | ) {
      in x : float32 [j] gather 1
      in n : int64 [i j]
      out z : float32 [i j]
      each {
        a = load n : int64
        b = load x [a] : float32
        store z b
      }
    }""",
    """kernel addrows (i j | ) serial i {
      in y : float32 [i j]
      in n : int64 [i]
      scatter z : float32 [j] gather 1
      each {
        a = load n : int64
        b = load y : float32
        add z [a] b
      }
    }""",
    """kernel addpoints (i | ) serial i {
      in y : float64 [i]
      in n : int64 [i]
      scatter z : float64 [] gather 1
      each {
        a = load n : int64
        b = load y : float64
        add z [a] b
      }
    }""",
    """kernel setpoints (i | ) serial i {
      in y : int32 [i]
      in n : int64 [i]
      in m : int64 [i]
      scatter z : int32 [] gather 2
      each {
        a = load n : int64
        c = load m : int64
        b = load y : int32
        store z [a c] b
      }
    }""",
    """kernel divide (i | ) {
      in x : int32 [i]
      in y : int32 [i]
      out q : int32 [i]
      out r : int32 [i]
      each {
        a = load x : int32
        b = load y : int32
        c = idiv a b : int32
        d = mod a b : int32
        store q c
        store r d
      }
    }""",
    """kernel failing (i j | ) {
      in x : float32 [i j]
      in c : float32 [i]
      out z : float32 [i j]
      each {
        a = load x : float32
        b = load c : float32
        zero = const 0.0 : float32
        d = lt b zero : bool
        fail d
        ten = const 10.0 : float32
        e = gt a ten : bool
        fail e
        store z a
      }
    }""",
    """kernel softmax (i | j) {
      in x : float32 [i j]
      out z : float32 [i j]
      out n : int64 [i]
      loop {
        a = load x : float32
        top = accumulate max a : float32
        where = accumulate argmax a : int64
      }
      each {
        store n where
      }
      loop {
        b = load x : float32
        c = sub b top : float32
        d = exp c : float32
        store z d
        e = cast d : float64
        sum = accumulate add e : float64
      }
      each {
        f = cast sum : float32
      }
      loop {
        g = load z : float32
        h = div g f : float32
        store z h
      }
    }""",
    """kernel picked (i | j) {
      in x : float32 [i j]
      in w : float32 [] gather 1
      in n : int64 [i]
      out z : float64 [i]
      loop {
        a = load x : float32
        l = load n : int64
        c = load w [l] : float32
        q = index j
        hit = eq q l : bool
        b = mul a c : float32
        zero = const 0.0 : float32
        p = select hit b zero : float32
        d = cast p : float64
        sum = accumulate add d : float64
      }
      each {
        store z sum
      }
    }""",
    """kernel rowpick (i | j) {
      in x : float32 [j] gather 1
      in n : int64 [i]
      out z : float64 [i]
      loop {
        l = load n : int64
        c = load x [l] : float32
        d = cast c : float64
        sum = accumulate add d : float64
      }
      each {
        store z sum
      }
    }""",
    """kernel wholechain ( | j) {
      in x : float64 [j]
      out z : float64 [j]
      loop {
        a = load x : float64
        top = accumulate max a : float64
      }
      loop {
        b = load x : float64
        c = sub b top : float64
        store z c
      }
    }""",
    """kernel several (k i | j l) {
      in x : float64 [k i j l]
      in y : float64 [i l]
      out s : float64 [k i]
      out m : int64 [k i]
      loop {
        a = load x : float64
        b = load y : float64
        c = mul a b : float64
        sum = accumulate add c : float64
        best = accumulate argmin c : int64
      }
      each {
        store s sum
        store m best
      }
    }""",
]


def forms(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in memory in different ways."""
    wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    spread = wide[tuple(slice(None, 2 * n, 2) for n in array.shape)]
    spread[...] = array
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    unaligned = np.ndarray(array.shape, array.dtype, raw)
    unaligned[...] = array
    backwards = np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    found = {
        "c": array, "fortran": np.asfortranarray(array), "spread": spread,
        "unaligned": unaligned, "backwards": backwards,
    }  # fmt: skip
    return found


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
    z = np.zeros({"rows": 1500, "columns": 1201}.get(layout, ()), np.int64 if "arg" in kind else acc)
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


# generated kernels --------------------------------------------------------------------------------

UNARY = ["neg", "abs", "sign", "exp", "log1p", "tanh", "sigmoid", "sqrt", "floor", "rint", "sin"]
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
    kernels = [parse(text) for text in KERNELS] + [reduction("argmax", "float32", "float32", "rows")]
    _, text = module_text(kernels, "+neon")
    parsed = binding.parse_assembly('target triple = "aarch64-unknown-linux-gnu"\n' + text)
    parsed.verify()
    assembly = machine.emit_assembly(parsed)
    called = set(re.findall(r"\bbl\s+([\w.]+)", assembly))
    own = set(re.findall(r"^([\w.]+):", assembly, re.MULTILINE))
    assert {name for name in called - own if not name.startswith("th_")} <= {"memset", "memcpy"}


