"""Compiling kernels, launching them on arrays, and comparing with kernel/interp.py."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from theano.backends.cpu import compiler, helpers, special
from theano.backends.cpu.build import imported
from theano.backends.cpu.emit import Emitter
from theano.backends.cpu.render import KernelCode, render_kernel
from theano.kernel import interp, ir
from theano.kernel.verify import verify

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
    module = Emitter(1, features=features)
    codes = {
        kernel.name: render_kernel(verify(kernel), f"t_{kernel.name}", features, module)
        for kernel in kernels
    }
    return codes, "\n".join([module.module_text(), *(code.text for code in codes.values())])


def build(kernels: Sequence[ir.Kernel], target: str = "host") -> Native:
    """Compile and link kernels for the processor or for a part of it."""
    codes, text = module_text(kernels, features_of(target))
    exports = [f"{code.symbol}_run" for code in codes.values()]
    names = imported(text)
    imports = helpers.helpers().symbols(names)
    imports |= {name: special.address(name) for name in names if name in special.EXTERNALS}
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
    pairs = list(zip(kernel.operands, case.arrays, strict=True))
    ours = [twin(a) if o.mode != "in" else a for o, a in pairs]
    wanted = [twin(a) if o.mode != "in" else a for o, a in pairs]
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


def values(dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    """Numbers of a dtype; floats in [-3, 3]."""
    rng = np.random.default_rng(seed + sum(shape))
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("float"):
        return np.asarray(rng.random(shape) * 6 - 3, dtype)
    low = 0 if dtype.startswith("u") else -100
    return rng.integers(low, 100, shape).astype(dtype)


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
