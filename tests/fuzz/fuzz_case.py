"""A random program as text: built, run by several linkers, compared, made smaller, printed.

A ``Case`` is a list of lines ``name = expression`` over inputs and shared variables. Text can be
printed as a script that reproduces a difference, and lines can be cut out of it.
"""

from __future__ import annotations

import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

import theano
from theano.compile.reference import Reference
from theano.graph import traverse
from theano.graph.nodes import Variable
from theano.graph.shared import SharedVariable
from theano.graph.tensor_type import TensorType

HEADER = """\
import numpy as np
import theano
import theano.sparse as S
import theano.tensor as T
import theano.typed_list as TL
from theano.graph.tensor_type import TensorType
from theano.ifelse import ifelse
from theano.scan_module.scan_utils import until
from theano.tensor import fft, nlinalg, nnet, slinalg
from theano.tensor.random import RandomStream
"""
WRITTEN = {
    "oracle": ("py", None), "native": ("cvm", "fast_run"), "plain native": ("cvm", None),
    "program": ("numpy", "fast_run"),
}  # fmt: skip
MODES: dict[str, Callable[[], theano.Mode]] = {
    name: lambda how=how: theano.Mode(*how) for name, how in WRITTEN.items()
}
NOISE = {"float16": 2e-3, "float32": 1e-6, "float64": 1e-13}
RTOL = {"float16": 2e-2, "float32": 5e-4, "float64": 1e-8, "complex64": 5e-4, "complex128": 1e-8}
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Leaf:
    """An input or a shared variable: its type, its value, and how the value lies in memory."""

    name: str
    value: Any
    shape: tuple[int | None, ...]
    layout: str = "C"

    @property
    def declaration(self) -> str:
        return f"TensorType({str(self.value.dtype)!r}, shape={self.shape})({self.name!r})"


@dataclass(frozen=True)
class Case:
    """Lines over leaves, and what a function of them gives."""

    inputs: list[Leaf] = field(default_factory=list)
    shared: list[Leaf] = field(default_factory=list)
    lines: list[tuple[str, str]] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    updates: list[tuple[str, str]] = field(default_factory=list)
    givens: list[tuple[str, str]] = field(default_factory=list)
    # Values for another call, of other shapes.
    second: list[Any] = field(default_factory=list)

    @property
    def passed(self) -> list[int]:
        """The numbers of the inputs that a call is given values for."""
        replaced = {name for name, _ in self.givens}
        return [i for i, leaf in enumerate(self.inputs) if leaf.name not in replaced]


@dataclass(frozen=True)
class Ran:
    """What the calls gave: (outputs, shared values) or an exception, call by call."""

    calls: list[Any]
    complaint: str = ""


def laid_out(value: Any, layout: str) -> Any:
    """The same values in other memory."""
    value = np.array(value)
    if layout == "F":
        return np.array(value, order="F")
    if layout == "reversed" and value.ndim:
        return np.array(value[::-1])[::-1]
    if layout == "strided" and value.ndim:
        wide = np.zeros((*value.shape[:-1], value.shape[-1] * 2), value.dtype)
        wide[..., ::2] = value
        return wide[..., ::2]
    if layout == "swapped":
        return np.array(value.T, order="C").T
    if layout == "frozen":
        value.flags.writeable = False
    return value


def literal(value: Any) -> str:
    """An array as an expression."""
    value = np.asarray(value)
    text = np.array2string(
        value, separator=", ", threshold=10**9, floatmode="unique", max_line_width=96
    )
    if value.size == 0:
        return f"np.zeros({value.shape}, {str(value.dtype)!r})"
    return f"np.array({text}, {str(value.dtype)!r})"


# Errors that a rewritten graph may raise for arrays without elements.
EXCUSED = ("zero-size array", "argmax of an empty", "argmin of an empty")
# Graphs with these may leave out a computation that would have failed.
LAZY = re.compile(r"_like|fill|shape|size|grad|len\(|alloc|ifelse|scan|getitem|\* 0|zeros|unique")
_header: dict[str, Any] = {}
tally: Counter[str] = Counter()


def namespace() -> dict[str, Any]:
    """A new namespace with what the expressions use."""
    if not _header:
        exec(HEADER, _header)
    return dict(_header)


def build(case: Case) -> dict[str, Any]:
    """Run the lines; the namespace afterwards."""
    names = namespace()
    for leaf in case.inputs:
        names[leaf.name] = TensorType(str(leaf.value.dtype), shape=leaf.shape)(leaf.name)
    for leaf in case.shared:
        names[leaf.name] = theano.shared(np.array(leaf.value), leaf.name)
    for name, expression in case.lines:
        names[name] = eval(expression, names)
    return names


def arguments(case: Case, names: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments of ``theano.function``, but for the mode."""
    outputs = [eval(name, names) for name in case.outputs]
    updates = [(names[s], eval(name, names)) for s, name in case.updates]
    givens = [(names[v], eval(text, names)) for v, text in case.givens]
    inputs = [names[case.inputs[i].name] for i in case.passed]
    how = {"updates": updates, "givens": givens, "on_unused_input": "ignore"}
    return [inputs, outputs], how


def values_of_calls(case: Case) -> Iterator[list[Any]]:
    """The arguments of the calls: twice the same ones, then others."""
    leaves = [case.inputs[i] for i in case.passed]
    given = [laid_out(leaf.value, leaf.layout) for leaf in leaves]
    yield given
    yield given
    if case.second:
        others = [case.second[i] for i in case.passed]
        yield [laid_out(v, leaf.layout) for v, leaf in zip(others, leaves, strict=True)]


def run(case: Case, mode: str) -> Ran:
    """Build and compile anew, then call."""
    names = build(case)
    args, how = arguments(case, names)
    f = theano.function(*args, mode=MODES[mode](), **how)
    cells = [names[leaf.name] for leaf in case.shared]
    calls: list[Any] = []
    complaint = ""
    for given in values_of_calls(case):
        before = [v.tobytes() for v in given]
        held = [c.get_value() for c in cells]
        try:
            outputs = [np.asarray(v) for v in f(*given)]
        except Exception as error:
            calls.append(error)
            if any(
                a.tobytes() != c.get_value().tobytes() for a, c in zip(held, cells, strict=True)
            ):
                complaint = "a failed call changed a shared variable"
            continue
        calls.append(([np.array(v) for v in outputs], [c.get_value() for c in cells]))
        if [v.tobytes() for v in given] != before:
            complaint = "an argument was changed"
        owned = [*given, *(c.get_value(borrow=True) for c in cells)]
        if _aliases(outputs, owned):
            complaint = "results share memory"
    return Ran(calls, complaint)


def _aliases(outputs: list[Any], owned: list[Any]) -> bool:
    arrays = [v for v in outputs if v.size]
    pairs = [*combinations(arrays, 2), *((a, b) for a in arrays for b in owned)]
    return any(np.may_share_memory(a, b) and np.shares_memory(a, b) for a, b in pairs)


# comparing --------------------------------------------------------------------------------------


def noisy(case: Case, seed: int) -> list[Any]:
    """The oracle's calls with every intermediate result off by some roundings."""
    names = build(case)
    (inputs, outputs), how = arguments(case, names)
    new = [
        theano.clone(v, replace=how["givens"]) for v in [*outputs, *(u for _, u in how["updates"])]
    ]
    updates = dict(zip((s for s, _ in how["updates"]), new[len(outputs) :], strict=True))
    shared = [v for v in traverse.roots(new, inputs) if isinstance(v, SharedVariable)]
    shared += [names[leaf.name] for leaf in case.shared if names[leaf.name] not in shared]
    for s in shared:
        if getattr(s, "default_update", None) is not None:
            updates.setdefault(s, s.default_update)
    rng = np.random.default_rng(seed)

    def disturb(index: int, node: Any, thunk: Any) -> None:
        for cell in thunk.outputs:
            _disturb(cell[0], rng)

    found = Reference([*inputs, *shared], [*new[: len(outputs)], *updates.values()], after=disturb)
    state = {s: np.array(s.get_value()) for s in shared}
    calls: list[Any] = []
    for given in values_of_calls(case):
        try:
            got = found([*map(np.array, given), *(np.array(state[s]) for s in shared)])
        except Exception as error:
            calls.append(error)
            continue
        state.update(zip(updates, map(np.array, got[len(outputs) :]), strict=True))
        own = [state[names[leaf.name]] for leaf in case.shared]
        calls.append(([np.array(v) for v in got[: len(outputs)]], own))
    return calls


def _disturb(value: Any, rng: Any) -> None:
    scale = NOISE.get(str(getattr(value, "dtype", "")))
    if scale is None or not value.flags.writeable:
        return
    with np.errstate(all="ignore"):
        off = np.where(value == np.rint(value), 0, rng.uniform(-scale, scale, value.shape))
        value[...] = value * (1 + off).astype(value.dtype)


def deviation(a: Any, b: Any) -> Any:
    """How far finite entries of ``b`` (the oracle's) are from those of ``a``; inf where not one."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return np.full(b.shape, np.inf)
    kind = "complex128" if "c" in (a.dtype.kind, b.dtype.kind) else "float64"
    a, b = a.astype(kind), b.astype(kind)
    with np.errstate(all="ignore"):
        off = np.abs(a - b)
    off = np.where(np.isfinite(b), np.where(np.isfinite(off), off, np.inf), 0)
    return np.where(np.abs(b) < 1e6, off, 0)


def allowed(value: Any) -> float:
    """The usual tolerance: relative to the largest entry."""
    rtol = RTOL.get(str(value.dtype))
    if rtol is None:
        return 0.0
    with np.errstate(all="ignore"):
        size = np.abs(np.asarray(value, "complex128" if value.dtype.kind == "c" else "float64"))
    size = size[np.isfinite(size) & (size < 1e6)]
    return rtol * (1 + float(size.max(initial=0)))


def compare(case: Case, wanted: Ran, found: Ran, strict: bool = False) -> str:
    """What is different, "" if nothing is; ``strict``: errors must be the same calls'."""
    if found.complaint:
        return found.complaint
    noise: list[list[Any]] = []
    for number, (want, got) in enumerate(zip(wanted.calls, found.calls, strict=True)):
        if isinstance(want, Exception) or isinstance(got, Exception):
            said = _errors(want, got, strict)
        else:
            tally["calls compared"] += 1
            said = _values(case, want, got, number, noise)
        if said:
            return f"call {number}{said}"
    return ""


def _errors(want: Any, got: Any, strict: bool) -> str:
    """What is different about two calls of which at least one raised."""
    if isinstance(want, Exception):
        tally["calls that raise"] += 1
        if strict and not isinstance(got, Exception):
            return f": does not raise {type(want).__name__}: {str(want)[:300]}"
        return ""
    if any(text in str(got) for text in EXCUSED):
        return ""
    return f": raises {type(got).__name__}: {str(got)[:400]}"


def _values(case: Case, want: Any, got: Any, number: int, noise: list[list[Any]]) -> str:
    """What is different about the values of two calls."""
    for kind in (0, 1):
        for place, (a, b) in enumerate(zip(got[kind], want[kind], strict=True)):
            where = f", {('output', 'shared')[kind]} {place}"
            if a.dtype != b.dtype or a.shape != b.shape:
                return f"{where}: {a.dtype}{a.shape} instead of {b.dtype}{b.shape}"
            off = deviation(a, b)
            if not np.any(off > allowed(b)):
                continue
            tally["differences looked at"] += 1
            if not noise:
                noise += [noisy(case, seed) for seed in range(4)]
            if not _excused(off, b, [calls[number] for calls in noise], kind, place):
                return f"{where}: off by {off.max():.3g}\ngot {a!r}\nnot {b!r}"
    return ""


def _excused(off: Any, wanted: Any, noise: Sequence[Any], kind: int, place: int) -> bool:
    limit = np.full(off.shape, allowed(wanted))
    for call in noise:
        if isinstance(call, Exception):
            return True
        spread = deviation(call[kind][place], wanted)
        limit = np.maximum(limit, 30 * np.maximum(spread, spread.max(initial=0) * 0.1))
    return not np.any(off > limit)


def check(case: Case, modes: Sequence[str] = ("native", "plain native")) -> tuple[str, str]:
    """(mode, difference) of the first mode that differs from the oracle; ("", "") if none does."""
    try:
        wanted = run(case, "oracle")
    except Exception:
        return "oracle", "cannot be built: " + traceback.format_exc(limit=-3)
    if isinstance(wanted.calls[0], Exception):
        return "oracle", f"raises {type(wanted.calls[0]).__name__}: {wanted.calls[0]}"
    if wanted.complaint:
        return "oracle", wanted.complaint
    for mode in modes:
        try:
            strict = mode == "plain native" and not any(LAZY.search(t) for _, t in case.lines)
            difference = compare(case, wanted, run(case, mode), strict)
        except Exception:
            difference = "cannot be compiled: " + traceback.format_exc(limit=-4)
        if difference:
            return mode, difference
    return "", ""


# making smaller ---------------------------------------------------------------------------------


def pruned(case: Case) -> Case:
    """Without lines and leaves that nothing needs."""
    needed: set[str] = set()
    for text in (*case.outputs, *(t for pair in (*case.updates, *case.givens) for t in pair)):
        needed.update(IDENTIFIER.findall(text))
    lines = []
    for name, expression in reversed(case.lines):
        if name in needed:
            lines.append((name, expression))
            needed.update(IDENTIFIER.findall(expression))
    kept = [i for i, leaf in enumerate(case.inputs) if leaf.name in needed]
    return replace(
        case, lines=lines[::-1], inputs=[case.inputs[i] for i in kept],
        shared=[leaf for leaf in case.shared if leaf.name in needed],
        second=[case.second[i] for i in kept] if case.second else [],
    )  # fmt: skip


def smaller(case: Case) -> Iterator[Case]:
    """Cases with a part left out."""
    if case.second:
        yield replace(case, second=[])
    for part in ("outputs", "updates", "givens"):
        items = getattr(case, part)
        if len(items) > 1:
            yield from (pruned(replace(case, **{part: [item]})) for item in items)
        rests = (items[:i] + items[i + 1 :] for i in range(len(items)))
        yield from (pruned(replace(case, **{part: rest})) for rest in rests)
    if len(case.outputs) == 1:
        earlier = (pruned(replace(case, outputs=[name])) for name, _ in case.lines)
        yield from (other for other in earlier if len(other.lines) < len(case.lines))
    cuts = (_cut(case, i) for i in reversed(range(len(case.lines))))
    yield from (pruned(cut) for cut in cuts if cut is not None)
    if any(leaf.layout != "C" for leaf in case.inputs):
        yield replace(case, inputs=[replace(leaf, layout="C") for leaf in case.inputs])


def _cut(case: Case, number: int) -> Case | None:
    """With an input instead of a line."""
    name, _ = case.lines[number]
    names = build(case)
    variable = names[name]
    if not isinstance(variable, Variable) or not isinstance(variable.type, TensorType):
        return None
    state = [s for s in traverse.roots([variable], []) if isinstance(s, SharedVariable)]
    known = [names[leaf.name] for leaf in case.inputs]
    values = [np.array(leaf.value) for leaf in case.inputs]
    run_it = Reference([*known, *state], [variable])
    value = np.array(run_it([*values, *(np.array(s.get_value()) for s in state)])[0])
    leaf = Leaf(name, value, variable.type.shape)
    second = [*case.second, value] if case.second else []
    lines = case.lines[:number] + case.lines[number + 1 :]
    return replace(case, inputs=[*case.inputs, leaf], lines=lines, second=second)


def shrink(case: Case, mode: str, difference: str, tries: int = 300) -> Case:
    """A smaller case that goes wrong in the same way."""
    kind = difference.split(":")[0].rstrip("0123456789")
    progress = True
    case = pruned(case)
    while progress:
        progress = False
        for other in smaller(case):
            tries -= 1
            if tries < 0:
                return case
            try:
                again = check(other, [mode] if mode != "oracle" else [])
            except Exception:
                continue
            if again[0] == mode and again[1].split(":")[0].rstrip("0123456789")[:6] == kind[:6]:
                case, progress = other, True
                break
    return case


def script(case: Case, mode: str = "native") -> str:
    """The case as a program of its own that compares a mode with the oracle."""
    text = [HEADER]
    text += [f"{leaf.name} = {leaf.declaration}" for leaf in case.inputs]
    text += [
        f"{leaf.name} = theano.shared({literal(leaf.value)}, {leaf.name!r})" for leaf in case.shared
    ]
    text += [f"{name} = {expression}" for name, expression in case.lines]
    values = ",\n    ".join(literal(case.inputs[i].value) for i in case.passed)
    second = ",\n    ".join(literal(case.second[i]) for i in case.passed) if case.second else ""
    updates = ", ".join(f"({s}, {name})" for s, name in case.updates)
    givens = ", ".join(f"({s}, {name})" for s, name in case.givens)
    shared = "".join(f", {leaf.name}.get_value()" for leaf in case.shared)
    reset = "".join(f"    {s.name}.set_value({literal(s.value)})\n" for s in case.shared)
    passed = [case.inputs[i] for i in case.passed]
    layouts = [leaf.layout for leaf in passed]
    text.append(
        f"values = [{values}]\nsecond = [{second}]\nlayouts = {layouts}\n"
        f"for how in [('py', None), {WRITTEN[mode]}]:\n"
        f"{reset}"
        f"    f = theano.function([{', '.join(leaf.name for leaf in passed)}],\n"
        f"        [{', '.join(case.outputs)}],\n"
        f"        updates=[{updates}], givens=[{givens}], mode=theano.Mode(*how),\n"
        f'        on_unused_input="ignore")\n'
        f"    for given in [values, values, second][: 3 if second else 2]:\n"
        f"        print(how, f(*given){shared})"
    )
    return "\n".join(text) + "\n"
