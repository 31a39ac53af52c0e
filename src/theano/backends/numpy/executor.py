"""Runs a Program by NumPy, one step after the other: what every other backend must agree with.

Views are checked to stay inside the memory of what they view, and fresh arrays begin with garbage,
so that a mistake of lowering shows here rather than as a crash in native code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from theano.core.errors import MissingSpelling
from theano.kernel import interp
from theano.kernel.prims import evaluate
from theano.lower import program as pg
from theano.runtime.routines.base import RoutineFailed
from theano.runtime.routines.table import routine

Env = dict[str, Any]


class StepFailed(Exception):
    """A check or a kernel said no; nothing was stored. ``step`` is its position."""

    def __init__(self, step: int, text: str) -> None:
        super().__init__(f"step {step}: {text}")
        self.step = step
        self.text = text


def compile_program(program: pg.Program, cells: Sequence[list[Any]]) -> Callable[..., list[Any]]:
    """A callable from the input arrays to the list of outputs; it stores updates into ``cells``.

    Raises StepFailed where native code would call back for the exact error.
    """
    fixed = {
        param.name: program.constants[param.index]
        for param in program.params
        if param.kind == "constant"
    }
    owned = {
        step.out for step in program.steps if isinstance(step, pg.Alloc) and step.place == "output"
    }

    overwritten = [result.index for result in program.results if result.inplace]

    def call(*inputs: Any) -> list[Any]:
        if not all(cells[index][0].flags.writeable for index in overwritten):
            raise StepFailed(0, "a shared variable that is updated in place is read-only")
        env: Env = dict(fixed)
        for param in program.params:
            if param.kind != "constant":
                source = inputs[param.index] if param.kind == "input" else cells[param.index][0]
                env[param.name] = checked(param, source)
        for index, step in enumerate(program.steps):
            run_step(program, index, step, env)
        return _finish(program, env, cells, owned)

    return call


def checked(param: pg.Param, value: Any) -> Any:
    """``value`` if it is what ``param`` declares, else TypeError; an object may be anything."""
    if param.dtype == pg.OBJECT:
        return value
    if value.dtype != np.dtype(param.dtype) or value.ndim != param.ndim:
        raise TypeError(
            f"{param.kind} {param.index}: expected {param.dtype} of rank {param.ndim}, got "
            f"{value.dtype} of shape {value.shape}"
        )
    for size, actual in zip(param.static, value.shape, strict=True):
        if size is not None and size != actual:
            raise TypeError(
                f"{param.kind} {param.index}: expected {param.static}, got {value.shape}"
            )
    return value


def objects_of(program: pg.Program) -> set[str]:
    """The names of values that are no arrays."""
    found = {p.name for p in program.params if p.dtype == pg.OBJECT}
    calls = (step for step in program.steps if isinstance(step, pg.PyCall))
    return found.union(name for step in calls for name, dtype, _ in step.outs if dtype == pg.OBJECT)


def _finish(
    program: pg.Program, env: Env, cells: Sequence[list[Any]], owned: set[str]
) -> list[Any]:
    outputs: dict[int, Any] = {}
    updates = []
    given = set()
    objects = objects_of(program)
    for result in program.results:
        if result.inplace:
            continue
        value = env[result.array]
        if result.array not in objects and (result.array not in owned or result.array in given):
            value = value.copy()
        given.add(result.array)
        if result.kind == "output":
            outputs[result.index] = value
        else:
            updates.append((cells[result.index], value))
    for cell, value in updates:
        cell[0] = value
    return [outputs[index] for index in range(len(outputs))]


def run_step(program: pg.Program, index: int, step: pg.Step, env: Env) -> None:
    """Run one step in ``env``."""
    try:
        runner = _STEPS[type(step)]
    except KeyError:
        raise MissingSpelling(
            "the NumPy backend", type(step).__name__, "backends/numpy/executor.py"
        ) from None
    try:
        runner(program, step, env)
    except StepFailed as error:  # in a loop: what failed is the loop
        raise StepFailed(index, error.text) from error
    except (Failure, interp.KernelError) as error:
        raise StepFailed(index, str(error)) from error


class Failure(Exception):
    """A false condition."""


def arg(env: Env, value: pg.Arg) -> Any:
    """The value of a step's argument: a register's, or a literal."""
    return env[value] if isinstance(value, str) else value


def size(env: Env, value: pg.Arg) -> int:
    """The same as an index."""
    return int(arg(env, value))


def _let(program: pg.Program, step: Any, env: Env) -> None:
    values = []
    for position, given in enumerate(step.args):
        if isinstance(given, str):
            values.append(env[given])
        else:
            condition = step.prim == "select" and position == 0
            values.append(np.asarray(given, dtype="bool" if condition else step.operand_dtype))
    if step.prim in ("idiv", "mod") and values[1].dtype.kind in "iu" and values[1] == 0:
        raise Failure("division by zero")
    env[step.out] = np.asarray(evaluate(step.prim, tuple(values), step.dtype))


def _dim(program: pg.Program, step: Any, env: Env) -> None:
    env[step.out] = np.asarray(env[step.array].shape[step.axis], dtype="int64")


def _peek(program: pg.Program, step: Any, env: Env) -> None:
    env[step.out] = np.array(env[step.array][()], dtype=step.dtype)


def _poke(program: pg.Program, step: Any, env: Env) -> None:
    env[step.array][...] = np.asarray(arg(env, step.value), dtype=step.dtype)


def _check(program: pg.Program, step: Any, env: Env) -> None:
    if not bool(arg(env, step.condition)):
        raise Failure(step.text)


def _alloc(program: pg.Program, step: Any, env: Env) -> None:
    dims = [size(env, d) for d in step.dims]
    if any(d < 0 for d in dims):
        raise Failure(f"negative extent: {dims}")
    array = np.empty(dims, dtype=step.dtype)
    if array.nbytes and step.dtype != "bool":
        array.reshape(-1).view("uint8").fill(0xAB)
    env[step.out] = array


class _Memory:
    """Memory inside another array, for NumPy's array interface."""

    def __init__(self, base: Any, address: int, shape: Any, strides: Any) -> None:
        self.base = base
        self.__array_interface__ = {
            "version": 3,
            "typestr": base.dtype.str,
            "data": (address, not base.flags.writeable),
            "shape": tuple(shape),
            "strides": tuple(strides),
        }


def strided(base: Any, start: int, shape: Sequence[int], strides: Sequence[int]) -> Any:
    """A view of ``base`` that begins ``start`` bytes after its first element."""
    if any(extent == 0 for extent in shape):
        return np.empty(shape, dtype=base.dtype)
    strides = [0 if extent == 1 else by for extent, by in zip(shape, strides, strict=True)]
    low = high = start
    for extent, stride in zip(shape, strides, strict=True):
        reach = (extent - 1) * stride
        low, high = low + min(reach, 0), high + max(reach, 0)
    first = last = 0
    for extent, stride in zip(base.shape, base.strides, strict=True):
        reach = (extent - 1) * stride
        first, last = first + min(reach, 0), last + max(reach, 0)
    if base.size == 0 or low < first or high > last:
        raise AssertionError(
            f"a view of shape {tuple(shape)}, strides {tuple(strides)}, offset {start} leaves its "
            f"source of shape {base.shape}, strides {base.strides}"
        )
    address = base.__array_interface__["data"][0] + start
    return np.asarray(_Memory(base, address, shape, strides))


def _view(program: pg.Program, step: Any, env: Env) -> None:
    source = env[step.source]
    start = sum(size(env, index) * source.strides[axis] for axis, index in step.starts)
    shape = [size(env, axis.length) for axis in step.axes]
    strides = [
        0 if axis.source is None else size(env, axis.step) * source.strides[axis.source]
        for axis in step.axes
    ]
    env[step.out] = strided(source, start, shape, strides)


def _reshape(program: pg.Program, step: Any, env: Env) -> None:
    dims = [size(env, d) for d in step.dims]
    source = env[step.source]
    if any(d < 0 for d in dims) or source.size != np.prod(dims, dtype="int64"):
        raise Failure(f"cannot reshape {source.shape} to {dims}")
    env[step.out] = source.reshape(dims)


def _launch(program: pg.Program, step: Any, env: Env) -> None:
    kernel = step.kernel
    extents = [size(env, e) for e in step.extents]
    scalars = [
        np.asarray(arg(env, value), dtype=param.dtype)
        for param, value in zip(kernel.scalars, step.scalars, strict=True)
    ]
    arrays = [env[bound.array] for bound in step.operands]
    axes = [bound.axes for bound in step.operands]
    interp.run(kernel, extents, arrays, axes, [bound.gather for bound in step.operands], scalars)


def _gemm(arrays: list[Any], scalars: list[Any]) -> None:
    out, a, b = arrays
    alpha, beta = (out.dtype.type(s) for s in scalars)
    product = np.dot(a, b)
    out[...] = alpha * product if beta == 0 else alpha * product + beta * out


def _gemm_squares(arrays: list[Any], scalars: list[Any]) -> None:
    out, squares, a, b = arrays
    squares[...] = np.square(out.astype("float64")).sum()
    _gemm([out, a, b], scalars)


def _copy(arrays: list[Any], scalars: list[Any]) -> None:
    arrays[0][...] = arrays[1]


LIBRARY: dict[str, Callable[[list[Any], list[Any]], None]] = {
    "gemm": _gemm, "gemm_squares": _gemm_squares, "copy": _copy,
}  # fmt: skip


def _call(program: pg.Program, step: Any, env: Env) -> None:
    arrays, scalars = [env[name] for name in step.arrays], [arg(env, s) for s in step.scalars]
    function = LIBRARY.get(step.function)
    if function is not None:
        function(arrays, scalars)
        return
    numbers = [
        np.dtype(dtype).type(value)
        for dtype, value in zip(routine(step.function).numbers, scalars, strict=True)
    ]
    try:
        given = routine(step.function).meaning(*arrays, *numbers)
    except RoutineFailed as error:
        raise Failure(f"{step.function}: {error}") from error
    if step.out:
        env[step.out] = np.asarray(given, dtype="int64")


def _python(program: pg.Program, step: Any, env: Env) -> None:
    try:
        results = program.callables[step.index].call(*[env[name] for name in step.ins])
    except Exception as error:
        raise Failure(str(error)) from error
    for (name, dtype, rank), value in zip(step.outs, results, strict=True):
        if dtype != pg.OBJECT and (value.dtype != np.dtype(dtype) or value.ndim != rank):
            raise TypeError(
                f"{program.callables[step.index].name}: expected {dtype} of rank {rank}"
            )
        env[name] = value


def _loop(program: pg.Program, step: Any, env: Env) -> None:
    done = 0
    carried = {o[0]: env[o[1]] for o in step.objects}
    for index in range(size(env, step.count)):
        inside = {**env, **carried}
        inside[step.index] = np.asarray(index, dtype="int64")
        for number, inner in enumerate(step.body):
            run_step(program, number, inner, inside)
        done += 1
        carried = {o[0]: inside[o[2]] for o in step.objects}
        if step.stop and bool(inside[step.stop]):
            break
    env[step.out] = np.asarray(done, dtype="int64")
    env.update({o[3]: carried[o[0]] for o in step.objects})


def _branch(program: pg.Program, step: Any, env: Env) -> None:
    taken = bool(env[step.condition])
    inside = dict(env)
    for number, inner in enumerate(step.first if taken else step.second):
        run_step(program, number, inner, inside)
    for out in step.outs:
        env[out[0]] = inside[out[3 if taken else 4]]


_STEPS: dict[type, Callable[[pg.Program, Any, Env], None]] = {
    pg.Let: _let, pg.Dim: _dim, pg.Peek: _peek, pg.Poke: _poke, pg.Check: _check,
    pg.Alloc: _alloc, pg.View: _view, pg.Reshape: _reshape, pg.Launch: _launch, pg.Call: _call,
    pg.PyCall: _python, pg.Loop: _loop, pg.Branch: _branch,
}  # fmt: skip
