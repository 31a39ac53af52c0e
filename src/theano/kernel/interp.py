"""Running a kernel on NumPy arrays: what every backend's spelling of it must agree with.

All points are computed at once, as arrays over the kernel's axes; where iterations depend on each
other (``serial`` axes) the serial points are taken one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from theano.kernel import ir, prims


class KernelError(ValueError):
    """The kernel's error flag: an index out of range or an integer division by zero."""


_REDUCERS: Mapping[str, Any] = {
    "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum,
    "and": np.bitwise_and, "or": np.bitwise_or,
}  # fmt: skip


def identity(kind: str, dtype: str) -> Any:
    """The value that accumulating nothing gives."""
    numpy_dtype = np.dtype(dtype)
    if kind in ("add", "or"):
        return numpy_dtype.type(0)
    if kind == "mul":
        return numpy_dtype.type(1)
    if kind == "and":
        return numpy_dtype.type(1) if dtype == "bool" else numpy_dtype.type(-1)
    if kind.startswith("arg"):
        return np.int64(0)
    low = kind == "max"
    if numpy_dtype.kind == "f":
        return numpy_dtype.type(-np.inf if low else np.inf)
    if numpy_dtype.kind == "b":
        return numpy_dtype.type(not low)
    info = np.iinfo(numpy_dtype)
    return numpy_dtype.type(info.min if low else info.max)


def run(
    kernel: ir.Kernel,
    extents: Sequence[int],
    arrays: Sequence[np.ndarray],
    axes: Sequence[Sequence[int | None]],
    gathers: Sequence[Sequence[int]],
    scalars: Sequence[Any] = (),
) -> None:
    """Run ``kernel``, writing into the arrays of its outputs.

    Parameters
    ----------
    extents : per kernel axis (outer, then inner).
    arrays : one ndarray per operand. ``axes[i][a]`` is the dimension of array ``i`` that follows
        kernel axis ``a`` (None: it does not move), ``gathers[i]`` the dimensions addressed by
        gather indices.
    scalars : one number per scalar parameter.

    Raises KernelError for an index out of range or an integer division by zero.
    """
    sizes = dict(zip(kernel.axes, map(int, extents), strict=True))
    serial = [range(sizes[a]) for a in kernel.serial]
    for point in itertools.product(*serial):
        fixed = dict(zip(kernel.serial, point, strict=True))
        _Run(kernel, sizes, fixed, arrays, axes, gathers, scalars).run()


class _Run:
    def __init__(
        self, kernel: ir.Kernel, sizes: Mapping[str, int], fixed: Mapping[str, int],
        arrays: Sequence[np.ndarray], axes: Sequence[Sequence[int | None]],
        gathers: Sequence[Sequence[int]], scalars: Sequence[Any],
    ) -> None:  # fmt: skip
        self.kernel, self.fixed = kernel, fixed
        self.sizes = {a: 1 if a in fixed else n for a, n in sizes.items()}
        self.where = {
            o.name: (array, tuple(moves), tuple(gather))
            for o, array, moves, gather in zip(kernel.operands, arrays, axes, gathers, strict=True)
        }
        self.values: dict[str, Any] = {
            p.name: np.asarray(v, dtype=p.dtype)
            for p, v in zip(kernel.scalars, scalars, strict=True)
        }
        self.rank = len(kernel.axes)
        self.inner = tuple(range(len(kernel.outer), self.rank))

    def run(self) -> None:
        if any(self.sizes[a] == 0 for a in self.kernel.outer):
            return
        for stage in self.kernel.stages:
            axes = self.kernel.axes if stage.kind == "loop" else self.kernel.outer
            shape = tuple(self.sizes[a] if a in axes else 1 for a in self.kernel.axes)
            for s in stage.body:
                self.statement(s, shape)

    def statement(self, s: ir.Stmt, shape: tuple[int, ...]) -> None:
        if isinstance(s, ir.Store):
            self.store(s, shape)
        elif isinstance(s, ir.Fail):
            if all(shape) and np.any(self.values[s.value]):
                raise KernelError(f"{s.value} holds")
        elif isinstance(s, ir.Const):
            self.values[s.out] = np.asarray(s.value, dtype=s.dtype)
        elif isinstance(s, ir.Index):
            self.values[s.out] = self.positions(s.axis)
        elif isinstance(s, ir.Load):
            array, index = self.index(s.operand, s.index, shape)
            value = array[index] if array.ndim else array[()]
            self.values[s.out] = np.array(value, dtype=s.dtype)
        elif isinstance(s, ir.Accumulate):
            self.values[s.out] = self.accumulate(s, shape)
        else:
            args = tuple(self.values[a] for a in s.args)
            divides = s.prim in ("idiv", "mod") and args[1].dtype.kind in "iu"
            if divides and not np.all(args[1]) and all(shape):
                raise KernelError("integer division by zero")
            self.values[s.out] = prims.evaluate(s.prim, args, s.dtype)

    def positions(self, axis: str) -> Any:
        number = self.kernel.axes.index(axis)
        if axis in self.fixed:
            return np.full((1,) * self.rank, self.fixed[axis], dtype=np.int64)
        shape = [1] * self.rank
        shape[number] = self.sizes[axis]
        return np.arange(self.sizes[axis], dtype=np.int64).reshape(shape)

    def index(self, name: str, gathered: Sequence[str], shape: tuple[int, ...]) -> Any:
        array, moves, gather = self.where[name]
        index: list[Any] = [np.zeros((1,) * self.rank, dtype=np.int64)] * array.ndim
        for axis, d in zip(self.kernel.axes, moves, strict=True):
            if d is not None:
                index[d] = self.positions(axis)
        for value, d in zip(gathered, gather, strict=True):
            entry = np.broadcast_to(self.values[value], shape)
            extent = array.shape[d]
            if np.any((entry < -extent) | (entry >= extent)):
                raise KernelError(f"index out of range for extent {extent}")
            index[d] = np.where(entry < 0, entry + extent, entry)
        return array, tuple(index)

    def accumulate(self, s: ir.Accumulate, shape: tuple[int, ...]) -> Any:
        value = np.broadcast_to(self.values[s.value], shape)
        outer = tuple(n for i, n in enumerate(shape) if i not in self.inner)
        flat = value.reshape(*outer, int(np.prod(shape[len(outer) :], dtype=np.int64)))
        if flat.shape[-1] == 0:
            result = np.full(outer, identity(s.kind, str(value.dtype)))
        elif s.kind.startswith("arg"):
            result = np.asarray((np.argmax if s.kind == "argmax" else np.argmin)(flat, axis=-1))
        else:
            result = _REDUCERS[s.kind].reduce(flat, axis=-1, dtype=flat.dtype)
        return np.asarray(result, dtype=s.dtype).reshape(*outer, *(1,) * len(self.inner))

    def store(self, s: ir.Store, shape: tuple[int, ...]) -> None:
        array, index = self.index(s.operand, s.index, shape)
        value = np.broadcast_to(self.values[s.value], shape).astype(array.dtype)
        if not array.ndim:
            if all(shape):
                array[()] = array[()] + value.flat[-1] if s.add else value.flat[-1]
        elif s.add:
            np.add.at(array, tuple(np.broadcast_to(i, shape) for i in index), value)
        else:
            array[tuple(np.broadcast_to(i, shape) for i in index)] = value
