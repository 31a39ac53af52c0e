"""From a rewritten graph to what runs: native code, a Program in NumPy, or the reference."""

from __future__ import annotations

import functools
import importlib
import time
from typing import TYPE_CHECKING, Any

from theano.compile import plan_cache
from theano.compile.profile_rows import NativeSource
from theano.core import trace
from theano.core.config import config
from theano.core.dtypes import COMPLEX
from theano.core.errors import MissingSpelling
from theano.graph.generic import Generic
from theano.graph.tensor_type import TensorType

if TYPE_CHECKING:
    from theano.lower.program import Program

_FUSION = frozenset({"fusion", "elemwise_fusion", "local_elemwise_fusion"})


def link(function: Any) -> None:
    """Give ``function`` the fastest runner that its mode, its graph and this machine allow."""
    maker = function.maker
    if maker.plan is not None:
        _link_plan(function, maker.plan)
        return
    linker = maker.mode.linker
    report = maker.report
    before, after = maker.mode.watchers(maker)
    if not (linker.native or linker.program) or before or after:
        report.notes.append(f"run op by op in NumPy (linker={linker.name})")
        return
    lowered = _lower(maker)
    if lowered is None:
        return
    cells = [function._cells[i] for i in maker.lowered_cells]
    if linker.program:
        _link_program(function, lowered.program, cells)
    elif not _link_device(function, lowered.program, cells):
        _link_native(function, lowered.program, cells)


def _link_plan(function: Any, plan: Any) -> None:
    """Give ``function`` the native code that the disk cache had."""
    from theano.backends.cpu import entry

    cells = [function._cells[i] for i in plan.cells]
    native = entry.make_entry(
        plan.owner, plan.state, plan.name, plan.constants, (), cells, function._slow, function._fail
    )
    _run_natively(function, native)


def _run_natively(function: Any, native: Any) -> None:
    from theano.runtime.pycfunction import subclass_with_call

    function.native = native
    function._run = function._run_native
    if direct(function):
        function.__class__ = subclass_with_call(type(function), native, "Function")


def compile_native(maker: Any) -> None:
    """Lower and compile the graph of a maker, as for its first function."""
    lowered = _lower(maker)
    if lowered is not None and maker.compiled is None:
        _compiled(maker, lowered.program)


def _lower(maker: Any) -> Any:
    """The Program of a maker, made once; None (and a note) where lowering declines."""
    if maker.lowered is None:
        from theano.lower.function import lower_function
        from theano.lower.registers import CannotLower

        excluded: frozenset[str] = getattr(maker.mode.optimizer, "exclude", frozenset())
        start = time.perf_counter()
        try:
            maker.lowered = lower_function(
                maker.variables,
                maker.rewritten_outputs,
                maker.rewritten_updates,
                fuse=config.tensor.local_elemwise_fusion and not excluded & _FUSION,
                donate=not excluded & {"inplace"},
                written=maker.results + [update for _, update in maker.updates],
            )
            positions = {cell: i for i, cell in enumerate(maker.cells)}
            maker.lowered_cells = [positions[cell] for cell in maker.lowered.shared]
        except CannotLower as error:
            maker.report.notes.append(f"run op by op in NumPy: {error}")
            return None
        seconds = time.perf_counter() - start
        maker.report.add("program", lambda: _program_text(maker.lowered.program), (), seconds)
        maker.report.notes.extend(maker.lowered.notes)
    return maker.lowered


def _program_text(program: Program) -> str:
    from theano.lower.text import text

    return text(program)


def _link_program(function: Any, program: Program, cells: list[list[Any]]) -> None:
    from theano.backends.numpy.executor import StepFailed, compile_program

    run = compile_program(program, cells)

    def call(values: Any) -> list[Any]:
        try:
            return run(*values)
        except StepFailed:
            return function._run_reference(values)  # type: ignore[no-any-return]

    function._run = call


def _link_native(function: Any, program: Program, cells: list[list[Any]]) -> None:
    maker = function.maker
    fresh = maker.compiled is None
    if fresh and not _compiled(maker, program):
        return
    if fresh and maker.plan_key:
        plan_cache.store(maker)
    native = maker.compiled.make_entry(
        program, cells, function._slow, function._fail, maker.unpack_single
    )
    if maker.compiled.code.timed and maker.timed:
        _profile_native(maker, native)
    _run_natively(function, native)


def _profile_native(maker: Any, native: Any) -> None:
    """Give the profile of a maker the counters of native code."""
    from theano.backends.cpu import timing

    code, lowered = maker.compiled.code, maker.lowered
    found = timing.counters(native, code.state)
    maker.profile.sources.append(NativeSource(found, code.timed, lowered.program, lowered.origins))


def _compiled(maker: Any, program: Program) -> bool:
    """Compile the program of a maker, and tell whether that was possible."""
    start = time.perf_counter()
    maker.compiled = _compile(maker, program)
    if maker.compiled is None:
        return False
    maker.report.add("code", lambda: str(maker.compiled.text), (), time.perf_counter() - start)
    return True


def _link_device(function: Any, program: Program, cells: list[list[Any]]) -> bool:
    """Let a function run on the device of the flag ``device``; False where it stays on the CPU."""
    if not config.device.startswith("opencl"):
        return False
    build: Any = importlib.import_module("theano.backends.opencl.build")
    maker = function.maker
    if maker.compiled is None:
        start = time.perf_counter()
        try:
            maker.compiled = build.compile_program(program, config.device)
        except (build.NotOnDevice, build.DeviceMissing) as error:
            strict = config.force_device and isinstance(error, build.DeviceMissing)
            _stays_on_host(maker, error, strict or config.assert_no_cpu_op in ("raise", "pdb"))
            return False
        maker.report.add("code", lambda: str(maker.compiled.text), (), time.perf_counter() - start)
    elif not isinstance(maker.compiled, build.CompiledProgram):
        return False
    function.native = maker.compiled.make_entry(
        program, cells, function._slow, function._fail, maker.unpack_single
    )
    function._run = function._run_native
    return True


def _stays_on_host(maker: Any, error: Exception, strict: bool) -> None:
    """A function for a device is run by the CPU: warn, or raise if ``strict``."""
    name = f"The function {maker.name!r}" if maker.name else "A function"
    text = f"{name} is not run on device={config.device} but on the CPU: {error}"
    if strict:
        raise type(error)(text) from error
    maker.report.notes.append(text)
    trace.warn(text, RuntimeWarning)


def direct(function: Any) -> bool:
    """Whether a call may enter native code at once: positions of arguments are those of inputs."""
    plain, callable_ = function._plain, function._callable
    ordered = plain == callable_[: len(plain)]
    watched = function.profile or not function.maker.mode.direct
    inputs = [function.maker.inputs[i].variable.type for i in plain]
    exact = all(map(_checked_natively, inputs))
    return function.output_keys is None and ordered and exact and not watched


def _checked_natively(kind: Any) -> bool:
    """Whether native code lets only values of a type in; other values must pass its filter."""
    if isinstance(kind, TensorType):
        return kind.dtype not in COMPLEX
    return type(kind) is Generic


def _compile(maker: Any, program: Program) -> Any:
    """Native code of a program; None, a note and a warning where there can be none."""
    from theano.backends.cpu import build, compiler

    try:
        return build.compile_program(program, maker.unpack_single, maker.timed)
    except compiler.CompilerUnavailableError as error:
        reason = str(error)
        _warn_once(reason)
    except MissingSpelling as error:
        reason = str(error)
        trace.warn(f"Not compiled, and slow for it: {reason}", RuntimeWarning)
    maker.report.notes.append(f"run op by op in NumPy: {reason}")
    return None


@functools.cache
def _warn_once(reason: str) -> None:
    trace.warn(
        f"Functions run op by op in NumPy, which is slow: {reason}. "
        "`pip install llvmlite` adds the compiler.",
        RuntimeWarning,
    )
