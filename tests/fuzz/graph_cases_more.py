"""Producers of random lines: indexing, linear algebra, transforms, draws, branches, loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from fuzz_lines import (
    BODIES,
    COUNTS,
    DRAWS,
    LINALG,
    LISTS,
    LOOPS,
    MATRIX_LINES,
    RECURRENT,
    SQUARE,
    TRANSFORMED,
    TRANSFORMS,
    UNIQUES,
    VECTORIZED,
)
from fuzz_pool import Entry, Line, Pool, Producer

# indexing ---------------------------------------------------------------------------------------


def _slice(p: Pool) -> str:
    bounds = [p.choose(["", "", "1", "2", "-1", "-2", "0", "5", "-7"]) for _ in range(2)]
    return f"{bounds[0]}:{bounds[1]}:{p.choose(['', '', '1', '-1', '2', '-2', '3'])}"


def _position(p: Pool, a: Entry, axis: int) -> str:
    extent = a.shape[axis]
    number = p.integer(-extent, extent - 1)
    if p.chance(3):
        return f"{a}.shape[{axis}] - {p.integer(1, extent)}"
    found = p.pick(
        lambda e: (
            e.ndim == 0
            and e.is_int
            and e.dtype != "uint64"
            and bool(-extent <= int(e.value) < extent)
        )
    )
    return str(found) if found is not None and p.chance(2) else str(number)


def _vector(p: Pool, extent: int, length: int | None = None) -> str:
    count = p.integer(0, 5) if length is None else length
    entries = [p.integer(-extent, extent - 1) for _ in range(count if extent else 0)]
    text = f"np.array({entries}, {p.choose(['int64', 'int32', 'int8'])!r})"
    return p.choose([text, f"T.constant({text})", f"(T.constant({text}) + 0)"])  # type: ignore[no-any-return]


def within(low: int, high: int) -> Callable[[Entry], bool]:
    """Whether all values are at least ``low`` and below ``high``."""
    return lambda e: bool(np.all((e.value >= low) & (e.value < high)))


def _indices(p: Pool, extent: int) -> str:
    found = p.pick(
        lambda e: e.ndim in (1, 2) and e.is_int and e.dtype != "uint64", within(-extent, extent)
    )
    return str(found) if found is not None and p.chance(2) else _vector(p, extent)


def _basic(p: Pool, a: Entry) -> str:
    count = p.integer(1, a.ndim)
    last = p.chance(5)
    items = ["..."] if last else []
    for axis in range(a.ndim)[-count:] if last else range(count):
        whole = a.shape[axis] == 0 or p.integer(0, 2)
        items.append(_slice(p) if whole else _position(p, a, axis))
        if p.chance(8):
            items.append("None")
    return ", ".join(items)


def _one_array(p: Pool, a: Entry) -> str:
    axis = p.integer(0, a.ndim - 1)
    before = [p.choose([":", ":", _slice(p)]) for _ in range(axis)]
    return ", ".join([*before, _indices(p, a.shape[axis])])


def _two_arrays(p: Pool, a: Entry) -> str:
    if a.ndim < 2 or 0 in a.shape[:2]:
        return _one_array(p, a)
    count = p.integer(0, 4)
    one, two = (_vector(p, a.shape[i], count) for i in (0, 1))
    forms = [f"{one}, {two}", f"{one}[:, None], {two}", f"{one}, {p.integer(0, a.shape[1] - 1)}"]
    if a.ndim > 2 and a.shape[2]:
        last = _vector(p, a.shape[2], count)
        forms += [
            f"{one}, :, {last}",
            f"{one}, {_slice(p)}, {last}",
            f"0, :, {last}",
            f"{one}, None, {two}",
        ]
    return p.choose(forms)  # type: ignore[no-any-return]


def _mask(p: Pool, a: Entry) -> str:
    found = p.pick(lambda e: e.dtype == "bool" and e.ndim > 0 and e.shape == a.shape[: e.ndim])
    if found is not None:
        return p.choose([str(found), f"{found}, ..."]) if found.ndim < a.ndim else str(found)  # type: ignore[no-any-return]
    flags = [bool(p.integer(0, 1)) for _ in range(a.shape[0])]
    return p.choose([f"T.eq(T.arange({a}.shape[0]) % 2, 0)", f"np.array({flags}, 'bool')"])  # type: ignore[no-any-return]


INDICES: tuple[Callable[[Pool, Entry], str], ...] = (
    _basic, _basic, _one_array, _one_array, _two_arrays, _mask,
)  # fmt: skip


def subtensor(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim > 0)
    return a and (f"{a}[{p.choose(INDICES)(p, a)}]", True)


def write(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim > 0)
    if a is None:
        return None
    part = f"{a}[{p.choose(INDICES)(p, a)}]"
    value = p.evaluate([eval(part, p.names)])[0]
    fitting = p.pick(lambda e: e.dtype == a.dtype and e.shape == value.shape[value.ndim - e.ndim :])
    new = "2" if fitting is None or fitting.ndim > value.ndim or p.chance(4) else str(fitting)
    how = "inc"
    if p.chance(2):
        # Which of several values for one place wins is not defined.
        flat = p.evaluate(
            [eval(part.replace(f"{a}[", f"T.arange({a}.size).reshape({a}.shape)[", 1), p.names)]
        )
        how = "set" if len(np.unique(flat[0])) == flat[0].size or new == "2" else "inc"
    return f"T.{how}_subtensor({part}, {new})", how == "set"


def gather(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim > 0 and 0 not in e.shape)
    if a is None:
        return None
    axis = p.integer(0, a.ndim - 1)
    forms = [f"T.take({a}, {_indices(p, a.shape[axis])}, axis={axis})"]
    index = p.pick(
        lambda e: e.is_int and e.dtype != "uint64" and e.shape == a.shape,
        within(0, a.shape[axis]),
    )
    if index is not None:
        forms.append(f"T.take_along_axis({a}, {index}, axis={axis})")
    forms.append(f"{a}[T.nonzero(T.neq({a}, 0))]" if a.exact else f"T.take({a}, [0, -1])")
    forms.append(f"{a}[T.arange({a}.shape[0]) % 2, ...]")
    return p.choose(forms), True


# counting and searching -------------------------------------------------------------------------


def counts(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_int and e.dtype != "uint64" and e.ndim == 1, within(0, 30))
    if a is None or not a.shape[0]:
        return None
    return str(p.choose(COUNTS).format(a=a))


def uniques(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_number and e.ndim > 0 and e.exact and 0 not in e.shape)
    return a and str(p.choose(UNIQUES).format(a=a))


# linear algebra on well-conditioned matrices ------------------------------------------------------


def linalg(p: Pool) -> Line:
    a = p.pick(lambda e: e.dtype in ("float64", "float32") and e.ndim == 2 and 0 not in e.shape)
    return a and str(p.choose(LINALG).format(a=a, s=SQUARE.format(a=a)))


def transform(p: Pool) -> Line:
    a = p.pick(
        lambda e: e.dtype in ("float64", "float32") and e.ndim in (1, 2) and 0 not in e.shape
    )
    return a and str(p.choose(TRANSFORMS).format(a=a))


# draws ------------------------------------------------------------------------------------------


def draws(p: Pool) -> Line:
    a = p.pick(lambda e: e.ndim in (1, 2))
    known = [n for n, v in p.names.items() if type(v).__name__ == "RandomStream"]
    stream = (
        p.choose(known) if known and p.chance(2) else p.define(f"RandomStream({p.integer(0, 99)})")
    )
    sizes = [
        "(3,)",
        "(2, 3)",
        "()",
        *([f"tuple({a}.shape[i] for i in range({a}.ndim))"] if a else []),
    ]
    return str(p.choose(DRAWS).format(r=stream, size=p.choose(sizes))), True


# branches ---------------------------------------------------------------------------------------


def branch(p: Pool) -> Line:
    c = p.pick(lambda e: e.dtype in ("bool", "int64", "int32"))
    a = p.pick()
    b = a and p.pick(lambda e: e.variable.type == a.variable.type)
    if a is None or b is None or c is None:
        return None
    condition = f"{c}.any()" if c.dtype == "bool" else f"{c}.sum() > {p.integer(-2, 3)}"
    then, other = f"{a}", f"{b}"
    if a.is_float and p.chance(2):
        then = p.choose(["T.tanh({a})", "{a} * 2", "T.sin({a}) + {a}", "abs({a})"]).format(a=a)
    pair = p.pick(lambda e: e.is_float and e.ndim > 0)
    if pair is not None and p.chance(3):
        return f"ifelse({condition}, [{then}, {pair}], [{other}, T.tanh({pair})])"
    return f"ifelse({condition}, {then}, {other})", then == f"{a}"


# loops ------------------------------------------------------------------------------------------


def loop(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_float and 0 < e.ndim < 4 and 0 not in e.shape and e.shape[0] > 2)
    if a is None:
        return None
    text = p.choose(RECURRENT if a.ndim == 2 and p.chance(3) else LOOPS)
    if "q: T" in text and a.ndim < 2:
        return None
    how = p.choose(["", "", "", ", go_backwards=True", ", n_steps=2", ", truncate_gradient=2"])
    return str(text.format(a=a, body=p.choose(BODIES), how=how, n=p.integer(0, 4)))


def vectorized(p: Pool) -> Line:
    a = p.pick(lambda e: e.is_float and e.ndim == 2 and 0 not in e.shape)
    return a and str(p.choose(VECTORIZED).format(a=a))


# typed lists ------------------------------------------------------------------------------------


def lists(p: Pool) -> Line:
    a = p.pick()
    b = a and p.pick(lambda e: e.variable.type == a.variable.type)
    if b is None:
        return None
    return p.choose(LISTS).format(a=a, b=b, i=p.choose(["0", "1", "-1"])), True


# graphs made from graphs --------------------------------------------------------------------------


def transformed(p: Pool) -> Line:
    a = p.pick(lambda e: e.dtype in ("float64", "float32") and e.ndim < 3 and 0 not in e.shape)
    b = p.pick(lambda e: e.is_float)
    return a and b and str(p.choose(TRANSFORMED).format(a=a, b=b))


def matrices(p: Pool) -> Line:
    a = p.pick(lambda e: e.dtype in ("float64", "float32") and e.ndim == 2 and 0 not in e.shape)
    return a and str(p.choose(MATRIX_LINES).format(a=a))


PRODUCERS: dict[Producer, int] = {
    subtensor: 4, write: 4, gather: 1, counts: 1, uniques: 1, linalg: 1, transform: 1, draws: 1,
    transformed: 2, matrices: 2, branch: 1, loop: 3, vectorized: 1, lists: 1,
}  # fmt: skip
