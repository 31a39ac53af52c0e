"""Library calls of a Program, on an OpenCL device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from theano.backends.opencl.compiler import Bound, Launcher, build
from theano.backends.opencl.device import Device, DeviceArray
from theano.backends.opencl.prelude import module
from theano.backends.opencl.prims import REGISTERS, NotOnDevice
from theano.kernel import ir
from theano.kernel.build import Builder

_TILE: Final = 16
_ROWS: Final = 4  # rows of C per work-item

# C = alpha A B + beta C in tiles of 64 × 16, with any strides (in elements), at each position of
# two batch axes. C is not read where beta is 0, so its NaNs do not count.
_GEMM: Final = """
__kernel __attribute__((reqd_work_group_size({tile}, {tile}, 1)))
void gemm(i64 inner, i64 rows, i64 columns, i64 depth, {T} alpha, {T} beta,
          __global {T} *c, i64 oc, i64 p0, i64 p1, i64 c0, i64 c1,
          __global const {T} *a, i64 oa, i64 q0, i64 q1, i64 a0, i64 a1,
          __global const {T} *b, i64 ob, i64 r0, i64 r1, i64 b0, i64 b1) {{
  __local {T} ta[{rows}][{tile}][{tile} + 1], tb[{tile}][{tile} + 1];
  const int x = (int)get_local_id(0), y = (int)get_local_id(1);
  const i64 across = (columns + {tile} - 1) / {tile};
  const i64 down = (rows + {tile} * {rows} - 1) / ({tile} * {rows});
  const i64 place = (i64)get_group_id(0) % (across * down);
  const i64 batch = (i64)get_group_id(0) / (across * down);
  const i64 first = batch / inner, second = batch % inner;
  oc += first * p0 + second * p1;
  oa += first * q0 + second * q1;
  ob += first * r0 + second * r1;
  const i64 i = place / across * {tile} * {rows} + y;
  const i64 j = place % across * {tile} + x;
  {T} sum[{rows}] = {{0}};
  for (i64 k = 0; k < depth; k += {tile}) {{
    for (int r = 0; r < {rows}; ++r) {{
      const i64 h = i + r * {tile};
      ta[r][y][x] = (h < rows && k + x < depth) ? a[oa + h * a0 + (k + x) * a1] : 0;
    }}
    tb[y][x] = (k + y < depth && j < columns) ? b[ob + (k + y) * b0 + j * b1] : 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int t = 0; t < {tile}; ++t) {{
      const {T} v = tb[t][x];
      for (int r = 0; r < {rows}; ++r) sum[r] {add} ta[r][y][t] * v;
    }}
    barrier(CLK_LOCAL_MEM_FENCE);
  }}
  for (int r = 0; r < {rows}; ++r) {{
    const i64 h = i + r * {tile};
    if (h < rows && j < columns) {{
      __global {T} *at = c + (oc + h * c0 + j * c1);
      *at = beta == 0 ? alpha * sum[r] : alpha * sum[r] + beta * *at;
    }}
  }}
}}
"""


def gemm_source(dtype: str) -> str:
    """The OpenCL C text of matrix multiplication."""
    add = "|=" if dtype == "bool" else "+="
    return module(_GEMM.format(T=REGISTERS[dtype], tile=_TILE, rows=_ROWS, add=add))


def gemm(device: Device, arrays: Sequence[DeviceArray], scalars: Sequence[Any]) -> None:
    """``C = alpha A B + beta C`` for arrays (C, A, B) and scalars (alpha, beta)."""
    batched_gemm(device, [_stacked(array) for array in arrays], scalars)


def squares_kernel(dtype: str, sums: str) -> ir.Kernel:
    """``out = sum(square(in))`` for a matrix, added in the dtype ``sums``."""
    read, write = ir.Operand("i0", dtype, ("a0", "a1")), ir.Operand("o1", dtype, (), "out")
    k = Builder()
    value = k.load(read)
    total = k.accumulate("add", k.cast(value * value, sums))
    loop = ir.Stage("loop", tuple(k.statements))
    k = Builder("f")
    k.store(write, k.cast(k.value(total.name, sums), dtype))
    stages = (loop, ir.Stage("each", tuple(k.statements)))
    return ir.Kernel("squares", (), ("a0", "a1"), (read, write), (), stages)


def gemm_squares(device: Device, arrays: Sequence[DeviceArray], scalars: Sequence[Any]) -> None:
    """`gemm` for arrays (C, S, A, B); S becomes the sum of the squares of what C was."""
    c, total, a, b = arrays
    sums = "float64" if device.doubles else c.dtype
    launcher = Launcher.alone(device, squares_kernel(c.dtype, sums))
    bound = (Bound(c.buffer, c.offset, c.strides), Bound(total.buffer, total.offset, ()))
    launcher.run(c.dims, bound, ())
    gemm(device, (c, a, b), scalars)


def _stacked(array: DeviceArray) -> DeviceArray:
    """A matrix as a batch of one."""
    return replace(array, dims=(1, 1, *array.dims), strides=(0, 0, *array.strides))


def batched_gemm(device: Device, arrays: Sequence[DeviceArray], scalars: Sequence[Any]) -> None:
    """The same at each position of two batch axes: arrays of rank 4."""
    c, a, b = arrays
    (outer, inner, rows, columns), depth = c.dims, a.dims[3]
    if 0 in c.dims:
        return
    number = np.dtype(c.dtype).type
    args: list[Any] = [np.int64(n) for n in (inner, rows, columns, depth)]
    args += [number(s) for s in scalars]
    size = np.dtype(c.dtype).itemsize
    for array in (c, a, b):
        args += [array.buffer, np.int64(array.offset // size)]
        args += [np.int64(s // size) for s in array.strides]
    groups = -(-rows // (_ROWS * _TILE)) * -(-columns // _TILE) * outer * inner
    build(device, gemm_source(c.dtype)).launch("gemm", groups, (_TILE, _TILE), args)


def product(device: Device, arrays: Sequence[DeviceArray], scalars: Sequence[Any]) -> None:
    """``C = A B`` on integers and bool at each position of two batch axes."""
    batched_gemm(device, arrays, (1, 0))


def copy_kernel(rank: int, source: str, target: str) -> ir.Kernel:
    """``out[...] = in`` for arrays of one rank."""
    axes = tuple(f"a{i}" for i in range(rank))
    read, write = ir.Operand("i0", source, axes), ir.Operand("o1", target, axes, "out")
    k = Builder()
    k.store(write, k.cast(k.load(read), "float32" if target == "float16" else target))
    stage = ir.Stage("each", tuple(k.statements))
    return ir.Kernel("copy", axes, (), (read, write), (), (stage,))


def copy(device: Device, arrays: Sequence[DeviceArray], scalars: Sequence[Any] = ()) -> None:
    """``out[...] = in`` for arrays (out, in); axes of extent 1 of ``in`` are stretched."""
    out, given = arrays
    shift = len(out.dims) - len(given.dims)
    moves = [0] * shift
    for n, stride in zip(given.dims, given.strides, strict=True):
        moves.append(0 if n == 1 else stride)
    kernel = copy_kernel(len(out.dims), given.dtype, out.dtype)
    launcher = Launcher.alone(device, kernel)
    bound = (
        Bound(given.buffer, given.offset, tuple(moves)),
        Bound(out.buffer, out.offset, out.strides),
    )
    launcher.run(out.dims, bound, ())


Function = Callable[[Device, Sequence[DeviceArray], Sequence[Any]], None]
FUNCTIONS: Final[dict[str, Function]] = {
    "gemm": gemm, "gemm_squares": gemm_squares, "batched_gemm": batched_gemm,
    "product": product, "copy": copy,
}  # fmt: skip


def gap(name: str, dtype: str) -> str:
    """What of a function of FUNCTIONS devices do not have for arrays of ``dtype``; else empty."""
    return "products of float16" if (name, dtype) == ("product", "float16") else ""


def function(name: str) -> Function:
    """The library function called ``name``; NotOnDevice if devices do not have it yet."""
    found = FUNCTIONS.get(name)
    if found is None:
        raise NotOnDevice(
            f"OpenCL devices do not have the library function {name!r} yet "
            "(backends/opencl/library.py)."
        )
    return found
