"""Finds out about a call what docs/ops.md says: dtypes, derivatives, and what it is lowered to."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from op_samples import names

import theano
from theano.backends.opencl.build import NotOnDevice, check_supported
from theano.backends.opencl.prims import LACKING
from theano.core.dtypes import COMPLEX, FLOAT
from theano.graph import traverse
from theano.graph.nodes import Constant, Variable
from theano.graph.null_types import DisconnectedType, NullType
from theano.graph.tensor_type import TensorType
from theano.kernel.text import text
from theano.lower import program as pg
from theano.lower.context import CannotLower
from theano.lower.function import lower_function
from theano.rewrite import pipeline

CONTINUOUS = FLOAT | COMPLEX

#: the dtypes of the inputs that the dtype column tells about
PROBED = ("int32", "float32", "float64", "complex64")


@dataclass(frozen=True)
class Facts:
    """What the columns of a row say, and the op classes that the call and its gradient are of."""

    dtype: str
    gradient: str
    rop: str
    cpu: str
    opencl: str
    ops: frozenset[type]


def variables(result: Any) -> list[Variable]:
    """The variables in what a function returned."""
    if isinstance(result, Variable):
        return [result]
    listed = result if isinstance(result, list | tuple) else ()
    return [v for part in listed for v in variables(part)]


@functools.cache
def _namespace(dtype: str) -> dict[str, Any]:
    return names(dtype)


def call(expression: str, dtype: str) -> list[Variable]:
    """The outputs of an expression of ``op_samples`` on variables of ``dtype``."""
    return variables(eval(expression, dict(_namespace(dtype))))


def probe(build: Callable[[str], Sequence[Variable]], dtype: str = "float64") -> Facts:
    """The facts about ``build(dtype)``, which gives the outputs of a call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = list(build(dtype))
        inputs = roots(outputs)
        gradients, gradient = _gradient(outputs, inputs)
        cpu, opencl, lowered = _backends(outputs, inputs)
        used = [*outputs, *gradients, *lowered]
        ops = {type(node.op) for node in traverse.toposort(used)}
        rule = phrase({given: _dtypes(build, given) for given in PROBED})
        return Facts(rule, gradient, _rop(outputs, inputs), cpu, opencl, frozenset(ops))


def roots(outputs: Sequence[Variable]) -> list[Variable]:
    """The variables without owner that ``outputs`` are computed from, constants left out."""
    found = traverse.ancestors(outputs)
    return [v for v in found if v.owner is None and not isinstance(v, Constant)]


# dtypes --------------------------------------------------------------------------------------


def _dtypes(build: Callable[[str], Sequence[Variable]], dtype: str) -> tuple[str, ...] | None:
    try:
        outputs = build(dtype)
    except (TypeError, ValueError, NotImplementedError):
        return None
    return tuple(str(getattr(v.type, "dtype", v.type)) for v in outputs)


def phrase(results: dict[str, tuple[str, ...] | None]) -> str:
    """A rule in words: dtypes of the results by that of the inputs."""
    held = {given: found for given, found in results.items() if found is not None}
    smooth = {given: found for given, found in held.items() if given != "int32"}
    if not smooth:
        return ", ".join(f"{given} → {_listed(found)}" for given, found in held.items())
    rule, exceptions = _rule(smooth), [""]
    if rule is None:
        real = {given: found for given, found in smooth.items() if given != "complex64"}
        rule = _rule(real) or [", ".join(f"{g} → {_listed(f)}" for g, f in real.items())]
        exceptions.append(f"complex64 → {_listed(smooth['complex64'])}")
    whole = held.get("int32")
    if whole is None:
        exceptions.append("integers refused")
    elif any(word not in _words("int32", dtype) for word, dtype in zip(rule, whole, strict=False)):
        exceptions.append(f"int32 → {_listed(whole)}")
    if "complex64" not in held:
        exceptions.append("complex refused")
    return " and ".join(dict.fromkeys(rule)) + "; ".join(exceptions)


def _rule(held: dict[str, tuple[str, ...]]) -> list[str] | None:
    """For each result a word that is right for all dtypes of the inputs; None if there is none."""
    rule = []
    for place in zip(*held.values(), strict=True):
        fits = [_words(given, dtype) for given, dtype in zip(held, place, strict=True)]
        word = next((word for word in fits[0] if all(word in other for other in fits)), None)
        if word is None:
            return None
        rule.append(word)
    return rule


def _words(given: str, dtype: str) -> list[str]:
    """What may be said of a result of ``dtype`` where the inputs are of dtype ``given``."""
    wide = given in ("float64", "complex128")
    words = {
        "the input's": given,
        "complex": "complex128" if wide else "complex64",
        "real": "float64" if wide else "float32",
        dtype: dtype,
    }
    return [word for word, meant in words.items() if meant == dtype]


def _listed(dtypes: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(dtypes))


# derivatives -----------------------------------------------------------------------------------


def _moving(inputs: Sequence[Variable]) -> list[Variable]:
    return [v for v in inputs if getattr(v.type, "dtype", "") in CONTINUOUS]


def _gradient(
    outputs: Sequence[Variable], inputs: Sequence[Variable]
) -> tuple[list[Variable], str]:
    """Gradients of the outputs' sum, and what they are, in words."""
    smooth = [v for v in outputs if getattr(v.type, "dtype", "") in CONTINUOUS]
    moving = _moving(inputs)
    if not moving:
        return [], "no input to differentiate by"
    if not smooth:
        return [], "zero: results are discrete" if _tensors(outputs) else "disconnected"
    try:
        seeds = {v: v.type() for v in smooth}
        found = theano.grad(
            None, moving, known_grads=seeds, disconnected_inputs="ignore",
            return_disconnected="disconnected", null_gradients="return",
        )  # fmt: skip
    except (NotImplementedError, TypeError, ValueError) as error:
        return [], _none(error)
    words = {v: _kind(g) for v, g in zip(moving, found, strict=True)}
    shown = set(words.values())
    told = shown.pop() if len(shown) == 1 else "; ".join(f"{v}: {w}" for v, w in words.items())
    return [g for g in found if not isinstance(g.type, DisconnectedType | NullType)], told


def _tensors(outputs: Sequence[Variable]) -> bool:
    return all(isinstance(v.type, TensorType) for v in outputs)


def _kind(gradient: Variable) -> str:
    if isinstance(gradient.type, DisconnectedType):
        return "disconnected"
    if isinstance(gradient.type, NullType):
        return _null(gradient.type.why_null)
    return "zero" if _is_zero(gradient) else "yes"


def _is_zero(gradient: Variable) -> bool:
    """Whether rewriting finds that all elements are 0."""
    from theano.ops.constants import get_scalar_constant_value

    (found,) = pipeline.optimize(roots([gradient]), [gradient], expand=False)
    try:
        return bool(get_scalar_constant_value(found) == 0)
    except theano.tensor.NotScalarConstantError:
        return False


def _rop(outputs: Sequence[Variable], inputs: Sequence[Variable]) -> str:
    smooth = [v for v in outputs if getattr(v.type, "dtype", "") in CONTINUOUS]
    moving = _moving(inputs)
    if not smooth or not moving:
        return "–"
    try:
        found = theano.Rop(
            smooth, moving, [v.type() for v in moving], disconnected_outputs="ignore",
            return_disconnected="disconnected",
        )  # fmt: skip
    except (NotImplementedError, TypeError, ValueError) as error:
        return _none(error)
    kinds = {_kind(direction) for direction in found}
    return "yes" if kinds - {"zero", "disconnected"} else kinds.pop()


def _null(told: str) -> str:
    """What a null gradient says, without the name of the op and of the input."""
    for mark, word in ((" is mathematically undefined.", "undefined"),
                       (" is not implemented.", "not implemented")):  # fmt: skip
        if mark in told:
            reason = _short(told.partition(mark)[2])
            return f"{word}: {reason}" if reason else word
    return f"undefined: {_short(told)}"


def _none(error: Exception) -> str:
    """That there is no derivative, and why, if the error says more than that."""
    return "none" if " has no " in str(error) else f"none: {_short(error)}"


def _short(error: object) -> str:
    return str(error).strip().split("\n")[0].replace("|", "\\|")


# backends --------------------------------------------------------------------------------------


def _backends(
    outputs: Sequence[Variable], inputs: Sequence[Variable]
) -> tuple[str, str, list[Variable]]:
    """What the CPU and OpenCL backends do with it, and the outputs as they were lowered."""
    results = pipeline.optimize(inputs, outputs)
    try:
        program = lower_function(inputs, results, written=outputs).program
    except CannotLower as error:
        return f"NumPy: {_short(error)}", "CPU", results
    why = sorted({
        node.op.why or str(node.op)
        for node in traverse.toposort(results)
        if getattr(node.op, "lowering", "python") == "python"
    })  # fmt: skip
    steps = list(_steps(program.steps))
    python = any(isinstance(step, pg.PyCall) for step in steps)
    native = any(_computes(step) for step in steps)
    cpu = f"{'native, and ' * native}Python: {'; '.join(why)}" if python else "native"
    return cpu, _opencl(program), results


def _computes(step: Any) -> bool:
    """Whether a step computes something natively, beyond copying a result."""
    return isinstance(step, pg.Launch) or (isinstance(step, pg.Call) and step.function != "copy")


def _steps(steps: Iterable[Any]) -> Iterable[Any]:
    for step in steps:
        yield step
        for name in ("body", "first", "second"):
            yield from _steps(getattr(step, name, ()))


def _opencl(program: pg.Program) -> str:
    try:
        check_supported(program)
    except NotOnDevice:
        return "CPU"
    kernels = [text(step.kernel) for step in program.steps if isinstance(step, pg.Launch)]
    lacking = any(f" = {name} " in kernel for kernel in kernels for name in LACKING)
    return "CPU" if lacking else "native"
